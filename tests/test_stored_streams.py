"""What files hold of a stream: less than what learning on needs is not enough, half is."""

import pickle

import numpy as np
import pytest

from skmdlam import MDLAMClassifier
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
        (np.where(np.tri(30, k=-1), -0.0, 0.0), False),  # the same numbers, other bits
        (np.where(np.eye(30), 1, 0), False),
        (A, False),
        (np.zeros((0, 0)), False),
        (np.zeros((30, 30, 30)), False),
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


def test_a_stream_goes_on_as_if_it_was_not_stored():
    X = RNG.standard_normal((200, 40))
    y = (X[:, 0] > X[:, 1]).astype(int)
    models = [MDLAMClassifier((30,), random_state=0) for _ in range(2)]
    for start in range(0, 200, 50):
        for model in models:
            model.partial_fit(X[start : start + 50], y[start : start + 50], classes=[0, 1])
        models[1] = pickle.loads(pickle.dumps(models[1]))
    one, other = (model.coefs_ + model.intercepts_ for model in models)
    for W, V in zip(one, other, strict=True):
        np.testing.assert_array_equal(W, V)
    # A covariance of the columns, two matrices of the units and the constant, half of each.
    state = models[1]._stream
    saved = len(pickle.dumps(state)) - len(pickle.dumps(packed(state)))
    assert saved > 0.9 * (40 * 39 / 2 * 8 + 2 * 31 * 30 / 2 * 4)
