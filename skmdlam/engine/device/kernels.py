"""Activations and losses on arrays of a device: the built-in ones, by formulas of their own.

A user's own activation or loss is a class with NumPy's functions inside: there it is refused.
"""

import numpy as np

from ... import activations, losses

# -- activations ---------------------------------------------------------------------------------


class Activation:
    """The value and the derivative of an activation on a device.

    Parameters
    ----------
    numerics : Numerics
    activation : skmdlam.activations.Activation
        Its parameters are read.
    """

    def __init__(self, numerics, activation):
        self.f, self.parameters = numerics, activation

    def value(self, z):
        """``h(z)``."""
        raise NotImplementedError

    def derivative(self, z, a):
        """``h'(z)`` given ``a = h(z)``."""
        raise NotImplementedError


class _Identity(Activation):
    def value(self, z):
        return z

    def derivative(self, z, a):
        return 1.0


class _ReLU(Activation):
    def value(self, z):
        return self.f.clip(z, 0.0)

    def derivative(self, z, a):
        return a > 0


class _LeakyReLU(Activation):
    def value(self, z):
        return self.f.where(z > 0, z, z * self.parameters.negative_slope)

    def derivative(self, z, a):
        slope = self.parameters.negative_slope
        return self.f.cast(z > 0, self.f.dtype_of(z)) * (1.0 - slope) + slope


class _HardTanh(Activation):
    def value(self, z):
        return self.f.clip(z, -1.0, 1.0)

    def derivative(self, z, a):
        return self.f.abs(a) < 1


class _Sign(Activation):
    def value(self, z):
        return 2.0 * self.f.cast(z >= 0, self.f.dtype_of(z)) - 1.0

    def derivative(self, z, a):
        return self.f.abs(z) < self.parameters.width


class _Tanh(Activation):
    def value(self, z):
        return self.f.tanh(z)

    def derivative(self, z, a):
        return 1.0 - a * a


class _Logistic(Activation):
    def value(self, z):
        return sigmoid(self.f, z)

    def derivative(self, z, a):
        return a * (1.0 - a)


class _Softplus(Activation):
    def value(self, z):
        return self.f.clip(z, 0.0) + self.f.log1p(self.f.exp(-self.f.abs(z)))

    def derivative(self, z, a):
        return -self.f.expm1(-a)


class _ELU(Activation):
    def value(self, z):
        return self.f.clip(z, 0.0) + self.parameters.alpha * self.f.expm1(self.f.clip(z, None, 0.0))

    def derivative(self, z, a):
        return self.f.clip(a, None, 0.0) + (
            self.f.cast(z > 0, self.f.dtype_of(z)) * (1.0 - self.parameters.alpha)
            + self.parameters.alpha
        )


_ACTIVATIONS = {
    activations.Identity: _Identity,
    activations.ReLU: _ReLU,
    activations.LeakyReLU: _LeakyReLU,
    activations.HardTanh: _HardTanh,
    activations.Sign: _Sign,
    activations.Tanh: _Tanh,
    activations.Logistic: _Logistic,
    activations.Softplus: _Softplus,
    activations.ELU: _ELU,
}


