"""What both estimators share: one class of tests for each feature that a user can name."""

import inspect
import pickle
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ReLU
from skmdlam.losses import LogisticLoss, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import PENALTIES

RNG = np.random.RandomState(7)
X = RNG.standard_normal((60, 5))
NUMBERS = np.tanh(X @ RNG.standard_normal(5)) + 0.1 * RNG.standard_normal(60)
LABELS = np.digitize(NUMBERS, [-0.5, 0.5])
WEIGHT = RNG.randint(0, 4, size=60).astype(float)
BOTH = [MDLAMClassifier, MDLAMRegressor]

both = pytest.mark.parametrize("estimator", BOTH)


def make(estimator, **parameters):
    return estimator(**{"hidden_layer_sizes": (8, 4), "random_state": 0, **parameters})


def target(estimator):
    return LABELS if issubclass(estimator, MDLAMClassifier) else NUMBERS


def fit(estimator, X=X, y=None, sample_weight=None, *, sweeps=30, **parameters):
    """Fit for so many sweeps, which is not a reason to warn here."""
    model = make(estimator, max_iter=sweeps, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, target(estimator) if y is None else y, sample_weight=sample_weight)


def output(model, X=X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def assert_same_weights(one, other, **tolerance):
    for W, V in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(W, V, **{"rtol": 0, "atol": 0, **tolerance})


class TestSignature:
    SHARED = {
        "solver": "relaxed",
        "rho": "auto",
        "epsilon": 1e-3,
        "alpha": 1e-4,
        "penalty": "l2",
        "l1_ratio": 0.5,
        "activity_alpha": None,
        "batch_size": "auto",
        "max_iter": 200,
        "tol": 1e-4,
        "n_iter_no_change": 10,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "scoring": None,
        "shuffle": True,
        "warm_start": False,
        "random_state": None,
        "verbose": False,
    }

    @pytest.mark.parametrize(
        ("estimator", "own"),
        [(MDLAMClassifier, {"class_weight": None}), (MDLAMRegressor, {"loss": "squared_error"})],
    )
    def test_parameters_and_defaults(self, estimator, own):
        parameters = inspect.signature(estimator).parameters
        found = {name: parameter.default for name, parameter in parameters.items()}
        positional = {"hidden_layer_sizes": (100,), "activation": "relu"}
        assert found == {**positional, **self.SHARED, **own}
        by_position = [
            name
            for name, parameter in parameters.items()
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        ]
        assert by_position == list(positional)

    @both
    def test_every_parameter_is_documented_in_order(self, estimator):
        lines = inspect.getdoc(estimator).splitlines()
        section = lines[lines.index("Parameters") + 2 : lines.index("Attributes")]
        documented = [line.split(" : ")[0] for line in section if line[:1].strip(" -")]
        assert documented == list(inspect.signature(estimator).parameters)


class TestFittedAttributes:
    @both
    def test_as_documented(self, estimator):
        model = fit(estimator, pd.DataFrame(X, columns=list("abcde")), early_stopping=True)
        lines = inspect.getdoc(estimator).splitlines()
        section = lines[lines.index("Attributes") + 2 : lines.index("Raises")]
        documented = {
            name
            for line in section
            if line[:1].strip(" -")
            for name in line.split(" : ")[0].split(", ")
        }
        assert documented == {name for name in vars(model) if name.endswith("_")}

    @both
    def test_values(self, estimator):
        model = fit(estimator)
        n_outputs = 3 if estimator is MDLAMClassifier else 1
        assert [W.shape for W in model.coefs_] == [(5, 8), (8, 4), (4, n_outputs)]
        assert [b.shape for b in model.intercepts_] == [(8,), (4,), (n_outputs,)]
        assert (model.n_layers_, model.n_outputs_, model.n_features_in_) == (4, n_outputs, 5)
        assert model.n_iter_ == 30
        assert model.loss_ == model.loss_curve_[-1]
        assert model.best_loss_ == min(model.loss_curve_)
        assert model.validation_scores_ is None
        assert model.best_validation_score_ is None
        curves = ("loss", "objective", "epsilon", "rho", "gap")
        for curve in (getattr(model, f"{name}_curve_") for name in curves):
            assert len(curve) == 30
            assert all(type(entry) is float for entry in curve)

    @both
    def test_not_fitted(self, estimator):
        with pytest.raises(NotFittedError):
            make(estimator).predict(X)

    @both
    @pytest.mark.parametrize(
        ("given", "hidden"),
        [(6, [6]), ((), []), ([4, 3], [4, 3]), (np.array([4, 3]), [4, 3]), (np.int64(3), [3])],
    )
    def test_layer_sizes(self, estimator, given, hidden):
        model = fit(estimator, hidden_layer_sizes=given, sweeps=2)
        assert [W.shape[0] for W in model.coefs_] == [5] + hidden

    @both
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floats_are_kept(self, estimator, dtype):
        model = fit(estimator, X.astype(dtype), sample_weight=WEIGHT)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        assert output(model, X.astype(dtype)).dtype == dtype

    @both
    @pytest.mark.parametrize("dtype", [np.float16, np.int32, np.uint8, bool])
    def test_other_numbers_become_float64(self, estimator, dtype):
        model = fit(estimator, (3 * X).astype(dtype), sweeps=2)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(float)}

    @both
    def test_float32_is_close_to_float64(self, estimator):
        single = fit(estimator, X.astype(np.float32), rho=0.1)
        double = fit(estimator, rho=0.1)
        np.testing.assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-3)


