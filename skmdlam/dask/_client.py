"""The client: which one, and waiting for what it has been asked without waiting forever."""

import asyncio
import concurrent.futures
import contextlib
import signal
import threading
import time
import uuid
import warnings
import weakref

import cloudpickle

# Seconds without a single worker after which waiting is given up.
NO_WORKERS_SECONDS = 60.0
# Seconds between two looks at the workers while waiting.
_LOOK_SECONDS = 1.0


class Sealed:
    """A value that goes to the workers as it is now, whatever becomes of it here.

    Dask looks for futures and tasks within lists and tuples; it does not look into this. Who opens
    it gets a copy, which may be changed: also where the workers are threads of this process, and
    where the task that made it has to be done again.

    Parameters
    ----------
    value : object
    """

    def __init__(self, value):
        self._data = cloudpickle.dumps(value)

    def open(self):
        """Return a copy of the value."""
        return cloudpickle.loads(self._data)

    def __len__(self):
        return len(self._data)

    def __sizeof__(self):
        return object.__sizeof__(self) + len(self._data)

    def __dask_tokenize__(self):
        from dask.base import tokenize

        return tokenize(self._data)


def client_for(given):
    """The client that an estimator works with.

    Parameters
    ----------
    given : distributed.Client or None
        Parameter of the estimator; None for the one that was started last.

    Returns
    -------
    distributed.Client

    Raises
    ------
    ValueError
        When there is none.
    """
    from distributed import Client, get_client

    if given is None:
        try:
            given = get_client()
        except ValueError as error:
            raise ValueError(
                "Dask collections are fitted by the workers of a client, and there is none: start "
                "one (client = dask.distributed.Client()), or give client=."
            ) from error
    if not isinstance(given, Client):
        raise TypeError(
            f"client must be a dask.distributed.Client or None; got {type(given).__name__}."
        )
    if given.asynchronous:
        raise ValueError("client is asynchronous, and fit waits: use a Client that is not.")
    if given.status in ("closing", "closed"):
        raise ValueError("client is closed: start another one.")
    return given


@contextlib.contextmanager
def out_of_the_way():
    """Within: where this is a task of a worker itself, its thread does other tasks meanwhile.

    Else tasks that wait for others would keep every thread from doing these.
    """
    from distributed import get_worker, rejoin, secede

    try:
        get_worker()
        secede()
    except (ValueError, KeyError):  # it is no task, or one that is out of the way
        yield
        return
    try:
        yield
    finally:
        rejoin()


def key_for(label):
    """A key that no other task has; the dashboard groups tasks by the words before its number."""
    return f"skmdlam-{label}-{uuid.uuid4().hex}"


def submit(client, label, function, *args, priority=0):
    """A task with a key of its own, one of higher priority before others; returns its future."""
    with large_arguments():
        return client.submit(function, *args, key=key_for(label), pure=False, priority=priority)


def as_it_is(value):
    """Return the value: what a task does that only has to hold or to bring one."""
    return value


@contextlib.contextmanager
def large_arguments():
    """Without Dask's advice on large graphs: scattered data would be lost with their worker."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
        yield


def results_of(client, futures, on_interrupt=None):
    """What futures become, in their order.

    Parameters
    ----------
    client : distributed.Client
    futures : list of Future
    on_interrupt : callable or None, default=None
        Called at the first Ctrl-C, to let the tasks come to an end by themselves; at the second,
        or without it, they are cancelled.

    Raises
    ------
    RuntimeError
        When the workers that did a task died again and again, when there has been no worker for
        ``NO_WORKERS_SECONDS``, or when the scheduler is gone.
    """
    from distributed import KilledWorker

    if not futures:
        return []
    gathering = client.gather(futures, asynchronous=True)
    waiting = asyncio.run_coroutine_threadsafe(gathering, client.loop.asyncio_loop)
    watch = _Watch(client)
    try:
        while True:
            try:
                return waiting.result(timeout=_LOOK_SECONDS)
            except concurrent.futures.TimeoutError:
                if waiting.done():  # an error of a task that has this name
                    raise
                watch()
            except KeyboardInterrupt:
                if on_interrupt is None:
                    raise
                on_interrupt, ask = None, on_interrupt
                ask()
    except KilledWorker as error:
        raise RuntimeError(
            f"The task {error.task!r} was given up: {error.allowed_failures + 1} workers that it "
            "was given to died, mostly for want of memory. Use smaller blocks, or workers with "
            "more memory."
        ) from error
    except (concurrent.futures.CancelledError, asyncio.CancelledError) as error:
        raise RuntimeError(
            "Tasks were cancelled: the connection to the scheduler was lost, or someone cancelled "
            "the data (a future, or a persisted collection) that they need, or another client has "
            "these data."
        ) from error
    finally:
        with contextlib.suppress(Exception):
            unfinished = [future for future in futures if not future.done()]
            if unfinished:
                client.cancel(unfinished)
        if not waiting.done():
            # It sees that they are cancelled and ends; else its parts would complain later on.
            with contextlib.suppress(Exception):
                waiting.exception(timeout=_LOOK_SECONDS)
            waiting.cancel()


@contextlib.contextmanager
def interrupts_stay_here(client):
    """Within, Ctrl-C in a terminal is for this process alone, and workers that go are counted.

    The workers of a LocalCluster are processes that the terminal tells of it, too: they would die.
    """
    from distributed import LocalCluster

    _Watch.begin(client)
    if not isinstance(client.cluster, LocalCluster):
        yield
        return
    _on_all_workers(client, _ignore_interrupts, True)
    try:
        yield
    finally:
        _on_all_workers(client, _ignore_interrupts, False)


def _on_all_workers(client, function, *args):
    """Call a function in the main thread of each worker that answers soon."""
    calls = client.run(function, *args, on_error="ignore", asynchronous=True)
    waiting = asyncio.run_coroutine_threadsafe(calls, client.loop.asyncio_loop)
    with contextlib.suppress(Exception):
        waiting.result(timeout=_LOOK_SECONDS)
    waiting.cancel()


_handlers = []


def _ignore_interrupts(ignore):
    """On a worker, where it is a process of its own."""
    if threading.current_thread() is not threading.main_thread():
        return
    if ignore:
        _handlers.append(signal.signal(signal.SIGINT, signal.SIG_IGN))
    elif _handlers:
        signal.signal(signal.SIGINT, _handlers.pop())


class _Watch:
    """Raises when there has been no worker for too long."""

    # Addresses of the workers that each client has had since its fit began, over several waits.
    _seen = weakref.WeakKeyDictionary()

    def __init__(self, client):
        self._client, self._since = client, None

    @classmethod
    def begin(cls, client):
        """Count the workers that go from now on."""
        cls._seen.pop(client, None)
        cls(client)()

    def __call__(self):
        try:
            alive = set(self._client.nthreads())
        except (OSError, TimeoutError):
            alive = set()
        now = time.monotonic()
        if alive:
            self._since = None
            self._seen[self._client] = self._seen.get(self._client, set()) | alive
        elif self._since is None:
            self._since = now
        elif now - self._since > NO_WORKERS_SECONDS:
            raise RuntimeError(self._why())

    def _why(self):
        died = len(self._seen.get(self._client, ()))
        none = f"No worker for {NO_WORKERS_SECONDS:g} seconds"
        if not died:
            return f"{none}: all have died or left, or none has come. Start workers and fit again."
        workers = "1 worker" if died == 1 else f"{died} workers"
        return (
            f"{none}: {workers} died or left during the fit, mostly for want of memory. Use "
            "smaller chunks, or workers with more memory, start them and fit again."
        )
