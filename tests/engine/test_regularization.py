"""The noise in the targets, and the strengths of the penalties that follow from it."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.engine.constants import TUNED
from skmdlam.engine.regularization import (
    Noise,
    Sensitivity,
    _mean_noise,
    _pulled_in,
    blocks_of_rows,
    column_penalty,
    column_ridge,
    effective_column_alpha,
    estimate_regularization,
    noise_blocks,
    noise_of,
    regularization_of,
    usual_regularization,
)
from skmdlam.losses import (
    AbsoluteError,
    Huber,
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
    return X, signal * 1.16 + noise * rng.standard_normal((n, 1))


def estimate_of(loss, X, Y, weight=None):
    return estimate_regularization(loss, lambda rows: X[rows], Y, weight)


def upper_alpha_of(*args):
    return estimate_of(*args).upper_alpha


def column_alpha_of(*args):
    return estimate_of(*args).column_alpha


def noise_fraction(*args, **kwargs):
    return noise_of(*args, **kwargs).fraction


def repeated(n, rng):
    """Numbers of copies, and the rows so often each, in any order."""
    copies = rng.integers(1, 5, n)
    return copies, rng.permutation(np.repeat(np.arange(n), copies))


class TestNoiseShare:
    @pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
    def test_near_the_true_fraction(self, noise):
        shares = [noise_fraction(*data(n=400, noise=noise, seed=seed)) for seed in range(5)]
        truth = noise**2 / (1.0 + noise**2)
        # What so few samples cannot resolve comes on top.
        assert truth - 0.05 < np.mean(shares) < truth + 0.15

    def test_falls_with_the_number_of_samples(self):
        assert noise_fraction(*data(n=400)) < noise_fraction(*data(n=50))

    def test_extrapolates_to_samples_that_are_not_shown(self):
        X, Y = data(n=200, noise=0.5)
        assert 0.05 < noise_fraction(X, Y, total=10_000) < noise_fraction(X, Y)

    @pytest.mark.parametrize("threshold", [0.0, np.inf])
    @pytest.mark.parametrize("outputs", [1, 3])
    def test_copies_say_nothing(self, outputs, threshold):
        X, Y = data(n=30, noise=0.5)
        Y = np.column_stack([Y * (k + 1) + X[:, k : k + 1] ** k for k in range(outputs)])
        _, rows = repeated(30, np.random.default_rng(1))
        given = {"outlier_threshold": threshold, "total": len(rows)}
        noise = noise_of(X, Y, **given)
        # Rows in other coordinates are copies but for rounding.
        copies = X[rows] + 1e-9 * np.random.default_rng(2).standard_normal((len(rows), 4))
        np.testing.assert_allclose(noise_of(X[rows], Y[rows], **given), noise, rtol=1e-8)
        np.testing.assert_allclose(noise_of(copies, Y[rows], **given), noise, rtol=1e-4)

    def test_equal_inputs_with_other_targets_are_no_copies(self):
        """They contradict each other: all is noise, where one half alone is none."""
        X, Y = data(n=50)
        assert noise_fraction(X, Y) < 0.5
        assert noise_fraction(np.vstack([X, X]), np.vstack([Y, -Y])) > 0.95

    def test_outliers_are_no_noise_to_a_bounded_loss(self):
        """With one target in ten far off, what is left is the noise of the others, nearly."""
        clean, plain, bounded = [], [], []
        for seed in range(5):
            X, Y = data(n=400, noise=0.3, seed=seed)
            clean.append(noise_fraction(X, Y, outlier_threshold=0.0))
            wrong = np.random.default_rng(seed + 100).random((400, 1)) < 0.1
            Y = Y + 8.0 * wrong
            plain.append(noise_fraction(X, Y))
            bounded.append(noise_fraction(X, Y, outlier_threshold=0.0))
        assert np.mean(plain) > 0.8
        assert np.mean(bounded) < np.mean(clean) + 0.15

    def test_far_threshold_is_the_plain_share(self):
        X, Y = data(noise=0.5)
        np.testing.assert_allclose(
            noise_of(X, Y, outlier_threshold=100.0), noise_of(X, Y), rtol=1e-8
        )

    def test_does_not_depend_on_units_or_rotations(self):
        X, Y = data(noise=0.5)
        rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))
        moved = noise_of(1e3 * X @ rotation + 5.0, -2e-4 * Y + 7.0)
        np.testing.assert_allclose(moved, noise_of(X, Y), rtol=1e-6)

    @pytest.mark.parametrize(
        ("X", "Y"),
        [
            (np.ones((5, 2)), np.arange(5.0)[:, None]),
            (np.arange(10.0).reshape(5, 2), np.ones((5, 1))),
            (np.zeros((5, 0)), np.arange(5.0)[:, None]),
            (np.ones((1, 2)), np.ones((1, 1))),
            (np.arange(4.0).reshape(2, 2), np.arange(2.0)[:, None]),
            (np.arange(4.0).reshape(2, 2)[[0, 1, 1]], np.arange(2.0)[[0, 1, 1], None]),
        ],
    )
    def test_nothing_to_tell(self, X, Y):
        share, ratio = noise_of(X, Y)
        assert share == 1.0 and np.isnan(ratio)
        found = estimate_of(SquaredError(), X, Y)
        n = len(Y)
        usual, variance = usual_regularization(float(n)), np.sum((Y - Y.mean(axis=0)) ** 2) / n
        assert usual.column_alpha == 0.75
        # A target without spread has no dispersion either.
        assert found.column_alpha == pytest.approx(0.75 * np.sqrt(variance or 1.0))
        assert (found.activity_alpha, usual.activity_alpha) == (1.0, 1.0)
        # All is noise, where the usual strength takes a fifth for it.
        expected = 2.0 * variance * np.sqrt(0.06 * n) * max(variance, 1.0) ** (1 / 3)
        assert found.upper_alpha == pytest.approx(expected)
        assert usual.upper_alpha == pytest.approx(2.0 * 0.2 * np.sqrt(0.06 * n))
        assert np.isnan(found.ratio) and np.isnan(usual.ratio)

    def test_always_a_share(self):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            n = int(rng.integers(3, 40))
            X = rng.standard_normal((n, 3)) * 10.0 ** rng.integers(-8, 8, 3)
            share, ratio = noise_of(X, rng.standard_t(1, (n, 2)))
            assert 0.0 <= share <= 1.0 and ratio > 0.0


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
        rough, smooth = (noise_of(X, Y / Y.std()) for Y in (rough, smooth))
        assert 0.5 < rough.fraction / smooth.fraction < 2.0
        assert rough.ratio < 0.2 * smooth.ratio

    def test_moves_with_the_data(self):
        """It is no point of the grid that the most likely noise is looked for on."""
        X, Y = data(noise=1.0)
        ratios = [noise_of(X, Y + step * X[:, 2:3]).ratio for step in np.linspace(0.0, 0.3, 7)]
        assert (np.diff(ratios) != 0.0).all()
        assert np.abs(np.diff(np.log(ratios))).max() < 0.2


class TestAutomaticColumnAlpha:
    def test_grows_with_the_noise_within_limits(self):
        alphas = []
        for noise in (0, 0.7, 9):
            X, Y = data(n=1000, noise=noise)
            alphas.append(column_alpha_of(SquaredError(), X, Y / Y.std()))
        assert alphas == sorted(alphas)
        assert alphas[0] == pytest.approx(0.75)
        assert alphas[1] > 0.8
        np.testing.assert_allclose(alphas[-1], 2.5)

    def test_grows_with_the_number_of_samples_up_to_those_it_was_fitted_to(self):
        X, Y = data(n=400, noise=2.0)

        def alpha(total):
            return estimate_regularization(SquaredError(), lambda rows: X[rows], Y, total=total)

        few, more, most = (alpha(total).column_alpha for total in (400, 4000, 1e6))
        np.testing.assert_allclose([more / few, most / more], [10.0**0.2, 2.5**0.2])

    def test_small_weights_count_by_their_ratios(self):
        X, Y = data(n=100, noise=1.0)
        alpha = column_alpha_of(SquaredError(), X, Y)
        small = column_alpha_of(SquaredError(), X, Y, np.full(100, 1e-4))
        np.testing.assert_allclose(small, alpha, rtol=1e-8)


class TestWeights:
    @pytest.mark.parametrize("n", [20, 60, 300, 1000, 4000])
    @pytest.mark.parametrize("classes", [False, True])
    def test_are_copies(self, n, classes):
        """Side by side where they are more than are looked at, in any order where they are few."""
        X, Y = data(n=n, noise=1.0)
        loss = LogisticLoss() if classes else SquaredError()
        Y = (Y > 0).astype(float) if classes else Y
        copies, rows = repeated(n, np.random.default_rng(0))
        rows = rows if n < 100 else np.sort(rows)
        weighted = estimate_of(loss, X, Y, copies.astype(float))
        np.testing.assert_allclose(weighted, estimate_of(loss, X[rows], Y[rows]), rtol=1e-8)

    def test_a_bootstrap_is_as_noisy_as_its_sample(self):
        X, Y = data(n=300, noise=1.0)
        rows = np.random.default_rng(0).integers(0, 300, 300)
        bootstrap, sample = (estimate_of(SquaredError(), X[i], Y[i]) for i in (rows, slice(None)))
        np.testing.assert_allclose(
            bootstrap.penalties["column_alpha"], sample.column_alpha, rtol=0.3
        )
        assert 0.5 < bootstrap.upper_alpha / sample.upper_alpha < 2.0


class TestAutomaticUpperAlpha:
    def test_grows_with_the_noise(self):
        found = []
        for noise in (0.1, 0.5, 2.0):
            X, Y = data(noise=noise)
            found.append(estimate_of(SquaredError(), X, Y / Y.std()))
        alphas = [each.upper_alpha for each in found]
        assert alphas == sorted(alphas)
        assert alphas[-1] > 10 * alphas[0]
        # What a unit of activity costs does not.
        assert [each.activity_alpha for each in found] == [1.0] * 3

    def test_grows_with_the_root_of_the_number_of_samples(self):
        one, four = (
            regularization_of(Noise(0.3, 0.2), Sensitivity(), 1, size) for size in (70.0, 280.0)
        )
        assert four.upper_alpha == pytest.approx(2 * one.upper_alpha)
        assert one.upper_alpha == pytest.approx(2.0 * 0.3 * np.sqrt(14.0))
        assert one.activity_alpha == four.activity_alpha == 1.0
        # Of samples that were not shown, too: here all is noise, however many there are.
        X, Y = data(n=300)[0], np.random.default_rng(1).standard_normal((300, 1))

        def of(total):
            return estimate_regularization(SquaredError(), lambda rows: X[rows], Y, total=total)

        assert of(1200.0).upper_alpha == pytest.approx(2 * of(300.0).upper_alpha, rel=0.1)
        # Up to 2,000 of them.
        assert of(30_000.0).upper_alpha == pytest.approx(of(2000.0).upper_alpha, rel=0.1)

    def test_grows_with_the_number_of_classes(self):
        """Drawn at random, all alike: ``V = 1 - 1/K``."""
        for K in (2, 3, 10):
            Y = np.eye(K)[np.arange(30 * K) % K]
            share = np.full(len(Y), 1 / len(Y))
            found = Sensitivity.of(SoftmaxCrossEntropy(), Y, share)
            assert found.gradient_variance == pytest.approx(1 - 1 / K)
            assert found.curvature == pytest.approx((1 - 1 / K) / K)
            assert found.dispersion(K) == pytest.approx(1.0)
            strength = regularization_of(Noise(0.5, 0.4), found, K, 100)
            assert strength.upper_alpha == pytest.approx(2.0 * (1 - 1 / K) * 0.5 * np.sqrt(40))
            assert strength.column_alpha == pytest.approx(0.75)

    def test_rare_counts_are_noisy(self):
        """In units of their mean the variance is one over it, and so is the dispersion."""
        rng, X = np.random.default_rng(0), data(n=400)[0]
        alphas = []
        for mean in (0.2, 20.0):
            y = rng.poisson(mean, (400, 1)).astype(float)
            scaling = Poisson().scaled(y.mean(axis=0), y.std(), 1.0)
            found = estimate_of(scaling.loss, X, scaling.transform(y))
            noise = noise_of(X, y / y.mean(), total=400)
            V = y.var() / y.mean() ** 2
            assert pytest.approx(1 / mean, rel=0.2) == V
            expected = 2.0 * V * noise.fraction * np.sqrt(400 * min(noise.ratio, 3.0))
            expected *= max(V, 1.0) ** (1 / 3)  # of few events less averages out
            assert found.upper_alpha == pytest.approx(expected, rel=1e-6)
            rule = max(2.5 * 0.4**0.2 * min(noise.ratio, 1) ** 2, 0.75)
            assert found.column_alpha == pytest.approx(np.sqrt(V) * rule, rel=1e-6)
            alphas.append(found.upper_alpha)
        assert alphas[0] > 30 * alphas[1]

    def test_in_the_size_of_the_loss(self):
        """J is in units of Huber's slope, and so is the gradient."""
        X, Y = data(noise=1.0)
        share = np.full(len(Y), 1 / len(Y))
        found = Sensitivity.of(Huber(0.01), Y, share, 0.01)
        # Nearly all residuals lie beyond the threshold: the gradient is its sign.
        assert found.gradient_variance == pytest.approx(1.0, rel=0.02)
        plain, scaled = (
            estimate_regularization(Huber(0.01), lambda rows: X[rows], Y, loss_scale=size)
            for size in (1.0, 0.01)
        )
        assert scaled.upper_alpha == pytest.approx(1e4 * plain.upper_alpha)
        assert scaled.column_alpha == pytest.approx(1e2 * plain.column_alpha)

    def test_classes_that_are_plain_need_little(self):
        X, Y = data()
        plain, coins = Y > 0, np.random.default_rng(1).random(Y.shape) > 0.5
        plain, coins = (
            upper_alpha_of(LogisticLoss(), X, labels.astype(float)) for labels in (plain, coins)
        )
        assert plain < 1.0 < 10 * plain < coins

    def test_two_classes_in_either_form(self):
        """Two outputs of half the weights each: half the squares, which cost twice as much."""
        X, Y = data(noise=0.5)
        one = (Y > 0).astype(float)
        both = np.hstack([1.0 - one, one])
        two, single = (
            estimate_of(SoftmaxCrossEntropy(), X, both),
            estimate_of(LogisticLoss(), X, one),
        )
        assert two.upper_alpha == pytest.approx(2 * single.upper_alpha, rel=1e-6)
        assert two[:3] == pytest.approx(single[:3], rel=1e-6)

    @pytest.mark.parametrize("n", [100, 900, 2400])
    def test_small_weights_are_another_unit(self, n):
        X, Y = data(n=n, noise=1.0)
        plain = estimate_of(SquaredError(), X, Y)
        small = estimate_of(SquaredError(), X, Y, np.full(n, 2.0**-14))
        np.testing.assert_allclose(small.upper_alpha, plain.upper_alpha / 2**14, rtol=1e-8)
        np.testing.assert_allclose(small.activity_alpha, 2.0**-14, rtol=1e-8)

    def test_an_outlier_does_not_decide_for_a_robust_loss(self):
        X, Y = data()
        Y[0] = 1e4
        Y = (Y - Y.mean()) / Y.std()
        robust, plain = (upper_alpha_of(loss(), X, Y) for loss in (AbsoluteError, SquaredError))
        assert robust < 0.1 * plain

    def test_a_loss_says_from_where_on_residuals_are_outliers(self):
        class Mine(SquaredError):
            outlier_threshold = 0.0

        X, Y = data(noise=0.3)
        Y[0] = 1e4
        ratios = [estimate_of(loss(), X, Y).ratio for loss in (Mine, AbsoluteError, SquaredError)]
        assert ratios[0] == ratios[1] < 0.1 * ratios[2]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n", [1, 2, 3, 1000])
    def test_any_number_of_samples(self, n, dtype):
        X, Y = (part.astype(dtype) for part in data(n=n, noise=0.5))
        weight = np.ones(n, dtype)
        for loss, target in ((SquaredError(), Y), (Poisson(), np.abs(Y))):
            found = estimate_of(loss, X, target, weight)
            assert all(isinstance(value, float) for value in found)
            most = 2.0 * target.astype(float).var() * np.sqrt(1000.0 * n)
            assert 0.0 <= found.upper_alpha <= most * (1 + 1e-5)
            assert (found.upper_alpha > 0.0) == (n > 1)

    def test_sees_all_of_a_sorted_file(self):
        X, Y = data(n=3000, noise=0.3)
        order = np.argsort(Y[:, 0])
        share = upper_alpha_of(SquaredError(), X, Y)
        share /= upper_alpha_of(SquaredError(), X[order], Y[order])
        assert 0.5 < share < 2.0


