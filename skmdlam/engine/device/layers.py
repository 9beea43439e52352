"""Layers of several networks on a device: weights, last steps, preconditioners, limits of steps.

Everything has a leading axis of k networks. Numbers that a step depends on stay on the device, so
that it can be recorded: the branches of :mod:`skmdlam.engine.layers` are choices by ``where``.
"""

import numpy as np

_STATE = ("V", "velocity", "usual", "count")
_MOMENTS = ("moments", "inverse", "observed")


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
    usual, count : array of shape (k, 1, 1)
        Of the limit of a step.
    moments, inverse : array of shape (k, n_in + 1, n_in + 1)
        Of the preconditioner. An inverse that is not known yet is zero: then there is no step.
    observed : array of shape (k, 1, 1)
        Batches in the moments.
    """

    def __init__(self, numerics, layers, first):
        f = self.f = numerics
        self.first = first
        self.gain, self.momentum, self.limit = layers[0].gain, layers[0].momentum, layers[0].limit
        k, (size, width), self.dtype = len(layers), layers[0].V.shape, layers[0].V.dtype
        self.V, self.velocity = (f.zeros((k, size, width), self.dtype) for _ in range(2))
        self.usual, self.count = (f.zeros((k, 1, 1), np.float64) for _ in range(2))
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

    def move(self, a, D, factor):
        """The least-squares step towards ``z + D``, no longer than usual, with momentum."""
        f = self.f
        right = f.transposed(a) @ D
        step = right if self.first else self.inverse @ right
        decrease = f.total(step * right, (-2, -1))[:, None, None] / (factor * factor)
        known = f.isfinite(decrease)
        decrease = f.where(known, decrease, 0.0)
        most = self.limit.largest * self.usual
        far = (self.count > self.limit.known) & (decrease > most) & (most > 0)
        length = f.where(far, f.sqrt(most / f.where(far, decrease, 1.0)), 1.0)
        decrease = f.where(far, most, decrease)
        rate = f.clip(1.0 / (self.count + 1.0), self.limit.memory)
        self.usual += f.where(known, rate * (decrease - self.usual), 0.0)
        self.count += f.cast(known, np.float64)
        step = step * f.cast(self.gain * length, self.dtype)
        moved = self.momentum * self.velocity + step
        # One that is not finite is not taken; the last one is not repeated either.
        self.velocity[...] = f.where(known, moved, self.velocity)
        self.V += f.where(known, self.velocity, 0.0)

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
        inner = np.eye(size + 1, dtype=self.dtype)
        inner[-1, -1] = 0.0
        damped = self.moments + ridge[:, None, None] * f.array(inner)
        identity = f.array(np.broadcast_to(np.eye(size + 1, dtype=self.dtype), damped.shape))
        inverse = f.solve_factored(f.cholesky(damped), identity)
        inverse = 0.5 * (inverse + f.transposed(inverse))
        fine = f.all(f.isfinite(inverse), (-2, -1)) & (which > 0)
        self.inverse[...] = f.where(fine, inverse, self.inverse)
