"""What skl2onnx is told of the estimators."""

from skl2onnx import update_registered_converter

from .._classifier import MDLAMClassifier
from .._regressor import MDLAMRegressor
from ..encoding import PiecewiseLinearEncoder
from ._converters import (
    CLASSIFIER_OPTIONS,
    REGRESSOR_OPTIONS,
    classifier_shapes,
    convert_classifier,
    convert_encoder,
    convert_regressor,
    encoder_shapes,
    parse,
    regressor_shapes,
)


def register():
    """Register the converters with skl2onnx.

    Importing :mod:`skmdlam.onnx` does it; again does no harm.
    """
    update_registered_converter(
        MDLAMClassifier,
        "SkmdlamMDLAMClassifier",
        classifier_shapes,
        convert_classifier,
        options=CLASSIFIER_OPTIONS,
        parser=parse,
    )
    update_registered_converter(
        MDLAMRegressor,
        "SkmdlamMDLAMRegressor",
        regressor_shapes,
        convert_regressor,
        options=REGRESSOR_OPTIONS,
        parser=parse,
    )
    update_registered_converter(
        PiecewiseLinearEncoder,
        "SkmdlamPiecewiseLinearEncoder",
        encoder_shapes,
        convert_encoder,
    )
