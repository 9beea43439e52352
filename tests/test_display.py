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
        display = ConvergenceDisplay.from_estimator(model, curves=curve, scale="log")
        (line,) = display.lines_
        assert line.get_ydata().tolist() == getattr(model, attribute)
        assert line.get_xdata().tolist() == list(range(1, model.n_iter_ + 1))
        assert display.ax_.get_yscale() == "log"
        assert display.marks_ == []
        assert np.ptp(drawn(display)) > 0

    def test_one_axes_for_objectives_of_several(self, pyplot, fitted):
        models = {"a": fitted["relaxed"], "b": fitted["feasible"]}
        display = ConvergenceDisplay.from_estimator(models, curves=("loss", "objective"))
        assert len(display.figure_.axes) == 1
        assert display.ax_.get_ylabel() == "objective, per sample"
        names = ["training objective", "objective of the solver"]
        assert labels(display.ax_) == ["a", "b", *names]
        assert [line.get_label() for line in display.lines_] == [
            f"{name}, {curve}" for name in "ab" for curve in names
        ]
        loss, objective, other, _ = display.lines_
        assert loss.get_color() == objective.get_color() != other.get_color()
        assert loss.get_linestyle() == other.get_linestyle() != objective.get_linestyle()

    def test_curves_of_one_estimator_differ_in_color(self, pyplot, fitted):
        display = ConvergenceDisplay.from_estimator(fitted["relaxed"], curves=["loss", "objective"])
        assert labels(display.ax_) == ["training objective", "objective of the solver"]
        assert len({line.get_color() for line in display.lines_}) == 2

    def test_panels(self, pyplot, fitted):
        models = [fitted["feasible"], fitted["relaxed"]]
        display = ConvergenceDisplay.from_estimator(
            models, curves=["loss", "rho", "gap"], scale="log"
        )
        assert [axis.get_ylabel() for axis in display.ax_] == [
            "training objective",
            "rho",
            "constraint residual",
        ]
        assert [line.axes for line in display.lines_] == np.repeat(display.ax_, 2).tolist()
        # The second panel has the same lines as the first, and the third says what it leaves out.
        names = ["max_iter=12, solver=feasible", "max_iter=30, solver=relaxed"]
        assert [labels(axis) for axis in display.ax_] == [
            names,
            [],
            [f"{names[0]} (all zero)", names[1]],
        ]
        colors = [line.get_color() for line in display.lines_]
        assert colors == colors[:2] * 3

    @pytest.mark.parametrize("name", ["stopped", "mlp_stopped"])
    def test_marks_the_epoch_that_was_kept(self, pyplot, fitted, name):
        model = fitted[name]
        display = ConvergenceDisplay.from_estimator(model, curves=["loss", "validation"])
        epoch = model.validation_scores_.index(model.best_validation_score_) + 1
        (loss, score) = display.marks_
        assert loss.get_xdata().tolist() == score.get_xdata().tolist() == [epoch]
        assert loss.get_ydata().tolist() == [model.loss_curve_[epoch - 1]]
        assert score.get_ydata().tolist() == [model.best_validation_score_]
        assert "returned weights" in labels(display.ax_[0])
        assert [axis.get_ylabel() for axis in display.ax_] == [
            "training loss,\naverage over mini-batches" if "mlp" in name else "training objective",
            "validation accuracy",
        ]
        assert display.ax_[1].get_yscale() == "linear"

    def test_loss_of_each_epoch_and_the_best_so_far(self, pyplot, noisy):
        display = ConvergenceDisplay.from_estimator(noisy, curves=["loss", "best_loss"])
        loss, best = display.lines_
        curve = noisy.loss_curve_
        assert loss.get_ydata().tolist() == curve
        lowest = [min(curve[: k + 1]) for k in range(len(curve))]
        assert best.get_ydata().tolist() == lowest != curve
        assert lowest[-1] == noisy.best_loss_
        assert labels(display.ax_) == ["training objective", "best so far", "returned weights"]
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
            {"a": noisy, "mlp": fitted["mlp"]}, curves=["loss", "best_loss"]
        )
        assert len(display.ax_) == 2
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
        assert labels(display.ax_)[:2] == ["training objective", "validation loss"]
        best = int(np.argmax(model.validation_scores_)) + 1
        lowest = int(np.argmin(model.loss_curve_)) + 1
        assert best < lowest
        expected = best if early_stopping else lowest
        marked = [mark.get_xdata().tolist() for mark in display.marks_]
        assert marked == [[expected]] * (2 if expected < model.n_iter_ else 0)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_quantities_that_differ_have_axes_of_their_own(self, pyplot):
        """Losses and metrics that differ; penalties that differ are told."""

        def regressor(**options):
            model = MDLAMRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
            return model.set_params(**options).fit(X, y)

        X, y = make_regression(60, 3, random_state=0)
        models = {
            "a": regressor(alpha=1.0, early_stopping=True),
            "b": regressor(alpha=2.0),
            "c": regressor(loss="huber", early_stopping=True, scoring="neg_mean_absolute_error"),
        }
        display = ConvergenceDisplay.from_estimator(models, curves=["loss", "validation"])
        assert {axis.get_ylabel(): axis.lines[0].get_label() for axis in display.ax_} == {
            "training objective\n(squared error)\n(penalties differ)": "a",
            "training objective\n(huber 1.35)": "c",
            "validation R\N{SUPERSCRIPT TWO}": "a",
            "validation\nneg mean absolute error": "c",
        }
        assert [line.axes for line in display.lines_[:2]] == [display.ax_[0]] * 2
        with pytest.raises(ValueError, match="each of the 2 quantities that cannot share one"):
            ConvergenceDisplay.from_estimator(models, ax=display.ax_[0])

    def test_chunks_of_a_stream(self, pyplot, fitted):
        X, y = load_iris(return_X_y=True)
        model = MDLAMClassifier((3,), random_state=0).partial_fit(X, y, classes=range(3))
        display = ConvergenceDisplay.from_estimator(model)
        assert display.ax_.get_xlabel() == "call of partial_fit"
        assert display.ax_.get_ylabel() == "loss on each chunk\nbefore learning it"
        both = ConvergenceDisplay.from_estimator([model, fitted["feasible"]])
        assert both.ax_[1].get_ylabel() == "training objective"
        assert both.ax_[1].get_xlabel() == "iteration, or call of partial_fit"

    def test_auto_scale_is_log_for_a_wide_range(self, pyplot):
        wide, narrow = [1.0, 0.1], [1.0, 0.6]
        for values, scale in ((wide, "log"), (narrow, "linear")):
            assert ConvergenceDisplay({"a": {"loss": values}}).plot().ax_.get_yscale() == scale

    def test_drawn_into_the_same_axes_twice(self, pyplot):
        _, ax = pyplot.subplots()
        for name in ("one", "two"):
            display = ConvergenceDisplay({name: {"loss": [2.0, 1.0]}}).plot(ax)
        assert labels(ax) == ["one", "two"]
        assert len({line.get_color() for line in ax.lines}) == 2
        assert display.lines_ == [ax.lines[1]]

    def test_estimator_without_a_curve_is_left_out_of_it(self, pyplot, fitted):
        models = [fitted["stopped"], fitted["mlp"]]
        display = ConvergenceDisplay.from_estimator(models, curves=["loss", "validation"])
        assert [len(axis.lines) for axis in display.ax_] == [2, 1, 2]  # lines and marks

    def test_names_without_a_dict(self, pyplot, fitted):
        a, b = fitted["feasible"], fitted["mlp"]
        display = ConvergenceDisplay.from_estimator([a, b])
        names = [labels(axis) for axis in display.ax_]
        assert names == [["MDLAMClassifier"], ["MLPClassifier"]]
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

    def test_dollar_signs_in_names_are_no_formulas(self, pyplot):
        curves = {"$a_$": {"loss": [2.0, 1.0]}, "b": {"loss": [1.0, 0.5], "gap": [3.0, 1.0]}}
        display = ConvergenceDisplay(curves).plot()
        display.figure_.canvas.draw()
        assert labels(display.ax_[0])[0] == r"\$a_\$"

    def test_many_estimators_have_colors_of_their_own(self, pyplot):
        display = ConvergenceDisplay({f"{k}": {"loss": [k + 1.0, 1.0]} for k in range(12)}).plot()
        assert len({str(line.get_color()) for line in display.lines_}) == 12
        drawn(display)

    def test_auto_scale_of_a_loss_below_zero(self, pyplot):
        assert ConvergenceDisplay({"a": {"loss": [1.0, -1.0]}}).plot().ax_.get_yscale() == "linear"
        assert ConvergenceDisplay({"a": {"gap": [0.0, 0.0]}}).plot().ax_.get_yscale() == "linear"

    def test_ticks_are_plain_numbers(self, pyplot):
        display = ConvergenceDisplay({"a": {"loss": [0.9, 0.2]}}).plot(scale="log")
        drawn(display)
        texts = [text.get_text() for text in display.ax_.yaxis.get_minorticklabels()]
        assert "0.2" in texts and not any("times" in text for text in texts)

    @pytest.mark.parametrize(
        ("which", "options", "message"),
        [
            (
                "feasible",
                {"curves": "los"},
                "curves must be .*'los', did you mean 'loss'",
            ),
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
        with pytest.raises(ValueError, match="a single Axes, for the training loss, average over"):
            ConvergenceDisplay.from_estimator(fitted["mlp"], ax=axes)

    def test_negative_values_on_a_log_scale(self, pyplot):
        display = ConvergenceDisplay({"a": {"loss": [1.0, -0.5]}})
        with pytest.raises(ValueError, match=r"cannot show loss: a value of -0\.5"):
            display.plot(scale="log")
