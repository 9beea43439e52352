"""Nesterov's sequence and the monotone safeguard (Algorithm 1 of the paper)."""

import math


class Momentum:
    """The weights ``omega_k = (s_k - 1) / s_{k+1}`` of the extrapolation.

    ``s_1 = 1`` and ``s_{k+1} = (1 + sqrt(1 + 4 s_k^2)) / 2``, so the first weight is zero and the
    weights rise toward one.
    """

    def __init__(self, *, enabled=True):
        self.enabled = enabled
        self.restart()

    def restart(self):
        """Forget the past: the next weight is zero."""
        self._s = 1.0

    def advance(self):
        """Return the weight of this iteration and go on to the next."""
        if not self.enabled:
            return 0.0
        s, self._s = self._s, (1.0 + math.sqrt(1.0 + 4.0 * self._s**2)) / 2.0
        return (s - 1.0) / self._s


def extrapolate(current, previous, omega):
    """``current + omega (current - previous)``; ``current`` itself when there is nothing to add."""
    if omega == 0.0 or previous is None:
        return current
    return current + omega * (current - previous)


def first_descent(candidates, incumbent_value):
    """Take the first candidate whose objective does not exceed the incumbent's.

    Parameters
    ----------
    candidates : iterable of (value, payload)
        Lazily computed, from the boldest to the most cautious.
    incumbent_value : float
        Objective of what is kept when every candidate fails.

    Returns
    -------
    payload : object or None
        None when no candidate descends (a value that is not finite never does).
    tried : int
        How many candidates were refused.
    """
    refused = 0
    for value, payload in candidates:
        if value <= incumbent_value:
            return payload, refused
        refused += 1
    return None, refused
