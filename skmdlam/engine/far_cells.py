"""Cells of a chunk that lie far outside of all that a stream has seen, and how they are pulled in.

One wrong cell of a million standard deviations has nearly all of the spread of its column: every
other sample then lies at zero. A cell is *far* where a gap separates it from all others, those seen
before and those of the chunk. Where few are far they are taken for errors and replaced; where many
are, they are the data: a drift, another unit, a heavy tail.
"""

import numpy as np
import scipy.sparse as sp
from scipy.special import stdtrit

from .constants import TUNED
from .moments import Reach, varies

# Of a normal column so many cells lie beyond the quantile that limits are multiples of.
_RARE = 1e-6
# Sparse columns with fewer entries than this share say nothing of how far these may lie.
_MOSTLY_ZERO = 0.1


def largest_usual(rows, tuned=TUNED):
    """Distance, in standard deviations told from so many rows, that is usual for any data."""
    return tuned.stream_far_spread * stdtrit(np.maximum(rows - 1.0, 1.0), 1.0 - _RARE)


def pulled_in(values, moments, reach, rows, tuned=TUNED, *, to_edge=False, bounded=None):
    """A chunk after others, with other cells where some are far.

    Parameters
    ----------
    values : ndarray or sparse matrix of shape (n, d)
    moments : Moments
        Of what came before.
    reach : Reach
        Of what came before.
    rows : int
        Samples that came before.
    to_edge : bool, default=False
        Whether far cells become the farthest that is believed, on their side, or the center.
    bounded : ndarray of bool of shape (d,) or None
        Columns of which no cell is far.

    Returns
    -------
    values : ndarray or sparse matrix of shape (n, d)
        The very same where no cell is far.
    reach : Reach
        Of those cells that are not.
    believed : ndarray of bool of shape (d,)
        Where cells beyond a gap are now taken for data.
    """
    mean, spread = moments.mean, moments.spread
    known = varies(mean, spread, values.dtype)
    found, n = Reach.of(values), values.shape[0]
    usual = largest_usual(rows, tuned) * spread
    extent = reach.from_center(mean)
    factor = _factor(extent, spread, rows, tuned)
    believed = np.zeros(mean.size, bool)
    expected = tuned.stream_far_expected * n
    far = np.maximum(reach.far - expected, 0.0)
    beyond = found.from_center(mean) > np.maximum(factor * extent, usual)
    free = np.ones(mean.size, bool) if bounded is None else ~bounded
    columns = np.flatnonzero(known & beyond & free)
    if columns.size:
        x = _dense(values, columns)
        center = mean[columns]
        before = reach.far[columns]
        needed = np.ceil(tuned.stream_far_cells - before + expected)
        limit, seen, number = _limits(
            x, center, extent[columns], usual[columns], factor[columns], needed
        )
        enough = number >= needed
        believed[columns] = enough
        far[columns] = np.where(enough, 0.0, np.maximum(before + number - expected, 0.0))
        values, found = _replaced(values, found, columns, x, center, limit, seen, to_edge)
    # What has been constant so far has no size but that of the chunk.
    values, found = _by_themselves(values, found, ~known & free, tuned, to_edge)
    return values, Reach(found.low, found.high, found.far + far - reach.far), believed


def pulled_in_alone(values, tuned=TUNED, *, to_edge=False, bounded=None):
    """The first samples of a stream, by what most of them are; returns values and reach."""
    asked = np.ones(values.shape[1], bool) if bounded is None else ~bounded
    return _by_themselves(values, Reach.of(values), asked, tuned, to_edge)


def _factor(extent, spread, rows, tuned):
    """How many times farther than all others a cell may be.

    Where a few cells have all of the spread, these few are all that is known of the tail: the
    column is rare, or its tail heavy.
    """
    cells = rows * np.square(np.divide(spread, extent, out=np.ones(spread.size), where=extent > 0))
    return tuned.stream_far * (1.0 + tuned.stream_far_tail / np.square(np.maximum(cells, 1.0)))


