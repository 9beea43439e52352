"""Benchmarks on tables, on those that scikit-learn brings along."""

import csv
import importlib

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def read(folder):
    with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)), (folder / "README.md").read_text(encoding="utf-8")


class TestTabular:
    @pytest.fixture
    def tabular(self, scripts):
        return importlib.import_module("tabular")

    def test_says_which_tables(self, tabular, tmp_path):
        tabular.main(
            ["--rows-below", "160", "--seeds", "1", "--methods", "adam", "--out", str(tmp_path)]
        )
        rows, report = read(tmp_path)
        assert [(row["data set"], row["method"]) for row in rows] == [
            ("iris", "skmdlam"),
            ("iris", "adam"),
        ]
        assert "# Tables: 1 of 5\n" in report
        assert "1 of 5 tables (those with fewer than 160 rows)" in report
        assert str(tmp_path) not in report

    def test_share_of_the_gap(self, tabular):
        scores = {
            "a": {"adam": 0.5, "skmdlam": 0.6, "RealMLP": 0.7},
            "b": {"adam": 0.5, "skmdlam": 0.5, "RealMLP": 0.5},
            "c": {"adam": 0.4, "skmdlam": 0.4, "RealMLP": 0.6},
        }
        rows = [
            {"data set": name, "method": method, "score": score}
            for name, by_method in scores.items()
            for method, score in by_method.items()
        ]
        # .1 of .4 together; 0 of .2 without a, .1 of .4 without b, .1 of .2 without c.
        assert "goes 25% of the way; without any one of the tables, 0% to 50%." in tabular.gap(rows)


class TestFullBatch:
    def test_reaches_the_objective_of_lbfgs(self, scripts, tmp_path):
        full_batch = importlib.import_module("full_batch")
        full_batch.main(["--only", "wine", "--out", str(tmp_path)])
        ((row,), report) = read(tmp_path)
        assert int(row["sweeps ours"]) <= 200
        assert float(row["J ours"]) <= float(row["J lbfgs"])
        assert row["rises"] == "0"
        assert "reached on 1 of 1 tables" in report


class TestUnits:
    @pytest.mark.slow
    def test_the_fit_does_not_know_them(self, scripts, tmp_path):
        units = importlib.import_module("units")
        units.main(["--only", "wine", "diabetes", "--out", str(tmp_path)])
        rows, report = read(tmp_path)
        for row in rows:
            before, after = (float(row[name]) for name in ("ours", "ours, other units"))
            assert abs(before - after) <= units.TOLERANCE
        assert "| ours, defaults | 2 of 2 |" in report

    def test_a_drop_is_one(self, scripts):
        units = importlib.import_module("units")
        pairs = [name for pair in units.PAIRS.values() for name in pair]
        row = {"data set": "a", **dict.fromkeys(pairs, 0.9), "ours, other units": -np.inf}
        text = units.summary([row])
        assert "| ours, defaults | 0 of 1 | 1.900 | .900 to below -1 (a) |" in text
        assert "| ours, alpha 1e-4 | 1 of 1 | .000 |" in text
