"""One suite for every backend: each test of this folder runs with each of them that is here."""

import numpy as np
import pytest

from skmdlam.engine.device.numerics import Numerics, numerics_for


def _numerics(backend):
    if backend == "numpy":
        return Numerics(np)
    library = "cupy" if backend == "cupy" else "torch"
    pytest.importorskip(library, reason=f"{library} is optional, and not installed")
    try:
        return numerics_for(backend)
    except ValueError as error:
        pytest.skip(f"no such device here: {error}")


@pytest.fixture(params=["numpy", "cpu", "cuda", "cupy"])
def f(request):
    """Functions of a backend: NumPy, torch on the CPU, and where there is a GPU torch and CuPy."""
    return _numerics(request.param)


@pytest.fixture(params=["cpu", "cuda", "cupy"])
def device(request):
    """Name of a device that fits go to."""
    _numerics(request.param)
    return request.param
