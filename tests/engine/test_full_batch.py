"""Full batch: exact gradient, J that never rises, and right where the answer is known."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from skmdlam.engine.kronecker import KroneckerMetric
from skmdlam.engine.run import minimise
from skmdlam.engine.secant import SecantMemory

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.full_batch import FullBatchRun
from skmdlam.engine.inputs import standard_input
from skmdlam.engine.objective import Objective
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.reductions import Rows
from skmdlam.engine.start import glorot
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)
from skmdlam.penalties import get_penalty

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]


def make_target(name, n, k, rng, dtype=np.float64, scale=1.0):
    if name == "softmax":
        k = max(k, 2)
        return SoftmaxCrossEntropy(), np.eye(k)[rng.integers(0, k, n)].astype(dtype)
    if name == "logistic":
        return LogisticLoss(), rng.integers(0, 2, (n, k)).astype(dtype)
    Y = rng.normal(scale=scale, size=(n, k))
    return get_loss(name), (np.abs(Y) if name == "poisson" else Y).astype(dtype)


def make_problem(rng, *, loss="squared_error", activations=("relu",), n=30, d=5, k=2,
                 dtype=np.float64, weighted=False, sparse=False, penalty="l2", alpha=1e-2,
                 scale=1.0, target_scale=1.0, widths=None):  # fmt: skip
    X = (scale * rng.normal(size=(n, d))).astype(dtype)
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
        X = sp.csr_array(X)
    loss, Y = make_target(loss, n, k, rng, dtype, target_scale)
    widths = [4] * len(activations) if widths is None else widths
    activations = [get_activation(a) for a in activations]
    weight = rng.uniform(0.1, 3.0, n).astype(dtype) if weighted else None
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    seed = np.random.RandomState(int(rng.integers(1000)))
    return problem, *glorot([d, *widths, Y.shape[1]], seed, dtype, activations)


def make_objective(problem, widths, activity=0.0, columns=0.0, block_rows=None):
    inputs = standard_input(problem.X, problem.rows)
    ridge = [problem.alpha * inputs.ridge] + [problem.alpha] * (len(widths) - 1)
    objective = Objective(
        inputs, problem.Y, problem.loss, problem.activations, widths, problem.sample_weight,
        ridge, activity, columns,
    )  # fmt: skip
    if block_rows is not None:
        objective.rows = Rows(problem.X.shape[0], problem.sample_weight, block_rows=block_rows)
    return objective


def column_penalty(problem, W):
    """``sum_j log(1 + 10 std_j^2 ||W[j, :]||^2)``."""
    X = problem.X.toarray() if sp.issparse(problem.X) else problem.X
    share = np.ones(len(X)) if problem.sample_weight is None else problem.sample_weight
    share = share / share.sum()
    variance = share @ (X - share @ X) ** 2
    return float(np.log1p(10 * variance * (W**2).sum(axis=1)).sum())


def assert_monotone(records):
    for before, after in itertools.pairwise(records):
        assert after.loss <= before.loss


# Those whose derivative is that of their value; the others never come here.
WITH_SLOPES = [name for name, cls in sorted(ACTIVATIONS.items()) if cls.exact_derivative]


def activity_penalty(problem, coefs, intercepts):
    """``sum_l sum_k Var_i(z_l[i, k])``, from a plain forward pass."""
    share = np.full(problem.X.shape[0], 1.0)
    if problem.sample_weight is not None:
        share = problem.sample_weight
    share = share / share.sum()
    total = 0.0
    for depth in range(1, len(coefs) + 1):
        z = forward(problem.X, coefs[:depth], intercepts[:depth], problem.activations[: depth - 1])
        total += float((share @ (z - share @ z) ** 2).sum())
    return total


class TestObjective:
    @pytest.mark.parametrize(
        ("loss", "activation", "sparse"),
        [
            *((loss, "relu", False) for loss in LOSSES),
            *(("squared_error", name, False) for name in WITH_SLOPES if name != "relu"),
            ("softmax", "tanh", True),
            ("poisson", "relu", True),
        ],
    )
    def test_gradient_is_the_slope_of_the_value(self, loss, activation, sparse):
        rng = np.random.default_rng(0)
        problem, *_ = make_problem(
            rng, loss=loss, activations=(activation, activation), weighted=True, sparse=sparse
        )
        objective = make_objective(problem, [4, 3, problem.Y.shape[1]], 2.0, 1.5, block_rows=11)
        for _ in range(3):
            theta = rng.normal(scale=0.5, size=objective.size)
            direction = rng.normal(size=objective.size)
            _, gradient = objective(theta)
            h = 1e-6
            ahead, behind = objective(theta + h * direction)[0], objective(theta - h * direction)[0]
            assert gradient @ direction == pytest.approx((ahead - behind) / (2 * h), rel=2e-5)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_value_is_the_documented_objective(self, loss):
        rng = np.random.default_rng(1)
        problem, coefs, intercepts = make_problem(
            rng, loss=loss, activations=("tanh", "relu"), weighted=True
        )
        objective = make_objective(problem, [4, 4, problem.Y.shape[1]], 3.0, 0.8)
        V = [objective.inputs.contract(coefs[0], intercepts[0])]
        V += [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]
        value, _ = objective(np.concatenate([W.ravel() for W in V]))
        expected = problem.training_objective(coefs, intercepts)
        expected += 1.5 * activity_penalty(problem, coefs, intercepts)
        expected += 0.4 * column_penalty(problem, coefs[0])
        assert value == pytest.approx(expected / problem.rows.total, rel=1e-12)

    def test_constant_columns_have_no_penalty(self):
        rng = np.random.default_rng(1)
        problem, *_ = make_problem(rng)
        problem.X[:, 1] = 3.0
        objective = make_objective(problem, [4, 2], columns=1.0)
        theta = rng.normal(size=objective.size)
        pull = objective.column_ridge(theta)
        assert pull[1] == 0.0
        assert (np.delete(pull, 1) > 0).all()

    @pytest.mark.parametrize("activity", [0.0, 2.0])
    def test_blocks_of_rows_change_nothing(self, activity):
        rng = np.random.default_rng(2)
        problem, *_ = make_problem(rng, loss="softmax", activations=("tanh",), weighted=True)
        theta = rng.normal(size=make_objective(problem, [4, 2]).size)
        whole = make_objective(problem, [4, 2], activity)(theta)
        parts = make_objective(problem, [4, 2], activity, block_rows=7)(theta)
        assert parts[0] == pytest.approx(whole[0], rel=1e-13)
        np.testing.assert_allclose(parts[1], whole[1], rtol=1e-10, atol=1e-14)

    def test_sparse_input_is_the_dense_one(self):
        rng = np.random.default_rng(3)
        problem, *_ = make_problem(rng, sparse=True, weighted=True)
        dense = make_problem(rng)[0]
        dense.X, dense.Y, dense.rows = problem.X.toarray(), problem.Y, problem.rows
        dense.sample_weight = problem.sample_weight
        theta = rng.normal(size=make_objective(problem, [4, 2]).size)
        value, gradient = make_objective(problem, [4, 2], 1.0)(theta)
        expected, expected_gradient = make_objective(dense, [4, 2], 1.0)(theta)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-12)

    def test_overflow_is_infinite(self):
        rng = np.random.default_rng(4)
        problem, *_ = make_problem(rng, loss="poisson", activations=())
        objective = make_objective(problem, [2])
        assert objective(np.full(objective.size, 1e6))[0] == np.inf
        assert objective(np.full(objective.size, np.nan))[0] == np.inf


class TestInputs:
    @pytest.mark.parametrize("sparse", [False, True])
    def test_contract_and_expand_are_inverse_and_keep_the_output(self, sparse):
        rng = np.random.default_rng(0)
        problem, coefs, intercepts = make_problem(rng, sparse=sparse, weighted=True, scale=30.0)
        inputs = standard_input(problem.X, problem.rows)
        V = inputs.contract(coefs[0], intercepts[0])
        W, b = inputs.expand(V)
        np.testing.assert_allclose(W, coefs[0], rtol=1e-12)
        np.testing.assert_allclose(b, intercepts[0], rtol=1e-9, atol=1e-12)
        z = np.empty((30, 4))
        inputs.product(inputs.data, V, z)
        np.testing.assert_allclose(z, problem.X @ coefs[0] + intercepts[0], rtol=1e-9, atol=1e-9)
        share = problem.sample_weight / problem.sample_weight.sum()
        standard = inputs.standardised(inputs.data)
        np.testing.assert_allclose(share @ standard, 0, atol=1e-12)
        np.testing.assert_allclose(share @ standard**2, 1, rtol=1e-12)

    @pytest.mark.parametrize("sparse", [False, True])
    def test_constant_columns_are_left_alone(self, sparse):
        X = np.column_stack([np.full(50, 0.1), np.full(50, 1e6), np.zeros(50), np.arange(50.0)])
        X = sp.csr_array(X) if sparse else X
        inputs = standard_input(X, Rows(50))
        np.testing.assert_array_equal(inputs.inverse_std[:3], 1.0)
        assert inputs.inverse_std[3] == pytest.approx(1 / np.arange(50.0).std())

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_what_rounding_takes_from_a_mean_is_no_spread(self, sparse, weighted):
        rng = np.random.default_rng(0)
        X = np.tile(10.0 ** rng.uniform(-8, 8, 50), (5000, 1))
        weight = rng.uniform(size=5000) if weighted else None
        inputs = standard_input(sp.csr_array(X) if sparse else X, Rows(5000, weight))
        assert not inputs.varies.any()

    @pytest.mark.parametrize("sparse", [False, True])
    def test_columns_far_from_zero_are_not_constant(self, sparse):
        """Years: a spread of a thousandth of the mean, in float32."""
        X = (2000.0 + np.arange(50.0)[:, None] % 3).astype(np.float32)
        inputs = standard_input(sp.csr_array(X) if sparse else X, Rows(50))
        assert inputs.inverse_std[0] == pytest.approx(1 / X.astype(float).std())
        assert inputs.varies[0]


class TestMetric:
    def test_squared_error_without_hidden_layer_is_newton(self):
        """Undamped, the step leads to the minimum."""
        rng = np.random.default_rng(0)
        problem, *_ = make_problem(rng, activations=(), weighted=True, alpha=0.3)
        objective = make_objective(problem, [2])
        objective.ridge = [0.3]  # a plain ridge on standardised columns
        metric = KroneckerMetric(objective, 0.0, 0.0, 0.0)
        theta = rng.normal(size=objective.size)
        metric.update(theta)
        _, gradient = objective(theta)
        _, gradient = objective(theta - metric(gradient))
        np.testing.assert_allclose(gradient, 0, atol=1e-12)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_positive_definite_and_symmetric(self, loss):
        rng = np.random.default_rng(1)
        problem, *_ = make_problem(rng, loss=loss, activations=("relu", "tanh"), weighted=True)
        objective = make_objective(problem, [4, 3, problem.Y.shape[1]])
        metric = KroneckerMetric(objective, 0.1, 0.5, 0.75)
        metric.update(rng.normal(size=objective.size))
        columns = np.column_stack([metric(e) for e in np.eye(objective.size)])
        np.testing.assert_allclose(columns, columns.T, rtol=1e-8, atol=1e-10)
        assert np.linalg.eigvalsh(columns)[0] > 0

    @pytest.mark.parametrize("sparse", [False, True])
    def test_low_rank_form_of_all_rows_is_the_inverse(self, sparse, monkeypatch):
        rng = np.random.default_rng(2)
        problem, *_ = make_problem(rng, sparse=sparse, d=9, weighted=True)
        objective = make_objective(problem, [4, 2])
        metric = KroneckerMetric(objective, 0.1, 0.5, 0.75)
        theta, gradient = rng.normal(size=(2, objective.size))
        metric.update(theta)
        expected = metric(gradient)
        monkeypatch.setattr("skmdlam.engine.kronecker._LARGEST_INVERSE", 3)
        metric.update(theta)
        np.testing.assert_allclose(metric(gradient), expected, rtol=1e-8, atol=1e-12)

    def test_survives_what_is_not_finite(self):
        rng = np.random.default_rng(3)
        problem, *_ = make_problem(rng, activations=("identity",))
        objective = make_objective(problem, [4, 2])
        metric = KroneckerMetric(objective, 0.1, 0.5, 0.75)
        for theta in (np.zeros(objective.size), np.full(objective.size, 1e60)):
            metric.update(theta)
            assert np.isfinite(metric(np.ones(objective.size))).all()


def test_secant_pairs_solve_a_parabola():
    """With as many pairs as dimensions the corrected metric is the inverse Hessian."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    pairs = SecantMemory(6, 6)
    directions = np.linalg.eigh(hessian)[1]  # conjugate ones
    for s in directions.T:
        pairs.observe(s, hessian @ s, lambda g: g)
    gradient = rng.normal(size=6)
    expected = np.linalg.solve(hessian, gradient)
    np.testing.assert_allclose(pairs.step(gradient, lambda g: g), expected, rtol=1e-10)
    pairs.observe(np.ones(6), -np.ones(6), lambda g: g)  # negative curvature is left out
    np.testing.assert_allclose(pairs.step(gradient, lambda g: g), expected, rtol=1e-10)


