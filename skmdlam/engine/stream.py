"""The default solver on a stream: chunk by chunk, and averages that may be used any time.

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

from .calibration import USUAL_STRENGTHS, Strengths
from .feasible import FeasibleRun, within_range
from .moments import column_moments
from .reductions import Rows
from .run import Record
from .units import InputCoordinates

# Columns, at most, whose covariances are kept; of more only the spreads are.
_LARGEST_COVARIANCE = 1500
# Numbers of a chunk that are converted at a time.
_BLOCK = 2**22
# The covariance counts so many samples on which all columns were uncorrelated.
_PRIOR_ROWS = 20.0
# Directions have at least this share of the largest variance, so that none is ever lost.
_LEAST_VARIANCE = 2e-6
# Growth of what has been seen that renews coordinates and units.
_GROWTH = 1.5
# Below so many samples a change of units leaves the standardised weights alone, not the function:
# a spread told from a few samples may be wrong by far.
_UNSETTLED = 200
# Samples in a batch, and those that the memory of the metrics is meant for.
_BATCH, _USUAL_BATCH = 25, 100
# rho of a stream relative to that of a fit; right after a fit it is so many times larger.
_RHO_SHARE, _FITTED_CAUTION = 2.0, 32.0
# The average spans this share of the samples since it began.
_WINDOW = 0.2
# Rounds over a chunk; they become fewer, and rho larger, with the root of the stream's length in
# units of so many samples.
_ROUNDS, _SHORT = 8, 5000
# Within a long chunk running weights are looked at for noise after so many samples.
_CHECKED = 4000
# Standard errors by which the running weights must be better for the average to begin anew.
_TURNED = 4.0
# Losses are followed over so many samples; running weights this much worse are noise.
_FOLLOWED, _TOO_NOISY = 1000.0, 1.5
# Share of the weights that the block of the penalties may take at once: more is a swing, after
# which they grow again until its next turn.
_LONGEST_PULL = 0.3
# A chunk of so many samples, of the first ones of a stream, tells the noise in the targets.
_CALIBRATION_ROWS, _CALIBRATED = 100, 5000
# Fewer rows take a rough function for noise: they do not tell the strength for columns.
_COLUMN_ROWS = 400
# Samples, at least, that weights of unknown origin are taken to be fitted to.
_SUPPOSED = 1000
# What a run takes from a state and puts into the next one as it is.
_CARRIED = (
    "parked",
    "calibrated",
    "weight_at",
    "learned",
    "fitted",
    "caution",
    "advantage",
    "advantage_square",
    "losses",
    "followed",
)


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
        rows = Rows(X.shape[0], weight)
        mean, std = column_moments(X, rows.share())
        return cls(rows.total, mean, std**2 * rows.total)

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
    calibrated : Strengths or None
        The automatic ones of the penalties in a fit that has seen the samples.
    """

    rows: int
    columns: Moments
    targets: Moments
    deviation: float
    joint: Moments | None = None
    calibrated: Strengths | None = None

    @classmethod
    def of(cls, X, Y, weight=None, *, joint=False):
        """What a chunk says; without ``joint`` its covariances are left out."""
        columns = Moments.of_columns(X, weight)
        targets = Moments.of(Y, weight)
        share = Rows(len(Y), weight).share()
        deviation = float((share @ np.abs(Y - targets.mean)).mean())
        joint = joint and X.shape[1] <= _LARGEST_COVARIANCE
        return cls(
            X.shape[0],
            columns,
            targets,
            deviation,
            Moments.of(X, weight, full=True) if joint else None,
        )

    @classmethod
    def supposed(cls, X, Y, weight, last_coefs):
        """What a fit may have seen of which nothing but the weights is left: many rows like these.

        Where the rows do not vary, columns get a spread that keeps steps small, and targets one
        that goes with the weights of the output layer.
        """
        seen = cls.of(X, Y, weight)
        times = max(1.0, _SUPPOSED / seen.rows)
        total = times * seen.weight

        def vary(moments, otherwise):
            spread = np.where(moments.spread > 0, moments.spread, otherwise)
            return Moments(total, moments.mean, total * spread**2)

        columns = vary(seen.columns, np.maximum(1.0, np.abs(seen.columns.mean)))
        targets = vary(seen.targets, np.linalg.norm(last_coefs, axis=0))
        deviation = seen.deviation if seen.deviation > 0 else float(targets.spread.mean())
        return cls(round(times * seen.rows), columns, targets, deviation)

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
        std = float(np.sqrt(np.mean(self.targets.square) / self.weight))
        return loss.scaled(self.targets.mean, std, self.deviation)


