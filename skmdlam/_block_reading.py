"""Samples in blocks: what each of them says of itself, and all of them read in one way."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ._block_columns import AllBlocks, disagree
from ._compat import _check_n_features
from ._entries import NUMBERS
from ._frames import table_of
from ._reader import Reader, categorical_mask
from ._targets import classes_in
from ._validation import (
    Samples,
    check_sum_of_weights,
    check_weight,
    in_numbers,
    keep_reader,
    refuse_huge,
    table_in_order,
)
from .engine.blocks import Part


class Raw(NamedTuple):
    """Samples of one block as a user gives them.

    Attributes
    ----------
    X : {array-like, data frame, sparse matrix} of shape (m, n_features)
    y : array-like of shape (m,) or (m, n_outputs)
    weight : array-like of shape (m,) or None
    """

    X: object
    y: object
    weight: object = None


@dataclass(frozen=True)
class Description:
    """What one block says of itself.

    Attributes
    ----------
    block : str
        What messages call it.
    n_rows, n_features : int
    names : list or None
        Names of the columns, where it is a frame.
    kinds : list of Kind or None, or None
        Of its columns, None for one of gaps alone; None where all are numbers by their type, and
        none is of gaps alone.
    sparse : bool
    dtype : dtype
        Of its numbers.
    n_numbers : int
        How many it holds.
    largest : float
        The size of the largest.
    gaps : ndarray of bool of shape (n_features,)
        Columns with gaps.
    n_outputs : int
    classes : tuple or None
        What :func:`~skmdlam._targets.classes_in` says; None of numbers.
    weight : float or None
        Sum of the weights as they are given; None where there are none.
    n_weighted : int
        Samples whose weight is not zero.
    error : Exception or None
        Why they cannot be learned from.
    """

    block: str
    n_rows: int
    n_features: int
    names: list | None
    kinds: list | None = None
    sparse: bool = False
    dtype: np.dtype | None = None
    n_numbers: int = 0
    largest: float = 0.0
    gaps: np.ndarray | None = None
    n_outputs: int = 0
    classes: tuple | None = None
    weight: float | None = None
    n_weighted: int = 0
    error: Exception | None = None

    def name(self, j):
        """Column j as messages call it."""
        return f"column {(j if self.names is None else self.names[j])!r}"


@dataclass(frozen=True)
class Form:
    """How every block is read.

    Attributes
    ----------
    reader : Reader
    target : ClassTarget or NumericTarget
    dtype : dtype
        Of X.
    n_outputs : int
        Columns of the encoded target.
    sparse : bool
    """

    reader: Reader
    target: object
    dtype: np.dtype
    n_outputs: int
    sparse: bool

    def empty(self):
        """No samples."""
        shape = 0, self.reader.n_features
        X = sp.csr_matrix(shape, dtype=self.dtype) if self.sparse else np.empty(shape, self.dtype)
        return Part(X, np.empty((0, self.n_outputs), dtype=self.dtype))


@dataclass(frozen=True)
class Facts:
    """What is known of all blocks before they are read.

    Attributes
    ----------
    form : Form
    n_rows : int
        Samples whose weight is not zero.
    n_numbers : int
        Numbers in X, the entries of a sparse one.
    largest : float
        The size of the largest.
    gaps : ndarray of bool of shape (n_features,)
        Columns of numbers that have gaps.
    sizes : list of int
        Samples of each block.
    """

    form: Form
    n_rows: int
    n_numbers: int
    largest: float
    gaps: np.ndarray
    sizes: list


# -- what is sent to the blocks -------------------------------------------------------------------


def head_of(raw):
    """X without its rows, which says what the columns are."""
    data = table_of(raw.X).data
    data = data.tocsr() if sp.issparse(data) else data
    return data.slice(0, 0) if hasattr(data, "slice") else data[:0]


def described(raw, target, categorical_features, name, block):
    """The description of a block, whose samples are checked on the way.

    Parameters
    ----------
    raw : Raw
    target : ClassTarget or NumericTarget
        It learns nothing.
    categorical_features
        Parameter of the estimator.
    name : str
        Of the estimator, for messages.
    block : str
        What messages call it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the levels of all blocks, once
        try:
            return _described(raw, target, categorical_features, name, block)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            return Description(block, 1, 0, None, error=kind(f"{block}: {error}"))


