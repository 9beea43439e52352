"""Solver "relaxed": the paper's Algorithm 1, with working momentum and safeguards that hold."""

import time
from dataclasses import dataclass, field

from ..penalties import USUAL_ALPHA
from .constants import CONSTANTS, Constants
from .loop.judges import Accepting
from .loop.run import ComposedRun
from .loop.schedules import Halving
from .loop.sources import Whole
from .options import StoredOptions, check_choice, check_flag, check_kind, check_number
from .records import Settings
from .start import gaussian, glorot
from .steps.block_sweep import BlockSweep

# rho where the user names none.
_RHO = 1.0
_CHOICES = {
    "w_step": ("quadratic", "exact"),
    "hidden_step": ("joint", "separate"),
    "order": ("forward", "backward"),
}


@dataclass(frozen=True)
class Relaxed(StoredOptions):
    """Multi-convex alternating minimization of the relaxed objective (paper, Algorithm 1).

    Minimizes ``F(W, b, z, a) = R(z_L) + alpha sum_l penalty(W_l)
    + rho/2 sum_l sum_i s_i ||z_l - a_{l-1} W_l - b_l||^2`` subject to
    ``|a_l - h_l(z_l)| <= epsilon``, one block after the other. A sweep, for l = 1, ..., L::

        W_l, b_l  <-  prox of the penalty after a step on the extrapolated W_l, exact b_l
        z_l, a_l  <-  minimizers over the tube |a - h(z)| <= epsilon          (l < L)
        z_L       <-  prox of the loss at v_L
        each      <-  redone from the plain point when F rose, kept when it rose again
        epsilon   <-  max(epsilon_final, epsilon_factor * epsilon); feasibility restored, momentum
                      restarted

    F never rises between two changes of epsilon, whatever the parameters are. Columns stay as they
    are, unless the estimator's ``encoding`` asks for something else than "auto".

    Parameters
    ----------
    w_step : {"quadratic", "exact"}, default="quadratic"
        Weights by the paper's quadratic model (one proximal gradient step with the exact
        curvature) or by solving the block to the end.
    hidden_step : {"joint", "separate"}, default="joint"
        Pre-activations and activations of a hidden layer together, or the paper's two updates.
        Those jam once epsilon is small: each then moves by no more than epsilon.
    order : {"forward", "backward"}, default="forward"
        From the first layer to the last (the paper) or from the last to the first.
    accelerate : bool, default=True
        Nesterov extrapolation of W and a.
    epsilon_start : float, default=100.0
        Tolerance in the first sweep; the estimator's ``epsilon`` is the one that it ends with.
    epsilon_factor : float, default=0.5
        Factor from one sweep to the next, in (0, 1].
    start_scale : float or None, default=None
        Standard deviation of a Gaussian start (the paper's experiments have 0.1); None starts as
        MLPClassifier does, Glorot uniform.
    row_space : bool, default=True
        Work in the row space of X where that is smaller and the penalty allows it. The sweeps
        are the same ones, up to rounding.
    constants : Constants, default=Constants()
        The numbers that decide about memory and time, see :mod:`skmdlam.engine.constants`.

    Raises
    ------
    ValueError
        When an option is out of range or of the wrong kind.

    References
    ----------
    J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by Multi-convex
    Alternating Optimization", Neurocomputing, 2022.

    Examples
    --------
    >>> from skmdlam import Relaxed
    >>> Relaxed(w_step="exact", accelerate=False).order
    'forward'
    """

    w_step: str = "quadratic"
    hidden_step: str = "joint"
    order: str = "forward"
    accelerate: bool = True
    epsilon_start: float = 100.0
    epsilon_factor: float = 0.5
    start_scale: float | None = None
    row_space: bool = True
    constants: Constants = field(default=CONSTANTS, repr=False)

    name = "relaxed"
    # Features are taken as they are: where their scales are far apart, a run is slow or stalls.
    needs_scaled_features = True

    def __post_init__(self):
        for option, choices in _CHOICES.items():
            check_choice(option, getattr(self, option), choices)
        check_flag("accelerate", self.accelerate)
        check_number("epsilon_start", self.epsilon_start, "(0, inf)")
        check_number("epsilon_factor", self.epsilon_factor, "(0, 1]")
        check_number("start_scale", self.start_scale, "(0, inf)", optional=True)
        check_flag("row_space", self.row_space)
        check_kind("constants", self.constants, Constants)

    def initial_weights(self, sizes, rng, dtype, activations):
        """Random start: Glorot, or ``N(0, start_scale^2)``.

        Parameters
        ----------
        sizes : sequence of int
            Units of each layer, from the inputs to the outputs.
        rng : numpy.random.RandomState
            What the weights are drawn from.
        dtype : dtype
            Type of the weights.
        activations : sequence of Activation
            One for each hidden layer.

        Returns
        -------
        coefs, intercepts : list of ndarray
            Starting weights.
        """
        if self.start_scale is None:
            return glorot(sizes, rng, dtype, activations)
        return gaussian(sizes, rng, dtype, self.start_scale)

    def default_alpha(self, penalty, activity_alpha):
        """Strength of the penalty on weights where the user names none.

        Parameters
        ----------
        penalty : Penalty
            The penalty on weights.
        activity_alpha : float or None
            No use here.

        Returns
        -------
        alpha : float
            MLPClassifier's, 1e-4.
        """
        return USUAL_ALPHA

    def rows_at_a_time(self, n, batch_size):
        """Rows in the products of a step: all of them.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int or None
            No use here.

        Returns
        -------
        rows : int
            ``n``.
        """
        return n

    def start(self, problem, coefs, intercepts, **settings):
        """Begin a run; the result is an iterator of records.

        Parameters
        ----------
        problem : Problem
            What is minimized.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed.
        **settings
            The attributes of :class:`~skmdlam.engine.records.Settings`. With ``warm`` the schedule
            of epsilon starts where it ends. ``rho=None`` stands for 1.

        Returns
        -------
        run : Run
            Iterate it for one record a sweep; ``weights()`` gives the weights.

        Raises
        ------
        ValueError
            For a batch smaller than the data or an ``activity_alpha`` above zero, which this
            solver does not have.
        """
        settings = Settings(**settings)
        size, n = settings.batch_size, problem.X.shape[0]
        if size is not None and size < n:
            raise ValueError(
                f"batch_size={size} needs solver='feasible': solver='relaxed' works on all {n} "
                "samples at once. Use batch_size='auto' or None."
            )
        if settings.activity_alpha:
            raise ValueError(
                f"activity_alpha={settings.activity_alpha!r} needs solver='feasible': the relaxed "
                "objective has no such term. Use activity_alpha='auto' or 0."
            )
        clock = time.perf_counter()
        rho = _RHO if settings.rho is None else settings.rho
        widest = settings.epsilon if settings.warm else max(settings.epsilon, self.epsilon_start)
        step = BlockSweep(self, problem, coefs, intercepts, rho, widest)
        schedule = Halving(widest, self.epsilon_factor, settings.epsilon)
        judge = Accepting(step.weights)
        return ComposedRun(Whole(), step, schedule, judge, step.objective, settings.rng, clock)
