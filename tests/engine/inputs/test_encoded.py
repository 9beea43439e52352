"""Encoded samples that are made on demand, against the array of all of them."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.encoded import EncodedSamples, encoded_samples
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.pieces import Pieces


def data(n=300, dtype=float, **options):
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(dtype)
    X[:, 1] = X[:, 1] > 0
    return X, Pieces.of(X[:200], 8, **options or {"include_rank": True})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("include_rank", [False, True])
@pytest.mark.parametrize("include_input", [False, True])
def test_is_the_array_bit_for_bit(dtype, include_rank, include_input):
    X, pieces = data(dtype=dtype, include_rank=include_rank, include_input=include_input)
    expected, found = pieces.encoded(X), EncodedSamples(X, pieces)
    assert found.shape == expected.shape == (300, pieces.size) and found.dtype == dtype
    assert len(found) == 300 and found.ndim == 2
    indices = np.random.default_rng(1).integers(0, 300, 50)
    some = slice(None, None, 7), slice(3, 11)
    for rows in (
        *(slice(None), slice(10, 20), slice(0, 0), slice(None, None, 7), slice(290, 400)),
        *(indices, np.arange(300) % 3 == 0, *[(rows, slice(2, 9)) for rows in (indices, some[0])]),
        *(some, (slice(None), np.array([5, 0, 5]))),
    ):
        np.testing.assert_array_equal(found[rows], expected[rows])
        assert found[rows].dtype == dtype
    np.testing.assert_array_equal(found.min(axis=0), expected.min(axis=0))
    np.testing.assert_array_equal(found.max(axis=0), expected.max(axis=0))
    for kind in (np.float32, np.float64):
        W = np.random.default_rng(2).normal(size=(pieces.size, 3)).astype(kind)
        product = found @ W
        assert product.dtype == (expected @ W).dtype
        np.testing.assert_allclose(product, expected @ W, rtol=0, atol=1e-5 if kind != dtype or
                                   dtype == np.float32 else 1e-13)  # fmt: skip


def test_does_not_share_memory():
    X, pieces = data()
    found = EncodedSamples(X, pieces)
    before = found[:].copy()
    found[:][:] = 7.0
    X[:] = 0.0
    np.testing.assert_array_equal(found[:], before)


def test_ranks_take_as_much_as_the_columns():
    """Twice as much with the columns themselves."""
    X, pieces = data()
    assert EncodedSamples(X, pieces).ranks.nbytes == X.nbytes
    X, pieces = data(include_input=True)  # of the four columns one has no curve
    assert EncodedSamples(X, pieces).ranks.nbytes == 1.75 * X.nbytes


def test_in_another_type():
    X, pieces = data()
    encoded = EncodedSamples(X, pieces)
    single = encoded.astype(np.float32)
    assert (single.dtype, encoded.dtype, single[:3].dtype) == (np.float32, float, np.float32)
    np.testing.assert_allclose(single[:], encoded[:], atol=1e-5)


def test_in_blocks():
    X, pieces = data(n=LIMITS.transformed // 4 + 7)
    found, expected = EncodedSamples(X, pieces), pieces.encoded(X)
    np.testing.assert_array_equal(found[:], expected)
    np.testing.assert_array_equal(found.max(axis=0), expected.max(axis=0))
    W = np.random.default_rng(2).normal(size=(pieces.size, 2))
    np.testing.assert_allclose(found @ W, expected @ W, rtol=0, atol=1e-13)


def test_kept_where_that_is_small_or_no_more_than_twice():
    X, pieces = data()
    assert isinstance(encoded_samples(X, pieces), np.ndarray)
    small = replace(LIMITS, small=100)
    assert isinstance(encoded_samples(X, pieces, small), EncodedSamples)
    limit = replace(LIMITS, small=300 * pieces.size)
    assert isinstance(encoded_samples(X, pieces, limit), np.ndarray)
    few = Pieces.of(X, 2)  # seven columns of four
    assert few.size == 7 and isinstance(encoded_samples(X, few, small), np.ndarray)
    few = Pieces.of(X, 3)
    assert few.size == 10 and isinstance(encoded_samples(X, few, small), EncodedSamples)
    np.testing.assert_array_equal(encoded_samples(X, few, small)[:], few.encoded(X))


def test_what_a_copy_may_take():
    X, pieces = data()
    found, small = EncodedSamples(X, pieces), replace(LIMITS, small=100)
    assert found.allows(64, small) and not found.allows(65, small)
    assert found.allows(65)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_pieces", [0, 5])
@pytest.mark.parametrize("include_input", [False, True])
def test_levels_and_gaps_on_demand(dtype, n_pieces, include_input):
    """Rows, columns in any order, ends and products are those of the array."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 4)).astype(dtype)
    X[rng.random(500) < 0.2, 1] = np.nan
    X[:, 2] = rng.integers(0, 7, 500)
    X[:, 3] = np.where(rng.random(500) < 0.1, np.nan, rng.integers(0, 30, 500))
    kinds = Kinds.of(X, None, np.array([False, False, True, True]))
    kinds = replace(kinds, levels=[*kinds.levels[:3], np.arange(0, 30, 2)])
    pieces = Pieces.of(X, n_pieces, kinds=kinds, include_rank=True, include_input=include_input)
    expected, found = pieces.encoded(X), EncodedSamples(X, pieces)
    np.testing.assert_array_equal(found[:], expected)
    np.testing.assert_array_equal(found[::3, :4], expected[::3, :4])
    columns = rng.permutation(pieces.size)[:9]
    rows = rng.integers(0, 500, 40)
    np.testing.assert_array_equal(found[rows, columns], expected[rows][:, columns])
    np.testing.assert_array_equal(found.min(axis=0), expected.min(axis=0))
    np.testing.assert_array_equal(found.max(axis=0), expected.max(axis=0))
    W = rng.normal(size=(pieces.size, 3))
    np.testing.assert_allclose(found @ W, expected @ W, rtol=0, atol=1e-5)
    assert not np.isnan(expected).any()
