"""
Hyperparameter search in a pipeline
===================================

``MDLAMClassifier`` as the last step of a pipeline that imputes, scales and encodes mixed
features. ``GridSearchCV`` searches ``activity_alpha``, ``rho`` and ``alpha`` of the default
solver, and ``rho``, ``epsilon`` and ``alpha`` of ``solver="relaxed"``. ``cross_validate``
compares the chosen models with an ``MLPClassifier`` from a grid of the same size, and with the
default parameters.

The data set is synthetic. To use the Adult census data instead, give the folder that contains
``tab/adult_raw.csv``::

    python examples/plot_grid_search.py --data DIR
"""

# %%
# A data set of mixed types
# -------------------------
# Numeric features of very different scales, with missing values, and categorical features. Half of
# the samples are used to choose hyperparameters, the other half to compare the chosen models.

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

parser = argparse.ArgumentParser(description="Grid search over a pipeline of mixed types.")
parser.add_argument("--data", type=Path, metavar="DIR", help="folder of tab/adult_raw.csv")
parser.add_argument("--rows", type=int, default=1200, help="samples to use (default: 1200)")
parser.add_argument("--quick", action="store_true", help="few iterations, to check that it runs")
arguments = parser.parse_args()

# Small matrix products are fastest on one thread.
threadpool_limits(limits=1)

# Most fits stop at max_iter, as intended: it bounds the time of the search.
warnings.simplefilter("ignore", ConvergenceWarning)


def customers(n, rng):
    """Synthetic customers, who renew their plan or do not."""
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": np.round(rng.lognormal(10.3, 0.6, n), -2),
            "months": rng.exponential(24, n).round(1),
            "visits": rng.poisson(4, n),
            "plan": rng.choice(["basic", "family", "premium"], n, p=[0.5, 0.3, 0.2]),
            "region": rng.choice(["east", "north", "south", "west"], n),
        }
    )
    leaning = (
        np.sin(table["age"] / 10)
        + 1.5 * np.tanh(table["visits"] - 4) * (table["plan"] == "basic")
        + np.abs(np.log(table["income"]) - 10.3) * (table["plan"] != "basic")
        + 0.8 * (table["region"] == "north")
        - 0.03 * np.abs(table["months"] - 24)
    )
    renewed = leaning + rng.logistic(0, 0.25, n) > leaning.median()
    table.loc[rng.random(n) < 0.1, "income"] = np.nan
    return table, np.where(renewed, "renewed", "left")


def adult(folder, n):
    """Read Adult: does a person earn more than 50,000 dollars a year?"""
    table = pd.read_csv(folder / "tab" / "adult_raw.csv", header=None, skipinitialspace=True)
    table.columns = table.columns.astype(str)
    table = table.sample(min(n, len(table)), random_state=0)
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy()


if arguments.data is None:
    X, y = customers(arguments.rows, np.random.default_rng(0))
else:
    X, y = adult(arguments.data, arguments.rows)
X_choose, X_compare, y_choose, y_compare = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
print(
    f"{'Synthetic' if arguments.data is None else 'Adult'}: {X.shape[0]} samples; the first three:"
)
print(X.head(3).to_string(index=False))

# %%
# One pipeline for all classifiers
# --------------------------------
# ``set_params`` names such as ``mdlamclassifier__rho`` reach the classifier in the pipeline.


def pipeline(classifier):
    """Impute, scale and encode, then classify."""
    columns = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                make_column_selector(dtype_include="number"),
            ),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore"),
                make_column_selector(dtype_exclude="number"),
            ),
        ]
    )
    return make_pipeline(columns, classifier)


def limit(max_iter):
    """Return ``max_iter``, or few iterations with ``--quick``."""
    return min(max_iter, 20) if arguments.quick else max_iter


feasible = MDLAMClassifier(max_iter=limit(200), random_state=0)
relaxed = MDLAMClassifier(solver="relaxed", tol=0, max_iter=limit(100), random_state=0)
mlp = MLPClassifier(max_iter=limit(200), random_state=0)
candidates = {
    "MDLAMClassifier": (
        feasible,
        {"activity_alpha": ["auto", 1.0, 10.0], "rho": [10.0, 30.0, 100.0], "alpha": [1e-4, 1.0]},
    ),
    "MDLAMClassifier, relaxed": (
        relaxed,
        {"epsilon": [0.001, 0.01, 0.1], "rho": [0.01, 0.1, 1.0], "alpha": [1e-4, 0.01]},
    ),
    "MLPClassifier": (
        mlp,
        {
            "learning_rate_init": [0.0001, 0.001, 0.01],
            "batch_size": [50, 100, 200],
            "alpha": [1e-4, 1.0],
        },
    ),
}

