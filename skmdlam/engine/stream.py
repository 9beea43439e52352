"""The default solver on a stream: one pass over each chunk, and averages that may be used any time.

What a run of :class:`~skmdlam.engine.feasible.FeasibleRun` learns from all samples before its first
step, a stream has to learn on its way: means, spreads and covariances of the inputs and the unit of
the targets, merged exactly from chunk to chunk. What the cool-down does at the end of a fit, an
average of the weights over the latest part of the stream does at any time.
"""

import copy
import time
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ..losses import AbsoluteError, Quantile
from .feasible import FeasibleRun
from .metric import MovingMetric
from .run import Record
from .units import InputCoordinates, TargetUnit, column_moments

# Columns, at most, whose covariances are kept; of more only the spreads are.
_LARGEST_COVARIANCE = 1500
# Numbers of a chunk that are converted at a time.
_BLOCK = 2**22
# The covariance counts so many samples on which all columns were uncorrelated.
_PRIOR_ROWS = 20.0
# Directions have at least this share of the largest variance, so that none is ever lost.
_LEAST_VARIANCE = 2e-6
# Growth of what has been seen that renews the coordinates.
_GROWTH = 1.5
# Samples below which a change of units leaves the standardised weights alone, not the function.
_UNSETTLED = 200
# Samples in a batch.
_BATCH = 25
# A chunk of so many samples, among the first of a stream, can tell the noise.
_CALIBRATION_ROWS, _CALIBRATED = 100, 5000
_USUAL_ACTIVITY_ALPHA = 5.0
# The average spans this share of what was learned since it began.
_WINDOW = 0.2
# Standard errors by which the running weights must be better for the average to begin anew.
_DRIFT = 4.0
# Losses are followed over so many samples; running weights this much worse take smaller steps.
_FOLLOWED, _TOO_NOISY = 1000.0, 1.5


