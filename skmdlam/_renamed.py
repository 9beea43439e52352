"""What users wrote for earlier versions and is called otherwise now: it works, with a warning."""

import functools
import warnings
from numbers import Integral

import numpy as np


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


def sizes_may_come_first(init):
    """Let ``Regressor((20,), "tanh")`` mean hidden layers and activation, with a warning.

    That was the order of positional parameters before ``loss`` came first, as in MLPRegressor. A
    loss is never a number or a sequence, so that nothing else can be meant.

    Parameters
    ----------
    init : callable
        A constructor whose positional parameters are ``loss``, ``hidden_layer_sizes``,
        ``activation``.

    Returns
    -------
    init : callable
        With the same signature.

    Warns
    -----
    FutureWarning
        With the call to write instead.
    """

    @functools.wraps(init)
    def constructor(self, *args, **kwargs):
        if args and isinstance(args[0], (Integral, tuple, list, np.ndarray)) and len(args) <= 2:
            meant = dict(zip(("hidden_layer_sizes", "activation"), args, strict=False))
            written = ", ".join(f"{name}={value!r}" for name, value in meant.items())
            message = (
                f"{type(self).__name__}: the first positional parameter is loss now, as in "
                f"MLPRegressor. Write {written}."
            )
            warnings.warn(message, FutureWarning, stacklevel=2)
            args, kwargs = (), meant | kwargs
        init(self, *args, **kwargs)

    return constructor
