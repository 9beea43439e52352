"""Starting weights."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.activations import get_activation
from skmdlam.engine.problem import forward
from skmdlam.engine.start import gaussian, glorot, looks_linear, lsuv


def start(sizes, names, dtype=float, draw=looks_linear):
    activations = [get_activation(name) for name in names]
    coefs, intercepts = draw(sizes, np.random.RandomState(0), dtype, activations)
    assert [W.shape for W in coefs] == list(pairwise(sizes))
    assert [b.shape for b in intercepts] == [(size,) for size in sizes[1:]]
    assert {W.dtype for W in coefs + intercepts} == {np.dtype(dtype)}
    return coefs, intercepts, activations


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("activation", "depth"), [("relu", 20), ("leaky_relu", 20), ("relu", 3)])
def test_deep_ramps_start_straight(activation, depth, dtype):
    """However deep, the net is a linear map of full rank, so f(x) + f(y) = f(x + y)."""
    model = start([6, *[12] * depth, 6], [activation] * depth, dtype)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50, 6)).astype(dtype)
    image = forward(x, *model)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        image + forward(y, *model), forward(x + y, *model), atol=tolerance * np.abs(image).max()
    )
    block = model[0][1][:6, :6].astype(float)
    np.testing.assert_allclose(block @ block.T, 2.0 * np.eye(6), atol=1e-6)
    sizes = np.linalg.svd(image, compute_uv=False)
    assert sizes[-1] > 0.1 * sizes[0]


@pytest.mark.parametrize("widths", [(7, 5, 3), (1, 1, 1), (2, 9, 4)])
@pytest.mark.parametrize("names", [["relu"] * 3, ["relu", "tanh", "leaky_relu"]])
def test_any_widths_and_mixed_activations(widths, names):
    coefs, intercepts, activations = start([4, *widths, 2], names)
    z = forward(np.random.default_rng(0).standard_normal((30, 4)), coefs, intercepts, activations)
    assert np.isfinite(z).all()
    assert np.ptp(z, axis=0).min() > 0


@pytest.mark.parametrize("names", [[], ["relu"], ["relu", "relu"], ["tanh"] * 4])
def test_the_others_start_as_glorot(names):
    sizes = [5, *[8] * len(names), 3]
    for W, V in zip(start(sizes, names)[0], start(sizes, names, draw=glorot)[0], strict=True):
        np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize("draw", [glorot, looks_linear])
def test_range_of_the_start(draw):
    """Uniform up to ``sqrt(c / (n_in + n_out))``, with c = 2 into layers of small slope."""
    coefs, intercepts, _ = start([40, 60, 50, 30], ["logistic", "tanh"], draw=draw)
    for W, b, factor in zip(coefs, intercepts, (2.0, 6.0, 6.0), strict=True):
        bound = np.sqrt(factor / sum(W.shape))
        assert 0.99 * bound < np.abs(W).max() <= bound
        assert 0.8 * bound < np.abs(b).max() <= bound
        assert W.std() == pytest.approx(bound / np.sqrt(3.0), rel=0.05)


def test_normal_start():
    coefs, intercepts = gaussian([60, 50, 40], np.random.RandomState(0), np.float32, 0.3)
    for W, b in zip(coefs, intercepts, strict=True):
        assert W.dtype == b.dtype == np.float32
        assert W.std() == pytest.approx(0.3, rel=0.05) and b.any()


def spreads(V, a, activations, share):
    """Mean and spread of each layer's pre-activations."""
    found = []
    for layer, W in enumerate(V):
        z = a @ W[:-1] + W[-1]
        mean = share @ z
        found.append((mean, np.sqrt(np.mean(share @ (z - mean) ** 2))))
        if layer < len(activations):
            a = activations[layer].value(z)
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("names", "goals"),
    [
        (["logistic"], [3.0, 1.0]),
        (["relu", "logistic"], [1.0, 3.0, 1.0]),
        (["tanh"] * 3, [1.0] * 4),
        (["logistic", "tanh", "relu", "logistic"], [3.0, 1.0, 1.0, 3.0, 1.0]),
    ],
)
def test_pre_activations_start_with_mean_zero_and_a_spread(names, goals, weighted):
    """Those of the weighted samples, layer by layer; each layer is only scaled and shifted."""
    sizes = [5, *[7] * len(names), 3]
    coefs, intercepts, activations = start(sizes, names)
    V = [np.vstack([W, b]) for W, b in zip(coefs, intercepts, strict=True)]
    a = 4.0 * np.random.default_rng(1).standard_normal((60, 5)) + 1.0
    weight = np.random.default_rng(2).uniform(0.0, 3.0, 60) if weighted else None
    share = np.full(60, 1 / 60) if weight is None else weight / weight.sum()
    given = a.copy(), None if weight is None else weight.copy()
    lsuv(V, lambda: a, activations, weight)
    for (mean, spread), goal in zip(spreads(V, a, activations, share), goals, strict=True):
        np.testing.assert_allclose(mean, 0.0, atol=1e-10)
        assert spread == pytest.approx(goal, rel=1e-9)
    for W, first in zip(V, coefs, strict=True):
        ratio = W[:-1] / first
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)
    np.testing.assert_array_equal(a, given[0])
    assert weight is None or np.array_equal(weight, given[1])


