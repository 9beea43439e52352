"""The step of each backend against NumPy's, step by step, for one network and several."""

import gc
import weakref

import numpy as np
import pytest


def some_steps(tools, f, made, n_steps, tol):
    """The same batches for both; weights agree after each of them."""
    alone, there = [run.step for run in tools.runs_of(made.host)], made.there._step
    together = getattr(made.host, "_step", None)
    (together or alone[0]).begin(*([alone] if together else []))
    there.begin(there.steps)
    rng = np.random.RandomState(3)
    n = len(made.host.runs[0].step.Y) if together else len(alone[0].Y)
    with np.errstate(all="ignore"):
        for step in range(n_steps):
            rows = rng.permutation(n)[: 40 if step % 3 else 37]
            factors = [1.0 - 0.2 * j - 0.01 * step for j in range(len(alone))]
            if together:
                together(rows, factors)
            else:
                alone[0](rows, factors[0])
            there(f.array(rows), factors)
            tools.assert_same_weights(f, there, alone, tol)
    return alone, there


@pytest.mark.parametrize(
    ("k", "single", "tol"),
    [
        (3, False, 1e-10),
        (1, True, 0.0001),
        pytest.param(1, False, 1e-10, marks=pytest.mark.slow),
        pytest.param(3, True, 0.0001, marks=pytest.mark.slow),
    ],
)
def test_steps(f, tools, k, single, tol):
    made = tools.runs(f, tools.posed(), k=k, single=single)
    alone, there = some_steps(tools, f, made, 45, tol)
    for one, step in zip(alone, there.steps, strict=True):
        assert (one.steps, one.since_refresh) == (step.steps, step.since_refresh) != (0, 0)
    # The penalties have had their turn.
    assert alone[0].since_refresh < 45


@pytest.mark.parametrize(
    "loss",
    [
        "softmax",
        "huber",
        "poisson",
        *(
            pytest.param(loss, marks=pytest.mark.slow)
            for loss in ("logistic", "absolute_error", "quantile")
        ),
    ],
)
def test_losses_weights_and_far_samples(f, tools, loss):
    problem = tools.posed(loss, far=loss in ("softmax", "huber"), weighted=loss != "logistic")
    made = tools.runs(f, problem, k=2)
    far = made.there._step.data.far
    assert (far is not None) == (loss in ("softmax", "huber"))
    some_steps(tools, f, made, 12, 1e-10)


@pytest.mark.parametrize("hidden", [(), (7,), (6, 5, 4)])
def test_depths(f, tools, hidden):
    names = ("softplus", "logistic", "elu")[: len(hidden)]
    made = tools.runs(f, tools.posed(activations=names), k=1, hidden=hidden)
    some_steps(tools, f, made, 12, 1e-10)


def test_networks_that_go_on_without_others(f, tools):
    made = tools.runs(f, tools.posed())
    alone, there = some_steps(tools, f, made, 10, 1e-10)
    kept = [0, 2]
    for step in (alone[j] for j in kept):
        step.begin()
    there.settle()  # the host has the weights that it begins with
    for j, one in enumerate(alone):
        one.settle()
        for layer, other in zip(one.network.layers, there.steps[j].network.layers, strict=True):
            np.testing.assert_allclose(other.V, layer.V, rtol=1e-9, atol=1e-12)
    there.begin([there.steps[j] for j in kept])
    rows = np.arange(40)
    for j in kept:
        alone[j](rows, 0.5)
    there(f.array(rows), [0.5, 0.5])
    tools.assert_same_weights(f, there, [alone[j] for j in kept], 1e-9)


def test_an_epoch_that_was_taken_back(f, tools):
    made = tools.runs(f, tools.posed(), k=2)
    alone, there = some_steps(tools, f, made, 10, 1e-10)
    there.settle()
    for each in (alone, there.steps):
        each[1].restart()
    there.begin(there.steps)
    assert not f.host(there.state[1].velocity[1]).any() and f.host(there.state[1].velocity[0]).any()
    assert not f.host(there.state[1].inverse[1]).any() and f.host(there.state[1].inverse[0]).any()
    assert there.steps[1].rho == 2.0 * there.steps[0].rho


def test_a_step_that_is_not_finite_is_not_taken(f, tools):
    made = tools.runs(f, tools.posed(), k=2)
    _, there = some_steps(tools, f, made, 5, 1e-10)
    before = [f.host(V).copy() for V in there.V]
    there.state[0].V[1] = np.nan
    there(f.array(np.arange(40)), [1.0, 1.0])
    for index, V in enumerate(there.V):
        assert np.isfinite(f.host(V)[0]).all() and (f.host(V)[0] != before[index][0]).any()
    np.testing.assert_array_equal(f.host(there.V[1])[1], before[1][1])


def test_nothing_stays_on_the_device(f, tools):
    """After a fit, without a collection of garbage, which does not know that memory is short."""
    gc.disable()
    try:
        made = tools.runs(f, tools.posed(), k=2)
        for _ in range(2):
            next(made.there)
        data = weakref.ref(made.there._step.data)
        assert data() is not None
        del made
        assert data() is None
    finally:
        gc.enable()
