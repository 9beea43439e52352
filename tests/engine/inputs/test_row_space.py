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


def test_sparse_rows_have_as_many_coordinates_as_dimensions():
    """What rounding leaves of the others is no direction."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(8, 5)) @ rng.normal(size=(5, 40))
        assert RowSpace(sp.csr_array(X), rng.normal(size=(40, 3))).X.shape == (8, 5 + 3)


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_outside_of_ill_conditioned_rows_is_outside(sparse):
    """The first projection leaves rounding errors behind, which the second one takes away."""
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.normal(size=(size, 8)))[0] for size in (8, 40))
    X = (U * np.geomspace(1.0, 1e-3, 8)) @ V.T
    W = 1e6 * V @ rng.normal(size=(8, 3)) + rng.normal(size=(40, 3))
    space = RowSpace(sp.csr_array(X) if sparse else X, W)
    rank = space.X.shape[1] - 3
    outside = space.expand(np.eye(rank + 3)[:, rank:])
    np.testing.assert_allclose(V.T @ outside, 0, atol=1e-12)
    np.testing.assert_allclose(space.expand(space.W), W, rtol=0, atol=1e-12 * 1e6)


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
