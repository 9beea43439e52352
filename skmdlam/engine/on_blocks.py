"""Runs on blocks of samples that are elsewhere: local steps, averaged, and guarded by J."""

from operator import attrgetter

import numpy as np

from .loop.schedules import Schedule
from .loop.side_by_side import side_by_side
from .mini_batches import MiniBatches
from .objective import LayerObjective
from .options import first_given
from .plan import Plan, first_samples, hold, measured, stepped
from .steps.layerwise import LayerwiseStep
from .totals import size_of


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
    whole : Totals

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
    """What runs of several networks on the same blocks share.

    Parameters
    ----------
    options, problem, blocks, settings, whole
        As for :func:`mini_batch_runs_on_blocks`.

    Attributes
    ----------
    lengths : ndarray of int of shape (n_blocks,)
        Samples of each block.
    """

    def __init__(self, options, problem, blocks, settings, whole):
        sizes = blocks.each(size_of, [()] * blocks.n_blocks)
        self.lengths = np.array([length for length, _ in sizes])
        super().__init__(options, problem, settings, whole)
        self.plan = Plan.of(self.prepared, options, whole)
        self.held = self.measured = blocks.mapped(hold, self.plan)
        tuned = options.constants.tuned
        fraction = LayerObjective.measured_samples(self.prepared, whole.n, tuned) / whole.n
        if fraction < 1.0:
            self.measured = blocks.mapped(first_samples, fraction).mapped(hold, self.plan)

    def batches(self, n):
        options, tuned = self.options, self.options.constants.tuned
        lengths = self.lengths
        numbers, longest = np.flatnonzero(lengths), int(lengths.max())
        n_paths = paths_of(len(numbers), tuned)
        size = options.auto_batch_size(n)
        if n_paths > 1:  # a round should be long enough for momentum between rounds
            size = min(size, max(tuned.least_batch, longest // tuned.long_round))
        size = min(n, first_given(self.settings.batch_size, size))
        n_steps = -(-longest // size)
        largest = -(-longest // n_steps)
        # Batches of a short block are at least half as large: of a few samples they say nothing.
        steps = np.clip(2 * lengths // largest, 1, n_steps)
        self.work = list(zip(lengths.tolist(), steps.tolist(), strict=True))
        self.momentum = min(1.0, n_steps / tuned.long_round)
        return size, Rounds(numbers, n_paths, n_steps), largest

    def step(self, *parts):
        """The step of a network."""
        return AveragedStep(*parts, self.held, self.plan, self.work, self.momentum)

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

    ::

        M  <-  b M + (mean of the weights after the round - V),   b = 1 - sum of squared weights
        V  <-  V + b M + (mean of the weights after the round - V)

    In the mean a block has the weight that its samples have of those of the round: k blocks of the
    same size have ``b = 1 - 1 / k``. The mean alone would move as far in a round as one of the
    paths does, with less noise: k paths go over the samples k times as fast, and would learn from
    each a k-th as much. Nesterov's momentum from round to round makes up for that (Chen and Huo,
    "Scalable training of deep learning machines by incremental block training with intra-block
    parallel optimization and blockwise model-update filtering", ICASSP 2016). Rounds of few steps
    get less of it: they have the momentum of the steps, and the noise of few samples. The last
    steps, what the penalties are owed and the moments of the inputs of hidden layers, which then
    are inverted, are plain means.

    Parameters
    ----------
    network, prepared, penalties, rhythm, rho
        As for :class:`~skmdlam.engine.steps.layerwise.LayerwiseStep`.
    blocks : Blocks
        Of :class:`~skmdlam.engine.plan.Held`.
    plan : Plan
    work : list of tuple of int
        Samples of each block, and steps on them.
    momentum : float
        What ``b`` is multiplied by, at most 1.

    Attributes
    ----------
    moves : list of ndarray
        M of each layer.
    """

    def __init__(self, network, prepared, penalties, rhythm, rho, blocks, plan, work, momentum):
        super().__init__(network, prepared, penalties, rhythm, rho)
        self.blocks, self.plan = blocks, plan
        self.work, self.momentum = work, momentum
        self.moves = [np.zeros_like(V) for V in network.weights]

    def begin(self):
        """Before the rounds of an epoch."""
        self.epoch += 1

    def settle(self):
        """After them: the penalties."""
        self.penalties(self.network.layers, self.epoch)

    def restart(self):
        """After an epoch that was taken back: smaller steps, without a past."""
        super().restart()
        for move in self.moves:
            move[:] = 0.0

    def __call__(self, rows, factor):
        """Step on these blocks, each in an order of its own; ``factor`` has one for each step."""
        numbers, seeds = rows
        before = [V.copy() for V in self.network.weights]
        state = self.plan, self.as_arrays(), self.rho, self.epoch, factor
        lengths, steps = zip(*(self.work[number] for number in numbers), strict=True)
        block_weights = np.divide(lengths, sum(lengths))
        own = list(zip(seeds, steps, block_weights.tolist(), strict=True))
        self.restore(self.blocks.pooled(stepped, own, numbers, state))
        momentum = self.momentum * (1.0 - float(block_weights @ block_weights))
        if momentum == 0.0:
            return
        for V, start, move in zip(self.network.weights, before, self.moves, strict=True):
            move *= momentum
            move += V - start
            V += momentum * move
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
