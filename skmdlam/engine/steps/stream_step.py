"""The step of mini-batches on a stream."""

import numpy as np

from .layerwise import LayerwiseStep
from .penalty_block import PenaltyBlock


class StreamStep(LayerwiseStep):
    """The step of mini-batches on a stream, whose rho depends on how long that is already.

    Parameters
    ----------
    chunk : Chunk
    position : Position
    terms : Terms
    rhythm : StreamRhythm
    """

    def __init__(self, chunk, position, terms, rhythm):
        tuned, options = chunk.tuned, chunk.options
        penalties = PenaltyBlock(terms, chunk.limits.fista, tuned.penalty_ramp)
        network, prepared, counts = position.network, position.prepared, position.counts
        super().__init__(network, prepared, penalties, rhythm, 0.0)
        self.steps, self.since_refresh = counts["steps"], counts["since_refresh"]
        self.epoch = 0  # every chunk is the second epoch of a fit
        self._options, self._tuned, self._given = options, tuned, chunk.settings.rho
        self.averaged, self.fitted = counts["averaged"], counts["fitted"]
        self.damping_multiplier = counts["damping_multiplier"]
        # What the penalties take off the weights, relative to their metric, for a step of one.
        problem, frame = chunk.problem, prepared.frame
        ridge = 0.0
        if problem.alpha > 0 and problem.penalty.ridge is not None:
            inverse_variance = float(np.median(frame.coordinates.columns.inverse_variance))
            usual = max(1.0, frame.scaling.scale**2, inverse_variance)
            ridge = problem.alpha * problem.penalty.ridge / frame.unit * usual
        self._pull = terms.activity_alpha + ridge

    def settle(self):
        """After a chunk nothing is due: the next one goes on."""

    def __call__(self, rows, factor):
        self._adapt(rows.size)
        super().__call__(rows, factor)
        # More at once is a swing, after which the weights grow again until the next turn.
        layers = self.network.layers
        gain = max(layer.gain for layer in layers)
        length = max(layer.accumulated for layer in layers) * gain
        if (
            self.since_refresh
            and length * self._pull > self._tuned.stream_pull * self.prepared.total
        ):
            first = self.first_every == self.rhythm.refresh_every
            self.penalties(layers, self.epoch, first=first)

    def _adapt(self, size):
        """rho, and the memory of the preconditioners, for a batch of this size."""
        tuned = self._tuned
        rho = self._options.auto_rho(np.inf, size)
        self.rho = tuned.stream_rho * self._options.rho_within_range(self._given, rho)
        self.rho *= np.sqrt(1.0 + self.averaged / tuned.stream_short)
        # A fit has gone to the bottom of a valley, from which long steps would throw it out.
        fitted = tuned.stream_fitted * self.fitted / max(self.averaged, 1.0)
        self.rho *= self.damping_multiplier * max(1.0, fitted)
        for layer in self.network.above:
            preconditioner = layer.preconditioner
            preconditioner.memory = tuned.memory * min(1.0, size / tuned.stream_usual_batch)
            preconditioner.least_spread = 1.0 / (1.0 + preconditioner.count * size)
