"""Random slopes: what a number does in each level of a category, where that differs."""

import numpy as np
import scipy.sparse as sp

from .constants import TUNED
from .moments import standardized_with_gaps

# Numbers nearer to zero than this, in standard deviations, say nothing of a slope.
_NEAR = 1e-3
_TINY = np.finfo(float).tiny


def slopes_of_levels(scored, categories, folds, steps, tuned=TUNED):
    """Scores of slopes, where there are any.

    Of a network that knows the levels by their scores, the samples of a level may still ask for
    another slope in a column of numbers. The slopes of a category in the column where they explain
    most are looked at; they become scores where they explain the samples of other folds too.

    Parameters
    ----------
    scored : ScoredSamples
    categories : list
    folds : list of Folds
        Of each category.
    steps : tuple of ndarray
        What :func:`~skmdlam.engine.newton_steps.from_outputs` says of such a network.
    tuned : Tuned

    Returns
    -------
    more : list of tuple
        Values for the samples, category, table, gain and folds of each, as
        :meth:`~skmdlam.engine.level_scores.ScoredSamples.with_more` takes them.
    """
    problem = scored.problem
    numbers = standardized_with_gaps(scored.rest)
    if scored.kinds is not None:
        numbers[:, scored.kinds.categorical] = 0.0  # a code is no number
    if not numbers.any():
        return []
    asked, curvature = steps
    weight = curvature
    if problem.sample_weight is not None:
        weight = curvature * problem.sample_weight[:, None]
    more = []
    for category, crossed in zip(categories, folds, strict=True):
        fraction, column, k = _most(crossed, numbers, asked, weight)
        if not fraction > tuned.slope_gain:
            continue
        x, step, curvature_k = numbers[:, column], asked[:, k], curvature[:, k]
        slope = np.divide(step, x, out=np.zeros(len(x)), where=np.abs(x) > _NEAR)
        steep, table, _ = crossed.fit(slope, curvature_k * x**2)
        left = weight[:, k] @ np.square(step - steep * x)
        gain = 1.0 - float(left) / float(weight[:, k] @ np.square(step))
        if gain > tuned.slope_gain:
            more.append((steep, category, table, gain, crossed))
    return more


def _most(crossed, numbers, asked, weight):
    """What slopes explain at most beyond chance, in which column of numbers and in which output.

    Returns
    -------
    fraction : float
        Of the squares of what the samples ask for.
    column, output : int
    """
    n = len(asked)
    member = sp.csr_array(
        (np.ones(n), (crossed.codes, np.arange(n))), shape=(crossed.n_levels + 1, n)
    )[:-1]
    best = (-np.inf, 0, 0)
    for k in range(asked.shape[1]):
        pull, size = weight[:, [k]] * asked[:, [k]], weight[:, [k]]
        sums, squares = member @ (pull * numbers), member @ (size * numbers**2)
        noise = float(np.sum(pull * asked[:, [k]])) / n
        explained = np.square(sums) / np.maximum(squares, _TINY) - noise * (squares > 0)
        fraction = explained.sum(axis=0) / max(noise * n, _TINY)
        column = int(np.argmax(fraction))
        best = max(best, (float(fraction[column]), column, k))
    return best
