"""Store fitted estimators, for tests/test_stored.py: do they load in later releases?

Run it once for a release, in the environment with the oldest supported dependencies, as pickles
of newer ones need not load in older ones::

    python -m pip install -c .ci/oldest.txt . && python tests/data/store.py

It writes ``stored-VERSION.pkl`` beside itself: for each estimator the pickle, some inputs and
what it said of them.
"""

import pickle
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import skmdlam
from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import LeakyReLU
from skmdlam.losses import Quantile
from skmdlam.penalties import ElasticNet


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
                (4, 3), activation=["tanh", LeakyReLU(0.1)], max_iter=20, random_state=0
            ).fit(X, values),
            "stream": MDLAMClassifier(**few).partial_fit(X, classes, classes=[0, 1, 2]),
            "stream of numbers": MDLAMRegressor(**few).fit(X, values).partial_fit(X, values),
            "poisson": MDLAMRegressor(**few, loss="poisson").fit(X, np.exp(values)),
            "not fitted": MDLAMClassifier(alpha=0.5),
        }


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
            for method in ("predict", "predict_proba", "transform"):
                if hasattr(estimator, method):
                    said[method] = getattr(estimator, method)(X)
        # A pickle each: one that is refused does not keep the others from being loaded.
        stored[name] = pickle.dumps(estimator, protocol=4), said
    path = Path(__file__).with_name(f"stored-{skmdlam.__version__}.pkl")
    path.write_bytes(pickle.dumps((X, stored), protocol=4))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
