"""Regressions of several targets at a time: each is learned in its own unit.

The oracles are J as the documentation defines it, computed here from the fitted weights, and
TransformedTargetRegressor, which scales targets outside.
"""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from skmdlam import MDLAMRegressor
from skmdlam.losses import AbsoluteError, Huber, Loss, Poisson, Scaling, SquaredError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(7)
X = RNG.uniform(-1.0, 1.0, (420, 5))
FIRST = np.sin(3.0 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * RNG.standard_normal(420)
SECOND = X[:, 3] ** 2 + X[:, 0] + 0.1 * RNG.standard_normal(420)
TRAIN, TEST = slice(300), slice(300, None)


def targets(ratio):
    return np.column_stack([FIRST, 20.0 * ratio + ratio * SECOND])


class LogCosh(Loss):
    """Of a user: smooth, with slopes of at most one."""

    def value(self, z, y):
        r = np.abs(z - y)
        return (r + np.log1p(np.exp(-2.0 * r)) - np.log(2.0)).sum(axis=1)

    def gradient(self, z, y):
        return np.tanh(z - y)


class OwnUnits(SquaredError):
    """Of a user who knows the unit of the loss better."""

    def scaled(self, mean, std, deviation):
        return Scaling(self, mean, std, std**2, 1.0, mean, std)


def scores(model, Y, weight=None):
    fit = {} if weight is None else {"sample_weight": weight[TRAIN]}
    model.fit(X[TRAIN], Y[TRAIN], **fit)
    return r2_score(Y[TEST], model.predict(X[TEST]), multioutput="raw_values")


@pytest.mark.parametrize(
    "ratio", [*(pytest.param(ratio, marks=pytest.mark.slow) for ratio in (3e-6, 40.0)), 7e5]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": None},
        {"batch_size": 50, "early_stopping": True},
        {"penalty": "l1"},
        {"penalty": "group", "batch_size": None},
        {"loss": "absolute_error"},
        {"loss": "quantile", "batch_size": None},
        {"loss": OwnUnits()},
        {"weighted": True},
    ],
    ids=str,
)
@pytest.mark.slow
def test_as_with_targets_that_are_scaled_outside(ratio, options):
    options = {"max_iter": 60, "random_state": 0, "hidden_layer_sizes": (30,), **options}
    weight = RNG.integers(1, 4, 420).astype(float) if options.pop("weighted", False) else None
    outside = TransformedTargetRegressor(MDLAMRegressor(**options), transformer=StandardScaler())
    Y = targets(ratio)
    expected = scores(outside, Y, weight)
    found = scores(MDLAMRegressor(**options), Y, weight)
    assert min(expected) > 0.8
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("ratio", [1e-5, pytest.param(2e4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("loss", [LogCosh(), "huber"], ids=["LogCosh", "huber"])
@pytest.mark.parametrize("batch_size", [50, None])
def test_losses_with_a_unit_learn_both(ratio, loss, batch_size):
    model = MDLAMRegressor(
        hidden_layer_sizes=(30,), loss=loss, batch_size=batch_size, random_state=0
    )
    assert min(scores(model, targets(ratio))) > 0.85


def test_delta_counts_in_the_common_spread():
    Y = targets(300.0)
    common = np.sqrt(Y[TRAIN].var(axis=0).mean())
    options = {"max_iter": 60, "random_state": 0, "hidden_layer_sizes": (30,), "batch_size": 50}
    found = MDLAMRegressor(loss=Huber(0.6 * common), **options)
    outside = TransformedTargetRegressor(
        MDLAMRegressor(loss=Huber(0.6), **options), transformer=StandardScaler()
    )
    np.testing.assert_allclose(scores(found, Y), scores(outside, Y), atol=1e-3)


@pytest.mark.parametrize("batch_size", [50, None])
def test_counts(batch_size):
    rates = np.exp(np.column_stack([FIRST, SECOND])) * [5.0, 4e5]
    Y = np.random.default_rng(1).poisson(rates).astype(float)
    model = MDLAMRegressor(
        hidden_layer_sizes=(30,), loss="poisson", batch_size=batch_size, random_state=0
    )
    model.fit(X[TRAIN], Y[TRAIN])
    found = r2_score(rates[TEST], model.predict(X[TEST]), multioutput="raw_values")
    assert min(found) > 0.8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_target_among_others(dtype):
    Y = np.column_stack([targets(1e4), np.full(420, 7e3)]).astype(dtype)
    model = MDLAMRegressor(hidden_layer_sizes=(30,), random_state=0).fit(
        X[TRAIN].astype(dtype), Y[TRAIN]
    )
    found = model.predict(X[TEST].astype(dtype))
    assert found.dtype == dtype
    assert min(r2_score(Y[TEST, :2], found[:, :2], multioutput="raw_values")) > 0.85
    alone = MDLAMRegressor(hidden_layer_sizes=(30,), random_state=0).fit(
        X[TRAIN].astype(dtype), Y[TRAIN, :2]
    )
    assert np.abs(found[:, 2] - 7e3).max() < 0.05 * np.sqrt(Y[:, :2].var(axis=0).mean())
    np.testing.assert_allclose(found[:, 1].std(), alone.predict(X[TEST])[:, 1].std(), rtol=0.05)


# -- J, by its definition -------------------------------------------------------------------------


def size_of(loss, Y, weight):
    """What the targets of a loss are counted in, and what these are in common."""
    mean = np.average(Y, axis=0, weights=weight)
    if loss.out_activation == "exp":
        return mean, mean.mean()
    if loss.nonsmooth:
        size = np.average(np.abs(Y - mean), axis=0, weights=weight)
        return size, size.mean()
    size = np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=weight))
    return size, np.sqrt(np.mean(size**2))


def objective(model, loss, X, Y, weight, sizes):
    """The loss in units in which targets are alike, and the penalties of the weights there."""
    c = sizes[1] / sizes[0]
    hidden = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    last = model.coefs_[1] if loss.out_activation == "exp" else model.coefs_[1] * c
    z = hidden @ model.coefs_[1] + model.intercepts_[1]
    z = z + np.log(c) if loss.out_activation == "exp" else z * c
    data = weight @ loss.value(z, Y * c)
    penalties = sum(float(model._penalty_of(W)) for W in (model.coefs_[0], last))
    return (data + penalties) / weight.sum(), data / weight.sum()


@pytest.mark.parametrize(
    "loss", [SquaredError(), AbsoluteError(), Huber(3.0), Poisson(), LogCosh()], ids=repr
)
@pytest.mark.parametrize(
    "options",
    [{"batch_size": 50}, {"batch_size": None}, {"solver": "relaxed"}, {"penalty": "l1"}],
    ids=str,
)
def test_j_is_what_the_documentation_says(loss, options):
    Y = 2.5 + np.column_stack([FIRST, SECOND]) @ [[1.0, 30.0], [0.2, -4.0]]
    Y = Y + 80.0 * (loss.out_activation == "exp")
    weight = RNG.uniform(0.5, 2.0, 420)
    model = MDLAMRegressor(
        hidden_layer_sizes=(6,),
        activation="tanh",
        loss=loss,
        alpha=0.3,
        activity_alpha=0.0,
        encoding=None,
        max_iter=8,
        random_state=0,
        clip=False,
    ).set_params(**options)
    validation = {"X_val": X[TEST], "y_val": Y[TEST], "sample_weight_val": weight[TEST]}
    model.fit(X[TRAIN], Y[TRAIN], weight[TRAIN], **validation)
    norm = model.penalty == "l1"
    model._penalty_of = lambda W: 0.3 * (np.abs(W).sum() if norm else 0.5 * np.sum(W**2))
    sizes = size_of(loss, Y[TRAIN], weight[TRAIN])
    expected, _ = objective(model, loss, X[TRAIN], Y[TRAIN], weight[TRAIN], sizes)
    assert model.loss_ == pytest.approx(expected, rel=1e-5)
    _, expected = objective(model, loss, X[TEST], Y[TEST], weight[TEST], sizes)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-5)


