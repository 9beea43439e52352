"""What a sweep costs: an epoch of 25 steps of mini-batches, a sweep of the full batch."""

import numpy as np

from skmdlam import Feasible
from skmdlam.activations import get_activations
from skmdlam.engine.problem import Problem
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import get_penalty

N, COLUMNS, CLASSES, BATCH = 5_000, 20, 3, 200
# The last one has next to no arithmetic: what is left is the cost of calling.
NETWORKS = {"(100,)": (100,), "(50, 50)": (50, 50), "(2, 2, 2)": (2, 2, 2)}


class Sweep:
    """One record of a run that never ends."""

    params = [list(NETWORKS), ["mini-batches", "full batch"]]
    param_names = ["hidden layers", "way"]

    def setup(self, network, way):
        rng = np.random.RandomState(0)
        X = rng.standard_normal((N, COLUMNS))
        Y = np.eye(CLASSES)[np.argmax(np.maximum(X, 0) @ rng.randn(COLUMNS, CLASSES), axis=1)]
        activations = get_activations("relu", len(NETWORKS[network]))
        problem = Problem(X, Y, activations, SoftmaxCrossEntropy(), get_penalty("l2"), 0.0)
        sizes = [COLUMNS, *NETWORKS[network], CLASSES]
        solver = Feasible(epochs=10**6, cool_down=1, patience=10**6)
        coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
        self.run = solver.start(
            problem,
            coefs,
            intercepts,
            batch_size=BATCH if way == "mini-batches" else N,
            max_iter=10**7,
            rng=rng,
        )
        next(self.run)

    def time_sweep(self, network, way):
        next(self.run)
