"""Files of skops and of MLflow: public types only, and the estimator that was stored."""

import pickle
import re
import textwrap
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmdlam
from skmdlam import (
    TRUSTED_TYPES,
    Feasible,
    MDLAMClassifier,
    MDLAMRegressor,
    PiecewiseLinearEncoder,
    Relaxed,
)
from skmdlam.activations import ELU
from skmdlam.engine.constants import CONSTANTS, Constants, Tuned
from skmdlam.losses import Huber
from skmdlam.penalties import Box

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = {"random_state": 0, "max_iter": 5}


def made(n=1200):
    rng = np.random.RandomState(0)
    X = pd.DataFrame(
        {
            "a": rng.standard_normal(n),
            "b": rng.standard_normal(n),
            "town": rng.randint(0, 60, n).astype(str),
            "kind": pd.Categorical(rng.choice(["x", "y"], n)),
        }
    )
    y = X["b"] + rng.standard_normal(60)[X["town"].astype(int)]
    X.loc[::7, "a"] = np.nan
    X.loc[::9, "kind"] = None
    return X, y.to_numpy()


def numbers(n=150):
    X, y = made()
    return X[["b"]].assign(c=y).to_numpy()[:n], y[:n]


def of_frame(**options):
    X, y = made()
    return MDLAMRegressor(hidden_layer_sizes=(4,), **options, **QUICK).fit(X, y), X, y


def of_numbers(**options):
    X, y = numbers()
    return MDLAMClassifier((4,), **options, **QUICK).fit(X, y > 0), X, y > 0


def of_stream():
    X, y = made(400)
    return (
        MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).partial_fit(X, y).partial_fit(X, y),
        X,
        y,
    )


def of_one_hot():
    X, y = made()
    X = np.hstack([np.eye(60)[X["town"].astype(int)], X[["b"]]])
    return MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, y), X, y


def of_values():
    rng = np.random.RandomState(0)
    x = rng.randint(0, 60, 3000)
    X = np.column_stack([x / 10, rng.standard_normal(3000)])
    y = rng.standard_normal(60)[x]
    return MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, y), X, y


def of_sparse():
    X, y = numbers()
    return MDLAMRegressor(hidden_layer_sizes=(4,), **QUICK).fit(sp.csr_matrix(X), y), X, y


CASES = {
    "frame": of_frame,
    "frame, plain": lambda: of_frame(encoding=None),
    "numbers": lambda: of_numbers(calibrate=True, n_networks=2, early_stopping=True),
    "encoder": lambda: of_numbers(encoding=PiecewiseLinearEncoder(3, include_input=True)),
    "stream": of_stream,
    "one-hot": of_one_hot,
    "values": of_values,
    "sparse": of_sparse,
    "objects": lambda: of_numbers(solver=Feasible(), activation=ELU(0.5), penalty=Box(-1.0, 1.0)),
    "relaxed": lambda: of_numbers(solver=Relaxed()),
    "loss": lambda: of_frame(loss=Huber(2.0), calibrate=True),
}
FAST = {"numbers", "encoder", "objects"}
WHICH = pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case not in FAST)) for case in CASES]
)


def check_same(one, other, X, y):
    """They predict the same, and learn the same from there on."""
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(one, method):
            said = getattr(one, method)(X)
            np.testing.assert_array_equal(getattr(other, method)(X), said)
    assert set(vars(one)) == set(vars(other))
    if one.encoder_ is not None:
        names = one.encoder_.n_bins_.tolist()
        assert other.encoder_.n_bins_.tolist() == names
        assert (one._inputs.pieces is one.encoder_._pieces) == (
            other._inputs.pieces is other.encoder_._pieces
        )
    if one.solver != "feasible" or one.early_stopping:
        return
    for each in (one, other):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(other.predict(X), one.predict(X))


