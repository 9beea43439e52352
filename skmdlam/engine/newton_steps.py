"""What samples ask for: Newton steps in the outputs of a network, sample by sample."""

import numpy as np

# Share of the mean curvature that a sample counts with at least.
_LEAST = 0.05
# Step of a difference, in units of an output.
STEP = 0.25
# A target that varies by so many units in the last place is constant.
_ROUNDING = 10.0
# Steps to the best constant, of which one of this share of a unit is the last.
_CLOSE = 1e-10
_STEPS = 20
# An offset of a non-smooth loss is no further than that, and is halved down to rounding.
_FURTHEST = 8.0
_HALVINGS = 40
# What a non-smooth loss is smoothed over, in the same unit, and this in quartiles of a normal.
_SHIFTS = np.linspace(-1.5, 1.5, 13)
_QUARTILES = 1.349
_STILL_SEEN = 1e-7  # of a target in single or double precision
_TINY = np.finfo(float).tiny


def best_constant(problem):
    """The outputs, the same for all samples, that have the least loss, an array of shape (K,)."""
    loss, Y = problem.loss, problem.Y
    normalized, unit = problem.rows.normalized(), _unit(loss, Y)
    z = np.zeros(Y.shape[1])
    if linear(loss):  # far targets would take the mean where no step comes back from
        z = (
            np.median(Y[normalized > 0], axis=0)
            if loss.bounded_gradient
            else normalized @ Y.astype(float)
        )
    for _ in range(_STEPS):
        gradient, curvature = _derivatives(loss, np.broadcast_to(z, Y.shape), Y, unit)
        step = (normalized @ gradient) / np.maximum(normalized @ curvature, _TINY)
        z = z - np.clip(step, -2.0 * unit, 2.0 * unit)
        if (np.abs(step) <= _CLOSE * unit).all():
            break
    return z


def from_constant(problem):
    """Newton steps from the best constant.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    asked : ndarray of shape (n, K)
        The step that each sample asks for, in each output.
    curvature : ndarray of shape (n, K)
        Curvature of the loss there, the weight of the working response.
    """
    return from_outputs(problem, np.broadcast_to(best_constant(problem), problem.Y.shape))


def from_outputs(problem, z):
    """The same from other outputs, of shape (n, K)."""
    loss, Y = problem.loss, problem.Y
    gradient, curvature = _derivatives(loss, z, Y, _unit(loss, Y))
    curvature = at_least(loss, curvature, problem.rows.normalized())
    return -gradient / np.maximum(curvature, _TINY), curvature


def best_offset(problem, z):
    """What to add to the outputs of all samples, so that their loss is least.

    Parameters
    ----------
    problem : Problem
    z : ndarray of shape (n, K)
        Outputs.

    Returns
    -------
    offset : ndarray of shape (K,)
        Zero where numbers are not finite.
    """
    loss, Y, normalized = problem.loss, problem.Y, problem.rows.normalized()
    unit, offset = _unit(loss, Y), np.zeros(Y.shape[1])
    if not np.isfinite(z).all():
        return offset
    if loss.nonsmooth:  # no Newton step finds the kink
        low, high = offset - _FURTHEST * unit, offset + _FURTHEST * unit
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            above = normalized @ gradient_of(loss, z + middle, Y) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2.0
    for _ in range(_STEPS):
        moved = z + offset
        gradient, curvature = _derivatives(loss, moved, Y, unit)
        if loss.out_activation == "softmax":
            p = loss.inverse_link(moved)
            step = np.linalg.pinv(np.diag(normalized @ p) - (p.T * normalized) @ p) @ (
                normalized @ gradient
            )
        else:
            step = (normalized @ gradient) / np.maximum(normalized @ curvature, _TINY)
        if not np.isfinite(step).all():
            return np.zeros_like(offset)
        offset -= np.clip(step, -2.0 * unit, 2.0 * unit)
        if (np.abs(step) <= _CLOSE * unit).all():
            break
    return offset


