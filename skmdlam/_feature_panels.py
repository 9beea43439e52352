"""A grid of panels, one or two for each of some features, and the names of these."""

from collections.abc import Iterable

import numpy as np

from ._plotting import is_integer, plain_text, suggestion

# So many features are shown by default.
MOST_SHOWN = 6
_FEW_TICKS = 4
_MOST_LETTERS = 22


def names_of_features(feature_names, model, n_features):
    """Names that were given, those that a model was fitted with, or x0, x1, ..."""
    names = feature_names
    if names is None:
        names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j}" for j in range(n_features)]
    if len(names) != n_features:
        raise ValueError(
            f"feature_names must hold a name for each of the {n_features} features; got "
            f"{len(names)}."
        )
    return [str(name) for name in names]


def places_of_features(features, names):
    """Indices of features that are named by indices or names."""
    if isinstance(features, str) or not isinstance(features, Iterable):
        features = [features]
    features = list(features)
    if not features:
        raise ValueError("features must name at least one feature; got none.")
    return [_place(feature, names) for feature in features]


def _place(feature, names):
    if isinstance(feature, str):
        if feature in names:
            return names.index(feature)
        some = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        near = suggestion(feature, names)
        raise ValueError(f"features: there is no {feature!r} among {some}{near or '.'}")
    if not is_integer(feature) or not 0 <= feature < len(names):
        raise ValueError(
            f"features must be names, or indices from 0 to {len(names) - 1}; got {feature!r}."
        )
    return int(feature)


def check_panels(ax, n_features, n_each):
    """Refuse Axes that are not as many as there are panels, ``n_each`` for each feature."""
    n_given = n_features * n_each if ax is None else np.asarray(ax, dtype=object).size
    if n_given != n_features * n_each:
        raise ValueError(
            f"ax must hold {n_features * n_each} Axes, {n_each} for each of the {n_features} "
            f"feature(s); got {n_given}."
        )


def make_panels(plt, ax, n_features, heights=(1.0,)):
    """Axes for some features, an array of shape (n_features, len(heights)).

    Those of one feature stand on top of each other and share their horizontal axis.

    Parameters
    ----------
    plt : matplotlib.pyplot
    ax : Axes or array of Axes or None
        None makes a figure.
    n_features : int
    heights : tuple of float
        Of the panels of a feature, from top to bottom, in units of 2.2 inches.
    """
    if ax is not None:
        check_panels(ax, n_features, len(heights))
        return np.asarray(ax, dtype=object).reshape(n_features, len(heights))
    across = 2 if n_features == 4 else min(n_features, 3)
    down = -(-n_features // across)
    figure = plt.figure(
        figsize=(max(2.9 * across + 0.4, 5.2), 2.2 * sum(heights) * down + 0.6),
        layout="constrained",
    )
    # One grid, so that panels of a row are equally high whatever is written below them.
    n_rows = len(heights)
    cells = figure.add_gridspec(n_rows * down, across, height_ratios=list(heights) * down)
    axes = np.empty((n_features, n_rows), dtype=object)
    for place in range(n_features):
        for row in range(n_rows):
            cell = cells[place // across * n_rows + row, place % across]
            axes[place, row] = figure.add_subplot(cell, sharex=axes[place, 0])
    return axes


def is_at_left(axis):
    """Whether an Axes is in the first column of its grid, or in none: where labels belong."""
    spec = axis.get_subplotspec()
    return spec is None or spec.get_topmost_subplotspec().colspan.start == 0


def few_ticks(axis, values):
    """Ticks that have room in a narrow panel: at all values of a feature, where they are few."""
    if len(values) <= _FEW_TICKS:
        axis.set_xticks(values, [f"{value:g}" for value in values])
        return
    whole = bool(np.equal(np.floor(values), values).all())
    axis.locator_params(axis="x", nbins=4, integer=whole)
    low, high = np.min(values), np.max(values)
    if high - low > 0.01 * max(abs(low), abs(high)):  # else an offset is shorter
        axis.xaxis.set_major_formatter(lambda x, _: _brief(x))


def log_if_skewed(axis, low, high, values, ratio):
    """Set a log scale, and its ticks, where positive values are crowded at the left end.

    Parameters
    ----------
    axis : Axes
    low, high : float
        Ends of most of the values.
    values : ndarray
        All that is shown.
    ratio : float
        Of the high to the low end, from which on they are crowded.

    Returns
    -------
    whether : bool
    """
    from matplotlib.ticker import LogLocator, NullLocator

    if not (np.min(values) > 0 and high > ratio * low):
        return False
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(numticks=5))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(lambda x, _: _brief(x))
    return True


def _brief(x):
    """A number without the zeros and signs of its exponent."""
    mantissa, _, exponent = f"{x:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def shortened(name, most=_MOST_LETTERS):
    """A name as a label; a long one without its middle, because many names differ at their ends."""
    if len(name) > most:
        half = most // 2
        name = f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half + 1 :]}"
    return plain_text(name)


def mark_along_axis(axis, values, **line_kw):
    """Short lines from the horizontal axis upwards."""
    style = {"color": "0.35", "linewidth": 0.8, **line_kw}
    return axis.vlines(values, 0, 0.05, transform=axis.get_xaxis_transform(), **style)
