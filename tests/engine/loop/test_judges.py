"""The safeguard: which epochs are taken back, what is kept, what is forgotten."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.layers import InputLayer
from skmdlam.engine.loop.judges import Accepting, KeepBest
from skmdlam.engine.loop.run import ComposedRun
from skmdlam.engine.mini_batches import mini_batch_run
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings, Value
from skmdlam.engine.sparse_layers import LazyInputLayer
from skmdlam.losses import SquaredError
from skmdlam.penalties import get_penalty


class Spoilt:
    """A step that spoils the weights at the end of one epoch."""

    def __init__(self, step, spoil, when):
        self.__dict__.update(_step=step, _spoil=spoil, _left=when)

    def __getattr__(self, name):
        return getattr(self._step, name)

    def __call__(self, rows, factor):
        self._step(rows, factor)

    def settle(self):
        self._step.settle()
        self.__dict__["_left"] -= 1
        if self._left == 0:
            for layer in self._step.network.layers:
                self._spoil(layer)


def too_large(layer):
    layer.V *= 40.0


def not_finite(layer):
    if layer.last:
        layer.V[0, 0] = np.nan


def first_not_finite(layer):
    if not layer.last and layer.preconditioner is None:
        layer.V[1, 0] = np.inf


def run_of(*, sparse=False, spoil=too_large, when=4, objective=None, y_scale=1.0):
    """A run of mini-batches, one of whose epochs goes wrong."""
    rng = np.random.default_rng(0)
    n, d = 150, 30
    X = np.where(rng.random((n, d)) < 0.3, rng.standard_normal((n, d)), 0.0)
    Y = y_scale * np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2]])
    solver = Feasible(single_precision=False)
    if sparse:
        limits = replace(LIMITS, small=1, decomposition=10, sketch=5, entries=1)
        limits = replace(limits, sketch_numbers=1000)
        constants = replace(CONSTANTS, limits=limits)
        solver = Feasible(single_precision=False, constants=constants)
        X = sp.csr_array(X)
    activations = [get_activation("relu")]
    problem = Problem(X, Y, activations, SquaredError(), get_penalty("l2"), 0.1)
    rng = np.random.RandomState(0)
    start = solver.initial_weights([d, 8, 2], rng, Y.dtype, activations)
    settings = Settings(batch_size=10, activity_alpha=2.0, rng=rng)
    run = mini_batch_run(solver, problem, *start, settings)
    assert type(run.step.network.first) is (LazyInputLayer if sparse else InputLayer)
    step = Spoilt(run.step, spoil, when)
    return ComposedRun(
        run.source,
        step,
        run.schedule,
        run.judge,
        run.objective if objective is None else objective(run),
        run.rng,
        run.clock,
    )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("spoil", [too_large, not_finite, first_not_finite])
def test_a_bad_epoch_is_taken_back(spoil, sparse):
    run = run_of(sparse=sparse, spoil=spoil)
    layers = run.step.network.layers
    records = [next(run) for _ in range(3)]
    rho, best, kept = run.step.rho, run.judge.best, [V.copy() for V in run.judge.kept]
    assert all(layer.limit.count > 0 for layer in layers)
    assert all((layer.velocity != 0).any() for layer in layers)
    idle = run.schedule._idle
    records.append(next(run))
    for layer, V, ours in zip(layers, kept, run.judge.kept, strict=True):
        np.testing.assert_array_equal(layer.V, V)
        np.testing.assert_array_equal(ours, V)
        assert not np.shares_memory(layer.V, ours)
        np.testing.assert_array_equal(layer.velocity, 0.0)
        assert layer.accumulated == 0.0
        assert (layer.limit.count, layer.limit.usual) == (0, 0.0)
        if layer.preconditioner is not None:
            assert layer.preconditioner.count == 0 and not layer.preconditioner.ready
    assert run.step.steps == run.step.since_refresh == 0
    assert [record.restarts for record in records] == [0, 0, 0, 1]
    assert run.step.rho == records[-1].rho == 2.0 * rho == 2.0 * records[0].rho
    assert run.judge.best == best and run.schedule._idle == idle + 1
    assert records[-1].kept == records[-2].kept == best * run.judge.unit
    # What is said of the epoch is J as it was before that.
    measured = records[-1].loss
    assert measured > 1.5 * records[-1].kept
    if spoil is not too_large:
        assert measured == np.inf
    assert records[-1].objective == records[-1].kept

    after = [next(run) for _ in range(6)]
    assert all(record.restarts == 0 and record.rho == 2.0 * rho for record in after)
    assert after[-1].loss < best * run.judge.unit  # it goes on learning from there
    assert any((layer.V != V).any() for layer, V in zip(layers, kept, strict=True))


@pytest.mark.parametrize("factor", [1.2, 1.49, 1.51, np.inf, np.nan])
def test_how_much_worse_j_may_be(factor):
    """Up to half more than the best an epoch stays, but is not what is kept."""

    def objective(run):
        count = []

        def measured():
            value = run.objective()
            count.append(value)
            if len(count) == 4:
                worse = factor * run.judge.best
                return value._replace(objective=worse, loss=worse, data=worse)
            return value

        return measured

    run = run_of(spoil=lambda layer: None, objective=objective)
    records = [next(run) for _ in range(3)]
    best, kept = run.judge.best, [V.copy() for V in run.judge.kept]
    records.append(next(run))
    assert records[-1].restarts == (not factor < 1.5)
    assert run.judge.best == best and records[-1].kept == best * run.judge.unit
    said = np.inf if np.isnan(factor) else factor * best * run.judge.unit
    assert records[-1].loss == said
    for layer, V, ours in zip(run.step.network.layers, kept, run.judge.kept, strict=True):
        np.testing.assert_array_equal(ours, V)
        assert np.array_equal(layer.V, V) == (not factor < 1.5)


class Network:
    """Layers as far as a judge looks at them."""

    class Layer:
        def __init__(self, V):
            self.V = V

    def __init__(self):
        self.layers = [self.Layer(np.zeros((3, 2))), self.Layer(np.ones((3, 1)))]


class Frame:
    unit = 5.0

    def returned(self, V):
        return [W.copy() for W in V], []


def judge_of(worst=1.5):
    network = Network()
    tuned = replace(TUNED, worst_rise=worst)
    return KeepBest(network, Frame(), tuned), network.layers


def test_best_weights_are_returned_as_copies():
    judge, layers = judge_of()
    judge.begin(8.0)
    for value in (4.0, 6.0, 3.0, 3.0, 4.4):
        for layer in layers:
            layer.V += 1.0
        measured = Value(value, value, value)
        assert judge.judge(measured)
        said = judge.reported(measured)
        assert said.kept == said.objective == 5.0 * judge.best and said.loss == 5.0 * value
    assert judge.best == 3.0
    for V, start in zip(judge.weights()[0], (0.0, 1.0), strict=True):
        np.testing.assert_array_equal(V, start + 3.0)
    assert not judge.judge(Value(4.6, 4.6))
    for layer, start in zip(layers, (0.0, 1.0), strict=True):
        np.testing.assert_array_equal(layer.V, start + 3.0)
        layer.V += 1.0
    np.testing.assert_array_equal(judge.kept[0], 3.0)
    # A relu unit at -inf says nothing, and J is finite.
    layers[0].V[0, 0] = -np.inf
    assert not judge.judge(Value(1.0, 1.0)) and judge.best == 3.0
    np.testing.assert_array_equal(layers[0].V, 3.0)
    # A judge that was made for a start that may not be kept has no objective yet.
    judge, layers = judge_of()
    assert judge.judge(Value(1e30, 1e30)) and judge.best == 1e30


def test_height_of_a_negative_objective():
    """A loss without its constant: what counts is what it fell by since the start."""
    judge, _ = judge_of(worst=1.5)
    judge.begin(10.0)
    assert judge.highest_allowed() == 15.0
    judge.judge(Value(-20.0, -20.0))
    assert judge.highest_allowed() == -20.0 + 0.5 * 30.0
    judge, _ = judge_of(worst=3.0)
    judge.begin(2.0)
    assert judge.highest_allowed() == 6.0


def test_a_step_that_judges_itself_is_believed():
    weights = object()
    plain, scaled = Accepting(lambda: weights), Accepting(lambda: weights, 3.0)
    value = Value(2.0, 1.0, 0.5, 0.1)
    assert plain.judge(value) and plain.weights() is weights
    assert plain.reported(value) == value
    assert scaled.reported(value) == Value(6.0, 3.0, 0.5, 0.1)
