"""Several networks as one: their products in one call, their bookkeeping each its own.

The arrays of each network's layer become views of stacked arrays, so that whatever else works on
that layer, the penalties, the safeguard or J, goes on as if it were alone.
"""

import numpy as np

from .layers import Network


class _Stack:
    """The arrays of a layer of k networks, stacked.

    Parameters
    ----------
    layers : list of Layer
        One of each network; their arrays become views of those here.

    Attributes
    ----------
    V, velocity, right, step : ndarray of shape (k, ...)
    """

    def __init__(self, layers):
        self.layers, self.last = layers, layers[0].last
        self.momentum, self.gain = layers[0].momentum, layers[0].gain

    def _hold(self, name, *, transposed=False):
        parts = [getattr(layer, name) for layer in self.layers]
        # What belongs to a network lies together, whatever the order of its axes.
        stack = np.ascontiguousarray([part.T for part in parts] if transposed else parts)
        for layer, part in zip(self.layers, stack, strict=True):
            setattr(layer, name, part.T if transposed else part)
        setattr(self, name, stack)

    def commit(self, lengths):
        """Take the steps that were proposed, each so many times; None takes none."""
        if any(length != 1.0 for length in lengths):
            for layer, length in zip(self.layers, lengths, strict=True):
                if length is not None:
                    layer.commit(length)
            return
        if self.gain != 1.0:
            self.step *= self.gain
        self.velocity *= self.momentum
        self.velocity += self.step
        self.V += self.velocity


def inner_products(A, B):
    """``<A_j, B_j>`` of each network, shape (k,)."""
    k = len(A)
    return np.matmul(A.reshape(k, 1, -1), B.reshape(k, -1, 1)).ravel()


class StackedLayer(_Stack):
    """A layer above the first of k networks.

    Parameters
    ----------
    layers : list of Layer
        One of each network; their arrays become views of those here.

    Attributes
    ----------
    V, velocity, right, step : ndarray of shape (k, n_in + 1, n_out)
    inverse : ndarray of shape (k, n_in + 1, n_in + 1)
        Inverses of the preconditioners.
    """

    def __init__(self, layers):
        super().__init__(layers)
        for name in ("V", "velocity", "right", "step"):
            self._hold(name)
        preconditioners = [layer.preconditioner for layer in layers]
        self.inverse = np.stack([preconditioner.inverse for preconditioner in preconditioners])
        for preconditioner, part in zip(preconditioners, self.inverse, strict=True):
            preconditioner.inverse = part
        self._weights_T = self.V.transpose(0, 2, 1)

    def forward(self, a, out):
        """``V' a`` of each, a column for each sample; of the output a row for each."""
        if self.last:
            np.matmul(a.transpose(0, 2, 1), self.V, out=out)
        else:
            np.matmul(self._weights_T, a, out=out)

    def pull_back(self, D, out):
        """``W D`` of each."""
        (np.multiply if D.shape[1] == 1 else np.matmul)(self.V[:, :-1], D, out=out)

    def propose(self, a, D):
        """Prepare the least-squares steps; what each of them promises, None where there is none."""
        np.matmul(a, D.transpose(0, 2, 1), out=self.right)
        np.matmul(self.inverse, self.right, out=self.step)
        promised = inner_products(self.step, self.right).tolist()
        return [
            decrease if layer.ready else None
            for layer, decrease in zip(self.layers, promised, strict=True)
        ]


