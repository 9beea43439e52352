"""Fashion-MNIST: test accuracy against time, skmdlam and MLPClassifier.

    python benchmarks/images.py --data DIR [--threads N]

DIR holds ``fashion_mnist.npz`` (``X`` of shape (70000, 784), ``y``, ``train_idx``, ``test_idx``).
Pixels are divided by 255, in float32; one hidden layer of 100. Processor seconds of training alone,
without the evaluation on the test images after each epoch. MLPClassifier trains for 20 epochs at
its default settings (Adam), skmdlam as long as its schedule says.

Writes ``README.md``, ``curves.csv``, ``images.png`` into ``benchmarks/results/images`` (``--out``).
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from report import command_line, environment, number, table, write_page
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import Feasible
from skmdlam.activations import ReLU
from skmdlam.engine.problem import Problem, forward
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import L2

EPOCHS = 20


def load(folder):
    with np.load(folder / "fashion_mnist.npz") as arrays:
        X, y = arrays["X"].astype(np.float32) / 255, arrays["y"].astype(int)
        train, test = arrays["train_idx"], arrays["test_idx"]
    order = np.random.default_rng(0).permutation(train)
    return X[order], y[order], X[test], y[test]


def adam(X, y, X_test, y_test, seed):
    """Curve of (epoch, processor seconds, test accuracy)."""
    net = MLPClassifier(random_state=seed)
    seconds = 0.0
    for epoch in range(1, EPOCHS + 1):
        start = time.process_time()
        net.partial_fit(X, y, classes=np.arange(10) if epoch == 1 else None)
        seconds += time.process_time() - start
        yield epoch, seconds, net.score(X_test, y_test)


def ours(X, y, X_test, y_test, seed):
    """Curve of (epoch, processor seconds, test accuracy)."""
    solver, rng, activations = Feasible(), np.random.RandomState(seed), [ReLU()]
    seconds, start = 0.0, time.process_time()
    problem = Problem(
        X, np.eye(10, dtype=X.dtype)[y], activations, SoftmaxCrossEntropy(), L2(), 1e-4
    )
    coefs, intercepts = solver.initial_weights([X.shape[1], 100, 10], rng, X.dtype, activations)
    run = solver.start(problem, coefs, intercepts, rng=rng)
    while (record := next(run, None)) is not None:
        seconds += time.process_time() - start
        z = forward(X_test, *run.weights(), activations)
        yield record.iteration, seconds, float(np.mean(z.argmax(axis=1) == y_test))
        start = time.process_time()


def figure(curves, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    styles = {"skmdlam": ("#0072B2", "-"), "MLPClassifier (Adam)": ("#D55E00", "--")}
    for name, curve in curves.items():
        color, line = styles[name]
        axes.plot(
            [p[1] for p in curve], [p[2] for p in curve], color=color, linestyle=line, label=name
        )
    axes.set(
        xlabel="training time (processor seconds)", ylabel="test accuracy", ylim=(0.8, None),
        title="Fashion-MNIST, one hidden layer of 100 units",
    )  # fmt: skip
    axes.legend(frameon=False)
    fig.savefig(path, dpi=120)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of fashion_mnist.npz")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "images")
    options = parser.parse_args(arguments)
    data = load(options.data)
    with threadpool_limits(options.threads):
        curves = {
            "MLPClassifier (Adam)": list(adam(*data, options.seed)),
            "skmdlam": list(ours(*data, options.seed)),
        }
        machine = environment()
    _, budget, goal = curves["MLPClassifier (Adam)"][-1]
    reached = next((p for p in curves["skmdlam"] if p[2] >= goal), None)
    share = "never" if reached is None else number(reached[1] / budget, 2)
    rows = [
        [name, curve[-1][0], f"{curve[-1][1]:.1f}", number(curve[-1][2], 4),
         number(max(p[2] for p in curve), 4)]
        for name, curve in curves.items()
    ]  # fmt: skip
    report = (
        f"# Fashion-MNIST\n\nCommand: `{command_line(__file__, arguments)}`\n\n"
        f"{machine}\n\nskmdlam reaches the test accuracy of MLPClassifier after {EPOCHS} epochs "
        f"({number(goal, 4)}) in {share} of its time.\n\n![Test accuracy](images.png)\n\n"
        + table(["method", "epochs", "seconds", "final accuracy", "best accuracy"], rows)
    )
    print(report)
    write_page(options.out, report)
    with (options.out / "curves.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "epoch", "seconds", "accuracy"])
        writer.writerows([name, *point] for name, curve in curves.items() for point in curve)
    figure(curves, options.out / "images.png")


if __name__ == "__main__":
    main()
