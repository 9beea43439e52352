"""Nesterov's sequence by its recursion, and the safeguard."""

import numpy as np
import pytest

from skmdlam.engine.steps.acceleration import Momentum, extrapolate, first_descent


def test_weights_follow_the_recursion_and_restart():
    momentum = Momentum()
    s = [1.0]
    for _ in range(5):
        s.append((1 + np.sqrt(1 + 4 * s[-1] ** 2)) / 2)
    expected = [(s[k] - 1) / s[k + 1] for k in range(5)]
    assert [momentum.advance() for _ in range(5)] == pytest.approx(expected)
    assert expected[0] == 0.0
    assert expected == sorted(expected)
    momentum.restart()
    assert momentum.advance() == 0.0


def test_disabled_momentum_is_zero():
    momentum = Momentum(enabled=False)
    assert [momentum.advance() for _ in range(4)] == [0.0] * 4


def test_extrapolate():
    now, before = np.array([3.0]), np.array([1.0])
    assert extrapolate(now, before, 0.5) == pytest.approx([4.0])
    assert extrapolate(now, None, 0.5) is now
    assert extrapolate(now, before, 0.0) is now


def test_first_descent_is_lazy_and_refuses_what_is_not_finite():
    seen = []

    def candidates():
        for value in (np.nan, np.inf, 2.0, 0.5, 0.1):
            seen.append(value)
            yield value, f"point {value}"

    assert first_descent(candidates(), 1.0) == ("point 0.5", 3)
    assert seen[-1] == 0.5
    assert first_descent(iter([(2.0, "a")]), 1.0) == (None, 1)


def test_what_costs_as_much_is_taken():
    assert first_descent([(1.0, "first")], 1.0) == ("first", 0)