class TestManyClasses:
    """More classes than rows that are looked at: a class that is met once looks like noise."""

    def test_plain_classes_are_not_noise(self):
        rng = np.random.default_rng(0)
        K = 150
        centers = 3.0 * rng.standard_normal((K, 20))
        codes = np.tile(np.arange(K), 12)
        X = centers[codes] + rng.standard_normal((len(codes), 20))
        plain, shuffled = (
            estimate_of(SoftmaxCrossEntropy(), X, np.eye(K)[code])
            for code in (codes, rng.permutation(codes))
        )
        assert plain.ratio < 0.3 and shuffled.ratio > 3.0
        assert shuffled.upper_alpha > 3.0 * plain.upper_alpha

    def test_numbers_handed_in(self):
        """Two classes of five: the strengths are those of a look at their samples alone."""
        rng = np.random.default_rng(0)
        codes = rng.integers(0, 5, 60)
        X, Y = rng.standard_normal((60, 3)) + codes[:, None], np.eye(5)[codes]
        tuned = replace(TUNED, noise_samples=16)
        found = estimate_regularization(SoftmaxCrossEntropy(), lambda rows: X[rows], Y, tuned=tuned)
        chosen = np.isin(codes, (0, 4))
        x, y = X[chosen], Y[chosen][:, [0, 4]]
        blocks = blocks_of_rows(np.ones(len(x)), *noise_blocks(len(x), tuned))
        noises = [noise_of(x[rows], y[rows], total=len(x), tuned=tuned) for rows in blocks]
        ratio = np.prod([noise.ratio for noise in noises]) ** (1 / len(noises))
        assert found.ratio == pytest.approx(ratio, rel=1e-9)


