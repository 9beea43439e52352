"""Far cells: few are errors, many are the data, and what is usual stays by a bit."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.far_cells import largest_usual, pulled_in, pulled_in_alone
from skmdlam.engine.moments import Moments, Reach

RNG = np.random.default_rng(0)
SEEN = RNG.normal(5.0, 2.0, (800, 3))
MOMENTS, REACH = Moments.of(SEEN), Reach.of(SEEN)


def new(n=40, seed=1):
    return np.random.default_rng(seed).normal(5.0, 2.0, (n, 3))


def after(values, reach=REACH):
    return pulled_in(values, MOMENTS, reach, len(SEEN))


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_usual_cells_are_left_alone(convert):
    values = convert(new())
    found, reach, believed = after(values)
    assert found is values and not believed.any()
    np.testing.assert_array_equal(reach.low, new().min(axis=0))
    assert pulled_in_alone(values)[0] is values


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("wrong", [3e3, -7e5, 2e11])
def test_one_wrong_cell_becomes_a_usual_one(convert, wrong):
    dense = new()
    dense[3, 1] = wrong
    for alone in (False, True):
        values = convert(dense)
        found = (pulled_in_alone(values) if alone else after(values))[0]
        assert type(found) is type(values)
        changed = np.asarray(found.todense() if sp.issparse(found) else found)
        expected = np.median(dense[:, 1]) if alone else MOMENTS.mean[1]
        assert changed[3, 1] == pytest.approx(expected)
        changed[3, 1] = wrong
        np.testing.assert_array_equal(changed, dense)


def test_targets_go_to_the_edge():
    values = new()
    values[3, 1] = 4e5
    found, reach, _ = pulled_in(values, MOMENTS, REACH, len(SEEN), to_edge=True)
    edge = MOMENTS.mean[1] + REACH.from_center(MOMENTS.mean)[1]
    assert found[3, 1] == pytest.approx(edge) and reach.high[1] <= edge
    assert values[3, 1] == 4e5


@pytest.mark.parametrize("change", [lambda x: 300.0 * x, lambda x: x + 4e3])
def test_many_far_cells_are_the_data(change):
    """At once in a chunk, or one by one, which takes five."""
    values = new()
    values[:, 2] = change(values[:, 2])
    found, _, believed = after(values)
    assert found is values
    np.testing.assert_array_equal(believed, [False, False, True])
    reach, seen = REACH, []
    for row in values[:6]:
        _, found, believed = after(row[None], reach)
        reach = reach + found
        seen.append(bool(believed[2]))
    assert seen.index(True) == 4


def test_rare_ones_are_kept():
    """One of a thousand: a column of zeros says nothing of how large others are."""
    seen = np.zeros((1000, 1))
    later = np.zeros((50, 1))
    later[7] = 1.0
    assert pulled_in_alone(seen)[0] is seen and pulled_in_alone(later)[0] is later
    assert pulled_in(later, Moments.of(seen), Reach.of(seen), 1000)[0] is later
    seen[300] = 1.0
    assert pulled_in(later, Moments.of(seen), Reach.of(seen), 1000)[0] is later


def test_few_samples_are_not_trusted():
    assert largest_usual(3) > 1000 > 50 > largest_usual(6) > largest_usual(1e6) > 9
