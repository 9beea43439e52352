"""Layers on a device: what they remember, and what their moments are."""

import numpy as np

from skmdlam.engine.device.layers import DeviceLayer, DeviceLimits
from skmdlam.engine.layers import Layer, StepLimit
from skmdlam.engine.preconditioners import RunningPreconditioner

K, M = 3, 30


def layers_of(dtype=np.float64):
    rng = np.random.default_rng(0)
    return [
        Layer(
            rng.standard_normal((5, 2)).astype(dtype),
            gain=3.0,
            momentum=0.7,
            limit=StepLimit(1.2, 0.1, 2),
            preconditioner=RunningPreconditioner(4, 0.3, 0.2, np.dtype(dtype)),
        )
        for _ in range(K)
    ]


def batch(rng):
    return np.concatenate([rng.standard_normal((K, M, 4)), np.ones((K, M, 1))], axis=-1)


def move(layer, limits, a, D, factor):
    """A step of a single layer."""
    step, decrease = layer.propose(a, D)
    layer.commit(step, *(each[0] for each in limits([decrease], factor)))


def test_moments_limits_and_steps(f):
    layers, rng = layers_of(), np.random.default_rng(1)
    there, limits = DeviceLayer(f, layers, False), DeviceLimits(f, layers[:1], K)
    there.upload(layers)
    for step in range(8):
        a, D = batch(rng), rng.standard_normal((K, M, 2)) * (1.0 + 5.0 * (step == 6))
        weight = rng.uniform(0.5, 2.0, (M, 1)) if step % 2 else None
        observe = [True, step % 2 == 0, step < 4]
        which = f.array(np.reshape(observe, (K, 1, 1)).astype(float))
        there.observe(f.array(a), None if weight is None else f.array(weight), which)
        there.refresh(which)
        factors = np.array([1.0, 0.5, 0.25])
        move(there, limits, f.array(a), f.array(D), f.array(factors.reshape(K, 1, 1)))
        for j, layer in enumerate(layers):
            if observe[j]:
                layer.preconditioner.observe(a[j].T, weight)
                layer.preconditioner.refresh()
            length = layer.limit.length(layer.propose(a[j].T, D[j].T) / factors[j] ** 2)
            layer.commit(length)
            assert step != 6 or length < 1.0  # an outlier is shortened
    for name in ("V", "velocity"):
        expected = np.stack([getattr(layer, name) for layer in layers])
        np.testing.assert_allclose(f.host(getattr(there, name)), expected, rtol=1e-10)
    for name in ("moments", "inverse"):
        expected = np.stack([getattr(layer.preconditioner, name) for layer in layers])
        np.testing.assert_allclose(f.host(getattr(there, name)), expected, rtol=1e-9, atol=1e-12)
    usual = [layer.limit.usual for layer in layers]
    np.testing.assert_allclose(f.host(limits.usual).ravel(), usual, rtol=1e-10)
    assert f.host(limits.count).ravel().tolist() == [8.0] * K
    counts = [layer.preconditioner.count for layer in layers]
    assert f.host(there.observed).ravel().tolist() == counts == [8, 4, 4]


def test_no_step_before_the_moments_are_known(f):
    layers = layers_of()
    there, limits = DeviceLayer(f, layers, False), DeviceLimits(f, layers[:1], K)
    there.upload(layers)
    a = f.array(batch(np.random.default_rng(2)))
    move(there, limits, a, a[..., :2], f.ones((K, 1, 1), np.float64))
    np.testing.assert_array_equal(f.host(there.V), np.stack([layer.V for layer in layers]))


def test_moments_that_are_not_finite_are_left_out(f):
    there = DeviceLayer(f, layers_of(), False)
    a = batch(np.random.default_rng(2))
    every = f.ones((K, 1, 1), np.float64)
    there.observe(f.array(a), None, every)
    there.refresh(every)
    known, inverse = f.host(there.moments).copy(), f.host(there.inverse).copy()
    spoilt = np.array(a)
    spoilt[1, 3, 2] = np.inf
    with np.errstate(all="ignore"):
        there.observe(f.array(spoilt), None, every)
    np.testing.assert_array_equal(f.host(there.moments)[1], known[1])
    assert f.host(there.observed).ravel().tolist() == [2.0, 1.0, 2.0]
    there.moments[0] = np.nan
    there.refresh(every)
    np.testing.assert_array_equal(f.host(there.inverse)[0], inverse[0])


def test_weights_there_and_back(f):
    layers = layers_of(np.float32)
    there = DeviceLayer(f, layers, True)
    there.upload(layers)
    there.V += 1.0
    before = [layer.V.copy() for layer in layers]
    there.keep([0, 2])
    there.download([layers[0], layers[2]])
    np.testing.assert_array_equal(layers[2].V, before[2] + np.float32(1.0))
    np.testing.assert_array_equal(layers[1].V, before[1])
