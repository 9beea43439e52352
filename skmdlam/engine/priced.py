"""Sparsity-inducing penalties at their automatic strength: the adaptive lasso, from a dense fit."""

from dataclasses import replace

import numpy as np

from ..penalties import Penalty
from .loop.run import Chain, Run, Stall
from .moments import standardized_samples

# Inputs and units count at least as much as this fraction of the largest one.
_SMALLEST_SHARE = 1e-3


class AdaptivePenalty(Penalty):
    """``sum_j c_j Omega(w_j / s_j) / Omega(w0_j / s_j)`` over the rows of a layer.

    A row costs its penalty factor ``c_j`` at the size that it has in ``W0``, whatever the units of
    inputs and target are; ``s_j`` is the root mean square of row j there. With "group" and "l1" it
    is the adaptive lasso of Zou (2006): the strength at a row is inversely proportional to its
    size.

    Parameters
    ----------
    penalty : Penalty
        Omega.
    W0 : ndarray of shape (n_in, n_out)
        Weights of a fit without it.
    units : ndarray of shape (n_in, 1)
        Spreads of the inputs, 0 for one that is constant; sizes are compared in these units.
    penalty_factor : float
        Of a row.
    """

    def __init__(self, penalty, W0, units, penalty_factor):
        self.penalty, self.penalty_factor = penalty, penalty_factor
        self.by_rows, self.convex = penalty.by_rows, penalty.convex
        W0 = W0.astype(float)
        size = np.sqrt(np.mean(np.square(W0), axis=1, keepdims=True)) * units
        if not self.by_rows:
            size[:] = size.max(initial=0.0)
        size = np.maximum(size, _SMALLEST_SHARE * size.max(initial=0.0))
        known = (size > 0) & (units > 0)
        self._size = np.divide(size, units, out=np.ones_like(size), where=known)
        if not self.by_rows:
            self._size[:] = np.sqrt(np.mean(np.square(W0))) or 1.0
        relative = W0 / self._size
        values = self._values(relative)
        usual = self._values(np.ones_like(relative))
        self._factors = penalty_factor / np.where(values > _SMALLEST_SHARE * usual, values, usual)

    def _values(self, relative):
        """Omega of each row, or the mean over the rows where it is not a sum over them."""
        if self.by_rows:
            return self.penalty.row_values(relative)[:, np.newaxis]
        return np.full((len(relative), 1), self.penalty.value(relative) / len(relative))

    def value(self, W):
        return float(np.sum(self._factors * self._values(W / self._size)))

    def prox(self, W, t):
        size = self._size.astype(W.dtype)
        steps = t * self._factors / np.square(self._size)
        if not self.by_rows:
            steps = float(steps.max(initial=0.0))
        return size * self.penalty.prox(W / size, steps)


class UntilStall(Run):
    """A run that comes to its end where it no longer improves, or after so many sweeps.

    Parameters
    ----------
    run : Run
    max_iter : int
        Sweeps, at most.
    tol : float
        Smallest improvement that counts, in ``run.objective_unit``.
    n_iter_no_change : float
        Sweeps in a row without one that end it.
    added : callable
        ``added(coefs)`` is added to what is said of J: what the next run's has besides.
    """

    def __init__(self, run, max_iter, tol, n_iter_no_change, added):
        self._run, self._added = run, added
        self._left, self._stalled = max_iter, Stall(tol * run.objective_unit, n_iter_no_change)
        self.objective_unit, self.moments = run.objective_unit, run.moments
        self.regularization, self.estimated = run.regularization, run.estimated

    def __next__(self):
        record = next(self._run)
        self._left -= 1
        self.ended = self._stalled(record) or self._run.ended or self._left <= 0
        added = self._added(self._run.weights()[0])
        known = {name: getattr(record, name, None) for name in ("objective", "loss", "kept")}
        higher = {name: value + added for name, value in known.items() if value is not None}
        return replace(record, **higher)

    def cool_down(self):
        """Let the steps shrink, or stop where there is no schedule."""
        if self._run.cools_down:
            self._run.cool_down()
        else:
            self._left = 1

    def weights(self):
        return self._run.weights()


def priced_run(
    options, problem, coefs, intercepts, settings, full_batch_run, *, begin=None, samples=None
):
    """A run without the penalty, then proximal sweeps with it from there.

    J of the second has, in place of ``alpha sum_l penalty(W_l)``, the sum of
    :class:`AdaptivePenalty` over all layers, whose penalty factor is ``V phi / curvature`` times
    ``tuned.input_price`` for an input and ``tuned.unit_price`` for a unit, in the unit of the loss;
    V and the noise fraction phi as in
    :func:`~skmdlam.engine.regularization.estimate_regularization`, and the mean curvature of the
    loss in an output. What a useless input gains by following the noise is of that order, whatever
    the number of samples: as in Akaike's criterion, it has to gain more. What is of use pays as
    much, and is hardly held back by it, because the slope of its penalty is small.

    Parameters
    ----------
    options : Feasible
    problem : Problem
        Its ``alpha`` is None.
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed.
    settings : Settings
    full_batch_run : callable
        :func:`~skmdlam.engine.full_batch.full_batch_run`.
    begin : callable or None, default=None
        ``begin(problem, coefs, intercepts, settings)`` begins the run without the penalty, where
        the options' own ``start`` does not.
    samples : BlockSamples or None, default=None
        What is known of all samples, where the problem holds only some of them.

    Returns
    -------
    run : Chain
    """
    tuned = options.constants.tuned
    free = replace(problem, alpha=0.0)
    sweeps = -(-2 * settings.max_iter // 3)
    first = replace(settings, max_iter=sweeps)
    if begin is not None:
        run = begin(free, coefs, intercepts, first)
    else:
        if options.takes_all_samples(problem, settings):
            first = replace(first, batch_size=problem.X.shape[0])
        run = options.start(free, coefs, intercepts, **vars(first))
    found, moments = run.regularization, run.moments
    total, beyond = (problem.rows.total, None) if samples is None else (samples.total,) * 2
    scaling = problem.loss_scaling() if samples is None else samples.scaling
    noise = found.gradient_noise
    if np.isnan(noise):
        told = scaling if samples is None else problem.loss_scaling()
        shown, Y = standardized_samples(problem.X, *moments), told.transform(problem.Y)
        estimated = options.estimate_regularization(problem, told, shown, Y, total=beyond)
        noise = estimated.gradient_noise
    unit = noise * scaling.factor * scaling.loss_scale
    penalty_factors = [tuned.input_price * unit] + [tuned.unit_price * unit] * (len(coefs) - 1)

    def added(weights):
        """Of all inputs and units that are used, per unit of weight."""
        used = [np.any(W, axis=1).sum() for W in weights]
        return float(np.dot(penalty_factors, used)) / total

    # The strengths of the first run hold for the second one too.
    named = replace(options, column_alpha=found.column_alpha, upper_alpha=found.upper_alpha)
    warm = replace(settings, warm=True, activity_alpha=found.activity_alpha)

    def finish(coefs, intercepts):
        units = [moments[1][:, None]] + [np.ones((W.shape[0], 1)) for W in coefs[1:]]
        layers = [
            AdaptivePenalty(problem.penalty, W, *rest)
            for W, *rest in zip(coefs, units, penalty_factors, strict=True)
        ]
        priced = replace(problem, alpha=1.0, layer_penalties=layers)
        return full_batch_run(named, priced, coefs, intercepts, warm)

    first = UntilStall(run, sweeps, settings.tol, settings.n_iter_no_change, added)
    return Chain(first, finish)
