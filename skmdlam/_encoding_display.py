"""Plot of the encoded values of features."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._feature_panels import (
    MOST_SHOWN,
    few_ticks,
    is_at_left,
    log_if_skewed,
    make_panels,
    mark_along_axis,
    names_of_features,
    places_of_features,
    shortened,
)
from ._plotting import COLORS, long_names, pyplot
from ._unwrapping import names_of_columns, unwrapped
from .encoding import PiecewiseLinearEncoder

# Evenly spaced values of a column at which its pieces are drawn, besides knots and quantiles.
_N_VALUES = 200
# Positive knots have a log scale where the last inner one is so many times the first.
_SKEWED = 10.0


class EncodingDisplay:
    """Encoded values of a piecewise-linear encoding, by feature.

    Each bin of a feature is encoded by a function that rises from 0 to 1 between two knots.

    Create one with :meth:`from_estimator`, and redraw it with :meth:`plot`.

    Parameters
    ----------
    knots : list of ndarray of shape (n_bins + 1,)
        For each feature that is shown the edges of its bins, increasing.
    values : list of ndarray of shape (n_values,)
        Values of each feature, increasing.
    pieces : list of ndarray of shape (n_values, n_bins)
        Encoded values at these.
    feature_names : sequence of str, default=None
        Names of these features; None is x0, x1, ...
    gaps : sequence of bool, default=None
        Which of them had missing values in training. A missing value is 0 in all bins, and 1 in an
        indicator column, which the title mentions. None is none.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (n_shown,)
        Axes of each feature.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of list of matplotlib Line2D
        For each feature a line for each bin.
    marks_ : list of matplotlib LineCollection
        For each feature its knots, short lines on the horizontal axis.

    See Also
    --------
    PiecewiseLinearEncoder : The encoding.
    FeatureEffectDisplay : What a network learned of the features.

    Examples
    --------
    >>> import numpy as np
    >>> from skmdlam import EncodingDisplay
    >>> x = np.array([0.0, 1.0, 4.0])
    >>> display = EncodingDisplay([x], [x], [np.array([[0, 0], [1, 0], [1, 1]])]).plot()
    >>> display.ax_[0].get_title()
    'x0: 2 bins'
    """

    def __init__(self, knots, values, pieces, *, feature_names=None, gaps=None):
        self.knots = knots
        self.values = values
        self.pieces = pieces
        self.feature_names = feature_names
        self.gaps = gaps

    def plot(self, ax=None, *, line_kw=None):
        """Draw the encoded values.

        The horizontal axis has a log scale if the values are positive and most of the bins would be
        too narrow to be seen.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Axes to draw in, one for each feature. None creates a new figure.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for every bin.

        Returns
        -------
        display : EncodingDisplay
            This object, with its attributes.
        """
        n_shown = len(self.knots)
        names = names_of_features(self.feature_names, None, n_shown)
        plt = pyplot(f"{type(self).__name__}.plot")
        self.ax_ = make_panels(plt, ax, n_shown)[:, 0]
        self.figure_ = self.ax_[0].figure
        self.lines_, self.marks_ = [], []
        options = long_names(line_kw or {})
        gaps = [False] * n_shown if self.gaps is None else self.gaps
        for axis, name, knots, values, pieces, has_gaps in zip(
            self.ax_, names, self.knots, self.values, self.pieces, gaps, strict=True
        ):
            self.lines_.append(self._draw_pieces(axis, values, pieces, options))
            self.marks_.append(mark_along_axis(axis, knots))
            n_pieces = len(knots) - 1
            title = f"{shortened(name)}: {n_pieces} bin{'s' if n_pieces > 1 else ''}"
            axis.set_title(title + (" + missing" if has_gaps else ""), fontsize=10)
            axis.set_ylim(-0.1, 1.05)  # the marks are below the lines
            inner = np.asarray(knots)[[1, -2]]
            if n_pieces < 3 or not log_if_skewed(axis, *inner, knots, _SKEWED):
                few_ticks(axis, knots)
            axis.margins(x=0.02)
            axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if is_at_left(axis) else [])
            if is_at_left(axis):
                axis.set_ylabel("encoded value")
        return self

    @classmethod
    def from_estimator(cls, estimator, features=None, *, feature_names=None, ax=None, line_kw=None):
        """Draw the encoding of a fitted estimator, or of a fitted encoder.

        Parameters
        ----------
        estimator : estimator or PiecewiseLinearEncoder
            A fitted :class:`MDLAMClassifier` or :class:`MDLAMRegressor`, whose ``encoder_`` is
            used, or a fitted encoder. For a Pipeline the last step is used, for a search its
            ``best_estimator_``.
        features : int, str or sequence of these, default=None
            Features to show, by index or name. None is the first six with at least one bin. The
            features are the columns that the estimator was fitted on and, by name, the scores
            of categories with many levels, such as "city_score"; see ``input_names_``. Other
            categories have no bins.
        feature_names : sequence of str of length n_features, default=None
            Names of all features. None uses those that the estimator was fitted with, or the
            previous steps of the Pipeline give them, else x0, x1, ...
        ax : matplotlib Axes or array of Axes, default=None
            Axes to draw in, one for each feature. None creates a new figure.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for every bin.

        Returns
        -------
        display : EncodingDisplay
            Object that stores the encoded values and the matplotlib objects.

        Raises
        ------
        ValueError
            If the features of the estimator are not encoded, a feature is not known, or it has no
            bins: it is a category, or has at most two values.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skmdlam import EncodingDisplay, PiecewiseLinearEncoder
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> encoder = PiecewiseLinearEncoder(n_bins=4).fit(X)
        >>> display = EncodingDisplay.from_estimator(encoder, ["age", "bmi"])
        >>> [len(lines) for lines in display.lines_]
        [4, 4]
        """
        encoder, before = unwrapped(estimator)
        if feature_names is None and before:
            check_is_fitted(encoder)
            feature_names = names_of_columns(encoder, before)
        encoder, inside, categories = _encoder_of(encoder)
        names, column_of = _columns(encoder, inside, feature_names)
        made = encoder._pieces
        with_pieces = {
            place: column
            for place, column in enumerate(column_of)
            if column is not None and made.curves[column] is not None
        }
        if features is None:
            shown = list(with_pieces)[:MOST_SHOWN]
            if not shown:
                raise ValueError(
                    "No feature has bins: all are categories, or have at most two values."
                )
        else:
            shown = places_of_features(features, names)
        _check_have_pieces(shown, with_pieces, names, categories, column_of)
        columns = [with_pieces[place] for place in shown]
        values = [_values_of(made.curves[column]) for column in columns]
        pieces = [
            made.at(column, x)[:, made.is_piece[made.source == column]]
            for column, x in zip(columns, values, strict=True)
        ]
        display = cls(
            [encoder.knots_[column] for column in columns],
            values,
            pieces,
            feature_names=[names[place] for place in shown],
            gaps=[made.kinds is not None and bool(made.kinds.gaps[j]) for j in columns],
        )
        return display.plot(ax=ax, line_kw=line_kw)

    @classmethod
    def from_encoder(cls, encoder, features=None, *, feature_names=None, ax=None, line_kw=None):
        """Same as :meth:`from_estimator`.

        Parameters
        ----------
        encoder : PiecewiseLinearEncoder or estimator
            A fitted encoder, or an estimator that has one.
        features : int, str or sequence of these, default=None
            Features to show, by index or name.
        feature_names : sequence of str of length n_features, default=None
            Names of all features.
        ax : matplotlib Axes or array of Axes, default=None
            Axes to draw in, one for each feature.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for every bin.

        Returns
        -------
        display : EncodingDisplay
            Object that stores the encoded values and the matplotlib objects.
        """
        return cls.from_estimator(
            encoder, features, feature_names=feature_names, ax=ax, line_kw=line_kw
        )

    @staticmethod
    def _draw_pieces(axis, values, pieces, options):
        lines = []
        for t, piece in enumerate(np.asarray(pieces).T):
            style = {"color": COLORS[t % len(COLORS)], "linewidth": 1.4}
            lines += axis.plot(values, piece, **(style | options))
        return lines


def _encoder_of(encoder):
    """The encoder, or that of an estimator; what it encodes of the estimator's X; categories."""
    check_is_fitted(encoder)
    if isinstance(encoder, PiecewiseLinearEncoder):
        if getattr(encoder, "_is_inside", False):
            raise ValueError(
                "This encoder is part of an estimator whose X has categories: pass the estimator."
            )
        return encoder, None, ()
    name = type(encoder).__name__
    if not hasattr(encoder, "encoder_"):
        raise ValueError(f"{name} has no encoder_: pass a fitted PiecewiseLinearEncoder.")
    if encoder.encoder_ is None:
        raise ValueError(
            f"This {name} has no encoding to show: its encoder_ is None. "
            'Fit it with encoding="piecewise".'
        )
    mask = encoder.is_categorical_
    categories = () if mask is None else np.flatnonzero(mask).tolist()
    return encoder.encoder_, (encoder, encoder._inputs), categories


