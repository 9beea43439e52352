"""How long the steps are, sweep by sweep, and when a run ends."""

import numpy as np

from ..constants import TUNED


class Schedule:
    """Full steps for ever.

    Attributes
    ----------
    cools_down : bool
        Whether :meth:`cool_down` leads to an end.
    cut_short : bool
        Whether a limit on the number of sweeps has cut the schedule short.
    settled : bool
        Whether a stall of the objective means convergence from now on.
    epsilon : float
        Tolerance of the constraints.
    """

    cools_down = False
    cut_short = False
    settled = True
    epsilon = 0.0

    def factor(self, progress):
        """Factor of the next step, at a share ``progress`` of the current sweep."""
        return 1.0

    def advance(self, data):
        """Say what the data term was at the end of the sweep; True when the run has ended."""
        return False

    def cool_down(self):
        """Let the steps shrink from now on."""


class PlateauSchedule(Schedule):
    """Warm-up, full steps until the loss stalls, then linearly down to zero.

    Parameters
    ----------
    epochs : int
        Largest number of epochs at full step.
    cool_down_epochs : int
        Epochs in which the factor falls to zero, if so many are left.
    least_cool_down : int
        It may be as short as this, where that is half of the epochs before it.
    longest : int
        Epochs that there will be at most. A part of them, 30 % or the cool-down, is kept for the
        cool-down.
    patience : int
        Epochs in a row without an improvement that start the cool-down.
    tol : float
        An improvement counts when it is more than that, and more than 1 % of the loss.
    stall : int
        Epochs in a row of the cool-down without any improvement that halve the steps.
    tuned : Tuned
        The length of the warm-up, in steps, and the shares above.
    """

    cools_down = True
    settled = False

    def __init__(
        self,
        *,
        epochs,
        cool_down_epochs,
        longest,
        patience,
        tol,
        stall,
        least_cool_down=None,
        tuned=TUNED,
    ):
        self.warm_up, self.epochs, self.cool_down_epochs = tuned.warm_up, epochs, cool_down_epochs
        self.least_cool_down = cool_down_epochs if least_cool_down is None else least_cool_down
        self.smallest, self._share = tuned.smallest_step, tuned.stalled
        self.longest = longest
        self._kept = min(cool_down_epochs, max(1, round(tuned.kept_for_cool_down * longest)))
        self.patience, self.tol, self.stall = patience, tol, stall
        self.steps = self.epoch = 0
        self.cooling = False
        self._height, self._slope = 1.0, 0.0
        self._best, self._idle = np.inf, 0

    def factor(self, progress):
        self.steps += 1
        # Where a stall has halved the height, the slope may lead below zero before the epoch ends.
        height = max(self._height - progress * self._slope, self.smallest / 10)
        return min(1.0, self.steps / self.warm_up) * height

    def advance(self, data):
        self.settled = self._advance(data)
        return self.settled

    def _advance(self, data):
        self.epoch += 1
        goal = self._best
        if not self.cooling and np.isfinite(goal):
            goal -= max(self.tol, self._share * goal)
        if data < goal:
            self._best, self._idle = data, 0
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
            self.cool_down()
        return self.epoch >= self.longest

    def cool_down(self):
        if not self.cooling:
            wanted = min(self.cool_down_epochs, max(self.least_cool_down, self.epoch // 2))
            epochs = max(1, min(wanted, self.longest - self.epoch))
            self.cut_short |= epochs < wanted
            self.cooling, self._slope = True, 1.0 / epochs
            self._best, self._idle = np.inf, 0


class WarmUp(Schedule):
    """Full steps after the first few of a stream, which its chunks share; one pass.

    Parameters
    ----------
    steps : int
        Steps that the stream has done before.
    tuned : Tuned
    """

    def __init__(self, steps, tuned=TUNED):
        self.steps, self.warm_up = steps, tuned.warm_up

    def factor(self, progress):
        self.steps += 1
        return min(1.0, self.steps / self.warm_up)

    def advance(self, data):
        return True


class Halving(Schedule):
    """A tolerance that falls by a factor in each sweep, from a wide tube to the final one.

    Its ``factor`` is that tolerance.

    Parameters
    ----------
    start, factor, final : float
        ``epsilon <- max(final, factor * epsilon)``.
    """

    def __init__(self, start, factor, final):
        self.epsilon, self._factor, self._final = start, factor, final
        self._sweeps = 0

    @property
    def settled(self):
        """Whether the tolerance is the final one."""
        return self.epsilon <= self._final

    def factor(self, progress):
        if self._sweeps > 0:
            self.epsilon = max(self._final, self._factor * self.epsilon)
        self._sweeps += 1
        return self.epsilon
