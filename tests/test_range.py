"""New samples are clipped to the range of the columns in training."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import make_friedman1

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._range import within_range

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_friedman1(300, 6, noise=0.3, random_state=1)
X = 10.0 * X - 5.0
FAR = X[:5] * np.array([1.0, 1e6, 1.0, -1e3, 40.0, 1.0])


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.slow
def test_a_far_cell_is_the_edge_of_its_column(form, dtype):
    data = X.astype(dtype)
    model = MDLAMRegressor(max_iter=20, random_state=0).fit(data, y)
    np.testing.assert_array_equal(model.data_min_, data.min(axis=0))
    np.testing.assert_array_equal(model.data_max_, data.max(axis=0))
    edge = np.clip(FAR.astype(dtype), data.min(axis=0), data.max(axis=0))
    far, before = form(FAR.astype(dtype)), FAR.astype(dtype)
    np.testing.assert_allclose(model.predict(far), model.predict(edge), rtol=1e-5)
    np.testing.assert_array_equal(far.toarray() if sp.issparse(far) else far, before)
    model.set_params(encoding=None).fit(data, y)  # ranks have an edge without it
    np.testing.assert_allclose(model.predict(far), model.predict(edge), rtol=1e-5)
    plain = clone(model).set_params(clip=False).fit(data, y)
    np.testing.assert_array_equal(plain.predict(data), model.predict(data))
    assert np.abs(plain.predict(far)).max() > 1e3 > np.abs(model.predict(far)).max()


def test_every_method_and_no_row_that_costs_all():
    labels = (y > np.median(y)).astype(int)
    model = MDLAMClassifier(max_iter=20, random_state=0).fit(X, labels)
    edge = np.clip(FAR, X.min(axis=0), X.max(axis=0))
    for method in ("predict_proba", "decision_function", "transform"):
        ask = getattr(model, method)
        np.testing.assert_array_equal(ask(FAR), ask(edge))


def test_zeros_of_sparse_samples_stay():
    """Also where training had none in the column."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((200, 5)) < 0.3, rng.uniform(1.0, 2.0, (200, 5)), 0.0)
    dense[:, 0] = rng.uniform(1.0, 2.0, 200)
    model = MDLAMRegressor(max_iter=5, random_state=0).fit(sp.csr_array(dense), dense.sum(axis=1))
    new = np.array([[0.0, 9.0, 0.0, -3.0, 0.0]])
    expected = np.array([[0.0, dense[:, 1].max(), 0.0, 0.0, 0.0]])
    plain = clone(model).set_params(clip=False)
    vars(plain).update({k: v for k, v in vars(model).items() if k.endswith("_")})
    private = ("_activations", "_loss", "_inputs", "_reader")
    vars(plain).update({name: getattr(model, name) for name in private}, clip=False)
    found, wanted = model.predict(sp.csr_array(new)), plain.predict(sp.csr_array(expected))
    np.testing.assert_allclose(found, wanted)


def test_a_stream_knows_the_range_of_all_chunks():
    model = MDLAMRegressor(random_state=0)
    for rows in (slice(0, 100), slice(100, 101), slice(101, 300)):
        model.partial_fit(X[rows], y[rows])
        end = rows.stop
        np.testing.assert_array_equal(model.data_min_, X[:end].min(axis=0))
        np.testing.assert_array_equal(model.data_max_, X[:end].max(axis=0))


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("place", [0, 20_000, 39_999])
def test_sparse_samples_inside_are_not_copied(form, place):
    """Also of more entries than are looked at together."""
    rng = np.random.default_rng(0)
    data = form(sp.random(4000, 20, density=0.5, random_state=rng, format="csr"))
    model = MDLAMRegressor()
    model.data_min_, model.data_max_ = np.zeros(20), np.ones(20)
    assert within_range(model, data) is data
    data.data[place] = 7.0
    found = within_range(model, data)
    assert found is not data and found.data.max() == 1.0 and data.data[place] == 7.0
    data.data[place] = 1.0
    np.testing.assert_array_equal(found.toarray(), data.toarray())
