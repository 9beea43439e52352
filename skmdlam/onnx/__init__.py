"""Conversion to ONNX by skl2onnx: importing this module registers the converters.

``import skmdlam.onnx`` teaches skl2onnx to convert :class:`~skmdlam.MDLAMClassifier`,
:class:`~skmdlam.MDLAMRegressor` and :class:`~skmdlam.PiecewiseLinearEncoder`, alone and inside of
pipelines and meta-estimators. It needs ``pip install "skmdlam[onnx]"``.
"""

try:
    import skl2onnx
except ImportError as error:
    raise ImportError('skmdlam.onnx needs skl2onnx: pip install "skmdlam[onnx]".') from error

from ._register import register
from ._types import initial_types

del skl2onnx
register()

__all__ = ["initial_types", "register"]
