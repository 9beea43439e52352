"""Learning from a stream: what ``partial_fit`` of both estimators does around the engine."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from ._base import (
    cast_target,
    drop_weightless,
    refuse_huge,
    resolve_sample_weight,
    restored_on_error,
)
from ._monitor import LARGEST
from ._progress import Progress
from ._threads import blas_threads_for
from .activations import get_activations
from .engine.problem import Problem
from .engine.stream import Seen
from .penalties import get_penalty


def can_learn_a_stream(estimator):
    """For ``available_if``: whether the solver has a form for streams."""
    solver = estimator.solver
    if solver == "relaxed" or not (isinstance(solver, str) or hasattr(solver, "stream")):
        raise AttributeError(
            f"partial_fit is not available with solver={solver!r}, which needs all samples at "
            "once; use solver='feasible'."
        )
    return True


def learn_chunk(estimator, X, y, sample_weight, learn_target=None):
    """Learn a chunk.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight : as given to ``partial_fit``
    learn_target : callable or None
        ``learn_target(y, first)`` sees the validated target before it is encoded; ``first`` says
        that nothing was learned yet.
    """
    with restored_on_error(estimator):
        _learn_chunk(estimator, X, y, sample_weight, learn_target)


def _learn_chunk(estimator, X, y, sample_weight, learn_target):
    first = not hasattr(estimator, "coefs_")
    if not first:  # scikit-learn checks the parameters in the first call only
        estimator._validate_params()
    if estimator.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True: a stream has no validation samples."
        )
    solver = estimator._resolve_solver()
    sizes_hidden = estimator._resolve_layer_sizes()
    activations = get_activations(estimator.activation, len(sizes_hidden))
    penalty = get_penalty(estimator.penalty, l1_ratio=estimator.l1_ratio)

    X, y = estimator._validate(X, y, reset=first)
    if not first:  # the type of the first chunk stays
        X = X.astype(estimator.coefs_[0].dtype, copy=False)
    weight = resolve_sample_weight(sample_weight, X)
    if learn_target is not None:
        learn_target(y, first)
    try:
        Y = cast_target(estimator._encode_known_y(y), X.dtype)
    except ValueError as error:
        raise ValueError(f"y: {error}") from error
    weight = estimator._times_class_weight(weight, estimator._stream_class_weight(y), X, y)
    for name, values in (("X", X), ("y", Y)):
        refuse_huge(values, name)
    if not first and Y.shape[1] != estimator.n_outputs_:
        raise ValueError(
            f"y has {Y.shape[1]} outputs, and what was learned so far has {estimator.n_outputs_}."
        )
    loss = estimator._make_loss()
    loss.check_target(Y)
    if not first and loss.out_activation != estimator.out_activation_:
        raise ValueError(
            f"partial_fit goes on with out_activation_={estimator.out_activation_!r}, and "
            f"{type(loss).__name__} has {loss.out_activation!r}: fit, or start with a clone."
        )
    X, Y, y, weight = drop_weightless(X, Y, y, weight)

    sizes = [X.shape[1], *sizes_hidden, Y.shape[1]]
    if not first:
        found = [len(W) for W in estimator.coefs_] + [estimator.n_outputs_]
        if found != sizes:
            raise ValueError(
                f"partial_fit goes on with the layer sizes it began with, {found}; "
                f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} asks for {sizes}."
            )
    rng = check_random_state(estimator.random_state)
    begins = first or getattr(estimator, "_stream", None) is None
    if begins and not isinstance(estimator.random_state, Integral):
        # The stream keeps it: the user's, or NumPy's own, would be shared with others.
        rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
    if first:
        coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
    else:
        coefs, intercepts = estimator.coefs_, estimator.intercepts_
    state = getattr(estimator, "_stream", None)
    if state is None and not first:  # stored by a version that did not keep what was seen
        state = Seen.supposed(X, Y, weight, coefs[-1])
    estimator.n_layers_, estimator.n_outputs_ = len(sizes), Y.shape[1]
    estimator.out_activation_ = loss.out_activation
    estimator._activations, estimator._loss = activations, loss
    rows = X.shape[0]
    settings = estimator._resolve_settings(rows)
    alpha = estimator._resolve_alpha(solver, penalty)
    with blas_threads_for(min(rows, settings["batch_size"] or rows), sizes):
        run = solver.stream(
            Problem(X, Y, activations, loss, penalty, alpha, weight),
            coefs,
            intercepts,
            state,
            rng=rng,
            **settings,
        )
        record = next(run)
    _keep(estimator, run, record)


def _keep(estimator, run, record):
    """Turn what the run says into attributes, behind those of the calls before."""
    estimator.coefs_, estimator.intercepts_ = run.weights()
    if not all(np.isfinite(W).all() for W in (*estimator.coefs_, *estimator.intercepts_)):
        raise FloatingPointError(
            "The numbers of this chunk are beyond the range of floating point: scale X and y."
        )
    estimator._stream = run.state()
    estimator._keep_strengths(run)
    estimator.n_iter_ = getattr(estimator, "n_iter_", 0) + 1
    record.iteration = estimator.n_iter_
    for name in ("loss", "objective", "epsilon", "rho", "gap"):
        curve = list(getattr(estimator, f"{name}_curve_", []))
        value = min(float(getattr(record, name)), LARGEST)
        setattr(estimator, f"{name}_curve_", [*curve, value])
    estimator.loss_ = estimator.loss_curve_[-1]
    estimator.best_loss_ = min(estimator.loss_curve_)
    estimator.stop_reason_ = "partial_fit"
    estimator.validation_scores_ = estimator.validation_loss_curve_ = None
    estimator.best_validation_score_ = None
    with Progress(estimator.verbose, 1) as progress:
        progress.update(record)
