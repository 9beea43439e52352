"""Where the batches of a sweep come from."""

from itertools import pairwise

import numpy as np
import pytest

from skmdlam.engine.loop.sources import Rounds, Shuffled, Whole


@pytest.mark.parametrize(("n", "n_batches"), [(1, 1), (7, 1), (7, 2), (20, 6), (6, 6)])
@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("kind", [Shuffled, Rounds])
def test_every_sample_once_a_round(kind, rounds, n, n_batches):
    source = kind(n, n_batches, rounds=rounds)
    rng = np.random.RandomState(0)
    orders = []
    for _ in range(2):
        batches = list(source.epoch(rng))
        assert len(batches) == rounds * n_batches
        assert {rows.size for rows, _ in batches} == set(source.sizes)
        assert max(source.sizes) - min(source.sizes) <= 1
        progress = [share for _, share in batches]
        np.testing.assert_allclose(progress, np.tile(np.arange(n_batches) / n_batches, rounds))
        for part in range(rounds):
            rows = [rows for rows, _ in batches[part * n_batches : (part + 1) * n_batches]]
            orders.append(np.concatenate(rows))
            np.testing.assert_array_equal(np.sort(orders[-1]), np.arange(n))
    shuffled = n > 1 and (n_batches > 1 or kind is Rounds)
    if shuffled:
        assert not any(np.array_equal(a, b) for a, b in pairwise(orders))
    else:
        np.testing.assert_array_equal(orders, np.tile(np.arange(n), (2 * rounds, 1)))
        # Nothing was drawn.
        assert rng.randint(1 << 30) == np.random.RandomState(0).randint(1 << 30)


def test_all_samples_at_once():
    assert list(Whole().epoch(None)) == [(slice(None), 0.0)]
