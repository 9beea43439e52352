"""A run of mini-batches: its data, prepared once, and which parts it is made of."""

import time

import numpy as np

from .device.inputs import DeviceData, DeviceShuffled, rows_on
from .device.numerics import numerics_for
from .device.objective import DeviceObjective, StartOnDevice
from .device.step import DeviceStep
from .frame import Frame
from .inputs.decompositions import basis_of, input_of, row_weights
from .loop.judges import KeepBest
from .loop.run import ComposedRun
from .loop.schedules import PlateauSchedule
from .loop.side_by_side import StackedRuns, side_by_side
from .loop.sources import Shuffled
from .moments import Columns, column_moments
from .network import Prepared, network_of, starting_weights
from .objective import LayerObjective, StackedObjective, Terms
from .options import first_given
from .preconditioners import rhythm_of
from .regularization import effective_column_alpha
from .stacks import StackedNetwork
from .start import finite_start
from .steps.layerwise import LayerwiseStep
from .steps.penalty_block import PenaltyBlock
from .steps.stacked import StackedStep
from .tails import tails_for


def mini_batch_run(options, problem, coefs, intercepts, settings):
    """Shuffled batches, layerwise steps, a plateau schedule, and the best epoch kept.

    Parameters
    ----------
    options : Feasible
    problem : Problem
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed.
    settings : Settings

    Returns
    -------
    run : ComposedRun
    """
    return mini_batch_runs(options, problem, [(coefs, intercepts)], settings)


def mini_batch_runs(options, problem, starts, settings):
    """Mini-batches of one network or several, which see the same batches, as one run.

    Steps of dense samples are stacked.

    Parameters
    ----------
    options, problem, settings
        As for :func:`mini_batch_run`.
    starts : list of (coefs, intercepts)
        Starting weights of each network.

    Returns
    -------
    run : ComposedRun or SideBySide
    """
    if options.device is not None:
        numerics = numerics_for(options.device)
        return DeviceBatches(numerics, options, problem, settings).runs(starts)
    batches = MiniBatches(options, problem, settings)
    if len(starts) == 1 or not (batches.prepared.input.dense and problem.activations):
        return side_by_side(batches.run, starts, batches.rng, batches.clock)
    runs = [batches.run(*start, None) for start in starts]
    network = StackedNetwork([run.step.network for run in runs])
    step = StackedStep(network, [run.step for run in runs])
    objective = StackedObjective(network, runs[0].objective, options.constants.limits)
    return StackedRuns(runs, step, objective, batches.rng, batches.clock)


