"""Penalties on the weights: value and proximal map, a class a penalty.

A penalty is free of scale: the objective adds ``alpha * penalty.value(W)`` for every
weight matrix ``W`` and nothing for the biases. ``W`` has a row for each input of the layer
and a column for each output. A new penalty is a subclass of `Penalty` and an entry of
`PENALTIES`.
"""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from ._parameters import Parameters
from ._suggestions import did_you_mean

__all__ = [
    "L1",
    "L2",
    "PENALTIES",
    "Box",
    "ElasticNet",
    "GroupLasso",
    "NoPenalty",
    "NonNegative",
    "Penalty",
    "get_penalty",
]


# MLPClassifier's alpha, for objectives that have no other penalty.
USUAL_ALPHA = 1e-4


class Penalty(Parameters):
    """A closed convex function of a weight matrix, known by its value and its prox.

    A subclass has to define :meth:`value` and :meth:`prox`.

    Attributes
    ----------
    name : str or None
        The name that `get_penalty` knows it by.
    convex : bool
        False for a penalty that is not convex. Its prox must still be the best point there is.
    rotation_invariant : bool
        Whether ``value(Q @ W) == value(W)`` for every orthogonal ``Q``.
    ridge : float or None
        The ``r`` with ``value(W) == r / 2 * ||W||**2`` for every ``W``, None where there is none.
    by_rows : bool
        Whether the value is a sum over the rows of ``W``. Then ``prox`` takes a ``t`` for each row
        too, of shape ``(n_rows, 1)``, and the solvers make use of that where the inputs of a layer
        differ in scale.
    """

    name = None
    convex: bool = True
    rotation_invariant: bool = False
    ridge: float | None = None
    by_rows: bool = False

    def value(self, W):
        """Return the penalty of ``W``.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights of a layer.

        Returns
        -------
        value : float
            Infinite outside of the constraints.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define value(W), a float.")

    def row_values(self, W):
        """Return the penalty of each row, where it is a sum over them.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights.

        Returns
        -------
        values : ndarray of shape (n_in,)
            In double precision. The default asks for one row after the other.
        """
        return np.array([self.value(row[np.newaxis]) for row in W], dtype=float)

    def prox(self, W, t):
        """Return ``argmin_V t * value(V) + 1/2 ||V - W||**2`` for a scalar ``t >= 0``.

        With ``t = 0`` this is the projection on the set where the value is finite. A penalty that
        is a sum over rows also takes an array, ``t[j]`` being the scalar of row j.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights of a layer.
        t : float or ndarray of shape (n_in, 1)
            Weight of the penalty.

        Returns
        -------
        V : ndarray of shape (n_in, n_out)
            The minimizer, in the type of ``W``.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has to define prox(W, t), the V that minimizes "
            "t * value(V) + 1/2 ||V - W||^2."
        )


def _steps(t, W):
    """Return t as it multiplies the rows of ``W``: a float, or a column of the type of ``W``."""
    return float(t) if np.ndim(t) == 0 else np.asarray(t, dtype=W.dtype)


def _sum_of_squares(W):
    """Return ``||W||**2``, summed in double precision."""
    return float(np.einsum("ij,ij->", W, W, dtype=np.float64))


def _sum_of_sizes(W):
    """Return ``sum |W|``, summed in double precision."""
    return float(np.abs(W).sum(dtype=np.float64))


def _soft_threshold(W, t):
    """Move every entry by ``t`` towards zero, and those within ``t`` of zero onto it."""
    return W - np.clip(W, -t, t)


@dataclass(frozen=True)
class NoPenalty(Penalty):
    """``Omega(W) = 0``."""

    name = "none"
    rotation_invariant = True
    ridge = 0.0
    by_rows = True

    def value(self, W):
        return 0.0

    def prox(self, W, t):
        return W.copy()


@dataclass(frozen=True)
class L2(Penalty):
    """``Omega(W) = 1/2 ||W||**2``."""

    name = "l2"
    rotation_invariant = True
    ridge = 1.0
    by_rows = True

    def value(self, W):
        return 0.5 * _sum_of_squares(W)

    def prox(self, W, t):
        return W / (1.0 + _steps(t, W))


@dataclass(frozen=True)
class L1(Penalty):
    """``Omega(W) = sum |W|``."""

    name = "l1"
    by_rows = True

    def value(self, W):
        return _sum_of_sizes(W)

    def row_values(self, W):
        return np.abs(W).sum(axis=1, dtype=np.float64)

    def prox(self, W, t):
        return _soft_threshold(W, _steps(t, W))