def relu_network(model, X):
    """The forward pass, by hand."""
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        X = np.maximum(X @ W + b, 0)
    return X @ model.coefs_[-1] + model.intercepts_[-1]


class TestCurves:
    @both
    @pytest.mark.parametrize("weight", [None, WEIGHT + 0.25], ids=["", "weighted"])
    @pytest.mark.parametrize(("alpha", "penalty"), [(0.0, "l2"), (3.0, "l2"), (0.5, "l1")])
    def test_loss_is_the_training_objective(self, estimator, weight, alpha, penalty):
        for sweeps in (1, 2, 5, 25):
            model = fit(
                estimator, sample_weight=weight, sweeps=sweeps, alpha=alpha, penalty=penalty
            )
            s = np.ones(60) if weight is None else weight
            z = relu_network(model, X)
            if estimator is MDLAMRegressor:
                losses = 0.5 * (z[:, 0] - NUMBERS) ** 2
            else:
                p = np.exp(z - z.max(axis=1, keepdims=True))
                losses = -np.log(p[np.arange(60), LABELS] / p.sum(axis=1))
            J = s @ losses
            for W in model.coefs_:
                J += alpha * (np.abs(W).sum() if penalty == "l1" else 0.5 * (W**2).sum())
            assert model.loss_curve_[-1] == pytest.approx(J / s.sum(), rel=1e-10)

    @both
    @pytest.mark.parametrize("rho", [1e-4, 1e-2, 1.0, 100.0])
    @pytest.mark.parametrize(
        "solver",
        [Relaxed(), Relaxed(w_step="exact"), Relaxed(hidden_step="separate", order="backward")],
        ids=["default", "exact", "separate, backward"],
    )
    def test_objective_does_not_rise_while_epsilon_is_constant(self, estimator, rho, solver):
        model = fit(estimator, rho=rho, solver=solver, sweeps=60, tol=0)
        F, epsilon = np.array(model.objective_curve_), np.array(model.epsilon_curve_)
        same_stage = epsilon[1:] == epsilon[:-1]
        assert same_stage.sum() > 30
        assert np.all((F[1:] <= F[:-1] * (1 + 1e-12))[same_stage])

    @both
    def test_epsilon_is_halved_from_100_to_its_final_value(self, estimator):
        model = fit(estimator, epsilon=0.01)
        expected = np.maximum(0.01, 100.0 / 2.0 ** np.arange(30))
        np.testing.assert_array_equal(model.epsilon_curve_, expected)

    @both
    def test_epsilon_as_the_solver_object_says(self, estimator):
        solver = Relaxed(epsilon_start=1.0, epsilon_factor=0.1)
        model = fit(estimator, epsilon=0.05, solver=solver, sweeps=4)
        np.testing.assert_allclose(model.epsilon_curve_, [1.0, 0.1, 0.05, 0.05])

    @both
    def test_rho(self, estimator):
        assert fit(estimator, rho=0.3, sweeps=3).rho_curve_ == [0.3] * 3
        automatic = fit(estimator, sweeps=3).rho_curve_
        assert automatic == [Relaxed().auto_rho(None)] * 3

    @both
    def test_no_gap_means_that_both_objectives_agree(self, estimator):
        model = fit(estimator, rho=1e6, epsilon=1e-9, solver=Relaxed(epsilon_start=1e-9))
        np.testing.assert_allclose(model.objective_curve_, model.loss_curve_, rtol=1e-2)
        assert max(model.gap_curve_) < 1e-3


