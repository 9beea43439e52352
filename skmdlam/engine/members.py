"""Several networks as one: hidden layers in blocks, and the mean of their outputs."""

import numpy as np
import scipy.linalg

from .constants import LIMITS


def joined(members):
    """One network that computes the mean of the outputs of several.

    The first layer has the units of all side by side, hidden layers are block-diagonal, and the
    last one adds up: its weights are those of the members divided by their number.

    Parameters
    ----------
    members : list of (coefs, intercepts)
        Networks with the same inputs, outputs and number of layers.

    Returns
    -------
    coefs, intercepts : list of ndarray
        Those of the only member where there is one.
    """
    if len(members) == 1:
        return members[0]
    k = len(members)
    coefs, intercepts = zip(*members, strict=True)
    layers, offsets = list(zip(*coefs, strict=True)), list(zip(*intercepts, strict=True))
    if len(layers) == 1:
        return [sum(layers[0]) / k], [sum(offsets[0]) / k]
    hidden = [scipy.linalg.block_diag(*blocks) for blocks in layers[1:-1]]
    return (
        [np.hstack(layers[0]), *hidden, np.vstack(layers[-1]) / k],
        [*(np.concatenate(b) for b in offsets[:-1]), sum(offsets[-1]) / k],
    )


def in_blocks(W, k):
    """Whether a matrix is block-diagonal, with so many blocks of the same shape."""
    if W.shape[0] % k or W.shape[1] % k:
        return False
    for member in range(k):
        rows, columns = (_block(size, member, k) for size in W.shape)
        if W[rows, : columns.start].any() or W[rows, columns.stop :].any():
            return False
    return True


def parted(coefs, intercepts, k):
    """The members of a network that :func:`joined` made of so many; views of hidden layers.

    One that is not of that form any more, because a user has changed it, is its only member.

    The last intercept of each is that of the network: what they differed by there is lost, see
    :func:`with_offsets`.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
    k : int
        Number of members.

    Returns
    -------
    members : list of (coefs, intercepts)
    """
    even = all(W.shape[1] % k == 0 for W in coefs[:-1])
    if k == 1 or not even or not all(in_blocks(W, k) for W in coefs[1:-1]):
        return [(coefs, intercepts)]
    last = len(coefs) - 1

    def block(layer, member):
        W = coefs[layer]
        rows, columns = (_block(size, member, k) for size in W.shape)
        rows = slice(None) if layer == 0 else rows
        columns = slice(None) if layer == last else columns
        W, b = W[rows, columns], intercepts[layer][columns]
        return (W * k if layer == last > 0 else W), b

    layers = range(last + 1)
    members = [zip(*(block(layer, j) for layer in layers), strict=True) for j in range(k)]
    return [tuple(map(list, member)) for member in members]


def with_offsets(members, offsets):
    """The members with these offsets, less their mean, added to the last intercepts.

    The mean of the members is what it was.

    Parameters
    ----------
    members : list of (coefs, intercepts)
    offsets : list of ndarray of shape (K,)
        One for each.

    Returns
    -------
    members : list of (coefs, intercepts)
    """
    common = sum(offsets) / len(offsets)
    return [
        (coefs, [*intercepts[:-1], (intercepts[-1] + offset - common).astype(intercepts[-1].dtype)])
        for (coefs, intercepts), offset in zip(members, offsets, strict=True)
    ]


def _block(size, member, k):
    """The units of a member, where each of k has as many."""
    width = size // k
    return slice(member * width, (member + 1) * width)


def block_product(a, W, k):
    """``a W``, without the zeros beside the k blocks of W, where it has them."""
    if k == 1 or len(a) < LIMITS.blocks_rows or not in_blocks(W, k):
        return a @ W
    z = np.empty((len(a), W.shape[1]), dtype=np.result_type(a, W))
    for member in range(k):
        inner, outer = (_block(size, member, k) for size in W.shape)
        np.matmul(a[:, inner], W[inner, outer], out=z[:, outer])
    return z
