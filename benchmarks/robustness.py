"""Robustness: random legal configurations, from mild to extreme, must not rise or overflow.

    python benchmarks/robustness.py [--configurations 1000] [--first 0] [--threads N]

Each configuration draws a solver, a loss, a penalty, an activation for each layer, 0 to 8 hidden
layers, rho from 1e-8 to 1e8, alpha from 0 to 1e3, epsilon, activity_alpha, a batch size, weights,
a floating type, dense or sparse data, and a scale from 1e-8 to 1e8 for the columns of X and for the
target. It is fitted for a few iterations, with any warnings. What must hold:

- J does not rise on all samples (``loss_curve_`` of solver "feasible" with ``batch_size=None``, for
  activations and losses along whose slopes it descends), nor F of solver "relaxed" as long as
  epsilon stays what it is; in mini-batches J may, and J of the weights that are kept
  (``objective_curve_``) must not;
- ``loss_`` of solver "feasible" is the lowest J that there was, ``best_loss_``;
- every weight, intercept, entry of these curves and prediction is finite;
- constraints of the penalty hold exactly in the weights that are returned.

Writes ``README.md`` and ``scores.csv`` into ``benchmarks/results/robustness`` (``--out``), and ends
with 1 when something does not hold. ``tests/benchmarks/test_robustness.py`` runs the first 60.
"""

import argparse
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from report import command_line, environment, table, write_results
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam.activations import ACTIVATIONS, get_activations
from skmdlam.losses import REGRESSION_LOSSES
from skmdlam.penalties import PENALTIES, constrains, get_penalty

# A rise that rounding explains, relative: the objective of solver "relaxed" is summed anew.
ROUNDING = {"float64": 1e-9, "float32": 1e-4}


def draw(seed):
    """Draw a configuration: the estimator, X, y, sample_weight, and what to call it."""
    rng = np.random.default_rng(seed)

    def scale():
        return 10.0 ** rng.uniform(-8, 8)

    n, d, outputs = (int(rng.integers(low, high)) for low, high in ((2, 120), (1, 30), (1, 4)))
    dtype = rng.choice(["float64", "float64", "float32"])
    task = str(rng.choice(["classes", "labels", *sorted(REGRESSION_LOSSES)]))
    X = scale() * (rng.standard_t(2, (n, d)) + rng.normal())
    if rng.random() < 0.3:
        X *= 10.0 ** rng.uniform(-4, 4, d)
    X[:, 0] = X[0, 0]  # a constant column
    if rng.random() < 0.2:
        X[rng.random(X.shape) < 0.8] = 0.0
        X = sp.csr_array(X)
    X = X.astype(dtype)
    if task == "classes":
        y = rng.integers(0, rng.integers(2, 5), n)
    elif task == "labels":
        y = rng.integers(0, 2, (n, max(outputs, 2)))
    elif task == "poisson":
        y = rng.poisson(3.0, (n, outputs)) * np.clip(scale(), 1e-4, 1e4)
    else:
        y = scale() * rng.standard_t(2, (n, outputs))
    if task in REGRESSION_LOSSES and outputs == 1:
        y = y[:, 0]
    weight = rng.uniform(1e-3, 1e3, n) if rng.random() < 0.5 else None
    depth = int(rng.integers(0, 9))
    solver = "feasible" if rng.random() < 0.7 else "relaxed"
    full = rng.random() < 0.4
    parameters = {
        "hidden_layer_sizes": rng.integers(1, 12, depth).tolist(),
        "activation": rng.choice(sorted(ACTIVATIONS), depth).tolist(),
        "solver": solver,
        "rho": scale(),
        "epsilon": 10.0 ** rng.uniform(-6, 2),
        "alpha": float(rng.choice([0.0, 10.0 ** rng.uniform(-6, 3)])),
        "penalty": str(rng.choice(sorted(PENALTIES))),
        "l1_ratio": float(rng.random()),
        "max_iter": int(rng.integers(1, 25)),
        "random_state": seed,
    }
    if solver == "feasible":
        parameters["activity_alpha"] = ["auto", 0.0, 10.0 ** rng.uniform(-3, 3)][rng.integers(3)]
        parameters["batch_size"] = None if full else int(rng.integers(1, n + 1))
    if task in REGRESSION_LOSSES:
        parameters["loss"] = task
    estimator = MDLAMClassifier if task in ("classes", "labels") else MDLAMRegressor
    name = f"{solver}{', full batch' if solver == 'feasible' and full else ''}"
    return estimator(**parameters), X, y, weight, name


