"""
Train on images, and watch the objective fall
=============================================

``MDLAMClassifier`` learns handwritten digits without gradient descent: no learning rate, and an
objective that cannot rise once its tolerance ``epsilon`` has settled. ``MLPClassifier`` learns the
same digits beside it, and a table says which did what better.

Run it from anywhere; the figure goes into the current folder::

    python examples/plot_quickstart.py
"""

# %%
# Images of digits
# ----------------
# 1,797 grey images of 8 x 8 pixels, which scikit-learn brings along; 540 of them test.

import sys
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier, Relaxed

# Products this small are fastest on one thread, and seconds compare best there.
threadpool_limits(limits=1)

# "--quick" cuts every fit short, which is enough to see that the script runs.
quick = "--quick" in sys.argv[1:]


def limit(max_iter):
    """Return ``max_iter``, or a tenth of it where the user is in a hurry."""
    return max_iter // 10 if quick else max_iter


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.3, stratify=y, random_state=0
)

# %%
# Watch it train
# --------------
# ``verbose=True`` shows a progress bar in a terminal where rich is installed, lines elsewhere.
#
# ``rho`` weighs how far the layers may be from each other while they learn. Any value from 0.001 to
# 10 does here: in five-fold cross-validation on the training images their mean accuracies lie
# between .976 and .979. ``tol=0`` asks for all 300 sweeps over the network.

model = MDLAMClassifier(
    (100,), solver="relaxed", rho=1.0, tol=0, max_iter=limit(300), random_state=0, verbose=True
)

# %%
# Beside MLPClassifier
# --------------------
# The same network twice, then one that is hard to train: five hidden layers of 32 logistic units.
# There, ``Relaxed`` solves for each layer's weights exactly; MLPClassifier is left behind with its
# own learning rate, and does about as well with ten times that rate, in less time.

deep = (32,) * 5
classifiers = {
    "1 hidden layer, relu": {
        "MDLAMClassifier": model,
        "MLPClassifier": MLPClassifier((100,), max_iter=limit(200), random_state=0),
    },
    "5 hidden layers, logistic": {
        "MDLAMClassifier": MDLAMClassifier(
            deep,
            "logistic",
            solver=Relaxed(w_step="exact"),
            rho=0.01,
            tol=0,
            max_iter=limit(100),
            random_state=0,
        ),
        "MLPClassifier": MLPClassifier(deep, "logistic", max_iter=limit(200), random_state=0),
        "MLPClassifier, rate 0.01": MLPClassifier(
            deep,
            "logistic",
            learning_rate_init=0.01,
            max_iter=limit(200),
            n_iter_no_change=200,
            random_state=0,
        ),
    },
}

# All stop at their limit of sweeps or epochs, which is meant.
warnings.simplefilter("ignore", ConvergenceWarning)

lines = []
for network, pair in classifiers.items():
    lines.append(network)
    for name, classifier in pair.items():
        start = time.perf_counter()
        classifier.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        accuracy = classifier.score(X_test, y_test)
        loss = log_loss(y_train, classifier.predict_proba(X_train))
        # The training objective after each sweep; MLPClassifier's is averaged over each epoch.
        rises = np.sum(np.diff(classifier.loss_curve_) > 0)
        lines.append(
            f"  {name:25}{accuracy:9.3f}{seconds:9.1f}{classifier.n_iter_:8}{loss:11.4f}{rises:9}"
        )

print()
print(f"{'':27}{'test':>9}{'':9}{'sweeps,':>8}{'training':>11}{'its curve':>11}")
print(f"{'':27}{'accuracy':>9}{'seconds':>9}{'epochs':>8}{'log-loss':>11}{'rose':>9}")
print("\n".join(lines))

# %%
# The two objectives
# ------------------
# The solver minimises F, in which the layers need not agree yet; J is the training loss of the
# network as it stands. While ``epsilon`` shrinks F may rise, afterwards it cannot: that is
# a property of the algorithm, for any hyperparameters. Nothing of the kind holds for J.

F, J = np.array(model.objective_curve_), np.array(model.loss_curve_)
epsilon = np.array(model.epsilon_curve_)
sweep = 1 + np.arange(len(F))
settled = 1 + np.argmax(epsilon == epsilon[-1])  # the first sweep of the last stage
rises = np.sum(np.diff(F[settled - 1 :]) > 1e-9 * F[settled - 1 : -1])
print(f"\nF rose in {rises} of the {len(F) - settled} sweeps since epsilon settled.")

blue, orange, grey = "#0072B2", "#D55E00", "#666666"
figure = plt.figure(figsize=(10, 4.6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])

top, bottom = left.subplots(2, 1, sharex=True, height_ratios=[3, 1])
top.plot(sweep, J, color=orange, linestyle="--", label="J, training loss of the network")
top.plot(sweep, F, color=blue, label="F, what the solver minimises")
top.set(yscale="log", ylabel="per training image", title="Objectives after each sweep")
top.legend()
bottom.step(sweep, epsilon, where="mid", color=grey)
bottom.set(xscale="log", yscale="log", xlabel="sweep", ylabel="epsilon")
for axis in (top, bottom):
    axis.axvspan(settled - 0.5, sweep[-1], color=blue, alpha=0.08, linewidth=0)
    axis.margins(x=0)
bottom.xaxis.set_major_formatter("{x:g}")
bottom.text(settled + 1, 1, "constant: F cannot rise", color=blue)

predicted = model.predict(X_test)
wrong = np.flatnonzero(predicted != y_test)
shown = np.concatenate([wrong[:8], np.flatnonzero(predicted == y_test)])[:20]
framed = min(len(wrong), 8)
right.suptitle(f"{len(wrong)} of {len(y_test)} test images wrong, {framed} of them framed")
for axis, k in zip(right.subplots(4, 5).flat, shown, strict=True):
    axis.imshow(X_test[k].reshape(8, 8), cmap="gray_r")
    axis.set_xticks([])
    axis.set_yticks([])
    if predicted[k] == y_test[k]:
        axis.set_title(f"{predicted[k]}", fontsize=10)
    else:
        axis.set_title(f"{predicted[k]} (is {y_test[k]})", fontsize=10, color=orange)
        for spine in axis.spines.values():
            spine.set(edgecolor=orange, linewidth=2)

figure.savefig("plot_quickstart.png", dpi=150)
print("Figure: plot_quickstart.png")
