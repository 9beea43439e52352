"""Blocks of rows on the workers of a client."""

import copy
import functools

import numpy as np
import scipy.sparse as sp
from dask.sizeof import sizeof

from ..engine.blocks import Blocks, added, deal, pile_of, piles_of_each, tree_sum
from ..engine.inputs.dense import DenseInput, DenseOnDemand
from ..engine.inputs.encoded import EncodedSamples
from ..engine.inputs.scaled import ScaledInput
from ..engine.inputs.sparse import SparseInput
from ..engine.steps.block_objective import BlockObjective
from ._client import Sealed, as_it_is, large_arguments, results_of, submit

# Arguments up to so many bytes travel within each task; larger ones are sent once.
_SMALL_BYTES = 4096


class DaskBlocks(Blocks):
    """Blocks that are results of tasks, see :class:`skmdlam.engine.blocks.Blocks`.

    The results stay on the workers as long as this object is there. Those of a worker that dies are
    computed again, from the collection that they came from and the functions that were mapped, with
    the same result. Arguments are results of tasks, too: they are sent once, and do not die with a
    worker either.

    Parameters
    ----------
    client : distributed.Client
    futures : list of Future
    names : list of str or None, default=None
        What error messages call them; None for "block 0" and so on.
    """

    def __init__(self, client, futures, names=None, known=None):
        self.client, self._futures = client, list(futures)
        self.names = [f"block {i}" for i in range(len(self._futures))] if names is None else names
        # What mapped functions were given, which may be asked for again: objects and their tasks.
        self._known = {} if known is None else known

    @property
    def n_blocks(self):
        return len(self.names)

    def futures(self, which=None):
        """Futures of some blocks, by their numbers; None for all."""
        return self._futures if which is None else [self._futures[i] for i in which]

    def mapped(self, function, *args):
        known = dict(self._known)
        tasks = self._tasks(function, [()] * self.n_blocks, None, args, known)
        return DaskBlocks(self.client, tasks, self.names, known)

    def each(self, function, args, which=None, shared=()):
        return results_of(self.client, self._tasks(function, args, which, shared))

    def pooled(self, function, args, which=None, shared=()):
        def add(futures):
            return submit(self.client, "sum", added, futures)

        parts = self._tasks(function, args, which, shared)
        return results_of(self.client, [tree_sum(parts, add=add)])[0]

    def dealt(self, n_piles, seed, sizes=None):
        targets = piles_of_each(self.n_blocks, n_piles, sizes)
        hands = [
            submit(self.client, "deal", deal, block, number, own, seed)
            for number, (block, own) in enumerate(zip(self.futures(), targets, strict=True))
        ]
        piles = [[] for _ in range(n_piles)]
        for hand, own in zip(hands, targets, strict=True):
            for pile in sorted(own):
                # At once: a hand is let go when all of it is picked.
                pick = submit(self.client, "pick", _picked, hand, pile, priority=1)
                piles[pile].append(pick)
        futures = [
            submit(self.client, "pile", pile_of, parts, pile, seed)
            for pile, parts in enumerate(piles)
        ]
        return DaskBlocks(self.client, futures, [f"pile {i}" for i in range(n_piles)])

    def release(self):
        self._futures = []

    def _tasks(self, function, args, which=None, shared=(), known=None):
        """Futures of ``function(block, *shared, *args[i])``."""
        which = range(self.n_blocks) if which is None else which
        label, known = label_of(function), dict(self._known) if known is None else known

        def sent(value):
            """Send one object once, also where it is an argument of several tasks."""
            if id(value) not in known:
                sealed = Sealed(value)
                if len(sealed) > _SMALL_BYTES:
                    sealed = submit(self.client, f"{label}-arguments", as_it_is, sealed)
                known[id(value)] = value, sealed
            return known[id(value)][1]

        function, shared = sent(function), [sent(value) for value in shared]
        blocks = self.futures(which)
        return [
            submit(
                self.client,
                label,
                _apply,
                function,
                self.names[i],
                block,
                *shared,
                *map(sent, own),
            )
            for i, block, own in zip(which, blocks, args, strict=True)
        ]


