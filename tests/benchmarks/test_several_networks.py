"""What the mean of several networks gives, measured on two made tables."""

import csv
import importlib
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score

from skmdlam import MDLAMClassifier, MDLAMRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def script(scripts):
    """Return the script as a module."""
    return importlib.import_module("several_networks")


def made(classes, n=80):
    """Numbers of a smooth function of two columns, or whether they are positive."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 3))
    y = np.sin(2.0 * X[:, 0]) + X[:, 1] + 0.3 * rng.standard_normal(n)
    return X, (np.digitize(y, [-0.5, 0.5][:classes]) if classes else y)


@pytest.fixture
def tables(tmp_path):
    """Return a folder of a regression and a classification."""
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, classes in (("waves", 0), ("signs", 1)):
        X, y = made(classes)
        np.savez(folder / f"{name}.npz", X=X, y=y)
    index = "name\ttask\nwaves\tregression\nsigns\tclassification\n"
    (folder / "INDEX.tsv").write_text(index, encoding="utf-8")
    return folder


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_epochs_are_counted_and_the_fit_stays_what_it_is(script):
    X, y = made(0)
    one, cost = script.timed_fit("regression", X, y, 0)
    assert cost["epochs"] == cost["longest"] == one.n_iter_
    usual = MDLAMRegressor(random_state=0).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), usual.predict(X))
    three, cost = script.timed_fit("regression", X, y, 0, n_networks=3, max_iter=5)
    assert (cost["epochs"], cost["longest"]) == (15, 5) and three.n_networks_ == 3


@pytest.mark.parametrize("classes", [0, 1, 2])
def test_the_average_is_that_of_the_decision_functions(script, classes, monkeypatch):
    monkeypatch.setattr(script, "ours", partial(script.ours, max_iter=9))
    X, y = made(classes)
    task, network = "regression", MDLAMRegressor
    if classes:
        task, network = "classification", MDLAMClassifier
    parts = X[20:], X[:20], y[20:], y[:20]
    rows = list(script.fits(script.ONE, task, parts, 5))
    assert [(row["method"], row["start"]) for row in rows] == [
        *((script.ONE, start) for start in range(5, 9)),
        (script.AVERAGE, 5),
    ]
    assert rows[-1]["epochs"] == sum(row["epochs"] for row in rows[:-1])
    models = [network(random_state=start, max_iter=9) for start in range(5, 9)]
    models = [model.fit(X[20:], y[20:]) for model in models]
    if not classes:
        mean = np.mean([model.predict(X[:20]) for model in models], axis=0)
        assert rows[-1]["score"] == pytest.approx(r2_score(y[:20], mean))
        return
    for row, model in zip(rows, models, strict=False):
        assert row["score"] == model.score(X[:20], y[:20])
        expected = log_loss(y[:20], model.predict_proba(X[:20]), labels=model.classes_)
        assert row["log-loss"] == pytest.approx(expected)
    mean = np.mean([model.decision_function(X[:20]) for model in models], axis=0)
    chosen = (mean > 0).astype(int) if classes == 1 else mean.argmax(axis=1)
    assert rows[-1]["score"] == accuracy_score(y[:20], chosen)


def test_gains(script):
    """Of four tables one is tied, one is worse; the first seed of a table may be a lucky one."""
    rows = [
        {
            "folder": "made",
            "table": name,
            "half": half,
            "split": split,
            "start": split + start,
            "method": method,
            "score": score,
            "log-loss": loss,
        }
        for name, split, half, ones, four, losses in (
            ("a", 0, "even", (0.75, 0.25), 0.75, (0.25, 0.25)),
            ("a", 1, "even", (0.25, 0.25), 0.5, (0.75, 0.25)),
            ("b", 0, "odd", (0.25, 0.25), 0.2505, (0.5, 0.75)),
            ("c", 0, "even", (0.75, 0.5), 0.5, ("", "")),
            ("d", 0, "odd", (0.25, 0.25), 0.5, ("", "")),
        )
        for start, method, score, loss in (
            *((place, script.ONE, one, losses[0]) for place, one in enumerate(ones)),
            (0, "4 networks", four, losses[1]),
        )
    ]
    # Means of the seeds: 0.25, 0.0005, -0.125, 0.25; of the first: 0.125, 0.0005, -0.25, 0.25.
    start, end = "| 4 networks | +93.9 | +62.5 | +125.2 | +93.9 |", "2 | 1 | 1 | 75% | 1 of 2 |"
    assert f"{start} +125.2 | {end}" in script.gains(rows, script.ONE)
    start = "| 4 networks | +31.4 | -62.5 | +125.2 | +31.4 |"
    assert f"{start} +62.8 | {end}" in script.gains(rows, "first")
    assert "| 1 network | 0.3750 | 0.5000 | 0.2500 | 0.3750 | 0.5000 |" in script.means(rows)


def test_of_more_splits_what_all_of_them_have(script):
    methods = {0: script.METHODS, 1: (script.ONE, "4 networks")}
    rows = [
        {"table": name, "split": split, "method": method}
        for name, splits in (("a", (0, 1)), ("b", (0,)), ("c", (0, 1)))
        for split in splits
        for method in methods[split][: 1 if (name, split) == ("c", 1) else None]
    ]
    found = [tuple(row.values()) for row in script.further_splits(rows)]
    assert found == [("a", split, method) for split in (0, 1) for method in methods[1]]
    first = [row for row in rows if row["split"] == 0]
    assert script.further_splits(first) == [] and script.complete(rows) == first


def test_times_are_compared_within_the_repetitions(script):
    rows = [
        {
            "task": "regression",
            "n": 50,
            "d": 3,
            "setting": "defaults",
            "networks": k,
            "seed": seed,
            "seconds": speed * (1.0 + k),
            "epochs": 10 * k * (1 + (k == 8)),
        }
        for seed, speed in enumerate((1.0, 1.0, 3.0))
        for k in (1, 2, 4, 8)
    ]
    line = script.times_table(rows[:-1]).splitlines()[-1]  # the last repetition is not complete
    assert line.startswith(
        "| defaults | regression | 50 x 3 | 2 | 2.00 | 3.00 | 5.00 | 9.00 | 4.50 |"
    )
    assert line.endswith("| 200.0 | 150.0 | 125.0 | 56.2 | 2.25 | 10 | 20 |")


def test_page(script, tables, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(script, "ours", partial(script.ours, max_iter=2))
    monkeypatch.setattr(script, "SETTINGS", {"defaults": {}})
    out = tmp_path / "results"
    arguments = ["--data", str(tables), "--shapes", "60x6", "--repetitions", "1"]
    arguments += ["--out", str(out)]
    script.main([*arguments, "--parts", "accuracy", "--methods", script.ONE])
    ones = rows_of(out / "scores.csv")
    assert {row["method"] for row in ones} == {script.ONE, script.AVERAGE}
    script.main([*arguments, "--resume"])
    rows, times = rows_of(out / "scores.csv"), rows_of(out / "times.csv")
    assert rows[: len(ones)] == ones and len(rows) == 2 * (script.SINGLES + 5)
    assert len(times) == 2 * 4
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "2 data sets, 1 split(s)" in page and str(tmp_path) not in page
    assert "| defaults | classification | 60 x 6 | 1 |" in page and "| signs | " in page

    refit = ["--resume", "--refit", script.WIDE, "--only", "waves", "--parts", "accuracy"]
    script.main([*arguments, *refit])
    again = rows_of(out / "scores.csv")
    assert rows_of(out / "times.csv") == times and len(again) == len(rows)
    new = [row for row in again if row not in rows]
    assert [(row["table"], row["method"]) for row in new] == [("waves", script.WIDE)]
    with pytest.raises(SystemExit):
        script.main([*arguments, "--refit", script.WIDE])
    assert "--refit goes with --resume" in capsys.readouterr().err
