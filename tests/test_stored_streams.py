"""What files hold of a stream: all that learning on needs, in as few bytes."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._stored_streams import packed, unpacked

RNG = np.random.RandomState(0)
A = RNG.standard_normal((40, 30))
GRAM = A.T @ A
GRAM[0, 3] = GRAM[3, 0] = np.nan


@pytest.mark.parametrize(
    ("matrix", "halved"),
    [
        (GRAM, True),
        (GRAM.astype("f4"), True),
        (np.asfortranarray(GRAM), True),
        (np.triu(GRAM), False),
        (np.where(np.tri(30, k=-1), -0.1, 0.1) * GRAM, False),  # nor but for the sign
        (np.where(np.eye(30), 1, 0), False),
        (A, False),
        (np.zeros((0, 0)), False),
        (np.zeros((30, 30, 30)), True),
        (np.where(np.tri(30, k=-1), -0.0, 0.0), True),  # the same numbers, other bits
    ],
)
def test_bit_for_bit(matrix, halved):
    state = {"layers": [{"a": matrix, "b": None}, (1.0, matrix[:1])], "name": "x", "n": 3}
    stored = pickle.dumps(packed(state))
    assert (len(stored) < 0.6 * len(pickle.dumps(state))) is halved
    again = unpacked(pickle.loads(stored))
    assert list(again) == list(state) and again["n"] == 3 and again["layers"][0]["b"] is None
    found, row = again["layers"][0]["a"], again["layers"][1][1]
    assert isinstance(again["layers"][1], tuple)
    for one, other in ((found, matrix), (row, matrix[:1])):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert one.tobytes() == np.ascontiguousarray(other).tobytes()


CASES = {
    "classes": (MDLAMClassifier, {"hidden_layer_sizes": (30,)}),
    "single precision": (MDLAMRegressor, {"hidden_layer_sizes": (20, 20)}),
    "targets": (MDLAMRegressor, {"hidden_layer_sizes": (20,), "activation": "tanh"}),
    "l1": (MDLAMRegressor, {"hidden_layer_sizes": (20,), "penalty": "l1", "encoding": None}),
    "counts": (MDLAMRegressor, {"loss": "poisson", "hidden_layer_sizes": ()}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_stream_goes_on_as_if_it_was_not_stored(case):
    """With the same state, bit for bit, after each chunk."""
    make, parameters = CASES[case]
    X = RNG.standard_normal((240, 18)) + 100.0
    X[:90, 4] = 3.0  # constant at first
    y = X[:, 0] - X[:, 1]
    if case == "single precision":
        X, y = X.astype("f4"), y.astype("f4")
    y = {"classes": y > 0, "targets": X[:, :2] * [1.0, 1e3], "counts": np.exp(y)}.get(case, y)
    models = [make(**parameters, random_state=0) for _ in range(2)]
    known = {"classes": [False, True]} if case == "classes" else {}
    for rows in np.split(np.arange(240), [40, 80, 120, 160, 161, 200]):
        for model in models:
            model.partial_fit(X[rows], y[rows], **known)
        stored = pickle.dumps(models[1])
        models[1] = pickle.loads(stored)
        assert_same(models[0]._stream, models[1]._stream)
        assert len(pickle.dumps(models[1])) < 1.05 * len(stored)
    assert_same(models[0].coefs_, models[1].coefs_)


def assert_same(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), [other[name] for name in one]
    if isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.parametrize(
    ("d", "units", "times"),
    [
        (30, (60, 60), 2.0),
        (60, (60,), 2.2),
        (10, (100,), 2.5),  # a covariance of the units is larger than all weights
        (100, (25,), 4.0),  # and here one of the columns is
    ],
)
def test_sizes_beside_those_after_a_fit(d, units, times):
    """Files of a stream are at most so many times larger than files of a fit."""
    X = RNG.standard_normal((300, d))
    y = X[:, 0] + np.abs(X[:, 1])
    make = MDLAMRegressor(hidden_layer_sizes=units, encoding=None, random_state=0, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = len(pickle.dumps(clone(make).fit(X, y)))
    stream = clone(make)
    for start in range(0, 300, 100):
        stream.partial_fit(X[start : start + 100], y[start : start + 100])
    assert len(pickle.dumps(stream)) < times * fitted
