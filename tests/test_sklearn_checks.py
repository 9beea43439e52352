"""scikit-learn's own checks of an estimator: all of them, with no expected failures."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, Relaxed

# The checks fit on random data for as long as max_iter says.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BOTH = (MDLAMClassifier, MDLAMRegressor)
RELAXED = (
    {},
    # With a larger rho the exact step fits the hidden targets of the class that should not count.
    {"solver": Relaxed(w_step="exact"), "rho": 1e-3},
    {"solver": Relaxed(hidden_step="separate")},
    {"solver": Relaxed(order="backward")},
    {"hidden_layer_sizes": ()},
)
FEASIBLE = (
    {"batch_size": None},
    {"batch_size": None, "hidden_layer_sizes": ()},
    # Something must hold the weights of a check's clearly separated classes: it takes the logarithm
    # of probabilities, and ours is finite where a probability is too small for a float, theirs not.
    {"activity_alpha": 0.0, "alpha": 0.1},
    {"rho": 1.0},
)
ACTIVATIONS = ("leaky_relu", "elu", "softplus", "tanh", "logistic", "hard_tanh", "identity", "sign")
# Not "nonnegative": a check asks for a good fit of data with falling relations.
PENALTIES = ("l1", "elasticnet", "box", "group", "none")
# Not "poisson": a check has negative targets.
LOSSES = ("absolute_error", "huber", "quantile")


ENCODED = (
    {"encoding": "piecewise"},
    {"encoding": "piecewise", "batch_size": None},
    {"encoding": PiecewiseLinearEncoder(3, include_input=True)},
)


def few_sweeps(estimator, **parameters):
    return estimator(**{"hidden_layer_sizes": (20,), "max_iter": 60, **parameters})


# Checks of what a solver does itself; the others look at what all of them share.
OF_THE_SOLVER = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
    "check_estimators_dtypes",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_regressors_int",
}


def with_checks(estimators, names=None):
    """``parametrize_with_checks``, of all checks or of those with these names.

    With a list: pytest 9 wants one, scikit-learn 1.6 yields.
    """
    mark = parametrize_with_checks(estimators).mark
    arguments, cases = mark.args
    # A case, or a pytest.param of one that is skipped.
    cases = [case for case in cases if names is None or name_of(case) in names]
    assert names is None or len(cases) >= 4 * len(estimators)
    texts, name = {}, mark.kwargs["ids"]

    def once(item):
        """The name of a case; the text of an estimator takes long, and is that of many cases."""
        if not hasattr(item, "get_params"):
            return name(item)
        if id(item) not in texts:
            texts[id(item)] = name(item)
        return texts[id(item)]

    return pytest.mark.parametrize(arguments, cases, **{**mark.kwargs, "ids": once})


def name_of(case):
    _, check = getattr(case, "values", case)
    return getattr(check, "func", check).__name__


@with_checks([few_sweeps(estimator) for estimator in BOTH])
def test_default(estimator, check):
    check(estimator)


@with_checks(
    [
        PiecewiseLinearEncoder(),
        PiecewiseLinearEncoder(
            2, include_rank=False, include_input=True, subsample=None, random_state=None
        ),
    ]
)
def test_encoder(estimator, check):
    check(estimator)


OTHERS = [estimator() for estimator in BOTH]
OTHERS += [few_sweeps(estimator, hidden_layer_sizes=()) for estimator in BOTH]
OTHERS += [estimator(solver="relaxed") for estimator in BOTH]


@with_checks(OTHERS[2:], OF_THE_SOLVER)
@pytest.mark.slow
def test_linear_and_relaxed_in_short(estimator, check):
    check(estimator)


def skip_sparse(check):
    """scikit-learn 1.6 does not ask the tag whether there is a sparse form."""
    if check.func.__name__.endswith("on_sparse_data"):
        pytest.skip("a sparse X has no encoded form, and is refused")


@with_checks([few_sweeps(estimator, n_networks=2) for estimator in BOTH], OF_THE_SOLVER)
@pytest.mark.slow
def test_several_networks_in_short(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_checks([few_sweeps(estimator, n_networks=2) for estimator in BOTH])
def test_several_networks(estimator, check):
    check(estimator)


@with_checks([few_sweeps(estimator, **ENCODED[0]) for estimator in BOTH], OF_THE_SOLVER)
def test_encoded_in_short(estimator, check):
    skip_sparse(check)
    check(estimator)


def on_a_line(estimator):
    return " ".join(repr(estimator).split())


def all_checks(estimators):
    """A slow test of each estimator: thousands of tests take long to collect for a run without."""

    def decorate(test):
        cases = pytest.mark.parametrize("estimator", estimators, ids=on_a_line)
        return pytest.mark.slow(cases(test))

    return decorate


def assert_passes(estimator, may_fail=()):
    """All checks, but for those that are named with the reason why they may fail."""
    results = check_estimator(
        estimator, expected_failed_checks=dict(may_fail), on_skip=None, on_fail=None
    )
    assert sum(result["status"] == "passed" for result in results) > 40
    failed = [result for result in results if result["status"] == "failed"]
    assert [(result["check_name"], result["exception"]) for result in failed] == []


# scikit-learn 1.6 does not ask the tag whether there is a sparse form.
NOT_SPARSE = {"check_sample_weight_equivalence_on_sparse_data": "a sparse X has no encoded form"}


@all_checks([few_sweeps(estimator, **options) for options in ENCODED for estimator in BOTH])
def test_encoded(estimator):
    assert_passes(estimator, {**only_close(estimator), **NOT_SPARSE})


@all_checks(OTHERS)
def test_full_size_linear_and_relaxed(estimator):
    assert_passes(estimator)


@all_checks(
    [few_sweeps(estimator, **options) for options in FEASIBLE for estimator in BOTH]
    + [
        few_sweeps(estimator, **{"solver": "relaxed", **options})
        for options in RELAXED
        for estimator in BOTH
    ]
    + [
        few_sweeps(estimator, solver=solver, **options)
        for solver in ("feasible", "relaxed")
        for options in (
            *({"activation": name} for name in ACTIVATIONS),
            *({"penalty": name} for name in PENALTIES),
            {"hidden_layer_sizes": (10, 5)},
        )
        for estimator in BOTH
    ]
    + [
        few_sweeps(MDLAMRegressor, solver=solver, loss=name, max_iter=sweeps)
        # Steps across the kinks of a loss amplify rounding, tenfold in a few steps of mini-batch
        # form: what has to agree to 1e-7 must be short.
        for solver, sweeps in (("feasible", 25), ("relaxed", 60))
        for name in LOSSES
    ]
)
def test_options(estimator):
    assert_passes(estimator, only_close(estimator))


EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def only_close(estimator):
    """Checks of seven digits of repeated rows and weights, and why they are not the same."""
    reason = "repeated rows may be worked on in other coordinates, from another start"
    return dict.fromkeys(EQUIVALENCE, reason) if estimator.batch_size is None else {}


NOT_WITH_EARLY_STOPPING = {
    **dict.fromkeys(EQUIVALENCE, "which rows are set apart depends on them"),
    **dict.fromkeys(
        (
            "check_fit_score_takes_y",
            "check_n_features_in_after_fitting",
            "check_estimators_partial_fit_n_features",
        ),
        "partial_fit refuses early_stopping=True, as MLPClassifier's does",
    ),
    "check_class_weight_classifiers": "the score of the heavy class alone chooses the weights",
}


@all_checks(
    [
        few_sweeps(estimator, solver=solver, early_stopping=True, validation_fraction=0.3)
        for solver in ("feasible", "relaxed")
        for estimator in BOTH
    ]
)
def test_early_stopping(estimator):
    assert_passes(estimator, NOT_WITH_EARLY_STOPPING)


ARRAY_API_CHECKS = """
import warnings
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator
from skmdlam import MDLAMClassifier, MDLAMRegressor

warnings.simplefilter("ignore", ConvergenceWarning)
for estimator in (MDLAMClassifier(max_iter=20), MDLAMRegressor(max_iter=20)):
    for estimator, check in estimator_checks_generator(estimator):
        if "array_api" in check.func.__name__:
            check(estimator)
"""


@pytest.mark.slow
def test_array_api():
    """The checks that scikit-learn skips unless SciPy was imported with this variable set."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", ARRAY_API_CHECKS],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        check=True,
    )
