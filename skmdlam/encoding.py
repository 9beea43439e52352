"""Piecewise-linear encoding of numeric columns: a linear layer can bend each into a curve."""

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
    r"""Encode each numeric column as its rank and pieces of it, each of which rises from 0 to 1.

    A column with the knots :math:`e_0 < e_1 < \dots < e_T` becomes its rank :math:`G(x)` from 0 to
    1 and T pieces of it,

    .. math::

        \varphi_t(x) = \min\Bigl(1, \max\Bigl(0,
            \frac{G(x) - G(e_{t-1})}{G(e_t) - G(e_{t-1})}\Bigr)\Bigr),
        \qquad t = 1, \dots, T,

    with G the distribution function of the column, linear between up to 257 of its values. What a
    linear model says of them is a sum of curves, one for each column, that bend at the knots. Knots
    are quantiles of the training samples, or the values of a column that has few. All of this is
    nearly the same whatever increasing function the column went through, and constant beyond the
    range of the training samples.

    Columns of one or two values, of which there is no more to say, are passed on.

    A gap (NaN) is 0 in the rank and in all pieces of its column. A column that has gaps among the
    training samples gets one more encoded column, behind those of all columns, which is 1 for a gap
    and else 0. In other columns a gap is read as the median. Where a column is passed on, a gap is
    the mean of its training samples.

    This is the encoding that ``encoding="auto"`` of :class:`MDLAMClassifier` and
    :class:`MDLAMRegressor` chooses from, as a transformer for any pipeline.

    Parameters
    ----------
    n_bins : int, default=8
        Largest number of pieces of a column, at least 1; with 1 it is the rank of the column. A
        value that many samples share takes one piece at most, so that there may be more for the
        others.
    include_rank : bool, default=True
        Whether a column with two pieces or more has its rank before them: what is straight, or
        nearly so, need not be made of all pieces.
    include_input : bool, default=False
        Whether the columns that have pieces are there themselves too, each before its rank. What
        a linear model says beyond the range of the training samples then goes on as a line.
    subsample : int or None, default=20_000
        The quantiles are those of so many samples, drawn where there are more; None takes all.
    random_state : int, RandomState instance or None, default=0
        What the samples are drawn by.

    Attributes
    ----------
    knots_ : list of ndarray
        Knots of each column, increasing; an empty array for a column that is passed on.
    n_bins_ : ndarray of int of shape (`n_features_in_`,)
        Pieces of each column, 0 for one that is passed on.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str of shape (`n_features_in_`,)
        Their names; only there when X was a data frame with names that are strings.

    See Also
    --------
    EncodingDisplay : A plot of the pieces.
    sklearn.preprocessing.SplineTransformer : Smooth pieces, evenly spaced or at quantiles.
    sklearn.preprocessing.KBinsDiscretizer : Steps.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", NeurIPS 2022, section 3.2, where pieces are straight in x.

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
            Numbers, NaN for a gap; float32 and float64 are kept, everything else becomes float64.
        y : None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, numbers of copies, not negative.

        Returns
        -------
        self : PiecewiseLinearEncoder
            The fitted transformer.

        Raises
        ------
        TypeError
            When X is sparse.
        ValueError
            When a parameter or the weights are not valid, or X holds infinite or huge values.
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
            Samples; NaN is a gap.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_encoded_features)
            In the type of X where that is float32 or float64.

        Raises
        ------
        TypeError
            When X is sparse.
        ValueError
            When X holds infinite values, or other columns than ``fit`` has seen; of an encoder
            inside of an estimator whose X has categories: only the estimator can read these.
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        """
        check_is_fitted(self)
        self._refuse_inside()
        X = validate_data(self, X, dtype=_NUMBERS, ensure_all_finite="allow-nan", reset=False)
        return self._pieces.encoded(X)

    def get_feature_names_out(self, input_features=None):
        """Names of the encoded columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X. None takes those of ``fit``, or x0, x1, ... where it had
            none.

        Returns
        -------
        names : ndarray of str
            The name of a column for the column itself, with ``_rank`` for its rank, with
            ``_pl_0``, ``_pl_1``, ... for its pieces and with ``_missing`` for its gaps.

        Raises
        ------
        ValueError
            When there are not as many names as columns, or other names than in ``fit``; of an
            encoder inside of an estimator whose X has categories, which has ``input_names_``.
        sklearn.exceptions.NotFittedError
            Before ``fit``.
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
