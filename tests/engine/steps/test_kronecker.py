"""The preconditioner of full-batch sweeps against the formula of its docstring in dense NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.scaled import scaled_input
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.reductions import Rows
from skmdlam.engine.steps.full_objective import FullObjective
from skmdlam.engine.steps.kronecker import KroneckerPreconditioner
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    SoftmaxCrossEntropy,
    get_loss,
)

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]
RIDGE = [np.arange(1.0, 7.0)[:, None], 0.7, 20.0]


def make(loss="softmax", activations=("tanh", "logistic"), *, n=30, sparse=False, weighted=True,
         columns=0.0, ridge=RIDGE, limits=LIMITS):  # fmt: skip
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) + 1.0
    if sparse:
        X[rng.random(X.shape) < 0.5] = 0.0
    Y = np.abs(rng.normal(size=(n, 3)))
    losses = {"softmax": SoftmaxCrossEntropy(), "logistic": LogisticLoss()}
    if loss in losses:
        Y = np.eye(3)[rng.integers(0, 3, n)]
    loss = losses[loss] if loss in losses else get_loss(loss)
    weight = rng.uniform(0.1, 3.0, n) if weighted else None
    rows = Rows(n, weight)
    columns_of_X = Columns.of(*column_moments(X, rows.normalized()), rows.total, n, X.dtype)
    inputs = scaled_input(sp.csr_array(X) if sparse else X, columns_of_X)
    activations = [get_activation(name) for name in activations]
    widths = [5, 4, 3][-len(activations) - 1 :] if activations else [3]
    objective = FullObjective(
        inputs, Y, loss, activations, widths, weight, ridge[-len(widths) :], 0.0, columns, limits
    )
    return objective, X, Y, np.ones(n) if weight is None else weight


def dense(objective, theta, X, Y, s, damping_in, damping_out, curvature_share, few=None):
    """Matrix of the preconditioner, step by step as in the docstring.

    ``few`` are the rows that the moments of the inputs come from, each with its own weight.
    """
    mean, total = s @ X / s.sum(), s.sum()
    a = (X - mean) / np.sqrt(s @ (X - mean) ** 2 / total)
    V, inputs, slopes = objective.views(theta), [], []
    for layer, W in enumerate(V):
        inputs.append(a)
        z = a @ W[:-1] + W[-1]
        if layer < len(objective.activations):
            a = objective.activations[layer].value(z)
            slopes.append(objective.activations[layer].derivative(z, a))
    diagonal, factor = objective.loss.curvature(z, objective.loss.compact(Y))
    hessians = [np.diag(row) for row in diagonal]
    if factor is not None:
        hessians = [H - np.outer(f, f) for H, f in zip(hessians, factor, strict=True)]
    curvature = np.array([H.trace() for H in hessians])
    curvature = curvature * total / (s @ curvature)
    share = s * (curvature_share * curvature + 1.0 - curvature_share) / total
    M = np.einsum("i,ijk->jk", share, np.array(hessians))
    ridges = list(objective.ridge)
    if objective.columns > 0:
        sizes = (V[0][:-1] ** 2).sum(axis=1, keepdims=True)
        ridges[0] = ridges[0] + objective.columns / (0.1 + sizes)
    blocks = []
    for layer in reversed(range(len(V))):
        A, of_rows = inputs[layer], share
        if few is not None:
            A, of_rows = A[few], s[few] / s[few].sum()
        size = A.shape[1]
        center = of_rows @ A
        C = ((A - center) * of_rows[:, None]).T @ (A - center)
        c, t = C.trace() / size, M.trace() / len(M)
        ridge = np.broadcast_to(np.ravel(ridges[layer]), (size,)) / total / t / c
        P = np.linalg.inv(C / c + np.diag(damping_in + ridge)) * (1 + damping_in)
        Q = np.linalg.inv(M / t + damping_out * np.eye(len(M))) * (1 + damping_out) / np.sqrt(t)
        # dW = P (G - mean g') Q,  db = g' Q - mean dW
        centering = np.eye(size + 1)
        centering[:-1, -1] = -center
        left = np.eye(size + 1)
        left[:-1, :-1] = P
        blocks.append(np.kron(centering.T @ left @ centering, Q))
        if layer > 0:
            W = V[layer][:-1]
            slope = slopes[layer - 1]
            M = (W @ M @ W.T) * ((slope * share[:, None]).T @ slope)
    return blocks[::-1]


def assert_is(preconditioner, objective, blocks, rtol=1e-8):
    edges = np.cumsum([0, *(len(block) for block in blocks)])
    gradient = np.random.default_rng(5).normal(size=objective.size)
    kept = gradient.copy()
    step = preconditioner(gradient)
    np.testing.assert_array_equal(gradient, kept)
    for block, start, end in zip(blocks, edges, edges[1:], strict=False):
        np.testing.assert_allclose(
            step[start:end], block @ gradient[start:end], rtol=rtol, atol=1e-10
        )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_formula(loss, sparse):
    """With slopes of tanh and logistic, weights, ridges of rows and layers, and columns."""
    objective, X, Y, s = make(loss, sparse=sparse, columns=2.0)
    theta = np.random.default_rng(1).normal(size=objective.size)
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75)
    preconditioner.update(theta)
    assert_is(preconditioner, objective, dense(objective, theta, X, Y, s, 0.1, 0.5, 0.75))


def test_damping_and_weights_are_those_of_the_last_update():
    objective, X, Y, s = make("logistic", weighted=False)
    first, theta = np.random.default_rng(1).normal(size=(2, objective.size))
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75)
    preconditioner.update(first)
    preconditioner.damp(3.0, 7.0)
    assert_is(preconditioner, objective, dense(objective, first, X, Y, s, 0.1, 0.5, 0.75))
    preconditioner.update(theta)
    assert_is(preconditioner, objective, dense(objective, theta, X, Y, s, 3.0, 7.0, 0.75))


def test_blocks_of_rows_change_nothing_where_rows_are_alike():
    """Without a share of the curvature, whose total weight is that of a block."""
    limits = replace(LIMITS, block_rows=7)
    objective, X, Y, s = make("poisson", limits=limits)
    theta = np.random.default_rng(1).normal(scale=0.3, size=objective.size)
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.0, limits)
    preconditioner.update(theta)
    assert_is(preconditioner, objective, dense(objective, theta, X, Y, s, 0.1, 0.5, 0.0))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rows", [30, 20])
@pytest.mark.parametrize("inverse", [0, 5])
def test_wide_layers_have_the_low_rank_form_of_some_rows(sparse, rows, inverse):
    """All layers, or the first one alone, which has 6 inputs."""
    limits = replace(LIMITS, kronecker_inverse=inverse, kronecker_rows=rows)
    objective, X, Y, s = make(sparse=sparse, columns=2.0, limits=limits)
    theta = np.random.default_rng(1).normal(size=objective.size)
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75, limits)
    preconditioner.update(theta)
    few = np.linspace(0, 29, rows).astype(int)
    expected = dense(objective, theta, X, Y, s, 0.1, 0.5, 0.75, few)
    if inverse == 5:
        expected[1:] = dense(objective, theta, X, Y, s, 0.1, 0.5, 0.75)[1:]
    assert_is(preconditioner, objective, expected)


def test_number_of_rows_of_wide_layers_is_held_by_memory():
    limits = replace(LIMITS, kronecker_inverse=3, kronecker_numbers=6 * 25)
    objective, X, Y, s = make(n=60, limits=limits)
    theta = np.random.default_rng(1).normal(size=objective.size)
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75, limits)
    preconditioner.update(theta)
    few = np.linspace(0, 59, 25).astype(int)
    assert_is(preconditioner, objective, dense(objective, theta, X, Y, s, 0.1, 0.5, 0.75, few))


def test_squared_error_without_hidden_layer_is_newton():
    """Undamped, the step leads to the minimum."""
    objective, *_ = make("squared_error", (), ridge=[0.3])
    preconditioner = KroneckerPreconditioner(objective, 0.0, 0.0, 0.0)
    theta = np.random.default_rng(0).normal(size=objective.size)
    preconditioner.update(theta)
    gradient = objective(theta)[1]
    gradient = objective(theta - preconditioner(gradient))[1]
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_positive_definite_and_symmetric(loss):
    objective, *_ = make(loss, ("relu", "tanh"))
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75)
    preconditioner.update(np.random.default_rng(1).normal(size=objective.size))
    columns = np.column_stack([preconditioner(e) for e in np.eye(objective.size)])
    np.testing.assert_allclose(columns, columns.T, rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(columns)[0] > 0


@pytest.mark.parametrize("inverse", [2000, 0])
def test_survives_what_is_not_finite(inverse):
    limits = replace(LIMITS, kronecker_inverse=inverse)
    objective, *_ = make("squared_error", ("identity",), limits=limits)
    preconditioner = KroneckerPreconditioner(objective, 0.1, 0.5, 0.75, limits)
    for theta in (np.zeros(objective.size), np.full(objective.size, 1e60)):
        preconditioner.update(theta)
        assert np.isfinite(preconditioner(np.ones(objective.size))).all()
