"""A chunk on its way into a stream: what is kept, renewed and estimated, and what is left alone."""

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam import Feasible
from skmdlam.activations import ReLU
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.loop.stream_state import StreamState
from skmdlam.engine.moments import EachTarget
from skmdlam.engine.problem import Problem
from skmdlam.engine.regularization import usual_regularization
from skmdlam.engine.summary import DataSummary
from skmdlam.engine.target_units import TargetUnits
from skmdlam.losses import AbsoluteError, Huber, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import L1, L2

USUAL = usual_regularization(99.0)
RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
WEIGHT = RNG.randint(1, 4, size=400).astype(float)
Y = np.column_stack([X[:, 0], np.sin(X[:, 1])])
SQUARED, RIDGE = SquaredError(), L2()


def learn(
    rows,
    state=None,
    *,
    inputs=X,
    target=Y,
    loss=SQUARED,
    penalty=RIDGE,
    alpha=0.0,
    weight=None,
    start=None,
    solver=None,
    run=True,
    **settings,
):
    """The run of a chunk, done or (run=False) about to begin."""
    weight = None if weight is None else weight[rows]
    problem = Problem(inputs[rows], target[rows], [ReLU()], loss, penalty, alpha, weight)
    if start is None:
        sizes = (inputs.shape[1], 8, target.shape[1])
        start = Feasible().initial_weights(sizes, np.random.RandomState(1), float, [ReLU()])
    settings = {"rng": np.random.RandomState(0), **settings}
    found = (solver or Feasible()).stream(problem, *start, state, **settings)
    if run:
        next(found)
    return found


def handed_in(limits=None, **numbers):
    constants = replace(CONSTANTS, tuned=replace(TUNED, **numbers))
    return Feasible(constants=constants if limits is None else replace(constants, limits=limits))


def same_weights(one, other):
    for W, V in zip(
        one.weights()[0] + one.weights()[1], other.weights()[0] + other.weights()[1], strict=True
    ):
        np.testing.assert_array_equal(W, V)


class TestRecord:
    def test_one_record(self):
        run = learn(slice(0, 100), run=False)
        record = next(run)
        assert record.epsilon == record.gap == record.restarts == 0
        assert record.iteration == 1 and record.objective == record.loss
        assert list(run) == []

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("loss", [SquaredError(), SoftmaxCrossEntropy()], ids=repr)
    def test_loss_is_that_before_the_chunk(self, loss, weighted):
        """Of the chunk alone, in the common unit of the targets, and a share of the penalty."""
        target = 7.0 * Y if loss == SquaredError() else np.eye(2)[(X[:, 0] > 3).astype(int)]
        weight = WEIGHT if weighted else None
        first = learn(slice(0, 200), target=target, loss=loss, weight=weight)
        weights = first.weights()
        again = learn(
            slice(200, 400),
            first.state(),
            target=target,
            loss=loss,
            alpha=0.5,
            weight=weight,
            run=False,
        )
        problem = again.step.prepared.problem
        weights = TargetUnits.of(problem, EachTarget(*again.state()["target"]["moments"])).inner(
            *weights
        )
        penalty = sum(0.25 * np.sum(W**2) for W in weights[0])
        data = problem.training_objective(*weights) - penalty
        parts = (WEIGHT[200:].sum(), WEIGHT.sum()) if weighted else (200, 400)
        expected = data / parts[0] + penalty / parts[1]
        assert next(again).loss == pytest.approx(expected, rel=1e-4)