def draw_configuration(rng):
    """A random legal configuration, from mild to absurd."""
    depth = int(rng.integers(0, 9)) if rng.integers(3) == 0 else int(rng.integers(0, 3))
    names = WITH_SLOPES
    return {
        "problem": {
            "loss": LOSSES[rng.integers(len(LOSSES))],
            "activations": tuple(names[i] for i in rng.integers(0, len(names), depth)),
            "widths": rng.integers(1, 7, depth).tolist(),
            "weighted": bool(rng.integers(2)),
            "sparse": bool(rng.integers(4) == 0),
            "penalty": ["l2", "none"][rng.integers(2)],
            "alpha": float(rng.choice([0.0, 1e-4, 0.1, 1e3])),
            "scale": 10.0 ** rng.integers(-8, 9),
            "target_scale": 10.0 ** rng.integers(-8, 9),
            "n": int(rng.integers(2, 30)),
            "d": int(rng.integers(1, 40)),
            "k": int(rng.integers(1, 4)),
            "dtype": [np.float64, np.float32][int(rng.integers(4) == 0)],
        },
        "solver": {
            "rho": 10.0 ** rng.uniform(-8, 8),
            "activity_alpha": float(rng.choice([0.0, 1.0, 100.0])),
            "acceleration": ["anderson", "nesterov", None][rng.integers(3)],
            "memory": int(rng.integers(1, 21)),
            "warm": bool(rng.integers(2)),
        },
    }


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 10))]
)
def test_monotone_in_500_random_configurations(block):
    for seed in range(50 * block, 50 * (block + 1)):
        rng = np.random.default_rng(seed)
        drawn = draw_configuration(rng)
        problem, coefs, intercepts = make_problem(rng, **drawn["problem"])
        run = FullBatchRun(problem, coefs, intercepts, **drawn["solver"])
        records = list(itertools.islice(run, 25))
        assert np.isfinite(records[0].loss), drawn
        assert_monotone(records)
        coefs, intercepts = run.weights()
        assert all(np.isfinite(W).all() for W in (*coefs, *intercepts)), drawn
        assert all(W.dtype == problem.X.dtype for W in (*coefs, *intercepts)), drawn


