"""Mean and spread of columns and targets, and the one rule of when a column is constant."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .constants import LIMITS
from .reductions import Rows

# Units in the last place of its mean up to which a column is constant, and the smallest spread.
_CONSTANT, _SMALLEST = 5, float(np.sqrt(np.finfo(float).tiny))
# Share of the columns on either side that may be in other units than the rest.
_FEW = 0.1


def in_blocks(n, weight, d=1, numbers=LIMITS.small):
    """Sums over n rows of d numbers, in blocks that fit into the cache."""
    block_rows = max(1, min(LIMITS.converted_rows, numbers // max(d, 1)))
    return Rows(n, weight, block_rows=block_rows)


def chunks(n, d=1, numbers=LIMITS.small):
    """The blocks themselves, as slices."""
    return in_blocks(n, None, d, numbers).blocks


def column_moments(X, normalized):
    """Weighted mean and standard deviation of each column, in double precision.

    In two passes, and what rounding took from the mean in the first is put right in the second: the
    spread of a constant column is zero, that of one far from zero has all digits, dense or sparse.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    normalized : ndarray of shape (n,)
        Weights that sum to one.

    Returns
    -------
    mean, std : ndarray of shape (d,)
    """
    if hasattr(X, "column_moments"):
        return X.column_moments(normalized)  # of samples that are elsewhere
    mean = column_sums(X, normalized)
    return moments_of_sums(mean, centered_sums(X, normalized, mean), X.shape[0])


def column_sums(X, normalized):
    """The first pass over all samples or some: ``X' normalized``, in double precision."""
    n, d = X.shape
    return in_blocks(n, normalized, d).reduce(lambda s, x: x.T.astype(float) @ s, X)


def centered_sums(X, normalized, mean):
    """The second one: sums of ``x - mean`` and of its square; of a sparse X those of its entries.

    They add up over parts of the samples.
    """
    n, d = X.shape
    if sp.issparse(X):
        return _centered_entries(X.tocsr(), normalized, mean)
    return in_blocks(n, normalized, d).reduce(lambda s, x: _centered(s, x, mean), X)


def moments_of_sums(mean, sums, n):
    """Mean and standard deviation from the sums of both passes over n samples."""
    if len(sums) == 2:
        missing, variance = sums
    else:
        # The zeros of a sparse matrix count together, so that nothing cancels.
        entries, present, missing, variance = sums
        # A column without zeros has a weight of zeros that is exactly zero, not one of rounding.
        absent = np.where(entries < n, np.maximum(1.0 - present, 0.0), 0.0)
        missing, variance = missing - absent * mean, variance + absent * mean**2
    return mean + missing, np.sqrt(np.maximum(variance - missing**2, 0.0))


def _centered(normalized, x, mean):
    """What a block adds to the means of ``x - mean`` and of its square."""
    x = x - mean
    return np.stack([normalized @ x, normalized @ np.square(x, out=x)])


def _centered_entries(X, normalized, mean):
    """Of the entries of a sparse matrix: how many, their weight, and the same two sums."""
    n, d = X.shape

    def block(s, x):
        x.sum_duplicates()
        weight = np.repeat(s, np.diff(x.indptr))
        centered = x.data - mean[x.indices]
        columns = np.ones(len(weight)), weight, weight * centered, weight * np.square(centered)
        return np.stack([np.bincount(x.indices, column, d) for column in columns])

    return in_blocks(n, normalized).reduce(block, X)


