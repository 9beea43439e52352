"""Tables: our defaults against MLPClassifier, its fair controls and gradient boosting.

    python benchmarks/tabular.py --data DIR [--threads N]

DIR holds one ``NAME.npz`` a data set (arrays ``X`` and ``y``) and ``INDEX.tsv``, whose columns
``name`` and ``task`` say which are classification and which regression. Without ``--data`` the data
sets bundled with scikit-learn are used.

Every data set is split 75/25 (stratified for classification), once for each of ``--seeds``. All
inputs go through StandardScaler and regression targets are standardised on the training rows, for
every method alike. Nothing is tuned for a data set; the one exception is the control "adam,
alpha by CV", whose search is part of its time. Fits alternate between the methods in one process
with a fixed number of BLAS threads, so that ratios of times hold when the machine's speed drifts.

Writes into ``benchmarks/results/tabular`` (``--out``): ``README.md``, ``scores.csv`` and
``scatter.png``. The slow controls, on one split only, are in ``benchmarks/results/controls``.
RealMLP needs the optional packages torch and pytabkit.
"""

import argparse
import csv
import logging
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

MARGIN = 0.003
OURS, BASELINE = "skmdlam", "adam"
BUNDLED = {
    "breast_cancer": (load_breast_cancer, "classification"),
    "diabetes": (load_diabetes, "regression"),
    "digits": (load_digits, "classification"),
    "iris": (load_iris, "classification"),
    "wine": (load_wine, "classification"),
}


def adam(task, seed, **options):
    network = MLPClassifier if task == "classification" else MLPRegressor
    return network(random_state=seed, **options)


def adam_by_cv(task, seed):
    return GridSearchCV(adam(task, seed), {"alpha": [1e-4, 1e-2, 1.0]}, cv=3)


def boosting(task, seed):
    if task == "classification":
        return HistGradientBoostingClassifier(random_state=seed)
    return HistGradientBoostingRegressor(random_state=seed)


def ours(task, seed, **options):
    network = MDLAMClassifier if task == "classification" else MDLAMRegressor
    return network(random_state=seed, **options)


def realmlp(task, seed):
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    network = RealMLP_TD_Classifier if task == "classification" else RealMLP_TD_Regressor
    return network(random_state=seed, device="cpu", n_threads=1)


METHODS = {
    OURS: ours,
    BASELINE: adam,
    "lbfgs": lambda task, seed: adam(task, seed, solver="lbfgs"),
    "adam, early stopping": lambda task, seed: adam(task, seed, early_stopping=True),
    "adam, alpha by CV": adam_by_cv,
    "gradient boosting": boosting,
}
OPTIONAL = {"RealMLP": realmlp}


def data_sets(folder, only=None):
    """Yield (name, task, X, y) of the data sets, or of ``only`` some; bundled ones without DIR."""
    if folder is None:
        for name, (load, task) in BUNDLED.items():
            if not only or name in only:
                yield name, task, *load(return_X_y=True)
        return
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if only and row["name"] not in only:
                continue
            with np.load(folder / f"{row['name']}.npz", allow_pickle=False) as arrays:
                yield row["name"], row["task"], arrays["X"], arrays["y"]


def split(task, X, y, seed):
    """Training and test parts, standardised on the training part."""
    stratify = y if task == "classification" else None
    parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=stratify)
    X_train, X_test, y_train, y_test = parts
    scaler = StandardScaler().fit(X_train)
    if task == "regression":
        mean, unit = y_train.mean(), y_train.std()
        y_train, y_test = (y_train - mean) / unit, (y_test - mean) / unit
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def training_loss(task, model, X, y):
    """Mean data loss on the training rows: log-loss, or half the squared error."""
    if task == "classification":
        return log_loss(y, model.predict_proba(X), labels=model.classes_)
    return 0.5 * float(np.mean((model.predict(X) - y) ** 2))


def measure(name, task, X, y, seeds, methods):
    """Fit every method on every split; one row a fit."""
    rows = []
    for seed in seeds:
        X_train, X_test, y_train, y_test = split(task, X, y, seed)
        for method in methods:
            model = {**METHODS, **OPTIONAL}[method](task, seed)
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds = time.perf_counter() - start
            rows.append(
                {
                    "data set": name,
                    "task": task,
                    "seed": seed,
                    "method": method,
                    "score": model.score(X_test, y_test),
                    "seconds": seconds,
                    "training loss": training_loss(task, model, X_train, y_train),
                }
            )
    return rows


