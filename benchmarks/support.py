"""Recovered support: which features does a penalty select, when the relevant ones are known?

    python benchmarks/support.py [--seeds N] [--threads N]

1,000 samples for training, 1,000 to choose ``alpha`` and 4,000 for the test, of 30 normal features,
5 of which are relevant: regression and classification, linear and nonlinear (sin, an absolute
value, a product of two features, a threshold). ``penalty="group"`` and ``penalty="l1"``, 50 hidden
units, over a grid of alpha. A feature counts as selected when any of its weights is not exactly
zero. "Top 5" is the fraction of relevant features among the five with the largest norms of weights.

Baselines, with as long a grid each: Lasso or LogisticRegression with l1; MLPRegressor or
MLPClassifier (Adam, early stopping), whose l2 penalty cannot select; and the permutation importance
of a random forest on the validation samples, where a feature counts when its mean over 5
permutations is above two standard deviations.

Of each path the one alpha is reported that an analyst would take: the largest whose validation
score is within one standard error of the best one (as in glmnet).

Writes ``README.md``, ``scores.csv`` and ``support.png`` into ``benchmarks/results/support``
(``--out``).
"""

import argparse
import time
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import sklearn
from report import command_line, environment, number, spread, table, write_results
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

mpl.use("Agg")
import matplotlib.pyplot as plt

INPUTS, RELEVANT, ROWS, TEST_ROWS, UNITS = 30, 5, 1000, 4000, 50
PROBLEMS = [
    "linear regression",
    "nonlinear regression",
    "linear classification",
    "nonlinear classification",
]
ALPHAS = {
    "group": np.geomspace(0.3, 100.0, 9),
    "l1": np.geomspace(0.3, 100.0, 9),
    "linear, l1": np.geomspace(1.0, 300.0, 9),
    "MLP, l2": np.geomspace(1e-3, 300.0, 9),
}
COLORS = {"group": "#0072b2", "l1": "#e69f00", "linear, l1": "#009e73", "MLP, l2": "#cc79a7"}

# Methods as they are shown, by their name in scores.csv.
NAMES = {
    "group": 'skmdlam, "group"',
    "l1": 'skmdlam, "l1"',
    "linear, l1": "linear, l1",
    "MLP, l2": "MLP (Adam), l2",
    "forest, permutation": "random forest, permutation importance",
}


