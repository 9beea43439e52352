"""Moments of columns, and one rule of when a column is constant for every way to fit."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam import MDLAMRegressor, Relaxed
from skmdlam.engine.moments import column_moments, varies


@pytest.fixture(params=["dense", "csr", "csc"])
def container(request):
    return {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_array}[request.param]


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_by_hand(container, weighted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 4)) * (1, 1e-6, 1e6, 1) + (0, 1, 0, 0)
    X[rng.random(5000) < 0.9, 3] = 0.0
    share = rng.random(5000) if weighted else np.ones(5000)
    share /= share.sum()
    mean, std = column_moments(container(X), share)
    exact = X.astype(np.longdouble)
    expected = share @ exact
    np.testing.assert_allclose(mean, expected.astype(float), rtol=1e-13, atol=1e-15)
    spread = np.sqrt(share @ (exact - expected) ** 2).astype(float)
    np.testing.assert_allclose(std, spread, rtol=1e-10)


@pytest.mark.parametrize("n", [400, 5000, 20_011])
def test_constant_columns_have_no_spread(container, n):
    """Rounding of the mean leaves 6e-16 of -0.0173 in 5000 rows, which is no column to scale up."""
    values = np.array([-0.017331540685, 0.1, 1e6 / 3, 0.0])
    weight = np.random.default_rng(0).uniform(0.1, 3.0, n)
    for share in (np.full(n, 1.0 / n), weight / weight.sum()):
        mean, std = column_moments(container(np.tile(values, (n, 1))), share)
        assert (std <= 1e-15 * np.abs(values)).all()
        np.testing.assert_allclose(mean, values, rtol=1e-15)
        assert not varies(mean, std, np.float64).any()


def fit(how, X, y):
    model = MDLAMRegressor((20,), random_state=0)
    if how.startswith("stream"):
        weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if "weights" in how else None
        for _ in range(5):
            for start in range(0, len(y), 100):
                rows = slice(start, start + 100)
                part = None if weight is None else weight[rows]
                model.partial_fit(X[rows], y[rows], sample_weight=part)
        return model
    if how == "exact step":
        solver = Relaxed(w_step="exact")
        model.set_params(hidden_layer_sizes=(), solver=solver, alpha=0, max_iter=100)
    elif "l1" in how:
        model.set_params(penalty="l1", alpha=1e-12)
    model.set_params(batch_size=None if "full batch" in how else "auto")
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if "weights" in how else None
    return model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "how",
    [
        "mini-batches",
        "mini-batches, weights",
        "full batch",
        "full batch, weights",
        "full batch, l1",
        "stream",
        "stream, weights",
        "exact step",
    ],
)
def test_same_rule_for_every_way_to_fit(how, dtype):
    """A column of 13 units in the last place of its mean is data, one of 3 is a constant."""
    rng = np.random.default_rng(0)
    x, others = rng.standard_normal(600), rng.standard_normal((600, 2))
    for spread, informative in ((13, True), (3, False)):
        column = (1 + spread * np.finfo(dtype).eps * x).astype(dtype)
        X = np.column_stack([column, others.astype(dtype)])
        y = (column - column.mean(dtype=float)) / column.std(dtype=float)
        y = y.astype(dtype)
        model = fit(how, X, y)
        if informative:
            assert model.score(X, y) > 0.95
        else:
            np.testing.assert_array_equal(model.coefs_[0][0], 0.0)
