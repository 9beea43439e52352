"""Parameters of solvers, penalties, losses and activations by name, as searches ask for them."""

import pickle
import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, Relaxed
from skmdlam.activations import ELU, Activation, LeakyReLU, Sign
from skmdlam.engine.constants import CONSTANTS, Constants, Tuned
from skmdlam.losses import Huber, Loss, Poisson, Quantile
from skmdlam.penalties import L1, Box, ElasticNet, Penalty

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.RandomState(5)
X = RNG.standard_normal((60, 3))
Y = X[:, 0] + 0.1 * RNG.standard_normal(60)
OBJECTS = {
    "solver": Feasible(momentum=0.7),
    "penalty": Box(-2.0, 2.0),
    "loss": Huber(0.8),
    "activation": ELU(0.6),
    "encoding": PiecewiseLinearEncoder(3),
}


def made(**parameters):
    return MDLAMRegressor(
        **{"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0, **OBJECTS, **parameters}
    )


class Scaled(Penalty):
    """A penalty of a user, with a parameter that is a penalty, and derived state."""

    def __init__(self, part, *, factor=2.0, **others):
        self.part, self.factor = part, factor
        self._square = factor**2

    def __repr__(self):
        return f"Scaled({self.part!r}, factor={self.factor!r})"

    def value(self, W):
        return self.factor * self.part.value(W)

    def prox(self, W, t):
        return self.part.prox(W, self.factor * t)


class Stepped(Activation):
    def __init__(self, *steps):
        self.steps = steps


class Hidden(Loss):
    def __init__(self, width):
        self._width = width


@dataclass(frozen=True)
class Slotted(Penalty):
    __slots__ = ("size",)
    size: int


class TestNames:
    def test_of_an_estimator(self):
        names = made().get_params()
        for name, value in {
            "solver__momentum": 0.7,
            "penalty__lower": -2.0,
            "penalty__upper": 2.0,
            "loss__delta": 0.8,
            "activation__alpha": 0.6,
            "encoding__n_bins": 3,
        }.items():
            assert names[name] == value
        assert not any("__" in name for name in made().get_params(deep=False))

    def test_of_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), made())
        pipeline.set_params(mdlamregressor__solver__momentum=0.2)
        assert pipeline.get_params()["mdlamregressor__solver__momentum"] == 0.2

    @pytest.mark.parametrize("each", [Feasible(), Relaxed(), Box(), L1(), Huber(), LeakyReLU(0.5)])
    def test_constructor_takes_what_is_listed(self, each):
        assert type(each)(**each.get_params()) == each == clone(each)

    def test_of_parts(self):
        own = Scaled(Box(0.0, 3.0), factor=5.0)
        expected = {"part": own.part, "factor": 5.0, "part__lower": 0.0, "part__upper": 3.0}
        assert own.get_params() == expected
        assert set(own.get_params(deep=False)) == {"part", "factor"}
        other = made(penalty=own).set_params(penalty__part__upper=4.0, penalty__factor=3.0)
        assert other.penalty.part == Box(0.0, 4.0) and own.part == Box(0.0, 3.0)
        assert other.penalty._square == 9.0

    def test_only_what_is_changed_is_written(self):
        assert repr(Feasible()) == "Feasible()"
        assert repr(Relaxed(order="backward")) == "Relaxed(order='backward')"
        other = Feasible(epochs=7, constants=Constants(tuned=Tuned(rho=3.5)))
        assert eval(repr(other)) == other
        assert repr(made()).count("momentum=0.7") == 1 and "patience" not in repr(made())

    def test_constants_are_short(self):
        assert repr(Feasible().get_params()["constants"]) == "Constants()"
        other = Constants(tuned=Tuned(rho=3.5))
        assert repr(other) == "Constants(tuned=Tuned(rho=3.5))" and other != CONSTANTS


