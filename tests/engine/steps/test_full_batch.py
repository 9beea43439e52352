"""The problem in standardized units is the user's problem, and every way there and back."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.engine.steps.full_batch import FullBatchStep, setting_of, without_penalty
from skmdlam.losses import REGRESSION_LOSSES, LogisticLoss, SoftmaxCrossEntropy, get_loss
from skmdlam.penalties import get_penalty

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]


def make_problem(loss="squared_error", *, activations=("tanh",), n=30, d=5, k=2, sparse=False,
                 weight=None, penalty="l2", alpha=1e-2, dtype=np.float64, seed=0):  # fmt: skip
    rng = np.random.default_rng(seed)
    X = 30.0 * rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 3, d) + 7.0
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
    X = X.astype(dtype)
    if loss in ("softmax", "logistic"):
        Y = np.eye(k)[rng.integers(0, k, n)]
        loss = SoftmaxCrossEntropy() if loss == "softmax" else LogisticLoss()
    else:
        Y = 200.0 * rng.normal(size=(n, k)) + (0.0 if loss == "poisson" else 1e4)
        Y, loss = np.abs(Y) if loss == "poisson" else Y, get_loss(loss)
    activations = [get_activation(name) for name in activations]
    weight = None if weight is None else weight * rng.uniform(0.1, 1.9, n)
    problem = Problem(
        sp.csr_array(X) if sparse else X, Y.astype(dtype), activations, loss,
        get_penalty(penalty), alpha, None if weight is None else weight.astype(dtype),
    )  # fmt: skip
    return problem, *glorot([d, 4, k] if activations else [d, k], np.random.RandomState(0), dtype,
                            activations)  # fmt: skip


def total_penalties(problem, coefs, intercepts, activity_alpha, column_alpha):
    """The unit-free penalties from the weights in the user's units, as documented."""
    X = problem.X.toarray() if problem.sparse else problem.X
    n, d = X.shape
    s = np.ones(n) if problem.sample_weight is None else problem.sample_weight.astype(float)
    share = s / s.sum()
    mean = share @ problem.Y
    spread = np.sqrt((share @ (problem.Y - mean) ** 2).mean())
    loss, unit, shift, scale = problem.loss.name, 1.0, 0.0, 1.0
    if loss in ("squared_error", "huber"):
        unit, shift, scale = spread**2, mean, spread
        if loss == "huber":
            unit *= min(1.0, problem.loss.delta / spread)
    elif loss in ("absolute_error", "quantile"):
        scale = (share @ np.abs(problem.Y - mean)).mean()
        unit, shift = scale, mean
    elif loss == "poisson":
        unit = mean.mean()
        shift = np.log(unit)
    total, a = 0.0, X
    for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = a @ W + b
        if layer == len(coefs) - 1:
            z = (z - shift) / scale
        total += activity_alpha / 2 * (share @ (z - share @ z) ** 2).sum()
        if layer < len(coefs) - 1:
            a = problem.activations[layer].value(z)
    variance = share @ (X - share @ X) ** 2
    W = coefs[0] if len(coefs) > 1 else coefs[0] / scale
    strength = column_alpha * np.sqrt(d) * min(1.0, s.sum() / n)
    total += strength / 2 * np.log1p(10 * variance * (W**2).sum(axis=1)).sum()
    return unit * total


