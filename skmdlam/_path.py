"""The regularization path: fits from many strengths of a penalty, each from the one before."""

import warnings
from copy import copy
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from ._base import BaseMDLAM
from ._unwrapping import names_of_inputs
from .engine.feasible import Feasible
from .penalties import constrains, get_penalty

__all__ = ["regularization_path"]

# The first, coarse search for the largest alpha starts at this share of the strength at which the
# penalty of a dense fit would be as large as its J.
_COARSE_START, _COARSE_FACTOR, _COARSE_TRIALS = 1e-3, 4.0, 40
# A fit begins near its end: so many sweeps without improvement end it, or the coarse one.
_SWEEPS, _COARSE_SWEEPS = 3, 1
# So many strengths beyond the grid are tried until no input is left.
_MOST_BEYOND = 40


def regularization_path(
    estimator,
    X,
    y,
    *,
    alphas=None,
    n_alphas=30,
    eps=1e-3,
    sample_weight=None,
    X_test=None,
    y_test=None,
    return_estimator=False,
):
    """Compute the regularization path of a network, with warm starts along the path.

    This is to a network what :func:`~sklearn.linear_model.lasso_path` is to a linear model. Each
    fit starts from the weights of the one before, in full-batch mode (``batch_size=None``). If all
    weights are zero they are a stationary point of a network, so the fits are done from the
    smallest alpha, where the network is dense, to the largest, as in LassoNet [1]_. They are
    returned in the order of ``lasso_path``, with decreasing ``alphas``.

    Parameters
    ----------
    estimator : MDLAMClassifier or MDLAMRegressor
        Estimator to fit; it is cloned. Its penalty has to be sparsity-inducing: "group", which
        drops all weights of a feature together, "l1", "elasticnet", or such a
        :class:`~skmdlam.penalties.Penalty`. ``alpha``, ``batch_size`` and ``warm_start`` are set
        by this function. The penalties act on weights in the units of X, so scale the features
        first. The features below are the inputs of the first layer, ``input_names_``: for a
        category one for each level, and with an ``encoding`` other than "auto" and None the encoded
        columns.
    X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
        Training samples.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target values.
    alphas : array-like of shape (n_alphas,), default=None
        Strengths of the penalty, positive and strictly decreasing. None is a grid of ``n_alphas``
        values, evenly spaced on a log scale, that ends with the first one that drops all features.
    n_alphas : int, default=30
        Number of values in the grid, at least 2. Ignored if ``alphas`` is given.
    eps : float, default=1e-3
        Length of the path: the smallest alpha over the largest, between 0 and 1. Ignored if
        ``alphas`` is given.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the training samples.
    X_test, y_test : array-likes, default=None
        Samples to score each fit on.
    return_estimator : bool, default=False
        Whether to return the fitted estimators too.

    Returns
    -------
    path : :class:`~sklearn.utils.Bunch`
        With an entry, or a row, for each strength:

        alphas : ndarray of shape (n_alphas,)
            Strengths of the penalty, decreasing.
        coefs, intercepts : list of list of ndarray
            Weights and intercepts of each layer.
        norms : ndarray of shape (n_alphas, n_inputs)
            Norms of the weights of each feature in the first layer; exactly 0 for dropped features.
        n_features_used : ndarray of shape (n_alphas,)
            Number of features with nonzero weights.
        losses : ndarray of shape (n_alphas,)
            Training objective per unit of sample weight.
        n_iter : ndarray of shape (n_alphas,)
            Number of iterations of each fit.
        train_scores : ndarray of shape (n_alphas,)
            ``estimator.score`` on the training samples.
        test_scores : ndarray of shape (n_alphas,) or None
            ``estimator.score`` on the test samples, if they are given.
        feature_names : ndarray of shape (n_inputs,) or None
            Names of the features; None if X was an array of numbers.
        estimators : list of estimators
            Only returned if ``return_estimator=True``.

    Raises
    ------
    ValueError
        If a parameter is not valid, or the penalty is not sparsity-inducing.

    Warns
    -----
    ConvergenceWarning
        If some of the fits have not converged in ``max_iter`` iterations.

    See Also
    --------
    RegularizationPathDisplay : Plot of a path.
    sklearn.linear_model.lasso_path : Path of a linear model.

    Notes
    -----
    The strengths of the other penalties in the training objective are estimated once, and are the
    same along the path. A feature that was dropped may come back at a larger alpha, which is rare.

    References
    ----------
    .. [1] I. Lemhadri, F. Ruan, L. Abraham and R. Tibshirani, "LassoNet: A neural network with
       feature sparsity", Journal of Machine Learning Research 22 (127), 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from skmdlam import MDLAMRegressor, regularization_path
    >>> X, y = make_friedman1(300, n_features=10, noise=1.0, random_state=0)  # five are useful
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), penalty="group", random_state=0)
    >>> path = regularization_path(model, X, y, n_alphas=10)
    >>> int(path.n_features_used[0]), int(path.n_features_used[-1])
    (0, 10)
    """
    _check_estimator(estimator)
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test must be given together.")
    path = _Path(estimator, X, y, sample_weight)
    if alphas is None:
        _check_grid(n_alphas, eps)
        points = path.grid(n_alphas, float(eps))
    else:
        points = path.along(_checked_alphas(alphas)[::-1])
    return _bunch(points[::-1], X, y, sample_weight, X_test, y_test, return_estimator)


