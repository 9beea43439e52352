"""What files hold of a stream: of a symmetric matrix one triangle, and nothing less."""

import numpy as np

# What stands for a symmetric matrix: its upper triangle, row by row, and its size.
_TRIANGLE, _SIZE = "upper_triangle", "size"
# Smaller ones take no more than what stands for them.
_LEAST_SIZE = 16


def packed(value):
    """A state in arrays, numbers and names with its symmetric matrices as triangles.

    Parameters
    ----------
    value : object
        Dicts, lists and tuples are copied, and nothing is changed.

    Returns
    -------
    value : object
        What :func:`unpacked` makes the same of again, bit for bit.
    """
    if isinstance(value, np.ndarray):
        if not _is_symmetric(value):
            return value
        return {_TRIANGLE: value[np.triu_indices(len(value))], _SIZE: len(value)}
    return _of_parts(value, packed)


def unpacked(value):
    """The inverse of :func:`packed`; a state of before has no triangles."""
    if not (isinstance(value, dict) and _TRIANGLE in value):
        return _of_parts(value, unpacked)
    size, triangle = value[_SIZE], value[_TRIANGLE]
    matrix = np.empty((size, size), dtype=triangle.dtype)
    upper = np.triu_indices(size)
    matrix[upper] = matrix.T[upper] = triangle
    return matrix


def _of_parts(value, function):
    if isinstance(value, dict):
        return {name: function(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(function(part) for part in value)
    return value


def _is_symmetric(matrix):
    """Whether it is, as bits: no other zero, no gap."""
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] >= _LEAST_SIZE
    if not (square and matrix.dtype.kind == "f"):
        return False
    bits = np.ascontiguousarray(matrix).view(f"i{matrix.dtype.itemsize}")
    return np.array_equal(bits, bits.T)
