"""
Train on images, and watch the objective fall
=============================================

``MDLAMClassifier`` learns handwritten digits with its defaults: no learning rate to choose, the
training objective measured after every epoch, and the best weights returned. ``MLPClassifier``
learns the same digits beside it, once with a network that is easy to train and once with a deep one
that is not. A table compares test accuracies and seconds, a figure what both minimize.

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
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

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
# ``verbose=True`` shows a progress bar in a terminal where rich is installed, lines elsewhere. Each
# line is a sweep over all training images, as a fit of up to 5,000 samples makes them, and each
# number J: the training loss of the network with its penalties. Every sweep descends. Larger data
# and deep networks go in mini-batches, where J may rise from one epoch to the next, and the weights
# with the lowest J are returned.

model = MDLAMClassifier(max_iter=limit(200), random_state=0, verbose=True)

# %%
# Beside MLPClassifier
# --------------------
# First one hidden layer of 100 relu units, also with the paper's own algorithm,
# ``solver="relaxed"``, which takes small steps on all images at once.
#
# Then eight hidden layers of 50 logistic units, with the defaults of both classes. MLPClassifier
# stays at chance and gives up early; so the fair control has ten times the learning rate, all of
# its epochs and no ``alpha``, which alone would hold it at chance. It has begun to learn by then.
# That is not the last word on gradient descent either: with a start as careful as ours Adam trains
# this network too, see ``benchmarks/deep.py``.

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

# Some stop at their limit of sweeps or epochs, which is meant.
warnings.simplefilter("ignore", ConvergenceWarning)

lines = []
for network, row in classifiers.items():
    lines.append(network)
    for name, classifier in row.items():
        start = time.perf_counter()
        classifier.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        accuracy = classifier.score(X_test, y_test)
        lines.append(f"  {name:25}{accuracy:9.3f}{seconds:9.2f}{classifier.n_iter_:8}")

print()
print(f"{'':27}{'test':>9}{'':9}{'epochs,':>8}")
print(f"{'':27}{'accuracy':>9}{'seconds':>9}{'sweeps':>8}")
print("\n".join(lines))

rises = np.sum(np.diff(model.loss_curve_) > 0)
print(f"\nJ of the first one rose in {rises} of {model.n_iter_} sweeps. Its lowest value is")
print(f"{model.best_loss_:.4f}; that of the weights returned is {model.loss_:.4f}.")

# %%
# The same objective
# ------------------
# By default J has three penalties that MLPClassifier's loss has not, and ``loss_curve_`` of
# MLPClassifier is averaged over the batches of an epoch, while the weights change. So for the
# figure all penalties are off: every curve is the mean log-loss of the training images, by a
# forward pass over all of them after each epoch. That is ``loss_curve_`` of ours; MLPClassifier is
# trained by ``partial_fit``, an epoch a call, and measured in between. That knows no early end: it
# does all of its epochs.


def log_loss_curve(classifier):
    """Log-loss of the training images after each epoch or sweep of a fit without penalties."""
    if isinstance(classifier, MDLAMClassifier):
        free = clone(classifier).set_params(alpha=0, activity_alpha=0, verbose=False)
        return free.fit(X_train, y_train).loss_curve_
    # With an int every call would draw the same order.
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
# The curves
# ----------
# The networks of one layer take all images at once, and every sweep descends. The deep ones go in
# mini-batches, where nothing keeps the loss from rising now and then.

looks = {
    "MDLAMClassifier": {"color": "#0072B2", "linestyle": "-", "linewidth": 2},
    "MDLAMClassifier, relaxed": {"color": "#009E73", "linestyle": "-."},
    "MLPClassifier": {"color": "#D55E00", "linestyle": "--"},
    "MLPClassifier, rate 0.01": {"color": "#CC79A7", "linestyle": ":", "linewidth": 2},
}
figure = plt.figure(figsize=(11, 5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])

axes = left.subplots(1, 2, sharey=True)
for axis, network in zip(axes, classifiers, strict=True):
    for name in classifiers[network]:
        curve = curves[network, name]
        axis.plot(1 + np.arange(len(curve)), curve, label=name, **looks[name])
    axis.set(xscale="log", yscale="log", xlabel="epoch or sweep", title=network)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.legend(fontsize=8)
axes[0].set_ylabel("log-loss of the training images, no penalties")

predicted = model.predict(X_test)
wrong = np.flatnonzero(predicted != y_test)
shown = np.concatenate([wrong[:8], np.flatnonzero(predicted == y_test)])[:20]
framed = min(len(wrong), 8)
right.suptitle(f"{len(wrong)} of {len(y_test)} test images wrong, {framed} framed", fontsize=12)
for axis, k in zip(right.subplots(4, 5).flat, shown, strict=True):
    axis.imshow(X_test[k].reshape(8, 8), cmap="gray_r")
    axis.set_xticks([])
    axis.set_yticks([])
    if predicted[k] == y_test[k]:
        axis.set_title(f"{predicted[k]}", fontsize=10)
    else:
        axis.set_title(f"{predicted[k]} (is {y_test[k]})", fontsize=10, color="#D55E00")
        for spine in axis.spines.values():
            spine.set(edgecolor="#D55E00", linewidth=2)

figure.savefig("plot_quickstart.png", dpi=150)
print("Figure: plot_quickstart.png")
