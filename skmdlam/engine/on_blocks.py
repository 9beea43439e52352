"""Runs on blocks of samples that are elsewhere: local steps, averaged, and guarded by J."""

import time
from operator import attrgetter

import numpy as np

from .blocks import times
from .loop.schedules import Schedule
from .loop.side_by_side import side_by_side
from .mini_batches import MiniBatches, prepare
from .objective import LayerObjective
from .options import first_given
from .plan import Plan, first_samples, hold, measured, stepped
from .steps.layerwise import LayerwiseStep


def mini_batch_runs_on_blocks(options, problem, blocks, starts, settings, whole):
    """Mini-batches where samples are in blocks that are elsewhere.

    ::

        in each round, of some blocks side by side, from common weights:
            the steps of mini-batches on the samples of the block
        weights, last steps and moments  <-  their means over these blocks

    A round is a pass over as many blocks as there are *paths*; an epoch goes over all blocks in
    random order. J, the schedule and the best epoch are those of a run on samples at hand. With one
    path nothing is averaged.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        With some of the samples, from which is estimated what needs samples.
    blocks : Blocks
        Of :class:`~skmdlam.engine.blocks.Part`, whose samples are in random order.
    starts : list of (coefs, intercepts)
        Starting weights of each network.
    settings : Settings
    whole : Whole

    Returns
    -------
    run : ComposedRun or SideBySide
    """
    batches = BlockBatches(options, problem, blocks, settings, whole)
    return side_by_side(batches.run, starts, batches.rng, batches.clock)


def paths_of(n_blocks, tuned):
    """How many blocks are stepped on side by side: averages come several times an epoch."""
    return min(n_blocks, max(tuned.least_paths, n_blocks // tuned.rounds, 1))


class BlockBatches(MiniBatches):
    """What runs of several networks on the same blocks share."""

    def __init__(self, options, problem, blocks, settings, whole):
        self.clock = time.perf_counter()
        self.options, self.settings = options, settings
        self.rng = np.random.RandomState(0) if settings.rng is None else settings.rng
        tuned = options.constants.tuned
        size = min(whole.n, first_given(settings.batch_size, options.auto_batch_size(whole.n)))
        lengths = blocks.each(_length, [()] * blocks.n_blocks)
        n_steps = -(-max(lengths) // size)
        self.largest = -(-max(lengths) // n_steps)
        numbers = np.flatnonzero(lengths)
        self.source = Rounds(numbers, paths_of(len(numbers), tuned), n_steps)
        single = options.single_precision and self.source.n_batches > 1
        self.prepared = prepare(problem, options, settings, self.rng, single=single, whole=whole)
        self.rho = options.rho_within_range(settings.rho, options.auto_rho(whole.n, size))
        self.plan = Plan.of(self.prepared, options, whole)
        self.held = self.measured = blocks.mapped(hold, self.plan)
        share = LayerObjective.measured_samples(self.prepared, whole.n, tuned) / whole.n
        if share < 1.0:
            self.measured = blocks.mapped(first_samples, share).mapped(hold, self.plan)

    def step(self, *parts):
        """The step of a network."""
        return AveragedStep(*parts, self.held, self.plan)

    def objective(self, network, terms):
        """J of a network."""
        return PooledObjective(
            network, self.prepared, terms, self.measured, self.plan, self.largest
        )

    def factors(self, schedule):
        """The schedule that a run asks for the factors of its steps."""
        return RoundFactors(schedule, self.source)


class Rounds:
    """Rounds over blocks in random order, some of them side by side.

    Parameters
    ----------
    numbers : ndarray of int
        Of the blocks that have samples.
    n_paths : int
        Blocks in a round.
    n_steps : int
        Steps on a block.

    Attributes
    ----------
    n_rounds, n_batches : int
        Rounds and steps, one after another, of an epoch.
    """

    def __init__(self, numbers, n_paths, n_steps):
        self.numbers, self.n_steps = numbers, n_steps
        self.n_rounds = -(-len(numbers) // n_paths)
        self.n_batches = self.n_rounds * n_steps

    def epoch(self, rng):
        """The blocks of each round and a seed for each, and the share of the epoch that is over."""
        rounds = np.array_split(rng.permutation(self.numbers), self.n_rounds)
        for number, blocks in enumerate(rounds):
            seeds = rng.randint(np.iinfo(np.int32).max, size=len(blocks))
            yield (blocks.tolist(), seeds.tolist()), number / self.n_rounds


class RoundFactors(Schedule):
    """A schedule whose factors are asked for a round at a time.

    Parameters
    ----------
    schedule : Schedule
    rounds : Rounds
    """

    cools_down = property(attrgetter("schedule.cools_down"))
    cut_short = property(attrgetter("schedule.cut_short"))
    settled = property(attrgetter("schedule.settled"))
    epsilon = property(attrgetter("schedule.epsilon"))

    def __init__(self, schedule, rounds):
        self.schedule, self.rounds = schedule, rounds

    def factor(self, progress):
        """Factors of each step of the round that begins there."""
        places = progress + np.arange(self.rounds.n_steps) / self.rounds.n_batches
        return np.array([self.schedule.factor(place) for place in places])

    def advance(self, data):
        return self.schedule.advance(data)

    def cool_down(self):
        self.schedule.cool_down()


class AveragedStep(LayerwiseStep):
    """A round of steps on blocks side by side, from common weights, and the mean of what they find.

    The mean is that of the weights, of the last steps, of what the penalties are owed, and of the
    moments of the inputs of hidden layers, which then are inverted.

    Parameters
    ----------
    network, prepared, penalties, rhythm, rho
        As for :class:`~skmdlam.engine.steps.layerwise.LayerwiseStep`.
    blocks : Blocks
        Of :class:`~skmdlam.engine.plan.Held`.
    plan : Plan
    """

    def __init__(self, network, prepared, penalties, rhythm, rho, blocks, plan):
        super().__init__(network, prepared, penalties, rhythm, rho)
        self.blocks, self.plan = blocks, plan

    def begin(self):
        """Before the rounds of an epoch."""
        self.epoch += 1

    def settle(self):
        """After them: the penalties."""
        self.penalties(self.network.layers, self.epoch)

    def __call__(self, rows, factor):
        """Step on these blocks, each in an order of its own; ``factor`` has one for each step."""
        numbers, seeds = rows
        state = self.plan, self.as_arrays(), self.rho, self.epoch, factor
        found = self.blocks.pooled(stepped, [(seed,) for seed in seeds], numbers, state)
        if len(numbers) == 1:
            self.restore(found)
            return
        self.restore(times(1.0 / len(numbers), found))
        for layer in self.network.above:
            layer.preconditioner.refresh()


class PooledObjective(LayerObjective):
    """J from the sums of all blocks.

    Parameters
    ----------
    network, prepared, terms, largest
        As for :class:`~skmdlam.engine.objective.LayerObjective`.
    blocks : Blocks
        Of :class:`~skmdlam.engine.plan.Held`, the samples that J is measured on.
    plan : Plan
    """

    def __init__(self, network, prepared, terms, blocks, plan, largest):
        self.network, self.prepared, self.terms = network, prepared, terms
        self._blocks, self._arguments = blocks, (plan, largest)

    def sums(self):
        plan, largest = self._arguments
        self.n, *sums = self._blocks.total(measured, plan, self.network.weights, largest)
        return sums


def _length(part):
    return part.n