def along(problem, outputs, step):
    """Newton steps in one number that all outputs depend on.

    Parameters
    ----------
    problem : Problem
    outputs : callable
        ``outputs(t)`` gives the outputs where that number is t more, for t of -step, 0 and step.
    step : float

    Returns
    -------
    asked, curvature : ndarray of shape (n,)
        None where the outputs do not depend on it.
    """
    loss, Y = problem.loss, problem.Y
    ends = [(z, gradient_of(loss, z, Y)) for z in map(outputs, (step, -step))]
    slope = (ends[0][0] - ends[1][0]) / (2.0 * step)
    counts = slope * _counts(loss, Y)
    curvature = np.einsum("ij,ij->i", ends[0][1] - ends[1][1], counts) / (2.0 * step)
    normalized = problem.rows.normalized()
    mean = float(normalized @ np.maximum(curvature, 0.0))
    if not mean > 0:
        return None
    curvature = at_least(loss, curvature, normalized)
    gradient = np.einsum("ij,ij->i", gradient_of(loss, outputs(0.0), Y), counts)
    return -gradient / curvature, curvature / mean


def at_least(loss, curvature, normalized):
    """Curvatures of samples, none of them far below the mean: steps would be beyond all bounds."""
    return np.maximum(curvature, _least(loss) * (normalized @ np.maximum(curvature, 0.0)))


def linear(loss):
    """Whether a loss has no link: outputs are predictions."""
    return loss.out_activation == "identity"


def _least(loss):
    """Share of the mean curvature that a sample has at least: all of it beyond Huber's bend."""
    return 1.0 if linear(loss) and loss.bounded_gradient else _LEAST


def _unit(loss, Y):
    """Unit of each output: where far targets pull no more than others, they do not count."""
    if not linear(loss):
        return 1.0
    spread = Y.std(axis=0, dtype=float)
    if loss.bounded_gradient:
        middle = np.subtract(*np.quantile(Y, [0.75, 0.25], axis=0)) / _QUARTILES
        spread = np.where(middle > 0, middle, spread)
    # Of targets that are one number a step must still be seen in it.
    least = _STILL_SEEN * np.abs(Y).max(axis=0, initial=0.0).astype(float)
    return np.maximum(spread, np.where(least > 0, least, 1.0))


def _counts(loss, Y):
    """What each output counts for: in units of their targets all are alike, as in a fit.

    Targets that are one number say nothing.
    """
    if not linear(loss):
        return 1.0
    unit = _unit(loss, Y)
    least = _ROUNDING * np.finfo(Y.dtype).eps * np.abs(Y).max(axis=0)
    varies = Y.std(axis=0, dtype=float) > least
    return np.where(varies, np.square(unit.max(where=varies, initial=_TINY) / unit), 0.0)


def gradient_of(loss, z, Y):
    """Gradient of the loss in the outputs, in double precision."""
    out = np.empty(Y.shape, order="F")
    loss.value_and_gradient(
        np.asfortranarray(z, dtype=float), loss.compact(Y.astype(float, copy=False)), out
    )
    return out


def _derivatives(loss, z, Y, unit):
    """Gradient in the outputs, and the diagonal of the curvature."""

    def slope(z):
        if not loss.nonsmooth:
            return gradient_of(loss, z, Y)
        # A mean over the kink: the sign of a residual hardly tells one level from another.
        return np.mean([gradient_of(loss, z + shift * unit, Y) for shift in _SHIFTS], axis=0)

    gradient = slope(z)
    if loss.out_activation == "softmax":  # the only one whose outputs hang together
        diagonal, factor = loss.curvature(z, loss.compact(Y.astype(float, copy=False)))
        curvature = diagonal if factor is None else diagonal - np.square(factor)
    else:
        step = STEP * unit
        curvature = (slope(z + step) - slope(z - step)) / (2.0 * step)
    return gradient, np.maximum(curvature, 0.0)
