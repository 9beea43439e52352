"""Plot of the training curves of fitted estimators.

matplotlib is imported when something is drawn, never before.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ._monitor import LARGEST
from ._plotting import (
    COLORS,
    check_choice,
    is_number,
    long_names,
    plain_numbers,
    plain_text,
    pyplot,
)
from ._unwrapping import unwrapped

_SCALES = ("auto", "log", "linear")
# "auto" takes a log scale where the largest value is so many times the smallest one.
_LOG_RANGE = 5.0
_MOST_LETTERS = 60
_SHORT_METRIC = 10
# A legend of more entries is beside the axes.
_MOST_INSIDE = 5
_BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}


class _Curve(NamedTuple):
    attribute: str
    panel: str
    label: str
    style: str = "-"
    absent: str = "it was not recorded"
    best: bool = False


_NO_VALIDATION = "the fit had no validation samples"
_CURVES = {
    "loss": _Curve("loss_curve_", "loss", "training objective"),
    "best_loss": _Curve("loss_curve_", "loss", "best so far", "-.", best=True),
    "objective": _Curve("objective_curve_", "loss", "objective of the solver", "--"),
    "validation_loss": _Curve(
        "validation_loss_curve_", "loss", "validation loss", ":", _NO_VALIDATION
    ),
    "validation": _Curve(
        "validation_scores_", "validation", "validation score", absent=_NO_VALIDATION
    ),
    "rho": _Curve("rho_curve_", "rho", "rho"),
    "gap": _Curve("gap_curve_", "gap", "constraint residual"),
    "epsilon": _Curve("epsilon_curve_", "epsilon", "epsilon"),
}
_OBJECTIVE, _BATCH_LOSS = "training objective", "training loss,\naverage over mini-batches"
_CHUNK_LOSS = "loss on each chunk\nbefore learning it"
# Parameters that change the penalties in the training objective.
_PENALTIES = ("alpha", "penalty", "l1_ratio", "activity_alpha")


class ConvergenceDisplay:
    """Training curves of one or several fitted estimators.

    Curves share an axes only if they are values of the same quantity. The training objectives of
    estimators with different losses, the mini-batch averages that MLPClassifier records, and
    validation scores by different metrics are drawn in axes of their own, one below the other.

    Create one with :meth:`from_estimator`, and redraw it with :meth:`plot`.

    Parameters
    ----------
    curves : dict of dict
        For each name in the legend a dict of its curves, ``{"loss": values, ...}``, with one value
        per iteration. The keys are those that :meth:`from_estimator` takes as ``curves``.
    kept : dict, default=None
        For each name the iteration, counted from 1, whose weights the fit returned, or None if that
        is the last one. It is marked.
    quantities : dict of dict, default=None
        For each name and curve what its values are, the label of the vertical axis, such as
        ``{"fit": {"loss": "training objective"}}``. Curves of different quantities are drawn in
        different axes. Curves that are not there have the usual label of their kind.
    x_label : str, default="iteration"
        Label of the horizontal axis.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        Axes with the curves; an array, from top to bottom, if there is more than one quantity.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        The curves: by axes, then by estimator in the order given.
    marks_ : list of matplotlib Line2D
        Marks of the iterations whose weights were returned, in the same order.

    See Also
    --------
    WeightsDisplay : Weights of a layer.
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of training samples.

    Examples
    --------
    >>> from skmdlam import ConvergenceDisplay
    >>> display = ConvergenceDisplay({"fit": {"loss": [3.0, 1.0, 0.5]}}, kept={"fit": 3})
    >>> display.plot().ax_.get_yscale()
    'log'
    """

    def __init__(self, curves, *, kept=None, quantities=None, x_label="iteration"):
        self.curves = curves
        self.kept = kept
        self.quantities = quantities
        self.x_label = x_label

    def plot(self, ax=None, *, scale="auto", line_kw=None):
        """Draw the curves.

        With one estimator in an axes, colors distinguish the curves. With several, colors
        distinguish the estimators and line styles the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of Axes, default=None
            Axes to draw in, one for each quantity. None creates a new figure.
        scale : {"auto", "log", "linear"}, default="auto"
            Scale of the vertical axes. "auto" is "log" if all values are positive and the largest
            is at least five times the smallest; zeros are left out then, and the legend says which
            curves are all zero. Scores are on a "linear" scale. A loss that overflowed, the largest
            float in ``loss_curve_``, is left out.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for every curve.

        Returns
        -------
        display : ConvergenceDisplay
            This object, with its attributes.
        """
        panels = self._panels()
        check_choice("scale", scale, _SCALES)
        scales = {panel: self._scale_of(panel, panels, scale) for panel in panels}
        plt = pyplot(f"{type(self).__name__}.plot")
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
                names = ", ".join(label.replace("\n", " ") for _, label in panels)
                raise ValueError(
                    f"ax must hold an Axes for each of the {len(panels)} quantities that cannot "
                    f"share one ({names}); got {len(axes)}."
                    if len(panels) > 1
                    else f"ax must be a single Axes, for the {names}; got {len(axes)}."
                )
            figure = axes[0].figure

        self.lines_, self.marks_, self._explained = [], [], set()
        for axis, ((panel, label), curves) in zip(axes, panels.items(), strict=True):
            self._draw_panel(axis, curves, scales[panel, label], line_kw or {})
            label = _with_all(label, {curve for _, curve, _ in curves})
            axis.set_ylabel(plain_text(label))
        axes[-1].set_xlabel(self.x_label)
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = figure
        return self

    @classmethod
    def from_estimator(cls, estimator, *, curves="loss", scale="auto", ax=None, line_kw=None):
        """Draw the training curves of fitted estimators.

        Parameters
        ----------
        estimator : estimator, or list, tuple or dict of estimators
            Fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`; other estimators with the
            attributes below, such as MLPClassifier, can be added. For a Pipeline the last step is
            used, for a search its ``best_estimator_``. The keys of a dict are the names in the
            legend; without them the legend shows the class and the parameters that differ.
        curves : str or sequence of str, default="loss"
            Curves to draw, each from a fitted attribute:

            - "loss": ``loss_curve_``, the training objective per sample after each iteration;
            - "best_loss": the lowest entry of ``loss_curve_`` so far; it ends at ``best_loss_``;
            - "objective": ``objective_curve_``, what the solver minimizes; for "relaxed" this is
              the objective of the relaxed problem;
            - "validation_loss": ``validation_loss_curve_``, the loss on the validation samples,
              without penalties;
            - "validation": ``validation_scores_``, the score on the validation samples;
            - "rho", "gap" and "epsilon": ``rho_curve_``, ``gap_curve_`` (the residual of the
              constraints) and ``epsilon_curve_``.

            Estimators that lack a curve are left out of it, as long as another one has it. The
            iteration whose weights were returned is marked, unless it is the last one: with
            ``early_stopping=True`` the first one with the best score, else the one with the lowest
            training objective.
        scale : {"auto", "log", "linear"}, default="auto"
            Scale of the vertical axes, see :meth:`plot`.
        ax : matplotlib Axes or sequence of Axes, default=None
            Axes to draw in, one for each quantity. None creates a new figure.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for every curve.

        Returns
        -------
        display : ConvergenceDisplay
            Object that stores the curves and the matplotlib objects.

        Raises
        ------
        ValueError
            If a curve is not known or no estimator has it, an estimator has none of them, or
            ``ax`` has the wrong number of axes.
        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        The training objective includes the penalties. Fits that differ in the parameters of the
        penalties minimize different functions: they share an axes, whose label says that the
        penalties differ, and only their shapes are comparable. The accuracy of fits with different
        settings is compared by "validation".

        :meth:`~MDLAMClassifier.partial_fit` appends the loss on each chunk before it was learned to
        ``loss_curve_``; if the estimator was fitted before, the curve begins with the training
        objective of that fit.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.neural_network import MLPClassifier
        >>> from skmdlam import ConvergenceDisplay, MDLAMClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MDLAMClassifier((20,), early_stopping=True, random_state=0).fit(X, y)

        The training objective and the validation score, with the iteration whose weights were
        returned:

        >>> display = ConvergenceDisplay.from_estimator(model, curves=["loss", "validation"])
        >>> [axis.get_ylabel() for axis in display.ax_]
        ['training objective', 'validation accuracy']

        MLPClassifier records averages over the mini-batches of an epoch, taken while the weights
        change. They are not comparable to the training objective; validation scores are:

        >>> mlp = MLPClassifier((20,), early_stopping=True, random_state=0, max_iter=500)
        >>> display = ConvergenceDisplay.from_estimator([model, mlp.fit(X, y)], curves="validation")
        >>> [line.get_label() for line in display.lines_]
        ['MDLAMClassifier', 'MLPClassifier']
        """
        curves = [curves] if isinstance(curves, str) else list(curves)
        if not curves:
            raise ValueError(f"curves must name at least one of {', '.join(_CURVES)}; got none.")
        for curve in curves:
            check_choice("curves", curve, _CURVES)
        check_choice("scale", scale, _SCALES)
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
        display = cls(
            found,
            kept={name: _kept_iteration(model) for name, model in named.items()},
            quantities=_quantities(named, found),
            x_label=_x_label(named.values()),
        )
        return display.plot(ax=ax, scale=scale, line_kw=line_kw)

    # -- axes -------------------------------------------------------------------------------------

    def _panels(self):
        """For each kind and quantity, which is the label, a list of (name, curve, values)."""
        panels = {}
        order = {curve: None for of in self.curves.values() for curve in of}
        for curve in order:
            check_choice("curves", curve, _CURVES)
            for name, of in self.curves.items():
                if curve in of:
                    panels.setdefault(self._panel_of(name, curve), [])
        for name, of in self.curves.items():
            for curve, values in of.items():
                values = np.asarray(values, dtype=float)
                panels[self._panel_of(name, curve)].append((name, curve, values))
        if not panels:
            raise ValueError("curves holds no curve to draw.")
        return panels

    def _panel_of(self, name, curve):
        kind = _CURVES[curve].panel
        usual = _OBJECTIVE if kind == "loss" else _CURVES[curve].label
        return kind, (self.quantities or {}).get(name, {}).get(curve, usual)

    @staticmethod
    def _scale_of(panel, panels, scale):
        values = np.concatenate([values for _, _, values in panels[panel]])
        positive, negative = (values > 0).any(), (values < 0).any()
        if scale == "log" and (negative or not positive):
            names = ", ".join(dict.fromkeys(curve for _, curve, _ in panels[panel]))
            what = f"a value of {np.nanmin(values):.3g}" if negative else "no value above zero"
            raise ValueError(f'scale="log" cannot show {names}: {what}; use "linear" or "auto".')
        if scale == "auto":
            if panel[0] == "validation" or negative or not positive:
                return "linear"
            values = values[(values > 0) & (values < LARGEST)]
            wide = values.size > 0 and values.max() >= _LOG_RANGE * values.min()
            return "log" if wide else "linear"
        return scale

    def _draw_panel(self, axis, curves, scale, line_kw):
        kinds = list(dict.fromkeys(curve for _, curve, _ in curves))
        # The same estimator has the same color in every axes.
        everyone = list(self.curves)
        by_name = len(everyone) > 1
        n_colors = len(everyone) if by_name else len(kinds)
        colors = _palette(n_colors)
        already, handles = len(axis.lines), []
        for name, curve, values in curves:
            place = everyone.index(name) if by_name else kinds.index(curve)
            color = colors[(place + already) % len(colors)]
            parts = [name] if by_name or len(kinds) == 1 else []
            parts += [_CURVES[curve].label] if len(kinds) > 1 else []
            label = plain_text(", ".join(parts))
            if scale == "log" and not (values > 0).any():
                label += " (all zero)"
            style = {"color": color, "linestyle": _CURVES[curve].style if by_name else "-"}
            # One value alone makes no line.
            style |= {"label": label, "marker": "o" if len(values) == 1 else None}
            shown = np.where(values < LARGEST, values, np.nan)
            shown = np.where(shown > 0, shown, np.nan) if scale == "log" else shown
            iterations = np.arange(1, len(values) + 1)
            handles += axis.plot(iterations, shown, **(style | long_names(line_kw)))
        self.lines_ += handles
        axis.set_yscale(scale)
        if scale == "log":
            plain_numbers(axis.yaxis)
        else:
            axis.ticklabel_format(axis="y", scilimits=(-3, 5), useOffset=False)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        entries = _by_color_and_style(handles, curves) if by_name and len(kinds) > 1 else handles[:]
        for line, (name, _, values) in zip(handles, curves, strict=True):
            iteration = (self.kept or {}).get(name)
            if iteration is None or not 1 <= iteration <= len(values):
                continue
            (mark,) = axis.plot(
                [iteration],
                line.get_ydata()[iteration - 1 : iteration],
                marker="o",
                markersize=8,
                markerfacecolor="white",
                markeredgewidth=2,
                linestyle="none",
                color=line.get_color(),
                label="returned weights",
                zorder=3,
            )
            if self.marks_ == [] or self.marks_[-1].axes is not axis:
                entries.append(mark)
            self.marks_.append(mark)
        # The same legend below every axes would say the same thing again and again.
        labels = {entry.get_label() for entry in entries}
        if labels - self._explained:
            if already:  # what somebody has drawn before
                entries = axis.get_legend_handles_labels()[0]
            axis.legend(
                handles=entries,
                fontsize="small",
                **(_BESIDE if len(entries) > _MOST_INSIDE else {}),
            )
            self._explained |= labels


# -- estimators -----------------------------------------------------------------------------------


def _named(estimator):
    """Estimators by the name that the legend shows."""
    several = isinstance(estimator, list | tuple | Mapping)
    values = estimator.values() if isinstance(estimator, Mapping) else estimator
    models = [unwrapped(model)[0] for model in (values if several else [estimator])]
    if not models:
        raise ValueError("estimator must hold at least one fitted estimator; got none.")
    for model in models:
        check_is_fitted(model)
    keys = map(str, estimator) if isinstance(estimator, Mapping) else _names(models)
    return dict(zip(keys, models, strict=True))


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


def _kept_iteration(model):
    """The one whose weights were returned, counted from 1; None where it is the last one, or none.

    With early stopping it is the first one with the best validation score. Else the validation
    samples were only watched, and it is the one whose J is that of the weights, ``loss_``.
    """
    scores = _values(model, "validation") if getattr(model, "early_stopping", False) else None
    if scores is not None:
        best = int(np.argmax(scores)) + 1
        return best if best < len(scores) else None
    curve = _values(model, "loss")
    found = [] if curve is None else np.flatnonzero(np.equal(curve, getattr(model, "loss_", None)))
    return int(found[-1]) + 1 if len(found) and found[-1] < len(curve) - 1 else None


# -- what curves are the values of ----------------------------------------------------------------


def _quantities(named, found):
    """For each name and curve the label of what its values are: the same label, the same axes."""
    losses = {name: _loss_of(model) for name, model in named.items()}
    metrics = {name: _metric_of(model) for name, model in named.items()}
    bases = {name: _loss_quantity(model) for name, model in named.items()}
    labels = {}
    for name in named:
        peers = [other for other in named if bases[other] == bases[name]]
        label = bases[name]
        if len({losses[other] for other in peers}) > 1:
            label += f"\n({losses[name]})"
            peers = [other for other in peers if losses[other] == losses[name]]
        if len({_penalties_of(named[other]) for other in peers}) > 1:
            label += "\n(penalties differ)"
        labels[name] = {
            curve: _of_validation(metrics[name]) if curve == "validation" else label
            for curve in found[name]
            if _CURVES[curve].panel in ("loss", "validation")
        }
    return labels


def _has_objectives(model):
    return hasattr(model, "objective_curve_")


def _learned_a_stream(model):
    return getattr(model, "stop_reason_", None) == "partial_fit"


def _loss_quantity(model):
    """What ``loss_curve_`` has the values of."""
    if _has_objectives(model):
        return _CHUNK_LOSS if _learned_a_stream(model) else _OBJECTIVE
    return _BATCH_LOSS if hasattr(model, "coefs_") else f"loss of {type(model).__name__}"


def _loss_of(model):
    """Name of the loss, with its parameter where it has one."""
    loss = getattr(model, "_loss", None)
    if loss is None:
        loss = getattr(model, "loss", "log_loss" if is_classifier(model) else "loss")
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or type(loss).__name__
    options = [] if isinstance(loss, str) else [v for v in vars(loss).values() if is_number(v)]
    return " ".join([name.replace("_", " "), *map(_short, options)])


def _penalties_of(model):
    return tuple(repr(getattr(model, name, None)) for name in _PENALTIES)


def _metric_of(model):
    """What a validation score is: that of ``score``, or of ``scoring``."""
    scoring = getattr(model, "scoring", None)
    if scoring is None:
        return "accuracy" if is_classifier(model) else "R\N{SUPERSCRIPT TWO}"
    if isinstance(scoring, str):
        return scoring.replace("_", " ")
    return getattr(scoring, "__name__", "score").replace("_", " ").strip()


def _of_validation(metric):
    return f"validation{' ' if len(metric) <= _SHORT_METRIC else chr(10)}{metric}"


def _with_all(label, curves):
    """The label of an axes where the training objective is not the only thing."""
    if not label.startswith(_OBJECTIVE) or curves <= {"loss", "best_loss"}:
        return label
    what = "objective" if "validation_loss" not in curves else "loss"
    return label.replace(_OBJECTIVE, f"{what}, per sample", 1)


def _x_label(models):
    streams = {_learned_a_stream(model) for model in models}
    calls = "call of partial_fit"
    return {(True,): calls, (False, True): f"iteration, or {calls}"}.get(
        tuple(sorted(streams)), "iteration"
    )


# -- matplotlib -----------------------------------------------------------------------------------


def _palette(n):
    if n <= len(COLORS):
        return COLORS
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))


def _by_color_and_style(lines, curves):
    """Entries of a legend: names by their colors, and curves by their styles."""
    from matplotlib.lines import Line2D

    colors, styles = {}, {}
    for line, (name, curve, _) in zip(lines, curves, strict=True):
        colors.setdefault(name, line.get_color())
        styles.setdefault(_CURVES[curve].label, line.get_linestyle())
    entries = [
        Line2D([], [], color=color, label=plain_text(name)) for name, color in colors.items()
    ]
    return entries + [
        Line2D([], [], color="0.35", linestyle=style, label=label)
        for label, style in styles.items()
    ]
