"""
Quickstart: digits, compared with MLPClassifier
===============================================

``MDLAMClassifier`` learns handwritten digits with its default parameters: there is no learning rate
to tune. ``MLPClassifier`` learns the same digits, once with a shallow network and once with a deep
one that is hard to train. A table compares test accuracy and time, a figure the training curves of
the same objective.
"""

# %%
# Images of digits
# ----------------
# 1,797 grayscale images of 8 x 8 pixels from scikit-learn, 540 of them for testing.

import sys
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

# Small matrix products are fastest on one thread, and times compare best there.
threadpool_limits(limits=1)

# "--quick" stops every fit early, to check that the script runs.
quick = "--quick" in sys.argv[1:]


def limit(max_iter):
    """Return ``max_iter``, or a tenth of it with ``--quick``."""
    return max_iter // 10 if quick else max_iter


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.3, stratify=y, random_state=0
)

# %%
# Monitor training
# ----------------
# ``verbose=True`` shows a progress bar in a terminal if rich is installed, and lines elsewhere.
# Each line is an iteration over all training images, the default for up to 5,000 samples, with
# the training objective: the loss plus the penalties. It decreases in every iteration. Larger
# data sets and deep networks are trained in mini-batches, where the objective may rise from one
# epoch to the next; the best weights seen are returned.

model = MDLAMClassifier(max_iter=limit(200), random_state=0, verbose=True)

# %%
# Comparison with MLPClassifier
# -----------------------------
# First, one hidden layer of 100 relu units, also with the algorithm of the original paper,
# ``solver="relaxed"``, which uses the full batch.
#
# Second, eight hidden layers of 50 logistic units, with the defaults of both classes.
# MLPClassifier stays at chance level and stops early. The second baseline has ten times the
# learning rate, all of its epochs and no ``alpha``; it starts to learn. With the initial weights
# of skmdlam, Adam can train this network too, see ``benchmarks/deep.py``.

deep = {"hidden_layer_sizes": (50,) * 8, "activation": "logistic", "random_state": 0}
classifiers = {
    "1 hidden layer, relu": {
        "MDLAMClassifier": model,
        "MDLAMClassifier, relaxed": MDLAMClassifier(
            solver="relaxed", tol=0, max_iter=limit(300), random_state=0
        ),
        "MLPClassifier": MLPClassifier(max_iter=limit(200), random_state=0),
    },
    "8 hidden layers, logistic": {
        "MDLAMClassifier": MDLAMClassifier(**deep, max_iter=limit(200)),
        "MLPClassifier": MLPClassifier(**deep, max_iter=limit(200)),
        "MLPClassifier, rate 0.01": MLPClassifier(
            **deep, learning_rate_init=0.01, alpha=0, max_iter=limit(200), n_iter_no_change=200
        ),
    },
}

# Some fits stop at max_iter, as intended.
warnings.simplefilter("ignore", ConvergenceWarning)

lines = []
for network, row in classifiers.items():
    lines.append(network)
    for name, classifier in row.items():
        start = time.perf_counter()
        classifier.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        accuracy = classifier.score(X_test, y_test)
        lines.append(f"  {name:25}{accuracy:9.3f}{seconds:9.2f}{classifier.n_iter_:12}")

print()
print(f"{'':27}{'test':>9}{'':9}")
print(f"{'':27}{'accuracy':>9}{'seconds':>9}{'iterations':>12}")
print("\n".join(lines))

rises = np.sum(np.diff(model.loss_curve_) > 0)
print(f"\nThe training objective of the first model rose in {rises} of {model.n_iter_} iterations.")
print(f"Its lowest value is {model.best_loss_:.4f}; the returned weights have {model.loss_:.4f}.")

