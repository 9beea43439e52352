"""Samples far from all others: what they count in the variances of J and in the steps."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from .constants import CONSTANTS, LIMITS, TUNED
from .moments import chunks


@dataclass(frozen=True)
class Tails:
    """Where the tails of each column begin, and the weights of samples that lie in them.

    A value is *far* when it is more than 3 times the 9th decile of ``|x - median|`` from the median
    of its column; values at the median do not count in that decile, so that rare values of a sparse
    column are compared with each other. Columns of fewer than 30 of these have no far values. With
    ``u_ij = (x_ij - median_j) / std_j``, and ``v_ij`` the same with far values moved to where the
    tail begins, a sample has the weight ::

        omega_i = sum_j v_ij^2 / sum_j u_ij^2

    which is 1 without far values. In a weighted sum of squares a sample then counts as if it were
    no further away.

    Attributes
    ----------
    median, limit : ndarray of shape (d,)
        A value is far when it is further from the median than the limit.
    weights : ndarray of shape (n,)
        ``omega_i``, in (0, 1].
    mean : ndarray of shape (d,)
        Of the samples with these weights.
    stretch : ndarray of shape (d,)
        Standard deviation of each column over the one that it has without its tails.
    """

    median: np.ndarray
    limit: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    stretch: np.ndarray

    def centered(self, columns):
        """The same columns around the weighted mean."""
        return replace(columns, mean=self.mean)

    def weights_of(self, X, columns):
        """``omega`` of other samples."""
        n, d = X.shape
        block = _sparse_block if sp.issparse(X) else _dense_block
        weights, ones = np.ones(n), np.ones(n)
        for rows in chunks(n, d):
            x = X[rows]
            weights[rows], _ = block(x, ones[rows], self.median, self.limit, columns.inverse_std)
        return weights

    def reweighted(self, normalized):
        """Sample weights times ``omega``, which sum to one as the given ones do."""
        weights = normalized * self.weights
        return weights / weights.sum()

    def pulled_in(self, x):
        """Some samples without tails, each column stretched to the spread that it had.

        The kernel of the noise would take a few far samples for all there is. In a sparse x the
        zeros stay: there a column is moved as a whole, which the kernel does not see.
        """
        if sp.issparse(x):
            x = x.tocsr().astype(float)  # a copy
            median, limit = self.median[x.indices], self.limit[x.indices]
            data = np.clip(x.data - median, -limit, limit) + median
            x.data = data * self.stretch[x.indices]
            return x
        return self.median + self.stretch * np.clip(x - self.median, -self.limit, self.limit)


def tails_for(problem, columns, constants=CONSTANTS):
    """Those of the samples of a problem, where far ones must not count more than others.

    A loss of bounded gradient pulls at a far sample no more than at any other, and the penalty on
    the variances must not let it pay more. Others, as the squared error, ask for the right value
    out there too.

    Parameters
    ----------
    problem : Problem
    columns : Columns
    constants : Constants

    Returns
    -------
    tails : Tails or None
    """
    if not problem.loss.bounded_gradient:
        return None
    return tails_of(
        problem.X.tocsr() if problem.sparse else problem.X,
        columns,
        problem.sample_weight,
        tuned=constants.tuned,
        limits=constants.limits,
    )


def tails_of(X, columns, weight=None, *, tuned=TUNED, limits=LIMITS):
    """The tails of a data set.

    Parameters
    ----------
    X : ndarray or sparse matrix in CSR format of shape (n, d)
    columns : Columns
    weight : ndarray of shape (n,) or None
        Sample weights: numbers of copies.
    tuned : Tuned
    limits : Limits

    Returns
    -------
    tails : Tails or None
        None where no value is far.
    """
    n, d = X.shape
    weight = np.ones(n) if weight is None else weight.astype(float)
    median, limit = _limits(X, weight, tuned, limits)
    limit = np.where(columns.vary, limit, np.inf)
    block = _sparse_block if sp.issparse(X) else _dense_block
    weights, sums = np.empty(n), 0.0
    for rows in chunks(n, d):
        weights[rows], part = block(X[rows], weight[rows], median, limit, columns.inverse_std)
        sums = sums + part
    if (weights == 1.0).all():
        return None
    total = float(weight.sum())
    whole, clipped = (
        np.sqrt(np.maximum(square / total - (first / total) ** 2, 0.0))
        for first, square in (sums[:2], sums[2:4])
    )
    stretch = np.ones(d)
    np.divide(whole, clipped, out=stretch, where=clipped > 0)
    mean = median + sums[4] / float(weight @ weights)
    return Tails(median, limit, weights, mean, stretch)


def _limits(X, weight, tuned, limits):
    """Median of each column, and the distance from it at which its tails begin."""
    n, d = X.shape
    some = slice(None, None, max(1, n // limits.tail_rows))
    weight = weight[some]
    median, limit = np.zeros(d), np.full(d, np.inf)
    # Of a dense X a few columns at a time: all of them with their order would be several copies.
    step = d if sp.issparse(X) else max(1, limits.transformed // max(len(weight), 1))
    for start in range(0, d, max(step, 1)):
        part = slice(start, start + step)
        x = sp.csc_array(X[some, part], dtype=float)
        median[part], limit[part] = _limits_by_column(x, weight, tuned)
    return median, limit


def _limits_by_column(x, weight, tuned):
    x.sum_duplicates()
    m, d = x.shape
    stored = np.diff(x.indptr)
    column, weights = np.repeat(np.arange(d), stored), weight[x.indices]
    absent = np.maximum(weight.sum() - np.bincount(column, weights, d), 0.0)
    # A column without zeros has a weight of zeros that is exactly zero, not one of rounding.
    zeros = np.flatnonzero((stored < m) & (absent > 0))
    value = np.concatenate([x.data, np.zeros(zeros.size)])
    column, weights = np.concatenate([column, zeros]), np.concatenate([weights, absent[zeros]])
    median = _quantile(value, column, weights, 0.5, d)
    away = np.abs(value - median[column])
    counts = away > 0
    spread = _quantile(away[counts], column[counts], weights[counts], tuned.tail_quantile, d)
    # Of a few values the largest are far by chance.
    enough = np.bincount(column, counts, d) >= tuned.tail_least
    limit = np.where(enough & (spread > 0), tuned.tail_factor * spread, np.inf)
    return median, limit


def _quantile(value, column, weight, q, d):
    """A quantile of each column: the first value that this share of the weight lies up to."""
    if value.size == 0:
        return np.zeros(d)
    order = np.lexsort((value, column))
    value, column, weight = value[order], column[order], weight[order]
    total = np.bincount(column, weight, d)
    below = np.append(0.0, np.cumsum(weight))[np.searchsorted(column, np.arange(d))]
    place = np.searchsorted(np.cumsum(weight), below + q * total)
    found = value[np.minimum(place, value.size - 1)]
    return np.where(total > 0, found, 0.0)


def _dense_block(x, weight, median, limit, inverse_std):
    """Weights of some samples; sums of x, x^2, v, v^2 and omega x, around the median."""
    x = x - median
    clipped = np.clip(x, -limit, limit)
    far = (x != clipped).any(axis=1)
    omega = np.ones(len(x))
    squares = (np.square(part[far] * inverse_std).sum(axis=1) for part in (clipped, x))
    omega[far] = _ratio(*squares)
    sums = [weight @ x, weight @ np.square(x), weight @ clipped, weight @ np.square(clipped)]
    return omega, np.stack([*sums, (weight * omega) @ x])


def _sparse_block(x, weight, median, limit, inverse_std):
    """The same of a sparse matrix, whose zeros are never far."""
    n, d = x.shape
    x.sum_duplicates()
    index, row = x.indices, np.repeat(np.arange(n), np.diff(x.indptr))
    data = x.data.astype(float) - median[index]
    clipped = np.clip(data, -limit[index], limit[index])
    # What all zeros would say, and what the stored values say beyond that.
    base = float(np.sum(np.square(median * inverse_std)))
    unit = inverse_std[index]
    beyond = (
        base + np.bincount(row, np.square(part * unit) - np.square(median[index] * unit), n)
        for part in (clipped, data)
    )
    far = np.bincount(row, data != clipped, n) > 0
    omega = np.where(far, _ratio(*beyond), 1.0)

    def total(each, values, zero):
        stored = np.bincount(index, each[row] * (values - zero[index]), d)
        return stored + each.sum() * zero

    square = median**2
    sums = [
        total(weight, data, -median),
        total(weight, data**2, square),
        total(weight, clipped, -median),
        total(weight, clipped**2, square),
        total(weight * omega, data, -median),
    ]
    return omega, np.stack(sums)


def _ratio(clipped, whole):
    """``clipped / whole`` of sums of squares, in (0, 1]."""
    ratio = np.ones(len(whole))
    np.divide(clipped, whole, out=ratio, where=whole > clipped)
    return np.clip(ratio, np.finfo(float).tiny, 1.0)
