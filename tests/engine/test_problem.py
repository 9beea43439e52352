"""The objective and the forward pass, against a loop over samples and layers."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ReLU, Tanh
from skmdlam.engine.problem import Problem, forward, hidden_activations
from skmdlam.losses import Poisson, SquaredError
from skmdlam.penalties import L1, L2, Box, NoPenalty

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4))
Y = RNG.standard_normal((12, 2))
WEIGHT = RNG.uniform(0.1, 3.0, 12)
SIZES = [4, 5, 3, 2]
COEFS = [RNG.standard_normal(shape) for shape in pairwise(SIZES)]
INTERCEPTS = [RNG.standard_normal(size) for size in SIZES[1:]]
ACTIVATIONS = [Tanh(), ReLU()]


def by_hand(x):
    """Values of all layers for one sample."""
    first = np.tanh(x @ COEFS[0] + INTERCEPTS[0])
    second = np.maximum(first @ COEFS[1] + INTERCEPTS[1], 0.0)
    return first, second, second @ COEFS[2] + INTERCEPTS[2]


@pytest.fixture(params=["dense", "csr"])
def inputs(request):
    return X.copy() if request.param == "dense" else sp.csr_array(X)


def test_forward(inputs):
    weights = [W.copy() for W in COEFS]
    z = forward(inputs, weights, INTERCEPTS, ACTIVATIONS)
    expected = [by_hand(x) for x in X]
    np.testing.assert_allclose(z, [e[2] for e in expected])
    for layer in (0, 1):
        a = hidden_activations(inputs, weights, INTERCEPTS, ACTIVATIONS, layer)
        np.testing.assert_allclose(a, [e[layer] for e in expected])
    for W, V in zip(weights, COEFS, strict=True):
        np.testing.assert_array_equal(W, V)
    np.testing.assert_array_equal(inputs.toarray() if sp.issparse(inputs) else inputs, X)
    z = forward(inputs, COEFS[:1], INTERCEPTS[:1], [])
    np.testing.assert_allclose(z, X @ COEFS[0] + INTERCEPTS[0])


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["none", "weights"])
@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
def test_objective(inputs, weight, penalty):
    """Sum over samples by weight; the penalty on weights and never on intercepts."""
    problem = Problem(inputs, Y, ACTIVATIONS, SquaredError(), penalty, 0.7, weight)
    s = np.ones(12) if weight is None else weight
    data = sum(
        s[i] * 0.5 * np.sum((by_hand(x)[2] - y) ** 2)
        for i, (x, y) in enumerate(zip(X, Y, strict=True))
    )
    size = (lambda W: 0.5 * np.sum(W**2)) if penalty == L2() else (lambda W: np.abs(W).sum())
    expected = data + 0.7 * sum(size(W) for W in COEFS)
    assert problem.training_objective(COEFS, INTERCEPTS) == pytest.approx(expected)
    v = X @ COEFS[0] + INTERCEPTS[0]
    kept = v.copy()
    assert problem.training_objective(COEFS, INTERCEPTS, v) == pytest.approx(expected)
    np.testing.assert_array_equal(v, kept)
    # What is known is not computed again.
    shifted = problem.training_objective(COEFS, [INTERCEPTS[0] + 1.0, *INTERCEPTS[1:]])
    assert problem.training_objective(COEFS, INTERCEPTS, v + 1.0) == pytest.approx(shifted)
    assert problem.rows.total == pytest.approx(s.sum())
    assert problem.sparse == sp.issparse(inputs)


def test_which_penalties_are_there():
    def problem(penalty, alpha, constrained=False):
        return Problem(X, Y, [], SquaredError(), penalty, alpha, constrained=constrained)

    quadratic = [(L2(), 1.0), (L2(), 0.0), (NoPenalty(), 0.0), (L1(), 0.0)]
    assert all(problem(*case).quadratic for case in quadratic)
    assert not problem(L1(), 0.1).quadratic
    assert not problem(Box(-1, 1), 0.0, True).quadratic
    assert problem(Box(-1, 1), 0.0, True).penalized and not problem(L2(), 0.0).penalized
    # Constraints hold without a strength too, which must not make infinity nothing.
    outside = np.full((2, 2), 5.0)
    assert problem(Box(-1, 1), 0.0, True).penalty_value(outside) == np.inf
    assert problem(Box(-1, 1), 0.0, True).penalty_value(0.1 * outside) == 0.0
    assert problem(L2(), 0.0).penalty_value(outside) == 0.0
    assert problem(L2(), 2.0).penalty_value(outside) == 100.0


def test_poisson_far_from_the_data():
    problem = Problem(X, np.ones((12, 2)), [], Poisson(), L2(), 0.0)
    assert problem.data_loss(np.full((12, 2), 1e4)) == np.inf
