"""Work of a step, recorded once as a graph of the device and then replayed in one call."""

# Steps before the recording: libraries of the device allocate in their first calls.
_WARM_UP = 3


class Recorded:
    """Work that reads and writes arrays which stay where they are, called again and again.

    On a device without graphs it is called as it is. With them its kernels are recorded in the
    fourth call: what it allocates belongs to the graph and is written again by each replay, so that
    references to it stay good. There it must not ask for values: no ``float()``, no ``if``.

    It does not keep the function, which knows all that is on the device: in a cycle of references
    that would stay there after the fit, until somebody collects garbage.

    Parameters
    ----------
    numerics : Numerics
    """

    def __init__(self, numerics):
        self._numerics = numerics
        self._calls, self._graph = 0, None

    def __call__(self, function):
        """Do the work of a function without arguments, the same one in each call, or queue it."""
        if self._graph is not None:
            self._graph.replay()
            return
        if not self._numerics.has_graphs or self._calls < _WARM_UP:
            self._calls += 1
            function()
            return
        self._graph = self._numerics.recorded(function)
        self._graph.replay()  # a recording does nothing
