"""Units of several targets: what they are, and that problems, outputs and weights agree on them."""

import numpy as np
import pytest

from skmdlam.engine.moments import EachTarget
from skmdlam.engine.problem import Problem
from skmdlam.engine.target_units import TargetUnits
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Loss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import L1, L2, Box, GroupLasso, NonNegative, constrains

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 3))
Y = 4.0 + RNG.gamma(2.0, size=(90, 3)) * [1.0, 3e4, 7e-5]
WEIGHT = RNG.uniform(0.5, 2.0, 90)


def problem_of(loss, Y=Y, penalty=None, weight=WEIGHT):
    penalty = L2() if penalty is None else penalty
    return Problem(X, Y, [], loss, penalty, 0.1, weight, constrained=constrains(penalty))


@pytest.mark.parametrize(
    "loss", [SquaredError(), Huber(2.0), AbsoluteError(), Quantile(0.8)], ids=repr
)
def test_sizes(loss):
    """Spreads become their root mean square, mean deviations their mean."""
    units = TargetUnits.of_all(problem_of(loss))
    centered = Y - np.average(Y, axis=0, weights=WEIGHT)
    if loss.nonsmooth:
        size = np.average(np.abs(centered), axis=0, weights=WEIGHT)
        common = size.mean()
    else:
        size = np.sqrt(np.average(centered**2, axis=0, weights=WEIGHT))
        common = np.sqrt(np.mean(size**2))
    np.testing.assert_allclose(units.scale, size / common, rtol=1e-9)
    np.testing.assert_allclose(units.transform(Y), Y * common / size, rtol=1e-9)
    np.testing.assert_allclose(units.output(Y), units.transform(Y))
    moments = units.moments(EachTarget.of(Y, WEIGHT / WEIGHT.sum()))
    assert (moments.deviation if loss.nonsmooth else moments.std) == pytest.approx(common)


