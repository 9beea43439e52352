"""Neural networks by alternating minimisation, with a scikit-learn interface."""

from ._classifier import MDLAMClassifier
from ._regressor import MDLAMRegressor
from ._version import __version__
from .engine.feasible import Feasible
from .engine.relaxed import Relaxed

__all__ = ["Feasible", "MDLAMClassifier", "MDLAMRegressor", "Relaxed", "__version__"]
