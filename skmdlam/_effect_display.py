"""Plot of the effects of single features."""

import copy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.utils import Bunch, check_array, check_random_state

from ._encoding import level_names, seen_by_network
from ._feature_panels import (
    MOST_SHOWN,
    check_panels,
    few_ticks,
    is_at_left,
    log_if_skewed,
    make_panels,
    mark_along_axis,
    names_of_features,
    places_of_features,
    shortened,
)
from ._frames import table_of
from ._inputs import block_name
from ._plotting import COLORS, check_choice, is_integer, long_names, plain_text, pyplot, suggestion
from ._reader import Reader
from ._unwrapping import check_has_weights, names_of_columns, unwrapped
from ._validation import refuse_strings

_RESPONSES = ("auto", "predict_proba", "decision_function")
# Values of a feature up to which each has a marker.
_FEW_VALUES = 12
# Levels of a category that have room in a panel, and letters of their names.
_MOST_LEVELS, _MOST_LETTERS = 12, 14
# Positive values have a log scale where the last decile is so many times the first.
_SKEWED = 30.0
# Of the panels of partial dependence and of curves.
_HEIGHTS = (1.0, 0.7)


class FeatureEffectDisplay:
    r"""Effects of single features: partial dependence, and contributions to the hidden units.

    There are two axes for each feature. The upper one shows its partial dependence: the mean
    prediction over samples in which the feature is set to one value after another. The lower one
    shows its contributions to the pre-activations of the first layer. For the hidden units that
    depend most on the feature, the contribution as a function of it is

    .. math::

        c_{jk}(x) = \sum_{s \in S_j} W_{sk}\, \varphi_s(x) - \text{mean over the samples},

    where :math:`S_j` are the encoded columns of feature j, :math:`\varphi_s` is column s as a
    function of the feature, and W is ``coefs_[0]``. It is a straight line for a feature that is not
    encoded.

    A category has a point for each of its levels, for at most twelve, the most frequent ones first.
    Missing values are a level named "missing" there. For a numeric feature with missing values a
    dotted line shows the mean prediction with the feature missing.

    The contributions are exact: :math:`z_k(x) = \bar z_k + \sum_j c_{jk}(x_j)` is the
    pre-activation of unit k, where :math:`\bar z_k` is its mean over the samples. Partial
    dependences do not add up to the prediction, because the layers after the first one combine
    features. In a network without hidden layers whose output activation is the identity they do,
    and both axes show the same curve.

    Create one with :meth:`from_estimator`, and redraw it with :meth:`plot`.

    Parameters
    ----------
    effects : list of :class:`~sklearn.utils.Bunch`
        For each feature that is shown:

        - ``feature``, ``name``: its index and its name; for one-hot columns that are read as one
          category (see ``features`` of :meth:`from_estimator`) the indices, and "first..last";
        - ``grid_values``: ndarray of shape (n_values,), increasing; for a category the levels, the
          most frequent one first, for one-hot columns their indices;
        - ``level_names``: names of the levels, None for numeric features;
        - ``n_levels``: number of levels among the samples, shown or not, 0 for numeric features;
        - ``average``: ndarray of shape (n_values,), the partial dependence at these values;
        - ``missing``: float, the partial dependence for a missing value; None for a category, and
          if no sample has one;
        - ``units``: ndarray of int of shape (n_units,), the hidden units that depend most on it,
          ordered by the standard deviation of the contribution over the samples times the norm of
          the outgoing weights of the unit;
        - ``curves``: ndarray of shape (n_values, n_units), the contributions to these units;
        - ``knots``: ndarray, those of the encoding; empty for a feature that is not encoded;
        - ``deciles``: ndarray of shape (9,), of the samples without missing values; empty for a
          category.
    response : str, default="prediction"
        What is averaged, for the label.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_shown, 2)
        For each feature the axes of the partial dependence, and of the contributions.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        Partial dependence, a line for each feature.
    missing_lines_ : list of matplotlib Line2D
        Partial dependence for missing values, None for a feature without any.
    curve_lines_ : list of list of matplotlib Line2D
        For each feature the contributions to units.
    deciles_ : list of matplotlib LineCollection
        For each feature the deciles of the samples, short lines on the horizontal axis.

    See Also
    --------
    EncodingDisplay : The encoding of the features.
    sklearn.inspection.PartialDependenceDisplay : Partial dependence of any estimator, of pairs of
        features, and of single samples.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skmdlam import FeatureEffectDisplay, MDLAMRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), encoding="piecewise", random_state=0)
    >>> model = model.fit(X, y)
    >>> display = FeatureEffectDisplay.from_estimator(model, X, ["bmi", "s5"], n_units=3)
    >>> [effect.curves.shape[1] for effect in display.effects]
    [3, 3]
    """

    def __init__(self, effects, *, response="prediction"):
        self.effects = effects
        self.response = response

    def plot(self, ax=None, *, line_kw=None, curve_kw=None):
        """Draw the effects.

        Axes of one kind have the same vertical limits, so that features can be compared. The
        horizontal axis has a log scale if the values are positive and the ninth decile is more than
        thirty times the first.

        Parameters
        ----------
        ax : array of matplotlib Axes, default=None
            Axes to draw in, two for each feature, of shape (n_shown, 2) or in this order. None
            creates a new figure.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for the partial
            dependence.
        curve_kw : dict, default=None
            The same for the contributions.

        Returns
        -------
        display : FeatureEffectDisplay
            This object, with its attributes.
        """
        if not self.effects:
            raise ValueError("effects holds no feature to draw.")
        plt = pyplot(f"{type(self).__name__}.plot")
        self.ax_ = make_panels(plt, ax, len(self.effects), _HEIGHTS)
        self.figure_ = self.ax_[0, 0].figure
        self.lines_, self.curve_lines_, self.deciles_ = [], [], []
        self.missing_lines_ = []
        line_kw, curve_kw = long_names(line_kw or {}), long_names(curve_kw or {})
        for (upper, lower), effect in zip(self.ax_, self.effects, strict=True):
            levels = effect.get("level_names")
            x = effect.grid_values if levels is None else np.arange(len(levels))
            few = len(x) <= _FEW_VALUES
            style = {"color": COLORS[1], "linewidth": 2.4, "marker": "o" if few else None}
            if levels is not None:  # they have no order
                style["linestyle"] = "none"
            self.lines_ += upper.plot(x, effect.average, **style | line_kw)
            self.missing_lines_.append(_draw_missing(upper, effect))
            self.curve_lines_.append(self._draw_curves(lower, effect, x, curve_kw))
            self.deciles_.append(mark_along_axis(lower, effect.deciles))
            upper.set_title(shortened(effect.name), fontsize=10)
            upper.tick_params(labelbottom=False)
            if levels is not None:
                _level_ticks(lower, levels, effect.n_levels)
            elif few or not log_if_skewed(lower, *effect.deciles[[0, -1]], x, _SKEWED):
                few_ticks(lower, x)
        for axes, values in zip(self.ax_.T, ("average", "curves"), strict=True):
            shown = [effect[values] for effect in self.effects]
            if values == "average":
                missing = [effect.get("missing") for effect in self.effects]
                shown += [np.array([value]) for value in missing if value is not None]
            limits = _limits(shown)
            for axis in axes:
                axis.set_ylim(limits)
                if not is_at_left(axis):
                    axis.tick_params(labelleft=False)
        for upper, lower in self.ax_:
            if is_at_left(upper):
                label = plain_text(f"partial dependence:\n{self.response}")
                upper.set_ylabel(label, fontsize=9)
                lower.set_ylabel("contribution\nto units", fontsize=9)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        features=None,
        *,
        target=None,
        response_method="auto",
        n_units=8,
        percentiles=(0.01, 0.99),
        grid_resolution=60,
        subsample=1000,
        random_state=0,
        feature_names=None,
        ax=None,
        line_kw=None,
        curve_kw=None,
    ):
        """Compute the effects of features and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`, or another estimator with
            ``coefs_`` such as MLPClassifier. For a search its ``best_estimator_`` is used. For a
            Pipeline the last step is used, and the features are the outputs of the steps before.
            For a TransformedTargetRegressor it is the regressor, which predicts the transformed
            target.
        X : {array-like, data frame} of shape (n_samples, n_features)
            Samples to average over, such as the training samples, in the form that ``estimator``
            takes, with categories and missing values.
        features : int, str or sequence of these, default=None
            Features to show, by index or name. None is the six with the largest contributions: by
            the root of the sum over units of the squares by which units are ordered. One-hot
            columns that the estimator reads as one category, which ``input_names_`` names
            "first..last", are shown together by this name.
        target : int or str, default=None
            Output to show. For a classifier this is a class, required with more than two; with
            two classes None is the second. With several targets, or in multilabel classification,
            it is an index, and required.
        response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
            Method of a classifier to average; "auto" is "predict_proba". For a regressor it is the
            prediction.
        n_units : int or None, default=8
            Maximal number of units whose contributions are shown; None is all.
        percentiles : tuple of float, default=(0.01, 0.99)
            Lower and upper quantile of the values of a numeric feature that are shown.
        grid_resolution : int, default=60
            Number of values of a feature, besides knots: half of them quantiles of the samples,
            half evenly spaced. A feature with fewer values has all of them.
        subsample : int or None, default=1000
            Number of samples to average over, drawn from X if there are more; None uses all.
        random_state : int, RandomState instance or None, default=0
            Determines which samples are drawn.
        feature_names : sequence of str of length n_features, default=None
            Names of all features. None uses those that the estimator was fitted with, or the
            previous steps of the Pipeline give them, else x0, x1, ...
        ax : array of matplotlib Axes, default=None
            Axes to draw in, two for each feature. None creates a new figure.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for the partial
            dependence.
        curve_kw : dict, default=None
            The same for the contributions.

        Returns
        -------
        display : FeatureEffectDisplay
            Object that stores the effects and the matplotlib objects.

        Raises
        ------
        ValueError
            If X is sparse, a feature or the target is not known, a feature has no values or is one
            of several columns that are read as one category, or an option is not valid.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        Partial dependence is that of :func:`sklearn.inspection.partial_dependence` with
        ``kind="average"``, ``method="brute"`` and categories in ``categorical_features``, at other
        grid values and over the subsample.

        Examples
        --------
        The features with the largest contributions, for one class of three:

        >>> from sklearn.datasets import load_iris
        >>> from skmdlam import FeatureEffectDisplay, MDLAMClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MDLAMClassifier((10,), random_state=0).fit(X, y)
        >>> display = FeatureEffectDisplay.from_estimator(model, X, target=2)
        >>> sorted(effect.name for effect in display.effects)
        ['x0', 'x1', 'x2', 'x3']
        >>> display.response
        'probability of 2'
        """
        _check_options(response_method, n_units, percentiles, grid_resolution, subsample)
        pyplot(f"{cls.__name__}.plot")  # tells what is missing before any work
        model, X, feature_names = _network_and_inputs(estimator, X, feature_names)
        names = names_of_features(feature_names, model, model.n_features_in_)
        blocks = _blocks(model)
        names += [block_name(block, names) for block in blocks]
        shown = None if features is None else places_of_features(features, names)
        _refuse_parts(shown, blocks, names)
        X = _checked(X, model)
        levels = _levels(model, X, blocks, names)
        if subsample is not None and X.shape[0] > subsample:
            rows = check_random_state(random_state).permutation(X.shape[0])[:subsample]
            X = X[np.sort(rows)]
        empty = _without_values(X, levels)
        _refuse_empty(shown, empty, names)
        layer = _FirstLayer(model, X, blocks)
        predict, response = _response(layer, target, response_method)
        if shown is None:
            size = np.sqrt((layer.spread**2).sum(axis=1))
            parts = {int(column) for block in blocks for column in block}
            order = np.argsort(-size, kind="stable").tolist()
            shown = [j for j in order if j not in parts and j not in empty][:MOST_SHOWN]
        check_panels(ax, len(shown), len(_HEIGHTS))
        effects = []
        for j in shown:
            own = levels.get(j)
            if own is None:
                x = X[~np.isnan(X[:, j]), j]
                grid = values = _grid(x, layer.knots[j], percentiles, grid_resolution)
                deciles = np.quantile(x, np.arange(0.1, 1.0, 0.1))
            else:
                grid, values, deciles = own.codes, own.values, np.empty(0)
            missing = None
            if own is None and np.isnan(X[:, j]).any():
                (missing,) = _partial_dependence(predict, layer, j, np.array([np.nan]))
            units = np.argsort(-layer.spread[j], kind="stable")[:n_units]
            effects.append(
                Bunch(
                    feature=int(j) if j < X.shape[1] else blocks[j - X.shape[1]],
                    name=names[j],
                    grid_values=values,
                    level_names=None if own is None else own.names,
                    n_levels=0 if own is None else own.n_levels,
                    average=_partial_dependence(predict, layer, j, grid),
                    missing=missing,
                    units=units,
                    curves=layer.curves(j, grid)[:, units],
                    knots=layer.knots[j],
                    deciles=deciles,
                )
            )
        display = cls(effects, response=response)
        return display.plot(ax=ax, line_kw=line_kw, curve_kw=curve_kw)

    @staticmethod
    def _draw_curves(axis, effect, x, options):
        """The one of the largest effect on top, and darkest."""
        axis.axhline(0, color="0.85", linewidth=0.8, zorder=1)
        lines = []
        for place, curve in enumerate(np.asarray(effect.curves).T):
            style = {
                "color": COLORS[0],
                "alpha": 0.3 + 0.6 * 0.7**place,
                "linewidth": 1.0,
                "zorder": 3 - 0.001 * place,
            }
            if effect.get("level_names") is not None:
                style |= {"linestyle": "none", "marker": "_", "markersize": 9}
            lines += axis.plot(x, curve, **style | options)
        return lines


