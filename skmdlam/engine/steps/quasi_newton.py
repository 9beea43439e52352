"""Full-batch sweeps made faster by secants or by momentum; J never rises."""

import numpy as np

from ..constants import CONSTANTS
from ..start import finite_start
from .acceleration import Momentum
from .kronecker import KroneckerPreconditioner
from .secant import SecantMemory

# Armijo's constant: the share of the promised decrease that a step must give.
_SUFFICIENT = 1e-4


class SweepMethod:
    """Sweeps, with what they know of the curvature taken anew every few of them.

    A method has ``renew()``, ``sweep()``, ``_tuned`` and a ``start()`` that sets
    ``_since_renewed``, the number of sweeps since the curvature was taken.

    Attributes
    ----------
    sweeps : int
        Of the run, without those that are a part of the start.
    stuck : bool
        Whether no step descends any more.
    """

    sweeps, stuck = 0, False

    def advance(self):
        """One sweep, with new curvature where it is time; returns how many trials failed."""
        if self.stuck:
            return 0
        if self._since_renewed >= self._tuned.renew_every:
            self.renew()
        self._since_renewed += 1
        return self.sweep()


class Descent(SweepMethod):
    """A point, its J and gradient, and the search along a step; a method adds which step.

    ::

        z_l, a_l  <-  forward;  D_L = -R'(z_L),  D_l = h_l'(z_l) * (D_{l+1} W_{l+1}')  backward
        dV_l      <-  P_l ((a_{l-1}, 1)' D_l - penalties) Q_l     least squares, priced by Q_l
        V         <-  V + t d, J(V + t d) <= J(V) - t 1e-4 <gradient, -d>, from t = 1 down
        P_l, Q_l  <-  taken anew every 10 sweeps

    J is evaluated with its gradient a block of rows at a time. A trial that does not descend, or
    is not finite, is shortened; when no length descends gradients from across the non-smooth points
    are mixed in, and when that does not help either the weights stay what they are.

    Parameters
    ----------
    setting : Setting
    rho : float, default=1.0
        Damping of the preconditioner, relative to the built-in one, to start with. It goes to 1,
        and only how fast J falls at first depends on it.
    constants : Constants
    """

    def __init__(self, setting, rho=1.0, constants=CONSTANTS):
        self._tuned, self._limits = constants.tuned, constants.limits
        self.objective, self.theta = setting.objective, setting.theta
        self.rho = float(rho)
        self.preconditioner = KroneckerPreconditioner(
            self.objective,
            self._tuned.damping_in * self.rho,
            self._tuned.damping_out * self.rho,
            self._tuned.curvature_share,
            self._limits,
        )

    # -- to be defined by a method --------------------------------------------------------------

    def sweep(self):
        """One step that descends, if there is one; returns how many trials did not."""
        raise NotImplementedError

    def forget(self):
        """Drop what earlier steps have said."""

    def observe(self, theta, gradient):
        """A step to these weights, where J has this gradient, is about to be taken."""

    def renewed(self):
        """The preconditioner is a new one."""

    # -- a run ----------------------------------------------------------------------------------

    def start(self):
        """J at the start; where it is not finite the last layer shrinks until it is."""
        last = self.objective.views(self.theta)[-1]

        def evaluate():
            self.value, self.gradient = self.objective(self.theta)
            return self.value

        if not np.isfinite(finite_start(evaluate, lambda: np.multiply(last, 0.25, out=last))):
            self.theta[:] = 0.0
            evaluate()
        self.previous = self.theta
        self._since_renewed = self._tuned.renew_every
        self.length = 1.0

    def start_freely(self):
        """Let a few sweeps find out which columns are of use before their use costs anything."""
        objective = self.objective
        if objective.columns == 0:
            return
        columns, objective.columns = objective.columns, 0.0
        self.start()
        for _ in range(self._tuned.free_sweeps):
            self.advance()
        objective.columns = columns
        self.forget()
        self.stuck = False
        self.start()

    def renew(self):
        """Take the preconditioner at the present weights."""
        if self._since_renewed > 0 and self.sweeps > 0:
            # The user's rho is only a start: half of its distance, in digits, goes each time.
            self.rho = float(np.sqrt(self.rho))
            self.preconditioner.damp(
                self._tuned.damping_in * self.rho, self._tuned.damping_out * self.rho
            )
        self.preconditioner.update(self.theta)
        self.renewed()
        self._since_renewed = 0

    # -- along a step ---------------------------------------------------------------------------

    def search(self, step, length, gradient):
        """Move along ``-step``, backtracking from a length; the slope is ``gradient @ step``.

        Returns
        -------
        moved : bool
            Whether a trial descended.
        refused : int
            How many did not.
        across : ndarray
            The gradient at the last one that did not.
        """
        slope = float(gradient @ step)
        across, refused = gradient, 0
        if not (slope > 0 and np.isfinite(slope)):
            return False, refused, across
        while refused < self._limits.trials:
            theta = self.theta - length * step
            value, gradient = self.objective(theta)
            if value <= self.value - _SUFFICIENT * length * slope:
                self.accept(theta, value, gradient)
                self.length = length
                return True, refused, across
            refused += 1
            guess = 0.0
            if np.isfinite(value):
                across = gradient
                # The minimizer of the parabola through what is known.
                guess = 0.5 * slope * length**2 / (value - self.value + length * slope)
            length = min(max(guess, 0.1 * length), 0.5 * length)
        return False, refused, across

    def accept(self, theta, value, gradient):
        """Move to these weights."""
        self.observe(theta, gradient)
        self.previous = self.theta
        self.theta, self.value, self.gradient = theta, value, gradient

    def plain_sweep(self, length):
        """The preconditioned gradient step; while it fails, with what is across the kink mixed in.

        At a kink of a piecewise linear network the gradient of one side need not descend. The
        shortest mixture of the gradients of both sides, in the metric, does: the bundle method.
        """
        mixture, refused = self.gradient, 0
        for _ in range(self._limits.mixtures):
            moved, failed, across = self.search(self.preconditioner(mixture), length, mixture)
            refused += failed
            if moved:
                return refused
            difference = mixture - across
            image = self.preconditioner(difference)
            size = float(difference @ image)
            if not (size > 0 and np.isfinite(size)):
                break
            fraction = float(mixture @ image) / size
            mixture = mixture - min(max(fraction, 0.0), 1.0) * difference
        self.stuck = True
        return refused


