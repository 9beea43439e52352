"""Tuned numbers of the engine: their unit, what they trade, and the benchmark that fitted them.

``Tuned`` numbers change the answer. ``Limits`` decide about memory and time, and change the answer
by rounding or by a sampling error. What is handed to a solver (``Feasible(constants=...)``) is used
in place of the defaults, so that a test or a benchmark varies a number without touching the
package::

    Feasible(constants=replace(CONSTANTS, limits=replace(LIMITS, small=1)))

What only keeps rounding at bay (floors, multiples of the machine precision), and numbers that are
part of a formula with a source (Glorot's bounds, LSUV's spreads, the 2 of the tempered metric),
stand beside the code that they belong to. The sizes of blocks that stay in the cache are the
defaults everywhere.
"""

from dataclasses import dataclass, field

_TABLES = "benchmarks/tabular.py"
_ENCODING = "benchmarks/encoding.py"
_RAW = "benchmarks/raw_tables.py"
_STRENGTHS = "benchmarks/strengths.py"
_COUNTS = "benchmarks/counts.py"
_PRICES = "benchmarks/prices.py"
_STREAM = "benchmarks/stream.py"
_FULL = "benchmarks/full_batch.py"
_DEEP = "benchmarks/deep.py"
_IMAGES = "benchmarks/images.py"
_UNITS = "benchmarks/units.py"
_SCALING = "benchmarks/scaling.py"
_ROBUST = "benchmarks/robustness.py"
_NETWORKS = "benchmarks/several_networks.py"
_SCALE = "benchmarks/scale.py"
_UNCERTAINTY = "benchmarks/uncertainty.py"


def _number(value, unit, trades, fitted_by):
    return field(default=value, metadata={"unit": unit, "trades": trades, "fitted_by": fitted_by})


