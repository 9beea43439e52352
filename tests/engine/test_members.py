"""Several networks as one, against the mean of their forward passes."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.activations import get_activations
from skmdlam.engine.members import joined, parted, with_offsets
from skmdlam.engine.problem import forward

SIZES = [(4, 3), (4, 6, 1), (4, 3, 5, 2), (4, 2, 7, 3, 2)]


def networks(sizes, k, dtype=float):
    """Random networks, samples, and the output of each on them."""
    rng = np.random.default_rng(len(sizes))

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    shapes = list(pairwise(sizes))
    members = [([normal(*s) for s in shapes], [normal(s[1]) for s in shapes]) for _ in range(k)]
    X, activations = normal(50, sizes[0]), get_activations("tanh", len(shapes) - 1)
    return members, lambda member: forward(X, *member, activations)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("sizes", SIZES)
def test_joined_says_the_mean_and_is_parted_again(sizes, k):
    members, output = networks(sizes, k)
    expected = np.mean([output(member) for member in members], axis=0)
    coefs, intercepts = one = joined(members)
    np.testing.assert_allclose(output(one), expected, atol=1e-13)
    widths = [sizes[0], *(k * size for size in sizes[1:-1]), sizes[-1]]
    assert [W.shape for W in coefs] == list(pairwise(widths))
    assert [b.shape for b in intercepts] == [(width,) for width in widths[1:]]
    if len(coefs) == 1:
        return  # a mean of weights has no parts
    # Between the blocks there is nothing.
    for number, W in enumerate(coefs[1:-1], 1):
        block = sizes[number] * sizes[number + 1]
        assert np.count_nonzero(W) == k * block
    again = parted(*one, k)
    assert len(again) == k
    for (W, b), (V, c) in zip(members, again, strict=True):
        for one_layer, other in zip([*W, *b[:-1]], [*V, *c[:-1]], strict=True):
            np.testing.assert_allclose(other, one_layer, rtol=1e-15)
        np.testing.assert_array_equal(c[-1], intercepts[-1])
    np.testing.assert_allclose(output(joined(again)), expected, atol=1e-13)


def test_offsets_leave_the_mean_of_the_members():
    members, output = networks((4, 3, 5, 2), 3)
    expected = output(joined(members))
    # The parts of one network share its last intercept: by what they differed they are again.
    parts = parted(*joined(members), 3)
    own = [intercepts[-1] for _, intercepts in members]
    for member, again in zip(members, with_offsets(parts, own), strict=True):
        np.testing.assert_allclose(output(again), output(member), atol=1e-13)
    far = [offset + 7.0 for offset in own]
    moved = with_offsets(members, far)
    np.testing.assert_allclose(output(joined(moved)), expected, atol=1e-13)
    for j in range(3):
        shift = far[j] - np.mean(far, axis=0)
        np.testing.assert_allclose(
            output(moved[j]) - output(members[j]), np.tile(shift, (50, 1)), atol=1e-13
        )


def test_types_stay_and_members_are_not_changed():
    members, _ = networks((4, 3, 5, 2), 2, np.float32)
    before = [[part.copy() for part in (*W, *b)] for W, b in members]
    coefs, intercepts = joined(members)
    parts = parted(coefs, intercepts, 2)
    moved = with_offsets(parts, [np.ones(2), np.zeros(2)])  # of double precision
    for W, b in ((coefs, intercepts), *parts, *moved):
        assert {part.dtype for part in (*W, *b)} == {np.dtype(np.float32)}
    for W in (*coefs, *intercepts):
        W[:] = 7.0
    for (W, b), old in zip(members, before, strict=True):
        for part, was in zip((*W, *b), old, strict=True):
            np.testing.assert_array_equal(part, was)
