"""Several runs side by side, whose networks become one."""

import copy
import time

import numpy as np

from ..members import joined
from ..records import Record
from .run import Run, Stall


def side_by_side(start, starts, rng, clock=None):
    """Runs from several starts as one; the run itself where there is but one start.

    Parameters
    ----------
    start : callable
        ``start(coefs, intercepts, rng)`` begins a run.
    starts : list of (coefs, intercepts)
    rng : numpy.random.RandomState or None
        For the order of the samples: it is the same for all, from copies.
    clock : float or None
        When the preparations began; None is now.

    Returns
    -------
    run : Run
    """
    clock = time.perf_counter() if clock is None else clock
    if len(starts) == 1:
        return start(*starts[0], rng)
    return SideBySide([start(*weights, copy.deepcopy(rng)) for weights in starts], clock)


class SideBySide(Run):
    """Runs of networks that are averaged: each sweeps, is judged and ends by itself.

    A record is the mean over the networks, of one that has ended its last one; ``rho`` and
    ``epsilon`` are the largest. ``weights()`` gives the one network that has the mean of their
    outputs, see :func:`~skmdlam.engine.members.joined`.

    Parameters
    ----------
    runs : list of Run
        On the same problem, each from a start of its own.
    clock : float
        When the preparations began.
    """

    def __init__(self, runs, clock):
        self.runs, self._clock = runs, clock
        self._last, self._idle = [None] * len(runs), set()
        self.iteration = 0
        first = runs[0]
        self.objective_unit, self.regularization = first.objective_unit, first.regularization
        self.estimated, self.moments = first.estimated, first.moments
        self.max_sweeps = max(run.max_sweeps for run in runs)

    def _going_on(self):
        return [j for j, run in enumerate(self.runs) if not run.ended and j not in self._idle]

    @property
    def ended(self):
        return not self._going_on()

    @property
    def cut_short(self):
        return any(run.cut_short for run in self.runs)

    @property
    def cools_down(self):
        return all(run.cools_down for run in self.runs)

    def cool_down(self):
        for run in self.runs:
            run.cool_down()

    def __next__(self):
        going_on, records = self._going_on(), []
        if not going_on:
            raise StopIteration
        for j, record in zip(going_on, self._sweep(going_on), strict=True):
            if record is None:
                self._idle.add(j)
            else:
                self._last[j] = record
                records.append(record)
        if not records:  # iterators that do not say before that they have ended
            raise StopIteration
        self.iteration += 1
        return self._record(sum(record.restarts for record in records))

    def _sweep(self, going_on):
        """The records of another sweep of the runs of these indices; None where there is none."""
        return [next(self.runs[j], None) for j in going_on]

    def _record(self, restarts):
        last = [record for record in self._last if record is not None]

        def mean(name):
            return float(np.mean([getattr(record, name) for record in last]))

        return Record(
            iteration=self.iteration,
            objective=mean("objective"),
            loss=mean("loss"),
            rho=max(record.rho for record in last),
            epsilon=max(record.epsilon for record in last),
            gap=mean("gap"),
            restarts=restarts,
            settled=all(record.settled for record in last),
            seconds=time.perf_counter() - self._clock,
            kept=mean("kept"),
        )

    def stall(self, tol, patience):
        stalls = [Stall(tol, patience) for _ in self.runs]

        def stalled(record):
            """Whether all have ended or stalled; one that has does no more sweeps."""
            stopped = {j for j in self._going_on() if stalls[j](self._last[j])}
            self._idle |= stopped
            return self.ended

        return stalled

    def weights(self):
        return joined([run.weights() for run in self.runs])


class StackedRuns(SideBySide):
    """The same for runs of mini-batches, with their steps stacked.

    Parameters
    ----------
    runs : list of ComposedRun
        Of parts of their own, but with the same source.
    step : StackedStep
        Made of their steps.
    objective : StackedObjective
        Made of their objectives.
    rng : numpy.random.RandomState
        For the order of the samples, which is the same for all.
    clock : float
        When the preparations began.
    """

    def __init__(self, runs, step, objective, rng, clock):
        super().__init__(runs, clock)
        self._step, self._objective, self._rng = step, objective, rng

    def _sweep(self, going_on):
        runs = [self.runs[j] for j in going_on]
        with np.errstate(all="ignore"):
            self._step.begin([run.step for run in runs])
            for rows, progress in runs[0].source.epoch(self._rng):
                self._step(rows, [run.schedule.factor(progress) for run in runs])
            self._step.settle()
            values = self._objective([run.objective for run in runs])
        return [run.end_sweep(value) for run, value in zip(runs, values, strict=True)]
