"""The only file that imports private or version-dependent parts of scikit-learn."""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import _check_sample_weight

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


__all__ = [
    "CALLBACK_STATE",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_check_sample_weight",
    "_fit_context",
    "_wrap_data_with_container",
    "callback_context",
]
