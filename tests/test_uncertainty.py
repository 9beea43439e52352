"""What left-out samples say: standard deviations that cover, and a temperature."""

import pickle
import warnings
import weakref

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import GammaRegressor

from skmdlam import MDLAMClassifier, MDLAMRegressor, _uncertainty
from skmdlam._uncertainty import Noise, cooled, folds_of, left_out, temperature_of
from skmdlam.activations import ReLU
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.loop.run import minimize
from skmdlam.engine.moments import chunks
from skmdlam.engine.problem import Problem, forward
from skmdlam.losses import LogisticLoss, Quantile, SoftmaxCrossEntropy, SquaredError, get_loss
from skmdlam.penalties import L2, Box

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # fits are cut short
)
LEVELS = np.array([0.5, 0.8, 0.95])
# Fast, and a linear mean with noise that a linear logarithm describes.
LINEAR = {"hidden_layer_sizes": (), "encoding": None, "batch_size": None}
SMALL = {"hidden_layer_sizes": (5,), "encoding": None, "batch_size": None, "max_iter": 30}


def coverage(error, std):
    """Shares within the central intervals of a normal distribution."""
    return np.array([np.mean(np.abs(error) <= stats.norm.ppf(0.5 + q / 2) * std) for q in LEVELS])


def made(n, seed=0):
    """Numbers whose noise depends on the sample, and its standard deviation."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 3))
    std = np.exp(X[:, 0])
    return X, 3 * X[:, 0] - X[:, 1] + std * rng.standard_normal(n), std


def fitted(**options):
    X, y, _ = made(160)
    return MDLAMRegressor(**SMALL | {"random_state": 0, "calibrate": True} | options).fit(X, y)


class TestStandardDeviations:
    @pytest.mark.parametrize("n_networks", [1, 3])
    def test_cover_and_are_those_of_the_noise(self, n_networks):
        X, y, _ = made(2000)
        model = MDLAMRegressor(
            hidden_layer_sizes=(10,),
            encoding=None,
            n_networks=n_networks,
            calibrate=True,
            random_state=0,
        )
        X_new, y_new, true = made(20_000, seed=1)
        mean, std = model.fit(X, y).predict(X_new, return_std=True)
        error = y_new - mean
        # Of 2,000 samples: .011 at 50 %, and the shape of the variance is an estimate too.
        np.testing.assert_allclose(coverage(error, std), LEVELS, atol=0.03)
        assert np.corrcoef(np.log(std), np.log(true))[0, 1] > 0.97
        assert abs(np.median(std / true) - 1) < 0.08
        constant = np.full(len(std), error.std())
        low, high = true < np.quantile(true, 0.2), true > np.quantile(true, 0.8)
        assert coverage(error[low], constant[low])[1] > 0.95  # what one number cannot do
        for part in (low, high):
            np.testing.assert_allclose(coverage(error[part], std[part]), LEVELS, atol=0.06)

    def test_are_those_of_fits_by_hand(self):
        """Ten folds, public fits, GammaRegressor by its other solver, and the formulas."""
        X, y, _ = made(163)
        weight = np.random.default_rng(0).integers(1, 4, 163).astype(float)
        rng = np.random.RandomState(7)
        plain = MDLAMRegressor(**SMALL, n_networks=2, random_state=rng).fit(X, y, weight)
        order = rng.permutation(163)  # what the fit has left of the stream
        errors, fold, everywhere = np.empty(163), np.empty(163, dtype=int), []
        for k in range(10):
            left = order[k::10]
            kept = np.setdiff1d(np.arange(163), left)
            model = MDLAMRegressor(**SMALL, random_state=k).fit(X[kept], y[kept], weight[kept])
            errors[left], fold[left] = model.predict(X[left]) - y[left], k
            everywhere.append(model.predict(X))
        units = plain.transform(X)[:, :5]
        inputs = np.column_stack([units, plain.predict(X)])
        inputs -= np.average(inputs, axis=0, weights=weight)
        scale = np.sqrt(np.average(inputs**2, axis=0, weights=weight))
        inputs = np.divide(inputs, scale, out=np.zeros_like(inputs), where=scale > 0)
        floored = np.maximum(errors**2, 1e-4 * np.average(errors**2, weights=weight))

        def variance(rows, at):
            mean = np.average(floored[rows], weights=weight[rows])
            head = GammaRegressor(alpha=400 / weight[rows].sum(), tol=1e-10, max_iter=10_000)
            head.fit(inputs[rows], floored[rows] / mean, weight[rows])
            copies = np.repeat(head.predict(inputs[rows]), weight[rows].astype(int))
            low, high = np.quantile(copies, [0.005, 0.995], method="inverted_cdf")
            return mean * np.clip(head.predict(inputs[at]), low, high)

        everything = np.arange(163)
        ratio = np.empty(163)
        for k in range(10):
            ratio[fold == k] = errors[fold == k] ** 2 / variance(fold != k, fold == k)
        copies = np.repeat(ratio, weight.astype(int))
        factor = np.quantile(copies, 0.5, method="inverted_cdf") / stats.chi2.ppf(0.5, 1)
        differ = np.average(np.var(everywhere, axis=0, ddof=1), weights=weight)
        remains = 1 - 0.5 * differ / np.average(errors**2, weights=weight)
        expected = np.sqrt(variance(everything, everything) * factor * remains)

        again = np.random.RandomState(7)
        model = MDLAMRegressor(**SMALL, n_networks=2, random_state=again, calibrate=True)
        mean, std = model.fit(X, y, weight).predict(X, return_std=True)
        np.testing.assert_allclose(std, expected, rtol=1e-4)
        np.testing.assert_array_equal(mean, plain.predict(X))
        np.testing.assert_array_equal(mean, model.predict(X))
        for ours, theirs in zip(model.coefs_, plain.coefs_, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_weights_are_copies(self):
        rng = np.random.default_rng(0)
        a, z, e = (rng.standard_normal((90, k)) for k in (4, 2, 2))
        folds, weight = rng.integers(0, 3, 90), rng.integers(1, 4, 90)
        copied = [np.repeat(part, weight, axis=0) for part in (a, z, e, folds)]
        one, other = Noise.of(a, z, e, folds, weight), Noise.of(*copied)
        np.testing.assert_allclose(one.std(a, z), other.std(a, z), rtol=1e-6)

    def test_each_target_has_its_own(self):
        X, y, std = made(400)
        quiet = X[:, 1] + 0.01 * np.random.default_rng(1).standard_normal(400)
        Y = np.column_stack([y, quiet, np.full(400, 3.0)])
        model = MDLAMRegressor(**LINEAR, calibrate=True, random_state=0).fit(X, Y)
        found = model.predict(X, return_std=True)[1]
        assert found.shape == (400, 3)
        assert np.corrcoef(np.log(found[:, 0]), np.log(std))[0, 1] > 0.95
        np.testing.assert_allclose(found[:, 1], 0.01, rtol=0.3)
        assert (found[:, 2] < 1e-6).all()

    def test_few_samples_have_one(self):
        X, y, _ = made(49)
        model = MDLAMRegressor(**LINEAR, calibrate=True, random_state=0).fit(X, y)
        std = model.predict(X, return_std=True)[1]
        assert np.ptp(std) == 0 and 0.8 < std[0] / np.std(y - model.predict(X)) < 1.4
        assert MDLAMRegressor(calibrate=True).fit(X[:2], y[:2]).predict(X[:1], return_std=True)

    @pytest.mark.parametrize("loss", ["huber", "absolute_error", "poisson"])
    @pytest.mark.slow
    def test_of_other_losses_is_in_the_unit_of_y(self, loss):
        X, y, _ = made(400)
        X_new, y_new, _ = made(2000, seed=1)
        if loss == "poisson":
            rng, rate = np.random.default_rng(0), lambda X: 10 * np.exp(X[:, 0])
            y, y_new = rng.poisson(rate(X)), rng.poisson(rate(X_new))
        model = MDLAMRegressor(**LINEAR, loss=loss, calibrate=True, random_state=0).fit(X, y)
        mean, std = model.predict(X_new, return_std=True)
        np.testing.assert_allclose(coverage(y_new - mean, std), LEVELS, atol=0.06)
        if loss == "poisson":
            assert np.corrcoef(std, np.sqrt(rate(X_new)))[0, 1] > 0.97

    @pytest.mark.slow
    def test_an_outlier_is_not_what_the_variance_is_about(self):
        """A typing error in y, and a loss that heeds it little: as without that sample."""
        (X, y, _), (X_new, y_new, true) = made(400), made(4000, seed=1)
        y[7] += 3000
        options = LINEAR | {"loss": "absolute_error", "random_state": 0}
        model, shares = MDLAMRegressor(**options, calibrate=True), []
        for kept in (slice(None), np.arange(400) != 7):
            mean, std = model.fit(X[kept], y[kept]).predict(X_new, return_std=True)
            assert np.corrcoef(np.log(std), np.log(true))[0, 1] > 0.9
            shares.append(coverage(y_new - mean, std))
        np.testing.assert_allclose(*shares, atol=0.08)  # the last was .76 beside .92

    def test_a_prediction_beyond_all_numbers_is_one_large_error(self):
        """Of counts, far outside of the other samples, and the networks extrapolate."""
        rng = np.random.default_rng(0)
        X = rng.uniform(-1, 1, (70, 2))
        X[5, 1] = 1e5
        y = rng.poisson(np.exp(X[:, 0]))
        options = SMALL | {"loss": "poisson", "clip": False, "n_networks": 2}
        model = MDLAMRegressor(**options, calibrate=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            mean, std = model.fit(X, y).predict(X, return_std=True)
        near = np.arange(70) != 5
        assert np.isfinite(std).all() and coverage((y - mean)[near], std[near])[1] > 0.6
        assert np.median(std) < 2

        outputs = np.full((5, 4, 1), 1e3)
        found = _uncertainty.LeftOut(None, None, outputs, np.full(4, 0.25))
        assert found.spread(get_loss("poisson").inverse_link) == 0.0

    def test_far_from_the_samples_it_is_bounded(self):
        model = fitted(clip=False)
        X, _, _ = made(160)
        std, far = (model.predict(at, return_std=True)[1] for at in (X, 1e6 * X))
        assert std.min() * 0.99 <= far.min() and far.max() <= std.max() * 1.01

    def test_single_precision(self):
        X, y, _ = made(160)
        model = MDLAMRegressor(**SMALL, calibrate=True, random_state=0)
        X = X.astype(np.float32)
        mean, std = model.fit(X, y).predict(X, return_std=True)
        assert mean.dtype == std.dtype == np.float32
        np.testing.assert_array_equal(mean, model.predict(X))


class TestState:
    def test_pickles_and_clones(self):
        model, (X, _, _) = fitted(), made(50, seed=2)
        assert all(isinstance(part, np.ndarray) for part in model._noise.values())
        expected = model.predict(X, return_std=True)
        found = pickle.loads(pickle.dumps(model)).predict(X, return_std=True)
        np.testing.assert_array_equal(found, expected)
        assert clone(model).calibrate and not hasattr(clone(model), "_noise")

    def test_stored_before_there_was_any(self):
        state = fitted(calibrate=False).__getstate__()
        del state["_noise"], state["calibrate"]
        model = MDLAMRegressor.__new__(MDLAMRegressor)
        model.__setstate__(state)
        assert model.calibrate is False
        with pytest.raises(ValueError, match="Set calibrate=True and fit again"):
            model.predict(made(3)[0], return_std=True)

    @pytest.mark.parametrize(
        ("how", "advice"), [("partial_fit", "Call fit again"), ("warm start", "Set calibrate=True")]
    )
    def test_is_dropped_where_training_goes_on(self, how, advice):
        model, (X, y, _) = fitted(), made(160)
        if how == "partial_fit":
            model.partial_fit(X, y)
        else:
            model.set_params(warm_start=True, calibrate=False).fit(X, y)
        with pytest.raises(ValueError, match=advice):
            model.predict(X, return_std=True)
        assert model.predict(X).shape == (160,)

    def test_a_score_during_the_fit_has_no_old_one(self):
        def score(model, X, y):
            with pytest.raises(ValueError, match="needs a complete fit with calibrate=True"):
                model.predict(X, return_std=True)
            return model.score(X, y)

        model = fitted(early_stopping=True, scoring=score, warm_start=True, max_iter=4)
        X, y, _ = made(160)
        assert model.fit(X, y).predict(X, return_std=True)[1].shape == (160,)

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_stopped_by_a_callback_it_is_that_of_stopped_fits(self, early_stopping, monkeypatch):
        """After five sweeps; early stopping has no part in it."""
        counts, plain = [], minimize

        def counted(*arguments, **options):
            counts.append(options["max_iter"])
            return plain(*arguments, **options)

        sweeps = iter(range(1, 99))
        monkeypatch.setattr("skmdlam._base.Callbacks.after_sweep", lambda *_: next(sweeps) == 5)
        monkeypatch.setattr("skmdlam._base.minimize", counted)
        options = {"early_stopping": early_stopping, "n_iter_no_change": 99}
        model = fitted(**options)
        assert (model.stop_reason_, model.n_iter_) == ("requested", 5)
        assert counts == [30] + 10 * [30 if early_stopping else 5]

    def test_interrupted_it_leaves_the_fit(self, monkeypatch):
        def stop(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr("skmdlam._base.left_out", stop)
        with pytest.warns(ConvergenceWarning, match="after the fit") as caught:
            model = fitted()
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(model.coefs_[0], fitted(calibrate=False).coefs_[0])
        with pytest.raises(ValueError, match="fit again"):
            model.predict(made(3)[0], return_std=True)


class TestErrors:
    def test_without_calibration(self):
        with pytest.raises(ValueError, match="Set calibrate=True and fit again"):
            fitted(calibrate=False).predict(made(3)[0], return_std=True)

    def test_of_a_quantile_there_is_none(self):
        with pytest.raises(ValueError, match=r"calibrate=False, or another loss"):
            fitted(loss="quantile")
        model = fitted(loss=Quantile(0.9), calibrate=False)
        with pytest.raises(ValueError, match="use another loss"):
            model.predict(made(3)[0], return_std=True)

    def test_one_sample_cannot_be_left_out(self):
        with pytest.raises(ValueError, match="at least 2 of positive weight; got 1 sample"):
            MDLAMRegressor(calibrate=True).fit([[1.0], [2.0]], [1.0, 2.0], [1.0, 0.0])

    def test_beyond_floating_point(self):
        problem = Problem(np.ones((4, 1)), np.ones((4, 1)), [], SquaredError(), L2(), 0.0)

        def diverged(part, seed):
            return lambda X: X / 0.0

        with np.errstate(divide="ignore"), pytest.raises(FloatingPointError, match="scale X"):
            left_out(problem, np.array([0, 1, 0, 1]), diverged, True)


class TestLeftOut:
    def test_folds_have_their_share_of_each_class(self):
        y = np.repeat(["a", "b", "c"], [41, 20, 3])
        folds = folds_of(64, y, np.random.RandomState(0))
        for label in "abc":
            counts = np.bincount(folds[y == label], minlength=10)
            assert np.ptp(counts) <= 1
        assert not np.array_equal(folds, folds_of(64, y, np.random.RandomState(1)))
        assert sorted(folds_of(3, None, np.random.RandomState(0))) == [0, 1, 2]

    def test_encoded_on_demand_as_arrays(self):
        """The same rows go in, the left-out ones are clipped to the range of the others."""
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal((40, 2)), rng.standard_normal((40, 1))
        pieces, folds = Pieces.of(X, 3), np.arange(40) % 4
        on_demand, seen = EncodedSamples(X, pieces), []

        def fit(part, seed):
            low, high = part.X[:].min(axis=0), part.X[:].max(axis=0)
            assert len(part.Y) == 30 and part.X.shape == (30, pieces.size)

            def output(X):
                assert not ((low > X) | (high < X)).any()
                return X.sum(axis=1, keepdims=True) + part.X[:].sum()

            seen.append(type(part.X))
            return output

        results = [
            left_out(Problem(X, Y, [], SquaredError(), L2(), 0.0, pieces=pieces), folds, fit, True)
            for X in (on_demand, on_demand[:])
        ]
        np.testing.assert_allclose(*(found.outputs for found in results), rtol=1e-12)
        np.testing.assert_allclose(*(found.of_all for found in results), rtol=1e-12)
        assert set(seen[:4]) == {EncodedSamples} and set(seen[4:]) == {np.ndarray}

    def test_one_block_of_samples_at_a_time(self, monkeypatch):
        """For the activations that the head is fitted to."""
        blocks, plain = [], _uncertainty._activations_and_outputs

        def watched(estimator, X):
            assert not any(block() is not None for block in blocks)
            blocks.append(weakref.ref(X))
            return plain(estimator, X)

        monkeypatch.setattr(_uncertainty, "_activations_and_outputs", watched)
        monkeypatch.setattr(_uncertainty, "chunks", lambda n, d: chunks(n, d, 40 * d))
        model = fitted(encoding="piecewise")
        assert len(blocks) == 4 and model.predict(made(9)[0], return_std=True)[1].shape == (9,)


def problem_of(Y, loss, weight=None):
    return Problem(np.zeros((len(Y), 1)), Y, [], loss, L2(), 0.0, weight)


class TestTemperature:
    @pytest.mark.parametrize("kind", ["classes", "two", "labels"])
    @pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
    def test_is_the_one_that_labels_were_drawn_with(self, kind, true):
        rng = np.random.default_rng(0)
        K = {"classes": 4, "two": 1, "labels": 3}[kind]
        outputs = 2 * rng.standard_normal((4000, K))
        if kind == "classes":
            Y = np.array([rng.multinomial(1, p) for p in softmax(outputs / true, axis=1)])
            loss = SoftmaxCrossEntropy()
        else:
            Y = (rng.random((4000, K)) < expit(outputs / true)).astype(float)
            loss = LogisticLoss()
        found = temperature_of(problem_of(Y.astype(float), loss), outputs)
        assert found == 1.0 if true == 1.0 else abs(found / true - 1) < 0.1

    def test_is_the_root_of_the_derivative(self):
        rng = np.random.default_rng(0)
        outputs = 6 * rng.standard_normal((300, 3))
        labels = np.array([rng.choice(3, p=p) for p in softmax(outputs / 3, axis=1)])
        weight = rng.integers(1, 4, 300).astype(float)
        n = weight.sum() ** 2 / (weight @ weight)
        others = np.full((300, 3), 1 / 3 / (n + 1))  # one more sample has any label
        others[np.arange(300), labels] += n / (n + 1)

        def slope(T):
            p = softmax(outputs / T, axis=1)
            return weight @ ((p - others) * outputs).sum(axis=1)

        problem = problem_of(np.eye(3)[labels], SoftmaxCrossEntropy(), weight)
        np.testing.assert_allclose(temperature_of(problem, outputs), brentq(slope, 1, 9), rtol=1e-4)

    @pytest.mark.parametrize("K", [1, 3])
    def test_few_samples_do_not_make_sure(self, K):
        """All right: as probable as with one more sample that has any label, in closed form."""
        n, labels = 15, np.arange(15) % max(K, 2)
        indicators = np.eye(max(K, 2))[labels][:, -K:]
        loss = LogisticLoss() if K == 1 else SoftmaxCrossEntropy()
        outputs = 2 * indicators - 1 if K == 1 else indicators
        K = max(K, 2)
        p = (n + 1 / K) / (n + 1)
        expected = 1 / np.log((K - 1) * p / (1 - p))
        found = temperature_of(problem_of(indicators, loss), outputs)
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_a_gain_by_chance_is_none(self):
        """Of 40 draws with the temperature of 1 few have a gain beyond two standard errors."""
        rng = np.random.default_rng(0)
        outputs = rng.standard_normal((200, 1))
        Ys = (rng.random((40, 200, 1)) < expit(outputs)).astype(float)
        found = [temperature_of(problem_of(Y, LogisticLoss()), outputs) for Y in Ys]
        assert sum(T != 1.0 for T in found) <= 4

    def test_one_class_has_none(self):
        problem = problem_of(np.zeros((20, 1)), LogisticLoss())
        assert temperature_of(problem, np.full((20, 1), -1.0)) == 1.0

    def test_is_in_the_weights(self):
        """Labels beyond what the inputs tell, few samples: sure of itself without."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((300, 30))
        y = (X[:, 0] + rng.standard_normal(300) > 0).astype(int) + (X[:, 1] > 1)
        options = SMALL | {"activity_alpha": 0, "random_state": 0}
        plain = MDLAMClassifier(**options).fit(X, y)
        model = MDLAMClassifier(**options, calibrate=True).fit(X, y)
        assert plain.temperature_ == 1.0 and model.temperature_ > 1.5
        np.testing.assert_array_equal(model.predict(X), plain.predict(X))
        np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
        z = plain.decision_function(X) / model.temperature_
        np.testing.assert_allclose(model.decision_function(X), z, rtol=1e-10)
        np.testing.assert_allclose(model.predict_log_proba(X), log_softmax(z, axis=1), atol=1e-9)
        again = pickle.loads(pickle.dumps(model))
        assert again.temperature_ == model.temperature_
        assert model.partial_fit(X, y).temperature_ == 1.0

    @pytest.mark.parametrize("kind", ["one class", "labels", "rare class", "balanced"])
    @pytest.mark.slow
    def test_whatever_the_classes_are(self, kind):
        X, y, _ = made(80)
        target = {
            "one class": np.zeros(80),
            "labels": np.column_stack([y > 0, y > 1]).astype(int),
            "rare class": np.r_[np.zeros(40), np.ones(39), 2.0],
            "balanced": (y > 1.5).astype(int),
        }[kind]
        weight = "balanced" if kind == "balanced" else None
        model = MDLAMClassifier(**SMALL, class_weight=weight, calibrate=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            p = model.fit(X, target).predict_proba(X)
        assert np.isfinite(p).all() and 0.1 < model.temperature_ < 10
        assert kind != "one class" or model.temperature_ == 1.0

    def test_weights_stay_in_their_box(self, monkeypatch):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 2))
        y = X[:, 0] > 0
        options = SMALL | {"hidden_layer_sizes": (3,), "penalty": Box(-0.5, 0.5), "max_iter": 9}
        for T, expected in ((0.01, 1.0), (4.0, 4.0)):
            monkeypatch.setattr("skmdlam._classifier.temperature_of", lambda *_, T=T: T)
            model = MDLAMClassifier(**options, calibrate=True, random_state=0)
            assert model.fit(X, y).temperature_ == expected
            assert max(np.abs(W).max() for W in model.coefs_) <= 0.5

    def test_a_warm_start_goes_on_from_before_it(self, monkeypatch):
        X, y, _ = made(60)
        options = SMALL | {"random_state": 0, "warm_start": True, "max_iter": 2, "n_networks": 2}
        monkeypatch.setattr("skmdlam._classifier.temperature_of", lambda *_: 4.0)
        model, plain = (MDLAMClassifier(**options, calibrate=on) for on in (True, False))
        for _ in range(4):
            expected = plain.fit(X, y > 0).decision_function(X)
            np.testing.assert_allclose(4 * model.fit(X, y > 0).decision_function(X), expected)

    def test_outputs_are_divided(self):
        rng = np.random.default_rng(0)
        coefs, intercepts = [rng.random((2, 3)), rng.random((3, 2))], [rng.random(3), rng.random(2)]
        X = rng.random((5, 2))
        z = forward(X, coefs, intercepts, [ReLU()])
        np.testing.assert_allclose(forward(X, *cooled(coefs, intercepts, 3.0), [ReLU()]), z / 3)


