"""Plot of the pieces that an encoder makes of columns."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._feature_panels import (
    MOST_SHOWN,
    few_ticks,
    is_at_left,
    make_panels,
    mark_along_axis,
    names_of_features,
    places_of_features,
)
from .display import _COLORS, _long_names, _pyplot, _unwrapped
from .encoding import PiecewiseLinearEncoder

# Evenly spaced values of a column at which its pieces are drawn, besides knots and quantiles.
_N_VALUES = 200


class EncodingDisplay:
    """Pieces of a piecewise-linear encoding, each of which rises from 0 to 1 between two knots.

    Make one with :meth:`from_encoder`, which draws it too, and draw it again with :meth:`plot`.

    Parameters
    ----------
    knots : list of ndarray of shape (n_pieces + 1,)
        For each feature that is shown where its pieces begin and end, increasing.
    values : list of ndarray of shape (n_values,)
        Some values of each feature, increasing.
    pieces : list of ndarray of shape (n_values, n_pieces)
        Its pieces at these values.
    feature_names : sequence of str, default=None
        Names of these features; None is x0, x1, ...

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_shown,)
        A panel for each feature.
    figure_ : matplotlib Figure
        The figure that holds the axes.
    lines_ : list of list of matplotlib Line2D
        For each feature its pieces.
    marks_ : list of matplotlib LineCollection
        For each feature its knots, short lines on the horizontal axis.

    See Also
    --------
    PiecewiseLinearEncoder : The encoding.
    FeatureEffectDisplay : What a network has made of the pieces.

    Examples
    --------
    >>> import numpy as np
    >>> from skmdlam import EncodingDisplay
    >>> x = np.array([0.0, 1.0, 4.0])
    >>> display = EncodingDisplay([x], [x], [np.array([[0, 0], [1, 0], [1, 1]])]).plot()
    >>> display.ax_[0].get_title()
    'x0: 2 pieces'
    """

    def __init__(self, knots, values, pieces, *, feature_names=None):
        self.knots = knots
        self.values = values
        self.pieces = pieces
        self.feature_names = feature_names

    def plot(self, ax=None, *, line_kw=None):
        """Draw the pieces.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one for each feature. None makes a new figure.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot` for every piece.

        Returns
        -------
        display : EncodingDisplay
            This object, with its attributes.
        """
        n_shown = len(self.knots)
        names = names_of_features(self.feature_names, None, n_shown)
        plt = _pyplot(f"{type(self).__name__}.plot")
        self.ax_ = make_panels(plt, ax, n_shown)[:, 0]
        self.figure_ = self.ax_[0].figure
        self.lines_, self.marks_ = [], []
        options = _long_names(line_kw or {})
        for axis, name, knots, values, pieces in zip(
            self.ax_, names, self.knots, self.values, self.pieces, strict=True
        ):
            self.lines_.append(self._draw_pieces(axis, values, pieces, options))
            self.marks_.append(mark_along_axis(axis, knots))
            n_pieces = len(knots) - 1
            axis.set_title(f"{name}: {n_pieces} piece{'s' if n_pieces > 1 else ''}", fontsize=10)
            axis.set_ylim(-0.1, 1.05)  # the marks are below the lines
            few_ticks(axis, knots)
            axis.margins(x=0.02)
            axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if is_at_left(axis) else [])
            if is_at_left(axis):
                axis.set_ylabel("encoded value")
        return self

    @classmethod
    def from_encoder(cls, encoder, features=None, *, feature_names=None, ax=None, line_kw=None):
        """Draw the pieces of a fitted encoder, or of the one inside of a fitted estimator.

        Parameters
        ----------
        encoder : PiecewiseLinearEncoder or estimator
            A fitted encoder, or a fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`, whose
            ``encoder_`` is taken. Of a Pipeline it is the last step, of a search its best
            estimator.
        features : int, str or sequence of these, default=None
            Features to show, by index or name. None takes the first six that have pieces.
        feature_names : sequence of str, one for each feature, default=None
            Names of all features. None takes those that the encoder was fitted with, and x0, x1,
            ... where there were none.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw: one for each feature. None makes a new figure.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot` for every piece.

        Returns
        -------
        display : EncodingDisplay
            What was drawn.

        Raises
        ------
        ValueError
            When the estimator has plain columns, a feature is not known, or it has no pieces.
        sklearn.exceptions.NotFittedError
            When the encoder is not fitted.
        ImportError
            Without matplotlib.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skmdlam import EncodingDisplay, PiecewiseLinearEncoder
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> encoder = PiecewiseLinearEncoder(n_bins=4).fit(X)
        >>> display = EncodingDisplay.from_encoder(encoder, ["age", "bmi"])
        >>> [len(lines) for lines in display.lines_]
        [4, 4]
        """
        encoder = _encoder_of(encoder)
        names = names_of_features(feature_names, encoder, encoder.n_features_in_)
        curves = encoder._pieces.curves
        if features is None:
            shown = [j for j, curve in enumerate(curves) if curve is not None][:MOST_SHOWN]
            if not shown:
                raise ValueError("No feature has pieces: each has one or two values.")
        else:
            shown = places_of_features(features, names)
        plain = [names[j] for j in shown if curves[j] is None]
        if plain:
            raise ValueError(
                f"{', '.join(plain)}: no pieces to show, the encoder passes on features of one or "
                "two values."
            )
        values = [_values_of(curves[j]) for j in shown]
        made = encoder._pieces
        pieces = [
            made.at(j, x)[:, made.is_piece[made.source == j]]
            for j, x in zip(shown, values, strict=True)
        ]
        display = cls(
            [encoder.knots_[j] for j in shown],
            values,
            pieces,
            feature_names=[names[j] for j in shown],
        )
        return display.plot(ax=ax, line_kw=line_kw)

    @staticmethod
    def _draw_pieces(axis, values, pieces, options):
        lines = []
        for t, piece in enumerate(np.asarray(pieces).T):
            style = {"color": _COLORS[t % len(_COLORS)], "linewidth": 1.4}
            lines += axis.plot(values, piece, **(style | options))
        return lines


def _encoder_of(encoder):
    """The encoder, or that of an estimator."""
    encoder = _unwrapped(encoder)
    check_is_fitted(encoder)
    if isinstance(encoder, PiecewiseLinearEncoder):
        return encoder
    name = type(encoder).__name__
    if not hasattr(encoder, "encoder_"):
        raise ValueError(f"{name} has no encoder_: pass a fitted PiecewiseLinearEncoder.")
    if encoder.encoder_ is None:
        raise ValueError(
            f"This {name} has plain columns, without pieces: its encoder_ is None. "
            'encoding="piecewise" encodes them.'
        )
    return encoder.encoder_


def _values_of(curve):
    """Where to draw a column: at its knots, its quantiles, and between."""
    low, high = curve.knots[[0, -1]]
    inside = curve.values[(curve.values >= low) & (curve.values <= high)]
    return np.unique(np.r_[curve.knots, inside, np.linspace(low, high, _N_VALUES)])
