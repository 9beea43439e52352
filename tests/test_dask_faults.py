"""Workers that die, come, or are slow, and Ctrl-C: the same result, or an error in words."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

import skmdlam
from skmdlam._block_fit import fit_blocks
from skmdlam._block_reading import Raw
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import LIMITS

dask = pytest.importorskip("dask", reason="skmdlam.dask needs dask")
distributed = pytest.importorskip("distributed", reason="skmdlam.dask needs distributed")

from skmdlam.dask import MDLAMRegressor  # noqa: E402
from skmdlam.dask._blocks import DaskBlocks  # noqa: E402

# Each starts processes, which takes seconds.
pytestmark = pytest.mark.slow

RNG = np.random.default_rng(12)
X = RNG.normal(size=(6000, 10))
Y = np.sin(X[:, 0]) * X[:, 1] + X[:, 2] + 0.1 * RNG.normal(size=6000)
SETTINGS = {"hidden_layer_sizes": (20,), "encoding": None, "random_state": 4, "max_iter": 100}
# A fit that is still at work when its worker is killed.
LONG = {**SETTINGS, "hidden_layer_sizes": (200, 200)}
ROWS = (2500, 500, 3000)


@pytest.fixture(scope="module")
def local():
    return skmdlam.MDLAMRegressor(**SETTINGS).fit(X, Y)


@pytest.fixture(scope="module")
def cluster():
    """Two workers in processes of their own, which are started again when they die."""
    settings = {
        "distributed.scheduler.allowed-failures": 5,
        # A LocalCluster closes a worker for good that is not there so long after it has died; one
        # that is killed again may be starting then.
        "distributed.deploy.lost-worker-timeout": "1 hour",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def blocks_of(values, pause=0.0):
    """Delayed blocks, each of which takes a while to be made."""
    edges = np.cumsum((0, *ROWS))

    def load(a, b):
        time.sleep(pause)
        return values[a:b]

    return [dask.delayed(load)(a, b) for a, b in itertools.pairwise(edges)]


@contextlib.contextmanager
def killing(client, task, after=0.0):
    """Kill the worker that does a task of this name, so many seconds after it has begun."""
    processes = client.run(os.getpid)
    done, killed = threading.Event(), []

    def watch():
        while not done.wait(0.01):
            for worker, keys in client.processing().items():
                if any(str(key).startswith(task) for key in keys):
                    if not done.wait(after):
                        os.kill(processes[worker], signal.SIGKILL)
                        killed.append(worker)
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


@pytest.fixture(scope="module")
def long_local():
    return skmdlam.MDLAMRegressor(**LONG).fit(X, Y)


@pytest.mark.parametrize("after", [0.0, 0.15, 0.4])
def test_killed_in_a_fit(client, long_local, after):
    with killing(client, "skmdlam-fit", after) as killed:
        model = MDLAMRegressor(**LONG).fit(blocks_of(X), blocks_of(Y))
    assert killed
    for a, b in zip(model.coefs_, long_local.coefs_, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("task", ["skmdlam-described", "skmdlam-pile", "skmdlam-stepped"])
def test_killed_in_a_fit_of_blocks(client, monkeypatch, task):
    """Whatever it was at, the weights are those of blocks that nothing happens to."""
    small = replace(LIMITS, one_task_numbers=1000)
    monkeypatch.setattr("skmdlam.dask._fit.LIMITS", small)
    settings = {**SETTINGS, "batch_size": 100, "max_iter": 4}
    edges = np.cumsum((0, *ROWS))
    parts = [Raw(X[a:b], Y[a:b]) for a, b in itertools.pairwise(edges)]
    with killing(client, task) as killed, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        model = MDLAMRegressor(**settings).fit(blocks_of(X), blocks_of(Y))
        expected = fit_blocks(skmdlam.MDLAMRegressor(**settings), LocalBlocks(parts))
    assert killed
    for a, b in zip(model.coefs_, expected.coefs_, strict=True):
        assert_array_equal(a, b)


def test_killed_in_a_stream(client):
    expected = skmdlam.MDLAMRegressor(**SETTINGS)
    edges = np.cumsum((0, *ROWS))
    for a, b in itertools.pairwise(edges):
        expected.partial_fit(X[a:b], Y[a:b])
    with killing(client, "skmdlam-partial-fit") as killed:
        model = MDLAMRegressor(**SETTINGS).partial_fit(blocks_of(X), blocks_of(Y))
    assert killed
    assert_array_equal(model.coefs_[0], expected.coefs_[0])


def test_killed_in_predictions(client, local):
    model = MDLAMRegressor(**SETTINGS)
    vars(model).update(vars(local))
    with killing(client, "load", 0.1) as killed:
        found = dask.compute(*model.predict(blocks_of(X, pause=0.5)))
    assert killed
    np.testing.assert_allclose(np.concatenate(found), local.predict(X))


def test_killed_between_sums(client):
    """Blocks, piles and arguments that died with a worker are made again."""
    parts = [Part(X[a : a + 1000], Y[a : a + 1000, None]) for a in range(0, 6000, 1000)]

    def moments(part, W):
        return (part.X @ W).sum(axis=0), part.n

    def load(number):
        return Part(X[number : number + 1000], Y[number : number + 1000, None])

    ours = [client.submit(load, a, pure=False) for a in range(0, 6000, 1000)]
    dealt, expected = DaskBlocks(client, ours).dealt(4, 2), LocalBlocks(parts).dealt(4, 2)
    W = RNG.normal(size=(10, 500))
    for _ in range(3):
        for a, b in zip(dealt.total(moments, W), expected.total(moments, W), strict=True):
            assert_array_equal(a, b)
        for process in list(client.run(os.getpid).values())[:1]:
            os.kill(process, signal.SIGKILL)


def test_killed_again_and_again():
    def deadly():
        os._exit(1)

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(n_workers=2, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster),
        pytest.raises(RuntimeError, match="was given up: 2 workers"),
    ):
        MDLAMRegressor(**SETTINGS).fit([dask.delayed(deadly)()], [dask.delayed(Y)])


def test_a_slow_one_and_one_that_comes(local):
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        cluster.scale(2)  # it comes while the first one waits for its blocks
        model = MDLAMRegressor(**SETTINGS).fit(blocks_of(X, pause=1.0), blocks_of(Y))
        assert model.score(blocks_of(X), blocks_of(Y)) == pytest.approx(local.score(X, Y))
    assert_array_equal(model.coefs_[0], local.coefs_[0])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes like these")
def test_interrupt(tmp_path):
    """Ctrl-C in a terminal, which all processes of the group get."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import warnings
        import dask.array as da
        from dask.distributed import Client
        from skmdlam.dask import MDLAMRegressor

        if __name__ == "__main__":
            with Client(n_workers=1, threads_per_worker=1, dashboard_address=":0") as client:
                X = da.random.default_rng(0).normal(size=(20_000, 4), chunks=(5000, 4))
                model = MDLAMRegressor(
                    hidden_layer_sizes=(50, 50), max_iter=10**6, tol=0.0,
                    n_iter_no_change=10**6, batch_size=None, verbose=True, encoding=None,
                    activity_alpha=0,
                )
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    model.fit(X, X[:, 0] * X[:, 1] ** 2)
                print(model.stop_reason_, [one.category.__name__ for one in caught], flush=True)
                print(model.score(X, X[:, 0] * X[:, 1] ** 2) > 0.5, flush=True)
        """)
    )
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert "Iteration" in process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    lines = out.splitlines()
    assert lines[-2:] == ["interrupted ['ConvergenceWarning']", "True"], err
