"""Tables of every library: one meaning for all of them."""

import datetime
import decimal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skmdlam._entries import CATEGORIES, NUMBERS, STRINGS
from skmdlam._frames import table_of
from skmdlam._reader import Reader

WORDS = ["pear", None, "fig", "pear", "apple"]
CODES = [2, 3, 1, 2, 0]  # sorted, the gap last
COUNTS = [7, None, -2, 0, 7]
FLOATS = [7.0, np.nan, -2.0, 0.0, 7.0]
FLAGS = [True, None, False, False, True]
DECIMALS = [n and decimal.Decimal(n) for n in ("0.875", None, "-0.250", "0.000", "0.875")]


def pandas(*columns):
    return pd.DataFrame({f"c{j}": column for j, column in enumerate(columns)})


def polars(values, dtype=None):
    pl = pytest.importorskip("polars")
    dtype = getattr(pl, dtype) if isinstance(dtype, str) else dtype
    return pl.DataFrame({"c0": pl.Series(values, dtype=dtype)})


def arrow(values, dtype=None, encode=False):
    pa = pytest.importorskip("pyarrow")
    column = pa.array(values)
    column = column.dictionary_encode() if encode else column
    return pa.table({"c0": column if dtype is None else column.cast(dtype(pa))})


def arrow_in_pandas(values, dtype):
    pa = pytest.importorskip("pyarrow")
    return pandas(pd.array(values, dtype=pd.ArrowDtype(dtype(pa))))


def column(values):
    return np.array(values, dtype=object)[:, None]


STRING_FORMS = {
    "objects": lambda: pandas(np.array(WORDS, dtype=object)),
    "objects, nan": lambda: pandas(np.array([w or np.nan for w in WORDS], dtype=object)),
    "objects, NA": lambda: pandas(np.array([w or pd.NA for w in WORDS], dtype=object)),
    "string": lambda: pandas(pd.array(WORDS, dtype="string")),
    "str": lambda: pandas(pd.Series(WORDS, dtype="str" if pd.__version__ > "3" else "string")),
    "category": lambda: pandas(pd.Categorical(WORDS)),
    "arrow string in pandas": lambda: arrow_in_pandas(WORDS, lambda pa: pa.string()),
    "arrow dictionary in pandas": lambda: arrow_in_pandas(
        WORDS, lambda pa: pa.dictionary(pa.int8(), pa.string())
    ),
    "polars String": lambda: polars(WORDS),
    "polars Categorical": lambda: polars(WORDS, "Categorical"),
    "polars Object": lambda: polars(WORDS, "Object"),
    "arrow string": lambda: arrow(WORDS),
    "arrow large string": lambda: arrow(WORDS, lambda pa: pa.large_string()),
    "arrow dictionary": lambda: arrow(WORDS, encode=True),
}

NUMBER_FORMS = {
    "float64": (lambda: pandas(FLOATS), FLOATS),
    "float32": (lambda: pandas(np.array(FLOATS, dtype=np.float32)), FLOATS),
    "objects": (lambda: pandas(np.array(COUNTS, dtype=object)), FLOATS),
    "objects, NA": (
        lambda: pandas(np.array([pd.NA if n is None else n for n in COUNTS], dtype=object)),
        FLOATS,
    ),
    "objects, all gaps": (lambda: pandas(np.array([None] * 5, dtype=object)), [np.nan] * 5),
    "decimals": (lambda: pandas(np.array(DECIMALS, dtype=object)), np.array(FLOATS) / 8),
    "Int64": (lambda: pandas(pd.array(COUNTS, dtype="Int64")), FLOATS),
    "Float64": (lambda: pandas(pd.array(COUNTS, dtype="Float64")), FLOATS),
    "boolean": (lambda: pandas(pd.array(FLAGS, dtype="boolean")), [1, np.nan, 0, 0, 1]),
    "bool": (lambda: pandas([True, False, True, False, True]), [1, 0, 1, 0, 1]),
    "object booleans": (lambda: pandas(np.array(FLAGS, dtype=object)), [1, np.nan, 0, 0, 1]),
    "sparse": (lambda: pandas(pd.arrays.SparseArray([0.0, 3, 0, 0, 1])), [0, 3, 0, 0, 1]),
    "arrow integers in pandas": (lambda: arrow_in_pandas(COUNTS, lambda pa: pa.int32()), FLOATS),
    "arrow decimals in pandas": (
        lambda: arrow_in_pandas(DECIMALS, lambda pa: pa.decimal128(9, 3)),
        np.array(FLOATS) / 8,
    ),
    "arrow booleans in pandas": (
        lambda: arrow_in_pandas(FLAGS, lambda pa: pa.bool_()),
        [1, np.nan, 0, 0, 1],
    ),
    "polars Int16": (lambda: polars(COUNTS, "Int16"), FLOATS),
    "polars Float32": (lambda: polars(COUNTS, "Float32"), FLOATS),
    "polars Boolean": (lambda: polars(FLAGS), [1, np.nan, 0, 0, 1]),
    "polars Decimal": (lambda: polars(DECIMALS), np.array(FLOATS) / 8),
    "polars Null": (lambda: polars([None] * 5), [np.nan] * 5),
    "polars Object": (lambda: polars(COUNTS, "Object"), FLOATS),
    "arrow integers": (lambda: arrow(COUNTS), FLOATS),
    "arrow booleans": (lambda: arrow(FLAGS), [1, np.nan, 0, 0, 1]),
    "arrow decimals": (lambda: arrow(DECIMALS), np.array(FLOATS) / 8),
    "arrow null": (lambda: arrow([None] * 5), [np.nan] * 5),
    "array of objects": (lambda: column(COUNTS), FLOATS),
    "array of NA": (lambda: column([pd.NA if n is None else n for n in COUNTS]), FLOATS),
    "lists": (lambda: [[n] for n in COUNTS], FLOATS),
    "integers": (lambda: np.arange(5, dtype=np.uint8)[:, None], range(5)),
}

