"""The search along a step, step by step on objectives made for it; and J that never rises."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED, Constants
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.engine.steps.full_batch import setting_of
from skmdlam.engine.steps.quasi_newton import (
    Descent,
    NesterovMethod,
    SecantMethod,
    method_of,
    secant_memory,
)
from skmdlam.losses import REGRESSION_LOSSES, LogisticLoss, SoftmaxCrossEntropy, get_loss
from skmdlam.penalties import get_penalty

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]
METHODS = ["anderson", "nesterov", None]
WITH_SLOPES = [name for name, cls in sorted(ACTIVATIONS.items()) if cls.exact_derivative]


class Function:
    """A function of a vector in the place of J, that knows where it was asked."""

    columns = 0.0

    def __init__(self, function, size=2):
        self.function, self.size, self.asked = function, size, []
        self.shapes, self.n_rows = [(size, 1)], 5

    def views(self, theta):
        return [theta.reshape(-1, 1)[:1], theta.reshape(-1, 1)[1:]]

    def __call__(self, theta):
        self.asked.append(theta.copy())
        value, gradient = self.function(theta)
        return float(value), np.asarray(gradient, dtype=float)


def method_for(function, start, kind=Descent, metric=None, constants=CONSTANTS, **options):
    """A method on a function, with a metric that stays."""
    start = np.array(start, dtype=float)
    objective = Function(function, start.size)
    setting = SimpleNamespace(objective=objective, theta=start)
    method = kind(setting, 1.0, constants, **options)
    metric = np.eye(start.size) if metric is None else metric
    method.preconditioner = Fixed(metric)
    method.start()
    return method


class Fixed:
    def __init__(self, metric):
        self.metric, self.updates, self.damping = metric, 0, None

    def __call__(self, gradient):
        return self.metric @ gradient

    def update(self, theta):
        self.updates += 1

    def damp(self, *damping):
        self.damping = damping


def along(values, slope=1.0):
    """A function of one variable t = -theta that has these values, with gradients to tell apart."""

    def function(theta):
        t = round(-float(theta[0]), 12)
        return values[t], [slope + t, 0.0]

    return function


class TestSearch:
    step = np.array([1.0, 0.0])

    def search(self, values, length=1.0, **limits):
        constants = Constants(TUNED, replace(LIMITS, **limits))
        method = method_for(along({0.0: 1.0, **values}), [0.0, 3.0], constants=constants)
        observed = []
        method.observe = lambda theta, gradient: observed.append((theta, gradient, method.theta))
        return method, observed, method.search(self.step, length, method.gradient)

    def test_less_than_armijos_share_is_refused_and_a_shorter_step_taken(self):
        method, observed, (moved, refused, across) = self.search(
            {1.0: 1.0 - 0.9e-4, 0.5: 1.0 - 0.6e-4}
        )
        assert moved
        assert refused == 1
        np.testing.assert_array_equal(across, [2.0, 0.0])  # the gradient at t = 1
        np.testing.assert_array_equal(method.theta, [-0.5, 3.0])
        np.testing.assert_array_equal(method.previous, [0.0, 3.0])
        assert method.value == 1.0 - 0.6e-4
        np.testing.assert_array_equal(method.gradient, [1.5, 0.0])
        assert method.length == 0.5
        ((theta, gradient, before),) = observed
        np.testing.assert_array_equal(theta, method.theta)
        np.testing.assert_array_equal(gradient, method.gradient)
        np.testing.assert_array_equal(before, [0.0, 3.0])

    def test_armijos_share_is_enough(self):
        method, _, (moved, refused, across) = self.search({1.0: 1.0 - 1.1e-4})
        assert moved
        assert refused == 0
        np.testing.assert_array_equal(across, [1.0, 0.0])  # no trial failed
        assert method.length == 1.0

    @pytest.mark.parametrize("length", [1.0, 2.0])
    def test_no_rise_is_accepted_however_small(self, length):
        method, observed, (moved, refused, across) = self.search(
            {length: 1.0 + 0.5e-4 * length}, length, trials=1
        )
        assert not moved
        assert refused == 1
        np.testing.assert_array_equal(across, [1.0 + length, 0.0])
        np.testing.assert_array_equal(method.theta, [0.0, 3.0])
        assert method.value == 1.0
        assert not observed

    @pytest.mark.parametrize(
        ("value", "then"),
        [
            (1.0 + 1.0, 0.25),  # the minimizer of the parabola with slope -1 at 0 and 2 at 1
            (1.0 + 1e9, 0.1),  # not shorter than a tenth
            (1.0 - 0.5e-4, 0.5),  # not longer than a half
            (np.inf, 0.1),
            (np.nan, 0.1),
        ],
    )
    def test_next_length_is_where_the_parabola_is_lowest(self, value, then):
        method, _, (moved, refused, across) = self.search({1.0: value, then: 0.0})
        assert moved
        assert refused == 1
        assert method.length == then
        # What is not finite says nothing of the other side.
        np.testing.assert_array_equal(across, [2.0 if np.isfinite(value) else 1.0, 0.0])

    def test_across_is_the_gradient_at_the_last_trial(self):
        _, _, (moved, refused, across) = self.search({1.0: 2.0, 0.25: 2.0}, trials=2)
        assert not moved
        assert refused == 2
        np.testing.assert_array_equal(across, [1.25, 0.0])

    @pytest.mark.parametrize("slope", [-1.0, 0.0, np.nan, np.inf])
    def test_nothing_is_tried_along_what_does_not_descend(self, slope):
        method, _, _ = self.search({1.0: 0.0})
        asked = len(method.objective.asked)
        gradient = np.array([slope, 0.0])
        moved, refused, across = method.search(self.step, 1.0, gradient)
        assert not moved
        assert refused == 0
        assert across is gradient
        assert len(method.objective.asked) == asked

    def test_slope_is_that_of_the_gradient_that_is_given(self):
        """Of a mixture, not of J's own: it is what promises the decrease."""
        values = {0.0: 1.0, 1.0: 1.0 - 1.1e-4}
        method = method_for(along(values), [0.0, 3.0])
        assert method.search(self.step, 1.0, np.array([1.0, 0.0]))[0]
        method = method_for(along(values), [0.0, 3.0], constants=one_trial())
        assert not method.search(self.step, 1.0, np.array([1.2, 0.0]))[0]


