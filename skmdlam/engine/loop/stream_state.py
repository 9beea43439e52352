"""What a stream knows between two chunks, as objects and as arrays."""

import hashlib
from dataclasses import dataclass, field
from numbers import Number
from types import BuiltinFunctionType, FunctionType

import numpy as np

from ..inputs.stored import basis_as_arrays, basis_from_arrays
from ..regularization import Regularization
from ..summary import DataSummary

# The form of what a stream stores.
VERSION = 1


@dataclass
class StreamState:
    """All that a stream knows between two chunks.

    A run changes none of it: it works on copies and makes a new one. On an estimator it is kept
    as the arrays, numbers and names of :meth:`as_arrays`.

    Attributes
    ----------
    summary : DataSummary
    basis : Basis
        Coordinates that V, average and velocity of the first layer are in.
    target : dict
        ``moments`` of each target, which its unit and the loss were scaled by, and ``shift`` and
        ``scale``, which V, average and velocity of the last layer are in.
    loss : str
        What identifies that loss.
    layers : list of dict
        ``V``, ``average`` and ``velocity``: running weights, the average that is the model, and
        the last step; ``accumulated``, ``usual`` and ``count``: where the bookkeeping of the steps
        was; ``preconditioner``: arrays, None for the first layer.
    dormant : ndarray or None
        Starting weights of the standardized columns, as long as there are constant ones.
    rng : dict
        State of the generator.
    estimated : Regularization or None
        What was estimated of the penalties; None as long as no chunk could tell them.
    weight_at : float
        Total weight when the coordinates were made.
    steps, since_refresh : int
    averaged, fitted : float
        Effective sample sizes: that of the average, and how much of it belongs to a fit.
    damping_multiplier : float
        Damping multiplier: what rho is multiplied by.
    loss_difference, loss_difference_square : float
        By how much the running weights were better than the average, on samples before they were
        learned: the sum of the paired loss differences and that of their squares, since the sum
        was last negative.
    losses, followed
        Means of both losses over the latest samples, that of the running weights less what they
        save in penalties, and how many samples there were.
    """

    summary: DataSummary
    basis: object
    target: dict
    loss: str
    layers: list
    dormant: np.ndarray | None
    rng: dict
    estimated: Regularization | None
    weight_at: float
    steps: int = 0
    since_refresh: int = 0
    averaged: float = 0.0
    fitted: float = 0.0
    damping_multiplier: float = 1.0
    loss_difference: float = 0.0
    loss_difference_square: float = 0.0
    losses: np.ndarray = field(default_factory=lambda: np.zeros(2))
    followed: float = 0.0

    def as_arrays(self):
        """The state in arrays, numbers and names."""
        return vars(self) | {
            "version": VERSION,
            "summary": self.summary.as_arrays(),
            "basis": basis_as_arrays(self.basis),
            "estimated": None if self.estimated is None else tuple(self.estimated),
        }

    @classmethod
    def from_arrays(cls, arrays):
        """The inverse of :meth:`as_arrays`."""
        arrays = dict(arrays)
        arrays.pop("version")
        estimated = arrays.pop("estimated")
        return cls(
            summary=DataSummary.from_arrays(arrays.pop("summary")),
            basis=basis_from_arrays(arrays.pop("basis")),
            estimated=None if estimated is None else Regularization(*estimated),
            **arrays,
        )


def known_of(arrays):
    """A :class:`StreamState` or a :class:`DataSummary` from what an estimator keeps of it."""
    if arrays is None:
        return None
    return (StreamState if "version" in arrays else DataSummary).from_arrays(arrays)


def loss_key(loss):
    """What identifies a loss and its parameters, in this process and after it was stored."""
    return _content(loss)


def _content(value):
    """A text that is equal for equal values, whatever their address."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{value.dtype}{value.shape}{digest}"
    if value is None or isinstance(value, bool | Number | str | bytes | np.generic):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_content, value))})"
    if isinstance(value, dict):
        return _content(sorted((repr(key), _content(item)) for key, item in value.items()))
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        return getattr(value, "__qualname__", value.__name__)
    kind = type(value)
    names = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
    own = {name: getattr(value, name) for name in names if hasattr(value, name)}
    own |= getattr(value, "__dict__", {})
    return f"{kind.__module__}.{kind.__qualname__}{_content(own)}"