class _FirstLayer:
    """What the first layer of a network makes of each feature.

    Parameters
    ----------
    model : estimator
    X : ndarray of shape (n_samples, n_features)
        Samples that curves are centered over, in numbers and codes.
    blocks : list of ndarray
        Columns of zeros and ones that are read as one category, features behind the others.

    Attributes
    ----------
    network : estimator
        The same network, for samples that are encoded.
    encoded : ndarray of shape (n_samples, n_encoded_features)
        The samples as the first layer sees them.
    source : ndarray of int of shape (n_encoded_features,)
        The feature that each encoded column is made of.
    spread : ndarray of shape (n_features + n_blocks, n_units)
        Standard deviation of each curve over the samples, times the norm of the outgoing weights of
        the unit.
    knots : list of ndarray
        Of each feature, empty for one without.
    """

    def __init__(self, model, X, blocks=()):
        self._model, self._W = model, model.coefs_[0].astype(float)
        self.network = _of_encoded_samples(model)
        self._d, self._blocks = X.shape[1], blocks
        d = self._d + len(blocks)
        encoder, inputs = (getattr(model, name, None) for name in ("encoder_", "_inputs"))
        self.knots = [np.empty(0)] * d
        if encoder is not None:
            # Those of scores are no values of a category.
            n_scores = 0 if inputs.scores is None else inputs.scores.size
            kept = inputs.made_of[: len(encoder.knots_) - n_scores]
            for knots, feature in zip(encoder.knots_, kept, strict=False):
                self.knots[feature] = knots
        self.source = np.arange(d) if inputs is None else inputs.source
        self.encoded = self._encode(X)
        outgoing = 1.0
        if len(model.coefs_) > 1:
            outgoing = np.linalg.norm(model.coefs_[1].astype(float), axis=1)
        self._center, self.spread = np.empty((2, d, self._W.shape[1]))
        for j in range(d):
            own = self.source == j
            values = self.encoded[:, own] @ self._W[own]
            self._center[j], self.spread[j] = values.mean(axis=0), values.std(axis=0) * outgoing

    def columns(self, j, x):
        """Encoded columns of feature j at some values, shape (n_values, n_columns).

        Of a category these are codes, of a block the columns that are one.
        """
        X = np.zeros((x.size, self._d))
        X[np.arange(x.size), x if j >= self._d else j] = 1.0 if j >= self._d else x
        return self._encode(X)[:, self.source == j]

    def curves(self, j, x):
        """Curves of feature j at some values, shape (n_values, n_units)."""
        return self.columns(j, x) @ self._W[self.source == j] - self._center[j]

    def _encode(self, X):
        """A new array."""
        if not hasattr(self._model, "_inputs"):
            return X.copy()
        return np.array(seen_by_network(self._model, X)[:])


