"""Solver "feasible" with penalties that have kinks or constraints: exact proximal sweeps."""

from dataclasses import replace

import numpy as np

from .full_batch import FREE_SWEEPS, FullBatchRun
from .secant import SecantMemory

# Lengths of the secant step that are tried before the proximal step alone.
_SECANT_LENGTHS = (1.0, 0.3, 0.1)
_SUFFICIENT = 1e-4
_MOST_HALVINGS = 60
# A decrease of J by less than this share of it is rounding.
_ROUNDING = 4 * np.finfo(float).eps
# Curvature of a row of weights, at least, over the mean of its layer; and over the largest mean of
# a layer.
_SMALLEST_CURVATURE, _SMALLEST_OF_LAYER = 1e-4, 1e-8


class ProximalRun(FullBatchRun):
    """Sweeps over all rows that end in an exact proximal map; iterate it for one record a sweep.

    Minimises ``J = f + alpha sum_l penalty(W_l)``, f being the smooth rest: loss, activity and
    columns. In standardised columns, with D the mean curvature of f for each row of weights::

        T(V) = argmin over V' of <f'(V), V' - V> + 1/(2 gamma) ||V' - V||_D^2 + penalty(V')
        G(V) = D (V - T(V)) / gamma                   zero where V is stationary
        V    <-  T(V + t d),   d = -G(V) corrected by the last secant pairs of G,  or T(V)
        gamma halved where f rises above its parabola, doubled now and then; D every 10 sweeps

    The penalty acts on the weights in the user's units, and T is its exact map: each row of W_l
    has a step of its own there. Every point is the outcome of a T, so weights, and with "group"
    whole rows, are exactly zero, and constraints hold. J falls in every sweep. The secant step is
    taken where the envelope ``f(U) + min of the model at U`` of its end ``U = V + t d`` is below
    J(V), as in PANOC (Stella, Themelis, Sopasakis and Patrinos 2017).

    Random weights mean nothing yet, and a strong penalty would take them all to zero, where J is
    stationary too: the start is what ten sweeps without it and the one on columns lead to.

    Parameters
    ----------
    problem : Problem
    coefs, intercepts : list of ndarray
    warm : bool, default=False
        Start from these weights as they are, in the user's units.
    **options
        As for :class:`~skmdlam.engine.full_batch.FullBatchRun`; ``rho`` is not used.
    """

    def __init__(self, problem, coefs, intercepts, *, warm=False, **options):
        self._first = coefs, intercepts, {**options, "column_alpha": 0.0}
        super().__init__(problem, coefs, intercepts, rho=1.0, warm=warm, **options)

    # -- set up ---------------------------------------------------------------------------------

    def _refuse(self, problem):
        """Every penalty will do."""

    def _prepare(self, memory):
        self.pairs = SecantMemory(self.theta.size, memory)
        self.gamma = 1.0
        # Weights of the user are these times those of standardised columns and target.
        self._units = [np.ones((shape[0] - 1, 1)) for shape in self.objective.shapes]
        self._units[0] = self.inputs.inverse_std[:, None].astype(float)
        self._units[-1] = self._units[-1] * self.target.scale
        self._strength = self.problem.alpha / (self.unit * self.total)

    def _start(self):
        """J at the start, on the penalty's domain."""
        self.theta, self._penalty = self._map(self.theta, None)
        for _ in range(60):
            self._smooth, self.gradient = self.objective(self.theta)
            self.value = self._smooth + self._penalty
            if np.isfinite(self.value):
                break
            self.theta, self._penalty = self._map(0.25 * self.theta, None)
        self._since_refresh = np.inf

    def _start_freely(self):
        coefs, intercepts, options = self._first
        self._first = None
        run = FullBatchRun(replace(self.problem, alpha=0.0), coefs, intercepts, rho=1.0, **options)
        for _ in range(FREE_SWEEPS):
            next(run)
        self.theta = self._place(*run.weights())
        self._start()

    def _map(self, theta, steps):
        """Penalty's map of every layer's weights, and what the penalty adds to J there.

        ``steps`` holds, for each layer, the step of each row; None stands for the projection.
        """
        theta, penalty, total = theta.copy(), self.problem.penalty, 0.0
        for layer, (V, unit) in enumerate(
            zip(self.objective.views(theta), self._units, strict=True)
        ):
            step = 0.0
            if steps is not None:
                step = self._strength * steps[layer] * np.square(unit)
                if not penalty.by_rows:
                    step = float(step.max(initial=0.0))  # all are the same
            W = penalty.prox(V[:-1] * unit, step)
            total += penalty.value(W)
            V[:-1] = W / unit
        return theta, self._strength * total

    # -- a sweep --------------------------------------------------------------------------------

    def _refresh(self):
        """Take the curvature at the present weights, and dare a longer step."""
        self._rows = self.objective.row_curvature(self.theta)
        # A layer that says nothing has no curvature; it must not have boundless steps.
        floor = _SMALLEST_OF_LAYER * max(float(rows.mean()) for rows in self._rows)
        if not 0 < floor < np.inf:
            floor = 1.0
        for layer, rows in enumerate(self._rows):
            inner = rows[:-1]
            if not self.problem.penalty.by_rows and len(inner):
                # A map that cannot tell rows apart wants one step in the user's units.
                squares = np.square(self._units[layer])
                inner[:] = squares * (inner / squares).max()
            rows[:] = np.maximum(rows, max(_SMALLEST_CURVATURE * rows.mean(), floor))
            if not np.isfinite(rows).all():
                rows[:] = 1.0
        shapes = self.objective.shapes
        self._metric = np.concatenate(
            [
                np.broadcast_to(rows, shape).ravel()
                for rows, shape in zip(self._rows, shapes, strict=True)
            ]
        )
        if self.iteration > 0:
            self.gamma *= 2.0
        self.pairs.rescale(self._inverse_metric)
        self._since_refresh = 0

    def _inverse_metric(self, gradient):
        return gradient / self._metric

    def _forward_backward(self, theta, gradient):
        """T from these weights: where it leads, the penalty there, and what the model falls by."""
        steps = [self.gamma / rows[:-1] for rows in self._rows]
        point, penalty = self._map(theta - self.gamma * gradient / self._metric, steps)
        move = point - theta
        model = float(gradient @ move + 0.5 / self.gamma * (move @ (self._metric * move)))
        return point, penalty, model

    def _residual(self, theta, point):
        return self._metric * (theta - point) / self.gamma

    def _sweep(self):
        refused = 0
        point, penalty, model = self._forward_backward(self.theta, self.gradient)
        decrease = self._penalty - penalty - model
        if not decrease > _ROUNDING * abs(self.value):
            self.ended = True
            return refused
        goal = self.value - _SUFFICIENT * decrease
        residual = self._residual(self.theta, point)
        if len(self.pairs) > 0:
            direction = -self.pairs.step(residual, self._inverse_metric)
        else:
            direction = point - self.theta
        if np.isfinite(direction).all():
            for length in _SECANT_LENGTHS:
                if self._try(self.theta + length * direction, goal):
                    return refused
                refused += 1
        self.pairs.forget()
        for _ in range(_MOST_HALVINGS):
            if self._arrive(point, penalty, self._smooth + model, goal):
                return refused
            refused += 1
            self.gamma *= 0.5
            point, penalty, model = self._forward_backward(self.theta, self.gradient)
            goal = self.value + _SUFFICIENT * (model + penalty - self._penalty)
        self.ended = True
        return refused

    def _try(self, theta, goal):
        """Go to T of a point, if J falls to the goal there."""
        smooth, gradient = self.objective(theta)
        if not np.isfinite(smooth):
            return False
        point, penalty, model = self._forward_backward(theta, gradient)
        if not smooth + model + penalty <= goal:
            return False
        return self._arrive(point, penalty, smooth + model, goal)

    def _arrive(self, point, penalty, parabola, goal):
        """Move to a point, if J falls to the goal there."""
        smooth, gradient = self.objective(point)
        if not smooth + penalty <= goal or np.array_equal(point, self.theta):
            return False
        if smooth > parabola + _ROUNDING * abs(parabola):
            self.gamma *= 0.5
        last, last_gradient = self.theta, self.gradient
        self.theta, self.gradient = point, gradient
        self._smooth, self._penalty, self.value = smooth, penalty, smooth + penalty
        residuals = [
            self._residual(theta, self._forward_backward(theta, slope)[0])
            for theta, slope in ((point, gradient), (last, last_gradient))
        ]
        self.pairs.observe(point - last, residuals[0] - residuals[1], self._inverse_metric)
        return True

    # -- weights --------------------------------------------------------------------------------

    def weights(self):
        """Weights after the last sweep, in the user's units."""
        coefs, intercepts = super().weights()
        # Rounding in the change of units must not leave the penalty's domain.
        return [self.problem.penalty.prox(W, 0.0) for W in coefs], intercepts


