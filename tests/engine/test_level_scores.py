"""Scores of levels, before there is a network and of one."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine import level_scores
from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.levels import CodeColumn, OneHotBlock, TiedNumbers
from skmdlam.engine.level_scores import (
    LevelScores,
    ScoredSamples,
    first_scores,
    folds_of,
    renewed_scores,
)
from skmdlam.engine.problem import Problem
from skmdlam.engine.random_effects import Folds, shrunken_means
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)


def levels_of(seed, n=900, n_levels=70):
    """Codes of levels of very different sizes, and values with effects of them."""
    rng = np.random.default_rng(seed)
    chance = rng.gamma(0.7, size=n_levels)
    codes = rng.choice(n_levels, n, p=chance / chance.sum())
    return codes, 3.0 + rng.normal(size=n_levels)[codes] + rng.normal(size=n)


def problem_of(loss, Y, X, weight=None):
    return Problem(X, np.asfortranarray(Y), [], loss, None, 0.0, weight)


def one_hot(labels, K):
    return (labels[:, None] == np.arange(K)).astype(float)


class TestLevelScores:
    def test_of_codes_blocks_and_numbers(self):
        rng = np.random.default_rng(0)
        tables = [rng.normal(size=21), rng.normal(size=13), rng.normal(size=5)]
        codes, other, price = (rng.integers(0, size, 50) for size in (20, 12, 4))
        values = np.array([-1.5, 0.0, 0.1, 7.25])
        X = np.zeros((50, 14))
        X[:, 0], X[:, 1], X[np.arange(50), 2 + other] = codes, values[price], 1.0
        X[3, 0], X[4, 0], X[5, 2:], X[6, 1], X[7, 1] = np.nan, 25.0, 0.0, np.nan, 0.05
        expected = np.column_stack([tables[0][codes], tables[1][other], tables[2][price]])
        expected[[3, 4], 0], expected[5, 1] = tables[0][-1], tables[1][-1]
        expected[[6, 7], 2] = tables[2][-1]
        block = OneHotBlock(np.arange(2, 14))
        categories = [CodeColumn(0, 20), block, TiedNumbers(1, values)]
        scores = LevelScores(categories, tables, [0.5, 0.0, 0.1])
        np.testing.assert_allclose(scores(X), expected, rtol=0, atol=1e-14)
        by_hand = LevelScores([block], tables[1:2], [0.0])
        np.testing.assert_allclose(
            by_hand(sp.csr_array(np.nan_to_num(X))), expected[:, 1:2], rtol=0, atol=1e-14
        )
        assert scores(X.astype(np.float32)).dtype == np.float32

    def test_useful(self):
        categories = [CodeColumn(column, 1) for column in (3, 1, 4)]
        tables = [np.zeros(2), np.ones(2), np.ones(3)]
        scores = LevelScores(categories, tables, [0.2, -0.1, 0.01])
        assert scores.useful(0.01) == [0] and scores.useful(0.3) == []
        assert scores.useful(0.3, any_other=False) == [0]
        some = scores.some([2, 0])
        assert some.categories == [categories[2], categories[0]]
        assert some.gains == [0.01, 0.2] and some.size == 2
        assert some.tables[0] is tables[2] and some.tables[1] is tables[0]


class TestScoredSamples:
    X = np.array([[0.5, 0.0], [np.nan, 1.0], [2.0, 2.0], [3.0, 0.0]])
    KINDS = Kinds.of(X, None, np.array([False, True])).without_levels([1])

    def samples(self, size):
        rng = np.random.default_rng(size)
        category = CodeColumn(1, 3)
        problem = problem_of(SquaredError(), np.zeros((4, 1)), self.X)
        folds = folds_of(problem, [category]) * size
        tables = list(rng.normal(size=(size, 4)))
        scores = LevelScores([category] * size, tables, list(np.arange(size) / 10.0))
        values = rng.normal(size=(4, size)).astype(np.float32)
        return ScoredSamples(problem, self.X, self.KINDS, values, scores, folds)

    def test_posed(self):
        """Scores are numbers without gaps, behind the others."""
        scored = self.samples(2)
        posed = scored.posed()
        np.testing.assert_array_equal(posed.X, np.hstack([self.X, scored.values]))
        assert posed.Y is scored.problem.Y and scored.problem.X is self.X
        assert posed.kinds.categorical.tolist() == [False, True, False, False]
        assert posed.kinds.gaps.tolist() == [True, False, False, False]
        np.testing.assert_allclose(posed.kinds.means[2:], scored.values.mean(axis=0))
        assert replace(scored, kinds=None).posed().kinds is None

    def test_some_and_more(self):
        scored, other = self.samples(3), self.samples(2)
        some = scored.some([2, 0])
        np.testing.assert_array_equal(some.values, scored.values[:, [2, 0]])
        assert some.scores.gains == [0.2, 0.0] and some.folds == scored.folds[:2]
        parts = other.scores.categories, other.scores.tables, (0.5, 0.6), other.folds
        more = some.with_more(list(other.values.T.astype(float)), *parts)
        np.testing.assert_array_equal(more.values, np.hstack([some.values, other.values]))
        assert more.values.dtype == np.float32
        assert more.scores.size == len(more.folds) == len(more.scores.categories) == 4
        assert more.scores.gains == [0.2, 0.0, 0.5, 0.6] and some.scores.size == 2
        assert scored.some([]).posed().X.shape == (4, 2)


def test_folds_are_the_same_for_all_categories():
    codes, y = levels_of(0)
    X = np.column_stack([codes, codes % 7]).astype(float)
    weight = np.where(codes < 5, 3.0, 1.0)
    problem = problem_of(SquaredError(), y[:, None], X, weight)
    one, other = folds_of(problem, [CodeColumn(0, 75), CodeColumn(1, 7)])
    assert one.n_levels == 75 and other.n_levels == 7
    np.testing.assert_array_equal(one.fold, other.fold)
    assert np.bincount(one.fold).tolist() == [180] * 5
    np.testing.assert_array_equal(one.codes, codes)
    np.testing.assert_array_equal(one.weight, weight)


def scored_by(problem):
    """First scores of a category that is the only column."""
    categories = [CodeColumn.of(problem.X, 0)]
    folds = folds_of(problem, categories)
    scored = first_scores(problem, problem.X[:, 1:], None, categories, folds)
    assert scored.values.shape == (len(problem.X), scored.scores.size)
    assert scored.folds == folds * scored.scores.size
    return scored


class TestFirstScores:
    n, n_levels = 4000, 80

    def found(self, loss, target):
        """Scores for a target that ``target(rng, effect)`` draws, and the effects."""
        rng = np.random.default_rng(1)
        codes = rng.integers(0, self.n_levels, self.n)
        effect = rng.normal(size=self.n_levels)
        X = codes[:, None].astype(float)
        return scored_by(problem_of(loss, target(rng, effect[codes]), X)).scores, effect

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
        codes, y = levels_of(2)
        weight = rng.integers(1, 4, 900).astype(float)
        X = codes[:, None].astype(float)
        scored = scored_by(problem_of(SquaredError(), y[:, None], X, weight))
        expected = shrunken_means(codes, y - np.average(y, weights=weight), weight, 70, weight)
        np.testing.assert_allclose(scored.scores.tables[0], expected, rtol=0, atol=1e-9)

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
        scores = scored_by(problem_of(SquaredError(), Y, codes[:, None].astype(float))).scores
        assert scores.size == TUNED.level_outputs
        table = np.column_stack([*(t[:-1] for t in scores.tables), np.ones(60)])
        left = effects - table @ np.linalg.lstsq(table, effects, rcond=None)[0]
        assert np.square(left).mean() < 0.02
        assert scores.gains == [scores.gains[0]] * TUNED.level_outputs

    def test_of_several_categories(self):
        """Each as if it were alone, one behind the other; precision is that of the samples."""
        codes, y = levels_of(3)
        X = np.column_stack([codes, np.arange(900) % 11, y]).astype(np.float32)
        problem = problem_of(SquaredError(), y[:, None], X)
        categories = [CodeColumn.of(X, column) for column in (1, 0)]
        folds = folds_of(problem, categories)
        scored = first_scores(problem, X, None, categories, folds)
        for place, (category, crossed) in enumerate(zip(categories, folds, strict=True)):
            alone = first_scores(problem, X, None, [category], [crossed])
            np.testing.assert_array_equal(scored.values[:, [place]], alone.values)
            np.testing.assert_array_equal(scored.scores.tables[place], alone.scores.tables[0])
        assert scored.scores.categories == categories and scored.folds == folds
        assert scored.X.dtype == np.float32
        assert scored.scores.gains[1] > 0.2 > TUNED.level_gain > scored.scores.gains[0]


def samples_of(problem, values, table, gain=0.0):
    """Samples whose rest are the columns of the problem, with one score of their codes."""
    codes = problem.X[:, -1]
    folds = Folds.of(codes, problem.sample_weight, np.arange(len(codes)) % 5, 70)
    scores = LevelScores([CodeColumn(problem.X.shape[1] - 1, 70)], [table], [gain])
    return ScoredSamples(problem, problem.X[:, :-1], None, values, scores, [folds])


class TestRenewed:
    def test_of_a_line_are_those_of_its_residuals(self):
        """A network that is linear in the score, and squares: the step is exact."""
        rng = np.random.default_rng(5)
        codes, y = levels_of(5)
        rest = rng.normal(size=(900, 2))
        y = y + rest @ [1.0, -2.0]
        values = rng.normal(size=(900, 1))
        before = values.copy()

        def output(X):
            return X @ np.array([[1.0], [-2.0], [4.0]])

        problem = problem_of(SquaredError(), y[:, None], np.column_stack([rest, codes]))
        scored = samples_of(problem, values, np.zeros(71))
        new = renewed_scores(scored, output)
        asked = (y - rest @ [1.0, -2.0]) / 4.0
        expected, table, gain = scored.folds[0].fit(asked, np.ones(900))
        np.testing.assert_allclose(new.values[:, 0], expected, rtol=0, atol=1e-8)
        np.testing.assert_allclose(new.scores.tables[0], table, rtol=0, atol=1e-8)
        assert new.scores.gains == pytest.approx([gain])
        assert new.scores.categories == scored.scores.categories
        np.testing.assert_array_equal(scored.values, before)

    def test_each_for_itself(self):
        """The next category moves where those before have moved already."""
        rng = np.random.default_rng(9)
        codes, y = levels_of(9)
        X = np.column_stack([codes, codes % 9]).astype(float)
        problem = problem_of(SquaredError(), y[:, None], X)
        categories = [CodeColumn.of(X, 0), CodeColumn.of(X, 1)]
        folds = folds_of(problem, categories)
        values = rng.normal(size=(900, 2))
        scores = LevelScores(categories, [np.zeros(71), np.zeros(10)], [0.0, 0.0])
        rest = np.empty((900, 0))
        scored = ScoredSamples(problem, rest, None, values, scores, folds)
        new = renewed_scores(scored, lambda X: X @ np.array([[2.0], [-1.0]]))
        others = (-1.0 * values[:, 1], 2.0 * new.values[:, 0])
        for score, slope in enumerate((2.0, -1.0)):
            asked = (y - others[score]) / slope
            expected, table, _ = folds[score].fit(asked, np.ones(900))
            np.testing.assert_allclose(new.values[:, score], expected, rtol=0, atol=1e-8)
            np.testing.assert_allclose(new.scores.tables[score], table, rtol=0, atol=1e-8)

    def test_a_score_that_says_nothing_stays(self):
        values = np.random.default_rng(6).normal(size=(900, 1))
        codes, y = levels_of(6)
        table = np.random.default_rng(7).normal(size=71)
        X = np.column_stack([np.zeros(900), codes])
        scored = samples_of(problem_of(SquaredError(), y[:, None], X), values, table, 0.3)
        new = renewed_scores(scored, lambda X: 0.0 * X[:, :1])
        np.testing.assert_array_equal(new.values, values)
        np.testing.assert_array_equal(new.scores.tables[0], table)
        assert new.scores.gains == [0.0]

    @pytest.mark.parametrize("loss", [Huber(0.5), LogisticLoss()], ids=str)
    def test_finite_where_the_loss_is_flat(self, loss):
        rng = np.random.default_rng(8)
        codes, y = levels_of(8)
        far = rng.standard_t(3.0, 900)
        y = (y > 3.0) * 1.0 if isinstance(loss, LogisticLoss) else y - 3.0 + far
        problem = problem_of(loss, y[:, None], np.column_stack([np.zeros(900), codes]))
        scored = samples_of(problem, 0.1 * rng.normal(size=(900, 1)), np.zeros(71))
        new = renewed_scores(scored, lambda X: 3.0 * X[:, 1:])
        assert np.isfinite(new.values).all() and np.abs(new.values).max() < 10.0
        assert new.scores.gains[0] > 0.05


class TestTested:
    """Doubtful scores, by a network that has not seen some of the samples."""

    DOUBT, CLEAR = 0.5 * (TUNED.level_gain + TUNED.level_doubt), 2.0 * TUNED.level_doubt

    def after_the_test(self, gain, factor):
        """Gain after the test of a score that a network takes so many times, and what it saw."""
        codes, y = levels_of(10)
        problem = problem_of(SquaredError(), y[:, None], np.column_stack([np.zeros(900), codes]))
        scored, seen = samples_of(problem, np.zeros((900, 1)), np.zeros(71)), []
        values, table, _ = scored.folds[0].fit(y, np.ones(900))
        scores = LevelScores(scored.scores.categories, [table], [gain])
        scored = replace(scored, values=values[:, None], scores=scores)

        def fit(problem):
            seen.append(problem)
            return lambda X: table[-1] + factor * (X[:, 1:] - table[-1])

        found = level_scores.tested_scores(scored, fit, TUNED)
        np.testing.assert_array_equal(found.values, scored.values)
        assert found.scores.tables == [table] and scored.scores.gains == [gain]
        return found.scores.gains[0], seen, scored

    @pytest.mark.parametrize("factor", [1.0, 3.0, -0.5])
    def test_doubtful(self, factor):
        """It stays where the held-out loss with it is less than at the mean of the levels."""
        gain, (seen,), scored = self.after_the_test(self.DOUBT, factor)
        held_out = scored.folds[0].fold == 0
        np.testing.assert_array_equal(seen.X, scored.X[~held_out])
        np.testing.assert_array_equal(seen.Y, scored.problem.Y[~held_out])
        y, score = scored.problem.Y[held_out, 0], scored.values[held_out, 0]
        mean = scored.scores.tables[0][-1]
        with_it = np.square(y - mean - factor * (score - mean)).mean()
        helps = with_it < np.square(y - mean).mean()
        assert helps == (factor == 1.0)
        assert gain == (self.DOUBT if helps else 0.0)

    @pytest.mark.parametrize("gain", [CLEAR, 0.5 * TUNED.level_gain, -0.1])
    def test_clear(self, gain):
        """Neither those that explain much nor those that go anyway need a network."""
        found, seen, _ = self.after_the_test(gain, -1.0)
        assert found == gain and seen == []
