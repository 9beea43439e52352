"""The scenarios of scikit-learn's tests of MLPClassifier and MLPRegressor, for our estimators.

Each test is named as theirs, and the thresholds are at least as strict. doc/mlp_scenarios.rst says
which scenarios make no sense here, and why.
"""

import re
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import (
    load_digits,
    load_iris,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import MinMaxScaler, scale

from skmdlam import MDLAMClassifier, MDLAMRegressor

ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def digits(n_class, n=200):
    X, y = load_digits(n_class=n_class, return_X_y=True)
    return MinMaxScaler().fit_transform(X[:n]), y[:n]


BINARY, MULTICLASS = digits(2), digits(3)
X_REGRESSION, Y_REGRESSION = make_regression(
    n_samples=200, n_features=10, bias=20.0, noise=100.0, random_state=7
)
Y_REGRESSION = scale(Y_REGRESSION)
IRIS = load_iris(return_X_y=True)

both = pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_solver = pytest.mark.parametrize(
    "solver",
    # So few samples are a full batch by default.
    [
        {},
        {"batch_size": 20},
        pytest.param({"batch_size": None}, marks=pytest.mark.slow),
        {"solver": "relaxed"},
    ],
    ids=["default", "mini-batches", "full batch", "relaxed"],
)
each_solver = pytest.mark.parametrize(
    ("estimator", "solver"),
    [
        (MDLAMClassifier, {}),
        (MDLAMRegressor, {"batch_size": None}),
        (MDLAMClassifier, {"solver": "relaxed"}),
        (MDLAMRegressor, {}),
    ],
)
may_not_converge = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@may_not_converge
@every_solver
def test_alpha(solver):
    """A larger alpha brings weights closer to zero, where no other penalty does."""
    X, y = BINARY[0][:100], BINARY[1][:100]
    solver = {"activity_alpha": 0, **solver}
    sizes = [
        [
            np.abs(W).sum()
            for W in MDLAMClassifier(10, alpha=a, random_state=1, **solver).fit(X, y).coefs_
        ]
        for a in (0, 1)
    ]
    assert sizes[0][0] > sizes[1][0] and sizes[0][1] > sizes[1][1]


@may_not_converge
@every_activation
@every_solver
@pytest.mark.slow
def test_classification(activation, solver):
    """theirs: test_lbfgs_classification, more than .95 on the training part."""
    X, y = BINARY if activation == "tanh" else MULTICLASS
    model = MDLAMClassifier(50, activation, max_iter=60, random_state=1, **solver)
    predicted = model.fit(X[:150], y[:150]).predict(X[150:])
    assert model.score(X[:150], y[:150]) > 0.95
    assert predicted.shape == (50,) and predicted.dtype.kind == y.dtype.kind


@may_not_converge
@every_activation
@pytest.mark.slow
def test_regression(activation):
    """theirs: test_lbfgs_regression. Without activity_alpha the noise is learned by heart too."""
    model = MDLAMRegressor(
        hidden_layer_sizes=50,
        activation=activation,
        batch_size=None,
        activity_alpha=0.0,
        max_iter=200,
        random_state=1,
    )
    score = model.fit(X_REGRESSION, Y_REGRESSION).score(X_REGRESSION, Y_REGRESSION)
    # A straight line explains .81 of it.
    assert score > (0.80 if activation == "identity" else 0.98)


@may_not_converge
class TestMultilabel:
    X, Y = make_multilabel_classification(n_samples=50, random_state=0, return_indicator=True)

    def test_fit(self):
        model = MDLAMClassifier(
            50, "logistic", batch_size=None, alpha=1e-5, activity_alpha=0.0, random_state=0
        )
        assert model.fit(self.X, self.Y).score(self.X, self.Y) > 0.97

    @every_solver
    def test_early_stopping(self, solver):
        """Splits of a multilabel target are not stratified."""
        model = MDLAMClassifier(early_stopping=True, random_state=0, **solver).fit(self.X, self.Y)
        assert model.predict(self.X).shape == self.Y.shape
        assert len(model.validation_scores_) == model.n_iter_

    def test_predict_proba(self):
        model = MDLAMClassifier(30, batch_size=None, activity_alpha=0.0, random_state=0)
        p = model.fit(self.X, self.Y).predict_proba(self.X)
        assert p.shape == self.Y.shape
        np.testing.assert_array_equal(p > 0.5, self.Y)
        # The labels have a probability each: no softmax.
        assert np.abs(p.sum(axis=1) - 1).max() > 0.5
        # Not log(p) itself: where p rounds to 1 the logarithm still says by how much it is less.
        np.testing.assert_allclose(np.exp(model.predict_log_proba(self.X)), p, rtol=1e-12)


@may_not_converge
@every_solver
@pytest.mark.slow
def test_multioutput_regression(solver):
    X, y = make_regression(n_samples=200, n_targets=5, random_state=11)
    if solver.get("solver") == "relaxed":  # the others have units of their own
        solver, y = {**solver, "max_iter": 1000}, scale(y)
    model = MDLAMRegressor(hidden_layer_sizes=50, random_state=1, **solver).fit(X, y)
    assert model.score(X, y) > 0.9


class TestNonfinite:
    """theirs: test_nonfinite_params, test_mlp_diverging_loss."""

    @pytest.mark.parametrize("estimator", [MDLAMRegressor, MDLAMClassifier])
    def test_numbers_that_overflow_are_refused(self, estimator):
        rng = np.random.RandomState(0)
        X = np.finfo(np.float64).max * rng.uniform(size=(10, 2))
        with pytest.raises(ValueError, match=r"X holds a number of size .*Scale it"):
            estimator().fit(X, np.arange(10) % 2)

    @may_not_converge
    @every_solver
    @pytest.mark.parametrize("unit", [1.0, 1e6])
    @pytest.mark.slow
    def test_no_setting_diverges(self, solver, unit):
        """A learning rate of 1 leads theirs to NaN; ours has none that could."""
        model = MDLAMRegressor(
            hidden_layer_sizes=100,
            activation="identity",
            rho=1e-8,
            max_iter=20,
            early_stopping=True,
            random_state=0,
            **solver,
        )
        model.fit(unit * IRIS[0], IRIS[1])
        assert np.isfinite(model.validation_scores_).all()
        assert all(isinstance(score, float) for score in model.validation_scores_)
        assert all(np.isfinite(W).all() for W in model.coefs_ + model.intercepts_)


@may_not_converge
@every_solver
class TestProbabilities:
    """theirs: test_predict_proba_binary, test_predict_proba_multiclass."""

    @pytest.mark.parametrize("data", [BINARY, MULTICLASS], ids=["two", "three"])
    @pytest.mark.slow
    def test_agree(self, data, solver):
        X, y = data[0][:50], data[1][:50]
        model = MDLAMClassifier(5, "logistic", random_state=1, **solver).fit(X, y)
        p, log_p = model.predict_proba(X), model.predict_log_proba(X)
        assert p.shape == (50, len(np.unique(y)))
        np.testing.assert_array_equal(p.argmax(axis=1), log_p.argmax(axis=1))
        np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))
        np.testing.assert_allclose(log_p, np.log(p), rtol=1e-7)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)

    def test_order_the_classes(self, solver):
        X, y = BINARY[0][:50], BINARY[1][:50]
        model = MDLAMClassifier(5, "logistic", random_state=1, **solver).fit(X, y)
        assert roc_auc_score(y, model.predict_proba(X)[:, 1]) == 1.0


