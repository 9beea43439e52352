"""Ranks of numbers by a search in two steps: a table of B blocks of B values for each column."""

import numpy as np

# So many values are looked through at once; more of them in two steps.
_FEW = 32


def ranks(g, X, curves):
    """Ranks of columns: what :meth:`Curve.rank` returns, linear between the values of a curve.

    Parameters
    ----------
    g : Graph
    X : str
        Name of columns of shape (n, k), NaN allowed: its rank says nothing.
    curves : list of Curve
        One for each column.

    Returns
    -------
    ranks : str
        In the type of the graph; found in double precision whatever that is.
    """
    k, most = len(curves), max(curve.values.size for curve in curves)
    two_steps = most > _FEW
    n_blocks = int(np.ceil(np.sqrt(most))) if two_steps else 1
    block = n_blocks if two_steps else most
    values = np.full((k, n_blocks * block), np.inf)
    start, slope = np.zeros_like(values), np.zeros_like(values)
    for row, curve in enumerate(curves):
        m = curve.values.size
        values[row, :m], start[row, :m] = curve.values, curve.ranks
        slope[row, : m - 1] = np.diff(curve.ranks) / np.diff(curve.values)

    def numbers(array):
        return g.constant(array, np.float64)

    ends = [np.array([[curve.values[end] for curve in curves]]) for end in (0, -1)]
    x = g.between(g.cast(X, np.float64), *map(numbers, ends))
    x_column = g("Reshape", x, np.array([0, k, 1]))
    blocks = values.reshape(k, n_blocks, block)
    first = np.arange(k, dtype=np.float32).reshape(k, 1) * (n_blocks * block)
    if two_steps:
        number = _count(g, x_column, numbers(blocks[np.newaxis, :, 1:, 0]), n_blocks - 1)
        row = g("Add", number, g.constant(first / block, np.float32))
        row = g("Reshape", g.cast(row, np.int64), np.array([0, k]))
        table = numbers(blocks[:, :, 1:].reshape(k * n_blocks, block - 1))
        inside = g("Gather", table, row, axis=0)
        passed = g("Mul", number, g.constant(np.array(float(block)), np.float32))
        place = g("Add", passed, _count(g, x_column, inside, block - 1))
    else:
        place = _count(g, x_column, numbers(blocks[np.newaxis, :, 0, 1:]), block - 1)
    place = g("Add", place, g.constant(first, np.float32))
    place = g("Reshape", g.cast(place, np.int64), np.array([0, k]))
    at, low, steep = (
        g("Gather", numbers(each.ravel()), place, axis=0) for each in (values, start, slope)
    )
    return g.cast(g("Add", g("Mul", g("Sub", x, at), steep), low))


def _count(g, x, values, size):
    """How many of some values, along the last axis, each number has passed: (n, k, 1)."""
    passed = g.cast(g("GreaterOrEqual", x, values), np.float32)
    return g("MatMul", passed, g.constant(np.ones((size, 1)), np.float32))
