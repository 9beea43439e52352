"""Categories that come as a column for each level: blocks of columns of which a row has one."""

import numpy as np
import scipy.sparse as sp

from ..constants import TUNED

# Rows that tell quickly that a column has other values than 0 and 1.
_FIRST_ROWS = 200


def one_hot_blocks(X, tuned=TUNED):
    """Runs of columns of two values of which no row has two upper ones, and most have one.

    They are zeros and ones, in whatever unit: a scaler may have been there.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    tuned : Tuned

    Returns
    -------
    blocks : list of ndarray
        Columns of each run with more than ``tuned.few_levels`` of them.
    """
    n, d = X.shape
    if d <= tuned.few_levels or n == 0:
        return []
    X = _by_rows(X)
    low, high = ends_of(X)
    binary = _binary(X, low, high)
    if binary.sum() <= tuned.few_levels:
        return []
    row, column = _ones(X, np.flatnonzero(binary), 0.5 * (low + high))
    # The next one in the same row: a run must end before it.
    following = np.full(d, d)
    together = row[1:] == row[:-1]
    np.minimum.at(following, column[:-1][together], column[1:][together])
    last = np.minimum.accumulate(following[::-1])[::-1]
    other = np.append(np.flatnonzero(~binary), d)
    counts = np.bincount(column, minlength=d)
    blocks, start = [], 0
    while start < d:
        if not binary[start]:
            start += 1
            continue
        end = min(last[start], other[np.searchsorted(other, start)])
        block = np.arange(start, end)
        if block.size > tuned.few_levels and counts[block].sum() >= tuned.one_hot_rows * n:
            blocks.append(block)
        start = end
    return blocks


def _by_rows(X):
    """A sparse matrix in CSR format with one entry a cell; a dense one as it is."""
    if not sp.issparse(X):
        return X
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def ends_of(X, columns=slice(None)):
    """Smallest and largest value of some columns."""
    X = X[:, columns]
    if sp.issparse(X):
        return X.min(axis=0).toarray().ravel(), X.max(axis=0).toarray().ravel()
    return X.min(axis=0), X.max(axis=0)


def _binary(X, low, high):
    """Which columns have two values, one of them zero where X is sparse, or nothing but zeros."""
    found = (low < high) | ((low == 0) & (high == 0))
    if sp.issparse(X):
        found &= low == 0
        found[X.indices[(X.data != 0) & (X.data != high[X.indices])]] = False
        return found
    first = X[:_FIRST_ROWS]
    found &= ((first == low) | (first == high)).all(axis=0)
    for column in np.flatnonzero(found):
        x = X[_FIRST_ROWS:, column]
        found[column] = ((x == low[column]) | (x == high[column])).all()
    return found


def _ones(X, columns, middle):
    """Rows and columns of the upper values in these columns, row by row.

    ``middle`` lies between both values of each column of X.
    """
    if sp.issparse(X):
        row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        among = np.zeros(X.shape[1], dtype=bool)
        among[columns] = True
        kept = among[X.indices] & (X.data > middle[X.indices])
        return row[kept], X.indices[kept]
    row, column = np.nonzero(X[:, columns] > middle[columns])
    return row, columns[column]


def codes_of(X, block, low=0.0, high=1.0):
    """The level of each sample, not a number where it has none, shape (n,).

    ``low`` and ``high`` are the two values of each column of the block.
    """
    middle = np.full(X.shape[1], 0.5)
    middle[block] = 0.5 * (np.asarray(low) + np.asarray(high))
    row, column = _ones(_by_rows(X), block, middle)
    codes = np.full(X.shape[0], np.nan)
    codes[row] = column - block[0]
    return codes