# -- what is shown --------------------------------------------------------------------------------


def _network_and_inputs(estimator, X, names):
    """The network inside of a search or a pipeline, what it sees of X, and names of that."""
    model, before = unwrapped(estimator)
    check_has_weights(model)
    if before and names is None:
        names = names_of_columns(model, before)
    for steps in before:
        X = steps.transform(X)
    return model, X, names


def _checked(X, model):
    """Samples as float64, categories as codes and gaps as NaN where the model takes these."""
    if sp.issparse(X):
        raise ValueError("X is sparse: pass some of its rows as a dense array, X.toarray().")
    table = table_of(X)
    known = getattr(model, "feature_names_in_", None)
    if table.named and known is not None and table.names != list(known):
        raise ValueError("The feature names of X are not those that the estimator was fitted with.")
    reader = getattr(model, "_reader", None)
    if reader is None:
        refuse_strings(X, "X")
        X = check_array(X, dtype=np.float64)
    if len(table.shape) == 2 and table.shape[1] != model.n_features_in_:
        raise ValueError(
            f"X has {table.shape[1]} features, but {type(model).__name__} is expecting "
            f"{model.n_features_in_} features as input."
        )
    if reader is None:
        return X
    X = reader.read(table) if len(table.shape) == 2 else X
    return check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X")


