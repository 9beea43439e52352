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
from .moments import Columns, column_moments, standardized_samples
from .steps.full_batch import FullBatchStep, setting_of, without_penalty
from .steps.proximal import ProximalMethod
from .steps.quasi_newton import method_of
from .tails import tails_for


def full_batch_run(options, problem, coefs, intercepts, settings):
    """Secant sweeps or, for a penalty that is not quadratic, proximal ones, from the start.

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
    return full_batch_runs(options, problem, [(coefs, intercepts)], settings)


def full_batch_runs(options, problem, starts, settings):
    """Sweeps over all samples from one start or several, as one run.

    Parameters
    ----------
    options, problem, settings
        As for :func:`full_batch_run`.
    starts : list of (coefs, intercepts)
        Starting weights of each network.

    Returns
    -------
    run : ComposedRun or SideBySide
    """
    begun = time.perf_counter()
    share = problem.rows.normalized()
    moments = column_moments(problem.X, share)
    X, rows, constants = problem.X, problem.rows, options.constants
    columns = Columns.of(*moments, rows.total, X.shape[0], X.dtype, constants.limits)
    tails = tails_for(problem, columns, constants)

    def estimate():
        scaling = problem.loss_scaling()
        samples, Y = standardized_samples(X, *moments), scaling.transform(problem.Y)
        if tails is not None:
            near = tails.pulled_in
            samples = lambda rows: standardized_samples(near(X[rows]), *moments)(slice(None))  # noqa: E731
        return options.estimate_regularization(problem, scaling, samples, Y)

    found, estimated = options.resolve_regularization(settings.activity_alpha, estimate)
    rho = 1.0 if settings.rho is None else settings.rho

    like = None

    def run(coefs, intercepts, rng):
        nonlocal like
        if not problem.quadratic:
            return proximal_run(
                options, problem, coefs, intercepts, settings, found, moments, estimated, tails
            )
        clock = time.perf_counter()
        earlier = like
        setting = like = setting_of(
            problem,
            coefs,
            intercepts,
            **found.penalties,
            warm=settings.warm,
            moments=moments,
            tails=tails,
            like=like,
            constants=options.constants,
        )
        if options.device is not None:
            on_device = None if earlier is None else earlier.objective
            setting.objective = FullObjectiveOnDevice(
                numerics_for(options.device), setting.objective, setting.Y, on_device
            )
        method = method_of(options.acceleration)(setting, rho, options.constants)
        return _sweeps(method, setting, settings.warm, clock, found, estimated)

    return side_by_side(run, starts, None, begun)


def proximal_run(
    options,
    problem,
    coefs,
    intercepts,
    settings,
    regularization,
    moments,
    estimated=None,
    tails=False,
):
    """Proximal sweeps over all samples, with these strengths of the unit-free penalties.

    ``moments`` and ``tails`` are those of the columns of X; False where nobody has looked.
    """
    clock = time.perf_counter()
    constants = options.constants
    setting = setting_of(
        problem,
        coefs,
        intercepts,
        **regularization.penalties,
        warm=settings.warm,
        moments=moments,
        tails=tails,
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
            moments=moments,
            tails=tails,
            constants=constants,
        )

    method = ProximalMethod(setting, free, constants)
    return _sweeps(method, setting, settings.warm, clock, regularization, estimated)


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
