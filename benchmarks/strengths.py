"""Strength of the feature penalty by the noise in the targets.

    python benchmarks/strengths.py [--data DIR] [--seeds N] [--threads N]

Subsets of 300, 1,000, 3,000 and 9,000 samples (less than 80 % of a data set; three quarters of it
where that is less) of the data sets in DIR (see ``benchmarks/tabular.py``), of those bundled with
scikit-learn, and of four synthetic ones in which most features are useless; up to 8,000 other
samples are for the test. Features are standardized, and targets of a regression. Each is fitted
with six values of ``Feasible(column_alpha=...)`` and with the automatic one, all else by default.
The estimated ratio of noise to signal, which decides about the automatic value, is shown with them.
That ratio decides about the schedule too: two more fits have the step-size decay phase of low-noise
targets and the patience of high-noise ones whatever it is. Baselines: Adam with
``early_stopping=True``, and a linear model (RidgeCV, LogisticRegression), which is hard to beat
where there is much noise.

Writes ``README.md``, ``scores.csv`` and ``strengths.png`` into ``benchmarks/results/strengths``
(``--out``).
"""

import argparse
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.datasets import make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import StandardScaler
from tabular import adam, data_sets, ours
from threadpoolctl import threadpool_limits

from skmdlam import Feasible

mpl.use("Agg")
import matplotlib.pyplot as plt

ROWS, TEST_ROWS, MADE_ROWS = (300, 1000, 3000, 9000), 8000, 6000
STRENGTHS = (0.0, 0.75, 1.5, 3.0, 6.0, 12.0)
USUAL, AUTOMATIC = "0.75", "auto"
# Methods as they are shown, by their name in scores.csv.
NAMES = {
    "auto, cool-down 30": "auto, decay phase 30",
    "adam, stopped early": "MLP (Adam), early stopping",
    "linear": "linear model",
}
# Settings of the schedule that otherwise depend on the noise.
SCHEDULES = {"cool-down 30": Feasible(cool_down=30), "patience 3": Feasible(patience=3)}


def made():
    """Yield (name, task, X, y): friedman1, clusters, a noisy sum and a noisy product."""
    rng = np.random.RandomState(0)
    X, y = make_friedman1(MADE_ROWS, n_features=20, noise=2.0, random_state=0)
    yield "made: friedman1, 15 useless", "regression", X, y
    X, y = make_classification(
        MADE_ROWS, 40, n_informative=6, n_redundant=4, n_clusters_per_class=3, flip_y=0.1,
        random_state=0,
    )  # fmt: skip
    yield "made: clusters, 30 useless", "classification", X, y
    X = rng.standard_normal((MADE_ROWS, 50))
    yield "made: sum, 45 useless", "regression", X, X[:, :5].sum(1) + 3 * rng.randn(MADE_ROWS)
    X = rng.standard_normal((MADE_ROWS, 30))
    signal = X[:, 0] * X[:, 1] + 0.5 * rng.standard_normal(MADE_ROWS)
    yield "made: product, 28 useless", "classification", X, (signal > 0).astype(int)


def all_tables(folder, only):
    """Yield those of a folder, if there is one, the bundled and the synthetic ones."""
    if folder is not None:
        yield from data_sets(folder, only)
    yield from data_sets(None, only)
    yield from (row for row in made() if not only or row[0] in only)


def subsets(X, y, task, seeds):
    """Yield (seed, train, test) of every size, standardized."""
    for rows in ROWS:
        last = rows > 0.8 * len(X)
        n = int(0.75 * len(X)) if last else rows
        for seed in seeds:
            order = np.random.RandomState(100 + seed).permutation(len(X))
            train, test = order[:n], order[n : n + TEST_ROWS]
            if task != "classification" or set(y[test]) <= set(y[train]):
                scaler = StandardScaler().fit(X[train])
                target = y
                if task == "regression":
                    target = (y - y[train].mean()) / y[train].std()
                yield seed, *((scaler.transform(X[part]), target[part]) for part in (train, test))
        if last:
            return


def methods(task, seed):
    """Yield (name, estimator)."""
    for strength in STRENGTHS:
        yield f"{strength:g}", ours(task, seed, solver=Feasible(column_alpha=strength))
    yield AUTOMATIC, ours(task, seed)
    for name, solver in SCHEDULES.items():
        yield f"{AUTOMATIC}, {name}", ours(task, seed, solver=solver)
    yield "adam, stopped early", adam(task, seed, early_stopping=True)
    if task == "regression":
        yield "linear", RidgeCV(np.logspace(-1, 4, 6))
    else:
        yield "linear", LogisticRegression(max_iter=2000)


def measure(name, task, X, y, seeds):
    """Rows of one data set: a row for each size, seed and method."""
    rows = []
    for seed, (X_train, y_train), (X_test, y_test) in subsets(X, y, task, seeds):
        for method, model in methods(task, seed):
            model.fit(X_train, y_train)
            rows.append(
                {
                    "table": name,
                    "rows": len(X_train),
                    "columns": X.shape[1],
                    "seed": seed,
                    "method": method,
                    "ratio": getattr(model, "noise_ratio_", None),
                    "column_alpha": getattr(model, "column_alpha_", None),
                    "test": model.score(X_test, y_test),
                }
            )
    return rows


