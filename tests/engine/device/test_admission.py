"""What a device takes."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam import Feasible
from skmdlam.engine.device.admission import check_device, check_problem_on_device
from skmdlam.losses import SquaredError
from skmdlam.penalties import get_penalty


def test_devices(device):
    check_device(device)
    assert Feasible(device=device).device == device
    check_device(None)


@pytest.mark.parametrize("name", [3, True, ["cuda"]])
def test_no_name(name):
    with pytest.raises(ValueError, match="device must be the name of a device of torch or CuPy"):
        Feasible(device=name)


class _Mine(SquaredError):
    """A loss of a user."""


def test_problems(tools):
    problem = tools.posed()
    check_problem_on_device(problem, "cuda")
    for other, words in (
        (replace(problem, X=sp.csr_array(problem.X)), "X is sparse"),
        (replace(problem, penalty=get_penalty("l1")), "L1 is non-smooth"),
        (replace(problem, alpha=None, penalty=get_penalty("l1")), "is non-smooth"),
        (replace(problem, loss=_Mine()), "loss _Mine"),
    ):
        with pytest.raises(ValueError, match=words):
            check_problem_on_device(other, "cuda")
    assert np.isfinite(problem.Y).all()
