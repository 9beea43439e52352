"""MDLAMClassifier: every kind of labels, what comes out of the methods, and class weights."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

from skmdlam import MDLAMClassifier

X, CODES = make_classification(
    150, 6, n_informative=4, n_classes=3, n_clusters_per_class=1, class_sep=2.0, random_state=0
)
INDICATOR = np.column_stack([CODES == 0, CODES == 1, X[:, 0] > 0]).astype(int)
NAMES = np.array(["red", "green", "blue"])


def fit(y, X=X, sample_weight=None, **parameters):
    defaults = {"hidden_layer_sizes": (10,), "max_iter": 1000, "tol": 1e-3, "random_state": 0}
    return MDLAMClassifier(**{**defaults, **parameters}).fit(X, y, sample_weight)


every_solver = pytest.mark.parametrize(
    "solver",
    [{}, {"batch_size": None}, {"solver": "relaxed"}],
    ids=["feasible", "full batch", "relaxed"],
)


class TestScoreOfZero:
    """A net that says nothing: probabilities of one half are not above one half."""

    def silent(self, y):
        model = fit(y, tol=1.0)
        model.coefs_[-1][:] = 0.0
        model.intercepts_[-1][:] = 0.0
        return model

    def test_no_label(self):
        model = self.silent(INDICATOR)
        np.testing.assert_array_equal(model.predict_proba(X), 0.5)
        np.testing.assert_array_equal(model.predict(X), 0)

    @pytest.mark.parametrize("y", [CODES > 0, CODES], ids=["two classes", "three classes"])
    def test_first_class(self, y):
        model = self.silent(y)
        assert np.ptp(model.predict_proba(X)) == 0.0
        np.testing.assert_array_equal(model.predict(X), model.classes_[0])


class TestLabels:
    @pytest.mark.parametrize(
        "names",
        [
            np.array([0, 1, 2]),
            np.array([7, -3, 100]),
            np.array([0.0, 1.0, 2.0]),
            NAMES,
            NAMES.astype(object),
        ],
        ids=["0, 1, 2", "integers", "floats", "strings", "objects"],
    )
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_any_names(self, names, n_classes):
        rows = n_classes > CODES
        y = names[CODES[rows]]
        model = fit(y, X[rows])
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        assert model.classes_.dtype == y.dtype
        predicted = model.predict(X[rows])
        assert predicted.dtype == y.dtype
        assert (predicted == y).mean() > 0.9
        assert model.score(X[rows], y) > 0.9

    def test_names_do_not_change_the_fit(self):
        by_code, by_name = fit(CODES), fit(np.array(["a", "b", "c"])[CODES])
        np.testing.assert_array_equal(by_code.predict_proba(X), by_name.predict_proba(X))

    def test_booleans(self):
        model = fit(CODES > 0)
        assert model.classes_.tolist() == [False, True]
        assert model.predict(X).dtype == bool
        assert model.score(X, CODES > 0) > 0.9

    def test_column(self):
        with pytest.warns(UserWarning, match="A column-vector y was passed"):
            model = fit(CODES[:, None])
        assert model.predict(X).shape == (150,)

    @pytest.mark.parametrize(
        "container", [np.array, sp.csr_array, sp.csc_matrix, np.ndarray.tolist]
    )
    def test_multilabel(self, container):
        model = fit(container(INDICATOR))
        np.testing.assert_array_equal(model.classes_, [0, 1, 2])
        predicted = model.predict(X)
        assert predicted.shape == (150, 3)
        assert predicted.dtype.kind == "i"
        assert set(np.unique(predicted)) <= {0, 1}
        assert (predicted == INDICATOR).mean() > 0.9
        assert model.score(X, INDICATOR) > 0.8

    def test_multilabel_of_booleans(self):
        one, other = fit(INDICATOR.astype(bool)), fit(INDICATOR)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))

    def test_label_that_nobody_has(self):
        y = INDICATOR.copy()
        y[:, 1] = 0
        assert (fit(y).predict(X)[:, 1] == 0).all()

    def test_one_class(self):
        """It works, and says what there is to say."""
        model = fit(np.full(150, "only"))
        assert (model.predict(X) == "only").all()
        np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))
        np.testing.assert_array_equal(model.predict_log_proba(X), np.zeros((150, 1)))
        assert model.decision_function(X).shape == (150,)


TARGETS = {
    "binary": (CODES > 0, 1, "logistic"),
    "multiclass": (CODES, 3, "softmax"),
    "multilabel": (INDICATOR, 3, "logistic"),
}


@pytest.mark.parametrize("kind", TARGETS)
class TestMethods:
    def test_shapes_are_those_of_MLPClassifier(self, kind):
        y, n_outputs, out_activation = TARGETS[kind]
        ours = fit(y)
        theirs = MLPClassifier((10,), max_iter=5, random_state=0)
        with pytest.warns(ConvergenceWarning):
            theirs.fit(X, y)
        assert (ours.n_outputs_, ours.out_activation_) == (n_outputs, out_activation)
        for name in ("n_outputs_", "out_activation_", "n_layers_", "n_features_in_"):
            assert getattr(ours, name) == getattr(theirs, name)
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        for method in ("predict", "predict_proba", "predict_log_proba"):
            one, other = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert one.shape == other.shape
            assert one.dtype == other.dtype

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_agree_with_each_other(self, kind, dtype):
        y, n_outputs, _ = TARGETS[kind]
        Z = X.astype(dtype)
        model = fit(y, Z)
        score, p = model.decision_function(Z), model.predict_proba(Z)
        log_p, predicted = model.predict_log_proba(Z), model.predict(Z)
        assert {score.dtype, p.dtype, log_p.dtype} == {np.dtype(dtype)}
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(np.exp(log_p), p, rtol=tolerance)
        if kind == "binary":
            assert score.shape == (150,)
            np.testing.assert_allclose(p[:, 1], expit(score), rtol=tolerance)
            np.testing.assert_array_equal(predicted, score > 0)
        elif kind == "multiclass":
            np.testing.assert_allclose(p, softmax(score, axis=1), rtol=tolerance)
            np.testing.assert_array_equal(predicted, score.argmax(axis=1))
        else:
            np.testing.assert_allclose(p, expit(score), rtol=tolerance)
            np.testing.assert_array_equal(predicted, score > 0)
        if kind != "multilabel":
            np.testing.assert_allclose(p.sum(axis=1), 1, rtol=tolerance)
        assert score.size == 150 * n_outputs

    def test_probabilities_far_from_the_data(self, kind):
        model = fit(TARGETS[kind][0], encoding=None, clip=False)
        far = np.vstack([1e8 * X, -1e8 * X])
        p, log_p = model.predict_proba(far), model.predict_log_proba(far)
        assert np.isfinite(p).all() and np.isfinite(log_p).all()
        assert log_p.min() < -1e5

    @every_solver
    def test_loss_is_that_of_MLPClassifier(self, kind, solver):
        """``_loss`` of the weights, by its cross-entropy and its penalty."""
        y = TARGETS[kind][0]
        model = fit(y, alpha=0.7, activity_alpha=0.0, **solver)
        p, s = model.predict_proba(X), 150
        if kind == "multilabel":
            losses = -np.log(np.where(y == 1, p, 1 - p)).sum(axis=1)
        else:
            losses = -np.log(p[np.arange(s), y.astype(int)])
        ridge = 0.5 * 0.7 * sum((W**2).sum() for W in model.coefs_)
        # Mini-batches are in single precision.
        assert model.loss_ == pytest.approx(
            (losses.sum() + ridge) / s, rel=1e-9 if solver else 1e-5
        )


class TestClassWeight:
    @every_solver
    @pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 2: 0.5}, {0: 0, 1: 1, 2: 1}])
    def test_is_a_sample_weight(self, class_weight, solver):
        rare = (CODES != 1) | (np.arange(150) % 4 == 0)
        by_class = fit(CODES[rare], X[rare], class_weight=class_weight, **solver)
        weight = compute_sample_weight(class_weight, CODES[rare])
        by_sample = fit(CODES[rare], X[rare], weight, **solver)
        np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-9)
        assert by_class.loss_curve_ == pytest.approx(by_sample.loss_curve_)

    def test_string_labels(self):
        by_class = fit(NAMES[CODES], class_weight={"red": 2.0})
        by_sample = fit(NAMES[CODES], sample_weight=1.0 + (CODES == 0))
        np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X))

    @every_solver
    @pytest.mark.parametrize("class_weight", ["balanced", [{0: 1, 1: 2}, {0: 1, 1: 1}, {0: 2}]])
    def test_multilabel(self, class_weight, solver):
        weight = compute_sample_weight(class_weight, INDICATOR)
        by_class = fit(INDICATOR, class_weight=class_weight, **solver)
        by_sample = fit(INDICATOR, sample_weight=weight, **solver)
        np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-9)

    def test_times_sample_weight(self):
        weight = np.random.RandomState(0).uniform(0, 2, 150)
        both = fit(CODES, sample_weight=weight, class_weight={1: 2.0})
        product = fit(CODES, sample_weight=weight * (1 + (CODES == 1)))
        np.testing.assert_allclose(both.predict_proba(X), product.predict_proba(X), rtol=1e-9)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @every_solver
    def test_balanced_counts_by_weight(self, solver):
        """Otherwise a weight of two would not be two samples."""
        copies = np.random.RandomState(0).randint(0, 4, 150)
        rows = slice(None) if solver else slice(30)  # what one batch holds
        copies = copies[rows]
        parameters = {"class_weight": "balanced", "max_iter": 30, **solver}
        weighted = fit(CODES[rows], X[rows], copies, **parameters)
        repeated = fit(
            np.repeat(CODES[rows], copies), np.repeat(X[rows], copies, axis=0), **parameters
        )
        np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5)

    def test_balanced_helps_the_rare_class(self):
        rng = np.random.RandomState(0)
        Z = rng.standard_normal((400, 3))
        y = (Z[:, 0] + rng.standard_normal(400) > 2).astype(int)
        plain, balanced = (
            fit(y, Z, class_weight=weight, hidden_layer_sizes=(), max_iter=2000)
            for weight in (None, "balanced")
        )
        recall = [(model.predict(Z)[y == 1] == 1).mean() for model in (plain, balanced)]
        assert recall[1] > recall[0] + 0.2


class TestWarmStart:
    @pytest.mark.parametrize(
        ("before", "now"),
        [
            (CODES, CODES + 1),
            (CODES, NAMES[CODES]),
            (CODES, CODES > 0),
            (CODES > 0, CODES),
            (CODES, INDICATOR),
            (INDICATOR, CODES),
        ],
    )
    def test_other_target(self, before, now):
        model = fit(before, warm_start=True)
        coefs, classes = model.coefs_, model.classes_
        with pytest.raises(ValueError, match=r"warm_start=True needs .* Set warm_start=False"):
            model.fit(X, now)
        assert model.coefs_ is coefs
        np.testing.assert_array_equal(model.classes_, classes)
        assert model.predict_proba(X).shape[0] == 150


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"activation": "tanh", "hidden_layer_sizes": (50, 30)},
        {"batch_size": None},
        *(
            pytest.param({"solver": "relaxed", **options}, marks=pytest.mark.slow)
            for options in (
                {},
                {"rho": 0.1, "activation": "tanh"},
                {"rho": 1.0, "hidden_layer_sizes": (50, 30)},
            )
        ),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.slow
def test_digits(parameters):
    """Real images, learned to a useful accuracy."""
    images, digits = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(images / 16, digits, random_state=0)
    model = MDLAMClassifier(
        **{"hidden_layer_sizes": (50,), "random_state": 0, "max_iter": 150, **parameters}
    )
    model.fit(train, y_train)
    assert model.score(test, y_test) > 0.9


def test_the_only_class_is_predicted_whatever_the_score():
    X = np.random.default_rng(0).standard_normal((30, 3))
    model = MDLAMClassifier((3,), random_state=0).fit(X, np.full(30, 7))
    model.intercepts_[-1][:] = 50.0  # as for rows far from those of the fit
    assert (model.predict(X) == 7).all()
