"""Levels and gaps in whole fits: what each means, in every form, loss and solver."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import OneHotEncoder

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder
from skmdlam.engine.feasible import Feasible

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, TRAIN = 900, slice(0, 700)
TEST = slice(700, N)
RNG = np.random.default_rng(0)
SHOP = RNG.integers(0, 60, N)
TOWN = RNG.integers(0, 4, N)
X = RNG.normal(size=(N, 2))
EFFECT = RNG.normal(size=60)
NOISE = 0.3
SIGNAL = EFFECT[SHOP] + np.sin(2.0 * X[:, 0]) + 0.5 * (TOWN == 2)
Y = SIGNAL + NOISE * RNG.normal(size=N)
LABELS = np.array(["low", "middle", "top"])[np.digitize(Y, [-0.6, 0.8])]
FRAME = pd.DataFrame(X, columns=["a", "b"]).assign(
    shop=[f"shop {code * 37 % 60:02d}" for code in SHOP],
    town=np.array(["Graz", "Linz", "Wels", "Enns"])[TOWN],
)
BY_HAND = np.hstack([X, np.eye(4)[TOWN], np.eye(60)[SHOP]])
# Numbers of which one has gaps that tell something and one has gaps by chance.
GAPPY = np.where(RNG.random((N, 2)) < [0.15, 0.1], np.nan, X)
MISSING = np.isnan(GAPPY)
Y_GAPPY = np.where(MISSING[:, 0], 2.0, np.sin(2.0 * X[:, 0])) + X[:, 1] + 0.2 * RNG.normal(size=N)


# The choice of an encoding takes half of the time of so small a fit: it is one of the ways.
USUAL = {
    "hidden_layer_sizes": (20,),
    "max_iter": 30,
    "random_state": 0,
    "encoding": PiecewiseLinearEncoder(8),
}


def make(estimator=MDLAMRegressor, **parameters):
    return estimator(**USUAL | parameters)


def rows_of(data, rows):
    return data.iloc[rows] if isinstance(data, pd.DataFrame) else data[rows]


def fitted(data=FRAME, y=Y, estimator=MDLAMRegressor, weight=None, **parameters):
    weight = None if weight is None else weight[TRAIN]
    if sp.issparse(data):  # which has no curves
        parameters = {"encoding": "auto"} | parameters
    return make(estimator, **parameters).fit(rows_of(data, TRAIN), y[TRAIN], weight)


@functools.cache
def usual(data="frame"):
    """A model of the usual samples, as a frame or with columns by hand; nobody changes it."""
    return fitted({"frame": FRAME, "hand": BY_HAND}[data])


def score(model, data=FRAME, y=Y):
    return model.score(rows_of(data, TEST), y[TEST])


def assert_sound(model, data=FRAME):
    """Finite weights, as many rows as there are inputs, finite predictions."""
    assert all(np.isfinite(W).all() for W in [*model.coefs_, *model.intercepts_])
    ask = getattr(model, "predict_proba", model.predict)
    assert np.isfinite(ask(data)).all()


class TestManyLevels:
    def test_as_good_as_it_gets(self):
        """Near the best that there is, in either form."""
        best = 1.0 - NOISE**2 / Y[TEST].var()
        found, by_hand = score(fitted(encoding="auto")), score(usual("hand"), BY_HAND)
        assert min(found, by_hand) > best - 0.06
        assert abs(found - by_hand) < 0.02

    @pytest.mark.slow
    def test_above_rivals(self):
        """And above what one-hot columns give, of more samples and levels."""
        rng = np.random.default_rng(1)
        n, train, test = 1400, slice(0, 1000), slice(1000, 1400)
        shop, x = rng.integers(0, 100, n), rng.normal(size=(n, 3))
        y = rng.normal(size=100)[shop] + np.sin(2.0 * x[:, 0]) + x[:, 1] + 0.3 * rng.normal(size=n)
        frame = pd.DataFrame(x, columns=list("abc")).assign(shop=[f"nr. {s}" for s in shop])
        hand = OneHotEncoder(sparse_output=False).fit_transform(frame[["shop"]])
        hand = np.hstack([x, hand])
        found = {}
        for name, data in {"frame": frame, "array": hand, "sparse": sp.csr_array(hand)}.items():
            model = MDLAMRegressor(random_state=0).fit(rows_of(data, train), y[train])
            found[name] = model.score(rows_of(data, test), y[test])
        best = 1.0 - 0.09 / y[test].var()
        assert min(found.values()) > best - 0.03
        assert max(found.values()) - min(found.values()) < 0.01
        plain = MDLAMRegressor(random_state=0, encoding=None).fit(hand[train], y[train])
        rival = MLPRegressor(random_state=0, max_iter=100).fit(hand[train], y[train])
        assert min(found.values()) > plain.score(hand[test], y[test])
        assert min(found.values()) > rival.score(hand[test], y[test]) + 0.02

    def test_random_slopes(self):
        rng = np.random.default_rng(2)
        slope = 1.5 * rng.normal(size=60)
        y = slope[SHOP] * X[:, 1] + 0.5 * EFFECT[SHOP] + 0.2 * rng.normal(size=N)
        model = fitted(y=y)
        assert model._inputs.scores.size == 2
        assert score(model, y=y) > 0.9
        assert score(fitted(FRAME.drop(columns="shop"), y), FRAME.drop(columns="shop"), y) < 0.3

    @pytest.mark.parametrize("estimator", [MDLAMRegressor, MDLAMClassifier])
    @pytest.mark.slow
    def test_useless_levels_do_not_hurt(self, estimator):
        rng = np.random.default_rng(3)
        numbers = FRAME[["a", "b"]]
        y = np.sin(2.0 * X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=N)
        y = y if estimator is MDLAMRegressor else (y > 0).astype(int)
        without = score(fitted(numbers, y, estimator), numbers, y)
        data = numbers.assign(u=[f"u{code}" for code in rng.integers(0, 300, N)])
        assert score(fitted(data, y, estimator), data, y) > without - 0.015
        hand = np.hstack([X, np.eye(30)[rng.integers(0, 30, N)]])
        assert score(fitted(hand, y, estimator), hand, y) > without - 0.015

    @pytest.mark.parametrize("of", ["frame", "array", "csr", "csc"])
    @pytest.mark.slow
    def test_nothing_but_useless_levels(self, of):
        """There is at least one input."""
        rng = np.random.default_rng(4)
        codes = rng.integers(0, 50, N)
        data = {
            "frame": pd.DataFrame({"u": [f"u{code}" for code in codes]}),
            "array": np.eye(50)[codes],
            "csr": sp.csr_array(np.eye(50)[codes]),
            "csc": sp.csc_array(np.eye(50)[codes]),
        }[of]
        for parameters in ({}, {"solver": "relaxed"}, {"hidden_layer_sizes": ()}):
            model = fitted(data, rng.normal(size=N), **parameters)
            assert_sound(model, data)
            assert model.coefs_[0].shape[0] >= 1
            if parameters != {"solver": "relaxed"}:  # which has no scores by hand
                assert np.std(model.predict(data)) < 0.25

    @pytest.mark.slow
    def test_nothing_but_levels(self):
        for data in (FRAME[["shop"]], np.eye(60)[SHOP], sp.csc_array(np.eye(60)[SHOP])):
            model = fitted(data, EFFECT[SHOP] + 0.1 * RNG.normal(size=N))
            assert score(model, data, EFFECT[SHOP]) > 0.95

    def test_every_level_once(self):
        data = FRAME.assign(id=[f"id {i}" for i in range(N)])
        assert score(fitted(data), data) > score(usual()) - 0.01

    def test_an_unknown_level_is_one_without_an_effect(self):
        model = usual()
        new = FRAME.iloc[TEST].assign(shop="of nobody")
        gap = FRAME.iloc[TEST].assign(shop=None)
        np.testing.assert_array_equal(model.predict(new), model.predict(gap))
        known = {s: model.predict(FRAME.iloc[TEST].assign(shop=s)) for s in FRAME["shop"].unique()}
        around = np.mean(list(known.values()), axis=0)
        assert np.abs(model.predict(new) - around).mean() < 0.15
        towns = FRAME.iloc[TEST].assign(town="Rome")
        encoded = model._inputs(np.column_stack([X[:1], [[3.0, np.nan]]]))[:]
        assert (encoded[0, model._inputs.pieces.is_level] == 0.0).all()
        assert np.isfinite(model.predict(towns)).all()

    def test_zeros_by_hand_are_an_unknown_level(self):
        model, by_name = usual("hand"), usual()
        new = BY_HAND[TEST].copy()
        new[:, 6:] = 0.0
        expected = by_name.predict(FRAME.iloc[TEST].assign(shop="of nobody"))
        assert np.corrcoef(model.predict(new), expected)[0, 1] > 0.99
        assert np.abs(model.predict(new) - expected).mean() < 0.1

    def test_dropped_first_level_is_one(self):
        """The one that a row without a one has."""
        level = int(np.argmax(np.abs(EFFECT)))
        drop = np.delete(BY_HAND, 6 + level, axis=1)
        model = fitted(drop)
        assert score(model, drop) > score(usual("hand"), BY_HAND) - 0.01
        of_level = level == SHOP
        assert of_level[TEST].any()
        left = (Y - model.predict(drop))[TEST][of_level[TEST]]
        assert np.abs(left.mean()) < 0.5 * np.abs(EFFECT[level])

    @pytest.mark.parametrize("hidden", [(), (30,)])
    def test_names_of_levels_do_not_matter(self, hidden):
        """Up to the weights that columns of the few levels begin with."""
        rng = np.random.default_rng(5)
        options = {"hidden_layer_sizes": hidden, "max_iter": 15 if hidden else 100}
        model = fitted(**options)
        names = FRAME["shop"].unique()
        other = dict(zip(names, rng.permutation(names), strict=True))
        renamed = FRAME.assign(shop=FRAME["shop"].map(other))
        again = fitted(renamed, **options)
        np.testing.assert_allclose(again.predict(renamed), model.predict(FRAME), rtol=0, atol=1e-6)
        towns = {"Graz": "D", "Linz": "B", "Wels": "C", "Enns": "A"}
        renamed = FRAME.assign(town=FRAME["town"].map(towns))
        again = fitted(renamed, **options)
        atol = 0.1 if hidden else 1e-6
        difference = again.predict(renamed) - model.predict(FRAME)
        assert np.sqrt(np.mean(np.square(difference))) < atol

    def test_order_of_rows(self):
        """Nearly none: folds are drawn."""
        order = np.random.default_rng(6).permutation(700)
        data = FRAME.iloc[TRAIN]
        model = make().fit(data.iloc[order], Y[TRAIN][order])
        assert abs(score(model) - score(usual())) < 0.01


@functools.cache
def without_levels(estimator=MDLAMRegressor, solver="feasible"):
    """What is to be had without the names of the shops."""
    data, y = FRAME.drop(columns="shop"), Y if estimator is MDLAMRegressor else LABELS
    return score(fitted(data, y, estimator, solver=solver), data, y)


OPTIONS = {
    "auto": {"encoding": "auto"},
    "plain": {"encoding": None},
    "curves": {"encoding": "piecewise"},
    "wide curves": {"encoding": PiecewiseLinearEncoder(4, include_input=True)},
    "no clipping": {"clip": False},
    "relaxed": {"solver": "relaxed"},
    "l1": {"penalty": "l1"},
    "no penalty": {"penalty": None},
    "nonnegative": {"penalty": "nonnegative"},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": (15, 10)},
    "early": {"early_stopping": True},
    "mini-batches": {"batch_size": 70},
    "tanh": {"activation": "tanh"},
    "huber": {"loss": "huber"},
    "absolute": {"loss": "absolute_error"},
    "quantile": {"loss": "quantile"},
}


class TestWhatScoresMustNotKnow:
    """Targets that reach the scores of their own samples by a side door."""

    def test_an_identifier_alone(self):
        """Means of the other folds say what the targets of a fold are, and levels nothing."""
        rng = np.random.default_rng(21)
        frame = pd.DataFrame({"id": [f"q{i}" for i in range(500)]})
        y = rng.normal(size=500)
        assert make().fit(frame, y).score(frame, y) > -0.05
        labels = y > 0
        share = max(labels.mean(), 1 - labels.mean())
        assert make(MDLAMClassifier).fit(frame, labels).score(frame, labels) > share - 0.05

    @pytest.mark.slow
    def test_effects_that_a_network_has_learned_by_heart(self):
        """Levels without effects beside a function that a network overfits: as if they were not."""
        rng = np.random.default_rng(3)
        n, train = 4000, slice(0, 2000)
        x = rng.normal(size=(n, 5))
        y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] + 0.4 * rng.normal(size=n)
        numbers = pd.DataFrame(x, columns=list("pqrst"))
        more = {
            f"c{k}": [f"v{i}" for i in rng.integers(k, size=n)] for k in (50, 100, 200, 300, 1000)
        }
        plain = fit_and_score(numbers, y, train)
        assert fit_and_score(numbers.assign(**more), y, train) > plain - 0.006


def fit_and_score(frame, y, train):
    model = MDLAMRegressor(random_state=0).fit(frame[train], y[train])
    return model.score(frame[train.stop :], y[train.stop :])


class TestScoresOfSeveral:
    def test_targets_in_other_units(self):
        """Each counts as it does in the fit of a network: scores of none get lost."""
        both = np.column_stack([Y, 2e4 * EFFECT[SHOP], -Y])
        model = make().fit(FRAME[TRAIN], both[TRAIN])
        small = 1 - np.mean((model.predict(FRAME[TEST]) - both[TEST]) ** 2, axis=0) / np.var(
            both[TEST], axis=0
        )
        alone = score(fitted())
        assert small[0] > alone - 0.03
        assert small[1] > 0.95

    def test_far_targets_of_a_bounded_loss(self):
        """The best constant is not where they pull the mean."""
        y = Y.copy()
        y[:3] = [2e6, -1e6, 3e5]
        model = fitted(y=y, loss="huber")
        assert score(model) > score(fitted(loss="huber")) - 0.03

    @pytest.mark.filterwarnings("error")
    def test_a_constant_target(self):
        """There is nothing for levels to say: the fit is that without the category."""
        y, others = np.full(N, 3.0), FRAME.drop(columns="shop")
        found = fitted(y=y).predict(FRAME)
        np.testing.assert_allclose(found, 3.0, atol=0.1)
        np.testing.assert_allclose(found, fitted(others, y=y).predict(others), rtol=1e-10)


class TestEveryWay:
    @pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
    @pytest.mark.slow
    def test_regression(self, options):
        model = fitted(**options)
        assert_sound(model)
        assert score(model) > without_levels() + 0.3

    @pytest.mark.parametrize(
        "options",
        [OPTIONS[name] for name in ("plain", "relaxed", "linear", "early", "mini-batches", "l1")],
        ids=str,
    )
    @pytest.mark.slow
    def test_three_classes(self, options):
        model = fitted(y=LABELS, estimator=MDLAMClassifier, **options)
        assert_sound(model)
        without = without_levels(MDLAMClassifier, options.get("solver", "feasible"))
        assert score(model, y=LABELS) > without + 0.075

    def test_two_labels_at_once(self):
        several = np.column_stack([Y > 0, X[:, 1] > 0, EFFECT[SHOP] > 1]).astype(int)
        model = fitted(y=several, estimator=MDLAMClassifier)
        assert_sound(model)
        assert model.score(FRAME.iloc[TEST], several[TEST]) > 0.7

    @pytest.mark.parametrize("n_outputs", [2, 9])
    def test_several_targets(self, n_outputs):
        rng = np.random.default_rng(7)
        mix = rng.normal(size=(2, n_outputs))
        targets = np.column_stack([SIGNAL, 10.0 * np.cos(3.0 * EFFECT[SHOP])]) @ mix
        targets += 0.1 * targets.std(axis=0) * rng.normal(size=(N, n_outputs))
        model = fitted(y=targets)
        assert_sound(model)
        assert score(model, y=targets) > 0.9

    def test_poisson(self):
        counts = np.random.default_rng(8).poisson(np.exp(0.8 * SIGNAL)).astype(float)
        model, mean = fitted(y=counts, loss="poisson"), np.exp(0.8 * SIGNAL)
        assert_sound(model)
        assert np.corrcoef(model.predict(FRAME.iloc[TEST]), mean[TEST])[0, 1] > 0.9
        data = FRAME.drop(columns="shop")
        without = fitted(data, counts, loss="poisson").predict(data.iloc[TEST])
        assert np.corrcoef(without, mean[TEST])[0, 1] < 0.7

    @pytest.mark.parametrize("loss", ["huber", "absolute_error"])
    def test_far_targets(self, loss):
        """They do not spoil the scores of a loss that bounds them."""
        rng = np.random.default_rng(9)
        model = fitted(y=Y + 0.3 * rng.standard_cauchy(N), loss=loss)
        assert score(model, y=SIGNAL) > 0.75

    def test_single_precision(self):
        data = FRAME.astype({"a": np.float32, "b": np.float32})
        model = fitted(data)
        assert model.coefs_[0].dtype == np.float32
        assert score(model, data) == pytest.approx(score(usual()), abs=0.01)

    @pytest.mark.slow
    def test_weights(self):
        """A sample of no weight is none, and a wrong half of little weight does no harm."""
        rng = np.random.default_rng(10)
        wrong = rng.random(N) < 0.4
        y = np.where(wrong, rng.permutation(Y), Y)
        model = fitted(y=y, weight=np.where(wrong, 0.0, 1.0), max_iter=5)
        part = np.flatnonzero(~wrong[TRAIN])
        clean = make(max_iter=5).fit(FRAME.iloc[part], Y[part])
        np.testing.assert_allclose(model.predict(FRAME), clean.predict(FRAME), rtol=0, atol=1e-8)
        little = fitted(y=y, weight=np.where(wrong, 0.01, 2.0))
        assert score(little) > score(fitted(y=y)) + 0.1

    def test_warm_start(self):
        model = make(warm_start=True, max_iter=20).fit(FRAME[:350], Y[:350])
        before, inputs = score(model), model._inputs
        model.fit(FRAME.iloc[TRAIN], Y[TRAIN])
        assert model._inputs is inputs and score(model) > before - 0.01

    def test_validation_samples_are_apart(self):
        """Scores of levels know nothing of them."""
        model, other = make(early_stopping=True, max_iter=4), Y.copy()
        other[TEST] = -other[TEST]
        tables = []
        for y in (Y, other):
            model.fit(FRAME.iloc[TRAIN], Y[TRAIN], X_val=FRAME.iloc[TEST], y_val=y[TEST])
            tables.append(model._inputs.scores.tables)
        for one, two in zip(*tables, strict=True):
            np.testing.assert_array_equal(one, two)

    def test_same_again_and_pickled(self):
        one, other = usual(), fitted()
        np.testing.assert_array_equal(one.predict(FRAME), other.predict(FRAME))
        stored = pickle.loads(pickle.dumps(one))
        np.testing.assert_array_equal(one.predict(FRAME), stored.predict(FRAME))
        assert repr(clone(one)) == repr(one)

    def test_one_row_at_a_time(self):
        model = usual()
        whole = model.predict(FRAME[:20])
        single = np.concatenate([model.predict(FRAME[i : i + 1]) for i in range(20)])
        np.testing.assert_allclose(single, whole, rtol=1e-12)


class TestGaps:
    @pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
    @pytest.mark.slow
    def test_that_tell_something(self, options):
        model = fitted(GAPPY, Y_GAPPY, **options)
        assert_sound(model, GAPPY)
        # One gap stands for 2, lines alone miss the curve.
        away = MISSING[TEST, 0] & ~MISSING[TEST, 1]
        error = (model.predict(GAPPY[TEST]) - 2.0 - X[TEST, 1])[away]
        limit = 0.8 if options.get("penalty") == "nonnegative" else 0.5
        assert np.abs(error).mean() < limit

    def test_better_than_the_mean(self):
        filled = np.where(MISSING, np.nanmean(GAPPY[TRAIN], axis=0), GAPPY)
        found, mean = (
            score(fitted(data, Y_GAPPY, encoding="auto"), data, Y_GAPPY) for data in (GAPPY, filled)
        )
        assert found > mean + 0.02

    @pytest.mark.parametrize("clip", [True, False])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("solver", ["feasible", "relaxed"])
    def test_new_ones_are_the_mean_of_plain_columns(self, solver, dtype, clip):
        data = X.astype(dtype) + 3
        model = fitted(data, encoding=None, solver=solver, clip=clip)
        new, expected = data[TEST].copy(), data[TEST].copy()
        new[::3, 1], expected[::3, 1] = np.nan, data[TRAIN, 1].mean()
        np.testing.assert_allclose(model.predict(new), model.predict(expected), rtol=0, atol=1e-5)
        assert np.isnan(new[0, 1])  # it is not changed

    @pytest.mark.parametrize("clip", [True, False])
    def test_new_ones_are_the_median_of_curves(self, clip):
        data = np.exp(X[:, [0, 1]])
        model = fitted(data, encoding=PiecewiseLinearEncoder(8), clip=clip)
        new, expected = data[TEST].copy(), data[TEST].copy()
        new[::3, 1] = np.nan
        expected[::3, 1] = np.median(data[TRAIN, 1])
        np.testing.assert_allclose(model.predict(new), model.predict(expected), rtol=0, atol=0.01)
        mean = np.where(np.isnan(new), data[TRAIN].mean(axis=0), new)
        assert np.abs(model.predict(mean) - model.predict(new)).max() > 0.02

    def test_new_ones_beside_levels(self):
        """Columns that are plain numbers, beside scores of a frame and of levels by hand."""
        for data in (FRAME, BY_HAND):
            model = fitted(data, encoding=None) if data is FRAME else fitted(data)
            new, expected = rows_of(data, TEST).copy(), rows_of(data, TEST).copy()
            if data is FRAME:
                new["b"], expected["b"] = np.nan, X[TRAIN, 1].mean()
            elif model.encoder_ is None:
                new[:, 1], expected[:, 1] = np.nan, X[TRAIN, 1].mean()
            else:
                new[:, 1], expected[:, 1] = np.nan, np.median(X[TRAIN, 1])
            atol = 1e-8 if model.encoder_ is None else 0.02
            np.testing.assert_allclose(
                model.predict(new), model.predict(expected), rtol=0, atol=atol
            )
        new = BY_HAND[TEST].copy()
        new[0, 20] = np.nan
        assert np.isfinite(model.predict(new)).all()

    @pytest.mark.filterwarnings("error::RuntimeWarning")
    @pytest.mark.parametrize(
        "options",
        [{}, *(OPTIONS[name] for name in ("auto", "plain", "wide curves", "relaxed"))],
        ids=str,
    )
    @pytest.mark.slow
    def test_a_column_of_nothing_else(self, options):
        for data in (
            np.column_stack([GAPPY, np.full(N, np.nan)]),
            FRAME.assign(nothing=np.nan, none=pd.Series([None] * N, dtype="category")),
        ):
            y = Y if isinstance(data, pd.DataFrame) else Y_GAPPY
            model = fitted(data, y, **options)
            assert_sound(model, data)
            assert score(model, data, y) > 0.6
        alone = np.full((N, 1), np.nan)
        model = fitted(alone, **options)
        np.testing.assert_allclose(model.predict(alone[:5]), Y[TRAIN].mean(), rtol=0, atol=0.05)

    def test_in_a_category_they_are_a_level(self):
        gone = (TOWN == 2) & (RNG.random(N) < 0.9)
        data = FRAME.assign(town=FRAME["town"].where(~gone))
        model = fitted(data)
        assert model.categories_[1].tolist()[:4] == ["Enns", "Graz", "Linz", "Wels"]
        assert np.isnan(model.categories_[1][4])
        assert score(model, data) > score(usual()) - 0.02

    def test_single_precision(self):
        model = fitted(GAPPY.astype(np.float32), Y_GAPPY)
        assert model.coefs_[0].dtype == np.float32
        expected = score(fitted(GAPPY, Y_GAPPY), GAPPY, Y_GAPPY)
        found = score(model, GAPPY.astype(np.float32), Y_GAPPY)
        assert found == pytest.approx(expected, abs=0.01)

    def test_in_validation_samples_alone(self):
        model = make(early_stopping=True, max_iter=20)
        model.fit(X[TRAIN], Y[TRAIN], X_val=GAPPY[TEST], y_val=Y[TEST])
        np.testing.assert_allclose(max(model.validation_scores_), model.score(GAPPY[TEST], Y[TEST]))

    @pytest.mark.parametrize("of", ["y", "weight"])
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_elsewhere_are_errors(self, of, method):
        y, weight = Y.copy(), np.ones(N)
        (y if of == "y" else weight)[3] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            getattr(make(), method)(GAPPY, y, weight)
        bad = sp.csr_array(np.where(MISSING, np.nan, X))
        with pytest.raises(ValueError, match="NaN"):
            make().fit(bad, Y)


def stream(data, y, size, rows=slice(0, 700), estimator=MDLAMRegressor, **parameters):
    model = make(estimator, **parameters)
    first = {"classes": np.unique(y)} if estimator is MDLAMClassifier else {}
    for start in range(rows.start, rows.stop, size):
        part = slice(start, min(start + size, rows.stop))
        model.partial_fit(rows_of(data, part), y[part], **first)
        first = {}
        assert_sound(model, data)
    return model


ENCODINGS = {
    "auto": "auto",
    "plain": None,
    "piecewise": "piecewise",
    "wide": PiecewiseLinearEncoder(4, include_input=True),
}
every_encoding = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
# Without those that are much like the others: curves are what "auto" takes of these samples too.
two_encodings = pytest.mark.parametrize(
    "encoding",
    [
        pytest.param(encoding, marks=[pytest.mark.slow] * (name in ("piecewise", "wide")), id=name)
        for name, encoding in ENCODINGS.items()
    ],
)


class TestStreams:
    @two_encodings
    @pytest.mark.parametrize("size", [30, 120])
    @pytest.mark.slow
    def test_levels_that_come_one_by_one(self, encoding, size):
        model = stream(FRAME, Y, size, encoding=encoding)
        assert score(model) > 0.5
        assert len(model._inputs.pieces.kinds.levels[2]) == 60

    @every_encoding
    @pytest.mark.slow
    def test_gaps_that_come_later(self, encoding):
        data = np.where(np.arange(N)[:, None] < 150, X, GAPPY)
        y = np.where(MISSING[:, 0] & (np.arange(N) >= 150), 2.0, X[:, 0]) + X[:, 1]
        for dtype in (np.float64, np.float32):
            data = data.astype(dtype)
            model = stream(data, y, 50, encoding=encoding)
            assert model.coefs_[0].dtype == dtype
            assert score(model, data, y) > 0.5
        if encoding is not None:
            assert model._inputs.pieces.kinds.gaps.all()

    @every_encoding
    def test_a_column_that_begins_with_gaps(self, encoding):
        data = np.column_stack([np.where(np.arange(N) < 250, np.nan, X[:, 0]), X[:, 1]])
        model = stream(data, X[:, 0] * (np.arange(N) >= 250) + X[:, 1], 50, encoding=encoding)
        assert score(model, data, X.sum(axis=1)) > 0.5

    def test_classes(self):
        model = stream(FRAME, LABELS, 60, estimator=MDLAMClassifier)
        assert score(model, y=LABELS) > 0.55

    def test_declared_levels_that_nobody_has(self):
        """They are unknown levels, not the last one that was there."""
        kind = pd.CategoricalDtype([*sorted(FRAME["town"].unique()), "Rome", "Oslo"])
        data = FRAME.astype({"town": kind})
        model = stream(data, Y, 100, rows=slice(0, 300))
        rome, unknown = (FRAME[:9].assign(town=name) for name in ("Rome", "of nobody"))
        np.testing.assert_array_equal(
            model.predict(rome.astype({"town": kind})), model.predict(unknown)
        )

    @two_encodings
    @pytest.mark.parametrize("by_hand", [False, True])
    @pytest.mark.slow
    def test_after_a_fit(self, encoding, by_hand):
        """Few samples of few levels take nothing away from the others."""
        data = BY_HAND if by_hand else FRAME
        model = make(encoding=encoding).fit(rows_of(data, slice(0, 500)), Y[:500])
        before = score(model, data)
        few = np.flatnonzero((SHOP < 3) & (np.arange(N) < 700))
        part = data.iloc[few] if data is FRAME else data[few]
        for _ in range(3):
            model.partial_fit(part, Y[few])
            assert_sound(model, data)
        assert score(model, data) > before - 0.03
        low, high = (BY_HAND[:500] if by_hand else X[:500]).min(axis=0), X[:500].max(axis=0)
        assert (model.data_min_[:2] <= low[:2]).all() and (model.data_max_[:2] >= high).all()

    def test_new_levels_and_gaps_after_a_fit(self):
        model = make().fit(FRAME[:500], Y[:500])
        before = score(model)
        new = FRAME[500:600].assign(shop="new", town="Rome", a=np.nan)
        model.partial_fit(new, Y[500:600])
        assert_sound(model, new)
        assert model.categories_[0][-1] == "new" and model.categories_[1][-1] == "Rome"
        assert score(model) > before - 0.2

    def test_sparse_after_a_fit(self):
        hand = sp.csr_array(BY_HAND)
        model = make(encoding="auto").fit(hand[:500], Y[:500])
        before = score(model, BY_HAND)
        if model.encoder_ is None:
            model.partial_fit(hand[500:700], Y[500:700])
        model.partial_fit(BY_HAND[500:700], Y[500:700])
        assert score(model, BY_HAND) > before - 0.02


class TestFailures:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
    @pytest.mark.parametrize(("turn", "known"), [(1, False), (1, True), (2, False), (3, True)])
    def test_on_the_way_to_the_scores(self, error, turn, known, monkeypatch):
        """Whatever network it happens in: the estimator is as it was."""
        model = make(max_iter=3)
        if known:
            model.fit(GAPPY, Y_GAPPY)
        before, calls = dict(vars(model)), []
        start = type(model)._fitted

        def fails(self, network, problem):
            calls.append(1)
            if len(calls) == turn:
                raise error
            return start(self, network, problem)

        monkeypatch.setattr(type(model), "_fitted", fails)
        data = FRAME.assign(number=SHOP)  # whose values have effects: a third network
        with pytest.raises(error):
            model.fit(data, Y)
        assert vars(model) == before

    def test_an_interrupt_inside_of_such_a_network(self, monkeypatch):
        """It ends all, not only this network."""
        model, calls = make(), []
        start = Feasible.start

        def interrupted(*args, **options):
            run = start(*args, **options)

            class Interrupted:
                def __getattr__(self, name):
                    return getattr(run, name)

                def __iter__(self):
                    return self

                def __next__(self):
                    calls.append(1)
                    raise KeyboardInterrupt

            return Interrupted()

        monkeypatch.setattr(Feasible, "start", interrupted)
        monkeypatch.setattr("skmdlam._base.as_run", lambda run: run)
        with pytest.raises(KeyboardInterrupt):
            model.fit(FRAME, Y)
        assert len(calls) == 1 and not hasattr(model, "coefs_")

    def test_in_a_stream(self, monkeypatch):
        model = stream(FRAME, Y, 90, rows=slice(0, 180))
        before, expected = dict(vars(model)), model.predict(FRAME)

        def fails(*_, **__):
            raise FloatingPointError

        monkeypatch.setattr("skmdlam.engine.feasible.Feasible.stream", fails)
        with pytest.raises(FloatingPointError):
            model.partial_fit(FRAME[180:300].assign(town="Rome", a=np.nan), Y[180:300])
        assert vars(model) == before
        np.testing.assert_array_equal(model.predict(FRAME), expected)
