"""A fit to a collection: in one task where it is small, block by block where it is not."""

from typing import NamedTuple

import numpy as np

from ..engine.constants import LIMITS
from ._blocks import with_place
from ._client import (
    Sealed,
    as_it_is,
    interrupts_stay_here,
    out_of_the_way,
    results_of,
    submit,
)
from ._collections import checked, is_large, is_lazy, joined_samples, read
from ._watch import Wire

# Blocks of a stream that are read while one is learned.
_AHEAD = 4


class Outcome(NamedTuple):
    """What a task that fits returns.

    Attributes
    ----------
    estimator : Sealed or None
        The ordinary estimator, fitted; None where the fit was interrupted before it had weights.
    caught : list of tuple
        Warnings that came up, each a message and a category.
    """

    estimator: Sealed | None
    caught: list


def fit(estimator, client, X, y, sample_weight, validation):
    """Fit an ordinary estimator on the workers.

    Parameters
    ----------
    estimator : estimator
        An ordinary one, which is not changed.
    client : distributed.Client
    X, y, sample_weight : collections
    validation : tuple
        X, y and weights of the samples to watch the fit on; all None for none.

    Returns
    -------
    estimator : estimator
        A fitted copy.
    caught : list of tuple
        Warnings that came up.
    """
    with out_of_the_way(), interrupts_stay_here(client):
        return _fitted(estimator, client, X, y, sample_weight, validation)


def _fitted(estimator, client, X, y, sample_weight, validation):
    blocks, first = read(client, X, y, sample_weight), None
    small = False
    if is_large(X):  # an array, whose blocks are alike; what they hold fit_blocks looks at
        rows = np.flatnonzero(X.chunks[0])
        blocks = blocks.some(rows) if rows.size == 1 else blocks
    else:
        blocks, facts = checked(blocks)
        first, small = facts[0], sum(each.numbers for each in facts) <= LIMITS.one_task_numbers
    if any(part is not None for part in validation):
        validation = read(client, *validation, suffix="_val")
        validation, _ = checked(validation, suffix="_val", like=first)
    else:
        validation = None
    if small or blocks.n_blocks == 1:
        return _in_one_task(estimator, blocks, validation)
    from .._block_fit import fit_blocks

    here = (None, None, None)
    if validation is not None:  # what a fit is watched on after each sweep is scored here
        here = tuple(joined_samples(validation.each(as_it_is, [()] * validation.n_blocks)))
    blocks = blocks.let_go()  # what does not fit into memory is read again rather than kept
    return fit_blocks(estimator, blocks, validation=here), []


def _in_one_task(estimator, blocks, validation):
    """The ordinary fit, on the worker of these blocks."""
    client = blocks.client
    with Wire(client, estimator.verbose) as wire:
        parts = [] if validation is None else validation.futures()
        future = submit(client, "fit", _fit, Sealed((estimator, wire)), blocks.futures(), parts)
        (outcome,) = results_of(client, [future], on_interrupt=wire.ask_to_stop)
    return _opened(outcome)


def _opened(outcome):
    if outcome.estimator is None:
        raise KeyboardInterrupt
    return outcome.estimator.open(), outcome.caught


def _fit(work, blocks, validation):
    """On a worker: the ordinary fit to all of these blocks."""
    estimator, wire = work.open()
    X, y, weight = joined_samples(blocks)
    given = {}
    if validation:
        samples = joined_samples(validation)
        given = {"X_val": samples.X, "y_val": samples.y, "sample_weight_val": samples.weight}
    with wire.watched() as caught:
        try:
            estimator.fit(X, y, weight, **given)
        except KeyboardInterrupt:  # it is asked for; and it would end the thread of the worker
            return Outcome(None, caught)
    return Outcome(Sealed(estimator), caught)


def learn(estimator, client, X, y, sample_weight, **given):
    """``partial_fit`` of an ordinary estimator on one block after the other.

    Parameters
    ----------
    estimator : estimator
        An ordinary one, which is not changed.
    client : distributed.Client
    X, y, sample_weight : collections
    **given : dict
        Further arguments of ``partial_fit``.

    Returns
    -------
    estimator : estimator
        A copy that has learned the blocks.
    caught : list of tuple
        Warnings that came up.
    """
    with out_of_the_way(), interrupts_stay_here(client):
        return _learned(estimator, client, X, y, sample_weight, given)


def _learned(estimator, client, X, y, sample_weight, given):
    blocks, _ = checked(read(client, X, y, sample_weight, held=False))
    with Wire(client, estimator.verbose) as wire:
        last = blocks.n_blocks - 1
        states = [submit(client, "start", _as_outcome, Sealed(estimator))]
        for i, name in enumerate(blocks.names):
            if i >= _AHEAD:  # no more are read than are soon to be learned
                results_of(client, [submit(client, "wait", _nothing, states.pop(0))])
            (block,) = blocks.futures([i])
            work = Sealed((wire, given, name, i == last))
            states.append(submit(client, "partial-fit", _learn, work, states[-1], block))
        (outcome,) = results_of(client, states[-1:])
    return _opened(outcome)


def _nothing(state):
    return None


def _as_outcome(estimator):
    return Outcome(estimator, [])


def _learn(work, before, block):
    """On a worker: learn one block."""
    wire, given, name, last = work.open()
    estimator = before.estimator.open()
    with wire.watched(last) as caught:
        try:
            estimator.partial_fit(block.X, block.y, block.weight, **given)
        except Exception as error:
            raise with_place(error, name) from error
    return Outcome(Sealed(estimator), before.caught + caught)


def in_memory(values):
    """A Dask collection as what it holds; other values as they are."""
    if is_lazy(values) and hasattr(values, "compute"):
        return values.compute()
    return values


def with_own_seed(estimator):
    """Give an ordinary estimator a random state that is the same when a task is done again."""
    if estimator.random_state is None:
        seed = np.random.randint(np.iinfo(np.int32).max)  # noqa: NPY002 what None stands for
        estimator.random_state = np.random.RandomState(seed)
    return estimator
