"""Every form in which data come: the fit is that of plain arrays, and nothing is copied in vain."""

import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import ConvergenceWarning

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor

RNG = np.random.RandomState(3)
X = RNG.standard_normal((90, 6))
NUMBERS = np.tanh(X @ RNG.standard_normal(6)) + 0.1 * RNG.standard_normal(90)
LABELS = np.digitize(NUMBERS, [-0.4, 0.4])
NAMES = list("abcdef")
OLD = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9)

both = pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
SOLVERS = {
    "mini-batches": {"batch_size": 30},
    "full batch": {"batch_size": None},
    "relaxed": {"solver": "relaxed"},
}
every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
# Each solver with one of the two: a solver sees arrays of one kind, whoever checked them.
each_solver = pytest.mark.parametrize(
    ("estimator", "solver"),
    list(zip([MDLAMClassifier, MDLAMRegressor, MDLAMClassifier], SOLVERS.values(), strict=True)),
    ids=SOLVERS,
)


def target(estimator):
    return LABELS if issubclass(estimator, MDLAMClassifier) else NUMBERS


def fit(estimator, X, y, **parameters):
    model = estimator(
        **{"hidden_layer_sizes": (7,), "max_iter": 8, "random_state": 0, **parameters}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def says(model, X):
    return model.decision_function(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same(one, other):
    """To rounding: products of another layout may add in another order."""
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def strided(array):
    """The same numbers, none next to another."""
    wide = np.zeros(tuple(3 * size for size in array.shape), dtype=array.dtype)
    view = wide[tuple(slice(1, None, 3) for _ in array.shape)]
    view[...] = array
    return view


def reversed_twice(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def unaligned(array):
    """Numbers that begin at an odd byte, as in a packed file."""
    buffer = bytearray(1 + array.nbytes)
    view = np.frombuffer(buffer, dtype=array.dtype, offset=1, count=array.size)
    view = view.reshape(array.shape)
    view[...] = array
    return view


MEMORY = {
    "Fortran": np.asfortranarray,
    "strided": strided,
    "negative strides": reversed_twice,
    "read-only": read_only,
    "unaligned": unaligned,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
}


class TestMemoryLayout:
    @each_solver
    @pytest.mark.parametrize("layout", MEMORY.values(), ids=MEMORY)
    def test_makes_no_difference(self, estimator, solver, layout):
        y = target(estimator)
        plain = fit(estimator, X, y, **solver)
        data, other_target = layout(X), layout(y)
        kept = np.array(data)
        other = fit(estimator, data, other_target, **solver)
        np.testing.assert_array_equal(data, kept)
        assert_same(says(other, layout(X)), says(plain, X))

    @each_solver
    @pytest.mark.parametrize("mode", ["r", "c"])
    def test_memory_mapped(self, estimator, solver, mode, tmp_path):
        for name, array in (("X", X), ("y", target(estimator))):
            np.save(tmp_path / f"{name}.npy", array)
        data = [np.load(tmp_path / f"{name}.npy", mmap_mode=mode) for name in ("X", "y")]
        assert all(isinstance(array, np.memmap) for array in data)
        model = fit(estimator, *data, **solver)
        plain = fit(estimator, X, target(estimator), **solver)
        np.testing.assert_array_equal(says(model, data[0]), says(plain, X))
        assert not any(isinstance(W, np.memmap) for W in model.coefs_)

    @every_solver
    @pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array])
    def test_sparse_memory_mapped(self, solver, container, tmp_path):
        """joblib gives large arrays to its workers like that: read-only."""
        data = container(np.where(np.abs(X) > 1, X, 0))
        joblib.dump(data, tmp_path / "X.joblib")
        mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
        assert not mapped.data.flags.writeable
        model, plain = (fit(MDLAMClassifier, x, LABELS, **solver) for x in (mapped, data))
        np.testing.assert_array_equal(says(model, mapped), says(plain, data))


class TestLists:
    @each_solver
    def test_of_lists(self, estimator, solver):
        y = target(estimator)
        model = fit(estimator, X.tolist(), y.tolist(), **solver)
        np.testing.assert_array_equal(
            says(model, X.tolist()), says(fit(estimator, X, y, **solver), X)
        )

    @both
    def test_of_weights(self, estimator):
        y, weight = target(estimator), RNG.uniform(0.5, 2, size=90)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            one, two = (
                estimator(hidden_layer_sizes=(7,), max_iter=5, random_state=0).fit(
                    X.tolist(), y.tolist(), w
                )
                for w in (weight, weight.tolist())
            )
        np.testing.assert_array_equal(says(one, X), says(two, X))


class TestOtherNumbers:
    @each_solver
    @pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int32, np.int64, np.float16])
    @pytest.mark.slow
    def test_of_x(self, estimator, solver, dtype):
        """The same as those numbers in float64; no difference wraps around."""
        data = np.clip(50 * np.abs(X), 0, 127).astype(np.uint8).astype(dtype)
        y = target(estimator)
        model, plain = (fit(estimator, x, y, **solver) for x in (data, data.astype(float)))
        np.testing.assert_array_equal(says(model, data), says(plain, data.astype(float)))
        assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(float)}

    @every_solver
    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32])
    def test_of_y(self, solver, dtype):
        y = np.clip(3 + 2 * NUMBERS, 0, 6).astype(np.uint8).astype(dtype)
        model, plain = (fit(MDLAMRegressor, X, t, **solver) for t in (y, y.astype(float)))
        np.testing.assert_array_equal(says(model, X), says(plain, X))
        assert model.predict(X).dtype == float

    @both
    @pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8])
    def test_sparse(self, estimator, dtype):
        data = sp.csr_array((X > 0.8).astype(dtype))
        y = target(estimator)
        model, plain = (fit(estimator, x, y) for x in (data, data.astype(float)))
        np.testing.assert_array_equal(says(model, data), says(plain, data))