class TestEveryKindOfFit:
    @pytest.mark.parametrize(
        "how", ["relaxed", "l1", "sparse", "frame", "early stopping", "no rows"]
    )
    @pytest.mark.slow
    def test_has_a_standard_deviation(self, how, monkeypatch):
        X, y, _ = made(120)
        options = {
            "relaxed": {"solver": "relaxed", "batch_size": "auto"},
            "l1": {"penalty": "l1", "n_networks": 2},
            "sparse": {},
            "frame": {"encoding": "piecewise"},
            "early stopping": {"early_stopping": True},
            "no rows": {},
        }[how]
        if how == "sparse":
            sparse = pytest.importorskip("scipy.sparse")
            X = sparse.csr_array(np.where(np.abs(X) < 0.3, 0, X))
        elif how == "frame":
            pandas = pytest.importorskip("pandas")
            rng = np.random.default_rng(0)
            X = pandas.DataFrame(X, columns=list("abc"))
            X["level"] = rng.choice([f"level {k}" for k in range(30)], 120)
            X.loc[3, "a"] = np.nan
        elif how == "no rows":  # fewer than the head takes: a subset of the samples
            constants = _uncertainty.TUNED.__class__(std_rows=60)
            monkeypatch.setattr(_uncertainty.noise_of, "__defaults__", (constants,))
        model = MDLAMRegressor(**SMALL | options, calibrate=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mean, std = model.fit(X, y).predict(X, return_std=True)
        inside = coverage(y - mean, std)
        assert inside[0] > 0.4 and inside[2] > 0.85
        assert np.isfinite(std).all() and (std > 0).all() and std.mean() < 1.2 * y.std()
