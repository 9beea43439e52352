"""The score along the minimization, on one small table."""

import importlib

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def objective(scripts, monkeypatch):
    """Return the script as a module, with few sweeps and configurations."""
    module = importlib.import_module("objective")
    monkeypatch.setattr(module, "SWEEPS", (2, 8))
    configurations = module.configurations
    monkeypatch.setattr(
        module, "configurations", lambda task, seed: list(configurations(task, seed))[:2]
    )
    return module


def test_page(objective, tmp_path, capsys):
    objective.main(["--only", "iris", "--rows", "60", "--out", str(tmp_path)])
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "1 data sets, at most 60 training samples" in page and "| iris | " in page
    assert (tmp_path / "objective.png").stat().st_size > 0
    assert "with the ridge" in capsys.readouterr().out


def test_rows(objective):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    rows = objective.measure("made", "regression", X, X[:, 0], 50, 0)
    along = [row for row in rows if row["part"] == "along"]
    assert [(row["method"], row["sweep"]) for row in along] == [
        (method, sweep) for method in objective.ALONG for sweep in (2, 8)
    ]
    for method in objective.ALONG:
        J = objective.curve(rows, method, "J")
        assert J[1] < J[0]
    assert [row["method"] for row in rows if row["part"] == "end"] == ["default", "batch_size=None"]


def test_the_ridge_times_a_factor(objective):
    usual = objective.scaled_ridge(1.0).constants.tuned.upper
    assert objective.scaled_ridge(3.0).constants.tuned.upper == 3.0 * usual
