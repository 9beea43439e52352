"""The functions of each backend against NumPy's."""

import contextlib
import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from skmdlam.engine.device.numerics import (
    CupyNumerics,
    Numerics,
    TorchNumerics,
    device_name,
    numerics_for,
)

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
        with pytest.raises(ValueError, match="device='meta': torch has no such device"):
            numerics_for("meta")
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


def test_what_a_user_has_around_a_fit():
    """Gradients and half precision are no part of it."""
    torch = pytest.importorskip("torch", reason="torch is optional, and not installed")
    f, a = numerics_for("cpu"), torch.ones((2, 2), requires_grad=True)
    assert not f.own(a).requires_grad and f.own(a).data_ptr() == a.data_ptr()
    with torch.autocast("cpu"):
        assert (f.own(a) @ a).dtype == torch.bfloat16
        with f.current():
            assert (f.own(a) @ a).dtype == torch.float32
    own = type("Own", (torch.Tensor,), {"__module__": "of.a.user"})
    assert device_name(torch.ones(2).as_subclass(own)) == "cpu"


class _Device:
    """A device of CuPy, which is the current one within it."""

    current = 0

    def __init__(self, number):
        self.id, self._before = number, []

    def __enter__(self):
        self._before.append(_Device.current)
        _Device.current = self.id

    def __exit__(self, *error):
        _Device.current = self._before.pop()


def test_of_cupy(monkeypatch):
    """What CuPy does otherwise than NumPy, for it is not here: devices, and failed factors."""
    state = SimpleNamespace(linalg=None)

    @contextlib.contextmanager
    def errstate(linalg):
        state.linalg = linalg
        yield
        state.linalg = None

    def cholesky(matrices):
        try:
            return np.linalg.cholesky(matrices)
        except np.linalg.LinAlgError:
            if state.linalg == "raise":
                raise
            return np.ones_like(matrices)  # some numbers

    cupyx, cupy = ModuleType("cupyx"), SimpleNamespace(**vars(np))
    cupyx.errstate, cupy.cuda = errstate, SimpleNamespace(Device=_Device)
    cupy.linalg = SimpleNamespace(cholesky=cholesky)
    monkeypatch.setitem(sys.modules, "cupyx", cupyx)
    f = CupyNumerics(cupy, _Device(1))
    gram = np.stack([np.eye(2), -np.eye(2)])
    np.testing.assert_array_equal(f.cholesky(gram)[0], np.eye(2))
    assert np.isnan(f.cholesky(gram)[1]).all() and np.isnan(f.cholesky(gram[1])).all()
    with f.current(), f.current():
        assert _Device.current == 1
    assert _Device.current == 0


def test_a_recording():
    """On its device, on a stream of its own, and not spoilt by other threads."""
    told = []

    class Graph:
        def __init__(self, graph, stream, capture_error_mode):
            told.append((graph, stream, capture_error_mode))

        def __enter__(self):
            told.append("begins")

        def __exit__(self, *error):
            told.append("ends")

    cuda = SimpleNamespace(
        CUDAGraph=lambda: "a graph",
        Stream=lambda device: ("stream", device.index),
        device=lambda device: contextlib.nullcontext(told.append(device.index)),
        graph=Graph,
    )
    names = ("exp", "expm1", "log1p", "log", "tanh", "sqrt", "abs", "sign", "where")
    torch = SimpleNamespace(cuda=cuda, **dict.fromkeys((*names, "isfinite", "maximum", "minimum")))
    f = TorchNumerics(torch, SimpleNamespace(type="cuda", index=1))
    assert f.has_graphs
    assert f.recorded(lambda: told.append("work")) == "a graph"
    recording = ("a graph", ("stream", 1), "thread_local")
    assert told == [1, recording, "begins", "work", "ends"]
