"""The estimators of Dask collections."""

import copy

from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from .._base import can_learn_a_stream, restored_on_error
from .._classifier import MDLAMClassifier as LocalClassifier
from .._compat import _clone_parametrized
from .._regressor import MDLAMRegressor as LocalRegressor
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
        """Fit the network to collections, on the workers of the client, or to data in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs: a Dask array (chunks of any sizes, known or not, also of sparse matrices), a
            Dask data frame, or a list of delayed blocks (or what ``to_delayed`` of an array gives)
            or of futures, each an array, sparse matrix or data frame. Data in memory are fitted
            here, by the ordinary estimator.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in as many blocks with as many rows: an array, a series or frame, or a list.
            With an array X of known length any array will do.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Weights of the samples, in the form of y.
        X_val, y_val : collections or array-likes, default=None
            Samples to watch the fit on, as for the ordinary estimator.
        sample_weight_val : collection or array-like of shape (n_validation_samples,), default=None
            Their weights.

        Returns
        -------
        self : object
            The fitted estimator. When the fit fails it is left as it was before; when it is
            interrupted (Ctrl-C) it holds the best weights so far.

        Raises
        ------
        RuntimeError
            When the workers died again and again, or when there were none for a minute.
        ValueError
            When a parameter, the data or the weights are not valid, with the block that is not;
            when there is no client.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` sweeps were not enough or the fit was interrupted.
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
        """Score of the predictions, as of the ordinary estimator; sums over the blocks.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            What is right for them, in the form that ``fit`` takes.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Mean accuracy of a classifier, of all labels together where there are several; R^2 of a
            regressor, the mean over several targets.
        """
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        from . import _predict

        by_block = getattr(_predict, self._score_by_block)
        return _predict.score(self.to_local(), self._client(), X, y, sample_weight, by_block)

    def to_local(self):
        """Return the ordinary estimator, fitted where this one is.

        Returns
        -------
        estimator : skmdlam.MDLAMClassifier or skmdlam.MDLAMRegressor
            With the same parameters, but for ``client``, and copies of the fitted attributes: it
            predicts the same, and needs no Dask.
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
    """Activations of a hidden layer: features that the network has learned.

    Parameters
    ----------
    X : collection or array-like of shape (n_samples, n_features)
        Inputs.
    layer : int, default=-1
        Which hidden layer, counted as in a Python list: 0 is the first one, -1 the last.

    Returns
    -------
    activations : collection or ndarray of shape (n_samples, n_units)
        Of a collection one of its kind, which is computed when it is asked for.
    """
    return self._lazily(X, "transform", layer=layer)


_transform.__name__ = "transform"
_transform.__qualname__ = "_OnWorkers.transform"
# Assigned here, scikit-learn does not wrap it, as in the ordinary estimator.
_OnWorkers.transform = available_if(_has_hidden_layers)(_transform)


