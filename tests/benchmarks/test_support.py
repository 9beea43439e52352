"""Recovered support, on little data."""

import importlib

import numpy as np
import pytest


@pytest.fixture
def support(scripts, monkeypatch):
    """Return the script as a module, with paths of two alphas and few rows."""
    module = importlib.import_module("support")
    monkeypatch.setattr(module, "ROWS", 60)
    monkeypatch.setattr(module, "TEST_ROWS", 100)
    monkeypatch.setattr(module, "ALPHAS", {method: [0.5, 5.0] for method in module.ALPHAS})
    return module


def test_precision_and_recall(support):
    used = np.zeros(30, bool)
    assert support.recovery(used) == (1.0, 0.0)
    used[[0, 1, 7, 8]] = True
    assert support.recovery(used) == (0.5, 0.4)
    assert support.share_of_top(np.arange(30.0)) == 0.0
    assert support.share_of_top(-np.arange(30.0)) == 1.0


def test_the_largest_alpha_that_is_good_enough_is_chosen(support):
    rows = [
        {"alpha": alpha, "validation": score, "error": 0.05}
        for alpha, score in ((1.0, 0.90), (2.0, 0.95), (3.0, 0.91), (4.0, 0.89))
    ]
    assert support.chosen(rows)["alpha"] == 3.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_report_and_figure(support, tmp_path, monkeypatch):
    monkeypatch.setattr(support, "PROBLEMS", support.PROBLEMS[:1] + support.PROBLEMS[-1:] * 3)
    support.main(["--seeds", "1", "--out", str(tmp_path)])
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert report.count('| skmdlam, "group" |') == 4
    assert (tmp_path / "support.png").stat().st_size > 10_000
