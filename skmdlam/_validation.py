"""What may come in: X, y, weights and validation samples, checked before any work is done."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from ._compat import _check_sample_weight

_FORMATS = ("csr", "csc")
# What X may be, for a fit and for a prediction.
_FORM_OF_X = {"accept_sparse": _FORMATS, "dtype": (np.float64, np.float32)}
_LARGEST_INPUT = 1e150


@dataclass(frozen=True)
class Samples:
    """Samples to train on or to validate with.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    y : ndarray
        Targets as the user gave them, for a scorer.
    Y : ndarray of shape (n, K)
        Targets as the loss takes them.
    weight : ndarray of shape (n,) or None
    """

    X: object
    y: np.ndarray
    Y: np.ndarray
    weight: np.ndarray | None = None

    def __len__(self):
        return self.X.shape[0]

    def take(self, rows):
        """Only these rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.X[rows], self.y[rows], self.Y[rows], weight)

    def with_weight(self):
        """The samples with a positive weight; no weights when all of them are one."""
        if self.weight is None:
            return self
        keep = self.weight > 0
        kept = self if keep.all() else self.take(keep)
        return replace(kept, weight=None) if (kept.weight == 1).all() else kept


def prepare(estimator, X, y, sample_weight, target):
    """Samples of a fit: checked, encoded and weighted.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X, y, sample_weight : as given to ``fit``
    target : ClassTarget or NumericTarget
        Learns what y is.

    Returns
    -------
    Samples
    """
    X, y = _check_X_y(estimator, X, y, target, reset=True)
    weight = check_weight(sample_weight, X)
    Y, weight = target.learn(y, weight, X.dtype)
    return _checked(Samples(X, y, Y, weight), target)


def prepare_chunk(estimator, X, y, sample_weight, target, classes, dtype):
    """The same for a chunk of a stream.

    Parameters
    ----------
    estimator, X, y, sample_weight, target
        As for :func:`prepare`.
    classes : array-like or None
        As given to ``partial_fit``.
    dtype : dtype or None
        Of the weights learned so far, which X is converted to. None for the first chunk, which
        says what the form of the data is.

    Returns
    -------
    Samples
    """
    X, y = _check_X_y(estimator, X, y, target, reset=dtype is None)
    if dtype is not None:
        X = X.astype(dtype, copy=False)
    weight = check_weight(sample_weight, X)
    Y, weight = target.learn_chunk(y, weight, X.dtype, classes)
    return _checked(Samples(X, y, Y, weight), target)


def prepare_validation(estimator, X, y, sample_weight, target, training):
    """The same for the validation samples that a user gives.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight : as given to ``fit`` as X_val, y_val and sample_weight_val
    target : ClassTarget or NumericTarget
        That has learned the target of the training samples.
    training : Samples

    Returns
    -------
    Samples or None
        None when none are given.
    """
    if X is None and y is None:
        if sample_weight is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val.")
        return None
    if X is None or y is None:
        given, missing = ("y_val", "X_val") if X is None else ("X_val", "y_val")
        raise ValueError(f"{given} is given without {missing}: give both or none.")
    refuse_strings(X, "X_val")
    if target.numeric:
        refuse_strings(y, "y_val")
    dtype, n_outputs = training.X.dtype, training.Y.shape[1]
    try:
        X = validate_data(estimator, X, accept_sparse=_FORMATS, dtype=(dtype.type,), reset=False)
    except ValueError as error:
        raise ValueError(f"X_val: {error}") from error
    y = check_array(
        y,
        accept_sparse="csr",
        ensure_2d=False,
        dtype=np.float64 if target.numeric else None,
        input_name="y_val",
    )
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            f"X_val and y_val must have as many samples; got {X.shape[0]} and {y.shape[0]}."
        )
    weight = check_weight(sample_weight, X, name="sample_weight_val")
    try:
        Y, weight = target.encode(y, weight, dtype)
        if Y.shape[1] != n_outputs:
            raise ValueError(f"it has {Y.shape[1]} columns and y has {n_outputs}.")
        target.loss.check_target(Y)
    except (TypeError, ValueError) as error:
        raise type(error)(f"y_val: {error}") from error
    refuse_huge(X, "X_val")
    refuse_huge(Y, "y_val")
    return Samples(X, y, Y, weight)


def split_validation(samples, fraction, shuffle, strata, rng):
    """Hold out a part of the samples for early stopping.

    Parameters
    ----------
    samples : Samples
    fraction : float
        ``validation_fraction``.
    shuffle : bool
        Draw them; else they are the last ones.
    strata : ndarray of shape (n,) or None
        Classes that both parts must have.
    rng : numpy.random.RandomState

    Returns
    -------
    training, validation : Samples
    """
    n = len(samples)
    setting = f"early_stopping=True with validation_fraction={fraction}"
    if n - int(np.ceil(fraction * n)) < 1 or n < 2:
        raise ValueError(f"{setting} leaves no samples to train on: n_samples = {n}.")
    try:
        train, test = train_test_split(
            np.arange(n),
            test_size=fraction,
            random_state=rng,
            shuffle=shuffle,
            stratify=strata,
        )
    except ValueError as error:  # too few samples of a class
        raise ValueError(
            f"{setting} cannot put every class on both sides of the split of {n} samples: {error}"
        ) from error
    return samples.take(train), samples.take(test)


