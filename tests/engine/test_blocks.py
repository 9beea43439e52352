"""Blocks of rows: sums by trees, and samples dealt to piles."""

import pickle
from itertools import chain

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.blocks import LocalBlocks, Part, added, times, tree_sum


def parts(sizes=(5, 0, 1, 40, 17), sparse=False):
    first = 0
    for size in sizes:
        ids = np.arange(first, first + size, dtype=float)
        X = np.column_stack([ids, np.square(ids)])
        yield Part(sp.csr_array(X) if sparse else X, ids[:, None], ids + 1)
        first += size


def ids_of(part):
    X = part.X.toarray() if sp.issparse(part.X) else part.X
    np.testing.assert_array_equal(X, np.column_stack([part.Y, np.square(part.Y)]))
    np.testing.assert_array_equal(part.weight, part.Y[:, 0] + 1)
    return part.Y[:, 0].tolist()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n_piles", [1, 3, 70])
def test_samples_are_dealt_once_each(n_piles, sparse):
    piles = LocalBlocks(parts(sparse=sparse)).dealt(n_piles, 4).parts
    assert len(piles) == n_piles
    found = [ids_of(pile) for pile in piles]
    assert sorted(chain(*found)) == list(range(63))
    assert list(chain(*found)) != list(range(63))


def test_piles_are_alike():
    """Of blocks in order every pile gets some of all, and about as many."""
    sizes = [300] * 40
    piles = LocalBlocks(parts(sizes)).dealt(8, 0).parts
    lengths = [pile.n for pile in piles]
    assert max(lengths) - min(lengths) <= 40
    mean = 300 * 40 / 2
    spread = np.sqrt(mean**2 / 3 / min(lengths))
    assert all(abs(np.mean(ids_of(pile)) - mean) < 4 * spread for pile in piles)


def test_many_blocks_are_not_a_flood():
    piles = LocalBlocks(parts([64] * 200)).dealt(100, 0).parts
    assert sorted(chain(*map(ids_of, piles))) == list(range(64 * 200))
    # Of blocks in order, each pile still has samples from all over.
    assert all(np.ptp(ids_of(pile)) > 0.8 * 64 * 200 for pile in piles)


def test_a_block_of_most_samples_goes_to_all_piles():
    sizes = [20_000, *[20] * 99]
    blocks = LocalBlocks(parts(sizes))
    lengths = [pile.n for pile in blocks.dealt(100, 0, sizes).parts]
    assert sum(lengths) == sum(sizes)
    assert max(lengths) < 1.5 * np.mean(lengths)


def test_the_seed_decides():
    first, again, other = (
        [ids_of(pile) for pile in LocalBlocks(parts()).dealt(3, seed).parts] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_sums_are_those_of_one_tree():
    values = list(np.random.default_rng(0).standard_normal(100))
    assert tree_sum(values) == pytest.approx(sum(values), rel=1e-12)
    assert tree_sum(values) == tree_sum(list(values))
    assert tree_sum([3.0]) == 3.0


def test_sums_of_structures():
    one = {"a": np.arange(3.0), "b": [1, (2.0, None)], "c": None}
    assert pickle.dumps(one)  # what travels
    total = added([one, one, one])
    np.testing.assert_array_equal(total["a"], [0, 3, 6])
    assert (total["b"], total["c"]) == ([3, (6.0, None)], None)
    half = times(0.5, total)
    np.testing.assert_array_equal(half["a"], [0, 1.5, 3])
    assert (half["b"], half["c"]) == ([1.5, (3.0, None)], None)
    np.testing.assert_array_equal(one["a"], [0, 1, 2])  # not in place
    assert added([{"a": None}, {"a": 1.0}]) == {"a": None}


def _plus(part, shared, own):
    return part.n * shared + own


def test_each_and_pooled():
    blocks = LocalBlocks(parts())
    assert blocks.each(_plus, [(1,), (2,)], [3, 0], (10,)) == [401, 52]
    assert blocks.pooled(_plus, [(1,), (2,)], [3, 0], (10,)) == 453
    assert blocks.total(_plus, 10, 0) == 630
    assert blocks.mapped(_plus, 10, 0).parts == [50, 0, 10, 400, 170]
