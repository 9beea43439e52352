"""
Sensitivity to rho and epsilon
==============================

The paper has two parameters of its own. ``rho`` weights the equations of the network,
:math:`z = W a + b`, relative to the loss; ``epsilon`` is how far an activation may be from
:math:`h(z)`. As in Tables 4 and 5 of the paper, this example computes the test accuracy for several
values of each, for both solvers. For "relaxed" both are part of the problem; for "feasible", the
default, ``rho`` is only an initial value, and ``epsilon`` has no effect because the equations hold
exactly.
"""

# %%
# Data
# ----
# As in the paper, few training samples: 300 images of digits, and 600 for testing. ``X_val`` is
# only used for monitoring: ``validation_scores_`` has the accuracy on it after every iteration.

import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMClassifier

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few iterations, to check that it runs
warnings.simplefilter("ignore", ConvergenceWarning)  # all fits have 200 iterations

n_iterations = 20 if quick else 200
rhos = [1e-4, 1e-2, 1.0, 10.0, 100.0, 1000.0]
epsilons = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X / 16, y, train_size=300, test_size=600, stratify=y, random_state=0
)


def accuracies(**parameters):
    """Test accuracy after each iteration."""
    model = MDLAMClassifier([100, 100], max_iter=n_iterations, tol=0, random_state=0, **parameters)
    return model.fit(X, y, X_val=X_test, y_val=y_test).validation_scores_


# %%
# Accuracy by iteration
# ---------------------
# All fits take 200 iterations, as in the paper (``tol=0``).

curves = {
    "rho, relaxed": {rho: accuracies(solver="relaxed", rho=rho) for rho in rhos},
    "rho, feasible": {rho: accuracies(rho=rho) for rho in rhos},
    "epsilon, relaxed": {
        epsilon: accuracies(solver="relaxed", rho=1.0, epsilon=epsilon) for epsilon in epsilons
    },
}
checkpoints = [n_iterations // k for k in (20, 10, 5, 1)]
for title, table in curves.items():
    parameter, solver = title.split(", ")
    print(f'\nMDLAMClassifier, solver="{solver}": test accuracy after iteration')
    print(f"{parameter:>10}" + "".join(f"{epoch:8}" for epoch in checkpoints) + "     final")
    for value, curve in table.items():
        cells = [f"{curve[e - 1]:8.3f}" if e <= len(curve) else " " * 8 for e in checkpoints]
        print(f"{value:>10g}" + "".join(cells) + f"{curve[-1]:9.3f} ({len(curve)})")

# %%
# Test error by parameter
# -----------------------
# With solver "relaxed" a large ``rho`` means small steps, which need more iterations than these.
# A small one means long steps; the pre-activations z may then differ from what the network
# computes, which does no harm on these images. The first iterations have no effect for any
# ``rho``, because ``epsilon`` starts at 100 and is halved in each. Its final value has to be
# small: at 1 the constraint is so loose that the network learns nothing.
#
# The default solver adapts ``rho``, whatever its initial value, and is close to its final
# accuracy after a fifth of the iterations. The final accuracy of both is about the same: what it
# saves is time and the search.

figure, axes = plt.subplots(1, 3, figsize=(10, 4.5), sharey=True, layout="constrained")
colors = plt.colormaps["viridis"](np.linspace(0.85, 0, len(checkpoints)))
for axis, (title, table) in zip(axes, curves.items(), strict=True):
    parameter, solver = title.split(", ")
    for color, epoch, marker in zip(colors, checkpoints, "v^so", strict=True):
        # A fit that has ended stays where it is.
        errors = [1 - curve[min(epoch, len(curve)) - 1] for curve in table.values()]
        axis.plot(list(table), errors, color=color, marker=marker, label=f"{epoch}")
    axis.set(xscale="log", yscale="log", xlabel=parameter, title=f'solver="{solver}"')
axes[0].set(ylabel="test error (lower is better)")
axes[0].set_yticks([0.05, 0.1, 0.2, 0.5, 0.9], ["5 %", "10 %", "20 %", "50 %", "90 %"])
for axis in axes:
    axis.minorticks_off()
axes[1].legend(title="after iteration")
plt.show()
