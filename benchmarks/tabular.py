"""Tabular data: skmdlam, MLPClassifier and MLPRegressor, gradient boosting and RealMLP.

    python benchmarks/tabular.py --data DIR [DIR ...] [--threads N]

DIR holds one ``NAME.npz`` a data set (arrays ``X`` and ``y``) and ``INDEX.tsv``, whose columns
``name`` and ``task`` say which are classification and which regression. Without ``--data`` the data
sets bundled with scikit-learn are used. Several folders are reported together and each by itself.

Every data set is split 75/25 (stratified for classification), once for each of ``--seeds``; with
``--max-rows N``, of N samples at most, the first of ``RandomState(0).permutation``. All inputs go
through StandardScaler and regression targets are standardized on the training samples, for every
method alike. Nothing is tuned for a data set; the one exception is the baseline "adam, alpha by
CV", whose search is part of its time. Fits alternate between the methods in one process with a
fixed number of threads, so that ratios of times hold when the machine's speed drifts.

Writes into ``benchmarks/results/tabular`` (``--out``): ``README.md``, ``table.txt`` (for the
README of the package), ``scores.csv``, ``runs.csv`` and the figures ``overview.png``,
``outcomes.png``, ``differences.png`` and ``scatter.png``. ``scores.csv`` is written after every
data set. With ``--resume`` the fits in it are kept and only those that it lacks are made; ``--refit
METHOD`` makes those of a method again. Ratios of times are taken within a run only, so refit,
beside a method that changed, those whose times it is to be compared with. The slow baselines, on
one split only, are in ``benchmarks/results/controls``.

CatBoost needs the optional package catboost, RealMLP torch and pytabkit; all three are in the
extra ``benchmarks``.
"""

import csv
import logging
import time
import warnings
from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from report import command_line, environment, tables_parser, write_results, write_rows
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from tabular_page import BASELINE, OURS, details, draw, page, readme_table
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

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


def catboost(task, seed, threads=1):
    from catboost import CatBoostClassifier, CatBoostRegressor

    trees = CatBoostClassifier if task == "classification" else CatBoostRegressor
    return trees(random_seed=seed, thread_count=threads, verbose=0, allow_writing_files=False)


def realmlp(task, seed, threads=1):
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    network = RealMLP_TD_Classifier if task == "classification" else RealMLP_TD_Regressor
    return network(random_state=seed, device="cpu", n_threads=threads)


METHODS = {
    OURS: ours,
    BASELINE: adam,
    "lbfgs": lambda task, seed: adam(task, seed, solver="lbfgs"),
    "adam, early stopping": lambda task, seed: adam(task, seed, early_stopping=True),
    "adam, alpha by CV": adam_by_cv,
    "gradient boosting": boosting,
}
# Libraries that start threads of their own, and the packages that they are in.
OPTIONAL = {"CatBoost": catboost, "RealMLP": realmlp}
PACKAGES = {"CatBoost": ["catboost"], "RealMLP": ["torch", "pytabkit"]}
# Ablations: options of skmdlam.
VARIANTS = {"plain": {"encoding": None}}
CHOICES = [*METHODS, *VARIANTS, *OPTIONAL]


def model_of(method, task, seed, threads=1):
    """Return the unfitted estimator of a method."""
    if method in OPTIONAL:
        return OPTIONAL[method](task, seed, threads)
    if method in VARIANTS:
        return ours(task, seed, **VARIANTS[method])
    return METHODS[method](task, seed)


def data_sets(folder, only=None):
    """Yield (name, task, X, y) of the data sets, or of ``only`` some; bundled ones without DIR."""
    if folder is None:
        for name, (load, task) in BUNDLED.items():
            if not only or name in only:
                yield name, task, *load(return_X_y=True)
        return
    for name, task in index(folder).items():
        if only and name not in only:
            continue
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            yield name, task, arrays["X"], arrays["y"]


def index(folder):
    """Task of each data set of a folder: {name: task}."""
    if folder is None:
        return {name: task for name, (_, task) in BUNDLED.items()}
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["task"] for row in csv.DictReader(file, delimiter="\t")}


def at_most(rows, X, y):
    """Return at most so many samples, in random order; all as they are for None."""
    if rows is None:
        return X, y
    order = np.random.RandomState(0).permutation(len(y))[:rows]
    return X[order], y[order]


def split(task, X, y, seed):
    """Training and test parts, standardized on the training part."""
    stratify = y if task == "classification" else None
    if stratify is not None and min(Counter(y.tolist()).values()) < 2:
        stratify = None  # a class of one sample is in one of the parts
    parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=stratify)
    X_train, X_test, y_train, y_test = parts
    scaler = StandardScaler().fit(X_train)
    if task == "regression":
        mean, unit = y_train.mean(), y_train.std()
        y_train, y_test = (y_train - mean) / unit, (y_test - mean) / unit
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def training_loss(task, model, X, y):
    """Mean data loss on the training samples: log-loss, or half the squared error."""
    if task == "classification":
        return log_loss(y, model.predict_proba(X), labels=model.classes_)
    return 0.5 * float(np.mean((model.predict(X) - y) ** 2))