def one_trial():
    return Constants(TUNED, replace(LIMITS, trials=1))


class TestKinks:
    def test_mixture_of_both_sides_descends(self):
        """``10 |x| + y^2 / 2`` at x = 0: neither gradient descends, their mixture does."""

        def function(theta):
            x, y = theta
            return 10 * abs(x) + 0.5 * y**2, [10.0 if x >= 0 else -10.0, y]

        method = method_for(function, [0.0, 1.0])
        refused = method.plain_sweep(1.0)
        assert not method.stuck
        assert refused >= LIMITS.trials  # all along the first gradient
        assert abs(method.theta[0]) < 1e-6
        assert method.value < 0.5

    def test_mixture_is_the_shortest_in_the_metric(self):
        """Between g and h it is ``g - s (g - h)``, ``s = <g, P (g - h)> / <g - h, P (g - h)>``."""
        g, h = np.array([2.0, 1.0]), np.array([-1.0, 3.0])
        metric = np.array([[2.0, 0.5], [0.5, 1.0]])
        difference = g - h
        share = g @ metric @ difference / (difference @ metric @ difference)
        assert 0 < share < 1
        method = method_for(lambda theta: (1.0, g), [0.0, 0.0], metric=metric)
        asked = []

        def search(step, length, gradient):
            asked.append((step, length, gradient))
            return len(asked) == 2, 3, h

        method.search = search
        assert method.plain_sweep(0.7) == 6
        assert [length for _, length, _ in asked] == [0.7, 0.7]
        np.testing.assert_array_equal(asked[0][2], g)
        np.testing.assert_allclose(asked[1][2], g - share * difference, rtol=1e-14)
        for step, _, gradient in asked:
            np.testing.assert_allclose(step, metric @ gradient, rtol=1e-14)

    @pytest.mark.parametrize(("other", "expected"), [([3.0, 1.0], 0.0), ([0.5, 0.1], 1.0)])
    def test_mixture_stays_between(self, other, expected):
        """Where the shortest lies beyond one of the two, it is that one."""
        g, h = np.array([2.0, 1.0]), np.array(other)
        method, asked = method_for(lambda theta: (1.0, g), [0.0, 0.0]), []
        method.search = lambda step, length, gradient: asked.append(gradient) or (False, 1, h)
        method.plain_sweep(1.0)
        np.testing.assert_allclose(asked[1], h if expected else g, rtol=1e-14)

    def test_at_a_minimum_it_is_stuck_and_stays(self):
        def function(theta):
            return np.abs(theta).sum(), np.where(theta >= 0, 1.0, -1.0)

        for kind in (SecantMethod, NesterovMethod):
            method = method_for(function, [0.0, 0.0], kind)
            assert method.advance() > 0
            assert method.stuck
            np.testing.assert_array_equal(method.theta, 0.0)
            asked = len(method.objective.asked)
            assert method.advance() == 0  # and asks no more
            assert len(method.objective.asked) == asked


