"""J: its terms, once, and its value by forward passes over the layers of a run."""

import numpy as np

from .constants import LIMITS, TUNED
from .layers import Values
from .records import Value
from .reductions import Rows
from .regularization import column_penalty, column_ridge
from .stacks import inner_products


class Terms:
    """The penalties of J in a run, per unit of sample weight and in the run's units.

    ::

        J / (total unit) = data / loss_scale + activity(sum of variances) + columns(sizes)
                           + upper(weights of all layers but the first) + weights(coefs)

    Parameters
    ----------
    frame : Frame
    total : float
        Sum of the sample weights.
    activity_alpha, column_alpha, upper_alpha : float
        Strengths; the second as :func:`~skmdlam.engine.regularization.effective_column_alpha` gives
        it.
    floor : float
        Squared weight below which the penalty of a column is about quadratic.
    """

    def __init__(
        self, frame, total, activity_alpha, column_alpha, upper_alpha, floor=TUNED.column_floor
    ):
        self.floor = floor
        self.problem, self.frame, self.total = frame.problem, frame, total
        self.activity_alpha, self.column_alpha = activity_alpha, column_alpha
        self.upper_alpha = upper_alpha
        # Strength of the penalty on weights in the run's units.
        self.alpha = self.problem.alpha / frame.unit

    @classmethod
    def of(cls, prepared, floor=TUNED.column_floor):
        """Those of a run on prepared data."""
        return cls(
            prepared.frame,
            prepared.total,
            prepared.regularization.activity_alpha,
            prepared.column_alpha,
            prepared.regularization.upper_alpha,
            floor,
        )

    @property
    def none(self):
        """Whether J is the data term alone."""
        unit_free = max(self.activity_alpha, self.column_alpha, self.upper_alpha) > 0
        return not (unit_free or self.problem.penalized)

    def activity(self, variance):
        """Of variances of the pre-activations, that of the output in units of the target."""
        return 0.5 * self.activity_alpha / self.total * variance

    def columns(self, sizes):
        """Of squared norms of the weights of each standardized column."""
        return 0.5 * self.column_alpha / self.total * column_penalty(sizes, self.floor)

    def column_ridge(self, sizes, length):
        """The ridge that has the slope of ``length`` times that penalty there, for each column."""
        return column_ridge(sizes, length * self.column_alpha, self.floor)

    def upper(self, V):
        """Of the weights of all layers but the first, the intercepts as the last row."""
        squares = sum(float(np.vdot(W[:-1], W[:-1])) for W in V)
        return 0.5 * self.upper_alpha / self.total * squares

    def weights(self, coefs):
        """Of weights in the user's units."""
        penalties = sum(self.problem.penalty_value(W) for W in coefs)
        return penalties / (self.total * self.frame.unit)


