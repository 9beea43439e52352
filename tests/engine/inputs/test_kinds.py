"""What columns hold, against counts and means that are made one by one."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.kinds import Kinds, common_levels, copies, level_counts

RNG = np.random.default_rng(0)
N = 700
# Numbers with and without gaps, and categories of few levels, of many, and with an unknown one.
X = np.column_stack(
    [
        RNG.normal(5.0, 2.0, N),
        np.where(RNG.random(N) < 0.3, np.nan, RNG.exponential(size=N)),
        RNG.integers(0, 4, N),
        np.minimum(RNG.geometric(0.1, N) - 1, 30),
        np.where(RNG.random(N) < 0.1, np.nan, RNG.integers(0, 3, N)),
        np.full(N, np.nan),
    ]
)
SOME = replace(TUNED, level_rows=60)
IS_LEVEL = np.array([False, False, True, True, True, False])
weights = pytest.mark.parametrize(
    "weight", [None, RNG.integers(1, 4, N).astype(float)], ids=["alike", "weights"]
)


@weights
def test_by_definition(weight):
    kinds = Kinds.of(X, weight, IS_LEVEL, SOME)
    w = np.ones(N) if weight is None else weight
    assert kinds.gaps.tolist() == [False, True, False, False, False, True]
    np.testing.assert_array_equal(kinds.categorical, IS_LEVEL)
    for column in (0, 1):
        there = ~np.isnan(X[:, column])
        mean = np.average(X[there, column], weights=w[there])
        assert kinds.means[column] == pytest.approx(mean, rel=1e-12)
    assert kinds.means[5] == 0.0 and (kinds.means[IS_LEVEL] == 0.0).all()
    assert [kinds.levels[column] for column in (0, 1, 5)] == [None] * 3
    assert kinds.levels[2].tolist() == [0, 1, 2, 3] and kinds.levels[4].tolist() == [0, 1, 2]
    enough = [code for code in range(31) if w[X[:, 3] == code].sum() >= SOME.level_rows]
    assert 1 < len(enough) < 12
    assert kinds.levels[3].tolist() == enough
    assert kinds.gaps.any() and kinds.categorical.any()


def test_nothing_but_numbers():
    kinds = Kinds.of(X[:, :1])
    for each in (kinds, Kinds.of_numbers(np.array([1.0, 2.0]))):
        assert not each.gaps.any() and not each.categorical.any()


def test_counts():
    codes = np.array([2.0, np.nan, 0.0, 2.0])
    assert level_counts(codes).tolist() == [1, 0, 2]
    assert level_counts(codes, np.array([2.0, 9.0, 3.0, 4.0])).tolist() == [3.0, 0.0, 6.0]
    assert level_counts(np.full(3, np.nan)).size == 0


def test_common_levels():
    """All of few levels, of many those of enough samples."""
    few = np.zeros(40, dtype=int)
    few[: 2 * TUNED.few_levels : 2] = 1
    assert common_levels(few).tolist() == list(range(0, 2 * TUNED.few_levels, 2))
    few[[31, 33]] = TUNED.level_rows - 1, TUNED.level_rows
    assert common_levels(few).tolist() == [33]


def test_common_levels_where_samples_were_drawn():
    """So many in all that a level has enough, and so many here that they tell of it."""
    counts = np.r_[np.full(20, 30), 9, 10, 19, 20, 21]
    np.testing.assert_array_equal(common_levels(counts, TUNED, 10.0), [*range(20), 23, 24])
    np.testing.assert_array_equal(common_levels(counts, TUNED, 1e4), [*range(20), 21, 22, 23, 24])


def test_unit_of_weights():
    """On average less than one, they cannot be copies."""
    weight = np.array([1.0, 2.0, 0.5])
    np.testing.assert_array_equal(copies(weight), weight)
    np.testing.assert_allclose(copies(1e-6 * weight).mean(), 1.0)
    small = Kinds.of(X, np.full(N, 1e-5), IS_LEVEL)
    assert small.levels[3].tolist() == Kinds.of(X, None, IS_LEVEL).levels[3].tolist()


def test_other_columns():
    kinds = Kinds.of(X, None, IS_LEVEL, SOME)
    more = kinds.with_numbers(np.column_stack([np.arange(4.0), np.ones(4)]))
    assert more.levels[6:] == [None, None] and more.means[6:].tolist() == [1.5, 1.0]
    assert more.gaps[6:].tolist() == [False, False] and len(more.levels) == 8
    without = kinds.without_levels([3])
    assert without.levels[3].size == 0 and without.categorical[3]
    assert kinds.levels[3].size > 0 and without.levels[2] is kinds.levels[2]
    some = kinds.taken(np.array([5, 2]))
    assert some.gaps.tolist() == [True, False] and some.levels[1].tolist() == [0, 1, 2, 3]


def test_joined():
    one, other = Kinds.of(X[:5], None, IS_LEVEL), Kinds.of(X, None, IS_LEVEL)
    both = one.joined(other)
    for column in np.flatnonzero(IS_LEVEL):
        expected = set(one.levels[column]) | set(other.levels[column])
        assert set(both.levels[column]) == expected
    np.testing.assert_array_equal(both.gaps, one.gaps | other.gaps)
    np.testing.assert_array_equal(both.means, one.means)
