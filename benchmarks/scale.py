"""Large tables: Dask on one machine, what more workers bring, what averages of weights lose.

    python benchmarks/scale.py [--data DIR] [--parts PART ...] [--resume]

*Rows* (``--rows``): 10^5, 10^6 and 10^7 rows of 50 columns with five classes, of a teacher: five
functions of 40 tanh units and sines of single columns, and noise. They are made once, in files of
100,000 rows (single precision), which Dask reads when it needs them: ``dask.delayed(np.load)``. A
LocalCluster of two processes with a thread each fits ``skmdlam.dask.MDLAMClassifier``; beside it
``MLPClassifier.partial_fit`` with the same hidden layer and ``SGDClassifier.partial_fit`` go
through the same files, one thread, until they have had ``--control-epochs`` passes. Each fit is a
process of its own. Its memory is that of all its processes (client with scheduler, workers,
nannies): the sum of their resident sets, sampled ten times a second; what they share is counted in
each.

*Workers* (``--workers``): the table of 10^6 rows with 1, 2, 4 and 8 workers. Weights must have
equal bits. The work of tasks is what Dask's task stream says of the fit with one worker, the bytes
are the lengths of the arguments and results of the rounds. This machine has few processors: the
speed-up is **computed**, not measured.

*Paths*: tables of ``--data`` (letter, adult, cal_housing), cut into piles of about 2,000 rows,
stepped on 1, 2, 4 and 8 side by side, whatever their size, beside the local fit; and a made table
of two million rows of 30 columns beside its local fit. Here blocks are in one process, one after
another: the same weights as with as many workers.

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
from report import command_line, environment, number, table, tables_parser, write_rows  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.linear_model import SGDClassifier  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from tabular import data_sets, split  # noqa: E402

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor  # noqa: E402
from skmdlam._block_fit import Raw, fit_blocks  # noqa: E402
from skmdlam.engine.blocks import LocalBlocks  # noqa: E402
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED  # noqa: E402

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


def write_block(folder, seed, n=BLOCK):
    """Make a block of rows in files."""
    X, y = made(n, seed)
    np.save(folder / f"X{seed}.npy", X)
    np.save(folder / f"y{seed}.npy", y)


def write_files(folder, n_rows):
    """All blocks of a table, those that are not there yet."""
    for seed in range(n_rows // BLOCK):
        if not (folder / f"y{seed}.npy").exists():
            write_block(folder, seed)


# -- what a process and those that it started use ----------------------------------------------------


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
    WATCHER.set(lambda record, total: ends.append((time.perf_counter(), processor_time())))
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
    """{function: [calls, seconds of work, seconds of transfers and disk]} of tasks."""
    found = {}
    for task in stream:
        key = task["key"] if isinstance(task["key"], str) else task["key"][0]
        name = key.rpartition("-")[0].removeprefix("skmdlam-")
        total = found.setdefault(name, [0, 0.0, 0.0])
        total[0] += 1
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
                model.partial_fit(X[order], y[order], classes)
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


def alone(kind, job, limit=480):
    """What a job in a process of its own says; its error ends this script."""
    command = [sys.executable, __file__, "--job", kind, json.dumps(job)]
    with tempfile.TemporaryFile("w+") as out:
        subprocess.run(command, stdout=out, check=True, timeout=limit)
        out.seek(0)
        return json.loads(out.read().splitlines()[-1])


# -- many rows ------------------------------------------------------------------------------------


def rows_part(options, rows):
    """Make the fits that lack; yield all rows after each."""
    for n in options.rows:
        write_files(options.folder, n)
        for setting in (FEW, DEFAULTS):
            if setting == DEFAULTS and n > options.defaults_up_to:
                continue
            given = {"max_iter": options.epochs, "encoding": None} if setting == FEW else {}
            job = {"rows": n, "workers": 2, "memory": options.memory, "options": given}
            yield from lacking(rows, {"n": n, "fit": f"Dask, {setting}"}, "dask", job, options)
        ours = [row["score"] for row in rows if row["n"] == n and row["fit"].startswith("Dask")]
        for model in (MLP, SGD):
            job = {"model": model, "rows": n, "epochs": options.control_epochs}
            job |= {"limit": options.control_seconds, "target": max(ours, default=None)}
            yield from lacking(rows, {"n": n, "fit": model}, "control", job, options)


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


def on_paths(task, X, y, n_piles, paths, **options):
    """Fit in blocks, so many of them side by side; the ordinary estimator."""
    limits = replace(LIMITS, pile_numbers=1, pile_rows=len(y) // n_piles)
    tuned = replace(TUNED, least_paths=paths, rounds=n_piles)
    solver = Feasible(constants=replace(CONSTANTS, tuned=tuned))
    model = estimator(task, solver=solver, **options)
    edges = np.linspace(0, len(y), n_piles + 1).astype(int)
    parts = [Raw(X[a:b], y[a:b]) for a, b in itertools.pairwise(edges)]
    fit_blocks(model, LocalBlocks(parts), limits=limits)
    return model


def estimator(task, seed=0, **options):
    kind = MDLAMRegressor if task == "regression" else MDLAMClassifier
    return kind(random_state=seed, **options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            print(json.dumps(JOBS[sys.argv[2]](json.loads(sys.argv[3]))))
    else:
        main()
