"""What a chunk becomes on its way into a stream, and what is known with it."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from .blocks import joined_rows, joined_weights
from .constants import LIMITS, TUNED
from .far_cells import pulled_in, pulled_in_alone
from .summary import DataSummary


def admitted(problem, before, tuned=TUNED, limits=LIMITS):
    """A chunk with its far cells pulled in, and the summary of it and all that came before.

    The first samples are kept as long as they are too few to tell an error by: what was taken for
    data is judged anew with each chunk, and where it was an error the sums are made anew. All other
    sums are merged, and exact where nothing is far.

    Parameters
    ----------
    problem : Problem
        The chunk.
    before : DataSummary or None
    tuned : Tuned
    limits : Limits

    Returns
    -------
    problem : Problem
        The very same where nothing is far.
    summary : DataSummary
    another : ndarray of bool of shape (d,) or None
        Columns whose far cells are believed now. They are of another kind than before, and the
        units are not those of the data; None where nothing is (targets may be, without a column).
    """
    if before is not None and before.first is None:
        rows, (reach, target_reach) = before.rows, before.reached()
        X, reach, columns = pulled_in(
            problem.X, before.columns, reach, rows, tuned, bounded=problem.bounded
        )
        Y, target_reach, targets = pulled_in(
            problem.Y, before.targets, target_reach, rows, tuned, to_edge=True
        )
        problem = _with(problem, X, Y)
        summary = before + _summary(problem, (reach, target_reach), limits)
        return problem, summary, columns if targets.any() or columns.any() else None
    return *_among_the_first(problem, before, tuned, limits), None


def _with(problem, X, Y):
    """The problem with other cells; the same one where they are the same."""
    if X is problem.X and Y is problem.Y:
        return problem
    return replace(problem, X=X, Y=Y)


def _summary(problem, reaches, limits):
    return DataSummary.of(
        problem.X,
        problem.Y,
        problem.sample_weight,
        joint=True,
        reaches=reaches,
        limits=limits,
    )


def _among_the_first(problem, before, tuned, limits):
    """The same, of a chunk before which there was little or nothing."""
    chunk = everything = problem
    earlier = None if before is None else before.first
    if earlier is not None:
        everything = _joined(earlier, problem)
    X, reach = pulled_in_alone(everything.X, tuned, bounded=problem.bounded)
    Y, target_reach = pulled_in_alone(everything.Y, tuned, to_edge=True)
    pulled = not (X is everything.X and Y is everything.Y)
    if pulled:
        new = slice(X.shape[0] - problem.X.shape[0], None)
        chunk = replace(problem, X=X[new], Y=Y[new])
    if earlier is None or pulled or earlier["pulled"]:
        summary = _summary(_with(everything, X, Y), (reach, target_reach), limits)
    else:
        summary = before + _summary(problem, None, limits)
    few = summary.rows < tuned.stream_first and X.shape[1] <= limits.stream_covariance
    if few:
        weight = everything.sample_weight
        # Copies: the caller may fill the same arrays with the next chunk.
        raw = everything.X.toarray() if everything.sparse else everything.X.copy()
        weight = None if weight is None else weight.copy()
        first = {"X": raw, "Y": everything.Y.copy(), "weight": weight, "pulled": pulled}
        summary = replace(summary, first=first)
    return chunk, summary


def _joined(first, problem):
    """The first samples and a chunk as one problem."""
    known = sp.csr_array(first["X"]) if problem.sparse else first["X"]
    X = joined_rows([known, problem.X if problem.sparse else problem.X[:]])
    Y = first["Y"], problem.Y
    weight = joined_weights([first["weight"], problem.sample_weight], Y)
    return replace(problem, X=X, Y=np.concatenate(Y), sample_weight=weight)
