"""Which run a fit is, for every kind of penalty, loss and activation."""

import numpy as np
import pytest

from skmdlam.activations import get_activations
from skmdlam.engine.loop.run import Chain, Run
from skmdlam.engine.loop.side_by_side import SideBySide
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.engine.run_choice import Runs
from skmdlam.losses import get_loss
from skmdlam.penalties import get_penalty


class Named(Run):
    """A run that ends at once, and says what it was begun as."""

    ended, max_sweeps = True, 1

    def __init__(self, what, problem, settings):
        self.what, self.problem, self.settings = what, problem, settings
        self.regularization, self.moments = "strengths", "moments"

    def __next__(self):
        raise StopIteration

    def weights(self):
        return [], []


class Written(Runs):
    """Runs that do nothing."""

    def takes_all_samples(self, problem, settings):
        return settings.batch_size == 9

    def sweeps(self, problem, starts, settings):
        return Named("sweeps", problem, settings)

    def mini_batches(self, problem, starts, settings):
        return Named("batches", problem, settings)

    def finish(self, problem, coefs, intercepts, settings, regularization, moments):
        assert (regularization, moments) == ("strengths", "moments")
        return Named("finish", problem, settings)

    def priced(self, problem, coefs, intercepts, settings):
        return Named("priced", problem, settings)


def begun(penalty="l2", alpha=0.1, *, activation="relu", loss="squared_error", number=1, **options):
    problem = Problem(
        np.ones((9, 2)),
        np.ones((9, 1)),
        get_activations(activation, 1),
        get_loss(loss),
        get_penalty(penalty),
        alpha,
    )
    return Written("options").begin(problem, [([], [])] * number, Settings(**options))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "batches"),
        ({"batch_size": 9}, "sweeps"),
        ({"batch_size": 9, "loss": "absolute_error"}, "sweeps"),
        ({"batch_size": 9, "penalty": "l1"}, "sweeps"),
        ({"batch_size": 9, "penalty": "l1", "alpha": None}, "priced"),
        ({"penalty": "l1", "alpha": None}, "priced"),
        ({"penalty": "l1", "alpha": 0.0, "loss": "absolute_error"}, "batches"),
        # A step function has no slopes to sweep along.
        ({"batch_size": 9, "activation": "sign"}, "batches"),
        ({"penalty": "l1", "activation": "sign", "alpha": None}, "batches"),
    ],
)
def test_what_it_is(options, what):
    run = begun(**options)
    assert run.what == what
    assert (run.problem.alpha is None) == (what == "priced")


@pytest.mark.parametrize("options", [{}, {"batch_size": 9, "loss": "absolute_error"}])
def test_penalties_with_kinks_are_polished(options):
    """Two thirds of the sweeps at most are mini-batches; the rest goes on from their weights."""
    run = begun("l1", max_iter=31, **options)
    assert isinstance(run, Chain)
    assert (run._run.what, run._run.settings.max_iter) == ("batches", 21)
    finish = run._finish([], [])
    assert (finish.what, finish.settings.max_iter, finish.settings.warm) == ("finish", 31, True)


def test_several_networks_see_the_samples_in_the_same_order():
    run = begun("l1", None, number=3, rng=np.random.RandomState(5))
    assert isinstance(run, SideBySide)
    orders = [each.settings.rng.permutation(20).tolist() for each in run.runs]
    assert orders[0] == orders[1] == orders[2]
    assert begun(number=3).what == "batches"  # which go side by side by themselves