class TestStart:
    @pytest.mark.parametrize("bad", [np.inf, np.nan])
    def test_last_layer_shrinks_until_j_is_finite(self, bad):
        def function(theta):
            return (1.0 if abs(theta[1]) <= 1.0 else bad), [0.0, 0.0]

        method = method_for(function, [7.0, 30.0])
        np.testing.assert_array_equal(method.theta, [7.0, 30.0 / 64])
        assert method.value == 1.0
        assert method.previous is method.theta

    def test_zero_where_nothing_helps(self):
        method = method_for(lambda t: (0.0 if not t.any() else np.inf, 0 * t), [7.0, 30.0])
        np.testing.assert_array_equal(method.theta, 0.0)
        assert method.value == 0.0

    @pytest.mark.parametrize("kind", [SecantMethod, NesterovMethod])
    def test_free_sweeps_are_without_the_penalty_on_columns(self, kind):
        seen = []

        def function(theta):
            seen.append(method.objective.columns)
            return 0.5 * theta @ theta + seen[-1], theta

        method = method_for(lambda t: (0.5 * t @ t, t), [3.0, 1.0], kind, metric=0.1 * np.eye(2))
        method.objective.columns, method.objective.function = 5.0, function
        sweeps, advance = [], method.advance
        method.advance = lambda: sweeps.append(1) or advance()
        method.start_freely()
        assert len(sweeps) == TUNED.free_sweeps
        assert set(seen[:-1]) == {0.0}
        assert seen[-1] == method.objective.columns == 5.0
        assert method.value == 5.0 + 0.5 * method.theta @ method.theta
        assert method.value < 5.0 + 5.0
        assert method.length == 1.0
        assert method.previous is method.theta
        # What was learned belongs to another J.
        assert len(method.pairs) == 0 if kind is SecantMethod else method.momentum.advance() == 0
        method.objective.columns = 0.0
        before = method.theta
        method.start_freely()
        assert method.theta is before


class TestRenewal:
    def test_every_ten_sweeps_and_rho_goes_to_one(self):
        """Half of its distance, in digits, each time; the first one is with the user's own."""
        setting = SimpleNamespace(objective=Function(lambda t: (0.5 * t @ t, t)), theta=np.ones(2))
        method = Descent(setting, 1e6)
        method.preconditioner = Fixed(np.eye(2))
        method.sweep = lambda: 0
        method.start()
        rhos, updates = [], []
        for _ in range(41):
            method.advance()
            method.sweeps += 1
            rhos.append(method.rho)
            updates.append(method.preconditioner.updates)
        assert updates == [1] * 10 + [2] * 10 + [3] * 10 + [4] * 10 + [5]
        expected = [1e6] * 10 + [1e3] * 10 + [1e1**1.5] * 10 + [1e6**0.125] * 10 + [1e6**0.0625]
        assert rhos == pytest.approx(expected, rel=1e-12)
        damping = TUNED.damping_in * rhos[-1], TUNED.damping_out * rhos[-1]
        assert method.preconditioner.damping == pytest.approx(damping, rel=1e-12)

    def test_damping_is_that_of_the_constants_times_rho(self):
        tuned = replace(TUNED, damping_in=0.3, damping_out=0.7, curvature_share=0.4)
        setting = SimpleNamespace(objective=Function(lambda t: (0.0, t)), theta=np.ones(2))
        method = Descent(setting, 10.0, Constants(tuned, LIMITS))
        found = method.preconditioner
        assert (found.damping_in, found.damping_out) == pytest.approx((3.0, 7.0))
        assert found.curvature_share == 0.4


