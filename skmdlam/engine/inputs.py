"""The first layer's input in standardised columns, for solvers that take all rows at a time."""

import numpy as np
import scipy.sparse as sp

from .reductions import Rows
from .units import share_one_unit

# Rows that are converted at a time.
_BLOCK_ROWS = 4096
# Relative error of a sum of so many equal squares.
_SUM_ROUNDING = 1e-12


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
    rows = Rows(rows.n_rows, rows.weight, block_rows=_BLOCK_ROWS)
    return kind(X, *_standardisation(X, rows, uniform))


def _standardisation(X, rows, uniform):
    """Weighted mean and 1 / std of each column, 1 where it is constant, and whether it varies."""
    total = rows.total

    def sums(weight, x):
        return _column_sums(weight, x.astype(float, copy=False))

    def squares(weight, x):
        if sp.issparse(x):
            x = x.astype(float)
            return _column_sums(weight, x.multiply(x))
        return _column_sums(weight, np.square(x - mean))

    mean = rows.reduce(sums, X) / total
    variance = rows.reduce(squares, X) / total
    if sp.issparse(X):
        variance -= mean**2
    # What rounding leaves of a constant column: of its values, and of the sums over a block.
    floor = (16 * np.finfo(X.dtype).eps * mean) ** 2
    if sp.issparse(X):
        floor = np.maximum(floor, _SUM_ROUNDING * mean**2)
    else:
        # All of its values are as far from the mean as rounding took that.
        missing = rows.reduce(lambda weight, x: _column_sums(weight, x - mean), X) / total
        floor += missing**2
    variance[variance <= floor] = 0.0
    varies = variance > np.finfo(float).tiny
    if uniform:
        variance[:] = variance.mean()
        varies = variance > np.finfo(float).tiny
    elif share_one_unit(np.sqrt(variance[varies]), total, rows.n_rows):
        variance[varies] = variance[varies].mean()
    inverse_std = np.ones_like(variance)
    inverse_std[varies] = 1.0 / np.sqrt(variance[varies])
    return mean, inverse_std, varies


def _column_sums(weight, x):
    return np.asarray(x.sum(axis=0)).ravel() if weight is None else x.T @ weight


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
        out[:-1] = self.inverse_std[:, None] * (u.T @ D - np.outer(self.mean, sums))
        out[-1] = sums

    def standardised(self, u):  # noqa: D102
        return ((u.toarray() - self.mean) * self.inverse_std).astype(u.dtype)