@may_not_converge
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.slow
def test_shuffle(shuffle):
    """theirs: the same seed gives the same weights, shuffled or not; batches of one sample."""
    X, y = make_regression(n_samples=50, n_features=5, random_state=0)
    one, two = (
        MDLAMRegressor(
            hidden_layer_sizes=1, max_iter=1, batch_size=1, random_state=0, shuffle=shuffle
        ).fit(X, y)
        for _ in range(2)
    )
    for W, V in zip(one.coefs_, two.coefs_, strict=True):
        np.testing.assert_array_equal(W, V)


def test_shuffle_decides_on_the_split():
    """theirs: it matters. Here it does for early stopping, and batches are always drawn anew."""
    X, y = make_regression(n_samples=50, n_features=5, random_state=0)
    settings = {"hidden_layer_sizes": 5, "early_stopping": True, "random_state": 0}
    drawn, last = (
        MDLAMRegressor(shuffle=shuffle, **settings).fit(X, y) for shuffle in (True, False)
    )
    assert not np.array_equal(drawn.coefs_[0], last.coefs_[0])


@may_not_converge
@every_solver
@pytest.mark.parametrize(
    "container", [sp.csr_matrix, pytest.param(sp.csc_array, marks=pytest.mark.slow)]
)
def test_sparse_matrices(container, solver):
    X, y = BINARY[0][:50], BINARY[1][:50]
    model = MDLAMClassifier(15, random_state=1, **solver)
    dense = model.fit(X, y).predict_proba(X)
    sparse = model.fit(container(X), y).predict_proba(container(X))
    np.testing.assert_allclose(dense, sparse, atol=1e-4)
    np.testing.assert_array_equal(model.predict(X), model.predict(container(X)))


