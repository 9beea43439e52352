"""Large data: Dask on one machine, the effect of more workers, the cost of averaging weights.

    python benchmarks/scale.py [--data DIR] [--parts PART ...] [--resume]

*Rows* (``--rows``): 10^5, 10^6 and 10^7 samples of 50 features with five classes, synthetic: five
functions of 40 tanh units and sines of single features, and noise. They are drawn once, into files
of 100,000 samples (single precision), which Dask reads when it needs them:
``dask.delayed(np.load)``. A LocalCluster of two processes with a thread each fits
``skmdlam.dask.MDLAMClassifier``; beside it ``MLPClassifier.partial_fit`` with the same hidden layer
and ``SGDClassifier.partial_fit`` go through the same files, one thread, until they have had
``--control-epochs`` passes. Each fit is a process of its own. Its memory is that of all its
processes (client with scheduler, workers, nannies): the sum of their resident sets, sampled ten
times a second; what they share is counted in each.

*Workers* (``--workers``): 10^6 samples with 1, 2, 4 and 8 workers. Weights must be bitwise equal.
The work of tasks is what Dask's task stream says of the fit with one worker, the bytes are the
lengths of the arguments and results of the rounds. This machine has few processors: the speed-up is
**computed**, not measured.

*Paths*: data sets of ``--data`` (letter, adult, cal_housing), cut into piles of about 2,000
samples, fitted on 1, 2, 4 and 8 parallel paths whatever their size, and locally; and synthetic data
of two million samples of 30 features, in the same ways. Here blocks are in one process, one after
another: the weights are those of as many workers.

Writes ``README.md`` and a table of each part into ``benchmarks/results/scale`` (``--out``). With
``--resume`` fits that are there are kept.
"""

import csv
import hashlib
import itertools
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy is imported, here and by the workers

import numpy as np  # noqa: E402
from report import (  # noqa: E402
    command_line,
    environment,
    number,
    table,
    tables_parser,
    write_page,
    write_rows,
)
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.linear_model import SGDClassifier  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from tabular import data_sets, split  # noqa: E402

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor  # noqa: E402
from skmdlam._block_fit import Raw, fit_blocks  # noqa: E402
from skmdlam.engine.blocks import LocalBlocks  # noqa: E402
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED  # noqa: E402
from skmdlam.engine.on_blocks import paths_of  # noqa: E402

COLUMNS, CLASSES, BLOCK, TEST, TEST_SEED = 50, 5, 100_000, 100_000, 10**6
HIDDEN = (100,)
MLP, SGD = "MLPClassifier", "SGDClassifier"
FEW, DEFAULTS = "few epochs", "defaults"
# Shares of the limit of a worker: results go to disk, it takes no more work.
MEMORY = {"target": 0.8, "spill": 0.9, "pause": 0.95, "terminate": False}
PARTS = ("rows", "workers", "paths", "large")
TABLES = ("letter", "adult", "cal_housing")
PATHS = (1, 2, 4, 8)
GIB = 2**30


# -- the table ------------------------------------------------------------------------------------


def made(n, seed, d=COLUMNS, k=CLASSES):
    """Rows of the teacher, which is the same for all seeds: X in single precision, labels."""
    teacher = np.random.default_rng(0)
    W = (teacher.standard_normal((d, 40)) * 2 / np.sqrt(d)).astype(np.float32)
    V = (teacher.standard_normal((40, k)) * 4 / 6).astype(np.float32)
    rng = np.random.default_rng([1, seed])
    X = rng.standard_normal((n, d), dtype=np.float32)
    z = np.tanh(X @ W) @ V + np.sin(3 * X[:, :k])
    noise = -0.5 * np.log(rng.standard_exponential(z.shape, dtype=np.float32) + 1e-9)
    return X, (z + noise).argmax(axis=1)


def write_block(folder, seed):
    """Make a block of rows in files."""
    X, y = made(BLOCK, seed)
    np.save(folder / f"X{seed}.npy", X)
    np.save(folder / f"y{seed}.npy", y)


