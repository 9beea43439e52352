"""The noise in the targets, and the strengths of the penalties that follow from it."""

import numpy as np
import pytest

from skmdlam.engine.calibration import USUAL_STRENGTHS, automatic_strengths, noise_of
from skmdlam.losses import (
    AbsoluteError,
    LogisticLoss,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)


def data(n=200, d=4, noise=0.0, seed=0):
    """A smooth target of variance one, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    signal = np.sin(X[:, :1]) + 0.5 * X[:, 1:2]
    Y = signal * 1.16 + noise * rng.standard_normal((n, 1))
    return X, Y, np.ones(n)


def strengths_of(loss, X, Y, weight=None):
    return automatic_strengths(loss, lambda rows: X[rows], Y, weight)


def alpha_of(*args):
    return strengths_of(*args).activity_alpha


def column_alpha_of(*args):
    return strengths_of(*args).column_alpha


def noise_share(*args, **kwargs):
    return noise_of(*args, **kwargs).share


class TestNoiseShare:
    @pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
    def test_near_the_true_share(self, noise):
        shares = [noise_share(*data(n=400, noise=noise, seed=seed)) for seed in range(5)]
        truth = noise**2 / (1.0 + noise**2)
        # What so few samples cannot resolve comes on top.
        assert truth - 0.05 < np.mean(shares) < truth + 0.15

    def test_falls_with_the_number_of_samples(self):
        few = noise_share(*data(n=50))
        many = noise_share(*data(n=400))
        assert many < few

    def test_extrapolates_to_samples_that_are_not_shown(self):
        X, Y, weight = data(n=200, noise=0.5)
        shown = noise_share(X, Y, weight)
        more = noise_share(X, Y, weight, total=10_000)
        assert 0.05 < more < shown

    @pytest.mark.parametrize("reach", [0.0, np.inf])
    @pytest.mark.parametrize("outputs", [1, 3])
    def test_weights_are_copies_in_any_order(self, outputs, reach):
        X, Y, _ = data(n=30, noise=0.5)
        Y = np.column_stack([Y * (k + 1) + X[:, k : k + 1] ** k for k in range(outputs)])
        rng = np.random.default_rng(1)
        weight = rng.integers(1, 5, 30)
        rows = rng.permutation(np.repeat(np.arange(30), weight))
        copies = noise_of(X[rows], Y[rows], np.ones(rows.size), reach=reach)
        noise = noise_of(X, Y, weight.astype(float), reach=reach)
        np.testing.assert_allclose(noise, copies, rtol=1e-8)

    def test_small_weights_count_by_their_ratios(self):
        X, Y, weight = data(noise=0.5)
        share = noise_share(X, Y, weight)
        np.testing.assert_allclose(noise_share(X, Y, weight / 1000), share, rtol=1e-8)
        np.testing.assert_allclose(noise_share(X, Y, weight / 1000, total=0.4), share, rtol=0.1)

    def test_outliers_are_no_noise_to_a_bounded_loss(self):
        """With one target in ten far off, what is left is the noise of the others, nearly."""
        clean, plain, bounded = [], [], []
        for seed in range(5):
            X, Y, weight = data(n=400, noise=0.3, seed=seed)
            clean.append(noise_share(X, Y, weight, reach=0.0))
            wrong = np.random.default_rng(seed + 100).random((400, 1)) < 0.1
            Y = Y + 8.0 * wrong
            plain.append(noise_share(X, Y, weight))
            bounded.append(noise_share(X, Y, weight, reach=0.0))
        assert np.mean(plain) > 0.8
        assert np.mean(bounded) < np.mean(clean) + 0.15

    def test_far_reach_is_the_plain_share(self):
        X, Y, weight = data(noise=0.5)
        share = noise_share(X, Y, weight)
        np.testing.assert_allclose(noise_share(X, Y, weight, reach=100.0), share, rtol=1e-8)

    def test_does_not_depend_on_units_or_rotations(self):
        X, Y, weight = data(noise=0.5)
        rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))
        moved = noise_of(1e3 * X @ rotation + 5.0, -2e-4 * Y + 7.0, weight)
        np.testing.assert_allclose(moved, noise_of(X, Y, weight), rtol=1e-6)

    @pytest.mark.parametrize(
        ("X", "Y"),
        [
            (np.ones((5, 2)), np.arange(5.0)[:, None]),
            (np.arange(10.0).reshape(5, 2), np.ones((5, 1))),
            (np.zeros((5, 0)), np.arange(5.0)[:, None]),
            (np.ones((1, 2)), np.ones((1, 1))),
            (np.arange(4.0).reshape(2, 2), np.arange(2.0)[:, None]),
        ],
    )
    def test_nothing_to_tell(self, X, Y):
        share, ratio = noise_of(X, Y, np.ones(len(X)))
        assert share == 1.0 and np.isnan(ratio)
        assert column_alpha_of(SquaredError(), X, Y) == USUAL_STRENGTHS.column_alpha

    def test_always_a_share(self):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            n = int(rng.integers(3, 40))
            X = rng.standard_normal((n, 3)) * 10.0 ** rng.integers(-8, 8, 3)
            Y = rng.standard_t(1, (n, 2))
            assert 0.0 <= noise_share(X, Y, rng.exponential(size=n) + 1e-6) <= 1.0


class TestNoiseRatio:
    def test_grows_with_the_noise(self):
        ratios = [noise_of(*data(n=400, noise=noise)).ratio for noise in (0.0, 0.3, 1.0, 3.0)]
        assert ratios == sorted(ratios)
        assert ratios[0] < 0.05 and ratios[-1] > 0.5

    def test_a_rough_function_is_no_noise(self):
        """As much is left unexplained by so few samples, but a larger process explains the rest."""
        rng = np.random.default_rng(0)
        X, noise = rng.standard_normal((400, 3)), rng.standard_normal((400, 1))
        rough = np.sign(X).prod(axis=1, keepdims=True)
        smooth = X[:, :1] + 1.2 * noise
        rough, smooth = (noise_of(X, Y / Y.std(), np.ones(400)) for Y in (rough, smooth))
        assert 0.5 < rough.share / smooth.share < 2.0
        assert rough.ratio < 0.2 * smooth.ratio


class TestAutomaticColumnAlpha:
    def test_grows_with_the_noise_within_limits(self):
        alphas = [column_alpha_of(SquaredError(), *data(n=1000, noise=s)[:2]) for s in (0, 0.7, 9)]
        assert alphas == sorted(alphas)
        assert alphas[0] == USUAL_STRENGTHS.column_alpha < alphas[1]
        np.testing.assert_allclose(alphas[-1], 2.5)

    def test_grows_with_the_number_of_samples(self):
        X, Y, _ = data(n=300, noise=2.0)
        few = column_alpha_of(SquaredError(), X, Y)
        more = automatic_strengths(SquaredError(), lambda rows: X[rows], Y, total=32 * 300)
        np.testing.assert_allclose(more.column_alpha / few, 2.0)

    @pytest.mark.parametrize("n", [30, 100])
    def test_weights_are_copies(self, n):
        X, Y, _ = data(n=n, noise=1.0)
        copies = np.arange(n) % 3 + 1
        repeated = strengths_of(
            SquaredError(), np.repeat(X, copies, axis=0), np.repeat(Y, copies, axis=0)
        )
        weighted = strengths_of(SquaredError(), X, Y, copies.astype(float))
        np.testing.assert_allclose(weighted, repeated, rtol=1e-6)

    def test_small_weights_count_by_their_ratios(self):
        X, Y, _ = data(n=100, noise=1.0)
        alpha = column_alpha_of(SquaredError(), X, Y)
        small = column_alpha_of(SquaredError(), X, Y, np.full(100, 1e-4))
        np.testing.assert_allclose(small, alpha, rtol=1e-8)


class TestAutomaticActivityAlpha:
    def test_grows_with_the_noise(self):
        alphas = [alpha_of(SquaredError(), *data(noise=noise)[:2]) for noise in (0.1, 0.5, 2.0)]
        assert alphas == sorted(alphas)
        assert alphas[-1] > 10 * alphas[0]

    def test_classes_that_are_plain_need_little(self):
        X, Y, _ = data()
        plain, coins = Y > 0, np.random.default_rng(1).random(Y.shape) > 0.5
        assert alpha_of(LogisticLoss(), X, plain.astype(float)) < 5.0
        assert alpha_of(LogisticLoss(), X, coins.astype(float)) > 10.0

    def test_two_classes_in_either_form(self):
        X, Y, _ = data(noise=0.5)
        one = (Y > 0).astype(float)
        both = np.hstack([1.0 - one, one])
        np.testing.assert_allclose(
            alpha_of(SoftmaxCrossEntropy(), X, both), alpha_of(LogisticLoss(), X, one), rtol=1e-3
        )

    def test_weights_are_copies(self):
        X, Y, _ = data(n=20, noise=0.5)
        weight = np.arange(20) % 3 + 1
        rows = np.random.default_rng(0).permutation(np.repeat(np.arange(20), weight))
        for loss, target in ((SquaredError(), Y), (LogisticLoss(), (Y > 0).astype(float))):
            weighted = alpha_of(loss, X, target, weight.astype(float))
            copies = alpha_of(loss, X[rows], target[rows])
            np.testing.assert_allclose(weighted, copies, rtol=1e-8)

    def test_weights_of_many_samples_are_copies_too(self):
        X, Y, _ = data(n=100, noise=1.0)
        copies = np.arange(100) % 3 + 1
        repeated = alpha_of(
            SquaredError(), np.repeat(X, copies, axis=0), np.repeat(Y, copies, axis=0)
        )
        weighted = alpha_of(SquaredError(), X, Y, copies.astype(float))
        np.testing.assert_allclose(weighted, repeated, rtol=1e-6)

    def test_small_weights_are_another_unit(self):
        X, Y, _ = data(n=100, noise=1.0)
        alpha = alpha_of(SquaredError(), X, Y)
        small = alpha_of(SquaredError(), X, Y, np.full(100, 1e-4))
        np.testing.assert_allclose(small, 1e-4 * alpha, rtol=1e-8)

    def test_an_outlier_does_not_decide_for_a_robust_loss(self):
        X, Y, _ = data()
        spoilt = Y.copy()
        spoilt[0] = 1e4
        assert alpha_of(AbsoluteError(), X, spoilt) < 0.5 * alpha_of(SquaredError(), X, spoilt)

    def test_a_loss_says_its_reach(self):
        class Mine(SquaredError):
            reach = 0.0

        X, Y, _ = data(noise=0.3)
        Y[0] = 1e4
        assert strengths_of(Mine(), X, Y) == strengths_of(AbsoluteError(), X, Y)
        assert strengths_of(Mine(), X, Y) != strengths_of(SquaredError(), X, Y)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n", [1, 2, 3, 1000])
    def test_any_number_of_samples(self, n, dtype):
        X, Y, weight = (part.astype(dtype) for part in data(n=n, noise=0.5))
        for loss, target in ((SquaredError(), Y), (Poisson(), np.abs(Y))):
            alpha = alpha_of(loss, X, target, weight)
            assert isinstance(alpha, float) and 0.5 <= alpha <= 40.0 * n**0.25

    def test_sees_all_of_a_sorted_file(self):
        X, Y, _ = data(n=3000, noise=0.3)
        order = np.argsort(Y[:, 0])
        share = alpha_of(SquaredError(), X, Y) / alpha_of(SquaredError(), X[order], Y[order])
        assert 0.5 < share < 2.0
