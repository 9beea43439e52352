"""What a stream keeps between two chunks, rounded to what files hold of it.

The state is rounded in memory at the end of each chunk. A stored stream then goes on with the very
same numbers as one that was not stored.
"""

import numpy as np

# The largest difference, in steps of a grid, that two bytes hold.
_MOST_STEPS = 2**15 - 1
# Bits of a half that are left to smaller numbers: its largest power of two.
_HALF_EXPONENT = 14


def half_exponent(x):
    """The n for which ``x 2^-n`` is best held by half precision; None where nothing is."""
    largest = np.abs(x).max(initial=0.0)
    if not (np.isfinite(largest) and largest > 0):
        return None
    return int(np.frexp(largest)[1]) - 1 - _HALF_EXPONENT


def in_half(x):
    """An array rounded to half precision times a power of two, in its own type."""
    exponent = half_exponent(x)
    if exponent is None:
        return x
    half = np.ldexp(x, -exponent).astype(np.float16)
    return np.ldexp(half.astype(x.dtype), exponent)


def grid_of(V, average):
    """Step of the grid that running weights are rounded to: a power of two; None without one.

    Differences from the average take two bytes, and the weights are exact in their own type.
    """
    largest = float(np.abs(V).max(initial=0.0))
    apart = float(np.abs(V - average).max(initial=0.0))
    step = max(2.0 * apart / _MOST_STEPS, largest * 2.0 ** (2 - np.finfo(V.dtype).nmant))
    if not (np.isfinite(step) and step > np.finfo(V.dtype).tiny):
        return None
    return float(2.0 ** np.ceil(np.log2(step)))


def steps_apart(V, average, grid):
    """Running weights less the average, in steps of the grid."""
    return np.rint(V / np.float64(grid)) - np.rint(average / grid)


def weights_of_steps(steps, average, grid, dtype):
    """Running weights from their differences from the average; inverse of :func:`steps_apart`."""
    return ((np.rint(average / grid) + steps) * grid).astype(dtype)


def compact_layer(layer, average):
    """The state of a layer, rounded, with its average in double precision.

    The inverse of the moments is left out: the next chunk inverts them anew.
    """
    V = layer["V"]
    grid = grid_of(V, average)
    if grid is not None:
        V = weights_of_steps(steps_apart(V, average, grid), average, grid, V.dtype)
    preconditioner = layer["preconditioner"]
    if preconditioner is not None:
        preconditioner = _centered(preconditioner)
    return layer | {
        "V": V,
        "velocity": in_half(layer["velocity"]),
        "preconditioner": preconditioner,
        "average": average,
        "grid": grid,
    }


def _centered(arrays):
    """Moments as means and the covariance, which alone may be rounded: means may be far larger."""
    arrays = dict(arrays)
    moments, inverse = arrays.pop("moments"), arrays.pop("inverse")
    mean = moments[-1, :-1].copy()
    wide = mean.astype(float)
    covariance = moments[:-1, :-1] - wide[:, None] * wide
    return arrays | {
        "mean": mean,
        "covariance": in_half(covariance.astype(moments.dtype)),
        "ready": inverse is not None,
    }


def inner_weights(basis, target, coefs, intercepts):
    """The average, in the coordinates and units of a state, from the weights of the user."""
    coefs = [W.astype(float) for W in coefs]
    intercepts = [b.astype(float) for b in intercepts]
    coefs[-1] = coefs[-1] / target["scale"]
    intercepts[-1] = (intercepts[-1] - target["shift"]) / target["scale"]
    above = [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]
    return [basis.contract(coefs[0], intercepts[0]), *above]
