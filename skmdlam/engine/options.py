"""Options of the solvers: each is of its kind and in its range, or the error says what is allowed.

scikit-learn checks the parameters of the estimators; the options of a solver object are checked
here, when the object is made.
"""

from dataclasses import fields
from numbers import Integral, Real

import numpy as np

from .._parameters import Parameters
from .._suggestions import did_you_mean
from .constants import CONSTANTS


def check_number(option, value, allowed, *, optional=False):
    """Refuse what is not a finite number in a range.

    Parameters
    ----------
    option : str
        Name of the option.
    value : object
        What it was given.
    allowed : str
        The range, with a bracket for an end that belongs to it: ``"[0, 1)"``, ``"(0, inf)"``.
    optional : bool, default=False
        Whether None is allowed too.

    Raises
    ------
    ValueError
        Naming the option, the value and what is allowed.
    """
    if optional and value is None:
        return
    low, high = map(float, allowed[1:-1].split(","))
    if isinstance(value, Real) and not _is_flag(value):
        above = value >= low if allowed[0] == "[" else value > low
        below = value <= high if allowed[-1] == "]" else value < high
        if above and below:
            return
    _refuse(option, value, f"a number in {allowed}{' or None' if optional else ''}")


def check_integer(option, value, *, at_least, optional=False):
    """Refuse what is not an integer, or is a smaller one; the rest as :func:`check_number`."""
    if optional and value is None:
        return
    if not isinstance(value, Integral) or _is_flag(value) or value < at_least:
        _refuse(option, value, f"an integer, at least {at_least}{', or None' if optional else ''}")


def check_flag(option, value):
    """Refuse what is neither True nor False; the rest as :func:`check_number`."""
    if not _is_flag(value):
        _refuse(option, value, "True or False")


def check_choice(option, value, choices):
    """Refuse what is not among the choices, names or None; the rest as :func:`check_number`."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        names = [choice for choice in choices if choice is not None]
        hint = did_you_mean(value, names, option)
        _refuse(option, value, f"one of {', '.join(map(repr, choices))}", hint)


def check_kind(option, value, kind):
    """Refuse what is no instance of a class; the rest as :func:`check_number`."""
    if not isinstance(value, kind):
        _refuse(option, value, f"an instance of {kind.__module__}.{kind.__name__}")


def _is_flag(value):
    return isinstance(value, bool | np.bool_)


def _refuse(option, value, allowed, hint=""):
    raise ValueError(f"{option} must be {allowed}; got {value!r}.{hint}")


def first_given(*values):
    """The first of the values that is not None."""
    return next((value for value in values if value is not None), None)


class StoredOptions(Parameters):
    """Options by name; stored are they, and the tuned numbers only where they are other ones."""

    def __repr__(self):
        """Only what differs from the defaults, as scikit-learn writes estimators."""
        own = [(each.name, getattr(self, each.name), each.default) for each in fields(self)]
        changed = ", ".join(f"{name}={value!r}" for name, value, usual in own if value != usual)
        return f"{type(self).__name__}({changed})"

    def __getstate__(self):
        state = dict(vars(self))
        if state.get("constants") == CONSTANTS:
            del state["constants"]
        return state

    def __setstate__(self, state):
        vars(self).update({"constants": CONSTANTS} | state)