class TestBlocks:
    """Samples that tell the noise, in one to three tries."""

    @pytest.mark.parametrize(
        ("n", "size", "blocks"),
        [(1, 400, 1), (1599, 400, 1), (1600, 400, 2), (2399, 400, 2), (2400, 400, 3),
         (8000, 400, 3), (8040, 402, 2), (15_000, 750, 1), (20_000, 1000, 1), (10**7, 1000, 1)],
    )  # fmt: skip
    def test_how_many(self, n, size, blocks):
        assert noise_blocks(n) == (size, blocks)

    def test_numbers_handed_in(self):
        tuned = replace(
            TUNED, noise_samples=10, most_noise_samples=30, noise_every=5, noise_blocks=2
        )
        found = [noise_blocks(n, tuned) for n in (20, 40, 54, 55, 100, 1000)]
        assert found == [(10, 1), (10, 2), (10, 2), (11, 1), (20, 1), (30, 1)]

    def test_rows_of_a_block_are_spread_evenly(self):
        blocks = blocks_of_rows(np.ones(2400), 400, 3)
        assert [len(block) for block in blocks] == [400] * 3
        for k, block in enumerate(blocks):
            np.testing.assert_array_equal(block, np.arange(400) * 6 + 2 * k)
        assert [list(block) for block in blocks_of_rows(np.ones(5), 400, 1)] == [[0, 1, 2, 3, 4]]
        # A row of many copies is in all of them, those without weight in none.
        weight = np.ones(12)
        weight[3], weight[7:10] = 12.0, 0.0
        for block in blocks_of_rows(weight, 4, 2):
            assert 3 in block and not np.isin([7, 8, 9], block).any()

    def test_mean_of_what_they_say(self):
        """That of the shares, and the geometric one of the ratios that are numbers."""
        found = _mean_noise(Noise(*pair) for pair in ((0.2, 0.1), (0.3, 1.6), (1.0, np.nan)))
        assert found == pytest.approx((0.5, 0.4))
        found = _mean_noise([Noise(1.0, np.nan), Noise(0.6, np.nan)])
        assert found.fraction == pytest.approx(0.8) and np.isnan(found.ratio)
        assert _mean_noise([Noise(0.25, 7.0)]) == pytest.approx((0.25, 7.0))

    def test_rows_are_asked_for_once(self):
        X, Y = data(n=2600, noise=0.5)
        asked = []

        def inputs(rows):
            asked.append(rows)
            return X[rows]

        found = estimate_regularization(SquaredError(), inputs, Y)
        assert len(asked) == 1 and len(asked[0]) == 1200
        noises = [noise_of(X[rows], Y[rows], total=2600) for rows in np.split(
            asked[0].reshape(400, 3).T.ravel(), 3)]  # fmt: skip
        assert len({noise.ratio for noise in noises}) == 3
        assert found.ratio == pytest.approx(np.prod([noise.ratio for noise in noises]) ** (1 / 3))