class TestState:
    def test_runs_leave_the_state_alone(self):
        """And what they are given else; another run from it learns the same."""
        state = learn(slice(0, 100)).state()
        stored = pickle.dumps(state)
        first = learn(slice(100, 300), state)
        assert pickle.dumps(state) == stored
        same_weights(first, learn(slice(100, 300), pickle.loads(stored)))
        # Nor is it changed by what comes after in the run that gave it.
        assert pickle.dumps(first.state()) == pickle.dumps(first.state())

    @pytest.mark.parametrize("first", [100, 300])
    def test_renewed_units_leave_it_alone_too(self, first):
        """Weights move to other coordinates in copies."""
        state = learn(slice(0, first), target=Y).state()
        stored = pickle.dumps(state)
        run = learn(slice(0, 400), state, target=5.0 * Y)
        assert run.state()["weight_at"] == first + 400
        assert pickle.dumps(state) == stored

    def test_starting_weights_are_left_alone(self):
        start = Feasible().initial_weights((5, 8, 2), np.random.RandomState(1), float, [ReLU()])
        before = pickle.dumps(start)
        learn(slice(0, 100), start=start)
        summary = DataSummary.of(X, Y).as_arrays()
        learn(slice(0, 100), summary, start=start)
        assert pickle.dumps(start) == before

    def test_it_holds_no_samples(self):
        small, large = (learn(slice(0, n)).state() for n in (100, 400))
        assert len(pickle.dumps(large)) < len(pickle.dumps(small)) + 100

    def test_the_generator_is_the_streams_own(self):
        """What else is drawn from the user's does not matter after the chunk."""
        rng = np.random.RandomState(5)
        run = learn(slice(0, 100), rng=rng)
        state = run.state()
        stored = pickle.dumps(state)
        rng.random_sample(1000)
        assert pickle.dumps(state) == stored
        before = pickle.dumps(rng)
        next_one = learn(slice(100, 200), state, rng=rng)
        assert pickle.dumps(rng) == before
        same_weights(next_one, learn(slice(100, 200), state, rng=np.random.RandomState(77)))
        # And it goes on from chunk to chunk: another order in each.
        assert next_one.state()["rng"] != state["rng"]

    def test_a_single_sample_draws_nothing(self):
        state = learn(slice(0, 100)).state()
        after = learn(slice(100, 101), state).state()
        assert after["rng"] is state["rng"]

    def test_a_chunk_is_shuffled(self):
        """Also in a single batch, and not twice in the same order."""
        run = learn(slice(0, 100), batch_size=100, run=False)
        orders = [order for order, _ in run.source.epoch(np.random.RandomState(0))]
        run.source.rounds = 2
        orders += [order for order, _ in run.source.epoch(np.random.RandomState(1))]
        assert all(sorted(order) == list(range(100)) for order in orders)
        assert not any(np.array_equal(a, b) for a, b in pairwise(orders))

    def test_what_is_counted(self):
        """Rows, weights and the effective size of the average, which ignores the rounds."""
        state, total = None, 0.0
        for a, b in ((0, 50), (50, 51), (51, 200)):
            state = learn(slice(a, b), state, weight=WEIGHT, solver=handed_in(stream_drift=1e9))
            state = state.state()
            total = WEIGHT[:b].sum()
            assert state["summary"]["rows"] == b
            assert state["summary"]["columns"]["weight"] == pytest.approx(total)
            assert state["averaged"] == pytest.approx(b)
        assert state["summary"]["joint"]["weight"] == pytest.approx(total)


class TestWeights:
    """Weights count in units of their mean over the stream."""

    def test_of_one_are_none(self):
        one = learn(slice(100, 300), learn(slice(0, 100), weight=np.ones(400)).state())
        same_weights(one, learn(slice(100, 300), learn(slice(0, 100)).state()))

    def test_unit_of_all_weights_is_nothing(self):
        settings = {"activity_alpha": 0.0}
        state = {}
        for unit in (1.0, 8.0):
            for rows in (slice(0, 100), slice(100, 300)):
                run = learn(rows, state.get(unit), weight=unit * WEIGHT, **settings)
                state[unit] = run.state()
            state[unit] = run
        for W, V in zip(state[1.0].weights()[0], state[8.0].weights()[0], strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-3, atol=1e-4)

    def test_prepared_weights(self):
        """A chunk that weighs three times as much as what came before has steps of that size."""
        state = learn(slice(0, 100)).state()
        run = learn(slice(100, 200), state, weight=np.full(400, 3.0), run=False)
        np.testing.assert_allclose(run.step.prepared.weight, 3.0 / 2.0)
        # None given after a stream of others: they are ones, in the unit of all.
        state = learn(slice(0, 100), weight=np.full(400, 3.0)).state()
        run = learn(slice(100, 200), state, run=False)
        np.testing.assert_allclose(run.step.prepared.weight, 1.0 / 2.0)


