"""partial_fit: streams of both estimators, as a user sees them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ReLU

RNG = np.random.RandomState(3)
X = RNG.standard_normal((400, 6))
NUMBERS = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * RNG.standard_normal(400)
LABELS = np.digitize(NUMBERS, [-0.5, 0.5])
SEVERAL = np.column_stack([NUMBERS, X[:, 2] ** 2])
INDICATOR = (SEVERAL > 0.2).astype(int)
BOTH = [MDLAMClassifier, MDLAMRegressor]

both = pytest.mark.parametrize("estimator", BOTH)


def make(estimator, **parameters):
    return estimator(**{"hidden_layer_sizes": (20,), "random_state": 0, **parameters})


def target(estimator):
    return LABELS if issubclass(estimator, MDLAMClassifier) else NUMBERS


def feed(model, X=X, y=None, chunk=100, passes=1, **first):
    """Give a model the rows in chunks; ``first`` goes to the first call."""
    y = target(type(model)) if y is None else y
    if isinstance(model, MDLAMClassifier | MLPClassifier) and np.ndim(y) == 1:
        first.setdefault("classes", np.unique(y))
    for _ in range(passes):
        for start in range(0, X.shape[0], chunk):
            rows = slice(start, start + chunk)
            model.partial_fit(X[rows], y[rows], **first)
            first = {}
    return model


def fit(model, X=X, y=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, target(type(model)) if y is None else y)


def assert_same_weights(one, other):
    for W, V in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(W, V)


class TestLearns:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "chunk", [100, *(pytest.param(n, marks=pytest.mark.slow) for n in (10, 500))]
    )
    def test_digits_near_the_batch(self, chunk):
        parts = train_test_split(*load_digits(return_X_y=True), random_state=0)
        X_train, X_test, y_train, y_test = parts
        batch = MDLAMClassifier(batch_size=100, random_state=0).fit(X_train, y_train)
        batch = batch.score(X_test, y_test)
        model = feed(MDLAMClassifier(random_state=0), X_train, y_train, chunk)
        assert model.score(X_test, y_test) > 0.92
        feed(model, X_train, y_train, chunk, passes=4)
        assert model.score(X_test, y_test) > batch - 0.01

    @pytest.mark.slow
    @pytest.mark.parametrize("network", [MLPClassifier, MLPRegressor])
    def test_more_than_adam_in_as_many_passes(self, network):
        ours, load = (
            (MDLAMClassifier, load_digits)
            if network is MLPClassifier
            else (MDLAMRegressor, load_diabetes)
        )
        X, y = load(return_X_y=True)
        if ours is MDLAMRegressor:
            y = (y - y.mean()) / y.std()
        parts = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
        X_train, X_test, y_train, y_test = parts
        scores = [
            feed(model, X_train, y_train, passes=3).score(X_test, y_test)
            for model in (ours(random_state=0), network(random_state=0))
        ]
        assert scores[0] > scores[1]

    @both
    @pytest.mark.slow
    def test_single_rows(self, estimator):
        model = make(estimator)
        first = {"classes": range(3)} if estimator is MDLAMClassifier else {}
        for size in (1, 2, 5, 30):
            feed(model, X[:size], target(estimator)[:size], 1, **first)
            assert np.isfinite(model.predict(X)).all()
        assert feed(model, X[:120], chunk=1).score(X, target(estimator)) > 0.7

    def test_first_row_is_learned(self):
        model = make(MDLAMClassifier).partial_fit(X[:1], ["b"], classes=["a", "b", "c"])
        start = make(MDLAMClassifier).partial_fit(X[:1], ["a"], classes=["a", "b", "c"])
        probability = model.predict_proba(X[:1])[0, 1]
        assert probability > start.predict_proba(X[:1])[0, 1]

    def test_classes_that_come_late(self):
        order = np.argsort(LABELS, kind="stable")
        model = make(MDLAMClassifier).partial_fit(
            X[order[:50]], LABELS[order[:50]], classes=range(3)
        )
        assert model.predict_proba(X).shape == (400, 3)
        assert feed(model, passes=5).score(X, LABELS) > 0.8

    @pytest.mark.slow
    def test_follows_a_turn(self):
        """The average begins anew: it does not drag along what no longer holds."""
        model = make(MDLAMClassifier)
        rng = np.random.RandomState(0)
        rows = rng.standard_normal((8000, 6))
        labels = (rows[:, 0] > 0).astype(int)
        labels[4000:] = 1 - labels[4000:]
        feed(model, rows[:4000], labels[:4000])
        assert model.score(rows[:4000], labels[:4000]) > 0.95
        feed(model, rows[4000:6000], labels[4000:6000])
        assert model.score(rows[6000:], labels[6000:]) > 0.93

    @pytest.mark.parametrize(
        "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 42))]
    )
    @pytest.mark.slow
    def test_one_row_for_ever(self, seed):
        """The inputs of hidden layers vary no more: rounding must not stand for their spread."""
        model = fit(make(MDLAMRegressor, random_state=seed), [[2]], [4])
        for _ in range(250):
            model.partial_fit([[2]], [1])
        assert model.predict([[2]]) == pytest.approx(1, abs=1e-3)

    @pytest.mark.slow
    @both
    def test_units_do_not_matter(self, estimator):
        units = 10.0 ** np.array([-6, -3, 0, 2, 4, 6])
        y = target(estimator)
        plain = feed(make(estimator, alpha=0.0)).score(X, y)
        y_scaled = y if estimator is MDLAMClassifier else 1e6 * y - 3e6
        scaled = feed(make(estimator, alpha=0.0), X * units + 5 * units, y_scaled)
        assert scaled.score(X * units + 5 * units, y_scaled) == pytest.approx(plain, abs=0.02)


class TestBetweenCalls:
    @both
    def test_type_of_the_first_chunk_stays(self, estimator):
        y = target(estimator)
        for one, two in ((np.float32, np.float64), (np.float64, np.float32)):
            model = make(estimator).fit(X[:50].astype(one), y[:50])
            model.partial_fit(X[50:].astype(two), y[50:])
            assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(one)}

    @both
    def test_generator_of_the_user_is_not_kept(self, estimator):
        """It is asked once, so that models that share it do not disturb each other."""
        rng = np.random.RandomState(0)
        one, other = make(estimator, random_state=rng), make(estimator, random_state=rng)
        feed(one, X[:100]), feed(other, X[:100])
        before = rng.get_state()[1].copy(), rng.get_state()[2]
        feed(one, X[100:])
        feed(other, X[100:])
        np.testing.assert_array_equal(rng.get_state()[1], before[0])
        assert rng.get_state()[2] == before[1]
        assert np.abs(one.coefs_[0] - other.coefs_[0]).max() > 1e-3

    @pytest.mark.slow
    @both
    @pytest.mark.parametrize("own", [True, False], ids=["RandomState", "NumPy's own"])
    def test_draws_of_others_do_not_matter(self, estimator, own):
        """Whoever draws from the generator between two chunks does not change what is learned."""
        # None stands for a generator that NumPy keeps for everybody.
        rng = np.random.RandomState(0) if own else check_random_state(None)
        before, models = rng.get_state(), []
        for draws in (0, 7):
            rng.seed(0)
            model = make(estimator, random_state=rng if own else None)
            models.append(feed(model, X[:100]))
            for start in (100, 200, 300):
                rng.random_sample(draws)
                rows = slice(start, start + 100)
                model.partial_fit(X[rows], target(estimator)[rows])
        rng.set_state(before)
        assert_same_weights(*models)
        assert np.abs(models[0].coefs_[0] - feed(make(estimator)).coefs_[0]).max() > 1e-3


class TestAfterFit:
    @both
    @pytest.mark.parametrize(
        ("chunk", "solver"),
        [
            pytest.param(2, {}, marks=pytest.mark.slow),
            (10, {"batch_size": None}),
            (200, {}),
        ],
        ids=str,
    )
    def test_keeps_what_was_learned(self, estimator, chunk, solver):
        y = target(estimator)
        model = fit(make(estimator, max_iter=60, **solver), X[:200], y[:200])
        before = model.score(X[200:], y[200:])
        feed(model, X[:200], y[:200], chunk)
        assert model.score(X[200:], y[200:]) > before - 0.02

    def test_first_step_is_small(self):
        model = fit(make(MDLAMRegressor))
        coefs = [W.copy() for W in model.coefs_]
        model.partial_fit(X[:1], NUMBERS[:1])
        for W, V in zip(coefs, model.coefs_, strict=True):
            assert 0 < np.abs(W - V).max() < 0.01 * np.abs(W).max()

    def test_curves_go_on(self):
        model = fit(make(MDLAMClassifier, max_iter=10))
        curve, n_iter = model.loss_curve_, model.n_iter_
        model.partial_fit(X, LABELS)
        assert model.loss_curve_[:-1] == curve
        assert model.n_iter_ == n_iter + 1
        assert model.loss_ == model.loss_curve_[-1]
        assert model.best_loss_ == min(model.loss_curve_)
        lengths = {len(getattr(model, f"{name}_curve_")) for name in ("loss", "rho", "gap")}
        assert lengths == {n_iter + 1}
        assert model.stop_reason_ == "partial_fit"

    def test_relaxed_weights_go_on_by_feasible(self):
        model = fit(make(MDLAMClassifier, solver="relaxed", rho=1.0))
        before = model.score(X, LABELS)
        model.set_params(solver="feasible").partial_fit(X[:50], LABELS[:50])
        assert model.score(X, LABELS) > before - 0.02

    @both
    @pytest.mark.parametrize(
        ("chunk", "unit"),
        [
            (3, 1e-3),
            *(pytest.param(*some, marks=pytest.mark.slow) for some in [(10, 1.0), (200, 1e4)]),
        ],
    )
    @pytest.mark.slow
    def test_weights_without_what_they_have_seen(self, estimator, chunk, unit):
        """Of a version that did not keep it: they stand for many rows like those of the chunk."""
        rows, y = unit * (X + 2.0), target(estimator)
        y = y if estimator is MDLAMClassifier else unit * y
        model = fit(make(estimator, max_iter=60, alpha=0.0), rows[:200], y[:200])
        before = model.score(rows[200:], y[200:])
        del model._stream
        model.partial_fit(rows[:chunk], y[:chunk])
        assert model.score(rows[200:], y[200:]) > before - 0.02
        feed(model, rows[:200], y[:200], chunk)
        assert model.score(rows[200:], y[200:]) > before - 0.03

    @both
    def test_fit_starts_afresh(self, estimator):
        model = fit(feed(make(estimator, max_iter=5)))
        assert_same_weights(model, fit(make(estimator, max_iter=5)))
        assert len(model.loss_curve_) == 5

    @pytest.mark.parametrize("warm", [False, True])
    def test_encoder_of_a_fit_stays(self, warm):
        """Whatever stream there was before, and has not chosen yet."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(500, 3))
        y = np.sin(3.0 * X[:, 0]) + (X[:, 1] > 0)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), warm_start=warm, random_state=0)
        encoder = model.partial_fit(X[:70], y[:70]).fit(X[:200], y[:200]).encoder_
        assert (encoder is None) == warm
        before = model.predict(X)
        model.partial_fit(X[200:], y[200:])
        assert model.encoder_ is encoder
        assert np.mean((model.predict(X) - before) ** 2) < 0.1 * np.var(y)

    @both
    @pytest.mark.slow
    def test_warm_fit_goes_on(self, estimator):
        model = feed(make(estimator, max_iter=3, warm_start=True), passes=8)
        last = model.score(X, target(estimator))
        assert fit(model).score(X, target(estimator)) > last - 0.05


