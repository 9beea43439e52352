"""Steps of the first layer on a large sparse X, whose samples never become dense.

With the samples as :class:`~skmdlam.engine.units.SparseRows` a batch costs products with its
entries. :class:`ExpandedWeights` changes all weights to standardised columns and back for each
batch, :class:`LazyWeights` does so once an epoch.
"""

import numpy as np
import scipy.sparse as sp

# The last steps are held divided by a power of the momentum, until it is as small as this.
_SMALLEST_POWER = 1e-6


class ExpandedWeights:
    """Products of a batch with all weights at hand: ``U V = Xs (T V)``.

    Parameters
    ----------
    space : InputCoordinates
        With ``rows``.
    """

    lazy = False

    def __init__(self, space):
        self.space = space

    def forward(self, rows, V, out):
        """``out = (U V)'`` for the samples ``rows``, with the intercept."""
        self._x = self.space.rows.X[rows]
        W = self.space.standard_weights(V[:-1]).astype(self._x.dtype, copy=False)
        z = self._x @ W
        z += V[-1] - self.space.rows.centre @ W
        out[:] = z.T

    def cross(self, D, leverage, out):
        """``out = U' D'`` for the samples of the last forward product."""
        D = _by_samples(D, leverage)
        sums = D.sum(axis=0)
        G = self._x.T @ D - self.space.rows.centre[:, None] * sums
        out[:-1] = self.space.standard_gradient(G)
        out[-1] = sums


class LazyWeights:
    """The same step without a pass over all weights: only those of columns in the batch change.

    The weights are ``V = A + centre M + Q B`` and the coordinates as in
    :class:`~skmdlam.engine.units.SparseRows`, so that the step ``V += U' S``, split as::

        A += g (X D)' S,    M -= g 1' S,    B += E (Xs Q)' S

    changes few rows of A, and two small matrices. What the products need of the large ones,
    ``Q' (A + centre M)`` and ``centre' A``, is updated in the same way. The momentum of rows that
    are not in the batch is put off: with ``v`` the last step and m its share that is repeated,
    ``y = A + m / (1 - m) v`` and ``w = v / m^t`` change with the batch alone.

    Parameters
    ----------
    space : InputCoordinates
        With ``rows`` that know what lies along Q.
    momentum : float
    """

    lazy = True

    def __init__(self, space, momentum):
        self.space, self.momentum = space, momentum
        self.X, self.along = space.rows.X, space.rows.along
        dtype = self.X.dtype
        self.rest = float(space._rest)
        self.excess = (space._root - space._rest).astype(dtype)[:, None]
        self._squared_excess = space._excess_squared()[:, None]
        self._square = float(space.rows.centre @ space.rows.centre)
        self._carried = momentum / (1.0 - momentum)
        d = self.X.shape[1]
        self._in_batch, self._position = np.zeros(d, dtype=bool), np.zeros(d, dtype=np.int32)

    def load(self, V, velocity):
        """Take over the weights and the last step, which are changed in place from here on."""
        dtype, Q, centre = self.X.dtype, self.space._basis, self.space.rows.centre
        k = Q.shape[1]
        self._V, self._velocity = V, velocity
        self._y, self._w = (a[:-1].astype(dtype, copy=False) for a in (V, velocity))
        self._power = 1.0

        def small(values):
            # B, Q' (A + centre M), M, centre' A, intercept
            inside, width = Q.T @ values[:-1], values.shape[1]
            parts = [np.zeros((k, width)), inside, np.zeros((1, width)), centre @ values[:-1]]
            return np.vstack([*parts, values[-1]]).astype(dtype)

        self._small, self._small_step = small(V), small(velocity)
        self._y += self._carried * self._w

    def store(self):
        """Write the weights and the last step back to where they came from."""
        basis, centre = self.space._basis, self.space.rows.centre[:, None]
        k = basis.shape[1]
        self._w *= self._power
        self._y -= self._carried * self._w
        for values, large, small in (
            (self._V, self._y, self._small),
            (self._velocity, self._w, self._small_step),
        ):
            large += centre * small[2 * k]
            if k:
                large += basis @ small[:k]
            if large.dtype != values.dtype:
                values[:-1] = large
            values[-1] = small[-1]

    def forward(self, rows, V, out):
        """``out = (U V)'`` for the samples ``rows``, with the intercept."""
        x, k, small = self.X[rows], self.excess.size, self._small
        self._in_batch[x.indices] = True
        columns = self._columns = np.flatnonzero(self._in_batch)
        self._in_batch[columns] = False
        self._position[columns] = np.arange(columns.size)
        indices = self._position[x.indices]
        self._x = sp.csr_array((x.data, indices, x.indptr), shape=(x.shape[0], columns.size))
        self._inside = self.along[rows]
        W = self._y[columns]
        if self.momentum:
            W -= (self._carried * self._power) * self._w[columns]
        weights = np.empty((k + 2, W.shape[1]), W.dtype)
        weights[:k] = self.rest * small[:k] + self.excess * (small[:k] + small[k : 2 * k])
        weights[k] = self.rest * small[2 * k]
        weights[k + 1] = small[-1] - self.rest * (self._square * small[2 * k] + small[-2])
        z = self._x @ W
        z *= self.rest
        z += self._inside @ weights
        out[:] = z.T

    def decrease(self, D, leverage):
        """``||U' D'||^2`` for the samples of the last forward product."""
        D = _by_samples(D, leverage).astype(self.X.dtype, copy=False)
        self._G = self._x.T @ D
        self._J = J = self._inside.T @ D
        sums, k = J[-1].astype(float), self.excess.size
        size = float(np.vdot(self._G, self._G)) - 2.0 * float(sums @ J[k])
        size = max(size + self._square * float(sums @ sums), 0.0)
        inside = float(np.sum(self._squared_excess * np.square(J[:k], dtype=float)))
        return max(self.rest**2 * size + inside, 0.0) + float(sums @ sums)

    def move(self, length):
        """The step, so many times the product that :meth:`decrease` measured, with momentum."""
        J, k, rest, small = self._J, self.excess.size, self.rest, self._small_step
        small *= self.momentum
        small[:k] += length * (self.excess * J[:k])
        inside = (length * rest) * J[:k]
        small[k : 2 * k] += inside
        small[2 * k] -= (length * rest) * J[-1]
        small[2 * k + 1] += (length * rest) * J[k]
        small[2 * k + 2] += length * J[-1]
        self._small += small
        step = (length * rest) * self._G
        self._y[self._columns] += step / (1.0 - self.momentum)
        if not self.momentum:
            return
        self._power *= self.momentum
        self._w[self._columns] += step / self._power
        if self._power < _SMALLEST_POWER:
            self._w *= self._power
            self._power = 1.0


def _by_samples(D, leverage):
    """D' with the samples' leverage, one sample a row."""
    D = np.ascontiguousarray(D.T)
    return D if leverage is None else D * leverage
