"""Docstrings of everything public follow numpydoc; those of the two estimators agree."""

import doctest
import inspect
import pkgutil
import re
from itertools import pairwise
from pathlib import Path

import pytest

import skmdlam
from skmdlam import activations, losses, penalties, testing
from skmdlam import dask as dask_estimators

validation = pytest.importorskip("numpydoc.validate")
docscrape = pytest.importorskip("numpydoc.docscrape")

# What a name, a summary in a line or a title can say needs no second paragraph or cross-reference;
# named return values say more than types; the rest is how the house writes.
NOT_ASKED = {
    "ES01",  # an extended summary
    "GL01",  # the summary on the line after the quotes
    "RT02",  # return values without names
    "SA01",  # See Also
    "SS05",  # an infinitive: the check takes every s at the end for a third person
}
# Only of what users build: their examples run as doctests.
OF_ESTIMATORS = {"EX01"}
# Of a method that a base class documents in full.
INHERITED = {"PR01", "PR02", "RT01", "RT03", "YD01"}


def public_objects():
    """Names of the public classes, their methods, and functions, with what they may leave out."""
    classes = [getattr(skmdlam, name) for name in skmdlam.__all__ if name != "__version__"]
    classes = [thing for thing in classes if callable(thing)]
    for module in (activations, losses, penalties, testing):
        classes += [getattr(module, name) for name in module.__all__ if name != name.upper()]
    own = [getattr(dask_estimators, name) for name in dask_estimators.__all__]
    found = {}
    for thing in classes + own:
        home = "skmdlam" if thing.__name__ in skmdlam.__all__ else thing.__module__
        home = "skmdlam.dask" if thing in own else home
        name = f"{home}.{thing.__name__}"
        found[name] = NOT_ASKED if home == "skmdlam" else NOT_ASKED | OF_ESTIMATORS
        if not inspect.isclass(thing):
            continue
        for attribute, method in vars(thing).items():
            function = getattr(method, "__func__", method)
            if attribute.startswith("_") or not inspect.isfunction(function):
                continue
            base = any(hasattr(parent, attribute) for parent in thing.__mro__[1:])
            if function.__doc__ is None and base:
                continue  # the base class documents it
            found[f"{name}.{attribute}"] = (
                NOT_ASKED | OF_ESTIMATORS | (INHERITED if base else set())
            )
    for base in (skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor, *own):
        home = "skmdlam.dask" if base in own else "skmdlam"
        for attribute, method in inspect.getmembers(base, inspect.isfunction):
            if not attribute.startswith("_") and method.__module__.startswith("skmdlam."):
                found[f"{home}.{base.__name__}.{attribute}"] = NOT_ASKED | OF_ESTIMATORS
    return found


OBJECTS = public_objects()


def test_all_are_found():
    names = {"skmdlam.MDLAMClassifier.fit", "skmdlam.losses.Loss.prox", "skmdlam.Relaxed.start"}
    assert names <= set(OBJECTS)
    assert len(OBJECTS) > 60


@pytest.mark.parametrize("name", OBJECTS)
def test_follows_numpydoc(name):
    errors = validation.validate(name)["errors"]
    assert [error for error in errors if error[0] not in OBJECTS[name]] == []


# What the two estimators do not say in the same words, and why. Everything else is the same text,
# but for "regressor" in place of "classifier".
DIFFERENT = {
    ("class", "Parameters", "loss"): "a classifier has the loss that its target asks for",
    ("class", "Parameters", "quantile"): "goes with loss",
    ("class", "Parameters", "class_weight"): "numbers have no classes",
    ("class", "Parameters", "calibrate"): "a temperature, or a standard deviation",
    ("class", "Attributes", "classes_"): "numbers have no classes",
    ("class", "Attributes", "out_activation_"): "other losses, other links",
    ("class", "Attributes", "temperature_"): "numbers have standard deviations",
    ("partial_fit", "Parameters", "y"): "labels, or numbers",
    ("partial_fit", "Parameters", "classes"): "numbers have no classes",
    ("partial_fit", "Raises", "ValueError"): "numbers have no class_weight",
    ("partial_fit", "Notes", "The target is"): "class labels have no units",
    ("predict", "Summary", "Predict class labels."): "what is predicted",
    ("predict", "Summary", "Predict target values."): "what is predicted",
    ("predict", "Parameters", "return_std"): "of numbers",
    ("predict", "Returns", "y"): "what is predicted",
    ("predict", "Returns", "std"): "of numbers",
    ("predict", "Raises", "ValueError"): "of numbers",
}
# Sections that are written for the one or the other.
OF_EACH = {"Examples", "See Also", "Signature", "index"}


def of_classifier(text):
    """The text with the names of the classifier in place of those of the regressor."""
    return text.replace("Regressor", "Classifier").replace("regressor", "classifier")