class Failing(ReLU):
    """Fails in the middle of a chunk; what it counts is not part of an estimator's state."""

    calls_left, error = np.inf, None

    def value(self, z, out=None):
        Failing.calls_left -= 1
        if Failing.calls_left == 0:
            raise Failing.error
        return super().value(z, out=out)


class TestState:
    @both
    def test_stored_between_calls(self, estimator):
        model = feed(make(estimator))
        other = pickle.loads(pickle.dumps(model))
        assert_same_weights(feed(model), feed(other))

    @both
    def test_clone_starts_afresh(self, estimator):
        model = feed(make(estimator))
        assert not hasattr(clone(model), "coefs_")
        assert_same_weights(feed(clone(model)), model)

    @pytest.mark.parametrize(
        ("estimator", "error"),
        [(MDLAMClassifier, KeyboardInterrupt), (MDLAMRegressor, MemoryError)],
    )
    def test_failed_call_changes_nothing(self, estimator, error, monkeypatch):
        model = feed(make(estimator, activation=Failing()))
        before, other = pickle.dumps(model), pickle.loads(pickle.dumps(model))
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "calls_left", 40)
            patch.setattr(Failing, "error", error)
            with pytest.raises(error):
                model.partial_fit(X, target(estimator))
        assert pickle.dumps(model) == before
        assert_same_weights(feed(model), feed(other))

    @both
    def test_failed_first_call_leaves_nothing(self, estimator):
        model = make(estimator, activation="tanh")
        with pytest.raises(ValueError, match="infinity"):
            feed(model, np.full_like(X, np.inf))
        assert not hasattr(model, "coefs_")
        assert not hasattr(model, "n_features_in_")

    def test_random_state_object(self):
        first, second = (
            feed(make(MDLAMRegressor, random_state=np.random.RandomState(5))) for _ in range(2)
        )
        assert_same_weights(first, second)

    def test_loss_curve_is_of_what_was_not_learned(self):
        model = feed(make(MDLAMRegressor, alpha=0.0, encoding=None))  # whose knots would move
        expected = 0.5 * np.mean((model.predict(X) - NUMBERS) ** 2)
        model.partial_fit(X, NUMBERS)
        assert model.loss_ == pytest.approx(expected, rel=1e-3)
        assert len(model.loss_curve_) == 5

    def test_verbose(self, capsys):
        feed(make(MDLAMRegressor, verbose=True), chunk=200)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["Iteration 1", "Iteration 2"]


