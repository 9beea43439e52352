"""Frame by kind of column by gap: what is fitted, and as what, and what is refused.

The user guide shows the same table (``doc/user_guide/data_frames.rst``). Every frame is compared
with an array of floats, the numbers or the codes of the levels, of which it must be the same model.
"""

import datetime
import decimal
import functools
import io
import itertools
import pickle
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing

from skmdlam import MDLAMClassifier, MDLAMRegressor

try:
    import polars as pl
except ImportError:
    pl = None
try:
    import pyarrow as pa
except ImportError:
    pa = None

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PAGE = Path(__file__).resolve().parents[1] / "doc" / "user_guide" / "data_frames.rst"

N = 60
RNG = np.random.RandomState(12)
NUMBERS = RNG.randint(-3, 5, N).tolist()
POSITIVE = [abs(value) for value in NUMBERS]
FLAGS = (RNG.uniform(size=N) > 0.4).tolist()
WORDS = RNG.choice(["fig", "kiwi", "lime", "pear"], N).tolist()
BACKWARDS = ["pear", "lime", "kiwi", "fig"]
OTHER = RNG.randint(-9, 10, N).astype(float)  # another column, which every type of numbers holds
Y = OTHER / 9 + np.array(NUMBERS) + 2.0 * np.array([word == "lime" for word in WORDS])
DAYS = [datetime.date(2021, 3, 5) + datetime.timedelta(days=day) for day in range(N)]
TIMES = [datetime.datetime.combine(day, datetime.time(7)) for day in DAYS]
LAGS = [datetime.timedelta(hours=hour) for hour in range(N)]
DECIMALS = [decimal.Decimal(value) for value in NUMBERS]


# How a column comes, by library. A column of values, None for a gap, and another one of numbers.


def pandas(dtype=None, *, with_gaps=None):
    """A pandas.DataFrame; ``with_gaps`` is the type where there are gaps and ``dtype`` has none."""

    def make(values, other):
        kind = dtype() if callable(dtype) else dtype
        kind = with_gaps if with_gaps and None in values else kind
        return pd.DataFrame({"a": pd.Series(values, dtype=kind), "b": other})

    return make


def arrow_in_pandas(kind):
    return pandas(lambda: pd.ArrowDtype(kind()))


def ordered(values, other):
    declared = [*BACKWARDS, *unknown_to(BACKWARDS, values)]
    column = pd.Categorical(values, categories=declared, ordered=True)
    return pd.DataFrame({"a": column, "b": other})


def sparse_in_pandas(values, other):
    column = pd.arrays.SparseArray(np.array(values, dtype=float), fill_value=0.0)
    return pd.DataFrame({"a": column, "b": other})


def polars(dtype=None):
    def make(values, other):
        kind = None if dtype is None else dtype()
        return pl.DataFrame({"a": pl.Series(values, dtype=kind), "b": other})

    return make


def enum(values, other):
    kind = pl.Enum([*BACKWARDS, *unknown_to(BACKWARDS, values)])
    return pl.DataFrame({"a": pl.Series(values, dtype=kind), "b": other})


def arrow(kind=None):
    def make(values, other):
        return pa.table({"a": pa.array(values, None if kind is None else kind()), "b": other})

    return make


def dictionary(values, other):
    return pa.table({"a": pa.array(values).dictionary_encode(), "b": other})


def array(dtype=float, with_gaps=float):
    def make(values, other):
        rows = np.empty((len(values), 2), dtype=object)
        rows[:, 0], rows[:, 1] = values, other
        return rows.astype(with_gaps if None in values else dtype)

    return make


def masked(values, other):
    X = np.ma.masked_array([np.where([v is None for v in values], 7, values), other], dtype=int).T
    X[[value is None for value in values], 0] = np.ma.masked
    return X


def lists(values, other):
    return [list(row) for row in zip(values, other, strict=True)]


def csr(values, other):
    return sp.csr_array(array()(values, other))


def all_sparse(values, other):
    data = np.array([values, other], dtype=float).T
    dtype = pd.SparseDtype(float, 0.0)
    return pd.DataFrame(
        {name: pd.Series(x, dtype=dtype) for name, x in zip("ab", data.T, strict=True)}
    )


def unknown_to(levels, values):
    return [value for value in dict.fromkeys(values) if value not in levels and value is not None]


