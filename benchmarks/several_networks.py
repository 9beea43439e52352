"""Several networks in one fit: what averaging them gains, and what it costs.

    python benchmarks/several_networks.py --data DIR [DIR ...] [--resume] [--only NAME [NAME ...]]

*Accuracy.* The data sets of ``benchmarks/tabular.py``, split as there, with default settings:
``n_networks`` of 1, 2, 4 and 8, and two baselines. "width 400" is one network of
``hidden_layer_sizes=(400,)``, which has as many weights as four; "4 fits averaged" is the mean of
the decision functions of four fits of one network, from four seeds, whose times are added. "1
network" is the mean over these four fits, so that a gain over it is not the luck of a seed; the
first of them has the same initialization as the first member of the others. Without ``--data`` the
data sets bundled with scikit-learn are used.

*Times.* Synthetic data of ``--shapes``, ``make_friedman1`` and ``make_classification`` with three
classes, fitted by 1, 2, 4 and 8 networks in turn, repeatedly with other data and other seeds, so
that the drift of the machine's speed is the same for all. Each network ends when its own schedule
says so, hence the second measure, time per epoch and network.

All times are processor times. Scores are accuracy or R². "even" and "odd" are every second data set
in the order of the folders, two halves that should agree.

Writes ``README.md``, ``scores.csv`` and ``times.csv`` into ``benchmarks/results/several_networks``
(``--out``); each fit is written as soon as it is done. With ``--resume`` the fits that are there
are kept and only the missing ones are made; ``--refit METHOD`` makes those of a method again. What
``--parts`` leaves out is reported as it is in the files.
"""

import csv
import sys
import time
import warnings
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from report import (
    command_line,
    environment,
    number,
    table,
    tables_parser,
    write_page,
    write_rows,
)
from sklearn.datasets import make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score
from tabular import data_sets, index, ours, split
from threadpoolctl import threadpool_limits

from skmdlam import Feasible

ONE, AVERAGE, WIDE = "1 network", "4 fits averaged", "width 400"
NETWORKS = {ONE: 1, "2 networks": 2, "4 networks": 4, "8 networks": 8}
# What is fitted; the average is of the fits of one network.
OPTIONS = {method: {"n_networks": k} for method, k in NETWORKS.items()}
OPTIONS[WIDE] = {"hidden_layer_sizes": (400,)}
METHODS = (*NETWORKS, AVERAGE, WIDE)
SINGLES = 4  # seeds of one network
HALVES = ("even", "odd")
TIE = 0.001
PARTS = ("accuracy", "times")
SETTINGS = {
    "defaults": {},
    "batches of 200, plain columns": {"batch_size": 200, "encoding": None},
    "full batch, plain columns": {"batch_size": None, "encoding": None},
}
# Settings as they are shown, by their name in times.csv.
SHOWN = {
    "batches of 200, plain columns": "batches of 200, encoding=None",
    "full batch, plain columns": "full batch, encoding=None",
}
FULL_BATCH_ROWS = 5_000  # at most, to be timed with all of them in a batch


@dataclass(frozen=True)
class Counting(Feasible):
    """The solver as it is; it remembers its last run, to count the epochs of each network."""

    last_runs: list = field(default_factory=list)

    def start_several(self, *arguments, **settings):
        run = super().start_several(*arguments, **settings)
        self.last_runs[:] = getattr(run, "runs", [run])
        return run

    def all_epochs(self):
        """Of the networks of the last fit together."""
        return sum(run.iteration for run in self.last_runs)


def timed_fit(task, X, y, seed, **options):
    """The fitted model, and what is noted of the fit."""
    solver = Counting()
    model = ours(task, seed, solver=solver, **options)
    start = time.process_time()
    model.fit(X, y)
    seconds = time.process_time() - start
    return model, {"seconds": seconds, "epochs": solver.all_epochs(), "longest": model.n_iter_}


# -- accuracy -------------------------------------------------------------------------------------


def timed_prediction(model, X):
    """Least of three processor times of ``predict``."""
    times = []
    for _ in range(3):
        start = time.process_time()
        model.predict(X)
        times.append(time.process_time() - start)
    return min(times)


def output_of(model, X):
    """What is averaged: the decision function, or the prediction."""
    return (model.decision_function if hasattr(model, "classes_") else model.predict)(X)


