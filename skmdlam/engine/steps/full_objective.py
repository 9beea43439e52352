"""J of the full batch and its gradient by backward targets, a block of rows at a time."""

import itertools
from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np

from ..constants import LIMITS, TUNED
from ..reductions import Rows
from ..regularization import column_penalty, column_ridge


class Objective(ABC):
    """J per unit of sample weight as a function of all weights, in one flat vector ``theta``.

    ``theta`` strings together ``V_l = [W_l; b_l]`` of shape (n_{l-1} + 1, n_l)::

        z_l = (a_{l-1}, 1) V_l,    a_l = h_l(z_l)                            forward
        D_L = s R'(z_L),    D_l = h_l'(z_l) * (D_{l+1} W_{l+1}')             backward
        dJ/dV_l = (a_{l-1}, 1)' D_l                                          summed over rows

    with ``ridge_l W_l``, ``activity s (z_l - mean z_l)`` and :meth:`column_ridge` ``W_1`` for the
    penalties. Here is what follows from sums over the rows; a subclass knows where the rows are.

    Parameters
    ----------
    inputs : ScaledInput
    loss : Loss
    activations : list of Activation
    widths : list of int
        Units of the hidden layers and of the output.
    n_rows : int
    total : float
        Sum of the sample weights.
    dtype : dtype
    ridge : list of float or ndarray of shape (n_{l-1}, 1)
        ``J`` has the term ``1/2 sum_l sum ridge_l * W_l^2``, in sums over samples.
    activity : float
        ``J`` has the term ``activity/2 sum_l sum_k Var_i(z_l[i, k])``, in sums over samples.
    columns : float, default=0.0
        ``J`` has the term ``columns/2 sum_j log(1 + ||w_j||^2 / floor)`` over the columns j that
        vary, ``w_j`` the weights of the standardized column, in sums over samples.
    floor : float
        Of the columns' penalty.
    """

    def __init__(
        self,
        inputs,
        loss,
        activations,
        widths,
        n_rows,
        total,
        dtype,
        ridge,
        activity,
        columns=0.0,
        floor=TUNED.column_floor,
    ):
        self.floor = floor
        self.inputs, self.loss, self.activations = inputs, loss, activations
        self.n_rows, self.total, self.dtype = n_rows, total, dtype
        self.ridge, self.activity, self.columns = ridge, activity, columns
        self.shapes = [(m + 1, k) for m, k in pairwise([inputs.size, *widths])]
        self.depth = len(self.shapes)
        self._edges = np.cumsum([0, *(m * k for m, k in self.shapes)])
        self.size = int(self._edges[-1])

    # -- where the rows are ---------------------------------------------------------------------

    @abstractmethod
    def sums(self, theta):
        """Sums over the rows of the pre-activations of all layers, strung together."""

    @abstractmethod
    def parts(self, theta, mean):
        """J of the loss and of the variances around ``mean``, and its gradient, in one vector."""

    @abstractmethod
    def reduce(self, function, theta, *args, by_row=()):
        """Sum of ``function(objective, V, *args, weight, x, y, *rows)`` over blocks of rows.

        ``rows`` are those of ``by_row``, which :meth:`curvature_scales` gives.
        """

    @abstractmethod
    def curvature_scales(self, theta):
        """What the preconditioner multiplies the curvature of a row by, for :meth:`reduce`.

        Empty where each block of rows finds it by itself.
        """

    @abstractmethod
    def some(self, rows):
        """Rows of these indices as the first layer takes them, and their weights or None."""

    # -- what follows ---------------------------------------------------------------------------

    def views(self, theta):
        """The matrices ``V_l`` inside a flat vector."""
        return [
            theta[start:end].reshape(shape)
            for (start, end), shape in zip(pairwise(self._edges), self.shapes, strict=True)
        ]

    def __call__(self, theta):
        """J per unit of weight and its gradient; J is inf where anything overflows."""
        cast, mean = theta.astype(self.dtype, copy=False), None
        with np.errstate(all="ignore"):
            if self.activity > 0:
                mean = self.sums(cast)
                mean /= self.total
            result = self.parts(cast, mean)
            value, gradient = result[0], result[1:]
            for ridge, W, G in zip(
                self.ridge, self.views(theta), self.views(gradient), strict=True
            ):
                pull = ridge * W[:-1]
                value += 0.5 * np.vdot(pull, W[:-1])
                G[:-1] += pull
            if self.columns > 0:
                W, ridge = self.views(theta)[0][:-1], self.column_ridge(theta)
                sizes = np.einsum("jk,jk->j", W, W)[self.inputs.columns.vary]
                value += 0.5 * self.columns * column_penalty(sizes, self.floor)
                self.views(gradient)[0][:-1] += ridge * W
            result /= self.total
            value = float(value / self.total)
        if not (np.isfinite(value) and np.isfinite(gradient @ gradient)):
            value = np.inf
        return value, gradient

    def column_ridge(self, theta):
        """The ridge on the first layer that has the slope of the columns' penalty at ``theta``."""
        W = self.views(theta)[0][:-1]
        sizes = np.einsum("jk,jk->j", W, W, dtype=float)
        strength = self.columns * self.inputs.columns.vary
        return column_ridge(sizes, strength, self.floor)[:, None]

    def row_curvature(self, theta):
        """Mean curvature of J over the weights of each row, an array (n_{l-1} + 1, 1) a layer.

        Of the Gauss-Newton matrix the diagonal, of its Kronecker form: the mean square of an input
        times that of how far a unit moves the output.
        """
        cast = theta.astype(self.dtype, copy=False)
        V = self.views(cast)
        with np.errstate(all="ignore"):
            means = self.reduce(row_moments, cast) / self.total
            widths = [k for _, k in self.shapes]
            sizes = [widths[-1]] + [m for k in widths[:-1] for m in (k + 1, k)]
            slope, *rest = np.split(means, np.cumsum(sizes)[:-1])
            inputs = [np.ones(self.shapes[0][0]), *rest[::2]]
            rows = []
            for layer in range(self.depth - 1, -1, -1):
                scale = slope.mean() + self.activity / self.total
                curvature = (scale * inputs[layer])[:, None]
                curvature[:-1] += self.ridge[layer] / self.total
                rows.append(curvature)
                if layer > 0:
                    slope = (np.square(V[layer][:-1].astype(float)) @ slope) * rest[2 * layer - 1]
            if self.columns > 0:
                rows[-1][:-1] += self.column_ridge(theta) / self.total
        return rows[::-1]

    # -- a block of rows ------------------------------------------------------------------------

    def _empty(self, rows, columns):
        # Column-major: the ones beside the activations leave them contiguous.
        return np.empty((rows, columns), dtype=self.dtype, order="F")

    def _values(self, rows, widths):
        """Buffers for z, and for a with its column of ones, of a block of rows."""
        z, a = (
            [self._empty(rows, k) for k in part] for part in (widths, [k + 1 for k in widths[:-1]])
        )
        for inputs in a:
            inputs[:, -1] = 1.0
        return z, a

    def _working(self, m):
        """Buffers for m rows."""
        return self._values(m, [k for _, k in self.shapes])

    def forward(self, V, x, buffers=None):
        """Pre-activations, and activations with a column of ones, of a block of rows."""
        m = x.shape[0]
        z, a = ([part[:m] for part in parts] for parts in buffers or self._working(m))
        self.inputs.product(x, V[0], z[0])
        for layer, activation in enumerate(self.activations):
            activation.value(z[layer], out=a[layer][:, :-1])
            np.matmul(a[layer], V[layer + 1], out=z[layer + 1])
        return z, a


