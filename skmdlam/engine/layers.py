"""A layer: its weights, its last step, its preconditioner and what it owes the penalties.

All layers have the same methods; they differ in what their input is. In a mini-batch of m samples
a layer's input ``a`` has a column for each sample and a last row of ones, which the intercept, the
last row of V, multiplies::

    z = V' a                              forward
    D_{l-1} = W D_l                       pull_back, W being V without the intercept
    V <- V + momentum (last step) + M^-1 a D'     propose, commit
"""

import math

import numpy as np


class StepLimit:
    """Steps of a layer that promise far more than usual are outliers: they are shortened.

    Parameters
    ----------
    largest : float
        A decrease of more than this many times the usual one is no more than that.
    memory : float
        Smallest weight of a step in the average.
    known : int
        Steps after which the average is known well enough.
    """

    def __init__(self, largest, memory, known):
        self.largest, self.memory, self.known = largest, memory, known
        self.reset()

    def reset(self):
        """Forget the average."""
        self.usual, self.count = 0.0, 0

    def length(self, decrease):
        """What to multiply a step of this decrease with; None where that is not finite."""
        if not math.isfinite(decrease):
            return None
        length = 1.0
        usual, count = self.usual, self.count
        limit = self.largest * usual
        if count > self.known and decrease > limit > 0:
            length = np.sqrt(limit / decrease)
            decrease = limit
        self.count = count + 1
        self.usual += max(self.memory, 1.0 / (count + 1)) * (decrease - usual)
        return length


class Layer:
    """A layer of a network in training, with a hidden layer's values as its input.

    Parameters
    ----------
    V : ndarray of shape (n_in + 1, n_out)
        Weights, the intercepts as the last row; changed in place.
    gain : float
        Steps are this many times longer than the least-squares step.
    momentum : float
        Share of the last step that is repeated.
    limit : StepLimit
    preconditioner : RunningPreconditioner or None
        Of the input; the first layer's coordinates need none.
    last : bool, default=False
        Whether this is the output layer.

    Attributes
    ----------
    velocity : ndarray of shape (n_in + 1, n_out)
        The last step.
    right, step : ndarray of shape (n_in + 1, n_out)
        ``a D'`` of the batch, and the step that was proposed.
    accumulated : numpy.float64
        Sum of the step lengths since the block of the penalties was last solved. Double precision,
        so that this block is.
    """

    def __init__(self, V, *, gain, momentum, limit, preconditioner=None, last=False):
        self.V, self.gain, self.momentum = V, gain, momentum
        self.limit, self.preconditioner, self.last = limit, preconditioner, last
        self.right, self.step = np.empty_like(V), np.empty_like(V)
        self.velocity = np.zeros_like(V)
        self.accumulated = np.float64(0.0)

    def accumulate(self, length):
        """Say how long a step was, for the block of the penalties."""
        self.accumulated += length

    def take_accumulated(self):
        """How long the steps since the last block of the penalties were, with the gain."""
        length, self.accumulated = self.gain * self.accumulated, np.float64(0.0)
        return length

    def as_arrays(self):
        """The state, in arrays and numbers."""
        return {
            "V": self.V,
            "velocity": self.velocity,
            "accumulated": float(self.accumulated),
            "usual": self.limit.usual,
            "count": self.limit.count,
            "preconditioner": self.preconditioner and self.preconditioner.as_arrays(),
        }

    def restore(self, arrays, velocity):
        """Go on with the bookkeeping that :meth:`as_arrays` gave, from this last step."""
        self.velocity, self.accumulated = velocity, np.float64(arrays["accumulated"])
        self.limit.usual, self.limit.count = arrays["usual"], arrays["count"]
        if self.preconditioner is not None:
            self.preconditioner.restore(arrays["preconditioner"])

    def forget(self):
        """Drop the momentum and all averages."""
        self.velocity[:] = 0.0
        self.accumulated = np.float64(0.0)
        self.limit.reset()
        if self.preconditioner is not None:
            self.preconditioner.reset()

    def forward(self, a, out):
        """``V' a``, a column for each sample; of the output layer ``out`` is a row for each."""
        if self.last:
            np.matmul(a.T, self.V, out=out)
        else:
            np.matmul(self.V.T, a, out=out)

    def pull_back(self, D, out):
        """``W D``: what the targets of this layer ask of the layer below."""
        # A product with a single row is many times slower than its outer product.
        (np.multiply if D.shape[0] == 1 else np.matmul)(self.V[:-1], D, out=out)

    def propose(self, a, D):
        """Prepare the least-squares step toward ``z + D``; returns what it promises.

        None says that there is no step: the preconditioner is not ready.
        """
        np.matmul(a, D.T, out=self.right)
        if not self.preconditioner.ready:
            return None
        np.matmul(self.preconditioner.inverse, self.right, out=self.step)
        return float(np.vdot(self.step, self.right))

    def commit(self, length):
        """Take the step that was proposed, so many times, with momentum."""
        step = self.step
        if length != 1.0:
            step *= length
        if self.gain != 1.0:
            step *= self.gain
        self.velocity *= self.momentum
        self.velocity += step
        self.V += self.velocity

    @property
    def block(self):
        """What solves the block of the penalties, in the metric of the step."""
        return self.preconditioner

    @property
    def ready(self):
        """Whether the block of the penalties can be solved."""
        return self.preconditioner.ready


