"""The only file that imports private or version-dependent parts of scikit-learn."""

import sklearn
from sklearn.base import _clone_parametrized, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import (
    _check_feature_names,
    _check_feature_names_in,
    _check_n_features,
    _check_sample_weight,
)

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:
        """Nothing: this scikit-learn has no callbacks."""


# Attributes in which scikit-learn keeps the callbacks of the fit at work.
CALLBACK_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


def callback_context(estimator, max_subtasks):
    """Root context of the callbacks of a fit; None where there are none."""
    if not hasattr(estimator, "_init_callback_context"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def with_classes(scorer, classes):
    """Call a scorer that takes ``labels``, as metrics of the probabilities of all classes do."""
    with sklearn.config_context(enable_metadata_routing=True):  # else it takes no such argument
        return scorer(labels=classes)


class _OutputNames:
    """What scikit-learn wants to know of an estimator whose output gets column names."""

    def __init__(self, estimator, names):
        self._names = names
        self._sklearn_auto_wrap_output_keys = estimator._sklearn_auto_wrap_output_keys
        if hasattr(estimator, "_sklearn_output_config"):
            self._sklearn_output_config = estimator._sklearn_output_config

    def get_feature_names_out(self):
        return self._names


def with_column_names(estimator, values, X, names):
    """Wrap the output of ``transform`` as ``set_output`` of the estimator asks for."""
    return _wrap_data_with_container("transform", values, X, _OutputNames(estimator, names))


__all__ = [
    "CALLBACK_STATE",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_check_feature_names",
    "_check_feature_names_in",
    "_check_n_features",
    "_check_sample_weight",
    "_clone_parametrized",
    "_fit_context",
    "callback_context",
    "with_classes",
    "with_column_names",
]
