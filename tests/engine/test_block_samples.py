"""Sweeps over samples in blocks: as in one place, wherever blocks begin and end."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activations
from skmdlam.engine.block_samples import BlockSamples
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import CONSTANTS
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.full_batch import (
    full_batch_run,
    full_batch_runs,
    proximal_run,
    proximal_sweeps,
)
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.inputs.scaled import ScaledOnDemand
from skmdlam.engine.loop.side_by_side import SideBySide
from skmdlam.engine.priced import priced_run
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.engine.regularization import Regularization
from skmdlam.engine.totals import Totals
from skmdlam.losses import SoftmaxCrossEntropy, get_loss
from skmdlam.penalties import get_penalty

STRENGTHS = Regularization(1.0, 0.8, upper_alpha=0.5)


def make(loss="squared_error", *, n=1300, d=4, hidden=(6,), activation="relu", weighted=False,
         sparse=False, encoded=False, penalty="l2", alpha=1e-2):  # fmt: skip
    """Samples of columns and targets in units of their own, a few of them far away."""
    rng = np.random.default_rng(7)
    U = rng.normal(size=(n, d))
    if sparse:
        U[rng.random(U.shape) < 0.5] = 0.0
    signal = np.stack([np.sin(2 * U[:, 0]) + U[:, 1] ** 2, U[:, 2] * U[:, 3]], axis=1)
    signal += 0.3 * rng.normal(size=signal.shape)
    U[::70] *= 12.0
    X = U * 10.0 ** np.arange(d) + (0.0 if sparse else 5.0)
    if loss == "softmax":
        loss, Y = SoftmaxCrossEntropy(), np.eye(2)[(signal[:, 0] > 1.0).astype(int)]
    else:
        loss, Y = get_loss(loss), 300.0 * signal + 1e3
        if loss.outlier_threshold < np.inf:
            Y[3] += 1e5
    pieces = None
    if encoded:
        pieces = Pieces.of(X, 4, include_rank=True)
        X = EncodedSamples(X, pieces)
    problem = Problem(
        sp.csr_array(X) if sparse else X,
        Y,
        get_activations(activation, len(hidden)),
        loss,
        get_penalty(penalty),
        alpha,
        rng.uniform(0.2, 2.0, n) if weighted else None,
        pieces=pieces,
    )
    return problem, [X.shape[1], *hidden, 2]


def starts_of(problem, sizes, number=1):
    return [
        Feasible().initial_weights(sizes, np.random.RandomState(j), float, problem.activations)
        for j in range(number)
    ]


class SentBlocks(LocalBlocks):
    """Blocks behind a wall: what goes there and what comes back are copies."""

    def mapped(self, function, *args):
        return SentBlocks([copied(function)(part, *copied(args)) for part in self.parts])

    def each(self, function, args, which=None, shared=()):
        found = super().each(copied(function), copied(args), which, copied(shared))
        self.parts = copied(self.parts)
        return copied(found)


def copied(value):
    return pickle.loads(pickle.dumps(value))


def parts_of(problem, *edges):
    """Blocks of a problem's rows between these edges."""
    X, weight = problem.X, problem.sample_weight
    return SentBlocks(
        [
            Part(
                X.taken(rows) if isinstance(X, EncodedSamples) else X[rows],
                problem.Y[rows],
                None if weight is None else weight[rows],
            )
            for rows in itertools.starmap(slice, itertools.pairwise([0, *edges]))
        ]
    )


def uneven(problem):
    """An empty block first and in the middle, one of one row, one that ends at no thousand."""
    n = problem.X.shape[0]
    return parts_of(problem, 0, 1, 180, 180, n - 77, n)


def settings(problem, **options):
    return Settings(batch_size=problem.X.shape[0], **options)


def on_blocks(solver, problem, blocks, starts, settings):
    samples = samples_of(problem, blocks, solver.constants)
    return full_batch_runs(solver, problem, starts, settings, samples)


def samples_of(problem, blocks, constants=CONSTANTS):
    return BlockSamples(problem, blocks, Totals.of(blocks, problem), constants)


def assert_alike(run, expected, sweeps=10, rtol=1e-6):
    found, wanted = (
        [record.loss for record in itertools.islice(each, sweeps)] for each in (run, expected)
    )
    assert len(found) == len(wanted) > 3
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    for A, B in zip(itertools.chain(*run.weights()), itertools.chain(*expected.weights()),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(A, B, rtol=0, atol=rtol * np.abs(B).max())
        assert A.dtype == B.dtype


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("squared_error", {"weighted": True, "hidden": (6, 5)}),
        ("softmax", {"weighted": True}),
        ("softmax", {"n": 900, "activation": "logistic"}),
        ("absolute_error", {}),
        ("softmax", {"sparse": True, "weighted": True}),
        ("huber", {"n": 800, "encoded": True}),
        ("squared_error", {"penalty": "l1", "n": 700}),
        ("softmax", {"penalty": "group", "weighted": True, "alpha": 1.0}),
    ],
)
@pytest.mark.slow
def test_same_as_in_one_place(loss, options):
    problem, sizes = make(loss, **options)
    starts, solver = starts_of(problem, sizes), Feasible()
    expected = full_batch_runs(solver, problem, starts, settings(problem))
    run = on_blocks(solver, problem, uneven(problem), starts, settings(problem))
    np.testing.assert_allclose(run.regularization, expected.regularization, rtol=1e-9)
    np.testing.assert_allclose(run.moments, expected.moments, rtol=1e-12)
    assert run.objective_unit == pytest.approx(expected.objective_unit, rel=1e-12)
    assert_alike(run, expected)


