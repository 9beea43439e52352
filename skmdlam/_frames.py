"""Data frames of any library as tables, see :mod:`._tables`.

No library is imported here: a table of one that is not loaded cannot have come in.
"""

import sys
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from ._entries import (
    CATEGORIES,
    NUMBERS,
    STRINGS,
    Distinct,
    Kind,
    as_numbers,
    as_typed,
    distinct,
    kind_of_dtype,
)
from ._tables import ArrayTable, SparseTable, Table, floating

_WORDS = {"date": Kind("date", "dates or times"), "duration": Kind("duration", "durations")}

# Numbers that float32 holds exactly, by the names of their types in polars and pyarrow.
_SMALL = {
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16)},
    **{"boolean": np.dtype(bool), "bool": np.dtype(bool), "null": np.dtype(bool)},
    **{"float32": np.dtype(np.float32), "float": np.dtype(np.float32)},
    **{"float16": np.dtype(np.float16), "halffloat": np.dtype(np.float16)},
}


def table_of(X, name="X"):
    """The table that X is, as an object of this module; lazy data are read, once.

    Parameters
    ----------
    X : array-like, sparse matrix or data frame
    name : str, default="X"
        What messages call it.

    Returns
    -------
    Table
    """
    if hasattr(X, "__dask_graph__"):
        X = X.compute()
    if _is_a(X, "pyarrow", "RecordBatch"):
        X = sys.modules["pyarrow"].Table.from_batches([X])
    for library, kind, table in (
        ("pandas", "DataFrame", PandasTable),
        ("polars", "DataFrame", PolarsTable),
        ("pyarrow", "Table", ArrowTable),
    ):
        if _is_a(X, library, kind):
            return table(X)
    if _is_a(X, "polars", "LazyFrame"):
        raise TypeError(f"{name} is a polars LazyFrame, a query without data yet: collect() first.")
    if type(X) is dict or (isinstance(X, np.ndarray) and X.dtype.kind == "V"):
        what = "a dict" if type(X) is dict else f"an array of records ({X.dtype})"
        raise ValueError(f"{name} is {what}: make a data frame of it, pandas.DataFrame({name}).")
    if isinstance(X, np.ma.MaskedArray):
        X = _with_gaps(X)
    return SparseTable(X) if sp.issparse(X) else ArrayTable(X)


def _with_gaps(X):
    """A masked array as a plain one, with a gap where it is masked."""
    if not np.ma.is_masked(X):
        return np.asarray(X)
    if X.dtype.kind in "biu":
        X = X.astype(float)
    return X.filled(np.nan) if X.dtype.kind == "f" else X.astype(object).filled(None)


def _is_a(X, library, kind):
    """Whether X is of this class of a library, which need not be there."""
    kind = getattr(sys.modules.get(library), kind, None)
    return isinstance(kind, type) and isinstance(X, kind)


class PandasTable(Table):
    """A pandas.DataFrame."""

    @cached_property
    def _types(self):
        return self.data.dtypes.to_numpy()

    def _kind_of(self, dtype):
        if isinstance(dtype, np.dtype):
            return kind_of_dtype(dtype)
        name = type(dtype).__name__
        if name == "CategoricalDtype":
            return CATEGORIES
        if name == "StringDtype":
            return STRINGS
        if name == "ArrowDtype":
            return _kind_of_arrow(dtype.pyarrow_dtype)
        if name == "SparseDtype":
            return kind_of_dtype(dtype.subtype)
        if getattr(dtype, "_is_numeric", False) or dtype.kind == "b":
            return NUMBERS
        if name in ("DatetimeTZDtype", "PeriodDtype"):
            return Kind("date", f"dates ({dtype})")
        return Kind("other", f"entries of type {dtype}")

    def _numpy_type(self, dtype):
        if isinstance(dtype, np.dtype):
            return dtype if dtype.kind != "O" else np.dtype(float)
        found = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))
        numeric = isinstance(found, np.dtype) and found.kind in "biuf"
        return found if numeric else np.dtype(float)

    def _column(self, j):
        name = self.data.columns[j]
        by_name = isinstance(name, str) and self.data.columns.is_unique  # takes a third of the time
        return (self.data[name] if by_name else self.data.iloc[:, j]).values

    def _objects(self, j):
        return np.asarray(self._column(j), dtype=object)

    def _distinct(self, j):
        column = self._column(j)
        if hasattr(column, "categories"):
            return Distinct(column.categories, column.codes, declared=True)
        if type(column.dtype).__name__ == "SparseDtype":
            column = np.asarray(column)
        return distinct(column)

    def numbers(self, columns=None):
        """Columns of numbers; sparse where all columns of the frame are."""
        data = self.data if columns is None else self.data.iloc[:, columns]
        types = set(self._known_kinds if columns is None else self._types[columns])
        if columns is None and types and all(map(_is_sparse, types)):
            return data.sparse.to_coo()
        dtype = floating({self._numpy_type(kind) for kind in types})
        if any(map(_has_no_block, types)):
            return self._column_by_column(columns, dtype)
        if all(isinstance(kind, np.dtype) for kind in types):
            return np.asarray(data, dtype=dtype)
        return data.to_numpy(dtype=dtype, na_value=np.nan)

    def _column_by_column(self, columns, dtype):
        """The same, one by one where pandas cannot convert them together."""
        columns = np.arange(self.shape[1]) if columns is None else columns
        single = np.array(list(map(_has_no_block, self._types[columns])))
        values = np.empty((self.shape[0], columns.size), dtype=dtype, order="F")
        if not single.all():
            values[:, ~single] = self.numbers(columns[~single])
        for k in np.flatnonzero(single):
            column = self._column(columns[k])
            objects = column.dtype == object
            values[:, k] = as_numbers(column, dtype) if objects else np.asarray(column, dtype)
        return values