def data(problem, seed):
    """Draw training, validation and test samples: three pairs (X, y)."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((2 * ROWS + TEST_ROWS, INPUTS))
    if problem.startswith("linear"):
        signal = X[:, :RELEVANT] @ [1.0, -1.0, 0.8, -0.6, 0.5]
    else:
        signal = np.sin(1.5 * X[:, 0]) + np.abs(X[:, 1]) + X[:, 2] * X[:, 3] + (X[:, 4] > 0)
        signal = signal - signal.mean()
    y = signal + 0.5 * rng.standard_normal(len(X))
    if problem.endswith("classification"):
        y = (y > 0).astype(int)
    return [
        (X[part], y[part]) for part in (slice(ROWS), slice(ROWS, 2 * ROWS), slice(2 * ROWS, None))
    ]


def model_of(method, problem, alpha, seed):
    """Make an estimator; alpha of the linear ones goes with a sum over samples, as in skmdlam."""
    regression = problem.endswith("regression")
    if method == "linear, l1":
        if regression:
            return Lasso(alpha / ROWS)
        # l1 in every version: l1_ratio alone says so from 1.8 on, and was "elasticnet" before.
        old = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8)
        return LogisticRegression(
            **({"penalty": "l1"} if old else {"l1_ratio": 1.0}),
            C=1.0 / alpha,
            solver="saga",
            max_iter=5000,
            tol=1e-4,
        )
    if method == "MLP, l2":
        network = MLPRegressor if regression else MLPClassifier
        return network(
            hidden_layer_sizes=(UNITS,),
            alpha=alpha,
            early_stopping=True,
            max_iter=500,
            random_state=seed,
        )
    network = MDLAMRegressor if regression else MDLAMClassifier
    return network(
        hidden_layer_sizes=(UNITS,), penalty=method, alpha=alpha, max_iter=300, random_state=seed
    )


def importance(model):
    """Norm of the weights of each feature; exactly zero where the model does not use it."""
    if hasattr(model, "coefs_"):
        return np.linalg.norm(model.coefs_[0], axis=1)
    return np.linalg.norm(np.atleast_2d(model.coef_), axis=0)


def share_of_top(sizes):
    """Fraction of relevant features among the five largest."""
    return float(np.mean(np.argsort(-sizes, kind="stable")[:RELEVANT] < RELEVANT))


def recovery(used):
    """Precision and recall of the features that are used; the precision of none is 1."""
    right = used[:RELEVANT].sum()
    return float(right / used.sum()) if used.any() else 1.0, float(right / RELEVANT)


def standard_error(model, X, y):
    """Standard error of a score: the mean of losses over rows, relative to the variance of y."""
    if hasattr(model, "classes_"):
        losses = (model.predict(X) != y).astype(float)
    else:
        losses = (model.predict(X) - y) ** 2 / y.var()
    return float(losses.std(ddof=1) / np.sqrt(len(y)))


def row_of(problem, seed, method, alpha, model, sizes, used, parts, seconds):
    precision, recall = recovery(used)
    (X_choose, y_choose), (X_test, y_test) = parts[1:]
    return {
        "problem": problem,
        "seed": seed,
        "method": method,
        "alpha": alpha,
        "selected": int(used.sum()),
        "precision": precision,
        "recall": recall,
        "top": share_of_top(sizes),
        "validation": model.score(X_choose, y_choose),
        "error": standard_error(model, X_choose, y_choose),
        "test": model.score(X_test, y_test),
        "seconds": seconds,
    }


def measure(problem, seed):
    """Rows of all methods on one data set, the paths whole."""
    parts, rows = data(problem, seed), []
    X, y = parts[0]
    for method, alphas in ALPHAS.items():
        for alpha in alphas:
            clock = time.perf_counter()
            model = model_of(method, problem, alpha, seed).fit(X, y)
            seconds = time.perf_counter() - clock
            sizes = importance(model)
            rows.append(
                row_of(problem, seed, method, alpha, model, sizes, sizes > 0, parts, seconds)
            )
    forest = RandomForestRegressor if problem.endswith("regression") else RandomForestClassifier
    clock = time.perf_counter()
    model = forest(random_state=seed).fit(X, y)
    found = permutation_importance(model, *parts[1], n_repeats=5, random_state=seed)
    seconds = time.perf_counter() - clock
    sizes = found.importances_mean
    used = sizes > 2 * found.importances_std
    rows.append(
        row_of(problem, seed, "forest, permutation", None, model, sizes, used, parts, seconds)
    )
    return rows


def chosen(rows):
    """Of a path, the row of the largest alpha within one standard error of the best."""
    best = max(rows, key=lambda row: row["validation"])
    good = [row for row in rows if row["validation"] >= best["validation"] - best["error"]]
    return max(good, key=lambda row: row["alpha"] or 0.0)


def choices(rows, problem, method):
    """The chosen row of each seed."""
    part = [row for row in rows if row["problem"] == problem and row["method"] == method]
    seeds = sorted({row["seed"] for row in part})
    return [chosen([row for row in part if row["seed"] == seed]) for seed in seeds]


def draw(rows, path):
    """Precision and recall, and test scores, over alpha: a column a problem."""
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.2), sharex=True, layout="constrained")
    for column, problem in enumerate(PROBLEMS):
        top, bottom = axes[:, column]
        for method in ("group", "l1"):
            part = [row for row in rows if row["problem"] == problem and row["method"] == method]
            alphas = ALPHAS[method]

            def mean(key, part=part, alphas=alphas):
                return [np.mean([r[key] for r in part if r["alpha"] == a]) for a in alphas]

            top.plot(alphas, mean("precision"), "o-", ms=4, c=COLORS[method],
                     label=f"{NAMES[method]}, precision")  # fmt: skip
            top.plot(alphas, mean("recall"), "s--", ms=4, c=COLORS[method], mfc="white",
                     label=f"{NAMES[method]}, recall")  # fmt: skip
            bottom.plot(alphas, mean("test"), "o-", ms=4, c=COLORS[method], label=NAMES[method])
        for method, style in (
            ("linear, l1", "-."),
            ("MLP, l2", ":"),
            ("forest, permutation", "--"),
        ):
            score = np.mean([row["test"] for row in choices(rows, problem, method)])
            label = f"{NAMES[method]}, chosen alpha" if method in ALPHAS else NAMES[method]
            bottom.axhline(score, ls=style, lw=1.5, c=COLORS.get(method, "0.4"), label=label)
        top.set_title(problem)
        top.set_ylim(-0.04, 1.06)
        top.axhline(RELEVANT / INPUTS, c="0.8", lw=1, zorder=0)
        bottom.set_xscale("log")
        bottom.set_xlabel("alpha")
        low = min(np.max(line.get_ydata()) for line in bottom.lines)
        bottom.set_ylim(max(min(low - 0.1, 0.5), bottom.get_ylim()[0]), None)
    axes[0, 0].set_ylabel("precision and recall\nof the selected features")
    axes[1, 0].set_ylabel("test score (R² or accuracy)")
    axes[0, 0].annotate("precision of all features", (0.3, RELEVANT / INPUTS), (0, -11),
                        textcoords="offset points", color="0.5", fontsize=8)  # fmt: skip
    for axis, place, n_columns in ((axes[0, 0], "upper", 4), (axes[1, 0], "lower", 5)):
        figure.legend(
            *axis.get_legend_handles_labels(),
            loc=f"outside {place} center",
            ncols=n_columns,
            frameon=False,
        )
    figure.savefig(path, dpi=120)
    plt.close(figure)


REPORT = """\
# Recovered support

