"""Columns of all blocks, as a reader is fitted to them: kinds, and levels of categories."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._entries import NUMBERS
from ._frames import table_of
from ._reader import categorical_columns


@dataclass(frozen=True)
class Levels:
    """The levels of a category in some blocks, which add up.

    Attributes
    ----------
    used : dict
        Those that samples have, in the order in which they come; its values are None.
    declared : tuple or None
        All that its type declares, in their order; None where it declares none, or not the same
        everywhere.
    n_present : int
        Entries that are no gaps.
    has_gaps : bool
    """

    used: dict
    declared: tuple | None
    n_present: int
    has_gaps: bool

    @classmethod
    def of(cls, found):
        """Those of a :class:`~skmdlam._entries.Distinct`."""
        codes = np.unique(found.codes)
        has_gaps = bool(codes.size and codes[0] < 0)
        used = {found.values[code]: None for code in codes[has_gaps:].tolist()}
        declared = tuple(found.values) if found.declared and found.codes.size else None
        return cls(used, declared, int(found.n_present), has_gaps)

    @property
    def says_nothing(self):
        """Whether there is nothing but gaps, without a type."""
        return self.declared is None and not self.n_present

    def __add__(self, other):
        declared = self.declared if self.declared == other.declared else None
        if self.says_nothing or other.says_nothing:
            declared = self.declared or other.declared
        return Levels(
            {**self.used, **other.used},
            declared,
            self.n_present + other.n_present,
            self.has_gaps or other.has_gaps,
        )

    def together(self):
        """All of them as entries of a column."""
        values = list(self.used if self.declared is None else self.declared)
        codes = [code for code, value in enumerate(values) if value in self.used]
        codes += [-1] * self.has_gaps
        codes = np.array(codes, dtype=int)
        return AllEntries(values, codes, self.declared is not None, self.n_present)


class AllEntries(NamedTuple):
    """A :class:`~skmdlam._entries.Distinct` whose codes are not those of all entries."""

    values: list
    codes: np.ndarray
    declared: bool
    n_present: int


def levels_of(raw, columns):
    """By column that is a category its levels in a block."""
    table = table_of(raw.X)
    return {j: Levels.of(table.distinct(j)) for j in columns}


def disagree(each, first, what, other):
    """Refuse blocks that are not alike."""
    raise ValueError(
        f"All blocks must have one form: {each.block} {what}, and {first.block} {other}."
    )


class AllBlocks:
    """The table of all blocks, as far as a reader is fitted to it."""

    def __init__(self, found, blocks, given):
        self._found, self._blocks, self._given, self._levels = found, blocks, given, None
        self.shape = sum(each.n_rows for each in found), found[0].n_features
        self.names, self.named = found[0].names, found[0].names is not None
        self.sparse = found[0].sparse
        kinds = [kind for each in found for kind in each.kinds or ()]
        self.all_numbers = all(kind is None or kind == NUMBERS for kind in kinds)
        d = self.shape[1]
        self.kinds = [NUMBERS] * d if self.all_numbers else [self._kind(j) for j in range(d)]

    def name(self, j):
        """Column j as messages call it."""
        return self._found[0].name(j)

    def _kind(self, j):
        """The kind of a column in the blocks that say one."""
        known = None
        for each in self._found:
            kind = NUMBERS if each.kinds is None else each.kinds[j]
            if kind is None:
                continue
            if known is not None and kind.role != known[0].role:
                other, first = known
                what = f"has {kind.what} in {each.name(j)}"
                disagree(each, first, what, f"has {other.what}")
            known = known or (kind, each)
        return NUMBERS if known is None else known[0]

    def distinct(self, j):
        """Levels of a column; those of all columns are asked for at once."""
        if self._levels is None:
            columns = np.flatnonzero(categorical_columns(self._given, self)).tolist()
            none = [()] * self._blocks.n_blocks
            self._levels = self._blocks.pooled(levels_of, none, shared=(columns,))
        return self._levels[j].together()