def read_block(raw, form, name):
    """The samples of a block, a Part: those that have a weight, X as numbers and codes."""
    table = table_of(raw.X)
    if table.shape[0] == 0:
        return form.empty()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        X, y = in_numbers(table, raw.y, form.target, form.reader, name)
        X = X.astype(form.dtype, copy=False)
        X = X.tocsr() if form.sparse else X
        weight = check_weight(raw.weight, X, some=True)
        Y, weight = form.target.encode(y, weight, form.dtype, some=True)
    samples = Samples(X, y, Y, weight).with_weight()
    return Part(samples.X, samples.Y, samples.weight)


# -- what is asked of them ------------------------------------------------------------------------


def facts_of(estimator, blocks, target, goes_on=False):
    """Check all samples, and learn how they are read.

    Parameters
    ----------
    estimator : estimator
        Gets what there is to know of the columns, as in :func:`~skmdlam._validation.prepare`.
    blocks : Blocks
        Of :class:`Raw`.
    target : ClassTarget or NumericTarget
        Learns what y is.
    goes_on : bool, default=False
        Whether training goes on with the network of the last fit, and its categories.

    Returns
    -------
    Facts
    """
    (head,) = blocks.each(head_of, [()], which=[0])
    table = table_in_order(estimator, head, reset=True)
    given, name = estimator.categorical_features, type(estimator).__name__
    if not isinstance(given, str):
        categorical_mask(given, table)  # its error is that of all blocks
    names = getattr(blocks, "names", [f"block {i}" for i in range(blocks.n_blocks)])
    found = blocks.each(described, [(each,) for each in names], shared=(target, given, name))
    sizes = [each.n_weighted for each in found]
    found = _agreeing(found, name)
    n_features, gaps = table.shape[1], np.any([each.gaps for each in found], axis=0)
    reader = estimator._reader if goes_on else None
    if reader is None or reader.n_features != n_features:
        reader = Reader.fit(AllBlocks(found, blocks, given), given)
    if reader.is_categorical is not None:
        gaps = gaps & ~reader.is_categorical
    _check_n_features(estimator, head, reset=True)
    keep_reader(estimator, reader)
    single = all(each.dtype == np.float32 for each in found)
    dtype = np.dtype(np.float32 if single else np.float64)
    _check_weights(found, dtype)
    n_outputs = found[0].n_outputs
    if not target.numeric:
        target.learn_counts([each.classes for each in found], dtype)
        n_outputs = len(target.classes) if target.multilabel or len(target.classes) > 2 else 1
    return Facts(
        Form(reader, target, dtype, n_outputs, found[0].sparse),
        sum(each.n_weighted for each in found),
        sum(each.n_numbers for each in found),
        max(each.largest for each in found),
        gaps,
        sizes,
    )


def _described(raw, target, categorical_features, name, block):
    table = table_of(raw.X)
    if len(table.shape) != 2:
        raise ValueError(f"X must have two dimensions; it has the shape {table.shape}.")
    names = table.names if table.named else None
    if table.shape[0] == 0:
        return Description(block, *table.shape, names)
    reader = Reader.fit(table, categorical_features)
    X, y = in_numbers(table, raw.y, target, reader, name)
    weight = check_weight(raw.weight, X, some=True)
    refuse_huge(X, "X")
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    if target.numeric:
        Y, _ = target.encode(y, None, X.dtype)
        refuse_huge(Y, "y")
        target.loss.check_target(Y)
    gaps = np.zeros(X.shape[1], dtype=bool) if sp.issparse(X) else np.isnan(X).any(axis=0)
    numbers = table.all_numbers and not (gaps.any() and np.isnan(X[:, gaps]).all(axis=0).any())
    kinds = None if numbers else _kinds(table, X)
    return Description(
        block,
        *X.shape,
        names,
        kinds,
        sp.issparse(X),
        X.dtype if numbers else _type_of_numbers(table, kinds, X.dtype),
        X.nnz if sp.issparse(X) else X.size,
        _largest(X),
        gaps,
        n_outputs,
        None if target.numeric else classes_in(y, weight),
        None if weight is None else float(weight.sum(dtype=float)),
        X.shape[0] if weight is None else np.count_nonzero(weight),
    )


