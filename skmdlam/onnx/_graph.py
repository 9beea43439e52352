"""A graph in the making: nodes and constants of one converted estimator."""

import numpy as np
from onnx import TensorProto

_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int64): TensorProto.INT64,
}
# The first opset that has all operators in both floating types.
_OLDEST_OPSET = 13


class Graph:
    """Adds nodes to the container of skl2onnx.

    Parameters
    ----------
    scope, container
        As skl2onnx hands them to a converter.
    dtype : dtype
        Floating type that the graph computes in.
    """

    def __init__(self, scope, container, dtype):
        opset = container.target_opset
        if opset < _OLDEST_OPSET:
            raise RuntimeError(
                f"target_opset={opset} is too old for skmdlam.onnx, which needs "
                f"{_OLDEST_OPSET} or later."
            )
        self._scope, self._container = scope, container
        self.dtype = np.dtype(dtype)

    def __call__(self, op_type, *inputs, domain="", version=None, to=None, **attributes):
        """Add a node.

        Parameters
        ----------
        op_type : str
        *inputs : str or ndarray
            Names of values; an array or a number becomes a constant.
        domain : str, default=""
        version : int, default=None
            Of the operator; None for the latest one of the opset.
        to : str, default=None
            Name of the result where that is given.
        **attributes
            Of the node.

        Returns
        -------
        name : str
            Of the result.
        """
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        return self._add(op_type, names, to, attributes, domain, version)

    def _add(self, op_type, names, to, attributes, domain="", version=None):
        to = self._scope.get_unique_variable_name(op_type.lower()) if to is None else to
        node = self._scope.get_unique_operator_name(op_type)
        options = {"op_domain": domain, "op_version": version, "name": node}
        self._container.add_node(op_type, names, to, **options, **attributes)
        return to

    def constant(self, values, dtype=None):
        """Name of a constant array; strings, integers, or numbers in the type of the graph."""
        values = np.asarray(values)
        name = self._scope.get_unique_variable_name("constant")
        if values.dtype.kind in "OU":
            content = [str(value).encode() for value in values.ravel()]
            self._container.add_initializer(name, TensorProto.STRING, values.shape, content)
            return name
        if dtype is None:
            dtype = np.int64 if values.dtype.kind in "iu" else self.dtype
        values = values.astype(dtype)
        kind = _TYPES[values.dtype]
        self._container.add_initializer(name, kind, values.shape, values.ravel())
        return name

    def cast(self, value, dtype=None, to=None):
        """The value in another type, that of the graph by default; ``to`` is its name."""
        dtype = np.dtype(self.dtype if dtype is None else dtype)
        return self._add("Cast", [value], to, {"to": _TYPES[dtype]})

    def take(self, value, indices):
        """Some of the columns of a value."""
        return self("Gather", value, np.asarray(indices, dtype=np.int64), axis=1)

    def beside(self, parts):
        """Values side by side; one alone as it is."""
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=1)

    def between(self, value, low, high):
        """The value no smaller than one constant, no larger than another; not for NaN."""
        return self("Min", self("Max", value, low), high)
