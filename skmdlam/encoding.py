"""Piecewise-linear encoding of numeric features: a linear layer can bend each into a curve."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._compat import Interval, _check_feature_names_in, _fit_context
from ._stored_columns import pieces_of_state, pieces_state
from ._validation import check_weight, refuse_huge
from .engine.inputs.kinds import Kinds
from .engine.inputs.pieces import Pieces

_NUMBERS = (np.float64, np.float32)


class PiecewiseLinearEncoder(TransformerMixin, BaseEstimator):
    r"""Encode each numeric feature as its rank and piecewise-linear functions of it.

    A linear model of the encoded features is a sum of piecewise-linear curves, one per feature.
    ``encoding="auto"`` of :class:`MDLAMClassifier` and :class:`MDLAMRegressor` uses this encoder.

    Parameters
    ----------
    n_bins : int, default=8
        Maximum number of pieces of a feature, at least 1; with 1 only the rank is left. A value
        that many samples share takes at most one piece, so that others may have more.
    include_rank : bool, default=True
        Whether a feature with two pieces or more also has its rank, before them.
    include_input : bool, default=False
        Whether a feature with pieces is also passed on itself, before its rank. A linear model
        then extrapolates linearly beyond the range of the training samples.
    subsample : int or None, default=20_000
        Maximum number of samples from which the quantiles are computed. None uses all.
    random_state : int, RandomState instance or None, default=0
        Determines which samples are drawn.

    Attributes
    ----------
    knots_ : list of ndarray
        Knots of each feature, increasing; an empty array for a feature that is passed on.
    n_bins_ : ndarray of int of shape (`n_features_in_`,)
        Number of pieces of each feature; 0 for one that is passed on.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Names of the features. Only there if X was a data frame whose names are strings.

    See Also
    --------
    EncodingDisplay : Plot of the pieces.
    sklearn.preprocessing.SplineTransformer : Smooth basis functions.
    sklearn.preprocessing.KBinsDiscretizer : Step functions.

    Notes
    -----
    Let G be the distribution function of a feature in the training samples, linear between up to
    257 of its values. With the knots :math:`e_0 < e_1 < \dots < e_T` the feature becomes its rank
    :math:`G(x)`, from 0 to 1, and T pieces [1]_

    .. math::

        \varphi_t(x) = \min\Bigl(1, \max\Bigl(0,
            \frac{G(x) - G(e_{t-1})}{G(e_t) - G(e_{t-1})}\Bigr)\Bigr),
        \qquad t = 1, \dots, T,

    each of which rises from 0 to 1 between two knots. Knots are quantiles of the training samples,
    or the values of a feature that has few. The encoding is nearly the same whatever increasing
    function the feature went through, and constant beyond the range of the training samples.

    Features of one or two values are passed on.

    A missing value (nan) is 0 in the rank and in all pieces. A feature with missing values in
    training has one more column, behind those of all features: 1 for a missing value, otherwise 0.
    In other features a missing value counts as the median. In a feature that is passed on it is
    replaced by the mean of the training samples.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", NeurIPS 2022, section 3.2, where pieces are linear in x.

    Examples
    --------
    >>> import numpy as np
    >>> from skmdlam import PiecewiseLinearEncoder
    >>> X = np.arange(9.0)[:, np.newaxis]
    >>> encoder = PiecewiseLinearEncoder(n_bins=2).fit(X)
    >>> encoder.knots_[0]
    array([0., 4., 8.])
    >>> encoder.transform([[1.0], [6.0], [20.0]])
    array([[0.125, 0.25 , 0.   ],
           [0.75 , 1.   , 0.5  ],
           [1.   , 1.   , 1.   ]])
    >>> encoder.get_feature_names_out(["age"])
    array(['age_rank', 'age_pl_0', 'age_pl_1'], dtype=object)
    """

    _parameter_constraints: dict = {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "include_rank": ["boolean"],
        "include_input": ["boolean"],
        "subsample": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_bins=8,
        *,
        include_rank=True,
        include_input=False,
        subsample=20_000,
        random_state=0,
    ):
        self.n_bins = n_bins
        self.include_rank = include_rank
        self.include_input = include_input
        self.subsample = subsample
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find the knots.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples; nan is a missing value. float32 and float64 are kept, everything
            else becomes float64.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. An integer counts as that many copies.

        Returns
        -------
        self : PiecewiseLinearEncoder
            The fitted transformer.

        Raises
        ------
        TypeError
            If X is sparse.
        ValueError
            If a parameter or the weights are not valid, or X contains infinite or huge values.
        """
        X = validate_data(self, X, dtype=_NUMBERS, ensure_all_finite="allow-nan")
        refuse_huge(X, "X")
        weight = check_weight(sample_weight, X)
        vars(self).pop("_is_inside", None)
        return self._fit(X, weight)

    def _fit(self, X, weight, kinds=None):
        """The same for an X that has been checked, whose levels and gaps may be known."""
        if weight is not None:
            X, weight = X[weight > 0], weight[weight > 0]
        if kinds is None:
            kinds = Kinds.of(X, weight)
        n = X.shape[0]
        if self.subsample is not None and n > self.subsample:
            rng = check_random_state(self.random_state)
            rows = np.sort(rng.permutation(n)[: self.subsample])
            X, weight = X[rows], None if weight is None else weight[rows]
        return self._keep(
            Pieces.of(
                X,
                self.n_bins,
                weight,
                include_rank=self.include_rank,
                include_input=self.include_input,
                kinds=kinds,
            )
        )

    def _keep(self, pieces):
        """Keep the fitted attributes."""
        self._pieces = pieces
        self.n_bins_ = pieces.n_pieces
        self.knots_ = [np.empty(0) if curve is None else curve.knots for curve in pieces.curves]
        return self

    def transform(self, X):
        """Encode samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; nan is a missing value.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_encoded_features)
            Encoded samples, in the dtype of X if that is float32 or float64.

        Raises
        ------
        TypeError
            If X is sparse.
        ValueError
            If X contains infinite values or other features than in ``fit``, or if the encoder is
            part of an estimator with categorical features, which only the estimator can read.
        sklearn.exceptions.NotFittedError
            If it was not fitted.
        """
        check_is_fitted(self)
        self._refuse_inside()
        X = validate_data(self, X, dtype=_NUMBERS, ensure_all_finite="allow-nan", reset=False)
        return self._pieces.encoded(X)

    def get_feature_names_out(self, input_features=None):
        """Get the names of the encoded columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features. None uses those of ``fit``, or x0, x1, ... if there were none.

        Returns
        -------
        names : ndarray of str
            The name of a feature for the feature itself, with ``_rank`` for its rank, with
            ``_pl_0``, ``_pl_1``, ... for its pieces and with ``_missing`` for missing values.

        Raises
        ------
        ValueError
            If the number of names is wrong or they differ from those in ``fit``, or if the encoder
            is part of an estimator with categorical features, which has ``input_names_``.
        sklearn.exceptions.NotFittedError
            If it was not fitted.
        """
        check_is_fitted(self, "n_features_in_")
        self._refuse_inside()
        names = _check_feature_names_in(self, input_features)
        return self._pieces.names(names)

    def _refuse_inside(self):
        """Refuse columns that only the estimator makes, which this encoder is a part of."""
        if getattr(self, "_is_inside", False):
            raise ValueError(
                "This encoder is part of an estimator whose X has categories, as levels or as many "
                "one-hot columns. It encodes numbers that only the estimator makes of X; "
                "input_names_ of the estimator has the names of the encoded columns."
            )

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_pieces" in state:
            state["_pieces"] = pieces_state(state["_pieces"])
        return state

    def __setstate__(self, state):
        if "_pieces" in state:
            state = state | {"_pieces": pieces_of_state(state["_pieces"])}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = True
        return tags
