"""Columns as pieces that rise from 0 to 1 one after the other, along their ranks."""

from dataclasses import dataclass

import numpy as np

from ..constants import LIMITS
from ..moments import chunks, column_moments, varies

# Kinds of encoded columns that are no pieces, and what their names have.
_INPUT, _RANK = -1, -2
_SUFFIXES = {_INPUT: "", _RANK: "_rank"}
# Units in the last place that two values of a column have to be apart.
_APART = 5
# So many of them make no one value of a chain of neighbors: numbers that their type can hardly tell
# apart, such as seconds since 1970 in single precision.
_CHAIN = 100


@dataclass(frozen=True)
class Curve:
    """The pieces of one column.

    Attributes
    ----------
    values, ranks : ndarray of shape (m,)
        Some increasing values of the column, and the share of the samples below each, from 0 to 1.
        Between them ranks are linear.
    knots : ndarray of shape (T + 1,)
        Where a piece ends and the next one begins, some of the values.
    """

    values: np.ndarray
    ranks: np.ndarray
    knots: np.ndarray

    @property
    def n_pieces(self):
        """Number T of pieces."""
        return self.knots.size - 1

    @classmethod
    def of(cls, x, weight, n_pieces, resolution=LIMITS.ranks):
        """For the values of a column and their weights; None where they have no pieces.

        A value takes one piece at most, however many samples share it: it counts as if it had
        ``1 / n_pieces`` of the weight.
        """
        values, share = _distinct(x, weight)
        if values.size <= 2:
            return None
        if values.size <= n_pieces + 1:
            return cls(values, np.linspace(0.0, 1.0, values.size), values)
        share = _at_most(share, n_pieces)
        ranks = np.cumsum(share) - 0.5 * share
        ranks = (ranks - ranks[0]) / (ranks[-1] - ranks[0])
        if values.size > resolution:
            kept = np.searchsorted(ranks, np.linspace(0.0, 1.0, resolution))
            kept = np.unique(np.minimum(kept, ranks.size - 1))
            values, ranks = values[kept], ranks[kept]
        at = np.linspace(0.0, 1.0, n_pieces + 1)
        above = np.clip(np.searchsorted(ranks, at), 1, ranks.size - 1)
        nearest = above - (at - ranks[above - 1] < ranks[above] - at)
        return cls(values, ranks, values[np.unique(nearest)])

    def rank(self, x):
        """Ranks of other values, those beyond the ends at 0 and 1."""
        return np.interp(x, self.values, self.ranks)


def _distinct(x, weight):
    """Distinct values of a column, increasing, and their shares of the weight."""
    values, group = np.unique(x, return_inverse=True)
    share = np.bincount(group.ravel(), weight, values.size)
    # What is apart by rounding only is one value.
    size = np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    ulp = np.finfo(values.dtype).eps * size
    apart = np.diff(values) > _APART * ulp
    ends = np.flatnonzero(np.r_[apart, True])
    first = np.r_[0, ends[:-1] + 1]
    long = values[ends] - values[first] > _CHAIN * np.r_[0.0, ulp][ends]
    if long.any():
        first = np.flatnonzero(np.r_[True, apart | np.repeat(long, ends - first + 1)[1:]])
    return values[first].astype(float), np.add.reduceat(share, first) / share.sum()


def _at_most(share, n_parts):
    """Shares of a total of which none is more than one of so many parts, as little changed.

    There are more of them than parts.
    """
    largest = np.sort(share)[::-1][:n_parts]
    rest = share.sum() - np.cumsum(largest)
    # With the k largest cut to c, all together are n_parts times c.
    limits = np.r_[share.sum() / n_parts, rest[:-1] / (n_parts - np.arange(1, n_parts))]
    limit = limits[np.argmax(largest <= limits)] if (largest <= limits).any() else limits[-1]
    return np.minimum(share, limit)


