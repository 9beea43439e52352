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
    centred = A - mean
    assert rows.total == pytest.approx(s.sum())
    np.testing.assert_allclose(rows.mean(X), mean, rtol=1e-12)
    np.testing.assert_allclose(rows.cross(X, B), A.T @ (s[:, None] * B), rtol=1e-12)
    np.testing.assert_allclose(
        rows.gram(X, mean), centred.T @ (s[:, None] * centred), rtol=1e-9, atol=1e-9
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
