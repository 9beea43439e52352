"""Scores of levels, against mixed-model equations that are solved as they stand."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import TUNED
from skmdlam.engine.level_scores import (
    Folds,
    LevelScores,
    first_scores,
    renewed_scores,
    shrunken_means,
    slope_scores,
)
from skmdlam.engine.problem import Problem
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)


def levels_of(seed, n=900, n_levels=70, noise=1.0, spread=1.0):
    """Codes of levels of very different sizes, their effects, values and weights."""
    rng = np.random.default_rng(seed)
    chance = rng.gamma(0.7, size=n_levels)
    codes = rng.choice(n_levels, n, p=chance / chance.sum())
    effect = 3.0 + spread * rng.normal(size=n_levels)
    weight = rng.uniform(0.3, 2.0, n)
    values = effect[codes] + noise * rng.normal(size=n) / np.sqrt(weight)
    return codes, effect, values, weight


def henderson(codes, values, weight, n_levels, ratio):
    """Mean and effects of all levels for a ratio of both variances, by Henderson's equations."""
    Z = (codes[:, None] == np.arange(n_levels)).astype(float)
    design = np.column_stack([np.ones(len(codes)), Z])
    equations = design.T @ (weight[:, None] * design)
    equations[1:, 1:] += ratio * np.eye(n_levels)
    solution = np.linalg.solve(equations, design.T @ (weight * values))
    return solution[0], solution[1:]