class TestData:
    @both
    @pytest.mark.parametrize("convert", [sp.csr_array, sp.csc_array, sp.csr_matrix])
    def test_sparse(self, estimator, convert):
        dense = feed(make(estimator, encoding=None))
        model = make(estimator, encoding=None)
        for start in range(0, 400, 100):
            rows = slice(start, start + 100)
            first = {"classes": range(3)} if estimator is MDLAMClassifier and not start else {}
            model.partial_fit(convert(X[rows]), target(estimator)[rows], **first)
        np.testing.assert_allclose(model.coefs_[0], dense.coefs_[0], rtol=1e-3, atol=1e-4)

    @both
    def test_single_precision(self, estimator):
        model = feed(make(estimator), X.astype(np.float32))
        assert {W.dtype for W in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
        assert model.score(X, target(estimator)) > 0.6

    @pytest.mark.slow
    def test_wide_sparse(self):
        """More columns than covariances are kept of."""
        wide = sp.random(300, 3000, density=0.01, format="csr", random_state=0)
        model = feed(make(MDLAMClassifier), wide, LABELS[:300], 50)
        assert model.coefs_[0].shape == (3000, 20)
        assert len(pickle.dumps(model)) < 3000**2
        assert feed(model, wide, LABELS[:300], 50, passes=5).score(wide, LABELS[:300]) > 0.9

    @pytest.mark.slow
    def test_columns_that_part_later(self):
        """Copies in the first chunk, and a constant column, that later say something."""
        first = X.copy()
        first[:, 1], first[:, 0] = first[:, 2], 3.0
        model = feed(make(MDLAMRegressor), first[:100], NUMBERS[:100])
        assert feed(model, passes=7).score(X, NUMBERS) > 0.9

    def test_several_outputs(self):
        model = feed(make(MDLAMRegressor), y=SEVERAL, passes=5)
        assert model.predict(X).shape == (400, 2)
        assert model.score(X, SEVERAL) > 0.8

    @pytest.mark.slow
    @pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
    def test_labels_of_several_kinds(self, convert):
        model = feed(make(MDLAMClassifier), y=convert(INDICATOR), passes=5)
        assert (model.predict(X) == INDICATOR).mean() > 0.85
        assert feed(make(MDLAMClassifier), y=INDICATOR, classes=[0, 1]).n_outputs_ == 2

    @pytest.mark.parametrize("names", [["a", "b", "c"], [2.0, 5.0, 9.0], [True, False, False]])
    def test_names_of_classes(self, names):
        labels = np.array(names)[LABELS]
        model = feed(make(MDLAMClassifier), y=labels)
        np.testing.assert_array_equal(model.classes_, np.unique(labels))
        assert model.score(X, labels) > 0.6

    def test_names_of_labels(self):
        """They only say how many there are, in every call."""
        names = {"classes": ["wet", "cold"]}
        model = make(MDLAMClassifier)
        for rows in (slice(200), slice(200, 400)):
            model.partial_fit(X[rows], INDICATOR[rows], **names)
        np.testing.assert_array_equal(model.classes_, [0, 1])
        assert model.n_iter_ == 2

    def test_feature_names(self):
        frame = pd.DataFrame(X, columns=list("abcdef"))
        model = make(MDLAMRegressor).partial_fit(frame, NUMBERS)
        assert list(model.feature_names_in_) == list("abcdef")
        model.partial_fit(frame, NUMBERS)
        with pytest.raises(ValueError, match="feature names"):
            model.partial_fit(frame.rename(columns={"a": "z"}), NUMBERS)

    @pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "poisson"])
    @pytest.mark.slow
    def test_losses(self, loss):
        y = np.exp(NUMBERS)
        model = feed(make(MDLAMRegressor, loss=loss), y=y, passes=5)
        assert model.score(X, y) > 0.7

    @pytest.mark.parametrize("penalty", ["l1", "elasticnet", "nonnegative", "box", "group"])
    @pytest.mark.slow
    def test_penalties(self, penalty):
        model = feed(make(MDLAMClassifier, penalty=penalty, alpha=1.0), passes=4)
        assert model.score(X, LABELS) > 0.7
        if penalty == "nonnegative":
            assert min(W.min() for W in model.coefs_) >= 0
        if penalty == "box":
            assert max(np.abs(W).max() for W in model.coefs_) <= 1

    @pytest.mark.parametrize("batch_size", [None, pytest.param(7, marks=pytest.mark.slow), 1000])
    def test_batch_size(self, batch_size):
        assert feed(make(MDLAMClassifier, batch_size=batch_size), passes=4).score(X, LABELS) > 0.7


