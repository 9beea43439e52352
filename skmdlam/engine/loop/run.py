"""The loop: what a run promises, how it is composed, and what drives it to its end."""

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from operator import attrgetter

import numpy as np

from ..records import Record, Result
from ..regularization import NO_REGULARIZATION


class Run(ABC):
    """A solver at work: an iterator of records, one a sweep or epoch.

    A subclass has to define ``__next__`` and :meth:`weights`; the rest has defaults.

    Attributes
    ----------
    ended : bool
        Whether the solver's own schedule has come to its end.
    cut_short : bool
        Whether ``max_iter`` left that schedule too few sweeps.
    max_sweeps : float
        Sweeps that there will be at most.
    objective_unit : float
        What an improvement is counted in: ``tol`` is multiplied by it.
    regularization : Regularization
        Strengths of the unit-free penalties in J.
    estimated : Regularization or None
        What was estimated of them from the data; None where nothing was.
    moments : tuple of ndarray or None
        Mean and standard deviation of the columns of X, where the run has computed them.
    cools_down : bool
        Whether :meth:`cool_down` leads to an end; a run without it is stopped instead.
    """

    ended = False
    cut_short = False
    max_sweeps = np.inf
    objective_unit = 1.0
    regularization = NO_REGULARIZATION
    estimated = None
    moments = None
    cools_down = False

    def __iter__(self):
        return self

    @abstractmethod
    def __next__(self):
        """Do one sweep; returns its record."""

    @abstractmethod
    def weights(self):
        """``(coefs, intercepts)`` that a fit that ends now returns, in the user's units."""

    def cool_down(self):
        """Come to an end soon: let the steps shrink from now on."""
        raise NotImplementedError(f"{type(self).__name__} has no schedule: stop it.")

    def stall(self, tol, patience):
        """What says, record by record, whether the run has stalled, see :class:`Stall`."""
        return Stall(tol, patience)

    def state(self):
        """Of the run of a stream: what the run of the next chunk needs, in arrays and numbers."""
        raise NotImplementedError(f"{type(self).__name__} is no run of a stream.")


class ForeignRun(Run):
    """A run that promises nothing but records and weights."""

    def __init__(self, run):
        self._run = run

    def __next__(self):
        return next(self._run)

    def weights(self):
        return self._run.weights()

    def state(self):
        return self._run.state()


class ConvertedRun(Run):
    """A run on a problem in other units than the user's.

    Parameters
    ----------
    run : Run
    convert : callable
        ``convert(coefs, intercepts)`` gives the weights in the user's units.
    """

    ended = property(attrgetter("_run.ended"))
    cut_short = property(attrgetter("_run.cut_short"))
    max_sweeps = property(attrgetter("_run.max_sweeps"))
    objective_unit = property(attrgetter("_run.objective_unit"))
    regularization = property(attrgetter("_run.regularization"))
    estimated = property(attrgetter("_run.estimated"))
    moments = property(attrgetter("_run.moments"))
    cools_down = property(attrgetter("_run.cools_down"))

    def __init__(self, run, convert):
        self._run, self._convert = run, convert

    def __next__(self):
        return next(self._run)

    def weights(self):
        return self._convert(*self._run.weights())

    def cool_down(self):
        self._run.cool_down()

    def stall(self, tol, patience):
        return self._run.stall(tol, patience)


def as_run(run):
    """What a solver's ``start`` returned, as a :class:`Run`."""
    return run if isinstance(run, Run) else ForeignRun(run)


