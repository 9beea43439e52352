"""Runs side by side against the same runs alone, to the very end."""

import time
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activations
from skmdlam.engine.constants import CONSTANTS, LIMITS
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.dense import DenseOnDemand
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.loop.run import Run, minimize
from skmdlam.engine.loop.side_by_side import SideBySide, StackedRuns
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Record
from skmdlam.engine.sparse_layers import LazyInputLayer
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


def problem_of(loss=None, *, activation="relu", hidden=(7,), penalty="l2", alpha=0.0,
               weighted=False, far=False, form="dense", dtype=float):  # fmt: skip
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


def side_by_side_and_alone(problem, starts, constants=CONSTANTS, **settings):
    """What runs of these starts give together and each by itself: results, and the first's run."""
    solver = Feasible(
        single_precision=False, epochs=12, cool_down=5, patience=3, constants=constants
    )
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


def assert_equal_runs(problem, together, alone, rtol=1e-10):
    """The mean of the outputs, and means of the records, of a run that has ended its last."""
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
    "sparse": (
        {"form": "sparse", "weighted": True},
        {
            "constants": replace(
                CONSTANTS,
                limits=replace(
                    LIMITS, decomposition=2, sketch=2, small=1, entries=1, sketch_numbers=60
                ),
            )
        },
    ),
}


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.slow
def test_stacked_batches_are_runs_alone(name):
    """In double precision, with a last batch that is larger, to where the last network ends."""
    problem, sizes = problem_of(**STACKED[name])
    on_demand = isinstance(problem.X, EncodedSamples)
    constants = replace(CONSTANTS, limits=replace(LIMITS, small=1)) if on_demand else CONSTANTS
    starts = starts_of(problem, sizes)
    run, together, alone = side_by_side_and_alone(problem, starts, constants=constants)
    assert type(run) is StackedRuns
    assert isinstance(run.runs[0].step.prepared.input, DenseOnDemand) == on_demand
    assert_equal_runs(problem, together, alone)


@pytest.mark.parametrize("name", ["plain", "labels of far samples", "deep"])
@pytest.mark.slow
def test_j_of_many_chunks(name):
    """The objective in chunks of its own, of a part of the samples where these are too many."""
    problem, sizes = problem_of(**STACKED[name])
    tuned = replace(CONSTANTS.tuned, all_measured=100, measured=131)
    limits = replace(LIMITS, measured_rows=64, measured_rows_stacked=13)
    constants = replace(CONSTANTS, tuned=tuned, limits=limits)
    run, together, alone = side_by_side_and_alone(
        problem, starts_of(problem, sizes, k=6), constants=constants
    )
    chunks, n = run._objective.chunks, N if problem.sample_weight is not None else 131
    assert {len(np.arange(N)[rows]) for rows in chunks} == {13, n % 13}
    assert sum(len(np.arange(N)[rows]) for rows in chunks) == n
    assert_equal_runs(problem, together, alone)


def test_single_precision_is_close():
    """What runs alone say, up to float32, while rounding has not yet parted them."""
    problem, sizes = problem_of(far=True, loss=Huber(0.5), hidden=(6, 4))
    starts, solver = starts_of(problem, sizes, k=4), Feasible()

    def first(begin, *start):
        run = begin(problem, *start, rng=np.random.RandomState(7), batch_size=40)
        return [next(run) for _ in range(5)][-1]

    together = first(solver.start_several, starts)
    alone = [first(solver.start, *one) for one in starts]
    assert together.loss == pytest.approx(np.mean([one.loss for one in alone]), rel=2e-4)


def test_preparations_count_as_time():
    problem, sizes = problem_of()
    starts = starts_of(problem, sizes)
    before = time.perf_counter()
    run = Feasible().start_several(problem, starts, batch_size=40)
    time.sleep(0.02)
    seconds = next(run).seconds
    assert 0.02 < seconds <= time.perf_counter() - before


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.slow
def test_others_are_runs_alone(name):
    options, settings = OTHERS[name]
    problem, sizes = problem_of(**options)
    run, together, alone = side_by_side_and_alone(problem, starts_of(problem, sizes), **settings)
    assert type(run) is SideBySide
    if name == "sparse":
        assert isinstance(run.runs[0].step.network.first, LazyInputLayer)
    assert_equal_runs(problem, together, alone)


def test_one_is_taken_back_and_one_ends_first():
    """What the test of far samples says holds for networks that part in both ways."""
    problem, sizes = problem_of(**STACKED["far"])
    _, together, alone = side_by_side_and_alone(problem, starts_of(problem, sizes))
    assert len({len(result.records) for result in alone}) > 1
    refused = [sum(record.restarts for record in result.records) for result in alone]
    assert 0 in refused and max(refused) > 0
    assert together.records[-1].rho > together.records[0].rho


@pytest.mark.slow
def test_a_long_fit_stays_a_run_alone():
    """Hundreds of steps at the usual options; rounding does not add up."""
    problem, sizes = problem_of(hidden=(20, 20), far=True, loss=Huber(0.5))
    starts = starts_of(problem, sizes, k=4)
    problem = replace(problem, activations=get_activations("tanh", 2))
    settings = {"batch_size": 20, "max_iter": 200, "tol": 1e-5, "n_iter_no_change": 10}
    solver = Feasible(single_precision=False)
    run = solver.start_several(problem, starts, rng=np.random.RandomState(1), **settings)
    ends = {name: settings[name] for name in ("max_iter", "tol", "n_iter_no_change")}
    together = minimize(run, **ends)
    alone = [
        minimize(solver.start(problem, *start, rng=np.random.RandomState(1), **settings), **ends)
        for start in starts
    ]
    assert len(together.records) > 50
    assert_equal_runs(problem, together, alone, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [40, N])
