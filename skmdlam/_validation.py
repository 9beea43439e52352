"""What may come in: X, y, weights and validation samples, checked before any work is done."""

import contextlib
import copy
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import check_is_fitted

from ._compat import _check_feature_names, _check_n_features, _check_sample_weight
from ._devices import on_host
from ._entries import NUMBERS
from ._frames import table_of
from ._reader import Reader
from .engine.device.table import Table

_FORMATS = ("csr", "csc")
_FLOATS = (np.float64, np.float32)
# What scikit-learn checks of a table in numbers.
_FORM = {"accept_sparse": _FORMATS, "dtype": _FLOATS, "ensure_all_finite": "allow-nan"}
LARGEST_INPUT = 1e150
# Of samples on a device those that NumPy reads, for errors and for what it keeps of the columns.
_READ_ON_HOST = 1000


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
        X = self.X.taken(rows) if hasattr(self.X, "taken") else self.X[rows]
        return Samples(X, self.y[rows], self.Y[rows], weight)

    def with_weight(self):
        """The samples with a positive weight; no weights when all of them are one."""
        if self.weight is None:
            return self
        keep = self.weight > 0
        kept = self if keep.all() else self.take(keep)
        return replace(kept, weight=None) if (kept.weight == 1).all() else kept


def prepare(estimator, X, y, sample_weight, target, goes_on=False):
    """Samples of a fit: checked, encoded and weighted.

    Parameters
    ----------
    estimator : estimator
        Gets what there is to know of the columns: ``n_features_in_``, ``feature_names_in_``,
        ``is_categorical_``, ``categories_``, and the reader of further samples.
    X, y, sample_weight : as given to ``fit``
    target : ClassTarget or NumericTarget
        Learns what y is.
    goes_on : bool, default=False
        Whether training goes on with the network of the last fit, and its categories.

    Returns
    -------
    Samples
    """
    if isinstance(X, Table):
        return _prepare_on_device(estimator, X, y, sample_weight, target)
    table = table_in_order(estimator, X, reset=True)
    reader = estimator._reader if goes_on else None
    if reader is None or reader.n_features != table.shape[1]:
        reader = Reader.fit(table, estimator.categorical_features)
    X, y = _read(estimator, table, y, target, reader, reset=True)
    weight = check_weight(sample_weight, X)
    Y, weight = target.learn(y, weight, X.dtype)
    return _checked(Samples(X, y, Y, weight), target)


def _prepare_on_device(estimator, X, y, sample_weight, target):
    """The same for samples that stay on a device: few of them are read, all of them are checked."""
    if target.numeric:
        refuse_strings(y, "y")
    if y is not None:  # what is said of none is said below
        dtype = np.float64 if target.numeric else None
        y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=dtype, input_name="y")
        if y.shape[0] != len(X):
            raise ValueError(f"X and y must have as many samples; got {len(X)} and {y.shape[0]}.")
    few = slice(0, min(len(X), _READ_ON_HOST))
    y_few = None if y is None else y[few]
    read = prepare(estimator, X[few], y_few, None, copy.deepcopy(target))
    if estimator.is_categorical_ is not None:
        raise ValueError(
            f"{len(X)} samples on a device have columns of categories: move X to NumPy, or set "
            "categorical_features=None."
        )
    # As a number of Python: 1e150 is infinite in the type of X where that is float32.
    largest = float(np.abs([X.min(axis=0), X.max(axis=0)]).max(initial=0.0))
    if not largest <= LARGEST_INPUT:
        raise ValueError(
            f"X has gaps, infinite numbers or ones beyond {LARGEST_INPUT:g}: on a device so many "
            f"samples ({len(X)}) have to be complete and finite. Move X to NumPy, where gaps are "
            "fine, or fill them."
        )
    n_samples = np.broadcast_to(read.X.dtype.type(0), (len(X), 1))
    weight = check_weight(sample_weight, n_samples)
    Y, weight = target.learn(y, weight, X.dtype)
    refuse_huge(Y, "y")
    target.loss.check_target(Y)
    return Samples(X, y, Y, weight)


def prepare_chunk(estimator, X, y, sample_weight, target, classes, dtype):
    """The same for a chunk of a stream.

    Parameters
    ----------
    estimator, X, y, sample_weight, target
        As for :func:`prepare`. A category that is new in a later chunk is added behind the others.
    classes : array-like or None
        As given to ``partial_fit``.
    dtype : dtype or None
        Of the weights learned so far, which X is converted to. None for the first chunk, which
        says what the form of the data is.

    Returns
    -------
    Samples
    """
    begins = dtype is None
    table = table_in_order(estimator, X, reset=begins)
    if begins:
        reader = Reader.fit(table, estimator.categorical_features, keep_declared=True)
    else:
        _check_n_features(estimator, table.data, reset=False)
        reader = estimator._reader.extended(table)
    X, y = _read(estimator, table, y, target, reader, reset=begins)
    if not begins:
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
    if target.numeric:
        refuse_strings(y, "y_val")
    dtype, n_outputs = training.X.dtype, training.Y.shape[1]
    try:
        X = _read_new(estimator, X, name="X_val", dtype=(dtype.type,))
    except ValueError as error:
        message = str(error)
        raise type(error)(message if "X_val" in message else f"X_val: {message}") from error
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


