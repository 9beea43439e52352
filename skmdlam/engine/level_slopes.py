"""Random slopes: what a number does in each level of a category, where that differs."""

import numpy as np
import scipy.sparse as sp

from .constants import TUNED
from .moments import standardized_with_gaps
from .newton_steps import from_outputs

# Numbers nearer to zero than this, in standard deviations, say nothing of a slope.
_NEAR = 1e-3
_TINY = np.finfo(float).tiny


def with_slopes(scored, categories, folds, output, tuned=TUNED):
    """Samples with scores of slopes too, where there are any.

    Of a network that knows the levels by their scores, the samples of a level may still ask for
    another slope in a column of numbers. The slopes of a category in the column where they explain
    most are looked at; they become scores where they explain the samples of other folds too.

    Parameters
    ----------
    scored : ScoredSamples
    categories : list
    folds : list of Folds
        Of each category.
    output : callable
        ``output(X)`` gives the pre-activations of the output layer for the columns of these.
    tuned : Tuned

    Returns
    -------
    scored : ScoredSamples
        The argument itself where there are none.
    """
    problem = scored.problem
    numbers = standardized_with_gaps(scored.rest)
    if scored.kinds is not None:
        numbers[:, scored.kinds.categorical] = 0.0  # a code is no number
    if not numbers.any():
        return scored
    asked, curvature = from_outputs(problem, output(scored.X))
    weight = curvature
    if problem.sample_weight is not None:
        weight = curvature * problem.sample_weight[:, None]
    more = []
    for category, crossed in zip(categories, folds, strict=True):
        share, column, k = _most(crossed, numbers, asked, weight)
        if not share > tuned.slope_gain:
            continue
        x, step, insists = numbers[:, column], asked[:, k], curvature[:, k]
        slope = np.divide(step, x, out=np.zeros(len(x)), where=np.abs(x) > _NEAR)
        steep, table, _ = crossed.fit(slope, insists * x**2)
        left = weight[:, k] @ np.square(step - steep * x)
        gain = 1.0 - float(left) / float(weight[:, k] @ np.square(step))
        if gain > tuned.slope_gain:
            more.append((steep, category, table, gain, crossed))
    return scored.with_more(*zip(*more, strict=True)) if more else scored


def _most(crossed, numbers, asked, weight):
    """What slopes explain at most beyond chance, in which column of numbers and in which output.

    Returns
    -------
    share : float
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
        share = explained.sum(axis=0) / max(noise * n, _TINY)
        column = int(np.argmax(share))
        best = max(best, (float(share[column]), column, k))
    return best