@dataclass(frozen=True)
class _Levels:
    """Levels of a category that are shown.

    Attributes
    ----------
    codes : ndarray of shape (n_shown,)
        The most frequent one first; of a block its columns.
    values : ndarray of shape (n_shown,)
        The levels themselves.
    names : list of str
    n_levels : int
        Levels that there are among the samples.
    """

    codes: np.ndarray
    values: np.ndarray
    names: list
    n_levels: int

    @classmethod
    def of(cls, counts, codes, values, names):
        """The most frequent levels, from the counts, codes, values and names of all."""
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        shown = order[:_MOST_LEVELS]
        return cls(codes[shown], values[shown], [names[code] for code in shown], order.size)


def _blocks(model):
    """Columns of zeros and ones that the model reads as one category."""
    inputs = getattr(model, "_inputs", None)
    return [] if inputs is None else inputs.blocks


def _levels(model, X, blocks, names):
    """Levels by the categories among the features, blocks behind the others."""
    found = {}
    if getattr(model, "is_categorical_", None) is not None:
        labels = level_names(model)
        for (column, own), values in zip(labels.items(), model.categories_, strict=True):
            codes = X[:, column]
            counts = np.bincount(codes[~np.isnan(codes)].astype(int), minlength=len(own))
            found[column] = _Levels.of(counts, np.arange(len(own)), values, own)
    for place, block in enumerate(blocks, start=X.shape[1]):
        own = [names[column] for column in block]
        found[place] = _Levels.of((X[:, block] > 0).sum(axis=0), block, block, own)
    return found