class TestStopping:
    @both
    def test_converged(self, estimator):
        model = make(estimator, max_iter=2000, tol=1e-3).fit(X, target(estimator))
        assert model.stop_reason_ == "converged"
        assert model.n_iter_ < 2000
        F = model.objective_curve_
        assert min(F[:-10]) - F[-1] < 10 * 1e-3

    @both
    def test_not_before_epsilon_has_its_final_value(self, estimator):
        model = make(estimator, tol=1e9).fit(X, target(estimator))
        first_final = model.epsilon_curve_.index(1e-3)
        assert model.stop_reason_ == "converged"
        assert first_final + 9 <= model.n_iter_ - 1 <= first_final + 11

    @both
    def test_patience(self, estimator):
        short, long = (
            make(estimator, tol=1e9, n_iter_no_change=n).fit(X, target(estimator)) for n in (5, 12)
        )
        assert long.n_iter_ - short.n_iter_ == 7

    @both
    def test_max_iter_warns_the_caller(self, estimator):
        with pytest.warns(ConvergenceWarning, match=r"7 sweeps \(max_iter\)") as caught:
            model = make(estimator, max_iter=7).fit(X, target(estimator))
        assert [warning.filename for warning in caught] == [__file__]
        assert model.stop_reason_ == "max_iter"
        assert model.n_iter_ == 7


class InterruptedReLU(ReLU):
    """Ctrl-C in the middle of a sweep: at the given call."""

    def __init__(self, call):
        self.call = call

    def value(self, z, out=None):
        self.call -= 1
        if self.call == 0:
            raise KeyboardInterrupt
        return super().value(z, out=out)


class InterruptedLoss(SquaredError):
    calls = 0

    def prox(self, v, y, rho, start=None):
        type(self).calls += 1
        if self.calls == 6:
            raise KeyboardInterrupt
        return super().prox(v, y, rho, start)


class TestInterrupt:
    @both
    @pytest.mark.parametrize("call", range(20, 40, 3))
    def test_weights_of_the_last_complete_sweep(self, estimator, call):
        model = make(estimator, activation=InterruptedReLU(call))
        with pytest.warns(ConvergenceWarning, match="interrupted by user after") as caught:
            model.fit(X, target(estimator))
        assert [warning.filename for warning in caught] == [__file__]
        assert model.stop_reason_ == "interrupted"
        assert 1 <= model.n_iter_ == len(model.loss_curve_) < 20
        assert f"after {model.n_iter_} complete sweeps" in str(caught[0].message)
        complete = fit(estimator, sweeps=model.n_iter_)
        assert_same_weights(model, complete)
        np.testing.assert_array_equal(model.predict(X), complete.predict(X))

    def test_in_the_loss(self):
        InterruptedLoss.calls = 0
        model = make(MDLAMRegressor, loss=InterruptedLoss())
        with pytest.warns(ConvergenceWarning, match="after 5 complete sweeps"):
            model.fit(X, NUMBERS)
        assert_same_weights(model, fit(MDLAMRegressor, sweeps=5))

    def test_in_the_row_space(self):
        """With more columns than rows the weights live elsewhere until the end."""
        wide = np.random.RandomState(0).standard_normal((12, 80))
        model = make(MDLAMRegressor, activation=InterruptedReLU(30))
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            model.fit(wide, NUMBERS[:12])
        assert_same_weights(model, fit(MDLAMRegressor, wide, NUMBERS[:12], sweeps=model.n_iter_))

    @both
    def test_in_the_first_sweep(self, estimator):
        """Then there is nothing but the start."""
        model = make(estimator, activation=InterruptedReLU(4))
        with pytest.warns(ConvergenceWarning, match="after 0 complete sweeps"):
            model.fit(X, target(estimator))
        assert model.n_iter_ == 0
        assert np.isfinite(output(model)).all()

    @both
    def test_with_early_stopping(self, estimator):
        model = make(estimator, activation=InterruptedReLU(60), early_stopping=True)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            model.fit(X, target(estimator))
        assert model.best_validation_score_ == max(model.validation_scores_)


