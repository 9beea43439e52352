"""The step of several networks against that of each, step by step."""

import copy

import numpy as np
import pytest

from skmdlam.activations import get_activations
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.mini_batches import mini_batch_run, mini_batch_runs
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import get_penalty

LOSSES = {"tails": Huber(0.5), "weights": SquaredError(), "both": Huber(0.5), "none": Huber(2.0)}


def steps_of(kind, dtype=np.float64, loss=None, hidden=(8, 5)):
    """A step of three networks, and steps of the same ones alone."""
    loss = loss or LOSSES[kind]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    Y = 7.0 + 3.0 * np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] - X[:, 0]])
    if loss.out_activation == "softmax":
        Y = np.eye(2)[(Y[:, 0] > 7).astype(int)]
    elif loss.out_activation == "logistic":
        Y = (Y > 7).astype(float)
    if kind in ("tails", "both"):
        X[::25] *= 50.0
    weight = rng.uniform(0.2, 3.0, 200) if kind in ("weights", "both") else None
    solver = Feasible(single_precision=dtype == np.float32)
    activations = get_activations(["relu", "tanh"], 2)
    problem = Problem(X, Y, activations, loss, get_penalty("l2"), 0.2, weight)
    draws = np.random.RandomState(1)
    sizes = [5, *hidden, 2]
    starts = [solver.initial_weights(sizes, draws, X.dtype, activations) for _ in range(3)]

    def settings():
        return Settings(batch_size=40, rng=np.random.RandomState(2))

    together = mini_batch_runs(solver, problem, starts, settings())
    alone = [mini_batch_run(solver, problem, *start, settings()).step for start in starts]
    stacked = together._step
    assert (stacked.steps[0].prepared.tail_weight is not None) == (kind in ("tails", "both"))
    assert {V.dtype for step in stacked.steps for V in step.network.weights} == {np.dtype(dtype)}
    return stacked, alone


def assert_same(steps, alone, tolerance):
    for step, one in zip(steps, alone, strict=True):
        assert step.rho == one.rho and step.steps == one.steps
        for layer, other in zip(step.network.layers, one.network.layers, strict=True):
            for name in ("V", "velocity"):
                expected = getattr(other, name)
                np.testing.assert_allclose(
                    getattr(layer, name), expected, rtol=0, atol=tolerance * np.abs(other.V).max()
                )
            np.testing.assert_allclose(layer.accumulated, other.accumulated, rtol=1e-6)
            assert layer.limit.count == other.limit.count


@pytest.mark.parametrize(
    ("kind", "dtype", "tolerance"),
    [(kind, np.float64, 1e-11) for kind in LOSSES] + [("both", np.float32, 5e-4)],
)
def test_each_network_steps_as_if_alone(kind, dtype, tolerance):
    """With steps of their own lengths, one of them with another rho, and then one less of them."""
    stacked, alone = steps_of(kind, dtype)
    rng = np.random.default_rng(3)
    before = copy.deepcopy([step.network.weights for step in alone])
    going_on = [0, 1, 2]
    for epoch, factors in enumerate([(0.3,) * 3, (1.0, 0.5, 0.8), (1.0, 0.5, 0.8), (0.9, 0.2, 1)]):
        if epoch == 3:
            going_on = [0, 2]
        own = [stacked.steps[j] for j in going_on]
        stacked.begin(own)
        assert stacked.steps == own
        others, factors = [alone[j] for j in going_on], [factors[j] for j in going_on]
        for one in others:
            one.begin()
        for rows in np.array_split(rng.permutation(200), 5):
            stacked(rows, list(factors))
            for one, factor in zip(others, factors, strict=True):
                one(rows, factor)
        assert_same(own, others, tolerance)
        for step in (*own, *others):
            step.settle()
        assert_same(own, others, tolerance)
        if epoch == 1:  # the epoch of one of them is taken back
            for one in (own[1], others[1]):
                for layer, V in zip(one.network.layers, before[1], strict=True):
                    layer.V[:] = V
                one.restart()
    moved = [np.abs(V - W).max() for V, W in zip(alone[1].network.weights, before[1], strict=True)]
    assert min(moved) > 1e-3  # so it went on from there


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(), LogisticLoss(), SquaredError(), Huber(0.5), Poisson(),
        AbsoluteError(), Quantile(0.3),
    ],
    ids=lambda loss: type(loss).__name__,
)  # fmt: skip
def test_one_that_has_left_its_track_does_not_touch_the_others(loss, value):
    """Its numbers are not finite any more until the end of the epoch, where it is taken back."""
    stacked, alone = steps_of("weights", loss=loss)
    for step in (*stacked.steps, *alone):
        step.begin()
    rng = np.random.default_rng(0)
    for batch in range(6):
        rows = rng.permutation(200)[:40]
        if batch == 3:
            stacked.steps[1].network.layers[-1].V[0] = value
        stacked(rows, [1.0] * 3)
        for step in (alone[0], alone[2]):
            step(rows, 1.0)
    assert not np.abs(stacked.steps[1].network.layers[-1].V).max() < 1e6  # it still has
    assert_same(stacked.steps[::2], alone[::2], 1e-9)