def entries(thing):
    """Parameters, attributes and paragraphs of a docstring, by section and name or first words."""
    found = {}
    for section, content in docscrape.NumpyDocString(inspect.getdoc(thing)).items():
        if not content or section in OF_EACH:
            continue
        if hasattr(content[0], "desc"):
            texts = {entry.name or entry.type: [entry.type, *entry.desc] for entry in content}
        else:
            paragraphs = [text.split() for text in "\n".join(content).split("\n\n")]
            texts = {" ".join(words[:3]): words for words in paragraphs}
            assert len(texts) == len(paragraphs)
        for name, text in texts.items():
            found[section, of_classifier(name)] = of_classifier(" ".join(" ".join(text).split()))
    return found


def methods_of_both():
    """Names of the public methods of this package that both estimators have."""
    ours = [
        {
            name
            for name, method in inspect.getmembers(estimator, inspect.isfunction)
            if not name.startswith("_") and method.__module__.startswith("skmdlam.")
        }
        for estimator in (skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor)
    ]
    return sorted(ours[0] & ours[1])


def test_the_two_estimators_say_the_same():
    different = set()
    for name in ["class", *methods_of_both()]:
        one, other = (
            entries(estimator if name == "class" else getattr(estimator, name))
            for estimator in (skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor)
        )
        keys = one.keys() | other.keys()
        different |= {(name, *key) for key in keys if one.get(key) != other.get(key)}
    assert different == set(DIFFERENT)


def test_methods_of_both_are_found():
    assert {"fit", "partial_fit", "predict", "transform"} <= set(methods_of_both())


LONGEST = 150  # lines of a class docstring


@pytest.mark.parametrize("estimator", [skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor])
def test_opens_with_what_it_is_and_its_parameters(estimator):
    """What ``help`` and the reference show first; theory is in the user guide, behind links."""
    docstring = inspect.getdoc(estimator)
    assert len(estimator.__doc__.splitlines()) <= LONGEST
    opening, rest = docstring.split("\nParameters\n", 1)
    assert 1 <= opening.count(".") <= 3 and "::" not in opening and ":math:" not in opening
    section = docscrape.NumpyDocString(docstring)
    assert section["Parameters"] and section["Attributes"]
    assert all(1 <= len(entry.desc) <= 4 for entry in section["Parameters"])
    assert all(1 <= len(entry.desc) <= 2 for entry in section["Attributes"])
    assert ":ref:" in "\n".join(section["Notes"])
    # The examples show values: not one that could be True whatever happened.
    expected = [example.want for example in doctest.DocTestParser().get_examples(rest)]
    assert sum(want != "" for want in expected) >= 2
    assert not {"True\n", "False\n"} & set(expected)


OF_GUIDE = {"problem", "solvers", "parameters", "attributes"}


def test_links_of_the_notes_lead_to_the_guide():
    guide = Path(__file__).resolve().parents[1] / "doc" / "user_guide"
    for estimator in (skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor):
        named = set(re.findall(r":ref:`(\w+)`", estimator.__doc__))
        assert named == OF_GUIDE
    for name in OF_GUIDE:
        assert f".. _{name}:\n" in (guide / f"{name}.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("estimator", [skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor])
@pytest.mark.parametrize(
    ("page", "section"), [("parameters", "Parameters"), ("attributes", "Attributes")]
)
def test_the_guide_has_details_of_each(estimator, page, section):
    """In sections that are named by them, of parameters in the order of the signature."""
    path = Path(__file__).resolve().parents[1] / "doc" / "user_guide" / f"{page}.rst"
    lines = path.read_text(encoding="utf-8").splitlines()
    titles = [title for title, rule in pairwise(lines) if set(rule) == {"~"}]
    detailed = [name for title in titles for name in re.findall(r"\w+", title)]
    entries = docscrape.NumpyDocString(inspect.getdoc(estimator))[section]
    documented = [name for entry in entries for name in entry.name.split(", ")]
    assert set(documented) <= set(detailed)
    if section == "Parameters":
        assert [name for name in detailed if name in documented] == documented


FORMULA = re.compile(r"\*\*2|\|\||argmin|sum_|<=")


def test_summaries_typeset_their_formulas():
    """What stands in the tables of the reference is words, or :math:."""
    summaries = {
        name: (inspect.getdoc(pkgutil.resolve_name(name)) or "").partition("\n\n")[0]
        for name in OBJECTS
    }
    assert sum(":math:" in text for text in summaries.values()) > 10
    plain = {name: re.sub(r":math:`[^`]*`", "", text) for name, text in summaries.items()}
    assert [name for name, text in plain.items() if FORMULA.search(text)] == []
