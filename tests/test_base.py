"""What both estimators share: one class of tests for each feature that a user can name."""

import functools
import inspect
import pickle
import sys
import warnings
from copy import copy as shallow_copy
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ELU, LeakyReLU, Logistic, ReLU, get_activations
from skmdlam.engine.loop.judges import Accepting, KeepBest
from skmdlam.engine.loop.run import Run
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Record
from skmdlam.losses import LogisticLoss, Loss, SoftmaxCrossEntropy, SquaredError
from skmdlam.penalties import L2, PENALTIES, Box

RNG = np.random.RandomState(7)
X = RNG.standard_normal((60, 5))
NUMBERS = np.tanh(X @ RNG.standard_normal(5)) + 0.1 * RNG.standard_normal(60)
LABELS = np.digitize(NUMBERS, [-0.5, 0.5])
WEIGHT = RNG.randint(0, 4, size=60).astype(float)
BOTH = [MDLAMClassifier, MDLAMRegressor]

both = pytest.mark.parametrize("estimator", BOTH)

# 60 samples are one batch of solver "feasible" unless batch_size says otherwise.
FEASIBLE = {
    "one batch": {},
    "mini-batches": {"batch_size": 20},
    "full batch": {"batch_size": None},
}
RELAXED = {"solver": "relaxed"}
SOLVERS = {**FEASIBLE, "relaxed": RELAXED}
REPRODUCIBLE = {name: SOLVERS[name] for name in ("full batch", "relaxed")}

feasible = pytest.mark.parametrize("solver", FEASIBLE.values(), ids=FEASIBLE)
# For what hangs on solver and loss: mini-batches with both estimators, the other two with one. The
# rest is slow; one batch is mini-batches of one.
FEW = [("mini-batches", estimator) for estimator in BOTH]
FEW += [("full batch", MDLAMRegressor), ("relaxed", MDLAMClassifier)]
both_and_every_solver = pytest.mark.parametrize(
    ("estimator", "solver"),
    [
        pytest.param(
            estimator,
            solver,
            marks=[pytest.mark.slow] * ((name, estimator) not in FEW),
            id=f"{name}-{estimator.__name__}",
        )
        for name, solver in SOLVERS.items()
        for estimator in BOTH
    ],
)
# For what an estimator does around any solver: each solver with one of the two.
each_solver = pytest.mark.parametrize(
    ("estimator", "solver"),
    [(BOTH[place % 2], solver) for place, solver in enumerate(SOLVERS.values())],
    ids=[f"{name}-{BOTH[place % 2].__name__}" for place, name in enumerate(SOLVERS)],
)
# One step an epoch is too few for a close fit.
several_steps = pytest.mark.parametrize(
    "solver",
    [solver for name, solver in SOLVERS.items() if name != "one batch"],
    ids=[name for name in SOLVERS if name != "one batch"],
)
# A sweep of these does not depend on how many are to come.
same_for_any_max_iter = pytest.mark.parametrize("solver", REPRODUCIBLE.values(), ids=REPRODUCIBLE)


