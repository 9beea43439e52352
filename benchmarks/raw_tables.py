"""Data frames with categories and missing values: skmdlam as it is, and the usual pipelines.

    python benchmarks/raw_tables.py [--data DIR [DIR ...]] [--splits N] [--methods NAME ...]

Real data frames (``NAME.csv`` in DIR) and synthetic ones, which need no files, are described in
``benchmarks/raw_tables_data.py``. Real ones are split 75/25, stratified for classification;
synthetic ones are drawn anew for each split. The methods, none tuned, all with
``random_state=split``:

- **skmdlam**: ``MDLAM*().fit(frame, y)``, nothing before it.
- **skmdlam, ColumnTransformer** and **MLP, ColumnTransformer**: the usual preprocessing before
  MDLAM* and MLP*: numeric features through ``SimpleImputer(strategy="median", add_indicator=True)``
  and StandardScaler, categorical ones through ``OneHotEncoder(handle_unknown="ignore")`` (a missing
  value is a category), dense, as the encoding of numeric features needs it.
- **skmdlam, TargetEncoder** and **HistGradientBoosting, TargetEncoder**: categorical features
  through TargetEncoder, which is cross-fitted; for skmdlam also StandardScaler, and numeric
  features as above.
- **HistGradientBoosting**: categorical features as pandas categories,
  ``categorical_features="from_dtype"``. Features with more than 255 categories in the training
  data, which it refuses, get ordinal codes, which it takes for numbers; unknown categories are
  missing values there.
- **CatBoost**: categorical features are ``cat_features``, in which it takes no missing values:
  these are the category "missing", as its documentation advises. Missing numbers are left to it; it
  reads them as the lowest value, also where there were none in training, which explains its score
  where values are missing in the test data only.

The targets of a regression are standardized on the training data, for every method alike: MLP*
needs it. Scores are accuracy or R² on the test data. Times are processor time of ``fit``,
preprocessing included, in one process with one thread; they are compared across runs, so let the
machine be the same.

Writes into ``benchmarks/results/raw_tables`` (``--out``): ``README.md``, ``scores.png``,
``scores.csv``, written after every frame, and ``runs.csv``. With ``--resume`` the fits in it are
kept and only those that it lacks are made; ``--refit METHOD`` makes those of a method again.
CatBoost needs the optional package catboost.
"""

import argparse
import csv
import time
import warnings
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from raw_tables_data import MADE, TABLES, make, read_table, split_table
from raw_tables_page import KNOWN, OURS, details, draw, page
from report import command_line, environment, write_results, write_rows
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

MOST_LEVELS = 255  # of a category of HistGradientBoosting


def text_columns(frame):
    return list(frame.select_dtypes(exclude=["number", "bool"]).columns)


def of_task(task, classifier, regressor, **options):
    return (classifier if task == "classification" else regressor)(**options)


def columns(frame, of_texts):
    """Usual preprocessing: numbers imputed, with indicators, and scaled; texts as said."""
    texts = text_columns(frame)
    numbers = [name for name in frame.columns if name not in texts]
    of_numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    return ColumnTransformer([("numbers", of_numbers, numbers), ("texts", of_texts, texts)])


def one_hot(frame, seed):
    return columns(frame, OneHotEncoder(handle_unknown="ignore", sparse_output=False))


def target_means(frame, seed):
    return columns(frame, make_pipeline(TargetEncoder(random_state=seed), StandardScaler()))


def network(task, seed, frame, before=None):
    model = of_task(task, MDLAMClassifier, MDLAMRegressor, random_state=seed)
    return model if before is None else make_pipeline(before(frame, seed), model)


def adam(task, seed, frame):
    model = of_task(task, MLPClassifier, MLPRegressor, random_state=seed)
    return make_pipeline(one_hot(frame, seed), model)


def as_categories(frame, names):
    return frame.astype(dict.fromkeys(names, "category"))


