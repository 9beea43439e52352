"""How far off predictions are, from samples that were left out: a standard deviation and T."""

import warnings
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.linear_model import GammaRegressor

from ._range import within_range
from ._validation import LARGEST_INPUT
from .engine.constants import LIMITS, TUNED
from .engine.moments import chunks, extremes, weighted_quantile
from .engine.problem import forward, hidden_activations

_MEDIAN = norm.ppf(0.75)  # of the absolute value of a standard normal variable


def check_calibrate(estimator, target, n):
    """Refuse a calibration that is not possible, before any work.

    Parameters
    ----------
    estimator : estimator
    target : ClassTarget or NumericTarget
    n : int
        Samples to train on.
    """
    if not estimator.calibrate:
        return
    if not target.loss.central:
        raise ValueError(
            f"calibrate=True estimates a standard deviation around a mean or a median, and "
            f"loss={estimator.loss!r} predicts neither. Set calibrate=False, or another loss."
        )
    if n < 2:
        raise ValueError(
            "calibrate=True holds out samples: it needs at least 2 of positive weight; got 1 "
            "sample."
        )


def folds_of(n, strata, rng, tuned=TUNED):
    """The fold of each sample, drawn at random, with its share of every class.

    Parameters
    ----------
    n : int
    strata : ndarray of shape (n,) or None
        Classes.
    rng : numpy.random.RandomState

    Returns
    -------
    folds : ndarray of int of shape (n,)
    """
    order = rng.permutation(n)
    if strata is not None:
        _, codes = np.unique(strata, return_inverse=True)
        order = order[np.argsort(codes.ravel()[order], kind="stable")]
    few = n < tuned.left_out_few
    n_folds = min(tuned.left_out_folds_few if few else tuned.left_out_folds, n)
    folds = np.empty(n, dtype=int)
    folds[order] = np.arange(n) % n_folds
    return folds


@dataclass(frozen=True)
class LeftOut:
    """What networks say that have not seen some of the samples.

    Attributes
    ----------
    folds : ndarray of int of shape (n,)
    outputs : ndarray of shape (n, K)
        For each sample those of the network that has not seen it.
    of_all : ndarray of shape (n_folds, m, K)
        Outputs of all for the same few samples.
    normalized : ndarray of shape (m,)
        Weights of these.
    """

    folds: np.ndarray
    outputs: np.ndarray
    of_all: np.ndarray
    normalized: np.ndarray

    def spread(self, link):
        """Variance of the predictions of one network, by what the networks differ."""
        return self.normalized @ targets_of(self.of_all, link).var(axis=0, ddof=1)


def targets_of(outputs, link):
    """Predictions, none so far off that its square overflows: no target is."""
    return np.clip(link(outputs), -LARGEST_INPUT, LARGEST_INPUT)


def left_out(problem, folds, fit, clip, tuned=TUNED):
    """Predict each sample by a network that has not seen it.

    Parameters
    ----------
    problem : Problem
        In the columns that the first layer sees, which are those of all samples.
    folds : ndarray of int of shape (n,)
    fit : callable
        ``fit(problem, seed)`` fits a network to some of the samples and returns a function from
        columns to outputs.
    clip : bool
        Whether new samples are clipped to the range of those.

    Returns
    -------
    LeftOut
    """
    outputs, of_all = np.empty(problem.Y.shape), []
    few = problem.at_most(tuned.std_spread_rows)
    for fold in range(folds.max() + 1):
        kept, left = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        part = problem.some(kept)
        output = fit(part, fold)
        low, high = (end.astype(part.X.dtype) for end in extremes(part.X))
        # As an estimator that was fitted to these samples sees others.
        reader = SimpleNamespace(clip=clip, data_min_=low, data_max_=high, _inputs=part.pieces)
        X = problem.some(left).X
        X = X.tocsr() if sp.issparse(X) else X
        for rows in chunks(len(left), X.shape[1]):
            outputs[left[rows]] = output(within_range(reader, X[rows]))
        of_all.append(output(within_range(reader, few.X[:])))
    if not np.isfinite(outputs).all():
        raise FloatingPointError(
            "Predictions of held-out samples are beyond the range of floating point: "
            "scale X and y, or set calibrate=False."
        )
    return LeftOut(folds, outputs, np.array(of_all, dtype=float), few.rows.normalized())


# -- numbers: a standard deviation that depends on the sample -------------------------------------


