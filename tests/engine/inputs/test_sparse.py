"""Samples of a large sparse X, of which only products are known."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.decompositions import basis_of
from skmdlam.engine.inputs.sparse import SparseInput
from skmdlam.engine.moments import Columns, column_moments


def case(size=20, *, dtype=float, far=False, **limited):
    """A sparse X with hard columns, sketched in so many directions, and its coordinates."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 60))
    X[rng.random(X.shape) < 0.9] = 0.0
    X[4] *= 30.0
    X[:, 3] = 0.0
    X[:, 5] *= 100.0
    X[:, 7] += 30.0 * (X[:, 7] != 0)
    if far:
        X[:, 9] += 5000.0
    limits = replace(LIMITS, decomposition=10, sketch=size, transformed=600, **limited)
    share = np.full(120, 1 / 120)
    columns = Columns.of(*column_moments(X, share), 120, 120, X.dtype)
    basis = basis_of(X, columns, share, np.dtype(dtype), np.random.RandomState(0), limits=limits)
    return SparseInput(sp.csr_array(X), basis, limits), basis.coordinates(X), basis


@pytest.mark.parametrize("size", [0, 20])
@pytest.mark.parametrize("far", [False, True])
def test_products_and_lengths_are_those_of_the_coordinates(size, far):
    held, u, basis = case(size, far=far)
    assert not held.dense and held.view(slice(0, 3)) is None
    assert held.projections.shape == (120, size + 2)
    rng = np.random.default_rng(1)
    scale = np.abs(u).max()
    V = rng.standard_normal((61, 3))
    for rows in (np.array([4, 0, 119, 4, 33]), slice(3, 17)):
        np.testing.assert_allclose(
            held.product(V)(rows), u[rows] @ V[:-1] + V[-1], atol=1e-9 * scale
        )
        out = np.empty_like(u[rows][:, :1] * np.ones(61))
        held.take(rows, out)
        np.testing.assert_allclose(out[:, :-1], u[rows], atol=1e-9 * scale)
        np.testing.assert_array_equal(out[:, -1], 1.0)
    # Lengths come from the differences of squares of columns that are not centered.
    rounding = 20 * np.finfo(float).eps * np.square(held.center).sum() * basis.bulk**2
    np.testing.assert_allclose(held.norms, np.square(u).sum(axis=1), rtol=1e-9, atol=rounding)
    rows = np.arange(0, 120, 7)
    np.testing.assert_allclose(held.samples(rows), u[rows], atol=1e-9 * scale)
    factor = held.factor(rows)
    assert len(factor) == rows.size
    np.testing.assert_allclose(factor @ V[:-1], u[rows] @ V[:-1], atol=1e-8 * scale)
    rotated = held.rotated_samples(rows)
    assert rotated.shape == (rows.size, rows.size)
    np.testing.assert_allclose(rotated @ rotated.T, u[rows] @ u[rows].T, atol=rounding + 1e-9)
    np.testing.assert_array_equal(held.projections[:, -1], 1.0)
    standard = held.X.toarray() - held.center
    np.testing.assert_allclose(
        held.projections[:, :-2], standard @ basis.vectors, atol=1e-9 * scale
    )
    np.testing.assert_allclose(
        held.projections[:, -2], held.X.toarray() @ held.center, rtol=1e-9, atol=1e-6
    )


def test_where_what_lies_along_would_be_larger_than_x():
    held, u, _ = case(20, small=1, entries=1)
    assert held.projections is None
    rows = np.arange(0, 120, 7)
    np.testing.assert_allclose(held.norms, np.square(u).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(held.rotated_samples(rows), u[rows], atol=1e-9)
    V = np.random.default_rng(1).standard_normal((60, 2))
    np.testing.assert_allclose(held.factor(rows) @ V, u[rows] @ V, atol=1e-8)


def test_columns_far_from_zero_take_double_precision():
    near, far = (case(dtype=np.float32, far=far) for far in (False, True))
    assert near[0].X.dtype == near[0].projections.dtype == np.float32
    assert far[0].X.dtype == far[0].projections.dtype == float
    V = np.random.default_rng(1).standard_normal((61, 2)).astype(np.float32)
    for held, u, _ in (near, far):
        np.testing.assert_allclose(
            held.product(V)(slice(None)), u @ V[:-1] + V[-1], atol=2e-5 * np.abs(u).max()
        )


def test_tall_and_sparse_in_few_coordinates():
    """The primal form has no leading directions: lengths come from the coordinates."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((200, 8)) < 0.3, rng.standard_normal((200, 8)), 0.0)
    share = np.full(200, 1 / 200)
    columns = Columns.of(*column_moments(X, share), 200, 200, X.dtype)
    basis = basis_of(X, columns, share, np.dtype(float), None)
    held = SparseInput(sp.csr_array(X), basis, replace(LIMITS, transformed=100))
    assert held.projections is None
    u = basis.coordinates(X)
    np.testing.assert_allclose(held.norms, np.square(u).sum(axis=1))
    V = rng.standard_normal((basis.size + 1, 2))
    np.testing.assert_allclose(held.product(V)(slice(5, 9)), u[5:9] @ V[:-1] + V[-1])
