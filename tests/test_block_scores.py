"""Scores of levels from sums over blocks: those of all samples, whatever they are split into."""

import pickle
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam._block_scores import FromBlocks, Score, folds_of_rows, with_scores
from skmdlam._inputs import FROM_SAMPLES, FromSamples, rest_of, scored_problem
from skmdlam.activations import get_activations
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.levels import CodeColumn, OneHotBlock
from skmdlam.engine.level_scores import first_scores, renewed_scores
from skmdlam.engine.problem import Problem
from skmdlam.engine.random_effects import Folds, shrunken_means
from skmdlam.losses import Huber, LogisticLoss, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import get_penalty

N, LEVELS, FOLDS = 1200, 60, 5


def problem_of(loss, seed=0, weighted=False, n=N):
    """Samples of a category with random effects and a number."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, LEVELS, n).astype(float)
    codes[rng.random(n) < 0.02] = np.nan
    x = rng.normal(size=n)
    effect = np.where(
        np.isnan(codes), 0.0, rng.normal(size=LEVELS)[np.nan_to_num(codes).astype(int)]
    )
    z = effect + x
    if isinstance(loss, SoftmaxCrossEntropy):
        Y = np.eye(6)[np.clip(np.round(z + 2.5 + rng.normal(size=n)), 0, 5).astype(int)]
    elif isinstance(loss, LogisticLoss):
        Y = (z + rng.logistic(size=n) > 0).astype(float)[:, None]
    else:
        Y = (z + 0.5 * rng.normal(size=n))[:, None]
    weight = rng.uniform(0.2, 2.0, n) if weighted else None
    X = np.column_stack([x, codes])
    kinds = Kinds.of(X, weight, np.array([False, True]))
    return Problem(
        X,
        Y,
        get_activations("relu", 1),
        loss,
        get_penalty("l2", l1_ratio=0.5),
        0.0,
        weight,
        kinds=kinds,
    )


def piles_of(problem, ends):
    edges = [0, *ends, problem.X.shape[0]]
    weight = problem.sample_weight
    return LocalBlocks(
        [
            Part(problem.X[a:b], problem.Y[a:b], None if weight is None else weight[a:b])
            for a, b in pairwise(edges)
        ]
    )


def scoring_of(problem, ends=(), drawn=None):
    piles = piles_of(problem, ends)
    drawn = [part.n for part in piles.parts] if drawn is None else drawn
    weight = problem.sample_weight
    unit = 1.0 if weight is None else min(weight.mean(), 1.0)
    return FromBlocks(piles, drawn, {1: LEVELS}, unit)


def begun(problem, scoring):
    """First scores as a fit in memory has them in these folds, and from blocks."""
    categories = [CodeColumn(1, LEVELS)]
    rest = rest_of(categories, 2).rest(problem.X)
    kinds = problem.kinds.without_levels([1])
    folds = scoring.folds(problem, categories, TUNED)
    arguments = problem, rest, kinds, categories, folds, TUNED
    return first_scores(*arguments), scoring.first(*arguments)


def _output(factor, X):
    """Some network: a bend in the score."""
    z = X[:, -1] + 0.3 * np.maximum(X[:, -1], 0) + 0.1 * X[:, 0]
    return z[:, None] * factor


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [SquaredError(), LogisticLoss(), SoftmaxCrossEntropy()])
class TestOfOnePile:
    def test_first_scores_are_those_of_a_fit_in_memory(self, loss, weighted):
        problem = problem_of(loss, weighted=weighted)
        expected, found = begun(problem, scoring_of(problem))
        assert expected.scores.size == found.scores.size
        for mine, theirs in zip(found.scores.tables, expected.scores.tables, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(found.scores.gains, expected.scores.gains, rtol=1e-6)

    def test_renewed_ones_too(self, loss, weighted):
        problem = problem_of(loss, weighted=weighted)
        scoring = scoring_of(problem)
        expected, found = begun(problem, scoring)
        output = partial(_output, np.linspace(0.5, 1.0, problem.Y.shape[1]))
        expected, found = renewed_scores(expected, output), scoring.renewed(found, output)
        for mine, theirs in zip(found.scores.tables, expected.scores.tables, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.scores.gains, expected.scores.gains, rtol=1e-5, atol=1e-6)


class TestOfSeveral:
    def test_they_are_those_of_all_samples(self):
        """An oracle that knows of no sums: the shrunken means of the targets."""
        problem = problem_of(SquaredError())
        scoring = scoring_of(problem, [300, 301, 301, 800], [50, 1, 0, 100, 90])
        samples = np.r_[0:50, 300, 301:401, 800:890]
        _, found = begun(problem.some(samples), scoring)
        center = problem.some(samples).Y.mean()  # that samples tell the constant
        codes = np.where(np.isnan(problem.X[:, 1]), LEVELS, problem.X[:, 1]).astype(int)
        asked = problem.Y.ravel() - center
        expected = shrunken_means(codes, asked, np.ones(N), LEVELS + 1)[:-1]
        # A pile has its own unit of the curvature, which is 1 in all for squares.
        np.testing.assert_allclose(found.scores.tables[0], expected, rtol=1e-6, atol=1e-9)
        fold = np.concatenate([folds_of_rows(0, m) for m in (300, 1, 0, 499, 400)])
        values, _, _ = Folds(codes, LEVELS, fold, None).fit(asked, np.ones(N))
        np.testing.assert_allclose(found.values.ravel(), values[samples], rtol=1e-6, atol=1e-9)
        scoring.finished(found, None)
        (score,) = scoring.scores
        np.testing.assert_allclose(score(problem.X, fold), values, rtol=1e-6, atol=1e-9)

    def test_levels_that_no_sample_here_has(self):
        problem = problem_of(SquaredError())
        order = np.argsort(problem.X[:, 1], kind="stable")
        problem = problem.some(order)
        scoring = scoring_of(problem, [], [400])
        (category,) = scoring.of_all_levels([CodeColumn(1, 20)])
        assert category.n_levels == LEVELS
        _, found = begun(problem.some(np.arange(400)), scoring)
        assert len(np.unique(found.scores.tables[0])) > LEVELS - 3

    def test_blocks_of_columns_and_sparse_samples(self):
        problem = problem_of(SquaredError())
        codes = np.nan_to_num(problem.X[:, 1]).astype(int)
        X = np.column_stack([problem.X[:, 0], np.eye(LEVELS)[codes]])
        tables = []
        for form in (np.asarray, sp.csr_matrix):
            one_hot = replace(problem, X=form(X), kinds=None)
            block = OneHotBlock.of(form(X), np.arange(1, LEVELS + 1))
            scoring = FromBlocks(piles_of(one_hot, [500]), [500, 700], {}, 1.0)
            output = partial(_output, np.ones(1))
            posed, columns = scored_problem(
                one_hot, [block], [], lambda problem, output=output: output, scoring=scoring
            )
            tables.append(columns.scores.tables[0])
            part = scoring._piles.parts[1]
            seen = with_scores(part.X, columns, scoring.scores)
            np.testing.assert_allclose(seen, posed.X[500:], rtol=1e-9)
        np.testing.assert_allclose(*tables, rtol=1e-9)

    def test_huber_and_a_lack_of_samples(self):
        problem = problem_of(Huber())
        _, found = begun(problem, scoring_of(problem, [0, 3, 3]))
        _, expected = begun(problem, scoring_of(problem, [3]))
        np.testing.assert_allclose(found.scores.tables[0], expected.scores.tables[0])


def test_scores_travel():
    score = Score(CodeColumn(0, 3), np.arange(20.0).reshape(FOLDS, 4))
    again = pickle.loads(pickle.dumps(score))
    X = np.array([[0.0], [2.0], [np.nan], [7.0], [1.0]])
    np.testing.assert_array_equal(again(X, np.arange(5)), [0, 6, 11, 15, 17])


def test_samples_in_memory_have_the_same_interface():
    assert isinstance(FROM_SAMPLES, FromSamples)
    assert issubclass(FromBlocks, FromSamples)
    assert FROM_SAMPLES.of_all_levels([1]) == [1]
