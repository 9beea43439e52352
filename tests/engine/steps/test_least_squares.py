"""The exact weight step against NumPy's and scikit-learn's own solvers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.reductions import Rows
from skmdlam.engine.steps.least_squares import Design, penalized
from skmdlam.penalties import get_penalty

SHAPES = [(40, 6), (6, 40), (20, 20), (30, 1), (2, 3)]


def make(n, d, k=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    A = rng.normal(1.0, 2.0, (n, d)).astype(dtype)
    T = rng.normal(size=(n, k)).astype(dtype)
    return A, T, rng.uniform(0.2, 2.0, n).astype(dtype)


def centered(T, rows):
    return T - rows.mean(T)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (20, 20)])
@pytest.mark.parametrize("form", ["auto", "primal", "dual", "cg"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_ridge_equals_scikit_learn(shape, form, weighted, sparse):
    A, T, weight = make(*shape)
    rows = Rows(len(A), weight if weighted else None)
    design = Design(sp.csr_array(A) if sparse else A, rows)
    W = design.ridge(centered(T, rows), 0.3, form=form)
    oracle = Ridge(alpha=0.3, solver="cholesky").fit(A, T, rows.weight)
    np.testing.assert_allclose(W, oracle.coef_.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["primal", "dual", "cg"])
def test_without_ridge_it_is_the_least_squares_solution_of_least_norm(shape, form):
    A, T, weight = make(*shape)
    rows = Rows(len(A), weight)
    W = Design(A, rows).ridge(centered(T, rows), 0.0, form=form)
    root, share = np.sqrt(weight)[:, None], weight / weight.sum()
    oracle = np.linalg.lstsq(root * (A - share @ A), root * (T - share @ T), rcond=None)[0]
    np.testing.assert_allclose(W, oracle, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", ["primal", "dual", "cg"])
def test_dependent_and_constant_columns(form):
    A, T, _ = make(30, 4)
    A = np.hstack([A, A[:, :1], np.full((30, 1), 7.0), np.zeros((30, 1))])
    rows = Rows(30)
    W = Design(A, rows).ridge(centered(T, rows), 0.0, form=form)
    oracle = np.linalg.lstsq(A - A.mean(axis=0), T - T.mean(axis=0), rcond=1e-10)[0]
    np.testing.assert_allclose(W, oracle, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_columns_of_very_different_scales(form):
    A, T, _ = make(60, 5)
    A -= A.mean(axis=0)
    scales = np.array([1e-9, 1e-4, 1.0, 1e4, 1e9])
    rows = Rows(60)
    fitted = (A * scales) @ Design(A * scales, rows).ridge(centered(T, rows), 0.0, form=form)
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
    T = centered(T, rows)
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
        assert Design(A, rows).ridge(centered(T, rows), 0.1, form=form).dtype == np.float32


def test_factorization_follows_the_ridge():
    A, T, _ = make(30, 5)
    rows = Rows(30)
    design, T = Design(A, rows), centered(T, rows)
    first = design.ridge(T, 1.0)
    other = design.ridge(T, 10.0)
    np.testing.assert_array_equal(design.ridge(T, 1.0), first)
    assert not np.allclose(first, other)


def test_unknown_form_names_the_known_ones():
    A, T, _ = make(5, 2)
    with pytest.raises(ValueError, match=r"'qr'.*auto, primal, dual, cg"):
        Design(A, Rows(5)).ridge(T, 1.0, form="qr")


def test_each_form_has_its_own_factorization():
    """The primal and the dual system of one ridge are two matrices."""
    A, T, weight = make(12, 12)
    rows = Rows(12, weight)
    design, T = Design(A, rows), centered(T, rows)
    expected = Design(A, rows).ridge(T, 0.5, form="cg")
    for form in ("primal", "dual", "primal"):
        np.testing.assert_allclose(design.ridge(T, 0.5, form=form), expected, rtol=1e-6)


def test_conjugate_gradients_start_where_they_are_told_only_with_a_ridge():
    A, T, _ = make(5, 9)
    rows, start = Rows(5), np.random.default_rng(1).normal(size=(9, 3))
    design, T, asked = Design(A, rows), centered(T, rows), []
    multiply = design.curvature
    design.curvature = lambda V: asked.append(V.copy()) or multiply(V)
    found = design.ridge(T, 0.3, form="cg", start=start)
    np.testing.assert_array_equal(asked[0], start)
    np.testing.assert_allclose(found, Design(A, rows).ridge(T, 0.3, form="dual"), rtol=1e-6)
    # Without one the part of the start outside of the rows would stay for ever.
    np.testing.assert_allclose(
        design.ridge(T, 0.0, form="cg", start=start),
        np.linalg.lstsq(A - A.mean(axis=0), T, rcond=None)[0],
        rtol=1e-6,
        atol=1e-8,
    )


@pytest.mark.parametrize(
    ("shape", "sparse", "limits", "form"),
    [
        ((9, 5), False, LIMITS, "primal"),
        ((5, 9), False, LIMITS, "dual"),
        ((9, 5), True, LIMITS, "cg"),
        ((9, 5), False, replace(LIMITS, factorization=4), "cg"),
        ((9, 5), False, replace(LIMITS, factorization=5), "primal"),
    ],
)
def test_automatic_form(shape, sparse, limits, form):
    """To the bit the one that is meant, and not the other ones."""
    A, T, _ = make(*shape)
    rows, A = Rows(len(A)), sp.csr_array(A) if sparse else A
    T = centered(T, rows)
    found = Design(A, rows, limits).ridge(T, 0.3)
    for other in ("primal", "dual", "cg"):
        same = np.array_equal(found, Design(A, rows, limits).ridge(T, 0.3, form=other))
        assert same == (other == form)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("largest", [4, 4000])
def test_curvature_is_the_product_with_the_gram_matrix(shape, sparse, largest):
    A, _, weight = make(*shape)
    rows, V = Rows(len(A), weight), np.random.default_rng(2).normal(size=(shape[1], 3))
    design = Design(sp.csr_array(A) if sparse else A, rows, replace(LIMITS, factorization=largest))
    center = np.sqrt(weight)[:, None] * (A - weight @ A / weight.sum())
    np.testing.assert_allclose(design.curvature(V), center.T @ (center @ V), rtol=1e-10)
    np.testing.assert_allclose(design.kernel, center @ center.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(design.gram, center.T @ center, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(design.curvature(V), center.T @ (center @ V), rtol=1e-10)


@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (700, 3), (50, 800)])
@pytest.mark.parametrize("sparse", [False, True])
def test_top_eigenvalue_bounds_the_curvature(shape, sparse):
    A, _, weight = make(*shape)
    rows = Rows(len(A), weight)
    design = Design(sp.csr_array(A) if sparse else A, rows)
    center = np.sqrt(weight)[:, None] * (A - rows.mean(A))
    exact = np.linalg.norm(center, 2) ** 2
    assert exact <= design.top_eigenvalue() <= 1.02 * exact


@pytest.mark.parametrize("limits", [{"factorization": 5}, {"dense_eigenvalue": 5}], ids=str)
@pytest.mark.parametrize("sparse", [False, True])
def test_top_eigenvalue_of_a_large_matrix(limits, sparse):
    """By products with the input, and of the Gram matrix, by Lanczos' method."""
    A, _, weight = make(50, 30)
    rows = Rows(50, weight)
    design = Design(sp.csr_array(A) if sparse else A, rows, replace(LIMITS, **limits))
    center = np.sqrt(weight)[:, None] * (A - rows.mean(A))
    exact = np.linalg.norm(center, 2) ** 2
    assert exact <= design.top_eigenvalue() <= 1.02 * exact