def _is_sparse(dtype):
    """Whether a type of pandas is one of columns that are zero where they say nothing."""
    return getattr(dtype, "fill_value", None) == 0


def _has_no_block(dtype):
    """Whether pandas cannot convert columns of this type together with others."""
    return dtype == np.dtype(object) or type(dtype).__name__ in ("CategoricalDtype", "SparseDtype")


class PolarsTable(Table):
    """A polars.DataFrame."""

    @cached_property
    def _types(self):
        return self.data.dtypes

    @property
    def all_numbers(self):
        """Whether the types say that all columns are numbers: one look at each class of types."""
        return all(self._kind_of(kind) == NUMBERS for kind in set(map(type, self._types)))

    def _kind_of(self, dtype):
        name = dtype.base_type().__name__
        if dtype.is_numeric() or name in ("Boolean", "Null"):
            return NUMBERS
        if name in ("String", "Utf8"):
            return STRINGS
        if name in ("Categorical", "Enum"):
            return CATEGORIES
        if name == "Object":
            return None
        if dtype.is_temporal():
            duration = name == "Duration"
            return as_typed(_WORDS["duration" if duration else "date"], dtype)
        return Kind("other", f"entries of type {dtype}")

    def _numpy_type(self, dtype):
        return _SMALL.get(str(dtype).lower(), np.dtype(float))

    def _objects(self, j):
        return np.asarray(self.data.to_series(j).to_list(), dtype=object)

    def _distinct(self, j):
        column = self.data.to_series(j)
        if column.dtype.base_type().__name__ == "Enum":
            codes = column.to_physical().cast(self._library.Int64).fill_null(-1)
            return Distinct(column.dtype.categories, codes.to_numpy(), declared=True)
        return distinct(column.to_numpy() if column.dtype.is_float() else self._objects(j))

    def numbers(self, columns=None):
        """Columns of numbers."""
        data = self.data if columns is None else self.data[:, columns.tolist()]
        types = set(map(type, self._types if columns is None else data.dtypes))
        if any(self._kind_of(dtype) != NUMBERS for dtype in types):  # objects
            return super().numbers(columns)
        pl = self._library
        single = floating({self._numpy_type(dtype) for dtype in types}) == np.float32
        dtype = pl.Float32 if single else pl.Float64
        return (data if types == {dtype} else data.cast(dtype)).to_numpy()

    def _numbers(self, j, dtype):
        column = self.data.to_series(j)
        if self._kind_of(column.dtype) is None:
            return as_numbers(self._objects(j), dtype)
        return column.cast(self._library.Float64).to_numpy()

    @property
    def _library(self):
        return sys.modules["polars"]


class ArrowTable(Table):
    """A pyarrow.Table."""

    @cached_property
    def names(self):
        """Names of the columns."""
        return self.data.schema.names

    @cached_property
    def _types(self):
        return self.data.schema.types

    def _kind_of(self, dtype):
        return _kind_of_arrow(dtype)

    def _numpy_type(self, dtype):
        return _SMALL.get(str(dtype), np.dtype(float))

    def _distinct(self, j):
        pa, column = sys.modules["pyarrow"], self.data.column(j)
        if pa.types.is_floating(column.type) or pa.types.is_null(column.type):
            return distinct(self._numbers(j, np.float64))
        if str(column.type) == "string_view":
            column = column.cast(pa.large_string())
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        chunks = column.unify_dictionaries().chunks
        if not chunks:
            return Distinct([], np.empty(0, dtype=int))
        codes = [chunk.indices.cast(pa.int64()).fill_null(-1) for chunk in chunks]
        codes = np.concatenate([part.to_numpy(zero_copy_only=False) for part in codes])
        values = chunks[0].dictionary.to_pylist()
        if None in values:  # a null among the values is a gap, too
            gap = values.index(None)
            codes = np.where(codes == gap, -1, codes - (codes > gap))
            del values[gap]
        return Distinct(values, codes, column.type.ordered)

    def _numbers(self, j, dtype):
        pa, column = sys.modules["pyarrow"], self.data.column(j)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        if not pa.types.is_floating(column.type):
            column = column.cast(pa.float64(), safe=False)
        return column.to_numpy()


def _kind_of_arrow(dtype):
    """Kind of the entries of a type of pyarrow."""
    types = sys.modules["pyarrow"].types
    if types.is_dictionary(dtype):
        return CATEGORIES
    if types.is_string(dtype) or types.is_large_string(dtype) or str(dtype) == "string_view":
        return STRINGS
    if types.is_boolean(dtype) or types.is_null(dtype) or types.is_decimal(dtype):
        return NUMBERS
    if types.is_integer(dtype) or types.is_floating(dtype):
        return NUMBERS
    if types.is_duration(dtype):
        return as_typed(_WORDS["duration"], dtype)
    if types.is_temporal(dtype):
        return as_typed(_WORDS["date"], dtype)
    return Kind("other", f"entries of type {dtype}")
