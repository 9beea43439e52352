"""Time and memory of the mini-batch solver against the size of the problem.

    python benchmarks/scaling.py [--threads N] [--quick]

Three tables. *Epochs*: processor seconds of an epoch against the bare matrix products of the same
shapes in the same process (X W and X' D of the first layer, a W, a' D and D W' of the others, batch
by batch, in the type in which the solver computes), for growing n, d, width and depth, and
an epoch of MLPClassifier. The three take turns, and the shortest of each counts, which is the
one that other processes disturbed least. *Profile*: where the time of an epoch goes. *Memory*: peak
resident memory of a process that fits the data against one that only makes them, as a multiple of
the size of X.

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
from report import command_line, environment, number, table, write_page
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier
from skmdlam.activations import ReLU
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.layers import Layer, Network
from skmdlam.engine.objective import LayerObjective
from skmdlam.engine.problem import Problem
from skmdlam.engine.steps.layerwise import LayerwiseStep
from skmdlam.engine.steps.penalty_block import PenaltyBlock
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
PROFILED = ({}, {"n": 5_000}, {"width": 400}, {"d": 1000}, {"depth": 4})
# What is timed for the profile: the time of a part is without that of other parts inside it, but J
# has its own forward pass.
PARTS = (
    (Layer, "forward", "forward"),
    (Network, "forward", "forward"),
    (SoftmaxCrossEntropy, "output_step", "targets of the output"),
    (LayerwiseStep, "__call__", "targets of hidden layers, gather"),
    (LayerwiseStep, "_move", "steps of weights"),
    (LayerwiseStep, "_follow", "moments, inverses"),
    (PenaltyBlock, "__call__", "penalties"),
    (LayerObjective, "__call__", "J"),
)
MEMORY = ((100_000, 50), (1_000_000, 50))


def make(n, d, seed=0):
    """Classes of random points with a linear rule and noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = np.argmax(X[:, :CLASSES] + rng.standard_normal((n, min(d, CLASSES))), axis=1)
    return X, y


def our_run(X, y, widths):
    """A run of the solver after its first epoch."""
    solver, rng = Feasible(), np.random.RandomState(0)
    activations = [ReLU() for _ in widths]
    problem = Problem(X, np.eye(CLASSES)[y], activations, SoftmaxCrossEntropy(), L2(), 1e-4)
    sizes = [X.shape[1], *widths, CLASSES]
    coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
    run = solver.start(problem, coefs, intercepts, batch_size=BATCH, rng=rng)
    next(run)
    return run


def bare_products(n, sizes, dtype=np.float32):
    """A function that does the products of an epoch and nothing else."""
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

    def epoch():
        for _ in range(n // BATCH):
            for layer, ((a, W, D), (z, right, below)) in enumerate(zip(layers, outs, strict=True)):
                np.matmul(a, W, out=z)
                np.matmul(a.T, D, out=right)
                if layer:
                    np.matmul(D, W.T, out=below)

    return epoch


def seconds_of(call, *arguments):
    """Processor seconds of a call."""
    clock = time.process_time()
    call(*arguments)
    return time.process_time() - clock


def data_of(shape):
    """Inputs, classes, widths of the hidden layers, and sizes of all layers."""
    X, y = make(shape["n"], shape["d"])
    widths = [shape["width"]] * shape["depth"]
    return X, y, widths, [shape["d"], *widths, CLASSES]


def epochs_table(options):
    rows = []
    for quantity, values in GROWTH.items():
        for value in values[:2] if options.quick else values:
            shape = {**BASE, quantity: value}
            X, y, widths, sizes = data_of(shape)
            run, products = our_run(X, y, widths), bare_products(shape["n"], sizes)
            net = MLPClassifier(widths, batch_size=BATCH)
            times = []
            net.partial_fit(X, y, classes=np.arange(CLASSES))
            for _ in range(options.epochs):
                times.append(
                    [seconds_of(next, run), seconds_of(products), seconds_of(net.partial_fit, X, y)]
                )
            ours, bare, adam = np.min(times, axis=0)
            rows.append(
                [quantity, *shape.values(), f"{ours:.3f}", number(ours / bare, 2),
                 number(ours / adam, 2)]
            )  # fmt: skip
            print(rows[-1], flush=True)
    return table(
        [
            "varied",
            *BASE,
            "seconds per epoch",
            "relative to bare products",
            "relative to MLP (Adam)",
        ],
        rows,
    )


class Stopwatch:
    """Processor seconds inside methods, those of other watched methods inside taken off."""

    def __init__(self):
        self.seconds, self._inside, self._patched = {}, [], []
        self._whole = False

    def watch(self, owner, method, name, *, whole=False):
        """Watch a method; ``whole=True`` takes nothing off."""
        original = getattr(owner, method)

        def timed(*args, **kwargs):
            if self._whole:
                return original(*args, **kwargs)
            self._whole = whole
            clock = time.process_time()
            self._inside.append(0.0)
            result = original(*args, **kwargs)
            elapsed = time.process_time() - clock
            self._whole = False
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - self._inside.pop()
            if self._inside:
                self._inside[-1] += elapsed
            return result

        setattr(owner, method, timed)
        self._patched.append((owner, method, original))

    def restore(self):
        for owner, method, original in self._patched:
            setattr(owner, method, original)


def profile_table(options):
    """Parts of an epoch, in multiples of the bare matrix products."""
    rows = []
    for shape in PROFILED[:1] if options.quick else PROFILED:
        shape = {**BASE, **shape}
        X, y, widths, sizes = data_of(shape)
        run, products = our_run(X, y, widths), bare_products(shape["n"], sizes)
        watch, best, bare = Stopwatch(), None, np.inf
        for owner, method, name in PARTS:
            watch.watch(owner, method, name, whole=name == "J")
        try:
            for _ in range(options.epochs):
                bare = min(bare, seconds_of(products))
                watch.seconds = {}
                next(run)
                if best is None or sum(watch.seconds.values()) < sum(best.values()):
                    best = watch.seconds
        finally:
            watch.restore()
        names = list(dict.fromkeys(name for *_, name in PARTS))
        rows.append([*shape.values(), *(number(best.get(name, 0.0) / bare, 2) for name in names)])
        print(rows[-1], flush=True)
    return table([*BASE, *names], rows)


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
    parser.add_argument("--epochs", type=int, default=7, help="epochs to take the shortest of")
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
        epochs, profile = epochs_table(options), profile_table(options)
        memory = memory_table(options)
        machine = environment()
    report = (
        f"# Scaling\n\nCommand: `{command_line(__file__, arguments)}`\n\n{machine}\n\n"
        f'n samples, d features, {CLASSES} classes, batches of {BATCH}; "bare products" are the '
        f'matrix products of an epoch alone, "MLP (Adam)" an epoch of `MLPClassifier`.\n\n'
        f"{epochs}\n"
        "Where the time of an epoch is spent, in multiples of its bare products (each part is "
        f"timed, so the sum is a little more than above).\n\n{profile}\n"
        f"Peak memory of a fit beyond that of the data.\n\n{memory}"
    )
    print(report)
    write_page(options.out, report)


if __name__ == "__main__":
    main()
