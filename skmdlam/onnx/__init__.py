"""Conversion to ONNX by skl2onnx: importing this module registers the converters.

``import skmdlam.onnx`` teaches skl2onnx to convert :class:`~skmdlam.MDLAMClassifier`,
:class:`~skmdlam.MDLAMRegressor` and :class:`~skmdlam.PiecewiseLinearEncoder`, alone and inside of
pipelines and meta-estimators. It needs ``pip install "skmdlam[onnx]"``.
"""

from ._register import register

register()

__all__ = ["register"]
