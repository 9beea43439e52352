"""Tests of the plot of a regularization path."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.utils import Bunch

from skmdlam import MDLAMRegressor, RegularizationPathDisplay, regularization_path

DATA = load_diabetes(as_frame=True)
X, y = DATA.data / DATA.data.std(), DATA.target


def made_up(**changes):
    """Three inputs: the second is dropped last, the first one never used."""
    norms = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 3.0, 1.0]])
    path = Bunch(
        alphas=np.array([100.0, 10.0, 1.0]),
        norms=norms,
        n_features_used=np.array([0, 1, 2]),
        train_scores=np.array([0.0, 0.5, 0.6]),
        test_scores=np.array([0.0, 0.4, 0.3]),
        feature_names=None,
    )
    path.update(changes)
    return path


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


class TestPlot:
    def test_lines_are_the_norms_and_scores(self, pyplot):
        path = made_up()
        display = RegularizationPathDisplay(path).plot()
        for line, norms in zip(display.lines_, path.norms.T, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), path.alphas)
            np.testing.assert_array_equal(line.get_ydata(), norms)
        train, test = display.score_lines_
        np.testing.assert_array_equal(train.get_ydata(), path.train_scores)
        np.testing.assert_array_equal(test.get_ydata(), path.test_scores)
        assert [axis.get_xscale() for axis in display.ax_] == ["log", "log"]
        assert display.ax_[1].get_xlabel() == "alpha"

    def test_named_by_who_is_dropped_last(self, pyplot):
        display = RegularizationPathDisplay(made_up()).plot(n_named=2)
        assert list(display.order_) == [1, 2, 0]
        assert legend(display.ax_[0]) == ["x1", "x2", "1 others"]
        assert display.lines_[0].get_color() == "0.75" != display.lines_[1].get_color()

    def test_names(self, pyplot):
        names = ["age", "sex", "bmi"]
        path = made_up(feature_names=np.array(names))
        assert legend(RegularizationPathDisplay(path).plot().ax_[0]) == ["sex", "bmi", "age"]
        other = RegularizationPathDisplay(path, feature_names=["a", "b", "c"]).plot()
        assert legend(other.ax_[0]) == ["b", "c", "a"]

    def test_dollar_signs_in_names_are_no_formulas(self, pyplot):
        display = RegularizationPathDisplay(made_up(), feature_names=["$a_$", "$b_$", "c"]).plot()
        display.figure_.canvas.draw()
        assert legend(display.ax_[0]) == [r"\$b_\$", "c", r"\$a_\$"]

    def test_best_score_and_inputs_in_use_are_told(self, pyplot):
        display = RegularizationPathDisplay(made_up()).plot()
        assert legend(display.ax_[1])[-1] == "best: 1 feature"
        display.figure_.canvas.draw()
        (top,) = display.ax_[0].child_axes
        assert [label.get_text() for label in top.get_xticklabels()] == ["0", "1", "2"]

    def test_without_test_samples(self, pyplot):
        display = RegularizationPathDisplay(made_up(test_scores=None)).plot()
        assert len(display.score_lines_) == 1
        assert legend(display.ax_[1]) == ["training samples"]

    def test_own_axes_and_lines(self, pyplot):
        figure, axes = pyplot.subplots(1, 2)
        display = RegularizationPathDisplay(made_up())
        assert display.plot(axes, line_kw={"color": "red"}) is display
        assert display.figure_ is figure and display.ax_[1] is axes[1]
        assert {line.get_color() for line in display.lines_} == {"red"}

    def test_more_names_than_colors(self, pyplot):
        norms = np.linspace(0, 1, 3)[:, None] * np.arange(1.0, 31.0)
        display = RegularizationPathDisplay(made_up(norms=norms)).plot(n_named=14)
        looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
        assert len(looks) == 15

    @pytest.mark.parametrize(
        ("options", "message"),
        [({"n_named": -1}, "n_named"), ({"n_named": 1.5}, "n_named"), ({"ax": [None]}, "two Axes")],
    )
    def test_bad_options(self, pyplot, options, message):
        with pytest.raises(ValueError, match=message):
            RegularizationPathDisplay(made_up()).plot(**options)

    def test_names_for_other_inputs(self, pyplot):
        with pytest.raises(ValueError, match="each of the 3 features; got 1"):
            RegularizationPathDisplay(made_up(), feature_names=["one"]).plot()


class TestFromEstimator:
    @pytest.mark.slow
    def test_fits_the_path(self, pyplot):
        model = MDLAMRegressor(hidden_layer_sizes=(5,), penalty="group", random_state=0)
        options = {"n_alphas": 4, "X_test": X[300:], "y_test": y[300:]}
        display = RegularizationPathDisplay.from_estimator(model, X[:300], y[:300], **options)
        path = regularization_path(model, X[:300], y[:300], **options)
        np.testing.assert_array_equal(display.path.norms, path.norms)
        assert set(legend(display.ax_[0])[:-1]) < set(X.columns)
        canvas = display.figure_.canvas
        canvas.draw()
        assert np.ptp(np.asarray(canvas.buffer_rgba())) > 0
