"""Solver relaxed: monotone in every stage, feasible, and right in the limits that are known."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from skmdlam.engine.acceleration import Momentum
from skmdlam.engine.run import minimise

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.relaxed import Relaxed
from skmdlam.engine.start import gaussian, glorot
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


def objective_from_scratch(run):
    """F, its terms summed anew from the blocks of a run."""
    problem = run.problem
    s = np.ones(len(problem.Y)) if problem.sample_weight is None else problem.sample_weight
    value = float(s @ problem.loss.value(run.z[-1], problem.Y))
    layer_input = problem.X
    for layer, (W, b, z) in enumerate(zip(run.coefs, run.intercepts, run.z, strict=True)):
        if problem.alpha > 0:
            value += problem.alpha * problem.penalty.value(W)
        value += run.rho / 2 * float(s @ ((z - layer_input @ W - b) ** 2).sum(axis=1))
        if layer < len(run.z) - 1:
            layer_input = run.a[layer]
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
            total = objective_from_scratch(run) / run.rows.total
            # The cross terms of the gaps are differences of numbers as large as the data.
            size = max(float(np.max(np.abs(z), initial=0.0)) for z in (*run.z, *run.v))
            rounding = 1e-13 * run.rho * size**2 * len(run.z) * problem.Y.shape[0]
            assert records[-1].objective == pytest.approx(total, rel=1e-9, abs=rounding), drawn
        assert_monotone(records)
        assert all(np.isfinite(W).all() for W in (*run.coefs, *run.intercepts)), drawn
        for a, z, h in zip(run.a, run.z, problem.activations, strict=False):
            slack = 1e-9 * (1 + np.abs(a))
            assert (np.abs(a - h.value(z)) <= run.epsilon + slack).all(), drawn


@pytest.mark.parametrize("hidden_step", ["joint", "separate"])
def test_monotone_with_steps(hidden_step):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        problem, coefs, intercepts = make_problem(rng, activations=("sign", "tanh", "sign"), n=40)
        run = Relaxed(hidden_step=hidden_step).start(
            problem, coefs, intercepts, rho=10.0 ** rng.uniform(-3, 3), epsilon=1e-3
        )
        assert_monotone(list(itertools.islice(run, 40)))
        for a, z, h in zip(run.a, run.z, problem.activations, strict=False):
            assert (np.abs(a - h.value(z)) <= run.epsilon * (1 + 1e-9)).all()


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
    assert all(W.dtype == np.float32 for W in (*run.coefs, *run.intercepts, *run.z, *run.a))


@pytest.mark.parametrize("w_step", ["quadratic", "exact"])
def test_squared_error_without_hidden_layer_is_ridge(w_step):
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, activations=(), n=40, d=5, weighted=True, alpha=0.7
    )
    run = Relaxed(w_step=w_step).start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    result = minimise(run, max_iter=3000, tol=0.0, n_iter_no_change=3000)
    oracle = Ridge(alpha=0.7).fit(problem.X, problem.Y, problem.sample_weight)
    # F relaxes z_L = v_L: with rho the loss acts as rho/(1 + rho) times the squared error.
    relaxed = Ridge(alpha=0.7 * 2).fit(problem.X, problem.Y, problem.sample_weight)
    np.testing.assert_allclose(result.coefs[0], relaxed.coef_.T, rtol=1e-6, atol=1e-9)
    run = Relaxed(w_step=w_step).start(problem, coefs, intercepts, rho=1e7, epsilon=1e-3)
    stiff = next(run)
    assert stiff.loss == pytest.approx(stiff.objective, rel=1e-3)
    assert not np.allclose(relaxed.coef_, oracle.coef_, rtol=1e-3)


def test_logistic_without_hidden_layer_is_logistic_regression_for_large_rho():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, loss="logistic", activations=(), n=60, d=4, k=1, alpha=1.0
    )
    run = Relaxed(w_step="exact").start(problem, coefs, intercepts, rho=30.0, epsilon=1e-3)
    result = minimise(run, max_iter=3000, tol=0.0, n_iter_no_change=3000)
    oracle = LogisticRegression(C=1.0, tol=1e-10).fit(problem.X, problem.Y.ravel())
    # The Moreau envelope of the logistic loss is within O(1/rho) of the loss.
    np.testing.assert_allclose(result.coefs[0].ravel(), oracle.coef_.ravel(), atol=0.02)


@pytest.mark.parametrize(("order", "activation"), [("forward", "relu"), ("backward", "tanh")])
def test_ends_at_a_stationary_point_of_every_block(order, activation):
    """After many sweeps no block can be improved by moving along itself."""
    rng = np.random.default_rng(3)
    problem, coefs, intercepts = make_problem(
        rng, loss="softmax", activations=(activation,), n=15, d=3, k=3, alpha=1.0, widths=[3]
    )
    solver = Relaxed(w_step="exact", order=order)
    run = solver.start(problem, coefs, intercepts, rho=0.5, epsilon=0.1)
    records = minimise(run, max_iter=1000, tol=0.0, n_iter_no_change=1000).records
    assert records[-1].objective >= records[-10].objective * (1 - 1e-7)  # it has settled
    best = objective_from_scratch(run)
    for block in range(2):
        for target in (run.coefs, run.intercepts):
            kept = target[block]
            for size in (1e-5, 1e-3):
                for _ in range(20):
                    target[block] = kept + size * rng.normal(size=kept.shape)
                    assert best <= objective_from_scratch(run) * (1 + 1e-7)
            target[block] = kept
    kept = run.z[-1]
    for _ in range(20):
        run.z[-1] = kept + 1e-3 * rng.normal(size=kept.shape)
        assert best <= objective_from_scratch(run) * (1 + 1e-7)
    run.z[-1] = kept
    z, a, h = run.z[0], run.a[0], problem.activations[0]
    for _ in range(20):
        run.z[0] = z + 1e-3 * rng.normal(size=z.shape)
        activated = h.value(run.z[0])
        run.a[0] = np.clip(a, activated - run.epsilon, activated + run.epsilon)
        assert best <= objective_from_scratch(run) * (1 + 1e-7)


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
    assert runs[0].problem.X.shape[1] < 90 == runs[1].problem.X.shape[1]
    for small, full in itertools.islice(zip(*runs, strict=True), 40):
        assert small.objective == pytest.approx(full.objective, rel=1e-6)
        assert small.loss == pytest.approx(full.loss, rel=1e-6)
    for small, full in zip(runs[0].weights()[0], runs[1].weights()[0], strict=True):
        np.testing.assert_allclose(small, full, rtol=1e-4, atol=1e-6)


def test_penalties_that_rotations_change_stay_in_full_dimension():
    problem, coefs, intercepts = make_problem(np.random.default_rng(0), n=5, d=60, penalty="l1")
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    assert run.problem.X.shape[1] == 60


def test_loss_is_the_training_objective_of_the_weights():
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), loss="softmax", activations=("tanh",), n=20, d=50, weighted=True
    )
    run = Relaxed().start(problem, coefs, intercepts, rho=0.1, epsilon=1e-3)
    for record in itertools.islice(run, 5):
        W, b = run.weights()
        z = forward(problem.X, W, b, problem.activations)
        J = problem.sample_weight @ problem.loss.value(z, problem.Y)
        J += 0.5 * problem.alpha * sum((w**2).sum() for w in W)
        assert record.loss == pytest.approx(J / problem.sample_weight.sum())


def test_epsilon_schedule_and_warm_start():
    problem, coefs, intercepts = make_problem(np.random.default_rng(2))
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    epsilons = [record.epsilon for record in itertools.islice(run, 20)]
    assert epsilons == [max(1e-3, 100.0 * 0.5**k) for k in range(20)]
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3, warm=True)
    assert next(run).epsilon == 1e-3


def test_momentum_begins_anew_with_every_epsilon():
    """Extrapolation across the step of F that a narrower tube makes would have no meaning."""
    problem, coefs, intercepts = make_problem(np.random.default_rng(2))
    run = Relaxed(epsilon_start=8e-3).start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    weights, advance = [], run.momentum.advance

    def recorded():
        weights.append(advance())
        return weights[-1]

    run.momentum.advance = recorded
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
    total = objective_from_scratch(run) / run.rows.total
    assert records[-1].objective == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_gap_is_the_root_mean_square_of_all_residuals(weighted):
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), activations=("relu", "tanh"), n=20, weighted=weighted
    )
    run = Relaxed().start(problem, coefs, intercepts, rho=0.1, epsilon=1e-2)
    s = problem.sample_weight if weighted else np.ones(20)
    for record in itertools.islice(run, 20):
        inputs = [problem.X, *run.a]
        layers = zip(run.z, inputs, run.coefs, run.intercepts, strict=True)
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


def test_momentum_pays_on_digits():
    """Working momentum is the difference from the authors' script: it must do something."""
    X, y = load_digits(return_X_y=True)
    X = X[:400] / 16
    sizes = [64, 30, 10]
    activations = [get_activation("relu")]
    problem = Problem(
        X, np.eye(10)[y[:400]], activations, SoftmaxCrossEntropy(), get_penalty("l2"), 1e-2
    )
    start = gaussian(sizes, np.random.RandomState(0), float, 0.1)
    ends = {}
    for accelerate in (True, False):
        run = Relaxed(accelerate=accelerate).start(problem, *start, rho=0.1, epsilon=1e-3)
        ends[accelerate] = list(itertools.islice(run, 100))[-1].objective
    assert ends[True] < 0.7 * ends[False]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("w_step", "newton"),
        ("hidden_step", "both"),
        ("order", "up"),
        ("epsilon_start", 0.0),
        ("epsilon_start", np.inf),
        ("epsilon_factor", 1.5),
        ("epsilon_factor", 0.0),
        ("start_scale", -1.0),
    ],
)
def test_bad_options_say_what_is_allowed(option, value):
    with pytest.raises(ValueError, match=f"{option} must be .*got {value!r}"):
        Relaxed(**{option: value})


