"""Settings of the whole suite: threads, hypothesis, and where the real data lies."""

import functools
import gc
import hashlib
import importlib.util
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

# One thread: sums then have one order, and small products are fastest that way. Set before NumPy
# is imported, and inherited by the processes that a test starts.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

# "ci" draws the same examples every time; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=30)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption(
        "--data",
        default=os.environ.get("SKMDLAM_DATA"),
        metavar="DIR",
        help="folder of real data for the tests that need it, as --data=DIR "
        "(default: the environment variable SKMDLAM_DATA)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Leave thousands of tests out of what the garbage collector goes through, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Skip the examples of skmdlam.dask, which its docstrings run, where Dask is not installed."""
    if importlib.util.find_spec("distributed") is None:
        for item in items:
            if isinstance(item, pytest.DoctestItem) and "skmdlam.dask" in item.name:
                item.add_marker(pytest.mark.skip(reason="skmdlam.dask needs dask and distributed"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Hold the libraries that were already loaded, by a plugin say, to one thread as well."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session", autouse=True)
def _looks_at_the_samples_once():
    """Look at the noise and the encoding of the same samples once: most tests fit the same few.

    That takes half of the time of a small fit, and hangs on nothing but the arguments. The tests of
    these functions call them directly.
    """
    from skmdlam.engine import evidence, feasible, regularization

    def once(function):
        known = {}

        @functools.wraps(function)
        def remembered(*args, **kwargs):
            try:
                key = hashlib.sha256(pickle.dumps((args, kwargs))).digest()
            except (pickle.PicklingError, AttributeError, TypeError):  # a loss of the test itself
                return function(*args, **kwargs)
            if key not in known:
                known[key] = function(*args, **kwargs)
            return known[key]

        return remembered

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (feasible, "choose_n_pieces"),
            (evidence, "leave_one_out"),  # by problems that differ in what is not looked at
            (regularization, "noise_of"),
        ):
            patch.setattr(module, name, once(getattr(module, name)))
        yield


@pytest.fixture(scope="session")
def data_dir(pytestconfig):
    """Folder of real data; a test that asks for it is skipped where there is none."""
    given = pytestconfig.getoption("--data")
    if not given:
        pytest.skip("needs real data: give --data=DIR or set SKMDLAM_DATA")
    folder = Path(given)
    if not folder.is_dir():
        pytest.skip(f"needs real data: {folder} is not a folder")
    return folder


@pytest.fixture
def pyplot():
    """matplotlib without a screen; every figure is closed at the end."""
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")
