"""Make the figures of the user guide, on synthetic data and data sets of scikit-learn.

    python doc/images/guide.py [NAME ...]

NAME is one of regularization, levels, encoding, monitoring, networks and uncertainty; without one
all are made, in about a minute on one core. Each becomes a file ``guide_NAME.png`` beside this one.
"""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from threadpoolctl import threadpool_limits

from skmdlam import ConvergenceDisplay, MDLAMClassifier, MDLAMRegressor

HERE = Path(__file__).parent
# Colors that color-blind readers can tell apart.
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#888888"


def regularization():
    """Cross-validated R2 by the strength of a penalty, beside that of the automatic one."""
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    folds = KFold(5, shuffle=True, random_state=0)

    def score(**parameters):
        model = MDLAMRegressor(encoding=None, random_state=0, **parameters)
        return cross_val_score(model, X, y, cv=folds).mean()

    strengths = 10.0 ** np.arange(-4, 4.5, 0.5)
    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    found = [score(activity_alpha=strength) for strength in strengths]
    axis.plot(strengths, found, color=BLUE, marker="o", label="activity_alpha")
    found = [score(activity_alpha=0, alpha=strength) for strength in strengths]
    axis.plot(
        strengths,
        found,
        color=ORANGE,
        marker="s",
        linestyle="--",
        label="alpha, with activity_alpha=0",
    )
    axis.plot(1.0, score(), "*", color="black", markersize=16, label='activity_alpha="auto"')
    axis.set(
        xscale="log",
        ylim=(-0.25, 0.85),
        xlabel="strength of the penalty",
        ylabel="R², 5-fold cross-validation",
        title="diabetes: 442 samples, 10 features, 100 hidden units",
    )
    axis.legend(loc="upper left")
    return figure


def levels():
    """True effects of 300 levels, and what the samples and the model say of them."""
    rng = np.random.default_rng(0)
    shares = rng.exponential(size=300) ** 2
    shop = rng.choice(300, size=1500, p=shares / shares.sum())
    effect = rng.normal(size=300)
    frame = pd.DataFrame({"shop": np.char.add("s", shop.astype(str)), "size": rng.random(1500)})
    y = effect[shop] + rng.normal(size=1500)
    model = MDLAMRegressor(hidden_layer_sizes=(10,), random_state=0).fit(frame, y)
    seen, count = np.unique(shop, return_counts=True)
    means = np.array([y[shop == level].mean() for level in seen])
    names = np.char.add("s", seen.astype(str))
    predicted = model.predict(pd.DataFrame({"shop": names, "size": 0.5}))
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 3.8), sharex=True, sharey=True, layout="constrained"
    )
    titles = ["Mean of the level's samples", "Prediction of the model"]
    for axis, values, title in zip(axes, (means, predicted), titles, strict=True):
        few = count <= 3
        axis.axline((0, 0), slope=1, color=GRAY, linewidth=1)
        axis.scatter(effect[seen][~few], values[~few], s=12, color=BLUE, label="4 samples or more")
        axis.scatter(
            effect[seen][few], values[few], s=12, color=ORANGE, marker="s", label="1 to 3 samples"
        )
        error = np.sqrt(np.mean(np.square(values - effect[seen])))
        axis.set(title=f"{title}: RMSE {error:.2f}", xlabel="true effect of the level")
    axes[0].set_ylabel("estimated effect")
    axes[0].legend(loc="upper left")
    return figure


