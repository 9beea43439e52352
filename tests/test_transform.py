"""transform: the activations of hidden layers as features for other estimators."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skmdlam import MDLAMClassifier, MDLAMRegressor

RNG = np.random.RandomState(5)
X = RNG.standard_normal((60, 5))
NUMBERS = np.tanh(X @ RNG.standard_normal(5)) + 0.1 * RNG.standard_normal(60)
LABELS = np.digitize(NUMBERS, [-0.5, 0.5])
FRAME = pd.DataFrame(X, columns=list("abcde"), index=np.arange(60) + 100)
BOTH = [MDLAMClassifier, MDLAMRegressor]
METHODS = ["transform", "fit_transform", "get_feature_names_out", "set_output"]

both = pytest.mark.parametrize("estimator", BOTH)
every_solver = pytest.mark.parametrize(
    "solver",
    [{}, {"batch_size": 20}, {"batch_size": None}, {"solver": "relaxed"}],
    ids=["one batch", "mini-batches", "full batch", "relaxed"],
)


def target(estimator):
    """For an estimator or its class."""
    return LABELS if hasattr(estimator, "decision_function") else NUMBERS


def make(estimator, **parameters):
    defaults = {
        "hidden_layer_sizes": (8, 4),
        "activation": ["tanh", "relu"],
        "max_iter": 15,
        "random_state": 0,
    }
    return estimator(**{**defaults, **parameters})


def fit(model, X=X):
    """Fit for a few sweeps, which is not a reason to warn here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, target(model))


def by_hand(model, X):
    (W1, W2, _), (b1, b2, _) = model.coefs_, model.intercepts_
    first = np.tanh(X @ W1 + b1)
    return first, np.maximum(first @ W2 + b2, 0.0)


class TestLayers:
    @both
    @every_solver
    def test_activations(self, estimator, solver):
        model = fit(make(estimator, **solver))
        first, second = by_hand(model, X)
        for layer, expected in [(0, first), (1, second), (-1, second), (-2, first)]:
            np.testing.assert_allclose(model.transform(X, layer=layer), expected, atol=1e-12)
        np.testing.assert_array_equal(model.transform(X), model.transform(X, layer=-1))

    @both
    def test_output_follows(self, estimator):
        model = fit(make(estimator))
        z = model.transform(X) @ model.coefs_[-1] + model.intercepts_[-1]
        if is_classifier(model):
            np.testing.assert_allclose(z, model.decision_function(X))
        else:
            np.testing.assert_allclose(z[:, 0], model.predict(X))

    @pytest.mark.parametrize("layer", [np.int64(1), np.int8(-1)])
    def test_numpy_integers(self, layer):
        model = fit(make(MDLAMRegressor))
        np.testing.assert_array_equal(model.transform(X, layer=layer), model.transform(X))

    @pytest.mark.parametrize("layer", [2, -3, 100])
    def test_no_such_layer(self, layer):
        match = rf"layer must be from -2 to 1, .* the 2 hidden layers; got {layer}"
        with pytest.raises(ValueError, match=match):
            fit(make(MDLAMRegressor)).transform(X, layer=layer)

    @pytest.mark.parametrize("layer", ["last", 1.0, None, True, [0]])
    def test_not_an_integer(self, layer):
        with pytest.raises(TypeError, match="layer must be an integer; got"):
            fit(make(MDLAMRegressor)).transform(X, layer=layer)


class TestData:
    @both
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_type(self, estimator, dtype):
        model = fit(make(estimator), X.astype(dtype))
        before = X.astype(dtype)
        data = before.copy()
        for layer in (0, 1):
            assert model.transform(data, layer=layer).dtype == dtype
        np.testing.assert_array_equal(data, before)

    @both
    @pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix])
    def test_sparse(self, estimator, form):
        data = np.where(np.abs(X) > 0.5, X, 0.0)
        model = fit(make(estimator), form(data))
        for layer in (0, 1):
            given = model.transform(form(data), layer=layer)
            assert isinstance(given, np.ndarray)
            np.testing.assert_allclose(given, model.transform(data, layer=layer), atol=1e-12)

    @both
    def test_bad_x(self, estimator):
        model = fit(make(estimator))
        for bad, match in [
            (X[:, :3], "3 features, but .* expecting 5"),
            (np.full_like(X, np.inf), "contains infinity"),
            (X.astype(str), "X holds strings"),
        ]:
            with pytest.raises(ValueError, match=match):
                model.transform(bad)
        with pytest.raises(NotFittedError):
            clone(model).transform(X)
        with pytest.raises(NotFittedError):
            clone(model).get_feature_names_out()