class ComposedRun(Run):
    """A run of exchangeable parts.

    Parameters
    ----------
    source : Source
        ``epoch(rng)`` gives the batches of a sweep, ``(rows, progress)``.
    step : Step
        ``step(rows, factor)`` changes the weights; ``begin``, ``settle`` and ``restart`` frame an
        epoch; ``rho``, ``refused`` and ``stuck`` say how it went.
    schedule : Schedule
        ``factor(progress)`` of the next step, ``advance(data)`` at the end of the sweep.
    judge : Judge
        ``watch(rows)`` after each batch; ``judge(value)`` whether a sweep is accepted;
        ``reported(value)`` what is said of it; ``weights()``.
    objective : callable
        ``objective()`` gives the :class:`~skmdlam.engine.records.Value` of the present point.
    rng : numpy.random.RandomState
    clock : float
        When the preparations began.
    max_sweeps, objective_unit, regularization, estimated, moments
        As for :class:`Run`.
    """

    def __init__(
        self,
        source,
        step,
        schedule,
        judge,
        objective,
        rng,
        clock,
        *,
        max_sweeps=np.inf,
        objective_unit=1.0,
        regularization=NO_REGULARIZATION,
        estimated=None,
        moments=None,
    ):
        self.source, self.step, self.schedule, self.judge = source, step, schedule, judge
        self.objective, self.rng, self.clock = objective, rng, clock
        self.max_sweeps, self.objective_unit = max_sweeps, objective_unit
        self.regularization, self.estimated = regularization, estimated
        self.moments = moments
        self.iteration = 0

    def __next__(self):
        if self.ended:
            raise StopIteration
        step, schedule, judge = self.step, self.schedule, self.judge
        with np.errstate(all="ignore"):
            step.begin()
            for rows, progress in self.source.epoch(self.rng):
                step(rows, schedule.factor(progress))
                judge.watch(rows)
            step.settle()  # what was put off
            value = self.objective()
        return self.end_sweep(value)

    def end_sweep(self, value):
        """What follows from J after a sweep; returns its record."""
        step, schedule, judge = self.step, self.schedule, self.judge
        accepted = judge.judge(value)  # keeps the best, or puts it back
        if not accepted:
            step.restart()
        self.iteration += 1
        self.ended = schedule.advance(value.data if accepted else np.inf) or step.stuck
        return self.record(judge.reported(value), step.refused + (not accepted))

    def record(self, value, refused):
        """What is said of a sweep."""
        return Record(
            iteration=self.iteration,
            objective=float(value.objective),
            loss=float(value.loss),
            rho=self.step.rho,
            epsilon=self.schedule.epsilon,
            gap=value.gap,
            restarts=refused,
            settled=self.schedule.settled,
            seconds=time.perf_counter() - self.clock,
            kept=None if value.kept is None else float(value.kept),
        )

    @property
    def cut_short(self):
        return self.schedule.cut_short

    @property
    def cools_down(self):
        return self.schedule.cools_down

    def cool_down(self):
        self.schedule.cool_down()

    def weights(self):
        return self.judge.weights()


class Chain(Run):
    """One run to the end of its schedule, then another from where it ended.

    The steps of mini-batches meet a non-smooth penalty every now and then and with a metric of
    their own: what they end with is near a minimum of J, but hardly a weight is exactly zero. The
    exact sweeps of the second run take it from there, from the weights that the first one kept.

    Parameters
    ----------
    first : Run
    finish : callable
        ``finish(coefs, intercepts)`` begins the second run from weights in the user's units.
    """

    cools_down = True

    def __init__(self, first, finish):
        self._run, self._finish = first, finish
        self.objective_unit = first.objective_unit
        self.regularization, self.estimated = first.regularization, first.estimated
        self.moments = first.moments
        self._done, self._seconds, self._best = 0, 0.0, np.inf

    def __next__(self):
        if self.ended:
            raise StopIteration
        if self._finish is not None and self._run.ended:
            weights, finish = self._run.weights(), self._finish
            # The buffers of the first run are not needed any more; its weights are, should the
            # second one be interrupted while it begins.
            self._run, self._finish = _Ended(weights), None
            self._run = finish(*weights)
            self._done, self._seconds = self._last.iteration, self._last.seconds
        finishing = self._finish is None
        record = next(self._run)
        if finishing:
            self.ended = self._run.ended
        # What a stall is told by does not rise where the two parts round differently.
        self._best = min(self._best, record.kept)
        self._last = replace(
            record,
            iteration=record.iteration + self._done,
            objective=self._best,
            settled=finishing,
            seconds=record.seconds + self._seconds,
        )
        return self._last

    def cool_down(self):
        """Let the steps of the first run shrink, or stop the sweeps of the second."""
        if self._finish is None:
            self.ended = True
        else:
            self._run.cool_down()

    def weights(self):
        return self._run.weights()


class _Ended(Run):
    """What is left of a run at its end: its weights."""

    ended = True

    def __init__(self, weights):
        self._weights = weights

    def __next__(self):
        raise StopIteration

    def weights(self):
        return self._weights


class Stall:
    """Whether so many sweeps in a row have not improved the objective.

    Parameters
    ----------
    tol : float
        Smallest improvement that counts.
    patience : float
        Sweeps without one.
    """

    def __init__(self, tol, patience):
        self._tol, self._patience = tol, patience
        self._best, self._idle = np.inf, 0

    def __call__(self, record):
        """Look at the record of another sweep; True when the patience is at its end."""
        idle = record.settled and record.objective > self._best - self._tol
        self._idle = self._idle + 1 if idle else 0
        self._best = min(self._best, record.objective) if record.settled else np.inf
        return self._idle >= self._patience


def minimize(run, *, max_iter, tol, n_iter_no_change, before_sweep=None, on_sweep=None):
    """Iterate a run until it stalls, is told to stop, or has done ``max_iter`` sweeps.

    Parameters
    ----------
    run : Run
    max_iter : int
        Largest number of sweeps.
    tol : float
        Smallest improvement of the objective that counts, in ``run.objective_unit``.
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
    stalled, reason = run.stall(tol * run.objective_unit, n_iter_no_change), "max_iter"
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
            if record is None or stalled(record) or run.ended:
                reason = "max_iter" if run.cut_short else "converged"
                break
    except KeyboardInterrupt:
        reason = "interrupted"
    coefs, intercepts = run.weights()
    return Result(coefs, intercepts, reason, records)
