"""What columns hold besides numbers: levels of categories, and gaps."""

from dataclasses import dataclass, replace

import numpy as np

from ..constants import TUNED

# Samples of a level that tell its mean and spread, where samples were drawn.
_DRAWN = 10


@dataclass(frozen=True)
class Kinds:
    """Which columns are categories, which of their levels get a column, and where gaps are.

    A category comes as codes 0, 1, ..., with NaN where there is no level that was seen in training.

    Attributes
    ----------
    levels : list of ndarray or None
        For each column the codes that get a column of their own; None for numbers.
    gaps : ndarray of bool of shape (d,)
        Columns of numbers that have gaps among the samples: NaN.
    means : ndarray of shape (d,)
        Of the numbers of each column, without the gaps; 0 for a category.
    """

    levels: list
    gaps: np.ndarray
    means: np.ndarray

    @classmethod
    def of(cls, X, weight=None, categorical=None, tuned=TUNED, times=1.0):
        """Those of dense samples of shape (n, d); ``categorical`` is a mask of the columns.

        A level of a category with few levels has a column; of one with more only a level that
        enough samples have: the others are too rare to be told apart one by one. For each of the
        samples there are ``times`` in all.
        """
        d = X.shape[1]
        is_level = np.zeros(d, dtype=bool) if categorical is None else categorical
        levels = [None] * d
        for column in np.flatnonzero(is_level):
            levels[column] = common_levels(level_counts(X[:, column], weight), tuned, times)
        missing = np.isnan(X)
        missing[:, is_level] = False
        gaps = missing.any(axis=0)
        weight = np.ones(X.shape[0]) if weight is None else weight.astype(float)
        means = np.zeros(d)
        present = np.where(missing[:, gaps], 0.0, weight[:, None]).sum(axis=0)
        sums = weight @ np.where(missing[:, gaps], 0.0, X[:, gaps])
        np.divide(sums, present, out=sums, where=present > 0)
        whole = ~gaps & ~is_level
        means[whole] = (weight @ X[:, whole]) / max(weight.sum(), np.finfo(float).tiny)
        means[gaps] = sums
        return cls(levels, gaps, means)

    @classmethod
    def of_numbers(cls, means):
        """Those of columns of numbers without gaps, of these means."""
        return cls([None] * means.size, np.zeros(means.size, dtype=bool), means)

    @property
    def categorical(self):
        """Mask of the categories."""
        return np.array([levels is not None for levels in self.levels], dtype=bool)

    def with_numbers(self, X):
        """The same with further columns of numbers, without gaps, behind the others."""
        more = X.shape[1]
        return Kinds(
            [*self.levels, *[None] * more],
            np.r_[self.gaps, np.zeros(more, dtype=bool)],
            np.r_[self.means, X.mean(axis=0)],
        )

    def without_levels(self, columns):
        """The same, where levels of these categories have no columns."""
        levels = list(self.levels)
        for column in columns:
            levels[column] = np.empty(0, dtype=int)
        return replace(self, levels=levels)

    def taken(self, columns):
        """Those of some of the columns."""
        levels = [self.levels[column] for column in columns]
        return Kinds(levels, self.gaps[columns], self.means[columns])

    def joined(self, other):
        """The same with the levels and gaps of others of the same columns too."""
        levels = [
            mine if mine is None else np.union1d(mine, more)
            for mine, more in zip(self.levels, other.levels, strict=True)
        ]
        return replace(self, levels=levels, gaps=self.gaps | other.gaps)


def common_levels(counts, tuned=TUNED, times=1.0):
    """The levels that get a column: all of few, else those of enough samples.

    Of samples that were drawn from ``times`` as many some must be among those that are here.
    """
    (seen,) = np.nonzero(counts)
    if seen.size <= tuned.few_levels:
        return seen
    least = max(tuned.level_rows / times, min(tuned.level_rows, _DRAWN))
    return np.flatnonzero(counts >= least)


def level_counts(codes, weight=None):
    """Weight of each level of a category, an array that ends with the last one that occurs."""
    known = ~np.isnan(codes)
    if weight is not None:
        weight = copies(weight)[known]
    return np.bincount(codes[known].astype(int), weight)


def copies(weight):
    """Weights as numbers of copies: of less than one on average they have another unit."""
    return weight / min(float(weight.mean()), 1.0)
