"""Samples that lie on a device, as torch tensors or CuPy arrays, on their way in and out.

With ``sklearn.set_config(array_api_dispatch=True)`` a fit steps where X lies, and predictions are
arrays of its kind there. What is chosen before the steps is chosen by NumPy; fitted attributes are
NumPy arrays, so that an estimator can be stored and used on any machine.
"""

import contextlib
import functools
from dataclasses import replace

import numpy as np
import sklearn
from sklearn.utils.validation import check_is_fitted

from ._compat import _check_feature_names
from .engine.device.admission import check_problem_on_device
from .engine.device.kernels import has_activations
from .engine.device.numerics import device_name, numerics_for
from .engine.device.predict import outputs
from .engine.device.table import Table
from .engine.feasible import Feasible

# With so many samples or fewer NumPy reads X as a whole, as it reads any other: with categories,
# gaps and scores of levels. More stay where they are.
SAMPLES_ON_HOST = 50_000
# Devices whose arrays NumPy reads where they lie, and computes with faster.
HOST = ("cpu",)


def dispatches():
    """Whether scikit-learn is told to work on arrays of others where they are."""
    return sklearn.get_config()["array_api_dispatch"]


def device_of(X):
    """The name of the device that X lies on, where it is to stay there; None for all else."""
    name = device_name(X)
    return name if name is not None and dispatches() else None


def far_device_of(X):
    """The same where NumPy cannot read it; None for all else."""
    name = device_of(X)
    return None if name in HOST else name


def on_host(values, what="X"):
    """Values as they are, but arrays of a device as NumPy arrays.

    Parameters
    ----------
    values : object
    what : str, default="X"
        What an error calls them.

    Returns
    -------
    values : object
    """
    name = device_name(values)
    if name is None:
        return values
    if name != "cpu" and not dispatches():
        raise TypeError(
            f"{what} lies on the device {name!r}. Set sklearn.set_config(array_api_dispatch=True) "
            f"to fit and predict there, or move it to the host: {what}.cpu() of a tensor, "
            f"{what}.get() of a CuPy array."
        )
    numerics = numerics_for(name)
    return numerics.host(_floating(numerics, values, what))


def held(X, solver):
    """X of a fit: as it is, as a NumPy array, or where there are many samples on a device.

    Parameters
    ----------
    X : as given to ``fit``
    solver : solver object
        Of :func:`solver_at`: says which device that is.

    Returns
    -------
    X : object
    """
    name = far_device_of(X)
    if name is None or X.ndim != 2 or X.shape[0] <= SAMPLES_ON_HOST:
        return on_host(X)
    numerics, there = numerics_for(name), numerics_for(solver.device)
    X = _numbers(numerics, X)
    if device_name(there.zeros((0,), np.float64)) != name:  # "cuda" may be "cuda:0"
        X = there.array(X if type(there) is type(numerics) else numerics.host(X))
    return Table(there, X)


def _numbers(numerics, X):
    """Samples in single or double precision."""
    X = _floating(numerics, X, "X")
    return X if "float" in str(X.dtype) else numerics.cast(X, np.float64)


def _floating(numerics, values, what):
    """Numbers of half precision in single: NumPy does not know all kinds of these."""
    if "complex" in str(values.dtype):
        raise ValueError(f"Complex data not supported: {what} holds complex numbers.")
    if "strided" not in str(getattr(values, "layout", "torch.strided")):
        raise ValueError(
            f"{what} is a sparse tensor. Convert it with {what}.to_dense(), or to a sparse "
            "matrix of SciPy, which is fitted with NumPy."
        )
    small = "float16" in str(values.dtype)
    return numerics.own(numerics.cast(values, np.float32) if small else values)


def solver_at(solver, X):
    """The solver of a fit to X: where X lies, unless its options name a device.

    Parameters
    ----------
    solver : solver object
    X : as given to ``fit``

    Returns
    -------
    solver : solver object
    """
    name = far_device_of(X)
    if name is None:
        return solver
    if not isinstance(solver, Feasible):
        raise ValueError(
            f"X lies on the device {name!r}, where only solver='feasible' can fit it: use that, or "
            "move X to NumPy."
        )
    return replace(solver, device=name) if solver.device is None else solver


def computing_at(solver, X):
    """A context for a fit: the current device, and types, are those of its solver or of X.

    Parameters
    ----------
    solver : solver object or str
    X : as given to ``fit``

    Returns
    -------
    context : context manager
    """
    name = getattr(solver, "device", None) if isinstance(solver, Feasible) else None
    name = far_device_of(X) if name is None else name
    return contextlib.nullcontext() if name is None else numerics_for(name).current()


def check_on_device(solver, problem):
    """Refuse a problem that the device of a solver does not take, before any work."""
    if isinstance(solver, Feasible) and solver.device is not None:
        check_problem_on_device(problem, solver.device)


def refuse_stream(X):
    """A chunk of a stream has to be one that NumPy can read."""
    name = far_device_of(X)
    if name is not None:
        raise ValueError(
            f"X lies on the device {name!r}, and partial_fit learns with NumPy only: move X and y "
            "to it, or fit all samples at once."
        )


def where_X_lies(predict):
    """Decorate a prediction: its result is an array of the kind and device of X.

    Strings stay NumPy arrays.
    """

    @functools.wraps(predict)
    def wrapped(self, X, *args, **kwargs):
        name = device_of(X)
        if name is None:
            return predict(self, X, *args, **kwargs)
        numerics = numerics_for(name)
        with numerics.current():
            result = predict(self, X, *args, **kwargs)
        several = result if isinstance(result, tuple) else (result,)
        moved = tuple(
            numerics.array(values)
            if getattr(values, "dtype", np.dtype(object)).kind in "biuf"
            else values
            for values in several
        )
        return moved if isinstance(result, tuple) else moved[0]

    return wrapped


def output_on_device(estimator, X):
    """Pre-activations of the output layer, as a NumPy array, for samples on a device.

    Parameters
    ----------
    estimator : estimator
        A fitted one.
    X : array of shape (n_samples, n_features)

    Returns
    -------
    z : ndarray of shape (n_samples, n_outputs_) or None
        None where NumPy has to do it: with categories, gaps or scores of levels, with activations
        of a user, and where it has an error to raise.
    """
    check_is_fitted(estimator)
    numerics, inputs = numerics_for(device_name(X)), estimator._inputs
    simple = inputs is None or (
        inputs.scores is None and inputs.kept is None and inputs.pieces.only_numbers
    )
    fits = X.ndim == 2 and X.shape[1] == estimator.n_features_in_ and X.shape[0] > 0
    known = has_activations(estimator._activations)
    if not (simple and fits and known and estimator.is_categorical_ is None):
        return None
    _check_feature_names(estimator, X, reset=False)
    X = _numbers(numerics, X)
    if not bool(numerics.isfinite(X).all()):
        return None
    clipped = estimator.clip and hasattr(estimator, "data_min_")
    z = outputs(
        numerics,
        X,
        estimator.coefs_,
        estimator.intercepts_,
        estimator._activations,
        n_blocks=estimator.n_networks_,
        pieces=None if inputs is None else inputs.pieces,
        bounds=(estimator.data_min_, estimator.data_max_) if clipped else None,
    )
    return numerics.host(z)
