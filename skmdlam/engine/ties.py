"""Numbers whose values are levels: what a curve of the column leaves, and the values explain."""

import numpy as np

from .constants import TUNED
from .inputs.levels import TiedNumbers
from .inputs.pieces import Curve
from .level_scores import folds_of
from .moments import standardized_with_gaps
from .newton_steps import from_constant
from .random_effects import Folds

# The ridge of the straight model, in mean eigenvalues.
_RIDGE = 0.01
_TINY = np.finfo(float).tiny


def numbers_with_levels(problem, tuned=TUNED):
    """Columns of numbers with ties whose values have effects of their own, as ids and codes have.

    Of what a straight model of all columns and a curve of the column leave of the targets, levels
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
    X, n = problem.X, problem.X.shape[0]
    rows = slice(None)
    if n > tuned.ties_rows:
        rows = np.sort(np.random.RandomState(0).permutation(n)[: tuned.ties_rows])
        problem = problem.some(rows)
        n = tuned.ties_rows
    tied = [
        found
        for column in np.flatnonzero(_numbers(problem))
        for found in [_tied(problem.X, column, tuned)]
        if found is not None
    ]
    if not tied:
        return []
    asked, weight = from_constant(problem)
    weight = weight.mean(axis=1)
    if problem.sample_weight is not None:
        weight = weight * problem.sample_weight
    left = _left(standardized_with_gaps(problem.X), asked, weight)
    fold = np.random.RandomState(1).permutation(n) % tuned.level_folds
    found = []
    for numbers in tied:
        folds = Folds.of(numbers.codes(problem.X), problem.sample_weight, fold, numbers.n_levels)
        curve = _curve(problem.X[:, numbers.column], tuned.many_pieces)
        residual = _left(curve, left, weight)
        gains = _beyond_chance(folds.codes, residual, weight, numbers.n_levels)
        best = int(np.argmax(gains))
        if gains[best] > tuned.level_gain:  # it is worth a closer look
            _, _, gain = folds.fit(residual[:, best], np.ones(n))
            if gain > tuned.level_gain:
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
        for step, insists in zip(asked.T, curvature.T, strict=True):
            values, table, gain = folds.fit(step, insists)
            if gain > tuned.level_gain:
                more.append((values, numbers, table, gain, folds))
    return more


def _beyond_chance(codes, residual, weight, n_levels):
    """Share of the squares of each output that means of levels explain, less that by chance."""
    share = weight / weight.sum()
    total = np.bincount(codes, share, n_levels + 1)
    sums = np.stack([np.bincount(codes, share * r, n_levels + 1) for r in residual.T], axis=1)
    seen = total > 0
    between = (np.square(sums[seen]) / total[seen, None]).sum(axis=0)
    squares = np.maximum(share @ np.square(residual), _TINY)
    return between / squares - np.count_nonzero(seen) / len(codes)


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
    """Pieces of one column as an array, those of a gap at the median."""
    present = ~np.isnan(x)
    curve = Curve.of(x[present], np.ones(int(present.sum())), n_pieces)
    ranks = curve.rank(np.where(present, x, np.median(x[present])))
    ends = curve.rank(curve.knots)
    pieces = (ranks[:, None] - ends[:-1]) / np.diff(ends)
    return standardized_with_gaps(np.clip(pieces, 0.0, 1.0))


def _left(A, y, weight):
    """What weighted ridge regression on some columns leaves of targets of shape (n, K)."""
    share = weight / weight.sum()
    A = A - share @ A
    y = y - share @ y
    gram = A.T @ (A * share[:, None])
    gram.flat[:: len(gram) + 1] += _RIDGE * max(float(gram.trace()) / max(len(gram), 1), _TINY)
    return y - A @ np.linalg.solve(gram, A.T @ (share[:, None] * y))
