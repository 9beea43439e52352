"""Columns of size 1e-12 and 1e12, rho from 1e-8 to 1e8: legal, and nothing may become infinite."""

import numpy as np
import pytest

from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ACTIVATIONS
from skmdlam.losses import REGRESSION_LOSSES
from skmdlam.penalties import PENALTIES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.standard_normal((40, 6)) * [1e-12, 1e12, 1.0, 1.0, 1e-12, 1e12]
POSITIVE = 3 * np.abs(RNG.standard_normal(40))
TARGETS = {"binary": np.arange(40) % 2, "multiclass": np.arange(40) % 3}
TARGETS["multilabel"] = np.column_stack([TARGETS["binary"], TARGETS["multiclass"] == 0])
TASKS = [*TARGETS, *REGRESSION_LOSSES]
RHOS = [1e-8, 1e-4, 1.0, 1e4, 1e8]
# What overflows does so in single precision first.
DTYPES = [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)]
SOLVERS = {
    "mini-batches": {"batch_size": 10},
    "full batch": {"batch_size": None},
    "relaxed": {"solver": "relaxed"},
}

every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)


def check(task, X, **parameters):
    parameters = {"hidden_layer_sizes": (5, 4), "random_state": 0, **parameters}
    # Solver "relaxed" has its last epsilon after 17.
    sweeps = 12 if parameters.get("solver", "feasible") == "feasible" else 25
    if task in TARGETS:
        model = MDLAMClassifier(max_iter=sweeps, **parameters).fit(X, TARGETS[task])
        outputs = [
            model.decision_function(X),
            model.predict_proba(X),
            model.predict_log_proba(X),
            model.predict(X),
        ]
    else:
        model = MDLAMRegressor(loss=task, max_iter=sweeps, **parameters).fit(X, POSITIVE)
        outputs = [model.predict(X)]
    for array in model.coefs_ + model.intercepts_:
        assert np.isfinite(array).all()
        assert array.dtype == X.dtype
    for array in outputs:
        assert np.isfinite(array).all()
    for curve in (model.loss_curve_, model.objective_curve_, model.gap_curve_):
        assert np.isfinite(curve).all()
    F, epsilon = np.array(model.objective_curve_), np.array(model.epsilon_curve_)
    same_stage = epsilon[1:] == epsilon[:-1]
    assert np.all((F[1:] <= F[:-1] * (1 + 1e-9))[same_stage])
    if isinstance(model.solver, str) and model.solver == "feasible":
        # In mini-batches F is the lowest J so far: there only that it is not above J is looked at.
        assert same_stage.all()
        assert np.all(np.minimum.accumulate(model.loss_curve_) >= F)
        if model.batch_size is None and model.activation != "sign":
            assert model.loss_curve_ == model.objective_curve_
    return model


@every_solver
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_columns_and_rho(task, dtype, solver):
    for rho in (1e-8, 1e-4, 1e8):
        check(task, X.astype(dtype), **solver, rho=rho)


@every_solver
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", ["multiclass", "squared_error"])
def test_no_hidden_layer(task, dtype, solver):
    for rho in (1e-8, 1e-4, 1e8):
        check(task, X.astype(dtype), **solver, rho=rho, hidden_layer_sizes=())


@every_solver
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_fewer_rows_than_columns(task, dtype, solver):
    wide = np.tile(X, 20).astype(dtype)
    for rho in (1e-8, 1e8):
        check(task, wide, **solver, rho=rho)


@every_solver
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.slow
def test_activations(activation, dtype, solver):
    for task, rho in (("multiclass", 1e-8), ("squared_error", 1.0), ("squared_error", 1e8)):
        check(task, X.astype(dtype), **solver, rho=rho, activation=activation)


@every_solver
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.slow
def test_penalties(penalty, dtype, solver):
    for task, alpha in (("multiclass", 1e12), ("squared_error", 1.0), ("squared_error", 1e-12)):
        check(task, X.astype(dtype), **solver, penalty=penalty, alpha=alpha)


@every_solver
@pytest.mark.filterwarnings("ignore:epsilon=.* has no effect")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("scale", "epsilon"), [(1e-12, 1e12), (1e12, 1e-12)])
def test_weights_and_epsilon(scale, epsilon, dtype, solver):
    weight = np.linspace(0, scale, 40)
    for estimator, y in ((MDLAMClassifier, TARGETS["multiclass"]), (MDLAMRegressor, POSITIVE)):
        model = estimator(
            hidden_layer_sizes=(5,), epsilon=epsilon, max_iter=25, random_state=0, **solver
        )
        model.fit(X.astype(dtype), y, sample_weight=weight)
        assert np.isfinite(model.loss_curve_).all()
        assert np.isfinite(model.predict(X.astype(dtype))).all()


@every_solver
@pytest.mark.parametrize("scale", [pytest.param(1e-12, marks=pytest.mark.slow), 1e12])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.slow
def test_targets(loss, scale, dtype, solver):
    for rho in (1e-8, 1e-4, 1e8):
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), loss=loss, rho=rho, max_iter=12, random_state=0, **solver
        )
        model.fit((X / np.abs(X).max(axis=0)).astype(dtype), scale * POSITIVE)
        assert np.isfinite(model.loss_curve_).all()
        assert np.isfinite(model.predict((X / np.abs(X).max(axis=0)).astype(dtype))).all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "solver",
    [Relaxed(w_step="exact"), Relaxed(hidden_step="separate"), Relaxed(order="backward")],
    ids=["exact", "separate", "backward"],
)
def test_solvers(task, rho, dtype, solver):
    for activation in ACTIVATIONS:
        check(task, X.astype(dtype), rho=rho, solver=solver, activation=activation)
    for penalty in PENALTIES:
        check(task, X.astype(dtype), rho=rho, solver=solver, penalty=penalty)
