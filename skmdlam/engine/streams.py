"""The default solver on a stream: chunk by chunk, and averages that may be used any time.

What a run of mini-batches learns from all samples before its first step, a stream has to learn on
its way: means, spreads and covariances of the inputs and the unit of the targets, merged exactly
from chunk to chunk. What the cool-down does at the end of a fit, an average of the weights over the
latest part of the stream does at any time.
"""

import time
from dataclasses import dataclass

import numpy as np

from .admission import admitted
from .frame import Frame
from .inputs.decompositions import input_of, row_weights
from .inputs.stored import basis_of_summary
from .loop.compact import compact_layer, inner_weights
from .loop.run import ComposedRun
from .loop.running_average import NOTHING_FOLLOWED, RunningAverage
from .loop.schedules import WarmUp
from .loop.sources import Rounds
from .loop.stream_state import StreamState, known_of, loss_key
from .network import Prepared, network_of, starting_weights
from .objective import LayerObjective, Terms
from .preconditioners import StreamRhythm
from .regularization import effective_column_alpha, usual_regularization
from .steps.stream_step import StreamStep
from .stream_units import Units, move, wake


def stream_run(options, problem, coefs, intercepts, known, settings):
    """What one chunk teaches, as a run of one record.

    ::

        loss      <-  of the average and of the running weights on the chunk, not yet learned,
                      and the penalties that each would pay
        average   <-  running weights, where these are better beyond chance: concept drift
        running   <-  average, and smaller steps, where these are much worse: noise
        mean, std, C, unit of the target  <-  merged with those of the chunk
        coordinates of the first layer    <-  anew when half as much has been seen since
        in each of several rounds, for each batch of the chunk in random order:
            running  <-  the step of mini-batches, with twice the rho of such a batch or more
            average  <-  average + batch / (window * samples so far * rounds) (running - average)

    ``weights()`` gives the average, which has far less of the noise of single batches. Its window
    grows with the stream, so that the average of a long stream settles, and begins anew after
    drift. With its length the rounds become fewer and the steps shorter, both with the root, from a
    length of 5000 on: a short stream has to make the most of its samples, a long one meets enough
    of them.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        The chunk.
    coefs, intercepts : list of ndarray
        Where a new stream starts; not used when there is a state.
    known : dict or None
        What the last run's ``state()`` gave, or a summary of the data that a fit with these
        weights has seen, in arrays and numbers; None says that the weights are random ones for
        standardized columns.
    settings : Settings

    Returns
    -------
    run : StreamRun
    """
    clock = time.perf_counter()
    problem = problem.with_usual_alpha()  # there is no fit without the penalty to tell it
    known = known_of(known)
    if isinstance(known, StreamState):
        chunk = Chunk(options, problem, known.summary, settings)
        position = _resume(chunk, known)
    else:
        chunk = Chunk(options, problem, known, settings)
        position = _begin(chunk, coefs, intercepts, known)
    return _run(chunk, position, clock)


