"""The loop: what a run promises, the order of a sweep's parts, chains, and what ends a run."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam import Feasible, MDLAMRegressor, Relaxed
from skmdlam.activations import Tanh
from skmdlam.engine.loop.run import (
    Chain,
    ComposedRun,
    ConvertedRun,
    ForeignRun,
    Run,
    as_run,
    minimize,
)
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Record, Value
from skmdlam.engine.regularization import NO_REGULARIZATION, Regularization
from skmdlam.losses import AbsoluteError, SquaredError
from skmdlam.penalties import L1, L2

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
Y = 50.0 + 10.0 * np.tanh(X[:, :1])
WEIGHTS = [np.ones((4, 1))], [np.zeros(1)]


def record(iteration, loss, **attributes):
    said = Record(iteration, loss, loss, 1.0, 0.0, 0.0, 0, True, 0.5 * iteration)
    return replace(said, **attributes)


class Listed(Run):
    """Says what it is told to say; a weight counts its sweeps."""

    def __init__(self, losses, *, settled=None, ends=False, **attributes):
        self.losses, self.settled, self._ends, self.sweeps = list(losses), settled, ends, 0
        vars(self).update(attributes)

    def __next__(self):
        if self.sweeps == len(self.losses):
            raise StopIteration
        loss = self.losses[self.sweeps]
        if isinstance(loss, BaseException):
            raise loss
        self.sweeps += 1
        self.ended = self._ends and self.sweeps == len(self.losses)
        settled = self.settled is None or self.sweeps > self.settled
        return record(self.sweeps, loss, settled=settled)

    def weights(self):
        return [np.full((4, 1), float(self.sweeps))], [np.zeros(1)]


def end(run, max_iter=100, tol=0.1, n_iter_no_change=3, **hooks):
    result = minimize(run, max_iter=max_iter, tol=tol, n_iter_no_change=n_iter_no_change, **hooks)
    assert result.coefs[0][0, 0] == run.sweeps
    return result.stop_reason, len(result.records)


class TestMinimize:
    """When a run is over, and why."""

    @pytest.mark.parametrize("patience", [1, 2, 5])
    def test_patience(self, patience):
        """So many sweeps in a row without an improvement of more than tol, not one more."""
        assert end(Listed([5, 4] + [4] * 20), n_iter_no_change=patience) == (
            "converged",
            2 + patience,
        )
        # An improvement in between starts the count anew.
        assert end(Listed([5, 5, 4, 4, 4] + [4] * 9), n_iter_no_change=2) == ("converged", 5)
        assert end(Listed([5.0 - 0.05 * k for k in range(20)]), n_iter_no_change=patience) == (
            "converged",
            1 + patience,
        )

    @pytest.mark.parametrize("unit", [1.0, 100.0])
    def test_tol_is_counted_in_the_unit_of_the_objective(self, unit):
        falls = [unit * (9.0 - 0.2 * k) for k in range(20)]
        run = Listed(falls, ends=True, objective_unit=unit)
        assert end(run, tol=0.1) == ("converged", 20)
        assert end(Listed(falls, objective_unit=unit), tol=0.3) == ("converged", 4)

    def test_the_best_counts_and_not_the_last(self):
        assert end(Listed([1, 5, 4, 3, 2, 1.5, 1.2])) == ("converged", 4)

    def test_sweeps_before_a_schedule_has_ended_do_not_count(self):
        """What they reached was another objective."""
        assert end(Listed([1] * 6 + [2] * 9, settled=6)) == ("converged", 6 + 1 + 3)

    @pytest.mark.parametrize(("cut", "reason"), [(True, "max_iter"), (False, "converged")])
    def test_end_of_a_schedule(self, cut, reason):
        assert end(Listed([3, 2, 1], ends=True, cut_short=cut)) == (reason, 3)
        assert end(Listed([3, 2, 1], cut_short=cut)) == (reason, 3)

    def test_max_iter(self):
        assert end(Listed(range(50, 0, -1)), max_iter=7) == ("max_iter", 7)
        assert end(Listed(range(50, 0, -1)), max_iter=0) == ("max_iter", 0)

    def test_hooks(self):
        seen = []

        def before(run):
            seen.append(("before", run.sweeps))

        def after(record, run):
            seen.append((record.iteration, run.sweeps))
            return record.iteration == 3

        run = Listed(range(50, 0, -1))
        assert end(run, before_sweep=before, on_sweep=after) == ("requested", 3)
        assert seen == [("before", 0), (1, 1), ("before", 1), (2, 2), ("before", 2), (3, 3)]

    def test_interruption_leaves_what_there_was(self):
        assert end(Listed([3, 2, KeyboardInterrupt()])) == ("interrupted", 2)
        with pytest.raises(MemoryError):
            end(Listed([3, 2, MemoryError()]))


class TestUsersRun:
    """A user's solver promises no more than records and weights."""

    class Least(Run):
        def __init__(self):
            self.sweeps = 0

        def __next__(self):
            self.sweeps += 1
            return record(self.sweeps, 1.0 / self.sweeps)

        def weights(self):
            return [np.full((4, 1), float(self.sweeps))], [np.zeros(1)]

    class Bare:
        """No subclass at all, and an attribute of a name that means something else here."""

        ended = "of another meaning"

        def __init__(self):
            self.sweeps = count(1)
            self.last = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.last = next(self.sweeps)
            return record(self.last, 1.0 / self.last)

        def weights(self):
            return [np.full((4, 1), float(self.last))], [np.zeros(1)]

        def state(self):
            return {"chunks": self.last}

    @pytest.mark.parametrize("kind", [Least, Bare])
    def test_in_an_estimator(self, kind):
        def start(problem, coefs, intercepts, **settings):
            assert settings["max_iter"] == 6
            return kind()

        solver = SimpleNamespace(
            start=start,
            initial_weights=lambda *_: WEIGHTS,
            rows_at_a_time=lambda n, batch_size: n,
        )
        model = MDLAMRegressor(hidden_layer_sizes=(), solver=solver, max_iter=6, tol=0.0)
        with pytest.warns(UserWarning, match="6 iterations"):
            model.fit(X, Y[:, 0])
        np.testing.assert_array_equal(model.coefs_[0], 6.0)
        assert model.loss_curve_ == [1 / k for k in range(1, 7)]
        assert (model.activity_alpha_, model.column_alpha_) == (0.0, 0.0)

    def test_defaults(self):
        for run in (self.Least(), as_run(self.Bare())):
            contract(run)
            assert not run.ended and not run.cut_short and not run.cools_down
            assert run.regularization == NO_REGULARIZATION and run.max_sweeps == np.inf
            assert iter(run) is run

    def test_a_run_is_taken_as_it_is_and_others_are_wrapped(self):
        run, bare = self.Least(), self.Bare()
        assert as_run(run) is run
        wrapped = as_run(bare)
        assert isinstance(wrapped, ForeignRun)
        assert next(wrapped).iteration == 1
        assert wrapped.weights()[0][0][0, 0] == 1.0
        assert wrapped.state() == {"chunks": 1}


