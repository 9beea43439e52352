"""Where the batches of a sweep come from."""

import numpy as np


class Whole:
    """All samples at once, in their order."""

    def epoch(self, rng):
        """The only batch."""
        yield slice(None), 0.0


class Shuffled:
    """Mini-batches of an epoch, in random order; a single batch keeps the order of the samples.

    Parameters
    ----------
    n : int
        Number of samples.
    n_batches : int
    rounds : int, default=1
        How often an epoch goes over all samples.

    Attributes
    ----------
    sizes : list of int
        The numbers of samples that occur in a batch.
    """

    def __init__(self, n, n_batches, *, rounds=1):
        self.n, self.n_batches, self.rounds = n, n_batches, rounds
        self.edges = np.linspace(0, n, n_batches + 1).astype(int)
        self.sizes = [int(m) for m in np.unique(np.diff(self.edges))]

    def order(self, rng):
        """Indices of the samples as they come."""
        return np.arange(self.n) if self.n_batches == 1 else rng.permutation(self.n)

    def epoch(self, rng):
        """Indices of each batch and the share of the epoch that is over."""
        edges = self.edges
        for _ in range(self.rounds):
            order = self.order(rng)
            for batch in range(self.n_batches):
                yield order[edges[batch] : edges[batch + 1]], batch / self.n_batches


class Rounds(Shuffled):
    """A chunk of a stream, gone over several times; a single batch is shuffled too."""

    def order(self, rng):
        # A single sample has one order, for which nothing is drawn.
        return np.arange(1) if self.n == 1 else rng.permutation(self.n)
