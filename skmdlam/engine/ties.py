"""Numbers whose values are levels: what a curve of the column leaves, and the values explain."""

import numpy as np

from .constants import TUNED
from .inputs.levels import TiedNumbers
from .inputs.pieces import Curve
from .level_scores import folds_of
from .moments import standardized_with_gaps
from .newton_steps import from_constant
from .random_effects import Folds

_TINY = np.finfo(float).tiny


def numbers_with_levels(problem, tuned=TUNED):
    """Columns of numbers with ties whose values have effects of their own, as ids and codes have.

    Of what a linear model of all columns and a curve of the column leave of the targets, levels
    must explain a share in the samples of other folds.

    Parameters
    ----------
    problem : Problem
        With samples as they are, dense.
    tuned : Tuned

    Returns
    -------
    found : list of TiedNumbers
    """
    X, problem = problem.X, problem.at_most(tuned.ties_rows)
    tied = [
        found
        for column in np.flatnonzero(_numbers(problem))
        for found in [_tied(problem.X, column, tuned)]
        if found is not None
    ]
    if not tied:
        return []
    asked, weight = from_constant(problem)
    weight = weight if problem.sample_weight is None else weight * problem.sample_weight[:, None]
    standardized = standardized_with_gaps(problem.X)
    fold = np.random.RandomState(1).permutation(problem.X.shape[0]) % tuned.level_folds
    left = [_left(standardized, each, w, tuned) for each, w in zip(asked.T, weight.T, strict=True)]
    found = []
    for numbers in tied:
        folds = Folds.of(numbers.codes(problem.X), None, fold, numbers.n_levels)
        if _explains(numbers, folds, problem.X, left, weight.T, tuned):
            found.append(TiedNumbers.of(X, numbers.column))
    return found


def effects_of_values(problem, tied, steps, tuned=TUNED):
    """Scores of the values of numbers, where a network without them leaves something to them.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    tied : list of TiedNumbers
    steps : tuple of ndarray
        What :func:`~skmdlam.engine.newton_steps.from_outputs` says of this network.
    tuned : Tuned

    Returns
    -------
    more : list of tuple
        As :func:`~skmdlam.engine.level_slopes.slopes_of_levels` gives them.
    """
    asked, curvature = steps
    more = []
    for numbers, folds in zip(tied, folds_of(problem, tied, tuned), strict=True):
        found = [folds.fit(*each) for each in zip(asked.T, curvature.T, strict=True)]
        values, table, gain = max(found, key=lambda each: each[2])  # in one of the outputs
        if gain > tuned.level_gain:
            more.append((values, numbers, table, gain, folds))
    return sorted(more, key=lambda each: -each[3])[: tuned.ties_columns]


def _explains(numbers, folds, X, left, weights, tuned):
    """Whether levels explain enough of what a linear model and the curve of the column leave.

    The curve may have jumps.
    """
    least = tuned.ties_looked_at * tuned.level_gain
    pieces = None
    for asked, w in zip(left, weights, strict=True):
        # Most values say nothing, which is quick to see.
        if _between(folds, asked, w) <= least:
            continue
        if pieces is None:
            pieces = _curve(X[:, numbers.column], tuned.many_pieces)
            if pieces is None:
                return False
        columns = pieces
        for step in range(tuned.ties_jumps + 1):
            r = _left(columns, asked, w, tuned)
            if _between(folds, r, w) <= least:
                break
            if step < tuned.ties_jumps:  # a jump lies between two knots, often
                columns = np.column_stack([columns, _largest_step(folds, r, w)])
        else:
            if folds.fit(r, w)[2] > tuned.level_gain:
                return True
    return False


def _largest_step(folds, values, weight):
    """The step between two levels, in their order, that explains most: -1/2 and 1/2."""
    total = np.cumsum(np.bincount(folds.codes, weight, folds.n_levels + 1)[:-1])
    sums = np.cumsum(np.bincount(folds.codes, weight * values, folds.n_levels + 1)[:-1])
    before, after = total[:-1], total[-1] - total[:-1]
    mean_before = sums[:-1] / np.maximum(before, _TINY)
    mean_after = (sums[-1] - sums[:-1]) / np.maximum(after, _TINY)
    last = int(np.argmax(before * after * np.square(mean_before - mean_after)))
    return np.where(folds.codes == folds.n_levels, 0.0, np.where(folds.codes > last, 0.5, -0.5))


def _between(folds, values, weight):
    """Share of the squares of some values that their levels explain beyond chance."""
    size = folds.n_levels + 1
    total = np.bincount(folds.codes, weight, size)
    sums = np.bincount(folds.codes, weight * values, size)
    seen = total > 0
    squares = float(weight @ np.square(values))
    explained = float(np.sum(np.square(sums[seen]) / total[seen]))
    n, n_seen = len(values), int(seen.sum())
    chance = (n_seen - 1) * (squares - explained) / max(n - n_seen, 1)
    return (explained - chance) / max(squares, _TINY)


def _numbers(problem):
    """Mask of the columns that are no categories."""
    kinds = problem.kinds
    return ~kinds.categorical if kinds is not None else np.ones(problem.X.shape[1], dtype=bool)


def _tied(X, column, tuned):
    """The values of a column where there are many, but few for its samples."""
    most = min(tuned.ties_levels, len(X) // tuned.ties_samples)
    # Most columns have no ties: a part says so.
    if np.unique(X[: 4 * most, column]).size > 2 * most:
        return None
    found = TiedNumbers.of(X, column)
    return found if tuned.few_levels < found.n_levels <= most else None


def _curve(x, n_pieces):
    """Pieces of one column as an array, those of a gap at the median.

    None where its values are apart by rounding only.
    """
    present = ~np.isnan(x)
    curve = Curve.of(x[present], np.ones(int(present.sum())), n_pieces)
    if curve is None:
        return None
    ranks = curve.rank(np.where(present, x, np.median(x[present])))
    ends = curve.rank(curve.knots)
    pieces = (ranks[:, None] - ends[:-1]) / np.diff(ends)
    return standardized_with_gaps(np.clip(pieces, 0.0, 1.0))


def _left(A, y, weight, tuned):
    """What weighted ridge regression on some columns leaves of y."""
    normalized = weight / weight.sum()
    A = A - normalized @ A
    y = y - normalized @ y
    gram = A.T @ (A * normalized[:, None])
    eigenvalue = max(float(gram.trace()) / max(len(gram), 1), _TINY)  # the mean
    gram.flat[:: len(gram) + 1] += tuned.ties_ridge * eigenvalue
    return y - A @ np.linalg.solve(gram, A.T @ (normalized * y))
