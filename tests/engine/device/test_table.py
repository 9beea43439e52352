"""Samples that stay on a device: what the host is told of them."""

import numpy as np
import pytest

from skmdlam.engine.device.table import Table
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.moments import column_moments

X = np.random.default_rng(0).standard_normal((150, 4)) * [1.0, 1e3, 1.0, 0.0] + [0.0, 5e5, 1e8, 3.0]


def test_rows_and_columns(f):
    table = Table(f, f.array(X))
    assert (table.shape, len(table), table.dtype, table.ndim) == (X.shape, 150, np.float64, 2)
    some = np.array([3, 99, 0])
    np.testing.assert_array_equal(table[some], X[some])
    np.testing.assert_array_equal(table[5:20], X[5:20])
    part = table[5:20]
    part += 1.0  # a copy
    np.testing.assert_array_equal(table[5:20], X[5:20])
    np.testing.assert_array_equal(table[::3, 1:3], X[::3, 1:3])
    np.testing.assert_array_equal(table[some, np.array([2, 0])], X[np.ix_(some, [2, 0])])
    np.testing.assert_array_equal(table.taken(some)[:], X[some])
    assert table.astype(np.float32).dtype == table.astype(np.float32)[:2].dtype == np.float32
    np.testing.assert_array_equal(table.min(axis=0), X.min(axis=0))
    np.testing.assert_array_equal(table.max(axis=0, keepdims=True), X.max(axis=0, keepdims=True))


def test_moments(f):
    share = np.random.default_rng(1).uniform(0.1, 1.0, 150)
    share /= share.sum()
    expected = column_moments(X, share)
    found = column_moments(Table(f, f.array(X)), share)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)
    assert found[1][3] == 0.0  # a constant column has no spread from rounding


def test_encoded(f):
    pieces = Pieces.of(X, 5, include_input=True)
    expected = EncodedSamples(X, pieces)
    found = Table(f, f.array(X)).encoded(pieces)
    assert found.shape == expected.shape and not found.allows(1)
    np.testing.assert_allclose(found[10:30], expected[10:30], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.min(axis=0), expected.min(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.max(axis=0), expected.max(axis=0), rtol=1e-12)
    assert found.astype(np.float32)[:2].dtype == np.float32
    some = found.taken(np.array([7, 2]))
    assert len(some) == 2
    np.testing.assert_allclose(some[:], expected[[7, 2]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pieces", [False, True])
def test_coordinates(f, tools, monkeypatch, pieces):
    problem = tools.posed(pieces=pieces)
    prepared = tools.runs(f, problem, k=1).host.step.prepared
    plain = tools.posed().X
    table = Table(f, f.array(plain))
    table = table.encoded(problem.pieces) if pieces else table
    held = table.held_in(prepared.frame.coordinates)
    np.testing.assert_allclose(held.norms, prepared.input.norms, rtol=1e-9, atol=1e-9)
    some = np.array([11, 150])
    np.testing.assert_allclose(held.samples(some), prepared.input.samples(some), rtol=1e-9)
    expected = prepared.input.data[some]
    for few in (2**22, 0):
        monkeypatch.setattr("skmdlam.engine.device.table._FEW", few)
        monkeypatch.setattr("skmdlam.engine.device.table._COPIES", few)
        held = table.held_in(prepared.frame.coordinates)
        found = held.on_device().take(f.array(some))
        np.testing.assert_allclose(f.host(found), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pieces", [False, True])
def test_a_fit_of_a_table_is_that_of_its_array(f, tools, pieces):
    problem, other = (tools.posed("huber", far=True, pieces=pieces) for _ in range(2))
    other.X = Table(f, f.array(tools.posed(far=True).X))
    if pieces:
        other.X = other.X.encoded(problem.pieces)
    made = tools.runs(f, problem, other=other, k=2)
    records = [[next(run).objective for _ in range(3)] for run in (made.host, made.there)]
    np.testing.assert_allclose(*records, rtol=1e-9)