def check_warm_start(estimator, loss, sizes):
    """Refuse to fit from the weights of another kind of network."""
    if loss.out_activation != estimator.out_activation_:
        raise ValueError(
            "warm_start=True needs the out_activation_ of the previous fit, "
            f"{estimator.out_activation_!r}; {type(loss).__name__} has {loss.out_activation!r}. "
            "Set warm_start=False to start afresh."
        )
    found = _layer_sizes(estimator)
    if found != sizes:
        if found[0] != sizes[0] and estimator._inputs is not None:  # other columns: as the user's
            found = [estimator._inputs.n_features, *found[1:]]
        raise ValueError(
            f"warm_start=True needs the layer sizes of the previous fit, {found}; this fit has "
            f"{sizes}. Set warm_start=False to start afresh."
        )


def check_next_chunk(estimator, loss, sizes):
    """Refuse to learn a chunk that the network learned so far is not for."""
    if sizes[-1] != estimator.n_outputs_:
        raise ValueError(
            f"y has {sizes[-1]} outputs, and what was learned so far has {estimator.n_outputs_}."
        )
    if loss.out_activation != estimator.out_activation_:
        raise ValueError(
            f"partial_fit goes on with out_activation_={estimator.out_activation_!r}, and "
            f"{type(loss).__name__} has {loss.out_activation!r}: fit, or start with a clone."
        )
    found = _layer_sizes(estimator)
    if found != sizes:
        raise ValueError(
            f"partial_fit goes on with the layer sizes it began with, {found}; "
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} asks for {sizes}."
        )


def check_new_X(estimator, X):
    """X of a prediction, in the form that the network takes."""
    check_is_fitted(estimator)
    refuse_strings(X, "X")
    return validate_data(estimator, X, **_FORM_OF_X, reset=False)


def check_weight(sample_weight, X, name="sample_weight"):
    """Weights that are valid and not all zero, or None when every sample counts one."""
    if sample_weight is None:
        return None
    refuse_strings(sample_weight, name)
    try:
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if (weight < 0).any():
        raise ValueError(f"{name} must not be negative; got a smallest weight of {weight.min():g}.")
    if not (weight > 0).any():
        raise ValueError(f"{name} is zero for every sample: nothing to fit.")
    check_sum_of_weights(weight, name)
    return weight


def check_sum_of_weights(weight, name):
    """Weights whose sum overflows cannot be used."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"{name} is too large: its sum is beyond the largest {weight.dtype} number."
        )


def refuse_strings(values, name):
    """Numbers in strings are a mistake upstream: say so instead of guessing."""
    if values is None or sp.issparse(values):
        return
    if hasattr(values, "columns"):  # a dataframe: its columns are checked one by one
        parts = [values[column] for column in values.columns]
    else:
        parts = [values if hasattr(values, "dtype") else np.asarray(values, dtype=object)]
    for part in parts:
        entries = np.asarray(part)
        if entries.dtype.kind in "UST":
            found = entries.ravel()[:1].tolist()
        elif entries.dtype.kind == "O":
            found = [entry for entry in entries.ravel() if isinstance(entry, str | bytes)][:1]
        else:
            continue
        if found:
            raise ValueError(
                f"{name} holds strings, for example {found[0]!r}; it must hold numbers. Encode "
                "categories (OneHotEncoder, OrdinalEncoder) and convert numbers with astype(float)."
            )


def refuse_huge(values, name):
    """Numbers whose squares overflow cannot be fitted."""
    data = values.data if sp.issparse(values) else np.asarray(values)
    if data.dtype.kind != "f" or data.size == 0:
        return
    largest = max(float(data.max()), -float(data.min()))
    if largest > _LARGEST_INPUT:
        raise ValueError(
            f"{name} holds a number of size {largest:.3g}; at most {_LARGEST_INPUT:g} is allowed. "
            "Scale it."
        )


def _check_X_y(estimator, X, y, target, *, reset):
    refuse_strings(X, "X")
    if target.numeric:
        refuse_strings(y, "y")
    return validate_data(
        estimator,
        X,
        y,
        **_FORM_OF_X,
        multi_output=True,
        y_numeric=target.numeric,
        reset=reset,
    )


def _checked(samples, target):
    """These samples, when their numbers can be fitted and the loss takes their targets."""
    refuse_huge(samples.X, "X")
    refuse_huge(samples.Y, "y")
    target.loss.check_target(samples.Y)
    return samples


def _layer_sizes(estimator):
    """Units of each layer of a fitted network, from the inputs to the outputs."""
    coefs = estimator.coefs_
    return [len(coefs[0]), *(W.shape[1] for W in coefs)]
