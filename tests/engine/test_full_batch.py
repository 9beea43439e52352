"""Runs over all samples: right where the answer is known, and J that never rises."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.loop.run import Chain, ComposedRun, minimize
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.engine.steps.proximal import ProximalMethod
from skmdlam.engine.steps.quasi_newton import NesterovMethod, SecantMethod
from skmdlam.losses import LogisticLoss, SoftmaxCrossEntropy, SquaredError, get_loss
from skmdlam.penalties import get_penalty

METHODS = ["anderson", "nesterov", None]


def make_problem(rng, *, loss="squared_error", activations=("relu",), n=30, d=5, k=2,
                 dtype=np.float64, weighted=False, sparse=False, penalty="l2", alpha=1e-2,
                 widths=None):  # fmt: skip
    X = rng.normal(size=(n, d)).astype(dtype)
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
        X = sp.csr_array(X)
    if loss == "softmax":
        loss, Y = SoftmaxCrossEntropy(), np.eye(max(k, 2))[rng.integers(0, max(k, 2), n)]
    elif loss == "logistic":
        loss, Y = LogisticLoss(), rng.integers(0, 2, (n, k))
    else:
        loss, Y = get_loss(loss), rng.normal(size=(n, k))
    Y = Y.astype(dtype)
    widths = [4] * len(activations) if widths is None else widths
    activations = [get_activation(a) for a in activations]
    weight = rng.uniform(0.1, 3.0, n).astype(dtype) if weighted else None
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    seed = np.random.RandomState(int(rng.integers(1000)))
    return problem, *glorot([d, *widths, Y.shape[1]], seed, dtype, activations)


def start(problem, coefs, intercepts, *, activity_alpha=0.0, column_alpha=0.0, upper_alpha=0.0,
          acceleration="anderson", constants=CONSTANTS, **settings):  # fmt: skip
    solver = Feasible(
        column_alpha=column_alpha,
        upper_alpha=upper_alpha,
        acceleration=acceleration,
        constants=constants,
    )
    return solver.start(
        problem, coefs, intercepts, batch_size=problem.X.shape[0], activity_alpha=activity_alpha,
        **settings,
    )  # fmt: skip


def fit(problem, coefs, intercepts, *, max_iter=500, **options):
    run = start(problem, coefs, intercepts, **options)
    return minimize(run, max_iter=max_iter, tol=0.0, n_iter_no_change=20)


def assert_monotone(records):
    for before, after in itertools.pairwise(records):
        assert after.loss <= before.loss


def assert_finish_is_a_descent(records):
    """Of a chain: J may rise in mini-batches, and falls from the best of them."""
    batches = [record for record in records if not record.settled]
    finish = records[len(batches) :]
    assert len(batches) > 3 and len(finish) > 1 and all(record.settled for record in finish)
    assert_monotone(finish)
    lowest = min(record.loss for record in batches)
    assert batches[-1].kept == lowest
    assert finish[0].loss <= lowest * (1 + 1e-6)  # the parts round differently
    kept = [record.objective for record in records]
    np.testing.assert_array_equal(kept, np.minimum.accumulate([r.loss for r in records]))


@pytest.mark.parametrize("acceleration", METHODS)
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_record_is_of_the_weights(acceleration, penalty):
    rng = np.random.default_rng(5)
    problem, *first = make_problem(
        rng, activations=("tanh",), weighted=True, penalty=penalty, alpha=1.0
    )
    problem.Y = 1e3 * problem.Y + 1e4
    run = start(problem, *first, acceleration=acceleration)
    kinds = {"anderson": SecantMethod, "nesterov": NesterovMethod, None: NesterovMethod}
    kind = kinds[acceleration] if penalty == "l2" else ProximalMethod
    assert type(run.step.method) is kind
    if kind is NesterovMethod:
        assert run.step.method.momentum.enabled is (acceleration == "nesterov")
    seconds = 0.0
    for k, record in enumerate(itertools.islice(run, 12), 1):
        expected = problem.training_objective(*run.weights()) / problem.rows.total
        assert record.loss == pytest.approx(expected, rel=1e-9)
        assert record.objective == record.loss
        assert record.gap == record.epsilon == 0.0
        assert record.settled
        assert record.iteration == k
        assert record.seconds > seconds
        seconds = record.seconds
    share = problem.rows.normalized()
    spread = np.sqrt(share @ (problem.X - share @ problem.X) ** 2)
    np.testing.assert_allclose(run.moments, (share @ problem.X, spread), rtol=1e-12)


def test_unit_of_the_objective_is_that_of_tol():
    """The target in thousands: J in millions, and as many sweeps."""
    rng = np.random.default_rng(5)
    problem, *first = make_problem(rng, alpha=0.0)
    large = replace(problem, Y=1e3 * problem.Y + 1e4)
    results = []
    for each in (problem, large):
        run = start(each, *first)
        unit = (each.Y - each.Y.mean(axis=0)).var()
        assert run.objective_unit == pytest.approx(unit, rel=1e-10)
        results.append(minimize(run, max_iter=500, tol=1e-3, n_iter_no_change=5))
    one, other = ([record.loss for record in result.records] for result in results)
    assert len(one) == len(other) < 500
    np.testing.assert_allclose(np.divide(other, 1e6), one, rtol=1e-6)
    gains = -np.diff(one)
    tol = 1e-3 * (problem.Y - problem.Y.mean(axis=0)).var()
    assert (gains[-5:] < tol).all()
    assert gains[-6] >= tol


def test_rho_goes_to_one():
    problem, *first = make_problem(np.random.default_rng(0))
    rhos = [record.rho for record in itertools.islice(start(problem, *first, rho=1e6), 40)]
    assert rhos[0] == 1e6
    assert rhos == sorted(rhos, reverse=True)
    assert 1.0 < rhos[-1] < 1e6**0.2
    default = [record.rho for record in itertools.islice(start(problem, *first), 12)]
    assert default == [1.0] * 12


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_warm_start_goes_on(penalty):
    """J of the first record is at most that of the weights; a cold start would be somewhere."""
    problem, *first = make_problem(np.random.default_rng(0), activations=("tanh",), penalty=penalty)
    problem.Y = 1e3 * problem.Y + 1e4
    options = {"activity_alpha": 1.0, "column_alpha": 0.5, "upper_alpha": 0.3}
    early = fit(problem, *first, max_iter=40, **options)
    run = start(problem, early.coefs, early.intercepts, warm=True, **options)
    again = next(run).loss
    assert again <= early.records[-1].loss * (1 + 1e-12)
    assert again > 0.5 * early.records[-1].loss
    stay = start(problem, early.coefs, early.intercepts, warm=True, **options)
    for W, V in zip(itertools.chain(*stay.weights()), (*early.coefs, *early.intercepts),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(W, V, rtol=1e-8, atol=1e-10)


def test_strengths_are_the_named_ones_or_those_of_the_data():
    problem, *first = make_problem(np.random.default_rng(0), activations=("tanh",))
    run = start(problem, *first, activity_alpha=2.0, column_alpha=0.5, upper_alpha=1.5)
    assert tuple(run.regularization.penalties.values()) == (2.0, 0.5, 1.5)
    assert run.estimated is None
    objective = run.step.setting.objective
    assert objective.activity == 2.0
    assert objective.columns == pytest.approx(0.5 * np.sqrt(5))
    assert objective.ridge[1] == pytest.approx(problem.alpha + 1.5)
    none = dict.fromkeys(("activity_alpha", "column_alpha", "upper_alpha"))
    run = start(problem, *first, **none)
    assert run.regularization == run.estimated
    objective = run.step.setting.objective
    assert objective.activity == run.estimated.activity_alpha == 0.3
    assert objective.ridge[1] == pytest.approx(problem.alpha + run.estimated.upper_alpha)
    run = start(problem, *first, **(none | {"upper_alpha": 7.0, "activity_alpha": 1.0}))
    assert run.regularization == run.estimated._replace(upper_alpha=7.0, activity_alpha=1.0)
    # Without the one on activity there is none.
    run = start(problem, *first, column_alpha=0.5, upper_alpha=1.5)
    assert set(run.regularization.penalties.values()) == {0.0}
    assert run.step.setting.objective.ridge[1] == pytest.approx(problem.alpha)


@pytest.mark.parametrize("acceleration", METHODS)
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_constants_reach_the_parts(penalty, acceleration):
    problem, *first = make_problem(np.random.default_rng(0), penalty=penalty)
    constants = replace(
        CONSTANTS, tuned=replace(TUNED, free_sweeps=3), limits=replace(LIMITS, block_rows=7)
    )
    run = start(problem, *first, constants=constants, acceleration=acceleration)
    method, settings = run.step.method, [run.step.setting]
    assert method._tuned is constants.tuned
    assert method._limits is constants.limits
    if penalty == "l1":
        settings.append(method._free())
    assert all(len(setting.objective.rows.blocks) == 5 for setting in settings)


def test_proximal_sweeps_begin_free_of_what_spoils_the_start():
    """Without the penalty on weights and that on columns, but with the other two."""
    problem, *first = make_problem(np.random.default_rng(0), penalty="nonnegative")
    problem.constrained = True
    run = start(problem, *first, activity_alpha=2.0, column_alpha=0.5, upper_alpha=4.0)
    objective = run.step.setting.objective
    assert (objective.activity, objective.columns) == (2.0, pytest.approx(0.5 * np.sqrt(5)))
    free = run.step.method._free()
    assert not free.problem.penalized
    assert (free.objective.activity, free.objective.columns) == (2.0, 0.0)
    assert free.objective.ridge[1:] == [4.0]
    np.testing.assert_array_equal(free.objective.views(free.theta)[1][:-1], first[0][1])


@pytest.mark.parametrize("penalty", ["none", "l1"])
def test_constant_columns_have_no_weights(penalty):
    """What they are one day, no sample has said."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 4))
    X[:, 3] = 0.1
    activations = [get_activation("relu")]
    problem = Problem(X, X[:, :1] ** 2, activations, SquaredError(), get_penalty(penalty), 1e-3)
    first = glorot([4, 8, 1], np.random.RandomState(0), X.dtype, activations)
    run = start(problem, *first)
    for _ in range(5):
        next(run)
    coefs, _ = run.weights()
    np.testing.assert_allclose(coefs[0][3], 0.0, rtol=0, atol=1e-20)  # rounding of the mean
    assert (coefs[0][:3] != 0.0).any()


