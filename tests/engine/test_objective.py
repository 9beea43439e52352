"""J: its terms, and its value by forward passes over the layers of a run."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.full_batch import full_batch_run
from skmdlam.engine.loop.run import minimize
from skmdlam.engine.mini_batches import mini_batch_run
from skmdlam.engine.objective import LayerObjective
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Settings
from skmdlam.engine.steps.proximal import ProximalMethod
from skmdlam.engine.steps.quasi_newton import SecantMethod
from skmdlam.losses import AbsoluteError, Huber, LogisticLoss, Poisson, SquaredError
from skmdlam.penalties import get_penalty


def data(n=130, d=7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-1, 1, d) + 1.0
    X[:, 2] = 4.0
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 3] - X[:, 0]])
    return X, 20.0 + 5.0 * Y


def target_of(loss, Y):
    if isinstance(loss, LogisticLoss):
        return (Y > 20.0).astype(float)
    return np.floor(np.abs(Y)) if isinstance(loss, Poisson) else Y


def run_of(X, Y, loss=SquaredError(), *, hidden=(8, 5), activation="tanh", penalty="l2",  # noqa: B008
           alpha=0.3, activity_alpha=7.0, column_alpha=1.5, upper_alpha=2.5, weight=None,
           batch_size=20,
           limits=LIMITS, tuned=TUNED, **options):  # fmt: skip
    solver = Feasible(
        column_alpha=column_alpha,
        upper_alpha=upper_alpha,
        constants=replace(CONSTANTS, limits=limits, tuned=tuned),
        **{"single_precision": False, **options},
    )
    activations = [get_activation(activation)] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    rng = np.random.RandomState(0)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    start = solver.initial_weights(sizes, rng, np.dtype(float), activations)
    settings = Settings(batch_size=batch_size, activity_alpha=activity_alpha, rng=rng)
    return mini_batch_run(solver, problem, *start, settings)


def unit_of(loss, Y, share):
    """The unit of the loss and that of the output, from the documentation."""
    centered = Y - share @ Y
    std = np.sqrt((share @ centered**2).mean())
    deviation = (share @ np.abs(centered)).mean()
    if isinstance(loss, Huber):
        return std**2 * min(1.0, loss.delta / std), std
    if isinstance(loss, AbsoluteError):
        return deviation, deviation
    if isinstance(loss, Poisson):
        return (share @ Y).mean(), 1.0
    return (1.0, 1.0) if isinstance(loss, LogisticLoss) else (std**2, std)


def documented(X, Y, coefs, intercepts, loss, *, activation, penalty, alpha, activity_alpha,
               column_alpha, upper_alpha, weight):  # fmt: skip
    """J of the docstring of Feasible, per unit of weight."""
    s = np.ones(len(X)) if weight is None else weight
    share, total = s / s.sum(), s.sum()
    unit, scale = unit_of(loss, Y, share)
    h = get_activation(activation)
    z, spread, upper = X, 0.0, 0.0
    for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = (h.value(z) if layer else z) @ W + b
        size = scale if layer == len(coefs) - 1 else 1.0
        spread += (share @ ((z - share @ z) / size) ** 2).sum()
        upper += np.sum((W / size) ** 2) if layer else 0.0
    std2 = share @ (X - share @ X) ** 2
    columns = np.log(1 + 10 * std2 * (coefs[0] ** 2).sum(axis=1)).sum()
    columns *= np.sqrt(np.sum(std2 > 1e-20)) * min(1.0, total / len(X))
    J = s @ loss.value(z, Y)
    J += alpha * sum(get_penalty(penalty).value(W) for W in coefs)
    J += 0.5 * unit * (activity_alpha * spread + column_alpha * columns + upper_alpha * upper)
    return J / total


@pytest.mark.parametrize("mean", [None, 1.0, 0.1, 30.0])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": Huber(0.5)},
        {"loss": AbsoluteError(), "activation": "relu"},
        {"loss": LogisticLoss(), "hidden": ()},
        {"loss": Poisson(), "hidden": (6,)},
        {"penalty": "l1", "alpha": 0.05},
        {"alpha": 0.0, "activity_alpha": 0.0, "column_alpha": None, "upper_alpha": None},
        {"alpha": 0.0, "activity_alpha": 0.01, "upper_alpha": 40.0},
        {"activity_alpha": 3.0, "column_alpha": 0.0, "batch_size": 130},
    ],
    ids=str,
)
def test_last_loss_is_the_documented_objective(settings, mean):
    """Recomputed by hand from the weights that are returned; with weights of any mean."""
    X, Y = data()
    settings = dict(settings)
    loss = settings.pop("loss", SquaredError())
    Y = target_of(loss, Y)
    weight = None
    if mean is not None:
        weight = np.random.default_rng(1).uniform(0.2, 2.0, len(X))
        weight *= mean / weight.mean()
    given = None if weight is None else weight.copy()
    run = run_of(X, Y, loss, weight=weight, **settings)
    records = [next(run) for _ in range(4)]
    assert weight is None or np.array_equal(weight, given)
    settings.pop("hidden", None), settings.pop("batch_size", None)
    terms = {"activation": "tanh", "penalty": "l2", "alpha": 0.3, "activity_alpha": 7.0,
             "column_alpha": 1.5, "upper_alpha": 2.5, **settings}  # fmt: skip
    for name in ("column_alpha", "upper_alpha"):
        terms[name] = terms[name] or 0.0
    J = documented(X, Y, *run.weights(), loss, weight=weight, **terms)
    assert records[-1].loss == pytest.approx(J, rel=1e-7)
    assert records[-1].objective == records[-1].loss

    unit = unit_of(
        loss, Y, np.full(len(X), 1 / len(X)) if weight is None else weight / weight.sum()
    )
    assert run.objective.terms.alpha == pytest.approx(terms["alpha"] / unit[0], abs=0)

    # Also where the network is not that of the best epoch, and its data term.
    value = run.objective()
    frame, network = run.step.prepared.frame, run.step.network
    coefs, intercepts = frame.projected(network.weights)
    J = documented(X, Y, coefs, intercepts, loss, weight=weight, **terms)
    assert value.objective * frame.unit == pytest.approx(J, rel=1e-7)
    z = forward(X, coefs, intercepts, network.activations)
    share = np.full(len(X), 1 / len(X)) if weight is None else weight / weight.sum()
    assert value.data * frame.unit == pytest.approx(share @ loss.value(z, Y), rel=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "penalty", "alpha"),
    [
        (SquaredError(), "l2", 0.4),
        (Huber(0.5), "l2", 0.0),
        (LogisticLoss(), "l1", 0.05),
        (Poisson(), "l2", 0.0),
        (AbsoluteError(), "l1", 0.05),
    ],
    ids=str,
)
@pytest.mark.parametrize("hidden", [(5,), (6, 4)])
def test_every_run_has_the_same_objective(loss, penalty, alpha, hidden, weighted):
    """That of the documentation, at weights and with strengths that are handed in."""
    X, Y = data()
    Y = target_of(loss, Y)
    rng = np.random.default_rng(3)
    weight = rng.uniform(0.1, 0.9, len(X)) if weighted else None
    sizes = [7, *hidden, 2]
    coefs = [rng.standard_normal((m, k)) / m for m, k in pairwise(sizes)]
    coefs[0][2] = 0.0  # a constant column has no weights
    intercepts = [rng.standard_normal(k) for k in sizes[1:]]
    if loss.out_activation == "identity":
        coefs[-1], intercepts[-1] = 10.0 * coefs[-1], 10.0 * intercepts[-1] + 20.0
    strengths = {"activity_alpha": 3.0, "column_alpha": 0.8, "upper_alpha": 6.0}
    solver = Feasible(single_precision=False, patience=2, cool_down=2, **strengths)
    activations = [get_activation("tanh")] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    settings = Settings(batch_size=20, warm=True, rng=np.random.RandomState(0))
    batches = mini_batch_run(solver, problem, coefs, intercepts, settings)
    full = full_batch_run(solver, problem, coefs, intercepts, settings)
    assert type(full.step.method) is (SecantMethod if problem.quadratic else ProximalMethod)
    given = {"loss": loss, "activation": "tanh", "penalty": penalty, "alpha": alpha,
             "weight": weight, **strengths}  # fmt: skip
    frame = batches.step.prepared.frame
    J = documented(X, Y, coefs, intercepts, **given)
    without = documented(X, Y, coefs, intercepts, **{**given, "upper_alpha": 0.0})
    assert 1.001 * without < J
    for run in (batches, full):
        assert tuple(run.regularization.penalties.values()) == (3.0, 0.8, 6.0)
        assert run.estimated is None
        assert run.objective().objective * frame.unit == pytest.approx(J, rel=1e-9)
    # A stream, which has a unit for each target, of one and at the weights that it begins with.
    Y, coefs[-1], intercepts[-1] = Y[:, :1], coefs[-1][:, :1], intercepts[-1][:1]
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    run = solver.stream(problem, coefs, intercepts, None, rng=np.random.RandomState(0))
    frame = run.step.prepared.frame
    J = documented(X, Y, *frame.projected(run.step.network.weights), **given)
    assert run.judge._objective().objective * frame.unit == pytest.approx(J, rel=1e-9)


def rescaled(coefs, intercepts, layer, unit, c):
    """The same network: a layer (or a unit of it) times c, and the layer above divided by it."""
    coefs, intercepts = [W.copy() for W in coefs], [b.copy() for b in intercepts]
    units = slice(None) if unit is None else [unit]
    coefs[layer][:, units] *= c
    intercepts[layer][units] *= c
    coefs[layer + 1][units] /= c
    return coefs, intercepts


def swept(X, Y, loss, hidden, sweeps, **options):
    """Sweeps over all samples: the run and its weights."""
    activations = [get_activation("relu")] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty("l2"), 0.0)
    solver = Feasible(**options)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    start = solver.initial_weights(sizes, np.random.RandomState(0), float, activations)
    run = solver.start(problem, *start, batch_size=len(X), max_iter=sweeps, tol=0.0)
    result = minimize(run, max_iter=sweeps, tol=0.0, n_iter_no_change=100)
    return run, result.coefs, result.intercepts


SCALES = [0.5, 0.8, 0.9, 0.97, 0.99, 0.999, 1.001, 1.01, 1.03, 1.1, 1.25, 2.0]


@pytest.mark.parametrize("loss", [SquaredError(), LogisticLoss()], ids=repr)
@pytest.mark.parametrize("hidden", [(4,), (4, 3)])
@pytest.mark.slow
def test_at_the_minimum_no_rescaling_of_layers_gains(hidden, loss):
    """What a unit saves in activity it costs in the weights above it, and the other way."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((40, 3)) * (1.0, 30.0, 0.1) + 2.0
    y = X[:, :1] - np.abs(X[:, 1:2] / 30.0) + 0.5 * rng.standard_normal((40, 1))
    Y = 7.0 * y if isinstance(loss, SquaredError) else (y > np.median(y)).astype(float)
    run, *found = swept(X, Y, loss, hidden, 300)
    activations = run.step.setting.problem.activations
    strengths = run.regularization.penalties
    assert min(strengths.values()) > 0.0
    given = {"loss": loss, "activation": "relu", "penalty": "none", "alpha": 0.0, "weight": None}

    def J(weights, **others):
        return documented(X, Y, *weights, **given, **{**strengths, **others})

    def balanced(logarithms, weights=found):
        units = [(layer, unit) for layer, width in enumerate(hidden) for unit in range(width)]
        for (layer, unit), logarithm in zip(units, logarithms, strict=True):
            weights = rescaled(*weights, layer, unit, np.exp(logarithm))
        return weights

    assert run.objective().objective * run.objective_unit == pytest.approx(J(found), rel=1e-9)
    best = scipy.optimize.minimize(
        lambda logarithms: J(balanced(logarithms)) / J(found),
        np.zeros(sum(hidden)),
        jac="3-point",
        options={"gtol": 1e-9},
    )
    # The sweeps end at kinks of the network, where slopes of J are not quite zero.
    assert 1.0 - 1e-3 < best.fun <= 1.0
    weights = balanced(best.x)
    least, z = J(weights), forward(X, *weights, activations)
    none = dict.fromkeys(strengths, 0.0)
    for layer, width in enumerate(hidden):
        for unit in (None, *range(width)):
            for c in SCALES:
                other = rescaled(*weights, layer, unit, c)
                np.testing.assert_allclose(forward(X, *other, activations), z, rtol=1e-9, atol=1e-9)
                # The slopes found by differences are exact to 1e-10 of J.
                assert J(other) >= least * (1 - 1e-8)
                assert J(other, **none) == pytest.approx(J(weights, **none), rel=1e-9)
                if unit is None:
                    # Without the penalty on upper weights the layer would shrink for ever.
                    lower = J(other, upper_alpha=0.0) < J(weights, upper_alpha=0.0)
                    assert lower == (c < 1.0)


