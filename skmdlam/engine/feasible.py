"""Solver "feasible": its options, and which parts make a run of them."""

from dataclasses import dataclass, replace

from ..penalties import USUAL_ALPHA, constrains
from .batch_sizes import BatchSizes
from .constants import CONSTANTS, Constants
from .device.admission import check_device, check_problem_on_device
from .evidence import choose_n_pieces
from .full_batch import full_batch_run, full_batch_runs, proximal_run
from .mini_batches import mini_batch_runs
from .options import (
    StoredOptions,
    check_choice,
    check_flag,
    check_integer,
    check_kind,
    check_number,
    first_given,
)
from .priced import priced_run
from .records import Settings
from .regularization import NO_REGULARIZATION, Regularization, estimate_regularization
from .run_choice import Runs
from .start import looks_linear
from .step_sizes import StepSizes
from .streams import stream_run

ACCELERATIONS = ("anderson", "nesterov", None)


@dataclass(frozen=True, repr=False)
class Feasible(StepSizes, BatchSizes, StoredOptions):
    """Options of solver "feasible": alternating minimization of the training objective itself.

    Pass an instance as ``solver`` of :class:`MDLAMClassifier` or :class:`MDLAMRegressor`. The
    default of most options is chosen from the data.

    Parameters
    ----------
    activity_alpha : float or None, default=None
        Strength of the penalty on the variance of the pre-activations, not negative, in
        pseudo-samples. None is 1, times the number of hidden layers of ReLU-like activations (at
        most 3.2) or 0.3 to 1 for curved ones. 0 turns off the penalties on features and upper
        layers, too. The parameter of that name of the estimator replaces it.
    column_alpha : float or None, default=None
        Strength of the penalty on the use of features, not negative. None estimates it from the
        noise in the targets, see :func:`~skmdlam.engine.regularization.estimate_regularization`:
        0.75 for low-noise targets, otherwise from 1.2 for 30 samples to 4 for 10,000 and more.
        Sample weights below one on average scale it down.
    upper_alpha : float or None, default=None
        Strength of the L2 penalty on the weights of all layers but the first, not negative, in
        pseudo-samples. None estimates it from the noise in the gradients of the loss; it grows with
        the square root of the number of samples, up to 2,000.
    hidden_gain : float or None, default=None
        Step size of hidden layers relative to the output layer, positive. None is 3, and 10 for
        logistic activations, whose derivative is small.
    damping : float or None, default=None
        Damping of the least-squares steps of hidden layers, not negative, in units of the mean
        variance of their inputs. None is 0.1 for each hidden layer, at least 0.2.
    momentum : float, default=0.9
        Fraction of the last step that is repeated, in [0, 1).
    epochs : int or None, default=None
        Maximum number of epochs at full step size. None is 150.
    cool_down : int or None, default=None
        Length of the step-size decay phase, in epochs. None is 30, or 15 for high-noise targets
        (with more than one batch per epoch). For large data sets it is shorter: 5,000 steps, 5
        epochs or half of the epochs before, whichever is most.
    patience : int or None, default=None
        Number of epochs in a row without improving the loss by 1 % and by the estimator's ``tol``
        that starts the step-size decay phase. None is 5, or 10 for low-noise targets. For large
        data sets it is 1,500 steps, at least 3 epochs.
    acceleration : {"anderson", "nesterov"} or None, default="anderson"
        Acceleration of full-batch iterations (``batch_size=None``), see
        :mod:`~skmdlam.engine.steps.quasi_newton`.
    single_precision : bool, default=True
        Whether to take mini-batch steps in float32 also for float64 data. Full-batch mode never
        does.
    device : str or None, default=None
        Device that computes steps and passes over the samples: one of PyTorch ("cuda", "cuda:1",
        "cpu") or CuPy ("cupy", "cupy:1"). None is NumPy, or the device of the samples under
        ``sklearn.set_config(array_api_dispatch=True)``. It takes dense X without missing values,
        penalty "l2" or "none", and built-in activations and losses; ``partial_fit`` stays on NumPy.
    constants : Constants, default=Constants()
        Tuned numbers, for benchmarks and tests, see :mod:`skmdlam.engine.constants`.

    Raises
    ------
    ValueError
        When an option is out of range or of the wrong kind.

    See Also
    --------
    Relaxed : Options of the other solver.

    Notes
    -----
    Targets are high-noise if the ratio of :func:`~skmdlam.engine.regularization.noise_of` is 0.25
    or more, and low-noise below. With ``activity_alpha=0`` no noise is estimated, and ``patience``
    is 5 and ``cool_down`` 30. The training objective is described in :ref:`problem`, the steps,
    safeguards and memory in :ref:`solvers`, and every derivation in :ref:`algorithm`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmdlam import Feasible, MDLAMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> solver = Feasible(column_alpha=0.0, acceleration=None)
    >>> model = MDLAMClassifier((10,), solver=solver, random_state=0).fit(X, y)
    >>> model.column_alpha_
    0.0
    >>> model.predict(X[[0, 50, 100]])
    array([0, 1, 2])
    """

    activity_alpha: float | None = None
    column_alpha: float | None = None
    upper_alpha: float | None = None
    hidden_gain: float | None = None
    damping: float | None = None
    momentum: float = 0.9
    epochs: int | None = None
    cool_down: int | None = None
    patience: int | None = None
    acceleration: str | None = "anderson"
    single_precision: bool = True
    device: str | None = None
    constants: Constants = CONSTANTS

    name = "feasible"
    # Parameters of the estimator that this solver has no use for, and what uses them.
    unused = {"epsilon": "it is the final tolerance of solver='relaxed', and this one has none"}

    def __post_init__(self):
        check_number("activity_alpha", self.activity_alpha, "[0, inf)", optional=True)
        check_number("column_alpha", self.column_alpha, "[0, inf)", optional=True)
        check_number("upper_alpha", self.upper_alpha, "[0, inf)", optional=True)
        check_number("hidden_gain", self.hidden_gain, "(0, inf)", optional=True)
        check_number("damping", self.damping, "[0, inf)", optional=True)
        check_number("momentum", self.momentum, "[0, 1)")
        for option in ("epochs", "cool_down", "patience"):
            check_integer(option, getattr(self, option), at_least=1, optional=True)
        check_choice("acceleration", self.acceleration, ACCELERATIONS)
        check_flag("single_precision", self.single_precision)
        check_device(self.device)
        check_kind("constants", self.constants, Constants)

    def initial_weights(self, sizes, rng, dtype, activations):
        """Starting weights and intercepts, meant for standardized columns.

        Glorot's; deep stacks of relu units start as a straight line, see
        :func:`~skmdlam.engine.start.looks_linear`.

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
        return looks_linear(sizes, rng, dtype, activations)

    def default_alpha(self, penalty, activity_alpha):
        """Return the strength of the penalty on weights for ``alpha="auto"``.

        Parameters
        ----------
        penalty : Penalty
            The penalty on weights.
        activity_alpha : float or None
            Parameter of the estimator; None for "auto".

        Returns
        -------
        alpha : float or None
            None if :func:`~skmdlam.engine.priced.priced_run` estimates it from the data.
        """
        if penalty.ridge is None and not constrains(penalty):
            return None
        return 0.0 if first_given(activity_alpha, self.activity_alpha) != 0 else USUAL_ALPHA

    def choose_n_pieces(self, problem):
        """Return how finely a fit encodes its columns for ``encoding="auto"``.

        Parameters
        ----------
        problem : Problem
            The problem, with dense samples as they are.

        Returns
        -------
        n_pieces : int
            Pieces of a column, see :func:`~skmdlam.engine.evidence.choose_n_pieces`. 0 (plain
            columns) without a hidden layer, with a penalty other than "l2" and "none", of whatever
            strength, and for more than 500 columns.
        """
        wide = problem.X.shape[1] > self.constants.tuned.encoded_columns
        if wide or not problem.activations or problem.penalty.ridge is None:
            return 0
        return choose_n_pieces(problem, self.constants)

    def estimate_regularization(self, problem, scaling, inputs, Y, *, total=None):
        """Estimate the strengths of the unit-free penalties for a problem.

        ``activity_alpha`` counts once for each hidden layer of positively homogeneous activations
        (ReLU), up to 3.2 times. It is lower for curved ones in shallow networks, whose
        pre-activations must be large for the network to be nonlinear. A network of both takes the
        mean over its layers.

        Parameters
        ----------
        problem : Problem
            The network and the sample weights.
        scaling : Scaling
            The loss in scaled units.
        inputs : callable
            ``inputs(rows)`` gives samples in the coordinates that the first layer sees.
        Y : ndarray of shape (n, K)
            Targets in the unit of the loss.
        total : float or None, default=None
            Sum of the sample weights, where there are more samples than the given ones.

        Returns
        -------
        regularization : Regularization
            Strengths of the penalties, in samples, and the noise that they come from.
        """
        tuned = self.constants.tuned
        if problem.X.shape[1] > self.constants.limits.noise_columns:
            # The samples that tell the noise are dense for a moment.
            tuned = replace(tuned, most_noise_samples=tuned.noise_samples, noise_blocks=1)
        found = estimate_regularization(
            scaling.loss,
            inputs,
            Y,
            problem.sample_weight,
            total=total,
            loss_scale=scaling.loss_scale,
            leave_one_out=problem.pieces is not None,
            tuned=tuned,
        )
        n_hidden = max(len(problem.activations), 1)
        curved = sum(not activation.homogeneous for activation in problem.activations) / n_hidden
        part = (1.0 - curved) * min(n_hidden, tuned.depth_straight)
        part += curved * min(1.0, max(tuned.least_curved, tuned.depth_curved * n_hidden))
        return found._replace(activity_alpha=part * found.activity_alpha)

    def resolve_regularization(self, activity_alpha, estimate, *, schedule=False):
        """Combine the strengths of the estimator, of the options, and estimated ones.

        Parameters
        ----------
        activity_alpha : float or None
            Parameter of the estimator; None for "auto".
        estimate : callable
            ``estimate()`` returns the estimated strengths. It is called only if they are needed.
        schedule : bool, default=False
            Whether there is a schedule, whose length depends on the noise.

        Returns
        -------
        regularization : Regularization
            Strengths in use; all are 0 with ``activity_alpha=0``.
        estimated : Regularization or None
            Estimated strengths; None if they were not needed.
        """
        activity_alpha = first_given(activity_alpha, self.activity_alpha)
        if activity_alpha == 0:
            return NO_REGULARIZATION, None
        named = {
            "activity_alpha": activity_alpha,
            "column_alpha": self.column_alpha,
            "upper_alpha": self.upper_alpha,
        }
        named = {name: float(value) for name, value in named.items() if value is not None}
        if len(named) == len(NO_REGULARIZATION.penalties) and not (
            schedule and None in (self.cool_down, self.patience)
        ):
            return Regularization(**named), None
        found = estimate()
        return found._replace(**named), found

    def unused_options(self, problem, **settings):
        """Return the options that a fit to a problem would not use.

        Parameters
        ----------
        problem : Problem
            What is minimized.
        **settings
            The attributes of :class:`~skmdlam.engine.records.Settings`.

        Returns
        -------
        unused : dict
            What uses it, by the name of an option that is not at its default.
        """
        return RunsAtHand(self).unused_options(problem, Settings(**settings))

    def start(self, problem, coefs, intercepts, **settings):
        """Start a run, an iterator of records, one for each iteration.

        Parameters
        ----------
        problem : Problem
            Problem to minimize.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed. Unless ``warm``, those of the first layer
            are meant for standardized columns.
        **settings
            Attributes of :class:`~skmdlam.engine.records.Settings`. In mini-batch mode ``rho`` is
            limited to within a factor of 8 of :meth:`auto_rho`, outside of which the first epochs
            would be lost. ``epsilon`` is not used.

        Returns
        -------
        run : Run
            Iterate it for one record per iteration; ``weights()`` returns the weights.
        """
        return self.start_several(problem, [(coefs, intercepts)], **settings)

    def start_several(self, problem, starts, **settings):
        """Start runs of several networks side by side, which give one with their mean output.

        Mini-batches are the same for all. If the penalty is quadratic and its strength known, so is
        the preparation, and steps on dense batches are stacked. Otherwise each is a run by itself.

        Parameters
        ----------
        problem : Problem
            Problem that each of them minimizes.
        starts : list of (coefs, intercepts)
            Starting weights of each, as for :meth:`start`.
        **settings
            As for :meth:`start`.

        Returns
        -------
        run : Run
            Iterate it for one record per iteration, the mean over the networks; ``weights()``
            returns those of the combined network.
        """
        if self.device is not None:
            check_problem_on_device(problem, self.device)
        return RunsAtHand(self).begin(problem, starts, Settings(**settings))

    def stream(self, problem, coefs, intercepts, state, **settings):
        """Start to learn a chunk of a stream, as an iterator of one record.

        Parameters
        ----------
        problem : Problem
            The chunk.
        coefs, intercepts : list of ndarray
            Starting weights of a new stream; they are not changed.
        state : dict or None
            State after the last chunk (``run.state()``), arrays and numbers. To start a stream:
            ``DataSummary.as_arrays()`` of the data of a fit with these weights, or None for random
            weights of standardized columns.
        **settings
            The attributes of :class:`~skmdlam.engine.records.Settings`. Automatic strengths are
            estimated from chunks of 100 samples and more (that on columns: 400), among the first
            5,000; without such a chunk they are those of the fit before, or those of
            :func:`~skmdlam.engine.regularization.usual_regularization`.

        Returns
        -------
        run : Run
            Its ``weights()`` and ``state()`` are those after the chunk.
        """
        return stream_run(self, problem, coefs, intercepts, state, Settings(**settings))


class RunsAtHand(Runs):
    """Those where a problem has all samples."""

    def takes_all_samples(self, problem, settings):
        return self.options.takes_all_samples(problem, settings)

    def sweeps(self, problem, starts, settings):
        return full_batch_runs(self.options, problem, starts, settings)

    def mini_batches(self, problem, starts, settings):
        return mini_batch_runs(self.options, problem, starts, settings)

    def finish(self, problem, coefs, intercepts, settings, regularization, moments):
        return proximal_run(
            self.options, problem, coefs, intercepts, settings, regularization, moments
        )

    def priced(self, problem, coefs, intercepts, settings):
        return priced_run(self.options, problem, coefs, intercepts, settings, full_batch_run)