def split_validation(samples, fraction, shuffle, strata, rng, *, events=False):
    """Hold out a part of the samples for early stopping.

    Both parts have their share of each class where that is possible. Of classes that are too rare
    for it, the training part gets the samples: it has every class, also where fewer samples than
    the fraction says are held out for it. Only where each sample is a class of its own, or without
    ``shuffle``, a class can be missing there.

    Parameters
    ----------
    samples : Samples
    fraction : float
        ``validation_fraction``.
    shuffle : bool
        Draw them; else they are the last ones.
    strata : ndarray of shape (n,) or None
        Classes.
    rng : numpy.random.RandomState
    events : bool, default=False
        Whether ``Y`` is an indicator matrix, of which the training part is to have both values.

    Returns
    -------
    training, validation : Samples
    """
    n = len(samples)
    size = n_held_out(fraction, n)
    options = {"test_size": fraction, "random_state": rng, "shuffle": shuffle}
    if strata is None:
        train, test = train_test_split(np.arange(n), **options)
        if events and shuffle:
            back = needed_for_training(samples.Y[train], samples.Y[test])
            train, test = np.r_[train, test[back]], test[~back]
    else:
        _, codes = np.unique(strata, return_inverse=True)
        codes = codes.ravel()
        state = rng.get_state()
        try:
            train, test = train_test_split(np.arange(n), stratify=strata, **options)
            rare = len(np.unique(codes[train])) <= codes.max()
        except ValueError:  # a class of one sample, or more classes than samples held out
            rare = True
        if rare:
            rng.set_state(state)
            train, test = _split_rare(codes, size, rng)
    return samples.take(train), samples.take(test)


def _split_rare(codes, size, rng):
    """Draw samples of each class in proportion, by largest remainders, but not all of a class."""
    n, counts = len(codes), np.bincount(codes)
    order, room = rng.permutation(n), counts - 1
    if not room.any():
        return order[size:], order[:size]
    size = min(size, room.sum())
    ideal = size * counts / n
    quota = np.minimum(ideal.astype(int), room)
    by_remainder = np.lexsort((rng.permutation(len(counts)), quota - ideal))
    while (left := size - quota.sum()) > 0:
        quota[by_remainder[(quota < room)[by_remainder]][:left]] += 1
    # By class, and in random order in each.
    grouped = order[np.argsort(codes[order], kind="stable")]
    first = np.cumsum(counts) - counts
    held_out = np.arange(n) - first[codes[grouped]] < quota[codes[grouped]]
    train, test = grouped[~held_out], grouped[held_out]
    return rng.permutation(train), rng.permutation(test)


def needed_for_training(Y_training, Y_validation):
    """Which validation samples have a value of an indicator that no training sample has.

    Parameters
    ----------
    Y_training, Y_validation : ndarray of shape (n, K)
        Indicators.

    Returns
    -------
    needed : ndarray of bool of shape (n_validation,)
        One sample for each value that is missing. None is where all samples would be needed.
    """
    needed = np.zeros(len(Y_validation), dtype=bool)
    for value in (0, 1):
        found = Y_validation == value
        missing = found.any(axis=0) & ~(Y_training == value).any(axis=0)
        needed[found.argmax(axis=0)[missing]] = True
    return needed & ~needed.all()


def n_held_out(fraction, n):
    """How many of n samples are held out for early stopping; others must be left to train on."""
    size = int(np.ceil(fraction * n))
    if n - size < 1 or n < 2:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} leaves no samples to train "
            f"on: n_samples = {n}."
        )
    return size


def check_warm_start(estimator, loss, sizes):
    """Refuse to fit from the weights of another kind of network."""
    before = estimator.n_networks_
    if 1 not in (before, estimator.n_networks) and before != estimator.n_networks:
        raise ValueError(
            f"The previous fit averages {before} networks, and n_networks={estimator.n_networks}: "
            "warm_start=True goes on with the same number, or with all of their units as one "
            "network. Set warm_start=False to start afresh."
        )
    if loss.out_activation != estimator.out_activation_:
        raise ValueError(
            "warm_start=True needs the out_activation_ of the previous fit, "
            f"{estimator.out_activation_!r}; {type(loss).__name__} has {loss.out_activation!r}. "
            "Set warm_start=False to start afresh."
        )
    found, inputs = _layer_sizes(estimator), estimator._inputs
    # As many columns as the first layer has inputs are other ones than it was made for.
    other = inputs is not None and inputs.n_features != estimator.n_features_in_
    if found != sizes or other:
        if other:  # as the user counts them
            found = [inputs.n_features, *found[1:]]
        raise ValueError(
            f"warm_start=True needs the layer sizes of the previous fit, {found}; this fit has "
            f"{sizes}{_times(estimator)}. Set warm_start=False to start afresh."
        )


