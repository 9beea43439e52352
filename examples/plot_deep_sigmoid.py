"""
Deep networks with logistic units
=================================

The derivative of the logistic function is at most 1/4, so gradients vanish in deep networks of
logistic units. Alternating minimization gives each layer a target of its own and takes a
least-squares step toward it, whose length does not depend on the size of the gradient. How much
of the improvement is due to the steps, and how much to the initial weights? The baseline is Adam
from the same initial weights.
"""

# %%
# Standardized digits
# -------------------

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit, log_softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmdlam import Feasible, MDLAMClassifier
from skmdlam.activations import get_activation
from skmdlam.engine.problem import Problem
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import L2

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few epochs, to check that it runs
# MLPClassifier stops at max_iter, as intended.
warnings.simplefilter("ignore", ConvergenceWarning)

depths = [1, 8] if quick else [1, 2, 4, 8]
epochs = 10 if quick else 200

X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)

# %%
# The baseline: Adam with the same initial weights
# ------------------------------------------------
# Adam in plain NumPy, 200 epochs without early stopping, from the initial weights of the default
# solver, which are scaled layer by layer such that the pre-activations differ between samples. The
# better of two learning rates *on the test set* counts, a bias in favor of the baseline.


def initial_weights(depth):
    """Initial weights of ``solver="feasible"``, in the units of X."""
    activations = [get_activation("logistic")] * depth
    problem = Problem(X, np.eye(10)[y], activations, SoftmaxCrossEntropy(), L2(), 1e-4)
    solver, rng = Feasible(), np.random.RandomState(0)
    sizes = [X.shape[1], *[50] * depth, 10]
    start = solver.initial_weights(sizes, rng, X.dtype, activations)
    return solver.start(problem, *start, rng=rng).weights()


def outputs(weights, X):
    """Values of every layer; the last one has log-probabilities."""
    coefs, intercepts = weights
    values = [X]
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        values.append(expit(values[-1] @ W + b))
    return [*values, log_softmax(values[-1] @ coefs[-1] + intercepts[-1], axis=1)]


def gradients(weights, X, Y):
    """Back-propagation of the mean cross-entropy."""
    coefs, _ = weights
    *values, log_p = outputs(weights, X)
    delta = (np.exp(log_p) - Y) / len(X)
    found = []
    for W, a in zip(coefs[::-1], values[::-1], strict=True):
        found.append((a.T @ delta, delta.sum(axis=0)))
        delta = delta @ W.T * a * (1 - a)
    return [list(part) for part in zip(*found[::-1], strict=True)]


def adam(weights, rate):
    """Test accuracy after training by Adam with its usual constants, in batches of 200."""
    weights = [[part.copy() for part in parts] for parts in weights]
    rng, step = np.random.RandomState(0), 0
    parameters = [*weights[0], *weights[1]]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(X)), round(len(X) / 200)):
            step += 1
            slopes = gradients(weights, X[rows], np.eye(10)[y[rows]])
            for p, g, m, v in zip(parameters, [*slopes[0], *slopes[1]], first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g**2 - v)
                p -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return np.mean(outputs(weights, X_test)[-1].argmax(axis=1) == y_test)


# %%
# Accuracy by depth
# -----------------
# 50 units per layer. MLPClassifier has its default parameters, and as a second baseline all 200
# epochs with the better of two learning rates ("patient").

rates = [0.001, 0.01]
scores = {
    "MDLAMClassifier": [],
    "Adam, same initial weights": [],
    "MLPClassifier, patient": [],
    "MLPClassifier": [],
}
for depth in depths:
    net = {"hidden_layer_sizes": [50] * depth, "activation": "logistic", "random_state": 0}
    mdlam = MDLAMClassifier(**net, max_iter=max(epochs, 20)).fit(X, y)
    mlp = MLPClassifier(**net, max_iter=epochs).fit(X, y)
    patient = [
        MLPClassifier(**net, max_iter=epochs, n_iter_no_change=epochs, learning_rate_init=rate)
        for rate in rates
    ]
    start = initial_weights(depth)
    scores["MDLAMClassifier"].append(mdlam.score(X_test, y_test))
    scores["Adam, same initial weights"].append(max(adam(start, rate) for rate in rates))
    scores["MLPClassifier, patient"].append(
        max(model.fit(X, y).score(X_test, y_test) for model in patient)
    )
    scores["MLPClassifier"].append(mlp.score(X_test, y_test))

print(f"{'test accuracy by depth':28}" + "".join(f"{depth:8}" for depth in depths))
for name, values in scores.items():
    print(f"{name:28}" + "".join(f"{value:8.3f}" for value in values))

# %%
# With one hidden layer MDLAMClassifier is slightly behind. With depth MLPClassifier falls to
# chance level: its loss does not move, and it stops. More epochs alone do not help. Most of the
# improvement is due to the initial weights; the difference between the two lowest lines is due to
# the steps. With relu or tanh, through which gradients pass, the differences are smaller. This is
# one split; ``benchmarks/deep.py`` has means of several.

looks = {
    "MDLAMClassifier": {"color": "#0072B2", "marker": "o"},
    "Adam, same initial weights": {"color": "#009E73", "marker": "D", "linestyle": "-."},
    "MLPClassifier, patient": {"color": "#E69F00", "marker": "v", "linestyle": ":"},
    "MLPClassifier": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
}
figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
for name, values in scores.items():
    axis.plot(depths, 1 - np.array(values), label=name, **looks[name])
axis.axhline(0.9, color="0.6", linewidth=1)
axis.annotate(
    "chance level", (depths[0], 0.9), xytext=(0, 4), textcoords="offset points", color="0.4"
)
axis.set(xlabel="hidden layers of 50 logistic units", ylabel="test error (lower is better)")
axis.set(xscale="log", yscale="log", ylim=(None, 1.3))
axis.set_xticks(depths, depths)
axis.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 0.9], ["2 %", "5 %", "10 %", "20 %", "50 %", "90 %"])
axis.minorticks_off()
axis.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
plt.show()