# %%
# Training curves of the same objective
# -------------------------------------
# The default objective has three penalties that MLPClassifier does not have, and ``loss_curve_`` of
# MLPClassifier is an average over the batches of an epoch, while the weights change. For a fair
# comparison all penalties are off here: every curve is the mean log-loss of the training images,
# computed on all of them after each iteration. That is ``loss_curve_`` of MDLAMClassifier.
# MLPClassifier is trained by ``partial_fit``, one epoch per call, for all of its epochs, and its
# log-loss is computed in between.


def log_loss_curve(classifier):
    """Log-loss of the training images after each iteration of a fit without penalties."""
    if isinstance(classifier, MDLAMClassifier):
        free = clone(classifier).set_params(alpha=0, activity_alpha=0, verbose=False)
        return free.fit(X_train, y_train).loss_curve_
    # With an int every call would shuffle in the same order.
    free = clone(classifier).set_params(alpha=0, random_state=np.random.RandomState(0))
    curve = []
    for _ in range(classifier.max_iter):
        free.partial_fit(X_train, y_train, classes=np.unique(y))
        curve.append(log_loss(y_train, free.predict_proba(X_train)))
    return curve


curves = {
    (network, name): log_loss_curve(classifier)
    for network, row in classifiers.items()
    for name, classifier in row.items()
}
print(f"\n{'log-loss, no penalties':27}{'lowest':>9}{'last':>9}{'rose':>8}")
for network, row in classifiers.items():
    print(network)
    for name in row:
        curve = np.array(curves[network, name])
        rises = np.sum(np.diff(curve) > 0)
        print(f"  {name:25}{curve.min():9.4f}{curve[-1]:9.4f}{rises:8} of {len(curve)}")

# %%
# Left: the network with one hidden layer is trained on the full batch, where every iteration
# decreases the loss. Right: the deep one is trained in mini-batches, where the loss may rise.

looks = {
    "MDLAMClassifier": {"color": "#0072B2", "linestyle": "-", "linewidth": 2},
    "MDLAMClassifier, relaxed": {"color": "#009E73", "linestyle": "-."},
    "MLPClassifier": {"color": "#D55E00", "linestyle": "--"},
    "MLPClassifier, rate 0.01": {"color": "#CC79A7", "linestyle": ":", "linewidth": 2},
}
# sphinx_gallery_thumbnail_number = 1
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), sharey=True, layout="constrained")
for axis, network in zip(axes, classifiers, strict=True):
    for name in classifiers[network]:
        curve = curves[network, name]
        axis.plot(1 + np.arange(len(curve)), curve, label=name, **looks[name])
    axis.set(xscale="log", yscale="log", xlabel="iteration", title=network)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
axes[0].set(ylabel="log-loss of the training images", ylim=(1e-4, 4))
handles = {}
for axis in axes:
    lines, labels = axis.get_legend_handles_labels()
    handles.update(zip(labels, lines, strict=True))
figure.legend(handles.values(), handles, loc="outside lower center", ncols=2)
figure.savefig("plot_quickstart.png", dpi=150)
print("Figure: plot_quickstart.png")

# %%
# Misclassified images
# --------------------
# The test images that MDLAMClassifier gets wrong, framed, and some that it gets right.

predicted = model.predict(X_test)
wrong = np.flatnonzero(predicted != y_test)
shown = np.concatenate([wrong[:8], np.flatnonzero(predicted == y_test)])[:20]
figure, axes = plt.subplots(4, 5, figsize=(7, 6), layout="constrained")
figure.suptitle(f"{len(wrong)} of {len(y_test)} test images are misclassified")
for axis, k in zip(axes.flat, shown, strict=True):
    axis.imshow(X_test[k].reshape(8, 8), cmap="gray_r")
    axis.set_xticks([])
    axis.set_yticks([])
    if predicted[k] == y_test[k]:
        axis.set_title(f"{predicted[k]}", fontsize=10)
    else:
        axis.set_title(f"{predicted[k]} (is {y_test[k]})", fontsize=10, color="#D55E00")
        for spine in axis.spines.values():
            spine.set(edgecolor="#D55E00", linewidth=2)
plt.show()
