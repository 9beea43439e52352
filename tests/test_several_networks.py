"""Several networks in one estimator: the mean of single fits, in every form of input and use."""

import pickle
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor, Relaxed, regularization_path
from skmdlam.engine.loop.run import Run
from skmdlam.engine.problem import forward
from skmdlam.engine.records import Record

pytestmark = pytest.mark.filterwarnings("ignore:The solver did:UserWarning")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((140, 4))
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - X[:, 0]])
NUMBERS, CLASSES = Y[:, 0], np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [0.3, 1.3])]
LABELS, COUNTS = (Y > 0.5).astype(int), RNG.poisson(np.exp(0.5 * X[:, 0]))
WEIGHT = RNG.uniform(0.2, 3.0, 140)
FRAME = pd.DataFrame(X.copy(), columns=list("pqrs"))
FRAME["city"] = pd.Categorical(np.array(["ulm", "bonn", "trier"])[RNG.integers(0, 3, 140)])
FRAME.loc[::9, "q"] = np.nan
FRAME.loc[::11, "city"] = None
# Too many levels for a column each: they get scores, for which a network is fitted.
CODES = FRAME.assign(code=pd.Categorical(RNG.integers(0, 25, 140).astype(str)))
SPARSE = sp.csr_array(np.where(np.abs(X) > 1, X, 0.0))


def make(estimator=MDLAMRegressor, hidden=(5,), **parameters):
    usual = {"n_networks": 3, "batch_size": None, "max_iter": 6, "random_state": 0}
    return estimator(hidden_layer_sizes=hidden, **{**usual, **parameters})


def output(model, data):
    if getattr(model, "loss", None) == "poisson":
        return np.log(model.predict(data))
    return getattr(model, "decision_function", model.predict)(data)


class Averaged(Run):
    """A user's solver: halves its weights, sweep by sweep."""

    def __init__(self, weights):
        self._weights = weights

    def __next__(self):
        self._weights = tuple([0.5 * W for W in part] for part in self._weights)
        value = sum(float(np.sum(W**2)) for W in self._weights[0])
        return Record(1, value, value, 1.0, 0.0, 0.0, 0, True, 0.0)

    def weights(self):
        return self._weights


HALVING = SimpleNamespace(
    start=lambda problem, coefs, intercepts, **_: Averaged((coefs, intercepts)),
    initial_weights=Feasible().initial_weights,
    rows_at_a_time=lambda n, batch_size: n,
)
CASES = {
    "numbers": (MDLAMRegressor, X, NUMBERS, {}),
    "classes": (MDLAMClassifier, X, CLASSES, {"hidden": (5, 4), "class_weight": "balanced"}),
    "two classes": (MDLAMClassifier, X, CLASSES == "a", {"activation": "tanh"}),
    "labels": (MDLAMClassifier, X, LABELS, {"hidden": (4, 3, 4)}),
    "one class": (MDLAMClassifier, X, np.full(140, "a"), {}),
    "targets": (MDLAMRegressor, X, 1e3 * Y + 7e4, {"loss": "huber"}),
    "counts": (MDLAMRegressor, X, COUNTS, {"loss": "poisson"}),
    "pieces": (MDLAMRegressor, X, NUMBERS, {"encoding": "piecewise"}),
    "frame": (MDLAMClassifier, FRAME, CLASSES, {}),
    "scores": (MDLAMRegressor, CODES, NUMBERS + CODES["code"].cat.codes % 3, {}),
    "single precision": (MDLAMRegressor, X.astype(np.float32), NUMBERS, {}),
    "sparse": (MDLAMClassifier, SPARSE, CLASSES, {}),
    "l1": (MDLAMRegressor, X, NUMBERS, {"penalty": "l1", "alpha": 0.5}),
    "l1 at a price": (MDLAMRegressor, X, NUMBERS, {"penalty": "l1", "max_iter": 12}),
    "relaxed": (MDLAMRegressor, X, NUMBERS, {"solver": Relaxed(), "hidden": (5, 4)}),
    "of a user": (MDLAMRegressor, X, NUMBERS, {"solver": HALVING}),
}