DAYS = pd.date_range("2021-03-05", periods=5)
HOURS = pd.to_timedelta(range(5), unit="h")
DATE_FORMS = {
    "datetime64": (lambda: pandas(DAYS), r"dates \(datetime64"),
    "with a zone": (lambda: pandas(DAYS.tz_localize("UTC")), r"dates \(datetime64.*UTC"),
    "timedelta64": (lambda: pandas(HOURS), r"durations \(timedelta64"),
    "period": (lambda: pandas(DAYS.to_period("M")), r"dates \(period"),
    "objects": (lambda: pandas(np.array(DAYS.date, dtype=object)), r"dates or times \(date\)"),
    "times": (lambda: pandas(np.array([datetime.time(3)] * 5)), r"dates or times \(time\)"),
    "array": (lambda: DAYS.to_numpy()[:, None], r"dates \(datetime64"),
    "array of durations": (lambda: HOURS.to_numpy()[:, None], r"durations \(timedelta64"),
    "array of objects": (lambda: column([None, *DAYS[1:]]), r"dates or times \(Timestamp\)"),
    "arrow in pandas": (
        lambda: arrow_in_pandas(DAYS, lambda pa: pa.timestamp("us")),
        "dates or times .timestamp",
    ),
    "polars": (lambda: polars(list(DAYS.to_pydatetime())), "dates or times .Datetime"),
    "polars Date": (lambda: polars(list(DAYS.date)), "dates or times .Date"),
    "polars Duration": (lambda: polars(list(HOURS.to_pytimedelta())), "durations .Duration"),
    "arrow": (lambda: arrow(DAYS.to_numpy()), "dates or times .timestamp"),
    "arrow durations": (lambda: arrow(HOURS.to_numpy()), "durations .duration"),
}

OTHER_FORMS = {
    "complex": (lambda: pandas(np.arange(5) * 1j), "complex numbers"),
    "interval": (lambda: pandas(pd.interval_range(0, 5)), "interval"),
    "lists": (lambda: pandas([[1], [2], [3], [4], [5]]), "objects of type list"),
    "mixed": (lambda: pandas(np.array([1, "a", 2, 3, 4], dtype=object)), "strings and numbers"),
    "polars List": (lambda: polars([[1], [2], [3], [4], [5]]), "type List"),
    "polars Binary": (lambda: polars([b"a"] * 5), "type Binary"),
    "arrow list": (lambda: arrow([[1], [2], [3], [4], [5]]), "type list"),
}


def read(X, categorical="from_dtype"):
    table = table_of(X)
    reader = Reader.fit(table, categorical)
    return reader, reader.read(table)