@every_solver
def test_tolerance(solver):
    """A large tolerance ends the fit before max_iter."""
    X, y = [[3, 2], [1, 6]], [1, 0]
    model = MDLAMClassifier(tol=0.5, max_iter=3000, random_state=0, **solver).fit(X, y)
    assert model.n_iter_ < 100
    assert model.stop_reason_ == "converged"


@may_not_converge
@every_solver
def test_verbose(solver, capsys):
    MDLAMClassifier(2, max_iter=2, verbose=10, **solver).fit([[3, 2], [1, 6]], [1, 0])
    assert "1" in capsys.readouterr().out


class TestEarlyStopping:
    @may_not_converge
    @each_solver
    def test_early_stopping(self, estimator, solver):
        X, y, tol = BINARY[0][:100], BINARY[1][:100], 0.2
        model = estimator(tol=tol, max_iter=3000, early_stopping=True, random_state=0, **solver)
        model.fit(X, y)
        scores, best = model.validation_scores_, model.best_validation_score_
        assert model.n_iter_ < model.max_iter
        assert isinstance(scores, list) and len(scores) == model.n_iter_
        assert max(scores) == best
        assert best + tol > scores[-1] and best + tol > scores[-2]

        model.set_params(early_stopping=False).fit(X, y)
        assert model.validation_scores_ is None and model.best_validation_score_ is None
        assert np.isfinite(model.best_loss_)

    def test_stratified(self):
        """theirs refuses a class of one sample of two classes; here it is for training."""
        model = MDLAMClassifier(early_stopping=True, random_state=0)
        model.fit([[1, 2], [2, 3], [3, 4], [4, 5]], [0, 0, 0, 1])
        assert model.classes_.tolist() == [0, 1]
        assert len(model.validation_scores_) == model.n_iter_

    @every_solver
    def test_string_labels(self, solver):
        """Labels of dtype object: scored on the split as what they are."""
        X, codes = make_classification(
            n_samples=200, n_features=10, n_classes=3, n_informative=5, random_state=42
        )
        y = np.array(["class_a", "class_b", "class_c"], dtype=object)[codes]
        model = MDLAMClassifier(early_stopping=True, max_iter=1000, random_state=42, **solver)
        model.fit(X, y)
        assert len(model.validation_scores_) == model.n_iter_
        assert np.isfinite(model.validation_scores_).all()
        assert model.best_validation_score_ > 0.5
        assert set(model.predict(X)) == set(y)

    @pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
    def test_feature_names(self, estimator):
        """No warning about names while the split is scored, and one class alone is no obstacle."""
        X = pd.DataFrame(np.random.RandomState(0).randn(10, 2), columns=["one", "two"])
        y = pd.Series(np.full(10, 1), name="target")
        model = estimator(early_stopping=True, validation_fraction=0.2).fit(X, y)
        assert list(model.feature_names_in_) == ["one", "two"]
        assert np.isfinite(model.predict(X)).all()

    @each_solver
    def test_sample_weight(self, estimator, solver):
        """Weights of one are no weights, also through the split."""
        X, y = make_regression(n_samples=100, n_features=2, n_informative=2, random_state=42)
        y = scale(y) if estimator is MDLAMRegressor else (y > 0).astype(int)
        settings = {"early_stopping": True, "tol": 1e-2, "max_iter": 1000, "random_state": 42}
        one, two = (
            estimator(hidden_layer_sizes=10, **settings, **solver).fit(X, y, sample_weight=weight)
            for weight in (np.ones(100), None)
        )
        np.testing.assert_array_equal(one.predict(X), two.predict(X))
        assert one.validation_scores_ == two.validation_scores_

    @may_not_converge
    @each_solver
    def test_warm_start(self, estimator, solver):
        model = estimator(
            max_iter=10, random_state=0, warm_start=True, early_stopping=True, **solver
        ).fit(*IRIS)
        before = len(model.validation_scores_)
        model.set_params(max_iter=20).fit(*IRIS)
        assert before <= 10 and before < len(model.validation_scores_) <= 20

    @both
    def test_minimum_sample_size(self, estimator):
        """One sample cannot be split; of two classes with a sample each one is held out."""
        X, _ = make_regression(n_samples=2, n_features=5, random_state=0)
        model = estimator(early_stopping=True)
        with pytest.raises(ValueError, match=r"early_stopping=True .*no samples.* n_samples = 1\."):
            model.fit(X[:1], [0])
        if estimator is MDLAMClassifier:
            assert model.fit(X, [0, 1]).classes_.tolist() == [0, 1]

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
    def test_r2_of_one_sample(self):
        """theirs: test_minimum_input_sample_size. An undefined score cannot say when to stop."""
        X, y = make_regression(n_samples=2, n_features=5, random_state=0)
        with pytest.raises(ValueError, match=r"1 validation samples is nan.*validation_fraction"):
            MDLAMRegressor(early_stopping=True, random_state=0).fit(X, y)