def _refuse_parts(shown, blocks, names):
    """Refuse columns of a block: what one of them does is not a function of it alone."""
    for block in blocks:
        asked = [names[j] for j in shown or () if j in block]
        if asked:
            name = block_name(block, names)
            raise ValueError(
                f"features: {', '.join(asked)} is one of the one-hot columns that are read as one "
                f"category: ask for {name!r}."
            )


def _without_values(X, levels):
    """Features of which the samples have no value: nothing but gaps, or no level that is known."""
    empty = set(np.flatnonzero(np.isnan(X).all(axis=0)).tolist())
    return empty | {feature for feature, own in levels.items() if own.n_levels == 0}


def _refuse_empty(shown, empty, names):
    asked = [names[j] for j in shown or () if j in empty]
    if asked or len(empty) == len(names):
        which = ", ".join(asked or names[:10])
        raise ValueError(f"X has no values of {which}, only gaps (NaN) or categories not known.")


def _of_encoded_samples(model):
    """A shallow copy that takes samples as its first layer sees them, without names."""
    model = copy.copy(model)
    for name in ("feature_names_in_", "data_min_", "data_max_"):
        vars(model).pop(name, None)
    if getattr(model, "encoder_", None) is not None:
        model.encoder_ = None
    model._inputs = None
    model.n_features_in_ = model.coefs_[0].shape[0]
    model._reader = Reader.of_numbers(model.n_features_in_)
    return model