class Chunk:
    """A chunk of a stream: its data, and what is known with it.

    Parameters
    ----------
    options : Feasible
    problem : Problem
    before : DataSummary or None
        Of what came before.
    settings : Settings

    Attributes
    ----------
    summary : DataSummary
        Of the chunk and all that came before.
    another : ndarray of bool of shape (d,) or None
        Columns of another kind than before, and that the units are not those of the data, see
        :func:`~skmdlam.engine.admission.admitted`.
    n : int
        Samples of the chunk.
    before : int
        Samples that came before.
    total : float
        Total weight of both.
    weight : ndarray of shape (n, 1) or None
        Weights in units of the mean weight of both.
    source : Rounds
    """

    def __init__(self, options, problem, before, settings):
        self.options, self.settings = options, settings
        self.tuned, self.limits = options.constants.tuned, options.constants.limits
        self.problem, self.summary, self.another = admitted(
            problem, before, self.tuned, self.limits
        )
        X, weight = problem.X, problem.sample_weight
        self.before = 0 if before is None else before.rows
        self.n, self.total = X.shape[0], self.summary.weight
        self.dtype = np.dtype(np.float32) if options.single_precision else X.dtype
        self.weight = None
        if weight is not None or self.total != self.summary.rows:
            given = np.ones(self.n) if weight is None else weight
            scaled = given * (self.summary.rows / self.total)
            self.weight = scaled.astype(self.dtype)[:, None]
        size = self.tuned.stream_batch if settings.batch_size is None else settings.batch_size
        self.source = Rounds(self.n, -(-self.n // min(size, self.n)))

    def units(self):
        """Coordinates and unit of the target from all that has been seen."""
        basis = basis_of_summary(
            self.summary,
            self.dtype,
            self.problem.X.dtype,
            rotate=self.problem.quadratic,
            tuned=self.tuned,
            limits=self.limits,
        )
        moments = self.summary.target_moments(self.problem.Y.dtype)
        return Units.of(basis, moments, self.problem, self.total)

    def prepare(self, units, estimated):
        """The chunk in units of the stream, with the regularization that holds."""
        problem, scaling = units.targets.problem(self.problem), units.scaling
        held = input_of(problem.X, units.basis, self.limits)
        Y = scaling.transform(problem.Y)
        found = estimated

        def estimate():
            nonlocal found
            found = self._estimated(problem, units, held, Y, estimated)
            return found or usual_regularization(self.total, self.tuned)

        regularization, _ = self.options.resolve_regularization(
            self.settings.activity_alpha, estimate
        )
        return Prepared(
            problem=problem,
            frame=Frame(problem, units.basis, scaling),
            input=held,
            row_weights=row_weights(held.norms, units.basis.total_variance, self.dtype),
            Y=np.ascontiguousarray(Y, dtype=self.dtype),
            weight=self.weight,
            total=self.total,
            dtype=self.dtype,
            regularization=regularization,
            estimated=found,
            column_alpha=effective_column_alpha(
                regularization.column_alpha,
                self.total,
                self.summary.rows,
                units.basis.columns.n_varying,
            ),
        )

    def _estimated(self, problem, units, held, Y, estimated):
        """From the noise in a chunk that can tell it, or what was estimated before."""
        tuned = self.tuned
        fresh = units.weight_at == self.total and self.before < tuned.stream_calibrated
        if self.n >= tuned.stream_told and (fresh or estimated is None):
            estimated = self.options.estimate_regularization(
                problem, units.scaling, held.rotated_samples, Y, total=self.total
            )
            if self.n < tuned.stream_told_columns:
                # Fewer rows take a rough function for noise: they do not tell this one.
                usual = usual_regularization(self.total, tuned)
                estimated = estimated._replace(column_alpha=usual.column_alpha)
        return estimated

    def network(self, prepared, V):
        """The layers; the average takes all weights at every step: none may be left for later."""
        largest = max(self.source.sizes)
        return network_of(prepared, V, self.options, largest, may_be_lazy=False)


@dataclass
class Position:
    """Where a stream is when a chunk begins: working copies, which its run changes.

    Attributes
    ----------
    units : Units
    prepared : Prepared
    network : Network
        With the running weights and the last step.
    averages : list of ndarray
        The model.
    dormant : ndarray or None
        Starting weights of columns that are constant so far.
    rng : numpy.random.RandomState or None
        None where nothing will be drawn.
    rng_state : dict or None
        What it is then.
    counts : dict
        ``steps``, ``since_refresh``, ``averaged``, ``fitted`` and ``damping_multiplier``, as in
        :class:`~skmdlam.engine.loop.stream_state.StreamState`.
    followed : dict
        Losses that are compared, see there too.
    """

    units: Units
    prepared: Prepared
    network: object
    averages: list
    dormant: np.ndarray | None
    rng: np.random.RandomState | None
    rng_state: dict | None
    counts: dict
    followed: dict

    def __post_init__(self):
        if self.dormant is not None and self.units.basis.columns.vary.all():
            self.dormant = None


def _begin(chunk, coefs, intercepts, fitted):
    """A new stream, from random weights or from those of a fit."""
    units, warm = chunk.units(), fitted is not None
    estimated = fitted.estimated if warm else None
    if estimated is not None and np.isnan(estimated.ratio):
        estimated = None  # it could not tell
    prepared = chunk.prepare(units, estimated)
    if warm:
        coefs, intercepts = units.targets.inner(coefs, intercepts)
    V = starting_weights(prepared, coefs, intercepts, warm=warm, limits=chunk.limits)
    rng = chunk.settings.rng
    return Position(
        units,
        prepared,
        chunk.network(prepared, V),
        averages=[W.astype(float) for W in V],
        dormant=None if warm else np.asarray(coefs[0], dtype=chunk.dtype),
        rng=np.random.RandomState(0) if rng is None else rng,
        rng_state=None,
        counts={
            "steps": 0,
            "since_refresh": 0,
            "averaged": float(chunk.before),
            "fitted": float(chunk.before),
            "damping_multiplier": 1.0,
        },
        followed=dict(NOTHING_FOLLOWED),
    )


def _resume(chunk, state):
    """Go on from a state, which stays what it is."""
    rng = None
    if chunk.n > 1:  # the order of a single sample draws nothing
        rng = np.random.RandomState(state.rng.get("seed", 0))
        if "seed" not in state.rng:  # of an older version
            rng.set_state(state.rng)
    V, averages, velocities = (
        [layer[name].astype(dtype) for layer in state.layers]
        for name, dtype in (("V", chunk.dtype), ("average", float), ("velocity", chunk.dtype))
    )
    problem, loss = chunk.problem, chunk.problem.loss
    same_loss = state.loss == loss_key(loss)
    # Of many columns no axes are turned, whatever the penalty.
    narrow = chunk.summary.columns.mean.size <= chunk.limits.stream_covariance
    same_axes = state.basis.rotated == (problem.quadratic and narrow)
    grown = chunk.another is not None
    grown = grown or chunk.total >= chunk.tuned.stream_growth * state.weight_at
    same_type = state.basis.dtype == chunk.dtype
    units = Units.of(state.basis, state.target["moments"], problem, state.weight_at)
    if not (same_loss and same_axes and same_type and units.are(state.target)) or grown:
        units = chunk.units()
        settled = chunk.before >= chunk.tuned.stream_unsettled
        for weights in (V, averages, velocities):
            shifted = weights is not velocities
            move(weights, state, units, settled, shifted=shifted, another=chunk.another)
        wake(state, units, V, averages)
    prepared = chunk.prepare(units, state.estimated)
    network = chunk.network(prepared, V)
    for layer, velocity, kept in zip(network.layers, velocities, state.layers, strict=True):
        layer.restore(kept, velocity)
    counts = ("steps", "since_refresh", "averaged", "fitted", "damping_multiplier")
    followed = {name: getattr(state, name) for name in NOTHING_FOLLOWED}
    return Position(
        units,
        prepared,
        network,
        averages,
        state.dormant,
        rng,
        state.rng,
        {name: getattr(state, name) for name in counts},
        followed if same_loss else dict(NOTHING_FOLLOWED),
    )


def _run(chunk, position, clock):
    """The run of a chunk."""
    tuned, prepared = chunk.tuned, position.prepared
    terms = Terms.of(prepared, tuned.column_floor)
    rhythm = StreamRhythm(
        tuned.stream_refresh_first, tuned.stream_observe_every, tuned.stream_refresh_every
    )
    step = StreamStep(chunk, position, terms, rhythm)
    largest = max(chunk.source.sizes)
    objective = LayerObjective(
        position.network, prepared, terms, largest, all_samples=True, limits=chunk.limits
    )
    judge = RunningAverage(position, step, objective, tuned)
    return StreamRun(chunk, position, step, judge, clock)


class StreamRun(ComposedRun):
    """A run of one record, which leaves a state for the run of the next chunk.

    Parameters
    ----------
    chunk : Chunk
    position : Position
    step : StreamStep
    judge : RunningAverage
    clock : float
    """

    def __init__(self, chunk, position, step, judge, clock):
        super().__init__(
            chunk.source,
            step,
            WarmUp(step.steps, chunk.tuned),
            judge,
            judge.before_learning,
            position.rng,
            clock,
            regularization=position.prepared.regularization,
            estimated=position.prepared.estimated,
        )
        self._chunk, self._position, self._seed = chunk, position, None

    def __next__(self):
        if not self.iteration:
            with np.errstate(all="ignore"):
                self.judge.look_ahead()
            self.source.rounds = self.judge.set_rounds()
        return super().__next__()

    def weights(self):
        return self._position.units.targets.outer(*super().weights())

    def _next_seed(self):
        """What the generator of the next chunk begins with: a number in place of 624."""
        if self._seed is None:  # the same one each time
            self._seed = int(self._position.rng.randint(np.iinfo(np.int32).max))
        return {"seed": self._seed}

    def state(self):
        """What the run of the next chunk needs, in arrays and numbers."""
        chunk, position, step, judge = self._chunk, self._position, self.step, self.judge
        units = position.units
        target = {"moments": tuple(units.moments), "shift": units.shift, "scale": units.scale}
        compact, summary = chunk.limits.stream_compact, chunk.summary
        layers = [layer.as_arrays() for layer in position.network.layers]
        if compact:
            # The average is what the user has, up to rounding: then files hold it once.
            averages = inner_weights(units.basis, target, *self.weights())
            layers = [*map(compact_layer, layers, averages)]
            summary = summary.compact()
        else:
            layers = [
                layer | {"average": average}
                for layer, average in zip(layers, judge.averages, strict=True)
            ]
        rng = position.rng_state
        if position.rng is not None:
            rng = self._next_seed() if compact else position.rng.get_state(legacy=False)
        return StreamState(
            summary=summary,
            basis=units.basis,
            target=target,
            loss=loss_key(chunk.problem.loss),
            layers=layers,
            dormant=position.dormant,
            rng=rng,
            estimated=position.prepared.estimated,
            weight_at=units.weight_at,
            steps=step.steps,
            since_refresh=step.since_refresh,
            averaged=step.averaged,
            fitted=step.fitted,
            damping_multiplier=step.damping_multiplier,
            **judge.followed,
        ).as_arrays()
