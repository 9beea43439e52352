"""The paper's experiment on a small random graph."""

import csv
import importlib

import numpy as np
import pytest
import scipy.sparse as sp


@pytest.fixture
def paper(scripts, monkeypatch):
    """Return the script as a module, with epochs enough to see that it works."""
    module = importlib.import_module("paper")
    monkeypatch.setattr(module, "EPOCHS", 25)
    monkeypatch.setattr(module, "CHECKPOINTS", (5, 10, 15, 20, 25))
    return module


class TestPaper:
    def test_inputs_are_the_formula(self, paper, folder):
        graph = paper.load_graph(folder / "graphs" / "cora.npz")
        with np.load(folder / "graphs" / "cora.npz") as file:
            shape = int(file["N"]), int(file["N"])
            ones = np.ones(len(file["A_indices"]))
            A = sp.csr_matrix((ones, file["A_indices"], file["A_indptr"]), shape).toarray()
            parts = file["X_data"], file["X_indices"], file["X_indptr"]
            H = sp.csr_matrix(parts, shape=tuple(file["X_shape"])).toarray()
        looped = A + np.eye(len(A))
        degree = looped.sum(axis=1)
        M = looped / np.sqrt(degree[:, None] * degree[None, :]) + np.eye(len(A))
        expected = np.hstack([np.linalg.matrix_power(M, power) @ H for power in (4, 3, 2, 1, 0)])
        found = np.vstack([part.X for part in graph])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("method", ["joint block", "feasible"])
    def test_runs_what_the_estimator_fits(self, paper, folder, method):
        graph = paper.load_graph(folder / "graphs" / "cora.npz")
        solver = paper.METHODS[method](100.0)
        run = paper.train(graph, solver, rho=1e-2, seed=3)
        estimator = paper.classifier(solver, rho=1e-2, seed=3).fit(*graph.train)
        assert estimator.objective_curve_ == list(run.curve("objective"))
        assert estimator.score(*graph.test) == run.accuracy[-1]
        assert len(run.accuracy) == len(paper.CHECKPOINTS)

    @pytest.mark.slow
    def test_report(self, paper, folder):
        out = folder / "out"
        report = paper.main(["--data", str(folder), "--quick", "--out", str(out)])
        assert {file.name for file in out.iterdir()} == {
            "README.md",
            "accuracy.csv",
            "others.csv",
            "objectives.csv",
            "objectives.png",
        }
        assert (out / "README.md").read_text(encoding="utf-8") == report
        assert str(folder) not in report
        for published in ("0.501", "0.502", "0.503", "0.505"):
            assert f"| {published} |" in report
        assert "0.504" not in report
        for name in (*paper.METHODS, *paper.INGREDIENTS, *paper.contenders()):
            assert name in report
        with open(out / "accuracy.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        # Two methods at four settings, four more ingredients at one, and feasible, which has no
        # epsilon, at three.
        assert len(rows) == 2 * 4 + 4 + 3
        assert all(0 <= float(row["epoch25"]) <= 1 for row in rows)

    @pytest.mark.slow
    def test_quick_prints_only(self, paper, folder, capsys):
        report = paper.main(["--data", str(folder), "--quick"])
        assert report in capsys.readouterr().out
        assert [file.name for file in folder.iterdir()] == ["graphs"]
