"""What verbose shows while a fit runs."""

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skmdlam import MDLAMRegressor
from skmdlam._progress import WATCHER, Progress


def sweeps(progress, n):
    with progress:
        for k in range(1, n + 1):
            progress.update(
                SimpleNamespace(
                    iteration=k, objective=1 / k, loss=2 / k, kept=2 / k, epsilon=100 / 2**k
                )
            )


class TestLines:
    def test_nothing_unless_asked(self, capsys):
        sweeps(Progress(False, 3), 3)
        assert capsys.readouterr().out == ""

    def test_short_run_shows_every_sweep(self, capsys):
        sweeps(Progress(True, 3), 3)
        assert capsys.readouterr().out.splitlines() == [
            "Iteration 1: objective 1, loss 2, epsilon 50",
            "Iteration 2: objective 0.5, loss 1, epsilon 25",
            "Iteration 3: objective 0.333333, loss 0.666667, epsilon 12.5",
        ]

    @pytest.mark.parametrize("stop", [1, 73, 80, 200])
    def test_long_run_shows_first_last_and_every_tenth(self, capsys, stop):
        sweeps(Progress(True, 200), stop)
        shown = [
            int(line.removeprefix("Iteration").split(":")[0])
            for line in capsys.readouterr().out.splitlines()
        ]
        assert shown == sorted({1, *range(10, stop + 1, 10), stop})

    def test_last_sweep_is_said_when_the_fit_fails(self, capsys):
        def interrupted():
            with Progress(True, 200) as progress:
                record = SimpleNamespace(iteration=7, objective=1, loss=2, kept=2, epsilon=1)
                progress.update(record)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert capsys.readouterr().out.startswith("Iteration   7:")

    def test_the_kept_loss_where_it_is_another_one(self, capsys):
        with Progress(True, 2) as progress:
            for k, loss in enumerate((0.5, 0.75), start=1):
                progress.update(
                    SimpleNamespace(iteration=k, objective=0.5, loss=loss, kept=0.5, epsilon=0)
                )
        assert capsys.readouterr().out.splitlines() == [
            "Iteration 1: loss 0.5",
            "Iteration 2: loss 0.75, best 0.5",
        ]


class TestBar:
    def test_bar_where_rich_is_installed(self, capsys, monkeypatch):
        pytest.importorskip("rich")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        sweeps(Progress(True, 50), 50)
        out = capsys.readouterr().out
        assert "50/50" in out and "objective 0.02" in out
        assert "Iteration" not in out

    def test_lines_where_it_is_not(self, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "rich.progress", None)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        sweeps(Progress(True, 2), 2)
        assert len(capsys.readouterr().out.splitlines()) == 2


class TestWatcher:
    """A fit that is a task elsewhere."""

    @staticmethod
    @contextmanager
    def watching(watcher):
        token = WATCHER.set(watcher)
        try:
            yield
        finally:
            WATCHER.reset(token)

    def test_is_told_in_place_of_the_terminal(self, capsys):
        for enabled in (True, False):
            told = []
            with self.watching(lambda record, total, told=told: told.append((record, total))):
                sweeps(Progress(enabled, 5), 2)
            assert [total for _, total in told] == [5, 5]
            assert [record.iteration if enabled else record for record, _ in told] == (
                [1, 2] if enabled else [None, None]
            )
        assert capsys.readouterr().out == ""

    @pytest.mark.filterwarnings("ignore:The solver did 30")
    @pytest.mark.parametrize("last", [3, 40])  # in the fit, and in one of those of calibrate
    def test_may_end_the_fit(self, last):
        seen = []

        def watcher(record, total):
            seen.append(record)
            if len(seen) >= last:
                raise KeyboardInterrupt

        X = np.random.default_rng(0).normal(size=(80, 2))
        settings = {"calibrate": True, "batch_size": None, "max_iter": 30, "tol": 0.0}
        model = MDLAMRegressor(
            hidden_layer_sizes=(3,), random_state=0, n_iter_no_change=1000, **settings
        )
        with (
            self.watching(watcher),
            pytest.warns(ConvergenceWarning, match="[Ii]nterrupted"),
        ):
            model.fit(X, X[:, 0])
        assert model.n_iter_ == min(last, 30)
        assert model._noise is None