class TestParametersThatChange:
    """``set_params`` between two calls counts from the next chunk on."""

    @pytest.mark.slow
    def test_quantile(self):
        model = feed(make(MDLAMRegressor, loss="quantile", quantile=0.1), passes=10)
        assert (model.predict(X) > NUMBERS).mean() < 0.3
        # Not half of what was seen: nothing else renews the units.
        feed(model.set_params(quantile=0.9), chunk=400, passes=3)
        assert (model.predict(X) > NUMBERS).mean() > 0.7

    @pytest.mark.slow
    def test_unit_of_the_loss(self):
        """What was learned stays when the target gets another unit."""
        model = feed(make(MDLAMRegressor), y=1e3 * NUMBERS + 5e4, passes=10)
        before = model.predict(X)
        model.set_params(loss="absolute_error").partial_fit(X[:1], 1e3 * NUMBERS[:1] + 5e4)
        assert np.abs(model.predict(X) - before).mean() < 0.05 * before.std()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("before", "after", "columns"),
        [
            ({}, {"penalty": "nonnegative"}, 6),
            ({"penalty": "l1", "alpha": 0.0}, {"alpha": 1e-3}, 6),
            ({"penalty": "box"}, {"penalty": "l2"}, 6),
            ({}, {"penalty": "nonnegative"}, 1600),
            ({"penalty": "box"}, {"penalty": "l2"}, 1600),
        ],
    )
    def test_penalty(self, before, after, columns):
        wide = X if columns == 6 else sp.hstack([sp.csr_matrix(X), sp.csr_matrix((400, 1594))])
        wide = X if columns == 6 else wide.tocsr()
        model = feed(make(MDLAMRegressor, **before), X=wide, passes=5)
        model.set_params(**after).partial_fit(wide, NUMBERS)
        if model.penalty == "nonnegative":
            assert min(W.min() for W in model.coefs_) >= 0
        else:
            assert model.score(wide, NUMBERS) > 0.7

    @pytest.mark.parametrize("begin", ["fit", "partial_fit"])
    def test_link(self, begin):
        model = getattr(make(MDLAMRegressor), begin)(X, np.exp(NUMBERS))
        with pytest.raises(ValueError, match="out_activation_='identity', and Poisson has 'exp'"):
            model.set_params(loss="poisson").partial_fit(X, np.exp(NUMBERS))