def encoding():
    """Effects of two features: the truth, and networks with and without the encoding."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 24, 1000), rng.lognormal(3, 1.2, 1000)])

    def rush(hour):
        return 3.0 * (abs(hour - 8) < 1) + 2.0 * (abs(hour - 17) < 1.5)

    y = rush(X[:, 0]) + np.log(X[:, 1]) + 0.3 * rng.normal(size=1000)
    models = {"auto": ("-", BLUE), None: ("--", ORANGE)}
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    fitted = {
        name: MDLAMRegressor(hidden_layer_sizes=(30,), encoding=name, random_state=0).fit(
            X[:600], y[:600]
        )
        for name in models
    }
    for j, (axis, effect) in enumerate(zip(axes, (rush, np.log), strict=True)):
        grid = np.linspace(*np.quantile(X[:, j], [0.005, 0.98]), 400)
        truth = effect(grid).astype(float)
        axis.plot(grid, truth - truth.mean(), color=GRAY, linewidth=5, alpha=0.5, label="truth")
        for name, (style, color) in models.items():
            at = np.tile(np.median(X, axis=0), (400, 1))
            at[:, j] = grid
            curve = fitted[name].predict(at)
            score = fitted[name].score(X[600:], y[600:])
            label = f"encoding={name!r}: test R² {score:.2f}"
            axis.plot(grid, curve - curve.mean(), linestyle=style, color=color, label=label)
        axis.set(xlabel=["hour of the day", "income"][j])
    axes[0].set_ylabel("effect on the prediction")
    axes[1].legend(loc="lower right")
    return figure


def monitoring():
    """The curves of a fit with mini-batches and early stopping."""
    X, y = load_digits(return_X_y=True)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    model = MDLAMClassifier((30,), batch_size=100, early_stopping=True, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    display = ConvergenceDisplay.from_estimator(
        model, curves=["loss", "validation_loss", "validation"]
    )
    return display.figure_


def networks():
    """Test scores of single networks and of averages of several."""
    X, y = make_friedman1(2000, noise=0.5, random_state=0)
    X, X_test, y, y_test = X[:300], X[1000:], y[:300], y[1000:]
    figure, axis = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    sizes = [1, 2, 4, 8]
    for place, n_networks in enumerate(sizes):
        scores = [
            MDLAMRegressor(
                hidden_layer_sizes=(30,), n_networks=n_networks, encoding=None, random_state=seed
            )
            .fit(X, y)
            .score(X_test, y_test)
            for seed in range(10)
        ]
        axis.plot(10 * [place], scores, "o", color=BLUE, alpha=0.5)
        axis.plot([place - 0.2, place + 0.2], 2 * [np.mean(scores)], color="black")
    axis.set(
        xticks=range(len(sizes)),
        xticklabels=sizes,
        xlabel="n_networks",
        ylabel="test R²",
        title="10 random states each; the line is their mean",
    )
    return figure


def uncertainty():
    """A prediction interval whose width follows the noise."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, (6000, 1))
    noise = np.where(X[:, 0] > 0, 0.4, 0.1)
    y = np.sin(X[:, 0]) + noise * rng.normal(size=6000)
    model = MDLAMRegressor(hidden_layer_sizes=(20,), calibrate=True, random_state=0)
    model.fit(X[:1500], y[:1500])
    grid = np.linspace(-3, 3, 400)
    mean, std = model.predict(grid[:, np.newaxis], return_std=True)
    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    axis.plot(X[3000:4000, 0], y[3000:4000], ".", color=GRAY, markersize=3, label="new samples")
    axis.plot(grid, mean, color=BLUE, label="prediction")
    low, high = mean - 1.96 * std, mean + 1.96 * std
    axis.fill_between(grid, low, high, color=BLUE, alpha=0.2, label="95 % interval")
    true = 1.96 * np.where(grid > 0, 0.4, 0.1)
    for sign in (-1, 1):
        label = "95 % of the true noise" if sign > 0 else None
        axis.plot(grid, np.sin(grid) + sign * true, ":", color="black", label=label)
    axis.set(xlabel="x", ylabel="y", xlim=(-3, 3))
    axis.legend(loc="upper left")
    return figure


FIGURES = (regularization, levels, encoding, monitoring, networks, uncertainty)


def main(names):
    warnings.simplefilter("ignore", ConvergenceWarning)
    for make in FIGURES:
        if not names or make.__name__ in names:
            with threadpool_limits(limits=1):
                figure = make()
            figure.savefig(HERE / f"guide_{make.__name__}.png", dpi=120)
            plt.close(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
