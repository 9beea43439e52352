"""Two versions of the package on about 70 fits: equal bits? And the time of a step.

    python benchmarks/compare.py OLD NEW [--only PATTERN] [--tolerance T] [--time]

OLD and NEW are folders that hold a package ``skmdlam``, for example two worktrees of this
repository. Every configuration is fitted in a process of its own version, with one BLAS thread, and
all that a fit leaves in numbers is compared: weights, curves, strengths, predictions. The script
ends with status 1 where bits differ, or with ``--tolerance`` where a difference is larger than so
many times the largest number. It is the check for changes that only move code.

``--time`` also measures the processor time of a mini-batch step, of a full-batch iteration
and of a whole fit, alternating between the versions, and prints the medians and their ratios.
"""

import argparse
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

# -- data: made here, so that both versions get the same ---------------------------------------


def regression(n=400, d=8, seed=0, dtype=float, outputs=1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * rng.uniform(0.1, 30, d) + rng.uniform(-5, 5, d)
    S = (X - X.mean(axis=0)) / X.std(axis=0)
    hidden = np.maximum(S @ rng.standard_normal((d, 6)), 0)
    y = hidden @ rng.standard_normal((6, outputs)) + 0.5 * rng.standard_normal((n, outputs))
    y = 20 + 7 * y
    return X.astype(dtype), (y[:, 0] if outputs == 1 else y).astype(dtype)


def classes(n=400, d=8, k=3, seed=0, dtype=float):
    X, y = regression(n, d, seed, dtype, outputs=max(k, 2))
    return X, (y.argmax(axis=1) if k > 2 else (y[:, 0] > y[:, 1]).astype(int))


def counts(n=400, d=8, seed=0):
    X, y = regression(n, d, seed)
    rate = np.exp((y - y.mean()) / y.std() * 0.7 + 1)
    return X, np.random.default_rng(seed).poisson(rate).astype(float)


def labels(n=400, d=8, seed=0):
    X, y = regression(n, d, seed, outputs=3)
    return X, (y > y.mean(axis=0)).astype(int)


def heavy(n=450, d=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(1.5, (n, d))
    return X, (np.arctan(X[:, 0]) + np.arctan(X[:, 1]) > 0).astype(int)


def constant(n=500, dtype=float):
    X, y = classes(n, 6, dtype=dtype)
    X[:, 2] = 0.1
    X[:, 4] = 1e6
    return X, y


def wide(n=150, d=600, dtype=float):
    return classes(n, d, dtype=dtype)


def sparse(n, d, density, k=2, seed=0, dtype=float):
    import scipy.sparse as sp

    X = sp.random(n, d, density=density, format="csr", random_state=seed, dtype=dtype)
    W = np.random.default_rng(seed).standard_normal((d, k))
    return X, (X @ W).argmax(axis=1)


def weights(n, seed=1):
    return np.random.default_rng(seed).uniform(0.1, 3, n)


# -- configurations: name -> function of the package that gives what a fit leaves ---------------


def fit(kind, data, options=None, *, weight=False, fits=1, sample_weight=None):
    def run(package):
        X, y = data()
        model = getattr(package, f"MDLAM{kind}")(**{"random_state": 0, **make(package, options)})
        given = weights(X.shape[0]) if weight else sample_weight and sample_weight(X.shape[0])
        for _ in range(fits):
            model.fit(X, y, sample_weight=given)
        return left(model, X)

    return run


def stream(kind, data, options=None, *, chunk=100, passes=1, weight=False, after=None, store=False):
    def run(package):
        X, y = data()
        first = {"classes": np.unique(y)} if kind == "Classifier" and np.ndim(y) == 1 else {}
        model = getattr(package, f"MDLAM{kind}")(**{"random_state": 0, **make(package, options)})
        given = weights(X.shape[0]) if weight else np.ones(X.shape[0])
        n = X.shape[0]
        if after is not None:
            model.fit(X[:after], y[:after])
            first = {}
        for _ in range(passes):
            for start in range(0, n, chunk):
                rows = slice(start, start + chunk)
                part = {"sample_weight": given[rows]} if weight else {}
                model.partial_fit(X[rows], y[rows], **part, **first)
                if store:
                    model = pickle.loads(pickle.dumps(model))
        return left(model, X)

    return run


def make(package, options):
    """Options for the estimator; a function makes those that need the package."""
    return options(package) if callable(options) else dict(options or {})


def left(model, X):
    """Everything that a fit leaves in numbers."""
    result = {f"coefs_{i}": W for i, W in enumerate(model.coefs_)}
    result |= {f"intercepts_{i}": b for i, b in enumerate(model.intercepts_)}
    names = ("loss", "objective", "epsilon", "rho", "gap", "validation_loss")
    for name in names:
        curve = getattr(model, f"{name}_curve_", None)
        if curve is not None:
            result[f"{name}_curve_"] = np.array(curve, dtype=float)
    for name in ("n_iter_", "loss_", "activity_alpha_", "column_alpha_", "noise_ratio_"):
        result[name] = np.array(getattr(model, name), dtype=float)
    scores = model.decision_function(X) if hasattr(model, "classes_") else model.predict(X)
    result["predicted"] = scores
    return result


def feasible(**options):
    return lambda package: {"solver": package.Feasible(**options)}


def relaxed(**options):
    return lambda package: {"solver": package.Relaxed(**options), "max_iter": 30}


def user_loss(package):
    """A loss that is known by its value and its gradient alone."""
    from skmdlam.losses import Loss

    class LogCosh(Loss):
        def value(self, z, y):
            return np.log(np.cosh(np.clip(z - y, -300, 300))).sum(axis=1)

        def gradient(self, z, y):
            return np.tanh(z - y)

    return {"loss": LogCosh(), "hidden_layer_sizes": (8,), "max_iter": 12}


def penalty(name, **more):
    return {"penalty": name, "alpha": 0.5, "hidden_layer_sizes": (12,), "max_iter": 40, **more}


C, R = "Classifier", "Regressor"
FULL = {"batch_size": None, "max_iter": 40}
CONFIGURATIONS = {
    # Mini-batches: forms of data, losses, depths, activations.
    "three classes": fit(C, lambda: classes(1500, 20), {"hidden_layer_sizes": (100,)}),
    "two classes": fit(C, lambda: classes(600, k=2)),
    "labels": fit(C, labels, {"max_iter": 40}),
    "classes, float32": fit(C, lambda: classes(600, dtype=np.float32)),
    "squared error": fit(R, regression),
    "squared error, float32": fit(R, lambda: regression(dtype=np.float32)),
    "three targets": fit(R, lambda: regression(outputs=3), {"max_iter": 40}),
    "absolute error": fit(R, regression, {"loss": "absolute_error", "max_iter": 40}),
    "huber": fit(R, regression, {"loss": "huber", "max_iter": 40}),
    "quantile": fit(R, regression, {"loss": "quantile", "quantile": 0.8, "max_iter": 40}),
    "poisson": fit(R, counts, {"loss": "poisson", "max_iter": 40}),
    "loss of a user": fit(R, regression, user_loss),
    "double precision": fit(C, lambda: classes(600), feasible(single_precision=False, epochs=20)),
    "linear": fit(C, lambda: classes(500), {"hidden_layer_sizes": ()}),
    "linear, one output": fit(R, regression, {"hidden_layer_sizes": (), "max_iter": 40}),
    "two layers": fit(C, lambda: classes(600), {"hidden_layer_sizes": (40, 30), "max_iter": 40}),
    "five relu layers": fit(
        C, lambda: classes(600), {"hidden_layer_sizes": (24,) * 5, "max_iter": 40}
    ),
    "logistic, tanh": fit(
        C,
        lambda: classes(600),
        {"hidden_layer_sizes": (20, 20), "activation": ["logistic", "tanh"], "max_iter": 40},
    ),
    "sign": fit(C, lambda: classes(300), {"activation": "sign", "max_iter": 20}),
    "softplus, elu": fit(
        R, regression, {"hidden_layer_sizes": (9, 8), "activation": ["softplus", "elu"]}
    ),
    "one batch": fit(C, lambda: classes(60)),
    "batches of one": fit(R, lambda: regression(80), {"batch_size": 1, "max_iter": 5}),
    "units": fit(C, lambda: classes(600), {"activity_alpha": 0, "alpha": 1e-3, "max_iter": 40}),
    "options": fit(
        C, lambda: classes(600), feasible(hidden_gain=2, damping=0.5, momentum=0.5, patience=2)
    ),
    "no momentum": fit(C, lambda: classes(400), feasible(momentum=0.0, epochs=10)),
    "weights": fit(C, lambda: classes(600), {"max_iter": 40}, weight=True),
    "small weights": fit(
        R, regression, {"max_iter": 40}, sample_weight=lambda n: 0.01 * weights(n)
    ),
    "weights, absolute error": fit(
        R, regression, {"loss": "absolute_error", "max_iter": 30}, weight=True
    ),
    "heavy tails": fit(C, heavy, {"max_iter": 60}),
    "constant columns": fit(C, constant, {"max_iter": 40}),
    "constant columns, float32": fit(C, lambda: constant(dtype=np.float32), {"max_iter": 40}),
    "early stopping": fit(C, lambda: classes(600), {"early_stopping": True}),
    "warm start": fit(C, lambda: classes(500), {"warm_start": True, "max_iter": 20}, fits=2),
    "rho given": fit(R, regression, {"rho": 3.0, "alpha": 0.1, "max_iter": 30}),
    "12,000 rows": fit(
        C, lambda: classes(12_000, 10), {"hidden_layer_sizes": (20,), "max_iter": 6}
    ),
    # The forms of the first layer.
    "wide": fit(C, wide, {"max_iter": 40}),
    "wide, one unit, weights": fit(C, lambda: wide(100, 900), {"max_iter": 25}, weight=True),
    "450 columns": fit(
        C, lambda: classes(1200, 450), {"hidden_layer_sizes": (20,), "max_iter": 12}
    ),
    "1,800 x 1,700": fit(
        C, lambda: classes(1800, 1700), {"hidden_layer_sizes": (10,), "max_iter": 4}
    ),
    "sparse, small": fit(C, lambda: sparse(500, 300, 0.05), {"max_iter": 20}),
    "sparse, float32": fit(C, lambda: sparse(500, 300, 0.05, dtype=np.float32), {"max_iter": 20}),
    "sparse, lazy": fit(
        C,
        lambda: sparse(3000, 20_000, 0.002),
        {"hidden_layer_sizes": (20,), "max_iter": 4, "batch_size": 50},
    ),
    "sparse, lazy, weights, alpha": fit(
        C,
        lambda: sparse(2500, 9000, 0.004, 3),
        {"hidden_layer_sizes": (10,), "max_iter": 3, "alpha": 1e-2},
        weight=True,
    ),
    "sparse, sketched": fit(
        C, lambda: sparse(24_000, 1600, 0.005), {"hidden_layer_sizes": (20,), "max_iter": 2}
    ),
    "sparse, expanded": fit(
        C, lambda: sparse(40_000, 1400, 0.003), {"hidden_layer_sizes": (20,), "max_iter": 1}
    ),
    "sparse, combinations of samples": fit(
        C, lambda: sparse(600, 12_000, 0.003), {"hidden_layer_sizes": (10,), "max_iter": 6}
    ),
    "sparse, linear": fit(
        C, lambda: sparse(3000, 9000, 0.004), {"hidden_layer_sizes": (), "max_iter": 3}
    ),
    # Penalties.
    "l2, alpha": fit(R, regression, penalty("l2")),
    "l1": fit(R, regression, penalty("l1")),
    "elasticnet": fit(C, lambda: classes(400), penalty("elasticnet", l1_ratio=0.3)),
    "nonnegative": fit(R, regression, penalty("nonnegative")),
    "box": fit(C, lambda: classes(400), penalty("box", alpha=0.0)),
    "group": fit(R, regression, penalty("group", hidden_layer_sizes=(8, 6))),
    "group, full batch": fit(R, regression, penalty("group", batch_size=None)),
    "l1, full batch": fit(C, lambda: classes(300), penalty("l1", batch_size=None), weight=True),
    "l1, absolute error": fit(
        R, lambda: regression(200), penalty("l1", loss="absolute_error", batch_size=None)
    ),
    # The full batch.
    "full batch": fit(C, lambda: classes(400), FULL),
    "full batch, squared error": fit(R, regression, FULL),
    "full batch, nesterov": fit(
        C, lambda: classes(300), lambda p: {"solver": p.Feasible(acceleration="nesterov"), **FULL}
    ),
    "full batch, plain": fit(
        C, lambda: classes(300), lambda p: {"solver": p.Feasible(acceleration=None), **FULL}
    ),
    "full batch, weights, tanh": fit(
        R, regression, {"activation": "tanh", "alpha": 0.1, "rho": 5.0, **FULL}, weight=True
    ),
    "full batch, poisson": fit(R, counts, {"loss": "poisson", **FULL}),
    "full batch, huber": fit(R, regression, {"loss": "huber", **FULL}),
    "full batch, absolute error": fit(R, regression, {"loss": "absolute_error", **FULL}),
    "full batch, wide": fit(C, wide, {"activity_alpha": 0, **FULL}),
    "full batch, wide, columns": fit(C, lambda: wide(90, 400), FULL),
    "full batch, sparse": fit(C, lambda: sparse(300, 200, 0.05), FULL),
    "full batch, constant columns": fit(C, constant, FULL),
    "full batch, deep": fit(
        C, lambda: classes(300), {"hidden_layer_sizes": (10, 9, 8), "activation": "tanh", **FULL}
    ),
    "full batch, warm": fit(C, lambda: classes(300), {"warm_start": True, **FULL}, fits=2),
    # Streams.
    "stream": stream(C, lambda: classes(1000)),
    "stream, regression, two passes": stream(R, lambda: regression(500), passes=2),
    "stream, rows": stream(C, lambda: classes(60), chunk=1),
    "stream, weights": stream(R, regression, {"alpha": 0.1}, weight=True, chunk=90),
    "stream, absolute error": stream(R, regression, {"loss": "absolute_error"}, chunk=130),
    "stream, poisson": stream(R, counts, {"loss": "poisson"}),
    "stream, l1": stream(R, regression, {"penalty": "l1", "alpha": 0.1}),
    "stream, stored": stream(C, lambda: classes(600), chunk=70, store=True),
    "stream, constant columns": stream(C, constant),
    "stream after a fit": stream(C, lambda: classes(600), after=300),
    "stream, sparse": stream(C, lambda: sparse(600, 300, 0.05)),
    "stream, sparse, wide": stream(C, lambda: sparse(400, 3000, 0.01), chunk=100),
    "stream, sparse, large": stream(
        C, lambda: sparse(2400, 2000, 0.003), {"hidden_layer_sizes": (10,)}, chunk=2400
    ),
    "stream, long": stream(C, lambda: classes(9000), {"hidden_layer_sizes": (10,)}, chunk=4500),
    # Solver "relaxed".
    "relaxed": fit(C, lambda: classes(300), {"solver": "relaxed", "rho": 0.1, "max_iter": 40}),
    "relaxed, exact": fit(R, regression, relaxed(w_step="exact"), weight=True),
    "relaxed, separate, backward": fit(
        C, lambda: classes(200), relaxed(hidden_step="separate", order="backward", accelerate=False)
    ),
    "relaxed, wide": fit(C, lambda: wide(80, 300), relaxed()),
    "relaxed, l1": fit(
        R, regression, {"solver": "relaxed", "penalty": "l1", "alpha": 0.1, "max_iter": 20}
    ),
}

# -- times --------------------------------------------------------------------------------------

STEPS = {  # n, d, hidden layers, batch
    "step, 5,000 x 20, (100,)": (5000, 20, (100,)),
    "step, 5,000 x 20, (50, 50)": (5000, 20, (50, 50)),
    "step, 2,000 x 20, (2, 2, 2): calls": (2000, 20, (2, 2, 2)),
}


def times(package):
    """Processor seconds of what users wait for, the best of a few."""
    result = {}
    for name, (n, d, hidden) in STEPS.items():
        X, y = classes(n, d)
        best = np.inf
        for _ in range(3):
            model = package.MDLAMClassifier(
                hidden, activity_alpha=0, alpha=0, max_iter=12, tol=0, random_state=0
            )
            before = time.process_time()
            model.fit(X, y)
            best = min(best, time.process_time() - before)
        result[name] = best / (12 * -(-n // 200))
    for name, options in (
        ("fit, 5,000 x 20", {}),
        ("fit, 1,000 x 20, full batch, 40 sweeps", {"batch_size": None, "max_iter": 40, "tol": 0}),
    ):
        X, y = classes(5000 if not options else 1000, 20)
        best = np.inf
        for _ in range(3):
            model = package.MDLAMClassifier(random_state=0, **options)
            before = time.process_time()
            model.fit(X, y)
            best = min(best, time.process_time() - before)
        result[name] = best
    X, y = classes(400, 20)
    model = package.MDLAMClassifier(random_state=0).partial_fit(X, y, classes=np.unique(y))
    before = time.process_time()
    for row in range(200):
        model.partial_fit(X[row : row + 1], y[row : row + 1])
    result["partial_fit, one row"] = (time.process_time() - before) / 200
    return result


# -- two processes ------------------------------------------------------------------------------


def child(arguments):
    import skmdlam

    assert Path(skmdlam.__file__).resolve().parents[1] == Path(arguments.child).resolve()
    warnings.simplefilter("ignore")
    if arguments.time:
        result = times(skmdlam)
    else:
        result = {}
        for name, run in CONFIGURATIONS.items():
            if re.search(arguments.only, name):
                before = time.process_time()
                try:
                    result[name] = run(skmdlam)
                except Exception as error:
                    result[name] = {"error": np.array(f"{type(error).__name__}: {error}")}
                result[name]["seconds"] = time.process_time() - before
    Path(arguments.out).write_bytes(pickle.dumps(result))


def start(tree, out, arguments):
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--child", tree, "--out", out, "--only", arguments.only]
    command += ["--time"] if arguments.time else []
    return subprocess.Popen(command, env={**os.environ, **one, "PYTHONPATH": tree})


def run_both(arguments, *, together):
    with tempfile.TemporaryDirectory() as folder:
        outs = [os.path.join(folder, name) for name in ("old", "new")]
        processes = []
        for tree, out in zip((arguments.old, arguments.new), outs, strict=True):
            processes.append(start(str(Path(tree).resolve()), out, arguments))
            if not together:
                processes[-1].wait()
        if any(process.wait() for process in processes):
            sys.exit("a version failed")
        return [pickle.loads(Path(out).read_bytes()) for out in outs]


def difference(old, new):
    """The largest difference over all that a fit leaves, relative to the largest number of its."""
    if old.keys() != new.keys():
        return f"other results: {sorted(old.keys() ^ new.keys())}"
    if "error" in old:
        return 0.0 if old["error"] == new["error"] else f"{old['error']} / {new['error']}"
    worst = 0.0
    for name in old:
        a, b = np.asarray(old[name]), np.asarray(new[name])
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name}: {a.dtype}{a.shape}, {b.dtype}{b.shape}"
        if a.tobytes() != b.tobytes():
            size = np.nanmax(np.abs(a), initial=np.finfo(float).tiny)
            gap = np.nanmax(np.abs(a - b), initial=0.0)
            same = np.array_equal(np.isnan(a), np.isnan(b))
            worst = max(worst, float(gap / size) if same else np.inf)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?")
    parser.add_argument("new", nargs="?")
    parser.add_argument("--only", default="", help="regular expression for the configurations")
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="of --time")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments)
    if not arguments.time:
        old, new = run_both(arguments, together=True)
        bad, moved = 0, 0
        for name in old:
            seconds = [version[name].pop("seconds") for version in (old, new)]
            found = difference(old[name], new[name])
            moved += found != 0.0
            if isinstance(found, str) or found > arguments.tolerance:
                bad += 1
            if found != 0.0:
                text = found if isinstance(found, str) else f"{found:.1e}"
                print(f"{name:34} {text}   ({seconds[0]:.2f} s, {seconds[1]:.2f} s)")
        print(f"{len(old)} configurations, {len(old) - moved} with equal bits, {bad} refused")
        sys.exit(bool(bad))
    rounds = [run_both(arguments, together=False) for _ in range(arguments.rounds)]
    for name in rounds[0][0]:
        old, new = (np.array([r[i][name] for r in rounds]) for i in (0, 1))
        print(
            f"{name:42} {1e6 * np.median(old):9.1f} us {1e6 * np.median(new):9.1f} us   "
            f"ratio {np.median(new / old):.3f}  ({np.min(new / old):.3f} {np.max(new / old):.3f})"
        )


if __name__ == "__main__":
    main()
