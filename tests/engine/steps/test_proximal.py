"""Exact proximal sweeps: right where the answer is known, and J that never rises."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, MultiTaskLasso, Ridge

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.loop.run import minimize
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.engine.steps.full_batch import FullBatchStep, setting_of, without_penalty
from skmdlam.engine.steps.proximal import ProximalMethod
from skmdlam.engine.steps.quasi_newton import SecantMethod
from skmdlam.losses import LogisticLoss, SoftmaxCrossEntropy, SquaredError, get_loss
from skmdlam.penalties import Box, Penalty, get_penalty

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
    penalty = get_penalty(penalty, 0.5)
    constrained = not np.isfinite(penalty.value(np.full((1, 1), -1e9)))
    problem = Problem(X, Y, activations, loss, penalty, alpha, weight, constrained)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    return problem, *glorot(sizes, np.random.RandomState(0), X.dtype, activations)


def solve(*args, max_iter=300, **kwargs):
    run = begin(*problem_of(*args, **kwargs))
    return minimize(run, max_iter=max_iter, tol=0.0, n_iter_no_change=20)


def begin(problem, coefs, intercepts, **settings):
    settings = {"activity_alpha": 0.0, **settings}
    run = Feasible().start(problem, coefs, intercepts, batch_size=len(problem.Y), **settings)
    assert isinstance(run.step.method, ProximalMethod)
    return run


def method_of(problem, coefs, intercepts, **strengths):
    """The method by itself, on its start."""

    def free():
        return setting_of(without_penalty(problem), coefs, intercepts)

    setting = setting_of(problem, coefs, intercepts, **strengths)
    method = ProximalMethod(setting, free, CONSTANTS)
    with np.errstate(all="ignore"):
        method.start()
    return setting, method


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
        result = solve(X, Y, SquaredError(), "nonnegative", 3.0)
        oracle = Ridge(3.0, positive=True, tol=1e-12).fit(X, Y[:, 0])
        np.testing.assert_allclose(result.coefs[0][:, 0], oracle.coef_, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.slow
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

    @pytest.mark.parametrize("units", [np.geomspace(0.3, 3.0, 12), UNITS], ids=["near", "raw"])
    def test_penalty_that_is_no_sum_over_rows(self, units):
        """At the minimum the gradient has length alpha and points along the weights."""
        alpha = 30.0
        data = X * units
        result = solve(data, Y, SquaredError(), Whole(), alpha, max_iter=1000)
        W = result.coefs[0]
        r = Y - data @ W - result.intercepts[0]
        gradient = (data - data.mean(axis=0)).T @ r
        expected = alpha * W / np.linalg.norm(W)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-4 * alpha)
        assert abs(r.sum()) < 1e-4 * alpha


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
    problem, *first = problem_of(
        X * UNITS, target, loss, penalty, 0.3, hidden=(8, 5), weight=weight, activation="tanh"
    )
    setting, method = method_of(problem, *first)
    with np.errstate(all="ignore"):
        method.start_freely()
    step = FullBatchStep(method, setting, warm=True)
    unit, values = setting.frame.scaling.factor, [method.value]
    for _ in range(30):
        with np.errstate(all="ignore"):
            step(None, 1.0)
        values.append(method.value)
        expected = problem.training_objective(*step.weights()) / weight.sum()
        assert method.value * unit == pytest.approx(expected, rel=1e-8)
    assert all(later <= earlier for earlier, later in itertools.pairwise(values))
    assert values[-1] < values[0]


@each_scale
def test_a_stationary_point_is_what_remains(units):
    """No random small change of the weights that are not zero, or of the others, lowers J."""
    problem, coefs, intercepts = problem_of(
        X * units, NONLINEAR, SquaredError(), "l1", 2.0, hidden=(6,), activation="tanh"
    )
    run = begin(problem, coefs, intercepts)
    minimize(run, max_iter=1000, tol=0.0, n_iter_no_change=30)
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


class TestStart:
    @pytest.mark.parametrize("penalty", ["l1", "group", "nonnegative", "box"])
    def test_where_the_target_is_does_not_matter(self, penalty):
        """The free sweeps lead to the same place, counted from the mean of the target."""
        ends = []
        for shift in (0.0, 1e4):
            run = begin(
                *problem_of(X, NONLINEAR + shift, SquaredError(), penalty, 1.0, (6,), None, "tanh")
            )
            records = list(itertools.islice(run, 15))
            ends.append(([record.loss for record in records], *run.weights()))
        np.testing.assert_allclose(ends[1][0], ends[0][0], rtol=1e-5)
        for W, V in zip(ends[1][1], ends[0][1], strict=True):
            np.testing.assert_allclose(W, V, rtol=0, atol=1e-4)
        np.testing.assert_allclose(ends[1][2][-1] - 1e4, ends[0][2][-1], atol=1e-4)

    @each_scale
    @pytest.mark.parametrize("penalty", ["l1", "nonnegative"])
    def test_is_where_ten_sweeps_without_the_penalties_lead_to(self, penalty, units):
        problem, *first = problem_of(
            X * units, 30.0 * NONLINEAR + 7.0, SquaredError(), penalty, 2.0, (6,), None, "tanh"
        )
        free = setting_of(without_penalty(problem), *first)
        method = SecantMethod(free)
        method.start()
        for _ in range(TUNED.free_sweeps):
            method.advance()
            method.sweeps += 1
        coefs, intercepts = free.weights(method.theta)
        # The projection keeps the mean of what the first layer puts out.
        inside = [problem.penalty.prox(W, 0.0) for W in coefs]
        intercepts[0] = intercepts[0] + problem.X.mean(axis=0) @ (coefs[0] - inside[0])
        expected = problem.training_objective(inside, intercepts) / 200
        setting, method = method_of(problem, *first)
        method.start_freely()
        unit = setting.frame.scaling.factor
        assert method.value * unit == pytest.approx(expected, rel=1e-8)
        assert next(begin(problem, *first)).loss <= expected
        # A warm start goes on where it is.
        run = begin(problem, inside, intercepts, warm=True)
        assert next(run).loss <= expected * (1 + 1e-12)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    def test_free_sweeps_of_wide_data_are_in_the_row_space(self, container):
        """And lead to weights of all columns, near which the penalized ones begin."""
        data, target = X[:8] * UNITS, 30.0 * NONLINEAR[:8] + 7.0
        problem, *first = problem_of(container(data), target, SquaredError(), "l1", 2.0, (3,))
        free = setting_of(without_penalty(problem), *first)
        assert free.space is not None
        method = SecantMethod(free)
        method.start()
        for _ in range(TUNED.free_sweeps):
            method.advance()
        expected = problem.training_objective(*free.weights(method.theta)) / 8
        setting, method = method_of(problem, *first)
        method.start_freely()
        assert method.value * setting.frame.scaling.factor == pytest.approx(expected, rel=1e-8)

    def test_is_inside_the_domain_and_shrinks_until_j_is_finite(self):
        problem, coefs, intercepts = problem_of(
            X, np.abs(NONLINEAR), get_loss("poisson"), "nonnegative", 1.0, hidden=(6,)
        )
        coefs = [1e4 * W for W in coefs]
        _, method = method_of(problem, coefs, intercepts)
        assert np.isfinite(method.value)
        assert all((V[:-1] >= 0).all() for V in method.objective.views(method.theta))


@each_scale
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_are_inside_the_box(dtype, units):
    """In the user's units, whatever those of X and y are, at an end to the last bit."""
    problem, coefs, intercepts = problem_of(
        (X * units).astype(dtype), (1e3 * Y).astype(dtype), SquaredError(), "l1", 0.1, hidden=(5,)
    )
    problem.penalty, problem.constrained = Box(-0.3, 0.7), True
    run = begin(problem, coefs, intercepts)
    for _ in itertools.islice(run, 25):
        for W in run.weights()[0]:
            assert (dtype(-0.3) <= W).all()
            assert (dtype(0.7) >= W).all()
            assert W.dtype == dtype
    assert any((dtype(0.7) == W).any() for W in run.weights()[0])