def contract(run):
    """What every run has, and of which kind."""
    assert isinstance(run, Run)
    assert run.ended in (True, False) and run.cut_short in (True, False)
    assert run.cools_down in (True, False)
    assert run.max_sweeps > 0 and 0 < run.objective_unit < np.inf
    assert isinstance(run.regularization, Regularization)
    assert run.estimated is None or isinstance(run.estimated, Regularization)
    assert run.moments is None or len(run.moments) == 2


def begin(kind, **options):
    """A run of each kind that the solvers start."""
    penalty = L1() if kind in ("chain", "proximal") else L2()
    loss = AbsoluteError() if kind == "chain" else SquaredError()
    problem = Problem(X, Y, [Tanh()], loss, penalty, 0.1)
    solver = Relaxed() if kind == "relaxed" else Feasible(**options)
    rng = np.random.RandomState(0)
    start = solver.initial_weights([4, 3, 1], rng, float, problem.activations)
    settings = {"rng": rng, "batch_size": 60 if kind in ("full batch", "proximal") else 15}
    if kind == "stream":
        return solver.stream(problem, *start, None, **settings)
    if kind == "relaxed":
        settings = {}
    if kind == "chain":
        settings["batch_size"] = 60
    return solver.start(problem, *start, max_iter=40, **settings)