@pytest.mark.parametrize("weight", [None, 0.1, 2.0])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_j_is_the_documented_one_of_the_users_weights(loss, sparse, weight):
    """With weights of less than one on average too, at any vector."""
    problem, *start = make_problem(loss, sparse=sparse, weight=weight)
    setting = setting_of(problem, *start, activity_alpha=3.0, column_alpha=0.8)
    rng = np.random.default_rng(1)
    for theta in (setting.theta, *rng.normal(scale=0.3, size=(2, setting.theta.size))):
        weights = setting.weights(theta)
        expected = problem.training_objective(*weights)
        expected += total_penalties(problem, *weights, 3.0, 0.8)
        value = setting.objective(theta)[0] * setting.frame.scaling.factor
        assert value == pytest.approx(expected / problem.rows.total, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_place_is_the_way_back(loss):
    """Also for a target that is far from zero, and without a hidden layer."""
    for activations in ((), ("relu",)):
        problem, *start = make_problem(loss, activations=activations)
        setting = setting_of(problem, *start)
        theta = np.random.default_rng(1).normal(size=setting.theta.size)
        back = setting.place(*setting.weights(theta))
        np.testing.assert_allclose(back, theta, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_warm_starts_are_taken_as_they_are(wide):
    """And where there is a penalty on columns they stay out of the row space, too."""
    problem, coefs, intercepts = make_problem(d=60 if wide else 5)
    copies = [W.copy() for W in (*coefs, *intercepts)]
    setting = setting_of(
        problem, coefs, intercepts, warm=True, activity_alpha=1.0, column_alpha=0.5
    )
    assert setting.space is None
    found = setting.weights(setting.theta)
    for W, V, kept in zip((*coefs, *intercepts), (*found[0], *found[1]), copies, strict=True):
        np.testing.assert_allclose(V, W, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(W, kept)


def test_warm_starts_in_the_row_space_keep_their_predictions():
    problem, coefs, intercepts = make_problem(d=60)
    setting = setting_of(problem, coefs, intercepts, warm=True)
    assert setting.theta.size < 60 * 4
    W, b = (part[0] for part in setting.weights(setting.theta))
    before = problem.X @ coefs[0] + intercepts[0]
    np.testing.assert_allclose(problem.X @ W + b, before, rtol=1e-9, atol=1e-6)
    inside = np.linalg.lstsq(problem.X.T, W, rcond=None)[0]
    np.testing.assert_allclose(problem.X.T @ inside, W, atol=1e-10)


def test_cold_starts_are_meant_for_standardized_columns():
    """Shrunk where the penalty on weights is large, and nothing on constant columns."""
    problem, coefs, intercepts = make_problem(weight=2.0, alpha=3.0)
    problem.X[:, 2] = 5.0
    copies = [W.copy() for W in (*coefs, *intercepts)]
    setting = setting_of(problem, coefs, intercepts)
    s = problem.sample_weight / problem.rows.total
    variance = s @ (problem.X - s @ problem.X) ** 2
    varies = np.arange(5) != 2
    ridge = 3.0 / (s @ (problem.Y - s @ problem.Y) ** 2).mean() / problem.rows.total
    expected = coefs[0] * varies[:, None]
    expected[varies] /= 1.0 + (ridge / variance[varies])[:, None]
    V = setting.objective.views(setting.theta)
    np.testing.assert_allclose(V[0], np.vstack([expected, intercepts[0]]), rtol=1e-10)
    np.testing.assert_allclose(V[1], np.vstack([coefs[1], intercepts[1]]), rtol=1e-14)
    for W, kept in zip((*coefs, *intercepts), copies, strict=True):
        np.testing.assert_array_equal(W, kept)


@pytest.mark.parametrize("n", [30, 100])
def test_cold_starts_of_flat_layers_have_a_useful_spread(n):
    """Mean 0 and spread 3 on some of the samples, by their weights; warm ones stay."""
    problem, *start = make_problem(activations=("logistic",), n=n, weight=1.0)
    constants = replace(CONSTANTS, limits=replace(LIMITS, start_rows=50))
    setting = setting_of(problem, *start, constants=constants)
    some = slice(None, None, 1 if n == 30 else 2)
    share = problem.sample_weight[some] / problem.sample_weight[some].sum()
    objective = setting.objective
    V = objective.views(setting.theta)[0]
    z = objective.inputs.data[some] @ V
    np.testing.assert_allclose(share @ z, 0, atol=1e-12)
    assert (share @ z**2).mean() == pytest.approx(9.0, rel=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data_run_in_the_row_space(sparse):
    """The same J, weights for all columns, one unit, and nothing outside of the rows."""
    problem, *start = make_problem("softmax", d=300, n=15, sparse=sparse, weight=2.0, k=3)
    setting = setting_of(problem, *start, activity_alpha=1.0)
    assert setting.objective.shapes[0][0] <= 16
    assert np.ptp(setting.objective.inputs.unit) == 0.0
    theta = np.random.default_rng(0).normal(size=setting.theta.size)
    weights = setting.weights(theta)
    assert weights[0][0].shape == (300, 4)
    expected = problem.training_objective(*weights)
    expected += total_penalties(problem, *weights, 1.0, 0.0)
    assert setting.objective(theta)[0] == pytest.approx(expected / problem.rows.total, rel=1e-9)
    X = problem.X.toarray() if sparse else problem.X
    inside = np.linalg.lstsq(X.T, weights[0][0], rcond=None)[0]
    np.testing.assert_allclose(X.T @ inside, weights[0][0], atol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_wide_data_with_a_penalty_on_columns(sparse):
    """The row space has no columns: all of them take part, and the start is within it."""
    problem, *start = make_problem("softmax", d=300, n=15, sparse=sparse, weight=2.0)
    setting = setting_of(problem, *start, activity_alpha=1.0, column_alpha=0.5)
    assert setting.space is None
    W = setting.objective.views(setting.theta)[0][:-1]
    U = setting.objective.inputs.standardized(setting.objective.inputs.data)
    start = setting.weights(setting.theta)[0][0]
    X = problem.X.toarray() if sparse else problem.X
    inside = np.linalg.lstsq(X.T, start, rcond=None)[0]
    # Within it but for the share of the penalty on weights, by which columns shrink.
    np.testing.assert_allclose(X.T @ inside, start, atol=1e-3 * np.abs(start).max())
    assert (np.abs(W) > 0).mean() > 0.9
    assert U.shape == (15, 300)


def test_row_space_needs_a_quadratic_penalty_and_few_coordinates():
    problem, *start = make_problem(d=60)
    for kind, limits, used in (
        ("l2", LIMITS, True),
        ("l1", LIMITS, False),
        ("l2", replace(LIMITS, row_space=33), False),
        ("l2", replace(LIMITS, row_space=34), True),
    ):
        constants = replace(CONSTANTS, limits=limits)
        penalized = replace(problem, penalty=get_penalty(kind))
        setting = setting_of(penalized, *start, constants=constants)
        assert (setting.space is not None) == used


def test_limits_reach_the_objective():
    problem, *start = make_problem()
    constants = replace(CONSTANTS, limits=replace(LIMITS, block_rows=7))
    setting = setting_of(problem, *start, constants=constants)
    assert [rows.stop - rows.start for rows in setting.objective.rows.blocks] == [7, 7, 7, 7, 2]


def test_types_of_the_user_come_back():
    problem, *start = make_problem(dtype=np.float32, weight=1.0)
    setting = setting_of(problem, *start)
    assert setting.objective.dtype == np.float32
    assert all(W.dtype == np.float32 for part in setting.weights(setting.theta) for W in part)


def test_without_penalty():
    problem, *_ = make_problem(penalty="nonnegative", weight=1.0)
    problem.constrained = True
    free = without_penalty(problem)
    assert not free.penalized
    assert free.X is problem.X
    assert free.sample_weight is problem.sample_weight
    assert problem.alpha == 1e-2
    assert problem.constrained


class Method:
    """Counts what a step asks of it."""

    def __init__(self, theta, value=2.0):
        self.theta, self.value, self.rho, self.stuck, self.sweeps = theta, value, 3.0, False, 0
        self.freed = 0

    def start_freely(self):
        self.freed += 1

    def advance(self):
        self.theta = self.theta + 1.0
        return 5


class TestStep:
    @pytest.mark.parametrize("warm", [False, True])
    def test_begins_freely_once_unless_warm(self, warm):
        problem, *start = make_problem()
        setting = setting_of(problem, *start)
        method = Method(setting.theta)
        step = FullBatchStep(method, setting, warm=warm)
        for _ in range(3):
            step.begin()
            step(None, 1.0)
        assert method.freed == (0 if warm else 1)
        assert method.sweeps == 3
        assert (step.refused, step.rho, step.stuck) == (5, 3.0, False)
        assert step.objective()[:3] == (2.0, 2.0, 2.0)
        expected = setting.weights(setting.theta + 1.0 + 1.0 + 1.0)
        for W, V in zip(itertools.chain(*step.weights()), itertools.chain(*expected), strict=True):
            np.testing.assert_array_equal(W, V)

    def test_weights_are_inside_the_penaltys_domain(self):
        problem, *start = make_problem(penalty="box", alpha=1.0)
        setting = setting_of(problem, *start)
        theta = np.random.default_rng(0).normal(scale=1e6, size=setting.theta.size)
        free = setting.weights(theta)
        step = FullBatchStep(SimpleNamespace(theta=theta, value=0.0), setting, warm=True)
        coefs, intercepts = step.weights()
        for W, V in zip(coefs, free[0], strict=True):
            assert np.abs(V).max() > 1.0
            np.testing.assert_array_equal(W, np.clip(V, -1.0, 1.0))
        for b, c in zip(intercepts, free[1], strict=True):
            np.testing.assert_array_equal(b, c)
