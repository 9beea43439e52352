"""Tests of the automatic strength of penalties with kinks."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_friedman1
from sklearn.preprocessing import scale

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor
from skmdlam.engine.priced import AdaptivePenalty, UntilStall
from skmdlam.engine.records import Record
from skmdlam.penalties import L1, ElasticNet, GroupLasso, Penalty

PENALTIES = [GroupLasso(), L1(), ElasticNet(0.3)]


def friedman(n=300, n_useless=10):
    X, y = make_friedman1(n, n_features=5 + n_useless, noise=2.0, random_state=3)
    return scale(X), y


def fitted(X, y, penalty, **options):
    options = {"batch_size": None, "random_state": 0} | options
    return MDLAMRegressor(hidden_layer_sizes=(20,), penalty=penalty, **options).fit(X, y)


class TestAdaptivePenalty:
    rng = np.random.default_rng(0)
    W0 = rng.normal(size=(4, 3)) * np.array([[1.0], [10.0], [0.1], [5.0]])
    units = np.array([[1.0], [0.1], [10.0], [0.2]])

    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_each_row_pays_the_price_at_its_size(self, penalty):
        priced = AdaptivePenalty(penalty, self.W0, self.units, 0.7)
        assert priced.value(self.W0) == pytest.approx(4 * 0.7)
        without = self.W0.copy()
        without[2] = 0.0
        assert priced.value(without) == pytest.approx(3 * 0.7)

    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_prox_is_a_minimizer(self, penalty):
        """Nowhere around it, nor in steps of its own for each row, is the objective lower."""
        priced = AdaptivePenalty(penalty, self.W0, self.units, 0.7)
        steps = np.array([[0.1], [3.0], [0.01], [1.0]])
        W = self.rng.normal(size=(4, 3))

        def objective(V):
            rows = [priced.value(np.where(np.arange(4)[:, None] == j, V, 0.0)) for j in range(4)]
            return np.dot(steps[:, 0], rows) + 0.5 * np.sum((V - W) ** 2)

        V = priced.prox(W, steps)
        best = objective(V)
        for size in (1e-4, 1e-2, 1.0):
            for _ in range(50):
                assert objective(V + size * self.rng.normal(size=V.shape)) >= best

    def test_group_is_the_adaptive_lasso(self):
        """Strengths inversely proportional to the norms of the rows."""
        priced = AdaptivePenalty(GroupLasso(), self.W0, self.units, 0.7)
        W = self.rng.normal(size=(4, 3))
        norms, old = (np.linalg.norm(A, axis=1) for A in (W, self.W0))
        assert priced.value(W) == pytest.approx(0.7 * np.sum(norms / old))

    def test_rows_without_weights(self):
        """Zero, constant or both: prices are finite, and small rows are not free."""
        W0 = np.array([[1.0, 1.0], [0.0, 0.0], [1e-9, 0.0], [0.0, 0.0]])
        priced = AdaptivePenalty(L1(), W0, np.array([[1.0], [1.0], [1.0], [0.0]]), 1.0)
        assert priced.value(W0) < 1.01
        assert np.isfinite(priced.value(np.ones((4, 2))))
        nothing = AdaptivePenalty(L1(), np.zeros((2, 2)), np.zeros((2, 1)), 1.0)
        assert nothing.value(np.zeros((2, 2))) == 0.0 and np.isfinite(nothing.value(np.eye(2)))

    def test_a_penalty_that_is_no_sum_over_rows(self):
        class Columns(Penalty):
            def value(self, W):
                return GroupLasso().value(W.T)

            def prox(self, W, t):
                return GroupLasso().prox(W.T, t).T

        priced = AdaptivePenalty(Columns(), self.W0, np.ones((4, 1)), 0.7)
        assert priced.value(self.W0) == pytest.approx(4 * 0.7)
        X, y = friedman(100, 0)
        assert fitted(X, y, Columns()).score(X, y) > 0.5


class TestUntilStall:
    class Falling:
        """Falls for three sweeps."""

        objective_unit, moments, regularization, estimated, ended = 2.0, None, None, None, False
        cools_down = False

        def __init__(self):
            self.n = 0

        def __next__(self):
            self.n += 1
            loss = max(4.0 - self.n, 1.0)
            return Record(self.n, loss, loss, 1.0, 1e-3, 0.0, 0, True, 0.0)

        def weights(self):
            return [np.ones((2, 1))], [np.zeros(1)]

    def test_ends_after_a_stall_and_names_the_price(self):
        run = UntilStall(self.Falling(), 100, 0.1, 4, lambda coefs: 10.0 * coefs[0].sum())
        losses = []
        while not run.ended:
            losses.append(next(run).loss)
        assert losses == [23.0, 22.0, 21.0, 21.0, 21.0, 21.0, 21.0]

    def test_ends_after_so_many_sweeps_or_when_told(self):
        run = UntilStall(self.Falling(), 2, 0.1, 4, lambda coefs: 0.0)
        assert [(next(run).loss, run.ended) for _ in range(2)] == [(3.0, False), (2.0, True)]
        run = UntilStall(self.Falling(), 9, 0.1, 4, lambda coefs: 0.0)
        run.cool_down()
        next(run)
        assert run.ended


class TestAutomaticStrength:
    @pytest.mark.slow
    def test_does_something_and_costs_nothing(self):
        """On the mean of four samples: of a single one the difference is chance."""
        gains = {penalty: [] for penalty in ("group", "l1", "elasticnet")}
        for seed in range(4):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(1300, 15))
            signal = X[:, :5] @ [1.0, -1.0, 0.8, 0.6, 0.5] + np.abs(X[:, 0])
            y = signal + 1.5 * rng.normal(size=1300)
            X, X_test, y, y_test = X[:300], X[300:], y[:300], y[300:]
            usual = fitted(X, y, "l2")
            assert not (usual.coefs_[0] == 0).any()
            for penalty, gain in gains.items():
                model = fitted(X, y, penalty)
                gain.append(model.score(X_test, y_test) - usual.score(X_test, y_test))
                zero = model.coefs_[0] == 0
                assert zero[5:].mean() > 0.3 and not zero[:5].all(axis=1).any()
        assert min(np.mean(gain) for gain in gains.values()) > -0.01

    def test_of_a_classifier(self):
        X, y = make_classification(
            600, 20, n_informative=4, n_redundant=0, shuffle=False, flip_y=0.3, random_state=0
        )
        options = {"batch_size": None, "random_state": 0}
        usual = MDLAMClassifier((20,), **options).fit(X[:300], y[:300])
        model = MDLAMClassifier((20,), penalty="group", **options).fit(X[:300], y[:300])
        dropped = (model.coefs_[0] == 0).all(axis=1)
        assert dropped[4:].mean() >= 0.5 and dropped[:4].sum() <= 1
        assert model.score(X[300:], y[300:]) > usual.score(X[300:], y[300:]) - 0.01

    @pytest.mark.parametrize("penalty", ["group", "l1", "elasticnet"])
    def test_units_mean_nothing(self, penalty):
        """Powers of two, which change no digit."""
        X, y = friedman(200)
        units = 2.0 ** np.random.default_rng(0).integers(-20, 20, X.shape[1])
        one, other = fitted(X, y, penalty), fitted(X * units, 2.0**13 * y, penalty)
        assert np.array_equal(one.coefs_[0] == 0, other.coefs_[0] == 0)
        assert (one.coefs_[0] == 0).mean() > 0.2
        assert np.allclose(other.predict(X * units), 2.0**13 * one.predict(X), rtol=1e-6)

    def test_weights_are_copies(self):
        X, y = friedman(150)
        weight = np.random.default_rng(0).integers(1, 4, 150)
        one = MDLAMRegressor(
            hidden_layer_sizes=(8,), penalty="group", batch_size=None, random_state=0
        )
        again = MDLAMRegressor(
            hidden_layer_sizes=(8,), penalty="group", batch_size=None, random_state=0
        )
        one.fit(X, y, sample_weight=weight)
        again.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
        assert np.allclose(one.predict(X), again.predict(X), rtol=1e-4, atol=1e-4)

    def test_curve_goes_down_on_the_full_batch(self):
        """The price of what is used counts from the start: both parts of the run have one J."""
        X, y = friedman()
        curve = np.array(fitted(X, y, "group").objective_curve_)
        assert (np.diff(curve) <= 1e-6 * curve[:-1]).all()

    @pytest.mark.parametrize("options", [{"batch_size": 50}, {"activity_alpha": 0}])
    def test_in_mini_batches_and_without_the_other_penalties(self, options):
        X, y = friedman()
        model = fitted(X, y, "l1", **options)
        assert model.score(X, y) > 0.5
        assert model.coefs_[0].shape == (15, 20) and model.loss_curve_[-1] < model.loss_curve_[0]

    def test_named_strengths_are_not_estimated_but_the_noise_is(self):
        X, y = friedman()
        solver = Feasible(column_alpha=1.0, upper_alpha=1.0, cool_down=5, patience=2)
        model = fitted(X, y, "l1", solver=solver, activity_alpha=1.0)
        assert (model.coefs_[0] == 0).any() and np.isnan(model.noise_ratio_)

    def test_a_stream_and_steps_without_slopes_take_the_usual_one(self):
        X, y = friedman(100)
        for model in (
            MDLAMRegressor(hidden_layer_sizes=(5,), penalty="l1", random_state=0).partial_fit(X, y),
            MDLAMRegressor(
                hidden_layer_sizes=(5,), activation="sign", penalty="l1", random_state=0
            ).fit(X, y),
        ):
            assert np.isfinite(model.predict(X)).all()

    def test_max_iter_is_the_sum_of_both_parts(self):
        X, y = friedman()
        model = MDLAMRegressor(
            hidden_layer_sizes=(20,), penalty="l1", batch_size=None, max_iter=6, random_state=0
        )
        with pytest.warns(UserWarning, match="6 iterations"):
            model.fit(X, y)
        assert model.n_iter_ == 6