class TestUnits:
    """Coordinates, and unit of the target."""

    def test_are_renewed_as_the_stream_grows(self):
        state, renewed = None, []
        for i in range(100):
            new = learn(slice(i, i + 1), state).state()
            if state is None or new["weight_at"] != state["weight_at"]:
                renewed.append(new["weight_at"])
            state = new
        expected = [1.0]
        while np.ceil(1.5 * expected[-1]) <= 100:
            expected.append(np.ceil(1.5 * expected[-1]))
        assert renewed == expected
        seldom = learn(slice(100, 400), state, solver=handed_in(stream_growth=10.0)).state()
        assert seldom["weight_at"] == state["weight_at"]

    @pytest.mark.parametrize("penalty", [L2(), L1()], ids=repr)
    @pytest.mark.parametrize("before", [300, 100])
    def test_renewed_units_keep_the_function(self, penalty, before):
        """Where enough has been seen; else what standardized columns weigh."""
        old = learn(slice(0, before), target=Y, penalty=penalty)
        coefs, intercepts = old.weights()
        inputs, target = X.copy(), Y.copy()
        inputs[before:] *= 3.0
        new = learn(
            np.arange(before - 100, before + 100) if before == 300 else slice(before, 400),
            old.state(),
            inputs=inputs,
            target=9.0 * target,
            penalty=penalty,
            run=False,
        )
        assert new.state()["weight_at"] > before
        found, _ = new.weights()
        if before >= TUNED.stream_unsettled:
            for W, V in zip(found + new.weights()[1], coefs + intercepts, strict=True):
                np.testing.assert_allclose(W, V, rtol=1e-5, atol=1e-5)
        else:
            std = new.step.prepared.frame.coordinates.columns.std[:, None]
            W = coefs[0] * X[:before].std(axis=0)[:, None]
            np.testing.assert_allclose(found[0] * std, W, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        "change",
        [{"loss": Huber()}, {"loss": AbsoluteError()}, {"penalty": L1(), "alpha": 0.1}],
        ids=str,
    )
    def test_another_loss_or_penalty_goes_on_in_its_own_units(self, change):
        """The function stays, and losses of another kind are not compared."""
        first = learn(slice(0, 350), run=True)
        second = learn(slice(350, 380), first.state())
        state = second.state()
        assert state["followed"] > 0
        third = learn(slice(380, 400), state, run=False, **change)
        problem = third.step.prepared.problem
        assert third.judge.followed["followed"] == ("penalty" in change) * state["followed"]
        for W, V in zip(third.weights()[0], second.weights()[0], strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-4, atol=1e-4)
        next(third)
        after = third.state()
        assert after["weight_at"] == 400.0  # 350 had been the last
        assert StreamState.from_arrays(after).basis.rotated == problem.quadratic
        scaling = third.step.prepared.frame.scaling
        moments = EachTarget(*after["target"]["moments"])
        common = TargetUnits.of(problem, moments).moments(moments)
        assert scaling.loss == problem.loss.scaled(*common).loss
        assert learn(slice(0, 20), after, run=False, **change).state()["weight_at"] == 400.0

    def test_wide_data_do_not_turn(self):
        """Above the limit the penalty makes no difference to the coordinates."""
        solver = handed_in(replace(LIMITS, stream_covariance=4))
        state = learn(slice(0, 350), solver=solver).state()
        assert state["summary"]["joint"] is None and state["basis"]["kind"] == "LeadingBasis"
        for penalty in (L1(), L2()):
            after = learn(slice(350, 400), state, solver=solver, penalty=penalty, alpha=0.1)
            assert after.state()["weight_at"] == 350.0

    def test_sparse_is_dense(self):
        for solver in (Feasible(), handed_in(replace(LIMITS, stream_covariance=4, small=1))):
            weights = []
            for inputs in (X, sp.csr_array(X)):
                state = learn(slice(0, 100), inputs=inputs, solver=solver).state()
                weights.append(
                    learn(slice(100, 300), state, inputs=inputs, solver=solver).weights()
                )
            for W, V in zip(weights[0][0], weights[1][0], strict=True):
                np.testing.assert_allclose(W, V, rtol=1e-3, atol=1e-3)


class TestDormant:
    """Columns that do not vary yet."""

    def test_late_columns_start_small(self):
        late = X.copy()
        late[:380, 4] = 1.1
        first = learn(slice(0, 200), inputs=late)
        state = first.state()
        assert state["dormant"] is not None
        before = learn(slice(200, 380), state, inputs=late)
        assert (before.weights()[0][0][4] == 0).all()
        after = learn(slice(200, 400), state, inputs=late)
        assert after.state()["dormant"] is None
        assert (after.weights()[0][0][4] != 0).any()
        # Before it learns, it has a part of the starting weight: half of the stream is new.
        start = Feasible().initial_weights((5, 8, 2), np.random.RandomState(1), float, [ReLU()])
        woken = learn(slice(200, 400), state, inputs=late, run=False)
        std = woken.step.prepared.frame.coordinates.columns.std[4]
        np.testing.assert_allclose(woken.weights()[0][0][4] * std, 0.5 * start[0][0][4], rtol=1e-4)

    def test_after_a_fit_there_are_none(self):
        constant = X * [1, 1, 1, 1, 0]
        summary = DataSummary.of(constant, Y).as_arrays()
        assert learn(slice(0, 100), summary, inputs=constant).state()["dormant"] is None