class InputLayer(Layer):
    """The first layer, on samples that are dense in the coordinates of its basis.

    In them the metric of its step is the identity.

    Parameters
    ----------
    input : DenseInput or SparseInput
    row_weights : ndarray of shape (n, 1) or None
        What a sample counts in the step.
    **options
        As for :class:`Layer`.
    """

    # Whether batches are dense arrays.
    dense = True

    def __init__(self, V, *, input, row_weights, **options):
        super().__init__(V, **options)
        self.input, self.row_weights = input, row_weights
        self.step = self.right

    @property
    def block(self):
        return self.input.basis

    ready = True

    def take(self, rows, values):
        """Put the samples of these indices into the values of a batch, and their z too."""
        self.input.take(rows, values.U)
        values.inputs[0] = values.U_T
        self.forward(values.U_T, values.output if self.last else values.first)

    def weigh(self, rows, values):
        """Input and targets of the step, in which samples far from all others count less."""
        if self.row_weights is None:
            return values.inputs[0], values.D[0]
        np.multiply(values.U, self.row_weights.take(rows, axis=0), out=values.U_weighted)
        return values.U_weighted.T, values.D[0]

    def propose(self, a, D):
        np.matmul(a, D.T, out=self.right)
        return float(np.vdot(self.right, self.right))

    # -- a large sparse X leaves work for later -------------------------------------------------

    def begin(self):
        """Before the steps of an epoch."""

    def settle(self):
        """After them, and before anything else reads V: do all that was put off."""

    def resume(self):
        """Go on with steps after :meth:`settle`."""

    # -- passes over the samples at fixed weights -----------------------------------------------

    def begin_pass(self):
        """Before forward passes with new weights."""

    def pass_over(self, rows, values):
        """Put the samples ``rows`` (a slice or indices) and their z into the values."""
        view = self.input.view(rows)
        if view is None:
            self.input.take(rows, values.U)
            view = values.U
        values.inputs[0] = view.T
        self.forward(values.inputs[0], values.output if self.last else values.first)

    def end_pass(self):
        """After them."""


class Network:
    """Layers, and the activations between them.

    Parameters
    ----------
    layers : list of Layer
        The first one an :class:`InputLayer`.
    activations : list of Activation
        One for each hidden layer.
    """

    def __init__(self, layers, activations):
        self.layers, self.activations = layers, activations
        self.first, self.above = layers[0], layers[1:]

    @property
    def weights(self):
        """``V`` of each layer."""
        return [layer.V for layer in self.layers]

    def forward(self, values):
        """Fill in z and a from the first pre-activations on; returns z_L, a row a sample."""
        for index, (layer, activation) in enumerate(zip(self.above, self.activations, strict=True)):
            activation.value(values.z[index], out=values.a[index])
            out = values.output if layer.last else values.z[index + 1]
            layer.forward(values.inputs[index + 1], out)
        return values.output


def backward(network, values, far, move):
    """Targets of the hidden layers, from the top down, and the step of each layer above the first.

    A layer's target is passed on before its weights move.

    Parameters
    ----------
    network : Network
    values : Values
        After a forward pass, with the target of the output in ``D[-1]``; the others are filled in.
    far : ndarray of shape (1, m) or None
        What a sample counts in the steps.
    move : callable
        ``move(layer, input, target)`` takes the step.
    """
    D = values.D
    for index in range(len(network.above), 0, -1):
        layer, below = network.layers[index], D[index - 1]
        layer.pull_back(D[index], below)
        below *= network.activations[index - 1].derivative(values.z[index - 1], values.a[index - 1])
        move(layer, values.inputs[index], D[index] if far is None else D[index] * far)


class Values:
    """Buffers for what m samples are in each layer.

    Hidden layers lie on their side, one unit a row, so that the row of ones that carries the
    intercept leaves the activations contiguous.

    Parameters
    ----------
    m : int
        Number of samples.
    shapes : list of tuple
        Of ``V`` of each layer.
    dtype : dtype
    dense : bool
        Whether the first layer's input is a dense array.
    backward : bool, default=True
        Whether there are targets.

    Attributes
    ----------
    U, U_weighted : ndarray of shape (m, r + 1) or None
    first : ndarray of shape (n_1, m)
        Pre-activations of the first layer.
    Y, output, D_output : ndarray of shape (m, K)
    inputs : list of ndarray of shape (n_{l-1} + 1, m)
    z, a, D : list of ndarray of shape (n_l, m)
        ``D`` has the output layer too, ``z`` and ``a``, a part of the next ``inputs``, have not.
    """

    def __init__(self, m, shapes, dtype, *, dense, backward=True):
        def new(*shape):
            return np.empty(shape, dtype=dtype)

        n_outputs = shapes[-1][1]
        self.z = [new(width, m) for _, width in shapes[:-1]]
        self.inputs = [None] + [np.ones((size, m), dtype=dtype) for size, _ in shapes[1:]]
        self.a = [a[:-1] for a in self.inputs[1:]]
        self.output = new(m, n_outputs)
        self.first = self.z[0] if self.z else self.output.T
        self.U = None
        if dense:
            self.U = new(m, shapes[0][0])
            self.inputs[0] = self.U_T = self.U.T
        if backward:
            self.U_weighted = np.empty_like(self.U) if dense else None
            self.Y, self.D_output = new(m, n_outputs), new(m, n_outputs)
            self.D = [new(width, m) for _, width in shapes[:-1]] + [self.D_output.T]
