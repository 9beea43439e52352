"""Loss of workers: every fit of Dask collections must end as if no worker had been killed.

    python benchmarks/kills.py [--runs 20] [--seed 0] [--workers 2]

A LocalCluster of processes with one thread each, which start again when they die. Kinds of work:

- one task: what is small is fitted by one worker, as in memory;
- mini-batches, and all samples in one batch, block by block;
- categories: a data frame whose categories are target-encoded, by sums over blocks, in
  mini-batches;
- predictions of a collection, which are lazy.

Each kind is done once without failure. Then, run after run, one of the workers gets SIGKILL at a
moment that is drawn at random from the time that this took, whatever it is at. The tables say when
that was, what the worker was at (the names of its tasks), and whether every weight and intercept,
or every prediction, is the same bit for bit. So that small data are worked on block by block, the
limits above which they are in use are made small here.

Writes ``README.md`` and ``scores.csv`` into ``benchmarks/results/kills`` (``--out``), and ends with
1 when something is not the same.
"""

import argparse
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import dask
import numpy as np
import pandas as pd
from dask.distributed import Client, LocalCluster
from report import command_line, environment, table, write_results
from sklearn.exceptions import ConvergenceWarning

from skmdlam import _block_fit
from skmdlam.dask import MDLAMRegressor, _fit
from skmdlam.engine.constants import LIMITS

N, D, N_BLOCKS = 24_000, 8, 6
SETTINGS = {
    "hidden_layer_sizes": (20,),
    "random_state": 4,
    "max_iter": 25,
    "tol": 0.0,
    "n_iter_no_change": 1000,
}
SMALL = replace(LIMITS, one_task_numbers=1000, pile_numbers=32_000, pile_rows=100, driver_rows=4000)
# A fit is begun again as often as its workers die, and a worker that has died is waited for.
CLUSTER = {
    "distributed.scheduler.allowed-failures": 10,
    "distributed.deploy.lost-worker-timeout": "1 hour",
}


def samples(first, last, levels=False):
    """Rows of a table of which each block is made anew, wherever and whenever it is asked for."""
    rng = np.random.default_rng(7)
    X, noise = rng.normal(size=(N, D)), 0.1 * rng.normal(size=N)
    y = np.sin(X[:, 0]) * X[:, 1] + X[:, 2] + noise
    if levels:
        place, effect = rng.integers(400, size=N), rng.normal(size=400)
        y += effect[place]
        X = pd.DataFrame(X, columns=[f"x{j}" for j in range(D)])
        X["place"] = pd.Series(place).map("place {}".format)
    return X[first:last], y[first:last]


def collections(levels=False):
    """The blocks of X and y, delayed."""
    edges = np.linspace(0, N, N_BLOCKS + 1).astype(int)
    parts = [dask.delayed(samples, nout=2)(a, b, levels) for a, b in pairwise(edges)]
    return [part[0] for part in parts], [part[1] for part in parts]


def fitted(limits=LIMITS, levels=False, **settings):
    """Weights and intercepts of a fit."""
    _fit.LIMITS, begin = limits, _block_fit.fit_blocks
    _block_fit.fit_blocks = partial(begin, limits=limits)
    try:
        model = MDLAMRegressor(**SETTINGS | settings).fit(*collections(levels))
    finally:
        _fit.LIMITS, _block_fit.fit_blocks = LIMITS, begin
    return [*model.coefs_, *model.intercepts_]


def predictions(client):
    """A function that asks for predictions of blocks, each of which takes a while to be made."""
    model = MDLAMRegressor(**SETTINGS | {"max_iter": 5, "encoding": None}).fit(*collections())

    def slowly(block):
        time.sleep(0.5)
        return block

    def predict():
        parts = [dask.delayed(slowly)(block) for block in collections()[0]]
        return client.gather(client.compute(model.predict(parts)))

    return predict