def test_squared_error_counts_in_mean_variances():
    """The mean variance times the sum over targets of squares over twice the variance."""
    Y = targets(200.0)[TRAIN]
    model = MDLAMRegressor(
        hidden_layer_sizes=(6,), activity_alpha=0.0, alpha=0.0, max_iter=5, random_state=0
    )
    model.fit(X[TRAIN], Y)
    variance = Y.var(axis=0)
    squares = np.mean((model.predict(X[TRAIN]) - Y) ** 2, axis=0)
    assert model.loss_ == pytest.approx(variance.mean() * np.sum(squares / (2.0 * variance)))


# -- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["feasible", "relaxed"])
def test_warm_start_goes_on_from_the_same_weights(solver):
    Y = targets(5e4)
    model = MDLAMRegressor(
        hidden_layer_sizes=(20,),
        solver=solver,
        batch_size=None,
        max_iter=40,
        random_state=0,
        warm_start=True,
    )
    model.fit(X[TRAIN], Y[TRAIN])
    before = model.loss_
    model.set_params(max_iter=1).fit(X[TRAIN], Y[TRAIN])
    assert model.loss_ < 1.05 * before


@pytest.mark.parametrize(
    "ratio", [1e-5, *(pytest.param(ratio, marks=pytest.mark.slow) for ratio in (1.0, 3e5))]
)
@pytest.mark.parametrize("options", [{}, {"loss": "absolute_error"}, {"loss": "poisson"}], ids=str)
@pytest.mark.slow
def test_streams(ratio, options):
    """The first chunks know the units badly; later ones go on in other units."""
    Y = targets(ratio) + (5.0 if options.get("loss") == "poisson" else 0.0) * np.array([1, 0])
    inside, outside = (
        MDLAMRegressor(hidden_layer_sizes=(30,), random_state=0, **options) for _ in range(2)
    )
    size = Y[TRAIN].std(axis=0)
    if "poisson" in options.values():
        size = Y[TRAIN].mean(axis=0)
    elif options:
        size = np.abs(Y[TRAIN] - Y[TRAIN].mean(axis=0)).mean(axis=0)
    for start in [0, 1, *range(2, 300, 30)] * 2:
        rows = slice(start, start + 30 if start > 1 else start + 1)
        inside.partial_fit(X[rows], Y[rows])
        outside.partial_fit(X[rows], Y[rows] / size)
    found, expected = inside.predict(X[TEST]), outside.predict(X[TEST]) * size
    np.testing.assert_allclose(
        r2_score(Y[TEST], found, multioutput="raw_values"),
        r2_score(Y[TEST], expected, multioutput="raw_values"),
        atol=0.01,
    )


