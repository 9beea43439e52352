"""Exact proximal sweeps: right where the answer is known, and J that never rises."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, MultiTaskLasso
from skmdlam.engine.proximal import PolishedRun, ProximalRun
from skmdlam.engine.run import minimise

from skmdlam.activations import get_activation
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.metric import MovingMetric, proximal
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.engine.units import InputSpace
from skmdlam.losses import LogisticLoss, SoftmaxCrossEntropy, SquaredError, get_loss
from skmdlam.penalties import GroupLasso, Penalty, get_penalty

RNG = np.random.RandomState(0)
X = RNG.standard_normal((200, 12)) @ (np.eye(12) + 0.3 * RNG.standard_normal((12, 12))) + 2.0
Y = X[:, :3].sum(axis=1, keepdims=True) + 0.5 * RNG.standard_normal((200, 1))
UNITS = 10.0 ** RNG.uniform(-3, 3, 12)
NONLINEAR = np.sin(X[:, :1]) + 0.5 * X[:, 1:2] ** 2

each_container = pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
each_scale = pytest.mark.parametrize("units", [np.ones(12), UNITS], ids=["scaled", "raw"])


class Whole(Penalty):
    """``||W||``, the Frobenius norm: no sum over rows."""

    name = "whole"

    def value(self, W):
        return float(np.linalg.norm(W))

    def prox(self, W, t):
        size = np.linalg.norm(W)
        return W * max(0.0, 1.0 - float(t) / size) if size > 0 else W.copy()


def problem_of(X, Y, loss, penalty, alpha, hidden=(), weight=None, activation="relu"):
    activations = [get_activation(activation)] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty(penalty, 0.5), alpha, weight)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    return problem, *glorot(sizes, np.random.RandomState(0), X.dtype, activations)


def solve(*args, max_iter=300, **kwargs):
    run = ProximalRun(*problem_of(*args, **kwargs))
    return minimise(run, max_iter=max_iter, tol=0.0, n_iter_no_change=20)


class TestLinearModels:
    """No hidden layer: scikit-learn's own solutions, in raw units too."""

    @each_container
    @each_scale
    @pytest.mark.parametrize("alpha", [0.5, 20.0])
    def test_lasso(self, units, alpha, container):
        data = X * units
        result = solve(container(data), Y, SquaredError(), "l1", alpha)
        oracle = Lasso(alpha / 200, tol=1e-12, max_iter=10**6).fit(data, Y[:, 0]).coef_
        W = result.coefs[0][:, 0]
        np.testing.assert_allclose(W * units, oracle * units, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(W == 0, oracle == 0)
        assert result.stop_reason == "converged"

    @each_scale
    def test_elastic_net(self, units):
        data = X * units
        result = solve(data, Y, SquaredError(), "elasticnet", 4.0)
        oracle = ElasticNet(4.0 / 200, l1_ratio=0.5, tol=1e-12, max_iter=10**6).fit(data, Y[:, 0])
        W = result.coefs[0][:, 0]
        np.testing.assert_allclose(W * units, oracle.coef_ * units, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(W == 0, oracle.coef_ == 0)

    @each_scale
    def test_group_is_the_multi_task_lasso(self, units):
        data, two = X * units, np.hstack([Y, X[:, 3:4] - X[:, 4:5]])
        result = solve(data, two, SquaredError(), "group", 10.0)
        oracle = MultiTaskLasso(10.0 * np.sqrt(2) / 200, tol=1e-10, max_iter=10**6).fit(data, two)
        scaled = result.coefs[0].T * units
        np.testing.assert_allclose(scaled, oracle.coef_ * units, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(result.coefs[0].T == 0, oracle.coef_ == 0)

    def test_nonnegative_is_ridge_of_positive_weights(self):
        from sklearn.linear_model import Ridge

        result = solve(X, Y, SquaredError(), "nonnegative", 3.0)
        oracle = Ridge(3.0, positive=True, tol=1e-12).fit(X, Y[:, 0])
        np.testing.assert_allclose(result.coefs[0][:, 0], oracle.coef_, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("classes", [2, 3])
    def test_logistic_regression(self, classes):
        edges = [6.0] if classes == 2 else [4.0, 8.0]
        labels = np.digitize(Y[:, 0], edges)
        if classes == 2:
            loss, target = LogisticLoss(), labels[:, None].astype(float)
        else:
            loss, target = SoftmaxCrossEntropy(), np.eye(3)[labels]
        result = solve(X, target, loss, "l1", 2.0)
        oracle = LogisticRegression(
            C=0.5, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=10**5
        )  # fmt: skip
        oracle = _fit_l1(oracle, X, labels)
        J = loss.value(oracle.decision_function(X).reshape(200, -1), target).sum()
        J += 2.0 * np.abs(oracle.coef_).sum()
        assert result.records[-1].loss * 200 == pytest.approx(J, rel=1e-7)
        if classes == 2:
            np.testing.assert_allclose(result.coefs[0].T, oracle.coef_, rtol=0, atol=1e-4)
            np.testing.assert_array_equal(result.coefs[0].T == 0, oracle.coef_ == 0)

    def test_penalty_that_is_no_sum_over_rows(self):
        """At the minimum the gradient has length alpha and points along the weights."""
        alpha = 30.0
        data = X * np.geomspace(0.3, 3.0, 12)
        result = solve(data, Y, SquaredError(), Whole(), alpha, max_iter=1000)
        W = result.coefs[0]
        r = Y - data @ W - result.intercepts[0]
        gradient = (data - data.mean(axis=0)).T @ r
        expected = alpha * W / np.linalg.norm(W)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-4 * alpha)
        assert abs(r.mean()) < 1e-8


def _fit_l1(oracle, X, labels):
    """From scikit-learn 1.8 on ``l1_ratio`` alone says which penalty it is."""
    import sklearn

    if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 8):
        oracle.set_params(penalty="l1", l1_ratio=None)
    return oracle.fit(X, labels)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet", "group", "nonnegative", "box"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson", "softmax"])