class TestShrunkenMeans:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("spread", [0.5, 2.0])
    def test_best_linear_unbiased_prediction(self, seed, spread):
        """The ratio that it found is that of a single level; all others follow."""
        codes, _, values, weight = levels_of(seed, spread=spread)
        table = shrunken_means(codes, values, weight, 70)
        mean = table[-1]
        total, sums = (np.bincount(codes, w, 70) for w in (weight, weight * values))
        largest = np.argmax(total * np.abs(sums / np.maximum(total, 1e-9) - mean))
        raw = sums[largest] / total[largest]
        kept = (table[largest] - mean) / (raw - mean)
        assert 0.0 < kept < 1.0
        ratio = total[largest] * (1.0 / kept - 1.0)
        expected, effects = henderson(codes, values, weight, 70, ratio)
        assert mean == pytest.approx(expected, abs=1e-6)
        np.testing.assert_allclose(table[:-1], expected + effects, rtol=0, atol=1e-6)

    def test_finds_both_variances(self):
        """Noise of variance 4 and effects of variance 0.25, of 400 levels."""
        codes, _, values, weight = levels_of(7, 20_000, 400, noise=2.0, spread=0.5)
        table = shrunken_means(codes, values, weight, 400)
        total = np.bincount(codes, weight, 400)
        raw = np.bincount(codes, weight * values, 400) / np.maximum(total, 1e-9)
        level = np.argmax(total * np.abs(raw - table[-1]))
        kept = (table[level] - table[-1]) / (raw[level] - table[-1])
        assert total[level] * (1.0 / kept - 1.0) == pytest.approx(16.0, rel=0.25)

    def test_closer_to_the_effects_than_raw_means_and_than_one_mean(self):
        codes, effect, values, weight = levels_of(8, 800, 200, noise=1.5)
        table = shrunken_means(codes, values, weight, 200)
        total = np.bincount(codes, weight, 200)
        seen = total > 0
        raw = np.bincount(codes, weight * values, 200)[seen] / total[seen]
        error, other, one = (
            np.mean((each - effect[seen]) ** 2) for each in (table[:-1][seen], raw, values.mean())
        )
        assert error < 0.9 * min(other, one)

    def test_nothing_between_levels(self):
        rng = np.random.default_rng(0)
        codes = np.arange(3000) % 60
        values = 5.0 + rng.normal(size=3000)
        values -= np.bincount(codes, values, 60)[codes] / 50 - 5.0  # all levels have one mean
        table = shrunken_means(codes, values, np.ones(3000), 60)
        np.testing.assert_allclose(table, 5.0, rtol=1e-12)

    def test_many_samples_are_their_mean(self):
        _, effect, _, _ = levels_of(3, n_levels=12)
        rng = np.random.default_rng(3)
        codes, weight = rng.integers(0, 12, 30_000), rng.uniform(0.3, 2.0, 30_000)
        values = effect[codes] + 0.1 * rng.normal(size=30_000)
        table = shrunken_means(codes, values, weight, 12)
        raw = np.bincount(codes, weight * values, 12) / np.bincount(codes, weight, 12)
        np.testing.assert_allclose(table[:-1], raw, rtol=1e-4)

    def test_levels_that_nobody_has(self):
        codes, _, values, weight = levels_of(4, n_levels=20)
        table = shrunken_means(codes, values, weight, 33)
        np.testing.assert_array_equal(table[20:], table[-1])
        np.testing.assert_array_equal(table[:20], shrunken_means(codes, values, weight, 20)[:20])

    def test_samples_without_a_level_say_nothing(self):
        codes, _, values, weight = levels_of(5)
        none = np.random.default_rng(0).random(900) < 0.3
        found = shrunken_means(np.where(none, 70, codes), values, weight, 70)
        part = (each[~none] for each in (codes, values, weight))
        np.testing.assert_allclose(found, shrunken_means(*part, 70), rtol=1e-12)
        np.testing.assert_array_equal(
            shrunken_means(np.full(9, 4), np.arange(9.0), np.ones(9), 4), 4
        )

    def test_counts_are_copies(self):
        codes, _, values, weight = levels_of(6, n=400, n_levels=30)
        counts = np.random.default_rng(1).integers(1, 5, 400)
        found = shrunken_means(codes, values, weight * counts, 30, counts)
        copied = (np.repeat(each, counts) for each in (codes, values, weight))
        np.testing.assert_allclose(found, shrunken_means(*copied, 30), rtol=1e-10)

    def test_shift_and_scale(self):
        codes, _, values, weight = levels_of(9)
        table = shrunken_means(codes, values, weight, 70)
        for unit, shift in ((1e-6, 0.0), (1e5, -3e5), (-1.0, 2.0)):
            found = shrunken_means(codes, unit * values + shift, 7.0 * weight, 70)
            np.testing.assert_allclose(
                found, unit * table + shift, rtol=0, atol=1e-8 * abs(unit) + 1e-14 * abs(shift)
            )

    @pytest.mark.parametrize("values", [np.zeros(12), np.full(12, 7.0)], ids=str)
    def test_constant(self, values):
        table = shrunken_means(np.arange(12) % 5, values, np.ones(12), 5)
        np.testing.assert_allclose(table, values[0], rtol=1e-14)

    def test_names_do_not_matter(self):
        codes, _, values, weight = levels_of(10)
        new = np.random.default_rng(2).permutation(70)
        table = shrunken_means(codes, values, weight, 70)
        other = shrunken_means(new[codes], values, weight, 70)
        np.testing.assert_allclose(other[new], table[:-1], rtol=1e-12)


