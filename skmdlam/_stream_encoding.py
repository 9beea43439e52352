"""How a stream encodes its columns: by a sample of what it has seen, anew as it grows."""

import copy
from dataclasses import replace

import numpy as np

from ._encoding import choose_pieces, keep_pieces
from ._inputs import kinds_of
from ._range import column_means
from .engine.constants import TUNED
from .engine.far_cells import pulled_in_alone
from .engine.inputs.kinds import Kinds
from .engine.inputs.pieces import Pieces
from .engine.loop.stream_state import StreamState
from .engine.moments import means_without
from .engine.stream_columns import with_pieces
from .engine.target_units import TargetUnits


def encode_stream(estimator, problem, network, rng):
    """Find what the first layer sees of a chunk, before it is learned.

    A stream begins with plain columns, or for an encoding that was asked for with the knots of its
    first chunk. Some of its samples are kept. From 100 samples on the encoder is chosen by these,
    and again, for "auto" no coarser, whenever twice as many have been seen, for the last time at
    5,000 or more; each time the weights and what is known of the columns are converted, and the
    function stays at the new knots. After that, and after a fit, the encoder stays what it is until
    many cells of a column lie beyond its knots: beyond them curves are constant, and nothing would
    be learned. Then all begins anew, by samples from there on. Levels and gaps get their columns at
    the same times, and without curves whenever twice as many samples have been seen, for good.
    After a sparse chunk columns stay plain. Another ``encoding`` counts from the next choice on;
    None leaves curves that are there.

    Parameters
    ----------
    estimator : estimator
        Its ``encoder_``, ``_inputs``, ``coefs_``, ``intercepts_``, ``_stream`` and ``_sample`` may
        change.
    problem : Problem
        The chunk, with the samples as they are.
    network : Network
    rng : numpy.random.RandomState
        What says which of the samples are kept.
    """
    if not hasattr(estimator, "coefs_"):
        estimator._sample = None
        kinds = _kinds(estimator, problem)
        if kinds is not None:
            first = Pieces.of(problem.X, 0, problem.sample_weight, kinds=kinds)
            keep_pieces(estimator, None, first)
        if problem.sparse or (estimator.encoding is None and kinds is None):
            return
        # A copy draws: a stream of plain columns is the one that it is without an encoding.
        seed = copy.deepcopy(rng).randint(np.iinfo(np.int32).max)
        estimator._sample = {"seen": 0, "chosen_at": 0, "seed": seed}
        if estimator.encoding not in ("auto", None) and len(problem.Y) < TUNED.encoded_rows:
            known = replace(problem, kinds=kinds)
            keep_pieces(estimator, *choose_pieces(estimator, known, network.solver))
    sample = getattr(estimator, "_sample", None)
    if estimator._inputs is not None and estimator._inputs.scores is not None:
        sample = None  # of a fit: what levels add is known
    elif sample is None and stream_has_begun(estimator) and estimator.encoder_ is not None:
        sample = None if estimator.encoding is None else _settled(estimator, seed=0)
    if sample is None or problem.sparse:
        estimator._sample = None
        return
    if "beyond" in sample:
        beyond = _beyond(sample["beyond"], estimator.encoder_, problem.X)
        estimator._sample = sample = sample | {"beyond": beyond}
        if beyond.max(initial=0.0) < TUNED.stream_beyond:
            return
        sample = {"seen": 0, "chosen_at": 0, "seed": sample["seed"]}
    estimator._sample = sample = _with_chunk(sample, problem)
    if sample["seen"] < max(TUNED.encoded_rows, 2 * sample["chosen_at"]):
        return
    known = replace(problem, X=sample["X"], Y=sample["Y"], sample_weight=sample["weight"])
    known = replace(known, kinds=_kinds(estimator, known))
    # What a curve has learned would be lost in a coarser one.
    least = 0 if estimator.encoder_ is None else estimator.encoder_.n_bins
    units = TargetUnits.of_all(known) if network.target.numeric else TargetUnits()
    # A line through wrong cells would end far away in the last piece.
    believed = replace(known, X=_believed(known.X))
    encoder, pieces = choose_pieces(estimator, units.problem(believed), network.solver, least)
    if pieces is not None:
        if hasattr(estimator, "coefs_"):
            _convert(estimator, pieces, known)
        keep_pieces(estimator, encoder, pieces)
    sample["chosen_at"] = sample["seen"]
    if sample["seen"] >= TUNED.stream_calibrated:
        if estimator.encoder_ is not None:
            estimator._sample = _settled(estimator, sample["seed"])
        elif pieces is None:  # else there may be more levels and gaps
            estimator._sample = None