def slowly(*values):
    """Values of a parameter that say hardly more than others: tried by the slow tests."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for value in values
    ]


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
        "n_networks": 1,
        "solver": "feasible",
        "rho": "auto",
        "epsilon": 1e-3,
        "alpha": "auto",
        "penalty": "l2",
        "l1_ratio": 0.5,
        "encoding": "auto",
        "categorical_features": "from_dtype",
        "activity_alpha": "auto",
        "batch_size": "auto",
        "max_iter": 200,
        "tol": 1e-4,
        "n_iter_no_change": 10,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "scoring": None,
        "shuffle": True,
        "clip": True,
        "warm_start": False,
        "random_state": None,
        "verbose": False,
        "calibrate": False,
    }

    @pytest.mark.parametrize(
        ("estimator", "own"),
        [
            (MDLAMClassifier, {"class_weight": None}),
            (MDLAMRegressor, {"quantile": 0.5}),
        ],
    )
    def test_parameters_and_defaults(self, estimator, own):
        """What goes by position is what MLPClassifier and MLPRegressor take by position."""
        parameters = inspect.signature(estimator).parameters
        found = {name: parameter.default for name, parameter in parameters.items()}
        positional = {"hidden_layer_sizes": (100,), "activation": "relu"}
        if estimator is MDLAMRegressor:
            positional = {"loss": "squared_error", **positional}
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
        section = lines[lines.index("Attributes") + 2 : lines.index("See Also")]
        documented = {
            name
            for line in section
            if line[:1].strip(" -")
            for name in line.split(" : ")[0].split(", ")
        }
        made = {name for name in dir(estimator) if isinstance(getattr(estimator, name), property)}
        found = {*vars(model), *made}
        assert documented == {name for name in found if name[0] != "_" and name.endswith("_")}

    @both_and_every_solver
    def test_values(self, estimator, solver):
        model = fit(estimator, **solver)
        n_outputs = 3 if estimator is MDLAMClassifier else 1
        assert [W.shape for W in model.coefs_] == [(5, 8), (8, 4), (4, n_outputs)]
        assert [b.shape for b in model.intercepts_] == [(8,), (4,), (n_outputs,)]
        assert (model.n_layers_, model.n_outputs_, model.n_features_in_) == (4, n_outputs, 5)
        assert 5 < model.n_iter_ <= 30
        best = min(model.loss_curve_)
        assert model.loss_ == (model.loss_curve_[-1] if solver is RELAXED else best)
        assert model.best_loss_ == best
        assert model.validation_scores_ is None
        assert model.best_validation_score_ is None
        curves = ("loss", "objective", "epsilon", "rho", "gap")
        for curve in (getattr(model, f"{name}_curve_") for name in curves):
            assert len(curve) == model.n_iter_
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

    @each_solver
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floats_are_kept(self, estimator, dtype, solver):
        model = fit(estimator, X.astype(dtype), sample_weight=WEIGHT, **solver)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        assert output(model, X.astype(dtype)).dtype == dtype

    @both
    @pytest.mark.parametrize("dtype", [np.float16, np.int32, np.uint8, bool])
    def test_other_numbers_become_float64(self, estimator, dtype):
        model = fit(estimator, (3 * X).astype(dtype), sweeps=2)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(float)}

    @both_and_every_solver
    def test_float32_is_close_to_float64(self, estimator, solver):
        parameters = {"sweeps": 10, **solver}
        single = fit(estimator, X.astype(np.float32), **parameters)
        double = fit(estimator, **parameters)
        np.testing.assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-3)


def layers(model, X):
    """The forward pass, by hand: the pre-activations of every layer."""
    z = []
    for W, b in zip(model.coefs_, model.intercepts_, strict=True):
        z.append((np.maximum(z[-1], 0) if z else X) @ W + b)
    return z


def training_objective(model, weight=None, *, activity_alpha=0.0):
    """J per unit of sample weight, from the formula in the documentation."""
    s = np.ones(60) if weight is None else weight
    share = s / s.sum()
    z = layers(model, X)
    # Of each layer: the last one's outputs, and so its weights, are in the unit of the target.
    units = np.ones(len(z))
    if isinstance(model, MDLAMRegressor):
        losses = 0.5 * (z[-1][:, 0] - NUMBERS) ** 2
        units[:-1] = share @ (NUMBERS - share @ NUMBERS) ** 2
    else:
        p = np.exp(z[-1] - z[-1].max(axis=1, keepdims=True))
        losses = -np.log(p[np.arange(60), LABELS] / p.sum(axis=1))
    J = s @ losses
    alpha = model.alpha
    if alpha == "auto":
        alpha = 0.0 if activity_alpha > 0 else 1e-4
    for W in model.coefs_:
        J += alpha * (np.abs(W).sum() if model.penalty == "l1" else 0.5 * (W**2).sum())
    variances = [np.sum(share @ (values - share @ values) ** 2) for values in z]
    J += 0.5 * activity_alpha * units @ variances
    if activity_alpha > 0:
        spread = share @ (X - share @ X) ** 2
        logarithms = np.log1p(10 * spread * (model.coefs_[0] ** 2).sum(axis=1))
        strength = min(1.0, s.mean()) * model.column_alpha_ * np.sqrt(5)
        J += 0.5 * strength * units[0] * logarithms.sum()
        squares = [(W**2).sum() for W in model.coefs_[1:]]
        J += 0.5 * model.upper_alpha_ * units[1:] @ squares
    return J / s.sum()


def with_weights(model, coefs, intercepts):
    """A fitted estimator with other weights."""
    other = shallow_copy(model)
    other.coefs_, other.intercepts_ = coefs, intercepts
    return other


def after_each_epoch(monkeypatch):
    """Watch fits: the weights after each epoch, as the steps left them, and what was taken back."""
    weights, taken_back = [], []

    def watch(judge, returned):
        plain = judge.judge

        def watched(self, value):
            weights.append(returned(self))
            accepted = plain(self, value)
            taken_back.append(not accepted)
            return accepted

        monkeypatch.setattr(judge, "judge", watched)

    watch(Accepting, lambda judge: judge.weights())
    watch(
        KeepBest,
        lambda judge: judge._frame.returned([layer.V.copy() for layer in judge._network.layers]),
    )
    return weights, taken_back


class TestStrengths:
    """The attributes that say how strong the unit-free penalties were, and why."""

    def noisy(self, n=300):
        rng = np.random.RandomState(0)
        inputs = rng.standard_normal((n, 5))
        return inputs, inputs[:, 0] + 2.0 * rng.standard_normal(n)

    @both_and_every_solver
    def test_kept(self, estimator, solver):
        model = fit(estimator, sweeps=5, **solver)
        if solver is RELAXED:
            assert model.activity_alpha_ == model.column_alpha_ == model.upper_alpha_ == 0.0
            assert np.isnan(model.noise_ratio_)
        else:
            assert model.activity_alpha_ == 2.0  # one a hidden layer
            assert model.column_alpha_ > 0.7 and model.upper_alpha_ > 0.1
            assert model.noise_ratio_ > 0.0

    def test_of_another_solver(self):
        model = fit(MDLAMRegressor, sweeps=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(solver="relaxed").fit(X, NUMBERS)
        assert model.activity_alpha_ == model.column_alpha_ == model.upper_alpha_ == 0.0

    @both
    @pytest.mark.parametrize("solver", [*FEASIBLE.values(), {"penalty": "l1"}], ids=str)
    def test_given(self, estimator, solver):
        given = Feasible(column_alpha=np.float32(3.0), upper_alpha=np.int64(4))
        options = {"solver": given, "sweeps": 5, **solver}
        model = fit(estimator, activity_alpha=7, **options)
        strengths = model.activity_alpha_, model.column_alpha_, model.upper_alpha_
        assert strengths == (7.0, 3.0, 4.0)
        assert {type(strength) for strength in strengths} == {float}
        model = fit(estimator, **options)
        assert model.activity_alpha_ != 7.0
        assert (model.column_alpha_, model.upper_alpha_) == (3.0, 4.0)
        model = fit(estimator, activity_alpha=0.0, **options)
        assert model.activity_alpha_ == model.column_alpha_ == model.upper_alpha_ == 0.0

    def test_one_of_them_given(self):
        automatic = make(MDLAMRegressor, batch_size=50).fit(*self.noisy())
        given = make(MDLAMRegressor, batch_size=50, activity_alpha=7.0).fit(*self.noisy())
        assert given.activity_alpha_ == 7.0 != automatic.activity_alpha_
        assert given.column_alpha_ == automatic.column_alpha_ > 1.0
        assert given.upper_alpha_ == automatic.upper_alpha_ > 10.0
        solver = Feasible(upper_alpha=5.0)
        given = make(MDLAMRegressor, batch_size=50, solver=solver).fit(*self.noisy())
        assert given.upper_alpha_ == 5.0
        assert given.activity_alpha_ == automatic.activity_alpha_
        assert given.column_alpha_ == automatic.column_alpha_

    def test_given_as_they_were_found(self):
        """The same fit: what decides about the length of the schedule is looked at again."""
        found = make(MDLAMRegressor, batch_size=50).fit(*self.noisy())
        solver = Feasible(column_alpha=found.column_alpha_, upper_alpha=found.upper_alpha_)
        given = make(
            MDLAMRegressor, batch_size=50, activity_alpha=found.activity_alpha_, solver=solver
        ).fit(*self.noisy())
        np.testing.assert_array_equal(given.coefs_[0], found.coefs_[0])

    def test_known_while_it_runs(self):
        seen = []

        def score(model, *_):
            seen.append(model.activity_alpha_)
            return 0.0

        options = {"early_stopping": True, "scoring": score, "sweeps": 2}
        model = fit(MDLAMRegressor, **options)
        first, seen[:] = seen[0], []
        assert first == model.activity_alpha_ > 0.0
        model.set_params(activity_alpha=0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, NUMBERS)
        assert set(seen) == {0.0}

    def test_of_a_stream(self):
        model = MDLAMRegressor(random_state=0).partial_fit(X, NUMBERS)
        assert (model.activity_alpha_, model.column_alpha_) == (1.0, 0.75)  # too few to tell
        # A usual share of noise, .4, and ratio, .25.
        assert model.upper_alpha_ == pytest.approx(2.0 * 0.2 * np.sqrt(0.06 * 60))
        usual = model.upper_alpha_ * np.sqrt(500 / 60)
        model.partial_fit(*self.noisy(500))
        assert model.activity_alpha_ == 1.0 and model.column_alpha_ > 1.0
        assert model.upper_alpha_ > 2.0 * usual

    def test_of_a_stream_after_a_fit(self):
        inputs, y = self.noisy()
        model = make(MDLAMRegressor).fit(inputs, y)
        found = model.activity_alpha_, model.column_alpha_, model.upper_alpha_
        model.partial_fit(inputs[:10], y[:10])
        assert (model.activity_alpha_, model.column_alpha_, model.upper_alpha_) == found

    @pytest.mark.parametrize("first", [Feasible(), Feasible(activity_alpha=0.0)], ids=str)
    def test_of_a_stream_whose_options_change(self, first):
        inputs, y = self.noisy(500)
        model = MDLAMRegressor(random_state=0, solver=first).partial_fit(inputs, y)
        model.set_params(solver=Feasible(column_alpha=9.0)).partial_fit(inputs, y)
        assert model.activity_alpha_ == 1.0 and model.column_alpha_ == 9.0
        assert model.upper_alpha_ > 10.0
        model.set_params(activity_alpha=6.0, solver=Feasible(upper_alpha=2.0))
        model.partial_fit(inputs, y)
        assert (model.activity_alpha_, model.upper_alpha_) == (6.0, 2.0)
        assert 1.0 < model.column_alpha_ < 9.0


class TestAlpha:
    @both
    @pytest.mark.parametrize(
        ("parameters", "alpha"),
        [
            ({}, 0.0),
            ({"batch_size": None}, 0.0),
            ({"penalty": None}, 0.0),
            ({"activity_alpha": 3.0}, 0.0),
            ({"activity_alpha": 0}, 1e-4),
            ({"solver": Feasible(activity_alpha=0.0)}, 1e-4),
            ({"penalty": "nonnegative"}, 0.0),
            ({"penalty": "box"}, 0.0),
            ({"penalty": "nonnegative", "activity_alpha": 0}, 1e-4),
            ({"penalty": "l1", "solver": "relaxed"}, 1e-4),
            ({"solver": "relaxed"}, 1e-4),
        ],
        ids=str,
    )
    def test_auto(self, estimator, parameters, alpha):
        """Nothing where the penalties without units are, MLPClassifier's elsewhere.

        That of penalties with kinks is a price, which has tests of its own.
        """
        one = fit(estimator, sweeps=5, **parameters)
        other = fit(estimator, sweeps=5, alpha=alpha, **parameters)
        assert_same_weights(one, other)

    @both
    @pytest.mark.parametrize("solver", [{"batch_size": 20}, {"batch_size": None}], ids=str)
    def test_defaults_do_not_notice_units(self, estimator, solver):
        """Columns in units of 1e-6 to 1e6, and a target in another one: the same model."""
        units = 10.0 ** np.array([-6, 6, 3, -3, 0])
        y = target(estimator)
        scale = 1.0 if issubclass(estimator, MDLAMClassifier) else 1e6
        plain = fit(estimator, sweeps=20, **solver)
        other = fit(estimator, X * units, y if scale == 1.0 else y * scale, sweeps=20, **solver)
        np.testing.assert_allclose(
            output(other, X * units) / scale, output(plain), rtol=0.02, atol=0.02
        )


class TestCurves:
    @both_and_every_solver
    @pytest.mark.parametrize(
        "weight",
        [None, 0.02 * (WEIGHT + 0.25), *slowly(WEIGHT + 0.25, np.full(60, 0.1))],
        ids=["", "small", "weighted", "a tenth each"],
    )
    @pytest.mark.parametrize(("alpha", "penalty"), [(0.0, "l2"), (3.0, "l2"), (0.5, "l1")])
    def test_loss_is_the_training_objective(self, estimator, weight, alpha, penalty, solver):
        # Mini-batches are in single precision.
        tolerance = 1e-5 if solver is FEASIBLE["mini-batches"] else 1e-9
        cases = [(0.0, 1), (0.0, 6)] if solver is RELAXED else [(0.0, 1), (4.0, 6)]
        for activity_alpha, sweeps in cases:
            model = fit(
                estimator,
                sample_weight=weight,
                sweeps=sweeps,
                alpha=alpha,
                penalty=penalty,
                activity_alpha=activity_alpha,
                encoding=None,
                **solver,
            )
            J = training_objective(model, weight, activity_alpha=activity_alpha)
            assert model.loss_ == pytest.approx(J, rel=tolerance, abs=0)

    @both
    @feasible
    @pytest.mark.parametrize(
        ("rho", "activity_alpha"),
        [(1e-8, 4.0), ("auto", 4.0), (1e8, 0.0), *slowly((1e-8, 0.0), ("auto", 0.0), (1e8, 4.0))],
    )
    def test_loss_curve_is_j_of_the_weights_after_each_epoch(
        self, estimator, solver, rho, activity_alpha, monkeypatch
    ):
        """Of those at its very end, whether they are kept or not."""
        weights, taken_back = after_each_epoch(monkeypatch)
        model = fit(estimator, sweeps=40, rho=rho, activity_alpha=activity_alpha, **solver)
        tolerance = 1e-5 if solver is FEASIBLE["mini-batches"] else 1e-9
        J = [
            training_objective(with_weights(model, *found), activity_alpha=activity_alpha)
            for found in weights
        ]
        np.testing.assert_allclose(model.loss_curve_, J, rtol=tolerance)
        kept = np.minimum.accumulate(J)
        np.testing.assert_allclose(model.objective_curve_, kept, rtol=tolerance)
        assert model.best_loss_ == min(model.loss_curve_) == model.loss_
        assert training_objective(model, activity_alpha=activity_alpha) == pytest.approx(
            model.loss_, rel=tolerance, abs=0
        )
        assert model.loss_curve_[-1] < model.loss_curve_[0]
        assert model.epsilon_curve_ == model.gap_curve_ == [0.0] * model.n_iter_
        if solver is FEASIBLE["full batch"]:  # by descent: every sweep is one
            assert (np.diff(model.loss_curve_) <= 0).all()
            assert model.loss_curve_ == model.objective_curve_
            assert not any(taken_back)

    @both
    def test_loss_curve_of_mini_batches_rises_where_j_does(self, estimator, monkeypatch):
        """Not a running minimum: batches of two samples and long steps are noise."""
        weights, _ = after_each_epoch(monkeypatch)
        parameters = {"batch_size": 2, "rho": 1e-8, "alpha": 0.0, "activity_alpha": 0.0}
        model = fit(estimator, sweeps=40, **parameters)
        J = [training_objective(with_weights(model, *found)) for found in weights]
        rises = np.diff(model.loss_curve_) > 0
        assert 3 < rises.sum() < 35
        np.testing.assert_array_equal(rises, np.diff(J) > 0)
        assert (np.diff(model.objective_curve_) <= 0).all()

    @both
    @pytest.mark.parametrize("sweeps", [1, 2, 7])
    def test_loss_curve_of_the_full_batch_is_that_of_shorter_fits(self, estimator, sweeps):
        model = fit(estimator, batch_size=None, alpha=0.3, activity_alpha=2.0)
        shorter = fit(estimator, batch_size=None, alpha=0.3, activity_alpha=2.0, sweeps=sweeps)
        assert shorter.loss_curve_ == model.loss_curve_[:sweeps]
        J = training_objective(shorter, activity_alpha=2.0)
        assert model.loss_curve_[sweeps - 1] == pytest.approx(J, rel=1e-9, abs=0)

    @both
    def test_loss_curve_of_relaxed_is_that_of_shorter_fits(self, estimator):
        """J of the last sweep, which is returned: not the lowest."""
        model = fit(estimator, solver="relaxed", sweeps=12)
        J = [training_objective(fit(estimator, solver="relaxed", sweeps=k + 1)) for k in range(12)]
        np.testing.assert_allclose(model.loss_curve_, J, rtol=1e-9)
        assert model.loss_ == model.loss_curve_[-1] and model.best_loss_ == min(model.loss_curve_)

    @both
    def test_sweeps_that_finish_go_on_from_what_was_kept(self, estimator):
        """A penalty with a kink: mini-batches, then sweeps on all samples, each a descent."""
        parameters = {"penalty": "l1", "alpha": 0.2, "activity_alpha": 0.0, "batch_size": 10}
        model = fit(estimator, sweeps=60, **parameters)
        curve, kept = np.array(model.loss_curve_), np.array(model.objective_curve_)
        finishing = int(np.argmax(np.array(model.rho_curve_) == 1.0))
        assert 5 < finishing < model.n_iter_ - 5
        # The parts round differently.
        assert (curve[finishing:] <= kept[finishing - 1] * (1 + 1e-6)).all()
        assert (np.diff(curve[finishing:]) <= 0).all()
        np.testing.assert_array_equal(kept, np.minimum.accumulate(curve))
        assert model.loss_ == curve[-1] == pytest.approx(training_objective(model), rel=1e-9)

    @both
    @pytest.mark.parametrize("rho", [1e-4, 1.0])
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
        model = fit(estimator, epsilon=0.01, solver="relaxed")
        expected = np.maximum(0.01, 100.0 / 2.0 ** np.arange(30))
        np.testing.assert_array_equal(model.epsilon_curve_, expected)

    @both
    def test_epsilon_as_the_solver_object_says(self, estimator):
        solver = Relaxed(epsilon_start=1.0, epsilon_factor=0.1)
        model = fit(estimator, epsilon=0.05, solver=solver, sweeps=4)
        np.testing.assert_allclose(model.epsilon_curve_, [1.0, 0.1, 0.05, 0.05])

    @both
    def test_rho(self, estimator):
        assert fit(estimator, rho=0.3, solver="relaxed", sweeps=3).rho_curve_ == [0.3] * 3
        automatic = fit(estimator, solver="relaxed", sweeps=3).rho_curve_
        assert automatic == [1.0] * 3

    @both
    def test_rho_of_mini_batches_is_held_in_a_range(self, estimator):
        """Outside of it the first epochs would be lost."""
        auto = fit(estimator, batch_size=20, sweeps=1).rho_curve_[0]
        for given, used in ((2 * auto, 2 * auto), (1e-9, auto / 8), (1e9, 8 * auto)):
            rho = fit(estimator, batch_size=20, sweeps=1, rho=given).rho_curve_[0]
            assert rho in (pytest.approx(used), pytest.approx(2 * used))  # twice: a step refused

    @both
    def test_no_gap_means_that_both_objectives_agree(self, estimator):
        model = fit(estimator, rho=1e6, epsilon=1e-9, solver=Relaxed(epsilon_start=1e-9))
        np.testing.assert_allclose(model.objective_curve_, model.loss_curve_, rtol=1e-2)
        assert max(model.gap_curve_) < 1e-3


class Misled(Loss):
    """Squared error whose value is right; while it lies, steps lead away from the target, and far.

    No subclass of SquaredError, which the solvers know more about.
    """

    def __init__(self, lies=False, size=30.0):
        self.lies, self.size = lies, size

    def value(self, z, y):
        return 0.5 * np.square(z.astype(float) - y).sum(axis=1)

    def gradient(self, z, y):
        return (-self.size if self.lies else 1.0) * (z - y)

    def prox(self, v, y, rho, start=None):
        z = (y + rho * v) / (1.0 + rho)
        return v - self.size * (z - v) if self.lies else z


class TestSafeguard:
    """Steps that make J worse, as only a loss that lies about its slope makes for certain."""

    @pytest.mark.parametrize("epoch", [6, 10])
    def test_a_bad_epoch_is_taken_back(self, epoch):
        """Once: the next ones start from the kept weights, without momentum, at twice the rho."""
        loss, seen = Misled(), []

        def score(model, *_):
            seen.append(model.predict(X))
            loss.lies = len(seen) == epoch
            return len(seen)  # the last is the best: nothing but J decides about the weights

        parameters = {"activity_alpha": 0.0, "alpha": 0.0, "early_stopping": True, "sweeps": 20}
        model = fit(MDLAMRegressor, loss=loss, scoring=score, batch_size=10, **parameters)
        rho = model.rho_curve_[0]
        assert model.rho_curve_[: epoch + 1] == [rho] * epoch + [2.0 * rho]
        assert model.rho_curve_[epoch + 1 :] == [2.0 * rho] * (model.n_iter_ - epoch - 1)
        assert model.objective_curve_[epoch] == model.objective_curve_[epoch - 1]
        np.testing.assert_array_equal(seen[epoch], seen[epoch - 1])
        assert model.loss_ < 0.8 * model.objective_curve_[epoch]
        # The curve has what was measured before the epoch was taken back.
        assert np.argmax(model.loss_curve_[1:]) + 1 == epoch
        assert model.loss_curve_[epoch] > 1.5 * model.objective_curve_[epoch]
        assert model.best_loss_ == model.loss_ == min(model.loss_curve_)

    def test_nothing_but_bad_epochs(self):
        """The start is kept; its J is the lowest, which no entry of the curve is."""
        parameters = {"activity_alpha": 0.0, "alpha": 0.0, "batch_size": 10}
        model = fit(MDLAMRegressor, loss=Misled(lies=True), sweeps=5, **parameters)
        np.testing.assert_array_equal(
            model.rho_curve_[:4], model.rho_curve_[0] * 2.0 ** np.arange(4)
        )
        J = 0.5 * np.mean((model.predict(X) - NUMBERS) ** 2)
        assert model.loss_ == pytest.approx(J, rel=1e-5, abs=0)
        assert model.objective_curve_ == [model.loss_] * 5
        assert model.best_loss_ == model.loss_ < min(model.loss_curve_)

    @pytest.mark.parametrize("penalty", ["l2", "l1"])
    @pytest.mark.parametrize("size", [1.0, 1e5])
    def test_full_batch_does_not_move(self, size, penalty):
        """A descent that the slope promises has to be seen in J, however much it promises."""
        parameters = {"activity_alpha": 0.0, "alpha": 1e-9, "batch_size": None, "tol": 0}
        loss = Misled(lies=True, size=size)
        model = fit(MDLAMRegressor, loss=loss, penalty=penalty, sweeps=20, **parameters)
        assert (np.diff(model.loss_curve_) <= 0).all()
        J = 0.5 * np.mean((model.predict(X) - NUMBERS) ** 2)
        assert model.loss_ == pytest.approx(J, rel=1e-6, abs=0)


class TestStopping:
    @each_solver
    def test_converged(self, estimator, solver):
        model = make(estimator, max_iter=2000, tol=1e-3, **solver).fit(X, target(estimator))
        assert model.stop_reason_ == "converged"
        assert model.n_iter_ < 2000
        if solver not in (FEASIBLE["one batch"], FEASIBLE["mini-batches"]):  # they have a schedule
            F = model.objective_curve_
            assert min(F[:-10]) - F[-1] < 10 * 1e-3

    @both
    def test_not_before_epsilon_has_its_final_value(self, estimator):
        model = make(estimator, tol=1e9, solver="relaxed").fit(X, target(estimator))
        first_final = model.epsilon_curve_.index(1e-3)
        assert model.stop_reason_ == "converged"
        assert first_final + 9 <= model.n_iter_ - 1 <= first_final + 11

    @both
    @same_for_any_max_iter
    def test_patience(self, estimator, solver):
        short, long = (
            make(estimator, tol=1e9, n_iter_no_change=n, **solver).fit(X, target(estimator))
            for n in (5, 12)
        )
        assert long.n_iter_ - short.n_iter_ == 7

    @both
    @feasible
    def test_tol(self, estimator, solver):
        coarse, fine = (
            make(estimator, tol=tol, max_iter=2000, **solver).fit(X, target(estimator))
            for tol in (1.0, 1e-6)
        )
        assert coarse.n_iter_ <= fine.n_iter_
        if solver != FEASIBLE["one batch"]:  # 1 % of the loss is then the larger threshold
            assert coarse.n_iter_ < fine.n_iter_

    @both
    @pytest.mark.parametrize("max_iter", [5, 10, 15])
    def test_a_schedule_that_was_cut_short_says_so(self, estimator, max_iter):
        """A plateau in few epochs goes over to a shorter cool-down: that has not converged."""
        noise = np.random.RandomState(0).standard_normal(60)
        y = np.digitize(noise, [0.0]) if estimator is MDLAMClassifier else noise
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            model = make(estimator, max_iter=max_iter, batch_size=20).fit(X, y)
        assert model.stop_reason_ == "max_iter"
        assert model.n_iter_ > 0.7 * max_iter

    @each_solver
    def test_max_iter_warns_the_caller(self, estimator, solver):
        with pytest.warns(ConvergenceWarning, match=r"3 iterations \(max_iter=3\)") as caught:
            model = make(estimator, max_iter=3, **solver).fit(X, target(estimator))
        assert [warning.filename for warning in caught] == [__file__]
        assert model.stop_reason_ == "max_iter"
        assert model.n_iter_ == 3

    @each_solver
    @pytest.mark.parametrize("max_iter", [1, 2, 7, 31])
    def test_no_more_than_max_iter(self, estimator, max_iter, solver):
        assert 1 <= fit(estimator, sweeps=max_iter, tol=0, **solver).n_iter_ <= max_iter


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
    @same_for_any_max_iter
    @pytest.mark.parametrize("call", [20, 26, 35])
    def test_weights_of_the_last_complete_sweep(self, estimator, call, solver):
        solver = {**solver, "activity_alpha": 0.0}  # its start would take calls
        model = make(estimator, activation=InterruptedReLU(call), **solver)
        with pytest.warns(ConvergenceWarning, match="interrupted by user after") as caught:
            model.fit(X, target(estimator))
        assert [warning.filename for warning in caught] == [__file__]
        assert model.stop_reason_ == "interrupted"
        assert 1 <= model.n_iter_ == len(model.loss_curve_) < 20
        assert f"after {model.n_iter_} iterations" in str(caught[0].message)
        complete = fit(estimator, sweeps=model.n_iter_, **solver)
        assert_same_weights(model, complete)
        np.testing.assert_array_equal(model.predict(X), complete.predict(X))

    @both
    @feasible
    @pytest.mark.parametrize("call", [24, 35, 46])
    def test_feasible_keeps_the_weights_of_the_loss(self, estimator, call, solver):
        """The schedule of the steps depends on max_iter, so there is no fit to compare with."""
        parameters = {"activity_alpha": 0.0, "max_iter": 49, **solver}
        model = make(estimator, activation=InterruptedReLU(call), **parameters)
        with pytest.warns(ConvergenceWarning, match="interrupted by user after"):
            model.fit(X, target(estimator))
        assert model.stop_reason_ == "interrupted"
        assert 1 <= model.n_iter_ == len(model.loss_curve_) < 20
        assert model.loss_ == pytest.approx(training_objective(model), rel=1e-5)

    def test_in_the_loss(self):
        InterruptedLoss.calls = 0
        model = make(MDLAMRegressor, loss=InterruptedLoss(), solver="relaxed")
        with pytest.warns(ConvergenceWarning, match="after 5 iterations"):
            model.fit(X, NUMBERS)
        assert_same_weights(model, fit(MDLAMRegressor, sweeps=5, solver="relaxed"))

    @same_for_any_max_iter
    def test_in_the_row_space(self, solver):
        """With more columns than rows the weights live elsewhere until the end."""
        wide = np.random.RandomState(0).standard_normal((12, 80))
        solver = {**solver, "activity_alpha": 0.0}
        model = make(MDLAMRegressor, activation=InterruptedReLU(30), **solver)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            model.fit(wide, NUMBERS[:12])
        complete = fit(MDLAMRegressor, wide, NUMBERS[:12], sweeps=model.n_iter_, **solver)
        assert_same_weights(model, complete)

    @both
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"batch_size": 20},
            {"batch_size": None},
            {"batch_size": 20, "penalty": "l1", "alpha": 0.1},
            {"batch_size": None, "penalty": "l1", "alpha": 0.1},
        ],
        ids=str,
    )
    def test_in_the_first_sweep(self, estimator, parameters):
        """Then there is nothing but the start."""
        full = "batch_size" in parameters and parameters["batch_size"] is None
        model = make(estimator, activation=InterruptedReLU(20 if full else 4), **parameters)
        with pytest.warns(ConvergenceWarning, match="after 0 iterations"):
            model.fit(X, target(estimator))
        assert model.n_iter_ == 0
        assert np.isfinite(output(model)).all()

    @each_solver
    def test_with_early_stopping(self, estimator, solver):
        model = make(estimator, activation=InterruptedReLU(80), early_stopping=True, **solver)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            model.fit(X, target(estimator))
        assert model.best_validation_score_ == max(model.validation_scores_)

    def test_in_the_scorer(self):
        calls = []

        def scorer(model, X, y):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return model.score(X, y)

        model = make(MDLAMClassifier, scoring=scorer, early_stopping=True)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            model.fit(X, LABELS)
        assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 2


class TestSampleWeight:
    """Integer weights are copies, and zeros are rows that are not there."""

    @both
    @pytest.mark.parametrize(
        ("parameters", "sparse"),
        [
            ({}, False),
            ({"rho": 0.1}, True),
            ({"solver": Relaxed(w_step="exact")}, False),
            ({"solver": Relaxed(order="backward", hidden_step="separate")}, False),
            ({"activation": "tanh", "penalty": "group"}, True),
            ({"hidden_layer_sizes": ()}, False),
        ],
        ids=["default", "rho", "exact", "separate", "tanh, group", "linear"],
    )
    def test_equivalent_to_repeated_rows(self, estimator, parameters, sparse):
        parameters = {**RELAXED, **parameters}
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
    @pytest.mark.parametrize("solver", [{}, {"batch_size": None}], ids=["one batch", "full batch"])
    @pytest.mark.parametrize(
        ("parameters", "sparse"),
        [
            ({}, False),
            ({}, True),
            ({"activity_alpha": 0.0}, False),
            ({"rho": 20.0}, False),
            ({"activation": "tanh", "penalty": "l1"}, False),
            ({"activation": "logistic"}, False),
            ({"activation": "logistic"}, True),
            ({"hidden_layer_sizes": (6, 6, 6)}, False),
            ({"hidden_layer_sizes": ()}, False),
        ],
        ids=str,
    )
    def test_equivalent_to_repeated_rows_in_one_batch(self, estimator, parameters, solver, sparse):
        """Other rows are other mini-batches; up to 64 are one."""
        rows, copies = X[:36], WEIGHT[:36].astype(int)
        assert copies.sum() <= 64
        y = target(estimator)[:36]
        container = sp.csr_array if sparse else np.array
        parameters = {"sweeps": 15, **solver, **parameters}
        weighted = fit(estimator, container(rows), y, WEIGHT[:36], **parameters)
        repeated = fit(
            estimator,
            container(np.repeat(rows, copies, axis=0)),
            np.repeat(y, copies),
            **parameters,
        )
        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-6)
        np.testing.assert_allclose(output(weighted), output(repeated), rtol=1e-5, atol=1e-6)

    @both
    @pytest.mark.parametrize("heavy", [0, 1])
    def test_heavy_half_of_several_batches(self, estimator, heavy):
        """The same rows twice, with other targets: the function that is learned is the heavy one's.

        Copies say nothing of mini-batches, whose composition they change.
        """
        rows = np.random.RandomState(0).standard_normal((200, 4))
        halves = [np.tanh(2.0 * rows[:, 0]), np.abs(rows[:, 1]) - 0.7]
        y = np.concatenate(halves)
        y = y if estimator is MDLAMRegressor else (y > 0).astype(int)
        weight = np.repeat(np.where([heavy == 0, heavy == 1], 1.0, 1e-3), 200)
        parameters = {"hidden_layer_sizes": (20,), "batch_size": 40, "sweeps": 60}
        model = fit(estimator, np.vstack([rows, rows]), y, weight, **parameters)
        assert model.score(rows, y[200 * heavy :][:200]) > 0.85

    @both
    @pytest.mark.parametrize("hidden", [(20,), (20, 20)])
    @pytest.mark.slow
    def test_far_rows_of_next_to_no_weight(self, estimator, hidden):
        """They have no say in the units and metrics of any layer."""
        rows = np.random.RandomState(0).standard_normal((200, 4))
        y = np.tanh(2.0 * np.tile(rows[:, 0], 2))
        y = y if estimator is MDLAMRegressor else (y > 0).astype(int)
        data, weight = np.vstack([rows, 1e3 * rows]), np.repeat([1.0, 1e-12], 200)
        parameters = {"hidden_layer_sizes": hidden, "batch_size": 40, "sweeps": 60}
        model = fit(estimator, data, y, weight, **parameters)
        assert model.score(rows, y[:200]) > 0.8

    @both_and_every_solver
    def test_zero_drops_the_row(self, estimator, solver):
        y, keep = target(estimator), WEIGHT > 0
        spoilt = X.copy()
        spoilt[~keep] = 1e6
        weighted = fit(estimator, spoilt, sample_weight=WEIGHT, **solver)
        dropped = fit(estimator, X[keep], y[keep], WEIGHT[keep], **solver)
        assert_same_weights(weighted, dropped)
        assert weighted.loss_curve_ == dropped.loss_curve_

    @each_solver
    def test_ones_are_no_weights(self, estimator, solver):
        assert_same_weights(
            fit(estimator, **solver), fit(estimator, sample_weight=np.ones(60), **solver)
        )

    @both
    def test_any_container(self, estimator):
        expected = fit(estimator, sample_weight=WEIGHT)
        for weight in (
            WEIGHT.tolist(),
            WEIGHT.astype(int),
            pd.Series(WEIGHT, index=range(60, 0, -1)),
        ):
            assert_same_weights(fit(estimator, sample_weight=weight), expected)

    @both_and_every_solver
    def test_scale(self, estimator, solver):
        """Twice the weights and twice alpha is the same fit."""
        # The penalty on the columns has a strength of its own.
        full = solver is FEASIBLE["full batch"]
        one, two = (
            fit(
                estimator,
                sample_weight=factor * (WEIGHT + 0.5),
                alpha=factor * 0.3,
                activity_alpha=factor * 1.5 if full else 0.0,
                sweeps=15,
                **solver,
                **(
                    {"solver": Feasible(column_alpha=0.0, upper_alpha=2.5 * factor)} if full else {}
                ),
            )
            for factor in (1, 2)
        )
        assert_same_weights(one, two, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestWarmStart:
    @both_and_every_solver
    def test_goes_on(self, estimator, solver):
        y = target(estimator)
        model = make(estimator, max_iter=2000, warm_start=True, **solver).fit(X, y)
        before = model.loss_
        weights = model.coefs_
        again = model.fit(X, y)
        assert again is model
        rise = 1.01 if solver is RELAXED else 1 + 1e-5
        assert model.loss_curve_[0] <= before * rise
        assert model.loss_ <= before * rise
        assert model.epsilon_curve_ == [1e-3 if solver is RELAXED else 0.0] * model.n_iter_
        assert weights is not model.coefs_

    @each_solver
    def test_in_steps(self, estimator, solver):
        model = fit(estimator, warm_start=True, sweeps=40 if solver is RELAXED else 5, **solver)
        losses = [model.loss_]
        for _ in range(5):
            model.set_params(max_iter=10, tol=0).fit(X, target(estimator))
            losses.append(model.loss_)
        assert losses[-1] < losses[0]
        if solver is RELAXED:
            assert max(losses) <= losses[0] * 1.01
        else:
            assert all(now <= before * (1 + 1e-5) for before, now in pairwise(losses))

    @each_solver
    def test_not_otherwise(self, estimator, solver):
        model = fit(estimator, **solver)
        first = [W.copy() for W in model.coefs_]
        model.fit(X, target(estimator))
        for W, V in zip(first, model.coefs_, strict=True):
            np.testing.assert_array_equal(W, V)

    @each_solver
    def test_other_type(self, estimator, solver):
        model = fit(estimator, warm_start=True, tol=0, **solver)
        model.fit(X.astype(np.float32), target(estimator))
        assert {W.dtype for W in model.coefs_} == {np.dtype(np.float32)}

    @both
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("mini-batches", "relaxed"),
            ("relaxed", "full batch"),
            ("full batch", "mini-batches"),
            ("relaxed", "mini-batches"),
            ("mini-batches", "full batch"),
            ("full batch", "relaxed"),
        ],
    )
    def test_other_solver(self, estimator, one, other):
        """The weights are those of the user's columns, whoever fitted them."""
        first = fit(estimator, 100 * X - 3, warm_start=True, activity_alpha=0.0, **SOLVERS[one])
        settings = {"solver": "feasible", "batch_size": "auto", **SOLVERS[other]}
        before = first.loss_
        second = first.set_params(max_iter=1, **settings).fit(100 * X - 3, target(estimator))
        assert second.loss_ <= before * (1.5 if other == "relaxed" else 1 + 1e-5)

    @both
    @pytest.mark.parametrize("hidden", [(8, 5), (8,), (8, 4, 4), ()])
    def test_other_layer_sizes(self, estimator, hidden):
        model = fit(estimator, warm_start=True).set_params(hidden_layer_sizes=hidden)
        with pytest.raises(ValueError, match=r"warm_start=True .* \[5, 8, 4, \d\].*warm_start=F"):
            model.fit(X, target(estimator))

    def test_other_link(self):
        model = fit(MDLAMRegressor, y=np.exp(NUMBERS), warm_start=True)
        before = model.score(X, np.exp(NUMBERS))
        model.set_params(loss="poisson")
        with pytest.raises(ValueError, match=r"needs the out_activation_ .* 'identity'; Poisson"):
            model.fit(X, np.exp(NUMBERS))
        assert model.score(X, np.exp(NUMBERS)) == before

    @both
    def test_other_features(self, estimator):
        model = fit(estimator, warm_start=True)
        with pytest.raises(ValueError, match=r"warm_start=True needs the layer sizes"):
            model.fit(X[:, :4], target(estimator))
        assert model.n_features_in_ == 5