class MiniBatches:
    """What runs of mini-batches on the same problem share, and the parts that they are made of.

    Parameters
    ----------
    options, problem, settings
        As for :func:`mini_batch_run`.
    whole : Totals or None, default=None
        Sums over all samples, where those of the problem are a part of them.
    """

    def __init__(self, options, problem, settings, whole=None):
        self.clock = time.perf_counter()
        self.options, self.settings = options, settings
        self.rng = np.random.RandomState(0) if settings.rng is None else settings.rng
        n = problem.X.shape[0] if whole is None else whole.n
        size, self.source, self.largest = self.batches(n)
        single = options.single_precision and self.source.n_batches > 1
        self.prepared = prepare(problem, options, settings, self.rng, single=single, whole=whole)
        self.rho = options.rho_within_range(settings.rho, options.auto_rho(n, size))

    def batches(self, n):
        """The usual size of a batch of n samples, where batches come from, and the largest size."""
        size = min(n, first_given(self.settings.batch_size, self.options.auto_batch_size(n)))
        source = Shuffled(n, -(-n // size))
        return size, source, max(source.sizes)

    step = LayerwiseStep

    def objective(self, network, terms):
        """J of a network."""
        constants = self.options.constants
        return LayerObjective(
            network,
            self.prepared,
            terms,
            self.largest,
            tuned=constants.tuned,
            limits=constants.limits,
        )

    def factors(self, schedule):
        """The schedule that a run asks for the factors of its steps."""
        return schedule

    def run(self, coefs, intercepts, rng):
        """A run from these weights; the generator is for the order of its samples."""
        options, settings, prepared = self.options, self.settings, self.prepared
        tuned, limits = options.constants.tuned, options.constants.limits
        source, problem = self.source, self.prepared.problem
        largest = self.largest
        V = starting_weights(prepared, coefs, intercepts, warm=settings.warm, limits=limits)
        network = network_of(prepared, V, options, largest)
        if not prepared.frame.coordinates.columns.vary.any():
            # Samples all alike: what seems to vary in the inputs of hidden layers are their steps.
            for layer in network.above:
                layer.preconditioner.least_spread = 1.0
        terms = Terms.of(prepared, tuned.column_floor)
        step = self.step(
            network,
            prepared,
            PenaltyBlock(terms, limits.fista, tuned.penalty_ramp),
            rhythm_of(V, tuned),
            self.rho,
        )
        objective = self.objective(network, terms)
        last = network.layers[-1].V
        with np.errstate(all="ignore"):
            start = finite_start(
                lambda: objective().objective, lambda: np.multiply(last, 0.25, out=last)
            )
        judge = KeepBest(network, prepared.frame, tuned)
        given = coefs if settings.warm else prepared.frame.outer(network.weights)[0]
        # J is infinite outside of constraints, where random weights are.
        if np.isfinite(start + sum(problem.penalty_value(W) for W in given)):
            judge.begin(start)
        schedule = _schedule(options, prepared, source.n_batches, settings)
        return ComposedRun(
            source,
            step,
            self.factors(schedule),
            judge,
            objective,
            rng,
            self.clock,
            max_sweeps=min(schedule.epochs + schedule.cool_down_epochs, settings.max_iter),
            objective_unit=prepared.frame.unit,
            regularization=prepared.regularization,
            estimated=prepared.estimated,
            moments=prepared.moments,
        )


class DeviceBatches(MiniBatches):
    """The same where the samples, the steps and the passes for J are on a device.

    What is counted and judged after an epoch is on the host as before.

    Parameters
    ----------
    numerics : Numerics
        Of the device.
    options, problem, settings
        As for :func:`mini_batch_run`.
    """

    def __init__(self, numerics, options, problem, settings):
        super().__init__(options, problem, settings)
        f = numerics
        self.data = DeviceData(f, self.prepared, rows_on(f, self.prepared))
        self.source = DeviceShuffled(f, self.source)

    def objective(self, network, terms):
        return StartOnDevice(self.data, super().objective(network, terms))

    def runs(self, starts):
        """Runs from these starts, as one."""
        runs = [self.run(*start, None) for start in starts]
        step = DeviceStep(self.data, [run.step for run in runs])
        objective = DeviceObjective(self.data, step)
        return StackedRuns(runs, step, objective, self.rng, self.clock)


def prepare(problem, options, settings, rng, *, single, whole=None):
    """The problem in the units of a run, with its regularization.

    Parameters
    ----------
    problem : Problem
    options : Feasible
    settings : Settings
    rng : numpy.random.RandomState
        For a sketch of wide data.
    single : bool
        Whether steps are in single precision.
    whole : Totals or None, default=None
        Sums over all samples, where those of the problem are a part of them.

    Returns
    -------
    prepared : Prepared
    """
    X, n, rows = problem.X, problem.X.shape[0], problem.rows
    total, n_all = (rows.total, n) if whole is None else (whole.total, whole.n)
    limits = options.constants.limits
    X = X.tocsr() if problem.sparse else X
    dtype = np.dtype(np.float32) if single else X.dtype
    normalized = rows.normalized()
    weight = None
    if problem.sample_weight is not None:
        weight = (normalized * n).astype(dtype)[:, None]
    scaling = problem.loss_scaling() if whole is None else whole.scaling(problem)
    Y = scaling.transform(problem.Y)

    moments = column_moments(X, normalized) if whole is None else whole.moments
    columns = Columns.of(*moments, total, n_all, X.dtype, limits)
    tails = tails_for(problem, columns, options.constants)
    tail_weight = variance_weight = None
    if tails is not None:
        columns, normalized = tails.centered(columns), tails.reweighted(normalized)
        tail_weight = tails.weights.astype(dtype)[:, None]
        variance_weight = (normalized * n).astype(dtype)[:, None]
    basis = basis_of(X, columns, normalized, dtype, rng, rotate=problem.quadratic, limits=limits)
    held = input_of(X, basis, limits)

    def samples(rows):
        """Samples that tell the noise."""
        if tails is None:
            return held.rotated_samples(rows)
        near = input_of(tails.pulled_in(X[rows]), basis, limits)
        return near.rotated_samples(np.arange(len(rows)))

    def estimate():
        if whole is None:
            return options.estimate_regularization(problem, scaling, samples, Y)
        # Noise is a share of a spread, whose unit the targets that tell it must have.
        told = problem.loss_scaling()
        shown = told.transform(problem.Y)
        return options.estimate_regularization(problem, told, samples, shown, total=total)

    regularization, estimated = options.resolve_regularization(
        settings.activity_alpha, estimate, schedule=True
    )
    return Prepared(
        problem=problem,
        frame=Frame(problem, basis, scaling),
        input=held,
        row_weights=row_weights(held.norms, float(normalized @ held.norms), dtype),
        Y=Y.astype(dtype, copy=False),
        weight=weight,
        total=total,
        dtype=dtype,
        regularization=regularization,
        estimated=estimated,
        column_alpha=effective_column_alpha(
            regularization.column_alpha, total, n_all, columns.n_varying
        ),
        moments=moments,
        tails=tails,
        tail_weight=tail_weight,
        variance_weight=variance_weight,
    )


def _schedule(options, prepared, n_batches, settings):
    """As long as epochs gain: a long one, or one on noisy targets, has to gain at once."""
    tuned, ratio = options.constants.tuned, prepared.regularization.ratio
    noisy, clear = ratio >= tuned.noisy, ratio < tuned.noisy
    # An epoch of one batch is one step: half as many of them would be too few.
    usual = tuned.cool_down // 2 if noisy and n_batches > 1 else tuned.cool_down
    # An epoch of many samples is many steps: a few of them are a long cool-down.
    least = min(usual, max(tuned.fewest_epochs, tuned.cool_down_steps // n_batches))
    patience = 2 * tuned.patience if clear else tuned.patience
    return PlateauSchedule(
        epochs=first_given(options.epochs, tuned.epochs),
        cool_down_epochs=first_given(options.cool_down, usual),
        least_cool_down=first_given(options.cool_down, least),
        longest=settings.max_iter,
        patience=first_given(
            options.patience,
            max(tuned.least_patience, min(patience, tuned.patient_steps // n_batches)),
        ),
        tol=settings.tol,
        stall=settings.n_iter_no_change,
        tuned=tuned,
    )
