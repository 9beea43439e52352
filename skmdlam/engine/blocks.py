"""Where the samples of a large problem are: blocks of rows that functions are sent to."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp


def joined_rows(arrays):
    """The rows of several arrays or sparse matrices, one below the other."""
    stack = sp.vstack if sp.issparse(arrays[0]) else np.concatenate
    rows = stack(arrays)
    return rows.tocsr() if sp.issparse(rows) else rows


def joined_weights(weights, rows):
    """The weights of these rows, one where there are none; None where there are none at all."""
    if all(weight is None for weight in weights):
        return None
    return np.concatenate(
        [
            np.ones(own.shape[0]) if weight is None else weight
            for weight, own in zip(weights, rows, strict=True)
        ]
    )


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
        """Some of them; samples that are encoded on demand stay so."""
        weight = None if self.weight is None else self.weight[rows]
        X = self.X.taken(rows) if hasattr(self.X, "taken") else self.X[rows]
        return self._replace(X=X, Y=self.Y[rows], weight=weight)

    @classmethod
    def joined(cls, parts):
        """The samples of several parts, in their order."""
        parts = [part for part in parts if part.n] or list(parts)[:1]
        if len(parts) == 1:
            return parts[0]
        X, Y, weights = zip(*parts, strict=True)
        return cls(joined_rows(X), np.concatenate(Y), joined_weights(weights, Y))


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
    def each(self, function, args, which=None, shared=()):
        """``function(block, *shared, *args[i])`` of some blocks, side by side.

        Parameters
        ----------
        function : callable
        args : list of tuple
            Further arguments, one tuple for each of the blocks.
        which : sequence of int or None, default=None
            Their numbers; None for all.
        shared : tuple
            Arguments that are the same for all, which travel once.

        Returns
        -------
        results : list
            In the order of the blocks that were asked for.
        """

    @abstractmethod
    def pooled(self, function, args, which=None, shared=()):
        """The sum of what :meth:`each` returns, of numbers, arrays, or lists and dicts of them.

        The sum is that of a tree of fixed form: it does not depend on where the blocks are.
        """

    def total(self, function, *args):
        """Sum of ``function(block, *args)`` over all blocks."""
        return self.pooled(function, [()] * self.n_blocks, shared=args)

    @abstractmethod
    def dealt(self, n_piles, seed, sizes=None):
        """Blocks with the same samples in random order, about as many in each.

        Parameters
        ----------
        n_piles : int
            How many blocks there will be.
        seed : int
            What decides which sample goes where, with the blocks as they are.
        sizes : list of int or None, default=None
            Samples in each block; None where these are about as many.
        """

    @abstractmethod
    def release(self):
        """Nothing more is asked of these blocks: what they hold need not be kept."""


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

    def each(self, function, args, which=None, shared=()):
        which = range(self.n_blocks) if which is None else which
        return [function(self.parts[i], *shared, *own) for i, own in zip(which, args, strict=True)]

    def pooled(self, function, args, which=None, shared=()):
        return tree_sum(self.each(function, args, which, shared))

    def release(self):
        self.parts = [None] * self.n_blocks

    def dealt(self, n_piles, seed, sizes=None):
        piles = piles_of_each(self.n_blocks, n_piles, sizes)
        hands = [
            deal(part, number, own, seed)
            for number, (part, own) in enumerate(zip(self.parts, piles, strict=True))
        ]
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
    """The sum of numbers or arrays, or of tuples, lists and dicts of them entry by entry.

    What is None in one of them is not known of their sum.
    """
    first, *rest = values
    if any(value is None for value in values):
        return None
    if isinstance(first, dict):
        return {name: added([value[name] for value in values]) for name in first}
    if isinstance(first, tuple | list):
        return type(first)(added(entries) for entries in zip(*values, strict=True))
    for value in rest:
        first = first + value
    return first


def times(factor, values):
    """The same structure with every number in it multiplied."""
    if values is None:
        return None
    if isinstance(values, dict):
        return {name: times(factor, value) for name, value in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(times(factor, value) for value in values)
    return values * factor


# Piles that the samples of one of many blocks go to: all times all would be a flood.
_FEW_PILES = 32


def piles_of_each(n_blocks, n_piles, sizes=None):
    """The piles that the samples of each block go to, spread over all, a list of lists.

    Where there are many blocks these are a few, and together all piles have as many. A block of
    many samples goes to so many that it is no more than a part of each of them.
    """
    sizes = np.ones(n_blocks) if sizes is None else np.asarray(sizes, dtype=float)
    wanted = np.ceil(4.0 * n_piles * sizes / max(sizes.sum(), 1.0)).astype(int)
    counts = np.minimum(n_piles, np.maximum(_FEW_PILES, wanted)).tolist()
    return [
        [(number + j * n_piles // m) % n_piles for j in range(m)] for number, m in enumerate(counts)
    ]


def deal(part, number, piles, seed):
    """The samples of one block in random order, by the pile that they go to, a dict."""
    rng = np.random.default_rng([seed, 0, number])
    order = rng.permutation(part.n)
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