def chances_of(output):
    """Probabilities of the classes of a decision function: logistic function or softmax."""
    if output.ndim == 1:
        output = np.column_stack([np.zeros_like(output), output])
    unscaled = np.exp(output - output.max(axis=1, keepdims=True))
    return unscaled / unscaled.sum(axis=1, keepdims=True)


def quality(output, y, classes=None):
    """Score and, of classes, log-loss of an output."""
    if classes is None:
        return {"score": r2_score(y, output), "log-loss": ""}
    chances = chances_of(output)
    return {
        "score": accuracy_score(y, classes[chances.argmax(axis=1)]),
        "log-loss": log_loss(y, chances, labels=classes),
    }


def fits(method, task, parts, seed):
    """Yield the rows of a method on a split; of one network those of several seeds and the mean."""
    X_train, X_test, y_train, y_test = parts
    outputs, costs = [], []
    for start in range(seed, seed + (SINGLES if method == ONE else 1)):
        model, cost = timed_fit(task, X_train, y_train, start, **OPTIONS[method])
        cost["predict seconds"] = timed_prediction(model, X_test)
        outputs.append(output_of(model, X_test))
        costs.append(cost)
        classes = getattr(model, "classes_", None)
        about = {"method": method, "start": start}
        yield about | quality(outputs[-1], y_test, classes) | cost
    if method == ONE:
        total = {key: sum(cost[key] for cost in costs) for key in costs[0]}
        total["longest"] = max(cost["longest"] for cost in costs)
        about = {"method": AVERAGE, "start": seed}
        yield about | quality(np.mean(outputs, axis=0), y_test, classes) | total


def accuracy(options, rows):
    """Make the fits that lack; yield all rows after each."""
    names = [name for folder in options.data for name in index(folder)]
    half = {name: HALVES[place % 2] for place, name in enumerate(names)}
    for folder in options.data:
        for name, task, X, y in data_sets(folder, options.only):
            for seed in range(options.seeds):
                known = {row["method"] for row in rows if is_of(row, name, seed)}
                # The average is made last: without it not all fits of one network are there.
                lacking = [m for m in options.methods if (AVERAGE if m == ONE else m) not in known]
                if ONE in lacking:
                    rows[:] = [r for r in rows if not is_of(r, name, seed) or r["method"] != ONE]
                parts = split(task, X, y, seed) if lacking else None
                about = {"folder": "bundled" if folder is None else folder.name}
                about |= {"table": name, "half": half[name], "task": task, "split": seed}
                for method in lacking:
                    for row in fits(method, task, parts, seed):
                        rows.append(about | row)
                        yield rows
                    print(name, method, file=sys.stderr, flush=True)


def is_of(row, name, seed):
    """Whether a row is of that table and split."""
    return (row["table"], row["split"]) == (name, seed)


# -- times ----------------------------------------------------------------------------------------


def made(task, n, d, seed):
    """A table of that shape, its regression targets standardized."""
    if task == "regression":
        X, y = make_friedman1(n, d, noise=1.0, random_state=seed)
        return X, (y - y.mean()) / y.std()
    return make_classification(
        n, d, n_informative=d // 2, n_classes=3, flip_y=0.05, random_state=seed
    )


def times(options, rows):
    """Make the fits that lack; yield all rows after each."""
    keys = ("task", "n", "d", "setting", "networks", "seed")
    known = {tuple(row[key] for key in keys) for row in rows}
    tasks = ("regression", "classification")
    for seed, (n, d), task in product(range(options.repetitions), options.shapes, tasks):
        data = made(task, n, d, seed)
        for setting, values in SETTINGS.items():
            if setting.startswith("full") and n > FULL_BATCH_ROWS:
                continue
            # Forwards and backwards, so that none comes always first.
            for k in list(NETWORKS.values())[:: -1 if seed % 2 else 1]:
                key = (task, n, d, setting, k, seed)
                if key not in known:
                    _, cost = timed_fit(task, *data, seed, n_networks=k, **values)
                    rows.append(dict(zip(keys, key, strict=True)) | cost)
                    yield rows
        print(f"times {n} x {d} {task}, repetition {seed + 1}", file=sys.stderr, flush=True)


# -- the page -------------------------------------------------------------------------------------


def values_of(rows, key):
    """{table: {method: mean over splits and seeds}}, and as "first" that of each first seed."""
    found = {}
    for row in rows:
        if row[key] != "":
            of_table = found.setdefault(row["table"], {})
            of_table.setdefault(row["method"], []).append(row[key])
            if row["method"] == ONE and row["start"] == row["split"]:
                of_table.setdefault("first", []).append(row[key])
    return {
        name: {method: float(np.mean(values)) for method, values in of_table.items()}
        for name, of_table in found.items()
    }


