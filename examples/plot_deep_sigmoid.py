"""
Deep networks of sigmoids
=========================

A network of logistic units gets harder to train with every layer: the derivative of the logistic
function is at most 1/4, and a gradient that passes eight of them arrives as next to nothing. This
is what made deep networks of sigmoids go out of fashion.

Alternating minimisation gives each layer a target of its own, and a least-squares step towards it
whose length does not depend on how small the gradient is. How much of the gain is due to that, and
how much to a better start? The fair control is Adam from the very same start, and the figure has
it.
"""

# %%
# Digits, standardised
# --------------------

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

threadpool_limits(limits=1)  # products this small are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few epochs, to see that it runs
# MLPClassifier stops at its limit of epochs, which is meant.
warnings.simplefilter("ignore", ConvergenceWarning)

depths = [1, 8] if quick else [1, 2, 4, 8]
epochs = 10 if quick else 200

X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)

# %%
# The control
# -----------
# Adam in plain NumPy, 200 epochs without an early stop, from the weights that the default solver
# starts from: in every layer they are scaled such that its units differ between samples. Of two
# learning rates the better one *on the test set* counts, a bias in favour of the control.


def our_start(depth):
    """Weights that ``solver="feasible"`` starts from, in the units of X."""
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
# By depth
# --------
# Fifty units a layer. MLPClassifier has its defaults, and once more patience: all 200 epochs, again
# with the better one of two learning rates.

rates = [0.001, 0.01]
scores = {
    "MDLAMClassifier": [],
    "Adam from the same start": [],
    "MLPClassifier, patient": [],
    "MLPClassifier": [],
}
for depth in depths:
    net = {"hidden_layer_sizes": [50] * depth, "activation": "logistic", "random_state": 0}
    ours = MDLAMClassifier(**net, max_iter=max(epochs, 20)).fit(X, y)
    theirs = MLPClassifier(**net, max_iter=epochs).fit(X, y)
    patient = [
        MLPClassifier(**net, max_iter=epochs, n_iter_no_change=epochs, learning_rate_init=rate)
        for rate in rates
    ]
    start = our_start(depth)
    scores["MDLAMClassifier"].append(ours.score(X_test, y_test))
    scores["Adam from the same start"].append(max(adam(start, rate) for rate in rates))
    scores["MLPClassifier, patient"].append(
        max(model.fit(X, y).score(X_test, y_test) for model in patient)
    )
    scores["MLPClassifier"].append(theirs.score(X_test, y_test))

print(f"{'test accuracy at depth':27}" + "".join(f"{depth:8}" for depth in depths))
for name, values in scores.items():
    print(f"{name:27}" + "".join(f"{value:8.3f}" for value in values))

# %%
# With one hidden layer ours is, if anything, the one behind: there is no reason to prefer it. With
# depth MLPClassifier goes to chance: it sees a loss that does not move, and stops. Patience alone
# does not help it; the start does most of the work, and what is left between the two upper lines is
# the step. With relu or tanh, which let gradients pass, the differences are small. All of this is
# one split; ``benchmarks/deep.py`` has the means of several.

looks = {
    "MDLAMClassifier": {"color": "#0072B2", "marker": "o"},
    "Adam from the same start": {"color": "#009E73", "marker": "D", "linestyle": "-."},
    "MLPClassifier, patient": {"color": "#E69F00", "marker": "v", "linestyle": ":"},
    "MLPClassifier": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
}
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, values in scores.items():
    axis.plot(depths, 1 - np.array(values), label=name, **looks[name])
axis.axhline(0.9, color="0.6", linewidth=1)
axis.annotate("chance", (depths[0], 0.9), xytext=(0, 4), textcoords="offset points", color="0.4")
axis.set(xlabel="hidden layers of 50 logistic units", ylabel="test error (lower is better)")
axis.set(xscale="log", yscale="log", ylim=(None, 1.3))
axis.set_xticks(depths, depths)
axis.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 0.9], ["2 %", "5 %", "10 %", "20 %", "50 %", "90 %"])
axis.minorticks_off()
axis.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
plt.show()
