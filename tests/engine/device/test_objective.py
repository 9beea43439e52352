"""J of each backend against the one of the host."""

import numpy as np
import pytest

from skmdlam.engine.device import objective as objective_module
from skmdlam.engine.device.objective import StartOnDevice


def numbers_of(values):
    return [(value.objective, value.loss, value.data) for value in values]


@pytest.mark.parametrize(
    ("loss", "weighted"),
    [
        ("squared_error", False),
        ("softmax", True),
        ("poisson", False),
        pytest.param("softmax", False, marks=pytest.mark.slow),
        pytest.param("squared_error", True, marks=pytest.mark.slow),
        pytest.param("huber", False, marks=pytest.mark.slow),
        pytest.param("huber", True, marks=pytest.mark.slow),
        pytest.param("poisson", True, marks=pytest.mark.slow),
    ],
)
def test_objective(f, tools, monkeypatch, loss, weighted):
    problem = tools.posed(loss, far=loss == "softmax", weighted=weighted)
    made = tools.runs(f, problem, k=2)
    step = made.there._step
    step.begin(step.steps)
    expected = [run.objective() for run in made.host.runs]
    objectives = [run.objective for run in made.there.runs]
    for numbers in (2**24, 16 * 70):
        monkeypatch.setattr(objective_module, "_NUMBERS", numbers)
        found = made.there._objective(objectives)
        np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-10)
    assert all(isinstance(each, StartOnDevice) for each in objectives)
    found = [each() for each in objectives]
    np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-10)


def test_of_a_part_of_the_samples_without_variances(f, tools):
    problem = tools.posed(n=11_000)
    made = tools.runs(f, problem, k=1, activity_alpha=0.0, column_alpha=0.0, upper_alpha=0.0)
    (there,) = made.there.runs
    assert there.objective.on_host.n == 5000
    found, expected = numbers_of([there.objective()]), numbers_of([made.host.objective()])
    np.testing.assert_allclose(found, expected, rtol=1e-10)
