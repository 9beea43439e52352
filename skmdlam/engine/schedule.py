"""When the steps of a mini-batch run shrink, and when it ends."""

import numpy as np

_SHARE = 0.01


class PlateauSchedule:
    """Warm-up, full steps until the loss stalls, then linearly down to zero.

    Parameters
    ----------
    warm_up : int
        Steps, not epochs, in which the factor rises to one.
    epochs : int
        Largest number of epochs at full step.
    cool_down : int
        Epochs in which the factor falls to zero.
    patience : int
        Epochs in a row without an improvement that start the cool-down.
    tol : float
        An improvement counts when it is more than that, and more than 1 % of the loss.
    give_up : int
        Epochs in a row of the cool-down without any improvement that end the run.
    """

    def __init__(self, *, warm_up, epochs, cool_down, patience, tol, give_up):
        self.warm_up, self.epochs, self.cool_down = warm_up, epochs, cool_down
        self.patience, self.tol, self.give_up = patience, tol, give_up
        self.steps = self.epoch = 0
        self.cooling_since = None
        self._best, self._idle = np.inf, 0

    def factor(self, progress):
        """Factor of the next step, at a share ``progress`` of the current epoch."""
        self.steps += 1
        factor = min(1.0, self.steps / self.warm_up)
        if self.cooling_since is not None:
            factor *= 1.0 - (self.epoch + progress - self.cooling_since) / self.cool_down
        return factor

    def advance(self, loss):
        """Say what the loss was at the end of the epoch; True when the run has ended."""
        self.epoch += 1
        cooling = self.cooling_since is not None
        goal = self._best
        if not cooling and np.isfinite(goal):
            goal -= max(self.tol, _SHARE * goal)
        if loss < goal:
            self._best, self._idle = loss, 0
        else:
            self._idle += 1
        if cooling:
            return self.epoch >= self.cooling_since + self.cool_down or self._idle >= self.give_up
        if self._idle >= self.patience or self.epoch >= self.epochs:
            self.cooling_since = self.epoch
            self._best, self._idle = np.inf, 0
        return False