searches = {}
for name, (classifier, grid) in candidates.items():
    step = type(classifier).__name__.lower()
    search = GridSearchCV(
        pipeline(classifier),
        {f"{step}__{parameter}": values for parameter, values in grid.items()},
        cv=3,
    )
    searches[name] = search.fit(X_choose, y_choose)
    chosen = ", ".join(
        f"{parameter.removeprefix(step + '__')}={value}"
        for parameter, value in search.best_params_.items()
    )
    print(f"{name}: accuracy {search.best_score_:.3f} in the search with {chosen}")

# %%
# Comparison on held-out samples
# ------------------------------
# The same five folds of the other half of the samples for all. The last line is a constant
# prediction of the most frequent class.

compared = {f"{name}, chosen": search.best_estimator_ for name, search in searches.items()}
compared["MDLAMClassifier, defaults"] = pipeline(feasible)
compared["MLPClassifier, defaults"] = pipeline(mlp)

print()
print(f"{'5 folds, mean (std)':33}{'accuracy':>16}{'ROC AUC':>16}{'fit seconds':>16}")
for name, model in compared.items():
    scores = cross_validate(
        model, X_compare, y_compare, cv=5, scoring=["accuracy", "roc_auc"], error_score="raise"
    )
    accuracy, area = (
        f"{scores[key].mean():.3f} ({scores[key].std():.3f})"
        for key in ("test_accuracy", "test_roc_auc")
    )
    print(f"{name:33}{accuracy:>16}{area:>16}{scores['fit_time'].mean():>16.2f}")
frequent = np.unique(y_compare, return_counts=True)[1].max() / len(y_compare)
print(f"{'most frequent class':33}{f'{frequent:.3f}        ':>16}{'0.500        ':>16}")

# %%
# Scores over the grids
# ---------------------
# A row for each solver, a heat map for each ``alpha``; the frame marks the chosen parameters. For
# the default solver ``rho`` is only an initial value.

figure, axes = plt.subplots(2, 2, figsize=(7, 6), layout="constrained")
searched = ["MDLAMClassifier", "MDLAMClassifier, relaxed"]
accuracies = [searches[name].cv_results_["mean_test_score"] for name in searched]
lowest, highest = np.min(accuracies), np.max(accuracies)
for name, scores, row in zip(searched, accuracies, axes, strict=True):
    grid = candidates[name][1]
    other = next(parameter for parameter in grid if parameter not in ("alpha", "rho"))
    # GridSearchCV runs through the parameters in alphabetical order, the last one fastest.
    order = sorted(grid)
    scores = scores.reshape([len(grid[parameter]) for parameter in order])
    best = np.unravel_index(searches[name].best_index_, scores.shape)
    best = dict(zip(order, best, strict=True))
    scores = np.moveaxis(scores, [order.index(p) for p in ("alpha", other, "rho")], [0, 1, 2])
    for k, axis in enumerate(row):
        image = axis.imshow(scores[k], cmap="cividis", vmin=lowest, vmax=highest)
        for (i, j), value in np.ndenumerate(scores[k]):
            color = "white" if image.norm(value) < 0.5 else "black"
            axis.text(j, i, f"{value:.3f}", ha="center", va="center", color=color)
        axis.set_xticks(range(len(grid["rho"])), [f"{value:g}" for value in grid["rho"]])
        axis.set_yticks(range(len(grid[other])), [str(value) for value in grid[other]])
        title = f"solver={name.partition(', ')[2] or 'feasible'}, alpha={grid['alpha'][k]:g}"
        axis.set(title=title, xlabel="rho", ylabel=other)
        if k == best["alpha"]:
            corner = best["rho"] - 0.5, best[other] - 0.5
            for color, width in (("black", 5), ("white", 2)):
                frame = plt.Rectangle(corner, 1, 1, fill=False, edgecolor=color, linewidth=width)
                axis.add_patch(frame)
                frame.set(zorder=3, clip_on=False)
figure.colorbar(image, ax=axes, label="accuracy (mean of 3 folds)", shrink=0.8)
figure.savefig("plot_grid_search.png", dpi=150)
print("\nFigure: plot_grid_search.png")
