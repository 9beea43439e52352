"""Units of several targets: each has its own, so that none is lost beside the others."""

from dataclasses import dataclass, replace

import numpy as np

from ..losses import Scaling
from .moments import EachTarget

# Weights by which constraints are told that have a unit: those of outputs may not be converted.
_HUGE = 1e100 * np.array([[1.0, -1.0], [-2.0, 3.0]])


@dataclass(frozen=True)
class TargetUnits:
    """Units in which the targets of a problem are alike.

    A problem in them has J as it is defined: its loss is that of the converted targets, its penalty
    counts the weights of the output layer for these.

    Parameters
    ----------
    scaling : Scaling or None, default=None
        None where targets stay as they are: a single one, those of a loss with a link but for
        Poisson, and where constraints say how large weights may be.
    """

    scaling: Scaling | None = None

    @classmethod
    def of(cls, problem, moments):
        """For the moments of each target of a problem.

        Parameters
        ----------
        problem : Problem
        moments : EachTarget

        Returns
        -------
        units : TargetUnits
        """
        if problem.Y.shape[1] == 1 or (problem.constrained and _has_unit(problem.penalty)):
            return cls()
        mean, variance, deviation = moments
        return cls(problem.loss.scaled_targets(mean, np.sqrt(variance), deviation))

    @classmethod
    def of_all(cls, problem):
        """For a problem that holds all samples of a fit."""
        if problem.Y.shape[1] == 1:
            return cls()
        return cls.of(problem, problem.each_target())

    @property
    def scale(self):
        """What an output is in the user's units for one in these, with :attr:`shift`."""
        return 1.0 if self.scaling is None else self.scaling.scale

    @property
    def shift(self):
        """Outputs of the user where those in these units are zero."""
        return 0.0 if self.scaling is None else self.scaling.shift

    def moments(self, each):
        """What the targets have in common in these units, of the moments of each in the user's."""
        if self.scaling is not None:
            unit = self.scaling.target_scale
            each = EachTarget(each.mean / unit, each.variance / unit**2, each.deviation / unit)
        return each.together()

    def problem(self, problem):
        """The problem in these units; the argument itself where nothing changes."""
        return problem if self.scaling is None else replace(problem, Y=self.transform(problem.Y))

    def transform(self, Y):
        """Targets in these units, in the type of the given ones."""
        return Y if self.scaling is None else self.scaling.transform(Y).astype(Y.dtype, copy=False)

    def given(self, Y):
        """The inverse of :meth:`transform`."""
        return Y if self.scaling is None else (Y * self.scaling.target_scale).astype(Y.dtype)

    def output(self, z):
        """Outputs in these units."""
        return z if self.scaling is None else (z - self.shift) / self.scale

    def inner(self, coefs, intercepts):
        """Weights in these units from the user's; all but the last ones are the same arrays."""
        return self._changed(coefs, intercepts, lambda scaling: scaling.inner)

    def outer(self, coefs, intercepts):
        """Weights in the user's units from those in these."""
        return self._changed(coefs, intercepts, lambda scaling: scaling.outer)

    def _changed(self, coefs, intercepts, way):
        if self.scaling is None:
            return coefs, intercepts
        W, b = coefs[-1], intercepts[-1]
        W, b = (
            new.astype(old.dtype) for new, old in zip(way(self.scaling)(W, b), (W, b), strict=True)
        )
        return [*coefs[:-1], W], [*intercepts[:-1], b]


def _has_unit(penalty):
    """Whether constraints are other ones where outputs have other units, as bounds are."""
    units = np.array([1.0, 1e-100])
    with np.errstate(all="ignore"):
        found, expected = penalty.prox(_HUGE * units, 0.0), penalty.prox(_HUGE, 0.0) * units
    return not np.array_equal(found, expected)
