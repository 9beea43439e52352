"""A fit that is a task of a worker, seen from where it was asked for.

Its sweeps are shown, its warnings are raised and Ctrl-C ends it there, as if the fit was local.
"""

import contextlib
import threading
import time
import types
import uuid
import warnings

from .._progress import WATCHER, Progress
from .._results import stacklevel_of_user

# Seconds between two looks at whether the fit shall stop.
_LOOK_SECONDS = 0.5
# Seconds that the last lines of a fit are waited for.
_LAST_LINES_SECONDS = 2.0
_SHOWN = ("iteration", "loss", "kept", "objective", "epsilon")


class Wire:
    """Between a fit on a worker and the one who waits for it; made here, sent with the task.

    Parameters
    ----------
    client : distributed.Client
    verbose : bool
        Whether sweeps are shown here.
    """

    def __init__(self, client, verbose):
        self._client, self._progress = client, None
        self.stop = f"skmdlam-stop-{uuid.uuid4().hex}"
        self.topic = f"skmdlam-sweeps-{uuid.uuid4().hex}" if verbose else None
        self._ended = threading.Event()

    def __getstate__(self):
        return {"stop": self.stop, "topic": self.topic}

    def __enter__(self):
        if self.topic is not None:
            self._client.subscribe_topic(self.topic, self._show)
        return self

    def __exit__(self, kind, *_):
        if self.topic is None:
            return
        if kind is None:
            self._ended.wait(_LAST_LINES_SECONDS)
        with contextlib.suppress(ValueError):  # not subscribed any more: the client has closed
            self._client.unsubscribe_topic(self.topic)
        self._end_progress()

    def ask_to_stop(self):
        """Let the fit end as Ctrl-C would."""
        from distributed import Event

        Event(self.stop, client=self._client).set()

    def _show(self, event):
        _, told = event
        if "end" in told:
            self._ended.set()
            return
        total = told.pop("total")
        if self._progress is None or self._shown_total != total:
            self._end_progress()
            self._progress, self._shown_total = Progress(True, total), total
            self._progress.__enter__()
        self._progress.update(types.SimpleNamespace(**told))

    def _end_progress(self):
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    # -- on the worker ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def watched(self, last=True):
        """Tell of the sweeps within, and end them when asked to.

        Yields the list of warnings that come up. ``last`` says that nothing comes behind it.
        """
        from distributed import get_worker

        watcher = _Watcher(get_worker(), self)
        token = WATCHER.set(watcher)
        try:
            with RECORDER.recording() as caught:
                yield caught
        finally:
            WATCHER.reset(token)
            if last:
                watcher.tell({"end": True})


class _Watcher:
    """What a fit on a worker is watched by, see :data:`skmdlam._progress.WATCHER`."""

    def __init__(self, worker, wire):
        self._worker, self._wire = worker, wire
        self._event, self._looked = None, time.monotonic()

    def tell(self, what):
        """Send a line to whoever waits."""
        if self._wire.topic is not None:
            self._worker.log_event(self._wire.topic, what)

    def __call__(self, record, total):
        if record is not None:
            values = ((name, getattr(record, name)) for name in _SHOWN)
            told = {name: None if value is None else float(value) for name, value in values}
            told["iteration"] = record.iteration
            self.tell({"total": int(total), **told})
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            if self._asked():
                raise KeyboardInterrupt
            self._looked = time.monotonic()

    def _asked(self):
        from distributed import Event, get_client

        if self._event is None:
            self._event = Event(self._wire.stop, client=get_client())
        return self._event.is_set()


class _Recorder:
    """Records the warnings of a thread, while others go on as before.

    ``warnings.catch_warnings`` belongs to the whole process: two tasks at a time in two threads
    would put back what the other one has set.
    """

    def __init__(self):
        self._lock, self._lists, self._before = threading.Lock(), {}, None

    @contextlib.contextmanager
    def recording(self):
        """Yields the list of (message, category) that the warnings of this thread go to."""
        me, caught = threading.get_ident(), []
        with self._lock:
            if not self._lists:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("always")
                self._show, warnings.showwarning = warnings.showwarning, self._record
            self._lists[me] = caught
        try:
            yield caught
        finally:
            with self._lock:
                del self._lists[me]
                if not self._lists:
                    self._before.__exit__(None, None, None)

    def _record(self, message, category, filename, lineno, file=None, line=None):
        caught = self._lists.get(threading.get_ident())
        if caught is None:
            self._show(message, category, filename, lineno, file, line)
        else:
            caught.append((str(message), category))


RECORDER = _Recorder()


def warn_again(caught):
    """Raise warnings here that came up on a worker, at the line of the user."""
    for message, category in dict.fromkeys(caught):
        warnings.warn(message, category, stacklevel=stacklevel_of_user())
