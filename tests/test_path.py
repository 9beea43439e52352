"""Tests of the regularization path."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import scale

from skmdlam import MDLAMClassifier, MDLAMRegressor, regularization_path
from skmdlam.penalties import GroupLasso

X, y = load_diabetes(return_X_y=True)
X = scale(X)


def network(penalty="group", units=(10,), **options):
    return MDLAMRegressor(hidden_layer_sizes=units, penalty=penalty, random_state=0, **options)


@pytest.fixture(scope="module")
def friedman():
    """Twenty inputs, five of them useful."""
    inputs, target = make_friedman1(2500, n_features=20, noise=1.0, random_state=0)
    return scale(inputs), target


@pytest.fixture(scope="module")
def path_of_friedman(friedman):
    inputs, target = friedman
    return regularization_path(
        network(), inputs[:2000], target[:2000], X_test=inputs[2000:], y_test=target[2000:]
    )


@pytest.fixture(scope="module", params=["group", "l1", "elasticnet"])
def path(request):
    return regularization_path(network(request.param), X, y, n_alphas=12, return_estimator=True)


class TestRegressor:
    @pytest.mark.slow
    def test_from_no_input_to_all(self, path):
        assert path.n_features_used[0] == 0 and not path.norms[0].any()
        assert (path.n_features_used[1:] > 0).all() and path.n_features_used[-1] == 10
        assert path.train_scores[0] == pytest.approx(0.0, abs=1e-3)

    @pytest.mark.slow
    def test_grid(self, path):
        steps = np.diff(np.log(path.alphas))
        np.testing.assert_allclose(steps, np.log(1e-3) / 11, rtol=1e-9)

    @pytest.mark.slow
    def test_says_what_the_fits_are(self, path):
        for k, model in enumerate(path.estimators):
            assert model.alpha == path.alphas[k] and model.loss_ == path.losses[k]
            assert path.coefs[k] is model.coefs_ and path.intercepts[k] is model.intercepts_
            assert path.n_iter[k] == model.n_iter_
            np.testing.assert_array_equal(path.norms[k], np.linalg.norm(model.coefs_[0], axis=1))
            assert path.n_features_used[k] == np.any(model.coefs_[0] != 0, axis=1).sum()
            assert path.train_scores[k] == pytest.approx(model.score(X, y))
        assert path.test_scores is None and path.feature_names is None

    def test_rises_with_less_penalty(self, path):
        """The score on the training samples; J of what is used falls."""
        assert (np.diff(path.train_scores) > -0.01).all()
        assert (np.diff(path.losses[1:]) < 0.02 * path.losses[1:-1]).all()

    def test_inputs_stay_dropped(self, path):
        used = path.norms > 0
        back = np.count_nonzero(used[:-1] & ~used[1:])  # used at a larger alpha only
        assert back <= 0.02 * used.size

    def test_as_good_as_from_the_start(self, path):
        """J of a fit at that strength alone, with the patience of a fit, is not much lower."""
        for k in (4, 7, 11):
            model = path.estimators[k]
            cold = clone(model).set_params(warm_start=False, n_iter_no_change=10).fit(X, y)
            assert model.loss_ < 1.02 * cold.loss_

    def test_strengths_are_those_of_one_fit(self, path):
        one = MDLAMRegressor(
            hidden_layer_sizes=(10,), batch_size=None, encoding=None, random_state=0
        ).fit(X, y)
        for model in path.estimators:
            assert model.activity_alpha_ == one.activity_alpha_
            assert model.column_alpha_ == one.column_alpha_
            assert model.upper_alpha_ == one.upper_alpha_

    def test_is_stationary(self):
        """No small change of the weights that are used lowers J, at a large patience."""
        options = {"activity_alpha": 0, "tol": 1e-9, "max_iter": 2000, "n_iter_no_change": 20}
        path = regularization_path(network(units=(4,), **options), X, y, alphas=[2000.0, 500.0])
        penalty, rng = GroupLasso(), np.random.default_rng(0)
        for k, alpha in enumerate(path.alphas):
            W, b = path.coefs[k], path.intercepts[k]

            def objective(W, b, alpha=alpha):
                z = np.maximum(X @ W[0] + b[0], 0.0) @ W[1] + b[1]
                data = 0.5 * np.sum((z[:, 0] - y) ** 2)
                return data + alpha * sum(penalty.value(A) for A in W)

            best = objective(W, b)
            assert path.losses[k] == pytest.approx(best / len(y), rel=1e-9)
            for _ in range(30):
                change = [1e-4 * np.abs(A).max() * rng.normal(size=A.shape) * (A != 0) for A in W]
                moved = [A + D for A, D in zip(W, change, strict=True)]
                assert objective(moved, b) > best * (1 - 1e-6)


@pytest.mark.slow
class TestFriedman:
    def test_useful_inputs_are_dropped_last(self, path_of_friedman):
        norms = path_of_friedman.norms
        last = np.where((norms > 0).any(axis=0), (norms > 0).argmax(axis=0), len(norms))
        assert last[:5].max() < last[5:].min()
        between = path_of_friedman.n_features_used == 5
        assert between.any() and (norms[between][:, :5] > 0).all()

    def test_scores_on_test_samples(self, path_of_friedman, friedman):
        inputs, target = friedman
        scores = path_of_friedman.test_scores
        assert scores.max() > 0.9 and scores[0] < 0.01
        # The useful five alone, weights shrunk, are more than a straight line of all.
        five = np.flatnonzero(path_of_friedman.n_features_used == 5)[-1]
        linear = LinearRegression().fit(inputs[:2000], target[:2000])
        assert scores[five] > linear.score(inputs[2000:], target[2000:]) + 0.02


@pytest.mark.slow
class TestOfAnyKind:
    def test_reproducible(self):
        first, second = (regularization_path(network(), X, y, n_alphas=5) for _ in range(2))
        np.testing.assert_array_equal(first.norms, second.norms)
        np.testing.assert_array_equal(first.alphas, second.alphas)

    def test_estimator_is_not_changed(self):
        model = network()
        before = model.get_params()
        regularization_path(model, X, y, n_alphas=3)
        assert model.get_params() == before and not hasattr(model, "coefs_")

    def test_given_alphas(self):
        alphas = [8000.0, 1000.0, 10.0]
        path = regularization_path(network(), X, y, alphas=alphas)
        np.testing.assert_array_equal(path.alphas, alphas)
        assert 0 < path.n_features_used[0] < path.n_features_used[-1]

    def test_classes_and_names(self):
        data = load_iris(as_frame=True)
        model = MDLAMClassifier((10,), penalty="group", random_state=0)
        path = regularization_path(model, data.data, data.target, n_alphas=8)
        assert list(path.feature_names) == list(data.data.columns)
        assert path.n_features_used[0] == 0 and path.n_features_used[-1] == 4
        assert path.train_scores[-1] > 0.95 > 0.4 > path.train_scores[0]

    def test_sample_weight(self):
        weight = np.random.default_rng(0).integers(1, 4, len(y))
        alphas = [3000.0, 300.0]
        one = regularization_path(network(), X, y, alphas=alphas, sample_weight=weight)
        copies = np.repeat(X, weight, axis=0), np.repeat(y, weight)
        again = regularization_path(network(), *copies, alphas=alphas)
        np.testing.assert_allclose(one.norms, again.norms, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(one.train_scores, again.train_scores, rtol=1e-3)
        other = regularization_path(network(), X, y, alphas=alphas)
        assert not np.allclose(one.norms, other.norms, rtol=1e-3)

    def test_any_unit_of_the_target(self):
        one = regularization_path(network(), X, y, n_alphas=4)
        for unit in (1e-4, 1e4):
            path = regularization_path(network(), X, unit * y, n_alphas=4)
            assert path.n_features_used[0] == 0 and path.n_features_used[-1] == 10
            assert path.train_scores[-1] == pytest.approx(one.train_scores[-1], abs=0.03)

    def test_says_where_sweeps_were_not_enough(self):
        with pytest.warns(ConvergenceWarning, match="of 3 fits did 2 iterations"):
            regularization_path(network(max_iter=2), X, y, alphas=[1000.0, 100.0, 10.0])

    def test_warns_of_what_is_unused_once(self):
        model = network(max_iter=2, epsilon=0.1)
        with pytest.warns() as warned:
            regularization_path(model, X[:60], y[:60], alphas=[50.0, 2.0])
        assert sum("epsilon=0.1 has no effect" in str(each.message) for each in warned) == 1


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"penalty": "l2"}, "takes weights to zero"),
            ({"penalty": "elasticnet", "l1_ratio": 0.0}, "takes weights to zero"),
            ({"penalty": "nonnegative"}, "takes weights to zero"),
            ({"penalty": None}, "takes weights to zero"),
            ({"penalty": "lasso"}, "penalty"),
            ({"solver": "relaxed"}, 'solver="feasible"'),
        ],
    )
    def test_estimators_without_a_path(self, options, message):
        with pytest.raises(ValueError, match=message):
            regularization_path(MDLAMRegressor(hidden_layer_sizes=(5,), **options), X, y)

    def test_other_estimators(self):
        with pytest.raises(ValueError, match="MDLAMClassifier or MDLAMRegressor"):
            regularization_path(LinearRegression(), X, y)

    @pytest.mark.parametrize(
        ("alphas", "message"),
        [
            ([1.0, 2.0], "decreasing"),
            ([2.0, 2.0], "decreasing"),
            ([1.0, -1.0], "positive"),
            ([1.0, 0.0], "positive"),
            ([np.inf, 1.0], "finite"),
            ([], "sequence"),
            ([[1.0]], "sequence"),
        ],
    )
    def test_alphas(self, alphas, message):
        with pytest.raises(ValueError, match=message):
            regularization_path(network(), X, y, alphas=alphas)

    @pytest.mark.parametrize("n_alphas", [1, 0, 2.5, True, None])
    def test_n_alphas(self, n_alphas):
        with pytest.raises(ValueError, match="n_alphas"):
            regularization_path(network(), X, y, n_alphas=n_alphas)

    @pytest.mark.parametrize("eps", [0, 1, -1, 2.0, "small", None])
    def test_eps(self, eps):
        with pytest.raises(ValueError, match="eps"):
            regularization_path(network(), X, y, eps=eps)

    def test_half_of_the_test_samples(self):
        with pytest.raises(ValueError, match="together"):
            regularization_path(network(), X, y, X_test=X)


@pytest.mark.slow
def test_categories_and_gaps():
    """Inputs are the levels and scores; the useful ones stay longest."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(6)
    codes, color = rng.integers(0, 40, 500), rng.choice(["red", "blue", "green"], 500)
    noise = rng.normal(size=500)
    frame = pd.DataFrame(
        {
            "useless": np.where(rng.random(500) < 0.2, np.nan, noise),
            "town": [f"town {code}" for code in codes],
            "color": color,
        }
    )
    target = 2.0 * rng.normal(size=40)[codes] + (color == "red") + 0.1 * rng.normal(size=500)
    path = regularization_path(
        network(), frame, target, n_alphas=6, X_test=frame[:99], y_test=target[:99]
    )
    names = path.feature_names.tolist()
    assert names[0] == "useless" and names[1].startswith("town_score")
    assert names[-4:] == ["useless_missing", "color_blue", "color_green", "color_red"]
    assert path.norms.shape == (6, len(names)) and path.n_features_used[0] == 0
    used = [name for name, norm in zip(names, path.norms[1], strict=True) if norm > 0]
    assert names[1] in used and "useless" not in used
    assert path.test_scores.max() > 0.9