@dataclass(frozen=True)
class Tuned:
    """Numbers that change the answer."""

    # -- steps of mini-batches ------------------------------------------------------------------
    rho: float = _number(45.0, "1, at 100 samples a batch", "noise of a batch, speed", _TABLES)
    rho_power: float = _number(0.58, "power of 100 / batch", "noise of a batch, speed", _TABLES)
    rho_range: float = _number(8.0, "factor", "what a user may ask for, lost epochs", _TABLES)
    batch_tiny: int = _number(64, "samples", "one batch up to here: noise, steps", _TABLES)
    batch_few: int = _number(500, "samples", "below it batches are a share", _TABLES)
    batch_many: int = _number(2000, "samples", "from it on batches are larger", _TABLES)
    batch_share: int = _number(5, "batches", "of fewer than 500 samples: noise, steps", _TABLES)
    batch_least: int = _number(20, "samples", "noise, steps", _TABLES)
    batch_small: int = _number(100, "samples", "of fewer than 2,000: noise, time", _TABLES)
    batch_usual: int = _number(200, "samples", "noise, time", _TABLES)
    hidden_gain: float = _number(3.0, "factor", "speed, stability of hidden layers", _TABLES)
    flat_gain: float = _number(10.0, "factor", "the same for small slopes", _DEEP)
    damping: float = _number(0.1, "mean variance, a layer", "speed, stability in depth", _DEEP)
    least_damping: float = _number(0.2, "mean variance", "speed, stability", _TABLES)
    largest_decrease: float = _number(9.0, "usual decreases", "outliers, speed", _TABLES)
    decreases_known: int = _number(5, "steps", "outliers at the start", _TABLES)
    decrease_memory: float = _number(0.02, "weight of a step", "outliers, adaptation", _TABLES)
    warm_up: int = _number(20, "steps", "a start without averages, time", _TABLES)
    memory: float = _number(0.05, "weight of a batch", "noise of moments, adaptation", _TABLES)
    observe_first: int = _number(4, "steps", "time, moments at the start", _TABLES)
    observe_every: int = _number(8, "steps", "time, adaptation", _TABLES)
    refresh_every: int = _number(40, "steps", "time, adaptation", _TABLES)
    usual_width: int = _number(200, "inputs", "time of wide layers, adaptation", _SCALING)
    penalty_ramp: int = _number(10, "epochs", "sparsity, weights lost for good", _STRENGTHS)
    # -- schedule and safeguard -----------------------------------------------------------------
    epochs: int = _number(150, "epochs", "time, fit", _TABLES)
    cool_down: int = _number(30, "epochs", "time, fit", _TABLES)
    patience: int = _number(5, "epochs", "time and noise, fit", _TABLES)
    patient_steps: int = _number(1500, "steps", "time of many samples, fit", _SCALING)
    least_patience: int = _number(3, "epochs", "time of many samples, fit", _SCALING)
    cool_down_steps: int = _number(5000, "steps", "time of many samples, fit", _SCALING)
    fewest_epochs: int = _number(5, "epochs", "time, fit of many samples", _SCALING)
    noisy: float = _number(0.25, "noise / process", "noise, fit", _STRENGTHS)
    stalled: float = _number(0.01, "share of the loss", "time, fit", _TABLES)
    kept_for_cool_down: float = _number(0.3, "share of max_iter", "few epochs: fit", _TABLES)
    smallest_step: float = _number(0.02, "of the full step", "time, fit", _TABLES)
    worst_rise: float = _number(1.5, "best J", "safety, exploration", _ROBUST)
    # -- J of many samples ----------------------------------------------------------------------
    all_measured: int = _number(10_000, "samples", "time, error of J", _SCALING)
    measured: int = _number(5000, "samples", "time, error of J", _SCALING)
    measured_share: float = _number(1 / 16, "share of the samples", "time, error of J", _SCALING)
    # -- penalties of J and their strengths -----------------------------------------------------
    column_floor: float = _number(0.1, "squared weight", "useless columns, useful ones", _STRENGTHS)
    activity: float = _number(1.0, "samples", "noise, bias", _STRENGTHS)
    depth_straight: float = _number(3.2, "hidden layers", "bias of deep relu nets", _DEEP)
    depth_curved: float = _number(0.1, "a hidden layer", "bias of curved nets", _DEEP)
    least_curved: float = _number(0.3, "factor", "bias of curved nets", _DEEP)
    column: float = _number(2.5, "samples", "useless columns, useful ones", _STRENGTHS)
    column_ratio_power: float = _number(2.0, "power of the ratio", "the same", _STRENGTHS)
    column_size_power: float = _number(0.2, "power of n / 1000", "the same", _STRENGTHS)
    column_dispersion_power: float = _number(0.5, "power of the dispersion", "counts", _STRENGTHS)
    upper_dispersion_power: float = _number(1 / 3, "power of the dispersion", "counts", _COUNTS)
    least_column: float = _number(0.75, "samples", "the same", _STRENGTHS)
    largest_ratio: float = _number(1.0, "noise / process", "the same", _STRENGTHS)
    largest_size: float = _number(1e4, "samples", "the same", _STRENGTHS)
    upper: float = _number(2.0, "sqrt(samples)", "noise, bias", _STRENGTHS)
    input_price: float = _number(2.0, "V share / curvature", "useless inputs, useful ones", _PRICES)
    unit_price: float = _number(0.1, "V share / curvature", "units, fit", _PRICES)
    largest_upper_ratio: float = _number(3.0, "noise / process", "noise, bias", _STRENGTHS)
    largest_upper_size: float = _number(2000.0, "samples", "noise, bias", _STRENGTHS)
    usual_ratio: float = _number(0.06, "noise / process", "noise, bias", _STRENGTHS)
    usual_share: float = _number(0.2, "share of noise", "noise, bias", _STRENGTHS)
    noise_samples: int = _number(400, "samples", "time, error of the noise", _STRENGTHS)
    most_noise_samples: int = _number(1000, "samples", "time, error of the noise", _STRENGTHS)
    noise_class_samples: int = _number(8, "samples", "error of the noise, classes", _STRENGTHS)
    noise_every: int = _number(20, "samples of n", "time, error of the noise", _STRENGTHS)
    noise_blocks: int = _number(3, "blocks", "time, error of the noise", _STRENGTHS)
    kernel_constant: float = _number(0.25, "mean square input", "prior of the noise", _STRENGTHS)
    outlier: float = _number(1.345, "deviations", "outliers, noise", _ROBUST)
    tail_quantile: float = _number(0.9, "share of a column", "far samples, others", _ROBUST)
    tail_factor: float = _number(3.0, "quantiles", "far samples, others", _ROBUST)
    tail_least: int = _number(30, "values of a column", "far samples, chance", _ROBUST)
    outlier_rounds: int = _number(5, "rounds", "outliers, time", _ROBUST)
    # -- encoded columns ------------------------------------------------------------------------
    encoded_rows: int = _number(100, "samples", "curves, noise of few samples", _ENCODING)
    encoded_columns: int = _number(500, "columns", "curves, time", _ENCODING)
    few_pieces: int = _number(8, "pieces", "curves, time", _ENCODING)
    many_pieces: int = _number(16, "pieces", "curves, time", _ENCODING)
    pieces_gain: float = _number(0.04, "log error over log n", "curves, noise", _ENCODING)
    pieces_price: float = _number(5.0, "log error, times n / columns", "curves, noise", _ENCODING)
    pieces_samples: int = _number(200, "samples", "time, error of the choice", _ENCODING)
    pieces_blocks: int = _number(6, "blocks", "time, error of the choice", _ENCODING)
    pieces_contested: int = _number(800, "samples", "time, error of the choice", _ENCODING)
    pieces_behind: float = _number(0.1, "log error", "time, error of the choice", _ENCODING)
    few_levels: int = _number(10, "levels", "columns of rare levels, noise", _RAW)
    level_rows: int = _number(200, "samples", "a column for a level, noise", _RAW)
    rare_levels: float = _number(0.05, "share of the samples", "scores of levels, time", _RAW)
    one_hot_rows: float = _number(0.8, "share of the samples", "categories by hand, chance", _RAW)
    level_folds: int = _number(5, "folds", "bias of scores, time", _RAW)
    level_rounds: int = _number(2, "rounds", "scores of levels, time", _RAW)
    level_rounds_link: int = _number(1, "rounds", "the same for losses with a link", _RAW)
    ties_levels: int = _number(300, "values of a column", "numbers that are levels, time", _RAW)
    ties_samples: int = _number(10, "samples a value", "the same, noise", _RAW)
    ties_columns: int = _number(4, "columns", "time, numbers that are levels", _RAW)
    ties_rows: int = _number(20_000, "samples", "time, numbers that are levels", _RAW)
    ties_ridge: float = _number(0.01, "mean eigenvalues", "linear models, noise", _RAW)
    ties_looked_at: float = _number(0.5, "of level_gain", "time, numbers that are levels", _RAW)
    ties_jumps: int = _number(4, "jumps of a curve", "steps, numbers that are levels", _RAW)
    slope_gain: float = _number(0.1, "share of the residual", "slopes of levels, noise", _RAW)
    level_gain: float = _number(0.01, "share of the residual", "useless categories", _RAW)
    level_doubt: float = _number(0.15, "share of the residual", "the same, time", _RAW)
    level_outputs: int = _number(4, "scores of a category", "classes, noise", _RAW)
    level_samples: int = _number(10_000, "samples", "time, scores of levels", _RAW)
    stream_beyond: float = _number(50.0, "cells", "drift, curves that are settled", _STREAM)
    stream_beyond_usual: float = _number(0.02, "share of the rows", "the same", _STREAM)
    stream_sample: int = _number(400, "samples", "memory of streams, knots", _STREAM)
    # -- what is off in samples that were left out ----------------------------------------------
    left_out_folds: int = _number(4, "folds", "time, bias of the errors", _UNCERTAINTY)
    left_out_folds_few: int = _number(10, "folds", "the same, of few samples", _UNCERTAINTY)
    left_out_few: int = _number(2000, "samples", "fewer of them are few", _UNCERTAINTY)
    std_samples: int = _number(50, "samples", "one std for all below, noise", _UNCERTAINTY)
    std_rows: int = _number(20_000, "samples", "time, noise of the std", _UNCERTAINTY)
    std_alpha: float = _number(400.0, "samples", "noise of the std, its shape", _UNCERTAINTY)
    std_floor: float = _number(1e-4, "mean squares", "errors that are zero, shape", _UNCERTAINTY)
    std_outlier_any: float = _number(30.0, "std of all", "outliers, shape", _UNCERTAINTY)
    std_outlier: float = _number(6.0, "std", "outliers, shape", _UNCERTAINTY)
    std_tail: float = _number(0.005, "share of samples", "std far from samples", _UNCERTAINTY)
    std_remains: float = _number(0.2, "share", "std where networks differ a lot", _UNCERTAINTY)
    std_spread_rows: int = _number(2000, "samples", "time, gain of a mean", _UNCERTAINTY)
    temperature_errors: float = _number(2.0, "standard errors", "gain, chance", _UNCERTAINTY)
    temperature_doubt: float = _number(1.0, "samples", "sure of few samples", _UNCERTAINTY)
    temperature_range: float = _number(2.0, "log T", "separable classes, log-loss", _UNCERTAINTY)
    # -- the full batch -------------------------------------------------------------------------
    full_batch_rows: int = _number(5000, "samples", "time, fit", _TABLES)
    full_batch_columns: int = _number(500, "columns", "time, fit", _TABLES)
    full_batch_numbers: float = _number(1.5e5, "numbers of encoded X", "time, fit", _ENCODING)
    full_batch_sweeps: int = _number(50, "sweeps", "time, fit", _TABLES)
    damping_in: float = _number(0.1, "mean eigenvalue", "speed, refused steps", _FULL)
    damping_out: float = _number(1.0, "mean eigenvalue", "speed, refused steps", _FULL)
    curvature_share: float = _number(0.85, "share", "speed", _FULL)
    renew_every: int = _number(10, "sweeps", "time, speed", _FULL)
    free_sweeps: int = _number(10, "sweeps", "useful columns, time", _FULL)
    secant_pairs: int = _number(10, "pairs", "memory, speed", _FULL)
    # -- streams --------------------------------------------------------------------------------
    stream_batch: int = _number(25, "samples", "noise, steps", _STREAM)
    stream_usual_batch: int = _number(100, "samples", "memory of the averages", _STREAM)
    stream_observe_every: int = _number(4, "steps", "time, adaptation", _STREAM)
    stream_refresh_every: int = _number(20, "steps", "time, adaptation", _STREAM)
    stream_refresh_first: int = _number(3, "steps", "time, adaptation", _STREAM)
    stream_rho: float = _number(2.0, "rho of a fit", "noise, speed", _STREAM)
    stream_fitted: float = _number(32.0, "factor of rho", "what a fit has found, drift", _STREAM)
    stream_rounds: int = _number(8, "rounds", "time, fit of short streams", _STREAM)
    stream_short: int = _number(5000, "samples", "fit of short streams, noise", _STREAM)
    stream_window: float = _number(0.2, "share of the stream", "noise, adaptation", _STREAM)
    stream_prior: float = _number(20.0, "samples", "noise of covariances, bias", _STREAM)
    stream_growth: float = _number(1.5, "factor", "time, units that fit", _STREAM)
    stream_unsettled: int = _number(200, "samples", "function or weights kept", _STREAM)
    stream_checked: int = _number(4000, "samples", "time, noise", _STREAM)
    stream_drift: float = _number(4.0, "standard errors", "drift, false alarms", _STREAM)
    stream_followed: float = _number(1000.0, "samples", "noise, adaptation", _STREAM)
    stream_too_noisy: float = _number(1.5, "loss of the average", "noise, exploration", _STREAM)
    stream_pull: float = _number(0.3, "share of the weights", "swings, time", _STREAM)
    stream_told: int = _number(100, "samples", "a chunk that tells the noise", _STREAM)
    stream_told_columns: int = _number(400, "samples", "the same for columns", _STREAM)
    stream_calibrated: int = _number(5000, "samples", "time, strengths that hold", _STREAM)
    stream_supposed: int = _number(1000, "samples", "weights of unknown origin, data", _STREAM)
    stream_far: float = _number(3.0, "distance of the others", "wrong cells, tails", _STREAM)
    stream_far_spread: float = _number(2.0, "one-in-a-million cells", "the same", _STREAM)
    stream_far_share: float = _number(0.05, "share of the first rows", "the same", _STREAM)
    stream_far_tail: float = _number(10.0, "squared cells", "tails of few cells, the same", _STREAM)
    stream_far_expected: float = _number(0.002, "share of the rows", "the same, drift", _STREAM)
    stream_far_cells: float = _number(4.5, "cells", "wrong cells, drift", _STREAM)
    stream_first: int = _number(30, "samples", "wrong cells at the start, memory", _STREAM)

    # -- samples in blocks that are elsewhere ----------------------------------------------------
    least_paths: int = _number(4, "blocks side by side", "speed, what averages lose", _SCALE)
    rounds: int = _number(32, "averages an epoch", "the same", _SCALE)
    least_batch: int = _number(50, "samples", "steps in a round, time", _SCALE)
    long_round: int = _number(100, "steps", "speed, noise of momentum between rounds", _SCALE)


