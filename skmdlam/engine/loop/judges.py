"""Whether a sweep is accepted, and which weights a run returns."""

from abc import ABC, abstractmethod

import numpy as np

from ..constants import TUNED
from ..records import Value


class Judge(ABC):
    """Accepts a sweep or not, and knows which weights to return."""

    @abstractmethod
    def watch(self, rows):
        """After each batch."""

    @abstractmethod
    def judge(self, value):
        """At the end of a sweep: whether it is accepted."""

    @abstractmethod
    def reported(self, value):
        """What is said of the sweep, in the user's units."""

    @abstractmethod
    def weights(self):
        """``(coefs, intercepts)`` in the user's units."""


class Accepting(Judge):
    """The step has judged: every sweep is accepted, and its weights are the ones to return.

    Parameters
    ----------
    weights : callable
        ``weights()`` gives those of the last complete sweep, in the user's units.
    unit : float, default=1.0
        What a value in the run's units is multiplied by to be one in the user's.
    """

    def __init__(self, weights, unit=1.0):
        self._weights, self.unit = weights, unit

    def watch(self, rows):
        pass

    def judge(self, value):
        return True

    def reported(self, value):
        if self.unit == 1.0:
            return value
        return value._replace(objective=value.objective * self.unit, loss=value.loss * self.unit)

    def weights(self):
        return self._weights()


class KeepBest(Judge):
    """Keep the weights with the lowest J; take an epoch back that made it much worse.

    Parameters
    ----------
    network : Network
    frame : Frame
    tuned : Tuned

    Attributes
    ----------
    best : float
        The lowest J so far; infinite outside of constraints, where random weights are.
    kept : list of ndarray
        Its weights, in the run's units.
    """

    def __init__(self, network, frame, tuned=TUNED):
        self._network, self._frame, self._worst = network, frame, tuned.worst_rise
        self.unit = frame.unit
        self.best = self.first = np.inf
        self.keep()

    def keep(self):
        """The present weights are the ones to return."""
        self.kept = [layer.V.copy() for layer in self._network.layers]

    def begin(self, value):
        """J at the start."""
        self.best = self.first = value

    def highest_allowed(self):
        """J above which an epoch is taken back."""
        if self.best >= 0.0:
            return self._worst * self.best
        # A user's loss without its constant: a multiple of J means nothing, what it fell by does.
        return self.best + (self._worst - 1.0) * (self.first - self.best)

    def watch(self, rows):
        pass  # the end of the epoch decides

    def judge(self, value):
        """Put the kept weights back where J is not finite or far above its best."""
        layers = self._network.layers
        finite = all(np.isfinite(layer.V).all() for layer in layers)
        if not (value.objective <= self.highest_allowed() and finite):
            for layer, kept in zip(layers, self.kept, strict=True):
                layer.V[:] = kept
            return False
        if value.objective < self.best:
            self.best = value.objective
            self.keep()
        return True

    def reported(self, value):
        """J as it was measured, before an epoch was taken back, and J of the kept weights."""
        kept = self.best * self.unit
        loss = np.inf if np.isnan(value.loss) else value.loss * self.unit
        return Value(kept, loss, kept=kept)

    def weights(self):
        """The kept weights, in the units and the type of the user's X."""
        return self._frame.returned(self.kept)
