"""Converters and shape calculators, as skl2onnx registers them."""

import numpy as np
from skl2onnx import get_model_alias

# Private, and what skl2onnx's guide to converters uses: it knows the option zipmap.
from skl2onnx._parse import _parse_sklearn_classifier
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes
from sklearn.base import is_classifier

from ._columns import encoded, inputs_of_network
from ._graph import Graph
from ._layers import check_network, hidden_features, output, predictions

REGRESSOR_OPTIONS = {"transform": [False, True]}
CLASSIFIER_OPTIONS = {
    **REGRESSOR_OPTIONS,
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


def parse(scope, model, inputs, custom_parsers=None):
    """Outputs of an estimator: hidden features with the option ``transform``, else predictions."""
    if is_classifier(model) and not _transforms(scope, model):
        return _parse_sklearn_classifier(scope, model, inputs, custom_parsers=custom_parsers)
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("variable", FloatTensorType()))
    return operator.outputs


def _transforms(scope, model):
    """Whether the option ``transform`` is set, for a scope or a container."""
    if not scope.get_options(model, {"transform": False})["transform"]:
        return False
    if len(model.coefs_) == 1:
        raise ValueError("transform needs a hidden layer, and with hidden_layer_sizes=() is none.")
    return True


def classifier_shapes(operator):
    """Types and shapes of the labels and of the probabilities."""
    if _shape_of_features(operator):
        return
    model, n = operator.raw_operator, operator.inputs[0].get_first_dimension()
    classes = get_label_classes(operator.scope_inst, model)
    shape = [n, len(classes)] if model._multilabel else [n]
    text = not model._multilabel and np.asarray(classes).dtype.kind in "OU"
    operator.outputs[0].set_type((StringTensorType if text else Int64TensorType)(shape))
    operator.outputs[1].set_type(_floating_type(operator)([n, len(classes)]))


def regressor_shapes(operator):
    """Type and shape of the predictions."""
    if _shape_of_features(operator):
        return
    n = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(_floating_type(operator)([n, operator.raw_operator.n_outputs_]))


def _shape_of_features(operator):
    """Set the type of hidden features where these are asked for, and say so."""
    model, n = operator.raw_operator, operator.inputs[0].get_first_dimension()
    if not _transforms(operator.scope_inst, model):
        return False
    operator.outputs[0].set_type(_floating_type(operator)([n, model.coefs_[-2].shape[1]]))
    return True


def encoder_shapes(operator):
    """Type and shape of the encoded columns."""
    n = operator.inputs[0].get_first_dimension()
    operator.outputs[0].set_type(_floating_type(operator)([n, operator.raw_operator._pieces.size]))


def convert_classifier(scope, operator, container):
    """Labels, and probabilities or with ``raw_scores`` the decision function."""
    if _convert_features(scope, operator, container):
        return
    model = operator.raw_operator
    g, X = _inputs(scope, operator, container)
    z = output(g, X, model)
    raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
    label, found = operator.outputs
    if model._multilabel:
        g.cast(g("Greater", z, 0.0), np.int64, to=label.full_name)
        scores = z if raw else predictions(g, z, model)
    else:
        classes = _labels(scope, model)
        if len(model.classes_) == 1:
            z, scores = g("Mul", z, 0.0), z
            scores = scores if raw else g("Add", z, 1.0)
        else:
            if z_is_of_two(model):
                z = g.beside([g("Neg", z), z])
            scores = z if raw else predictions(g, z, model)
        place = g("ArgMax", z, axis=1, keepdims=0)
        g("Gather", g.constant(classes), place, axis=0, to=label.full_name)
    g.cast(scores, _numpy_type(found.type), to=found.full_name)


def convert_regressor(scope, operator, container):
    """Predictions."""
    if _convert_features(scope, operator, container):
        return
    model, (found,) = operator.raw_operator, operator.outputs
    g, X = _inputs(scope, operator, container)
    predicted = predictions(g, output(g, X, model), model)
    g.cast(predicted, _numpy_type(found.type), to=found.full_name)


def _convert_features(scope, operator, container):
    """Hidden features where these are asked for; says whether they are."""
    model, found = operator.raw_operator, operator.outputs[0]
    if not _transforms(container, model):
        return False
    g, X = _inputs(scope, operator, container)
    g.cast(hidden_features(g, X, model), _numpy_type(found.type), to=found.full_name)
    return True


def convert_encoder(scope, operator, container):
    """Encoded columns."""
    model, (found,) = operator.raw_operator, operator.outputs
    model._refuse_inside()
    g = Graph(scope, container, _numpy_type(found.type))
    X = g.beside([g.cast(variable.full_name) for variable in operator.inputs])
    g.cast(encoded(g, X, model._pieces), to=found.full_name)


def z_is_of_two(model):
    """Whether one output tells two classes apart."""
    return len(model.classes_) == 2


def _inputs(scope, operator, container):
    """The graph, and the name of the inputs of the network."""
    model = operator.raw_operator
    check_network(model)
    # As NumPy computes: in the wider type of the samples and of what was fitted.
    dtype = np.result_type(_numpy_type(_floating_type(operator)), *model.coefs_)
    g = Graph(scope, container, dtype)
    return g, inputs_of_network(g, operator.inputs, model)


def _labels(scope, model):
    """Class labels as ONNX has them, strings or integers: scikit-learn knows no others."""
    classes = np.asarray(get_label_classes(scope, model))
    return classes if classes.dtype.kind in "OU" else classes.astype(np.int64)


def _floating_type(operator):
    """Type of what comes out: double precision where some input is."""
    double = any(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs)
    return DoubleTensorType if double else FloatTensorType


def _numpy_type(tensor_type):
    double = tensor_type is DoubleTensorType or isinstance(tensor_type, DoubleTensorType)
    return np.float64 if double else np.float32