class ReadBlocks(DaskBlocks):
    """Blocks of a collection, which are read when they are asked for, each time anew.

    Parameters
    ----------
    client : distributed.Client
    columns : list of list of Delayed or Future
        For each argument of ``make`` its blocks.
    names : list of str
    make : callable
        ``make(*parts)`` is what a block holds.
    held : bool, default=False
        Read them once, and keep what was read.
    """

    def __init__(self, client, columns, names, make, held=False):
        super().__init__(client, [], names)
        self._columns, self._make = columns, make
        self._held = self._read(range(len(names))) if held else None

    def futures(self, which=None):
        which = range(self.n_blocks) if which is None else which
        return self._read(which) if self._held is None else [self._held[i] for i in which]

    def some(self, which):
        """Some of the blocks."""
        blocks = copy.copy(self)
        blocks.names = [self.names[i] for i in which]
        blocks._columns = [[column[i] for i in which] for column in self._columns]
        blocks._held = None if self._held is None else [self._held[i] for i in which]
        return blocks

    def let_go(self):
        """Blocks that are not kept, and read again for each thing that is asked of them."""
        blocks = copy.copy(self)
        blocks._held = None
        return blocks

    def _read(self, which):
        parts = [[column[i] for i in which] for column in self._columns]
        lazy = [part for column in parts for part in column if hasattr(part, "dask")]
        with large_arguments():
            made = iter(self.client.compute(lazy) if lazy else [])
        parts = [
            [next(made) if hasattr(part, "dask") else part for part in column] for column in parts
        ]
        return [
            submit(self.client, "read", self._make, *block) for block in zip(*parts, strict=True)
        ]


# What samples that are prepared are objects of.
_SAMPLES = (
    BlockObjective,
    DenseInput,
    DenseOnDemand,
    EncodedSamples,
    ScaledInput,
    SparseInput,
)


@sizeof.register(_SAMPLES)
def size_of_samples(samples):
    """Bytes of prepared samples: from it Dask knows when memory ends, and what to put on disk."""
    return object.__sizeof__(samples) + sum(map(sizeof, vars(samples).values()))


def aligned(block):
    """The block with arrays whose numbers begin at multiples of their size.

    What comes from another worker or from disk lies anywhere in a message, and NumPy copies all of
    an array like that whenever some of its rows are taken.
    """
    if isinstance(block, np.ndarray):
        return block if block.flags.aligned else block.copy(order="A")
    if isinstance(block, tuple):
        parts = [aligned(part) for part in block]
        return type(block)(*parts) if hasattr(block, "_fields") else type(block)(parts)
    if isinstance(block, _SAMPLES) or sp.issparse(block):
        for name, value in vars(block).items():
            vars(block)[name] = aligned(value)  # once for all tasks here: its numbers stay
    return block


def label_of(function):
    """What the dashboard calls the tasks of a function: words, with hyphens between them."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "-".join("".join(c if c.isalpha() else " " for c in name).lower().split()) or "task"


def _picked(hand, pile):
    """The samples of one block that go to one pile."""
    return hand[pile]


def _apply(function, name, block, *args):
    """Call a function on a block; an error says which block it was."""
    try:
        return function.open()(aligned(block), *(value.open() for value in args))
    except Exception as error:
        raise with_place(error, name) from error


def with_place(error, name):
    """The error, of its own kind where that takes a message, with where it happened."""
    message = f"{name}: {error}"
    try:
        named = type(error)(message)
    except Exception:
        return RuntimeError(f"{name}: {type(error).__name__}: {error}")
    # Some put other words around it, a KeyError quotes it.
    return named if str(named) in (message, repr(message)) else RuntimeError(message)
