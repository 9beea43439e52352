"""What a run of mini-batches works on: prepared data, and the network that it starts with."""

from dataclasses import dataclass

import numpy as np

from .frame import Frame
from .layers import InputLayer, Layer, Network, StepLimit
from .preconditioners import RunningPreconditioner
from .regularization import Regularization
from .sparse_layers import LazyInputLayer, SparseInputLayer
from .start import has_small_slope, lsuv


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What does not change in a run.

    Attributes
    ----------
    problem : Problem
    frame : Frame
        Coordinates of the input and scaling of the target.
    input : DenseInput or SparseInput
        The samples in these coordinates.
    row_weights : ndarray of shape (n, 1) or None
        What a sample counts in the first layer's step.
    Y : ndarray of shape (n, K)
        Scaled targets, in the type of the run.
    weight : ndarray of shape (n, 1) or None
        Sample weights with a mean of one.
    tail_weight : ndarray of shape (n, 1) or None
        What a sample counts in the steps of hidden layers, see
        :class:`~skmdlam.engine.tails.Tails`.
    variance_weight : ndarray of shape (n, 1) or None
        What it counts in the variances of J, with a mean of one; None where that is its weight.
    total : float
        Sum of the sample weights, of all of a stream's.
    dtype : dtype
        Of steps.
    regularization : Regularization
        Strengths of the unit-free penalties.
    estimated : Regularization or None
        What was estimated of them.
    column_alpha : float
        Strength of the columns' penalty on so many columns of samples of this weight.
    moments : tuple of ndarray or None
        Mean and standard deviation of the columns of X.
    tails : Tails or None
        Of these columns.
    """

    problem: object
    frame: Frame
    input: object
    row_weights: np.ndarray | None
    Y: np.ndarray
    weight: np.ndarray | None
    total: float
    dtype: np.dtype
    regularization: Regularization
    estimated: Regularization | None
    column_alpha: float
    moments: tuple | None = None
    tails: object = None
    tail_weight: np.ndarray | None = None
    variance_weight: np.ndarray | None = None

    @property
    def n(self):
        """Number of samples."""
        return len(self.Y)

    def weights_of(self, rows):
        """What samples of these indices count: in the targets, in steps and in moments.

        Returns
        -------
        weight : ndarray of shape (m, 1) or None
        far : ndarray of shape (1, m) or None
        counted : ndarray of shape (m, 1) or None
        """
        weight = None if self.weight is None else self.weight.take(rows, axis=0)
        if self.tail_weight is None:
            return weight, None, weight
        far = self.tail_weight.take(rows, axis=0).T
        return weight, far, self.variance_weight.take(rows, axis=0)

    @property
    def loss(self):
        """The loss in its own units."""
        return self.frame.scaling.loss

    @property
    def loss_scale(self):
        """Size of that loss."""
        return self.frame.scaling.loss_scale


def starting_weights(prepared, coefs, intercepts, *, warm, limits):
    """Weights that a run starts with, in its own units, the intercepts as the last row.

    Parameters
    ----------
    prepared : Prepared
    coefs, intercepts : list of ndarray
        They are not changed. Unless ``warm`` they are meant for standardized columns and target.
    warm : bool
        They were fitted before: go on from them as they are.
    limits : Limits

    Returns
    -------
    V : list of ndarray
    """
    problem, frame = prepared.problem, prepared.frame
    penalty = problem.penalty
    coefs = list(coefs)
    if not warm and problem.alpha > 0 and penalty.ridge is not None:
        # A column in a tiny unit has large weights: their penalty would be all there is to J.
        ridge = problem.alpha * penalty.ridge / (frame.unit * prepared.total)
        inverse_variance = frame.coordinates.columns.inverse_variance
        coefs[0] = coefs[0].astype(float) / (1.0 + ridge * inverse_variance)[:, None]
    V = frame.inner(coefs, intercepts, standard=not warm)
    V = [np.ascontiguousarray(W, dtype=prepared.dtype) for W in V]
    if not warm:
        n, most = prepared.n, limits.start_rows
        some = np.arange(0, n, max(1, n // most))[:most]
        weight = None if prepared.weight is None else prepared.weight[some, 0]
        lsuv(V, lambda: prepared.input.factor(some), problem.activations, weight)
    return V


def network_of(prepared, V, options, largest, *, may_be_lazy=True):
    """The layers of a run.

    Parameters
    ----------
    prepared : Prepared
    V : list of ndarray
        Weights, which the layers take over.
    options : Feasible
    largest : int
        Samples in the largest batch.
    may_be_lazy : bool, default=True
        Whether a step on a large sparse X may leave most weights for later.

    Returns
    -------
    network : Network
    """
    activations = prepared.problem.activations
    tuned, limits = options.constants.tuned, options.constants.limits
    gains = [options.gain_of(has_small_slope(activation)) for activation in activations] + [1.0]
    damping = options.damping_of(len(activations))
    last = len(V) - 1

    def shared(index):
        limit = StepLimit(tuned.largest_decrease, tuned.decrease_memory, tuned.decreases_known)
        momentum = options.momentum
        return {"gain": gains[index], "momentum": momentum, "limit": limit, "last": index == last}

    first = _first_layer(prepared, V[0], largest, limits, may_be_lazy, shared(0))
    layers = [first]
    for index in range(1, len(V)):
        size = V[index].shape[0] - 1
        preconditioner = RunningPreconditioner(size, damping, tuned.memory, prepared.dtype)
        layers.append(Layer(V[index], preconditioner=preconditioner, **shared(index)))
    return Network(layers, activations)


def _first_layer(prepared, V, largest, limits, may_be_lazy, options):
    """The first layer in the form that its input asks for."""
    held, basis = prepared.input, prepared.frame.coordinates
    options = {**options, "input": held, "row_weights": prepared.row_weights}
    if held.dense:
        return InputLayer(V, **options)
    if may_be_lazy and limits.lazy and held.projections is not None:
        return LazyInputLayer(V, smallest_power=limits.smallest_power, **options)
    # To change all weights for every batch may cost more than to change its samples.
    width, directions = V.shape[1], basis.n_directions
    cheap = 2 * width * directions <= largest * (directions + 2 * width)
    return (SparseInputLayer if cheap else InputLayer)(V, **options)