def groups_of(rows):
    """{name: tables} of each folder, of both halves, and of all."""
    groups = {}
    for row in rows:
        for name in (row["folder"], row["half"], "together"):
            groups.setdefault(name, set()).add(row["table"])
    folders = [name for name in groups if name not in (*HALVES, "together")]
    order = (*folders, *HALVES, "together")
    return {name: groups[name] for name in order if name in groups}


def average(values, digits=4):
    return number(float(np.mean(values)), digits) if len(values) else "-"


def methods_of(rows):
    return [method for method in METHODS if any(row["method"] == method for row in rows)]


def complete(rows):
    """The rows of tables and splits that have all methods."""
    methods = set(methods_of(rows))
    of = {}
    for row in rows:
        of.setdefault((row["table"], row["split"]), set()).add(row["method"])
    return [row for row in rows if of[row["table"], row["split"]] == methods]


def further_splits(rows):
    """The rows of more splits than the first, of the tables and methods that all of them have."""
    splits = {row["split"] for row in rows}
    if len(splits) < 2:
        return []
    methods = set(METHODS)
    for split_ in splits:
        methods &= {row["method"] for row in rows if row["split"] == split_}
    rows = complete([row for row in rows if row["method"] in methods])
    found = {name: {r["split"] for r in rows if r["table"] == name} for name in names_of(rows)}
    return [row for row in rows if found[row["table"]] == splits]


def names_of(rows):
    return list(dict.fromkeys(row["table"] for row in rows))


def means(rows):
    """A line for each method: mean score of each group, and mean log-loss."""
    groups = groups_of(rows)
    scores, losses = values_of(rows, "score"), values_of(rows, "log-loss")
    lines = [
        [method]
        + [
            average([of[method] for name, of in scores.items() if name in tables])
            for tables in groups.values()
        ]
        + [average([of[method] for of in losses.values()])]
        for method in methods_of(rows)
    ]
    return table(["fit", *groups, "log-loss"], lines)


def gains(rows, base):
    """A line for each method: what it gains over one network, "first" or the mean of its seeds."""
    groups = groups_of(rows)
    scores, losses = values_of(rows, "score"), values_of(rows, "log-loss")
    lines = []
    for method in methods_of(rows)[1:]:
        gain = {name: of[method] - of[base] for name, of in scores.items()}
        line = [method]
        for tables in groups.values():
            of_group = [value for name, value in gain.items() if name in tables]
            line.append(f"{1000 * np.mean(of_group):+.1f}" if of_group else "-")
        values = np.array(list(gain.values()))
        wins, worse = (values > TIE).sum(), (values < -TIE).sum()
        line += [f"{1000 * np.median(values):+.1f}", wins, len(values) - wins - worse, worse]
        line.append(f"{1.0 - worse / len(values):.0%}")
        falls = [of[method] < of[base] for of in losses.values()]
        lines.append([*line, f"{sum(falls)} of {len(falls)}"])
    header = ["fit", *groups, "median", "better", "tied", "worse", "better or tied"]
    return table([*header, "log-loss falls"], lines)


def costs(rows):
    """A line for each method: times, beside those of the mean fit of one network."""
    fit, predict = values_of(rows, "seconds"), values_of(rows, "predict seconds")
    epochs = values_of(rows, "epochs")
    lines = []
    for method in methods_of(rows):
        line = [method, f"{sum(of[method] for of in fit.values()):.1f}"]
        for found in (fit, predict):
            own, one = (np.array([of[m] for of in found.values()]) for m in (method, ONE))
            line += [f"{own.sum() / one.sum():.2f}", f"{np.median(own / one):.2f}"]
        line.append(f"{np.median([of[method] / of[ONE] for of in epochs.values()]):.2f}")
        lines.append(line)
    return table(
        [
            "fit",
            "seconds of all fits",
            "over one network",
            "median over data sets",
            "predict, over one network",
            "median over data sets",
            "epochs of all networks, median",
        ],
        lines,
    )


def details(rows):
    """A line for each data set: scores, and log-loss of one and of four networks."""
    scores, losses = values_of(rows, "score"), values_of(rows, "log-loss")
    seconds = values_of(rows, "seconds")
    methods = methods_of(rows)
    four = "4 networks"
    lines = []
    for name, of in scores.items():
        line = [name, *(number(of[method], 4) for method in methods)]
        for found in (losses, seconds):
            both = [found.get(name, {}).get(method) for method in (ONE, four)]
            line += [number(value) for value in both]
        lines.append(line)
    header = ["data set", *methods, "log-loss of 1", "of 4", "seconds of 1", "of 4"]
    return table(header, lines)


