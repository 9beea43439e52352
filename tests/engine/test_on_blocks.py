"""Runs on blocks that are elsewhere: one block is a run at hand, several are close to it."""

from dataclasses import replace
from itertools import chain, islice, pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.encoded import EncodedSamples, encoded_samples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.mini_batches import MiniBatches
from skmdlam.engine.on_blocks import BlockBatches, Rounds, mini_batch_runs_on_blocks, paths_of
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Settings
from skmdlam.engine.totals import Totals
from skmdlam.losses import Huber, LogisticLoss, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import get_penalty

ON_DEMAND = replace(CONSTANTS, limits=replace(LIMITS, small=1))


def data(n=600, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[:, 0] = np.exp(2 * X[:, 0])  # a tail
    Y = np.column_stack([np.sin(X[:, 1]) + X[:, 2] * X[:, 3], X[:, 4] - X[:, 2]])
    return X, Y + 0.1 * rng.standard_normal(Y.shape)


def problem_of(X, Y, loss=None, *, weight=None, penalty="l2", alpha=0.0, hidden=1):
    activations = [get_activation("relu")] * hidden
    loss, penalty = loss or SquaredError(), get_penalty(penalty)
    return Problem(X, Y, activations, loss, penalty, alpha, weight)


def start_of(problem, options, width=8):
    sizes = [problem.X.shape[1], *[width] * len(problem.activations), problem.Y.shape[1]]
    rng = np.random.RandomState(1)
    return options.initial_weights(sizes, rng, problem.X.dtype, problem.activations)


def blocks_of(problem, edges):
    X, weight = problem.X, problem.sample_weight
    whole = Part(X, problem.Y, weight)
    rows = np.arange(X.shape[0])
    return LocalBlocks([whole.take(rows[a:b]) for a, b in pairwise(edges)])


def settings_of(**options):
    options = {"batch_size": 25, "max_iter": 12, "rng": np.random.RandomState(3), **options}
    return Settings(**options)


def run_at_hand(problem, options, start, **settings):
    """A run on all samples, in the orders that a run on one block has."""
    batches = MiniBatches(options, problem, settings_of(**settings))
    rounds = Rounds(np.array([0]), 1, batches.source.n_batches)

    def order(rng):
        ((_, (seed,)), _) = next(rounds.epoch(rng))
        return np.random.RandomState(seed).permutation(problem.X.shape[0])

    batches.source.order = order
    return batches.run(*start, batches.rng)


def run_on(blocks, problem, options, start, **settings):
    whole = Totals.of(blocks, problem)
    return mini_batch_runs_on_blocks(
        options, problem, blocks, [start], settings_of(**settings), whole
    )


def weights_of(X):
    return np.random.default_rng(5).uniform(0.5, 3, len(X))


def indicators(Y):
    return np.eye(3)[np.digitize(Y[:, 0], [-0.5, 0.5])]


PROBLEMS = {
    "numbers": lambda X, Y: problem_of(X, Y),
    "two layers": lambda X, Y: problem_of(X, Y, hidden=2),
    "weights": lambda X, Y: problem_of(X, Y, weight=weights_of(X)),
    "classes with tails": lambda X, Y: problem_of(X, indicators(Y), SoftmaxCrossEntropy()),
    "weighted tails": lambda X, Y: problem_of(
        X, (Y > 0).astype(float), LogisticLoss(), weight=weights_of(X)
    ),
    "outliers": lambda X, Y: problem_of(X, Y, Huber(0.5)),
    "l1": lambda X, Y: problem_of(X, Y, penalty="l1", alpha=1.0),
    "encoded": lambda X, Y: problem_of(encoded_samples(X, Pieces.of(X, 8)), Y),
    "on demand": lambda X, Y: problem_of(EncodedSamples(X, Pieces.of(X, 8)), Y),
    "sparse": lambda X, Y: problem_of(sp.csr_array(X * (np.abs(X) > 1)), Y),
    "wide and sparse": lambda X, Y: problem_of(
        sp.random(len(X), 700, density=0.02, format="csr", random_state=2), Y
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_one_block_is_a_run_at_hand(name):
    problem = PROBLEMS[name](*data())
    constants = ON_DEMAND if name in ("on demand", "wide and sparse") else CONSTANTS
    options = Feasible(single_precision=False, constants=constants)
    start = start_of(problem, options)
    one = run_on(blocks_of(problem, [0, 600]), problem, options, start)
    other = run_at_hand(problem, options, start)
    for found, known in zip(one, other, strict=True):
        assert found.objective == pytest.approx(known.objective, rel=1e-7)
        assert found.loss == pytest.approx(known.loss, rel=1e-7)
        assert (found.rho, found.restarts) == (known.rho, known.restarts)
    X = problem.X[:] if not problem.sparse else problem.X
    outputs = [forward(X, *run.weights(), problem.activations) for run in (one, other)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)


def test_blocks_without_samples_do_nothing():
    problem = problem_of(*data())
    options = Feasible()
    start = start_of(problem, options)
    first, other = (
        [record.objective for record in run_on(blocks_of(problem, edges), problem, options, start)]
        for edges in ([0, 300, 600], [0, 300, 300, 600])
    )
    assert first == other


def test_weights_that_only_some_blocks_have():
    problem = problem_of(*data(), weight=np.repeat([1.0, 7.0], 300))
    options = Feasible()
    start, blocks = start_of(problem, options), blocks_of(problem, [0, 300, 600])
    ones, others = blocks.parts
    some = LocalBlocks([ones._replace(weight=None), others])
    first, other = (
        [record.objective for record in islice(run_on(kind, problem, options, start), 2)]
        for kind in (blocks, some)
    )
    assert first == other


def test_blocks_of_a_few_samples_count_as_little_as_these():
    problem = problem_of(*data())
    options = Feasible()
    start, edges = start_of(problem, options), [0, 1, 300, 302, 590, 597, 600]
    records = list(run_on(blocks_of(problem, edges), problem, options, start, max_iter=30))
    others = list(run_at_hand(problem, options, start, max_iter=30))
    assert not any(record.restarts for record in records)
    assert records[-1].objective < 1.1 * others[-1].objective


@pytest.mark.slow
def test_several_blocks_are_as_good_as_a_run_at_hand():
    X, Y = data(4000)
    problem = problem_of(X[:3000], Y[:3000])
    options = Feasible()
    start, edges = start_of(problem, options, 30), [0, 700, 1500, 2200, 3000]
    error = []
    for run in (
        run_on(blocks_of(problem, edges), problem, options, start, max_iter=200),
        run_at_hand(problem, options, start, max_iter=200),
    ):
        records = list(run)
        kept = [record.objective for record in records]
        assert all(np.diff(kept) <= 0)
        residual = forward(X[3000:], *run.weights(), problem.activations) - Y[3000:]
        error.append(np.mean(residual**2) / Y.var())
    assert error[0] < error[1] + 0.01


def test_a_part_of_the_samples_is_enough_to_prepare():
    X, Y = data(3000)
    problem = problem_of(X, Y)
    options = Feasible()
    blocks = blocks_of(problem, [0, 1000, 2000, 3000])
    some = problem.some(np.arange(0, 3000, 6))
    start = start_of(problem, options)
    whole = Totals.of(blocks, some)
    batches = BlockBatches(options, some, blocks, settings_of(), whole)
    assert batches.prepared.total == 3000
    columns = batches.prepared.frame.coordinates.columns
    np.testing.assert_allclose(columns.mean, X.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(columns.std, X.std(axis=0), rtol=1e-9)
    run = batches.run(*start, batches.rng)
    records = list(run)
    assert records[-1].objective < 0.5 * records[0].loss
    weight_of_all = Feasible().auto_rho(3000, 25)
    assert records[0].rho == pytest.approx(weight_of_all)


def test_an_outlier_that_the_sample_has_not_is_no_less_noise():
    """The unit of the target is that of all; the noise is a share of a spread, whatever it is."""
    X, Y = data(3000)
    Y[7] += 1e4
    problem = problem_of(X, Y)
    blocks, some = blocks_of(problem, [0, 1000, 3000]), problem.some(np.arange(0, 3000, 6))
    found = BlockBatches(Feasible(), some, blocks, settings_of(), Totals.of(blocks, some))
    known = MiniBatches(Feasible(), problem_of(*data(3000)), settings_of())
    alike = [each.prepared.regularization.upper_alpha for each in (found, known)]
    assert alike[0] == pytest.approx(alike[1], rel=0.5)


def test_what_is_lost_can_be_computed_again():
    """Nothing but arguments decides: another pass over the same blocks gives the same bits."""
    problem = problem_of(*data())
    options = Feasible()
    start = start_of(problem, options)

    class Twice(LocalBlocks):
        def mapped(self, function, *args):
            for part in self.parts:
                function(part, *args)
            return Twice([function(part, *args) for part in self.parts])

        def each(self, function, args, which=None, shared=()):
            super().each(function, args, which, shared)
            return super().each(function, args, which, shared)

    blocks = blocks_of(problem, [0, 200, 400, 600])
    runs = [run_on(kind, problem, options, start) for kind in (blocks, Twice(blocks.parts))]
    records = [[record.objective for record in run] for run in runs]
    assert records[0] == records[1]
    for W, again in zip(*(run.weights()[0] for run in runs), strict=True):
        np.testing.assert_array_equal(W, again)


def test_an_epoch_that_diverged_is_taken_back():
    problem = problem_of(*data())
    options = Feasible()
    blocks = blocks_of(problem, [0, 200, 400, 600])
    batches = BlockBatches(options, problem, blocks, settings_of(), Totals.of(blocks, problem))
    run = batches.run(*start_of(problem, options), batches.rng)
    next(run)
    kept = [W.copy() for W in run.judge.kept]
    before = run.step.rho
    run.step.network.layers[0].velocity[:] = 1e30
    record = next(run)
    assert record.restarts == 1 and run.step.rho == 2 * before
    for W, layer in zip(kept, run.step.network.layers, strict=True):
        np.testing.assert_array_equal(layer.V, W)
    assert np.isfinite(next(run).objective)


def test_several_networks_become_one():
    problem = problem_of(*data())
    options = Feasible()
    blocks = blocks_of(problem, [0, 300, 600])
    starts = [start_of(problem, options), start_of(problem, options, 8)]
    run = mini_batch_runs_on_blocks(
        options, problem, blocks, starts, settings_of(), Totals.of(blocks, problem)
    )
    list(islice(run, 3))
    assert [W.shape for W in run.weights()[0]] == [(5, 16), (16, 2)]


@pytest.mark.parametrize(("n_blocks", "paths"), [(1, 1), (3, 3), (5, 4), (40, 4), (800, 25)])
def test_paths(n_blocks, paths):
    assert paths_of(n_blocks, TUNED) == paths


def test_rounds_go_over_all_blocks_once():
    rounds = Rounds(np.array([0, 2, 3, 5, 9]), 2, 7)
    found = list(rounds.epoch(np.random.RandomState(0)))
    assert sorted(chain(*(blocks for (blocks, _), _ in found))) == [0, 2, 3, 5, 9]
    assert [progress for _, progress in found] == pytest.approx([0, 1 / 3, 2 / 3])
    assert rounds.n_batches == 21 and max(len(blocks) for (blocks, _), _ in found) == 2
