"""What y is: how a target is encoded, which classes are known and weighted, and which loss it has.

A target object learns the form of y in a fit (``learn``) or from a stream (``learn_chunk``), and
encodes further samples in that form (``encode``). All three return what the engine takes: ``Y``
with a column for each output, in the type of X, and the weights of the samples, by then multiplied
by those of their classes.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from ._validation import check_sum_of_weights
from .losses import LogisticLoss, SoftmaxCrossEntropy, get_loss


class NumericTarget:
    """Numbers to regress on.

    Parameters
    ----------
    loss : str or Loss
    quantile : float
        Parameters of the estimator.

    Attributes
    ----------
    loss : Loss
    """

    numeric = True

    def __init__(self, loss, quantile):
        self.loss = get_loss(loss, quantile=quantile)

    def learn(self, y, weight, dtype):
        """Encode the target of a fit."""
        if sp.issparse(y):
            raise TypeError("Sparse y is not supported for regression; use y.toarray().")
        y = np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y must hold numbers; got an array of dtype {y.dtype}.")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return cast_target(y[:, None] if y.ndim == 1 else y, dtype), weight

    def learn_chunk(self, y, weight, dtype, classes=None):
        """Encode the target of a chunk; numbers have no classes."""
        try:
            return self.learn(y, weight, dtype)
        except ValueError as error:
            raise ValueError(f"y: {error}") from error

    def encode(self, y, weight, dtype, *, some=False):
        """Encode the target of other samples."""
        return self.learn(y, weight, dtype)

    def decoded(self, Y):
        """The target that was encoded, for a scorer."""
        return Y.ravel() if Y.shape[1] == 1 else Y

    def strata(self, y):
        """Classes that a split must keep: numbers have none."""
        return None

    def attributes(self):
        """Attributes of the fitted estimator that say what its target was."""
        return {}


class ClassTarget:
    """Class labels, or the indicator matrix of several labels.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
        Parameter of the estimator.
    classes : ndarray or None, default=None
        Classes of the network that training goes on with; None for a new network.
    multilabel : bool, default=False
        Whether the target of that network is an indicator matrix.

    Attributes
    ----------
    classes : ndarray
        Sorted labels; the numbers of the columns of an indicator matrix.
    multilabel : bool
    loss : Loss
        There once the classes are known.
    """

    numeric = False

    def __init__(self, class_weight, classes=None, multilabel=False):
        self.class_weight = class_weight
        self._goes_on = classes is not None
        self._by_class = None
        if self._goes_on:
            self._know(classes, multilabel)

    def _know(self, classes, multilabel):
        self.classes, self.multilabel = classes, multilabel
        one_column_each = multilabel or len(classes) <= 2
        self.loss = LogisticLoss() if one_column_each else SoftmaxCrossEntropy()

    # -- a fit, a chunk, other samples ------------------------------------------------------------

    def learn(self, y, weight, dtype):
        """Learn the classes of a fit, and encode its target."""
        if self.class_weight is not None:
            check_classification_targets(y)
            balanced = self.class_weight == "balanced"
            self._by_class = balanced_weights(y, weight) if balanced else self.class_weight
            weight = self._times(self._by_class, y, weight, dtype)
        return cast_target(self._learn(y), dtype), weight

    def learn_chunk(self, y, weight, dtype, classes=None):
        """Learn or compare the classes of a stream, and encode the target of a chunk."""
        self._learn_stream(y, classes)
        try:
            Y = cast_target(self._encode(y), dtype)
        except ValueError as error:
            raise ValueError(f"y: {error}") from error
        if self.class_weight is not None:
            self._check_class_weight_of_stream()
            weight = self._times(for_classes_in(y, self.class_weight), y, weight, dtype)
        return Y, weight

    def learn_counts(self, found, dtype):
        """Learn the classes of a fit whose samples are elsewhere, in several places.

        Parameters
        ----------
        found : list of (classes, multilabel, sizes)
            What :func:`classes_in` says of the samples of each place.
        dtype : dtype
            Type of the weights.
        """
        multilabel = found[0][1]
        if multilabel:
            classes, sizes = found[0][0], sum(part for _, _, part in found)
            every_one = np.repeat([[0], [1]], len(classes), axis=1)
            columns, counted = every_one.T, sizes.sum(axis=0) / len(classes)
        else:
            classes = np.unique(np.concatenate([part for part, _, _ in found]))
            sizes = np.zeros(len(classes))
            for part, _, counts in found:
                sizes[np.searchsorted(classes, part)] += counts
            columns, every_one, counted, sizes = [classes], classes, sizes, [sizes]
        self._agree(classes, multilabel)
        if self.class_weight is None:
            return
        self._by_class = self.class_weight
        if self.class_weight == "balanced":
            by_label = [_balanced(*each) for each in zip(columns, sizes, strict=True)]
            self._by_class = by_label if len(by_label) > 1 else by_label[0]
        self._times(self._by_class, every_one, counted, dtype)

    def encode(self, y, weight, dtype, *, some=False):
        """Encode other samples than those of the fit; classes may be missing.

        Of ``some`` of the samples every one may have the weight zero.
        """
        Y = cast_target(self._encode(y), dtype)
        if self._by_class is not None:
            by_class = for_classes_in(y, self._by_class)
            weight = self._times(by_class, y, weight, dtype, some=some)
        return Y, weight

    def decoded(self, Y):
        """The target that was encoded, for a scorer."""
        if self.multilabel:
            return Y.astype(int)
        return self.classes[Y.argmax(axis=1) if Y.shape[1] > 1 else Y.ravel().astype(int)]

    def strata(self, y):
        """Classes that a split must keep; None for an indicator matrix."""
        return None if self.multilabel else y

    def attributes(self):
        """Attributes of the fitted estimator that say what its target was."""
        return {"classes_": self.classes, "_multilabel": self.multilabel}

    # -- classes ----------------------------------------------------------------------------------

    def _learn(self, y):
        classes, multilabel, encoded = _known_by(y)
        self._agree(classes, multilabel)
        return encoded if multilabel else self._indicator(encoded)

    def _agree(self, classes, multilabel):
        """Know these classes, where they are those of the network that training goes on with."""
        if self._goes_on and not (
            multilabel == self.multilabel and np.array_equal(classes, self.classes)
        ):
            before, now = (
                f"the {'labels' if several else 'classes'} {names}"
                for several, names in ((self.multilabel, self.classes), (multilabel, classes))
            )
            raise ValueError(
                f"warm_start=True needs the target of the previous fit, {before}; y has {now}. "
                "Set warm_start=False to train from scratch."
            )
        self._know(classes, multilabel)

    def _learn_stream(self, y, classes):
        if classes is not None:
            classes = np.unique(column_or_1d(classes))
        if self._goes_on:
            multilabel = self.multilabel
        else:
            multilabel = type_of_target(y, input_name="y") == "multilabel-indicator"
        if multilabel:
            n_labels = len(self.classes) if self._goes_on else y.shape[1]
            if classes is not None and len(classes) != n_labels:
                raise ValueError(
                    f"classes={classes} names {len(classes)} labels; y has {n_labels} columns."
                )
            self._know(np.arange(n_labels), True)
        elif not self._goes_on:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._know(classes, False)
        elif classes is not None and not np.array_equal(classes, self.classes):
            raise ValueError(
                f"classes={classes} is not the same as on the first call, {self.classes}."
            )

    def _encode(self, y):
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            check_classification_targets(y)  # refuses what is none, at the cost of another look
        multilabel = kind == "multilabel-indicator"
        if multilabel != self.multilabel:
            raise ValueError(
                f"it must be {'a multilabel indicator' if self.multilabel else 'class labels'}, "
                "as y is."
            )
        if multilabel:
            encoded = y.toarray() if sp.issparse(y) else np.asarray(y)
            if encoded.shape[1] != len(self.classes) or not np.isin(encoded, (0, 1)).all():
                raise ValueError(
                    f"it must be an indicator of zeros and ones with {len(self.classes)} columns."
                )
            return encoded
        y = column_or_1d(y, warn=True)
        codes = np.searchsorted(self.classes, y)
        if not np.array_equal(self.classes.take(codes, mode="clip"), y):
            unknown = np.setdiff1d(y, self.classes)
            raise ValueError(f"the classes {unknown} are not among those of y, {self.classes}.")
        return self._indicator(codes)

    def _indicator(self, codes):
        """One column for two classes, one each for more."""
        n_classes = len(self.classes)
        return codes[:, None] if n_classes <= 2 else np.eye(n_classes)[codes]

    # -- weights of the classes -------------------------------------------------------------------

    def _times(self, by_class, y, weight, dtype, *, some=False):
        """Weights of the samples times those of their classes."""
        factors = compute_sample_weight(by_class, y)
        if not (np.isfinite(factors) & (factors >= 0)).all():
            raise ValueError(
                f"class_weight must hold finite weights, none negative; got {self.class_weight}."
            )
        factors = factors.astype(dtype)
        weight = factors if weight is None else weight * factors
        if not some and not (weight > 0).any():
            raise ValueError("class_weight and sample_weight give every sample the weight zero.")
        check_sum_of_weights(weight, "sample_weight (times class_weight)")
        return weight

    def _check_class_weight_of_stream(self):
        given = self.class_weight
        if given == "balanced":
            raise ValueError(
                "partial_fit does not support class_weight='balanced', which needs all samples at "
                "once. Give a dict, for example from sklearn.utils.class_weight."
                "compute_class_weight on a part of the data."
            )
        if isinstance(given, list) != self.multilabel:
            wanted = "a list with a dict for each label" if self.multilabel else "a dict"
            raise ValueError(f"class_weight must be {wanted} for this y; got {given!r}.")
        if self.multilabel and len(given) != len(self.classes):
            raise ValueError(
                f"class_weight must hold a dict for each of the {len(self.classes)} labels; got "
                f"{len(given)}."
            )
        known = [0, 1] if self.multilabel else self.classes.tolist()
        for by_class in given if self.multilabel else [given]:
            unknown = [label for label in by_class if label not in known]
            if unknown:
                raise ValueError(f"class_weight names {unknown}, not among the classes {known}.")


def cast_target(Y, dtype):
    """The encoded target in the type of X."""
    with np.errstate(over="ignore"):
        cast = Y.astype(dtype, copy=False)
    if not np.isfinite(cast).all():
        raise ValueError(
            f"y holds values too large for {dtype}, the type of X; scale y, or give X as float64."
        )
    return cast


def _known_by(y):
    """Classes of a target, whether it is an indicator, and that indicator or the codes."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns of more than two classes (multiclass-multioutput), which "
            "is not supported: fit one classifier a column (MultiOutputClassifier)."
        )
    multilabel = kind == "multilabel-indicator"
    if multilabel:
        encoded = y.toarray() if sp.issparse(y) else np.asarray(y)
        if not np.isin(encoded, (0, 1)).all():
            raise ValueError(
                "y with several columns must be a multilabel indicator of zeros and ones; got "
                f"the values {np.unique(encoded)}."
            )
        return np.arange(encoded.shape[1]), True, encoded
    classes, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
    return classes, False, codes


