"""What a table is to the reader, and the tables without names: arrays, lists, sparse matrices."""

from functools import cached_property

import numpy as np

from ._entries import NUMBERS, as_numbers, distinct, kind_of_dtype, kind_of_objects


class Table:
    """What all tables share.

    A subclass says what the types of its columns are (``_types``), which kind of entries each has
    (``_kind_of``, None where they have to be looked at) and which NumPy type holds it
    (``_numpy_type``), and it reads a column as objects, as distinct values and as numbers
    (``_objects``, ``_distinct``, ``_numbers``). Nothing is read twice.

    Parameters
    ----------
    data : array, sparse matrix or data frame
    """

    sparse = False
    named = True  # its columns have names

    def __init__(self, data):
        self.data = data
        self.shape = tuple(data.shape)
        self._known = {}

    @cached_property
    def names(self):
        """Names of the columns, where it has some."""
        return list(self.data.columns)

    def name(self, j):
        """Column j as messages call it."""
        return f"column {(self.names[j] if self.named else j)!r}"

    @cached_property
    def _known_kinds(self):
        """Kind of each type that there is, None where the entries have to be looked at."""
        return {dtype: self._kind_of(dtype) for dtype in set(self._types)}

    @property
    def all_numbers(self):
        """Whether the types say that all columns are numbers: one look at each type."""
        return all(kind == NUMBERS for kind in self._known_kinds.values())

    @cached_property
    def kinds(self):
        """Kind of each column; its entries are looked at where the type does not say."""
        known = self._known_kinds
        return [
            known[dtype] or kind_of_objects(self._objects(j)) for j, dtype in enumerate(self._types)
        ]

    def distinct(self, j):
        """Distinct values of column j: all that its type declares, or all that are there."""
        if j not in self._known:
            self._known[j] = self._distinct(j)
        return self._known[j]

    def numbers(self, columns=None):
        """Columns of numbers, nan for a gap: float32 where all of them are, else float64.

        Parameters
        ----------
        columns : ndarray of int or None, default=None
            Which; None for all.
        """
        columns = range(self.shape[1]) if columns is None else columns.tolist()
        dtype = floating({self._numpy_type(self._types[j]) for j in columns})
        values = np.empty((self.shape[0], len(columns)), dtype=dtype, order="F")
        for k, j in enumerate(columns):
            values[:, k] = self._numbers(j, dtype)
        return values


def floating(types):
    """The floating type for numbers of all these NumPy types."""
    single = bool(types) and np.result_type(*types) == np.float32
    return np.dtype(np.float32 if single else np.float64)


class SparseTable(Table):
    """A sparse matrix: numbers, as they are."""

    named = False
    sparse = True
    all_numbers = True

    @property
    def kinds(self):
        """Numbers, all of them."""
        return [NUMBERS] * self.shape[1]

    def numbers(self, columns=None):
        """All of it."""
        return self.data


class ArrayTable(Table):
    """An array, lists, or whatever else NumPy makes an array of."""

    named = False

    def __init__(self, data):
        if not isinstance(data, np.ndarray):
            entries = np.asarray(data)
            # Numbers beside strings would all become strings.
            lists = entries.dtype.kind in "US" and not hasattr(data, "dtype")
            data = np.asarray(data, dtype=object) if lists else entries
        super().__init__(data)

    @property
    def _types(self):
        return [self.data.dtype] * self.shape[1]

    @property
    def all_numbers(self):
        """Whether the type says that all entries are numbers."""
        return kind_of_dtype(self.data.dtype) == NUMBERS

    def _kind_of(self, dtype):
        return kind_of_dtype(dtype)

    def _objects(self, j):
        return self.data[:, j]

    def _distinct(self, j):
        return distinct(self.data[:, j])

    def numbers(self, columns=None):
        """Columns of numbers; all of them as they are where NumPy knows them for numbers."""
        values = self.data if columns is None else self.data[:, columns]
        if values.dtype.kind != "O":
            as_they_are = columns is None or values.dtype.kind == "c"  # scikit-learn refuses these
            return values if as_they_are else values.astype(floating({values.dtype}))
        return as_numbers(values, np.float64)