def test_a_stream_after_a_fit():
    Y = targets(1e5)
    model = MDLAMRegressor(hidden_layer_sizes=(30,), random_state=0).fit(X[:200], Y[:200])
    before = r2_score(Y[TEST], model.predict(X[TEST]), multioutput="raw_values")
    for start in range(200, 300, 20):
        model.partial_fit(X[start : start + 20], Y[start : start + 20])
    after = r2_score(Y[TEST], model.predict(X[TEST]), multioutput="raw_values")
    assert (after > before - 0.02).all()


@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
def test_outliers_of_a_fit_do_not_own_the_unit_of_the_stream_after_it(loss):
    Y = targets(1e3)
    wild = Y[:200].copy()
    wild[[3, 70], [0, 1]] = 1e9, -1e12
    model = MDLAMRegressor(hidden_layer_sizes=(30,), loss=loss, random_state=0).fit(X[:200], wild)
    for start in range(200, 300, 20):
        model.partial_fit(X[start : start + 20], Y[start : start + 20])
    after = r2_score(Y[TEST], model.predict(X[TEST]), multioutput="raw_values")
    assert min(after) > 0.8


def test_a_stream_whose_penalty_gets_bounds():
    """Targets have no units of their own then: the weights are those of before all the same."""
    Y = targets(1e-4)
    model = MDLAMRegressor(
        hidden_layer_sizes=(20,), penalty="nonnegative", alpha=1e-6, random_state=0
    )
    for start in range(0, 300, 50):
        model.partial_fit(X[start : start + 50], Y[start : start + 50])
    before = model.predict(X[TEST])
    model.set_params(penalty="box").partial_fit(X[:1], Y[:1])
    assert np.abs(model.coefs_[-1]).max() <= 1.0
    assert model.loss_ < 1.0 and np.isfinite(before).all()