@pytest.mark.parametrize("name", CASES)
def test_says_the_mean_of_single_fits(name):
    """On all samples, from starts that are drawn in turn; attributes have the sizes of one."""
    estimator, data, y, options = CASES[name]
    model = make(estimator, **options).fit(data, y, WEIGHT)
    rng = np.random.RandomState(0)
    single = make(estimator, **{**options, "n_networks": 1, "random_state": rng})
    alone = [clone(single).set_params(random_state=rng).fit(data, y, WEIGHT) for _ in range(3)]
    each = np.array([output(one, data) for one in alone])
    precise = each.dtype == np.float64
    tolerance = (1e-9 if precise else 1e-4) * np.abs(each).max()
    assert np.abs(each[1:] - each[0]).max() > tolerance or name == "one class"
    np.testing.assert_allclose(output(model, data), each.mean(axis=0), rtol=0, atol=tolerance)
    means = [np.mean([one.loss_curve_[-1] for one in alone]), np.mean([o.loss_ for o in alone])]
    np.testing.assert_allclose([model.loss_curve_[-1], model.loss_], means, rtol=1e-5)
    assert model.n_networks_ == 3 and alone[0].n_networks_ == 1
    assert model.n_iter_ == len(model.loss_curve_) == max(one.n_iter_ for one in alone)
    for attribute in ("activity_alpha_", "column_alpha_", "upper_alpha_", "n_layers_"):
        assert getattr(model, attribute) == getattr(alone[0], attribute)
    hidden = [3 * width for width in model.hidden_layer_sizes]
    sizes = [alone[0].coefs_[0].shape[0], *hidden, model.n_outputs_]
    assert [W.shape for W in model.coefs_] == list(pairwise(sizes))
    for W, one in zip(model.coefs_[1:-1], alone[0].coefs_[1:-1], strict=True):
        outside = np.kron(np.eye(3), np.ones(one.shape)) == 0
        assert outside.any() and not W[outside].any()
    # It is one network: its units are features, and it is stored and read as such.
    assert model.transform(data).shape == (140, hidden[-1])
    assert len(model.get_feature_names_out()) == hidden[-1]
    again = pickle.loads(pickle.dumps(model)) if name != "of a user" else model
    np.testing.assert_array_equal(output(again, data), output(model, data))


def bits(model):
    return [W.tobytes() for W in (*model.coefs_, *model.intercepts_)]


@pytest.mark.parametrize("batch_size", [None, 40])
def test_same_random_state_same_bits(batch_size):
    """In a clone and with a NumPy integer too; networks of another number differ."""
    options = {"hidden": (5, 4), "batch_size": batch_size, "max_iter": 4}
    model = make(**options).fit(X, NUMBERS)
    assert bits(clone(model).fit(X, NUMBERS)) == bits(model)
    other = make(**options, n_networks=np.int64(3), random_state=np.random.RandomState(0))
    assert bits(other.fit(X, NUMBERS)) == bits(model) and other.n_networks_ == 3
    assert make(**options, n_networks=2).fit(X, NUMBERS).coefs_[0].shape == (4, 10)


def test_without_a_hidden_layer_there_is_one():
    model = make(hidden=()).fit(X, NUMBERS)
    assert model.n_networks_ == 1
    assert bits(model) == bits(make(hidden=(), n_networks=1).fit(X, NUMBERS))


@pytest.mark.parametrize("bad", ["0", "auto", 1.5, 0, -1, None, True])
def test_bad_numbers(bad):
    with pytest.raises(ValueError, match="n_networks"):
        make(n_networks=bad).fit(X, NUMBERS)


def test_whole_weights_are_copies():
    counts = np.arange(140) % 3 + 1
    model, repeated = make(max_iter=4).fit(X, NUMBERS, counts), make(max_iter=4)
    repeated.fit(X.repeat(counts, axis=0), NUMBERS.repeat(counts))
    np.testing.assert_allclose(repeated.predict(X), model.predict(X), atol=1e-8)


class Still(Run):
    """Weights that stay what they are."""

    def __init__(self, problem, weights, seen):
        self._weights = weights
        seen.append((problem, weights))

    def __next__(self):
        return Record(1, 1.0, 1.0, 1.0, 0.0, 0.0, 0, True, 0.0)

    def weights(self):
        return self._weights


def keeping(seen):
    """A solver that returns what it starts from."""
    return SimpleNamespace(
        start=lambda problem, coefs, intercepts, **_: Still(problem, (coefs, intercepts), seen),
        initial_weights=Feasible().initial_weights,
        rows_at_a_time=lambda n, batch_size: n,
    )


