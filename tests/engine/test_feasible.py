"""Solver "feasible": options, what they default to, and which run they begin."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from skmdlam.activations import Sign, get_activation
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.loop.run import Chain, ComposedRun
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.regularization import Regularization, estimate_regularization, noise_of
from skmdlam.engine.start import glorot, looks_linear
from skmdlam.engine.steps.full_batch import FullBatchStep
from skmdlam.engine.steps.layerwise import LayerwiseStep
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    SquaredError,
)
from skmdlam.penalties import get_penalty


def data(n=120, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])


def run_of(X, Y, *, loss=None, penalty="l2", alpha=0.0, activation="relu", hidden=(8,),
           weight=None, solver=None, start=None, **settings):  # fmt: skip
    solver = solver or Feasible()
    if isinstance(activation, str):
        activation = get_activation(activation)
    activations = [activation] * len(hidden)
    problem = Problem(
        X, Y, activations, loss or SquaredError(), get_penalty(penalty), alpha, weight
    )
    rng = np.random.RandomState(0)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    start = start or solver.initial_weights(sizes, rng, X.dtype, activations)
    return solver.start(problem, *start, **{"rng": rng, "activity_alpha": 0.0, **settings})


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"batch_size": 120}, FullBatchStep),
        ({"batch_size": 500}, FullBatchStep),
        ({"batch_size": 119}, LayerwiseStep),
        ({}, FullBatchStep),
        ({"max_iter": 49}, LayerwiseStep),
        ({"hidden": (4, 4, 4)}, LayerwiseStep),
        ({"loss": AbsoluteError()}, LayerwiseStep),
        ({"batch_size": 120, "penalty": "l1", "alpha": 0.1}, FullBatchStep),
        ({"batch_size": 120, "penalty": "l1"}, FullBatchStep),
        ({"penalty": "l1"}, FullBatchStep),
        ({"penalty": "l1", "alpha": 0.1}, FullBatchStep),
        ({"penalty": "l1", "batch_size": 40}, LayerwiseStep),  # no strength: there is no penalty
        ({"penalty": "l1", "alpha": 0.1, "batch_size": 40}, Chain),
        ({"penalty": "l1", "alpha": 0.1, "max_iter": 49}, Chain),
        ({"penalty": "elasticnet", "alpha": 0.1, "batch_size": 40}, Chain),
        ({"batch_size": 120, "penalty": "l1", "alpha": 0.1, "loss": AbsoluteError()}, Chain),
        ({"penalty": "l1", "alpha": 0.1, "loss": AbsoluteError()}, Chain),
        ({"batch_size": 120, "loss": AbsoluteError()}, FullBatchStep),
        ({"batch_size": 120, "activation": Sign()}, LayerwiseStep),
        ({"activation": Sign()}, LayerwiseStep),
        ({"penalty": "l1", "alpha": 0.1, "activation": Sign()}, LayerwiseStep),
    ],
)
def test_which_run_begins(options, kind):
    run = run_of(*data(), **options)
    if kind is Chain:
        assert type(run) is Chain
    else:
        assert type(run) is ComposedRun and type(run.step) is kind


def test_strength_of_the_penalty_on_weights_by_default():
    """None where J has unit-free penalties in its place."""
    l2, l1 = get_penalty("l2"), get_penalty("l1")
    assert Feasible().default_alpha(l2, None) == Feasible().default_alpha(l2, 3.0) == 0.0
    usual = Feasible().default_alpha(l2, 0.0)
    assert usual > 0.0
    # What takes weights to zero is told from the data; constraints need no strength.
    assert Feasible().default_alpha(l1, None) is Feasible().default_alpha(l1, 0.0) is None
    box = get_penalty("box")
    assert (
        Feasible().default_alpha(box, None) == 0.0 and Feasible().default_alpha(box, 0.0) == usual
    )
    own = Feasible(activity_alpha=0.0)
    assert own.default_alpha(l2, None) == usual and own.default_alpha(l2, 1.0) == 0.0


def test_start_is_that_of_deep_ramps():
    activations = [get_activation("relu")] * 4
    sizes = [5, 6, 6, 6, 6, 2]
    found = Feasible().initial_weights(sizes, np.random.RandomState(0), np.float32, activations)
    expected = looks_linear(sizes, np.random.RandomState(0), np.float32, activations)
    plain = glorot(sizes, np.random.RandomState(0), np.float32, activations)
    for a, b in zip(found[0] + found[1], expected[0] + expected[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(found[0], plain[0], strict=True))


@pytest.mark.parametrize(
    ("names", "part"),
    [
        ([], 1.0),
        (["relu"], 1.0),
        (["relu"] * 3, 3.0),
        (["relu"] * 8, 3.2),
        (["tanh"], 0.3),
        (["logistic"] * 5, 0.5),
        (["tanh"] * 20, 1.0),
        (["relu", "tanh"] * 2, 0.5 * 3.2 + 0.5 * 0.4),
        (["relu", "tanh", "relu"], 2 / 3 * 3.0 + 1 / 3 * 0.3),
    ],
)
def test_part_of_the_estimated_strength(names, part):
    """That on activity counts by the layers, the others do not."""
    X, Y = data()
    weight = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
    problem = Problem(
        X, Y, [get_activation(name) for name in names], SquaredError(), get_penalty("l2"), 0, weight
    )
    scaling = SquaredError().scaled(Y.mean(axis=0), Y.std(), 1.0)
    inputs, target = (lambda rows: X[rows]), scaling.transform(Y)
    for total in (None, 3000.0):
        found = Feasible().estimate_regularization(problem, scaling, inputs, target, total=total)
        plain = estimate_regularization(SquaredError(), inputs, target, weight, total=total)
        assert found.activity_alpha == pytest.approx(part, rel=1e-12)
        assert found[1:] == plain[1:] and plain.upper_alpha > 0.0
    tuned = replace(TUNED, activity=0.1, upper=0.2)
    less = Feasible(constants=replace(CONSTANTS, tuned=tuned))
    tenth = less.estimate_regularization(problem, scaling, inputs, target, total=3000.0)
    assert tenth.activity_alpha == pytest.approx(0.1 * part, rel=1e-12)
    assert tenth.upper_alpha == pytest.approx(0.1 * found.upper_alpha, rel=1e-12)
    assert tenth.column_alpha == found.column_alpha


def test_strengths_are_in_the_size_of_the_loss():
    """A Huber loss of small delta: J is divided by its slope, the gradient too."""
    X, Y = data()
    problem = Problem(X, Y, [get_activation("relu")], Huber(1e-3), get_penalty("l2"), 0)
    scaling = problem.loss.scaled(Y.mean(axis=0), Y.std(), 1.0)
    assert scaling.loss_scale == pytest.approx(1e-3 / Y.std())
    target = scaling.transform(Y)
    found = Feasible().estimate_regularization(problem, scaling, lambda rows: X[rows], target)
    noise = noise_of(X, target, outlier_threshold=scaling.loss.delta)
    # Two outputs whose gradient is the sign of the residual, nearly.
    expected = 2.0 * 2.0 * noise.fraction * np.sqrt(len(X) * noise.ratio)
    assert found.upper_alpha == pytest.approx(expected, rel=0.02)


FOUND = Regularization(2.0, 3.0, 0.5, 4.0)
NAMED = {"column_alpha": 6.0, "upper_alpha": 8.0}


@pytest.mark.parametrize(
    ("options", "activity", "schedule", "expected", "asked"),
    [
        ({}, None, False, (2.0, 3.0, 0.5, 4.0), True),
        ({}, 7.0, False, (7.0, 3.0, 0.5, 4.0), True),
        ({"activity_alpha": 4.0}, None, False, (4.0, 3.0, 0.5, 4.0), True),
        ({"activity_alpha": 4.0}, 7.0, False, (7.0, 3.0, 0.5, 4.0), True),
        ({"column_alpha": 0.0}, None, False, (2.0, 0.0, 0.5, 4.0), True),
        ({"upper_alpha": 0.0}, None, False, (2.0, 3.0, 0.5, 0.0), True),
        ({"column_alpha": 6.0}, 7.0, False, (7.0, 6.0, 0.5, 4.0), True),
        ({"upper_alpha": 8.0}, 7.0, False, (7.0, 3.0, 0.5, 8.0), True),
        (NAMED, None, False, (2.0, 6.0, 0.5, 8.0), True),
        (NAMED, 7.0, False, (7.0, 6.0, np.nan, 8.0), False),
        (NAMED | {"activity_alpha": 4}, None, False, (4.0, 6.0, np.nan, 8.0), False),
        (NAMED, 7.0, True, (7.0, 6.0, 0.5, 8.0), True),
        (NAMED | {"patience": 2}, 7.0, True, (7.0, 6.0, 0.5, 8.0), True),
        (NAMED | {"cool_down": 2}, 7.0, True, (7.0, 6.0, 0.5, 8.0), True),
        (NAMED | {"cool_down": 2, "patience": 2}, 7, True, (7, 6, np.nan, 8), False),
        ({"cool_down": 2, "patience": 2}, 7.0, True, (7.0, 3.0, 0.5, 4.0), True),
        (NAMED | {"activity_alpha": 0.0}, None, True, (0.0, 0.0, np.nan, 0.0), False),
        ({"activity_alpha": 4.0, "upper_alpha": 1.0}, 0.0, True, (0.0, 0.0, np.nan, 0.0), False),
        ({"activity_alpha": 0.0}, 7.0, False, (7.0, 3.0, 0.5, 4.0), True),
    ],
)
def test_strengths_that_hold(options, activity, schedule, expected, asked):
    """The estimator's first, then the options, then the estimated ones, only if needed."""
    calls = []

    def estimate():
        calls.append(1)
        return FOUND

    found, estimated = Feasible(**options).resolve_regularization(
        activity, estimate, schedule=schedule
    )
    np.testing.assert_array_equal(found[:4], expected)
    assert all(isinstance(value, float) for value in found)
    assert estimated == (FOUND if asked else None) and len(calls) == asked


