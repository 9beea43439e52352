"""A basis as arrays, and one from what a stream has seen, against dense NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import sqrtm

from skmdlam.engine.constants import LIMITS, TUNED
from skmdlam.engine.inputs.basis import AxesBasis, LeadingBasis, RotatedBasis
from skmdlam.engine.inputs.stored import (
    basis_as_arrays,
    basis_from_arrays,
    basis_of_summary,
    basis_with_factors,
    basis_without_factors,
)
from skmdlam.engine.moments import Moments
from skmdlam.engine.summary import DataSummary

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
Y = RNG.standard_normal((400, 2))
KINDS = {
    "rotated": (RotatedBasis, {"rotate": True}),
    "axes": (AxesBasis, {"rotate": False}),
    "leading": (LeadingBasis, {"rotate": True, "limits": replace(LIMITS, stream_covariance=4)}),
}


def basis_of(kind, summary=None, dtype=float, **more):
    summary = DataSummary.of(X, Y, joint=True) if summary is None else summary
    return basis_of_summary(summary, dtype, np.float64, **KINDS[kind][1] | more)


def metric_of(basis):
    """``R R'``, the metric of standardized columns."""
    R = basis.standard_weights(np.eye(basis.size))
    return R @ R.T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind, dtype):
    """All that can be asked of it is the same by a bit."""
    basis = basis_of(kind, dtype=dtype)
    assert type(basis) is KINDS[kind][0]
    arrays = basis_as_arrays(basis)
    assert arrays["kind"] == type(basis).__name__ and arrays["dtype"] == np.dtype(dtype).name
    again = basis_from_arrays(arrays)
    assert vars(again).keys() == vars(basis).keys()
    V = RNG.standard_normal((basis.size + 1, 3)).astype(dtype)
    for one, other in zip(again.expand(V), basis.expand(V), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.coordinates(X[:9]), basis.coordinates(X[:9]))
    assert again.coordinates(X[:9]).dtype == basis.coordinates(X[:9]).dtype == dtype
    shrunk, same = V.copy(), V.copy()
    basis.shrink(shrunk, 0.5, 0.1)
    again.shrink(same, 0.5, 0.1)
    np.testing.assert_array_equal(shrunk, same)
    assert again.output_variance(V) == basis.output_variance(V)
    assert again.rotated == basis.rotated == (kind == "rotated")


@pytest.mark.parametrize("kind", ["rotated", "axes"])
@pytest.mark.parametrize("weighted", [False, True])
def test_metric_by_hand(kind, weighted):
    """``2 (C + m I)^(-1/2)``, the correlations counting 20 samples of the mean weight on which
    they are zero."""
    s = RNG.uniform(0.2, 0.6, 400) if weighted else np.ones(400)
    summary = DataSummary.of(X, Y, s if weighted else None, joint=True)
    exact = replace(LIMITS, stream_compact=False)
    basis = basis_of(kind, summary, limits=exact)
    correlation = np.corrcoef(X.T) if not weighted else None
    if weighted:
        covariance = np.cov(X.T, aweights=s)
        spread = np.sqrt(covariance.diagonal())
        correlation = covariance / spread / spread[:, None]
    prior = TUNED.stream_prior * s.mean()
    C = (s.sum() * correlation + prior * np.eye(5)) / (s.sum() + prior)
    metric = 2.0 * np.linalg.inv(sqrtm(C + np.trace(C) / 5 * np.eye(5)))
    np.testing.assert_allclose(metric_of(basis), metric.real, atol=1e-10)
    # By eigenvectors in half precision: eleven bits of them.
    np.testing.assert_allclose(metric_of(basis_of(kind, summary)), metric.real, atol=2e-3)


def test_a_basis_by_halves_is_a_change_of_coordinates():
    """Stored, it is its source alone, and back it is the same by a bit."""
    basis = basis_of("rotated")
    np.testing.assert_allclose(basis._T_inverse @ basis._T, np.eye(5), atol=1e-9)
    stored = basis_without_factors(basis_as_arrays(basis))
    assert list(stored["own"]) == ["source"] and stored["own"]["source"][1].dtype == np.float16
    again = basis_from_arrays(basis_with_factors(stored))
    for name in ("_T", "_T_inverse", "_standard", "variance"):
        np.testing.assert_array_equal(getattr(again, name), getattr(basis, name))
    axes = basis_as_arrays(basis_of("axes"))
    assert basis_without_factors(axes) is axes and basis_with_factors(axes) is axes


