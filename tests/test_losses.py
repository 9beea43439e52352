"""The losses: values, gradients and inverse links, and proximal maps against brute force."""

import pickle
import re
import warnings
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.special import wrightomega
from sklearn import metrics
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmdlam import Feasible, MDLAMRegressor, losses
from skmdlam.losses import (
    REGRESSION_LOSSES,
    AbsoluteError,
    Huber,
    LogisticLoss,
    Loss,
    Poisson,
    Quantile,
    Scaling,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)
from skmdlam.testing import check_loss

ALL = [
    SoftmaxCrossEntropy(),
    LogisticLoss(),
    SquaredError(),
    AbsoluteError(),
    Huber(),
    Huber(delta=np.float64(0.1)),
    Quantile(),
    Quantile(quantile=0.9),
    Poisson(),
]
SEPARABLE = [loss for loss in ALL if not isinstance(loss, SoftmaxCrossEntropy)]
KINKED = (AbsoluteError, Quantile)
SMOOTH = [loss for loss in ALL if not isinstance(loss, KINKED)]
each_loss = pytest.mark.parametrize("loss", ALL, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
RHOS = [1e-8, 1e-3, 0.1, 1.0, 30.0, 1e8]
EPS = np.finfo(np.float64).eps

seeds = st.integers(0, 2**32 - 1)
rhos = st.floats(-8, 8).map(lambda exponent: 10.0**exponent)
scales = st.floats(-4, 8).map(lambda exponent: 10.0**exponent)


def draw_target(loss, rng, shape, scale=1.0):
    if isinstance(loss, SoftmaxCrossEntropy):
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    if isinstance(loss, LogisticLoss):
        return rng.integers(2, size=shape).astype(float)
    if isinstance(loss, Poisson):
        return rng.poisson(2.0, size=shape) * rng.choice([1.0, 0.37, 1e5], size=shape)
    return scale * rng.standard_normal(shape)


def draw(loss, seed, shape=(6, 3), scale=1.0):
    rng = np.random.default_rng(seed)
    y = draw_target(loss, rng, shape, scale)
    return scale * rng.standard_normal(shape), y, rng


def objective(loss, z, v, y, rho):
    return loss.value(z, y) + 0.5 * rho * np.sum((z - v) ** 2, axis=1)


def rounding(loss, z, v, y, rho):
    """What a change of z, v and y by their last digits changes in gradient + rho (z - v)."""
    size = np.maximum(np.abs(z), np.abs(v))
    curvature = np.ones_like(z)
    if isinstance(loss, Poisson):
        curvature = np.exp(z)
    if isinstance(loss, (SoftmaxCrossEntropy, LogisticLoss)):
        size = size.max(axis=1, keepdims=True)
        p = loss.inverse_link(z)
        largest = np.abs(p - y).max(axis=1, keepdims=True)
        curvature = np.minimum(largest, 1.0) if p.shape[1] > 1 else p * (1 - p)
    data = np.abs(loss.gradient(z, y)).max(axis=1, keepdims=True)
    if not isinstance(loss, (SoftmaxCrossEntropy, LogisticLoss)):
        data = data + np.abs(y)
    return EPS * (data + (rho + curvature) * size)


def residual(loss, z, v, y, rho):
    """Distance of -rho (z - v) from the subdifferential of the loss at z."""
    force = rho * (v - z)
    if not isinstance(loss, KINKED):
        return np.abs(loss.gradient(z, y) - force)
    below = loss.gradient(np.nextafter(z, -np.inf), y)
    above = loss.gradient(np.nextafter(z, np.inf), y)
    return np.maximum(np.maximum(below - force, force - above), 0.0)


@each_loss
def test_check_loss(loss):
    check_loss(loss, draw_target=lambda rng, shape: draw_target(loss, rng, shape))


class TestProx:
    @each_loss
    @given(seed=seeds, rho=rhos, scale=scales)
    def test_stationary(self, loss, seed, rho, scale):
        v, y, _ = draw(loss, seed, scale=scale)
        z = loss.prox(v, y, rho)
        assert np.all(residual(loss, z, v, y, rho) <= 50 * rounding(loss, z, v, y, rho))

    @each_loss
    @given(seed=seeds, rho=rhos, scale=st.floats(-3, 2).map(lambda exponent: 10.0**exponent))
    def test_nothing_is_better(self, loss, seed, rho, scale):
        v, y, rng = draw(loss, seed, scale=scale)
        z = loss.prox(v, y, rho)
        best = objective(loss, z, v, y, rho)
        slack = 1e-12 * (best + np.abs(y).sum(axis=1))
        for radius in [1e-7, 1e-4, 1e-2, 0.3, 3.0]:
            for center in [z, v]:
                noise = rng.standard_normal(v.shape)
                for direction in [noise, noise * (rng.random(v.shape) < 0.3)]:
                    other = center + radius * (1.0 + np.abs(z - v).max()) * direction
                    assert np.all(objective(loss, other, v, y, rho) >= best - slack)

    @pytest.mark.parametrize("loss", SEPARABLE, ids=repr)
    @pytest.mark.parametrize("rho", [1e-3, 0.1, 1.0, 30.0])
    def test_scalar_search_finds_nothing_better(self, loss, rho):
        v, y, _ = draw(loss, 5, shape=(12, 1), scale=2.0)
        if isinstance(loss, Poisson):
            y = np.minimum(y, 10.0)
        z = loss.prox(v, y, rho)
        for index in range(len(v)):
            args = v[[index]], y[[index]], rho

            def along(x, args=args):
                return objective(loss, np.array([[x]]), *args)[0]

            reach = 2.0 + 2.0 * abs(z[index, 0] - v[index, 0])
            found = minimize_scalar(
                along,
                bounds=(z[index, 0] - reach, z[index, 0] + reach * 0.9),
                method="bounded",
                options={"xatol": 1e-10},
            )
            best = along(z[index, 0])
            assert best <= found.fun + 1e-13 * (1.0 + abs(found.fun))
            assert z[index, 0] == pytest.approx(found.x, abs=3e-7 * (1 + 1 / np.sqrt(rho)))

    @pytest.mark.parametrize("n_classes", [2, 3, 10])
    @pytest.mark.parametrize("rho", [1e-3, 0.1, 1.0, 30.0])
    def test_optimizer_finds_nothing_better_for_softmax(self, n_classes, rho):
        loss = SoftmaxCrossEntropy()
        v, y, _ = draw(loss, 7, shape=(5, n_classes), scale=3.0)
        z = loss.prox(v, y, rho)
        for index in range(len(v)):
            args = v[[index]], y[[index]], rho
            found = minimize(
                lambda x, args=args: objective(loss, x[np.newaxis], *args)[0],
                v[index],
                jac=lambda x, args=args: (
                    loss.gradient(x[np.newaxis], args[1]) + rho * (x - args[0])
                )[0],
                method="BFGS",
                options={"gtol": 1e-9},
            )
            best = objective(loss, z[[index]], *args)[0]
            assert best <= found.fun * (1 + 1e-13)
            np.testing.assert_allclose(z[index], found.x, atol=1e-7 * (1 + 1 / rho))

    @each_loss
    @given(seed=seeds, rho=rhos, scale=scales)
    def test_firmly_nonexpansive(self, loss, seed, rho, scale):
        v, y, rng = draw(loss, seed, scale=scale)
        other = v + scale * rng.standard_normal(v.shape) * 10.0 ** rng.uniform(-3, 1)
        z, z_other = loss.prox(v, y, rho), loss.prox(other, y, rho)
        inner = np.sum((z - z_other) * (v - other), axis=1)
        size = sum(np.sum(a**2, axis=1) for a in (v, other, z, z_other))
        assert np.all(np.sum((z - z_other) ** 2, axis=1) <= inner + 100 * EPS * size)

    @each_loss
    def test_extremes(self, loss):
        shape = (8, 4)
        for rho, size in product(RHOS, [0.0, 1.0, 800.0, 1e8]):
            _, y, rng = draw(loss, 11, shape=shape)
            v = size * rng.choice([-1.0, 0.0, 1.0, 0.3], size=shape)
            z = loss.prox(v, y, rho)
            assert np.all(np.isfinite(z))
            assert np.all(residual(loss, z, v, y, rho) <= 50 * rounding(loss, z, v, y, rho))
            value = loss.value(z, y)
            assert np.all(np.isfinite(value))
            assert np.all(value <= objective(loss, v, v, y, rho) * (1 + 1e-12) + 1e-12)

    @each_loss
    def test_limits(self, loss):
        v, y, _ = draw(loss, 13)
        y = np.minimum(y, 5.0)
        np.testing.assert_allclose(loss.prox(v, y, 1e8), v, atol=5e-6)
        near = loss.value(loss.prox(v, y, 1e-8), y)
        assert np.all(near <= 1e-5)

    @each_loss
    @each_dtype
    def test_keeps_type_and_input(self, loss, dtype):
        rho = 0.1
        v, y, _ = draw(loss, 17)
        v, y = v.astype(dtype), y.astype(dtype)
        before = v.copy(), y.copy()
        z = loss.prox(v, y, np.float64(rho))
        assert z.dtype == dtype
        assert z.shape == v.shape
        assert not np.shares_memory(z, v)
        assert not np.shares_memory(z, y)
        np.testing.assert_array_equal(v, before[0])
        np.testing.assert_array_equal(y, before[1])
        # Single precision is that of the answer, not of the way to it.
        expected = loss.prox(v.astype(np.float64), y.astype(np.float64), rho)
        np.testing.assert_array_equal(z, expected.astype(dtype))

    @each_loss
    def test_start_changes_nothing(self, loss):
        for rho in RHOS:
            v, y, rng = draw(loss, 19)
            expected = loss.prox(v, y, rho)
            # As accurate as the data: rho (z - v) and z both to their last digits.
            atol = 1e-14 * (np.abs(expected).max() + 1e-3 * np.abs(expected - v).max())
            for start in [expected, v, 1e8 * rng.standard_normal(v.shape), np.zeros_like(v)]:
                before = start.copy()
                z = loss.prox(v, y, rho, start=start)
                np.testing.assert_allclose(z, expected, rtol=1e-13, atol=atol)
                np.testing.assert_array_equal(start, before)

    @each_loss
    def test_samples_do_not_meet(self, loss):
        v, y, _ = draw(loss, 23, shape=(50, 3))
        together = loss.prox(v, y, 0.2)
        each = np.concatenate([loss.prox(v[[i]], y[[i]], 0.2) for i in range(len(v))])
        np.testing.assert_allclose(together, each, rtol=1e-13, atol=1e-14)
        transposed = loss.prox(np.asfortranarray(v), np.asfortranarray(y), 0.2)
        np.testing.assert_array_equal(together, transposed)
        assert loss.prox(v[:0], y[:0], 0.2).shape == (0, 3)

    def test_softmax_blocks(self, monkeypatch):
        loss = SoftmaxCrossEntropy()
        v, y, _ = draw(loss, 29, shape=(50, 3))
        whole = loss.prox(v, y, 0.2)
        for size in [1, 3, 10, 21]:
            monkeypatch.setattr(losses, "_BLOCK_SIZE", size)
            np.testing.assert_allclose(loss.prox(v, y, 0.2, v), whole, rtol=1e-13, atol=1e-14)

    @given(seed=seeds, rho=rhos, scale=scales, n_classes=st.sampled_from([2, 3, 50, 1000]))
    def test_softmax_classes(self, seed, rho, scale, n_classes):
        loss = SoftmaxCrossEntropy()
        v, y, rng = draw(loss, seed, shape=(4, n_classes), scale=scale)
        # Sizes of all orders in one sample: a kink of the scalar equation a class.
        v[1] = -(10.0 ** rng.uniform(-3, 8, size=n_classes))
        v[2] = np.minimum(1.0, scale) * np.linspace(0.0, 1.0, n_classes)
        v[3, 0] += 10.0 ** rng.uniform(0, 8)
        for start in [None, 10.0 ** rng.uniform(-3, 8) * rng.standard_normal(v.shape)]:
            z = loss.prox(v, y, rho, start)
            assert np.all(residual(loss, z, v, y, rho) <= 200 * rounding(loss, z, v, y, rho))

    @pytest.mark.parametrize("n_classes", [10, 1000])
    def test_softmax_from_a_bad_start(self, n_classes, monkeypatch):
        # Halley's method alone takes hundreds of iterations, or for ever, on some of these.
        monkeypatch.setattr(losses, "_MAX_ITERATIONS", 60)
        loss = SoftmaxCrossEntropy()
        rng = np.random.default_rng(0)
        for rho in np.repeat([1e-8, 1e-7, 1e-5, 1e-2], 10):
            v = -(10.0 ** rng.uniform(-3, 8, size=(8, n_classes)))
            y = draw_target(loss, rng, v.shape)
            for size in [-1e9, 1e4, 1e9]:
                z = loss.prox(v, y, rho, np.full_like(v, size))
                assert np.all(residual(loss, z, v, y, rho) <= 200 * rounding(loss, z, v, y, rho))

    @pytest.mark.parametrize("rho", RHOS)
    def test_softmax_of_two_classes_is_logistic(self, rho):
        # z_1 - z_0 moves twice as far: the prox of the logistic loss at rho / 2.
        v, y, _ = draw(SoftmaxCrossEntropy(), 31, shape=(40, 2), scale=4.0)
        z = SoftmaxCrossEntropy().prox(v, y, rho)
        single = LogisticLoss().prox(v[:, [1]] - v[:, [0]], y[:, [1]], rho / 2)
        np.testing.assert_allclose(z[:, [1]] - z[:, [0]], single, rtol=2e-14, atol=2e-14)
        np.testing.assert_allclose(z.sum(axis=1), v.sum(axis=1), atol=1e-13)

    def test_kinks_are_met_exactly(self):
        y = np.full((1, 3), 1e-3)
        v = y + np.array([[1e8, -1e8, 1e-9]])
        for loss in [AbsoluteError(), Quantile(0.3)]:
            np.testing.assert_array_equal(loss.prox(v, y, 1e-9), y)


class TestWrightOmega:
    def test_is_scipys(self):
        rng = np.random.default_rng(0)
        x = np.concatenate(
            [
                np.linspace(-60, 60, 100_001),
                -(10.0 ** rng.uniform(0, 2.84, 10_000)),
                10.0 ** rng.uniform(-8, 16, 10_000),
            ]
        )
        np.testing.assert_allclose(losses._wright_omega(x), wrightomega(x), rtol=1e-14)

    def test_underflow(self):
        w = losses._wright_omega(np.array([-700.0, -1e8, -1e300]))
        assert np.all((w >= 0.0) & (w < 1e-300))


class TestValue:
    @pytest.fixture
    def regression(self):
        rng = np.random.default_rng(37)
        return rng.standard_normal((60, 2)), rng.standard_normal((60, 2))

    @each_dtype
    @pytest.mark.parametrize(
        ("loss", "metric"),
        [
            (SquaredError(), lambda y, z: metrics.mean_squared_error(y, z) / 2),
            (AbsoluteError(), metrics.mean_absolute_error),
            (Quantile(0.5), lambda y, z: metrics.mean_absolute_error(y, z) / 2),
            (Quantile(0.8), lambda y, z: metrics.mean_pinball_loss(y, z, alpha=0.8)),
            (Huber(1e6), lambda y, z: metrics.mean_squared_error(y, z) / 2),
        ],
        ids=["squared", "absolute", "median", "quantile", "wide huber"],
    )
    def test_regression_is_sklearns(self, regression, loss, metric, dtype):
        z, y = (array.astype(dtype) for array in regression)
        value = loss.value(z, y)
        assert value.dtype == np.float64
        assert value.shape == (60,)
        expected = metric(y.astype(np.float64), z.astype(np.float64))
        assert value.mean() / 2 == pytest.approx(expected, rel=1e-13)

    def test_poisson_is_sklearns(self, regression):
        z = regression[0][:, [0]]
        y = np.random.default_rng(0).poisson(1.5, size=z.shape).astype(float)
        expected = metrics.mean_poisson_deviance(y[:, 0], np.exp(z[:, 0])) / 2
        assert Poisson().value(z, y).mean() == pytest.approx(expected, rel=1e-13)

    def test_softmax_is_sklearns(self):
        z, y, _ = draw(SoftmaxCrossEntropy(), 41, shape=(60, 4))
        loss = SoftmaxCrossEntropy()
        expected = metrics.log_loss(y, loss.inverse_link(z))
        assert loss.value(z, y).mean() == pytest.approx(expected, rel=1e-13)

    def test_logistic_is_sklearns(self):
        z, y, _ = draw(LogisticLoss(), 43, shape=(60, 2))
        loss = LogisticLoss()
        p = loss.inverse_link(z)
        expected = sum(metrics.log_loss(y[:, k], p[:, k]) for k in range(2))
        assert loss.value(z, y).mean() == pytest.approx(expected, rel=1e-13)

    def test_huber_by_hand(self):
        z, y = np.array([[0.5, 3.0, -3.0]]), np.zeros((1, 3))
        assert Huber(2.0).value(z, y) == pytest.approx(0.125 + 2 * (2 * 3 - 2), rel=1e-15)

    @each_loss
    @each_dtype
    @given(seed=seeds, scale=st.floats(-8, 8).map(lambda exponent: 10.0**exponent))
    def test_not_negative(self, loss, dtype, seed, scale):
        z, y, rng = draw(loss, seed, scale=scale)
        # Half of the entries at the minimum or next to it.
        fit = np.log(np.maximum(y, 1e-9)) if isinstance(loss, Poisson) else y
        z = np.where(rng.random(z.shape) < 0.5, z, fit * (1 + 1e-9 * rng.standard_normal(z.shape)))
        value = loss.value(z.astype(dtype), y.astype(dtype))
        assert value.dtype == np.float64
        assert np.all(value >= 0.0)

    @pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(), Quantile()])
    def test_zero_at_the_target(self, loss):
        y = np.array([[0.1, -3.0]])
        assert loss.value(y, y) == 0.0

    def test_no_digits_lost_near_the_minimum(self):
        """``abs=0``: without it pytest.approx takes zero for anything below 1e-12."""

        def nearly(number, rel=1e-14):
            return pytest.approx(number, rel=rel, abs=0)

        z, y = np.array([[0.0, -60.0]]), np.array([[1.0, 0.0]])
        assert SoftmaxCrossEntropy().value(z, y)[0] == nearly(np.exp(-60))
        assert SoftmaxCrossEntropy().gradient(z, y)[0] == nearly(np.exp(-60) * np.array([-1, 1]))
        z, y = -z[:, [1]], y[:, [0]]
        assert LogisticLoss().value(z, y)[0] == nearly(np.exp(-60))
        assert LogisticLoss().gradient(z, y)[0, 0] == nearly(-np.exp(-60))
        for count in (1.0, 7.0):
            near = np.log(count) + np.array([[1e-6], [-1e-6]])
            value = Poisson().value(near, np.full((2, 1), count))
            assert value == nearly(count * 5e-13, rel=1e-5)
        small = np.array([[1e-9]])
        assert SquaredError().value(small, 0 * small)[0] == nearly(5e-19)
        assert Huber().value(small, 0 * small)[0] == nearly(5e-19)

    @pytest.mark.parametrize("size", [800.0, 1e8, 1e200])
    @each_loss
    def test_large_arguments(self, loss, size):
        # No warning (they are errors here), and infinity where the loss has no number for it.
        _, y, rng = draw(loss, 47)
        z = size * rng.choice([-1.0, 1.0], size=y.shape)
        assert not np.any(np.isnan(loss.value(z, y)))
        assert not np.any(np.isnan(loss.gradient(z, y)))

    def test_poisson_with_a_tiny_target(self):
        value = Poisson().value(np.array([[20.0]]), np.array([[1e-300]]))
        assert value == pytest.approx(np.exp(20.0), rel=1e-15)


