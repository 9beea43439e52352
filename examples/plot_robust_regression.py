"""
Regression with outliers
========================

Squared error hangs on every outlier: one target that is off by 50 counts as much as 2,500 that are
off by 1. ``MDLAMRegressor`` takes other losses, which ``MLPRegressor`` does not have: the absolute
error, whose answer is the median, and Huber's, which is squared near zero and absolute far away.
Each is handled by its proximal map, so that kinks are no trouble.
"""

# %%
# A curve, and a share of wrong numbers
# -------------------------------------

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

threadpool_limits(limits=1)  # products this small are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few samples, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # MLPRegressor stops at its limit of steps

n = 150 if quick else 600
shares = [0.0, 0.3] if quick else [0.0, 0.1, 0.2, 0.3, 0.4]


def truth(x):
    return np.sin(2 * x) + 0.5 * x


def sample(share, rng):
    """Points of the curve with a little noise; a share of them is wrong, and mostly too high."""
    x = rng.uniform(-3, 3, n)
    y = truth(x) + rng.normal(0, 0.2, n)
    wrong = rng.random(n) < share
    y[wrong] += rng.exponential(5, wrong.sum())
    return x[:, None], y


# %%
# Six models
# ----------
# Ours take all rows at once, which suits a small problem, and ``activity_alpha=0``: by default a
# penalty is chosen from the noise in the targets, and outliers look like noise, so that the network
# is held back more than is good for it here. What the plain defaults do is shown too.


def models(seed):
    curve = {"batch_size": None, "activity_alpha": 0, "random_state": seed}
    return {
        "squared error": MDLAMRegressor(**curve),
        "absolute error": MDLAMRegressor(loss="absolute_error", **curve),
        "Huber, delta 0.3": MDLAMRegressor(loss=Huber(0.3), **curve),
        "absolute error, defaults": MDLAMRegressor(loss="absolute_error", random_state=seed),
        "MLPRegressor, lbfgs": MLPRegressor(solver="lbfgs", max_iter=500, random_state=seed),
        "boosted trees, absolute error": GradientBoostingRegressor(
            loss="absolute_error", random_state=seed
        ),
    }


# %%
# Against the share of outliers
# -----------------------------
# The distance from the true curve, which no model has seen, as a mean over three samples. The trees
# with an absolute error are the control: is it the loss that helps, or the network?

grid = np.linspace(-3, 3, 301)[:, None]
names = list(models(0))
errors = {name: np.zeros(len(shares)) for name in names}
seeds = range(1 if quick else 3)
for k, share in enumerate(shares):
    for seed in seeds:
        X, y = sample(share, np.random.default_rng(seed))
        for name, model in models(seed).items():
            off = model.fit(X, y).predict(grid) - truth(grid[:, 0])
            errors[name][k] += np.sqrt(np.mean(off**2)) / len(seeds)

print("MDLAMRegressor and controls: distance from the truth, by the share of outliers")
print(" " * 32 + "".join(f"{share:8.0%}" for share in shares))
for name, values in errors.items():
    print(f"{name:32}" + "".join(f"{value:8.3f}" for value in values))

# %%
# Without outliers the losses are alike; with one in ten, squared error is off by as much as the
# curve is high. The trees show that it is the loss that does it: any model that has it will do, and
# trees need no penalty to be chosen. No loss is a miracle, either. These outliers are all on one
# side, so that the median is pulled up too, and with 30 % of them it shows.

looks = {
    "squared error": {"color": "#D55E00", "marker": "o"},
    "absolute error": {"color": "#0072B2", "marker": "D"},
    "Huber, delta 0.3": {"color": "#009E73", "marker": "^", "linestyle": "-."},
    "absolute error, defaults": {"color": "#56B4E9", "marker": "d", "linestyle": ":"},
    "MLPRegressor, lbfgs": {"color": "#E69F00", "marker": "s", "linestyle": "--"},
    "boosted trees, absolute error": {"color": "0.45", "marker": "v", "linestyle": ":"},
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
X, y = sample(0.3, np.random.default_rng(0))
left.scatter(X[:, 0], y, s=8, color="0.8", label="30 % outliers")
left.plot(grid, truth(grid), color="black", linewidth=1, label="truth")
for name in ("squared error", "absolute error"):
    curve = models(0)[name].fit(X, y).predict(grid)
    left.plot(grid, curve, color=looks[name]["color"], linewidth=2, label=name)
left.set(xlabel="x", ylabel="y", ylim=(-3.5, 9), title="MDLAMRegressor")
left.legend(fontsize="small", loc="upper left")
for name, values in errors.items():
    right.plot(100 * np.array(shares), values, label=name, **looks[name])
right.set(xlabel="outliers in %", ylabel="distance from the truth (RMS)", ylim=(0, None))
right.legend(fontsize="small")
plt.show()
