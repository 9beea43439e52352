"""What the benchmark of prices measures and says."""

import importlib

import numpy as np
import pytest
from sklearn.datasets import load_diabetes


@pytest.fixture
def prices(scripts):
    """Return the script as a module."""
    return importlib.import_module("prices")


def test_useless_inputs_are_put_beside_the_others(prices):
    X, X_test = np.ones((5, 3)), np.ones((4, 3))
    wide, wide_test, n_useless = prices.with_useless(X, X_test, 0)
    assert n_useless == 20 and wide.shape == (5, 23) and wide_test.shape == (4, 23)
    np.testing.assert_array_equal(wide[:, :3], X)
    assert abs(wide[:, 3:].mean()) < 0.5 < wide[:, 3:].std()


@pytest.mark.slow
def test_rows_and_report(prices, monkeypatch):
    monkeypatch.setattr(prices, "PRICES", (2.0, 50.0))
    monkeypatch.setattr(prices, "PENALTIES", ("group",))
    rows = prices.measure("diabetes", "regression", *load_diabetes(return_X_y=True), 0)
    assert [(row["useless"], row["price"]) for row in rows] == [
        (0, 2.0), (0, 50.0), (20, 2.0), (20, 50.0),
    ]  # fmt: skip
    assert rows[1]["dropped"] > rows[0]["dropped"]
    assert rows[3]["dropped_useless"] == 1.0 and rows[0]["dropped_useless"] is None
    text = prices.report(rows)
    assert "With useless features" in text and text.count("| group, 50 |") == 2
