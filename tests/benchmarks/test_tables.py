"""Benchmarks on tables, on those that scikit-learn brings along."""

import csv
import importlib
import re

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def read(folder):
    with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)), (folder / "README.md").read_text(encoding="utf-8")


def fit_of(name, method, score, seconds=1.0, seed=0, run=1, folder="a"):
    """Return a row of scores.csv."""
    row = {"folder": folder, "data set": name, "task": "regression", "seed": seed}
    row |= {"method": method, "score": score, "seconds": seconds}
    return row | {"training loss": 0.1, "run": run}


def cells(report, name, length):
    """Cells of the rows of this name and length in tables in Markdown."""
    lines = [line.strip("| ").split(" | ") for line in report.splitlines()]
    return [line[1:] for line in lines if line[0] == name and len(line) == length]


class TestTabular:
    @pytest.fixture
    def tabular(self, scripts):
        return importlib.import_module("tabular")

    @pytest.fixture
    def folders(self, tmp_path):
        """Two folders of a small table each, a regression and a classification."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(90, 3))
        targets = {"line": X @ [1.0, 2.0, 0.0], "sign": np.where(X[:, 0] > 0, "yes", "no")}
        made = []
        for name, y in targets.items():
            made.append(tmp_path / f"of_{name}")
            made[-1].mkdir()
            np.savez(made[-1] / f"{name}.npz", X=X, y=y)
            task = "classification" if name == "sign" else "regression"
            (made[-1] / "INDEX.tsv").write_text(f"name\ttask\n{name}\t{task}\n", encoding="utf-8")
        return [str(folder) for folder in made]

    @pytest.mark.slow
    def test_says_which_tables(self, tabular, tmp_path):
        tabular.main(
            ["--rows-below", "160", "--seeds", "1", "--methods", "adam", "--out", str(tmp_path)]
        )
        rows, report = read(tmp_path)
        assert [(row["data set"], row["method"]) for row in rows] == [
            ("iris", "skmdlam"),
            ("iris", "adam"),
        ]
        assert "# Tabular data sets: 1 of 5\n" in report
        assert "1 of 5 data sets (those with fewer than 160 samples)" in report
        assert str(tmp_path) not in report

    @pytest.mark.slow
    def test_two_folders_and_a_second_run(self, tabular, folders, tmp_path):
        pytest.importorskip("matplotlib")
        out = tmp_path / "out"
        command = ["--data", *folders, "--seeds", "1", "--max-rows", "80", "--out", str(out)]
        tabular.main([*command, "--methods", "adam"])
        first, report = read(out)
        assert [row["folder"] for row in first] == ["of_line"] * 2 + ["of_sign"] * 2
        assert [len(cells(report, "MLP (Adam)", 8)), len(cells(report, "skmdlam", 8))] == [3, 3]
        assert "Of larger data sets 80 random samples" in report
        mean = np.mean([float(r["score"]) for r in first if r["method"] == "skmdlam"])
        assert cells(report, "skmdlam", 8)[0][0] == f"{mean:.4f}"

        # What is there stays, to the bit; the new method and the one to refit are of a second run.
        again = ["--methods", "gradient boosting", "--resume", "--refit", "skmdlam"]
        tabular.main([*command, *again])
        rows, report = read(out)
        assert [row for row in rows if row["method"] == "adam"] == first[1::2]
        assert {row["method"]: row["run"] for row in rows} == {
            "skmdlam": "2",
            "gradient boosting": "2",
            "adam": "1",
        }
        assert "The fits are of 2 runs" in report
        assert report.count("\n- Run ") == 2
        assert [line[-1] for line in cells(report, "MLP (Adam)", 5)] == ["-"] * 3
        ratio = [line[-1] for line in cells(report, "HistGradientBoosting", 5)]
        assert "-" not in ratio
        for name in ("overview.png", "outcomes.png", "differences.png", "scatter.png", "table.txt"):
            assert (out / name).stat().st_size > 0

        with pytest.raises(SystemExit):  # other fits than those that are there
            tabular.main([*command, "--resume", "--max-rows", "70"])
        assert read(out) == (rows, report)

    def test_at_most_so_many_rows(self, tabular):
        X, y = np.arange(50.0)[:, None], np.arange(50)
        some, targets = tabular.at_most(20, X, y)
        np.testing.assert_array_equal(targets, np.random.RandomState(0).permutation(50)[:20])
        np.testing.assert_array_equal(some[:, 0], targets)
        assert tabular.at_most(None, X, y)[0] is X

    @pytest.mark.parametrize(
        ("method", "package"), [("CatBoost", "catboost"), ("RealMLP", "torch pytabkit")]
    )
    def test_missing_package_is_said_at_once(self, tabular, monkeypatch, capsys, method, package):
        monkeypatch.setattr(tabular, "find_spec", lambda name: None)
        with pytest.raises(SystemExit):
            tabular.main(["--methods", method])
        assert f"{method} needs {package}: python -m pip install" in capsys.readouterr().err

    def test_same_name_in_two_folders(self, tabular, folders, capsys):
        with pytest.raises(SystemExit):
            tabular.main(["--data", folders[0], folders[0]])
        assert "same name in two folders: line" in capsys.readouterr().err

    def test_variants_have_parameters_of_ours(self, tabular):
        for name, options in tabular.VARIANTS.items():
            model = tabular.model_of(name, "regression", 3)
            assert model.get_params() == tabular.ours("regression", 3, **options).get_params()


class TestPageOfTables:
    @pytest.fixture
    def page(self, scripts):
        return importlib.import_module("tabular_page")

    def test_ratios_are_within_a_run(self, page):
        rows = [
            fit_of("x", "skmdlam", 0.9, 2.0, run=1),
            fit_of("x", "adam", 0.8, 8.0, run=1),
            fit_of("x", "CatBoost", 0.8, 30.0, run=2),
            fit_of("y", "skmdlam", 0.7, 1.0, run=2),
            fit_of("y", "adam", 0.6, 4.0, run=1),
            fit_of("y", "CatBoost", 0.75, 50.0, run=2),
        ]
        assert page.total_ratio(rows, "skmdlam", "adam") == 2.0 / 8.0
        assert page.ratio_text(rows, "skmdlam", "adam") == "0.25 (1 of 2)"
        assert page.ratio_text(rows, "CatBoost", "skmdlam") == "50 (1 of 2)"
        assert page.ratio_text(rows[:3], "CatBoost", "skmdlam") == "-"
        (against,) = cells(page.against_each(rows), "CatBoost", 5)
        assert against == ["+0.0250 ± 0.0750", "1/0/1", "-0.050 to +0.100", "0.02 (1 of 2)"]

    def test_totals_weigh_data_sets_alike(self, page):
        """Two splits of one data set count as their mean."""
        rows = [
            fit_of("x", "skmdlam", 0.9, 1.0),
            fit_of("x", "skmdlam", 0.9, 3.0, seed=1),
            fit_of("x", "adam", 0.9, 10.0),
            fit_of("x", "adam", 0.9, 10.0, seed=1),
            fit_of("y", "skmdlam", 0.9, 4.0),
            fit_of("y", "adam", 0.9, 20.0),
        ]
        assert page.total_ratio(rows, "skmdlam", "adam") == pytest.approx(6.0 / 30.0)

    def test_methods_that_lack_splits_are_left_out(self, page):
        rows = [fit_of(n, m, 0.5) for n in "xy" for m in ("skmdlam", "adam", "lbfgs")]
        rows = [*rows[:-1], fit_of("z", "skmdlam", 0.1), fit_of("z", "lbfgs", 0.1)]
        kept, methods, partial = page.complete(rows)
        assert methods == ["skmdlam", "adam"]
        assert partial == {"lbfgs": 1}
        assert [(row["data set"], row["method"]) for row in kept] == [
            (name, method) for name in "xy" for method in methods
        ]
        run = {"run": 1, "threads": 1, "max rows": "", "command": "c", "machine": "m"}
        text = page.page(rows, [run], 3)
        assert "Left out: MLP (L-BFGS), which has 1 of the splits" in text
        assert "1 other(s) have no fits of both" in text

    def test_table_of_the_readme(self, page):
        scores = {"skmdlam": (0.9, 0.8, 0.7), "adam": (0.8, 0.8, 0.9), "CatBoost": (0.8, 0.7, 0.7)}
        rows = [
            fit_of(name, method, score, seconds, folder=folder)
            for seconds, (method, values) in zip((1.0, 4.0, 12.5), scores.items(), strict=True)
            for name, folder, score in zip("xyz", "aab", values, strict=True)
        ]
        lines = page.readme_table(rows).splitlines()
        assert lines[1].split("  ")[0] == "Method"
        assert re.split("  +", lines[1])[1:4] == ["Mean score, 3 data sets", "a (2)", "b (1)"]
        assert lines[3].split() == ["skmdlam", "0.8000", "0.8500", "0.7000", "1"]
        assert lines[4].split()[2:] == ["0.8333", "0.8000", "0.9000", "1,", "1,", "1", "4.0"]
        assert lines[5].split() == ["CatBoost", "0.7333", "0.7500", "0.7000", "2,", "1,", "0", "12"]

    def test_names_cover_neither_marks_nor_each_other(self, page):
        plt = pytest.importorskip("matplotlib.pyplot")
        plt.switch_backend("Agg")
        figure, axes = plt.subplots()
        points = [(0.2, 0.5, "left", "k"), (0.5, 0.5, "in the way", "k"), (0.52, 0.5, "near", "k")]
        axes.set(xlim=(0, 1), ylim=(0, 1))
        marks = page.boxes(axes, [(x, y, y) for x, y, *_ in points])
        page.annotate(axes, points, marks)
        boxes = [text.get_window_extent() for text in axes.texts] + marks
        assert [text.get_text() for text in axes.texts] == ["left", "in the way", "near"]
        clashes = [a for i, a in enumerate(boxes[:3]) if any(map(a.overlaps, boxes[i + 1 :]))]
        assert clashes == []
        page.annotate(axes, points[:1], [axes.get_window_extent()], everywhere=False)
        assert len(axes.texts) == 3
        plt.close(figure)

    def test_share_of_the_gap(self, page):
        scores = {
            "a": {"adam": 0.5, "skmdlam": 0.6, "RealMLP": 0.7},
            "b": {"adam": 0.5, "skmdlam": 0.5, "RealMLP": 0.5},
            "c": {"adam": 0.4, "skmdlam": 0.4, "RealMLP": 0.6},
        }
        rows = [
            fit_of(name, method, score)
            for name, by_method in scores.items()
            for method, score in by_method.items()
        ]
        # 0.1 of 0.4 together; 0 of 0.2 without a, 0.1 of 0.4 without b, 0.1 of 0.2 without c.
        assert "closes 25% of the gap; with any one data set left out, 0% to 50%." in page.gap(rows)


class TestFullBatch:
    def test_reaches_the_objective_of_lbfgs(self, scripts, tmp_path):
        full_batch = importlib.import_module("full_batch")
        full_batch.main(["--only", "wine", "--out", str(tmp_path)])
        ((row,), report) = read(tmp_path)
        assert int(row["sweeps ours"]) <= 200
        assert float(row["J ours"]) <= float(row["J lbfgs"])
        assert row["rises"] == "0"
        assert "reached on 1 of 1 data sets" in report


class TestUnits:
    @pytest.mark.slow
    def test_the_fit_does_not_know_them(self, scripts, tmp_path):
        units = importlib.import_module("units")
        units.main(["--only", "wine", "diabetes", "--out", str(tmp_path)])
        rows, report = read(tmp_path)
        for row in rows:
            before, after = (float(row[name]) for name in ("ours", "ours, other units"))
            assert abs(before - after) <= units.TOLERANCE
        assert "| skmdlam, defaults | 2 of 2 |" in report

    def test_a_drop_is_one(self, scripts):
        units = importlib.import_module("units")
        pairs = [name for pair in units.PAIRS.values() for name in pair]
        row = {"data set": "a", **dict.fromkeys(pairs, 0.9), "ours, other units": -np.inf}
        text = units.summary([row])
        assert "| skmdlam, defaults | 0 of 1 | 1.900 | 0.900 to below -1 (a) |" in text
        assert "| skmdlam, alpha=1e-4 | 1 of 1 | 0.000 |" in text
