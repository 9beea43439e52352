"""Outputs of a network of each backend against NumPy's forward pass."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.activations import get_activations
from skmdlam.engine.device import predict
from skmdlam.engine.device.predict import outputs
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.members import joined
from skmdlam.engine.problem import forward

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4))


def network(*sizes):
    return (
        [RNG.standard_normal((m, k)) for m, k in pairwise(sizes)],
        [RNG.standard_normal(k) for k in sizes[1:]],
    )


@pytest.mark.parametrize("numbers", [2**25, 70])
@pytest.mark.parametrize("blocks", [1, 3])
def test_outputs(f, monkeypatch, blocks, numbers):
    monkeypatch.setattr(predict, "_NUMBERS", numbers)
    activations = get_activations(["relu", "tanh"], 2)
    weights = joined([network(4, 6, 5, 2) for _ in range(blocks)])
    found = outputs(f, f.array(X), *weights, activations, n_blocks=blocks)
    expected = forward(X, *weights, activations, blocks)
    np.testing.assert_allclose(f.host(found), expected, rtol=1e-11, atol=1e-12)


def test_blocks_that_a_user_has_joined(f):
    activations = get_activations(["relu", "tanh"], 2)
    coefs, intercepts = joined([network(4, 6, 5, 2) for _ in range(2)])
    coefs[1][0, -1] = 2.0
    found = outputs(f, f.array(X), coefs, intercepts, activations, n_blocks=2)
    expected = forward(X, coefs, intercepts, activations, 2)
    np.testing.assert_allclose(f.host(found), expected, rtol=1e-11, atol=1e-12)


def test_encoded_and_within_bounds(f):
    pieces, bounds = Pieces.of(X, 5, include_input=True), (X.min(axis=0), X.max(axis=0))
    weights = network(pieces.size, 3, 1)
    activations = get_activations("elu", 1)
    others = 2.0 * X
    found = outputs(f, f.array(others), *weights, activations, pieces=pieces, bounds=bounds)
    expected = forward(pieces.encoded(np.clip(others, *bounds)), *weights, activations)
    np.testing.assert_allclose(f.host(found), expected, rtol=1e-11, atol=1e-12)


def test_types(f):
    weights = network(4, 1)
    single = [[part.astype(np.float32) for part in parts] for parts in weights]
    x = f.array(X, np.float32)
    assert f.dtype_of(outputs(f, x, *single, [])) == np.float32
    assert f.dtype_of(outputs(f, x, *weights, [])) == np.float64