@pytest.mark.parametrize("acceleration", ["anderson", "nesterov", None])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_reported_loss_is_the_one_of_the_weights(activation, acceleration):
    rng = np.random.default_rng(5)
    problem, coefs, intercepts = make_problem(
        rng, activations=(activation,), weighted=True, scale=100.0, target_scale=1e3
    )
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0, acceleration=acceleration)
    for record in itertools.islice(run, 30):
        expected = problem.training_objective(*run.weights()) / problem.rows.total
        assert record.loss == pytest.approx(expected, rel=1e-9)
        assert record.objective == record.loss
        assert record.gap == record.epsilon == 0.0
        assert record.settled


@pytest.mark.parametrize("penalty", ["none", "l1"])
def test_constant_columns_have_no_weights(penalty):
    """What they are one day, no sample has said."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 4))
    X[:, 3] = 0.1
    activations = [get_activation("relu")]
    problem = Problem(X, X[:, :1] ** 2, activations, SquaredError(), get_penalty(penalty), 1e-3)
    solver = Feasible()
    start = solver.initial_weights([4, 8, 1], np.random.RandomState(0), X.dtype, activations)
    run = solver.start(problem, *start, batch_size=1000, activity_alpha=0.0)
    for _ in range(5):
        next(run)
    coefs, _ = run.weights()
    np.testing.assert_allclose(coefs[0][3], 0.0, rtol=0, atol=1e-20)  # rounding of the mean
    assert (coefs[0][:3] != 0.0).any()


def test_activity_penalty_is_in_units_of_the_loss():
    rng = np.random.default_rng(6)
    problem, coefs, intercepts = make_problem(rng, activations=("tanh",), k=1)
    problem.Y = 1e3 * problem.Y / problem.Y.std()
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0, activity_alpha=4.0)
    record = next(run)
    coefs, intercepts = run.weights()
    unit = float(problem.Y.var())
    expected = problem.training_objective(coefs, intercepts)
    expected += 2.0 * unit * activity_penalty(problem, coefs[:1], intercepts[:1])
    z = forward(problem.X, coefs, intercepts, problem.activations)
    expected += 2.0 * float(z.var(axis=0).sum())
    assert record.loss == pytest.approx(expected / problem.rows.total, rel=1e-9)


def fit(problem, coefs, intercepts, *, max_iter=500, **options):
    run = FullBatchRun(problem, coefs, intercepts, **{"rho": 1.0, **options})
    return minimise(run, max_iter=max_iter, tol=0.0, n_iter_no_change=20)


class TestWithoutHiddenLayer:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_ridge(self, sparse, dtype):
        rng = np.random.default_rng(0)
        problem, coefs, intercepts = make_problem(
            rng, activations=(), n=60, weighted=True, alpha=0.7, sparse=sparse, dtype=dtype
        )
        result = fit(problem, coefs, intercepts)
        X = problem.X.toarray() if sparse else problem.X
        oracle = Ridge(alpha=0.7).fit(X, problem.Y, problem.sample_weight)
        rtol = 1e-6 if dtype == np.float64 else 2e-3
        np.testing.assert_allclose(result.coefs[0], oracle.coef_.T, rtol=rtol, atol=rtol / 100)
        np.testing.assert_allclose(result.intercepts[0], oracle.intercept_, rtol=rtol)

    def test_ridge_with_fewer_rows_than_columns(self):
        rng = np.random.default_rng(1)
        problem, coefs, intercepts = make_problem(rng, activations=(), n=12, d=60, alpha=0.7)
        result = fit(problem, coefs, intercepts)
        oracle = Ridge(alpha=0.7).fit(problem.X, problem.Y)
        np.testing.assert_allclose(result.coefs[0], oracle.coef_.T, rtol=1e-4, atol=1e-7)

    @pytest.mark.parametrize("classes", [2, 3])
    def test_logistic_regression(self, classes):
        X, y = make_classification(
            200, 6, n_informative=4, n_classes=classes, n_redundant=0, flip_y=0.2, random_state=0
        )
        X *= 10.0 ** np.arange(-3, 3)
        if classes == 2:
            loss, Y = LogisticLoss(), y[:, None].astype(float)
        else:
            loss, Y = SoftmaxCrossEntropy(), np.eye(3)[y]
        problem = Problem(X, Y, [], loss, get_penalty("l2"), 0.5)
        coefs, intercepts = glorot([6, Y.shape[1]], np.random.RandomState(0), float, [])
        result = fit(problem, coefs, intercepts)
        oracle = LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
        oracle.fit(X, y)
        np.testing.assert_allclose(result.coefs[0], oracle.coef_.T, rtol=1e-4, atol=1e-7)

    def test_poisson_regression(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(100, 4))
        y = rng.poisson(50 * np.exp(0.5 * X[:, 0])).astype(float)
        problem = Problem(X, y[:, None], [], get_loss("poisson"), get_penalty("l2"), 2.0)
        result = fit(problem, *glorot([4, 1], np.random.RandomState(0), float, []))
        oracle = PoissonRegressor(alpha=2.0 / 100, tol=1e-12, max_iter=10_000).fit(X, y)
        np.testing.assert_allclose(result.coefs[0].ravel(), oracle.coef_, rtol=1e-4)


def test_rho_hardly_matters_in_the_end():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(rng, activations=(), loss="softmax", alpha=0.1)
    ends = [fit(problem, coefs, intercepts, rho=rho).records[-1].loss for rho in (1e-6, 1.0, 1e6)]
    np.testing.assert_allclose(ends, ends[1], rtol=1e-8)


@pytest.mark.parametrize("acceleration", ["anderson", "nesterov", None])
def test_integer_weights_are_repeated_rows(acceleration):
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(rng, loss="softmax", activations=("tanh",))
    weight = rng.integers(1, 4, 30)
    weighted = Problem(
        problem.X, problem.Y, problem.activations, problem.loss, problem.penalty, 0.1,
        weight.astype(float),
    )  # fmt: skip
    repeated = Problem(
        np.repeat(problem.X, weight, axis=0), np.repeat(problem.Y, weight, axis=0),
        problem.activations, problem.loss, problem.penalty, 0.1,
    )  # fmt: skip
    losses = [
        [r.loss for r in itertools.islice(FullBatchRun(
            p, coefs, intercepts, rho=1.0, acceleration=acceleration, activity_alpha=1.0), 15)]
        for p in (weighted, repeated)
    ]  # fmt: skip
    np.testing.assert_allclose(*losses, rtol=1e-7)


def test_units_of_columns_and_target_do_not_matter_without_a_penalty():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(rng, activations=("relu",), alpha=0.0, k=1)
    units = 10.0 ** rng.integers(-6, 7, 5)
    scaled = Problem(
        problem.X * units + 3 * units, 1e6 * problem.Y - 1e7, problem.activations, problem.loss,
        problem.penalty, 0.0,
    )  # fmt: skip
    plain, other = (
        [r.loss for r in itertools.islice(FullBatchRun(p, coefs, intercepts, rho=1.0), 10)]
        for p in (problem, scaled)
    )
    np.testing.assert_allclose(np.array(other) / 1e12, plain, rtol=1e-6)


def test_same_start_same_result():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(rng, activations=("relu", "relu"))
    first, second = (fit(problem, coefs, intercepts, max_iter=30) for _ in range(2))
    for one, other in zip(first.coefs, second.coefs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_anderson_needs_fewer_sweeps_than_the_sweep_alone():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, activations=("relu",), n=200, d=10, k=1, widths=[20], alpha=1e-3
    )
    problem.Y = np.sin(problem.X[:, :1]) + problem.X[:, 1:2] ** 2
    after_60 = {}
    for acceleration in ("anderson", "nesterov", None):
        records = fit(problem, coefs, intercepts, acceleration=acceleration, max_iter=60).records
        after_60[acceleration] = records[-1].loss
    assert after_60["anderson"] < after_60["nesterov"] < after_60[None]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_eight_hidden_layers_train(activation):
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    activations = [get_activation(activation)] * 8
    problem = Problem(X, np.eye(10)[y], activations, SoftmaxCrossEntropy(), get_penalty("l2"), 1e-4)
    start = glorot([64, *[50] * 8, 10], np.random.RandomState(0), float, activations)
    run = FullBatchRun(problem, *start, rho=1.0)
    records = list(itertools.islice(run, 30))
    assert_monotone(records)
    assert records[-1].loss < 0.05


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data_runs_in_the_row_space(sparse):
    """The same J, and weights for all columns."""
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, loss="softmax", activations=("relu",), n=15, d=300, sparse=sparse, weighted=True
    )
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0)
    assert run.theta.size < 300
    records = list(itertools.islice(run, 20))
    assert_monotone(records)
    coefs, intercepts = run.weights()
    assert coefs[0].shape == (300, 4)
    expected = problem.training_objective(coefs, intercepts) / problem.rows.total
    assert records[-1].loss == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data_with_a_penalty_on_columns(sparse):
    """The row space has no columns: all of them take part, and the start is within it."""
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, loss="softmax", activations=("relu",), n=15, d=300, sparse=sparse, weighted=True
    )
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0, activity_alpha=1.0, column_alpha=0.5)
    X = problem.X.toarray() if sparse else problem.X
    start = run.weights()[0][0]
    inside = np.linalg.lstsq(X.T, start, rcond=None)[0]
    np.testing.assert_allclose(X.T @ inside, start, atol=1e-10)
    records = list(itertools.islice(run, 20))
    assert_monotone(records)
    unpenalised = FullBatchRun(problem, coefs, intercepts, rho=1.0, activity_alpha=1.0)
    list(itertools.islice(unpenalised, 20))
    after, before = (column_penalty(problem, r.weights()[0][0]) for r in (run, unpenalised))
    assert after < before


@pytest.mark.parametrize("loss", ["squared_error", "huber", "softmax"])
@pytest.mark.parametrize("sparse", [False, True])
def test_batches_of_any_size_have_the_same_objective(loss, sparse):
    """J of the same weights, with all its penalties, in mini-batches and on the full batch."""
    rng = np.random.default_rng(2)
    problem, coefs, intercepts = make_problem(
        rng, loss=loss, activations=("tanh",), weighted=True, sparse=sparse, target_scale=30.0
    )
    settings = {"activity_alpha": 3.0, "warm": True, "max_iter": 5}
    solver = Feasible(single_precision=False)
    batches = solver.start(problem, coefs, intercepts, batch_size=10, **settings)
    full = solver.start(problem, coefs, intercepts, batch_size=30, **settings)
    assert batches.column_alpha > 0
    assert full.value * full.unit == pytest.approx(batches.best * batches.unit, rel=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data_of_many_rows(sparse, monkeypatch):
    """Neither a square matrix of the columns nor the row space: the low-rank metric."""
    monkeypatch.setattr("skmdlam.engine.kronecker._LARGEST_INVERSE", 20)
    monkeypatch.setattr("skmdlam.engine.full_batch._LARGEST_ROW_SPACE", 20)
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, loss="logistic", k=1, activations=("relu",), n=100, d=80, sparse=sparse,
        widths=[20],
    )  # fmt: skip
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0)
    records = list(itertools.islice(run, 40))
    assert_monotone(records)
    assert records[-1].loss < 0.05


class TestRefusals:
    def test_penalties_that_are_no_parabola(self):
        problem, coefs, intercepts = make_problem(np.random.default_rng(0), penalty="l1")
        with pytest.raises(NotImplementedError, match=r"penalty='l1'.*'l2' or 'none'"):
            FullBatchRun(problem, coefs, intercepts, rho=1.0)
        problem.alpha = 0.0
        assert np.isfinite(next(FullBatchRun(problem, coefs, intercepts, rho=1.0)).loss)

    def test_unknown_acceleration(self):
        problem, coefs, intercepts = make_problem(np.random.default_rng(0))
        with pytest.raises(ValueError, match="acceleration must be one of"):
            FullBatchRun(problem, coefs, intercepts, rho=1.0, acceleration="newton")


def test_at_the_minimum_the_weights_stay():
    """Nothing descends any more: the run idles and the driver stops it."""
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(rng, activations=(), alpha=1.0)
    assert isinstance(problem.loss, SquaredError)
    run = FullBatchRun(problem, coefs, intercepts, rho=1.0)
    result = minimise(run, max_iter=1000, tol=1e-12, n_iter_no_change=5)
    assert result.stop_reason == "converged"