@may_not_converge
class TestWarmStart:
    @pytest.mark.slow
    @every_solver
    def test_same_classes(self, solver):
        X, y = IRIS
        model = MDLAMClassifier(2, warm_start=True, random_state=42, tol=1e-2, **solver)
        model.fit(X, y).fit(X, y).fit(X, np.repeat([0, 1, 2], [40, 40, 70]))
        for sizes, names in (
            ([75, 75], [0, 1]),
            ([50, 50, 50], [0, 1, 3]),
            ([37, 37, 38, 38], [0, 1, 2, 3]),
            ([30] * 5, [0, 1, 2, 3, 4]),
        ):
            model.fit(X, y)
            says = f"previous fit, the classes [0 1 2]; y has the classes {np.array(names)}"
            with pytest.raises(ValueError, match=re.escape(says)):
                model.fit(X, np.repeat(names, sizes))

    @each_solver
    def test_full_iteration(self, estimator, solver):
        """max_iter means further iterations."""
        model = estimator(hidden_layer_sizes=2, warm_start=True, max_iter=3, tol=0, **solver)
        assert model.fit(*IRIS).n_iter_ == 3
        assert model.fit(*IRIS).n_iter_ == 3

    @each_solver
    def test_no_convergence(self, estimator, solver):
        model = estimator(
            warm_start=True, max_iter=10, n_iter_no_change=np.inf, random_state=0, **solver
        )
        with pytest.warns(ConvergenceWarning, match=r"max_iter=10\b"):
            model.fit(*IRIS)
        assert model.n_iter_ == 10
        model.set_params(max_iter=20)
        with pytest.warns(ConvergenceWarning, match=r"max_iter=20\b"):
            model.fit(*IRIS)
        assert model.n_iter_ == 20


class TestNoChange:
    @pytest.mark.parametrize("patience", [2, 5, 10, 50, 100])
    @pytest.mark.slow
    def test_n_iter_no_change(self, patience):
        """On the full batch: so many sweeps in a row without an improvement by tol, no fewer."""
        X, y, tol = BINARY[0][:100], BINARY[1][:100], 0.01
        model = MDLAMClassifier(
            tol=tol, batch_size=None, max_iter=3000, n_iter_no_change=patience, random_state=0
        ).fit(X, y)
        assert model.n_iter_ < model.max_iter
        best, idle = np.inf, []
        for loss in model.loss_curve_:
            idle.append(idle[-1] + 1 if idle and loss > best - tol else 0)
            best = min(best, loss)
        assert idle[-1] == patience == max(idle)

    @may_not_converge
    @pytest.mark.parametrize("solver", [{"batch_size": None}, {"solver": "relaxed"}], ids=str)
    def test_inf(self, solver):
        """A ridiculous tolerance, and still max_iter sweeps."""
        X, y = BINARY[0][:100], BINARY[1][:100]
        model = MDLAMClassifier(
            10, tol=1e9, n_iter_no_change=np.inf, max_iter=300, random_state=0, **solver
        ).fit(X, y)
        assert model.n_iter_ == 300


