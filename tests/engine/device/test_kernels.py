"""Activations and losses of each backend against the ones of the package."""

import numpy as np
import pytest

from skmdlam import activations, losses
from skmdlam.engine.device.kernels import activations_on, check_kernels, loss_on

Z = np.random.RandomState(0).randn(40, 3) * np.logspace(-2, 2, 40)[:, None]
ACTIVATIONS = [
    *(cls() for cls in activations.ACTIVATIONS.values()),
    activations.LeakyReLU(0.3),
    activations.ELU(0.7),
    activations.Sign(0.2),
]
LABELS = np.eye(3)[np.arange(40) % 3]
LOSSES = [
    (losses.SoftmaxCrossEntropy(), LABELS),
    (losses.LogisticLoss(), 1.0 - LABELS),
    (losses.SquaredError(), Z[::-1]),
    (losses.AbsoluteError(), Z[::-1]),
    (losses.Quantile(0.8), Z[::-1]),
    (losses.Huber(0.6), Z[::-1]),
    (losses.Poisson(), np.arange(120.0).reshape(40, 3) % 7),
]
names = pytest.mark.parametrize(
    ("loss", "y"), LOSSES, ids=[type(loss).__name__ for loss, _ in LOSSES]
)
types = pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-10), (np.float32, 1e-4)])


@types
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation(f, activation, dtype, tol):
    z = Z.astype(dtype)
    (kernel,) = activations_on(f, [activation])
    a = kernel.value(f.array(z))
    assert f.dtype_of(a) == dtype
    expected = activation.value(z)
    np.testing.assert_allclose(f.host(a), expected, rtol=tol, atol=tol)
    slope = f.ones(z.shape, dtype) * kernel.derivative(f.array(z), f.array(expected))
    assert f.dtype_of(slope) == dtype
    np.testing.assert_allclose(f.host(slope), activation.derivative(z, expected), tol, tol)


@names
def test_value_and_gradient(f, loss, y):
    z = np.clip(Z, -60.0, 60.0)
    kernel = loss_on(f, loss)
    found = f.host(kernel.value(f.array(z), f.array(y)))
    np.testing.assert_allclose(found, loss.value(z, y), rtol=1e-10, atol=1e-13)
    gradient = f.host(kernel.gradient(f.array(z), f.array(y)))
    np.testing.assert_allclose(gradient, loss.gradient(z, y), rtol=1e-10, atol=1e-13)


@names
def test_curvature(f, loss, y):
    z = np.clip(Z, -60.0, 60.0)
    expected, found = loss.curvature(z, y), loss_on(f, loss).curvature(f.array(z), f.array(y))
    np.testing.assert_allclose(f.host(found[0]), expected[0], rtol=1e-10, atol=1e-13)
    assert (found[1] is None) == (expected[1] is None)
    if found[1] is not None:
        np.testing.assert_allclose(f.host(found[1]), expected[1], rtol=1e-10, atol=1e-13)


@types
@names
def test_output_step(f, loss, y, dtype, tol):
    """That of each network has a rho and a length of its own."""
    z = np.stack([Z, 0.3 * Z]).clip(-30.0, 30.0).astype(dtype)
    y, rhos, lengths = y.astype(dtype), [45.0, 12.0], [0.01, 0.02]
    kernel = loss_on(f, loss)
    rho, length = (f.array(np.reshape(each, (2, 1, 1)), dtype) for each in (rhos, lengths))
    found = kernel.output_step(f.array(z), f.array(y), rho, length)
    assert f.dtype_of(found) == dtype
    for j in range(2):
        expected = np.empty_like(z[j])
        price = loss.output_step(z[j], y, rhos[j], lengths[j], expected)
        atol = tol * np.abs(expected).max()
        np.testing.assert_allclose(f.host(found)[j], expected, rtol=tol, atol=atol)
        assert kernel.price(rhos[j]) == pytest.approx(price, rel=1e-12)


def test_loss_in_units(f):
    scaling = losses.Huber(0.2).scaled(np.array([1.0, 2.0, 0.5]), 3.0, 2.0)
    loss = scaling.normalized().loss
    assert type(loss) not in (losses.Huber, losses.Loss)
    z, y = Z[:20], Z[20:]
    kernel = loss_on(f, loss)
    for name in ("value", "gradient"):
        found = getattr(kernel, name)(f.array(z), f.array(y))
        np.testing.assert_allclose(f.host(found), getattr(loss, name)(z, y), rtol=1e-10)
    found = kernel.curvature(f.array(z), f.array(y))[0]
    np.testing.assert_allclose(f.host(found), loss.curvature(z, y)[0], rtol=1e-10)


class _Mine(losses.SquaredError):
    def gradient(self, z, y):
        return 3.0 * (z - y)


class _Bent(activations.ReLU):
    def value(self, z, out=None):
        return np.cbrt(z)


def test_those_of_a_user_are_refused():
    check_kernels([activations.ReLU()], losses.SquaredError())
    with pytest.raises(ValueError, match=r"loss _Mine is not one .* skmdlam.losses do"):
        check_kernels([], _Mine())
    with pytest.raises(ValueError, match=r"activation _Bent is not one .* skmdlam.activations do"):
        check_kernels([_Bent()], losses.SquaredError())
