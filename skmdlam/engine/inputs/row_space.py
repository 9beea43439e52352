"""Fewer samples than inputs: carry out the whole run in the row space of X.

With a penalty that rotations leave alone, every step moves ``W_1`` inside the row space of ``X``
and otherwise only shrinks it. In an orthonormal basis ``Q`` of that space (and ``P`` of what the
start has outside it, of at most ``n_1`` dimensions) the same run needs ``n x (n + n_1)`` products
instead of ``n x d`` ones, and its objectives are the same numbers.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ..constants import LIMITS


class RowSpace:
    """Orthonormal coordinates for the rows of X and the columns of the starting weights.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
        With ``n < d``.
    W : ndarray of shape (d, n_1)
        Starting weights of the first layer.

    Attributes
    ----------
    X : ndarray of shape (n, r + m)
        The samples in the new coordinates; the last m columns are zero.
    W : ndarray of shape (r + m, n_1)
        The starting weights in the new coordinates.
    """

    def __init__(self, X, W):
        if sp.issparse(X):
            # Q = X' U / s from the n x n kernel, kept as a product so that X stays sparse.
            values, vectors = scipy.linalg.eigh((X @ X.T).toarray(), check_finite=False)
            keep = values > values[-1] * max(X.shape) * np.finfo(X.dtype).eps
            singular = np.sqrt(values[keep])
            coordinates = vectors[:, keep] * singular
            basis = vectors[:, keep] / singular
            self._expand_rows = lambda V: X.T @ (basis @ V)
            project = lambda V: basis.T @ (X @ V)  # noqa: E731
        else:
            Q, R = scipy.linalg.qr(X.T, mode="economic", check_finite=False)
            coordinates = R.T
            self._expand_rows = lambda V: Q @ V
            project = lambda V: Q.T @ V  # noqa: E731
        projected = project(W)
        outside = W - self._expand_rows(projected)
        # Once more: the first projection leaves rounding errors behind.
        correction = project(outside)
        projected += correction
        outside -= self._expand_rows(correction)
        self._outside, rest = scipy.linalg.qr(outside, mode="economic", check_finite=False)
        self._rank = coordinates.shape[1]
        empty = np.zeros((coordinates.shape[0], rest.shape[0]), dtype=X.dtype)
        self.X = np.hstack([coordinates, empty])
        self.W = np.vstack([projected, rest])

    def expand(self, W):
        """First-layer weights of shape (r + m, n_1) back in the d original coordinates."""
        return self._expand_rows(W[: self._rank]) + self._outside @ W[self._rank :]

    @staticmethod
    def pays(X, width, limits=LIMITS):
        """Whether the coordinates are fewer than the columns of X, and few beside its entries.

        The coordinates are stored dense and cost a decomposition: samples of a few entries each
        have cheaper products as they are.
        """
        n, d = X.shape
        few = not sp.issparse(X) or n * n <= max(limits.small, limits.row_space_entries * X.nnz)
        return n + width < d and few
