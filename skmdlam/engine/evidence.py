"""Whether and how finely columns are encoded: what the targets say before any weight moves.

The Gaussian process that a wide network is predicts each of some samples from the others, in any
coordinates of the samples. Where a column acts through its tails, its steps or its ranks, it
predicts better from the pieces of :mod:`~skmdlam.engine.inputs.pieces`; where targets are smooth in
directions that mix columns, worse.
"""

import numpy as np
import scipy.linalg

from .constants import CONSTANTS, TUNED
from .inputs.pieces import Pieces
from .moments import pulled_in, varies
from .process import centered, first_equal, left_out_errors, relu_kernel
from .regularization import blocks_of_rows, some_classes

# Variances of the noise to choose from, in units of the mean variance of the process.
_NOISE = np.geomspace(0.003, 1000.0, 12)


def choose_n_pieces(problem, constants=CONSTANTS):
    """The number of pieces of a column that predicts the targets best, 0 for plain columns.

    ``argmin over T of log(error_T) + (price D / n - gain log(n / 1000)) [T > 1]``, with the error
    of :func:`leave_one_out`, for plain columns (T = 0), ranks (T = 1) and curves of 8 or 16 pieces.
    Curves gain from samples beyond those that are looked at: with few samples they have to be
    better, with many they may be a little worse. Where few of many columns matter, a network drops
    plain columns, which the process cannot, and can drop far fewer pieces: D is the effective
    number of columns, see :func:`effective_columns`. A loss with a kink gets no curves, which it
    would fit to the noise. Of 1,200 samples and more six blocks of 200 are looked at, and what is
    far behind after some of them is given up; of fewer 400. Curves that only their gain speaks for
    have to predict better among 800.

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
    # Of weights of less than one on average only the ratios count.
    total = max(rows.total, rows.n_rows) * problem.times
    if total < tuned.encoded_rows:
        return 0
    gain, price = tuned.pieces_gain * np.log(total / 1000.0), tuned.pieces_price / total
    fine = () if problem.loss.nonsmooth else (tuned.few_pieces, tuned.many_pieces)
    errors, found = dict.fromkeys((0, 1, *fine), 0.0), []
    for X, Y in _blocks(problem, tuned):
        for n_pieces in errors:
            encoded = _encoded(X, n_pieces, problem.kinds)
            if encoded is None:
                return 0  # columns of two values
            errors[n_pieces] += leave_one_out(_standardized(encoded), Y, tuned)
        if not all(error > 0 for error in errors.values()):
            return 0  # constants, or no numbers: nothing can be told
        found.append(effective_columns(_standardized(_encoded(X, 0, problem.kinds))))
        curves = price * np.median(found) - gain
        costs = {T: np.log(error) + curves * (T > 1) for T, error in errors.items()}
        best = min(costs, key=costs.get)
        limit = costs[best] + tuned.pieces_behind
        errors = {T: e for T, e in errors.items() if costs[T] < limit or e < errors[best]}
    rivals = [T for T in errors if T <= 1 and errors[T] < errors[best]]
    if best <= 1 or not rivals or total < 2 * tuned.pieces_contested:
        return best
    # Curves that are chosen for their gain alone have to show it on more samples.
    rival = min(rivals, key=errors.get)
    ((X, Y),) = _blocks(problem, tuned, tuned.pieces_contested, 1)
    curved, plain = (
        leave_one_out(_standardized(_encoded(X, T, problem.kinds)), Y, tuned) for T in (best, rival)
    )
    return best if curved < plain else rival


def _blocks(problem, tuned, size=None, n_blocks=1):
    """Some samples and their targets in units of the loss, block by block."""
    Y, weight = problem.loss_scaling().transform(problem.Y), problem.sample_weight
    members, classes = some_classes(problem.loss, Y, tuned)
    looked_at = np.ones(len(Y)) if weight is None else weight.astype(float)
    looked_at *= max(1.0, len(Y) / looked_at.sum())
    if members is not None:
        looked_at *= members
    if size is None:
        size = tuned.noise_samples
        if looked_at.sum() >= tuned.pieces_blocks * tuned.pieces_samples:
            size, n_blocks = tuned.pieces_samples, tuned.pieces_blocks
    for rows in blocks_of_rows(looked_at, size, n_blocks):
        X, shown = problem.X[rows].astype(float), Y[rows][:, classes].astype(float)
        plain = _standardized(_encoded(X, 0, problem.kinds))
        first = first_equal(plain @ plain.T, shown)
        X, shown = X[first], shown[first]
        if problem.loss.outlier_threshold < np.inf:
            shown = pulled_in(shown, np.full(len(shown), 1.0 / len(shown)))
        yield X, shown


def _encoded(X, n_pieces, kinds):
    """Samples in so many pieces, themselves in 0; None where no column has pieces."""
    if n_pieces == 0:
        return X if kinds is None else Pieces.of(X, 0, kinds=kinds).encoded(X)
    pieces = Pieces.of(X, n_pieces, include_rank=True, kinds=kinds)
    return pieces.encoded(X) if pieces.n_pieces.any() else None


def effective_columns(X):
    """How many independent columns have as much in common as these: ``(tr C)^2 / ||C||^2``.

    From the inner products of m samples, less what these have in common by chance.

    Parameters
    ----------
    X : ndarray of shape (m, d)
        Standardized.

    Returns
    -------
    effective : float
        At most d, but for chance.
    """
    inner = X @ X.T
    seen = float(inner.trace()) ** 2 / max(float(np.vdot(inner, inner)), np.finfo(float).tiny)
    fraction = 1.0 / max(seen, 1.0) - 1.0 / len(X)
    return min(1.0 / fraction, X.shape[1]) if fraction > 0 else float(X.shape[1])


def leave_one_out(X, Y, tuned=TUNED):
    """Error of a wide network for each sample, predicted from all others.

    The targets are taken as ``mean + process + noise`` as in
    :func:`~skmdlam.engine.regularization.noise_of`, with the noise that has the least mean square.

    Parameters
    ----------
    X : ndarray of shape (m, d)
    Y : ndarray of shape (m, K)

    Returns
    -------
    error : float
        Mean square over that of the targets around their mean; not a number where nothing can be
        told.
    """
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    m = len(X)
    kernel = centered(relu_kernel(X @ X.T, tuned.kernel_constant))
    spread, variance = float(kernel.trace()), float(np.vdot(Y, Y))
    if m < 3 or not (np.isfinite(spread) and spread > 0 and np.isfinite(variance) and variance > 0):
        return np.nan
    values, vectors = scipy.linalg.eigh(kernel, overwrite_a=True, check_finite=False)
    noise = _NOISE * (spread / (m - 1.0))
    errors = left_out_errors(np.maximum(values, 0.0), vectors, vectors.T @ Y, noise)
    return float(errors.min()) / variance


def _standardized(X):
    """Columns with mean 0 and standard deviation 1, constant ones with 0."""
    mean = X.mean(axis=0)
    X = X - mean
    spread = X.std(axis=0)
    return np.divide(X, spread, out=np.zeros_like(X), where=varies(mean, spread, X.dtype))
