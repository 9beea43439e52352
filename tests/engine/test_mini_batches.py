"""A run of mini-batches: its preparations, its schedule, and what a fit must not notice."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.basis import AxesBasis
from skmdlam.engine.mini_batches import mini_batch_run, prepare
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Settings
from skmdlam.engine.sparse_layers import LazyInputLayer
from skmdlam.losses import (
    REGRESSION_LOSSES,
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import Box, NonNegative, get_penalty


def run_of(X, Y, loss=None, *, hidden=(8,), activation="relu", penalty="l2", alpha=0.0, weight=None,
           seed=0, solver=None, constants=CONSTANTS, start=None, **settings):  # fmt: skip
    """A run on the data from a random start."""
    solver = solver or Feasible(single_precision=False, constants=constants)
    activations = [get_activation(activation)] * len(hidden)
    penalty = get_penalty(penalty) if isinstance(penalty, str) else penalty
    loss = loss or SquaredError()
    problem = Problem(
        X, Y, activations, loss, penalty, alpha, weight, constrained=isinstance(penalty, Box)
    )
    rng = np.random.RandomState(seed)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    start = start or solver.initial_weights(sizes, rng, X.dtype, activations)
    settings = {"batch_size": 25, "activity_alpha": 2.0, "rng": rng, **settings}
    return mini_batch_run(solver, problem, *start, Settings(**settings))


def fitted(*args, epochs=6, **kwargs):
    run = run_of(*args, **kwargs)
    records = list(islice(run, epochs))
    return records, *run.weights()


def data(n=200, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])
    return X, Y


def target_of(loss, Y):
    if isinstance(loss, SoftmaxCrossEntropy):
        return np.eye(2)[(Y[:, 0] > 0).astype(int)]
    if isinstance(loss, LogisticLoss):
        return (Y > 0).astype(float)
    return np.abs(Y) if isinstance(loss, Poisson) else Y


LOSSES = [
    SquaredError(),
    Huber(0.5),
    AbsoluteError(),
    Quantile(0.3),
    Poisson(),
    LogisticLoss(),
    SoftmaxCrossEntropy(),
]


# Units of X are those of the coordinates, units of Y those of the loss: every one of both, once.
@pytest.mark.parametrize(
    ("form", "loss"),
    [
        pytest.param(
            form,
            loss,
            marks=[pytest.mark.slow] * (place > 0 and form != "rotated"),
            id=f"{form}-{type(loss).__name__}",
        )
        for form in ("rotated", "leading", "sketched", "lazy")
        for place, loss in enumerate(LOSSES)
    ],
)
def test_a_fit_does_not_notice_units(loss, form):
    """Of the features, by powers of ten and offsets, and of the target, by an affine map."""
    X, Y = data(d=12)
    if form == "lazy":
        X[np.random.default_rng(2).random(X.shape) < 0.7] = 0.0
    Y = target_of(loss, Y)
    limits = {
        "rotated": {},
        "leading": {"rotation": 5},
        "sketched": {"decomposition": 5, "sketch": 4},
        "lazy": {"decomposition": 5, "sketch": 4, "small": 1, "entries": 1, "sketch_numbers": 60},
    }[form]
    constants = replace(CONSTANTS, limits=replace(LIMITS, **limits))
    rng = np.random.default_rng(1)
    units = 10.0 ** rng.integers(-6, 7, X.shape[1])
    offset = 0.0 if form == "lazy" else rng.normal(size=X.shape[1])
    other, scale, shift, other_loss, unit = Y, 1.0, 0.0, loss, 1.0
    if isinstance(loss, Poisson):
        other, shift, unit = 1e3 * Y, np.log(1e3), 1e3
    elif loss.out_activation == "identity":
        scale, shift = 1e4, -7e3
        other = scale * Y + shift
        other_loss = Huber(0.5 * scale) if isinstance(loss, Huber) else loss
        unit = scale if loss.nonsmooth else scale**2
    container = sp.csr_array if form == "lazy" else np.asarray
    plain = fitted(container(X), Y, loss, activity_alpha=None, constants=constants)
    moved = fitted(
        container((X + offset) * units), other, other_loss, activity_alpha=None, constants=constants
    )
    relu = [get_activation("relu")]
    first = forward(X, plain[1], plain[2], relu)
    second = forward((X + offset) * units, moved[1], moved[2], relu)
    np.testing.assert_allclose((second - shift) / scale, first, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        [record.loss / unit for record in moved[0]],
        [record.loss for record in plain[0]],
        rtol=1e-6,
    )


def test_alpha_is_in_the_users_units():
    """Of a straight line the same problem can be said in any units of y and X."""
    X, Y = data()
    options = {"hidden": (), "epochs": 100, "n_iter_no_change": 1000}
    first = fitted(X, Y, alpha=30.0, **options)
    bare = fitted(X, Y, alpha=0.0, **options)
    assert np.abs(first[1][0] / bare[1][0] - 1.0).max() > 0.05
    second = fitted(X, 10.0 * Y + 4.0, alpha=30.0, **options)
    third = fitted(10.0 * X, Y, alpha=3000.0, **options)
    for (records, coefs, _), scale in ((second, 10.0), (third, 0.1)):
        np.testing.assert_allclose(coefs[0] / scale, first[1][0], rtol=1e-6, atol=1e-8)
        unit = 100.0 if scale > 1 else 1.0
        assert records[-1].loss == pytest.approx(unit * first[0][-1].loss, rel=1e-6)


@pytest.mark.parametrize("hidden", [(), (8,)])
@pytest.mark.slow
def test_ends_at_the_ridge_regression(hidden):
    """Mini-batches to the end, with y in another unit and sample weights: the minimum of J."""
    X, Y = data(n=300)
    X, Y = X * (1.0, 10.0, 0.1, 1.0, 1.0) + 3.0, 50.0 + 20.0 * Y
    weight = np.random.default_rng(1).uniform(0.2, 3.0, 300)
    activation = "identity" if hidden else "relu"
    solver = Feasible(single_precision=False, patience=30, column_alpha=0.0)
    records, coefs, intercepts = fitted(
        X, Y, hidden=hidden, activation=activation, alpha=60.0, activity_alpha=0.0,
        weight=weight, solver=solver, epochs=200, tol=0.0,
    )  # fmt: skip
    s, total = weight[:, None], weight.sum()
    x, y = (a - (weight @ a) / total for a in (X, Y))
    if hidden:
        # Two layers with ridges: the nuclear norm, so only J can be compared.
        z = (X @ coefs[0] + intercepts[0]) @ coefs[1] + intercepts[1]
        J = 0.5 * np.sum(s * (z - Y) ** 2) + 30.0 * sum(np.sum(W**2) for W in coefs)
        assert records[-1].kept == pytest.approx(J / total, rel=1e-6)
        product = coefs[0] @ coefs[1]
        for _ in range(20_000):  # proximal gradient of the convex problem
            gradient = x.T @ (s * (x @ product - y))
            step = 1.0 / np.linalg.eigvalsh(x.T @ (s * x))[-1]
            left, sizes, right = np.linalg.svd(product - step * gradient, full_matrices=False)
            product = left * np.maximum(sizes - 60.0 * step, 0.0) @ right
        least = 0.5 * np.sum(s * (x @ product - y) ** 2)
        least += 60.0 * np.linalg.svd(product, compute_uv=False).sum()
        assert pytest.approx(least, rel=0.01) == J
        return
    W = np.linalg.solve(x.T @ (s * x) + 60.0 * np.eye(5), x.T @ (s * y))
    np.testing.assert_allclose(coefs[0], W, rtol=0.05, atol=0.02 * np.abs(W).max())
    J = 0.5 * np.sum(s * (x @ W - y) ** 2) + 30.0 * np.sum(W**2)
    assert records[-1].kept == pytest.approx(J / total, rel=1e-3)


@pytest.mark.parametrize("hidden", [(), (8, 5)])
@pytest.mark.parametrize("batch_size", [10, 40, 200])
def test_samples_without_weight_do_not_matter(batch_size, hidden):
    """In several batches: whatever their targets are."""
    X, Y = data()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 200)
    weight[::3] = 1e-13
    other = Y.copy()
    other[::3] += 50.0 * np.random.default_rng(2).standard_normal((67, 2))
    # Named, as the noise is told from these rows too.
    solver = Feasible(
        single_precision=False, column_alpha=1.0, upper_alpha=3.0, cool_down=9, patience=9
    )
    options = {"batch_size": batch_size, "hidden": hidden, "alpha": 0.1, "solver": solver}
    one, two = (fitted(X, target, weight=weight, epochs=3, **options) for target in (Y, other))
    for a, b in zip(one[1] + one[2], two[1] + two[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_weights_matter_in_several_batches():
    """Two contradicting targets: the heavier samples decide."""
    X, _ = data(n=400)
    Y = X[:, :1].copy()
    Y[::2] *= -1.0
    for heavy in (0, 1):
        weight = np.full(400, 0.1)
        weight[heavy::2] = 1.9
        _, coefs, _ = fitted(X, Y, weight=weight, hidden=(), epochs=20)
        slope = coefs[0][0, 0]
        assert slope == pytest.approx(0.9 * (1 if heavy else -1), abs=0.1)


@pytest.mark.parametrize("hidden", [(), (15,), (10, 10)])
def test_one_batch_takes_weights_for_repeated_rows(hidden):
    X, Y = data(n=80)
    counts = np.random.default_rng(1).integers(1, 4, len(X))
    options = {"hidden": hidden, "rho": 60.0, "epochs": 20, "activity_alpha": None, "alpha": 0.2}
    once = fitted(X, Y, weight=counts.astype(float), batch_size=80, **options)
    X, Y = (np.repeat(a, counts, axis=0) for a in (X, Y))
    many = fitted(X, Y, batch_size=int(counts.sum()), **options)
    for a, b in zip(once[1] + once[2], many[1] + many[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose([r.loss for r in once[0]], [r.loss for r in many[0]], rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("single", "batch_size"), [(True, 25), (True, 200), (False, 25)])
def test_precision_of_the_steps(single, batch_size, dtype):
    """Single where there is more than one batch and nobody objects; weights come as X does."""
    X, Y = (a.astype(dtype) for a in data())
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 200)
    solver = Feasible(single_precision=single)
    run = run_of(X, Y, solver=solver, batch_size=batch_size, weight=weight)
    expected = np.float32 if single and batch_size < 200 else dtype
    prepared = run.step.prepared
    for array in (prepared.Y, prepared.weight, prepared.input.data, *run.step.network.weights):
        assert array.dtype == expected
    assert prepared.weight.mean() == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(prepared.weight[:, 0], weight / weight.mean(), rtol=1e-5)
    next(run)
    assert {W.dtype for part in run.weights() for W in part} == {np.dtype(dtype)}


def test_what_a_run_says_of_itself():
    X, Y = data()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 200)
    share = weight / weight.sum()
    run = run_of(X, 3.0 * Y, weight=weight, max_iter=40, activity_alpha=None)
    mean, std = run.moments
    np.testing.assert_allclose(mean, share @ X, atol=1e-12)
    np.testing.assert_allclose(std, np.sqrt(share @ (X - share @ X) ** 2), rtol=1e-9)
    variance = (share @ (3.0 * (Y - share @ Y)) ** 2).mean()
    assert run.objective_unit == run.judge.unit == pytest.approx(variance)
    assert run.regularization[:2] == run.estimated[:2] and run.max_sweeps == 40
    scaling = run.step.prepared.frame.scaling
    np.testing.assert_allclose(scaling.shift, 3.0 * (share @ Y))
    assert scaling.scale == pytest.approx(np.sqrt(variance))
    assert run.cools_down and not run.ended
    record = next(run)
    assert record.iteration == 1 and record.gap == record.epsilon == 0.0 and not record.settled


def test_strengths_are_estimated_on_the_samples_of_the_run():
    """With the weights, in the units of the loss, up to a rotation of the inputs."""
    X, Y = data()
    weight = np.random.default_rng(0).integers(1, 4, 200).astype(float)
    run = run_of(X, 5.0 * Y, weight=weight, activity_alpha=None)
    share = weight / weight.sum()
    centered = Y - share @ Y
    target = centered / np.sqrt((share @ centered**2).mean())
    prepared = run.step.prepared
    found = Feasible().estimate_regularization(
        prepared.problem,
        prepared.frame.scaling,
        lambda rows: prepared.input.data[rows, :-1],
        target,
    )
    np.testing.assert_allclose(run.estimated, found, rtol=1e-9)
    np.testing.assert_allclose(run.regularization, found, rtol=1e-9)


def test_keeps_the_axes_for_penalties_that_look_at_single_weights():
    X, Y = data()
    solver = Feasible()
    for penalty, rotated in (("l1", False), ("l2", True), ("none", True)):
        problem = Problem(X, Y, [get_activation("relu")], SquaredError(), get_penalty(penalty), 0.1)
        prepared = prepare(problem, solver, Settings(activity_alpha=0.0), None, single=False)
        assert isinstance(prepared.frame.coordinates, AxesBasis) != rotated


@pytest.mark.parametrize("penalty", [NonNegative(), Box(-0.1, 0.2)])
def test_a_start_outside_of_the_constraints_has_no_objective(penalty):
    """Random weights break them, and their J is not that of the projected ones."""
    X, Y = data()
    options = {"hidden": (6, 5), "penalty": penalty, "alpha": 0.01, "activity_alpha": 0.0}
    for seed in range(8):
        run = run_of(X, Y, seed=seed, **options)
        assert run.judge.best == np.inf
        record = next(run)
        problem, weights = run.step.prepared.problem, run.weights()
        expected = problem.training_objective(*weights) / len(X)
        assert record.loss == pytest.approx(expected, rel=1e-4)
        warm = run_of(X, Y, seed=seed, start=weights, warm=True, **options)
        assert warm.judge.best * warm.judge.unit == pytest.approx(expected, rel=1e-4)


def test_start_that_is_beyond_all_numbers_shrinks():
    """The exponential of the Poisson loss: the last layer is quartered until J is finite."""
    X, Y = data()
    rng = np.random.RandomState(0)
    coefs = [rng.standard_normal((5, 8)), 1e4 * rng.standard_normal((8, 2))]
    start = coefs, [np.zeros(8), np.zeros(2)]
    copies = [W.copy() for W in coefs]
    run = run_of(X, np.abs(Y), Poisson(), start=start)
    assert np.isfinite(run.judge.best) and run.judge.best == run.objective().objective
    last = run.step.network.layers[-1].V
    np.testing.assert_array_equal(run.judge.kept[-1], last)
    powers = np.log(np.abs(coefs[1]) / np.abs(last[:-1])) / np.log(4.0)
    np.testing.assert_allclose(powers, round(powers.mean()), atol=1e-6)
    assert 1 <= round(powers.mean()) <= 10
    for a, b in zip(coefs, copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loss_may_be_negative():
    """Its constant has a say in when the schedule ends, not in which epochs are taken back."""

    class Lowered(Poisson):
        def value(self, z, y):
            return super().value(z, y) - 20.0

    X, Y = data()
    counts = np.random.default_rng(0).poisson(np.exp(Y)).astype(float)
    plain, lowered = run_of(X, counts, Poisson()), run_of(X, counts, Lowered())
    for _ in range(6):
        one, two = next(plain), next(lowered)
        assert two.loss < 0.0 < one.loss
        unit = counts.mean()
        assert (two.loss + 20.0 * unit) == pytest.approx(one.loss, rel=1e-6)
        assert one.rho == two.rho


@pytest.mark.parametrize(
    ("options", "batch_size", "epochs", "cool_down", "least", "patience"),
    [
        ({}, 100, 150, 30, 30, 10),
        ({}, 5, 150, 30, 24, 7),  # 201 batches: 5000 steps of the cool-down, 1500 of no gain
        ({}, 1, 150, 30, 5, 3),  # 1001 of them
        ({"epochs": 7}, 1, 7, 30, 5, 3),
        ({"cool_down": 3}, 1, 150, 3, 3, 3),
        ({"epochs": 3, "cool_down": 2}, 1, 3, 2, 2, 3),
        ({"patience": 20}, 1, 150, 30, 5, 20),
    ],
)
def test_many_batches_are_less_patient_unless_told(
    options, batch_size, epochs, cool_down, least, patience
):
    """At least 3 epochs without a gain, and 5 of cool-down; numbers that the user gives stand."""
    X = np.random.default_rng(0).standard_normal((1001, 2))
    run = run_of(X, X[:, :1], hidden=(), batch_size=batch_size, solver=Feasible(**options))
    schedule = run.schedule
    found = schedule.epochs, schedule.cool_down_epochs, schedule.least_cool_down, schedule.patience
    assert found == (epochs, cool_down, least, patience)
    assert run.max_sweeps == epochs + cool_down
    short = run_of(
        X, X[:, :1], hidden=(), batch_size=batch_size, solver=Feasible(**options), max_iter=4
    )
    assert short.max_sweeps == 4


def test_number_of_records():
    """A run makes as many as its schedule says, and ends."""
    X, Y = data()
    solver = Feasible(epochs=4, cool_down=2, patience=99)
    records = list(run_of(X, Y, solver=solver))
    assert len(records) == 6
    assert [record.settled for record in records] == [False] * 5 + [True]
    cut = run_of(X, Y, solver=solver, max_iter=3)
    assert len(list(cut)) == 3 and cut.cut_short and cut.max_sweeps == 3


@pytest.mark.parametrize(("noise", "cool_down", "patience"), [(0.05, 30, 10), (2.0, 15, 5)])
def test_schedule_by_the_noise(noise, cool_down, patience):
    X, _ = data(n=400)
    Y = X[:, :1] + noise * np.random.default_rng(1).standard_normal((400, 1))
    options = {"activity_alpha": None, "batch_size": 50, "tol": 0.03, "n_iter_no_change": 4}
    schedule = run_of(X, Y, **options).schedule
    assert (schedule.cool_down_epochs, schedule.patience) == (cool_down, patience)
    assert (schedule.tol, schedule.stall, schedule.longest) == (0.03, 4, 200)
    given = Feasible(cool_down=7, patience=2)
    schedule = run_of(X, Y, solver=given, **options).schedule
    assert (schedule.cool_down_epochs, schedule.patience) == (7, 2)
    # An epoch of one batch is one step.
    schedule = run_of(X, Y, **{**options, "batch_size": 400}).schedule
    assert schedule.cool_down_epochs == 30
    # The noise is asked for its own sake too: strengths of the user do not hide it.
    told = Feasible(column_alpha=1.0, upper_alpha=2.0)
    schedule = run_of(X, Y, solver=told, **{**options, "activity_alpha": 1.0}).schedule
    assert (schedule.cool_down_epochs, schedule.patience) == (cool_down, patience)
    # And nobody asks where there is no penalty.
    run = run_of(X, Y, **{**options, "activity_alpha": 0.0})
    assert np.isnan(run.regularization.ratio) and run.estimated is None
    assert (run.schedule.cool_down_epochs, run.schedule.patience) == (30, 5)


def test_weights_are_copies_in_the_unit_of_the_columns_too():
    """Columns that outnumber the copies are in one unit."""
    X, Y = data(n=20, d=30)
    for weight, one_unit in ((None, True), (np.full(20, 2.0), False), (np.full(20, 1.4), True)):
        run = run_of(X, Y, weight=weight, batch_size=10, activity_alpha=0.0)
        assert run.step.prepared.frame.coordinates.columns.one_unit == one_unit


def test_what_is_random_is_drawn_from_the_generator_of_the_run():
    """The directions of a sketch, too."""
    X, Y = data(d=30)
    constants = replace(CONSTANTS, limits=replace(LIMITS, decomposition=10, sketch=5))
    vectors = [
        run_of(
            X, Y, constants=constants, activity_alpha=0.0, rng=np.random.RandomState(seed)
        ).step.prepared.frame.coordinates.vectors
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert (vectors[0] != vectors[2]).any()


def test_options_that_reach_the_step():
    X, Y = data()
    tuned = replace(TUNED, worst_rise=3.0, warm_up=7, all_measured=10, measured=50)
    run = run_of(X, Y, constants=replace(CONSTANTS, tuned=tuned))
    assert run.judge.highest_allowed() == 3.0 * run.judge.best
    assert run.schedule.warm_up == 7 and run.objective.n == 50
    run = run_of(X, Y, rho=50.0, solver=Feasible(momentum=0.3))
    assert run.step.rho == 50.0
    assert all(layer.momentum == 0.3 for layer in run.step.network.layers)
    assert run_of(X, Y).step.rho == pytest.approx(45.0 * 4.0**0.58)
    for rho, times in ((1e-9, 1 / 8), (1e9, 8.0)):
        assert run_of(X, Y, rho=rho).step.rho == pytest.approx(times * 45.0 * 4.0**0.58)
    assert run_of(X, Y, batch_size=200).step.rho == 45.0
    block = run.step.penalties
    assert (block.iterations, block.ramp) == (LIMITS.fista, TUNED.penalty_ramp)
    tuned = replace(TUNED, penalty_ramp=4, observe_first=3, observe_every=7, refresh_every=21)
    limits = replace(LIMITS, fista=9)
    constants = replace(CONSTANTS, tuned=tuned, limits=limits)
    for width, times in ((8, 1), (200, 1), (201, 2), (401, 3)):
        run = run_of(X, Y, hidden=(8, width), constants=constants)
        block, rhythm = run.step.penalties, run.step.rhythm
        assert (block.iterations, block.ramp) == (9, 4)
        found = rhythm.observe_first, rhythm.observe_every, rhythm.refresh_every
        assert found == (3, 7 * times, 21 * times)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_seed_same_bits(dtype):
    X, Y = (a.astype(dtype) for a in data())
    one, two, other = (fitted(X, Y, seed=3, rng=np.random.RandomState(seed)) for seed in (5, 5, 6))
    assert [record.loss for record in one[0]] == [record.loss for record in two[0]]
    for a, b in zip(one[1] + one[2], two[1] + two[2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[0][-1].loss != other[0][-1].loss  # the order of the samples is drawn from it
    assert len(fitted(X, Y, rng=None)[0]) == 6


def check_sound(records, coefs, intercepts):
    """What was kept is the best, of the epochs and the start."""
    kept = [record.kept for record in records]
    assert all(later <= earlier for earlier, later in pairwise(kept))
    assert all(record.kept <= record.loss for record in records)
    assert all(np.isfinite(W).all() for W in [*coefs, *intercepts])


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(i, marks=pytest.mark.slow) for i in range(20, 40))]
)
def test_any_configuration_keeps_the_best_and_is_finite(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 120)), int(rng.integers(1, 30))
    losses = [SoftmaxCrossEntropy(), LogisticLoss(), *(c() for c in REGRESSION_LOSSES.values())]
    loss = losses[rng.integers(len(losses))]
    dtype = rng.choice([np.float32, np.float64])
    scale = 10.0 ** rng.uniform(-8, 8)
    X = (scale * rng.standard_t(2, size=(n, d)) + scale * rng.normal()).astype(dtype)
    X[:, 0] = X[0, 0]
    Y = 10.0 ** rng.uniform(-4, 4) * rng.standard_t(2, size=(n, 2))
    Y = target_of(loss, np.clip(Y, -1e4, 1e4)).astype(dtype)
    hidden = tuple(int(k) for k in rng.integers(1, 12, size=rng.integers(0, 9)))
    name = str(rng.choice(["l2", "l1", "elasticnet", "nonnegative", "box", "group", "none"]))
    records, coefs, intercepts = fitted(
        X,
        Y,
        loss,
        hidden=hidden,
        activation=str(rng.choice(sorted(ACTIVATIONS))),
        alpha=float(rng.choice([0.0, 1e-4, 1.0, 1e3])),
        penalty=name,
        weight=rng.uniform(1e-3, 1e3, n).astype(dtype) if rng.random() < 0.5 else None,
        rho=10.0 ** rng.uniform(-8, 8),
        activity_alpha=float(rng.choice([0.0, 5.0, 1e3])),
        batch_size=int(rng.integers(1, n + 1)),
        seed=seed,
        solver=Feasible(single_precision=bool(rng.random() < 0.5)),
    )
    check_sound(records, coefs, intercepts)
    assert all(W.dtype == dtype for W in [*coefs, *intercepts])


def test_constant_columns_are_harmless():
    X, Y = data()
    wide = np.column_stack([X, np.full(len(X), 1e8), np.zeros(len(X))])
    for penalty in ("l2", "l1"):
        records, coefs, intercepts = fitted(wide, Y, penalty=penalty, alpha=0.01, epochs=10)
        check_sound(records, coefs, intercepts)
        np.testing.assert_array_equal(coefs[0][-2:], 0.0)


@pytest.mark.parametrize(("n", "d"), [(40, 200), (300, 40)])
@pytest.mark.parametrize("decomposition", [1500, 10])
def test_wide_data(n, d, decomposition):
    """Dual and sketched forms of the first layer's metric learn what the primal one learns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d))
    X += 0.1 * rng.standard_normal((n, d))
    Y = np.tanh(X[:, :1] - X[:, 1:2])
    constants = replace(CONSTANTS, limits=replace(LIMITS, decomposition=decomposition))
    records, coefs, intercepts = fitted(
        X, Y, hidden=(20,), activity_alpha=None, constants=constants, epochs=60
    )
    check_sound(records, coefs, intercepts)
    z = forward(X, coefs, intercepts, [get_activation("relu")])
    assert ((z - Y) ** 2).mean() < 0.15 * Y.var()


