"""The house: one version, one direction of imports, and files that must agree with each other."""

import ast
import functools
import graphlib
import importlib.metadata
import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

import skmdlam
from skmdlam import losses

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skmdlam"
MODULES = sorted(PACKAGE.rglob("*.py"))
ENGINE = sorted((PACKAGE / "engine").rglob("*.py"))
OBJECTS = [PACKAGE / name for name in ("activations.py", "losses.py", "penalties.py")]
MATHEMATICS = OBJECTS + ENGINE + [PACKAGE / "_parameters.py", PACKAGE / "_suggestions.py"]
# Helpers of classes that users derive from; they know nothing of estimators.
OF_OBJECTS = {"_parameters", "_renamed", "_suggestions"}
ESTIMATOR_SIDE = {path.stem for path in PACKAGE.glob("_*.py")} - OF_OBJECTS | {"display"}
# What keeps the names by which stored models of old know their objects.
STORED_NAMES = {"stream.py", "units.py", "metric.py", "calibration.py"}
FLOORS, MOST_LINES = 6, 450
# Extras for users, of which the oldest versions are tested.
OPTIONAL = ("dask", "examples", "onnx", "skops")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@functools.cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _forget_the_trees():
    """Many small objects: the garbage collector would go through them in all later tests."""
    yield
    parse.cache_clear()


def those_that(break_it, paths):
    """Names of the modules that break a rule, each with what it breaks it with."""
    assert len(paths) > 2
    return {name_of(path): found for path in paths if (found := break_it(path))}


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


