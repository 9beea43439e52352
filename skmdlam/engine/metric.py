"""The metric of a hidden layer's weight step: a damped covariance that follows its input."""

import copy

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from .least_squares import top_eigenvalue


class MovingMetric:
    """Inverse of the damped second moments of a layer's input, as a moving average.

    For input rows ``(a, 1)`` of mean square ``S = mean (a, 1)(a, 1)'`` the matrix kept here is::

        M = S + damping * mean-diag(C) * diag(1, ..., 1, 0),    C = covariance of a

    ``M^-1 (A, 1)' T / n`` is then the ridge regression of targets T on A with a free intercept, the
    weights and the intercept in one product, and nothing needs to be centred.

    Parameters
    ----------
    size : int
        Number of inputs of the layer, without the constant.
    damping : float
    memory : float
        Smallest weight of a new batch in the average; the first ones count equally.
    dtype : dtype
    """

    _UNSTORED = ("_gram", "_factorise", "_invert")

    def __init__(self, size, damping, memory, dtype):
        self.size, self.damping, self.memory = size, damping, memory
        self.least_spread = 0.0
        self.moments = np.zeros((size + 1, size + 1), dtype=dtype)
        self.inverse = np.empty_like(self.moments)
        self.reset()
        self._prepare()

    def _prepare(self):
        dtype = self.moments.dtype
        self._gram = np.empty_like(self.moments)
        self._factorise, self._invert = lapack.get_lapack_funcs(("potrf", "potri"), dtype=dtype)

    def copy(self):
        """The same metric with an average of its own."""
        new = copy.copy(self)
        new.moments, new.inverse = self.moments.copy(), self.inverse.copy()
        return new

    def __getstate__(self):
        return {name: v for name, v in vars(self).items() if name not in self._UNSTORED}

    def __setstate__(self, state):
        vars(self).update(state)
        self._prepare()

    def reset(self):
        """Forget the average."""
        self.count = 0
        self.ready = False

    def observe(self, A, weight=None):
        """Add a batch to the average: samples ``(a, 1)`` in columns, weights of mean one."""
        if weight is not None:
            A = A * np.sqrt(weight).T
        np.matmul(A, A.T, out=self._gram)  # one symmetric product
        if not np.isfinite(self._gram.sum()):
            return  # the run has left its track: the safeguard will take the epoch back
        self.count += 1
        rate = max(self.memory, 1.0 / self.count)
        total = self._gram[-1, -1]
        self._gram *= rate / max(total, np.finfo(self._gram.dtype).tiny)
        if rate == 1.0:
            self.moments[:] = self._gram
        else:
            self.moments *= 1.0 - rate
            self.moments += self._gram

    def _damped(self):
        mean = self.moments[-1, :-1]
        diagonal = self.moments.diagonal()[:-1]
        spread = float((diagonal - mean * mean).mean()) if self.size else 0.0
        # Below this the covariance is what rounding left of two larger numbers.
        resolution = 10 * np.finfo(self.moments.dtype).eps
        size = float(diagonal.mean()) if self.size else 0.0
        floor = resolution * size
        ridge = self.damping * max(spread, floor, self.least_spread * size, 0.0) + floor
        ridge += float(np.finfo(self.moments.dtype).tiny) ** 0.5
        damped = self.moments.copy()
        damped.flat[: -1 : self.size + 2] += ridge
        return damped

    def refresh(self):
        """Invert the average; False, and the last inverse is kept, where that fails."""
        damped = self._damped()
        # The matrix is symmetric: its transpose is the column-major array that LAPACK takes.
        factor, failed = self._factorise(damped.T, lower=0, clean=1, overwrite_a=True)
        if not failed:
            inverse, failed = self._invert(factor, lower=0, overwrite_c=True)
        if failed or not np.isfinite(inverse).all():
            return False
        upper = np.triu(inverse, 1)
        np.add(upper, upper.T, out=self.inverse)
        self.inverse.flat[:: self.size + 2] = inverse.diagonal()
        self.ready = True
        return True

    def covariance(self):
        """Covariance of the input, shape (size, size)."""
        mean = self.moments[-1, :-1]
        return self.moments[:-1, :-1] - np.outer(mean, mean)

    def output_variance(self, V):
        """Variance of what the layer with these weights says, summed over its units."""
        W = V[:-1].astype(float)
        moments = self.moments.astype(float)
        square = float(np.vdot(W, moments[:-1, :-1] @ W))
        return max(square - float(np.sum((moments[-1, :-1] @ W) ** 2)), 0.0)

    def _centred(self):
        """The metric of the weights alone, ``C + damping mean-diag(C) I``."""
        metric = self.covariance()
        spread = max(float(metric.trace()) / max(self.size, 1), 0.0)
        eps = float(np.finfo(metric.dtype).eps)
        # What rounding left of an input that hardly varies is no covariance: it may be negative.
        # A moving average adds up the rounding of its many updates.
        floor = 100 * eps * float(self.moments.diagonal()[:-1].sum())
        metric.flat[:: self.size + 1] += max(self.damping * spread, floor) + eps
        return metric

    def shrink(self, V, variance, ridge):
        """The block of the penalties on the layer, in the metric of its step.

        ``argmin over W of 1/2 tr (W - W_0)' M (W - W_0) + variance/2 tr W' C W
        + ridge/2 ||W||^2``, in place, with M and C of the centred input. The intercept follows so
        that the mean of the layer's output stays.

        The system is double precision on purpose, whatever the steps are taken in: the penalties
        of many steps come at once, and their sum may be small beside the metric.
        """
        W = V[:-1]
        metric = self._centred()
        system = metric.astype(float) + variance * self.covariance().astype(float)
        system.flat[:: self.size + 1] += ridge
        shrunk = solve_positive(system, metric @ W).astype(V.dtype)
        if not np.isfinite(shrunk).all():
            return  # the next block has other moments
        V[-1] += self.moments[-1, :-1] @ (W - shrunk)
        W[:] = shrunk

    def in_weights(self, V):
        """The metric M, centred, and the weights, for :func:`proximal`."""
        metric = self._centred().astype(float)
        rows = np.sqrt(np.maximum(metric.diagonal(), np.finfo(float).tiny))
        metric = metric / rows / rows[:, None]
        top = top_eigenvalue(metric) if np.isfinite(metric).all() else np.inf
        return metric.__matmul__, top, rows[:, None], V[:-1].astype(float)

    def from_weights(self, V, W):
        """Replace the weights; the mean of the layer's output stays."""
        V[-1] += self.moments[-1, :-1] @ (V[:-1] - W).astype(V.dtype)
        V[:-1] = W


