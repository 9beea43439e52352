"""J of rows in blocks, its slope and what preconditioners ask for: those of rows in one place."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.blocks import LocalBlocks
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.scaled import scaled_input
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.steps.block_objective import BlockObjective, ReducedObjective
from skmdlam.engine.steps.full_objective import FullObjective
from skmdlam.engine.steps.kronecker import KroneckerPreconditioner
from skmdlam.losses import SoftmaxCrossEntropy, get_loss

RIDGE, ACTIVITY, COLUMNS = [0.3, 0.7, 0.2], 1.4, 2.1
EDGES = [0, 0, 3, 3, 41, 42, 60]


def make(loss="softmax", *, sparse=False, weighted=True, tails=False, activity=ACTIVITY,
         block_rows=7):  # fmt: skip
    """J of 60 rows in one place, and in blocks of 0, 3, 0, 38, 1 and 18 of them."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 4)) * 10.0 ** np.arange(4) + 2.0
    if sparse:
        X[rng.random(X.shape) < 0.5] = 0.0
    if loss == "softmax":
        loss, Y = SoftmaxCrossEntropy(), np.eye(3)[rng.integers(0, 3, 60)]
    else:
        loss, Y = get_loss(loss), np.abs(rng.normal(size=(60, 3)))
    weight = rng.uniform(0.1, 3.0, 60) if weighted else None
    total = 60.0 if weight is None else float(weight.sum())
    counted = rng.dirichlet(np.ones(60)) * total if tails else None
    columns = Columns.of(*column_moments(X, np.full(60, 1 / 60)), total, 60, X.dtype)
    activations = [get_activation("tanh"), get_activation("relu")]
    limits = replace(LIMITS, block_rows=block_rows)

    def some(values, rows):
        return None if values is None else values[rows]

    def inputs(rows):
        return scaled_input(sp.csr_array(X[rows]) if sparse else X[rows], columns)

    everything, widths = slice(None), [5, 4, 3]
    penalties = {"ridge": RIDGE, "activity": activity, "columns": COLUMNS}
    one = FullObjective(
        inputs(everything), Y, loss, activations, widths, weight, **penalties, limits=limits,
        variance_weight=counted,
    )  # fmt: skip
    blocks = [
        BlockObjective(
            inputs(rows), Y[rows], loss, activations, widths, some(weight, rows), limits,
            some(counted, rows), total,
        )
        for rows in map(slice, EDGES[:-1], EDGES[1:])
    ]  # fmt: skip
    reduced = ReducedObjective(
        LocalBlocks(blocks), inputs(slice(0, 10)), loss, activations, widths, 60, total, X.dtype,
        **penalties, limits=limits,
    )  # fmt: skip
    return one, reduced, 0.5 * rng.normal(size=one.size)


@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", ["softmax", "squared_error", "poisson"])
def test_j_and_its_gradient(loss, sparse, weighted, tails):
    one, reduced, theta = make(loss, sparse=sparse, weighted=weighted, tails=tails)
    (value, gradient), (expected, slope) = reduced(theta), one(theta)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-12 * np.abs(slope).max())
    for mine, other in zip(reduced.row_curvature(theta), one.row_curvature(theta), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11)


def test_one_sum_where_variances_cost_nothing():
    one, reduced, theta = make(activity=0.0)
    asked, total = [], reduced.blocks.total
    reduced.blocks.total = lambda *args: asked.append(args) or total(*args)
    assert reduced(theta)[0] == pytest.approx(one(theta)[0], rel=1e-13)
    assert len(asked) == 1


def test_j_that_is_no_number():
    one, reduced, theta = make("poisson")
    assert reduced(1e5 * theta)[0] == one(1e5 * theta)[0] == np.inf


@pytest.mark.parametrize("limits", [LIMITS, replace(LIMITS, kronecker_inverse=4, kronecker_rows=9)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["softmax", "poisson"])
def test_preconditioner(loss, weighted, limits):
    """Every 25 rows of all keep their weight, wherever a block ends."""
    one, reduced, theta = make(loss, weighted=weighted, block_rows=25)
    step = np.random.default_rng(0).normal(size=theta.size)
    found, expected = (KroneckerPreconditioner(J, 0.1, 0.5, 0.75, limits) for J in (one, reduced))
    for preconditioner in (found, expected):
        preconditioner.update(theta)
    np.testing.assert_allclose(found(step), expected(step), rtol=1e-9)


def test_rows_for_wide_layers_are_asked_for_once():
    one, reduced, theta = make()
    asked, each = [], reduced.blocks.each
    reduced.blocks.each = lambda *args: asked.append(args) or each(*args)
    rows = np.array([0, 2, 3, 40, 41, 50])
    for _ in range(2):
        for mine, other in zip(reduced.some(rows), one.some(rows), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert [which for *_, which in asked] == [[1, 3, 4, 5]]
    np.testing.assert_array_equal(reduced.some(rows[:3])[0], one.some(rows[:3])[0])
    x, V = one.some(rows)[0], one.views(theta)
    for mine, other in zip(reduced.forward(V, x)[0], one.forward(V, x)[0], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-14)


def test_blocks_are_not_written_to():
    _, reduced, theta = make()
    before = [dict(vars(block)) for block in reduced.blocks.parts]
    reduced(theta)
    reduced.curvature_scales(theta)
    assert [vars(block) for block in reduced.blocks.parts] == before
    assert all(block._buffers is None for block in reduced.blocks.parts)


def test_what_is_known_of_the_blocks_is_shared():
    _, reduced, theta = make()
    args = (reduced.inputs, reduced.loss, reduced.activations, [5, 4, 3], 60, reduced.total, float)
    each, reduced.blocks.each = reduced.blocks.each, None
    other = ReducedObjective(
        reduced.blocks, *args, ridge=RIDGE, activity=0.0, limits=LIMITS, like=reduced
    )
    reduced.blocks.each = each
    assert other(theta)[0] < reduced(theta)[0]
