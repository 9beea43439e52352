"""Coordinates of the first layer's input: every form of them against dense matrices."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.basis import AxesBasis, LeadingBasis, RotatedBasis, tempered
from skmdlam.engine.inputs.decompositions import basis_of
from skmdlam.engine.inputs.samples_basis import SamplesBasis
from skmdlam.engine.moments import Columns, column_moments

SKETCH = replace(LIMITS, decomposition=10, sketch=6)
FORMS = {
    "rotated": (RotatedBasis, 90, 12, LIMITS),
    "dual": (RotatedBasis, 20, 40, LIMITS),
    "samples": (SamplesBasis, 20, 40, replace(LIMITS, small=1, entries=1)),
    "leading": (LeadingBasis, 200, 40, replace(LIMITS, rotation=10)),
    "sketched": (LeadingBasis, 60, 40, SKETCH),
    "no directions": (LeadingBasis, 60, 40, replace(SKETCH, sketch=0)),
    "axes": (AxesBasis, 90, 12, LIMITS),
    "wide axes": (AxesBasis, 20, 40, LIMITS),
}
EVERY = pytest.mark.parametrize("form", FORMS)
CONSTANT = 3


def case(form, *, dtype=float, spread=2.0):
    """A data set in any units with a constant column, weights, and its basis of that form."""
    kind, n, d, limits = FORMS[form]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d)) + rng.standard_normal((n, d))
    X = (X + rng.standard_normal(d)) * 10.0 ** rng.uniform(-spread, spread, d)
    X[:, CONSTANT] = 2.0
    if kind is SamplesBasis:
        X[rng.random((n, d)) < 0.7] = 0.0
        X[:, CONSTANT] = 2.0
    weight = rng.uniform(0.2, 3.0, n)
    share = weight / weight.sum()
    # As many copies as make more samples than columns: each column keeps its own unit.
    columns = Columns.of(*column_moments(X, share), 100, n, X.dtype)
    held = sp.csr_array(X) if kind is SamplesBasis else X
    basis = basis_of(
        held,
        columns,
        share,
        np.dtype(dtype),
        np.random.RandomState(0),
        rotate=kind is not AxesBasis,
        limits=limits,
    )
    assert type(basis) is kind
    return X, held, share, columns, basis


def standardized(X, columns):
    return (X - columns.mean) * columns.inverse_std


def R_of(basis):
    """The change of coordinates as a dense matrix."""
    return basis.standard_weights(np.eye(basis.size))


def covariance_of(share, U):
    return (share[:, None] * U).T @ U - np.outer(share @ U, share @ U)


def model_of(basis):
    """The covariance of the coordinates as the basis knows it."""
    if basis.leading is None:
        return np.diag(basis.variance)
    Q = basis.vectors
    rest = basis._variance_bulk
    return Q * (basis.variance - rest) @ Q.T + rest * np.eye(basis.size)


@EVERY
def test_coordinates_times_weights_are_columns_times_theirs(form):
    X, held, _, columns, basis = case(form)
    rng = np.random.default_rng(1)
    V = rng.standard_normal((basis.size + 1, 3))
    W, b = basis.expand(V)
    u = basis.coordinates(held)
    assert u.shape == (len(X), basis.size)
    np.testing.assert_allclose(u, standardized(X, columns) @ R_of(basis), atol=1e-9)
    np.testing.assert_allclose(X @ W + b, u @ V[:-1] + V[-1], atol=1e-8)
    np.testing.assert_array_equal(W[CONSTANT], 0.0)
    again = basis.contract(W, b)
    rows = np.arange(basis.size + 1)
    if basis.size == X.shape[1]:  # the axes are there, and a constant column has no weight
        rows = rows[rows != CONSTANT]
        seen = np.setdiff1d(np.arange(X.shape[1]), [CONSTANT])
        np.testing.assert_allclose(R_of(basis)[seen][:, [CONSTANT]], 0.0, atol=1e-9)
    np.testing.assert_allclose(again[rows], V[rows], atol=1e-8)


@EVERY
def test_weights_of_columns_are_contracted(form):
    """What they say of the samples stays, in units of X or of standardized columns."""
    X, held, _, columns, basis = case(form)
    rng = np.random.default_rng(1)
    W, b = rng.standard_normal((X.shape[1], 3)), rng.standard_normal(3)
    in_units = W * columns.inverse_std[:, None]
    u = basis.coordinates(held)
    V = basis.contract(in_units, b)
    np.testing.assert_allclose(u @ V[:-1] + V[-1], X @ in_units + b, atol=1e-8)
    V = basis.contract(W, b, standard=True)
    np.testing.assert_allclose(u @ V[:-1] + V[-1], standardized(X, columns) @ W + b, atol=1e-8)


@EVERY
def test_gradient_is_the_transpose(form):
    _, _, _, columns, basis = case(form)
    rng = np.random.default_rng(1)
    G, V = rng.standard_normal((columns.std.size, 2)), rng.standard_normal((basis.size, 2))
    inner = np.vdot(G, basis.standard_weights(V))
    assert np.vdot(basis.standard_gradient(G), V) == pytest.approx(inner, rel=1e-10)


@EVERY
def test_metric_is_the_documented_one(form):
    """``R R' = 2 (C + m I)^(-1/2)``; one number for the directions that nobody looks at."""
    X, _, share, columns, basis = case(form)
    C = covariance_of(share, standardized(X, columns))
    values, vectors = np.linalg.eigh(C)
    mean = values.sum() / (X.shape[1] - 1)
    if form in ("leading", "sketched", "no directions"):
        Q = basis.vectors
        few = {"leading": 5, "sketched": 6, "no directions": 0}[form]
        assert 0 < Q.shape[1] <= few or few == 0 == Q.shape[1]
        along = np.diag(Q.T @ C @ Q)
        others = X.shape[1] - Q.shape[1] - (form == "leading")
        rest = (values.sum() - along.sum()) / others
        if form == "no directions":
            rest = 1.0
        expected = 2 / np.sqrt(rest + mean) * (np.eye(X.shape[1]) - Q @ Q.T)
        expected += Q * (2 / np.sqrt(along + mean)) @ Q.T
        if few:  # the leading ones, and nearly as well as an exact decomposition
            assert along.sum() > 0.99 * values[-Q.shape[1] :].sum()
    else:
        varies = values > 1e-9 if basis.leading is None else values > -np.inf
        vectors = vectors[:, varies]
        expected = vectors * (2 / np.sqrt(values[varies].clip(0) + mean)) @ vectors.T
    R = R_of(basis)
    expected, found = (np.delete(P, CONSTANT, axis=0) for P in (expected, R @ R.T))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_metric_of_few_samples_in_one_unit_is_a_number():
    """That of every direction, weighted by its variance: small ones are noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 40))
    X += 0.1 * rng.standard_normal((20, 40))
    share = np.full(20, 1 / 20)
    columns = Columns.of(*column_moments(X, share), 20, 20, X.dtype)
    assert columns.one_unit
    values = np.linalg.eigvalsh(covariance_of(share, standardized(X, columns)))
    metric = 2 / np.sqrt(values.clip(0) + values.sum() / 40)
    number = values @ metric / values.sum()
    for limits, rtol in ((LIMITS, 1e-9), (replace(LIMITS, decomposition=10, sketch=15), 0.02)):
        basis = basis_of(X, columns, share, np.dtype(float), rng, limits=limits)
        R = R_of(basis)
        U, scale, _ = np.linalg.svd(R, full_matrices=False)
        np.testing.assert_allclose(scale**2, number, rtol=rtol)
        assert U.shape[1] == (19 if limits is LIMITS else 40)


def test_tempered_lets_the_last_value_stand_for_the_others():
    columns = Columns(np.zeros(6), np.ones(6), np.ones(6), True)
    values, total = np.array([3.0, 0.5]), 6.0
    plain = 2 / np.sqrt(values + 1.0)
    weighted = (3.0 * plain[0] + 3.0 * plain[1]) / 6.0  # 0.5 and what is missing of 6
    np.testing.assert_allclose(tempered(values, total, columns), weighted)
    own = replace(columns, one_unit=False)
    np.testing.assert_allclose(tempered(values, total, own), plain)


@EVERY
def test_variance_is_that_of_the_samples(form):
    _, held, share, _, basis = case(form)
    u = basis.coordinates(held)
    C = covariance_of(share, u)
    if form == "no directions":
        # Each standardized column has variance one, and counts in full.
        assert basis.variance.size == 0
    elif basis.leading is not None:
        along = basis.leading.T @ C @ basis.leading
        np.testing.assert_allclose(np.diag(along), basis.variance, rtol=1e-7, atol=1e-9)
    else:
        np.testing.assert_allclose(C, np.diag(basis.variance), atol=1e-9)
    # A sketch spreads what is left over the constant column too.
    rel = 0.03 if form in ("sketched", "no directions") else 1e-8
    length = share @ np.square(u).sum(axis=1)
    assert basis.total_variance == pytest.approx(length, rel=rel)

    V = np.random.default_rng(1).standard_normal((basis.size + 1, 3))
    mean = share @ (u @ V[:-1])
    spread = share @ np.square(u @ V[:-1] - mean).sum(axis=1)
    if form in ("rotated", "dual", "samples", "axes", "wide axes"):
        assert basis.output_variance(V) == pytest.approx(spread, rel=1e-8)
        return
    # Exact along the leading directions; others are all alike, with the right sum.
    Q = basis.leading
    V = np.vstack([Q @ V[: Q.shape[1]], V[-1]])
    expected = np.trace(V[:-1].T @ C @ V[:-1])
    assert basis.output_variance(V) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    others = np.linalg.svd(Q, full_matrices=True)[0][:, Q.shape[1] :]
    each = [basis.output_variance(np.append(q, 1.0)[:, None]) for q in others.T]
    np.testing.assert_allclose(each, each[0])
    rest = np.trace(others.T @ C @ others)
    assert sum(each) == pytest.approx(rest, rel=0.05)


@EVERY
def test_sizes_of_columns(form):
    _, _, _, columns, basis = case(form)
    V = np.random.default_rng(1).standard_normal((basis.size + 1, 3))
    expected = np.square(basis.expand(V)[0] * columns.std[:, None]).sum(axis=1)
    sizes = basis.column_sizes(V)
    np.testing.assert_allclose(np.delete(sizes, CONSTANT), np.delete(expected, CONSTANT))


@pytest.mark.parametrize("ridge", [0.0, 0.3, 1e9])
@pytest.mark.parametrize("with_columns", [False, True])
@pytest.mark.parametrize("form", ["rotated", "dual", "samples", "leading"])
def test_block_of_the_penalties_is_the_minimum(form, ridge, with_columns):
    """Against the linear system of the documented problem, dense."""
    _, _, _, columns, basis = case(form, spread=0.2)
    rng = np.random.default_rng(1)
    V = rng.standard_normal((basis.size + 1, 3))
    charges = rng.uniform(0.1, 3.0, columns.std.size) if with_columns else None
    variance = 0.7
    R = R_of(basis)
    charge = ridge * columns.inverse_std**2 + (0.0 if charges is None else charges)
    charge = np.minimum(charge, 1e4)  # a column is as good as gone
    system = np.eye(basis.size) + variance * model_of(basis) + R.T @ (charge[:, None] * R)
    expected = np.linalg.solve(system, V[:-1])
    intercept = V[-1].copy()
    basis.shrink(V, variance, ridge, *(() if charges is None else (charges,)))
    np.testing.assert_allclose(V[:-1], expected, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(V[-1], intercept)


@pytest.mark.parametrize("form", ["sketched", "no directions", "axes", "wide axes"])
def test_block_of_the_penalties_with_the_diagonal(form):
    """The variance exactly, then ridge and columns as far as a number for each column says it."""
    _, _, _, columns, basis = case(form, spread=0.2)
    rng = np.random.default_rng(1)
    start = rng.standard_normal((basis.size + 1, 3))
    variance, ridge = 0.7, 0.3
    charges = rng.uniform(0.1, 3.0, columns.std.size)
    V = start.copy()
    basis.shrink(V, variance, 0.0)
    system = np.eye(basis.size) + variance * model_of(basis)
    np.testing.assert_allclose(V[:-1], np.linalg.solve(system, start[:-1]), rtol=1e-9)
    R = R_of(basis)
    charge = ridge * columns.inverse_std**2 + charges

    def value(V):
        """Of the documented problem, in which the metric is all of R."""
        spread = np.trace(V[:-1].T @ model_of(basis) @ V[:-1])
        paid = np.sum(charge[:, None] * (R @ V[:-1]) ** 2)
        return 0.5 * (np.sum((V - start) ** 2) + variance * spread + paid)

    V = start.copy()
    basis.shrink(V, variance, ridge, charges)
    assert value(V) < value(start)
    np.testing.assert_array_equal(V[-1], start[-1])
    factor = (1 + basis.bulk**2 * charge)[:, None]
    np.testing.assert_allclose(V[:-1] * factor, np.linalg.solve(system, start[:-1]), rtol=1e-9)


def test_block_in_single_precision():
    """All forms stay in the type of the weights, near the double precision solution."""
    for form in FORMS:
        *_, columns, basis = case(form, dtype=np.float32, spread=0.2)
        *_, exact = case(form, spread=0.2)
        V = np.random.default_rng(1).standard_normal((basis.size + 1, 3))
        double, single = V.copy(), V.astype(np.float32)
        charges = np.linspace(0.1, 3.0, columns.std.size)
        exact.shrink(double, 0.7, 0.3, charges)
        basis.shrink(single, 0.7, 0.3, charges)
        if form != "samples":  # whose directions may have another sign
            np.testing.assert_allclose(single, double, rtol=2e-3, atol=1e-3)
        assert basis.coordinates(case(form)[1]).dtype == np.float32


@pytest.mark.parametrize("form", ["leading", "sketched", "axes", "wide axes"])
def test_metric_in_weights(form):
    """``tr dW' M dW`` with rows of like size is the squared length of the step in coordinates."""
    _, _, _, _, basis = case(form)
    rng = np.random.default_rng(1)
    V = rng.standard_normal((basis.size + 1, 3))
    product, top, rows, W = basis.in_weights(V)
    np.testing.assert_allclose(W, basis.expand(V)[0])
    step = rng.standard_normal((basis.size, 3)) / rows
    step[CONSTANT] = 0.0
    length = np.sum(basis.contract(step, 0.0)[:-1] ** 2)
    assert np.vdot(rows * step, product(rows * step)) == pytest.approx(length, rel=1e-8)
    largest = np.linalg.eigvalsh(product(np.eye(basis.size)))[-1]
    assert top == pytest.approx(largest, rel=1e-8)
    assert (rows > 0).all()

    other = rng.standard_normal(W.shape) / rows
    other[CONSTANT] = 0.0
    intercept = V[-1].copy()
    basis.from_weights(V, other)
    np.testing.assert_allclose(basis.expand(V)[0], other, rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(V[-1], intercept)


def test_factors_beyond_single_precision():
    """Directions of hardly any variance have factors that only double precision holds."""
    columns = Columns(np.zeros(3), np.ones(3), np.ones(3), False)
    vectors = np.eye(3)[:, :1]
    plain = LeadingBasis(columns, np.float32, np.array([2.0]), vectors, 0.5, 3.0)
    assert plain.working_dtype == plain.dtype == np.float32
    tiny = LeadingBasis(columns, np.float32, np.array([2e-200]), vectors, 1e-200, 4e-200)
    assert tiny.working_dtype == np.float64
    assert np.isfinite(tiny.coordinates(np.ones((2, 3)))).all()
