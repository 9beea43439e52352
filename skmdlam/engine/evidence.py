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

    ``choice = argmin over T of surprise_T + price_T`` with -2 times the log-likelihood of the
    Gaussian process, per sample and output, for the surprise. Finer pieces gain from samples that
    nobody has looked at, so that their price falls with the number n of samples, and is a gain for
    many: ``price_T = (fine_price - fine_gain log(n / 1000)) log2(T) / 3`` for T > 1.

    Parameters
    ----------
    problem : Problem
        With the samples as they are, dense.
    constants : Constants

    Returns
    -------
    n_pieces : int
    """
    tuned = constants.tuned
    rows = problem.rows
    if rows.total < tuned.encoded_rows:
        return 0
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight.astype(float)
    Y = problem.loss_scaling().transform(problem.Y)
    told = Witnesses.of(problem.loss, Y, weight, rows.total, tuned)
    X = problem.X[told.rows]
    surprises = {}
    for n_pieces in tuned.encoded_pieces:
        pieces = Pieces.of(X, n_pieces, include_input=True)
        if not pieces.n_pieces.any():
            return 0
        noise = told.noise(_standardized(pieces.encoded(X)), tuned)
        surprises[n_pieces] = np.mean([block.surprise for block in noise])
    return _least(surprises, rows.total, tuned)


def _least(surprises, total, tuned):
    """Where surprise and price together are least."""
    price = tuned.fine_price - tuned.fine_gain * np.log(total / 1000.0)
    costs = {T: surprise + price * np.log2(T) / 3.0 for T, surprise in surprises.items()}
    # A likelihood that is no number says nothing.
    costs = {T: cost if np.isfinite(cost) else np.inf for T, cost in costs.items()}
    return min(costs, key=costs.get)


def _standardized(X):
    """Columns with mean 0 and standard deviation 1, constant ones with 0."""
    X = X - X.mean(axis=0)
    spread = X.std(axis=0)
    return np.divide(X, spread, out=np.zeros_like(X), where=spread > 0)