def _columns(encoder, inside, feature_names):
    """Names of features and the column of the encoder that each is, None where it has none."""
    if inside is None:
        names = names_of_features(feature_names, encoder, encoder.n_features_in_)
        return names, list(range(len(names)))
    model, inputs = inside
    names = names_of_features(feature_names, model, inputs.n_features)
    made_of = inputs.made_of
    n_scores = 0 if inputs.scores is None else inputs.scores.size
    n_kept = made_of.size - n_scores
    column_of = [None] * len(names)
    for column, feature in enumerate(made_of[:n_kept]):
        column_of[feature] = column
    column_of += range(n_kept, made_of.size)
    return names + inputs.column_names(names)[n_kept:], column_of


def _check_have_pieces(shown, with_pieces, names, categories, column_of):
    plain = [place for place in shown if place not in with_pieces]
    levels = [names[place] for place in plain if place in categories]
    if levels:
        raise ValueError(f"{', '.join(levels)}: no bins to show, these are categories.")
    coded = [names[place] for place in plain if column_of[place] is None]
    if coded:
        raise ValueError(
            f"{', '.join(coded)}: no bins to show, these are one-hot columns that are read as "
            "one category."
        )
    if plain:
        raise ValueError(
            f"{', '.join(names[place] for place in plain)}: no bins to show, features "
            "of at most two values are not encoded."
        )


def _values_of(curve):
    """Where to draw a column: at its knots, its quantiles, and between."""
    low, high = curve.knots[[0, -1]]
    inside = curve.values[(curve.values >= low) & (curve.values <= high)]
    return np.unique(np.r_[curve.knots, inside, np.linspace(low, high, _N_VALUES)])