def test_cool_down_and_an_interrupted_sweep(batch_size):
    """All of them cool down; Ctrl-C leaves the weights that each has kept so far."""
    problem, sizes = problem_of(hidden=(6, 4))
    solver, starts = Feasible(single_precision=False), starts_of(problem, sizes)
    settings = {"batch_size": batch_size, "max_iter": 100}

    def start(begin, *start):
        return begin(problem, *start, rng=np.random.RandomState(7), **settings)

    run = start(solver.start_several, starts)
    alone = [start(solver.start, *one) for one in starts]
    assert run.cools_down == (batch_size < N) == alone[0].cools_down
    assert run.max_sweeps == max(one.max_sweeps for one in alone)
    assert run.regularization == alone[0].regularization
    for one in (run, *alone):
        list(islice(one, 6))
        if batch_size < N:
            one.cool_down()
            records = list(one)
            assert one.ended and len(records) <= 30
    before = run.weights()
    expected = np.mean(outputs(problem, [Weights(one) for one in alone]), axis=0)
    np.testing.assert_allclose(outputs(problem, [Weights(run)])[0], expected, atol=1e-10)

    class Interrupting(type(problem.activations[0])):
        def derivative(self, z, a):
            raise KeyboardInterrupt

    run = start(solver.start_several, starts)
    list(islice(run, 4))
    before = run.weights()
    problem.activations[:] = [Interrupting()] * 2
    result = minimize(run, max_iter=50, tol=0.0, n_iter_no_change=9)
    assert result.stop_reason == "interrupted" and result.records == []
    for W, V in zip((*result.coefs, *result.intercepts), (*before[0], *before[1]), strict=True):
        np.testing.assert_array_equal(W, V)


class Weights:
    """The weights of a run, as a result has them."""

    def __init__(self, run):
        self.coefs, self.intercepts = run.weights()


class Listed(Run):
    """A run of these objectives; its weights are the last one."""

    max_sweeps = 50

    def __init__(self, objectives, *, says_so=True, cut_short=False):
        self._left, self._says_so, self.cut_short = list(objectives), says_so, cut_short
        self._done, self._last, self.cooled = 0, 0.0, False
        self.ended = says_so and not self._left

    def __next__(self):
        if not self._left:
            raise StopIteration
        self._last, self._done = self._left.pop(0), self._done + 1
        self.ended = self._says_so and not self._left
        n = self._done
        return Record(n, self._last, 2 * self._last, n, 1 / n, 0.0, n, True, 0.0, self._last)

    def weights(self):
        return [np.full((1, 1), self._last)], [np.zeros(1)]


class TestRecords:
    def test_means_of_the_last_records(self):
        run = SideBySide([Listed([8, 4, 2, 1]), Listed([6, 5])], clock=0.0)
        records = list(run)
        assert run.ended and not run.cut_short
        assert [record.iteration for record in records] == [1, 2, 3, 4]
        assert [record.objective for record in records] == [7.0, 4.5, 3.5, 3.0]
        assert [record.loss for record in records] == [14.0, 9.0, 7.0, 6.0]
        assert [record.kept for record in records] == [7.0, 4.5, 3.5, 3.0]
        assert [record.rho for record in records] == [1, 2, 3, 4]  # the largest
        assert [record.epsilon for record in records] == [1.0, 0.5, 0.5, 0.5]
        assert [record.restarts for record in records] == [2, 4, 3, 4]  # of those at work
        assert run.weights()[0][0].item() == 3.0
        assert all(a.seconds <= b.seconds for a, b in pairwise(records))

    def test_each_stalls_by_itself(self):
        """The first stalls after its 4th sweep and stands still; the second goes on gaining."""
        first, second = Listed([5, 5, 5, 5, 5, 5]), Listed([9, 8, 7, 6, 5, 4, 4, 4, 4, 4])
        run = SideBySide([first, second], clock=0.0)
        result = minimize(run, max_iter=50, tol=0.5, n_iter_no_change=3)
        assert (first._done, second._done, len(result.records)) == (4, 9, 9)
        assert result.stop_reason == "converged"
        assert result.records[-1].objective == 4.5

    def test_one_that_was_cut_short_says_so(self):
        runs = [Listed([5, 4, 3]), Listed([9, 8], cut_short=True)]
        result = minimize(SideBySide(runs, clock=0.0), max_iter=9, tol=0, n_iter_no_change=9)
        assert result.stop_reason == "max_iter"

    @pytest.mark.parametrize("lengths", [(4, 2), (2, 4), (0, 4), (3, 3)])
    def test_iterators_that_just_stop(self, lengths):
        """A user's run need not say that it has ended; the others go on all the same."""
        runs = [Listed(range(9, 9 - n, -1), says_so=False) for n in lengths]
        result = minimize(SideBySide(runs, clock=0.0), max_iter=50, tol=0.0, n_iter_no_change=9)
        assert len(result.records) == max(lengths)
        assert [run._done for run in runs] == list(lengths)
        assert result.stop_reason == "converged"
