"""
Steps and tails: what a network makes of each feature
=====================================================

To the first layer of a network a feature is a straight line. A step in it, or a long tail, has to
be put together from many units, and a smooth compromise comes out. ``encoding="auto"``, the
default, encodes each feature as pieces where the data ask for it, so that every unit can bend it
into a curve of its own. This example has data with a step and a tail, compares a network without
the encoding to one with it, and looks at what the two have learned.
"""

# %%
# A step, a tail, and a night
# ---------------------------
# Cost rises by 2 at the age of 65, with the logarithm of an income whose distribution has a long
# tail, and in the first six hours of a day. A fourth feature matters for the old only, a fifth
# one not at all.

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
    """What is to be learned."""
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
# The last line is the score of the true function: no model can do better, because of the noise. The
# encoding closes two fifths of the gap that is left without it.

models = {
    "MDLAMRegressor, encoding=None": MDLAMRegressor(encoding=None, random_state=0),
    "MDLAMRegressor, encoding='auto'": MDLAMRegressor(random_state=0),
}
print(f"{'':34}{'test R2':>9}{'columns of the first layer':>29}")
for name, model in models.items():
    model.fit(X, y)
    print(f"{name:34}{model.score(X_test, y_test):9.3f}{model.coefs_[0].shape[0]:29}")
best = 1 - np.mean((y_test - cost(X_test)) ** 2) / np.var(y_test)
print(f"{'the true function':34}{best:9.3f}")
plain, encoded = models.values()

# %%
# What each has learned
# ---------------------
# The thick line is partial dependence: the mean prediction with this feature set to one value after
# another. Dashed is that of the true function. Below are the curves that single units make of the
# feature, those of the units that use it most. Without the encoding they are straight lines: the
# step becomes a slope over more than ten years, the night another one over nine hours, and the
# lowest incomes cost too much.


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
# With the encoding each unit has a curve for each feature, which is steep where the target is: the
# step is as wide as a piece, and the lowest incomes cost what they should. The sum of the curves of
# a unit over all features is exactly its pre-activation, up to a constant.

show(encoded, "encoding='auto'")

# %%
# The pieces
# ----------
# The curves are sums of these pieces, and of the rank of the feature: each piece rises from 0 to 1
# between two knots, marked below, which are quantiles of the feature. There are as many pieces for
# the crowded low incomes as for the few high ones, and the scale of a feature does not matter.

EncodingDisplay.from_encoder(encoded, ["age", "income", "hour"])
plt.show()
