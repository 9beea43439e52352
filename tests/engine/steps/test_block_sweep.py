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
    "block", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 50))]
)
def test_monotone_in_300_random_configurations(block):
    for seed in range(6 * block, 6 * (block + 1)):
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
@pytest.mark.slow
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
    assert all(
        W.dtype == np.float32
        for W in (*run.step.coefs, *run.step.intercepts, *run.step.z, *run.step.a)
    )


@pytest.mark.parametrize(
    ("order", "activation"),
    [("forward", "relu"), pytest.param("backward", "tanh", marks=pytest.mark.slow)],
)
@pytest.mark.slow
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


def after_sweeps(k=4, *, n=20, d=4, activations=("tanh", "relu"), widths=(6, 3), penalty="l2",
                 epsilon=0.05, **options):  # fmt: skip
    """A sweep in mid-course, whose extrapolation has something to go by."""
    problem, *start = make_problem(
        np.random.default_rng(4), activations=activations, n=n, d=d, weighted=True,
        penalty=penalty, alpha=0.3, widths=list(widths),
    )  # fmt: skip
    problem.Y = problem.Y / np.abs(problem.Y).max()
    solver = Relaxed(**{"row_space": False, "epsilon_start": epsilon, **options})
    run = solver.start(problem, *start, rho=0.7, epsilon=epsilon)
    list(itertools.islice(run, k))
    return run.step, problem.sample_weight, np.random.default_rng(1)