class TestSinglePrecision:
    """float32 stays float32, and no float64 copy of X is made."""

    @each_solver
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_array, pd.DataFrame])
    def test_kept(self, estimator, solver, container):
        data = container(X.astype(np.float32))
        model = fit(estimator, data, target(estimator), **solver)
        made = [*model.coefs_, *model.intercepts_, says(model, data), model.transform(data)]
        if estimator is MDLAMClassifier:
            made += [model.predict_proba(data), model.predict_log_proba(data)]
        assert {array.dtype for array in made} == {np.dtype(np.float32)}

    @each_solver
    def test_predicted_from_other_types(self, estimator, solver):
        """X to predict on in another precision: close, whichever is which."""
        y = target(estimator)
        for dtype, other in ((np.float32, np.float64), (np.float64, np.float32)):
            model = fit(estimator, X.astype(dtype), y, **solver)
            one, two = (says(model, X.astype(kind)) for kind in (dtype, other))
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("batch_size", "most", "rows"),
        [(200, 1.9, 100_000), pytest.param(None, 2.5, 40_000, marks=pytest.mark.slow)],
    )
    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:.* has no effect:UserWarning")
    def test_memory(self, batch_size, most, rows):
        """Beside X a copy of it, in coordinates of its own, and values of some rows at a time.

        And what the look at the noise of the targets takes, which does not grow with X.
        """
        data = np.random.default_rng(0).standard_normal((rows, 50), dtype=np.float32)
        y = (data[:, 0] > 0).astype(int)
        for solver, noise in ((NOT_ASKED, 0), ("feasible", LOOK_AT_NOISE)):
            options = {"batch_size": batch_size, "max_iter": 1, "solver": solver, "encoding": None}
            peak = peak_of(lambda: fit(MDLAMClassifier, data, y, **options)) - noise  # noqa: B023
            assert peak < most * data.nbytes, f"{peak / data.nbytes:.2f} times X"


