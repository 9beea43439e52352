"""What the first layer sees of samples: columns, scores of levels, and what these become."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from .engine.constants import TUNED
from .engine.inputs.encoded import encoded_samples
from .engine.inputs.kinds import Kinds, common_levels, level_counts
from .engine.inputs.one_hot import codes_of, one_hot_blocks
from .engine.inputs.pieces import Pieces
from .engine.level_scores import Folds, LevelScores, first_scores, renewed_scores, slope_scores


@dataclass(frozen=True)
class InputColumns:
    """The way from samples that were checked to those of the first layer.

    Attributes
    ----------
    kept : ndarray of int or None
        Columns that stay, where the rest of them are levels that have but a score; None for all.
    scores : LevelScores or None
        Columns that come behind these.
    pieces : Pieces or None
        What all of them are encoded by; None for plain columns.
    n_features : int
        Columns of the samples.
    """

    kept: np.ndarray | None
    scores: LevelScores | None
    pieces: Pieces | None
    n_features: int

    @property
    def size(self):
        """Inputs of the first layer."""
        if self.pieces is not None:
            return self.pieces.size
        n_scores = 0 if self.scores is None else self.scores.size
        return n_scores + (self.n_features if self.kept is None else len(self.kept))

    @property
    def blocks(self):
        """Blocks of columns of zeros and ones that have scores, a list of ndarray."""
        owners = [] if self.scores is None else self.scores.categories
        return list({int(where[0]): where for where in owners if np.ndim(where)}.values())

    @property
    def made_of(self):
        """The column of the samples that each of :meth:`columns` is; n_features + b for block b."""
        kept = np.arange(self.n_features) if self.kept is None else self.kept
        if self.scores is None:
            return kept
        place = {int(block[0]): self.n_features + b for b, block in enumerate(self.blocks)}
        made = [place[int(w[0])] if np.ndim(w) else w for w in self.scores.categories]
        return np.r_[kept, np.array(made, dtype=int)]

    @property
    def source(self):
        """The same for each input."""
        made_of = self.made_of
        return made_of if self.pieces is None else made_of[self.pieces.source]

    def column_names(self, names):
        """Names of :meth:`columns`, from those of the columns of the samples."""
        found = [names[column] for column in self.made_of if column < self.n_features]
        if self.scores is None:
            return found
        owners = self.made_of[len(self.made_of) - self.scores.size :]
        found = found[: len(self.made_of) - self.scores.size]
        names = [*names, *(block_name(block, names) for block in self.blocks)]
        for score, owner in enumerate(owners):
            end = f"_{np.sum(owners[:score] == owner)}" if np.sum(owners == owner) > 1 else ""
            found.append(f"{names[owner]}_score{end}")
        return found

    def names(self, names, levels):
        """Names of the inputs.

        Parameters
        ----------
        names : sequence of str
            Of the columns of the samples.
        levels : dict of list of str
            Names of the levels of each column that is a category.
        """
        found = self.column_names(names)
        if self.pieces is None:
            return np.array(found, dtype=object)
        made_of, kinds = self.made_of, self.pieces.kinds
        coded = [] if kinds is None else np.flatnonzero(kinds.categorical)
        return self.pieces.names(found, [levels[made_of[column]] for column in coded])

    def columns(self, X):
        """Samples with scores, and without the columns that have but these."""
        rest = self.rest(X)
        return rest if self.scores is None else np.hstack([rest, self.scores(X)])

    def rest(self, X):
        """The columns that stay, dense where others do not."""
        if self.kept is None:
            return X
        X = X[:, self.kept]
        return X.toarray() if sp.issparse(X) else X

    def __call__(self, X):
        """Samples of shape (n, n_features) as the first layer sees them, an array or on demand."""
        X = self.columns(X)
        return X if self.pieces is None else encoded_samples(X, self.pieces)


def block_name(block, names):
    """Name of a category that is a block of columns."""
    return f"{names[block[0]]}..{names[block[-1]]}"


PLAIN = InputColumns(None, None, None, 0)


@dataclass(frozen=True)
class Category:
    """A category whose levels get scores.

    Attributes
    ----------
    where : int or ndarray
        Its column of codes, or its block of columns of zeros and ones.
    codes : ndarray of shape (n,)
        Of the samples.
    n_levels : int
    """

    where: object
    codes: np.ndarray
    n_levels: int

    @classmethod
    def of(cls, where, codes, n_levels, weight, tuned=TUNED):
        """The category; None where nearly all samples have a level that has a column anyway."""
        counts = level_counts(codes, weight)
        common = common_levels(counts, tuned)
        rare = counts.sum() - counts[common].sum()
        few = np.count_nonzero(counts) <= tuned.few_levels
        if few or rare <= tuned.rare_levels * counts.sum():
            return None
        return cls(where, codes, n_levels)


def categories_to_score(problem, by_hand, tuned=TUNED):
    """Categories with many levels among the columns of a problem: of codes, and by hand.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    by_hand : bool
        Whether to look for blocks of columns of zeros and ones.

    Returns
    -------
    categories : list of Category
    """
    X, weight, kinds = problem.X, problem.sample_weight, problem.kinds
    found = []
    if kinds is not None:
        for column in np.flatnonzero(kinds.categorical):
            codes = X[:, column]
            n_levels = int(np.nanmax(codes, initial=-1.0)) + 1
            found.append(Category.of(int(column), codes, n_levels, weight, tuned))
    if by_hand:
        for block in one_hot_blocks(X, tuned):
            found.append(Category.of(block, codes_of(X, block), block.size, weight, tuned))
    return [category for category in found if category is not None]


def scored_problem(problem, categories, fit, seed, tuned=TUNED):
    """The problem with scores of these categories, behind the columns that stay.

    Scores and the network are found in turn: those for a constant first, and then for networks
    that are fitted with the scores before.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    categories : list of Category
    fit : callable or None
        ``fit(problem)`` gives a function from samples of its columns to outputs; None where scores
        are those for a constant.
    seed : int
        For the folds.

    Returns
    -------
    problem : Problem
        With the scores of the training samples, which do not know their own targets.
    columns : InputColumns
        Without an encoding.
    """
    n, d = problem.X.shape
    rng = np.random.RandomState(seed)
    fold = rng.permutation(n) % tuned.level_folds
    folds = [
        Folds.of(category.codes, problem.sample_weight, fold, category.n_levels)
        for category in categories
    ]
    where = [category.where for category in categories]
    values, scores = first_scores(problem, where, folds, tuned)
    kept = None
    blocks = [category for category in categories if np.ndim(category.where)]
    if blocks:
        stays = np.ones(d, dtype=bool)
        for category in blocks:
            stays[category.where] = False
        kept = np.flatnonzero(stays)
    coded = [category.where for category in categories if not np.ndim(category.where)]
    columns = InputColumns(kept, scores, None, d)
    rest = columns.rest(problem.X)

    kinds = problem.kinds
    if kinds is not None:
        kinds = kinds.without_levels(coded)
        kinds = kinds if kept is None else kinds.taken(kept)

    def with_scores(values):
        known = None if kinds is None else kinds.with_numbers(values)
        return replace(problem, X=np.hstack([rest, values]), kinds=known)

    owner = [next(i for i, w in enumerate(where) if w is each) for each in scores.categories]
    crossed = [folds[index] for index in owner]
    for turn in range(tuned.level_rounds if fit is not None else 0):
        output = fit(with_scores(values))
        if turn == 0:
            values, scores, more = slope_scores(
                replace(problem, kinds=kinds),
                scores,
                where,
                folds,
                rest,
                values,
                output,
                tuned,
            )
            if more:
                crossed += [folds[place] for place in more]
                output = fit(with_scores(values))
        values, scores = renewed_scores(problem, values, scores, crossed, rest, output)
    kept_scores = scores.useful(tuned.level_gain, any_other=rest.shape[1] > len(coded))
    values, scores = values[:, kept_scores], scores.some(kept_scores)
    return with_scores(values), replace(columns, scores=scores)


def kinds_of(estimator, X, weight, tuned=TUNED):
    """Levels and gaps of dense samples; None where there is nothing but numbers."""
    if sp.issparse(X):
        return None
    categorical = getattr(estimator, "is_categorical_", None)
    if categorical is None and not np.isnan(X).any():
        return None
    return Kinds.of(X, weight, categorical, tuned)
