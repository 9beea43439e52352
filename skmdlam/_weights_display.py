"""Plot of the weights of one layer: a matrix with names, images, or which of them are zero."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils.sparsefuncs import mean_variance_axis

from ._encoding import seen_by_network
from ._feature_panels import shortened
from ._frames import table_of
from ._plotting import check_choice, is_integer, pyplot
from ._unwrapping import check_has_weights, features_of_inputs, names_of_inputs, unwrapped

_DIVERGING = "RdBu_r"
_KINDS = ("auto", "matrix", "image", "sparsity")
# So many names, and letters of each, are legible along an axis; so many numbers below one.
_MOST_NAMES, _MOST_LETTERS, _MOST_NUMBERS = 40, 28, 20
# Features, rows and units of a matrix where nobody says how many.
_MOST_FEATURES, _MOST_ROWS, _MOST_UNITS, _MOST_IMAGES = 30, 150, 100, 16


class WeightsDisplay:
    """Weights of one layer as a matrix with labeled rows, as images, or which of them are zero.

    Create one with :meth:`from_estimator`, and redraw it with :meth:`plot`.

    Parameters
    ----------
    coef : ndarray of shape (n_in, n_out)
        Weights of a layer, a column for each of its units.
    layer : int, default=0
        Index of the layer in ``coefs_``, for the title.
    feature_names : sequence of str of length n_in, default=None
        Names of the inputs of the layer.
    spread : ndarray of shape (n_in,), default=None
        Standard deviation of each input. Weights are multiplied by it, which makes those of
        features in different units comparable. None shows the weights themselves.
    groups : sequence of str of length n_in, default=None
        For each input the feature that it was made of, such as the one that a one-hot column
        encodes. Rows of the same feature are drawn together. None is a group for each input.
    unit_names : sequence of length n_out, default=None
        Names of the units, such as classes. None numbers them from 0.
    n_networks : int, default=1
        Number of networks whose units are side by side; lines separate them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the weights.
    figure_ : matplotlib Figure
        Figure containing the axes.
    image_ : matplotlib AxesImage
        What was drawn; for kind "image" all units are one image, with gaps between them.
    colorbar_ : matplotlib Colorbar or None
        Colorbar of the image; None for kind "sparsity", which has a legend.
    features_ : ndarray of int
        Indices of the inputs that are shown, from top to bottom.
    units_ : ndarray of int
        Indices of the units that are shown, from left to right.

    See Also
    --------
    ConvergenceDisplay : Training curves.
    FeatureEffectDisplay : Partial dependence, and curves of single features.

    Examples
    --------
    >>> import numpy as np
    >>> from skmdlam import WeightsDisplay
    >>> display = WeightsDisplay(np.eye(4)).plot(kind="sparsity")
    >>> display.ax_.get_title()
    'First layer: 12 of 16 weights are zero (75%)'
    """

    def __init__(
        self,
        coef,
        *,
        layer=0,
        feature_names=None,
        spread=None,
        groups=None,
        unit_names=None,
        n_networks=1,
    ):
        self.coef = coef
        self.layer = layer
        self.feature_names = feature_names
        self.spread = spread
        self.groups = groups
        self.unit_names = unit_names
        self.n_networks = n_networks

    def plot(
        self,
        ax=None,
        *,
        kind="auto",
        image_shape=None,
        n_features=None,
        n_units=None,
        image_kw=None,
    ):
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.
        kind : {"auto", "matrix", "image", "sparsity"}, default="auto"
            - "matrix": a row for each input, a column for each unit;
            - "image": the incoming weights of each unit as an image, units with the largest weights
              first;
            - "sparsity": which entries of the matrix are not zero;
            - "auto": "image" if ``image_shape`` is given, else "matrix".

            The colors of the first two are symmetric around zero. They saturate at the 99th
            percentile of the absolute weights.
        image_shape : (int, int), default=None
            Rows and columns of each image, for kind "image"; its pixels are the inputs, row by row.
            None is a square.
        n_features : int, default=None
            Maximal number of features in a matrix: those with the largest weights are shown, in
            their order. None is as many as are legible, at most 30, and all for kind "sparsity".
            The title says how many there are.
        n_units : int, default=None
            Maximal number of units: those with the largest weights are shown. None is 100 for kind
            "matrix", 16 for "image", and all for "sparsity".
        image_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            This object, with its attributes.
        """
        coef = np.asarray(self.coef)
        if coef.ndim != 2 or 0 in coef.shape:
            raise ValueError(f"coef must be a matrix with entries; got shape {coef.shape}.")
        self._check_length("feature_names", "a name", coef.shape[0], "inputs")
        self._check_length("spread", "a number", coef.shape[0], "inputs")
        self._check_length("groups", "a name", coef.shape[0], "inputs")
        self._check_length("unit_names", "a name", coef.shape[1], "units")
        check_choice("kind", kind, _KINDS)
        if kind == "auto":
            kind = "matrix" if image_shape is None else "image"
        _check_count("n_features", n_features)
        _check_count("n_units", n_units)
        image_shape = _check_image_shape(image_shape, kind, coef.shape[0])
        plt = pyplot(f"{type(self).__name__}.plot")

        if not np.isfinite(coef).all():
            raise ValueError("coef holds weights that are not finite.")
        W = coef if self.spread is None else coef * np.asarray(self.spread)[:, None]
        if n_units is None:
            n_units = {"matrix": _MOST_UNITS, "image": _MOST_IMAGES}.get(kind)
        # Stable, so that ties stay in the order of the units.
        units = np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:n_units]
        self.units_ = units if kind == "image" else np.sort(units)
        rows = _Rows.all_of(W, self.groups)
        if kind != "image":
            rows = rows.largest(n_features, limited=kind == "matrix")
        self.features_ = rows.inputs
        if ax is None:
            # Images keep their aspect; a matrix gets room for its names.
            layout = "compressed" if kind == "image" else "constrained"
            height = 5.4 if kind == "image" else min(max(0.2 * rows.inputs.size + 1.6, 3.6), 8.4)
            _, ax = plt.subplots(layout=layout, figsize=(6.4, height))
        self.ax_, self.figure_ = ax, ax.figure
        ax.grid(False)  # that of a style would be drawn across the weights
        W = W[np.ix_(self.features_, self.units_)]
        if kind == "image":
            self._draw_images(W, image_shape, image_kw or {})
        elif kind == "matrix":
            self._draw_matrix(W, rows, image_kw or {})
        else:
            self._draw_sparsity(W, rows, image_kw or {})
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        layer=0,
        kind="auto",
        image_shape=None,
        standardize=True,
        X=None,
        n_features=None,
        n_units=None,
        feature_names=None,
        ax=None,
        image_kw=None,
    ):
        """Draw the weights of one layer of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`, or any other estimator with
            ``coefs_``. For a Pipeline the last step is used, for a search its ``best_estimator_``.
        layer : int, default=0
            Index of the layer in ``coefs_``; negative numbers count from the end.
        kind : {"auto", "matrix", "image", "sparsity"}, default="auto"
            - "matrix": a row for each input, a column for each unit;
            - "image": the incoming weights of each unit as an image, units with the largest weights
              first;
            - "sparsity": which entries of the matrix are not zero;
            - "auto": "image" if ``image_shape`` is given, else "matrix".

            The colors of the first two are symmetric around zero. They saturate at the 99th
            percentile of the absolute weights.
        image_shape : (int, int), default=None
            Rows and columns of each image, for kind "image"; its pixels are the inputs, row by row.
            None is a square.
        standardize : bool, default=True
            Whether to multiply the weights of the first layer by the standard deviations of its
            inputs, as if the network had been fitted on standardized features.
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features), default=None
            Samples, as ``estimator`` takes them, to compute the standard deviations from. None uses
            those of the training samples; an estimator that does not store them, such as
            MLPClassifier, is shown with its weights as they are.
        n_features : int, default=None
            Maximal number of features in a matrix: those with the largest weights are shown, in
            their order. None is as many as are legible, at most 30, and all for kind "sparsity".
            A feature with several inputs, such as a one-hot encoded category, counts once.
        n_units : int, default=None
            Maximal number of units: those with the largest weights are shown. None is 100 for kind
            "matrix", 16 for "image", and all for "sparsity".
        feature_names : sequence of str, default=None
            Names of the inputs of the layer. None uses ``input_names_``, with the names that the
            previous steps of a Pipeline give to the columns, or ``feature_names_in_``.
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.
        image_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            Object that stores the weights and the matplotlib objects.

        Raises
        ------
        ValueError
            If there is no such layer or kind, or the image does not have as many pixels as the
            layer has inputs.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        The first layer, with a row for each feature:

        >>> from sklearn.datasets import load_diabetes, load_digits
        >>> from skmdlam import MDLAMClassifier, MDLAMRegressor, WeightsDisplay
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
        >>> model = MDLAMRegressor(hidden_layer_sizes=(10,), random_state=0).fit(X, y)
        >>> display = WeightsDisplay.from_estimator(model)
        >>> [label.get_text() for label in display.ax_.get_yticklabels()][:3]
        ['age', 'sex', 'bmi']

        Images, if the features are pixels:

        >>> X, y = load_digits(return_X_y=True)
        >>> model = MDLAMClassifier((20,), random_state=0).fit(X, y)
        >>> display = WeightsDisplay.from_estimator(model, image_shape=(8, 8), n_units=9)
        >>> len(display.units_)
        9
        """
        model, before = unwrapped(estimator)
        check_has_weights(model)
        n_layers = len(model.coefs_)
        if not is_integer(layer) or not -n_layers <= layer < n_layers:
            raise ValueError(
                f"layer must be an integer from 0 to {n_layers - 1}, or from -{n_layers} to -1; "
                f"got {layer!r}."
            )
        layer = int(layer) % n_layers
        spread = groups = None
        if layer == 0:
            if feature_names is None:
                feature_names = names_of_inputs(model, before)
            if standardize:
                spread = _spread_of_inputs(model, before, X)
            groups = features_of_inputs(model, before)
        display = cls(
            model.coefs_[layer],
            layer=layer,
            feature_names=feature_names,
            spread=spread,
            groups=groups,
            unit_names=_names_of_outputs(model) if layer == n_layers - 1 else None,
            n_networks=getattr(model, "n_networks_", 1) if layer < n_layers - 1 else 1,
        )
        return display.plot(
            ax=ax,
            kind=kind,
            image_shape=image_shape,
            n_features=n_features,
            n_units=n_units,
            image_kw=image_kw,
        )

    def _check_length(self, name, what, expected, of):
        values = getattr(self, name)
        if values is not None and len(values) != expected:
            raise ValueError(
                f"{name} must hold {what} for each of the {expected} {of} of layer {self.layer}; "
                f"got {len(values)}."
            )

    # -- the three kinds --------------------------------------------------------------------------

    @property
    def _title(self):
        return "First layer" if self.layer == 0 else f"coefs_[{self.layer}]"

    def _which(self, rows):
        return rows.shown("features" if self.layer == 0 else "inputs")

    def _draw_images(self, W, image_shape, image_kw):
        rows, columns = image_shape
        across = min(W.shape[1], math.ceil(math.sqrt(W.shape[1] * rows / columns)))
        down = -(-W.shape[1] // across)
        gap = max(1, round(0.1 * min(rows, columns)))
        mosaic = np.full(
            (down * (rows + gap) - gap, across * (columns + gap) - gap), np.nan, dtype=float
        )
        for place, weights in enumerate(W.T):
            i, j = (rows + gap) * (place // across), (columns + gap) * (place % across)
            mosaic[i : i + rows, j : j + columns] = weights.reshape(rows, columns)
        self._draw_signed(mosaic, image_kw)
        self.ax_.set_axis_off()
        n_units = np.shape(self.coef)[1]
        n_shown = len(self.units_)
        which = f"all {n_units}" if n_shown == n_units else f"the {n_shown} largest of {n_units}"
        self.ax_.set_title(f"{self._title}: weights of {which} units")

    def _draw_matrix(self, W, rows, image_kw):
        self._draw_signed(W, {"aspect": "auto", "interpolation": "none", **image_kw})
        self._name_axes(W, rows)
        self.ax_.set_title(f"{self._title}: weights" + self._which(rows))

    def _draw_sparsity(self, W, rows, image_kw):
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        colors = ["#E8E8E8", "#0072B2"]
        options = {"aspect": "auto", "cmap": ListedColormap(colors), "vmin": 0, "vmax": 1}
        options["interpolation"] = "none"
        self.image_ = self.ax_.imshow((W != 0).astype(float), **options | image_kw)
        self.colorbar_ = None
        self._name_axes(W, rows)
        patches = [
            Patch(facecolor=color, edgecolor="0.6", label=label)
            for color, label in zip(colors, ("zero", "not zero"), strict=True)
        ]
        self.ax_.legend(
            handles=patches, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small"
        )
        coef = np.asarray(self.coef)
        zeros, share = np.count_nonzero(coef == 0), 100 * np.mean(coef == 0)
        self.ax_.set_title(
            f"{self._title}: {zeros:,} of {coef.size:,} weights are zero ({share:.0f}%)"
            + self._which(rows)
        )

    def _draw_signed(self, values, image_kw):
        """Colors symmetric around zero; a few huge weights would leave the others white."""
        sizes = np.abs(values[np.isfinite(values) & (values != 0)])
        limit = np.percentile(sizes, 99) if sizes.size else 1.0
        options = {"cmap": _DIVERGING, "vmin": -limit, "vmax": limit}
        self.image_ = self.ax_.imshow(values, **options | image_kw)
        largest = sizes.max(initial=0.0)
        self.colorbar_ = self.figure_.colorbar(
            self.image_,
            # As high as the weights, whatever their aspect.
            cax=self.ax_.inset_axes([1.03, 0, 0.04, 1]),
            label="weight" if self.spread is None else "standardized weight",
            extend="both" if largest > self.image_.norm.vmax else "neither",
        )

    def _name_axes(self, W, rows):
        axis, n_units = self.ax_, np.shape(self.coef)[1]
        axis.set_ylabel(self._name_rows(rows))
        shown, all_shown = self.units_, self.units_.size == n_units
        if self.unit_names is not None and shown.size <= _MOST_NAMES:
            names = [shortened(str(self.unit_names[k]), _MOST_LETTERS) for k in shown]
            long = max(map(len, names)) > max(40 // shown.size, 1)
            options = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
            axis.set_xticks(range(shown.size), names, **options)
        elif shown.size <= _MOST_NUMBERS:
            axis.set_xticks(range(shown.size), shown)
        elif all_shown:
            axis.xaxis.get_major_locator().set_params(integer=True)
        else:
            axis.set_xticks([])  # their numbers are not those of the places
        word = "unit" if self.unit_names is None else "output"
        label = (
            word
            if all_shown
            else f"{shown.size} of {n_units:,} {word}s, those with the largest weights"
        )
        if self.n_networks > 1 and all_shown:
            each = n_units // self.n_networks
            for end in range(each, n_units, each):
                axis.axvline(end - 0.5, color="black", linewidth=0.8)
            label = f"unit, {self.n_networks} networks of {each}"
        axis.set_xlabel(label)

    def _name_rows(self, rows):
        """Names of rows, or of the features that they are of; returns the label of the axis."""
        axis, names, inputs = self.ax_, self.feature_names, rows.inputs
        word = "feature" if self.layer == 0 else "unit of the previous layer"
        for end in rows.ends[:-1] if rows.grouped else ():
            axis.axhline(end - 0.5, color="0.35", linewidth=0.6)
        if names is None:
            if inputs.size <= _MOST_NAMES:
                axis.set_yticks(range(inputs.size), inputs)
            elif inputs.size == np.shape(self.coef)[0]:
                axis.yaxis.get_major_locator().set_params(integer=True)
            else:
                axis.set_yticks([])
            return word
        size = 9 if inputs.size <= 20 else 8
        if inputs.size <= _MOST_NAMES:
            labels = [shortened(str(names[j]), _MOST_LETTERS) for j in inputs]
            axis.set_yticks(range(inputs.size), labels, fontsize=size)
            return "encoded feature" if rows.grouped else word
        if rows.n_shown <= _MOST_NAMES and rows.grouped:
            starts = np.r_[0, rows.ends[:-1]]
            labels = [shortened(str(self.groups[inputs[start]]), _MOST_LETTERS) for start in starts]
            axis.set_yticks((starts + rows.ends - 1) / 2, labels, fontsize=size)
            return "feature, a row for each encoded column"
        if inputs.size == np.shape(self.coef)[0] and not rows.grouped:
            axis.yaxis.get_major_locator().set_params(integer=True)
        else:
            axis.set_yticks([])
        return f"{rows.n_shown} features"


@dataclass(frozen=True)
class _Rows:
    """Inputs of a matrix, those of a feature next to each other.

    Attributes
    ----------
    inputs : ndarray of int of shape (n_rows,)
    ends : ndarray of int of shape (n_shown,)
        Where the rows of each feature end.
    sizes : ndarray of shape (n_shown,)
        Norms of the weights of each feature.
    n_all : int
        Features that there are.
    grouped : bool
        Whether some have several inputs.
    """

    inputs: np.ndarray
    ends: np.ndarray
    sizes: np.ndarray
    n_all: int
    grouped: bool

    @classmethod
    def all_of(cls, W, groups):
        """All inputs of weights, by the groups that they belong to, in the order of these."""
        if groups is None:
            groups = np.arange(W.shape[0])
        _, first, group = np.unique(groups, return_index=True, return_inverse=True)
        group = np.argsort(np.argsort(first))[group]  # numbers by the first input of each
        sizes = np.sqrt(np.bincount(group, (W.astype(float) ** 2).sum(axis=1)))
        counts = np.bincount(group)
        inputs = np.argsort(group, kind="stable")
        return cls(inputs, np.cumsum(counts), sizes, counts.size, counts.size < W.shape[0])

    @property
    def n_shown(self):
        """Features with a row."""
        return self.ends.size

    def shown(self, word):
        """What a title says where some are left out."""
        if self.n_shown == self.n_all:
            return ""
        return f"\n{self.n_shown} of {self.n_all:,} {word}, those with the largest weights"

    def largest(self, n_features, *, limited):
        """Those of the largest features; where the number is not given as many as are legible."""
        counts = np.diff(self.ends, prepend=0)
        order = np.argsort(-self.sizes, kind="stable")
        if n_features is not None:
            order = order[:n_features]
        elif limited:
            # A few more rows than there is room for names would lose these.
            room = np.cumsum(counts[order]) <= (_MOST_ROWS if self.grouped else _MOST_FEATURES)
            most = max(np.count_nonzero(room), 1)
            all_named = not self.grouped and self.n_all <= _MOST_NAMES
            order = order if all_named else order[: min(most, _MOST_FEATURES)]
        kept = np.sort(order)
        rows = np.isin(np.repeat(np.arange(self.n_shown), counts), kept)
        inputs, ends = self.inputs[rows], np.cumsum(counts[kept])
        return _Rows(inputs, ends, self.sizes[kept], self.n_all, self.grouped)


# -- estimators -----------------------------------------------------------------------------------


def _spread_of_inputs(model, before, X):
    """Standard deviations of the inputs of the first layer; None where they are not known."""
    if X is None:
        state = getattr(model, "_stream", None) or {}
        columns = state.get("summary", state).get("columns")
        if columns is None or not columns["weight"] > 0:
            return None
        spread = np.sqrt(np.maximum(columns["square"], 0.0) / columns["weight"])
        return spread if spread.size == model.coefs_[0].shape[0] else None
    for steps in before:
        X = steps.transform(X)
    if hasattr(model, "_reader"):
        X = X if sp.issparse(X) else model._reader.read(table_of(X))
        X = seen_by_network(model, X)
        X = X if sp.issparse(X) else np.asarray(X[:])
    if sp.issparse(X):
        spread = np.sqrt(mean_variance_axis(sp.csr_matrix(X, dtype=float), axis=0)[1])
    else:
        spread = np.asarray(X, dtype=float).std(axis=0)
    if spread.size != model.coefs_[0].shape[0]:
        raise ValueError(
            f"X has {spread.size} columns, but the first layer has {model.coefs_[0].shape[0]}."
        )
    return spread


def _names_of_outputs(model):
    """Classes, where each has an output."""
    classes = getattr(model, "classes_", None)
    n_outputs = model.coefs_[-1].shape[1]
    known = isinstance(classes, np.ndarray) and classes.shape == (n_outputs,)
    return classes if known else np.arange(n_outputs)


# -- arguments ------------------------------------------------------------------------------------


def _check_count(name, value):
    if value is not None and (not is_integer(value) or value < 1):
        raise ValueError(f"{name} must be a positive integer or None; got {value!r}.")


def _check_image_shape(image_shape, kind, n_in):
    """Rows and columns of an image with ``n_in`` pixels."""
    if kind != "image":
        if image_shape is not None:
            raise ValueError(f'image_shape is for kind="image" only; got kind={kind!r}.')
        return None
    if image_shape is None:
        side = math.isqrt(n_in)
        if side * side != n_in:
            raise ValueError(
                f"{n_in} inputs do not make a square image: give image_shape=(rows, columns), or "
                'use kind="matrix".'
            )
        return side, side
    shape = tuple(np.atleast_1d(np.asarray(image_shape, dtype=object)))
    if len(shape) != 2 or not all(is_integer(side) and side > 0 for side in shape):
        raise ValueError(
            f"image_shape must be two positive integers, rows and columns; got {image_shape!r}."
        )
    if shape[0] * shape[1] != n_in:
        raise ValueError(
            f"image_shape={image_shape!r} has {shape[0] * shape[1]} pixels, but the layer has "
            f"{n_in} inputs."
        )
    return int(shape[0]), int(shape[1])
