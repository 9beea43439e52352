"""What sweeps over all samples ask of them where they are in blocks."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from .constants import CONSTANTS
from .inputs.scaled import scaled_input
from .moments import Columns
from .steps.block_objective import BlockObjective, ReducedObjective
from .tails import tails_for


class BlockSamples:
    """What sweeps over all samples ask of them, where the problem holds only some.

    As :class:`~skmdlam.engine.steps.full_batch.LocalSamples`, with every sum over the samples taken
    of the blocks: where the problem holds all of them a run is the same up to rounding, wherever
    blocks begin and end. From a part come the noise of the targets, where tails begin, the unit of
    a target with outliers where the loss bounds them, and the spread that layers start with where
    :func:`~skmdlam.engine.start.lsuv` has a use for it.

    The blocks are prepared when a run first asks for J, and stay so for those that follow.

    Parameters
    ----------
    problem : Problem
        A sample of the rows.
    blocks : Blocks
        Of :class:`~skmdlam.engine.blocks.Part`, in the units of the problem.
    whole : Totals
        Sums over all samples.
    constants : Constants

    Attributes
    ----------
    n : int
    total, beyond : float
        Sum of their weights.
    moments : tuple of ndarray
        Mean and standard deviation of the columns of X.
    tails : Tails or None
    columns : Columns
    """

    def __init__(self, problem, blocks, whole, constants=CONSTANTS):
        self._problem, self._blocks, self._constants = problem, blocks, constants
        self.whole, self._objective = whole, None
        self.n, self.total, self.moments = whole.n, whole.total, whole.moments
        self.beyond = self.total
        columns = Columns.of(*self.moments, self.total, self.n, problem.X.dtype, constants.limits)
        self.tails = tails_for(problem, columns, constants)
        self.columns = columns if self.tails is None else self.tails.centered(columns)

    @cached_property
    def scaling(self):
        """The loss and its target in units of their own."""
        return self.whole.scaling(self._problem)

    def objective(self, inputs, widths, ridge, activity, columns, like=None):
        """J of these inputs; parameters as for :class:`FullObjective`."""
        problem, tuned = self._problem, self._constants.tuned
        like = self._objective if like is None else like
        self._objective = ReducedObjective(
            self._prepared(widths) if like is None else like.blocks,
            inputs,
            self.scaling.normalized().loss,
            problem.activations,
            widths,
            self.n,
            self.total,
            problem.X.dtype,
            ridge,
            activity,
            columns,
            tuned.column_floor,
            limits=self._constants.limits,
            like=like,
        )
        return self._objective

    def _prepared(self, widths):
        """The blocks as J takes them."""
        limits, tails, times = self._constants.limits, self.tails, None
        if tails is not None:
            tails = replace(tails, weights=None)
            times = self.total / self._blocks.total(counted, tails, self.columns)
        # What is small for all samples is not for each block of them.
        fraction = limits.small / self.n
        scaling, activations = self.scaling.normalized(), self._problem.activations
        return self._blocks.mapped(
            prepared,
            self.columns,
            tails,
            times,
            scaling,
            activations,
            widths,
            self.total,
            limits,
            fraction,
        )


# -- functions that are sent to blocks -------------------------------------------------------------


def counted(part, tails, columns):
    """Sum of the weights of a block in the variances of J, before they sum to those of all."""
    omega = tails.weights_of(part.X, columns)
    return float(omega.sum() if part.weight is None else part.weight.astype(float) @ omega)


def prepared(
    part, columns, tails, times, scaling, activations, widths, total, limits, small_fraction
):
    """A block of samples as J takes it.

    Parameters
    ----------
    part : Part
    columns : Columns
    tails : Tails or None
    times : float
        What the weights in the variances are multiplied by.
    scaling : Scaling
    activations : list of Activation
    widths : list of int
    total : float
        Weight of all samples.
    limits : Limits
    small_fraction : float
        Numbers in a small copy of encoded samples, for each sample.

    Returns
    -------
    block : BlockObjective
    """
    dtype, weight, in_variances = part.X.dtype, part.weight, None
    if tails is not None:
        in_variances = times * tails.weights_of(part.X, columns)
        in_variances = in_variances if weight is None else in_variances * weight.astype(float)
        in_variances = in_variances.astype(dtype)
    return BlockObjective(
        scaled_input(part.X, columns, replace(limits, small=small_fraction * part.n)),
        np.asfortranarray(scaling.transform(part.Y), dtype=dtype),
        scaling.loss,
        activations,
        widths,
        None if weight is None else weight.astype(dtype, copy=False),
        limits,
        in_variances,
        total,
    )
