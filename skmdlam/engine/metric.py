"""A name that stored models of 0.1.0.dev0 use; :mod:`skmdlam._stored` translates what it holds."""


class MovingMetric:
    """A :class:`~skmdlam.engine.preconditioners.RunningPreconditioner` now."""
