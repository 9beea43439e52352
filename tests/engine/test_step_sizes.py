"""Step sizes of mini-batches: what the options stand for."""

import pytest

from skmdlam.engine.feasible import Feasible


def test_rho_by_the_size_of_a_batch():
    solver = Feasible()
    assert solver.auto_rho(1000, 100) == 45.0
    assert solver.auto_rho(1000, 25) == pytest.approx(45.0 * 4.0**0.58)
    assert solver.auto_rho(1000, 400) == pytest.approx(45.0 * 4.0**-0.58)
    assert solver.auto_rho(30, 30) == 45.0  # no noise of batches
    assert solver.rho_within_range(None, 3.0) == 3.0
    assert [solver.rho_within_range(rho, 2.0) for rho in (1e-3, 1.0, 1e3)] == [0.25, 1.0, 16.0]


def test_gain_and_damping():
    solver = Feasible()
    assert (solver.gain_of(False), solver.gain_of(True)) == (3.0, 10.0)
    assert [solver.damping_of(n) for n in (0, 1, 2, 5)] == pytest.approx([0.2, 0.2, 0.2, 0.5])
    solver = Feasible(hidden_gain=0.5, damping=0.0)
    assert solver.gain_of(True) == solver.gain_of(False) == 0.5
    assert solver.damping_of(5) == 0.0