Command: `{command}`

{machine}

{rows} training samples of {inputs} standard normal features, {relevant} of which are relevant;
{seeds} draws of the data, {threads} BLAS thread(s). Mean (and standard deviation of the test score)
over the draws, at the largest alpha within one standard error of the best score on {rows}
validation samples. A feature counts as selected when any of its weights is not exactly zero; "Top
5" is the fraction of relevant features among the five with the largest norms of weights (random
forest: the largest importance).

{tables}
Lasso and LogisticRegression are the right models for the linear problems, and cannot fit the
others. The l2 penalty of an MLP selects nothing. A random forest with permutation importance is the
strongest baseline on the nonlinear problems: it selects better there, with a lower score.

On the linear problems "group" selects exactly the relevant features, with about the score of the
linear model. On the nonlinear ones no alpha does both: at the best score every feature is still in
use, and an alpha that drops the irrelevant features drops the product of two features first. The
cause is the training objective and not the optimization: from weights that use only the relevant
features the objective decreases by including the others. The norms of the weights still rank the
features ("Top 5"): select by them and fit again. "l1" removes weights rather than features, so it
drops features at a larger alpha.

![support](support.png)
"""


def main(arguments=None):
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2, help="draws of the data (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads (default: 1)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "support")
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limits are meant
        for problem in PROBLEMS:
            for seed in range(options.seeds):
                rows += measure(problem, seed)
    tables = []
    for problem in PROBLEMS:
        lines = []
        for method in [*ALPHAS, "forest, permutation"]:
            best = choices(rows, problem, method)

            def mean(key, best=best):
                return number(float(np.mean([row[key] for row in best])), 2)

            lines.append([
                NAMES[method], spread([row["test"] for row in best]), mean("precision"),
                mean("recall"), mean("top"),
                number(float(np.mean([row["selected"] for row in best])), 1), mean("seconds"),
            ])  # fmt: skip
        header = ["Method", "Test score", "Precision", "Recall", "Top 5", "Selected", "Seconds"]
        tables.append(f"## {problem.capitalize()}\n\n{table(header, lines)}")
    text = REPORT.format(
        command=command_line("support.py", arguments),
        machine=environment(),
        rows=ROWS,
        inputs=INPUTS,
        relevant=RELEVANT,
        seeds=options.seeds,
        threads=options.threads,
        tables="\n".join(tables),
    )
    write_results(options.out, text, rows)
    draw(rows, options.out / "support.png")


if __name__ == "__main__":
    main()