def test_without_activity_upper_weights_cost_nothing():
    """Then J is the same in every scale of a layer."""
    X, Y = data(n=40)
    run, *weights = swept(
        X, Y, SquaredError(), (5, 4), 5, activity_alpha=0.0, upper_alpha=5.0, column_alpha=2.0
    )
    assert set(run.regularization.penalties.values()) == {0.0}
    setting = run.step.setting
    before = setting.objective(setting.place(*weights))[0]
    for layer in (0, 1):
        for c in (0.1, 10.0):
            other = setting.place(*rescaled(*weights, layer, None, c))
            assert setting.objective(other)[0] == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("lazy", [False, True])
def test_of_a_sparse_matrix_and_in_any_chunks(lazy):
    """Samples that have to become dense do so by the batch."""
    X, Y = data(d=30)
    X[np.random.default_rng(0).random(X.shape) < 0.8] = 0.0
    limits = replace(LIMITS, small=1, entries=1, decomposition=10, sketch=5, sketch_numbers=500)
    limits = replace(limits, measured_rows=17, lazy=lazy)
    weight = np.random.default_rng(1).uniform(0.2, 2.0, len(X))
    settings = {"activation": "tanh", "penalty": "l2", "alpha": 0.3, "activity_alpha": 7.0,
                "upper_alpha": 2.5}  # fmt: skip
    for hidden in ((8, 5), (60,)):
        run = run_of(sp.csr_array(X), Y, hidden=hidden, limits=limits, weight=weight, batch_size=9)
        record = next(run)
        J = documented(
            X, Y, *run.weights(), SquaredError(), column_alpha=1.5, weight=weight, **settings
        )
        assert record.loss == pytest.approx(J, rel=1e-6)
        sizes = {rows.stop - rows.start for rows in run.objective.chunks}
        assert max(sizes) == (17 if lazy or not run.step.network.first.dense else 9)


