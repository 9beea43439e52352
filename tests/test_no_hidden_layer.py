"""Without a hidden layer the estimators are linear models, of which scikit-learn has its own.

Solver "feasible" minimizes J itself and has their solution. Solver "relaxed" minimizes F over W,
b and z. The minimum over z is the Moreau envelope of the loss,
``R_rho(v) = min over z of R(z) + rho/2 (z - v)^2``: F has the solution of the linear model with
that loss, and the solution of J up to O(1/rho).
"""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.feature_selection import RFE, SelectFromModel, SequentialFeatureSelector
from sklearn.linear_model import ElasticNet as LinearElasticNet
from sklearn.linear_model import Lasso as LinearLasso
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    MultiTaskElasticNet,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)

from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.losses import LogisticLoss, Quantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.standard_normal((150, 4))
Y = X @ RNG.standard_normal((4, 2)) + [0.5, -2.0] + 0.3 * RNG.standard_normal((150, 2))
LATENT = X @ np.array([1.0, -0.7, 0.3, 0.0]) + RNG.logistic(size=150)
WEIGHT = RNG.uniform(0.2, 2.0, 150)
W_STEPS = ["quadratic", "exact"]


def fit(estimator, y, X=X, weight=None, **parameters):
    defaults = {"solver": "relaxed", "max_iter": 2000, "tol": 0, "random_state": 0}
    return estimator(hidden_layer_sizes=(), **{**defaults, **parameters}).fit(
        X, y, sample_weight=weight
    )


def feasible(estimator, y, X=X, weight=None, **parameters):
    """The full batch of solver "feasible", with nothing but J."""
    return fit(
        estimator,
        y,
        X,
        weight,
        **{
            "solver": "feasible",
            "batch_size": None,
            "activity_alpha": 0.0,
            "max_iter": 100,
            **parameters,
        },
    )


def alike(weight=None):
    """What each target is multiplied with in J, so that they have one spread."""
    variance = np.average((Y - np.average(Y, 0, weight)) ** 2, 0, weight)
    return np.sqrt(variance.mean() / variance)


def assert_close(model, coef, intercept, rtol):
    """Relative to the largest coefficient."""
    W, b = model.coefs_[0].T, model.intercepts_[0]
    scale = np.abs(coef).max()
    np.testing.assert_allclose(W, np.reshape(coef, W.shape), rtol=0, atol=rtol * scale)
    np.testing.assert_allclose(b, np.reshape(intercept, b.shape), rtol=0, atol=rtol * scale)