class MDLAMClassifier(_OnWorkers, LocalClassifier):
    """Multi-layer perceptron classifier of Dask collections, by alternating minimization.

    Data in memory, arrays and data frames, are fitted by the ordinary estimator, here. A collection
    is fitted by the workers of a client. One that is small, up to 16 million numbers (rows times
    columns), or in one chunk, goes to one worker, whose result is that of the ordinary estimator on
    the same samples, bit for bit on the same kind of machine. Of a larger one no worker has to hold
    more than some blocks of rows. Predictions of collections are lazy: computed when they are asked
    for.

    Parameters
    ----------
    hidden_layer_sizes, activation, n_networks, calibrate, solver, rho, epsilon, alpha : object
        As of the ordinary estimator.
    penalty, l1_ratio, encoding, categorical_features, activity_alpha, batch_size : object
        As of the ordinary estimator.
    max_iter, tol, n_iter_no_change, early_stopping, validation_fraction, scoring : object
        As of the ordinary estimator.
    class_weight, shuffle, clip, warm_start, random_state, verbose : object
        As of the ordinary estimator.
    client : distributed.Client or None, default=None
        Whose workers fit collections; None for the client that was started last. It is not part of
        a pickle; a clone has the same one.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer; this and all else is as of the ordinary estimator.

    See Also
    --------
    skmdlam.MDLAMClassifier : The ordinary estimator, which says what the parameters are.

    Notes
    -----
    The same ``random_state`` gives the same weights on the same data and chunks, whatever the
    number of workers, and also when some of them die: what is lost is computed again. A
    ``RandomState`` instance is drawn from on a worker, and its state is put back here.

    Ctrl-C ends a fit with the best weights so far; a second one, before they have come, gives
    the fit up. ``verbose=True`` shows the epochs here. Callbacks are not called for collections.

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
    >>> labels = model.predict(X)  # of each chunk, once it is asked for
    >>> labels.chunks
    ((40, 40, 40, 30),)
    >>> labels[:3].compute()
    array([0, 0, 0])
    >>> model.score(X, y) > 0.95
    True

    What works without Dask, and can be stored:

    >>> ordinary = model.to_local()
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
        """Learn the blocks of a collection one after the other, or one chunk in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs, in the forms that :meth:`fit` takes. Each block is a chunk of the stream, in
            their order; empty ones are passed over.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come, as of the ordinary estimator.

        Returns
        -------
        self : object
            The estimator, as if it had learned each block here. When the call fails or is
            interrupted it is left as it was before.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def decision_function(self, X):
        """Output of the network before the softmax or logistic function.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        scores : collection or ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of a collection one of its kind, which is computed when it is asked for.
        """
        return self._lazily(X, "decision_function")

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        probabilities : collection or ndarray of shape (n_samples, n_classes)
            Of a collection one of its kind, which is computed when it is asked for.
        """
        return self._lazily(X, "predict_proba")

    def predict_log_proba(self, X):
        """Logarithm of :meth:`predict_proba`.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probabilities : collection or ndarray of shape (n_samples, n_classes)
            Of a collection one of its kind, which is computed when it is asked for.
        """
        return self._lazily(X, "predict_log_proba")

    def predict(self, X):
        """Most probable class.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : collection or ndarray of shape (n_samples,) or (n_samples, n_labels)
            Of a collection one of its kind, which is computed when it is asked for.
        """
        return self._lazily(X, "predict")


class MDLAMRegressor(_OnWorkers, LocalRegressor):
    """Multi-layer perceptron regressor of Dask collections, by alternating minimization.

    Data in memory, arrays and data frames, are fitted by the ordinary estimator, here. A collection
    is fitted by the workers of a client. One that is small, up to 16 million numbers (rows times
    columns), or in one chunk, goes to one worker, whose result is that of the ordinary estimator on
    the same samples, bit for bit on the same kind of machine. Of a larger one no worker has to hold
    more than some blocks of rows. Predictions of collections are lazy: computed when they are asked
    for.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, quantile, n_networks, calibrate, solver, rho : object
        As of the ordinary estimator.
    epsilon, alpha, penalty, l1_ratio, encoding, categorical_features, activity_alpha : object
        As of the ordinary estimator.
    batch_size, max_iter, tol, n_iter_no_change, early_stopping, validation_fraction : object
        As of the ordinary estimator.
    scoring, shuffle, clip, warm_start, random_state, verbose : object
        As of the ordinary estimator.
    client : distributed.Client or None, default=None
        Whose workers fit collections; None for the client that was started last. It is not part of
        a pickle; a clone has the same one.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer; this and all else is as of the ordinary estimator.

    See Also
    --------
    skmdlam.MDLAMRegressor : The ordinary estimator, which says what the parameters are.

    Notes
    -----
    The same ``random_state`` gives the same weights on the same data and chunks, whatever the
    number of workers, and also when some of them die: what is lost is computed again. A
    ``RandomState`` instance is drawn from on a worker, and its state is put back here.

    Ctrl-C ends a fit with the best weights so far; a second one, before they have come, gives
    the fit up. ``verbose=True`` shows the epochs here. Callbacks are not called for collections.

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
    >>> predicted = model.predict(X)  # of each chunk, once it is asked for
    >>> predicted.chunks
    ((100, 100, 100, 100, 42),)
    >>> model.score(X, y) > 0.5
    True

    What works without Dask, and can be stored:

    >>> ordinary = model.to_local()
    >>> client.close()
    """

    _local_class = LocalRegressor
    _score_by_block = "explained"
    _parameter_constraints: dict = {
        **LocalRegressor._parameter_constraints,
        "client": "no_validation",
    }

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
        """Learn the blocks of a collection one after the other, or one chunk in memory.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs, in the forms that :meth:`fit` takes. Each block is a chunk of the stream, in
            their order; empty ones are passed over.
        y : collection or array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : collection or array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The estimator, as if it had learned each block here. When the call fails or is
            interrupted it is left as it was before.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X, return_std=False):
        """Predict targets.

        Parameters
        ----------
        X : collection or array-like of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Whether to return the standard deviations of new targets too.

        Returns
        -------
        y : collection or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of a collection one of its kind, which is computed when it is asked for.
        std : collection or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Standard deviations of new targets around them; only with ``return_std``.
        """
        return self._lazily(X, "predict", 2 if return_std else 1, return_std=return_std)