class TestWarmStart:
    @pytest.mark.parametrize("data", [X, FRAME], ids=["array", "frame"])
    @pytest.mark.parametrize("y", [1e3 * Y + 7e4, CLASSES], ids=["numbers", "classes"])
    def test_goes_on_from_the_same_function(self, data, y):
        estimator = MDLAMRegressor if y.ndim == 2 else MDLAMClassifier
        model = make(estimator, hidden=(5, 4)).fit(data, y, WEIGHT)
        before, weights, seen = output(model, data), model.coefs_, []
        model.set_params(warm_start=True, solver=keeping(seen), max_iter=1).fit(data, y, WEIGHT)
        np.testing.assert_allclose(output(model, data), before, atol=1e-12 * np.abs(before).max())
        for W, V in zip(model.coefs_, weights, strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-12)
            assert not np.shares_memory(W, V)
        assert len(seen) == model.n_networks_ == 3
        members = [forward(problem.X, *one, problem.activations) for problem, one in seen]
        assert np.abs(members[0] - members[1]).max() > 0

    @pytest.mark.parametrize(
        ("estimator", "y", "options"),
        [
            (MDLAMRegressor, NUMBERS, {}),
            (MDLAMRegressor, COUNTS, {"loss": "poisson"}),
            (MDLAMRegressor, NUMBERS, {"loss": "absolute_error"}),
            (MDLAMClassifier, CLASSES, {"hidden": (5, 4)}),
        ],
    )
    @pytest.mark.slow
    def test_j_of_each_is_what_it_was(self, estimator, y, options):
        """Not told by one intercept, what each had for its own is found again: the best one."""
        model = make(estimator, max_iter=100, tol=0.0, warm_start=True, **options)
        model.fit(X, y, WEIGHT)
        before = model.loss_
        model.set_params(max_iter=3).fit(X, y, WEIGHT)
        assert model.n_networks_ == 3
        assert before * 0.9 < model.loss_curve_[0] <= before * (1 + 1e-6)

    @pytest.mark.parametrize("n_labels", [1, 2])
    def test_rare_events_count(self, n_labels):
        """A part of many samples tells the rest of it, but not where it has no such events."""
        n = 12_000
        data = np.random.default_rng(2).standard_normal((n, 2))
        part = np.sort(np.random.RandomState(0).permutation(n)[:10_000])
        outside = np.setdiff1d(np.arange(n), part)
        events = outside[np.argsort(data[outside, 0])[-6:]]
        y = np.column_stack([np.isin(np.arange(n), events), data[:, 1] > 0])[:, :n_labels]
        y = y.astype(int) if n_labels == 2 else y[:, 0]
        usual = {"n_networks": 2, "batch_size": 600, "max_iter": 5, "encoding": None}
        model = make(MDLAMClassifier, hidden=(3,), warm_start=True, **usual).fit(data, y)
        before = model.loss_
        model.set_params(max_iter=1).fit(data, y)
        assert model.loss_ <= before * (1 + 1e-3)

    def test_in_mini_batches(self):
        model = make(batch_size=40, max_iter=20, warm_start=True).fit(X, NUMBERS)
        before = model.loss_
        assert model.fit(X, NUMBERS).loss_ <= before

    def test_sizes_must_be_those_before(self):
        model = make(warm_start=True).fit(X, NUMBERS)
        with pytest.raises(ValueError, match=r"layer sizes of the previous fit, \[4, 15, 1\]"):
            model.set_params(hidden_layer_sizes=4).fit(X, NUMBERS)
        with pytest.raises(ValueError, match="averages 3 networks, and n_networks=5"):
            model.set_params(n_networks=5, hidden_layer_sizes=3).fit(X, NUMBERS)
        model.set_params(n_networks=2, hidden_layer_sizes=5)
        with pytest.raises(ValueError, match=r"=5 with n_networks=2 asks for \[4, 10, 1\]"):
            model.partial_fit(X, NUMBERS)
        assert model.n_networks_ == 3
        # What a stream has learned is one network of all units.
        model.set_params(n_networks=3, hidden_layer_sizes=5).partial_fit(X, NUMBERS)
        assert model.fit(X, NUMBERS).n_networks_ == 1

    def test_as_one_network(self):
        model = make(warm_start=True).fit(X, NUMBERS)
        before = model.loss_curve_[-1]
        model.set_params(n_networks=1, hidden_layer_sizes=15).fit(X, NUMBERS)
        assert model.n_networks_ == 1 and model.loss_ < before


class TestStreams:
    def test_after_a_fit_all_units_learn_as_one(self):
        model = make(hidden=(5, 4), max_iter=60).fit(X, NUMBERS)
        before, error = model.predict(X), np.var(NUMBERS - model.predict(X))
        model.partial_fit(X, NUMBERS)
        assert model.n_networks_ == 1 and model.coefs_[1].shape == (15, 12)
        assert 0 < np.var(model.predict(X) - before) < error
        assert np.count_nonzero(model.coefs_[1]) > 3 * 20

    def test_from_the_first_chunk(self):
        """As one network of so many units; a warm start goes on with that."""
        model, wide = make(), make(hidden=(15,), n_networks=1)
        for rows in (slice(0, 70), slice(70, 140)):
            for one in (model, wide):
                one.partial_fit(X[rows], NUMBERS[rows])
            assert model.n_networks_ == 1 and bits(model) == bits(wide)
        before = np.mean((model.predict(X) - NUMBERS) ** 2)
        for one in (model, wide):
            one.set_params(warm_start=True).fit(X, NUMBERS)
        assert model.n_networks_ == 1 and bits(model) == bits(wide)
        assert np.mean((model.predict(X) - NUMBERS) ** 2) < before
        assert model.set_params(warm_start=False).fit(X, NUMBERS).n_networks_ == 3