class TestGradient:
    @each_loss
    def test_is_that_of_the_value(self, loss):
        z, y, _ = draw(loss, 53, shape=(20, 3))
        y = np.minimum(y, 5.0)
        gradient = loss.gradient(z, y)
        h = 1e-6
        for k in range(3):
            ahead, behind = z.copy(), z.copy()
            ahead[:, k] += h
            behind[:, k] -= h
            slope = (loss.value(ahead, y) - loss.value(behind, y)) / (2 * h)
            np.testing.assert_allclose(gradient[:, k], slope, atol=2e-8)

    @each_loss
    def test_subgradient_inequality(self, loss):
        z, y, rng = draw(loss, 59, shape=(20, 3))
        z[:5] = y[:5]
        y = np.minimum(y, 5.0)
        z = np.minimum(z, 5.0)
        for size in [1e-3, 1.0, 5.0]:
            other = z + size * rng.standard_normal(z.shape)
            tangent = np.sum(loss.gradient(z, y) * (other - z), axis=1)
            assert np.all(loss.value(other, y) >= loss.value(z, y) + tangent - 1e-10)

    @each_loss
    @each_dtype
    def test_keeps_type(self, loss, dtype):
        z, y, _ = draw(loss, 61)
        gradient = loss.gradient(z.astype(dtype), y.astype(dtype))
        assert gradient.dtype == dtype
        assert gradient.shape == z.shape


