"""What the first layer of an estimator sees: how that is chosen, and samples as it sees them."""

from dataclasses import replace
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ._devices import SAMPLES_ON_HOST
from ._inputs import FROM_SAMPLES, PLAIN, categories_to_score, kinds_of, scored_problem
from ._range import within_range, without_gaps
from ._threads import one_blas_thread
from .encoding import PiecewiseLinearEncoder
from .engine.constants import TUNED
from .engine.inputs.encoded import encoded_samples
from .engine.inputs.kinds import Kinds
from .engine.inputs.pieces import Pieces
from .engine.moments import chunks


def check_encoding(estimator, X):
    """Refuse an encoding that these columns cannot get, before any work."""
    encoding = estimator.encoding
    if isinstance(encoding, PiecewiseLinearEncoder):
        encoding._validate_params()
    fitted = getattr(estimator, "encoder_", None)
    if sp.issparse(X) and (fitted is not None or encoding not in (None, "auto")):
        asked = encoding if isinstance(encoding, str) else type(encoding).__name__
        what = f"encoding={asked!r}"
        if fitted is not None:
            what = "the columns of the last fit were encoded"
        raise ValueError(
            f"X is sparse, and {what}: only dense columns can be encoded. Convert X with "
            "toarray(), or set encoding=None and fit from the start."
        )


def choose_encoder(estimator, problem, solver, least=0):
    """The encoder of a new fit, fitted to the samples of its problem; None for plain columns.

    Parameters
    ----------
    estimator : estimator
    problem : Problem
        With the samples as they are.
    solver : solver object
        One with a method ``choose_n_pieces`` has a say in "auto".
    least : int, default=0
        Pieces that "auto" takes at least.

    Returns
    -------
    encoder : PiecewiseLinearEncoder or None
    """
    encoding = estimator.encoding
    if encoding is None or problem.sparse:
        return None
    if encoding == "auto":
        with one_blas_thread():
            n_bins = getattr(solver, "choose_n_pieces", lambda problem: 0)(problem)
        if max(n_bins, least) == 0:
            return None
        encoder = PiecewiseLinearEncoder(max(n_bins, least))
    elif encoding == "piecewise":
        encoder = PiecewiseLinearEncoder()
    else:
        encoder = clone(encoding)
    return _fitted(encoder, estimator, problem)


def _fitted(encoder, estimator, problem):
    """An encoder of the columns that the estimator knows, for samples that were checked."""
    encoder.n_features_in_ = problem.X.shape[1]
    if problem.X.shape[1] == estimator.n_features_in_ and hasattr(estimator, "feature_names_in_"):
        encoder.feature_names_in_ = estimator.feature_names_in_
    coded = problem.kinds is not None and problem.kinds.categorical.any()
    if coded or problem.X.shape[1] != estimator.n_features_in_:
        encoder._is_inside = True  # of numbers that only the estimator makes of its X
    return encoder._fit(problem.X, problem.sample_weight, problem.kinds)


def choose_columns(estimator, problem, network, units, fit, *, kinds=None, scoring=FROM_SAMPLES):
    """What the first layer of a new fit sees; kept as ``encoder_`` and ``_inputs``.

    Parameters
    ----------
    estimator : estimator
    problem : Problem
        With the samples as they are.
    network : Network
    units : TargetUnits
    fit : callable
        ``fit(problem)`` fits a network to encoded samples and returns a function from encoded
        samples to outputs.
    kinds : Kinds or None, default=None
        Of samples of which these are some; None for those of these.
    scoring : FromSamples
        What finds scores of levels.

    Returns
    -------
    problem : Problem
        With encoded samples, which are made as they are needed where they are many.
    """
    if hasattr(problem.X, "taken"):
        return _columns_on_device(estimator, problem, network, units)
    if kinds is None:
        kinds = kinds_of(estimator, problem.X, problem.sample_weight)
    problem = replace(problem, kinds=kinds)
    columns = replace(PLAIN, n_features=problem.X.shape[1])
    fits = hasattr(network.solver, "choose_n_pieces") and bool(network.hidden)
    plain = estimator.encoding is None or problem.penalty.ridge is None
    categories, tied = categories_to_score(problem, by_hand=fits and not plain)
    categories = scoring.of_all_levels(categories)
    if categories or tied:
        chosen = []  # the first choice holds for the others on the way

        def fit_columns(problem):
            problem = problem.at_most(TUNED.level_samples)
            if not chosen:
                encoder = choose_encoder(estimator, units.problem(problem), network.solver)
                chosen.append(encoder)
            elif chosen[0] is not None:
                encoder = _fitted(clone(chosen[0]), estimator, problem)
            else:
                encoder = None
            pieces = _pieces(encoder, problem)
            return partial(_of_columns, fit(_with_pieces(problem, pieces)), pieces)

        alternate = fits and not problem.loss.nonsmooth
        alternation = fit_columns if alternate else None
        problem, columns = scored_problem(problem, categories, tied, alternation, scoring)
        if columns.scores is not None and problem.kinds is None:
            # They say what a gap is that training never saw.
            problem = replace(problem, kinds=Kinds.of(problem.X, problem.sample_weight))
    encoder, pieces = choose_pieces(estimator, units.problem(problem), network.solver)
    keep_pieces(estimator, encoder, pieces)
    if columns.scores is not None:
        estimator._inputs = replace(columns, pieces=pieces)
    return _with_pieces(problem, pieces)


