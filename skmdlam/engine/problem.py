"""What is minimized: data, architecture, and the two objectives."""

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from ..penalties import USUAL_ALPHA
from .members import block_product
from .moments import EachTarget
from .reductions import Rows


@dataclass
class Problem:
    """A network to be fitted: ``J(W, b) = R(network output) + alpha sum_l penalty(W_l)``.

    Parameters
    ----------
    X : ndarray, sparse matrix or EncodedSamples of shape (n, d)
        Inputs, one sample a row; the last ones are encoded whenever rows are asked for.
    Y : ndarray of shape (n, K)
        Targets in the form that the loss expects.
    activations : list of Activation
        One for each hidden layer.
    loss : Loss
        ``R = sum_i s_i R_i``.
    penalty : Penalty
        On the weights of every layer, never on intercepts.
    alpha : float or None
        Strength of the penalty; None leaves it to the solver, see
        :func:`~skmdlam.engine.priced.priced_run`.
    sample_weight : ndarray of shape (n,) or None
        Positive weights ``s_i``.
    constrained : bool, default=False
        Whether the penalty has constraints, which hold with ``alpha=0`` too.
    layer_penalties : list of Penalty or None
        Those of each layer, in place of ``penalty``, for proximal sweeps.
    pieces : Pieces or None
        Where columns are encoded: what those of X were made by.
    kinds : Kinds or None
        Where samples as they are have categories and gaps: which.
    times : float, default=1.0
        For each of these samples there are so many in all, where they were drawn from more.
    """

    X: object
    Y: np.ndarray
    activations: list
    loss: object
    penalty: object
    alpha: float | None
    sample_weight: np.ndarray | None = None
    constrained: bool = False
    layer_penalties: list | None = None
    pieces: object = None
    kinds: object = None
    times: float = 1.0
    rows: Rows = field(init=False)

    def __post_init__(self):
        self.rows = Rows(self.X.shape[0], self.sample_weight)

    @property
    def sparse(self):
        """Whether X is a sparse matrix."""
        return sp.issparse(self.X)

    @property
    def bounded(self):
        """Which columns have ends by their definition, of shape (d,); None where none has."""
        return None if self.pieces is None else ~self.pieces.straight

    @property
    def quadratic(self):
        """Whether the penalty is quadratic or absent: smooth and without constraints."""
        return not self.penalized or self.penalty.ridge is not None

    @property
    def penalized(self):
        """Whether J has a penalty on weights at all."""
        return self.alpha is None or self.alpha > 0 or self.constrained

    def with_usual_alpha(self):
        """The problem with the usual strength where the data were to tell it."""
        return replace(self, alpha=USUAL_ALPHA) if self.alpha is None else self

    def each_target(self):
        """Moments of every target, of which outliers own none where the loss bounds them."""
        bounded = self.loss.outlier_threshold < np.inf
        return EachTarget.of(self.Y, self.rows.normalized(), bounded=bounded)

    def loss_scaling(self):
        """The loss and its target in units of their own, from all samples."""
        return self.loss.scaled(*self.each_target().together())

    def some(self, rows):
        """The problem of some of the samples."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        X = self.X.taken(rows) if hasattr(self.X, "taken") else self.X[rows]
        return replace(self, X=X, Y=self.Y[rows], sample_weight=weight, times=1.0)

    def at_most(self, size):
        """The problem of so many of the samples, the same ones each time; itself if it has less."""
        n = self.X.shape[0]
        if n <= size:
            return self
        return self.some(np.sort(np.random.RandomState(0).permutation(n)[:size]))

    def penalty_value(self, W):
        """``alpha penalty(W)``; infinite outside of constraints, where there are any."""
        if not self.penalized:
            return 0.0
        value = float(self.penalty.value(W))
        return self.alpha * value if np.isfinite(value) else value

    def data_loss(self, z):
        """``R(z_L) = sum_i s_i R_i(z_L)`` for pre-activations of the output layer."""
        with np.errstate(over="ignore"):  # exp(z) of the Poisson loss, far from the data
            return self.rows.sum(self.loss.value(z, self.Y))

    def training_objective(self, coefs, intercepts, v_first=None):
        """J at the given weights, from a forward pass.

        Parameters
        ----------
        coefs, intercepts : list of ndarray
        v_first : ndarray of shape (n, n_1) or None
            ``X W_1 + b_1`` where that is known already.
        """
        z = self.X @ coefs[0] + intercepts[0] if v_first is None else v_first
        for activation, W, b in zip(self.activations, coefs[1:], intercepts[1:], strict=True):
            z = activation.value(z) @ W
            z += b
        return self.data_loss(z) + sum(self.penalty_value(W) for W in coefs)


def forward(X, coefs, intercepts, activations, n_blocks=1):
    """Pre-activations of the output layer for new rows.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
    coefs, intercepts : list of ndarray
    activations : list of Activation
        One for each hidden layer.
    n_blocks : int, default=1
        Blocks on the diagonals of layers between hidden ones, see
        :func:`~skmdlam.engine.members.joined`. Where there are other weights beside them, or the
        sizes are other ones, a user has changed the network: it counts as it is.

    Returns
    -------
    z : ndarray of shape (n, K)
    """
    last = len(coefs) - 1
    a = hidden_activations(X, coefs, intercepts, activations, last - 1, n_blocks) if last else X
    z = a @ coefs[-1]
    z += intercepts[-1]
    return z


def hidden_activations(X, coefs, intercepts, activations, layer, n_blocks=1):
    """Activations of one hidden layer for new rows.

    Parameters
    ----------
    X, coefs, intercepts, activations, n_blocks
        As for :func:`forward`.
    layer : int
        0 for the first hidden layer.

    Returns
    -------
    a : ndarray of shape (n, n_layer)
    """
    z = X @ coefs[0]
    z += intercepts[0]
    to = slice(1, layer + 1)
    for before, W, b in zip(activations[:layer], coefs[to], intercepts[to], strict=True):
        a = before.value(z, out=z)
        z = block_product(a, W, n_blocks)
        z += b
    return activations[layer].value(z, out=z)
