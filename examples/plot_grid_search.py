"""
Search the hyperparameters in a pipeline
========================================

``MDLAMClassifier`` is an ordinary scikit-learn classifier: here it ends a pipeline that imputes,
scales and encodes mixed columns, ``GridSearchCV`` chooses its ``rho``, ``epsilon`` and ``alpha``,
and ``cross_validate`` puts it beside ``MLPClassifier`` in the same pipeline, chosen from a grid of
the same size.

The table is made up. To use the Adult census data instead, give the folder that holds
``tab/adult_raw.csv``::

    python examples/plot_grid_search.py --data DIR
"""

# %%
# A table of mixed columns
# ------------------------
# Numbers of very different sizes, some missing, and categories. Half of the rows choose the
# hyperparameters, the other half compares: nothing is judged on rows that it was chosen on.

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

parser = argparse.ArgumentParser(description="Grid search over a pipeline of mixed columns.")
parser.add_argument("--data", type=Path, metavar="DIR", help="folder of tab/adult_raw.csv")
parser.add_argument("--rows", type=int, default=1200, help="rows to use (default: 1200)")
parser.add_argument("--quick", action="store_true", help="few iterations, to see that it runs")
arguments = parser.parse_args()

# Products this small are fastest on one thread.
threadpool_limits(limits=1)

# Most fits stop at max_iter, which is meant: it bounds the time of the search.
warnings.simplefilter("ignore", ConvergenceWarning)


def customers(n, rng):
    """Make up customers of a shop, who renew their plan or do not."""
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
print(f"{'Made up' if arguments.data is None else 'Adult'}: {X.shape[0]} rows; the first three:")
print(X.head(3).to_string(index=False))

# %%
# One pipeline, two classifiers
# -----------------------------


def pipeline(classifier):
    """Put the columns in order, then classify."""
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


limit = (20, 20) if arguments.quick else (100, 200)
candidates = {
    "MDLAMClassifier": (
        MDLAMClassifier(solver="relaxed", tol=0, max_iter=limit[0], random_state=0),
        {"rho": [0.01, 0.1, 1.0], "epsilon": [0.001, 0.01, 0.1], "alpha": [0.0001, 0.01]},
    ),
    "MLPClassifier": (
        MLPClassifier(max_iter=limit[1], random_state=0),
        {
            "learning_rate_init": [0.0001, 0.001, 0.01],
            "batch_size": [50, 100, 200],
            "alpha": [0.0001, 0.01],
        },
    ),
}

searches = {}
for name, (classifier, grid) in candidates.items():
    step = name.lower()
    search = GridSearchCV(
        pipeline(classifier),
        {f"{step}__{parameter}": values for parameter, values in grid.items()},
        cv=3,
    )
    searches[name] = search.fit(X_choose, y_choose)
    chosen = ", ".join(
        f"{parameter.removeprefix(step + '__')}={value:g}"
        for parameter, value in search.best_params_.items()
    )
    print(f"{name}: accuracy {search.best_score_:.3f} in the search with {chosen}")

# %%
# Side by side
# ------------
# The same five folds of the other half of the rows for both. The last row guesses the more
# frequent class.

print()
print(f"{'5 folds, mean (std)':22}{'accuracy':>16}{'ROC AUC':>16}{'seconds a fit':>16}")
for name, search in searches.items():
    scores = cross_validate(
        search.best_estimator_, X_compare, y_compare, cv=5, scoring=["accuracy", "roc_auc"]
    )
    accuracy, area = (
        f"{scores[key].mean():.3f} ({scores[key].std():.3f})"
        for key in ("test_accuracy", "test_roc_auc")
    )
    print(f"{name:22}{accuracy:>16}{area:>16}{scores['fit_time'].mean():>16.2f}")
frequent = np.unique(y_compare, return_counts=True)[1].max() / len(y_compare)
print(f"{'the frequent class':22}{f'{frequent:.3f}        ':>16}{'0.500        ':>16}")

# %%
# The grid
# --------
# One map for each ``alpha``; the frame marks what the search chose.

search = searches["MDLAMClassifier"]
grid = candidates["MDLAMClassifier"][1]
shape = [len(grid[parameter]) for parameter in ("alpha", "epsilon", "rho")]
# GridSearchCV runs through the parameters in alphabetical order, the last one fastest.
accuracy = search.cv_results_["mean_test_score"].reshape(shape)
best = np.unravel_index(search.best_index_, shape)

figure, axes = plt.subplots(
    1, shape[0], figsize=(8, 4), sharey=True, layout="constrained", squeeze=False
)
for k, axis in enumerate(axes[0]):
    image = axis.imshow(accuracy[k], cmap="cividis", vmin=accuracy.min(), vmax=accuracy.max())
    for (i, j), value in np.ndenumerate(accuracy[k]):
        dark = image.norm(value) < 0.5
        axis.text(
            j, i, f"{value:.3f}", ha="center", va="center", color="white" if dark else "black"
        )
    axis.set_xticks(range(shape[2]), [f"{value:g}" for value in grid["rho"]])
    axis.set_yticks(range(shape[1]), [f"{value:g}" for value in grid["epsilon"]])
    axis.set(title=f"alpha = {grid['alpha'][k]:g}", xlabel="rho")
    if k == best[0]:
        corner = best[2] - 0.5, best[1] - 0.5
        axis.add_patch(
            plt.Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=5, zorder=3)
        )
        axis.add_patch(
            plt.Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=2, zorder=4)
        )
axes[0, 0].set_ylabel("epsilon")
figure.colorbar(image, ax=axes, label="accuracy, mean of 3 folds", shrink=0.8)
figure.savefig("plot_grid_search.png", dpi=150)
print("\nFigure: plot_grid_search.png")
