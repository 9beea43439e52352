"""Random starting weights."""

from itertools import pairwise

import numpy as np


def glorot(sizes, rng, dtype, activations):
    """Glorot uniform weights and intercepts, the start of MLPClassifier.

    Uniform on ``+-sqrt(c / (n_in + n_out))`` with c = 6, or c = 2 into logistic layers and others
    of small slope.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, from the inputs to the outputs.
    rng : numpy.random.RandomState
    dtype : dtype
    activations : sequence of Activation
        One for each hidden layer.

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    factors = [2.0 if has_small_slope(activation) else 6.0 for activation in activations]
    bounds = [
        np.sqrt(factor / (n_in + n_out))
        for (n_in, n_out), factor in zip(pairwise(sizes), [*factors, 6.0], strict=True)
    ]
    return _draw(
        sizes, dtype, lambda layer, shape: rng.uniform(-bounds[layer], bounds[layer], shape)
    )


# Activations whose values at u and -u differ by a multiple of u.
_RAMPS = {"relu", "leaky_relu"}
# Hidden layers from which on a net counts as deep.
DEEP = 3


def looks_linear(sizes, rng, dtype, activations):
    """Glorot's start, with deep stacks of ramps made linear: units in pairs of opposite sign.

    Random layers of relu units turn all samples to one direction, and what is left after a dozen of
    them says nothing. With units in pairs that compute u and -u, and the next layer weighing them
    +w and -w, ``relu(u) - relu(-u) = u``: the net starts as a product of orthogonal matrices, in
    which nothing is lost, and the first steps part the pairs ("looks linear", Balduzzi et al.,
    "The Shattered Gradients Problem", ICML 2017). Nets of fewer than three hidden layers, and
    layers of other activations, start as in :func:`glorot`; the odd unit of a layer too.

    Parameters
    ----------
    sizes, rng, dtype, activations
        As in :func:`glorot`.

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    coefs, intercepts = glorot(sizes, rng, dtype, activations)
    if len(activations) < DEEP:
        return coefs, intercepts
    paired = [False, *(activation.name in _RAMPS for activation in activations), False]
    for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        rows, columns = (
            np.arange(size // 2) if pairs else np.arange(size)
            for size, pairs in zip(W.shape, paired[layer : layer + 2], strict=True)
        )
        if not any(paired[layer : layer + 2]) or rows.size == 0 or columns.size == 0:
            continue
        block = _orthogonal(rows.size, columns.size, rng)
        for row_sign, row in _both_signs(rows, paired[layer]):
            for column_sign, column in _both_signs(columns, paired[layer + 1]):
                W[np.ix_(row, column)] = row_sign * column_sign * block
        b[:] = 0.0
    return coefs, intercepts


def _both_signs(units, pairs):
    """The units with sign +1 and, where they come in pairs, their partners with sign -1."""
    return [(1.0, units), (-1.0, units + units.size)] if pairs else [(1.0, units)]


def _orthogonal(n_in, n_out, rng):
    """Random matrix with orthonormal rows or columns, whichever are fewer."""
    Q, R = np.linalg.qr(rng.standard_normal((max(n_in, n_out), min(n_in, n_out))))
    Q *= np.where(np.diag(R) < 0, -1.0, 1.0)
    return np.sqrt(2.0) * (Q if n_in >= n_out else Q.T)


def has_small_slope(activation):
    """Whether an activation, as the logistic one, is nowhere steeper than 1/4."""
    return activation.largest_slope <= 0.25


def gaussian(sizes, rng, dtype, scale):
    """Weights and intercepts from N(0, scale^2), the start of the paper's experiments.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, from the inputs to the outputs.
    rng : numpy.random.RandomState
    dtype : dtype
    scale : float

    Returns
    -------
    coefs, intercepts : list of ndarray
    """
    return _draw(sizes, dtype, lambda layer, shape: rng.normal(0.0, scale, shape))


# How often a start is made smaller where J is beyond all numbers.
_MOST_SHRINKINGS = 60


def finite_start(evaluate, shrink):
    """J at the start; as long as it is not finite, ``shrink()`` makes the start smaller.

    The exponential of the Poisson loss may be beyond all numbers there.

    Parameters
    ----------
    evaluate : callable
        ``evaluate()`` gives J.
    shrink : callable
        Asked up to 60 times.

    Returns
    -------
    value : float
        Not finite where nothing helped.
    """
    value = evaluate()
    for _ in range(_MOST_SHRINKINGS):
        if np.isfinite(value):
            break
        shrink()
        value = evaluate()
    return value


def _draw(sizes, dtype, draw):
    """``draw(layer, shape)`` for the weights and intercepts of every layer."""
    coefs, intercepts = [], []
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        coefs.append(draw(layer, (n_in, n_out)).astype(dtype))
        intercepts.append(draw(layer, n_out).astype(dtype))
    return coefs, intercepts


def lsuv(V, layer_input, activations, weight=None):
    """Bring every pre-activation of a net to mean 0 and a useful spread, layer by layer (LSUV).

    A deep net of Glorot's start says nearly the same for all samples; a logistic layer, or another
    one of small slope, needs a spread of 3 to be more than linear. Shallow nets without
    such a layer are left alone.

    Parameters
    ----------
    V : list of ndarray
        Weights of each layer with the intercepts as the last row; changed in place.
    layer_input : callable
        ``layer_input()`` gives some samples as the first layer sees them, shape (m, n_0).
    activations : sequence of Activation
        One for each hidden layer.
    weight : ndarray of shape (m,) or None
        Weights of these samples; None means one each.
    """
    flat = [has_small_slope(activation) for activation in activations]
    if len(flat) < DEEP and not any(flat):
        return
    a = layer_input()
    normalized = np.full(len(a), 1.0 / len(a)) if weight is None else weight / weight.sum()
    for layer, W in enumerate(V):
        z = a @ W[:-1]
        goal = 3.0 if layer < len(flat) and flat[layer] else 1.0
        mean = normalized @ z
        spread = float(np.sqrt(np.mean(normalized @ (z - mean) ** 2)))
        # Samples that are all alike have a spread of rounding errors.
        if 1e-4 * float(np.abs(z).max(initial=0.0)) < spread < np.inf:
            W[:-1] *= goal / spread
            z *= goal / spread
            mean *= goal / spread
        W[-1] = -mean
        if layer < len(flat):
            a = activations[layer].value(z + W[-1])
