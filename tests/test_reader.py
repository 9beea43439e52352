"""The reader of an estimator: levels, their codes, and which columns are categories."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skmdlam._frames import table_of
from skmdlam._reader import Reader

RNG = np.random.RandomState(8)
N = 60
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "shop": RNG.choice(["north", "south", "east"], N),
        "code": RNG.choice([3, 10, 200], N),
        "grade": pd.Categorical(RNG.choice(["b", "a"], N), categories=["c", "b", "a"]),
    }
)


def fit(X, categorical_features="from_dtype", **options):
    return Reader.fit(table_of(X), categorical_features, **options)


def codes(reader, X):
    return reader.read(table_of(X))


class TestWhichColumns:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("from_dtype", [1, 3]),
            ([1, 2, 3], [1, 2, 3]),
            (np.array([3, 1, 1]), [1, 3]),
            ([False, True, True, True], [1, 2, 3]),
            (["grade", "shop"], [1, 3]),
            (np.array(["grade", "shop", "code"]), [1, 2, 3]),
            (pd.Index(["shop", "grade"]), [1, 3]),
        ],
        ids=str,
    )
    def test_found(self, given, expected):
        assert np.flatnonzero(fit(FRAME, given).is_categorical).tolist() == expected

    @pytest.mark.parametrize("given", [None, [], [False] * 4], ids=str)
    def test_none(self, given):
        reader = fit(FRAME[["size", "code"]], given and given[:2])
        assert reader.is_categorical is None
        assert reader.levels == []

    @pytest.mark.parametrize(
        ("given", "match"),
        [
            ([0, 4], r"indices must be from 0 to 3; got \[0, 4\]"),
            ([-1], r"indices must be from 0 to 3; got \[-1\]"),
            ([True, False], r"mask must have shape \(4,\).*got one of shape \(2,\)"),
            (["shop", "town"], r"'town', which is not a column of X; its columns are \['size'"),
            ([1.0], "array-like of bool, int or str; got one of float"),
            (np.array(["shop", 1], dtype=object), "got one of int, str"),
        ],
        ids=str,
    )
    def test_wrong(self, given, match):
        with pytest.raises(ValueError, match=match):
            fit(FRAME, given)

    def test_names_need_a_frame(self):
        with pytest.raises(ValueError, match="holds names, and X has none for its columns"):
            fit(FRAME.to_numpy(), ["shop"])

    def test_sparse(self):
        X = sp.csr_array(np.eye(4))
        assert fit(X).is_categorical is None
        with pytest.raises(ValueError, match=r"X is sparse, and columns \[1\] are categorical"):
            fit(X, [1])

    def test_other_columns_must_be_numbers(self):
        with pytest.raises(ValueError, match=r"strings, for example .*column 'grade'.*categorical"):
            fit(FRAME, ["shop"]).read(table_of(FRAME))


class TestLevels:
    @pytest.mark.parametrize("seed", range(5))
    def test_codes_are_positions(self, seed):
        """Against pandas, for strings, numbers and objects with gaps."""
        rng = np.random.RandomState(seed)
        for pool in (["x", "yy", "a", None], [2.5, -1.0, 70.0, None], [9, 4, None]):
            values = np.array(pool, dtype=object)[rng.randint(len(pool), size=40)]
            oracle = pd.Categorical(values)
            last = len(oracle.categories)
            expected = np.where(oracle.codes < 0, last, oracle.codes)
            reader = fit(values[:, None], [0])
            np.testing.assert_array_equal(codes(reader, values[:, None])[:, 0], expected)
            assert reader.levels[0][:last].tolist() == oracle.categories.tolist()

    def test_unused_levels_are_dropped_in_a_fit(self):
        assert fit(FRAME).levels[1].tolist() == ["b", "a"]
        assert fit(FRAME, keep_declared=True).levels[1].tolist() == ["c", "b", "a"]

    def test_unknown_levels_and_gaps_are_nan(self):
        reader = fit(FRAME)
        new = FRAME[:4].astype({"shop": object, "grade": object})
        new["shop"] = ["west", None, "south", np.nan]
        new["grade"] = ["a", "c", pd.NA, "b"]
        np.testing.assert_array_equal(codes(reader, new)[:, 1], [np.nan, np.nan, 2, np.nan])
        np.testing.assert_array_equal(codes(reader, new)[:, 3], [1, np.nan, np.nan, 0])

    def test_other_declared_categories(self):
        """By value, not by position."""
        new = FRAME.assign(grade=FRAME["grade"].cat.set_categories(["a", "z", "b"]))
        np.testing.assert_array_equal(codes(fit(FRAME), new), codes(fit(FRAME), FRAME))

    @pytest.mark.parametrize("dtype", [float, object, "Int64", "category", np.int8])
    def test_numbers_are_equal_by_value(self, dtype):
        frame = FRAME.assign(code=FRAME["code"] % 100)
        reader = fit(frame, ["shop", "code", "grade"])
        new = frame.astype({"code": dtype})
        np.testing.assert_array_equal(codes(reader, new), codes(reader, frame))

    def test_booleans(self):
        X = pd.DataFrame({"a": [True, False, None, True]})
        reader = fit(X, [0])
        np.testing.assert_array_equal(codes(reader, X)[:, 0], [1, 0, 2, 1])
        np.testing.assert_array_equal(codes(reader, np.array([[1.0], [0]]))[:, 0], [1, 0])

    def test_of_intervals(self):
        """pandas.cut gives levels that are intervals."""
        X = pd.DataFrame({"a": pd.cut(FRAME["size"], [-9, -0.5, 0.5, 9])})
        np.testing.assert_array_equal(codes(fit(X), X)[:, 0], X["a"].cat.codes)

    def test_of_several_types(self):
        X = pd.DataFrame({"a": pd.Categorical([1, "1", 2.5, "b"])})
        assert np.unique(codes(fit(X), X)).tolist() == [0, 1, 2, 3]

    def test_gaps_alone(self):
        X = pd.DataFrame(
            {"a": pd.array([None] * 3, dtype="string"), "b": pd.Categorical([None] * 3)}
        )
        reader = fit(X)
        np.testing.assert_array_equal(codes(reader, X), np.zeros((3, 2)))
        assert all(np.isnan(levels).all() for levels in reader.levels)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_few_rows_of_many_levels(self, library):
        """Levels that no row has are not even looked at."""
        names = [f"l{i}" for i in range(3000)]
        X = pd.DataFrame({"a": pd.Categorical.from_codes([5, 3, -1], names)})
        if library == "polars":
            pl = pytest.importorskip("polars")
            X = pl.DataFrame({"a": pl.Series(["l5", "l3", None], dtype=pl.Enum(names))})
        reader = fit(X, keep_declared=True)
        assert len(reader.levels[0]) == 3001
        np.testing.assert_array_equal(codes(reader, X)[:, 0], [5, 3, 3000])


class TestForms:
    def test_rows_of_an_array(self):
        """Fitted on a frame, read from lists and from arrays."""
        reader = fit(FRAME)
        expected = codes(reader, FRAME)
        for other in (FRAME.to_numpy(dtype=object), FRAME.to_numpy(dtype=object).tolist()):
            np.testing.assert_array_equal(codes(reader, other), expected)

    def test_array_of_numbers(self):
        X = RNG.choice([1.5, -3.0, 1e9, np.nan], size=(50, 3))
        reader = fit(X, [0, 2])
        read = codes(reader, X)
        np.testing.assert_array_equal(read[:, 1], X[:, 1])
        for levels, column, given in zip(reader.levels, read.T[[0, 2]], X.T[[0, 2]], strict=True):
            np.testing.assert_array_equal(levels, [-3.0, 1.5, 1e9, np.nan])
            np.testing.assert_array_equal(levels[column.astype(int)], given)

    def test_lists_with_strings_beside_numbers(self):
        rows = [[1.5, "u"], [2, "v"], [None, None]]
        np.testing.assert_array_equal(codes(fit(rows, [1]), rows), [[1.5, 0], [2, 1], [np.nan, 2]])
        with pytest.raises(ValueError, match="X holds strings, for example 'u'"):
            codes(fit(rows), rows)

    def test_a_column_of_strings_that_was_one_of_numbers(self):
        with pytest.raises(ValueError, match="X holds strings, for example 'big' in column 'size'"):
            codes(fit(FRAME), FRAME.assign(size="big"))


class TestStreams:
    def test_codes_stay(self):
        reader = fit(FRAME, keep_declared=True)
        new = FRAME.assign(shop=["west", "north", None, "abroad"] * 15)
        longer = reader.extended(table_of(new))
        assert longer.levels[0][:5].tolist() == ["east", "north", "south", "abroad", "west"]
        assert np.isnan(longer.levels[0][5]) and len(longer.levels[0]) == 6
        np.testing.assert_array_equal(codes(longer, FRAME), codes(reader, FRAME))
        last = longer.extended(table_of(new.assign(shop="zoo")))
        np.testing.assert_array_equal(codes(last, new), codes(longer, new))
        assert last.levels[0][-1] == "zoo"
        assert len(reader.levels[0]) == 3  # what was there before is left alone

    def test_nothing_new(self):
        reader = fit(FRAME)
        same = zip(reader.extended(table_of(FRAME[:7])).levels, reader.levels, strict=True)
        assert all(one is other for one, other in same)
        assert Reader.of_numbers(2).extended(table_of(np.ones((2, 2)))).is_categorical is None


class TestNumbersInStrings:
    @pytest.mark.parametrize("dtype", [object, "string"])
    def test_warns(self, dtype):
        X = FRAME.assign(price=FRAME["size"].astype(str).astype(dtype))
        with pytest.warns(UserWarning, match=r"'price' holds numbers in strings.*astype\(float\)"):
            fit(X)

    def test_not_of_categories(self):
        X = FRAME.assign(
            zip_code=(RNG.randint(5, size=N) + 10_000).astype(str),
            key=[f"id{i}" for i in range(N)],
            price=pd.Categorical(FRAME["size"].astype(str)),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(X)
            fit(FRAME.assign(price=FRAME["size"].astype(str)), ["shop", "grade", "price"])


def test_pickles():
    reader = fit(FRAME)
    codes(reader, FRAME)
    state = reader.__getstate__()
    assert set(state) == {"is_categorical", "levels", "n_features"}
    other = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(codes(other, FRAME), codes(reader, FRAME))
