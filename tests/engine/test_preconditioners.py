"""The running preconditioner against NumPy: moments, ridge regression, block of the penalties."""

import numpy as np
import pytest

from skmdlam.engine.preconditioners import Rhythm, RunningPreconditioner, StreamRhythm


def batch(m, size=5, seed=0, dtype=float):
    """Correlated samples ``(a, 1)`` in columns, not centered."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, size)) @ rng.standard_normal((size, size)) + rng.normal(size=size)
    return np.vstack([A.T, np.ones(m)]).astype(dtype)


def observed(*, damping=0.3, memory=0.05, dtype=float, n_batches=1, m=200, size=5):
    new = RunningPreconditioner(size, damping, memory, dtype)
    for seed in range(n_batches):
        new.observe(batch(m, size, seed, dtype))
    return new


def test_average_by_hand():
    """The first ones count equally, later ones with the smallest weight; those with weights too."""
    rng = np.random.default_rng(0)
    new = RunningPreconditioner(5, 0.1, 0.25, float)
    expected = np.zeros((6, 6))
    for index in range(8):
        A = batch(30, seed=index)
        weight = rng.uniform(0.1, 3.0, (30, 1)) if index % 2 else None
        given = A.copy()
        new.observe(A, weight)
        np.testing.assert_array_equal(A, given)
        share = np.full(30, 1 / 30) if weight is None else weight[:, 0] / weight.sum()
        rate = max(0.25, 1 / (index + 1))
        expected = (1 - rate) * expected + rate * (A * share) @ A.T
        np.testing.assert_allclose(new.moments, expected, rtol=1e-12)
    assert new.count == 8
    new.reset()
    assert not new.ready
    new.observe(A)
    np.testing.assert_allclose(new.moments, A @ A.T / 30, rtol=1e-12)


def test_what_is_not_finite_does_not_count():
    new = observed()
    before = new.moments.copy()
    A = batch(30)
    A[2, 3] = np.inf
    with np.errstate(invalid="ignore"):
        new.observe(A)
    np.testing.assert_array_equal(new.moments, before)
    assert new.count == 1


@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_is_ridge_regression_with_a_free_intercept(damping, dtype):
    new = observed(damping=damping, dtype=dtype)
    assert new.refresh() and new.ready
    A = batch(200, dtype=dtype)
    T = np.random.default_rng(9).standard_normal((200, 3)) + 2.0
    a = A[:-1].T.astype(float)
    centered = a - a.mean(axis=0)
    ridge = damping * a.var(axis=0).mean()
    W = np.linalg.solve(
        centered.T @ centered / 200 + ridge * np.eye(5), centered.T @ (T - T.mean(axis=0)) / 200
    )
    b = T.mean(axis=0) - a.mean(axis=0) @ W
    tolerance = 2e-3 if dtype == np.float32 else 1e-9
    solution = new.inverse @ (A @ T / 200)
    np.testing.assert_allclose(solution, np.vstack([W, b]), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(new.inverse, new.inverse.T)


def test_least_spread_is_a_floor_of_the_damping():
    """Inputs that hardly vary beside their size are damped in a share of it."""
    new = RunningPreconditioner(2, 0.5, 0.05, float)
    A = np.vstack([10.0 + 1e-3 * batch(100, 2)[:2], np.ones(100)])
    new.observe(A)
    new.least_spread = 0.1
    new.refresh()
    a = A[:-1].T
    ridge = 0.5 * 0.1 * np.square(a).mean()
    expected = np.linalg.inv(A @ A.T / 100 + ridge * np.diag([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(new.inverse, expected, rtol=1e-6)


def test_last_inverse_is_kept_where_there_is_none():
    new = observed()
    new.refresh()
    before = new.inverse.copy()
    new.moments[2, 2] = -1e3
    assert not new.refresh()
    np.testing.assert_array_equal(new.inverse, before)
    new.moments[2, 2] = np.nan
    assert not new.refresh()
    assert new.ready
    constant = RunningPreconditioner(3, 0.2, 0.05, np.float32)
    constant.observe(np.ones((4, 10), np.float32))
    assert constant.refresh() and np.isfinite(constant.inverse).all()
    nothing = RunningPreconditioner(0, 0.2, 0.05, float)
    nothing.observe(np.ones((1, 10)))
    assert nothing.refresh()
    np.testing.assert_allclose(nothing.inverse, [[1.0]])


def test_covariance_and_variance_of_the_output():
    new = observed(n_batches=1)
    a = batch(200)[:-1].T
    np.testing.assert_allclose(new.covariance(), np.cov(a.T, bias=True), rtol=1e-9, atol=1e-12)
    V = np.random.default_rng(1).standard_normal((6, 3))
    expected = (a @ V[:-1] + V[-1]).var(axis=0).sum()
    assert new.output_variance(V) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("variance", "ridge"), [(0.7, 0.0), (0.0, 0.3), (1e-3, 1e-4), (5.0, 40.0)])
def test_block_of_the_penalties(variance, ridge, dtype):
    """Against the documented problem in double precision; the mean of the output stays."""
    new = observed(dtype=dtype, n_batches=5, damping=0.3)
    mean = new.moments[-1, :-1].astype(float)
    C = new.moments[:-1, :-1].astype(float) - np.outer(mean, mean)
    M = C + 0.3 * C.trace() / 5 * np.eye(5)
    start = np.random.default_rng(1).standard_normal((6, 3)).astype(dtype)
    V = start.copy()
    new.shrink(V, variance, ridge)
    expected = np.linalg.solve(M + variance * C + ridge * np.eye(5), M @ start[:-1])
    tolerance = 3e-6 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(V[:-1], expected, rtol=tolerance, atol=tolerance)
    before, after = (mean @ W[:-1] + W[-1] for W in (start, V))
    np.testing.assert_allclose(after, before, rtol=10 * tolerance, atol=10 * tolerance)
    assert not np.array_equal(V[-1], start[-1])


def test_block_is_in_double_precision():
    """A small penalty is not lost beside the metric, whatever kind of number says its strength."""
    results = []
    for kind in (float, np.float64):
        new = observed(dtype=np.float32, n_batches=3, size=40, m=300)
        V = np.random.default_rng(1).standard_normal((41, 3)).astype(np.float32)
        new.shrink(V, kind(3e-7), kind(2e-7))
        results.append(V)
    np.testing.assert_array_equal(*results)
    # The strengths are small beside the metric, the effect of many such blocks is not.
    moments = new.moments.astype(float)
    mean = moments[-1, :-1]
    C = moments[:-1, :-1] - np.outer(mean, mean)
    M = C + 0.3 * C.trace() / 40 * np.eye(40)
    W = np.random.default_rng(1).standard_normal((40, 3)).astype(np.float32)
    V = np.vstack([W, np.zeros((1, 3), np.float32)])
    for strength in (1e-3, 1e-2):
        moved = V.copy()
        new.shrink(moved, 0.0, strength)
        expected = np.linalg.solve(M + strength * np.eye(40), M @ W) - W
        np.testing.assert_allclose(moved[:-1] - W, expected, rtol=2e-2, atol=4e-7 * np.abs(W).max())


def test_block_that_has_no_solution_changes_nothing():
    new = observed()
    V = np.random.default_rng(1).standard_normal((6, 3))
    start = V.copy()
    new.moments[1, 1] = -1e3
    new.shrink(V, 0.7, 0.1)
    np.testing.assert_array_equal(V, start)


def test_metric_in_weights():
    new = observed(n_batches=3)
    C = new.covariance()
    M = C + 0.3 * C.trace() / 5 * np.eye(5)
    V = np.random.default_rng(1).standard_normal((6, 3))
    product, top, rows, W = new.in_weights(V)
    np.testing.assert_array_equal(W, V[:-1])
    A = np.random.default_rng(2).standard_normal((5, 3))
    np.testing.assert_allclose(rows * product(rows * A), M @ A, rtol=1e-9)
    np.testing.assert_allclose(np.diag(product(np.eye(5))), 1.0)
    largest = np.linalg.eigvalsh(product(np.eye(5)))[-1]
    assert largest <= top <= 1.01 * largest
    mean = new.moments[-1, :-1]
    before = mean @ V[:-1] + V[-1]
    new.from_weights(V, A)
    np.testing.assert_array_equal(V[:-1], A)
    np.testing.assert_allclose(mean @ V[:-1] + V[-1], before, rtol=1e-12)


@pytest.mark.parametrize("ready", [False, True])
def test_state_is_taken_up_as_a_copy(ready):
    new = observed(n_batches=3, memory=0.07)
    new.least_spread = 0.02
    if ready:
        new.refresh()
    arrays = new.as_arrays()
    other = RunningPreconditioner(new.size, 9.0, 0.9, new.moments.dtype)
    other.restore(arrays)
    for name in ("size", "damping", "memory", "count", "least_spread", "ready"):
        assert getattr(other, name) == getattr(new, name), name
    assert not np.shares_memory(other.moments, new.moments)
    assert not np.shares_memory(other.inverse, new.inverse)
    moments, inverse = other.moments.copy(), other.inverse.copy()
    for one in (new, other):
        one.observe(batch(50, seed=77))
        if one is new:  # the copy has not noticed
            np.testing.assert_array_equal(other.moments, moments)
            new.refresh()
            np.testing.assert_array_equal(other.inverse, inverse)
    other.refresh()
    np.testing.assert_array_equal(other.moments, new.moments)
    np.testing.assert_array_equal(other.inverse, new.inverse)
    np.testing.assert_array_equal(other._damped(), new._damped())


def steps_of(rhythm, n):
    """The steps that observe and those that refresh, with the count that a run keeps."""
    observed, refreshed, since = [], [], 0
    for steps in range(1, n + 1):
        since += 1
        observe, refresh = rhythm.due(steps, since)
        if observe:
            observed.append(steps)
        if refresh:
            refreshed.append(steps)
        if since >= rhythm.refresh_every:
            since = 0
    return observed, refreshed


def test_rhythm_of_a_fit():
    """More often before the first regular inversion, and each time with an inversion."""
    observed, refreshed = steps_of(Rhythm(3, 5, 10), 30)
    assert observed == [1, 4, 7, 10, 11, 16, 21, 26]
    assert refreshed == [1, 4, 7, 10, 20, 30]


def test_rhythm_of_a_stream():
    """Every batch counts at first."""
    observed, refreshed = steps_of(StreamRhythm(3, 4, 8), 24)
    assert observed == [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24]
    assert refreshed == [1, 4, 7, 8, 16, 24]
