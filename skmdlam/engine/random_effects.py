"""Random effects: levels have normal effects of one variance, and are guessed by shrunken means.

The best guess of the effect of a level is the mean of what its samples say, shrunken toward the
mean of all (the best linear unbiased predictor; Robinson, "That BLUP is a good thing", Statistical
Science 1991). Training samples get the guess that the samples of other folds give, as what a sample
says must not be known of it already.
"""

from dataclasses import dataclass

import numpy as np

from .inputs.kinds import copies
from .inputs.levels import places

# Rounds of expectation maximization for the two variances.
_ROUNDS = 30
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Folds:
    """Cross-fitting of the levels of one category.

    Attributes
    ----------
    codes : ndarray of int of shape (n,)
        The last one for samples without a level.
    n_levels : int
    fold : ndarray of int of shape (n,)
    weight : ndarray of shape (n,) or None
        Numbers of copies of the samples.
    """

    codes: np.ndarray
    n_levels: int
    fold: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, codes, weight, fold, n_levels=None):
        """For codes with gaps; ``n_levels`` where there are levels that nobody has seen."""
        if n_levels is None:
            n_levels = int(np.nanmax(codes, initial=-1.0)) + 1
        weight = None if weight is None else copies(weight.astype(float))
        return cls(places(codes, n_levels), n_levels, fold, weight)

    def fit(self, asked, weight):
        """Scores of the samples, from the other folds, and the table of all of them.

        Parameters
        ----------
        asked : ndarray of shape (n,)
            What each sample asks for.
        weight : ndarray of shape (n,)
            Weight of the sample: the curvature of the loss there.

        Returns
        -------
        scores : ndarray of shape (n,)
        table : ndarray of shape (n_levels + 1,)
        gain : float
            Share of what the samples ask for that their scores explain; not positive for noise.
        """
        weight = weight if self.weight is None else weight * self.weight
        scores = np.empty(len(asked))
        whole, mean = self._table(asked, weight, slice(None))
        for fold in range(int(self.fold.max()) + 1):
            in_fold = self.fold == fold
            table, others = self._table(asked, weight, ~in_fold)
            # The mean of the other folds would tell what the targets of this one are.
            scores[in_fold] = (table - others)[self.codes[in_fold]]
        scores += mean
        return scores, whole, explained(asked, scores, weight)

    def _table(self, asked, weight, rows):
        """Shrunken means of some samples; to have no level is one more, where some have none.

        Returns
        -------
        table : ndarray of shape (n_levels + 1,)
        mean : float
            Of the levels, which a level that nobody has seen is guessed to be.
        """
        part = self.codes[rows], asked[rows], weight[rows]
        counts = None if self.weight is None else self.weight[rows]
        means = shrunken_means(*part, self.n_levels + 1, counts)
        return means[:-1], means[-1]


def explained(asked, scores, weight):
    """Share of the weighted variance that is explained, less than zero where it gets larger."""
    around = asked - (weight @ asked) / max(float(weight.sum()), _TINY)
    variance = float(weight @ np.square(around))
    return 1.0 - float(weight @ np.square(asked - scores)) / max(variance, _TINY)


def shrunken_means(codes, values, weight, n_levels, counts=None):
    """Means of levels, shrunken toward their mean as much as they are likely to be chance.

    ``values = mean + effect + noise / sqrt(weight)``, where effects and noise are normal, each with
    one variance. These are estimated by expectation maximization.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        ``n_levels`` for samples that have no level.
    values, weight : ndarray of shape (n,)
    n_levels : int
    counts : ndarray of shape (n,) or None
        Copies of each sample, which are in its weight; one where it is None.

    Returns
    -------
    table : ndarray of shape (n_levels + 1,)
        The last entry is the mean of the levels.
    """
    total = np.bincount(codes, weight, n_levels + 1)[:n_levels]
    sums = np.bincount(codes, weight * values, n_levels + 1)[:n_levels]
    seen = total > 0
    if not seen.any():
        mean = float(weight @ values) / max(float(weight.sum()), _TINY)
        return np.full(n_levels + 1, mean)
    means = np.divide(sums, total, out=np.zeros(n_levels), where=seen)
    known = codes < n_levels
    residual = values[known] - means[codes[known]]
    n_samples = float(known.sum() if counts is None else counts[known].sum())
    squares = float(weight[known] @ np.square(residual))
    return means_of_sums(total, means, squares, n_samples)


def means_of_sums(total, means, squares, n_samples):
    """The same from sums over the samples of each level.

    Parameters
    ----------
    total : ndarray of shape (n_levels,)
        Weights; zero for a level that no sample has, and positive for some.
    means : ndarray of shape (n_levels,)
    squares : float
        Weighted squares around these means, of all samples.
    n_samples : float

    Returns
    -------
    table : ndarray of shape (n_levels + 1,)
    """
    seen, n_levels = total > 0, total.size
    n_seen = int(seen.sum())
    within = squares / max(n_samples - n_seen, 1)
    total, found = total[seen], means[seen]
    mean = float(total @ found) / float(total.sum())
    # The moments give a start.
    between = float(total @ np.square(found - mean)) - within * (n_seen - 1)
    between /= max(float(total.sum() - (total @ total) / total.sum()), _TINY)
    floor = max(1e-9 * within, _TINY)
    for _ in range(_ROUNDS):
        between = max(between, floor)
        kept = total / (total + within / between)
        mean = float(kept @ found) / float(kept.sum())
        effect = kept * (found - mean)
        between = float(np.mean(np.square(effect) + between * (1.0 - kept)))
    kept = total / (total + within / max(between, floor))
    table = np.full(n_levels + 1, mean)
    table[:-1][seen] = mean + kept * (found - mean)
    return table
