"""Whether and how finely columns are encoded: what the targets say before any weight moves.

The Gaussian process that a wide network is has a likelihood for the targets in any coordinates of
the samples. Where a column acts through its tails, its steps or its ranks, the pieces of
:mod:`~skmdlam.engine.inputs.pieces` explain the targets better; where targets are smooth in
directions that mix columns, they explain them worse.
"""

import numpy as np

from .constants import CONSTANTS
from .inputs.pieces import Pieces
from .regularization import Witnesses


def choose_n_pieces(problem, constants=CONSTANTS):
    """The number of pieces of a column that explains the targets best, 0 for plain columns.

    ``argmin over T of surprise_T - gain level_T log(n / 1000) + finest [T = 16]`` with -2 times the
    log-likelihood of the Gaussian process, per sample and output, for the surprise, and the levels
    0 for plain columns, 1 for ranks beside them (T = 1) and 2 for more pieces. Curves gain from
    samples that nobody has looked at, so that few samples have to be much better explained by them,
    and many need not be explained better at all.

    Parameters
    ----------
    problem : Problem
        With the samples as they are, dense.
    constants : Constants

    Returns
    -------
    n_pieces : int
    """
    tuned, rows = constants.tuned, problem.rows
    if rows.total < tuned.encoded_rows:
        return 0
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight.astype(float)
    Y = problem.loss_scaling().transform(problem.Y)
    told = Witnesses.of(problem.loss, Y, weight, rows.total, tuned)
    X, costs = problem.X[told.rows], {}
    size = np.log(rows.total / 1000.0)
    for level, n_pieces, price in (
        (0, 0, 0.0),
        (1, 1, 0.0),
        (2, tuned.few_pieces, 0.0),
        (2, tuned.many_pieces, tuned.many_pieces_price),
    ):
        pieces = Pieces.of(X, n_pieces, include_input=True) if n_pieces else None
        if pieces is not None and not pieces.n_pieces.any():
            return 0
        encoded = X if pieces is None else pieces.encoded(X)
        surprise = np.mean([noise.surprise for noise in told.noise(_standardized(encoded), tuned)])
        costs[n_pieces] = surprise - tuned.pieces_gain * level * size + price
    # A likelihood that is no number says nothing.
    return min(costs, key=lambda n_pieces: np.nan_to_num(costs[n_pieces], nan=np.inf))


def _standardized(X):
    """Columns with mean 0 and standard deviation 1, constant ones with 0."""
    X = X - X.mean(axis=0)
    spread = X.std(axis=0)
    return np.divide(X, spread, out=np.zeros_like(X), where=spread > 0)