def _by_themselves(values, found, asked, tuned, to_edge):
    """The cells of some columns by nothing but what most cells of the chunk are."""
    n = values.shape[0]
    few = max(1, int(tuned.stream_far_share * n))
    if n - few < 3:
        return values, found
    asked = asked & (found.high > found.low)
    if sp.issparse(values):
        entries = np.bincount(values.tocoo().col, minlength=values.shape[1])
        asked &= entries > _MOSTLY_ZERO * n
    columns = np.flatnonzero(asked)
    if not columns.size:
        return values, found
    x = _dense(values, columns)
    center = np.median(x, axis=0)
    inner = np.partition(np.abs(x - center), n - few - 1, axis=0)[: n - few]
    spread = np.sqrt(np.mean(np.square(inner), axis=0))
    # Where most are the same the others are rare, not far: this many cells cannot say.
    vary = varies(center, spread, values.dtype)
    if not vary.any():
        return values, found
    x, center, columns = x[:, vary], center[vary], columns[vary]
    usual = largest_usual(n - few, tuned) * spread[vary]
    extent = inner[:, vary].max(axis=0)
    factor = np.full(columns.size, tuned.stream_far)
    expected = tuned.stream_far_expected * n
    needed = np.full(columns.size, np.ceil(tuned.stream_far_cells + expected))
    limit, seen, number = _limits(x, center, extent, usual, factor, needed)
    found.far[columns] = np.where(number < needed, np.maximum(number - expected, 0.0), 0.0)
    return _replaced(values, found, columns, x, center, limit, seen, to_edge)


def _limits(x, center, extent, usual, factor, needed):
    """How far from the center cells may be, by the gaps between them.

    Parameters
    ----------
    x : ndarray of shape (n, m)
    center, extent, usual, factor : ndarray of shape (m,)
        Where distances count from, how far cells have reached, what is usual of any data, and how
        many times farther than all others a cell may be.
    needed : ndarray of shape (m,)
        So many cells beyond a gap are believed; from the farthest of them on it goes on.

    Returns
    -------
    limit : ndarray of shape (m,)
    seen : ndarray of shape (m,)
        Distance of the farthest cell that is believed, or ``extent``.
    number : ndarray of shape (m,)
        Cells beyond the first gap.
    """
    n, m = x.shape
    distance = np.sort(np.abs(x - center), axis=0)
    before = np.maximum(np.vstack([extent, distance[:-1]]), extent)
    gap = distance > np.maximum(factor * before, usual)
    # A row more, which stands for no gap at all.
    gap = np.vstack([gap, np.ones(m, bool)])
    first = gap.argmax(axis=0)
    number = n - first
    again = np.where(number >= needed, first + np.minimum(needed, n), first)
    gap &= np.arange(n + 1)[:, None] >= again
    last = gap.argmax(axis=0)
    before = np.vstack([before, np.maximum(distance[-1], extent)])
    seen = before[last, np.arange(m)]
    limit = np.where(last < n, np.maximum(factor * seen, usual), np.inf)
    return limit, seen, number


def _dense(values, columns):
    """Some columns as a dense array in double precision."""
    x = values[:, columns]
    return (x.toarray() if sp.issparse(x) else x).astype(float)


def _replaced(values, found, columns, x, center, limit, seen, to_edge):
    """The values with these columns within their limits, and the reach of what was within."""
    away = x - center
    far = np.abs(away) > limit
    if not far.any():
        return values, found
    low, high = found.low.copy(), found.high.copy()
    low[columns] = np.maximum(low[columns], center - seen)
    high[columns] = np.minimum(high[columns], center + seen)
    row, column = np.nonzero(far)
    moved = center[column]
    if to_edge:
        moved = moved + np.sign(away[row, column]) * seen[column]
    moved = moved.astype(values.dtype)
    if sp.issparse(values):
        values = _with_entries(values, row, columns[column], moved)
    else:
        values = values.copy()
        values[row, columns[column]] = moved
    return values, Reach(low, high, found.far)


def _with_entries(X, row, column, data):
    """A sparse matrix with other numbers at these places, whether it has entries there or not."""
    old = X.tocoo(copy=True)
    old.sum_duplicates()
    d = X.shape[1]
    kept = ~np.isin(old.row.astype(np.int64) * d + old.col, row * d + column)
    row = np.concatenate([old.row[kept], row])
    column = np.concatenate([old.col[kept], column])
    data = np.concatenate([old.data[kept], data])
    new = sp.csr_array((data, (row, column)), shape=X.shape)
    return type(X)(new)
