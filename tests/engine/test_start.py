"""Starting weights."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.activations import get_activation
from skmdlam.engine.problem import forward
from skmdlam.engine.start import glorot, mirrored


def start(sizes, names, dtype=float, draw=mirrored):
    activations = [get_activation(name) for name in names]
    coefs, intercepts = draw(sizes, np.random.RandomState(0), dtype, activations)
    assert [W.shape for W in coefs] == list(pairwise(sizes))
    assert [b.shape for b in intercepts] == [(size,) for size in sizes[1:]]
    assert {W.dtype for W in coefs + intercepts} == {np.dtype(dtype)}
    return coefs, intercepts, activations


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_deep_ramps_start_straight(activation, dtype):
    """However deep, the net is a linear map of full rank, so f(x) + f(y) = f(x + y)."""
    model = start([6, *[12] * 20, 6], [activation] * 20, dtype)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50, 6)).astype(dtype)
    image = forward(x, *model)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        image + forward(y, *model), forward(x + y, *model), atol=tolerance * np.abs(image).max()
    )
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
