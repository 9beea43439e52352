"""J of several networks by passes over the samples on a device."""

import numpy as np

# Numbers in the values of one layer in a chunk.
_NUMBERS = 2**24


class DeviceObjective:
    """J of the networks of a step, see :class:`~skmdlam.engine.objective.StackedObjective`.

    Sums stay on the device, in double precision, and are read once.

    Parameters
    ----------
    data : DeviceData
    step : DeviceStep
        Whose weights they are.
    """

    def __init__(self, data, step):
        self._data, self._step = data, step

    def __call__(self, objectives):
        """J of each of its networks, whose objectives on the host these are."""
        return measured(self._data, self._step.V, [each.on_host for each in objectives])


class StartOnDevice:
    """J of a single network whose weights are on the host.

    Parameters
    ----------
    data : DeviceData
    on_host : LayerObjective
    """

    def __init__(self, data, on_host):
        self._data, self.on_host = data, on_host

    def __call__(self):
        """J and its data term at the present weights."""
        f = self._data.f
        V = [f.array(layer.V[None]) for layer in self.on_host.network.layers]
        return measured(self._data, V, [self.on_host])[0]


def measured(data, V, objectives):
    """J of k networks with these weights.

    Parameters
    ----------
    data : DeviceData
    V : list of array of shape (k, n_in + 1, n_out)
    objectives : list of LayerObjective
        Of each on the host: which samples count, and what J is made of.

    Returns
    -------
    values : list of Value
    """
    f, first = data.f, objectives[0]
    variances = first.terms.activity_alpha > 0
    widest = max(W.shape[-1] for W in V) * len(objectives)
    sums, squares, losses, total = [0.0] * len(V), [0.0] * len(V), 0.0, 0.0
    for rows in first.chunks_of(max(1, _NUMBERS // widest)):
        at = rows if isinstance(rows, slice) else f.array(rows)
        z, _ = data.forward(V, at)
        y = data.Y[at]
        values = data.loss.value(f.cast(z[-1], np.float64), f.cast(y, np.float64))
        if data.weight is not None:
            values = values * f.cast(data.weight[at][:, 0], np.float64)
        losses = losses + values.sum(-1)
        if not variances:
            continue
        counted = None if data.counted is None else data.counted[at]
        total = total + (y.shape[0] if counted is None else f.total(counted, (0, 1)))
        for index, values in enumerate(z):
            weighted = values if counted is None else values * counted
            sums[index] = sums[index] + f.total(weighted, -2)
            squares[index] = squares[index] + f.total(weighted * values, (-2, -1))
    losses = f.host(losses)
    if variances:
        total = float(total)
        sums, squares = [f.host(each) for each in sums], [f.host(each) for each in squares]
    else:
        sums = [np.zeros((len(objectives), 1))] * len(V)
        squares = [np.zeros(len(objectives))] * len(V)
    return [
        one.assemble(float(losses[j]), [s[j] for s in sums], [float(s[j]) for s in squares], total)
        for j, one in enumerate(objectives)
    ]
