"""Plot of a regularization path."""

import numpy as np

from ._path import regularization_path
from ._plotting import COLORS, plain_numbers, plain_text, pyplot

# Norms of less than so much of the largest one have no say in the order.
_NEARLY_ZERO = 0.01
# Lines that have a color more than once differ by these.
_STYLES = ("-", "--", ":")


class RegularizationPathDisplay:
    """Norms of the weights of each feature by the strength of a penalty, and scores.

    Create one with :meth:`from_estimator`, which fits the path, or from a path that
    :func:`regularization_path` has returned; draw it with :meth:`plot`.

    Parameters
    ----------
    path : :class:`~sklearn.utils.Bunch`
        Returned by :func:`regularization_path`.
    feature_names : sequence of str, default=None
        Names of the features, which are the inputs of the first layer. None uses those of the
        path, or x0, x1, ... if the training samples were an array.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (2,)
        Axes of the norms, and of the scores.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        Norms, a line for each feature.
    score_lines_ : list of matplotlib Line2D
        Score on the training samples, and on the test samples if there are any.
    order_ : ndarray of int of shape (n_inputs,)
        Indices of the features, the one that is dropped last first. Norms below a hundredth of the
        largest one count as zero here.

    See Also
    --------
    regularization_path : The fits.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from skmdlam import MDLAMRegressor, RegularizationPathDisplay
    >>> X, y = make_friedman1(300, n_features=10, noise=1.0, random_state=0)  # five are useful
    >>> model = MDLAMRegressor(hidden_layer_sizes=(20,), penalty="group", random_state=0)
    >>> display = RegularizationPathDisplay.from_estimator(model, X, y, n_alphas=10)
    >>> len(display.lines_), len(display.score_lines_)
    (10, 1)
    """

    def __init__(self, path, *, feature_names=None):
        self.path = path
        self.feature_names = feature_names

    def plot(self, ax=None, *, n_named=7, line_kw=None):
        """Draw the path.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Axes for the norms and for the scores. None creates a new figure.
        n_named : int, default=7
            Number of features with a color and a name, those that are dropped last; the others
            are gray.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for the norms.

        Returns
        -------
        display : RegularizationPathDisplay
            This object, with its attributes.
        """
        norms = np.asarray(self.path.norms)
        names = self._names(norms.shape[1])
        if isinstance(n_named, bool) or not isinstance(n_named, int | np.integer) or n_named < 0:
            raise ValueError(f"n_named must be an integer, not negative; got {n_named!r}.")
        plt = pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, axes = plt.subplots(
                2, sharex=True, layout="constrained", figsize=(7.2, 6.4), height_ratios=(3, 2)
            )
        else:
            axes = np.asarray(ax, dtype=object).ravel()
            if len(axes) != 2:
                raise ValueError(f"ax must hold two Axes, for norms and scores; got {len(axes)}.")
        self.ax_, self.figure_ = axes, axes[0].figure
        self.order_ = self._order()
        self._draw_norms(axes[0], norms, names, n_named, line_kw or {})
        self._draw_scores(axes[1])
        axes[1].set_xlabel("alpha")
        for axis in axes:
            axis.set_xscale("log")
            plain_numbers(axis.xaxis)
        self._number_of_inputs(axes[0])
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        feature_names=None,
        ax=None,
        n_named=7,
        line_kw=None,
        **path_params,
    ):
        """Fit a path and draw it.

        Parameters
        ----------
        estimator : MDLAMClassifier or MDLAMRegressor
            As for :func:`regularization_path`.
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        feature_names : sequence of str, default=None
            Names of the features; see the class.
        ax : sequence of two matplotlib Axes, default=None
            Axes for the norms and for the scores. None creates a new figure.
        n_named : int, default=7
            Number of features with a color and a name, see :meth:`plot`.
        line_kw : dict, default=None
            Keyword arguments passed to :meth:`matplotlib.axes.Axes.plot` for the norms.
        **path_params : dict
            Parameters of :func:`regularization_path`: ``n_alphas``, ``X_test``, ``y_test``, ...

        Returns
        -------
        display : RegularizationPathDisplay
            Object that stores the path and the matplotlib objects.
        """
        path = regularization_path(estimator, X, y, **path_params)
        return cls(path, feature_names=feature_names).plot(ax=ax, n_named=n_named, line_kw=line_kw)

    def _names(self, n_features):
        names = self.feature_names
        if names is None:
            names = self.path.feature_names
        if names is None:
            names = [f"x{j}" for j in range(n_features)]
        if len(names) != n_features:
            raise ValueError(
                f"feature_names must hold a name for each of the {n_features} features; got "
                f"{len(names)}."
            )
        return list(names)

    def _order(self):
        """Inputs by the largest alpha that uses them, then by their norms there and below.

        What is all but zero is not used: some come back so for a while.
        """
        norms = np.asarray(self.path.norms)
        used = norms > _NEARLY_ZERO * norms.max(initial=0.0)
        last = np.where(used.any(axis=0), used.argmax(axis=0), len(norms))
        at_last = norms[np.minimum(last, len(norms) - 1), np.arange(norms.shape[1])]
        return np.lexsort((-at_last, last))

    def _draw_norms(self, axis, norms, names, n_named, line_kw):
        rank = np.argsort(self.order_)
        self.lines_ = []
        for j, name in enumerate(names):
            place = int(rank[j])
            named = place < n_named
            style = {
                "color": COLORS[place % len(COLORS)] if named else "0.75",
                "linestyle": _STYLES[place // len(COLORS) % len(_STYLES)] if named else "-",
                "linewidth": 1.8 if named else 1.0,
                "zorder": 2.5 if named else 2,
                "label": plain_text(str(name)) if named else "_others",
            }
            self.lines_ += axis.plot(self.path.alphas, norms[:, j], **(style | line_kw))
        handles = [self.lines_[j] for j in self.order_[:n_named]]
        if handles:
            others = [self.lines_[j] for j in self.order_[n_named:]]
            labels = [plain_text(str(names[j])) for j in self.order_[:n_named]]
            if others:
                handles, labels = [*handles, others[0]], [*labels, f"{len(others)} others"]
            axis.legend(
                handles,
                labels,
                title="dropped last",
                fontsize="small",
                title_fontsize="small",
                loc="center left",
                bbox_to_anchor=(1, 0.5),
            )
        axis.set_ylabel("norm of the weights\nof each feature")
        axis.set_ylim(0, None)

    def _draw_scores(self, axis):
        path = self.path
        self.score_lines_ = axis.plot(
            path.alphas, path.train_scores, color="0.45", linestyle="--", label="training samples"
        )
        if path.test_scores is not None:
            self.score_lines_ += axis.plot(
                path.alphas, path.test_scores, color="#0072B2", label="test samples"
            )
            best = int(np.argmax(path.test_scores))
            n_best = path.n_features_used[best]
            axis.plot(
                path.alphas[best],
                path.test_scores[best],
                marker="o",
                linestyle="none",
                markerfacecolor="white",
                markeredgewidth=2,
                color="#0072B2",
                label=f"best: {n_best} feature{'s' if n_best != 1 else ''}",
            )
        axis.set_ylabel("score")
        axis.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))

    def _number_of_inputs(self, axis):
        """How many inputs are used, along the top."""
        path = self.path
        ticks = np.unique(np.linspace(0, len(path.alphas) - 1, 9).round().astype(int))
        top = axis.secondary_xaxis("top")
        top.set_xticks(path.alphas[ticks], [str(n) for n in path.n_features_used[ticks]])
        top.set_xticks([], minor=True)
        top.set_xlabel("number of features used")