def descends(model):
    """Whether solver "feasible" takes sweeps on all samples, each of which lowers J."""
    activations = get_activations(model.activation, len(model.hidden_layer_sizes))
    exact = all(activation.exact_derivative for activation in activations)
    loss = REGRESSION_LOSSES.get(getattr(model, "loss", None))
    penalty = get_penalty(model.penalty)
    quadratic = penalty.ridge is not None or (model.alpha == 0 and not constrains(penalty))
    return (
        model.batch_size is None and exact and (quadratic or not getattr(loss, "nonsmooth", False))
    )


def largest_rise(model, dtype):
    """The largest relative rise of the curve that must not rise; 0 for none."""
    if model.solver == "feasible":
        curve = model.loss_curve_ if descends(model) else model.objective_curve_
        rounding, stages = 0.0, [curve]
    else:
        curve, rounding = model.objective_curve_, ROUNDING[dtype]
        stages = [[value for value, epsilon in zip(curve, model.epsilon_curve_, strict=True)
                   if epsilon == stage] for stage in sorted(set(model.epsilon_curve_))]  # fmt: skip
    rises = [
        (after - before) / max(abs(before), np.finfo(float).tiny)
        for stage in stages
        for before, after in pairwise(stage)
    ]
    worst = max(rises, default=0.0)
    return worst if worst > rounding else 0.0


def check(seed):
    """Fit a configuration; return its row, with what does not hold."""
    model, X, y, weight, name = draw(seed)
    clock = time.perf_counter()
    faults = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y, sample_weight=weight)
            predicted = model.predict(X)
        except Exception as error:  # whatever it is, the configuration was legal
            faults.append(f"{type(error).__name__}: {error}")
        else:
            numbers = [*model.coefs_, *model.intercepts_, model.loss_curve_, model.objective_curve_]
            if not all(np.isfinite(values).all() for values in numbers):
                faults.append("not finite")
            if not np.isfinite(predicted).all():
                faults.append("prediction not finite")
            if largest_rise(model, X.dtype.name) > 0:
                faults.append(f"rise of {largest_rise(model, X.dtype.name):.1e}")
            # Mini-batches and the sweeps that finish them round differently.
            worse = model.loss_ - model.best_loss_
            if model.solver == "feasible" and worse > ROUNDING["float32"] * abs(model.best_loss_):
                faults.append("not the best that is kept")
            lowest, highest = {"nonnegative": (0, np.inf), "box": (-1, 1)}.get(
                model.penalty, (-np.inf, np.inf)
            )
            if model.alpha > 0 and not all(
                (lowest <= W).all() and (highest >= W).all() for W in model.coefs_
            ):
                faults.append("outside of the constraints")
    return {
        "seed": seed,
        "solver": name,
        "loss": getattr(model, "loss", "classification"),
        "penalty": model.penalty,
        "hidden layers": len(model.hidden_layer_sizes),
        "fault": "; ".join(faults),
        "seconds": round(time.perf_counter() - clock, 3),
    }


def report(rows, arguments):
    """Describe the runs in Markdown."""
    faulty = [row for row in rows if row["fault"]]
    groups = {}
    for row in rows:
        groups.setdefault(row["solver"], []).append(row)
    summary = [
        [
            name,
            len(part),
            sum("rise" in row["fault"] for row in part),
            sum("finite" in row["fault"] for row in part),
            sum(bool(row["fault"]) for row in part),
        ]
        for name, part in sorted(groups.items())
    ]
    lines = [
        "# Random legal configurations\n",
        f"Command: `{command_line('robustness.py', arguments)}`\n",
        f"{environment()}\n",
        f"{len(rows)} configurations in {sum(row['seconds'] for row in rows):.0f} seconds. The "
        'docstring of the script says what is drawn and what must hold. "Rises" are those of the '
        'training objective, "not finite" infinite or NaN weights or predictions.\n',
        table(["Solver", "Configurations", "Rises", "Not finite", "Faults of any kind"], summary),
    ]
    if faulty:
        lines.append(table(["Seed", "Solver", "Fault"], [
            [row["seed"], row["solver"], row["fault"]] for row in faulty]))  # fmt: skip
    return "\n".join(lines)


def main(arguments=None):
    """Run from the command line."""
    folder = Path(__file__).parent / "results" / "robustness"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first (default: 0)")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads (default: 1)")
    parser.add_argument("--out", type=Path, default=folder)
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(limits=options.threads):
        for seed in range(options.first, options.first + options.configurations):
            rows.append(check(seed))
            if rows[-1]["fault"]:
                print(rows[-1], flush=True)
        write_results(options.out, report(rows, arguments), rows)
    sys.exit(any(row["fault"] for row in rows))


if __name__ == "__main__":
    main()
