"""scikit-learn's selectors around a network that selects inputs by its penalty."""

import numpy as np
import pytest
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import MDLAMClassifier, MDLAMRegressor

RNG = np.random.RandomState(0)
X = RNG.standard_normal((400, 10)) * 10.0 ** RNG.uniform(-3, 3, 10)
SIGNAL = StandardScaler().fit_transform(X)[:, :3] @ [1.0, -1.0, 0.8]
RELEVANT = np.arange(10) < 3
PARAMETERS = {"hidden_layer_sizes": (20,), "penalty": "group", "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def weight_of_inputs(model):
    return np.linalg.norm(model.coefs_[0], axis=1)


def network(estimator):
    alpha = 12.0 if estimator is MDLAMClassifier else 30.0
    return estimator(alpha=alpha, **PARAMETERS)


def target(estimator):
    noisy = SIGNAL + 0.3 * np.random.RandomState(1).standard_normal(400)
    return noisy > 0 if estimator is MDLAMClassifier else noisy


both = pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])


@both
@pytest.mark.parametrize("batch_size", ["auto", None])
def test_exactly_the_relevant_inputs_remain(estimator, batch_size):
    model = make_pipeline(StandardScaler(), network(estimator).set_params(batch_size=batch_size))
    model.fit(X, target(estimator))
    np.testing.assert_array_equal(weight_of_inputs(model[-1]) > 0, RELEVANT)


@both
def test_select_from_model_goes_before_another_fit(estimator):
    y = target(estimator)
    selector = SelectFromModel(
        network(estimator), importance_getter=weight_of_inputs, threshold=1e-10
    )
    model = make_pipeline(
        StandardScaler(), selector, network(estimator).set_params(penalty="l2", alpha=1e-4)
    )
    model.fit(X, y)
    np.testing.assert_array_equal(model[1].get_support(), RELEVANT)
    assert model[-1].n_features_in_ == 3
    assert model.score(X, y) > 0.85


@pytest.mark.slow
@both
def test_recursive_elimination(estimator):
    y = target(estimator)
    scaled = StandardScaler().fit_transform(X)
    selector = RFECV(
        network(estimator).set_params(max_iter=40),
        importance_getter=weight_of_inputs,
        step=2,
        cv=3,
        min_features_to_select=2,
    )
    selector.fit(scaled, y)
    assert selector.support_[RELEVANT].all()
    np.testing.assert_array_equal(selector.ranking_ == 1, selector.support_)


@both
def test_permuting_an_unused_input_changes_nothing(estimator):
    scaled, y = StandardScaler().fit_transform(X), target(estimator)
    model = network(estimator).fit(scaled, y)
    found = permutation_importance(model, scaled, y, n_repeats=3, random_state=0)
    np.testing.assert_array_equal(found.importances_mean[~RELEVANT], 0.0)
    assert (found.importances_mean[RELEVANT] > 0.02).all()
