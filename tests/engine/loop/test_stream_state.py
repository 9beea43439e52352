"""What a stream knows: arrays and numbers that say all, and what tells losses apart."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest

from skmdlam import Feasible
from skmdlam.activations import Tanh
from skmdlam.engine.loop.stream_state import StreamState, known_of, loss_key
from skmdlam.engine.problem import Problem
from skmdlam.engine.summary import DataSummary
from skmdlam.losses import AbsoluteError, Huber, Loss, Quantile, SquaredError
from skmdlam.penalties import L1, L2

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((150, 3)), RNG.standard_normal((150, 1))


def state_of(penalty, X=X):
    problem = Problem(X, Y, [Tanh()], SquaredError(), penalty, 0.1)
    start = Feasible().initial_weights(
        (X.shape[1], 4, 1), np.random.RandomState(0), float, [Tanh()]
    )
    run = Feasible().stream(problem, *start, None, rng=np.random.RandomState(1))
    next(run)
    return run.state()


def assert_equal(one, other):
    """Dictionaries, lists and arrays are the same, by a bit and in their types."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_equal(value, other[key])
    elif isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        np.testing.assert_array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


@pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
@pytest.mark.parametrize("constant", [False, True])
def test_there_and_back(penalty, constant):
    """The whole state comes back, so a field that is forgotten is missed."""
    state = state_of(penalty, X * [1.0, 1.0, 0.0] if constant else X)
    assert (state["dormant"] is not None) == constant
    again = known_of(state)
    assert isinstance(again, StreamState)
    assert_equal(again.as_arrays(), state)
    own = {"V", "average", "velocity", "accumulated", "usual", "count", "preconditioner", "grid"}
    assert set(state["layers"][0]) == own


def test_what_an_estimator_keeps():
    assert known_of(None) is None
    summary = DataSummary.of(X, Y)
    assert isinstance(known_of(summary.as_arrays()), DataSummary)
    assert_equal(known_of(summary.as_arrays()).as_arrays(), summary.as_arrays())


def test_losses_are_told_apart_by_class_and_parameters():
    class SquaredError2(SquaredError):
        pass

    losses = [SquaredError(), SquaredError2(), AbsoluteError(), Huber(1.0), Huber(2.0)]
    losses += [Quantile(0.5), Quantile(0.6)]
    keys = [loss_key(loss) for loss in losses]
    assert len(set(keys)) == len(keys)
    assert loss_key(Huber(2.0)) == keys[4]
    assert all(type(key) is str for key in keys)


class Held:
    """Anything a loss may hold that has an address."""

    def __init__(self, value):
        self.value = value


@dataclass(frozen=True, slots=True)
class Slotted(Loss):
    scale: float = 1.0


class Holding(Loss):
    def __init__(self, weights, link=np.tanh):
        self.weights, self.link, self.held = weights, link, Held([weights, {"a": 1}])


def test_a_loss_is_known_by_what_it_holds():
    """Not by its address, nor by a text that is cut short."""
    long = np.arange(5000.0)
    other = long.copy()
    other[2500] = 7.0
    assert loss_key(Slotted(1.0)) == loss_key(Slotted(1.0)) != loss_key(Slotted(2.0))
    assert loss_key(Holding(long)) == loss_key(copy.deepcopy(Holding(long)))
    assert loss_key(Holding(long)) != loss_key(Holding(other))
    assert loss_key(Holding(long)) != loss_key(Holding(long, np.arctan))
