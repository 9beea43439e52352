"""Solver "feasible" on the full batch: sweeps made faster by secants, J that never rises."""

import time

import numpy as np

from .acceleration import Momentum
from .inputs import standard_input
from .kronecker import KroneckerMetric
from .moments import TargetMoments
from .objective import Objective
from .row_space import RowSpace
from .run import Record
from .secant import SecantMemory
from .start import spread_layers
from .units import column_strength

ACCELERATIONS = ("anderson", "nesterov", None)

# Damping of the two sides of the metric at rho = 1, in units of the mean eigenvalue.
_DAMPING_IN, _DAMPING_OUT = 0.1, 1.0
# How much of the weight of a row in the metric goes with the curvature of its loss.
_CURVATURE_SHARE = 0.85
# Sweeps between two looks at the curvature.
_REFRESH_EVERY = 10
# Sweeps without a penalty that would hurt weights at random.
FREE_SWEEPS = 10
# Armijo's constant: the share of the promised decrease that a step must give.
_SUFFICIENT = 1e-4
_MOST_TRIALS = 12
# Mixtures of gradients that are tried at a kink.
_MOST_MIXTURES = 6
# Rows that the start of deep nets is scaled on.
_START_ROWS = 1000
# The row space replaces X up to this many coordinates.
_LARGEST_ROW_SPACE = 2000
# Numbers that the secant pairs may hold, and pairs at the least.
_MEMORY_SIZE, _SMALLEST_MEMORY = 2**24, 3


