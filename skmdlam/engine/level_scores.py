"""Scores of levels: what a category with many levels adds to a network, one number a level.

The effect of a level is random: normal, with one variance for all levels of a category. Its best
guess is the mean of what the samples of the level ask for, shrunken towards the mean of all (the
best linear unbiased predictor; Robinson, "That BLUP is a good thing", Statistical Science 1991).
Training samples get the score that the samples of other folds give, as what a sample asks for must
not be known of it already.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .constants import TUNED
from .inputs.kinds import copies
from .inputs.levels import places

# Rounds of expectation maximization for the two variances.
_ROUNDS = 30
# Share of the mean curvature that a sample counts with at least.
_LEAST = 0.05
# Step of a difference, in standard deviations.
_STEP = 0.25
# What a loss with kinks is smoothed over, in the same unit, and this in quartiles of a normal.
_SHIFTS = np.linspace(-1.5, 1.5, 13)
_QUARTILES = 1.349
_TINY = np.finfo(float).tiny


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
class Folds:
    """Cross-fitting of the levels of one category.

    Attributes
    ----------
    codes : ndarray of int of shape (n,)
        The last one for samples without a level.
    n_levels : int
    fold : ndarray of int of shape (n,)
    weight : ndarray of shape (n,) or None
        Numbers of copies of the samples.
    """

    codes: np.ndarray
    n_levels: int
    fold: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, codes, weight, fold, n_levels=None):
        """For codes with gaps; ``n_levels`` where there are levels that nobody has seen."""
        if n_levels is None:
            n_levels = int(np.nanmax(codes, initial=-1.0)) + 1
        weight = None if weight is None else copies(weight.astype(float))
        return cls(places(codes, n_levels), n_levels, fold, weight)

    def fit(self, asked, weight):
        """Scores of the samples, from the other folds, and the table of all of them.

        Parameters
        ----------
        asked : ndarray of shape (n,)
            What each sample asks for.
        weight : ndarray of shape (n,)
            How much it insists.

        Returns
        -------
        scores : ndarray of shape (n,)
        table : ndarray of shape (n_levels + 1,)
        gain : float
            Share of what the samples ask for that their scores explain; not positive for noise.
        """
        weight = weight if self.weight is None else weight * self.weight
        scores = np.empty(len(asked))
        for fold in range(int(self.fold.max()) + 1):
            inside = self.fold == fold
            rest = ~inside
            scores[inside] = self._table(asked, weight, rest)[self.codes[inside]]
        gain = _explained(asked, scores, weight)
        return scores, self._table(asked, weight, slice(None)), gain

    def _table(self, asked, weight, rows):
        """Shrunken means of some samples; to have no level is one more, where some have none."""
        part = self.codes[rows], asked[rows], weight[rows]
        counts = None if self.weight is None else self.weight[rows]
        return shrunken_means(*part, self.n_levels + 1, counts)[:-1]


def _explained(asked, scores, weight):
    """Share of the weighted variance that is explained, less than zero where it gets larger."""
    around = asked - (weight @ asked) / weight.sum()
    variance = float(weight @ np.square(around))
    return 1.0 - float(weight @ np.square(asked - scores)) / max(variance, _TINY)


def shrunken_means(codes, values, weight, n_levels, counts=None):
    """Means of levels, shrunken towards their mean as much as they are likely to be chance.

    ``values = mean + effect + noise / sqrt(weight)``, where effects and noise are normal, each with
    one variance. These are estimated by expectation maximization.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        ``n_levels`` for samples that have no level.
    values, weight : ndarray of shape (n,)
    n_levels : int
    counts : ndarray of shape (n,) or None
        Copies of each sample, which are in its weight; one where it is None.

    Returns
    -------
    table : ndarray of shape (n_levels + 1,)
        The last entry is the mean of the levels.
    """
    total = np.bincount(codes, weight, n_levels + 1)[:n_levels]
    sums = np.bincount(codes, weight * values, n_levels + 1)[:n_levels]
    seen = total > 0
    if not seen.any():
        mean = float(weight @ values) / max(float(weight.sum()), _TINY)
        return np.full(n_levels + 1, mean)
    means = np.divide(sums, total, out=np.zeros(n_levels), where=seen)
    known = codes < n_levels
    residual = values[known] - means[codes[known]]
    n_seen = int(seen.sum())
    n_samples = float(known.sum() if counts is None else counts[known].sum())
    within = float(weight[known] @ np.square(residual)) / max(n_samples - n_seen, 1)
    total, found = total[seen], means[seen]
    mean = float(total @ found) / float(total.sum())
    # The moments give a start.
    between = float(total @ np.square(found - mean)) - within * (n_seen - 1)
    between /= max(float(total.sum() - (total @ total) / total.sum()), _TINY)
    floor = max(1e-9 * within, _TINY)
    for _ in range(_ROUNDS):
        between = max(between, floor)
        kept = total / (total + within / between)
        mean = float(kept @ found) / float(kept.sum())
        effect = kept * (found - mean)
        between = float(np.mean(np.square(effect) + between * (1.0 - kept)))
    kept = total / (total + within / max(between, floor))
    table = np.full(n_levels + 1, mean)
    table[:-1][seen] = mean + kept * (found - mean)
    return table


def first_scores(problem, categories, folds, tuned=TUNED):
    """Scores of the categories in these columns, before there is a network.

    What a sample asks for is a Newton step from the best constant prediction, in each output. Of
    many outputs the leading directions of the tables are taken.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    categories : list
        As :class:`LevelScores` has them.
    folds : list of Folds
        Of each category.
    tuned : Tuned

    Returns
    -------
    values : ndarray of shape (n, size)
        Scores of the samples.
    scores : LevelScores
    """
    asked, weight = from_constant(problem)
    values, owners, tables, gains = [], [], [], []
    for category, crossed in zip(categories, folds, strict=True):
        found = [crossed.fit(each, w) for each, w in zip(asked.T, weight.T, strict=True)]
        scores = np.stack([score for score, _, _ in found], axis=1)
        table = np.stack([table for _, table, _ in found], axis=1)
        gain = [gain for _, _, gain in found]
        if scores.shape[1] > tuned.level_outputs:
            center = scores.mean(axis=0)
            _, _, directions = np.linalg.svd(scores - center, full_matrices=False)
            leading = directions[: tuned.level_outputs].T
            scores, table = (scores - center) @ leading, (table - center) @ leading
            gain = [max(gain)] * tuned.level_outputs
        values.append(scores)
        owners += [category] * scores.shape[1]
        tables += list(table.T)
        gains += gain
    return np.hstack(values).astype(problem.X.dtype), LevelScores(owners, tables, gains)


def from_constant(problem):
    """Newton steps from the best constant, for each sample and output, and their curvatures."""
    loss, Y = problem.loss, problem.Y
    share = problem.rows.normalized()
    scale = _unit(loss, Y)
    z = np.zeros(Y.shape[1])
    if _linear(loss):
        z = share @ Y.astype(float)
    for _ in range(20):
        gradient, curvature = _derivatives(loss, np.broadcast_to(z, Y.shape), Y, scale)
        step = (share @ gradient) / np.maximum(share @ curvature, _TINY)
        z = z - np.clip(step, -2.0 * scale, 2.0 * scale)
    gradient, curvature = _derivatives(loss, np.broadcast_to(z, Y.shape), Y, scale)
    curvature = np.maximum(curvature, _least(loss) * (share @ curvature))
    return -gradient / np.maximum(curvature, _TINY), curvature


def _linear(loss):
    return loss.out_activation == "identity"


def _least(loss):
    """Share of the mean curvature that a sample has at least: all of it beyond Huber's bend."""
    return 1.0 if _linear(loss) and loss.bounded_gradient else _LEAST


