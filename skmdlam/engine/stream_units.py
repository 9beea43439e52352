"""Units of a stream, and what becomes of its weights when these are renewed."""

from dataclasses import dataclass

import numpy as np

from .moments import EachTarget
from .target_units import TargetUnits


@dataclass(frozen=True)
class Units:
    """What weights of a stream mean.

    Attributes
    ----------
    basis : Basis
        Coordinates of the input.
    moments : tuple
        Of each target; in states of older versions of all of them, as the loss was scaled by.
    targets : TargetUnits
        Of each target.
    scaling : Scaling
        Of all targets, in these units.
    weight_at : float
        Total weight when they were made.
    """

    basis: object
    moments: tuple
    targets: TargetUnits
    scaling: object
    weight_at: float

    @classmethod
    def of(cls, basis, moments, problem, weight_at):
        """For the moments of the targets and the loss of a problem."""
        targets, common = TargetUnits(), moments
        if np.ndim(moments[1]):
            targets = TargetUnits.of(problem, EachTarget(*moments))
            common = targets.moments(EachTarget(*moments))
        return cls(basis, moments, targets, problem.loss.scaled(*common), weight_at)

    @property
    def scale(self):
        """What an output of the user is for one of the run, besides :attr:`shift`."""
        return self.targets.scale * self.scaling.scale

    @property
    def shift(self):
        """Outputs of the user where those of the run are zero, shape (K,)."""
        return self.targets.scale * self.scaling.shift + self.targets.shift

    def are(self, target):
        """Whether a state's weights of the last layer are in these units, up to rounding."""
        near = np.allclose(target["scale"], self.scale, rtol=1e-9, atol=0.0)
        return near and np.allclose(target["shift"], self.shift, rtol=1e-9, atol=1e-9 * self.scale)


def move(weights, state, units, settled, *, shifted, another=None):
    """Weights in the old coordinates and units become weights in the new ones.

    The function stays or, where too little has been seen for a spread to be right, what
    standardized columns weigh. ``shifted`` says that they are weights and not steps. Of columns
    that are ``another`` now, by a mask, what they weigh stays too: of a column that moved or grew
    by far the function says nothing where its samples are now.
    """
    fresh = None if settled else np.ones(units.basis.columns.std.size, bool)
    if settled and another is not None and another.any():
        fresh = another
    weights[0] = _moved(weights[0], state.basis, units.basis, fresh)
    if settled:
        scale, shift = state.target["scale"], state.target["shift"]
        weights[-1] *= scale / units.scale
        if shifted:
            step = (shift - units.shift) / units.scale
            weights[-1][-1] += step.astype(weights[-1].dtype)


def _moved(V, old, new, fresh):
    """Weights of the first layer for new coordinates from those for old ones.

    The function stays in all columns but those of the mask ``fresh``.
    """
    W, b = old.expand(V)
    if fresh is None:
        return new.contract(W, b).astype(V.dtype)
    ratio = np.zeros_like(new.columns.std)
    np.divide(old.columns.std, new.columns.std, out=ratio, where=new.columns.vary)
    moved = new.contract(np.where(fresh[:, None], W * ratio[:, None], W), b).astype(V.dtype)
    moved[-1] = V[-1]
    if not fresh.all():
        step = np.where(fresh, 0.0, new.columns.mean - old.columns.mean)
        moved[-1] += (step @ W).astype(V.dtype)
    return moved


def wake(state, units, V, averages):
    """Columns that are constant no more get their starting weights.

    The later a column comes to life, the less is its random start worth to the others.
    """
    fresh = units.basis.columns.vary & ~state.basis.columns.vary
    if state.dormant is not None and fresh.any():
        alive = (1.0 - state.weight_at / units.weight_at) * state.dormant
        W = np.where(fresh[:, None], alive, 0.0)
        woken = units.basis.contract(W, np.zeros(W.shape[1]), standard=True)
        V[0] += woken.astype(V[0].dtype)
        averages[0] += woken