class TestInverseLink:
    @each_loss
    @each_dtype
    def test_finite_and_of_its_type(self, loss, dtype):
        extreme = np.finfo(dtype).max
        z = np.array([[0.0, 1.0], [1e5, -1e5], [extreme, -extreme], [800, 710]], dtype=dtype)
        prediction = loss.inverse_link(z)
        assert prediction.dtype == dtype
        assert np.all(np.isfinite(prediction))

    def test_softmax(self):
        z = np.random.default_rng(67).standard_normal((9, 4))
        p = SoftmaxCrossEntropy().inverse_link(z)
        np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)

    def test_the_others(self):
        z = np.array([[-1.0, 0.0, 2.0]])
        np.testing.assert_allclose(LogisticLoss().inverse_link(z), 1 / (1 + np.exp(-z)))
        np.testing.assert_allclose(Poisson().inverse_link(z), np.exp(z))
        for name in ["squared_error", "absolute_error", "huber", "quantile"]:
            np.testing.assert_array_equal(get_loss(name).inverse_link(z), z)

    def test_names(self):
        assert SoftmaxCrossEntropy().out_activation == "softmax"
        assert LogisticLoss().out_activation == "logistic"
        assert Poisson().out_activation == "exp"
        assert Huber().out_activation == "identity"