@pytest.mark.parametrize("batch_size", [None, 40])
@pytest.mark.slow
def test_early_stopping_goes_by_the_average(batch_size):
    train, val = slice(0, 100), slice(100, 140)
    options = {"batch_size": batch_size, "max_iter": 30, "n_iter_no_change": 2}
    data, held_out = (X[train], NUMBERS[train]), {"X_val": X[val], "y_val": NUMBERS[val]}
    model = make(**options, early_stopping=True).fit(*data, **held_out)
    assert model.n_networks_ == 3
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)
    best = model.best_validation_score_
    assert best == max(model.validation_scores_) == pytest.approx(model.score(X[val], NUMBERS[val]))
    # Only watched, the fit is the same as without.
    watched = make(**options).fit(*data, **held_out)
    assert bits(watched) == bits(make(**options).fit(*data))
    assert watched.validation_scores_[-1] == pytest.approx(watched.score(X[val], NUMBERS[val]))
    split = make(**options, early_stopping=True).fit(X, NUMBERS)
    assert split.best_validation_score_ == max(split.validation_scores_) > 0


def test_search_over_their_number():
    search = GridSearchCV(make(), {"n_networks": [1, 2]}, cv=2).fit(X, NUMBERS)
    assert search.best_estimator_.n_networks_ == search.best_params_["n_networks"]
    assert len(set(search.cv_results_["mean_test_score"])) == 2


@pytest.mark.slow
def test_a_path_of_their_strengths():
    model = make(n_networks=2, hidden=(3,), penalty="group", max_iter=60, n_iter_no_change=3)
    noise = np.random.default_rng(1).standard_normal((140, 3))
    both = np.column_stack([X, noise])
    path = regularization_path(model, both, NUMBERS, n_alphas=3, return_estimator=True)
    assert path.n_features_used[0] == 0 and path.n_features_used[-1] == 7
    assert {one.n_networks_ for one in path.estimators} == {2}
    assert {W[0].shape for W in path.coefs} == {(7, 6)}
    assert list(path.n_features_used) == sorted(path.n_features_used)
    # Without inputs the mean is what is left to say, as far as the last sweep has come.
    assert path.train_scores[0] == pytest.approx(0, abs=1e-6) and path.train_scores[-1] > 0.85


def test_rng_is_that_of_the_user():
    """The starts are the only draws of a fit on all samples."""
    rng = check_random_state(3)
    make(random_state=rng).fit(X, NUMBERS)
    after, again = rng.randint(1000), check_random_state(3)
    for _ in range(3):
        Feasible().initial_weights([4, 5, 1], again, float, make().fit(X, NUMBERS)._activations)
    assert after == again.randint(1000)


def by_hand(model, data):
    """What the weights say, layer by layer."""
    a = data
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        a = np.maximum(a @ W + b, 0)
    return (a @ model.coefs_[-1] + model.intercepts_[-1]).ravel()


class TestWeightsChangedByAUser:
    def test_weights_beside_the_blocks_count(self):
        model = make(hidden=(5, 4)).fit(X, NUMBERS)
        np.testing.assert_allclose(model.predict(X), by_hand(model, X))
        model.coefs_[1][0, -1] = 7.0
        expected = by_hand(model, X)
        np.testing.assert_allclose(model.predict(X), expected)
        np.testing.assert_allclose(model.predict(X[:3]), expected[:3])
        # All units are one network from then on: no weight gets lost.
        model.set_params(warm_start=True, solver=keeping([])).fit(X, NUMBERS)
        assert model.n_networks_ == 1
        np.testing.assert_allclose(model.predict(X), expected)

    @pytest.mark.parametrize("kept", [np.arange(14), np.arange(3, 15), np.arange(0, 15, 2)])
    def test_units_may_be_taken_out(self, kept):
        model = make(hidden=(5, 4)).fit(X, NUMBERS)
        model.coefs_[0], model.intercepts_[0] = model.coefs_[0][:, kept], model.intercepts_[0][kept]
        model.coefs_[1] = model.coefs_[1][kept]
        np.testing.assert_allclose(model.predict(X), by_hand(model, X))

    def test_a_warm_start_without_one_of_the_units(self):
        model = make(batch_size=40).fit(X, NUMBERS)
        model.coefs_[0], model.intercepts_[0] = model.coefs_[0][:, 1:], model.intercepts_[0][1:]
        model.coefs_[1] = model.coefs_[1][1:]
        model.set_params(warm_start=True, hidden_layer_sizes=14, n_networks=1).fit(X, NUMBERS)
        assert model.n_networks_ == 1 and model.coefs_[0].shape == (4, 14)
