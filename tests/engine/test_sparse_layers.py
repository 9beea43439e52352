"""The first layer on a large sparse X: lazy, with all weights at hand, and dense are one step."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.decompositions import basis_of, row_weights
from skmdlam.engine.inputs.dense import DenseInput
from skmdlam.engine.inputs.samples_basis import SamplesBasis
from skmdlam.engine.inputs.sparse import SparseInput
from skmdlam.engine.layers import InputLayer, StepLimit, Values
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.sparse_layers import LazyInputLayer, SparseInputLayer


def matrix(n=90, d=70):
    """Few entries; columns and samples far from all others, and constant columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    X[rng.random(X.shape) < 0.9] = 0.0
    X[4] *= 30.0
    X[:, 3] = 0.0
    X[:, 6] = 2.0
    X[:, 5] *= 100.0
    X[:, 7] += 30.0 * (X[:, 7] != 0)
    return X


def layers_of(*, size=12, momentum=0.9, weighted=True, last=False, power=1e-6, dtype=float):
    """The three forms of a first layer, with the same weights."""
    X = matrix()
    share = np.full(len(X), 1 / len(X))
    limits = replace(LIMITS, decomposition=10, sketch=size)
    columns = Columns.of(*column_moments(X, share), len(X), len(X), X.dtype)
    basis = basis_of(X, columns, share, np.dtype(dtype), np.random.RandomState(0), limits=limits)
    dense, sparse = DenseInput(X, basis), SparseInput(sp.csr_array(X), basis, limits)
    assert sparse.projections.shape[1] == size + 2
    counts = row_weights(dense.norms, float(dense.norms.mean()), dtype) if weighted else None
    V = 0.1 * np.random.default_rng(1).standard_normal((X.shape[1] + 1, 3)).astype(dtype)
    made = []
    for kind in (InputLayer, SparseInputLayer, LazyInputLayer):
        options = {"smallest_power": power} if kind is LazyInputLayer else {}
        layer = kind(
            V.copy(),
            input=dense if kind is InputLayer else sparse,
            row_weights=counts,
            gain=2.0,
            momentum=momentum,
            limit=StepLimit(2.0, 0.1, 5),
            last=last,
            **options,
        )
        made.append(layer)
    return made, basis


def walk(layers, steps, *, seed=0, settle_every=None, penalty=None, m=6):
    """Steps on the same batches; the largest difference of what each says of a batch."""
    rng = np.random.default_rng(seed)
    n = len(matrix())
    shapes = [layers[0].V.shape] + ([] if layers[0].last else [(4, 2)])
    values = [Values(m, shapes, layer.V.dtype, dense=layer.dense) for layer in layers]
    goal = np.tanh(matrix()[:, 10:13] - matrix()[:, 20:23])
    pulled = 0
    for layer in layers:
        layer.begin()
    for step in range(1, steps + 1):
        rows = rng.choice(n, m, replace=False)
        lengths = []
        for layer, value in zip(layers, values, strict=True):
            layer.take(rows, value)
            z = value.first
            value.D[0][:] = (
                0.01 / m * (goal[rows].T - np.tanh(z)) * (30.0 if step % 17 == 0 else 1.0)
            )
            decrease = layer.propose(*layer.weigh(rows, value))
            length = layer.limit.length(decrease)
            layer.commit(length)
            lengths.append((decrease, length, z.copy()))
        pulled += lengths[0][1] < 1.0
        for decrease, length, z in lengths[1:]:
            assert decrease == pytest.approx(lengths[0][0], rel=1e-6)
            assert length == pytest.approx(lengths[0][1], rel=1e-6)
            expected = lengths[0][2]
            np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())
        if settle_every and step % settle_every == 0:
            for layer in layers:
                layer.settle()
                if penalty is not None:
                    penalty(layer)
                layer.resume()
    for layer in layers:
        layer.settle()
    assert pulled > 0


def check_equal(layers, rtol=1e-7):
    first = layers[0]
    for layer in layers[1:]:
        # Without momentum nobody asks for the last step.
        for name in ("V", "velocity") if first.momentum else ("V",):
            a, b = getattr(layer, name), getattr(first, name)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


@pytest.mark.parametrize("size", [0, 12])
@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.slow
def test_several_hundred_steps_in_one_load(size, weighted):
    """The momentum's power, .9^131 < 1e-6, is put right three times."""
    layers, _ = layers_of(size=size, weighted=weighted)
    start = layers[0].V.copy()
    walk(layers, 420)
    assert np.abs(layers[0].V - start).max() > 0.1
    check_equal(layers)


@pytest.mark.parametrize(("momentum", "power"), [(0.0, 1e-6), (0.3, 1e-6), (0.9, 0.5)])
def test_any_momentum(momentum, power):
    layers, _ = layers_of(momentum=momentum, power=power)
    walk(layers, 60)
    check_equal(layers)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.slow
