"""Scale invariance: features multiplied by factors from 1e-6 to 1e6, and no scaler.

    python benchmarks/units.py --data DIR [--threads N]

Every feature is multiplied by 10^u, u uniform in [-6, 6], and the target of a regression by 1e6.
The test score of a fit on that, without a scaler, should be the one on the original data: for
skmdlam at its default settings, with ``alpha=1e-4`` (the default of MLPClassifier; it multiplies
the penalty on the weights in the original feature units), and for MLPClassifier and MLPRegressor,
which are compared with their own score after StandardScaler and with a standardized target. Data as
in tabular.py, one 75/25 split.

Writes ``README.md`` and ``scores.csv`` into ``benchmarks/results/units`` (``--out``).
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tabular import adam, data_sets
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

TOLERANCE = 0.005
LARGEST, TARGET_UNIT = 6.0, 1e6
MLP = "MLPClassifier, MLPRegressor"


def ours(task, seed, **options):
    network = MDLAMClassifier if task == "classification" else MDLAMRegressor
    return network(random_state=seed, **options)


def score(model, X, X_test, y, y_test):
    """Test score; an arbitrarily bad one where the numbers overflow."""
    try:
        return model.fit(X, y).score(X_test, y_test)
    except ValueError as error:  # scikit-learn's networks refuse to predict infinities
        if "infinity" not in str(error) and "non-finite" not in str(error):
            raise
        return -np.inf


def measure(name, task, X, y, seed):
    """A row: the score of each method on the data as they come and in other units."""
    stratify = y if task == "classification" else None
    parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=stratify)
    X, X_test, y, y_test = parts
    factor = 10.0 ** np.random.default_rng(seed).uniform(-LARGEST, LARGEST, X.shape[1])
    other = [X * factor, X_test * factor, y, y_test]
    standard = [*map(StandardScaler().fit(X).transform, (X, X_test)), y, y_test]
    if task == "regression":
        other[2:] = y * TARGET_UNIT, y_test * TARGET_UNIT
        standard[2:] = ((part - y.mean()) / y.std() for part in (y, y_test))
    return {
        "data set": name,
        "task": task,
        "ours": score(ours(task, seed), *parts),
        "ours, other units": score(ours(task, seed), *other),
        "ours, alpha 1e-4": score(ours(task, seed, alpha=1e-4), *parts),
        "ours, alpha 1e-4, other units": score(ours(task, seed, alpha=1e-4), *other),
        "MLP, standardized": score(adam(task, seed), *standard),
        "MLP": score(adam(task, seed), *parts),
        "MLP, other units": score(adam(task, seed), *other),
    }


PAIRS = {
    "skmdlam, defaults": ("ours", "ours, other units"),
    "skmdlam, alpha=1e-4": ("ours, alpha 1e-4", "ours, alpha 1e-4, other units"),
    f"{MLP}, against standardized": ("MLP, standardized", "MLP, other units"),
}
# Columns as they are shown, by their name in scores.csv.
NAMES = {
    "ours": "skmdlam",
    "ours, other units": "skmdlam, rescaled",
    "ours, alpha 1e-4": "skmdlam, alpha=1e-4",
    "ours, alpha 1e-4, other units": "skmdlam, alpha=1e-4, rescaled",
    "MLP, standardized": "MLP (Adam), standardized",
    "MLP": "MLP (Adam)",
    "MLP, other units": "MLP (Adam), rescaled",
}


def shown(value):
    """A score; R² far below 0 is as good as no model."""
    return number(value) if value >= -1 else "below -1"


def summary(rows):
    """A line for each method: how much rescaling changes the test score."""
    lines = []
    for name, (before, after) in PAIRS.items():
        drops = np.array([row[before] - max(row[after], -1.0) for row in rows])
        within = int(np.sum(np.abs(drops) <= TOLERANCE))
        worst = rows[int(np.argmax(np.abs(drops)))]
        lines.append(
            [
                name,
                f"{within} of {len(rows)}",
                number(float(np.median(np.abs(drops)))),
                f"{shown(worst[before])} to {shown(worst[after])} ({worst['data set']})",
            ]
        )
    header = ["", f"within {TOLERANCE}", "median change", "largest change"]
    return table(header, lines)


def details(rows):
    names = list(rows[0])[2:]
    lines = [[row["data set"], *(shown(row[name]) for name in names)] for row in rows]
    return table(["data set", *(NAMES[name] for name in names)], lines)


REPORT = """\
# Scale invariance

Command: `{command}`

{machine}

Test score (accuracy or R²) of fits without a scaler, on the original data and "rescaled": every
feature multiplied by 10^u, u uniform in [-6, 6], and the target of a regression by 1e6. One split.
"MLP (Adam)" is `MLPClassifier` or `MLPRegressor`; "standardized" is with StandardScaler, and a
target of mean 0 and variance 1.

{summary}
{details}
`alpha` multiplies the penalty on the weights in the original feature units: the weights of a
feature that is multiplied by 1e-6 are a million times larger, and so is their penalty. The default,
"auto", is 0 here, and the other penalties are scale-invariant.
"""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with INDEX.tsv and NAME.npz")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "units")
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # What MLPClassifier says of data in such units.
        warnings.simplefilter("ignore", RuntimeWarning)
        for name, task, X, y in data_sets(options.data, options.only):
            rows.append(measure(name, task, X, y, seed=0))
            print(details(rows[-1:]), file=sys.stderr, flush=True)
        machine = environment()
    if not rows:
        parser.error(f"no data set of that name: {options.only}")
    report = REPORT.format(
        command=command_line(__file__, arguments),
        machine=machine,
        summary=summary(rows),
        details=details(rows),
    )
    print(report)
    write_results(options.out, report, rows)


if __name__ == "__main__":
    main()
