"""Samples on a device, in the coordinates of a run, and what belongs to each of them."""

import numpy as np

from ..loop.sources import Shuffled
from .kernels import activations_on, loss_on


class StoredRows:
    """Samples in the coordinates of a basis with a column of ones, as one array.

    Parameters
    ----------
    data : array of shape (n, r + 1)
        On the device.
    """

    def __init__(self, data):
        self.data = data

    def take(self, rows):
        """Those of some indices, or of a slice."""
        return self.data[rows]


class RowsOnDemand:
    """Samples that are put into coordinates whenever somebody asks for them.

    Parameters
    ----------
    encoded : EncodedRows or PlainRows
    coordinates : CoordinatesOn
    """

    def __init__(self, encoded, coordinates):
        self._encoded, self._coordinates = encoded, coordinates

    def take(self, rows):
        """Those of some indices, or of a slice."""
        return self._coordinates(self._encoded.take(rows))


class PlainRows:
    """Samples as they are.

    Parameters
    ----------
    X : array of shape (n, d)
    """

    def __init__(self, X):
        self._X = X

    def take(self, rows):
        """Those of some indices, or of a slice."""
        return self._X[rows]


class EncodedRows:
    """Samples as pieces make columns of them, from what :meth:`Pieces.ranks` gives.

    Parameters
    ----------
    numerics : Numerics
    ranks : array of shape (n, n_ranks)
        On the device.
    pieces : Pieces
    """

    def __init__(self, numerics, ranks, pieces):
        f, dtype = numerics, numerics.dtype_of(ranks)
        self._ranks, self._f = ranks, f
        taken, *columns = pieces.from_ranks()
        self._taken = f.array(taken)
        self._low, self._steepness, self._least, self._most = (
            f.array(each, dtype) for each in columns
        )
        self._levels = int(pieces.is_level.sum())  # the last ones

    def take(self, rows):
        """Those of some indices, or of a slice."""
        f, out = self._f, self._ranks[rows][:, self._taken] - self._low
        if self._levels:
            codes = out[:, -self._levels :]
            codes[...] = f.cast(codes == 0, f.dtype_of(out))
        return f.minimum(f.maximum(out * self._steepness, self._least), self._most)


def ranks_on(numerics, X, pieces):
    """:meth:`Pieces.ranks` of samples on a device that have neither gaps nor categories.

    Parameters
    ----------
    numerics : Numerics
    X : array of shape (n, d)
    pieces : Pieces

    Returns
    -------
    ranks : array of shape (n, n_ranks)
    """
    f, dtype = numerics, numerics.dtype_of(X)
    bent = [column for column, curve in enumerate(pieces.curves) if curve is not None]
    ranks = X + 0.0
    for column in bent:
        curve = pieces.curves[column]
        ranks[:, column] = f.cast(_interpolated(f, X[:, column], curve), dtype)
    if pieces.include_input and bent:
        ranks = f.join([ranks, X[:, f.array(np.array(bent))]], 1)
    return ranks


def _interpolated(f, x, curve):
    """``np.interp`` of the ranks of a curve."""
    values, ranks = curve.values.astype(float), curve.ranks.astype(float)
    slope = np.diff(ranks) / np.diff(values)
    known = f.array(values)
    x = f.cast(x, np.float64)
    place = f.clip(f.places(known, x) - 1, 0, len(values) - 2)
    inside = f.array(ranks[:-1])[place] + f.array(slope)[place] * (x - known[place])
    return f.clip(inside, float(ranks[0]), float(ranks[-1]))