@dataclass(frozen=True)
class ElasticNet(Penalty):
    """``Omega(W) = l1_ratio * sum |W| + (1 - l1_ratio) / 2 * ||W||**2``.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        The share of the first term, from 0 (`L2`) to 1 (`L1`).
    """

    name = "elasticnet"
    by_rows = True
    l1_ratio: float = 0.5

    def __post_init__(self):
        if not (isinstance(self.l1_ratio, Real) and 0 <= self.l1_ratio <= 1):
            raise ValueError(f"l1_ratio must be a number from 0 to 1, got {self.l1_ratio!r}.")

    @property
    def rotation_invariant(self):
        return self.l1_ratio == 0

    @property
    def ridge(self):
        return 1.0 if self.l1_ratio == 0 else None

    def value(self, W):
        ratio = float(self.l1_ratio)
        return ratio * _sum_of_sizes(W) + 0.5 * (1.0 - ratio) * _sum_of_squares(W)

    def row_values(self, W):
        ratio, W = float(self.l1_ratio), W.astype(float, copy=False)
        return ratio * np.abs(W).sum(axis=1) + 0.5 * (1.0 - ratio) * np.square(W).sum(axis=1)

    def prox(self, W, t):
        ratio, t = float(self.l1_ratio), _steps(t, W)
        return _soft_threshold(W, t * ratio) / (1.0 + t * (1.0 - ratio))


@dataclass(frozen=True)
class NonNegative(Penalty):
    """``Omega(W) = 1/2 ||W||**2`` where ``W >= 0``, infinite elsewhere."""

    name = "nonnegative"
    by_rows = True

    def value(self, W):
        return 0.5 * _sum_of_squares(W) if np.all(W >= 0) else np.inf

    def prox(self, W, t):
        return np.maximum(W, 0.0) / (1.0 + _steps(t, W))


@dataclass(frozen=True)
class Box(Penalty):
    """``Omega(W) = 1/2 ||W||**2`` where ``lower <= W <= upper``, infinite elsewhere.

    Parameters
    ----------
    lower, upper : float, default=-1, 1
        The ends of the box, the same for every weight. They may be infinite.
    """

    name = "box"
    by_rows = True
    lower: float = -1.0
    upper: float = 1.0

    def __post_init__(self):
        lower, upper = self.lower, self.upper
        if not (isinstance(lower, Real) and isinstance(upper, Real) and lower <= upper):
            raise ValueError(
                f"lower and upper must be numbers with lower <= upper, got {lower!r} and {upper!r}."
            )
        if lower == np.inf or upper == -np.inf:
            raise ValueError(f"The box from {lower!r} to {upper!r} is empty.")

    def _ends(self, W):
        # Rounded to the precision of W: what prox returns counts as inside.
        return W.dtype.type(self.lower), W.dtype.type(self.upper)

    def value(self, W):
        lower, upper = self._ends(W)
        inside = np.all((lower <= W) & (upper >= W))
        return 0.5 * _sum_of_squares(W) if inside else np.inf

    def prox(self, W, t):
        # Entry by entry a parabola on an interval: the nearest point to its vertex.
        return np.clip(W / (1.0 + _steps(t, W)), *self._ends(W))


@dataclass(frozen=True)
class GroupLasso(Penalty):
    """``Omega(W) = sqrt(n_columns) * sum_j ||W[j, :]||``, a row (one input's weights) a group.

    A row that is zero removes the input from the layer. The factor makes the penalty of a
    group grow with its size as in Yuan and Lin (2006).
    """

    name = "group"
    by_rows = True

    @staticmethod
    def _norms(W):
        return np.sqrt(np.einsum("ij,ij->i", W, W, dtype=np.float64))

    def value(self, W):
        return float(self.row_values(W).sum())

    def row_values(self, W):
        return np.sqrt(W.shape[1]) * self._norms(W)

    def prox(self, W, t):
        threshold = np.ravel(np.asarray(t, dtype=float)) * np.sqrt(W.shape[1])
        norms = self._norms(W)
        shrink = np.zeros_like(norms)
        np.divide(threshold, norms, out=shrink, where=norms > threshold)
        shrink = np.where(norms > threshold, 1.0 - shrink, 0.0)
        return W * shrink.astype(W.dtype)[:, np.newaxis]


def constrains(penalty):
    """Return whether a penalty is infinite somewhere: whether it moves weights that are huge.

    Parameters
    ----------
    penalty : Penalty

    Returns
    -------
    bool
    """
    huge = 1e100 * np.array([[1.0, -1.0], [-2.0, 3.0]])
    with np.errstate(all="ignore"):
        return not np.array_equal(penalty.prox(huge, 0.0), huge)


PENALTIES = {
    penalty.name: penalty
    for penalty in (L2, L1, ElasticNet, NonNegative, Box, GroupLasso, NoPenalty)
}


def get_penalty(penalty, l1_ratio=0.5):
    """Return the penalty of that name.

    Parameters
    ----------
    penalty : str, Penalty or None
        A key of `PENALTIES`, None (the same as "none"), or an instance, returned as it is.
    l1_ratio : float, default=0.5
        The parameter of "elasticnet"; the others have no use for it.

    Returns
    -------
    Penalty
        The instance.
    """
    if isinstance(penalty, Penalty):
        return penalty
    if penalty is None:
        return NoPenalty()
    if isinstance(penalty, str) and penalty in PENALTIES:
        return ElasticNet(l1_ratio) if penalty == ElasticNet.name else PENALTIES[penalty]()
    raise ValueError(
        f"Unknown penalty {penalty!r}: expected one of {', '.join(map(repr, PENALTIES))}, None, "
        f"or an instance of Penalty.{did_you_mean(penalty, PENALTIES, 'penalty')}"
    )