def summary(rows):
    """Means over seeds: a dict for each data set and size, in the order of the ratio."""
    groups = {}
    for row in rows:
        groups.setdefault((row["table"], row["rows"]), []).append(row)
    found = []
    for (name, n), part in groups.items():
        scores = {
            method: np.mean([row["test"] for row in part if row["method"] == method])
            for method in dict.fromkeys(row["method"] for row in part)
        }
        automatic = [row for row in part if row["method"] == AUTOMATIC]
        found.append(
            {
                "table": name,
                "rows": n,
                "ratio": np.exp(np.mean(np.log([row["ratio"] for row in automatic]))),
                "strength": np.mean([row["column_alpha"] for row in automatic]),
                "scores": scores,
            }
        )
    return sorted(found, key=lambda one: one["ratio"])


def gain(one, method):
    """Of a method over the usual strength, in thousandths."""
    return 1000 * (one["scores"][method] - one["scores"][USUAL])


def details(found):
    others = [method for method in found[0]["scores"] if method != USUAL]
    lines = [
        [
            one["table"].replace("made:", "synthetic:"),
            one["rows"],
            f"{one['ratio']:.3g}",
            f"{one['strength']:.2f}",
            number(one["scores"][USUAL]),
            *(f"{gain(one, method):+.0f}" for method in others),
        ]
        for one in found
    ]
    header = ["data set", "samples", "noise ratio", "auto is", f"score at {USUAL}"]
    header += [NAMES.get(method, method) for method in others]
    return table(header, lines)


def means(found):
    """Mean gains by range of the ratio; single ones count as 30 thousandths at most."""
    ranges = ((0.0, 0.1), (0.1, 0.5), (0.5, np.inf))
    kinds = (("real", False), ("synthetic", True))
    others = [method for method in found[0]["scores"] if method != USUAL]
    lines = []
    for kind, is_made in kinds:
        for low, high in ranges:
            part = [
                one
                for one in found
                if low <= one["ratio"] < high and one["table"].startswith("made") == is_made
            ]
            if part:
                gains = [
                    np.mean(np.clip([gain(one, method) for one in part], -30, 30))
                    for method in others
                ]
                title = f"{kind}, noise ratio {low:g} to {high:g}"
                lines.append([title, len(part), *(f"{value:+.1f}" for value in gains)])
    return table(["data sets", "subsets", *(NAMES.get(m, m) for m in others)], lines)


def draw(found, path):
    """The gain of each strength over the usual one, against the ratio."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
    for axis, method in zip(axes, ("3", "12", AUTOMATIC), strict=True):
        for is_made, color, marker in ((False, "#0072b2", "o"), (True, "#e69f00", "s")):
            part = [one for one in found if one["table"].startswith("made") == is_made]
            axis.scatter(
                [one["ratio"] for one in part],
                [np.clip(gain(one, method), -60, 60) for one in part],
                s=20, c=color, marker=marker, alpha=0.7, lw=0,
                label="synthetic data" if is_made else "real data",
            )  # fmt: skip
        axis.axhline(0.0, c="0.6", lw=1, zorder=0)
        axis.set_xscale("log")
        axis.set_xlabel("noise / signal (estimated)")
        axis.set_title(f"column_alpha = {method}")
    axes[0].set_ylabel(f"gain in test score over {USUAL},\nthousandths (clipped at ± 60)")
    axes[0].legend(loc="lower right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


REPORT = """\
# Strength of the feature penalty

Command: `{command}`

{machine}

Test scores (accuracy, R²), means over {seeds} draw(s), {threads} thread(s). "Noise ratio" is the
estimated ratio of noise to signal, which determines the automatic strength ("auto is"). The other
columns are differences from the score at `column_alpha` {usual}, in thousandths. The rule was
fitted to subsets of these data sets, in part with these draws: this page shows that the ratio
predicts where the penalty helps, not what the rule gains on other data.

{means}
Differences beyond 30 thousandths count as 30 in these means.

![strengths](strengths.png)

{details}"""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with INDEX.tsv and NAME.npz")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--seeds", type=int, default=2, help="number of draws")
    parser.add_argument("--threads", type=int, default=1, help="BLAS and OpenMP threads")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "strengths")
    options = parser.parse_args(arguments)

    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, task, X, y in all_tables(options.data, options.only):
            rows += measure(name, task, X, y, range(options.seeds))
            print(name, file=sys.stderr, flush=True)
        machine = environment()
    if not rows:
        parser.error(f"no data set of that name: {options.only}")
    found = summary(rows)
    report = REPORT.format(
        command=command_line(__file__, arguments),
        machine=machine,
        seeds=options.seeds,
        threads=options.threads,
        usual=USUAL,
        means=means(found),
        details=details(found),
    )
    write_results(options.out, report, rows)
    draw(found, options.out / "strengths.png")
    print(means(found))


if __name__ == "__main__":
    main()
