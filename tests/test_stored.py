"""Pickles: those of older releases load and say the same, or the error says why not."""

import copy
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

import skmdlam
from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._stored import check_stored_version

FILES = sorted((Path(__file__).parent / "data").glob("stored-*.pkl"))
STORED = {path.stem: pickle.loads(path.read_bytes()) for path in FILES}
CASES = [(file, name) for file, (_, stored) in STORED.items() for name in stored]


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    return MDLAMClassifier((5,), random_state=0).fit(X, y), X


def test_there_are_stored_models():
    """In each file a classifier and a regressor of every kind, and one that is not fitted."""
    assert len(FILES) >= 1
    assert all(len(stored) >= 12 for _, stored in STORED.values())


@pytest.mark.parametrize(("file", "name"), CASES)
def test_stored_estimator_says_what_it_said(file, name):
    X, stored = STORED[file]
    pickled, said = stored[name]
    estimator = pickle.loads(pickled)
    assert "_skmdlam_version" not in vars(estimator)
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
    estimator = pickle.loads(pickled)
    assert repr(estimator) and estimator._repr_html_()
    assert clone(estimator).get_params().keys() == type(estimator)().get_params().keys()
    if said:
        estimator.set_params(warm_start=True, max_iter=300, early_stopping=False)
        before = [W.shape for W in estimator.coefs_]
        estimator.fit(X, said["predict"])
        assert [W.shape for W in estimator.coefs_] == before
        again = pickle.loads(pickled)
        if again.solver == "feasible" and not again.early_stopping:
            again.partial_fit(X, said["predict"])
            assert again.n_iter_ == len(again.loss_curve_) > 0


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
