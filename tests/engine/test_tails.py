"""Far samples, which count less: against loops, copies and other forms of the same data."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import train_test_split

from skmdlam import Feasible, MDLAMClassifier
from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.problem import Problem
from skmdlam.engine.tails import tails_for, tails_of
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
from skmdlam.penalties import L2


def columns_of(X, weight=None):
    weight = np.ones(X.shape[0]) if weight is None else weight
    moments = column_moments(X, weight / weight.sum())
    return Columns.of(*moments, weight.sum(), X.shape[0], X.dtype)


def table(n=300):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 4))
    X[:, 1] = np.exp(1.8 * X[:, 1])
    X[:, 2] *= rng.uniform(size=n) < 0.1
    X[7, 0] = 400.0
    return X


def test_weights_against_a_loop():
    X = table()
    columns = columns_of(X)
    tails = tails_of(X, columns)
    U, V = np.empty_like(X), np.empty_like(X)
    for j, x in enumerate(X.T):
        away = x - np.sort(x)[149]
        others = np.sort(np.abs(away[away != 0]))
        limit = 3 * others[int(np.ceil(0.9 * len(others))) - 1]
        U[:, j], V[:, j] = away / x.std(), np.clip(away, -limit, limit) / x.std()
    expected = (V**2).sum(axis=1) / (U**2).sum(axis=1)
    np.testing.assert_allclose(tails.weights, expected, rtol=1e-10)
    np.testing.assert_allclose(tails.mean, np.average(X, axis=0, weights=expected), rtol=1e-9)
    assert tails.weights[7] < 1e-3 and (tails.weights == 1).sum() > 200
    near = tails.pulled_in(X)
    np.testing.assert_allclose(near.std(axis=0), X.std(axis=0), rtol=1e-9)


def test_sparse_equals_dense():
    X = table()
    columns = columns_of(X)
    dense, sparse = tails_of(X, columns), tails_of(sp.csr_array(X), columns)
    np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-9)
    np.testing.assert_allclose(sparse.mean, dense.mean, rtol=1e-9)
    np.testing.assert_allclose(sparse.stretch, dense.stretch, rtol=1e-9)


def test_weights_are_copies():
    X = table()
    copies = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = tails_of(X, columns_of(X, copies), copies)
    repeated = np.repeat(X, copies, axis=0)
    expected = tails_of(repeated, columns_of(repeated))
    np.testing.assert_allclose(np.repeat(weighted.weights, copies), expected.weights, rtol=1e-9)


def test_usual_and_rare_columns_have_none():
    rng = np.random.default_rng(1)
    rare = (rng.uniform(size=500) < 0.02) * 1.0
    X = np.column_stack([rng.normal(size=500), rng.uniform(size=500), rare, np.ones(500)])
    assert tails_of(X, columns_of(X)) is None


BOUNDED = [SoftmaxCrossEntropy(), LogisticLoss(), Huber(), AbsoluteError(), Quantile(0.3)]


def problem_of(X, loss, weight=None):
    classes = loss.out_activation in ("softmax", "logistic")
    y = X[:, 1:2] > 1.0 if classes else np.abs(X[:, 1:2])
    Y = np.hstack([y, ~y]) if loss.out_activation == "softmax" else y
    return Problem(X, Y.astype(float), [get_activation("relu")], loss, L2(), 0.0, weight)


@pytest.mark.parametrize("loss", [*BOUNDED, SquaredError(), Poisson()], ids=repr)
def test_only_of_losses_that_pull_at_no_sample_more_than_at_others(loss):
    """A squared error asks for the right value far out too, and so do counts."""
    far = loss.gradient(np.full((1, 2), 1e6), np.zeros((1, 2)))
    assert loss.bounded_gradient == bool(np.abs(far).max() < 10.0)
    X = table()
    weight = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
    problem, columns = problem_of(X, loss, weight), columns_of(X, weight)
    found = tails_for(problem, columns)
    start = Feasible().initial_weights(
        [4, 3, problem.Y.shape[1]], np.random.RandomState(0), float, problem.activations
    )
    runs = [Feasible().start(problem, *start, batch_size=size) for size in (50, 300)]
    prepared = runs[0].step.prepared
    if not loss.bounded_gradient:
        assert found is None
        assert prepared.variance_weight is None and prepared.tail_weight is None
        assert runs[1].step.setting.objective._tails == ()
        return
    expected = tails_of(X, columns, weight)
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert found.weights.min() < 0.1
    share = weight * expected.weights
    share *= weight.sum() / share.sum()
    (full,) = runs[1].step.setting.objective._tails
    np.testing.assert_allclose(full, share, rtol=1e-12)
    mean = prepared.variance_weight[:, 0]
    np.testing.assert_allclose(mean, share * 300 / weight.sum(), rtol=1e-6)
    np.testing.assert_allclose(prepared.tail_weight[:, 0], expected.weights, rtol=1e-6)


def test_a_loss_in_other_units_and_one_of_a_user_say_it_themselves():
    class Mine(SquaredError):
        bounded_gradient = True

    X = table()
    assert tails_for(problem_of(X, Mine()), columns_of(X)) is not None

    class Own(Loss):
        bounded_gradient = True

        def value(self, z, y):
            return np.sqrt(1.0 + (z - y) ** 2).sum(axis=1)

        def gradient(self, z, y):
            return (z - y) / np.sqrt(1.0 + (z - y) ** 2)

    scaled = Own().scaled(np.array([3.0]), 2.0, 1.5).loss
    assert type(scaled) is not Own and scaled.bounded_gradient
    assert not Loss.bounded_gradient


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("batch_size", [pytest.param(100, marks=pytest.mark.slow), None])
def test_heavy_tails_are_fitted_better_for_it(batch_size):
    """Far samples would hold the slopes back that all others need."""
    never = replace(CONSTANTS, tuned=replace(TUNED, tail_factor=np.inf))
    scores = {CONSTANTS: [], never: []}
    for seed in range(3):
        Z = np.random.default_rng(40 + seed).normal(size=(900, 5))
        y = Z[:, 0] + Z[:, 1] * Z[:, 2] > 0
        A, B, a, b = train_test_split(np.exp(2.2 * Z), y, random_state=seed)
        for constants, found in scores.items():
            solver = Feasible(constants=constants)
            model = MDLAMClassifier(
                batch_size=batch_size, solver=solver, encoding=None, random_state=seed
            )
            found.append(model.fit(A, a).score(B, b))
    assert np.mean(scores[CONSTANTS]) > np.mean(scores[never]) + 0.02
    assert np.mean(scores[CONSTANTS]) > 0.85
