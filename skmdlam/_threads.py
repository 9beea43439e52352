"""BLAS threads: small products run faster, and on a busy machine far faster, on one."""

import contextlib
import functools
import itertools
import threading

from threadpoolctl import ThreadpoolController  # which scikit-learn requires

# Multiplications in the largest product of a step, below which threads cost more than they bring.
_WORTH_THREADS = 2e8


@functools.cache
def _controller():
    return ThreadpoolController()


# The setting is the process's. Of fits side by side, in threads, one makes it and takes it back:
# each for itself they would restore what others have set.
_ONE_AT_A_TIME = threading.Lock()


@contextlib.contextmanager
def one_blas_thread():
    """Context of a single BLAS thread, as far as no other thread of this process asked for one."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _ONE_AT_A_TIME.release()


def blas_threads_for(n_rows, sizes):
    """Context in which products of ``n_rows`` rows with the weights of these layers are fastest.

    NumPy and SciPy each bring a pool of threads, which spin against each other when many small
    calls alternate between them. Large products keep the threads that the user allows.

    Parameters
    ----------
    n_rows : int
        Rows of a batch.
    sizes : sequence of int
        Units of each layer, from the inputs to the outputs.

    Returns
    -------
    context manager
    """
    largest = n_rows * max(a * b for a, b in itertools.pairwise(sizes))
    return contextlib.nullcontext() if largest >= _WORTH_THREADS else one_blas_thread()