def test_weights_that_exact_sweeps_go_on_from_are_measured_in_full():
    """J of a part is below that of all here: the sweeps would seem to stall at once."""
    X, Y = data(n=200)
    Y[np.random.RandomState(0).permutation(200)[20:]] *= 3.0
    tuned = replace(TUNED, all_measured=199, measured=20)
    solver = Feasible(constants=replace(CONSTANTS, tuned=tuned))
    run = run_of(X, Y, penalty="l1", alpha=0.1, batch_size=50, solver=solver)
    losses = []
    for record in islice(run, 150):
        coefs, intercepts = run.weights()
        z = forward(X, coefs, intercepts, [get_activation("relu")])
        J = 0.5 * np.sum((z - Y) ** 2) + 0.1 * sum(np.abs(W).sum() for W in coefs)
        assert record.kept == pytest.approx(J / 200, rel=1e-5)
        losses.append(record.kept)
    assert record.settled
    assert all(later <= earlier for earlier, later in pairwise(losses))


@pytest.mark.parametrize(("max_iter", "batches"), [(9, 6), (10, 7), (1, 1)])
def test_two_thirds_of_a_chain_are_mini_batches(max_iter, batches):
    """The exact sweeps have the strengths of the first run, and go on from its weights."""
    X, Y = data()
    solver = Feasible(epochs=50)
    options = {"penalty": "l1", "alpha": 0.1, "activity_alpha": None, "max_iter": max_iter}
    run = run_of(X, Y, solver=solver, batch_size=40, **options)
    first = run.regularization
    assert first.activity_alpha > 0 and run.estimated is not None
    records = list(islice(run, max_iter + 2))
    assert [record.settled for record in records[: batches + 1]] == [False] * batches + [True]
    assert [record.iteration for record in records] == list(range(1, max_iter + 3))
    finishing = run._run
    assert type(finishing.step) is FullBatchStep
    assert finishing.regularization == first == run.regularization
    assert records[batches].loss <= records[batches - 1].loss