def without_gaps(frame, names):
    return frame.assign(**{name: frame[name].fillna("missing") for name in names})


def trees(task, seed, **options):
    classes = HistGradientBoostingClassifier, HistGradientBoostingRegressor
    return of_task(task, *classes, random_state=seed, **options)


def boosting(task, seed, frame):
    texts = text_columns(frame)
    many = [name for name in texts if frame[name].nunique() > MOST_LEVELS]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    few = [name for name in texts if name not in many]
    steps = [FunctionTransformer(as_categories, kw_args={"names": few})]
    if many:
        coded = ColumnTransformer(
            [("codes", codes, many)], remainder="passthrough", verbose_feature_names_out=False
        )
        steps.append(coded.set_output(transform="pandas"))
    return make_pipeline(*steps, trees(task, seed, categorical_features="from_dtype"))


def boosting_of_means(task, seed, frame):
    means = TargetEncoder(random_state=seed)
    coded = ColumnTransformer([("means", means, text_columns(frame))], remainder="passthrough")
    return make_pipeline(coded, trees(task, seed))


def catboost(task, seed, frame):
    from catboost import CatBoostClassifier, CatBoostRegressor

    texts = text_columns(frame)
    options = {"thread_count": 1, "verbose": 0, "allow_writing_files": False}
    classes = CatBoostClassifier, CatBoostRegressor
    model = of_task(task, *classes, random_seed=seed, cat_features=texts, **options)
    return make_pipeline(FunctionTransformer(without_gaps, kw_args={"names": texts}), model)


METHODS = {
    OURS: network,
    "skmdlam, ColumnTransformer": partial(network, before=one_hot),
    "skmdlam, TargetEncoder": partial(network, before=target_means),
    "MLP, ColumnTransformer": adam,
    "HistGradientBoosting": boosting,
    "HistGradientBoosting, TargetEncoder": boosting_of_means,
    "CatBoost": catboost,
}


def measure(method, parts, seed):
    """Fit a method; return its test score, log-loss (empty for regression) and seconds."""
    model = METHODS[method](parts.task, seed, parts.X_train)
    start = time.process_time()
    model.fit(parts.X_train, parts.y_train)
    seconds = time.process_time() - start
    predicted = np.ravel(model.predict(parts.X_test))
    if parts.task == "regression":
        return {"score": r2_score(parts.y_test, predicted), "log-loss": "", "seconds": seconds}
    p = model.predict_proba(parts.X_test)
    return {
        "score": accuracy_score(parts.y_test, predicted),
        "log-loss": log_loss(parts.y_test, p, labels=model.classes_),
        "seconds": seconds,
    }


def fit_all(get_parts, fits):
    """Make fits, (seed, method) sorted by seed; yield a row for each, and for each known score."""
    last = None
    for seed, method in fits:
        if seed != last:
            parts, last = get_parts(seed), seed
            for name, score in parts.known.items():
                values = {"score": score, "log-loss": "", "seconds": 0.0}
                yield {"task": parts.task, "seed": seed, "method": name, **values}
        row = {"task": parts.task, "seed": seed, "method": method}
        yield row | measure(method, parts, seed)


def table_file(folders, name):
    """Return the file of a table, None where no folder has it."""
    paths = (folder / f"{name}.csv" for folder in folders)
    return next((path for path in paths if path.exists()), None)


def frames(folders, only):
    """Yield (section of the page, name, function of the seed that returns the parts)."""
    for name in TABLES:
        if name in only:
            yield "tables", name, partial(split_table, *read_table(table_file(folders, name)))
    for name in (name for name in MADE if name in only):
        yield name.split()[0].strip(","), name, partial(make, name)


