"""The first layer's input in standardised columns, for solvers that take all rows at a time."""

import numpy as np
import scipy.sparse as sp

from .moments import column_moments, varies
from .units import share_one_unit

# Rows that are converted at a time.
_BLOCK_ROWS = 4096


def standard_input(X, rows, *, uniform=False):
    """The input ``[(X - mean) / std, 1]``, stored where X is dense and implied where it is sparse.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    rows : Rows
        How to sum over the rows of X.
    uniform : bool, default=False
        One unit for all columns, where the axes of X mean nothing.

    Returns
    -------
    DenseInput or SparseInput
    """
    kind = SparseInput if sp.issparse(X) else DenseInput
    return kind(X, *_standardisation(X, rows, uniform))


def _standardisation(X, rows, uniform):
    """Weighted mean and 1 / std of each column, 1 where it is constant, and whether it varies."""
    mean, std = column_moments(X, rows.share())
    vary = varies(mean, std, X.dtype)
    if uniform:
        std[:] = np.sqrt(np.mean(np.where(vary, std, 0.0) ** 2))
        vary = std > 0
    elif share_one_unit(std[vary], rows.total, rows.n_rows):
        std[vary] = np.sqrt(np.mean(std[vary] ** 2))
    inverse_std = np.ones_like(std)
    inverse_std[vary] = 1.0 / std[vary]
    return mean, inverse_std, vary


class DenseInput:
    """Standardised columns ``U = [(X - mean) / std, 1]`` as a copy of X.

    Attributes
    ----------
    data : ndarray of shape (n, d + 1)
        What is handed out by rows; column-major, so that the columns of a block are contiguous.
    ridge : ndarray of shape (d, 1)
        ``||W||^2 = sum_j ridge_j ||V_j||^2`` for the weights V of U that stand for W.
    varies : ndarray of shape (d,)
        Whether a column is not constant.
    """

    def __init__(self, X, mean, inverse_std, varies):
        self.mean, self.inverse_std, self.varies = mean, inverse_std, varies
        self.ridge = np.square(inverse_std)[:, None]
        self.size = X.shape[1]
        self._store(X)

    def _store(self, X):
        self.data = np.ones((X.shape[0], self.size + 1), dtype=X.dtype, order="F")
        for start in range(0, X.shape[0], _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            self.data[block, :-1] = (X[block] - self.mean) * self.inverse_std
        self.data[:, :-1][:, ~self.varies] = 0.0  # not what rounding left of a constant

    def product(self, u, V, out):
        """``U V`` for a block u of the rows."""
        np.matmul(u, V, out=out)

    def cross(self, u, D, out):
        """``U' D`` for a block u of the rows."""
        np.matmul(u.T, D, out=out)

    def standardised(self, u):
        """The block as a plain array of standardised columns, without the column of ones."""
        return u[:, :-1]

    def contract(self, W, b):
        """Weights and intercept of X as weights of U."""
        W, b = W.astype(float), b.astype(float)
        return np.vstack([W / self.inverse_std[:, None], b + self.mean @ W])

    def expand(self, V):
        """Weights and intercept of X from the weights of U; the inverse of :meth:`contract`."""
        W = V[:-1] * self.inverse_std[:, None]
        return W, V[-1] - self.mean @ W


class SparseInput(DenseInput):
    """The same input where X is sparse: X stays, centring and scaling go to the weights."""

    def _store(self, X):
        self.data = X.tocsr()

    def product(self, u, V, out):  # noqa: D102
        W = (self.inverse_std[:, None] * V[:-1]).astype(out.dtype)
        out[:] = u @ W
        out += V[-1] - (self.mean @ W).astype(out.dtype)

    def cross(self, u, D, out):  # noqa: D102
        sums = D.sum(axis=0)
        scale = np.where(self.varies, self.inverse_std, 0.0)[:, None]
        out[:-1] = scale * (u.T @ D - np.outer(self.mean, sums))
        out[-1] = sums

    def standardised(self, u):  # noqa: D102
        return ((u.toarray() - self.mean) * self.inverse_std).astype(u.dtype)
