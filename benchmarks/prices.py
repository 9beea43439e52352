"""Strength of penalty="l1" and penalty="group" on each feature, relative to the automatic one.

    python benchmarks/prices.py [--data DIR] [--only NAME ...] [--seeds N] [--threads N]

The first 2,000 training samples of each data set in DIR (see ``benchmarks/tabular.py``; without it
those bundled with scikit-learn), and 600 of them with additional useless normal features, as many
as there are and 20 at least. ``penalty="group"`` and ``"l1"`` in full-batch mode with four
strengths (``Tuned.input_price``), against the fit with "l2": the difference in the test score, and
which fraction of the features ends with no weight at all.

Writes ``README.md`` and ``scores.csv`` into ``benchmarks/results/prices`` (``--out``).
"""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.exceptions import ConvergenceWarning
from tabular import data_sets, split
from threadpoolctl import threadpool_limits

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor
from skmdlam.engine.constants import CONSTANTS

ROWS, FEW_ROWS, LEAST_USELESS = 2000, 600, 20
PENALTIES, PRICES = ("group", "l1"), (1.0, 2.0, 3.0, 5.0)


def with_useless(X, X_test, seed):
    """Both with additional normal features, and the number of these."""
    rng = np.random.RandomState(seed)
    n_useless = max(LEAST_USELESS, X.shape[1])
    wider = [np.hstack([A, rng.standard_normal((len(A), n_useless))]) for A in (X, X_test)]
    return *wider, n_useless


def model_of(task, penalty, price, seed):
    """Make an estimator with this strength."""
    tuned = CONSTANTS.tuned if price is None else replace(CONSTANTS.tuned, input_price=price)
    kind = MDLAMClassifier if task == "classification" else MDLAMRegressor
    return kind(
        penalty=penalty,
        solver=Feasible(constants=replace(CONSTANTS, tuned=tuned)),
        batch_size=None,
        random_state=seed,
    )


def measure(name, task, X, y, seed):
    """Rows of all strengths, on a data set as it is and with useless features."""
    X, X_test, y, y_test = split(task, X, y, seed)
    rows = []
    for n_rows, useless in ((ROWS, False), (FEW_ROWS, True)):
        A, A_test, b, n_useless = X[:n_rows], X_test, y[:n_rows], 0
        if useless:
            A, A_test, n_useless = with_useless(A, A_test, seed)
        usual = model_of(task, "l2", None, seed).fit(A, b).score(A_test, y_test)
        for penalty in PENALTIES:
            for price in PRICES:
                model = model_of(task, penalty, price, seed).fit(A, b)
                zero = model.coefs_[0] == 0
                dropped = zero.all(axis=1)
                rows.append(
                    {
                        "table": name,
                        "seed": seed,
                        "useless": n_useless,
                        "penalty": penalty,
                        "price": price,
                        "l2": usual,
                        "difference": model.score(A_test, y_test) - usual,
                        "zeros": zero.mean(),
                        "dropped": dropped[: len(dropped) - n_useless].mean(),
                        "dropped_useless": dropped[-n_useless:].mean() if n_useless else None,
                    }
                )
    return rows


def report(rows):
    """A table of means for each penalty and strength, with and without useless features."""
    parts = [
        "# Strength of sparsity-inducing penalties\n\n"
        f"Command: `{command_line(__file__)}`\n\n{environment()}\n\n"
        'Test scores (accuracy or R²) are compared with those of `penalty="l2"`; weights and '
        "features are those of the first layer, as fractions of their number. The default strength "
        f"is {CONSTANTS.tuned.input_price:g}.\n"
    ]
    for useless, title in ((False, "Original data sets"), (True, "With useless features")):
        lines = []
        for penalty in PENALTIES:
            for price in PRICES:
                part = [
                    row
                    for row in rows
                    if (row["penalty"], row["price"], row["useless"] > 0)
                    == (penalty, price, useless)
                ]
                keys = ["difference", "zeros", "dropped"] + ["dropped_useless"] * useless
                means = [np.mean([row[key] for row in part]) for key in keys]
                worst = min(row["difference"] for row in part)
                lines.append(
                    [f"{penalty}, {price:g}", number(means[0], 4), number(worst, 3)]
                    + [number(mean, 2) for mean in means[1:]]
                )
        header = ["penalty, strength", "mean score minus that of l2", "worst", "zero weights"]
        header += ["features dropped"] if not useless else ["others dropped", "useless dropped"]
        parts.append(f"## {title}\n\n{table(header, lines)}")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of data sets")
    parser.add_argument("--only", nargs="+", help="names of some of them")
    parser.add_argument("--seeds", type=int, default=1, help="number of splits (1)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS (1)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "prices")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(limits=arguments.threads):
        rows = []
        for name, task, X, y in data_sets(arguments.data, arguments.only):
            for seed in range(arguments.seeds):
                rows += measure(name, task, X, y, seed)
                print(name, seed, flush=True)
        text = report(rows)
    write_results(arguments.out, text, rows)
    print(text)


if __name__ == "__main__":
    main()