class LayerObjective:
    """J of the network that the layers of a run are, by a forward pass in chunks of the samples.

    Of more samples than ``tuned.all_measured`` it is taken on a random part of them that stays the
    same, in every run on the same data. Weighted samples count all, and so do those of a fit whose
    sweeps over all samples go on from here: J of a part could not be compared with theirs.

    Parameters
    ----------
    network : Network
    prepared : Prepared
    terms : Terms
    largest : int
        Samples in the largest batch, which chunks that have to become dense do not exceed.
    all_samples : bool, default=False
        Never a part of them.
    tuned : Tuned
    limits : Limits

    Attributes
    ----------
    n : int
        Samples that J is measured on.
    chunks : list
        Their slices or indices.
    """

    def __init__(
        self, network, prepared, terms, largest, *, all_samples=False, tuned=TUNED, limits=LIMITS
    ):
        self.network, self.prepared, self.terms = network, prepared, terms
        n = prepared.n
        first = network.first
        # Samples of a sparse X that become dense by the chunk: keep that as small as a batch.
        whole = not first.dense or first.input.dense
        step = limits.measured_rows if whole else largest
        m = self.n = n if all_samples else self.measured_samples(prepared, n, tuned)
        self._sample = np.sort(np.random.RandomState(0).permutation(n)[:m]) if m < n else None
        self.chunks = self.chunks_of(step)
        shapes = [V.shape for V in network.weights]
        self._values = {
            m: Values(m, shapes, prepared.dtype, dense=first.dense, backward=False)
            for m in {_length(rows) for rows in self.chunks}
        }
        self._ones = np.ones(step, dtype=prepared.dtype)

    @staticmethod
    def measured_samples(prepared, n, tuned=TUNED):
        """How many of n samples J is measured on."""
        everything = prepared.weight is not None or not prepared.problem.quadratic
        if n <= tuned.all_measured or everything:
            return n
        return max(tuned.measured, int(tuned.measured_share * n))

    def chunks_of(self, step):
        """Chunks of so many samples, slices or indices."""
        slices = Rows(self.n, block_rows=step).blocks
        return slices if self._sample is None else [self._sample[rows] for rows in slices]

    def passes(self, chunks=None):
        """Forward passes: the rows of each chunk and their values in all layers."""
        first = self.network.first
        first.begin_pass()
        for rows in self.chunks if chunks is None else chunks:
            values = self._values[_length(rows)]
            first.pass_over(rows, values)
            self.network.forward(values)
            yield rows, values
        first.end_pass()

    def per_sample(self, chunks=None, weights=None):
        """Loss of each sample, or of those of some chunks, in double precision.

        ``weights`` are those of each layer, in place of the present ones.
        """
        loss, Y, layers = self.prepared.loss, self.prepared.Y, self.network.layers
        present = self.network.weights
        try:
            for layer, V in zip(layers, present if weights is None else weights, strict=True):
                layer.V = V.astype(layer.V.dtype, copy=False)
            parts = [
                np.array(loss.value(values.output, Y[rows]), dtype=float)
                for rows, values in self.passes(chunks)
            ]
        finally:
            for layer, V in zip(layers, present, strict=True):
                layer.V = V
        return np.concatenate(parts)

    def __call__(self):
        """J and its data term at the present weights, per unit of weight, in the run's units."""
        return self.assemble(*self.sums())

    def sums(self):
        """What :meth:`assemble` makes J of."""
        prepared, layers = self.prepared, self.network.layers
        variances = self.terms.activity_alpha > 0
        data, total = 0.0, 0.0
        sums, squares = [0.0] * len(layers), [0.0] * len(layers)
        for rows, values in self.passes():
            weight, counted, size = self.weights_of(rows, values.output.shape[0])
            if variances:
                total += size
                for index, z in enumerate([*values.z, values.output.T]):
                    ones = self._ones[: z.shape[1]] if counted is None else counted
                    sums[index] = sums[index] + (z @ ones).astype(float)
                    squares[index] += _weighted_square(z, counted)
            losses = prepared.loss.value(values.output, prepared.Y[rows])
            data += float(losses.sum() if weight is None else losses @ weight.astype(float))
        return data, sums, squares, total

    def weights_of(self, rows, m):
        """Of the samples of a chunk: their weights, those in variances, and the sum of these."""
        weight = None if self.prepared.weight is None else self.prepared.weight[rows, 0]
        tails = self.prepared.variance_weight
        counted = weight if tails is None else tails[rows, 0]
        return weight, counted, m if tails is None else float(counted.sum())

    def assemble(self, data, sums, squares, total):
        """J from sums over the samples.

        Parameters
        ----------
        data : float
            Of the losses.
        sums : list of ndarray of shape (n_l,)
            Of the pre-activations of each layer.
        squares : list of float
            Of their squares, over its units.
        total : float
            Of the weights in both.
        """
        prepared, terms = self.prepared, self.terms
        data /= self.n * prepared.frame.scaling.loss_scale
        objective = data
        if terms.activity_alpha > 0:
            for s, square in zip(sums, squares, strict=True):
                variance = max(square / total - float(np.sum((s / total) ** 2)), 0.0)
                objective += terms.activity(variance)
        if terms.column_alpha > 0:
            V = self.network.first.V
            objective += terms.columns(self.network.first.input.basis.column_sizes(V))
        if terms.upper_alpha > 0:
            objective += terms.upper(self.network.weights[1:])
        if prepared.problem.penalized:
            coefs, _ = prepared.frame.projected(self.network.weights)
            objective += terms.weights(coefs)
        return Value(objective, objective, data)


class StackedObjective:
    """J of several networks on the same samples, by the same passes over them.

    Parameters
    ----------
    network : StackedNetwork
    objective : LayerObjective
        Of one of them.
    limits : Limits
        Chunks are smaller than those of one network: their values fit the cache.
    """

    def __init__(self, network, objective, limits=LIMITS):
        self.network = network
        self.chunks = objective.chunks_of(limits.measured_rows_stacked)

    def __call__(self, objectives):
        """J of each of its networks, whose objectives these are."""
        network, first = self.network, objectives[0]
        prepared, k = first.prepared, len(objectives)
        variances = first.terms.activity_alpha > 0
        n_layers = len(network.above) + 1
        data, total = np.zeros(k), 0.0
        sums, squares = [np.zeros((k, 1))] * n_layers, np.zeros((n_layers, k))
        for rows in self.chunks:
            m = _length(rows)
            values = network.values(m, backward=False)
            network.first.pass_over(rows, values)
            network.forward(values)
            weight, counted, size = first.weights_of(rows, m)
            if variances:
                total += size
                ones = np.ones(m, dtype=prepared.dtype) if counted is None else counted
                outputs = np.ascontiguousarray(values.output.transpose(0, 2, 1))
                for index, z in enumerate([*values.z, outputs]):
                    sums[index] = sums[index] + (z @ ones).astype(float)
                    squares[index] += _weighted_squares(z, counted)
            values.Y[:] = prepared.Y[rows]
            losses = prepared.loss.value(*values.flat(values.output, values.Y)).reshape(k, m)
            data += losses.sum(axis=1) if weight is None else losses @ weight.astype(float)
        return [
            one.assemble(float(data[j]), [s[j] for s in sums], squares[:, j].tolist(), total)
            for j, one in enumerate(objectives)
        ]


def _length(rows):
    """Number of samples of a chunk, a slice or indices."""
    return rows.stop - rows.start if isinstance(rows, slice) else rows.size


def _weighted_squares(z, weight):
    """:func:`_weighted_square` of each network, shape (k,)."""
    if weight is not None:
        return (np.square(z) @ weight).sum(axis=1, dtype=float)
    return inner_products(z, z)


def _weighted_square(z, weight):
    """``sum_i s_i ||z_i||^2`` for samples in columns."""
    if weight is None:
        flat = z.ravel(order="K")
        return float(np.dot(flat, flat))
    return float(np.einsum("ji,ji,i->", z, z, weight))
