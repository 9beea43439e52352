"""Streams: partial_fit against those of scikit-learn's networks and linear models.

    python benchmarks/stream.py --data DIR [--threads N]

DIR holds the tables of ``benchmarks/tabular.py``, whose splits and scaling are used here: the
scaler has seen all training rows, which helps the others (ours scales by itself). The training rows
come in chunks of 100 and of 500, once and ten times, in a new order each time. Beside that stands
``fit``, which has all rows at once.

The stream that turns is made here: 20,000 samples of ten normal columns in chunks of 100, two
classes that depend on a direction and on the size of the first column. The direction stays, jumps
half way, or turns slowly. Each chunk is predicted before it is learned; what counts is the accuracy
over the whole stream, and over the tenth of it that follows the jump.

Writes into ``benchmarks/results/stream`` (``--out``): ``README.md`` and ``scores.csv``.
"""

import argparse
import shlex
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from report import environment, number, table, write_results
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from tabular import adam, data_sets, ours, split
from threadpoolctl import threadpool_limits

CHUNKS, PASSES = (100, 500), (1, 10)
MARGIN = 0.003
TURNS = ("stays", "jumps", "turns slowly")


def linear(task, seed):
    if task == "classification":
        return SGDClassifier(loss="log_loss", random_state=seed)
    return SGDRegressor(random_state=seed)


METHODS = {"skmdlam": ours, "MLP": adam, "SGD": linear}


def passes(model, task, X, y, chunk, seed):
    """Learn the rows in chunks, pass by pass; yield after each the seconds in partial_fit."""
    classes = {"classes": np.unique(y)} if task == "classification" else {}
    rng, seconds = np.random.RandomState(seed), 0.0
    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X), chunk):
            rows = order[start : start + chunk]
            clock = time.perf_counter()
            model.partial_fit(X[rows], y[rows], **classes)
            seconds += time.perf_counter() - clock
        yield seconds


def measure(name, task, X, y, seeds):
    """Score every method on every split; one row a method, size of chunk and number of passes."""
    rows = []
    for seed in seeds:
        X_train, X_test, y_train, y_test = split(task, X, y, seed)

        def add(method, chunk, n_passes, model, seconds, test=(X_test, y_test), seed=seed):
            score = model.score(*test)
            rows.append(
                {
                    "stream": name,
                    "seed": seed,
                    "method": method,
                    "chunk": chunk,
                    "passes": n_passes,
                    "score": score,
                    "seconds": seconds,
                }
            )

        clock = time.perf_counter()
        model = ours(task, seed).fit(X_train, y_train)
        add("fit", len(X_train), "", model, time.perf_counter() - clock)
        for chunk in CHUNKS:
            for method, make in METHODS.items():
                model = make(task, seed)
                learned = passes(model, task, X_train, y_train, chunk, seed)
                for done, seconds in zip(range(1, max(PASSES) + 1), learned, strict=False):
                    if done in PASSES:
                        add(method, chunk, done, model, seconds)
    return rows


def turning_stream(kind, seed, n=20_000, d=10):
    """Samples whose classes depend on a direction that stays, jumps, or turns slowly."""
    rng = np.random.RandomState(seed)
    X, time_ = rng.standard_normal((n, d)), np.arange(n)[:, None] / n
    first, last = 2.0 * rng.standard_normal((2, d)) / np.sqrt(d)
    share = {"stays": 0.0 * time_, "jumps": (time_ >= 0.5) * 1.0, "turns slowly": time_}[kind]
    score = np.sum(X * ((1 - share) * first + share * last), axis=1)
    score += np.abs(X[:, 0]) - 0.8 + 0.3 * rng.standard_normal(n)
    return X, (score > 0).astype(int)


