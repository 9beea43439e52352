"""Solver "feasible": sweeps that start from the network's own activations, in mini-batches."""

import time
from dataclasses import dataclass, replace

import numpy as np

from ..penalties import USUAL_ALPHA
from .calibration import Strengths, automatic_strengths
from .full_batch import ACCELERATIONS, FullBatchRun
from .metric import MovingMetric, proximal
from .moments import TargetMoments
from .options import check_choice, check_flag, check_integer, check_number
from .proximal import PolishedRun, ProximalRun
from .run import Record, Settings
from .schedule import PlateauSchedule
from .sparse_steps import ExpandedWeights, LazyWeights
from .start import is_flat, mirrored, spread_layers
from .units import InputSpace, column_strength, standardised_rows

# Rows that are worked on together where J is measured: their values stay in the cache.
_CHUNK = 512
# J of more samples than the first number is measured on a random part of them: on the second
# number, or on this share of all where that is more.
_ALL_MEASURED, _MEASURED, _MEASURED_SHARE = 10_000, 5000, 1 / 16
# Rows that the start of deep nets is scaled on.
_START_ROWS = 1000
# rho for batches of 100 samples; it falls with the size of the batch like the noise of its mean.
_RHO, _RHO_POWER = 45.0, 0.58
# A start of rho further than this from the automatic one would waste the first epochs.
_RHO_RANGE = 8.0
# Epochs at full step and in the cool-down; cut to so many steps each, but not below so many epochs.
_EPOCHS, _COOL_DOWN, _PATIENCE, _STEPS, _FEWEST_EPOCHS = 70, 30, 3, 5000, 5
# Noise, relative to the process of the calibration, from which on more epochs fit the noise: the
# cool-down is half as long. Below it they gain, and the patience is twice as long.
_NOISY = 0.25
# How often the last layer is quartered where J is not finite at the start.
_MOST_SHRINKINGS = 60
# J above this multiple of the best one so far: the epoch is taken back.
_WORST_RISE = 1.5


