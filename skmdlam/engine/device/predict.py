"""Outputs of a fitted network for samples on a device."""

import numpy as np

from ..members import in_blocks
from .inputs import EncodedRows, ranks_on
from .kernels import activations_on

# Numbers in the values of one layer in a chunk.
_NUMBERS = 2**25


def outputs(numerics, X, coefs, intercepts, activations, *, n_blocks=1, pieces=None, bounds=None):
    """Pre-activations of the output layer.

    Parameters
    ----------
    numerics : Numerics
    X : array of shape (n, d)
        On the device, complete and finite.
    coefs, intercepts : list of ndarray
        On the host.
    activations : list of skmdlam.activations.Activation
    n_blocks : int, default=1
        Blocks on the diagonals of layers between hidden ones.
    pieces : Pieces or None
        What encodes columns of numbers.
    bounds : tuple of ndarray or None
        Smallest and largest number of each column; None does not clip.

    Returns
    -------
    z : array of shape (n, K)
    """
    f, h = numerics, activations_on(numerics, activations)
    dtype = np.result_type(f.dtype_of(X), coefs[0].dtype)
    layers = [(_split(W, n_blocks), b) for W, b in zip(coefs, intercepts, strict=True)]
    layers = [([f.array(part, dtype) for part in W], f.array(b, dtype)) for W, b in layers]
    if bounds is not None:
        bounds = [f.array(bound, f.dtype_of(X)) for bound in bounds]
    step, parts = max(1, _NUMBERS // max(W.shape[0] for W in coefs)), []
    for start in range(0, X.shape[0], step):
        a = X[start : start + step]
        if bounds is not None:
            a = f.minimum(f.maximum(a, bounds[0]), bounds[1])
        if pieces is not None:
            a = EncodedRows(f, ranks_on(f, a, pieces), pieces).take(slice(None))
        a = f.cast(a, dtype)
        for index, (W, b) in enumerate(layers):
            z = _product(f, a, W) + b
            a = h[index].value(z) if index < len(h) else z
        parts.append(a)
    return parts[0] if len(parts) == 1 else f.join(parts, 0)


def _split(W, n_blocks):
    """The blocks on the diagonal of a matrix; the matrix where it has others."""
    if n_blocks == 1 or not in_blocks(W, n_blocks):
        return [W]
    rows, columns = (size // n_blocks for size in W.shape)
    return [W[j * rows : (j + 1) * rows, j * columns : (j + 1) * columns] for j in range(n_blocks)]


def _product(f, a, blocks):
    """``a W`` for the blocks of W."""
    if len(blocks) == 1:
        return a @ blocks[0]
    width = blocks[0].shape[0]
    return f.join([a[:, j * width : (j + 1) * width] @ block for j, block in enumerate(blocks)], 1)