def follow(kind, seeds, chunk=100):
    """Accuracy of each chunk before it is learned: over the stream, and after the middle of it."""
    rows = []
    for seed in seeds:
        X, y = turning_stream(kind, seed)
        for method, make in METHODS.items():
            model, scores = make("classification", seed), []
            seconds = 0.0
            for start in range(0, len(X), chunk):
                part = slice(start, start + chunk)
                if start:
                    scores.append(model.score(X[part], y[part]))
                clock = time.perf_counter()
                model.partial_fit(X[part], y[part], classes=[0, 1])
                seconds += time.perf_counter() - clock
            middle = len(X) // chunk // 2
            after = scores[middle : middle + len(scores) // 10]
            for span, values in (("all", scores), ("after the middle", after)):
                rows.append(
                    {
                        "stream": f"{kind}, {span}",
                        "seed": seed,
                        "method": method,
                        "chunk": chunk,
                        "passes": 1,
                        "score": float(np.mean(values)),
                        "seconds": seconds,
                    }
                )
    return rows


def mean(rows, field="score", **chosen):
    """Mean of a field over the rows with these values."""
    values = [r[field] for r in rows if all(r[key] == value for key, value in chosen.items())]
    return float(np.mean(values))


def summary(rows, names):
    """One line a size of chunk and number of passes: mean scores, wins of ours, seconds."""
    lines = []
    for chunk in CHUNKS:
        for n_passes in PASSES:
            setting = {"chunk": chunk, "passes": n_passes}
            scores = {
                method: np.array([mean(rows, stream=n, method=method, **setting) for n in names])
                for method in METHODS
            }
            line = [
                chunk,
                n_passes,
                number(np.mean([mean(rows, stream=n, method="fit") for n in names])),
            ]
            line += [number(float(values.mean())) for values in scores.values()]
            for other in list(METHODS)[1:]:
                difference = scores["skmdlam"] - scores[other]
                wins, losses = int((difference > MARGIN).sum()), int((difference < -MARGIN).sum())
                line.append(f"{wins}/{len(names) - wins - losses}/{losses}")
            seconds = [
                sum(mean(rows, "seconds", stream=n, method=method, **setting) for n in names)
                for method in METHODS
            ]
            line += [f"{value:.1f}" for value in seconds]
            lines.append(line)
    header = ["rows in a chunk", "passes", "skmdlam, fit", *METHODS]
    header += [f"wins/ties/losses against {other}" for other in list(METHODS)[1:]]
    header += [f"seconds, {method}" for method in METHODS]
    return table(header, lines)


def details(rows, names, chunk):
    """Score of every method on every table, after one pass and after ten."""
    lines = [
        [
            name,
            number(mean(rows, stream=name, method="fit")),
            *(
                number(mean(rows, stream=name, method=method, chunk=chunk, passes=n_passes))
                for n_passes in PASSES
                for method in METHODS
            ),
        ]
        for name in names
    ]
    header = ["table", "skmdlam, fit"]
    header += [f"{method}, {n_passes}" for n_passes in PASSES for method in METHODS]
    return table(header, lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with INDEX.tsv and NAME.npz")
    parser.add_argument("--threads", type=int, default=1, help="BLAS and OpenMP threads")
    parser.add_argument("--seeds", type=int, default=1, help="number of splits")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "stream")
    options = parser.parse_args(arguments)

    rows, turning, names, seeds = [], [], [], range(options.seeds)
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for kind in TURNS:
            turning += follow(kind, seeds)
        for name, task, X, y in data_sets(options.data):
            if options.only and name not in options.only:
                continue
            names.append(name)
            rows += measure(name, task, X, y, seeds)
            print(details(rows, [name], CHUNKS[0]), flush=True)
        machine = environment()
    if not rows:
        parser.error(f"no data set of that name: {options.only}")

    given = list(sys.argv[1:] if arguments is None else arguments)
    for place in ("--data", "--out"):  # where they lie here is nobody's business
        if place in given:
            given[given.index(place) + 1] = "DIR"
    command = shlex.join(["python", "benchmarks/stream.py", *given])
    turns = [
        [name, *(number(mean(turning, stream=name, method=method)) for method in METHODS)]
        for name in dict.fromkeys(row["stream"] for row in turning)
    ]
    report = (
        f"# Streams\n\nCommand: `{command}`\n\n{machine}\n\n"
        f"Scores are accuracy or R² on test rows, mean over {options.seeds} split(s); wins and "
        f"losses are differences of more than {MARGIN}. Seconds are those in `partial_fit`, summed "
        f"over the tables, in one process on {options.threads} thread(s).\n\n"
        f"{summary(rows, names)}\n"
        f"## Chunks of {CHUNKS[0]}, one pass and ten\n\n{details(rows, names, CHUNKS[0])}\n"
        f"## Chunks of {CHUNKS[1]}, one pass and ten\n\n{details(rows, names, CHUNKS[1])}\n"
        "## A stream that turns\n\nAccuracy on each chunk of 100 before it is learned: over all "
        "20,000 samples, and over the 2,000 after the middle, where it jumps.\n\n"
        f"{table(['direction', *METHODS], turns)}"
    )
    print(report)
    write_results(options.out, report, rows + turning)


if __name__ == "__main__":
    main()
