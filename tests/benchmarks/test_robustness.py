"""The first of the random configurations, and those that once failed."""

import importlib

import numpy as np
import pytest

# A moving average that overflowed; a Poisson loss that did.
ONCE_FAILED = [1502, 2215]


@pytest.fixture
def robustness(scripts):
    """Return the script as a module."""
    return importlib.import_module("robustness")


@pytest.mark.parametrize(
    "seed",
    [*range(8), *(pytest.param(i, marks=pytest.mark.slow) for i in range(8, 30)), *ONCE_FAILED],
)
def test_nothing_rises_or_overflows(robustness, seed):
    assert robustness.check(seed)["fault"] == ""


def test_a_rise_is_seen(robustness):
    model, *_ = robustness.draw(0)
    rising = [2.0, 1.0, np.nextafter(1.0, 2.0)]
    model.set_params(solver="feasible", batch_size=None, activation="relu", penalty="l2")
    model.loss_curve_ = rising
    assert robustness.largest_rise(model, "float64") > 0
    # In mini-batches J may, and so it may with slopes that are not those of J.
    model.objective_curve_ = [2.0, 1.0, 1.0]
    for parameters in ({"batch_size": 20}, {"batch_size": None, "hidden_layer_sizes": (3,)}):
        model.set_params(activation="sign", **parameters)
        assert robustness.largest_rise(model, "float64") == 0
    model.objective_curve_ = rising
    assert robustness.largest_rise(model, "float64") > 0
    model.solver, model.objective_curve_ = "relaxed", [3.0, 1.0, 2.0, 1.0]
    model.epsilon_curve_ = [4.0, 4.0, 2.0, 2.0]
    assert robustness.largest_rise(model, "float64") == 0
    model.epsilon_curve_ = [4.0, 2.0, 2.0, 1.0]
    assert robustness.largest_rise(model, "float64") > 0


def test_writes_the_report(robustness, tmp_path):
    with pytest.raises(SystemExit) as end:
        robustness.main(["--configurations", "5", "--out", str(tmp_path)])
    assert end.value.code == 0
    assert "5 configurations" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert len((tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()) == 6
