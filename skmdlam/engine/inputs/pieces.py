"""Columns as the first layer sees them: pieces along their ranks, levels of categories, gaps."""

from dataclasses import dataclass

import numpy as np

from ..constants import LIMITS
from ..moments import chunks, column_moments, varies

# Kinds of encoded columns that are no pieces, and what their names have.
_INPUT, _RANK, _GAP, _LEVEL = -1, -2, -3, -4
_SUFFIXES = {_INPUT: "", _RANK: "_rank", _GAP: "_missing"}
# The rank that a gap is read at where training had none: that of the median.
_MIDDLE = 0.5
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
        values, weights = _distinct(x, weight)
        if values.size <= 2:
            return None
        if values.size <= n_pieces + 1:
            return cls(values, np.linspace(0.0, 1.0, values.size), values)
        weights = _at_most(weights, n_pieces)
        ranks = np.cumsum(weights) - 0.5 * weights
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


def _varies(x, weight):
    """Whether the values of a column are more than one constant."""
    return bool(varies(*column_moments(x[:, None], weight / weight.sum()), x.dtype)[0])


def _distinct(x, weight):
    """Distinct values of a column, increasing, and their shares of the weight."""
    values, group = np.unique(x, return_inverse=True)
    weights = np.bincount(group.ravel(), weight, values.size)
    # What is apart by rounding only is one value.
    size = np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    ulp = np.finfo(values.dtype).eps * size
    apart = np.diff(values) > _APART * ulp
    ends = np.flatnonzero(np.r_[apart, True])
    first = np.r_[0, ends[:-1] + 1]
    long = values[ends] - values[first] > _CHAIN * np.r_[0.0, ulp][ends]
    if long.any():
        first = np.flatnonzero(np.r_[True, apart | np.repeat(long, ends - first + 1)[1:]])
    return values[first].astype(float), np.add.reduceat(weights, first) / weights.sum()


