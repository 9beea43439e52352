"""The exact weight step against NumPy's and scikit-learn's own solvers."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from skmdlam.engine.least_squares import (
    Design,
    conjugate_gradients,
    penalised,
    spectral_norm_squared,
    top_eigenvalue,
)

from skmdlam.engine.reductions import Rows
from skmdlam.penalties import get_penalty

SHAPES = [(40, 6), (6, 40), (20, 20), (30, 1), (2, 3)]


def make(n, d, k=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    A = rng.normal(1.0, 2.0, (n, d)).astype(dtype)
    T = rng.normal(size=(n, k)).astype(dtype)
    return A, T, rng.uniform(0.2, 2.0, n).astype(dtype)


def centred(T, rows):
    return T - rows.mean(T)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (20, 20)])
@pytest.mark.parametrize("form", ["auto", "primal", "dual", "cg"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_ridge_equals_scikit_learn(shape, form, weighted, sparse):
    A, T, weight = make(*shape)
    rows = Rows(len(A), weight if weighted else None)
    design = Design(sp.csr_array(A) if sparse else A, rows)
    W = design.ridge(centred(T, rows), 0.3, form=form)
    oracle = Ridge(alpha=0.3, solver="cholesky").fit(A, T, rows.weight)
    np.testing.assert_allclose(W, oracle.coef_.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["primal", "dual", "cg"])
def test_without_ridge_it_is_the_least_squares_solution_of_least_norm(shape, form):
    A, T, _ = make(*shape)
    rows = Rows(len(A))
    W = Design(A, rows).ridge(centred(T, rows), 0.0, form=form)
    oracle = np.linalg.lstsq(A - A.mean(axis=0), T - T.mean(axis=0), rcond=None)[0]
    np.testing.assert_allclose(W, oracle, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", ["primal", "dual", "cg"])
def test_dependent_and_constant_columns(form):
    A, T, _ = make(30, 4)
    A = np.hstack([A, A[:, :1], np.full((30, 1), 7.0), np.zeros((30, 1))])
    rows = Rows(30)
    W = Design(A, rows).ridge(centred(T, rows), 0.0, form=form)
    oracle = np.linalg.lstsq(A - A.mean(axis=0), T - T.mean(axis=0), rcond=1e-10)[0]
    np.testing.assert_allclose(W, oracle, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_columns_of_very_different_scales(form):
    A, T, _ = make(60, 5)
    A -= A.mean(axis=0)
    scales = np.array([1e-9, 1e-4, 1.0, 1e4, 1e9])
    rows = Rows(60)
    fitted = (A * scales) @ Design(A * scales, rows).ridge(centred(T, rows), 0.0, form=form)
    if form == "primal":  # the dual sees the rows through the largest columns alone
        oracle = A @ np.linalg.lstsq(A, T - T.mean(axis=0), rcond=None)[0]
        np.testing.assert_allclose(fitted, oracle, rtol=1e-5, atol=1e-6)
    assert np.isfinite(fitted).all()


@given(
    n=st.integers(2, 30),
    d=st.integers(1, 30),
    ridge=st.sampled_from([1e-6, 1e-2, 1.0, 1e3]),
    seed=st.integers(0, 10**6),
)
def test_no_other_weights_are_better(n, d, ridge, seed):
    A, T, weight = make(n, d, seed=seed)
    rows = Rows(n, weight)
    T = centred(T, rows)
    design = Design(A, rows)
    W = design.ridge(T, ridge)

    def value(V):
        residual = T - (A - rows.mean(A)) @ V
        return 0.5 * rows.squared_norm(residual) + 0.5 * ridge * np.sum(V**2)

    rng = np.random.default_rng(seed)
    best = value(W)
    for size in (1e-6, 1e-3, 1.0):
        V = W + size * (1 + np.abs(W).max()) * rng.normal(size=W.shape)
        assert best <= value(V) * (1 + 1e-10)


def test_float32_stays_float32():
    A, T, weight = make(30, 5, dtype=np.float32)
    rows = Rows(30, weight)
    for form in ("primal", "dual", "cg"):
        assert Design(A, rows).ridge(centred(T, rows), 0.1, form=form).dtype == np.float32


def test_factorisation_follows_the_ridge():
    A, T, _ = make(30, 5)
    rows = Rows(30)
    design, T = Design(A, rows), centred(T, rows)
    first = design.ridge(T, 1.0)
    other = design.ridge(T, 10.0)
    np.testing.assert_array_equal(design.ridge(T, 1.0), first)
    assert not np.allclose(first, other)


def test_unknown_form_names_the_known_ones():
    A, T, _ = make(5, 2)
    with pytest.raises(ValueError, match=r"'qr'.*auto, primal, dual, cg"):
        Design(A, Rows(5)).ridge(T, 1.0, form="qr")


def test_conjugate_gradients_from_the_solution_stays_there():
    rng = np.random.default_rng(0)
    M = rng.normal(size=(8, 8))
    H = M @ M.T + np.eye(8)
    right = rng.normal(size=(8, 2))
    solution = np.linalg.solve(H, right)
    found = conjugate_gradients(lambda V: H @ V, right, start=solution)
    np.testing.assert_allclose(found, solution, rtol=1e-12)


@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (700, 3), (50, 800)])
@pytest.mark.parametrize("sparse", [False, True])
def test_top_eigenvalue_bounds_the_curvature(shape, sparse):
    A, _, weight = make(*shape)
    rows = Rows(len(A), weight)
    design = Design(sp.csr_array(A) if sparse else A, rows)
    centre = np.sqrt(weight)[:, None] * (A - rows.mean(A))
    exact = np.linalg.norm(centre, 2) ** 2
    assert exact <= design.top_eigenvalue() <= 1.02 * exact


def test_top_eigenvalue_of_a_large_matrix():
    rng = np.random.default_rng(0)
    M = rng.normal(size=(900, 40))
    exact = np.linalg.norm(M, 2) ** 2
    assert exact <= top_eigenvalue(M @ M.T) <= 1.02 * exact
    assert exact <= spectral_norm_squared(M) <= 1.02 * exact


@pytest.mark.parametrize("shape", [(60, 8), (15, 30)])
def test_lasso_and_elastic_net_equal_scikit_learn(shape):
    A, T, _ = make(*shape, k=1)
    n, rows, alpha, rho = len(A), Rows(len(A)), 0.8, 0.7
    start = np.zeros((shape[1], 1))
    design, targets = Design(A, rows), centred(T, rows)
    W = penalised(design, targets, rho, get_penalty("l1"), alpha, start, tol=1e-12, max_iter=20000)
    oracle = Lasso(alpha=alpha / (rho * n), tol=1e-12, max_iter=10**6).fit(A, T.ravel())
    np.testing.assert_allclose(W.ravel(), oracle.coef_, atol=1e-6)
    penalty = get_penalty("elasticnet", l1_ratio=0.4)
    W = penalised(design, targets, rho, penalty, alpha, start, tol=1e-12, max_iter=20000)
    oracle = ElasticNet(alpha=alpha / (rho * n), l1_ratio=0.4, tol=1e-12, max_iter=10**6)
    np.testing.assert_allclose(W.ravel(), oracle.fit(A, T.ravel()).coef_, atol=1e-6)


def test_nonnegative_weights_equal_nnls():
    A, T, _ = make(60, 8, k=1)
    rows = Rows(60)
    W = penalised(
        Design(A, rows), centred(T, rows), 1.0, get_penalty("nonnegative"), 0.0,
        np.zeros((8, 1)), tol=1e-12, max_iter=20000,
    )  # fmt: skip
    oracle, _ = scipy.optimize.nnls(A - A.mean(axis=0), (T - T.mean(axis=0)).ravel())
    np.testing.assert_allclose(W.ravel(), oracle, atol=1e-7)


@pytest.mark.parametrize("name", ["l1", "elasticnet", "group", "box", "nonnegative"])
def test_penalised_is_never_worse_than_its_start(name):
    A, T, weight = make(20, 12)
    rows, penalty = Rows(20, weight), get_penalty(name)
    T, design = centred(T, rows), Design(A, rows)
    rng = np.random.default_rng(3)

    def value(V):
        residual = T - (A - rows.mean(A)) @ V
        return 0.5 * rows.squared_norm(residual) + 0.3 * penalty.value(V)

    for max_iter in (1, 2, 10, 1000):
        start = penalty.prox(rng.normal(size=(12, 3)), 0.0)
        W = penalised(design, T, 1.0, penalty, 0.3, start, max_iter=max_iter)
        assert value(W) <= value(start) * (1 + 1e-12)
    for _ in range(50):
        other = penalty.prox(W + 0.1 * rng.normal(size=W.shape), 0.0)
        assert value(W) <= value(other) * (1 + 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_rounding_takes_from_a_mean_is_no_column(dtype, weighted):
    rng = np.random.default_rng(0)
    constants = np.tile(10.0 ** rng.uniform(-3, 3, 20), (2000, 1))
    A = np.hstack([rng.standard_normal((2000, 3)), constants]).astype(dtype)
    weight = rng.uniform(0.5, 2.0, 2000).astype(dtype) if weighted else None
    T = A[:, :1] + 0.1 * rng.standard_normal((2000, 1)).astype(dtype)
    rows = Rows(2000, weight)
    W = Design(A, rows).ridge(T - rows.mean(T), 0.0, form="primal")
    np.testing.assert_array_equal(W[3:], 0.0)
    np.testing.assert_allclose(W[:3, 0], [1.0, 0.0, 0.0], atol=0.02)
