"""
Sparse and monotone networks
============================

``MLPClassifier`` has one penalty, the squared norm of the weights. Here a penalty may also be
nonsmooth or a constraint, because the weights are updated by a proximal step: weights become
*exactly* zero, or satisfy constraints *exactly*. This example selects pixels of images, and fits
a regression that is known to be monotone.
"""

# %%
# Pixel selection
# ---------------
# ``penalty="group"`` acts on all weights of a feature together, and on all weights of a unit. The
# larger ``alpha`` is, the fewer pixels are used. Penalties other than "l2" apply to weights in the
# original feature units, so scale the features first; pixels have a common scale.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor, WeightsDisplay

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few fits, to check that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # some fits stop at max_iter

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, train_size=1000, stratify=y, random_state=0)

alphas = [1.0, 10.0] if quick else [0.1, 1.0, 3.0, 10.0, 15.0]
strengths = [0.1, 1.0] if quick else [0.005, 0.01, 0.02, 0.05, 0.2, 1.0]
models = {
    "MDLAMClassifier": [
        MDLAMClassifier([30], penalty="group", alpha=alpha, random_state=0) for alpha in alphas
    ],
    "LinearSVC, l1": [LinearSVC(penalty="l1", dual=False, C=C, random_state=0) for C in strengths],
}
pixels, accuracy = {}, {}
print(f"{'':24}{'pixels':>8}{'accuracy':>10}")
for name, family in models.items():
    for model in family:
        model.fit(X, y)
    weights = [model.coefs_[0] if hasattr(model, "coefs_") else model.coef_.T for model in family]
    pixels[name] = [np.any(W != 0, axis=1).sum() for W in weights]
    accuracy[name] = [model.score(X_test, y_test) for model in family]
    for n_pixels, score in zip(pixels[name], accuracy[name], strict=True):
        print(f"{name:24}{n_pixels:8}{score:10.3f}")

# %%
# Accuracy by the number of pixels, with an l1-penalized linear model as the baseline. With the same
# number of pixels the network is more accurate; the difference is small where nearly all are used.

# sphinx_gallery_thumbnail_number = 1

chosen = models["MDLAMClassifier"][alphas.index(10.0)]
figure, right = plt.subplots(figsize=(6, 4.5), layout="constrained")
right.plot(
    pixels["MDLAMClassifier"],
    accuracy["MDLAMClassifier"],
    "o-",
    color="#0072B2",
    label="MDLAMClassifier, group",
)
right.plot(
    pixels["LinearSVC, l1"],
    accuracy["LinearSVC, l1"],
    "s--",
    color="0.45",
    label="LinearSVC, l1",
)
right.set(xlabel="number of pixels used, of 64", ylabel="test accuracy", ylim=(None, 1))
right.legend()
plt.show()

# %%
# The weights of the first layer with ``alpha=10``, one row per pixel. Pale ones are exactly zero.

figure, left = plt.subplots(figsize=(6, 4.5), layout="constrained")
WeightsDisplay.from_estimator(chosen, kind="sparsity", ax=left)
left.set_ylabel("pixel")
plt.show()

# %%
# Monotone regression
# -------------------
# With nonnegative weights and an increasing activation, the output is nondecreasing in every
# feature. So ``penalty="nonnegative"`` makes a regression monotone, where that is known
# beforehand, as for a dose and its effect. The baseline is gradient boosting with the same
# constraint.


def effect(dose):
    return dose**4 / (dose**4 + 4.0**4)


def sample(seed):
    rng = np.random.default_rng(seed)
    dose = rng.uniform(0, 10, 40)
    return dose[:, None], effect(dose) + rng.normal(0, 0.2, 40)


grid = np.linspace(0, 10, 300)[:, None]
curves_of = {
    "defaults": MDLAMRegressor(hidden_layer_sizes=[50], activation="tanh"),
    "no penalty": MDLAMRegressor(
        hidden_layer_sizes=[50], activation="tanh", batch_size=None, activity_alpha=0
    ),
    "nonnegative": MDLAMRegressor(
        hidden_layer_sizes=[50],
        activation="tanh",
        penalty="nonnegative",
        batch_size=None,
        activity_alpha=0,
    ),
    "HistGradientBoosting, monotone": HistGradientBoostingRegressor(
        monotonic_cst=[1], min_samples_leaf=5, max_iter=50
    ),
}
seeds = range(2 if quick else 5)
curves = {}
print(f"\n{'':32}{'RMSE':>10}{'decreases':>12}")
for name, model in curves_of.items():
    model.set_params(random_state=0)
    curves[name] = [model.fit(*sample(seed)).predict(grid) for seed in seeds]
    distance = np.mean([np.sqrt(np.mean((c - effect(grid[:, 0])) ** 2)) for c in curves[name]])
    # Up to rounding.
    falls = sum(np.any(np.diff(curve) < -1e-9) for curve in curves[name])
    print(f"{name:32}{distance:10.3f}{falls:>7} of {len(seeds)}")

# %%
# The table has means over five random samples, and in how many of them the prediction decreases
# somewhere; the figure has the sample with the largest range of the unconstrained network. The
# constraint holds exactly and prevents overfitting, here better than the default penalties.
# Gradient boosting is monotone too, in steps.

wildest = int(np.argmax([np.ptp(curve) for curve in curves["no penalty"]]))
looks = {
    "no penalty": {"color": "#D55E00", "linestyle": "--"},
    "nonnegative": {"color": "#0072B2", "linewidth": 2.5},
    "HistGradientBoosting, monotone": {"color": "0.45", "linestyle": "-."},
}
dose, response = sample(wildest)
figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
axis.scatter(dose[:, 0], response, s=14, color="0.7", label="training samples")
axis.plot(grid, effect(grid), color="black", linewidth=1, label="true function")
for name, look in looks.items():
    axis.plot(grid, curves[name][wildest], label=name, **look)
axis.set(xlabel="dose", ylabel="effect")
axis.set_ylim(response.min() - 0.3, response.max() + 0.3)
axis.legend(loc="lower right")
plt.show()
