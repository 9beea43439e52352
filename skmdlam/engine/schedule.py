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
        Epochs in which the factor falls to zero, if so many are left.
    longest : int
        Epochs that there will be at most. A part of them, 30 % or the cool-down, is kept for the
        cool-down.
    patience : int
        Epochs in a row without an improvement that start the cool-down.
    tol : float
        An improvement counts when it is more than that, and more than 1 % of the loss.
    stall : int
        Epochs in a row of the cool-down without any improvement that halve the steps.
    """

    # The run ends when the factor has fallen to this.
    smallest = 0.02
    # Whether the limit on all epochs has cut the full steps or the cool-down short.
    cut_short = False

    def __init__(self, *, warm_up, epochs, cool_down, longest, patience, tol, stall):
        self.warm_up, self.epochs, self.cool_down = warm_up, epochs, cool_down
        self.longest = longest
        self._kept = min(cool_down, max(1, round(0.3 * longest)))
        self.patience, self.tol, self.stall = patience, tol, stall
        self.steps = self.epoch = 0
        self.cooling = False
        self._height, self._slope = 1.0, 0.0
        self._best, self._idle = np.inf, 0

    def factor(self, progress):
        """Factor of the next step, at a share ``progress`` of the current epoch."""
        self.steps += 1
        # Where a stall has halved the height, the slope may lead below zero before the epoch ends.
        height = max(self._height - progress * self._slope, self.smallest / 10)
        return min(1.0, self.steps / self.warm_up) * height

    def advance(self, loss):
        """Say what the loss was at the end of the epoch; True when the run has ended."""
        self.epoch += 1
        goal = self._best
        if not self.cooling and np.isfinite(goal):
            goal -= max(self.tol, _SHARE * goal)
        if loss < goal:
            self._best, self._idle = loss, 0
        else:
            self._idle += 1
        if self.cooling:
            self._height -= self._slope
            if self._idle >= self.stall:
                # The noise of the steps outweighs what they gain.
                self._height, self._idle = 0.5 * self._height, 0
            return self._height < self.smallest
        last = self.epoch >= max(1, self.longest - self._kept)
        if self._idle >= self.patience or self.epoch >= self.epochs or last:
            self.cut_short = self._idle < self.patience and self.epoch < self.epochs
            self.begin_cool_down()
        return self.epoch >= self.longest

    def begin_cool_down(self):
        """Let the steps shrink from now on."""
        if not self.cooling:
            epochs = max(1, min(self.cool_down, self.longest - self.epoch))
            self.cut_short |= epochs < self.cool_down
            self.cooling, self._slope = True, 1.0 / epochs
            self._best, self._idle = np.inf, 0