class TestWithoutHiddenLayer:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("sparse", [False, True])
    @pytest.mark.slow
    def test_ridge(self, sparse, dtype):
        rng = np.random.default_rng(0)
        problem, *first = make_problem(
            rng, activations=(), n=60, weighted=True, alpha=0.7, sparse=sparse, dtype=dtype
        )
        result = fit(problem, *first)
        X = problem.X.toarray() if sparse else problem.X
        oracle = Ridge(alpha=0.7).fit(X, problem.Y, problem.sample_weight)
        rtol = 1e-6 if dtype == np.float64 else 2e-3
        np.testing.assert_allclose(result.coefs[0], oracle.coef_.T, rtol=rtol, atol=rtol / 100)
        np.testing.assert_allclose(result.intercepts[0], oracle.intercept_, rtol=rtol)

    def test_ridge_with_fewer_rows_than_columns(self):
        problem, *first = make_problem(
            np.random.default_rng(1), activations=(), n=12, d=60, alpha=0.7
        )
        result = fit(problem, *first)
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
        result = fit(problem, *glorot([6, Y.shape[1]], np.random.RandomState(0), float, []))
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


@pytest.mark.slow
def test_rho_hardly_matters_in_the_end():
    problem, *first = make_problem(
        np.random.default_rng(0), activations=(), loss="softmax", alpha=0.1
    )
    ends = [fit(problem, *first, rho=rho).records[-1].loss for rho in (1e-6, 1.0, 1e6)]
    np.testing.assert_allclose(ends, ends[1], rtol=1e-8)


