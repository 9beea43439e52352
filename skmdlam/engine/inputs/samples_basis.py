"""Directions as combinations of the samples, for a large sparse X of few of them."""

import numpy as np

from ..constants import LIMITS
from ..linalg import conjugate_gradients
from .basis import Basis, tempered


class SamplesBasis(Basis):
    """``R = Xs' B diag(r)``: directions as combinations of fewer samples than columns.

    For a large sparse X: R itself, columns times samples, is never formed.

    Parameters
    ----------
    columns, dtype
        As for :class:`Basis`.
    X : sparse array of shape (n, d)
        The samples, scaled by D.
    values : ndarray of shape (r,)
        Eigenvalues of C.
    combinations : ndarray of shape (n, r)
        B, such that ``Xs' B`` are the eigenvectors of C.
    """

    rotated, by_columns = True, False

    def __init__(self, columns, dtype, X, values, combinations, limits=LIMITS):
        super().__init__(columns, dtype)
        metric = tempered(values, values.sum(), columns)
        self.variance = values * metric
        self.center, self._limits = columns.inverse_std * columns.mean, limits
        root = np.sqrt(metric)
        self._products = {
            np.dtype(float): (X, self.center, combinations * root, root),
            np.dtype(np.float32): None,
        }

    def _factors(self, dtype):
        """``X D``, the center, ``B diag(r)`` and r in a precision."""
        dtype = np.dtype(dtype)
        if self._products[dtype] is None:
            double = self._products[np.dtype(float)]
            self._products[dtype] = tuple(factor.astype(dtype) for factor in double)
        return self._products[dtype]

    @property
    def size(self):
        return self.variance.shape[0]

    @property
    def n_directions(self):
        return 2 * self.size + 1

    def coordinates(self, x):
        """``xs Xs' B diag(r)`` of samples x."""
        X, center, combinations, _ = self._factors(float)
        x = self.columns.scaled(x, float)
        kernel = (x @ X.T).toarray()
        kernel -= X @ center
        kernel -= (x @ center)[:, None]
        kernel += float(center @ center)
        return (kernel @ combinations).astype(self.dtype)

    def standard_weights(self, V):
        X, center, combinations, _ = self._factors(V.dtype)
        A = combinations @ V
        W = X.T @ A
        W -= center[:, None] * A.sum(axis=0)
        return W

    def standard_gradient(self, G):
        X, center, combinations, _ = self._factors(G.dtype)
        return combinations.T @ (X @ G - center @ G)

    def _contract(self, W):
        root = self._factors(float)[-1]
        return self.standard_gradient(self.columns.std[:, None] * W) / root[:, None] ** 2

    def _expand(self, V):
        return self.columns.inverse_std[:, None] * self.standard_weights(V)

    def _shrink(self, weights, variance, column_ridge):
        """By conjugate gradients, that start near the solution for equal ridges.

        Each iteration lowers the quadratic function that the solution minimizes: the block of the
        penalties never rises.
        """
        dtype = weights.dtype
        diagonal = (1.0 + variance * self.variance).astype(dtype)[:, None]
        if not column_ridge.any():
            weights /= diagonal
            return
        root, column_ridge = self._factors(dtype)[-1], column_ridge[:, None]
        even = diagonal + column_ridge.mean() * root[:, None] ** 2
        weights[:] = conjugate_gradients(
            lambda V: (
                diagonal * V + self.standard_gradient(column_ridge * self.standard_weights(V))
            ),
            weights,
            start=weights / even,
            tol=self._limits.cg_tolerance * np.sqrt(np.finfo(dtype).eps),
            max_iter=self._limits.cg_iterations,
            preconditioner=even,
        )
