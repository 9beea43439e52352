"""Standardized columns for sweeps over all samples, dense and sparse, against plain NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.inputs.scaled import (
    ScaledInput,
    ScaledOnDemand,
    ScaledSparseInput,
    scaled_input,
    uniform_columns,
)
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.reductions import Rows

both_forms = pytest.mark.parametrize("sparse", [False, True])


def make(X, weight=None, sparse=False):
    rows = Rows(len(X), weight)
    X = sp.csr_array(X) if sparse else X
    columns = Columns.of(*column_moments(X, rows.normalized()), rows.total, len(rows.normalized()),
                         X.dtype)  # fmt: skip
    inputs = scaled_input(X, columns)
    assert isinstance(inputs, ScaledSparseInput) == sparse
    return inputs


def data(n=30, d=6, zeros=0.5, dtype=float):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) * 10.0 ** np.arange(-2, d - 2) + 3.0
    X[rng.random(X.shape) < zeros] = 0.0
    return X.astype(dtype), rng.uniform(0.1, 3.0, n)


@both_forms
def test_products_are_those_of_standardized_columns(sparse):
    X, weight = data()
    inputs = make(X, weight, sparse)
    share, rng = weight / weight.sum(), np.random.default_rng(1)
    mean = share @ X
    U = (X - mean) / np.sqrt(share @ (X - mean) ** 2)
    U = np.column_stack([U, np.ones(len(X))])
    V, D = rng.normal(size=(7, 4)), rng.normal(size=(11, 4))
    some = slice(5, 16)
    block = inputs.data[some]
    z, G = np.empty((11, 4)), np.empty((7, 4))
    inputs.product(block, V, z)
    np.testing.assert_allclose(z, U[some] @ V, rtol=1e-10, atol=1e-12)
    inputs.cross(block, D, G)
    np.testing.assert_allclose(G, U[some].T @ D, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(inputs.standardized(block), U[some, :-1], rtol=1e-10, atol=1e-12)


@both_forms
def test_contract_and_expand_are_inverse_and_keep_the_output(sparse):
    X, weight = data()
    inputs = make(X, weight, sparse)
    rng = np.random.default_rng(1)
    W, b = rng.normal(size=(6, 4)), rng.normal(size=4)
    V = inputs.contract(W, b)
    back, intercept = inputs.expand(V)
    np.testing.assert_allclose(back, W, rtol=1e-12)
    np.testing.assert_allclose(intercept, b, rtol=1e-9, atol=1e-9)
    z = np.empty((30, 4))
    inputs.product(inputs.data, V, z)
    np.testing.assert_allclose(z, X @ W + b, rtol=1e-9, atol=1e-9)
    assert (inputs.ridge * V[:-1] ** 2).sum() == pytest.approx((W**2).sum(), rel=1e-12)


@both_forms
def test_constant_columns_are_left_alone(sparse):
    X = np.column_stack([np.full(50, 0.1), np.full(50, 1e6), np.zeros(50), np.arange(50.0)])
    inputs = make(X, sparse=sparse)
    np.testing.assert_array_equal(inputs.unit[:3], 1.0)
    assert inputs.unit[3, 0] == pytest.approx(1 / np.arange(50.0).std())
    np.testing.assert_array_equal(inputs.standardized(inputs.data)[:, :3], 0.0)
    V, G = np.ones((5, 2)), np.empty((5, 2))
    z = np.empty((50, 2))
    inputs.product(inputs.data, V, z)
    # A weight on a constant moves no output, and has no gradient.
    np.testing.assert_allclose(z[:, 0], (X[:, 3] - 24.5) / X[:, 3].std() + 1.0, rtol=1e-8)
    inputs.cross(inputs.data, np.random.default_rng(0).normal(size=(50, 2)), G)
    np.testing.assert_array_equal(G[:3], 0.0)


@pytest.mark.parametrize("weighted", [False, True])
@both_forms
def test_what_rounding_takes_from_a_mean_is_no_spread(sparse, weighted):
    rng = np.random.default_rng(0)
    X = np.tile(10.0 ** rng.uniform(-8, 8, 50), (5000, 1))
    inputs = make(X, rng.uniform(size=5000) if weighted else None, sparse)
    assert not inputs.columns.vary.any()


@both_forms
def test_columns_far_from_zero_are_not_constant(sparse):
    """Years: a spread of a thousandth of the mean, in float32."""
    X = (2000.0 + np.arange(50.0)[:, None] % 3).astype(np.float32)
    inputs = make(X, sparse=sparse)
    assert inputs.unit[0, 0] == pytest.approx(1 / X.astype(float).std())
    assert inputs.columns.vary[0]
    np.testing.assert_allclose(
        inputs.standardized(inputs.data)[:, 0], (X[:, 0] - 2000 - 0.98) / X.astype(float).std(),
        rtol=1e-3,
    )  # fmt: skip


@both_forms
def test_keeps_the_type(sparse):
    X, _ = data(dtype=np.float32)
    inputs = make(X, sparse=sparse)
    assert inputs.data.dtype == inputs.standardized(inputs.data).dtype == np.float32


def test_uniform_columns_have_the_root_mean_square_for_a_unit():
    X, _ = data()
    columns = make(X).columns
    uniform = uniform_columns(columns)
    unit = np.sqrt(np.mean(X.var(axis=0)))
    np.testing.assert_allclose(uniform.std, unit, rtol=1e-12)
    np.testing.assert_allclose(uniform.inverse_std, 1 / unit, rtol=1e-12)
    np.testing.assert_array_equal(uniform.mean, columns.mean)
    none = uniform_columns(make(np.ones((5, 2))).columns)
    np.testing.assert_array_equal(none.inverse_std, 0.0)
    np.testing.assert_array_equal(none.std, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_encoded_samples_on_demand_are_a_copy(dtype, monkeypatch):
    X, weight = data(n=60, dtype=dtype)
    encoded = EncodedSamples(X, Pieces.of(X, 8, include_input=True))
    share = weight.repeat(2)[:60] / weight.repeat(2)[:60].sum()
    columns = Columns.of(*column_moments(encoded, share), 60, 60, X.dtype)
    held = scaled_input(encoded, columns)
    assert type(held) is ScaledInput
    monkeypatch.setattr(EncodedSamples, "allows", lambda *_: False)
    made = scaled_input(encoded, columns)
    assert isinstance(made, ScaledOnDemand)
    assert made.data.shape == held.data.shape and made.data.dtype == held.data.dtype == dtype
    for some in (slice(None), slice(3, 20), slice(None, None, 4), np.array([5, 1, 5])):
        u, expected = made.data[some], held.data[some]
        np.testing.assert_allclose(u, expected, rtol=3 * np.finfo(dtype).eps, atol=0)
        assert u.flags.f_contiguous and u.dtype == dtype
        np.testing.assert_array_equal(made.standardized(u), u[:, :-1])
    np.testing.assert_array_equal(made.ridge, held.ridge)
