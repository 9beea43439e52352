"""What becomes of a stream's weights when its coordinates and units are renewed."""

from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.engine.inputs.stored import basis_of_summary
from skmdlam.engine.problem import Problem
from skmdlam.engine.stream_units import Units, move, wake
from skmdlam.engine.summary import DataSummary
from skmdlam.losses import AbsoluteError, Huber, Poisson, SquaredError
from skmdlam.penalties import L2

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
Y = 50.0 + 7.0 * np.column_stack([X[:, 0], 300.0 * np.sin(X[:, 1])])


SQUARED = SquaredError()


def units_of(X, Y, loss=SQUARED, *, rotate=True):
    summary = DataSummary.of(X, Y, joint=True)
    basis = basis_of_summary(summary, np.float64, np.float64, rotate=rotate)
    problem = Problem(X, Y, [], loss, L2(), 0.0)
    return Units.of(basis, summary.target_moments(np.float64), problem, summary.weight)


def state_of(units, dormant=None):
    target = {"moments": tuple(units.moments), "shift": units.shift, "scale": units.scale}
    return SimpleNamespace(
        basis=units.basis, target=target, dormant=dormant, weight_at=units.weight_at
    )


def output(units, V, X):
    """Of a net of two layers of weights, in the units of the user."""
    W, b = units.basis.expand(V[0])
    z = np.tanh(X @ W + b) @ V[1][:-1] + V[1][-1]
    W, b = units.scaling.outer(np.eye(2), np.zeros(2))
    coefs, intercepts = units.targets.outer([W], [b])
    return z @ coefs[0] + intercepts[0]


@pytest.fixture
def weights():
    return [RNG.standard_normal((6, 3)), RNG.standard_normal((4, 2))]


@pytest.mark.parametrize("rotate", [(True, True), (False, False), (True, False)])
@pytest.mark.parametrize("loss", [SquaredError(), Poisson(), AbsoluteError(), Huber()], ids=repr)
def test_settled_units_keep_the_function(rotate, loss, weights):
    old = units_of(X[:50], np.abs(Y[:50]), loss, rotate=rotate[0])
    new = units_of(X, 3.0 * np.abs(Y), loss, rotate=rotate[1])
    before = output(old, weights, X)
    move(weights, state_of(old), new, True, shifted=True)
    np.testing.assert_allclose(output(new, weights, X), before, rtol=1e-9)


@pytest.mark.parametrize("loss", [SquaredError(), Poisson(), AbsoluteError()], ids=repr)
def test_units_are_those_of_each_target(loss):
    units = units_of(X, np.abs(Y), loss)
    state = state_of(units)
    again = Units.of(units.basis, state.target["moments"], *problem_and_weight(units, loss))
    assert again.are(state.target)
    assert not units_of(X, np.abs(Y) * [1.0, 1.001], loss).are(state.target)
    if loss.name == "poisson":
        np.testing.assert_allclose(units.shift, np.log(np.abs(Y).mean(axis=0)))
    else:
        centered = np.abs(Y) - np.abs(Y).mean(axis=0)
        size = np.abs(centered).mean(axis=0) if loss.nonsmooth else centered.std(axis=0)
        np.testing.assert_allclose(units.scale, size)
        np.testing.assert_allclose(units.shift, np.abs(Y).mean(axis=0))


def problem_and_weight(units, loss):
    return Problem(X, np.abs(Y), [], loss, L2(), 0.0), units.weight_at


def test_older_states_have_one_unit_for_all():
    units = units_of(X, Y)
    moments = Y.mean(axis=0), 3.0, 2.0
    old = Units.of(units.basis, moments, problem_and_weight(units, SQUARED)[0], 400.0)
    assert old.scale == 3.0 and old.are({"shift": Y.mean(axis=0), "scale": 3.0})


def test_settled_steps_keep_what_they_change(weights):
    """The difference of two moved sets of weights is the moved difference."""
    old, new = units_of(X[:50], Y[:50]), units_of(X, 3.0 * Y)
    step = [0.1 * RNG.standard_normal(V.shape) for V in weights]
    sums = [V + v for V, v in zip(weights, step, strict=True)]
    move(weights, state_of(old), new, True, shifted=True)
    move(sums, state_of(old), new, True, shifted=True)
    move(step, state_of(old), new, True, shifted=False)
    for V, v, total in zip(weights, step, sums, strict=True):
        np.testing.assert_allclose(V + v, total, atol=1e-10)


@pytest.mark.parametrize("rotate", [True, False])
def test_unsettled_units_keep_what_standardized_columns_weigh(rotate, weights):
    old = units_of(X[:5] * [1, 1, 1, 1, 1e-6], Y[:5], rotate=rotate)
    new = units_of(X, 3.0 * Y, rotate=rotate)
    (W, _), intercept, last = old.basis.expand(weights[0]), weights[0][-1].copy(), weights[1].copy()
    move(weights, state_of(old), new, False, shifted=True)
    W_new, _ = new.basis.expand(weights[0])
    np.testing.assert_allclose(
        W_new * new.basis.columns.std[:, None], W * old.basis.columns.std[:, None], atol=1e-9
    )
    np.testing.assert_array_equal(weights[0][-1], intercept)
    np.testing.assert_array_equal(weights[1], last)


@pytest.mark.parametrize("settled", [True, False])
def test_types_stay(settled):
    old, new = units_of(X[:50], Y[:50]), units_of(X, Y)
    V = [np.ones((6, 3), np.float32), np.ones((4, 2), np.float32)]
    move(V, state_of(old), new, settled, shifted=True)
    assert [W.dtype for W in V] == [np.float32, np.float32]


class TestWake:
    """A column that varies for the first time gets a part of its starting weights."""

    dormant = RNG.standard_normal((5, 3))

    def woken(self, V, average, dormant, constant=(2,), rows=100):
        still = X[:rows].copy()
        still[:, constant] = 7.0
        old, new = units_of(still, Y[:rows]), units_of(X, Y)
        wake(state_of(old, dormant), new, V, average)
        return new

    def test_by_hand(self):
        V, average = [np.zeros((6, 3), np.float32)], [np.zeros((6, 3))]
        new = self.woken(V, average, self.dormant)
        columns = new.basis.columns
        expected = np.zeros((5, 3))
        expected[2] = (1.0 - 100 / 400) * self.dormant[2] / columns.std[2]
        for found, rtol in ((V[0], 1e-4), (average[0], 1e-9)):
            W, b = new.basis.expand(found)
            np.testing.assert_allclose(W, expected, rtol=rtol, atol=1e-6)
            # The mean of the units' input stays.
            np.testing.assert_allclose(b + columns.mean @ W, 0.0, atol=1e-5)
        assert V[0].dtype == np.float32

    def test_the_others_keep_their_weights(self):
        start = RNG.standard_normal((6, 3))
        V, average = [start.copy()], [start.copy()]
        new = self.woken(V, average, self.dormant)
        W, W_start = (new.basis.expand(found)[0] for found in (V[0], start))
        np.testing.assert_allclose(np.delete(W, 2, 0), np.delete(W_start, 2, 0), atol=1e-10)
        assert (np.abs(W[2] - W_start[2]) > 1e-3).all()
        np.testing.assert_allclose(average[0], V[0])

    @pytest.mark.parametrize(("dormant", "constant"), [(None, (2,)), (dormant, ())])
    def test_nothing_to_wake(self, dormant, constant):
        V, average = [np.ones((6, 3))], [np.ones((6, 3))]
        self.woken(V, average, dormant, constant)
        assert (V[0] == 1.0).all() and (average[0] == 1.0).all()
