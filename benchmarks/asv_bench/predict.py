"""Predictions of a fitted network."""

import warnings

import numpy as np

from .common import SHAPES, make
from .fit import estimator


class Predict:
    """Many rows at once, and a single one, where what is around the products counts."""

    params = [list(SHAPES)]
    param_names = ["shape"]

    def setup(self, shape):
        warnings.simplefilter("ignore")
        X, y = make(shape)
        self.model = estimator(shape, "feasible").set_params(max_iter=1).fit(X, y)
        rows = np.random.default_rng(1).integers(len(X), size=10_000 if X.shape[1] < 1_000 else 500)
        self.X, self.row = X[rows], X[:1]

    def time_predict(self, shape):
        self.model.predict(self.X)

    def time_predict_one_row(self, shape):
        self.model.predict(self.row)

    def peakmem_predict(self, shape):
        self.model.predict(self.X)