class TestFrames:
    @each_solver
    def test_pandas(self, estimator, solver):
        frame = pd.DataFrame(X, columns=NAMES, index=np.arange(90)[::-1])
        y = pd.Series(target(estimator), index=frame.index, name="target")
        model = fit(estimator, frame, y, **solver)
        assert list(model.feature_names_in_) == NAMES
        assert_same(says(model, frame), says(fit(estimator, X, target(estimator), **solver), X))

    @both
    def test_pandas_of_sparse_columns(self, estimator):
        data = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
        frame = pd.DataFrame.sparse.from_spmatrix(data, columns=NAMES)
        y = target(estimator)
        model, plain = fit(estimator, frame, y), fit(estimator, data, y)
        assert_same(says(model, frame), says(plain, data))
        assert list(model.feature_names_in_) == NAMES

    @both
    def test_pandas_of_nullable_numbers(self, estimator):
        """Integers, floats and booleans that may be missing."""
        frame = pd.DataFrame(X, columns=NAMES).astype("Float64")
        frame["a"] = (10 * X[:, 0]).astype(int)
        frame = frame.astype({"a": "Int64"}).assign(b=pd.array(X[:, 1] > 0, dtype="boolean"))
        model = fit(estimator, frame, target(estimator))
        plain = fit(estimator, frame.astype(float).to_numpy(), target(estimator))
        np.testing.assert_array_equal(
            says(model, frame), says(plain, frame.astype(float).to_numpy())
        )

    def test_pandas_of_several_targets(self):
        frame = pd.DataFrame(X, columns=NAMES)
        numbers = pd.DataFrame({"one": NUMBERS, "two": -NUMBERS})
        labels = pd.DataFrame({"one": LABELS > 0, "two": LABELS > 1})
        assert fit(MDLAMRegressor, frame, numbers).predict(frame).shape == (90, 2)
        assert fit(MDLAMClassifier, frame, labels).predict(frame).shape == (90, 2)

    def test_pandas_categories_as_labels(self):
        y = pd.Series(pd.Categorical.from_codes(LABELS, ["low", "mid", "high"]))
        model = fit(MDLAMClassifier, X, y)
        assert list(model.classes_) == ["high", "low", "mid"]
        assert set(model.predict(X)) <= set(model.classes_)

    @pytest.mark.parametrize("dtype", ["string", "str"])
    def test_pandas_strings_as_labels(self, dtype):
        y = pd.Series(np.array(["low", "mid", "high"])[LABELS]).astype(dtype)
        model = fit(MDLAMClassifier, X, y, early_stopping=True)
        np.testing.assert_array_equal(model.classes_, ["high", "low", "mid"])

    @each_solver
    def test_polars(self, estimator, solver):
        polars = pytest.importorskip("polars")
        y = target(estimator)
        frame = polars.DataFrame(dict(zip(NAMES, X.T, strict=True)))
        if OLD and not hasattr(frame, "__dataframe__"):
            pytest.skip("scikit-learn before 1.9 does not see the column names of polars 2")
        model = fit(estimator, frame, polars.Series("target", y), early_stopping=True, **solver)
        plain = fit(estimator, X, y, early_stopping=True, **solver)
        assert list(model.feature_names_in_) == NAMES
        assert_same(says(model, frame), says(plain, X))
        with pytest.raises(ValueError, match="feature names"):
            says(model, frame.rename({"a": "other"}))

    @both
    def test_polars_of_mixed_numbers(self, estimator):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame({"a": X[:, 0].astype(np.float32), "b": X[:, 1] > 0, "c": LABELS})
        model = fit(estimator, frame, target(estimator))
        assert {W.dtype for W in model.coefs_} == {np.dtype(float)}
        assert np.isfinite(says(model, frame)).all()

    def test_polars_strings(self):
        """As labels they are fine, as inputs they are categories."""
        polars = pytest.importorskip("polars")
        words = np.array(["low", "mid", "high"])[LABELS]
        frame = polars.DataFrame({"a": X[:, 0], "b": X[:, 1]})
        model = fit(MDLAMClassifier, frame, polars.Series(words))
        np.testing.assert_array_equal(model.classes_, ["high", "low", "mid"])
        assert model.score(frame, polars.Series(words)) > 0.3
        frame = frame.with_columns(polars.Series("color", words))
        model = fit(MDLAMClassifier, frame, LABELS)
        assert model.is_categorical_.tolist() == [False, False, True]
        np.testing.assert_array_equal(model.categories_, [["high", "low", "mid"]])
        with pytest.raises(ValueError, match=r"X holds strings, for example .*OneHotEncoder"):
            fit(MDLAMClassifier, frame, LABELS, categorical_features=None)

    @both
    def test_polars_output(self, estimator):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(dict(zip(NAMES, X.T, strict=True)))
        if OLD and not hasattr(frame, "__dataframe__"):
            pytest.skip("scikit-learn before 1.9 does not see the column names of polars 2")
        model = fit(estimator, frame, target(estimator)).set_output(transform="polars")
        hidden = model.transform(frame)
        assert isinstance(hidden, polars.DataFrame)
        assert hidden.columns == list(model.get_feature_names_out())


