"""The full batch against lbfgs: the same objective, how low, and how soon.

    python benchmarks/full_batch.py --data DIR [--threads N]

One hidden layer of 100 relu units, ``alpha=1e-4``, ``activity_alpha=0``: what both minimise is then
the objective J of MLPClassifier and MLPRegressor. ``solver="lbfgs"`` runs at its defaults; ours,
``batch_size=None``, does as many sweeps at most. ``tol=0`` keeps ours from stopping before that, so
that its curve says when it is as low as lbfgs ends. The fit is then done once more with just that
many sweeps, and timed. Where it never is, the time of all sweeps counts. Data as in tabular.py,
training rows of one 75/25 split, standardised.

Writes ``README.md`` and ``scores.csv`` into ``benchmarks/results/full_batch`` (``--out``).
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.exceptions import ConvergenceWarning
from tabular import adam, data_sets, split
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor


def ours(task, seed, max_iter):
    network = MDLAMClassifier if task == "classification" else MDLAMRegressor
    return network(
        batch_size=None, alpha=1e-4, activity_alpha=0, max_iter=max_iter, tol=0, random_state=seed
    )  # fmt: skip


def timed_fit(model, X, y):
    clock = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - clock


def measure(name, task, X, y, seed):
    """A row: J of both, the sweep in which ours is as low, and the times."""
    X, X_test, y, y_test = split(task, X, y, seed)
    lbfgs = adam(task, seed, solver="lbfgs")
    seconds_lbfgs = timed_fit(lbfgs, X, y)
    J = lbfgs.loss_
    model = ours(task, seed, lbfgs.max_iter)
    seconds = timed_fit(model, X, y)
    curve = np.array(model.loss_curve_)
    low = np.flatnonzero(curve <= J)
    sweeps = int(low[0]) + 1 if low.size else None
    if sweeps is not None:
        seconds = timed_fit(ours(task, seed, sweeps), X, y)
    return {
        "data set": name,
        "rows": len(X),
        "J lbfgs": J,
        "J ours": curve[-1],
        "iterations lbfgs": lbfgs.n_iter_,
        "sweeps ours": sweeps,
        "sweeps at most": len(curve),
        "seconds lbfgs": seconds_lbfgs,
        "seconds ours": seconds,
        "test lbfgs": lbfgs.score(X_test, y_test),
        "test ours": model.score(X_test, y_test),
        "rises": int(np.sum(np.diff(curve) > 0)),
    }


def summary(rows):
    reached = sum(row["sweeps ours"] is not None for row in rows)
    ratios = np.array([row["seconds ours"] / row["seconds lbfgs"] for row in rows])
    lower = sum(row["J ours"] < row["J lbfgs"] for row in rows)
    rises = sum(row["rises"] for row in rows)
    return (
        f"J of lbfgs is reached on {reached} of {len(rows)} tables; the time for that is "
        f"{number(float(np.median(ratios)))} of lbfgs's in the median, "
        f"{number(float(ratios.min()))} to {number(float(ratios.max()))}. After as many sweeps as "
        f"lbfgs may do iterations, J is lower than its on {lower} of {len(rows)}. "
        f"J rose in {rises} sweeps.\n"
    )


def details(rows):
    header = ["data set", "rows", "J, lbfgs", "J, ours", "iterations, lbfgs", "sweeps to that J"]
    lines = [
        [
            row["data set"],
            f"{row['rows']:,}",
            f"{row['J lbfgs']:.3g}",
            f"{row['J ours']:.3g}",
            row["iterations lbfgs"],
            row["sweeps ours"] or f"not in {row['sweeps at most']}",
            number(row["seconds ours"] / row["seconds lbfgs"], 2),
            number(row["test lbfgs"]),
            number(row["test ours"]),
        ]
        for row in rows
    ]
    return table([*header, "time ratio", "test, lbfgs", "test, ours"], lines)


REPORT = """\
# The full batch against lbfgs

Command: `{command}`

{machine}

One hidden layer of 100 relu units, alpha 1e-4, activity_alpha 0, all training rows at once: the
objective J of `MLPClassifier` and `MLPRegressor`, which `solver="lbfgs"` minimises at its defaults.
"Sweeps to that J" is where our curve is first as low as lbfgs ends, and the time ratio that of a
fit with so many sweeps; of one with all sweeps where the curve never is. One split, one process,
{threads} thread(s), fits in turns. J and the test scores of ours are those after all sweeps.

{summary}
{details}
A lower J on the training rows is no better test score by itself: with activity_alpha 0 and so
small an alpha both overfit the small noisy tables. The default, `batch_size="auto"`, does not.
"""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with INDEX.tsv and NAME.npz")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "full_batch"
    )
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limits are meant
        for name, task, X, y in data_sets(options.data, options.only):
            rows.append(measure(name, task, X, y, seed=0))
            print(details(rows[-1:]), file=sys.stderr, flush=True)
        machine = environment()
    if not rows:
        parser.error(f"no data set of that name: {options.only}")
    report = REPORT.format(
        command=command_line(__file__, arguments),
        machine=machine,
        threads=options.threads,
        summary=summary(rows),
        details=details(rows),
    )
    print(report)
    write_results(options.out, report, rows)


if __name__ == "__main__":
    main()
