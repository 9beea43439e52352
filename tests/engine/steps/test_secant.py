"""Secant pairs against dense BFGS."""

import numpy as np
import pytest

from skmdlam.engine.steps.secant import SecantMemory


def scale_of(metric, s, y):
    return float(s @ y) / float(y @ metric @ y)


def dense_bfgs(metric, pairs):
    """The inverse update of each pair in turn, from the metric that fits the last one along y."""
    B = metric.copy()
    if pairs:
        B *= scale_of(metric, *pairs[-1])
    for s, y in pairs:
        rho = 1.0 / float(s @ y)
        left = np.eye(s.size) - rho * np.outer(s, y)
        B = left @ B @ left.T + rho * np.outer(s, s)
    return B


def draw(n, count, seed=0):
    """A metric, and pairs of positive curvature that no parabola has made."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    pairs = []
    while len(pairs) < count:
        s, y = rng.normal(size=(2, n))
        if s @ y > 0.2:
            pairs.append((s, y))
    return root @ root.T + 0.1 * np.eye(n), pairs


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 11])
def test_step_is_that_of_dense_bfgs_by_the_last_pairs(count):
    """The oldest pair is dropped, again and again."""
    metric, pairs = draw(7, count)
    memory = SecantMemory(7, 4)
    for s, y in pairs:
        memory.observe(s, y, metric.dot)
    assert len(memory) == min(count, 4)
    gradient = np.random.default_rng(1).normal(size=7)
    kept = gradient.copy()
    expected = dense_bfgs(metric, pairs[-4:]) @ gradient
    np.testing.assert_allclose(memory.step(gradient, metric.dot), expected, rtol=1e-10)
    np.testing.assert_array_equal(gradient, kept)


def test_pairs_are_copies():
    metric, pairs = draw(5, 2)
    memory = SecantMemory(5, 3)
    for s, y in pairs:
        s, y = s.copy(), y.copy()
        memory.observe(s, y, metric.dot)
        s[:], y[:] = 0.0, 0.0
    gradient = np.ones(5)
    expected = dense_bfgs(metric, pairs) @ gradient
    np.testing.assert_allclose(memory.step(gradient, metric.dot), expected, rtol=1e-10)


def test_the_last_pair_fits():
    metric, pairs = draw(6, 5)
    memory = SecantMemory(6, 3)
    for s, y in pairs:
        memory.observe(s, y, metric.dot)
        np.testing.assert_allclose(memory.step(y, metric.dot), s, rtol=1e-10)


def test_solves_a_parabola():
    """With as many pairs as dimensions the corrected metric is the inverse Hessian."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    memory = SecantMemory(6, 6)
    for s in np.linalg.eigh(hessian)[1].T:  # conjugate ones
        memory.observe(s, hessian @ s, lambda g: g)
    gradient = rng.normal(size=6)
    expected = np.linalg.solve(hessian, gradient)
    np.testing.assert_allclose(memory.step(gradient, lambda g: g), expected, rtol=1e-10)


@pytest.mark.parametrize("bad", ["negative", "orthogonal", "zero", "nan"])
def test_curvature_that_is_not_positive_is_left_out(bad):
    metric, pairs = draw(5, 2)
    memory = SecantMemory(5, 3)
    for s, y in pairs:
        memory.observe(s, y, metric.dot)
    s = np.ones(5)
    y = {
        "negative": -s,
        "orthogonal": np.array([1.0, -1.0, 0.0, 0.0, 0.0]),
        "zero": 0.0 * s,
        "nan": np.nan * s,
    }[bad]
    memory.observe(s, y, metric.dot)
    assert len(memory) == 2
    expected = dense_bfgs(metric, pairs) @ s
    np.testing.assert_allclose(memory.step(s, metric.dot), expected, rtol=1e-10)


def test_new_metric_and_oblivion():
    """A renewed metric is scaled by the last pair; without pairs it is taken as it is."""
    metric, pairs = draw(5, 2)
    memory = SecantMemory(5, 3)
    for s, y in pairs:
        memory.observe(s, y, metric.dot)
    other = draw(5, 0, seed=9)[0]
    memory.rescale(other.dot)
    gradient = np.ones(5)
    expected = dense_bfgs(other, pairs) @ gradient
    np.testing.assert_allclose(memory.step(gradient, other.dot), expected, rtol=1e-10)
    memory.forget()
    assert len(memory) == 0
    np.testing.assert_array_equal(memory.step(gradient, other.dot), other @ gradient)
    memory.observe(*pairs[0], metric.dot)
    expected = dense_bfgs(metric, pairs[:1]) @ gradient
    np.testing.assert_allclose(memory.step(gradient, metric.dot), expected, rtol=1e-10)


@pytest.mark.parametrize("image", [np.nan, np.inf, -1.0, 0.0])
def test_metric_that_is_none_has_scale_one(image):
    memory = SecantMemory(3, 3)
    memory.observe(np.ones(3), np.ones(3), lambda y: image * y)
    assert memory.scale == 1.0