def test_penalties_in_between(last):
    """What was put off is done before they come, and goes on after them, in several loads."""
    layers, basis = layers_of(last=last)

    def penalty(layer):
        basis.shrink(layer.V, 0.01, 0.02, 0.05 / (0.1 + basis.column_sizes(layer.V)))

    walk(layers, 200, settle_every=9, penalty=penalty)
    check_equal(layers)
    walk(layers, 150, settle_every=140, penalty=penalty, seed=1)
    check_equal(layers)


def test_after_an_epoch_that_was_taken_back():
    """Other weights and no past: nothing of what was put off is left."""
    layers, _ = layers_of()
    walk(layers, 40)
    for layer in layers:
        layer.V[:] = 0.1
        layer.forget()
    walk(layers, 40, seed=1)
    check_equal(layers)


def test_the_last_step_is_kept_in_single_precision_too():
    """Where .7^300 would be beyond all numbers."""
    layers, _ = layers_of(dtype=np.float32, momentum=0.7)
    rng = np.random.default_rng(0)
    shapes = [layers[0].V.shape, (4, 2)]
    values = [Values(6, shapes, np.dtype(np.float32), dense=layer.dense) for layer in layers]
    for layer in layers:
        layer.begin()
    for _ in range(300):
        rows = rng.choice(90, 6, replace=False)
        D = rng.standard_normal((3, 6)) * 0.05
        for layer, value in zip(layers, values, strict=True):
            layer.take(rows, value)
            value.D[0][:] = D - 0.01 * np.tanh(value.first)
            layer.propose(value.inputs[0], value.D[0])
            layer.commit(1.0)
    for layer in layers:
        layer.settle()
        assert layer.V.dtype == layer.velocity.dtype == np.float32
    check_equal(layers, rtol=2e-3)


def test_a_lazy_step_looks_at_the_columns_of_its_batch():
    """Whatever batches came before; the others' weights wait until they are asked for."""
    layers, _ = layers_of()
    lazy, X = layers[2], matrix()
    values = Values(6, [lazy.V.shape, (4, 2)], np.dtype(float), dense=False)
    lazy.begin()
    rng = np.random.default_rng(0)
    for _ in range(5):
        rows = rng.choice(len(X), 6, replace=False)
        lazy.take(rows, values)
        present = np.flatnonzero((X[rows] != 0).any(axis=0))
        np.testing.assert_array_equal(lazy._columns, present)
        others = np.setdiff1d(np.arange(70), present)
        before = lazy._y[others].copy()
        values.D[0][:] = 0.1
        lazy.propose(None, values.D[0])
        lazy.commit(1.0)
        np.testing.assert_array_equal(lazy._y[others], before)


def test_passes_over_the_samples():
    layers, _ = layers_of()
    shapes = [layers[0].V.shape, (4, 2)]
    for part in (slice(10, 15), np.array([3, 88, 3, 0, 41])):
        z = []
        for layer in layers:
            values = Values(5, shapes, np.dtype(float), dense=layer.dense, backward=False)
            layer.begin_pass()
            layer.pass_over(part, values)
            layer.end_pass()
            z.append(values.first)
        np.testing.assert_allclose(z[1], z[0], rtol=1e-9, atol=1e-10)
        np.testing.assert_array_equal(z[2], z[1])


@pytest.mark.parametrize("dual", [False, True])
def test_all_weights_at_hand_in_other_coordinates(dual):
    """Coordinates without leading directions, of columns or of samples."""
    X = matrix(d=8) if not dual else matrix(n=20)
    n = len(X)
    share = np.full(n, 1 / n)
    columns = Columns.of(*column_moments(X, share), 100, n, X.dtype)
    held = sp.csr_array(X)
    limits = replace(LIMITS, small=1, entries=1)
    basis = basis_of(held, columns, share, np.dtype(float), None, limits=limits)
    assert isinstance(basis, SamplesBasis) == dual
    V = np.random.default_rng(1).standard_normal((basis.size + 1, 3))
    options = {"row_weights": None, "gain": 1.0, "momentum": 0.5, "limit": StepLimit(9.0, 0.1, 5)}
    layers = [
        InputLayer(V.copy(), input=DenseInput(held, basis), **options),
        SparseInputLayer(V.copy(), input=SparseInput(held, basis, limits), **options),
    ]
    rng = np.random.default_rng(0)
    values = [Values(4, [V.shape, (4, 1)], V.dtype, dense=layer.dense) for layer in layers]
    for _ in range(10):
        rows, D = rng.choice(n, 4, replace=False), 0.1 * rng.standard_normal((3, 4))
        for layer, value in zip(layers, values, strict=True):
            layer.take(rows, value)
            value.D[0][:] = D - 0.01 * np.tanh(value.first)
            layer.propose(value.inputs[0], value.D[0])
            layer.commit(0.7)
    check_equal(layers)
