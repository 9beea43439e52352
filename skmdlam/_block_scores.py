"""Scores of levels from samples in blocks: sums over the samples of each fold and level.

Which categories have scores is told by some of the samples, as in a fit in memory. What the samples
of a level ask for is summed over all of them, so that a level that is rare among some samples has
the score of all that have it.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ._inputs import FromSamples, rest_of
from .engine.blocks import added
from .engine.constants import LIMITS, TUNED
from .engine.inputs.levels import CodeColumn, places
from .engine.level_scores import LevelScores, ScoredSamples, leading
from .engine.newton_steps import STEP, along, best_constant, from_outputs
from .engine.random_effects import Folds, explained, means_of_sums

# Samples that are gone through together, at least.
_ROWS = 2000


@dataclass(frozen=True)
class Score:
    """One score of samples that were trained on.

    Attributes
    ----------
    category : CodeColumn, OneHotBlock or TiedNumbers
    tables : ndarray of shape (n_folds, n_levels + 1)
        The score of each level for the samples of each fold, of whose targets it does not know.
    """

    category: object
    tables: np.ndarray

    def __call__(self, X, fold):
        """Scores of samples that are in these folds, an array of shape (n,)."""
        return self.tables[fold, places(self.category.codes(X), self.category.n_levels)]


def folds_of_rows(first, n, tuned=TUNED):
    """The folds of n samples of a pile from the given one on, which is in random order."""
    return np.arange(first, first + n) % tuned.level_folds


def with_scores(X, rest, scores, first=0):
    """Samples of a pile with their scores behind the other columns.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    rest : InputColumns
    scores : list of Score
    first : int
        Place of the first one in its pile.
    """
    others, fold = rest.rest(X), folds_of_rows(first, X.shape[0])
    values = np.empty((X.shape[0], len(scores)), dtype=X.dtype)
    for j, score in enumerate(scores):
        values[:, j] = score(X, fold)
    return np.hstack([others, values])


class FromBlocks(FromSamples):
    """How scores are found: from all samples, of which a problem has the first of each pile.

    Parameters
    ----------
    piles : Blocks
        Of parts with numbers and codes.
    drawn : list of int
        How many samples of each pile the problem has.
    n_levels : dict of int
        By column that is a category.
    unit : float
        Weight of a sample that counts as one.

    Attributes
    ----------
    scores : list of Score
        Those of the samples, there at the end.
    """

    def __init__(self, piles, drawn, n_levels, unit):
        self._piles, self._n_levels, self._unit = piles, n_levels, unit
        self._fold = np.concatenate([folds_of_rows(0, n) for n in drawn])
        self._known = {}
        self.scores = []

    def let_go(self):
        """Hold the samples no longer: all scores are found."""
        self._piles = None

    def of_all_levels(self, categories):
        return [
            replace(each, n_levels=self._n_levels[each.column])
            if isinstance(each, CodeColumn)
            else each
            for each in categories
        ]

    def folds(self, problem, categories, tuned):
        return [
            Folds.of(each.codes(problem.X), problem.sample_weight, self._fold, each.n_levels)
            for each in categories
        ]

    def first(self, problem, rest, kinds, categories, folds, tuned):
        constant = best_constant(problem)
        asked, curvature = from_outputs(problem, np.broadcast_to(constant, problem.Y.shape))
        none = np.empty((len(rest), 0), dtype=rest.dtype)
        scored = ScoredSamples(problem, rest, kinds, none, LevelScores([], [], []), [])
        shared = _template(problem), constant, self._unit
        outputs = np.arange(len(constant))
        for category, crossed in zip(categories, folds, strict=True):
            at_once = max(1, LIMITS.small // (category.n_levels + 1))
            found = []
            for some in np.split(outputs, outputs[at_once::at_once]):
                sums = self._piles.total(_first_sums, *shared, category, some)
                found += [_crossed(*each) for each in zip(*sums, strict=True)]
            tables, crossing = (list(part) for part in zip(*found, strict=True))
            values = [each[self._fold, crossed.codes] for each in crossing]
            gains = [
                _explained(crossed, *each)
                for each in zip(asked.T, values, curvature.T, strict=True)
            ]
            if len(found) > tuned.level_outputs:
                onto = leading(np.stack(values, axis=1), tuned.level_outputs)
                values, tables, crossing = (
                    list(np.moveaxis(onto(np.stack(each, axis=-1)), -1, 0))
                    for each in (values, tables, crossing)
                )
                gains = [max(gains)] * tuned.level_outputs
            for table, each in zip(tables, crossing, strict=True):
                self._keep(category, table, each)
            size = len(values)
            scored = scored.with_more(values, [category] * size, tables, gains, [crossed] * size)
        return scored

    def renewed(self, scored, output):
        size, known = scored.scores.size, 0
        problem, scores = scored.problem, scored.scores
        current = [self._of(*each) for each in zip(scores.categories, scores.tables, strict=True)]
        renewed, tables, gains = list(current), list(scores.tables), [0.0] * size
        X, new = scored.X, scored.values.copy()
        d = scored.rest.shape[1]
        rest = rest_of(scores.categories, problem.X.shape[1])
        while known < size:
            # The next category accounts for those before, as two may say the same.
            crossed = scored.folds[known]
            end = known + 1
            while end < size and scored.folds[end] is crossed:
                end += 1
            group = [
                (score, _step(scored.values[:, score]), scores.tables[score][-1])
                for score in range(known, end)
            ]
            shared = _template(problem), rest, [*renewed[:known], *current[known:]], output
            sums = self._piles.total(_renewed_sums, *shared, group, self._unit)
            for (score, step, mean), own, others in zip(group, *sums, strict=True):
                if not own[0, 0].any():  # it says nothing
                    continue
                tables[score], crossing = _crossed(own[0], others[0])
                renewed[score] = self._keep(scores.categories[score], tables[score], crossing)
                new[:, score] = crossing[self._fold, crossed.codes]
                gains[score] = _gain(
                    problem,
                    X,
                    d + score,
                    output,
                    step,
                    mean,
                    crossed,
                    (_crossed(own[1], others[1])[1][self._fold, crossed.codes]),
                )
            X[:, d + known : d + end] = new[:, known:end]
            known = end
        found = LevelScores(scores.categories, tables, gains)
        return replace(scored, values=new, scores=found)

    def finished(self, scored, fit):
        scores = scored.scores
        if fit is not None and any(id(table) not in self._known for table in scores.tables):
            scored = self.renewed(scored, fit(scored.posed()))
            scores = replace(scored.scores, gains=scores.gains)
            scored = replace(scored, scores=scores)
        self.scores = [
            self._of(*each) for each in zip(scores.categories, scores.tables, strict=True)
        ]
        return scored

    def _keep(self, category, table, crossing):
        """A score for which all samples were asked."""
        score = Score(category, crossing)
        self._known[id(table)] = score, table  # which lives as long as its number
        return score

    def _of(self, category, table):
        """The score that a table belongs to; those of some samples are the same for all folds."""
        if id(table) in self._known:
            return self._known[id(table)][0]
        return Score(category, np.tile(table, (TUNED.level_folds, 1)))


# -- what is sent to the piles --------------------------------------------------------------------


def _first_sums(part, template, constant, unit, category, outputs):
    """What the samples of a pile ask for, from a constant, by output, fold and level."""
    problem = replace(template, X=part.X, Y=part.Y, sample_weight=part.weight)
    asked, curvature = np.empty((2, *part.Y.shape))
    if part.n:
        asked, curvature = from_outputs(problem, np.broadcast_to(constant, part.Y.shape))
    cells = _cells(part, category, 0)
    counts = _counts(part, unit)
    found = [_sums(cells, category, asked[:, k], curvature[:, k], counts) for k in outputs]
    return tuple(np.stack(each) for each in zip(*found, strict=True))


def _renewed_sums(part, template, rest, scores, output, group, unit):
    """The same along some scores, from their values and from one value for all samples."""
    rows = max(_ROWS, LIMITS.small // (part.X.shape[1] + len(scores)) // 8)
    return added(
        [
            _sums_of_rows(
                part.take(slice(first, first + rows)),
                first,
                template,
                rest,
                scores,
                output,
                group,
                unit,
            )
            for first in range(0, max(part.n, 1), rows)
        ]
    )


def _sums_of_rows(part, first, template, rest, scores, output, group, unit):
    problem = replace(template, X=part.X, Y=part.Y, sample_weight=part.weight)
    X, counts = with_scores(part.X, rest, scores, first), _counts(part, unit)
    d = X.shape[1] - len(scores)
    own, others = [], []
    for score, step, mean in group:
        category = scores[score].category
        cells, before = _cells(part, category, first), X[:, d + score].copy()
        starts = before, np.full_like(before, mean)
        both = []
        for start, base in zip(starts, (before.astype(float), 0.0), strict=True):
            outputs = partial(_moved, output, X, d + score, start)
            found = along(problem, outputs, step) if part.n else None
            asked, weight = (np.zeros(part.n),) * 2 if found is None else found
            both.append(_sums(cells, category, base + asked, weight, counts))
        X[:, d + score] = before
        for kept, each in zip((own, others), zip(*both, strict=True), strict=True):
            kept.append(np.stack(each))
    return np.stack(own), np.stack(others)


def _moved(output, X, column, start, by):
    """Outputs where a column is something else."""
    X[:, column] = start + by
    return output(X)


def _cells(part, category, first):
    """The fold and the level of each sample, as one number."""
    codes = places(category.codes(part.X), category.n_levels)
    return folds_of_rows(first, part.n) * (category.n_levels + 1) + codes


def _counts(part, unit):
    """Copies of each sample."""
    return np.full(part.n, 1.0 / unit) if part.weight is None else part.weight.astype(float) / unit


def _sums(cells, category, asked, weight, counts):
    """Sums over the samples of each fold and level, and of each fold.

    Returns
    -------
    levels : ndarray of shape (2, n_folds, n_levels + 1)
        Of weights, and of what is asked for.
    folds : ndarray of shape (2, n_folds)
        Of the squares of that, and of the copies.
    """
    weight = weight * counts
    shape = TUNED.level_folds, category.n_levels + 1
    levels = [np.bincount(cells, each, shape[0] * shape[1]) for each in (weight, weight * asked)]
    fold = cells // shape[1]
    folds = [np.bincount(fold, each, shape[0]) for each in (weight * np.square(asked), counts)]
    return np.stack(levels).reshape(2, *shape), np.stack(folds)


# -- what is made of these sums -------------------------------------------------------------------


def _crossed(levels, folds):
    """The table of all samples, and that of each fold from the others."""
    whole, mean = _table(levels, folds)
    crossing = np.empty(levels.shape[1:])
    for fold in range(len(crossing)):
        others = np.arange(len(crossing)) != fold
        table, center = _table(levels[:, others], folds[:, others])
        # The mean of the other folds would tell what the targets of this one are.
        crossing[fold] = table - center + mean
    return whole, crossing


def _table(levels, folds):
    """Shrunken means of levels, and their mean."""
    (total, sums), (squares, n) = levels.sum(axis=1), folds.sum(axis=1)
    if not (total > 0).any():
        return np.zeros(total.size), 0.0
    means = np.divide(sums, total, out=np.zeros(total.size), where=total > 0)
    left = max(float(squares - total @ np.square(means)), 0.0)
    table = means_of_sums(total, means, left, float(n))
    return table[:-1], table[-1]


def _explained(crossed, asked, scores, weight):
    """What scores explain in the samples at hand."""
    weight = weight if crossed.weight is None else weight * crossed.weight
    return explained(asked, scores, weight)


def _gain(problem, X, column, output, step, mean, crossed, scores):
    """The same from a score that all samples have."""
    before = X[:, column].copy()
    start = np.full_like(before, mean)
    found = along(problem, partial(_moved, output, X, column, start), step)
    X[:, column] = before
    return 0.0 if found is None else _explained(crossed, found[0], scores, found[1])


def _step(values):
    return STEP * max(float(values.std()), np.finfo(values.dtype).eps)


def _template(problem):
    """The problem without its samples."""
    return replace(problem.some(np.arange(0)), pieces=None, kinds=None)
