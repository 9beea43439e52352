"""A chunk on its way into the sums: what is far does not count, what is first is judged again."""

import numpy as np
import pytest

from skmdlam.activations import ReLU
from skmdlam.engine.admission import admitted
from skmdlam.engine.problem import Problem
from skmdlam.engine.summary import DataSummary
from skmdlam.losses import SquaredError
from skmdlam.penalties import L2

RNG = np.random.default_rng(0)
X, Y = RNG.normal(3.0, 1.0, (90, 4)), RNG.normal(0.0, 2.0, (90, 1))


def stream(size, X=X, Y=Y, weight=None):
    summary, kept = None, []
    for a in range(0, 90, size):
        rows = slice(a, a + size)
        given = None if weight is None else weight[rows]
        problem = Problem(X[rows], Y[rows], [ReLU()], SquaredError(), L2(), 0.0, given)
        chunk, summary, _ = admitted(problem, summary)
        kept.append(chunk is problem)
        assert (summary.first is not None) == (summary.rows < 30)
    return summary, kept


@pytest.mark.parametrize("size", [1, 7, 45])
@pytest.mark.parametrize("weighted", [False, True])
def test_usual_chunks_are_merged_exactly(size, weighted):
    weight = RNG.uniform(0.5, 2.0, 90) if weighted else None
    found, kept = stream(size, weight=weight)
    assert all(kept)
    expected = DataSummary.of(X, Y, weight, joint=True)
    np.testing.assert_allclose(found.columns.mean, expected.columns.mean, rtol=1e-12)
    np.testing.assert_allclose(found.joint.square, expected.joint.square, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.reach.high, X.max(axis=0))


@pytest.mark.parametrize("size", [1, 2, 15, 45])
@pytest.mark.parametrize("at", [0, 61])
def test_a_wrong_cell_does_not_count(size, at):
    wrong, target = X.copy(), Y.copy()
    wrong[at, 2], target[at, 0] = -6e4, 9e7
    (found, kept), clean = stream(size, wrong, target), DataSummary.of(X, Y)
    assert size == 1 or at == 0 or kept.count(False) == 1
    np.testing.assert_allclose(found.columns.spread, clean.columns.spread, rtol=0.1)
    np.testing.assert_allclose(found.targets.spread, clean.targets.spread, rtol=0.1)
