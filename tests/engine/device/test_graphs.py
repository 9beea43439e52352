"""When work is recorded, and that a recording is replayed."""

from types import SimpleNamespace

import numpy as np
import pytest

from skmdlam.engine.device.graphs import Recorded
from skmdlam.engine.device.inputs import CoordinatesOn, PlainRows, RowsOnDemand
from skmdlam.engine.device.numerics import TorchNumerics, numerics_for


class _Recorder:
    """A device whose recording remembers what it was told, and does nothing by itself."""

    has_graphs = True

    def __init__(self):
        self.recordings = 0

    def recorded(self, function):
        self.recordings += 1
        return SimpleNamespace(replay=function)


def taped(torch):
    """A device whose recording is a list of operations on the CPU, each with its arrays.

    A replay does them again and writes the results to where they were, as a graph does. Whoever
    asks for a value meanwhile is told so.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Tape(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.operations, self.first = [], True

        @classmethod
        def _should_skip_dynamo(cls):
            return False  # else torch imports its compiler, which takes seconds

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            assert "_local_scalar_dense" not in str(operation), "a value was asked for"
            result = operation(*args, **(kwargs or {}))
            self.operations.append((operation, args, kwargs or {}, result))
            return result

        def replay(self):
            if self.first:  # the recording has done it, here
                self.first = False
                return
            for operation, args, kwargs, result in self.operations:
                again = operation(*args, **kwargs)
                for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)

    class Taped(TorchNumerics):
        def __init__(self):
            super().__init__(torch, torch.device("cpu"))
            self.has_graphs, self.recordings = True, 0

        def recorded(self, function):
            self.recordings += 1
            with Tape() as tape:
                function()
            return tape

    return Taped()


@pytest.mark.parametrize(
    ("loss", "on_demand"),
    [
        ("softmax", False),
        ("huber", True),
        pytest.param("softmax", True, marks=pytest.mark.slow),
        pytest.param("squared_error", False, marks=pytest.mark.slow),
        pytest.param("squared_error", True, marks=pytest.mark.slow),
        pytest.param("huber", False, marks=pytest.mark.slow),
        pytest.param("poisson", False, marks=pytest.mark.slow),
        pytest.param("poisson", True, marks=pytest.mark.slow),
    ],
)
def test_steps_that_are_recorded(tools, loss, on_demand):
    """Lengths, rho and networks change between replays, and weights are put back."""
    f = taped(pytest.importorskip("torch", reason="torch is optional, and not installed"))
    problem = tools.posed(loss, far=loss == "softmax", weighted=loss == "huber")
    made = tools.runs(f, problem, k=3)
    alone, there = [run.step for run in made.host.runs], made.there._step
    if on_demand:
        basis = there.data.prepared.frame.coordinates
        rows = PlainRows(f.array(problem.X))
        there.data.rows = RowsOnDemand(rows, CoordinatesOn.of(f, basis))
    together = made.host._step
    together.begin(alone)
    there.begin(there.steps)
    rng = np.random.RandomState(3)
    going = [0, 1, 2]
    for step in range(60):
        if step == 30:
            for each in (together, there):
                each.settle()
            for each in (alone, there.steps):
                each[1].restart()
        if step == 45:
            for each in (together, there):
                each.settle()
            going = [0, 2]
        if step in (30, 45):
            together.begin([alone[j] for j in going])
            there.begin([there.steps[j] for j in going] if step == 45 else there.steps)
        rows = rng.permutation(200)[: 40 if step % 3 else 37]
        factors = [1.0 - 0.1 * j - 0.01 * step for j in range(len(going))]
        with np.errstate(all="ignore"):
            together(rows, factors)
        there(f.array(rows), factors)
        tools.assert_same_weights(f, there, [alone[j] for j in going], 1e-9)
    # Two graphs of steps and one of moments, two sizes, and again for fewer networks.
    assert 8 < f.recordings <= 12


def test_recorded_once_after_a_few_calls():
    calls, recorder = [], _Recorder()
    work = Recorded(recorder)
    for call in range(1, 11):
        work(lambda: calls.append(1))
        assert len(calls) == call
        assert recorder.recordings == (call > 3)


def test_without_graphs_it_is_called():
    calls = []
    work = Recorded(SimpleNamespace(has_graphs=False))
    for _ in range(6):
        work(lambda: calls.append(1))
    assert len(calls) == 6


def test_the_same_array_is_written_by_each_replay():
    torch = pytest.importorskip("torch", reason="torch is optional, and not installed")
    if not torch.cuda.is_available():
        pytest.skip("graphs are those of a GPU, and there is none")
    f = numerics_for("cuda")
    x, found = f.ones((4,), float), SimpleNamespace()

    def work():
        found.y = 2.0 * x

    recorded = Recorded(f)
    for call in range(6):
        x[...] = float(call)
        recorded(work)
        assert f.host(found.y).tolist() == [2.0 * call] * 4