class TestCheckTarget:
    @each_loss
    def test_accepts(self, loss):
        assert loss.check_target(draw(loss, 71)[1]) is None

    def test_poisson_refuses_negative(self):
        with pytest.raises(ValueError, match="Poisson loss needs targets y >= 0"):
            Poisson().check_target(np.array([[1.0], [-1e-9]]))
        assert Poisson().check_target(np.zeros((2, 1))) is None


class TestGetLoss:
    @pytest.mark.parametrize("name", REGRESSION_LOSSES)
    def test_by_name(self, name):
        loss = get_loss(name)
        assert type(loss) is REGRESSION_LOSSES[name]
        assert loss.name == name

    def test_quantile(self):
        assert get_loss("quantile", quantile=0.9) == Quantile(0.9)
        assert get_loss("huber", quantile="not used") == Huber()

    def test_names(self):
        assert sorted(REGRESSION_LOSSES) == [
            "absolute_error",
            "huber",
            "poisson",
            "quantile",
            "squared_error",
        ]

    def test_instance_is_returned(self):
        loss = Huber(delta=3.0)
        assert get_loss(loss) is loss

    @pytest.mark.parametrize("wrong", ["squared", "", None, 3, Huber, ["huber"]])
    def test_unknown(self, wrong):
        message = re.escape(f"Unknown loss {wrong!r}: expected one of 'squared_error', ")
        with pytest.raises(ValueError, match=message):
            get_loss(wrong)


class TestParameters:
    @pytest.mark.parametrize("delta", [0, -1.0, np.inf, np.nan, "1", None])
    def test_delta(self, delta):
        with pytest.raises(ValueError, match="delta must be a positive number, got"):
            Huber(delta=delta)

    @pytest.mark.parametrize("quantile", [0, 1, -0.5, np.nan, "0.5", None])
    def test_quantile(self, quantile):
        with pytest.raises(ValueError, match="quantile must be a number between 0 and 1, got"):
            Quantile(quantile=quantile)

    @each_loss
    def test_copies_are_equal(self, loss):
        for copy in [pickle.loads(pickle.dumps(loss)), clone(loss, safe=False)]:
            assert copy == loss
            assert hash(copy) == hash(loss)
            assert repr(copy) == repr(loss)

    def test_repr_and_equality(self):
        assert repr(SquaredError()) == "SquaredError()"
        assert repr(Huber(delta=2)) == "Huber(delta=2)"
        assert Huber(delta=2) == Huber(delta=2.0)
        assert Huber(delta=2) != Huber(delta=3)
        assert SquaredError() != AbsoluteError()

    def test_base_class_asks_for_all(self):
        z = np.ones((1, 1))
        for call in [Loss().value, Loss().gradient, lambda z, y: Loss().prox(z, y, 1.0)]:
            with pytest.raises(NotImplementedError):
                call(z, z)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_attributes_are_those_of_the_gradient(name):
    """It jumps at the target where there is a kink, and stays beyond a finite threshold."""
    loss, y = get_loss(name), np.zeros((1, 1))

    def slope(z):
        return float(loss.gradient(np.array([[z]]), y)[0, 0])

    assert (slope(1e-9) - slope(-1e-9) > 0.5) == loss.nonsmooth
    threshold = loss.outlier_threshold
    beyond = max(1.01 * min(threshold, 100.0), 1e-9)
    assert (slope(beyond) == slope(2 * beyond)) == np.isfinite(threshold)


