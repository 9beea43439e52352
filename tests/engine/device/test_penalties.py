"""The block of the penalties of each backend against the one of the host."""

import numpy as np
import pytest

from skmdlam.engine.steps.penalty_block import PenaltyBlock


@pytest.mark.parametrize(
    ("columns", "column_alpha"),
    [(5, 0.0), (5, 2.0), (420, 2.0), pytest.param(420, 0.0, marks=pytest.mark.slow)],
)
def test_block(f, tools, columns, column_alpha):
    """Of many columns the coordinates are others: there the host does it."""
    problem = tools.posed(n=700)
    if columns > 5:
        more = np.random.default_rng(1).standard_normal((700, columns - 5))
        more += 4.0 * more[:, :1]
        problem.X = np.hstack([problem.X, more])
    options = {"activity_alpha": 20.0, "column_alpha": column_alpha, "upper_alpha": 30.0}
    made = tools.runs(f, problem, k=2, **options)
    step = made.there._step
    step.begin(step.steps)
    rng = np.random.RandomState(4)
    for _ in range(9):
        step(f.array(rng.permutation(700)[:40]), [1.0, 1.0])
    rotated = step.steps[0].penalties._rotation is not None
    assert rotated == (columns == 5)
    for j, one in enumerate(step.steps):
        layers = made.host.runs[j].step.network.layers
        for index, layer in enumerate(layers):
            layer.accumulated = one.network.layers[index].accumulated
            layer.V[:] = f.host(step.state[index].V[j])
            if index > 0:
                layer.preconditioner.moments[:] = f.host(step.state[index].moments[j])
                layer.preconditioner.ready = True
        before = [layer.V.copy() for layer in layers]
        PenaltyBlock(one.penalties.terms, 20, 5)(layers, 3)
        one.penalties(one.network.layers, 3)
        for index, layer in enumerate(layers):
            assert np.abs(layer.V - before[index]).max() > 1e-6
            found = f.host(step.state[index].V[j])
            np.testing.assert_allclose(found, layer.V, rtol=1e-9, atol=1e-11)
            assert one.network.layers[index].accumulated == 0.0


def test_not_the_first_layer(f, tools):
    made = tools.runs(f, tools.posed(), k=1)
    step = made.there._step
    step.begin(step.steps)
    step(f.array(np.arange(40)), [1.0])
    before = [f.host(V).copy() for V in step.V]
    step.steps[0].penalties(step.steps[0].network.layers, 0, first=False)
    moved = [bool((f.host(V) != old).any()) for V, old in zip(step.V, before, strict=True)]
    assert moved == [False, True, True]
    assert step.steps[0].network.layers[0].accumulated > 0


def test_without_penalties(f, tools):
    problem = tools.posed()
    problem.alpha = 0.0
    made = tools.runs(f, problem, k=1, activity_alpha=0.0)
    step = made.there._step
    step.begin(step.steps)
    step(f.array(np.arange(40)), [1.0])
    before = [f.host(V).copy() for V in step.V]
    step.steps[0].penalties(step.steps[0].network.layers, 0)
    for V, old in zip(step.V, before, strict=True):
        np.testing.assert_array_equal(f.host(V), old)
