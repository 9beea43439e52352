"""A sweep over the blocks: F never rises, constraints hold, and each block is what it says."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS
from skmdlam.engine.loop.run import minimize
from skmdlam.engine.problem import Problem
from skmdlam.engine.relaxed import Relaxed
from skmdlam.engine.start import glorot
from skmdlam.engine.steps import blocks
from skmdlam.engine.steps.acceleration import Momentum
from skmdlam.engine.steps.least_squares import Design
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)
from skmdlam.penalties import PENALTIES, get_penalty

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]


def make_target(name, n, k, rng, dtype):
    if name == "softmax":
        return SoftmaxCrossEntropy(), np.eye(max(k, 2))[rng.integers(0, max(k, 2), n)].astype(dtype)
    if name == "logistic":
        return LogisticLoss(), rng.integers(0, 2, (n, k)).astype(dtype)
    Y = rng.normal(scale=10.0 ** rng.integers(-3, 4), size=(n, k))
    return get_loss(name), (np.abs(Y) if name == "poisson" else Y).astype(dtype)


def make_problem(rng, *, loss="squared_error", activations=("relu",), n=None, d=None, k=2,
                 dtype=np.float64, weighted=False, sparse=False, penalty="l2", alpha=1e-2,
                 scale=1.0, widths=None):  # fmt: skip
    n = int(rng.integers(2, 30)) if n is None else n
    d = int(rng.integers(1, 12)) if d is None else d
    X = (scale * rng.normal(size=(n, d))).astype(dtype)
    loss, Y = make_target(loss, n, k, rng, dtype)
    widths = rng.integers(1, 7, len(activations)).tolist() if widths is None else widths
    sizes = [d, *widths, Y.shape[1]]
    activations = [get_activation(a) for a in activations]
    weight = rng.uniform(0.1, 3.0, n).astype(dtype) if weighted else None
    problem = Problem(
        sp.csr_array(X) if sparse else X, Y, activations, loss, get_penalty(penalty), alpha, weight
    )
    seed = np.random.RandomState(int(rng.integers(1000)))
    return problem, *glorot(sizes, seed, dtype, activations)


def objective_from_scratch(sweep):
    """F, its terms summed anew from the blocks of a sweep."""
    problem = sweep.problem
    s = np.ones(len(problem.Y)) if problem.sample_weight is None else problem.sample_weight
    value = float(s @ problem.loss.value(sweep.z[-1], problem.Y))
    layer_input = problem.X
    for layer, (W, b, z) in enumerate(zip(sweep.coefs, sweep.intercepts, sweep.z, strict=True)):
        if problem.alpha > 0:
            value += problem.alpha * problem.penalty.value(W)
        value += sweep.rho / 2 * float(s @ ((z - layer_input @ W - b) ** 2).sum(axis=1))
        if layer < len(sweep.z) - 1:
            layer_input = sweep.a[layer]
    return value


def assert_monotone(records):
    """F never rises between two sweeps of the same epsilon."""
    for before, after in itertools.pairwise(records):
        if before.epsilon == after.epsilon:
            assert after.objective <= before.objective * (1 + 1e-9)


def draw_configuration(rng):
    """A random legal configuration, from mild to absurd."""
    depth = int(rng.integers(0, 5))
    # Layers of steps can be constant up to rounding; what is fitted to them cancels in a sum from
    # scratch. They have a test of their own.
    names = sorted(set(ACTIVATIONS) - {"sign"})
    return {
        "problem": {
            "loss": LOSSES[rng.integers(len(LOSSES))],
            "activations": tuple(names[i] for i in rng.integers(0, len(names), depth)),
            "weighted": bool(rng.integers(2)),
            "sparse": bool(rng.integers(4) == 0),
            "penalty": sorted(PENALTIES)[rng.integers(len(PENALTIES))],
            "alpha": float(rng.choice([0.0, 1e-4, 0.1, 1e3])),
            "scale": 10.0 ** rng.integers(-8, 9),
            "k": int(rng.integers(1, 4)),
            "d": int(rng.integers(1, 40)),
        },
        "solver": {
            "w_step": str(rng.choice(["quadratic", "exact"])),
            "hidden_step": str(rng.choice(["joint", "separate"])),
            "order": str(rng.choice(["forward", "backward"])),
            "accelerate": bool(rng.integers(4)),
            "epsilon_start": float(rng.choice([1e-3, 1.0, 100.0])),
            "epsilon_factor": float(rng.choice([0.1, 0.5, 0.9, 1.0])),
            "row_space": bool(rng.integers(2)),
        },
        "rho": 10.0 ** rng.uniform(-8, 8),
        "epsilon": 10.0 ** rng.uniform(-6, 1),
    }


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 20))]
)
def test_monotone_in_300_random_configurations(block):
    for seed in range(15 * block, 15 * (block + 1)):
        rng = np.random.default_rng(seed)
        drawn = draw_configuration(rng)
        problem, coefs, intercepts = make_problem(rng, **drawn["problem"])
        solver = Relaxed(**drawn["solver"])
        run = solver.start(problem, coefs, intercepts, rho=drawn["rho"], epsilon=drawn["epsilon"])
        records = []
        for _ in range(25):
            records.append(next(run))
            total = objective_from_scratch(run.step) / run.step.rows.total
            # The cross terms of the gaps are differences of numbers as large as the data.
            size = max(float(np.max(np.abs(z), initial=0.0)) for z in (*run.step.z, *run.step.v))
            rounding = 1e-13 * run.step.rho * size**2 * len(run.step.z) * problem.Y.shape[0]
            assert records[-1].objective == pytest.approx(total, rel=1e-9, abs=rounding), drawn
        assert_monotone(records)
        assert all(np.isfinite(W).all() for W in (*run.step.coefs, *run.step.intercepts)), drawn
        for a, z, h in zip(run.step.a, run.step.z, problem.activations, strict=False):
            slack = 1e-9 * (1 + np.abs(a))
            assert (np.abs(a - h.value(z)) <= run.step.epsilon + slack).all(), drawn


@pytest.mark.parametrize("hidden_step", ["joint", "separate"])
def test_monotone_with_steps(hidden_step):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        problem, coefs, intercepts = make_problem(rng, activations=("sign", "tanh", "sign"), n=40)
        run = Relaxed(hidden_step=hidden_step).start(
            problem, coefs, intercepts, rho=10.0 ** rng.uniform(-3, 3), epsilon=1e-3
        )
        assert_monotone(list(itertools.islice(run, 40)))
        for a, z, h in zip(run.step.a, run.step.z, problem.activations, strict=False):
            assert (np.abs(a - h.value(z)) <= run.step.epsilon * (1 + 1e-9)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_monotone_in_float32(loss):
    hidden_step = "separate" if loss in ("softmax", "huber") else "joint"
    rng = np.random.default_rng(1)
    problem, coefs, intercepts = make_problem(
        rng, loss=loss, activations=("relu", "tanh"), dtype=np.float32
    )
    solver = Relaxed(hidden_step=hidden_step)
    run = solver.start(problem, coefs, intercepts, rho=0.1, epsilon=1e-3)
    assert_monotone(list(itertools.islice(run, 60)))
    assert all(W.dtype == np.float32 for W in (*run.step.coefs, *run.step.intercepts, *run.step.z, *run.step.a))


@pytest.mark.parametrize(("order", "activation"), [("forward", "relu"), ("backward", "tanh")])
def test_ends_at_a_stationary_point_of_every_block(order, activation):
    """After many sweeps no block can be improved by moving along itself."""
    rng = np.random.default_rng(3)
    problem, coefs, intercepts = make_problem(
        rng, loss="softmax", activations=(activation,), n=15, d=3, k=3, alpha=1.0, widths=[3]
    )
    solver = Relaxed(w_step="exact", order=order)
    run = solver.start(problem, coefs, intercepts, rho=0.5, epsilon=0.1)
    records = minimize(run, max_iter=1000, tol=0.0, n_iter_no_change=1000).records
    assert records[-1].objective >= records[-10].objective * (1 - 1e-7)  # it has settled
    best = objective_from_scratch(run.step)
    for block in range(2):
        for target in (run.step.coefs, run.step.intercepts):
            kept = target[block]
            for size in (1e-5, 1e-3):
                for _ in range(20):
                    target[block] = kept + size * rng.normal(size=kept.shape)
                    assert best <= objective_from_scratch(run.step) * (1 + 1e-7)
            target[block] = kept
    kept = run.step.z[-1]
    for _ in range(20):
        run.step.z[-1] = kept + 1e-3 * rng.normal(size=kept.shape)
        assert best <= objective_from_scratch(run.step) * (1 + 1e-7)
    run.step.z[-1] = kept
    z, a, h = run.step.z[0], run.step.a[0], problem.activations[0]
    for _ in range(20):
        run.step.z[0] = z + 1e-3 * rng.normal(size=z.shape)
        activated = h.value(run.step.z[0])
        run.step.a[0] = np.clip(a, activated - run.step.epsilon, activated + run.step.epsilon)
        assert best <= objective_from_scratch(run.step) * (1 + 1e-7)


@pytest.mark.parametrize(
    ("options", "penalty", "sparse"),
    [
        ({}, "l2", False),
        ({}, "none", True),
        ({"w_step": "exact"}, "l2", True),
        ({"hidden_step": "separate"}, "l2", False),
    ],
    ids=str,
)
def test_row_space_gives_the_same_run(options, penalty, sparse):
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(5), loss="softmax", activations=("relu", "tanh"), n=12, d=90, k=3,
        penalty=penalty, widths=[6, 5], weighted=True, sparse=sparse,
    )  # fmt: skip
    runs = [
        Relaxed(row_space=on, **options).start(problem, coefs, intercepts, rho=0.05, epsilon=1e-3)
        for on in (True, False)
    ]
    assert runs[0].step.problem.X.shape[1] < 90 == runs[1].step.problem.X.shape[1]
    for small, full in itertools.islice(zip(*runs, strict=True), 40):
        assert small.objective == pytest.approx(full.objective, rel=1e-6)
        assert small.loss == pytest.approx(full.loss, rel=1e-6)
    for small, full in zip(runs[0].weights()[0], runs[1].weights()[0], strict=True):
        np.testing.assert_allclose(small, full, rtol=1e-4, atol=1e-6)


def test_penalties_that_rotations_change_stay_in_full_dimension():
    problem, coefs, intercepts = make_problem(np.random.default_rng(0), n=5, d=60, penalty="l1")
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    assert run.step.problem.X.shape[1] == 60


def test_momentum_begins_anew_with_every_epsilon():
    """Extrapolation across the step of F that a narrower tube makes would have no meaning."""
    problem, coefs, intercepts = make_problem(np.random.default_rng(2))
    run = Relaxed(epsilon_start=8e-3).start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    weights, advance = [], run.step.momentum.advance

    def recorded():
        weights.append(advance())
        return weights[-1]

    run.step.momentum.advance = recorded
    epsilons = [record.epsilon for record in itertools.islice(run, 8)]
    assert epsilons == [8e-3, 4e-3, 2e-3] + [1e-3] * 5
    alone = Momentum()
    assert weights == [0.0] * 3 + [alone.advance() for _ in range(5)]
    assert weights[-1] > 0.0


@pytest.mark.parametrize("overshoot", [-1.0, 3.0, 30.0])
def test_a_wrong_prox_of_the_loss_is_refused(overshoot):
    """z_L is only replaced where F falls: a loss of the user may not know its own prox."""

    class Wrong(SquaredError):
        def prox(self, v, y, rho, start=None):
            return v + overshoot * (super().prox(v, y, rho) - v)

    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), activations=("tanh",), n=20, d=4
    )
    problem.loss = Wrong()
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    records = list(itertools.islice(run, 40))
    assert_monotone(records)
    final = [record.objective for record in records if record.epsilon == 1e-3]
    assert final[-1] <= final[0]
    total = objective_from_scratch(run.step) / run.step.rows.total
    assert records[-1].objective == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_gap_is_the_root_mean_square_of_all_residuals(weighted):
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), activations=("relu", "tanh"), n=20, weighted=weighted
    )
    run = Relaxed().start(problem, coefs, intercepts, rho=0.1, epsilon=1e-2)
    s = problem.sample_weight if weighted else np.ones(20)
    for record in itertools.islice(run, 20):
        inputs = [problem.X, *run.step.a]
        layers = zip(run.step.z, inputs, run.step.coefs, run.step.intercepts, strict=True)
        squares = sum(s @ ((z - a @ W - b) ** 2).sum(axis=1) for z, a, W, b in layers)
        assert record.gap == pytest.approx(np.sqrt(squares / s.sum()), rel=1e-9, abs=0)
        assert record.gap > 0.0


def test_starting_weights_are_not_touched():
    problem, coefs, intercepts = make_problem(np.random.default_rng(2))
    copies = [W.copy() for W in (*coefs, *intercepts)]
    list(itertools.islice(
        Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3), 5
    ))  # fmt: skip
    for before, after in zip(copies, (*coefs, *intercepts), strict=True):
        np.testing.assert_array_equal(before, after)
