"""transform: the activations of a hidden layer as features for another estimator."""

from numbers import Integral

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if

from ._compat import with_column_names
from ._devices import where_X_lies
from ._encoding import by_blocks
from ._validation import check_new_X
from .engine.problem import hidden_activations


def _has_hidden_layers(estimator):
    """Whether there is something to transform into: by the fit, before it by the parameter."""
    if hasattr(estimator, "coefs_"):
        layers = len(estimator.coefs_) - 1
    else:
        layers = len(estimator._resolve_layer_sizes())
    if layers == 0:
        raise AttributeError(
            "transform needs a hidden layer, and with hidden_layer_sizes=() there is none: the "
            "model is linear."
        )
    return True


class HiddenFeaturesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """``transform``, ``fit_transform`` and the names of the features that these return.

    None of these is there where the network has no hidden layer.
    """

    @property
    def _n_features_out(self):
        if len(self.coefs_) == 1:
            raise AttributeError("A linear model has no hidden units.")
        return self.coefs_[-2].shape[1]

    @available_if(_has_hidden_layers)
    def get_feature_names_out(self, input_features=None):
        """Get the names of the units of the last hidden layer, the columns of :meth:`transform`.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only used to validate feature names with those seen in ``fit``.

        Returns
        -------
        names : ndarray of str
            Lowercased class name and number of each unit.
        """
        return super().get_feature_names_out(input_features)

    @available_if(_has_hidden_layers)
    def fit_transform(self, X, y=None, *, layer=-1, **fit_params):
        """Fit to data, then transform it: ``fit(X, y, **fit_params).transform(X, layer)``.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        layer : int, default=-1
            Which hidden layer, see :meth:`transform`.
        **fit_params : dict
            Additional arguments of ``fit``.

        Returns
        -------
        activations : ndarray of shape (n_samples, n_units)
            Activations of this hidden layer.
        """
        return self.fit(X, y, **fit_params).transform(X, layer)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self, "transform"):
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        else:
            tags.transformer_tags = None
        return tags


@where_X_lies
def _transform(self, X, layer=-1):
    """Compute the activations of a hidden layer, as learned features.

    Parameters
    ----------
    X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
        Samples.
    layer : int, default=-1
        Index of the hidden layer: 0 is the first one, -1 the last.

    Returns
    -------
    activations : ndarray of shape (n_samples, n_units)
        In the dtype of the fit; a data frame after ``set_output``.
    """
    data = check_new_X(self, X)
    n_layers = len(self.coefs_) - 1
    if not isinstance(layer, Integral) or isinstance(layer, bool):
        raise TypeError(f"layer must be an integer; got {layer!r}.")
    if not -n_layers <= layer < n_layers:
        raise ValueError(
            f"layer must be from {-n_layers} to {n_layers - 1}, an index of one of the {n_layers} "
            f"hidden layers; got {layer!r}."
        )

    def activations(inputs):
        weights = self.coefs_, self.intercepts_, self._activations
        return hidden_activations(inputs, *weights, layer % n_layers, self.n_networks_)

    values = by_blocks(self, data, activations)
    # scikit-learn wraps every method of this name so that its columns are the default ones. That is
    # done here instead, where the number of columns is that of the layer.
    prefix = type(self).__name__.lower()
    names = [f"{prefix}{unit}" for unit in range(values.shape[1])]
    return with_column_names(self, values, X, names)


_transform.__name__ = "transform"
_transform.__qualname__ = "HiddenFeaturesMixin.transform"
# Assigned here, the methods are not wrapped, and stay ones that may be missing.
HiddenFeaturesMixin.transform = available_if(_has_hidden_layers)(_transform)
HiddenFeaturesMixin.fit_transform = available_if(_has_hidden_layers)(
    HiddenFeaturesMixin.fit_transform
)