class TestFeasible:
    """The linear models themselves."""

    @pytest.mark.parametrize("alpha", [1e-4, 1.0, 30.0])
    @pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
    @pytest.mark.parametrize(
        "container", [np.array, pytest.param(sp.csr_array, marks=pytest.mark.slow)]
    )
    def test_ridge(self, alpha, weight, container):
        model = feasible(MDLAMRegressor, Y, container(X), weight, alpha=alpha)
        ridge = Ridge(alpha=alpha, tol=1e-12).fit(X, Y, weight)
        assert_close(model, ridge.coef_, ridge.intercept_, 1e-4)
        s = np.ones(150) if weight is None else weight
        c = alike(weight)
        J = 0.5 * s @ ((c * (Y - ridge.predict(X))) ** 2).sum(axis=1)
        J += 0.5 * alpha * ((c[:, None] * ridge.coef_) ** 2).sum()
        assert model.loss_ == pytest.approx(J / s.sum(), rel=1e-6)

    @pytest.mark.parametrize("container", [np.array, sp.csr_array])
    @pytest.mark.slow
    def test_fewer_rows_than_columns(self, container):
        wide = np.random.RandomState(1).standard_normal((30, 100))
        model = feasible(MDLAMRegressor, Y[:30], container(wide), alpha=5.0)
        ridge = Ridge(alpha=5.0, tol=1e-12).fit(wide, Y[:30])
        assert_close(model, ridge.coef_, ridge.intercept_, 1e-4)

    def test_units_of_the_columns(self):
        """Ridge regression is not indifferent to them, and neither are we."""
        units = np.array([1e-3, 1.0, 30.0, 1e3])
        model = feasible(MDLAMRegressor, Y, X * units + 100.0, alpha=1.0)
        ridge = Ridge(alpha=1.0, tol=1e-12).fit(X * units + 100.0, Y)
        W = model.coefs_[0] * units[:, None]
        scale = np.abs(ridge.coef_ * units).max()
        np.testing.assert_allclose(W.T, ridge.coef_ * units, rtol=0, atol=1e-4 * scale)

    @pytest.mark.parametrize("alpha", [0.01, 30.0])
    @pytest.mark.parametrize("kind", ["binary", "three classes", "balanced"])
    def test_logistic_regression(self, kind, alpha):
        y = np.digitize(LATENT, [-0.7, 0.9] if kind == "three classes" else [0.3])
        class_weight = "balanced" if kind == "balanced" else None
        model = feasible(MDLAMClassifier, y, alpha=alpha, class_weight=class_weight)
        linear = LogisticRegression(
            C=1 / alpha, tol=1e-10, max_iter=10000, class_weight=class_weight
        ).fit(X, y)
        if kind == "three classes":  # the same number more for every class changes nothing
            model.intercepts_[0] -= model.intercepts_[0].mean()
            linear.intercept_ -= linear.intercept_.mean()
        assert_close(model, linear.coef_, linear.intercept_, 1e-4)
        np.testing.assert_allclose(
            model.predict_proba(X), linear.predict_proba(X), rtol=0, atol=1e-4
        )

    def test_multilabel_is_one_regression_a_label(self):
        labels = np.column_stack([LATENT > 0, LATENT > 1, X[:, 3] > 0])
        model = feasible(MDLAMClassifier, labels, alpha=1.0)
        for k in range(3):
            linear = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(X, labels[:, k])
            np.testing.assert_allclose(
                model.predict_proba(X)[:, k], linear.predict_proba(X)[:, 1], rtol=1e-4
            )

    def test_poisson(self):
        y = np.random.RandomState(2).poisson(np.exp(0.5 * LATENT)).astype(float)
        model = feasible(MDLAMRegressor, y, loss="poisson", alpha=1.0)
        linear = PoissonRegressor(alpha=1.0 / 150, tol=1e-10, max_iter=10000).fit(X, y)
        assert_close(model, linear.coef_, linear.intercept_, 1e-4)

    @pytest.mark.slow
    @pytest.mark.parametrize("solver", ["feasible", "relaxed"])
    def test_logit_of_the_mean(self, solver):
        """Nothing but an intercept: the share of the class."""
        y = (np.arange(150) < 45).astype(int)
        model = fit(MDLAMClassifier, y, np.zeros((150, 1)), rho=50.0, solver=solver)
        assert expit(model.intercepts_[0][0]) == pytest.approx(0.3, abs=1e-3)


class TestRidge:
    @pytest.mark.parametrize(
        ("w_step", "alpha", "weight"),
        [
            ("quadratic", 1e-4, WEIGHT),
            pytest.param("quadratic", 30.0, None, marks=pytest.mark.slow),
            pytest.param("exact", 1e-4, None, marks=pytest.mark.slow),
            ("exact", 1.0, WEIGHT),
        ],
        ids=["quadratic, weighted", "quadratic", "exact", "exact, weighted"],
    )
    @pytest.mark.slow
    def test_solution_of_f(self, w_step, alpha, weight):
        """The envelope of ``r^2/2`` is ``rho/(1 + rho) r^2/2``, so alpha counts for more."""
        rho = 0.5
        model = fit(
            MDLAMRegressor, Y, weight=weight, solver=Relaxed(w_step=w_step), rho=rho, alpha=alpha
        )
        ridge = Ridge(alpha=alpha * (1 + rho) / rho, tol=1e-12).fit(X, Y, weight)
        assert_close(model, ridge.coef_, ridge.intercept_, 1e-7)

    @pytest.mark.parametrize(("w_step", "alpha"), [("quadratic", 1.0), ("exact", 1e-4)])
    def test_solution_of_j(self, w_step, alpha):
        model = fit(MDLAMRegressor, Y, solver=Relaxed(w_step=w_step), rho=200.0, alpha=alpha)
        ridge = Ridge(alpha=alpha, tol=1e-12).fit(X, Y)
        assert_close(model, ridge.coef_, ridge.intercept_, 1e-4)
        c = alike()
        J = 0.5 * ((c * (Y - ridge.predict(X))) ** 2).sum()
        J += 0.5 * alpha * ((c[:, None] * ridge.coef_) ** 2).sum()
        assert model.loss_ == pytest.approx(J / 150, rel=1e-6)

    @pytest.mark.parametrize("container", [np.array, sp.csr_array])
    @pytest.mark.slow
    def test_fewer_rows_than_columns(self, container):
        wide = RNG.standard_normal((30, 100))
        model = fit(MDLAMRegressor, Y[:30], container(wide), alpha=5.0, rho=1.0)
        ridge = Ridge(alpha=10.0, tol=1e-12).fit(wide, Y[:30])
        assert_close(model, ridge.coef_, ridge.intercept_, 1e-6)

    def test_uncentered_columns(self):
        model = fit(MDLAMRegressor, Y, X + 100.0, rho=1.0, alpha=1.0)
        ridge = Ridge(alpha=2.0, tol=1e-12).fit(X + 100.0, Y)
        np.testing.assert_allclose(model.predict(X + 100.0), ridge.predict(X + 100.0), atol=1e-6)


