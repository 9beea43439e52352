"""Docstrings of everything public follow numpydoc, as its own validation has it."""

import inspect

import pytest

import skmdlam
from skmdlam import activations, losses, penalties, testing

validation = pytest.importorskip("numpydoc.validate")

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
    for module in (activations, losses, penalties, testing):
        classes += [getattr(module, name) for name in module.__all__ if name != name.upper()]
    found = {}
    for thing in classes:
        home = "skmdlam" if thing.__name__ in skmdlam.__all__ else thing.__module__
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
    for base in (skmdlam.MDLAMClassifier, skmdlam.MDLAMRegressor):
        for attribute, method in inspect.getmembers(base, inspect.isfunction):
            if not attribute.startswith("_") and method.__module__.startswith("skmdlam."):
                found[f"skmdlam.{base.__name__}.{attribute}"] = NOT_ASKED | OF_ESTIMATORS
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
