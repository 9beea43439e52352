"""Samples in standardized columns, for sweeps over all of them."""

import numpy as np
import scipy.sparse as sp

from ..constants import LIMITS
from ..moments import chunks
from .basis import Coordinates


class Scaled(Coordinates):
    """Standardized columns themselves, for sweeps that bring a metric of their own.

    Attributes
    ----------
    unit : ndarray of shape (d, 1)
        Weights of X are those of the coordinates times this: ``1 / std``, 1 for a constant column.
    """

    def __init__(self, columns):
        super().__init__(columns)
        self.unit = np.where(columns.vary, columns.inverse_std, 1.0)[:, None]

    @property
    def size(self):
        return self.columns.std.size

    def coordinates(self, x):
        return self.columns.standardized(x)

    def _contract(self, W):
        return W / self.unit

    def _expand(self, V):
        return V * self.unit


class ScaledInput(Scaled):
    """Standardized columns ``U = [(X - mean) / std, 1]`` as a copy of X.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    columns : Columns

    Attributes
    ----------
    data : ndarray of shape (n, d + 1)
        What is handed out by rows; column-major, so that the columns of a block are contiguous.
    ridge : ndarray of shape (d, 1)
        ``||W||^2 = sum_j ridge_j ||V_j||^2`` for the weights V of U that stand for W.
    """

    def __init__(self, X, columns):
        super().__init__(columns)
        self.ridge = np.square(self.unit)
        self._store(X)

    def _store(self, X):
        self.data = np.ones((X.shape[0], self.size + 1), dtype=X.dtype, order="F")
        for rows in chunks(X.shape[0], self.size):
            self.data[rows, :-1] = self.coordinates(X[rows])

    def product(self, u, V, out):
        """``U V`` for a block u of the rows."""
        np.matmul(u, V, out=out)

    def cross(self, u, D, out):
        """``U' D`` for a block u of the rows."""
        np.matmul(u.T, D, out=out)

    def standardized(self, u):
        """The block as a plain array of standardized columns, without the column of ones."""
        return u[:, :-1]


class ScaledOnDemand(ScaledInput):
    """The same where X are encoded samples of which a copy would take far more memory than X.

    A block of the rows is standardized whenever it is asked for.
    """

    def _store(self, X):
        self.samples = X
        self.shape, self.dtype = (X.shape[0], self.size + 1), X.dtype

    @property
    def data(self):
        """Itself; no attribute, which would keep the samples until garbage is collected."""
        return self

    def __getitem__(self, rows):
        x = self.samples[rows]  # a new array, to work in
        np.subtract(x, self.columns.mean, out=x, casting="same_kind")
        x *= self.columns.inverse_std.astype(self.dtype)
        u = np.ones((x.shape[0], self.size + 1), dtype=self.dtype, order="F")
        u[:, :-1] = x
        return u


class ScaledSparseInput(ScaledInput):
    """The same input where X is sparse: X stays, centering and scaling go to the weights."""

    def _store(self, X):
        self.data = X.tocsr()

    def product(self, u, V, out):
        W = (self.unit * V[:-1]).astype(out.dtype)
        out[:] = u @ W
        out += V[-1] - (self.columns.mean @ W).astype(out.dtype)

    def cross(self, u, D, out):
        sums = D.sum(axis=0)
        scale = self.columns.inverse_std[:, None]
        out[:-1] = scale * (u.T @ D - np.outer(self.columns.mean, sums))
        out[-1] = sums

    def standardized(self, u):
        return self.coordinates(u).astype(u.dtype)


def scaled_input(X, columns, limits=LIMITS):
    """The input in standardized columns: stored where X is dense, implied where it is sparse.

    And made on demand where X are encoded samples, too many for a copy.
    """
    if sp.issparse(X):
        return ScaledSparseInput(X, columns)
    if hasattr(X, "allows") and not X.allows((X.shape[1] + 1) * X.dtype.itemsize, limits):
        return ScaledOnDemand(X, columns)
    return ScaledInput(X, columns)


def uniform_columns(columns):
    """The same columns with one unit, their root mean square, where the axes mean nothing."""
    if columns.std.size == 0:
        return columns
    unit = np.sqrt(np.mean(columns.std**2))
    std = np.full_like(columns.std, unit)
    inverse_std = np.full_like(std, 1.0 / unit if unit > 0 else 0.0)
    return type(columns)(columns.mean, std, inverse_std, columns.one_unit)