class TestFolds:
    def folds(self, codes, weight=None):
        fold = np.random.default_rng(0).permutation(len(codes)) % 5
        return Folds.of(codes.astype(float), weight, fold)

    def test_a_sample_does_not_know_itself(self):
        codes, _, values, weight = levels_of(0)
        folds = self.folds(codes)
        scores, table, _ = folds.fit(values, weight)
        same_fold = folds.fold == folds.fold[17]
        changed = values.copy()
        changed[17] += 50.0
        new, new_table, _ = folds.fit(changed, weight)
        np.testing.assert_array_equal(new[same_fold], scores[same_fold])
        assert (
            new[~same_fold & (codes == codes[17])] != scores[~same_fold & (codes == codes[17])]
        ).all()
        assert new_table[codes[17]] > table[codes[17]]

    def test_by_definition(self):
        codes, _, values, weight = levels_of(1)
        folds = self.folds(codes)
        scores, table, gain = folds.fit(values, weight)
        for fold in range(5):
            inside = folds.fold == fold
            part = (each[~inside] for each in (codes, values, weight))
            expected = shrunken_means(*part, 70)[codes[inside]]
            np.testing.assert_allclose(scores[inside], expected, rtol=1e-12)
        np.testing.assert_allclose(table, shrunken_means(codes, values, weight, 70), rtol=1e-12)
        left = np.average((values - scores) ** 2, weights=weight)
        around = np.average((values - np.average(values, weights=weight)) ** 2, weights=weight)
        assert gain == pytest.approx(1.0 - left / around, rel=1e-12)
        assert gain > 0.3

    def test_noise_gains_nothing(self):
        gains = [
            self.folds(codes).fit(np.random.default_rng(seed).normal(size=900), weight)[2]
            for seed in range(5)
            for codes, _, _, weight in [levels_of(seed)]
        ]
        assert max(gains) < TUNED.level_gain

    def test_without_a_level_is_one_where_training_had_some(self):
        """As with OneHotEncoder(drop="first"); where there was none it is the mean."""
        codes, _, values, weight = levels_of(2)
        dropped = np.where(codes == 5, np.nan, codes)
        fold = np.arange(900) % 5
        _, table, _ = Folds.of(dropped, None, fold, 70).fit(values, weight)
        _, expected, _ = Folds.of(codes.astype(float), None, fold, 70).fit(values, weight)
        assert table[-1] == pytest.approx(expected[5], rel=1e-12)
        np.testing.assert_allclose(
            np.delete(table[:-1], 5), np.delete(expected[:-1], 5), rtol=1e-12
        )
        assert expected[-1] == pytest.approx(shrunken_means(codes, values, weight, 70)[-1])

    def test_unit_of_small_weights(self):
        codes, _, values, weight = levels_of(3)
        share = weight / weight.mean()
        expected = self.folds(codes, share).fit(values, weight)
        for unit in (1e-3, 1e-9):
            found = self.folds(codes, unit * share).fit(values, weight)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10)


class TestLevelScores:
    def test_of_codes_and_of_blocks(self):
        rng = np.random.default_rng(0)
        tables = [rng.normal(size=21), rng.normal(size=13)]
        codes, other = rng.integers(0, 20, 50), rng.integers(0, 12, 50)
        X = np.zeros((50, 14))
        X[:, 0], X[np.arange(50), 2 + other] = codes, 1.0
        X[3, 0], X[4, 0], X[5, 2:] = np.nan, 25.0, 0.0
        expected = np.column_stack([tables[0][codes], tables[1][other]])
        expected[[3, 4], 0], expected[5, 1] = tables[0][-1], tables[1][-1]
        block = np.arange(2, 14)
        scores = LevelScores([0, block], tables, [0.5, 0.0])
        np.testing.assert_allclose(scores(X), expected, rtol=0, atol=1e-14)
        by_hand = LevelScores([block], tables[1:], [0.0])
        np.testing.assert_allclose(
            by_hand(sp.csr_array(np.nan_to_num(X))), expected[:, 1:], rtol=0, atol=1e-14
        )
        assert scores(X.astype(np.float32)).dtype == np.float32

    def test_useful(self):
        scores = LevelScores([3, 1, 4], [np.zeros(2), np.ones(2), np.ones(3)], [0.2, -0.1, 0.01])
        assert scores.useful(0.01) == [0] and scores.useful(0.3) == []
        assert scores.useful(0.3, any_other=False) == [0]
        some = scores.some([2, 0])
        assert some.categories == [4, 3] and some.gains == [0.01, 0.2] and some.size == 2


def problem_of(loss, Y, X, weight=None):
    return Problem(X, np.asfortranarray(Y), [], loss, None, 0.0, weight)


def one_hot(labels, K):
    return (labels[:, None] == np.arange(K)).astype(float)


