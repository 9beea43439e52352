"""Neural networks by alternating minimization, with a scikit-learn interface."""

import contextlib as _contextlib
import sys as _sys

from ._classifier import MDLAMClassifier
from ._effect_display import FeatureEffectDisplay
from ._encoding_display import EncodingDisplay
from ._path import regularization_path
from ._path_display import RegularizationPathDisplay
from ._public import TRUSTED_TYPES
from ._regressor import MDLAMRegressor
from ._version import __version__
from ._weights_display import WeightsDisplay
from .display import ConvergenceDisplay
from .encoding import PiecewiseLinearEncoder
from .engine.feasible import Feasible
from .engine.relaxed import Relaxed

__all__ = [
    "TRUSTED_TYPES",
    "ConvergenceDisplay",
    "EncodingDisplay",
    "Feasible",
    "FeatureEffectDisplay",
    "MDLAMClassifier",
    "MDLAMRegressor",
    "PiecewiseLinearEncoder",
    "RegularizationPathDisplay",
    "Relaxed",
    "WeightsDisplay",
    "__version__",
    "regularization_path",
]

if "skl2onnx" in _sys.modules:  # who converts models wants the converters, asked for or not
    with _contextlib.suppress(ImportError):
        from . import onnx  # noqa: F401
