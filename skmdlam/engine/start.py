"""Random starting weights."""

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
    coefs, intercepts = [], []
    for n_in, n_out, factor in zip(sizes[:-1], sizes[1:], [*factors, 6.0], strict=True):
        bound = np.sqrt(factor / (n_in + n_out))
        coefs.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype))
        intercepts.append(rng.uniform(-bound, bound, n_out).astype(dtype))
    return coefs, intercepts


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
    coefs, intercepts = [], []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        coefs.append(rng.normal(0.0, scale, (n_in, n_out)).astype(dtype))
        intercepts.append(rng.normal(0.0, scale, n_out).astype(dtype))
    return coefs, intercepts