def means(rows, field):
    """Mean over seeds: {data set: {method: value}}."""
    values = {}
    for row in rows:
        values.setdefault(row["data set"], {}).setdefault(row["method"], []).append(row[field])
    return {
        name: {method: float(np.mean(v)) for method, v in by_method.items()}
        for name, by_method in values.items()
    }


def summary(rows, methods):
    """One line a method: mean score, wins/ties/losses against adam, total time against adam's."""
    scores, seconds = means(rows, "score"), means(rows, "seconds")
    loss = means(rows, "training loss")
    lines = []
    for method in methods:
        difference = np.array([s[method] - s[BASELINE] for s in scores.values()])
        ratio = np.array([s[method] / s[BASELINE] for s in seconds.values()])
        wins, losses = int((difference > MARGIN).sum()), int((difference < -MARGIN).sum())
        total = sum(s[method] for s in seconds.values())
        lines.append(
            [
                method,
                number(float(np.mean([s[method] for s in scores.values()])), 4),
                f"{wins}/{len(difference) - wins - losses}/{losses}",
                number(float(difference.min())),
                number(total / sum(s[BASELINE] for s in seconds.values())),
                number(float(np.median(ratio))),
                number(float(ratio.max())),
                number(float(np.mean([s[method] for s in loss.values()]))),
            ]
        )
    header = [
        "method",
        "mean test score",
        f"wins/ties/losses at {MARGIN}",
        "worst difference",
        "total time / adam's",
        "median ratio",
        "largest ratio",
        "mean training loss",
    ]
    return table(header, lines)