def _columns_on_device(estimator, problem, network, units):
    """The same for samples that stay on a device, by some of them: plain columns or curves."""
    some = problem.at_most(SAMPLES_ON_HOST)
    some = replace(some, X=some.X[:])
    encoder, pieces = choose_pieces(estimator, units.problem(some), network.solver)
    keep_pieces(estimator, encoder, pieces)
    if pieces is None:
        return problem
    return replace(problem, X=problem.X.encoded(pieces), pieces=pieces)


def _known_on_device(problem, inputs):
    if inputs is None:
        return problem
    if inputs.scores is not None or not inputs.pieces.only_numbers:
        raise ValueError(
            "The last fit was to columns with categories, gaps or scores of values, which so many "
            "samples on a device do not get: move X to NumPy, or set warm_start=False."
        )
    return replace(problem, X=problem.X.encoded(inputs.pieces), pieces=inputs.pieces)


def _of_columns(output, pieces, X):
    """Outputs for columns that are encoded before."""
    return output(X if pieces is None else pieces.encoded(X))


def choose_pieces(estimator, problem, solver, least=0):
    """The encoder and the pieces of a problem; None where columns are plain numbers."""
    encoder = choose_encoder(estimator, problem, solver, least)
    return encoder, _pieces(encoder, problem)


def _pieces(encoder, problem):
    """What encodes the columns of a problem; None where they are plain numbers."""
    if encoder is not None:
        return encoder._pieces
    if problem.kinds is None:
        return None
    return Pieces.of(problem.X, 0, problem.sample_weight, kinds=problem.kinds)


def keep_pieces(estimator, encoder, pieces):
    """Keep an encoder and pieces as all there is to the columns."""
    estimator.encoder_ = encoder
    estimator._inputs = None
    if pieces is not None:
        n_features = estimator.n_features_in_
        estimator._inputs = replace(PLAIN, pieces=pieces, n_features=n_features)


def _with_pieces(problem, pieces):
    if pieces is None:
        return problem
    return replace(problem, X=encoded_samples(problem.X, pieces), pieces=pieces)


def known_columns(estimator, problem):
    """The problem in the columns that the estimator has chosen before."""
    inputs = estimator._inputs
    if hasattr(problem.X, "taken"):
        return _known_on_device(problem, inputs)
    if inputs is None:
        return replace(problem, X=without_gaps(estimator, problem.X))
    X = inputs.columns(problem.X)
    return _with_pieces(replace(problem, X=X), inputs.pieces)


def n_inputs(estimator, X):
    """Inputs of the first layer for samples X."""
    inputs = getattr(estimator, "_inputs", None)
    known = inputs is not None and X.shape[1] == inputs.n_features
    return inputs.size if known else X.shape[1]


def feature_names(estimator):
    """Names of the columns of X, those of a data frame or x0, x1, ..."""
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{j}" for j in range(estimator.n_features_in_)] if names is None else list(names)


def level_names(estimator):
    """By column that is a category the names of its levels; gaps are "missing"."""
    if estimator.is_categorical_ is None:
        return {}
    return {
        int(column): ["missing" if level != level else str(level) for level in levels.tolist()]
        for column, levels in zip(
            np.flatnonzero(estimator.is_categorical_), estimator.categories_, strict=True
        )
    }


def input_names(estimator):
    """Names of the inputs of the first layer, an array of str."""
    names, inputs = feature_names(estimator), estimator._inputs
    if inputs is None:
        return np.array(names, dtype=object)
    return inputs.names(names, level_names(estimator))


def seen_by_network(estimator, X):
    """Samples that were checked as the first layer sees them: clipped, and encoded."""
    inputs = estimator._inputs
    if inputs is None:
        return within_range(estimator, X)
    if sp.issparse(X) and inputs.kept is None:
        X = X.toarray()  # before: zeros of a sparse X are never clipped
    return inputs(within_range(estimator, X))


def by_blocks(estimator, X, function):
    """``function(inputs)`` of samples as the first layer sees them, some rows at a time.

    Plain columns all at once: there is nothing to be made of them.
    """
    if estimator._inputs is None:
        return function(within_range(estimator, X))
    X = X.tocsr() if sp.issparse(X) else X
    parts = [
        function(seen_by_network(estimator, X[rows])[:])
        for rows in chunks(X.shape[0], estimator._inputs.size)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
