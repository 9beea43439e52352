"""Types of the inputs of a graph, by what an estimator was fitted to."""

import numpy as np
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.utils.validation import check_is_fitted

_TYPES = {np.dtype(np.float32): FloatTensorType, np.dtype(np.float64): DoubleTensorType}


def initial_types(estimator, dtype=np.float32):
    """Inputs of the graph of an estimator: for ``initial_types`` of ``skl2onnx.to_onnx``.

    Parameters
    ----------
    estimator : MDLAMClassifier or MDLAMRegressor
        Fitted.
    dtype : dtype, default=numpy.float32
        float32 or float64: type of the numeric features, and of what the graph returns.

    Returns
    -------
    types : list of (str, data type of skl2onnx)
        One input named "X" of shape (None, n_features); of a model that was fitted to a data frame
        or has categories that are strings, an input of shape (None, 1) for each feature, with its
        name.

    Raises
    ------
    ValueError
        When dtype is another one.
    sklearn.exceptions.NotFittedError
        Before ``fit``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skl2onnx import to_onnx
    >>> from skmdlam import MDLAMClassifier
    >>> from skmdlam.onnx import initial_types
    >>> model = MDLAMClassifier((5,), random_state=0).fit(*load_iris(return_X_y=True))
    >>> initial_types(model)
    [('X', FloatTensorType(shape=[None, 4]))]
    >>> graph = to_onnx(model, initial_types=initial_types(model))
    >>> [output.name for output in graph.graph.output]
    ['output_label', 'output_probability']
    """
    check_is_fitted(estimator)
    if np.dtype(dtype) not in _TYPES:
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
    number = _TYPES[np.dtype(dtype)]
    d, mask = estimator.n_features_in_, estimator.is_categorical_
    names = getattr(estimator, "feature_names_in_", None)
    text = np.zeros(d, dtype=bool)
    if mask is not None:
        text[mask] = [_has_strings(levels) for levels in estimator.categories_]
    if names is None and (text.all() or not text.any()):
        return [("X", (StringTensorType if text.all() else number)([None, d]))]
    names = [f"x{column}" for column in range(d)] if names is None else names
    return [
        (str(name), (StringTensorType if is_text else number)([None, 1]))
        for name, is_text in zip(names, text, strict=True)
    ]


def _has_strings(levels):
    return any(isinstance(level, str) for level in levels.tolist())
