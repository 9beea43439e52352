"""
Regression with outliers: robust losses
=======================================

Squared error is sensitive to outliers: one target that is off by 50 counts as much as 2,500 that
are off by 1. ``MDLAMRegressor`` has robust losses that ``MLPRegressor`` does not have: absolute
error, which fits the median, and Huber loss, quadratic near zero and linear in the tails.
"""

# %%
# Data with outliers
# ------------------

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMRegressor
from skmdlam.losses import Huber

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few samples, to check that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # MLPRegressor stops at max_iter

n = 150 if quick else 600
fractions = [0.0, 0.3] if quick else [0.0, 0.1, 0.2, 0.3, 0.4]


def truth(x):
    return np.sin(2 * x) + 0.5 * x


def sample(fraction, rng):
    """Samples of the curve with little noise; a fraction of them are outliers, all too high."""
    x = rng.uniform(-3, 3, n)
    y = truth(x) + rng.normal(0, 0.2, n)
    wrong = rng.random(n) < fraction
    y[wrong] += rng.exponential(5, wrong.sum())
    return x[:, None], y


# %%
# Six models
# ----------
# MDLAMRegressor is used with the full batch and ``activity_alpha=0``: by default the penalty
# strength is estimated from the noise in the targets, and outliers look like noise, so the
# penalties are stronger than they should be here. The default parameters are shown as well.


def models(seed):
    curve = {"batch_size": None, "activity_alpha": 0, "random_state": seed}
    return {
        "squared error": MDLAMRegressor(**curve),
        "absolute error": MDLAMRegressor(loss="absolute_error", **curve),
        "Huber, delta 0.3": MDLAMRegressor(loss=Huber(0.3), **curve),
        "absolute error, defaults": MDLAMRegressor(loss="absolute_error", random_state=seed),
        "MLPRegressor, lbfgs": MLPRegressor(solver="lbfgs", max_iter=500, random_state=seed),
        "GradientBoosting, absolute error": GradientBoostingRegressor(
            loss="absolute_error", random_state=seed
        ),
    }


# %%
# Error by the fraction of outliers
# ---------------------------------
# Root mean squared distance from the true curve, mean over three random samples. Gradient boosting
# with absolute error is the baseline: is it the loss that helps, or the network?

grid = np.linspace(-3, 3, 301)[:, None]
names = list(models(0))
errors = {name: np.zeros(len(fractions)) for name in names}
seeds = range(1 if quick else 3)
for k, fraction in enumerate(fractions):
    for seed in seeds:
        X, y = sample(fraction, np.random.default_rng(seed))
        for name, model in models(seed).items():
            off = model.fit(X, y).predict(grid) - truth(grid[:, 0])
            errors[name][k] += np.sqrt(np.mean(off**2)) / len(seeds)

print("MDLAMRegressor and baselines: distance from the true curve, by fraction of outliers")
print(" " * 32 + "".join(f"{fraction:8.0%}" for fraction in fractions))
for name, values in errors.items():
    print(f"{name:32}" + "".join(f"{value:8.3f}" for value in values))

# %%
# Without outliers the losses perform alike. With outliers both robust losses have less than half of
# the error of the squared one. Gradient boosting shows that it is the loss that matters: it has a
# small error too. All outliers are on one side here, so that the median is biased as well, which
# shows from 30 % of them on.

looks = {
    "squared error": {"color": "#D55E00", "marker": "o"},
    "absolute error": {"color": "#0072B2", "marker": "D"},
    "Huber, delta 0.3": {"color": "#009E73", "marker": "^", "linestyle": "-."},
    "absolute error, defaults": {"color": "#56B4E9", "marker": "d", "linestyle": ":"},
    "MLPRegressor, lbfgs": {"color": "#E69F00", "marker": "s", "linestyle": "--"},
    "GradientBoosting, absolute error": {"color": "0.45", "marker": "v", "linestyle": ":"},
}
figure, left = plt.subplots(figsize=(6, 4.5), layout="constrained")
X, y = sample(0.3, np.random.default_rng(0))
left.scatter(X[:, 0], y, s=8, color="0.8", label="30 % outliers")
left.plot(grid, truth(grid), color="black", linewidth=1, label="true curve")
for name in ("squared error", "absolute error"):
    curve = models(0)[name].fit(X, y).predict(grid)
    left.plot(grid, curve, color=looks[name]["color"], linewidth=2, label=name)
left.set(xlabel="x", ylabel="y", ylim=(-3.5, 9), title="MDLAMRegressor")
left.legend(loc="upper left")
plt.show()

# %%

figure, right = plt.subplots(figsize=(6, 4.5), layout="constrained")
for name, values in errors.items():
    right.plot(100 * np.array(fractions), values, label=name, **looks[name])
right.set(xlabel="outliers (%)", ylabel="distance from the true curve (RMS)", ylim=(0, None))
right.legend()
plt.show()
