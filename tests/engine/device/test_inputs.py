"""Samples of each backend against those that NumPy makes."""

import numpy as np
import pytest

from skmdlam.engine.device.inputs import (
    CoordinatesOn,
    DeviceShuffled,
    EncodedRows,
    RowsOnDemand,
    encoded_on,
    ranks_on,
    rows_on,
)
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.loop.sources import Shuffled
from skmdlam.engine.network import Prepared

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
X[:, 1] = np.exp(3.0 * X[:, 1])
X[:, 2] = RNG.integers(0, 3, 300)
X[:, 3] = 5.0  # constant


@pytest.mark.parametrize(("dtype", "tol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("more", [{}, {"include_input": True}, {"include_rank": True}])
def test_curves(f, more, dtype, tol):
    pieces = Pieces.of(X, 6, **more)
    others = (3.0 * X[::-1] - 1.0).astype(dtype)  # some beyond both ends
    ranks = ranks_on(f, f.array(others), pieces)
    np.testing.assert_allclose(f.host(ranks), pieces.ranks(others), rtol=tol, atol=tol)
    rows = EncodedRows(f, ranks, pieces)
    found = rows.take(slice(None))
    assert f.dtype_of(found) == dtype
    np.testing.assert_allclose(f.host(found), pieces.encoded(others), rtol=tol, atol=20 * tol)
    some = np.array([3, 250, 7])
    np.testing.assert_array_equal(f.host(rows.take(f.array(some))), f.host(found)[some])


def test_levels_and_gaps(f):
    Z = X.copy()
    Z[::7, 0] = np.nan
    kinds = Kinds.of(Z, None, np.array([False, False, True, False]))
    pieces = Pieces.of(Z, 5, kinds=kinds)
    assert pieces.is_level.any()
    encoded = EncodedSamples(Z, pieces)
    found = encoded_on(f, encoded).take(slice(10, 90))
    np.testing.assert_allclose(f.host(found), encoded[10:90], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("columns", [5, 420])
def test_coordinates(f, tools, columns):
    problem = tools.posed(n=700)
    if columns > 5:
        problem.X = np.random.default_rng(1).standard_normal((700, columns))
        problem.X[:, 1:] += 3.0 * problem.X[:, :1]
    prepared = tools.runs(f, problem, k=1).host.step.prepared
    held = prepared.input.data
    coordinates = CoordinatesOn.of(f, prepared.frame.coordinates)
    np.testing.assert_allclose(f.host(coordinates(f.array(problem.X))), held, rtol=1e-9, atol=1e-9)
    rows = rows_on(f, prepared)
    np.testing.assert_array_equal(f.host(rows.take(slice(3, 9))), held[3:9])


def test_on_demand(f, tools):
    problem = tools.posed(pieces=True)
    prepared = tools.runs(f, problem, k=1).host.step.prepared
    values = {name: getattr(prepared, name) for name in Prepared.__dataclass_fields__}

    class OnDemand:
        """An input without a stored array."""

    values["input"] = OnDemand()
    rows = rows_on(f, Prepared(**values))
    assert isinstance(rows, RowsOnDemand)
    expected = prepared.input.data[[5, 199]]
    found = rows.take(f.array(np.array([5, 199])))
    np.testing.assert_allclose(f.host(found), expected, rtol=1e-9, atol=1e-9)


def test_batches_are_the_same(f):
    on_host = Shuffled(23, 4)
    there = DeviceShuffled(f, on_host)
    assert there.sizes == on_host.sizes
    pairs = zip(
        on_host.epoch(np.random.RandomState(1)), there.epoch(np.random.RandomState(1)), strict=True
    )
    for (rows, progress), (found, same) in pairs:
        np.testing.assert_array_equal(f.host(found), rows)
        assert progress == same