def _response(layer, target, method):
    """A function of encoded samples that gives one number for each, and its name."""
    model, X = layer.network, layer.encoded
    several = model.predict(X[:1]).ndim == 2
    if not is_classifier(model):
        if method != "auto":
            raise ValueError(f'response_method must be "auto" for a regressor; got {method!r}.')
        if not several:
            if target not in (None, 0):
                raise ValueError(f"target: there is one output only; got {target!r}.")
            return model.predict, "prediction"
        j = _output_index(target, model.predict(X[:1]).shape[1])
        return lambda X: model.predict(X)[:, j], f"output {j}"
    if method == "auto":
        method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    if not hasattr(model, method):
        raise ValueError(f"{type(model).__name__} has no {method}.")
    respond = getattr(model, method)
    word = "probability" if method == "predict_proba" else "decision function"
    if several:
        j = _output_index(target, respond(X[:1]).shape[1])
        return lambda X: respond(X)[:, j], f"{word} of label {j}"
    classes = list(model.classes_)
    if target is None:
        if len(classes) > 2:
            raise ValueError(
                f"target must be one of the {len(classes)} classes, of which "
                f"the effects are shown: {_listed(classes)}."
            )
        target = classes[-1]
    if target not in classes:
        near = suggestion(str(target), list(map(str, classes)))
        raise ValueError(
            f"target must be a class, of {_listed(classes)}; got {target!r}{near or '.'}"
        )
    j = classes.index(target)
    name = f"{word} of {target}"
    if respond(X[:1]).ndim == 1:  # for two classes it is that of the second one
        sign = 1.0 if j == len(classes) - 1 else -1.0
        return lambda X: sign * respond(X), name
    return lambda X: respond(X)[:, j], name


def _output_index(target, n_outputs):
    if not is_integer(target) or not 0 <= target < n_outputs:
        raise ValueError(
            f"target must be the index of an output, from 0 to {n_outputs - 1}; got {target!r}."
        )
    return int(target)


def _listed(classes):
    return ", ".join(map(str, classes[:10])) + (", ..." if len(classes) > 10 else "")


def _grid(x, knots, percentiles, resolution):
    """Values of a feature to show: all where there are few; else quantiles, even ones and knots."""
    values = np.unique(x)
    if values.size <= resolution:
        return values
    low, high = np.quantile(x, percentiles)
    if low == high:
        low, high = values[[0, -1]]
    half = -(-resolution // 2)
    quantiles = np.quantile(x, np.linspace(*percentiles, half))
    found = np.r_[quantiles, np.linspace(low, high, resolution - half + 2), knots]
    return np.unique(found[(found >= low) & (found <= high)])


def _partial_dependence(predict, layer, j, grid):
    """Mean response with feature j at each value."""
    own, encoded = layer.source == j, layer.encoded
    before = encoded[:, own]
    average = np.empty(grid.size)
    for place, columns in enumerate(layer.columns(j, grid)):
        encoded[:, own] = columns
        average[place] = predict(encoded).mean()
    encoded[:, own] = before
    return average


def _level_ticks(axis, names, n_levels):
    """Names of levels below a panel, and how many there are where not all have room."""
    short = [shortened(name, _MOST_LETTERS) for name in names]
    options = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    options = options if len(names) > 2 or max(map(len, short), default=0) > 8 else {}
    axis.set_xticks(range(len(names)), short, fontsize=8, **options)
    axis.set_xlim(-0.6, len(names) - 0.4)
    if n_levels > len(names):
        axis.set_xlabel(f"{len(names)} most frequent of {n_levels:,} levels", fontsize=8)


def _draw_missing(axis, effect):
    """The line of missing values, with its name inside of the axes; None where there are none."""
    value, average = effect.get("missing"), effect.average
    if value is None:
        return None
    # At the end where the curve is further away.
    at_left = abs(average[0] - value) > abs(average[-1] - value)
    x, side = (0.02, "left") if at_left else (0.98, "right")
    at = axis.get_yaxis_transform()
    axis.text(x, value, "missing", transform=at, ha=side, va="bottom", fontsize=8)
    return axis.axhline(value, color="0.2", linestyle=":", linewidth=1.6)


def _limits(values):
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


# -- arguments ------------------------------------------------------------------------------------


def _check_options(response_method, n_units, percentiles, grid_resolution, subsample):
    check_choice("response_method", response_method, _RESPONSES)
    for name, value, least in (("n_units", n_units, 1), ("subsample", subsample, 2)):
        if value is not None and not (is_integer(value) and value >= least):
            raise ValueError(
                f"{name} must be an integer of at least {least}, or None; got {value!r}."
            )
    if not (is_integer(grid_resolution) and grid_resolution >= 2):
        raise ValueError(
            f"grid_resolution must be an integer of at least 2; got {grid_resolution!r}."
        )
    ends = np.asarray(percentiles, dtype=object)
    if ends.shape != (2,) or not 0 <= ends[0] < ends[1] <= 1:
        raise ValueError(
            f"percentiles must be two numbers from 0 to 1, increasing; got {percentiles!r}."
        )
