"""Networks of step units: accuracy of ``activation="sign"``, and of other ways to train them.

    python benchmarks/sign.py [--data DIR] [--only NAME ...] [--seeds N] [--threads N]

Data: scikit-learn's digits, two moons with noise of 0.25, and with ``--data`` four data sets of
``benchmarks/tabular.py``. 75/25 splits, features standardized, one and two hidden layers of 100.

- skmdlam, sign and tanh, and sign with ``solver="relaxed"`` (its joint block), up to 2,000 samples.
- Random sign units: the first layer as drawn, the last one by LogisticRegression with C chosen by
  3-fold CV, RidgeCV for regression. One hidden layer only.
- Where PyTorch is installed, Adam with the straight-through estimator (gradient where |z| <= 1) for
  200 epochs with cosine decay of the learning rate from 0.001 or 0.01.

Writes into ``benchmarks/results/sign`` (``--out``): ``README.md`` and ``scores.csv``.
"""

import argparse
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from report import command_line, environment, number, spread, table, write_results
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor

NETS = ((100,), (100, 100))
TABLES = {"vehicle": True, "segment": True, "phoneme": True, "kin8nm": False}
RATES = (1e-3, 1e-2)
EPOCHS = 200
LARGEST_RELAXED = 2000
METHODS = [
    "skmdlam, sign",
    "skmdlam, tanh",
    "relaxed, sign",
    "random sign units",
    *(f"Adam, straight-through, rate {rate:g}" for rate in RATES),
]

# Methods as they are shown, by their name in scores.csv.
NAMES = {"relaxed, sign": 'skmdlam, sign, solver="relaxed"'}


def load(name, folder):
    """Inputs, targets (class codes or standardized numbers), and whether they are classes."""
    if name == "digits":
        return *load_digits(return_X_y=True), True
    if name == "moons":
        return *make_moons(1000, noise=0.25, random_state=0), True
    with np.load(folder / f"{name}.npz", allow_pickle=True) as file:
        X, y = file["X"].astype(float), file["y"]
    if TABLES[name]:
        return X, np.unique(y, return_inverse=True)[1], True
    return X, (y - y.mean()) / y.std(), False


def ours(data, net, classes, seed, **parameters):
    X, X_test, y, y_test = data
    estimator = MDLAMClassifier if classes else MDLAMRegressor
    model = estimator(hidden_layer_sizes=net, random_state=seed, **parameters).fit(X, y)
    return model.score(X_test, y_test)


def random_units(data, net, classes, seed):
    X, X_test, y, y_test = data
    rng = np.random.RandomState(seed)
    W = rng.standard_normal((X.shape[1], net[0]))
    b = 0.5 * np.sqrt(X.shape[1]) * rng.standard_normal(net[0])
    A, A_test = (np.where(Z @ W + b >= 0, 1.0, -1.0) for Z in (X, X_test))
    if classes:
        head = GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.01, 0.1, 1.0]}, cv=3)
    else:
        head = RidgeCV(np.logspace(-3, 3, 7))
    return head.fit(A, y).score(A_test, y_test)