def against_each(rows, methods):
    """One line a method: our score less its score, and our time over its time."""
    scores, seconds = means(rows, "score"), means(rows, "seconds")
    lines = []
    for method in methods:
        if method == OURS:
            continue
        difference = np.array([s[OURS] - s[method] for s in scores.values()])
        wins, losses = int((difference > MARGIN).sum()), int((difference < -MARGIN).sum())
        error = np.std(difference, ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0
        ratio = sum(s[OURS] for s in seconds.values()) / sum(s[method] for s in seconds.values())
        lines.append(
            [
                method,
                f"{signed(difference.mean(), 4)} ± {number(error, 4)}",
                f"{wins}/{len(difference) - wins - losses}/{losses}",
                f"{signed(difference.min())} to {signed(difference.max())}",
                f"{ratio:.2g}",
            ]
        )
    header = ["against", "mean difference ± standard error", "our wins/ties/losses"]
    return table([*header, "differences", "total time, ours / its"], lines)


def signed(value, digits=3):
    """Return a number with its sign, ``+.012``."""
    return ("-" if value < 0 else "+") + number(abs(value), digits)


def gap(rows):
    """Say how much of the way from adam's mean score to RealMLP's ours goes."""
    scores = means(rows, "score").values()
    table = np.array([[s[method] for method in (BASELINE, "RealMLP", OURS)] for s in scores])

    def share(part):
        low, high, own = part.mean(axis=0)
        return (own - low) / (high - low)

    low, high, own = table.mean(axis=0)
    text = (
        f"From the mean of {BASELINE}, {number(low, 4)}, to that of RealMLP, {number(high, 4)}, "
        f"{OURS}, with {number(own, 4)}, goes {share(table):.0%} of the way"
    )
    if len(table) > 2:
        shares = [share(np.delete(table, left_out, axis=0)) for left_out in range(len(table))]
        text += f"; without any one of the tables, {min(shares):.0%} to {max(shares):.0%}"
    return text + ".\n"


def details(rows, methods):
    """Test score of every method on every data set, and our time against adam's."""
    scores, seconds = means(rows, "score"), means(rows, "seconds")
    lines = [
        [
            name,
            *(number(scores[name][method]) for method in methods),
            number(seconds[name][OURS] / seconds[name][BASELINE], 2),
        ]
        for name in scores
    ]
    return table(["data set", *methods, f"time {OURS} / {BASELINE}"], lines)


def scatter(rows, path):
    """Our score less adam's against our time over adam's, a point a data set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scores, seconds = means(rows, "score"), means(rows, "seconds")
    tasks = {row["data set"]: row["task"] for row in rows}
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    points = []
    styles = {"classification": ("o", "#0072B2"), "regression": ("^", "#D55E00")}
    for task, (marker, colour) in styles.items():
        names = [name for name in scores if tasks[name] == task]
        x = [seconds[name][OURS] / seconds[name][BASELINE] for name in names]
        y = [scores[name][OURS] - scores[name][BASELINE] for name in names]
        axes.scatter(x, y, marker=marker, c=colour, label=task, zorder=3)
        points += zip(x, y, names, strict=True)
    # Names of those that stand out; near a right neighbour one is on the left of its mark.
    points = [point for point in points if abs(point[1]) > 2 * MARGIN]
    for x, y, name in points:
        crowded = any(x < right < 1.4 * x and abs(up - y) < MARGIN for right, up, _ in points)
        axes.annotate(
            name,
            (x, y),
            xytext=(-6 if crowded else 6, 3),
            textcoords="offset points",
            ha="right" if crowded else "left",
            fontsize=8,
        )
    axes.margins(x=0.12)
    axes.axhspan(-MARGIN, MARGIN, color="0.92", label=f"tie (within {MARGIN})", zorder=0)
    axes.axvline(1.0, color="0.6", linestyle="--", linewidth=1)
    axes.set(
        xscale="log",
        xlabel="fit time, ours / adam's",
        ylabel="test score (accuracy or R²), ours less adam's",
        title="Defaults against MLPClassifier and MLPRegressor (adam)",
    )
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with INDEX.tsv and NAME.npz")
    parser.add_argument("--threads", type=int, default=1, help="BLAS and OpenMP threads")
    parser.add_argument("--seeds", type=int, default=3, help="number of splits")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--rows-below", type=int, help="use smaller data sets only", metavar="N")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        choices=[*METHODS, *OPTIONAL],
        help="methods to fit (RealMLP needs the package pytabkit)",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "tabular")
    options = parser.parse_args(arguments)
    methods = [m for m in (*METHODS, *OPTIONAL) if m in {*options.methods, OURS, BASELINE}]

    rows, found = [], 0
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if "RealMLP" in methods:  # what its libraries say of themselves and their later versions
            warnings.filterwarnings("ignore", module="pytorch_lightning|torch|pytabkit")
        for name, task, X, y in data_sets(options.data):
            found += 1
            if options.only and name not in options.only:
                continue
            if options.rows_below and len(X) >= options.rows_below:
                continue
            rows += measure(name, task, X, y, range(options.seeds), methods)
            print(details([row for row in rows if row["data set"] == name], methods), flush=True)
        machine = environment()
    if not rows:
        parser.error("no data set has such a name and as few rows")

    if "RealMLP" in methods:
        machine += "".join(f"; {name} {version(name)}" for name in ("torch", "pytabkit"))
    used = len({row["data set"] for row in rows})
    which = f"{used} of {found} tables"
    title = "Tables" if used == found else f"Tables: {used} of {found}"
    if options.rows_below:
        which += f" (those with fewer than {options.rows_below:,} rows)"
    report = (
        f"# {title}\n\n"
        f"Command: `{command_line(__file__, arguments)}`\n\n{machine}\n\n"
        f"{which[0].upper() + which[1:]}, every row of this page on all of them; mean over "
        f"{options.seeds} split(s); scores are accuracy or R². Times are of one process, "
        f"{options.threads} thread(s).\n\n"
        f"{summary(rows, methods)}\n{details(rows, methods)}\n"
        f"## {OURS} against each of the others\n\n{against_each(rows, methods)}"
    )
    if "RealMLP" in methods:
        report += (
            f"\n{gap(rows)}\nRealMLP chooses the epoch of its weights on a fifth of the training "
            "rows, which it holds out. Its own treatment of categories is idle here, because they "
            "come one-hot, and all inputs are standardised, for every method alike.\n"
        )
    print(report)
    write_results(options.out, report, rows)
    scatter(rows, options.out / "scatter.png")


if __name__ == "__main__":
    main()