class TestByHand:
    """The documented formulas, with the measured noise put in."""

    @pytest.mark.parametrize("n", [100, 2000, 8000, 12_000])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.slow
    def test_strengths(self, n, weighted):
        X, Y = data(n=n, noise=0.8)
        y = (Y > 0.3).astype(float)
        weight = np.random.default_rng(0).integers(1, 4, n).astype(float) if weighted else None
        total = n if weight is None else weight.sum()
        share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
        found = estimate_of(LogisticLoss(), X, y, weight)
        ends = np.cumsum(np.ones(n) if weight is None else weight)
        size = int(min(max(total // 20, 400), 1000))
        count = int(max(1, min(total // 2, 1200) // size))
        noises = []
        for block in range(count):
            places = (np.arange(block, size * count, count) + 0.5) * total / (size * count)
            rows = np.unique(np.searchsorted(ends, places))
            rows = np.arange(n) if total <= 400 else rows
            noises.append(noise_of(X[rows], y[rows], total=total))
        ratio = np.prod([noise.ratio for noise in noises]) ** (1 / count)
        p = share @ y[:, 0]
        assert found.ratio == pytest.approx(ratio, rel=1e-9)
        assert found.activity_alpha == 1.0
        expected = 2.0 * p * (1 - p) * np.mean([noise.fraction for noise in noises])
        assert found.upper_alpha == pytest.approx(
            expected * np.sqrt(min(total, 2000) * min(ratio, 3)), rel=1e-9
        )
        rule = 2.5 * (min(total, 10_000) / 1000) ** 0.2 * min(ratio, 1) ** 2
        assert found.column_alpha == pytest.approx(max(rule, 0.75), rel=1e-9)

    def test_tuned_numbers_are_those_handed_in(self):
        X, Y = data(noise=2.0)
        tuned = replace(TUNED, activity=0.1, column=0.25, least_column=0.0, upper=0.2)
        plain = estimate_of(SquaredError(), X, Y)
        tenth = estimate_regularization(SquaredError(), lambda rows: X[rows], Y, tuned=tuned)
        np.testing.assert_allclose(np.delete(tenth, [2, 4]), np.delete(plain, [2, 4]) / 10)
        tuned = replace(TUNED, usual_ratio=0.49, usual_share=0.2)
        usual = usual_regularization(400.0, tuned)
        assert usual.upper_alpha == pytest.approx(2.0 * 0.2 * 0.7 * 20)

    def test_noise_of_a_relu_process(self):
        """Against the likelihood of the same process, maximized on a fine grid."""
        X, Y = data(n=60, noise=0.7)
        centered = X - X.mean(axis=0)
        gram = centered @ centered.T
        gram = gram / gram.diagonal().mean() + 0.25
        length = np.sqrt(gram.diagonal())
        cosine = np.clip(gram / np.outer(length, length), -1, 1)
        angle = np.arccos(cosine)
        K = np.outer(length, length) * (np.sin(angle) + (np.pi - angle) * cosine)
        # Without the direction of the mean.
        basis = np.linalg.qr(np.hstack([np.ones((60, 1)), np.eye(60)[:, :59]]))[0][:, 1:]
        K, y = basis.T @ K @ basis, basis.T @ Y
        scale = K.trace() / 59
        best, values = np.inf, np.linalg.eigvalsh(K)
        for ratio in np.geomspace(0.01, 10, 2000):
            C = K + ratio * scale * np.eye(59)
            unit = float(np.vdot(y, np.linalg.solve(C, y))) / 59
            unlikely = 59 * np.log(unit) + np.linalg.slogdet(C)[1]
            if unlikely < best:
                best, expected = unlikely, ratio
        noise = noise_of(X, Y)
        assert noise.ratio == pytest.approx(expected, rel=0.02)
        # The share by its definition, at the very ratio that was found.
        e = noise.ratio * scale
        variance = float(np.vdot(y, np.linalg.solve(K + e * np.eye(59), y))) / 59
        for total in (60, 120, 600):
            grown = values * total / 60
            df = np.sum(grown / (grown + e))
            share = e * variance / Y.var(ddof=1) / (1 - df / total)
            assert noise_of(X, Y, total=total).fraction == pytest.approx(share, rel=1e-6)

    def test_outliers_are_pulled_in_to_where_the_others_end(self):
        """Huber's pseudo-values: 1.345 deviations of the middle half, or the loss's threshold."""
        rng = np.random.default_rng(0)
        residual = rng.standard_normal((5001, 2)) * (1.0, 3.0)
        residual[:50] *= 100.0
        limit = np.abs(_pulled_in(residual, 0.0, 1.345)).max(axis=0)
        np.testing.assert_allclose(limit, (1.345, 3 * 1.345), rtol=0.05)
        pulled = _pulled_in(residual, 2.5, 1.345)
        limit = np.array([2.5, np.abs(pulled[:, 1]).max()])
        np.testing.assert_allclose(pulled, np.clip(residual, -limit, limit))

    def test_tangent_of_the_columns_penalty(self):
        """The ridge has the slope of the penalty, and its parabola lies above it."""
        sizes = np.array([0.0, 1e-3, 0.1, 7.0])
        expected = np.log(1 + 10 * sizes).sum()
        assert column_penalty(sizes) == pytest.approx(expected, rel=1e-12)
        ridge = column_ridge(sizes, 0.5)
        step = 1e-6
        for j in range(4):
            moved = sizes + step * (np.arange(4) == j)
            slope = 0.5 * (column_penalty(moved) - column_penalty(sizes)) / step
            assert ridge[j] == pytest.approx(slope, rel=1e-4)

    def test_columns_count_by_the_root_of_their_number(self):
        assert effective_column_alpha(2.0, 100.0, 100, 9) == pytest.approx(6.0)
        assert effective_column_alpha(2.0, 300.0, 100, 9) == pytest.approx(6.0)
        assert effective_column_alpha(2.0, 10.0, 100, 9) == pytest.approx(0.6)
        assert effective_column_alpha(2.0, 100.0, 100, 0) == pytest.approx(2.0)


@pytest.mark.parametrize("unit", [1e-7, 1e7])
def test_noise_of_labels_in_any_units(unit):
    X = np.random.default_rng(0).standard_normal((60, 3))
    Y = (X[:, :1] > 0).astype(float)
    np.testing.assert_allclose(noise_of(unit * X, Y), noise_of(X, Y), rtol=1e-6)
