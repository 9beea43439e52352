"""The functions of each backend against NumPy's."""

import importlib.util

import numpy as np
import pytest

from skmdlam.engine.device.numerics import Numerics, device_name, numerics_for

A = np.random.RandomState(0).randn(3, 5, 4)


@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "abs", "sign", "isfinite"])
def test_of_one_argument(f, name):
    np.testing.assert_allclose(f.host(getattr(f, name)(f.array(A))), getattr(np, name)(A), 1e-14)


@pytest.mark.parametrize("name", ["log", "log1p", "sqrt"])
def test_of_one_positive_argument(f, name):
    found = getattr(f, name)(f.array(np.abs(A)))
    np.testing.assert_allclose(f.host(found), getattr(np, name)(np.abs(A)), 1e-14)


def test_of_several(f):
    a, b = f.array(A), f.array(A[::-1])
    np.testing.assert_array_equal(f.host(f.maximum(a, b)), np.maximum(A, A[::-1]))
    np.testing.assert_array_equal(f.host(f.minimum(a, b)), np.minimum(A, A[::-1]))
    np.testing.assert_array_equal(f.host(f.where(a > 0, a, b)), np.where(A > 0, A, A[::-1]))
    np.testing.assert_array_equal(f.host(f.clip(a, -0.5, 0.25)), np.clip(A, -0.5, 0.25))
    np.testing.assert_array_equal(f.host(f.clip(a, 0.1)), np.maximum(A, 0.1))
    np.testing.assert_array_equal(f.host(f.clip(a, None, 0.1)), np.minimum(A, 0.1))
    np.testing.assert_array_equal(f.host(f.join([a, b], 1)), np.concatenate([A, A[::-1]], 1))


def test_along_axes(f):
    a = f.array(A, np.float32)
    total = f.total(a, (-2, -1))
    assert f.dtype_of(total) == np.float64
    np.testing.assert_allclose(f.host(total), A.astype(np.float32).sum((-2, -1), dtype=float))
    np.testing.assert_array_equal(f.host(f.largest(f.array(A), -1)), A.max(-1, keepdims=True))
    found = f.all(f.array(A) > -1.0, (-2, -1))
    np.testing.assert_array_equal(f.host(found), (A > -1.0).all((-2, -1), keepdims=True))
    np.testing.assert_array_equal(f.host(f.transposed(f.array(A))), A.swapaxes(1, 2))
    square = A[:, :4]
    np.testing.assert_array_equal(f.host(f.diagonal(f.array(square))), np.einsum("kii->ki", square))


def test_types(f):
    a = f.array(A)
    assert f.dtype_of(a) == np.float64 and f.dtype_of(f.cast(a, np.float32)) == np.float32
    assert f.dtype_of(f.zeros((2, 3), np.float32)) == np.float32
    assert f.host(f.ones((2, 3), np.float64)).sum() == 6.0
    np.testing.assert_array_equal(f.host(f.eye(3, np.float32)), np.eye(3))
    assert not f.host(f.zeros((2, 3), np.float64)).any()


def test_places(f):
    known, x = np.array([0.0, 1.0, 1.0, 2.5]), np.array([-1.0, 0.0, 1.0, 2.0, 9.0])
    found = f.host(f.places(f.array(known), f.array(x)))
    np.testing.assert_array_equal(found, [0, 1, 3, 3, 4])


def test_an_array_is_a_copy(f):
    values = np.zeros(3)
    array = f.array(values)
    array += 1.0
    assert not values.any() and f.host(array).all()
    again = f.array(array)
    again += 1.0
    np.testing.assert_array_equal(f.host(array), 1.0)


def test_positive_systems(f):
    gram = A.swapaxes(1, 2) @ A + np.eye(4)
    right = np.random.RandomState(1).randn(3, 4, 2)
    factor = f.cholesky(f.array(gram))
    np.testing.assert_allclose(f.host(factor), np.linalg.cholesky(gram), atol=1e-12)
    found = f.solve_factored(factor, f.array(right))
    np.testing.assert_allclose(f.host(found), np.linalg.solve(gram, right), atol=1e-12)


def test_one_that_is_not_positive_does_not_spoil_others(f):
    gram = A.swapaxes(1, 2) @ A + np.eye(4)
    gram[1] *= -1.0
    factor = f.host(f.cholesky(f.array(gram)))
    np.testing.assert_allclose(factor[[0, 2]], np.linalg.cholesky(gram[[0, 2]]), atol=1e-12)
    assert not np.isfinite(factor[1]).all()


def test_unknown_devices_are_named():
    if importlib.util.find_spec("torch") is not None:
        with pytest.raises(ValueError, match="device='abacus': torch has no such device"):
            numerics_for("abacus")
    for library, device in (("torch", "cpu"), ("cupy", "cupy")):
        if importlib.util.find_spec(library) is None:
            with pytest.raises(ValueError, match=f"needs {library}, which is not installed"):
                numerics_for(device)


def test_name_of_a_device():
    assert device_name(A) is None and device_name([1.0]) is None
    torch = pytest.importorskip("torch", reason="torch is optional, and not installed")
    assert device_name(torch.zeros(2)) == "cpu"
    assert numerics_for("cpu").device == torch.device("cpu")
    assert Numerics(np).host(A) is A
