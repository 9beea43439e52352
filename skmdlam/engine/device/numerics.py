"""What differs between NumPy, CuPy and torch: the few functions that the engine needs of a device.

An object here is a namespace and a device. Operators, indexing, ``sum`` with an axis, ``reshape``
and what changes an array in place (``+=``, ``[...] =``) are the same in all three, and are written
as they are. Types are those of NumPy. torch and CuPy are imported when somebody asks for them.
"""

import contextlib
import functools
import importlib
import sys
import threading

import numpy as np

# torch waits for the whole device before it records, which spoils what another thread records.
_RECORDING = threading.Lock()


class Numerics:
    """Functions of NumPy's namespace, which are CuPy's too.

    Parameters
    ----------
    xp : module
    device : object, default=None
        What the namespace calls the device that new arrays lie on; None is the current one.
    """

    # Whether work is queued and can be recorded as a graph.
    has_graphs = False

    def __init__(self, xp=np, device=None):
        self.xp, self.device = xp, device
        self.exp, self.expm1, self.log1p = xp.exp, xp.expm1, xp.log1p
        self.log, self.tanh, self.sqrt = xp.log, xp.tanh, xp.sqrt
        self.abs, self.sign, self.where = xp.abs, xp.sign, xp.where
        self.isfinite, self.maximum, self.minimum = xp.isfinite, xp.maximum, xp.minimum

    def array(self, values, dtype=None):
        """Values of the host as a new array of the device."""
        return self.xp.array(values, dtype=dtype)

    def host(self, array):
        """An array of the device as one of NumPy, which may share its memory."""
        return np.asarray(array)

    def zeros(self, shape, dtype):
        """Zeros."""
        return self.xp.zeros(shape, dtype=dtype)

    def ones(self, shape, dtype):
        """Ones."""
        return self.xp.ones(shape, dtype=dtype)

    def eye(self, size, dtype):
        """The identity."""
        return self.xp.eye(size, dtype=dtype)

    def cast(self, array, dtype):
        """The array in a type; itself where it has it."""
        return array.astype(dtype, copy=False)

    def dtype_of(self, array):
        """Its type, as NumPy's."""
        return np.dtype(array.dtype)

    def clip(self, array, low=None, high=None):
        """Entries held within two numbers, None for no bound."""
        return self.xp.clip(array, low, high)

    def total(self, array, axis):
        """Sum in double precision."""
        return array.sum(axis, dtype=np.float64)

    def largest(self, array, axis):
        """Maximum along an axis, which stays."""
        return array.max(axis, keepdims=True)

    def all(self, array, axis):
        """Whether all are true, along axes that stay."""
        return array.all(axis, keepdims=True)

    def transposed(self, array):
        """The last two axes exchanged."""
        return self.xp.swapaxes(array, -1, -2)

    def diagonal(self, matrices):
        """Diagonal of each of a stack of matrices, shape (k, size); not to be written to."""
        return self.xp.diagonal(matrices, axis1=-2, axis2=-1)

    def join(self, arrays, axis):
        """Concatenate."""
        return self.xp.concatenate(arrays, axis=axis)

    def places(self, sorted_values, x):
        """``searchsorted(..., side="right")``."""
        return self.xp.searchsorted(sorted_values, x, side="right")

    def cholesky(self, matrices):
        """Lower factor of each of a stack of matrices; not finite where one is not positive."""
        try:
            return self.xp.linalg.cholesky(matrices)
        except np.linalg.LinAlgError:
            if matrices.ndim == 2:
                return self.xp.full_like(matrices, np.nan)
            return self.xp.stack([self.cholesky(matrix) for matrix in matrices])

    def solve_factored(self, factor, right):
        """``(L L')^-1 right`` for lower factors of a stack of matrices."""
        if not np.isfinite(self.host(factor)).all():  # a stack of which one is not would raise
            right = right * self.cast(self.isfinite(factor).all((-2, -1), keepdims=True), float)
        half = self.xp.linalg.solve(factor, right)
        return self.xp.linalg.solve(self.transposed(factor), half)

    def add_product(self, out, a, b):
        """``out += a b``, in place."""
        out += a * b

    def synchronize(self):
        """Wait for all that was queued."""

    def current(self):
        """A context in which all is computed on this device, in the types that are asked for."""
        return contextlib.nullcontext()

    def own(self, array):
        """The array of a user without what the library does beside numbers: gradients."""
        return array


class CupyNumerics(Numerics):
    """CuPy, whose arrays are copied to the host on demand."""

    def host(self, array):
        return self.xp.asnumpy(array)

    def array(self, values, dtype=None):
        with self.device:
            return self.xp.array(values, dtype=dtype)

    def zeros(self, shape, dtype):
        with self.device:
            return self.xp.zeros(shape, dtype=dtype)

    def ones(self, shape, dtype):
        with self.device:
            return self.xp.ones(shape, dtype=dtype)

    def eye(self, size, dtype):
        with self.device:
            return self.xp.eye(size, dtype=dtype)

    def cholesky(self, matrices):
        # Without this CuPy returns numbers for a matrix that is not positive.
        with importlib.import_module("cupyx").errstate(linalg="raise"):
            return super().cholesky(matrices)

    def synchronize(self):
        self.device.synchronize()

    def current(self):
        # CuPy computes on the current device, wherever the arrays are.
        return self.xp.cuda.Device(self.device.id)


