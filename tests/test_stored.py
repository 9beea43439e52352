"""Pickles: those of older releases load and say the same, or the error says why not."""

import copy
import pickle
import types
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

import skmdlam
from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor
from skmdlam._stored import _preconditioner_arrays, check_stored_version
from skmdlam.engine.constants import CONSTANTS, LIMITS

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("stored-[0-9]*.pkl"))
STORED = {path.stem: pickle.loads(path.read_bytes()) for path in FILES}
CASES = [(file, name) for file, (_, stored) in STORED.items() for name in stored]
# Stored in mid-stream, with what was said then and after each of the next two parts.
STREAMS = {
    f"{path.stem}, {name}": stored
    for path in sorted(DATA.glob("stored-streams-*.pkl"))
    for name, stored in pickle.loads(path.read_bytes()).items()
}
# In copies the streams of the latest release are tried (0.1.0.dev0 sorts before 0.1.0.pkl).
LATEST = list(STREAMS)[-7:]


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    return MDLAMClassifier((5,), random_state=0).fit(X, y), X


def inputs_of(name, X):
    """As ``tests/data/store.py`` made them."""
    if name == "categories and gaps":
        X = X.copy()
        X[::7, 1] = np.nan
        X[:, 2] = np.digitize(X[:, 2], [-0.5, 0.5])
    return X


def test_there_are_stored_models():
    """In each file a classifier and a regressor of every kind, and one that is not fitted."""
    assert len(FILES) >= 1 and len(STREAMS) >= 6
    assert all(len(stored) >= 12 for _, stored in STORED.values())


@pytest.mark.parametrize(("file", "name"), CASES)
def test_stored_estimator_says_what_it_said(file, name):
    X, stored = STORED[file]
    pickled, said = stored[name]
    estimator = pickle.loads(pickled)
    assert "_skmdlam_version" not in vars(estimator)
    if said and name != "encoded":  # the features were taken as they are
        assert estimator.encoder_ is None and estimator.encoding == "auto"
    if said:
        assert estimator.n_networks_ == estimator.n_networks == 1 + (name == "networks")
    X = inputs_of(name, X)
    for method, before in said.items():
        now = getattr(estimator, method)(X)
        if before.dtype.kind == "f":
            # Other versions of BLAS add up in another order.
            np.testing.assert_allclose(now, before, rtol=1e-9, atol=1e-12)
        else:
            np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(("file", "name"), CASES)
def test_stored_estimator_can_be_used(file, name):
    """It shows itself, is cloned, goes on from its weights, and learns a stream."""
    X, stored = STORED[file]
    pickled, said = stored[name]
    X = inputs_of(name, X)
    estimator = pickle.loads(pickled)
    assert repr(estimator) and estimator._repr_html_()
    parameters = clone(estimator).get_params(deep=False)
    assert parameters.keys() == type(estimator)().get_params(deep=False).keys()
    if said:
        estimator.set_params(warm_start=True, max_iter=300, early_stopping=False)
        before = [W.shape for W in estimator.coefs_]
        estimator.fit(X, said["predict"])
        assert (estimator.encoder_ is None) == (name != "encoded")
        assert [W.shape for W in estimator.coefs_] == before
        again = pickle.loads(pickled)
        if again.solver == "feasible" and not again.early_stopping:
            again.partial_fit(X, said["predict"])
            assert again.n_iter_ == len(again.loss_curve_) > 0


def said_of(estimator, X):
    return getattr(estimator, "decision_function" if hasattr(estimator, "classes_") else "predict")(
        X
    )


def next_chunks(estimator, X, y, start, stop):
    for at in range(start, stop, 40):
        estimator.partial_fit(X[at : at + 40], y[at : at + 40])
    return said_of(estimator, X)


@pytest.mark.parametrize("name", STREAMS)
def test_stored_stream_goes_on_as_it_would_have(name):
    """It says what it said, and learns from the next chunks what it learned from them.

    Before 0.1.0 with the penalties of then: there was none on the weights of the upper layers. And
    with all digits between two chunks.
    """
    pickled, X, y, (now, soon, later) = STREAMS[name]
    estimator = pickle.loads(pickled)
    assert estimator.solver == "feasible"
    if "dev0" in name:
        of_then = Feasible(
            activity_alpha=estimator.activity_alpha_,
            column_alpha=estimator.column_alpha_,
            upper_alpha=0.0,
            constants=replace(CONSTANTS, limits=replace(LIMITS, stream_compact=False)),
        )
        estimator.set_params(solver=of_then)
    np.testing.assert_allclose(said_of(estimator, X), now, rtol=1e-6)
    # A column that did not vary before does now.
    for until, before in ((slice(120, 160), soon), (slice(160, 240), later)):
        said = next_chunks(estimator, X, y, until.start, until.stop)
        np.testing.assert_allclose(said, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())
    assert np.abs(later - now).max() > 0.02 * np.abs(now).max()  # there was something to learn