@pytest.mark.parametrize("acceleration", METHODS)
def test_integer_weights_are_repeated_rows(acceleration):
    problem, *first = make_problem(
        np.random.default_rng(0), loss="softmax", activations=("tanh",), alpha=0.1
    )
    weight = np.random.default_rng(1).integers(1, 4, 30)
    weighted = replace(problem, sample_weight=weight.astype(float))
    repeated = replace(
        problem, X=np.repeat(problem.X, weight, axis=0), Y=np.repeat(problem.Y, weight, axis=0)
    )
    losses = [
        [r.loss for r in itertools.islice(
            start(p, *first, acceleration=acceleration, activity_alpha=1.0, column_alpha=0.5,
                  upper_alpha=0.4), 15
        )]
        for p in (weighted, repeated)
    ]  # fmt: skip
    np.testing.assert_allclose(*losses, rtol=1e-7)


@pytest.mark.parametrize("penalized", [False, True])
def test_units_of_columns_and_target_do_not_matter_without_a_penalty_on_weights(penalized):
    rng = np.random.default_rng(0)
    problem, *first = make_problem(rng, alpha=0.0, k=1)
    units = 10.0 ** rng.integers(-6, 7, 5)
    scaled = replace(problem, X=problem.X * units + 3 * units, Y=1e6 * problem.Y - 1e7)
    options = {"activity_alpha": 1.0, "column_alpha": 0.5, "upper_alpha": 2.0} if penalized else {}
    plain, other = (
        [r.loss for r in itertools.islice(start(p, *first, **options), 10)]
        for p in (problem, scaled)
    )
    np.testing.assert_allclose(np.array(other) / 1e12, plain, rtol=1e-6)


