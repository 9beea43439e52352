"""Levels in each of their forms: codes, blocks of zeros and ones, numbers with ties."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.levels import CodeColumn, OneHotBlock, TiedNumbers, are_rare, places

N = 40
RNG = np.random.default_rng(0)
LEVEL = RNG.integers(0, 12, N)
GONE = RNG.random(N) < 0.2
VALUES = np.sort(RNG.normal(size=12))
CODES = np.where(GONE, np.nan, LEVEL)
TABLE = RNG.normal(size=13)
EXPECTED = np.where(GONE, TABLE[-1], TABLE[LEVEL])
ONES = np.where(GONE[:, None], 0.0, np.eye(12)[LEVEL])
FORMS = {
    "codes": (CodeColumn(1, 12), CODES[:, None]),
    "block": (OneHotBlock(np.arange(1, 13)), ONES),
    "numbers": (TiedNumbers(1, VALUES), np.where(GONE, np.nan, VALUES[LEVEL])[:, None]),
}


def between(columns):
    """Behind a column and before another, of numbers."""
    return np.hstack([np.full((N, 1), 7.0), columns, np.full((N, 1), -2.0)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("category", "columns"), FORMS.values(), ids=FORMS)
def test_what_samples_have(category, columns, order, dtype):
    if isinstance(category, TiedNumbers):
        category = TiedNumbers(1, VALUES.astype(dtype))
    X = np.asarray(between(columns), dtype=dtype, order=order)
    assert category.n_levels == 12
    np.testing.assert_array_equal(category.codes(X), CODES)
    tolerance = 1e-14 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(category.read(X, TABLE), EXPECTED, rtol=0, atol=tolerance)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix])
def test_sparse_blocks(form):
    category = FORMS["block"][0]
    X = form(between(ONES))
    np.testing.assert_array_equal(category.codes(X), CODES)
    read = category.read(X, TABLE)
    assert isinstance(read, np.ndarray) and read.shape == (N,)
    np.testing.assert_allclose(read, EXPECTED, rtol=0, atol=1e-14)


def test_blocks_are_linear_in_the_cells():
    """Shares of levels have that share of the effects, as with weights of one-hot columns."""
    cells = RNG.normal(size=(N, 12))
    found = FORMS["block"][0].read(between(cells), TABLE)
    np.testing.assert_allclose(found, cells @ TABLE[:-1] + (1 - cells.sum(axis=1)) * TABLE[-1])


def test_codes_of_training_samples():
    assert CodeColumn.of(between(CODES[:, None]), np.int64(1)) == CodeColumn(1, 12)
    assert CodeColumn.of(between(np.full((N, 1), 3.0)), 1).n_levels == 4


def test_levels_that_are_new():
    """They are none, as is what lies between two numbers, before the first or behind the last."""
    X = between(np.array([12.0, 40.0])[np.arange(N) % 2][:, None])
    assert np.isnan(CodeColumn(1, 12).codes(X)).all()
    np.testing.assert_array_equal(CodeColumn(1, 12).read(X, TABLE), TABLE[-1])
    middle = (VALUES[1:] + VALUES[:-1]) / 2
    new = [VALUES[0] - 1.0, *middle, VALUES[-1] + 1.0, np.inf, -np.inf]
    X = np.column_stack([np.zeros(len(new)), new])
    assert np.isnan(TiedNumbers(1, VALUES).codes(X)).all()
    np.testing.assert_array_equal(TiedNumbers(1, VALUES).read(X, TABLE), TABLE[-1])


def test_values_of_training_samples():
    x = np.array([3.0, np.nan, -1.5, 0.1, 3.0, np.nan, -0.0, 0.0])
    found = TiedNumbers.of(np.column_stack([x, x]), np.int64(1))
    assert found.column == 1 and found.values.tolist() == [-1.5, 0.0, 0.1, 3.0]
    np.testing.assert_array_equal(
        found.codes(np.column_stack([x, x])), [3, np.nan, 0, 2, 3, np.nan, 1, 1]
    )
    assert TiedNumbers.of(np.full((4, 1), np.nan), 0).n_levels == 0


@pytest.mark.filterwarnings("error")
def test_nothing_but_gaps():
    X = np.full((N, 2), np.nan)
    category = CodeColumn.of(X, 1)
    assert category.n_levels == 0
    np.testing.assert_array_equal(category.read(X, np.array([2.5])), 2.5)


def test_places():
    np.testing.assert_array_equal(places(np.array([0.0, np.nan, 3.0, np.nan]), 9), [0, 9, 3, 9])
    assert places(np.array([np.nan, 1.0], dtype=np.float32), 2).dtype.kind == "i"


def test_rare():
    """More than 5 % of the samples have one of fewer than 60, and there are more than ten."""
    few, rows = TUNED.few_levels, TUNED.level_rows

    def rare(counts, weight=None):
        codes = np.repeat(np.arange(len(counts)), counts).astype(float)[:, None]
        weight = None if weight is None else np.repeat(weight, counts)
        return are_rare(CodeColumn(0, len(counts)), codes, weight, TUNED)

    assert not rare([rows] * 30)
    assert rare([rows - 1] * (few + 1)) and not rare([rows - 1] * few)
    common = [rows] * 95
    assert not rare([*common, *[rows // 2] * 10]) and rare([*common, *[rows // 2] * 11])
    # Weights are copies; a unit of theirs does not matter.
    assert not rare([rows // 2] * 20, np.full(20, 2.0))
    assert rare([rows] * 20, np.where(np.arange(20) < 10, 0.2, 1.8))
    assert rare([rows // 2] * 20, np.full(20, 1e-3))
    assert not rare([rows + 1] * 20, np.full(20, 1e-3))
    # Levels that nobody has do not count.
    assert not rare([0] * 50 + [20] * few)


def test_rare_where_samples_were_drawn():
    codes = np.repeat(np.arange(30.0), 10)[:, None]
    category, times = CodeColumn(0, 30), TUNED.level_rows / 10
    assert not are_rare(category, codes, None, TUNED, times)
    assert are_rare(category, codes, None, TUNED, 0.9 * times)
