"""Running weights and their average: what is compared, and when one becomes the other."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from skmdlam import Feasible
from skmdlam.activations import ReLU
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.problem import Problem, forward
from skmdlam.losses import SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import L2

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 5)) @ RNG.standard_normal((5, 5)) + 3.0
Y = np.column_stack([X[:, 0], np.sin(X[:, 1])])
WEIGHT = RNG.randint(1, 4, size=400).astype(float)


def learn(
    rows, state=None, *, classes=False, weight=None, alpha=0.0, solver=None, run=True, **settings
):
    """The run of a chunk, done or (run=False) about to begin."""
    target = np.eye(2)[(X[:, 0] > 3).astype(int)] if classes else Y
    loss = SoftmaxCrossEntropy() if classes else SquaredError()
    weight = None if weight is None else weight[rows]
    problem = Problem(X[rows], target[rows], [ReLU()], loss, L2(), alpha, weight)
    start = Feasible().initial_weights((5, 8, 2), np.random.RandomState(1), float, [ReLU()])
    settings = {"rng": np.random.RandomState(0), **settings}
    found = (solver or Feasible()).stream(problem, *start, state, **settings)
    if run:
        next(found)
    return found


def handed_in(**numbers):
    return Feasible(constants=replace(CONSTANTS, tuned=replace(TUNED, **numbers)))


@pytest.fixture(scope="module")
def stored():
    return pickle.dumps(learn(slice(0, 200)).state())


@pytest.fixture
def state(stored):
    """What a stream of 200 samples knows; each test has its own."""
    return pickle.loads(stored)


def losses_of(run, V, rows):
    """Of each sample, with these weights in the units of the run, by a pass in other units."""
    coefs, intercepts = run.step.prepared.frame.outer(V)
    z = forward(X[rows], coefs, intercepts, [ReLU()])
    return SquaredError().value(z, run.step.prepared.problem.Y)


class TestLookAhead:
    """The losses of both on a chunk that neither has learned."""

    @pytest.mark.parametrize("weighted", [False, True])
    def test_what_is_followed(self, weighted):
        """Paired differences, their squares, and means over the latest samples."""
        weight = WEIGHT if weighted else None
        state, sums, means, followed = None, np.zeros(2), np.zeros(2), 0.0
        for i, rows in enumerate((slice(0, 100), slice(100, 130), slice(130, 330))):
            run = learn(rows, state, weight=weight, run=False, activity_alpha=0.0)
            averages = [V.copy() for V in run.judge.averages]
            running = [V.copy() for V in run.step.network.weights]
            unit = run.step.prepared.frame.scaling.factor
            of_both = np.array([losses_of(run, V, rows) for V in (averages, running)]) / unit
            n = of_both.shape[1]
            s = weight[rows] * (rows.stop / weight[: rows.stop].sum()) if weighted else np.ones(n)
            loss = next(run).loss
            assert loss == pytest.approx(unit * np.average(of_both[0], weights=s), rel=1e-4)
            if i:
                followed += n
                share = max(n / followed, 1.0 - np.exp(-n / TUNED.stream_followed))
                means += share * (of_both @ s / s.sum() - means)
                difference = of_both[0] - of_both[1]
                sums += s @ difference, s @ difference**2
                if sums[0] <= 0:
                    sums[:] = 0.0
            state = run.state()
            assert state["damping_multiplier"] == 1.0 and state["followed"] == followed
            np.testing.assert_allclose(state["losses"], means, rtol=1e-3)
            found = state["loss_difference"], state["loss_difference_square"]
            np.testing.assert_allclose(found, sums, rtol=2e-3)

    def test_latest_samples_count_more(self, state):
        """However long the stream is, a thousand samples are most of the mean."""
        solver = handed_in(stream_drift=np.inf, stream_too_noisy=np.inf)
        run = learn(slice(200, 400), dict(state), solver=solver, run=False)
        run.judge.look_ahead()
        n = run.judge.followed["losses"]  # the first: nothing was followed before
        before = np.array([3.0, 3.0])
        state |= {"followed": 1e6, "losses": before}
        later = learn(slice(200, 400), state, solver=solver, run=False)
        later.judge.look_ahead()
        share = 1.0 - np.exp(-200 / 1000)
        np.testing.assert_allclose(later.judge.followed["losses"], before + share * (n - before))
        np.testing.assert_array_equal(before, 3.0)

    @pytest.mark.parametrize("alpha", [0.0, 2.0])
    def test_what_is_compared_is_the_objective(self, alpha):
        """Without the penalty on columns, which does not pay, and that on upper weights."""
        run = learn(slice(0, 400), alpha=alpha, activity_alpha=3.0)
        judge, step = run.judge, run.step
        judge._objective.terms.column_alpha = judge._objective.terms.upper_alpha = 0.0
        layers = step.network.layers
        values = step._values[25]
        hidden = layers[1].preconditioner
        hidden.reset()  # of a moving average of many batches
        hidden.memory = 0.0
        for at in range(0, 400, 25):
            layers[0].take(np.arange(at, at + 25), values)
            step.network.forward(values)
            hidden.observe(values.inputs[1])
        V = step.network.weights
        value = judge._objective()
        found = judge._penalty(V) + judge._activity(V)
        assert found == pytest.approx(value.objective - value.data, rel=0.02)

    def test_noise_is_seen_beside_a_penalty_that_both_pay(self):
        state = learn(slice(0, 200), alpha=1000.0).state()
        run = learn(slice(200, 400), state, alpha=1000.0, run=False)
        V = state["layers"][1]["V"]
        before = run.judge._penalty([layer["V"] for layer in state["layers"]])
        V[-1] += 1.0  # intercepts are free
        assert run.judge._penalty([layer["V"] for layer in state["layers"]]) == before > 0.0
        again = learn(slice(200, 400), state, alpha=1000.0)
        assert again.step.damping_multiplier == 2.0

    def test_a_penalty_on_upper_weights_that_is_new_is_no_drift(self):
        """A fit that was told less noise than the stream supposes stays what it is."""
        rows, stops = slice(0, 200), range(210, 400, 10)
        state = learn(rows, solver=Feasible(upper_alpha=0.1), activity_alpha=1.0).state()
        for stop in stops:
            strong = Feasible(upper_alpha=50.0)
            run = learn(slice(stop - 10, stop), state, solver=strong, activity_alpha=1.0)
            assert run.regularization.upper_alpha == 50.0
            state = run.state()
            # The average did not begin anew.
            assert state["averaged"] == pytest.approx(stop)

    @pytest.mark.parametrize("classes", [True, pytest.param(False, marks=pytest.mark.slow)])
    def test_strong_penalty_in_mid_stream_is_no_noise(self, classes):
        """What running weights lose in data they save in penalties: they are not dropped."""
        state, size, solver = None, {}, Feasible(column_alpha=0.75)
        for i in range(0, 3000, 100):
            alpha = 3000.0 if i >= 1500 else 0.0
            part = np.arange(i, i + 100) % 400
            run = learn(part, state, classes=classes, alpha=alpha, solver=solver)
            state = run.state()
            size[i] = sum(np.sum(W**2) for W in run.weights()[0])
            assert state["damping_multiplier"] == 1.0
        assert max(size[i] for i in range(2300, 3000, 100)) < 0.1 * size[1400]


class TestDrift:
    """The average begins anew where running weights are better beyond chance."""

    def test_running_weights_that_are_better_become_the_average(self, state):
        for layer in state["layers"]:
            layer["average"] = layer["average"] + 1.0
        state["fitted"] = 100.0
        run = learn(slice(200, 400), state, run=False)
        running = [V.copy() for V in run.step.network.weights]
        velocities = [layer.velocity.copy() for layer in run.step.network.layers]
        run.judge.look_ahead()
        for average, V in zip(run.judge.averages, running, strict=True):
            np.testing.assert_array_equal(average, V)
        for layer, velocity in zip(run.step.network.layers, velocities, strict=True):
            np.testing.assert_array_equal(layer.velocity, velocity)
        step = run.step
        assert (step.averaged, step.fitted, step.damping_multiplier) == (0.0, 0.0, 1.0)
        assert run.judge.followed["loss_difference"] == run.judge.followed["followed"] == 0.0
        run = learn(slice(200, 400), state)
        assert run.step.averaged == pytest.approx(200)  # counted anew

    @pytest.mark.parametrize(("errors", "drift"), [(3.5, False), (4.5, True)])
    def test_beyond_chance(self, state, errors, drift):
        """Four standard errors of the sum of differences, whatever its size."""
        run = learn(slice(200, 201), state, run=False)
        run.judge.look_ahead()
        gain = dict(run.judge.followed)
        square = 1e4
        state |= {
            "loss_difference": errors * np.sqrt(square) - gain["loss_difference"],
            "loss_difference_square": square,
        }
        run = learn(slice(200, 201), state, run=False)
        run.judge.look_ahead()
        assert (run.step.averaged == 0.0) == drift

    def test_no_credit_for_the_past(self, state):
        """A sum that has become negative begins at zero again."""
        run = learn(slice(200, 300), state | {"loss_difference": -1e6}, run=False)
        run.judge.look_ahead()
        followed = run.judge.followed
        assert followed["loss_difference"] == followed["loss_difference_square"] == 0.0
        assert run.step.averaged == 200.0


class TestNoise:
    """Running weights that are much worse are put back to the average, and steps become smaller."""

    @pytest.mark.parametrize("wrong", [1e3, np.nan])
    def test_dropped(self, state, wrong):
        for layer in state["layers"]:
            layer["V"][:] = wrong
            layer["velocity"][:] = 1.0
        state["damping_multiplier"] = 4.0
        run = learn(slice(200, 201), state, run=False)
        averages = [V.copy() for V in run.judge.averages]
        with np.errstate(all="ignore"):
            run.judge.look_ahead()
        assert run.step.damping_multiplier == 8.0
        for layer, average, V in zip(
            run.step.network.layers, run.judge.averages, averages, strict=True
        ):
            np.testing.assert_array_equal(average, V)
            np.testing.assert_array_equal(layer.V, V.astype(layer.V.dtype))
            assert (layer.velocity == 0.0).all()
        assert run.step.averaged == 200.0
        assert run.judge.followed["followed"] == 0.0
        learned = learn(slice(200, 300), state)
        assert learned.state()["damping_multiplier"] == 8.0
        assert all(np.isfinite(W).all() for W in learned.weights()[0])

    @pytest.mark.parametrize(("checked", "dropped"), [(24, True), (25, False), (1000, False)])
    def test_within_a_long_chunk(self, state, checked, dropped):
        """After so many samples, not before; the number is the one that is handed in."""
        solver = handed_in(stream_checked=checked)
        run = learn(slice(200, 400), state, solver=solver, run=False)
        run.judge.set_rounds()
        for V in run.step.network.weights:
            V *= 30.0
        for layer in run.step.network.layers:
            layer.velocity[:] = 1.0
        run.judge.watch(np.arange(25))
        layers = run.step.network.layers
        assert (run.step.damping_multiplier == 2.0) == dropped
        for layer, average in zip(layers, run.judge.averages, strict=True):
            same = np.array_equal(layer.V, average.astype(layer.V.dtype))
            assert same == dropped == (layer.velocity == 0.0).all()

    def test_samples_since_the_last_check_count(self, state):
        solver = handed_in(stream_checked=60)
        run = learn(slice(200, 400), state, solver=solver, run=False)
        run.judge.set_rounds()
        for batch in range(9):
            for V in run.step.network.weights:
                V[:] = 30.0
            run.judge.watch(np.arange(25))
            # At 75, 150 and 225 samples.
            assert run.step.damping_multiplier == 2.0 ** ((batch + 1) // 3)


class TestAverage:
    """Its window is a share of the stream, and a sample counts once however often it is seen."""

    @pytest.mark.parametrize(("averaged", "rounds"), [(0.0, 8), (14_800.0, 4), (1.3e6, 1)])
    def test_rounds_become_fewer(self, state, averaged, rounds):
        solver = handed_in(stream_drift=np.inf)
        state["averaged"] = averaged
        run = learn(slice(200, 400), state, solver=solver, run=False)
        assert run.judge.set_rounds() == rounds
        run = learn(slice(200, 400), state, solver=solver, run=False)
        steps = run.step.steps
        next(run)
        assert run.step.steps - steps == rounds * 200 / 25
        assert run.step.averaged == pytest.approx(averaged + 200, rel=1e-12)

    def test_rounds_of_a_long_chunk(self):
        """It counts by its own length too."""
        assert learn(np.arange(15_000) % 400, run=False).judge.set_rounds() == 4

    @pytest.mark.parametrize("averaged", [0.0, 3.0, 1000.0])
    def test_by_hand(self, state, averaged):
        run = learn(slice(200, 400), state | {"averaged": averaged}, run=False)
        rounds = run.judge.set_rounds()
        expected = [V.copy() for V in run.judge.averages]
        count = averaged
        for size in (25, 10, 25):
            for V in run.step.network.weights:
                V += RNG.standard_normal(V.shape).astype(V.dtype)
            run.judge.watch(np.arange(size))
            count += size / rounds
            rate = min(1.0, size / rounds / (0.2 * count))
            for index, V in enumerate(run.step.network.weights):
                expected[index] = (1.0 - rate) * expected[index] + rate * V.astype(float)
                assert run.judge.averages[index].dtype == float
                np.testing.assert_allclose(run.judge.averages[index], expected[index], rtol=1e-9)
        assert run.step.averaged == pytest.approx(count)
        # What is returned is the average.
        coefs, intercepts = run.step.prepared.frame.outer(expected)
        spread = Y.std(axis=0)
        unit = spread / np.sqrt(np.mean(spread**2))
        coefs[-1], intercepts[-1] = unit * coefs[-1], unit * intercepts[-1]
        for found, W in zip(run.weights()[0] + run.weights()[1], coefs + intercepts, strict=True):
            np.testing.assert_allclose(found, W, rtol=1e-9)


def test_what_it_saves_in_penalties_counts_within_a_chunk(state):
    """Running weights that a new, strong penalty takes to zero are no noise."""
    solver = handed_in(stream_checked=24, stream_drift=np.inf)
    run = learn(slice(200, 400), state, solver=solver, alpha=1e3, run=False)
    run.judge.set_rounds()
    for V in run.step.network.weights:
        V[:] = 0.0
    run.judge.watch(np.arange(25))
    assert run.step.damping_multiplier == 1.0
