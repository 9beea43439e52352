"""The house: one version, one direction of imports, and files that must agree with each other."""

import ast
import graphlib
import importlib.metadata
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

import skmdlam

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skmdlam"
MODULES = sorted(PACKAGE.rglob("*.py"))
ENGINE = sorted((PACKAGE / "engine").rglob("*.py"))
OBJECTS = [PACKAGE / name for name in ("activations.py", "losses.py", "penalties.py")]
MATHEMATICS = OBJECTS + ENGINE
ESTIMATOR_SIDE = {path.stem for path in PACKAGE.glob("_*.py")} | {"display"}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path, tree=None):
    """Absolute dotted names of everything that the module at `path` imports, at any depth of code.

    ``from a import b`` counts as ``a.b``, whether ``b`` is a module or not.
    """
    names = set()
    for node in ast.walk(tree or parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = [node.module] if node.module else []
            if node.level:
                parts = [*path.relative_to(ROOT).parts[: -node.level], *parts]
            names |= {".".join([*parts, alias.name]) for alias in node.names}
    return names


@pytest.fixture(scope="module")
def installed():
    """Return the installed distribution, never the metadata that a build leaves in the checkout."""
    for distribution in importlib.metadata.distributions(name="skmdlam"):
        if distribution.read_text("RECORD"):
            return distribution
    pytest.skip("skmdlam is not installed in this environment")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


class TestVersion:
    def test_written_once(self, project):
        assert "version" in project["dynamic"]
        literal = re.compile(r"^__version__ *=", re.MULTILINE)
        where = [name_of(m) for m in MODULES if literal.search(m.read_text(encoding="utf-8"))]
        assert where == ["skmdlam/_version.py"]

    def test_installed_is_imported(self, installed):
        assert installed.version == skmdlam.__version__, "install the package again"


class TestImports:
    def test_names_are_resolved(self):
        """What the tests below rely on."""
        code = """
            import numpy as np, sklearn.base
            from . import blocks
            def late():
                from ..losses import Huber
                from sklearn.utils import _tags
        """
        names = imported(PACKAGE / "engine" / "relaxed.py", ast.parse(textwrap.dedent(code)))
        assert names == {
            "numpy",
            "sklearn.base",
            "skmdlam.engine.blocks",
            "skmdlam.losses.Huber",
            "sklearn.utils._tags",
        }

    @pytest.mark.parametrize("path", MATHEMATICS, ids=name_of)
    def test_mathematics_knows_neither_sklearn_nor_estimators(self, path):
        tops = {name.split(".")[0] for name in imported(path)}
        assert tops.isdisjoint({"sklearn", "warnings", "logging"})
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("skmdlam.")}
        assert ours.isdisjoint(ESTIMATOR_SIDE)

    @pytest.mark.parametrize("path", OBJECTS, ids=name_of)
    def test_objects_do_not_know_the_engine(self, path):
        assert not any(name.startswith("skmdlam.engine") for name in imported(path))

    @pytest.mark.parametrize("path", MATHEMATICS, ids=name_of)
    def test_mathematics_does_not_print(self, path):
        called = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
        assert "print" not in {getattr(function, "id", None) for function in called}

    def test_estimator_side_has_no_circle(self):
        modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
        graph = {
            stem: {name.split(".")[1] for name in imported(path) if name.startswith("skmdlam.")}
            for stem, path in modules.items()
        }
        order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
        assert order.index("_targets") < order.index("_classifier")

    @pytest.mark.parametrize("path", MODULES, ids=name_of)
    def test_private_sklearn_only_in_compat(self, path):
        private = {
            name
            for name in imported(path)
            if name.startswith("sklearn.")
            and any(part.startswith("_") for part in name.split(".")[1:])
        }
        assert path.name == "_compat.py" or not private


class TestFilesAgree:
    def test_readme_commands(self):
        readme = (ROOT / "README.rst").read_text(encoding="utf-8")
        commands = [line.strip() for line in readme.splitlines()]
        quickstart = 'python -m pip install ".[examples]" && python examples/plot_quickstart.py'
        assert commands.count(quickstart) == 1
        assert commands.count('python -m pip install ".[test]" && python -m pytest') == 1

    def test_oldest_versions_are_the_lower_bounds(self, project):
        extras = project["optional-dependencies"]
        declared = {
            requirement.replace(">=", "==")
            for requirement in project["dependencies"] + extras["examples"]
        }
        lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
        pinned = {line for line in lines if line and not line.startswith("#")}
        assert pinned >= declared

    def test_one_version_of_ruff(self, project):
        (pin,) = project["optional-dependencies"]["lint"]
        hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
        assert f"rev: v{pin.removeprefix('ruff==')} " in hooks

    def test_every_module_is_installed(self, installed):
        if "__editable__" in installed.read_text("RECORD"):
            pytest.skip("installed in place")
        files = {file.as_posix() for file in installed.files}
        assert {name_of(module) for module in MODULES} <= files, "install the package again"

    def test_every_python_is_tested(self, project):
        """The versions that the classifiers promise are those of the workflow, and no others."""
        names = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c]
        workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
        matrix = workflow.partition("matrix:")[2].partition("steps:")[0]
        assert sorted(set(re.findall(r'"(3\.\d+)"', matrix))) == names

    def test_constraints_of_the_workflow_exist(self):
        workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
        files = re.findall(r"-c (\.ci/\S+)", workflow)
        assert len(files) == 2 and all((ROOT / file).is_file() for file in files)
        old, middle = (
            dict(re.findall(r"^([\w-]+)==(.+)$", (ROOT / file).read_text(), re.MULTILINE))
            for file in files
        )

        def key(version):
            return [int(part) for part in version.split(".")]

        assert all(key(middle[name]) > key(old[name]) for name in middle)