def test_monotone_and_as_reported(penalty, loss):
    rng = np.random.default_rng(0)
    if loss == "softmax":
        loss, target = SoftmaxCrossEntropy(), np.eye(3)[rng.integers(0, 3, 200)]
    else:
        loss, target = get_loss(loss), np.abs(NONLINEAR) * 30.0
    weight = rng.uniform(0.5, 2.0, 200)
    problem, coefs, intercepts = problem_of(
        X * UNITS, target, loss, penalty, 0.3, hidden=(8, 5), weight=weight, activation="tanh"
    )
    run = ProximalRun(problem, coefs, intercepts)
    losses = []
    for record in itertools.islice(run, 40):
        losses.append(record.loss)
        expected = problem.training_objective(*run.weights()) / weight.sum()
        assert record.loss == pytest.approx(expected, rel=1e-8)
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))
    assert losses[-1] < losses[0]


@each_scale
def test_a_stationary_point_is_what_remains(units):
    """No random small change of the weights that are not zero, or of the others, lowers J."""
    problem, coefs, intercepts = problem_of(
        X * units, NONLINEAR, SquaredError(), "l1", 2.0, hidden=(6,), activation="tanh"
    )
    run = ProximalRun(problem, coefs, intercepts)
    minimise(run, max_iter=3000, tol=0.0, n_iter_no_change=50)
    coefs, intercepts = run.weights()
    best = problem.training_objective(coefs, intercepts)
    rng = np.random.default_rng(0)
    sizes = [1.0 / units[:, None], np.ones((6, 1))]
    for _ in range(200):
        for size in (1e-4, 1e-3):
            moved = [
                W + size * scale * rng.standard_normal(W.shape) * (rng.random(W.shape) < 0.3)
                for W, scale in zip(coefs, sizes, strict=True)
            ]
            assert problem.training_objective(moved, intercepts) >= best * (1 - 1e-9)


@pytest.mark.parametrize(("penalty", "alpha"), [("l1", 8.0), ("group", 5.0)])
@pytest.mark.parametrize("batch_size", [25, 200])
def test_useless_inputs_are_exactly_zero(penalty, alpha, batch_size):
    rng = np.random.default_rng(3)
    data = rng.standard_normal((200, 12))
    target = data[:, :1] - 2 * np.abs(data[:, 1:2]) + 0.1 * rng.standard_normal((200, 1))
    problem, coefs, intercepts = problem_of(
        data, target, SquaredError(), penalty, alpha, hidden=(10,)
    )
    run = Feasible().start(problem, coefs, intercepts, batch_size=batch_size, max_iter=200)
    assert isinstance(run, PolishedRun if batch_size == 25 else ProximalRun)
    result = minimise(run, max_iter=200, tol=1e-5, n_iter_no_change=10)
    losses = [record.loss for record in result.records]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))
    used = np.abs(result.coefs[0]).sum(axis=1) > 0
    np.testing.assert_array_equal(used[:2], True)
    assert used[2:].sum() <= 1