class TestEarlyStopping:
    @both
    @same_for_any_max_iter
    def test_keeps_the_best(self, estimator, solver):
        model = make(estimator, early_stopping=True, max_iter=1000, n_iter_no_change=5, **solver)
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

    @both_and_every_solver
    @pytest.mark.filterwarnings("ignore:shuffle=False has no effect")
    def test_score_is_of_rows_that_training_did_not_see(self, estimator, solver):
        parameters = {
            "validation_fraction": 0.25,
            "shuffle": False,
            "n_iter_no_change": 100,
            **solver,
        }
        y = target(estimator)
        model = fit(estimator, early_stopping=True, **parameters)
        assert model.best_validation_score_ == pytest.approx(model.score(X[45:], y[45:]))
        alone = fit(estimator, X[:45], y[:45], **parameters)
        assert model.loss_curve_ == alone.loss_curve_[: model.n_iter_]
        best = int(np.argmax(model.validation_scores_))
        assert model.best_validation_score_ == model.validation_scores_[best]
        assert model.loss_ == model.loss_curve_[best]

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
    @same_for_any_max_iter
    def test_scoring_by_function(self, estimator, solver):
        seen = []

        def scorer(model, X, y):
            seen.append((X.shape, model.predict(X).shape, y.shape))
            return -len(seen)  # the first is the best

        model = make(
            estimator,
            early_stopping=True,
            scoring=scorer,
            max_iter=500,
            n_iter_no_change=3,
            **solver,
        )
        model.fit(X, target(estimator))
        assert set(seen) == {((6, 5), (6,), (6,))}
        assert model.stop_reason_ == "requested"
        assert model.best_validation_score_ == -1
        assert_same_weights(model, self.one_sweep(estimator, **solver))

    def one_sweep(self, estimator, **solver):
        with pytest.warns(ConvergenceWarning):
            return make(estimator, early_stopping=True, max_iter=1, **solver).fit(
                X, target(estimator)
            )

    @both
    @same_for_any_max_iter
    def test_plateau_stops_also_with_tol_zero(self, estimator, solver):
        model = make(
            estimator, early_stopping=True, scoring=lambda *_: 1.0, tol=0, max_iter=500, **solver
        )
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

    @both_and_every_solver
    def test_sparse(self, estimator, solver):
        model = fit(estimator, sp.csc_array(X), early_stopping=True, sweeps=10, **solver)
        dense = fit(estimator, early_stopping=True, sweeps=10, **solver)
        assert model.best_validation_score_ == pytest.approx(dense.best_validation_score_, abs=1e-3)

    def test_every_class_in_both_parts(self):
        labels = np.repeat(["a", "b", "c"], [6, 24, 30])
        seen = set()

        def scorer(model, X, y):
            seen.update(y)
            return 0.0

        fit(MDLAMClassifier, y=labels, early_stopping=True, scoring=scorer, sweeps=1)
        assert seen == {"a", "b", "c"}

    @pytest.mark.parametrize(
        ("scoring", "response", "metric"),
        [
            ("neg_log_loss", "predict_proba", lambda *a, **k: -log_loss(*a, **k)),
            (None, "predict", accuracy_score),
        ],
    )
    @pytest.mark.parametrize("weighted", [False, True])
    def test_rare_classes(self, scoring, response, metric, weighted):
        """A class of one sample is learned, and the others are scored beside its column."""
        labels = np.where(np.arange(60) == 13, "once", np.where(NUMBERS > 0, "high", "low"))
        weight = np.where(np.arange(60) % 5, 1.5, 0.0) if weighted else None
        seen = []

        class Watched(MDLAMClassifier):
            def score(self, X, y, sample_weight=None):
                seen.append((X, y, sample_weight))
                return super().score(X, y, sample_weight)

            def predict_proba(self, X):
                seen.append((X, None, None))
                return super().predict_proba(X)

        model = make(Watched, early_stopping=True, scoring=scoring, max_iter=5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, labels, sample_weight=weight)
        assert model.classes_.tolist() == ["high", "low", "once"]
        held = seen[-1][0]
        rows = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in held]
        assert "once" not in labels[rows] and len(rows) == (5 if weighted else 6)
        options = {} if scoring is None else {"labels": model.classes_}
        if weighted:
            options["sample_weight"] = weight[rows]
        expected = metric(labels[rows], getattr(model, response)(X[rows]), **options)
        assert model.best_validation_score_ == pytest.approx(expected)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
    @pytest.mark.parametrize("scoring", ["roc_auc_ovr", "roc_auc_ovo"])
    def test_score_that_wants_every_class(self, scoring):
        """A metric that is not defined without a class: which one is missing is said."""
        labels = np.where(np.arange(60) == 7, "rare", np.where(NUMBERS > 0, "low", "high"))
        model = make(MDLAMClassifier, early_stopping=True, scoring=scoring, max_iter=3)
        with pytest.raises(ValueError, match=r"classes \['rare'\].*choose another scoring"):
            model.fit(X, labels, sample_weight=np.arange(1.0, 61.0))