class TestAfterAFit:
    start = [RNG.standard_normal((5, 8)), RNG.standard_normal((8, 2))], [np.ones(8), np.ones(2)]

    def test_steps_are_cautious(self):
        summary = DataSummary.of(X[:300], Y[:300]).as_arrays()
        run = learn(slice(300, 301), summary, start=self.start, run=False)
        for W, V in zip(run.weights()[0], self.start[0], strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-4, atol=1e-5)
        record = next(run)
        assert record.rho > 20 * learn(slice(0, 1)).step.rho
        moved = [np.abs(W - V).max() for W, V in zip(run.weights()[0], self.start[0], strict=True)]
        assert 0 < sum(moved) < 0.01
        state = run.state()
        assert (state["fitted"], state["averaged"]) == (300.0, pytest.approx(301.0))
        assert state["summary"]["rows"] == 301

    def test_what_the_fit_estimated_holds(self):
        """Unless it could not tell, or a chunk can."""
        usual = usual_regularization(float(len(X)) + 20.0)
        estimated = USUAL._replace(activity_alpha=12.0, column_alpha=3.0, ratio=0.1)
        for ratio, expected in (
            (0.1, estimated.penalties),
            (np.nan, usual.penalties),
        ):
            summary = DataSummary.of(X, Y, estimated=estimated._replace(ratio=ratio))
            run = learn(slice(0, 20), summary.as_arrays(), start=self.start)
            assert run.regularization.penalties == expected


class TestStrengths:
    """Estimated from chunks that can tell, among the first 5000 samples."""

    def test_of_a_stream(self):
        few = learn(slice(0, 99))
        assert few.regularization.penalties == USUAL.penalties
        assert few.estimated is None and few.state()["estimated"] is None
        run = learn(slice(0, 100))
        assert run.regularization.upper_alpha != USUAL.upper_alpha
        given = learn(slice(200, 300), run.state(), activity_alpha=0.0)
        assert given.regularization.penalties == dict.fromkeys(USUAL.penalties, 0.0)
        assert given.state()["estimated"] == tuple(run.regularization)
        more = learn(slice(99, 300), few.state())
        assert more.regularization.penalties != USUAL.penalties

    def test_they_hold_after_the_first_samples(self):
        """With renewed units they are told anew, but of a long stream never again."""
        noisy = {"target": Y + np.random.default_rng(0).standard_normal(Y.shape)}
        state = learn(slice(0, 200), **noisy).state()
        told = state["estimated"]
        assert learn(slice(200, 390), state, **noisy).estimated != told
        assert learn(slice(200, 290), state, **noisy).estimated == told  # units stay
        grown = handed_in(stream_growth=1.1)
        assert learn(slice(200, 299), state, solver=grown, **noisy).estimated == told  # too few
        assert learn(slice(200, 300), state, solver=grown, **noisy).estimated != told
        solver = handed_in(stream_calibrated=200)
        assert learn(slice(200, 390), state, solver=solver, **noisy).estimated == told

    def test_all_that_was_seen_counts(self):
        """Strengths depend on the number of samples, not on that of a chunk."""
        noisy = Y + np.random.default_rng(0).standard_normal(Y.shape)
        summary = DataSummary.of(np.tile(X, (7, 1)), np.tile(noisy, (7, 1))).as_arrays()
        run = learn(slice(0, 400), summary, target=noisy)
        prepared = run.step.prepared
        expected = Feasible().estimate_regularization(
            prepared.problem,
            prepared.frame.scaling,
            prepared.input.rotated_samples,
            prepared.frame.scaling.transform(prepared.problem.Y),
            total=3200.0,
        )
        assert run.estimated == pytest.approx(expected, rel=1e-6)
        assert learn(slice(0, 400), target=noisy).estimated.upper_alpha != pytest.approx(
            expected.upper_alpha, rel=0.1
        )

    def test_few_rows_do_not_tell_the_strength_for_columns(self):
        noise = 5.0 * np.random.default_rng(0).standard_normal((400, 5))
        few, many = learn(slice(0, 399), inputs=noise), learn(slice(0, 400), inputs=noise)
        assert few.regularization.ratio > 0.5
        assert few.regularization.column_alpha == USUAL.column_alpha
        assert many.regularization.column_alpha > 1.5

    def test_nobody_looks_at_the_noise_where_nothing_depends_on_it(self):
        run = learn(
            slice(0, 200), solver=Feasible(column_alpha=2.0, upper_alpha=3.0), activity_alpha=1.0
        )
        assert run.estimated is None and np.isnan(run.regularization.ratio)

    def test_columns_count_against_all_that_was_seen(self):
        """Five of them that vary; weights below one on average scale it down."""
        for weight, share in ((None, 1.0), (np.full(400, 0.1), 0.1)):
            run = learn(slice(0, 200), weight=weight)
            expected = share * run.regularization.column_alpha * np.sqrt(5)
            assert run.step.prepared.column_alpha == pytest.approx(expected)
            later = learn(slice(200, 250), run.state(), weight=weight)
            assert later.step.prepared.column_alpha == pytest.approx(expected)
            terms = run.judge._objective.terms
            assert terms.total == (200 if weight is None else pytest.approx(20.0))


