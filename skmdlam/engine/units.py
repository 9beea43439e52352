"""Names that stored models of 0.1.0.dev0 use; :mod:`skmdlam._stored` translates what they hold."""


class TargetUnit:
    """Unit of a target: a :class:`~skmdlam.losses.Scaling` now."""


class _LossInUnits:
    """A user's loss in that unit."""