def test_prior_is_the_one_that_is_handed_in():
    few = DataSummary.of(X[:30], Y[:30], joint=True)
    metric = metric_of(basis_of("axes", few, tuned=replace(TUNED, stream_prior=1e9)))
    np.testing.assert_allclose(metric, np.sqrt(2.0) * np.eye(5), atol=1e-6)


@pytest.mark.parametrize("limit", [1e3, 1.0])
def test_columns_in_one_unit(limit):
    """Spreads of few samples stay as they are to each other, below the limit that is handed in."""
    few = X[:4] * [1, 2, 4, 8, 16]
    limits = replace(LIMITS, one_unit=limit)
    basis = basis_of("axes", DataSummary.of(few, Y[:4], joint=True), limits=limits)
    assert basis.columns.one_unit == (limit > 1.0)
    spread = few.std(axis=0)
    unit = np.sqrt(np.mean(spread**2)) if limit > 1.0 else spread
    C = (4 * np.corrcoef(few.T) + 20 * np.eye(5)) / 24
    C *= (spread / unit) * (spread / unit)[:, None]
    values, vectors = np.linalg.eigh(C)
    P = 2.0 / np.sqrt(values + values.mean())
    if limit > 1.0:  # all directions alike, the mean of both weighted by variance
        P = np.full(5, values @ P / values.sum())
    np.testing.assert_allclose(metric_of(basis), (vectors * P) @ vectors.T, atol=1e-9)
    if limit > 1.0:
        assert basis.total_variance == pytest.approx(P[0] * np.trace(C))


@pytest.mark.parametrize("times", [1, 10**9])
@pytest.mark.parametrize("kind", ["rotated", "axes"])
def test_no_direction_is_lost(kind, times):
    """Also of columns that are copies of each other, which may part later in a long stream."""
    copies = np.column_stack([X, X[:, :2]])
    summary = DataSummary.of(copies, Y, joint=True)
    more = {
        name: Moments(times * part.weight, part.mean, times * part.square)
        for name in ("columns", "joint")
        for part in [getattr(summary, name)]
    }
    basis = basis_of(kind, replace(summary, rows=400 * times, **more))
    assert basis.size == 7
    W, b = RNG.standard_normal((7, 3)), RNG.standard_normal(3)
    W_back, b_back = basis.expand(basis.contract(W, b))
    np.testing.assert_allclose(W_back, W, atol=1e-6)
    np.testing.assert_allclose(b_back, b, atol=1e-5)


def test_constant_columns_have_no_weight():
    constant = X.copy()
    constant[:, 2] = 7.0
    basis = basis_of("rotated", DataSummary.of(constant, Y, joint=True))
    W, _ = basis.expand(RNG.standard_normal((basis.size + 1, 3)))
    assert (W[2] == 0).all()
    assert (W[[0, 1, 3, 4]] != 0).all()


def test_covariance_of_a_part_with_spreads_of_all():
    """After a fit covariances are those of the stream, means and spreads those of all."""
    late = 10.0 * X[300:]
    summary = DataSummary.of(X[:300], Y[:300]) + DataSummary.of(late, Y[300:], joint=True)
    assert summary.joint.weight == 100
    basis = basis_of("axes", summary)
    everything = np.vstack([X[:300], late])
    np.testing.assert_allclose(basis.columns.std, everything.std(axis=0))
    np.testing.assert_allclose(basis.columns.mean, everything.mean(axis=0))
    # In standardized columns the variances are one, whatever those of the part are.
    C = (100 * np.corrcoef(late.T) + 20 * np.eye(5)) / 120
    metric = 2.0 * np.linalg.inv(sqrtm(C + np.eye(5)))
    np.testing.assert_allclose(metric_of(basis), metric.real, atol=1e-10)
