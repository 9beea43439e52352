"""Full-batch sweeps for non-smooth penalties and constraints, each ending in an exact prox."""

import numpy as np

from ..constants import CONSTANTS
from ..start import finite_start
from .quasi_newton import SecantMethod, SweepMethod, secant_memory

# Lengths of the secant step that are tried before the proximal step alone.
_SECANT_LENGTHS = (1.0, 0.3, 0.1)
# Share of the promised decrease that a step must give.
_SUFFICIENT = 1e-4
# A decrease of J by less than this share of it is rounding.
_ROUNDING = 4 * np.finfo(float).eps
# Curvature of a row of weights, at least, over the mean of its layer; and over the largest mean of
# a layer.
_SMALLEST_CURVATURE, _SMALLEST_OF_LAYER = 1e-4, 1e-8


class ProximalMethod(SweepMethod):
    """Proximal quasi-Newton sweeps.

    Minimizes ``J = f + alpha sum_l penalty(W_l)``, f being the smooth rest: loss, activity and
    columns. In standardized columns, with D the mean curvature of f for each row of weights::

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
    setting : Setting
    free : callable
        ``free()`` gives the setting without these penalties.
    constants : Constants
    """

    rho = 1.0

    def __init__(self, setting, free, constants=CONSTANTS):
        self._tuned, self._limits, self._constants = constants.tuned, constants.limits, constants
        self.setting, self._free = setting, free
        self.objective, self.theta = setting.objective, setting.theta
        self.pairs = secant_memory(self.theta.size, constants)
        self.gamma = 1.0
        problem, scaling = setting.problem, setting.frame.scaling
        self.penalty = problem.penalty
        self._penalties = problem.layer_penalties or [self.penalty] * self.objective.depth
        # Weights of the user are these times those of standardized columns and target.
        self._units = [np.ones((shape[0] - 1, 1)) for shape in self.objective.shapes]
        self._units[0] = setting.frame.coordinates.unit.astype(float)
        self._units[-1] = self._units[-1] * scaling.scale
        self._strength = problem.alpha / (scaling.factor * setting.total)

    def start(self):
        """J at the start, on the penalty's domain."""
        self.theta, self._penalty = self._map(self.theta, None)

        def evaluate():
            self._smooth, self.gradient = self.objective(self.theta)
            self.value = self._smooth + self._penalty
            return self.value

        def shrink():
            self.theta, self._penalty = self._map(0.25 * self.theta, None)

        finite_start(evaluate, shrink)
        self._since_renewed = np.inf

    def start_freely(self):
        """Begin where a few sweeps without the penalties lead to."""
        free = self._free()
        method = SecantMethod(free, 1.0, self._constants)
        method.start()
        for _ in range(self._tuned.free_sweeps):
            method.advance()
            method.sweeps += 1
        self.theta = self.setting.place(*free.weights(method.theta))
        self.start()

    def _map(self, theta, steps):
        """Penalty's map of every layer's weights, and what the penalty adds to J there.

        ``steps`` holds, for each layer, the step of each row; None stands for the projection.
        """
        theta, total = theta.copy(), 0.0
        for layer, (V, unit, penalty) in enumerate(
            zip(self.objective.views(theta), self._units, self._penalties, strict=True)
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

    def renew(self):
        """Take the curvature at the present weights, and dare a longer step."""
        self._rows = self.objective.row_curvature(self.theta)
        # A layer that says nothing has no curvature; it must not have boundless steps.
        floor = _SMALLEST_OF_LAYER * max(float(rows.mean()) for rows in self._rows)
        if not 0 < floor < np.inf:
            floor = 1.0
        for layer, rows in enumerate(self._rows):
            inner, common = rows[:-1], None
            if not self.penalty.by_rows and len(inner):
                # A map that cannot tell rows apart wants one step in the user's units.
                squares = np.square(self._units[layer])
                common = squares * max((inner / squares).max(), floor / squares.max())
                inner[:] = common
            rows[:] = np.maximum(rows, max(_SMALLEST_CURVATURE * rows.mean(), floor))
            if common is not None:
                inner[:] = common
            if not np.isfinite(rows).all():
                rows[:] = 1.0
        shapes = self.objective.shapes
        self._metric = np.concatenate(
            [
                np.broadcast_to(rows, shape).ravel()
                for rows, shape in zip(self._rows, shapes, strict=True)
            ]
        )
        if self.sweeps > 0:
            self.gamma *= 2.0
        self.pairs.rescale(self._inverse_metric)
        self._since_renewed = 0

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

    def sweep(self):
        """One step that descends, if there is one; returns how many trials did not."""
        refused = 0
        point, penalty, model = self._forward_backward(self.theta, self.gradient)
        decrease = self._penalty - penalty - model
        if not decrease > _ROUNDING * abs(self.value):
            self.stuck = True
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
        for _ in range(self._limits.halvings):
            if self._arrive(point, penalty, self._smooth + model, goal):
                return refused
            refused += 1
            self.gamma *= 0.5
            point, penalty, model = self._forward_backward(self.theta, self.gradient)
            goal = self.value + _SUFFICIENT * (model + penalty - self._penalty)
        self.stuck = True
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
