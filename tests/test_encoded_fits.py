"""Estimators whose columns are encoded: the same fit as behind the transformer, and its choice."""

import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state, compute_sample_weight

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder
from skmdlam import _encoding as encoding_module
from skmdlam.activations import ReLU
from skmdlam.engine.constants import CONSTANTS, LIMITS
from skmdlam.engine.inputs.dense import DenseInput, DenseOnDemand
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.scaled import ScaledOnDemand
from skmdlam.engine.loop.run import as_run, minimize
from skmdlam.engine.problem import Problem
from skmdlam.losses import SquaredError
from skmdlam.penalties import L2

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4)) * [1.0, 5.0, 0.1, 1.0] + [0.0, 100.0, 1.0, 0.0]
X[:, 3] = X[:, 3] > 0.3
STEPS = np.floor(2.0 * X[:, 0]) % 3 + np.sign(np.sin(X[:, 1])) + X[:, 3]
NUMBERS = STEPS + 0.1 * RNG.normal(size=240)
LABELS = np.digitize(NUMBERS, [0.5, 1.5])
COUNTS = RNG.poisson(np.exp(0.5 * STEPS)).astype(float)
WEIGHT = RNG.integers(0, 4, 240).astype(float)
NEW = RNG.normal(size=(50, 4)) * [2.0, 9.0, 0.2, 1.0] + [0.0, 100.0, 1.0, 0.0]
TRAIN, TEST = slice(180), slice(180, None)


def make(estimator=MDLAMRegressor, **parameters):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 6, "batch_size": 30, "random_state": 0}
    return estimator(**{**defaults, **parameters})