class Killing:
    """Kill one of the workers a while after this is entered.

    Parameters
    ----------
    client : distributed.Client
    which : int
        Which of them, in the order of their addresses.
    after : float
        Seconds.

    Attributes
    ----------
    at_work : str or None
        What it was at; None where the work had ended before.
    """

    def __init__(self, client, which, after):
        self._client, self._which, self._after = client, which, after
        self._over, self.at_work = threading.Event(), None
        self._thread = threading.Thread(target=self._kill)

    def _kill(self):
        if self._over.wait(self._after):
            return
        address, process = self._victim
        tasks = self._client.processing().get(address, ())
        os.kill(process, signal.SIGKILL)
        kinds = Counter(kind_of(str(task)) for task in tasks)
        self.at_work = ", ".join(sorted(kinds)) or "between tasks"

    def __enter__(self):
        processes = self._client.run(os.getpid)
        self._victim = sorted(processes.items())[self._which % len(processes)]
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def kind_of(task):
    """A key without the number at its end: what the dashboard calls it."""
    words = task.strip("('").split("-")
    return "-".join(word for word in words if word.isalpha() and word != "skmdlam") or task


def measure(options):
    """Rows of results, one for each run."""
    rng = np.random.default_rng(options.seed)
    with (
        dask.config.set(CLUSTER),
        LocalCluster(
            n_workers=options.workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        kinds = {
            "one task": partial(fitted, max_iter=60),
            "mini-batches of blocks": partial(fitted, SMALL, max_iter=12),
            "full batch of blocks": partial(fitted, SMALL, batch_size=None, encoding=None),
            "categories with scores": partial(fitted, SMALL, levels=True, max_iter=8),
            "predictions": predictions(client),
        }
        expected, seconds = {}, {}
        for kind, work in kinds.items():
            work()  # what is imported at the first time is no part of it
            begin = time.perf_counter()
            expected[kind], seconds[kind] = work(), time.perf_counter() - begin
            print(f"{kind}: {seconds[kind]:.1f} s", flush=True)
        run = 0
        while run < options.runs:
            kind = list(kinds)[run % len(kinds)]
            client.wait_for_workers(options.workers, timeout=120)
            moment, begin = rng.uniform(0.02, 0.95) * seconds[kind], time.perf_counter()
            with Killing(client, int(rng.integers(options.workers)), moment) as killing:
                try:
                    found = kinds[kind]()
                    pairs = zip(found, expected[kind], strict=True)
                    result = "same" if all(np.array_equal(*pair) for pair in pairs) else "differs"
                except Exception as error:
                    result = f"{type(error).__name__}: {error}"
            needed = time.perf_counter() - begin
            if killing.at_work is None and result == "same":
                seconds[kind] = needed  # it had ended before: not a run
                continue
            row = {
                "kind": kind,
                "undisturbed": seconds[kind],
                "killed_after": moment,
                "worker_was_at": killing.at_work or "-",
                "seconds": needed,
                "result": result,
            }
            print(*row.values(), flush=True)
            yield row
            run += 1


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kills")
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rows = list(measure(options))
    rows.sort(key=lambda row: row["kind"])
    same = sum(row["result"] == "same" for row in rows)
    lines = [
        [
            row["kind"],
            row["worker_was_at"],
            *(f"{row[name]:.1f}" for name in ("killed_after", "undisturbed", "seconds")),
            row["result"],
        ]
        for row in rows
    ]
    header = ["work", "task of the worker", "killed after (s)", "seconds without failure"]
    header += ["seconds with failure", "result"]
    report = (
        f"# Loss of workers\n\nCommand: `{command_line(__file__, arguments)}`\n\n"
        f"{environment()}, dask {dask.__version__}\n\n{N:,} samples x {D} features in {N_BLOCKS} "
        f"blocks, {options.workers} workers, one of which is killed in each of {len(rows)} runs. A "
        f"killed worker is restarted, which takes a few seconds. In {same} of {len(rows)} runs all "
        "weights, or all predictions, are bitwise those without failure.\n\n"
        f"{table(header, lines)}"
    )
    print(report)
    write_results(options.out, report, rows)
    return int(same < len(rows))


if __name__ == "__main__":
    sys.exit(main())