class TestSampleWeight:
    """Integer weights are copies, and zeros are rows that are not there."""

    @both
    @pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"rho": 1.0},
            {"solver": Relaxed(w_step="exact")},
            {"solver": Relaxed(order="backward", hidden_step="separate")},
            {"activation": "tanh", "penalty": "group"},
            {"hidden_layer_sizes": ()},
        ],
        ids=["default", "rho", "exact", "separate", "tanh, group", "linear"],
    )
    def test_equivalent_to_repeated_rows(self, estimator, parameters, sparse):
        y = target(estimator)
        copies = WEIGHT.astype(int)
        container = sp.csr_array if sparse else np.array
        weighted = fit(estimator, container(X), sample_weight=WEIGHT, **parameters)
        repeated = fit(
            estimator, container(np.repeat(X, copies, axis=0)), np.repeat(y, copies), **parameters
        )
        np.testing.assert_allclose(output(weighted), output(repeated), rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-7)
        np.testing.assert_allclose(weighted.objective_curve_, repeated.objective_curve_, rtol=1e-7)

    @both
    def test_zero_drops_the_row(self, estimator):
        y, keep = target(estimator), WEIGHT > 0
        spoilt = X.copy()
        spoilt[~keep] = 1e6
        weighted = fit(estimator, spoilt, sample_weight=WEIGHT)
        dropped = fit(estimator, X[keep], y[keep], WEIGHT[keep])
        assert_same_weights(weighted, dropped)
        assert weighted.loss_curve_ == dropped.loss_curve_

    @both
    def test_ones_are_no_weights(self, estimator):
        assert_same_weights(fit(estimator), fit(estimator, sample_weight=np.ones(60)))

    @both
    def test_any_container(self, estimator):
        expected = fit(estimator, sample_weight=WEIGHT)
        for weight in (
            WEIGHT.tolist(),
            WEIGHT.astype(int),
            pd.Series(WEIGHT, index=range(60, 0, -1)),
        ):
            assert_same_weights(fit(estimator, sample_weight=weight), expected)

    @both
    def test_scale(self, estimator):
        """Twice the weights and twice alpha is the same fit."""
        one = fit(estimator, sample_weight=WEIGHT + 0.5, alpha=0.3)
        two = fit(estimator, sample_weight=2 * WEIGHT + 1, alpha=0.6)
        assert_same_weights(one, two, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-7)


class TestWarmStart:
    @both
    def test_goes_on(self, estimator):
        y = target(estimator)
        model = make(estimator, rho=1.0, max_iter=2000, warm_start=True).fit(X, y)
        before = model.loss_
        weights = model.coefs_
        again = model.fit(X, y)
        assert again is model
        assert model.loss_curve_[0] <= before * 1.01
        assert model.loss_ <= before * 1.01
        assert model.epsilon_curve_ == [1e-3] * model.n_iter_
        assert weights is not model.coefs_

    @both
    def test_in_steps(self, estimator):
        model = fit(estimator, warm_start=True, rho=1.0, sweeps=40)
        losses = [model.loss_]
        for _ in range(5):
            with pytest.warns(ConvergenceWarning):
                model.set_params(max_iter=10, tol=0).fit(X, target(estimator))
            losses.append(model.loss_)
        assert losses[-1] < losses[0]
        assert max(losses) <= losses[0] * 1.01

    @both
    def test_not_otherwise(self, estimator):
        model = fit(estimator)
        first = [W.copy() for W in model.coefs_]
        with pytest.warns(ConvergenceWarning):
            model.fit(X, target(estimator))
        for W, V in zip(first, model.coefs_, strict=True):
            np.testing.assert_array_equal(W, V)

    @both
    def test_other_type(self, estimator):
        model = fit(estimator, warm_start=True, tol=0)
        with pytest.warns(ConvergenceWarning):
            model.fit(X.astype(np.float32), target(estimator))
        assert {W.dtype for W in model.coefs_} == {np.dtype(np.float32)}

    @both
    @pytest.mark.parametrize("hidden", [(8, 5), (8,), (8, 4, 4), ()])
    def test_other_layer_sizes(self, estimator, hidden):
        model = fit(estimator, warm_start=True).set_params(hidden_layer_sizes=hidden)
        with pytest.raises(ValueError, match=r"warm_start=True .* \[5, 8, 4, \d\].*warm_start=F"):
            model.fit(X, target(estimator))

    @both
    def test_other_features(self, estimator):
        model = fit(estimator, warm_start=True)
        with pytest.raises(ValueError, match=r"warm_start=True needs the layer sizes"):
            model.fit(X[:, :4], target(estimator))
        assert model.n_features_in_ == 5