def test_starting_weights_are_not_changed():
    X, Y = data()
    rng = np.random.RandomState(0)
    coefs, intercepts = Feasible().initial_weights(
        [4, 8, 2], rng, float, [get_activation("logistic")]
    )
    copies = [W.copy() for W in [*coefs, *intercepts]]
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(X))
    given = [X.copy(), Y.copy(), weight.copy()]
    for warm in (False, True):
        for batch_size in (30, 120):
            run = run_of(
                X, Y, alpha=0.3, activation="logistic", weight=weight, start=(coefs, intercepts),
                warm=warm, batch_size=batch_size, activity_alpha=None,
            )  # fmt: skip
            next(run)
            returned = run.weights()
            next(run)
            for a, b in zip([*coefs, *intercepts], copies, strict=True):
                np.testing.assert_array_equal(a, b)
            for W in [*returned[0], *returned[1]]:
                W[...] = np.nan  # what was handed out is not what the run works with
            assert all(np.isfinite(W).all() for part in run.weights() for W in part)
    for a, b in zip([X, Y, weight], given, strict=True):
        np.testing.assert_array_equal(a, b)


def test_stream_is_handed_on():
    """With the state and all settings."""
    X, Y = data()
    problem = Problem(X, Y, [], SquaredError(), get_penalty("l2"), 0.0)
    start = Feasible().initial_weights([4, 2], np.random.RandomState(0), float, [])
    run = Feasible().stream(problem, *start, None, activity_alpha=3.0, rho=70.0)
    next(run)
    assert run.regularization.activity_alpha == 3.0
    state = run.state()
    # The next chunk goes on from there: everything counts both.
    for begin, n in ((state, 240), (None, 120)):
        again = Feasible().stream(problem, *run.weights(), begin, activity_alpha=3.0)
        next(again)
        assert again.state()["weight_at"] == n
