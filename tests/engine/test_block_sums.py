"""Sums over blocks: exact, and those of the samples in one place."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.block_sums import AllSamples, counts, variance_weight
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import CONSTANTS
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.problem import Problem
from skmdlam.engine.tails import tails_for
from skmdlam.losses import get_loss
from skmdlam.penalties import get_penalty

EDGES = [0, 0, 1, 40, 40, 240, 300]


def make(loss="squared_error", *, sparse=False, weighted=True, dtype=float):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 5)) * 10.0 ** np.arange(-2, 3) + 1e4 * (not sparse)
    X[:, 3] = 0.1 + 0.2
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
        X[:, 4] = 7.0
    X[::60, 0] += 20.0
    Y = np.stack([rng.normal(size=300) * 1e3 + 5e6, np.full(300, 0.3)], axis=1)
    Y[7, 0] += 1e9
    X, weight = X.astype(dtype), rng.uniform(0.1, 2.0, 300).astype(dtype) if weighted else None
    X = sp.csr_array(X) if sparse else X
    return Problem(X, Y.astype(dtype), [], get_loss(loss), get_penalty("l2"), 0.0, weight)


def blocks_of(problem):
    X, Y, weight = problem.X, problem.Y, problem.sample_weight
    rows = itertools.starmap(slice, itertools.pairwise(EDGES))
    return LocalBlocks([Part(X[r], Y[r], None if weight is None else weight[r]) for r in rows])


def columns_of(problem):
    moments = column_moments(problem.X, problem.rows.normalized())
    return moments, Columns.of(*moments, problem.rows.total, 300, problem.X.dtype)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error"])
def test_as_in_one_place(loss, sparse, weighted):
    problem = make(loss, sparse=sparse, weighted=weighted)
    found = AllSamples.of(problem, blocks_of(problem))
    assert found.n == 300 and found.total == pytest.approx(problem.rows.total, rel=1e-14)
    moments, columns = columns_of(problem)
    np.testing.assert_allclose(found.moments, moments, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(found.columns.vary, columns.vary)
    assert columns.vary.sum() == 4
    np.testing.assert_allclose(found.columns.std, columns.std, rtol=1e-11)
    for mine, other in zip(found.targets, problem.each_target(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9)
    assert found.targets.variance[1] == found.targets.deviation[1] == 0.0
    scaling, expected = found.loss_scaling(problem.loss), problem.loss_scaling()
    assert scaling.factor == pytest.approx(expected.factor, rel=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
def test_tails(sparse):
    problem = make("huber", sparse=sparse)
    blocks, (_, columns) = blocks_of(problem), columns_of(problem)
    found = AllSamples.of(problem, blocks)
    tails = tails_for(problem, columns)
    assert (tails.weights < 1).any()
    for name in ("median", "limit", "weights", "mean", "stretch"):
        expected = getattr(tails, name)
        np.testing.assert_allclose(getattr(found.tails, name), expected, rtol=1e-10)
    weights = [
        variance_weight(part, found.tails, found.columns, found.total, found.counted)
        for part in blocks.parts
    ]
    share = tails.share(problem.rows.normalized())
    np.testing.assert_allclose(np.concatenate(weights), problem.rows.total * share, rtol=1e-10)
    assert found.without_sample().tails.weights.size == 0
    assert AllSamples.of(replace(problem, loss=get_loss("squared_error")), blocks).tails is None


def test_no_tails_where_nothing_is_far():
    problem = make("huber", weighted=False)
    problem.X[:] = np.random.default_rng(0).uniform(size=(300, 5))
    found = AllSamples.of(problem, blocks_of(problem))
    assert found.tails is None and np.isnan(found.counted)
    assert found.without_sample() is found


def test_of_a_sample_moments_are_those_of_all():
    problem = make(dtype=np.float32)
    blocks = blocks_of(problem)
    found = AllSamples.of(problem.some(np.arange(0, 300, 10)), blocks, CONSTANTS)
    whole = AllSamples.of(problem, blocks, CONSTANTS)
    for name in ("n", "total"):
        assert getattr(found, name) == getattr(whole, name)
    np.testing.assert_array_equal(found.moments, whole.moments)
    np.testing.assert_array_equal(found.targets, whole.targets)


def test_counts():
    assert counts(blocks_of(make(weighted=False))) == (300, 300.0)
    n, total = counts(LocalBlocks([Part(np.zeros((2, 1)), np.zeros((2, 1)), np.full(2, 0.5))] * 3))
    assert (n, total) == (6, 3.0)
