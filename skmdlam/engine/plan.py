"""What blocks of samples have to know of a run of mini-batches, and what they do for it."""

import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .blocks import times
from .inputs.decompositions import input_of, row_weights
from .loop.sources import Shuffled
from .network import Prepared, network_of
from .objective import LayerObjective, Terms
from .preconditioners import rhythm_of
from .steps.layerwise import LayerwiseStep
from .steps.penalty_block import PenaltyBlock


class Held(NamedTuple):
    """The samples of a block, prepared for steps.

    Attributes
    ----------
    input : DenseInput, DenseOnDemand or SparseInput
        Without its basis, which all blocks share.
    row_weights, Y, weight, tail_weight, variance_weight
        As :class:`~skmdlam.engine.network.Prepared` has them.
    """

    input: object
    row_weights: np.ndarray | None
    Y: np.ndarray
    weight: np.ndarray | None
    tail_weight: np.ndarray | None
    variance_weight: np.ndarray | None


@dataclass(frozen=True)
class Plan:
    """What is the same for all blocks.

    Attributes
    ----------
    prepared : Prepared
        Of some of the samples, without these.
    options : Feasible
    mean_weight : float
        Of the samples.
    mean_norm : float
        Of ``||u_i||^2``, weighted as the basis is.
    mean_counted : float
        Of the weights in the variances of J.
    """

    prepared: Prepared
    options: object
    mean_weight: float
    mean_norm: float
    mean_counted: float

    @classmethod
    def of(cls, prepared, options, whole):
        """For a run that has prepared some of the samples as if they were all."""
        problem = prepared.problem
        normalized, tails = problem.rows.normalized(), prepared.tails
        mean_counted = 1.0
        if tails is not None:
            mean_counted = float(normalized @ tails.weights)
            normalized = tails.reweighted(normalized)
            tails = replace(tails, weights=None)
        mean_norm = float(normalized @ prepared.input.norms)
        problem = problem.some(np.arange(0))
        frame = copy.copy(prepared.frame)
        frame.problem = problem
        rest = replace(
            prepared,
            problem=problem,
            frame=frame,
            tails=tails,
            input=None,
            row_weights=None,
            Y=None,
            weight=None,
            tail_weight=None,
            variance_weight=None,
        )
        return cls(rest, options, whole.total / whole.n, mean_norm, mean_counted)

    @property
    def terms(self):
        """The penalties of J."""
        return Terms.of(self.prepared, self.options.constants.tuned.column_floor)

    def with_samples(self, held):
        """What is prepared, with the samples of a block."""
        samples = copy.copy(held.input)
        samples.basis = self.prepared.frame.coordinates
        return replace(self.prepared, **held._replace(input=samples)._asdict())

    def step(self, prepared, V, rho, largest):
        """A network of these weights, which it takes over, and its step."""
        options = self.options
        tuned, limits = options.constants.tuned, options.constants.limits
        network = network_of(prepared, V, options, largest)
        penalties = PenaltyBlock(self.terms, limits.fista, tuned.penalty_ramp)
        return LayerwiseStep(network, prepared, penalties, rhythm_of(V, tuned), rho)


# -- functions that are sent to blocks -------------------------------------------------------------


def first_samples(part, fraction):
    """The first samples of a part, this fraction of them."""
    return part.take(np.arange(int(np.ceil(fraction * part.n))))


def hold(part, plan):
    """Prepare the samples of a part."""
    prepared, limits = plan.prepared, plan.options.constants.limits
    dtype, basis = prepared.dtype, prepared.frame.coordinates
    samples = input_of(part.X, basis, limits)
    weight = None
    counts = np.ones(part.n) if part.weight is None else part.weight.astype(float)
    if part.weight is not None or plan.mean_weight != 1.0:  # where others have weights
        weight = (counts / plan.mean_weight).astype(dtype)[:, None]
    tail_weight = variance_weight = None
    if prepared.tails is not None:
        omega = prepared.tails.weights_of(part.X, basis.columns)
        tail_weight = omega.astype(dtype)[:, None]
        counts = counts * omega / (plan.mean_weight * plan.mean_counted)
        variance_weight = counts.astype(dtype)[:, None]
    far = row_weights(samples.norms, plan.mean_norm, dtype)
    samples.basis = None
    Y = prepared.frame.scaling.transform(part.Y).astype(dtype, copy=False)
    return Held(samples, far, Y, weight, tail_weight, variance_weight)


def stepped(held, plan, state, rho, epoch, factors, seed, n_steps, block_weight):
    """Steps on all samples of a block in random order, from a common state.

    Parameters
    ----------
    held : Held
    plan : Plan
    state : dict
        As :meth:`~skmdlam.engine.steps.layerwise.LayerwiseStep.as_arrays` gives it.
    rho : float
    epoch : int
        Its number, which the ramp of a penalty depends on.
    factors : ndarray
        Of each step, of the block with the most of them.
    seed : int
        Of the order of the samples.
    n_steps : int
        How many this block makes.
    block_weight : float
        What this block counts in the mean over those that are stepped on side by side.

    Returns
    -------
    state : dict
        After these steps, times ``block_weight``.
    """
    prepared = plan.with_samples(held)
    source = Shuffled(prepared.n, n_steps)
    V = [np.array(layer["V"]) for layer in state["layers"]]
    step = plan.step(prepared, V, rho, max(source.sizes))
    step.restore(state)
    step.epoch = epoch
    first = step.network.first
    with np.errstate(all="ignore"):
        first.begin()
        batches = source.epoch(np.random.RandomState(seed))
        for (rows, _), factor in zip(batches, factors[:n_steps], strict=True):
            step(rows, factor)
        first.settle()
    return times(block_weight, step.as_arrays())


def measured(held, plan, weights, largest):
    """What the samples of a block add to J at these weights, see ``LayerObjective.sums``."""
    prepared, constants = plan.with_samples(held), plan.options.constants
    network = network_of(prepared, list(weights), plan.options, largest, may_be_lazy=False)
    objective = LayerObjective(
        network,
        prepared,
        plan.terms,
        largest,
        all_samples=True,
        tuned=constants.tuned,
        limits=constants.limits,
    )
    with np.errstate(all="ignore"):
        return (prepared.n, *objective.sums())
