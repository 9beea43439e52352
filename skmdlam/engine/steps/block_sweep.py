"""A sweep over the blocks of the relaxed objective, each with a safeguard of its own."""

from dataclasses import replace

import numpy as np

from ..inputs.row_space import RowSpace
from ..linalg import spectral_norm_squared
from ..records import Value
from . import blocks
from .acceleration import Momentum, extrapolate, first_descent
from .least_squares import Design, penalized


class BlockSweep:
    """The step of solver "relaxed": every block once, on all samples.

    ``coefs[l]``, ``intercepts[l]`` lead to ``v[l]``, ``z[l]``; ``a[l]`` is the activation of
    ``z[l]``. ``data``, ``ridge[l]`` and ``residual[l]`` are the terms of F as last computed, and F
    is always their sum: a block that is refused leaves all of them as they were.

    Parameters
    ----------
    options : Relaxed
    problem : Problem
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed.
    rho : float
    epsilon : float
        Tolerance of the constraints to begin with.

    Attributes
    ----------
    refused : int
        Extrapolated updates that were refused in the last sweep.
    stuck : bool
        Never.
    """

    stuck = False

    def __init__(self, options, problem, coefs, intercepts, rho, epsilon):
        self.options, self.rho, self.epsilon = options, rho, epsilon
        self.limits = options.constants.limits
        self.coefs, self.intercepts = list(coefs), list(intercepts)
        self._space = None
        if (
            options.row_space
            and problem.penalty.rotation_invariant
            and RowSpace.pays(problem.X, coefs[0].shape[1], self.limits)
        ):
            self._space = RowSpace(problem.X, coefs[0])
            problem = replace(problem, X=self._space.X)
            self.coefs[0] = self._space.W
        self.problem, self.rows = problem, problem.rows
        # Weights start inside the domain of the penalty.
        self.coefs = [problem.penalty.prox(W, 0.0) for W in self.coefs]
        self.depth = len(self.coefs)
        self.momentum = Momentum(enabled=options.accelerate)
        self.refused = 0
        self._first_design = Design(problem.X, self.rows, self.limits)
        self._start()
        self._snapshot = list(self.coefs), list(self.intercepts)

    def _start(self):
        """Feasible start: every constraint is tight, F = J."""
        problem = self.problem
        self.v, self.z, self.a = [], [], []
        layer_input = problem.X
        for layer in range(self.depth):
            v = self._affine(layer_input, layer)
            self.v.append(v)
            self.z.append(v)
            if layer < self.depth - 1:
                layer_input = problem.activations[layer].value(v)
                self.a.append(layer_input)
        self.v_previous = None
        self.coefs_previous = [None] * self.depth
        self.a_previous = [None] * (self.depth - 1)
        self.residual = [0.0] * self.depth
        self.ridge = [problem.penalty_value(W) for W in self.coefs]
        self.data = problem.data_loss(self.z[-1])

    # -- a sweep --------------------------------------------------------------------------------

    def begin(self):
        """Before a sweep: no update was refused yet."""
        self.refused = 0

    def settle(self):
        """After it: nothing was put off."""

    def restart(self):
        """After a sweep that was taken back: there is none."""

    def __call__(self, rows, epsilon):
        """One sweep with this tolerance of the constraints."""
        if epsilon != self.epsilon:
            self._tighten(epsilon)
        omega = self.momentum.advance()
        layers = range(self.depth)
        if self.options.order == "forward":
            for layer in layers:
                self._update_weights(layer, omega)
                self._update_values(layer, omega)
        else:
            for layer in reversed(layers):
                self._update_values(layer, omega)
                self._update_weights(layer, omega)

    def _update_values(self, layer, omega):
        """z_l and, of a hidden layer, a_l."""
        if layer < self.depth - 1:
            self._update_hidden(layer, omega)
        else:
            self._update_output()

    def relaxed_objective(self):
        """F, from its terms."""
        return self.data + sum(self.ridge) + self.rho * sum(self.residual)

    def objective(self):
        """F and J, and how far the constraints are from holding; the sweep is complete now."""
        total = self.rows.total
        loss = self.problem.training_objective(self.coefs, self.intercepts, self.v[0])
        gap = float(np.sqrt(2.0 * sum(self.residual) / total))
        self._snapshot = list(self.coefs), list(self.intercepts)
        return Value(self.relaxed_objective() / total, loss / total, gap=gap)

    def weights(self):
        """Weights after the last complete sweep, in the coordinates of the user's X."""
        coefs, intercepts = self._snapshot
        if self._space is not None:
            coefs = [self._space.expand(coefs[0]), *coefs[1:]]
        return list(coefs), list(intercepts)

    # -- blocks ---------------------------------------------------------------------------------

    def _update_weights(self, layer, omega):
        """W_l and b_l: descend on ``alpha penalty(W_l) + rho gap_l``."""
        W, z = self.coefs[layer], self.z[layer]
        design = (
            self._first_design if layer == 0 else Design(self.a[layer - 1], self.rows, self.limits)
        )
        z_mean = self.rows.mean(z)
        steps = self._exact_weights if self.options.w_step == "exact" else self._model_weights

        def evaluated():
            for new in steps(layer, design, z - z_mean, omega):
                b = blocks.update_b(z_mean, design.mean, new)
                v = _affine(design.A, new, b)
                ridge, gap = self.problem.penalty_value(new), self._half_square(z, v)
                yield ridge + self.rho * gap, (new, b, v, ridge, gap)

        update, refused = first_descent(
            evaluated(), self.ridge[layer] + self.rho * self.residual[layer]
        )
        self.refused += refused
        self.coefs_previous[layer] = W
        if layer == 0:
            self.v_previous = self.v[0]
        if update is not None:
            (
                self.coefs[layer],
                self.intercepts[layer],
                self.v[layer],
                self.ridge[layer],
                self.residual[layer],
            ) = update

    def _exact_weights(self, layer, design, T, omega):
        """The minimizer of the block: ridge regression, or FISTA to the end for other penalties."""
        penalty, alpha = self.problem.penalty, self.problem.alpha
        if penalty.ridge is not None:
            yield design.ridge(T, alpha * penalty.ridge / self.rho, start=self.coefs[layer])
        else:
            yield penalized(design, T, self.rho, penalty, alpha, self.coefs[layer])

    def _model_weights(self, layer, design, T, omega):
        """Minimizers of the quadratic model at the extrapolated and at the plain weights."""
        W, penalty, alpha = self.coefs[layer], self.problem.penalty, self.problem.alpha
        # alpha / theta stays finite, also where the input is constant.
        theta = max(self.rho * design.top_eigenvalue(), alpha * 1e-290)
        narrow = design.A.shape[1] <= design.A.shape[0]
        cross = design.cross(T) if narrow else None
        for weight in (omega, 0.0) if omega > 0 else (0.0,):
            point = extrapolate(W, self.coefs_previous[layer], weight)
            if narrow:
                gradient = design.curvature(point) - cross
            else:
                # X W is linear in W: the extrapolated one needs no product with X.
                residual = (
                    extrapolate(self.v[0], self.v_previous, weight)
                    if layer == 0
                    else (design.A @ point)
                )
                residual = residual - self.z[layer]
                residual -= self.rows.mean(residual)
                gradient = design.cross(residual)
            gradient *= self.rho
            yield blocks.update_w(point, gradient, theta, penalty, alpha)

    def _update_hidden(self, layer, omega):
        """z_l and a_l, l < L: descend on ``gap_l + gap_{l+1}``."""
        if self.options.hidden_step == "separate":
            self._update_z(layer)
        activation = self.problem.activations[layer]
        z, a, z_next = self.z[layer], self.a[layer], self.z[layer + 1]
        W_next = self.coefs[layer + 1]
        curvature = spectral_norm_squared(W_next, self.limits.dense_eigenvalue)
        tau = self.rho * max(curvature, np.finfo(W_next.dtype).tiny / min(self.rho, 1.0))

        def evaluated():
            for weight in (omega, 0.0) if omega > 0 else (0.0,):
                point = extrapolate(a, self.a_previous[layer], weight)
                v_next = self.v[layer + 1] if point is a else self._affine(point, layer + 1)
                target = blocks.target_a(point, v_next - z_next, W_next, self.rho, tau)
                if self.options.hidden_step == "joint":
                    new_z, new_a = blocks.update_za(
                        activation, self.v[layer], target, self.rho, tau, self.epsilon
                    )
                    gap = self._half_square(new_z, self.v[layer])
                else:
                    new_z, gap = z, self.residual[layer]
                    new_a = blocks.update_a(target, activation.value(z), self.epsilon)
                new_v = self._affine(new_a, layer + 1)
                gap_next = self._half_square(z_next, new_v)
                yield gap + gap_next, (new_z, new_a, new_v, gap, gap_next)

        if self.options.hidden_step == "separate":
            z = self.z[layer]
        update, refused = first_descent(
            evaluated(), self.residual[layer] + self.residual[layer + 1]
        )
        self.refused += refused
        self.a_previous[layer] = a
        if update is not None:
            (
                self.z[layer],
                self.a[layer],
                self.v[layer + 1],
                self.residual[layer],
                self.residual[layer + 1],
            ) = update

    def _update_z(self, layer):
        """z_l alone, l < L: the projection of v_l on the preimage of the tube around a_l."""
        a, v, z = self.a[layer], self.v[layer], self.z[layer]
        bounds = self.problem.activations[layer].preimage(a - self.epsilon, a + self.epsilon)
        new = blocks.update_z(v, z, *bounds)
        gap = self._half_square(new, v)
        if gap <= self.residual[layer]:
            self.z[layer], self.residual[layer] = new, gap

    def _update_output(self):
        """z_L: the prox of the loss."""
        problem, v = self.problem, self.v[-1]
        z = blocks.update_z_last(problem.loss, v, problem.Y, self.rho, self.z[-1])
        data, gap = problem.data_loss(z), self._half_square(z, v)
        if data + self.rho * gap <= self.data + self.rho * self.residual[-1]:
            self.z[-1], self.data, self.residual[-1] = z, data, gap

    def _tighten(self, epsilon):
        """Next epsilon; activations that left the narrower tube are put back and F recomputed."""
        self.epsilon = epsilon
        for layer, activation in enumerate(self.problem.activations):
            activated = activation.value(self.z[layer])
            a = blocks.update_a(self.a[layer], activated, epsilon)
            if not np.array_equal(a, self.a[layer]):
                self.a[layer] = a
                self.v[layer + 1] = self._affine(a, layer + 1)
                self.residual[layer + 1] = self._half_square(self.z[layer + 1], self.v[layer + 1])
            self.a_previous[layer] = None
        self.coefs_previous = [None] * self.depth
        self.v_previous = None
        self.momentum.restart()

    def _affine(self, layer_input, layer):
        return _affine(layer_input, self.coefs[layer], self.intercepts[layer])

    def _half_square(self, z, v):
        """``1/2 sum_i s_i ||z_i - v_i||^2``."""
        return 0.5 * self.rows.squared_norm(z - v)


def _affine(A, W, b):
    """``A W + b``, with the sum in place."""
    v = A @ W
    v += b
    return v
