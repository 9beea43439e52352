"""What blocks know of a run: a small plan, and samples prepared as if they were at hand."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.mini_batches import prepare
from skmdlam.engine.plan import Plan, first_samples, hold
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.engine.totals import Totals
from skmdlam.losses import LogisticLoss, SquaredError
from skmdlam.penalties import get_penalty


def planned(X, Y, weight=None, loss=None):
    loss = loss or SquaredError()
    activations = [get_activation("relu")]
    problem = Problem(X, Y, activations, loss, get_penalty("l2"), 0.0, weight)
    whole = Totals.of(LocalBlocks([Part(X, Y, weight)]), problem)
    rng = np.random.RandomState(0)
    options = Feasible()
    prepared = prepare(problem, options, Settings(rng=rng), rng, single=True, whole=whole)
    return prepared, Plan.of(prepared, options, whole)


def data(n=400):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4))
    X[:, 0] = np.exp(3 * X[:, 0])  # samples far from all others
    return X, (X[:, 1:2] > 0).astype(float), rng.uniform(0.2, 4, n)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [SquaredError(), LogisticLoss()], ids=["numbers", "tails"])
def test_a_block_is_prepared_as_among_all(loss, weighted, sparse):
    X, Y, weight = data()
    X = sp.csr_array(X * (np.abs(X) > 0.5)) if sparse else X
    weight = weight if weighted else None
    prepared, plan = planned(X, Y, weight, loss)
    assert (prepared.tails is not None) == isinstance(loss, LogisticLoss)
    rows = np.arange(100, 250)
    held = pickle.loads(pickle.dumps(hold(Part(X, Y, weight).take(rows), plan)))
    mine = plan.with_samples(held)
    np.testing.assert_allclose(mine.input.samples(np.arange(150)), prepared.input.samples(rows))
    np.testing.assert_allclose(mine.Y, prepared.Y[rows])
    for name in ("weight", "tail_weight", "variance_weight"):
        found, known = getattr(mine, name), getattr(prepared, name)
        assert (found is None) == (known is None)
        if known is not None:
            np.testing.assert_allclose(found, known[rows], rtol=1e-6)
    known = np.ones((400, 1)) if prepared.row_weights is None else prepared.row_weights
    found = np.ones((150, 1)) if mine.row_weights is None else mine.row_weights
    np.testing.assert_allclose(found, known[rows], rtol=1e-6)


def test_a_plan_has_no_samples():
    X, Y, weight = data(20_000)
    prepared, plan = planned(X, Y, weight, LogisticLoss())
    assert len(pickle.dumps(plan)) < 20_000 < X.nbytes
    assert prepared.n == 20_000  # which is not changed


def test_first_samples():
    part = Part(*data(11)[:2])
    assert first_samples(part, 0.25).n == 3
    np.testing.assert_array_equal(first_samples(part, 0.25).X, part.X[:3])