def measure(task, X, y, fits, threads=1):
    """Fit methods on splits, the (seed, method) in ``fits``, sorted by seed; yield a row a fit."""
    last = None
    for seed, method in fits:
        if seed != last:
            X_train, X_test, y_train, y_test = split(task, X, y, seed)
            last = seed
        model = model_of(method, task, seed, threads)
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        yield {
            "task": task,
            "seed": seed,
            "method": method,
            "score": float(model.score(X_test, y_test)),
            "seconds": seconds,
            "training loss": training_loss(task, model, X_train, y_train),
        }


def read_fits(folder):
    """Return the rows of ``scores.csv`` and of ``runs.csv`` of earlier runs, if there are any."""
    if not (folder / "scores.csv").exists():
        return [], []
    if not (folder / "runs.csv").exists():
        raise ValueError(
            f"no runs.csv beside scores.csv in {folder}: nothing says whose times it has"
        )
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "runs.csv").open(encoding="utf-8", newline="") as file:
        runs = list(csv.DictReader(file))
    for row in rows:
        row |= {field: int(row[field]) for field in ("seed", "run")}
        row |= {field: float(row[field]) for field in ("score", "seconds", "training loss")}
    for run in runs:
        run |= {"run": int(run["run"]), "threads": int(run["threads"])}
    return rows, runs


def described(methods):
    """Describe machine and libraries, those of optional methods too."""
    packages = [name for method in methods for name in PACKAGES.get(method, ())]
    return environment() + "".join(f"; {name} {version(name)}" for name in packages)


def check(options, parser):
    """Say before any work what is missing or asked for twice."""
    for method in options.methods:
        missing = [name for name in PACKAGES.get(method, ()) if find_spec(name) is None]
        if missing:
            names = " ".join(missing)
            parser.error(f"{method} needs {names}: python -m pip install {names}")
    if not options.resume and options.refit:
        parser.error("--refit goes with --resume: without it all fits are made")
    counts = Counter(name for folder in options.data for name in index(folder))
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        parser.error(f"data sets of the same name in two folders: {', '.join(twice)}")
    labels = [folder.name for folder in options.data if folder]
    if len(set(labels)) < len(labels):
        parser.error(f"folders of the same name, by which they are reported: {', '.join(labels)}")
    return len(counts)


def arguments_parser():
    parser = tables_parser(__doc__)
    parser.add_argument("--threads", type=int, default=1, help="threads of every method")
    parser.add_argument("--seeds", type=int, default=3, help="number of splits")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--rows-below", type=int, help="use smaller data sets only", metavar="N")
    parser.add_argument(
        "--max-rows", type=int, metavar="N", help="use a random N samples of larger data sets"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        choices=CHOICES,
        help=f"methods to fit beside {OURS} and {BASELINE} (default: those of scikit-learn)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep the fits that scores.csv has, make the others"
    )
    parser.add_argument(
        "--refit",
        nargs="+",
        default=[],
        choices=CHOICES,
        metavar="METHOD",
        help="with --resume: make the fits of these methods again",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "tabular")
    return parser


def main(arguments=None):
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    wanted = {*options.methods, *options.refit, OURS, BASELINE}
    options.methods = methods = [method for method in CHOICES if method in wanted]
    found = check(options, parser)
    rows, runs = [], []
    if options.resume:
        try:
            rows, runs = read_fits(options.out)
        except ValueError as error:
            parser.error(str(error))
        largest = str(options.max_rows or "")
        if any(run["max rows"] != largest or run["threads"] != options.threads for run in runs):
            parser.error(f"{options.out} has fits with another --max-rows or --threads")
        rows = [row for row in rows if row["method"] not in options.refit]
    known = {(row["data set"], row["seed"], row["method"]) for row in rows}
    this = 1 + max((run["run"] for run in runs), default=0)

    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # What RealMLP's libraries say of themselves and their later versions.
        warnings.filterwarnings("ignore", module="pytorch_lightning|torch|pytabkit")
        run = {
            "run": this,
            "threads": options.threads,
            "max rows": options.max_rows or "",
            "command": command_line(__file__, arguments),
            "machine": described(methods),
        }
        for folder in options.data:
            label = "bundled" if folder is None else folder.name
            for name, task, X, y in data_sets(folder, options.only):
                if options.rows_below and len(X) >= options.rows_below:
                    continue
                fits = [(seed, method) for seed in range(options.seeds) for method in methods]
                fits = [fit for fit in fits if (name, *fit) not in known]
                if not fits:
                    continue
                new = measure(task, *at_most(options.max_rows, X, y), fits, options.threads)
                rows += [{"folder": label, "data set": name, **row, "run": this} for row in new]
                write_rows(options.out / "scores.csv", rows)
                write_rows(options.out / "runs.csv", [*runs, run])
                print(details([row for row in rows if row["data set"] == name]), flush=True)
    if not rows:
        parser.error("no data set has such a name and as few rows")
    present = {row["run"] for row in rows}
    runs = [run for run in [*runs, run] if run["run"] in present]
    report = page(rows, runs, found, options.rows_below)
    write_results(options.out, report, rows)
    write_rows(options.out / "runs.csv", runs)
    (options.out / "table.txt").write_text(readme_table(rows), encoding="utf-8")
    draw(rows, options.threads, options.out)
    print(report)


if __name__ == "__main__":
    main()