class TestStrings:
    @pytest.mark.parametrize("form", STRING_FORMS.values(), ids=STRING_FORMS)
    def test_are_categories(self, form):
        reader, values = read(form())
        assert reader.is_categorical.tolist() == [True]
        np.testing.assert_array_equal(values[:, 0], CODES)
        assert reader.levels[0][:3].tolist() == ["apple", "fig", "pear"]
        assert len(reader.levels[0]) == 4 and np.isnan(reader.levels[0][3])

    @pytest.mark.parametrize("form", STRING_FORMS.values(), ids=STRING_FORMS)
    @pytest.mark.parametrize("other", STRING_FORMS.values(), ids=STRING_FORMS)
    def test_mean_the_same_in_every_form(self, form, other):
        """Fitted on one kind of frame, read from another; rows in another order."""
        reader, values = read(form())
        table = table_of(other())
        np.testing.assert_array_equal(reader.read(table), values)

    @pytest.mark.parametrize("form", STRING_FORMS.values(), ids=STRING_FORMS)
    def test_are_refused_where_nothing_is_categorical(self, form):
        with pytest.raises(ValueError, match=r"X holds strings, for example .* in column .c0."):
            read(form(), None)

    @pytest.mark.parametrize("form", STRING_FORMS.values(), ids=STRING_FORMS)
    def test_without_samples_or_with_gaps_alone(self, form):
        reader, _ = read(form())
        frame = form()
        gap = frame[1:2] if not hasattr(frame, "schema") else frame.slice(1, 1)
        none = frame[:0] if not hasattr(frame, "schema") else frame.slice(0, 0)
        assert reader.read(table_of(gap)).tolist() == [[3.0]]
        assert reader.read(table_of(none)).shape == (0, 1)


class TestNumbers:
    @pytest.mark.parametrize(("form", "expected"), NUMBER_FORMS.values(), ids=NUMBER_FORMS)
    def test_are_floats_with_nan_for_gaps(self, form, expected):
        reader, values = read(form())
        assert reader.is_categorical is None
        values = values.toarray() if sp.issparse(values) else values
        np.testing.assert_array_equal(np.asarray(values, dtype=float)[:, 0], expected)

    @pytest.mark.parametrize(("form", "expected"), NUMBER_FORMS.values(), ids=NUMBER_FORMS)
    def test_as_categories(self, form, expected):
        """By a mask: sorted levels, equal by value whatever their type."""
        reader, codes = read(form(), [True])
        present = np.unique([value for value in expected if value == value])
        np.testing.assert_array_equal(
            [float(level) for level in reader.levels[0][: present.size]], present
        )
        where = np.searchsorted(present, np.asarray(expected, dtype=float))
        np.testing.assert_array_equal(codes[:, 0], where)
        as_floats = pandas(np.array(expected, dtype=float))
        np.testing.assert_array_equal(reader.read(table_of(as_floats))[:, 0], where)

    @pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
    def test_single_precision_stays(self, kind):
        single = np.arange(4, dtype=np.float32)
        frame = pd.DataFrame({"a": single, "b": single > 1, "s": list("abab")})
        if kind == "polars":
            frame = (
                pytest.importorskip("polars")
                .DataFrame(frame.to_dict("list"))
                .cast({"a": sys.modules["polars"].Float32})
            )
        if kind == "arrow":
            frame = pytest.importorskip("pyarrow").Table.from_pandas(frame)
        assert read(frame)[1].dtype == np.float32
        numbers = frame.select(["a", "b"]) if kind != "pandas" else frame[["a", "b"]]
        assert read(numbers)[1].dtype == np.float32

    def test_mixed_types_of_pandas(self):
        frame = pandas(
            [1, 2],
            [0.5, np.nan],
            pd.array([None, 3], dtype="Int8"),
            [True, False],
            pd.Categorical([5, 6]),
            np.array([None, 4], dtype=object),
            pd.arrays.SparseArray([0.0, 2.0]),
        )
        expected = [[1, 0.5, np.nan, 1, 5, np.nan, 0], [2, np.nan, 3, 0, 6, 4, 2]]
        np.testing.assert_array_equal(read(frame, None)[1], expected)
        reader, values = read(frame)
        assert np.flatnonzero(reader.is_categorical).tolist() == [4]
        np.testing.assert_array_equal(values[:, 4], [0, 1])

    def test_arrays_of_floats_are_not_copied(self):
        X = np.random.default_rng(0).normal(size=(6, 2))
        assert read(X)[1] is X
        frame = pd.DataFrame(X)
        assert np.shares_memory(read(frame)[1], frame.to_numpy())
        assert read(sp.csr_array(X))[1].shape == (6, 2)