def test_minimise_says_why_it_stopped():
    problem, coefs, intercepts = make_problem(np.random.default_rng(2), n=20)

    def run(**options):
        start = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
        return minimise(start, **{"max_iter": 500, "tol": 1e-3, "n_iter_no_change": 5} | options)

    assert run().stop_reason == "converged"
    assert len(run().records) > 17 + 5  # not before epsilon has arrived
    assert run(max_iter=7).stop_reason == "max_iter"
    assert len(run(max_iter=7).records) == 7
    stopped = run(on_sweep=lambda record, run: record.iteration == 3)
    assert stopped.stop_reason == "requested"
    assert len(stopped.records) == 3


def test_interrupt_keeps_the_last_complete_sweep():
    class Interrupting(SquaredError):
        calls = 0

        def prox(self, *args, **kwargs):
            type(self).calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().prox(*args, **kwargs)

    problem, coefs, intercepts = make_problem(np.random.default_rng(2), n=20)
    problem.loss = Interrupting()
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    result = minimise(run, max_iter=50, tol=0.0, n_iter_no_change=50)
    assert result.stop_reason == "interrupted"
    assert len(result.records) == 3
    problem.loss = SquaredError()
    again = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    expected = minimise(again, max_iter=3, tol=0.0, n_iter_no_change=50)
    for found, known in zip(result.coefs, expected.coefs, strict=True):
        np.testing.assert_array_equal(found, known)
