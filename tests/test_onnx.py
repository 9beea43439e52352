"""Graphs of ONNX, run by onnxruntime: they predict what the estimators do."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder
from skmdlam.activations import ACTIVATIONS, ELU, LeakyReLU, Tanh
from skmdlam.losses import Huber, SquaredError

WHY = 'optional: pip install "skmdlam[onnx]"'
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
skl2onnx = pytest.importorskip("skl2onnx", reason=WHY)

from skl2onnx.common.data_types import (  # noqa: E402
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from skmdlam.onnx import initial_types, register  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # skl2onnx and onnx, of themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])
QUICK = {"random_state": 0, "max_iter": 8}


def made(n=200, gaps=False):
    """Columns in several units, far from zero too; the last but one has six values."""
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((n, 5))
    Z[:, 3] = rng.randint(0, 6, n)
    f = Z[:, 0] + np.sin(3 * Z[:, 1]) + 0.3 * Z[:, 2] * Z[:, 3]
    X = Z * [1, 10, 1e3, 1, 0.01] + [0, 0, 1e5, 5, 1]
    if gaps:
        X[::5, 0] = np.nan
        X[::9, 3] = np.nan
    return X, f


def new_samples(X):
    """Samples inside and outside of the range of those, some with gaps."""
    rng = np.random.RandomState(1)
    Z = np.vstack([X, X + 50 * rng.standard_normal(X.shape) * X[~np.isnan(X).any(axis=1)].std(0)])
    Z[::7, 0] = np.nan
    Z[::11, 4] = np.nan
    return Z


def run(graph, X):
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = X if isinstance(X, dict) else {session.get_inputs()[0].name: X}
    return session.run(None, feeds)


def converted(model, X=None, options=None, **kwargs):
    options = ({"zipmap": False} if hasattr(model, "classes_") else {}) | (options or {})
    options = {id(model): options} if options else None
    return skl2onnx.to_onnx(model, X, options=options, **kwargs)


def check(model, X, atol=1e-5, feeds=None, **kwargs):
    """The graph says what the estimator says, up to 1e-5 of the largest number."""
    graph = converted(model, None if kwargs else X[:1], **kwargs)
    found = run(graph, X if feeds is None else feeds)
    expected = [model.predict(X)]
    if hasattr(model, "predict_proba"):
        expected.append(model.predict_proba(X))
    assert len(found) == len(expected)
    for ours, said in zip(found, expected, strict=True):
        if said.dtype.kind in "OUi":
            np.testing.assert_array_equal(np.reshape(ours, said.shape), said)
        else:
            size = max(1.0, np.abs(said).max())
            np.testing.assert_allclose(np.reshape(ours, said.shape), said, rtol=0, atol=atol * size)
    if isinstance(X, np.ndarray) and X.dtype == np.float64 and feeds is None:
        assert found[-1].dtype == np.float64
        np.testing.assert_allclose(
            np.reshape(found[-1], expected[-1].shape), expected[-1], rtol=1e-9, atol=1e-9
        )
    return graph


class TestAlone:
    @BOTH
    def test_classifier_with_all_that_is_automatic(self, dtype):
        X, f = made()
        y = np.where(f > 0, "up", "down")
        model = MDLAMClassifier((8,), n_networks=2, calibrate=True, **QUICK).fit(X, y)
        assert model.encoder_ is not None and model.temperature_ != 1
        check(model, new_samples(X).astype(dtype))

    @BOTH
    @pytest.mark.parametrize("gaps", [False, True])
    @pytest.mark.parametrize(
        "encoding",
        [None, "piecewise", PiecewiseLinearEncoder(40, include_input=True, include_rank=False)],
    )
    def test_encodings_and_gaps(self, encoding, gaps, dtype):
        X, f = made(gaps=gaps)
        model = MDLAMRegressor(hidden_layer_sizes=(6,), encoding=encoding, **QUICK).fit(X, f)
        check(model, new_samples(X).astype(dtype))

    @pytest.mark.parametrize("activation", [*ACTIVATIONS, ELU(0.5), LeakyReLU(0.2)])
    def test_activations(self, activation):
        X, f = made(60)
        model = MDLAMRegressor(
            hidden_layer_sizes=(6, 4), activation=activation, encoding=None, **QUICK
        ).fit(X, f)
        for dtype in (np.float32, np.float64):
            check(model, new_samples(X).astype(dtype))

    @pytest.mark.parametrize(
        "loss", ["squared_error", "huber", "absolute_error", "quantile", "poisson", Huber(3.0)]
    )
    def test_losses(self, loss):
        X, f = made(60)
        Y = np.abs(np.column_stack([f, f**2]))
        model = MDLAMRegressor(hidden_layer_sizes=(6,), loss=loss, encoding=None, **QUICK).fit(X, Y)
        graph = check(model, new_samples(X).astype(np.float32))
        shape = graph.graph.output[0].type.tensor_type.shape
        assert [shape.dim[0].HasField("dim_value"), shape.dim[1].dim_value] == [False, 2]

    @pytest.mark.parametrize("labels", ["three", "multilabel", "one", "floats", "booleans"])
    def test_labels(self, labels):
        X, f = made(90)
        y = {
            "three": np.array(["low", "mid", "high"])[np.digitize(f, [-0.7, 0.7])],
            "multilabel": np.column_stack([f > 0, f > 1, f < 3]).astype(int),
            "one": np.full(90, 7),
            "floats": np.where(f > 0, 2.0, -1.0),
            "booleans": f > 0,
        }[labels]
        model = MDLAMClassifier((5,), **QUICK).fit(X, y)
        for dtype in (np.float32, np.float64):
            check(model, new_samples(X).astype(dtype))

    def test_several_networks_without_the_zeros_between_them(self):
        X, f = made(60)
        model = MDLAMRegressor(hidden_layer_sizes=(8, 6), n_networks=3, encoding=None, **QUICK).fit(
            X, f
        )
        graph = check(model, X)
        size = sum(np.prod(constant.dims) for constant in graph.graph.initializer)
        assert size < 5 * 24 + 3 * 8 * 6 + 18 + 3 * (24 + 18) + 60 < sum(map(np.size, model.coefs_))
        model.coefs_[1][0, -1] = 0.5  # a user connects two of them
        check(model, X)

    def test_no_hidden_layer_no_clip_other_solver(self):
        X, f = made(60)
        for options in (
            {"hidden_layer_sizes": (), "clip": False},
            {"hidden_layer_sizes": (4,), "solver": "relaxed"},
        ):
            model = MDLAMRegressor(**options, **QUICK).fit(X, f)
            check(model, new_samples(X))

    def test_stream(self):
        X, f = made(300)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), encoding="piecewise", **QUICK)
        for rows in (slice(0, 150), slice(150, 300)):
            model.partial_fit(X[rows], f[rows])
        check(model, new_samples(X))

    def test_a_model_in_single_precision_is_one_in_onnx(self):
        X, f = made(60)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), encoding=None, **QUICK).fit(
            X.astype(np.float32), f
        )
        graph = check(model, X.astype(np.float32))
        double = skl2onnx.proto.onnx_proto.TensorProto.DOUBLE
        assert all(constant.data_type != double for constant in graph.graph.initializer)

    def test_integers(self):
        X, f = made(60)
        X = X.astype(int)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), encoding="piecewise", **QUICK).fit(X, f)
        check(model, X, initial_types=[("X", Int64TensorType([None, 5]))])

    def test_no_samples(self):
        X, f = made(60)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), encoding="piecewise", **QUICK).fit(X, f)
        (found,) = run(converted(model, X[:1]), X[:0])
        assert found.shape == (0, 1)


class TestOptions:
    @pytest.fixture(scope="class")
    def fitted(self):
        X, f = made(90)
        two = MDLAMClassifier((5,), **QUICK).fit(X, np.where(f > 0, "up", "down"))
        three = MDLAMClassifier((5,), **QUICK).fit(X, np.digitize(f, [-0.7, 0.7]))
        return X.astype(np.float32), two, three

    def test_raw_scores(self, fitted):
        X, two, three = fitted
        _, found = run(converted(three, X[:1], {"raw_scores": True}), X)
        np.testing.assert_allclose(found, three.decision_function(X), rtol=1e-5, atol=1e-5)
        # As LogisticRegression does it: a column for each class.
        _, found = run(converted(two, X[:1], {"raw_scores": True}), X)
        scores = two.decision_function(X)
        np.testing.assert_allclose(found, np.column_stack([-scores, scores]), rtol=1e-5, atol=1e-5)

    def test_zipmap(self, fitted):
        X, two, three = fitted
        for model in (two, three):
            _, dicts = run(skl2onnx.to_onnx(model, X[:1]), X)
            assert list(dicts[0]) == model.classes_.tolist()
            values = [list(each.values()) for each in dicts]
            np.testing.assert_allclose(values, model.predict_proba(X), atol=1e-5)
        _, *columns = run(converted(three, X[:1], {"zipmap": "columns"}), X)
        np.testing.assert_allclose(np.transpose(columns), three.predict_proba(X), atol=1e-5)

    def test_nocl(self, fitted):
        X, two, _ = fitted
        label, _ = run(converted(two, X[:1], {"nocl": True}), X)
        np.testing.assert_array_equal(two.classes_[label], two.predict(X))

    def test_output_class_labels(self, fitted):
        X, _, three = fitted
        *_, labels = run(converted(three, X[:1], {"output_class_labels": True}), X)
        assert labels.tolist() == [0, 1, 2]

    @BOTH
    def test_transform(self, fitted, dtype):
        """Hidden features, in the middle of a pipeline."""
        X, two, _ = fitted
        X, f = X.astype(dtype), two.decision_function(X)
        for model in (two, MDLAMRegressor(hidden_layer_sizes=(5, 3), **QUICK).fit(X, f)):
            (found,) = run(skl2onnx.to_onnx(model, X[:1], options={id(model): TRANSFORM}), X)
            assert found.dtype == dtype
            np.testing.assert_allclose(found, model.transform(X), rtol=1e-5, atol=1e-5)
            line = Ridge().fit(model.transform(X), f)
            pipeline = Pipeline([("net", model), ("line", line)])
            graph = skl2onnx.to_onnx(pipeline, X[:1], options={id(pipeline[0]): TRANSFORM})
            (found,) = run(graph, X)
            np.testing.assert_allclose(found.ravel(), pipeline.predict(X), rtol=1e-4, atol=1e-4)
        linear = MDLAMRegressor(hidden_layer_sizes=(), **QUICK).fit(X, f)
        with pytest.raises(ValueError, match="needs a hidden layer"):
            skl2onnx.to_onnx(linear, X[:1], options={id(linear): TRANSFORM})

    def test_selected_features(self, fitted):
        X, two, _ = fitted
        y = two.predict(X)
        norms = {"importance_getter": lambda model: np.linalg.norm(model.coefs_[0], axis=1)}
        plain = MDLAMClassifier((4,), encoding=None, **QUICK)
        check(make_pipeline(SelectFromModel(plain, **norms), plain).fit(X, y), X)


TRANSFORM = {"transform": True}


class TestCategories:
    @pytest.fixture(scope="class")
    def frame(self):
        rng = np.random.RandomState(0)
        n = 1500
        X = pd.DataFrame(
            {
                "size": rng.standard_normal(n),
                "age": rng.standard_normal(n),
                "town": rng.randint(0, 40, n).astype(str),
                "kind": pd.Categorical(rng.choice(["x", "y", "z"], n)),
                "floor": rng.randint(0, 5, n),
            }
        )
        X.loc[::7, "size"] = np.nan
        X.loc[::13, "kind"] = None
        y = X["age"] + rng.standard_normal(40)[X["town"].astype(int)] + 0.3 * rng.normal(size=n)
        return X, y

    def feeds(self, X, dtype):
        text = {"town", "kind"}
        return {
            name: X[[name]].astype(object).to_numpy() if name in text else X[[name]].to_numpy(dtype)
            for name in X
        }

    @pytest.mark.slow
    def test_frame_with_scores_of_levels(self, frame):
        X, y = frame
        model = MDLAMRegressor(hidden_layer_sizes=(6,), encoding="piecewise", **QUICK).fit(X, y)
        assert model._inputs.scores.size == 1
        X = X.copy()
        X.loc[:20, "town"] = "never seen"
        for dtype in (np.float32, np.float64):
            types = initial_types(model, dtype)
            assert [name for name, _ in types] == list(X)
            narrow = X.astype(dict.fromkeys(("size", "age", "floor"), dtype))
            check(model, narrow, feeds=self.feeds(X, dtype), initial_types=types)

    def test_levels_in_strings_alone(self, frame):
        X, y = frame[0][:100], frame[1][:100]
        X = X[["kind"]].to_numpy(dtype=object)
        model = MDLAMRegressor(hidden_layer_sizes=(6,), categorical_features=[0], **QUICK).fit(X, y)
        ((name, kind),) = initial_types(model)
        assert name == "X" and isinstance(kind, StringTensorType)
        check(model, X, feeds=X, initial_types=initial_types(model))

    @BOTH
    def test_levels_in_numbers(self, dtype):
        """One-hot and with gaps, unknown ones too."""
        X, f = made(gaps=True)
        model = MDLAMRegressor(hidden_layer_sizes=(6,), categorical_features=[3], **QUICK).fit(X, f)
        new = new_samples(X)
        new[::3, 3] = 77
        check(model, new.astype(dtype))

    @pytest.mark.slow
    @BOTH
    def test_scores_of_one_hot_columns_and_of_values(self, frame, dtype):
        X, y = frame
        block = np.eye(40)[X["town"].astype(int)]
        X = np.hstack([block, X[["age", "floor"]]])
        model = MDLAMRegressor(hidden_layer_sizes=(6,), **QUICK).fit(X, y)
        assert model._inputs.kept.tolist() == [40, 41]
        check(model, X.astype(dtype))
        rng = np.random.RandomState(0)
        x = rng.randint(0, 60, 3000)
        y = rng.standard_normal(60)[x] + 0.1 * rng.standard_normal(3000)
        X = np.column_stack([x / 10, rng.standard_normal(3000)])
        model = MDLAMRegressor(hidden_layer_sizes=(6,), **QUICK).fit(X, y)
        assert model._inputs.scores.size == 1
        X[::5, 0] += 0.03  # no value of the training samples
        X[::9, 0] = np.nan
        check(model, X.astype(dtype))

    def test_sparse_model_takes_dense_samples(self):
        X, f = made(80)
        X = X * (np.random.RandomState(0).uniform(size=X.shape) < 0.3)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), **QUICK).fit(sp.csr_matrix(X), f)
        check(model, X)


WRAPPERS = {
    "pipeline": lambda model: make_pipeline(StandardScaler(), model),
    "encoder": lambda model: make_pipeline(
        make_column_transformer((PiecewiseLinearEncoder(4), [0, 1]), remainder="passthrough"), model
    ),
    "calibration": lambda model: CalibratedClassifierCV(model, cv=2),
    "stacking": lambda model: StackingClassifier(
        [("net", model), ("line", LogisticRegression())], cv=2
    ),
    "final": lambda model: StackingClassifier(
        [("line", LogisticRegression())], final_estimator=model, cv=2
    ),
    "bagging": lambda model: BaggingClassifier(model, 2, max_features=0.6, random_state=0),
    "one vs rest": lambda model: OneVsRestClassifier(model),
    "search": lambda model: GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2),
}
OF_REGRESSORS = {
    "pipeline": WRAPPERS["pipeline"],
    "stacking": lambda model: StackingRegressor([("net", model), ("line", Ridge())], cv=2),
    "bagging": lambda model: BaggingRegressor(model, 2, random_state=0),
    "voting": lambda model: VotingRegressor([("net", model), ("line", Ridge())]),
    "several": lambda model: MultiOutputRegressor(model),
}


@pytest.mark.slow
@BOTH
class TestInside:
    @pytest.mark.parametrize("labels", ["strings", "integers"])
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    def test_of_a_classifier(self, wrapper, labels, dtype):
        X, f = made()
        X = StandardScaler().fit_transform(X)
        y = np.where(f > 0, "up", "down") if labels == "strings" else np.digitize(f, [-0.7, 0.7])
        model = WRAPPERS[wrapper](MDLAMClassifier((6,), **QUICK)).fit(X, y)
        check(model, X.astype(dtype))

    @pytest.mark.parametrize("wrapper", OF_REGRESSORS)
    def test_of_a_regressor(self, wrapper, dtype):
        X, f = made()
        X = StandardScaler().fit_transform(X)
        y = np.column_stack([f, -f]) if wrapper == "several" else f
        model = OF_REGRESSORS[wrapper](MDLAMRegressor(hidden_layer_sizes=(6,), **QUICK)).fit(X, y)
        check(model, X.astype(dtype))


@BOTH
@pytest.mark.parametrize("n_bins", [1, 4, 200])
def test_encoder(n_bins, dtype):
    X, _ = made(gaps=True)
    encoder = PiecewiseLinearEncoder(n_bins, include_input=n_bins == 4).fit(X)
    X = new_samples(X).astype(dtype)
    (found,) = run(converted(encoder, X[:1]), X)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, encoder.transform(X), rtol=0, atol=1e-7)


def test_calibration_in_a_pipeline():
    """The one that is fast enough to be run every time."""
    X, f = made(120)
    inner = make_pipeline(StandardScaler(), MDLAMClassifier((5,), encoding=None, **QUICK))
    y = np.where(f > 0, "up", "down")
    check(inner.fit(X, y), X)
    model = CalibratedClassifierCV(MDLAMClassifier((5,), encoding=None, **QUICK), cv=2)
    check(model.fit(X, y), X)


class TestErrors:
    def test_what_has_no_form(self):
        class Steeper(Tanh):
            pass

        class Other(SquaredError):
            pass

        X, f = made(40)
        for options, name in (({"activation": Steeper()}, "Steeper"), ({"loss": Other()}, "Other")):
            model = MDLAMRegressor(hidden_layer_sizes=(4,), encoding=None, **options, **QUICK).fit(
                X, f
            )
            with pytest.raises(NotImplementedError, match=f"{name} is a custom"):
                converted(model, X[:1])

    def test_types_of_columns(self):
        X = pd.DataFrame({"a": np.arange(40.0), "b": ["x", "y"] * 20})
        model = MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, X["a"])
        number, text = FloatTensorType([None, 1]), StringTensorType([None, 1])
        for types, match in (
            ([("a", number), ("b", number)], "'b' are strings: its type .* StringTensorType"),
            ([("a", text), ("b", text)], "'a' was numbers in fit"),
            ([("a", number)], "have .1. columns, and the estimator was fitted to 2"),
        ):
            with pytest.raises((TypeError, ValueError), match=match):
                converted(model, initial_types=types)
        with pytest.raises(ValueError, match="float32 or float64"):
            initial_types(model, int)

    def test_old_opset(self):
        X, f = made(40)
        model = MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, f)
        with pytest.raises(RuntimeError, match="target_opset=11 is too old"):
            converted(model, X[:1], target_opset=11)

    def test_registered_twice(self):
        register()
        X, f = made(40)
        check(MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, f), X)


@pytest.mark.slow
def test_converters_are_there_where_skl2onnx_is():
    """Without a word where it was imported first."""
    code = "import skl2onnx, skmdlam; print(skl2onnx.get_model_alias(skmdlam.MDLAMClassifier))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "SkmdlamMDLAMClassifier"
