"""Encoded samples that are made when they are asked for."""

import copy

import numpy as np

from ..constants import LIMITS
from ..moments import chunks


class EncodedSamples:
    """What stands for the array of encoded samples: as many rows as X, and the encoded columns.

    Its rows are made from the ranks of the samples, which take as much memory as X, or twice as
    much where the columns themselves are among the encoded ones, whenever someone indexes them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    pieces : Pieces

    Attributes
    ----------
    ranks : ndarray of shape (n, n_ranks)
    """

    ndim = 2

    def __init__(self, X, pieces):
        self.pieces = pieces
        self.ranks = np.empty((X.shape[0], pieces.n_ranks), dtype=X.dtype)
        for rows in chunks(X.shape[0], pieces.n_ranks, LIMITS.transformed):
            self.ranks[rows] = pieces.ranks(X[rows])
        self._x_bytes = X.shape[1] * X.dtype.itemsize
        self.shape, self.dtype = (X.shape[0], pieces.size), X.dtype

    def allows(self, row_bytes, limits=LIMITS):
        """Whether a copy with so many bytes a sample is small, or no more than twice X."""
        numbers = len(self) * row_bytes / self.dtype.itemsize
        return row_bytes <= 2 * self._x_bytes or numbers <= limits.small

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, at):
        rows, columns = at if isinstance(at, tuple) else (at, slice(None))
        return self.pieces.of_ranks(self.ranks[rows], columns)

    def taken(self, rows):
        """Some of the samples, encoded on demand as these are."""
        some = copy.copy(self)
        some.ranks = self.ranks[rows]
        some.shape = (len(some.ranks), self.shape[1])
        return some

    def astype(self, dtype):
        """The same in another type."""
        other = copy.copy(self)
        other.ranks = self.ranks.astype(dtype, copy=False)
        other.dtype = other.ranks.dtype
        return other

    def min(self, axis):
        """The smallest value of each column: all rise with their ranks, but for levels."""
        low = self.pieces.of_ranks(self.ranks.min(axis=axis, keepdims=True))[0]
        low[self.pieces.is_level] = 0.0
        return low

    def max(self, axis):
        """The largest one."""
        high = self.pieces.of_ranks(self.ranks.max(axis=axis, keepdims=True))[0]
        high[self.pieces.is_level] = 1.0
        return high

    def __matmul__(self, W):
        out = np.empty((len(self), W.shape[1]), dtype=np.result_type(self.dtype, W.dtype))
        for rows in chunks(*self.shape):
            np.matmul(self[rows], W, out=out[rows])
        return out


def encoded_samples(X, pieces, limits=LIMITS):
    """Encoded samples, as an array where that is small or no more than twice X.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    pieces : Pieces
    limits : Limits

    Returns
    -------
    encoded : ndarray or EncodedSamples of shape (n, D)
    """
    encoded = EncodedSamples(X, pieces)
    return encoded[:] if encoded.allows(pieces.size * X.dtype.itemsize, limits) else encoded
