"""Attributes of classes of users that have another name now."""

import warnings


def renamed(cls, names):
    """Let a class that defines an attribute by its old name have it by the new one, with a warning.

    Parameters
    ----------
    cls : type
        A subclass in the making.
    names : dict
        New names by the old ones.

    Warns
    -----
    FutureWarning
        Naming both.
    """
    for old, new in names.items():
        if old in vars(cls):
            message = f"{cls.__name__}.{old} is called {new} now."
            warnings.warn(message, FutureWarning, stacklevel=3)
            setattr(cls, new, vars(cls)[old])
