"""
Piecewise-linear encoding: steps and long tails
===============================================

To the units of the first layer a feature is linear. A step in its effect, or a long tail, takes
many units to approximate, and is smoothed. ``encoding="auto"``, the default, encodes each feature
by piecewise-linear functions if that predicts better, so that every unit can have a curve for
each feature. This example compares a network with and without the encoding and plots what they
learned.
"""

# %%
# Synthetic data
# --------------
# The cost rises by 2 at the age of 65, with the logarithm of an income whose distribution has a
# long tail, and by 1 in the first six hours of a day. A fourth feature matters above the age of
# 65 only, a fifth one not at all.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from skmdlam import EncodingDisplay, FeatureEffectDisplay, MDLAMRegressor

threadpool_limits(limits=1)  # small matrix products are fastest on one thread


def sample(n, rng):
    """Features of n samples."""
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "income": rng.lognormal(10, 1.2, n),
            "hour": rng.uniform(0, 24, n),
            "frailty": rng.normal(size=n),
            "shoe size": rng.normal(41, 3, n),
        }
    )


def cost(X):
    """The true function."""
    old = X["age"] >= 65
    tail = 0.8 * (np.log(X["income"]) - 10)
    return 2 * old + tail + (X["hour"] < 6) + 0.5 * old * X["frailty"]


rng = np.random.default_rng(0)
X, X_test = sample(1000, rng), sample(4000, rng)
y = cost(X) + rng.normal(0, 0.5, len(X))
y_test = cost(X_test) + rng.normal(0, 0.5, len(X_test))

# %%
# With and without the encoding
# -----------------------------
# The last line is the score of the true function, the best possible one because of the noise. The
# encoding closes two fifths of the gap to it.

models = {
    "MDLAMRegressor, encoding=None": MDLAMRegressor(encoding=None, random_state=0),
    "MDLAMRegressor, encoding='auto'": MDLAMRegressor(random_state=0),
}
print(f"{'':34}{'test R2':>9}{'inputs of the first layer':>29}")
for name, model in models.items():
    model.fit(X, y)
    print(f"{name:34}{model.score(X_test, y_test):9.3f}{model.coefs_[0].shape[0]:29}")
best = 1 - np.mean((y_test - cost(X_test)) ** 2) / np.var(y_test)
print(f"{'the true function':34}{best:9.3f}")
plain, encoded = models.values()

# %%
# Learned effects
# ---------------
# The thick line is the partial dependence: the mean prediction as a function of this feature. The
# dashed line is that of the true function. Below are the contributions of the feature to the
# pre-activations of single units, those that use it most. Without the encoding they are straight
# lines: the steps become slopes over more than ten years and nine hours, and predictions are too
# high for the lowest incomes.


def show(model, title):
    """Draw the effects of three features, and those of the true function."""
    display = FeatureEffectDisplay.from_estimator(model, X, ["age", "income", "hour"])
    for axis, effect in zip(display.ax_[:, 0], display.effects, strict=True):
        averages = [cost(X.assign(**{effect.name: x})).mean() for x in effect.grid_values]
        axis.plot(effect.grid_values, averages, color="black", linestyle="--", linewidth=1)
        axis.set_ylim(-1.5, 3.5)
    display.figure_.suptitle(title)
    plt.show()


show(plain, "encoding=None")

# %%
# With the encoding each unit has a curve for each feature, which is steep where the target is:
# the step is as wide as a piece, and predictions for the lowest incomes are right. The sum of the
# curves of a unit over all features is exactly its pre-activation, up to a constant.

# sphinx_gallery_thumbnail_number = 2

show(encoded, "encoding='auto'")

# %%
# The pieces of the encoding
# --------------------------
# The curves are weighted sums of these pieces and of the rank of the feature. Each piece rises
# from 0 to 1 between two knots, marked below, which are quantiles of the feature. So most pieces
# are where most samples are, and the scale of a feature does not matter.

EncodingDisplay.from_encoder(encoded, ["age", "income", "hour"])
plt.show()