class TestEarlyStopping:
    @both
    def test_keeps_the_best(self, estimator):
        model = make(estimator, early_stopping=True, rho=0.1, max_iter=1000, n_iter_no_change=5)
        model.fit(X, target(estimator))
        assert model.stop_reason_ == "requested"
        assert len(model.validation_scores_) == model.n_iter_
        best = int(np.argmax(model.validation_scores_))
        assert model.best_validation_score_ == model.validation_scores_[best]
        assert model.loss_ == model.loss_curve_[best]
        until_best = model.set_params(max_iter=best + 1)
        coefs = model.coefs_
        with pytest.warns(ConvergenceWarning):
            until_best.fit(X, target(estimator))
        for W, V in zip(coefs, until_best.coefs_, strict=True):
            np.testing.assert_array_equal(W, V)

    @both
    def test_score_is_of_rows_that_training_did_not_see(self, estimator):
        parameters = {"validation_fraction": 0.25, "shuffle": False, "n_iter_no_change": 100}
        y = target(estimator)
        model = fit(estimator, early_stopping=True, **parameters)
        assert model.best_validation_score_ == pytest.approx(model.score(X[45:], y[45:]))
        alone = fit(estimator, X[:45], y[:45], **parameters)
        assert model.loss_curve_ == alone.loss_curve_

    @pytest.mark.parametrize(
        ("estimator", "scoring"),
        [
            (MDLAMClassifier, "neg_log_loss"),
            (MDLAMClassifier, "roc_auc_ovr"),
            (MDLAMClassifier, "balanced_accuracy"),
            (MDLAMRegressor, "neg_mean_absolute_error"),
        ],
    )
    def test_scoring_by_name(self, estimator, scoring):
        parameters = {"early_stopping": True, "validation_fraction": 0.3, "shuffle": False}
        y = target(estimator)
        model = fit(estimator, scoring=scoring, **parameters)
        score = get_scorer(scoring)(model, X[42:], y[42:])
        assert model.best_validation_score_ == pytest.approx(score)

    @both
    def test_scoring_by_function(self, estimator):
        seen = []

        def scorer(model, X, y):
            seen.append((X.shape, model.predict(X).shape, y.shape))
            return -len(seen)  # the first is the best

        model = make(
            estimator, early_stopping=True, scoring=scorer, max_iter=500, n_iter_no_change=3
        )
        model.fit(X, target(estimator))
        assert set(seen) == {((6, 5), (6,), (6,))}
        assert model.stop_reason_ == "requested"
        assert model.best_validation_score_ == -1
        assert_same_weights(model, self.one_sweep(estimator))

    def one_sweep(self, estimator):
        with pytest.warns(ConvergenceWarning):
            return make(estimator, early_stopping=True, max_iter=1).fit(X, target(estimator))

    @both
    def test_plateau_stops_also_with_tol_zero(self, estimator):
        model = make(estimator, early_stopping=True, scoring=lambda *_: 1.0, tol=0, max_iter=500)
        assert model.fit(X, target(estimator)).stop_reason_ == "requested"
        assert model.n_iter_ < 40

    @both
    def test_score_is_weighted(self, estimator):
        weights = []

        def scorer(model, X, y, sample_weight=None):
            weights.append(sample_weight)
            return 0.0

        parameters = {"early_stopping": True, "shuffle": False, "scoring": scorer}
        fit(estimator, sample_weight=WEIGHT + 1, sweeps=2, **parameters)
        np.testing.assert_array_equal(weights, [WEIGHT[54:] + 1] * 2)

    @both
    def test_data_frame(self, estimator):
        """No complaint about missing column names."""
        frame = pd.DataFrame(X, columns=list("abcde"))
        model = fit(estimator, frame, early_stopping=True)
        assert_same_weights(model, fit(estimator, early_stopping=True))

    @both
    def test_sparse(self, estimator):
        model = fit(estimator, sp.csc_array(X), early_stopping=True, rho=0.1)
        dense = fit(estimator, early_stopping=True, rho=0.1)
        assert model.best_validation_score_ == pytest.approx(dense.best_validation_score_)

    def test_every_class_in_both_parts(self):
        labels = np.repeat(["a", "b", "c"], [6, 24, 30])
        seen = set()

        def scorer(model, X, y):
            seen.update(y)
            return 0.0

        fit(MDLAMClassifier, y=labels, early_stopping=True, scoring=scorer, sweeps=1)
        assert seen == {"a", "b", "c"}


