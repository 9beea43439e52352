"""Random starting weights."""

from itertools import pairwise

import numpy as np


def glorot(sizes, rng, dtype, activations):
    """Glorot uniform weights and intercepts, the start of MLPClassifier.

    Uniform on ``+-sqrt(c / (n_in + n_out))`` with c = 6, or c = 2 into logistic layers.

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
    factors = [2.0 if activation.name == "logistic" else 6.0 for activation in activations]
    bounds = [
        np.sqrt(factor / (n_in + n_out))
        for (n_in, n_out), factor in zip(pairwise(sizes), [*factors, 6.0], strict=True)
    ]
    return _draw(
        sizes, dtype, lambda layer, shape: rng.uniform(-bounds[layer], bounds[layer], shape)
    )


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