TOWNS = np.array(["Bonn", "Ulm", "Hof", "Jena"])[RNG.randint(4, size=90)]
TABLE = pd.DataFrame({"a": X[:, 0], "town": TOWNS, "b": X[:, 1] > 0, "c": X[:, 2]})


def in_polars(table):
    return pytest.importorskip("polars").DataFrame(table.to_dict("list"))


def in_pyarrow(table):
    return pytest.importorskip("pyarrow").Table.from_pandas(table, preserve_index=False)


TABLES = {
    "pandas": lambda table: table,
    "objects": lambda table: table.astype({"town": object}),
    "categories": lambda table: table.astype({"town": "category"}),
    "nullable": lambda table: table.convert_dtypes(),
    "polars": in_polars,
    "pyarrow": in_pyarrow,
}
OTHER_TABLES = {
    **TABLES,
    "array": lambda table: table.to_numpy(dtype=object),
    "lists": lambda table: table.to_numpy(dtype=object).tolist(),
}


class TestCategories:
    """What :mod:`skmdlam._reader` reads, in the estimators."""

    @both
    @pytest.mark.parametrize("form", TABLES.values(), ids=TABLES)
    @pytest.mark.slow
    def test_every_form_is_the_same_data(self, estimator, form):
        y = target(estimator)
        plain, model = (fit(estimator, table, y) for table in (TABLE, form(TABLE)))
        assert model.is_categorical_.tolist() == [False, True, False, False]
        assert [levels.tolist() for levels in model.categories_] == [["Bonn", "Hof", "Jena", "Ulm"]]
        for other in OTHER_TABLES.values():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "X does not have valid feature names")
                assert_same(says(model, other(TABLE)), says(plain, TABLE))

    @both
    def test_said_by_the_user(self, estimator):
        """By index in an array as by type in a frame."""
        data, y = TABLE.to_numpy(dtype=object), target(estimator)
        model = fit(estimator, data, y, categorical_features=[1])
        np.testing.assert_array_equal(says(model, data), says(fit(estimator, TABLE, y), TABLE))
        with pytest.raises(ValueError, match="X holds strings, for example"):
            fit(estimator, data, y)

    @both
    def test_numbers_alone(self, estimator):
        model = fit(estimator, X, target(estimator))
        assert model.is_categorical_ is None
        assert model.categories_ == []

    @pytest.mark.parametrize("bad", ["from_names", 3, 1.5], ids=str)
    def test_parameter_is_checked(self, bad):
        with pytest.raises(ValueError, match="The 'categorical_features' parameter of MDLAM"):
            fit(MDLAMRegressor, X, NUMBERS, categorical_features=bad)

    def test_validation_samples(self):
        """They are read once: a score on their codes is one on the frame."""
        options = {"early_stopping": True, "shuffle": False, "validation_fraction": 0.3}
        model = fit(MDLAMRegressor, TABLE, NUMBERS, **options)
        other = MDLAMRegressor(
            hidden_layer_sizes=(7,), max_iter=8, random_state=0, early_stopping=True
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            other.fit(TABLE[:63], NUMBERS[:63], X_val=in_polars(TABLE[63:]), y_val=NUMBERS[63:])
        np.testing.assert_allclose(
            max(model.validation_scores_), model.score(TABLE[63:], NUMBERS[63:])
        )
        np.testing.assert_allclose(
            max(other.validation_scores_), other.score(TABLE[63:], NUMBERS[63:])
        )

    def test_warm_start_keeps_them(self):
        model = fit(MDLAMRegressor, TABLE, NUMBERS, warm_start=True)
        known = [levels.tolist() for levels in model.categories_]
        there = TABLE["town"] != "Hof"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(TABLE[there], NUMBERS[there])
        assert [levels.tolist() for levels in model.categories_] == known

    def test_streams_add_some(self):
        model = MDLAMRegressor(hidden_layer_sizes=(7,), random_state=0)
        model.partial_fit(TABLE[:40].assign(town="Ulm"), NUMBERS[:40])
        model.partial_fit(in_polars(TABLE[40:]), NUMBERS[40:])
        assert model.categories_[0].tolist() == ["Ulm", "Bonn", "Hof", "Jena"]
        frame = TABLE.astype({"town": pd.CategoricalDtype(["Jena", "Ulm", "Bonn", "Hof", "Linz"])})
        model = MDLAMRegressor(hidden_layer_sizes=(7,), random_state=0).partial_fit(
            frame[:5], NUMBERS[:5]
        )
        assert model.categories_[0].tolist() == ["Jena", "Ulm", "Bonn", "Hof", "Linz"]

    def test_a_failure_leaves_them_alone(self):
        model = fit(MDLAMRegressor, TABLE, NUMBERS)
        before = says(model, TABLE)
        with pytest.raises(ValueError, match="column 'c' holds dates"):
            model.fit(TABLE.assign(c=pd.Timestamp("2020-02-02")), NUMBERS)
        with pytest.raises(ValueError, match="y contains NaN"):
            model.fit(TABLE.assign(town="Rom"), NUMBERS * np.nan)
        np.testing.assert_array_equal(says(model, TABLE), before)

    def test_stored_before_there_were_any(self):
        model = fit(MDLAMRegressor, X, NUMBERS)
        state = model.__getstate__()
        for name in ("_reader", "is_categorical_", "categories_", "categorical_features"):
            del state[name]
        old = MDLAMRegressor.__new__(MDLAMRegressor)
        old.__setstate__(state)
        np.testing.assert_array_equal(says(old, X), says(model, X))
        assert old.is_categorical_ is None

    def test_pickles(self):
        model = fit(MDLAMClassifier, TABLE, LABELS)
        other = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(says(other, in_polars(TABLE)), says(model, TABLE))

    def test_wrong_columns(self):
        model = fit(MDLAMRegressor, TABLE, NUMBERS)
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(TABLE[["town", "a", "b", "c"]])
        with pytest.raises(ValueError, match="3 features, but MDLAMRegressor is expecting 4"):
            fit(MDLAMRegressor, TABLE.to_numpy(object), NUMBERS, categorical_features=[1]).predict(
                TABLE.to_numpy(object)[:, :3]
            )
        with pytest.raises(ValueError, match=r"X is sparse, and columns \[1\] are categorical"):
            fit(MDLAMRegressor, X, NUMBERS, categorical_features=[1]).predict(sp.csr_array(X))


class TestReads:
    def test_lazy_frames_are_read_once(self):
        dask = pytest.importorskip("dask")
        frames = pytest.importorskip("dask.dataframe")
        reads = []

        def load():
            reads.append(1)
            return TABLE

        def lazy():
            return frames.from_delayed([dask.delayed(load)()], meta=TABLE)

        with dask.config.set(scheduler="synchronous"):
            model = fit(MDLAMRegressor, lazy(), NUMBERS)
            assert len(reads) == 1
            np.testing.assert_array_equal(model.predict(lazy()), model.predict(TABLE))
        assert len(reads) == 2

    @pytest.mark.parametrize("rows", [1, 90])
    def test_columns_of_numbers_are_not_looked_at(self, monkeypatch, rows):
        """One look at the types, whatever the number of columns."""
        wide = pd.DataFrame(np.tile(X, 50)).rename(columns="c{}".format)
        model = fit(MDLAMRegressor, wide, NUMBERS, encoding=None)
        part = wide[:rows]
        expected = model.predict(part)
        for method in ("__getitem__", "items", "iloc"):
            monkeypatch.setattr(pd.DataFrame, method, None)
        np.testing.assert_array_equal(model.predict(part), expected)


LABEL_FORMS = {
    "strings": np.array(["north", "south", "west"]),
    "objects": np.array(["north", "south", "west"], dtype=object),
    "integers": np.array([-7, 3, 1000]),
    "unsigned": np.array([3, 100, 255], dtype=np.uint8),
    "whole floats": np.array([-1.0, 0.0, 4.0]),
    "single": np.array([0.0, 1.0, 2.0], dtype=np.float32),
}


class TestLabels:
    @every_solver
    @pytest.mark.parametrize("names", LABEL_FORMS.values(), ids=LABEL_FORMS)
    def test_come_back(self, names, solver):
        model = fit(MDLAMClassifier, X, names[LABELS], **solver)
        plain = fit(MDLAMClassifier, X, LABELS, **solver)
        np.testing.assert_array_equal(model.predict(X), names[plain.predict(X)])
        assert model.predict(X).dtype == model.classes_.dtype == names.dtype

    def test_bytes_are_refused(self):
        """By scikit-learn, for all classifiers; versions before 1.7 warn."""
        with pytest.raises((TypeError, FutureWarning), match="represented as bytes is"):
            fit(MDLAMClassifier, X, np.array([b"north", b"south", b"west"])[LABELS])

    @every_solver
    def test_booleans(self, solver):
        y = LABELS > 0
        model = fit(MDLAMClassifier, X, y, **solver)
        assert model.classes_.dtype == model.predict(X).dtype == bool
        np.testing.assert_array_equal(
            model.predict(X), fit(MDLAMClassifier, X, y.astype(int), **solver).predict(X) == 1
        )


INDICATOR = np.column_stack([LABELS == 1, LABELS > 0, NUMBERS > 0]).astype(int)
INDICATORS = {
    "int": INDICATOR,
    "bool": INDICATOR.astype(bool),
    "float": INDICATOR.astype(float),
    "Fortran": np.asfortranarray(INDICATOR),
    "lists": INDICATOR.tolist(),
    "csr": sp.csr_array(INDICATOR),
    "csc": sp.csc_matrix(INDICATOR),
    "coo": sp.coo_array(INDICATOR),
    "lil": sp.lil_matrix(INDICATOR),
    "csr of booleans": sp.csr_matrix(INDICATOR.astype(bool)),
}


class TestMultilabel:
    @every_solver
    @pytest.mark.parametrize("form", INDICATORS)
    @pytest.mark.slow
    def test_form(self, form, solver):
        model = fit(MDLAMClassifier, X, INDICATORS[form], **solver)
        plain = fit(MDLAMClassifier, X, INDICATOR, **solver)
        assert_same(model.predict_proba(X), plain.predict_proba(X))
        assert model.predict(X).shape == (90, 3)
        assert model.score(X, INDICATORS[form]) == plain.score(X, INDICATOR)

    @every_solver
    def test_sparse_both(self, solver):
        data = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
        model = fit(MDLAMClassifier, data, sp.csr_array(INDICATOR), early_stopping=True, **solver)
        assert model.predict(data).shape == (90, 3)


class TestSparseForms:
    @each_solver
    @pytest.mark.parametrize(
        "form", ["csr_array", "csc_array", "coo_array", "lil_array", "dok_array", "bsr_matrix"]
    )
    def test_any(self, estimator, solver, form):
        data = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
        y = target(estimator)
        model = fit(estimator, getattr(sp, form)(data), y, **solver)
        assert_same(
            says(model, getattr(sp, form)(data)), says(fit(estimator, data, y, **solver), data)
        )

    @each_solver
    def test_explicit_zeros_and_duplicates(self, estimator, solver):
        """Entries may be zero, come twice and in any order."""
        rows, columns = np.nonzero(np.abs(X) > 1)
        values = X[rows, columns]
        rows, columns = np.concatenate([rows, rows, [0]]), np.concatenate([columns, columns, [0]])
        values = np.concatenate([0.25 * values, 0.75 * values, [0.0]])
        order = RNG.permutation(values.size)
        messy = sp.coo_array((values[order], (rows[order], columns[order])), shape=X.shape)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=90))])
        by_row = np.argsort(rows, kind="stable")
        raw = sp.csr_array((values[by_row], columns[by_row], indptr), shape=X.shape)
        clean = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
        y, given = target(estimator), raw.copy()
        expected = says(fit(estimator, clean, y, **solver), clean)
        for data in (messy, raw):
            model = fit(estimator, data, y, **solver)
            assert_same(says(model, data), expected)
        np.testing.assert_array_equal(raw.data, given.data)