class TorchNumerics(Numerics):
    """torch, where some of the functions have other names.

    Parameters
    ----------
    torch : module
    device : torch.device
    """

    def __init__(self, torch, device):
        super().__init__(torch, device)
        self.has_graphs = device.type == "cuda"

    def _type(self, dtype):
        return None if dtype is None else getattr(self.xp, np.dtype(dtype).name)

    def array(self, values, dtype=None):
        if isinstance(values, self.xp.Tensor):
            return values.to(self.device, self._type(dtype), copy=True)
        values = np.array(values, dtype=dtype, order="C")  # strides may be negative
        return self.xp.from_numpy(values).to(self.device)

    def host(self, array):
        return array.detach().cpu().numpy()

    def zeros(self, shape, dtype):
        return self.xp.zeros(shape, dtype=self._type(dtype), device=self.device)

    def ones(self, shape, dtype):
        return self.xp.ones(shape, dtype=self._type(dtype), device=self.device)

    def eye(self, size, dtype):
        return self.xp.eye(size, dtype=self._type(dtype), device=self.device)

    def cast(self, array, dtype):
        return array.to(self._type(dtype))

    def dtype_of(self, array):
        return np.dtype(str(array.dtype).removeprefix("torch."))

    def clip(self, array, low=None, high=None):
        return self.xp.clamp(array, low, high)

    def total(self, array, axis):
        return array.sum(axis, dtype=self.xp.float64)

    def largest(self, array, axis):
        return array.amax(axis, keepdim=True)

    def all(self, array, axis):
        # Of several axes old versions take no `all`.
        return array.to(self.xp.uint8).amin(axis, keepdim=True).to(self.xp.bool)

    def transposed(self, array):
        return array.mT

    def diagonal(self, matrices):
        return self.xp.diagonal(matrices, dim1=-2, dim2=-1)

    def join(self, arrays, axis):
        return self.xp.cat(arrays, dim=axis)

    def places(self, sorted_values, x):
        return self.xp.searchsorted(sorted_values, x.contiguous(), right=True)

    def cholesky(self, matrices):
        factor, failed = self.xp.linalg.cholesky_ex(matrices)
        return self.where(failed[..., None, None] == 0, factor, self.xp.nan)

    def solve_factored(self, factor, right):
        return self.xp.cholesky_solve(right, factor)

    def add_product(self, out, a, b):
        out.addcmul_(a, b)

    def recorded(self, function):
        """The graph of what a function does, with a method ``replay()``."""
        cuda, graph = self.xp.cuda, self.xp.cuda.CUDAGraph()
        with _RECORDING, cuda.device(self.device):
            # A stream of this device: the default one is that of whoever recorded first. What
            # other threads do meanwhile, such as pinning memory, does not end the recording.
            stream = cuda.Stream(self.device)
            with cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                function()
        return graph

    def synchronize(self):
        if self.device.type == "cuda":
            self.xp.cuda.synchronize(self.device)

    def current(self):
        return self.xp.autocast(self.device.type, enabled=False)

    def own(self, array):
        return array.detach()


@functools.cache
def numerics_for(device):
    """The functions for a device by its name.

    Parameters
    ----------
    device : str
        As torch names it: "cuda", "cuda:1", "cpu"; one without double precision ("mps") is refused.
        "cupy" and "cupy:1" are CuPy's.

    Returns
    -------
    Numerics

    Raises
    ------
    ValueError
        Where the library is not installed or knows no such device.
    """
    if device.partition(":")[0] == "cupy":
        cupy = _library("cupy", device)
        number = device.partition(":")[2] or "0"
        if not number.isdecimal() or int(number) >= cupy.cuda.runtime.getDeviceCount():
            raise ValueError(f"device={device!r}: CuPy has no such device here.")
        return CupyNumerics(cupy, cupy.cuda.Device(int(number)))
    torch = _library("torch", device)
    try:
        found = torch.device(device)
        torch.zeros(1, dtype=torch.float64, device=found).cpu()  # "meta" has no numbers
    except (AssertionError, RuntimeError, NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r}: torch has no such device here with double precision ({reason})."
        ) from error
    return TorchNumerics(torch, found)


def _library(name, device):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"device={device!r} needs {name}, which is not installed: install it, or set "
            "device=None for NumPy."
        ) from error


def device_name(array):
    """The name of the device that a torch tensor or a CuPy array lies on; None for all else."""
    # Whoever has such an array has imported the library.
    tensor, of_cupy = (
        getattr(sys.modules.get(library), kind, ())
        for library, kind in (("torch", "Tensor"), ("cupy", "ndarray"))
    )
    if isinstance(array, tensor):
        return str(array.device)
    if isinstance(array, of_cupy):
        return f"cupy:{array.device.id}"
    return None
