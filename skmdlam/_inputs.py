"""What the first layer sees of samples: columns, scores of levels, and what these become."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from .engine.constants import TUNED
from .engine.inputs.encoded import encoded_samples
from .engine.inputs.kinds import Kinds
from .engine.inputs.levels import CodeColumn, OneHotBlock, are_rare
from .engine.inputs.one_hot import one_hot_blocks
from .engine.inputs.pieces import Pieces
from .engine.level_scores import LevelScores, first_scores, folds_of, renewed_scores, tested_scores
from .engine.level_slopes import slopes_of_levels
from .engine.newton_steps import from_outputs, linear
from .engine.ties import effects_of_values, numbers_with_levels


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
        blocks = [each.columns for each in owners if isinstance(each, OneHotBlock)]
        return list({int(block[0]): block for block in blocks}.values())

    @property
    def made_of(self):
        """The column of the samples that each of :meth:`columns` is; n_features + b for block b."""
        kept = np.arange(self.n_features) if self.kept is None else self.kept
        if self.scores is None:
            return kept
        place = {int(block[0]): self.n_features + b for b, block in enumerate(self.blocks)}
        made = [
            place[int(each.columns[0])] if isinstance(each, OneHotBlock) else each.column
            for each in self.scores.categories
        ]
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


def inputs_of_encoder(encoder):
    """Those of an encoder, for an estimator that knows no more; None where there is none."""
    if encoder is None:
        return None
    options = {name: getattr(encoder, name) for name in ("include_rank", "include_input")}
    pieces = encoder._pieces = Pieces(encoder._pieces.curves, **options)
    return replace(PLAIN, pieces=pieces, n_features=len(pieces.curves))


def categories_to_score(problem, by_hand, tuned=TUNED):
    """Categories with many levels among the columns of a problem, whatever form they have.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    by_hand : bool
        Whether to look for those that do not say that they are: blocks of columns of zeros and
        ones, and numbers with ties.

    Returns
    -------
    categories : list of CodeColumn or OneHotBlock
    tied : list of TiedNumbers
        Numbers whose values may be levels.
    """
    X, kinds = problem.X, problem.kinds
    found = []
    if kinds is not None:
        found = [CodeColumn.of(X, column) for column in np.flatnonzero(kinds.categorical)]
    if by_hand:
        found += _blocks(X, tuned)
    found = [
        each for each in found if are_rare(each, X, problem.sample_weight, tuned, problem.times)
    ]
    ties = by_hand and not problem.sparse and not problem.loss.nonsmooth
    ties = ties and X.shape[1] <= tuned.encoded_columns
    return found, numbers_with_levels(problem, tuned) if ties else []


def _blocks(X, tuned):
    """Blocks of levels; of a sparse X only where the other columns may be dense."""
    blocks = one_hot_blocks(X, tuned)
    others = X.shape[1] - sum(block.size for block in blocks)
    if sp.issparse(X) and others > tuned.encoded_columns:
        return []
    return [OneHotBlock.of(X, block) for block in blocks]


class FromSamples:
    """How scores are found: from the samples of a problem."""

    def of_all_levels(self, categories):
        """The same categories with the levels of all samples."""
        return categories

    def folds(self, problem, categories, tuned):
        """As :func:`~skmdlam.engine.level_scores.folds_of`."""
        return folds_of(problem, categories, tuned)

    def first(self, *args):
        """As :func:`~skmdlam.engine.level_scores.first_scores`."""
        return first_scores(*args)

    def renewed(self, scored, output):
        """As :func:`~skmdlam.engine.level_scores.renewed_scores`."""
        return renewed_scores(scored, output)

    def finished(self, scored, fit):
        """Scores that stay, before there is an end."""
        return scored


FROM_SAMPLES = FromSamples()


def rest_of(categories, d):
    """The columns that stay beside the scores of these categories."""
    blocks = [each.columns for each in categories if isinstance(each, OneHotBlock)]
    kept = np.setdiff1d(np.arange(d), np.concatenate(blocks)) if blocks else None
    return InputColumns(kept, None, None, d)


def scored_problem(problem, categories, tied, fit, scoring=FROM_SAMPLES, tuned=TUNED):
    """The problem with scores of these categories, behind the columns that stay.

    Scores and the network are found in turn: those for a constant first, and then for networks
    that are fitted with the scores before.

    Parameters
    ----------
    problem : Problem
        With samples as they are.
    categories, tied : list
        As :func:`categories_to_score` gives them.
    fit : callable or None
        ``fit(problem)`` gives a function from samples of its columns to outputs; None where scores
        are those for a constant.
    scoring : FromSamples

    Returns
    -------
    problem : Problem
        With the scores of the training samples, which do not know their own targets.
    columns : InputColumns
        Without an encoding.
    """
    d, kinds = problem.X.shape[1], problem.kinds
    columns = rest_of(categories, d)
    coded = [each.column for each in categories if isinstance(each, CodeColumn)]
    if kinds is not None:
        kinds = kinds.without_levels(coded)
    if columns.kept is not None and kinds is not None:
        kinds = kinds.taken(columns.kept)
    rest = columns.rest(problem.X)
    folds = scoring.folds(problem, categories, tuned)
    scored = scoring.first(problem, rest, kinds, categories, folds, tuned)
    for turn in range(0 if fit is None else _rounds(problem, tied, tuned)):
        output = fit(scored.posed())
        renewed = scoring.renewed(scored, output)
        if turn == 0:
            steps = from_outputs(problem, output(scored.X))
            more = slopes_of_levels(scored, categories, folds, steps, tuned)
            more += effects_of_values(problem, tied, steps, tuned)
            renewed = renewed.with_more(*zip(*more, strict=True)) if more else renewed
        if renewed.scores.size == 0:
            return problem, replace(PLAIN, n_features=d)
        scored = renewed
    if fit is not None:
        scored = tested_scores(scored, fit, tuned)
    useful = scored.scores.useful(tuned.level_gain, any_other=rest.shape[1] > len(coded))
    scored = scoring.finished(scored.some(useful), fit)
    return scored.posed(), replace(columns, scores=scored.scores)


def _rounds(problem, tied, tuned):
    """How often a network and scores are found in turn.

    What values of numbers add is told by the first of the networks: they come a round later. Where
    the curvature depends on the output, steps from scores that leave a sample's own target out are
    not those from the scores of all: each round costs likelihood.
    """
    rounds = tuned.level_rounds if linear(problem.loss) else tuned.level_rounds_link
    return rounds + bool(tied)


def kinds_of(estimator, X, weight, tuned=TUNED, *, times=1.0, gaps=False):
    """Levels and gaps of dense samples; None where there is nothing but numbers.

    For each of them there are ``times`` in all, of which some have ``gaps``.
    """
    if sp.issparse(X):
        return None
    categorical = getattr(estimator, "is_categorical_", None)
    if categorical is None and not gaps and not np.isnan(X).any():
        return None
    return Kinds.of(X, weight, categorical, tuned, times)