def _at_most(weights, n_parts):
    """Shares of a total of which none is more than one of so many parts, as little changed.

    There are more of them than parts.
    """
    largest = np.sort(weights)[::-1][:n_parts]
    rest = weights.sum() - np.cumsum(largest)
    # With the k largest cut to c, all together are n_parts times c.
    limits = np.r_[weights.sum() / n_parts, rest[:-1] / (n_parts - np.arange(1, n_parts))]
    limit = limits[np.argmax(largest <= limits)] if (largest <= limits).any() else limits[-1]
    return np.minimum(weights, limit)


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
    kinds : Kinds or None
        Levels and gaps of the columns; None where there are but numbers. The columns of gaps and
        of levels come after all others. A gap is "no piece on", or the mean of a column that is
        passed on, and 1 in the column of the gaps; where training had none it is the median, or the
        mean. A level that has no column is 0 in those of all others.

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
    is_level : ndarray of bool of shape (D,)
        Which are levels of a category, the last ones.
    """

    def __init__(self, curves, *, include_rank=False, include_input=False, kinds=None):
        self.curves, self.include_input, self.kinds = curves, include_input, kinds
        d = len(curves)
        levels = [None] * d if kinds is None else kinds.levels
        self._bent = [column for column, curve in enumerate(curves) if curve is not None]
        # With a rank in the place of the column, the column itself comes after all others.
        itself = {column: d + place for place, column in enumerate(self._bent)}
        source, piece, taken, low, high = [], [], [], [], []
        for column, curve in enumerate(curves):
            if levels[column] is not None:
                continue
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
        self._gaps = [] if kinds is None else list(np.flatnonzero(kinds.gaps))
        if self._gaps:
            source += self._gaps
            piece += [_GAP] * len(self._gaps)
            first = d + (len(self._bent) if include_input else 0)
            taken += range(first, first + len(self._gaps))
            low.append(np.zeros(len(self._gaps)))
            high.append(np.ones(len(self._gaps)))
        self._categories = [column for column in range(d) if levels[column] is not None]
        for column in self._categories:
            codes = np.asarray(levels[column], dtype=float)
            source += [column] * codes.size
            piece += [_LEVEL] * codes.size
            taken += [column] * codes.size
            low.append(codes)
            high.append(codes + 1.0)
        self.source, self._piece = np.array(source, dtype=int), np.array(piece, dtype=int)
        self._taken = np.array(taken, dtype=int)
        self._low, high = np.concatenate([*low, []]), np.concatenate([*high, []])
        self._steepness = 1.0 / (high - self._low)
        self.straight, self.is_piece = self._piece == _INPUT, self._piece >= 0
        self.is_level = self._piece == _LEVEL
        self._fill = self._read_gaps_as()
        self._least = np.where(self.straight, -np.inf, 0.0)
        self._most = np.where(self.straight, np.inf, 1.0)

    def _read_gaps_as(self):
        """What a gap is in the ranks of each column, for the columns of X; None without kinds."""
        if self.kinds is None:
            return None
        fill = self.kinds.means.copy()
        fill[self._bent] = np.where(self.kinds.gaps[self._bent], 0.0, _MIDDLE)
        fill[self._categories] = -1.0
        return fill

    @classmethod
    def of(cls, X, n_pieces, weight=None, *, kinds=None, **options):
        """The pieces of samples of shape (n, d), at most ``n_pieces`` of a column, or none."""
        weight = np.ones(X.shape[0]) if weight is None else weight.astype(float)
        numbers = np.ones(X.shape[1], dtype=bool) if kinds is None else ~kinds.categorical
        if n_pieces == 0:
            numbers[:] = False
        curves = [None] * X.shape[1]
        for column in np.flatnonzero(numbers):
            x, kept_weight = X[:, column], weight
            if kinds is not None and kinds.gaps[column]:
                present = ~np.isnan(x)
                x, kept_weight = x[present], weight[present]
            if kept_weight.sum() > 0 and _varies(x, kept_weight):
                curves[column] = Curve.of(x, kept_weight, n_pieces)
        return cls(curves, kinds=kinds, **options)

    @property
    def size(self):
        """Number D of encoded columns."""
        return self.source.size

    @property
    def only_numbers(self):
        """Whether there are neither categories nor gaps."""
        return not (self._categories or self._gaps)

    @property
    def include_rank(self):
        """Whether some column has its rank among the encoded ones."""
        return bool((self._piece == _RANK).any())

    @property
    def n_ranks(self):
        """Columns of :meth:`ranks`."""
        copies = len(self._bent) if self.include_input else 0
        return len(self.curves) + copies + len(self._gaps)

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
        a whole where these have all knots of the old ones; so does what a gap or a level adds.

        Returns
        -------
        factor : ndarray of shape (D, D of the old ones)
        offset : ndarray of shape (D of the old ones,)
            ``W = factor @ W_old`` and ``b = b_old + offset @ W_old``.
        """
        factor, offset = np.zeros((self.size, old.size)), np.zeros(old.size)
        for column in range(len(self.curves)):
            here, there = self.source == column, old.source == column
            numbers = [each._piece > _GAP for each in (self, old)]
            self._keep_curve(factor, offset, old, column, here & numbers[0], there & numbers[1])
            self._keep_gap(factor, offset, old, column, here, there)
            self._keep_levels(factor, old, here, there)
        return factor, offset

    def _keep_curve(self, factor, offset, old, column, here, there):
        """Weights of the column itself, of its rank and of its pieces."""
        curve = self.curves[column]
        passed, passed_before = here & self.straight, there & old.straight
        factor[np.ix_(passed, passed_before)] = 1.0
        bent = there & ~old.straight if passed.any() else there
        if not (here.any() and bent.any()):
            return
        if curve is None:  # of what were curves the straight line through the ends
            x = old.curves[column].knots[[0, -1]]
        else:
            x = curve.knots
        values = old.at(column, x)[:, bent[old.source == column]]
        offset[bent] = values[0]
        steps = np.diff(values, axis=0)
        if curve is None:
            steps = steps / (x[-1] - x[0])
            offset[bent] -= x[0] * steps[0]
            factor[np.ix_(passed, bent)] = steps
            return
        rank = here & (self._piece == _RANK)
        if rank.any():  # has the rise as a whole, and pieces what is besides
            rise = steps.sum(axis=0)
            factor[np.ix_(rank, bent)] = rise
            steps = steps - np.outer(np.diff(curve.rank(x)), rise)
        factor[np.ix_(here & self.is_piece, bent)] = steps

    def _keep_gap(self, factor, offset, old, column, here, there):
        """The weight of a gap is what the others do not say of one any more."""
        gap = here & (self._piece == _GAP)
        if gap.any():
            x = np.array([np.nan])
            others = np.where(gap[here], 0.0, self.at(column, x)[0])
            said = offset[there] + others @ factor[np.ix_(here, there)]
            factor[np.ix_(gap, there)] = old.at(column, x) - said

    def _keep_levels(self, factor, old, here, there):
        """Weights of levels stay what they are."""
        new_rows, old_rows = (
            np.flatnonzero(mask & pieces.is_level) for mask, pieces in ((here, self), (there, old))
        )
        i, j = np.nonzero(self._low[new_rows][:, None] == old._low[old_rows])
        factor[new_rows[i], old_rows[j]] = 1.0

    def names(self, names, categories=None):
        """Names of the encoded columns, from those of the columns and of their levels.

        ``categories`` has the names of the levels for each column that is a category; None names
        them by their codes.
        """
        labels = dict(zip(self._categories, categories or [], strict=False))
        suffixes = [
            _SUFFIXES.get(piece, f"_pl_{piece}")
            if piece != _LEVEL
            else f"_{labels[column][int(code)] if column in labels else int(code)}"
            for column, piece, code in zip(self.source, self._piece, self._low, strict=True)
        ]
        found = [names[column] + end for column, end in zip(self.source, suffixes, strict=True)]
        return np.array(found, dtype=object)

    def ranks(self, X):
        """Samples of shape (n, d) with ranks in place of the columns that have pieces.

        With ``include_input`` these columns follow, and then ones where a column has a gap.
        """
        n, d = X.shape
        ranks = np.empty((n, self.n_ranks), dtype=X.dtype)
        ranks[:, :d] = X
        if self.include_input:
            ranks[:, d : d + len(self._bent)] = X[:, self._bent]
        for column in self._bent:
            ranks[:, column] = self.curves[column].rank(X[:, column])
        if self._gaps:
            ranks[:, self.n_ranks - len(self._gaps) :] = np.isnan(X[:, self._gaps])
        if self.kinds is not None and np.isnan(ranks).any():
            fill = np.r_[self._fill, self.kinds.means[self._bent if self.include_input else []]]
            fill = np.r_[fill, np.zeros(len(self._gaps))].astype(X.dtype)
            np.copyto(ranks, fill, where=np.isnan(ranks))
        return ranks

    def from_ranks(self):
        """How :meth:`of_ranks` makes columns, for other kinds of arrays.

        Returns
        -------
        taken : ndarray of int of shape (D,)
            The rank of each.
        low, steepness, least, most : ndarray of shape (D,)
            ``min(max((rank - low) steepness, least), most)``; of a level whether that is zero.
        """
        return self._taken, self._low, self._steepness, self._least, self._most

    def of_ranks(self, ranks, columns=slice(None)):
        """The encoded samples of shape (n, D), or some columns, from their ranks: a new array."""
        low, steepness, least, most = (
            each[columns].astype(ranks.dtype)
            for each in (self._low, self._steepness, self._least, self._most)
        )
        out = ranks.take(self._taken[columns], axis=1)
        out -= low
        is_level = self.is_level[columns]
        if is_level.any():
            first = int(np.argmax(is_level))
            if is_level[first:].all():  # they come last, unless columns are asked for in disorder
                levels = out[:, first:]
                np.equal(levels, 0.0, out=levels, casting="unsafe")
            else:
                out[:, is_level] = out[:, is_level] == 0.0
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
