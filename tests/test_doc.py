"""The pages of the documentation: their examples run, and their references lead to files."""

import ast
import doctest
import re
from pathlib import Path

import pytest

import skmdlam
from skmdlam import activations, losses, penalties, testing

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


# Of those that take more than a second only the first one that a reader sees is run every time.
LONG = {
    "howto_activation.rst",
    "howto_loss.rst",
    "howto_solver.rst",
    "user_guide/data_frames.rst",
    "user_guide/large_data.rst",
    "user_guide/regularisation.rst",
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


def test_everything_public_is_in_the_reference():
    listed = set(re.findall(r"^   (\w+)$", (DOC / "api.rst").read_text(encoding="utf-8"), re.M))
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
    assert len(rows) >= 30 and len(missing) == 4
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
