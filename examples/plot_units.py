"""
No scaling needed: features of any scale
========================================

Networks trained by gradient descent need scaled features, and forgetting to scale them is the
most common reason for a bad fit. The default solver standardizes features internally and folds
the scaling back into the weights, so the units of X, and of the target of a regression, do not
matter.
"""

# %%
# Rescaled features
# -----------------
# The features of a regression problem are multiplied by random factors, whose range grows from 1
# to a factor of a million. The information in the data does not change.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMRegressor

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few samples, to check that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # MLPRegressor stops at max_iter

X, y = make_friedman1(300 if quick else 1000, n_features=10, noise=1.0, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
decades = [0, 6] if quick else [0, 1, 2, 3, 4, 6]

mlp = MLPRegressor(max_iter=200, random_state=0)
models = {
    "MDLAMRegressor": MDLAMRegressor(encoding=None, random_state=0),
    "MDLAMRegressor, alpha=10": MDLAMRegressor(alpha=10.0, encoding=None, random_state=0),
    "MLPRegressor": mlp,
    "MLPRegressor, scaled": TransformedTargetRegressor(
        make_pipeline(StandardScaler(), mlp), transformer=StandardScaler()
    ),
    "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
}

scores = {name: [] for name in models}
for decade in decades:
    factors = 10 ** np.random.default_rng(0).uniform(-decade / 2, decade / 2, X.shape[1])
    for name, model in models.items():
        scores[name].append(model.fit(X * factors, y).score(X_test * factors, y_test))

print(f"{'R2, by feature scale range':32}" + "".join(f"{f'1e{d}':>9}" for d in decades))
for name, values in scores.items():
    print(f"{name:32}" + "".join(f"{value:9.3f}" for value in values))

# %%
# MDLAMRegressor does not depend on the scale, and neither does gradient boosting. MLPRegressor
# needs two scalers, one for the features and one for the target, to be independent of the scale.
# Without them it is dominated by the features with the largest values.
#
# There is one exception, the light blue line: ``alpha`` multiplies the penalty on the weights *in
# the original feature units*, as in scikit-learn. A large value hurts features on a small scale,
# which need large weights. By default ``activity_alpha`` regularizes instead, which is
# scale-invariant.

looks = {
    "MDLAMRegressor": {"color": "#0072B2", "marker": "o", "linewidth": 2},
    "MDLAMRegressor, alpha=10": {"color": "#56B4E9", "marker": "d", "linestyle": ":"},
    "MLPRegressor": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "MLPRegressor, scaled": {"color": "#E69F00", "marker": "^", "linestyle": "-."},
    "HistGradientBoosting": {"color": "0.45", "marker": "v", "linestyle": ":"},
}
for limits, title in (((-0.03, 1), "all"), ((0.9, 0.96), "zoom")):
    figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    for name, values in scores.items():
        axis.plot(10.0 ** np.array(decades), np.maximum(values, 0), label=name, **looks[name])
    axis.set(xscale="log", xlabel="feature scale range", title=title)
    axis.set(ylim=limits, ylabel="test R2 (below 0 shown as 0)")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()
