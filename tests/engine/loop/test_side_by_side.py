"""Runs side by side against the same runs alone, to the very end."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activations
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.loop.run import Run, minimize
from skmdlam.engine.loop.side_by_side import SideBySide, StackedRuns
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Record
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import get_penalty

N, D = 151, 5


def problem_of(loss=None, *, activation="relu", hidden=(7,), penalty="l2", alpha=0.0, weighted=False,
               far=False, form="dense", dtype=float):  # fmt: skip
    """A problem of these parts, on 151 samples."""
    rng = np.random.default_rng(0)
    loss = loss or SquaredError()
    X = rng.standard_normal((N, D)).astype(dtype)
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])
    if isinstance(loss, SoftmaxCrossEntropy):
        Y = np.eye(3)[np.digitize(Y[:, 0], [0.0, 1.5])]
    elif isinstance(loss, LogisticLoss):
        Y = (Y > 0).astype(dtype)
    elif isinstance(loss, Poisson):
        Y = np.abs(Y)
    if far:
        X[::20] *= 40.0
    weight = rng.uniform(0.2, 3.0, N) if weighted else None
    pieces = None
    if form == "sparse":
        X = sp.csr_array(np.where(np.abs(X) > 1, X, 0.0))
    elif form != "dense":
        pieces = Pieces.of(X, 4, include_rank=True)
        X = pieces.encoded(X) if form == "encoded" else EncodedSamples(X, pieces)
    activations = get_activations(activation, len(hidden))
    penalty = get_penalty(penalty)
    Y = Y.astype(dtype)
    problem = Problem(X, Y, activations, loss, penalty, alpha, weight, pieces=pieces)
    return problem, [X.shape[1], *hidden, Y.shape[1]]


def starts_of(problem, sizes, k=3):
    rng = np.random.RandomState(5)
    draw = Feasible().initial_weights
    return [draw(sizes, rng, problem.X.dtype, problem.activations) for _ in range(k)]


def side_by_side_and_alone(problem, starts, solver=None, **settings):
    """What runs of these starts give together and each by itself: results, and the first's run."""
    solver = solver or Feasible(single_precision=False, epochs=12, cool_down=5, patience=3)
    settings = {"batch_size": 40, "max_iter": 60, "tol": 1e-3, "n_iter_no_change": 3, **settings}
    ends = {name: settings[name] for name in ("max_iter", "tol", "n_iter_no_change")}

    def rng():
        return np.random.RandomState(7)

    run = solver.start_several(problem, starts, rng=rng(), **settings)
    together = minimize(run, **ends)
    alone = [minimize(solver.start(problem, *s, rng=rng(), **settings), **ends) for s in starts]
    return run, together, alone


def outputs(problem, results):
    return [forward(problem.X, r.coefs, r.intercepts, problem.activations) for r in results]


def assert_equal_runs(problem, together, alone, rtol=1e-7):
    """The mean of the outputs, and records that are means of those of runs that went on or ended."""
    (found,), each = outputs(problem, [together]), outputs(problem, alone)
    expected, spread = np.mean(each, axis=0), np.std(each)
    assert spread > 0 and np.std(np.subtract(each, expected)) > 1e-3 * spread  # they differ
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * spread)
    longest = max(len(result.records) for result in alone)
    assert len(together.records) == longest
    for sweep, record in enumerate(together.records):
        last = [result.records[min(sweep, len(result.records) - 1)] for result in alone]
        for name in ("objective", "loss", "kept", "gap"):
            mean = np.mean([getattr(one, name) for one in last])
            np.testing.assert_allclose(getattr(record, name), mean, rtol=rtol, err_msg=name)
        assert record.iteration == sweep + 1
        np.testing.assert_allclose(record.rho, max(one.rho for one in last))
        assert record.settled == all(one.settled for one in last)
        going_on = [result.records[sweep] for result in alone if sweep < len(result.records)]
        assert record.restarts == sum(one.restarts for one in going_on)
    late = any(result.stop_reason == "max_iter" for result in alone)
    assert together.stop_reason == ("max_iter" if late else "converged")


STACKED = {
    "plain": {},
    "weighted classes": {"loss": SoftmaxCrossEntropy(), "weighted": True},
    "labels of far samples": {
        "loss": LogisticLoss(), "activation": "softplus", "far": True, "weighted": True,
        "hidden": (6, 4),
    },
    "deep": {"hidden": (6, 5, 4), "activation": ["tanh", "relu", "elu"], "alpha": 0.1},
    "far": {"loss": Huber(0.5), "far": True, "hidden": (6, 4)},
    "kinks": {"loss": AbsoluteError(), "activation": "leaky_relu"},
    "counts": {"loss": Poisson(), "activation": "logistic"},
    "encoded": {"form": "encoded"},
    "encoded on demand": {"form": "on demand", "activation": "hard_tanh"},
    "steps without a slope": {"activation": "sign"},
}  # fmt: skip
# What is not stacked, and the settings by which it is not.
OTHERS = {
    "full batch": ({"hidden": (6, 4), "far": True, "loss": Huber(1.0)}, {"batch_size": N}),
    "full batch by itself": ({}, {"batch_size": None}),
    "full batch, l1": ({"penalty": "l1", "alpha": 0.3}, {"batch_size": N}),
    "l1": ({"penalty": "l1", "alpha": 0.3}, {}),
    "l1 at a price": ({"penalty": "l1", "alpha": None}, {}),
    "sparse": ({"form": "sparse", "weighted": True}, {}),
}


@pytest.mark.parametrize("name", STACKED)
def test_stacked_batches_are_runs_alone(name):
    """In double precision, with a last batch that is larger, to where the last network ends."""
    problem, sizes = problem_of(**STACKED[name])
    run, together, alone = side_by_side_and_alone(problem, starts_of(problem, sizes))
    assert type(run) is StackedRuns
    assert_equal_runs(problem, together, alone)


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_runs_alone(name):
    options, settings = OTHERS[name]
    problem, sizes = problem_of(**options)
    run, together, alone = side_by_side_and_alone(problem, starts_of(problem, sizes), **settings)
    assert type(run) is SideBySide
    assert_equal_runs(problem, together, alone)
