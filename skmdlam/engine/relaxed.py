"""Solver "relaxed": the paper's Algorithm 1, with working momentum and safeguards that hold."""

import time
from dataclasses import dataclass, replace

import numpy as np

from . import blocks
from .acceleration import Momentum, extrapolate, first_descent
from .least_squares import Design, penalised, spectral_norm_squared
from .options import check_choice, check_flag, check_number
from .row_space import RowSpace
from .run import Record, Settings
from .start import gaussian, glorot

_RHO = 1.0
_CHOICES = {
    "w_step": ("quadratic", "exact"),
    "hidden_step": ("joint", "separate"),
    "order": ("forward", "backward"),
}


@dataclass(frozen=True)
class Relaxed:
    """Multi-convex alternating minimisation of the relaxed objective (paper, Algorithm 1).

    Minimises ``F(W, b, z, a) = R(z_L) + alpha sum_l penalty(W_l)
    + rho/2 sum_l sum_i s_i ||z_l - a_{l-1} W_l - b_l||^2`` subject to
    ``|a_l - h_l(z_l)| <= epsilon``, one block after the other. A sweep, for l = 1, ..., L::

        W_l, b_l  <-  prox of the penalty after a step on the extrapolated W_l, exact b_l
        z_l, a_l  <-  minimisers over the tube |a - h(z)| <= epsilon          (l < L)
        z_L       <-  prox of the loss at v_L
        each      <-  redone from the plain point when F rose, kept when it rose again
        epsilon   <-  max(epsilon_final, epsilon_factor * epsilon); feasibility restored, momentum
                      restarted

    F never rises between two changes of epsilon, whatever the parameters are.

    Parameters
    ----------
    w_step : {"quadratic", "exact"}, default="quadratic"
        Weights by the paper's quadratic model (one proximal gradient step with the exact
        curvature) or by solving the block to the end.
    hidden_step : {"joint", "separate"}, default="joint"
        Pre-activations and activations of a hidden layer together, or the paper's two updates.
        Those jam once epsilon is small: each then moves by no more than epsilon.
    order : {"forward", "backward"}, default="forward"
        From the first layer to the last (the paper) or from the last to the first.
    accelerate : bool, default=True
        Nesterov extrapolation of W and a.
    epsilon_start : float, default=100.0
        Tolerance in the first sweep; the estimator's ``epsilon`` is the one that it ends with.
    epsilon_factor : float, default=0.5
        Factor from one sweep to the next, in (0, 1].
    start_scale : float or None, default=None
        Standard deviation of a Gaussian start (the paper's experiments have 0.1); None starts as
        MLPClassifier does, Glorot uniform.
    row_space : bool, default=True
        Work in the row space of X where that is smaller and the penalty allows it. The sweeps
        are the same ones, up to rounding.

    Raises
    ------
    ValueError
        When an option is out of range or of the wrong kind.

    References
    ----------
    J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by Multi-convex
    Alternating Optimization", Neurocomputing, 2022.

    Examples
    --------
    >>> from skmdlam import Relaxed
    >>> Relaxed(w_step="exact", accelerate=False).order
    'forward'
    """

    w_step: str = "quadratic"
    hidden_step: str = "joint"
    order: str = "forward"
    accelerate: bool = True
    epsilon_start: float = 100.0
    epsilon_factor: float = 0.5
    start_scale: float | None = None
    row_space: bool = True

    name = "relaxed"

    def __post_init__(self):
        for option, choices in _CHOICES.items():
            check_choice(option, getattr(self, option), choices)
        check_flag("accelerate", self.accelerate)
        check_number("epsilon_start", self.epsilon_start, "(0, inf)")
        check_number("epsilon_factor", self.epsilon_factor, "(0, 1]")
        check_number("start_scale", self.start_scale, "(0, inf)", optional=True)
        check_flag("row_space", self.row_space)

    def initial_weights(self, sizes, rng, dtype, activations):
        """Random start: Glorot, or ``N(0, start_scale^2)``.

        Parameters
        ----------
        sizes : sequence of int
            Units of each layer, from the inputs to the outputs.
        rng : numpy.random.RandomState
            What the weights are drawn from.
        dtype : dtype
            Type of the weights.
        activations : sequence of Activation
            One for each hidden layer.

        Returns
        -------
        coefs, intercepts : list of ndarray
            Starting weights.
        """
        if self.start_scale is None:
            return glorot(sizes, rng, dtype, activations)
        return gaussian(sizes, rng, dtype, self.start_scale)

    def rows_at_a_time(self, n, batch_size):
        """Rows in the products of a step: all of them.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int or None
            No use here.

        Returns
        -------
        rows : int
            ``n``.
        """
        return n

    def start(self, problem, coefs, intercepts, **settings):
        """Begin a run; the result is an iterator of records.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed.
        **settings
            The attributes of :class:`~skmdlam.engine.run.Settings`. With ``warm`` the schedule of
            epsilon starts where it ends. ``rho=None`` stands for 1.

        Returns
        -------
        RelaxedRun
            Iterate it for one record a sweep; ``weights()`` gives the weights.

        Raises
        ------
        ValueError
            For a batch smaller than the data or an ``activity_alpha`` above zero, which this
            solver does not have.
        """
        settings = Settings(**settings)
        size, n = settings.batch_size, problem.X.shape[0]
        if size is not None and size < n:
            raise ValueError(
                f"batch_size={size} needs solver='feasible': solver='relaxed' works on all {n} "
                "samples at once. Use batch_size='auto' or None."
            )
        if settings.activity_alpha:
            raise ValueError(
                f"activity_alpha={settings.activity_alpha!r} needs solver='feasible': the relaxed "
                "objective has no such term. Use activity_alpha='auto' or 0."
            )
        return RelaxedRun(self, problem, coefs, intercepts, settings)


