"""Blocks of rows on the workers of a client."""

import functools

from ..engine.blocks import Blocks, added, deal, pile_of, piles_of, tree_sum
from ._client import Sealed, results_of, submit

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
        self.client, self.futures = client, list(futures)
        self.names = [f"block {i}" for i in range(len(self.futures))] if names is None else names
        # What mapped functions were given, which may be asked for again: objects and their tasks.
        self._known = {} if known is None else known

    @property
    def n_blocks(self):
        return len(self.futures)

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

    def dealt(self, n_piles, seed):
        n = self.n_blocks
        hands = [
            submit(self.client, "deal", deal, block, number, n, n_piles, seed)
            for number, block in enumerate(self.futures)
        ]
        piles = [[] for _ in range(n_piles)]
        for number, hand in enumerate(hands):
            for pile in sorted(set(piles_of(number, n, n_piles))):
                piles[pile].append(submit(self.client, "pick", _picked, hand, pile))
        futures = [
            submit(self.client, "pile", pile_of, parts, pile, seed)
            for pile, parts in enumerate(piles)
        ]
        return DaskBlocks(self.client, futures, [f"pile {i}" for i in range(n_piles)])

    def _tasks(self, function, args, which=None, shared=(), known=None):
        """Futures of ``function(block, *shared, *args[i])``."""
        which = range(self.n_blocks) if which is None else which
        label, known = label_of(function), dict(self._known) if known is None else known

        def sent(value):
            """Send one object once, also where it is an argument of several tasks."""
            if id(value) not in known:
                sealed = Sealed(value)
                if len(sealed) > _SMALL_BYTES:
                    sealed = submit(self.client, f"{label}-arguments", _as_it_is, sealed)
                known[id(value)] = value, sealed
            return known[id(value)][1]

        function, shared = sent(function), [sent(value) for value in shared]
        return [
            submit(
                self.client,
                label,
                _apply,
                function,
                self.names[i],
                self.futures[i],
                *shared,
                *map(sent, own),
            )
            for i, own in zip(which, args, strict=True)
        ]


def label_of(function):
    """What the dashboard calls the tasks of a function: words, with hyphens between them."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "-".join("".join(c if c.isalpha() else " " for c in name).lower().split()) or "task"


def _as_it_is(value):
    return value


def _picked(hand, pile):
    """The samples of one block that go to one pile."""
    return hand[pile]


def _apply(function, name, block, *args):
    """Call a function on a block; an error says which block it was."""
    try:
        return function.open()(block, *(value.open() for value in args))
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
