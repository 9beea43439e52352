"""What ``verbose=True`` shows: a progress bar where rich is installed, plain lines elsewhere."""

import sys


class Progress:
    """Report records to the terminal; use it as a context manager.

    Parameters
    ----------
    enabled : bool
        Whether to show anything.
    total : int
        Largest number of sweeps.
    """

    def __init__(self, enabled, total):
        self._enabled, self._total, self._bar = enabled, total, None

    def __enter__(self):
        if self._enabled and sys.stdout is not None and sys.stdout.isatty():
            try:
                from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
                from rich.progress import Progress as Bar
            except ImportError:
                return self
            self._bar = Bar(
                TextColumn("sweep"),
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

    def update(self, record):
        """Show one sweep."""
        if not self._enabled:
            return
        text = f"objective {record.objective:.6g}, loss {record.loss:.6g}"
        if self._bar is not None:
            self._bar.update(self._task, completed=record.iteration, description=text)
        else:
            print(f"Sweep {record.iteration}: {text}, epsilon {record.epsilon:.3g}")