class Form(NamedTuple):
    """A type of column of a library, as the user guide names it, and what happens to it."""

    library: str
    type: str
    values: list
    make: object
    gap: str | None = None  # the error where there is one
    parameters: dict = {}
    levels: list | None = None  # in their order, where that is not sorted

    def __str__(self):
        return f"{self.library}, {self.type}"


MASK = {"categorical_features": [True, False]}
FIRST = {"categorical_features": [0]}
SPARSE_GAP = r"Input X contains NaN, and it is sparse.*toarray\(\)"

AS_NUMBERS = [
    Form("pandas", "float64", NUMBERS, pandas("float64")),
    Form("pandas", "float32", NUMBERS, pandas("float32")),
    Form("pandas", "int64", NUMBERS, pandas("int64", with_gaps="float64")),
    Form("pandas", "bool", FLAGS, pandas("bool", with_gaps="object")),
    Form("pandas", "Int64", NUMBERS, pandas("Int64")),
    Form("pandas", "Float64", NUMBERS, pandas("Float64")),
    Form("pandas", "boolean", FLAGS, pandas("boolean")),
    Form("pandas", "object of numbers", NUMBERS, pandas("object")),
    Form("pandas", "Sparse", NUMBERS, sparse_in_pandas),
    Form("pandas", "all columns Sparse", NUMBERS, all_sparse, gap=SPARSE_GAP),
    Form("pandas", "double[pyarrow]", NUMBERS, arrow_in_pandas(lambda: pa.float64())),
    Form("pandas", "int64[pyarrow]", NUMBERS, arrow_in_pandas(lambda: pa.int64())),
    Form("pandas", "bool[pyarrow]", FLAGS, arrow_in_pandas(lambda: pa.bool_())),
    Form("polars", "Float64", NUMBERS, polars(lambda: pl.Float64)),
    Form("polars", "Int64", NUMBERS, polars(lambda: pl.Int64)),
    Form("polars", "UInt8", POSITIVE, polars(lambda: pl.UInt8)),
    Form("polars", "Boolean", FLAGS, polars()),
    Form("polars", "Decimal", DECIMALS, polars()),
    Form("pyarrow", "double", NUMBERS, arrow(lambda: pa.float64())),
    Form("pyarrow", "int64", NUMBERS, arrow(lambda: pa.int64())),
    Form("pyarrow", "bool", FLAGS, arrow()),
    Form("pyarrow", "decimal128", DECIMALS, arrow()),
    Form("NumPy, lists, SciPy", "float array", NUMBERS, array()),
    Form("NumPy, lists, SciPy", "int array", NUMBERS, array(int)),
    Form("NumPy, lists, SciPy", "object array of numbers", NUMBERS, array(object, object)),
    Form("NumPy, lists, SciPy", "masked array", NUMBERS, masked),
    Form("NumPy, lists, SciPy", "lists of numbers", NUMBERS, lists),
    Form("NumPy, lists, SciPy", "sparse matrix", NUMBERS, csr, gap=SPARSE_GAP),
]

AS_CATEGORIES = [
    Form("pandas", "category", WORDS, pandas("category")),
    Form("pandas", "category of numbers", NUMBERS, pandas("category")),
    Form("pandas", "ordered category", WORDS, ordered, levels=BACKWARDS),
    Form("pandas", "string", WORDS, pandas("string")),
    Form("pandas", "object of strings", WORDS, pandas("object")),
    Form("pandas", "string[pyarrow]", WORDS, arrow_in_pandas(lambda: pa.string())),
    Form(
        "pandas",
        "dictionary[pyarrow]",
        WORDS,
        arrow_in_pandas(lambda: pa.dictionary(pa.int8(), pa.string())),
    ),
    Form("polars", "String", WORDS, polars()),
    Form("polars", "Categorical", WORDS, polars(lambda: pl.Categorical)),
    Form("polars", "Enum", WORDS, enum, levels=BACKWARDS),
    Form("pyarrow", "string", WORDS, arrow()),
    Form("pyarrow", "large_string", WORDS, arrow(lambda: pa.large_string())),
    Form("pyarrow", "dictionary", WORDS, dictionary),
    # By name, mask or index, columns of these types are categories, too.
    Form("pandas", "int64", NUMBERS, pandas("int64", with_gaps="Int64"), parameters=MASK),
    Form("pandas", "boolean", FLAGS, pandas("boolean"), parameters=FIRST),
    Form("polars", "Int64", NUMBERS, polars(), parameters={"categorical_features": ["a"]}),
    Form("NumPy, lists, SciPy", "float array", NUMBERS, array(), parameters=FIRST),
    Form("NumPy, lists, SciPy", "object array", WORDS, array(object, object), parameters=MASK),
    Form("NumPy, lists, SciPy", "lists", WORDS, lists, parameters=FIRST),
]

