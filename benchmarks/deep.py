"""Deep networks on digits: test accuracy by depth and activation, with fair baselines.

    python benchmarks/deep.py [--seeds N] [--threads N]

Networks of 1 to 12 hidden layers of 50 units on scikit-learn's digits, features standardized,
75/25 split. Methods: skmdlam, MLPClassifier with adam and lbfgs, all at their defaults and, where
PyTorch is installed, two baselines that get what MLPClassifier lacks: Adam for 200 epochs without
early stopping, from Glorot's initialization and from the same initialization as skmdlam, each with
learning rates 0.001 and 0.01, of which the better one *on the test set* is reported (a bias in
their favor).

Writes into ``benchmarks/results/deep`` (``--out``): ``README.md``, ``scores.csv``, ``deep.png``.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from report import environment, number, spread, table, write_results
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier
from skmdlam.activations import get_activation
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.problem import Problem
from skmdlam.engine.start import glorot
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import L2

WIDTH = 50
DEPTHS = (1, 2, 4, 6, 8, 10, 12)
ACTIVATIONS = ("logistic", "tanh", "relu")
RATES = (1e-3, 1e-2)
TORCH_EPOCHS = 200
STYLES = {
    "skmdlam": ("#0072B2", "-", "o"),
    "MLPClassifier, adam": ("#D55E00", "--", "s"),
    "MLPClassifier, lbfgs": ("#999999", ":", "^"),
    "PyTorch Adam, Glorot start": ("#E69F00", "-.", "v"),
    "PyTorch Adam, our start": ("#009E73", "-.", "D"),
}
# Methods as they are shown, by their name in scores.csv.
NAMES = {
    "MLPClassifier, adam": "MLPClassifier (Adam)",
    "MLPClassifier, lbfgs": "MLPClassifier (L-BFGS)",
    "PyTorch Adam, Glorot start": "PyTorch Adam, Glorot initialization",
    "PyTorch Adam, our start": "PyTorch Adam, skmdlam's initialization",
}


def split(seed):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(X_test), y, y_test


def our_start(X, y, depth, activation, seed):
    """Initial weights of skmdlam, in the coordinates of X."""
    activations = [get_activation(activation)] * depth
    problem = Problem(X, np.eye(10)[y], activations, SoftmaxCrossEntropy(), L2(), 1e-4)
    sizes = [X.shape[1], *[WIDTH] * depth, 10]
    solver, rng = Feasible(), np.random.RandomState(seed)
    coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
    run = solver.start(problem, coefs, intercepts, rng=rng)
    return run.weights()


def torch_adam(data, start, activation, rate, seed):
    """Test accuracy of a PyTorch net trained from given weights, 200 epochs, no early stop."""
    import torch

    torch.manual_seed(seed)
    X, X_test, y, y_test = (torch.as_tensor(a) for a in data)
    layers = []
    for W, b in zip(*start, strict=True):
        layer = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(W.T))
            layer.bias.copy_(torch.as_tensor(b))
        function = {
            "logistic": torch.nn.Sigmoid,
            "tanh": torch.nn.Tanh,
            "relu": torch.nn.ReLU,
        }[activation]
        layers += [layer, function()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    X, X_test = X.float(), X_test.float()
    for _ in range(TORCH_EPOCHS):
        for rows in torch.randperm(len(X)).split(200):  # the batch size of MLPClassifier
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return float((net(X_test).argmax(dim=1) == y_test).double().mean())


def estimators(depth, activation, seed):
    common = {
        "hidden_layer_sizes": (WIDTH,) * depth,
        "activation": activation,
        "random_state": seed,
    }
    yield "skmdlam", MDLAMClassifier(**common)
    yield "MLPClassifier, adam", MLPClassifier(**common)
    yield "MLPClassifier, lbfgs", MLPClassifier(solver="lbfgs", **common)


def measure(depth, activation, seed, *, with_torch):
    """Rows of one configuration."""
    data = split(seed)
    X, X_test, y, y_test = data
    rows = []

    def add(method, score, seconds):
        rows.append(
            {
                "activation": activation,
                "depth": depth,
                "seed": seed,
                "method": method,
                "score": score,
                "seconds": seconds,
            }
        )

    for method, estimator in estimators(depth, activation, seed):
        clock = time.perf_counter()
        estimator.fit(X, y)
        add(method, estimator.score(X_test, y_test), time.perf_counter() - clock)
    if with_torch:
        sizes = [X.shape[1], *[WIDTH] * depth, 10]
        activations = [get_activation(activation)] * depth
        starts = {
            "PyTorch Adam, Glorot start": glorot(
                sizes, np.random.RandomState(seed), X.dtype, activations
            ),
            "PyTorch Adam, our start": our_start(X, y, depth, activation, seed),
        }
        for method, start in starts.items():
            clock = time.perf_counter()
            score = max(torch_adam(data, start, activation, rate, seed) for rate in RATES)
            add(method, score, (time.perf_counter() - clock) / len(RATES))
    return rows


def scores(rows, **where):
    return [row["score"] for row in rows if all(row[k] == v for k, v in where.items())]


def report_table(rows, methods):
    lines = [
        [activation, depth]
        + [spread(scores(rows, activation=activation, depth=depth, method=m)) for m in methods]
        for activation in ACTIVATIONS
        for depth in DEPTHS
        if scores(rows, activation=activation, depth=depth)
    ]
    return table(["activation", "hidden layers", *(NAMES.get(m, m) for m in methods)], lines)


def figure(rows, methods, path):
    """Accuracy against depth, a panel an activation."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    used = [a for a in ACTIVATIONS if scores(rows, activation=a)]
    fig, panels = plt.subplots(
        1, len(used), figsize=(4 * len(used), 3.8), sharey=True, layout="constrained", squeeze=False
    )
    for axes, activation in zip(panels[0], used, strict=True):
        for method in methods:
            color, line, marker = STYLES[method]
            depths = [d for d in DEPTHS if scores(rows, activation=activation, depth=d)]
            values = [scores(rows, activation=activation, depth=d, method=method) for d in depths]
            axes.plot(
                depths, [np.mean(v) for v in values], color=color, linestyle=line,
                marker=marker, markersize=5, label=NAMES.get(method, method),
            )  # fmt: skip
            axes.fill_between(
                depths, [min(v) for v in values], [max(v) for v in values], color=color, alpha=0.15
            )
        axes.axhline(0.1, color="0.7", linewidth=1)
        axes.annotate("chance", (1, 0.1), (0, 3), textcoords="offset points", color="0.4")
        axes.set(title=activation, xlabel="number of hidden layers", ylim=(0, 1.02))
    panels[0, 0].set_ylabel("test accuracy on digits\n(mean and range over seeds)")
    fig.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
               frameon=False)  # fmt: skip
    fig.savefig(path, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--activations", nargs="+", default=ACTIVATIONS, choices=ACTIVATIONS)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "deep")
    options = parser.parse_args(arguments)
    try:
        import torch
    except ImportError:
        torch = None
        print("PyTorch is not installed: its two baselines are left out.")
    else:
        torch.set_num_threads(options.threads)

    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for activation in options.activations:
            for depth in options.depths:
                for seed in range(options.seeds):
                    new = measure(depth, activation, seed, with_torch=torch is not None)
                    rows += new
                print(
                    activation,
                    depth,
                    {row["method"]: number(row["score"]) for row in new},
                    flush=True,
                )
        machine = environment()
    methods = [m for m in STYLES if scores(rows, method=m)]
    command = " ".join(
        ["python benchmarks/deep.py", *(sys.argv[1:] if arguments is None else arguments)]
    )
    version = "" if torch is None else f", torch {torch.__version__}"
    report = (
        f"# Deep networks on digits\n\nCommand: `{command}`\n\n{machine}{version}\n\n"
        f"Test accuracy, mean and standard deviation over {options.seeds} seeds. Of the two "
        "learning rates of the PyTorch baselines the better one on the test set is shown.\n\n"
        f"{report_table(rows, methods)}"
    )
    print(report)
    write_results(options.out, report, rows)
    figure(rows, methods, options.out / "deep.png")


if __name__ == "__main__":
    main()
