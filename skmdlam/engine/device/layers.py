"""Layers of several networks on a device: weights, last steps, preconditioners, limits of steps.

Everything has a leading axis of k networks. Numbers that a step depends on stay on the device, so
that it can be recorded: the branches of :mod:`skmdlam.engine.layers` are choices by ``where``.
"""

import numpy as np

_STATE = ("V", "velocity")
_MOMENTS = ("moments", "inverse", "observed")


class DeviceLimits:
    """How long steps are: outliers are shortened, those that are not finite are none.

    One for all layers and networks, see :class:`~skmdlam.engine.layers.StepLimit`: what depends on
    a single number costs as much on a device as a product of matrices.

    Parameters
    ----------
    numerics : Numerics
    layers : list of Layer
        Of one network, on the host.
    k : int
        Number of networks.

    Attributes
    ----------
    usual, count : array of shape (L, k, 1, 1)
        The usual decrease, and steps in it.
    """

    def __init__(self, numerics, layers, k):
        f = self.f = numerics
        self._limit, self._momentum = layers[0].limit, layers[0].momentum
        self._dtype = layers[0].V.dtype
        gains = np.reshape([layer.gain for layer in layers], (-1, 1, 1, 1))
        self._gain = f.array(gains, np.float64)
        self.usual, self.count = (f.zeros((len(layers), k, 1, 1), np.float64) for _ in range(2))

    def keep(self, which):
        """Go on with these of the networks, a list of indices."""
        which = self.f.array(np.array(which))
        self.usual, self.count = self.usual[:, which], self.count[:, which]

    def forget(self, network):
        """The averages of one of the networks."""
        self.usual[:, network] = 0.0
        self.count[:, network] = 0.0

    def __call__(self, decreases, factor):
        """What the steps, their predecessors and these together count, for each layer.

        Parameters
        ----------
        decreases : list of array of shape (1, k, 1, 1)
        factor : array of shape (k, 1, 1)
            What the steps were shortened by.

        Returns
        -------
        known, length, kept, one : array of shape (L, k, 1, 1)
            As :meth:`DeviceLayer.commit` takes them.
        """
        f, limit = self.f, self._limit
        decrease = f.join(decreases, 0) / (factor * factor)
        known = f.isfinite(decrease)
        decrease = f.where(known, decrease, 0.0)
        told = (self.count > limit.known) & (self.usual > 0)
        most = f.minimum(decrease, f.where(told, limit.largest * self.usual, np.inf))
        # Exactly one where nothing was shortened.
        length = f.sqrt(most / f.clip(decrease, float(np.finfo(float).tiny)))
        rate = f.clip(1.0 / (self.count + 1.0), limit.memory)
        self.usual += f.where(known, rate * (most - self.usual), 0.0)
        self.count += f.cast(known, np.float64)
        kept = f.where(known, self._momentum + 0.0 * most, 1.0)
        counts = (f.cast(each, self._dtype) for each in (length * self._gain, kept, known))
        return known, *counts