def _unit(loss, Y):
    """Unit of each output: where far targets pull no more than others, they do not count."""
    if not _linear(loss):
        return 1.0
    spread = Y.std(axis=0, dtype=float)
    if loss.bounded_gradient:
        middle = np.subtract(*np.quantile(Y, [0.75, 0.25], axis=0)) / _QUARTILES
        spread = np.where(middle > 0, middle, spread)
    return np.maximum(spread, np.finfo(Y.dtype).eps)


def _gradient(loss, z, Y):
    out = np.empty(Y.shape, order="F")
    loss.value_and_gradient(np.asfortranarray(z, dtype=float), loss.compact(Y.astype(float)), out)
    return out


def _derivatives(loss, z, Y, scale):
    """Gradient in the outputs, and the diagonal of the curvature as a difference."""

    def slope(z):
        if not loss.nonsmooth:
            return _gradient(loss, z, Y)
        # A mean over the kink: the sign of a residual hardly tells one level from another.
        return np.mean([_gradient(loss, z + shift * scale, Y) for shift in _SHIFTS], axis=0)

    gradient = slope(z)
    curvature = np.empty(Y.shape)
    for output in range(Y.shape[1]):
        step = _STEP * np.broadcast_to(scale, Y.shape[1])[output]
        ends = []
        for sign in (1.0, -1.0):
            moved = np.array(z, dtype=float)
            moved[:, output] += sign * step
            ends.append(slope(moved)[:, output])
        curvature[:, output] = (ends[0] - ends[1]) / (2.0 * step)
    return gradient, np.maximum(curvature, 0.0)