def test_counts():
    """Their means become the mean of these; the log of that is a shift of z."""
    units = TargetUnits.of_all(problem_of(Poisson()))
    mean = np.average(Y, axis=0, weights=WEIGHT)
    np.testing.assert_allclose(units.transform(Y), Y * mean.mean() / mean)
    z = RNG.standard_normal((4, 3))
    np.testing.assert_allclose(np.exp(units.output(z)), np.exp(z) * mean.mean() / mean)
    assert units.scale == 1.0


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Poisson()], ids=repr)
def test_weights_there_and_back(loss):
    units = TargetUnits.of_all(problem_of(loss))
    coefs = [RNG.standard_normal((3, 5)), RNG.standard_normal((5, 3))]
    intercepts = [RNG.standard_normal(5), RNG.standard_normal(3)]
    inner, intercepts_inner = units.inner(coefs, intercepts)
    assert inner[0] is coefs[0]
    a = RNG.standard_normal((7, 5))
    z = a @ coefs[1] + intercepts[1]
    np.testing.assert_allclose(a @ inner[1] + intercepts_inner[1], units.output(z), rtol=1e-10)
    again, intercepts_again = units.outer(inner, intercepts_inner)
    np.testing.assert_allclose(again[1], coefs[1])
    np.testing.assert_allclose(intercepts_again[1], intercepts[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "problem",
    [
        problem_of(SquaredError(), Y[:, :1]),
        problem_of(LogisticLoss(), np.round(Y[:, :2] % 1.0)),
        problem_of(SoftmaxCrossEntropy(), np.eye(3)[np.arange(90) % 3]),
        problem_of(SquaredError(), penalty=Box()),
    ],
    ids=["one target", "labels", "classes", "bounds"],
)
def test_nothing_changes(problem):
    units = TargetUnits.of_all(problem)
    coefs, intercepts = [np.ones((3, 3))], [np.ones(3)]
    assert units.problem(problem) is problem and units.transform(problem.Y) is problem.Y
    assert units.inner(coefs, intercepts) == (coefs, intercepts)
    assert units.outer(coefs, intercepts) == (coefs, intercepts)
    assert units.output(coefs[0]) is coefs[0]


@pytest.mark.parametrize("penalty", [L1(), GroupLasso(), NonNegative()], ids=repr)
def test_penalties_and_cones_have_no_unit(penalty):
    assert TargetUnits.of_all(problem_of(SquaredError(), penalty=penalty)).scaling is not None


def test_constant_targets_have_no_say_and_small_errors():
    """What would be an error of the others' spread is a ten-thousandth of a constant one."""
    still = np.column_stack([Y[:, 1], np.full(90, 1e9), np.where(X[:, 0] > 0, 0.3, 0.1 + 0.2)])
    problem = problem_of(SquaredError(), still)
    found = TargetUnits.of_all(problem)
    share, varying = problem.rows.normalized(), still[:, 0]
    spread = np.sqrt(share @ (varying - share @ varying) ** 2)
    np.testing.assert_allclose(found.scale, [1.0, min(1e5 / spread, 1.0), 1e-4 * 0.3 / spread])
    zero = TargetUnits.of_all(problem_of(Poisson(), Y * [1.0, 1.0, 0.0])).scaling.target_scale
    assert zero[2] == 1.0 and zero[:2].mean() == pytest.approx(1.0)
    with np.errstate(all="raise"):
        none = TargetUnits.of_all(problem_of(AbsoluteError(), np.ones((90, 3))))
    np.testing.assert_array_equal(none.scale, 1.0)


def test_outliers_do_not_own_the_unit_of_a_target():
    wild = Y.copy()
    wild[5, 0] = 1e12
    clean, found = (TargetUnits.of_all(problem_of(Huber(), y)).scale for y in (Y, wild))
    np.testing.assert_allclose(found, clean, rtol=0.3)


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError()], ids=repr)
def test_sizes_whose_squares_are_no_numbers(loss):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        units = loss.scaled_targets(np.zeros(3), *np.array([[1e-200, 1.0, 1e200]] * 2))
    np.testing.assert_allclose(units.scale[:2] / units.scale[2], [0.0, 1e-200])
    assert np.isfinite(units.scale).all()


def test_type_of_the_target_stays():
    single = Y.astype(np.float32)
    units = TargetUnits.of_all(problem_of(SquaredError(), single))
    assert units.problem(problem_of(SquaredError(), single)).Y.dtype == np.float32
    coefs, intercepts = units.outer([np.ones((3, 3), np.float32)], [np.ones(3, np.float32)])
    assert coefs[0].dtype == intercepts[0].dtype == np.float32


def test_a_loss_may_say_that_targets_stay():
    class Angle(Loss):
        def value(self, z, y):
            return (1.0 - np.cos(np.clip(z - y, -np.pi, np.pi))).sum(axis=1)

        def gradient(self, z, y):
            return np.sin(np.clip(z - y, -np.pi, np.pi))

        def scaled_targets(self, mean, std, deviation):
            return None

    class Own(SquaredError):
        def gradient(self, z, y):
            return z - y

    class OwnPoisson(Poisson):
        def gradient(self, z, y):
            return np.exp(z) - y

    assert TargetUnits.of_all(problem_of(Angle())).scaling is None
    squared = TargetUnits.of_all(problem_of(SquaredError()))
    np.testing.assert_array_equal(TargetUnits.of_all(problem_of(Own())).scale, squared.scale)
    # With a formula of its own it is not known to be that of counts.
    assert TargetUnits.of_all(problem_of(OwnPoisson())).scaling is None


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_targets_there_and_back(dtype):
    targets = Y.astype(dtype)
    units = TargetUnits.of_all(problem_of(SquaredError(), targets))
    given = units.given(units.transform(targets))
    assert given.dtype == dtype
    np.testing.assert_allclose(given, targets, rtol=1e-6)
    assert TargetUnits().given(targets) is targets
