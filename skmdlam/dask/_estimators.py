"""The estimators of Dask collections."""

import copy

from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from .._base import can_learn_a_stream, restored_on_error
from .._classifier import MDLAMClassifier as LocalClassifier
from .._compat import _clone_parametrized
from .._regressor import MDLAMRegressor as LocalRegressor
from .._renamed import sizes_may_come_first
from .._transform import _has_hidden_layers
from ._collections import is_lazy


class _OnWorkers:
    """What both estimators do with collections; anything else goes to the ordinary code.

    Nothing of Dask is imported before a collection has come in.
    """

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit to Dask collections on the workers of the client, or to data in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Training samples: a Dask array (chunks of any size, known or not, also of sparse
            matrices), a Dask data frame, or a list of delayed blocks (or the result of
            ``to_delayed`` of an array) or futures, each an array, sparse matrix or data frame. Data
            in memory are fitted locally, as by the ordinary estimator.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values in blocks of the same lengths: an array, a series or data frame, or a
            list. If X is an array of known length, any array is accepted.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Sample weights, in the form of y.
        X_val, y_val : collections or array-likes, default=None
            Validation set, as for the ordinary estimator.
        sample_weight_val : collection or array-like of shape (n_validation_samples,), default=None
            Sample weights of the validation set.

        Returns
        -------
        self : object
            The fitted estimator. If the fit fails, it is left unchanged. If the fit is interrupted
            (Ctrl-C), it has the best weights so far.

        Raises
        ------
        RuntimeError
            If workers died repeatedly, or if there were none for a minute.
        ValueError
            If a parameter, the data or the weights are not valid (with the number of the block), or
            if there is no client.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` iterations were not enough, or the fit was interrupted.
        """
        validation = X_val, y_val, sample_weight_val
        if not is_lazy(X):
            from ._fit import in_memory

            y, sample_weight = in_memory(y), in_memory(sample_weight)
            X_val, y_val, sample_weight_val = map(in_memory, validation)
            return super().fit(
                X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val
            )
        from ._fit import fit, with_own_seed

        self._validate_params()
        with restored_on_error(self):
            found = fit(
                with_own_seed(self.to_local()), self._client(), X, y, sample_weight, validation
            )
            self._take_over(*found)
        return self

    def score(self, X, y, sample_weight=None):
        """Compute the score of the predictions, block by block.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            True target values, in the form that ``fit`` takes.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            Accuracy of a classifier (of all labels of a sample together, if multilabel), or the
            coefficient of determination of a regressor, averaged over targets.
        """
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        from . import _predict

        by_block = getattr(_predict, self._score_by_block)
        return _predict.score(self.to_local(), self._client(), X, y, sample_weight, by_block)

    def to_local(self):
        """Return the ordinary estimator, fitted if this one is.

        Returns
        -------
        estimator : skmdlam.MDLAMClassifier or skmdlam.MDLAMRegressor
            It has the same parameters, except ``client``, and copies of the fitted attributes. It
            makes the same predictions and does not need Dask.
        """
        local = self._local_class.__new__(self._local_class)
        own = {
            name: value
            for name, value in vars(self).items()
            if name != "client" and not name.startswith("_skl_callback")
        }
        vars(local).update(copy.deepcopy(own))
        return local

    # -- what the methods need --------------------------------------------------------------------

    def _client(self):
        from ._client import client_for

        return client_for(self.client)

    def _partial_fit(self, X, y, sample_weight, classes=None):
        if not is_lazy(X):
            return super()._partial_fit(X, y, sample_weight, classes)
        from ._fit import learn, with_own_seed

        given = {} if classes is None else {"classes": classes}
        with restored_on_error(self):
            local = with_own_seed(self.to_local())
            self._take_over(*learn(local, self._client(), X, y, sample_weight, **given))
        return self

    def _take_over(self, local, caught):
        """Become what an ordinary estimator was fitted to on a worker, and warn as it has."""
        from ._watch import warn_again

        parameters = self.get_params(deep=False)
        own = vars(self)
        for name in [name for name in own if name.endswith("_") and name not in vars(local)]:
            del own[name]
        for name, value in vars(local).items():
            if name not in parameters:
                own[name] = value
        if hasattr(self.random_state, "set_state"):  # it has been drawn from
            self.random_state.set_state(check_random_state(local.random_state).get_state())
        warn_again(caught)

    def _lazily(self, X, method, n_results=1, **given):
        """What a method says of X: now, or when it is asked for."""
        if not is_lazy(X):
            return getattr(super(), method)(X, **given)
        from ._predict import lazy_output

        return lazy_output(self.to_local(), X, method, n_results, **given)

    def __sklearn_clone__(self):
        """Copy the parameters; the client is the same one."""
        other = copy.copy(self)
        other.client = None
        clone = _clone_parametrized(other)
        clone.client = self.client
        return clone

    def __getstate__(self):
        return super().__getstate__() | {"client": None}


def _transform(self, X, layer=-1):
    """Compute the activations of a hidden layer, as learned features.

    Parameters
    ----------
    X : collection or array-like of shape (n_samples, n_features)
        Samples.
    layer : int, default=-1
        Index of the hidden layer: 0 is the first one, -1 the last.

    Returns
    -------
    activations : collection or ndarray of shape (n_samples, n_units)
        For a collection, a lazy collection of the same kind.
    """
    return self._lazily(X, "transform", layer=layer)


_transform.__name__ = "transform"
_transform.__qualname__ = "_OnWorkers.transform"
# Assigned here, scikit-learn does not wrap it, as in the ordinary estimator.
_OnWorkers.transform = available_if(_has_hidden_layers)(_transform)


class MDLAMClassifier(_OnWorkers, LocalClassifier):
    """Multi-layer perceptron classifier for Dask collections.

    Collections are fitted by the workers of a client. Predictions of collections are lazy. Data in
    memory are fitted locally, as by :class:`skmdlam.MDLAMClassifier`.

    Parameters
    ----------
    hidden_layer_sizes, activation, n_networks, calibrate, solver, rho, epsilon, alpha : object
        See the ordinary estimator.
    penalty, l1_ratio, encoding, categorical_features, activity_alpha, batch_size : object
        See the ordinary estimator.
    max_iter, tol, n_iter_no_change, early_stopping, validation_fraction, scoring : object
        See the ordinary estimator.
    class_weight, shuffle, clip, warm_start, random_state, verbose : object
        See the ordinary estimator.
    client : distributed.Client or None, default=None
        Client whose workers fit collections. None is the client that was started last. It is not
        pickled; a clone has the same one.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. All other fitted attributes are those of the ordinary estimator.

    See Also
    --------
    skmdlam.MDLAMClassifier : The ordinary estimator, which documents the parameters.

    Notes
    -----
    A small collection, of up to 16 million numbers (samples times features) or in a single chunk,
    is fitted by one worker. The result is that of the ordinary estimator on the same samples, bit
    for bit on the same kind of machine. A larger one is distributed: no worker has to hold more
    than some blocks of samples. See :ref:`distributed`.

    The same ``random_state`` gives the same weights for the same data and chunks, whatever the
    number of workers, and even if some of them die: what is lost is computed again. A
    ``RandomState`` instance is used by a worker, and its state is updated here.

    Ctrl-C ends a fit with the best weights so far; a second one aborts the fit. ``verbose=True``
    shows the progress locally. Callbacks are not called for collections.

    Examples
    --------
    >>> import dask.array as da
    >>> from dask.distributed import Client
    >>> from sklearn.datasets import load_iris
    >>> from skmdlam.dask import MDLAMClassifier
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(40, -1)), da.from_array(y, chunks=40)
    >>> model = MDLAMClassifier((20,), random_state=0).fit(X, y)
    >>> labels = model.predict(X)  # lazy
    >>> labels.chunks
    ((40, 40, 40, 30),)
    >>> labels[:3].compute()
    array([0, 0, 0])
    >>> round(model.score(X, y), 1)
    1.0
    >>> ordinary = model.to_local()  # to store it, and to predict without Dask
    >>> client.close()
    """

    _local_class = LocalClassifier
    _score_by_block = "accuracy"
    _parameter_constraints: dict = {
        **LocalClassifier._parameter_constraints,
        "client": "no_validation",
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
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
        class_weight=None,
        shuffle=True,
        clip=True,
        warm_start=False,
        random_state=None,
        verbose=False,
        client=None,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation,
            n_networks=n_networks,
            calibrate=calibrate,
            solver=solver,
            rho=rho,
            epsilon=epsilon,
            alpha=alpha,
            penalty=penalty,
            l1_ratio=l1_ratio,
            encoding=encoding,
            categorical_features=categorical_features,
            activity_alpha=activity_alpha,
            batch_size=batch_size,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            scoring=scoring,
            class_weight=class_weight,
            shuffle=shuffle,
            clip=clip,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.client = client

    @available_if(can_learn_a_stream)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Update the model with the blocks of a collection, or with one chunk in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples, in the forms that :meth:`fit` takes. Each block is a chunk of the stream, in
            their order; empty blocks are skipped.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Sample weights.
        classes : array-like of shape (n_classes,), default=None
            All classes that can occur in y. Required in the first call.

        Returns
        -------
        self : object
            The estimator, as if each block was learned locally. If the call fails or is
            interrupted, it is left unchanged.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def decision_function(self, X):
        """Compute the output of the network before the softmax or logistic function.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : collection or ndarray of shape (n_samples,) or (n_samples, n_classes)
            For a collection, a lazy collection of the same kind.
        """
        return self._lazily(X, "decision_function")

    def predict_proba(self, X):
        """Predict class probabilities.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : collection or ndarray of shape (n_samples, n_classes)
            For a collection, a lazy collection of the same kind.
        """
        return self._lazily(X, "predict_proba")

    def predict_log_proba(self, X):
        """Predict the logarithm of class probabilities.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_probabilities : collection or ndarray of shape (n_samples, n_classes)
            For a collection, a lazy collection of the same kind.
        """
        return self._lazily(X, "predict_log_proba")

    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : collection or ndarray of shape (n_samples,) or (n_samples, n_labels)
            For a collection, a lazy collection of the same kind.
        """
        return self._lazily(X, "predict")


class MDLAMRegressor(_OnWorkers, LocalRegressor):
    """Multi-layer perceptron regressor for Dask collections.

    Collections are fitted by the workers of a client. Predictions of collections are lazy. Data in
    memory are fitted locally, as by :class:`skmdlam.MDLAMRegressor`.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, quantile, n_networks, calibrate, solver, rho : object
        See the ordinary estimator.
    epsilon, alpha, penalty, l1_ratio, encoding, categorical_features, activity_alpha : object
        See the ordinary estimator.
    batch_size, max_iter, tol, n_iter_no_change, early_stopping, validation_fraction : object
        See the ordinary estimator.
    scoring, shuffle, clip, warm_start, random_state, verbose : object
        See the ordinary estimator.
    client : distributed.Client or None, default=None
        Client whose workers fit collections. None is the client that was started last. It is not
        pickled; a clone has the same one.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer. All other fitted attributes are those of the ordinary estimator.

    See Also
    --------
    skmdlam.MDLAMRegressor : The ordinary estimator, which documents the parameters.

    Notes
    -----
    A small collection, of up to 16 million numbers (samples times features) or in a single chunk,
    is fitted by one worker. The result is that of the ordinary estimator on the same samples, bit
    for bit on the same kind of machine. A larger one is distributed: no worker has to hold more
    than some blocks of samples. See :ref:`distributed`.

    The same ``random_state`` gives the same weights for the same data and chunks, whatever the
    number of workers, and even if some of them die: what is lost is computed again. A
    ``RandomState`` instance is used by a worker, and its state is updated here.

    Ctrl-C ends a fit with the best weights so far; a second one aborts the fit. ``verbose=True``
    shows the progress locally. Callbacks are not called for collections.

    Examples
    --------
    >>> import dask.array as da
    >>> from dask.distributed import Client
    >>> from sklearn.datasets import load_diabetes
    >>> from skmdlam.dask import MDLAMRegressor
    >>> client = Client(processes=False, n_workers=1, dashboard_address=":0")
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(100, -1)), da.from_array(y, chunks=100)
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), random_state=0).fit(X, y)
    >>> predicted = model.predict(X)  # lazy
    >>> predicted.chunks
    ((100, 100, 100, 100, 42),)
    >>> round(model.score(X, y), 1)
    0.5
    >>> ordinary = model.to_local()  # to store it, and to predict without Dask
    >>> client.close()
    """

    _local_class = LocalRegressor
    _score_by_block = "explained"
    _parameter_constraints: dict = {
        **LocalRegressor._parameter_constraints,
        "client": "no_validation",
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
        client=None,
    ):
        super().__init__(
            loss,
            hidden_layer_sizes,
            activation,
            quantile=quantile,
            n_networks=n_networks,
            calibrate=calibrate,
            solver=solver,
            rho=rho,
            epsilon=epsilon,
            alpha=alpha,
            penalty=penalty,
            l1_ratio=l1_ratio,
            encoding=encoding,
            categorical_features=categorical_features,
            activity_alpha=activity_alpha,
            batch_size=batch_size,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            scoring=scoring,
            shuffle=shuffle,
            clip=clip,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.client = client

    @available_if(can_learn_a_stream)
    def partial_fit(self, X, y, sample_weight=None):
        """Update the model with the blocks of a collection, or with one chunk in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples, in the forms that :meth:`fit` takes. Each block is a chunk of the stream, in
            their order; empty blocks are skipped.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : object
            The estimator, as if each block was learned locally. If the call fails or is
            interrupted, it is left unchanged.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X, return_std=False):
        """Predict target values.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard deviations of new targets. It requires a fit with
            ``calibrate=True``.

        Returns
        -------
        y : collection or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            For a collection, a lazy collection of the same kind.
        std : collection or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviations of new targets around them. Only if ``return_std=True``.
        """
        return self._lazily(X, "predict", 2 if return_std else 1, return_std=return_std)