@dataclass(frozen=True)
class Limits:
    """Numbers that change time and memory."""

    small: int = _number(2**22, "numbers", "memory of dense copies, time", _SCALING)
    entries: int = _number(8, "numbers for each entry of X", "memory, time", _SCALING)
    transformed: int = _number(2**18, "numbers", "cache, calls", _SCALING)
    converted_rows: int = _number(2048, "samples", "cache, calls", _TABLES)
    measured_rows: int = _number(512, "samples", "cache, calls", _TABLES)
    measured_rows_stacked: int = _number(128, "samples", "cache, calls", _NETWORKS)
    best_offset_rows: int = _number(10_000, "samples", "time, last intercepts", _NETWORKS)
    best_offset_events: int = _number(50, "samples of a class", "the same", _NETWORKS)
    blocks_rows: int = _number(16, "samples", "time to look for blocks, products", _NETWORKS)
    # No power of two: columns of buffers would fall into the same places of the cache.
    block_rows: int = _number(1000, "samples", "cache, calls", _FULL)
    tail_rows: int = _number(2000, "samples", "time, error of the tails", _SCALING)
    ranks: int = _number(257, "values of a column", "memory, error of ranks", _ENCODING)
    start_rows: int = _number(1000, "samples", "time, scale of the start", _DEEP)
    decomposition: int = _number(1500, "columns", "time, metric of all directions", _SCALING)
    rotation: int = _number(400, "columns", "time of a step, metric", _SCALING)
    covariance_rows: int = _number(20_000, "samples", "time, error of C", _SCALING)
    covariance_cost: float = _number(4e9, "products", "time, error of C", _SCALING)
    covariance_ratio: int = _number(8, "samples a column", "time, error of C", _SCALING)
    sketch: int = _number(200, "directions", "time, metric", _SCALING)
    sketch_rounds: int = _number(2, "products with C", "time, metric", _SCALING)
    sketch_numbers: int = _number(3 * 2**19, "numbers", "memory, metric", _SCALING)
    sketch_entries: int = _number(2, "numbers for each entry of X", "memory, metric", _SCALING)
    one_unit: float = _number(1e3, "ratio of spreads", "columns in one unit", _SCALING)
    apart_above: float = _number(30.0, "ratio of spreads", "large columns, other units", _SCALING)
    apart_below: float = _number(1e3, "ratio of spreads", "rare columns, other units", _SCALING)
    far_from_zero: float = _number(1e3, "standard deviations", "time, digits", _UNITS)
    cg_tolerance: float = _number(1e-2, "sqrt(eps)", "time, penalty block", _SCALING)
    cg_iterations: int = _number(200, "iterations", "time, penalty block", _SCALING)
    fista: int = _number(20, "iterations", "time, penalty block", _STRENGTHS)
    lazy: bool = _number(True, "", "time of large sparse X, simplicity", _SCALING)
    smallest_power: float = _number(1e-6, "factor", "digits of lazy steps, time", _SCALING)
    kronecker_inverse: int = _number(2000, "inputs", "time, metric", _FULL)
    kronecker_rows: int = _number(500, "samples", "time, metric of wide layers", _FULL)
    kronecker_numbers: int = _number(2**24, "numbers", "memory, metric", _FULL)
    noise_columns: int = _number(10_000, "columns", "memory, error of the noise", _SCALING)
    row_space: int = _number(2000, "coordinates", "time, memory", _FULL)
    row_space_entries: int = _number(16, "numbers for each entry of X", "memory, time", _FULL)
    secant_numbers: int = _number(2**24, "numbers", "memory, speed", _FULL)
    secant_least: int = _number(3, "pairs", "memory, speed", _FULL)
    trials: int = _number(12, "trials", "time, a step that descends", _FULL)
    mixtures: int = _number(6, "mixtures", "time, a step that descends", _FULL)
    halvings: int = _number(60, "halvings", "time, a step that descends", _FULL)
    factorization: int = _number(4000, "rows or columns", "time of the exact step", _FULL)
    dense_eigenvalue: int = _number(600, "rows", "time of the largest eigenvalue", _FULL)
    stream_compact: bool = _number(True, "", "size of stored streams, digits", _STREAM)
    stream_covariance: int = _number(1500, "columns", "time and memory, metric", _STREAM)
    driver_rows: int = _number(50_000, "samples", "memory, error of estimates", _SCALE)
    pile_numbers: int = _number(2**21, "numbers", "memory, steps between averages", _SCALE)
    pile_rows: int = _number(2000, "samples", "steps between averages", _SCALE)
    one_task_numbers: int = _number(2**24, "numbers", "time, memory of a worker", _SCALE)
    std_newton: int = _number(300, "units", "time, digits of the std", _UNCERTAINTY)


@dataclass(frozen=True)
class Constants:
    """Both kinds, as a solver takes them."""

    tuned: Tuned = Tuned()
    limits: Limits = Limits()

    def __repr__(self):
        """Only what differs: the options of a solver are listed by ``get_params``."""
        changed = []
        for part, usual in (("tuned", Tuned()), ("limits", Limits())):
            own = vars(getattr(self, part)).items()
            new = [f"{key}={value!r}" for key, value in own if value != getattr(usual, key)]
            if new:
                changed.append(f"{part}={type(usual).__name__}({', '.join(new)})")
        return f"Constants({', '.join(changed)})"


TUNED, LIMITS, CONSTANTS = Tuned(), Limits(), Constants()
