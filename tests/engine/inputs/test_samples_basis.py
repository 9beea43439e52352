"""Directions as combinations of the samples: the dual form, of which nothing large is stored."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.decompositions import basis_of
from skmdlam.engine.inputs.samples_basis import SamplesBasis
from skmdlam.engine.moments import Columns, column_moments


def both(dtype=float, limits=LIMITS, total=500):
    """The same few samples of many columns, dense and sparse."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 80)) * 10.0 ** rng.uniform(-1, 1, 80)
    X[rng.random(X.shape) < 0.8] = 0.0
    X[:, 3], X[:, 4] = 0.0, 4.0
    weight = rng.uniform(0.2, 3.0, 30)
    share = weight / weight.sum()
    columns = Columns.of(*column_moments(X, share), total, 30, X.dtype)

    def basis(X, **kwargs):
        limited = replace(limits, **kwargs)
        return basis_of(X, columns, share, np.dtype(dtype), None, limits=limited)

    plain, sparse = basis(X), basis(sp.csr_array(X), small=1, entries=1)
    assert type(sparse) is SamplesBasis
    return X, columns, plain, sparse


@pytest.mark.parametrize("total", [30, 500])  # columns in one unit, or each in its own
def test_is_the_dual_form_up_to_signs(total):
    X, columns, plain, sparse = both(total=total)
    assert columns.one_unit == (total == 30)
    assert sparse.size == plain.size == 29  # centered
    np.testing.assert_allclose(sparse.variance, plain.variance, rtol=1e-9)
    V = np.random.default_rng(1).standard_normal((29, 2))
    signs = np.sign(np.sum(plain.coordinates(X) * sparse.coordinates(sp.csr_array(X)), axis=0))
    signs = signs[:, None]
    np.testing.assert_allclose(
        sparse.coordinates(sp.csr_array(X)) * signs.T, plain.coordinates(X), atol=1e-8
    )
    np.testing.assert_allclose(
        sparse.standard_weights(signs * V), plain.standard_weights(V), atol=1e-9
    )
    V = np.vstack([V, np.ones(2)])
    other = np.vstack([signs * V[:-1], np.ones(2)])
    for found, expected in zip(sparse.expand(other), plain.expand(V), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    W = np.random.default_rng(2).standard_normal((80, 2))
    contracted = sparse.contract(W, np.zeros(2))
    contracted[:-1] *= signs
    np.testing.assert_allclose(contracted, plain.contract(W, np.zeros(2)), atol=1e-7)
    charges = np.linspace(0.0, 5.0, 80)
    plain.shrink(V, 0.4, 0.1, charges)
    sparse.shrink(other, 0.4, 0.1, charges)
    np.testing.assert_allclose(signs * other[:-1], V[:-1], rtol=1e-6, atol=1e-7)


def test_products_in_single_precision_stay_there():
    X, _, _, basis = both(np.float32)
    V = np.random.default_rng(1).standard_normal((29, 2))
    double = basis.standard_weights(V)
    single = basis.standard_weights(V.astype(np.float32))
    assert single.dtype == np.float32 and double.dtype == float
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)
    assert basis.coordinates(sp.csr_array(X)).dtype == np.float32
    assert basis.standard_gradient(single).dtype == np.float32


@pytest.mark.parametrize("iterations", [0, 1, 2, 5])
def test_block_that_is_not_solved_to_the_end_never_rises(iterations):
    """Conjugate gradients descend from a start that solves the problem of an even charge."""
    *_, basis = both(limits=replace(LIMITS, cg_iterations=iterations))
    start = np.random.default_rng(1).standard_normal((30, 3))
    R = basis.standard_weights(np.eye(29))

    def value(V, charges):
        spread = basis.variance @ np.square(V[:-1]).sum(axis=1)
        paid = charges @ np.square(R @ V[:-1]).sum(axis=1)
        return 0.5 * (np.sum((V - start) ** 2) + 0.7 * spread + paid)

    missing = []
    for power in (-4, -1, 0, 1, 2):
        charges = 10.0**power * np.linspace(0.5, 1.5, 80)
        V, exact = start.copy(), start.copy()
        basis.shrink(V, 0.7, 0.0, charges)
        system = np.diag(1 + 0.7 * basis.variance) + R.T @ (charges[:, None] * R)
        exact[:-1] = np.linalg.solve(system, start[:-1])
        before, after, least = (value(W, charges) for W in (start, V, exact))
        assert least <= after * (1 + 1e-12) and after < before
        missing.append((after - least) / before)
    assert iterations < 5 or max(missing) < 1e-4