class StackedInputLayer(_Stack):
    """The first layer of k networks on the same samples: one layer of all their units.

    Parameters
    ----------
    layers : list of InputLayer
        One of each network; their arrays become views of those here.

    Attributes
    ----------
    V, velocity, right : ndarray of shape (k, n_1, r + 1)
        Transposed: one product gives z of all units, a row for each.
    """

    def __init__(self, layers):
        super().__init__(layers)
        for name in ("V", "velocity", "right"):
            self._hold(name, transposed=True)
        self.step = self.right
        for layer in layers:
            layer.step = layer.right
        k, width, size = self.V.shape
        self._all, self._right_of_all = (A.reshape(k * width, size) for A in (self.V, self.right))

    def take(self, rows, values):
        """Put the samples of these indices into the values of a batch, and their z too."""
        self.layers[0].input.take(rows, values.U)
        np.matmul(self._all, values.U.T, out=values.first)

    def pass_over(self, rows, values):
        """The same for samples ``rows`` (a slice or indices) at fixed weights."""
        view = self.layers[0].input.view(rows)
        if view is None:
            self.take(rows, values)
        else:
            np.matmul(self._all, view.T, out=values.first)

    def propose(self, rows, values):
        """Prepare the steps toward the targets of the batch; what each of them promises."""
        U, weights = values.U, self.layers[0].row_weights
        if weights is not None:  # samples far from all others count less
            U = np.multiply(U, weights.take(rows, axis=0), out=values.U_weighted)
        np.matmul(values.D_first, U, out=self._right_of_all)
        return inner_products(self.right, self.right).tolist()


class StackedNetwork(Network):
    """Networks with the same layers on the same samples.

    Parameters
    ----------
    networks : list of Network
        Their first layers dense, with a hidden layer above.
    """

    def __init__(self, networks):
        self._hold(networks)

    def _hold(self, networks):
        self.networks = networks
        first, *above = (list(layer) for layer in zip(*(n.layers for n in networks), strict=True))
        layers = [StackedInputLayer(first), *(StackedLayer(layer) for layer in above)]
        super().__init__(layers, networks[0].activations)
        self._shapes = [V.shape for V in networks[0].weights]
        self._values = {}

    def keep(self, networks):
        """Go on with these, some of its own."""
        if len(networks) < len(self.networks):
            self._hold(networks)

    def values(self, m, *, backward=True):
        """Buffers for so many samples, the same ones each time."""
        values = self._values.get((m, backward))
        if values is None:
            k, dtype = len(self.networks), self.first.V.dtype
            values = StackedValues(k, m, self._shapes, dtype, backward=backward)
            self._values[m, backward] = values
        return values


class StackedValues:
    """Buffers for what m samples are in each layer of k networks.

    Parameters
    ----------
    k, m : int
        Number of networks and of samples.
    shapes : list of tuple
        Of ``V`` of each layer of a network.
    dtype : dtype
    backward : bool, default=True
        Whether there are targets.

    Attributes
    ----------
    U, U_weighted : ndarray of shape (m, r + 1)
    first, D_first : ndarray of shape (k n_1, m)
        z and D of the first layers.
    Y, output, D_output : ndarray of shape (k, m, K)
    z, a, D : list of ndarray of shape (k, n_l, m)
        ``D`` has the output layer too.
    inputs : list of ndarray of shape (k, n_{l-1} + 1, m)
    inputs_of : list of list of ndarray
        By network what its layers see.
    """

    def __init__(self, k, m, shapes, dtype, *, backward=True):
        def new(*shape):
            return np.empty(shape, dtype=dtype)

        widths, n_outputs = [width for _, width in shapes[:-1]], shapes[-1][1]
        self.z = [new(k, width, m) for width in widths]
        self.first = self.z[0].reshape(-1, m)
        self.inputs = [None] + [np.ones((k, size, m), dtype=dtype) for size, _ in shapes[1:]]
        self.a = [a[:, :-1] for a in self.inputs[1:]]
        self.U = new(m, shapes[0][0])
        self.Y, self.output = new(k, m, n_outputs), new(k, m, n_outputs)
        if backward:
            self.inputs_of = [[None, *(a[j] for a in self.inputs[1:])] for j in range(k)]
            self.U_weighted, self.D_output = np.empty_like(self.U), np.empty_like(self.output)
            self.D = [new(k, width, m) for width in widths]
            self.D_first = self.D[0].reshape(-1, m)
            self.D.append(self.D_output.transpose(0, 2, 1))

    def flat(self, *arrays):
        """Arrays (k, m, K) as rows of all networks."""
        return (A.reshape(-1, A.shape[-1]) for A in arrays)
