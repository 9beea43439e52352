"""The Gaussian process of a wide network, against a network that is wide and plain NumPy."""

import numpy as np
import pytest

from skmdlam.engine.process import first_equal, left_out_errors, relu_kernel

RNG = np.random.default_rng(0)


def test_kernel_is_that_of_random_units():
    X = RNG.normal(size=(6, 3)) * [1.0, 3.0, 0.1]
    size = np.mean(np.sum(X**2, axis=1))
    weights = RNG.normal(size=(3, 400_000)) / np.sqrt(size)
    units = np.maximum(X @ weights + np.sqrt(0.7) * RNG.normal(size=400_000), 0.0)
    expected = units @ units.T / 400_000
    found = relu_kernel(X @ X.T, 0.7) / (2.0 * np.pi)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * expected.max())
    np.testing.assert_allclose(relu_kernel(1e10 * X @ X.T, 0.7) / (2.0 * np.pi), found, rtol=1e-12)


def test_errors_of_each_sample_without_it():
    n, noise = 15, np.array([0.01, 1.0])
    A, Y = RNG.normal(size=(n, 5)), RNG.normal(size=(n, 2))
    kernel, H = A @ A.T, np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(H @ kernel @ H)
    found = left_out_errors(np.maximum(values, 0.0), vectors, vectors.T @ (H @ Y), noise)
    for level, error in zip(noise, found, strict=True):
        expected = 0.0
        for i in range(n):
            others = np.arange(n) != i
            inverse = np.linalg.inv(kernel[np.ix_(others, others)] + level * np.eye(n - 1))
            ones = np.ones(n - 1)
            mean = ones @ inverse @ Y[others] / (ones @ inverse @ ones)
            predicted = mean + kernel[i, others] @ inverse @ (Y[others] - mean)
            expected += np.sum((Y[i] - predicted) ** 2)
        assert error == pytest.approx(expected, rel=1e-9)


def test_copies_count_once():
    X, y = RNG.normal(size=(8, 3)), np.arange(8.0)[:, np.newaxis]
    rows = np.array([0, 1, 0, 2, 2, 3, 0])
    Y = y[rows]
    Y[4] = -1.0  # the same inputs with another target
    found = first_equal(X[rows] @ X[rows].T, Y)
    assert found.tolist() == [True, True, False, True, True, True, False]
