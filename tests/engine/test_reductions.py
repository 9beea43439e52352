"""Sums over rows: weighted, and the same whatever the blocks are."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.reductions import Rows


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(3.0, 2.0, (23, 5)), rng.normal(size=(23, 4)), rng.uniform(0.1, 3.0, 23)


@pytest.mark.parametrize("block_rows", [None, 1, 7, 23, 100])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_do_not_depend_on_the_blocks(data, block_rows, sparse, weighted):
    A, B, weight = data
    s = weight if weighted else np.ones(len(A))
    rows = Rows(len(A), weight if weighted else None, block_rows=block_rows)
    X = sp.csr_array(A) if sparse else A
    mean = s @ A / s.sum()
    centered = A - mean
    assert rows.total == pytest.approx(s.sum())
    np.testing.assert_allclose(rows.mean(X), mean, rtol=1e-12)
    np.testing.assert_allclose(rows.cross(X, B), A.T @ (s[:, None] * B), rtol=1e-12)
    np.testing.assert_allclose(
        rows.gram(X, mean), centered.T @ (s[:, None] * centered), rtol=1e-9, atol=1e-9
    )
    assert rows.squared_norm(B) == pytest.approx(s @ (B**2).sum(axis=1))
    assert rows.sum(B[:, 0]) == pytest.approx(s @ B[:, 0])


def test_integer_weights_are_repeated_rows(data):
    A, _, _ = data
    counts = np.arange(len(A)) % 3 + 1
    weighted, repeated = Rows(len(A), counts.astype(float)), Rows(counts.sum())
    many = np.repeat(A, counts, axis=0)
    mean = weighted.mean(A)
    np.testing.assert_allclose(mean, repeated.mean(many), rtol=1e-13)
    np.testing.assert_allclose(weighted.gram(A, mean), repeated.gram(many, mean), rtol=1e-10)


def test_gram_of_columns_far_from_zero_keeps_its_digits():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(50, 3))
    far = A + 1e7
    rows = Rows(50)
    np.testing.assert_allclose(
        rows.gram(far, rows.mean(far)), rows.gram(A, rows.mean(A)), rtol=1e-7, atol=1e-6
    )


@pytest.mark.parametrize("block_rows", [None, 1, 7, 22, 23, 24])
def test_blocks_are_all_rows_once(block_rows):
    rows = Rows(23, block_rows=block_rows)
    seen = np.concatenate([np.arange(23)[block] for block in rows.blocks])
    np.testing.assert_array_equal(seen, np.arange(23))
    assert rows.blocks[-1].stop == 23
    assert all(block.stop - block.start <= (block_rows or 23) for block in rows.blocks)


def test_weights_that_sum_to_one(data):
    _, _, weight = data
    np.testing.assert_allclose(Rows(23, weight).normalized(), weight / weight.sum())
    np.testing.assert_allclose(Rows(23).normalized(), 1 / 23)
    single = Rows(23, weight.astype(np.float32))
    assert single.normalized().dtype == float
    # Added up in double precision, whatever the type of the rows.
    many = Rows(10_000_000, np.full(10_000_000, 0.1, np.float32))
    assert many.total == pytest.approx(1e6, rel=1e-7)
    values = np.full(100_000, 0.1, np.float32)
    exact = float(np.float32(0.1)) * 1e5
    assert Rows(100_000).sum(values) == pytest.approx(exact, rel=1e-12)
    assert Rows(100_000, values).sum(np.ones(100_000, np.float32)) == pytest.approx(
        exact, rel=1e-12
    )


def test_products_of_two_sparse_matrices(data):
    A, B, weight = data
    for s in (None, weight):
        scaled = B if s is None else s[:, None] * B
        found = Rows(23, s, block_rows=5).cross(sp.csr_array(A), sp.csr_array(B))
        np.testing.assert_allclose(found.toarray(), A.T @ scaled)


def test_rows_are_left_as_they_are(data):
    A, B, weight = data
    before = A.copy(), B.copy(), weight.copy()
    rows = Rows(23, weight)
    rows.gram(A, rows.mean(A))
    rows.cross(A, B)
    for array, copy in zip((A, B, weight), before, strict=True):
        np.testing.assert_array_equal(array, copy)