class CoordinatesOn:
    """Coordinates of samples, on a device, with a column of ones.

    ``bulk x + x F_1 F_2 ...`` of standardized columns x.

    Parameters
    ----------
    numerics : Numerics
    columns : Columns
    dtype : dtype
        Of the coordinates.
    bulk : float or None, default=None
        None is 0.
    factors : sequence of ndarray, default=()
    """

    def __init__(self, numerics, columns, dtype, bulk=None, factors=()):
        f = self._f = numerics
        self._dtype, self._bulk = dtype, bulk
        self._mean, self._inverse_std = (
            f.array(each, np.float64) for each in (columns.mean, columns.inverse_std)
        )
        self._factors = [f.array(factor) for factor in factors]
        self._working = np.result_type(dtype, *factors)

    @classmethod
    def of(cls, numerics, basis):
        """Those of a basis."""
        return cls(numerics, basis.columns, basis.dtype, *basis.factors())

    def __call__(self, x):
        """Coordinates of some samples, shape (m, r + 1)."""
        f = self._f
        x = (f.cast(x, np.float64) - self._mean) * self._inverse_std
        x = projected = f.cast(x, self._working)
        for factor in self._factors:
            projected = projected @ factor
        u = f.cast(projected if self._bulk is None else self._bulk * x + projected, self._dtype)
        return f.join([u, f.ones((u.shape[0], 1), self._dtype)], 1)


class DeviceData:
    """All that steps and J read of the samples, on a device.

    Parameters
    ----------
    numerics : Numerics
    prepared : Prepared
    rows : StoredRows or RowsOnDemand

    Attributes
    ----------
    Y, weight, far, counted, row_weights : array of shape (n, ...) or None
        Targets, and the weights of a sample in these, in steps of hidden layers, in moments and in
        the step of the first layer.
    """

    def __init__(self, numerics, prepared, rows):
        f = self.f = numerics
        self.prepared, self.rows = prepared, rows
        self.loss = loss_on(f, prepared.loss)
        self.activations = activations_on(f, prepared.problem.activations)
        self.Y = f.array(prepared.Y)

        def moved(weights):
            return None if weights is None else f.array(weights)

        self.weight, self.far = moved(prepared.weight), moved(prepared.tail_weight)
        self.row_weights = moved(prepared.row_weights)
        # Without far samples the moments count as the targets do.
        self.counted = self.weight if self.far is None else moved(prepared.variance_weight)

    def forward(self, V, rows, inputs=None):
        """Pre-activations of each layer of k networks, shapes (k, m, n_l), and U.

        ``inputs`` are buffers (k, m, n_l + 1) with ones at their end for the activations.
        """
        U = self.rows.take(rows)
        z = [U @ V[0]]
        for index, W in enumerate(V[1:]):
            a = self.activations[index].value(z[-1])
            if inputs is None:
                z.append(a @ W[..., :-1, :] + W[..., -1:, :])
            else:
                inputs[index][..., :-1] = a
                z.append(inputs[index] @ W)
        return z, U


class DeviceShuffled(Shuffled):
    """Mini-batches of the same order, as indices on a device: copied once an epoch.

    Parameters
    ----------
    numerics : Numerics
    source : Shuffled
    """

    def __init__(self, numerics, source):
        super().__init__(source.n, source.n_batches, rounds=source.rounds)
        self._f = numerics

    def order(self, rng):
        return self._f.array(super().order(rng))


def rows_on(numerics, prepared):
    """Samples that NumPy has prepared, on a device.

    Parameters
    ----------
    numerics : Numerics
    prepared : Prepared

    Returns
    -------
    rows : StoredRows or RowsOnDemand
    """
    held = prepared.input
    if hasattr(held, "on_device"):
        return held.on_device()
    if hasattr(held, "data"):
        return StoredRows(numerics.array(held.data))
    coordinates = CoordinatesOn.of(numerics, prepared.frame.coordinates)
    return RowsOnDemand(encoded_on(numerics, prepared.problem.X), coordinates)


def encoded_on(numerics, X):
    """Samples that are encoded, or stay on a device, as rows there.

    Parameters
    ----------
    numerics : Numerics
    X : EncodedSamples, Table or EncodedTable

    Returns
    -------
    rows : EncodedRows or PlainRows
    """
    if hasattr(X, "on_device"):
        return X.on_device()
    return EncodedRows(numerics, numerics.array(X.ranks), X.pieces)
