"""How an estimator encodes its columns, and its samples as the first layer sees them."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from ._range import within_range
from ._threads import one_blas_thread
from .encoding import PiecewiseLinearEncoder
from .engine.inputs.encoded import encoded_samples
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
    return _fitted(encoder, estimator, problem.X, problem.sample_weight)


def _fitted(encoder, estimator, X, weight):
    """An encoder of the columns that the estimator knows, for samples that were checked."""
    encoder.n_features_in_ = estimator.n_features_in_
    if hasattr(estimator, "feature_names_in_"):
        encoder.feature_names_in_ = estimator.feature_names_in_
    return encoder._fit(X, weight)


def encoded_problem(problem, encoder):
    """The problem with encoded samples, which are made as they are needed where they are many."""
    if encoder is None:
        return problem
    pieces = encoder._pieces
    return replace(problem, X=encoded_samples(problem.X, pieces), pieces=pieces)


def n_inputs(encoder, X):
    """Inputs of the first layer for samples X."""
    known = encoder is not None and X.shape[1] == encoder.n_features_in_
    return encoder._pieces.size if known else X.shape[1]


def seen_by_network(estimator, X):
    """Samples that were checked as the first layer sees them: clipped, and encoded."""
    if estimator.encoder_ is None:
        return within_range(estimator, X)
    X = X.toarray() if sp.issparse(X) else X  # before: zeros of a sparse X are never clipped
    return encoded_samples(within_range(estimator, X), estimator.encoder_._pieces)


def by_blocks(estimator, X, function):
    """``function(inputs)`` of samples as the first layer sees them, some rows at a time.

    Without an encoder all at once: there is nothing to be made of them.
    """
    encoder = estimator.encoder_
    if encoder is None:
        return function(within_range(estimator, X))
    X = X.tocsr() if sp.issparse(X) else X
    parts = [
        function(seen_by_network(estimator, X[rows])[:])
        for rows in chunks(X.shape[0], encoder._pieces.size)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
