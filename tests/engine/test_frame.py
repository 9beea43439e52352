"""The way from the user's units to those of a run and back."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.activations import get_activation
from skmdlam.engine.frame import Frame
from skmdlam.engine.inputs.scaled import Scaled
from skmdlam.engine.moments import Columns, TargetMoments, column_moments
from skmdlam.engine.problem import Problem, forward
from skmdlam.losses import Huber, LogisticLoss, Poisson, SquaredError
from skmdlam.penalties import Box, get_penalty

RELU = get_activation("relu")


def frame_of(loss, *, dtype=float, penalty="l2", alpha=0.1):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((40, 3)) * (1, 100, 0.01) + (0, 5, 1)).astype(dtype)
    Y = 7.0 + 3.0 * np.abs(rng.standard_normal((40, 2))) * (1.0, 2.0)
    Y = (Y > 8).astype(float) if isinstance(loss, LogisticLoss) else Y
    share = np.full(40, 1 / 40)
    columns = Columns.of(*column_moments(X, share), 40, 40, X.dtype)
    problem = Problem(X, Y.astype(dtype), [RELU], loss, get_penalty(penalty), alpha)
    return Frame(problem, Scaled(columns), loss.scaled(*TargetMoments.of(Y, share))), X, Y


def weights(sizes=(3, 5, 2), dtype=float):
    rng = np.random.default_rng(1)
    pairs = list(pairwise(sizes))
    coefs = [rng.standard_normal(pair).astype(dtype) for pair in pairs]
    return coefs, [rng.standard_normal(n).astype(dtype) for _, n in pairs]


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("loss", [SquaredError(), Huber(0.3), Poisson(), LogisticLoss()])
def test_both_ways(loss, hidden):
    frame, X, Y = frame_of(loss)
    coefs, intercepts = weights((3, 5, 2) if hidden else (3, 2))
    activations = [RELU] * hidden
    V = frame.inner(coefs, intercepts, standard=False)
    again = frame.outer(V)
    for a, b in zip([*again[0], *again[1]], [*coefs, *intercepts], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    # The run's network on its own coordinates says z' where the user's says z.
    scaling = frame.scaling
    u = frame.coordinates.coordinates(X)
    inside = forward(u, [W[:-1] for W in V], [W[-1] for W in V], activations)
    z = forward(X, coefs, intercepts, activations)
    np.testing.assert_allclose(scaling.shift + scaling.scale * inside, z, rtol=1e-9, atol=1e-9)
    # And J in the run's units times the unit is what the user knows.
    values = scaling.loss.value(inside, scaling.transform(Y)) / scaling.loss_scale
    np.testing.assert_allclose(frame.unit * values, loss.value(z, Y), rtol=1e-8)


def test_standard_weights_are_meant_for_standard_columns_and_target():
    frame, X, _ = frame_of(SquaredError())
    coefs, intercepts = weights()
    copies = [W.copy() for W in [*coefs, *intercepts]]
    V = frame.inner(coefs, intercepts, standard=True)
    np.testing.assert_array_equal(V[-1], np.vstack([coefs[-1], intercepts[-1]]))
    u = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(
        frame.coordinates.coordinates(X) @ V[0][:-1] + V[0][-1],
        u @ coefs[0] + intercepts[0],
        rtol=1e-9,
    )
    for a, b in zip([*coefs, *intercepts], copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_returned():
    """In the type of X, inside the penalty's domain; what is in between stays double."""
    frame, _, _ = frame_of(SquaredError(), dtype=np.float32, penalty=Box(-0.5, 0.5))
    coefs, intercepts = weights(dtype=np.float32)
    V = frame.inner(coefs, intercepts, standard=False)
    assert {W.dtype for W in V} == {np.dtype(float)}
    outside, _ = frame.outer([W.astype(np.float32) for W in V])
    inside, b = frame.projected(V)
    assert {W.dtype for W in [*outside, *inside, *b]} == {np.dtype(float)}
    for index, W in enumerate(inside):
        assert np.abs(outside[index]).max() > 0.5 >= np.abs(W).max()
        np.testing.assert_allclose(W, np.clip(coefs[index], -0.5, 0.5), rtol=1e-5, atol=1e-6)
    returned = frame.returned(V)
    for W, given in zip([*returned[0], *returned[1]], [*inside, *b], strict=True):
        assert W.dtype == np.float32
        np.testing.assert_allclose(W, given, rtol=1e-6)
    # A ridge has no domain to leave.
    frame, _, _ = frame_of(SquaredError())
    np.testing.assert_array_equal(frame.projected(V)[0][0], frame.outer(V)[0][0])
