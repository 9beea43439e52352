"""Stored estimators: which releases' pickles this one reads."""

import inspect
import re

from ._version import __version__

# The first release whose fitted attributes mean what they mean now. Raise it with a change of
# their meaning, and say so in the changelog.
OLDEST_READABLE = "0.1"


def readable_state(state, estimator_class):
    """Return what an estimator stored as the attributes that it has now.

    Parameters
    ----------
    state : dict
        Attributes, and the version that stored them as ``_skmdlam_version``.
    estimator_class : type
        Class of the estimator; a parameter that it got since has its default.

    Returns
    -------
    attributes : dict
        Attributes of the estimator.

    Raises
    ------
    ValueError
        When the version is not one that this one reads.
    """
    state = dict(state)
    check_stored_version(state.pop("_skmdlam_version", None), estimator_class.__name__)
    for name, parameter in inspect.signature(estimator_class).parameters.items():
        if parameter.default is not parameter.empty:
            state.setdefault(name, parameter.default)
    return state


def check_stored_version(stored, name):
    """Refuse what another release stored in a form that this one may misread.

    Parameters
    ----------
    stored : str or None
        Version of skmdlam that stored the estimator; None where it did not say.
    name : str
        Class of the estimator.

    Raises
    ------
    ValueError
        When the version is not one from the oldest readable one to this one. Releases with the
        same major and minor number read each other.
    """
    first, last = _minor(OLDEST_READABLE), _minor(__version__)
    found = None if stored is None else _minor(stored)
    if found is not None and first <= found <= last:
        return
    where = "by an unknown version of skmdlam" if found is None else f"by skmdlam {stored}"
    advice = (
        "Load it with the version that stored it, or fit it again."
        if found is None or found < first
        else f"Install skmdlam {found[0]}.{found[1]} or later, or fit it again."
    )
    readable = " to ".join(f"{major}.{minor}" for major, minor in sorted({first, last}))
    raise ValueError(
        f"This {name} was stored {where}; skmdlam {__version__} reads what {readable} stored. "
        f"{advice}"
    )


def _minor(version):
    """``(major, minor)`` of a version, None where it is none."""
    match = re.match(r"(\d+)\.(\d+)", str(version))
    return match and (int(match[1]), int(match[2]))
