"""What is known of all samples that a fit or a stream has seen: sums that merge exactly."""

from dataclasses import dataclass, replace

import numpy as np

from .constants import LIMITS, TUNED
from .moments import EachTarget, Moments, Reach, column_moments
from .reductions import Rows
from .regularization import Regularization


@dataclass(frozen=True)
class DataSummary:
    """Moments of the inputs and targets of all samples so far.

    Attributes
    ----------
    rows : int
    columns, targets : Moments
        Of the inputs and of the targets, without covariances.
    deviation : ndarray of shape (K,)
        Mean absolute deviation of each target from its mean, as it was when they were seen.
    joint : Moments or None
        With the covariances of the inputs, of those samples that came in chunks; None where there
        are none or too many columns.
    estimated : Regularization or None
        What was estimated in a fit that has seen the samples.
    reach, target_reach : Reach or None
        How far inputs and targets have reached; None where only the moments are known.
    first : dict or None
        ``X``, ``Y`` and ``weight`` of the first samples as they came, and ``pulled``, whether some
        of their cells are others in the sums; None once there are enough to tell errors by.
    """

    rows: int
    columns: Moments
    targets: Moments
    deviation: np.ndarray
    joint: Moments | None = None
    estimated: Regularization | None = None
    reach: Reach | None = None
    target_reach: Reach | None = None
    first: dict | None = None

    @classmethod
    def of(
        cls,
        X,
        Y,
        weight=None,
        *,
        joint=False,
        moments=None,
        estimated=None,
        reaches=None,
        limits=LIMITS,
    ):
        """What a chunk says; without ``joint`` its covariances are left out.

        ``moments`` are mean and standard deviation of the columns, ``reaches`` those of inputs and
        targets, where they are known already.
        """
        rows = Rows(X.shape[0], weight)
        normalized = rows.normalized()
        mean, std = column_moments(X, normalized) if moments is None else moments
        targets = Moments.of(Y, weight)
        targets.square[(Y[0] == Y).all(axis=0)] = 0.0  # no spread from rounding
        joint = joint and X.shape[1] <= limits.stream_covariance
        return cls(
            X.shape[0],
            Moments(rows.total, mean, std**2 * rows.total),
            targets,
            normalized @ np.abs(Y - targets.mean),
            Moments.of(X, weight, full=True) if joint else None,
            estimated,
            *((Reach.of(X), Reach.of(Y)) if reaches is None else reaches),
        )

    @classmethod
    def supposed(cls, X, Y, weight, last_coefs, tuned=TUNED):
        """What a fit may have seen of which nothing but the weights is left: many rows like these.

        Where the rows do not vary, columns get a spread that keeps steps small, and targets one
        that goes with the weights of the output layer.
        """
        found = cls.of(X, Y, weight)
        times = max(1.0, tuned.stream_supposed / found.rows)
        total = times * found.weight

        def vary(moments, otherwise):
            spread = np.where(moments.spread > 0, moments.spread, otherwise)
            return Moments(total, moments.mean, total * spread**2)

        columns = vary(found.columns, np.maximum(1.0, np.abs(found.columns.mean)))
        targets = vary(found.targets, np.linalg.norm(last_coefs, axis=0))
        deviation = np.where(found.deviation > 0, found.deviation, targets.spread)
        return cls(round(times * found.rows), columns, targets, deviation)

    @property
    def weight(self):
        """Total weight."""
        return self.columns.weight

    def __add__(self, other):
        if self.joint is None or other.joint is None:
            joint = self.joint if other.joint is None else other.joint
        else:
            joint = self.joint + other.joint
        weights = self.weight, other.weight
        return DataSummary(
            self.rows + other.rows,
            self.columns + other.columns,
            self.targets + other.targets,
            np.average([self.deviation, other.deviation], axis=0, weights=weights),
            joint,
            reach=self.reached()[0] + other.reached()[0],
            target_reach=self.reached()[1] + other.reached()[1],
        )

    def reached(self):
        """How far inputs and targets have reached, at most where only the moments are known."""
        return (
            Reach.at_most(self.columns) if self.reach is None else self.reach,
            Reach.at_most(self.targets) if self.target_reach is None else self.target_reach,
        )

    def target_moments(self, dtype):
        """Moments of each target, which came in this type.

        Returns
        -------
        moments : EachTarget
        """
        variance = np.maximum(self.targets.square, 0.0) / self.weight
        # Rows that come one by one do not deviate from the mean of their time.
        deviation = np.where(self.deviation > 0, self.deviation, np.sqrt(variance))
        return EachTarget(self.targets.mean, variance, deviation).without_rounding(dtype)

    def compact(self):
        """The same with covariances in the precision that files hold."""
        if self.joint is None:
            return self
        with np.errstate(over="ignore"):
            square = self.joint.square.astype(np.float32)
        if not np.isfinite(square).all():
            return self
        return replace(self, joint=replace(self.joint, square=square.astype(float)))

    def as_arrays(self):
        """The summary in arrays and numbers."""
        return {
            "rows": self.rows,
            "columns": vars(self.columns),
            "targets": vars(self.targets),
            "deviation": self.deviation,
            "joint": None if self.joint is None else vars(self.joint),
            "estimated": None if self.estimated is None else tuple(self.estimated),
            "reach": None if self.reach is None else vars(self.reach),
            "target_reach": None if self.target_reach is None else vars(self.target_reach),
            "first": self.first,
        }

    @classmethod
    def from_arrays(cls, arrays):
        """The inverse of :meth:`as_arrays`."""
        joint, estimated = arrays["joint"], arrays["estimated"]
        targets, deviation = Moments(**arrays["targets"]), arrays["deviation"]
        if np.ndim(deviation) == 0:  # an older version kept one for all targets
            spread = targets.spread
            alike = np.ones(spread.size)
            deviation = deviation * np.divide(spread, spread.mean(), out=alike, where=spread > 0)
        # Those of older versions do not know the last three.
        reaches = [arrays.get(name) for name in ("reach", "target_reach")]
        return cls(
            arrays["rows"],
            Moments(**arrays["columns"]),
            targets,
            deviation,
            None if joint is None else Moments(**joint),
            None if estimated is None else Regularization(*estimated),
            *(None if reach is None else Reach(**reach) for reach in reaches),
            arrays.get("first"),
        )
