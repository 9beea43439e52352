"""Data of the timings."""

import numpy as np
import scipy.sparse as sp

# Rows, columns, classes (0: a regression).
SHAPES = {
    "many rows": (20_000, 20, 0),
    "table": (2_000, 50, 10),
    "few rows": (150, 5_000, 5),
}


def make(shape):
    """Random inputs of a shape with a target that a network can learn in part."""
    n, d, classes = SHAPES[shape]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    score = np.maximum(X @ rng.standard_normal((d, 20)), 0.0)
    score = score @ rng.standard_normal((20, max(classes, 1)))
    score += score.std() * rng.standard_normal(score.shape)
    return X, score.argmax(axis=1) if classes else score[:, 0]


def make_sparse(n=500, d=5_000):
    """Sparse inputs with many more columns than a dense solver would like, two classes."""
    X = sp.random(n, d, density=0.005, format="csr", random_state=0)
    weights = np.random.default_rng(0).standard_normal(d)
    score = X @ weights
    return X, (score > np.median(score)).astype(int)