class TestSparsePenalties:
    """Solver "relaxed"; so are the rest."""

    @pytest.mark.parametrize(("w_step", "l1_ratio"), [("quadratic", 1.0), ("exact", 0.4)])
    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:l1_ratio=1.0 has no effect")
    def test_elastic_net(self, w_step, l1_ratio):
        rho, alpha = 1.0, 10.0
        model = fit(
            MDLAMRegressor,
            Y[:, 0],
            solver=Relaxed(w_step=w_step),
            rho=rho,
            alpha=alpha,
            penalty="elasticnet" if l1_ratio < 1 else "l1",
            l1_ratio=l1_ratio,
        )
        # scikit-learn divides the squares by n.
        strength = alpha * (1 + rho) / rho / 150
        if l1_ratio == 1:
            linear = LinearLasso(strength, tol=1e-10)
        else:
            linear = LinearElasticNet(strength, l1_ratio=l1_ratio, tol=1e-10)
        linear.fit(X, Y[:, 0])
        assert_close(model, linear.coef_, linear.intercept_, 1e-6)
        np.testing.assert_array_equal(model.coefs_[0][:, 0] == 0, linear.coef_ == 0)

    def test_group(self):
        """A group is an input, over all outputs: the multi-task lasso of targets of one spread."""
        rho, alpha = 1.0, 20.0
        model = fit(MDLAMRegressor, Y, rho=rho, alpha=alpha, penalty="group")
        strength = np.sqrt(2) * alpha * (1 + rho) / rho / 150
        c = alike()
        linear = MultiTaskElasticNet(strength, l1_ratio=1.0, tol=1e-10).fit(X, c * Y)
        assert_close(model, linear.coef_ / c[:, None], linear.intercept_ / c, 1e-6)


