"""MDLAMClassifier: class labels in, decision functions and probabilities out."""

import numpy as np
import scipy.sparse as sp
from scipy.special import log_expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from ._base import BaseMDLAM
from ._compat import StrOptions
from .losses import LogisticLoss, SoftmaxCrossEntropy


class MDLAMClassifier(ClassifierMixin, BaseMDLAM):
    _y_is_numeric = False

    _parameter_constraints: dict = {
        **BaseMDLAM._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="relaxed",
        rho="auto",
        epsilon=1e-3,
        alpha=1e-4,
        penalty="l2",
        l1_ratio=0.5,
        activity_alpha=None,
        batch_size="auto",
        max_iter=200,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        class_weight=None,
        shuffle=True,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.rho = rho
        self.epsilon = epsilon
        self.alpha = alpha
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.activity_alpha = activity_alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.class_weight = class_weight
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _encode_y(self, y):
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of more than two classes (multiclass-multioutput), which "
                "is not supported: fit one classifier a column (MultiOutputClassifier)."
            )
        self._multilabel = kind == "multilabel-indicator"
        if self._multilabel:
            encoded = y.toarray() if sp.issparse(y) else np.asarray(y)
            if not np.isin(encoded, (0, 1)).all():
                raise ValueError(
                    "y with several columns must be a multilabel indicator of zeros and ones; got "
                    f"the values {np.unique(encoded)}."
                )
            classes = np.arange(encoded.shape[1])
        else:
            classes, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
            if len(classes) <= 2:
                encoded = codes[:, None]
            else:
                encoded = np.eye(len(classes))[codes]
        if self._previous_weights() is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True needs the classes of the previous fit, {self.classes_}; y has "
                f"{classes}. Set warm_start=False to start afresh."
            )
        self.classes_ = classes
        return encoded

    def _make_loss(self):
        single = self._multilabel or len(self.classes_) <= 2
        return LogisticLoss() if single else SoftmaxCrossEntropy()

    def _resolve_sample_weight(self, sample_weight, X, y):
        weight = super()._resolve_sample_weight(sample_weight, X, y)
        if self.class_weight is None:
            return weight
        check_classification_targets(y)
        if self.class_weight == "balanced":
            by_class = _balanced(y, weight)
        else:
            by_class = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(by_class) & (by_class >= 0)).all():
            raise ValueError(
                f"class_weight must hold finite weights, none negative; got {self.class_weight}."
            )
        by_class = by_class.astype(X.dtype)
        weight = by_class if weight is None else weight * by_class
        if not (weight > 0).any():
            raise ValueError("class_weight and sample_weight give every sample the weight zero.")
        return weight

    def _strata(self, y):
        return None if self._multilabel else y

    def decision_function(self, X):
        """Output of the network before the softmax or logistic function.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of ``classes_[1]`` for two classes; one column a class (or a label)
            otherwise.
        """
        scores = self._output(X)
        return scores if self._multilabel or scores.shape[1] > 1 else scores.ravel()

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. For multilabel targets, the probability of each
            label.
        """
        output = self._output(X)
        p = self._loss.inverse_link(output)
        if self._multilabel or p.shape[1] > 1:
            return p
        if len(self.classes_) == 1:
            return np.ones_like(p)
        return np.hstack([self._loss.inverse_link(-output), p])

    def predict_log_proba(self, X):
        """Logarithm of :meth:`predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Finite also where a probability is too small for a float.
        """
        output = self._output(X)
        if self.out_activation_ == "softmax":
            return log_softmax(output, axis=1)
        if self._multilabel:
            return log_expit(output)
        if len(self.classes_) == 1:
            return np.zeros_like(output)
        return np.hstack([log_expit(-output), log_expit(output)])

    def predict(self, X):
        """Most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or the indicator matrix of the labels with probability above one half.
        """
        scores = self._output(X)
        if self._multilabel:
            return (scores > 0).astype(int)
        if scores.shape[1] > 1:
            return self.classes_[scores.argmax(axis=1)]
        positive = (scores.ravel() > 0) & (len(self.classes_) > 1)
        return self.classes_[positive.astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _balanced(y, weight):
    """``sum of weights / (number of classes * weight of the class)``, multiplied over labels.

    Without weights this is scikit-learn's rule; with them a weight of two counts as two samples.
    """
    columns = y.toarray() if sp.issparse(y) else np.asarray(y)
    result = np.ones(len(columns))
    for column in columns.reshape(len(columns), -1).T:
        _, codes = np.unique(column, return_inverse=True)
        size = np.bincount(codes, weights=weight).astype(float)
        factor = np.zeros_like(size)
        present = size > 0
        factor[present] = size.sum() / (np.count_nonzero(present) * size[present])
        result *= factor[codes]
    return result