class TestBlocks:
    """Each against plain formulas of the paper, before the safeguard has a say."""

    @pytest.mark.parametrize("layer", [0, 1, 2])
    @pytest.mark.parametrize("wide", [False, True])
    @pytest.mark.parametrize("penalty", ["l2", "l1"])
    def test_weights_by_the_model(self, layer, wide, penalty):
        """``prox(P - rho A'S(A P + b - z) / theta, alpha / theta)``, centered, at two points P."""
        shape = {"n": 5, "d": 12, "widths": (11, 7)} if wide else {"n": 40}
        sweep, s, _ = after_sweeps(penalty=penalty, **shape)
        A = sweep.problem.X if layer == 0 else sweep.a[layer - 1]
        z, W, before = sweep.z[layer], sweep.coefs[layer], sweep.coefs_previous[layer]
        assert (A.shape[1] > A.shape[0]) == wide
        design, omega = Design(A, sweep.rows), 0.4
        share = s / s.sum()
        T, A = z - share @ z, A - share @ A
        found = list(sweep._model_weights(layer, design, T, omega))
        assert len(found) == 2
        theta = sweep.rho * design.top_eigenvalue()
        assert not np.allclose(W, before)
        for V, P in zip(found, (W + omega * (W - before), W), strict=True):
            gradient = sweep.rho * A.T @ (s[:, None] * (A @ P - T))
            expected = sweep.problem.penalty.prox(P - gradient / theta, 0.3 / theta)
            np.testing.assert_allclose(V, expected, rtol=1e-8, atol=1e-12)
        assert len(list(sweep._model_weights(layer, design, T, 0.0))) == 1

    @pytest.mark.parametrize("layer", [0, 1, 2])
    @pytest.mark.parametrize("penalty", ["l2", "l1", "none"])
    def test_exact_weights_are_the_minimizers(self, layer, penalty):
        sweep, _, rng = after_sweeps(w_step="exact", penalty=penalty, n=40)
        before = objective_from_scratch(sweep)
        sweep._update_weights(layer, 0.0)
        best = objective_from_scratch(sweep)
        assert best <= before
        W, b = sweep.coefs[layer], sweep.intercepts[layer]
        for size in (1e-4, 1e-2, 1.0):
            for _ in range(20):
                sweep.coefs[layer] = W + size * rng.normal(size=W.shape)
                sweep.intercepts[layer] = b + size * rng.normal(size=b.shape)
                assert best <= objective_from_scratch(sweep) * (1 + 1e-12)

    @pytest.mark.parametrize("hidden_step", ["joint", "separate"])
    @pytest.mark.parametrize("layer", [0, 1])
    def test_hidden_values(self, hidden_step, layer):
        """At the extrapolated activations, or the plain ones where F rises from there."""
        sweep, _, _ = after_sweeps(hidden_step=hidden_step)
        h, z, a, v = (part[layer] for part in (
            sweep.problem.activations, sweep.z, sweep.a, sweep.v))  # fmt: skip
        W, b, z_next = sweep.coefs[layer + 1], sweep.intercepts[layer + 1], sweep.z[layer + 1]
        s, rho, epsilon = sweep.problem.sample_weight[:, None], sweep.rho, sweep.epsilon
        tau = rho * np.linalg.norm(W, 2) ** 2 * (1 + 1e-5)
        start_z = z
        if hidden_step == "separate":
            start_z = blocks.update_z(v, z, *h.preimage(a - epsilon, a + epsilon))

        def gap(z, a):
            return (s * (z - v) ** 2).sum() + (s * (z_next - a @ W - b) ** 2).sum()

        expected = start_z, a
        for omega in (0.4, 0.0):
            point = a + omega * (a - sweep.a_previous[layer])
            target = point - rho / tau * (point @ W + b - z_next) @ W.T
            if hidden_step == "joint":
                new = h.joint(v, target, rho, tau, epsilon)
            else:
                new = (
                    start_z,
                    np.clip(target, h.value(start_z) - epsilon, h.value(start_z) + epsilon),
                )
            if gap(*new) <= gap(start_z, a):
                expected = new
                break
        sweep._update_hidden(layer, 0.4)
        np.testing.assert_allclose(sweep.z[layer], expected[0], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(sweep.a[layer], expected[1], rtol=1e-8, atol=1e-10)
        assert sweep.a_previous[layer] is a
        assert gap(sweep.z[layer], sweep.a[layer]) < gap(z, a)

    def test_output_is_the_prox_of_the_loss(self):
        sweep, *_ = after_sweeps()
        sweep._update_output()
        z, v, y = sweep.z[-1], sweep.v[-1], sweep.problem.Y
        np.testing.assert_allclose(z, (sweep.rho * v + y) / (1 + sweep.rho), rtol=1e-12)

    def test_first_descent_is_counted_and_a_block_without_any_stays(self):
        sweep, *_ = after_sweeps()
        sweep._model_weights = lambda layer, design, T, omega: iter(
            [sweep.coefs[layer] + 1e3, sweep.coefs[layer] - 1e3]
        )
        before = sweep.coefs[1], sweep.intercepts[1], sweep.v[1], sweep.residual[1], sweep.ridge[1]
        sweep.begin()
        assert sweep.refused == 0
        sweep._update_weights(1, 0.5)
        after = sweep.coefs[1], sweep.intercepts[1], sweep.v[1], sweep.residual[1], sweep.ridge[1]
        assert all(one is other for one, other in zip(before, after, strict=True))
        assert sweep.refused == 2
        sweep.begin()
        assert sweep.refused == 0


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_order_of_the_blocks(order):
    sweep, *_ = after_sweeps(order=order)
    seen = []
    sweep._update_weights = lambda layer, omega: seen.append(("W", layer))
    sweep._update_values = lambda layer, omega: seen.append(("z", layer))
    sweep(None, sweep.epsilon)
    if order == "forward":
        assert seen == [("W", 0), ("z", 0), ("W", 1), ("z", 1), ("W", 2), ("z", 2)]
    else:
        assert seen == [("z", 2), ("W", 2), ("z", 1), ("W", 1), ("z", 0), ("W", 0)]


def test_without_acceleration_nothing_is_extrapolated():
    sweep, *_ = after_sweeps(accelerate=False)
    seen = []
    sweep._update_weights = sweep._update_values = lambda layer, omega: seen.append(omega)
    for _ in range(3):
        sweep(None, sweep.epsilon)
    assert set(seen) == {0.0}


@pytest.mark.parametrize("hidden_step", ["joint", "separate"])
def test_a_narrower_tube_is_feasible_at_once(hidden_step):
    """F is computed anew, and points before it are no direction any more."""
    sweep, *_ = after_sweeps(hidden_step=hidden_step, epsilon=0.5)
    inside = [a.copy() for a in sweep.a]
    sweep._tighten(0.01)
    moved = False
    for a, old, z, h in zip(sweep.a, inside, sweep.z, sweep.problem.activations, strict=False):
        np.testing.assert_allclose(
            a, np.clip(old, h.value(z) - 0.01, h.value(z) + 0.01), rtol=1e-12, atol=1e-14
        )
        moved |= not np.array_equal(a, old)
    assert moved
    assert sweep.relaxed_objective() == pytest.approx(objective_from_scratch(sweep), rel=1e-12)
    assert sweep.v_previous is None
    assert sweep.coefs_previous == [None] * 3
    assert sweep.a_previous == [None] * 2


def test_start_is_tight_and_inside_the_domain():
    """F = J at feasible weights, and no constraint is violated."""
    problem, *start = make_problem(
        np.random.default_rng(3), activations=("tanh", "relu"), weighted=True,
        penalty="nonnegative", alpha=0.5, n=20, d=4,
    )  # fmt: skip
    problem.constrained = True
    sweep = Relaxed().start(problem, *start, rho=0.3, epsilon=1e-3).step
    coefs, intercepts = sweep.weights()
    assert all((W >= 0).all() for W in coefs)
    value = sweep.objective()
    expected = problem.training_objective(coefs, intercepts) / problem.rows.total
    assert value.objective == pytest.approx(expected, rel=1e-12)
    assert value.loss == pytest.approx(expected, rel=1e-12)
    assert value.gap == 0.0
    np.testing.assert_array_equal(coefs[1], np.maximum(start[0][1], 0.0))


def test_limits_reach_the_parts():
    problem, *start = make_problem(
        np.random.default_rng(0), n=12, d=90, widths=[5], sparse=True, weighted=True
    )
    for small, used in ((0, False), (1000, True)):
        limits = replace(LIMITS, small=small, row_space_entries=0, dense_eigenvalue=3)
        solver = Relaxed(constants=replace(CONSTANTS, limits=limits))
        sweep = solver.start(problem, *start, rho=1.0, epsilon=1e-3).step
        assert (sweep._space is not None) == used
        assert sweep._first_design.limits is limits
