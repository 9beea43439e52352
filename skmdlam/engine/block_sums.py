"""What the samples of all blocks say together: exact sums, in a few passes over the rows."""

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from .constants import CONSTANTS
from .moments import Columns, EachTarget, deviations, in_blocks, moments_around, pull_limits
from .tails import Tails, from_sums, tail_limits, tail_sums


@dataclass(frozen=True)
class AllSamples:
    """Sums over all samples of blocks, and what follows from them.

    Attributes
    ----------
    n : int
    total : float
        Sum of the sample weights.
    moments : tuple of ndarray
        Mean and standard deviation of the columns of X.
    columns : Columns
        Their units.
    targets : EachTarget
        Moments of every target, of which outliers own none where the loss bounds them.
    tails : Tails or None
        Of the columns, where far samples must not count more than others. Its ``weights`` are
        those of the sample.
    counted : float
        Sum of the sample weights times the weights of ``tails``.
    """

    n: int
    total: float
    moments: tuple
    columns: Columns
    targets: EachTarget
    tails: Tails | None = None
    counted: float = field(default=np.nan)

    @classmethod
    def of(cls, problem, blocks, constants=CONSTANTS):
        """Of the blocks of :class:`~skmdlam.engine.blocks.Part` that a problem has a sample of.

        All is exact but what takes an order of the values: where the tails of columns and targets
        begin is told from the sample.

        Parameters
        ----------
        problem : Problem
            A sample of the rows in the same units.
        blocks : Blocks
        constants : Constants
        """
        n, total = counts(blocks)
        moments, targets = moments_of(problem, blocks, n, total)
        columns = Columns.of(*moments, total, n, problem.X.dtype, constants.limits)
        tails, counted = tails_of_blocks(problem, blocks, columns, total, constants)
        return cls(n, total, moments, columns, targets, tails, counted)

    def without_sample(self):
        """The same without what is as large as the sample."""
        if self.tails is None:
            return self
        return replace(self, tails=replace(self.tails, weights=np.empty(0)))

    def loss_scaling(self, loss):
        """A loss and its target in units of their own."""
        return loss.scaled(*self.targets.together())


def counts(blocks):
    """Number of samples of all blocks, and their total weight."""
    n, total = blocks.total(_count)
    return int(n), float(total)


def moments_of(problem, blocks, n, total):
    """Moments of columns and targets of all samples.

    Returns
    -------
    moments : tuple of ndarray
        Mean and standard deviation of the columns.
    targets : EachTarget
    """
    d, (_, K) = problem.X.shape[1], problem.Y.shape
    pull = None
    if problem.loss.outlier_threshold < np.inf:
        pull = pull_limits(problem.Y, problem.rows.normalized())
    mean, target_mean = np.split(blocks.total(_means, total, pull), [d])
    sums = blocks.total(_deviations, total, pull, mean, target_mean)
    columns, targets = np.split(sums, [sums.size - 3 * K])
    return (
        moments_around(mean, n, columns.reshape(-1, d)),
        EachTarget.around(target_mean, targets.reshape(3, K), problem.Y.dtype),
    )


def tails_of_blocks(problem, blocks, columns, total, constants=CONSTANTS):
    """Tails of the columns of all samples, and the sum of the weights times those of the tails.

    As of :func:`~skmdlam.engine.tails.tails_for`.
    """
    if not problem.loss.bounded_gradient:
        return None, np.nan
    X = problem.X.tocsr() if problem.sparse else problem.X
    weight = problem.sample_weight
    weight = np.ones(X.shape[0]) if weight is None else weight.astype(float)
    median, limit = tail_limits(X, columns, weight, tuned=constants.tuned, limits=constants.limits)
    sums = blocks.total(_tails, median, limit, columns)
    far, counted = sums[:2]
    if far == 0:
        return None, np.nan
    weights, _ = tail_sums(X, weight, median, limit, columns)
    mean, stretch = from_sums(median, sums[2:].reshape(5, -1), total, float(counted))
    return Tails(median, limit, weights, mean, stretch), float(counted)


# -- what is sent to a block: an empty one adds nothing -----------------------------------------


def weight_of(part):
    """Weights of the samples of a block, in double precision."""
    return np.ones(part.n) if part.weight is None else part.weight.astype(float)


def _count(part):
    return part.n, float(weight_of(part).sum())


def _means(part, total, pull):
    if part.n == 0:
        return 0.0
    share = weight_of(part) / total
    rows = in_blocks(part.n, share, part.X.shape[1])
    mean = rows.reduce(lambda s, x: x.T.astype(float) @ s, part.X)
    return np.concatenate([mean, share @ _pulled(part.Y, pull).astype(float)])


def _deviations(part, total, pull, mean, target_mean):
    if part.n == 0:
        return 0.0
    share = weight_of(part) / total
    columns = deviations(part.X, share, mean)
    targets = EachTarget.deviations(_pulled(part.Y, pull), share, target_mean)
    return np.concatenate([columns.ravel(), targets.ravel()])


def _pulled(Y, pull):
    if pull is None:
        return Y
    median, limit = pull
    return np.clip(Y.astype(float), median - limit, median + limit).astype(Y.dtype)


def _tails(part, median, limit, columns):
    if part.n == 0:
        return 0.0
    omega, sums = _block_tails(part, median, limit, columns)
    return np.concatenate([[np.sum(omega != 1.0), weight_of(part) @ omega], sums.ravel()])


def _block_tails(part, median, limit, columns):
    X = part.X.tocsr() if sp.issparse(part.X) else part.X
    return tail_sums(X, weight_of(part), median, limit, columns)


def variance_weight(part, tails, columns, total, counted):
    """Weights of the samples of a block in the variances of J, of the same sum over all samples."""
    omega, _ = _block_tails(part, tails.median, tails.limit, columns)
    return weight_of(part) * omega * (total / counted)
