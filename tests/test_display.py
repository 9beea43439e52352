"""Displays show what the estimators hold, mark what was kept, and refuse what they cannot draw."""

import builtins
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import (
    ConvergenceDisplay,
    MDLAMClassifier,
    MDLAMRegressor,
    PiecewiseLinearEncoder,
    WeightsDisplay,
)

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = {"encoding": None, "random_state": 0}
        return {
            "feasible": MDLAMClassifier((16,), max_iter=12, **plain).fit(X, y),
            "relaxed": MDLAMClassifier((16,), solver="relaxed", max_iter=30, **plain).fit(X, y),
            "stopped": MDLAMClassifier((16,), early_stopping=True, max_iter=12, random_state=0).fit(
                X, y
            ),
            "mlp": MLPClassifier((16,), max_iter=25, random_state=0).fit(X, y),
            "mlp_stopped": MLPClassifier(
                (16,), max_iter=40, early_stopping=True, random_state=0
            ).fit(X, y),
            "lbfgs": MLPClassifier((16,), solver="lbfgs", max_iter=5, random_state=0).fit(X, y),
        }


@pytest.fixture(scope="module")
def noisy():
    """In mini-batches so small J rises now and then, and in the last epoch."""
    X, y = load_iris(return_X_y=True)
    parameters = {"batch_size": 2, "rho": 1e-8, "activity_alpha": 0, "max_iter": 15}
    model = MDLAMClassifier((8,), random_state=1, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    best = int(np.argmin(model.loss_curve_))
    assert 0 < best < model.n_iter_ - 1 and (np.diff(model.loss_curve_[: best + 1]) > 0).any()
    return model


def drawn(display):
    """Render the figure, which is where matplotlib finds much of what is wrong, as pixels."""
    canvas = display.figure_.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def labels(axis):
    legend = axis.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


class TestWithoutMatplotlib:
    @pytest.mark.slow
    def test_not_imported_with_the_package(self):
        code = (
            "import skmdlam, sys; assert skmdlam.WeightsDisplay; print('matplotlib' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
        )
        assert done.stdout.strip() == "False"

    @pytest.mark.parametrize("display", [ConvergenceDisplay, WeightsDisplay])
    def test_error_says_what_to_do(self, display, fitted, monkeypatch):
        plain = builtins.__import__

        def without(name, *arguments, **keywords):
            if name.split(".")[0] == "matplotlib":
                raise ImportError(name)
            return plain(name, *arguments, **keywords)

        monkeypatch.setattr(builtins, "__import__", without)
        options = {"kind": "matrix"} if display is WeightsDisplay else {}
        with pytest.raises(ImportError, match=r"Display\.plot needs matplotlib.*pip install"):
            display.from_estimator(fitted["feasible"], **options)


class TestConvergence:
    @pytest.mark.parametrize(
        ("curve", "attribute"),
        [
            ("loss", "loss_curve_"),
            ("objective", "objective_curve_"),
            ("rho", "rho_curve_"),
            ("gap", "gap_curve_"),
            ("epsilon", "epsilon_curve_"),
        ],
    )
    @pytest.mark.slow
    def test_line_is_the_attribute(self, pyplot, fitted, curve, attribute):
        model = fitted["relaxed"]
        display = ConvergenceDisplay.from_estimator(model, curves=curve)
        (line,) = display.lines_
        assert line.get_ydata().tolist() == getattr(model, attribute)
        assert line.get_xdata().tolist() == list(range(1, model.n_iter_ + 1))
        assert display.ax_.get_yscale() == "log"
        assert display.marks_ == []
        assert np.ptp(drawn(display)) > 0

    def test_one_axes_for_losses_of_several(self, pyplot, fitted):
        models = {"ours": fitted["relaxed"], "theirs": fitted["mlp"]}
        display = ConvergenceDisplay.from_estimator(models, curves=("loss", "objective"))
        assert len(display.figure_.axes) == 1
        assert labels(display.ax_) == ["ours, loss", "ours, objective", "theirs, loss"]
        loss, objective, theirs = display.lines_
        assert loss.get_color() == objective.get_color() != theirs.get_color()
        assert loss.get_linestyle() == theirs.get_linestyle() != objective.get_linestyle()

    def test_curves_of_one_estimator_differ_in_colour(self, pyplot, fitted):
        display = ConvergenceDisplay.from_estimator(fitted["relaxed"], curves=["loss", "objective"])
        assert labels(display.ax_) == ["loss", "objective"]
        assert len({line.get_color() for line in display.lines_}) == 2

    def test_panels(self, pyplot, fitted):
        models = [fitted["feasible"], fitted["relaxed"]]
        display = ConvergenceDisplay.from_estimator(models, curves=["loss", "rho", "gap"])
        assert [axis.get_ylabel() for axis in display.ax_] == [
            "loss, mean over samples",
            "rho",
            "gap of the constraints",
        ]
        assert [line.axes for line in display.lines_] == np.repeat(display.ax_, 2).tolist()
        # The second panel has the same lines as the first, and the third says what it leaves out.
        names = ["max_iter=12, solver=feasible", "max_iter=30, solver=relaxed"]
        assert [labels(axis) for axis in display.ax_] == [
            names,
            [],
            [f"{names[0]} (all zero)", names[1]],
        ]
        colours = [line.get_color() for line in display.lines_]
        assert colours == colours[:2] * 3

    @pytest.mark.parametrize("name", ["stopped", "mlp_stopped"])
    def test_marks_the_epoch_that_was_kept(self, pyplot, fitted, name):
        model = fitted[name]
        display = ConvergenceDisplay.from_estimator(model, curves=["loss", "validation"])
        epoch = model.validation_scores_.index(model.best_validation_score_) + 1
        (loss, score) = display.marks_
        assert loss.get_xdata().tolist() == score.get_xdata().tolist() == [epoch]
        assert loss.get_ydata().tolist() == [model.loss_curve_[epoch - 1]]
        assert score.get_ydata().tolist() == [model.best_validation_score_]
        assert "weights kept" in labels(display.ax_[0])
        assert [axis.get_yscale() for axis in display.ax_] == ["log", "linear"]

    def test_loss_of_each_epoch_and_the_best_so_far(self, pyplot, noisy):
        display = ConvergenceDisplay.from_estimator(noisy, curves=["loss", "best_loss"])
        loss, best = display.lines_
        curve = noisy.loss_curve_
        assert loss.get_ydata().tolist() == curve
        lowest = [min(curve[: k + 1]) for k in range(len(curve))]
        assert best.get_ydata().tolist() == lowest != curve
        assert lowest[-1] == noisy.best_loss_
        assert labels(display.ax_) == ["loss", "best loss", "weights kept"]
        assert loss.get_color() != best.get_color()
        assert np.ptp(drawn(display)) > 0

    def test_marks_the_best_epoch_where_its_weights_were_returned(self, pyplot, noisy, fitted):
        (mark,) = ConvergenceDisplay.from_estimator(noisy).marks_
        epoch = noisy.loss_curve_.index(noisy.best_loss_)
        assert mark.get_xdata().tolist() == [epoch + 1]
        assert mark.get_ydata().tolist() == [noisy.best_loss_] == [noisy.loss_]
        # The last one needs no mark; relaxed and MLPClassifier return no other.
        for name in ("relaxed", "mlp"):
            assert ConvergenceDisplay.from_estimator(fitted[name]).marks_ == []

    def test_the_best_so_far_of_several(self, pyplot, noisy, fitted):
        display = ConvergenceDisplay.from_estimator(
            {"ours": noisy, "theirs": fitted["mlp"]}, curves=["loss", "best_loss"]
        )
        loss, best, theirs, lowest = display.lines_
        assert loss.get_color() == best.get_color() != theirs.get_color() == lowest.get_color()
        assert loss.get_linestyle() == theirs.get_linestyle() != best.get_linestyle()
        assert lowest.get_ydata()[-1] == fitted["mlp"].best_loss_

    @pytest.mark.parametrize("scale", ["log", "linear"])
    def test_a_loss_that_overflowed_is_left_out(self, pyplot, scale):
        curve = [2.0, sys.float_info.max, 1.0]
        display = ConvergenceDisplay({"fit": {"loss": curve}}).plot(scale=scale)
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), [2.0, np.nan, 1.0])
        drawn(display)
        assert display.ax_.get_ylim()[1] < 10.0

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_validation_loss_of_own_samples(self, pyplot, early_stopping):
        """Beside the loss; validation chooses the epoch that is marked only with early stopping."""
        X, y = load_iris(return_X_y=True)
        model = MDLAMClassifier((8,), early_stopping=early_stopping, random_state=0)
        model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
        display = ConvergenceDisplay.from_estimator(model, curves=["loss", "validation_loss"])
        assert display.lines_[1].get_ydata().tolist() == model.validation_loss_curve_
        assert labels(display.ax_)[:2] == ["loss", "validation loss"]
        best = int(np.argmax(model.validation_scores_)) + 1
        lowest = int(np.argmin(model.loss_curve_)) + 1
        assert best < lowest
        expected = best if early_stopping else lowest
        marked = [mark.get_xdata().tolist() for mark in display.marks_]
        assert marked == [[expected]] * (2 if expected < model.n_iter_ else 0)

    def test_estimator_without_a_curve_is_left_out_of_it(self, pyplot, fitted):
        models = [fitted["stopped"], fitted["mlp"]]
        display = ConvergenceDisplay.from_estimator(models, curves=["loss", "validation"])
        assert [len(axis.lines) for axis in display.ax_] == [3, 2]  # lines and marks

    def test_names_without_a_dict(self, pyplot, fitted):
        a, b = fitted["feasible"], fitted["mlp"]
        display = ConvergenceDisplay.from_estimator([a, b])
        assert labels(display.ax_) == ["MDLAMClassifier", "MLPClassifier"]
        display = ConvergenceDisplay.from_estimator((a, a))
        assert labels(display.ax_) == ["MDLAMClassifier 1", "MDLAMClassifier 2"]

    def test_pipeline_and_search(self, pyplot):
        X, y = load_iris(return_X_y=True)
        model = MDLAMClassifier((5,), encoding=None, random_state=0)
        pipeline = make_pipeline(StandardScaler(), model)
        search = GridSearchCV(pipeline, {"mdlamclassifier__alpha": [0.1]}, cv=2).fit(X, y)
        display = ConvergenceDisplay.from_estimator(search)
        expected = search.best_estimator_[-1].loss_curve_
        assert display.lines_[0].get_ydata().tolist() == expected
        assert WeightsDisplay.from_estimator(search).coef.shape == (4, 5)

    def test_given_axes(self, pyplot, fitted):
        _, axes = pyplot.subplots(1, 2)
        display = ConvergenceDisplay.from_estimator(fitted["stopped"], ax=axes[1])
        assert display.ax_ is axes[1] and display.figure_ is axes[1].figure
        display.plot(ax=axes[0])
        assert display.ax_ is axes[0]
        both = ["loss", "validation"]
        display = ConvergenceDisplay.from_estimator(fitted["stopped"], curves=both, ax=axes)
        assert display.ax_.tolist() == axes.tolist()

    def test_line_kw(self, pyplot, fitted):
        keywords = {"lw": 4, "c": "k"}
        display = ConvergenceDisplay.from_estimator(fitted["mlp"], line_kw=keywords)
        (line,) = display.lines_
        assert line.get_linewidth() == 4 and line.get_color() == "k"

    def test_many_estimators_have_colours_of_their_own(self, pyplot):
        display = ConvergenceDisplay({f"{k}": {"loss": [k + 1.0, 1.0]} for k in range(12)}).plot()
        assert len({str(line.get_color()) for line in display.lines_}) == 12
        drawn(display)

    def test_auto_scale_of_a_loss_below_zero(self, pyplot):
        assert ConvergenceDisplay({"a": {"loss": [1.0, -1.0]}}).plot().ax_.get_yscale() == "linear"
        assert ConvergenceDisplay({"a": {"gap": [0.0, 0.0]}}).plot().ax_.get_yscale() == "linear"

    def test_ticks_are_plain_numbers(self, pyplot):
        display = ConvergenceDisplay({"a": {"loss": [0.9, 0.2]}}).plot()
        drawn(display)
        texts = [text.get_text() for text in display.ax_.yaxis.get_minorticklabels()]
        assert "0.2" in texts and not any("times" in text for text in texts)

    @pytest.mark.parametrize(
        ("which", "options", "message"),
        [
            ("feasible", {"curves": "los"}, r"curves must be .*'loss'.*got 'los'"),
            ("feasible", {"curves": ["loss", 3]}, r"curves must be .*got 3"),
            ("feasible", {"curves": []}, "curves must name at least one of loss"),
            ("feasible", {"scale": "logit"}, r"scale must be one of 'auto'.*got 'logit'"),
            ("feasible", {"curves": "validation"}, "no validation_scores_ in .*no validation samp"),
            ("mlp", {"curves": "objective"}, "no objective_curve_ in MLPClassifier"),
            ("lbfgs", {}, "no loss_curve_ in MLPClassifier"),
            ("feasible", {"curves": "gap", "scale": "log"}, "cannot show gap: no value above zero"),
        ],
    )
    def test_bad_calls(self, pyplot, fitted, which, options, message):
        with pytest.raises(ValueError, match=message):
            ConvergenceDisplay.from_estimator(fitted[which], **options)
        assert pyplot.get_fignums() == []

    def test_bad_estimators(self, pyplot, fitted):
        with pytest.raises(NotFittedError):
            ConvergenceDisplay.from_estimator([fitted["mlp"], MDLAMClassifier()])
        with pytest.raises(ValueError, match="must be fitted; got the class MDLAMClassifier"):
            ConvergenceDisplay.from_estimator(MDLAMClassifier)
        with pytest.raises(ValueError, match="at least one fitted estimator"):
            ConvergenceDisplay.from_estimator([])
        models = {"net": fitted["feasible"], "newton": fitted["lbfgs"]}
        with pytest.raises(ValueError, match="newton has none of the curves loss"):
            ConvergenceDisplay.from_estimator(models)

    def test_bad_axes(self, pyplot, fitted):
        _, axes = pyplot.subplots(1, 2)
        with pytest.raises(ValueError, match=r"each of the 1 panel\(s\) \(loss\); got 2"):
            ConvergenceDisplay.from_estimator(fitted["mlp"], ax=axes)

    def test_negative_values_on_a_log_scale(self, pyplot):
        display = ConvergenceDisplay({"a": {"loss": [1.0, -0.5]}})
        with pytest.raises(ValueError, match=r"cannot show loss: a value of -0\.5"):
            display.plot(scale="log")


