"""
Feature selection with a regularization path
============================================

``lasso_path`` shows in which order a linear model selects features as the penalty decreases. With
``penalty="group"``, where all weights of a feature go to zero together, a network has such a path
too. This example computes it for data with known informative features, and reads from it how many
of them a good fit needs.
"""

# %%
# Five informative features of twenty
# -----------------------------------
# The target of ``make_friedman1`` depends on the first five features: on the product of the first
# two, on the square of the third, and on the last two linearly. Penalties other than "l2" apply to
# weights in the original feature units, so scale the features first.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMRegressor, RegularizationPathDisplay

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # a short path, to check that it runs
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = make_friedman1(2000, n_features=20, noise=1.0, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, train_size=1000, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
names = [f"informative {j}" if j < 5 else f"noise {j}" for j in range(X.shape[1])]

# %%
# The path
# --------
# The fits run from the smallest penalty to the largest, each warm-started from the one before,
# because zero weights are a stationary point of a network. With a smaller penalty more features are
# selected: first the four informative ones with a monotone effect, then some uninformative ones
# and the third informative one. With that one the test score jumps; it increases further as the
# penalty shrinks the weights less.

model = MDLAMRegressor(hidden_layer_sizes=[50], penalty="group", random_state=0)
display = RegularizationPathDisplay.from_estimator(
    model,
    X,
    y,
    feature_names=names,
    n_alphas=8 if quick else 30,
    X_test=X_test,
    y_test=y_test,
)
plt.show()

path = display.path
print(f"{'MDLAMRegressor, alpha':24}{'features':>10}{'test R2':>10}")
for alpha, n_inputs, score in zip(path.alphas, path.n_features_used, path.test_scores, strict=True):
    print(f"{alpha:<24.3g}{n_inputs:10}{score:10.3f}")

# %%
# Comparison with the lasso path
# ------------------------------
# The third feature acts by its square alone. A linear model cannot use it, and ``lasso_path``
# selects it late, among the uninformative ones. The network selects it earlier, and with it the
# test score rises from 0.71 to 0.9.


def rank_of_third(norms):
    """Rank of the third feature in the order of selection."""
    used = np.cumsum(norms > 0, axis=0) > 0
    first = np.where(used.any(axis=0), used.argmax(axis=0), len(norms))
    return 1 + np.count_nonzero(first < first[2])


centered = y - y.mean()
strengths = np.abs(X.T @ centered).max() / len(y) * np.geomspace(1.0, 1e-3, 100)
_, linear, _ = lasso_path(X, centered, alphas=strengths)
print(f"\n{'rank of feature 3':24}{'of 20':>8}")
print(f"{'MDLAMRegressor, group':24}{rank_of_third(path.norms):8}")
print(f"{'lasso_path':24}{rank_of_third(np.abs(linear.T)):8}")

# %%
# A single fit
# ------------
# ``alpha="auto"``, the default, is a conservative threshold: a feature is dropped if it gains no
# more than it could by overfitting. Here some of the uninformative features are dropped and none
# of the informative ones, and the score is no worse than without the penalty. To find the few
# that matter use the path.

print(f"\n{'MDLAMRegressor':24}{'features':>10}{'test R2':>10}")
for name, penalty in [("l2", "l2"), ("group, alpha auto", "group")]:
    fitted = MDLAMRegressor(
        hidden_layer_sizes=[50], penalty=penalty, encoding=None, batch_size=None, random_state=0
    ).fit(X, y)
    n_inputs = np.count_nonzero(np.any(fitted.coefs_[0] != 0, axis=1))
    print(f"{name:24}{n_inputs:10}{fitted.score(X_test, y_test):10.3f}")