class TestMap:
    """T, step by step."""

    def begin(self, penalty, weight=None):
        problem, *first = problem_of(
            X * UNITS, 30.0 * NONLINEAR, SquaredError(), "l1", 5.0, (4,), weight, "tanh"
        )
        problem.penalty = get_penalty(penalty, 0.5) if isinstance(penalty, str) else penalty
        setting, method = method_of(problem, *first)
        method.renew()
        return problem, setting, method

    @pytest.mark.parametrize("penalty", ["l1", "group", "elasticnet", "nonnegative", Whole()])
    def test_is_the_minimizer_of_the_model(self, penalty):
        """Of ``<f', V' - V> + ||V' - V||_D^2 / (2 gamma) + alpha penalty``, in the user's units."""
        problem, setting, method = self.begin(penalty)
        method.gamma = 0.3
        unit = setting.frame.scaling.factor
        metric = [np.broadcast_to(r, s) for r, s in zip(method._rows, method.objective.shapes,
                                                        strict=True)]  # fmt: skip
        metric = np.concatenate([rows.ravel() for rows in metric])

        def model(theta):
            move = theta - method.theta
            value = method.gradient @ move + move @ (metric * move) / (2 * 0.3)
            coefs, _ = setting.weights(theta)
            return value, problem.alpha * sum(map(problem.penalty.value, coefs)) / unit / 200

        point, penalty_value, fall = method._forward_backward(method.theta, method.gradient)
        smooth, rough = model(point)
        assert fall == pytest.approx(smooth, rel=1e-10)
        assert penalty_value == pytest.approx(rough, rel=1e-8)
        rng = np.random.default_rng(0)
        for size in (1e-5, 1e-3, 1e-1):
            for _ in range(30):
                some = rng.random(point.size) < 0.2
                other = point + size * some * np.abs(point) * rng.standard_normal(point.size)
                other += size * some * 0.1 * rng.standard_normal(point.size)
                other = setting.place(
                    [problem.penalty.prox(W, 0.0) for W in setting.weights(other)[0]],
                    setting.weights(other)[1],
                )
                assert smooth + rough <= sum(model(other)) + 1e-10
        moved = method._metric * (method.theta - point) / 0.3
        np.testing.assert_allclose(method._residual(method.theta, point), moved, rtol=1e-14)

    def test_curvature_has_floors_within_and_across_layers(self):
        _, _, method = self.begin("l1")
        fixed = [np.full((13, 1), 1e-30), np.array([[1.0], [2.0], [0.0], [1e-9], [7.0]])]
        method.objective.row_curvature = lambda theta: [rows.copy() for rows in fixed]
        method.renew()
        np.testing.assert_allclose(method._rows[0], 2e-8, rtol=1e-9)
        np.testing.assert_allclose(method._rows[1][:, 0], [1.0, 2.0, 2e-4, 2e-4, 7.0], rtol=1e-6)
        method.objective.row_curvature = lambda theta: [np.full((13, 1), np.nan), fixed[1].copy()]
        method.renew()
        np.testing.assert_array_equal(method._rows[0], 1.0)
        method.objective.row_curvature = lambda theta: [np.zeros((13, 1)), np.zeros((5, 1))]
        method.renew()
        np.testing.assert_array_equal(method._metric, 1.0)

    def test_a_ridge_on_upper_layers_does_not_shorten_the_steps(self):
        """Its curvature counts, also that of a unit that is off on all rows and has no other."""
        problem, coefs, intercepts = problem_of(
            X, NONLINEAR, SquaredError(), "box", 0.0, hidden=(6,)
        )
        for strength in (0.0, 20.0, 150.0):
            _, method = method_of(problem, coefs, intercepts, upper_alpha=strength)
            inner, outer = method.objective.views(method.theta)
            inner[-1, 0], outer[0, 0] = -50.0, 0.7
            method.start()
            for _ in range(10):
                method.advance()
            assert method.gamma > 0.02

    def test_a_map_that_cannot_tell_rows_apart_has_one_step_in_the_users_units(self):
        _, setting, method = self.begin(Whole())
        rows = method.objective.row_curvature(method.theta)
        for layer, unit in enumerate((setting.frame.coordinates.unit, setting.frame.scaling.scale)):
            step = unit**2 / method._rows[layer][:-1]
            assert np.ptp(step) <= 1e-10 * step.max()
            # The steepest row says how long.
            assert step.max() == pytest.approx((unit**2 / rows[layer][:-1]).min(), rel=1e-8)

    def test_length_doubles_with_each_renewal_but_the_first(self):
        _, _, method = self.begin("l1")
        assert method.gamma == 1.0
        method.sweeps = 3
        method.renew()
        assert method.gamma == 2.0
        kept = method._since_renewed
        assert kept == 0

    def test_renewed_every_ten_sweeps(self):
        _, _, method = self.begin("l1")
        method._since_renewed, renewed, renew = np.inf, [], method.renew
        method.renew = lambda: renewed.append(method.sweeps) or renew()
        for _ in range(25):
            method.advance()
            method.sweeps += 1
        assert renewed == [0, 10, 20]

    def test_a_rise_above_the_parabola_halves_the_length(self):
        """And a step that is far too long is halved until J falls."""
        _, _, method = self.begin("l1")
        method.gamma, value = 1e6, method.value
        method.pairs.forget()
        refused = method.sweep()
        assert refused > 5
        assert method.gamma < 1e3
        assert method.value < value
        point, penalty, model = method._forward_backward(method.theta, method.gradient)
        gamma = method.gamma
        assert method._arrive(point, penalty, method._smooth + model - 1e6, np.inf)
        assert method.gamma == gamma / 2

    def test_less_than_the_promised_share_is_refused(self):
        _, _, method = self.begin("l1")
        point, penalty, _ = method._forward_backward(method.theta, method.gradient)
        reached = method.objective(point)[0] + penalty
        before = method.theta
        assert not method._arrive(point, penalty, np.inf, np.nextafter(reached, -np.inf))
        assert method.theta is before
        assert method._arrive(point, penalty, np.inf, reached)
        assert method.value == reached
        np.testing.assert_array_equal(method.theta, point)
        # Where it stands there is nothing to arrive at.
        assert not method._arrive(point, penalty, np.inf, np.inf)

    def test_goal_of_every_trial_is_below_j(self):
        """J less a share of what the model promises, which is what the proximal step falls by."""
        _, _, method = self.begin("l1")
        method.sweep()
        assert len(method.pairs) == 1
        _, penalty, model = method._forward_backward(method.theta, method.gradient)
        promised = method._penalty - penalty - model
        assert promised > 0
        goals = []
        method._try = lambda theta, goal: goals.append(goal)
        method._arrive = lambda point, penalty, parabola, goal: goals.append(goal)
        method._limits = replace(LIMITS, halvings=2)
        assert method.sweep() == 5  # three lengths of the secant step, two of the other
        assert method.stuck
        assert len(method.pairs) == 0  # the model was wrong
        assert goals[:4] == pytest.approx([method.value - 1e-4 * promised] * 4, rel=1e-15)
        method.gamma *= 2.0
        _, penalty, model = method._forward_backward(method.theta, method.gradient)
        promised = method._penalty - penalty - model
        assert goals[4] == pytest.approx(method.value - 1e-4 * promised, rel=1e-15)

    def test_secant_step_needs_an_envelope_below_the_goal(self):
        """Where J at T of its end is below the goal, and the model there is not, it is refused."""
        _, _, method = self.begin("l1")
        method.gamma = 1e-2
        end = method.theta + 1e-3
        smooth, gradient = method.objective(end)
        point, penalty, model = method._forward_backward(end, gradient)
        envelope, reached = smooth + model + penalty, method.objective(point)[0] + penalty
        assert reached < envelope
        before = method.theta
        assert not method._try(end, 0.5 * (envelope + reached))
        assert method.theta is before
        assert method._try(end, envelope)
        np.testing.assert_array_equal(method.theta, point)

    def test_new_curvature_scales_by_the_last_pair(self):
        _, _, method = self.begin("l1")
        seen = []
        method.pairs.rescale = seen.append
        method.renew()
        np.testing.assert_allclose(seen[0](method._metric), 1.0, rtol=1e-14)

    def test_map_leaves_its_argument_alone(self):
        _, _, method = self.begin("l1")
        kept = method.theta.copy()
        moved, _ = method._map(method.theta, [np.ones((12, 1)), np.ones((4, 1))])
        np.testing.assert_array_equal(method.theta, kept)
        assert not np.array_equal(moved, kept)

    def test_pairs_are_those_of_the_residual(self):
        _, _, method = self.begin("elasticnet")
        seen, before, slope = [], method.theta, method.gradient
        method.pairs.observe = lambda s, y, metric: seen.append((s, y, metric))
        method.sweep()
        s, y, metric = seen[-1]
        np.testing.assert_array_equal(s, method.theta - before)

        def residual(theta, gradient):
            point = method._forward_backward(theta, gradient)[0]
            return method._metric * (theta - point) / method.gamma

        expected = residual(method.theta, method.gradient) - residual(before, slope)
        np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(metric(y), y / method._metric, rtol=1e-14)


def test_secants_are_worth_it():
    """After as many sweeps J is nearer to its minimum than by proximal steps alone."""
    problem, *first = problem_of(X * UNITS, Y, SquaredError(), "l1", 5.0)
    ends = []
    for memory in (True, False):
        _, method = method_of(problem, *first)
        if not memory:
            method.pairs.observe = lambda *args: None
        for _ in range(25):
            method.advance()
            method.sweeps += 1
        ends.append(method.value)
    best = solve(X * UNITS, Y, SquaredError(), "l1", 5.0).records[-1].loss
    unit = Y.var() * 1.0
    assert ends[0] * unit - best < 0.1 * (ends[1] * unit - best)


def test_at_a_stationary_point_it_is_stuck_and_stays():
    problem, *first = problem_of(X, Y, SquaredError(), "l1", 1e6)
    run = begin(problem, *first)
    list(itertools.islice(run, 200))
    assert run.ended
    np.testing.assert_array_equal(run.weights()[0][0], 0.0)
    method = run.step.method
    before = method.theta
    assert method.advance() == 0
    assert method.theta is before