# Nobody is asked for the noise: all that depends on it is named.
NOT_ASKED = Feasible(
    activity_alpha=1.0, column_alpha=1.0, upper_alpha=1.0, cool_down=10, patience=3
)
# Four square matrices of 1,000 rows.
LOOK_AT_NOISE = 4.2 * 8 * 1000**2


def peak_of(work):
    """Most bytes that were in use at a time, beyond those in use before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class TestSparseMemory:
    """A dense copy would show: it is larger than all that a fit may use."""

    def data(self, n, d, form, dtype=float):
        rng = np.random.default_rng(0)
        rows, columns = np.repeat(np.arange(n), 20), rng.integers(0, d, 20 * n)
        X = sp.csr_array((rng.standard_normal(20 * n).astype(dtype), (rows, columns)), shape=(n, d))
        z = np.asarray(X @ rng.standard_normal(d))
        return X.asformat(form), {MDLAMClassifier: z > 0, MDLAMRegressor: z}

    def check(self, estimator, solver, shape, form, share, dtype=float):
        X, targets = self.data(*shape, form, dtype)
        dense = shape[0] * shape[1] * X.dtype.itemsize
        settings = {**solver, "hidden_layer_sizes": (5,), "max_iter": 1}
        if settings.get("batch_size"):
            settings["batch_size"] = "auto"
        fitted = []
        peak = peak_of(lambda: fitted.append(fit(estimator, X, targets[estimator], **settings)))
        if settings.get("solver") != "relaxed" and X.shape[0] >= 20_000:
            peak -= LOOK_AT_NOISE
        assert peak < share * dense, f"{peak / 2**20:.0f} MiB of {dense / 2**20:.0f}"
        assert peak_of(lambda: says(fitted[0], X)) < 0.02 * dense
        assert np.isfinite(fitted[0].loss_)

    @pytest.mark.slow
    @each_solver
    def test_tall(self, estimator, solver):
        """Many rows: nothing that grows with rows times columns."""
        rows = 30_000 if solver is SOLVERS["full batch"] else 20_000
        form = "csr" if estimator is MDLAMClassifier else "csc"
        self.check(estimator, solver, (rows, 400), form, 0.4)

    @pytest.mark.slow
    @pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
    @pytest.mark.parametrize("name", ["mini-batches", "full batch"])
    def test_wide_and_tall(self, estimator, name):
        """Text: 20,000 x 50,000. Dense it would take 3.7 GiB as float32."""
        self.check(estimator, SOLVERS[name], (20_000, 50_000), "csr", 0.2, np.float32)

    @both
    @pytest.mark.slow
    def test_wide_and_tall_relaxed(self, estimator):
        """The paper's solver leaves the row space alone where X has few entries."""
        self.check(estimator, SOLVERS["relaxed"], (20_000, 50_000), "csr", 0.02)

    @pytest.mark.slow
    @both
    @pytest.mark.parametrize(
        ("n", "d", "entries"),
        [(20_000, 50_000, 50), (1000, 50_000, 50), (3000, 1_000_000, 100)],
        ids=["wide and tall", "few rows", "hashed text"],
    )
    def test_like_x_and_the_weights(self, estimator, n, d, entries):
        """Mini-batches take as many numbers as X and the weights have, ten times at most."""
        rng = np.random.default_rng(0)
        columns, rows = rng.integers(0, d, entries * n), np.repeat(np.arange(n), entries)
        X = sp.csr_array((rng.uniform(0.5, 2.0, entries * n), (rows, columns)), shape=(n, d))
        z = np.asarray(X @ rng.standard_normal(d))
        y = z > 0 if estimator is MDLAMClassifier else z
        fitted, numbers = [], X.nnz + 10 * d
        settings = {"hidden_layer_sizes": (10,), "max_iter": 30}
        peak = peak_of(lambda: fitted.append(fit(estimator, X, y, **settings))) / (8 * numbers)
        assert peak < 10, f"{peak:.1f} times X and the weights"
        assert peak_of(lambda: says(fitted[0], X)) < 8 * numbers
        assert fitted[0].loss_curve_[-1] < fitted[0].loss_curve_[0]