def test_same_start_same_result_and_the_start_is_left_alone():
    problem, *first = make_problem(np.random.default_rng(0), activations=("logistic", "relu"))
    copies = [W.copy() for W in itertools.chain(*first)]
    one, other = (fit(problem, *first, max_iter=30) for _ in range(2))
    for W, V in zip(one.coefs, other.coefs, strict=True):
        np.testing.assert_array_equal(W, V)
    for W, V in zip(itertools.chain(*first), copies, strict=True):
        np.testing.assert_array_equal(W, V)


def test_anderson_needs_fewer_sweeps_than_the_sweep_alone():
    problem, *first = make_problem(
        np.random.default_rng(0), n=200, d=10, k=1, widths=[20], alpha=1e-3
    )
    problem.Y = np.sin(problem.X[:, :1]) + problem.X[:, 1:2] ** 2
    after_60 = [fit(problem, *first, acceleration=a, max_iter=60).records[-1].loss for a in METHODS]
    assert after_60 == sorted(after_60)


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", pytest.param("logistic", marks=pytest.mark.slow)]
)
def test_eight_hidden_layers_train(activation):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    activations = [get_activation(activation)] * 8
    problem = Problem(X, np.eye(10)[y], activations, SoftmaxCrossEntropy(), get_penalty("l2"), 1e-4)
    first = glorot([64, *[40] * 8, 10], np.random.RandomState(0), float, activations)
    records = list(itertools.islice(start(problem, *first), 30))
    assert_monotone(records)
    assert records[-1].loss < 0.05


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data(sparse):
    """In the row space, and with neither it nor a square matrix of the columns."""
    problem, *first = make_problem(
        np.random.default_rng(0), loss="logistic", k=1, n=60, d=80, sparse=sparse, widths=[15]
    )
    small = replace(CONSTANTS, limits=replace(LIMITS, kronecker_inverse=20, row_space=20))
    ends = []
    for constants, in_rows in ((CONSTANTS, True), (small, False)):
        run = start(problem, *first, constants=constants)
        assert (run.step.setting.space is not None) == in_rows
        records = list(itertools.islice(run, 40))
        assert_monotone(records)
        ends.append(records[-1].loss)
    assert max(ends) < 0.05


def test_penalty_on_columns_acts_on_wide_data():
    problem, *first = make_problem(
        np.random.default_rng(0), loss="softmax", n=15, d=300, weighted=True
    )
    sizes = []
    for column_alpha in (0.5, 0.0):
        run = start(problem, *first, activity_alpha=1.0, column_alpha=column_alpha)
        assert_monotone(list(itertools.islice(run, 20)))
        share = problem.rows.normalized()
        variance = share @ (problem.X - share @ problem.X) ** 2
        sizes.append(np.log1p(10 * variance * (run.weights()[0][0] ** 2).sum(axis=1)).sum())
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("loss", ["squared_error", "huber", "softmax"])
@pytest.mark.parametrize("sparse", [False, True])
def test_batches_of_any_size_have_the_same_objective(loss, sparse):
    """J of the same weights, with all its penalties, in mini-batches and on the full batch."""
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), loss=loss, activations=("tanh",), weighted=True, sparse=sparse
    )
    if loss != "softmax":
        problem.Y = 30.0 * problem.Y
    copies = [W.copy() for W in (*coefs, *intercepts)]
    settings = {"activity_alpha": 3.0, "warm": True, "max_iter": 5}
    solver = Feasible(single_precision=False, column_alpha=0.7, upper_alpha=0.9)
    batches = solver.start(problem, coefs, intercepts, batch_size=10, **settings)
    full = solver.start(problem, coefs, intercepts, batch_size=30, **settings)
    assert full.objective().loss * full.judge.unit == pytest.approx(
        batches.judge.best * batches.judge.unit, rel=1e-9
    )
    for W, kept in zip((*coefs, *intercepts), copies, strict=True):
        np.testing.assert_array_equal(W, kept)


