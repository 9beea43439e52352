"""One suite for every backend: each test of this folder runs with each of them that is here."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.activations import get_activations
from skmdlam.engine.device.numerics import Numerics, numerics_for
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.encoded import EncodedSamples
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.mini_batches import DeviceBatches, mini_batch_runs
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.losses import REGRESSION_LOSSES, LogisticLoss, SoftmaxCrossEntropy
from skmdlam.penalties import get_penalty

LOSSES = {**REGRESSION_LOSSES, "softmax": SoftmaxCrossEntropy, "logistic": LogisticLoss}


def _missing(backend):
    """Why a backend is not here; None where it is."""
    library = {"numpy": "numpy", "cupy": "cupy"}.get(backend, "torch")
    if importlib.util.find_spec(library) is None:
        return f"{library} is optional, and not installed"
    try:
        return None if backend == "numpy" else numerics_for(backend) and None
    except ValueError as error:
        return f"no such device here: {error}"


def _with_reasons(*backends):
    missing = {backend: _missing(backend) for backend in backends}
    return [
        pytest.param(backend, marks=pytest.mark.skipif(reason is not None, reason=str(reason)))
        for backend, reason in missing.items()
    ]


@pytest.fixture(params=_with_reasons("numpy", "cpu", "cuda", "cupy"))
def f(request):
    """Functions of a backend: NumPy, torch on the CPU, and where there is a GPU torch and CuPy."""
    return Numerics(np) if request.param == "numpy" else numerics_for(request.param)


@pytest.fixture(params=_with_reasons("cpu", "cuda", "cupy"))
def device(request):
    """Name of a device that fits go to."""
    return request.param


def posed(
    loss="squared_error",
    activations=("relu", "tanh"),
    *,
    n=200,
    far=False,
    weighted=False,
    pieces=False,
    dtype=np.float64,
):
    """A problem of five columns and two outputs."""
    loss = LOSSES[loss]()
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5)).astype(dtype)
    Y = 7.0 + 3.0 * np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] - X[:, 0]])
    if loss.out_activation == "softmax":
        Y = np.eye(2)[(Y[:, 0] > 7).astype(int)]
    elif loss.out_activation == "logistic":
        Y = (Y > 7).astype(float)
    elif loss.positive_target:
        Y = np.floor(np.abs(Y))
    if far:
        X[::25] *= 50.0
    weight = rng.uniform(0.2, 3.0, n).astype(dtype) if weighted else None
    activations = get_activations(list(activations), len(activations))
    problem = Problem(X, Y.astype(dtype), activations, loss, get_penalty("l2"), 0.2, weight)
    if pieces:
        problem.pieces = Pieces.of(X, 4, include_input=True, include_rank=True)
        problem.X = EncodedSamples(X, problem.pieces)
    return problem


def runs(f, problem, *, other=None, k=3, hidden=(8, 5), batch_size=40, single=False, **options):
    """Runs of mini-batches of the same k networks, with NumPy and on a device.

    That is for the same problem, or for another one.

    Returns
    -------
    host, there : StackedRuns, of which the first is a single run for k = 1
    """
    solver = Feasible(single_precision=single, **options)
    draws = np.random.RandomState(1)
    sizes = [problem.X.shape[1], *hidden, problem.Y.shape[1]]
    draw = solver.initial_weights
    starts = [draw(sizes, draws, np.dtype(float), problem.activations) for _ in range(k)]

    def settings():
        return Settings(batch_size=batch_size, rng=np.random.RandomState(2))

    return SimpleNamespace(
        host=mini_batch_runs(solver, problem, starts, settings()),
        there=DeviceBatches(f, solver, other or problem, settings()).runs(starts),
    )


def runs_of(run):
    """The runs of single networks."""
    return getattr(run, "runs", [run])


def assert_same_weights(f, step, alone, tolerance):
    """Those of a step on a device, and those of steps of single networks on the host."""
    for index, layer in enumerate(step.state):
        for name in ("V", "velocity"):
            expected = np.stack([getattr(one.network.layers[index], name) for one in alone])
            atol = tolerance * np.abs(expected).max()
            np.testing.assert_allclose(f.host(getattr(layer, name)), expected, rtol=0, atol=atol)


@pytest.fixture
def tools():
    """Functions of this module for the tests of the folder."""
    return SimpleNamespace(
        posed=posed, runs=runs, runs_of=runs_of, assert_same_weights=assert_same_weights
    )
