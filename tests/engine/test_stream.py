"""The stream: what is merged from chunk to chunk, and how running weights and average behave."""

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ReLU
from skmdlam.engine import stream
from skmdlam.engine.calibration import USUAL_STRENGTHS
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.metric import MovingMetric
from skmdlam.engine.problem import Problem
from skmdlam.engine.stream import Moments, Seen, StreamSpace
from skmdlam.losses import AbsoluteError, Poisson, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import L2

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
WEIGHT = RNG.randint(1, 4, size=400).astype(float)
Y = np.column_stack([X[:, 0], np.sin(X[:, 1])])
CUTS = [0, 1, 3, 50, 51, 400]
CHUNKS = [slice(a, b) for a, b in pairwise(CUTS)]


def merged(make):
    """Sum over the chunks of what ``make`` says of a slice."""
    parts = [make(rows) for rows in CHUNKS]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class TestMoments:
    @pytest.mark.parametrize("offset", [0.0, 1e6])
    def test_full_is_the_covariance_of_all_rows(self, offset):
        shifted = X + offset
        moments = merged(lambda rows: Moments.of(shifted[rows], WEIGHT[rows], full=True))
        expected = np.cov(shifted.T, aweights=WEIGHT, bias=True)
        np.testing.assert_allclose(moments.square / moments.weight, expected, rtol=1e-8)
        np.testing.assert_allclose(
            moments.mean, np.average(shifted, axis=0, weights=WEIGHT), rtol=1e-13
        )
        assert moments.weight == WEIGHT.sum()

    @pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_array])
    def test_columns_of_any_kind(self, convert):
        moments = merged(lambda rows: Moments.of_columns(convert(X[rows]), WEIGHT[rows]))
        expected = np.sqrt(np.cov(X.T, aweights=WEIGHT, bias=True).diagonal())
        np.testing.assert_allclose(moments.spread, expected, rtol=1e-10)

    def test_blocks_of_a_chunk_add_up(self, monkeypatch):
        whole = Moments.of(X, WEIGHT, full=True)
        monkeypatch.setattr(stream, "_BLOCK", 35)
        np.testing.assert_allclose(Moments.of(X, WEIGHT, full=True).square, whole.square)

    def test_seen_gives_the_unit_of_all_targets(self):
        seen = merged(lambda rows: Seen.of(X[rows], Y[rows], WEIGHT[rows], joint=True))
        unit = seen.target_unit(SquaredError())
        mean = np.average(Y, axis=0, weights=WEIGHT)
        variance = np.average((Y - mean) ** 2, axis=0, weights=WEIGHT).mean()
        np.testing.assert_allclose(unit.shift, mean)
        assert unit.scale == pytest.approx(np.sqrt(variance))
        assert seen.rows == 400
        counts = Seen.of(X, np.abs(Y), WEIGHT).target_unit(Poisson())
        assert counts.factor == pytest.approx(np.average(np.abs(Y).mean(axis=1), weights=WEIGHT))
        deviation = Seen.of(X, Y).target_unit(AbsoluteError()).scale
        assert deviation == pytest.approx(np.abs(Y - Y.mean(axis=0)).mean())


class TestSpace:
    @pytest.mark.parametrize("rotate", [True, False])
    @pytest.mark.parametrize("keep_function", [True, False])
    def test_moved_weights(self, rotate, keep_function):
        """Either the function of X stays, or what standardised columns weigh."""
        old = StreamSpace(Seen.of(X[:50], Y[:50], joint=True), np.float64, 1e-15, rotate=rotate)
        new = StreamSpace(Seen.of(X, Y, joint=True), np.float64, 1e-15, rotate=rotate)
        V = RNG.standard_normal((6, 3))
        moved = new.moved(V, old, keep_function=keep_function)
        (W, b), (W_new, b_new) = old.expand(V), new.expand(moved)
        if keep_function:
            np.testing.assert_allclose(X @ W_new + b_new, X @ W + b, atol=1e-10)
        else:
            np.testing.assert_allclose(W_new * new.std[:, None], W * old.std[:, None], atol=1e-10)
            np.testing.assert_allclose(moved[-1], V[-1])

    @pytest.mark.parametrize("rotate", [True, False])
    def test_no_direction_is_lost(self, rotate):
        """Also of columns that are copies of each other, which may part later."""
        copies = np.column_stack([X, X[:, :2]])
        seen = Seen.of(copies, Y, joint=True)
        space = StreamSpace(seen, np.float64, 1e-15, rotate=rotate)
        W, b = RNG.standard_normal((7, 3)), RNG.standard_normal(3)
        W_back, b_back = space.expand(space.contract(W, b))
        np.testing.assert_allclose(W_back, W, atol=1e-6)
        np.testing.assert_allclose(b_back, b, atol=1e-5)

    def test_constant_columns_have_no_weight(self):
        constant = X.copy()
        constant[:, 2] = 7.0
        space = StreamSpace(Seen.of(constant, Y, joint=True), np.float64, 1e-13, rotate=True)
        W, _ = space.expand(RNG.standard_normal((space.size + 1, 3)))
        assert (W[2] == 0).all()
        assert (W[[0, 1, 3, 4]] != 0).all()

    def test_covariance_of_a_part_with_spreads_of_all(self):
        """After a fit covariances are those of the stream, means and spreads those of all."""
        seen = Seen.of(X[:300], Y[:300]) + Seen.of(X[300:], Y[300:], joint=True)
        assert seen.joint.weight == 100
        np.testing.assert_allclose(seen.columns.spread, X.std(axis=0))
        space = StreamSpace(seen, np.float64, 1e-15, rotate=True)
        np.testing.assert_allclose(space.std, X.std(axis=0))