class TestTypes:
    """theirs: test_mlp_classifier_dtypes_casting and its neighbors."""

    X, y = load_digits(n_class=2, return_X_y=True)

    @may_not_converge
    @every_solver
    @pytest.mark.slow
    def test_classifier(self, solver):
        X, y = self.X / 16, self.y
        settings = {"alpha": 1e-5, "max_iter": 100, "tol": 1e-1, "random_state": 1, **solver}
        double, single = (
            MDLAMClassifier((5, 3), **settings).fit(X[:300].astype(dtype), y[:300])
            for dtype in (np.float64, np.float32)
        )
        X = X[300:]
        np.testing.assert_array_equal(double.predict(X), single.predict(X.astype(np.float32)))
        p, q = double.predict_proba(X), single.predict_proba(X.astype(np.float32))
        np.testing.assert_allclose(p, q, rtol=1e-2)

    @may_not_converge
    @every_solver
    @pytest.mark.slow
    def test_regressor(self, solver):
        """On their objective: the penalty on columns is not convex, and rounding decides in it."""
        X, y = self.X / 16, self.y
        settings = {"alpha": 1e-5, "max_iter": 150, "tol": 1e-3, "random_state": 1, **solver}
        settings["activity_alpha"] = 0
        double, single = (
            MDLAMRegressor(hidden_layer_sizes=(5, 3), **settings).fit(
                X[:300].astype(dtype), y[:300]
            )
            for dtype in (np.float64, np.float32)
        )
        X = X[300:]
        p, q = double.predict(X), single.predict(X.astype(np.float32))
        np.testing.assert_allclose(p, q, rtol=5e-4, atol=5e-4)

    @may_not_converge
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @each_solver
    @pytest.mark.slow
    def test_of_the_parameters(self, estimator, dtype, solver):
        X, y = self.X.astype(dtype) / 16, self.y
        model = estimator(hidden_layer_sizes=(5, 3), max_iter=5, random_state=1, **solver).fit(
            X[:300], y[:300]
        )
        assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        if estimator is MDLAMRegressor:
            assert model.predict(X).dtype == dtype
        else:
            assert model.predict_proba(X).dtype == model.predict_log_proba(X).dtype == dtype


