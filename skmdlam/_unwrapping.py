"""The network inside of a pipeline or a search, and names of its columns."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._encoding import feature_names, level_names
from ._inputs import block_name


def unwrapped(estimator):
    """The network inside of a pipeline or a search, and the steps before it, from the outside in.

    Parameters
    ----------
    estimator : estimator
        A network, a Pipeline that ends with one, a search, or a TransformedTargetRegressor.

    Returns
    -------
    model : estimator
    before : list of Pipeline
    """
    before = []
    while True:
        if isinstance(estimator, type):
            raise ValueError(f"estimator must be fitted; got the class {estimator.__name__}.")
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "cv_results_"):
            raise ValueError(
                f"This {type(estimator).__name__} was fitted with refit=False: there is no "
                "best_estimator_ to show."
            )
        elif hasattr(estimator, "steps"):
            if len(estimator.steps) > 1:
                before.append(estimator[:-1])
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        else:
            return estimator, before


def check_has_weights(model):
    """Refuse what is not fitted, or has no weights by layer."""
    check_is_fitted(model)
    if not hasattr(model, "coefs_"):
        raise ValueError(f"{type(model).__name__} has no coefs_, weights by layer, to show.")


def names_of_columns(model, before=()):
    """Names of the columns that a network was fitted with; None for an array without names.

    Parameters
    ----------
    model : estimator
    before : list of Pipeline, default=()
        Fitted steps that made its columns.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is not None or not before:
        return names
    for steps in before:
        try:
            names = steps.get_feature_names_out(names)
        except (AttributeError, ValueError):  # a step knows no names
            return None
    return names if len(names) == getattr(model, "n_features_in_", len(names)) else None


def names_of_inputs(model, before=()):
    """Names of the inputs of the first layer; None for plain columns without names."""
    names = names_of_columns(model, before)
    inputs = getattr(model, "_inputs", None)
    if inputs is None:
        return names
    names = feature_names(model) if names is None else list(names)
    return inputs.names(names, level_names(model))


def features_of_inputs(model, before=()):
    """Name of the feature that each input of the first layer was made of; None for plain ones."""
    inputs = getattr(model, "_inputs", None)
    if inputs is None:
        return None
    names = names_of_columns(model, before)
    names = feature_names(model) if names is None else list(names)
    names += [block_name(block, names) for block in inputs.blocks]
    return np.array(names, dtype=object)[inputs.source]