class TestFirstScores:
    n, n_levels = 4000, 80

    def found(self, loss, target):
        """Scores for a target that ``target(rng, effect)`` draws, and the effects."""
        rng = np.random.default_rng(1)
        codes = rng.integers(0, self.n_levels, self.n)
        effect = rng.normal(size=self.n_levels)
        X = codes[:, None].astype(float)
        problem = problem_of(loss, target(rng, effect[codes]), X)
        folds = [Folds.of(X[:, 0], None, np.arange(self.n) % 5)]
        values, scores = first_scores(problem, [0], folds)
        assert values.shape == (self.n, scores.size)
        return scores, effect

    BOUNDED = (AbsoluteError(), Quantile(0.5), Quantile(0.8), Huber(0.5))

    @pytest.mark.parametrize(
        ("loss", "tails"),
        [(SquaredError(), False), *((loss, tails) for loss in BOUNDED for tails in (False, True))],
        ids=str,
    )
    def test_numbers(self, loss, tails):
        """Far targets change nothing where the loss bounds them."""

        def target(rng, z):
            noise = rng.standard_t(1.2, self.n) if tails else rng.normal(size=self.n)
            return 100.0 * (z + 0.7 * noise)[:, None]

        scores, effect = self.found(loss, target)
        assert np.corrcoef(scores.tables[0][:-1], effect)[0, 1] > (0.95 if tails else 0.97)
        assert scores.gains[0] > TUNED.level_gain

    def test_squares_are_shrunken_means_of_targets(self):
        rng = np.random.default_rng(2)
        codes, _, y, _ = levels_of(2)
        weight = rng.integers(1, 4, 900).astype(float)
        X = codes[:, None].astype(float)
        folds = Folds.of(X[:, 0], weight, np.arange(900) % 5)
        _, scores = first_scores(problem_of(SquaredError(), y[:, None], X, weight), [0], [folds])
        expected = shrunken_means(codes, y - np.average(y, weights=weight), weight, 70, weight)
        np.testing.assert_allclose(scores.tables[0], expected, rtol=0, atol=1e-9)

    def test_labels(self):
        def labels(rng, z):
            return (rng.logistic(size=self.n) < z)[:, None] * 1.0

        scores, effect = self.found(LogisticLoss(), labels)
        assert np.corrcoef(scores.tables[0][:-1], effect)[0, 1] > 0.9

        def classes(rng, z):
            return one_hot((z + rng.logistic(size=self.n) > 0) + (z > 1.0) * 1, 3)

        scores, effect = self.found(SoftmaxCrossEntropy(), classes)
        assert scores.size == 3
        assert np.corrcoef(scores.tables[0][:-1], effect)[0, 1] < -0.8

    def test_counts(self):
        scores, effect = self.found(Poisson(), lambda rng, z: rng.poisson(np.exp(z))[:, None] * 1.0)
        assert np.corrcoef(scores.tables[0][:-1], np.exp(effect))[0, 1] > 0.9

    def test_of_many_outputs_the_leading_directions(self):
        """Two effects make nine outputs."""
        rng = np.random.default_rng(3)
        codes = rng.integers(0, 60, 3000)
        effects, mix = rng.normal(size=(60, 2)), rng.normal(size=(2, 9))
        Y = effects[codes] @ mix + 0.3 * rng.normal(size=(3000, 9))
        X = codes[:, None].astype(float)
        folds = [Folds.of(X[:, 0], None, np.arange(3000) % 5)]
        _, scores = first_scores(problem_of(SquaredError(), Y, X), [0], folds)
        assert scores.size == TUNED.level_outputs
        table = np.column_stack([*(t[:-1] for t in scores.tables), np.ones(60)])
        left = effects - table @ np.linalg.lstsq(table, effects, rcond=None)[0]
        assert np.square(left).mean() < 0.02


