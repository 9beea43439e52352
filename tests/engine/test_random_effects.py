"""Shrunken means, against mixed-model equations that are solved as they stand."""

import numpy as np
import pytest

from skmdlam.engine.constants import TUNED
from skmdlam.engine.random_effects import Folds, explained, shrunken_means


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
        """But by the mean of all, which is the same for all samples."""
        folds = self.folds(codes)
        scores, table, _ = folds.fit(values, weight)
        same_fold = folds.fold == folds.fold[17]
        changed = values.copy()
        changed[17] += 50.0
        new, new_table, _ = folds.fit(changed, weight)
        moved = new - scores - (new_table[-1] - table[-1])
        np.testing.assert_allclose(moved[same_fold], 0.0, rtol=0, atol=1e-12)
        assert (moved[~same_fold & (codes == codes[17])] > 0.01).all()
        assert new_table[codes[17]] > table[codes[17]]

    def test_by_definition(self):
        codes, _, values, weight = levels_of(1)
        folds = self.folds(codes)
        scores, table, gain = folds.fit(values, weight)
        for fold in range(5):
            inside = folds.fold == fold
            part = (each[~inside] for each in (codes, values, weight))
            means = shrunken_means(*part, 70)
            expected = (means - means[-1])[codes[inside]] + table[-1]
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
        scores, table, _ = Folds.of(dropped, None, fold, 70).fit(values, weight)
        by_name, expected, _ = Folds.of(codes.astype(float), None, fold, 70).fit(values, weight)
        np.testing.assert_allclose(scores, by_name, rtol=1e-12)
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


def test_explained():
    """Share of the weighted variance around the weighted mean."""
    rng = np.random.default_rng(0)
    asked, weight = rng.normal(size=80) + 3.0, rng.integers(1, 5, 80)
    scores = asked + 0.5 * rng.normal(size=80)
    copied, guess = np.repeat(asked, weight), np.repeat(scores, weight)
    expected = 1.0 - np.mean((copied - guess) ** 2) / np.var(copied)
    assert explained(asked, scores, weight) == pytest.approx(expected, rel=1e-12)
    assert explained(asked, np.full(80, copied.mean()), weight) == pytest.approx(0.0, abs=1e-12)
    assert explained(np.ones(5), np.ones(5), np.ones(5)) == 1.0
