"""The strength of the column penalty against the noise, on little data."""

import csv
import importlib

import numpy as np
import pytest

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Small data are fitted all at once, and some options are for mini-batches.
    pytest.mark.filterwarnings("ignore:.* has no effect:UserWarning"),
]


@pytest.fixture
def strengths(scripts, monkeypatch):
    """Return the script as a module, with two sizes and strengths beside the usual one."""
    module = importlib.import_module("strengths")
    monkeypatch.setattr(module, "ROWS", (60, 100))
    monkeypatch.setattr(module, "STRENGTHS", (0.75, 3.0, 12.0))
    return module


def test_sizes_end_where_the_table_does(strengths):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((110, 2)), rng.standard_normal(110)
    parts = list(strengths.subsets(X, y, "regression", [0, 1]))
    assert [len(train[0]) for _, train, _ in parts] == [60, 60, 82, 82]
    for _, (X_train, _), (X_test, _) in parts:
        assert len(X_test) == 110 - len(X_train)
        np.testing.assert_allclose(X_train.mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.slow
def test_the_ratio_goes_with_the_strength(strengths):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 3))
    y = 1e-3 * (X[:, 0] + rng.standard_normal(1000))
    rows = strengths.measure("noisy", "regression", X[:800], y[:800], [0])
    found = {(row["rows"], row["method"]): row for row in rows}
    row = found[60, "auto"]
    expected = max(2.5 * (60 / 1000) ** 0.2 * min(row["ratio"], 1.0) ** 2, 0.75)
    assert row["column_alpha"] == pytest.approx(expected)
    assert found[60, "12"]["column_alpha"] == 12.0
    assert found[60, "linear"]["column_alpha"] is None
    assert found[60, "adam, stopped early"]["test"] > -1.0  # its targets are standardized


@pytest.mark.slow
def test_report_and_figure(strengths, tmp_path):
    strengths.main(["--only", "iris", "diabetes", "--seeds", "1", "--out", str(tmp_path)])
    with open(tmp_path / "scores.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["table"] for row in rows} == {"iris", "diabetes"}
    assert {row["method"] for row in rows} >= {"0.75", "auto", "linear", "adam, stopped early"}
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| iris | 60 |" in report and str(tmp_path) not in report
    assert (tmp_path / "strengths.png").stat().st_size > 10_000
