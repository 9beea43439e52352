"""When work is recorded, and that a recording is replayed."""

from types import SimpleNamespace

import pytest

from skmdlam.engine.device.graphs import Recorded


class _Recorder:
    """A device whose recording remembers what it was told, and does nothing by itself."""

    has_graphs = True

    def __init__(self):
        self.recordings = 0

    def recorded(self, function):
        self.recordings += 1
        return SimpleNamespace(replay=function)


def test_recorded_once_after_a_few_calls():
    calls, recorder = [], _Recorder()
    work = Recorded(recorder, lambda: calls.append(1))
    for call in range(1, 11):
        work()
        assert len(calls) == call
        assert recorder.recordings == (call > 3)


def test_without_graphs_it_is_called():
    calls = []
    work = Recorded(SimpleNamespace(has_graphs=False), lambda: calls.append(1))
    for _ in range(6):
        work()
    assert len(calls) == 6


def test_the_same_array_is_written_by_each_replay():
    torch = pytest.importorskip("torch", reason="torch is optional, and not installed")
    if not torch.cuda.is_available():
        pytest.skip("graphs are those of a GPU, and there is none")
    from skmdlam.engine.device.numerics import numerics_for

    f = numerics_for("cuda")
    x, found = f.ones((4,), float), SimpleNamespace()

    def work():
        found.y = 2.0 * x

    recorded = Recorded(f, work)
    for call in range(6):
        x[...] = float(call)
        recorded()
        assert f.host(found.y).tolist() == [2.0 * call] * 4
