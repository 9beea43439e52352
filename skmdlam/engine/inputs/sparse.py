"""Samples of a large sparse X, for products in coordinates that they are never changed to."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..constants import LIMITS
from ..moments import chunks


class SparseInput:
    """The samples as they are, sparse; coordinates and centering go to the weights.

    The standardized samples are ``Xs = X D - 1 center'``, and with ``R = g I + Q E Q'``::

        U V  = g Xs V + (Xs Q) E Q' V
        U' S = g Xs' S + Q E (Xs Q)' S

    so that a step costs a product with the entries of the batch, and what depends on Q costs one
    with the few numbers ``Xs Q`` of each sample.

    Parameters
    ----------
    X : sparse matrix in CSR format of shape (n, d)
    basis : Basis

    Attributes
    ----------
    X : sparse array of shape (n, d)
        Scaled by D.
    center : ndarray of shape (d,)
        ``D mean``.
    projections : ndarray of shape (n, k + 2) or None
        ``[Xs Q, X D center, 1]``; None where it would need more memory than X.
    norms : ndarray of shape (n,)
        ``||u_i||^2``.
    """

    # Whether the samples are there as an array in the coordinates.
    dense = False

    def __init__(self, X, basis, limits=LIMITS):
        self.basis, self._raw = basis, X
        columns = basis.columns
        self.center = columns.inverse_std * columns.mean
        dtype = basis.working_dtype
        if np.abs(self.center).max(initial=0.0) > limits.far_from_zero:
            dtype = np.dtype(float)  # too far for centering in single precision
        self.X, self.projections = columns.scaled(X, dtype), None
        n, affordable = X.shape[0], max(limits.small, limits.entries * X.nnz)
        if basis.leading is not None and n * basis.leading.shape[1] <= affordable:
            self._project(basis)
        else:
            self.norms = np.empty(n)
            for rows in chunks(n, X.shape[1], limits.transformed):
                u = basis.coordinates(X[rows])
                self.norms[rows] = np.einsum("ij,ij->i", u, u)

    def _project(self, basis):
        n, Q = self.X.shape[0], basis.leading
        self.projections = np.ones((n, Q.shape[1] + 2), self.X.dtype)
        squares = np.empty(n)
        center_projection, square = self.center @ Q, float(self.center @ self.center)
        for rows in chunks(n):
            x = self.X[rows].astype(float)
            h = x @ self.center
            self.projections[rows, :-2] = x @ Q - center_projection
            self.projections[rows, -2] = h
            squares[rows] = x.multiply(x).sum(axis=1) - 2 * h + square
        norms = basis.bulk**2 * squares
        norms += np.square(self.projections[:, :-2], dtype=float) @ basis.excess_squared()
        self.norms = np.maximum(norms, 0.0)

    def take(self, rows, out):
        """Copy the samples ``rows`` (a slice or indices), in the coordinates, to ``out``."""
        out[:, :-1] = self.basis.coordinates(self._raw[rows])
        out[:, -1] = 1.0

    def view(self, rows):
        """The samples of a slice without a copy: there are none."""
        return None

    def product(self, V):
        """A function from rows to their ``(U, 1) V``."""
        W = self.basis.standard_weights(V[:-1])
        intercept = (V[-1] - self.center @ W).astype(self.X.dtype)
        W = W.astype(self.X.dtype, copy=False)
        return lambda rows: self.X[rows] @ W + intercept

    def samples(self, rows):
        """The samples of these indices in the coordinates, without the column of ones."""
        out = np.empty((len(rows), self.basis.size + 1), dtype=self.basis.dtype)
        self.take(rows, out)
        return out[:, :-1]

    def rotated_samples(self, rows):
        """The same up to a rotation, with far fewer numbers where X has many columns."""
        if self.projections is None:
            return self.samples(rows)
        values, vectors = scipy.linalg.eigh(self._gram(rows), check_finite=False)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def factor(self, rows):
        """The samples of these indices, for products ``factor(rows) @ V``."""
        return _Product(self, rows)

    def _gram(self, rows):
        """``U U'`` of some samples."""
        x, center = self.X[rows].astype(float), self.center
        projections, h = self.projections[rows, :-2].astype(float), x @ center
        gram = (x @ x.T).toarray()
        gram += float(center @ center) - h - h[:, None]
        gram *= self.basis.bulk**2
        return gram + (projections * self.basis.excess_squared()) @ projections.T


@dataclass(frozen=True)
class _Product:
    """Samples of a large sparse X in the coordinates, of which only products are known."""

    input: SparseInput
    rows: np.ndarray

    def __len__(self):
        return len(self.rows)

    def __matmul__(self, V):
        V = np.vstack([V, np.zeros_like(V[:1])])
        return self.input.product(V)(self.rows)