class Pieces:
    """The encoding of all columns.

    Parameters
    ----------
    curves : list of Curve or None
        One for each column; None for one that is passed on.
    include_rank : bool, default=False
        Whether a column with two pieces or more has its rank before these.
    include_input : bool, default=False
        Whether columns with pieces are passed on too, before all of that.

    Attributes
    ----------
    curves, include_input
        As given.
    source : ndarray of int of shape (D,)
        The column that each encoded column is made of.
    straight : ndarray of bool of shape (D,)
        Which encoded columns are that column itself.
    is_piece : ndarray of bool of shape (D,)
        Which are pieces of it, and neither itself nor its rank.
    """

    def __init__(self, curves, *, include_rank=False, include_input=False):
        self.curves, self.include_input = curves, include_input
        d = len(curves)
        self._bent = [column for column, curve in enumerate(curves) if curve is not None]
        # With a rank in the place of the column, the column itself comes after all others.
        itself = {column: d + place for place, column in enumerate(self._bent)}
        source, piece, taken, low, high = [], [], [], [], []
        for column, curve in enumerate(curves):
            if curve is None or include_input:
                source.append(column)
                piece.append(_INPUT)
                taken.append(itself.get(column, column))
                low.append([0.0])
                high.append([1.0])
            if curve is not None and include_rank and curve.n_pieces > 1:
                source.append(column)
                piece.append(_RANK)
                taken.append(column)
                low.append([0.0])
                high.append([1.0])
            if curve is not None:
                ranks = curve.rank(curve.knots)
                source += [column] * curve.n_pieces
                piece += range(curve.n_pieces)
                taken += [column] * curve.n_pieces
                low.append(ranks[:-1])
                high.append(ranks[1:])
        self.source, self._piece = np.array(source, dtype=int), np.array(piece, dtype=int)
        self._taken = np.array(taken, dtype=int)
        self._low, high = np.concatenate([*low, []]), np.concatenate([*high, []])
        self._steepness = 1.0 / (high - self._low)
        self.straight, self.is_piece = self._piece == _INPUT, self._piece >= 0
        self._least = np.where(self.straight, -np.inf, 0.0)
        self._most = np.where(self.straight, np.inf, 1.0)

    @classmethod
    def of(cls, X, n_pieces, weight=None, **options):
        """The pieces of samples of shape (n, d), at most ``n_pieces`` of a column."""
        weight = np.ones(X.shape[0]) if weight is None else weight.astype(float)
        vary = varies(*column_moments(X, weight / weight.sum()), X.dtype)
        curves = [
            Curve.of(x, weight, n_pieces) if varying else None
            for x, varying in zip(X.T, vary, strict=True)
        ]
        return cls(curves, **options)

    @property
    def size(self):
        """Number D of encoded columns."""
        return self.source.size

    @property
    def n_ranks(self):
        """Columns of :meth:`ranks`."""
        return len(self.curves) + (len(self._bent) if self.include_input else 0)

    @property
    def n_pieces(self):
        """Pieces of each column, 0 for one without, an array of shape (d,)."""
        return np.array([0 if curve is None else curve.n_pieces for curve in self.curves], int)

    @classmethod
    def plain(cls, d):
        """Those of d columns that are all passed on."""
        return cls([None] * d)

    def in_terms_of(self, old):
        """How weights of these columns follow from those of other pieces of the same columns.

        The sum of curves that they stand for stays what it is at the knots of these pieces, and as
        a whole where these have all knots of the old ones.

        Returns
        -------
        factor : ndarray of shape (D, D of the old ones)
        offset : ndarray of shape (D of the old ones,)
            ``W = factor @ W_old`` and ``b = b_old + offset @ W_old``.
        """
        factor, offset = np.zeros((self.size, old.size)), np.zeros(old.size)
        for column, curve in enumerate(self.curves):
            here, there = self.source == column, old.source == column
            passed, passed_before = here & self.straight, there & old.straight
            factor[np.ix_(passed, passed_before)] = 1.0
            bent = there & ~old.straight if passed.any() else there
            if not bent.any():
                continue
            if curve is None:  # of what were curves the straight line through the ends
                x = old.curves[column].knots[[0, -1]]
            else:
                x = curve.knots
            values = old.at(column, x)[:, bent[there]]
            offset[bent] = values[0]
            steps = np.diff(values, axis=0)
            if curve is None:
                steps = steps / (x[-1] - x[0])
                offset[bent] -= x[0] * steps[0]
                factor[np.ix_(passed, bent)] = steps
                continue
            rank = here & (self._piece == _RANK)
            if rank.any():  # has the rise as a whole, and pieces what is besides
                rise = steps.sum(axis=0)
                factor[np.ix_(rank, bent)] = rise
                steps = steps - np.outer(np.diff(curve.rank(x)), rise)
            factor[np.ix_(here & self.is_piece, bent)] = steps
        return factor, offset

    def names(self, names):
        """Names of the encoded columns, from those of the columns."""
        return np.array(
            [
                names[column] + _SUFFIXES.get(piece, f"_pl_{piece}")
                for column, piece in zip(self.source, self._piece, strict=True)
            ],
            dtype=object,
        )

    def ranks(self, X):
        """Samples of shape (n, d) with ranks in place of the columns that have pieces.

        With ``include_input`` these columns follow.
        """
        d = X.shape[1]
        ranks = np.empty((X.shape[0], self.n_ranks), dtype=X.dtype)
        ranks[:, :d] = X
        if self.n_ranks > d:
            ranks[:, d:] = X[:, self._bent]
        for column in self._bent:
            ranks[:, column] = self.curves[column].rank(X[:, column])
        return ranks

    def of_ranks(self, ranks, columns=slice(None)):
        """The encoded samples of shape (n, D), or some columns, from their ranks: a new array."""
        low, steepness, least, most = (
            each[columns].astype(ranks.dtype)
            for each in (self._low, self._steepness, self._least, self._most)
        )
        out = ranks.take(self._taken[columns], axis=1)
        out -= low
        out *= steepness
        np.maximum(out, least, out=out)
        return np.minimum(out, most, out=out)

    def at(self, column, x):
        """The encoded columns of one column at some of its values, shape (m, their number)."""
        X = np.zeros((x.size, len(self.curves)), dtype=x.dtype)
        X[:, column] = x
        return self.of_ranks(self.ranks(X), self.source == column)

    def encoded(self, X):
        """Samples of shape (n, d) as a new array of shape (n, D), in their type."""
        out = np.empty((X.shape[0], self.size), dtype=X.dtype)
        for rows in chunks(X.shape[0], max(self.size, 1), LIMITS.transformed):
            out[rows] = self.of_ranks(self.ranks(X[rows]))
        return out
