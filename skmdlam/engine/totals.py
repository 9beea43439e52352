"""Sums over all samples, wherever they are: weights, moments of columns and of targets."""

from typing import NamedTuple

import numpy as np

from .moments import EachTarget, centered_sums, column_sums, moments_of_sums


class Totals(NamedTuple):
    """What is known of all samples where only some of them are at hand.

    Attributes
    ----------
    n : int
        Number of samples.
    total : float
        Sum of their weights.
    moments : tuple of ndarray of shape (d,)
        Mean and standard deviation of the columns of X.
    targets : EachTarget
        Moments of the targets, outliers included.
    """

    n: int
    total: float
    moments: tuple
    targets: EachTarget

    @classmethod
    def of(cls, blocks, problem):
        """Those of blocks of samples, of which the problem has some.

        Parameters
        ----------
        blocks : Blocks
            Of :class:`~skmdlam.engine.blocks.Part`.
        problem : Problem

        Returns
        -------
        whole : Totals
        """
        n, total = blocks.total(size_of)
        mean, target = blocks.total(_first, total)
        sums, spread = blocks.total(_second, total, mean, target)
        missing, variance, deviation = spread
        targets = EachTarget(target, variance, deviation)
        targets = targets.without_rounding(problem.Y.dtype, missing)
        return cls(n, total, moments_of_sums(mean, sums, n), targets)

    def scaling(self, problem):
        """The loss and its target in units of their own.

        Where the loss bounds the influence of outliers they do not own its unit, which then is told
        by the quantiles of the samples at hand.
        """
        if problem.loss.outlier_threshold < np.inf:
            return problem.loss_scaling()
        return problem.loss.scaled(*self.targets.together())


def _normalized(part, total):
    """Weights of the samples of a part, which sum to one over all."""
    if part.weight is None:
        return np.full(part.n, 1.0 / total)
    return part.weight.astype(float) / total


def size_of(part):
    """Number of samples, and sum of their weights."""
    weight = part.n if part.weight is None else part.weight.sum(dtype=float)
    return part.n, float(weight)


def _first(part, total):
    normalized = _normalized(part, total)
    return column_sums(part.X, normalized), normalized @ part.Y.astype(float)


def _second(part, total, mean, target):
    normalized = _normalized(part, total)
    centered = part.Y - target
    spread = normalized @ centered, normalized @ np.square(centered), normalized @ np.abs(centered)
    return centered_sums(part.X, normalized, mean), np.stack(spread)