def hard_sparse_data(n=200, d=300):
    """Few entries; constant columns, columns and samples far from all others."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])
    X[rng.random(X.shape) < 0.9] = 0.0
    X[4] *= 30.0
    X[:, 3] = 0.0
    X[:, 5] *= 100.0
    X[:, 7] += 30.0 * (X[:, 7] != 0)
    X[:, 9] = 5000.0 + X[:, 9]
    return X, Y


WEIGHT = np.random.default_rng(1).uniform(0.2, 3.0, 200)


@pytest.mark.parametrize("form", ["sketched", "dual", "axes"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight": WEIGHT, "alpha": 1.0},
        {"penalty": "l1", "alpha": 0.1},
        {"penalty": "group", "alpha": 0.1, "weight": WEIGHT},
        {"hidden": ()},
        {"hidden": (10, 10, 10), "activation": "tanh", "activity_alpha": 0.0},
        {"activation": "logistic", "momentum": 0.0},
        {"momentum": 0.3},
    ],
    ids=lambda given: ", ".join(name if name == "weight" else f"{name}={given[name]}"
                                for name in given) or "plain",
)  # fmt: skip
@pytest.mark.slow
def test_never_dense_is_the_same(settings, form):
    """From a dense X and from a sparse one whose samples are never changed to coordinates."""
    X, Y = hard_sparse_data() if form != "axes" else hard_sparse_data(d=60)
    momentum = settings.get("momentum", 0.9)
    settings = {key: value for key, value in settings.items() if key != "momentum"}
    decomposition = {"sketched": 10, "dual": 250, "axes": 1500}[form]
    found = []
    for held, small in ((X, 2**22), (sp.csr_array(X), 1)):
        limits = replace(
            LIMITS, decomposition=decomposition, small=small, entries=3 if small == 1 else 8,
            sketch=40, sketch_numbers=2**22, rotation=10 if form == "axes" else 400,
        )  # fmt: skip
        constants = replace(CONSTANTS, limits=limits)
        solver = Feasible(momentum=momentum, single_precision=False, constants=constants)
        run = run_of(held, Y, solver=solver, batch_size=20, **{"activity_alpha": None, **settings})
        records = list(islice(run, 3))
        coefs, intercepts = run.weights()
        found.append([*coefs, *intercepts, records[-1].loss])
    if form == "sketched":
        assert isinstance(run.step.network.first, LazyInputLayer) == (
            run.step.prepared.input.projections is not None
        )
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("single", "far"), [(False, True), (True, False), (True, True)])
@pytest.mark.slow
def test_lazy_is_dense_with_blocks_of_the_penalties_in_between(single, far):
    """Many small batches: the block on the first layer also comes within an epoch.

    With a column far from zero the products are in double precision, whatever the weights are.
    """
    X, Y = hard_sparse_data()
    X[:, 9] *= far
    found = []
    for held, small in ((X, 2**22), (sp.csr_array(X), 1)):
        limits = replace(LIMITS, decomposition=10, small=small, sketch=20, sketch_numbers=2**22)
        constants = replace(CONSTANTS, limits=limits, tuned=replace(TUNED, refresh_every=5))
        solver = Feasible(single_precision=single, constants=constants)
        run = run_of(held, Y, solver=solver, batch_size=2, weight=WEIGHT, alpha=0.2)
        list(islice(run, 4))
        found.append([*run.weights()[0], *run.weights()[1]])
    first = run.step.network.first
    assert isinstance(first, LazyInputLayer) and run.step.first_every < run.source.n_batches
    assert first.X.dtype == (np.float32 if single and not far else float)
    assert first.V.dtype == (np.float32 if single else float)
    tolerance = 1e-2 if single else 1e-6
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * np.abs(a).max())


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.slow
def test_eight_hidden_layers_learn(activation):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    Y = (X[:, :1] * X[:, 1:2] > 0).astype(float)
    _, coefs, intercepts = fitted(
        X, Y, LogisticLoss(), hidden=(20,) * 8, activation=activation, batch_size=50,
        activity_alpha=None, epochs=100, solver=Feasible(),
    )  # fmt: skip
    z = forward(X, coefs, intercepts, [get_activation(activation)] * 8)
    assert ((z > 0) == (Y > 0.5)).mean() > 0.9


@pytest.mark.parametrize("n", [1, 45])
@pytest.mark.parametrize("hidden", [(8,), (16, 7)])
def test_samples_that_are_all_alike_need_no_large_weights(n, hidden):
    """Hidden layers say the same for all: how they move must not pass for their spread."""
    X = np.tile([[-30.0, 0.5, 7.0]], (n, 1))
    Y = 12.0 + 0.3 * np.random.default_rng(n).standard_normal((n, 1))
    for seed in range(5):
        _, W, b = fitted(X, Y, hidden=hidden, seed=seed, batch_size=n, epochs=200)
        assert max(np.abs(V).max() for V in W[1:]) < 3.0
        output = forward(X, W, b, [get_activation("relu")] * len(hidden))
        np.testing.assert_allclose(output, np.full((n, 1), Y.mean()), rtol=1e-4)
