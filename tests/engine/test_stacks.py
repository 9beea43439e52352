"""Stacked layers against each layer alone."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.engine.layers import InputLayer, Layer, StepLimit, Values
from skmdlam.engine.preconditioners import RunningPreconditioner
from skmdlam.engine.stacks import StackedInputLayer, StackedLayer, StackedValues

K, M, RNG = 3, 20, np.random.default_rng(0)


def normal(*shape, rng=RNG):
    return rng.standard_normal(shape)


def limit():
    return StepLimit(1.5, 0.1, 3)


def layer_of(n_in, n_out, seed, *, last=False, ready=True):
    rng = np.random.default_rng(seed)
    preconditioner = RunningPreconditioner(n_in, 0.3, 0.1, np.dtype(float))
    if ready:
        preconditioner.observe(np.vstack([normal(n_in, M, rng=rng), np.ones(M)]))
        preconditioner.refresh()
    layer = Layer(
        normal(n_in + 1, n_out, rng=rng), gain=1.7, momentum=0.8, limit=limit(),
        preconditioner=preconditioner, last=last,
    )  # fmt: skip
    layer.velocity[:] = normal(n_in + 1, n_out, rng=rng)
    return layer


def assert_same_state(layer, alone):
    for name in ("V", "velocity"):
        np.testing.assert_allclose(getattr(layer, name), getattr(alone, name), rtol=1e-12)


@pytest.mark.parametrize("lengths", [[1.0, 1.0, 1.0], [1.0, None, 0.4]])
@pytest.mark.parametrize(("n_out", "last"), [(4, False), (2, True), (1, True)])
def test_a_stack_is_its_layers(n_out, last, lengths):
    layers, alone = ([layer_of(5, n_out, seed, last=last) for seed in range(K)] for _ in range(2))
    stack = StackedLayer(layers)
    for round_ in range(2):
        a = np.concatenate([normal(K, 5, M), np.ones((K, 1, M))], axis=1)
        D, below = normal(K, n_out, M), np.empty((K, 5, M))
        z = np.empty((K, M, n_out) if last else (K, n_out, M))
        stack.forward(a, z)
        stack.pull_back(D, below)
        promised = stack.propose(a, D)
        stack.commit(lengths)
        for j, (layer, one) in enumerate(zip(layers, alone, strict=True)):
            expected, pulled = np.empty(z.shape[1:]), np.empty(below.shape[1:])
            one.forward(a[j], expected)
            one.pull_back(D[j], pulled)
            np.testing.assert_allclose(z[j], expected, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(below[j], pulled, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(promised[j], one.propose(a[j], D[j]), rtol=1e-12)
            if lengths[j] is not None:
                one.commit(lengths[j])
            assert_same_state(layer, one)
        # What others do to a layer, the safeguard or a new inverse, is seen by the stack.
        for layer, one in zip(layers[round_:], alone[round_:], strict=True):
            for each in (layer, one):
                each.V[:] *= 0.5
                each.forget()
                each.preconditioner.observe(a[0])
                each.preconditioner.refresh()


def test_a_layer_without_an_inverse_takes_no_step():
    layers = [layer_of(5, 4, j, ready=j != 1) for j in range(K)]
    stack = StackedLayer(layers)
    promised = stack.propose(normal(K, 6, M), normal(K, 4, M))
    assert [value is None for value in promised] == [False, True, False]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_first_layer_is_its_layers(weighted):
    """The samples are the same for all, and so is what each counts."""
    samples = np.column_stack([normal(50, 6), np.ones(50)])
    weights = RNG.uniform(0.1, 1.0, (50, 1)) if weighted else None

    def take(rows, out):
        out[:] = samples[rows]

    layers = [
        InputLayer(
            normal(7, 4), input=SimpleNamespace(take=take), row_weights=weights,
            gain=1.0, momentum=0.8, limit=limit(),
        )
        for _ in range(K)
    ]  # fmt: skip
    alone = [copy.deepcopy(layer) for layer in layers]
    stack, shapes = StackedInputLayer(layers), [(7, 4), (5, 2)]
    values = StackedValues(K, M, shapes, float)
    for lengths in ([1.0, 1.0, 1.0], [0.3, 1.0, None]):
        rows, D = RNG.permutation(50)[:M], normal(K, 4, M)
        stack.take(rows, values)
        values.D[0][:] = D
        promised = stack.propose(rows, values)
        stack.commit(lengths)
        for j, (layer, one) in enumerate(zip(layers, alone, strict=True)):
            own = Values(M, shapes, float, dense=True)
            one.take(rows, own)
            np.testing.assert_allclose(values.z[0][j], own.z[0], rtol=1e-12, atol=1e-12)
            own.D[0][:] = D[j]
            expected = one.propose(*one.weigh(rows, own))
            np.testing.assert_allclose(promised[j], expected, rtol=1e-12)
            if lengths[j] is not None:
                one.commit(lengths[j])
            assert_same_state(layer, one)


def test_buffers_of_a_stack_share_memory():
    """What a layer writes is what the next one reads; the constants stay."""
    values = StackedValues(K, M, [(7, 4), (5, 3), (4, 2)], np.float32)
    for layer, width in enumerate((4, 3), 1):
        values.a[layer - 1][:] = layer
        assert values.inputs[layer].shape == (K, width + 1, M)
        for j in range(K):
            np.testing.assert_array_equal(values.inputs_of[j][layer][:-1], layer)
            np.testing.assert_array_equal(values.inputs_of[j][layer][-1], 1.0)
    values.first[:] = np.arange(3 * 4)[:, None]
    np.testing.assert_array_equal(values.z[0][2, 1], 9.0)
    values.D_output[1, :, 0] = 5.0
    np.testing.assert_array_equal(values.D[2][1, 0], 5.0)
    assert values.output.dtype == values.U.dtype == np.float32
