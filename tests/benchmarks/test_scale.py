"""Large tables: the made one, what is counted, and blocks on paths, all of them small."""

import csv
import importlib
import json

import numpy as np
import pytest

from skmdlam import MDLAMClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def script(scripts, monkeypatch):
    """Return the script as a module; its files have 500 rows."""
    module = importlib.import_module("scale")
    monkeypatch.setattr(module, "BLOCK", 500)
    monkeypatch.setattr(module, "TEST", 300)
    return module


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_files_hold_rows_of_one_teacher(script, tmp_path):
    script.write_files(tmp_path, 1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "X0.npy",
        "X1.npy",
        "y0.npy",
        "y1.npy",
    ]
    X, y = script.made(500, 1)
    np.testing.assert_array_equal(np.load(tmp_path / "X1.npy"), X)
    np.testing.assert_array_equal(np.load(tmp_path / "y1.npy"), y)
    assert X.dtype == np.float32 and set(y) == set(range(script.CLASSES))
    assert not np.array_equal(X, script.made(500, 0)[0])
    X, y = script.made(4000, 2)
    model = MDLAMClassifier(encoding=None, max_iter=10, random_state=0).fit(X, y)
    share = np.bincount(y).max() / len(y)
    assert model.score(*script.made(1000, 3)) > share + 0.1


def test_a_control_stops_at_its_target(script, tmp_path):
    script.write_files(tmp_path, 1000)
    job = {"folder": str(tmp_path), "rows": 1000, "model": script.SGD, "epochs": 3, "limit": 60}
    found = script.fit_control(job | {"target": None})
    scores = [float(score) for score in found["scores"].split()]
    assert (found["epochs"], len(scores)) == (3, 3)
    assert found["score"] == pytest.approx(scores[-1], abs=1e-4) and found["peak"] > 10 * 2**20
    assert script.fit_control(job | {"target": 0.0})["epochs"] == 1


def test_work_is_summed_by_function(script):
    def task(key, *parts, nbytes=0):
        startstops = [{"action": a, "start": 0.0, "stop": s} for a, s in parts]
        return {"key": key, "startstops": startstops, "nbytes": nbytes}

    found = script.work_of(
        [
            task("skmdlam-stepped-1", ("compute", 2.0), ("transfer", 0.5), nbytes=8),
            task("skmdlam-stepped-2", ("compute", 1.0), nbytes=8),
            task(("load", 3), ("disk-read", 0.25)),
        ]
    )
    assert found["stepped"] == [2, 3.0, 0.5, 16]
    assert [each for name, each in found.items() if name != "stepped"] == [[1, 0.0, 0.25, 0]]


def test_the_speed_up_is_that_of_the_work(script):
    """Eight piles, four paths: two rounds of four steps of 3 s, 8 s of J, 2 s of the client."""
    tasks = {
        "pile": [8, 0.0, 0.0, 0],
        "stepped": [8, 20.0, 4.0, 8 * 10**8],
        "stepped-arguments": [2, 0.0, 0.0, 2 * 10**8],
        "measured": [16, 8.0, 0.0, 0],
    }
    row = {"seconds": 34.0, "tasks": json.dumps(tasks)}
    assert script.averages_of(tasks, 8) == (2.0, 4, 4 * 2 * 10**8 + 8 * 10**8)
    assert script.computed_seconds(row, 1) == pytest.approx(34.0)
    travel = 16e8 / 1e9
    assert script.computed_seconds(row, 2) == pytest.approx(2 * 2 * 3 + 4 + 2 + travel)
    # More workers than paths do not step faster.
    assert script.computed_seconds(row, 8) == pytest.approx(2 * 3 + 1 + 2 + travel)


def test_one_pile_is_the_local_fit(script):
    X, y = script.made(600, 4, d=4, k=3)
    given = {"hidden_layer_sizes": (5,), "encoding": None, "max_iter": 4, "batch_size": 50}
    scores = []
    for paths in (0, 1, 3):
        rows = []
        about = {"table": "made", "seed": 0, "paths": paths}
        arguments = rows, about, "classification", (X, y, X, y), 4
        assert len(list(script.timed(*arguments, **given))) == len(rows) == 1
        assert list(script.timed(*arguments, **given)) == []
        scores.append(rows[0]["score"])
        rounds = {0: 0, 1: 0, 3: 2}[paths]
        assert rows[0]["averages an epoch"] == rounds
    assert np.ptp(scores) < 0.1


def test_the_report_is_made_from_what_is_there(script, tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--parts", "large", "--large-rows", "600"]
    arguments += ["--large-epochs", "3", "--folder", str(tmp_path)]
    script.main(arguments)
    rows = rows_of(tmp_path / "large.csv")
    assert [row["paths"] for row in rows] == ["0", "1", "2", "4", "8"]
    report = tmp_path / "README.md"
    text = report.read_text(encoding="utf-8")
    assert "synthetic, 600 x 30" in text and "## Many samples" not in text
    report.write_text(text + "\nIt is quick.\n", encoding="utf-8")
    script.main([*arguments, "--resume"])
    assert rows_of(tmp_path / "large.csv") == rows
    assert report.read_text(encoding="utf-8").endswith("It is quick.\n")
    capsys.readouterr()