def slope_scores(problem, scores, categories, folds, rest, values, output, tuned=TUNED):
    """Scores for what a number does in each level: random slopes, where there are any.

    Of a network that knows the levels by their scores, the samples of a level may still ask for
    another slope in a column of numbers. The slopes of a category in the column where they explain
    most are looked at; they are scores where they explain the samples of other folds too.

    Parameters
    ----------
    problem : Problem
        With samples as they are, and the kinds of ``rest``.
    scores : LevelScores
    categories : list
    folds : list of Folds
        Of each category.
    rest : ndarray of shape (n, d)
        The columns before the scores.
    values : ndarray of shape (n, size)
    output : callable
        ``output(X)`` gives the pre-activations of the output layer for all of these.
    tuned : Tuned

    Returns
    -------
    values, scores
        With those of the slopes behind the others.
    owners : list of int
        The categories, by their places, of what was added.
    """
    if not rest.shape[1]:
        return values, scores, []
    loss, Y = problem.loss, problem.Y
    z = output(np.hstack([rest, values]))
    gradient, curvature = _derivatives(loss, z, Y, _unit(loss, Y))
    share = problem.rows.normalized()
    curvature = np.maximum(curvature, _least(loss) * (share @ curvature))
    weight = (
        curvature if problem.sample_weight is None else (curvature * problem.sample_weight[:, None])
    )
    gaps = np.isnan(rest)
    means = np.where(gaps, 0.0, rest).sum(axis=0) / np.maximum((~gaps).sum(axis=0), 1)
    numbers = np.where(gaps, 0.0, rest - means)
    if problem.kinds is not None:
        numbers[:, problem.kinds.categorical] = 0.0  # a code is no number
    spread = numbers.std(axis=0)
    numbers /= np.where(spread > 0, spread, 1.0)
    columns, tables, gains, owners = [values], list(scores.tables), list(scores.gains), []
    for place, crossed in enumerate(folds):
        member = sp.csr_array(
            (np.ones(len(Y)), (crossed.codes, np.arange(len(Y)))),
            shape=(crossed.n_levels + 1, len(Y)),
        )[:-1]
        best = None
        for k in range(Y.shape[1]):
            pull, size = -problem_weighted(gradient[:, [k]], problem), weight[:, [k]]
            sums, squares = member @ (pull * numbers), member @ (size * numbers**2)
            noise = float(np.sum(pull**2 / np.maximum(size, _TINY))) / len(Y)
            gain = np.square(sums) / np.maximum(squares, _TINY) - noise * (squares > 0)
            gain = gain.sum(axis=0) / (noise * len(Y))
            column = int(np.argmax(gain))
            if best is None or gain[column] > best[0]:
                best = gain[column], column, k
        gain, column, k = best
        if not gain > tuned.slope_gain:
            continue
        x = numbers[:, column]
        asked = -gradient[:, k] / np.maximum(curvature[:, k], _TINY)
        moved = np.abs(x) > 1e-3
        steep, table, _ = crossed.fit(
            np.divide(asked, x, out=np.zeros(len(x)), where=moved), curvature[:, k] * x**2
        )
        left = asked - steep * x
        before, after = (float(weight[:, k] @ np.square(each)) for each in (asked, left))
        gain = 1.0 - after / before
        if gain > tuned.slope_gain:
            columns.append(steep[:, None].astype(values.dtype))
            tables.append(table)
            gains.append(gain)
            owners.append(place)
    found = [*scores.categories, *(categories[place] for place in owners)]
    return np.hstack(columns), LevelScores(found, tables, gains), owners


def problem_weighted(values, problem):
    """Values times the weights of their samples."""
    weight = problem.sample_weight
    return values if weight is None else values * weight[:, None]


def renewed_scores(problem, values, scores, folds, rest, output):
    """Scores for a network that was fitted with others: the block of the scores in its objective.

    What a sample asks for is a Newton step in its score, at the weights as they are.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    values : ndarray of shape (n, size)
        Scores of the samples that the network was fitted with.
    scores : LevelScores
    folds : list of Folds
        Of each score.
    rest : ndarray of shape (n, d)
        The columns before the scores.
    output : callable
        ``output(X)`` gives the pre-activations of the output layer for these and the scores.

    Returns
    -------
    values, scores
        As :func:`first_scores` gives them.
    """
    loss, Y = problem.loss, problem.Y
    X = np.hstack([rest, values])
    gradient = _gradient(loss, output(X), Y)
    share = problem.rows.normalized()
    new, tables, gains = values.copy(), [], []
    for score, crossed in enumerate(folds):
        step = _STEP * max(float(values[:, score].std()), np.finfo(values.dtype).eps)
        column, ends = X[:, rest.shape[1] + score], []
        for sign in (1.0, -1.0):
            column += sign * step
            z = output(X)
            column[:] = values[:, score]
            ends.append((z, _gradient(loss, z, Y)))
        slope = (ends[0][0] - ends[1][0]) / (2.0 * step)
        curvature = np.einsum("ij,ij->i", ends[0][1] - ends[1][1], slope) / (2.0 * step)
        mean = float(share @ np.maximum(curvature, 0.0))
        if not mean > 0:  # it says nothing
            tables.append(scores.tables[score])
            gains.append(0.0)
            continue
        curvature = np.maximum(curvature, _least(loss) * mean)
        asked = values[:, score] - np.einsum("ij,ij->i", gradient, slope) / curvature
        new[:, score], table, gain = crossed.fit(asked.astype(float), curvature / mean)
        tables.append(table)
        gains.append(gain)
    return new, LevelScores(scores.categories, tables, gains)
