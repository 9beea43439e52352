"""The step of mini-batches for several networks at a time."""

import numpy as np

from ..layers import backward


class StackedStep:
    """One step of several networks on the same batch, see :class:`.layerwise.LayerwiseStep`.

    Parameters
    ----------
    network : StackedNetwork
    steps : list of LayerwiseStep
        One for each of its networks, on the same data. They count, follow the moments and solve the
        blocks of the penalties; what is done here is the rest of their work.
    """

    def __init__(self, network, steps):
        self.network, self.steps = network, steps
        self._prepared, self._loss = steps[0].prepared, steps[0].loss

    def begin(self, steps):
        """Before the batches of an epoch, which only these go on with."""
        self.steps = steps
        self.network.keep([step.network for step in steps])
        for step in steps:
            step.begin()

    def settle(self):
        """After them: the penalties."""
        for step in self.steps:
            step.settle()

    def __call__(self, rows, factors):
        """Step on the samples of these indices; a factor for each network shortens it."""
        network = self.network
        first, values = network.first, network.values(rows.size)
        weight, far, counted = self._prepared.weights_of(rows)
        first.take(rows, values)
        network.forward(values)
        curvatures = self._output_step(rows, values, factors)
        if weight is not None:
            values.D_output *= weight
        for step, inputs in zip(self.steps, values.inputs_of, strict=True):
            step.follow(inputs, counted)
        backward(
            network,
            values,
            far,
            lambda layer, a, D: self._move(layer, layer.propose(a, D), factors),
        )
        self._move(first, first.propose(rows, values), factors)
        for step, factor, curvature in zip(self.steps, factors, curvatures, strict=True):
            step.account(factor, curvature)

    def _output_step(self, rows, values, factors):
        """The targets of the outputs; returns the curvature of each network."""
        loss, scale, m = self._loss, self._prepared.loss_scale, rows.size
        Y, k = values.Y, len(factors)
        self._prepared.Y.take(rows, axis=0, out=Y[0], mode="clip")
        rhos = [step.rho for step in self.steps]
        # An epoch of one was taken back, or will be: softmax shifts by the largest output of all,
        # and a network that is not finite would spoil the others.
        if len(set(rhos)) > 1 or not np.isfinite(values.output.sum()):
            return [
                loss.output_step(output, Y[0], rho, factor / m, D, scale)
                for output, rho, factor, D in zip(
                    values.output, rhos, factors, values.D_output, strict=True
                )
            ]
        Y[1:] = Y[0]
        output, target, out = values.flat(values.output, Y, values.D_output)
        curvature = loss.output_step(output, target, rhos[0], max(factors) / m, out, scale)
        if min(factors) < max(factors):
            relative = np.divide(factors, max(factors)).astype(out.dtype)
            values.D_output *= relative[:, None, None]
        return [curvature] * k

    @staticmethod
    def _move(layer, decreases, factors):
        """V_l of each: the least-squares step toward z_l + D_l, with momentum."""
        layer.commit(
            [
                None if decrease is None else one.limit.length(decrease / (factor * factor))
                for one, decrease, factor in zip(layer.layers, decreases, factors, strict=True)
            ]
        )
