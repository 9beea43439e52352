"""Entries of one column: what kind they are, their gaps, their distinct values."""

import numbers
import sys
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import NamedTuple

import numpy as np


class Kind(NamedTuple):
    """What a column holds.

    Attributes
    ----------
    role : {"number", "category", "date", "duration", "mixture", "other"}
        Only the first two can be learned from.
    what : str
        The entries in words, for messages.
    """

    role: str
    what: str


NUMBERS = Kind("number", "numbers")
STRINGS = Kind("category", "strings")
CATEGORIES = Kind("category", "categories")
MIXTURE = Kind("mixture", "strings and numbers")

_TEXT = str | bytes
_NUMPY_KINDS = {
    **dict.fromkeys("biuf", NUMBERS),
    **dict.fromkeys("UST", STRINGS),
    "M": Kind("date", "dates"),
    "m": Kind("duration", "durations"),
    "c": Kind("other", "complex numbers"),
}


class Distinct(NamedTuple):
    """The entries of a column as numbers of its distinct values.

    Attributes
    ----------
    values : sequence
        Distinct values, none of them a gap. Not to be gone through where they may be more than
        the entries: see ``declared``.
    codes : ndarray of int, shape (n,)
        Position in ``values`` of each entry, -1 for a gap.
    declared : bool
        Whether the type of the column says which values there are, in an order that counts.
    """

    values: Sequence
    codes: np.ndarray
    declared: bool = False

    @property
    def n_present(self):
        """Entries that are no gaps."""
        return np.count_nonzero(self.codes >= 0)


def kind_of_dtype(dtype):
    """Kind of entries of a NumPy type; None where the entries have to be looked at."""
    kind = _NUMPY_KINDS.get(dtype.kind)
    if kind is None and dtype.kind != "O":
        kind = Kind("other", "records")
    return kind if kind in (None, NUMBERS, STRINGS) else as_typed(kind, dtype)


def as_typed(kind, dtype):
    """The kind, with the type of the column in its words."""
    return kind._replace(what=f"{kind.what} ({dtype})")


def kind_of_objects(values):
    """Kind of the entries of an array of objects, of shape (n,); gaps alone are numbers."""
    types = set(map(type, values.tolist()))
    found = {_kind_of_type(kind) for kind in types} - {None}
    for kind in found:
        if kind.role not in ("number", "category"):
            return kind
    if len(found) < 2:
        return found.pop() if found else NUMBERS
    # A nan among strings is a gap.
    strings = all(issubclass(kind, _TEXT) for kind in set(map(type, values[~gaps(values)])))
    return STRINGS if strings else MIXTURE


def _kind_of_type(kind):
    """Kind of the entries of a Python type; None for gaps."""
    name = kind.__name__
    if name in ("NoneType", "NAType", "NaTType"):
        return None
    if issubclass(kind, _TEXT):
        return STRINGS
    if issubclass(kind, timedelta | np.timedelta64):
        return Kind("duration", f"durations ({name})")
    if issubclass(kind, date | time | np.datetime64) or name == "Period":
        return Kind("date", f"dates or times ({name})")
    # Decimal is a Number and not Real.
    if issubclass(kind, numbers.Number | np.bool_) and not issubclass(kind, complex):
        return NUMBERS
    return Kind("other", f"objects of type {name}")


def gaps(values):
    """Where the entries of an array are missing: None, nan, NaT or pandas.NA."""
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        return pandas.isna(values)
    return np.equal(values, None) | np.not_equal(values, values).astype(bool)


def as_numbers(values, dtype):
    """Numbers in an array of objects as an array of ``dtype``, nan for a gap."""
    try:
        return values.astype(dtype)
    except TypeError:  # pandas.NA
        return np.where(gaps(values), np.nan, values).astype(dtype)


def distinct(values):
    """Distinct values of an array of shape (n,), by their equality as Python objects.

    An array of pandas is one, too; where pandas is there, its hash table is.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        codes, found = pandas.factorize(values)
        return Distinct(found.tolist(), codes)
    missing = gaps(values)
    entries = values[~missing].tolist()
    position = {value: code for code, value in enumerate(dict.fromkeys(entries))}
    codes = np.full(values.size, -1)
    codes[~missing] = np.fromiter(map(position.__getitem__, entries), int, len(entries))
    return Distinct(list(position), codes)
