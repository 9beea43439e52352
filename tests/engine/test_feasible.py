"""Solver "feasible" in mini-batches."""

import itertools
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.moments import column_moments
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.units import InputSpace, SampleDirections, most_directions
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    Poisson,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import Box, NonNegative, get_penalty

FEASIBLE = Feasible()


def run_of(
    X,
    Y,
    loss,
    *,
    hidden=(20,),
    activation="relu",
    penalty="l2",
    alpha=0.0,
    weight=None,
    seed=0,
    rho="auto",
    max_iter=None,
    solver=FEASIBLE,
    **options,
):
    """A run on the data from a random start."""
    activations = [get_activation(activation)] * len(hidden)
    problem = Problem(X, Y, activations, loss, get_penalty(penalty), alpha, weight)
    rng = np.random.RandomState(seed)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
    if rho == "auto":
        rho = None
    return solver.start(
        problem, coefs, intercepts, rho=rho, max_iter=max_iter or 200, rng=rng, **options
    )


def fitted(*args, **kwargs):
    """Records and weights of a run carried to its end."""
    run = run_of(*args, **kwargs)
    records = list(itertools.islice(run, kwargs.get("max_iter") or 100))
    return records, *run.weights()


def data(n=300, d=6, seed=0, dtype=float):
    """Inputs and a smooth target of two outputs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])
    return X.astype(dtype), Y.astype(dtype)


def target_of(loss, n, outputs, scale, rng):
    """A target that the loss accepts."""
    if isinstance(loss, SoftmaxCrossEntropy):
        return np.eye(outputs)[rng.integers(outputs, size=n)]
    if isinstance(loss, LogisticLoss):
        return rng.integers(2, size=(n, outputs)).astype(float)
    if loss.name == "poisson":
        return rng.poisson(3.0, size=(n, outputs)) * min(max(scale, 1e-4), 1e4)
    return scale * rng.standard_t(2, size=(n, outputs))


def check_sound(records, coefs, intercepts):
    losses = [record.loss for record in records]
    assert all(later <= earlier for earlier, later in pairwise(losses))
    assert all(np.isfinite(W).all() for W in [*coefs, *intercepts])


@pytest.mark.parametrize("seed", range(60))
def test_any_configuration_is_monotone_and_finite(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 120)), int(rng.integers(1, 30))
    outputs = int(rng.integers(1, 4))
    losses = [SoftmaxCrossEntropy(), LogisticLoss(), *(c() for c in REGRESSION_LOSSES.values())]
    loss = losses[rng.integers(len(losses))]
    if isinstance(loss, SoftmaxCrossEntropy):
        outputs = max(outputs, 2)
    dtype = rng.choice([np.float32, np.float64])
    scale = 10.0 ** rng.uniform(-8, 8)
    X = (scale * rng.standard_t(2, size=(n, d)) + scale * rng.normal()).astype(dtype)
    X[:, 0] = X[0, 0]
    Y = target_of(loss, n, outputs, 10.0 ** rng.uniform(-8, 8), rng).astype(dtype)
    records, coefs, intercepts = fitted(
        X,
        Y,
        loss,
        hidden=tuple(rng.integers(1, 12, size=rng.integers(0, 9))),
        activation=str(rng.choice(sorted(ACTIVATIONS))),
        alpha=float(rng.choice([0.0, 1e-4, 1.0, 1e3])),
        penalty=str(rng.choice(["l2", "l1", "elasticnet", "nonnegative", "box", "group", "none"])),
        weight=rng.choice([None, 1]) and rng.uniform(1e-3, 1e3, n).astype(dtype),
        rho=10.0 ** rng.uniform(-8, 8),
        activity_alpha=float(rng.choice([0.0, 5.0, 1e3])),
        batch_size=rng.choice([None, int(rng.integers(1, n + 1))]),
        max_iter=int(rng.integers(1, 12)),
        seed=seed,
    )
    check_sound(records, coefs, intercepts)
    assert all(W.dtype == dtype for W in [*coefs, *intercepts])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_seed_same_bits(dtype):
    X, Y = data(dtype=dtype)
    one, two = (fitted(X, Y, SquaredError(), max_iter=10, seed=3) for _ in range(2))
    assert [record.loss for record in one[0]] == [record.loss for record in two[0]]
    for a, b in zip(one[1] + one[2], two[1] + two[2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_last_loss_is_the_objective_of_the_weights():
    X, Y = data()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    alpha, activity_alpha = 0.3, 7.0
    run = run_of(
        X,
        Y,
        SquaredError(),
        hidden=(8, 5),
        weight=weight,
        alpha=alpha,
        activity_alpha=activity_alpha,
        max_iter=15,
    )
    records = list(itertools.islice(run, 15))
    coefs, intercepts = run.weights()
    share = weight / weight.sum()
    centre = share @ Y
    unit = (share @ (Y - centre) ** 2).mean()
    z = X @ coefs[0] + intercepts[0]
    variance = share @ (z - share @ z) ** 2
    total = variance.sum()
    for layer in (1, 2):
        z = np.maximum(z, 0) @ coefs[layer] + intercepts[layer]
        if layer < 2:
            total += (share @ (z - share @ z) ** 2).sum()
    # The output is in units of the target itself, so its variance needs no unit.
    output = (share @ (z - share @ z) ** 2).sum()
    columns = np.log1p(10 * (share @ (X - share @ X) ** 2) * (coefs[0] ** 2).sum(axis=1))
    J = (
        weight @ (0.5 * ((z - Y) ** 2).sum(axis=1))
        + alpha / 2 * sum((W**2).sum() for W in coefs)
        + activity_alpha / 2 * (unit * total + output)
        + run.strengths.column_alpha * np.sqrt(X.shape[1]) / 2 * unit * columns.sum()
    )
    np.testing.assert_allclose(records[-1].loss, J / weight.sum(), rtol=1e-4)


def test_many_samples_are_measured_in_part(monkeypatch):
    """The same part of them in every epoch: the curve never rises, and is near that of them all."""
    X, Y = data(n=2000)
    X, Y = np.clip(X, -1.5, 1.5), np.clip(Y, -2.0, 2.0)
    whole = run_of(X, Y, SquaredError(), alpha=0.1)
    monkeypatch.setattr("skmdlam.engine.feasible._ALL_MEASURED", 1999)
    monkeypatch.setattr("skmdlam.engine.feasible._MEASURED", 700)
    part = run_of(X, Y, SquaredError(), alpha=0.1)
    assert whole.n_measured == 2000
    assert part.n_measured == np.unique(np.concatenate(part._chunks)).size == 700
    records = list(itertools.islice(part, 12))
    check_sound(records, *part.weights())
    part.V = whole.V = part._kept
    assert part._objective()[0] * part.unit == records[-1].loss
    assert whole._objective()[0] * whole.unit == pytest.approx(records[-1].loss, rel=0.15)


def test_weighted_samples_are_measured_in_full(monkeypatch):
    """One sample may be worth more than all others."""
    monkeypatch.setattr("skmdlam.engine.feasible._ALL_MEASURED", 50)
    X, Y = data()
    run = run_of(X, Y, SquaredError(), weight=np.random.default_rng(0).uniform(0.5, 2.0, len(X)))
    assert run.n_measured == len(X)


def test_weights_that_exact_sweeps_go_on_from_are_measured_in_full(monkeypatch):
    """J of a part is below that of all here: the sweeps would seem to stall at once."""
    monkeypatch.setattr("skmdlam.engine.feasible._ALL_MEASURED", 199)
    monkeypatch.setattr("skmdlam.engine.feasible._MEASURED", 20)
    X, Y = data(n=200)
    Y[np.random.RandomState(0).permutation(200)[20:]] *= 3.0
    run = run_of(X, Y, SquaredError(), penalty="l1", alpha=0.1, activity_alpha=0.0, batch_size=50)
    for record in itertools.islice(run, 150):
        coefs, intercepts = run.weights()
        expected = run_objective(X, Y, coefs, intercepts, alpha=0.1)
        assert record.loss == pytest.approx(expected, rel=1e-5)
    assert record.settled


def run_objective(X, Y, coefs, intercepts, *, alpha):
    z = forward(X, coefs, intercepts, [get_activation("relu")] * (len(coefs) - 1))
    return (0.5 * np.sum((z - Y) ** 2) + alpha * sum(np.abs(W).sum() for W in coefs)) / len(X)


def test_a_loss_may_be_negative():
    """Its constant has a say in when the schedule ends, not in which epochs are taken back."""

    class Lowered(Poisson):
        def value(self, z, y):
            return super().value(z, y) - 4.0

    X, Y = data()
    counts = np.random.default_rng(0).poisson(np.exp(Y)).astype(float)
    long = Feasible(cool_down=30)
    plain, _, _ = fitted(X, counts, Poisson(), solver=long)
    lowered, _, _ = fitted(X, counts, Lowered(), solver=long)
    assert lowered[-1].loss < 0.0
    assert lowered[-1].loss + 4.0 * counts.mean() <= 1.02 * plain[-1].loss
    assert lowered[-1].rho <= plain[-1].rho


@pytest.mark.parametrize("penalty", [NonNegative(), Box(-0.1, 0.2)])
def test_a_start_outside_of_the_constraints_has_no_objective(penalty):
    """Random weights break them, and their J is not that of the projected ones."""
    X, Y = data()
    for seed in range(20):
        batches = run_of(
            X,
            Y,
            SquaredError(),
            hidden=(6, 5),
            penalty=penalty,
            alpha=0.01,
            activity_alpha=0.0,
            seed=seed,
        )._run
        assert batches.best == np.inf
        record = next(batches)
        problem, weights = batches.problem, batches.weights()
        expected = problem.training_objective(*weights) / len(X)
        assert record.loss == pytest.approx(expected, rel=1e-4)
        warm = Feasible().start(problem, *weights, activity_alpha=0.0, warm=True)._run
        assert warm.best * warm.unit == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("hidden", [(), (15,), (10, 10)])
def test_one_batch_takes_weights_for_repeated_rows(hidden):
    X, Y = data(n=80)
    counts = np.random.default_rng(1).integers(1, 4, len(X))
    rho = 60.0
    once = fitted(
        X,
        Y,
        SquaredError(),
        hidden=hidden,
        weight=counts.astype(float),
        batch_size=80,
        rho=rho,
        max_iter=20,
    )
    many = fitted(
        np.repeat(X, counts, axis=0),
        np.repeat(Y, counts, axis=0),
        SquaredError(),
        hidden=hidden,
        batch_size=int(counts.sum()),
        rho=rho,
        max_iter=20,
    )
    for a, b in zip(once[1] + once[2], many[1] + many[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_units_of_the_columns_and_the_target_do_not_matter():
    X, Y = data(n=400)
    units = 10.0 ** np.random.default_rng(0).uniform(-6, 6, X.shape[1])
    offset = np.random.default_rng(1).normal(size=X.shape[1])
    plain = fitted(X, Y, SquaredError(), max_iter=20)
    other = fitted((X + offset) * units, 1e6 * Y - 5e5, SquaredError(), max_iter=20)
    activations = [get_activation("relu")]
    first = forward(X, plain[1], plain[2], activations)
    second = forward((X + offset) * units, other[1], other[2], activations)
    np.testing.assert_allclose((second + 5e5) / 1e6, first, atol=0.02)
    np.testing.assert_allclose(
        [record.loss / 1e12 for record in other[0]],
        [record.loss for record in plain[0]],
        rtol=0.05,
    )


@pytest.mark.parametrize("n", [400, 5000, 20_011])
def test_constant_columns_have_no_spread(n):
    """Rounding of the mean leaves 6e-16 of -0.0173 in 5000 rows, which is no column to scale up."""
    values = np.array([-0.017331540685, 0.1, 1e6 / 3])
    varies = np.random.RandomState(0).standard_normal((n, 1))
    X = np.hstack([np.tile(values, (n, 1)), varies])
    mean, std = column_moments(X, np.full(n, 1.0 / n))
    assert (std[:3] <= 1e-17 * np.abs(values)).all()
    np.testing.assert_allclose(mean[:3], values, rtol=1e-15)
    assert std[3] == pytest.approx(varies.std(), rel=1e-12)
    space = InputSpace(X, None, np.float64, np.random.RandomState(0))
    assert (space.std[:3] == 0).all()


def test_constant_columns_are_harmless():
    X, Y = data()
    wide = np.column_stack([X, np.full(len(X), 1e8), np.zeros(len(X))])
    records, coefs, intercepts = fitted(wide, Y, SquaredError(), max_iter=20)
    check_sound(records, coefs, intercepts)
    np.testing.assert_array_equal(coefs[0][-2:], 0.0)


@pytest.mark.parametrize(("n", "d"), [(40, 200), (300, 40)])
def test_wide_data(n, d, monkeypatch):
    """Dual and sketched forms of the first layer's metric learn what the primal one learns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d))
    X += 0.1 * rng.standard_normal((n, d))
    Y = np.tanh(X[:, :1] - X[:, 1:2])
    for largest in (1500, 10):
        monkeypatch.setattr("skmdlam.engine.units._LARGEST_DECOMPOSITION", largest)
        records, coefs, intercepts = fitted(X, Y, SquaredError(), max_iter=60)
        check_sound(records, coefs, intercepts)
        z = forward(X, coefs, intercepts, [get_activation("relu")])
        assert ((z - Y) ** 2).mean() < 0.15 * Y.var()


