"""What a stream keeps between two chunks: rounded where it may be, exact where it must be."""

import numpy as np
import pytest

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.loop.compact import (
    compact_layer,
    grid_of,
    in_half,
    steps_apart,
    weights_of_steps,
)
from skmdlam.engine.preconditioners import RunningPreconditioner
from skmdlam.engine.summary import DataSummary

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 3e30])
@pytest.mark.parametrize("dtype", [np.float32, float])
def test_halves_have_eleven_bits_at_any_scale(scale, dtype):
    x = (scale * RNG.standard_normal((7, 5))).astype(dtype)
    half = in_half(x)
    assert half.dtype == dtype and (half != x).mean() > 0.9
    large = np.abs(x) > 1e-6 * np.abs(x).max()
    np.testing.assert_allclose(half[large], x[large], rtol=2.0**-11)
    np.testing.assert_array_equal(in_half(half), half)


@pytest.mark.parametrize("x", [np.zeros(3), np.array([1.0, np.inf]), np.array([np.nan])])
def test_what_has_no_scale_stays(x):
    assert in_half(x) is x


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-3, 10.0])
def test_running_weights_are_two_bytes_from_the_average(apart):
    average = RNG.standard_normal((9, 4))
    V = (average + apart * RNG.standard_normal((9, 4))).astype(np.float32)
    grid = grid_of(V, average)
    steps = steps_apart(V, average, grid)
    assert np.abs(steps).max() < 2**15
    rounded = weights_of_steps(steps.astype(np.int16), average, grid, V.dtype)
    error = np.abs(rounded - V).max()
    assert error <= 0.5 * grid <= 2e-4 * np.abs(V - average).max() + 2e-6
    # These are on the grid: nothing changes any more.
    np.testing.assert_array_equal(steps_apart(rounded, average, grid), steps)


@pytest.mark.parametrize("V", [np.zeros((2, 2)), np.full((2, 2), np.nan)])
def test_no_grid(V):
    assert grid_of(V, V) is None
    layer = {"V": V, "velocity": V, "preconditioner": None}
    assert compact_layer(layer, V)["V"] is V


def test_a_preconditioner_comes_back():
    """Means far from zero do not cost digits of the covariance; the inverse is that of the rest."""
    A = np.vstack([50.0 + RNG.standard_normal((6, 400)), np.ones((1, 400))])
    before, after = (RunningPreconditioner(6, 0.1, 0.05, np.dtype(float)) for _ in range(2))
    before.observe(A)
    before.refresh()
    layer = {"V": A, "velocity": A, "preconditioner": before.as_arrays()}
    arrays = compact_layer(layer, A)["preconditioner"]
    assert "inverse" not in arrays and "moments" not in arrays
    after.restore(arrays)
    assert after.ready and after.count == 1
    expected = np.cov(A[:-1], bias=True)
    np.testing.assert_allclose(after.covariance(), expected, rtol=1e-3, atol=1e-8)
    np.testing.assert_allclose(after.inverse, before.inverse, rtol=0.02, atol=1e-3)
    before.reset()
    before.moments[:] = 0.0
    after.restore(
        compact_layer(layer | {"preconditioner": before.as_arrays()}, A)["preconditioner"]
    )
    assert not after.ready


def test_covariances_in_single_precision():
    X = RNG.standard_normal((50, 3))
    summary = DataSummary.of(X, X, joint=True, limits=LIMITS)
    compact = summary.compact()
    assert compact.joint.square.dtype == float
    np.testing.assert_array_equal(
        compact.joint.square, summary.joint.square.astype(np.float32).astype(float)
    )
    np.testing.assert_array_equal(compact.columns.square, summary.columns.square)
    assert DataSummary.of(X, X).compact().joint is None
