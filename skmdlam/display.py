"""Plots of fitted estimators: how they converged, and the weights that they found.

matplotlib is imported when something is drawn, never before.
"""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._monitor import LARGEST

# Okabe and Ito: told apart by color-blind readers, and in print. Yellow is too pale for a line.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DIVERGING = "RdBu_r"
_SCALES = ("auto", "log", "linear")
_KINDS = ("image", "matrix", "sparsity")
# Names of inputs and units are readable up to so many of them on an axis.
_MOST_NAMES = 40
_MOST_LETTERS = 60


class _Curve(NamedTuple):
    attribute: str
    panel: str
    style: str = "-"
    absent: str = "it was not recorded"
    best: bool = False


_CURVES = {
    "loss": _Curve("loss_curve_", "loss"),
    "best_loss": _Curve("loss_curve_", "loss", "-.", best=True),
    "objective": _Curve("objective_curve_", "loss", "--"),
    "validation_loss": _Curve(
        "validation_loss_curve_", "loss", ":", "the fit had no validation samples"
    ),
    "validation": _Curve(
        "validation_scores_", "validation", absent="the fit had no validation samples"
    ),
    "rho": _Curve("rho_curve_", "rho"),
    "gap": _Curve("gap_curve_", "gap"),
    "epsilon": _Curve("epsilon_curve_", "epsilon"),
}
_Y_LABELS = {
    "loss": "loss, mean over samples",
    "validation": "validation score",
    "rho": "rho",
    "gap": "gap of the constraints",
    "epsilon": "epsilon",
}


