"""The row space of wide data keeps products, lengths and what moves within it."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.inputs.row_space import RowSpace


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rank", [8, 5])
@pytest.mark.parametrize("width", [3, 60])
def test_products_and_norms_are_kept(sparse, rank, width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, rank)) @ rng.normal(size=(rank, 40))
    W = rng.normal(size=(40, width))
    space = RowSpace(sp.csr_array(X) if sparse else X, W)
    np.testing.assert_allclose(space.X @ space.W, X @ W, atol=1e-10)
    np.testing.assert_allclose(space.expand(space.W), W, atol=1e-10)
    # A move within the new coordinates is the same move in the old ones, of the same length.
    step = space.X.T @ rng.normal(size=(8, width))
    moved = space.W + step
    np.testing.assert_allclose(space.X @ moved, X @ space.expand(moved), atol=1e-9)
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(space.expand(moved)))


def test_pays_only_when_there_are_fewer_coordinates():
    assert RowSpace.pays(np.empty((10, 100)), 50)
    assert not RowSpace.pays(np.empty((10, 100)), 90)
    assert not RowSpace.pays(np.empty((200, 100)), 5)


def test_pays_only_where_a_sparse_x_is_not_much_smaller():
    columns = np.arange(3000)[:, None] + np.arange(300) * 33  # of 10,000: 3 % of the entries
    few, many = (
        sp.coo_array(
            (np.ones(3000 * k), (np.repeat(np.arange(3000), k), columns[:, :k].ravel() % 10_000)),
            shape=(3000, 10_000),
        )
        for k in (20, 300)
    )
    assert not RowSpace.pays(few, 5)
    assert RowSpace.pays(many, 5)
    assert RowSpace.pays(few.tocsr()[:2000], 5)
