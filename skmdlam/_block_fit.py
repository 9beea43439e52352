"""A fit to samples in blocks, wherever they are: the order of events.

What is a sum over samples is exact, and what a choice needs is told by a random sample, to which
the same code is applied as to all samples in a fit in memory.
"""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.utils import check_random_state

from ._base import restored_on_error
from ._block_reading import Raw, facts_of, read_block
from ._block_runs import start_on_blocks
from ._block_scores import FromBlocks, with_scores
from ._encoding import choose_columns
from ._hints import warn_of_unused
from ._inputs import kinds_of
from ._monitor import Callbacks
from ._progress import say
from ._range import column_means, ends_of, keep_range
from ._results import keep_summary, summary_of
from ._uncertainty import check_calibrate
from ._validation import Samples, n_held_out, needed_for_training, prepare_validation
from .engine.blocks import Part, tree_sum
from .engine.constants import LIMITS
from .engine.feasible import Feasible
from .engine.inputs.encoded import encoded_samples
from .engine.loop.run import ConvertedRun, as_run
from .engine.moments import column_moments
from .engine.totals import size_of

__all__ = ["Raw", "fit_blocks"]

# Means of columns in standard deviations up to which single precision has enough digits.
_NEAR_ZERO = 100.0
# The largest code that single precision knows from its neighbors.
_LARGEST_CODE = 2**24
# Numbers whose squares single precision holds.
_LARGEST = 1e18


def fit_blocks(estimator, blocks, *, validation=(None, None, None), limits=LIMITS):
    """Fit an estimator to samples in blocks.

    Which samples go where is drawn from ``random_state`` and depends on the blocks and on nothing
    else. At most ``driver_rows`` samples come here: those that choices are made on (the encoding,
    units, the noise, the folds of ``calibrate``), and those that ``early_stopping`` sets apart.
    Rules that ask how many samples there are know of all. Exact are classes and their weights,
    levels of categories, ranges of columns, sums behind scores, and what a stream goes on from.

    Parameters
    ----------
    estimator : MDLAMClassifier or MDLAMRegressor
        Its parameters are valid.
    blocks : Blocks
        Of :class:`Raw`.
    validation : tuple, default=(None, None, None)
        ``X_val``, ``y_val`` and ``sample_weight_val``, here.
    limits : Limits

    Returns
    -------
    estimator : estimator
        The same one, fitted. When the fit fails it is left as it was before.
    """
    with restored_on_error(estimator):
        _fit(estimator, blocks, validation, limits)
    return estimator