class Noise:
    r"""Variance of new targets, from errors of left-out samples.

    :math:`\log v_k = c_k + w_k^T [a, z_k]` for the activations a of the last hidden layer of one
    network and the output :math:`z_k`, held within what most training samples have.

    Attributes
    ----------
    coefs : ndarray of shape (n_units + 1, K)
    intercepts : ndarray of shape (K,)
    low, high : ndarray of shape (K,)
        Bounds of the logarithm.
    """

    def __init__(self, coefs, intercepts, low, high):
        self.coefs, self.intercepts, self.low, self.high = coefs, intercepts, low, high

    def as_arrays(self):
        """What an estimator keeps."""
        return dict(vars(self))

    def std(self, activations, outputs):
        """Standard deviations of shape (n, K)."""
        log = activations.astype(float) @ self.coefs[:-1]
        log += outputs * self.coefs[-1]
        log += self.intercepts
        return np.exp(0.5 * np.clip(log, self.low, self.high))

    @classmethod
    def of(cls, activations, outputs, errors, folds, weight=None, spread=0.0, tuned=TUNED):
        """From samples that were left out.

        Parameters
        ----------
        activations : ndarray of shape (n, n_units)
        outputs, errors : ndarray of shape (n, K)
            Outputs of the network that predicts, and errors of those that left the samples out.
        folds : ndarray of int of shape (n,)
        weight : ndarray of shape (n,) or None
        spread : ndarray of shape (K,) or float
            Variance of errors that the network that predicts does not have.
        """
        n, K = errors.shape
        weight = np.ones(n) if weight is None else weight.astype(float)
        normalized = weight / weight.sum()
        square = np.square(errors, dtype=float)
        mean = normalized @ square
        remains = np.ones(K)
        np.divide(spread, mean, out=remains, where=mean > 0)
        remains = np.where(mean > 0, np.maximum(1.0 - remains, tuned.std_remains), 1.0)
        with np.errstate(divide="ignore"):
            constant = np.log(mean) + np.log(remains)
        found = cls(np.zeros((activations.shape[1] + 1, K)), constant, constant, constant)
        if n < tuned.std_samples:
            return found
        found = cls(*(part.copy() for part in vars(found).values()))
        for k in np.flatnonzero(mean > 0):
            inputs = np.column_stack([activations, outputs[:, k]]).astype(float)
            parts = _head(inputs, square[:, k], folds, weight, tuned)
            found.coefs[:, k] = parts[0]
            for part, value in zip(
                (found.intercepts, found.low, found.high), parts[1:], strict=True
            ):
                part[k] = value + np.log(remains[k])
        return found


def _head(inputs, square, folds, weight, tuned):
    """A variance model of one target: coefs, intercept and bounds of the logarithm."""
    normalized = weight / weight.sum()
    mean = normalized @ inputs
    std = np.sqrt(normalized @ np.square(inputs - mean))
    varies = std > 1e-7 * (np.abs(mean) + std)
    inverse = np.divide(1.0, std, out=np.zeros_like(std), where=varies)
    inputs = (inputs - mean) * inverse
    ratio, square = np.sqrt(square), np.maximum(square, tuned.std_floor * (normalized @ square))
    square = _without_outliers(inputs, square, weight, tuned)
    logs = np.empty(len(square))
    for fold in np.unique(folds):
        left = folds == fold
        log = _log_variance(inputs[~left], square[~left], weight[~left], tuned)[0]
        logs[left] = log(inputs[left])
    _, (coefs, intercept, low, high) = _log_variance(inputs, square, weight, tuned)
    ratio *= np.exp(-0.5 * logs)
    factor = weighted_quantile(ratio, normalized, 0.5) / _MEDIAN
    if factor == 0.0:  # half of the errors are none
        factor = np.sqrt(normalized @ np.square(ratio))
    scale = 2.0 * np.log(factor)
    coefs = coefs * inverse
    return coefs, intercept - mean @ coefs + scale, low + scale, high + scale


def _without_outliers(inputs, square, weight, tuned):
    """Squared errors, none far beyond what others say of it; the argument where none is.

    A variance that is fitted to them all is about the outliers alone.
    """
    normalized = weight / weight.sum()
    usual = weighted_quantile(square, normalized, 0.5) / _MEDIAN**2
    if square.max() <= tuned.std_outlier_any**2 * usual:
        return square
    near = np.minimum(square, tuned.std_outlier**2 * usual)
    found = _log_variance(inputs, near, weight, tuned)[0](inputs)
    found += np.log(weighted_quantile(square * np.exp(-found), normalized, 0.5) / _MEDIAN**2)
    return np.minimum(square, tuned.std_outlier**2 * np.exp(found))


