"""The judge of a stream: a running average of the weights, noise and drift."""

import numpy as np

from ..records import Value
from .judges import Judge

# Of losses that are compared, before there are any.
NOTHING_FOLLOWED = {
    "loss_difference": 0.0,
    "loss_difference_square": 0.0,
    "losses": np.zeros(2),
    "followed": 0.0,
}


class RunningAverage(Judge):
    """Average the running weights; tell noise and drift by their losses on what comes next.

    Parameters
    ----------
    position : Position
    step : StreamStep
    objective : LayerObjective
    tuned : Tuned

    Attributes
    ----------
    rounds : int
        How often the chunk is gone over.
    averages : list of ndarray
        The average of each layer, in double precision: the model.
    """

    def __init__(self, position, step, objective, tuned):
        self._step, self._objective, self._tuned = step, objective, tuned
        self._network, self._prepared = position.network, position.prepared
        self.averages = position.averages
        self.followed = dict(position.followed)
        self._unchecked, self.rounds, self._loss = 0, 1, np.nan

    def weights(self):
        """The average, in the units and the type of the user's X."""
        return self._prepared.frame.returned(self.averages)

    def judge(self, value):
        return True  # noise and drift were told before and between

    def reported(self, value):
        return value

    def before_learning(self):
        """The loss on the chunk before it was learned."""
        return Value(self._loss, self._loss, self._loss)

    # -- losses of both -------------------------------------------------------------------------

    def _of_average(self, chunks=None):
        """Loss of each sample under the average."""
        return self._objective.per_sample(chunks, self.averages)

    def _penalty(self, V):
        """Penalty of the user's alpha per unit of weight, in units of the loss."""
        prepared = self._prepared
        if not prepared.problem.penalized:
            return 0.0
        coefs, _ = prepared.frame.projected(V)
        penalties = sum(prepared.problem.penalty_value(W) for W in coefs)
        return penalties / (prepared.total * prepared.frame.scaling.factor)

    def _activity(self, V):
        """The penalty on activity, likewise, from the moments of the layers' inputs.

        That on columns, which is bounded by a logarithm, is not worth its product.
        That on upper weights would pass for drift where it is new: every sample saves it alike.
        """
        prepared, alpha = self._prepared, self._prepared.regularization.activity_alpha
        if alpha == 0:
            return 0.0
        layers = self._network.layers
        variances = [layer.block.output_variance(W) for layer, W in zip(layers, V, strict=True)]
        return 0.5 * prepared.loss_scale * alpha * sum(variances) / prepared.total

    def _saved(self, penalty):
        """What the running weights save in penalties, of which the average pays this.

        So much they may lose in data. Penalties that both pay do not count, they would hide noise;
        nor does what a penalty that is new costs the running weights more.
        """
        running = self._network.weights
        saved = penalty + self._activity(self.averages)
        return max(saved - self._penalty(running) - self._activity(running), 0.0)

    def look_ahead(self):
        """Losses on the chunk before it is learned; what they say of running weights and average.

        The loss that is reported is the data term and the penalty of the average, per unit of
        weight.
        """
        prepared, tuned, now = self._prepared, self._tuned, self.followed
        n = prepared.n
        losses = [self._of_average()]
        weight = np.ones(n) if prepared.weight is None else prepared.weight[:, 0].astype(float)
        penalty = self._penalty(self.averages)
        data = float(losses[0] @ weight / weight.sum() + penalty)
        self._loss = prepared.frame.scaling.factor * data
        if self._step.steps == 0:  # they are the same
            return

        losses = np.array([*losses, self._objective.per_sample()])
        losses[1] -= self._saved(penalty)
        means = losses @ weight / weight.sum()
        rate = n / (now["followed"] + n)
        rate = max(rate, 1.0 - np.exp(-n / tuned.stream_followed))
        now["followed"] += n
        now["losses"] = now["losses"] + rate * (means - now["losses"])
        difference = losses[0] - losses[1]
        now["loss_difference"] += float(weight @ difference)
        now["loss_difference_square"] += float(weight @ np.square(difference))
        if not now["losses"][1] <= tuned.stream_too_noisy * now["losses"][0]:
            self._drop_running()
        elif now["loss_difference"] <= 0.0:
            now["loss_difference"] = now["loss_difference_square"] = 0.0
        elif now["loss_difference"] > tuned.stream_drift * np.sqrt(now["loss_difference_square"]):
            self._turn(self.averages, self._network.weights, damping_multiplier=1.0)
            self._step.averaged = self._step.fitted = 0.0

    def set_rounds(self):
        """How often the chunk is gone over: the less often the longer the stream is."""
        length = (self._step.averaged + self._prepared.n) / self._tuned.stream_short
        self.rounds = max(1, round(self._tuned.stream_rounds / np.sqrt(1.0 + length)))
        return self.rounds

    def watch(self, rows):
        """Average the running weights after a batch; now and then look whether they are noise."""
        step, tuned = self._step, self._tuned
        new = rows.size / self.rounds
        step.averaged += new
        rate = min(1.0, new / (tuned.stream_window * step.averaged))
        for average, V in zip(self.averages, self._network.weights, strict=True):
            average += rate * (V - average)
        self._unchecked += rows.size
        if self._unchecked > tuned.stream_checked:
            self._unchecked = 0
            self._check_noise()

    def _check_noise(self):
        """Drop running weights that are much worse than the average on a part of the chunk."""
        chunks = self._objective.chunks
        rows = chunks[self._step.steps % len(chunks)]
        running = self._objective.per_sample([rows]).mean()
        running -= self._saved(self._penalty(self.averages))
        average = self._of_average([rows]).mean()
        if not running <= self._tuned.stream_too_noisy * average:
            self._drop_running()

    def _drop_running(self):
        """Go back to the average, with smaller steps."""
        damping_multiplier = 2.0 * self._step.damping_multiplier
        self._turn(self._network.weights, self.averages, damping_multiplier=damping_multiplier)
        for layer in self._network.layers:
            layer.velocity[:] = 0.0

    def _turn(self, weights, others, *, damping_multiplier):
        """Let some weights become what others are."""
        for V, other in zip(weights, others, strict=True):
            V[:] = other
        self._step.damping_multiplier = damping_multiplier
        self.followed = dict(NOTHING_FOLLOWED)
