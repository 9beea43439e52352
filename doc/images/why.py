"""Make ``why.png``, a figure of the user guide, and ``why.csv``, the numbers in it.

    python doc/images/why.py

MDLAMClassifier (solver "relaxed") with rho, and MLPClassifier with its learning rate, from 1e-5 to
100 on scikit-learn's digits: five splits into 1,257 training and 540 test images, one hidden layer
of 100 units, and every other parameter at its default, except that MDLAMClassifier does 300 sweeps
(``tol=0``). MLPClassifier does its 200 epochs, or stops before that by its own rule. Its training
loss is averaged over each epoch, MDLAMClassifier's taken after each sweep. The seconds of a fit are
processor time; all of it takes a minute and a half on one core.
"""

import csv
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

HERE = Path(__file__).parent
SETTINGS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]
CURVES = [1e-3, 1e-2, 1e-1, 1.0]  # settings whose training curves are drawn, from split 0
SPLITS = 5
# Colours that color-blind readers can tell apart; the lines differ in style as well.
LOOKS = {
    "MDLAMClassifier": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "MLPClassifier": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
}


def classifier(name, setting, split):
    if name == "MDLAMClassifier":
        return MDLAMClassifier(
            solver="relaxed", rho=setting, max_iter=300, tol=0, random_state=split
        )
    return MLPClassifier(learning_rate_init=setting, random_state=split)


def measure():
    """Fit everything; return the rows of the table and the curves to draw."""
    X, y = load_digits(return_X_y=True)
    rows, curves = [], {}
    for split in range(SPLITS):
        X_train, X_test, y_train, y_test = train_test_split(
            X / 16, y, test_size=0.3, stratify=y, random_state=split
        )
        for name in LOOKS:
            for setting in SETTINGS:
                start = time.process_time()
                model = classifier(name, setting, split).fit(X_train, y_train)
                seconds = time.process_time() - start
                rows.append(
                    {
                        "classifier": name,
                        "setting": f"{setting:g}",
                        "split": split,
                        "test_accuracy": round(model.score(X_test, y_test), 4),
                        "training_loss": f"{model.loss_:.4g}",
                        "sweeps_or_epochs": model.n_iter_,
                        "times_curve_rose": int(np.sum(np.diff(model.loss_curve_) > 0)),
                        "seconds": round(seconds, 2),
                    }
                )
                if split == 0 and setting in CURVES:
                    curves[name, setting] = model.loss_curve_
    return rows, curves


def draw(rows, curves):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, look in LOOKS.items():
        accuracy = np.array([row["test_accuracy"] for row in rows if row["classifier"] == name])
        accuracy = accuracy.reshape(SPLITS, len(SETTINGS))
        left.plot(SETTINGS, accuracy.mean(axis=0), **look)
        left.fill_between(
            SETTINGS, accuracy.min(axis=0), accuracy.max(axis=0), color=look["color"], alpha=0.2
        )
    blue, orange = (look["color"] for look in LOOKS.values())
    left.text(8e-1, 0.78, "MDLAMClassifier,\nby rho", color=blue)
    left.text(2e-1, 0.4, "MLPClassifier,\nby learning rate", color=orange, ha="right")
    left.set(
        xscale="log",
        ylim=(0, 1.02),
        xlabel="rho, learning rate",
        ylabel="accuracy on test images",
        title=f"Digits: mean and range of {SPLITS} splits",
    )

    for (name, setting), curve in curves.items():
        look = {key: value for key, value in LOOKS[name].items() if key != "marker"}
        right.plot(1 + np.arange(len(curve)), curve, linewidth=1.3, **look)
        if name == "MLPClassifier" or setting == CURVES[-1]:
            right.text(len(curve) + 3, curve[-1], f"{setting:g}", va="bottom", color=look["color"])
    lowest = min(curves["MDLAMClassifier", setting][-1] for setting in CURVES[:-1])
    others = ", ".join(f"{setting:g}" for setting in CURVES[:-1])
    right.text(305, 0.8 * lowest, f"rho = {others}", ha="right", va="top", color=blue)
    right.set(
        yscale="log",
        xlim=(0, 330),
        xlabel="sweep, epoch",
        ylabel="training loss",
        title="Training, by the same two settings",
    )
    figure.savefig(HERE / "why.png", dpi=120)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)  # the limits above are meant
    with threadpool_limits(limits=1):
        rows, curves = measure()
    with open(HERE / "why.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, curves)


if __name__ == "__main__":
    main()
