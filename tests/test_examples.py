"""The examples run without a screen, say what they did, and leave a figure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def run(example, folder, *arguments):
    """Run an example in an empty folder, as a user would, and see that nothing warns."""
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    if sys.platform == "linux":  # elsewhere matplotlib may find a screen
        environment.pop("MPLBACKEND", None)
    result = subprocess.run(
        [sys.executable, example, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    figure = folder / f"{example.stem}.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    return result.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_runs(example, tmp_path):
    out = run(example, tmp_path, "--quick")
    assert "MDLAMClassifier" in out and "MLPClassifier" in out


@pytest.mark.slow
class TestInFull:
    def test_quickstart(self, tmp_path):
        out = run(ROOT / "examples" / "plot_quickstart.py", tmp_path)
        assert "J rose in 0 of" in out
        rows = re.findall(r"^  (.{25})\s*([01]\.\d{3})", out, re.MULTILINE)
        accuracy = [float(value) for name, value in rows if name.strip() == "MDLAMClassifier"]
        assert len(accuracy) == 2 and accuracy[0] >= 0.97 and accuracy[1] >= 0.95
        assert sum("relaxed" in name for name, _ in rows) == 1

    def test_grid_search(self, tmp_path):
        run(ROOT / "examples" / "plot_grid_search.py", tmp_path)

    def test_grid_search_on_adult(self, tmp_path, data_dir):
        out = run(ROOT / "examples" / "plot_grid_search.py", tmp_path, "--data", str(data_dir))
        assert "Adult" in out