def test_options_are_passed_on():
    """What the solver is given, and the precision of the steps."""
    solver = Feasible(hidden_gain=7.0, damping=0.6, momentum=0.4, single_precision=False)
    run = learn(slice(0, 100), solver=solver)
    layers = run.step.network.layers
    assert [layer.gain for layer in layers] == [7.0, 1.0]
    assert [layer.momentum for layer in layers] == [0.4, 0.4]
    assert layers[1].preconditioner.damping == 0.6
    assert {V.dtype for V in run.step.network.weights} == {np.dtype(float)}
    assert learn(slice(0, 100)).step.network.weights[0].dtype == np.float32
    assert learn(slice(0, 100)).weights()[0][0].dtype == float
    single = learn(slice(0, 100), inputs=X.astype(np.float32), target=Y.astype(np.float32))
    assert single.weights()[0][0].dtype == np.float32


def test_size_of_a_batch():
    assert learn(slice(0, 100), run=False).source.sizes == [25]
    assert learn(slice(0, 100), batch_size=40, run=False).source.sizes == [33, 34]
    assert learn(slice(0, 10), run=False).source.sizes == [10]
    assert learn(slice(0, 100), solver=handed_in(stream_batch=50), run=False).source.sizes == [50]


def test_a_net_of_no_hidden_layer():
    """What it learns is the least-squares fit, nearly."""
    problem = Problem(X, Y, [], SquaredError(), L2(), 0.0)
    state = None
    start = [np.zeros((5, 2))], [np.zeros(2)]
    for i in range(40):
        run = Feasible(column_alpha=0.0).stream(
            problem, *start, state, rng=np.random.RandomState(i), activity_alpha=1e-6
        )
        next(run)
        state = run.state()
    (W,), (b,) = run.weights()
    A = np.column_stack([X, np.ones(400)])
    best = np.linalg.lstsq(A, Y, rcond=None)[0]
    worst = np.mean((X @ W + b - Y) ** 2) - np.mean((A @ best - Y) ** 2)
    assert 0 <= worst < 0.002 * Y.var()


def test_last_step_keeps_its_size_where_the_mean_of_the_target_moves():
    """A step has no intercept to be shifted: only the units of the target change."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((600, 4))
    Y = X[:, :1] + 0.1 * rng.standard_normal((600, 1))
    Y[300:] += 5.0
    start = Feasible().initial_weights((4, 6, 1), rng, float, [ReLU()])

    def chunk(rows, state):
        problem = Problem(X[rows], Y[rows], [ReLU()], SquaredError(), L2(), 0.0)
        return Feasible().stream(problem, *start, state, rng=np.random.RandomState(0))

    run = chunk(slice(0, 300), None)
    next(run)
    state = run.state()
    run = chunk(slice(300, 600), state)
    ratio = state["target"]["scale"] / run.step.prepared.frame.scaling.scale
    assert ratio < 0.5  # the units are new ones
    velocity = run.step.network.layers[-1].velocity
    np.testing.assert_allclose(velocity, ratio * state["layers"][-1]["velocity"], rtol=1e-5)


def test_far_rows_of_a_chunk_count_less_even_when_all_of_them_are_far():
    """Against the spread of the stream, not that of the chunk."""
    rng = np.random.RandomState(0)
    X, Y = rng.standard_normal((200, 4)), rng.standard_normal((200, 1))
    start = Feasible().initial_weights((4, 6, 1), rng, float, [ReLU()])

    def chunk(X, Y, state):
        problem = Problem(X, Y, [ReLU()], SquaredError(), L2(), 0.0)
        return Feasible().stream(problem, *start, state, rng=np.random.RandomState(0))

    run = chunk(X, Y, None)
    next(run)
    prepared = chunk(4.0 * X[:1], Y[:1], run.state()).step.prepared
    share = 2 * prepared.frame.coordinates.total_variance / prepared.input.norms[0]
    assert share < 0.5
    assert prepared.row_weights[0, 0] == pytest.approx(share, rel=1e-5)
