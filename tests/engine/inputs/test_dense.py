"""Samples held dense, in the coordinates of a basis."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.decompositions import basis_of, input_of
from skmdlam.engine.inputs.dense import DenseInput, DenseOnDemand
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.moments import Columns, column_moments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_holds_the_coordinates_and_ones(container, few, dtype):
    """In chunks of any size; copies for indices, a view for a slice."""
    n, d = (20, 45) if few else (45, 7)
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n, d)) < 0.7, rng.standard_normal((n, d)), 0.0)
    share = np.full(n, 1 / n)
    limits = replace(LIMITS, small=1, entries=1, transformed=50)
    columns = Columns.of(*column_moments(X, share), 100, n, X.dtype)
    X = container(X)
    basis = basis_of(X, columns, share, np.dtype(dtype), None, limits=limits)
    held = DenseInput(X, basis, limits)
    expected = basis.coordinates(X)
    assert held.dense and held.data.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(held.data[:, :-1], expected, atol=tolerance)
    np.testing.assert_array_equal(held.data[:, -1], 1.0)
    lengths = np.square(expected, dtype=float).sum(axis=1)
    np.testing.assert_allclose(held.norms, lengths, rtol=1e-5)

    rows = np.array([3, 1, 1, n - 1])
    out = np.empty((4, basis.size + 1), dtype)
    held.take(rows, out)
    np.testing.assert_array_equal(out, held.data[rows])
    held.take(slice(2, 6), out)
    np.testing.assert_array_equal(out, held.data[2:6])
    for samples in (held.samples, held.factor, held.rotated_samples):
        np.testing.assert_array_equal(samples(rows), held.data[rows, :-1])
    assert held.view(rows) is None
    assert np.shares_memory(held.view(slice(2, 6)), held.data)
    np.testing.assert_array_equal(held.view(slice(2, 6)), held.data[2:6])


def encoded_data(dtype=np.float64):
    X = np.random.default_rng(0).normal(size=(400, 5)).astype(dtype)
    encoded = EncodedSamples(X, Pieces.of(X, 8, include_input=True))
    share = np.full(400, 1 / 400)
    columns = Columns.of(*column_moments(encoded, share), 400, 400, X.dtype)
    return encoded, columns, share


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rotate", [True, False])
def test_on_demand_is_what_is_held(dtype, rotate):
    encoded, columns, share = encoded_data()
    basis = basis_of(encoded, columns, share, np.dtype(dtype), None, rotate=rotate)
    held = DenseInput(encoded[:], basis, LIMITS)
    made = DenseOnDemand(encoded, basis, replace(LIMITS, transformed=1000))
    assert made.dense and made.basis is basis
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(made.norms, held.norms, rtol=tolerance)
    rows = np.array([3, 1, 1, 399])
    for some, n in ((rows, 4), (slice(10, 30), 20), (slice(390, 400), 10)):
        out, expected = (np.full((n, basis.size + 1), np.nan, dtype) for _ in range(2))
        made.take(some, out)
        held.take(some, expected)
        np.testing.assert_allclose(out, expected, rtol=0, atol=tolerance)
        assert made.view(some) is None
    for samples in (made.samples, made.factor, made.rotated_samples):
        assert samples(rows).dtype == dtype
        np.testing.assert_allclose(samples(rows), held.samples(rows), rtol=0, atol=tolerance)


def test_on_demand_where_a_copy_takes_too_much():
    encoded, columns, share = encoded_data()
    basis = basis_of(encoded, columns, share, np.dtype(np.float32), None)
    assert isinstance(input_of(encoded, basis), DenseInput)
    small = replace(LIMITS, small=100)
    assert isinstance(input_of(encoded, basis, small), DenseOnDemand)
    assert isinstance(input_of(encoded[:], basis, small), DenseInput)