class TestOutputStep:
    """The step of mini-batches: toward the proximal map, or along the gradient."""

    FIRST_ORDER = (SoftmaxCrossEntropy, LogisticLoss)

    @each_loss
    @each_dtype
    @pytest.mark.parametrize("loss_scale", [1.0, 0.25])
    def test_by_hand(self, loss, dtype, loss_scale):
        z, y, _ = draw(loss, 83, shape=(9, 3), scale=2.0)
        z, y = z.astype(dtype), np.minimum(y, 5.0).astype(dtype)
        before = z.copy(), y.copy()
        rho, length = 3.0, 0.4
        out = np.full_like(z, np.nan)
        curvature = loss.output_step(z, y, rho, length, out, loss_scale)
        if isinstance(loss, self.FIRST_ORDER):
            expected = -length * loss.gradient(z, y) / (rho * loss_scale)
        else:
            expected = length * (loss.prox(z, y, rho * loss_scale) - z)
        rtol = 1e-4 if dtype == np.float32 else 1e-10
        np.testing.assert_allclose(out, expected, rtol=rtol, atol=rtol)
        # Of R plus rho; that of R counts where it is of the order of one.
        of_loss = 1.0 if isinstance(loss, SquaredError | Huber) else 0.0
        own = rho * loss_scale if isinstance(loss, SquaredError) else rho
        assert curvature == pytest.approx(own + of_loss)
        np.testing.assert_array_equal(z, before[0])
        np.testing.assert_array_equal(y, before[1])

    @each_dtype
    def test_softmax_of_samples_far_apart(self, dtype):
        """The largest of all outputs must not take the digits of the others."""
        loss, y = SoftmaxCrossEntropy(), np.eye(3)[[0, 1, 2, 0]].astype(dtype)
        z = np.array([[0, 1, 2], [-900, -901, -900], [500, 400, 500], [31, 0, -30]], dtype)
        out = np.empty_like(z)
        loss.output_step(z, y, 2.0, 1.0, out)
        np.testing.assert_allclose(out, -loss.gradient(z, y) / 2.0, rtol=1e-4, atol=1e-7)


class TestForSweepsOverAllSamples:
    @each_loss
    def test_value_and_gradient(self, loss):
        z, y, _ = draw(loss, 89, shape=(9, 3), scale=3.0)
        before, out = z.copy(), np.full_like(z, np.nan)
        compact = loss.compact(y)
        assert len(compact) == 9
        values = loss.value_and_gradient(z, compact, out)
        np.testing.assert_allclose(values, loss.value(z, y), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(out, loss.gradient(z, y), rtol=1e-10, atol=1e-14)
        assert values.dtype == float
        np.testing.assert_array_equal(z, before)
        single = z.astype(np.float32)
        loss.value_and_gradient(single, compact, out)
        np.testing.assert_array_equal(single, z.astype(np.float32))

    def test_softmax_keeps_the_digits_of_sure_predictions(self):
        z, out = np.array([[0.0, -60.0]]), np.empty((1, 2))
        SoftmaxCrossEntropy().value_and_gradient(z, np.array([0]), out)
        assert out[0] == pytest.approx(np.exp(-60) * np.array([-1, 1]), rel=1e-13, abs=0)

    @pytest.mark.parametrize("loss", SMOOTH, ids=repr)
    def test_curvature_is_that_of_the_gradient(self, loss):
        """``diag(diagonal) - factor factor'``; of Huber's lines a tenth at most, not nothing."""
        z, y, _ = draw(loss, 97, shape=(7, 3))
        y = np.minimum(y, 5.0)
        diagonal, factor = loss.curvature(z, loss.compact(y))
        assert diagonal.shape == z.shape
        for k in range(3):
            h = np.zeros(3)
            h[k] = 1e-6
            slope = (loss.gradient(z + h, y) - loss.gradient(z - h, y)) / 2e-6
            found = np.zeros((7, 3))
            found[:, k] = diagonal[:, k]
            if factor is not None:
                found -= factor * factor[:, [k]]
            if isinstance(loss, Huber):
                lines = np.minimum(0.1, loss.delta / np.abs(z - y))
                slope = np.where((np.arange(3) == k) & (slope == 0.0), lines, slope)
            np.testing.assert_allclose(found, slope, atol=1e-7)

    def test_curvature_of_poisson_far_away_is_a_number(self):
        diagonal, _ = Poisson().curvature(np.array([[1e4]], np.float32), np.ones((1, 1)))
        assert diagonal == pytest.approx(np.exp(30.0))

    def test_default_curvature_is_one(self):
        for loss in (AbsoluteError(), Quantile(0.3)):
            diagonal, factor = loss.curvature(np.zeros((4, 2)), np.zeros((4, 2)))
            np.testing.assert_array_equal(diagonal, np.ones((4, 2)))
            assert factor is None


class TestInformation:
    @pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), LogisticLoss()], ids=repr)
    def test_is_the_curvature_at_the_best_constant(self, loss):
        rng = np.random.default_rng(0)
        y, share = draw_target(loss, rng, (50, 3)), rng.uniform(0.1, 5.0, 50)
        share /= share.sum()
        p = share @ y
        z = np.log(p) if isinstance(loss, SoftmaxCrossEntropy) else np.log(p / (1 - p))
        diagonal, factor = loss.curvature(z[None], loss.compact(y[:1]))
        expected = (diagonal - (0.0 if factor is None else factor**2)).mean()
        assert loss.information(y, share) == pytest.approx(expected)

    def test_of_regression_is_one(self):
        for loss in ALL[2:]:
            assert loss.information(np.ones((3, 1)), np.full(3, 1 / 3)) == 1.0


class OwnSquaredError(Loss):
    """All that the solvers ask of a loss, in one class; it counts what it is asked."""

    asked = Counter()

    def value(self, z, y):
        self.asked["value"] += 1
        return SquaredError().value(z, y)

    def gradient(self, z, y):
        self.asked["gradient"] += 1
        return z - y

    def prox(self, v, y, rho, start=None):
        raise AssertionError("There are other methods for that.")

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        self.asked["output_step"] += 1
        rho = rho * loss_scale
        np.subtract(y, z, out=out)
        out *= length / (1.0 + rho)
        return rho + 1.0

    def curvature(self, z, y):
        self.asked["curvature"] += 1
        return np.ones(z.shape), None

    def information(self, y, share):
        self.asked["information"] += 1
        return 1.0

    def gradient_variance(self, y, share):
        self.asked["gradient_variance"] += 1
        y = y.astype(float)
        return float((share @ np.square(y - share @ y)).sum())

    def scaled(self, mean, std, deviation):
        self.asked["scaled"] += 1
        return Scaling(self, mean, std, std**2, 1.0, mean, std)


class OwnHuber(Loss):
    """Another one, with a parameter in units of the target; its step by the base class."""

    asked = Counter()

    def __init__(self, delta=1.35):
        self.delta = delta

    @property
    def outlier_threshold(self):
        return self.delta

    def value(self, z, y):
        return Huber(self.delta).value(z, y)

    def gradient(self, z, y):
        return Huber(self.delta).gradient(z, y)

    def prox(self, v, y, rho, start=None):
        self.asked["prox"] += 1
        return Huber(self.delta).prox(v, y, rho)

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        return super().output_step(z, y, rho, length, out, loss_scale) + 1.0

    def curvature(self, z, y):
        self.asked["curvature"] += 1
        return Huber(self.delta).curvature(z, y)

    def scaled(self, mean, std, deviation):
        self.asked["scaled"] += 1
        loss = OwnHuber(self.delta / std)
        return Scaling(loss, mean, std, std**2, min(1.0, loss.delta), mean, std)


