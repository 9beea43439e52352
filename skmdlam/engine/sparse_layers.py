"""The first layer on a large sparse X, whose samples never become dense.

A batch costs products with its entries. :class:`SparseInputLayer` changes all weights to
standardized columns and back for each batch, :class:`LazyInputLayer` does so once an epoch.
"""

import numpy as np
import scipy.sparse as sp

from .layers import InputLayer


class SparseInputLayer(InputLayer):
    """Products of a batch with all weights at hand: ``U V = Xs (R V)``.

    Parameters
    ----------
    input : SparseInput
    **options
        As for :class:`~skmdlam.engine.layers.InputLayer`.
    """

    dense = False

    def take(self, rows, values):
        self._x = self.input.X[rows]
        W = self.input.basis.standard_weights(self.V[:-1]).astype(self._x.dtype, copy=False)
        z = self._x @ W
        z += self.V[-1] - self.input.center @ W
        values.first[:] = z.T

    def weigh(self, rows, values):
        if self.row_weights is not None:
            values.D[0] *= self.row_weights[rows].T
        return None, values.D[0]

    def propose(self, a, D):
        D = np.ascontiguousarray(D.T)  # one sample a row
        sums = D.sum(axis=0)
        G = self._x.T @ D - self.input.center[:, None] * sums
        self.right[:-1] = self.input.basis.standard_gradient(G)
        self.right[-1] = sums
        return float(np.vdot(self.right, self.right))

    def commit(self, length):
        self.right *= length * self.gain
        self.velocity *= self.momentum
        self.velocity += self.right
        self.V += self.velocity

    def begin_pass(self):
        self._product = self.input.product(self.V)

    def pass_over(self, rows, values):
        values.first[:] = self._product(rows).T

    def end_pass(self):
        self._product = None


class LazyInputLayer(SparseInputLayer):
    """The same step without a pass over all weights: only those of columns in the batch change.

    The weights are ``V = A + center M + Q B`` and the coordinates as in
    :class:`~skmdlam.engine.inputs.sparse.SparseInput`, so that the step ``V += U' S``, split as::

        A += g (X D)' S,    M -= g 1' S,    B += E (Xs Q)' S

    changes few rows of A, and two small matrices. What the products need of the large ones,
    ``Q' (A + center M)`` and ``center' A``, is updated in the same way. The momentum of rows that
    are not in the batch is put off: with ``v`` the last step and m its share that is repeated,
    ``y = A + m / (1 - m) v`` and ``w = v / m^t`` change with the batch alone. The last steps are
    thus held divided by a power of the momentum; where that has become too small it is put right.

    Parameters
    ----------
    input : SparseInput
        Which knows what lies along Q.
    smallest_power : float
        The power below which the last steps are put right.
    **options
        As for :class:`~skmdlam.engine.layers.InputLayer`.
    """

    def __init__(self, V, *, input, smallest_power, **options):
        super().__init__(V, input=input, **options)
        self.right = self.step = None
        self.smallest_power = smallest_power
        self.X, self.projections = input.X, input.projections
        basis, dtype = input.basis, input.X.dtype
        self.bulk = float(basis.bulk)
        self.excess = (basis.root - basis.bulk).astype(dtype)[:, None]
        self._squared_excess = basis.excess_squared()[:, None]
        self._square = float(input.center @ input.center)
        self._carried = self.momentum / (1.0 - self.momentum)
        d = self.X.shape[1]
        self._in_batch, self._position = np.zeros(d, dtype=bool), np.zeros(d, dtype=np.int32)

    def begin(self):
        """Take over the weights and the last step, which are changed in place from here on."""
        dtype, Q, center = self.X.dtype, self.input.basis.vectors, self.input.center
        k = Q.shape[1]
        self._y, self._w = (a[:-1].astype(dtype, copy=False) for a in (self.V, self.velocity))
        self._power = 1.0

        def small(values):
            # B, Q' (A + center M), M, center' A, intercept
            projected, width = Q.T @ values[:-1], values.shape[1]
            parts = [np.zeros((k, width)), projected, np.zeros((1, width)), center @ values[:-1]]
            return np.vstack([*parts, values[-1]]).astype(dtype)

        self._small, self._small_step = small(self.V), small(self.velocity)
        self._y += self._carried * self._w

    resume = begin

    def settle(self):
        """Write the weights and the last step back to where they came from."""
        basis, center = self.input.basis.vectors, self.input.center[:, None]
        k = basis.shape[1]
        self._w *= self._power
        self._y -= self._carried * self._w
        for values, large, small in (
            (self.V, self._y, self._small),
            (self.velocity, self._w, self._small_step),
        ):
            large += center * small[2 * k]
            if k:
                large += basis @ small[:k]
            if large.dtype != values.dtype:
                values[:-1] = large
            values[-1] = small[-1]

    def take(self, rows, values):
        x, k, small = self.X[rows], self.excess.size, self._small
        self._in_batch[x.indices] = True
        columns = self._columns = np.flatnonzero(self._in_batch)
        self._in_batch[columns] = False
        self._position[columns] = np.arange(columns.size)
        indices = self._position[x.indices]
        self._x = sp.csr_array((x.data, indices, x.indptr), shape=(x.shape[0], columns.size))
        self._projections = self.projections[rows]
        W = self._y[columns]
        if self.momentum:
            W -= (self._carried * self._power) * self._w[columns]
        weights = np.empty((k + 2, W.shape[1]), W.dtype)
        weights[:k] = self.bulk * small[:k] + self.excess * (small[:k] + small[k : 2 * k])
        weights[k] = self.bulk * small[2 * k]
        weights[k + 1] = small[-1] - self.bulk * (self._square * small[2 * k] + small[-2])
        z = self._x @ W
        z *= self.bulk
        z += self._projections @ weights
        values.first[:] = z.T

    def propose(self, a, D):
        """Prepare the step; returns ``||U' D'||^2``."""
        D = np.ascontiguousarray(D.T).astype(self.X.dtype, copy=False)
        self._G = self._x.T @ D
        self._J = J = self._projections.T @ D
        sums, k = J[-1].astype(float), self.excess.size
        size = float(np.vdot(self._G, self._G)) - 2.0 * float(sums @ J[k])
        size = max(size + self._square * float(sums @ sums), 0.0)
        leading = float(np.sum(self._squared_excess * np.square(J[:k], dtype=float)))
        return max(self.bulk**2 * size + leading, 0.0) + float(sums @ sums)

    def commit(self, length):
        length *= self.gain
        J, k, bulk, small = self._J, self.excess.size, self.bulk, self._small_step
        small *= self.momentum
        small[:k] += length * (self.excess * J[:k])
        moved = (length * bulk) * J[:k]
        small[k : 2 * k] += moved
        small[2 * k] -= (length * bulk) * J[-1]
        small[2 * k + 1] += (length * bulk) * J[k]
        small[2 * k + 2] += length * J[-1]
        self._small += small
        step = (length * bulk) * self._G
        self._y[self._columns] += step / (1.0 - self.momentum)
        if not self.momentum:
            return
        self._power *= self.momentum
        self._w[self._columns] += step / self._power
        if self._power < self.smallest_power:
            self._w *= self._power
            self._power = 1.0
