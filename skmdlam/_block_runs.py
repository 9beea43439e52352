"""Which run a fit on blocks is: mini-batches, all samples, or both, one after the other."""

from dataclasses import replace
from functools import cache

from .engine.block_samples import BlockSamples
from .engine.full_batch import full_batch_run, full_batch_runs, proximal_sweeps
from .engine.loop.run import Chain
from .engine.loop.side_by_side import side_by_side
from .engine.on_blocks import mini_batch_runs_on_blocks
from .engine.priced import priced_run
from .engine.records import Settings
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
    settings = Settings(**settings)
    whole = Whole.of(blocks, problem)
    exact = all(activation.exact_derivative for activation in problem.activations)
    priced = problem.alpha is None and exact
    problem = problem if priced else problem.with_usual_alpha()
    smooth = problem.quadratic or not problem.loss.nonsmooth
    all_samples = settings.batch_size is not None and settings.batch_size >= whole.n

    @cache
    def samples():
        return BlockSamples(problem, blocks, whole, options.constants)

    def mini_batches(problem, coefs, intercepts, settings):
        start = [(coefs, intercepts)]
        return mini_batch_runs_on_blocks(options, problem, blocks, start, settings, whole)

    def polished(coefs, intercepts, settings):
        first = replace(settings, max_iter=-(-2 * settings.max_iter // 3))
        batches = mini_batches(problem, coefs, intercepts, first)

        def finish(coefs, intercepts):
            warm = replace(settings, warm=True)
            found = batches.regularization
            return proximal_sweeps(options, problem, coefs, intercepts, warm, found, samples())

        return Chain(batches, finish)

    def free(problem, *start):
        if all_samples:
            return full_batch_run(options, problem, *start, samples())
        return mini_batches(problem, *start)

    def sweeps(*arguments):
        return full_batch_run(*arguments, samples())

    def begin(coefs, intercepts, rng):
        own = replace(settings, rng=rng)
        if priced:
            return priced_run(
                options, problem, coefs, intercepts, own, sweeps, begin=free, samples=samples()
            )
        return polished(coefs, intercepts, own)

    if not priced and exact and smooth and all_samples:
        return full_batch_runs(options, problem, starts, settings, samples())
    if not priced and (problem.quadratic or not exact):
        return mini_batch_runs_on_blocks(options, problem, blocks, starts, settings, whole)
    return side_by_side(begin, starts, settings.rng)
