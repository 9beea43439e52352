"""
Does rho matter? And epsilon?
=============================

The paper has two parameters of its own. ``rho`` weighs the equations of the network,
``z = W a + b``, against the loss; ``epsilon`` is how far an activation may be from ``h(z)``. Its
Tables 4 and 5 show the test accuracy for several values of each, at every fortieth epoch. This
example makes such tables for both solvers, side by side: "relaxed", the paper's, for which the two
are part of the problem, and "feasible", the default, which only starts from ``rho`` and, as all its
equations hold exactly, has no ``epsilon``.
"""

# %%
# Few images
# ----------
# As in the paper, few rows train: 300 images of digits, and 600 test. ``X_val`` only watches a fit
# here: ``validation_scores_`` has the accuracy on it after every epoch, and the weights are those
# of the last one.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

threadpool_limits(limits=1)  # products this small are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few epochs, to see that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are meant, converged or not

epochs = 20 if quick else 200
rhos = [1e-4, 1e-2, 1.0, 10.0, 100.0, 1000.0]
epsilons = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X / 16, y, train_size=300, test_size=600, stratify=y, random_state=0
)


def accuracies(**parameters):
    """Test accuracy after each epoch."""
    model = MDLAMClassifier([100, 100], max_iter=epochs, tol=0, random_state=0, **parameters)
    return model.fit(X, y, X_val=X_test, y_val=y_test).validation_scores_


# %%
# The tables
# ----------
# "relaxed" takes 200 epochs, as in the paper. The default ends by itself, after the epoch in the
# last column; where a cell is empty it had ended before.

curves = {
    "rho, relaxed": {rho: accuracies(solver="relaxed", rho=rho) for rho in rhos},
    "rho, feasible": {rho: accuracies(rho=rho) for rho in rhos},
    "epsilon, relaxed": {
        epsilon: accuracies(solver="relaxed", rho=1.0, epsilon=epsilon) for epsilon in epsilons
    },
}
checkpoints = [epochs // 20, epochs // 10, epochs // 5, epochs]
for title, table in curves.items():
    parameter, solver = title.split(", ")
    print(f'\nMDLAMClassifier, solver="{solver}": test accuracy after epoch')
    print(f"{parameter:>10}" + "".join(f"{epoch:8}" for epoch in checkpoints) + "     in the end")
    for value, curve in table.items():
        cells = [f"{curve[e - 1]:8.3f}" if e <= len(curve) else " " * 8 for e in checkpoints]
        print(f"{value:>10g}" + "".join(cells) + f"{curve[-1]:9.3f} ({len(curve)})")

# %%
# The figure
# ----------
# Read each panel from right to left. In "relaxed" a large ``rho`` takes small steps, and needs more
# epochs than there are. A small one takes long steps, on a problem in which the network and its
# targets z may disagree; on these images that does no harm. The first epochs are lost for every
# ``rho``, as ``epsilon`` starts with 100 and is halved in each. It has to end small: at 1 the
# activations are free to say anything, and the network learns nothing.
#
# The default moves ``rho`` to near where it should be whatever the start is, which takes a large
# one a few epochs more, and is there after a fifth of the epochs. In the end neither is better than
# the other: what it saves is time and the search.

figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
colours = plt.colormaps["viridis"](np.linspace(0.85, 0, len(checkpoints)))
for axis, (title, table) in zip(axes, curves.items(), strict=True):
    parameter, solver = title.split(", ")
    for colour, epoch, marker in zip(colours, checkpoints, "v^so", strict=True):
        # A fit that has ended stays where it is.
        errors = [1 - curve[min(epoch, len(curve)) - 1] for curve in table.values()]
        axis.plot(list(table), errors, color=colour, marker=marker, label=f"{epoch}")
    axis.set(xscale="log", yscale="log", xlabel=parameter, title=f'solver="{solver}"')
axes[0].set(ylabel="test error (lower is better)")
axes[0].set_yticks([0.05, 0.1, 0.2, 0.5, 0.9], ["5 %", "10 %", "20 %", "50 %", "90 %"])
for axis in axes:
    axis.minorticks_off()
axes[1].legend(title="after epoch")
plt.show()
