"""What is wrong is refused before any work, with an error that says what and what is allowed."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ACTIVATIONS, ReLU
from skmdlam.engine.feasible import Feasible
from skmdlam.losses import REGRESSION_LOSSES, Quantile
from skmdlam.penalties import L2, PENALTIES

RNG = np.random.RandomState(0)
X = RNG.standard_normal((30, 4))
LABELS = np.arange(30) % 3
NUMBERS = X @ np.array([1.0, -1.0, 0.5, 0.0])

CLASSIFIER = MDLAMClassifier((5,), max_iter=2)
REGRESSOR = MDLAMRegressor(hidden_layer_sizes=(5,), max_iter=2)


def refuse(*_, **__):
    raise AssertionError("work was done before the input was checked")


@pytest.fixture(autouse=True)
def _no_work(monkeypatch):
    for solver in (Feasible, Relaxed):
        monkeypatch.setattr(solver, "initial_weights", refuse)
        monkeypatch.setattr(solver, "start", refuse)


def target(estimator):
    return LABELS if isinstance(estimator, MDLAMClassifier) else NUMBERS


def has(*parts):
    """A pattern that finds these parts in this order."""
    return "(?s)" + ".*".join(re.escape(str(part)) for part in parts)


def changed(array, index, value):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


POSITIVE_INT = "int in the range [1, inf)"
POSITIVE = "float in the range (0.0, inf)"
NOT_NEGATIVE = "float in the range [0.0, inf)"
SIZES = "must hold positive integers"

PARAMETERS = [
    # out of range
    *(("hidden_layer_sizes", sizes, POSITIVE_INT) for sizes in (0, -3, 2.5, "5")),
    *(
        ("hidden_layer_sizes", sizes, SIZES)
        for sizes in ((0,), (5, -1), (2.5,), [3, "4"], (True,), True, [[3]], np.array(3.0))
    ),
    *(("rho", rho, POSITIVE) for rho in (0, -1.0, np.nan, np.inf, "1e-3", None)),
    *(("epsilon", epsilon, POSITIVE) for epsilon in (0, -1e-3, np.nan, np.inf, "auto", None)),
    *(("alpha", alpha, NOT_NEGATIVE) for alpha in (-1e-4, np.nan, np.inf, "0.1", None)),
    *(("l1_ratio", ratio, "float in the range [0.0, 1.0]") for ratio in (-0.1, 1.1, None)),
    *(("max_iter", value, POSITIVE_INT) for value in (0, -1, 1.5, "10", None)),
    *(("tol", value, NOT_NEGATIVE) for value in (-1e-4, np.nan, None)),
    *(("n_iter_no_change", value, POSITIVE_INT) for value in (0, 2.5, None)),
    *(
        ("validation_fraction", value, "float in the range (0.0, 1.0)")
        for value in (0, 1, -0.1, 10, None)
    ),
    # of the wrong kind
    *((name, "yes", "bool") for name in ("early_stopping", "shuffle", "warm_start")),
    ("random_state", "seed", "RandomState"),
    ("verbose", "loud", "bool"),
    *(("batch_size", value, "{'auto'}", POSITIVE_INT) for value in ("all", 0, -1, 20.0, np.nan)),
    *(
        ("activity_alpha", value, "{'auto'}", NOT_NEGATIVE)
        for value in (-1.0, np.nan, np.inf, "none", None)
    ),
    # unknown names: the error lists the known ones
    *(("activation", "sigmoid", repr(name)) for name in ACTIVATIONS),
    ("activation", ReLU, "'relu'", "an instance of 'skmdlam.activations.Activation'", "ReLU"),
    ("activation", None, "'relu'"),
    *(("penalty", "l3", repr(name)) for name in PENALTIES),
    ("penalty", L2, "'l2'", "an instance of 'skmdlam.penalties.Penalty'", "L2"),
    ("penalty", 1.0, "'l2'"),
    ("solver", "adam", "'relaxed'"),
    ("solver", "adam", "'feasible'"),
    ("solver", Relaxed, "Relaxed()"),
    ("solver", Feasible, "Feasible()"),
    ("solver", None, "'relaxed'"),
    ("scoring", "acuracy", "'accuracy'"),
]
FOR_ONE = [
    *((REGRESSOR, "loss", "mse", repr(name)) for name in REGRESSION_LOSSES),
    (REGRESSOR, "loss", Quantile, "'quantile'", "an instance of 'skmdlam.losses.Loss'", "Quantile"),
    (REGRESSOR, "loss", None, "'quantile'"),
    *(
        (REGRESSOR, "quantile", value, "float in the range (0.0, 1.0)")
        for value in (0, 1, -0.5, 50, np.nan, "0.9", None)
    ),
    (CLASSIFIER, "class_weight", "auto", "{'balanced'}"),
    (CLASSIFIER, "class_weight", 2.0, "{'balanced'}"),
    (CLASSIFIER, "class_weight", {0: -1.0}, "none negative", "-1.0"),
    (CLASSIFIER, "class_weight", {0: np.nan}, "finite", "nan"),
    (CLASSIFIER, "class_weight", {7: 1.0}, "[0, 1, 2]"),
    (CLASSIFIER, "class_weight", {0: 0, 1: 0, 2: 0}, "every sample the weight zero"),
]


LISTS = [
    ((), ["relu"], has("activation must have one entry for each hidden layer: got 1", "for 0")),
    ((5,), [], has("got 0, [], for 1 hidden layers")),
    ((5, 4), ("relu",), has("got 1, ('relu',), for 2 hidden layers")),
    ((5, 4), ["relu", "sigmoid"], has("activation[1]: Unknown activation 'sigmoid'", "'tanh'")),
    ((5, 4), [None, "relu"], has("activation[0]: Unknown activation None", "'tanh'")),
    ((5, 4), ["relu", ReLU], has("activation[1]: Unknown activation", "ReLU", "an Activation")),
    ((5, 4), ["relu", ["tanh"]], has("activation[1]: Unknown activation ['tanh']")),
]


@pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
@pytest.mark.parametrize(("sizes", "activation", "says"), LISTS, ids=str)
def test_activation_of_each_layer(estimator, sizes, activation, says):
    estimator = clone(estimator).set_params(hidden_layer_sizes=sizes, activation=activation)
    with pytest.raises(ValueError, match=says):
        estimator.fit(X, target(estimator))


def label(value):
    return value.__name__ if isinstance(value, type) else None


@pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
@pytest.mark.parametrize("parameter", sorted({name for name, *_ in PARAMETERS}))
def test_parameters(estimator, parameter):
    for name, value, *allowed in PARAMETERS:
        if name == parameter:
            check_parameter(estimator, name, value, allowed)


@pytest.mark.parametrize("parameter", sorted({name for _, name, *_ in FOR_ONE}))
def test_parameters_of_one_estimator(parameter):
    for estimator, name, value, *allowed in FOR_ONE:
        if name == parameter:
            check_parameter(estimator, name, value, allowed)


def check_parameter(estimator, name, value, allowed):
    estimator = clone(estimator).set_params(**{name: value})
    with pytest.raises(ValueError, match=has(name if name != "activation" else "")) as caught:
        estimator.fit(X, target(estimator))
    message = str(caught.value)
    assert name.lower() in message.lower()
    assert all(part in message for part in allowed), message
    if not isinstance(value, dict | type):
        assert repr(value) in message or str(value) in message, message


@pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
@pytest.mark.parametrize("solver", ["relaxed", Relaxed(w_step="exact")], ids=["name", "object"])
class TestOnlyFeasible:
    """What solver "relaxed" does not have is refused, never ignored."""

    @pytest.fixture(autouse=True)
    def _work(self, monkeypatch):
        monkeypatch.undo()

    @pytest.mark.parametrize(
        ("parameter", "says"),
        [
            ({"activity_alpha": 0.1}, has("activity_alpha=0.1 needs solver='feasible'", "'auto'")),
            ({"batch_size": 8}, has("batch_size=8 needs solver='feasible'", "30 samples", "None")),
            ({"batch_size": 29}, has("batch_size=29 needs solver='feasible'", "30 samples")),
        ],
        ids=str,
    )
    def test_says_so(self, estimator, solver, parameter, says):
        estimator = clone(estimator).set_params(solver=solver, **parameter)
        before = state(estimator)
        with pytest.raises(ValueError, match=says):
            estimator.fit(X, target(estimator))
        assert state(estimator) == before

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize(
        "parameter",
        [{"activity_alpha": 0.0}, {"batch_size": None}, {"batch_size": 30}, {"batch_size": 10**6}],
        ids=str,
    )
    def test_that_is_what_it_does_anyway(self, estimator, solver, parameter):
        plain = clone(estimator).set_params(solver=solver, random_state=0)
        same = clone(plain).set_params(**parameter)
        for model in (plain, same):
            model.fit(X, target(estimator))
        np.testing.assert_array_equal(plain.coefs_[0], same.coefs_[0])


def text(array):
    return np.asarray(array).astype(str)


STRINGS = "it must hold numbers"
BAD_X = {
    "inf": (changed(X, (3, 1), np.inf), has("Input X contains infinity")),
    "-inf": (changed(X, (3, 1), -np.inf), has("Input X contains infinity")),
    "NaN, sparse": (sp.csr_array(changed(X, (3, 1), np.nan)), has("Input X contains NaN")),
    "one dimension": (X[:, 0], has("Expected 2D array, got 1D array instead")),
    "a series": (pd.Series(X[:, 0]), has("Expected a 2-dimensional container")),
    "three dimensions": (X[:, :, None], has("Found array with dim 3")),
    "a number": (3.0, has("Expected 2D array, got scalar array instead")),
    "no samples": (X[:0], has("Found array with 0 sample(s)", "minimum of 1 is required")),
    "no features": (X[:, :0], has("0 feature(s)", "minimum of 1 is required")),
    "complex": (X + 1j, has("Complex data not supported")),
    "strings": (text(X), has("X holds strings, for example", STRINGS)),
    "bytes": (text(X).astype("S"), has("X holds strings, for example b'", STRINGS)),
    "objects": (text(X).astype(object), has("X holds strings, for example", STRINGS)),
    "lists": (text(X).tolist(), has("X holds strings, for example", STRINGS)),
    "one string": (
        [[1.0, 2.0], [3.0, "4.5"]] * 15,
        has("X holds strings, for example '4.5'", STRINGS),
    ),
    "inf in a frame": (
        pd.DataFrame(changed(X, (3, 1), np.inf)).rename(columns="c{}".format),
        has("Input X contains infinity", "It is in column 'c1'"),
    ),
    "dates": (
        pd.DataFrame({"a": X[:, 0], "day": pd.date_range("2001-01-01", periods=30)}),
        has("X: column 'day' holds dates", "days since a reference date"),
    ),
    "huge": (changed(X, (3, 1), 1e200), has("X holds a number of size 1e+200", "Scale it")),
    "huge, negative": (changed(X, (3, 1), -1e200), has("X holds a number of size 1e+200")),
    "huge, negative, sparse": (
        sp.csr_array(changed(X, (3, 1), -1e200)),
        has("X holds a number of size 1e+200"),
    ),
    "too few rows": (X[:-1], has("inconsistent numbers of samples", "29", "30")),
}


@pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
@pytest.mark.parametrize("case", BAD_X)
def test_x(estimator, case):
    bad, match = BAD_X[case]
    with pytest.raises((ValueError, TypeError) if case == "complex" else ValueError, match=match):
        clone(estimator).fit(bad, target(estimator))


TWO = np.column_stack([NUMBERS, -NUMBERS])
BAD_Y = {
    # classifier
    "labels: continuous": (CLASSIFIER, NUMBERS, has("Unknown label type: continuous")),
    "labels: continuous, two columns": (CLASSIFIER, TWO, has("Unknown label type")),
    "labels: NaN": (CLASSIFIER, changed(LABELS, 4, np.nan), has("Input y contains NaN")),
    "labels: several columns": (
        CLASSIFIER,
        np.column_stack([LABELS, LABELS[::-1]]),
        has("multiclass-multioutput", "MultiOutputClassifier"),
    ),
    "labels: indicator of -1 and 1": (
        CLASSIFIER,
        np.column_stack([LABELS > 0, LABELS > 1]) * 2 - 1,
        has("multilabel indicator of zeros and ones", "[-1  1]"),
    ),
    "labels: indicator of 1 and 2": (
        CLASSIFIER,
        np.column_stack([LABELS > 0, LABELS > 1]) + 1,
        has("multilabel indicator of zeros and ones", "[1 2]"),
    ),
    "labels: none": (CLASSIFIER, None, has("requires y to be passed, but the target y is None")),
    "labels: too few": (CLASSIFIER, LABELS[:-1], has("inconsistent numbers of samples")),
    "labels: three dimensions": (CLASSIFIER, LABELS[:, None, None], has("dim 3")),
    # regressor
    "numbers: NaN": (REGRESSOR, changed(NUMBERS, 4, np.nan), has("contains NaN")),
    "numbers: inf": (REGRESSOR, changed(NUMBERS, 4, np.inf), has("contains infinity")),
    "numbers: huge": (
        REGRESSOR,
        changed(NUMBERS, 4, 1e200),
        has("y holds a number of size 1e+200"),
    ),
    "numbers: huge, negative": (
        REGRESSOR,
        changed(NUMBERS, 4, -1e200),
        has("y holds a number of size 1e+200"),
    ),
    "numbers: none": (REGRESSOR, None, has("requires y to be passed, but the target y is None")),
    "numbers: too few": (REGRESSOR, NUMBERS[:-1], has("inconsistent numbers of samples")),
    "numbers: three dimensions": (REGRESSOR, NUMBERS[:, None, None], has("dim 3")),
    "numbers: strings": (REGRESSOR, text(NUMBERS), has("y holds strings, for example", STRINGS)),
    "numbers: list of strings": (REGRESSOR, text(NUMBERS).tolist(), has("y holds strings")),
    "numbers: objects": (REGRESSOR, text(NUMBERS).astype(object), has("y holds strings")),
    "numbers: one string": (REGRESSOR, [1.0, "2.5", 3.0] * 10, has("for example '2.5'")),
    "numbers: words": (REGRESSOR, ["low", "high"] * 15, has("for example 'low'")),
    "numbers: complex": (REGRESSOR, NUMBERS + 1j, has("Complex data not supported")),
    "numbers: dates": (
        REGRESSOR,
        np.arange(30).astype("datetime64[D]"),
        has("y must hold numbers", "datetime64[D]"),
    ),
    "poisson: negative": (
        clone(REGRESSOR).set_params(loss="poisson"),
        changed(np.abs(NUMBERS), 7, -1e-9),
        has("Poisson", "y >= 0", "negative"),
    ),
}


@pytest.mark.parametrize("case", BAD_Y)
def test_y(case):
    estimator, bad, match = BAD_Y[case]
    with pytest.raises(ValueError, match=match):
        clone(estimator).fit(X, bad)


def test_sparse_y_of_a_regressor():
    with pytest.raises(TypeError, match=r"Sparse y .* use y\.toarray\(\)"):
        clone(REGRESSOR).fit(X, sp.csr_array(TWO))


def test_y_that_the_type_of_x_cannot_hold():
    with pytest.raises(ValueError, match="y holds values too large for float32"):
        clone(REGRESSOR).fit(X.astype(np.float32), NUMBERS * 1e300)


ONES = np.ones(30)
BAD_WEIGHTS = {
    "negative": (changed(ONES, 7, -0.5), has("sample_weight must not be negative", "-0.5")),
    # The second text is that of new versions of scikit-learn.
    "all zero": (0 * ONES, "zero for every sample|at least one non-zero"),
    "NaN": (changed(ONES, 7, np.nan), has("sample_weight contains NaN")),
    "inf": (changed(ONES, 7, np.inf), has("sample_weight contains infinity")),
    "too few": (ONES[:-1], has("sample_weight.shape == (29,)", "(30,)")),
    "two columns": (np.ones((30, 2)), has("Sample weights must be 1D")),
    "strings": (text(ONES), has("sample_weight holds strings, for example '1.0'", STRINGS)),
    "a negative number": (-1.0, has("sample_weight must not be negative")),
}


@pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_sample_weight(estimator, case):
    bad, match = BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=match):
        clone(estimator).fit(X, target(estimator), sample_weight=bad)


def test_class_weight_and_sample_weight_that_leave_nothing():
    weight = (LABELS == 0).astype(float)
    estimator = clone(CLASSIFIER).set_params(class_weight={0: 0.0})
    with pytest.raises(ValueError, match="every sample the weight zero"):
        estimator.fit(X, LABELS, sample_weight=weight)


class TestSplitOfEarlyStopping:
    @pytest.mark.parametrize("n", [1, 2, 5])
    def test_nothing_left_to_train_on(self, n):
        estimator = clone(REGRESSOR).set_params(early_stopping=True, validation_fraction=0.9)
        if n == 2:
            estimator.set_params(validation_fraction=0.6)
        match = has("validation_fraction", "no samples to train on", f"n_samples = {n}")
        with pytest.raises(ValueError, match=match):
            estimator.fit(X[:n], NUMBERS[:n])


class TestPredict:
    """After a fit, bad X is refused by every method that takes it."""

    @pytest.fixture(autouse=True)
    def _fitted(self, monkeypatch):
        monkeypatch.undo()
        self.classifier = clone(CLASSIFIER).set_params(max_iter=100, tol=1.0).fit(X, LABELS)
        self.regressor = clone(REGRESSOR).set_params(max_iter=100, tol=1.0).fit(X, NUMBERS)

    def methods(self):
        names = ("predict", "predict_proba", "predict_log_proba", "decision_function")
        return [getattr(self.classifier, name) for name in names] + [self.regressor.predict]

    @pytest.mark.parametrize(
        ("bad", "match"),
        [
            (X[:, :3], has("3 features", "expecting 4 features")),
            (X[0], has("Expected 2D array")),
            (changed(X, (0, 0), np.inf), has("contains infinity")),
            (text(X), has("X holds strings")),
        ],
        ids=["features", "one row", "infinity", "strings"],
    )
    def test_bad_x(self, bad, match):
        for method in self.methods():
            with pytest.raises(ValueError, match=match):
                method(bad)


def state(estimator):
    """Everything that an estimator remembers, with arrays as bytes."""

    def frozen(value):
        if isinstance(value, np.ndarray):
            return value.dtype.str, value.shape, value.tobytes()
        if isinstance(value, list):
            return [frozen(entry) for entry in value]
        return value

    return {name: frozen(value) for name, value in vars(estimator).items()}


class Broken(ReLU):
    """An activation that fails in the middle of a fit."""

    def __init__(self, calls=5):
        self.calls = calls

    def value(self, z, out=None):
        self.calls -= 1
        if self.calls == 0:
            raise FloatingPointError("broken")
        return super().value(z, out=out)


class TestAfterAFailure:
    """A fit that fails leaves the estimator as it was."""

    def failures(self):
        return [
            ({"rho": -1.0}, X, "rho"),
            ({"solver": "relaxed", "batch_size": 8}, X, "batch_size=8"),
            ({"solver": "relaxed", "activity_alpha": 1.0}, X, "activity_alpha=1.0"),
            ({}, changed(X, (0, 0), np.inf), "infinity"),
            ({}, X[:, :2], "layer sizes"),
            ({"hidden_layer_sizes": (9,)}, X, "layer sizes"),
            *(
                ({"activation": Broken(), "solver": "feasible", "batch_size": size}, X, "broken")
                for size in ("auto", 8, None)
            ),
            ({"activation": Broken(), "solver": "relaxed"}, X, "broken"),
        ]

    @pytest.fixture(autouse=True)
    def _work(self, monkeypatch):
        monkeypatch.undo()

    @pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
    def test_fitted_before(self, estimator):
        estimator = clone(estimator).set_params(max_iter=100, tol=1.0)
        estimator.fit(pd.DataFrame(X, columns=list("abcd")), target(estimator))
        fitted = vars(estimator).copy()
        expected = estimator.predict(pd.DataFrame(X, columns=list("abcd")))
        for parameters, bad, match in self.failures():
            estimator.set_params(warm_start=True, **parameters)
            before = state(estimator)
            with pytest.raises((ValueError, FloatingPointError), match=match):
                estimator.fit(bad, target(estimator))
            assert state(estimator) == before
            vars(estimator).update(fitted)
        predicted = estimator.predict(pd.DataFrame(X, columns=list("abcd")))
        np.testing.assert_array_equal(predicted, expected)

    @pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
    def test_never_fitted(self, estimator):
        estimator = clone(estimator).set_params(activation=Broken())
        before = state(estimator)
        with pytest.raises(FloatingPointError, match="broken"):
            estimator.fit(X, target(estimator))
        assert state(estimator) == before

    def test_scorer_that_fails(self):
        def scorer(estimator, X, y):
            raise RuntimeError("no score")

        estimator = clone(REGRESSOR).set_params(early_stopping=True, scoring=scorer)
        before = state(estimator)
        with pytest.raises(RuntimeError, match="no score"):
            estimator.fit(X, NUMBERS)
        assert state(estimator) == before


VAL = {"X_val": X[:9], "y_val": LABELS[:9]}
BAD_VALIDATION = {
    "X_val alone": ({"X_val": X[:9]}, has("X_val is given without y_val", "both or none")),
    "y_val alone": ({"y_val": LABELS[:9]}, has("y_val is given without X_val", "both or none")),
    "weights alone": ({"sample_weight_val": np.ones(9)}, has("without X_val and y_val")),
    "inf": ({**VAL, "X_val": changed(X[:9], (0, 0), np.inf)}, has("X_val", "infinity")),
    "features": ({**VAL, "X_val": X[:9, :3]}, has("X_val", "3 features", "expecting 4")),
    "one dimension": ({**VAL, "X_val": X[:9, 0]}, has("X_val", "Expected 2D array")),
    "none": ({"X_val": X[:0], "y_val": LABELS[:0]}, has("X_val", "0 sample(s)")),
    "lengths": ({**VAL, "y_val": LABELS[:8]}, has("as many samples", "9 and 8")),
    "strings": ({**VAL, "X_val": text(X[:9])}, has("X_val holds strings", STRINGS)),
    **{
        f"huge, {sign:+}": (
            {**VAL, "X_val": sign * 1e200 * np.abs(X[:9])},
            has("X_val holds a number of size", "1e+150"),
        )
        for sign in (1, -1)
    },
    "negative weight": (
        {**VAL, "sample_weight_val": changed(np.ones(9), 3, -2.0)},
        has("sample_weight_val must not be negative", "-2"),
    ),
    "no weight": ({**VAL, "sample_weight_val": np.zeros(9)}, "zero for every sample|non-zero"),
    "too few weights": (
        {**VAL, "sample_weight_val": np.ones(8)},
        has("sample_weight", "(8,)", "(9,)"),
    ),
}
BAD_VALIDATION_OF_ONE = {
    "unknown class": (CLASSIFIER, np.full(9, 7), has("y_val: the classes [7]", "[0 1 2]")),
    "indicator": (CLASSIFIER, np.eye(9, 3, dtype=int), has("y_val: it must be class labels")),
    "numbers as labels": (CLASSIFIER, NUMBERS[:9], has("y_val: Unknown label type")),
    "two outputs": (REGRESSOR, TWO[:9], has("y_val: it has 2 columns", "y has 1")),
    "inf": (REGRESSOR, changed(NUMBERS[:9], 0, np.inf), has("y_val contains infinity")),
    "words": (REGRESSOR, ["low"] * 9, has("y_val holds strings", "'low'")),
    "negative counts": (
        clone(REGRESSOR).set_params(loss="poisson"),
        -np.ones(9),
        has("y_val:", "y >= 0"),
    ),
}


class TestValidationSamples:
    @pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
    @pytest.mark.parametrize("case", BAD_VALIDATION)
    def test_both(self, estimator, case):
        options, match = BAD_VALIDATION[case]
        with pytest.raises(ValueError, match=match):
            clone(estimator).fit(X, target(estimator), **options)

    @pytest.mark.parametrize("case", BAD_VALIDATION_OF_ONE)
    def test_targets(self, case):
        estimator, y_val, match = BAD_VALIDATION_OF_ONE[case]
        y = LABELS if isinstance(estimator, MDLAMClassifier) else np.abs(NUMBERS)
        with pytest.raises(ValueError, match=match):
            clone(estimator).fit(X, y, X_val=X[:9], y_val=y_val)


BAD_CHUNKS = {
    "inf in X": (CLASSIFIER, changed(X, (3, 1), np.inf), LABELS, {"classes": range(3)}, "infinity"),
    "strings": (
        CLASSIFIER,
        text(X),
        LABELS,
        {"classes": range(3)},
        has("X holds strings", STRINGS),
    ),
    "no classes": (CLASSIFIER, X, LABELS, {}, has("classes", "first call")),
    "a class that is not named": (CLASSIFIER, X, LABELS, {"classes": [0, 1]}, has("[2]", "[0 1]")),
    "negative weight": (
        CLASSIFIER,
        X,
        LABELS,
        {"classes": range(3), "sample_weight": changed(ONES, 7, -0.5)},
        has("sample_weight must not be negative", "-0.5"),
    ),
    "lengths": (REGRESSOR, X, NUMBERS[:-1], {}, has("inconsistent numbers of samples", "29")),
    "words": (REGRESSOR, X, ["low", "high"] * 15, {}, has("y holds strings", "'low'")),
    "inf": (REGRESSOR, X, changed(NUMBERS, 4, np.inf), {}, "contains infinity"),
    "huge": (
        REGRESSOR,
        1e200 * np.abs(X),
        NUMBERS,
        {},
        has("X holds a number of size", "Scale it"),
    ),
    "huge, negative": (
        REGRESSOR,
        -1e200 * np.abs(X),
        NUMBERS,
        {},
        has("X holds a number of size", "Scale it"),
    ),
    "rho": (clone(REGRESSOR).set_params(rho=-1.0), X, NUMBERS, {}, has("rho", POSITIVE, "-1.0")),
    "activations": (
        clone(REGRESSOR).set_params(activation=["relu", "tanh"]),
        X,
        NUMBERS,
        {},
        has("activation must have one entry for each hidden layer", "got 2", "for 1"),
    ),
    "early stopping": (
        clone(REGRESSOR).set_params(early_stopping=True),
        X,
        NUMBERS,
        {},
        has("partial_fit does not support early_stopping=True"),
    ),
}


class TestPartialFit:
    @pytest.fixture(autouse=True)
    def _no_stream(self, monkeypatch):
        monkeypatch.setattr(Feasible, "stream", refuse)

    @pytest.mark.parametrize("case", BAD_CHUNKS)
    def test_first_chunk(self, case):
        estimator, X, y, options, match = BAD_CHUNKS[case]
        estimator = clone(estimator)
        before = state(estimator)
        with pytest.raises(ValueError, match=match):
            estimator.partial_fit(X, y, **options)
        assert state(estimator) == before

    @pytest.mark.parametrize("solver", ["relaxed", Relaxed()], ids=["name", "object"])
    @pytest.mark.parametrize("estimator", [CLASSIFIER, REGRESSOR], ids=["classifier", "regressor"])
    def test_relaxed_has_none(self, estimator, solver):
        estimator = clone(estimator).set_params(solver=solver)
        assert not hasattr(estimator, "partial_fit")
        with pytest.raises(AttributeError, match="partial_fit"):
            _ = estimator.partial_fit


class TestLaterChunks:
    """After the first chunk the form of the data is given."""

    @pytest.fixture(autouse=True)
    def _work(self, monkeypatch):
        monkeypatch.undo()

    @pytest.mark.parametrize(
        ("parameters", "X", "y", "match"),
        [
            ({}, X[:, :3], NUMBERS, has("3 features", "expecting 4")),
            ({}, X, TWO, has("y has 2 outputs", "has 1")),
            ({"hidden_layer_sizes": (6,)}, X, NUMBERS, has("[4, 5, 1]", "hidden_layer_sizes=(6,)")),
            ({"hidden_layer_sizes": ()}, X, NUMBERS, has("[4, 5, 1]", "hidden_layer_sizes=()")),
            ({"alpha": -1.0}, X, NUMBERS, has("alpha", "-1.0")),
        ],
        ids=["features", "outputs", "sizes", "no layer", "alpha"],
    )
    def test_regressor(self, parameters, X, y, match):
        estimator = clone(REGRESSOR).partial_fit(globals()["X"], NUMBERS).set_params(**parameters)
        before = state(estimator)
        with pytest.raises(ValueError, match=match):
            estimator.partial_fit(X, y)
        assert state(estimator).keys() == before.keys()

    @pytest.mark.parametrize(
        ("y", "options", "match"),
        [
            (np.full(30, 7), {}, has("y: the classes [7]", "[0 1 2]")),
            (LABELS, {"classes": [0, 1, 2, 3]}, has("classes", "[0, 1, 2, 3]|[0 1 2 3]")),
            (np.eye(30, 3, dtype=int), {}, has("class labels")),
        ],
        ids=["new class", "other classes", "indicator"],
    )
    def test_classifier(self, y, options, match):
        match = match.replace(re.escape("[0, 1, 2, 3]|[0 1 2 3]"), r"\[0,? 1,? 2,? 3\]")
        estimator = clone(CLASSIFIER).partial_fit(X, LABELS, classes=range(3))
        with pytest.raises(ValueError, match=match):
            estimator.partial_fit(X, y, **options)


class TestTransform:
    @pytest.fixture(autouse=True)
    def _fitted(self, monkeypatch):
        monkeypatch.undo()
        self.model = clone(REGRESSOR).set_params(max_iter=100, tol=1.0).fit(X, NUMBERS)

    @pytest.mark.parametrize("layer", [1, -2, 7])
    def test_no_such_layer(self, layer):
        with pytest.raises(
            ValueError, match=has("layer must be", "1 hidden layer", f"got {layer}")
        ):
            self.model.transform(X, layer=layer)

    @pytest.mark.parametrize("layer", ["first", 0.0, None, True, [0], slice(1)])
    def test_not_an_integer(self, layer):
        with pytest.raises(TypeError, match=has("layer must be an integer", "got")):
            self.model.transform(X, layer=layer)

    @pytest.mark.parametrize(
        ("bad", "match"),
        [
            (X[:, :3], has("3 features", "expecting 4 features")),
            (X[0], has("Expected 2D array")),
            (changed(X, (0, 0), np.inf), has("contains infinity")),
            (text(X), has("X holds strings")),
        ],
        ids=["features", "one row", "infinity", "strings"],
    )
    def test_bad_x(self, bad, match):
        with pytest.raises(ValueError, match=match):
            self.model.transform(bad)
