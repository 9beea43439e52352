"""Full-batch mode against L-BFGS: the same training objective, how low, and how soon.

    python benchmarks/full_batch.py --data DIR [--threads N]

One hidden layer of 100 relu units, ``alpha=1e-4``, ``activity_alpha=0``: what both minimize is then
the training objective J of MLPClassifier and MLPRegressor. ``solver="lbfgs"`` runs at its default
settings; skmdlam, with ``batch_size=None``, does as many iterations at most. ``tol=0`` keeps it
from stopping before that, so that its curve says when it is as low as L-BFGS ends. The fit is then
repeated with just that many iterations, and timed. Where it never gets there, the time of all
iterations counts. Data as in tabular.py, training samples of one 75/25 split, standardized.

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
    """A row: J of both, the iteration in which skmdlam is as low, and the times."""
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
        f"The final J of L-BFGS is reached on {reached} of {len(rows)} data sets; the time for "
        f"that is {number(float(np.median(ratios)))} of its time in the median, "
        f"{number(float(ratios.min()))} to {number(float(ratios.max()))}. With the same limit on "
        f"the number of iterations J ends lower than that of L-BFGS on {lower} of {len(rows)}. "
        f"J rose in {rises} iterations.\n"
    )


def details(rows):
    header = ["data set", "samples", "J, L-BFGS", "J, skmdlam", "iterations, L-BFGS"]
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
    header += ["iterations to that J, skmdlam", "time ratio"]
    return table([*header, "test score, L-BFGS", "test score, skmdlam"], lines)


REPORT = """\
# Full-batch mode against L-BFGS

Command: `{command}`

{machine}

One hidden layer of 100 relu units, alpha 1e-4, activity_alpha 0, full-batch mode: the training
objective J is that of `MLPClassifier` and `MLPRegressor`, which `solver="lbfgs"` minimizes at its
default settings. "Iterations to that J" is when skmdlam is first as low as L-BFGS ends, and the
time ratio that of a fit with so many iterations (of all iterations where it never is). One split,
one process, {threads} thread(s), fits in turns. J and the test score of skmdlam are those after all
iterations.

{summary}
{details}
A lower training objective does not mean a better test score: with activity_alpha 0 and so small an
alpha both overfit small noisy data sets. These are not the default settings of skmdlam, which add
penalties against that.
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
