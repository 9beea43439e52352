"""J of all samples, its gradient and the moments of a sweep's metric, by passes on a device."""

import numpy as np

from ..steps.full_objective import FullObjective
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

    def over_rows(self, V):
        f = self.f
        V = [f.array(W) for W in V]
        passes = [self._forward(V, rows) for rows in self._chunks[:1]]
        means = [None] * self.depth
        if self.activity > 0:
            means = [0.0] * self.depth
            for rows in self._chunks:
                _, z, _ = passes[0] if len(self._chunks) == 1 else self._forward(V, rows)
                weight = None if self._counted is None else self._counted[rows]
                for layer, part in enumerate(z):
                    part = part if weight is None else part * weight
                    means[layer] = means[layer] + f.total(part, 0) / self.rows.total
        value, gradient = 0.0, [0.0] * self.depth
        for rows in self._chunks:
            parts = passes.pop() if passes else self._forward(V, rows)
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
        value, strength = values.sum(), self.activity / self.rows.total
        for layer in range(self.depth - 1, -1, -1):
            if self.activity > 0:
                centered = z[layer] - f.cast(means[layer], dtype)
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

    def moments(self, V, preconditioner):
        f = self.f
        V, total = [f.array(W) for W in V], None
        for rows in self._chunks:
            parts = self._moments_of_rows(V, rows, preconditioner)
            total = parts if total is None else [x + y for x, y in zip(total, parts, strict=True)]
        return np.concatenate([f.host(part).ravel() for part in total])

    def _moments_of_rows(self, V, rows, preconditioner):
        """What some rows add, as :meth:`KroneckerPreconditioner.moments_of`."""
        f = self.f
        U, z, a = self._forward(V, rows)
        output, y = (f.cast(part, np.float64) for part in (z[-1], self._Y[rows]))
        diagonal, factor = self._loss_on.curvature(output, y)
        share = self._share(rows, diagonal, factor, preconditioner.curvature_share)
        root = f.sqrt(f.cast(share, self.dtype))[:, None]
        M = f.eye(output.shape[1], np.float64) * (share @ diagonal)
        if factor is not None:
            M = M - f.transposed(factor * share[:, None]) @ factor
        parts, narrow = [M], f.cast(share, self.dtype)
        for layer, whole in enumerate(preconditioner.whole):
            A = a[layer - 1] if layer > 0 else U[:, :-1]
            if whole:
                parts += [narrow @ A, _gram(f, A, root)]
            if layer > 0:
                slope = self._h[layer - 1].derivative(z[layer - 1], A)
                parts.append(_gram(f, slope + 0.0 * A, root))
        return [f.cast(part, np.float64) for part in parts]

    def _share(self, rows, diagonal, factor, curvature_share):
        """Weights of some rows, more for those of a curved loss; that of a block of rows stays."""
        f = self.f
        curvature = diagonal.sum(-1)
        if factor is not None:
            curvature = curvature - (factor * factor).sum(-1)
        m, block = curvature.shape[0], self._block_rows()
        if self._weight is None:
            share = f.ones((m,), np.float64)
        else:
            share = f.cast(self._weight[rows][:, 0], np.float64)
        rest = f.zeros((-m % block,), np.float64)
        by_block, curved = (
            f.join([part, rest], 0).reshape(-1, block) for part in (share, curvature)
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