class TestPickle:
    @WHICH
    def test_same(self, case):
        model, X, y = CASES[case]()
        check_same(model, pickle.loads(pickle.dumps(model)), X, y)

    @WHICH
    def test_no_private_class(self, case):
        """Files do not depend on how the package is divided into modules."""
        model, _, _ = CASES[case]()
        found = {
            f"{each.__module__}.{each.__qualname__}"
            for each in classes_in(pickle.dumps(model))
            if each.__module__.startswith("skmdlam")
        }
        assert found and found <= set(TRUSTED_TYPES)

    def test_solver_with_other_constants(self):
        other = Constants(tuned=Tuned(few_levels=3))
        for solver in (Feasible(constants=other, epochs=7), Relaxed(constants=other)):
            assert pickle.loads(pickle.dumps(solver)) == solver
        assert pickle.loads(pickle.dumps(Feasible(epochs=7))).constants == CONSTANTS


def classes_in(pickled):
    """Classes that a pickle names."""
    found = []

    class Reading(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(super().find_class(module, name))
            return found[-1]

    Reading(BytesIO(pickled)).load()
    return [each for each in found if isinstance(each, type)]


def test_trusted_types_are_public():
    assert not any("._" in name for name in TRUSTED_TYPES)
    for name in TRUSTED_TYPES:
        module, _, attribute = name.rpartition(".")
        if module != "skmdlam.dask":  # which needs Dask
            found = skmdlam
            for part in [*module.split(".")[1:], attribute]:
                found = getattr(found, part)
            assert isinstance(found, type) and f"{found.__module__}.{found.__name__}" == name


@pytest.fixture
def io():
    return pytest.importorskip("skops.io", reason='optional: pip install "skmdlam[skops]"')


class TestSkops:
    @WHICH
    def test_same(self, io, case):
        model, X, y = CASES[case]()
        stored = io.dumps(model)
        assert set(io.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
        check_same(model, io.loads(stored, trusted=TRUSTED_TYPES), X, y)

    def test_in_a_pipeline(self, io, tmp_path):
        X, y = numbers()
        model = make_pipeline(StandardScaler(), MDLAMClassifier((4,), **QUICK)).fit(X, y > 0)
        io.dump(model, tmp_path / "model.skops")
        again = io.load(tmp_path / "model.skops", trusted=TRUSTED_TYPES)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))

    def test_encoder_alone(self, io):
        X, _ = numbers()
        X[::5, 0] = np.nan
        encoder = PiecewiseLinearEncoder(4).fit(X)
        again = io.loads(io.dumps(encoder), trusted=TRUSTED_TYPES)
        np.testing.assert_array_equal(again.transform(X), encoder.transform(X))
        assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()

    def test_other_types_are_not_trusted(self, io):
        class_of_user = type("Mine", (ELU,), {"__module__": __name__})
        globals()["Mine"] = class_of_user
        X, y = numbers()
        model = MDLAMRegressor(hidden_layer_sizes=(4,), activation=class_of_user(), **QUICK).fit(
            X, y
        )
        with pytest.raises(Exception, match="Mine"):
            io.loads(io.dumps(model), trusted=TRUSTED_TYPES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of MLflow and of skl2onnx
def test_the_guide_runs(io, tmp_path, monkeypatch):
    """Its code blocks, one after the other."""
    for name in ("mlflow", "onnxruntime", "skl2onnx"):
        pytest.importorskip(name, reason="optional")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1] / "doc" / "user_guide" / "persistence.rst"
    blocks = page.read_text(encoding="utf-8").split(".. code-block:: python\n")[1:]
    code = [re.match(r"(?:\n|   .*\n)*", block)[0] for block in blocks]
    assert len(code) == 4
    exec(textwrap.dedent("".join(code)), {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of MLflow
@pytest.mark.parametrize("format", ["skops", "cloudpickle", "pickle"])
def test_mlflow(tmp_path, format):
    mlflow = pytest.importorskip("mlflow.sklearn", reason="optional: pip install mlflow-skinny")
    pytest.importorskip("skops", reason="the default format of MLflow")
    X, y = load_iris(return_X_y=True)
    model = MDLAMClassifier((4,), **QUICK).fit(X, y)
    options = {"skops_trusted_types": TRUSTED_TYPES} if format == "skops" else {}
    mlflow.save_model(
        model, tmp_path / "m", serialization_format=format, pip_requirements=[], **options
    )
    again = mlflow.load_model(str(tmp_path / "m"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