class TestNewLoss:
    """One file is all that a new loss takes: the fits are those of the loss that is known."""

    HOW = {
        "mini-batches": {"batch_size": 30},
        "full batch": {"batch_size": None},
        "nesterov": {"batch_size": None, "solver": Feasible(acceleration="nesterov")},
        "stream": None,
    }

    def fits(self, how, *losses):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((120, 4))
        y = 40.0 + 6.0 * np.tanh(X[:, 0]) + rng.standard_t(2, 120)
        for loss in losses:
            model = MDLAMRegressor(
                hidden_layer_sizes=(5,), loss=loss, random_state=0, **(self.HOW[how] or {})
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                if how == "stream":
                    for rows in (slice(0, 100), slice(100, 120)):
                        model.partial_fit(X[rows], y[rows])
                else:
                    model.set_params(max_iter=25).fit(X, y)
            yield model

    def assert_same(self, known, own):
        assert own.loss_curve_ == known.loss_curve_
        for name in ("coefs_", "intercepts_"):
            for W, V in zip(getattr(own, name), getattr(known, name), strict=True):
                np.testing.assert_array_equal(W, V)
        for name in ("activity_alpha_", "column_alpha_", "upper_alpha_"):
            assert getattr(own, name) == getattr(known, name)

    @pytest.mark.parametrize("how", HOW)
    def test_squared_error(self, how):
        OwnSquaredError.asked.clear()
        self.assert_same(*self.fits(how, "squared_error", OwnSquaredError()))
        minis = self.HOW[how] is None or self.HOW[how]["batch_size"]
        step = {"output_step"} if minis else {"gradient"}
        if how == "full batch":
            step.add("curvature")
        asked = {"value", "scaled", "information", "gradient_variance", *step}
        assert asked <= set(OwnSquaredError.asked)

    @pytest.mark.parametrize("how", HOW)
    def test_huber(self, how):
        OwnHuber.asked.clear()
        self.assert_same(*self.fits(how, "huber", OwnHuber()))
        minis = self.HOW[how] is None or self.HOW[how]["batch_size"]
        assert OwnHuber.asked["scaled"] and OwnHuber.asked["prox" if minis else "curvature"]


class TestScaled:
    """``R(z, y) = factor R'(z', y')``: a fit in these units is the fit."""

    mean, std, deviation = np.array([40.0, -3.0]), 6.0, 4.5
    EACH = [
        SquaredError(),
        AbsoluteError(),
        Huber(2.0),
        Huber(20.0),
        Quantile(0.8),
        OwnSquaredError(),
        OwnHuber(2.0),
    ]

    def drawn(self):
        rng = np.random.default_rng(0)
        z, y = self.mean + 10.0 * rng.standard_normal((2, 30, 2))
        return z, y

    @pytest.mark.parametrize("loss", EACH, ids=lambda loss: type(loss).__name__)
    def test_value_and_gradient(self, loss):
        scaling = loss.scaled(self.mean, self.std, self.deviation)
        z, y = self.drawn()
        inside, target = (z - scaling.shift) / scaling.scale, scaling.transform(y)
        value = scaling.factor * scaling.loss.value(inside, target)
        np.testing.assert_allclose(value, loss.value(z, y), rtol=1e-10)
        slope = scaling.factor / scaling.scale * scaling.loss.gradient(inside, target)
        np.testing.assert_allclose(slope, loss.gradient(z, y), rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(scaling.shift, self.mean)
        unit = self.deviation if loss.nonsmooth else self.std
        assert scaling.scale == unit
        assert scaling.factor == unit if loss.nonsmooth else unit**2
        np.testing.assert_allclose(target, (y - self.mean) / unit)
        delta = min(1.0, getattr(loss, "delta", np.inf) / self.std)
        assert scaling.loss_scale == pytest.approx(delta)

    def test_poisson(self):
        scaling = Poisson().scaled(np.array([8.0, 2.0]), 1.0, 1.0)
        z, y = self.drawn()[0] / 20.0, np.abs(self.drawn()[1])
        inside = z - np.log(5.0)
        np.testing.assert_allclose(
            5.0 * Poisson().value(inside, scaling.transform(y)), Poisson().value(z, y), rtol=1e-9
        )
        assert (scaling.factor, scaling.scale, scaling.loss) == (5.0, 1.0, Poisson())
        np.testing.assert_allclose(scaling.shift, np.log(5.0))

    def test_of_classes_stays(self):
        for loss in (SoftmaxCrossEntropy(), LogisticLoss()):
            scaling = loss.scaled(self.mean, self.std, self.deviation)
            assert scaling.loss is loss and scaling.scale == scaling.factor == 1.0
            np.testing.assert_array_equal(scaling.shift, [0.0, 0.0])
            y = np.eye(2)
            assert scaling.transform(y) is y

    @pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
    def test_targets_that_do_not_vary(self, nothing):
        for loss in (SquaredError(), AbsoluteError(), Huber(2.0), Quantile(0.3)):
            scaling = loss.scaled(np.zeros(2), nothing, nothing)
            assert scaling.scale == scaling.factor == 1.0 and scaling.loss == loss
            y = np.ones((2, 2))
            assert scaling.transform(y) is y
            moved = loss.scaled(self.mean, nothing, nothing).transform(y)
            np.testing.assert_allclose(moved, y - self.mean)

    def test_weights_there_and_back(self):
        """The output layer says the same in both units."""
        scaling = SquaredError().scaled(self.mean, self.std, self.deviation)
        rng = np.random.default_rng(1)
        a, W, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
        inner = scaling.inner(W, b)
        np.testing.assert_allclose(self.mean + self.std * (a @ inner[0] + inner[1]), a @ W + b)
        for found, given_ in zip(scaling.outer(*inner), (W, b), strict=True):
            np.testing.assert_allclose(found, given_)

    def test_size_of_the_loss_as_a_part_of_its_unit(self):
        """Of Huber's lines: the same loss of the same outputs."""
        rng = np.random.default_rng(1)
        z, y = rng.standard_normal((2, 9, 2))
        loss = Huber(0.3)
        scaling = loss.scaled(self.mean, self.std, self.deviation)
        found = scaling.normalized()
        assert scaling.loss_scale == pytest.approx(0.05) and found.loss_scale == 1.0
        outside = loss.value(self.mean + self.std * z, self.mean + self.std * y)
        np.testing.assert_allclose(found.factor * found.loss.value(z, y), outside)
        np.testing.assert_allclose(
            found.factor * found.loss.curvature(z, y)[0],
            scaling.factor * scaling.loss.curvature(z, y)[0],
        )
        assert found.normalized() is found
        same = SquaredError().scaled(self.mean, self.std, self.deviation)
        assert same.normalized() is same


class Partly(OwnSquaredError):
    """Knows its step and its curvature, and leaves the units to the package."""

    scaled = Loss.scaled

    def prox(self, v, y, rho, start=None):
        return SquaredError().prox(v, y, rho)


class TestUnitsOfTheDefault:
    mean, std = np.array([40.0, -3.0]), 6.0

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("loss_scale", [1.0, 0.5])
    def test_step_and_curvature_of_a_users_loss(self, dtype, loss_scale):
        """Half a squared deviation is one: in that unit the curvature is 2."""
        rng = np.random.default_rng(0)
        scaling = Partly().scaled(self.mean, self.std, 4.0)
        assert scaling.factor == pytest.approx(0.5 * self.std**2)
        z = rng.standard_normal((9, 2)).astype(dtype)
        y = (self.mean + self.std * rng.standard_normal((9, 2))).astype(dtype)
        assert scaling.transform(y) is y
        rho, length, out = 3.0, 0.4, np.empty_like(z)
        curvature = scaling.loss.output_step(z, y, rho, length, out, loss_scale)
        own = (y - self.mean) / self.std
        prox = (2.0 * own + rho * loss_scale * z) / (2.0 + rho * loss_scale)
        np.testing.assert_allclose(out, length * (prox - z), rtol=1e-4, atol=1e-6)
        assert curvature == pytest.approx(2.0 + rho * loss_scale)
        diagonal, factor = scaling.loss.curvature(z, scaling.loss.compact(y))
        np.testing.assert_allclose(diagonal, 2.0)
        assert factor is None
        assert scaling.loss.information(y, np.full(9, 1 / 9)) == 1.0

        class Flat(Partly):
            def information(self, y, share):
                return 0.25 * len(y)

        assert Flat().scaled(self.mean, self.std, 4.0).loss.information(y, None) == 2.25

    def test_factors_of_the_curvature_are_scaled_too(self):
        class Bent(Partly):
            def curvature(self, z, y):
                return z**2 + 4.0, z

        loss = Bent().scaled(self.mean, self.std, 4.0).loss
        z = np.array([[0.5, -1.0]])
        outside = self.mean + self.std * z
        diagonal, factor = loss.curvature(z, z)
        np.testing.assert_allclose(diagonal, 2.0 * (outside**2 + 4.0))
        np.testing.assert_allclose(factor**2, 2.0 * outside**2)

    def test_what_the_loss_does_not_say_is_the_default(self):
        class Least(Loss):
            nonsmooth, outlier_threshold = True, 0.5

            def value(self, z, y):
                return np.abs(z - y).sum(axis=1)

            def gradient(self, z, y):
                return np.sign(z - y)

        scaling = Least().scaled(self.mean, self.std, 4.0)
        assert scaling.scale == scaling.factor == 4.0
        loss = scaling.loss
        assert loss.nonsmooth and loss.outlier_threshold == 0.5
        z, y, out = np.zeros((1, 2)), self.mean + [[4.0, -2.0]], np.empty((1, 2))
        assert loss.output_step(z, y, 5.0, 10.0, out) == 5.0
        np.testing.assert_allclose(out, [[2.0, -2.0]])
        assert loss.curvature(z, y)[0].tolist() == [[1.0, 1.0]]


class TestSubclassOfAKnownLoss:
    """Another formula is not optimized by what its parent derived from the old one."""

    class Halved(SquaredError):
        def value(self, z, y):
            return 0.5 * super().value(z, y)

        def gradient(self, z, y):
            return 0.5 * super().gradient(z, y)

        def prox(self, v, y, rho, start=None):
            return super().prox(v, y, 2.0 * rho, start)

    def test_step_is_its_own_prox(self):
        loss, rng = self.Halved(), np.random.default_rng(0)
        z, y = rng.standard_normal((2, 5, 1))
        out = np.empty_like(z)
        assert loss.output_step(z, y, 3.0, 0.5, out) == 3.0
        np.testing.assert_allclose(out, 0.5 * (loss.prox(z, y, 3.0) - z))

    def test_sweeps_see_its_own_gradient(self):
        loss, rng = self.Halved(), np.random.default_rng(0)
        z, y = rng.standard_normal((2, 5, 1))
        out = np.empty_like(z)
        np.testing.assert_array_equal(loss.value_and_gradient(z, y, out), loss.value(z, y))
        np.testing.assert_array_equal(out, 0.5 * (z - y))

    def test_units_are_those_of_any_loss(self):
        scaling = self.Halved().scaled(np.array([3.0]), 2.0, 1.5)
        z, y = np.array([[0.7]]), np.array([[4.0]])
        inside = scaling.loss.value(z, scaling.transform(y)) * scaling.factor
        np.testing.assert_allclose(inside, self.Halved().value(3.0 + 2.0 * z, y))

    def test_a_value_without_its_constant_keeps_the_rest(self):
        class Lowered(Poisson):
            def value(self, z, y):
                return super().value(z, y) - 4.0

        assert Lowered.output_step is Poisson.output_step and Lowered.scaled is Poisson.scaled
        assert Lowered.value_and_gradient is Loss.value_and_gradient


def test_a_scaled_loss_of_a_user_hands_on_its_fused_evaluation():
    class Fused(SquaredError):
        calls = 0

        def gradient(self, z, y):
            return z - y

        def value_and_gradient(self, z, y, out):
            type(self).calls += 1
            out[:] = z - y
            return self.value(z, y)

    loss = Fused().scaled(np.array([2.0]), 3.0, 1.0).loss
    z, y = np.array([[0.3], [-1.0]]), np.array([[2.5], [0.0]])
    out = np.empty_like(z)
    values = loss.value_and_gradient(z, loss.compact(y), out)
    assert Fused.calls == 1
    np.testing.assert_allclose(values, loss.value(z, y))
    np.testing.assert_allclose(out, loss.gradient(z, y))


class LogCosh(Loss):
    """Of a user: bounded gradient, no formula for its variance."""

    def value(self, z, y):
        size = np.abs(z - y)
        return (size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)).sum(axis=1)

    def gradient(self, z, y):
        return np.tanh(z - y)


class Steeper(SquaredError):
    """What is known of the base does not hold for it."""

    def value(self, z, y):
        return 3.0 * super().value(z, y)

    def gradient(self, z, y):
        return 3.0 * super().gradient(z, y)


def noisy_target(loss, n=301, outputs=3, seed=0):
    """Targets around 0.7, 1.4, ..., and weights that sum to one."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.1, 3.0, n)
    if isinstance(loss, SoftmaxCrossEntropy):
        y = np.eye(outputs)[rng.choice(outputs, n, p=[0.7, 0.2, 0.1])]
    elif isinstance(loss, LogisticLoss):
        y = (rng.random((n, outputs)) < [0.5, 0.1, 0.02]).astype(float)
    elif isinstance(loss, Poisson):
        y = rng.poisson([0.1, 2.0, 30.0], (n, outputs)).astype(float)
    else:
        y = 0.7 * np.arange(1, outputs + 1) * (1.0 + rng.standard_t(3, (n, outputs)))
    return y, share / share.sum()


def variance_at(loss, z, y, share):
    """Of the gradient at a constant, summed over outputs."""
    gradient = loss.gradient(np.broadcast_to(z, y.shape).copy(), y)
    return float((share @ (gradient - share @ gradient) ** 2).sum())


class TestGradientVariance:
    """The variance of the gradient at the best constant, which is found another way."""

    @pytest.mark.parametrize(
        "loss",
        [
            SquaredError(),
            LogisticLoss(),
            SoftmaxCrossEntropy(),
            Poisson(),
            Huber(),
            Huber(0.1),
            LogCosh(),
            Steeper(),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("weighted", [False, True])
    def test_where_it_is_smooth(self, loss, weighted):
        y, share = noisy_target(loss)
        share = share if weighted else np.full(len(y), 1 / len(y))

        def risk(z):
            return share @ loss.value(np.broadcast_to(z, y.shape).copy(), y)

        def slope(z):
            return share @ loss.gradient(np.broadcast_to(z, y.shape).copy(), y)

        best = minimize(risk, np.zeros(3), jac=slope, method="BFGS", options={"gtol": 1e-9}).x
        assert np.abs(slope(best)).max() < 1e-7
        expected = variance_at(loss, best, y, share)
        found = loss.gradient_variance(y, share)
        assert isinstance(found, float)
        assert found == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("loss", [AbsoluteError(), Quantile(0.2), Quantile(0.95)], ids=repr)
    @pytest.mark.parametrize("n", [300, 301])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_where_it_has_kinks(self, loss, n, weighted):
        """The best constant is next to a target, below or above it."""
        y, share = noisy_target(loss, n, outputs=1)
        share = share if weighted else np.full(n, 1 / n)
        risks = np.array([share @ loss.value(np.full_like(y, z), y) for z in y[:, 0]])
        best = y[risks < risks.min() + 1e-12, 0]
        beside = [z + side for z in best for side in (-1e-6, 0.0, 1e-6)]
        variances = [variance_at(loss, z, y, share) for z in beside]
        found = loss.gradient_variance(y, share)
        assert min(abs(found - variance) for variance in variances) < 1e-9

    @pytest.mark.parametrize("loss", [*ALL[1:], LogCosh()], ids=repr)
    def test_outputs_add_up(self, loss):
        y, share = noisy_target(loss)
        parts = [loss.gradient_variance(y[:, [k]], share) for k in range(3)]
        assert loss.gradient_variance(y, share) == pytest.approx(sum(parts), rel=1e-9)

    @pytest.mark.parametrize("loss", [*ALL, LogCosh()], ids=repr)
    def test_weights_are_copies(self, loss):
        y, _ = noisy_target(loss, 200)
        copies = np.random.default_rng(1).integers(1, 4, 200)
        weighted = loss.gradient_variance(y, copies / copies.sum())
        repeated = np.repeat(y, copies, axis=0)
        share = np.full(len(repeated), 1 / len(repeated))
        # At a kink the one copy may lie on the other side.
        within = 0.02 if isinstance(loss, KINKED) else 1e-9
        assert weighted == pytest.approx(loss.gradient_variance(repeated, share), rel=within)

    @pytest.mark.parametrize("loss", [*SEPARABLE, LogCosh()], ids=repr)
    def test_in_the_units_of_a_fit(self, loss):
        """The gradient there is that here times ``scale / factor``."""
        y, share = noisy_target(loss, outputs=3)
        mean, deviation = share @ y, float((share @ np.abs(y - share @ y)).mean())
        scaling = loss.scaled(mean, float(np.sqrt((share @ (y - mean) ** 2).mean())), deviation)
        found = scaling.loss.gradient_variance(scaling.transform(y), share)
        expected = loss.gradient_variance(y, share) * (scaling.scale / scaling.factor) ** 2
        within = 0.02 if isinstance(loss, KINKED) else 1e-6
        assert found == pytest.approx(expected, rel=within)

    def test_known_ones_are_those_of_the_default(self):
        for loss in (SquaredError(), LogisticLoss(), Poisson()):
            y, share = noisy_target(loss)
            default = Loss.gradient_variance(loss, y, share)
            assert loss.gradient_variance(y, share) == pytest.approx(default, rel=1e-6)

    def test_far_and_large_targets(self):
        """The constant is looked for as far out as it lies."""
        y, share = noisy_target(LogCosh())
        near = LogCosh().gradient_variance(y, share)
        assert LogCosh().gradient_variance(y + 1e6, share) == pytest.approx(near, rel=1e-4)
        assert LogCosh().gradient_variance(y - 3e4, share) == pytest.approx(near, rel=1e-4)
        huge = Huber(1e12).gradient_variance(1e8 * y, share)
        assert huge == pytest.approx(1e16 * SquaredError().gradient_variance(y, share), rel=1e-4)

    def test_of_many_targets_a_part_is_looked_at(self):
        y, share = noisy_target(LogCosh(), 5000)
        part = slice(None, None, 5)
        expected = LogCosh().gradient_variance(y[part], share[part] / share[part].sum())
        assert LogCosh().gradient_variance(y, share) == pytest.approx(expected, rel=1e-12)
        assert expected == pytest.approx(LogCosh().gradient_variance(y[1::5], share[1::5]), rel=0.1)

    def test_a_gradient_that_is_no_number_says_nothing(self):
        class Broken(LogCosh):
            def gradient(self, z, y):
                return np.full(np.shape(y), np.nan)

        y, share = noisy_target(Broken())
        assert Broken().gradient_variance(y, share) == 3.0

    def test_targets_that_are_all_alike_have_none(self):
        share = np.full(20, 0.05)
        for loss in (SquaredError(), Poisson(), LogisticLoss(), Huber(), LogCosh()):
            assert loss.gradient_variance(np.ones((20, 2)), share) == pytest.approx(0.0, abs=1e-12)
