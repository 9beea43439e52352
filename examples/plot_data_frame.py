"""
A data frame with categories and missing values
===============================================

``MDLAMClassifier`` takes a data frame as it is: categorical columns, missing values and features
of any scale need no preprocessing. This example compares it with gradient boosting, which takes
the same frame, and with ``MLPClassifier``, which needs a pipeline, and plots the effect of each
feature.
"""

# %%
# Synthetic loans
# ---------------
# The probability of a default depends on smooth functions of numeric features, a category with many
# levels (the city), one with few (the purpose), and on whether the income is missing.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import FeatureEffectDisplay, MDLAMClassifier

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
warnings.simplefilter("ignore", ConvergenceWarning)  # MLPClassifier stops at max_iter
quick = "--quick" in sys.argv[1:]  # few samples, to check that it runs


def loans(n, rng):
    """A data frame of n loans, and whether each was repaid."""
    X = pd.DataFrame(
        {
            "amount": rng.lognormal(9, 0.8, n).round(-2),
            "income": rng.lognormal(10.5, 0.5, n).round(-2),
            "age": rng.integers(20, 75, n),
            "purpose": pd.Categorical(rng.choice(["car", "house", "other", "study"], n)),
            "city": pd.Categorical([f"city {k}" for k in rng.zipf(1.5, n) % 80]),
        }
    )
    city_effect = np.random.default_rng(7).normal(0, 1, 80)
    purpose_effect = {"car": 0.0, "house": -0.8, "other": 0.8, "study": 0.4}
    burden = np.log(X["amount"] / X["income"]) + 1.5
    missing = rng.random(n) < 0.15
    score = (
        1.5 * np.tanh(2 * burden)
        + 2 * np.square((X["age"] - 45) / 25)
        + X["purpose"].map(purpose_effect).astype(float)
        + city_effect[X["city"].str.removeprefix("city ").astype(int)]
        + missing
        - 1
    )
    y = np.where(score + rng.logistic(0, 1, n) > 0, "default", "repaid")
    return X.assign(income=X["income"].mask(missing)), y


rng = np.random.default_rng(0)
X, y = loans(500 if quick else 3000, rng)
X_test, y_test = loans(1000 if quick else 10_000, rng)
print(X.head().to_string(index=False))

# %%
# Three classifiers
# -----------------
# Default parameters for all. ``categorical_features="from_dtype"`` of MDLAMClassifier and
# HistGradientBoostingClassifier finds the categorical columns; MLPClassifier is in a pipeline that
# imputes, scales and encodes.

preprocessing = make_column_transformer(
    (
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
)
models = {
    "MDLAMClassifier": MDLAMClassifier(random_state=0),
    "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    "MLPClassifier, pipeline": make_pipeline(preprocessing, MLPClassifier(random_state=0)),
}
print(f"\n{'':26}{'accuracy':>10}{'log-loss':>10}{'ROC AUC':>10}")
areas = {}
for name, model in models.items():
    probabilities = model.fit(X, y).predict_proba(X_test)
    areas[name] = roc_auc_score(y_test, probabilities[:, 1])
    scores = model.score(X_test, y_test), log_loss(y_test, probabilities), areas[name]
    print(f"{name:26}" + "".join(f"{score:10.3f}" for score in scores))

# %%
# Learned effects
# ---------------
# Partial dependence of the output on two numeric features: the mean output as a function of the
# feature. The lower panels show the contributions to single hidden units.

model = models["MDLAMClassifier"]
FeatureEffectDisplay.from_estimator(model, X, ["age", "amount"])
plt.show()

# %%
# What the model stores
# ---------------------
# The categorical columns and their levels are fitted attributes. A level that was not seen in
# training, and a missing value, can be predicted.

print(f"\nCategorical: {list(X.columns[model.is_categorical_])}")
print(f"Levels of purpose: {list(model.categories_[0])}")
new = X_test.head(2).assign(city="a new city", income=[np.nan, 40_000.0])
print(f"Probability of a default: {model.predict_proba(new)[:, 0].round(2)}")
