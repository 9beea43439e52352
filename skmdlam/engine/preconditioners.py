"""Running preconditioner of a hidden layer's step: inverse of the moments of its input."""

import numpy as np

from .constants import LIMITS
from .linalg import lapack_of, solve_positive, top_eigenvalue


class RunningPreconditioner:
    """Inverse of the damped second moments of a layer's input, as a moving average.

    For input rows ``(a, 1)`` of mean square ``S = mean (a, 1)(a, 1)'`` the matrix kept here is::

        M = S + damping * mean-diag(C) * diag(1, ..., 1, 0),    C = covariance of a

    ``M^-1 (A, 1)' T / n`` is then the ridge regression of targets T on A with a free intercept, the
    weights and the intercept in one product, and nothing needs to be centered. It is the input
    factor of K-FAC.

    Parameters
    ----------
    size : int
        Number of inputs of the layer, without the constant.
    damping : float
        In units of the mean variance of the inputs.
    memory : float
        Smallest weight of a new batch in the average; the first ones count equally.
    dtype : dtype
        Of the moments and of the inverse.
    """

    def __init__(self, size, damping, memory, dtype):
        self.size, self.damping, self.memory = size, damping, memory
        self.least_spread = 0.0
        self.moments = np.zeros((size + 1, size + 1), dtype=dtype)
        self.inverse = np.empty_like(self.moments)
        self._gram = np.empty_like(self.moments)
        self._factorize, self._invert = lapack_of(np.dtype(dtype), "potrf", "potri")
        self.reset()

    def as_arrays(self):
        """The state, in arrays and numbers."""
        return {
            "moments": self.moments,
            "inverse": self.inverse if self.ready else None,
            "count": self.count,
            "least_spread": self.least_spread,
            "damping": self.damping,
            "memory": self.memory,
        }

    def restore(self, arrays):
        """Take over a copy of the state that :meth:`as_arrays` gave.

        Or of a stream's, which has the means and the covariance alone and is inverted anew.
        """
        self.damping, self.memory = arrays["damping"], arrays["memory"]
        self.count, self.least_spread = arrays["count"], arrays["least_spread"]
        if "covariance" in arrays:
            mean = np.append(arrays["mean"], 1.0)
            np.multiply(mean[:, None], mean, out=self.moments, casting="same_kind")
            self.moments[:-1, :-1] += arrays["covariance"]
            self.ready = False
            if arrays["ready"]:
                self.refresh()
            return
        self.moments[:] = arrays["moments"]
        self.ready = arrays["inverse"] is not None
        if self.ready:
            self.inverse[:] = arrays["inverse"]

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
        factor, failed = self._factorize(damped.T, lower=0, clean=1, overwrite_a=True)
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
        """Variance of the pre-activations of the layer, summed over its units."""
        W = V[:-1].astype(float)
        moments = self.moments.astype(float)
        square = float(np.vdot(W, moments[:-1, :-1] @ W))
        return max(square - float(np.sum((moments[-1, :-1] @ W) ** 2)), 0.0)

    def _centered(self):
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
        + ridge/2 ||W||^2``, in place, with M and C of the centered input. The intercept follows so
        that the mean of the layer's output stays.

        The system is double precision on purpose, whatever the steps are taken in: the penalties
        of many steps come at once, and their sum may be small beside the metric.
        """
        W = V[:-1]
        metric = self._centered()
        system = metric.astype(float) + variance * self.covariance().astype(float)
        system.flat[:: self.size + 1] += ridge
        shrunk = solve_positive(system, metric @ W).astype(V.dtype)
        if not np.isfinite(shrunk).all():
            return  # the next block has other moments
        V[-1] += self.moments[-1, :-1] @ (W - shrunk)
        W[:] = shrunk

    def in_weights(self, V):
        """The metric M, centered, and the weights, for the block of a general penalty.

        Returns
        -------
        product : callable
            ``R^-1 M R^-1 A`` for a matrix A.
        top : float
            Largest eigenvalue of ``R^-1 M R^-1``.
        rows : ndarray of shape (size, 1)
            The diagonal of R.
        W : ndarray of shape (size, k)
            The weights.
        """
        metric = self._centered().astype(float)
        rows = np.sqrt(np.maximum(metric.diagonal(), np.finfo(float).tiny))
        metric = metric / rows / rows[:, None]
        top = (
            top_eigenvalue(metric, LIMITS.dense_eigenvalue) if np.isfinite(metric).all() else np.inf
        )
        return metric.__matmul__, top, rows[:, None], V[:-1].astype(float)

    def from_weights(self, V, W):
        """Replace the weights; the mean of the layer's output stays."""
        V[-1] += self.moments[-1, :-1] @ (V[:-1] - W).astype(V.dtype)
        V[:-1] = W


class Rhythm:
    """When a batch enters the moments of the layers, and when these are inverted.

    Before the first regular inversion the moments are inverted with every batch that enters them.

    Parameters
    ----------
    observe_first, observe_every, refresh_every : int
        Steps between two batches that enter the moments, at first and later, and between two
        inversions.
    """

    def __init__(self, observe_first, observe_every, refresh_every):
        self.observe_first, self.observe_every = observe_first, observe_every
        self.refresh_every = refresh_every

    def due(self, steps, since_refresh):
        """Whether to observe and to refresh, after so many steps and so many since the last."""
        first = steps <= self.refresh_every
        every = self.observe_first if first else self.observe_every
        observe = steps % every == 1 % every
        return observe, since_refresh >= self.refresh_every or (first and observe)


def rhythm_of(V, tuned):
    """That of a network: wider layers are followed less often, which would cost more than steps."""
    widest = max((W.shape[0] - 1 for W in V[1:]), default=1)
    times = max(1, -(-widest // tuned.usual_width))
    return Rhythm(tuned.observe_first, tuned.observe_every * times, tuned.refresh_every * times)


class StreamRhythm(Rhythm):
    """A stream is short: every batch counts at first.

    Parameters
    ----------
    refresh_first, observe_every, refresh_every : int
        Steps between two inversions at first, two batches that enter the moments later, and two
        inversions later.
    """

    def __init__(self, refresh_first, observe_every, refresh_every):
        super().__init__(1, observe_every, refresh_every)
        self.refresh_first = refresh_first

    def due(self, steps, since_refresh):
        first = steps <= self.refresh_every
        observe = first or steps % self.observe_every == 0
        refresh = since_refresh >= self.refresh_every
        return observe, refresh or (first and steps % self.refresh_first == 1)
