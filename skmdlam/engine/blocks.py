"""Where the samples of a large problem are: blocks of rows that functions are sent to."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp


class Part(NamedTuple):
    """Some samples: the rows of one block.

    Attributes
    ----------
    X : ndarray, EncodedSamples or sparse matrix of shape (m, d)
    Y : ndarray of shape (m, K)
        Targets as the loss takes them.
    weight : ndarray of shape (m,) or None
        Positive weights; None where all are one.
    """

    X: object
    Y: np.ndarray
    weight: np.ndarray | None = None

    @property
    def n(self):
        """Number of samples."""
        return self.X.shape[0]

    def take(self, rows):
        """Some of them."""
        weight = None if self.weight is None else self.weight[rows]
        return Part(self.X[rows], self.Y[rows], weight)

    @classmethod
    def joined(cls, parts):
        """The samples of several parts, in their order."""
        parts = [part for part in parts if part.n] or list(parts)[:1]
        if len(parts) == 1:
            return parts[0]
        stack = sp.vstack if sp.issparse(parts[0].X) else np.concatenate
        weight = None
        if any(part.weight is not None for part in parts):
            weight = np.concatenate(
                [np.ones(part.n) if part.weight is None else part.weight for part in parts]
            )
        X = stack([part.X for part in parts])
        X = X.tocsr() if sp.issparse(X) else X
        return cls(X, np.concatenate([part.Y for part in parts]), weight)


class Blocks(ABC):
    """Blocks of rows, wherever they are, and what can be asked of them.

    A function that is sent to a block is one of a module, and depends on nothing but its arguments:
    where a block is lost it is computed again, somewhere else, with the same result. What it
    returns is small unless it stays there (:meth:`mapped`).
    """

    @property
    @abstractmethod
    def n_blocks(self):
        """Number of blocks."""

    @abstractmethod
    def mapped(self, function, *args):
        """Blocks that are ``function(block, *args)``; they stay where their blocks are."""

    @abstractmethod
    def each(self, function, args, which=None):
        """``function(block, *args[i])`` of some blocks, side by side.

        Parameters
        ----------
        function : callable
        args : list of tuple
            Further arguments, one tuple for each of the blocks.
        which : sequence of int or None, default=None
            Their numbers; None for all.

        Returns
        -------
        results : list
            In the order of the blocks that were asked for.
        """

    @abstractmethod
    def total(self, function, *args):
        """Sum of ``function(block, *args)`` over all blocks, of numbers, arrays or tuples of them.

        The sum is that of a tree of fixed form: it does not depend on where the blocks are.
        """

    def total_of_each(self, function, args):
        """Sum of ``function(block, *args[i])`` over all blocks, as :meth:`total`."""
        return tree_sum(self.each(function, args))

    @abstractmethod
    def dealt(self, n_piles, seed):
        """Blocks with the same samples in random order, about as many in each.

        Parameters
        ----------
        n_piles : int
            How many blocks there will be.
        seed : int
            What decides which sample goes where, with the blocks as they are.
        """


class LocalBlocks(Blocks):
    """Blocks in the memory of this process, one after another.

    Parameters
    ----------
    parts : list
    """

    def __init__(self, parts):
        self.parts = list(parts)

    @property
    def n_blocks(self):
        return len(self.parts)

    def mapped(self, function, *args):
        return LocalBlocks([function(part, *args) for part in self.parts])

    def each(self, function, args, which=None):
        which = range(self.n_blocks) if which is None else which
        return [function(self.parts[i], *own) for i, own in zip(which, args, strict=True)]

    def total(self, function, *args):
        return tree_sum([function(part, *args) for part in self.parts])

    def dealt(self, n_piles, seed):
        hands = [deal(part, number, n_piles, seed) for number, part in enumerate(self.parts)]
        return LocalBlocks(
            [
                pile_of([hand[pile] for hand in hands if pile in hand], pile, seed)
                for pile in range(n_piles)
            ]
        )


def tree_sum(values, arity=8, add=None):
    """The sum of a list by a tree of fixed form."""
    add = added if add is None else add
    while len(values) > 1:
        values = [add(values[i : i + arity]) for i in range(0, len(values), arity)]
    return values[0]


def added(values):
    """The sum of numbers, of arrays, or of tuples of them entry by entry."""
    first, *rest = values
    if isinstance(first, tuple):
        return tuple(added(entries) for entries in zip(*values, strict=True))
    for value in rest:
        first = first + value
    return first


# Piles that the samples of one block go to, at most: many blocks times many piles would be a flood.
_MOST_PILES = 32


def piles_of(number, n_piles):
    """The piles that the samples of block ``number`` go to, spread over all."""
    m = min(n_piles, _MOST_PILES)
    step = n_piles / m
    return [int(number + j * step) % n_piles for j in range(m)]


def deal(part, number, n_piles, seed):
    """The samples of one block in random order, by the pile that they go to, a dict."""
    rng = np.random.default_rng([seed, 0, number])
    order = rng.permutation(part.n)
    piles = piles_of(number, n_piles)
    # What is left over goes to other piles for each block.
    shift = int(rng.integers(len(piles)))
    edges = np.linspace(0, part.n, len(piles) + 1).astype(int)
    return {
        piles[(j + shift) % len(piles)]: part.take(np.sort(order[edges[j] : edges[j + 1]]))
        for j in range(len(piles))
    }


def pile_of(parts, pile, seed):
    """The samples that a pile was dealt, in random order."""
    part = Part.joined(parts)
    return part.take(np.random.default_rng([seed, 1, pile]).permutation(part.n))