class DeviceLayer:
    """A layer of k networks.

    Parameters
    ----------
    numerics : Numerics
    layers : list of Layer
        One of each network, on the host; their weights are copied by :meth:`upload`.
    first : bool
        Whether its input needs no preconditioner.

    Attributes
    ----------
    V, velocity : array of shape (k, n_in + 1, n_out)
        Weights with the intercepts as the last row, and the last step.
    moments, inverse : array of shape (k, n_in + 1, n_in + 1)
        Of the preconditioner. An inverse that is not known yet is zero: then there is no step.
    observed : array of shape (k, 1, 1)
        Batches in the moments.
    """

    def __init__(self, numerics, layers, first):
        f = self.f = numerics
        self.first = first
        k, (size, width), self.dtype = len(layers), layers[0].V.shape, layers[0].V.dtype
        self.V, self.velocity = (f.zeros((k, size, width), self.dtype) for _ in range(2))
        self._names = _STATE
        if not first:
            own = layers[0].preconditioner
            self.damping, self.memory, self.least_spread = own.damping, own.memory, own.least_spread
            self.moments, self.inverse = (f.zeros((k, size, size), self.dtype) for _ in range(2))
            self.observed = f.zeros((k, 1, 1), np.float64)
            self._names = _STATE + _MOMENTS

    def keep(self, which):
        """Go on with these of the networks, a list of indices."""
        which = self.f.array(np.array(which))
        for name in self._names:
            setattr(self, name, getattr(self, name)[which])

    def upload(self, layers):
        """Take over the weights of the host."""
        self.V[...] = self.f.array(np.stack([layer.V for layer in layers]))

    def download(self, layers):
        """Give the weights to the host."""
        for layer, V in zip(layers, self.f.host(self.V), strict=True):
            layer.V[:] = V

    def forget(self, network):
        """Of one of the networks all but its weights."""
        for name in self._names[1:]:
            getattr(self, name)[network] = 0.0

    def propose(self, a, D):
        """The least-squares step toward ``z + D``, and what it promises, of shape (1, k, 1, 1)."""
        right = self.f.transposed(a) @ D
        step = right if self.first else self.inverse @ right
        return step, self.f.total(step * right, (-2, -1))[None, :, None, None]

    def commit(self, step, known, length, kept, one):
        """Take a step so many times, with momentum.

        Parameters
        ----------
        step : array of shape (k, n_in + 1, n_out)
        known : array of bool of shape (k, 1, 1)
            Whether there is a step.
        length, kept, one : array of shape (k, 1, 1)
            Of this step, of the last one, and 1 or 0 for whether there is one.
        """
        f = self.f
        step = f.where(known, step, 0.0)  # a length of 0 is not enough: 0 inf is no number
        self.velocity *= kept
        f.add_product(self.velocity, step, length)
        f.add_product(self.V, self.velocity, one)

    # -- the preconditioner, see skmdlam.engine.preconditioners ---------------------------------

    def observe(self, A, weight, which):
        """Add a batch (k, m, n_in + 1) to the moments of the networks that ``which`` says.

        ``which`` is 1 or 0 for each, an array of shape (k, 1, 1).
        """
        f = self.f
        if weight is not None:
            A = A * f.sqrt(weight)
        gram = f.transposed(A) @ A
        fine = f.isfinite(gram.sum((-2, -1))[:, None, None]) & (which > 0)
        self.observed += f.cast(fine, np.float64)
        rate = f.clip(1.0 / f.clip(self.observed, 1.0), self.memory)
        rate = f.cast(rate, self.dtype)
        total = f.clip(gram[:, -1:, -1:], float(np.finfo(self.dtype).tiny))
        self.moments[...] = f.where(
            fine, (1.0 - rate) * self.moments + (rate / total) * gram, self.moments
        )

    def refresh(self, which):
        """Invert the moments of these; one where that fails keeps its last inverse."""
        f, size = self.f, self.V.shape[1] - 1
        resolution = 10 * float(np.finfo(self.dtype).eps)
        mean, diagonal = self.moments[:, -1, :-1], f.diagonal(self.moments)[:, :-1]
        spread = (diagonal - mean * mean).sum(-1) / size
        squares = diagonal.sum(-1) / size
        floor = resolution * squares
        ridge = self.damping * f.maximum(f.maximum(spread, floor), self.least_spread * squares)
        ridge = ridge + floor + float(np.finfo(self.dtype).tiny) ** 0.5
        identity, inner = (f.eye(size + 1, self.dtype) for _ in range(2))
        inner[-1, -1] = 0.0
        damped = self.moments + ridge[:, None, None] * inner
        inverse = f.solve_factored(f.cholesky(damped), identity + 0.0 * damped)
        inverse = 0.5 * (inverse + f.transposed(inverse))
        fine = f.all(f.isfinite(inverse), (-2, -1)) & (which > 0)
        self.inverse[...] = f.where(fine, inverse, self.inverse)
