"""Sweeps over all samples: the problem in standardized units, and a step made of a method."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from ..constants import CONSTANTS
from ..frame import Frame
from ..inputs.row_space import RowSpace
from ..inputs.scaled import scaled_input, uniform_columns
from ..moments import Columns, column_moments, in_like_units
from ..records import Value
from ..regularization import effective_column_alpha
from ..start import lsuv
from ..tails import tails_for
from .full_objective import FullObjective


@dataclass
class Setting:
    """J of all samples as a function of one vector, and what that vector means.

    Attributes
    ----------
    problem : Problem
    frame : Frame
    objective : FullObjective
    space : RowSpace or None
        Where the first layer's weights are those of the row space of X.
    theta : ndarray
        The starting weights.
    moments : tuple of ndarray
        Mean and standard deviation of the columns of X.
    samples : ScaledInput or None
        The samples, as far as they do not depend on the start.
    total : float
        Weight of all samples.
    """

    problem: object
    frame: Frame
    objective: FullObjective
    space: RowSpace | None
    theta: np.ndarray
    moments: tuple
    samples: object
    total: float

    def place(self, coefs, intercepts):
        """Weights in the user's units in one vector."""
        V = self.frame.inner(coefs, intercepts, standard=False)
        return np.concatenate([W.ravel() for W in V])

    def weights(self, theta):
        """Weights in the user's units from the vector."""
        coefs, intercepts = self.frame.outer(self.objective.views(theta))
        if self.space is not None:
            outside = np.zeros((coefs[0].shape[1],) * 2)
            coefs[0] = self.space.expand(np.vstack([coefs[0], outside]))
        dtype = self.problem.X.dtype
        return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]


class LocalSamples:
    """What a setting asks of all samples, where they are those of the problem.

    Parameters
    ----------
    problem : Problem
    constants : Constants
    moments : tuple of ndarray or None, default=None
        Mean and standard deviation of the columns of X, where they are known already.

    Attributes
    ----------
    n : int
    total : float
        Sum of their weights.
    beyond : float or None
        The same where the problem holds only some of them.
    columns : Columns
        Those of X.
    """

    beyond = None

    def __init__(self, problem, constants=CONSTANTS, moments=None):
        rows, X = problem.rows, problem.X
        self._problem, self._constants = problem, constants
        self.n, self.total = X.shape[0], rows.total
        self.moments = column_moments(X, rows.normalized()) if moments is None else moments
        columns = Columns.of(*self.moments, self.total, self.n, X.dtype, constants.limits)
        self.tails = tails_for(problem, columns, constants)
        self.columns = columns if self.tails is None else self.tails.centered(columns)

    @cached_property
    def scaling(self):
        """The loss and its target in units of their own."""
        return self._problem.loss_scaling()

    @cached_property
    def _Y(self):
        Y = self.scaling.normalized().transform(self._problem.Y)
        return np.asfortranarray(Y, dtype=self._problem.X.dtype)

    @cached_property
    def _variance_weight(self):
        if self.tails is None:
            return None
        normalized = self.tails.reweighted(self._problem.rows.normalized())
        return (self.total * normalized).astype(self._problem.X.dtype)

    def objective(self, inputs, widths, ridge, activity, columns, like=None):
        """J of these inputs; parameters as for :class:`FullObjective`."""
        problem, constants = self._problem, self._constants
        weight = problem.sample_weight
        return FullObjective(
            inputs,
            self._Y,
            self.scaling.normalized().loss,
            problem.activations,
            widths,
            None if weight is None else weight.astype(problem.X.dtype, copy=False),
            ridge,
            activity,
            columns,
            constants.limits,
            constants.tuned.column_floor,
            self._variance_weight,
            like,
        )