class TestRandomState:
    @each_solver
    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_bit_for_bit(self, estimator, early_stopping, solver):
        one, two = (fit(estimator, early_stopping=early_stopping, **solver) for _ in range(2))
        assert_same_weights(one, two)
        assert one.loss_curve_ == two.loss_curve_

    @each_solver
    def test_start_depends_on_it(self, estimator, solver):
        one, two = (fit(estimator, random_state=seed, sweeps=1, **solver) for seed in (0, 1))
        assert np.abs(one.coefs_[0] - two.coefs_[0]).max() > 0.01

    @each_solver
    def test_instance(self, estimator, solver):
        by_instance = fit(estimator, random_state=np.random.RandomState(3), **solver)
        assert_same_weights(by_instance, fit(estimator, random_state=3, **solver))


class TestCopies:
    MODELS = [
        (MDLAMClassifier, {}),
        (MDLAMRegressor, {}),
        (MDLAMRegressor, {"loss": "quantile", "solver": Relaxed(w_step="exact")}),
        (MDLAMRegressor, {"loss": "huber", "solver": Feasible(momentum=0.5)}),
        (MDLAMClassifier, {"solver": "relaxed", "activation": "softplus"}),
        (MDLAMClassifier, {"batch_size": 20, "activity_alpha": 2.0}),
        (MDLAMRegressor, {"batch_size": None, "activity_alpha": 0.0}),
        (MDLAMClassifier, {"activation": "tanh", "penalty": PENALTIES["box"](0.0, 1.0)}),
        (MDLAMClassifier, {"activation": ["tanh", ELU(0.5)]}),
        (MDLAMRegressor, {"activation": ("relu", "logistic"), "solver": "relaxed"}),
        (MDLAMRegressor, {"loss": "quantile", "quantile": 0.8}),
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            copy.fit(X, target(estimator))
        assert_same_weights(copy, model)


class TestActivationOfEachLayer:
    @each_solver
    def test_same_for_all_layers_is_the_same(self, estimator, solver):
        one = fit(estimator, activation="logistic", **solver)
        for activation in (["logistic", "logistic"], (Logistic(), "logistic")):
            assert_same_weights(fit(estimator, activation=activation, **solver), one)

    @each_solver
    def test_forward_pass(self, estimator, solver):
        model = fit(estimator, activation=["tanh", ELU(0.5)], **solver)
        (W1, W2, W3), (b1, b2, b3) = model.coefs_, model.intercepts_
        z = np.tanh(X @ W1 + b1) @ W2 + b2
        z = np.where(z > 0, z, 0.5 * np.expm1(np.minimum(z, 0))) @ W3 + b3
        expected = z[:, 0] if isinstance(model, MDLAMRegressor) else z
        given = model.predict if isinstance(model, MDLAMRegressor) else model.decision_function
        np.testing.assert_allclose(given(X), expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.slow
    @both
    @several_steps
    def test_order_matters_and_it_learns(self, estimator, solver):
        models = [
            fit(estimator, activation=activation, sweeps=200, activity_alpha=0.0, **solver)
            for activation in (["relu", "logistic"], ["logistic", "relu"])
        ]
        assert np.abs(models[0].coefs_[0] - models[1].coefs_[0]).max() > 0.01
        for model in models:
            assert model.score(X, target(estimator)) > 0.8

    def test_one_hidden_layer_and_none(self):
        one = fit(MDLAMClassifier, hidden_layer_sizes=6, activation=["tanh"])
        assert_same_weights(one, fit(MDLAMClassifier, hidden_layer_sizes=6, activation="tanh"))
        none = fit(MDLAMClassifier, hidden_layer_sizes=(), activation=[])
        assert_same_weights(none, fit(MDLAMClassifier, hidden_layer_sizes=()))

    @both
    def test_grid_search(self, estimator):
        grid = {"activation": ["relu", ["tanh", "relu"], ("relu", LeakyReLU(0.2))]}
        search = GridSearchCV(make(estimator, max_iter=20), grid, cv=2, error_score="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, target(estimator))
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert len(set(search.cv_results_["mean_test_score"])) > 1

    def test_repr(self):
        model = MDLAMClassifier(activation=["tanh", ELU(0.5)])
        assert repr(model) == "MDLAMClassifier(activation=['tanh', ELU(alpha=0.5)])"

    def test_steps_of_each_layer_are_its_own(self):
        """A logistic layer takes longer steps, and leaves those of the others alone."""
        run = {}
        for names in (["relu", "logistic"], ["logistic", "relu"], ["relu", "tanh"]):
            activations = get_activations(names, 2)
            problem = Problem(X, NUMBERS[:, None], activations, SquaredError(), L2(), 1e-4)
            start = Feasible().initial_weights([5, 8, 4, 1], RNG, float, activations)
            layers = Feasible().start(problem, *start, batch_size=20).step.network.layers
            run[tuple(names)] = [layer.gain for layer in layers]
        assert list(run.values()) == [[3.0, 10.0, 1.0], [10.0, 3.0, 1.0], [3.0, 3.0, 1.0]]


class TestSign:
    """Steps, which have no gradient: learned by the straight-through slope, exact in the blocks."""

    RNG = np.random.RandomState(1)
    X = RNG.standard_normal((600, 8))
    NUMBERS = np.sign(X[:, 0] + X[:, 1]) + np.sign(X[:, 2] - X[:, 3])

    def score(self, estimator, X, **parameters):
        y = self.NUMBERS if estimator is MDLAMRegressor else self.NUMBERS.astype(int)
        model = fit(estimator, X[:400], y[:400], sweeps=200, **parameters)
        return model, model.score(X[400:], y[400:])

    @pytest.mark.slow
    @both
    @feasible
    def test_beats_a_first_layer_that_does_not_learn(self, estimator, solver):
        rng = np.random.RandomState(2)
        units = self.X @ rng.standard_normal((8, 12)) + rng.standard_normal(12)
        _, random = self.score(estimator, np.where(units >= 0, 1.0, -1.0), hidden_layer_sizes=())
        steps = {"hidden_layer_sizes": (12,), "activation": "sign"}
        model, learned = self.score(estimator, self.X, **steps, **solver)
        assert learned > random + 0.1
        assert np.isin(model.transform(self.X), (-1.0, 1.0)).all()

    @both
    def test_relaxed(self, estimator):
        steps = {"hidden_layer_sizes": (12,), "activation": "sign"}
        model, score = self.score(estimator, self.X, **steps, **RELAXED)
        assert score > 0.3
        settled = [
            F for F, eps in zip(model.objective_curve_, model.epsilon_curve_, strict=True)
            if eps == model.epsilon
        ]  # fmt: skip
        assert len(settled) > 5
        assert all(b <= a * (1 + 1e-12) for a, b in pairwise(settled))

    @both
    @feasible
    def test_objective_curve_is_that_of_the_steps(self, estimator, solver):
        model = fit(estimator, activation="sign", sweeps=100, activity_alpha=0.0, **solver)
        curve = model.objective_curve_
        assert all(after <= before for before, after in pairwise(curve))
        assert curve[-1] < 0.8 * curve[0]
        if estimator is MDLAMRegressor:
            J = 0.5 * np.mean((model.predict(X) - NUMBERS) ** 2)
        else:
            J = -np.mean(model.predict_log_proba(X)[np.arange(60), LABELS])
        J += 0.5e-4 * sum((W**2).sum() for W in model.coefs_) / 60
        assert curve[-1] == pytest.approx(J, rel=1e-5, abs=0)


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


class TestSparse:
    """The same as dense, up to rounding."""

    @each_solver
    @pytest.mark.parametrize(
        ("container", "dtype"),
        [(sp.csr_matrix, np.float64), (sp.csc_array, np.float32), (sp.coo_matrix, np.float64)],
    )
    def test_tall(self, estimator, container, dtype, solver):
        data = np.where(np.abs(X) > 0.7, X, 0).astype(dtype)
        self.check(estimator, data, target(estimator), container, **solver)

    @each_solver
    @pytest.mark.parametrize(("container", "penalty"), [(sp.csr_array, "l2"), (sp.csc_array, "l1")])
    def test_wide(self, estimator, container, penalty, solver):
        data = sp.random(20, 150, density=0.2, random_state=0)
        y = target(estimator)[:20]
        self.check(estimator, data.toarray(), y, container, penalty=penalty, **solver)

    def check(self, estimator, data, y, container, **parameters):
        before = container(data)
        given = before.copy()
        if parameters.get("solver") == "relaxed":
            parameters["rho"] = 0.1
        else:
            parameters["sweeps"] = 8
        sparse = fit(estimator, given, y, **parameters)
        dense = fit(estimator, data, y, **parameters)
        single = data.dtype == np.float32 or parameters.get("batch_size") == 20
        rounding = 1e-3 if single else 1e-7
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


class TestUnits:
    """Without a penalty on the weights, units do not matter to solver "feasible"."""

    @both
    @feasible
    def test_score_does_not_depend_on_them(self, estimator, solver):
        units = 10.0 ** np.random.RandomState(0).uniform(-6, 6, 5)
        y = target(estimator)
        scaled = y if estimator is MDLAMClassifier else 1e6 * y
        parameters = {"alpha": 0.0, "sweeps": 30, **solver}
        plain = fit(estimator, **parameters)
        other = fit(estimator, X * units, scaled, **parameters)
        assert other.score(X * units, scaled) == pytest.approx(plain.score(X, y), abs=0.005)


class TestInputIsLeftAlone:
    @each_solver
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_arrays(self, estimator, order, solver):
        data = np.array(X, order=order)
        y, weight = target(estimator).copy(), WEIGHT.copy()
        for array in (data, y, weight):
            array.setflags(write=False)
        fit(estimator, data, y, weight, early_stopping=True, **solver)
        np.testing.assert_array_equal(data, X)


class TestDegenerateData:
    @both_and_every_solver
    @pytest.mark.parametrize("hidden", [(), (6,)])
    def test_one_sample(self, estimator, hidden, solver):
        model = fit(
            estimator, X[:1], target(estimator)[:1], hidden_layer_sizes=hidden, sweeps=100, **solver
        )
        assert np.isfinite(model.loss_curve_).all()
        if estimator is MDLAMClassifier:
            assert model.predict(X[:1]) == LABELS[:1]
        else:
            assert abs(model.predict(X[:1]) - NUMBERS[0]) < 0.2

    @each_solver
    @pytest.mark.parametrize("hidden", [(), (6,)])
    @pytest.mark.parametrize("value", [0.0, -1e6])
    def test_constant_column(self, estimator, hidden, value, solver):
        data = np.column_stack([X, np.full(60, value)])
        model = fit(estimator, data, hidden_layer_sizes=hidden, **solver)
        assert np.isfinite(model.loss_curve_).all()
        assert np.isfinite(output(model, data)).all()

    @both
    @several_steps
    def test_nothing_but_constants(self, estimator, solver):
        model = fit(estimator, np.ones((60, 3)), hidden_layer_sizes=(), tol=0, sweeps=200, **solver)
        assert np.isnan(model.noise_ratio_)  # rounding is no spread
        if estimator is MDLAMClassifier:
            shares = np.bincount(LABELS) / 60
            np.testing.assert_allclose(output(model, np.ones((1, 3)))[0], shares, atol=0.02)
        else:
            assert model.predict(np.ones((1, 3))) == pytest.approx(
                NUMBERS.mean(), abs=1e-3 if "batch_size" in solver else 1e-6
            )

    @each_solver
    def test_constant_target(self, estimator, solver):
        y = np.full(60, 2)
        model = fit(estimator, y=y, **solver)
        np.testing.assert_allclose(model.predict(X), 2, atol=0.2)

    @both
    @several_steps
    def test_fewer_samples_than_columns(self, estimator, solver):
        wide = np.random.RandomState(1).standard_normal((15, 200))
        # There is nothing but noise to learn, and "auto" would see that.
        strengths = {"activity_alpha": 1.0, "solver": Feasible(upper_alpha=0.1)}
        activity = {} if solver is RELAXED else strengths
        model = fit(estimator, wide, target(estimator)[:15], sweeps=100, **activity, **solver)
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

    @each_solver
    def test_identical_rows(self, estimator, solver):
        model = fit(estimator, np.repeat(X[:1], 60, axis=0), **solver)
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
        assert [line.split(":")[0] for line in lines] == [
            "Iteration 1",
            "Iteration 2",
            "Iteration 3",
        ]
        assert all("loss" in line for line in lines)

    def test_bar_in_a_terminal(self, capsys, monkeypatch):
        pytest.importorskip("rich")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        fit(MDLAMRegressor, sweeps=3, verbose=True)
        out = capsys.readouterr().out
        assert "3/3" in out
        assert "Iteration 1:" not in out

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
    @pytest.mark.slow
    def test_grid_search_over_numbers_and_objects(self, estimator):
        grid = {
            "rho": [1e-2, 1.0],
            "solver": ["relaxed", Relaxed(w_step="exact"), Feasible(damping=1.0)],
            "penalty": ["l2", PENALTIES["l1"]()],
        }
        search = GridSearchCV(make(estimator, max_iter=4), grid, cv=2, error_score="raise")
        search.fit(X, target(estimator))
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    @both
    def test_cross_validate(self, estimator):
        scores = cross_validate(make(estimator, tol=1.0), X, target(estimator), cv=3)
        assert np.isfinite(scores["test_score"]).all()


class TestOptionsMatter:
    """No parameter is silently ignored."""

    SHARED = [
        {"activation": "tanh"},
        {"alpha": 0.1},
        {"penalty": "l1"},
        {"penalty": "elasticnet", "l1_ratio": 0.1},
        {"early_stopping": True},
        {"early_stopping": True, "shuffle": False},
        {"early_stopping": True, "validation_fraction": 0.3},
        {"random_state": 1},
    ]

    @each_solver
    @pytest.mark.parametrize("parameters", SHARED, ids=str)
    @pytest.mark.slow
    def test_of_every_solver(self, estimator, parameters, solver):
        self.check(estimator, {**solver, "max_iter": 12}, parameters)

    @pytest.mark.parametrize("estimator", BOTH[:1])
    @pytest.mark.parametrize(
        "parameters",
        [
            {"rho": 0.5},
            {"epsilon": 0.1},
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
    def test_of_relaxed(self, estimator, parameters):
        self.check(estimator, RELAXED, parameters)

    @pytest.mark.parametrize("estimator", BOTH[:1])
    @feasible
    @pytest.mark.parametrize(
        "parameters",
        [
            {"rho": 30.0},
            {"activity_alpha": 0.0},
            {"activity_alpha": 20.0},
            {"solver": Feasible(activity_alpha=20.0)},
            {"solver": Feasible(upper_alpha=20.0)},
        ],
        ids=str,
    )
    def test_of_feasible(self, estimator, parameters, solver):
        self.check(estimator, solver, parameters)

    @pytest.mark.parametrize("estimator", BOTH[1:])
    @pytest.mark.parametrize(
        "parameters",
        [
            {"batch_size": 10},
            {"batch_size": 60},
            {"batch_size": "auto"},
            {"batch_size": None},
            {"max_iter": 20},
            {"tol": 1.0},
            {"n_iter_no_change": 1, "tol": 0.05},
            {"solver": Feasible(column_alpha=0.0)},
            {"solver": Feasible(hidden_gain=1.0)},
            {"solver": Feasible(damping=1.0)},
            {"solver": Feasible(momentum=0.5)},
            {"max_iter": 100, "solver": Feasible(epochs=2)},
            {"max_iter": 100, "solver": Feasible(cool_down=40)},
            {"solver": Feasible(patience=1)},
            {"solver": Feasible(single_precision=False)},
        ],
        ids=str,
    )
    def test_of_mini_batches(self, estimator, parameters):
        self.check(estimator, FEASIBLE["mini-batches"], parameters)

    @both
    @pytest.mark.parametrize("acceleration", [None, "nesterov"])
    def test_of_the_full_batch(self, estimator, acceleration):
        parameters = {"solver": Feasible(acceleration=acceleration)}
        self.check(estimator, FEASIBLE["full batch"], parameters)

    def check(self, estimator, solver, parameters):
        """Another value is another fit."""
        base = {"alpha": 0.01, "max_iter": 40, **solver}
        one = self.weights(estimator, tuple(base.items()))
        other = self.weights(estimator, tuple({**base, **parameters}.items()))
        assert np.abs(one - other).max() > 1e-9

    @staticmethod
    @functools.cache
    def weights(estimator, parameters):
        """Of the first layer; the same fit is compared with those of many parameters."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return make(estimator, **dict(parameters)).fit(X, target(estimator)).coefs_[0]

    @each_solver
    def test_l1_ratio(self, estimator, solver):
        # By itself: with the penalties on variances all weights of one batch may end at zero.
        alone = {"penalty": "elasticnet", "alpha": 0.1, "activity_alpha": 0.0, **solver}
        one, two = (fit(estimator, l1_ratio=ratio, **alone) for ratio in (0.1, 0.9))
        assert np.any(one.coefs_[0]) and np.any(two.coefs_[0])
        assert np.abs(one.coefs_[0] - two.coefs_[0]).max() > 1e-6

    @each_solver
    @pytest.mark.parametrize("none", [None, "none"])
    @pytest.mark.filterwarnings("ignore:alpha=5.0 has no effect")
    def test_no_penalty(self, estimator, none, solver):
        assert_same_weights(
            fit(estimator, penalty=none, alpha=5.0, **solver),
            fit(estimator, alpha=0.0, **solver),
            rtol=1e-6,
            atol=1e-9,
        )

    @each_solver
    def test_constraints_hold(self, estimator, solver):
        assert all(W.min() >= 0 for W in fit(estimator, penalty="nonnegative", **solver).coefs_)
        assert all(np.abs(W).max() <= 1 for W in fit(estimator, penalty="box", **solver).coefs_)
        assert any((W == 0).any() for W in fit(estimator, penalty="l1", alpha=0.1, **solver).coefs_)

    @each_solver
    def test_constraints_hold_with_alpha_zero(self, estimator, solver):
        """Without a strength what is left of these penalties is the constraint."""
        loose, tight = (
            fit(estimator, penalty="nonnegative", alpha=alpha, sweeps=30, **solver)
            for alpha in (0.0, 1e-9)
        )
        assert all(W.min() >= 0 for W in loose.coefs_)
        np.testing.assert_allclose(loose.loss_, tight.loss_, rtol=1e-3)
        unit = fit(estimator, penalty=Box(-0.1, 0.1), alpha=0.0, **solver)
        assert all(np.abs(W).max() <= 0.1 for W in unit.coefs_)

    @both
    def test_group_penalty_drops_inputs(self, estimator):
        noise = np.column_stack([X, 0.01 * np.random.RandomState(2).standard_normal((60, 3))])
        parameters = {"penalty": "group", "alpha": 0.05, "rho": 0.1, "solver": "relaxed"}
        W = fit(estimator, noise, sweeps=200, **parameters).coefs_[0]
        dropped = (W == 0).all(axis=1)
        assert dropped[5:].any()
        assert not dropped[:5].all()


def test_losses_of_the_classifier():
    """Which loss goes with which target; the curves above rely on it."""
    assert isinstance(fit(MDLAMClassifier, sweeps=1)._loss, SoftmaxCrossEntropy)
    assert isinstance(fit(MDLAMClassifier, y=LABELS > 0, sweeps=1)._loss, LogisticLoss)


def test_a_solver_may_change_the_starting_weights_that_it_is_given():
    class Spoiling(Relaxed):
        def start(self, problem, coefs, intercepts, **settings):
            coefs[0][:] = 0.0
            raise RuntimeError("spoiled")

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    model = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0).fit(X, y)
    before = model.coefs_[0].copy()
    model.set_params(solver=Spoiling(), warm_start=True)
    with pytest.raises(RuntimeError, match="spoiled"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], before)


def test_by_score_the_objective_does_not_end_a_fit():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    w = np.array([[1.0], [-2.0]])

    class Rising(Run):  # the objective only rises, the score gets better all the time
        k = 0

        def __next__(self):
            self.k += 1
            return Record(self.k, float(self.k), 1.0, 1.0, 0.0, 0.0, 0, True, 0.0)

        def weights(self):
            return [0.1 * self.k * w], [np.zeros(1)]

    class Solver(Relaxed):
        def start(self, problem, coefs, intercepts, **settings):
            return Rising()

    model = MDLAMRegressor(
        hidden_layer_sizes=(), solver=Solver(), early_stopping=True, n_iter_no_change=2, max_iter=8
    )
    with pytest.warns(match="has not converged"):
        model.fit(X, (X @ w).ravel())
    assert model.n_iter_ == 8