class StreamSpace(InputCoordinates):
    """Coordinates of the first layer's input from what has been seen.

    Parameters
    ----------
    seen : Seen
    dtype : dtype
        Of the coordinates.
    resolution : dtype
        That of the inputs, which says what a constant column is.
    rotate : bool
        False keeps the axes of X, for penalties that look at single weights.
    """

    def __init__(self, seen, dtype, resolution, *, rotate):
        self._dtype = dtype
        columns = seen.columns
        self._scale_columns(columns.mean, columns.spread, seen.weight, seen.rows, resolution)
        d = self.std.size
        if d > _LARGEST_COVARIANCE:
            self._set_leading(np.empty(0), np.empty((d, 0)), 1.0, float(self._n_varying))
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

    @property
    def rotated(self):
        """Whether the coordinates are not those along the axes of X."""
        return self._basis is None

    def loaded(self, X):
        """A copy that holds these samples."""
        space = copy.copy(self)
        space.load(X.tocsr() if sp.issparse(X) else X)
        return space

    def unloaded(self):
        """A copy that holds none."""
        space = copy.copy(self)
        space._X = space.U = space.rows = space.leverage = None
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
    """All that a stream knows between two chunks: arrays, numbers, and objects made of them.

    A run changes none of it: it works on copies and makes a new one.

    Attributes
    ----------
    seen : Seen
    space : StreamSpace
    target : Scaling
    V, average, velocity : list of ndarray
        Running weights, the average that is the model, and the last step, in the coordinates
        and units of ``space`` and ``target``.
    metrics : list of MovingMetric
        Of all layers but the first, whose place holds None.
    parked : ndarray or None
        Starting weights of the standardised columns, as long as there are constant ones.
    rng : numpy.random.RandomState
    calibrated : Strengths or None
        The automatic ones of the penalties; None as long as no chunk could tell them.
    weight_at : float
        Total weight when the coordinates were made.
    steps, since_refresh, owed, decrease, decreases
        Where the bookkeeping of the steps was.
    learned, fitted : float
        Samples that the average was made of, and how many of them belong to a fit.
    caution : float
        What rho is multiplied by.
    advantage, advantage_square : float
        By how much the running weights were better than the average, on samples before they were
        learned: the sum and that of the squares, since the sum was last negative.
    losses, followed
        Means of both losses over the latest samples, that of the running weights less what they
        save in penalties, and how many samples there were.
    loss : Loss or None
        What ``target`` is the unit of; None in a state that an older version stored.
    """

    seen: Seen
    space: StreamSpace
    target: object
    V: list
    average: list
    velocity: list
    metrics: list
    parked: np.ndarray | None
    rng: np.random.RandomState
    calibrated: Strengths | None
    weight_at: float
    steps: int
    since_refresh: int
    owed: np.ndarray
    decrease: list
    decreases: list
    learned: float
    fitted: float
    caution: float = 1.0
    advantage: float = 0.0
    advantage_square: float = 0.0
    losses: np.ndarray = field(default_factory=lambda: np.zeros(2))
    followed: float = 0.0
    loss: object = None


