"""MDLAMRegressor: numbers in, numbers out."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from ._base import BaseMDLAM
from ._compat import HasMethods, StrOptions
from .losses import REGRESSION_LOSSES, Poisson, get_loss


class MDLAMRegressor(RegressorMixin, BaseMDLAM):
    _y_is_numeric = True

    _parameter_constraints: dict = {
        **BaseMDLAM._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), HasMethods(["value", "prox"])],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="squared_error",
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
        shuffle=True,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
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
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _encode_y(self, y):
        if sp.issparse(y):
            raise TypeError("Sparse y is not supported for regression; use y.toarray().")
        y = np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y must hold numbers; got an array of dtype {y.dtype}.")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y[:, None] if y.ndim == 1 else y

    def _make_loss(self):
        return get_loss(self.loss)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions: the conditional mean for squared_error and poisson, the median for
            absolute_error, a quantile for quantile.
        """
        output = self._output(X)
        prediction = self._loss.inverse_link(output)
        return prediction.ravel() if prediction.shape[1] == 1 else prediction

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson" or isinstance(self.loss, Poisson)
        return tags