def _kinds(estimator, problem):
    """Levels and gaps of some samples of a stream, and those that are known.

    A level is not rare because few samples were seen.
    """
    tuned = replace(TUNED, level_rows=1)
    kinds = kinds_of(estimator, problem.X, problem.sample_weight, tuned)
    inputs = estimator._inputs
    if inputs is None or inputs.pieces.kinds is None:
        return kinds
    return inputs.pieces.kinds if kinds is None else kinds.joined(inputs.pieces.kinds)


def _believed(X):
    """Samples with their far cells pulled in; gaps stay."""
    gaps = np.isnan(X)
    if not gaps.any():
        return pulled_in_alone(X)[0]
    means = means_without(X, gaps)
    return np.where(gaps, np.nan, pulled_in_alone(np.where(gaps, means, X).astype(X.dtype))[0])


def stream_has_begun(estimator):
    """Whether a chunk was learned since the last fit, of which there is but a summary of the data.

    Until then there is no generator, and nothing of a stream to convert.
    """
    return "rng" in (getattr(estimator, "_stream", None) or {})


def _settled(estimator, seed):
    """What is kept of a stream whose encoder stays: how many cells were beyond its knots lately."""
    return {"seed": seed, "beyond": np.zeros(estimator.n_features_in_)}


def _beyond(before, encoder, X):
    """Cells of each column beyond the knots, less those that are usual, with those of a chunk."""
    ends = [(knots[0], knots[-1]) if knots.size else (-np.inf, np.inf) for knots in encoder.knots_]
    low, high = np.array(ends).T
    found = ((low > X) | (high < X)).sum(axis=0)
    return np.maximum(before + found - TUNED.stream_beyond_usual * len(X), 0.0)


def _with_chunk(sample, problem):
    """The sample of a stream with that of a chunk: each row so far is in it with the same chance.

    Reservoir sampling: the row that comes as number t takes a place with the chance size / t.
    """
    n, size, seen = problem.X.shape[0], TUNED.stream_sample, sample["seen"]
    weight = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    new = {"X": problem.X, "Y": problem.Y, "weight": weight}
    first = max(min(n, size - seen), 0)
    rng = np.random.RandomState([sample["seed"], seen])
    places = (rng.random_sample(n - first) * np.arange(seen + first + 1, seen + n + 1)).astype(int)
    (taken,) = np.nonzero(places < size)
    grown = sample | {"seen": seen + n}
    for name, rows in new.items():
        before = sample.get(name, rows[:0])
        grown[name] = np.concatenate([before, rows[:first]])
        grown[name][places[taken]] = rows[first + taken]
    return grown


def _convert(estimator, pieces, known):
    """Weights and what is known of a stream, for other encoded columns."""
    old = Pieces.plain(estimator.n_features_in_)
    if estimator._inputs is not None:
        old = estimator._inputs.pieces
    elif pieces.kinds is not None:  # a gap was the mean so far
        old = Pieces(old.curves, kinds=Kinds.of_numbers(column_means(estimator)))
    state = StreamState.from_arrays(estimator._stream)
    state, factor, offset = with_pieces(state, old, pieces, known.X, known.sample_weight)
    estimator._stream = state.as_arrays()
    W, b = estimator.coefs_[0], estimator.intercepts_[0]
    first = (factor @ W).astype(W.dtype), (b + offset @ W).astype(b.dtype)
    estimator.coefs_ = [first[0], *estimator.coefs_[1:]]
    estimator.intercepts_ = [first[1], *estimator.intercepts_[1:]]
