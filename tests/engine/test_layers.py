"""A layer by itself: its step, its memory, its buffers."""

import numpy as np
import pytest

from skmdlam.activations import get_activation
from skmdlam.engine.layers import InputLayer, Layer, Network, StepLimit, Values
from skmdlam.engine.preconditioners import RunningPreconditioner


def layer_of(V, **options):
    options = {"gain": 1.0, "momentum": 0.5, "limit": StepLimit(9.0, 0.1), **options}
    preconditioner = RunningPreconditioner(V.shape[0] - 1, 0.2, 0.05, V.dtype)
    return Layer(V, preconditioner=preconditioner, **options)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_average_and_length_of_steps_by_hand():
    limit = StepLimit(2.0, 0.25)
    decreases = [1.0, 3.0, 50.0, 1.0, 2.0, 1.0]
    lengths = [limit.length(decrease) for decrease in decreases]
    assert lengths == [1.0] * 6  # the first six are taken as they are
    usual = 0.0
    for index, decrease in enumerate(decreases):
        usual += max(0.25, 1 / (index + 1)) * (decrease - usual)
    assert limit.usual == pytest.approx(usual)
    assert limit.length(2.0 * usual) == 1.0
    usual += 0.25 * usual
    assert limit.length(200.0) == pytest.approx(np.sqrt(2.0 * usual / 200.0))
    usual += 0.25 * usual  # it enters the average as what it was shortened to
    assert limit.usual == pytest.approx(usual) and limit.count == 8
    for decrease in (np.nan, np.inf):
        assert limit.length(decrease) is None
    assert limit.usual == pytest.approx(usual) and limit.count == 8
    limit.reset()
    assert limit.length(1e9) == 1.0


@pytest.mark.parametrize("m", [1, 7])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("n_out", [1, 3])
def test_products(n_out, last, m):
    layer = layer_of(random(5, n_out), last=last)
    a, D = np.vstack([random(4, m, seed=1), np.ones(m)]), random(n_out, m, seed=2)
    out = np.empty((m, n_out) if last else (n_out, m))
    layer.forward(a, out)
    np.testing.assert_allclose(out if last else out.T, a.T @ layer.V, rtol=1e-12)
    below = np.empty((4, m))
    layer.pull_back(D, below)
    np.testing.assert_allclose(below, layer.V[:-1] @ D, rtol=1e-12)


def test_step_with_gain_momentum_and_length():
    layer = layer_of(random(5, 3), gain=3.0, momentum=0.7)
    a, D = np.vstack([random(4, 20, seed=1), np.ones(20)]), random(3, 20, seed=2)
    assert layer.propose(a, D) is None and not layer.ready
    layer.preconditioner.observe(a)
    layer.preconditioner.refresh()
    assert layer.ready
    expected, velocity = layer.V.copy(), np.zeros((5, 3))
    for length in (1.0, 0.25, 1.0):
        right = a @ D.T
        step = layer.preconditioner.inverse @ right
        assert layer.propose(a, D) == pytest.approx(np.vdot(step, right))
        layer.commit(length)
        velocity = 0.7 * velocity + 3.0 * length * step
        expected = expected + velocity
        np.testing.assert_allclose(layer.V, expected, rtol=1e-12)
        np.testing.assert_allclose(layer.velocity, velocity, rtol=1e-12)


def test_forgetting_leaves_the_weights_only():
    layer = layer_of(random(5, 3))
    a, D = np.vstack([random(4, 20, seed=1), np.ones(20)]), random(3, 20, seed=2)
    layer.preconditioner.observe(a)
    layer.preconditioner.refresh()
    layer.propose(a, D)
    layer.limit.length(3.0)
    layer.commit(1.0)
    layer.accumulated += 2.0
    V = layer.V.copy()
    layer.forget()
    np.testing.assert_array_equal(layer.V, V)
    np.testing.assert_array_equal(layer.velocity, 0.0)
    assert layer.accumulated == 0.0 and isinstance(layer.accumulated, np.float64)
    assert (layer.limit.count, layer.limit.usual) == (0, 0.0)
    assert not layer.ready and layer.preconditioner.count == 0


class Held:
    """Samples without any basis, as much as the first layer asks for."""

    def __init__(self, U, views):
        self.U, self.views = U, views

    def take(self, rows, out):
        out[:] = self.U[rows]

    def view(self, rows):
        return self.U[rows] if self.views and isinstance(rows, slice) else None


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_passes_of_a_network(hidden, views):
    """By batches or in chunks, the same numbers as two lines of NumPy."""
    n, rows = 9, np.array([4, 2, 8])
    U = np.hstack([random(n, 4), np.ones((n, 1))])
    shapes = [(5, 6), (7, 2)] if hidden else [(5, 2)]
    V = [random(*shape, seed=index) for index, shape in enumerate(shapes)]
    row_weights = np.random.default_rng(0).uniform(0, 1, (n, 1))
    options = {"gain": 1.0, "momentum": 0.5, "limit": StepLimit(9.0, 0.1)}
    first = InputLayer(
        V[0], input=Held(U, views), row_weights=row_weights, last=not hidden, **options
    )
    layers = [first, layer_of(V[1], last=True)] if hidden else [first]
    network = Network(layers, [get_activation("tanh")] * (len(V) - 1))
    assert all(a is b for a, b in zip(network.weights, V, strict=True))
    expected = np.hstack([np.tanh(U @ V[0]), np.ones((n, 1))]) @ V[1] if hidden else U @ V[0]
    values = Values(3, shapes, np.dtype(float), dense=True)
    first.take(rows, values)
    np.testing.assert_allclose(network.forward(values), expected[rows], rtol=1e-12)
    first.begin_pass()
    for part in (slice(2, 5), rows):
        first.pass_over(part, values)
        np.testing.assert_allclose(network.forward(values), expected[part], rtol=1e-12)
    first.end_pass()

    first.take(rows, values)
    D = random(*values.D[0].shape, seed=5)
    values.D[0][:] = D
    first.weigh(rows, values)
    np.testing.assert_allclose(values.D[0], D * row_weights[rows].T)
    right = U[rows].T @ values.D[0].T
    assert first.propose(values.inputs[0], values.D[0]) == pytest.approx(np.sum(right**2))
    start = V[0].copy()
    first.commit(0.5)
    np.testing.assert_allclose(first.V - start, 0.5 * right)
    first.row_weights = None
    values.D[0][:] = D
    first.weigh(rows, values)
    np.testing.assert_array_equal(values.D[0], D)


def test_buffers():
    """Activations lie in the next input, above its row of ones; the targets of the output too."""
    values = Values(4, [(5, 6), (7, 3), (4, 2)], np.dtype(np.float32), dense=True)
    assert values.U.shape == (4, 5) and np.shares_memory(values.inputs[0], values.U)
    assert [z.shape for z in values.z] == [(6, 4), (3, 4)]
    for a, inputs in zip(values.a, values.inputs[1:], strict=True):
        assert np.shares_memory(a, inputs) and a.flags.c_contiguous
        np.testing.assert_array_equal(inputs[-1], 1.0)
    assert [D.shape for D in values.D] == [(6, 4), (3, 4), (2, 4)]
    assert np.shares_memory(values.D[-1], values.D_output)
    assert values.first is values.z[0]
    linear = Values(4, [(5, 2)], np.dtype(float), dense=False, backward=False)
    assert np.shares_memory(linear.first, linear.output) and linear.first.shape == (2, 4)
    assert linear.U is None and not hasattr(linear, "D")