def times_table(rows):
    """A line for each shape and setting: medians, and ratios within the repetitions."""
    cells = dict.fromkeys((row["task"], row["n"], row["d"], row["setting"]) for row in rows)
    all_k = list(NETWORKS.values())
    lines = []
    for cell in cells:
        of = {
            (row["networks"], row["seed"]): row
            for row in rows
            if (row["task"], row["n"], row["d"], row["setting"]) == cell
        }
        seeds = [s for s in dict.fromkeys(s for _, s in of) if all((k, s) in of for k in all_k)]
        if not seeds:
            continue
        task, n, d, setting = cell
        line = [SHOWN.get(setting, setting), task, f"{n:,} x {d}", len(seeds)]
        line += [f"{np.median([of[k, s]['seconds'] for s in seeds]):.2f}" for k in all_k]
        line.append(f"{np.median([of[8, s]['seconds'] / of[1, s]['seconds'] for s in seeds]):.2f}")
        each = {
            k: np.median([of[k, s]["seconds"] / of[k, s]["epochs"] for s in seeds]) for k in all_k
        }
        line += [f"{1000 * each[k]:.1f}" for k in all_k]
        line.append(f"{8 * each[8] / each[1]:.2f}")
        line += [f"{np.median([of[k, s]['epochs'] / k for s in seeds]):.0f}" for k in (1, 8)]
        lines.append(line)
    header = [
        "setting",
        "task",
        "samples x features",
        "repetitions",
        *(f"{k}: seconds" for k in all_k),
    ]
    header += ["8 over 1", *(f"{k}: ms per epoch and network" for k in all_k)]
    header += ["8 over 1, as many epochs", "epochs of 1", "of each of 8"]
    return table(header, lines)


REPORT = """\
# Several networks in one fit

Command: `{command}`

{machine}

{accuracy}{times}{learned}"""

ACCURACY = """\
## Accuracy

{tables} data sets, {splits} split(s), default settings. Scores are accuracy or R², means over the
splits; the log-loss is a mean over the {classes} classifications. "1 network" is the mean over
{singles} seeds, "4 fits averaged" the mean of four separate fits, "width 400" a single network of
400 hidden units. "even" and "odd" are every second data set in the order of the folders.

### Mean test score

{means}
### Gain over one network, the mean of its seeds

In thousandths of the score; "tied" is a difference of at most {tie}.

{over_mean}
### Gain over one network of the same seed

{over_first}
{further}### Time

Processor time. "Over one network" is relative to the mean fit of one.

{costs}
### Each data set

{details}
"""

FURTHER = """\
### More splits

{tables} data sets, means over {splits} splits. Gain over one network, the mean of its seeds:

{over_mean}
Gain over one network of the same seed:

{over_first}
"""

TIMES = """\
## Time

Synthetic data; medians of processor seconds over the repetitions. "8 over 1" is the median of the
ratios within the repetitions; "as many epochs" is what it would be if all networks had the same
number of epochs: 8 times the ratio of the times per epoch and network.

{times}
"""

LEARNED = """\
## Findings

* Four networks in one fit are as good as four fits averaged, 0.0023 above one network on 48 data
  sets: using the same batches in the same order costs nothing. Two networks have two thirds of the
  gain, eight hardly more than four.
* The gain varies: 0.004 for regression, 0.001 for classification; the median is 0.0003. Half of the
  data sets do not change: their networks predict the same from every initialization. Most of the
  mean gain is from few data sets (wine_quality 0.029, beijing_pm25 0.027, vehicle 0.015, kin8nm
  0.010).
* On four of the seven data sets that are worse by more than 0.001 the mean of four other fits is
  better than one network: with one split that is due to the initialization and the test samples.
* The log-loss of four fits averaged is below the mean of these four on every data set, as it must
  be by convexity. Four networks have other initializations and batches; where their log-loss is
  higher, it is by at most 0.0005 except for cnae9 (0.0036), where fits of one network range from
  0.285 to 0.293 with the order of the batches.
* One network with as many weights is better on the first folder and worse on the second
  (deliveries, hotel_rates), and takes longer.
* In mini-batch mode networks share the overhead of calls, not the arithmetic: 8 networks take four
  to six times the time of one. In full-batch mode there is hardly anything to share: seven times.
* The times of the data sets were measured before full-batch iterations were blocked for the cache,
  those of synthetic data after that.
"""