DATES = r"X: column ('a'|0) holds dates.* Make numbers of them: the days"
DURATIONS = r"X: column ('a'|0) holds durations .*Make numbers of them, such as seconds"
OTHERS = r"X: column 'a' holds (objects|entries) of type .*Only numbers and categories"
MIXED = r"X: column 'a' holds strings and numbers. Make all of them strings"
STRINGS = r"X holds strings, for example .*Name columns of categories in categorical_features"
LISTS = [[value] for value in NUMBERS]
MIXTURE = [value if value > 0 else "low" for value in NUMBERS]
PERIODS = list(pd.period_range("2021-03", periods=N, freq="M"))

REFUSED = [
    (DATES, Form("pandas", "datetime64", DAYS, pandas("datetime64[ns]"))),
    (DATES, Form("pandas", "datetime64, UTC", DAYS, pandas("datetime64[ns, UTC]"))),
    (DATES, Form("pandas", "object of dates", DAYS, pandas("object"))),
    (DATES, Form("pandas", "period", PERIODS, pandas())),
    (
        DATES,
        Form("pandas", "timestamp[pyarrow]", TIMES, arrow_in_pandas(lambda: pa.timestamp("us"))),
    ),
    (DATES, Form("polars", "Date", DAYS, polars())),
    (DATES, Form("polars", "Datetime", TIMES, polars())),
    (DATES, Form("pyarrow", "date32", DAYS, arrow())),
    (DATES, Form("pyarrow", "timestamp", TIMES, arrow())),
    (DATES, Form("NumPy, lists, SciPy", "object array of dates", DAYS, array(object, object))),
    (DURATIONS, Form("pandas", "timedelta64", LAGS, pandas("timedelta64[ns]"))),
    (DURATIONS, Form("polars", "Duration", LAGS, polars())),
    (DURATIONS, Form("pyarrow", "duration", LAGS, arrow())),
    (OTHERS, Form("pandas", "interval", list(pd.interval_range(0, N)), pandas())),
    (OTHERS, Form("pandas", "object of lists", LISTS, pandas())),
    (OTHERS, Form("polars", "List", LISTS, polars())),
    (OTHERS, Form("polars", "Struct", [{"c": value} for value in NUMBERS], polars())),
    (OTHERS, Form("pyarrow", "list", LISTS, arrow())),
    (MIXED, Form("pandas", "object of strings and numbers", MIXTURE, pandas("object"))),
    (STRINGS, Form("NumPy, lists, SciPy", "strings", WORDS, array(object, object))),
    (
        "holds complex numbers",
        Form("pandas", "complex128", (np.array(NUMBERS) + 2j).tolist(), pandas("complex128")),
    ),
    (
        "Complex data not supported|holds complex numbers",
        Form("NumPy, lists, SciPy", "complex array", NUMBERS, array(complex, complex)),
    ),
    (
        r"X is an array of records .*make a data frame of it, pandas.DataFrame\(X\)",
        Form(
            "NumPy, lists, SciPy",
            "structured array",
            NUMBERS,
            lambda values, other: np.rec.fromarrays([values, other], names="a, b"),
        ),
    ),
]
# Of these a type of NumPy has no gaps.
NO_GAP = {"structured array", "complex array", "complex128"}


def available(form):
    """The form, or a skip with the library that is missing."""
    if "pyarrow" in str(form) and pa is None:
        pytest.skip("needs pyarrow")
    if form.library == "polars" and pl is None:
        pytest.skip("needs polars")
    return form


def with_gaps(values):
    return [None if row % 7 == 3 else value for row, value in enumerate(values)]


def new_samples(form, kind, more=()):
    """Samples that were seen, a gap, and a level that was not."""
    unknown = {str: "mango", int: 77}.get(type(form.values[0]))
    more = [None] if kind == "numbers" or unknown is None else [None, unknown]
    values = [*form.values[:4], *more]
    return values, OTHER[: len(values)]