def _fit(estimator, blocks, validation, limits):
    clock = time.perf_counter()
    callbacks = Callbacks(estimator, blocks, None, None)
    goes_on = estimator.warm_start and hasattr(estimator, "coefs_")
    network = estimator._resolve_network(goes_on)
    warn_of_unused(estimator, network)
    target, name = network.target, type(estimator).__name__
    _check_solver(estimator, network.solver)
    facts = facts_of(estimator, blocks, target, goes_on)
    none = samples_of(facts.form.empty(), target)
    estimator._check_columns(network, none, goes_on)
    validation = prepare_validation(estimator, *validation, target, none)
    rng = check_random_state(estimator.random_state)
    rows = blocks.mapped(read_block, facts.form, name)
    seed = rng.randint(np.iinfo(np.int32).max)
    piles = rows.dealt(n_piles(facts, limits), seed, facts.sizes)
    rows.release()  # they go block by block, as the piles come
    sizes, total = _sizes(piles)
    if estimator.early_stopping and validation is None:
        fraction = _held_out_fraction(estimator, sum(sizes), limits)
        events = not target.numeric
        apart = piles.each(rows_apart, [(fraction, events)] * len(sizes))
        validation = samples_of(Part.joined(apart), target)
        piles, all_of_them = piles.mapped(without_those_apart, fraction, events), piles
        all_of_them.release()
        sizes, total = _sizes(piles)
    n = sum(sizes)
    said = f"{n:,} samples of {blocks.n_blocks} blocks, shuffled into {len(sizes)}"
    say(estimator.verbose, said, clock)
    check_calibrate(estimator, target, n)
    some = n > limits.driver_rows
    drawn = [size * limits.driver_rows // n if some else size for size in sizes]
    samples = samples_of(Part.joined(piles.each(first_rows, [(m,) for m in drawn])), target)

    scoring = FromBlocks(piles, drawn, _n_levels(estimator), min(total / n, 1.0))

    def choose(estimator, problem, network, units, fit):
        problem = replace(problem, times=n / len(samples))
        weight, gaps = problem.sample_weight, facts.gaps.any()
        kinds = kinds_of(estimator, problem.X, weight, times=problem.times, gaps=gaps)
        return choose_columns(estimator, problem, network, units, fit, kinds=kinds, scoring=scoring)

    def begin(problem, units, starts):
        means = None
        if goes_on and estimator._inputs is None and facts.gaps.any():
            means = column_means(estimator)
        settings = estimator._settings(n, goes_on)
        dtype = None
        if settings["batch_size"] is None or settings["batch_size"] < n:
            dtype = _type_of_steps(estimator, network.solver, problem, facts)
        ends = piles.each(ends_of_part, [()] * piles.n_blocks)
        parts = piles.mapped(encoded_part, estimator._inputs, scoring.scores, units, dtype, means)
        piles.release()  # before the samples are prepared, and there a second time
        start = getattr(network.solver, "start_blocks", partial(start_on_blocks, network.solver))
        run = as_run(start(problem, parts, starts, rng=rng, **settings))
        run = ConvertedRun(run, units.outer)
        keep_summary(estimator, run, _summary(parts, (estimator._loss, run.moments, units)))
        keep_range(estimator, samples.X, found=_merged_ends(ends))
        say(estimator.verbose, "Prepared", clock)
        return run

    estimator._learn(network, samples, begin, validation, callbacks, rng, goes_on, choose)


def n_piles(facts, limits=LIMITS):
    """How many piles the samples are dealt to: none is too large to be worked on, few too small."""
    most = max(1, facts.n_rows // limits.pile_rows)
    return min(max(1, -(-facts.n_numbers // limits.pile_numbers)), most)


# -- what is sent to the blocks -------------------------------------------------------------------


def first_rows(part, n):
    """The first samples of a pile."""
    return part.take(slice(0, n))


def rows_apart(part, fraction, events):
    """The samples that are set apart for validation.

    They are the last ones of the pile. With ``events``, where targets are indicators, the only
    samples of a class in the pile stay in training.
    """
    return part.take(_split(part, fraction, events)[1])


def without_those_apart(part, fraction, events):
    """The others."""
    return part.take(_split(part, fraction, events)[0])


def ends_of_part(part):
    """Extremes of the columns; None without samples."""
    return ends_of(part.X) if part.n else None


def encoded_part(part, inputs, scores, units, dtype, means):
    """Samples as the first layer sees them, with targets in inner units.

    Parameters
    ----------
    part : Part
        Of numbers and codes.
    inputs : InputColumns or None
        What the first layer sees; None for plain numbers.
    scores : list of Score
        Scores of these samples; none where those of new samples are theirs, too.
    units : TargetUnits
    dtype : dtype or None
        That X is converted to; None for its own.
    means : ndarray or None
        What stands for a gap in plain numbers.
    """
    X = part.X
    if means is not None:
        X = np.where(np.isnan(X), means.astype(X.dtype), X)
    if scores:
        X = with_scores(X, inputs, scores)
        X = X if inputs.pieces is None else encoded_samples(X, inputs.pieces)
    elif inputs is not None:
        X = inputs(X)
    X = X if dtype is None else X.astype(dtype)
    return Part(X, units.transform(part.Y), part.weight)


def summary_of_part(part, loss, moments, units):
    """What :func:`~skmdlam._results.summary_of` says, as a stream sees it; None of no samples."""
    if part.n == 0:
        return None
    return summary_of(Part(part.X, units.given(part.Y), part.weight), loss, moments)


# -- what is made of it here ----------------------------------------------------------------------


def samples_of(part, target):
    """Samples with targets as a scorer takes them."""
    return Samples(part.X, target.decoded(part.Y), part.Y, part.weight)


def _check_solver(estimator, solver):
    if not (isinstance(solver, Feasible) or hasattr(solver, "start_blocks")):
        raise ValueError(
            f"solver={estimator.solver!r} needs all samples in one place: rechunk X and y to one "
            "block, or use solver='feasible'."
        )
    if getattr(solver, "device", None) is not None:
        raise ValueError(
            f"Blocks are fitted with NumPy by each worker, and device={solver.device!r} is for "
            "samples in one place: set device=None, or rechunk X and y to one block."
        )
    if estimator.early_stopping and not estimator.shuffle:
        raise ValueError(
            "early_stopping=True with shuffle=False holds out the last samples, and blocks have "
            "no order once they are shuffled: give X_val and y_val, or use shuffle=True."
        )


def _summary(parts, arguments):
    """What all samples say, as :func:`~skmdlam._results.summary_of`."""
    found = parts.each(summary_of_part, [()] * parts.n_blocks, shared=arguments)
    return tree_sum([each for each in found if each is not None])


def _sizes(piles):
    """Numbers of samples, and the sum of all weights."""
    sizes, weights = zip(*piles.each(size_of, [()] * piles.n_blocks), strict=True)
    return list(sizes), sum(weights)


def _n_levels(estimator):
    """By column that is a category how many levels there are."""
    if estimator.is_categorical_ is None:
        return {}
    columns = np.flatnonzero(estimator.is_categorical_).tolist()
    return dict(zip(columns, map(len, estimator.categories_), strict=True))


def _held_out_fraction(estimator, n, limits):
    """The fraction of the samples that early stopping holds out."""
    return min(n_held_out(estimator.validation_fraction, n), limits.driver_rows) / n


def _split(part, fraction, events):
    """Rows of a pile that stay, and rows that are set apart."""
    # Not one more for rounding.
    first = part.n - min(part.n, int(np.ceil(part.n * fraction * (1.0 - 1e-12))))
    stay, apart = slice(0, first), slice(first, part.n)
    if events and 0 < first < part.n:
        needed = needed_for_training(part.Y[stay], part.Y[apart])
        if needed.any():
            rows = np.arange(part.n)
            return np.r_[rows[stay], rows[apart][needed]], rows[apart][~needed]
    return stay, apart


def _type_of_steps(estimator, solver, problem, facts):
    """Single precision, where all is done in it and it has the digits; None for that of X."""
    if problem.sparse or not getattr(solver, "single_precision", False):
        return None
    # What such a penalty ends with are sweeps over all samples.
    if problem.X.dtype == np.float32 or not problem.quadratic:
        return None
    mean, std = column_moments(problem.X, problem.rows.normalized())
    varies = std > 0
    codes = max((len(levels) for levels in estimator.categories_), default=0)
    near = (np.abs(mean[varies]) < _NEAR_ZERO * std[varies]).all() and codes < _LARGEST_CODE
    in_range = facts.largest < _LARGEST and std[varies].min(initial=1.0) > 1.0 / _LARGEST
    return np.dtype(np.float32) if near and in_range else None


def _merged_ends(ends):
    """Extremes over all piles, 0 where there are only gaps."""
    low, high = zip(*(each for each in ends if each is not None), strict=True)
    low, high = np.fmin.reduce(low), np.fmax.reduce(high)
    return np.nan_to_num(low), np.nan_to_num(high)
