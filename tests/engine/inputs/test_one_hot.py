"""Blocks of columns of zeros and ones that a user made, and what is none."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmdlam.engine.inputs.levels import OneHotBlock
from skmdlam.engine.inputs.one_hot import codes_of, one_hot_blocks

RNG = np.random.default_rng(0)
N = 600
CODES = RNG.integers(0, 25, (N, 2)) + np.array([0, 100])
NUMBERS = RNG.normal(size=(N, 3))
FORMS = {
    "array": np.asarray,
    "Fortran": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "matrix": sp.csr_matrix,
    "float32": lambda X: sp.csr_array(X.astype(np.float32)),
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def encoded(codes, **options):
    return OneHotEncoder(sparse_output=False, **options).fit_transform(codes)


def found(X):
    return [(block[0], block[-1] + 1) for block in one_hot_blocks(X)]


@every_form
def test_between_numbers(form):
    X = np.hstack([NUMBERS, encoded(CODES[:, :1]), NUMBERS])
    assert found(form(X)) == [(3, 28)]
    codes = codes_of(form(X), np.arange(3, 28))
    np.testing.assert_array_equal(codes, CODES[:, 0])


@every_form
def test_side_by_side(form):
    X = np.hstack([encoded(CODES), NUMBERS])
    assert found(form(X)) == [(0, 25), (25, 50)]
    np.testing.assert_array_equal(codes_of(form(X), np.arange(25, 50)), CODES[:, 1] - 100)


@every_form
def test_rows_without_a_level(form):
    X = np.hstack([NUMBERS, encoded(CODES[:, :1], drop="first")])
    assert found(form(X)) == [(3, 27)]
    expected = np.where(CODES[:, 0] == 0, np.nan, CODES[:, 0] - 1)
    np.testing.assert_array_equal(codes_of(form(X), np.arange(3, 27)), expected)
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(CODES[:, :1])
    new = np.where(RNG.random((N, 1)) < 0.1, 77, CODES[:, :1])
    block = encoder.transform(new)
    assert (block.sum(axis=1) == 0).any()
    assert found(form(block)) == [(0, 25)]
    expected = np.where(new[:, 0] == 77, np.nan, new[:, 0])
    np.testing.assert_array_equal(codes_of(form(block), np.arange(25)), expected)


@every_form
def test_yes_or_no_beside_it_is_no_level(form):
    flags = RNG.random((N, 4)) < 0.5
    X = np.hstack([flags, encoded(CODES[:, :1]), flags[:, ::-1]])
    assert (4, 29) in found(form(X))


@every_form
def test_two_cells_in_a_row_are_none(form):
    X = encoded(CODES[:, :1])
    X[np.arange(N), (CODES[:, 0] + 1) % 25] = 1.0
    assert found(form(X)) == []


@every_form
def test_random_zeros_and_ones_are_none(form):
    for share in (0.02, 0.3, 0.9):
        assert found(form((np.random.default_rng(1).random((N, 40)) < share) * 1.0)) == []


def test_bag_of_words_is_none():
    words = [f"w{i}" for i in range(60)]
    texts = [" ".join(RNG.choice(words, 6)) for _ in range(N)]
    X = CountVectorizer(binary=True).fit_transform(texts).astype(float)
    assert found(X) == [] and found(X.toarray()) == []


@every_form
def test_rare_yes_or_no_is_none(form):
    """Exclusive, but most rows have none of them."""
    X = encoded(CODES[:, :1])
    X[RNG.random(N) < 0.5] = 0.0
    assert found(form(X)) == []


@every_form
@pytest.mark.parametrize("value", [2.0, 0.5, -1.0])
def test_another_number_in_a_late_row(form, value):
    """Columns look like zeros and ones for long."""
    X = encoded(CODES[:, :1])
    X[N - 1, 12] = value
    # What is left on both sides has too few rows.
    assert found(form(X)) == []
    np.testing.assert_array_equal(codes_of(form(encoded(CODES[:, :1])), np.arange(25)), CODES[:, 0])


def test_few_levels_and_few_columns():
    assert found(encoded(CODES[:, :1] % 10)) == []
    assert found(encoded(CODES[:, :1] % 11)) == [(0, 11)]
    assert found(np.zeros((0, 30))) == [] and found(np.ones((5, 1))) == []
    assert found(np.zeros((50, 30))) == []


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_behind_a_scaler(dtype):
    """Zeros and ones in any unit, read by a network of either precision."""
    X = encoded(CODES[:, :1]).astype(float)
    scaled, table = StandardScaler().fit_transform(X).astype(dtype), np.arange(26.0) ** 2
    assert found(scaled) == [(0, 25)]
    block = OneHotBlock.of(scaled, np.arange(25))
    np.testing.assert_array_equal(block.codes(scaled), CODES[:, 0])
    np.testing.assert_allclose(block.read(scaled, table), CODES[:, 0] ** 2.0, atol=1e-3)
    sparse = StandardScaler(with_mean=False).fit_transform(sp.csr_array(X)).astype(dtype)
    assert found(sparse) == [(0, 25)]
    block = OneHotBlock.of(sparse, np.arange(25))
    np.testing.assert_array_equal(block.codes(sparse), CODES[:, 0])
    np.testing.assert_allclose(block.read(sparse, table), CODES[:, 0] ** 2.0, atol=1e-3)
    three = X.copy()
    three[-1, 7] = 2.0  # a third value
    assert found(three) == []


def test_a_gap_is_no_level():
    X = encoded(CODES[:, :1])
    X[5, 12] = np.nan  # too few rows on both sides of it
    assert found(X) == []


def test_entries_twice_and_zeros_that_are_stored():
    """Two halves are one, and two ones are two: zeros and twos, ones in another unit."""
    column = np.repeat(CODES[:, 0], 2)
    for value in (0.5, 1.0):
        X = sp.csr_array((np.full(2 * N, value), column, np.arange(0, 2 * N + 1, 2)), shape=(N, 25))
        assert found(X) == [(0, 25)]
        block = OneHotBlock.of(X, np.arange(25))
        assert set(block.high) == {2.0 * value} and not block.low.any()
        np.testing.assert_array_equal(block.codes(X), CODES[:, 0])
        assert not X.has_canonical_format  # it is not changed
    column = np.column_stack([CODES[:, 0], (CODES[:, 0] + 3) % 25])
    X = sp.csr_array((np.tile([1.0, 0.0], N), column.ravel(), np.arange(0, 2 * N + 1, 2)))
    assert found(X) == [(0, 25)]
    np.testing.assert_array_equal(codes_of(X, np.arange(25)), CODES[:, 0])
