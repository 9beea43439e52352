"""J of the full batch where the rows are in blocks: every sum is taken over these."""

import copy

import numpy as np

from ..blocks import joined_rows, joined_weights
from .full_objective import FullObjective, Objective
from .kronecker import total_curvature


class BlockObjective(FullObjective):
    """What a block of rows adds to the sums of J.

    It is made once and stays where its rows are. Nothing is written to it: a call works in buffers
    of its own, see :meth:`at_work`.

    Parameters
    ----------
    inputs, Y, loss, activations, widths, sample_weight, limits, variance_weight
        As for :class:`FullObjective`.
    total : float
        Total weight of all rows, of which these are some.
    """

    def __init__(
        self,
        inputs,
        Y,
        loss,
        activations,
        widths,
        sample_weight,
        limits,
        variance_weight,
        total,
    ):
        # Penalties on weights are no sums over rows.
        super().__init__(
            inputs,
            Y,
            loss,
            activations,
            widths,
            sample_weight,
            [0.0] * len(widths),
            0.0,
            limits=limits,
            variance_weight=variance_weight,
            total=total,
        )

    def at_work(self, activity=0.0):
        """The same with buffers, and the strength of the penalty on the variances."""
        own = copy.copy(self)
        own.activity = activity
        own._make_buffers()
        return own


class ReducedObjective(Objective):
    """J per unit of sample weight as a function of all weights, of rows in blocks.

    A call asks the blocks for two sums: of the pre-activations, whose means the variances need, and
    of J and its gradient; one without a penalty on the variances. What comes back from a block is
    as large as the weights. The preconditioner asks for the curvatures of the rows and for Gram
    matrices every now and then.

    Parameters
    ----------
    blocks : Blocks
        Of :class:`BlockObjective`.
    inputs, loss, activations, widths, n_rows, total, dtype, ridge, activity, columns, floor
        As for :class:`Objective`; the inputs are those of a sample.
    limits : Limits
    like : ReducedObjective or None
        One of the same blocks, what is known of which is shared.
    """

    def __init__(self, blocks, inputs, *args, limits, like=None, **penalties):
        super().__init__(inputs, *args, **penalties)
        self.blocks, self._block_rows = blocks, limits.block_rows
        if like is None:
            sizes = blocks.each(_size, [()] * blocks.n_blocks)
            self._edges_of_rows, self._some = np.cumsum([0, *sizes]), None
        else:
            self._edges_of_rows, self._some = like._edges_of_rows, like._some

    def sums(self, theta):
        return self.blocks.total(_sums, theta)

    def parts(self, theta, mean):
        return self.blocks.total(_parts, theta, mean, self.activity)

    def reduce(self, function, theta, *args, by_row=()):
        if not by_row:
            return self.blocks.total(_reduced, function, theta, args)
        return self.blocks.pooled(_reduced, by_row, shared=(function, theta, args))

    def curvature_scales(self, theta):
        """Such that the total weight of every thousand rows stays, as where all are in one place.

        Then it does not matter where a block ends. The scales of a block come with the place of its
        first row among the first thousand of its own.
        """
        size, starts, ends = self._block_rows, self._edges_of_rows[:-1], self._edges_of_rows[1:]
        found = self.blocks.each(
            _curvatures, [(int(start % size),) for start in starts], shared=(theta, size)
        )
        sums = np.zeros((-(-self.n_rows // size), 2))
        for start, part in zip(starts, found, strict=True):
            sums[start // size :][: len(part)] += part
        with np.errstate(all="ignore"):
            scales = sums[:, 0] / sums[:, 1]
        scales[~np.isfinite(sums[:, 1])] = np.nan
        return [
            (size, int(start % size), scales[start // size : -(-end // size)])
            for start, end in zip(starts, ends, strict=True)
        ]

    def some(self, rows):
        if self._some is None or not np.array_equal(self._some[0], rows):
            x, weights = zip(*self._take(rows), strict=True)
            self._some = rows, (joined_rows(x), joined_weights(weights, x))
        return self._some[1]

    def _take(self, rows):
        """Rows of these indices, in rising order, and their weights from each block with any."""
        block = np.searchsorted(self._edges_of_rows, rows, side="right") - 1
        which = np.unique(block)
        args = [(rows[block == i] - self._edges_of_rows[i],) for i in which]
        return self.blocks.each(_some, args, [int(i) for i in which])


# -- what is sent to a block: an empty one adds nothing -----------------------------------------


def _size(block):
    return block.n_rows


def _sums(block, theta):
    if block.n_rows == 0:
        return 0.0
    with np.errstate(all="ignore"):
        return block.at_work().sums(theta)


def _parts(block, theta, mean, activity):
    if block.n_rows == 0:
        return 0.0
    with np.errstate(all="ignore"):
        return block.at_work(activity).parts(theta, mean)


def _reduced(block, function, theta, args, size=None, first=0, scales=None):
    if block.n_rows == 0:
        return 0.0
    by_row = ()
    if scales is not None:
        by_row = (scales[(first + np.arange(block.n_rows)) // size],)
    with np.errstate(all="ignore"):
        return block.at_work().reduce(function, theta, *args, by_row=by_row)


def _some(block, rows):
    return block.some(rows)


def _curvatures(block, theta, size, first):
    """Weight, and weight times curvature, of every ``size`` rows of all, of which a block has some.

    ``first`` is the place of its first row among the first of these.
    """
    if block.n_rows == 0:
        return np.zeros((0, 2))
    found, work = [], block.at_work()
    V, rows = work.views(theta), work.rows
    with np.errstate(all="ignore"):
        for part in rows.blocks:
            z, _ = work.forward(V, work.inputs.data[part])
            found.append(total_curvature(*work.loss.curvature(z[-1], work.target[part])))
    weight = np.ones(block.n_rows) if rows.weight is None else rows.weight.astype(float)
    starts = np.maximum(np.arange(0, first + block.n_rows, size) - first, 0)
    sums = np.stack([weight, weight * np.concatenate(found)], axis=1)
    return np.add.reduceat(sums, starts, axis=0)
