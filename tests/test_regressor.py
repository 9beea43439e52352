"""MDLAMRegressor: outputs, losses, and what a prediction means for each of them."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.neural_network import MLPRegressor

from skmdlam import MDLAMRegressor
from skmdlam.losses import REGRESSION_LOSSES, Huber, Loss, Poisson, Quantile

RNG = np.random.RandomState(3)
X = RNG.uniform(-1, 1, (200, 3))
CURVE = np.sin(3 * X[:, 0]) + X[:, 1] ** 2
NOISY = CURVE + 0.2 * RNG.standard_normal(200)
COUNTS = RNG.poisson(np.exp(1 + CURVE)).astype(float)


def fit(y, X=X, sample_weight=None, **parameters):
    defaults = {"hidden_layer_sizes": (20,), "max_iter": 3000, "random_state": 0}
    return MDLAMRegressor(**{**defaults, **parameters}).fit(X, y, sample_weight)


every_solver = pytest.mark.parametrize(
    "solver",
    [{}, {"batch_size": None}, {"solver": "relaxed"}],
    ids=["feasible", "full batch", "relaxed"],
)


class TestOutputs:
    def test_one(self):
        model = fit(NOISY)
        assert model.n_outputs_ == 1
        assert model.predict(X).shape == (200,)
        assert model.score(X, NOISY) > 0.7

    def test_column_is_one_output_with_a_warning(self):
        with pytest.warns(DataConversionWarning, match="column-vector"):
            model = fit(NOISY[:, None])
        np.testing.assert_array_equal(model.predict(X), fit(NOISY).predict(X))

    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    def test_several(self, loss):
        y = np.column_stack([COUNTS, COUNTS[::-1], np.ones(200)])
        model = fit(y, loss=loss, tol=1e-2)
        assert model.n_outputs_ == 3
        assert model.predict(X).shape == (200, 3)
        np.testing.assert_allclose(model.predict(X)[:, 2], 1, atol=0.5)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    def test_type(self, loss, dtype):
        model = fit(COUNTS, X.astype(dtype), loss=loss, tol=1.0)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        assert model.predict(X.astype(dtype)).dtype == dtype

    @pytest.mark.parametrize("y", [COUNTS.astype(int), COUNTS > 2, COUNTS.astype(np.float32)])
    def test_other_numbers(self, y):
        model = fit(y, tol=1e-2)
        expected = fit(y.astype(float), tol=1e-2)
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))

    def test_attributes_are_those_of_MLPRegressor(self):
        ours, theirs = (
            fit(NOISY, encoding=None),
            MLPRegressor(hidden_layer_sizes=(20,), tol=1.0).fit(X, NOISY),
        )
        for name in ("n_outputs_", "n_layers_", "n_features_in_", "out_activation_"):
            assert getattr(ours, name) == getattr(theirs, name)
        for one, other in zip(ours.coefs_, theirs.coefs_, strict=True):
            assert one.shape == other.shape


def value(loss, z, y):
    """Each loss of the package, once more."""
    r = y - z
    if loss == "squared_error":
        return 0.5 * r**2
    if loss == "absolute_error":
        return np.abs(r)
    if loss == "huber":
        return np.where(np.abs(r) < 1.35, 0.5 * r**2, 1.35 * np.abs(r) - 0.5 * 1.35**2)
    if loss == "quantile":
        return 0.5 * np.abs(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(z) - y * z + np.where(y > 0, y * np.log(y), 0.0) - y


class TestLosses:
    @every_solver
    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.slow
    def test_loss_curve(self, loss, weighted, solver):
        s = np.linspace(0, 2, 200) if weighted else np.ones(200)
        model = fit(
            COUNTS,
            sample_weight=s if weighted else None,
            loss=loss,
            alpha=0.5,
            activity_alpha=0.0,
            encoding=None,
            tol=1e-2,
            **solver,
        )
        z = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
        z = (z @ model.coefs_[1] + model.intercepts_[1])[:, 0]
        J = s @ value(loss, z, COUNTS) + 0.25 * sum((W**2).sum() for W in model.coefs_)
        # Mini-batches are in single precision.
        assert model.loss_ == pytest.approx(J / s.sum(), rel=1e-9 if solver else 1e-5)
        expected = np.exp(z) if loss == "poisson" else z
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
        assert model.out_activation_ == ("exp" if loss == "poisson" else "identity")

    @every_solver
    @pytest.mark.parametrize("quantile", [0.1, 0.9])
    @pytest.mark.slow
    def test_quantile_parameter(self, quantile, solver):
        model = fit(NOISY, loss="quantile", quantile=quantile, **solver)
        by_instance = fit(NOISY, loss=Quantile(quantile), **solver)
        np.testing.assert_array_equal(model.predict(X), by_instance.predict(X))
        if solver.get("solver") != "relaxed":  # F is far from J at its rho, and so is its quantile
            assert np.mean(model.predict(X) > NOISY) == pytest.approx(quantile, abs=0.07)

    def test_quantile_of_other_losses_is_not_used(self):
        one = fit(NOISY, tol=1e-2)
        with pytest.warns(UserWarning, match=r"quantile=0.9 has no effect"):
            other = fit(NOISY, tol=1e-2, quantile=0.9)
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
        median = fit(NOISY, loss="quantile", tol=1e-2)
        expected = fit(NOISY, loss=Quantile(0.5), tol=1e-2)
        np.testing.assert_array_equal(median.predict(X), expected.predict(X))

    @every_solver
    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    def test_learns(self, loss, solver):
        """The training loss ends well below that of the best constant."""
        rho = 3.0 if "solver" in solver else "auto"
        model = fit(COUNTS, loss=loss, rho=rho, tol=1e-3, activity_alpha=0.0, **solver)
        constants = np.linspace(0.1, COUNTS.max(), 500)
        link = np.log if loss == "poisson" else np.array
        constant = min(value(loss, link(c), COUNTS).mean() for c in constants)
        assert model.loss_ < 0.75 * constant

    def test_names_and_objects(self):
        by_name = fit(NOISY, loss="huber", tol=1e-3)
        by_object = fit(NOISY, loss=Huber(), tol=1e-3)
        other = fit(NOISY, loss=Huber(delta=0.1), tol=1e-3)
        np.testing.assert_array_equal(by_name.predict(X), by_object.predict(X))
        assert np.abs(by_name.predict(X) - other.predict(X)).max() > 1e-3

    @pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
    def test_quantile(self, quantile):
        model = fit(NOISY, loss=Quantile(quantile), hidden_layer_sizes=(), rho=30.0, tol=1e-7)
        assert (model.predict(X) > NOISY).mean() == pytest.approx(quantile, abs=0.03)

    def test_outliers(self):
        line = X @ np.array([1.0, -2.0, 0.5])
        spoilt = line + 0.1 * RNG.standard_normal(200)
        spoilt[::20] += 100.0
        r2 = {}
        for loss in ("squared_error", "absolute_error", "huber"):
            predicted = fit(spoilt, loss=loss, hidden_layer_sizes=(), tol=1e-6).predict(X)
            r2[loss] = 1 - ((predicted - line) ** 2).mean() / line.var()
        assert r2["squared_error"] < 0 < 0.9 < min(r2["absolute_error"], r2["huber"])


class TestPoisson:
    def test_zero_targets(self):
        model = fit(np.zeros(200), loss="poisson", max_iter=100, tol=1e-3)
        assert np.isfinite(model.loss_curve_).all()
        assert (model.predict(X) < 0.1).all()

    def test_predictions_are_positive_and_finite(self):
        model = fit(COUNTS, loss="poisson", tol=1e-2)
        far = np.vstack([1e6 * X, -1e6 * X])
        assert (model.predict(X) > 0).all()
        assert np.isfinite(model.predict(far)).all() and (model.predict(far) >= 0).all()

    def test_tag(self):
        for loss in ("poisson", Poisson()):
            assert MDLAMRegressor(loss=loss).__sklearn_tags__().target_tags.positive_only
        assert not MDLAMRegressor().__sklearn_tags__().target_tags.positive_only


@pytest.mark.parametrize("solver", [{"batch_size": None}, {"batch_size": 50}], ids=str)
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_far_from_zero(penalty, solver):
    """A constant more in the target is a constant more in the last intercept, and nothing else."""
    near, far = (
        fit(CURVE + shift, tol=0.01, penalty=penalty, alpha=0.3, max_iter=300, **solver)
        for shift in (0.0, 1e4)
    )
    np.testing.assert_allclose(far.predict(X) - 1e4, near.predict(X), atol=0.02)
    assert near.score(X, CURVE) > 0.9
    assert far.loss_ == pytest.approx(near.loss_, rel=1e-2)


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_batches_end_at_the_full_batch(unit):
    """The same J, whose penalty on the last layer is in the user's unit of the target."""
    parameters = {"hidden_layer_sizes": (), "alpha": 10.0, "activity_alpha": 0.0}
    batches, full = (
        fit(unit * CURVE, batch_size=size, tol=1e-6 * unit**2, max_iter=200, **parameters).loss_
        for size in (20, None)
    )
    assert full < 0.5 * 0.5 * unit**2 * CURVE.var()
    assert batches == pytest.approx(full, rel=1e-3, abs=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_deep_batches_end_near_the_full_batch():
    """Penalties between the steps of hidden layers: each is taken once, and no mean is moved.

    There are several minima; with either of these faults J is a sixth higher and more.
    """
    parameters = {"hidden_layer_sizes": (10, 10), "alpha": 3.0, "activity_alpha": 0.0}
    parameters |= {"encoding": None, "tol": 1e-6, "max_iter": 300}
    for seed in range(3):
        batches, full = (
            fit(CURVE, batch_size=size, random_state=seed, **parameters) for size in (20, None)
        )
        assert full.loss_ < 0.4 * 0.5 * CURVE.var()
        assert batches.loss_ < 1.08 * full.loss_


@every_solver
def test_diabetes(solver):
    """Real data, in units of their own."""
    data, y = load_diabetes(return_X_y=True)
    model = fit((y - y.mean()) / y.std(), data / data.std(axis=0), alpha=10.0, **solver)
    assert model.score(data / data.std(axis=0), (y - y.mean()) / y.std()) > 0.5


class OwnAbsoluteError(Loss):
    """What the package has as "absolute_error", from its two methods and its two attributes."""

    nonsmooth = True
    outlier_threshold = 0.0

    def value(self, z, y):
        return np.abs(z.astype(float) - y).sum(axis=1)

    def gradient(self, z, y):
        return np.sign(z - y)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 50, "max_iter": 8},
        {"batch_size": 50, "max_iter": 8, "penalty": "l1", "alpha": 0.1},
        None,
    ],
    ids=str,
)
def test_own_loss_with_kinks(options):
    """It has the unit, the noise and the sweeps of the one that is known; None is a stream."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 4))
    y = 30.0 * X[:, 0] + 10.0 * rng.standard_t(1.5, 200)
    fits = []
    for loss in ("absolute_error", OwnAbsoluteError()):
        model = MDLAMRegressor(
            hidden_layer_sizes=(10,), loss=loss, random_state=0, **(options or {})
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            (model.fit if options else model.partial_fit)(X, y)
        fits.append(model)
    known, own = fits
    assert own.column_alpha_ == pytest.approx(known.column_alpha_, rel=1e-6)
    assert own.activity_alpha_ == pytest.approx(known.activity_alpha_, rel=1e-6)
    # The proximal map of the one is by bisection; in so few epochs rounding does not grow much.
    difference = own.predict(X) - known.predict(X)
    assert np.sqrt(np.mean(difference**2)) < 1e-3 * known.predict(X).std()