KINDS = ["mini-batches", "full batch", "proximal", "chain", "stream", "relaxed"]


class TestContract:
    """Of every run that the two solvers start."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_attributes_before_and_after(self, kind):
        run = begin(kind)
        assert isinstance(run, Chain) == (kind == "chain")
        contract(run)
        assert not run.ended
        first = next(run)
        contract(run)
        assert run.ended == (kind == "stream")
        assert first.iteration == 1 and first.seconds > 0 and np.isfinite(first.loss)
        coefs, intercepts = run.weights()
        assert [W.shape for W in coefs] == [(4, 3), (3, 1)]
        assert [b.shape for b in intercepts] == [(3,), (1,)]
        estimates = kind != "relaxed"
        assert (run.regularization != NO_REGULARIZATION) == estimates
        known = kind in ("mini-batches", "full batch", "proximal", "chain")
        assert (run.moments is not None) == known
        if known:
            np.testing.assert_allclose(run.moments[0], X.mean(axis=0), atol=1e-12)
        # J is of the order of the target's variance, and so is its unit.
        if kind != "relaxed" and kind != "stream":
            unit = 10.0 if kind == "chain" else Y.var()
            assert 0.3 * unit < run.objective_unit < 3.0 * unit

    @pytest.mark.parametrize("kind", KINDS)
    def test_weights_are_in_the_units_of_the_user(self, kind):
        """So J of the records is the one of the problem, but for the unit-free penalties."""
        run = begin(kind, activity_alpha=0.0)
        problem = Problem(X, Y, [Tanh()], SquaredError(), L2(), 0.1)
        if kind in ("chain", "proximal"):
            problem = replace(problem, penalty=L1())
        if kind == "chain":
            problem = replace(problem, loss=AbsoluteError())
        before = problem.training_objective(*run.weights()) / 60
        said = next(run).loss
        weights = before if kind == "stream" else problem.training_objective(*run.weights()) / 60
        assert said == pytest.approx(weights, rel=1e-4)

    @pytest.mark.parametrize("kind", KINDS)
    def test_cool_down_leads_to_an_end_where_it_is_promised(self, kind):
        run = begin(kind, cool_down=3, patience=100)
        if not run.cools_down:
            run.cool_down()  # nothing to shrink, and no error
            assert sum(1 for _ in zip(run, range(5), strict=False)) == (1 if run.ended else 5)
            return
        next(run)
        run.cool_down()
        sweeps = 0
        while not run.ended and sweeps < 50:
            next(run)
            sweeps += 1
            if kind == "chain" and sweeps == 5:
                run.cool_down()  # of the second run
        assert run.ended and sweeps <= 6
        with pytest.raises(StopIteration):
            next(run)

    def test_no_schedule_no_cool_down(self):
        with pytest.raises(NotImplementedError, match="Least has no schedule"):
            TestUsersRun.Least().cool_down()
        with pytest.raises(NotImplementedError, match="Least is no run of a stream"):
            TestUsersRun.Least().state()

    def test_a_short_run_says_that_it_was_cut(self):
        problem = Problem(X, Y, [Tanh()], SquaredError(), L2(), 0.1)
        start = Feasible().initial_weights([4, 3, 1], np.random.RandomState(0), float, [Tanh()])
        run = Feasible().start(problem, *start, max_iter=2, batch_size=15)
        assert run.max_sweeps == 2
        assert minimize(run, max_iter=9, tol=0.0, n_iter_no_change=9).stop_reason == "max_iter"


class Parts:
    """Stubs of all parts of a run, which note who was called."""

    def __init__(self, accept=(True,), ends_after=99, stuck_after=99):
        self.calls, self.accept, self.sweeps = [], list(accept), 0
        self.ends_after, self.stuck_after = ends_after, stuck_after
        self.rho, self.refused, self.epsilon, self.settled = 7.0, 2, 0.25, True
        self.cut_short, self.cools_down = False, True
        self.data = []

    @property
    def stuck(self):
        return self.sweeps >= self.stuck_after

    def epoch(self, rng):
        assert rng == "rng"
        for batch in range(2):
            yield np.arange(batch + 3), batch / 2

    def begin(self):
        self.calls.append("begin")

    def __call__(self, rows, factor):
        self.calls.append(("step", rows.size, factor))

    def factor(self, progress):
        return 10.0 + progress

    def watch(self, rows):
        self.calls.append(("watch", rows.size))

    def settle(self):
        self.calls.append("settle")

    def objective(self):
        self.calls.append("objective")
        return Value(4.0, 3.0, 2.0, 0.5)

    def judge(self, value):
        assert value == Value(4.0, 3.0, 2.0, 0.5)
        self.calls.append("judge")
        return self.accept[min(self.sweeps, len(self.accept) - 1)]

    def restart(self):
        self.calls.append("restart")

    def advance(self, data):
        self.data.append(data)
        self.calls.append("advance")
        self.sweeps += 1
        return self.sweeps >= self.ends_after

    def reported(self, value):
        return value._replace(objective=np.float32(40.0), loss=np.float32(30.0))

    def weights(self):
        return "the weights"

    def cool_down(self):
        self.calls.append("cool down")

    def run(self, **attributes):
        return ComposedRun(self, self, self, self, self.objective, "rng", 0.0, **attributes)


class TestComposedRun:
    """The order of a sweep, and what is said of it."""

    def test_order(self):
        parts = Parts()
        run = parts.run()
        said = next(run)
        assert parts.calls == [
            "begin",
            ("step", 3, 10.0),
            ("watch", 3),
            ("step", 4, 10.5),
            ("watch", 4),
            "settle",
            "objective",
            "judge",
            "advance",
        ]
        assert parts.data == [2.0]
        expected = Record(1, 40.0, 30.0, 7.0, 0.25, 0.5, 2, True, said.seconds)
        assert said == expected and type(said.loss) is type(said.objective) is float
        assert next(run).iteration == run.iteration == 2
        assert run.weights() == "the weights"

    def test_a_sweep_that_is_refused(self):
        """The step starts anew before the schedule hears of it, as of an infinite loss."""
        parts = Parts(accept=(True, False, True))
        run = parts.run()
        assert [next(run).restarts for _ in range(3)] == [2, 3, 2]
        assert parts.data == [2.0, np.inf, 2.0]
        assert parts.calls.count("restart") == 1
        at = parts.calls.index("restart")
        assert parts.calls[at - 1 : at + 2] == ["judge", "restart", "advance"]

    @pytest.mark.parametrize("why", ["ends_after", "stuck_after"])
    def test_end(self, why):
        run = Parts(**{why: 3}).run()
        assert [record.iteration for record in run] == [1, 2, 3]
        assert run.ended
        with pytest.raises(StopIteration):
            next(run)

    def test_what_the_schedule_says_is_said(self):
        parts = Parts()
        run = parts.run(max_sweeps=5, objective_unit=3.0, estimated=Regularization(1.0, 2.0))
        contract(run)
        assert (run.max_sweeps, run.objective_unit, run.estimated[0]) == (5, 3.0, 1.0)
        assert run.cools_down and not run.cut_short
        parts.cut_short, parts.cools_down = True, False
        assert run.cut_short and not run.cools_down
        run.cool_down()
        assert parts.calls == ["cool down"]

    def test_floating_point_errors_are_the_judges_business(self):
        parts = Parts()
        parts.objective = lambda: Value(*np.log(np.zeros(3)) - np.inf)
        parts.judge = lambda value: False
        assert np.isfinite(next(parts.run()).rho)


class TestChain:
    """One run to its end, then another."""

    def chain(self, first=(5.0, 3.0, 4.0), second=(3.5, 2.0), **attributes):
        self.given = []
        self.first = Listed(first, ends=True, **attributes)
        self.second = Listed(second, ends=True)

        def finish(coefs, intercepts):
            self.given.append(coefs[0][0, 0])
            return self.second

        return Chain(self.first, finish)

    def test_goes_on_where_the_first_ended(self):
        chain = self.chain()
        records = list(chain)
        assert chain.ended
        assert self.given == [3.0]
        assert [record.iteration for record in records] == [1, 2, 3, 4, 5]
        assert [record.seconds for record in records] == [0.5, 1.0, 1.5, 2.0, 2.5]
        # J is what it is; what a stall is told by never rises, nor from one part to the other.
        assert [record.loss for record in records] == [5.0, 3.0, 4.0, 3.5, 2.0]
        assert [record.kept for record in records] == [5.0, 3.0, 4.0, 3.5, 2.0]
        assert [record.objective for record in records] == [5.0, 3.0, 3.0, 3.0, 2.0]
        assert [record.settled for record in records] == [False, False, False, True, True]
        assert chain.weights()[0][0][0, 0] == 2.0

    def test_weights_while_the_second_begins(self):
        """Those of the first, should the preparations be interrupted."""
        chain, seen = self.chain(), []

        def interrupted(coefs, intercepts):
            seen.append(chain.weights()[0][0][0, 0])
            raise KeyboardInterrupt

        chain._finish = interrupted
        result = minimize(chain, max_iter=9, tol=0.0, n_iter_no_change=9)
        assert result.stop_reason == "interrupted"
        assert seen == [3.0] and result.coefs[0][0, 0] == 3.0 and len(result.records) == 3

    def test_what_the_first_has_found_is_what_holds(self):
        strengths = Regularization(1.0, 2.0, 0.1)
        moments = np.ones(4), np.ones(4)
        chain = self.chain(
            objective_unit=9.0, regularization=strengths, estimated=strengths, moments=moments
        )
        assert chain.cools_down and chain.objective_unit == 9.0
        assert chain.regularization is chain.estimated is strengths
        assert chain.moments is moments

    def test_cool_down_of_the_second_is_its_end(self):
        chain = self.chain(second=[1.0] * 50)
        for _ in range(4):
            next(chain)
        assert not chain.ended
        chain.cool_down()
        assert chain.ended

    def test_cool_down_of_the_first_is_its_own(self):
        chain, called = self.chain(), []
        self.first.cool_down = lambda: called.append(1)
        chain.cool_down()
        assert called == [1] and not chain.ended


def test_a_run_in_other_units_says_what_the_run_says():
    """But for the weights; what ends it, and what it knows, is that of the run."""
    inner = Listed(
        [5.0, 4.0],
        ends=True,
        max_sweeps=7,
        objective_unit=3.0,
        estimated=NO_REGULARIZATION,
        moments=(1, 2),
        cools_down=True,
        cut_short=True,
    )
    inner.cool_down = lambda: vars(inner).update(cooled=True)
    run = ConvertedRun(inner, lambda coefs, intercepts: ([10.0 * coefs[0]], intercepts))
    assert [next(run).loss, next(run).loss] == [5.0, 4.0]
    assert run.weights()[0][0][0, 0] == 20.0
    run.cool_down()
    assert inner.cooled
    inner.stall = lambda *arguments: arguments
    assert run.stall(0.5, 3) == (0.5, 3)
    public = {name for name in vars(Run) if not name.startswith("_")}
    for name in public - {"weights", "cool_down", "state", "stall"}:
        assert getattr(run, name) is getattr(inner, name), name
