"""Work of a step, recorded once as a graph of the device and then replayed in one call."""

# Steps before the recording: libraries of the device allocate in their first calls.
_WARM_UP = 3


class Recorded:
    """A function without arguments that reads and writes arrays which stay where they are.

    On a device without graphs it is called as it is. With them its kernels are recorded in the
    fourth call: what it allocates belongs to the graph and is written again by each replay, so that
    references to it stay good. There it must not ask for values: no ``float()``, no ``if``.

    Parameters
    ----------
    numerics : Numerics
    function : callable
    """

    def __init__(self, numerics, function):
        self._numerics, self._function = numerics, function
        self._calls, self._graph = 0, None

    def __call__(self):
        """Do the work, or queue it."""
        if self._graph is not None:
            self._graph.replay()
            return
        if not self._numerics.has_graphs or self._calls < _WARM_UP:
            self._calls += 1
            self._function()
            return
        self._graph = self._numerics.recorded(self._function)
        self._graph.replay()  # a recording does nothing
