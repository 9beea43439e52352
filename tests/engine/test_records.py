"""Settings, values, records and results: what users and solvers read by name."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from skmdlam import MDLAMRegressor
from skmdlam.engine.records import STOP_REASONS, Record, Result, Settings, Value


def test_settings_are_those_of_the_estimator():
    """The defaults of both are the same, and nobody changes them on the way."""
    settings, estimator = Settings(), MDLAMRegressor()
    for name in ("epsilon", "max_iter", "tol", "n_iter_no_change"):
        assert getattr(settings, name) == getattr(estimator, name)
    for name in ("rho", "activity_alpha", "batch_size", "rng"):
        assert getattr(settings, name) is None
    assert settings.warm is False
    with pytest.raises(FrozenInstanceError):
        settings.max_iter = 3
    with pytest.raises(TypeError, match="unknown"):
        Settings(unknown=3)


def test_a_value_without_a_data_term_has_none():
    """Not a number: a schedule that goes by it must not take it for a perfect fit."""
    value = Value(2.0, 1.0)
    assert np.isnan(value.data) and value.gap == 0.0


def test_what_is_kept_is_the_point_itself_unless_a_run_says_otherwise():
    assert Value(2.0, 1.0).kept is None
    plain = Record(1, 2.0, 1.0, 1.0, 0.0, 0.0, 0, True, 0.1)
    assert plain.kept == 1.0
    assert Record(1, 2.0, 1.0, 1.0, 0.0, 0.0, 0, True, 0.1, kept=0.5).kept == 0.5


def test_results_do_not_share_their_records():
    one, other = (Result([], [], "converged") for _ in range(2))
    one.records.append(Record(1, 2.0, 1.0, 1.0, 0.0, 0.0, 0, True, 0.1))
    assert other.records == []


def test_every_reason_is_one_that_a_fit_can_say():
    assert set(STOP_REASONS) == {"converged", "max_iter", "interrupted", "requested"}