class RelaxedRun:
    """The state of one run of :class:`Relaxed`; iterate it for one record a sweep.

    ``coefs[l]``, ``intercepts[l]`` lead to ``v[l]``, ``z[l]``; ``a[l]`` is the activation of
    ``z[l]``. ``data``, ``ridge[l]`` and ``gap[l]`` are the terms of F as last computed, and F is
    always their sum: a block that is refused leaves all of them as they were.
    """

    def __init__(self, options, problem, coefs, intercepts, settings):
        self.options = options
        self.rho = _RHO if settings.rho is None else settings.rho
        self.epsilon_final = self.epsilon = settings.epsilon
        if not settings.warm:
            self.epsilon = max(self.epsilon, options.epsilon_start)
        self._clock = time.perf_counter()
        self.coefs, self.intercepts = list(coefs), list(intercepts)
        self._space = None
        if (
            options.row_space
            and problem.penalty.rotation_invariant
            and RowSpace.pays(problem.X, coefs[0].shape[1])
        ):
            self._space = RowSpace(problem.X, coefs[0])
            problem = replace(problem, X=self._space.X)
            self.coefs[0] = self._space.W
        self.problem, self.rows = problem, problem.rows
        # Weights start inside the domain of the penalty.
        self.coefs = [problem.penalty.prox(W, 0.0) for W in self.coefs]
        self.depth = len(self.coefs)
        self.momentum = Momentum(enabled=options.accelerate)
        self.iteration = 0
        self.restarts = 0
        self._first_design = Design(problem.X, self.rows)
        self._initialise()
        self._snapshot = list(self.coefs), list(self.intercepts)

    def _initialise(self):
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
        self.gap = [0.0] * self.depth
        self.ridge = [problem.penalty_value(W) for W in self.coefs]
        self.data = problem.data_loss(self.z[-1])

    def __iter__(self):
        return self

    def __next__(self):
        if self.iteration > 0:
            self._shrink_epsilon()
        self.restarts = 0
        omega = self.momentum.advance()
        layers = range(self.depth)
        if self.options.order == "forward":
            for layer in layers:
                self._update_weights(layer, omega)
                if layer < self.depth - 1:
                    self._update_hidden(layer, omega)
                else:
                    self._update_output()
        else:
            for layer in reversed(layers):
                if layer < self.depth - 1:
                    self._update_hidden(layer, omega)
                else:
                    self._update_output()
                self._update_weights(layer, omega)
        self.iteration += 1
        loss = self.problem.training_objective(self.coefs, self.intercepts, self.v[0])
        self._snapshot = list(self.coefs), list(self.intercepts)
        return Record(
            iteration=self.iteration,
            objective=self.objective() / self.rows.total,
            loss=loss / self.rows.total,
            rho=self.rho,
            epsilon=self.epsilon,
            gap=float(np.sqrt(2.0 * sum(self.gap) / self.rows.total)),
            restarts=self.restarts,
            settled=self.epsilon <= self.epsilon_final,
            seconds=time.perf_counter() - self._clock,
        )

    def objective(self):
        """F, from its terms."""
        return self.data + sum(self.ridge) + self.rho * sum(self.gap)

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
        design = self._first_design if layer == 0 else Design(self.a[layer - 1], self.rows)
        z_mean = self.rows.mean(z)
        steps = self._exact_weights if self.options.w_step == "exact" else self._model_weights

        def evaluated():
            for new in steps(layer, design, z - z_mean, omega):
                b = blocks.update_b(z_mean, design.mean, new)
                v = _affine(design.A, new, b)
                ridge, gap = self.problem.penalty_value(new), self._gap(z, v)
                yield ridge + self.rho * gap, (new, b, v, ridge, gap)

        update, refused = first_descent(evaluated(), self.ridge[layer] + self.rho * self.gap[layer])
        self.restarts += refused
        self.coefs_previous[layer] = W
        if layer == 0:
            self.v_previous = self.v[0]
        if update is not None:
            (
                self.coefs[layer],
                self.intercepts[layer],
                self.v[layer],
                self.ridge[layer],
                self.gap[layer],
            ) = update

    def _exact_weights(self, layer, design, T, omega):
        """The minimiser of the block: ridge regression, or FISTA to the end for other penalties."""
        penalty, alpha = self.problem.penalty, self.problem.alpha
        if penalty.ridge is not None:
            yield design.ridge(T, alpha * penalty.ridge / self.rho, start=self.coefs[layer])
        else:
            yield penalised(design, T, self.rho, penalty, alpha, self.coefs[layer])

    def _model_weights(self, layer, design, T, omega):
        """Minimisers of the quadratic model at the extrapolated and at the plain weights."""
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
        curvature = spectral_norm_squared(W_next)
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
                    gap = self._gap(new_z, self.v[layer])
                else:
                    new_z, gap = z, self.gap[layer]
                    new_a = blocks.update_a(target, activation.value(z), self.epsilon)
                new_v = self._affine(new_a, layer + 1)
                gap_next = self._gap(z_next, new_v)
                yield gap + gap_next, (new_z, new_a, new_v, gap, gap_next)

        if self.options.hidden_step == "separate":
            z = self.z[layer]
        update, refused = first_descent(evaluated(), self.gap[layer] + self.gap[layer + 1])
        self.restarts += refused
        self.a_previous[layer] = a
        if update is not None:
            (
                self.z[layer],
                self.a[layer],
                self.v[layer + 1],
                self.gap[layer],
                self.gap[layer + 1],
            ) = update

    def _update_z(self, layer):
        """z_l alone, l < L: the projection of v_l on the preimage of the tube around a_l."""
        a, v, z = self.a[layer], self.v[layer], self.z[layer]
        bounds = self.problem.activations[layer].preimage(a - self.epsilon, a + self.epsilon)
        new = blocks.update_z(v, z, *bounds)
        gap = self._gap(new, v)
        if gap <= self.gap[layer]:
            self.z[layer], self.gap[layer] = new, gap

    def _update_output(self):
        """z_L: the prox of the loss."""
        problem, v = self.problem, self.v[-1]
        z = blocks.update_z_last(problem.loss, v, problem.Y, self.rho, self.z[-1])
        data, gap = problem.data_loss(z), self._gap(z, v)
        if data + self.rho * gap <= self.data + self.rho * self.gap[-1]:
            self.z[-1], self.data, self.gap[-1] = z, data, gap

    def _shrink_epsilon(self):
        """Next epsilon; activations that left the narrower tube are put back and F recomputed."""
        shrunk = max(self.epsilon_final, self.options.epsilon_factor * self.epsilon)
        if shrunk == self.epsilon:
            return
        self.epsilon = shrunk
        for layer, activation in enumerate(self.problem.activations):
            activated = activation.value(self.z[layer])
            a = blocks.update_a(self.a[layer], activated, shrunk)
            if not np.array_equal(a, self.a[layer]):
                self.a[layer] = a
                self.v[layer + 1] = self._affine(a, layer + 1)
                self.gap[layer + 1] = self._gap(self.z[layer + 1], self.v[layer + 1])
            self.a_previous[layer] = None
        self.coefs_previous = [None] * self.depth
        self.v_previous = None
        self.momentum.restart()

    def _affine(self, layer_input, layer):
        return _affine(layer_input, self.coefs[layer], self.intercepts[layer])

    def _gap(self, z, v):
        """``1/2 sum_i s_i ||z_i - v_i||^2``."""
        return 0.5 * self.rows.squared_norm(z - v)


def _affine(A, W, b):
    """``A W + b``, with the sum in place."""
    v = A @ W
    v += b
    return v