def straight_through(data, net, classes, seed, rate):
    import torch

    class Step(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return torch.where(z >= 0, 1.0, -1.0)

        @staticmethod
        def backward(ctx, gradient):
            (z,) = ctx.saved_tensors
            return gradient * (z.abs() <= 1)

    torch.manual_seed(seed)
    X, X_test, y, y_test = data
    sizes = [X.shape[1], *net, int(y.max()) + 1 if classes else 1]
    layers = [torch.nn.Linear(*shape) for shape in pairwise(sizes)]

    def output(x):
        for layer in layers[:-1]:
            x = Step.apply(layer(x))
        return layers[-1](x)

    def loss(z, target):
        if classes:
            return torch.nn.functional.cross_entropy(z, target)
        return torch.nn.functional.mse_loss(z[:, 0], target)

    inputs, targets = torch.as_tensor(X).float(), torch.as_tensor(y)
    targets = targets if classes else targets.float()
    optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=rate)
    size = 200 if len(X) >= 2000 else max(20, min(100, len(X) // 5))
    steps = EPOCHS * -(-len(X) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(size):
            optimizer.zero_grad()
            loss(output(inputs[rows]), targets[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        z = output(torch.as_tensor(X_test).float()).numpy()
    return accuracy_score(y_test, z.argmax(axis=1)) if classes else r2_score(y_test, z[:, 0])


def measure(data, net, classes, seed, *, with_torch):
    """Method, test score and seconds, for one split."""
    calls = {
        METHODS[0]: lambda: ours(data, net, classes, seed, activation="sign"),
        METHODS[1]: lambda: ours(data, net, classes, seed, activation="tanh"),
    }
    if len(data[0]) <= LARGEST_RELAXED:
        relaxed = {"activation": "sign", "solver": "relaxed", "rho": 1.0}
        calls[METHODS[2]] = lambda: ours(data, net, classes, seed, **relaxed)
    if len(net) == 1:
        calls[METHODS[3]] = lambda: random_units(data, net, classes, seed)
    if with_torch:
        for rate, method in zip(RATES, METHODS[4:], strict=True):
            calls[method] = lambda rate=rate: straight_through(data, net, classes, seed, rate)
    for method, call in calls.items():
        clock = time.perf_counter()
        yield method, float(call()), time.perf_counter() - clock


def report_tables(rows):
    """Scores and seconds, a line for each data set and net."""

    def values(column, **where):
        return [row[column] for row in rows if all(row[k] == v for k, v in where.items())]

    places = list(dict.fromkeys((row["data"], row["layers"]) for row in rows))
    methods = [m for m in METHODS if values("score", method=m)]
    parts = []
    for column, digits in (("score", 3), ("seconds", 2)):
        lines = []
        for name, layers in places:
            found = [values(column, data=name, layers=layers, method=m) for m in methods]
            show = spread if column == "score" else lambda v, digits: number(np.mean(v), digits)
            lines.append([name, layers, *(show(v, digits) if v else "-" for v in found)])
        header = ["data set", "hidden layers", *(NAMES.get(m, m) for m in methods)]
        parts.append(table(header, lines))
    return parts


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of data sets, NAME.npz with X and y")
    parser.add_argument("--only", nargs="+", help="names of the data sets to use")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sign")
    options = parser.parse_args(arguments)
    try:
        import torch
    except ImportError:
        torch = None
        print("PyTorch is not installed: Adam is left out.")
    else:
        torch.set_num_threads(options.threads)
    names = ["digits", "moons", *(TABLES if options.data else ())]
    rows = []
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in names if options.only is None else options.only:
            X, y, classes = load(name, options.data)
            for net in NETS:
                for seed in range(options.seeds):
                    X_train, X_test, y_train, y_test = train_test_split(
                        X, y, random_state=seed, stratify=y if classes else None
                    )
                    scaler = StandardScaler().fit(X_train)
                    data = scaler.transform(X_train), scaler.transform(X_test), y_train, y_test
                    place = {"data": name, "layers": len(net), "seed": seed}
                    for method, score, seconds in measure(
                        data, net, classes, seed, with_torch=torch is not None
                    ):
                        row = {**place, "method": method, "score": score, "seconds": seconds}
                        rows.append(row)
                        print(*row.values(), flush=True)
        machine = environment()
    version = "" if torch is None else f", torch {torch.__version__}"
    score_table, seconds_table = report_tables(rows)
    report = (
        f"# Networks of step units\n\nCommand: `{command_line(__file__, arguments)}`\n\n"
        f"{machine}{version}\n\nTest score (accuracy, R² on kin8nm), mean and standard deviation "
        f"over {options.seeds} splits.\n\n{score_table}\nSeconds of a fit.\n\n{seconds_table}"
    )
    print(report)
    write_results(options.out, report, rows)


if __name__ == "__main__":
    main()
