"""The block of the penalties, where the layers of a network are on a device."""

import numpy as np

from ..inputs.basis import LARGEST_COLUMN_RIDGE


class DevicePenalties:
    """What :class:`~skmdlam.engine.steps.penalty_block.PenaltyBlock` does, for quadratic penalties.

    It takes its place in the step of one of the networks.

    Parameters
    ----------
    block : PenaltyBlock
        On the host, whose terms are those of J.
    state : list of DeviceLayer
        Of all networks.
    basis : Basis
        Coordinates of the first layer.

    Attributes
    ----------
    network : int
        Which one of them this is.
    """

    def __init__(self, block, state, basis):
        self.terms, self.state, self._basis = block.terms, state, basis
        self.network = 0
        f = self._f = state[0].f
        self._inverse_variance = f.array(basis.columns.inverse_variance)
        bulk, factors = basis.factors()
        # Uncorrelated coordinates: one matrix, and what varies along each of them.
        self._rotation = f.array(factors[0]) if bulk is None else None
        self._variance = f.array(basis.variance)

    def __call__(self, layers, epoch, *, first=True):
        """Apply it to all layers, to the first one only where ``first`` says so."""
        terms = self.terms
        if terms.none:
            return
        ridge_of = terms.problem.penalty.ridge
        for index, layer in enumerate(layers):
            if index == 0 and not first:
                continue
            length = layer.take_accumulated() / terms.total
            if length == 0.0:
                continue
            scale = terms.frame.scaling.scale if layer.last else 1.0
            ridge = 0.0 if ridge_of is None else float(terms.alpha * ridge_of * scale**2)
            variance = float(length * terms.activity_alpha)
            if index > 0:
                ridge = float(length * (ridge + terms.upper_alpha))
                self._shrink(self.state[index], variance, ridge)
            elif self._rotation is None:
                self._shrink_on_host(layer, variance, length, ridge)
            else:
                self._shrink_rotated(variance, length, ridge)

    def _shrink(self, layer, variance, ridge):
        """That of a layer above the first, in double precision as there."""
        f, j = self._f, self.network
        moments = layer.moments[j]
        W, mean = layer.V[j, :-1], moments[-1, :-1]
        size = W.shape[0]
        covariance = moments[:-1, :-1] - mean[:, None] * mean
        eps = float(np.finfo(layer.dtype).eps)
        spread = f.clip(f.diagonal(covariance).sum() / size, 0.0)
        floor = 100 * eps * f.diagonal(moments)[:-1].sum()
        added = f.maximum(layer.damping * spread, floor) + eps
        identity = f.eye(size, np.float64)
        metric = covariance + added * f.cast(identity, layer.dtype)
        system = f.cast(metric, np.float64) + variance * f.cast(covariance, np.float64)
        system = system + ridge * identity
        shrunk = _solved(f, system, f.cast(metric @ W, np.float64))
        shrunk = f.cast(shrunk, layer.dtype)
        fine = f.isfinite(shrunk.sum())  # else the next block has other moments
        shrunk = f.where(fine, shrunk, W)
        layer.V[j, -1] += mean @ (W - shrunk)
        layer.V[j, :-1] = shrunk

    def _shrink_rotated(self, variance, length, ridge):
        """That of the first layer, in uncorrelated coordinates."""
        f, terms, layer = self._f, self.terms, self.state[0]
        W = layer.V[self.network, :-1]
        column_ridge = float(length * ridge) * self._inverse_variance
        if terms.column_alpha > 0:
            standard = f.cast(self._rotation @ W, np.float64)
            column_ridge = column_ridge + terms.column_ridge(
                (standard * standard).sum(-1), float(length)
            )
        column_ridge = f.cast(f.clip(column_ridge, None, LARGEST_COLUMN_RIDGE), layer.dtype)
        diagonal = f.cast(1.0 + variance * self._variance, layer.dtype)
        if terms.column_alpha == 0 and ridge == 0:
            layer.V[self.network, :-1] = W / diagonal[:, None]
            return
        S = self._rotation
        system = f.transposed(S) @ (column_ridge[:, None] * S)
        identity = f.eye(W.shape[0], layer.dtype)
        layer.V[self.network, :-1] = _solved(f, system + diagonal[:, None] * identity, W)

    def _shrink_on_host(self, layer, variance, length, ridge):
        """The same in other coordinates, which are those of many columns: there and back."""
        f, j, terms = self._f, self.network, self.terms
        V = layer.V
        V[:] = f.host(self.state[0].V[j])
        if not np.isfinite(V).all():
            return
        columns = ()
        if terms.column_alpha > 0:
            columns = (terms.column_ridge(self._basis.column_sizes(V), length),)
        self._basis.shrink(V, variance, length * ridge, *columns)
        self.state[0].V[j] = f.array(V)


def _solved(f, system, right):
    """``system^-1 right`` for a positive definite matrix, as :mod:`skmdlam.engine.linalg` does."""
    size = system.shape[0]
    diagonal = f.diagonal(system)
    some = diagonal > 0
    scale = f.where(some, 1.0 / f.sqrt(f.where(some, diagonal, 1.0)), 0.0)
    scaled = system * scale * scale[:, None]
    dtype = f.dtype_of(system)
    jitter = f.where(some, size * float(np.finfo(dtype).eps), 1.0)
    scaled = scaled + f.cast(jitter, dtype)[:, None] * f.eye(size, dtype)
    column = scale[:, None]
    return column * f.solve_factored(f.cholesky(scaled), column * right)