class TestWeights:
    @pytest.fixture
    def coef(self):
        return np.random.RandomState(0).standard_normal((12, 5)) * [1, 9, 2, 4, 3]

    def test_images_of_the_largest_units(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(image_shape=(3, 4), n_units=2)
        assert display.units_.tolist() == [1, 3]
        pixels = display.image_.get_array().filled(np.nan)
        assert pixels.shape == (3, 9)  # side by side, with a gap
        np.testing.assert_array_equal(pixels[:, :4], coef[:, 1].reshape(3, 4))
        np.testing.assert_array_equal(pixels[:, 5:], coef[:, 3].reshape(3, 4))
        assert np.isnan(pixels[:, 4]).all()
        assert display.ax_.get_title() == "Layer 0: weights of the 2 largest of 5 units"
        drawn(display)

    @pytest.mark.parametrize("kind", ["image", "matrix"])
    def test_colours_are_symmetric(self, pyplot, coef, kind):
        shape = (3, 4) if kind == "image" else None
        display = WeightsDisplay(coef).plot(kind=kind, image_shape=shape)
        norm = display.image_.norm
        assert norm.vmin == -norm.vmax < 0
        assert norm.vmax <= np.abs(coef).max()
        assert display.colorbar_.extend == "both"  # a hundredth of the weights is beyond
        assert np.mean(np.abs(coef) > norm.vmax) <= 1 / 60
        middle = np.array(display.image_.cmap(norm(0.0))[:3])
        assert middle.min() > 0.9, "zero is white"

    def test_from_estimator_shows_all_small_layers(self, pyplot, fitted):
        model = fitted["relaxed"]
        display = WeightsDisplay.from_estimator(model)  # 4 inputs: 2 x 2
        assert np.isfinite(display.image_.get_array().filled(np.nan)).sum() == 4 * 16
        assert display.ax_.get_title() == "Layer 0: weights of all 16 units"
        last = WeightsDisplay.from_estimator(model, layer=-1, kind="matrix")
        np.testing.assert_array_equal(last.image_.get_array(), model.coefs_[1])
        assert last.ax_.get_ylabel() == "unit of layer 0"
        assert last.ax_.get_title() == "Layer 1: weights"

    def test_at_most_16_images_by_default(self, pyplot):
        display = WeightsDisplay(np.ones((9, 20))).plot()
        assert display.units_.tolist() == list(range(16))

    def test_names_of_encoded_columns(self, pyplot):
        X = pd.DataFrame({"a": np.arange(120.0), "b": np.arange(120) % 2})
        encoder = PiecewiseLinearEncoder(n_bins=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(hidden_layer_sizes=(3,), encoding=encoder, max_iter=2).fit(
                X, X["a"]
            )
        display = WeightsDisplay.from_estimator(model, kind="matrix")
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == ["a_rank", "a_pl_0", "a_pl_1", "b"]

    def test_sparsity(self, pyplot):
        X, y = make_regression(80, 6, n_informative=2, random_state=0)
        X = pd.DataFrame(X, columns=list("abcdef"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(
                hidden_layer_sizes=(10,),
                solver="relaxed",
                penalty="group",
                alpha=3.0,
                rho=1.0,
                random_state=0,
            ).fit(X, y / y.std())
        W = model.coefs_[0]
        zeros = np.count_nonzero(W == 0)
        assert 0 < zeros < W.size, "nothing to see"
        display = WeightsDisplay.from_estimator(model, kind="sparsity")
        np.testing.assert_array_equal(display.image_.get_array(), W != 0)
        share = round(100 * zeros / 60)
        assert display.ax_.get_title() == f"Layer 0: {zeros} of 60 weights are zero ({share} %)"
        assert [t.get_text() for t in display.ax_.get_yticklabels()] == list("abcdef")
        assert display.colorbar_ is None
        assert labels(display.ax_) == ["zero", "not zero"]
        drawn(display)

    def test_few_units_of_a_matrix_keep_their_numbers(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(kind="matrix", n_units=3)
        np.testing.assert_array_equal(display.image_.get_array(), coef[:, [1, 3, 4]])
        assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["1", "3", "4"]

    def test_many_names_are_left_out(self, pyplot):
        names = [f"column {k}" for k in range(50)]
        display = WeightsDisplay(np.ones((50, 3)), feature_names=names).plot(kind="matrix")
        drawn(display)
        assert not any("column" in t.get_text() for t in display.ax_.get_yticklabels())

    def test_all_zero(self, pyplot):
        display = WeightsDisplay(np.zeros((4, 2))).plot()
        assert display.image_.norm.vmax == 1.0
        drawn(display)

    def test_given_axes_and_keywords(self, pyplot, coef):
        _, ax = pyplot.subplots()
        display = WeightsDisplay(coef).plot(
            ax=ax, kind="matrix", image_kw={"cmap": "PuOr", "vmin": -1, "vmax": 1}
        )
        assert display.ax_ is ax and display.image_.cmap.name == "PuOr"
        assert display.image_.norm.vmax == 1

    def test_mlp(self, pyplot, fitted):
        display = WeightsDisplay.from_estimator(fitted["mlp"], kind="matrix")
        np.testing.assert_array_equal(display.image_.get_array(), fitted["mlp"].coefs_[0])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layer": 2}, "layer must be an integer from 0 to 1, or from -2 to -1; got 2"),
            ({"layer": -3}, "layer must be .*got -3"),
            ({"layer": 0.0}, "layer must be .*got 0.0"),
            ({"layer": True}, "layer must be .*got True"),
            ({"kind": "heat"}, "kind must be one of 'image', 'matrix', 'sparsity'; got 'heat'"),
            ({"image_shape": (2, 3)}, r"image_shape=\(2, 3\) has 6 pixels.* has 4 inputs"),
            ({"image_shape": 4}, "two positive integers, rows and columns; got 4"),
            ({"image_shape": (2.0, 2)}, "two positive integers"),
            ({"image_shape": (-2, -2)}, "two positive integers"),
            ({"kind": "matrix", "image_shape": (2, 2)}, 'image_shape is for kind="image" only'),
            ({"n_units": 0}, "n_units must be a positive integer or None; got 0"),
            ({"n_units": 2.5}, "n_units must be .*got 2.5"),
            ({"feature_names": ["a"]}, "a name for each of the 4 inputs of layer 0; got 1"),
        ],
    )
    def test_bad_calls(self, pyplot, fitted, options, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay.from_estimator(fitted["feasible"], **options)
        assert pyplot.get_fignums() == []

    def test_not_a_square(self, pyplot):
        with pytest.raises(ValueError, match="10 inputs do not make a square image: give image_sh"):
            WeightsDisplay(np.ones((10, 2))).plot()

    @pytest.mark.parametrize(
        ("coef", "message"),
        [
            (np.ones(3), "must be a matrix"),
            (np.ones((0, 3)), "must be a matrix"),
            (np.full((4, 1), np.nan), "not finite"),
        ],
    )
    def test_bad_coef(self, pyplot, coef, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay(coef).plot()

    def test_bad_estimators(self, pyplot):
        with pytest.raises(NotFittedError):
            WeightsDisplay.from_estimator(MDLAMRegressor())
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match="StandardScaler has no coefs_"):
            WeightsDisplay.from_estimator(StandardScaler().fit(X, y))