def test_at_the_minimum_the_weights_stay():
    """Nothing descends any more: the run ends by itself."""
    problem, *first = make_problem(np.random.default_rng(0), activations=(), alpha=1.0)
    run = start(problem, *first)
    result = minimize(run, max_iter=1000, tol=1e-12, n_iter_no_change=5)
    assert result.stop_reason == "converged"
    assert len(result.records) < 100
    run = start(problem, *first)
    records = list(itertools.islice(run, 1000))
    assert run.ended
    assert len(records) < 1000


class TestChain:
    """Mini-batches, then exact sweeps for what they leave."""

    def problem(self, loss="squared_error", penalty="l1", **options):
        return make_problem(
            np.random.default_rng(0), n=60, k=1, loss=loss, penalty=penalty, alpha=1.0, **options
        )

    def start(self, problem, coefs, intercepts, batch_size=20, **settings):
        solver = Feasible()
        return solver.start(problem, coefs, intercepts, batch_size=batch_size, **settings)

    def test_batches_leave_a_third_of_max_iter(self):
        run = self.start(*self.problem(), max_iter=9)
        assert isinstance(run, Chain)
        records = list(itertools.islice(run, 9))
        assert [record.settled for record in records].index(True) <= 6
        assert [record.iteration for record in records] == list(range(1, 10))

    def test_second_part_has_the_strengths_of_the_first_and_goes_on(self):
        problem, *first = self.problem()
        run = self.start(problem, *first, max_iter=12)
        records = list(itertools.islice(run, 8))
        assert not records[-1].settled
        weights = run.weights()
        second = run._finish(*weights)
        assert isinstance(second.step.method, ProximalMethod)
        assert second.regularization is run.regularization
        objective = second.step.setting.objective
        assert objective.activity == run.regularization.activity_alpha > 0
        for now, then in zip(second.weights()[0], weights[0], strict=True):
            np.testing.assert_allclose(now, then, rtol=1e-6, atol=1e-9)
        value = second.objective().loss
        first = next(second).loss / second.objective_unit
        assert first <= value * (1 + 1e-12)
        assert_finish_is_a_descent(records + list(itertools.islice(run, 4)))

    @pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
    def test_losses_with_kinks_are_polished_from_one_batch(self, loss):
        run = self.start(*self.problem(loss), batch_size=60, max_iter=30)
        assert isinstance(run, Chain)
        assert_finish_is_a_descent(list(itertools.islice(run, 30)))

    def test_useless_inputs_are_exactly_zero(self):
        rng = np.random.default_rng(3)
        data = rng.standard_normal((200, 8))
        target = data[:, :1] - 2 * np.abs(data[:, 1:2]) + 0.1 * rng.standard_normal((200, 1))
        activations = [get_activation("relu")]
        problem = Problem(data, target, activations, SquaredError(), get_penalty("l1"), 8.0)
        first = glorot([8, 10, 1], np.random.RandomState(0), float, activations)
        for batch_size, kind in ((25, Chain), (200, ComposedRun)):
            run = self.start(problem, *first, batch_size=batch_size, max_iter=90)
            assert type(run) is kind
            records = list(itertools.islice(run, 90))
            (assert_finish_is_a_descent if kind is Chain else assert_monotone)(records)
            used = np.abs(run.weights()[0][0]).sum(axis=1) > 0
            np.testing.assert_array_equal(used[:2], True)
            assert used[2:].sum() <= 1