class TestSetting:
    def test_replaces_the_object(self):
        model, twin = made(), made()
        model.set_params(solver__momentum=0.1, penalty__upper=9, loss__delta=4, activation__alpha=2)
        assert model.solver == Feasible(momentum=0.1) and model.penalty == Box(-2.0, 9)
        assert model.loss == Huber(4) and model.activation == ELU(2)
        assert {name: getattr(twin, name) for name in OBJECTS} == OBJECTS

    def test_fitted_model_predicts_as_before(self):
        model = made(solver="feasible", encoding=None).fit(X, Y)
        before = model.predict(X)
        model.set_params(activation__alpha=5.0)
        np.testing.assert_array_equal(model.predict(X), before)

    def test_new_object_and_its_parameter(self):
        model = made().set_params(solver=Relaxed(), solver__order="backward")
        assert model.solver == Relaxed(order="backward")

    def test_of_the_object_itself(self):
        solver = Feasible()
        assert solver.set_params(momentum=0.3, epochs=7) is solver
        assert solver == Feasible(momentum=0.3, epochs=7)
        assert Sign().set_params(width=3).width == 3.0
        assert Slotted(3).set_params(size=8).size == 8
        assert solver.set_params() is solver

    @pytest.mark.parametrize(
        ("params", "says"),
        [
            ({"solver__momentum": 1.5}, r"momentum must be a number in \[0, 1\); got 1.5"),
            ({"penalty__upper": -3.0}, "lower <= upper"),
            ({"loss__delta": 0.0}, "delta must be a positive number"),
            ({"activation__alpha": -1.0}, "alpha must be positive"),
            ({"solver__momentun": 0.5}, "(?s)Invalid parameter 'momentun'.*mean 'momentum'"),
            ({"alhpa": 0.5}, "(?s)Invalid parameter 'alhpa' for estimator.*mean 'alpha'"),
            ({"nothing__x": 0.5}, "Invalid parameter 'nothing'"),
            ({"learning_rate_init": 0.1}, "no learning rate"),
            ({"momentum": 0.1}, "Feasible\\(momentum=...\\)"),
            ({"encoding__n_bin": 4}, "Invalid parameter 'n_bin'"),
            ({"encoding__n_bins": 4, "solver__epoch": 4}, "mean 'epochs'"),
        ],
    )
    def test_refused_and_unchanged(self, params, says):
        model = made()
        with pytest.raises(ValueError, match=says):
            model.set_params(max_iter=50, **params)
        assert model.max_iter == 3
        assert {name: getattr(model, name) for name in OBJECTS} == OBJECTS
        solver = Feasible()
        with pytest.raises(ValueError, match="patience"):
            solver.set_params(momentum=0.5, patience=-1)
        assert solver == Feasible()

    @pytest.mark.parametrize(
        ("name", "value", "parameter", "says"),
        [
            ("solver", "feasible", "momentum", "solver=Feasible(), from skmdlam."),
            ("solver", "feasible", "order", "solver=Relaxed(), from skmdlam."),
            ("solver", Relaxed, "order", "Pass an instance, such as Relaxed()."),
            ("solver", "feasible", "ordr", "Did you mean 'order'?"),
            ("penalty", "elasticnet", "l1_ratio", "penalty=ElasticNet(), from skmdlam.penalties."),
            ("penalty", None, "upper", "penalty=Box(), from skmdlam.penalties."),
            ("loss", "huber", "delta", "loss=Huber(), from skmdlam.losses."),
            ("activation", "relu", "alpha", "activation=ELU(), from skmdlam.activations."),
            ("activation", [ELU()], "alpha", "To search over the entries"),
            ("encoding", "auto", "n_bins", "encoding=PiecewiseLinearEncoder(), from skmdlam"),
            ("alpha", 1.0, "x", "alpha=1.0 has no parameters."),
        ],
    )
    def test_of_a_name(self, name, value, parameter, says):
        with pytest.raises(ValueError, match=f"Invalid parameter '{name}__{parameter}'") as error:
            made(**{name: value}).set_params(**{f"{name}__{parameter}": 0.5})
        assert says in str(error.value)

    @pytest.mark.parametrize(
        ("each", "says"),
        [(Stepped(1, 2), r"takes some without a name, \*steps"), (Hidden(2), "keep 'width' as")],
    )
    def test_what_has_no_names(self, each, says):
        assert each.get_params() == {}
        with pytest.raises(ValueError, match=says):
            each.set_params(width=3)
        assert vars(clone(each)) == vars(each)  # as before there were names


