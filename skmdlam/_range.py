"""Range of the columns in training, which new samples are clipped to."""

import numpy as np
import scipy.sparse as sp

from .engine.moments import extremes

# Entries of a sparse matrix that are looked at together.
_ENTRIES = 2**14


def keep_range(estimator, X, *, goes_on=False, found=None):
    """Keep ``data_min_`` and ``data_max_`` of the samples that were learned, in their type.

    ``found`` are their extremes, where X is but some of them. Of a stream, which ``goes_on``, these
    are of all chunks, without the cells that were taken for errors. In a column that is read by its
    rank alone no cell is taken for one.
    """
    summary = estimator._stream.get("summary", estimator._stream)
    reach = summary.get("reach")
    if reach is None:
        return
    low, high = (np.asarray(reach[end]).astype(X.dtype) for end in ("low", "high"))
    inputs = estimator._inputs
    if found is not None:
        low, high = (end.astype(X.dtype) for end in found)
    elif inputs is not None:
        pieces = inputs.pieces
        found = _extremes(X)
        if goes_on and hasattr(estimator, "data_min_"):
            found = (
                np.minimum(found[0], estimator.data_min_),
                np.maximum(found[1], estimator.data_max_),
            )
        if inputs.scores is None:  # else other columns than these
            for end, known in zip(found, (low, high), strict=True):
                end[pieces.source[pieces.straight]] = known[pieces.straight]
        low, high = found
    if estimator.is_categorical_ is not None:  # any code is one
        low[estimator.is_categorical_] = 0
        high[estimator.is_categorical_] = [max(len(c) - 1, 0) for c in estimator.categories_]
    estimator.data_min_, estimator.data_max_ = low, high


def ends_of(X):
    """Smallest and largest number of each column, not a number where there are only gaps."""
    if sp.issparse(X):
        return tuple(end.astype(X.dtype) for end in extremes(X))
    if hasattr(X, "taken"):  # on a device, and complete
        return X.min(axis=0), X.max(axis=0)
    return np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)


def _extremes(X):
    """The same, 0 where there are only gaps."""
    return tuple(np.nan_to_num(end) for end in ends_of(X))


def within_range(estimator, X):
    """New samples with each column inside of its range in training.

    Parameters
    ----------
    estimator : estimator
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        It is not changed.

    Returns
    -------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        The argument itself with ``clip=False``.
    """
    if not (hasattr(estimator, "data_min_") and estimator.clip):
        return without_gaps(estimator, X)
    low, high = estimator.data_min_, estimator.data_max_
    if not sp.issparse(X):
        inside = X.shape[0] == 0 or bool(
            (X.min(axis=0) >= low).all() and (X.max(axis=0) <= high).all()
        )
        # A gap is not inside: of complete samples nothing else is looked at.
        return X if inside else without_gaps(estimator, np.clip(X, low, high))
    # The zeros stay: a column without any in training is not made dense for it.
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    X = X if X.format in ("csr", "csc") else X.tocsr()
    if not X.has_canonical_format:  # entries of one cell count together
        X = X.copy()
        X.sum_duplicates()
    if not _any_outside(X, low, high):
        return X
    X = X.tocsr(copy=True)
    X.data = np.clip(X.data, low[X.indices], high[X.indices])
    return X


def without_gaps(estimator, X):
    """Samples with the mean of a column in place of a gap, for one whose training had none.

    Otherwise ``_inputs`` of the estimator knows what a gap is.
    """
    if estimator._inputs is not None or sp.issparse(X):
        return X
    gaps = np.isnan(X)
    if not gaps.any():
        return X
    return np.where(gaps, column_means(estimator).astype(X.dtype), X)


def column_means(estimator):
    """Means of plain columns in training."""
    summary = estimator._stream.get("summary", estimator._stream)
    return np.asarray(summary["columns"]["mean"])


def _any_outside(X, low, high):
    """Whether an entry of a compressed matrix is, a block of them at a time: no copy of X."""
    for start in range(0, X.data.size, _ENTRIES):
        part = slice(start, start + _ENTRIES)
        data = X.data[part]
        if X.format == "csr":
            columns = X.indices[part]
        else:
            entries = np.arange(start, start + data.size)
            columns = np.searchsorted(X.indptr, entries, side="right") - 1
        if ((data < low[columns]) | (data > high[columns])).any():
            return True
    return False
