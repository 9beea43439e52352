"""
Which inputs matter: a regularization path
==========================================

``lasso_path`` shows in which order a linear model takes up its inputs as the penalty fades. With
``penalty="group"``, where all weights of an input go to zero together, a network has such a path
too. This example has one of data where the useful inputs are known, and reads from it how many of
them a good fit needs.
"""

# %%
# Five useful inputs of twenty
# ----------------------------
# The target of ``make_friedman1`` depends on the first five inputs: on the product of the first
# two, on the square of the third, and on the last two linearly. Penalties other than "l2" count
# weights in the units of X, so scale the columns first.

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
quick = "--quick" in sys.argv[1:]  # a short path, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = make_friedman1(2000, n_features=20, noise=1.0, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, train_size=1000, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
names = [f"useful {j}" if j < 5 else f"useless {j}" for j in range(X.shape[1])]

# %%
# The path
# --------
# The fits run from the dense network to the empty one, each from the weights before, because zero
# weights are a stationary point of a network. To the right fewer and fewer inputs are left, and all
# but one of the useless ones are gone before the first useful one goes. The test score hardly falls
# with them; it does where the weights of the useful ones shrink.

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
print(f"{'MDLAMRegressor, alpha':24}{'inputs':>8}{'test R2':>10}")
for alpha, n_inputs, score in zip(path.alphas, path.n_features_used, path.test_scores, strict=True):
    print(f"{alpha:<24.3g}{n_inputs:8}{score:10.3f}")

# %%
# What a linear model sees
# ------------------------
# The third input acts by its square alone: a straight line does not see it, and ``lasso_path``
# takes it up late, among the useless ones. The network has it among the first.


def rank_of_third(norms):
    """Place of the third input in the order in which they are dropped, the last one first."""
    used = np.cumsum(norms > 0, axis=0) > 0
    first = np.where(used.any(axis=0), used.argmax(axis=0), len(norms))
    return 1 + np.count_nonzero(first < first[2])


centered = y - y.mean()
strengths = np.abs(X.T @ centered).max() / len(y) * np.geomspace(1.0, 1e-3, 100)
_, linear, _ = lasso_path(X, centered, alphas=strengths)
print(f"\n{'place of the third input':24}{'of 20':>8}")
print(f"{'MDLAMRegressor, group':24}{rank_of_third(path.norms):8}")
print(f"{'lasso_path':24}{rank_of_third(np.abs(linear.T)):8}")

# %%
# Without a path
# --------------
# ``alpha="auto"``, the default, asks of each input that it gains more than it could by following
# the noise. It is meant to cost nothing: here some of the useless inputs go and none of the useful
# ones, and the score is no worse than without the penalty. To find the few that matter take the
# path.

print(f"\n{'MDLAMRegressor':24}{'inputs':>8}{'test R2':>10}")
for name, penalty in [("l2", "l2"), ("group, alpha auto", "group")]:
    fitted = MDLAMRegressor(
        hidden_layer_sizes=[50], penalty=penalty, encoding=None, batch_size=None, random_state=0
    ).fit(X, y)
    n_inputs = np.count_nonzero(np.any(fitted.coefs_[0] != 0, axis=1))
    print(f"{name:24}{n_inputs:8}{fitted.score(X_test, y_test):10.3f}")
