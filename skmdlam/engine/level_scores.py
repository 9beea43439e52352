"""Scores of levels: what a category with many levels adds to a network, one number a level.

The effects of the levels are random, see :mod:`~skmdlam.engine.random_effects`. What the samples of
a level say of its score is a Newton step in it: first from the best constant, then for a network
that was fitted with the scores before, a block of the alternating minimization.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .constants import TUNED
from .newton_steps import STEP, along, from_constant
from .random_effects import Folds


@dataclass(frozen=True)
class LevelScores:
    """Scores of the levels of some categories.

    Attributes
    ----------
    categories : list of CodeColumn, OneHotBlock or TiedNumbers
        The category that each score belongs to; one has several where there are several outputs.
    tables : list of ndarray of shape (n_levels + 1,)
        The score of each level, and at last that of a level that nobody has seen.
    gains : list of float
        Share of what the samples ask for that each explains, in other folds.
    """

    categories: list
    tables: list
    gains: list

    @property
    def size(self):
        """Number of scores."""
        return len(self.tables)

    def useful(self, least, *, any_other=True):
        """Indices of the scores that explain more than this, of one where there is nothing else."""
        found = [score for score, gain in enumerate(self.gains) if gain > least]
        return found if found or any_other else [int(np.argmax(self.gains))]

    def some(self, scores):
        """Some of the scores."""
        parts = ([part[score] for score in scores] for part in vars(self).values())
        return LevelScores(*parts)

    def __call__(self, X):
        """Scores of samples of shape (n, d), dense or sparse, an array of shape (n, size)."""
        scores = np.empty((X.shape[0], self.size), dtype=X.dtype)
        for score, (category, table) in enumerate(zip(self.categories, self.tables, strict=True)):
            scores[:, score] = category.read(X, table)
        return scores


@dataclass(frozen=True)
class ScoredSamples:
    """Training samples with scores, which do not know their own targets.

    Attributes
    ----------
    problem : Problem
        With the samples as they are.
    rest : ndarray of shape (n, d)
        The columns before the scores.
    kinds : Kinds or None
        Of these.
    values : ndarray of shape (n, size)
        Scores of the samples.
    scores : LevelScores
        Those of new samples.
    folds : list of Folds
        Of the category of each score.
    """

    problem: object
    rest: np.ndarray
    kinds: object
    values: np.ndarray
    scores: LevelScores
    folds: list

    @property
    def X(self):
        """All columns, the scores behind the others."""
        return np.hstack([self.rest, self.values])

    def posed(self):
        """The problem with these columns."""
        kinds = None if self.kinds is None else self.kinds.with_numbers(self.values)
        return replace(self.problem, X=self.X, kinds=kinds)

    def some(self, scores):
        """The same with some of the scores."""
        return replace(
            self,
            values=self.values[:, scores],
            scores=self.scores.some(scores),
            folds=[self.folds[score] for score in scores],
        )

    def with_more(self, values, categories, tables, gains, folds):
        """The same with further scores behind the others."""
        known = self.scores
        scores = LevelScores(
            [*known.categories, *categories], [*known.tables, *tables], [*known.gains, *gains]
        )
        values = np.hstack([self.values, *(each[:, None] for each in values)])
        values = values.astype(self.values.dtype)
        return replace(self, values=values, scores=scores, folds=[*self.folds, *folds])


def folds_of(problem, categories, tuned=TUNED):
    """Random folds, the same for all categories of a problem."""
    fold = np.random.RandomState(0).permutation(problem.X.shape[0]) % tuned.level_folds
    return [
        Folds.of(category.codes(problem.X), problem.sample_weight, fold, category.n_levels)
        for category in categories
    ]


def first_scores(problem, rest, kinds, categories, folds, tuned=TUNED):
    """Samples with scores of some categories, before there is a network.

    What a sample asks for is a Newton step from the best constant prediction, in each output. Of
    many outputs the leading directions of the tables are taken.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    rest : ndarray of shape (n, d)
    kinds : Kinds or None
        As :class:`ScoredSamples` has them.
    categories : list
        As :class:`LevelScores` has them.
    folds : list of Folds
        Of each category.
    tuned : Tuned

    Returns
    -------
    scored : ScoredSamples
    """
    asked, curvature = from_constant(problem)
    none = np.empty((len(rest), 0), dtype=rest.dtype)
    scored = ScoredSamples(problem, rest, kinds, none, LevelScores([], [], []), [])
    for category, crossed in zip(categories, folds, strict=True):
        found = [crossed.fit(each, w) for each, w in zip(asked.T, curvature.T, strict=True)]
        values, tables, gains = (list(part) for part in zip(*found, strict=True))
        if len(found) > tuned.level_outputs:
            onto = leading(np.stack(values, axis=1), tuned.level_outputs)
            values, tables = (list(onto(np.stack(each, axis=1)).T) for each in (values, tables))
            gains = [max(gains)] * tuned.level_outputs
        size = len(values)
        scored = scored.with_more(values, [category] * size, tables, gains, [crossed] * size)
    return scored


def leading(values, size):
    """A function from scores of all outputs to those along the directions that vary most."""
    center = values.mean(axis=0)
    _, _, directions = np.linalg.svd(values - center, full_matrices=False)
    return lambda scores: (scores - center) @ directions[:size].T


def renewed_scores(scored, output):
    """Scores for a network that was fitted with those of some samples.

    Parameters
    ----------
    scored : ScoredSamples
    output : callable
        ``output(X)`` gives the pre-activations of the output layer for the columns of these.

    Returns
    -------
    scored : ScoredSamples
    """
    X, new, known = scored.X, scored.values.copy(), 0
    tables, gains = [], []
    for score, crossed in enumerate(scored.folds):
        if crossed is not scored.folds[score - 1]:
            # The next category accounts for those before, as two may say the same.
            X[:, scored.rest.shape[1] + known : scored.rest.shape[1] + score] = new[:, known:score]
            known = score
        column, before = X[:, scored.rest.shape[1] + score], scored.values[:, score]
        mean = scored.scores.tables[score][-1]

        def moved(by, column=column, start=before):
            column[:] = start + by
            return output(X)

        step = STEP * max(float(before.std()), np.finfo(new.dtype).eps)
        found = along(scored.problem, moved, step)
        if found is None:  # it says nothing
            tables.append(scored.scores.tables[score])
            gains.append(0.0)
        else:
            asked, weight = found
            gains.append(_gain(scored, crossed, partial(moved, start=mean), step))
            new[:, score], table, _ = crossed.fit(before + asked, weight)
            tables.append(table)
        column[:] = before
    scores = LevelScores(scored.scores.categories, tables, gains)
    return replace(scored, values=new, scores=scores)


def _gain(scored, crossed, outputs, step):
    """What levels explain of steps from a score that all samples have.

    Scores before are no start for that: those of two samples of a level are made of the same
    targets, and a step takes away only what a linear model makes of them.
    """
    found = along(scored.problem, outputs, step)
    return 0.0 if found is None else crossed.fit(*found)[2]


def tested_scores(scored, fit, tuned):
    """The same without a gain for those that were chance.

    An overfitted network is no judge of its own samples: what it asks of their levels is what it
    made of these. Another one, fitted without some of the samples, says what each of the
    scores does for them.

    Parameters
    ----------
    scored : ScoredSamples
    fit : callable
        ``fit(problem)`` gives a function from samples of its columns to outputs.
    tuned : Tuned

    Returns
    -------
    scored : ScoredSamples
    """
    gains = list(scored.scores.gains)
    doubtful = [s for s, gain in enumerate(gains) if tuned.level_gain < gain < tuned.level_doubt]
    if not doubtful:
        return scored
    problem, held_out = scored.posed(), scored.folds[0].fold == 0
    output, others = fit(problem.some(~held_out)), problem.some(held_out)
    normalized = others.rows.normalized()

    def mean_loss(X):
        return float(
            normalized @ problem.loss.value(output(X).astype(float), others.Y.astype(float))
        )

    with_it = mean_loss(others.X)
    for score in doubtful:
        X = others.X.copy()
        X[:, scored.rest.shape[1] + score] = scored.scores.tables[score][-1]
        without = mean_loss(X)
        gains[score] = gains[score] if with_it < without else 0.0
    return replace(scored, scores=replace(scored.scores, gains=gains))