class TestWeights:
    @both
    def test_zero_drops_a_row(self, estimator):
        y = target(estimator)
        weight = np.ones(400)
        weight[200:] = 0
        first = {"classes": range(3)} if estimator is MDLAMClassifier else {}
        weighted = make(estimator).partial_fit(X, y, sample_weight=weight, **first)
        assert_same_weights(weighted, make(estimator).partial_fit(X[:200], y[:200], **first))

    @both
    def test_only_ratios_count_without_penalties(self, estimator):
        y = target(estimator)
        first = {"classes": range(3)} if estimator is MDLAMClassifier else {}
        models = [  # copies have a say in the choice of an encoding
            make(estimator, alpha=0.0, activity_alpha=0.0, encoding=None)
            .partial_fit(X[:200], y[:200], sample_weight=np.full(200, size), **first)
            .partial_fit(X[200:], y[200:], sample_weight=np.full(200, 3 * size))
            for size in (1.0, 4.0)
        ]
        np.testing.assert_allclose(models[0].coefs_[0], models[1].coefs_[0], rtol=1e-3, atol=1e-4)

    @pytest.mark.slow
    def test_heavy_rows_are_heard(self):
        """Two answers to the same inputs: the heavier one wins."""
        rows, y = np.vstack([X, X]), np.repeat([0, 1], 400)
        order = RNG.permutation(800)
        for heavy in (0, 1):
            weight = np.where(y == heavy, 9.0, 1.0)
            model = make(MDLAMClassifier)
            for part in np.array_split(order, 8):
                model.partial_fit(rows[part], y[part], weight[part], classes=[0, 1])
            assert (model.predict(X) == heavy).mean() > 0.95

    @pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
    @pytest.mark.parametrize("few", ["rows", "weight"])
    def test_unit_of_the_target_is_that_of_most(self, loss, few):
        """A chunk of little weight does not say how large targets are, however far off it is."""
        y = np.abs(X[:, 0]) + X[:, 1]
        model = make(MDLAMRegressor, loss=loss)
        if few == "rows":
            model.partial_fit(X[:2], [1e3, -1e3])
        else:
            model.partial_fit(X, y).partial_fit(X, 1e4 * y, np.full(400, 1e-8))
        assert feed(model, y=y, chunk=400, passes=2).score(X, y) > 0.9

    @pytest.mark.slow
    def test_class_weight(self):
        """A dict, also for chunks in which its classes are missing."""
        by_class = {0: 1.0, 1: 20.0, 2: 1.0}
        model = feed(make(MDLAMClassifier, class_weight=by_class), X[:201], chunk=3)
        plain = feed(make(MDLAMClassifier), X[:201], chunk=3)
        assert (model.predict(X) == 1).mean() > (plain.predict(X) == 1).mean() + 0.1
        weighted = make(MDLAMClassifier)
        weighted.partial_fit(X, LABELS, np.array([1.0, 20.0, 1.0])[LABELS], classes=range(3))
        by_name = make(MDLAMClassifier, class_weight=by_class)
        assert_same_weights(by_name.partial_fit(X, LABELS, classes=range(3)), weighted)

    def test_class_weight_of_labels(self):
        weights = [{0: 1.0, 1: 2.0}, {1: 3.0}]
        model = make(MDLAMClassifier, class_weight=weights).partial_fit(X, INDICATOR)
        factor = np.where(INDICATOR[:, 0], 2.0, 1.0) * np.where(INDICATOR[:, 1], 3.0, 1.0)
        assert_same_weights(model, make(MDLAMClassifier).partial_fit(X, INDICATOR, factor))

    @pytest.mark.parametrize(
        ("y", "class_weight", "message"),
        [
            (LABELS, {7: 2.0}, r"names \[7\], not among the classes \[0, 1, 2\]"),
            (LABELS, [{0: 1.0}], "must be a dict for this y"),
            (INDICATOR, {1: 2.0}, "must be a list with a dict for each label"),
            (INDICATOR, [{1: 2.0}], "a dict for each of the 2 labels; got 1"),
            (INDICATOR, [{1: 2.0}, {2: 2.0}], r"names \[2\], not among the classes \[0, 1\]"),
        ],
    )
    def test_bad_class_weight(self, y, class_weight, message):
        with pytest.raises(ValueError, match=message):
            feed(make(MDLAMClassifier, class_weight=class_weight), y=y)

    def test_class_weight_and_a_target_of_another_kind(self):
        model = feed(make(MDLAMClassifier, class_weight={0: 2.0}))
        with pytest.raises(ValueError, match="must be class labels"):
            model.partial_fit(X, INDICATOR)


