"""MDLAMRegressor: numbers in, numbers out."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from ._base import BaseMDLAM
from ._compat import HasMethods, StrOptions
from .losses import REGRESSION_LOSSES, Poisson, get_loss


class MDLAMRegressor(RegressorMixin, BaseMDLAM):
    """Multi-layer perceptron regressor, trained without back-propagation.

    The network is fitted by alternating minimisation (mDLAM): each block of unknowns, a layer's
    weights or its pre-activations and activations, is replaced by the minimiser of the objective
    over that block, given all others. There is no learning rate.

    With ``s_i`` the weights of the samples and ``f`` the network up to the last layer's
    pre-activations, what a fit is for is the training objective of MLPRegressor ::

        J(W, b) = sum_i s_i R(f(x_i; W, b), y_i) + alpha sum_l Omega(W_l)

    where R is the loss, summed over the outputs, and Omega is the penalty, by default
    ``1/2 ||W||^2``. Solver "relaxed", the only one so far, gets there through ::

        F(W, b, z, a) = sum_i s_i R(z_iL, y_i) + alpha sum_l Omega(W_l)
                        + rho/2 sum_l sum_i s_i ||z_il - a_i,l-1 W_l - b_l||^2
        subject to |a_l - h(z_l)| <= epsilon for every hidden layer l

    with ``a_0 = x``: Problem 2 of the paper [1]_. F and J agree where the equations of the network
    hold exactly.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer. ``()`` means no hidden layer: a linear model.
    activation : str or Activation, default="relu"
        Of every hidden layer: "relu", "leaky_relu", "elu", "softplus", "tanh", "logistic",
        "hard_tanh", "identity", or an instance of a class of ``skmdlam.activations``.
    loss : str or Loss, default="squared_error"
        "squared_error" (``1/2 (z - y)^2``), "absolute_error", "huber", "quantile" (the median),
        "poisson" (half the deviance, ``exp`` as the inverse link; y must not be negative), or an
        instance of a class of ``skmdlam.losses``, as ``Quantile(0.9)`` or ``Huber(delta=2.0)``.
    solver : str or solver object, default="relaxed"
        "relaxed", or a :class:`Relaxed` with options of your own. "feasible" comes in the next
        version.
    rho : float or "auto", default="auto"
        Weight of the network's equations in F, positive. A large rho keeps F close to J and takes
        small steps; a small one takes large steps on a problem further from J. "auto" leaves it to
        the solver; ``rho_curve_`` says what that was.
    epsilon : float, default=1e-3
        Width of the tube ``|a - h(z)| <= epsilon``, positive. Solver "relaxed" starts with a wide
        tube, 100, and halves it in every sweep until it is this.
    alpha : float, default=1e-4
        Strength of the penalty, not negative, and the same number as in MLPRegressor: it stands
        beside a *sum* over samples.
    penalty : str, Penalty or None, default="l2"
        On the weights, never on the intercepts: "l2" (``1/2 ||W||^2``), "l1", "elasticnet",
        "nonnegative" (l2, with ``W >= 0``), "box" (l2, with ``-1 <= W <= 1``), "group" (drops
        whole inputs and units), "none" or None, or an instance of a class of
        ``skmdlam.penalties``.
    l1_ratio : float, default=0.5
        Share of l1 in "elasticnet", from 0 to 1; the other penalties have no use for it.
    activity_alpha : None, default=None
        Ridge on the variance of each layer's pre-activations. It comes with solver "feasible";
        until then only None is accepted.
    batch_size : "auto" or None, default="auto"
        Both mean the full batch. Mini-batches (an int) come with solver "feasible".
    max_iter : int, default=200
        Largest number of sweeps over all blocks.
    tol : float, default=1e-4
        Smallest improvement that counts: of F per unit of sample weight, or of the validation
        score when ``early_stopping=True``.
    n_iter_no_change : int, default=10
        The fit ends after so many sweeps in a row without such an improvement. They are counted
        once epsilon has reached its final value.
    early_stopping : bool, default=False
        Set ``validation_fraction`` of the samples apart, score them after each sweep, and return
        the weights that had the best score.
    validation_fraction : float, default=0.1
        Share of the samples for ``early_stopping``, strictly between 0 and 1.
    scoring : str, callable or None, default=None
        What ``early_stopping`` goes by: a name that :func:`sklearn.metrics.get_scorer` knows,
        ``scorer(estimator, X, y)`` (with sample weights ``scorer(estimator, X, y,
        sample_weight=...)``), or None for the estimator's own ``score``.
    shuffle : bool, default=True
        Whether the samples for ``early_stopping`` are drawn at random or are the last ones. It has
        no other effect with the full batch.
    warm_start : bool, default=False
        Go on from the weights of the last fit, with epsilon at its final value. Layer sizes
        must be the same.
    random_state : int, RandomState or None, default=None
        For the starting weights and the split of ``early_stopping``. The same int gives the same
        weights, bit for bit, on the same machine.
    verbose : bool, default=False
        Show the sweeps: a progress bar in a terminal where rich is installed, else a line each.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, in the type of X (float32 or float64).
    intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of each layer.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of these columns; only there when X was a data frame with names that are strings.
    n_layers_ : int
        Layers, the inputs and the outputs included.
    n_outputs_ : int
        Units of the last layer.
    out_activation_ : str
        "identity", or "exp" for the Poisson loss.
    n_iter_ : int
        Complete sweeps.
    loss_ : float
        J per unit of sample weight at the weights that were kept.
    best_loss_ : float
        Smallest entry of ``loss_curve_``.
    loss_curve_ : list of float
        J per unit of sample weight after each sweep, from a forward pass.
    objective_curve_ : list of float
        F per unit of sample weight after each sweep. It does not rise between two changes of
        epsilon.
    epsilon_curve_, rho_curve_ : list of float
        Tolerance and penalty that were in force in each sweep.
    gap_curve_ : list of float
        Root mean square over the samples of ``z_l - a_l-1 W_l - b_l`` after each sweep: how far the
        equations of the network are from holding.
    stop_reason_ : str
        "converged" (``n_iter_no_change`` sweeps without an improvement), "max_iter",
        "interrupted" (Ctrl-C), or "requested" (the validation score stalled).
    validation_scores_ : list of float or None
        Score after each sweep; None without ``early_stopping``.
    best_validation_score_ : float or None
        The largest of them, which belongs to the weights that were kept.

    Raises
    ------
    ValueError
        From ``fit``, before any work: a parameter out of range or a name that is not known, NaN,
        infinity or strings in the data, shapes that do not fit, weights that are negative or all
        zero, a target of the wrong kind.
    NotImplementedError
        From ``fit``: solver "feasible" and the parameters that come with it.

    See Also
    --------
    MDLAMClassifier : The same for class labels.
    Relaxed : The options of solver "relaxed".
    sklearn.neural_network.MLPRegressor : The same network, trained by gradients.

    Notes
    -----
    Use it for small and medium data, for activations or penalties that gradients handle badly
    (hard_tanh, constraints, whole groups of weights at zero), and with many more columns than
    rows: with penalty "l2" or "none" a sweep then costs as if there were as many columns as rows.
    Every sweep takes the full batch: with a great many samples, or where the last per cent of
    accuracy counts, MLPRegressor with mini-batches is the better tool today.

    Solver "relaxed" is Algorithm 1 of the paper, with the update of the pre-activations and
    activations of a layer together instead of one after the other;
    ``Relaxed(hidden_step="separate")`` is the paper's own. What never rises is F, for a constant
    epsilon; J, which is ``loss_curve_``, usually falls with it and may rise. A small F alone says
    little: with a small rho the equations of the network can be far from holding
    (``gap_curve_``).

    Scale the columns of X, as for any network. Columns of very different sizes give finite results
    and slow progress.

    The loss of a target is in its own units: scale y as well, and rho and alpha keep their meaning.

    References
    ----------
    .. [1] J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by
       Multi-convex Alternating Optimization", Neurocomputing, 2022, arXiv:1811.04187.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skmdlam import MDLAMRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MDLAMRegressor((20,), rho=1.0, alpha=1.0, max_iter=1000, random_state=0)
    >>> model = TransformedTargetRegressor(
    ...     make_pipeline(StandardScaler(), network), transformer=StandardScaler()
    ... )
    >>> model.fit(X, y).score(X, y) > 0.5
    True

    Two targets at a time:

    >>> model.fit(X, np.column_stack([y, np.sqrt(y)])).predict(X[:3]).shape
    (3, 2)
    """

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
        solver="feasible",
        rho="auto",
        epsilon=1e-3,
        alpha=1e-4,
        penalty="l2",
        l1_ratio=0.5,
        activity_alpha="auto",
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