def test_what_the_first_streams_did_not_say():
    """Columns had units of their own; all say how small a spread may be taken to be."""
    for _, stored in STORED.values():
        state = pickle.loads(stored["stream"][0])._stream
        assert state["basis"]["columns"]["one_unit"] is False
    for name, (pickled, *_) in STREAMS.items():
        layers = pickle.loads(pickled)._stream.get("layers", [])
        assert len(layers) == 2 or name.endswith("a fit")
        assert all(layer["preconditioner"]["least_spread"] > 0 for layer in layers[1:])


@pytest.mark.parametrize("name", LATEST)
def test_what_a_stream_keeps_is_plain(name):
    """Arrays, numbers, names, None and collections of them: no objects of the engine."""

    def check(value):
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            value = list(value.values())
        if type(value) in (list, tuple):
            for one in value:
                check(one)
        else:
            kinds = (np.ndarray, np.number, np.bool_, float, int, str, type(None))
            assert isinstance(value, kinds)
            assert not isinstance(value, np.ndarray) or not value.dtype.hasobject

    pickled, X, y, _ = STREAMS[name]
    estimator = pickle.loads(pickled)
    check(estimator._stream)
    next_chunks(estimator, X, y, 120, 240)
    check(estimator._stream)
    assert estimator._stream["summary"]["rows"] == 240


@pytest.mark.parametrize("name", LATEST)
def test_copies_in_mid_stream_are_the_same_stream(name):
    """By a bit; neither learns from what the other sees, and a clone knows nothing."""
    pickled, X, y, _ = STREAMS[name]
    estimator = pickle.loads(pickled)
    next_chunks(estimator, X, y, 120, 160)
    before = said_of(estimator, X)
    copies = [pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)]
    new = clone(estimator)
    assert not hasattr(new, "coefs_") and new.get_params() == estimator.get_params()
    after = next_chunks(estimator, X, y, 160, 240)
    for other in copies:
        np.testing.assert_array_equal(said_of(other, X), before)
        np.testing.assert_array_equal(next_chunks(other, X, y, 160, 240), after)


@pytest.mark.parametrize("how", ["pickle", "joblib", "copy", "deepcopy"])
def test_round_trip(how, fitted, tmp_path):
    estimator, X = fitted
    if how == "pickle":
        again = pickle.loads(pickle.dumps(estimator))
    elif how == "joblib":
        joblib.dump(estimator, tmp_path / "model.joblib")
        again = joblib.load(tmp_path / "model.joblib")
    else:
        again = getattr(copy, how)(estimator)
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    assert vars(again).keys() == vars(estimator).keys()


def test_pickle_says_its_version(fitted):
    estimator, _ = fitted
    assert estimator.__getstate__()["_skmdlam_version"] == skmdlam.__version__
    assert "_skmdlam_version" not in vars(estimator)


def test_a_parameter_that_is_newer_has_its_default():
    state = MDLAMRegressor(alpha=0.5).__getstate__()
    del state["activity_alpha"]
    estimator = MDLAMRegressor.__new__(MDLAMRegressor)
    estimator.__setstate__(state)
    assert estimator.get_params() == MDLAMRegressor(alpha=0.5).get_params()


@pytest.mark.parametrize("version", ["0.1.0", "0.1.0.dev0", "0.1.7", skmdlam.__version__])
def test_same_release_is_read(version):
    check_stored_version(version, "MDLAMClassifier")


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.0.3", "by skmdlam 0.0.3; .* Load it with the version that stored it"),
        ("0.97.2", "by skmdlam 0.97.2; .* Install skmdlam 0.97 or later"),
        ("97.0.0rc1", "by skmdlam 97.0.0rc1; .* Install skmdlam 97.0 or later"),
        (None, "by an unknown version of skmdlam; .* or fit it again"),
        ("nonsense", "by an unknown version of skmdlam; .* or fit it again"),
    ],
)
@pytest.mark.parametrize("Estimator", [MDLAMClassifier, MDLAMRegressor])
def test_other_releases_are_refused(Estimator, version, says):
    state = Estimator().__getstate__()
    state["_skmdlam_version"] = version
    if version is None:
        del state["_skmdlam_version"]
    with pytest.raises(ValueError, match=f"This {Estimator.__name__} was stored {says}"):
        Estimator().__setstate__(state)


def test_a_stored_preconditioner_that_was_not_ready():
    old = types.SimpleNamespace(
        moments=np.eye(3), inverse=np.empty((3, 3)), ready=False, count=0, damping=0.1, memory=0.05
    )
    assert _preconditioner_arrays(old)["inverse"] is None
