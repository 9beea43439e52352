"""Weighted sums over rows: the door between the algorithm and where the rows live.

Given the weights of the network, every pre-activation and activation belongs to one sample, and
every update of a weight needs nothing but sums over samples. The sums of the full batch (J, its
gradient, the moments of the preconditioner), of solver "relaxed", of the moments of columns and of
sketches go through :class:`Rows`, which adds up one contribution for each block of rows. Today a
block is a slice of a NumPy array; a chunk of a distributed collection only has to replace
:meth:`Rows.reduce`. Mini-batches are local: what they sum over is the batch.
"""

import numpy as np
import scipy.sparse as sp


class Rows:
    """Sums over the rows of arrays that share one sample axis.

    Parameters
    ----------
    n_rows : int
        Number of rows, ``n``.
    sample_weight : ndarray of shape (n,) or None
        Positive weights ``s_i``; None means that all are one.
    block_rows : int or None, default=None
        Rows in a block; None takes all of them as one block.
    """

    def __init__(self, n_rows, sample_weight=None, *, block_rows=None):
        self.n_rows = n_rows
        self.weight = sample_weight
        self.total = float(n_rows if sample_weight is None else sample_weight.sum(dtype=float))
        step = max(n_rows, 1) if block_rows is None else block_rows
        self.blocks = [slice(i, min(i + step, n_rows)) for i in range(0, max(n_rows, 1), step)]

    def reduce(self, function, *arrays):
        """Sum of ``function(s, *rows)`` over the blocks; ``s`` is None without weights.

        The function may return a tuple, whose entries are summed each by itself.
        """
        result = None
        for block in self.blocks:
            weight = None if self.weight is None else self.weight[block]
            part = function(weight, *(array[block] for array in arrays))
            result = part if result is None else _sum(result, part)
        return result

    def normalized(self):
        """Weights that sum to one, shape (n,)."""
        if self.weight is None:
            return np.full(self.n_rows, 1.0 / self.n_rows)
        return self.weight.astype(float) / self.total

    def sum(self, values):
        """``sum_i s_i values_i`` for one number a row, added up in float64."""
        return float(self.reduce(_weighted_sum, values))

    def mean(self, A):
        """Weighted column means, an array of shape (n_columns,)."""
        return self.reduce(_column_sums, A) / np.asarray(self.total, dtype=A.dtype)

    def squared_norm(self, A):
        """``sum_i s_i ||A_i||^2``."""
        return float(self.reduce(_squared_norm, A))

    def cross(self, A, B):
        """``A' S B``, an array of shape (columns of A, columns of B)."""
        return self.reduce(_cross, A, B)

    def gram(self, A, mean):
        """Gram matrix of the centered columns, ``(A - mean)' S (A - mean)``."""
        if sp.issparse(A):  # centering would fill A in
            gram = self.reduce(lambda s, a: _cross(s, a, a).toarray(), A)
            gram -= self.total * np.outer(mean, mean).astype(gram.dtype)
            return gram
        return self.reduce(lambda s, a: _centered_gram(s, a, mean), A)


def _sum(a, b):
    """``a + b``, in the memory of an array that nobody else has."""
    if isinstance(a, tuple):
        return tuple(map(_sum, a, b))
    if isinstance(a, np.ndarray) and a.base is None and a.shape == b.shape and a.dtype == b.dtype:
        a += b
        return a
    return a + b


def _weighted_sum(weight, values):
    if weight is None:
        return values.sum(dtype=float)
    return np.dot(weight.astype(float, copy=False), values)


def _column_sums(weight, A):
    if weight is None:
        return np.asarray(A.sum(axis=0)).ravel()
    return A.T @ weight


def _squared_norm(weight, A):
    if weight is None:
        flat = A.ravel(order="K")
        return float(np.dot(flat, flat))
    return float(np.dot(weight, np.einsum("ij,ij->i", A, A)))


def _cross(weight, A, B):
    if weight is None:
        return A.T @ B
    if sp.issparse(B):
        return A.T @ B.multiply(weight[:, None]).tocsr()
    return A.T @ (B * weight[:, None])


def _centered_gram(weight, A, mean):
    centered = A - mean
    if weight is not None:
        centered *= np.sqrt(weight)[:, None]
    return centered.T @ centered  # one symmetric product: NumPy calls syrk