class TestLogisticRegression:
    BINARY = (LATENT > 0.3).astype(int)
    THREE = np.digitize(LATENT, [-0.7, 0.9])

    @pytest.mark.parametrize("w_step", W_STEPS)
    @pytest.mark.slow
    def test_solution_of_f(self, w_step):
        """Against a general optimizer on the envelope, whose gradient is rho (v - prox(v))."""
        rho, alpha, y = 0.8, 2.0, self.BINARY[:, None].astype(float)

        def envelope(parameters):
            W, b = parameters[:4, None], parameters[4]
            v = X @ W + b
            z = LogisticLoss().prox(v, y, rho)
            gap = rho * (v - z)
            value = LogisticLoss().value(z, y).sum() + 0.5 / rho * (gap**2).sum()
            gradient = np.append(X.T @ gap + alpha * W, gap.sum())
            return value + 0.5 * alpha * (W**2).sum(), gradient

        solution = minimize(envelope, np.zeros(5), jac=True, method="BFGS", options={"gtol": 1e-9})
        model = fit(
            MDLAMClassifier,
            self.BINARY,
            solver=Relaxed(w_step=w_step),
            rho=rho,
            alpha=alpha,
            max_iter=400,
        )
        assert_close(model, solution.x[:4], solution.x[4], 1e-6)
        assert model.objective_curve_[-1] * 150 == pytest.approx(solution.fun, rel=1e-9)

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["three classes", "balanced"])
    def test_solution_of_j_in_the_limit(self, kind):
        """The error is a series in 1/rho: three terms of it extrapolate to 1/rho = 0."""
        y = self.THREE if kind == "three classes" else self.BINARY
        class_weight = "balanced" if kind == "balanced" else None
        models = [
            fit(
                MDLAMClassifier,
                y,
                rho=rho,
                alpha=1.0,
                max_iter=2500,
                class_weight=class_weight,
                solver=Relaxed(start_scale=1e-9),
            )
            for rho in (5.0, 10.0, 20.0)
        ]
        linear = LogisticRegression(
            C=1.0, tol=1e-10, max_iter=10000, class_weight=class_weight
        ).fit(X, y)
        coefs, intercepts = (
            [getattr(model, name)[0] for model in models] for name in ("coefs_", "intercepts_")
        )
        W, b = ((x[0] - 6 * x[1] + 8 * x[2]) / 3 for x in (coefs, intercepts))
        scale = np.abs(linear.coef_).max()
        np.testing.assert_allclose(W.T, linear.coef_, rtol=0, atol=1e-4 * scale)
        np.testing.assert_allclose(b, linear.intercept_, rtol=0, atol=1e-4 * scale)
        errors = [np.abs(W.T - linear.coef_).max() for W in coefs]
        np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2, atol=0.1)

    @pytest.mark.slow
    def test_solution_of_j(self):
        """One large rho, reached in stages that go on from each other."""
        model = MDLAMClassifier(
            (), solver="relaxed", alpha=1.0, tol=0, warm_start=True, random_state=0
        )
        for rho, max_iter in ((1.0, 200), (100.0, 5000), (2500.0, 50000)):
            model.set_params(rho=rho, max_iter=max_iter).fit(X, self.BINARY)
        linear = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(X, self.BINARY)
        assert_close(model, linear.coef_, linear.intercept_, 1e-4)
        np.testing.assert_allclose(model.predict_proba(X), linear.predict_proba(X), atol=1e-4)

    def test_multilabel_is_one_regression_a_label(self):
        labels = np.column_stack([LATENT > 0, LATENT > 1, X[:, 3] > 0])
        together = fit(MDLAMClassifier, labels, rho=0.5, alpha=1.0, max_iter=400)
        for k in range(3):
            alone = fit(MDLAMClassifier, labels[:, k], rho=0.5, alpha=1.0, max_iter=400)
            np.testing.assert_allclose(
                together.predict_proba(X)[:, k], alone.predict_proba(X)[:, 1], rtol=1e-6
            )


