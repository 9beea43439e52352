"""Solver "relaxed": its options, its schedule, and the limits where the answer is known."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge

from skmdlam.activations import get_activation
from skmdlam.engine.loop.run import minimize
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.relaxed import Relaxed
from skmdlam.engine.start import gaussian, glorot
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)
from skmdlam.penalties import get_penalty

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]


def make_target(name, n, k, rng, dtype):
    if name == "softmax":
        return SoftmaxCrossEntropy(), np.eye(max(k, 2))[rng.integers(0, max(k, 2), n)].astype(dtype)
    if name == "logistic":
        return LogisticLoss(), rng.integers(0, 2, (n, k)).astype(dtype)
    Y = rng.normal(scale=10.0 ** rng.integers(-3, 4), size=(n, k))
    return get_loss(name), (np.abs(Y) if name == "poisson" else Y).astype(dtype)


def make_problem(rng, *, loss="squared_error", activations=("relu",), n=None, d=None, k=2,
                 dtype=np.float64, weighted=False, sparse=False, penalty="l2", alpha=1e-2,
                 scale=1.0, widths=None):  # fmt: skip
    n = int(rng.integers(2, 30)) if n is None else n
    d = int(rng.integers(1, 12)) if d is None else d
    X = (scale * rng.normal(size=(n, d))).astype(dtype)
    loss, Y = make_target(loss, n, k, rng, dtype)
    widths = rng.integers(1, 7, len(activations)).tolist() if widths is None else widths
    sizes = [d, *widths, Y.shape[1]]
    activations = [get_activation(a) for a in activations]
    weight = rng.uniform(0.1, 3.0, n).astype(dtype) if weighted else None
    problem = Problem(
        sp.csr_array(X) if sparse else X, Y, activations, loss, get_penalty(penalty), alpha, weight
    )
    seed = np.random.RandomState(int(rng.integers(1000)))
    return problem, *glorot(sizes, seed, dtype, activations)


@pytest.mark.parametrize("w_step", ["quadratic", "exact"])
@pytest.mark.slow
def test_squared_error_without_hidden_layer_is_ridge(w_step):
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, activations=(), n=40, d=5, weighted=True, alpha=0.7
    )
    run = Relaxed(w_step=w_step).start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    result = minimize(run, max_iter=3000, tol=0.0, n_iter_no_change=3000)
    oracle = Ridge(alpha=0.7).fit(problem.X, problem.Y, problem.sample_weight)
    # F relaxes z_L = v_L: with rho the loss acts as rho/(1 + rho) times the squared error.
    relaxed = Ridge(alpha=0.7 * 2).fit(problem.X, problem.Y, problem.sample_weight)
    np.testing.assert_allclose(result.coefs[0], relaxed.coef_.T, rtol=1e-6, atol=1e-9)
    run = Relaxed(w_step=w_step).start(problem, coefs, intercepts, rho=1e7, epsilon=1e-3)
    stiff = next(run)
    assert stiff.loss == pytest.approx(stiff.objective, rel=1e-3)
    assert not np.allclose(relaxed.coef_, oracle.coef_, rtol=1e-3)


def test_logistic_without_hidden_layer_is_logistic_regression_for_large_rho():
    rng = np.random.default_rng(0)
    problem, coefs, intercepts = make_problem(
        rng, loss="logistic", activations=(), n=60, d=4, k=1, alpha=1.0
    )
    run = Relaxed(w_step="exact").start(problem, coefs, intercepts, rho=30.0, epsilon=1e-3)
    result = minimize(run, max_iter=3000, tol=0.0, n_iter_no_change=3000)
    oracle = LogisticRegression(C=1.0, tol=1e-10).fit(problem.X, problem.Y.ravel())
    # The Moreau envelope of the logistic loss is within O(1/rho) of the loss.
    np.testing.assert_allclose(result.coefs[0].ravel(), oracle.coef_.ravel(), atol=0.02)


def test_loss_is_the_training_objective_of_the_weights():
    problem, coefs, intercepts = make_problem(
        np.random.default_rng(2), loss="softmax", activations=("tanh",), n=20, d=50, weighted=True
    )
    run = Relaxed().start(problem, coefs, intercepts, rho=0.1, epsilon=1e-3)
    for record in itertools.islice(run, 5):
        W, b = run.weights()
        z = forward(problem.X, W, b, problem.activations)
        J = problem.sample_weight @ problem.loss.value(z, problem.Y)
        J += 0.5 * problem.alpha * sum((w**2).sum() for w in W)
        assert record.loss == pytest.approx(J / problem.sample_weight.sum())


def test_epsilon_schedule_and_warm_start():
    problem, coefs, intercepts = make_problem(np.random.default_rng(2))
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    epsilons = [record.epsilon for record in itertools.islice(run, 20)]
    assert epsilons == [max(1e-3, 100.0 * 0.5**k) for k in range(20)]
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3, warm=True)
    assert next(run).epsilon == 1e-3


def test_momentum_pays_on_digits():
    """Working momentum is the difference from the authors' script: it must do something."""
    X, y = load_digits(return_X_y=True)
    X = X[:400] / 16
    sizes = [64, 30, 10]
    activations = [get_activation("relu")]
    problem = Problem(
        X, np.eye(10)[y[:400]], activations, SoftmaxCrossEntropy(), get_penalty("l2"), 1e-2
    )
    start = gaussian(sizes, np.random.RandomState(0), float, 0.1)
    ends = {}
    for accelerate in (True, False):
        run = Relaxed(accelerate=accelerate).start(problem, *start, rho=0.1, epsilon=1e-3)
        ends[accelerate] = list(itertools.islice(run, 100))[-1].objective
    assert ends[True] < 0.7 * ends[False]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("w_step", "newton"),
        ("hidden_step", "both"),
        ("order", "up"),
        ("epsilon_start", 0.0),
        ("epsilon_start", np.inf),
        ("epsilon_factor", 1.5),
        ("epsilon_factor", 0.0),
        ("start_scale", -1.0),
    ],
)
def test_bad_options_say_what_is_allowed(option, value):
    with pytest.raises(ValueError, match=f"{option} must be .*got {value!r}"):
        Relaxed(**{option: value})


