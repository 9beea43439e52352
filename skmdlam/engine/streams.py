"""The default solver on a stream: chunk by chunk, and averages that may be used any time.

What a run of mini-batches learns from all samples before its first step, a stream has to learn on
its way: means, spreads and covariances of the inputs and the unit of the targets, merged exactly
from chunk to chunk. What the cool-down does at the end of a fit, an average of the weights over the
latest part of the stream does at any time.
"""

import time

import numpy as np

from .frame import Frame
from .inputs.decompositions import input_of, row_weights
from .inputs.stored import basis_of_summary
from .loop.run import ComposedRun
from .loop.running_average import NOTHING_FOLLOWED, RunningAverage
from .loop.schedules import WarmUp
from .loop.sources import Rounds
from .loop.stream_state import StreamState, known_of, loss_key
from .network import Prepared, network_of, starting_weights
from .objective import LayerObjective, Terms
from .preconditioners import RunningPreconditioner, StreamRhythm
from .regularization import USUAL_REGULARIZATION
from .steps.stream_step import StreamStep
from .summary import DataSummary


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
    known = known_of(known)
    state = known if isinstance(known, StreamState) else None
    before = known.summary if state else known
    chunk = Chunk(options, problem, before, settings)
    if state:
        chunk.resume(state)
    else:
        chunk.begin(coefs, intercepts, before)
    return chunk.run(clock)


