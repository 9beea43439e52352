"""J of all samples, its gradient and the metric's moments of each backend against NumPy's."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.engine.device import full_objective
from skmdlam.engine.device.full_objective import FullObjectiveOnDevice
from skmdlam.engine.start import looks_linear
from skmdlam.engine.steps.full_batch import LocalSamples, setting_of
from skmdlam.engine.steps.kronecker import layer_moments


def setting(problem, **options):
    """The problem in units of its own, from random weights, and its scaled targets."""
    sizes = [problem.X.shape[1], 6, 4, 2]
    rng = np.random.RandomState(1)
    coefs, intercepts = looks_linear(sizes, rng, np.dtype(float), problem.activations)
    strengths = {"activity_alpha": 2.0, "column_alpha": 1.5, "upper_alpha": 0.5}
    samples = LocalSamples(problem)
    made = setting_of(problem, coefs, intercepts, samples=samples, **{**strengths, **options})
    return SimpleNamespace(objective=made.objective, theta=made.theta, Y=samples._Y)


@pytest.mark.parametrize(
    ("loss", "weighted", "numbers"),
    [
        ("squared_error", False, 1),
        ("softmax", True, 1),
        ("huber", False, 2**25),
        ("poisson", True, 2**25),
        ("logistic", True, 1),
        pytest.param("squared_error", False, 2**25, marks=pytest.mark.slow),
        pytest.param("squared_error", True, 1, marks=pytest.mark.slow),
        pytest.param("squared_error", True, 2**25, marks=pytest.mark.slow),
        pytest.param("softmax", False, 1, marks=pytest.mark.slow),
        pytest.param("softmax", False, 2**25, marks=pytest.mark.slow),
        pytest.param("softmax", True, 2**25, marks=pytest.mark.slow),
        pytest.param("logistic", False, 1, marks=pytest.mark.slow),
        pytest.param("logistic", False, 2**25, marks=pytest.mark.slow),
        pytest.param("logistic", True, 2**25, marks=pytest.mark.slow),
        pytest.param("huber", False, 1, marks=pytest.mark.slow),
        pytest.param("huber", True, 1, marks=pytest.mark.slow),
        pytest.param("huber", True, 2**25, marks=pytest.mark.slow),
        pytest.param("poisson", False, 1, marks=pytest.mark.slow),
        pytest.param("poisson", False, 2**25, marks=pytest.mark.slow),
        pytest.param("poisson", True, 1, marks=pytest.mark.slow),
    ],
)
def test_value_gradient_and_moments(f, tools, monkeypatch, loss, weighted, numbers):
    """In one chunk of the rows and in several, of which the last block is shorter."""
    monkeypatch.setattr(full_objective, "_NUMBERS", numbers)
    problem = tools.posed(loss, n=2300, far=loss == "softmax", weighted=weighted)
    made = setting(problem)
    there = FullObjectiveOnDevice(f, made.objective, made.Y)
    assert len(there._chunks) == (1 if numbers > 1 else 3)
    theta = made.theta + 0.1 * np.random.RandomState(2).randn(made.theta.size)
    value, gradient = made.objective(theta)
    found, slope = there(theta)
    assert found == pytest.approx(value, rel=1e-11)
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=1e-11 * np.abs(gradient).max())
    whole = [True, True, False]
    expected = made.objective.reduce(layer_moments, theta, whole, 0.5)
    moments = there.reduce(layer_moments, theta, whole, 0.5)
    np.testing.assert_allclose(moments, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_other_sums_are_those_of_the_host(f, tools):
    made = setting(tools.posed())
    there = FullObjectiveOnDevice(f, made.objective, made.Y)
    found, expected = there.row_curvature(made.theta), made.objective.row_curvature(made.theta)
    for rows, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, same)


def test_without_variances_in_single_precision(f, tools):
    made = setting(tools.posed(dtype=np.float32), activity_alpha=0.0)
    there = FullObjectiveOnDevice(f, made.objective, made.Y)
    value, gradient = made.objective(made.theta)
    found, slope = there(made.theta)
    assert found == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=1e-4 * np.abs(gradient).max())


def test_samples_are_shared_and_made_on_demand(f, tools, monkeypatch):
    problem = tools.posed(pieces=True)
    stored = setting(problem)
    monkeypatch.setattr(type(problem.X), "allows", lambda self, row_bytes, limits=None: False)
    made = setting(problem)
    assert not isinstance(made.objective.inputs.data, np.ndarray)
    gc.collect()
    gc.disable()  # what is held by nobody goes at once, or memory of a device runs out
    there = FullObjectiveOnDevice(f, made.objective, made.Y)
    again = FullObjectiveOnDevice(f, made.objective, made.Y, there)
    assert again._samples is there._samples and again._Y is there._Y
    value, gradient = stored.objective(made.theta)
    found, slope = again(made.theta)
    assert found == pytest.approx(value, rel=1e-11)
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=1e-11 * np.abs(gradient).max())
    held = [weakref.ref(made.objective.inputs), weakref.ref(again._samples)]
    del made, there, again
    alive = [each() is not None for each in held]
    gc.enable()
    assert not any(alive)


def test_overflow_is_infinite(f, tools):
    made = setting(tools.posed("poisson"))
    there = FullObjectiveOnDevice(f, made.objective, made.Y)
    assert there(1e6 * made.theta)[0] == np.inf