class FullBatchRun:
    """Sweeps over all rows from the network's own values; iterate it for one record a sweep.

    Minimises J itself: every point is feasible, z = v and a = h(z). A sweep::

        z_l, a_l  <-  forward;  D_L = -R'(z_L),  D_l = h_l'(z_l) * (D_{l+1} W_{l+1}')  backward
        dV_l      <-  P_l ((a_{l-1}, 1)' D_l - penalties) Q_l     least squares, priced by Q_l
        d         <-  dV corrected by the last secant pairs ("anderson"), or dV at an
                      extrapolated point ("nesterov"), or dV itself (None)
        V         <-  V + t d, J(V + t d) <= J(V) - t 1e-4 <gradient, -d>, from t = 1 down
        P_l, Q_l  <-  taken anew every 10 sweeps

    J is evaluated with its gradient a block of rows at a time. A trial that does not descend, or
    is not finite, is shortened; when no length descends the pairs are dropped, the metric is
    renewed and gradients from across the kinks are mixed in, and when that does not help either
    the weights stay what they are. A run that does not start ``warm`` begins with ten sweeps
    without the penalty on columns, which would hurt the useful ones as much as the others; they
    are part of the start, and J is reported from there on.

    Parameters
    ----------
    problem : Problem
        Its penalty must be "l2" or "none", or its ``alpha`` zero.
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed. Unless ``warm`` they are meant for standardised
        columns and a standardised target.
    rho : float
        Damping of the metric, relative to the built-in one, to start with. It goes to 1, and
        only how fast J falls at first depends on it.
    activity_alpha : float, default=0.0
        Strength of the penalty on the variances of the pre-activations.
    column_alpha : float, default=0.0
        Strength of the penalty on the columns of X, as in
        :class:`~skmdlam.engine.feasible.Feasible`.
    acceleration : {"anderson", "nesterov"} or None, default="anderson"
    memory : int, default=10
        Secant pairs.
    warm : bool, default=False
        Take the starting weights as they are, in the user's units.

    Raises
    ------
    NotImplementedError
        For other penalties.

    Notes
    -----
    Memory: besides X a standardised copy of it (none where X is sparse; n x n numbers in place of
    it where there are far fewer rows than columns), the activations of 4,096 rows,
    ``2 memory`` times the number of weights, and a few square matrices for each layer.
    """

    def __init__(
        self,
        problem,
        coefs,
        intercepts,
        *,
        rho,
        activity_alpha=0.0,
        column_alpha=0.0,
        acceleration="anderson",
        memory=10,
        warm=False,
    ):
        self._clock = time.perf_counter()
        if acceleration not in ACCELERATIONS:
            raise ValueError(
                f"acceleration must be one of {', '.join(map(repr, ACCELERATIONS))}; "
                f"got {acceleration!r}."
            )
        self._refuse(problem)
        self.problem, self.rho = problem, float(rho)
        self.acceleration = acceleration
        self.total = problem.rows.total
        with np.errstate(all="ignore"):
            self._set_up(coefs, intercepts, activity_alpha, column_alpha, warm)
            memory = max(_SMALLEST_MEMORY, min(memory, _MEMORY_SIZE // (2 * self.theta.size)))
            self._prepare(memory)
            self.iteration = 0
            self.ended = False
            self._start()
        self._free = not warm

    # -- set up ---------------------------------------------------------------------------------

    def _refuse(self, problem):
        if not problem.parabolic:
            name = problem.penalty.name or problem.penalty
            raise NotImplementedError(
                f"penalty={name!r}: secant sweeps need a penalty that is a "
                "parabola, 'l2' or 'none'. ProximalRun takes every penalty."
            )

    def _prepare(self, memory):
        self.metric = KroneckerMetric(
            self.objective, _DAMPING_IN * self.rho, _DAMPING_OUT * self.rho, _CURVATURE_SHARE
        )
        anderson = self.acceleration == "anderson"
        self.pairs = SecantMemory(self.theta.size, memory if anderson else 1)
        self.momentum = Momentum(enabled=self.acceleration == "nesterov")

    def _set_up(self, coefs, intercepts, activity_alpha, column_alpha, warm):
        """The problem in standard units, and the starting weights there."""
        problem, n = self.problem, self.problem.X.shape[0]
        weight = problem.sample_weight
        share = problem.rows.share()
        self.target = target = problem.loss.scaled(*TargetMoments.of(problem.Y, share))
        dtype, width = problem.X.dtype, coefs[0].shape[1]
        X = problem.X
        self.inputs = standard_input(X, problem.rows)
        coefs = [W.astype(float) for W in coefs]
        intercepts = [b.astype(float) for b in intercepts]
        if warm:
            coefs[-1], intercepts[-1] = target.inner(coefs[-1], intercepts[-1])
        else:
            coefs[0], intercepts[0] = self.inputs.expand(np.vstack([coefs[0], intercepts[0]]))
        self._space = None
        columns = 0.0
        if activity_alpha > 0:
            columns = column_strength(column_alpha, self.total, n, int(self.inputs.varies.sum()))
        wide = RowSpace.pays(X, width) and n + width <= _LARGEST_ROW_SPACE
        wide &= problem.parabolic
        if wide and not (warm and columns > 0):
            space = RowSpace(X, coefs[0])
            # What the start has outside of the rows says nothing about them: it is dropped.
            rank = space.X.shape[1] - width
            space.W[rank:] = 0.0
            if columns > 0:  # the row space knows no columns
                coefs[0] = space.expand(space.W)
            else:
                self._space, coefs[0] = space, space.W[:rank]
                X = np.ascontiguousarray(space.X[:, :rank], dtype=dtype)
                self.inputs = standard_input(X, problem.rows, uniform=True)
        # What J is in the run's units times this is what it is in the user's.
        self.unit = target.factor
        strength = problem.alpha * (problem.penalty.ridge or 0.0) / target.factor
        ridge = [strength] * len(coefs)
        ridge[-1] = strength * target.scale**2
        ridge[0] = ridge[0] * self.inputs.ridge
        self.objective = Objective(
            self.inputs,
            np.asfortranarray(target.transform(problem.Y), dtype=dtype),
            target.loss,
            problem.activations,
            [W.shape[1] for W in coefs],
            None if weight is None else weight.astype(dtype, copy=False),
            ridge,
            float(activity_alpha) * target.loss_scale,
            columns * target.loss_scale,
        )
        V = [self.inputs.contract(coefs[0], intercepts[0])]
        V += [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]
        if not warm:
            # A column in a tiny unit has large weights: their penalty would be all there is to J.
            V[0][:-1] /= 1.0 + ridge[0] / self.total
            # No step would ever move the weights of a column that is constant so far.
            V[0][:-1][~self.inputs.varies] = 0.0
            data = self.inputs.data
            rows = slice(None, None, max(1, n // _START_ROWS))
            some = data[rows][:_START_ROWS]
            some_weights = None if weight is None else weight[rows][:_START_ROWS]
            spread_layers(
                V, lambda: self.inputs.standardised(some), problem.activations, some_weights
            )
        self.theta = np.concatenate([W.ravel() for W in V])

    def _start(self):
        """J at the start; where it is not finite the last layer shrinks until it is."""
        last = self.objective.views(self.theta)[-1]
        for _ in range(60):
            self.value, self.gradient = self.objective(self.theta)
            if np.isfinite(self.value):
                break
            last *= 0.25
        else:
            self.theta[:] = 0.0
            self.value, self.gradient = self.objective(self.theta)
        self.previous = self.theta
        self._since_refresh = _REFRESH_EVERY
        self._length = 1.0

    def _place(self, coefs, intercepts):
        """Weights in the user's units in one vector."""
        V = [np.vstack([W, b]) for W, b in zip(coefs, intercepts, strict=True)]
        V[-1] = np.vstack(self.target.inner(coefs[-1], intercepts[-1]))
        V[0] = self.inputs.contract(V[0][:-1], V[0][-1])
        return np.concatenate([W.ravel() for W in V])

    def _start_freely(self):
        """Let ten sweeps find out which columns are of use before their use costs anything."""
        objective = self.objective
        if objective.columns == 0:
            return
        columns, objective.columns = objective.columns, 0.0
        self._start()
        for _ in range(FREE_SWEEPS):
            self._advance()
        objective.columns = columns
        self.pairs.forget()
        self.momentum.restart()
        self.ended = False
        self._start()

    # -- a sweep --------------------------------------------------------------------------------

    def __iter__(self):
        return self

    def _advance(self):
        """One sweep, with a new metric where it is time; returns how many trials failed."""
        if self.ended:
            return 0
        with np.errstate(all="ignore"):
            if self._since_refresh >= _REFRESH_EVERY:
                self._refresh()
            self._since_refresh += 1
            return self._sweep()

    def __next__(self):
        if self._free:
            self._free = False
            with np.errstate(all="ignore"):
                self._start_freely()
        refused = self._advance()
        self.iteration += 1
        loss = float(self.value * self.unit)
        return Record(
            iteration=self.iteration,
            objective=loss,
            loss=loss,
            rho=self.rho,
            epsilon=0.0,
            gap=0.0,
            restarts=refused,
            settled=True,
            seconds=time.perf_counter() - self._clock,
        )

    def _refresh(self):
        """Take the metric at the present weights."""
        if self._since_refresh > 0 and self.iteration > 0:
            # The user's rho is only a start: half of its distance, in digits, goes each time.
            self.rho = float(np.sqrt(self.rho))
            self.metric.damp(_DAMPING_IN * self.rho, _DAMPING_OUT * self.rho)
        self.metric.update(self.theta)
        self.pairs.rescale(self.metric)
        self._since_refresh = 0

    def _sweep(self):
        """One step that descends, if there is one; returns how many trials did not."""
        if self.acceleration != "anderson":
            return self._plain_sweep()
        refused = self._search(self.pairs.step(self.gradient, self.metric), 1.0, self.gradient)
        if self._moved:
            return refused
        # The model is wrong: start from the sweep alone.
        self.pairs.forget()
        self._refresh()
        return refused + self._sweep_at_kink(1.0)

    def _sweep_at_kink(self, length):
        """The plain sweep; while it fails, with the gradient from across the kink mixed in.

        At a kink of a piecewise linear network the gradient of one side need not descend. The
        shortest mixture of the gradients of both sides, in the metric, does: the bundle method.
        """
        mixture, refused = self.gradient, 0
        for _ in range(_MOST_MIXTURES):
            refused += self._search(self.metric(mixture), length, mixture)
            if self._moved:
                return refused
            difference = mixture - self._across
            image = self.metric(difference)
            size = float(difference @ image)
            if not (size > 0 and np.isfinite(size)):
                break
            share = float(mixture @ image) / size
            mixture = mixture - min(max(share, 0.0), 1.0) * difference
        self.ended = True
        return refused

    def _search(self, step, length, gradient):
        """Move along ``-step``, backtracking from a length; the slope is ``gradient @ step``.

        Returns how many trials failed; ``_moved`` says whether one did not, and ``_across`` is the
        gradient at the last one that failed.
        """
        slope = float(gradient @ step)
        self._moved, self._across = False, gradient
        refused = 0
        if not (slope > 0 and np.isfinite(slope)):
            return refused
        while refused < _MOST_TRIALS:
            theta = self.theta - length * step
            value, gradient = self.objective(theta)
            if value <= self.value - _SUFFICIENT * length * slope:
                self._moved = True
                self._accept(theta, value, gradient)
                self._length = length
                break
            refused += 1
            guess = 0.0
            if np.isfinite(value):
                self._across = gradient
                # The minimiser of the parabola through what is known.
                guess = 0.5 * slope * length**2 / (value - self.value + length * slope)
            length = min(max(guess, 0.1 * length), 0.5 * length)
        return refused

    def _accept(self, theta, value, gradient):
        if self.acceleration == "anderson":
            self.pairs.observe(theta - self.theta, gradient - self.gradient, self.metric)
        self.previous = self.theta
        self.theta, self.value, self.gradient = theta, value, gradient

    def _plain_sweep(self):
        """The sweep itself, from an extrapolated point where that descends."""
        refused = 0
        omega = self.momentum.advance()
        if omega > 0:
            point = self.theta + omega * (self.theta - self.previous)
            _, gradient = self.objective(point)
            theta = point - self._length * self.metric(gradient)
            value, gradient = self.objective(theta)
            if value <= self.value:
                self._accept(theta, value, gradient)
                return 0
            self.momentum.restart()
            refused = 1
        return refused + self._sweep_at_kink(2.0 * self._length)

    # -- weights --------------------------------------------------------------------------------

    def weights(self):
        """Weights after the last sweep, in the user's units."""
        V = self.objective.views(self.theta)
        W, b = self.inputs.expand(V[0])
        coefs, intercepts = [W], [b]
        for v in V[1:]:
            coefs.append(v[:-1])
            intercepts.append(v[-1])
        coefs[-1], intercepts[-1] = self.target.outer(coefs[-1], intercepts[-1])
        if self._space is not None:
            outside = np.zeros((coefs[0].shape[1],) * 2)
            coefs[0] = self._space.expand(np.vstack([coefs[0], outside]))
        dtype = self.problem.X.dtype
        return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]