def proximal(block, V, penalty, strength, scale, *, iterations=20):
    """The block of a general penalty on a layer, in the metric M of its step, in place.

    ``argmin over W of 1/2 tr (W - W_0)' M (W - W_0) + strength penalty(scale W)``, by so many
    iterations of FISTA from W_0; the next call goes on from there. The steps are those of
    ``R M R`` with rows ``R W`` of like size where the penalty is a sum over rows, so that units
    of the inputs do not slow them down.

    Parameters
    ----------
    block : InputSpace or MovingMetric
        ``block.in_weights(V)`` gives ``M' = R^-1 M R^-1`` as a function, its largest eigenvalue,
        the diagonal of R, shape (n, 1), and W_0.
    V : ndarray of shape (n + 1, k)
    penalty : Penalty
    strength, scale : float
    """
    product, top, rows, start = block.in_weights(V)
    if start.size == 0 or not (np.isfinite(top) and np.isfinite(start).all()):
        return
    if not penalty.by_rows:
        scaled, unit, rows = product, rows, rows.max()
        unit = unit / rows
        product = lambda A: unit * scaled(unit * A)  # noqa: E731
    start = start * scale
    theta = max(top, np.finfo(float).tiny)
    step = strength * (scale / rows) ** 2 / theta
    W = point = penalty.prox(start, 0.0)
    s = 1.0
    for _ in range(iterations):
        new = penalty.prox(point - product(rows * (point - start)) / (theta * rows), step)
        s, s_last = (1.0 + np.sqrt(1.0 + 4.0 * s**2)) / 2.0, s
        point = new + (s_last - 1.0) / s * (new - W)
        W = new
    block.from_weights(V, W / scale)


def solve_positive(system, right):
    """``system^-1 right`` for a positive definite matrix whose rows may differ much in scale."""
    size = system.shape[0]
    if size == 0:
        return right
    scale = 1.0 / np.sqrt(np.maximum(system.diagonal(), np.finfo(system.dtype).tiny))
    system = system * scale * scale[:, None]
    # A unit diagonal now: rounding in the sums that made the matrix stays below this.
    system.flat[:: size + 1] += size * np.finfo(system.dtype).eps
    try:
        factor = scipy.linalg.cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return np.full(right.shape, np.nan)
    solution = scipy.linalg.cho_solve(factor, scale[:, None] * right, check_finite=False)
    return scale[:, None] * solution