class SecantMethod(Descent):
    """``d <- dV`` corrected by the last secant pairs ("anderson")."""

    def __init__(self, setting, rho=1.0, constants=CONSTANTS):
        super().__init__(setting, rho, constants)
        self.pairs = secant_memory(self.theta.size, constants)

    def forget(self):
        self.pairs.forget()

    def renewed(self):
        self.pairs.rescale(self.preconditioner)

    def observe(self, theta, gradient):
        self.pairs.observe(theta - self.theta, gradient - self.gradient, self.preconditioner)

    def sweep(self):
        step = self.pairs.step(self.gradient, self.preconditioner)
        moved, refused, _ = self.search(step, 1.0, self.gradient)
        if moved:
            return refused
        # The model is wrong: start from the sweep alone.
        self.forget()
        self.renew()
        return refused + self.plain_sweep(1.0)


class NesterovMethod(Descent):
    """``d <- dV`` at an extrapolated point ("nesterov"), or dV itself (None)."""

    def __init__(self, setting, rho=1.0, constants=CONSTANTS, *, extrapolate=True):
        super().__init__(setting, rho, constants)
        self.momentum = Momentum(enabled=extrapolate)

    def forget(self):
        self.momentum.restart()

    def sweep(self):
        refused = 0
        omega = self.momentum.advance()
        if omega > 0:
            point = self.theta + omega * (self.theta - self.previous)
            _, gradient = self.objective(point)
            theta = point - self.length * self.preconditioner(gradient)
            value, gradient = self.objective(theta)
            if value <= self.value:
                self.accept(theta, value, gradient)
                return 0
            self.momentum.restart()
            refused = 1
        return refused + self.plain_sweep(2.0 * self.length)


def secant_memory(size, constants=CONSTANTS):
    """A memory for as many pairs of vectors of this size as are affordable."""
    tuned, limits = constants.tuned, constants.limits
    most = limits.secant_numbers // (2 * size)
    return SecantMemory(size, max(limits.secant_least, min(tuned.secant_pairs, most)))


def method_of(acceleration):
    """The method of that name: "anderson", "nesterov" or None."""
    if acceleration == "anderson":
        return SecantMethod
    return lambda *args: NesterovMethod(*args, extrapolate=acceleration == "nesterov")
