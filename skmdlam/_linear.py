"""coef_ and intercept_ of an estimator without hidden layers, which is a linear model."""


class LinearMixin:
    """``coef_`` and ``intercept_``; neither is there where the model is no linear one of X."""

    @property
    def coef_(self):
        """Coefficients of the columns of X, as scikit-learn's linear models have them.

        Only with ``hidden_layer_sizes=()``, and where the columns are plain numbers without
        gaps: neither categories nor encoded.

        Returns
        -------
        coef : ndarray of shape (n_features,) or (n_outputs, n_features)
            A row for each output, ``coefs_[0].T``; of a regressor with a single target, as in
            ``LinearRegression``, only that row.
        """
        W, _ = self._linear_model("coef_")
        return W.T[0] if self._one_target(W) else W.T

    @property
    def intercept_(self):
        """Intercepts beside :attr:`coef_`.

        Returns
        -------
        intercept : float or ndarray of shape (n_outputs,)
            A number for a regressor with a single target.
        """
        W, b = self._linear_model("intercept_")
        return b[0] if self._one_target(W) else b

    def _one_target(self, W):
        return not hasattr(self, "classes_") and W.shape[1] == 1

    def _linear_model(self, name):
        """Weights and intercepts of the only layer."""
        kind = type(self).__name__
        if not hasattr(self, "coefs_"):
            raise AttributeError(f"This {kind} is not fitted: no {name} yet.")
        if len(self.coefs_) > 1:
            raise AttributeError(
                f"{name} is that of a linear model, and this {kind} has hidden layers: their "
                "weights are coefs_ and intercepts_. As importances of the inputs take, for "
                "example, the norms of the rows of coefs_[0]."
            )
        if self._inputs is not None:
            raise AttributeError(
                f"{name} is that of a linear model of the columns of X, and this {kind} sees "
                "other ones: of categories, gaps or an encoding. coefs_[0] has a row for each of "
                "input_names_."
            )
        return self.coefs_[0], self.intercepts_[0]
