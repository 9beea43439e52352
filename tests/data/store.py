"""Store fitted estimators, for tests/test_stored.py: do they load in later releases?

Run it once for a release, in the environment with the oldest supported dependencies, as pickles
of newer ones need not load in older ones::

    python -m pip install -c .ci/oldest.txt . && python tests/data/store.py

It writes ``stored-VERSION.pkl`` beside itself: for each estimator the pickle, some inputs and
what it said of them; and ``stored-streams-VERSION.pkl``: for each stream the pickle in mid-stream,
all of its samples, and what it said of them then, and again after the chunks that were left. Where
a file is there already it stays: ``stored-streams-0.1.0.dev0.pkl`` was written by
``PYTHONPATH=OLD python tests/data/store.py``, OLD a checkout of the last commit that kept objects
of its own of a stream (0c86a52), ``stored-0.1.0.dev0.pkl`` by an earlier one.
"""

import pickle
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import skmdlam
from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, Relaxed
from skmdlam.activations import LeakyReLU
from skmdlam.losses import Quantile
from skmdlam.penalties import ElasticNet


def with_categories(X):
    """Put missing values into the second column, and categories into the third."""
    X = X.copy()
    X[::7, 1] = np.nan
    X[:, 2] = np.digitize(X[:, 2], [-0.5, 0.5])
    return X


def estimators(X, classes, values):
    """Fitted estimators that between them hold every kind of object that one can."""
    few = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0}
    labels = np.array(["no", "yes"])[(classes > 0).astype(int)]
    indicator = np.column_stack([classes > 0, classes > 1]).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {
            "multiclass": MDLAMClassifier(**few).fit(X, classes),
            "strings": MDLAMClassifier(**few, early_stopping=True).fit(X, labels),
            "multilabel": MDLAMClassifier(**few, activation="tanh").fit(X, indicator),
            "relaxed": MDLAMClassifier(
                **few, solver=Relaxed(w_step="exact"), activation=LeakyReLU(0.1)
            ).fit(X, classes),
            "regressor": MDLAMRegressor(**few, penalty=ElasticNet(0.3)).fit(X, values),
            "two outputs": MDLAMRegressor(**few, batch_size=None).fit(
                X, np.column_stack([values, X[:, 0]])
            ),
            "quantile": MDLAMRegressor(**few, loss=Quantile(0.9)).fit(X, values),
            "layers": MDLAMRegressor(
                hidden_layer_sizes=(4, 3),
                activation=["tanh", LeakyReLU(0.1)],
                max_iter=20,
                random_state=0,
            ).fit(X, values),
            "stream": MDLAMClassifier(**few).partial_fit(X, classes, classes=[0, 1, 2]),
            "stream of numbers": MDLAMRegressor(**few).fit(X, values).partial_fit(X, values),
            "poisson": MDLAMRegressor(**few, loss="poisson").fit(X, np.exp(values)),
            "encoded": MDLAMRegressor(**few, encoding=PiecewiseLinearEncoder(n_bins=3)).fit(
                X, values
            ),
            "categories and gaps": MDLAMClassifier(**few, categorical_features=[2]).fit(
                with_categories(X), classes
            ),
            "networks": MDLAMRegressor(**few, n_networks=2, calibrate=True).fit(X, values),
            "no hidden layer": MDLAMRegressor(**few | {"hidden_layer_sizes": ()}).fit(X, values),
            "not fitted": MDLAMClassifier(alpha=0.5),
        }


# Samples that a stream, or a fit, has seen when it is stored; the rest comes in chunks of 40.
SEEN, CHUNK = 120, 40


def streams():
    """Estimators by name, each with its samples."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(240, 4)) @ rng.normal(size=(4, 4)) + 1.0
    X[:SEEN, 3] = 0.5  # comes to life after the storing
    values = 3.0 * np.tanh(X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=240) + 10.0
    classes = np.digitize(values, np.quantile(values, [0.3, 0.7]))
    counts = rng.poisson(np.exp(np.tanh(X[:, 0]) + 1.0)).astype(np.float32)
    indicator = np.column_stack([values > 10, X[:, 1] > 1]).astype(int)
    few = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 15}
    return {
        "classes, a stream": (MDLAMClassifier(**few), X, classes),
        "counts in float32, a stream": (
            MDLAMRegressor(**few, loss="poisson"),
            X.astype(np.float32),
            counts,
        ),
        "l1, a stream": (MDLAMRegressor(**few, penalty="l1", alpha=1.0), X, values),
        "multilabel, a stream": (MDLAMClassifier(**few), X, indicator),
        "huber, a stream": (MDLAMRegressor(**few, loss="huber"), X, values),
        "a stream after a fit": (MDLAMRegressor(**few), X, values),
        "two layers, a fit": (
            MDLAMRegressor(**few | {"hidden_layer_sizes": (5, 4)}),
            X,
            values,
        ),
    }


def learn(estimator, X, y, start, stop):
    """Let it see these samples, chunk by chunk."""
    for at in range(start, stop, CHUNK):
        options = {}
        if not hasattr(estimator, "coefs_") and isinstance(estimator, MDLAMClassifier):
            options = {"classes": np.unique(y)} if y.ndim == 1 else {}
        estimator.partial_fit(X[at : at + CHUNK], y[at : at + CHUNK], **options)


def said_of(estimator, X):
    """Outputs of the last layer, but for the link of a regression."""
    how = "decision_function" if isinstance(estimator, MDLAMClassifier) else "predict"
    return getattr(estimator, how)(X)


def stored_streams():
    """By name: pickle, samples, targets, and what the estimator said at three points."""
    stored = {}
    for name, (estimator, X, y) in streams().items():
        fitted = {"two layers, a fit": SEEN, "a stream after a fit": CHUNK}.get(name, 0)
        if fitted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                estimator.fit(X[:fitted], y[:fitted])
        learn(estimator, X, y, fitted, SEEN)
        pickled, said = pickle.dumps(estimator, protocol=4), [said_of(estimator, X)]
        for start, stop in ((SEEN, SEEN + CHUNK), (SEEN + CHUNK, len(X))):
            learn(estimator, X, y, start, stop)
            said.append(said_of(estimator, X))
        stored[name] = pickled, X, y, said
    return stored


def write(name, content):
    """Write a file beside this one, if it is not there."""
    path = Path(__file__).with_name(f"{name}-{skmdlam.__version__}.pkl")
    if not path.exists():
        path.write_bytes(pickle.dumps(content, protocol=4))
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    """Fit, predict, store."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    values = np.tanh(X[:, 0]) + 0.1 * rng.normal(size=60)
    classes = np.digitize(values, [-0.4, 0.4])
    stored = {}
    for name, estimator in estimators(X, classes, values).items():
        said = {}
        if hasattr(estimator, "coefs_"):
            seen = with_categories(X) if name == "categories and gaps" else X
            for method in ("predict", "predict_proba", "transform"):
                if hasattr(estimator, method):
                    said[method] = getattr(estimator, method)(seen)
        # A pickle each: one that is refused does not keep the others from being loaded.
        stored[name] = pickle.dumps(estimator, protocol=4), said
    write("stored", (X, stored))
    write("stored-streams", stored_streams())


if __name__ == "__main__":
    main()
