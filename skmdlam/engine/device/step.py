"""The step of mini-batches on a device, for one network or several."""

from types import SimpleNamespace

import numpy as np

from .graphs import Recorded
from .layers import DeviceLayer, DeviceLimits
from .penalties import DevicePenalties


class DeviceStep:
    """One step of k networks on the same batch, see :class:`.steps.stacked.StackedStep`.

    What comes before and after the moments of the hidden layers' inputs, which are taken every few
    steps, is recorded as a graph for each size of a batch::

        rows, rho, lengths  ->  z_l, a_l, D_L      recorded
        moments, their inverses                    now and then; the moments recorded
        D_l, dV_l, V_l                             recorded
        penalties                                  now and then

    Parameters
    ----------
    data : DeviceData
    steps : list of LayerwiseStep
        One for each network, on the host: they count, and know rho, the rhythm and the penalties.
    """

    def __init__(self, data, steps):
        self.data, self.f = data, data.f
        self.steps = steps
        self.state = [
            DeviceLayer(self.f, layers, index == 0) for index, layers in enumerate(self._layers())
        ]
        self.limits = DeviceLimits(self.f, steps[0].network.layers, len(steps))
        basis = data.prepared.frame.coordinates
        for step in steps:
            step.penalties = DevicePenalties(step.penalties, self.state, basis)
        self._number()

    def _layers(self):
        """Of each layer those of the networks on the host."""
        return list(zip(*(step.network.layers for step in self.steps), strict=True))

    def _number(self):
        for index, step in enumerate(self.steps):
            step.penalties.network = index
        self._batches = {}

    @property
    def V(self):
        """Weights of each layer, of all networks."""
        return [layer.V for layer in self.state]

    def begin(self, steps):
        """Before the batches of an epoch, which only these go on with."""
        if len(steps) < len(self.steps):
            which = [self.steps.index(step) for step in steps]
            self.steps = list(steps)
            for each in (*self.state, self.limits):
                each.keep(which)
            self._number()
        for index, step in enumerate(self.steps):
            step.begin()
            if step.steps == 0:  # the first one, or one after an epoch that was taken back
                for each in (*self.state, self.limits):
                    each.forget(index)
        for layer, own in zip(self.state, self._layers(), strict=True):
            layer.upload(own)  # a judge may have put the best ones back

    def settle(self):
        """After them: the penalties, and the weights for whoever reads them on the host."""
        for step in self.steps:
            step.settle()
        for layer, own in zip(self.state, self._layers(), strict=True):
            layer.download(own)

    def __call__(self, rows, factors):
        """Step on the samples of these indices; a factor for each network shortens it."""
        m = rows.shape[0]
        batch = self._batches.get(m)
        if batch is None:
            batch = self._batches[m] = self._new_batch(m)
        loss, scale = self.data.loss, self.data.prepared.loss_scale
        batch.rows[...] = rows
        _put(batch, "rho", [step.rho * scale for step in self.steps])
        _put(batch, "length", [factor / m for factor in factors])
        _put(batch, "factor", factors)
        batch.up(lambda: self._up(batch))
        self._follow(batch)
        batch.down(lambda: self._down(batch))
        for step, factor in zip(self.steps, factors, strict=True):
            step.account(factor, loss.price(step.rho))

    def _new_batch(self, m):
        """Buffers and graphs for batches of so many samples."""
        f, dtype, k = self.f, self.data.prepared.dtype, len(self.steps)
        return SimpleNamespace(
            rows=f.array(np.zeros(m, dtype=np.int64)),
            inputs=[f.ones((k, m, V.shape[1]), dtype) for V in self.V[1:]],
            rho=f.ones((k, 1, 1), dtype),
            length=f.ones((k, 1, 1), dtype),
            factor=f.ones((k, 1, 1), np.float64),
            every=f.ones((k, 1, 1), np.float64),
            known={},
            up=Recorded(f),
            observe=Recorded(f),
            down=Recorded(f),
        )

    def _up(self, batch):
        """Values of all layers, and the targets of the outputs."""
        data, rows = self.data, batch.rows
        batch.z, batch.U = data.forward(self.V, rows, batch.inputs)
        batch.D = data.loss.output_step(batch.z[-1], data.Y[rows], batch.rho, batch.length)
        if data.weight is not None:
            batch.D = batch.D * data.weight[rows]

    def _down(self, batch):
        """Targets of the hidden layers from the top down, and the step of each layer.

        All targets are those of the weights before the step.
        """
        data, f, rows, D = self.data, self.f, batch.rows, batch.D
        proposed = []
        far = None if data.far is None else data.far[rows]
        for index in range(len(self.state) - 1, 0, -1):
            layer, a = self.state[index], batch.inputs[index - 1]
            below = D @ f.transposed(layer.V[:, :-1])
            below = below * data.activations[index - 1].derivative(batch.z[index - 1], a[..., :-1])
            proposed.append(layer.propose(a, D if far is None else D * far))
            D = below
        U = batch.U if data.row_weights is None else batch.U * data.row_weights[rows]
        proposed.append(self.state[0].propose(U, D))
        steps, decreases = zip(*proposed[::-1], strict=True)
        counted = self.limits(list(decreases), batch.factor)
        for layer, step, *counts in zip(self.state, steps, *counted, strict=True):
            layer.commit(step, *counts)

    def _follow(self, batch):
        """Moments of the hidden layers' inputs, every now and then their inverses."""
        due = []
        for step in self.steps:
            step.steps += 1
            step.since_refresh += 1
            due.append(step.rhythm.due(step.steps, step.since_refresh))
        observe, refresh = zip(*due, strict=True)
        if all(observe):
            batch.observe(lambda: self._observe(batch, batch.every))
        elif any(observe):
            self._observe(batch, self._these(observe))
        if any(refresh):
            for layer in self.state[1:]:
                layer.refresh(self._these(refresh))

    def _observe(self, batch, which):
        """Let a batch enter the moments of these networks."""
        counted = self.data.counted
        weight = None if counted is None else counted[batch.rows]
        for layer, a in zip(self.state[1:], batch.inputs, strict=True):
            layer.observe(a, weight, which)

    def _these(self, which):
        """Ones and zeros for some of the networks; mostly for all."""
        if all(which):
            return self.f.ones((len(which), 1, 1), np.float64)
        return self.f.array(np.reshape(which, (-1, 1, 1)).astype(float))


def _put(batch, name, values):
    """Write a number for each network into a buffer, where it is another one than before."""
    values = [float(value) for value in values]
    if batch.known.get(name) == values:
        return
    batch.known[name] = values
    buffer = getattr(batch, name)
    if len(set(values)) == 1:
        buffer[...] = values[0]
    else:  # a number is no copy from the host, for which all that is queued would have to end
        for network, value in enumerate(values):
            buffer[network] = value