class TestNesterov:
    def test_follows_the_accelerated_gradient_method(self):
        H = np.diag([1.0, 0.05])
        method = method_for(lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], NesterovMethod)
        method.length = 0.5  # of the plain sweep twice that is tried, which descends
        assert method.advance() == 0
        x, last = np.array([0.0, 0.95]), np.array([1.0, 1.0])
        np.testing.assert_allclose(method.theta, x, atol=1e-14)
        s = 0.5 * (1 + np.sqrt(5))
        for _ in range(4):
            s, before = 0.5 * (1 + np.sqrt(1 + 4 * s**2)), s
            point = x + (before - 1) / s * (x - last)
            x, last = point - 1.0 * H @ point, x
            assert method.advance() == 0
            np.testing.assert_allclose(method.theta, x, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(method.previous, last, rtol=1e-12, atol=1e-14)
            assert method.value == pytest.approx(0.5 * x @ H @ x, rel=1e-12)

    def test_where_extrapolation_rises_it_is_dropped(self):
        H = np.diag([1.0, 0.05])
        method = method_for(lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], NesterovMethod)
        for _ in range(3):
            method.advance()
        value = method.value
        method.previous = method.theta + 100.0  # leads far away
        assert method.advance() >= 1
        assert method.value < value
        assert method.momentum.advance() == 0.0

    def test_without_extrapolation_it_is_the_plain_sweep(self):
        H = np.diag([1.0, 0.05])
        method = method_for(
            lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], NesterovMethod, extrapolate=False
        )
        method.length, x = 0.5, np.ones(2)
        for _ in range(3):
            length = 2.0 * method.length
            method.advance()
            x = x - method.length * H @ x
            assert method.length <= length
            np.testing.assert_allclose(method.theta, x, rtol=1e-12, atol=1e-14)


class TestSecant:
    def test_solves_a_parabola_in_as_many_sweeps_as_it_has_directions(self):
        rng = np.random.default_rng(0)
        root = rng.normal(size=(5, 5))
        H = root @ root.T + np.eye(5)
        method = method_for(
            lambda t: (0.5 * t @ H @ t, H @ t), np.ones(5), SecantMethod,
            metric=np.eye(5) / np.linalg.norm(H, 2),
        )  # fmt: skip
        for _ in range(25):
            method.advance()
        assert method.value < 1e-12
        assert 1 <= len(method.pairs) <= TUNED.secant_pairs

    def test_pairs_are_steps_and_changes_of_the_gradient(self):
        H = np.diag([2.0, 0.5])
        method = method_for(lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], SecantMethod)
        seen = []
        method.pairs.observe = lambda s, y, metric: seen.append((s, y, metric))
        before = method.theta, method.gradient
        method.advance()
        ((s, y, metric),) = seen
        assert metric is method.preconditioner
        np.testing.assert_allclose(s, method.theta - before[0], rtol=1e-14)
        np.testing.assert_allclose(y, method.gradient - before[1], rtol=1e-14)
        np.testing.assert_allclose(y, H @ s, rtol=1e-12)

    def test_a_new_metric_is_scaled_by_the_last_pair(self):
        H = np.diag([1.0, 0.05])
        method = method_for(
            lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], SecantMethod, 0.1 * np.eye(2)
        )
        before = method.theta, method.gradient
        method.advance()
        s, y = method.theta - before[0], method.gradient - before[1]
        method.preconditioner.metric = np.diag([3.0, 7.0])
        method.renew()
        expected = (s @ y) / (y @ method.preconditioner.metric @ y)
        assert method.pairs.scale == pytest.approx(expected, rel=1e-12)

    def test_a_model_that_is_wrong_is_forgotten(self):
        H = np.diag([1.0, 0.05])
        method = method_for(
            lambda t: (0.5 * t @ H @ t, H @ t), [1.0, 1.0], SecantMethod, 0.1 * np.eye(2)
        )
        for _ in range(2):
            method.advance()
        value, updates = method.value, method.preconditioner.updates
        step = method.pairs.step
        method.pairs.step = lambda gradient, metric: -step(gradient, metric)
        kept = len(method.pairs)
        assert kept > 0
        method.advance()
        assert method.value < value
        assert len(method.pairs) == 1  # that of the plain sweep
        assert method.preconditioner.updates == updates + 1

    def test_memory_is_what_is_affordable(self):
        assert secant_memory(5)._s.shape == (TUNED.secant_pairs, 5)
        constants = Constants(replace(TUNED, secant_pairs=7), replace(LIMITS, secant_numbers=100))
        assert secant_memory(7, constants)._s.shape == (7, 7)
        assert secant_memory(10, constants)._s.shape == (5, 10)
        assert secant_memory(40, constants)._s.shape == (LIMITS.secant_least, 40)


