"""Results of a run, turned into fitted attributes, curves and warnings."""

import os
import sys
import warnings
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._monitor import LARGEST
from ._scaling_advice import why_not_converged
from .engine.moments import pulled_in
from .engine.reductions import Rows
from .engine.summary import DataSummary

_CURVES = ("loss", "objective", "epsilon", "rho", "gap")
# Files that a call of the user goes through on its way: this package, scikit-learn's fit context.
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FIT_CONTEXT = os.path.join("sklearn", "base.py")


def stacklevel_of_user():
    """``stacklevel`` with which a warning of the caller points at the line of the user."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not (name.startswith(_PACKAGE) or name.endswith(_FIT_CONTEXT)):
            break
        frame, level = frame.f_back, level + 1
    return level


def keep_network(estimator, problem, target, sizes):
    """Keep what prediction needs besides the weights.

    Parameters
    ----------
    estimator : estimator
    problem : Problem
    target : ClassTarget or NumericTarget
    sizes : list of int
        Units of each layer, from the inputs to the outputs.
    """
    estimator.n_layers_, estimator.n_outputs_ = len(sizes), sizes[-1]
    estimator.out_activation_ = problem.loss.out_activation
    estimator._activations, estimator._loss = problem.activations, problem.loss
    vars(estimator).update(target.attributes())


def keep_start(estimator, run, samples):
    """Keep what a run has estimated before its first sweep, and what a stream may go on from.

    Parameters
    ----------
    estimator : estimator
    run : Run
        Of a fit.
    samples : Samples
        What it is fitted to.
    """
    keep_summary(estimator, run, summary_of(samples, estimator._loss, run.moments))


def summary_of(samples, loss, moments):
    """What some samples say, of columns with these moments.

    Parameters
    ----------
    samples : Samples or Part
    loss : Loss
    moments : tuple of ndarray
        Mean and standard deviation of the columns.

    Returns
    -------
    DataSummary
    """
    X, Y, weight = samples.X, samples.Y, samples.weight
    if loss.outlier_threshold < np.inf:  # outliers do not own the unit of a stream
        Y = pulled_in(Y, Rows(len(Y), weight).normalized())
    return DataSummary.of(X, Y, weight, moments=moments)


def keep_summary(estimator, run, summary):
    """The same as :func:`keep_start` where the summary of the samples is known.

    Parameters
    ----------
    estimator : estimator
    run : Run
    summary : DataSummary
    """
    estimator._stream = replace(summary, estimated=run.estimated).as_arrays()
    _keep_regularization(estimator, run)


def keep_fit(estimator, result, monitor, solver=None, problem=None):
    """Keep the weights and the curves of a fit, and warn of one that ended too early.

    Parameters
    ----------
    estimator : estimator
    result : Result
    monitor : ValidationMonitor or None
    solver : solver object, default=None
    problem : Problem, default=None
        What was minimized, in the units of the user; both tell whether features need scaling.
    """
    _keep_weights(estimator, result.coefs, result.intercepts, "fit")
    records = result.records
    estimator.n_iter_ = len(records)
    # Far from the data exp(z) of the Poisson loss is larger than any float.
    estimator.loss_curve_ = [min(record.loss, LARGEST) for record in records]
    kept = [min(record.kept, LARGEST) for record in records]
    estimator.objective_curve_ = [min(record.objective, LARGEST) for record in records]
    estimator.epsilon_curve_ = [record.epsilon for record in records]
    estimator.rho_curve_ = [record.rho for record in records]
    estimator.gap_curve_ = [record.gap for record in records]
    estimator.loss_ = kept[-1] if records else np.inf
    # The start was kept where J of it was lower than that of any epoch.
    estimator.best_loss_ = min(estimator.loss_curve_ + kept, default=np.inf)
    estimator.stop_reason_ = result.stop_reason
    _keep_validation(estimator, monitor)
    message = why_not_converged(estimator, result, solver, problem)
    if message is not None:
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel_of_user())


def keep_chunk(estimator, run, record):
    """Keep the weights after a chunk, and append its record to the curves.

    Parameters
    ----------
    estimator : estimator
    run : Run
        Of a stream.
    record : Record
        Its iteration becomes the number of the epochs and chunks so far.
    """
    _keep_weights(estimator, *run.weights(), "chunk")
    estimator._stream = run.state()
    _keep_regularization(estimator, run)
    estimator.n_iter_ = record.iteration = getattr(estimator, "n_iter_", 0) + 1
    for name in _CURVES:
        curve = list(getattr(estimator, f"{name}_curve_", []))
        value = min(float(getattr(record, name)), LARGEST)
        setattr(estimator, f"{name}_curve_", [*curve, value])
    estimator.loss_ = estimator.loss_curve_[-1]
    estimator.best_loss_ = min(estimator.loss_curve_)
    estimator.stop_reason_ = "partial_fit"
    _keep_validation(estimator, None)


def _keep_weights(estimator, coefs, intercepts, occasion):
    if not all(np.isfinite(W).all() for W in (*coefs, *intercepts)):
        raise FloatingPointError(
            f"The numbers of this {occasion} are beyond the range of floating point: scale X and y."
        )
    estimator.coefs_, estimator.intercepts_ = coefs, intercepts


def _keep_regularization(estimator, run):
    """Strengths of the unit-free penalties, which only solver "feasible" has."""
    found = run.regularization
    estimator.activity_alpha_, estimator.column_alpha_ = found.activity_alpha, found.column_alpha
    estimator.upper_alpha_, estimator.noise_ratio_ = found.upper_alpha, found.ratio


def _keep_validation(estimator, monitor):
    """Scores, and with early stopping the weights that had the best one."""
    estimator.validation_scores_ = estimator.validation_loss_curve_ = None
    estimator.best_validation_score_ = None
    if monitor is None:
        return
    estimator.validation_scores_, estimator.validation_loss_curve_ = monitor.scores, monitor.losses
    estimator.best_validation_score_ = max(monitor.scores, default=None)
    if estimator.early_stopping and monitor.best is not None:
        estimator.coefs_, estimator.intercepts_, estimator.loss_ = monitor.best
