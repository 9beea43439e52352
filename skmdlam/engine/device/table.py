"""Samples that stay on a device: what stands for their array where NumPy prepares a fit."""

import numpy as np

from ..inputs.encoded import EncodedSamples
from .inputs import CoordinatesOn, EncodedRows, PlainRows, RowsOnDemand, StoredRows, ranks_on

# Numbers that are put into coordinates together.
_NUMBERS = 2**24
# Coordinates are stored where they are no more than so many times the samples, or few.
_COPIES, _FEW = 2, 2**22


class Table:
    """Samples on a device. Rows that are asked for come to the host, a block at a time.

    Parameters
    ----------
    numerics : Numerics
    array : array of shape (n, d)
        On the device.
    """

    ndim = 2

    def __init__(self, numerics, array):
        self.numerics, self.array = numerics, array
        self.shape, self.dtype = tuple(array.shape), numerics.dtype_of(array)

    def __len__(self):
        return self.shape[0]

    def _at(self, rows):
        return rows if isinstance(rows, slice) else self.numerics.array(np.asarray(rows))

    def __getitem__(self, at):
        rows, columns = at if isinstance(at, tuple) else (at, slice(None))
        part = self.array[self._at(rows)][:, self._at(columns)]
        return np.array(self.numerics.host(part))  # whoever asks may work in it

    def taken(self, rows):
        """Some of the samples, on the device too."""
        return Table(self.numerics, self.array[self._at(rows)])

    def astype(self, dtype, copy=True):
        """The samples in another type, on the device too."""
        return Table(self.numerics, self.numerics.cast(self.array, dtype))

    def min(self, axis, *, keepdims=False):
        """The smallest number of each column, on the host."""
        low = -self.numerics.host(self.numerics.largest(-self.array, axis))
        return low if keepdims else low[0]

    def max(self, axis, *, keepdims=False):
        """The largest one."""
        high = self.numerics.host(self.numerics.largest(self.array, axis))
        return high if keepdims else high[0]

    def column_moments(self, normalized):
        """Mean and standard deviation of each column, see :func:`..moments.column_moments`."""
        f, d = self.numerics, self.shape[1]
        normalized = f.array(normalized)
        step = max(1, _NUMBERS // max(d, 1))
        blocks = [slice(a, a + step) for a in range(0, len(self), step)]
        mean = sum(normalized[rows] @ f.cast(self.array[rows], np.float64) for rows in blocks)
        missing = variance = 0.0
        for rows in blocks:
            x = f.cast(self.array[rows], np.float64) - mean
            missing = missing + normalized[rows] @ x
            variance = variance + normalized[rows] @ (x * x)
        mean, missing, variance = (f.host(each) for each in (mean, missing, variance))
        return mean + missing, np.sqrt(np.maximum(variance - missing**2, 0.0))

    def encoded(self, pieces):
        """The samples as pieces of numbers make columns of them."""
        return EncodedTable(self, pieces)

    def allows(self, row_bytes, limits=None):
        """Whether a copy on the host is wanted: never."""
        return False

    def on_device(self):
        """The rows, for whoever works on the device."""
        return PlainRows(self.array)

    def held_in(self, basis):
        """The samples in the coordinates of a basis."""
        return DeviceInput(self, basis)


class EncodedTable(EncodedSamples):
    """The same where columns are encoded: ranks are on the device, and columns made of them.

    Parameters
    ----------
    table : Table
    pieces : Pieces
        Of columns of numbers.
    """

    def __init__(self, table, pieces):
        f = self.numerics = table.numerics
        self.pieces = pieces
        self.ranks = Table(f, ranks_on(f, table.array, pieces))
        self._x_bytes = table.shape[1] * table.dtype.itemsize
        self.shape, self.dtype = (len(table), pieces.size), table.dtype

    def taken(self, rows):
        """Some of the samples, on the device too."""
        some = super().taken(slice(0, 0))
        some.ranks = self.ranks.taken(rows)
        some.shape = (len(some.ranks), self.shape[1])
        return some

    def allows(self, row_bytes, limits=None):
        """Whether a copy on the host is wanted: never."""
        return False

    def on_device(self):
        """The rows, for whoever works on the device."""
        return EncodedRows(self.numerics, self.ranks.array, self.pieces)

    def held_in(self, basis):
        """The samples in the coordinates of a basis."""
        return DeviceInput(self, basis)


class DeviceInput:
    """Samples on a device in the coordinates of a basis, as :class:`..inputs.dense.DenseInput`.

    Parameters
    ----------
    X : Table or EncodedTable
    basis : Basis

    Attributes
    ----------
    norms : ndarray of shape (n,)
        ``||u_i||^2``.
    """

    dense = True

    def __init__(self, X, basis):
        self.basis, self._X = basis, X
        f = X.numerics
        rows = RowsOnDemand(X.on_device(), CoordinatesOn.of(f, basis))
        numbers = len(X) * (basis.size + 1)
        whole = numbers <= max(_FEW, _COPIES * len(X) * (X.shape[1] + 1))
        step, norms, parts = max(1, _NUMBERS // max(*X.shape[1:], basis.size)), [], []
        for start in range(0, len(X), step):
            U = rows.take(slice(start, start + step))
            norms.append(f.total(U * U, -1) - 1.0)
            if whole:
                parts.append(U)
        self.norms = f.host(f.join(norms, 0))
        self._rows = StoredRows(f.join(parts, 0)) if whole else rows

    def on_device(self):
        """The rows, for whoever works on the device."""
        return self._rows

    def view(self, rows):
        """None: there is nothing without a copy."""
        return None

    def samples(self, rows):
        """The samples of these indices, on the host."""
        return self.basis.coordinates(self._X[rows])

    rotated_samples = samples
    factor = samples