@dataclass(frozen=True)
class Feasible:
    """Alternating minimisation of the training objective itself, from feasible points.

    Minimises ``J(W, b) = sum_i s_i R_i(z_L) + alpha sum_l penalty(W_l)
    + activity_alpha/2 unit sum_l sum_k Var_i(z_l[i, k]) + column_alpha/2 unit C(W_1)`` with
    ``C(W_1) = sqrt(d) sum_j log(1 + 10 std_j^2 ||W_1[j, :]||^2)``, variances weighted by ``s_i``,
    and ``unit`` the unit of the loss (see Notes). A step, on a batch of samples::

        z_l, a_l  <-  forward: z_l = v_l, a_l = h(z_l), all constraints tight
        D_L       <-  prox of the loss at z_L, minus z_L
        D_l       <-  h'(z_l) * (D_{l+1} W_{l+1}')          first-order joint block of (z_l, a_l)
        dW_l, db_l <- ridge regression of D_l on a_{l-1}    second moments as moving averages
        W_l       <-  W_l + momentum * (last step) + dW_l   the first layer in its own metric
        W_l       <-  prox of the penalties in the metric of the step           (now and then)

    An epoch after which J is not finite or more than 1.5 times its best is taken back and rho
    doubled. J is measured by a forward pass at the end of each epoch, and what is reported and
    returned belongs to the weights with the lowest J so far: it never rises. The pass is over all
    samples, but of more than 10,000 samples without weights over a random part of them that stays
    the same for the whole run: 5000 samples, or a sixteenth where that is more. With penalties
    other than "l2" and "none", where sweeps over all samples follow, it is over all of them.

    Parameters
    ----------
    activity_alpha : float or None, default=None
        Strength of the penalty on the variance of the pre-activations, in samples: it weighs
        like so many samples on which the network should say nothing. None estimates it from the
        share of noise in the targets, see :func:`~skmdlam.engine.calibration.automatic_strengths`,
        and takes a part of that in nets of several hidden layers or with curved activations. The
        estimator's parameter of that name replaces it.
    column_alpha : float or None, default=None
        Strength of the penalty on the columns of X. It costs a column its use at all more than its
        use in full, so that columns that say little are left out; every penalty on W_1 that is
        not logarithmic pulls at the useful ones just as hard. None estimates it from the noise,
        like ``activity_alpha``: 0.75 where the targets are clear; where they are noisy it grows
        with the number of samples, from 1.2 for 30 to 4 for 10,000 and more. ``activity_alpha=0``
        switches it off too, and weights of less than one on average scale it down.
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
        Largest number of epochs at full step. None is 70, but no more than 5000 steps or 5 epochs.
    cool_down : int or None, default=None
        Epochs in which the steps fall to zero. None is 30, or 15 where the targets are noisy, which
        longer training fits (with more than one batch an epoch); cut short in the same way.
    patience : int or None, default=None
        Epochs in a row without improving the loss by 1 % and by the estimator's ``tol`` that start
        the cool-down. None is 3, or 6 where the targets are clear and more epochs go on to gain.
        They are noisy where the ratio of :func:`~skmdlam.engine.calibration.noise_of` is .25 or
        more, clear below, and neither with ``activity_alpha=0``, which asks nobody.
    acceleration : {"anderson", "nesterov"} or None, default="anderson"
        How full-batch sweeps are accelerated (``batch_size=None``); see
        :class:`~skmdlam.engine.full_batch.FullBatchRun`.
    single_precision : bool, default=True
        Take the steps in float32 also when the data are float64. A fit in one batch never does.

    Notes
    -----
    Columns of X are centred and scaled for the metric and the start, and the target of a
    regression for the steps; both are folded back into the weights. With ``alpha=0`` the fit
    then does not depend on units. Columns that outnumber the samples and are of like spread (within
    a factor of 1000) are taken to be in one unit and scaled by one number, ``std_j`` in C: each
    rare one blown up to the size of the others would be noise.

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
    batch alone, see :class:`~skmdlam.engine.sparse_steps.LazyWeights`.

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
    hidden_gain: float | None = None
    damping: float | None = None
    momentum: float = 0.9
    epochs: int | None = None
    cool_down: int | None = None
    patience: int | None = None
    acceleration: str | None = "anderson"
    single_precision: bool = True

    name = "feasible"

    def __post_init__(self):
        check_number("activity_alpha", self.activity_alpha, "[0, inf)", optional=True)
        check_number("column_alpha", self.column_alpha, "[0, inf)", optional=True)
        check_number("hidden_gain", self.hidden_gain, "(0, inf)", optional=True)
        check_number("damping", self.damping, "[0, inf)", optional=True)
        check_number("momentum", self.momentum, "[0, 1)")
        for option in ("epochs", "cool_down", "patience"):
            check_integer(option, getattr(self, option), at_least=1, optional=True)
        check_choice("acceleration", self.acceleration, ACCELERATIONS)
        check_flag("single_precision", self.single_precision)

    def initial_weights(self, sizes, rng, dtype, activations):
        """Starting weights and intercepts, meant for standardised columns.

        Glorot's; deep stacks of relu units start as a straight line, see
        :func:`~skmdlam.engine.start.mirrored`.

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
        return mirrored(sizes, rng, dtype, activations)

    def default_alpha(self, penalty, activity_alpha):
        """Strength of the penalty on weights where the user names none.

        Zero where J has the penalties on activity and columns in its place, which do not depend on
        units, as a penalty on weights does.

        Parameters
        ----------
        penalty : Penalty
            The penalty on weights.
        activity_alpha : float or None
            What the estimator was given; None for "auto".

        Returns
        -------
        alpha : float
            Not negative.
        """
        activity_alpha = _first_given(activity_alpha, self.activity_alpha)
        return 0.0 if penalty.ridge is not None and activity_alpha != 0 else USUAL_ALPHA

    def auto_batch_size(self, n):
        """Samples in a batch when the user leaves the choice to us.

        Parameters
        ----------
        n : int
            Number of samples.

        Returns
        -------
        size : int
            All of up to 64, a fifth below 500, 100 below 2,000, and 200 from there on.
        """
        if n <= 64:
            return n
        if n < 500:
            return min(n, max(20, n // 5))
        return 100 if n < 2000 else 200

    def rows_at_a_time(self, n, batch_size):
        """Rows in the products of a step.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int or None
            What the user asks for; None leaves the choice to us.

        Returns
        -------
        rows : int
            The size of a batch.
        """
        return min(n, self.auto_batch_size(n) if batch_size is None else batch_size)

    def auto_rho(self, n, batch_size):
        """Where rho starts in mini-batches when the user leaves the choice to us.

        Parameters
        ----------
        n : int
            Number of samples.
        batch_size : int
            Samples in a batch: the more of them, the less noise, and the smaller rho may be.

        Returns
        -------
        rho : float
            45 for batches of 100.
        """
        if batch_size >= n:  # no noise of batches; and repeated rows must not count
            batch_size = 100
        return _RHO * (100.0 / batch_size) ** _RHO_POWER

    def automatic_strengths(self, problem, loss, inputs, Y, *, total=None):
        """Strengths of the unit-free penalties on a problem, whatever the user names.

        Straight activations in deep nets take less of the automatic ``activity_alpha``, because the
        penalties of all layers add up; curved ones take less in shallow nets, because their
        pre-activations must be large for the network to be more than a straight line. A net of
        both takes the mean over its layers.

        Parameters
        ----------
        problem : Problem
            The network and the sample weights.
        loss : Loss
            The loss in units of its own.
        inputs : callable
            ``inputs(rows)`` gives standardised samples.
        Y : ndarray of shape (n, K)
            Targets in the unit of the loss.
        total : float or None, default=None
            Sum of the sample weights, where there are more samples than the given ones.

        Returns
        -------
        strengths : Strengths
            Those of the penalties, in samples, and the noise that they come from.
        """
        automatic = automatic_strengths(loss, inputs, Y, problem.sample_weight, total=total)
        n_hidden = max(len(problem.activations), 1)
        curved = sum(not activation.straight for activation in problem.activations) / n_hidden
        part = (1.0 - curved) * min(1.0, 3.2 / n_hidden)
        part += curved * min(1.0, max(0.3, 0.1 * n_hidden))
        return automatic._replace(activity_alpha=part * automatic.activity_alpha)

    def resolve_strengths(self, activity_alpha, automatic, *, schedule=False):
        """Strengths that hold: what the estimator names, then the options, then the automatic ones.

        Parameters
        ----------
        activity_alpha : float or None
            What the estimator names.
        automatic : callable
            ``automatic()`` gives the automatic ones. It is asked where something depends on them.
        schedule : bool, default=False
            Whether there is a schedule, whose length depends on the noise.

        Returns
        -------
        strengths : Strengths
            Without ``activity_alpha`` there is no penalty on columns either.
        automatic : Strengths or None
            None where nobody was asked.
        """
        activity_alpha = _first_given(activity_alpha, self.activity_alpha)
        if activity_alpha == 0:
            return Strengths(0.0, 0.0), None
        named = activity_alpha, self.column_alpha
        if None not in named and not (schedule and None in (self.cool_down, self.patience)):
            return Strengths(*map(float, named)), None
        found = automatic()
        strengths = (float(_first_given(*pair)) for pair in zip(named, found[:2], strict=True))
        return Strengths(*strengths, found.ratio), found

    def start(self, problem, coefs, intercepts, **settings):
        """Begin a run; the result is an iterator of records, one a sweep or epoch.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        coefs, intercepts : list of ndarray
            Starting weights; they are not changed. Unless ``warm``, those of the first layer
            are meant for standardised columns.
        **settings
            The attributes of :class:`~skmdlam.engine.run.Settings`. ``rho`` is held within a
            factor of 8 of :meth:`auto_rho` in mini-batches, outside of which the first epochs
            would be lost. ``epsilon`` is not used: every constraint is tight.

        Returns
        -------
        FeasibleRun, PolishedRun, FullBatchRun or ProximalRun
            Iterate it for one record a sweep or epoch; ``weights()`` gives the weights.
        """
        settings = Settings(**settings)
        full = settings.batch_size is not None and settings.batch_size >= problem.X.shape[0]
        if not all(activation.exact_derivative for activation in problem.activations):
            # All other sweeps descend along slopes, which have to be those of J.
            return FeasibleRun(self, problem, coefs, intercepts, settings)
        # Proximal sweeps get stuck at the kinks of these losses: they only finish.
        if not full or (problem.loss.nonsmooth and not problem.parabolic):
            if problem.parabolic:
                return FeasibleRun(self, problem, coefs, intercepts, settings)
            first = replace(settings, max_iter=-(-2 * settings.max_iter // 3))
            batches = FeasibleRun(self, problem, coefs, intercepts, first)

            def finish(coefs, intercepts):
                penalties = batches.strengths.penalties
                return ProximalRun(problem, coefs, intercepts, warm=True, **penalties)

            return PolishedRun(batches, finish)
        share = problem.rows.share()

        def automatic():
            target = problem.loss.scaled(*TargetMoments.of(problem.Y, share))
            inputs = standardised_rows(problem.X, share)
            Y = target.transform(problem.Y)
            return self.automatic_strengths(problem, target.loss, inputs, Y)

        strengths, calibrated = self.resolve_strengths(settings.activity_alpha, automatic)
        options = {**strengths.penalties, "warm": settings.warm}
        if problem.parabolic:
            rho = 1.0 if settings.rho is None else settings.rho
            acceleration = self.acceleration
            run = FullBatchRun(
                problem, coefs, intercepts, rho=rho, acceleration=acceleration, **options
            )
        else:
            run = ProximalRun(problem, coefs, intercepts, **options)
        run.strengths, run.calibrated = strengths, calibrated
        return run

    def stream(self, problem, coefs, intercepts, state, **settings):
        """Begin to learn a chunk of a stream; the result is an iterator of one record.

        Parameters
        ----------
        problem : Problem
            The chunk.
        coefs, intercepts : list of ndarray
            Starting weights of a new stream; they are not changed.
        state : StreamState, Seen or None
            What the run of the last chunk left (``run.state()``). To begin a stream: what a fit
            with these weights has seen, or None for random weights of standardised columns.
        **settings
            The attributes of :class:`~skmdlam.engine.run.Settings`. Automatic strengths are
            estimated from chunks of 100 samples and more (that on columns: 400), among the first
            5,000; without such a chunk they are those of the fit before, or 5 and 0.75.

        Returns
        -------
        run : StreamRun
            Its ``weights()`` and ``state()`` are those after the chunk.
        """
        from .stream import StreamRun  # which is made of FeasibleRun

        return StreamRun(self, problem, coefs, intercepts, state, Settings(**settings))


class FeasibleRun:
    """The state of one run of :class:`Feasible`; iterate it for one record an epoch.

    ``V[l]`` holds the weights of layer l with the intercept as the last row, in the run's own
    units; ``velocity[l]`` the last step. The layer's input in a batch has a row of ones for it.
    """

    # A step with more than this many times the usual decrease is shortened to it.
    largest_decrease = 9.0
    # Steps between two batches that enter a hidden layer's moments, and between two inversions of
    # them, for layers of up to `usual_width` inputs; more, in proportion, for wider ones, where
    # both cost more than the step itself. Before the first regular inversion the moments are
    # inverted with every batch that enters them.
    observe_first, observe_every, refresh_every, usual_width = 4, 8, 40, 200
    # Smallest weight of a batch in the moving averages.
    memory, memory_decrease = 0.05, 0.02
    warm_up = 20
    # Whether a step on a large sparse X may leave most weights for later.
    may_be_lazy = True
    # Epochs in which a penalty with kinks comes to its full strength.
    ramp = 10

    def __init__(self, options, problem, coefs, intercepts, settings):
        self._clock = time.perf_counter()
        self._set_options(options, problem)
        self.rng = rng = np.random.RandomState(0) if settings.rng is None else settings.rng
        n = self.n = problem.X.shape[0]
        size = options.rows_at_a_time(n, settings.batch_size)
        self.n_batches = -(-n // size)
        self.dtype = problem.X.dtype
        if options.single_precision and self.n_batches > 1:
            self.dtype = np.dtype(np.float32)
        self.rho = auto = options.auto_rho(n, size)
        if settings.rho is not None:
            self.rho = within_range(settings.rho, auto)
        self.total = problem.rows.total
        weight = problem.sample_weight
        share = problem.rows.share()
        self.weight = None
        if weight is not None:
            self.weight = (share * n).astype(self.dtype)[:, None]
        self.target = problem.loss.scaled(*TargetMoments.of(problem.Y, share))
        # What J is in the run's units times this is what it is in the user's.
        self.unit = self.target.factor * self.target.loss_scale
        Y = self.target.transform(problem.Y)
        self.loss, self.Y = self.target.loss, Y.astype(self.dtype, copy=False)
        self.space = InputSpace(problem.X, weight, self.dtype, rng, rotate=self.rotated)

        strengths, self.calibrated = options.resolve_strengths(
            settings.activity_alpha,
            lambda: options.automatic_strengths(problem, self.loss, self.space.inputs_rotated, Y),
            schedule=True,
        )
        self._use_strengths(strengths, n)
        self.depth = len(coefs)
        self._initialise(coefs, intercepts, settings.warm)
        self.metrics = self._new_metrics()
        widest = max((metric.size for metric in self.metrics[1:]), default=1)
        times_usual = max(1, -(-widest // self.usual_width))
        self.observe_every *= times_usual
        self.refresh_every *= times_usual
        self._allocate(n)
        self._forget()
        # Epochs of many samples are many steps: fewer of them do, and more only fit the noise.
        enough = max(_FEWEST_EPOCHS, _STEPS // self.n_batches)
        epochs = _first_given(options.epochs, min(_EPOCHS, enough))
        noisy, clear = self.strengths.ratio >= _NOISY, self.strengths.ratio < _NOISY
        # An epoch of one batch is one step: half as many of them would be too few.
        usual_cool_down = _COOL_DOWN // 2 if noisy and self.n_batches > 1 else _COOL_DOWN
        cool_down = _first_given(options.cool_down, min(usual_cool_down, enough))
        self.max_sweeps = min(epochs + cool_down, settings.max_iter)
        self.schedule = PlateauSchedule(
            warm_up=self.warm_up,
            epochs=epochs,
            cool_down=cool_down,
            longest=settings.max_iter,
            patience=_first_given(options.patience, 2 * _PATIENCE if clear else _PATIENCE),
            tol=settings.tol,
            stall=settings.n_iter_no_change,
        )
        # The first layer's block costs a factorisation of the size of its input.
        self._first_every = max(self.refresh_every, self.space.size // 4)
        self.iteration = 0
        self.ended = False
        self.best = np.inf
        with np.errstate(all="ignore"):
            start = self._objective()[0]
            for _ in range(_MOST_SHRINKINGS):
                if np.isfinite(start):
                    break
                # The exponential of the Poisson loss may be beyond all numbers at the start.
                self.V[-1] *= 0.25
                start = self._objective()[0]
        self._keep()
        given = coefs if settings.warm else self._unprojected(self.V)[0]
        # J is infinite outside of constraints, where random weights are.
        if np.isfinite(start + sum(problem.penalty_value(W) for W in given)):
            self.best = start
        self._first_value = self.best

    # -- set up ---------------------------------------------------------------------------------

    def _set_options(self, options, problem):
        self.options, self.problem = options, problem
        # Of each layer; the last entry is the output layer's.
        self.gains = [
            _first_given(options.hidden_gain, 10.0 if is_flat(activation) else 3.0)
            for activation in problem.activations
        ] + [1.0]
        n_hidden = len(problem.activations)
        self.damping = _first_given(options.damping, max(0.2, 0.1 * n_hidden))
        # Penalties that look at single weights need the axes of X.
        self.rotated = problem.parabolic

    def _use_strengths(self, strengths, n):
        """Those of the penalties on n samples."""
        self.strengths, self.activity_alpha = strengths, strengths.activity_alpha
        self.column_alpha = column_strength(
            strengths.column_alpha, self.total, n, self.space.n_columns
        )

    def _new_metrics(self):
        """One for the inputs of every layer but the first, whose place holds None."""
        return [None] + [
            MovingMetric(V.shape[0] - 1, self.damping, self.memory, self.dtype) for V in self.V[1:]
        ]

    def _initialise(self, coefs, intercepts, warm):
        """Starting weights in the run's units."""
        last = self.depth - 1
        coefs = [W.astype(float) for W in coefs]
        intercepts = [b.astype(float) for b in intercepts]
        if warm:
            coefs[last], intercepts[last] = self.target.inner(coefs[last], intercepts[last])
        penalty = self.problem.penalty
        if not warm and self.problem.alpha > 0 and penalty.ridge is not None:
            # A column in a tiny unit has large weights: their penalty would be all there is to J.
            ridge = self.problem.alpha * penalty.ridge / (self.unit * self.total)
            coefs[0] = coefs[0] / (1.0 + ridge * self.space.inverse_variance)[:, None]
        V = [self.space.contract(coefs[0], intercepts[0], standard=not warm)]
        V += [np.vstack([W, b]) for W, b in zip(coefs[1:], intercepts[1:], strict=True)]
        self.V = [np.ascontiguousarray(W, dtype=self.dtype) for W in V]
        if not warm:
            some = np.arange(0, self.n, max(1, self.n // _START_ROWS))[:_START_ROWS]
            weight = None if self.weight is None else self.weight[some, 0]
            spread_layers(self.V, lambda: self.space.factor(some), self.problem.activations, weight)

    def _allocate(self, n):
        """Buffers for every number of rows that occurs, and for one step of each layer."""
        self.edges = np.linspace(0, n, self.n_batches + 1).astype(int)
        widths = [V.shape for V in self.V]
        sizes = [int(m) for m in np.unique(np.diff(self.edges))]
        self.first = self._sparse_first(max(sizes))
        stored = self.first is None
        self._batches = {m: _Batch(m, widths, self.dtype, inputs=stored) for m in sizes}
        # Rows of a sparse X that are transformed by the chunk: keep that as small as a batch.
        step = max(sizes) if stored and self.space.U is None else _CHUNK
        m = self.n_measured = self._rows_to_measure(n)
        slices = [slice(i, min(i + step, m)) for i in range(0, m, step)]
        self._chunks = slices
        if m < n:
            # The same rows in every run on the same data: J of one can be compared with another's.
            sample = np.sort(np.random.RandomState(0).permutation(n)[:m])
            self._chunks = [sample[rows] for rows in slices]
        self._passes = {
            m: _Batch(m, widths, self.dtype, backward=False, inputs=stored)
            for m in {rows.stop - rows.start for rows in slices}
        }
        # A lazy first layer has its own.
        lazy = not stored and self.first.lazy
        self._right = [None if lazy and V is self.V[0] else np.empty_like(V) for V in self.V]
        self._step = [None] + [np.empty_like(V) for V in self.V[1:]]
        self._ones = np.ones(max(self.Y.shape[1], step), dtype=self.dtype)

    def _sparse_first(self, m):
        """How the first layer multiplies batches of m samples; None where these become dense."""
        space = self.space
        if space.rows is None:
            return None
        if self.may_be_lazy and space.rows.along is not None:
            return LazyWeights(space, self.options.momentum)
        # To change all weights for every batch may cost more than to change its samples.
        width, directions = self.V[0].shape[1], space.n_directions
        cheap = 2 * width * directions <= m * (directions + 2 * width)
        return ExpandedWeights(space) if cheap else None

    def _rows_to_measure(self, n):
        """How many samples J is measured on.

        All of them when they are weighted, and for penalties after which sweeps on all rows go on:
        J of a part could not be compared with theirs.
        """
        if n <= _ALL_MEASURED or self.weight is not None or not self.rotated:
            return n
        return max(_MEASURED, int(_MEASURED_SHARE * n))

    def _forget(self):
        """Drop the moving averages and the momentum."""
        self.velocity = [np.zeros_like(V) for V in self.V]
        self._decrease, self._decreases = [0.0] * self.depth, [0] * self.depth
        self._owed = np.zeros(self.depth)
        self._since_refresh = 0
        self._steps = 0
        for metric in self.metrics[1:]:
            metric.reset()

    # -- an epoch -------------------------------------------------------------------------------

    def __iter__(self):
        return self

    def __next__(self):
        if self.ended:
            raise StopIteration
        n, schedule = self.n, self.schedule
        whole = self.n_batches == 1
        order = np.arange(n) if whole else self.rng.permutation(n)
        lazy = self.first is not None and self.first.lazy
        with np.errstate(all="ignore"):
            if lazy:
                self.first.load(self.V[0], self.velocity[0])
            for batch in range(self.n_batches):
                rows = order[self.edges[batch] : self.edges[batch + 1]]
                self._update(rows, schedule.factor(batch / self.n_batches))
            if lazy:
                self.first.store()
            self._apply_penalties()
            objective, data = self._objective()
        refused = not (
            objective <= self._highest_allowed() and all(np.isfinite(V).all() for V in self.V)
        )
        if refused:
            for V, kept in zip(self.V, self._kept, strict=True):
                V[:] = kept
            self.rho *= 2.0
            self._forget()
        elif objective < self.best:
            self.best = objective
            self._keep()
        self.iteration += 1
        self.ended = schedule.advance(np.inf if refused else data)
        loss = float(self.best * self.unit)
        return Record(
            iteration=self.iteration,
            objective=loss,
            loss=loss,
            rho=self.rho,
            epsilon=0.0,
            gap=0.0,
            restarts=int(refused),
            settled=self.ended,
            seconds=time.perf_counter() - self._clock,
        )

    def _highest_allowed(self):
        """J above which an epoch is taken back."""
        if self.best >= 0.0:
            return _WORST_RISE * self.best
        # A user's loss without its constant: a multiple of J means nothing, what it fell by does.
        return self.best + (_WORST_RISE - 1.0) * (self._first_value - self.best)

    def _update(self, rows, factor):
        """One step of all layers on a batch; ``factor`` shortens it."""
        batch, last = self._batches[rows.size], self.depth - 1
        np.take(self.Y, rows, axis=0, out=batch.Y, mode="clip")
        weight = None if self.weight is None else self.weight[rows]

        if self.first is None:
            self.space.take(rows, batch.U)
            batch.inputs[0] = batch.U.T
        else:
            self.first.forward(rows, self.V[0], batch.first)
        output = self._forward(batch)
        length = factor / rows.size
        price = self.loss.output_step(
            output, batch.Y, self.rho, length, batch.D[last].T, self.target.loss_scale
        )
        if weight is not None:
            batch.D[last] *= weight.T
        self._steps += 1
        self._follow_inputs(batch.inputs, weight)
        for layer in range(last, -1, -1):
            D = batch.D[layer]
            if layer > 0:
                below, W = batch.D[layer - 1], self.V[layer][:-1]
                # A product with a single row is many times slower than its outer product.
                (np.multiply if D.shape[0] == 1 else np.matmul)(W, D, out=below)
                z, a = batch.z[layer - 1], batch.inputs[layer][:-1]
                below *= self.problem.activations[layer - 1].derivative(z, a)
            elif self.space.leverage is not None and self.first is None:
                batch.U *= self.space.leverage[rows]
            if layer == 0 and self.first is not None:
                leverage = self.space.leverage
                self._update_sparse(D, None if leverage is None else leverage[rows], factor)
            else:
                self._update_weights(layer, batch.inputs[layer], D, factor)
        self._owed += factor / (price * (1.0 - self.options.momentum))
        if self._since_refresh >= self.refresh_every:
            self._since_refresh = 0
            first = self._steps % self._first_every < self.refresh_every
            lazy = first and self.first is not None and self.first.lazy
            if lazy:
                self.first.store()
            self._apply_penalties(first=first)
            if lazy:
                self.first.load(self.V[0], self.velocity[0])

    def _forward(self, batch):
        """Fill the batch with z = v and a = h(z) from its first input; returns z_L, (m, K).

        Where that input is sparse, the first pre-activations are there already.
        """
        known = batch.inputs[0] is None
        for layer, activation in enumerate(self.problem.activations):
            if layer > 0 or not known:
                np.matmul(self.V[layer].T, batch.inputs[layer], out=batch.z[layer])
            activation.value(batch.z[layer], out=batch.inputs[layer + 1][:-1])
        if self.depth > 1 or not known:
            np.matmul(batch.inputs[-1].T, self.V[-1], out=batch.output)
        return batch.output

    def _follow_inputs(self, inputs, weight):
        """Second moments of the hidden layers' inputs, every now and then their inverse."""
        first = self._steps <= self.refresh_every
        self._since_refresh += 1
        observe = self._steps % (self.observe_first if first else self.observe_every) == 1
        refresh = self._since_refresh >= self.refresh_every or (first and observe)
        for metric, A in zip(self.metrics[1:], inputs[1:], strict=True):
            if observe:
                metric.observe(A, weight)
            if refresh or not metric.ready:
                metric.refresh()

    def _update_weights(self, layer, layer_input, D, factor):
        """W_l, b_l: the damped least-squares step towards z_l + D_l, with momentum."""
        right, step = self._right[layer], self._step[layer]
        np.matmul(layer_input, D.T, out=right)
        if layer == 0:
            step = right
        elif self.metrics[layer].ready:
            np.matmul(self.metrics[layer].inverse, right, out=step)
        else:
            return
        length = self._length(layer, float(np.vdot(step, right)), factor)
        if length is None:
            return
        if length != 1.0:
            step *= length
        if layer < self.depth - 1:
            step *= self.gains[layer]
        velocity = self.velocity[layer]
        velocity *= self.options.momentum
        velocity += step
        self.V[layer] += velocity

    def _update_sparse(self, D, leverage, factor):
        """The same for the first layer on a sparse X."""
        first, right = self.first, self._right[0]
        if first.lazy:
            decrease = first.decrease(D, leverage)
        else:
            first.cross(D, leverage, right)
            decrease = float(np.vdot(right, right))
        length = self._length(0, decrease, factor)
        if length is None:
            return
        length *= self.gains[0]
        if first.lazy:
            first.move(length)
            return
        right *= length
        self.velocity[0] *= self.options.momentum
        self.velocity[0] += right
        self.V[0] += self.velocity[0]

    def _length(self, layer, decrease, factor):
        """What to multiply a step with so that it is no outlier; None where it is not finite."""
        decrease /= factor * factor
        if not np.isfinite(decrease):
            return None
        length = 1.0
        usual, count = self._decrease[layer], self._decreases[layer]
        limit = self.largest_decrease * usual
        if count > 5 and decrease > limit > 0:
            length = np.sqrt(limit / decrease)
            decrease = limit
        self._decreases[layer] = count + 1
        self._decrease[layer] += max(self.memory_decrease, 1.0 / (count + 1)) * (decrease - usual)
        return length

    def _apply_penalties(self, *, first=True):
        """The block of the penalties, for the steps since the last time."""
        alpha = self.problem.alpha / self.unit
        penalty = self.problem.penalty
        if self.activity_alpha == 0 and alpha == 0:
            return
        for layer, V in enumerate(self.V):
            block, last = self.space if layer == 0 else self.metrics[layer], layer == self.depth - 1
            if not first if layer == 0 else not block.ready:
                continue
            strength = self.gains[layer] * self._owed[layer] / self.total
            self._owed[layer] = 0.0
            if strength == 0.0 or not np.isfinite(V).all():
                continue
            scale = self.target.scale if last else 1.0
            ridge = 0.0 if penalty.ridge is None else alpha * penalty.ridge * scale**2
            columns = (strength * self.column_alpha,) if layer == 0 else ()
            block.shrink(V, strength * self.activity_alpha, strength * ridge, *columns)
            if not self.problem.parabolic:
                # At full strength from the start it would take random weights, which say nothing
                # yet, to zero for good.
                ramp = min(1.0, (self.iteration + 1) / self.ramp)
                proximal(block, V, penalty, ramp * strength * alpha, scale)

    # -- the objective --------------------------------------------------------------------------

    def _begin_pass(self):
        """To be called before forward passes over the samples with new weights."""
        if self.first is not None:
            self._product = self.space.rows.product(self.V[0], self.space)

    def _pass_over(self, rows):
        """A forward pass of some samples; returns the batch that holds its values."""
        whole = isinstance(rows, slice)
        batch = self._passes[rows.stop - rows.start if whole else rows.size]
        if self.first is not None:
            batch.first[:] = self._product(rows).T
        elif whole and self.space.U is not None:
            batch.inputs[0] = self.space.U[rows].T
        else:
            self.space.take(rows, batch.U)
            batch.inputs[0] = batch.U.T
        self._forward(batch)
        return batch

    def _objective(self):
        """J and its data term at the present weights, per unit of weight, in the run's units."""
        n, data, variances = self.n_measured, 0.0, self.activity_alpha > 0
        self._begin_pass()
        sums, squares = [0.0] * self.depth, [0.0] * self.depth
        for rows in self._chunks:
            weight = None if self.weight is None else self.weight[rows, 0]
            batch = self._pass_over(rows)
            output = batch.output
            if variances:
                for layer, z in enumerate([*batch.z, output.T]):
                    ones = self._ones[: z.shape[1]] if weight is None else weight
                    sums[layer] = sums[layer] + (z @ ones).astype(float)
                    squares[layer] += _weighted_square(z, weight)
            values = self.loss.value(output, self.Y[rows])
            data += float(values.sum() if weight is None else values @ weight.astype(float))
        self._product = None
        data /= n * self.target.loss_scale
        objective = data
        if variances:
            for s, square in zip(sums, squares, strict=True):
                variance = max(square / n - float(np.sum((s / n) ** 2)), 0.0)
                objective += 0.5 * self.activity_alpha / self.total * variance
        if self.column_alpha > 0:
            columns = self.space.column_penalty(self.V[0])
            objective += 0.5 * self.column_alpha / self.total * columns
        if self.problem.alpha > 0:
            coefs, _ = self._in_user_units(self.V)
            penalties = sum(self.problem.penalty_value(W) for W in coefs)
            objective += penalties / (self.total * self.unit)
        return objective, data

    # -- its end --------------------------------------------------------------------------------

    @property
    def cut_short(self):
        """Whether ``max_iter`` left the schedule too few epochs."""
        return self.schedule.cut_short

    def begin_cool_down(self):
        """Let the steps shrink from now on."""
        self.schedule.begin_cool_down()

    # -- weights --------------------------------------------------------------------------------

    def _keep(self):
        self._kept = [V.copy() for V in self.V]

    def weights(self):
        """Weights with the lowest J at the end of an epoch, in the coordinates of the user's X."""
        return self._returned(self._kept)

    def _returned(self, V):
        """Weights of the run as those of the user: in the units and the type of X."""
        coefs, intercepts = self._in_user_units(V)
        dtype = self.problem.X.dtype
        return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]

    def _in_user_units(self, V):
        coefs, intercepts = self._unprojected(V)
        if not self.problem.parabolic:
            # Rounding in the change of coordinates must not leave the penalty's domain.
            coefs = [self.problem.penalty.prox(W, 0.0) for W in coefs]
        return coefs, intercepts

    def _unprojected(self, V):
        W, b = self.space.expand(V[0])
        coefs = [W] + [v[:-1].astype(float) for v in V[1:]]
        intercepts = [b] + [v[-1].astype(float) for v in V[1:]]
        coefs[-1], intercepts[-1] = self.target.outer(coefs[-1], intercepts[-1])
        return coefs, intercepts


class _Batch:
    """Buffers for the values of m samples.

    Hidden layers lie on their side, one unit a row, so that the row of ones that carries the
    intercept leaves the activations contiguous.

    Attributes
    ----------
    U : ndarray of shape (m, r + 1) or None
        None where the first layer's input is sparse.
    first : ndarray of shape (n_1, m)
        Pre-activations of the first layer.
    Y, output : ndarray of shape (m, K)
    inputs : list of ndarray of shape (n_{l-1} + 1, m)
    z, D : list of ndarray of shape (n_l, m)
        ``D`` has the output layer too, ``z`` has not.
    """

    def __init__(self, m, shapes, dtype, *, backward=True, inputs=True):
        def new(*shape):
            return np.empty(shape, dtype=dtype)

        n_outputs = shapes[-1][1]
        self.z = [new(width, m) for _, width in shapes[:-1]]
        self.inputs = [None] + [np.ones((size, m), dtype=dtype) for size, _ in shapes[1:]]
        self.output = new(m, n_outputs)
        self.first = self.z[0] if self.z else self.output.T
        self.U = new(m, shapes[0][0]) if inputs else None
        if backward:
            self.Y = new(m, n_outputs)
            self.D = [new(width, m) for _, width in shapes[:-1]] + [new(m, n_outputs).T]


def _weighted_square(z, weight):
    """``sum_i s_i ||z_i||^2`` for samples in columns."""
    if weight is None:
        flat = z.ravel(order="K")
        return float(np.dot(flat, flat))
    return float(np.einsum("ji,ji,i->", z, z, weight))


def within_range(rho, auto):
    """The user's rho, held near the automatic one."""
    return float(np.clip(rho, auto / _RHO_RANGE, auto * _RHO_RANGE))


def _first_given(*values):
    return next((value for value in values if value is not None), None)