def of_further_splits(rows):
    return FURTHER.format(
        tables=len(names_of(rows)),
        splits=len({row["split"] for row in rows}),
        over_mean=gains(rows, ONE),
        over_first=gains(rows, "first"),
    )


def page(options, arguments, rows, timed):
    """The report on all fits that there are."""
    names = [name for folder in options.data for name in index(folder)]
    place = {name: at for at, name in enumerate(names)}
    rows = sorted(rows, key=lambda row: place.get(row["table"], len(place)))
    further, rows = further_splits(rows), complete(rows)
    accuracy_text = times_text = ""
    if rows:
        accuracy_text = ACCURACY.format(
            tables=len(names_of(rows)),
            splits=len({row["split"] for row in rows}),
            classes=len({row["table"] for row in rows if row["task"] == "classification"}),
            singles=SINGLES,
            tie=number(TIE),
            means=means(rows),
            over_mean=gains(rows, ONE),
            over_first=gains(rows, "first"),
            further=of_further_splits(further) if further else "",
            costs=costs(rows),
            details=details(rows),
        )
    if timed:
        times_text = TIMES.format(times=times_table(timed))
    return REPORT.format(
        command=command_line(__file__, arguments),
        machine=environment(),
        accuracy=accuracy_text,
        times=times_text,
        learned=LEARNED,
    )


def read(path):
    """Rows of an earlier run, none where there is no such file."""
    if not path.exists():
        return []
    whole = ("split", "start", "epochs", "longest", "n", "d", "networks", "seed")
    kinds = dict.fromkeys(whole, int)
    kinds |= dict.fromkeys(("score", "seconds", "predict seconds"), float)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {key: kinds.get(key, str)(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]
    for row in rows:
        if row.get("log-loss"):
            row["log-loss"] = float(row["log-loss"])
    return rows


def shape(text):
    """(n, d) of ``"NxD"``."""
    n, d = map(int, text.split("x"))
    return n, d


def arguments_parser():
    parser = tables_parser(__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of the data sets to use")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--methods", nargs="+", choices=list(OPTIONS), default=list(OPTIONS), metavar="METHOD"
    )
    parser.add_argument("--seeds", type=int, default=1, help="number of splits")
    parser.add_argument(
        "--shapes",
        type=shape,
        nargs="+",
        default=[(5_000, 20), (15_000, 50)],
        metavar="NxD",
        help="shapes of the synthetic data to time",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of the times")
    parser.add_argument("--threads", type=int, default=1, help="BLAS and OpenMP threads")
    parser.add_argument("--resume", action="store_true", help="keep the fits that there are")
    parser.add_argument(
        "--refit",
        nargs="+",
        choices=list(OPTIONS),
        default=[],
        metavar="METHOD",
        help="with --resume: make the fits of these methods again, of --only some tables",
    )
    out = Path(__file__).parent / "results" / "several_networks"
    parser.add_argument("--out", type=Path, default=out)
    return parser


def again(row, options):
    """Whether a fit is to be made again."""
    methods = {*options.refit, *([AVERAGE] if ONE in options.refit else [])}
    return row["method"] in methods and (not options.only or row["table"] in options.only)


def main(arguments=None):
    parser = arguments_parser()
    options = parser.parse_args(arguments)
    if options.refit and not options.resume:
        parser.error("--refit goes with --resume: without it all fits are made")
    options.methods = [m for m in OPTIONS if m in {*options.methods, *options.refit}]
    files = {"accuracy": options.out / "scores.csv", "times": options.out / "times.csv"}
    found = {
        part: read(path) if options.resume or part not in options.parts else []
        for part, path in files.items()
    }
    found["accuracy"] = [row for row in found["accuracy"] if not again(row, options)]
    makers = {"accuracy": accuracy, "times": times}
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        timed_fit("regression", *made("regression", 50, 5, 0), 0)  # what is done once only
        for part in options.parts:
            for rows in makers[part](options, found[part]):
                write_rows(files[part], rows)
        report = page(options, arguments, found["accuracy"], found["times"])
    if not any(found.values()):
        parser.error(f"no data set of that name in a folder: {options.only}")
    write_page(options.out, report)
    print(report)


if __name__ == "__main__":
    main()