class StreamRun(FeasibleRun):
    """What one chunk teaches; iterate it for its only record.

    ::

        loss      <-  of the average and of the running weights on the chunk, not yet learned,
                      and the penalties that each would pay
        average   <-  running weights, where these are better beyond chance: the stream has turned
        running   <-  average, and smaller steps, where these are much worse: noise
        mean, std, C, unit of the target  <-  merged with those of the chunk
        coordinates of the first layer    <-  anew when half as much has been seen since
        in each of several rounds, for each batch of the chunk in random order:
            running  <-  the step of FeasibleRun, with twice the rho of such a batch or more
            average  <-  average + batch / (window * samples so far * rounds) (running - average)

    ``weights()`` gives the average, which has far less of the noise of single batches. Its window
    grows with the stream, so that the average of a long stream settles, and begins anew when the
    stream has turned. With its length the rounds become fewer and the steps shorter, both with the
    root, from a length of 5000 on: a short stream has to make the most of its samples, a long one
    meets enough of them.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        The chunk.
    coefs, intercepts : list of ndarray
        Where a new stream starts; not used when there is a state.
    state : StreamState, Seen or None
        What the last run's :meth:`state` gave; what a fit with these weights has seen; None says
        that the weights are random ones for standardised columns.
    settings : Settings
    """

    # A stream is short: every batch counts at first.
    observe_every, refresh_every, refresh_first = 4, 20, 3
    # The average takes all weights at every step.
    may_be_lazy = False

    def __init__(self, options, problem, coefs, intercepts, state, settings):
        self._clock = time.perf_counter()
        self._set_options(options, problem)
        self._settings = settings
        resumed = isinstance(state, StreamState)
        before = state.seen if resumed else state
        X, Y, weight = problem.X, problem.Y, problem.sample_weight
        chunk = Seen.of(X, Y, weight, joint=True)
        self.seen = chunk if before is None else before + chunk
        self.before = 0 if before is None else before.rows
        self.n, self.total = X.shape[0], self.seen.weight
        self.dtype = np.dtype(np.float32) if options.single_precision else X.dtype
        self.weight = None
        if weight is not None or self.total != self.seen.rows:
            given = np.ones(self.n) if weight is None else weight
            self.weight = (given * (self.seen.rows / self.total)).astype(self.dtype)[:, None]
        size = _BATCH if settings.batch_size is None else settings.batch_size
        self.n_batches = -(-self.n // min(size, self.n))

        if resumed:
            self._resume(state)
        else:
            self._begin(coefs, intercepts, before)
        if self.parked is not None and (self.space.std > 0).all():
            self.parked = None
        strengths, _ = options.resolve_strengths(settings.activity_alpha, self._automatic_strengths)
        self._use_strengths(strengths, self.seen.rows)
        self._allocate(self.n)
        self._first_every = max(self.refresh_every, self.space.size // 4)
        # What the penalties take off the weights, relative to their metric, for a step of one.
        ridge = 0.0
        if problem.alpha > 0 and problem.penalty.ridge is not None:
            usual = max(1.0, self.target.scale**2, float(np.median(self.space.inverse_variance)))
            ridge = problem.alpha * problem.penalty.ridge / self.unit * usual
        self._pull = self.activity_alpha + ridge
        self.iteration = 0

    # -- set up ---------------------------------------------------------------------------------

    def _begin(self, coefs, intercepts, fitted):
        """A new stream, from random weights or from those of a fit."""
        self.rng, self.depth = self._settings.rng, len(coefs)
        self._renew_units()
        self.calibrated = None if fitted is None else fitted.calibrated
        if self.calibrated is not None and np.isnan(self.calibrated.ratio):
            self.calibrated = None  # it could not tell
        self._initialise(coefs, intercepts, fitted is not None)
        self.average = [V.astype(float) for V in self.V]
        self.metrics = self._new_metrics()
        self._forget()
        self.parked = None if fitted is not None else np.asarray(coefs[0], dtype=self.dtype)
        self.learned = self.fitted = float(self.before)
        self.caution = 1.0
        self._forget_losses()

    def _resume(self, state):
        """Go on from a state, which stays what it is."""
        self.depth = len(state.V)
        self.rng = state.rng
        if self.n > 1:  # the order of a single sample needs no copy, which takes long
            self.rng = np.random.RandomState()
            self.rng.set_state(state.rng.get_state())
        self.V, self.average, self.velocity = (
            [V.copy() for V in weights] for weights in (state.V, state.average, state.velocity)
        )
        self.metrics = [None] + [metric.copy() for metric in state.metrics[1:]]
        self._owed = state.owed.copy()
        self._decrease, self._decreases = list(state.decrease), list(state.decreases)
        self._steps, self._since_refresh = state.steps, state.since_refresh
        for name in _CARRIED:
            setattr(self, name, getattr(state, name))
        if isinstance(self.calibrated, float):
            # The first state of all knew the strength of one penalty.
            self.calibrated = USUAL_STRENGTHS._replace(activity_alpha=self.calibrated)
        same_loss = state.loss is None or state.loss == self.problem.loss
        if not same_loss:
            self._forget_losses()
        # Of many columns no axes are turned, whatever the penalty.
        narrow = self.seen.columns.mean.size <= _LARGEST_COVARIANCE
        same_axes = state.space.rotated == (self.rotated and narrow)
        if same_loss and same_axes and self.total < _GROWTH * state.weight_at:
            self._use(state.space, state.target)
        else:
            self._renew_units()
            self._move(state)

    def _renew_units(self):
        """Coordinates and unit of the target from all that has been seen."""
        space = StreamSpace(self.seen, self.dtype, self.problem.X.dtype, rotate=self.rotated)
        self._use(space, self.seen.target_unit(self.problem.loss))
        self.weight_at = self.total

    def _use(self, space, target):
        self.space, self.target = space.loaded(self.problem.X), target
        self.unit = target.factor * target.loss_scale
        self.loss = target.loss
        self.Y = np.ascontiguousarray(target.transform(self.problem.Y), dtype=self.dtype)

    def _move(self, state):
        """Weights in the old coordinates and units become weights in the new ones."""
        old, settled = state.space, self.before >= _UNSETTLED
        for weights in (self.V, self.average, self.velocity):
            weights[0] = self.space.moved(weights[0], old, keep_function=settled)
            if settled:
                weights[-1] *= state.target.scale / self.target.scale
                if weights is not self.velocity:
                    step = (state.target.shift - self.target.shift) / self.target.scale
                    weights[-1][-1] += step.astype(weights[-1].dtype)
        fresh = (self.space.std > 0) & ~(old.std > 0)
        if self.parked is not None and fresh.any():
            # The later a column comes to life, the less is its random start worth to the others.
            W = np.where(fresh[:, None], (1.0 - state.weight_at / self.total) * self.parked, 0.0)
            V = self.space.contract(W, np.zeros(W.shape[1]), standard=True)
            self.V[0] += V.astype(self.dtype)
            self.average[0] += V

    def _automatic_strengths(self):
        """From the noise in a chunk that can tell it, or usual ones."""
        fresh = self.weight_at == self.total and self.before < _CALIBRATED
        if self.n >= _CALIBRATION_ROWS and (fresh or self.calibrated is None):
            self.calibrated = self.options.automatic_strengths(
                self.problem,
                self.loss,
                self.space.inputs_rotated,
                self.target.transform(self.problem.Y),
                total=self.total,
            )
            if self.n < _COLUMN_ROWS:
                columns = USUAL_STRENGTHS.column_alpha
                self.calibrated = self.calibrated._replace(column_alpha=columns)
        return self.calibrated or USUAL_STRENGTHS

    # -- the pass -------------------------------------------------------------------------------

    def __next__(self):
        if self.iteration:
            raise StopIteration
        self.iteration = 1
        with np.errstate(all="ignore"):
            loss = self._look_ahead()
            rounds, unchecked = self._rounds(), 0
            for _ in range(rounds):
                order = self.rng.permutation(self.n)
                for batch in range(self.n_batches):
                    rows = order[self.edges[batch] : self.edges[batch + 1]]
                    self._prepare(rows.size)
                    self._update(rows, min(1.0, (self._steps + 1) / self.warm_up))
                    new = rows.size / rounds
                    self.learned += new
                    rate = min(1.0, new / (_WINDOW * self.learned))
                    for average, V in zip(self.average, self.V, strict=True):
                        average += rate * (V - average)
                    unchecked += rows.size
                    if unchecked > _CHECKED:
                        unchecked = 0
                        self._check_noise()
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

    def _update(self, rows, factor):
        super()._update(rows, factor)
        owed = self._owed.max() * max(self.gains)
        if self._since_refresh and owed * self._pull > _LONGEST_PULL * self.total:
            self._apply_penalties(first=self._first_every == self.refresh_every)

    def _rounds(self):
        """How often the chunk is gone over: the less often the longer the stream is."""
        return max(1, round(_ROUNDS / np.sqrt(1.0 + (self.learned + self.n) / _SHORT)))

    def _prepare(self, size):
        """rho, and the memory of the metrics, for a batch of this size."""
        rho = self.options.auto_rho(np.inf, size)
        given = self._settings.rho
        self.rho = _RHO_SHARE * (rho if given is None else within_range(given, rho))
        self.rho *= np.sqrt(1.0 + self.learned / _SHORT)
        # A fit has gone to the bottom of a valley, from which long steps would throw it out.
        self.rho *= self.caution * max(1.0, _FITTED_CAUTION * self.fitted / max(self.learned, 1.0))
        for metric in self.metrics[1:]:
            metric.memory = self.memory * min(1.0, size / _USUAL_BATCH)
            metric.least_spread = 1.0 / (1.0 + metric.count * size)

    def _follow_inputs(self, inputs, weight):
        first = self._steps <= self.refresh_every
        self._since_refresh += 1
        observe = first or self._steps % self.observe_every == 0
        refresh = self._since_refresh >= self.refresh_every
        refresh = refresh or (first and self._steps % self.refresh_first == 1)
        for metric, A in zip(self.metrics[1:], inputs[1:], strict=True):
            if observe:
                metric.observe(A, weight)
            if refresh or not metric.ready:
                metric.refresh()

    def _look_ahead(self):
        """Losses on the chunk before it is learned; what they say of running weights and average.

        Returns
        -------
        loss : float
            Data term and penalty of the average, per unit of weight.
        """
        running, self.V = self.V, [V.astype(self.dtype) for V in self.average]
        losses = [self._losses()]
        self.V = running
        weight = np.ones(self.n) if self.weight is None else self.weight[:, 0].astype(float)
        penalty = self._penalty(self.average)
        loss = self.target.factor * float(losses[0] @ weight / weight.sum() + penalty)
        if self._steps == 0:  # they are the same
            return loss

        losses = np.array([*losses, self._losses()])
        losses[1] -= self._saved(penalty)
        means = losses @ weight / weight.sum()
        share = self.n / (self.followed + self.n)
        share = max(share, 1.0 - np.exp(-self.n / _FOLLOWED))
        self.followed += self.n
        self.losses = self.losses + share * (means - self.losses)
        difference = losses[0] - losses[1]
        self.advantage += float(weight @ difference)
        self.advantage_square += float(weight @ np.square(difference))
        if not self.losses[1] <= _TOO_NOISY * self.losses[0]:
            self._drop_running()
        elif self.advantage <= 0.0:
            self.advantage = self.advantage_square = 0.0
        elif self.advantage > _TURNED * np.sqrt(self.advantage_square):
            self._turn(self.average, self.V, caution=1.0)
            self.learned = self.fitted = 0.0
        return loss

    def _saved(self, penalty):
        """What the running weights save in penalties, of which the average pays this.

        So much they may lose in data. Penalties that both pay do not count, they would hide noise;
        nor does what a penalty that is new costs the running weights more.
        """
        saved = penalty + self._activity(self.average)
        return max(saved - self._penalty(self.V) - self._activity(self.V), 0.0)

    def _check_noise(self):
        """Drop running weights that are much worse than the average on a part of the chunk."""
        rows = self._chunks[self._steps % len(self._chunks)]
        running = self._losses([rows]).mean() - self._saved(self._penalty(self.average))
        kept, self.V = self.V, [V.astype(self.dtype) for V in self.average]
        average = self._losses([rows]).mean()
        self.V = kept
        if not running <= _TOO_NOISY * average:
            self._drop_running()

    def _drop_running(self):
        """Go back to the average, with smaller steps."""
        self._turn(self.V, self.average, caution=2.0 * self.caution)
        for velocity in self.velocity:
            velocity[:] = 0.0

    def _turn(self, weights, others, *, caution):
        """Let some weights become what others are."""
        for V, other in zip(weights, others, strict=True):
            V[:] = other
        self.caution = caution
        self._forget_losses()

    def _forget_losses(self):
        self.advantage = self.advantage_square = self.followed = 0.0
        self.losses = np.zeros(2)

    def _rows_to_measure(self, n):
        return n

    def _losses(self, chunks=None):
        """Loss of each sample of the chunk, or of parts of it, under V, in the run's units."""
        parts = []
        self._begin_pass()
        for rows in self._chunks if chunks is None else chunks:
            output = self._pass_over(rows).output
            parts.append(np.array(self.loss.value(output, self.Y[rows]), dtype=float))
        return np.concatenate(parts)

    def _penalty(self, V):
        """Penalty of the user's alpha per unit of weight, in units of the loss."""
        if self.problem.alpha == 0:
            return 0.0
        coefs, _ = self._in_user_units(V)
        return sum(self.problem.penalty_value(W) for W in coefs) / (self.total * self.target.factor)

    def _activity(self, V):
        """The penalty on activity, likewise, from the moments of the layers' inputs.

        That on columns, which is bounded by a logarithm, is not worth its product.
        """
        if self.activity_alpha == 0:
            return 0.0
        blocks = [self.space, *self.metrics[1:]]
        variances = [block.output_variance(W) for block, W in zip(blocks, V, strict=True)]
        return 0.5 * self.target.loss_scale * self.activity_alpha * sum(variances) / self.total

    # -- results --------------------------------------------------------------------------------

    def weights(self):
        """The average, in the coordinates of the user's X."""
        return self._returned(self.average)

    def state(self):
        """What the run of the next chunk needs."""
        return StreamState(
            space=self.space.unloaded(),
            target=self.target,
            V=self.V,
            average=self.average,
            velocity=self.velocity,
            metrics=self.metrics,
            rng=self.rng,
            steps=self._steps,
            since_refresh=self._since_refresh,
            owed=self._owed,
            decrease=self._decrease,
            decreases=self._decreases,
            seen=self.seen,
            loss=self.problem.loss,
            **{name: getattr(self, name) for name in _CARRIED},
        )
