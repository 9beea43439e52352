"""Mean and spread of columns and targets, and the one rule of when a column is constant."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

# Rows that are converted at a time: the temporary copies stay in the cache.
_CHUNK = 2048
# Numbers of a dense chunk.
_NUMBERS = 2**22
# A column whose spread is this many units in the last place of its mean is what rounding makes of
# a constant: 0.1 + 0.2 beside 0.3, or a product that was computed in two orders.
_CONSTANT = 10


def chunks(n, d=1, numbers=_NUMBERS):
    """Slices of n rows of d numbers that fit into the cache."""
    step = max(1, min(_CHUNK, numbers // d))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def column_moments(X, share):
    """Weighted mean and standard deviation of each column, in double precision.

    In two passes, and what rounding took from the mean in the first is put right in the second: the
    spread of a constant column is zero, and that of a column far from zero has all of its digits,
    dense or sparse.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    share : ndarray of shape (n,)
        Weights that sum to one.

    Returns
    -------
    mean, std : ndarray of shape (d,)
    """
    n, d = X.shape
    mean = np.zeros(d)
    for rows in chunks(n, d):
        mean += X[rows].T.astype(float) @ share[rows]
    if sp.issparse(X):
        missing, variance = _centred_sparse(X.tocsr(), share, mean)
    else:
        missing, variance = np.zeros(d), np.zeros(d)
        for rows in chunks(n, d):
            x = X[rows] - mean
            missing += share[rows] @ x
            variance += share[rows] @ np.square(x, out=x)
    return mean + missing, np.sqrt(np.maximum(variance - missing**2, 0.0))


def _centred_sparse(X, share, mean):
    """Mean of ``x - mean`` and of its square; the zeros count together, so that nothing cancels."""
    n, d = X.shape
    missing, variance, present = np.zeros(d), np.zeros(d), np.zeros(d)
    entries = np.zeros(d, dtype=np.int64)
    for rows in chunks(n):
        x = X[rows]
        x.sum_duplicates()
        weight = np.repeat(share[rows], np.diff(x.indptr))
        centred = x.data - mean[x.indices]
        entries += np.bincount(x.indices, minlength=d)
        present += np.bincount(x.indices, weight, d)
        missing += np.bincount(x.indices, weight * centred, d)
        variance += np.bincount(x.indices, weight * np.square(centred), d)
    # A column without zeros has a weight of zeros that is exactly zero, not one of rounding.
    absent = np.where(entries < n, np.maximum(1.0 - present, 0.0), 0.0)
    return missing - absent * mean, variance + absent * mean**2


def varies(mean, std, dtype):
    """Whether columns of these moments are more than constants: the rule of the whole package.

    A column is constant when its standard deviation is at most 10 units in the last place of its
    mean, in the type that it came in.

    Parameters
    ----------
    mean, std : ndarray of shape (d,)
        As :func:`column_moments` gives them.
    dtype : dtype
        Of X, which the moments in double precision do not tell.

    Returns
    -------
    varies : ndarray of bool of shape (d,)
    """
    return std > _CONSTANT * np.finfo(dtype).eps * np.abs(mean)


class TargetMoments(NamedTuple):
    """What :meth:`~skmdlam.losses.Loss.scaled` wants to know of a target.

    Attributes
    ----------
    mean : ndarray of shape (K,)
    std, deviation : float
        Standard deviation and mean absolute deviation from the mean, over all targets.
    """

    mean: np.ndarray
    std: float
    deviation: float

    @classmethod
    def of(cls, Y, share):
        """Those of targets of shape (n, K), with weights that sum to one."""
        mean = share @ Y.astype(float)
        centred = Y - mean
        deviation = float((share @ np.abs(centred)).mean())
        return cls(
            mean, float(np.sqrt((share @ np.square(centred, out=centred)).mean())), deviation
        )