def assert_same(one, other):
    """To rounding: products of another layout may add in another order."""
    np.testing.assert_allclose(one, other, rtol=1e-9)


def regressor(**parameters):
    return MDLAMRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0, **parameters)


@functools.cache
def reference(kind, name, gap, levels):
    """The model of the floats that a form stands for."""
    values = {"NUMBERS": NUMBERS, "POSITIVE": POSITIVE, "FLAGS": FLAGS, "WORDS": WORDS}[name]
    X = floats(kind, with_gaps(values) if gap else values, OTHER, levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return regressor(categorical_features=[0] if kind == "category" else None).fit(X, Y)


def floats(kind, values, other, levels):
    """Numbers or positions among the levels, beside the other column."""
    if kind == "category":
        position = {level: float(code) for code, level in enumerate(levels)}
        unknown = float(len(levels))
        values = [None if value is None else position.get(value, unknown) for value in values]
    return np.array([values, other], dtype=float).T


def name_of(values):
    known = {"NUMBERS": NUMBERS, "POSITIVE": POSITIVE, "FLAGS": FLAGS, "WORDS": WORDS}
    return next(name for name, each in known.items() if each == values)


CASES = [
    pytest.param(kind, form, gap, id=f"{form} {kind}{' with gaps' * gap}")
    for kind, forms in (("numbers", AS_NUMBERS), ("category", AS_CATEGORIES))
    for form, gap in itertools.product(forms, (False, True))
]


@pytest.mark.parametrize(("kind", "form", "gap"), CASES)
@pytest.mark.slow
def test_fitted(kind, form, gap):
    """The model of the floats, also for a gap that the training samples had not."""
    form = available(form)
    values = with_gaps(form.values) if gap else form.values
    model = regressor(**form.parameters)
    if gap and form.gap:
        with pytest.raises(ValueError, match=form.gap):
            model.fit(form.make(values, OTHER), Y)
        assert not hasattr(model, "coefs_")
        return
    X = form.make(values, OTHER)
    model.fit(X, Y)
    assert model.n_features_in_ == 2
    levels = tuple(form.levels or sorted(set(form.values))) if kind == "category" else None
    if kind == "category":
        assert model.is_categorical_.tolist() == [True, False]
        found = model.categories_[0].tolist()
        assert tuple(found[: len(levels)]) == levels
        assert np.isnan(found[len(levels) :]).tolist() == [True] * gap
    else:
        assert model.is_categorical_ is None and model.categories_ == []
    expected = reference(kind, name_of(form.values), gap, levels)
    given = floats(kind, values, OTHER, levels)
    assert_same(model.predict(X), expected.predict(given))
    new, other = new_samples(form, kind)
    if form.gap:
        with pytest.raises(ValueError, match=form.gap):
            model.predict(form.make(new, other))
        return
    got = model.predict(form.make(new, other))
    assert_same(got, expected.predict(floats(kind, new, other, levels)))
    assert np.isfinite(got).all()


@pytest.mark.parametrize(
    ("message", "form", "gap"),
    [
        pytest.param(message, form, gap, id=f"{form}{' with gaps' * gap}")
        for (message, form), gap in itertools.product(REFUSED, (False, True))
        if not (gap and form.type in NO_GAP)
    ],
)
def test_refused(message, form, gap):
    """In fit, and in predict of a model of numbers and of one of categories."""
    form = available(form)
    X = form.make(with_gaps(form.values) if gap else form.values, OTHER)
    with pytest.raises(ValueError, match=message):
        regressor(**form.parameters).fit(X, Y)
    named = hasattr(X, "columns")
    trained = pandas("float64") if named else array()
    model = regressor().fit(trained(NUMBERS, OTHER), Y)
    with pytest.raises(ValueError, match=message):
        model.predict(X)
    if message in (STRINGS, MIXED):  # as levels they are unknown, or no numbers either
        return
    trained = pandas("object") if named else array(object, object)
    model = regressor(categorical_features=[0]).fit(trained(WORDS, OTHER), Y)
    with pytest.raises(ValueError, match=message):
        model.predict(X)


def test_page_has_the_same_table():
    """Each type that a cell of the user guide names is tested, and each that is tested is named."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.split(".. list-table:: What a column is read as\n", 1)[1].split("\n\n", 1)[1]
    table = re.split(r"\n(?=\S)", table, maxsplit=1)[0]
    rows = [
        [" ".join(cell.split()) for cell in re.split(r"\n     -(?: |$)", row, flags=re.M)]
        for row in re.split(r"(?:^|\n)   \* - ", table)[1:]
    ]
    _, *libraries = rows.pop(0)
    found = {
        what: {
            (library, name)
            for library, cell in zip(libraries, cells, strict=True)
            for name in re.findall(r"``([^`]+)``", cell)
            if name != "categorical_features"
        }
        for what, *cells in rows
    }
    words = {DATES: "refused: dates and times", DURATIONS: "refused: durations"}
    expected = {"numbers": AS_NUMBERS, "categories": AS_CATEGORIES}
    for message, form in REFUSED:
        expected.setdefault(words.get(message, "refused: others"), []).append(form)
    assert found == {
        what: {(form.library, form.type) for form in forms if not form.parameters}
        for what, forms in expected.items()
    }


class TestMeaning:
    """Of what training has never seen."""

    def test_gap_in_numbers(self):
        """A gap where the training samples had none is their mean."""
        X = np.array([NUMBERS, OTHER], dtype=float).T
        model = regressor().fit(X, Y)
        mean = X.mean(axis=0)
        got = model.predict([[np.nan, 2.0], [1.0, np.nan], [np.nan, np.nan]])
        at_mean = model.predict([[mean[0], 2.0], [1.0, mean[1]], mean])
        np.testing.assert_allclose(got, at_mean, rtol=1e-10)

    def test_gap_with_curves(self):
        """With pieces it is their median."""
        X = np.random.RandomState(0).lognormal(size=(61, 2))
        model = regressor(encoding="piecewise").fit(X, np.log(X).sum(axis=1))
        got, at_median = model.predict([[np.nan, 2.0], [np.median(X[:, 0]), 2.0]])
        assert got == pytest.approx(at_median, rel=1e-6)

    def test_unknown_level(self):
        """It is the same as a gap that was never seen, and lies among the levels."""
        X = pandas("object")(WORDS, OTHER)
        model = MDLAMRegressor(hidden_layer_sizes=(), max_iter=50, random_state=0).fit(X, Y)
        new = model.predict(pandas("object")(["mango", None], np.zeros(2)))
        levels = model.predict(pandas("object")(BACKWARDS, np.zeros(4)))
        assert new[0] == new[1]
        assert levels.min() < new[0] < levels.max()

    @pytest.mark.parametrize("given", ["strings", "numbers"])
    def test_levels_of_another_type(self, given):
        """Numbers where levels are strings: not one is known, and that is said."""
        words = [str(value) for value in NUMBERS]
        fitted, new = (words, NUMBERS) if given == "numbers" else (NUMBERS, words)
        model = regressor(categorical_features=[0]).fit(pandas("object")(fitted, OTHER), Y)
        with pytest.warns(UserWarning, match=rf"'a' holds {given}, for example .*none of these"):
            model.predict(pandas("object")(new, OTHER))
        model.predict(pandas("object")([None, None], OTHER[:2]))  # a gap has no type

    def test_null_among_the_values_of_a_dictionary(self):
        """pyarrow has two ways to say gap."""
        pa = pytest.importorskip("pyarrow")
        codes = [0, 1, 2] * 20
        column = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(["x", None, "y"]))
        model = regressor().fit(pa.table({"a": column, "b": OTHER}), Y)
        assert model.categories_[0][:2].tolist() == ["x", "y"] and len(model.categories_[0]) == 3
        plain = arrow()([["x", None, "y"][code] for code in codes], OTHER)
        np.testing.assert_array_equal(
            model.predict(plain), regressor().fit(plain, Y).predict(plain)
        )

    def test_masked_strings(self):
        rows = np.ma.masked_array([["x", "y"]] * 30 + [["y", "y"]] * 30)
        rows[::5, 0] = np.ma.masked
        model = regressor(categorical_features=[0, 1]).fit(rows, Y)
        assert [len(levels) for levels in model.categories_] == [3, 1]

    def test_dicts(self):
        with pytest.raises(ValueError, match=r"X is a dict: make a data frame of it"):
            regressor().fit({"a": NUMBERS, "b": OTHER}, Y)


SIZE = np.where(np.arange(N) % 8 == 5, np.nan, RNG.normal(size=N))
WEIGHT = RNG.normal(size=N)
SHOP = [None if row % 9 == 2 else shop for row, shop in enumerate(RNG.choice(list("nse"), N))]
GRADE = RNG.choice(["high", "low", "mid"], N).tolist()
LABELS = (np.nan_to_num(SIZE) + np.array([grade == "low" for grade in GRADE]) > 0.3).astype(int)
COLUMNS = ["size", "weight", "flag", "shop", "grade"]


def mixed_pandas():
    columns = [SIZE, WEIGHT, FLAGS, np.array(SHOP, dtype=object), pd.Categorical(GRADE)]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def mixed_polars():
    pl = pytest.importorskip("polars")
    columns = [pl.Series(SIZE, nan_to_null=True), WEIGHT, FLAGS, SHOP]
    columns.append(pl.Series(GRADE, dtype=pl.Categorical))
    return pl.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def mixed_arrow():
    pa = pytest.importorskip("pyarrow")
    columns = [pa.array(SIZE, from_pandas=True), WEIGHT, FLAGS, pa.array(SHOP)]
    columns.append(pa.array(GRADE).dictionary_encode())
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def mixed_objects():
    return mixed_pandas().to_numpy(dtype=object)


def mixed_lists():
    return mixed_objects().tolist()


def mixed_dask():
    dask = pytest.importorskip("dask.dataframe", reason="needs dask")
    return dask.from_pandas(mixed_pandas(), npartitions=3)


FRAMES = {"pandas": mixed_pandas, "polars": mixed_polars, "pyarrow": mixed_arrow}
ALL = FRAMES | {"objects": mixed_objects, "lists": mixed_lists, "dask": mixed_dask}
of_each_library = pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)


@functools.cache
def codes():
    """The frame as floats."""
    columns = [pd.Categorical(column).codes.astype(float) for column in (SHOP, GRADE)]
    columns = [np.where(column < 0, np.nan, column) for column in columns]
    return np.array([SIZE, WEIGHT, FLAGS, *columns], dtype=float).T


def classifier(**parameters):
    return MDLAMClassifier((4,), max_iter=2, random_state=0, **parameters)


def of_codes():
    return classifier(categorical_features=[3, 4])


def rows_taken(make):
    """The frame, where this scikit-learn can take rows of it."""
    X = make()
    try:
        _safe_indexing(X, [0, 1])
    except TypeError:
        pytest.skip(f"this scikit-learn cannot take rows of a {type(X)}")
    return X


class TestTools:
    """What scikit-learn does with a frame: the same as with an array of codes."""

    @of_each_library
    def test_pipeline_and_search(self, make):
        grid = {"mdlamclassifier__alpha": [0.01, 10.0]}

        def search(model, X):
            search = GridSearchCV(make_pipeline("passthrough", model), grid, cv=2)
            return search.set_params(error_score="raise").fit(X, LABELS)

        X = rows_taken(make)
        found, expected = search(classifier(), X), search(of_codes(), codes())
        np.testing.assert_array_equal(
            found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
        )
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(codes()))

    @of_each_library
    def test_cross_validate(self, make):
        options = {"cv": 3, "scoring": "neg_log_loss", "error_score": "raise"}
        found = cross_validate(classifier(), rows_taken(make), LABELS, **options)
        expected = cross_validate(of_codes(), codes(), LABELS, **options)
        np.testing.assert_array_equal(found["test_score"], expected["test_score"])

    # scikit-learn makes an array of what is not from pandas.
    @pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
    @of_each_library
    def test_permutation_importance(self, make):
        options = {"scoring": "neg_log_loss", "n_repeats": 2, "random_state": 0}
        model, expected = classifier().fit(make(), LABELS), of_codes().fit(codes(), LABELS)
        np.testing.assert_array_equal(
            permutation_importance(model, make(), LABELS, **options).importances,
            permutation_importance(expected, codes(), LABELS, **options).importances,
        )

    @pytest.mark.parametrize(("feature", "categorical"), [("weight", None), ("grade", ["grade"])])
    def test_partial_dependence(self, feature, categorical):
        """scikit-learn has it for pandas and for arrays."""
        model, expected = classifier().fit(mixed_pandas(), LABELS), of_codes().fit(codes(), LABELS)
        options = {"grid_resolution": 5, "categorical_features": categorical}
        found = partial_dependence(model, mixed_pandas(), [feature], **options)
        options["categorical_features"] = categorical and [4]
        place = COLUMNS.index(feature)
        of_array = partial_dependence(expected, codes(), [place], **options)
        assert np.ptp(found["average"]) > 0
        np.testing.assert_array_equal(found["average"], of_array["average"])

    @of_each_library
    def test_calibration(self, make):
        def calibrated(model, X):
            return CalibratedClassifierCV(model, cv=2).fit(X, LABELS).predict_proba(X)

        np.testing.assert_array_equal(
            calibrated(classifier(), rows_taken(make)), calibrated(of_codes(), codes())
        )

    @pytest.mark.parametrize("output", ["pandas", "polars"])
    @of_each_library
    def test_set_output(self, make, output):
        library = pytest.importorskip(output)
        model = classifier().set_output(transform=output)
        hidden = model.fit_transform(make(), LABELS)
        assert isinstance(hidden, library.DataFrame)
        assert list(hidden.columns) == [f"mdlamclassifier{unit}" for unit in range(4)]
        expected = of_codes().fit(codes(), LABELS).transform(codes())
        np.testing.assert_array_equal(hidden.to_numpy(), expected)

    @of_each_library
    def test_clone(self, make):
        parameters = {"categorical_features": ["shop", "grade"]}
        model = classifier(**parameters).fit(make(), LABELS)
        copy = clone(model)
        assert copy.get_params() == model.get_params() and not hasattr(copy, "categories_")
        np.testing.assert_array_equal(
            copy.fit(make(), LABELS).predict_proba(make()), model.predict_proba(make())
        )

    @pytest.mark.parametrize("way", ["pickle", "joblib", "skops"])
    @of_each_library
    def test_stored(self, make, way):
        model = classifier().fit(make(), LABELS)
        if way == "pickle":
            other = pickle.loads(pickle.dumps(model))
        elif way == "joblib":
            file = io.BytesIO()
            joblib.dump(model, file)
            file.seek(0)
            other = joblib.load(file)
        else:
            skops = pytest.importorskip("skops.io", reason="needs skops")
            data = skops.dumps(model)
            trusted = skops.get_untrusted_types(data=data)
            assert all(name.startswith("skmdlam.") for name in trusted)
            other = skops.loads(data, trusted=trusted)
        np.testing.assert_array_equal(other.predict_proba(make()), model.predict_proba(make()))
        assert [len(levels) for levels in other.categories_] == [4, 3]

    @of_each_library
    def test_partial_fit(self, make):
        def learned(model, X):
            for start in range(0, N, 20):
                rows = slice(start, start + 20)
                chunk = X.slice(start, 20) if hasattr(X, "schema") else X[rows]
                model.partial_fit(chunk, LABELS[rows], classes=[0, 1])
            return model.predict_proba(X)

        np.testing.assert_array_equal(learned(classifier(), make()), learned(of_codes(), codes()))

    @of_each_library
    def test_watched_and_continued(self, make):
        """X_val, early stopping and warm_start."""
        options = {"early_stopping": True, "warm_start": True}
        watched = {"X_val": make(), "y_val": LABELS}
        model = classifier(**options).fit(make(), LABELS, **watched).fit(make(), LABELS, **watched)
        expected = of_codes().set_params(**options)
        watched["X_val"] = codes()
        expected.fit(codes(), LABELS, **watched).fit(codes(), LABELS, **watched)
        np.testing.assert_array_equal(model.predict_proba(make()), expected.predict_proba(codes()))


@pytest.mark.filterwarnings("ignore:X (has|does not have) .*feature names:UserWarning")
@pytest.mark.parametrize("fitted", ALL.values(), ids=ALL)
def test_fitted_on_one_predicts_on_all(fitted):
    """Of the same samples, whatever the form of either."""
    named = fitted not in (mixed_objects, mixed_lists)
    model = classifier(categorical_features="from_dtype" if named else [3, 4])
    model.fit(fitted(), LABELS)
    expected = of_codes().fit(codes(), LABELS).predict_proba(codes())
    for name, new in ALL.items():
        np.testing.assert_array_equal(model.predict_proba(new()), expected, err_msg=name)
