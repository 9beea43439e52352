"""Solver "relaxed": the paper's Algorithm 1, with working momentum and safeguards that hold."""

import time
from dataclasses import dataclass

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


@dataclass(frozen=True, repr=False)
class Relaxed(StoredOptions):
    """Options of solver "relaxed": the algorithm of the paper, on all samples at once.

    Pass an instance as ``solver`` of :class:`MDLAMClassifier` or :class:`MDLAMRegressor`. It is
    meant for few samples with many features, and for studying the algorithm.

    Parameters
    ----------
    w_step : {"quadratic", "exact"}, default="quadratic"
        Update of the weights: one proximal gradient step with the exact curvature, as in the paper,
        or the exact minimizer of the block.
    hidden_step : {"joint", "separate"}, default="joint"
        Update of pre-activations and activations of a hidden layer: together, or by the paper's two
        updates. The latter stall once epsilon is small, because each moves by at most epsilon.
    order : {"forward", "backward"}, default="forward"
        From the first layer to the last, as in the paper, or from the last to the first.
    accelerate : bool, default=True
        Whether to use Nesterov extrapolation of W and a.
    epsilon_start : float, default=100.0
        Tolerance in the first iteration, positive. The estimator's ``epsilon`` is the final one.
    epsilon_factor : float, default=0.5
        Factor of the tolerance from one iteration to the next, in (0, 1].
    start_scale : float or None, default=None
        Standard deviation of Gaussian starting weights, positive; 0.1 in the paper's experiments.
        None is Glorot uniform, as in MLPClassifier.
    row_space : bool, default=True
        Whether to work in the row space of X if that is smaller and the penalty allows it. The
        iterations are the same up to rounding.
    constants : Constants, default=Constants()
        Numbers that decide about memory and time, see :mod:`skmdlam.engine.constants`.

    Raises
    ------
    ValueError
        When an option is out of range or of the wrong kind.

    See Also
    --------
    Feasible : Options of the default solver.

    Notes
    -----
    It minimizes the relaxed objective F of :ref:`solvers`, in which every layer has variables of
    its own, one block after the other. F does not rise between two changes of epsilon. Features are
    not standardized: scale them first. They are encoded only if the estimator's ``encoding`` asks
    for it. The derivation is in :ref:`algorithm`.

    References
    ----------
    J. Wang, H. Li, L. Zhao, "Accelerated Gradient-free Neural Network Training by Multi-convex
    Alternating Optimization", Neurocomputing, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skmdlam import MDLAMClassifier, Relaxed
    >>> X, y = load_iris(return_X_y=True)
    >>> solver = Relaxed(w_step="exact")
    >>> model = MDLAMClassifier((10,), solver=solver, max_iter=1000, random_state=0)
    >>> model = model.fit(scale(X), y)
    >>> model.epsilon_curve_[0], model.epsilon_curve_[-1]
    (100.0, 0.001)
    >>> model.stop_reason_
    'converged'
    """

    w_step: str = "quadratic"
    hidden_step: str = "joint"
    order: str = "forward"
    accelerate: bool = True
    epsilon_start: float = 100.0
    epsilon_factor: float = 0.5
    start_scale: float | None = None
    row_space: bool = True
    constants: Constants = CONSTANTS

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
        """Return the strength of the penalty on weights for ``alpha="auto"``.

        Parameters
        ----------
        penalty : Penalty
            The penalty on weights.
        activity_alpha : float or None
            Ignored.

        Returns
        -------
        alpha : float
            1e-4, as in MLPClassifier.
        """
        return USUAL_ALPHA

    def rows_at_a_time(self, n, batch_size):
        """Return the number of samples in the products of a step: all of them.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int or None
            Ignored.

        Returns
        -------
        rows : int
            ``n``.
        """
        return n

    def start(self, problem, coefs, intercepts, **settings):
        """Start a run, an iterator of records, one for each iteration.

        Parameters
        ----------
        problem : Problem
            Problem to minimize.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed.
        **settings
            Attributes of :class:`~skmdlam.engine.records.Settings`. With ``warm`` the schedule
            of epsilon starts where it ends. ``rho=None`` stands for 1.

        Returns
        -------
        run : Run
            Iterate it for one record per iteration; ``weights()`` returns the weights.

        Raises
        ------
        ValueError
            If the batch size is smaller than the number of samples or ``activity_alpha`` is
            positive, which this solver does not support.
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
