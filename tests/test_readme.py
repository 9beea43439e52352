"""The README renders, its links lead somewhere, its code runs, its numbers are those measured."""

import csv
import re
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")


def test_renders_without_warnings():
    core = pytest.importorskip("docutils.core")
    # halt_level 2 raises on the first warning; there is no writer that could add its own.
    core.publish_doctree(README, settings_overrides={"halt_level": 2, "report_level": 2})


def test_links_lead_to_files():
    targets = re.findall(r"<([^<>]+)>`_|image:: (\S+)", README)
    files = [link or image for link, image in targets if not link.startswith("http")]
    assert len(files) >= 5
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_code_runs(capsys):
    block = README.split(".. code-block:: python\n", 1)[1]
    code = re.match(r"(?:\n|    .*\n)+", block)[0]
    names = {}
    exec(textwrap.dedent(code), names)
    assert float(capsys.readouterr().out) >= 0.97
    plt = pytest.importorskip("matplotlib.pyplot", reason="the plots need matplotlib")
    plt.switch_backend("Agg")
    plt.close("all")  # what other tests left open
    exec("\n".join(re.findall(r"^    (.*(?:Convergence|Weights)Display.*)$", README, re.M)), names)
    assert len(plt.get_fignums()) == 2
    plt.close("all")


def test_data_frame_goes_in():
    pytest.importorskip("pandas", reason="needs pandas")
    (block,) = (
        block for block in README.split(".. code-block:: python\n")[1:] if "pd.DataFrame" in block
    )
    code = textwrap.dedent(re.match(r"(?:\n|    .*\n)+", block)[0])
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exec(code, names)
    model = names["model"]
    assert model.is_categorical_.tolist() == [False, True]
    assert len(model.categories_[0]) == 3
    assert np.isfinite(model.predict(names["flats"])).all()


def test_standard_deviations_come_out():
    (block,) = (
        block for block in README.split(".. code-block:: python\n")[1:] if "return_std" in block
    )
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    names = {"X": X[:100], "y": X[:100, 0] + rng.normal(size=100), "X_test": X[100:]}
    code = textwrap.dedent(re.match(r"(?:\n|    .*\n)+", block)[0])
    exec("from skmdlam import MDLAMRegressor\n" + code, names)
    assert names["mean"].shape == names["std"].shape == (20,)
    assert (names["std"] > 0.5).all() and (names["std"] < 2).all()


def test_deep_networks_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks" / "results" / "deep" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| logistic | 8 "))
    ours, adam, _, _, best_control = re.findall(r"(\.\d{3}) ±", row)
    assert f"a test accuracy of {ours} against {adam}" in README
    assert f"has {best_control}." in README
    row = next(line for line in text.splitlines() if line.startswith("| relu | 12 "))
    ours, adam, _, _, best_control = re.findall(r"(\.\d{3}) ±", row)
    assert (
        f"Twelve relu layers have {ours}, ``MLPClassifier`` {adam}, Adam from our start "
        f"{best_control};"
    ) in " ".join(README.split())


def test_tables_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks/results/tabular/table.txt").read_text(encoding="utf-8")
    rows = [re.split("  +", line.strip()) for line in text.splitlines() if line[:1] not in "= "]
    assert len(rows) == 6
    for name, *numbers in rows[1:]:
        line = next(line for line in README.splitlines() if line.startswith(name + "  "))
        assert re.split("  +", line.strip())[1:] == numbers


def test_words_about_tables_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks/results/tabular/README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    error = next(row for row in rows if row[0] == "CatBoost" and "±" in row[1])[1].split(" ± ")[1]
    words = " ".join(README.split())
    assert f"by less than a standard error ({error})" in words
    tab, tab2 = (
        f"{float(row[4]):.2f}".lstrip("0")
        for row in [row for row in rows if row[0] == "skmdlam" and len(row) == 8][1:]
    )
    assert f"Fits take {tab} of Adam's time on the first 20 and {tab2} on the others" in words


def test_controls_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks" / "results" / "controls" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    mean = {row[0]: row[1] for row in rows if len(row) == 8}
    with open(ROOT / "benchmarks/results/tabular/scores.csv", encoding="utf-8") as file:
        scores = [
            float(row["score"])
            for row in csv.DictReader(file)
            if (row["folder"], row["seed"], row["method"]) == ("tab", "0", "skmdlam")
        ]
    assert len(scores) == 20
    words = " ".join(README.split())
    for said in (
        f"where ours now has {np.mean(scores):.4f} (split 0".replace("0.", ".", 1),
        f"by cross-validation has {mean['adam, alpha by CV']},",
        f"RealMLP (pytabkit) {mean['RealMLP']} (`",
    ):
        assert said in words


def test_graphs_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks" / "results" / "paper" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    cells = {row[0]: row for row in reversed(rows)}  # the summary is the first table
    methods = ("skmdlam, joint block", "skmdlam, feasible, penalty")
    methods += ("MLPClassifier, alpha", "LogisticRegression, C")
    for graph in ("Cora", "Citeseer", "Coauthor CS"):
        expected = [cells[f"{graph}: {method}"][3].split(" ± ")[0] for method in methods]
        expected.insert(0, cells[graph][1])
        line = next(line for line in README.splitlines() if line.strip().startswith(graph + " "))
        assert line.split()[-5:] == expected


def test_full_batch_is_that_of_the_benchmark():
    path = ROOT / "benchmarks" / "results" / "full_batch" / "README.md"
    text = path.read_text(encoding="utf-8")
    reached, ratio = re.search(
        r"reached on (\d+ of \d+) tables; the time for that is (\.\d+) of", text
    ).groups()
    assert f"on {reached} tables, in {ratio} of its time" in " ".join(README.split())


def test_units_are_those_of_the_benchmark():
    text = (ROOT / "benchmarks" / "results" / "units" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    within = {row[0]: row[1] for row in reversed(rows)}
    default, with_alpha = within["ours, defaults"], within["ours, alpha 1e-4"].split()[0]
    (mlp,) = (count.split()[0] for name, count in within.items() if name.startswith("MLP"))
    assert (
        f"within .005 on {default} tables at the defaults, on {with_alpha} with ``alpha=1e-4``; "
        f"that of ``MLP*`` without a scaler on {mlp} "
    ) in " ".join(README.split())


def test_ranges_are_those_of_the_figure():
    """In the user guide: from 1e-5 to 10 for rho, from 1e-3 to 0.1 for the learning rate."""
    with open(ROOT / "doc" / "images" / "why.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def good(classifier):
        accuracies = {}
        for row in rows:
            if row["classifier"] == classifier:
                accuracies.setdefault(float(row["setting"]), []).append(float(row["test_accuracy"]))
        return sorted(k for k, values in accuracies.items() if np.mean(values) >= 0.96)

    rho, rate = good("MDLAMClassifier"), good("MLPClassifier")
    assert rho == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert rate == [1e-3, 1e-2, 1e-1]