class ConvergenceDisplay:
    """Curves of one fit or several over the epochs or sweeps.

    Make one with :meth:`from_estimator`, which draws it too, and draw it again with :meth:`plot`.

    Parameters
    ----------
    curves : dict of dict
        For each name that the legend is to show a dict of its curves: ``{"loss": values, ...}``,
        a value for each epoch. What :meth:`from_estimator` knows are the names of curves.
    kept : dict, default=None
        For each name the epoch, counted from 1, whose weights the fit has returned, or None where
        it is the last one. It is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        Where the curves are; an array, from top to bottom, where they need more than one panel.
    figure_ : matplotlib Figure
        The figure that holds the axes.
    lines_ : list of matplotlib Line2D
        The curves: by panel, then by estimator in the order given.
    marks_ : list of matplotlib Line2D
        The marks of the epochs whose weights were kept, in the same order.

    See Also
    --------
    WeightsDisplay : The weights that a fit found.

    Examples
    --------
    >>> from skmdlam import ConvergenceDisplay
    >>> display = ConvergenceDisplay({"fit": {"loss": [3.0, 1.0, 0.5]}}, kept={"fit": 3})
    >>> display.plot(scale="log").ax_.get_yscale()
    'log'
    """

    def __init__(self, curves, *, kept=None):
        self.curves = curves
        self.kept = kept

    def plot(self, ax=None, *, scale="auto", line_kw=None):
        """Draw the curves.

        Losses share a panel, and everything else has a panel of its own. In a panel of one
        estimator colors tell curves apart; else colors tell the estimators apart, and line
        styles the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of Axes, default=None
            Where to draw: one for each panel. None makes a new figure.
        scale : {"auto", "log", "linear"}, default="auto"
            Of the vertical axes. "auto" is "log", but "linear" for scores and for curves with
            negative values. A log scale leaves out zeros; the legend says where all are zero. A
            loss that overflowed, which is the largest float in ``loss_curve_``, is left out too.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot` for every curve.

        Returns
        -------
        display : ConvergenceDisplay
            This object, with its attributes.
        """
        panels = self._panels()
        _check_choice("scale", scale, _SCALES)
        scales = {panel: self._scale_of(panel, panels, scale) for panel in panels}
        plt = _pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            figure, axes = plt.subplots(
                len(panels),
                sharex=True,
                squeeze=False,
                layout="constrained",
                figsize=(6.4, max(4.4, 2.6 * len(panels))),
            )
            axes = axes[:, 0]
        else:
            axes = np.asarray(ax, dtype=object).ravel()
            if len(axes) != len(panels):
                raise ValueError(
                    f"ax must hold an Axes for each of the {len(panels)} panel(s) "
                    f"({', '.join(panels)}); got {len(axes)}."
                )
            figure = axes[0].figure

        self.lines_, self.marks_, self._explained = [], [], set()
        for axis, (panel, curves) in zip(axes, panels.items(), strict=True):
            self._draw_panel(axis, panel, curves, scales[panel], line_kw or {})
        axes[-1].set_xlabel("epoch or sweep")
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = figure
        return self

    @classmethod
    def from_estimator(cls, estimator, *, curves="loss", scale="auto", ax=None, line_kw=None):
        """Draw the curves of fitted estimators.

        Parameters
        ----------
        estimator : estimator, or list, tuple or dict of estimators
            Fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`; others that have the
            attributes below, such as MLPClassifier, may stand beside them. Of a Pipeline it is the
            last step, of a search its best estimator. The keys of a dict are the names in the
            legend; without them it is the class, and the parameters that differ.
        curves : str or sequence of str, default="loss"
            Which curves, each from an attribute:

            - "loss": ``loss_curve_``, the training objective J of the network after each epoch;
            - "best_loss": the lowest entry of ``loss_curve_`` so far; it ends at ``best_loss_``;
            - "objective": ``objective_curve_``, what the solver guards (F for "relaxed");
            - "validation_loss": ``validation_loss_curve_``, the loss on the validation samples,
              without penalties;
            - "validation": ``validation_scores_``, on the validation samples;
            - "rho", "gap" and "epsilon": ``rho_curve_``, ``gap_curve_`` and ``epsilon_curve_``.

            Estimators that lack one are left out of it, as long as another one has it. The epoch
            whose weights were returned is marked: with ``early_stopping=True`` the first one with
            the best score, else that of the lowest J, unless it is the last epoch.
        scale : {"auto", "log", "linear"}, default="auto"
            Of the vertical axes, see :meth:`plot`.
        ax : matplotlib Axes or sequence of Axes, default=None
            Where to draw: one for each panel. None makes a new figure.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot` for every curve.

        Returns
        -------
        display : ConvergenceDisplay
            What was drawn.

        Raises
        ------
        ValueError
            When a curve is not known or no estimator has it, an estimator has none of them, or
            ``ax`` has another number of panels.
        sklearn.exceptions.NotFittedError
            When an estimator is not fitted.
        ImportError
            Without matplotlib.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.neural_network import MLPClassifier
        >>> from skmdlam import ConvergenceDisplay, MDLAMClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> ours = MDLAMClassifier((20,), early_stopping=True, random_state=0).fit(X, y)
        >>> theirs = MLPClassifier((20,), max_iter=1000, tol=1e-3, random_state=0).fit(X, y)
        >>> display = ConvergenceDisplay.from_estimator([ours, theirs])
        >>> [line.get_label() for line in display.lines_]
        ['MDLAMClassifier', 'MLPClassifier']

        J after each epoch and the lowest so far; in mini-batches the first may rise:

        >>> noisy = MDLAMClassifier((20,), batch_size=5, random_state=0).fit(X, y)
        >>> display = ConvergenceDisplay.from_estimator(noisy, curves=["loss", "best_loss"])
        >>> J, best = (line.get_ydata() for line in display.lines_)
        >>> bool((best <= J).all() and best[-1] == noisy.best_loss_)
        True

        The validation score in a panel of its own, with the epoch whose weights were kept:

        >>> display = ConvergenceDisplay.from_estimator(ours, curves=["loss", "validation"])
        >>> [axis.get_ylabel() for axis in display.ax_]
        ['loss, mean over samples', 'validation score']
        >>> len(display.marks_)
        2
        """
        curves = [curves] if isinstance(curves, str) else list(curves)
        if not curves:
            raise ValueError(f"curves must name at least one of {', '.join(_CURVES)}; got none.")
        for curve in curves:
            _check_choice("curves", curve, _CURVES)
        _check_choice("scale", scale, _SCALES)
        named = _named(estimator)
        found = {
            name: {curve: v for curve in curves if (v := _values(model, curve)) is not None}
            for name, model in named.items()
        }
        for curve in curves:
            if not any(curve in of for of in found.values()):
                raise ValueError(
                    f"curves={curve!r}: no {_CURVES[curve].attribute} in {', '.join(found)}: "
                    f"{_CURVES[curve].absent}."
                )
        for name, of in found.items():
            if not of:
                raise ValueError(f"{name} has none of the curves {', '.join(curves)}.")
        kept = {name: _kept_epoch(model) for name, model in named.items()}
        return cls(found, kept=kept).plot(ax=ax, scale=scale, line_kw=line_kw)

    # -- panels -----------------------------------------------------------------------------------

    def _panels(self):
        """For each panel a list of (name, curve, values)."""
        panels = {}
        order = {curve: None for of in self.curves.values() for curve in of}
        for curve in order:
            _check_choice("curves", curve, _CURVES)
            panels.setdefault(_CURVES[curve].panel, [])
        for name, of in self.curves.items():
            for curve, values in of.items():
                panels[_CURVES[curve].panel].append((name, curve, np.asarray(values, dtype=float)))
        if not panels:
            raise ValueError("curves holds no curve to draw.")
        return panels

    @staticmethod
    def _scale_of(panel, panels, scale):
        values = np.concatenate([values for _, _, values in panels[panel]])
        positive, negative = (values > 0).any(), (values < 0).any()
        if scale == "log" and (negative or not positive):
            names = ", ".join(dict.fromkeys(curve for _, curve, _ in panels[panel]))
            what = f"a value of {np.nanmin(values):.3g}" if negative else "no value above zero"
            raise ValueError(f'scale="log" cannot show {names}: {what}; use "linear" or "auto".')
        if scale == "auto":
            scale = "linear" if panel == "validation" or negative or not positive else "log"
        return scale

    def _draw_panel(self, axis, panel, curves, scale, line_kw):
        kinds = list(dict.fromkeys(curve for _, curve, _ in curves))
        # The same estimator has the same color in every panel.
        everyone = list(self.curves)
        by_name = len(everyone) > 1
        colors = _palette(len(everyone) if by_name else len(kinds))
        for name, curve, values in curves:
            color = colors[everyone.index(name) if by_name else kinds.index(curve)]
            parts = [name] if by_name or len(kinds) == 1 else []
            parts += [curve.replace("_", " ")] if len(kinds) > 1 else []
            label = ", ".join(parts)
            if scale == "log" and not (values > 0).any():
                label += " (all zero)"
            style = {"color": color, "linestyle": _CURVES[curve].style if by_name else "-"}
            style |= {"label": label, **_long_names(line_kw)}
            epochs = np.arange(1, len(values) + 1)
            shown = np.where(values < LARGEST, values, np.nan)
            shown = np.where(shown > 0, shown, np.nan) if scale == "log" else shown
            (line,) = axis.plot(epochs, shown, **style)
            self.lines_.append(line)
        axis.set_yscale(scale)
        if scale == "log":
            _plain_numbers(axis.yaxis)
        axis.set_ylabel(_Y_LABELS[panel])
        axis.xaxis.get_major_locator().set_params(integer=True)
        handles = list(axis.lines[-len(curves) :])
        for line, (name, _, values) in zip(list(handles), curves, strict=True):
            epoch = (self.kept or {}).get(name)
            if epoch is None or not 1 <= epoch <= len(values):
                continue
            (mark,) = axis.plot(
                [epoch],
                line.get_ydata()[epoch - 1 : epoch],
                marker="o",
                markersize=8,
                markerfacecolor="white",
                markeredgewidth=2,
                linestyle="none",
                color=line.get_color(),
                label="weights kept",
                zorder=3,
            )
            if self.marks_ == [] or self.marks_[-1].axes is not axis:
                handles.append(mark)
            self.marks_.append(mark)
        # A legend for every panel would say the same thing again and again.
        labels = {handle.get_label() for handle in handles}
        if labels - self._explained:
            beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(handles) > 6 else {}
            axis.legend(handles=handles, fontsize="small", **beside)
            self._explained |= labels


