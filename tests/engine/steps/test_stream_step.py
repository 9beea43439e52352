"""The step on a stream: its rho, the memory of its moments, and how often penalties come."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam import Feasible
from skmdlam.activations import ReLU
from skmdlam.engine.moments import Moments
from skmdlam.engine.problem import Problem
from skmdlam.losses import SquaredError
from skmdlam.penalties import L2

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
Y = np.column_stack([X[:, 0], np.sin(X[:, 1])])


def learn(rows, state=None, *, alpha=0.0, run=True, solver=None, **settings):
    problem = Problem(X[rows], Y[rows], [ReLU()], SquaredError(), L2(), alpha)
    start = Feasible().initial_weights((5, 8, 2), np.random.RandomState(1), float, [ReLU()])
    settings = {"rng": np.random.RandomState(0), **settings}
    found = (solver or Feasible()).stream(problem, *start, state, **settings)
    if run:
        next(found)
    return found


@pytest.mark.parametrize("size", [1, 10, 25, 100])
@pytest.mark.parametrize(
    ("averaged", "fitted", "multiplier", "factor"),
    [
        (0.0, 0.0, 1.0, 1.0),
        (15_000.0, 0.0, 1.0, 2.0),
        (0.0, 0.0, 4.0, 4.0),
        (15_000.0, 15_000.0, 1.0, 2.0 * 32),
        (15_000.0, 3000.0, 2.0, 4.0 * 6.4),
        (15_000.0, 300.0, 1.0, 2.0),
    ],
)
def test_rho_by_hand(size, averaged, fitted, multiplier, factor):
    """Twice that of mini-batches, with the root of the length, more after a fit and after noise."""
    run = learn(slice(0, 100), batch_size=size, run=False)
    step = run.step
    step.averaged, step.fitted, step.damping_multiplier = averaged, fitted, multiplier
    count = step.network.layers[1].preconditioner.count = 3
    step._adapt(size)
    assert step.rho == pytest.approx(factor * 2.0 * 45.0 * (100.0 / size) ** 0.58)
    preconditioner = step.network.layers[1].preconditioner
    assert preconditioner.memory == pytest.approx(0.05 * min(1.0, size / 100))
    assert preconditioner.least_spread == pytest.approx(1.0 / (1.0 + count * size))


def test_a_given_rho_is_held_near():
    auto = learn(slice(0, 100)).step.rho
    for given, times in ((1e9, 8.0), (1e-9, 1 / 8), (2 * 45.0 * 4**0.58, 2.0)):
        assert learn(slice(0, 100), rho=given).step.rho == pytest.approx(times * auto)


def test_record_says_rho():
    run = learn(slice(0, 100), run=False)
    assert next(run).rho == run.step.rho > 0


@pytest.mark.parametrize("rows", [1, 100])
def test_every_layer_learns(rows):
    """The moments of the layers above the first are told of the first batches and of later."""
    state, counts, weights = None, [], []
    for i in range(0, 40 * rows, rows):
        state = learn(np.arange(i, i + rows) % 400, state).state()
        counts.append(state["layers"][1]["preconditioner"]["count"])
        weights.append(state["layers"][1]["V"].copy())
    assert counts[0] > 0
    assert counts[-1] > counts[19] > counts[0]
    assert all((W != V).any() for W, V in pairwise(weights))


def test_steps_go_on_from_chunk_to_chunk():
    """Counts, and with them the warm-up and the rhythm of the moments."""
    state = None
    for i in range(5):
        run = learn(slice(i, i + 1), state)
        state = run.state()
        assert state["steps"] == run.step.steps == 8 * (i + 1)
        assert run.schedule.steps == 8 * (i + 1)
    assert state["since_refresh"] == 40 % 20


def test_strong_penalties_do_not_swing():
    """Their block comes so often that it takes a part of the weights at once."""
    for setting in ({"alpha": 300.0}, {"activity_alpha": 300.0}):
        state, sizes = None, []
        for i in range(0, 2500, 100):
            state = learn(np.arange(i, i + 100) % 400, state, **setting).state()
            sizes.append(float(np.linalg.norm(state["layers"][1]["V"][:-1])))
        assert max(sizes[-10:]) < 2.0 * min(sizes[-10:])


@pytest.mark.parametrize(("alpha", "times"), [(1e-3, 8), (3e4, 160)])
def test_when_penalties_come(alpha, times):
    """With the moments, every 20 steps; at every step where they would take much at once."""
    run = learn(slice(0, 100), alpha=alpha, run=False, batch_size=5)
    told, penalize = [], run.step.penalties

    def recorded(layers, epoch, *, first=True):
        told.append((epoch, first))
        penalize(layers, epoch, first=first)

    run.step.penalties = recorded
    next(run)
    assert run.step.steps == 160
    assert abs(len(told) - times) <= 0.1 * times
    # A stream has no epochs in which a penalty grows to its strength.
    assert {epoch for epoch, _ in told} == {1}
    assert all(first for _, first in told)


def test_what_pulls():
    """The ridge in the run's units, at a column of the usual size, and the activity."""
    run = learn(slice(0, 400), alpha=7.0, activity_alpha=3.0, run=False)
    prepared = run.step.prepared
    scaling, columns = prepared.frame.scaling, prepared.frame.coordinates.columns
    usual = max(1.0, scaling.scale**2, np.median(columns.std**-2.0))
    assert run.step._pull == pytest.approx(3.0 + 7.0 / scaling.factor * usual)
    assert learn(slice(0, 400), activity_alpha=3.0, run=False).step._pull == 3.0


def test_penalty_counts_against_all_that_was_seen():
    """The same alpha shrinks weights less, the more samples it stands beside."""
    sizes = {}
    for seen, alpha in [(400, 0.0), (400, 1000.0), (4_000_000, 1000.0)]:
        state = learn(slice(0, 400), activity_alpha=0.0).state()
        columns = Moments(**state["summary"]["columns"])
        more = Moments(float(seen), columns.mean, columns.square * (seen / 400))
        state["summary"] |= {"rows": seen, "columns": vars(more), "joint": None}
        state["weight_at"] = np.inf  # the same coordinates all along
        run = learn(slice(0, 400), state, alpha=alpha, activity_alpha=0.0)
        sizes[seen, alpha] = np.linalg.norm(run.step.network.weights[1])
    assert sizes[400, 1000.0] < 0.5 * sizes[400, 0.0]
    assert sizes[4_000_000, 1000.0] == pytest.approx(sizes[400, 0.0], rel=0.05)