@pytest.mark.parametrize("names", [[], ["relu"], ["tanh", "relu"]])
def test_shallow_nets_are_left_alone(names):
    coefs, intercepts, activations = start([5, *[7] * len(names), 3], names)
    V = [np.vstack([W, b]) for W, b in zip(coefs, intercepts, strict=True)]
    copies = [W.copy() for W in V]
    lsuv(V, None, activations)  # nobody asks for the samples
    for W, copy in zip(V, copies, strict=True):
        np.testing.assert_array_equal(W, copy)


def test_samples_that_are_all_alike_have_no_spread():
    """Nothing is divided by rounding errors; the mean is taken off all the same."""
    coefs, intercepts, activations = start([5, 7, 3], ["logistic"])
    V = [np.vstack([W, b]) for W, b in zip(coefs, intercepts, strict=True)]
    a = np.full((20, 5), 0.1) / 3.0
    lsuv(V, lambda: a, activations)
    np.testing.assert_array_equal(V[0][:-1], coefs[0])
    np.testing.assert_allclose(a @ V[0][:-1] + V[0][-1], 0.0, atol=1e-15)
    assert all(np.isfinite(W).all() for W in V)


@pytest.mark.parametrize("name", ["tanh", "logistic", "relu"])
def test_glorot_by_hand(name):
    """Uniform with MLPClassifier's bounds, which are narrower into layers of small slope."""
    coefs, intercepts, _ = start([40, 60, 30], [name], draw=glorot)
    for W, b, c in zip(coefs, intercepts, (2.0 if name == "logistic" else 6.0, 6.0), strict=True):
        bound = np.sqrt(c / sum(W.shape))
        for drawn in (W, b):
            assert np.abs(drawn).max() <= bound
        assert np.abs(W).max() > 0.97 * bound
        assert W.std() == pytest.approx(bound / np.sqrt(3.0), rel=0.05)


def test_gaussian_by_hand():
    coefs, intercepts = gaussian([50, 80, 30], np.random.RandomState(0), float, 0.3)
    assert [W.shape for W in coefs] == [(50, 80), (80, 30)]
    for drawn in coefs:
        assert drawn.std() == pytest.approx(0.3, rel=0.05)
        assert abs(drawn.mean()) < 0.03
    assert intercepts[0].std() == pytest.approx(0.3, rel=0.3)


class TestSpread:
    """Every pre-activation has mean zero and the spread that its layer works with."""

    rng = np.random.default_rng(0)
    inputs = 5.0 + 30.0 * rng.standard_normal((200, 4))

    def spread(self, names, weight=None, inputs=None):
        inputs = self.inputs if inputs is None else inputs
        coefs, intercepts, activations = start([4, *[6] * len(names), 2], names, draw=glorot)
        V = [np.vstack(parts) for parts in zip(coefs, intercepts, strict=True)]
        before = [W.copy() for W in V]
        lsuv(V, lambda: inputs, activations, weight)
        found, a = [], inputs
        for index, W in enumerate(V):
            z = a @ W[:-1] + W[-1]
            mean = np.average(z, axis=0, weights=weight)
            found.append(
                (mean, np.sqrt(np.average((z - mean) ** 2, axis=0, weights=weight).mean()))
            )
            a = activations[index].value(z) if index < len(names) else z
        return before, V, found

    @pytest.mark.parametrize("weight", [None, rng.uniform(0.0, 5.0, 200)], ids=["none", "weights"])
    @pytest.mark.parametrize("names", [["logistic"], ["tanh"] * 3, ["logistic", "tanh"]], ids=str)
    def test_by_hand(self, names, weight):
        before, V, found = self.spread(names, weight)
        goals = [3.0 if name == "logistic" else 1.0 for name in names] + [1.0]
        for (mean, spread), goal in zip(found, goals, strict=True):
            np.testing.assert_allclose(mean, 0.0, atol=1e-10)
            assert spread == pytest.approx(goal)
        for W, start_of in zip(V, before, strict=True):
            ratio = W[:-1] / start_of[:-1]
            np.testing.assert_allclose(ratio, ratio[0, 0])

    @pytest.mark.parametrize("names", [[], ["tanh"], ["relu", "tanh"]], ids=str)
    def test_shallow_nets_are_left_alone(self, names):
        before, V, _ = self.spread(names)
        for W, start_of in zip(V, before, strict=True):
            np.testing.assert_array_equal(W, start_of)

    def test_samples_that_are_all_alike(self):
        """Rounding is no spread to scale up."""
        before, V, _ = self.spread(["logistic"], inputs=np.full((200, 4), 0.1))
        np.testing.assert_array_equal(V[0][:-1], before[0][:-1])
        assert np.isfinite(V[1]).all()