class TestPoisson:
    """theirs: test_mlp_vs_poisson_glm_equivalent. Theirs needs a hidden layer of one unit."""

    @pytest.mark.parametrize("seed", range(2))
    @pytest.mark.parametrize("hidden", [(), (1,)], ids=["none", "one identity"])
    def test_is_the_glm(self, seed, hidden):
        rng = np.random.default_rng(seed)
        x = np.linspace(0, 1, 100)
        X, y = x[:, None], rng.poisson(np.exp(x + 1))
        settings = {"alpha": 0.0, "activity_alpha": 0.0, "batch_size": None, "random_state": seed}
        settings |= {"tol": 1e-12, "max_iter": 2000}
        glm = PoissonRegressor(alpha=0, tol=1e-9).fit(X, y)
        model = MDLAMRegressor(
            hidden_layer_sizes=hidden, activation="identity", loss="poisson", **settings
        ).fit(X, y)
        np.testing.assert_allclose(model.predict(X), glm.predict(X), rtol=1e-5)
        if not hidden:
            np.testing.assert_allclose(model.coefs_[0].ravel(), glm.coef_, rtol=1e-4)
        # The identity is not the exponential.
        line = MDLAMRegressor(hidden_layer_sizes=hidden, activation="identity", **settings).fit(
            X, y
        )
        assert not np.allclose(line.predict(X), glm.predict(X), rtol=1e-2)

    def test_penalized_and_weighted(self):
        """PoissonRegressor's alpha stands beside the mean of the half deviances."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((300, 3))
        y = rng.poisson(np.exp(X @ [0.5, -0.3, 0.0] + 1))
        weight = rng.integers(1, 4, size=300).astype(float)
        glm = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=1000).fit(X, y, weight)
        model = MDLAMRegressor(
            hidden_layer_sizes=(),
            loss="poisson",
            alpha=0.1 * weight.sum(),
            activity_alpha=0.0,
            batch_size=None,
            tol=1e-12,
            max_iter=2000,
        ).fit(X, y, weight)
        np.testing.assert_allclose(model.coefs_[0].ravel(), glm.coef_, rtol=1e-5)
        np.testing.assert_allclose(model.predict(X), glm.predict(X), rtol=1e-5)


@may_not_converge
@every_solver
def test_joblib(solver, tmp_path):
    """A model from a file goes on where it was."""
    X, y = MULTICLASS
    model = MDLAMClassifier(10, max_iter=20, warm_start=True, random_state=0, **solver).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for again in (model, loaded):
        again.fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joblib.load(tmp_path / "model.joblib").predict(X)


class TestPartialFit:
    """A stream has a schedule of its own: it ends near `fit`, not at the same weights."""

    def test_classes_error(self):
        model = MDLAMClassifier().partial_fit([[3, 2]], [0], classes=[0, 1])
        with pytest.raises(ValueError, match=r"classes"):
            model.partial_fit([[3, 2]], [0], classes=[1, 2])

    @may_not_converge
    @pytest.mark.slow
    def test_classification(self):
        """theirs: the same predictions as `fit` after 30 calls with all rows, and above .95."""
        X, y = MULTICLASS
        batch = MDLAMClassifier(alpha=1e-5, max_iter=100, random_state=1).fit(X, y)
        stream = MDLAMClassifier(alpha=1e-5, random_state=1)
        for _ in range(30):
            stream.partial_fit(X, y, classes=np.unique(y))
        assert stream.score(X, y) > 0.95
        np.testing.assert_array_equal(stream.predict(X), batch.predict(X))

    def test_unseen_classes(self):
        model = MDLAMClassifier(random_state=0)
        model.partial_fit([[1], [2], [3]], ["a", "b", "c"], classes=["a", "b", "c", "d"])
        model.partial_fit([[4]], ["d"])
        assert model.score([[1], [2], [3], [4]], ["a", "b", "c", "d"]) > 0
        assert model.predict_proba([[4]]).shape == (1, 4)

    @pytest.mark.slow
    def test_multilabel(self):
        X, Y = TestMultilabel.X, TestMultilabel.Y
        model = MDLAMClassifier(50, "logistic", alpha=1e-5, activity_alpha=0.0, random_state=0)
        for _ in range(60):
            model.partial_fit(X, Y)
        assert model.score(X, Y) > 0.9

    @pytest.mark.slow
    def test_regression(self):
        """theirs: the weights of `fit` from 100 calls, and R2 above .65; here 40 will do."""
        model = MDLAMRegressor(random_state=1)
        for _ in range(40):
            model.partial_fit(X_REGRESSION, Y_REGRESSION)
        assert model.score(X_REGRESSION, Y_REGRESSION) > 0.65

    def test_errors(self):
        X, y = [[3, 2], [1, 6]], [1, 0]
        with pytest.raises(ValueError, match=r"\[0 1\].*\[2\]|\[2\].*\[0 1\]|classes"):
            MDLAMClassifier().partial_fit(X, y, classes=[2])
        # As theirs with lbfgs: a solver that needs all samples at once.
        assert not hasattr(MDLAMClassifier(solver="relaxed"), "partial_fit")

    @both
    def test_after_fit_with_early_stopping(self, estimator):
        model = estimator(early_stopping=True, random_state=0).fit(*IRIS)
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            model.partial_fit(*IRIS)

    def test_verbose(self, capsys):
        MDLAMClassifier(2, verbose=10).partial_fit([[3, 2], [1, 6]], [1, 0], classes=[0, 1])
        assert "1" in capsys.readouterr().out

    @pytest.mark.slow
    def test_after_joblib(self, tmp_path):
        """theirs: a model of one sample learns another target of it, to 1e-4, in 200 calls.

        Here the average over the latest part of the stream remembers the old target for longer:
        it is 8e-4 off after 200 calls, and within 1e-4 after 400.
        """
        model = MDLAMRegressor(hidden_layer_sizes=42, random_state=42, max_iter=200).fit([[2]], [4])
        joblib.dump(model, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib")
        for call in range(400):
            loaded.partial_fit([[2]], [1])
            if call == 199:
                np.testing.assert_allclose(loaded.predict([[2]]), [1], rtol=1e-3)
        np.testing.assert_allclose(loaded.predict([[2]]), [1], rtol=1e-4)