def smooth(n=300):
    """In directions that mix the columns."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(n, 5))
    h = inputs @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    return inputs, np.sin(h[:, 0]) + 0.5 * h[:, 1] * h[:, 2]


def assert_same_weights(one, other, **tolerance):
    for W, V in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(W, V, **{"rtol": 0, "atol": 0, **tolerance})


def says(model, inputs):
    return model.predict_proba(inputs) if hasattr(model, "predict_proba") else model.predict(inputs)


class TestPlain:
    @pytest.mark.parametrize("batch_size", [30, None])
    def test_none_is_the_engine_on_the_columns(self, batch_size):
        """Bit for bit: nothing is between them."""
        model = make(encoding=None, batch_size=batch_size, max_iter=5).fit(X, NUMBERS)
        assert model.encoder_ is None
        Y, solver, rng = NUMBERS[:, np.newaxis], Feasible(), check_random_state(0)
        problem = Problem(X, Y, [ReLU()], SquaredError(), L2(), 0.0)
        start = solver.initial_weights([4, 8, 1], rng, X.dtype, [ReLU()])
        run = solver.start(
            problem, *start, epsilon=1e-3, max_iter=5, tol=1e-4, n_iter_no_change=10, warm=False,
            rng=rng, rho=None, activity_alpha=None, batch_size=240 if batch_size is None else 30,
        )  # fmt: skip
        found = minimize(as_run(run), max_iter=5, tol=1e-4, n_iter_no_change=10)
        for W, V in zip(model.coefs_ + model.intercepts_, found.coefs + found.intercepts,
                        strict=True):  # fmt: skip
            np.testing.assert_array_equal(W, V)

    def test_auto_where_it_takes_none_is_none(self):
        inputs, y = smooth()
        auto, plain = (make(encoding=e).fit(inputs, y) for e in ("auto", None))
        assert auto.encoder_ is None
        assert_same_weights(auto, plain)
        np.testing.assert_array_equal(auto.predict(inputs), plain.predict(inputs))


CASES = {
    "regressor": (MDLAMRegressor, NUMBERS, {}),
    "full batch": (MDLAMRegressor, NUMBERS, {"batch_size": None}),
    "one batch": (MDLAMRegressor, NUMBERS, {"batch_size": 240}),
    "classifier": (MDLAMClassifier, LABELS, {}),
    "classifier, full batch": (MDLAMClassifier, LABELS, {"batch_size": None}),
    "classes with weights": (MDLAMClassifier, LABELS, {"class_weight": "balanced"}),
    "multilabel": (MDLAMClassifier, np.column_stack([LABELS > 0, LABELS > 1]).astype(int), {}),
    "several targets": (MDLAMRegressor, np.column_stack([NUMBERS, 1e4 * X[:, 0]]), {}),
    "poisson": (MDLAMRegressor, COUNTS, {"loss": "poisson"}),
    "huber": (MDLAMRegressor, NUMBERS, {"loss": "huber"}),
    "quantile": (MDLAMRegressor, NUMBERS, {"loss": "quantile", "quantile": 0.8}),
    "deep": (MDLAMRegressor, NUMBERS, {"hidden_layer_sizes": (8, 5), "activation": "tanh"}),
    "linear": (MDLAMRegressor, NUMBERS, {"hidden_layer_sizes": ()}),
    "l1": (MDLAMRegressor, NUMBERS, {"penalty": "l1", "alpha": 1.0}),
    "relaxed": (MDLAMRegressor, NUMBERS, {"solver": "relaxed", "batch_size": None}),
}
each_case = pytest.mark.parametrize(("estimator", "y", "options"), CASES.values(), ids=CASES)


# The noise of encoded columns is estimated in another way than that of plain ones.
NAMED = {"solver": Feasible(activity_alpha=1.0, column_alpha=1.0, upper_alpha=1.0)}


class TestExplicit:
    """The fit is that of the encoded samples, bit for bit, for the same strengths."""

    @each_case
    @pytest.mark.parametrize(
        "encoder", [None, PiecewiseLinearEncoder(3, include_rank=False)], ids=["name", "object"]
    )
    @pytest.mark.slow
    def test_is_the_fit_behind_the_encoder(self, estimator, y, options, encoder):
        given = "piecewise" if encoder is None else encoder
        encoder = PiecewiseLinearEncoder() if encoder is None else clone(encoder)
        weight = {}
        if options.get("class_weight"):  # weights of samples as well
            weight = {"sample_weight": compute_sample_weight(options["class_weight"], y)}
        Z = encoder.fit(X, **weight).transform(X)
        model = make(estimator, encoding=given, **NAMED | options).fit(X, y)
        plain = make(estimator, encoding=None, **NAMED | options).fit(Z, y)
        assert model.coefs_[0].shape[0] == Z.shape[1] == len(encoder.get_feature_names_out())
        assert_same_weights(model, plain)
        assert model.loss_curve_ == plain.loss_curve_
        # Clipped to the range of X, new samples are those of the range of the encoded ones.
        for samples in (X, NEW):
            np.testing.assert_array_equal(
                says(model, samples), says(plain, encoder.transform(samples))
            )
        if options.get("hidden_layer_sizes") != ():
            found, expected = model.transform(NEW), plain.transform(encoder.transform(NEW))
            np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_weights_and_types(self, dtype):
        inputs = X.astype(dtype)
        encoder = PiecewiseLinearEncoder()
        Z = encoder.fit(inputs, sample_weight=WEIGHT).transform(inputs)
        model = make(encoding="piecewise", **NAMED).fit(inputs, NUMBERS, WEIGHT)
        plain = make(encoding=None, **NAMED).fit(Z, NUMBERS, WEIGHT)
        assert_same_weights(model, plain)
        assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
        assert model.predict(inputs).dtype == dtype
        np.testing.assert_array_equal(model.predict(inputs), plain.predict(Z))

    def test_weights_are_copies(self):
        copies = WEIGHT.astype(int)
        options = {"encoding": "piecewise", "batch_size": None}
        weighted = make(**options).fit(X, NUMBERS, WEIGHT)
        repeated = make(**options).fit(np.repeat(X, copies, axis=0), np.repeat(NUMBERS, copies))
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=1e-6)

    def test_knots_are_those_of_the_training_samples(self):
        """Those that early stopping sets apart have no say."""
        options = {"early_stopping": True, "shuffle": False, "validation_fraction": 0.25}
        model = make(encoding="piecewise", **options).fit(X, NUMBERS)
        expected = PiecewiseLinearEncoder().fit(X[:180])
        for found, knots in zip(model.encoder_.knots_, expected.knots_, strict=True):
            np.testing.assert_array_equal(found, knots)
        np.testing.assert_array_equal(model.data_max_, X[:180].max(axis=0))

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_validation_samples_are_encoded(self, early_stopping):
        options = {"early_stopping": early_stopping, "max_iter": 12, **NAMED}
        Z = (encoder := PiecewiseLinearEncoder()).fit_transform(X[TRAIN])
        model = make(encoding="piecewise", **options).fit(
            X[TRAIN], NUMBERS[TRAIN], X_val=X[TEST], y_val=NUMBERS[TEST]
        )
        plain = make(encoding=None, **options).fit(
            Z, NUMBERS[TRAIN], X_val=encoder.transform(X[TEST]), y_val=NUMBERS[TEST]
        )
        assert model.validation_scores_ == plain.validation_scores_
        assert model.validation_loss_curve_ == plain.validation_loss_curve_
        assert_same_weights(model, plain)
        if early_stopping:
            assert model.best_validation_score_ == model.score(X[TEST], NUMBERS[TEST])

    def test_blocks_of_rows(self, monkeypatch):
        """A prediction is made of some rows at a time."""
        model = make(encoding="piecewise").fit(X, NUMBERS)
        expected, hidden = model.predict(X), model.transform(X)
        blocks = encoding_module.chunks
        monkeypatch.setattr(encoding_module, "chunks", lambda n, d: blocks(n, d, 50 * d))
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
        np.testing.assert_allclose(model.transform(X), hidden, rtol=1e-12, atol=1e-13)
        assert model.predict(X[:1]).shape == (1,)


class TestAuto:
    def test_steps_get_pieces(self):
        rng = np.random.default_rng(3)
        inputs = rng.normal(size=(400, 3))
        y = np.sign(np.sin(7.0 * inputs[:, 0])) + 0.1 * rng.normal(size=400)
        model = make().fit(inputs, y)
        assert model.encoder_.n_bins >= 8
        assert model.encoder_.n_bins_.tolist() == [model.encoder_.n_bins] * 3

    def test_rotated_curves_get_none_or_ranks(self):
        for n in (200, 600):
            encoder = make().fit(*smooth(n)).encoder_
            assert encoder is None or encoder.n_bins == 1

    def test_units_of_several_targets_have_no_say(self):
        rng = np.random.default_rng(3)
        inputs = rng.normal(size=(300, 3))
        steps = np.sign(np.sin(7.0 * inputs[:, 0]))
        chosen = {
            make().fit(inputs, np.column_stack([steps, unit * inputs[:, 1]])).encoder_.n_bins
            for unit in (1e-6, 1.0, 1e6)
        }
        assert len(chosen) == 1

    @pytest.mark.parametrize("batch_size", [30, None])
    def test_is_the_fit_with_what_was_chosen(self, batch_size):
        auto = make(batch_size=batch_size).fit(X, STEPS)
        chosen = PiecewiseLinearEncoder(auto.encoder_.n_bins)
        told = make(batch_size=batch_size, encoding=chosen).fit(X, STEPS)
        assert_same_weights(auto, told)
        np.testing.assert_array_equal(auto.predict(NEW), told.predict(NEW))

    @pytest.mark.parametrize(
        "options",
        [
            {"hidden_layer_sizes": ()},
            {"penalty": "l1"},
            {"penalty": "group", "alpha": 0.0},
            {"solver": "relaxed", "batch_size": None},
        ],
        ids=str,
    )
    def test_plain_unless_it_is_asked_for(self, options):
        assert make().fit(X, STEPS).encoder_ is not None
        assert make(**options).fit(X, STEPS).encoder_ is None
        asked = make(encoding="piecewise", **options).fit(X, STEPS)
        assert asked.encoder_.n_bins == 8 and asked.coefs_[0].shape[0] == 28

    def test_few_samples_and_many_columns(self):
        assert make().fit(X[:99], STEPS[:99]).encoder_ is None
        assert make(encoding="piecewise").fit(X[:99], STEPS[:99]).encoder_ is not None
        wide = np.column_stack([X, np.random.default_rng(4).normal(size=(240, 497))])
        assert make(max_iter=1).fit(wide, STEPS).encoder_ is None
        assert make(max_iter=1, encoding="piecewise").fit(wide, STEPS).encoder_ is not None

    def test_sparse_columns_stay(self):
        inputs = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
        auto, plain = (make(encoding=e).fit(inputs, STEPS) for e in ("auto", None))
        assert auto.encoder_ is None and auto.coefs_[0].shape == (4, 8)
        assert_same_weights(auto, plain)

    def test_other_solvers_have_no_say(self):
        """A solver object without the method is one for plain columns."""

        class Mine:
            def __init__(self):
                solver = Feasible()
                self.initial_weights = solver.initial_weights
                self.rows_at_a_time = solver.rows_at_a_time
                self.start = solver.start

        assert make(solver=Mine()).fit(X, STEPS).encoder_ is None
        assert make(solver=Mine(), encoding="piecewise").fit(X, STEPS).encoder_ is not None


class TestRefused:
    def test_sparse_columns_that_were_to_be_encoded(self):
        inputs = sp.csr_array(X)
        for given, name in (
            ("piecewise", "'piecewise'"),
            (PiecewiseLinearEncoder(), "'PiecewiseLinearEncoder'"),
        ):
            model = make(encoding=given)
            with pytest.raises(ValueError, match=f"X is sparse, and encoding={name}: .*toarray"):
                model.fit(inputs, NUMBERS)
            assert not hasattr(model, "coefs_") and not hasattr(model, "encoder_")

    def test_sparse_columns_after_encoded_ones(self):
        model = make(warm_start=True).fit(X, STEPS)
        before = dict(vars(model))
        with pytest.raises(ValueError, match="X is sparse, and the columns of the last fit were e"):
            model.fit(sp.csr_array(X), STEPS)
        with pytest.raises(ValueError, match="X is sparse, and the columns of the last fit were e"):
            model.partial_fit(sp.csr_array(X), STEPS)
        assert vars(model) == before
        assert model.set_params(warm_start=False).fit(sp.csr_array(X), STEPS).encoder_ is None

    @pytest.mark.parametrize("given", ["curves", 8, PiecewiseLinearEncoder, True])
    def test_other_encodings(self, given):
        with pytest.raises(ValueError, match="The 'encoding' parameter of MDLAMRegressor must be"):
            make(encoding=given).fit(X, NUMBERS)

    def test_options_of_the_encoder(self):
        model = make(encoding=PiecewiseLinearEncoder(0))
        with pytest.raises(ValueError, match="The 'n_bins' parameter of PiecewiseLinearEncoder"):
            model.fit(X, NUMBERS)
        assert not hasattr(model, "n_iter_")

    @pytest.mark.parametrize("value", [-np.inf, np.inf])
    def test_infinite_values(self, value):
        """A gap is none of them: see test_levels_and_gaps.py."""
        bad = X.copy()
        bad[7, 2] = value
        model = make(encoding="piecewise")
        with pytest.raises(ValueError, match="infinity"):
            model.fit(bad, NUMBERS)
        with pytest.raises(NotFittedError):
            model.predict(X)
        expected = model.fit(X, NUMBERS).predict(X)
        before = dict(vars(model))
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match="infinity"):
                call(bad, NUMBERS)
            assert vars(model) == before
        with pytest.raises(ValueError, match="infinity"):
            model.predict(bad)
        np.testing.assert_array_equal(model.predict(X), expected)


class TestRange:
    @pytest.mark.parametrize("include_input", [True, False])
    @pytest.mark.parametrize("batch_size", [30, None])
    def test_is_that_of_the_columns(self, include_input, batch_size):
        encoder = PiecewiseLinearEncoder(5, include_input=include_input)
        model = make(encoding=encoder, batch_size=batch_size).fit(X, NUMBERS)
        np.testing.assert_array_equal(model.data_min_, X.min(axis=0))
        np.testing.assert_array_equal(model.data_max_, X.max(axis=0))

    @pytest.mark.parametrize("clip", [True, False])
    @pytest.mark.parametrize("include_input", [True, False])
    def test_predictions_beyond_it(self, clip, include_input):
        encoder = PiecewiseLinearEncoder(5, include_input=include_input)
        model = make(encoding=encoder, clip=clip, max_iter=30).fit(X[:, :3], NUMBERS)
        far = np.array([[1e4, 1e5, 1e3], [-1e4, -1e5, -1e3]])
        edge = np.stack([X[:, :3].max(axis=0), X[:, :3].min(axis=0)])
        near = np.abs(model.predict(far) - model.predict(edge)).max()
        # Pieces end at their knots, columns themselves do not.
        assert near == 0.0 if clip else (near > 1e-3) == include_input


class TestUnits:
    def test_of_the_columns(self):
        """Powers of two are exact, and everything goes by ranks and standardized columns."""
        units = 2.0 ** np.array([3, -9, 20, 0])
        for batch_size in (30, None):
            options = {"encoding": "piecewise", "batch_size": batch_size}
            one = make(**options).fit(X, NUMBERS)
            other = make(**options).fit(X * units, NUMBERS)
            np.testing.assert_allclose(other.predict(X * units), one.predict(X), atol=1e-5)

    def test_increasing_maps(self):
        """Of the columns, where these are known by their ranks only."""
        options = {"encoding": "piecewise", "batch_size": None}
        one = make(**options).fit(X[:, :3], NUMBERS)
        for rise in (lambda x: np.exp(x / x.std(axis=0)), lambda x: (x - 2.0) ** 3):
            inputs = rise(X[:, :3])
            other = make(**options).fit(inputs, NUMBERS)
            np.testing.assert_allclose(other.predict(inputs), one.predict(X[:, :3]), atol=1e-6)


class TestWarmStart:
    @pytest.mark.parametrize("batch_size", [30, None])
    def test_keeps_the_encoder(self, batch_size):
        model = make(warm_start=True, max_iter=20, batch_size=batch_size).fit(X, STEPS)
        encoder, before = model.encoder_, model.loss_
        assert encoder is not None
        model.set_params(max_iter=1).fit(X, STEPS)
        assert model.encoder_ is encoder and model.loss_ < 1.02 * before
        # Other samples, the same knots.
        knots = [knots.copy() for knots in encoder.knots_]
        model.fit(NEW, NEW[:, 0])
        assert model.encoder_ is encoder
        for found, expected in zip(model.encoder_.knots_, knots, strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_goes_on_as_behind_the_encoder(self):
        Z = PiecewiseLinearEncoder().fit_transform(X)
        model = make(warm_start=True, encoding="piecewise", **NAMED).fit(X, NUMBERS)
        model.fit(X, NUMBERS)
        plain = make(warm_start=True, encoding=None, **NAMED).fit(Z, NUMBERS).fit(Z, NUMBERS)
        assert_same_weights(model, plain)

    def test_plain_columns_stay_plain(self):
        model = make(warm_start=True, encoding=None).fit(X, STEPS)
        before = model.loss_
        model.set_params(encoding="auto").fit(X, STEPS)
        assert model.encoder_ is None and model.loss_ < 1.02 * before

    def test_encoded_columns_stay_encoded(self):
        model = make(warm_start=True, encoding="piecewise", max_iter=20).fit(X, STEPS)
        before, encoder = model.loss_, model.encoder_
        model.set_params(encoding=None).fit(X, STEPS)
        assert model.encoder_ is encoder and model.loss_ < 1.02 * before

    def test_without_it_all_is_new(self):
        model = make().fit(X, STEPS)
        assert model.encoder_ is not None
        model.fit(*smooth())
        assert model.encoder_ is None and model.coefs_[0].shape == (5, 8)

    def test_other_columns(self):
        model = make(warm_start=True, encoding="piecewise").fit(X, NUMBERS)
        with pytest.raises(ValueError, match=r"\[4, 8, 1\]; this fit has \[3, 8, 1\]"):
            model.fit(X[:, :3], NUMBERS)

    def test_other_columns_as_many_as_inputs(self):
        model = make(warm_start=True, encoding="piecewise").fit(X, NUMBERS)
        size = len(model.coefs_[0])
        with pytest.raises(ValueError, match=rf"\[4, 8, 1\]; this fit has \[{size}, 8, 1\]"):
            model.fit(np.resize(X, (len(X), size)), NUMBERS)
        assert model.n_features_in_ == 4


class TestInScikitLearn:
    @pytest.mark.parametrize("given", ["piecewise", PiecewiseLinearEncoder(4)], ids=str)
    def test_clone_and_pickle(self, given):
        model = make(encoding=given).fit(pd.DataFrame(X, columns=list("abcd")), NUMBERS)
        copy = clone(model)
        assert not hasattr(copy, "encoder_")
        assert repr(copy.encoding) == repr(given)
        if given != "piecewise":
            assert model.encoding is given and not hasattr(given, "knots_")
        stored = pickle.loads(pickle.dumps(model))
        frame = pd.DataFrame(NEW, columns=list("abcd"))
        np.testing.assert_array_equal(stored.predict(frame), model.predict(frame))
        names = list(model.encoder_.get_feature_names_out())
        assert names[:2] == ["a_rank", "a_pl_0"] and names[-1] == "d"
        assert len(names) == model.coefs_[0].shape[0]

    def test_search(self):
        grid = {"encoding": [None, "auto", "piecewise", PiecewiseLinearEncoder(16)]}
        search = GridSearchCV(make(max_iter=20), grid, cv=3).fit(X, STEPS)
        plain, *encoded = search.cv_results_["mean_test_score"]
        assert min(encoded) > plain + 0.1
        search = GridSearchCV(
            make(encoding=PiecewiseLinearEncoder()), {"encoding__n_bins": [1, 12]}, cv=2
        )
        search.fit(X, STEPS)
        assert search.best_params_ == {"encoding__n_bins": 12}
        assert search.best_estimator_.encoder_.n_bins == 12

    def test_sparse_samples_of_an_encoded_fit(self):
        for estimator, y in ((MDLAMRegressor, NUMBERS), (MDLAMClassifier, LABELS)):
            model = make(estimator, encoding="piecewise").fit(X, y)
            for form in (sp.csr_array, sp.csc_array, sp.coo_array):
                np.testing.assert_array_equal(says(model, form(NEW)), says(model, NEW))
            np.testing.assert_array_equal(model.transform(sp.csr_array(NEW)), model.transform(NEW))

    def test_transform_is_the_layer(self):
        model = make(encoding="piecewise", clip=False, hidden_layer_sizes=(8, 5)).fit(X, NUMBERS)
        Z = model.encoder_.transform(NEW)
        first = np.maximum(Z @ model.coefs_[0] + model.intercepts_[0], 0.0)
        second = np.maximum(first @ model.coefs_[1] + model.intercepts_[1], 0.0)
        np.testing.assert_allclose(model.transform(NEW, layer=0), first, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(model.transform(NEW), second, rtol=1e-12, atol=1e-12)
        found = model.predict(NEW)
        np.testing.assert_allclose(found, (second @ model.coefs_[2] + model.intercepts_[2])[:, 0])


class TestOnDemand:
    """Samples that are encoded whenever a batch asks for them: the same fit."""

    @pytest.fixture
    def on_demand(self, monkeypatch):
        def use():
            monkeypatch.setattr(EncodedSamples, "allows", lambda *_: False)

        return use

    @each_case
    def test_whole_fits(self, estimator, y, options, on_demand):
        held = make(estimator, encoding="piecewise", **options).fit(X, y)
        on_demand()
        made = make(estimator, encoding="piecewise", **options).fit(X, y)
        scale = max(np.abs(W).max() for W in held.coefs_)
        assert_same_weights(made, held, atol=2e-4 * scale)
        np.testing.assert_allclose(made.loss_curve_, held.loss_curve_, rtol=2e-4)
        np.testing.assert_allclose(says(made, NEW), says(held, NEW), rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("batch_size", [30, None])
    def test_is_used(self, batch_size, on_demand, monkeypatch):
        made = []
        for kind in (DenseOnDemand, ScaledOnDemand, DenseInput):
            plain = kind.__init__

            def init(self, *arguments, plain=plain):
                made.append(type(self))
                plain(self, *arguments)

            monkeypatch.setattr(kind, "__init__", init)
        on_demand()
        make(encoding="piecewise", batch_size=batch_size).fit(X, NUMBERS)
        assert made == [DenseOnDemand if batch_size else ScaledOnDemand]

    def test_far_samples(self, on_demand):
        """Tails are told a few columns at a time, where there are many."""
        inputs = np.exp(2.0 * RNG.normal(size=(240, 4)))
        limits = replace(LIMITS, transformed=1000)
        solver = Feasible(constants=replace(CONSTANTS, limits=limits))
        options = {"encoding": "piecewise", "solver": solver}
        held = make(MDLAMClassifier, **options).fit(inputs, LABELS)
        on_demand()
        made = make(MDLAMClassifier, **options).fit(inputs, LABELS)
        np.testing.assert_allclose(made.loss_curve_, held.loss_curve_, rtol=2e-4)

    @pytest.mark.parametrize("first", [3, 40])
    def test_streams(self, on_demand, first):
        def stream(then=lambda: None):
            model = make(encoding="piecewise").partial_fit(X[:first], NUMBERS[:first])
            then()  # few rows never are too many for a copy
            for start in range(first, 240, 40):
                model.partial_fit(X[start : start + 40], NUMBERS[start : start + 40])
            return model.predict(X)

        expected = stream()
        np.testing.assert_allclose(stream(on_demand), expected, rtol=1e-3, atol=1e-3)


def peak_of(work):
    """Most bytes that were in use at a time, beyond those in use before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("n", "d", "dtype", "batch_size"),
    [
        pytest.param(50_000, 40, np.float64, 500, marks=pytest.mark.slow),
        (25_000, 20, np.float64, None),
    ],
)
@pytest.mark.filterwarnings("ignore:.* has no effect:UserWarning")
@pytest.mark.slow
def test_memory(n, d, dtype, batch_size):
    """Twice X beyond a fit of plain columns, and blocks of rows."""
    inputs = np.random.default_rng(0).normal(size=(n, d)).astype(dtype)
    y = inputs[:, 0] + 1.0
    solver = Feasible(
        activity_alpha=1.0, column_alpha=1.0, upper_alpha=1.0, cool_down=1, patience=1
    )
    options = {"batch_size": batch_size, "solver": solver, "max_iter": 1}

    def peak(encoding):
        model = make(encoding=encoding, hidden_layer_sizes=(3,), **options)
        return peak_of(lambda: model.fit(inputs, y))

    plain, encoded = peak(None), peak("piecewise")
    few = 12e6 if batch_size else 6 * 8 * LIMITS.block_rows * 9 * d
    assert encoded - plain < 2 * inputs.nbytes + few, (encoded - plain) / inputs.nbytes