def _log_variance(inputs, square, weight, tuned, limits=LIMITS):
    """Gamma regression of squared errors: a function of inputs, and what it is made of."""
    total = weight.sum()
    normalized, mean = weight / total, weight @ square / total
    alpha = tuned.std_alpha / total  # beside a mean over samples
    solver = "newton-cholesky" if inputs.shape[1] <= limits.std_newton else "lbfgs"
    model = GammaRegressor(alpha=alpha, solver=solver, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(inputs, square / mean, sample_weight=weight)
    log = inputs @ model.coef_ + (model.intercept_ + np.log(mean))
    low, high = (
        weighted_quantile(log, normalized, q) for q in (tuned.std_tail, 1.0 - tuned.std_tail)
    )
    parts = model.coef_, model.intercept_ + np.log(mean), low, high
    return lambda X: np.clip(X @ parts[0] + parts[1], low, high), parts


def noise_of(estimator, problem, found, tuned=TUNED):
    """Variance of new targets of a fitted regressor; arrays for :func:`predicted`.

    Parameters
    ----------
    estimator : estimator
    problem : Problem
        What it was fitted to, in the units of y.
    found : LeftOut
    """
    outputs, folds, link = found.outputs, found.folds, estimator._loss.inverse_link
    # Their mean is better than one network by that.
    spread = (1.0 - 1.0 / estimator.n_networks_) * found.spread(link)
    n = len(outputs)
    if n > tuned.std_rows:
        rows = np.sort(np.random.RandomState(0).permutation(n)[: tuned.std_rows])
        outputs, folds, problem = outputs[rows], folds[rows], problem.some(rows)
    width = problem.X.shape[1] + estimator.coefs_[0].shape[1]
    seen = []
    for rows in chunks(len(outputs), width):
        a, z = _activations_and_outputs(estimator, problem.X[rows])
        seen.append((a.copy(), z))  # of several networks those of the others are not kept
    activations, fitted = (np.concatenate(part) for part in zip(*seen, strict=True))
    errors, weight = targets_of(outputs, link) - problem.Y, problem.sample_weight
    return Noise.of(activations, fitted, errors, folds, weight, spread, tuned).as_arrays()


def _activations_and_outputs(estimator, X):
    """Last hidden layer of the first network, and outputs of all together."""
    weights, layer = (estimator.coefs_, estimator.intercepts_), len(estimator.coefs_) - 2
    width = 0
    if layer >= 0:
        n_networks = estimator.n_networks_
        X = hidden_activations(X, *weights, estimator._activations, layer, n_networks)
        width = X.shape[1] // n_networks
    return X[:, :width], forward(X, *(part[-1:] for part in weights), [])


def predicted(estimator, X):
    """Outputs and standard deviations for samples as the first layer sees them, side by side."""
    activations, z = _activations_and_outputs(estimator, X)
    std = Noise(**estimator._noise).std(activations, z)
    return np.hstack([z, std.astype(z.dtype, copy=False)])


# -- classes: a temperature -----------------------------------------------------------------------


def temperature_of(problem, outputs, tuned=TUNED):
    r"""The number that outputs are to be divided by; 1 where that is not clearly better.

    Few samples that are all predicted right would ask for certainty. Labels are therefore taken for
    another one, any with the same probability, with :math:`\epsilon = c / (n + c)`, as if c more
    samples had labels by chance. The loss is linear in the indicators of the labels, by
    :math:`-y^T z`, and that is :math:`\epsilon` times a margin.

    Parameters
    ----------
    problem : Problem
    outputs : ndarray of shape (n, K)
        For left-out samples.

    Returns
    -------
    temperature : float
    """
    Y, normalized = problem.Y, problem.rows.normalized()
    if (Y[0] == Y).all():
        return 1.0
    by_chance = 1.0 / Y.shape[1] if problem.loss.out_activation == "softmax" else 0.5
    doubt = 1.0 / (1.0 + 1.0 / (tuned.temperature_doubt * (normalized @ normalized)))
    penalty = doubt * ((Y - by_chance) * outputs).sum(axis=1)

    def value(log_temperature):
        inverse = np.exp(-log_temperature)
        return problem.loss.value(outputs * inverse, Y) + inverse * penalty

    def loss(log_temperature):
        return normalized @ value(log_temperature)

    bounds = (-tuned.temperature_range, tuned.temperature_range)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x
    gain = value(0.0) - value(found)
    mean = normalized @ gain
    error = np.sqrt(np.square(normalized) @ np.square(gain - mean))
    return float(np.exp(found)) if mean > tuned.temperature_errors * error else 1.0


def cooled(coefs, intercepts, temperature):
    """The network whose outputs are divided by a temperature."""
    last = coefs[-1].dtype.type(temperature)
    return [*coefs[:-1], coefs[-1] / last], [*intercepts[:-1], intercepts[-1] / last]
