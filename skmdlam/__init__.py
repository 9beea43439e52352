"""Neural networks without back-propagation, with a scikit-learn interface."""

from ._classifier import MDLAMClassifier
from ._regressor import MDLAMRegressor
from ._version import __version__
from .engine.relaxed import Relaxed

__all__ = ["MDLAMClassifier", "MDLAMRegressor", "Relaxed", "__version__"]