def correlated(n=300, d=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d)) + rng.standard_normal((n, d))
    X[:, 3] = 2.0
    return X * 10.0 ** rng.uniform(-2, 2, d) + rng.standard_normal(d)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leading_directions(dtype, monkeypatch):
    """Coordinates in which only the leading directions are turned: near the exact metric."""
    X = correlated().astype(dtype)
    exact = InputSpace(X, None, np.float64, np.random.RandomState(0))
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_ROTATION", 10)
    space = InputSpace(X, None, np.float64, np.random.RandomState(0))
    assert space.size == 40 and space.variance.size == 5
    rng = np.random.default_rng(1)
    V = rng.standard_normal((41, 3))
    W, b = space.expand(V)
    np.testing.assert_allclose(X @ W + b, space.U @ V, rtol=1e-4, atol=1e-4)
    varies = np.arange(40) != 3
    np.testing.assert_allclose(space.contract(W, b)[:-1][varies], V[:-1][varies], atol=1e-6)
    # The metric is T T', in the units of X.
    T, T_exact = (s.expand(np.eye(s.size + 1))[0][varies] * X[:, varies].std(axis=0)[:, None]
                  for s in (space, exact))  # fmt: skip
    P, P_exact = T @ T.T, T_exact @ T_exact.T
    assert np.linalg.norm(P - P_exact, 2) < 0.3 * np.linalg.norm(P_exact, 2)
    np.testing.assert_allclose(space.total_variance, np.square(space.U[:, :-1]).sum(1).mean(),
                               rtol=0.01)  # fmt: skip


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_penalties_in_leading_directions_are_exact(ridge, monkeypatch):
    """The block of the penalties against the linear system that it stands for."""
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_ROTATION", 10)
    X = correlated() / correlated().std(axis=0).clip(0.1)
    space = InputSpace(X, None, np.float64, np.random.RandomState(0))
    V = np.random.default_rng(1).standard_normal((41, 3))
    variance, columns = 0.7, 0.4
    charge = ridge * space.inverse_variance + columns / (0.1 + space.column_sizes(V))
    T = space.expand(np.eye(41))[0][:, :-1] * space.std[:, None]
    T[3] = 0.0  # the constant column
    Q = space._basis
    covariance = Q * (space.variance - space._variance_rest) @ Q.T
    covariance += space._variance_rest * np.eye(40)
    standard = space._rest * np.eye(40) + Q * (space._root - space._rest) @ Q.T
    np.testing.assert_allclose(standard[np.arange(40) != 3], T[np.arange(40) != 3], atol=1e-9)
    system = np.eye(40) + variance * covariance + standard.T @ (charge[:, None] * standard)
    expected = np.linalg.solve(system, V[:-1])
    intercept = V[-1].copy()
    space.shrink(V, variance, ridge, columns)
    np.testing.assert_allclose(V[:-1], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(V[-1], intercept)


@pytest.mark.parametrize(("decomposition", "small"), [(1500, 2**22), (10, 2**22), (10, 1)])
def test_sparse_is_dense(decomposition, small, monkeypatch):
    """The same fit from a sparse X, whether a dense copy of it is kept or not."""
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_DECOMPOSITION", decomposition)
    X, Y = data(n=200, d=30)
    X[np.random.default_rng(0).random(X.shape) < 0.9] = 0.0
    dense = fitted(X, Y, SquaredError(), max_iter=5)
    monkeypatch.setattr("skmdlam.engine.units._SMALL", small)
    monkeypatch.setattr("skmdlam.engine.units.most_directions", lambda X: 200)
    sparse = fitted(sp.csr_array(X), Y, SquaredError(), max_iter=5)
    for a, b in zip(dense[1] + dense[2], sparse[1] + sparse[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


def fitted_twice(monkeypatch, X, Y, *, decomposition, hidden=(20,), activation="relu",
                 penalty="l2", alpha=0.0, weight=None, batch_size=20, **options):  # fmt: skip
    """Weights from a dense X and from a sparse one that is never changed to other coordinates."""
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_DECOMPOSITION", decomposition)
    monkeypatch.setattr("skmdlam.engine.units.most_directions", lambda X: 200)
    activations = [get_activation(activation)] * len(hidden)
    solver = Feasible(**{"single_precision": False, **options})
    results, runs = [], []
    for data, small in ((X, 2**22), (sp.csr_array(X), 1)):
        monkeypatch.setattr("skmdlam.engine.units._SMALL", small)
        problem = Problem(data, Y, activations, SquaredError(), get_penalty(penalty), alpha, weight)
        rng = np.random.RandomState(0)
        sizes = [X.shape[1], *hidden, Y.shape[1]]
        start = solver.initial_weights(sizes, rng, X.dtype, activations)
        run = solver.start(problem, *start, rng=rng, batch_size=batch_size, max_iter=4)
        records = list(itertools.islice(run, 4))
        coefs, intercepts = run.weights()
        results.append([*coefs, *intercepts, records[-1].loss])
        runs.append(run)
    return *results, runs[1]


def hard_sparse_data(n=200, d=300):
    """Few entries; constant columns, columns and samples far from all others."""
    X, Y = data(n=n, d=d)
    X[np.random.default_rng(0).random(X.shape) < 0.9] = 0.0
    X[4] *= 30.0
    X[:, 3] = 0.0
    X[:, 5] *= 100.0
    X[:, 7] += 30.0 * (X[:, 7] != 0)
    X[:, 9] = 5000.0 + X[:, 9]
    return X, Y


WEIGHT = np.random.default_rng(1).uniform(0.2, 3.0, 200)


@pytest.mark.parametrize("decomposition", [10, 250])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight": WEIGHT},
        {"alpha": 1.0},
        {"penalty": "l1", "alpha": 0.1},
        {"penalty": "group", "alpha": 0.1, "weight": WEIGHT},
        {"hidden": ()},
        {"hidden": (10, 10, 10), "activation": "tanh"},
        {"activation": "logistic", "momentum": 0.0},
        {"momentum": 0.3},
        {"activity_alpha": 0.0},
    ],
    ids=lambda settings: ", ".join(
        name if name == "weight" else f"{name}={value}" for name, value in settings.items()
    ),
)
def test_never_dense_is_the_same(settings, decomposition, monkeypatch):
    """Sketched (10) and dual (250) forms; the momentum of .3 is renewed within an epoch."""
    X, Y = hard_sparse_data()
    stored, unstored, _ = fitted_twice(monkeypatch, X, Y, decomposition=decomposition, **settings)
    for a, b in zip(stored, unstored, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_penalties_between_lazy_steps(monkeypatch):
    """The block of the penalties on the first layer also comes within an epoch."""
    monkeypatch.setattr("skmdlam.engine.feasible.FeasibleRun.refresh_every", 5)
    X, Y = hard_sparse_data()
    stored, unstored, run = fitted_twice(monkeypatch, X, Y, decomposition=10, batch_size=5)
    assert run.first.lazy and run._first_every < 2 * run.n_batches
    for a, b in zip(stored, unstored, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [3, 30])
@pytest.mark.parametrize("rotation", [400, 10])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_tall_and_sparse(width, rotation, penalty, monkeypatch):
    """The primal form: all weights, or wide layers' samples, change coordinates in a batch."""
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_ROTATION", rotation)
    X, Y = hard_sparse_data(n=400, d=60)
    stored, unstored, run = fitted_twice(
        monkeypatch, X, Y, decomposition=1500, hidden=(width,), penalty=penalty, alpha=0.1
    )
    if penalty == "l2":
        assert (run.first is None) == (rotation == 400 and width == 30)
        assert run.first is None or run.first.lazy == (rotation == 10)
    for a, b in zip(stored, unstored, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_lazy_in_single_precision(monkeypatch):
    X, Y = hard_sparse_data()
    X[:, 9] = 0.0
    stored, unstored, run = fitted_twice(monkeypatch, X, Y, decomposition=10, single_precision=True)
    assert run.first.lazy and run.first.X.dtype == np.float32
    for a, b in zip(stored, unstored, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_columns_far_from_zero_take_double_precision(monkeypatch):
    X, Y = hard_sparse_data(n=400)
    stored, unstored, run = fitted_twice(monkeypatch, X, Y, decomposition=10, single_precision=True)
    assert run.V[0].dtype == np.float32
    assert run.first.X.dtype == np.float64
    for a, b in zip(stored[:2], unstored[:2], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_fewer_directions_the_wider():
    """Their numbers are bounded by those of X, or a few million."""
    sizes = [
        most_directions(sp.csr_array((n, d)))
        for n, d in ((3000, 6000), (3000, 50_000), (3000, 1_000_000), (3000, 2_000_000))
    ]
    assert sizes == [262, 31, 1, 0]
    assert most_directions(sp.csr_array((2_000_000, 6000))) == 2


@pytest.mark.parametrize("size", [0, 20])
def test_gram_of_sparse_samples(size, monkeypatch):
    """What the noise is told from, without dense samples; also with no direction at all."""
    X, _ = hard_sparse_data()
    monkeypatch.setattr("skmdlam.engine.units._LARGEST_DECOMPOSITION", 10)
    monkeypatch.setattr("skmdlam.engine.units._SMALL", 1)
    monkeypatch.setattr("skmdlam.engine.units.most_directions", lambda X: size)
    space = InputSpace(sp.csr_array(X), None, np.dtype(float), np.random.RandomState(0))
    assert space.U is None and (space._basis.shape[1] > 0) == (size > 0)
    rows = np.arange(0, 200, 3)
    u = space.inputs(rows)
    rotated = space.inputs_rotated(rows)
    assert rotated.shape == (rows.size, rows.size)
    scale = np.square(u).sum(axis=1).mean()
    np.testing.assert_allclose(rotated @ rotated.T / scale, u @ u.T / scale, rtol=1e-6, atol=1e-6)
    V = np.random.default_rng(0).standard_normal((300, 2))
    np.testing.assert_allclose(space.factor(rows) @ V, u @ V, rtol=1e-6, atol=1e-6)
    size = np.square(space.inputs(np.arange(200))).sum(axis=1)
    expected = np.minimum(1.0, 2 * size.mean() / size)
    np.testing.assert_allclose(space.leverage[:, 0], expected, rtol=1e-6)


def test_system_of_sparse_samples():
    """Conjugate gradients against the matrix that they stand for."""
    rng = np.random.default_rng(0)
    X = sp.csr_array(np.where(rng.random((30, 200)) < 0.1, rng.standard_normal((30, 200)), 0.0))
    inverse_std, centre = rng.uniform(0.5, 2, 200), rng.standard_normal(200)
    combinations, root = rng.standard_normal((30, 20)), 10.0 ** rng.uniform(-1, 1, 20)
    directions = SampleDirections(X, inverse_std, centre, combinations, root)
    T = (X.toarray() - centre).T @ combinations * root
    diagonal, charge = rng.uniform(1, 10, (20, 1)), 10.0 ** rng.uniform(-5, 0, (200, 1))
    right = rng.standard_normal((20, 4))
    right[:, 3] = 0.0
    expected = np.linalg.solve(np.diag(diagonal[:, 0]) + T.T @ (charge * T), right)
    solution = directions.solve(diagonal, charge, right)
    np.testing.assert_allclose(solution, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(directions.product(right), T @ right, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_eight_hidden_layers_learn(activation):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    Y = (X[:, :1] * X[:, 1:2] > 0).astype(float)
    _, coefs, intercepts = fitted(
        X, Y, LogisticLoss(), hidden=(20,) * 8, activation=activation, batch_size=50
    )
    z = forward(X, coefs, intercepts, [get_activation(activation)] * 8)
    assert ((z > 0) == (Y > 0.5)).mean() > 0.9


@pytest.mark.parametrize("option", ["damping", "activity_alpha", "column_alpha"])
def test_options_are_checked(option):
    with pytest.raises(ValueError, match=option):
        Feasible(**{option: -1.0})


@pytest.mark.parametrize(
    ("options", "sweeps"), [({}, 10), ({"epochs": 7}, 12), ({"cool_down": 3}, 8)]
)
def test_many_batches_take_fewer_epochs_unless_told(options, sweeps):
    """5000 steps of each kind, but at least 5 epochs; a number that the user gives stands."""
    X = np.random.default_rng(0).standard_normal((1001, 2))
    problem = Problem(X, X[:, :1], [], SquaredError(), get_penalty("l2"), 0.0)
    solver = Feasible(**options)
    start = solver.initial_weights([2, 1], np.random.RandomState(0), float, [])
    run = solver.start(problem, *start, batch_size=1, max_iter=200)
    assert run.max_sweeps == sweeps


@pytest.mark.parametrize(("noise", "cool_down", "patience"), [(0.05, 30, 6), (2.0, 15, 3)])
def test_schedule_by_the_noise(noise, cool_down, patience):
    X, _ = data(n=400)
    Y = X[:, :1] + noise * np.random.default_rng(1).standard_normal((400, 1))
    run = run_of(X, Y, SquaredError(), activity_alpha=None, batch_size=50)
    assert (run.schedule.cool_down, run.schedule.patience) == (cool_down, patience)
    given = Feasible(cool_down=7, patience=2)
    run = run_of(X, Y, SquaredError(), activity_alpha=None, batch_size=50, solver=given)
    assert (run.schedule.cool_down, run.schedule.patience) == (7, 2)


def test_schedule_where_nobody_asks_for_the_noise():
    X, Y = data()
    run = run_of(X, Y, SquaredError(), activity_alpha=0.0, batch_size=50)
    assert np.isnan(run.strengths.ratio)
    assert (run.schedule.cool_down, run.schedule.patience) == (30, 3)