def test_metric_is_stored_and_copied():
    metric = MovingMetric(4, 0.2, 0.05, np.dtype(np.float64))
    A = np.vstack([RNG.standard_normal((4, 30)), np.ones(30)])
    metric.observe(A)
    metric.refresh()
    B = np.vstack([2 * A[:4], np.ones(30)])
    for other in (pickle.loads(pickle.dumps(metric)), metric.copy()):
        np.testing.assert_array_equal(other.inverse, metric.inverse)
        mine = metric.copy()
        for one in (mine, other):
            one.observe(B)
            assert one.refresh()
        np.testing.assert_array_equal(other.inverse, mine.inverse)
        assert not np.array_equal(other.moments, metric.moments)


def learn(
    rows,
    state=None,
    *,
    classes=False,
    rng=0,
    start=None,
    alpha=0.0,
    inputs=X,
    solver=None,
    **settings,
):
    """A run over some rows; returns it and its record."""
    target = np.eye(2)[(X[:, 0] > 3).astype(int)] if classes else Y
    loss = SoftmaxCrossEntropy() if classes else SquaredError()
    problem = Problem(inputs[rows], target[rows], [ReLU()], loss, L2(), alpha)
    if start is None:
        sizes = (5, 8, 2)
        start = Feasible().initial_weights(sizes, np.random.RandomState(1), float, [ReLU()])
    settings = {"rng": np.random.RandomState(rng), **settings}
    run = (solver or Feasible()).stream(problem, *start, state, **settings)
    return run, next(run)