@dataclass(frozen=True)
class Moments:
    """Weight, mean and centred (co)moments of samples; sums of two sets of samples are exact."""

    weight: float
    mean: np.ndarray
    square: np.ndarray

    @classmethod
    def of(cls, values, weight=None, *, full=False):
        """Moments of the rows of an array or sparse matrix, the full matrix or its diagonal."""
        n, d = values.shape
        result = None
        step = max(1, _BLOCK // max(d, 1))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            x = values[rows]
            x = (x.toarray() if sp.issparse(x) else x).astype(float, copy=False)
            w = np.ones(len(x)) if weight is None else weight[rows].astype(float)
            total = float(w.sum())
            mean = (w / total) @ x
            x = x - mean
            square = (x * w[:, None]).T @ x if full else w @ np.square(x)
            part = cls(total, mean, square)
            result = part if result is None else result + part
        return result

    @classmethod
    def of_columns(cls, X, weight=None):
        """The same, without comoments and without a dense copy of a sparse matrix."""
        n = X.shape[0]
        total = float(n if weight is None else weight.sum(dtype=float))
        share = np.full(n, 1.0 / n) if weight is None else weight / total
        mean, std = column_moments(X, share)
        return cls(total, mean, std**2 * total)

    def __add__(self, other):
        total = self.weight + other.weight
        step = other.mean - self.mean
        outer = np.outer(step, step) if self.square.ndim == 2 else step**2
        return Moments(
            total,
            self.mean + step * (other.weight / total),
            self.square + other.square + outer * (self.weight * other.weight / total),
        )

    @property
    def spread(self):
        """Standard deviation of each column."""
        square = self.square.diagonal() if self.square.ndim == 2 else self.square
        return np.sqrt(np.maximum(square, 0.0) / self.weight)


@dataclass(frozen=True)
class Seen:
    """What is known of all samples seen so far.

    Attributes
    ----------
    rows : int
    columns, targets : Moments
        Of the inputs and of the targets, without covariances.
    deviation : float
        Mean absolute deviation of the targets from their mean, as it was when they were seen.
    joint : Moments or None
        With the covariances of the inputs, of those samples that came in chunks; None where there
        are none or too many columns.
    """

    rows: int
    columns: Moments
    targets: Moments
    deviation: float
    joint: Moments | None = None

    @classmethod
    def of(cls, X, Y, weight=None, *, joint=False):
        """What a chunk says; without ``joint`` its covariances are left out."""
        columns = Moments.of_columns(X, weight)
        targets = Moments.of(Y, weight)
        share = np.full(len(Y), 1.0 / len(Y)) if weight is None else weight / columns.weight
        deviation = float((share @ np.abs(Y - targets.mean)).mean())
        joint = joint and X.shape[1] <= _LARGEST_COVARIANCE
        return cls(
            X.shape[0],
            columns,
            targets,
            deviation,
            Moments.of(X, weight, full=True) if joint else None,
        )

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
        return Seen(
            self.rows + other.rows,
            self.columns + other.columns,
            self.targets + other.targets,
            float(np.average([self.deviation, other.deviation], weights=weights)),
            joint,
        )

    def target_unit(self, loss):
        """The unit of the targets seen."""
        if isinstance(loss, AbsoluteError | Quantile):
            size = self.deviation
        else:
            size = float(np.sqrt(np.mean(self.targets.square) / self.weight))
        return TargetUnit.from_moments(loss, self.targets.mean, size)


class StreamSpace(InputCoordinates):
    """Coordinates of the first layer's input from what has been seen.

    Parameters
    ----------
    seen : Seen
    dtype : dtype
        Of the coordinates.
    resolution : float
        Of the inputs: relative spread of a column that is constant up to rounding.
    rotate : bool
        False keeps the axes of X, for penalties that look at single weights.
    """

    def __init__(self, seen, dtype, resolution, *, rotate):
        self._dtype, self.rotate = dtype, rotate
        columns = seen.columns
        self._scale_columns(columns.mean, columns.spread, seen.weight, seen.rows, resolution)
        d = self.std.size
        if d > _LARGEST_COVARIANCE:
            metric = self._temper(1.0, float(self._n_varying))
            self._basis, self._root = np.empty((d, 0)), np.empty(0)
            self._rest, self.variance = np.sqrt(metric), np.empty(0)
            self._variance_rest = metric
            return
        # Correlations, times the spreads in the units of the coordinates: the two differ where
        # columns share one unit, and where the covariances are those of a part of what was seen.
        spread = columns.spread * self._inverse_std
        covariance = np.diag((self.std > 0).astype(float))
        if seen.joint is not None:
            inverse = np.zeros(d)
            np.divide(1.0, seen.joint.spread, out=inverse, where=seen.joint.spread > 0)
            prior = _PRIOR_ROWS * seen.weight / seen.rows
            joint = seen.joint.square * inverse * inverse[:, None] + prior * covariance
            covariance = joint / (seen.joint.weight + prior)
        covariance *= spread * spread[:, None]
        values, vectors = scipy.linalg.eigh(covariance, overwrite_a=True, check_finite=False)
        if rotate:
            least = _LEAST_VARIANCE * values.max(initial=0.0)
            self._decompose(np.maximum(values, max(least, np.finfo(float).tiny)), vectors)
        else:
            self._keep_axes(values, vectors)

    def loaded(self, X):
        """A copy that holds these samples."""
        space = copy.copy(self)
        space.load(X.tocsr() if sp.issparse(X) else X)
        return space

    def moved(self, V, old, *, keep_function):
        """Weights for these coordinates from those for old ones.

        Either the function stays, or what standardised columns weigh.
        """
        W, b = old.expand(V)
        if keep_function:
            return self.contract(W, b).astype(V.dtype)
        ratio = np.zeros_like(self.std)
        np.divide(old.std, self.std, out=ratio, where=self.std > 0)
        moved = self.contract(W * ratio[:, None], b).astype(V.dtype)
        moved[-1] = V[-1]
        return moved


@dataclass
class StreamState:
    """All that a stream knows between two chunks; arrays, numbers and objects made of them.

    Attributes
    ----------
    seen : Seen
    space : StreamSpace
    target : TargetUnit
    V, average, velocity : list of ndarray
        Running weights, the average that is the model, and the last step, in the units of
        ``space`` and ``target``.
    metrics : list of MovingMetric
        Of all layers but the first.
    parked : ndarray or None
        Starting weights of standardised columns, as long as there are constant ones.
    rng : numpy.random.RandomState
    weight_at, steps, since_refresh, decrease, decreases, owed
        Weight when the coordinates were made, and where the bookkeeping of the steps was.
    learned, drift, drift_square, losses, noise_factor
        Samples since the average began; the evidence that it should begin anew; the losses of the
        average and of the running weights on chunks not yet learned; and by what rho is
        multiplied.
    """

    seen: Seen
    space: StreamSpace
    target: TargetUnit
    V: list
    average: list
    velocity: list
    metrics: list
    parked: np.ndarray | None
    rng: np.random.RandomState
    activity_alpha: float
    weight_at: float
    owed: np.ndarray
    decrease: list
    decreases: list
    learned: float
    steps: int = 0
    since_refresh: int = 0
    drift: float = 0.0
    drift_square: float = 0.0
    followed: float = 0.0
    losses: np.ndarray = field(default_factory=lambda: np.zeros(2))
    noise_factor: float = 1.0


class StreamRun(FeasibleRun):
    """One pass over one chunk."""

    observe_every = 1
    batch = _BATCH
    rho_scale = 0.25
    after_fit = 4.0
    rho_rows, rho_power = 2000.0, 0.0
    window = _WINDOW
    drift_limit = _DRIFT
    too_noisy = _TOO_NOISY

    def __init__(self, options, problem, coefs, intercepts, state, settings):
        self._clock = time.perf_counter()
        self.ended = False
        self._set_options(options, problem)
        X, Y, weight = problem.X, problem.Y, problem.sample_weight
        self.n = X.shape[0]
        self.dtype = np.dtype(np.float32) if options.single_precision else X.dtype
        chunk = Seen.of(X, Y, weight, joint=True)
        fitted = state is None or isinstance(state, Seen)
        seen = state if fitted else state.seen
        self.before = 0 if seen is None else seen.rows
        self.seen = chunk if seen is None else seen + chunk
        self.total = self.seen.weight
        self.weight = None
        if weight is not None or self.total != self.seen.rows:
            given = np.ones(self.n) if weight is None else weight
            self.weight = (given * (self.seen.rows / self.total)).astype(self.dtype)[:, None]
        size = self.batch if settings.batch_size is None else settings.batch_size
        self.n_batches = -(-self.n // min(size, self.n))
        self._settings = settings
        if fitted:
            self._begin(coefs, intercepts, seen)
        else:
            self._resume(state)
        unit = min(1.0, self.total / self.seen.rows)
        self.column_alpha = 0.0
        if self.activity_alpha > 0:
            self.column_alpha = unit * options.column_alpha * np.sqrt(self.space.n_columns)
        self._allocate(self.n)
        self._first_every = max(self.refresh_every, self.space.size // 4)

    def _new_space(self):
        space = StreamSpace(
            self.seen,
            self.dtype,
            10 * np.finfo(self.problem.X.dtype).eps,
            rotate=self.rotated,
        )
        return space

    def _use(self, space, target):
        self.space, self.target = space.loaded(self.problem.X), target
        self.unit = target.factor * target.stiffness
        self.loss = target.loss
        self.Y = np.ascontiguousarray(target.convert(self.problem.Y), dtype=self.dtype)

    def _begin(self, coefs, intercepts, fitted):
        self.rng = self._settings.rng
        self.depth = len(coefs)
        self._use(self._new_space(), self.seen.target_unit(self.problem.loss))
        self.activity_alpha = None
        self._calibrate()
        self._initialise(coefs, intercepts, fitted is not None)
        self.average = [V.astype(float) for V in self.V]
        self.metrics = [None] + [
            MovingMetric(V.shape[0] - 1, self.damping, self.memory, self.dtype) for V in self.V[1:]
        ]
        self._forget()
        self.parked = None if fitted is not None else np.asarray(coefs[0], dtype=self.dtype)
        self.weight_at = self.total
        self.learned = 0.0 if fitted is None else float(fitted.rows)
        self.drift = self.drift_square = self.followed = 0.0
        self.losses = np.zeros(2)
        self.noise_factor = 1.0 if fitted is None else self.after_fit
        self._park()

    def _resume(self, state):
        state = copy.copy(state)
        self.rng = copy.deepcopy(state.rng)
        self.depth = len(state.V)
        self.V, self.average, self.velocity = (
            [V.copy() for V in Vs] for Vs in (state.V, state.average, state.velocity)
        )
        self.metrics = copy.deepcopy(state.metrics)
        self.parked, self.activity_alpha = state.parked, state.activity_alpha
        self._steps, self._since_refresh = state.steps, state.since_refresh
        self._owed = state.owed.copy()
        self._decrease, self._decreases = list(state.decrease), list(state.decreases)
        self.learned, self.weight_at = state.learned, state.weight_at
        self.drift, self.drift_square = state.drift, state.drift_square
        self.followed, self.losses = state.followed, state.losses
        self.noise_factor = state.noise_factor
        if self.total < _GROWTH * self.weight_at:
            self._use(state.space, state.target)
            return
        keep = self.before >= _UNSETTLED
        old, new = state.space, self._new_space()
        self._use(new, self.seen.target_unit(self.problem.loss))
        fresh = (new.std > 0) & ~(old.std > 0)
        for Vs in (self.V, self.average, self.velocity):
            Vs[0] = new.moved(Vs[0], old, keep_function=keep)
            if keep:
                last = Vs[-1]
                last *= state.target.scale / self.target.scale
                if Vs is not self.velocity:
                    last[-1] += (state.target.shift - self.target.shift) / self.target.scale
        if self.parked is not None and fresh.any():
            share = 1.0 - self.weight_at / self.total
            W = np.where(fresh[:, None], share * self.parked, 0.0)
            V = new.contract(W, np.zeros(W.shape[1]), standard=True)
            self.V[0] += V.astype(self.dtype)
            self.average[0] += V
        self._park()
        self.weight_at = self.total
        self._calibrate()

    def _park(self):
        if self.parked is not None and (self.space.std > 0).all():
            self.parked = None

    def _calibrate(self):
        if self._settings.activity_alpha is not None:
            self.activity_alpha = self._settings.activity_alpha
        elif self.n >= _CALIBRATION_ROWS and (
            self.activity_alpha is None or self.before < _CALIBRATED
        ):
            self.activity_alpha = self.options.automatic_activity_alpha(
                self.problem,
                self.loss,
                self.space.inputs,
                self.target.convert(self.problem.Y),
                total=self.total,
            )
        elif self.activity_alpha is None:
            self.activity_alpha = _USUAL_ACTIVITY_ALPHA

    def __next__(self):
        """Learn the chunk; the record has its loss, before that, under the averaged weights."""
        if self.ended:
            raise StopIteration
        self.ended = True
        with np.errstate(all="ignore"):
            loss = self._compare()
            edges = self.edges
            order = self.rng.permutation(self.n)
            for batch in range(self.n_batches):
                rows = order[edges[batch] : edges[batch + 1]]
                self.rho = self._rho(rows.size)
                for metric in self.metrics[1:]:
                    metric.memory = self.memory * min(1.0, rows.size / 100)
                    metric.least_spread = 1.0 / (1.0 + metric.count * rows.size)
                self._update(rows, min(1.0, (self._steps + 1) / self.warm_up))
                self._follow(rows.size)
        return Record(
            iteration=1,
            objective=loss,
            loss=loss,
            rho=self.rho,
            epsilon=0.0,
            gap=0.0,
            restarts=0,
            settled=True,
            seconds=time.perf_counter() - self._clock,
        )

    def _rho(self, size):
        auto = self.options.auto_rho(np.inf, size) * self.noise_factor * self.rho_scale * (1 + self.learned / self.rho_rows) ** self.rho_power
        if self._settings.rho is None:
            return auto
        return float(np.clip(self._settings.rho, auto / 8, auto * 8))

    def _follow(self, size):
        self.learned += size
        rate = min(1.0, size / (self.window * self.learned))
        for average, V in zip(self.average, self.V, strict=True):
            average += rate * (V - average)

    def _compare(self):
        running, self.V = self.V, [V.astype(self.dtype) for V in self.average]
        ours = self._losses()
        self.V = running
        theirs = self._losses()
        difference = ours - theirs
        weight = np.ones(self.n) if self.weight is None else self.weight[:, 0].astype(float)
        mean = np.array([weight @ ours, weight @ theirs]) / weight.sum()
        if self._steps == 0:
            return self._reported(mean[0])
        rate = min(1.0, self.n / (self.followed + self.n))
        rate = max(rate, 1.0 - np.exp(-self.n / _FOLLOWED))
        self.followed += self.n
        self.losses = self.losses + rate * (mean - self.losses)
        if not np.isfinite(theirs).all() or self.losses[1] > self.too_noisy * self.losses[0]:
            self.V = [V.astype(self.dtype) for V in self.average]
            velocity = [V.copy() for V in self.velocity]
            for V in self.velocity:
                V[:] = 0
            self.noise_factor *= 2.0
            self.losses = self.losses[[0, 0]]
        else:
            self.drift += float(weight @ difference)
            self.drift_square += float(weight @ np.square(difference))
            if self.drift <= 0.0:
                self.drift = self.drift_square = 0.0
            elif self.drift > self.drift_limit * np.sqrt(self.drift_square) and self.followed > 100:
                self.average = [V.astype(float) for V in self.V]
                self.drift = self.drift_square = 0.0
                self.learned = 0.0
                self.noise_factor = 1.0
                self.losses = self.losses[[1, 1]]
                self.restarts = getattr(self, "restarts", 0) + 1
        return self._reported(mean[0])

    def _reported(self, data):
        coefs, _ = self._in_user_units(self.average)
        penalties = sum(self.problem.penalty_value(W) for W in coefs)
        return float(data / self.target.stiffness * self.unit + penalties / self.total)

    def _losses(self):
        parts = []
        for rows in self._chunks:
            batch = self._passes[rows.stop - rows.start]
            batch.inputs[0] = self._input_of(rows).T
            output = self._forward(batch)
            parts.append(np.asarray(self.loss.value(output, self.Y[rows]), dtype=float))
        return np.concatenate(parts)

    def weights(self):
        coefs, intercepts = self._in_user_units(self.average)
        dtype = self.problem.X.dtype
        return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]

    def state(self):
        space = copy.copy(self.space)
        space.unload()
        return StreamState(
            seen=self.seen,
            space=space,
            target=self.target,
            V=self.V,
            average=self.average,
            velocity=self.velocity,
            metrics=self.metrics,
            parked=self.parked,
            rng=self.rng,
            activity_alpha=self.activity_alpha,
            weight_at=self.weight_at,
            owed=self._owed,
            decrease=self._decrease,
            decreases=self._decreases,
            learned=self.learned,
            steps=self._steps,
            since_refresh=self._since_refresh,
            drift=self.drift,
            drift_square=self.drift_square,
            followed=self.followed,
            losses=self.losses,
            noise_factor=self.noise_factor,
        )