def varies(mean, std, dtype):
    """Whether columns of these moments are more than constants: the rule of the whole package.

    A column is constant when its standard deviation is at most 5 units in the last place of its
    mean, in the type that it came in, which is what rounding makes of a constant: 0.1 + 0.2 beside
    0.3, or a product that was computed in two orders. Or when it is so small that its square is no
    number.

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
    return std > np.maximum(_CONSTANT * np.finfo(dtype).eps * np.abs(mean), _SMALLEST)


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
    def of(cls, Y, normalized, *, bounded=False):
        """Those of targets, as :meth:`EachTarget.of` takes them."""
        return EachTarget.of(Y, normalized, bounded=bounded).together()


class EachTarget(NamedTuple):
    """Moments of every target by itself.

    Attributes
    ----------
    mean, variance, deviation : ndarray of shape (K,)
        The last is the mean absolute deviation from the mean. It and the variance are zero for a
        constant target: what rounding leaves of it is no spread.
    """

    mean: np.ndarray
    variance: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, Y, normalized, *, bounded=False):
        """Those of targets of shape (n, K), with weights that sum to one.

        ``bounded=True`` says that the loss bounds the influence of outliers: they do not own its
        unit either, see :func:`pulled_in`.
        """
        Y = pulled_in(Y, normalized) if bounded else Y
        mean = normalized @ Y.astype(float)
        centered = Y - mean
        deviation, missing = normalized @ np.abs(centered), normalized @ centered
        variance = normalized @ np.square(centered, out=centered)
        return cls(mean, variance, deviation).without_rounding(Y.dtype, missing)

    def without_rounding(self, dtype, missing=0.0):
        """The same, with no spread where targets of this type are constant.

        ``missing`` is what rounding took from the means.
        """
        std = np.sqrt(np.maximum(self.variance - np.square(missing), 0.0))
        vary = varies(self.mean + missing, std, dtype)
        return EachTarget(
            self.mean, np.where(vary, self.variance, 0.0), np.where(vary, self.deviation, 0.0)
        )

    def together(self):
        """What targets have in common; constant ones do not count.

        Returns
        -------
        moments : TargetMoments
        """
        vary = self.variance > 0
        if not vary.any():
            return TargetMoments(self.mean, 0.0, 0.0)
        std = float(np.sqrt(self.variance[vary].mean()))
        return TargetMoments(self.mean, std, float(self.deviation[vary].mean()))


def pulled_in(Y, normalized):
    """Targets with wild outliers brought nearer; the argument itself where there are none.

    Nearer is 4 times the 90 % quantile of the distances from the median, 6.6 standard deviations
    of a normal variable, or 20 times the median of them, where that is less: a tenth of the targets
    and more may be wrong. Where the first is zero, as with many zeros in y, it is 10 times the
    median of the distances that are not.
    """
    y = Y.astype(float)
    median = 0.5 * (weighted_quantile(y, normalized, 0.5) - weighted_quantile(-y, normalized, 0.5))
    distance = np.abs(y - median)
    tied = distance <= _CONSTANT * np.finfo(Y.dtype).eps * np.abs(median)
    ties = normalized @ tied
    common = ties >= 1.0 - _FEW
    level = np.where(common, ties + 0.5 * (1.0 - ties), 1.0 - _FEW)
    limit = np.where(common, 10.0, 4.0) * weighted_quantile(distance, normalized, level)
    usual = 20.0 * weighted_quantile(distance, normalized, 0.5)
    limit = np.where(usual > 0, np.minimum(limit, usual), limit)
    limit[ties >= 1.0 - 1e-9] = np.inf
    if not (distance > limit).any():
        return Y
    return np.clip(y, median - limit, median + limit).astype(Y.dtype)


def weighted_quantile(values, normalized, level):
    """The smallest value of each column that is not below so large a share of the weight."""
    order = np.argsort(values, axis=0, kind="stable")
    index = (np.cumsum(normalized[order], axis=0) < np.asarray(level) - 1e-9).sum(axis=0)
    order = np.take_along_axis(order, np.minimum(index, len(values) - 1)[None], axis=0)
    return np.take_along_axis(values, order, axis=0)[0]


@dataclass(frozen=True)
class Columns:
    """Columns of X as ``(x - mean) * inverse_std``, zero where they are constant.

    Attributes
    ----------
    mean, std, inverse_std : ndarray of shape (d,)
        Both ``std`` and ``inverse_std`` are 0 for a constant column.
    one_unit : bool
        Whether the columns share one unit, see :func:`share_one_unit`, but for a few that stand
        :func:`apart`.
    """

    mean: np.ndarray
    std: np.ndarray
    inverse_std: np.ndarray
    one_unit: bool

    @classmethod
    def of(cls, mean, std, total, n, dtype, limits=LIMITS):
        """For the moments of n samples of this total weight and type."""
        vary = varies(mean, std, dtype)
        inverse_std = np.zeros(std.size)
        np.divide(1.0, std, out=inverse_std, where=vary)
        std = np.where(vary, std, 0.0)
        one_unit = share_one_unit(std[vary], total, n, limits)
        if one_unit:
            # A rare column blown up to the size of the others is noise that owns directions.
            alike = np.flatnonzero(vary)[~apart(std[vary], limits)]
            unit = float(np.sqrt(np.mean(std[alike] ** 2)))
            std[alike], inverse_std[alike] = unit, 1.0 / unit
        return cls(mean, std, inverse_std, one_unit)

    @property
    def vary(self):
        """Which columns are not constant."""
        return self.std > 0

    @property
    def n_varying(self):
        """Columns that are not constant, at least 1."""
        return max(int(self.vary.sum()), 1)

    @property
    def inverse_variance(self):
        """``1 / std_j^2`` of each column, 0 for a constant one, at most the largest number."""
        with np.errstate(over="ignore"):
            return np.minimum(self.inverse_std**2, np.finfo(float).max)

    def scaled(self, X, dtype):
        """``X D`` for a sparse X, D the diagonal of ``inverse_std``, with the indices of X."""
        data = (X.data * self.inverse_std[X.indices]).astype(dtype, copy=False)
        return sp.csr_array((data, X.indices, X.indptr), shape=X.shape)

    def standardized(self, x):
        """Some samples in these units, as a new dense array."""
        x = (x.toarray() if sp.issparse(x) else x) - self.mean
        x *= self.inverse_std
        return x


def share_one_unit(std, total, n, limits=LIMITS):
    """Whether columns of these spreads are taken to be in one unit, and are not scaled each.

    So it is where they outnumber the samples, whose weights are numbers of copies, and four fifths
    of them are within a factor of 1000 of each other. The others may be in units of their own, see
    :func:`apart`.
    """
    return std.size > max(total, n) and mostly_alike(std, limits)


def mostly_alike(std, limits=LIMITS):
    """Whether four fifths of these spreads are within a factor of 1000 of each other."""
    if std.size == 0:
        return True
    low, high = np.quantile(std, (_FEW, 1.0 - _FEW))
    return bool(high <= limits.one_unit * low)


def apart(std, limits=LIMITS):
    """Which of the columns of these spreads stand apart: a few, in units of their own.

    An id among gene expressions is one. Of the tenth with the largest spreads they are those above
    a gap of a factor of 30, of the tenth with the smallest ones those below a gap of a factor of
    1000: a rare word, or a pixel at the border, is a small column in the unit of the others.

    Parameters
    ----------
    std : ndarray of shape (d,)
        Spreads of columns that are not constant.

    Returns
    -------
    apart : ndarray of bool of shape (d,)
    """
    few = int(_FEW * std.size)
    if few == 0:
        return np.zeros(std.size, dtype=bool)
    order = np.sort(std)
    upper, lower = order[-few - 1 :], order[few::-1]
    above = np.flatnonzero(upper[1:] > limits.apart_above * upper[:-1])
    below = np.flatnonzero(limits.apart_below * lower[1:] < lower[:-1])
    most = upper[above[0]] if above.size else np.inf
    least = lower[below[0]] if below.size else 0.0
    return (std > most) | (std < least)


def in_like_units(std, limits=LIMITS):
    """Whether columns of these spreads are all in one unit, as far as spreads can tell."""
    return mostly_alike(std, limits) and not apart(std, limits).any()


def standardized_samples(X, mean, std):
    """A function from indices to those samples with columns of these moments standardized."""
    scale = np.zeros_like(std)
    np.divide(1.0, std, out=scale, where=varies(mean, std, X.dtype))

    def samples(rows):
        x = X[rows]
        return ((x.toarray() if sp.issparse(x) else x) - mean) * scale

    return samples


def means_without(X, gaps):
    """Means of columns without their gaps, 0 where there is nothing else."""
    # Sums of many numbers in single precision would be far off.
    return np.where(gaps, 0.0, X).sum(axis=0, dtype=float) / np.maximum((~gaps).sum(axis=0), 1)


def standardized_with_gaps(X):
    """Columns of an array with mean 0 and spread 1, gaps and constants at 0, a new array."""
    gaps = np.isnan(X)
    means = means_without(X, gaps)
    X = np.where(gaps, 0.0, X - means.astype(X.dtype))
    spread = X.std(axis=0, dtype=float).astype(X.dtype)
    return np.divide(X, spread, out=np.zeros_like(X), where=varies(means, spread, X.dtype))


@dataclass(frozen=True)
class Moments:
    """Weight, mean and centered (co)moments of samples; sums of two sets of samples are exact."""

    weight: float
    mean: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls, values, weight=None, *, full=False):
        """Moments of the rows of an array or sparse matrix, the full matrix or its diagonal."""

        def block(w, x):
            x = (x.toarray() if sp.issparse(x) else x).astype(float, copy=False)
            w = np.ones(len(x)) if w is None else w.astype(float)
            total = float(w.sum())
            mean = (w / total) @ x
            x = x - mean
            return cls(total, mean, (x * w[:, None]).T @ x if full else w @ np.square(x))

        n, d = values.shape
        rows = Rows(n, weight, block_rows=max(1, LIMITS.small // max(d, 1)))
        return rows.reduce(block, values)

    def __add__(self, other):
        total = self.weight + other.weight
        step = other.mean - self.mean
        outer = np.outer(step, step) if self.square.ndim == 2 else step**2
        return Moments(
            total,
            self.mean + step * (other.weight / total),
            self.square + other.square + outer * (self.weight * other.weight / total),
        )

    @property
    def spread(self):
        """Standard deviation of each column."""
        square = self.square.diagonal() if self.square.ndim == 2 else self.square
        return np.sqrt(np.maximum(square, 0.0) / self.weight)


@dataclass(frozen=True)
class Reach:
    """How far the cells of each column have reached, without those that were pulled in.

    Attributes
    ----------
    low, high : ndarray of shape (d,)
    far : ndarray of shape (d,)
        Cells that were far lately, less what errors are expected: at ``stream_far_cells`` they are
        the data. Of a chunk: by how much it changes that.
    """

    low: np.ndarray
    high: np.ndarray
    far: np.ndarray

    @classmethod
    def of(cls, values):
        """That of an array or sparse matrix."""
        low, high = extremes(values)
        return cls(low, high, np.zeros(low.size))

    @classmethod
    def at_most(cls, moments):
        """The most that samples of these moments can have reached."""
        reach = np.sqrt(moments.weight) * moments.spread
        return cls(moments.mean - reach, moments.mean + reach, np.zeros(reach.size))

    def __add__(self, other):
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Reach(low, high, self.far + other.far)

    def from_center(self, center):
        """The larger distance from there."""
        return np.maximum(self.high - center, center - self.low)


def extremes(values):
    """Smallest and largest value of each column, in double precision."""
    low, high = values.min(axis=0), values.max(axis=0)
    if sp.issparse(values):
        low, high = low.toarray().ravel(), high.toarray().ravel()
    return low.astype(float), high.astype(float)
