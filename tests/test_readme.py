"""The README renders, its links lead somewhere, its code runs. Its claims: test_claims.py."""

import io
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")
WORDS = " ".join(README.split())
SITE = "https://skmdlam.readthedocs.io/page/"


def test_is_short():
    assert len(README.splitlines()) <= 120


def test_renders_without_warnings():
    core = pytest.importorskip("docutils.core")
    # halt_level 2 raises on the first warning; there is no writer that could add its own.
    core.publish_doctree(README, settings_overrides={"halt_level": 2, "report_level": 2})


def test_links_lead_somewhere():
    """Figures are files, and pages of the site have a source; all else is a few known addresses."""
    links = re.findall(r"<([^<>]+)>`_|image:: (\S+)|:target: (\S+)", README)
    links = ["".join(found) for found in links]
    pages = [link.removeprefix(SITE) for link in links if link.startswith(SITE)]
    assert len(pages) >= 8
    # Sphinx-Gallery writes the index of the examples.
    sources = {page.removesuffix(".html") + ".rst" for page in pages} - {"auto_examples/index.rst"}
    assert [name for name in sources if not (ROOT / "doc" / name).is_file()] == []
    others = {link for link in links if not link.startswith((SITE, "https://img.shields.io/"))}
    assert {link for link in others if not link.startswith("https://")} == {
        "benchmarks/results/tabular/overview.png"
    }
    assert all((ROOT / link).is_file() for link in others if not link.startswith("https://"))
    assert {link for link in others if link.startswith("https://")} == {
        "https://arxiv.org/abs/1811.04187",
        "https://opensource.org/license/bsd-3-clause",
        "https://www.python.org/downloads/",
    }


def test_badges_are_true():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r"Python :: (3\.\d+)", project)
    assert f"badge/python-{versions[0]}%20to%20{versions[-1]}-" in README
    assert f'requires-python = ">={versions[0]}"' in project
    assert 'license = "BSD-3-Clause"' in project and "badge/license-BSD--3--Clause-" in README
    assert "arXiv:1811.04187" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def loans(n):
    """A frame with the columns and types of credit_data: categories, numbers, missing values."""
    pd = pytest.importorskip("pandas", reason="needs pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "Status": rng.choice(["bad", "good"], n),
            "Seniority": rng.integers(0, 40, n),
            "Home": rng.choice(["owner", "parents", "rent"], n),
            "Marital": rng.choice(["married", "single"], n),
            "Records": rng.choice(["no", "yes"], n),
            "Job": rng.choice(["fixed", "freelance", "partime"], n),
            "Income": rng.normal(150.0, 40.0, n),
        }
    )
    frame.loc[::7, "Income"] = np.nan
    frame.loc[::11, "Job"] = None
    return frame


def run_start(monkeypatch, frame):
    """Run the code of "Start" on a frame; return the numbers that it prints."""
    pd = pytest.importorskip("pandas", reason="needs pandas")
    (block,) = README.split(".. code-block:: python\n")[1:]
    code = textwrap.dedent(re.match(r"(?:\n|    .*\n)+", block)[0])

    def read_csv(url, *, index_col):
        assert url.startswith("https://") and url.endswith("/modeldata/credit_data.csv")
        # There the first column numbers the rows, as it does after reading it so.
        text = frame.to_csv(index_label="rownames")
        return read(io.StringIO(text), index_col=index_col)

    read = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", read_csv)
    out = []
    exec(code, {"print": out.append})
    expected = [float(number) for number in re.findall(r"print\(.*# ([\d.]+)$", code, re.M)]
    assert len(code.split()) < 90 and len(out) == len(expected) == 2
    return out, expected


def test_start_runs(monkeypatch):
    scores, _ = run_start(monkeypatch, loans(90))
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_start_gives_these_numbers(monkeypatch, data_dir):
    """With the real data: its values are those of the address."""
    pd = pytest.importorskip("pandas", reason="needs pandas")
    sklearn = pytest.importorskip("sklearn")
    path = data_dir / "raw" / "credit_data.csv"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    frame = pd.read_csv(path)
    scores, expected = run_start(monkeypatch, frame)
    np.testing.assert_allclose(scores, expected, atol=0.0025)
    assert scores[1] - scores[0] > 0.01
    # Other shuffles of the folds.
    from sklearn.ensemble import HistGradientBoostingClassifier

    from skmdlam import MDLAMClassifier

    X, y = frame.drop(columns="Status"), frame["Status"]
    text = ["Home", "Marital", "Records", "Job"]
    boosting = HistGradientBoostingClassifier(categorical_features=text, random_state=0)
    low, high = re.search(r"folds give differences of ([\d.]+) to ([\d.]+\d)\b", WORDS).groups()
    for seed in range(3):
        cv = sklearn.model_selection.StratifiedKFold(5, shuffle=True, random_state=seed)
        ours, theirs = (
            sklearn.model_selection.cross_val_score(model, X, y, cv=cv).mean()
            for model in (MDLAMClassifier(random_state=0), boosting)
        )
        assert float(low) - 0.003 < ours - theirs < float(high) + 0.003