class TestSlopes:
    def test_found_where_they_are(self):
        rng = np.random.default_rng(4)
        n, codes = 4000, rng.integers(0, 50, 4000)
        X = np.column_stack([codes, 3.0 + 2.0 * rng.normal(size=(n, 3))])
        X[rng.random(n) < 0.1, 3] = np.nan
        slope = rng.normal(size=50)
        y = slope[codes] * (X[:, 2] - 3.0) + 0.3 * rng.normal(size=n)
        folds = [Folds.of(X[:, 0], None, np.arange(n) % 5)]
        problem = problem_of(SquaredError(), y[:, None], X)
        values, none = np.zeros((n, 1)), LevelScores([0], [np.zeros(51)], [0.0])

        def output(_):
            return np.zeros((n, 1))

        found, scores, owners = slope_scores(problem, none, [0], folds, X, values, output)
        assert owners == [0] and found.shape == (n, 2) and scores.size == 2
        assert np.corrcoef(scores.tables[1][:-1], slope)[0, 1] > 0.99
        level = problem_of(SquaredError(), (y * 0.0 + rng.normal(size=n))[:, None], X)
        assert slope_scores(level, none, [0], folds, X, values, output)[2] == []
        assert slope_scores(problem, none, [0], folds, X[:, :0], values, output)[2] == []


class TestRenewed:
    def test_of_a_line_are_those_of_its_residuals(self):
        """A network that is linear in the score, and squares: the step is exact."""
        rng = np.random.default_rng(5)
        codes, _, y, _ = levels_of(5)
        rest = rng.normal(size=(900, 2))
        y = y + rest @ [1.0, -2.0]
        values = rng.normal(size=(900, 1))

        def output(X):
            return X @ np.array([[1.0], [-2.0], [4.0]])

        folds = Folds.of(codes.astype(float), None, np.arange(900) % 5)
        problem = problem_of(SquaredError(), y[:, None], rest)
        new, scores = renewed_scores(
            problem, values, LevelScores([7], [np.zeros(71)], [0.0]), [folds], rest, output
        )
        asked = (y - rest @ [1.0, -2.0]) / 4.0
        expected, table, gain = folds.fit(asked, np.ones(900))
        np.testing.assert_allclose(new[:, 0], expected, rtol=0, atol=1e-8)
        np.testing.assert_allclose(scores.tables[0], table, rtol=0, atol=1e-8)
        assert scores.gains == pytest.approx([gain]) and scores.categories == [7]

    def test_a_score_that_says_nothing_stays(self):
        values = np.random.default_rng(6).normal(size=(900, 1))
        codes, _, y, _ = levels_of(6)
        table = np.random.default_rng(7).normal(size=71)
        folds = Folds.of(codes.astype(float), None, np.arange(900) % 5)
        problem = problem_of(SquaredError(), y[:, None], np.zeros((900, 1)))
        new, scores = renewed_scores(
            problem,
            values,
            LevelScores([0], [table], [0.3]),
            [folds],
            np.zeros((900, 1)),
            lambda X: 0.0 * X[:, :1],
        )
        np.testing.assert_array_equal(new, values)
        np.testing.assert_array_equal(scores.tables[0], table)
        assert scores.gains == [0.0]

    @pytest.mark.parametrize("loss", [Huber(0.5), LogisticLoss()], ids=str)
    def test_finite_where_the_loss_is_flat(self, loss):
        rng = np.random.default_rng(8)
        codes, _, y, _ = levels_of(8)
        y = (
            (y > 3.0) * 1.0
            if isinstance(loss, LogisticLoss)
            else y - 3.0 + rng.standard_t(3.0, 900)
        )
        folds = Folds.of(codes.astype(float), None, np.arange(900) % 5)
        problem = problem_of(loss, y[:, None], np.zeros((900, 1)))
        values = 0.1 * rng.normal(size=(900, 1))
        new, scores = renewed_scores(
            problem,
            values,
            LevelScores([0], [np.zeros(71)], [0.0]),
            [folds],
            np.zeros((900, 1)),
            lambda X: 3.0 * X[:, 1:],
        )
        assert np.isfinite(new).all() and np.abs(new).max() < 10.0
        assert scores.gains[0] > 0.05
