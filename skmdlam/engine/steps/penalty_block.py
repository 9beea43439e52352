"""The block of the penalties, layer by layer, in the metric of each layer's step."""

import numpy as np

from ..linalg import accelerated_proximal


class PenaltyBlock:
    """``V <- argmin 1/2 ||V - V_0||_M^2 + length * (penalties of J)``, in place, now and then.

    For the steps since the last time: a step toward less loss and one toward less penalty
    alternate, as in a proximal gradient method, only that several of the first go before one of the
    second.

    Parameters
    ----------
    terms : Terms
    iterations : int
        Of FISTA, for penalties that are not quadratic; the next block goes on from there.
    ramp : int
        Epochs in which such a penalty comes to its full strength: at once it would take random
        weights, which say nothing yet, to zero for good.
    """

    def __init__(self, terms, iterations, ramp):
        self.terms, self.iterations, self.ramp = terms, iterations, ramp

    def __call__(self, layers, epoch, *, first=True):
        """Apply it to all layers that are ready, to the first one only where ``first`` says so."""
        terms = self.terms
        if terms.none:
            return
        problem = terms.problem
        penalty = problem.penalty
        for index, layer in enumerate(layers):
            if not (first if index == 0 else layer.ready):
                continue
            length = layer.take_accumulated() / terms.total
            if length == 0.0 or not np.isfinite(layer.V).all():
                continue
            scale = terms.frame.scaling.scale if layer.last else 1.0
            ridge = 0.0 if penalty.ridge is None else terms.alpha * penalty.ridge * scale**2
            if index > 0:
                ridge = ridge + terms.upper_alpha
            columns = ()
            if index == 0 and terms.column_alpha > 0:
                columns = (terms.column_ridge(layer.block.column_sizes(layer.V), length),)
            layer.block.shrink(layer.V, length * terms.activity_alpha, length * ridge, *columns)
            if not problem.quadratic:
                ramp = min(1.0, (epoch + 1) / self.ramp)
                self._proximal(layer, penalty, ramp * length * terms.alpha, scale)

    def _proximal(self, layer, penalty, strength, scale):
        """The block of a general penalty on a layer, in the metric M of its step, in place.

        ``argmin over W of 1/2 tr (W - W_0)' M (W - W_0) + strength penalty(scale W)``. The steps
        are those of ``R M R`` with rows ``R W`` of like size where the penalty is a sum over rows,
        so that units of the inputs do not slow them down.
        """
        block, V = layer.block, layer.V
        product, top, rows, start = block.in_weights(V)
        if start.size == 0 or not (np.isfinite(top) and np.isfinite(start).all()):
            return
        if not penalty.by_rows:
            scaled, unit, rows = product, rows, rows.max()
            unit = unit / rows
            product = lambda A: unit * scaled(unit * A)  # noqa: E731
        start = start * scale
        theta = max(top, np.finfo(float).tiny)
        threshold = strength * (scale / rows) ** 2 / theta

        def step(point):
            gradient = product(rows * (point - start)) / (theta * rows)
            return penalty.prox(point - gradient, threshold)

        W = accelerated_proximal(step, penalty.prox(start, 0.0), max_iter=self.iterations)
        block.from_weights(V, W / scale)