class TestRandomState:
    @both
    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_bit_for_bit(self, estimator, early_stopping):
        one, two = (fit(estimator, early_stopping=early_stopping) for _ in range(2))
        assert_same_weights(one, two)
        assert one.loss_curve_ == two.loss_curve_

    @both
    def test_start_depends_on_it(self, estimator):
        one, two = (fit(estimator, random_state=seed, sweeps=1) for seed in (0, 1))
        assert np.abs(one.coefs_[0] - two.coefs_[0]).max() > 0.01

    @both
    def test_instance(self, estimator):
        by_instance = fit(estimator, random_state=np.random.RandomState(3))
        assert_same_weights(by_instance, fit(estimator, random_state=3))


class TestCopies:
    MODELS = [
        (MDLAMClassifier, {}),
        (MDLAMRegressor, {}),
        (MDLAMRegressor, {"loss": "quantile", "solver": Relaxed(w_step="exact")}),
        (MDLAMClassifier, {"activation": "tanh", "penalty": PENALTIES["box"](0.0, 1.0)}),
    ]

    @pytest.mark.parametrize(("estimator", "parameters"), MODELS)
    def test_round_trip(self, estimator, parameters, tmp_path):
        model = fit(estimator, **parameters)
        joblib.dump(model, tmp_path / "model.joblib")
        for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
            np.testing.assert_array_equal(output(copy), output(model))
            assert copy.loss_curve_ == model.loss_curve_

    @pytest.mark.parametrize(("estimator", "parameters"), MODELS)
    def test_clone(self, estimator, parameters):
        model = fit(estimator, **parameters)
        copy = clone(model)
        assert not hasattr(copy, "coefs_")
        assert repr(copy) == repr(model)
        with pytest.warns(ConvergenceWarning):
            copy.fit(X, target(estimator))
        assert_same_weights(copy, model)


class TestDataFrames:
    FRAME = pd.DataFrame(X, columns=list("abcde"))

    @both
    def test_feature_names(self, estimator):
        model = fit(estimator, self.FRAME)
        assert model.feature_names_in_.tolist() == list("abcde")
        assert_same_weights(model, fit(estimator), rtol=1e-9, atol=1e-12)
        assert np.isfinite(output(model, self.FRAME)).all()
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(self.FRAME[list("badce")])
        assert not hasattr(fit(estimator), "feature_names_in_")

    @both
    def test_series_as_target(self, estimator):
        y = pd.Series(target(estimator), index=range(100, 160), name="y")
        expected = fit(estimator, self.FRAME, y.to_numpy())
        assert_same_weights(fit(estimator, self.FRAME, y), expected)

    @both
    def test_mixed_numbers(self, estimator):
        frame = self.FRAME.assign(a=1.0, b=range(60), c=True, d=pd.array([1, 2] * 30, "Int64"))
        expected = fit(estimator, frame.to_numpy(dtype=float), rho=0.1)
        assert_same_weights(fit(estimator, frame, rho=0.1), expected)

    @both
    def test_set_output_in_a_pipeline(self, estimator):
        model = make_pipeline(StandardScaler(), make(estimator, tol=1.0))
        model.set_output(transform="pandas").fit(self.FRAME, target(estimator))
        assert model[-1].feature_names_in_.tolist() == list("abcde")
        assert model.predict(self.FRAME).shape == (60,)


SPARSE = [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.csc_array]


