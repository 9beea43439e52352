"""
Columns of any scale, without a scaler
======================================

Metres or kilometres, grams or tons: to a network that is trained by gradients they are not the
same, and forgetting to scale the columns is the commonest reason for a bad fit. The default solver
standardises columns inside its steps and folds the scales back into the weights, so that the units
of X, and of the target of a regression, do not matter.
"""

# %%
# One table in many units
# -----------------------
# The columns of a regression are multiplied by random factors, within a range that grows from none
# to a factor of a million. Nothing that could be learned has changed.

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

threadpool_limits(limits=1)  # products this small are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few samples, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # MLPRegressor stops at its limit of epochs

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
    "boosted trees": HistGradientBoostingRegressor(random_state=0),
}

scores = {name: [] for name in models}
for decade in decades:
    factors = 10 ** np.random.default_rng(0).uniform(-decade / 2, decade / 2, X.shape[1])
    for name, model in models.items():
        scores[name].append(model.fit(X * factors, y).score(X_test * factors, y_test))

print(f"{'R2, factors within a range of':32}" + "".join(f"{f'1e{d}':>9}" for d in decades))
for name, values in scores.items():
    print(f"{name:32}" + "".join(f"{value:9.3f}" for value in values))

# %%
# Ours is a straight line, and so are trees, which do not see units at all. The fair control is
# MLPRegressor inside of two scalers: what a careful user does, and as independent of units. Without
# them it follows the columns that happen to have the largest numbers.
#
# There is one exception, the light blue line: ``alpha`` is a penalty on weights *in your
# units*, as it is in scikit-learn: a large one hurts a column in large units, which needs large
# weights. That is why it is 0 by default, where ``activity_alpha``, the penalty that has no unit,
# is at work.

looks = {
    "MDLAMRegressor": {"color": "#0072B2", "marker": "o", "linewidth": 2},
    "MDLAMRegressor, alpha=10": {"color": "#56B4E9", "marker": "d", "linestyle": ":"},
    "MLPRegressor": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "MLPRegressor, scaled": {"color": "#E69F00", "marker": "^", "linestyle": "-."},
    "boosted trees": {"color": "0.45", "marker": "v", "linestyle": ":"},
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for name, values in scores.items():
    for axis in (left, right):
        axis.plot(10.0 ** np.array(decades), np.maximum(values, 0), label=name, **looks[name])
left.set(ylim=(-0.03, 1), ylabel="R2 on the test set (below 0 shown as 0)")
right.set(ylim=(0.9, 0.945), title="the top, enlarged")
for axis in (left, right):
    axis.set(xscale="log", xlabel="range of the factors")
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()