class TestRefuses:
    @both
    @pytest.mark.parametrize("solver", ["relaxed", Relaxed()])
    def test_relaxed(self, estimator, solver):
        model = make(estimator, solver=solver)
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError) as caught:
            model.partial_fit(X, target(estimator))
        assert "use solver='feasible'" in str(caught.value.__cause__)

    @pytest.mark.parametrize(
        ("parameters", "arguments", "message"),
        [
            ({}, {}, "classes must be passed on the first call"),
            ({}, {"classes": [0, 1]}, r"the classes \[2\] are not among"),
            ({"early_stopping": True}, {"classes": range(3)}, "early_stopping=True"),
            ({"class_weight": "balanced"}, {"classes": range(3)}, "class_weight='balanced'"),
            ({"alpha": -1.0}, {"classes": range(3)}, "'alpha' parameter"),
            ({}, {"classes": range(3), "sample_weight": -np.ones(400)}, "must not be negative"),
            ({}, {"classes": range(3), "sample_weight": np.ones(3)}, "sample_weight"),
        ],
    )
    def test_first_call(self, parameters, arguments, message):
        model = make(MDLAMClassifier, **parameters)
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, LABELS, **arguments)
        assert not hasattr(model, "coefs_")

    @pytest.mark.parametrize(
        ("X", "y", "parameters", "arguments", "message"),
        [
            (X[:, :5], LABELS, {}, {}, "features"),
            (X, LABELS + 1, {}, {}, r"the classes \[3\] are not among"),
            (X, INDICATOR, {}, {}, "must be class labels"),
            (X, LABELS, {}, {"classes": [0, 1]}, "not the same as on the first call"),
            (X, LABELS, {"hidden_layer_sizes": (7,)}, {}, r"hidden_layer_sizes=\(7,\)"),
            (X * 1e200, LABELS, {}, {}, "Scale it"),
        ],
    )
    def test_later_calls(self, X, y, parameters, arguments, message):
        model = feed(make(MDLAMClassifier))
        before = pickle.dumps(model)
        model.set_params(**parameters)
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, y, **arguments)
        model.set_params(hidden_layer_sizes=(20,))
        assert pickle.dumps(model) == before

    def test_labels(self):
        with pytest.raises(ValueError, match="names 3 labels; y has 2 columns"):
            make(MDLAMClassifier).partial_fit(X, INDICATOR, classes=range(3))

    def test_outputs(self):
        model = feed(make(MDLAMRegressor), y=SEVERAL)
        with pytest.raises(ValueError, match="y has 1 outputs"):
            model.partial_fit(X, NUMBERS)