def test_batches_leave_a_third_of_max_iter():
    problem, coefs, intercepts = problem_of(X, Y, SquaredError(), "l1", 1.0, hidden=(5,))
    run = Feasible().start(problem, coefs, intercepts, batch_size=50, max_iter=9)
    records = list(itertools.islice(run, 9))
    assert [record.settled for record in records].index(True) <= 6
    assert [record.iteration for record in records] == list(range(1, 10))


def test_cool_down_on_demand():
    problem, coefs, intercepts = problem_of(X, Y, SquaredError(), "l1", 1.0, hidden=(5,))
    run = Feasible().start(problem, coefs, intercepts, batch_size=50, max_iter=200)
    next(run)
    run.begin_cool_down()
    records = list(itertools.takewhile(lambda record: not record.settled, run))
    assert len(records) <= 30
    assert not run.ended
    run.begin_cool_down()
    assert run.ended


def test_interrupted_between_its_two_parts():
    problem, coefs, intercepts = problem_of(X, Y, SquaredError(), "l1", 1.0, hidden=(5,))
    run = Feasible().start(problem, coefs, intercepts, batch_size=50, max_iter=6)
    batches = run._run

    def interrupted(coefs, intercepts):
        raise KeyboardInterrupt

    run._finish = interrupted
    result = minimise(run, max_iter=6, tol=0.0, n_iter_no_change=10)
    assert result.stop_reason == "interrupted"
    assert len(result.records) == 4
    expected = batches.weights()
    for found, known in zip((result.coefs, result.intercepts), expected, strict=True):
        for W, V in zip(found, known, strict=True):
            np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
def test_losses_with_kinks_are_polished_from_one_batch(loss):
    problem, coefs, intercepts = problem_of(X, Y, get_loss(loss), "l1", 1.0, hidden=(5,))
    run = Feasible().start(problem, coefs, intercepts, batch_size=200, max_iter=60)
    assert isinstance(run, PolishedRun)
    losses = [record.loss for record in itertools.islice(run, 60)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))


class TestBlock:
    """The proximal step in the metric of mini-batches."""

    @pytest.mark.parametrize("penalty", ["l1", "group", "nonnegative", "box"])
    def test_units_of_the_inputs_do_not_slow_it_down(self, penalty):
        rng = np.random.RandomState(0)
        penalty = get_penalty(penalty)
        data = X * UNITS
        space = InputSpace(data, None, np.dtype(float), rng, rotate=False)
        W = rng.standard_normal((12, 4)) / UNITS[:, None]
        V = space.contract(W, np.zeros(4))
        start = V[:-1].copy()
        proximal(space, V, penalty, 0.1, 1.0, iterations=20)

        def value(V):
            W = space.expand(np.vstack([V, np.zeros(4)]))[0]
            W = penalty.prox(W, 0.0)
            V = space.contract(W, np.zeros(4))[:-1]
            return 0.5 * np.sum((V - start) ** 2) + 0.1 * penalty.value(W)

        end = value(V[:-1])
        proximal(space, best := np.vstack([start, np.zeros(4)]), penalty, 0.1, 1.0, iterations=3000)
        assert end <= value(best[:-1]) + 1e-3 * (value(start) - value(best[:-1]))

    def test_hidden_layer(self):
        rng = np.random.RandomState(0)
        metric = MovingMetric(5, 0.2, 0.05, np.dtype(float))
        A = np.vstack(
            [rng.standard_normal((5, 400)) * 10.0 ** np.arange(-2, 3)[:, None], np.ones(400)]
        )
        metric.observe(A)
        V = rng.standard_normal((6, 3))
        start, M = V.copy(), metric._centred()
        proximal(metric, V, GroupLasso(), 0.7, 2.0, iterations=500)

        def value(W):
            difference = W - start[:-1]
            return 0.5 * np.sum(difference * (M @ difference)) + 0.7 * GroupLasso().value(2.0 * W)

        best = value(V[:-1])
        for _ in range(300):
            moved = V[:-1] + 10.0 ** rng.uniform(-6, 0) * rng.standard_normal((5, 3))
            assert value(moved) >= best - 1e-9
        # The mean of the layer's output stays.
        mean = A[:-1].mean(axis=1)
        np.testing.assert_allclose(mean @ V[:-1] + V[-1], mean @ start[:-1] + start[-1])
