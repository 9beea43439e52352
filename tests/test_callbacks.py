"""scikit-learn's public callbacks: told of every sweep, and heeded."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV

from skmdlam import MDLAMClassifier, MDLAMRegressor

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

RNG = np.random.RandomState(3)
X = RNG.standard_normal((80, 6))
NUMBERS = np.tanh(X @ RNG.standard_normal(6)) + 0.2 * RNG.standard_normal(80)
LABELS = np.array(["low", "middle", "high"])[np.digitize(NUMBERS, [-0.4, 0.4])]

both = pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
every_solver = pytest.mark.parametrize(
    "solver",
    [{}, {"batch_size": None}, {"solver": "relaxed"}],
    ids=["mini-batches", "full batch", "relaxed"],
)


def target(estimator):
    return LABELS if estimator is MDLAMClassifier else NUMBERS


def fit(estimator, X=X, *, callbacks=(), **parameters):
    model = estimator(
        **{"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 30} | parameters
    )
    model.set_callbacks(*callbacks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, target(estimator))


class Recorder:
    """Writes down what it is told; asks to stop after so many sweeps."""

    def __init__(self, stop_after=None, error_at=None):
        self.stop_after, self.error_at = stop_after, error_at
        self.events, self.scores = [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if context.task_name != "iteration":
            return False
        self.scores.append(fitted_estimator.score(X, y))
        done = len(self.scores)
        if done == self.error_at:
            raise RuntimeError("from the callback")
        return done == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")


class TestCallbacks:
    @both
    @every_solver
    def test_told_of_every_sweep(self, estimator, solver):
        recorder = Recorder()
        model = fit(estimator, max_iter=4, callbacks=[recorder], **solver)
        sweeps = ["begin iteration", "end iteration"] * model.n_iter_
        assert recorder.events == ["setup", "begin fit", *sweeps, "end fit", "teardown"]
        assert recorder.scores[-1] == model.score(X, target(estimator))

    @both
    @every_solver
    def test_stop_is_honored_at_once(self, estimator, solver):
        recorder = Recorder(stop_after=3)
        model = fit(estimator, max_iter=20, callbacks=[recorder], **solver)
        assert (model.n_iter_, model.stop_reason_) == (3, "requested")
        assert recorder.events[-2:] == ["end fit", "teardown"]

    def test_changes_nothing(self):
        plain, watched = fit(MDLAMClassifier), fit(MDLAMClassifier, callbacks=[Recorder()])
        assert plain.loss_curve_ == watched.loss_curve_

    def test_failing_callback(self):
        """The model stays as it was, and the callback is torn down."""
        recorder = Recorder(error_at=2)
        model = MDLAMClassifier((8,), random_state=0).set_callbacks(recorder)
        before = dict(vars(model))
        with pytest.raises(RuntimeError, match="from the callback"):
            model.fit(X, LABELS)
        assert recorder.events[-1] == "teardown"
        assert vars(model) == before

    def test_bad_data(self):
        """Also an error before the first sweep tears down."""
        recorder = Recorder()
        model = MDLAMClassifier((8,)).set_callbacks(recorder)
        with pytest.raises(ValueError, match="infinity"):
            model.fit(np.full_like(X, np.inf), LABELS)
        assert recorder.events[-1] == "teardown"

    def test_with_the_validation_score(self):
        recorder = Recorder()
        model = fit(
            MDLAMClassifier,
            callbacks=[recorder],
            early_stopping=True,
            scoring=lambda *_: 1.0,
            n_iter_no_change=3,
            max_iter=100,
            batch_size=None,
        )
        assert len(recorder.scores) == model.n_iter_ == 4

    def test_scoring_monitor(self):
        monitor = callback.ScoringMonitor(scoring="accuracy")
        frame = pd.DataFrame(X, columns=list("abcdef"))
        model = fit(MDLAMClassifier, frame, callbacks=[monitor], max_iter=5)
        log = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
        assert len(log) == model.n_iter_
        assert log[-1]["accuracy"] == model.score(frame, LABELS)

    @both
    @pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"calibrate": True}])
    @pytest.mark.slow
    def test_log_of_the_fit(self, estimator, options):
        """The row of the whole fit has the score of the model that is returned."""
        name = "neg_log_loss" if estimator is MDLAMClassifier else "neg_mean_squared_error"
        monitor = callback.ScoringMonitor(scoring=name)
        model = fit(estimator, callbacks=[monitor], max_iter=25, **options)
        log = monitor.get_logs().data
        assert log[0]["task_id_path"] == (0,) and log[0]["task_name"] == "fit"
        assert log[0][name] == get_scorer(name)(model, X, target(estimator))
        assert len(log) == model.n_iter_ + 1

    def test_progress_bar(self, capsys):
        pytest.importorskip("rich", reason="scikit-learn's ProgressBar needs rich")
        fit(MDLAMClassifier, callbacks=[callback.ProgressBar()], max_iter=5)
        assert "MDLAMClassifier" in capsys.readouterr().out

    def test_inside_a_search(self):
        """The search hands its callbacks on, and the fits report to them."""
        recorder = Recorder()
        recorder.max_propagation_depth = None
        search = GridSearchCV(MDLAMClassifier((4,), max_iter=3), {"alpha": [0.1, 1.0]}, cv=2)
        search.set_callbacks(recorder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, LABELS)
        assert recorder.events.count("end iteration") == 5 * 3
        assert recorder.events.count("teardown") == 1


@pytest.mark.slow
def test_suite_of_scikit_learn():
    """What scikit-learn asks of its own estimators, of one of this package."""
    pytest.importorskip("sklearn.callback.tests._utils", reason="it is not installed")
    here = Path(__file__).parent
    path = [str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "_callback_stand_in"]
        + ["-p", "no:cacheprovider", "-W", "ignore", "--pyargs", "sklearn.callback.tests"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 100