def sigmoid(f, z):
    """``1 / (1 + exp(-z))``, to rounding on both sides."""
    small = f.exp(-f.abs(z))
    return f.where(z >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


# -- losses --------------------------------------------------------------------------------------


class Loss:
    """What steps and J ask of a loss, on a device.

    Outputs and targets have shape (..., K). What is small for the sums of J is in double precision.

    Parameters
    ----------
    numerics : Numerics
    loss : skmdlam.losses.Loss
        Its parameters are read.
    """

    def __init__(self, numerics, loss):
        self.f, self.parameters = numerics, loss

    def value(self, z, y):
        """The loss of every sample, shape (...), for z and y in double precision."""
        raise NotImplementedError

    def gradient(self, z, y):
        """``dR/dz``."""
        raise NotImplementedError

    def output_step(self, z, y, rho, length):
        """``length * (prox(z) - z)``; rho and length are numbers or arrays that go with z."""
        raise NotImplementedError

    def price(self, rho):
        """Curvature of R plus ``rho``, a number of the host: what a step is shorter by."""
        return rho

    def curvature(self, z, y):
        """Second derivative: its diagonal, and None or the factor f of ``diag - f f'``."""
        return 1.0 + 0.0 * z, None

    def _double(self, *arrays):
        return tuple(self.f.cast(array, np.float64) for array in arrays)


class _Softmax(Loss):
    def _probabilities(self, z):
        p = self.f.exp(z - self.f.largest(z, -1))
        return p / p.sum(-1)[..., None]

    def value(self, z, y):
        highest = self.f.largest(z, -1)
        others = self.f.exp(z - highest).sum(-1) - 1.0
        return highest[..., 0] - (z * y).sum(-1) + self.f.log1p(others)

    def gradient(self, z, y):
        # The gradient sums to zero: no cancellation in p - 1.
        p = self._probabilities(z) * (1.0 - y)
        return p - y * p.sum(-1)[..., None]

    def output_step(self, z, y, rho, length):
        return (y - self._probabilities(z)) * (length / rho)

    def curvature(self, z, y):
        p = self._probabilities(z)
        return p, p


class _Logistic_(Loss):
    def value(self, z, y):
        m = (1.0 - 2.0 * y) * z
        return (self.f.clip(m, 0.0) + self.f.log1p(self.f.exp(-self.f.abs(m)))).sum(-1)

    def gradient(self, z, y):
        sign = 2.0 * y - 1.0
        return -sign * sigmoid(self.f, -sign * z)

    def output_step(self, z, y, rho, length):
        return (y - sigmoid(self.f, z)) * (length / rho)

    def curvature(self, z, y):
        p = sigmoid(self.f, z)
        return p * (1.0 - p), None


class _SquaredError(Loss):
    def value(self, z, y):
        return 0.5 * ((z - y) * (z - y)).sum(-1)

    def gradient(self, z, y):
        return z - y

    def output_step(self, z, y, rho, length):
        return (y - z) * (length / (1.0 + rho))

    def price(self, rho):
        return rho + 1.0


class _Quantile(Loss):
    @property
    def _q(self):
        return float(self.parameters.quantile)

    def value(self, z, y):
        residual = y - z
        return (self._q * self.f.clip(residual, 0.0) - (1.0 - self._q) * self._below(residual)).sum(
            -1
        )

    def _below(self, residual):
        return self.f.clip(residual, None, 0.0)

    def gradient(self, z, y):
        dtype = self.f.dtype_of(z)
        return (1.0 - self._q) * self.f.cast(z > y, dtype) - self._q * self.f.cast(z < y, dtype)

    def output_step(self, z, y, rho, length):
        return _toward(self.f, y - z, -(1.0 - self._q) / rho, self._q / rho) * length


class _AbsoluteError(Loss):
    def value(self, z, y):
        return self.f.abs(z - y).sum(-1)

    def gradient(self, z, y):
        return self.f.sign(z - y)

    def output_step(self, z, y, rho, length):
        return _toward(self.f, y - z, -1.0 / rho, 1.0 / rho) * length


def _toward(f, move, low, high):
    """A move no longer than this, numbers or arrays."""
    low, high = low + 0.0 * move, high + 0.0 * move
    return f.minimum(f.maximum(move, low), high)


class _Huber(Loss):
    @property
    def _delta(self):
        return float(self.parameters.delta)

    def value(self, z, y):
        size = self.f.abs(z - y)
        inner = self.f.clip(size, None, self._delta)
        return (inner * (size - 0.5 * inner)).sum(-1)

    def gradient(self, z, y):
        return self.f.clip(z - y, -self._delta, self._delta)

    def output_step(self, z, y, rho, length):
        # In the parabola residual / (1 + rho), on the lines delta / rho.
        residual = (y - z) / (1.0 + rho)
        return _toward(self.f, residual, -self._delta / rho, self._delta / rho) * length

    def price(self, rho):
        return rho + 1.0

    def curvature(self, z, y):
        """One in the parabola; on the lines a tenth, and less far out."""
        size = self.f.abs(z - y)
        lines = self.f.clip(self._delta / self.f.clip(size, self._delta), None, 0.1)
        return self.f.where(size <= self._delta, 1.0, lines), None


class _Poisson(Loss):
    def value(self, z, y):
        some = self.f.cast(y > 0, np.float64)
        log_ratio = z - self.f.log(y + (1.0 - some))
        far = self.f.exp(z) - y - y * log_ratio
        near = y * (self.f.expm1(self.f.clip(log_ratio, -1.0, 1.0)) - log_ratio)
        close = (self.f.abs(log_ratio) < 1.0) & (y > 0)
        return self.f.clip(self.f.where(close, near, far), 0.0).sum(-1)

    def gradient(self, z, y):
        return self.f.exp(z) - y

    def output_step(self, z, y, rho, length):
        """By the Wright omega function w of ``z + y/rho - log rho``: the prox is z + y/rho - w."""
        dtype = self.f.dtype_of(z)
        z, y = self._double(z, y)
        rho = rho + 0.0 * z
        w = _wright_omega(self.f, z + y / rho - self.f.log(rho))
        small = y / rho - w
        large = self.f.log(rho * self.f.clip(w, 1.0)) - z
        return self.f.cast(self.f.where(w < 1.0, small, large) * length, dtype)

    def curvature(self, z, y):
        return self.f.exp(self.f.clip(z, None, 30.0)), None


def _wright_omega(f, x):
    """The w with ``w + log w = x``, as in :mod:`skmdlam.losses`."""
    x = f.clip(x, -700.0)
    log1p_exp = f.maximum(x, f.log1p(f.exp(f.clip(x, None, 40.0))))
    w = log1p_exp * (1.0 - f.log1p(log1p_exp) / (2.0 + log1p_exp))
    one_w = 1.0 + w
    residual = x - w - f.log(w)
    q = one_w * (one_w + (2.0 / 3.0) * residual) - 0.5 * residual
    w = w * (1.0 + residual / one_w * (q / (q - 0.5 * residual)))
    return w * (1.0 + (x - w - f.log(w)) / (1.0 + w))


class _InUnits(Loss):
    """``R(shift + scale z, y) / factor``."""

    def __init__(self, numerics, loss):
        super().__init__(numerics, loss)
        self._inner = loss_on(numerics, loss.loss)
        self._shift = numerics.array(np.asarray(loss.shift, dtype=float))
        self._scale, self._factor = float(loss.scale), float(loss.factor)

    def _outside(self, z):
        return self._shift + self._scale * z

    def value(self, z, y):
        return self._inner.value(self._outside(z), y) / self._factor

    def gradient(self, z, y):
        return self._inner.gradient(self._outside(z), y) * (self._scale / self._factor)

    def curvature(self, z, y):
        diagonal, factor = self._inner.curvature(self._outside(z), y)
        unit = self._scale**2 / self._factor
        return diagonal * unit, None if factor is None else factor * unit**0.5


_LOSSES = {
    losses.SoftmaxCrossEntropy: _Softmax,
    losses.LogisticLoss: _Logistic_,
    losses.SquaredError: _SquaredError,
    losses.AbsoluteError: _AbsoluteError,
    losses.Quantile: _Quantile,
    losses.Huber: _Huber,
    losses.Poisson: _Poisson,
    losses._LossInUnits: _InUnits,
}


def activations_on(numerics, found):
    """Activations of each hidden layer on a device.

    Parameters
    ----------
    numerics : Numerics
    found : list of skmdlam.activations.Activation

    Returns
    -------
    kernels : list of Activation
    """
    return [_kernel(_ACTIVATIONS, "activation", each)(numerics, each) for each in found]


def loss_on(numerics, loss):
    """A loss on a device, in the units that it has.

    Parameters
    ----------
    numerics : Numerics
    loss : skmdlam.losses.Loss

    Returns
    -------
    kernel : Loss
    """
    return _kernel(_LOSSES, "loss", loss)(numerics, loss)


def has_activations(found):
    """Whether a device has all of these.

    Parameters
    ----------
    found : list of skmdlam.activations.Activation

    Returns
    -------
    known : bool
    """
    return all(type(each) in _ACTIVATIONS for each in found)


def check_kernels(found, loss):
    """Refuse activations and a loss that no device has.

    Parameters
    ----------
    found : list of skmdlam.activations.Activation
    loss : skmdlam.losses.Loss
    """
    for each in found:
        _kernel(_ACTIVATIONS, "activation", each)
    _kernel(_LOSSES, "loss", loss)


def _kernel(known, what, wanted):
    """That of exactly this class: a subclass may be another function."""
    kernel = known.get(type(wanted))
    if kernel is None:
        raise ValueError(
            f"The {what} {type(wanted).__name__} is not one that runs on a device: those of "
            f"skmdlam.{'losses' if what == 'loss' else 'activations'} do. Use one of "
            "them, or fit NumPy arrays with device=None."
        )
    return kernel
