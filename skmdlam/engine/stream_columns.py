"""Other encoded columns for a stream on its way: what becomes of all that it knows."""

from dataclasses import replace

import numpy as np

from .inputs.stored import basis_of_summary
from .moments import Moments, Reach, varies


def with_pieces(state, old, new, X, weight):
    """The state of a stream whose columns are encoded anew.

    The function stays at the knots of the new pieces. What is known of the new columns is what some
    samples of the stream say, and what was known of those that stay.

    Parameters
    ----------
    state : StreamState
    old, new : Pieces
    X : ndarray of shape (m, d)
        Some samples of the stream, not encoded: the first ones first, as far as the summary has
        these.
    weight : ndarray of shape (m,) or None
        Their weights.

    Returns
    -------
    state : StreamState
    factor, offset : ndarray
        As :meth:`~skmdlam.engine.inputs.pieces.Pieces.in_terms_of` gives them.
    """
    factor, offset = new.in_terms_of(old)
    summary = _summary(state.summary, old, new, X, weight)
    basis = basis_of_summary(summary, state.basis.dtype, X.dtype, rotate=state.basis.rotated)
    woken, dormant = _starts(state, old, new, X, weight)
    first = dict(state.layers[0])
    for name in ("V", "average"):
        W, b = (
            part + more for part, more in zip(state.basis.expand(first[name]), woken, strict=True)
        )
        moved = basis.contract(factor @ W, b + offset @ W)
        first[name] = moved.astype(first[name].dtype)
    first["velocity"] = np.zeros_like(first["V"])
    state = replace(
        state, summary=summary, basis=basis, layers=[first, *state.layers[1:]], dormant=dormant
    )
    return state, factor, offset


def _starts(state, old, new, X, weight):
    """Starting weights of columns that were constant and of those that still are.

    As long as few samples were seen it may be all that the first layer has.

    Returns
    -------
    woken : tuple of ndarray
        Weights and intercepts of the old columns: of those that vary among the samples.
    dormant : ndarray or None
        For the new columns, where they are not encoded.
    """
    if state.dormant is None:
        return (0.0, 0.0), None
    encoded = old.encoded(X)
    found = _moments(encoded, weight)
    fresh = (found.spread > 0) & ~state.basis.columns.vary
    inverse = np.divide(1.0, found.spread, out=np.zeros_like(found.spread), where=fresh)
    W = inverse[:, None] * state.dormant
    dormant = np.zeros((new.size, W.shape[1]), dtype=state.dormant.dtype)
    for column in np.flatnonzero(new.straight):
        before = old.straight & (old.source == new.source[column])
        dormant[column] = state.dormant[before].sum(axis=0)
    return (W, -(found.mean @ W)), dormant


def _moments(encoded, weight, *, full=False):
    """Moments of some samples, in which a column of one value has no spread at all.

    The rounding of its mean would look like one, and the weights of a column that begins to vary
    are divided by its spread.
    """
    found = Moments.of(encoded, weight, full=full)
    vary = (encoded != encoded[:1]).any(axis=0)
    vary &= varies(found.mean, found.spread, encoded.dtype)
    square = found.square * (vary & vary[:, None] if full else vary)
    return Moments(found.weight, found.mean, square)


def _summary(summary, old, new, X, weight):
    """What is known of the samples in other columns."""
    encoded = new.encoded(X)
    joint, seen = _moments(encoded, weight, full=True), Reach.of(encoded)
    mean, square = joint.mean.copy(), joint.spread**2 * summary.weight
    low, high = np.where(new.straight, (seen.low, seen.high), [[0.0], [1.0]])
    far, first = np.zeros(new.size), summary.first
    reach, target_reach = summary.reached()
    for column in np.flatnonzero(new.straight):
        (before,) = np.nonzero(old.straight & (old.source == new.source[column]))
        if not before.size:  # it was a curve: what the samples say
            continue
        for kept, known in (
            (mean, summary.columns.mean),
            (square, summary.columns.square),
            (low, reach.low),
            (high, reach.high),
            (far, reach.far),
        ):
            kept[column] = known[before[0]]
    return replace(
        summary,
        columns=Moments(summary.weight, mean, square),
        joint=None if summary.joint is None else joint,
        reach=Reach(low, high, far),
        target_reach=target_reach,
        first=None if first is None else first | {"X": encoded[: len(first["Y"])]},
    )
