"""Sweeps over all samples where they are in blocks: every sum is taken of the blocks."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from .block_sums import AllSamples, variance_weight
from .constants import CONSTANTS
from .full_batch import full_batch_runs, proximal_sweeps
from .inputs.scaled import scaled_input
from .priced import priced_run
from .steps.reduced_objective import BlockObjective, ReducedObjective


def full_batch_runs_on_blocks(options, problem, blocks, starts, settings, samples=None):
    """Sweeps over the samples of all blocks from one start or several, as one run.

    It is :func:`~skmdlam.engine.full_batch.full_batch_runs` with every sum over the samples taken
    of the blocks: where the problem holds all samples the results are the same up to rounding,
    wherever blocks begin and end. From a problem that holds a part of them come the noise of the
    targets, where the tails of columns and targets begin, and the spread that layers start with
    where :func:`~skmdlam.engine.start.lsuv` has a use for it.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        A sample of the rows.
    blocks : Blocks
        Of :class:`~skmdlam.engine.blocks.Part`, in the units of the problem.
    starts : list of (coefs, intercepts)
        Starting weights of each network.
    settings : Settings
    samples : AllSamples or None, default=None
        What is known of all samples.

    Returns
    -------
    run : ComposedRun or SideBySide
    """
    found = BlockSamples(problem, blocks, options.constants, samples)
    return full_batch_runs(options, problem, starts, settings, found)


def proximal_run_on_blocks(
    options, problem, blocks, coefs, intercepts, settings, regularization, samples=None
):
    """Proximal sweeps over the samples of all blocks, with these strengths of the penalties.

    As :func:`~skmdlam.engine.full_batch.proximal_run`; the other parameters are those of
    :func:`full_batch_runs_on_blocks`.
    """
    found = BlockSamples(problem, blocks, options.constants, samples)
    return proximal_sweeps(options, problem, coefs, intercepts, settings, regularization, found)


def priced_run_on_blocks(
    options, problem, blocks, coefs, intercepts, settings, begin, samples=None
):
    """Penalties at their automatic strength, as :func:`~skmdlam.engine.priced.priced_run`.

    ``begin(problem, coefs, intercepts, settings)`` begins a run on the blocks without the penalty;
    the other parameters are those of :func:`full_batch_runs_on_blocks`.
    """
    found = BlockSamples(problem, blocks, options.constants, samples)

    def finish(named, priced, coefs, intercepts, settings):
        known = BlockSamples(priced, blocks, options.constants, found.known)
        return full_batch_runs(named, priced, [(coefs, intercepts)], settings, known)

    return priced_run(
        options, problem, coefs, intercepts, settings, finish, begin=begin, samples=found
    )


class BlockSamples:
    """What a setting asks of all samples, where the problem holds some of them.

    As :class:`~skmdlam.engine.steps.full_batch.LocalSamples`.

    Parameters
    ----------
    problem : Problem
    blocks : Blocks
    constants : Constants
    known : AllSamples or None, default=None
    """

    def __init__(self, problem, blocks, constants=CONSTANTS, known=None):
        self._problem, self._blocks, self._constants = problem, blocks, constants
        known = AllSamples.of(problem, blocks, constants) if known is None else known
        self.known, self._objective = known, None
        self.n, self.total, self.beyond = known.n, known.total, known.total
        self.moments, self.tails, columns = known.moments, known.tails, known.columns
        self.columns = columns if self.tails is None else self.tails.centered(columns)

    @cached_property
    def scaling(self):
        """The loss and its target in units of their own."""
        return self.known.loss_scaling(self._problem.loss)

    def objective(self, inputs, widths, ridge, activity, columns, like=None):
        """J of these inputs; parameters as for :class:`FullObjective`."""
        problem, limits = self._problem, self._constants.limits
        scaling = self.scaling.normalized()
        like = self._objective if like is None else like
        if like is None:
            blocks = self._blocks.mapped(
                prepared,
                self.known.without_sample(),
                scaling,
                problem.activations,
                widths,
                limits,
            )
        else:
            blocks = like.blocks
        self._objective = ReducedObjective(
            blocks,
            inputs,
            scaling.loss,
            problem.activations,
            widths,
            self.n,
            self.total,
            problem.X.dtype,
            ridge,
            activity,
            columns,
            self._constants.tuned.column_floor,
            limits=limits,
            like=like,
        )
        return self._objective


def prepared(part, known, scaling, activations, widths, limits):
    """A block of samples as J takes it.

    Parameters
    ----------
    part : Part
    known : AllSamples
    scaling : Scaling
    activations : list of Activation
    widths : list of int
    limits : Limits

    Returns
    -------
    block : BlockObjective
    """
    dtype, tails, columns = part.X.dtype, known.tails, known.columns
    weight, counted = part.weight, None
    if tails is not None:
        counted = variance_weight(part, tails, columns, known.total, known.counted).astype(dtype)
        columns = tails.centered(columns)
    # What is small for all samples is not for each block of them.
    own = replace(limits, small=limits.small * part.n // known.n)
    return BlockObjective(
        scaled_input(part.X, columns, own),
        np.asfortranarray(scaling.transform(part.Y), dtype=dtype),
        scaling.loss,
        activations,
        widths,
        None if weight is None else weight.astype(dtype, copy=False),
        limits,
        counted,
        known.total,
    )
