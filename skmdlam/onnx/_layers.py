"""Layers of a network, their activations and the link of its output, as nodes of a graph."""

import numpy as np

from .. import activations
from ..engine.members import in_blocks


def _identity(g, z, activation):
    return z


def _leaky_relu(g, z, activation):
    negative = g("Mul", g("Min", z, 0.0), activation.negative_slope)
    return g("Add", g("Max", z, 0.0), negative)


def _softplus(g, z, activation):
    rest = g("Log", g("Add", g("Exp", g("Neg", g("Abs", z))), 1.0))
    return g("Add", g("Max", z, 0.0), rest)


def _elu(g, z, activation):
    negative = g("Sub", g("Exp", g("Min", z, 0.0)), 1.0)
    return g("Add", g("Max", z, 0.0), g("Mul", negative, activation.alpha))


_ACTIVATIONS = {
    activations.Identity: _identity,
    activations.ReLU: lambda g, z, activation: g("Relu", z),
    activations.LeakyReLU: _leaky_relu,
    activations.HardTanh: lambda g, z, activation: g.between(z, -1.0, 1.0),
    activations.Sign: lambda g, z, activation: g("Where", g("GreaterOrEqual", z, 0.0), 1.0, -1.0),
    activations.Tanh: lambda g, z, activation: g("Tanh", z),
    activations.Logistic: lambda g, z, activation: g("Sigmoid", z),
    activations.Softplus: _softplus,
    activations.ELU: _elu,
}
_LINKS = {
    "identity": lambda g, z: z,
    "logistic": lambda g, z: g("Sigmoid", z),
    "softmax": lambda g, z: g("Softmax", z, axis=1),
    "exp": lambda g, z: g("Min", g("Exp", z), float(np.finfo(g.dtype).max)),
}


def check_network(estimator):
    """Refuse activations and losses that have no form in ONNX."""
    for activation in estimator._activations:
        if type(activation) not in _ACTIVATIONS:
            raise NotImplementedError(
                f"{type(activation).__name__} is a custom activation: skmdlam.onnx converts those "
                "of skmdlam.activations only."
            )
    loss = estimator._loss
    if not type(loss).__module__.startswith("skmdlam.") or loss.out_activation not in _LINKS:
        raise NotImplementedError(
            f"{type(loss).__name__} is a custom loss, whose inverse link has no known form in "
            "ONNX: skmdlam.onnx converts the losses of skmdlam.losses only."
        )


def output(g, X, estimator):
    """Pre-activations of the output layer for inputs X."""
    z = X
    for layer in range(len(estimator.coefs_)):
        z = _layer(g, z, estimator, layer)
    return z


def hidden_features(g, X, estimator):
    """Activations of the last hidden layer: what ``transform`` returns."""
    a, last = X, len(estimator.coefs_) - 1
    for layer in range(last):
        a = _layer(g, a, estimator, layer)
    return a


def _layer(g, a, estimator, layer):
    """One layer, with its activation where it is hidden."""
    W, b = estimator.coefs_[layer], estimator.intercepts_[layer]
    is_last = layer == len(estimator.coefs_) - 1
    between = layer > 0 and not is_last
    z = g("Add", _product(g, a, W, estimator.n_networks_ if between else 1), b.reshape(1, -1))
    if is_last:
        return z
    activation = estimator._activations[layer]
    return _ACTIVATIONS[type(activation)](g, z, activation)


def _product(g, a, W, k):
    """``a W``, without the zeros beside the k blocks of W, where it has them."""
    if k == 1 or not in_blocks(W, k):
        return g("MatMul", a, W)
    rows, columns = (np.split(np.arange(size), k) for size in W.shape)
    blocks = zip(rows, columns, strict=True)
    return g.beside([g("MatMul", g.take(a, i), W[np.ix_(i, j)]) for i, j in blocks])


def predictions(g, z, estimator):
    """What these pre-activations predict: numbers, or probabilities of the outputs."""
    return _LINKS[estimator.out_activation_](g, z)