def test_many_samples_are_measured_in_part():
    """A random part, the same in every epoch and run; never of weighted samples."""
    X, Y = data(n=400)
    tuned = replace(TUNED, all_measured=399, measured=90, measured_share=0.25)
    limits = replace(LIMITS, measured_rows=33)
    run = run_of(X, Y, tuned=tuned, limits=limits)
    rows = np.concatenate(run.objective.chunks)
    assert run.objective.n == rows.size == np.unique(rows).size == 100
    assert (np.diff(rows) > 0).all() and rows[0] < 20 and rows[-1] > 380
    again = run_of(X, Y, tuned=tuned, limits=limits)
    np.testing.assert_array_equal(rows, np.concatenate(again.objective.chunks))
    record = next(run)
    coefs, intercepts = run.weights()
    # The variances are those of the part, units and columns those of all.
    frame, whole = run.step.prepared.frame, np.full(400, 1 / 400)
    unit, scale = unit_of(SquaredError(), Y, whole)
    assert frame.unit == pytest.approx(unit)
    z, spread, upper = X[rows], 0.0, 0.0
    for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = (np.tanh(z) if layer else z) @ W + b
        spread += z.var(axis=0).sum() / (scale**2 if layer == 2 else 1.0)
        upper += np.sum(W**2) * (0.0, 1.0, scale**-2)[layer]
    columns = np.log(1 + 10 * X.var(axis=0) * (coefs[0] ** 2).sum(axis=1)).sum() * np.sqrt(6)
    J = SquaredError().value(z, Y[rows]).mean()
    J += 0.3 / 2 * sum(np.sum(W**2) for W in coefs) / 400
    J += unit / 2 * (7 * spread + 1.5 * columns + 2.5 * upper) / 400
    assert record.loss == pytest.approx(J, rel=1e-7)

    more = replace(tuned, measured=200)
    assert run_of(X, Y, tuned=more).objective.n == 200
    assert run_of(X, Y, tuned=replace(tuned, all_measured=400)).objective.n == 400
    weighted = run_of(X, Y, weight=np.full(400, 2.0), tuned=tuned)
    assert weighted.objective.n == 400
    # Exact sweeps go on from here and measure all.
    assert run_of(X, Y, penalty="l1", tuned=tuned).objective.n == 400
    step = run.step
    everything = LayerObjective(
        step.network, step.prepared, run.objective.terms, 20, all_samples=True, tuned=tuned
    )
    assert everything.n == 400


