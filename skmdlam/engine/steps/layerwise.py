"""The step of mini-batches: targets backward, then a least-squares step of every layer."""

import numpy as np

from ..layers import Values, backward


class LayerwiseStep:
    """One step of all layers on a batch.

    ::

        z_l, a_l  <-  forward: z_l = v_l, a_l = h(z_l), all constraints tight
        D_L       <-  prox of the loss at z_L, minus z_L
        D_l       <-  h'(z_l) * (D_{l+1} W_{l+1}')          first-order joint block of (z_l, a_l)
        dV_l      <-  ridge regression of D_l on a_{l-1}    second moments as moving averages
        V_l       <-  V_l + momentum * (last step) + dV_l   the first layer in its own metric
        V_l       <-  prox of the penalties in the metric of the step           (now and then)

    Parameters
    ----------
    network : Network
    prepared : Prepared
    penalties : PenaltyBlock
    rhythm : Rhythm
        When the preconditioners follow their inputs.
    rho : float

    Attributes
    ----------
    steps, since_refresh : int
        Steps so far, and since the moments were last inverted.
    refused : int
        Always zero: the end of the epoch judges.
    stuck : bool
        Never.
    """

    refused, stuck = 0, False

    def __init__(self, network, prepared, penalties, rhythm, rho):
        self.network, self.prepared = network, prepared
        self.penalties, self.rhythm = penalties, rhythm
        self.rho = rho
        self.loss, self.loss_scale = prepared.loss, prepared.loss_scale
        self.Y = prepared.Y
        self.epoch, self.steps, self.since_refresh = -1, 0, 0
        self._values = {}
        # The first layer's block costs a factorization of the size of its input.
        size = network.first.input.basis.size
        self.first_every = max(rhythm.refresh_every, size // 4)

    def begin(self):
        """Before the batches of an epoch."""
        self.epoch += 1
        self.network.first.begin()

    def settle(self):
        """After them: what was put off, and the penalties."""
        self.network.first.settle()
        self.penalties(self.network.layers, self.epoch)

    def as_arrays(self):
        """All that a step leaves to the next one, in arrays and numbers."""
        return {
            "layers": [layer.as_arrays() for layer in self.network.layers],
            "steps": self.steps,
            "since_refresh": self.since_refresh,
        }

    def restore(self, arrays):
        """Go on from a copy of what :meth:`as_arrays` gave."""
        for layer, own in zip(self.network.layers, arrays["layers"], strict=True):
            layer.V[:] = own["V"]
            layer.restore(own, np.array(own["velocity"], dtype=layer.V.dtype))
        self.steps, self.since_refresh = round(arrays["steps"]), round(arrays["since_refresh"])

    def restart(self):
        """After an epoch that was taken back: smaller steps, without a past."""
        self.rho *= 2.0
        self.steps = self.since_refresh = 0
        for layer in self.network.layers:
            layer.forget()

    def __call__(self, rows, factor):
        """Step on the samples of these indices; ``factor`` shortens it."""
        network, values = self.network, self._values_of(rows.size)
        first = network.first
        self.Y.take(rows, axis=0, out=values.Y, mode="clip")
        weight, far, counted = self.prepared.weights_of(rows)
        first.take(rows, values)
        output = network.forward(values)
        curvature = self.loss.output_step(
            output, values.Y, self.rho, factor / rows.size, values.D_output, self.loss_scale
        )
        if weight is not None:
            values.D_output *= weight
        self.follow(values.inputs, counted)
        backward(network, values, far, lambda layer, a, D: self._move(layer, a, D, factor))
        self._move(first, *first.weigh(rows, values), factor)
        self.account(factor, curvature)

    def _values_of(self, m):
        """Buffers for a batch of so many samples."""
        values = self._values.get(m)
        if values is None:
            shapes = [V.shape for V in self.network.weights]
            dense = self.network.first.dense
            values = self._values[m] = Values(m, shapes, self.prepared.dtype, dense=dense)
        return values

    def _move(self, layer, a, D, factor):
        """V_l: the least-squares step toward z_l + D_l, with momentum."""
        decrease = layer.propose(a, D)
        if decrease is not None:
            length = layer.limit.length(decrease / (factor * factor))
            if length is not None:
                layer.commit(length)

    def follow(self, inputs, weight):
        """Second moments of the hidden layers' inputs, every now and then their inverse."""
        self.steps += 1
        self.since_refresh += 1
        observe, refresh = self.rhythm.due(self.steps, self.since_refresh)
        for index, layer in enumerate(self.network.above, 1):
            preconditioner = layer.preconditioner
            if observe:
                preconditioner.observe(inputs[index], weight)
            if refresh or not preconditioner.ready:
                preconditioner.refresh()

    def account(self, factor, curvature):
        """How long the step was; when it is their turn, the penalties."""
        layers = self.network.layers
        length = factor / (curvature * (1.0 - layers[0].momentum))
        for layer in layers:
            layer.accumulate(length)
        if self.since_refresh >= self.rhythm.refresh_every:
            self._penalize()

    def _penalize(self):
        """The block of the penalties for the steps since the last time."""
        self.since_refresh = 0
        first = self.steps % self.first_every < self.rhythm.refresh_every
        if first:
            self.network.first.settle()
        self.penalties(self.network.layers, self.epoch, first=first)
        if first:
            self.network.first.resume()
