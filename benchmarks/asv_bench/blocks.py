"""The block updates, on 2,000 samples and layers of 100 units."""

import numpy as np

from skmdlam.activations import get_activation
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.linalg import spectral_norm_squared
from skmdlam.engine.steps import blocks
from skmdlam.losses import SoftmaxCrossEntropy, get_loss
from skmdlam.penalties import get_penalty

N, WIDTH, CLASSES = 2_000, 100, 10
RHO, TAU, EPSILON = 0.5, 2.0, 1e-3


class Joint:
    """Pre-activations and activations of a hidden layer together."""

    params = ["identity", "relu", "leaky_relu", "tanh", "logistic", "softplus"]
    param_names = ["activation"]

    def setup(self, activation):
        rng = np.random.default_rng(0)
        self.activation = get_activation(activation)
        self.v, self.target = rng.standard_normal((2, N, WIDTH))

    def time_update_za(self, activation):
        blocks.update_za(self.activation, self.v, self.target, RHO, TAU, EPSILON)

    def time_preimage(self, activation):
        value = self.activation.value(self.v)
        self.activation.preimage(value - EPSILON, value + EPSILON)


class Prox:
    """The last layer's pre-activations: the prox of the loss."""

    params = ["squared_error", "huber", "poisson", "softmax"]
    param_names = ["loss"]

    def setup(self, loss):
        rng = np.random.default_rng(0)
        self.v = rng.standard_normal((N, CLASSES))
        if loss == "softmax":
            self.loss, self.Y = (
                SoftmaxCrossEntropy(),
                np.eye(CLASSES)[rng.integers(CLASSES, size=N)],
            )
        else:
            self.loss, self.Y = get_loss(loss), rng.exponential(size=(N, CLASSES))

    def time_update_z_last(self, loss):
        blocks.update_z_last(self.loss, self.v, self.Y, RHO)


class Weights:
    """A layer's weights by the quadratic model, and the bound of its curvature."""

    params = ["l2", "l1", "group"]
    param_names = ["penalty"]

    def setup(self, penalty):
        rng = np.random.default_rng(0)
        self.penalty = get_penalty(penalty)
        self.W, self.gradient = rng.standard_normal((2, WIDTH, WIDTH))
        self.a, self.z = rng.standard_normal((2, N, WIDTH))

    def time_update_w(self, penalty):
        blocks.update_w(self.W, self.gradient, 10.0, self.penalty, 0.1)

    def time_target_a(self, penalty):
        blocks.target_a(self.a, self.z, self.W, RHO, TAU)

    def time_spectral_norm(self, penalty):
        spectral_norm_squared(self.W, LIMITS.dense_eigenvalue)
