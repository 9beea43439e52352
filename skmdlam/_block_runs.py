"""The runs of a fit on blocks."""

from functools import cached_property

from .engine.block_samples import BlockSamples
from .engine.full_batch import full_batch_run, full_batch_runs, proximal_sweeps
from .engine.on_blocks import mini_batch_runs_on_blocks
from .engine.priced import priced_run
from .engine.records import Settings
from .engine.run_choice import Runs
from .engine.whole import Whole


def start_on_blocks(options, problem, blocks, starts, **settings):
    """Begin runs of one network or several on samples in blocks that are elsewhere.

    What :meth:`~skmdlam.engine.feasible.Feasible.start_several` begins for samples at hand.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        With some of the samples.
    blocks : Blocks
        Of :class:`~skmdlam.engine.blocks.Part`, in the units of the problem, whose samples are in
        random order.
    starts : list of (coefs, intercepts)
        Starting weights of each network.
    **settings
        The attributes of :class:`~skmdlam.engine.records.Settings`.

    Returns
    -------
    run : Run
    """
    return RunsOnBlocks(options, problem, blocks).begin(problem, starts, Settings(**settings))


class RunsOnBlocks(Runs):
    """Those where the samples are in blocks, of which a problem has some.

    Parameters
    ----------
    options, problem, blocks
        As for :func:`start_on_blocks`.
    """

    def __init__(self, options, problem, blocks):
        super().__init__(options)
        self._problem, self._blocks = problem, blocks
        self._whole = Whole.of(blocks, problem)

    @cached_property
    def _samples(self):
        return BlockSamples(self._problem, self._blocks, self._whole, self.options.constants)

    def takes_all_samples(self, problem, settings):
        return settings.batch_size is not None and settings.batch_size >= self._whole.n

    def sweeps(self, problem, starts, settings):
        return full_batch_runs(self.options, problem, starts, settings, self._samples)

    def mini_batches(self, problem, starts, settings):
        return mini_batch_runs_on_blocks(
            self.options, problem, self._blocks, starts, settings, self._whole
        )

    def finish(self, problem, coefs, intercepts, settings, regularization, moments):
        return proximal_sweeps(
            self.options, problem, coefs, intercepts, settings, regularization, self._samples
        )

    def priced(self, problem, coefs, intercepts, settings):
        samples = self._samples

        def begin(problem, coefs, intercepts, settings):
            free = self.sweeps if self.takes_all_samples(problem, settings) else self.mini_batches
            return free(problem, [(coefs, intercepts)], settings)

        def sweeps(*arguments):
            return full_batch_run(*arguments, samples)

        return priced_run(
            self.options,
            problem,
            coefs,
            intercepts,
            settings,
            sweeps,
            begin=begin,
            samples=samples,
        )
