"""Classes by their public names: what they are called in files, and which of them are trusted."""

from . import activations, losses, penalties
from ._classifier import MDLAMClassifier
from ._regressor import MDLAMRegressor
from .encoding import PiecewiseLinearEncoder
from .engine.feasible import Feasible
from .engine.relaxed import Relaxed

_CLASSES = (Feasible, MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, Relaxed)
for _public in _CLASSES:
    # Files name a class by its module: one that is moved inside of the package stays readable.
    _public.__module__ = "skmdlam"


def _classes_of(module, base):
    found = (getattr(module, name) for name in module.__all__)
    return [each for each in found if isinstance(each, type) and base in each.__mro__[1:]]


_TRUSTED = [
    *_CLASSES,
    *_classes_of(activations, activations.Activation),
    *_classes_of(losses, losses.Loss),
    *_classes_of(penalties, penalties.Penalty),
]
#: Types that a file of a fitted estimator may hold, besides those that skops trusts by itself:
#: a list of names, for ``trusted`` of ``skops.io.load`` and ``skops_trusted_types`` of MLflow.
TRUSTED_TYPES = sorted(
    [f"{each.__module__}.{each.__name__}" for each in _TRUSTED]
    + ["skmdlam.dask.MDLAMClassifier", "skmdlam.dask.MDLAMRegressor"]
)
