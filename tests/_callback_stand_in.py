"""A plugin of pytest: scikit-learn's tests of callbacks work on an estimator of this package.

Their own ``MaxIterEstimator`` sleeps ``max_iter`` times, and can be fitted to nothing at all.
"""

import warnings

from sklearn.callback.tests import _utils
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning

from skmdlam import MDLAMRegressor


class MaxIterEstimator(MDLAMRegressor):
    """Takes as many iterations as it may, each the same whatever that number is."""

    def __init__(self, max_iter=20, computation_intensity=0.001):
        super().__init__(
            hidden_layer_sizes=(3,),
            batch_size=None,
            n_iter_no_change=float("inf"),
            tol=0.0,
            encoding=None,
            random_state=0,
            max_iter=max_iter,
        )
        self.computation_intensity = computation_intensity

    def fit(self, X=None, y=None, *, sample_weight=None):
        if X is None:
            X, y = make_regression(n_samples=100, n_features=2, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(X, y, sample_weight)


_utils.MaxIterEstimator = MaxIterEstimator


def pytest_collection_modifyitems(items):
    """Tasks have the name "iteration" here, and numbered names there: expect ours."""
    for module in {item.module for item in items}:
        make_log = getattr(module, "_make_expected_output_MaxIterEstimator", None)
        if make_log is not None:
            module._make_expected_output_MaxIterEstimator = _named_as_here(make_log)


def _named_as_here(make_log):
    def log(*arguments, **options):
        rows = make_log(*arguments, **options)
        if isinstance(rows, list):
            for row in rows:
                row["task_name"] = row["task_name"].split()[0]
        else:
            rows["task_name"] = [name.split()[0] for name in rows["task_name"]]
        return rows

    return log