def imports_among(paths):
    """By module which others it imports, function-level imports too; packages are no modules."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in paths
        if path.name != "__init__.py"
    }

    def module_of(name):
        while name not in modules and "." in name:
            name = name.rpartition(".")[0]
        return name

    return {
        module: {module_of(name) for name in imported(path)} & set(modules) - {module}
        for module, path in modules.items()
    }


def height(graph, module):
    """Longest chain of imports from a module down, itself counted."""
    return 1 + max((height(graph, other) for other in graph[module]), default=0)


@functools.cache
def levels_of_the_engine():
    """By module of the engine its height; raises CycleError where imports go round."""
    graph = imports_among(ENGINE)
    list(graphlib.TopologicalSorter(graph).static_order())
    return {module: height(graph, module) for module in graph}


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

    def test_mathematics_knows_neither_sklearn_nor_estimators(self):
        def above(path):
            names = imported(path)
            tops = {name.split(".")[0] for name in names}
            ours = {name.split(".")[1] for name in names if name.startswith("skmdlam.")}
            return tops & {"sklearn", "warnings", "logging"} | ours & ESTIMATOR_SIDE

        assert those_that(above, MATHEMATICS) == {}
        assert set(those_that(above, MODULES)) >= {"skmdlam/_base.py", "skmdlam/display.py"}

    def test_objects_do_not_know_the_engine(self):
        def of_the_engine(path):
            return {name for name in imported(path) if name.startswith("skmdlam.engine")}

        assert those_that(of_the_engine, OBJECTS) == {}
        assert "skmdlam/_base.py" in those_that(of_the_engine, MODULES)

    def test_mathematics_does_not_print(self):
        def prints(path):
            called = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
            return "print" in {getattr(function, "id", None) for function in called}

        assert those_that(prints, MATHEMATICS) == {}
        assert "skmdlam/_progress.py" in those_that(prints, MODULES)

    def test_no_circle(self):
        graph = imports_among(MODULES)
        assert len(graph) > 60 and "skmdlam.engine.feasible" in graph["skmdlam._hints"]
        order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
        assert order.index("skmdlam._targets") < order.index("skmdlam._classifier")

    def test_floors_of_the_engine(self):
        """Few enough to be told: whoever is on a floor knows those below it, and no others."""
        floors = levels_of_the_engine()
        assert floors["skmdlam.engine.constants"] == 1 < floors["skmdlam.engine.moments"]
        assert {module for module, floor in floors.items() if floor > FLOORS} == set()

    def test_private_sklearn_only_in_compat(self):
        def private(path):
            return {
                name
                for name in imported(path)
                if name.startswith("sklearn.")
                and any(part.startswith("_") for part in name.split(".")[1:])
            }

        assert set(those_that(private, MODULES)) == {"skmdlam/_compat.py"}


def named(node):
    """The last part of a name: ``run`` of ``self.run`` and of ``run``."""
    return getattr(node, "attr", getattr(node, "id", ""))


def calls(path, *functions):
    return [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and named(node.func) in functions
    ]


class TestKinds:
    """What depends on a kind of thing is a method of it, not a question about it elsewhere."""

    LOSSES = {
        name
        for name, value in vars(losses).items()
        if isinstance(value, type) and issubclass(value, losses.Loss) and value is not losses.Loss
    }

    def asks(self, path):
        """Names in the second argument of isinstance and in comparisons with a type."""
        found = {
            named(part)
            for call in calls(path, "isinstance", "issubclass")
            for part in ast.walk(call.args[1])
        }
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Compare):
                found |= {named(part) for part in node.comparators}
            elif isinstance(node, ast.MatchClass):
                found.add(named(node.cls))
        return found

    def test_they_are_found(self):
        assert {"Huber", "_LossInUnits", "Poisson"} <= self.LOSSES
        assert "Loss" in self.asks(PACKAGE / "losses.py")

    def test_nobody_asks_which_loss_it_is(self):
        others = [m for m in MODULES if m.name not in ("losses.py", "testing.py")]
        assert those_that(lambda path: self.asks(path) & self.LOSSES, others) == {}

    def test_nobody_asks_what_a_run_has(self):
        """Every run has all that the class says, see skmdlam/engine/loop/run.py."""

        def of_a_run(path):
            asked = {named(call.args[0]) for call in calls(path, "getattr", "hasattr")}
            return {name for name in asked if name == "run" or name.endswith("_run")}

        assert those_that(of_a_run, MODULES) == {}


class TestModules:
    """Each is small, says in a line what it is for, and has tests of its own."""

    def test_size(self):
        def lines(path):
            return len(path.read_text(encoding="utf-8").splitlines())

        assert {name_of(path): lines(path) for path in ENGINE if lines(path) > MOST_LINES} == {}

    def test_docstring(self):
        def no_line(path):
            first, _, rest = (ast.get_docstring(parse(path)) or "").partition("\n")
            return not first.endswith((".", "?")) or (rest and not rest.startswith("\n"))

        assert those_that(no_line, ENGINE) == {}

    def test_test_files_mirror_the_engine(self):
        missing = []
        for path in ENGINE:
            inside = path.relative_to(PACKAGE)
            if path.name != "__init__.py" and inside.name not in STORED_NAMES:
                mirrored = ROOT / "tests" / inside.with_name(f"test_{inside.name}")
                if not mirrored.is_file():
                    missing.append(name_of(mirrored))
        assert missing == []

    def test_tests_have_a_module(self):
        """A file of tests whose module is gone says nothing of what is there."""
        stems = {path.relative_to(PACKAGE).as_posix() for path in ENGINE}
        tests = (ROOT / "tests" / "engine").rglob("test_*.py")
        names = [path.relative_to(ROOT / "tests") for path in tests]
        named = {path.with_name(path.name.removeprefix("test_")).as_posix() for path in names}
        assert named - stems == set()

    def test_stored_names_are_thin(self):
        texts = [(PACKAGE / "engine" / name).read_text(encoding="utf-8") for name in STORED_NAMES]
        assert all(len(text.splitlines()) < 20 for text in texts)


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
            re.sub(r"(\[[\w,]+\])?>=", "==", requirement)
            for part in (project["dependencies"], *map(extras.get, OPTIONAL))
            for requirement in part
        }
        lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
        pinned = {line for line in lines if line and not line.startswith("#")}
        assert pinned >= declared

    def test_every_module_is_in_the_tables(self):
        text = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
        tables = text.partition(".. _house:")[2].partition("Beside the package\n")[0]
        listed = re.findall(r"^``([\w/]+\.py)`` ", tables, re.MULTILINE)
        assert len(listed) == len(set(listed))
        names = {m.relative_to(PACKAGE).as_posix() for m in MODULES}
        packages = {name for name in names if re.match(r"engine/.*__init__", name)}
        assert set(listed) == names - packages

    def test_levels_are_those_of_the_imports(self):
        """A module of the engine stands in the table of its level."""
        text = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
        tables = re.split(r"^\*Level (\d):[^*]*\*$", text.partition("*For old")[0], flags=re.M)[1:]
        told = {
            name: int(level)
            for level, table in zip(tables[::2], tables[1::2], strict=True)
            for name in re.findall(r"^``([\w/]+)\.py`` ", table, re.MULTILINE)
        }
        heights = {
            module.removeprefix("skmdlam.").replace(".", "/"): height - 1
            for module, height in levels_of_the_engine().items()
            if module.rpartition(".")[2] + ".py" not in STORED_NAMES
        }
        assert told == heights

    def test_citation_has_the_version(self):
        text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        (version,) = re.findall(r"^version: (\S+)$", text, re.MULTILINE)
        (date,) = re.findall(r"^date-released: (\S+)$", text, re.MULTILINE)
        assert f"{version} ({date})" in (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
        if "dev" not in skmdlam.__version__:
            assert version == skmdlam.__version__

    def test_versions_of_the_documentation(self):
        versions = json.loads((ROOT / "doc" / "_static" / "switcher.json").read_text("utf-8"))
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        (stable,) = [entry["version"] for entry in versions if entry.get("preferred")]
        assert f"\nversion: {stable}\n" in citation

    def test_conda_recipe_is_pyproject(self, project):
        recipe = (ROOT / "conda.recipe" / "recipe.yaml").read_text(encoding="utf-8")
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        assert re.search(r'^  version: "(.+)"$', recipe, re.M)[1] in citation
        assert f'python_min: "{project["requires-python"].removeprefix(">=")}"' in recipe
        run = recipe.partition("  run:\n")[2].partition("\n\n")[0]
        needed = [line.strip(" -").replace(" ", "") for line in run.splitlines()[1:]]
        assert needed == project["dependencies"]

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
