"""The pages of the documentation: their examples run, and their references lead to files."""

import ast
import csv
import doctest
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import skmdlam
from skmdlam import activations, losses, penalties, testing
from skmdlam._block_fit import n_piles
from skmdlam.engine.constants import LIMITS, TUNED
from skmdlam.engine.on_blocks import paths_of

ROOT = Path(__file__).resolve().parents[1]
DOC = ROOT / "doc"
# What a build leaves in the checkout is not ours.
BUILT = {"_build", "auto_examples", "generated"}
PAGES = [
    path
    for path in sorted(DOC.rglob("*.rst"))
    if BUILT.isdisjoint(path.relative_to(DOC).parts) and "results" not in path.parts
]


def name_of(path):
    return path.relative_to(DOC).as_posix()


def test_there_are_pages():
    assert {"index.rst", "algorithm.rst", "howto_solver.rst"} <= {name_of(page) for page in PAGES}


# What takes more than half a second; the example of the README is run every time.
LONG = {
    "getting_started.rst",
    "howto_activation.rst",
    "howto_loss.rst",
    "howto_solver.rst",
    "user_guide/data_frames.rst",
    "user_guide/distributed.rst",
    "user_guide/encoding.rst",
    "user_guide/large_data.rst",
    "user_guide/monitoring.rst",
    "user_guide/regularization.rst",
    "user_guide/several_networks.rst",
    "user_guide/sklearn.rst",
}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (name_of(page) in LONG), id=name_of(page))
        for page in PAGES
        if ">>>" in page.read_text(encoding="utf-8")
    ],
)
def test_examples_run(page):
    if "skmdlam.dask" in page.read_text(encoding="utf-8"):
        pytest.importorskip("distributed", reason="its examples start workers of Dask")
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 0 and failed == 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_files_exist(page):
    """Files of the repository that a page names in literals, and figures that it shows."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"``((?:skmdlam|tests|examples|benchmarks|doc)/[\w./-]+\w)``", text)
    assert [name for name in named if not (ROOT / name).exists() and "0.1.0.pkl" not in name] == []
    shown = re.findall(r"(?:image|figure):: (\S+)", text)
    assert [name for name in shown if not (page.parent / name).is_file()] == []


@pytest.fixture(scope="module")
def results():
    """What cuts tables out of the results of benchmarks."""
    pytest.importorskip("docutils", reason="the directive is one of docutils")
    spec = importlib.util.spec_from_file_location("results", DOC / "_ext" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_results_are_there(page, results):
    """The parts of tables that pages show."""
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"^( *)\.\. results:: (\w+)\n((?:\1   :.*\n)+)", text, re.M)
    assert len(shown) == text.count(".. results::")
    for _, name, options in shown:
        option = dict(re.findall(r":(\w+): (.*)", options))
        columns, number = results.names_of(option["columns"]), int(option.get("table", 1))
        _, *rows = results.with_columns(results.tables_of(name), columns, number)
        for pattern in results.names_of(option.get("rows", "*")):
            assert results.row_of(rows, pattern) in rows
        assert len(results.names_of(option.get("header", option["columns"]))) == len(columns)


def test_several_networks_are_as_good_as_it_says(results):
    found = results.tables_of("several_networks")
    header, *rows = results.with_columns(found, ["fit", "together", "better or tied"], 1)
    four = dict(zip(header, results.row_of(rows, "4 networks"), strict=True))
    better, tied, worse = (int(four[name]) for name in ("better", "tied", "worse"))
    n = better + tied + worse
    assert 0.35 < tied / n < 0.65 and better < n / 2 and worse < n / 5
    assert float(four["together"]) > 1
    header, *rows = results.with_columns(found, ["fit", "over one network"], 1)
    assert 2 < float(results.row_of(rows, "4 networks")[header.index("over one network")]) < 3
    header, *rows = results.with_columns(found, ["data set", "1 network", "4 networks"], 1)

    def gain(name):
        cells = dict(zip(header, results.row_of(rows, name), strict=True))
        return float(cells["4 networks"]) - float(cells["1 network"])

    most = {"wine_quality", "beijing_pm25", "vehicle", "kin8nm", "letter"}
    assert min(map(gain, most)) > 0.005
    assert set(sorted((row[0] for row in rows), key=gain)[-5:]) == most
    assert max(abs(gain(name)) for name in ("wa_churn", "check_times")) < 0.003
    header, *rows = results.with_columns(
        found, ["data set", "1 network", "4 networks", "width 400"], 1
    )
    for name in ("hotel_rates", "deliveries"):
        cells = dict(zip(header, results.row_of(rows, name), strict=True))
        wide, one, four = (float(cells[name]) for name in ("width 400", "1 network", "4 networks"))
        assert wide < one - 0.005 and four > one
    epochs = {}
    with open(results.RESULTS / "several_networks" / "scores.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["method"], row["split"]) == ("1 network", "0"):
                epochs.setdefault(row["table"], []).append(float(row["epochs"]))
    long = {name for name, values in epochs.items() if np.mean(values) > 75}
    assert most < long and min(map(gain, long)) < 0


def test_several_networks_take_what_it_says(results):
    header, *rows = results.with_columns(
        results.tables_of("several_networks"), ["fit", "over one network"], 1
    )
    four = results.row_of(rows, "4 networks")
    for name in ("over one network", "median over data sets"):
        assert 2 < float(four[header.index(name)]) < 3
    found = results.tables_of("several_networks")
    header, *rows = results.with_columns(found, ["setting", "1: seconds", "4: seconds"], 1)
    full = [row for row in rows if row[0].startswith("full batch")]
    assert len(full) == 2
    for row in full:
        one, four = (float(row[header.index(f"{k}: seconds")]) for k in (1, 4))
        assert 3 < four / one < 4


def test_cost_of_blocks_is_what_the_engine_does():
    """The numbers of piles, paths and averages of 50 columns, and what follows from them."""
    text = (DOC / "user_guide" / "distributed.rst").read_text(encoding="utf-8")
    size = r"^(1+0* [mb]illion)"
    rows = re.findall(size + r" +([\d,]+) +(\d+) +(\d+) +\S+ GB +(\S+) ([GM]B) ", text, re.M)
    samples = {"1 million": 10**6, "10 million": 10**7, "100 million": 10**8, "1 billion": 10**9}
    assert [row[0] for row in rows] == list(samples)
    state = 8 * 5100 + 8 * 101**2  # weights and moments of 100 hidden units
    for name, *numbers, moved, unit in rows:
        n = samples[name]
        piles = n_piles(SimpleNamespace(n_rows=n, n_numbers=50 * n))
        paths = paths_of(piles, TUNED)
        found = [int(number.replace(",", "")) for number in numbers]
        assert found == [piles, paths, -(-piles // paths)]
        expected = 2 * piles * state / {"MB": 1e6, "GB": 1e9}[unit]
        assert float(moved) == pytest.approx(expected, rel=0.03)
    times = re.findall(size + r" +(\d+) +(\d+) +(\d+) +([\d,]+) +([\d,]+)$", text, re.M)
    for (name, *numbers), row in zip(times, rows, strict=True):
        n = samples[name]
        processors, prepared, steps, scheduler, whole = (int(x.replace(",", "")) for x in numbers)
        assert prepared == pytest.approx(4e-6 * n / processors, abs=1)
        assert steps == pytest.approx(20e-6 * n / min(processors, int(row[2])), abs=1)
        assert scheduler == round(20 * 2.3e-3 * int(row[1].replace(",", "")))
        assert whole == pytest.approx(prepared + max(steps, scheduler), abs=1)
    for number in (TUNED.least_paths, TUNED.rounds, TUNED.least_batch, TUNED.long_round):
        assert f" {number}" in text
    assert LIMITS.pile_numbers == 2**21 and LIMITS.pile_rows == 2000
    assert LIMITS.driver_rows == 50_000 and LIMITS.one_task_numbers == 2**24


def test_calibration_takes_what_it_says(results):
    columns = ["task", "networks", "samples", "ratio (median)"]
    _, *rows = results.with_columns(results.tables_of("uncertainty"), columns, 1)
    ratio = {tuple(row[:3]): float(row[-1]) for row in rows}
    few = [ratio["regression", "one network", rows] for rows in ("300", "1000")]
    many = [ratio[task, "one network", "4000"] for task in ("regression", "classification")]
    assert min(few) > 6.5 and max(few) < 7.5 and min(many) > 3 and max(many) < 4
    few = [ratio["regression", "four networks", rows] for rows in ("300", "1000")]
    many = [ratio[task, "four networks", "4000"] for task in ("regression", "classification")]
    assert min(few) > 3 and max(few) < 3.5 and min(many) > 1.8 and max(many) < 2.2
    page = (DOC / "user_guide" / "several_networks.rst").read_text(encoding="utf-8")
    assert "takes 3 to 4 times the time, about 7 times below 2,000 samples; one of four" in page


def test_temperatures_are_those_it_says(results):
    columns = ["networks", "half", "data sets", "T other than 1", "lower", "higher", "worst"]
    found = results.tables_of("uncertainty")
    header, *rows = results.with_columns(found, columns, 1)
    row = results.row_of(rows, "one network | both")
    tables, other, lower, higher = (int(row[header.index(name)]) for name in columns[2:6])
    assert (tables, tables - other, lower, higher) == (29, 18, 10, 1)
    assert round(float(row[header.index("worst")].rstrip(" %"))) == 8
    header, *rows = results.with_columns(found, ["data set", "T", "log-loss", "with T"], 1)
    log_loss, with_T = header.index("log-loss"), header.index("with T")
    worse = [row for row in rows if float(row[with_T]) > 1.001 * float(row[log_loss])]
    assert {(row[0], row[2]) for row in worse} == {("anneal", "673")}
    # The bounds of T, e to the power of that.
    assert TUNED.temperature_range == 2.0


def test_intervals_hold_what_it_says(results):
    found, columns = results.tables_of("uncertainty"), ["method", "samples", "50%", "80%", "95%"]

    def off(number, pattern):
        header, *rows = results.with_columns(found, columns, number)
        row = results.row_of(rows, pattern)
        return [float(row[header.index(f"{p}%")]) - p / 100 for p in (50, 80, 95)]

    ours = [off(1, f"{k} | {n}") for k in ("one network", "four networks") for n in (300, 4000)]
    assert max(abs(share) for shares in ours for share in shares) <= 0.03
    assert all(0.02 <= middle < 0.03 and -0.02 < end < -0.01 for middle, _, end in ours)
    assert max(off(2, "one network | 4000")) < -0.04
    assert f"{off(2, 'one network | 4000')[2] + 0.95:.2f}" == "0.80"
    text = (DOC / "user_guide" / "several_networks.rst").read_text(encoding="utf-8")
    for path in (DOC / "user_guide" / "several_networks.rst", DOC / "when_to_use.rst"):
        words = " ".join(path.read_text(encoding="utf-8").split())
        assert re.search(r"(hold|contain) (0?\.80|80 % of the targets) on average", words)
    assert text.count(f"below {TUNED.left_out_few:,} samples") == 2
    header, *rows = results.with_columns(found, ["method", "interval score"], 1)

    def score(pattern):
        return float(results.row_of(rows, pattern)[header.index("interval score")])

    for other in ("Gaussian process | 300", "MAPIE split, skmdlam | 300"):
        assert score("one network | 300") < score(other)
    for other in ("MAPIE split, skmdlam | 4000", "MAPIE split, gradient boosting | 4000"):
        assert score("one network | 4000") < score(other)


def test_everything_public_is_in_the_reference():
    pages = [path.read_text("utf-8") for path in (DOC / "api").glob("*.rst")]
    listed = {name for page in pages for name in re.findall(r"^   (\w+)$", page, re.M)}
    listed |= {name for page in pages for name in re.findall(r"^.. data:: (\w+)$", page, re.M)}
    public = {name for name in skmdlam.__all__ if name != "__version__"}
    for module in (activations, losses, penalties, testing):
        # Dictionaries of names are in capitals.
        public |= {name for name in module.__all__ if not isinstance(getattr(module, name), dict)}
    # What turns a list of names into objects serves the estimators.
    assert public - {"get_activations"} - listed == set()


def test_features_have_tests():
    """Every row of the table names a test that is there, but for those of what is not here."""
    text = (DOC / "features.rst").read_text(encoding="utf-8")
    rows = text.split("   * - ")[2:]
    named = [re.findall(r"``([^`]+)``", row.splitlines()[4]) for row in rows]
    missing = [row for row, names in zip(rows, named, strict=True) if not names]
    assert len(rows) >= 30 and len(missing) == 3
    assert all(row.splitlines()[3].strip().startswith("- no") for row in missing)
    files = {file for file, *_ in filter(None, named)}
    bodies = {
        file: ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8")).body for file in files
    }
    for file, *names in filter(None, named):
        body = bodies[file]
        for name in names:
            found = [node for node in body if getattr(node, "name", None) == name]
            assert found, f"{file} has no {name}"
            body = found[0].body if isinstance(found[0], ast.ClassDef) else []


def test_index_of_benchmarks_has_all_pages(results):
    page = (DOC / "benchmarks" / "index.rst").read_text(encoding="utf-8")
    folders = sorted(path.parent.name for path in results.RESULTS.glob("*/README.*"))
    listed = " ".join(re.findall(r"^\.\. summaries:: (.*(?:\n   \w.*)*)", page, re.M)).split()
    assert len(set(listed)) == len(listed)
    assert set(folders) <= set(listed)


def test_summary_is_the_question_and_its_answer(results, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# Title\n\nIs it so? It is, in\n3 of 4.\n\nCommand: `x`\n", encoding="utf-8")
    assert results.summary_of(page) == ("Is it so?", "It is, in 3 of 4.")
    page.write_text("# Title\n\nCommand: `x`\n\nIs this late? Yes.\n", encoding="utf-8")
    assert results.summary_of(page) == ("Title", "")
    page = tmp_path / "README.rst"
    page.write_text("Title\n=====\n\nIs it so? It is.\n", encoding="utf-8")
    assert results.summary_of(page) == ("Is it so?", "It is.")
