"""BLAS threads of a fit: one for small products, and afterwards as many as before."""

import contextlib
import threading

import numpy as np
import pytest
from joblib import Parallel, delayed
from threadpoolctl import threadpool_info, threadpool_limits

from skmdlam import MDLAMClassifier, MDLAMRegressor, _base
from skmdlam._threads import blas_threads_for

SMALL, LARGE = (100, [10, 20, 1]), (10_000, [1000, 1000, 1])


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    """The suite allows one; here it is two, on any machine."""
    with threadpool_limits(limits=2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("this BLAS does not let its threads be set")
        yield


def test_small_products_get_one():
    with blas_threads_for(*SMALL):
        assert threads() == {1}
        with blas_threads_for(*SMALL):
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == {2}


def test_large_products_get_all():
    with blas_threads_for(*LARGE):
        assert threads() == {2}


def test_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), blas_threads_for(*SMALL):
        raise ZeroDivisionError
    assert threads() == {2}


def test_fits_side_by_side():
    """The one that began first ends first, and what the other restores is not what it had set."""
    inside, leave = threading.Event(), threading.Event()

    def second():
        with blas_threads_for(*SMALL):
            inside.set()
            assert leave.wait(60)

    thread = threading.Thread(target=second)
    with blas_threads_for(*SMALL):
        thread.start()
        assert inside.wait(60)
        assert threads() == {1}
    leave.set()
    thread.join(60)
    assert threads() == {2}
    with blas_threads_for(*SMALL):
        assert threads() == {1}


@pytest.mark.slow
def test_joblib_threads():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 5))
    y = X[:, 0] * X[:, 1] > 0

    def fit(seed):
        # It converges: in other threads the warning filters of the test may not hold.
        # Without the penalty on columns, which is not convex: rounding decides between its minima.
        settings = {"batch_size": None, "activity_alpha": 0, "alpha": 1.0, "max_iter": 1000}
        return MDLAMClassifier((8,), **settings, random_state=seed).fit(X, y).predict_proba(X)

    alone = [fit(seed) for seed in range(4)]
    together = Parallel(n_jobs=3, backend="threading")(delayed(fit)(seed) for seed in range(4))
    # Sums of two threads have another order.
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    assert threads() == {2}


def test_threads_of_a_chunk_are_those_of_its_batches(monkeypatch):
    asked = []

    def blas_threads_for(n_rows, sizes):
        asked.append(n_rows)
        return contextlib.nullcontext()

    monkeypatch.setattr(_base, "blas_threads_for", blas_threads_for)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    MDLAMRegressor(hidden_layer_sizes=(4,), batch_size=10, random_state=0).partial_fit(X, y)
    assert asked == [10]
