"""MDLAMRegressor: numbers in, numbers out."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from ._base import BaseMDLAM, can_learn_a_stream
from ._compat import Interval, StrOptions, _fit_context
from ._devices import where_X_lies
from ._encoding import by_blocks
from ._renamed import sizes_may_come_first
from ._targets import NumericTarget
from ._uncertainty import noise_of, predicted
from ._validation import check_new_X
from .losses import REGRESSION_LOSSES, Loss, get_loss


class MDLAMRegressor(RegressorMixin, BaseMDLAM):
    """Multi-layer perceptron regressor trained by alternating minimization.

    It fits data frames with categorical features and missing values, arrays and sparse matrices.
    There is no learning rate to tune.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error", "absolute_error", "huber", "quantile" or "poisson" (half the deviance, log
        link), or an instance of a class of ``skmdlam.losses``.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer. ``()`` is a linear model.
    activation : str, Activation, or list of them, default="relu"
        Activation function, one for all hidden layers or a list with one for each: "relu",
        "leaky_relu", "elu", "softplus", "tanh", "logistic", "hard_tanh", "identity" or "sign".
    quantile : float, default=0.5
        Quantile that ``loss="quantile"`` predicts, strictly between 0 and 1.
    n_networks : int, default=1
        Number of networks, trained from different random starts, whose outputs are averaged. They
        are returned as one network with ``n_networks`` times the hidden units.
    calibrate : bool, default=False
        Whether to estimate the noise for ``predict(X, return_std=True)``. It takes cross-validation
        within :meth:`fit`: 4 more fits, 10 with fewer than 2,000 samples.
    solver : {"feasible", "relaxed"} or solver object, default="feasible"
        "feasible" minimizes the training objective directly, "relaxed" is the algorithm of the
        paper [1]_. A :class:`Feasible` or :class:`Relaxed` instance sets more options.
    rho : float or "auto", default="auto"
        Penalty parameter of the layer equations, positive. Tune it for ``solver="relaxed"`` only.
    epsilon : float, default=1e-3
        Final tolerance of the activation equations, positive. Used by ``solver="relaxed"`` only.
    alpha : float or "auto", default="auto"
        Strength of ``penalty``, not negative. "auto" is estimated for "l1", "elasticnet" and
        "group". Otherwise it is 0, or 1e-4 with ``activity_alpha=0`` or ``solver="relaxed"``.
    penalty : str, Penalty or None, default="l2"
        Penalty on the weights: "l2", "l1", "elasticnet", "group" (feature and unit selection),
        "nonnegative", "box" (weights from -1 to 1) or "none".
    l1_ratio : float, default=0.5
        Fraction of L1 in ``penalty="elasticnet"``, from 0 (only L2) to 1 (only L1).
    encoding : {"auto", "piecewise"}, PiecewiseLinearEncoder or None, default="auto"
        Encoding of numeric features. "piecewise" is :class:`PiecewiseLinearEncoder` at its
        defaults, "auto" decides from the data whether and how finely to encode, None does not.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Mask, indices or names of categorical features. "from_dtype" takes the columns of a data
        frame that hold categories or strings.
    activity_alpha : float or "auto", default="auto"
        Strength of the penalty on the variance of the pre-activations, not negative. 0 turns off
        the penalties on features and upper layers, too: the objective is that of MLPRegressor.
    batch_size : int, "auto" or None, default="auto"
        Size of mini-batches; None is the full batch. "auto" is the full batch for small dense data
        (up to 5,000 samples, 500 features and 2 hidden layers) and at most 200 otherwise.
    max_iter : int, default=200
        Maximum number of iterations: epochs of mini-batches, or full-batch iterations.
    tol : float, default=1e-4
        Smallest improvement of the training objective, or validation score, that counts.
    n_iter_no_change : int or inf, default=10
        Number of iterations without such an improvement that ends a full-batch fit.
    early_stopping : bool, default=False
        Whether to keep the weights with the best score on held-out samples, or on ``X_val`` of
        :meth:`fit`, and to stop when that score no longer improves.
    validation_fraction : float, default=0.1
        Fraction of the samples to hold out for ``early_stopping``, strictly between 0 and 1.
    scoring : str, callable or None, default=None
        Scorer for ``early_stopping``. None is :meth:`score`.
    shuffle : bool, default=True
        Whether held-out samples are drawn at random. False holds out the last ones.
    clip : bool, default=True
        Whether to clip features in prediction to their range in training.
    warm_start : bool, default=False
        Whether :meth:`fit` continues from the weights of the fit before.
    random_state : int, RandomState instance or None, default=None
        Determines the starting weights, the mini-batches and the samples that are held out.
    verbose : bool, default=False
        Whether to show progress.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights of shape (n_in, n_out) and intercepts of shape (n_out,) of each layer.
    coef_, intercept_ : ndarray
        Coefficients and intercept as in linear models, only with ``hidden_layer_sizes=()``.
    encoder_ : PiecewiseLinearEncoder or None
        Fitted encoder of the numeric features; None if they are not encoded.
    input_names_ : ndarray of str of shape (n_inputs,)
        Names of the inputs of the first layer, the rows of ``coefs_[0]``.
    is_categorical_ : ndarray of bool of shape (n_features,), or None
        Mask of the categorical features; None if there is none.
    categories_ : list of ndarray
        Categories of each of them; nan stands for missing values.
    n_features_in_, n_layers_, n_networks_, n_outputs_ : int
        Number of features, layers (with inputs and outputs), averaged networks, and output units.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Only there if X was a data frame whose names are strings.
    out_activation_ : str
        Activation of the output layer: "identity", or "exp" for the Poisson loss.
    noise_ratio_, activity_alpha_, column_alpha_, upper_alpha_ : float
        Estimated noise-to-signal ratio of the targets, and strengths in use of the penalties on
        pre-activations, features and upper layers.
    data_min_, data_max_ : ndarray of shape (n_features,)
        Range of each feature in training, which ``clip`` clips to.
    n_iter_ : int
        Number of iterations.
    loss_, best_loss_ : float
        Training objective at the returned weights, and the lowest one.
    loss_curve_, objective_curve_ : list of float
        Training objective after each iteration, and its lowest value so far; with "relaxed" the
        second one is the relaxed objective.
    epsilon_curve_, rho_curve_, gap_curve_ : list of float
        Tolerance, penalty parameter and constraint residual in each iteration.
    stop_reason_ : str
        "converged", "max_iter", "interrupted" (Ctrl-C), "requested" or "partial_fit".
    validation_scores_, validation_loss_curve_ : list of float or None
        Score and loss on validation samples after each iteration.
    best_validation_score_ : float or None
        Best of these scores.

    See Also
    --------
    MDLAMClassifier : Classifier counterpart.
    Feasible, Relaxed : Options of the two solvers.
    sklearn.neural_network.MLPRegressor : The same kind of network, trained by gradient descent.

    Notes
    -----
    The training objective is that of MLPRegressor with three more penalties, whose strengths are
    estimated from the data: see :ref:`problem`. Solver "feasible" returns the weights with the
    lowest objective seen. In full-batch mode the objective does not rise from one iteration to the
    next; in mini-batch mode it may: see :ref:`solvers`. Details: :ref:`parameters`,
    :ref:`attributes`.

    References
    ----------
    .. [1] J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by
       Multi-convex Alternating Optimization", Neurocomputing, 2022, arXiv:1811.04187.

    Examples
    --------
    Categories and missing values need no preparation:

    >>> import pandas as pd
    >>> from skmdlam import MDLAMRegressor
    >>> X = pd.DataFrame({"size": [50, 80, None, 100, 65] * 40, "city": ["Oslo", "Rome"] * 100})
    >>> y = 3 * X["size"].fillna(80) + 100 * (X["city"] == "Oslo")
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), random_state=0).fit(X, y)
    >>> new = pd.DataFrame({"size": [50, None, 90], "city": ["Oslo", "Oslo", "Rome"]})
    >>> model.predict(new).round(-1)
    array([250., 340., 270.])
    >>> model.input_names_
    array(['size', 'size_missing', 'city_Oslo', 'city_Rome'], dtype=object)
    """

    _parameter_constraints: dict = {
        **BaseMDLAM._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    @sizes_may_come_first
    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        quantile=0.5,
        n_networks=1,
        calibrate=False,
        solver="feasible",
        rho="auto",
        epsilon=1e-3,
        alpha="auto",
        penalty="l2",
        l1_ratio=0.5,
        encoding="auto",
        categorical_features="from_dtype",
        activity_alpha="auto",
        batch_size="auto",
        max_iter=200,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        scoring=None,
        shuffle=True,
        clip=True,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.quantile = quantile
        self.n_networks = n_networks
        self.calibrate = calibrate
        self.solver = solver
        self.rho = rho
        self.epsilon = epsilon
        self.alpha = alpha
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.encoding = encoding
        self.categorical_features = categorical_features
        self.activity_alpha = activity_alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.shuffle = shuffle
        self.clip = clip
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _make_target(self, goes_on):
        return NumericTarget(self.loss, self.quantile)

    def _keep_calibration(self, problem, found=None):
        self._noise = None if problem is None else noise_of(self, problem, found)

    @available_if(can_learn_a_stream)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Update the model with a chunk of data.

        It continues from the last call, or from the weights of :meth:`fit`. The model can be used
        at any time.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Samples of the chunk, at least one; they need no scaling. New categories are appended
            to ``categories_``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative. They count relative to the mean weight of all samples so
            far, and ``alpha`` counts against their sum.

        Returns
        -------
        self : object
            The estimator. If the call fails or is interrupted, it is left unchanged.

        Raises
        ------
        AttributeError
            If ``solver="relaxed"``, which needs all samples at once.
        ValueError
            If a parameter, the data or the weights are not valid or do not match what was learned
            before, or with ``early_stopping=True``.
        FloatingPointError
            If numbers overflowed during training: rescale the data.

        See Also
        --------
        fit : Fit to all samples at once, which learns more from them.

        Notes
        -----
        The chunk is passed over up to eight times, fewer times as the stream gets longer, and is
        not kept. ``coefs_`` is an average over the latest steps. It is close to what :meth:`fit`
        finds for the same samples if there are many or they come several times. ``max_iter``,
        ``tol``, ``n_iter_no_change``, ``epsilon`` and ``warm_start`` are not used.

        ``loss_curve_`` gets one more entry, the loss on the chunk *before* it is learned, with
        ``alpha`` times the penalty, per unit of sample weight (prequential evaluation).
        ``n_iter_`` counts calls in addition to the iterations of a fit.

        Means, variances and covariances (up to 1,500 columns) are those of all samples so far.
        Batches have at most 25 samples unless ``batch_size`` is a number; None is one batch per
        chunk. The strengths of the penalties are estimated from chunks of 100 samples and more (of
        the feature penalty: 400) among the first 5,000 samples. Without such chunks they are those
        of the fit before, or typical ones. ``alpha="auto"`` is 1e-4 for penalties "l1",
        "elasticnet" and "group".

        The target is scaled by its mean and spread in all samples so far.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skmdlam import MDLAMRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), random_state=0)
        >>> for start in range(0, len(X), 50):
        ...     chunk = slice(start, start + 50)
        ...     _ = model.partial_fit(X[chunk], y[chunk])
        >>> round(model.score(X, y), 1)
        0.5
        >>> model.n_iter_, model.stop_reason_
        (9, 'partial_fit')
        """
        return self._partial_fit(X, y, sample_weight)

    @where_X_lies
    def predict(self, X, return_std=False):
        """Predict target values.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard deviations of new targets, noise included, as
            ``GaussianProcessRegressor`` does. It requires a fit with ``calibrate=True``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted values: the conditional mean for squared error, Huber and Poisson, the median
            for the absolute error, or the quantile.
        std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviations of new targets around them. Only if ``return_std=True``.

        Raises
        ------
        ValueError
            If ``return_std=True`` after a fit without ``calibrate=True``.
        """
        if not return_std:
            output = self._output(X)
            return _of_targets(self._loss.inverse_link(output))
        X = check_new_X(self, X)
        if self._noise is None:
            raise ValueError(self._why_no_std())
        both = by_blocks(self, X, lambda inputs: predicted(self, inputs))
        output, std = np.hsplit(both, 2)
        return _of_targets(self._loss.inverse_link(output)), _of_targets(std)

    def _why_no_std(self):
        if not self._loss.central:
            return (
                "return_std=True is the standard deviation around a mean or a median, and this "
                "loss predicts neither: use another loss."
            )
        what = "Set calibrate=True and fit again."
        if self.calibrate:  # which was set after the fit, or forgotten by what came after it
            what = "Call fit again: partial_fit and an interrupted fit learn no such thing."
        return (
            "return_std=True needs a complete fit with calibrate=True, which learns the standard "
            f"deviation from held-out samples. {what}"
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = get_loss(self.loss).positive_target
        return tags


def _of_targets(values):
    """One column as a vector."""
    return values.ravel() if values.shape[1] == 1 else values