def test_top_eigenvalue_of_a_constant_input_is_positive():
    """Steps are divided by it."""
    for value in (0.0, 0.1, 1e6):
        design = Design(np.full((100, 3), value), Rows(100))
        center = design.A - design.mean
        assert design.top_eigenvalue() > 0
        assert design.top_eigenvalue() >= np.linalg.norm(center, 2) ** 2


@pytest.mark.parametrize("rho", [0.7, 30.0])
@pytest.mark.parametrize("shape", [(60, 8), (15, 30)])
def test_lasso_and_elastic_net_equal_scikit_learn(shape, rho):
    A, T, _ = make(*shape, k=1)
    n, rows, alpha = len(A), Rows(len(A)), 0.8 * rho / 0.7
    start = np.zeros((shape[1], 1))
    design, targets = Design(A, rows), centered(T, rows)
    W = penalized(design, targets, rho, get_penalty("l1"), alpha, start, tol=1e-12, max_iter=20000)
    oracle = Lasso(alpha=alpha / (rho * n), tol=1e-12, max_iter=10**6).fit(A, T.ravel())
    np.testing.assert_allclose(W.ravel(), oracle.coef_, atol=1e-6)
    penalty = get_penalty("elasticnet", l1_ratio=0.4)
    W = penalized(design, targets, rho, penalty, alpha, start, tol=1e-12, max_iter=20000)
    oracle = ElasticNet(alpha=alpha / (rho * n), l1_ratio=0.4, tol=1e-12, max_iter=10**6)
    np.testing.assert_allclose(W.ravel(), oracle.fit(A, T.ravel()).coef_, atol=1e-6)


def test_penalty_alone_where_the_input_says_nothing():
    """Its strength over a curvature of zero stays finite."""
    design = Design(np.zeros((5, 2)), Rows(5))
    W = penalized(design, np.ones((5, 1)), 1.0, get_penalty("l1"), 1e3, np.ones((2, 1)))
    np.testing.assert_array_equal(W, 0.0)


def test_nonnegative_weights_equal_nnls():
    A, T, _ = make(60, 8, k=1)
    rows = Rows(60)
    W = penalized(
        Design(A, rows), centered(T, rows), 1.0, get_penalty("nonnegative"), 0.0,
        np.zeros((8, 1)), tol=1e-12, max_iter=20000,
    )  # fmt: skip
    oracle, _ = scipy.optimize.nnls(A - A.mean(axis=0), (T - T.mean(axis=0)).ravel())
    np.testing.assert_allclose(W.ravel(), oracle, atol=1e-7)


@pytest.mark.parametrize("name", ["l1", "elasticnet", "group", "box", "nonnegative"])
def test_penalized_is_never_worse_than_its_start(name):
    A, T, weight = make(20, 12)
    rows, penalty = Rows(20, weight), get_penalty(name)
    T, design = centered(T, rows), Design(A, rows)
    rng = np.random.default_rng(3)

    def value(V):
        residual = T - (A - rows.mean(A)) @ V
        return 0.5 * rows.squared_norm(residual) + 0.3 * penalty.value(V)

    for max_iter in (1, 2, 10, 1000):
        start = penalty.prox(rng.normal(size=(12, 3)), 0.0)
        W = penalized(design, T, 1.0, penalty, 0.3, start, max_iter=max_iter)
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
    design = Design(A, rows)
    W = design.ridge(T - rows.mean(T), 0.0, form="primal")
    np.testing.assert_array_equal(W[3:], 0.0)
    np.testing.assert_array_equal(design.gram[3:], 0.0)
    np.testing.assert_array_equal(design.gram[:, 3:], 0.0)
    np.testing.assert_allclose(W[:3, 0], [1.0, 0.0, 0.0], atol=0.02)
