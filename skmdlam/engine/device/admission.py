"""What a device takes: which problems, and which devices there are."""

from .kernels import check_kernels
from .numerics import numerics_for


def check_device(device):
    """Refuse the name of a device that is not there.

    Parameters
    ----------
    device : str or None
    """
    if device is None:
        return
    if not isinstance(device, str):
        raise ValueError(
            f"device must be the name of a device of torch or CuPy, such as 'cuda', or None; got "
            f"{device!r}."
        )
    numerics_for(device)


def check_problem_on_device(problem, device):
    """Refuse a problem whose steps no device takes.

    Parameters
    ----------
    problem : Problem
    device : str
    """
    instead = f"fit it with NumPy (device=None in place of {device!r})"
    if problem.sparse:
        raise ValueError(f"X is sparse, and steps on a device are on dense samples: {instead}.")
    if problem.alpha is None or not problem.quadratic:
        name = type(problem.penalty).__name__
        raise ValueError(
            f"The penalty {name} is non-smooth, which is not supported on a device: "
            f"use penalty='l2' or None, or {instead}."
        )
    check_kernels(problem.activations, problem.loss)
