"""The units that a run works in, and the way from the user's and back."""

import numpy as np


class Frame:
    """Coordinates of the input and scaling of the target: what weights and J mean in a run.

    Parameters
    ----------
    problem : Problem
    coordinates : Coordinates
        Of the first layer's input.
    scaling : Scaling
        Of the target and the loss.

    Attributes
    ----------
    unit : float
        What J is in the run's units times this is what it is in the user's.
    """

    def __init__(self, problem, coordinates, scaling):
        self.problem, self.coordinates, self.scaling = problem, coordinates, scaling
        self.unit = scaling.factor * scaling.loss_scale

    def inner(self, coefs, intercepts, *, standard):
        """Weights of the run, the intercepts as the last row, from those of the user.

        ``standard=True`` says that they are meant for standardized columns and target.
        """
        coefs = [W.astype(float) for W in coefs]
        intercepts = [b.astype(float) for b in intercepts]
        if not standard:
            coefs[-1], intercepts[-1] = self.scaling.inner(coefs[-1], intercepts[-1])
        first = self.coordinates.contract(coefs[0], intercepts[0], standard=standard)
        return [first] + [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]

    def outer(self, V):
        """Weights and intercepts of the user, in double precision."""
        W, b = self.coordinates.expand(V[0])
        coefs = [W] + [v[:-1].astype(float) for v in V[1:]]
        intercepts = [b] + [v[-1].astype(float) for v in V[1:]]
        coefs[-1], intercepts[-1] = self.scaling.outer(coefs[-1], intercepts[-1])
        return coefs, intercepts

    def projected(self, V):
        """The same, inside the penalty's domain, which rounding must not leave."""
        coefs, intercepts = self.outer(V)
        if not self.problem.quadratic:
            coefs = [self.problem.penalty.prox(W, 0.0) for W in coefs]
        return coefs, intercepts

    def returned(self, V):
        """The same, in the type of the user's X."""
        coefs, intercepts = self.projected(V)
        dtype = self.problem.X.dtype
        return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]