def setting_of(
    problem,
    coefs,
    intercepts,
    *,
    activity_alpha=0.0,
    column_alpha=0.0,
    upper_alpha=0.0,
    warm=False,
    samples=None,
    like=None,
    constants=CONSTANTS,
):
    """The problem in standardized units, and the starting weights there.

    Parameters
    ----------
    problem : Problem
    coefs, intercepts : list of ndarray
        Starting weights; they are not changed. Unless ``warm`` they are meant for standardized
        columns and a standardized target.
    activity_alpha, column_alpha, upper_alpha : float, default=0.0
        Strengths of the penalties on the variances of the pre-activations, on the columns of X and
        on the weights of all layers but the first, in samples.
    warm : bool, default=False
        Take the starting weights as they are, in the user's units.
    samples : LocalSamples, BlockSamples or None, default=None
        What is known of all samples; None for those of the problem.
    like : Setting or None, default=None
        The same problem from another start: the samples are shared with it.
    constants : Constants

    Returns
    -------
    setting : Setting
    """
    limits = constants.limits
    samples = LocalSamples(problem, constants) if samples is None else samples
    X, n, width = problem.X, samples.n, coefs[0].shape[1]
    rows, normalized, total = problem.rows, problem.rows.normalized(), samples.total
    scaling, columns = samples.scaling.normalized(), samples.columns
    shared = like is not None and like.samples is not None
    inputs = like.samples if shared else scaled_input(X, columns)
    common = inputs
    coefs = [W.astype(float) for W in coefs]
    intercepts = [b.astype(float) for b in intercepts]
    if warm:
        coefs[-1], intercepts[-1] = scaling.inner(coefs[-1], intercepts[-1])
    else:
        coefs[0], intercepts[0] = inputs.expand(np.vstack([coefs[0], intercepts[0]]))
    space, strength = None, 0.0
    if activity_alpha > 0:
        n_columns = int(columns.vary.sum())
        strength = effective_column_alpha(column_alpha, total, n, n_columns)
    wide = samples.beyond is None and RowSpace.pays(X, width, limits)
    wide = wide and n + width <= limits.row_space
    # Where only the start depends on it, copies have to begin like the weights that count them.
    wide = wide and (strength == 0 or total + width < X.shape[1])
    # Rotated columns have one unit: a run in the row space is not for columns in different ones.
    spread = samples.moments[1][columns.vary]
    alike = not (wide and columns.one_unit) or in_like_units(spread, limits)
    if wide and problem.quadratic and not (warm and strength > 0) and (alike or strength > 0):
        unit = 1.0 if alike else inputs.unit
        found = RowSpace(X if alike else _in_units(X, unit), coefs[0] / unit)
        # What the start has outside of the rows says nothing about them: it is dropped.
        rank = found.X.shape[1] - width
        found.W[rank:] = 0.0
        if strength > 0:  # the row space knows no columns
            coefs[0] = found.expand(found.W) * unit
        else:
            space, coefs[0] = found, found.W[:rank]
            X = np.ascontiguousarray(space.X[:, :rank], dtype=problem.X.dtype)
            columns = Columns.of(*column_moments(X, normalized), total, n, X.dtype, limits)
            inputs, common = scaled_input(X, uniform_columns(columns)), None
    alpha = problem.alpha * (problem.penalty.ridge or 0.0) / scaling.factor
    ridge = [alpha] * len(coefs)
    ridge[-1] = alpha * scaling.scale**2
    ridge = [ridge[0] * inputs.ridge] + [r + upper_alpha for r in ridge[1:]]
    objective = samples.objective(
        inputs,
        [W.shape[1] for W in coefs],
        ridge,
        float(activity_alpha),
        strength,
        None if like is None else like.objective,
    )
    V = [inputs.contract(coefs[0], intercepts[0])]
    V += [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]
    if not warm:
        # A column in a tiny unit has large weights: their penalty would be all there is to J.
        V[0][:-1] /= 1.0 + ridge[0] / total
        # No step would ever move the weights of a column that is constant so far.
        V[0][:-1][~inputs.columns.vary] = 0.0
        some = slice(None, None, max(1, rows.n_rows // limits.start_rows))
        shown, weight = inputs.data[some][: limits.start_rows], rows.weight
        weight = None if weight is None else weight[some][: limits.start_rows]
        lsuv(V, lambda: inputs.standardized(shown), problem.activations, weight)
    theta = np.concatenate([W.ravel() for W in V])
    frame = Frame(problem, inputs, scaling)
    return Setting(problem, frame, objective, space, theta, samples.moments, common, total)


def _in_units(X, unit):
    """The columns of X times their units, dense or sparse."""
    return X.multiply(unit.T.astype(X.dtype)).tocsr() if sp.issparse(X) else X * unit.T


class FullBatchStep:
    """A sweep over all samples by a method; the step of a run whose source is all of them.

    Parameters
    ----------
    method : SecantMethod, NesterovMethod or ProximalMethod
        ``start()``, ``start_freely()``, ``renew()`` and ``sweep()`` move its ``theta``, ``value``.
    setting : Setting
    warm : bool
        Whether the starting weights were fitted before. A run that is not warm begins with a few
        sweeps without what hurts useful columns as much as the others; they are part of the start,
        and J is reported from there on.
    """

    def __init__(self, method, setting, *, warm):
        self.method, self.setting = method, setting
        self._free, self.refused = not warm, 0

    @property
    def rho(self):
        """Damping of the method."""
        return self.method.rho

    @property
    def stuck(self):
        """Whether no step descends any more."""
        return self.method.stuck

    def begin(self):
        """Before a sweep."""
        if self._free:
            self._free = False
            self.method.start_freely()

    def settle(self):
        """After it: nothing was put off."""

    def restart(self):
        """After a sweep that was taken back: there is none."""

    def __call__(self, rows, factor):
        """One sweep."""
        self.refused = self.method.advance()
        self.method.sweeps += 1

    def objective(self):
        """J, which the sweep knows."""
        return Value(self.method.value, self.method.value, self.method.value)

    def weights(self):
        """Weights after the last sweep, in the user's units."""
        coefs, intercepts = self.setting.weights(self.method.theta)
        penalty, quadratic = self.setting.problem.penalty, self.setting.problem.quadratic
        if not quadratic:
            # Rounding in the change of units must not leave the penalty's domain.
            coefs = [penalty.prox(W, 0.0) for W in coefs]
        return coefs, intercepts


def without_penalty(problem):
    """The same problem without the penalty on weights, for a start that it would spoil."""
    return replace(problem, alpha=0.0, constrained=False)
