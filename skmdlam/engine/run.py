"""Drive a solver sweep by sweep until something says stop, and say what it was."""

from dataclasses import dataclass, field

import numpy as np

STOP_REASONS = {
    "converged": "the objective improved by less than tol for n_iter_no_change sweeps, or the "
    "solver's own schedule came to its end",
    "max_iter": "max_iter sweeps were done",
    "interrupted": "the user interrupted the fit",
    "requested": "a callback or the validation score asked to stop",
}


@dataclass(frozen=True)
class Settings:
    """What a solver may need to know besides the problem; each takes what it has a use for.

    Attributes
    ----------
    rho : float or None
        Penalty parameter, positive; None leaves the choice to the solver.
    epsilon : float
        Tolerance of the constraints that a run ends with.
    activity_alpha : float or None
        Strength of the penalty on the variance of the pre-activations; None is the solver's own.
    batch_size : int or None
        Samples in a batch; at least the number of samples is the full batch, None leaves the
        choice to the solver.
    max_iter : int
        Sweeps or epochs that there will be at most; a schedule is shortened to fit.
    tol : float
        Smallest improvement per unit of weight that counts.
    n_iter_no_change : int
        Sweeps or epochs without such an improvement after which a settled run ends.
    warm : bool
        The starting weights were fitted before: go on from them as they are.
    rng : numpy.random.RandomState or None
        For the order of the samples; None draws from a fixed seed.
    """

    rho: float | None = None
    epsilon: float = 1e-3
    activity_alpha: float | None = None
    batch_size: int | None = None
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: int = 10
    warm: bool = False
    rng: np.random.RandomState | None = None


@dataclass
class Record:
    """One sweep.

    Attributes
    ----------
    iteration : int
        Sweeps done, counted from 1.
    objective : float
        The solver's own objective F, per unit of sample weight.
    loss : float
        The training objective J from a forward pass, per unit of sample weight.
    rho, epsilon : float
        Penalty and tolerance in force.
    gap : float
        Root mean square, over samples, of the violation ``||z_l - v_l||`` summed over layers.
    restarts : int
        Extrapolated steps that were refused in this sweep.
    settled : bool
        Whether the solver's schedules have ended, so that a stall means convergence.
    seconds : float
        Time since the start of the run.
    """

    iteration: int
    objective: float
    loss: float
    rho: float
    epsilon: float
    gap: float
    restarts: int
    settled: bool
    seconds: float


@dataclass
class Result:
    """What a run returns.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        Weights after the last complete sweep.
    stop_reason : str
        A key of ``STOP_REASONS``.
    records : list of Record
        One for each sweep.
    """

    coefs: list
    intercepts: list
    stop_reason: str
    records: list = field(default_factory=list)


def minimise(run, *, max_iter, tol, n_iter_no_change, before_sweep=None, on_sweep=None):
    """Iterate a run until it stalls, is told to stop, or has done ``max_iter`` sweeps.

    Parameters
    ----------
    run : iterator of Record with a method ``weights()``
        A solver at work; ``weights()`` gives the weights that a fit that ends now returns. A true
        attribute ``cut_short``, where there is one, says that a run that is at its end wanted more
        sweeps than ``max_iter``.
    max_iter : int
        Largest number of sweeps.
    tol : float
        Smallest improvement of the objective that counts, in the run's ``unit`` if it has one.
    n_iter_no_change : int
        So many sweeps in a row without such an improvement end the run.
    before_sweep : callable or None
        Called as ``before_sweep(run)`` before each sweep.
    on_sweep : callable or None
        Called as ``on_sweep(record, run)`` after each sweep; a true value ends the run.

    Returns
    -------
    Result
    """
    records = []
    tol = tol * getattr(run, "unit", 1.0)
    best, idle, reason = np.inf, 0, "max_iter"
    try:
        while len(records) < max_iter:
            if before_sweep is not None:
                before_sweep(run)
            record = next(run, None)
            if record is not None:
                records.append(record)
                if on_sweep is not None and on_sweep(record, run):
                    reason = "requested"
                    break
                idle = idle + 1 if record.settled and record.objective > best - tol else 0
                best = min(best, record.objective) if record.settled else np.inf
            if record is None or idle >= n_iter_no_change or getattr(run, "ended", False):
                reason = "max_iter" if getattr(run, "cut_short", False) else "converged"
                break
    except KeyboardInterrupt:
        reason = "interrupted"
    coefs, intercepts = run.weights()
    return Result(coefs, intercepts, reason, records)
