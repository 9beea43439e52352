"""Noisy targets, at the default: what can be learned is learned, and the noise is not."""

import numpy as np
import pytest
from sklearn.datasets import (
    make_classification,
    make_friedman1,
    make_multilabel_classification,
)
from sklearn.metrics import log_loss, mean_poisson_deviance
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def stopped_early():
    return make_pipeline(StandardScaler(), MLPClassifier(early_stopping=True, random_state=0))


def loss_of_shares(y, found):
    """Log-loss of what is left when the inputs are ignored: the shares of the training data."""
    return log_loss(y, np.tile(np.bincount(found) / found.size, (y.size, 1)))


@pytest.mark.parametrize(("n_classes", "n", "flip", "seed"), [(8, 700, 0.25, 4), (12, 900, 0.3, 6)])
@pytest.mark.slow
def test_many_classes_with_flipped_labels(n_classes, n, flip, seed):
    X, y = make_classification(
        n + 2000, 14, n_informative=9, n_classes=n_classes, n_clusters_per_class=1, flip_y=flip,
        random_state=seed,
    )  # fmt: skip
    A, B, a, b = train_test_split(X, y, train_size=n, random_state=seed, stratify=y)
    ours, theirs = MDLAMClassifier(random_state=0).fit(A, a), stopped_early().fit(A, a)
    loss, other = (log_loss(b, model.predict_proba(B)) for model in (ours, theirs))
    assert loss < other - 0.1
    assert loss < loss_of_shares(b, a) - 0.5
    assert ours.score(B, b) > theirs.score(B, b)


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.slow
def test_labels_with_noise(seed):
    """Of six labels a tenth of the training data's is wrong; the losses of labels are summed."""
    X, Y = make_multilabel_classification(1900, 12, n_classes=6, n_labels=2, random_state=seed)
    A, B, a, b = train_test_split(X, Y, train_size=400, random_state=seed)
    a = np.where(np.random.default_rng(seed).random(a.shape) < 0.1, 1 - a, a)

    def loss(p):
        return np.mean([log_loss(b[:, k], p[:, k]) for k in range(6)])

    ours, theirs = (
        loss(model.fit(A, a).predict_proba(B))
        for model in (MDLAMClassifier(random_state=0), stopped_early())
    )
    assert ours < theirs - 0.02
    assert ours < loss(np.tile(a.mean(axis=0), (len(b), 1))) - 0.1


class TestRareCounts:
    """A squared deviation is large where the mean is small, and that says nothing of a signal."""

    def deviances(self, n, rate, seed):
        """Of the fit, of the mean, and of the truth, on new samples."""
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n + 6000, 6))
        truth = rate * np.exp(0.7 * X[:, 0] - 0.5 * np.abs(X[:, 1]))
        y = rng.poisson(truth)
        model = MDLAMRegressor(loss="poisson", random_state=0).fit(X[:n], y[:n])
        constant = np.full(6000, y[:n].mean())
        return [
            mean_poisson_deviance(y[n:], p) for p in (model.predict(X[n:]), constant, truth[n:])
        ]

    @pytest.mark.parametrize("seed", [5, 6])
    @pytest.mark.slow
    def test_about_a_hundred_events(self, seed):
        ours, constant, truth = self.deviances(1000, 0.1, seed)
        assert constant - ours > 0.4 * (constant - truth)

    @pytest.mark.parametrize("seed", [3, 4])
    @pytest.mark.slow
    def test_fewer_than_fifty_events(self, seed):
        """The mean at worst."""
        ours, constant, _ = self.deviances(1500, 0.03, seed)
        assert ours < 1.001 * constant

    @pytest.mark.slow
    def test_about_thirty_events_and_a_product(self):
        """Next to nothing can be learned: the mean, up to a hundredth."""
        found = []
        for seed in (70, 71, 72, 73):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(2000 + 6000, 7))
            y = rng.poisson(0.02 * np.exp(0.5 * X[:, 2] - 0.5 * X[:, 0] * X[:, 4]))
            model = MDLAMRegressor(loss="poisson", random_state=0).fit(X[:2000], y[:2000])
            predictions = model.predict(X[2000:]), np.full(6000, y[:2000].mean())
            found.append([mean_poisson_deviance(y[2000:], p) for p in predictions])
        ours, constant = np.mean(found, axis=0)
        assert ours < 1.01 * constant


@pytest.mark.parametrize("seed", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("noise", [3.0, 6.0])
@pytest.mark.slow
def test_penalties_at_their_default(noise, seed):
    """Another penalty is another solver of the same J, but for a little: it does not overfit."""
    X, y = make_friedman1(1300, 10, noise=noise, random_state=seed)
    scores = [
        MDLAMRegressor(penalty=penalty, encoding=None, random_state=0)
        .fit(X[:300], y[:300])
        .score(X[300:], y[300:])
        for penalty in ("l2", "l1", "group", "elasticnet")
    ]
    assert scores[0] > 0.2
    np.testing.assert_allclose(scores[1:], scores[0], rtol=0, atol=0.03)


@pytest.mark.slow
def test_a_large_clear_table():
    """A fit goes on for as long as epochs gain: as good as one that is told to."""
    rng = np.random.default_rng(1)
    n = 120_000
    X = rng.standard_normal((n + 20_000, 30), dtype=np.float32)
    units = np.tanh(X @ rng.standard_normal((30, 40), dtype=np.float32) / 2)
    h = units @ rng.standard_normal(40, dtype=np.float32)
    y = (h > np.median(h)).astype(int)
    automatic, told = (
        MDLAMClassifier(solver=solver, random_state=0).fit(X[:n], y[:n]).score(X[n:], y[n:])
        for solver in ("feasible", Feasible(epochs=40, cool_down=20))
    )
    assert automatic > told - 0.005
