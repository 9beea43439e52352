"""Which basis a data set gets, what of it is looked at, and how its samples are held."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.basis import AxesBasis, LeadingBasis, RotatedBasis
from skmdlam.engine.inputs.decompositions import (
    basis_of,
    input_of,
    most_directions,
    row_weights,
    stays_sparse,
)
from skmdlam.engine.inputs.dense import DenseInput
from skmdlam.engine.inputs.samples_basis import SamplesBasis
from skmdlam.engine.inputs.sparse import SparseInput
from skmdlam.engine.moments import Columns, column_moments


def basis_for(X, weight=None, *, limits=LIMITS, seed=0, **options):
    n = X.shape[0]
    share = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    columns = Columns.of(*column_moments(X, share), n, n, X.dtype)
    rng = np.random.RandomState(seed)
    return basis_of(X, columns, share, np.dtype(float), rng, limits=limits, **options)


@pytest.mark.parametrize(
    ("n", "d", "limits", "rotate", "sparse", "kind"),
    [
        (60, 20, {}, True, False, RotatedBasis),
        (60, 20, {"rotation": 20}, True, False, RotatedBasis),
        (60, 20, {"rotation": 19}, True, False, LeadingBasis),
        (20, 60, {}, True, False, RotatedBasis),
        (20, 60, {"rotation": 10}, True, False, RotatedBasis),
        (20, 60, {}, True, True, RotatedBasis),
        (20, 60, {"small": 1, "entries": 1}, True, True, SamplesBasis),
        (60, 20, {"decomposition": 19}, True, False, LeadingBasis),
        (60, 20, {}, False, False, AxesBasis),
        (20, 60, {}, False, False, AxesBasis),
        (60, 20, {"decomposition": 19}, False, False, LeadingBasis),
        (20, 60, {"decomposition": 30}, False, False, LeadingBasis),
    ],
)
def test_form_by_the_size(n, d, limits, rotate, sparse, kind):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n, d)) < 0.2, rng.standard_normal((n, d)), 0.0)
    limits = replace(LIMITS, **limits)
    X = sp.csr_array(X) if sparse else X
    basis = basis_for(X, limits=limits, rotate=rotate)
    assert type(basis) is kind
    # Sketched directions are not exact, and their block is solved with a diagonal.
    if kind is LeadingBasis:
        assert basis._exact == (d <= limits.decomposition)


def test_covariance_of_a_part_of_the_rows():
    """Of very many rows some say enough: variances within 20 % of those of all, with weights."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 5)) @ rng.standard_normal((5, 5))
    weight = rng.uniform(0.0, 2.0, 6000)
    share = weight / weight.sum()
    whole = basis_for(X, weight)
    limits = replace(LIMITS, covariance_rows=1500, covariance_ratio=1, transformed=5 * 50)
    part = basis_for(X, weight, limits=limits)
    np.testing.assert_allclose(part.variance, whole.variance, rtol=0.2)
    assert (part.variance != whole.variance).all()
    u = part.coordinates(X)
    variance = share @ np.square(u) - (share @ u) ** 2
    np.testing.assert_allclose(variance, part.variance, rtol=0.2)
    # Never fewer rows than the columns ask for, and fewer where the products would cost much.
    enough = basis_for(X, weight, limits=replace(limits, covariance_ratio=1200))
    np.testing.assert_allclose(enough.variance, whole.variance, rtol=1e-9)
    few = basis_for(X, weight, limits=replace(limits, covariance_cost=25 * 300.0))
    assert np.abs(few.variance / part.variance - 1).max() > 1e-3


def test_covariance_comes_from_all_over():
    """Rows of a sorted file."""
    X = np.random.default_rng(0).standard_normal((6000, 2))
    X[:, 0].sort()
    limits = replace(LIMITS, covariance_rows=1500, transformed=2 * 50)
    basis, whole = basis_for(X, limits=limits), basis_for(X)
    np.testing.assert_allclose(basis.variance, whole.variance, rtol=0.2)


def test_weights_are_copies():
    rng = np.random.default_rng(0)
    for n, d, limits in (
        (60, 12, LIMITS),
        (15, 40, LIMITS),
        (60, 12, replace(LIMITS, decomposition=10)),
    ):
        X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
        copies = rng.integers(1, 4, n)
        many = np.repeat(X, copies, axis=0)
        total = copies.sum()
        share = copies / total
        moments = column_moments(X, share)
        columns = Columns.of(*moments, total, n, X.dtype)
        one = basis_of(X, columns, share, np.dtype(float), np.random.RandomState(0), limits=limits)
        share = np.full(total, 1 / total)
        two = basis_of(
            many, columns, share, np.dtype(float), np.random.RandomState(0), limits=limits
        )
        size = min(one.variance.size, two.variance.size)
        np.testing.assert_allclose(one.variance[-size:], two.variance[-size:], rtol=1e-6)
        np.testing.assert_allclose(
            np.square(one.coordinates(X)).sum(axis=1), np.square(two.coordinates(X)).sum(axis=1)
        )


