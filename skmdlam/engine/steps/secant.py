"""Secant pairs of past steps: the multisecant (Anderson, limited-memory BFGS) acceleration."""

import numpy as np


class SecantMemory:
    """The last pairs ``(s, y)`` of a step and the change of the gradient along it.

    A metric B that maps gradients to steps is corrected so that the pairs fit, ``B y = s``: the
    limited-memory BFGS recursion around the metric of the sweep. On a linear sweep this and
    Anderson acceleration find the same points.

    Parameters
    ----------
    size : int
        Length of the vectors.
    memory : int
        Pairs that are kept.
    """

    def __init__(self, size, memory):
        self._s = np.empty((memory, size))
        self._y = np.empty((memory, size))
        self._inverse = np.empty(memory)
        self.forget()

    def forget(self):
        """Drop all pairs."""
        self._order = []
        self.scale = 1.0

    def __len__(self):
        return len(self._order)

    def observe(self, s, y, metric):
        """Add a pair, unless the curvature along it is not positive."""
        product = float(s @ y)
        if not product > 1e-12 * np.sqrt(float(s @ s) * float(y @ y)):
            return
        if len(self._order) == len(self._inverse):
            slot = self._order.pop(0)
        else:
            slot = len(self._order)
        self._order.append(slot)
        self._s[slot], self._y[slot], self._inverse[slot] = s, y, 1.0 / product
        self.rescale(metric)

    def rescale(self, metric):
        """Scale the metric so that it fits the last pair along ``y``."""
        if self._order:
            last = self._order[-1]
            y = self._y[last]
            length = float(y @ metric(y)) * self._inverse[last]
            self.scale = 1.0 / length if np.isfinite(length) and length > 0 else 1.0

    def step(self, gradient, metric):
        """The corrected metric times a gradient."""
        q = gradient.copy()
        weights = []
        for slot in reversed(self._order):
            weight = self._inverse[slot] * float(self._s[slot] @ q)
            q -= weight * self._y[slot]
            weights.append(weight)
        step = metric(q)
        step *= self.scale
        for slot, weight in zip(self._order, reversed(weights), strict=True):
            weight -= self._inverse[slot] * float(self._y[slot] @ step)
            step += weight * self._s[slot]
        return step