def test_constraints_are_checked_inside_of_the_domain():
    """Rounding of weights that end at a bound does not make J infinite."""
    X, Y = data()
    run = run_of(X, Y, penalty="nonnegative", activity_alpha=0.0)
    next(run)
    frame, network = run.step.prepared.frame, run.step.network
    assert min(W.min() for W in frame.outer(network.weights)[0]) < 0.0
    z = forward(X, *frame.projected(network.weights), network.activations)
    assert np.isfinite(run.objective().objective) and np.isfinite(z).all()


def test_loss_of_each_sample():
    X, Y = data()
    run = run_of(X, Y, limits=replace(LIMITS, measured_rows=40))
    next(run)
    network, frame = run.step.network, run.step.prepared.frame
    z = forward(X, *frame.outer(network.weights), network.activations)
    expected = SquaredError().value(z, Y) / frame.unit
    np.testing.assert_allclose(run.objective.per_sample(), expected, rtol=1e-7)
    chunks = run.objective.chunks[1:2]
    np.testing.assert_allclose(run.objective.per_sample(chunks), expected[40:80], rtol=1e-7)


@pytest.mark.parametrize(
    ("settings", "none"),
    [
        ({"alpha": 0.0, "activity_alpha": 0.0}, True),
        ({"alpha": 0.1, "activity_alpha": 0.0}, False),
        ({"alpha": 0.0, "activity_alpha": 1.0}, False),
        ({"alpha": 0.0, "activity_alpha": 0.0, "upper_alpha": 3.0}, True),
    ],
)
def test_whether_there_is_any_penalty(settings, none):
    X, Y = data()
    assert run_of(X, Y, **settings).objective.terms.none == none
