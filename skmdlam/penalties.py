"""Penalties on the weights: value and proximal map, one class for each penalty.

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
    r"""Base class of penalties :math:`\Omega(W)` on a weight matrix.

    A subclass has to define :meth:`value` and :meth:`prox`. The objective adds
    :math:`\alpha\,\Omega(W)` for the weights of every layer; intercepts are not penalized.

    Attributes
    ----------
    name : str or None, default=None
        Name for `get_penalty`.
    convex : bool, default=True
        Whether the penalty is convex. If it is not, prox must still be the global minimizer.
    rotation_invariant : bool, default=False
        Whether :math:`\Omega(QW) = \Omega(W)` for every orthogonal Q.
    ridge : float or None, default=None
        Number r for which :math:`\Omega(W) = \frac{r}{2} \|W\|^2` for every W; None if there is
        none.
    by_rows : bool, default=False
        Whether :math:`\Omega` is a sum over the rows of W. Then prox must also accept a t for each
        row, of shape (n_in, 1), which solvers use if the inputs of a layer differ in scale.
    """

    name = None
    convex: bool = True
    rotation_invariant: bool = False
    ridge: float | None = None
    by_rows: bool = False

    def value(self, W):
        r"""Return :math:`\Omega(W)`.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights of a layer.

        Returns
        -------
        value : float
            Value of the penalty, infinite if W violates a constraint.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define value(W), a float.")

    def row_values(self, W):
        """Return the penalty of each row, if it is a sum over rows.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights of a layer.

        Returns
        -------
        values : ndarray of shape (n_in,)
            Values in float64. The default calls :meth:`value` for each row.
        """
        return np.array([self.value(row[np.newaxis]) for row in W], dtype=float)

    def prox(self, W, t):
        r"""Return :math:`\arg\min_V t\,\Omega(V) + \frac12 \|V - W\|^2`.

        For t = 0 this is the projection onto the constraints.

        Parameters
        ----------
        W : ndarray of shape (n_in, n_out)
            Weights of a layer.
        t : float or ndarray of shape (n_in, 1)
            Weight of the penalty, not negative. An array has a weight for each row; only for a
            penalty that is a sum over rows.

        Returns
        -------
        V : ndarray of shape (n_in, n_out)
            The minimizer, in the dtype of W.
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
    """Move every entry by ``t`` toward zero, and those within ``t`` of zero onto it."""
    return W - np.clip(W, -t, t)


@dataclass(frozen=True)
class NoPenalty(Penalty):
    r"""No penalty, :math:`\Omega(W) = 0`."""

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
    r"""L2 penalty (ridge), :math:`\Omega(W) = \frac12 \|W\|^2`."""

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
    r"""L1 penalty, :math:`\Omega(W) = \sum_{jk} |W_{jk}|`; weights become exactly zero."""

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
    r"""Elastic net, a mixture of L1 and L2 penalties.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        Fraction r of the L1 penalty, from 0 (`L2`) to 1 (`L1`).

    Raises
    ------
    ValueError
        If ``l1_ratio`` is out of range.

    Notes
    -----
    .. math:: \Omega(W) = r \sum_{jk} |W_{jk}| + \frac{1 - r}{2} \|W\|^2
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
    r"""L2 penalty with the constraint :math:`W \ge 0`."""

    name = "nonnegative"
    by_rows = True

    def value(self, W):
        return 0.5 * _sum_of_squares(W) if np.all(W >= 0) else np.inf

    def prox(self, W, t):
        return np.maximum(W, 0.0) / (1.0 + _steps(t, W))


@dataclass(frozen=True)
class Box(Penalty):
    r"""L2 penalty with bounds, :math:`\text{lower} \le W \le \text{upper}`.

    Parameters
    ----------
    lower, upper : float, default=-1, 1
        Bounds of every weight, which may be infinite.

    Raises
    ------
    ValueError
        If the bounds are not numbers with ``lower <= upper``, or no number is between them.
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
    r"""Group lasso, for feature and unit selection.

    Notes
    -----
    .. math:: \Omega(W) = \sqrt{n} \sum_j \|W[j, :]\|

    A group is a row of W, the n weights of one input. A row of zeros drops the input from the
    layer. The factor makes the penalty of a group grow with its size [1]_.

    References
    ----------
    .. [1] M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped
       variables", Journal of the Royal Statistical Society B, 2006.
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
    """Get a penalty by its name.

    Parameters
    ----------
    penalty : str, Penalty or None
        A key of `PENALTIES`, None (the same as "none"), or an instance, which is returned as it is.
    l1_ratio : float, default=0.5
        Parameter of "elasticnet". Other penalties ignore it.

    Returns
    -------
    penalty : Penalty
        The instance.

    Raises
    ------
    ValueError
        If the name is unknown.
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
