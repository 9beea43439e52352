"""J of all samples, its gradient and the moments of a sweep's metric, by passes on a device."""

import numpy as np

from ..steps.full_objective import FullObjective
from ..steps.kronecker import layer_moments
from .inputs import CoordinatesOn, RowsOnDemand, StoredRows, encoded_on
from .kernels import activations_on, loss_on

# Numbers in the values of one layer in a chunk.
_NUMBERS = 2**25


class FullObjectiveOnDevice(FullObjective):
    """The same J as a function of the same vector: weights go there, sums over the rows come back.

    Parameters
    ----------
    numerics : Numerics
    on_host : FullObjective
    Y : ndarray of shape (n, K)
        Scaled targets.
    like : FullObjectiveOnDevice or None, default=None
        One of the same samples, with which they are shared.
    """

    def __init__(self, numerics, on_host, Y, like=None):
        vars(self).update(vars(on_host))
        f = self.f = numerics
        self._forwarded = None, None
        self._loss_on, self._h = loss_on(f, self.loss), activations_on(f, self.activations)
        if like is not None:
            self._samples, self._Y = like._samples, like._Y
            self._weight, self._counted = like._weight, like._counted
        else:
            self._samples, self._Y = self._rows_on(f), f.array(Y)

            def moved(weight):
                return None if weight is None else f.array(weight, self.dtype)[:, None]

            self._weight = moved(self.rows.weight)
            self._counted = moved(*self._tails) if self._tails else self._weight
        widest = max(k for _, k in self.shapes)
        rows, block = self.rows, self._block_rows()
        step = block * max(1, _NUMBERS // (widest * block))
        self._chunks = [slice(a, min(a + step, rows.n_rows)) for a in range(0, rows.n_rows, step)]

    def _block_rows(self):
        first = self.rows.blocks[0]
        return first.stop - first.start

    def _rows_on(self, f):
        inputs = self.inputs
        if isinstance(inputs.data, np.ndarray):
            return StoredRows(f.array(inputs.data))
        coordinates = CoordinatesOn(f, inputs.columns, self.dtype)
        return RowsOnDemand(encoded_on(f, inputs.samples), coordinates)

    def _forward(self, V, rows):
        """Input, pre-activations and activations of some rows, the ones of the input with them."""
        U, a = self._samples.take(rows), []
        z = [U @ V[0]]
        for h, W in zip(self._h, V[1:], strict=True):
            a.append(h.value(z[-1]))
            z.append(a[-1] @ W[:-1] + W[-1])
        return U, z, a

    def sums(self, theta):
        f, sums = self.f, [0.0] * self.depth
        V = [f.array(W) for W in self.views(theta)]
        for rows in self._chunks:
            parts = self._forward(V, rows)
            weight = None if self._counted is None else self._counted[rows]
            for layer, z in enumerate(parts[1]):
                sums[layer] = sums[layer] + f.total(z if weight is None else z * weight, 0)
        if len(self._chunks) == 1:  # small: not computed again
            self._forwarded = theta, parts
        return np.concatenate([f.host(each) for each in sums])

    def parts(self, theta, mean):
        f, means = self.f, None
        V = [f.array(W) for W in self.views(theta)]
        if mean is not None:
            edges = np.cumsum([W.shape[1] for W in V])[:-1]
            means = [f.array(each, self.dtype) for each in np.split(mean, edges)]
        (known, forwarded), self._forwarded = self._forwarded, (None, None)
        value, gradient = 0.0, [0.0] * self.depth
        for rows in self._chunks:
            parts = forwarded if known is theta else self._forward(V, rows)
            value = value + self._add_rows(V, rows, *parts, means, gradient)
        flat = [f.host(f.cast(G, np.float64)).ravel() for G in gradient]
        return np.concatenate([[float(value)], *flat])

    def _add_rows(self, V, rows, U, z, a, means, gradient):
        """Add the gradient of some rows; returns what they add to J."""
        f, dtype = self.f, self.dtype
        weight = None if self._weight is None else self._weight[rows]
        counted = None if self._counted is None else self._counted[rows]
        output, y = (f.cast(part, np.float64) for part in (z[-1], self._Y[rows]))
        values = self._loss_on.value(output, y)
        D = f.cast(self._loss_on.gradient(output, y), dtype)
        if weight is not None:
            values, D = values * weight[:, 0], D * weight
        value, strength = values.sum(), self.activity / self.total
        for layer in range(self.depth - 1, -1, -1):
            if means is not None:
                centered = z[layer] - means[layer]
                pull = centered if counted is None else centered * counted
                value = value + 0.5 * strength * f.total(pull * centered, (0, 1))
                D = D + strength * pull
            if layer == 0:
                gradient[0] = gradient[0] + f.transposed(U) @ D
                break
            parts = [f.transposed(a[layer - 1]) @ D, D.sum(0)[None]]
            gradient[layer] = gradient[layer] + f.join(parts, 0)
            D = D @ f.transposed(V[layer][:-1])
            D = D * self._h[layer - 1].derivative(z[layer - 1], a[layer - 1])
        return value

    def reduce(self, function, theta, *args, by_row=()):
        if function is not layer_moments:
            return super().reduce(function, theta, *args, by_row=by_row)
        f = self.f
        V, total = [f.array(W) for W in self.views(theta)], None
        for rows in self._chunks:
            parts = self._moments_of_rows(V, rows, *args)
            total = parts if total is None else [x + y for x, y in zip(total, parts, strict=True)]
        return np.concatenate([f.host(part).ravel() for part in total])

    def _moments_of_rows(self, V, rows, whole, curvature_share):
        """What some rows add, as :func:`~skmdlam.engine.steps.kronecker.layer_moments` says."""
        f = self.f
        U, z, a = self._forward(V, rows)
        output, y = (f.cast(part, np.float64) for part in (z[-1], self._Y[rows]))
        diagonal, factor = self._loss_on.curvature(output, y)
        weights = self._curvature_weights(rows, diagonal, factor, curvature_share)
        root = f.sqrt(f.cast(weights, self.dtype))[:, None]
        M = f.eye(output.shape[1], np.float64) * (weights @ diagonal)
        if factor is not None:
            M = M - f.transposed(factor * weights[:, None]) @ factor
        parts, narrow = [M], f.cast(weights, self.dtype)
        for layer, is_whole in enumerate(whole):
            A = a[layer - 1] if layer > 0 else U[:, :-1]
            if is_whole:
                parts += [narrow @ A, _gram(f, A, root)]
            if layer > 0:
                slope = self._h[layer - 1].derivative(z[layer - 1], A)
                parts.append(_gram(f, slope + 0.0 * A, root))
        return [f.cast(part, np.float64) for part in parts]

    def _curvature_weights(self, rows, diagonal, factor, curvature_share):
        """Weights of some rows, more for those of a curved loss; that of a block of rows stays."""
        f = self.f
        curvature = diagonal.sum(-1)
        if factor is not None:
            curvature = curvature - (factor * factor).sum(-1)
        m, block = curvature.shape[0], self._block_rows()
        if self._weight is None:
            weights = f.ones((m,), np.float64)
        else:
            weights = f.cast(self._weight[rows][:, 0], np.float64)
        rest = f.zeros((-m % block,), np.float64)
        by_block, curved = (
            f.join([part, rest], 0).reshape(-1, block) for part in (weights, curvature)
        )
        scale = by_block.sum(-1) / (by_block * curved).sum(-1)
        curved = curved * scale[:, None]
        weighed = by_block * (curvature_share * curved + (1.0 - curvature_share))
        weighed = f.where(f.all(f.isfinite(curved), -1), weighed, by_block)
        return weighed.reshape(-1)[:m]


def _gram(f, A, root):
    """Weighted second moments of the columns of A."""
    scaled = A * root
    return f.transposed(scaled) @ scaled
