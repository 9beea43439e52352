"""Rare counts: Poisson deviance of ``loss="poisson"`` by how much rare events hold the fit back.

    python benchmarks/counts.py [--seeds N] [--threads N]

Synthetic counts of eight normal features, with three log-rates. "product" (a line and a product of
two features) and "line" were used to choose ``upper_dispersion_power`` in
``skmdlam/engine/constants.py``; "waves" (a sine, a line and a step) was not. skmdlam has its
defaults and that power at 0, 1/3 and 1/2. Baselines at their defaults: the mean, scikit-learn's
``PoissonRegressor``, ``HistGradientBoostingRegressor`` and ``MLPRegressor``, linear models and
networks behind a scaler.

Writes into ``benchmarks/results/counts`` (``--out``): ``README.md`` and ``scores.csv``.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_results
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_poisson_deviance
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import Feasible, MDLAMRegressor
from skmdlam.engine.constants import CONSTANTS, TUNED

N_TEST = 6000
SIZES = ((500, 0.2), (1500, 0.05), (3000, 0.02), (3000, 0.05), (6000, 0.02), (10_000, 0.05))
LOG_RATES = {
    "product": lambda X: 0.6 * X[:, 0] + 0.5 * X[:, 1] * X[:, 2],
    "line": lambda X: 0.3 * X[:, :4].sum(axis=1),
    "waves": lambda X: 0.8 * np.sin(1.5 * X[:, 0]) + 0.5 * X[:, 3] + 0.4 * (X[:, 5] > 0),
}
POWERS = {"0": 0.0, "1/3": 1 / 3, "1/2": 0.5}


def with_power(power):
    constants = replace(CONSTANTS, tuned=replace(TUNED, upper_dispersion_power=power))
    return MDLAMRegressor("poisson", solver=Feasible(constants=constants), random_state=0)


METHODS = {
    **{f"skmdlam, power {name}": lambda p=power: with_power(p) for name, power in POWERS.items()},
    "mean": DummyRegressor,
    "PoissonRegressor": lambda: make_pipeline(StandardScaler(), PoissonRegressor()),
    "HistGradientBoosting": lambda: HistGradientBoostingRegressor(loss="poisson", random_state=0),
    "MLP (Adam)": lambda: make_pipeline(
        StandardScaler(), MLPRegressor(loss="poisson", random_state=0)
    ),
}


def measure(log_rate, n, rate, seed):
    """Method, test deviance and seconds of a fit."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + N_TEST, 8))
    y = rng.poisson(rate * np.exp(LOG_RATES[log_rate](X) - 0.3))
    for name, make in METHODS.items():
        clock = time.perf_counter()
        model = make().fit(X[:n], y[:n])
        seconds = time.perf_counter() - clock
        predicted = np.maximum(model.predict(X[n:]), 1e-9)
        yield name, mean_poisson_deviance(y[n:], predicted), seconds


def report_of(rows, seeds):
    """Mean deviances, a line for each log-rate, size and rate."""
    lines, places = [], dict.fromkeys((r["log_rate"], r["n"], r["rate"]) for r in rows)
    for place in places:
        chosen = [r for r in rows if (r["log_rate"], r["n"], r["rate"]) == place]
        means = [np.mean([r["deviance"] for r in chosen if r["method"] == m]) for m in METHODS]
        lines.append([*place, *(number(mean, 4) for mean in means)])
    header = ["log-rate", "samples", "rate", *METHODS]
    return f"Mean test deviance over {seeds} data sets of each kind:\n\n{table(header, lines)}"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "counts")
    options = parser.parse_args(arguments)
    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for log_rate in LOG_RATES:
            for n, rate in SIZES:
                for seed in range(options.seeds):
                    seed += 50 * (log_rate == "waves")
                    for method, deviance, seconds in measure(log_rate, n, rate, seed):
                        row = {"log_rate": log_rate, "n": n, "rate": rate, "seed": seed}
                        rows.append(
                            row | {"method": method, "deviance": deviance, "seconds": seconds}
                        )
        machine = environment()
    report = (
        "# Rare counts\n\n"
        f"Command: `{command_line(__file__, arguments)}`\n\n{machine}\n\n"
        f"{report_of(rows, options.seeds)}"
    )
    print(report)
    write_results(options.out, report, rows)


if __name__ == "__main__":
    main()