def read_fits(folder):
    """Return the rows of ``scores.csv`` and of ``runs.csv`` of earlier runs, if there are any."""
    if not (folder / "scores.csv").exists():
        return [], []
    found = []
    for name in ("scores.csv", "runs.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            found.append(list(csv.DictReader(file)))
    rows, runs = found
    for row in rows:
        row |= {field: int(row[field]) for field in ("seed", "run")}
        row |= {field: float(row[field]) for field in ("score", "seconds")}
        row["log-loss"] = float(row["log-loss"]) if row["log-loss"] else ""
    for run in runs:
        run["run"] = int(run["run"])
    return rows, runs


def to_refit(row, options, only):
    """Whether a row is of a fit that is to be made again, and can be."""
    wanted = row["method"] in options.refit and row["data set"] in only
    return wanted and row["seed"] < options.splits


def described(methods):
    """Describe machine and libraries, those that frames and optional methods need too."""
    packages = ["pandas", *(["catboost"] if "CatBoost" in methods else [])]
    return environment() + "".join(f"; {name} {version(name)}" for name in packages)


def arguments_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[], metavar="DIR", help="folders with NAME.csv"
    )
    parser.add_argument("--splits", type=int, default=3, help="number of splits (default: 3)")
    parser.add_argument(
        "--only", nargs="+", choices=[*TABLES, *MADE], metavar="NAME", help="frames to use"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=[method for method in METHODS if method != "CatBoost"],
        choices=METHODS,
        metavar="METHOD",
        help="methods to fit (default: all that need no optional package)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep the fits that scores.csv has, make the others"
    )
    parser.add_argument(
        "--refit",
        nargs="+",
        default=[],
        choices=METHODS,
        metavar="METHOD",
        help="with --resume: make the fits of these methods again (on the frames of --only)",
    )
    folder = Path(__file__).parent / "results" / "raw_tables"
    parser.add_argument("--out", type=Path, default=folder)
    return parser


def main(arguments=None):
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    methods = [name for name in METHODS if name in {*options.methods, *options.refit}]
    if "CatBoost" in methods and find_spec("catboost") is None:
        parser.error("CatBoost needs catboost: python -m pip install catboost")
    if options.refit and not options.resume:
        parser.error("--refit goes with --resume: without it all fits are made")
    there = {name for name in TABLES if table_file(options.data, name)}.union(MADE)
    missing = [name for name in options.only or () if name not in there]
    if missing:
        parser.error(f"no folder of --data has {', '.join(missing)} (.csv)")
    only = there.intersection(options.only or there)
    rows, runs = read_fits(options.out) if options.resume else ([], [])
    rows = [row for row in rows if not to_refit(row, options, only)]
    this = 1 + max((run["run"] for run in runs), default=0)
    run = {"run": this, "command": command_line(__file__, arguments), "machine": ""}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Levels that training never saw; later versions want the seed in another parameter.
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
        warnings.filterwarnings("ignore", "`TargetEncoder", FutureWarning)
        run["machine"] = described(methods)
        for folder, name, get_parts in frames(options.data, only):
            known = {(row["seed"], row["method"]) for row in rows if row["data set"] == name}
            fits = [(seed, method) for seed in range(options.splits) for method in methods]
            fits = [fit for fit in fits if fit not in known]
            if not fits:
                continue
            new = [
                {"folder": folder, "data set": name, **row, "run": this}
                for row in fit_all(get_parts, fits)
                if (row["seed"], row["method"]) not in known
            ]
            rows += new
            write_rows(options.out / "scores.csv", rows)
            write_rows(options.out / "runs.csv", [*runs, run])
            print(details([row for row in rows if row["data set"] == name]), flush=True)
    if not rows:
        parser.error("no frame to use")
    sets, names = [*TABLES, *MADE], [*KNOWN, *METHODS]
    rows.sort(key=lambda r: (sets.index(r["data set"]), r["seed"], names.index(r["method"])))
    present = {row["run"] for row in rows}
    runs = [run for run in [*runs, run] if run["run"] in present]
    report = page(rows, runs)
    write_results(options.out, report, rows)
    write_rows(options.out / "runs.csv", runs)
    draw(rows, options.out / "scores.png")
    print(report)


if __name__ == "__main__":
    main()