@pytest.mark.parametrize("n", [60, 500])
def test_sketch_of_a_sparse_matrix_is_that_of_the_dense_one(n):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((n, 50)) < 0.3, rng.standard_normal((n, 50)), 0.0)
    X[:, 4], X[:, 6] = 5.0, 3.0 + X[:, 6]
    weight = rng.uniform(0.2, 3.0, n)
    limits = replace(LIMITS, decomposition=10, sketch=8)
    dense, sparse = (basis_for(data, weight, limits=limits) for data in (X, sp.csr_array(X)))
    assert dense.variance.size == 8
    np.testing.assert_allclose(sparse.variance, dense.variance, rtol=1e-8)
    np.testing.assert_allclose(sparse.coordinates(sp.csr_array(X)), dense.coordinates(X), atol=1e-8)


def test_sketch_finds_the_leading_directions():
    """With rounds of the power method, near those of an exact decomposition."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 4)) @ rng.standard_normal((4, 60))
    X += 0.5 * rng.standard_normal((80, 60))
    n, share = 80, np.full(80, 1 / 80)
    mean, std = column_moments(X, share)
    columns = Columns.of(mean, std, 1000, n, X.dtype)
    xs = (X - mean) / std
    values = np.linalg.eigvalsh(xs.T @ xs / n)
    found = {}
    for rounds in (0, 2):
        limits = replace(LIMITS, decomposition=10, sketch=8, sketch_rounds=rounds)
        basis = basis_of(
            X, columns, share, np.dtype(float), np.random.RandomState(0), limits=limits
        )
        found[rounds] = np.square(np.linalg.norm(xs @ basis.vectors[:, -4:], axis=0)) / n
    np.testing.assert_allclose(found[2], values[-4:], rtol=1e-2)
    assert found[0].sum() < found[2].sum()


def test_fewer_directions_the_wider():
    """Their numbers are bounded by those of X, or a few million."""
    sizes = [
        most_directions(sp.csr_array((n, d)))
        for n, d in ((3000, 6000), (3000, 50_000), (3000, 1_000_000), (3000, 2_000_000))
    ]
    assert sizes == [262, 31, 1, 0]
    assert most_directions(sp.csr_array((2_000_000, 6000))) == 2
    full = sp.csr_array(np.ones((30, 20)))
    limits = replace(LIMITS, small=1, sketch_numbers=1)
    assert most_directions(full, limits) == min(2 * 600 // 20, 8 * 600 // 30)
    limits = replace(limits, sketch_entries=100)
    assert most_directions(full, limits) == 8 * 600 // 30


def test_sketch_of_a_large_sparse_matrix_has_as_many_directions_as_are_affordable():
    rng = np.random.default_rng(0)
    X = sp.csr_array(np.where(rng.random((60, 50)) < 0.3, rng.standard_normal((60, 50)), 0.0))
    limits = replace(LIMITS, decomposition=10, small=1, entries=1, sketch_numbers=1)
    limits = replace(limits, sketch_entries=1)
    most = most_directions(X, limits)
    assert 0 < most < 20
    assert basis_for(X, limits=limits).variance.size == most
    roomy = replace(limits, small=2**22)
    assert basis_for(X, limits=roomy).variance.size == 50


def test_what_stays_sparse():
    X = sp.csr_array((np.ones(100), (np.arange(100), np.arange(100) % 7)), shape=(100, 50))
    limits = replace(LIMITS, small=1, entries=8)
    assert not stays_sparse(X, 8, limits)  # 8 numbers for each entry
    assert stays_sparse(X, 9, limits)
    assert not stays_sparse(X, 50, replace(limits, small=5000))
    assert stays_sparse(X, 50, replace(limits, small=4999))
    assert not stays_sparse(X.toarray(), 50, limits)


def test_input_is_dense_unless_it_would_be_large():
    rng = np.random.default_rng(0)
    X = sp.csr_array(np.where(rng.random((60, 50)) < 0.1, rng.standard_normal((60, 50)), 0.0))
    for data in (X, X.tocsc(), X.tocoo()):
        tall = basis_for(X)
        assert type(input_of(data, tall)) is DenseInput
        assert type(input_of(data, tall, replace(LIMITS, small=1, entries=1))) is SparseInput
    few = X[:20]
    dual = basis_for(few, limits=replace(LIMITS, small=1, entries=1))
    assert type(dual) is SamplesBasis
    assert type(input_of(few, dual, replace(LIMITS, small=1, entries=1))) is DenseInput


def test_samples_far_from_all_others_count_less():
    norms = np.array([0.0, 1.0, 2.0, 4.0, 40.0])
    weights = row_weights(norms, 1.0, np.float32)
    assert weights.dtype == np.float32 and weights.shape == (5, 1)
    np.testing.assert_allclose(weights[:, 0], [1.0, 1.0, 1.0, 0.5, 0.05], rtol=1e-6)
    assert row_weights(norms[:3], 1.0, float) is None