class TestSearches:
    @pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV])
    def test_search(self, search):
        grid = {"solver__momentum": [0.2, 0.6], "activation__alpha": [0.3]}
        model = made(batch_size=20, loss="squared_error", penalty="l2", encoding=None)
        more = {"n_iter": 2} if search is RandomizedSearchCV else {}
        found = search(model, grid, cv=2, error_score="raise", **more).fit(X, Y)
        best = found.best_estimator_
        assert best.solver.momentum == found.best_params_["solver__momentum"]
        assert best.activation == ELU(0.3) and model.activation == ELU(0.6)

    def test_what_is_searched_matters(self):
        grid = {"penalty__upper": [0.01, 2.0]}
        found = GridSearchCV(made(penalty=Box(-0.01, 2.0)), grid, cv=2).fit(X, Y)
        assert np.ptp(found.cv_results_["mean_test_score"]) > 1e-6

    def test_clone_has_the_same_objects_as_its_parameters(self):
        twin = clone(made())
        assert repr(twin) == repr(made()) and "solver__momentum" in twin.get_params()
        assert twin.solver is not OBJECTS["solver"] and twin.solver == OBJECTS["solver"]

    def test_pickle_and_html(self):
        other = pickle.loads(pickle.dumps(made()))
        assert repr(other) == repr(made())
        assert "solver" in made()._repr_html_()


def warned(model, X=X, Y=Y):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(X, Y)
    found = [each for each in found if issubclass(each.category, UserWarning)]
    assert all(each.filename == __file__ for each in found)
    return [str(each.message) for each in found if "no effect" in str(each.message)]


