"""Samples held dense, in the coordinates of a basis."""

import numpy as np

from ..constants import LIMITS
from ..moments import chunks


class DenseInput:
    """The samples as a dense array ``(U, 1)``, the ones for the intercept.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    basis : Basis

    Attributes
    ----------
    data : ndarray of shape (n, r + 1)
    norms : ndarray of shape (n,)
        ``||u_i||^2``.
    """

    dense = True

    def __init__(self, X, basis, limits=LIMITS):
        self.basis = basis
        n = X.shape[0]
        self.data = np.empty((n, basis.size + 1), dtype=basis.dtype)
        self.data[:, -1] = 1.0
        self.norms = np.empty(n)
        for rows in chunks(n, max(X.shape[1] if basis.by_columns else n, 1), limits.transformed):
            u = basis.coordinates(X[rows])
            self.data[rows, :-1] = u
            self.norms[rows] = np.einsum("ij,ij->i", u, u)

    def take(self, rows, out):
        """Copy the samples ``rows`` (a slice or indices) to ``out``."""
        if isinstance(rows, slice):
            out[:] = self.data[rows]
        else:
            # The indices are in range; "clip" spares a buffered copy.
            self.data.take(rows, axis=0, out=out, mode="clip")

    def view(self, rows):
        """The samples of a slice without a copy; None where there is none."""
        return self.data[rows] if isinstance(rows, slice) else None

    def samples(self, rows):
        """The samples of these indices, without the column of ones."""
        out = np.empty((len(rows), self.basis.size + 1), dtype=self.basis.dtype)
        self.take(rows, out)
        return out[:, :-1]

    rotated_samples = samples
    factor = samples


class DenseOnDemand:
    """The same where X are encoded samples, of which a copy would take far more memory than X.

    Coordinates are computed whenever a batch asks for them. The interface is that of
    :class:`DenseInput`, without its array.

    Parameters
    ----------
    X : EncodedSamples of shape (n, d)
    basis : Basis
    """

    dense = True

    def __init__(self, X, basis, limits=LIMITS):
        self.basis, self._X = basis, X
        self.norms = np.empty(X.shape[0])
        for rows in chunks(*X.shape, limits.transformed):
            u = basis.coordinates(X[rows])
            self.norms[rows] = np.einsum("ij,ij->i", u, u)

    def take(self, rows, out):
        """Write the samples ``rows`` (a slice or indices) to ``out``."""
        out[:, :-1] = self.basis.coordinates(self._X[rows])
        out[:, -1] = 1.0

    def view(self, rows):
        """None: there is nothing without a copy."""
        return None

    def samples(self, rows):
        """The samples of these indices, without the column of ones."""
        return self.basis.coordinates(self._X[rows])

    rotated_samples = samples
    factor = samples