class TestRun:
    def test_one_record(self):
        run, record = learn(slice(0, 100))
        assert list(run) == []
        assert record.rho > 0
        assert record.epsilon == record.gap == 0.0

    @pytest.mark.parametrize("classes", [True, False])
    def test_loss_is_that_before_the_chunk(self, classes):
        run, _ = learn(slice(0, 200), classes=classes)
        weights = run.weights()
        again, record = learn(slice(200, 400), run.state(), classes=classes, alpha=0.5)
        problem = again.problem
        expected = problem.training_objective(*weights)
        penalty = sum(0.25 * np.sum(W**2) for W in weights[0])
        expected = (expected - penalty) / 200 + penalty / 400
        assert record.loss == pytest.approx(expected, rel=1e-4)

    def test_runs_leave_the_state_alone(self):
        state = learn(slice(0, 100))[0].state()
        stored = pickle.dumps(state)
        first, _ = learn(slice(100, 300), state)
        assert pickle.dumps(state) == stored
        second, _ = learn(slice(100, 300), pickle.loads(stored))
        for W, V in zip(first.weights()[0], second.weights()[0], strict=True):
            np.testing.assert_array_equal(W, V)

    def test_state_holds_no_samples(self):
        small, large = (learn(slice(0, n))[0].state() for n in (100, 400))
        assert len(pickle.dumps(large)) < len(pickle.dumps(small)) + 100

    def test_rho_of_a_stream(self):
        options = Feasible()
        auto = learn(slice(0, 100))[1].rho
        assert auto == pytest.approx(stream._RHO_SHARE * options.auto_rho(np.inf, 25), rel=0.02)
        assert learn(slice(0, 100), rho=1e9)[1].rho == pytest.approx(8 * auto)
        single = learn(slice(0, 1))[1].rho
        assert single == pytest.approx(stream._RHO_SHARE * options.auto_rho(np.inf, 1), rel=0.02)

    def test_after_a_fit_steps_are_cautious(self):
        start = [RNG.standard_normal((5, 8)), RNG.standard_normal((8, 2))], [np.ones(8), np.ones(2)]
        seen = Seen.of(X[:300], Y[:300])
        run, record = learn(slice(300, 301), seen, start=start)
        assert record.rho > 20 * learn(slice(0, 1))[1].rho
        moved = sum(np.abs(W - V).max() for W, V in zip(run.weights()[0], start[0], strict=True))
        assert 0 < moved < 0.01

    def test_coordinates_are_renewed_as_the_stream_grows(self):
        state, renewed = None, 0
        for i in range(400):
            run, _ = learn(slice(i, i + 1), state)
            new = run.state()
            renewed += state is None or new.weight_at != state.weight_at
            state = new
        assert renewed < 20  # log(400) / log(1.5) is 15
        assert state.seen.rows == 400

    def test_running_weights_that_are_better_become_the_average(self):
        state = learn(slice(0, 200))[0].state()
        state.V, state.average = state.average, [V + 1.0 for V in state.V]
        state.V = [V.astype(np.float32) for V in state.V]
        run, _ = learn(slice(200, 400), state)
        assert run.learned == 200  # counted anew
        assert run.caution == 1.0

    def test_running_weights_that_are_much_worse_are_dropped(self):
        state = learn(slice(0, 200))[0].state()
        average = state.average[0].copy()
        state.V = [np.full_like(V, 1e3) for V in state.V]
        run, _ = learn(slice(200, 201), state)
        assert run.caution == 2.0
        assert np.abs(run.average[0] - average).max() < 0.5

    def test_weights_that_are_not_finite_are_dropped(self):
        state = learn(slice(0, 200))[0].state()
        state.V[0][:] = np.nan
        run, _ = learn(slice(200, 300), state)
        assert all(np.isfinite(W).all() for W in run.weights()[0])

    def test_late_columns_start_small(self):
        """A column that comes to life late has next to no random weight."""
        late = X.copy()
        late[:380, 4] = 1.1
        run, _ = learn(slice(0, 200), inputs=late)
        assert run.parked is not None
        before, _ = learn(slice(200, 380), run.state(), inputs=late)
        assert (before.weights()[0][0][4] == 0).all()
        after, _ = learn(slice(200, 400), run.state(), inputs=late)
        assert after.parked is None
        assert (after.weights()[0][0][4] != 0).any()

    def test_strengths(self):
        few, _ = learn(slice(0, 99))
        assert few.strengths.penalties == USUAL_STRENGTHS.penalties
        run, _ = learn(slice(0, 200))
        assert run.activity_alpha != USUAL_STRENGTHS.activity_alpha
        given, _ = learn(slice(200, 300), run.state(), activity_alpha=0.0)
        assert given.activity_alpha == given.column_alpha == 0.0
        assert given.state().calibrated == run.strengths

    def test_few_rows_do_not_tell_the_strength_for_columns(self):
        noise = 5.0 * np.random.default_rng(0).standard_normal((400, 5))
        few, _ = learn(slice(0, 399), inputs=noise)
        many, _ = learn(slice(0, 400), inputs=noise)
        assert few.strengths.ratio > 0.5
        assert few.strengths.column_alpha == USUAL_STRENGTHS.column_alpha
        assert many.strengths.column_alpha > 1.5

    def test_usual_strengths_are_not_for_good(self):
        few, _ = learn(slice(0, 99))
        more, _ = learn(slice(99, 300), few.state())
        assert more.strengths.penalties != USUAL_STRENGTHS.penalties

    def test_first_states_knew_one_strength(self):
        run, _ = learn(slice(0, 200))
        old = replace(run.state(), calibrated=12.0)
        then, _ = learn(slice(200, 210), old)
        assert then.strengths.penalties == {"activity_alpha": 12.0, "column_alpha": 0.75}

    def test_nobody_looks_at_the_noise_where_nothing_depends_on_it(self):
        solver = Feasible(column_alpha=2.0)
        run, _ = learn(slice(0, 200), solver=solver, activity_alpha=1.0)
        assert run.calibrated is None and np.isnan(run.strengths.ratio)

    @pytest.mark.parametrize("rows", [1, 100])
    def test_every_layer_learns(self, rows):
        """The metrics of the layers above the first are told of the first batches and of later."""
        state, counts, weights = None, [], []
        for i in range(0, 60 * rows, rows):
            part = np.arange(i, i + rows) % 400
            run, _ = learn(part, state)
            state = run.state()
            counts.append(state.metrics[1].count)
            weights.append(state.V[1].copy())
        assert counts[0] > 0
        assert counts[-1] > counts[29] > counts[0]
        assert all((W != V).any() for W, V in pairwise(weights))

    def test_rounds_become_fewer(self, monkeypatch):
        """Eight over a short stream, one over a long one; steps shrink as the rounds do."""
        calls = []
        update = stream.StreamRun._update

        def count(self, rows, factor):
            calls.append(rows.size)
            update(self, rows, factor)

        monkeypatch.setattr(stream.StreamRun, "_update", count)
        first, record = learn(slice(0, 100))
        assert sum(calls) == 800
        assert first.learned == pytest.approx(100)
        state = first.state()
        state.learned = 5000.0 * 255
        calls.clear()
        _, later = learn(slice(100, 150), state)
        assert sum(calls) == 50
        assert later.rho == pytest.approx(16 * record.rho, rel=0.02)
        long = np.arange(400_000) % 400
        calls.clear()
        learn(long, batch_size=5000)
        assert sum(calls) == 400_000

    def test_noise_within_a_long_chunk(self, monkeypatch):
        """Running weights that leave the track are put back before the chunk ends."""
        update, poisoned = stream.StreamRun._update, []

        def poison(self, rows, factor):
            update(self, rows, factor)
            if self._steps == 150:
                for V in self.V:
                    V *= 30.0
                poisoned.append(self._steps)

        monkeypatch.setattr(stream.StreamRun, "_update", poison)
        run, _ = learn(np.arange(2000) % 400)
        assert poisoned
        assert run.caution == 2.0
        assert run._losses().mean() < 0.2

    @pytest.mark.parametrize("classes", [True, False])
    def test_strong_penalty_in_mid_stream_is_no_noise(self, classes):
        """What running weights lose in data they save in penalties: they are not dropped."""
        state, size, solver = None, {}, Feasible(column_alpha=0.75)
        for i in range(0, 4000, 100):
            alpha = 3000.0 if i >= 2000 else 0.0
            part = np.arange(i, i + 100) % 400
            run, _ = learn(part, state, classes=classes, alpha=alpha, solver=solver)
            state = run.state()
            size[i] = sum(np.sum(W**2) for W in run.weights()[0])
            assert state.caution == 1.0
        assert max(size[i] for i in range(2500, 4000, 100)) < 0.05 * size[1900]

    def test_noise_is_seen_beside_a_penalty_that_both_pay(self):
        run, _ = learn(slice(0, 200), alpha=1000.0)
        state = run.state()
        state.V[1][-1] += 1.0  # intercepts are free
        assert run._penalty(state.V) == run._penalty(run.V)
        again, _ = learn(slice(200, 400), state, alpha=1000.0)
        assert again.caution == 2.0

    def test_strong_penalties_do_not_swing(self):
        """Their block comes so often that it takes a part of the weights at once."""
        for setting in ({"alpha": 300.0}, {"activity_alpha": 300.0}):
            state, sizes = None, []
            for i in range(0, 3000, 100):
                run, _ = learn(np.arange(i, i + 100) % 400, state, **setting)
                state = run.state()
                sizes.append(float(np.linalg.norm(state.V[1][:-1])))
            assert max(sizes[-10:]) < 2.0 * min(sizes[-10:])

    @pytest.mark.parametrize("alpha", [0.0, 2.0])
    def test_what_is_compared_is_the_objective(self, alpha):
        """Without the penalty on columns, which does not pay."""
        run, _ = learn(slice(0, 400), alpha=alpha, activity_alpha=3.0)
        run.column_alpha = 0.0
        run.metrics[1].reset()  # of a moving average of many batches
        batch = run._pass_over(slice(0, 400))
        run.metrics[1].observe(batch.inputs[1])
        V = run.V
        expected, data = run._objective()
        assert run._penalty(V) + run._activity(V) == pytest.approx(expected - data, rel=0.02)

    def test_penalty_counts_against_all_that_was_seen(self):
        """The same alpha shrinks weights less, the more samples it stands beside."""
        sizes = {}
        for seen, alpha in [(400, 0.0), (400, 1000.0), (4_000_000, 1000.0)]:
            state = learn(slice(0, 400), activity_alpha=0.0)[0].state()
            columns = state.seen.columns
            more = Moments(float(seen), columns.mean, columns.square * (seen / 400))
            state.seen = Seen(seen, more, state.seen.targets, state.seen.deviation)
            state.weight_at = np.inf  # the same coordinates all along
            run, _ = learn(slice(0, 400), state, alpha=alpha, activity_alpha=0.0)
            sizes[seen, alpha] = np.linalg.norm(run.V[1])
        assert sizes[400, 1000.0] < 0.5 * sizes[400, 0.0]
        assert sizes[4_000_000, 1000.0] == pytest.approx(sizes[400, 0.0], rel=0.05)