def _type_of_numbers(table, kinds, dtype):
    """The type of the columns that are numbers, without those of gaps alone: they may be either."""
    told = np.array([j for j, kind in enumerate(kinds) if kind == NUMBERS], dtype=int)
    if None not in kinds or told.size == 0:
        return dtype
    single = table.numbers(told).dtype == np.float32
    return np.dtype(np.float32 if single else np.float64)


def _largest(X):
    """The size of the largest number, gaps aside."""
    data = X.data if sp.issparse(X) else X
    if data.size == 0:
        return 0.0
    low, high = np.fmin.reduce(data, axis=None), np.fmax.reduce(data, axis=None)
    return float(np.nan_to_num(max(-low, high)))


def _kinds(table, X):
    """Kinds of the columns; None for those of gaps alone, which may be any."""
    return [
        None if kind == NUMBERS and np.isnan(X[:, j]).all() else kind
        for j, kind in enumerate(table.kinds)
    ]


def _agreeing(found, name):
    """The descriptions of blocks that have samples, which must be of one form."""
    for each in found:
        if each.error is not None:
            raise each.error
    first, *others = [each for each in found if each.n_rows] or found[:1]
    for each in found:
        if each.n_features != first.n_features and (each.n_rows or each.names is not None):
            disagree(each, first, f"has {each.n_features} columns", f"{first.n_features}")
    if not first.n_rows:
        raise ValueError(f"X has no samples in any of its {len(found)} blocks; {name} needs one.")
    for each in others:
        if each.names != first.names:
            what, other = ("no names" if d.names is None else d.names for d in (each, first))
            disagree(each, first, f"has columns with the names {what}", f"{other}")
        if each.sparse != first.sparse:
            what, other = ("sparse" if d.sparse else "dense" for d in (each, first))
            disagree(each, first, f"is {what}", f"is {other}")
        if each.n_outputs != first.n_outputs:
            disagree(each, first, f"has a y of {each.n_outputs} columns", f"{first.n_outputs}")
        if (each.weight is None) != (first.weight is None):
            what, other = ("no sample_weight" if d.weight is None else "one" for d in (each, first))
            disagree(each, first, f"has {what}", other)
        if each.classes is not None:
            _same_classes(each, first)
    return [first, *others]


def _same_classes(each, first):
    """Labels must be of one type, and indicators everywhere or nowhere."""
    (mine, multilabel, _), (theirs, other, _) = each.classes, first.classes
    if multilabel != other:
        words = {True: "is a multilabel indicator", False: "holds class labels"}
        disagree(each, first, f"has a y that {words[multilabel]}", words[other])
    text = [labels.dtype.kind in "OUST" for labels in (mine, theirs)]
    if text[0] != text[1]:
        words = [f"{labels[0]!r} ({labels.dtype})" for labels in (mine, theirs)]
        disagree(each, first, f"has classes such as {words[0]}", words[1])


def _check_weights(found, dtype):
    """Weights of all samples together."""
    if found[0].weight is None:
        return
    sums = np.array([each.weight for each in found])
    if not (sums > 0).any():
        raise ValueError("sample_weight is zero for every sample: nothing to fit.")
    with np.errstate(over="ignore"):
        check_sum_of_weights(sums.astype(dtype), "sample_weight")
