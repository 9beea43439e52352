"""Whether a fit ended too early, and whether that is for want of scaled features."""

import numpy as np

from .engine.newton_steps import best_offset

# Sizes of features that differ by more than this factor are far apart; so are sizes from one.
_FAR = 30.0
_SMALL = 0.1
# Of the loss of the best constant prediction: what is above has learned little.
_LITTLE = 0.75


def why_not_converged(estimator, result, solver, problem):
    """What to say of a fit that ended before it was good, and what helps.

    Parameters
    ----------
    estimator : estimator
        With its curves, and the moments of the features as the first layer sees them.
    result : Result
    solver : solver object
    problem : Problem
        What was minimized, in the units of the user.

    Returns
    -------
    message : str or None
        None where there is nothing to say.
    """
    n, reason = estimator.n_iter_, result.stop_reason
    if reason == "interrupted":
        return f"Training interrupted by user after {n} iterations."
    if reason not in ("max_iter", "converged"):
        return None
    scales = _scales(estimator, problem) if getattr(solver, "needs_scaled_features", False) else ""
    limits = f"raise max_iter, or tol (now {estimator.tol:g})"
    if reason == "max_iter":
        message = f"The solver did {n} iterations (max_iter={estimator.max_iter}) and has not "
        if not scales:
            return f"{message}converged: {limits}."
        return f"{message}converged. {scales} If it does not converge then, {limits}."
    if not scales:
        return None
    constant = _loss_of_constant(problem)
    if estimator.loss_ <= _LITTLE * constant:
        return None
    return (
        f"The solver stopped after {n} iterations at a loss of {estimator.loss_:.3g}, where a "
        f"constant prediction has {constant:.3g}. {scales}"
    )


def _scales(estimator, problem):
    """Advice to scale features whose sizes are far apart or far from one, else ""."""
    columns = estimator._stream["columns"]
    mean, variance = columns["mean"], columns["square"] / columns["weight"]
    # Indicators, 0 or 1, are fine however rare they are.
    indicators = np.abs(variance - mean * (1.0 - mean)) <= 1e-6 * variance
    varied = (variance > 1e-10 * mean**2) & ~indicators
    if not varied.any():
        return ""
    mean, std = np.abs(mean[varied]), np.sqrt(variance[varied])
    sizes = np.hypot(mean, std)
    if max(sizes.max() / std.min(), sizes.max()) <= _FAR and sizes.max() >= _SMALL:
        return ""
    scaler = "MaxAbsScaler" if problem.sparse else "StandardScaler"
    return (
        "The solver 'relaxed' does not scale the features, and these need it (standard deviations "
        f"from {std.min():.3g} to {std.max():.3g}, means up to {mean.max():.3g}): use "
        f"make_pipeline({scaler}(), {type(estimator).__name__}(...))."
    )


def _loss_of_constant(problem):
    """Mean loss of the best constant prediction."""
    z = np.zeros(problem.Y.shape)
    with np.errstate(all="ignore"):
        losses = problem.loss.value(z + best_offset(problem, z), problem.Y)
    return float(problem.rows.normalized() @ losses)