def draw_configuration(rng):
    """A random legal configuration, from mild to absurd."""
    depth = int(rng.integers(0, 9)) if rng.integers(3) == 0 else int(rng.integers(0, 3))
    return {
        "loss": LOSSES[rng.integers(len(LOSSES))],
        "activations": tuple(WITH_SLOPES[i] for i in rng.integers(0, len(WITH_SLOPES), depth)),
        "widths": rng.integers(1, 7, depth).tolist(),
        "weighted": bool(rng.integers(2)),
        "penalty": ["l2", "none"][rng.integers(2)],
        "alpha": float(rng.choice([0.0, 1e-4, 0.1, 1e3])),
        "scale": 10.0 ** rng.integers(-8, 9),
        "target_scale": 10.0 ** rng.integers(-8, 9),
        "n": int(rng.integers(2, 30)),
        "d": int(rng.integers(1, 40)),
        "k": int(rng.integers(1, 4)),
        "dtype": [np.float64, np.float32][int(rng.integers(4) == 0)],
    }


def make_problem(rng, *, loss, activations, widths, weighted, penalty, alpha, scale, target_scale,
                 n, d, k, dtype):  # fmt: skip
    X = (scale * rng.normal(size=(n, d))).astype(dtype)
    if loss in ("softmax", "logistic"):
        Y = np.eye(max(k, 2))[rng.integers(0, max(k, 2), n)].astype(dtype)
        loss = SoftmaxCrossEntropy() if loss == "softmax" else LogisticLoss()
    else:
        Y = (target_scale * rng.normal(size=(n, k))).astype(dtype)
        Y, loss = np.abs(Y) if loss == "poisson" else Y, get_loss(loss)
    activations = [get_activation(a) for a in activations]
    weight = rng.uniform(0.1, 3.0, n).astype(dtype) if weighted else None
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    seed = np.random.RandomState(int(rng.integers(1000)))
    return problem, *glorot([d, *widths, Y.shape[1]], seed, dtype, activations)


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 25))]
)
def test_j_never_rises_in_random_configurations(block):
    """The method's own value, which is J anew at its weights, and no best of a run."""
    for seed in range(20 * block, 20 * (block + 1)):
        rng = np.random.default_rng(seed)
        drawn = draw_configuration(rng)
        problem, coefs, intercepts = make_problem(rng, **drawn)
        setting = setting_of(
            problem, coefs, intercepts, warm=bool(rng.integers(2)),
            activity_alpha=float(rng.choice([0.0, 1.0, 100.0])),
            column_alpha=float(rng.choice([0.0, 1.0])),
        )  # fmt: skip
        method = method_of(METHODS[rng.integers(3)])(setting, 10.0 ** rng.uniform(-8, 8))
        with np.errstate(all="ignore"):
            method.start()
            method.start_freely()
            last = method.value
            assert np.isfinite(last), drawn
            for _ in range(25):
                method.advance()
                method.sweeps += 1
                assert method.value <= last, drawn
                assert setting.objective(method.theta)[0] == method.value, drawn
                last = method.value
        coefs, intercepts = setting.weights(method.theta)
        assert all(np.isfinite(W).all() for W in (*coefs, *intercepts)), drawn
        assert all(W.dtype == problem.X.dtype for W in (*coefs, *intercepts)), drawn


@pytest.mark.parametrize(
    ("acceleration", "kind", "weights"),
    [("anderson", SecantMethod, None), ("nesterov", NesterovMethod, True),
     (None, NesterovMethod, False)],
)  # fmt: skip
def test_methods_by_name(acceleration, kind, weights):
    setting = SimpleNamespace(objective=Function(lambda t: (0.0, t)), theta=np.ones(2))
    method = method_of(acceleration)(setting, 1.0, CONSTANTS)
    assert type(method) is kind
    if weights is not None:
        assert method.momentum.enabled is weights