class TestOtherLosses:
    @pytest.mark.slow
    def test_poisson(self):
        y = RNG.poisson(np.exp(0.5 * LATENT)).astype(float)
        models = [
            fit(MDLAMRegressor, y, loss="poisson", rho=rho, alpha=1.0, max_iter=2500)
            for rho in (50.0, 100.0)
        ]
        linear = PoissonRegressor(alpha=1.0 / 150, tol=1e-10, max_iter=10000).fit(X, y)
        W = 2 * models[1].coefs_[0] - models[0].coefs_[0]
        np.testing.assert_allclose(W[:, 0], linear.coef_, atol=1e-3)
        predicted = models[1].predict(X)
        np.testing.assert_allclose(predicted, linear.predict(X), rtol=0.03)

    @pytest.mark.parametrize("quantile", [0.2, 0.5])
    def test_quantile(self, quantile):
        linear = QuantileRegressor(quantile=quantile, alpha=2.0 / 150).fit(X, Y[:, 0])
        r = Y[:, 0] - linear.predict(X)
        best = np.where(r > 0, quantile * r, (quantile - 1) * r).sum()
        best += 2.0 * np.abs(linear.coef_).sum()
        model = fit(
            MDLAMRegressor, Y[:, 0], loss=Quantile(quantile), penalty="l1", alpha=2.0, rho=100.0
        )
        assert best / 150 * (1 - 1e-9) <= model.loss_ <= best / 150 * 1.001
        assert_close(model, linear.coef_, linear.intercept_, 0.03)

    @pytest.mark.slow
    def test_absolute_error_is_twice_the_median(self):
        absolute = fit(MDLAMRegressor, Y, loss="absolute_error", rho=10.0, alpha=1.0)
        median = fit(MDLAMRegressor, Y, loss="quantile", rho=5.0, alpha=0.5)
        np.testing.assert_allclose(absolute.coefs_[0], median.coefs_[0], rtol=1e-5)
        np.testing.assert_allclose(absolute.loss_, 2 * median.loss_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["feasible", "relaxed"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_activation_has_no_say(activation, solver):
    one, other = (
        fit(MDLAMRegressor, Y, max_iter=30, solver=solver, activity_alpha=0.0, activation=name)
        for name in (activation, "identity")
    )
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


class TestCoefficients:
    """``coef_`` and ``intercept_`` have the shapes of scikit-learn's linear models."""

    OPTIONS = {"solver": "feasible", "max_iter": 30}

    @pytest.mark.parametrize("target", [Y[:, 0], Y])
    def test_regression(self, target):
        model = fit(MDLAMRegressor, target, **self.OPTIONS)
        known = LinearRegression().fit(X, target)
        assert model.coef_.shape == known.coef_.shape
        assert np.shape(model.intercept_) == np.shape(known.intercept_)
        np.testing.assert_allclose(X @ model.coef_.T + model.intercept_, model.predict(X))

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_classes(self, n_classes):
        labels = np.digitize(LATENT, [0.0, 1.0][: n_classes - 1])
        model = fit(MDLAMClassifier, labels, **self.OPTIONS)
        known = LogisticRegression().fit(X, labels)
        assert model.coef_.shape == known.coef_.shape
        assert model.intercept_.shape == known.intercept_.shape
        scores = (X @ model.coef_.T + model.intercept_).squeeze()
        np.testing.assert_allclose(scores, model.decision_function(X))

    def test_multilabel(self):
        model = fit(MDLAMClassifier, (Y > 0).astype(int), **self.OPTIONS)
        assert model.coef_.shape == (2, 4) and model.intercept_.shape == (2,)

    @pytest.mark.parametrize("name", ["coef_", "intercept_"])
    def test_not_there(self, name):
        gaps = X.copy()
        gaps[::9, 1] = np.nan
        for model, why in (
            (MDLAMRegressor(hidden_layer_sizes=()), "not fitted"),
            (fit(MDLAMRegressor, LATENT, gaps, **self.OPTIONS), "input_names_"),
            (MDLAMRegressor(hidden_layer_sizes=(2,), max_iter=2).fit(X, LATENT), "hidden layers"),
        ):
            assert not hasattr(model, name)
            with pytest.raises(AttributeError, match=f"{name} .*{why}|{why}.*{name}"):
                getattr(model, name)

    @pytest.mark.parametrize(
        "labels", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (None, 3))]
    )
    @pytest.mark.slow
    def test_selectors(self, labels):
        """What looks for ``coef_`` finds the columns that matter."""
        wide = np.c_[X[:, :2], RNG.standard_normal((150, 6))]
        latent = wide[:, 0] * 2.0 - wide[:, 1] * 3.0
        y = latent if labels is None else np.digitize(latent, [-1.0, 1.0][: labels - 1])
        model = MDLAMRegressor if labels is None else MDLAMClassifier
        model = model(hidden_layer_sizes=(), max_iter=30, random_state=0)
        for selector in (
            SelectFromModel(model, max_features=2),
            RFE(model, n_features_to_select=2),
            SequentialFeatureSelector(model, n_features_to_select=2, cv=2),
        ):
            support = selector.fit(wide, y).get_support()
            np.testing.assert_array_equal(np.flatnonzero(support), [0, 1])

    def test_networks_need_a_getter(self):
        network = MDLAMRegressor(hidden_layer_sizes=(2,), max_iter=2)
        with pytest.raises(ValueError, match="coef_"):
            SelectFromModel(network).fit(X, LATENT).get_support()