def classes_in(y, weight=None):
    """The classes of some samples, for :meth:`ClassTarget.learn_counts`.

    Returns
    -------
    classes : ndarray
    multilabel : bool
    sizes : ndarray of shape (n_classes,), or of shape (n_labels, 2)
        Weights of the classes, of 0 and 1 of each label.
    """
    classes, multilabel, encoded = _known_by(y)
    if not multilabel:
        return classes, multilabel, np.bincount(encoded, weight, len(classes)).astype(float)
    ones = encoded.T @ (np.ones(len(encoded)) if weight is None else weight.astype(float))
    total = len(encoded) if weight is None else weight.sum(dtype=float)
    return classes, multilabel, np.column_stack([total - ones, ones])


def for_classes_in(y, by_class):
    """These weights for the classes in y alone, as scikit-learn wants them: 1 where none is given.

    It refuses names of classes that are not in y.
    """
    several = isinstance(by_class, list)
    weights = [
        {label: given.get(label, 1.0) for label in np.unique(column).tolist()}
        for column, given in zip(_columns(y), by_class if several else [by_class], strict=True)
    ]
    return weights if several else weights[0]


def balanced_weights(y, weight):
    """``sum of weights / (number of classes * weight of the class)``: a dict, or one a label.

    Without weights this is scikit-learn's rule; with them a weight of two counts as two samples.
    """
    result = []
    for column in _columns(y):
        classes, codes = np.unique(column, return_inverse=True)
        result.append(_balanced(classes, np.bincount(codes, weights=weight).astype(float)))
    return result if len(result) > 1 else result[0]


def _balanced(classes, size):
    """The same for classes of these weights."""
    factor = np.zeros_like(size)
    present = size > 0
    factor[present] = size.sum() / (np.count_nonzero(present) * size[present])
    return dict(zip(classes.tolist(), factor.tolist(), strict=True))


def _columns(y):
    """The columns of labels of one kind or several, dense."""
    y = y.toarray() if sp.issparse(y) else np.asarray(y)
    return y.reshape(len(y), -1).T
