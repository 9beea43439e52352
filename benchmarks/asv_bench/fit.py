"""Fits of three shapes and a sparse one, by each solver, with a fixed number of sweeps."""

import warnings

from skmdlam import MDLAMClassifier, MDLAMRegressor

from .common import SHAPES, make, make_sparse

SWEEPS = 10
# As options of the estimators.
SOLVERS = {
    "feasible": {},
    "feasible, full batch": {"batch_size": None},
    "relaxed": {"solver": "relaxed", "rho": 1e-2},
}


def estimator(shape, solver):
    network = MDLAMClassifier if SHAPES[shape][2] else MDLAMRegressor
    return network(max_iter=SWEEPS, tol=0, random_state=0, **SOLVERS[solver])


class Fit:
    """Ten sweeps or epochs."""

    params = [list(SHAPES), list(SOLVERS)]
    param_names = ["shape", "solver"]

    def setup(self, shape, solver):
        warnings.simplefilter("ignore")  # so few sweeps do not converge
        self.X, self.y = make(shape)
        self.model = estimator(shape, solver)

    def time_fit(self, shape, solver):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self, shape, solver):
        self.model.fit(self.X, self.y)


class FitSparse:
    """Ten epochs of the default solver on a sparse X with ten times more columns than rows."""

    def setup(self):
        warnings.simplefilter("ignore")
        self.X, self.y = make_sparse()
        self.model = MDLAMClassifier(max_iter=SWEEPS, tol=0, random_state=0)

    def time_fit(self):
        self.model.fit(self.X, self.y)

    def peakmem_fit(self):
        self.model.fit(self.X, self.y)