class TestFitTransform:
    @both
    def test_is_fit_and_transform(self, estimator):
        weight = np.arange(60) % 3
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = make(estimator).fit(X, target(estimator), sample_weight=weight)
            together = make(estimator).fit_transform(X, target(estimator), sample_weight=weight)
            first = make(estimator).fit_transform(
                X, target(estimator), layer=0, sample_weight=weight
            )
        np.testing.assert_array_equal(together, model.transform(X))
        np.testing.assert_array_equal(first, model.transform(X, layer=0))

    @both
    def test_needs_a_target(self, estimator):
        with pytest.raises(ValueError, match="requires y to be passed"):
            make(estimator).fit_transform(X)


class TestNames:
    @both
    def test_names(self, estimator):
        model = fit(make(estimator), FRAME)
        prefix = estimator.__name__.lower()
        names = [f"{prefix}{k}" for k in range(4)]
        assert model.get_feature_names_out().tolist() == names
        assert model.get_feature_names_out(list("abcde")).tolist() == names
        with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
            model.get_feature_names_out(list("abcdf"))

    @both
    def test_set_output(self, estimator):
        model = make(estimator).set_output(transform="pandas")
        plain = fit(make(estimator), FRAME)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            frame = model.fit_transform(FRAME, target(estimator))
        for layer, given in [(-1, frame), (1, model.transform(FRAME)), (0, None)]:
            given = model.transform(FRAME, layer=layer) if given is None else given
            expected = plain.transform(FRAME, layer=layer)
            prefix = estimator.__name__.lower()
            assert given.columns.tolist() == [f"{prefix}{k}" for k in range(expected.shape[1])]
            assert given.index.equals(FRAME.index)
            np.testing.assert_array_equal(given.to_numpy(), expected)
        assert isinstance(model.set_output(transform="default").transform(FRAME), np.ndarray)

    def test_set_output_for_all(self):
        model = fit(make(MDLAMClassifier), FRAME)
        with config_context(transform_output="pandas"):
            assert model.transform(FRAME, layer=0).shape == (60, 8)
            assert isinstance(model.transform(FRAME), pd.DataFrame)
        assert isinstance(model.transform(FRAME), np.ndarray)


class TestNoHiddenLayer:
    @both
    @pytest.mark.parametrize("fitted", [False, True])
    def test_methods_are_not_there(self, estimator, fitted):
        model = make(estimator, hidden_layer_sizes=(), activation="relu")
        if fitted:
            fit(model)
        for method in METHODS:
            assert not hasattr(model, method)
        assert get_tags(model).transformer_tags is None
        with pytest.raises(AttributeError, match="has no attribute 'transform'") as caught:
            model.transform(X)
        assert "hidden_layer_sizes=() there is none" in str(caught.value.__cause__)

    @both
    def test_with_one_they_are(self, estimator):
        for model in (make(estimator), fit(make(estimator))):
            assert all(hasattr(model, method) for method in METHODS)
            assert get_tags(model).transformer_tags.preserves_dtype == ["float64", "float32"]

    def test_the_fit_decides(self):
        model = fit(make(MDLAMRegressor)).set_params(hidden_layer_sizes=())
        assert model.transform(X).shape == (60, 4)


class TestInOtherEstimators:
    @pytest.mark.slow
    def test_pipeline(self):
        X, y = load_digits(return_X_y=True)
        learner = MDLAMClassifier((40, 16), max_iter=40, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            head = make_pipeline(StandardScaler(), LogisticRegression())
            stacked = make_pipeline(learner, *clone(head))
            score = cross_val_score(stacked, X, y, cv=3).mean()
            assert score > cross_val_score(head, X, y, cv=3).mean() + 0.01
            stacked.fit(X, y)
        assert stacked[:-1].get_feature_names_out()[0] == "mdlamclassifier0"
        assert stacked[-1].n_features_in_ == 16

    def test_layer_through_a_pipeline(self):
        """What is asked of transform reaches it while the pipeline is fitted too."""
        with config_context(enable_metadata_routing=True), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            learner = make(MDLAMRegressor).set_transform_request(layer=True)
            pipeline = make_pipeline(learner, Ridge()).fit(X, NUMBERS, layer=0)
            assert pipeline[-1].n_features_in_ == 8
            assert pipeline.predict(X, layer=0).shape == (60,)

    def test_feature_union_and_grid_search(self):
        union = FeatureUnion([("net", make(MDLAMRegressor)), ("scaled", StandardScaler())])
        pipeline = make_pipeline(union, Ridge()).set_output(transform="pandas")
        grid = {"featureunion__net__hidden_layer_sizes": [(8, 4), (6, 3)]}
        search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(FRAME, NUMBERS)
        names = search.best_estimator_[0].get_feature_names_out().tolist()
        assert "net__mdlamregressor0" in names
        assert names[-5:] == [f"scaled__{column}" for column in "abcde"]

    @both
    def test_pickle(self, estimator):
        model = fit(make(estimator).set_output(transform="pandas"), FRAME)
        copy = pickle.loads(pickle.dumps(model))
        pd.testing.assert_frame_equal(copy.transform(FRAME), model.transform(FRAME))