class WeightsDisplay:
    """Weights of one layer: as images, as a matrix, or which of them are zero.

    Make one with :meth:`from_estimator`, which draws it too, and draw it again with :meth:`plot`.

    Parameters
    ----------
    coef : ndarray of shape (n_in, n_out)
        Weights of a layer, a column for each of its units.
    layer : int, default=0
        Which layer that is, counted from the inputs; for the title.
    feature_names : sequence of str, default=None
        Names of the n_in inputs of the layer.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the weights are.
    figure_ : matplotlib Figure
        The figure that holds the axes.
    image_ : matplotlib AxesImage
        What was drawn; for kind "image" all units are one image, with gaps between them.
    colorbar_ : matplotlib Colorbar or None
        Its scale; None for kind "sparsity", which has a legend.
    units_ : ndarray of int
        The units that are shown, in order.

    See Also
    --------
    ConvergenceDisplay : The curves of a fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skmdlam import WeightsDisplay
    >>> display = WeightsDisplay(np.eye(4)).plot(kind="sparsity")
    >>> display.ax_.get_title()
    'Layer 0: 12 of 16 weights are zero (75 %)'
    """

    def __init__(self, coef, *, layer=0, feature_names=None):
        self.coef = coef
        self.layer = layer
        self.feature_names = feature_names

    def plot(self, ax=None, *, kind="image", image_shape=None, n_units=None, image_kw=None):
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        kind : {"image", "matrix", "sparsity"}, default="image"
            "image": the incoming weights of each unit as an image, the units with the largest
            weights first. "matrix": a row for each input, a column for each unit. "sparsity": which
            entries of this matrix are not zero. Colors of the first two are symmetric around zero
            and end where all but a hundredth of the weights do.
        image_shape : (int, int), default=None
            Rows and columns of an image, for kind "image"; its pixels are the inputs, row after
            row. None is a square.
        n_units : int, default=None
            How many units to show, at most: those with the largest weights. None is 16 for kind
            "image" and all for the others.
        image_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            This object, with its attributes.
        """
        coef = np.asarray(self.coef)
        if coef.ndim != 2 or 0 in coef.shape:
            raise ValueError(f"coef must be a matrix with entries; got shape {coef.shape}.")
        if self.feature_names is not None and len(self.feature_names) != coef.shape[0]:
            raise ValueError(
                f"feature_names must hold a name for each of the {coef.shape[0]} inputs of layer "
                f"{self.layer}; got {len(self.feature_names)}."
            )
        _check_choice("kind", kind, _KINDS)
        n_units = _check_n_units(n_units, kind, coef.shape[1])
        image_shape = _check_image_shape(image_shape, kind, coef.shape[0])
        plt = _pyplot(f"{type(self).__name__}.plot")

        if not np.isfinite(coef).all():
            raise ValueError("coef holds weights that are not finite.")
        # Stable, so that ties stay in the order of the units.
        units = np.argsort(-np.linalg.norm(coef, axis=0), kind="stable")[:n_units]
        self.units_ = units if kind == "image" else np.sort(units)
        if ax is None:
            layout = "compressed" if kind == "image" else "constrained"  # images keep their aspect
            _, ax = plt.subplots(layout=layout, figsize=(6.4, 5.4))
        self.ax_, self.figure_ = ax, ax.figure
        draw = {
            "image": lambda W, kw: self._draw_images(W, image_shape, kw),
            "matrix": self._draw_matrix,
            "sparsity": self._draw_sparsity,
        }[kind]
        draw(coef[:, self.units_], image_kw or {})
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        layer=0,
        kind="image",
        image_shape=None,
        n_units=None,
        feature_names=None,
        ax=None,
        image_kw=None,
    ):
        """Draw the weights of one layer of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`, or any other with
            ``coefs_``. Of a Pipeline it is the last step, of a search its best estimator.
        layer : int, default=0
            Which layer, counted from the inputs; a negative number counts from the outputs.
        kind : {"image", "matrix", "sparsity"}, default="image"
            "image": the incoming weights of each unit as an image, the units with the largest
            weights first. "matrix": a row for each input, a column for each unit. "sparsity": which
            entries of this matrix are not zero. Colors of the first two are symmetric around zero
            and end where all but a hundredth of the weights do.
        image_shape : (int, int), default=None
            Rows and columns of an image, for kind "image"; its pixels are the inputs, row after
            row. None is a square.
        n_units : int, default=None
            How many units to show, at most: those with the largest weights. None is 16 for kind
            "image" and all for the others.
        feature_names : sequence of str, default=None
            Names of the layer's inputs, shown where there are at most 40. None takes those that
            the estimator was fitted with, ``input_names_`` where it has these; for plain columns of
            an array numbers.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        image_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            What was drawn.

        Raises
        ------
        ValueError
            When there is no such layer or kind, or the image does not have as many pixels as the
            layer has inputs.
        sklearn.exceptions.NotFittedError
            When the estimator is not fitted.
        ImportError
            Without matplotlib.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skmdlam import MDLAMClassifier, WeightsDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> model = MDLAMClassifier((20,), random_state=0).fit(X, y)
        >>> display = WeightsDisplay.from_estimator(model, image_shape=(8, 8), n_units=9)
        >>> len(display.units_)
        9
        """
        model = _unwrapped(estimator)
        check_is_fitted(model)
        if not hasattr(model, "coefs_"):
            raise ValueError(f"{type(model).__name__} has no coefs_, weights by layer, to show.")
        n_layers = len(model.coefs_)
        if not _is_integer(layer) or not -n_layers <= layer < n_layers:
            raise ValueError(
                f"layer must be an integer from 0 to {n_layers - 1}, or from -{n_layers} to -1; "
                f"got {layer!r}."
            )
        layer = int(layer) % n_layers
        if feature_names is None and layer == 0:
            feature_names = names_of_inputs(model)
        display = cls(model.coefs_[layer], layer=layer, feature_names=feature_names)
        return display.plot(
            ax=ax, kind=kind, image_shape=image_shape, n_units=n_units, image_kw=image_kw
        )

    # -- the three kinds --------------------------------------------------------------------------

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
        self.ax_.set_title(f"Layer {self.layer}: weights of {which} units")

    def _draw_matrix(self, W, image_kw):
        self._draw_signed(W, {"aspect": "auto", **image_kw})
        self._name_axes(W)
        self.ax_.set_title(f"Layer {self.layer}: weights")

    def _draw_sparsity(self, W, image_kw):
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        colors = ["#F0F0F0", "#0072B2"]
        options = {"aspect": "auto", "cmap": ListedColormap(colors), "vmin": 0, "vmax": 1}
        self.image_ = self.ax_.imshow((W != 0).astype(float), **options | image_kw)
        self.colorbar_ = None
        self._name_axes(W)
        labels = ("zero", "not zero")
        patches = [
            Patch(facecolor=color, edgecolor="0.6", label=label)
            for color, label in zip(colors, labels, strict=True)
        ]
        self.ax_.legend(
            handles=patches, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False
        )
        zeros, share = np.count_nonzero(W == 0), 100 * np.mean(W == 0)
        self.ax_.set_title(
            f"Layer {self.layer}: {zeros:,} of {W.size:,} weights are zero ({share:.0f} %)"
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
            label="weight",
            extend="both" if largest > self.image_.norm.vmax else "neither",
        )

    def _name_axes(self, W):
        n_in, n_units = W.shape
        axis = self.ax_
        names = self.feature_names
        if names is not None and n_in <= _MOST_NAMES:
            axis.set_yticks(range(n_in), list(names))
        else:
            axis.yaxis.get_major_locator().set_params(integer=True)
        axis.set_ylabel("input" if self.layer == 0 else f"unit of layer {self.layer - 1}")
        all_shown = n_units == np.shape(self.coef)[1]
        if n_units <= _MOST_NAMES // 2 and not all_shown:
            axis.set_xticks(range(n_units), self.units_)
        else:
            axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_xlabel("unit" if all_shown else f"{n_units} largest units")


# -- estimators -----------------------------------------------------------------------------------


def _unwrapped(estimator):
    """The network inside a pipeline or a search."""
    while True:
        if isinstance(estimator, type):
            raise ValueError(f"estimator must be fitted; got the class {estimator.__name__}.")
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def names_of_inputs(model):
    """Names of the inputs of the first layer; None for plain columns without names."""
    if getattr(model, "_inputs", None) is not None:
        return model.input_names_
    return getattr(model, "feature_names_in_", None)


def _named(estimator):
    """Estimators by the name that the legend shows."""
    if isinstance(estimator, Mapping):
        named = {str(name): _unwrapped(model) for name, model in estimator.items()}
    else:
        several = isinstance(estimator, list | tuple)
        models = [_unwrapped(model) for model in (estimator if several else [estimator])]
        named = dict(zip(_names(models), models, strict=True))
    if not named:
        raise ValueError("estimator must hold at least one fitted estimator; got none.")
    for model in named.values():
        check_is_fitted(model)
    return named


def _names(models):
    """The class of each where there are several, and the parameters that differ within a class."""
    classes = [type(model).__name__ for model in models]
    names = []
    for own, model in zip(classes, models, strict=True):
        family = [
            m.get_params(deep=False) for m, c in zip(models, classes, strict=True) if c == own
        ]
        mine = model.get_params(deep=False)
        parts = [
            f"{key}={_short(value)}"
            for key, value in mine.items()
            if len({_short(parameters[key]) for parameters in family}) > 1
        ]
        names.append(", ".join(parts if parts and len(set(classes)) == 1 else [own, *parts]))
    if len(set(names)) < len(names) or max(map(len, names), default=0) > _MOST_LETTERS:
        names = [f"{name} {place}" for place, name in enumerate(classes, start=1)]
    return names


def _short(value):
    """A parameter's value as the legend shows it."""
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{value:g}"
    return value if isinstance(value, str) else repr(value)


def _values(model, curve):
    values = getattr(model, _CURVES[curve].attribute, None)
    if values is None or not len(values):
        return None
    return np.minimum.accumulate(values).tolist() if _CURVES[curve].best else values


def _kept_epoch(model):
    """The epoch whose weights were returned, counted from 1; None where it is the last, or none.

    With early stopping it is the first one with the best validation score. Else the validation
    samples were only watched, and it is the one whose J is that of the weights, ``loss_``.
    """
    scores = _values(model, "validation") if getattr(model, "early_stopping", False) else None
    if scores is not None:
        return int(np.argmax(scores)) + 1
    curve = _values(model, "loss")
    found = [] if curve is None else np.flatnonzero(np.equal(curve, getattr(model, "loss_", None)))
    return int(found[-1]) + 1 if len(found) and found[-1] < len(curve) - 1 else None


# -- arguments ------------------------------------------------------------------------------------


def _check_choice(name, value, choices):
    if value not in tuple(choices):
        raise ValueError(
            f"{name} must be {'one ' if name != 'curves' else ''}of "
            f"{', '.join(map(repr, choices))}; got {value!r}."
        )


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_n_units(n_units, kind, n_out):
    if n_units is None:
        return min(16, n_out) if kind == "image" else n_out
    if not _is_integer(n_units) or n_units < 1:
        raise ValueError(f"n_units must be a positive integer or None; got {n_units!r}.")
    return min(int(n_units), n_out)


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
    if len(shape) != 2 or not all(_is_integer(side) and side > 0 for side in shape):
        raise ValueError(
            f"image_shape must be two positive integers, rows and columns; got {image_shape!r}."
        )
    if shape[0] * shape[1] != n_in:
        raise ValueError(
            f"image_shape={image_shape!r} has {shape[0] * shape[1]} pixels, but the layer has "
            f"{n_in} inputs."
        )
    return int(shape[0]), int(shape[1])


# -- matplotlib -----------------------------------------------------------------------------------


def _pyplot(caller):
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed: python -m pip install matplotlib"
        ) from error
    return plt


def _palette(n):
    if n <= len(_COLORS):
        return _COLORS
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))


def _long_names(line_kw):
    """Keywords of a line by their long names, so that they replace ours."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(line_kw, Line2D)


def _plain_numbers(axis):
    """Label a log scale with 0.2 instead of 2 x 10^-1, where matplotlib would label it at all."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x, pos=None):
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(Plain(labelOnlyBase=False, minor_thresholds=(1.5, 0.4)))
