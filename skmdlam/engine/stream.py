"""Names that stored models of 0.1.0.dev0 use; :mod:`skmdlam._stored` translates what they hold."""

from .moments import Moments

__all__ = ["Moments", "Seen", "StreamSpace", "StreamState"]


class Seen:
    """What a fit had seen: a :class:`~skmdlam.engine.summary.DataSummary` now."""


class StreamSpace:
    """Coordinates of a stream's input: a :class:`~skmdlam.engine.inputs.basis.Basis` now."""


class StreamState:
    """What a stream knew: a :class:`~skmdlam.engine.loop.stream_state.StreamState` now."""
