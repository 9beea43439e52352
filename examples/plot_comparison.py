"""
Beside MLPClassifier, table by table
====================================

``MDLAMClassifier`` goes where ``MLPClassifier`` goes. Is it better there, and how long does it
take? Here are six tables that scikit-learn brings along or that are made up, each split three
times, with all classifiers at their defaults: ours, MLPClassifier with two of its solvers, and
boosted trees, which are hard to beat on tables. ``benchmarks/tabular.py`` does the same on twenty
tables of real data.
"""

# %%
# Tables and classifiers
# ----------------------
# MLPClassifier gets scaled columns, which it needs and ours does not. The last three tables are
# made up, and chosen to be hard: blobs in which 45 of 50 columns say nothing, a parity of three
# columns of eight, and two spirals.

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

threadpool_limits(limits=1)  # products this small are fastest on one thread, and seconds compare
quick = "--quick" in sys.argv[1:]  # one split, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # Adam stops at its 200 epochs


def spirals(n, rng):
    turn = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, n))
    y = rng.integers(0, 2, n)
    X = np.column_stack([np.cos(turn + np.pi * y), np.sin(turn + np.pi * y)]) * turn[:, None]
    return X + rng.normal(0, 0.3, X.shape), y


def parity(n, rng):
    X = rng.normal(size=(n, 8))
    return X, (X[:, :3] > 0).sum(axis=1) % 2


rng = np.random.default_rng(0)
tables = {
    "digits": load_digits(return_X_y=True),
    "breast cancer": load_breast_cancer(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "blobs": make_classification(1000, 50, n_informative=5, n_redundant=0, random_state=0),
    "parity": parity(1000, rng),
    "spirals": spirals(600, rng),
}
classifiers = {
    "MDLAMClassifier": MDLAMClassifier(),
    "MLPClassifier, adam": make_pipeline(StandardScaler(), MLPClassifier()),
    "MLPClassifier, lbfgs": make_pipeline(StandardScaler(), MLPClassifier(solver="lbfgs")),
    "boosted trees": HistGradientBoostingClassifier(),
}
seeds = range(1 if quick else 3)
accuracy = {name: np.zeros((len(tables), len(seeds))) for name in classifiers}
seconds = {name: np.zeros((len(tables), len(seeds))) for name in classifiers}
for i, (X, y) in enumerate(tables.values()):
    for seed in seeds:
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
        for name, model in classifiers.items():
            last = model[-1] if hasattr(model, "steps") else model
            last.set_params(random_state=seed)
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds[name][i, seed] = time.perf_counter() - start
            accuracy[name][i, seed] = model.score(X_test, y_test)

print(f"{'accuracy':24}" + "".join(f"{table:>15}" for table in tables))
for name, values in accuracy.items():
    print(f"{name:24}" + "".join(f"{value:15.3f}" for value in values.mean(axis=1)))
print(f"{'seconds':24}" + "".join(f"{table:>15}" for table in tables))
for name, values in seconds.items():
    print(f"{name:24}" + "".join(f"{value:15.2f}" for value in np.median(values, axis=1)))

# %%
# Where it wins, and where it does not
# ------------------------------------
# Small marks are single splits, and the large one is their mean. On the small tables of real data
# all four are within what the split does. On the made-up ones ours is ahead of Adam, which comes to
# its limit of epochs; L-BFGS is as good on the spirals, and faster than ours everywhere. Trees,
# which split one column at a time, are the best on parity, and on wine.

looks = {
    "MDLAMClassifier": ("#0072B2", "o"),
    "MLPClassifier, adam": ("#D55E00", "s"),
    "MLPClassifier, lbfgs": ("#E69F00", "^"),
    "boosted trees": ("0.45", "v"),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
for k, (name, (colour, marker)) in enumerate(looks.items()):
    place = np.arange(len(tables)) + 0.18 * (k - 1.5)
    for values, axis in ((1 - accuracy[name], left), (seconds[name], right)):
        style = {"color": colour, "marker": marker, "linestyle": "none"}
        axis.plot(values.ravel(), np.repeat(place, len(seeds)), markersize=3, alpha=0.5, **style)
        axis.plot(values.mean(axis=1), place, markersize=8, label=name, **style)
left.set_yticks(range(len(tables)), tables)
left.invert_yaxis()
left.set_xlabel("test error (lower is better)")
right.set(xlabel="seconds of a fit (lower is better)", xscale="log")
right.xaxis.set_major_formatter("{x:g}")
for axis in (left, right):
    for place in range(len(tables) - 1):
        axis.axhline(place + 0.5, color="0.9", linewidth=1)
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()