class _Path:
    """Fits of one estimator to the same samples, each from where the one before ended."""

    def __init__(self, estimator, X, y, sample_weight):
        self._samples = X, y, sample_weight
        self._sweeps = estimator.n_iter_no_change
        self._model = clone(estimator).set_params(
            batch_size=None, warm_start=True, early_stopping=False
        )

    def fit(self, alpha, sweeps=_SWEEPS):
        """The network at this strength, from the weights before."""
        sweeps = min(sweeps, self._sweeps)
        model = self._model.set_params(alpha=float(alpha), n_iter_no_change=sweeps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if hasattr(model, "coefs_"):  # what the first fit has warned of
                warnings.filterwarnings("ignore", message=".* has no effect")
            model.fit(*self._samples)
        return copy(model)

    def start(self):
        """The dense network; the strengths that were estimated for it hold from here on."""
        dense = self.fit(0.0, self._sweeps)
        self._model.set_params(
            activity_alpha=dense.activity_alpha_,
            solver=replace(
                dense._resolve_solver(),
                column_alpha=dense.column_alpha_,
                upper_alpha=dense.upper_alpha_,
            ),
        )
        return copy(self._model)

    def along(self, alphas):
        """Fits at increasing strengths."""
        self.start()
        return [self.fit(alpha) for alpha in alphas]

    def grid(self, n_alphas, eps):
        """Fits at so many strengths, the last of which is the first that leaves no input."""
        dense = self.start()
        factor = eps ** (-1.0 / (n_alphas - 1))
        alpha = first = eps * self._nearly_largest(dense) / _COARSE_FACTOR
        self._model = copy(dense)
        points = []
        for _ in range(n_alphas + _MOST_BEYOND):
            points.append(self.fit(alpha))
            if not _norms(points[-1]).any():
                break
            alpha *= factor
        # Slower and closer to the path than the search, the fits may have lost the last input
        # earlier than it did.
        missing = np.arange(n_alphas - len(points), 0, -1)
        self._model = copy(dense)
        return [*(self.fit(first / factor**k) for k in missing), *points][-n_alphas:]

    def _nearly_largest(self, dense):
        """A strength that leaves no input, at most four times the smallest one."""
        X, _, sample_weight = self._samples
        total = np.shape(X)[0] if sample_weight is None else np.sum(sample_weight)
        penalty = get_penalty(dense.penalty, l1_ratio=dense.l1_ratio)
        size = sum(penalty.value(W) for W in dense.coefs_)
        alpha = _COARSE_START * dense.loss_ * total / size if size > 0 else 0.0
        alpha = max(float(alpha), np.finfo(float).tiny)
        for _ in range(_COARSE_TRIALS):
            if not _norms(self.fit(alpha, _COARSE_SWEEPS)).any():
                break
            alpha *= _COARSE_FACTOR
        return alpha


def _norms(model):
    """Norms of the weights of each input."""
    return np.linalg.norm(model.coefs_[0], axis=1)


def _bunch(points, X, y, sample_weight, X_test, y_test, return_estimator):
    """What is told of the fits."""
    late = sum(model.stop_reason_ == "max_iter" for model in points)
    if late:
        warnings.warn(
            f"{late} of {len(points)} fits did {points[0].max_iter} iterations and have not "
            "converged: raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    norms = np.array([_norms(model) for model in points])
    path = Bunch(
        alphas=np.array([model.alpha for model in points]),
        coefs=[model.coefs_ for model in points],
        intercepts=[model.intercepts_ for model in points],
        norms=norms,
        n_features_used=np.count_nonzero(norms, axis=1),
        losses=np.array([model.loss_ for model in points]),
        n_iter=np.array([model.n_iter_ for model in points]),
        train_scores=np.array([model.score(X, y, sample_weight) for model in points]),
        test_scores=None,
        feature_names=names_of_inputs(points[0]),
    )
    if X_test is not None:
        path.test_scores = np.array([model.score(X_test, y_test) for model in points])
    if return_estimator:
        path.estimators = points
    return path


# -- arguments ------------------------------------------------------------------------------------


def _check_estimator(estimator):
    if not isinstance(estimator, BaseMDLAM):
        raise ValueError(
            "estimator must be an MDLAMClassifier or MDLAMRegressor, and no pipeline: scale X "
            f"before; got {estimator!r}."
        )
    estimator._validate_params()
    if not isinstance(estimator._resolve_solver(), Feasible):
        raise ValueError(f'A path needs solver="feasible"; got solver={estimator.solver!r}.')
    penalty = get_penalty(estimator.penalty, l1_ratio=estimator.l1_ratio)
    tiny = np.full((2, 2), 1e-8)
    if constrains(penalty) or np.any(penalty.prox(tiny, 1.0)):
        raise ValueError(
            'A path needs a penalty that takes weights to zero, such as "group", "l1" or '
            f'"elasticnet" with l1_ratio > 0; got penalty={estimator.penalty!r}.'
        )


def _check_grid(n_alphas, eps):
    if not isinstance(n_alphas, Integral) or isinstance(n_alphas, bool) or n_alphas < 2:
        raise ValueError(f"n_alphas must be an integer of at least 2; got {n_alphas!r}.")
    if not isinstance(eps, Real) or not 0 < eps < 1:
        raise ValueError(f"eps must be a number between 0 and 1; got {eps!r}.")


def _checked_alphas(alphas):
    alphas = np.asarray(alphas, dtype=float)
    if alphas.ndim != 1 or alphas.size == 0:
        raise ValueError(f"alphas must be a sequence of numbers; got shape {alphas.shape}.")
    if not (np.isfinite(alphas).all() and (alphas > 0).all()):
        raise ValueError(f"alphas must be positive and finite; got {alphas}.")
    if not (np.diff(alphas) < 0).all():
        raise ValueError(f"alphas must be strictly decreasing; got {alphas}.")
    return alphas