def row_moments(objective, V, weight, x, y):
    """What a block of rows adds to the moments of :meth:`Objective.row_curvature`."""
    z, a = objective.forward(V, x)
    weights = np.ones(len(y)) if weight is None else weight.astype(float)
    parts = [weights @ objective.loss.curvature(z[-1], y)[0]]
    for layer, activation in enumerate(objective.activations):
        slope = activation.derivative(z[layer], a[layer][:, :-1])
        parts += [weights @ np.square(a[layer]), weights @ np.square(slope)]
    return np.concatenate(parts)


class FullObjective(Objective):
    """The same of rows in memory, a block of them at a time.

    Nothing of the size of a hidden layer on all rows is kept, only on a block of them, unless that
    is small: then the second pass does not compute it again.

    Parameters
    ----------
    inputs, loss, activations, widths, ridge, activity, columns, floor
        As for :class:`Objective`.
    Y : ndarray of shape (n, K)
    sample_weight : ndarray of shape (n,) or None
    limits : Limits
    variance_weight : ndarray of shape (n,) or None
        Weights in the variances, of the same sum as the sample weights; None takes these.
    like : FullObjective or None
        One of the same samples and shapes, whose buffers are shared: they mean nothing between two
        calls.
    total : float or None, default=None
        Total weight of the samples that these are a part of, which have no buffers yet; None where
        they are all.
    """

    def __init__(
        self,
        inputs,
        Y,
        loss,
        activations,
        widths,
        sample_weight,
        ridge,
        activity,
        columns=0.0,
        limits=LIMITS,
        floor=TUNED.column_floor,
        variance_weight=None,
        like=None,
        total=None,
    ):
        n, dtype = inputs.data.shape[0], inputs.data.dtype
        self.rows = Rows(n, sample_weight, block_rows=limits.block_rows)
        whole = total is None
        super().__init__(
            inputs,
            loss,
            activations,
            widths,
            n,
            self.rows.total if whole else total,
            dtype,
            ridge,
            activity,
            columns,
            floor,
        )
        self.target = loss.compact(Y)
        # What two passes over few samples need is computed once, and kept.
        self._kept = whole and activity > 0 and n * sum(widths) <= limits.small
        self._buffers = self._D = None
        if like is not None:
            self._buffers, self._D = like._buffers, like._D
        elif whole:
            self._make_buffers()
        self._tails = () if variance_weight is None else (variance_weight,)

    def _make_buffers(self):
        widths = [k for _, k in self.shapes]
        sizes = [rows.stop - rows.start for rows in self.rows.blocks]
        self._buffers = [self._values(m, widths) for m in (sizes if self._kept else sizes[:1])]
        self._D = [self._empty(sizes[0], k) for k in widths]

    def sums(self, theta):
        V = self.views(theta)
        return self.rows.reduce(self._pass(self._sums, V), *self._data)

    def parts(self, theta, mean):
        V = self.views(theta)
        return self.rows.reduce(self._pass(self._block, V, mean), *self._data)

    def reduce(self, function, theta, *args, by_row=()):
        V = self.views(theta)
        return self.rows.reduce(
            lambda *block: function(self, V, *args, *block), self.inputs.data, self.target, *by_row
        )

    def curvature_scales(self, theta):
        return ()

    def some(self, rows):
        weight = self.rows.weight
        return self.inputs.data[rows], None if weight is None else weight[rows]

    def _working(self, m):
        return self._buffers[0]

    @property
    def _data(self):
        return self.inputs.data, self.target, *self._tails

    def _pass(self, function, *args):
        """``function`` of each block in turn, with buffers that are its own where they are kept."""
        buffers = iter(self._buffers) if self._kept else itertools.repeat(self._buffers[0])
        return lambda *block: function(*args, next(buffers), *block)

    def scratch(self, layer, m):
        """A buffer of m rows as wide as a layer, of no meaning between two calls."""
        return self._D[layer][:m]

    def _sums(self, V, buffers, weight, x, y, *tails):
        weight = tails[0] if tails else weight
        z, _ = self.forward(V, x, buffers)
        sums = [layer.sum(axis=0, dtype=float) if weight is None else weight @ layer for layer in z]
        return np.concatenate(sums).astype(float)

    def _block(self, V, mean, buffers, weight, x, y, *tails):
        """What a block of rows adds to J, and to its gradient."""
        z, a = buffers if self._kept else self.forward(V, x, buffers)
        m = x.shape[0]
        D = [D[:m] for D in self._D]
        values = self.loss.value_and_gradient(z[-1], y, D[-1])
        value = values.sum() if weight is None else values @ weight.astype(float)
        if weight is not None:
            D[-1] *= weight[:, None]
        counted = tails[0] if tails else weight
        if self.activity > 0:
            means = np.split(mean, np.cumsum([layer.shape[1] for layer in z])[:-1])
        gradient = np.empty(self.size, dtype=self.dtype)
        G = self.views(gradient)
        for layer in range(self.depth - 1, -1, -1):
            if self.activity > 0:
                # z is not asked for any more: nothing of its size need be made beside it.
                centered, strength = z[layer], self.activity / self.total
                centered -= means[layer].astype(self.dtype)
                pull = centered if counted is None else centered * counted[:, None]
                value += 0.5 * strength * float(np.einsum("ij,ij->", pull, centered, dtype=float))
                pull *= strength
                D[layer] += pull
            if layer == 0:
                self.inputs.cross(x, D[0], G[0])
                break
            np.matmul(a[layer - 1].T, D[layer], out=G[layer])
            W = V[layer][:-1]
            # A product with a single column is many times slower than its outer product.
            (np.multiply if W.shape[1] == 1 else np.matmul)(D[layer], W.T, out=D[layer - 1])
            slope = self.activations[layer - 1].derivative(z[layer - 1], a[layer - 1][:, :-1])
            D[layer - 1] *= slope
        return np.concatenate([[value], gradient])
