"""The step of mini-batches against the same step on one page of NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.mini_batches import mini_batch_run
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.losses import Huber, LogisticLoss, SquaredError
from skmdlam.penalties import get_penalty

TUNED = replace(
    TUNED,
    warm_up=4,
    observe_first=2,
    observe_every=3,
    refresh_every=6,
    memory=0.3,
    largest_decrease=1.2,
    decrease_memory=0.2,
    hidden_gain=2.5,
)


def data(n=60, d=5, seed=0):
    """Inputs with a few samples far from all others, and a target of two outputs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[::9] *= 6.0
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] - X[:, 0]])
    return X, 7.0 + 3.0 * Y


def run_of(X, Y, loss, hidden, activation, *, weight=None, batch_size=15, rho=30.0, momentum=0.8,
           penalty="l2", alpha=0.0, tuned=TUNED, **options):  # fmt: skip
    solver = Feasible(
        momentum=momentum,
        single_precision=False,
        damping=0.3,
        constants=replace(CONSTANTS, tuned=tuned),
        **options,
    )
    activations = [get_activation(activation)] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    rng = np.random.RandomState(3)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    start = solver.initial_weights(sizes, rng, X.dtype, activations)
    settings = Settings(rho=rho, batch_size=batch_size, activity_alpha=0.0, rng=rng)
    return mini_batch_run(solver, problem, *start, settings)


class Reference:
    """The same algorithm, without buffers, from its description."""

    def __init__(self, run, *, momentum):
        prepared = run.step.prepared
        self.U, self.Y, self.loss = prepared.input.data, prepared.Y, prepared.loss
        self.scale, self.weight = prepared.loss_scale, prepared.weight
        self.row_weights = prepared.row_weights
        self.tail_weight, self.variance_weight = prepared.tail_weight, prepared.variance_weight
        self.V = [V.copy() for V in run.step.network.weights]
        self.h = run.step.network.activations
        self.gains = [layer.gain for layer in run.step.network.layers]
        self.rho, self.momentum, self.damping = run.step.rho, momentum, 0.3
        self.v = [np.zeros_like(V) for V in self.V]
        self.S, self.count, self.M = [None] * len(self.V), 0, [None] * len(self.V)
        self.usual, self.taken = [0.0] * len(self.V), [0] * len(self.V)
        self.t, self.since, self.shortened = 0, 0, 0

    def step(self, rows, factor):
        m, L = len(rows), len(self.V)
        ones, a, z = np.ones((m, 1)), [self.U[rows]], []
        for layer in range(L):
            z.append(a[layer] @ self.V[layer])
            if layer < L - 1:
                a.append(np.hstack([self.h[layer].value(z[layer]), ones]))
        D = self.loss.prox(z[-1], self.Y[rows], self.rho * self.scale) - z[-1]
        if isinstance(self.loss, LogisticLoss):  # its step is of first order
            D = -self.loss.gradient(z[-1], self.Y[rows]) / self.rho
        D = D * factor / m
        if self.weight is not None:
            D = D * self.weight[rows]
        self.t += 1
        self.since += 1
        self.follow(a, rows)
        for layer in range(L - 1, -1, -1):
            below = None
            if layer > 0:
                below = D @ self.V[layer][:-1].T
                below = below * self.h[layer - 1].derivative(z[layer - 1], a[layer][:, :-1])
                far = 1.0 if self.tail_weight is None else self.tail_weight[rows]
                right = a[layer].T @ (D * far)
                step = self.M[layer] @ right
            else:
                if self.row_weights is not None:
                    D = D * self.row_weights[rows]
                step = right = a[0].T @ D
            self.move(layer, step, np.sum(step * right) / factor**2)
            D = below
        if self.since >= TUNED.refresh_every:
            self.since = 0

    def move(self, layer, step, decrease):
        length, limit = 1.0, TUNED.largest_decrease * self.usual[layer]
        if self.taken[layer] > 5 and decrease > limit:
            length, decrease = np.sqrt(limit / decrease), limit
            self.shortened += 1
        self.taken[layer] += 1
        weight = max(TUNED.decrease_memory, 1.0 / self.taken[layer])
        self.usual[layer] += weight * (decrease - self.usual[layer])
        self.v[layer] = self.momentum * self.v[layer] + self.gains[layer] * length * step
        self.V[layer] = self.V[layer] + self.v[layer]

    def follow(self, a, rows):
        first = self.t <= TUNED.refresh_every
        observe = self.t % (TUNED.observe_first if first else TUNED.observe_every) == 1
        self.count += observe
        for layer in range(1, len(self.V)):
            if observe:
                weight = self.weight if self.variance_weight is None else self.variance_weight
                s = np.ones((len(rows), 1)) if weight is None else weight[rows]
                S = (a[layer] * s).T @ a[layer] / s.sum()
                rate = max(TUNED.memory, 1.0 / self.count)
                old = self.S[layer] if self.count > 1 else S
                self.S[layer] = (1 - rate) * old + rate * S
            if self.since >= TUNED.refresh_every or (first and observe):
                S = self.S[layer]
                spread = (S.diagonal()[:-1] - S[-1, :-1] ** 2).mean()
                damped = S + self.damping * spread * np.diag([1.0] * (len(S) - 1) + [0.0])
                self.M[layer] = np.linalg.inv(damped)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("hidden", "activation", "loss", "momentum"),
    [
        ((7,), "relu", SquaredError(), 0.8),
        ((7, 4), "tanh", SquaredError(), 0.8),
        ((6, 5), "logistic", Huber(0.5), 0.0),
        ((7, 1), "leaky_relu", LogisticLoss(), 0.9),
        ((), "relu", SquaredError(), 0.8),
    ],
)
def test_steps_are_the_documented_ones(hidden, activation, loss, momentum, weighted):
    X, Y = data()
    if isinstance(loss, LogisticLoss):
        Y = (Y > 7.0).astype(float)
    weight = np.random.default_rng(1).uniform(0.1, 3.0, len(X)) if weighted else None
    run = run_of(X, Y, loss, hidden, activation, weight=weight, momentum=momentum)
    step, schedule, rng = run.step, run.schedule, np.random.RandomState(5)
    assert step.prepared.row_weights is not None
    gain = 10.0 if activation == "logistic" else 2.5
    assert [layer.gain for layer in step.network.layers] == [gain] * len(hidden) + [1.0]
    reference = Reference(run, momentum=momentum)
    for _ in range(5):
        step.begin()
        for rows, progress in run.source.epoch(rng):
            factor = schedule.factor(progress)
            step(rows, factor)
            reference.step(rows, factor)
            for layer, V, v in zip(step.network.layers, reference.V, reference.v, strict=True):
                scale = np.abs(V).max()
                np.testing.assert_allclose(layer.V, V, rtol=1e-7, atol=1e-8 * scale)
                np.testing.assert_allclose(layer.velocity, v, rtol=1e-6, atol=1e-8 * scale)
        step.settle()
    assert reference.t == 20 == step.steps
    assert reference.shortened > 0 or not hidden


