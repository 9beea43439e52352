"""Sums over all samples: those of the samples together, to rounding."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.moments import EachTarget, column_moments
from skmdlam.engine.problem import Problem
from skmdlam.engine.totals import Totals
from skmdlam.losses import Huber, SquaredError
from skmdlam.penalties import get_penalty


def problem_of(X, Y, weight=None, loss=None):
    return Problem(X, Y, [], loss or SquaredError(), get_penalty("l2"), 0.0, weight)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_moments_are_those_of_all(sparse, weighted, dtype):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((500, 6)) * [1, 1e3, 1e-3, 1, 1, 1]).astype(dtype)
    X[:, 3] += 1e4  # far from zero
    X[:, 4] = 0.1  # constant
    X[:, 5] = np.arange(500) == 400  # rare
    X = sp.csr_array(X) if sparse else X
    Y = np.column_stack([rng.standard_normal(500) + 7, np.full(500, 0.3)]).astype(dtype)
    weight = rng.uniform(0.1, 5, 500) if weighted else None
    parts = [
        Part(X[a:b], Y[a:b], None if weight is None else weight[a:b])
        for a, b in [(0, 200), (200, 200), (200, 201), (201, 500)]
    ]
    problem = problem_of(X, Y, weight)
    whole = Totals.of(LocalBlocks(parts), problem)
    assert whole.n == 500 and whole.total == pytest.approx(problem.rows.total)
    share = problem.rows.normalized()
    for found, known in zip(whole.moments, column_moments(X, share), strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-13)
    for found, known in zip(whole.targets, EachTarget.of(Y, share), strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-13)
    scaling, known = whole.scaling(problem), problem.loss_scaling()
    np.testing.assert_allclose(scaling.transform(Y), known.transform(Y), rtol=1e-6, atol=1e-6)


def test_outliers_do_not_own_the_unit_of_a_loss_that_bounds_them():
    Y = np.random.default_rng(0).standard_normal((100, 1))
    Y[7] = 1e6
    problem = problem_of(np.zeros((100, 1)), Y, loss=Huber(1.0))
    whole = Totals.of(LocalBlocks([Part(problem.X, Y)]), problem)
    assert whole.targets.variance[0] > 1e9
    assert whole.scaling(problem).scale == problem.loss_scaling().scale < 2
