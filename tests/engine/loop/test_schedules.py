"""How long the steps are, and when a run ends."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.engine.constants import TUNED
from skmdlam.engine.loop.schedules import Halving, PlateauSchedule, Schedule, WarmUp


def plateau(**options):
    given = {
        "epochs": 70,
        "cool_down_epochs": 30,
        "longest": 200,
        "patience": 3,
        "tol": 1e-4,
        "stall": 10,
    }
    return PlateauSchedule(**{**given, **options})


def epochs_of(schedule, loss, most=500):
    """Epochs until the end, and how many of them came before the cool-down."""
    before = 0
    for epoch in range(1, most + 1):
        before += not schedule.cooling
        if schedule.advance(loss(epoch)):
            return epoch, before
    return None


def falling(epoch):
    return 0.9**epoch


@pytest.mark.parametrize(("epochs", "cool_down"), [(4, 2), (1, 1), (10, 5), (70, 30)])
def test_number_of_epochs(epochs, cool_down):
    schedule = plateau(epochs=epochs, cool_down_epochs=cool_down, patience=99)
    assert epochs_of(schedule, falling) == (epochs + cool_down, epochs)
    assert schedule.settled and not schedule.cut_short


@pytest.mark.parametrize("patience", [1, 3, 7])
def test_patience_starts_the_cool_down(patience):
    """Less than 1 % of the loss, or than tol, is no improvement."""
    for loss in (lambda e: 1.0, lambda e: 0.991 if e > 1 else 1.0, lambda e: np.inf):
        schedule = plateau(patience=patience, stall=99)
        first = 0 if loss(1) == np.inf else 1
        assert epochs_of(schedule, loss) == (first + patience + 30, first + patience)
        assert not schedule.cut_short
    assert epochs_of(plateau(patience=1), lambda e: 0.989**e)[1] == 70
    # With tol .2 an improvement of .15 is none, although it is more than 1 % of the loss.
    assert epochs_of(plateau(patience=1, tol=0.2), lambda e: 10 - 0.15 * e)[1] == 2
    assert epochs_of(plateau(patience=1, tol=0.1), lambda e: 10 - 0.15 * e)[1] > 50
    # With the loss below zero 1 % of it means nothing.
    assert epochs_of(plateau(patience=1, tol=0.0), lambda e: -1.0 - 0.001 * e)[1] == 70


def test_an_improvement_is_counted_from_the_best():
    """Patience is in a row: an improvement starts it anew, a rise is none."""
    for losses in ([1.0, 0.5, 0.6, 0.55, 0.4, 0.6, 0.6, 0.6], [1.0, 0.5, 0.6, 0.55, 0.52]):
        schedule = plateau(patience=3)
        cooling = [schedule.advance(loss) or schedule.cooling for loss in losses]
        assert cooling == [False] * (len(losses) - 1) + [True]


def test_factors():
    """Warm-up by steps, one, and down a straight line that ends at zero."""
    schedule = plateau(epochs=5, cool_down_epochs=4, patience=99)
    expected = [min(1.0, (step + 1) / TUNED.warm_up) for step in range(25)]
    factors = []
    for epoch in range(5):
        factors += [schedule.factor(batch / 5) for batch in range(5)]
        assert not schedule.advance(0.5**epoch)
    np.testing.assert_allclose(factors, expected)
    factors = []
    for epoch in range(4):
        factors += [schedule.factor(batch / 5) for batch in range(5)]
        assert schedule.advance(0.1 * 0.5**epoch) == (epoch == 3)
    np.testing.assert_allclose(factors, 1.0 - np.arange(20) / 20)


def test_warm_up_is_tuned():
    schedule = PlateauSchedule(
        epochs=5,
        cool_down_epochs=4,
        longest=9,
        patience=3,
        tol=0.0,
        stall=3,
        tuned=replace(TUNED, warm_up=2, smallest_step=0.3, stalled=0.5),
    )
    assert [schedule.factor(0.0) for _ in range(3)] == [0.5, 1.0, 1.0]
    assert epochs_of(schedule, lambda e: 0.85**e) == (1 + 3 + 3, 4)


def test_a_stall_in_the_cool_down_halves_the_steps():
    schedule = plateau(cool_down_epochs=10, stall=2)
    schedule.steps = 100
    schedule.advance(0.5)
    schedule.cool_down()
    heights = []
    for _ in range(10):
        heights.append(schedule.factor(0.0))
        if schedule.advance(1.0):
            break
    # Its first loss is its best, whatever came before; two more epochs are a stall.
    expected, height = [], 1.0
    for epoch in range(len(heights)):
        expected.append(max(height, 0.002))
        height -= 0.1
        if epoch in (2, 4, 6):
            height /= 2
    np.testing.assert_allclose(heights, expected)
    assert len(heights) < 10
    # In the cool-down any improvement counts.
    schedule = plateau(cool_down_epochs=10, stall=2)
    schedule.cool_down()
    assert epochs_of(schedule, lambda e: 1 - 1e-9 * e)[0] == 10


def test_the_slope_may_lead_below_zero_within_an_epoch():
    schedule = plateau(cool_down_epochs=2, stall=1)
    schedule.steps = 100
    schedule.cool_down()
    schedule.advance(1.0)
    schedule.advance(1.0)
    assert schedule.factor(0.99) == TUNED.smallest_step / 10


@pytest.mark.parametrize(
    ("longest", "full", "cut"), [(200, 70, False), (100, 70, False), (50, 35, True), (10, 7, True)]
)
def test_few_epochs_are_shared_out(longest, full, cut):
    """30 % are kept for the cool-down; it is then cut short, and says so."""
    schedule = plateau(longest=longest, patience=99)
    total, before = epochs_of(schedule, falling)
    assert (total, before) == (min(longest, 100), full)
    assert schedule.cut_short == cut


def test_a_stall_near_the_limit_still_cuts_the_cool_down_short():
    schedule = plateau(longest=20, patience=3)
    assert epochs_of(schedule, lambda e: 1.0 - 1e-3 * max(e - 4, 0)) == (20, 4)
    assert schedule.cut_short
    schedule = plateau(longest=1)
    assert schedule.advance(1.0) and schedule.cut_short


def test_cooling_down_by_hand_happens_once():
    schedule = plateau(cool_down_epochs=3, longest=4, stall=2)
    schedule.steps = 100
    schedule.advance(1.0)
    schedule.cool_down()
    assert schedule.cooling and not schedule.cut_short
    schedule.advance(0.9)
    schedule.cool_down()
    assert schedule.factor(0.0) == pytest.approx(2 / 3) and not schedule.cut_short
    assert not schedule.advance(0.8)
    assert schedule.factor(0.0) == pytest.approx(1 / 3) and schedule.advance(0.7)


def test_warm_up_of_a_stream_goes_on():
    schedule = WarmUp(TUNED.warm_up - 2)
    assert [schedule.factor(0.0) for _ in range(3)] == [1 - 1 / TUNED.warm_up, 1.0, 1.0]
    assert schedule.advance(0.0)


def test_plain_schedule_never_ends():
    schedule = Schedule()
    assert schedule.factor(0.3) == 1.0 and not schedule.advance(0.0)
    assert schedule.settled and not schedule.cools_down and not schedule.cut_short


def test_tolerance_halves_from_the_second_sweep_on():
    schedule = Halving(1.0, 0.5, 0.2)
    found = []
    for _ in range(4):
        found.append((schedule.factor(0.0), schedule.epsilon, schedule.settled))
    assert found == [(1.0, 1.0, False), (0.5, 0.5, False), (0.25, 0.25, False), (0.2, 0.2, True)]


def test_a_schedule_stays_cut_short_where_the_whole_cool_down_fits():
    schedule = PlateauSchedule(
        epochs=100, cool_down_epochs=5, longest=40, patience=10, tol=0.0, stall=10
    )
    loss = 1.0
    while not schedule.advance(loss):
        loss *= 0.5
    assert schedule.epoch == 40
    assert schedule.cut_short