def _times(estimator):
    """What hidden layers are multiplied by, for an error; nothing where that is one."""
    return "" if estimator.n_networks == 1 else f" with n_networks={estimator.n_networks}"


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
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r}{_times(estimator)} asks for "
            f"{sizes}."
        )


def check_new_X(estimator, X):
    """X of a prediction, in the form that the network takes."""
    if not hasattr(estimator, "coefs_"):
        check_is_fitted(estimator)  # builds all tags of the estimator: once, for the error
    return _read_new(estimator, X)


def check_weight(sample_weight, X, name="sample_weight", *, some=False):
    """Weights that are valid and not all zero, or None when every sample counts one.

    Of ``some`` of the samples all may be zero.
    """
    if sample_weight is None:
        return None
    refuse_strings(sample_weight, name)
    if some and not np.any(sample_weight):  # scikit-learn refuses these
        ones = np.ones(np.shape(sample_weight), dtype=X.dtype)
        return np.zeros_like(check_weight(ones, X, name))
    try:
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if (weight < 0).any():
        raise ValueError(f"{name} must not be negative; got a smallest weight of {weight.min():g}.")
    if not some and not (weight > 0).any():
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
    entries = values if hasattr(values, "dtype") else np.asarray(values, dtype=object)
    entries = np.asarray(entries)
    if entries.dtype.kind in "UST":
        found = entries.ravel()[:1].tolist()
    elif entries.dtype.kind == "O":
        found = [entry for entry in entries.ravel() if isinstance(entry, str | bytes)][:1]
    else:
        return
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
    largest = max(float(np.fmax.reduce(data, axis=None)), -float(np.fmin.reduce(data, axis=None)))
    if largest > LARGEST_INPUT:
        raise ValueError(
            f"{name} holds a number of size {largest:.3g}; at most {LARGEST_INPUT:g} is allowed. "
            "Scale it."
        )


def table_in_order(estimator, X, *, reset, name="X"):
    """X as a table with two dimensions and with the right names of columns."""
    table = table_of(X, name)
    _check_feature_names(estimator, table.data if table.named else X, reset=reset)
    if len(table.shape) != 2:
        check_array(X, dtype=None, estimator=estimator, input_name=name)  # says what to do
    return table


def _read(estimator, table, y, target, reader, *, reset):
    """X and y of these samples in numbers; the reader is kept."""
    X, y = in_numbers(table, y, target, reader, estimator)
    _check_n_features(estimator, X, reset=reset)
    keep_reader(estimator, reader)
    return X, y


def in_numbers(table, y, target, reader, estimator):
    """X and y of samples in numbers; the estimator, or its name, is that of messages."""
    if target.numeric:
        refuse_strings(y, "y")
    with _infinity_is_named(table):
        X, y = check_X_y(
            reader.read(table),
            y,
            **_FORM,
            multi_output=True,
            y_numeric=target.numeric,
            estimator=estimator,
        )
    _refuse_sparse_gaps(X, "X")
    return X, y


def keep_reader(estimator, reader):
    """Keep what reads further samples, and what it knows of categories."""
    estimator._reader = reader
    estimator.is_categorical_, estimator.categories_ = reader.is_categorical, reader.levels


def _read_new(estimator, X, *, name="X", dtype=_FLOATS):
    """X alone, for an estimator that knows its columns."""
    X = on_host(X, name)
    table = table_in_order(estimator, X, reset=False, name=name)
    _check_n_features(estimator, table.data, reset=False)
    with _infinity_is_named(table, name):
        X = check_array(
            estimator._reader.read(table, name),
            **{**_FORM, "dtype": dtype},
            estimator=estimator,
            input_name=name,
        )
    _refuse_sparse_gaps(X, name)
    return X


def _refuse_sparse_gaps(X, name):
    """Gaps are fine where X is dense."""
    if sp.issparse(X) and np.isnan(X.data).any():
        raise ValueError(
            f"Input {name} contains NaN, and it is sparse: only a dense one may have gaps. Convert "
            "it with toarray() (a sparse data frame with sparse.to_dense()), or fill the gaps."
        )


@contextlib.contextmanager
def _infinity_is_named(table, name="X"):
    """Say which column of a frame holds infinity."""
    try:
        yield
    except ValueError as error:
        if not table.named or f"{name} contains infinity" not in str(error):
            raise
        kinds = table.kinds
        where = (
            table.name(j)
            for j in range(table.shape[1])
            if kinds[j] == NUMBERS and np.isinf(table.numbers(np.array([j]))).any()
        )
        raise ValueError(f"{error} It is in {next(where)}.") from error


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
