"""What goes into a run and what comes out: settings, records, results."""

from dataclasses import dataclass, field
from typing import NamedTuple

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


class Value(NamedTuple):
    """What a point is worth, per unit of sample weight.

    Attributes
    ----------
    objective : float
        What the solver guards.
    loss : float
        J.
    data : float
        Its data term, which a schedule goes by.
    gap : float
        Root mean square of the constraints' residuals, see :class:`Record`.
    kept : float or None
        J of the weights that are returned so far; None where they are those of this point.
    """

    objective: float
    loss: float
    data: float = np.nan
    gap: float = 0.0
    kept: float | None = None


@dataclass
class Record:
    """One sweep.

    Attributes
    ----------
    iteration : int
        Sweeps done, counted from 1.
    objective : float
        What the solver guards and a stall is told by, per unit of sample weight: its own objective
        F, or J of the weights that are kept.
    loss : float
        The training objective J of the weights after the sweep, from a forward pass, per unit of
        sample weight. Of a sweep that was taken back it is what J was before that; infinite where
        it was not a number.
    rho, epsilon : float
        Penalty and tolerance in force.
    gap : float
        Root mean square, over samples, of the violation ``||z_l - v_l||`` summed over layers.
    restarts : int
        Steps that were refused in this sweep.
    settled : bool
        Whether the solver's schedules have ended, so that a stall means convergence.
    seconds : float
        Time since the start of the run.
    kept : float or None
        J of the weights that ``run.weights()`` gives now; None stands for ``loss``.
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
    kept: float | None = None

    def __post_init__(self):
        if self.kept is None:
            self.kept = self.loss


@dataclass
class Result:
    """What a run returns.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        What ``run.weights()`` gave at the end: the best weights, or those after the last sweep.
    stop_reason : str
        A key of ``STOP_REASONS``.
    records : list of Record
        One for each sweep.
    """

    coefs: list
    intercepts: list
    stop_reason: str
    records: list = field(default_factory=list)
