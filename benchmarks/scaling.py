"""Time and memory of the mini-batch solver against the size of the problem.

    python benchmarks/scaling.py [--threads N] [--quick]

Two tables. *Epochs*: median seconds of an epoch against the bare matrix products of the same shapes
in the same process (X W and X' D of the first layer, a W, a' D and D W' of the others, batch by
batch, in the type in which the solver computes), for growing n, d, width and depth, and
MLPClassifier's epoch beside it. *Memory*: peak resident memory of a process that fits the data
against one that only makes them, as a multiple of the size of X.

Writes ``benchmarks/results/scaling/README.md`` (``--out``).
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from report import environment, number, table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier
from skmdlam.activations import ReLU
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.problem import Problem
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import L2

CLASSES, BATCH = 10, 200
BASE = {"n": 20_000, "d": 50, "width": 100, "depth": 1}
GROWTH = {
    "n": (5_000, 20_000, 80_000),
    "d": (10, 50, 250, 1000),
    "width": (50, 100, 200, 400),
    "depth": (1, 2, 4, 8),
}
MEMORY = ((100_000, 50), (1_000_000, 50))


def make(n, d, seed=0):
    """Classes of random points with a linear rule and noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.argmax(X[:, :CLASSES] + rng.standard_normal((n, min(d, CLASSES))), axis=1)
    return X, y


def our_epoch(X, y, widths, epochs):
    """Median seconds of an epoch, after the first."""
    solver, rng = Feasible(), np.random.RandomState(0)
    activations = [ReLU() for _ in widths]
    problem = Problem(X, np.eye(CLASSES)[y], activations, SoftmaxCrossEntropy(), L2(), 1e-4)
    sizes = [X.shape[1], *widths, CLASSES]
    coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
    run = solver.start(
        problem,
        coefs,
        intercepts,
        batch_size=BATCH,
        rng=rng,
    )
    seconds = [record.seconds for record in itertools.islice(run, epochs + 1)]
    return float(np.median(np.diff(seconds)))


def bare_products(n, sizes, epochs, dtype=np.float32):
    """Median seconds of the products of an epoch and nothing else."""
    rng = np.random.default_rng(0)
    layers = [
        (
            rng.standard_normal((BATCH, n_in)).astype(dtype),
            rng.standard_normal((n_in, n_out)).astype(dtype),
            rng.standard_normal((BATCH, n_out)).astype(dtype),
        )
        for n_in, n_out in itertools.pairwise(sizes)
    ]
    outs = [(np.empty_like(D), np.empty_like(W), np.empty_like(a)) for a, W, D in layers]
    times = []
    for _ in range(epochs):
        clock = time.perf_counter()
        for _ in range(n // BATCH):
            for layer, ((a, W, D), (z, right, below)) in enumerate(zip(layers, outs, strict=True)):
                np.matmul(a, W, out=z)
                np.matmul(a.T, D, out=right)
                if layer:
                    np.matmul(D, W.T, out=below)
        times.append(time.perf_counter() - clock)
    return float(np.median(times))


def adam_epoch(X, y, widths, epochs):
    """Mean seconds of an epoch of MLPClassifier with the same batches."""
    net = MLPClassifier(widths, batch_size=BATCH, max_iter=epochs, n_iter_no_change=epochs)
    clock = time.perf_counter()
    net.fit(X, y)
    return (time.perf_counter() - clock) / net.n_iter_


def epochs_table(options):
    rows = []
    for quantity, values in GROWTH.items():
        for value in values[:2] if options.quick else values:
            shape = {**BASE, quantity: value}
            X, y = make(shape["n"], shape["d"])
            widths = [shape["width"]] * shape["depth"]
            sizes = [shape["d"], *widths, CLASSES]
            ours = our_epoch(X, y, widths, options.epochs)
            bare = bare_products(shape["n"], sizes, options.epochs)
            adam = adam_epoch(X, y, widths, options.epochs)
            rows.append(
                [quantity, *shape.values(), f"{ours:.3f}", number(ours / bare, 2),
                 number(ours / adam, 2)]
            )  # fmt: skip
            print(rows[-1], flush=True)
    return table(
        ["grows", *BASE, "seconds an epoch", "times bare products", "times adam's epoch"], rows
    )


def peak_memory(n, d, fit):
    """Peak resident bytes of a fresh process that makes the data and, if asked, fits them."""
    command = [sys.executable, __file__, "--child", json.dumps([n, d, fit])]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(output.split()[-1])


def child(n, d, fit):
    X, y = make(n, d)
    if fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            MDLAMClassifier(max_iter=2, random_state=0).fit(X, y)
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def memory_table(options):
    rows = []
    for n, d in MEMORY[:1] if options.quick else MEMORY:
        size = n * d * 8
        extra = peak_memory(n, d, True) - peak_memory(n, d, False)
        rows.append([n, d, f"{size / 2**20:.0f} MiB", number(extra / size, 2)])
        print(rows[-1], flush=True)
    return table(["n", "d", "size of X", "extra peak memory / size of X"], rows)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--epochs", type=int, default=7, help="epochs to take the median of")
    parser.add_argument("--quick", action="store_true", help="the smaller half of the shapes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scaling")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(*json.loads(options.child))
        return

    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        epochs, memory = epochs_table(options), memory_table(options)
        machine = environment()
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join(["python benchmarks/scaling.py", *given])
    report = (
        f"# Scaling\n\nCommand: `{command}`\n\n{machine}\n\n"
        f"Batches of {BATCH}, {CLASSES} classes.\n\n{epochs}\n{memory}"
    )
    print(report)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "README.md").write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