def test_accumulated_length():
    """The sum of ``factor / (curvature (1 - momentum))`` since the last block of the penalties."""
    X, Y = data()
    run = run_of(X, Y, SquaredError(), (7,), "relu", momentum=0.75)
    run.step.begin()
    rng = np.random.RandomState(0)
    batches = [rows for rows, _ in run.source.epoch(rng)]
    for rows, factor in zip(batches, (0.25, 0.5, 1.0), strict=False):
        run.step(rows, factor)
    for layer in run.step.network.layers:
        assert layer.accumulated == pytest.approx(1.75 / (31.0 * 0.25), rel=1e-12)


def test_blocks_of_the_penalties_come_in_time():
    """With every inversion, of a large first layer less often, and of all at the end."""
    X, Y = data(d=40)
    tuned = replace(TUNED, refresh_every=4)
    run = run_of(X, Y, SquaredError(), (3,), "relu", tuned=tuned, batch_size=6)
    calls, step = [], run.step
    assert step.first_every == 40 // 4
    step.penalties = lambda layers, epoch, first=True: calls.append((step.steps, epoch, first))
    for _ in range(3):
        step.begin()
        for rows, _ in run.source.epoch(np.random.RandomState(0)):
            step(rows, 1.0)
        step.settle()
    within = [(t, (t - 1) // 10, t % 10 < 4) for t in range(4, 31, 4)]
    ends = [(10, 0, True), (20, 1, True), (30, 2, True)]
    assert sorted(calls) == sorted(within + ends)


def test_a_step_that_is_not_finite_is_not_taken():
    X, Y = data()
    run = run_of(X, Y, SquaredError(), (7,), "relu")
    step = run.step
    step.begin()
    rows = np.arange(15)
    step(rows, 1.0)
    before = [V.copy() for V in step.network.weights]
    step.Y[3] = np.inf
    with np.errstate(all="ignore"):
        step(rows, 1.0)
    for V, W in zip(step.network.weights, before, strict=True):
        np.testing.assert_array_equal(V, W)


def test_restart_forgets_everything_but_the_weights():
    X, Y = data()
    run = run_of(X, Y, SquaredError(), (7, 4), "relu")
    step = run.step
    step.begin()
    for rows, _ in run.source.epoch(np.random.RandomState(0)):
        step(rows, 1.0)
    before = [V.copy() for V in step.network.weights]
    step.restart()
    assert step.rho == 60.0 and step.steps == step.since_refresh == 0
    for layer, V in zip(step.network.layers, before, strict=True):
        np.testing.assert_array_equal(layer.V, V)
        np.testing.assert_array_equal(layer.velocity, 0.0)
        assert layer.accumulated == 0.0 and layer.limit.count == 0
    assert not any(layer.preconditioner.ready for layer in step.network.above)