class Chunk:
    """A chunk on its way into a stream: makes the parts of its run.

    Parameters
    ----------
    options : Feasible
    problem : Problem
    before : DataSummary or None
    settings : Settings
    """

    def __init__(self, options, problem, before, settings):
        self.options, self.problem, self.settings = options, problem, settings
        self.tuned, self.limits = options.constants.tuned, options.constants.limits
        X, weight = problem.X, problem.sample_weight
        found = DataSummary.of(X, problem.Y, weight, joint=True, limits=self.limits)
        self.summary = found if before is None else before + found
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

    # -- where it begins ------------------------------------------------------------------------

    def begin(self, coefs, intercepts, fitted):
        """A new stream, from random weights or from those of a fit."""
        self._renew_units()
        estimated = None if fitted is None else fitted.estimated
        if estimated is not None and np.isnan(estimated.ratio):
            estimated = None  # it could not tell
        self.dormant = None if fitted is not None else np.asarray(coefs[0], dtype=self.dtype)
        warm = fitted is not None
        prepared = self._prepare(estimated)
        V = starting_weights(prepared, coefs, intercepts, warm=warm, limits=self.limits)
        self.prepared, self.network = prepared, self._network(prepared, V)
        rng = self.settings.rng
        self.rng, self.rng_state = np.random.RandomState(0) if rng is None else rng, None
        self.averages = [W.astype(float) for W in V]
        self.at = {"averaged": float(self.before), "fitted": float(self.before)}
        self.steps = self.since_refresh = 0

    def resume(self, state):
        """Go on from a state, which stays what it is."""
        self.rng, self.rng_state = None, state.rng
        if self.n > 1:  # the order of a single sample draws nothing
            self.rng = np.random.RandomState(0)
            self.rng.set_state(state.rng)
        V, self.averages, velocities = (
            [layer[name].copy() for layer in state.layers] for name in ("V", "average", "velocity")
        )
        names = ("averaged", "fitted", "damping_multiplier", *NOTHING_FOLLOWED)
        self.at = {name: getattr(state, name) for name in names}
        self.steps, self.since_refresh = state.steps, state.since_refresh
        self.dormant, self.weight_at = state.dormant, state.weight_at
        same_loss = state.loss == loss_key(self.problem.loss)
        if not same_loss:
            self.at |= NOTHING_FOLLOWED
        # Of many columns no axes are turned, whatever the penalty.
        narrow = self.summary.columns.mean.size <= self.limits.stream_covariance
        same_axes = state.basis.rotated == (self.problem.quadratic and narrow)
        grown = self.total >= self.tuned.stream_growth * state.weight_at
        if same_loss and same_axes and not grown:
            self.basis, self.moments = state.basis, state.target["moments"]
            self.scaling = self.problem.loss.scaled(*self.moments)
        else:
            self._renew_units()
            self._move(state, V, self.averages, velocities)
        self.prepared = self._prepare(state.estimated)
        self.network = self._network(self.prepared, V)
        for layer, velocity, kept in zip(
            self.network.layers, velocities, state.layers, strict=True
        ):
            layer.velocity, layer.accumulated = velocity, np.float64(kept["accumulated"])
            layer.limit.usual, layer.limit.count = kept["usual"], kept["count"]
            if layer.preconditioner is not None:
                layer.preconditioner = RunningPreconditioner.from_arrays(kept["preconditioner"])

    def _renew_units(self):
        """Coordinates and unit of the target from all that has been seen."""
        self.basis = basis_of_summary(
            self.summary,
            self.dtype,
            self.problem.X.dtype,
            rotate=self.problem.quadratic,
            tuned=self.tuned,
            limits=self.limits,
        )
        self.moments = self.summary.target_moments()
        self.scaling = self.problem.loss.scaled(*self.moments)
        self.weight_at = self.total

    def _move(self, state, V, averages, velocities):
        """Weights in the old coordinates and units become weights in the new ones."""
        settled = self.before >= self.tuned.stream_unsettled
        scale, shift = state.target["scale"], state.target["shift"]
        for weights in (V, averages, velocities):
            weights[0] = self._moved(weights[0], state.basis, keep_function=settled)
            if settled:
                weights[-1] *= scale / self.scaling.scale
                if weights is not velocities:
                    step = (shift - self.scaling.shift) / self.scaling.scale
                    weights[-1][-1] += step.astype(weights[-1].dtype)
        fresh = self.basis.columns.vary & ~state.basis.columns.vary
        if self.dormant is not None and fresh.any():
            # The later a column comes to life, the less is its random start worth to the others.
            alive = (1.0 - state.weight_at / self.total) * self.dormant
            W = np.where(fresh[:, None], alive, 0.0)
            woken = self.basis.contract(W, np.zeros(W.shape[1]), standard=True)
            V[0] += woken.astype(self.dtype)
            averages[0] += woken

    def _moved(self, V, old, *, keep_function):
        """Weights of the first layer for the new coordinates from those for old ones.

        Either the function stays or, where a spread told from a few samples may be wrong by far,
        what standardized columns weigh.
        """
        W, b = old.expand(V)
        if keep_function:
            return self.basis.contract(W, b).astype(V.dtype)
        new_std, old_std = self.basis.columns.std, old.columns.std
        ratio = np.zeros_like(new_std)
        np.divide(old_std, new_std, out=ratio, where=new_std > 0)
        moved = self.basis.contract(W * ratio[:, None], b).astype(V.dtype)
        moved[-1] = V[-1]
        return moved

    # -- parts ----------------------------------------------------------------------------------

    def _prepare(self, estimated):
        """The chunk in the units of the stream, with the regularization that holds."""
        problem, scaling = self.problem, self.scaling
        held = input_of(problem.X, self.basis, self.limits)
        Y = scaling.transform(problem.Y)
        prepared = Prepared(
            problem,
            Frame(problem, self.basis, scaling),
            held,
            row_weights(held.norms, self.basis.total_variance, self.dtype),
            np.ascontiguousarray(Y, dtype=self.dtype),
            self.weight,
            self.n,
            self.dtype,
            self.total,
        )
        prepared.estimated = estimated

        def estimate():
            prepared.estimated = self._estimated(held, Y, prepared.estimated)
            return prepared.estimated or USUAL_REGULARIZATION

        regularization, _ = self.options.resolve_regularization(
            self.settings.activity_alpha, estimate
        )
        prepared.regularize(regularization, self.summary.rows)
        return prepared

    def _estimated(self, held, Y, estimated):
        """From the noise in a chunk that can tell it, or what was estimated before."""
        tuned = self.tuned
        fresh = self.weight_at == self.total and self.before < tuned.stream_calibrated
        if self.n >= tuned.stream_told and (fresh or estimated is None):
            estimated = self.options.estimate_regularization(
                self.problem, self.scaling.loss, held.rotated_samples, Y, total=self.total
            )
            if self.n < tuned.stream_told_columns:
                # Fewer rows take a rough function for noise: they do not tell this one.
                estimated = estimated._replace(column_alpha=USUAL_REGULARIZATION.column_alpha)
        return estimated

    def _network(self, prepared, V):
        # The average takes all weights at every step: none of them may be left for later.
        largest = max(self.source.sizes)
        return network_of(prepared, V, self.options, largest, may_be_lazy=False)

    def run(self, clock):
        """The run."""
        tuned, prepared, network = self.tuned, self.prepared, self.network
        if self.dormant is not None and self.basis.columns.vary.all():
            self.dormant = None
        alpha, column_alpha = prepared.regularization.activity_alpha, prepared.column_alpha
        terms = Terms(prepared.frame, self.total, alpha, column_alpha)
        rhythm = StreamRhythm(
            tuned.stream_refresh_first, tuned.stream_observe_every, tuned.stream_refresh_every
        )
        sizes = self.source.sizes
        step = StreamStep(self, terms, rhythm, sizes)
        objective = LayerObjective(
            network, prepared, terms, max(sizes), all_samples=True, limits=self.limits
        )
        judge = RunningAverage(self, step, objective)
        return StreamRun(
            self.source,
            step,
            WarmUp(self.steps, tuned),
            judge,
            judge.before_learning,
            self.rng,
            clock,
            regularization=prepared.regularization,
            estimated=prepared.estimated,
            chunk=self,
        )

    def state(self, step, judge):
        """What the run of the next chunk needs."""
        prepared, scaling = self.prepared, self.scaling
        layers = [
            {
                "V": layer.V,
                "average": average,
                "velocity": layer.velocity,
                "accumulated": float(layer.accumulated),
                "usual": layer.limit.usual,
                "count": layer.limit.count,
                "preconditioner": layer.preconditioner and layer.preconditioner.as_arrays(),
            }
            for layer, average in zip(self.network.layers, judge.averages, strict=True)
        ]
        rng = self.rng_state if self.rng is None else self.rng.get_state(legacy=False)
        return StreamState(
            summary=self.summary,
            basis=self.basis,
            target={
                "moments": self.moments,
                "shift": scaling.shift,
                "scale": scaling.scale,
            },
            loss=loss_key(self.problem.loss),
            layers=layers,
            dormant=self.dormant,
            rng=rng,
            estimated=prepared.estimated,
            weight_at=self.weight_at,
            steps=step.steps,
            since_refresh=step.since_refresh,
            averaged=step.averaged,
            fitted=step.fitted,
            damping_multiplier=step.damping_multiplier,
            **judge.followed,
        )


class StreamRun(ComposedRun):
    """A run of one record, which leaves a state for the run of the next chunk."""

    def __next__(self):
        if not self.iteration:
            with np.errstate(all="ignore"):
                self.judge.look_ahead()
            self.source.rounds = self.judge.set_rounds()
        return super().__next__()

    def state(self):
        """What the run of the next chunk needs."""
        return self.chunk.state(self.step, self.judge).as_arrays()
