"""What ``verbose=True`` shows: a progress bar where rich is installed, plain lines elsewhere."""

import sys
import time
from contextvars import ContextVar

_LINES = 20
# Who is told of the sweeps in place of the terminal, as ``watcher(record, total)``: where a fit is
# a task on another machine. It may raise KeyboardInterrupt, which ends the fit as Ctrl-C does.
WATCHER = ContextVar("skmdlam_watcher", default=None)


def told_to_stop(record, run):
    """For sweeps that are not shown: raises KeyboardInterrupt where a watcher asks for the end."""
    watcher = WATCHER.get()
    if watcher is not None:
        watcher(None, 0)
    return False


def say(enabled, text, since):
    """Print what was done before the first iteration, and the seconds since a moment."""
    if enabled:
        print(f"{text}: {time.perf_counter() - since:.1f} s", flush=True)


class Progress:
    """Report records to the terminal; use it as a context manager.

    Where there is no bar, it prints the first sweep, the last one, and about twenty in between.

    Parameters
    ----------
    enabled : bool
        Whether to show anything.
    total : int
        Largest number of iterations.
    """

    def __init__(self, enabled, total):
        self._enabled, self._total, self._bar = enabled, total, None
        self._watcher = WATCHER.get()
        self._every = max(1, total // _LINES)
        self._unsaid = None

    def __enter__(self):
        if self._enabled and self._watcher is None and _has_terminal():
            try:
                from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
                from rich.progress import Progress as Bar
            except ImportError:
                return self
            self._bar = Bar(
                TextColumn("iteration"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(self, *exception):
        if self._bar is not None:
            self._bar.stop()
        elif self._unsaid is not None:
            self._say(self._unsaid)

    def update(self, record):
        """Show one iteration."""
        if self._watcher is not None:
            self._watcher(record if self._enabled else None, self._total)
        elif not self._enabled:
            return
        elif self._bar is not None:
            self._bar.update(self._task, completed=record.iteration, description=_text(record))
        elif record.iteration == 1 or record.iteration % self._every == 0:
            self._say(record)
        else:
            self._unsaid = record

    def _say(self, record):
        self._unsaid = None
        width = len(str(self._total))
        print(f"Iteration {record.iteration:>{width}}: {_text(record)}", flush=True)


def _has_terminal():
    return sys.stdout is not None and sys.stdout.isatty()


def _text(record):
    text = f"loss {record.loss:.6g}"
    if record.kept < record.loss:
        text += f", best {record.kept:.6g}"
    if record.epsilon > 0:  # only a relaxed objective is another number than the loss
        text = f"objective {record.objective:.6g}, {text}, epsilon {record.epsilon:.3g}"
    return text