class TestSparse:
    """The same as dense, up to rounding."""

    @both
    @pytest.mark.parametrize("container", SPARSE, ids=lambda container: container.__name__)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_tall(self, estimator, container, dtype):
        data = np.where(np.abs(X) > 0.7, X, 0).astype(dtype)
        self.check(estimator, data, target(estimator), container)

    @both
    @pytest.mark.parametrize("container", SPARSE[-2:], ids=lambda container: container.__name__)
    @pytest.mark.parametrize("penalty", ["l2", "l1"])
    def test_wide(self, estimator, container, penalty):
        data = sp.random(20, 150, density=0.2, random_state=0)
        self.check(estimator, data.toarray(), target(estimator)[:20], container, penalty=penalty)

    def check(self, estimator, data, y, container, **parameters):
        before = container(data)
        given = before.copy()
        sparse = fit(estimator, given, y, rho=0.1, **parameters)
        dense = fit(estimator, data, y, rho=0.1, **parameters)
        rounding = 1e-3 if data.dtype == np.float32 else 1e-7
        np.testing.assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=rounding)
        assert {W.dtype for W in sparse.coefs_} == {data.dtype}
        assert all(isinstance(W, np.ndarray) for W in sparse.coefs_)
        np.testing.assert_allclose(
            output(sparse, given), output(dense, data), rtol=10 * rounding, atol=rounding
        )
        np.testing.assert_array_equal(given.toarray(), before.toarray())

    @both
    def test_int64_indices(self, estimator):
        data = sp.csr_array(X)
        data.indices, data.indptr = data.indices.astype(np.int64), data.indptr.astype(np.int64)
        assert_same_weights(fit(estimator, data), fit(estimator, sp.csr_array(X)))


class TestInputIsLeftAlone:
    @both
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_arrays(self, estimator, order):
        data = np.array(X, order=order)
        y, weight = target(estimator).copy(), WEIGHT.copy()
        for array in (data, y, weight):
            array.setflags(write=False)
        fit(estimator, data, y, weight, early_stopping=True)
        np.testing.assert_array_equal(data, X)


class TestDegenerateData:
    @both
    @pytest.mark.parametrize("hidden", [(), (6,)])
    def test_one_sample(self, estimator, hidden):
        model = fit(estimator, X[:1], target(estimator)[:1], hidden_layer_sizes=hidden, rho=1.0)
        assert np.isfinite(model.loss_curve_).all()
        if estimator is MDLAMClassifier:
            assert model.predict(X[:1]) == LABELS[:1]
        else:
            assert abs(model.predict(X[:1]) - NUMBERS[0]) < 0.2

    @both
    @pytest.mark.parametrize("hidden", [(), (6,)])
    @pytest.mark.parametrize("value", [0.0, 1.0, -1e6])
    def test_constant_column(self, estimator, hidden, value):
        data = np.column_stack([X, np.full(60, value)])
        model = fit(estimator, data, hidden_layer_sizes=hidden)
        assert np.isfinite(model.loss_curve_).all()
        assert np.isfinite(output(model, data)).all()

    @both
    def test_nothing_but_constants(self, estimator):
        model = fit(estimator, np.ones((60, 3)), hidden_layer_sizes=(), rho=1.0, tol=0, sweeps=200)
        if estimator is MDLAMClassifier:
            shares = np.bincount(LABELS) / 60
            np.testing.assert_allclose(output(model, np.ones((1, 3)))[0], shares, atol=0.02)
        else:
            assert model.predict(np.ones((1, 3))) == pytest.approx(NUMBERS.mean(), abs=1e-6)

    @both
    def test_constant_target(self, estimator):
        y = np.full(60, 2)
        model = fit(estimator, y=y)
        np.testing.assert_allclose(model.predict(X), 2, atol=0.2)

    @both
    def test_fewer_samples_than_columns(self, estimator):
        wide = np.random.RandomState(1).standard_normal((15, 200))
        model = fit(estimator, wide, target(estimator)[:15], rho=1.0, sweeps=100)
        assert model.coefs_[0].shape == (200, 8)
        assert model.score(wide, target(estimator)[:15]) > 0.9

    @both
    def test_row_space_is_only_a_shortcut(self, estimator):
        wide = np.random.RandomState(1).standard_normal((15, 200))
        short, long = (
            fit(estimator, wide, target(estimator)[:15], solver=Relaxed(row_space=row_space))
            for row_space in (True, False)
        )
        np.testing.assert_allclose(short.loss_curve_, long.loss_curve_, rtol=1e-7)
        assert_same_weights(short, long, rtol=1e-6, atol=1e-8)

    @both
    def test_identical_rows(self, estimator):
        model = fit(estimator, np.repeat(X[:1], 60, axis=0))
        assert np.isfinite(model.loss_curve_).all()