def write_files(folder, n_rows):
    """All blocks of a table, those that are not there yet."""
    for seed in range(n_rows // BLOCK):
        if not (folder / f"y{seed}.npy").exists():
            write_block(folder, seed)


# -- what a process and those that it started use -------------------------------------------------


class Memory:
    """The most that the resident sets of this process and its children sum to."""

    def __init__(self, seconds=0.1):
        import psutil

        self._own = psutil.Process()
        self._seconds, self._stop = seconds, threading.Event()
        self.peak = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def sizes(self):
        """Resident sets of these processes."""
        import psutil

        sizes = []
        for process in [self._own, *self._own.children(recursive=True)]:
            try:
                sizes.append(process.memory_info().rss)
            except psutil.Error:
                continue
        return sizes

    def _watch(self):
        while not self._stop.wait(self._seconds):
            self.peak = max(self.peak, sum(self.sizes()))

    def __enter__(self):
        self.peak = sum(self.sizes())
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def processor_time():
    """Of this process and of the living ones that it started."""
    import psutil

    own = psutil.Process()
    found = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        found += times.user + times.system
    return found


# -- fits, each in a process of its own -----------------------------------------------------------


def fit_dask(job):
    """Fit the estimator for Dask; a row of what was measured."""
    import dask
    from distributed import Client, LocalCluster

    from skmdlam._progress import WATCHER
    from skmdlam.dask import MDLAMClassifier

    folder, ends = Path(job["folder"]), []

    def tell(*_):
        ends.append((time.perf_counter(), processor_time()))
        print(f"epoch {len(ends)}: {ends[-1][0] - start:.1f} s", file=sys.stderr, flush=True)

    WATCHER.set(tell)
    dask.config.set({f"distributed.worker.memory.{name}": x for name, x in MEMORY.items()})
    with (
        Memory() as memory,
        LocalCluster(
            n_workers=job["workers"],
            threads_per_worker=1,
            processes=True,
            memory_limit=job["memory"],
            dashboard_address=None,
            local_directory=job["folder"],
        ) as cluster,
        Client(cluster) as client,
    ):
        X, y = lazy_table(folder, job["rows"])
        client.get_task_stream()  # it records from the first call on
        empty, cpu_before, start = memory.peak, processor_time(), time.perf_counter()
        model = MDLAMClassifier(HIDDEN, random_state=0, client=client, **job["options"])
        model.fit(X, y)
        seconds, cpu = time.perf_counter() - start, processor_time() - cpu_before
        tasks = work_of(client.get_task_stream(start=0))
        moved = sum(client.run(incoming_bytes).values())
    epochs = np.median(np.diff(ends, axis=0), axis=0).tolist() if len(ends) > 1 else ("", "")
    local, (X_test, y_test) = model.to_local(), made(TEST, TEST_SEED)
    return {
        "seconds": seconds,
        "processor seconds": cpu,
        "epochs": local.n_iter_,
        "epoch seconds": epochs[0],
        "epoch processor seconds": epochs[1],
        "first epoch": ends[0][0] - start if ends else "",
        "first epoch, processor": ends[0][1] - cpu_before if ends else "",
        "score": local.score(X_test, y_test),
        "peak": memory.peak,
        "empty": empty,
        "moved": moved,
        "digest": digest(local),
        "state": len(pickle.dumps(local.coefs_)),
        "tasks": json.dumps(tasks),
    }


def lazy_table(folder, n_rows):
    """X and y as Dask arrays; files are read by workers when they are asked for."""
    import dask
    import dask.array as da

    load = dask.delayed(np.load)
    shapes = {"X": (BLOCK, COLUMNS), "y": (BLOCK,)}
    types = {"X": np.float32, "y": np.int64}
    return [
        da.concatenate(
            [
                da.from_delayed(load(str(folder / f"{name}{i}.npy")), shape, types[name])
                for i in range(n_rows // BLOCK)
            ]
        )
        for name, shape in shapes.items()
    ]


def incoming_bytes(dask_worker):
    """What a worker got from other workers."""
    return sum(each["total"] for each in dask_worker.transfer_incoming_log)


def work_of(stream):
    """{function: [calls, seconds of work, of transfers and disk, bytes of results]} of tasks."""
    found = {}
    for task in stream:
        key = task["key"] if isinstance(task["key"], str) else task["key"][0]
        name = key.rpartition("-")[0].removeprefix("skmdlam-")
        total = found.setdefault(name, [0, 0.0, 0.0, 0])
        total[0] += 1
        total[3] += task.get("nbytes") or 0
        for part in task["startstops"]:
            total[1 if part["action"] == "compute" else 2] += part["stop"] - part["start"]
    return found


def digest(model):
    """Of the bits of the weights."""
    weights = [*model.coefs_, *model.intercepts_]
    return hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()[:16]


def fit_control(job):
    """Passes of ``partial_fit`` over the files; a row with the score after each."""
    folder, classes = Path(job["folder"]), np.arange(CLASSES)
    model = (
        MLPClassifier(HIDDEN, random_state=0)
        if job["model"] == MLP
        else SGDClassifier(loss="log_loss", random_state=0)
    )
    X_test, y_test = made(TEST, TEST_SEED)
    scores, times, cpu = [], [], 0.0
    rng = np.random.RandomState(0)
    with Memory() as memory:
        while len(times) < job["epochs"] and sum(times) < job["limit"]:
            start, before = time.perf_counter(), time.process_time()
            for i in rng.permutation(job["rows"] // BLOCK):
                X, y = (np.load(folder / f"{name}{i}.npy") for name in "Xy")
                order = rng.permutation(len(y))  # partial_fit goes through them in their order
                model.partial_fit(X[order], y[order], classes=classes)
            times.append(time.perf_counter() - start)
            cpu += time.process_time() - before
            scores.append(model.score(X_test, y_test))
            if job["target"] is not None and scores[-1] >= job["target"]:
                break
    return {
        "seconds": sum(times),
        "processor seconds": cpu,
        "epochs": len(times),
        "epoch seconds": float(np.median(times)),
        "score": scores[-1],
        "scores": " ".join(f"{score:.4f}" for score in scores),
        "peak": memory.peak,
    }


JOBS = {"dask": fit_dask, "control": fit_control}


def alone(kind, job, limit=900):
    """What a job in a process of its own says; its error ends this script."""
    command = [sys.executable, __file__, "--job", kind, json.dumps(job)]
    with tempfile.TemporaryFile("w+") as out:
        subprocess.run(command, stdout=out, check=True, timeout=limit)
        out.seek(0)
        return json.loads(out.read().splitlines()[-1])


# -- many rows ------------------------------------------------------------------------------------


def rows_part(options, rows):
    """Make the fits that lack, short ones first; yield all rows after each."""

    def few_epochs(n, setting):
        given = {"max_iter": options.epochs}
        given |= {"encoding": None} if setting == FEW else {}
        job = {"rows": n, "workers": 2, "memory": options.memory, "options": given}
        return lacking(rows, {"n": n, "fit": f"Dask, {setting}"}, "dask", job, options)

    def control(n, model):
        ours = [row["score"] for row in rows if row["n"] == n and row["fit"].startswith("Dask")]
        job = {"model": model, "rows": n, "epochs": options.control_epochs}
        job |= {"limit": options.control_seconds, "target": max(ours, default=None)}
        return lacking(rows, {"n": n, "fit": model}, "control", job, options)

    for n in options.rows:
        write_files(options.folder, n)
        yield from few_epochs(n, FEW)
    for n in options.rows:
        for model in options.controls:
            yield from control(n, model)
    for n in options.rows:
        if n <= options.defaults_up_to:
            yield from few_epochs(n, DEFAULTS)


def lacking(rows, about, kind, job, options):
    """Run a job unless its row is there."""
    if not any(all(row[key] == value for key, value in about.items()) for row in rows):
        found = alone(kind, job | {"folder": str(options.folder)})
        found["load"] = os.getloadavg()[0]
        rows.append(about | found)
        print(about, {k: v for k, v in found.items() if k != "tasks"}, file=sys.stderr, flush=True)
        yield rows


def workers_part(options, rows):
    """Fits of one table by several workers."""
    n = options.workers_rows
    write_files(options.folder, n)
    for workers in options.workers:
        job = {"rows": n, "workers": workers, "memory": options.memory}
        job["options"] = {"max_iter": options.epochs, "encoding": None}
        yield from lacking(rows, {"n": n, "workers": workers}, "dask", job, options)


# -- what averages lose ---------------------------------------------------------------------------


def on_paths(task, X, y, n_piles, paths, seed=0, **options):
    """Fit in blocks of one process, so many of them side by side; the ordinary estimator."""
    limits = replace(LIMITS, pile_numbers=1, pile_rows=len(y) // n_piles)
    tuned = replace(TUNED, least_paths=paths, rounds=n_piles)
    model = estimator(task, seed, solver=Feasible(constants=replace(CONSTANTS, tuned=tuned)))
    model.set_params(**options)
    edges = np.linspace(0, len(y), n_piles + 1).astype(int)
    parts = [Raw(X[a:b], y[a:b]) for a, b in itertools.pairwise(edges)]
    return fit_blocks(model, LocalBlocks(parts), limits=limits)


def estimator(task, seed, **options):
    kind = MDLAMRegressor if task == "regression" else MDLAMClassifier
    return kind(random_state=seed, **options)


def paths_part(options, rows):
    """Data sets, whatever their size, on several paths and locally."""
    for folder in options.data:
        for name, task, X, y in data_sets(folder, options.tables):
            for seed in range(options.seeds):
                X_train, X_test, y_train, y_test = split(task, X, y, seed)
                n_piles = max(PATHS[-1], len(y_train) // LIMITS.pile_rows)
                data = X_train, y_train, X_test, y_test
                for paths in (0, *PATHS):
                    about = {"table": name, "seed": seed, "paths": paths}
                    yield from timed(rows, about, task, data, n_piles)


def large_part(options, rows):
    """Two million synthetic samples, in the piles of the defaults, and locally."""
    n = options.large_rows
    data = *made(n, 0, 30), *made(TEST, TEST_SEED, 30)
    n_piles = -(-data[0].size // LIMITS.pile_numbers)
    given = {"hidden_layer_sizes": HIDDEN, "encoding": None, "max_iter": options.large_epochs}
    for paths in (0, *PATHS):
        about = {"table": f"made, {n:,} x 30", "seed": 0, "paths": paths}
        yield from timed(rows, about, "classification", data, n_piles, **given)


def timed(rows, about, task, data, n_piles, **given):
    """Fit with so many paths (0: the local fit) unless its row is there."""
    if any(all(row[key] == value for key, value in about.items()) for row in rows):
        return
    X, y, X_test, y_test = data
    paths, seed = about["paths"], about["seed"]
    start, cpu = time.perf_counter(), time.process_time()
    if paths == 0:
        model = estimator(task, seed, **given).fit(X, y)
    else:
        model = on_paths(task, X, y, n_piles, paths, seed, **given)
    rounds = -(-n_piles // paths) if paths > 1 else 0
    about |= {"piles": n_piles if paths else 1, "averages an epoch": rounds}
    about |= {"epochs": model.n_iter_, "score": model.score(X_test, y_test)}
    about |= {"seconds": time.perf_counter() - start, "processor": time.process_time() - cpu}
    rows.append(about)
    print(about, file=sys.stderr, flush=True)
    yield rows


# -- the page -------------------------------------------------------------------------------------


def rows_page(rows):
    """A line for each fit of many samples."""
    lines = []
    for row in sorted(rows, key=lambda row: row["n"]):
        peak = row["peak"] / GIB
        lines.append(
            [
                f"{row['n']:,}, {row['fit']}",
                row["epochs"],
                *(f"{row[key]:.1f}" for key in ("seconds", "processor seconds")),
                *(or_dash(row.get(key)) for key in EPOCHS),
                number(row["score"], 4),
                f"{peak:.2f}",
                f"{row['load']:.0f}",
            ]
        )
    header = ["samples, fit", "epochs", "seconds", "processor seconds", *EPOCHS.values()]
    return table([*header, "test score", "peak, GiB", "load"], lines)


EPOCHS = {
    "epoch seconds": "seconds per epoch",
    "epoch processor seconds": "processor seconds per epoch",
    "first epoch": "seconds until the end of the first epoch",
}


def or_dash(value, digits=1):
    return "-" if value in ("", None) else f"{value:.{digits}f}"


def ratios(rows):
    """The cost of ten times the samples: a line for each fit."""
    lines = []
    for fit in dict.fromkeys(row["fit"] for row in rows):
        of = {row["n"]: row for row in rows if row["fit"] == fit}
        for n in of:
            if 10 * n in of:
                both = of[10 * n], of[n]
                keys = ("seconds", "processor seconds", *EPOCHS)
                values = [[row.get(key, "") for row in both] for key in keys]
                lines.append(
                    [f"{10 * n:,} over {n:,}, {fit}"]
                    + [f"{a / b:.1f}" if "" not in (a, b) else "-" for a, b in values]
                )
    return table(["", "seconds", "processor seconds", *EPOCHS.values()], lines)


def averages_of(tasks, n_piles):
    """Rounds of a fit, paths of each, and the bytes of weights that they send and bring back."""
    paths = paths_of(n_piles, TUNED)
    steps, given = tasks["stepped"], tasks.get("stepped-arguments", [0, 0.0, 0.0, 0])
    return steps[0] / paths, paths, given[3] * paths + steps[3]


def computed_seconds(row, workers, bandwidth=1e9):
    """What the fit of one worker would take on so many, from the work of its tasks.

    Steps of a round are side by side, so many as there are paths; all other tasks are spread; what
    is no task (client, scheduler, waiting) stays; the bytes of the averages travel one after
    another.
    """
    tasks = json.loads(row["tasks"])
    rounds, paths, moved = averages_of(tasks, tasks["pile"][0])
    work = {name: busy + other for name, (_, busy, other, _) in tasks.items()}
    steps = work["stepped"] / tasks["stepped"][0]
    rest = sum(work.values()) - work["stepped"]
    alone = max(0.0, row["seconds"] - sum(work.values()))
    travel = moved / bandwidth if workers > 1 else 0.0
    return rounds * -(-paths // workers) * steps + rest / workers + alone + travel


def workers_page(rows):
    """A line for each number of workers."""
    rows, lines = sorted(rows, key=lambda row: row["workers"]), []
    for row in rows:
        tasks = json.loads(row["tasks"])
        rounds, paths, moved = averages_of(tasks, tasks["pile"][0])
        one = computed_seconds(rows[0], 1)
        lines.append(
            [
                row["workers"],
                "yes" if row["digest"] == rows[0]["digest"] else "NO",
                number(row["score"], 4),
                f"{rounds:.0f} of {paths}",
                f"{moved / 2**20:.0f}",
                f"{row['moved'] / 2**20:.0f}",
                f"{row['seconds']:.1f}",
                f"{row['processor seconds']:.1f}",
                f"{row['peak'] / GIB:.2f}",
                f"{one / computed_seconds(rows[0], row['workers']):.2f}",
            ]
        )
    header = ["workers", "bitwise equal to one", "test score", "averages, of paths"]
    header += ["MiB of weights", "MiB between workers", "seconds", "processor seconds"]
    return table([*header, "peak, GiB", "speed-up, estimated"], lines)


def work_page(row):
    """A line for each function that workers were sent: where the time of one worker goes."""
    lines = sorted(json.loads(row["tasks"]).items(), key=lambda item: -item[1][1] - item[1][2])
    lines = [
        [name, calls, f"{busy:.2f}", f"{other:.2f}", f"{size / 2**20:.0f}"]
        for name, (calls, busy, other, size) in lines
        if busy + other > 0.05
    ]
    work = sum(sum(each[1:3]) for each in json.loads(row["tasks"]).values())
    lines.append(["outside of tasks", "", f"{row['seconds'] - work:.2f}", "", ""])
    header = [
        "function",
        "calls",
        "seconds of work",
        "seconds of transfer and disk",
        "MiB of results",
    ]
    return table(header, lines)


def paths_page(rows):
    """A line for each data set: mean scores, and by how much paths differ from the local fit."""
    lines = []
    for name in dict.fromkeys(row["table"] for row in rows):
        of = {(row["paths"], row["seed"]): row for row in rows if row["table"] == name}
        seeds = [seed for paths, seed in of if paths == 0]
        local = {seed: of[0, seed]["score"] for seed in seeds}
        found = {k: [of[k, seed] for seed in seeds if (k, seed) in of] for k in (0, *PATHS)}
        line = [
            name.replace("made", "synthetic"),
            len(seeds),
            max(row["piles"] for row in of.values()),
        ]
        line.append(number(np.mean(list(local.values())), 4))
        for k in PATHS:
            gains = [row["score"] - local[row["seed"]] for row in found[k]]
            line.append(f"{1000 * np.mean(gains):+.1f}" if gains else "-")
        for key in ("epochs", "processor"):
            means = [
                f"{np.mean([row[key] for row in each]):.0f}" for each in found.values() if each
            ]
            line.append(" ".join(means))
        lines.append(line)
    header = ["data set", "seeds", "piles", "local fit"]
    header += [f"{paths} path{'s' * (paths > 1)}" for paths in PATHS]
    return table([*header, "epochs", "processor seconds"], lines)


def page(options, arguments, found):
    """The report; its last section, the findings, is written by hand and kept."""
    text = f"""# Large data with Dask

Command: `{command_line(__file__, arguments)}`

{environment()}

All processes have one thread. The machine was shared: "load" is the number of runnable processes at
the end of a fit, on 2 processors; processor seconds depend on it much less.
"""
    if found["rows"]:
        text += f"""
## Many samples on one machine

{COLUMNS} features, {CLASSES} classes, one hidden layer of {HIDDEN[0]} units, files of {BLOCK:,}
samples in single precision, {TEST:,} test samples. Dask: 2 processes of {options.memory} and one of
client and scheduler. "Few epochs" are {options.epochs}, with `encoding=None`. The baselines go over
the files by `partial_fit`.

{rows_page(found["rows"])}
### Ten times the samples

{ratios(found["rows"])}"""
    if found["workers"]:
        one = min(found["workers"], key=lambda row: row["workers"])
        text += f"""
## Several workers

{one["n"]:,} samples, few epochs. The speed-up is estimated, not measured, from the work of the
tasks of one worker and a bandwidth of 1 GB/s for the weights; this machine has {os.cpu_count()}
processors.

{workers_page(found["workers"])}
### Work of one worker by task

{work_page(one)}"""
    rows = found["paths"] + found["large"]
    if rows:
        text += f"""
## Cost of averaging weights

Test scores, accuracy or R²; for 1, 2, 4 and 8 parallel paths the difference from the local fit, in
thousandths. By default the small data sets would be fitted in one task, which is the local fit;
here they are cut into piles nevertheless. The synthetic data have {options.large_epochs} epochs at
most and no encoding. Epochs and processor seconds are those of the local fit, then of the paths in
order.

{paths_page(rows)}"""
    return text + learned(options.out / "README.md")


def learned(path):
    """The section of the report that is there."""
    mark = "\n## Findings\n"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return mark + text.partition(mark)[2]


# -- command line ---------------------------------------------------------------------------------

MAKERS = {"rows": rows_part, "workers": workers_part, "paths": paths_part, "large": large_part}


def read(path):
    """Rows of a file, numbers as numbers."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {key: value_of(key, cell) for key, cell in row.items()} for row in csv.DictReader(file)
        ]


def value_of(key, text):
    if key in ("digest", "tasks", "scores", "fit", "table"):
        return text
    try:
        return int(text)
    except ValueError:
        return float(text) if text else ""


def arguments_parser():
    parser = tables_parser(__doc__)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--epochs", type=int, default=3, help="of the fits with Dask")
    parser.add_argument("--defaults-up-to", type=int, default=10**6, metavar="ROWS")
    parser.add_argument("--memory", default="1600MiB", help="limit of a worker")
    parser.add_argument("--controls", nargs="*", choices=(MLP, SGD), default=(MLP, SGD))
    parser.add_argument("--control-epochs", type=int, default=10)
    parser.add_argument("--control-seconds", type=float, default=240.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--workers-rows", type=int, default=10**6)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--large-rows", type=int, default=2_000_000)
    parser.add_argument("--large-epochs", type=int, default=30)
    parser.add_argument(
        "--folder", type=Path, help="for the synthetic files; else one that is removed"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scale")
    parser.add_argument("--resume", action="store_true")
    return parser


def main(arguments=None):
    options = arguments_parser().parse_args(arguments)
    files = {part: options.out / f"{part}.csv" for part in PARTS}
    found = {
        part: read(path) if options.resume or part not in options.parts else []
        for part, path in files.items()
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        options.folder = Path(folder) if options.folder is None else options.folder
        for part in options.parts:
            for rows in MAKERS[part](options, found[part]):
                keys = dict.fromkeys(key for row in rows for key in row)
                write_rows(files[part], [dict.fromkeys(keys, "") | row for row in rows])
    report = page(options, arguments, found)
    write_page(options.out, report)
    print(report)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            print(json.dumps(JOBS[sys.argv[2]](json.loads(sys.argv[3]))))
    else:
        main()
