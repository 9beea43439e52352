"""Solver "feasible": its options, and which parts make a run of them."""

from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True)
class Feasible(StepSizes, BatchSizes, StoredOptions):
    """Alternating minimization of the training objective itself, from feasible points.

    Minimizes ``J(W, b) = sum_i s_i R_i(z_L) + alpha sum_l penalty(W_l)
    + activity_alpha/2 unit sum_l sum_k Var_i(z_l[i, k]) + column_alpha/2 unit C(W_1)
    + upper_alpha/2 unit sum_{l>=2} ||W_l||^2`` with
    ``C(W_1) = sqrt(d) sum_j log(1 + 10 std_j^2 ||W_1[j, :]||^2)``, variances weighted by ``s_i``,
    and ``unit`` the unit of the loss (see Notes). Small tables are fitted by sweeps over all
    samples, see :meth:`takes_all_samples`, others by steps on batches of samples::

        z_l, a_l  <-  forward: z_l = v_l, a_l = h(z_l), all constraints tight
        D_L       <-  prox of the loss at z_L, minus z_L
        D_l       <-  h'(z_l) * (D_{l+1} W_{l+1}')          first-order joint block of (z_l, a_l)
        dW_l, db_l <- ridge regression of D_l on a_{l-1}    second moments as moving averages
        W_l       <-  W_l + momentum * (last step) + dW_l   the first layer in its own metric
        W_l       <-  prox of the penalties in the metric of the step           (now and then)

    An epoch after which J is not finite or more than 1.5 times its best is taken back and rho
    doubled. J is measured by a forward pass at the end of each epoch, and the weights with the
    lowest J so far are kept and returned. From one epoch to the next J may rise; on all samples
    (``batch_size=None``) it does not, because every sweep descends. The pass is over all samples,
    but of more than 10,000 samples without weights over a random part of them that stays the same
    for the whole run: 5000 samples, or a sixteenth where that is more. With penalties other than
    "l2" and "none", where sweeps over all samples follow, it is over all of them.

    Parameters
    ----------
    activity_alpha : float or None, default=None
        Strength of the penalty on the variance of the pre-activations, in samples: it weighs
        like so many samples on which the network should say nothing. None is 1, times the number
        of hidden layers of straight activations (at most 3.2), and .3 to 1 of that with curved
        ones. With 0 there is no penalty on columns and on upper layers either. The estimator's
        parameter of that name replaces it.
    column_alpha : float or None, default=None
        Strength of the penalty on the columns of X. It costs a column its use at all more than its
        use in full, so that columns that say little are left out; every penalty on W_1 that is
        not logarithmic pulls at the useful ones just as hard. None estimates it from the noise, see
        :func:`~skmdlam.engine.regularization.estimate_regularization`: 0.75
        where the targets are clear; where they are noisy it grows with the number of samples, from
        1.2 for 30 to 4 for 10,000 and more. ``activity_alpha=0`` switches it off too, and weights
        of less than one on average scale it down.
    upper_alpha : float or None, default=None
        Strength of the ridge on the weights of all layers but the first, in samples: with it the
        price of a unit is ``sqrt(activity_alpha upper_alpha)`` times what it contributes, and no
        rescaling of layers sheds the other penalties. None estimates it from the noise in the
        gradients of the loss, with which and with the root of the number of samples it grows.
    hidden_gain : float or None, default=None
        Steps of hidden layers are this many times longer than those of the output layer. None is
        3, and 10 for layers of logistic activations, whose derivative is small.
    damping : float or None, default=None
        Damping of a hidden layer's least-squares step, in units of the mean variance of its
        inputs. None is 0.1 for each hidden layer, at least 0.2: in deep nets every layer moves what
        the next one has learned.
    momentum : float, default=0.9
        Share of the last step that is repeated, in [0, 1).
    epochs : int or None, default=None
        Largest number of epochs at full step. None is 150.
    cool_down : int or None, default=None
        Epochs in which the steps fall to zero. None is 30, or 15 where the targets are noisy, which
        longer training fits (with more than one batch an epoch); of many samples as few as 5000
        steps, 5 epochs or half of the epochs before, whichever are most.
    patience : int or None, default=None
        Epochs in a row without improving the loss by 1 % and by the estimator's ``tol`` that start
        the cool-down. None is 5, or 10 where the targets are clear and more epochs go on to gain;
        of many samples as few as 1500 steps, or 3 epochs.
        They are noisy where the ratio of :func:`~skmdlam.engine.regularization.noise_of` is .25 or
        more, clear below, and neither with ``activity_alpha=0``, which asks nobody.
    acceleration : {"anderson", "nesterov"} or None, default="anderson"
        How full-batch sweeps are accelerated (``batch_size=None``); see
        :mod:`~skmdlam.engine.steps.quasi_newton`.
    single_precision : bool, default=True
        Take the steps in float32 also when the data are float64. A fit in one batch never does.
    device : str or None, default=None
        Where steps and passes over the samples are computed: a device of PyTorch by its name
        ("cuda", "cuda:1", "cpu") or one of CuPy ("cupy", "cupy:1"), which have to be installed.
        None is NumPy, and for samples that are arrays of a device under
        ``sklearn.set_config(array_api_dispatch=True)`` that device. The fit is the same one up to
        rounding. Samples are dense and complete, penalties quadratic, activations and losses
        built-in ones; streams (``partial_fit``) stay on NumPy.
    constants : Constants, default=Constants()
        The tuned numbers, for benchmarks and tests, see :mod:`skmdlam.engine.constants`.

    Notes
    -----
    Columns of X are centered and scaled for the metric and the start, and the target of a
    regression for the steps; both are folded back into the weights. With ``alpha=0`` the fit
    then does not depend on units. Columns that outnumber the samples and are of like spread (within
    a factor of 1000) are taken to be in one unit and scaled by one number, ``std_j`` in C: each
    rare one blown up to the size of the others would be noise. Encoded columns count one by one.

    ``unit`` is the variance of the target for squared error and Huber, its mean deviation for
    absolute error and quantile, its mean for Poisson and 1 for classification; a Huber loss with a
    delta below the deviation has delta times the deviation. The variance of the output layer is
    that of ``(z_L - shift) / scale``, in which the target has mean zero and unit spread. In the
    step of W_l the variance counts with the inputs as they are: it has no share in the targets of
    the layers below.

    Memory: besides X a copy of it in the coordinates of the metric (float32 by default), the values
    of a batch, and a few square matrices for each layer. Of a large sparse X the copy is of its
    entries; where samples and columns are many, up to eight times as many numbers say where the
    samples lie along the leading directions, and a step changes the weights of the columns in the
    batch alone, see :class:`~skmdlam.engine.sparse_layers.LazyInputLayer`.

    From a feasible point and for small steps the recursion of the targets D is the one of
    back-propagation. What is different is the step of the weights, a least-squares fit with no
    learning rate to choose, the prox of the loss, and the safeguard.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmdlam import Feasible, MDLAMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> patient = Feasible(patience=10, column_alpha=0.0)
    >>> MDLAMClassifier((10,), solver=patient, random_state=0).fit(X, y).score(X, y) > 0.9
    True
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
    constants: Constants = field(default=CONSTANTS, repr=False)

    name = "feasible"
    # Parameters of the estimator that this solver has no use for, and what uses them.
    unused = {"epsilon": "solver='relaxed' ends with it; here every constraint is tight"}

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
        """Strength of the penalty on weights where the user names none.

        Parameters
        ----------
        penalty : Penalty
            The penalty on weights.
        activity_alpha : float or None
            What the estimator was given; None for "auto".

        Returns
        -------
        alpha : float or None
            None where :func:`~skmdlam.engine.priced.priced_run` tells it from the data.
        """
        if penalty.ridge is None and not constrains(penalty):
            return None
        return 0.0 if first_given(activity_alpha, self.activity_alpha) != 0 else USUAL_ALPHA

    def choose_n_pieces(self, problem):
        """How finely a fit encodes its columns where the user leaves it to us.

        Parameters
        ----------
        problem : Problem
            With dense samples as they are.

        Returns
        -------
        n_pieces : int
            Pieces of a column, see :func:`~skmdlam.engine.evidence.choose_n_pieces`. 0, for plain
            columns, without a hidden layer, with a penalty other than "l2" and "none", of whatever
            strength, and for more than 500 columns.
        """
        wide = problem.X.shape[1] > self.constants.tuned.encoded_columns
        if wide or not problem.activations or problem.penalty.ridge is None:
            return 0
        return choose_n_pieces(problem, self.constants)

    def estimate_regularization(self, problem, scaling, inputs, Y, *, total=None):
        """Strengths of the unit-free penalties for a problem, whatever the user names.

        ``activity_alpha`` counts once for each hidden layer of positively homogeneous activations
        (relu), up to 3.2 times: what a chain of layers contributes is priced in each. Curved ones
        take less in shallow nets, because their pre-activations must be large for the network to be
        more than a straight line. A net of both takes the mean over its layers.

        Parameters
        ----------
        problem : Problem
            The network and the sample weights.
        scaling : Scaling
            The loss in units of its own.
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
        """Strengths that hold: what the estimator names, then the options, then the estimated ones.

        Parameters
        ----------
        activity_alpha : float or None
            What the estimator names.
        estimate : callable
            ``estimate()`` gives the estimated ones. It is asked where something depends on them.
        schedule : bool, default=False
            Whether there is a schedule, whose length depends on the noise.

        Returns
        -------
        regularization : Regularization
            Without ``activity_alpha`` there is no penalty on columns either.
        estimated : Regularization or None
            None where nobody was asked.
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
        """Begin a run; the result is an iterator of records, one a sweep or epoch.

        Parameters
        ----------
        problem : Problem
            What is minimized.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed. Unless ``warm``, those of the first layer
            are meant for standardized columns.
        **settings
            The attributes of :class:`~skmdlam.engine.records.Settings`. ``rho`` is held within a
            factor of 8 of :meth:`auto_rho` in mini-batches, outside of which the first epochs
            would be lost. ``epsilon`` is not used: every constraint is tight.

        Returns
        -------
        run : Run
            Iterate it for one record a sweep or epoch; ``weights()`` gives the weights.
        """
        return self.start_several(problem, [(coefs, intercepts)], **settings)

    def start_several(self, problem, starts, **settings):
        """Begin runs of several networks side by side; they give one, with their mean output.

        Mini-batches are the same for all. Where the penalty is quadratic and its strength known, so
        is what is prepared, and steps on dense batches are stacked; else each is a run by itself.

        Parameters
        ----------
        problem : Problem
            What each of them minimizes.
        starts : list of (coefs, intercepts)
            Starting weights of each, as for :meth:`start`.
        **settings
            As for :meth:`start`.

        Returns
        -------
        run : Run
            Iterate it for one record a sweep or epoch, the mean over the networks; ``weights()``
            gives those of the one network.
        """
        if self.device is not None:
            check_problem_on_device(problem, self.device)
        return RunsAtHand(self).begin(problem, starts, Settings(**settings))

    def stream(self, problem, coefs, intercepts, state, **settings):
        """Begin to learn a chunk of a stream; the result is an iterator of one record.

        Parameters
        ----------
        problem : Problem
            The chunk.
        coefs, intercepts : list of ndarray
            Starting weights of a new stream; they are not changed.
        state : dict or None
            What the run of the last chunk left (``run.state()``), arrays and numbers. To begin a
            stream: ``DataSummary.as_arrays()`` of the data that a fit with these weights has seen,
            or None for random weights of standardized columns.
        **settings
            The attributes of :class:`~skmdlam.engine.records.Settings`. Automatic strengths are
            estimated from chunks of 100 samples and more (that on columns: 400), among the first
            5,000; without such a chunk they are those of the fit before, or 5 and 0.75.

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