class PolishedRun:
    """Mini-batches to the end of their schedule, then exact proximal sweeps over all rows.

    The steps of mini-batches meet the penalty every now and then and with a metric of their own:
    what they end with is near a minimum of J, but hardly a weight is exactly zero. The sweeps of
    :class:`ProximalRun` take it from there. J as it is reported never rises.

    Parameters
    ----------
    batches : FeasibleRun
    finish : callable
        ``finish(coefs, intercepts)`` begins the second part from weights in the user's units.
    """

    def __init__(self, batches, finish):
        self._run, self._finish = batches, finish
        self.unit = batches.unit
        self.strengths, self.calibrated = batches.strengths, batches.calibrated
        self.ended = False
        self._done, self._seconds, self._best = 0, 0.0, np.inf

    def __iter__(self):
        return self

    def __next__(self):
        if self._finish is not None and self._run.ended:
            # The buffers of the mini-batches are not needed any more.
            self._run = _Ended(*self._run.weights())
            self._run, self._finish = self._finish(*self._run.weights()), None
            self._done, self._seconds = self._last.iteration, self._last.seconds
        polishing = self._finish is None
        record = next(self._run)
        if polishing:
            self.ended = self._run.ended
        # The two parts round differently.
        self._best = min(self._best, record.loss)
        self._last = replace(
            record,
            iteration=record.iteration + self._done,
            objective=self._best,
            loss=self._best,
            settled=polishing,
            seconds=record.seconds + self._seconds,
        )
        return self._last

    def begin_cool_down(self):
        """Come to an end soon: let the steps of the mini-batches shrink, or stop the sweeps."""
        if self._finish is None:
            self.ended = True
        else:
            self._run.begin_cool_down()

    def weights(self):
        """Weights of the lowest J so far, in the user's units."""
        return self._run.weights()


class _Ended:
    """What is left of a run at its end: its weights, should the next one be interrupted."""

    ended = True

    def __init__(self, coefs, intercepts):
        self._weights = coefs, intercepts

    def weights(self):
        return self._weights
