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
    factors = [2.0 if is_flat(activation) else 6.0 for activation in activations]
    bounds = [
        np.sqrt(factor / (n_in + n_out))
        for (n_in, n_out), factor in zip(pairwise(sizes), [*factors, 6.0], strict=True)
    ]
    return _draw(
        sizes, dtype, lambda layer, shape: rng.uniform(-bounds[layer], bounds[layer], shape)
    )


def is_flat(activation):
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


def _draw(sizes, dtype, draw):
    """``draw(layer, shape)`` for the weights and intercepts of every layer."""
    coefs, intercepts = [], []
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        coefs.append(draw(layer, (n_in, n_out)).astype(dtype))
        intercepts.append(draw(layer, n_out).astype(dtype))
    return coefs, intercepts


def spread_layers(V, layer_input, activations, weight=None):
    """Bring every pre-activation of a net to mean 0 and a useful spread, layer by layer (LSUV).

    A deep net of Glorot's start says nearly the same for all samples; a logistic layer, or another
    one of small slope, needs a spread of 3 to be more than a straight line. Shallow nets without
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
    flat = [is_flat(activation) for activation in activations]
    if len(flat) < 3 and not any(flat):
        return
    a = layer_input()
    share = np.full(len(a), 1.0 / len(a)) if weight is None else weight / weight.sum()
    for layer, W in enumerate(V):
        z = a @ W[:-1]
        goal = 3.0 if layer < len(flat) and flat[layer] else 1.0
        mean = share @ z
        spread = float(np.sqrt(np.mean(share @ (z - mean) ** 2)))
        # Samples that are all alike have a spread of rounding errors.
        if 1e-4 * float(np.abs(z).max(initial=0.0)) < spread < np.inf:
            W[:-1] *= goal / spread
            z *= goal / spread
            mean *= goal / spread
        W[-1] = -mean
        if layer < len(flat):
            a = activations[layer].value(z + W[-1])