def test_without_a_hidden_layer():
    """A few sweeps to the minimum."""
    problem, sizes = make(n=300, hidden=())
    solver, starts = Feasible(), starts_of(problem, sizes)
    expected = full_batch_runs(solver, problem, starts, settings(problem))
    run = on_blocks(solver, problem, uneven(problem), starts, settings(problem))
    assert_alike(run, expected, 4)


@pytest.mark.parametrize("acceleration", ["nesterov", None])
def test_accelerations(acceleration):
    problem, sizes = make(n=200)
    solver, starts = Feasible(acceleration=acceleration), starts_of(problem, sizes)
    expected = full_batch_runs(solver, problem, starts, settings(problem))
    blocks = parts_of(problem, 90, 200)
    assert_alike(on_blocks(solver, problem, blocks, starts, settings(problem)),
                 expected)  # fmt: skip


@pytest.mark.parametrize("sparse", [False, True])
def test_layers_too_wide_for_a_square_matrix(sparse):
    problem, sizes = make("softmax", weighted=True, sparse=sparse, hidden=(6, 5))
    limits = replace(CONSTANTS.limits, kronecker_inverse=3, kronecker_rows=40)
    solver = Feasible(constants=replace(CONSTANTS, limits=limits))
    starts = starts_of(problem, sizes)
    expected = full_batch_runs(solver, problem, starts, settings(problem))
    blocks = uneven(problem)
    assert_alike(on_blocks(solver, problem, blocks, starts, settings(problem)),
                 expected)  # fmt: skip


def test_several_networks():
    problem, sizes = make(n=200)
    starts, solver = starts_of(problem, sizes, 3), Feasible()
    mapped, blocks = [], parts_of(problem, 20, 200)
    mapped_once = blocks.mapped
    blocks.mapped = lambda *args: mapped.append(args) or mapped_once(*args)
    run = on_blocks(solver, problem, blocks, starts, settings(problem))
    assert isinstance(run, SideBySide) and len(mapped) == 1
    assert_alike(run, full_batch_runs(solver, problem, starts, settings(problem)))


def test_encoded_samples_stay_on_demand_where_all_of_them_are_too_many():
    problem, sizes = make(n=400, encoded=True)
    limits = replace(CONSTANTS.limits, small=problem.X.shape[1] * 300)
    solver = Feasible(constants=replace(CONSTANTS, limits=limits))
    run = on_blocks(
        solver, problem, parts_of(problem, 100, 400), starts_of(problem, sizes), settings(problem)
    )
    inputs = [block.inputs for block in run.step.setting.objective.blocks.parts]
    assert all(isinstance(each, ScaledOnDemand) for each in inputs)


@pytest.mark.parametrize("loss", ["squared_error", "softmax"])
def test_of_a_sample_j_is_that_of_all(loss):
    """The client holds a fifth of the rows; J is still exact, and so is the unit of it."""
    problem, sizes = make(loss, weighted=True)
    sample = problem.some(np.arange(0, 1300, 5))
    solver = Feasible()
    start = starts_of(problem, sizes)
    run = on_blocks(solver, sample, uneven(problem), start, settings(problem, activity_alpha=0.0))
    for record in itertools.islice(run, 5):
        expected = problem.training_objective(*run.weights()) / problem.rows.total
        assert record.loss == pytest.approx(expected, rel=1e-9)
    run = on_blocks(solver, sample, uneven(problem), start, settings(problem))
    whole = full_batch_runs(solver, problem, start, settings(problem))
    np.testing.assert_allclose(run.moments, whole.moments, rtol=1e-12)
    assert run.objective_unit == pytest.approx(whole.objective_unit, rel=0.1)
    # The noise is that of as many samples as there are, told from fewer.
    np.testing.assert_allclose(run.regularization[:2], whole.regularization[:2], rtol=0.5)


def test_finish_of_mini_batches():
    problem, sizes = make(penalty="l1", alpha=1e5, n=500)
    (start,), solver = starts_of(problem, sizes), Feasible()
    warm = settings(problem, warm=True)
    samples = samples_of(problem, parts_of(problem, 33, 500))
    runs = [
        proximal_run(solver, problem, *start, warm, STRENGTHS, None),
        proximal_sweeps(solver, problem, *start, warm, STRENGTHS, samples),
    ]
    assert_alike(runs[1], runs[0])
    assert 0.05 < np.mean(runs[1].weights()[0][0] == 0) < 0.9


def test_penalty_of_automatic_strength():
    problem, sizes = make(penalty="group", alpha=None, n=400)
    (start,), solver = starts_of(problem, sizes), Feasible()
    given = settings(problem, max_iter=30)
    expected = priced_run(solver, problem, *start, given, full_batch_run)
    samples = samples_of(problem, parts_of(problem, 300, 400))

    def begin(problem, *start):
        return full_batch_run(solver, problem, *start, samples)

    def finish(*arguments):
        return full_batch_run(*arguments, samples)

    run = priced_run(solver, problem, *start, given, finish, begin=begin, samples=samples)
    assert_alike(run, expected, 25, rtol=1e-5)


def test_what_stays_on_a_block_is_little_more_than_its_samples():
    problem, sizes = make("softmax", n=300, weighted=True, hidden=(200, 200))
    blocks = parts_of(problem, 0, 100, 300)
    run = on_blocks(Feasible(), problem, blocks, starts_of(problem, sizes), settings(problem))
    next(run)
    held = run.step.setting.objective.blocks.parts
    arrays = sum(block.inputs.data.nbytes + block.target.nbytes for block in held)
    assert len(pickle.dumps(held)) < arrays + 2 * problem.sample_weight.nbytes + 20_000