class TestVerbose:
    @both
    def test_silent(self, estimator, capfd):
        fit(estimator, sweeps=3)
        assert capfd.readouterr() == ("", "")

    @both
    def test_lines(self, estimator, capsys):
        fit(estimator, sweeps=3, verbose=True)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["Sweep 1", "Sweep 2", "Sweep 3"]
        assert all("objective" in line and "loss" in line for line in lines)

    def test_bar_in_a_terminal(self, capsys, monkeypatch):
        pytest.importorskip("rich")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        fit(MDLAMRegressor, sweeps=3, verbose=True)
        out = capsys.readouterr().out
        assert "3/3" in out
        assert "Sweep 1:" not in out

    def test_lines_in_a_terminal_without_rich(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setitem(sys.modules, "rich.progress", None)
        fit(MDLAMRegressor, sweeps=3, verbose=True)
        assert len(capsys.readouterr().out.splitlines()) == 3

    def test_no_terminal_at_all(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", None)
        fit(MDLAMRegressor, sweeps=3, verbose=True)


class TestModelSelection:
    @both
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_grid_search_over_numbers_and_objects(self, estimator):
        grid = {
            "rho": [1e-2, 1.0],
            "solver": ["relaxed", Relaxed(w_step="exact")],
            "penalty": ["l2", PENALTIES["l1"]()],
        }
        search = GridSearchCV(make(estimator, max_iter=20), grid, cv=2, error_score="raise")
        search.fit(X, target(estimator))
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    @both
    def test_cross_validate(self, estimator):
        scores = cross_validate(make(estimator, tol=1.0), X, target(estimator), cv=3)
        assert np.isfinite(scores["test_score"]).all()


class TestOptionsMatter:
    """No parameter is silently ignored."""

    @both
    @pytest.mark.parametrize(
        "parameters",
        [
            {"activation": "tanh"},
            {"rho": 0.5},
            {"epsilon": 0.1},
            {"alpha": 0.1},
            {"penalty": "l1"},
            {"penalty": "elasticnet", "l1_ratio": 0.1},
            {"early_stopping": True},
            {"early_stopping": True, "shuffle": False},
            {"early_stopping": True, "validation_fraction": 0.3},
            {"random_state": 1},
            {"solver": Relaxed(w_step="exact")},
            {"solver": Relaxed(hidden_step="separate")},
            {"solver": Relaxed(order="backward")},
            {"solver": Relaxed(accelerate=False)},
            {"solver": Relaxed(epsilon_start=1.0)},
            {"solver": Relaxed(epsilon_factor=0.9)},
            {"solver": Relaxed(start_scale=0.1)},
        ],
        ids=str,
    )
    def test_another_value_is_another_fit(self, estimator, parameters):
        base = {"alpha": 0.01}
        found = fit(estimator, **{**base, **parameters})
        assert np.abs(found.coefs_[0] - fit(estimator, **base).coefs_[0]).max() > 1e-9

    @both
    def test_l1_ratio(self, estimator):
        one, two = (
            fit(estimator, penalty="elasticnet", alpha=0.1, l1_ratio=ratio) for ratio in (0.1, 0.9)
        )
        assert np.abs(one.coefs_[0] - two.coefs_[0]).max() > 1e-6

    @both
    @pytest.mark.parametrize("none", [None, "none"])
    def test_no_penalty(self, estimator, none):
        assert_same_weights(
            fit(estimator, penalty=none, alpha=5.0), fit(estimator, alpha=0.0), rtol=1e-6, atol=1e-9
        )

    @both
    def test_constraints_hold(self, estimator):
        assert all(W.min() >= 0 for W in fit(estimator, penalty="nonnegative").coefs_)
        assert all(np.abs(W).max() <= 1 for W in fit(estimator, penalty="box").coefs_)
        assert any((W == 0).any() for W in fit(estimator, penalty="l1", alpha=0.1).coefs_)

    @both
    def test_group_penalty_drops_inputs(self, estimator):
        noise = np.column_stack([X, 0.01 * np.random.RandomState(2).standard_normal((60, 3))])
        W = fit(estimator, noise, penalty="group", alpha=0.05, rho=0.1, sweeps=200).coefs_[0]
        dropped = (W == 0).all(axis=1)
        assert dropped[5:].any()
        assert not dropped[:5].all()


def test_losses_of_the_classifier():
    """Which loss goes with which target; the curves above rely on it."""
    assert isinstance(fit(MDLAMClassifier, sweeps=1)._loss, SoftmaxCrossEntropy)
    assert isinstance(fit(MDLAMClassifier, y=LABELS > 0, sweeps=1)._loss, LogisticLoss)