def test_minimize_says_why_it_stopped():
    problem, coefs, intercepts = make_problem(np.random.default_rng(2), n=20)

    def run(**options):
        start = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
        return minimize(start, **{"max_iter": 500, "tol": 1e-3, "n_iter_no_change": 5} | options)

    assert run().stop_reason == "converged"
    assert len(run().records) > 17 + 5  # not before epsilon has arrived
    assert run(max_iter=7).stop_reason == "max_iter"
    assert len(run(max_iter=7).records) == 7
    stopped = run(on_sweep=lambda record, run: record.iteration == 3)
    assert stopped.stop_reason == "requested"
    assert len(stopped.records) == 3


def test_interrupt_keeps_the_last_complete_sweep():
    class Interrupting(SquaredError):
        calls = 0

        def prox(self, *args, **kwargs):
            type(self).calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().prox(*args, **kwargs)

    problem, coefs, intercepts = make_problem(np.random.default_rng(2), n=20)
    problem.loss = Interrupting()
    run = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    result = minimize(run, max_iter=50, tol=0.0, n_iter_no_change=50)
    assert result.stop_reason == "interrupted"
    assert len(result.records) == 3
    problem.loss = SquaredError()
    again = Relaxed().start(problem, coefs, intercepts, rho=1.0, epsilon=1e-3)
    expected = minimize(again, max_iter=3, tol=0.0, n_iter_no_change=50)
    for found, known in zip(result.coefs, expected.coefs, strict=True):
        np.testing.assert_array_equal(found, known)


def test_refuses_what_it_does_not_have():
    problem, *first = make_problem(np.random.default_rng(0), n=20)
    solver = Relaxed()
    with pytest.raises(ValueError, match="batch_size=19 needs solver='feasible'"):
        solver.start(problem, *first, batch_size=19)
    with pytest.raises(ValueError, match=r"activity_alpha=0\.5 needs solver='feasible'"):
        solver.start(problem, *first, activity_alpha=0.5)
    for size in (20, 50, None):
        for activity_alpha in (0.0, None):
            run = solver.start(problem, *first, batch_size=size, activity_alpha=activity_alpha)
            assert next(run).iteration == 1


def test_defaults():
    """rho is 1, alpha MLPClassifier's, and a step takes all samples."""
    problem, *first = make_problem(np.random.default_rng(0), n=20)
    solver = Relaxed()
    assert next(solver.start(problem, *first)).rho == 1.0
    assert next(solver.start(problem, *first, rho=0.3)).rho == 0.3
    assert solver.default_alpha(get_penalty("l2"), None) == 1e-4
    assert solver.rows_at_a_time(1234, 50) == 1234


@pytest.mark.parametrize("scale", [None, 0.3])
def test_starting_weights(scale):
    sizes, activations = [30, 20, 5], [get_activation("tanh")]
    arguments = sizes, np.random.RandomState(3), np.dtype(np.float32), activations
    found = Relaxed(start_scale=scale).initial_weights(*arguments)
    rng = np.random.RandomState(3)
    if scale is None:
        expected = glorot(sizes, rng, np.dtype(np.float32), activations)
    else:
        expected = gaussian(sizes, rng, np.dtype(np.float32), scale)
        assert np.std(found[0][0]) == pytest.approx(scale, rel=0.1)
    for W, V in zip(itertools.chain(*found), itertools.chain(*expected), strict=True):
        np.testing.assert_array_equal(W, V)
        assert W.dtype == np.float32


@pytest.mark.parametrize("epsilon", [1e-3, 500.0])
def test_warm_start_has_the_final_tube_and_the_given_weights(epsilon):
    problem, *first = make_problem(np.random.default_rng(2), n=20)
    run = Relaxed().start(problem, *first, rho=1.0, epsilon=epsilon, warm=True)
    for W, V in zip(itertools.chain(*run.weights()), itertools.chain(*first), strict=True):
        np.testing.assert_allclose(W, V, rtol=1e-12)
    records = list(itertools.islice(run, 3))
    assert all(record.epsilon == epsilon and record.settled for record in records)
    # A tube wider than the first one is the first one.
    cold = Relaxed().start(problem, *first, rho=1.0, epsilon=epsilon)
    assert next(cold).epsilon == max(epsilon, 100.0)
