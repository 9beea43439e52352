"""
Compare with MLPClassifier and gradient boosting
================================================

``MDLAMClassifier`` is a drop-in replacement for ``MLPClassifier``. How does it compare in
accuracy and fit time? Six small data sets, three splits each, with all classifiers at their
default parameters: MDLAMClassifier, MLPClassifier with two of its solvers, and
HistGradientBoostingClassifier. ``benchmarks/tabular.py`` does the same on 48 real data sets.
"""

# %%
# Data sets and classifiers
# -------------------------
# MLPClassifier gets scaled features, which it needs and MDLAMClassifier does not. The last three
# data sets are synthetic and chosen to be hard: clusters with 45 uninformative features of 50,
# the parity of three features of eight, and two spirals.

import sys
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

threadpool_limits(limits=1)  # small products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # one split, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # Adam stops at max_iter


def spirals(n, rng):
    turn = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, n))
    y = rng.integers(0, 2, n)
    X = np.column_stack([np.cos(turn + np.pi * y), np.sin(turn + np.pi * y)]) * turn[:, None]
    return X + rng.normal(0, 0.3, X.shape), y


def parity(n, rng):
    X = rng.normal(size=(n, 8))
    return X, (X[:, :3] > 0).sum(axis=1) % 2


rng = np.random.default_rng(0)
data_sets = {
    "digits": load_digits(return_X_y=True),
    "breast cancer": load_breast_cancer(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "clusters": make_classification(1000, 50, n_informative=5, n_redundant=0, random_state=0),
    "parity": parity(1000, rng),
    "spirals": spirals(600, rng),
}
classifiers = {
    "MDLAMClassifier": MDLAMClassifier(),
    "MLPClassifier, adam": make_pipeline(StandardScaler(), MLPClassifier()),
    "MLPClassifier, lbfgs": make_pipeline(StandardScaler(), MLPClassifier(solver="lbfgs")),
    "HistGradientBoosting": HistGradientBoostingClassifier(),
}
seeds = range(1 if quick else 3)
accuracy = {name: np.zeros((len(data_sets), len(seeds))) for name in classifiers}
seconds = {name: np.zeros((len(data_sets), len(seeds))) for name in classifiers}
for i, (X, y) in enumerate(data_sets.values()):
    for seed in seeds:
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
        for name, model in classifiers.items():
            last = model[-1] if hasattr(model, "steps") else model
            last.set_params(random_state=seed)
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds[name][i, seed] = time.perf_counter() - start
            accuracy[name][i, seed] = model.score(X_test, y_test)

print(f"{'accuracy':24}" + "".join(f"{name:>15}" for name in data_sets))
for name, values in accuracy.items():
    print(f"{name:24}" + "".join(f"{value:15.3f}" for value in values.mean(axis=1)))
print(f"{'seconds':24}" + "".join(f"{name:>15}" for name in data_sets))
for name, values in seconds.items():
    print(f"{name:24}" + "".join(f"{value:15.2f}" for value in np.median(values, axis=1)))

# %%
# Test error
# ----------
# Small markers are single splits, the large one is their mean. On the three small real data sets
# the differences are within the variation between splits. On the synthetic ones MDLAMClassifier
# is better than Adam, which stops at ``max_iter``; L-BFGS is as good on the spirals. Gradient
# boosting, which splits one feature at a time, is the best on parity and on wine.

looks = {
    "MDLAMClassifier": ("#0072B2", "o"),
    "MLPClassifier, adam": ("#D55E00", "s"),
    "MLPClassifier, lbfgs": ("#E69F00", "^"),
    "HistGradientBoosting": ("0.45", "v"),
}


def draw(measured, xlabel):
    """Values of all splits and their mean, by data set and classifier."""
    figure, axis = plt.subplots(figsize=(7, 4.8), layout="constrained")
    for k, (name, (color, marker)) in enumerate(looks.items()):
        place, values = np.arange(len(data_sets)) + 0.18 * (k - 1.5), measured[name]
        style = {"color": color, "marker": marker, "linestyle": "none"}
        axis.plot(values.ravel(), np.repeat(place, len(seeds)), markersize=3, alpha=0.5, **style)
        axis.plot(values.mean(axis=1), place, markersize=8, label=name, **style)
    axis.set_yticks(range(len(data_sets)), data_sets)
    axis.invert_yaxis()
    axis.set_xlabel(xlabel)
    for place in range(len(data_sets) - 1):
        axis.axhline(place + 0.5, color="0.9", linewidth=1)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return axis


draw({name: 1 - values for name, values in accuracy.items()}, "test error (lower is better)")
plt.show()

# %%
# Fit time
# --------
# L-BFGS is the fastest of the networks on all data sets.

axis = draw(seconds, "fit time in seconds (lower is better)")
axis.set_xscale("log")
axis.xaxis.set_major_formatter("{x:g}")
plt.show()
