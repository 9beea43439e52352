"""The examples run without a screen, say what they did, and leave a figure."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot", reason="the examples draw with matplotlib")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("plot_*.py"))


RUNNER = ROOT / "tests" / "_run_example.py"


def run(name, folder, *arguments):
    """Run an example in an empty folder, see that nothing warns, and look for its figures."""
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    if name == "plot_dask":
        pytest.importorskip("distributed", reason="it starts workers of Dask")
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    result = subprocess.run(
        [sys.executable, RUNNER, ROOT / "examples" / f"{name}.py", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    figures = sorted(folder.glob(f"{name}-*.png"))
    assert figures, "no figure"
    for figure in figures:
        assert np.ptp(plt.imread(figure)) > 0, "an empty figure"
    for saved in re.findall(r"^Figure: (.*)$", result.stdout, re.MULTILINE):
        assert (folder / saved).read_bytes().startswith(b"\x89PNG")
    return result.stdout


def table(out):
    """Numbers of the lines that begin with a name, by this name."""
    lines = re.findall(r"^ *(\S.*?)((?:  +-?[\d.]+)+)", out, re.MULTILINE)
    return {name: [float(value) for value in values.split()] for name, values in lines}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_runs(name, tmp_path):
    assert "MDLAM" in run(name, tmp_path, "--quick")


@pytest.mark.parametrize("name", EXAMPLES)
def test_is_a_page_of_the_gallery(name):
    """A title, and cells that open with text."""
    source = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    _, title, line, *_ = ast.get_docstring(ast.parse(source), clean=False).splitlines()
    assert title and line == "=" * len(title)
    assert len(re.findall(r"^# %%\n# \S", source, re.MULTILINE)) >= 2


@pytest.mark.slow
class TestInFull:
    """What the texts of the examples say about their results."""

    def test_quickstart(self, tmp_path):
        out = run("plot_quickstart", tmp_path)
        assert re.search(r"objective of the first model rose in 0 of \d+ iterations", out)
        lowest, returned = re.search(r"value is (\S+); .* have (\S+)\.\n", out).groups()
        assert lowest == returned
        rows = re.findall(r"^  (.{25})\s*([01]\.\d{3}) ", out, re.MULTILINE)
        accuracy = [float(value) for name, value in rows if name.strip() == "MDLAMClassifier"]
        assert len(accuracy) == 2 and accuracy[0] >= 0.97 and accuracy[1] >= 0.95
        # The names stand in the table of fits, and in that of the same objective.
        curves = re.findall(r"^  (.{25})\s*\d\.\d{4}\s*(\d\.\d{4}) +(\d+) of", out, re.MULTILINE)
        assert [name.strip() for name, *_ in curves] == [name.strip() for name, _ in rows]
        last = [float(value) for _, value, _ in curves]
        assert max(last[0], last[3]) < 0.5 * min(last[1:3] + last[4:])

    def test_data_frame(self, tmp_path):
        rows = table(run("plot_data_frame", tmp_path))
        ours, boosting, mlp = (
            rows[name]
            for name in ("MDLAMClassifier", "HistGradientBoosting", "MLPClassifier, pipeline")
        )
        accuracy, loss, area = np.subtract(ours, boosting)
        assert accuracy > 0.005 and loss < -0.02 and area > 0.01
        accuracy, loss, area = np.subtract(ours, mlp)
        assert accuracy > 0.01 and loss < -0.05 and area > 0.02

    def test_grid_search(self, tmp_path):
        run("plot_grid_search", tmp_path)

    def test_grid_search_on_adult(self, tmp_path, data_dir):
        out = run("plot_grid_search", tmp_path, "--data", str(data_dir))
        assert "Adult" in out

    def test_deep_sigmoid(self, tmp_path):
        rows = table(run("plot_deep_sigmoid", tmp_path))
        ours, control = rows["MDLAMClassifier"], rows["Adam, same initial weights"]
        assert ours[0] <= max(score[0] for score in rows.values())
        assert ours[-1] > control[-1] + 0.01 > 0.9
        assert max(rows["MLPClassifier"][-1], rows["MLPClassifier, patient"][-1]) < 0.2

    def test_rho_epsilon(self, tmp_path):
        relaxed, feasible, epsilon = run("plot_rho_epsilon", tmp_path).split("solver=")[1:]
        relaxed, feasible, epsilon = table(relaxed), table(feasible), table(epsilon)
        assert min(relaxed["0.0001"][-1], relaxed["1"][-1]) > 0.92 and relaxed["1000"][-1] < 0.3
        assert min(row[-1] for row in feasible.values()) > 0.92
        assert epsilon["0.001"][-1] > 0.92 and epsilon["1"][-1] < 0.3

    def test_robust_regression(self, tmp_path):
        rows = table(run("plot_robust_regression", tmp_path))
        squared, absolute = rows["squared error"], rows["absolute error"]
        assert abs(squared[0] - absolute[0]) < 0.03
        for name in ("absolute error", "Huber, delta 0.3", "GradientBoosting, absolute error"):
            assert max(np.divide(rows[name], squared)[1:]) < 0.5
        assert absolute[1] < rows["absolute error, defaults"][1]

    def test_regularization_path(self, tmp_path):
        out = run("plot_regularization_path", tmp_path)
        path = np.array(
            re.findall(r"^([\d.e+]+) +(\d+) +(-?\d\.\d+)$", out, re.MULTILINE), dtype=float
        )
        assert path[0, 1] == 0 and path[-1, 1] == 20 and path[-1, 2] > 0.9
        rows = table(out)
        assert rows["MDLAMRegressor, group"][0] <= 8 < rows["lasso_path"][0]
        (n_all, usual), (n_inputs, score) = rows["l2"], rows["group, alpha auto"]
        assert n_all == 20 and 5 <= n_inputs < 20 and score > usual - 0.003

    def test_sparse_nonnegative(self, tmp_path):
        out = run("plot_sparse_nonnegative", tmp_path)
        row = r"^{} +(\d+) +(\S+)$"
        ours, linear = (
            np.array(re.findall(row.format(name), out, re.MULTILINE), dtype=float)
            for name in ("MDLAMClassifier", "LinearSVC, l1")
        )
        assert (np.diff(ours[:, 0]) <= 0).all() and ours[-1, 0] < 30
        # Below the fewest inputs of the linear model there is nothing to compare with.
        few = ours[(ours[:, 0] < 30) & (ours[:, 0] >= linear[:, 0].min())]
        assert len(few) > 0
        assert (few[:, 1] > np.interp(few[:, 0], *linear.T)).all()
        falls = re.findall(r"^(\S.*?)  +(0\.\d+) +(\d) of 5$", out, re.MULTILINE)
        falls = {name: (float(distance), int(n)) for name, distance, n in falls}
        assert falls["nonnegative"][1] == falls["HistGradientBoosting, monotone"][1] == 0
        assert falls["no penalty"][1] == 5
        assert falls["nonnegative"][0] < min(falls["defaults"][0], falls["no penalty"][0])

    def test_units(self, tmp_path):
        rows = table(run("plot_units", tmp_path))
        for name in ("MDLAMRegressor", "MLPRegressor, scaled", "HistGradientBoosting"):
            assert np.ptp(rows[name]) < 0.01 and min(rows[name]) > 0.9
        for name in ("MLPRegressor", "MDLAMRegressor, alpha=10"):
            assert rows[name][-1] < rows[name][0] - 0.3

    def test_comparison(self, tmp_path):
        accuracy = table(run("plot_comparison", tmp_path).split("seconds")[0])
        ours = accuracy["MDLAMClassifier"]
        assert np.mean(np.subtract(ours, accuracy["MLPClassifier, adam"])) > 0.05
        assert accuracy["HistGradientBoosting"][4] == max(row[4] for row in accuracy.values())

    def test_columns(self, tmp_path):
        rows = table(run("plot_columns", tmp_path))
        plain, encoded = (rows[f"MDLAMRegressor, encoding={e}"][0] for e in ("None", "'auto'"))
        assert plain + 0.01 < encoded < rows["the true function"][0]

    def test_several_networks(self, tmp_path):
        rows = table(run("plot_several_networks", tmp_path))
        for level in (50, 80, 95):
            assert abs(rows[f"targets within the {level} % interval, %"][0] - level) < 5
        assert rows["within 95 %, out of range"][0] < 60
        rest = {name: 1 - values[0] for name, values in rows.items() if "noise" in name}
        clear, noisy = (
            [rest[f"{noise}, {fit} units"] for fit in ("1 x 50", "2 x 50", "4 x 50", "8 x 50")]
            for noise in ("noise of 0.1", "noise of 1")
        )
        assert clear == sorted(clear, reverse=True) and clear[2] < 0.7 * clear[0]
        assert 0.85 * noisy[0] < noisy[3] < noisy[0]

    def test_dask(self, tmp_path):
        rows = table(run("plot_dask", tmp_path))
        sample, stream, with_dask, local = (
            rows[name][0]
            for name in (
                "a subsample, in memory",
                "blocks as a stream",
                "all samples, Dask",
                "all samples, in memory",
            )
        )
        assert abs(with_dask - local) < 0.0015 and local < 0.905
        assert sample + 0.01 < stream < with_dask - 0.003

    def check_citation_graph(self, out):
        test = {
            name: float(score)
            for name, score in re.findall(
                r"^(\S.*?)  +\S+ \S+ +[.\d ]*?(0\.\d{3})(?: +\d+\.\d\d)?$", out, re.MULTILINE
            )
        }
        alone = test.pop("own words only, linear")
        assert len(test) == 3 and min(test.values()) > alone + 0.1
        assert max(test.values()) - min(test.values()) < 0.04

    def test_citation_graph(self, tmp_path):
        out = run("plot_citation_graph", tmp_path)
        assert out.startswith("Synthetic: 1500 papers")
        self.check_citation_graph(out)

    def test_citation_graph_on_cora(self, tmp_path, data_dir):
        if not (data_dir / "graphs" / "cora.npz").is_file():
            pytest.skip(f"needs real data: {data_dir / 'graphs' / 'cora.npz'}")
        out = run("plot_citation_graph", tmp_path, "--data", str(data_dir))
        assert out.startswith("Cora: 2708 papers")
        self.check_citation_graph(out)

    def test_stream(self, tmp_path):
        rows = table(run("plot_stream", tmp_path))
        ours, adam = rows["MDLAMClassifier"], rows["MLPClassifier, scaled, best rate"]
        assert ours[0] > 0.9 and ours[2] > 0.9
        assert 0 < ours[0] - adam[0] < 0.04 and 0 < ours[2] - adam[2] < 0.04
        repeated = rows["MLPClassifier, scaled, 8 rounds, best rate"]
        assert repeated[1] > ours[1] > adam[1] + 0.03
        assert max(repeated[0] - adam[0], repeated[2] - adam[2]) < 0
        assert max(rows["MLPClassifier, best rate"]) < 0.8