def test_a_stream_may_change_its_precision():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = X[:, 0] - X[:, 1]
    scores = []
    for second in (True, False):
        model = MDLAMRegressor(hidden_layer_sizes=(10,), random_state=0)
        for chunk in range(4):
            model.set_params(solver=Feasible(single_precision=chunk < 2 or second))
            rows = slice(100 * chunk, 100 * chunk + 100)
            model.partial_fit(X[rows], y[rows])
        scores.append(model.score(X, y))
    assert scores[1] == pytest.approx(scores[0], abs=0.01) and scores[0] > 0.9


@pytest.mark.parametrize("begin", ["new", "fit", "stored"])
def test_the_generator_of_a_stream_is_its_own(begin):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    mine = np.random.RandomState(0)
    model = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=mine)
    if begin != "new":
        model.fit(X, y)
    if begin == "stored":  # by a version that did not keep what it had seen
        del model._stream
    model.partial_fit(X, y)
    kept = np.random.RandomState(model._stream["rng"]["seed"]).get_state(legacy=False)["state"]
    state = mine.get_state(legacy=False)["state"]
    assert not (np.array_equal(kept["key"], state["key"]) and kept["pos"] == state["pos"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"cell": 3e2},
        pytest.param({"cell": -7e5}, marks=pytest.mark.slow),
        pytest.param({"row": 4e7}, marks=pytest.mark.slow),
        {"target": 2e5},
    ],
)
@pytest.mark.parametrize("at", [0, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_one_wrong_chunk_is_a_dent_at_most(wrong, at):
    """Few chunks later and at the end the stream is where it would have been without it."""
    rng = np.random.default_rng(5)
    X = rng.uniform(size=(1400, 5))
    y = np.sin(4 * X[:, 0]) + 2 * X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(1400)
    scores = []
    for dirty in (False, True):
        model, found = MDLAMRegressor(random_state=0), []
        for chunk in range(22):
            A, b = X[50 * chunk : 50 * chunk + 50].copy(), y[50 * chunk : 50 * chunk + 50].copy()
            if dirty and chunk == at:
                A[4, 1] = wrong.get("cell", A[4, 1])
                A[4] = wrong.get("row", A[4])
                b[4] = wrong.get("target", b[4])
            model.partial_fit(A, b)
            found.append(model.score(X[1100:], y[1100:]))
        scores.append(found)
    clean, found = np.array(scores)
    assert clean[-1] > 0.9
    assert found[at + 4] > clean[at + 4] - 0.03
    assert found[-1] > clean[-1] - 0.01
