"""Where the levels of a category are: a column of codes, a block of 0 and 1, numbers with ties."""

from dataclasses import dataclass

import numpy as np

from .kinds import level_counts
from .one_hot import codes_of, ends_of

# Rounding of numbers in single precision.
_SINGLE = np.finfo(np.float32).eps


class _Codes:
    """What has a code for each level."""

    def read(self, X, table):
        """What a table says of each sample; its last entry is for those without a level."""
        return table[places(self.codes(X), self.n_levels)]


@dataclass(frozen=True)
class CodeColumn(_Codes):
    """A column of codes 0, 1, ..., with NaN where there is no known level.

    Attributes
    ----------
    column : int
    n_levels : int
    """

    column: int
    n_levels: int

    @classmethod
    def of(cls, X, column):
        """For samples of shape (n, d)."""
        return cls(int(column), int(np.nanmax(X[:, column], initial=-1.0)) + 1)

    def codes(self, X):
        """The level of each sample, not a number where it has none."""
        codes = X[:, self.column]
        return np.where(codes < self.n_levels, codes, np.nan)


@dataclass(frozen=True, eq=False)
class OneHotBlock:
    """A run of columns of two values, zeros and ones in some unit: a sample has one at most.

    Attributes
    ----------
    columns : ndarray of int
        One after the other, without a gap.
    low, high : ndarray of float, default=0.0 and 1.0
        Both values of each column.
    """

    columns: np.ndarray
    low: np.ndarray | float = 0.0
    high: np.ndarray | float = 1.0

    @classmethod
    def of(cls, X, columns):
        """For samples of shape (n, d), dense or sparse."""
        return cls(columns, *(each.astype(float) for each in ends_of(X, columns)))

    @property
    def n_levels(self):
        """Number of columns."""
        return self.columns.size

    def codes(self, X):
        """As :meth:`CodeColumn.codes`."""
        return codes_of(X, self.columns, self.low, self.high)

    def read(self, X, table):
        """As :meth:`CodeColumn.read`, linear in the cells: a sum whatever they are."""
        spread, effect = np.subtract(self.high, self.low), table[:-1] - table[-1]
        unit = np.divide(effect, spread, out=np.zeros(effect.size), where=spread > 0)
        run = slice(self.columns[0], self.columns[-1] + 1)  # a view where X is dense
        return table[-1] - np.sum(self.low * unit) + X[:, run] @ unit


@dataclass(frozen=True, eq=False)
class TiedNumbers(_Codes):
    """A column of numbers of few values, each of which may have an effect of its own.

    Attributes
    ----------
    column : int
    values : ndarray
        Increasing.
    """

    column: int
    values: np.ndarray

    @classmethod
    def of(cls, X, column):
        """For samples of shape (n, d)."""
        x = X[:, column]
        return cls(int(column), np.unique(x[~np.isnan(x)]))

    @property
    def n_levels(self):
        """Number of values."""
        return self.values.size

    def codes(self, X):
        """As :meth:`CodeColumn.codes`; a value that training never saw is no level.

        The nearest value is meant, up to single precision: samples may come in either.
        """
        x, values = X[:, self.column].astype(float), self.values.astype(float)
        after = np.clip(np.searchsorted(values, x), 1, values.size - 1)
        found = after - (x - values[after - 1] < values[after] - x)
        near = np.abs(x - values[found]) <= _SINGLE * np.abs(values[found])
        return np.where(near, found, np.nan)


def places(codes, n_levels):
    """Codes as indices; of what is no level the last one."""
    return np.where(np.isnan(codes), n_levels, codes).astype(int)


def are_rare(category, X, weight, tuned, times=1.0):
    """Whether there are many levels, of which many samples have one that is rare.

    For each of the samples there are ``times`` in all.
    """
    counts = level_counts(category.codes(X), weight)
    if np.count_nonzero(counts) <= tuned.few_levels:
        return False
    rare = counts[counts * times < tuned.level_rows].sum()
    return bool(rare > tuned.rare_levels * counts.sum())
