"""What files hold of a stream: nothing that follows from the rest, and no digits that are zero."""

import numpy as np

from .engine.inputs.stored import basis_from_arrays, basis_with_factors, basis_without_factors
from .engine.loop.compact import half_exponent, inner_weights, steps_apart, weights_of_steps

# What stands for a symmetric matrix: its upper triangle, row by row, and its size.
_TRIANGLE, _SIZE = "upper_triangle", "size"
# What stands for an array: halves times a power of two, or singles, and the type that it has.
_HALF, _EXPONENT, _SINGLE, _TYPE = "half", "exponent", "single", "type"
# What stands for running weights: their differences from the average, in steps of a grid.
_STEPS = "steps"
# Smaller ones take no more than what stands for them.
_LEAST_SIZE = 16


def packed_stream(state, coefs, intercepts):
    """What an estimator knows of a stream, without what its weights say already.

    Parameters
    ----------
    state : dict
        It is not changed.
    coefs, intercepts : list of ndarray
        Of the estimator.

    Returns
    -------
    state : dict
        What :func:`unpacked_stream` makes the same of again, bit for bit.
    """
    if "layers" not in state:
        return packed(state)
    averages = _averages(state, coefs, intercepts)
    layers = [
        _packed_layer(layer, average)
        for layer, average in zip(state["layers"], averages, strict=True)
    ]
    return packed(state | {"layers": layers, "basis": basis_without_factors(state["basis"])})


def unpacked_stream(state, coefs, intercepts):
    """The inverse of :func:`packed_stream`; a state of before is what it is."""
    state = unpacked(state)
    if "layers" not in state:
        return state
    state = state | {"basis": basis_with_factors(state["basis"])}
    layers = state["layers"]
    averages = [layer.get("average") for layer in layers]
    if any(average is None for average in averages):
        found = _averages(state, coefs, intercepts)
        averages = [
            one if kept is None else kept for kept, one in zip(averages, found, strict=True)
        ]
    layers = [
        _unpacked_layer(layer, average) for layer, average in zip(layers, averages, strict=True)
    ]
    return state | {"layers": layers}


def _averages(state, coefs, intercepts):
    """The average in the coordinates of the stream, from the weights of the estimator."""
    return inner_weights(basis_from_arrays(state["basis"]), state["target"], coefs, intercepts)


def _packed_layer(layer, found):
    """Without the average, where that is what was found, and with weights as steps from it."""
    layer, average, V, grid = dict(layer), layer["average"], layer["V"], layer.get("grid")
    if _same_bits(average, found):
        layer.pop("average")
    if grid is not None:
        steps = steps_apart(V, average, grid)
        short = steps.astype(np.int16)
        if _same_bits(weights_of_steps(short, average, grid, V.dtype), V):
            layer["V"] = {_STEPS: short, _TYPE: V.dtype.name}
    return layer


def _unpacked_layer(layer, average):
    layer, V = layer | {"average": average}, layer["V"]
    if isinstance(V, dict):
        layer["V"] = weights_of_steps(V[_STEPS], average, layer["grid"], np.dtype(V[_TYPE]))
    return layer


def packed(value):
    """A state in arrays, numbers and names without digits that are zero, or twice there.

    Parameters
    ----------
    value : object
        Dicts, lists and tuples are copied, and nothing is changed.

    Returns
    -------
    value : object
        What :func:`unpacked` makes the same of again, bit for bit.
    """
    if isinstance(value, np.ndarray):
        if not _is_symmetric(value):
            return _short(value)
        return {_TRIANGLE: _short(value[np.triu_indices(len(value))]), _SIZE: len(value)}
    return _of_parts(value, packed)


def unpacked(value):
    """The inverse of :func:`packed`; a state of before has no triangles, or long ones."""
    if isinstance(value, dict) and _TRIANGLE in value:
        size, triangle = value[_SIZE], unpacked(value[_TRIANGLE])
        matrix = np.empty((size, size), dtype=triangle.dtype)
        upper = np.triu_indices(size)
        matrix[upper] = matrix.T[upper] = triangle
        return matrix
    if isinstance(value, dict) and _HALF in value:
        return np.ldexp(value[_HALF].astype(value[_TYPE]), value[_EXPONENT])
    if isinstance(value, dict) and _SINGLE in value:
        return value[_SINGLE].astype(float)
    return _of_parts(value, unpacked)


def _short(x):
    """Floats in fewer bytes, where these hold all of their digits."""
    if x.dtype.kind != "f" or x.itemsize < 4 or x.size < _LEAST_SIZE:
        return x
    exponent = half_exponent(x)
    if exponent is not None:
        short = {
            _HALF: np.ldexp(x, -exponent).astype(np.float16),
            _EXPONENT: exponent,
            _TYPE: x.dtype.name,
        }
        if _same_bits(unpacked(short), x):
            return short
    if x.itemsize == 8:
        with np.errstate(over="ignore"):
            short = {_SINGLE: x.astype(np.float32)}
        if _same_bits(unpacked(short), x):
            return short
    return x


def _same_bits(one, other):
    """Whether two arrays are the same, their zeros too."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bits = f"i{one.dtype.itemsize}"
    one, other = (np.ascontiguousarray(x).view(bits) for x in (one, other))
    return np.array_equal(one, other)


def _of_parts(value, function):
    if isinstance(value, dict):
        return {name: function(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(function(part) for part in value)
    return value


def _is_symmetric(matrix):
    """Whether it is, as bits: no other zero, no gap."""
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] >= _LEAST_SIZE
    return square and matrix.dtype.kind == "f" and _same_bits(matrix, matrix.T)