class TestRefused:
    @pytest.mark.parametrize("categorical", ["from_dtype", None, [True]], ids=str)
    @pytest.mark.parametrize(("form", "words"), DATE_FORMS.values(), ids=DATE_FORMS)
    def test_dates(self, form, words, categorical):
        """By name, with what to do; as categories as well."""
        with pytest.raises(ValueError, match=rf"X: column ('c0'|0) holds {words}.*Make numbers"):
            read(form(), categorical)

    @pytest.mark.parametrize("categorical", ["from_dtype", None, [True]], ids=str)
    @pytest.mark.parametrize(("form", "words"), OTHER_FORMS.values(), ids=OTHER_FORMS)
    def test_others(self, form, words, categorical):
        with pytest.raises(ValueError, match=rf"X: column 'c0' holds .*{words}"):
            read(form(), categorical)

    def test_queries(self):
        frame = polars([1.0, 2.0]).lazy()
        with pytest.raises(TypeError, match=r"X_val is a polars LazyFrame.*collect\(\) first"):
            table_of(frame, "X_val")


class TestKinds:
    def test_declared_order(self):
        sizes = ["small", "large", "huge"]
        given = ["large", None, "small"]
        frames = [pandas(pd.Categorical(given, categories=sizes))]
        pl = pytest.importorskip("polars")
        frames.append(polars(given, pl.Enum(sizes)))
        for frame in frames:
            table = table_of(frame)
            assert table.kinds == [CATEGORIES]
            reader = Reader.fit(table, "from_dtype")
            assert reader.levels[0][:-1].tolist() == ["small", "large"]
            reader = Reader.fit(table, "from_dtype", keep_declared=True)
            assert reader.levels[0][:-1].tolist() == sizes
            np.testing.assert_array_equal(reader.read(table)[:, 0], [1, 3, 0])

    def test_ordered_dictionary_of_arrow(self):
        pa = pytest.importorskip("pyarrow")
        kind = pa.DictionaryArray.from_arrays([1, 0, None], ["small", "large"], ordered=True)
        _, values = read(pa.table({"c0": kind}))
        np.testing.assert_array_equal(values[:, 0], [1, 0, 2])

    def test_chunks_of_arrow(self):
        """Each chunk has a dictionary of its own."""
        pa = pytest.importorskip("pyarrow")
        parts = [pa.array(part).dictionary_encode() for part in (["b", "a"], ["c", None, "b"])]
        reader, values = read(pa.table({"c0": pa.chunked_array(parts)}))
        np.testing.assert_array_equal(values[:, 0], [1, 0, 2, 3, 1])
        batch = pa.RecordBatch.from_arrays([parts[1]], ["c0"])
        np.testing.assert_array_equal(reader.read(table_of(batch))[:, 0], [2, 3, 1])

    def test_types_are_enough(self, monkeypatch):
        """Columns of numbers are never looked at one by one."""
        table = table_of(pd.DataFrame(np.ones((3, 50)), columns=[f"c{j}" for j in range(50)]))
        monkeypatch.setattr(table, "kinds", None)
        assert Reader.fit(table, "from_dtype").read(table).shape == (3, 50)

    @pytest.mark.parametrize("names", [["a", "a"], [0, 1], [("a", 1), ("a", 2)]], ids=str)
    def test_any_names(self, names):
        """Columns are known by their position."""
        frame = pd.DataFrame({"x": ["u", "v"], "y": ["w", "w"]})
        frame.columns = names
        np.testing.assert_array_equal(read(frame)[1], [[0, 0], [1, 0]])

    def test_entries_of_objects_are_looked_at(self):
        table = table_of(
            pandas(np.array([1, 2.5], dtype=object), np.array(["a", "b"], dtype=object))
        )
        assert table.kinds == [NUMBERS, STRINGS]


@pytest.mark.slow
def test_no_library_is_needed():
    """Arrays are read without pandas, polars and pyarrow."""
    code = """
import sys
sys.modules.update(dict.fromkeys(("pandas", "polars", "pyarrow")))
import numpy as np
from skmdlam._frames import table_of
from skmdlam._reader import Reader
X = np.array([["a", 1, 2.5], [None, None, 1], ["b", np.nan, 0]], dtype=object)
reader = Reader.fit(table_of(X), [0])
print(reader.read(table_of(X)).tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[0.0, 1.0, 2.5], [2.0, nan, 1.0], [1.0, nan, 0.0]]"