class TestWithoutEffect:
    @pytest.mark.parametrize(
        ("parameters", "says"),
        [
            ({"epsilon": 0.1}, "epsilon=0.1 has no effect: it is .* of solver='relaxed'"),
            ({"solver": Feasible(), "epsilon": 0.1}, "epsilon=0.1 has no effect"),
            ({"l1_ratio": 0.7}, "l1_ratio=0.7 has no effect: penalty='elasticnet' uses it"),
            ({"penalty": ElasticNet(), "l1_ratio": 0.7}, "penalty='elasticnet' uses it"),
            ({"quantile": 0.9}, "loss='quantile' uses it; loss='squared_error' does not"),
            ({"loss": Quantile(), "quantile": 0.9}, "quantile=0.9 has no effect"),
            (
                {"solver": Feasible(momentum=0.5), "batch_size": None},
                "momentum=0.5 of the solver has no effect: this fit takes all 60 samples",
            ),
            (
                {"solver": Feasible(acceleration=None), "batch_size": 20},
                "acceleration=None of the solver has no effect: this fit takes mini-batches",
            ),
        ],
    )
    def test_said_once(self, parameters, says):
        (message,) = warned(MDLAMRegressor(hidden_layer_sizes=(3,), max_iter=2, **parameters))
        assert re.search(says, message)

    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"solver": "relaxed", "epsilon": 0.1},
            {"penalty": "elasticnet", "l1_ratio": 0.7},
            {"penalty": None, "alpha": 0},
            {"loss": "quantile", "quantile": 0.9},
            {"shuffle": False, "early_stopping": True},
            {"solver": Feasible(momentum=0.5), "batch_size": 20},
            {"solver": Feasible(momentum=0.5), "penalty": "l1"},
            {"solver": Feasible(acceleration=None), "batch_size": None},
            {"epsilon": 1e-3, "n_networks": 2},
        ],
    )
    def test_nothing_said(self, parameters):
        assert warned(MDLAMRegressor(hidden_layer_sizes=(3,), max_iter=2, **parameters)) == []

    def test_stream(self):
        model = MDLAMRegressor(hidden_layer_sizes=(3,), epsilon=0.2)
        with pytest.warns(UserWarning, match="epsilon=0.2 has no effect"):
            model.partial_fit(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.partial_fit(X, Y)

    def test_subclass_with_a_constructor_of_its_own(self):
        class Small(MDLAMRegressor):
            def __init__(self, quantile=0.5):
                super().__init__(hidden_layer_sizes=(2,), max_iter=2, quantile=quantile)
                self.l1_ratio = 0.7

        (message,) = warned(clone(Small()))
        assert "l1_ratio=0.7 has no effect" in message
        with pytest.warns(UserWarning, match="(quantile|l1_ratio)=0.[37] has no effect"):
            Small().set_params(quantile=0.3).partial_fit(X, Y)


class TestDidYouMean:
    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("activation", "sigmoid", "Did you mean 'logistic'?"),
            ("activation", "LeakyReLU", "Did you mean 'leaky_relu'?"),
            ("activation", "tanhh", "Did you mean 'tanh'?"),
            ("activation", "gelu", "not monotone"),
            ("activation", ELU, "Pass an instance, such as ELU()"),
            ("loss", "mse", "Did you mean 'squared_error'?"),
            ("loss", "MAE", "Did you mean 'absolute_error'?"),
            ("loss", "pinball", "Did you mean 'quantile'?"),
            ("loss", "log_loss", "use MDLAMClassifier"),
            ("loss", (20, 10), "hidden_layer_sizes=(20, 10)"),
            ("loss", 30, "hidden_layer_sizes=30"),
            ("loss", [20], "hidden_layer_sizes=[20]"),
            ("penalty", "ridge", "Did you mean 'l2'?"),
            ("penalty", "Lasso", "Did you mean 'l1'?"),
            ("penalty", "elastic-net", "Did you mean 'elasticnet'?"),
            ("penalty", "group_lasso", "Did you mean 'group'?"),
            ("solver", "adam", "There is no 'adam'"),
            ("solver", "lbfgs", "alternating minimization"),
            ("solver", "feasable", "Did you mean 'feasible'?"),
            ("scoring", "mse", "Did you mean 'neg_mean_squared_error'?"),
            ("scoring", "accurracy", "Did you mean 'accuracy'?"),
            ("encoding", "piecewise_linear", "Did you mean 'piecewise'?"),
            ("encoding", "none", "encoding=None"),
            ("categorical_features", "auto", "Did you mean 'from_dtype'?"),
            ("batch_size", "atuo", "Did you mean 'auto'?"),
        ],
    )
    def test_in_fit(self, name, value, says):
        model = MDLAMRegressor(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter of MDLAMRegressor") as error:
            model.fit(X, Y)
        assert says in str(error.value)

    def test_no_guess(self):
        with pytest.raises(ValueError, match=r"Got 'qqqq' instead\.$"):
            MDLAMRegressor(penalty="qqqq").fit(X, Y)

    def test_in_a_list_of_activations(self):
        with pytest.raises(ValueError, match=r"activation\[1\].*Did you mean 'logistic'"):
            MDLAMRegressor(hidden_layer_sizes=(3, 3), activation=["relu", "sigmoid"]).fit(X, Y)

    def test_of_a_solver(self):
        with pytest.raises(ValueError, match=r"acceleration must be one of.*mean 'nesterov'"):
            Feasible(acceleration="nestrov")

    def test_classifier_and_one_more_loss(self):
        with pytest.raises(ValueError, match="Did you mean 'balanced'"):
            MDLAMClassifier(class_weight="balance").fit(X, Y > 0)
        assert MDLAMRegressor(loss=Poisson()).get_params()["loss"] == Poisson()


class TestScaleTheFeatures:
    SCALES = np.array([1e-3, 1.0, 2e3])

    def message(self, X, **parameters):
        options = {"max_iter": 15, "tol": 0, "solver": "relaxed", **parameters}
        model = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0, **options)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            model.fit(X, Y)
        return " ".join(str(each.message) for each in found)

    @pytest.mark.parametrize("far", [X * SCALES, X + 300.0, 1e-4 * X, 1e5 * X])
    def test_advice(self, far):
        message = self.message(far)
        assert "make_pipeline(StandardScaler(), MDLAMRegressor(...))" in message
        assert f"from {far.std(axis=0).min():.3g} to {far.std(axis=0).max():.3g}" in message
        assert "raise max_iter" in message.partition("StandardScaler")[2]

    def test_where_it_stalls(self):
        message = self.message(1e-6 * X, max_iter=200, tol=1e-2, n_iter_no_change=2)
        assert "stopped after" in message and "StandardScaler" in message

    def test_no_advice(self):
        rare = np.eye(60)[:, :1]
        for inputs in (X, 3.0 * X, np.hstack([X, rare])):
            assert "has not converged: raise max_iter" in self.message(inputs)
        assert "StandardScaler" not in self.message(X * self.SCALES, solver="feasible")
        assert self.message(X, max_iter=200, tol=1e-2) == ""
