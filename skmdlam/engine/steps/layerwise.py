"""The step of mini-batches: targets backward, then a least-squares step of every layer."""

from ..layers import Values


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
    sizes : list of int
        Numbers of samples that occur in a batch.

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

    def __init__(self, network, prepared, penalties, rhythm, rho, sizes):
        self.network, self.prepared = network, prepared
        self.penalties, self.rhythm = penalties, rhythm
        self.rho = rho
        self.loss, self.loss_scale = prepared.loss, prepared.loss_scale
        self.Y, self.weight = prepared.Y, prepared.weight
        self.tail_weight, self.variance_weight = prepared.tail_weight, prepared.variance_weight
        self.epoch, self.steps, self.since_refresh = -1, 0, 0
        shapes = [V.shape for V in network.weights]
        dense = network.first.dense
        self._values = {m: Values(m, shapes, prepared.dtype, dense=dense) for m in sizes}
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

    def restart(self):
        """After an epoch that was taken back: smaller steps, without a past."""
        self.rho *= 2.0
        self.steps = self.since_refresh = 0
        for layer in self.network.layers:
            layer.forget()

    def __call__(self, rows, factor):
        """Step on the samples of these indices; ``factor`` shortens it."""
        network, values = self.network, self._values[rows.size]
        first, activations = network.first, network.activations
        D, inputs = values.D, values.inputs
        self.Y.take(rows, axis=0, out=values.Y, mode="clip")
        weight = None if self.weight is None else self.weight.take(rows, axis=0)

        first.take(rows, values)
        output = network.forward(values)
        curvature = self.loss.output_step(
            output, values.Y, self.rho, factor / rows.size, values.D_output, self.loss_scale
        )
        if weight is not None:
            values.D_output *= weight
        far = None
        if self.tail_weight is not None:
            far = self.tail_weight.take(rows, axis=0).T
            weight = self.variance_weight.take(rows, axis=0)
        self.follow(inputs, weight)
        for index in range(len(network.above), 0, -1):
            layer, below = network.layers[index], D[index - 1]
            layer.pull_back(D[index], below)
            below *= activations[index - 1].derivative(values.z[index - 1], values.a[index - 1])
            self._move(layer, inputs[index], D[index] if far is None else D[index] * far, factor)
        self._move(first, *first.weigh(rows, values), factor)
        self.account(factor, curvature)

    def _move(self, layer, a, D, factor):
        """V_l: the least-squares step towards z_l + D_l, with momentum."""
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
