"""A run of sweeps over all samples: which parts it is made of."""

import time

import numpy as np

from .device.full_objective import FullObjectiveOnDevice
from .device.numerics import numerics_for
from .loop.judges import Accepting
from .loop.run import ComposedRun
from .loop.schedules import Schedule
from .loop.side_by_side import side_by_side
from .loop.sources import Whole
from .moments import standardized_samples
from .steps.full_batch import FullBatchStep, LocalSamples, setting_of, without_penalty
from .steps.proximal import ProximalMethod
from .steps.quasi_newton import method_of


def full_batch_run(options, problem, coefs, intercepts, settings, samples=None):
    """Secant sweeps or, for a penalty that is not quadratic, proximal ones, from the start.

    Parameters
    ----------
    options : Feasible
    problem : Problem
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed.
    settings : Settings
    samples : LocalSamples, BlockSamples or None, default=None
        What is known of all samples; None for those of the problem.

    Returns
    -------
    run : ComposedRun
    """
    return full_batch_runs(options, problem, [(coefs, intercepts)], settings, samples)


def full_batch_runs(options, problem, starts, settings, samples=None):
    """Sweeps over all samples from one start or several, as one run.

    Parameters
    ----------
    options, problem, settings, samples
        As for :func:`full_batch_run`.
    starts : list of (coefs, intercepts)
        Starting weights of each network.

    Returns
    -------
    run : ComposedRun or SideBySide
    """
    begun = time.perf_counter()
    constants = options.constants
    if samples is None and options.device is not None:
        samples = SamplesOnDevice(numerics_for(options.device), problem, constants)
    samples = LocalSamples(problem, constants) if samples is None else samples
    X, tails = problem.X, samples.tails

    def estimate():
        # Noise is a share of a spread, whose unit the targets that tell it must have.
        scaling = samples.scaling if samples.beyond is None else problem.loss_scaling()
        moments = samples.moments
        shown, Y = standardized_samples(X, *moments), scaling.transform(problem.Y)
        if tails is not None:
            near = tails.pulled_in
            shown = lambda rows: standardized_samples(near(X[rows]), *moments)(slice(None))  # noqa: E731
        return options.estimate_regularization(problem, scaling, shown, Y, total=samples.beyond)

    found, estimated = options.resolve_regularization(settings.activity_alpha, estimate)
    rho = 1.0 if settings.rho is None else settings.rho

    like = None

    def run(coefs, intercepts, rng):
        nonlocal like
        if not problem.quadratic:
            return proximal_sweeps(
                options, problem, coefs, intercepts, settings, found, samples, estimated
            )
        clock = time.perf_counter()
        setting = like = setting_of(
            problem,
            coefs,
            intercepts,
            **found.penalties,
            warm=settings.warm,
            samples=samples,
            like=like,
            constants=constants,
        )
        method = method_of(options.acceleration)(setting, rho, constants)
        return _sweeps(method, setting, settings.warm, clock, found, estimated)

    return side_by_side(run, starts, None, begun)


def proximal_run(options, problem, coefs, intercepts, settings, regularization, moments):
    """Proximal sweeps over all samples, with these strengths of the unit-free penalties.

    ``moments`` are those of the columns of X.
    """
    samples = LocalSamples(problem, options.constants, moments)
    return proximal_sweeps(options, problem, coefs, intercepts, settings, regularization, samples)


def proximal_sweeps(
    options, problem, coefs, intercepts, settings, regularization, samples, estimated=None
):
    """The same with what is known of all samples, wherever they are."""
    clock = time.perf_counter()
    constants = options.constants
    setting = setting_of(
        problem,
        coefs,
        intercepts,
        **regularization.penalties,
        warm=settings.warm,
        samples=samples,
        constants=constants,
    )

    def free():
        """The start, without what would spoil it: the penalty on weights and that on columns."""
        return setting_of(
            without_penalty(problem),
            coefs,
            intercepts,
            activity_alpha=regularization.activity_alpha,
            upper_alpha=regularization.upper_alpha,
            samples=samples,
            constants=constants,
        )

    method = ProximalMethod(setting, free, constants)
    return _sweeps(method, setting, settings.warm, clock, regularization, estimated)


class SamplesOnDevice(LocalSamples):
    """The same samples, with passes for J and its gradient on a device.

    Parameters
    ----------
    numerics : Numerics
        Of the device.
    problem, constants
        As for :class:`LocalSamples`.
    """

    def __init__(self, numerics, problem, constants):
        super().__init__(problem, constants)
        self._numerics = numerics

    def objective(self, inputs, widths, ridge, activity, columns, like=None):
        on_host = super().objective(inputs, widths, ridge, activity, columns, like)
        return FullObjectiveOnDevice(self._numerics, on_host, self._Y, like)


def _sweeps(method, setting, warm, clock, regularization, estimated):
    """A run of sweeps over all samples, each of which descends by itself."""
    with np.errstate(all="ignore"):
        method.start()
    step = FullBatchStep(method, setting, warm=warm)
    unit = setting.frame.scaling.factor
    return ComposedRun(
        Whole(),
        step,
        Schedule(),
        Accepting(step.weights, unit),
        step.objective,
        None,
        clock,
        objective_unit=setting.frame.unit,
        regularization=regularization,
        estimated=estimated,
        moments=setting.moments,
    )
