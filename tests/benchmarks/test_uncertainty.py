"""benchmarks/uncertainty.py: what is measured, against other formulas."""

import importlib

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import log_loss


@pytest.fixture
def uncertainty(scripts):
    """Return the script as a module."""
    return importlib.import_module("uncertainty")


def test_intervals_of_a_normal_distribution(uncertainty):
    rng = np.random.default_rng(0)
    mean, std = rng.standard_normal(5000), np.exp(rng.standard_normal(5000))
    y = mean + std * rng.standard_normal(5000)
    right, wide = (uncertainty.of_normal(y, mean, factor * std) for factor in (1.0, 2.0))
    for level in (0.5, 0.8, 0.95):
        assert abs(right[f"cover {level:.0%}"] - level) < 0.02 < wide[f"cover {level:.0%}"] - level
    assert right["off in fifths"] < 0.03 and right["interval score"] < wide["interval score"]
    constant = uncertainty.of_normal(y, mean, np.sqrt(np.mean(std**2)))
    assert constant["interval score"] > right["interval score"]


def test_interval_score_by_hand(uncertainty):
    """One target below its intervals by 1: the width, and 2 / (1 - level)."""
    found = uncertainty.of_intervals(np.array([-1.0]), np.zeros((1, 3)), np.ones((1, 3)))
    assert found["interval score"] == pytest.approx(1 + np.mean([4, 10, 40]))
    assert found["cover 50%"] == 0


def test_classes(uncertainty):
    rng = np.random.default_rng(0)
    z = 2 * rng.standard_normal((6000, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    codes = (p.cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1)
    loss, off = uncertainty.of_classes(z, codes)
    assert loss == pytest.approx(log_loss(codes, p)) and off < 0.02
    assert uncertainty.of_classes(3 * z, codes)[1] > 0.08


def test_shifted_rows_are_beyond_the_others(uncertainty):
    rng = np.random.default_rng(0)
    X = np.outer(stats.expon.ppf(rng.random(500)), [1.0, 2.0]) + 0.1 * rng.random((500, 2))
    X_train, X_test, _, _ = uncertainty.shifted(X, X[:, 0], 400)
    assert len(X_test) == 100 and X_test.sum(axis=1).min() > X_train.sum(axis=1).max() - 0.3
