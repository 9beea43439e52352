"""What both estimators share: the order of events of a fit and of a chunk of a stream."""

import contextlib
import warnings
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state

from ._compat import (
    CALLBACK_STATE,
    CallbackSupportMixin,
    HasMethods,
    Interval,
    Options,
    StrOptions,
    _fit_context,
)
from ._devices import (
    check_on_device,
    computing_at,
    far_device_of,
    held,
    on_host,
    output_on_device,
    refuse_stream,
    solver_at,
)
from ._encoding import (
    by_blocks,
    check_encoding,
    choose_columns,
    input_names,
    known_columns,
    n_inputs,
)
from ._linear import LinearMixin
from ._monitor import Callbacks, ValidationMonitor
from ._progress import Progress, told_to_stop
from ._range import keep_range
from ._results import keep_chunk, keep_fit, keep_network, keep_start, stacklevel_of_user
from ._stored import readable_state
from ._stored_columns import plain_state
from ._stream_encoding import encode_stream, stream_has_begun
from ._threads import blas_threads_for
from ._transform import HiddenFeaturesMixin
from ._uncertainty import check_calibrate, folds_of, left_out
from ._validation import (
    check_new_X,
    check_next_chunk,
    check_warm_start,
    prepare,
    prepare_chunk,
    prepare_validation,
    split_validation,
)
from ._version import __version__
from .activations import ACTIVATIONS, Activation, get_activations
from .encoding import PiecewiseLinearEncoder
from .engine.constants import LIMITS
from .engine.feasible import Feasible
from .engine.loop.run import ConvertedRun, as_run, minimize
from .engine.loop.side_by_side import side_by_side
from .engine.members import parted, with_offsets
from .engine.newton_steps import best_offset
from .engine.problem import Problem, forward
from .engine.relaxed import Relaxed
from .engine.summary import DataSummary
from .engine.target_units import TargetUnits
from .penalties import PENALTIES, USUAL_ALPHA, Penalty, constrains, get_penalty

DOCUMENTATION = "https://skmdlam.readthedocs.io/en/stable/"
SOLVERS = {"feasible": Feasible, "relaxed": Relaxed}
_SOLVER_METHODS = ["initial_weights", "rows_at_a_time", "start"]


@dataclass(frozen=True)
class Network:
    """What the parameters of an estimator ask for, as objects.

    Attributes
    ----------
    solver : solver object
    hidden : list of int
        Units of each hidden layer.
    activations : list of Activation
    penalty : Penalty
    target : ClassTarget or NumericTarget
    n_networks : int
        Number of networks that are averaged.
    """

    solver: object
    hidden: list
    activations: list
    penalty: object
    target: object
    n_networks: int = 1

    def sizes(self, samples, estimator=None):
        """Units of each layer, from the inputs to the outputs, for samples or a problem.

        Of samples that are not encoded yet the estimator knows what they become.
        """
        hidden = [self.n_networks * size for size in self.hidden]
        return [n_inputs(estimator, samples.X), *hidden, samples.Y.shape[1]]

    def alone(self):
        """The same with a single network."""
        return replace(self, n_networks=1)

    def starts(self, problem, rng):
        """Starting weights of each, in turn from the same generator."""
        sizes, dtype = self.alone().sizes(problem), problem.X.dtype
        draw = self.solver.initial_weights
        return [draw(sizes, rng, dtype, self.activations) for _ in range(self.n_networks)]

    def parted(self, problem, coefs, intercepts, n_parts):
        """Split the weights of a network into those of ``n_parts`` that were averaged.

        They are one network where someone has put weights between the parts.

        Of their last intercepts only the mean is known. What they differ by is estimated, by the
        best constants for some of the samples; the mean output is what it was.
        """
        members = parted(coefs, intercepts, n_parts)
        if len(members) == 1:
            return members
        step = LIMITS.best_offset_rows
        told_by = problem.at_most(step)
        if problem.loss.out_activation != "identity" and _has_rare_events(told_by.Y):
            told_by = problem
        rows = [slice(a, a + step) for a in range(0, len(told_by.Y), step)]

        def offset(member):
            parts = [forward(told_by.X[some], *member, self.activations) for some in rows]
            return best_offset(told_by, np.concatenate(parts))

        with np.errstate(all="ignore"):
            return with_offsets(members, [offset(member) for member in members])


def _has_rare_events(Y):
    """Whether some column of indicators or counts has but a few zeros, or others."""
    events = np.count_nonzero(Y, axis=0)
    return np.minimum(events, len(Y) - events).min() < LIMITS.best_offset_events


class BaseMDLAM(
    HiddenFeaturesMixin, LinearMixin, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta
):
    """Fit and forward pass; subclasses say what the target is, and predict."""

    # Where the HTML representation links to; pyproject.toml has the same address.
    _doc_link_module = "skmdlam"
    _doc_link_template = DOCUMENTATION + "generated/{estimator_module}.{estimator_name}.html"

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [
            StrOptions(set(ACTIVATIONS)),
            Activation,
            list,
            tuple,
        ],
        "n_networks": [Interval(Integral, 1, None, closed="left")],
        "calibrate": ["boolean"],
        "solver": [StrOptions(set(SOLVERS)), HasMethods(_SOLVER_METHODS)],
        "rho": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions(set(PENALTIES)), Penalty, None],
        "encoding": [StrOptions({"auto", "piecewise"}), PiecewiseLinearEncoder, None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "activity_alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), None, Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [None, StrOptions(set(get_scorer_names())), callable],
        "shuffle": ["boolean"],
        "clip": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _make_target(self, goes_on):
        """Object of :mod:`._targets`; it knows the classes of a network that training goes on with.

        Parameters
        ----------
        goes_on : bool
            Whether there is such a network.
        """

    @abstractmethod
    def _keep_calibration(self, problem, found=None):
        """Keep what left-out samples of a problem say; None where nothing is known of them."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network to data.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, n_features)
            Training samples. float32 and float64 are kept, other numbers become float64. Missing
            values (nan, None) are allowed except in a sparse matrix. Under
            ``sklearn.set_config(array_api_dispatch=True)`` torch tensors and CuPy arrays are fitted
            on their device, those on the CPU by NumPy.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values: class labels or a multilabel indicator matrix for a classifier, numbers
            for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, not negative; those of zero are dropped. An integer weight counts as
            that many copies of the sample in the training objective. In full-batch mode the fit is
            the same up to rounding.
        X_val, y_val : array-likes, default=None
            User-supplied validation set, in the form of X and y. ``early_stopping=True`` uses it
            in place of held-out samples. Without ``early_stopping`` it has no effect on the fit;
            ``validation_scores_`` and ``validation_loss_curve_`` are recorded either way.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Sample weights of the validation set.

        Returns
        -------
        self : object
            The fitted estimator. If the fit fails, it is left unchanged. If the fit is interrupted
            (Ctrl-C), it has the best weights so far, or those after the last complete iteration of
            solver "relaxed".

        Raises
        ------
        ValueError
            If a parameter is out of range or unknown, if the data contain infinity or strings that
            are no categories, if shapes do not match, if weights are negative or all zero, or if y
            is not a valid target. It is raised before training starts.
        FloatingPointError
            If numbers overflowed during training: rescale the data.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` iterations were not enough, or the fit was interrupted.
        """
        with restored_on_error(self), computing_at(self.solver, X):
            self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """``partial_fit`` of both estimators; numbers have no classes."""
        with restored_on_error(self):
            self._fit_chunk(X, y, sample_weight, classes)
        return self

    # -- the order of events: of a fit, and of a chunk of a stream --------------------------------

    def _fit(self, X, y, sample_weight, validation):
        callbacks = Callbacks(self, X, y, sample_weight)
        goes_on = self.warm_start and hasattr(self, "coefs_")
        network = self._resolve_network(goes_on)
        network = replace(network, solver=solver_at(network.solver, X))
        X, y = held(X, network.solver), on_host(y, "y")
        sample_weight = on_host(sample_weight, "sample_weight")
        names = ("X_val", "y_val", "sample_weight_val")
        validation = [on_host(*each) for each in zip(validation, names, strict=True)]
        samples = prepare(self, X, y, sample_weight, network.target, goes_on)
        self._check_columns(network, samples, goes_on)
        validation = prepare_validation(self, *validation, network.target, samples)
        rng = check_random_state(self.random_state)
        samples = samples.with_weight()
        if self.early_stopping and validation is None:
            strata = network.target.strata(samples.y) if self.shuffle else None
            samples, validation = split_validation(
                samples,
                self.validation_fraction,
                self.shuffle,
                strata,
                rng,
                events=not network.target.numeric,
            )
            if hasattr(validation.X, "taken"):  # scored by NumPy
                validation = replace(validation, X=validation.X[:])
        check_calibrate(self, network.target, len(samples))

        def begin(problem, units, starts):
            run = self._start(network, problem, starts, rng, warm=goes_on)
            run = ConvertedRun(run, units.outer)
            keep_start(self, run, replace(samples, X=problem.X))
            keep_range(self, samples.X)
            return run

        self._learn(network, samples, begin, validation, callbacks, rng, goes_on)

    def _check_columns(self, network, samples, goes_on):
        """Refuse columns that a network which goes on, or the encoding, is not for."""
        if goes_on:
            check_warm_start(self, network.target.loss, network.sizes(samples, self))
        else:
            self.encoder_ = self._inputs = None
        check_encoding(self, samples.X)

    def _learn(
        self, network, samples, begin, validation, callbacks, rng, goes_on, choose=choose_columns
    ):
        """From samples that were checked to a fitted network.

        ``begin(problem, units, starts)`` begins the run, in inner units, and keeps what it says;
        ``choose`` chooses what the first layer sees.
        """
        problem = self._pose(network, samples)
        check_on_device(network.solver, problem)
        units = TargetUnits.of_all(problem) if network.target.numeric else TargetUnits()
        if goes_on:
            problem = known_columns(self, problem)
        else:
            problem = choose(
                self, problem, network, units, lambda problem: self._fitted(network, problem)
            )
        self._sample = None  # of a stream before: after a fit the encoder stays what it is
        keep_network(self, problem, network.target, network.sizes(problem))
        as_given, problem = problem, units.problem(problem)
        if goes_on:  # in the type of this X, and never the fitted arrays themselves
            dtype = problem.X.dtype
            weights = ([w.astype(dtype) for w in part] for part in self._weights_of_fit())
            n_parts = min(network.n_networks, self.n_networks_)
            starts = network.parted(problem, *units.inner(*weights), n_parts)
        else:
            starts = network.starts(problem, rng)
        self.n_networks_ = len(starts)
        self._keep_calibration(None)
        with self._blas_threads(network, problem):
            run = begin(problem, units, starts)
            result, monitor = self._minimize(run, units, validation, callbacks)
        keep_fit(self, result, monitor)
        if self.calibrate and result.stop_reason != "interrupted":
            # A callback may have asked to stop: then the others stop there, too.
            stopped = result.stop_reason == "requested" and not self.early_stopping
            longest = len(result.records) if stopped else self.max_iter
            self._calibrate(network, as_given, network.target.strata(samples.y), rng, longest)
        callbacks.end()

    def _fit_chunk(self, X, y, sample_weight, classes):
        goes_on = hasattr(self, "coefs_")
        if goes_on:  # scikit-learn checks the parameters in the first call only
            self._validate_params()
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: a stream has no validation "
                "samples."
            )
        refuse_stream(X)
        X, y, sample_weight = on_host(X), on_host(y, "y"), on_host(sample_weight, "sample_weight")
        network = self._resolve_network(goes_on)
        dtype = self.coefs_[0].dtype if goes_on else None
        samples = prepare_chunk(self, X, y, sample_weight, network.target, classes, dtype)
        if goes_on:
            check_next_chunk(self, network.target.loss, network.sizes(samples, self))
        else:
            self.encoder_ = self._inputs = None
        check_encoding(self, samples.X)
        rng = self._rng_of_stream(goes_on)
        samples = samples.with_weight()
        problem = self._pose(network, samples)
        encode_stream(self, problem, network, rng)
        problem = known_columns(self, problem)
        sizes = network.sizes(problem)
        if goes_on:
            coefs, intercepts = self.coefs_, self.intercepts_
        else:
            coefs, intercepts = network.solver.initial_weights(
                sizes, rng, problem.X.dtype, network.activations
            )
        keep_network(self, problem, network.target, sizes)
        self.n_networks_ = 1  # all units learn together
        known = getattr(self, "_stream", None)
        if known is None and goes_on:  # stored by a version that did not keep what was seen
            supposed = DataSummary.supposed(problem.X, samples.Y, samples.weight, coefs[-1])
            known = supposed.as_arrays()
        settings = self._resolve_settings(len(samples))
        n_rows = min(len(samples), settings["batch_size"] or len(samples))
        with blas_threads_for(n_rows, sizes):
            run = network.solver.stream(problem, coefs, intercepts, known, rng=rng, **settings)
            run = as_run(run)
            record = next(run)
        keep_chunk(self, run, record)
        self._keep_calibration(None)
        keep_range(self, samples.X, goes_on=goes_on)
        with Progress(self.verbose, 1) as progress:
            progress.update(record)

    def _weights_of_fit(self):
        """Weights of the last fit, as they were before a calibration."""
        return self.coefs_, self.intercepts_

    def _calibrate(self, network, problem, strata, rng, longest):
        """Keep what networks say of samples that they have not seen; their weights are dropped."""
        folds = folds_of(len(problem.Y), strata, rng)

        def fit(part, seed):
            return self._fitted(network, part, seed, longest)

        try:
            found = left_out(problem, folds, fit, self.clip)
            self._keep_calibration(problem, found)
        except KeyboardInterrupt:
            warnings.warn(
                "Interrupted by user after the fit: it is complete, and as with calibrate=False.",
                ConvergenceWarning,
                stacklevel=stacklevel_of_user(),
            )

    def _fitted(self, network, problem, seed=0, longest=None):
        """A network that is fitted to a problem beside the one that predicts, as a function.

        It stops after ``longest`` sweeps, by default ``max_iter``.
        """
        network = network.alone()
        units = TargetUnits.of_all(problem) if network.target.numeric else TargetUnits()
        rng = np.random.RandomState(seed)
        starts = network.starts(problem, rng)
        with self._blas_threads(network, problem):
            run = self._start(network, units.problem(problem), starts, rng)
            found = minimize(
                run,
                max_iter=self.max_iter if longest is None else longest,
                tol=self.tol,
                n_iter_no_change=self.n_iter_no_change,
                on_sweep=told_to_stop,
            )
        if found.stop_reason == "interrupted":  # there is nothing yet to be kept
            raise KeyboardInterrupt
        weights = units.outer(found.coefs, found.intercepts)
        return partial(
            forward, coefs=weights[0], intercepts=weights[1], activations=network.activations
        )

    def _blas_threads(self, network, problem):
        """Threads for a fit to all samples of a problem."""
        n = len(problem.Y)
        batch_size = self._resolve_settings(n)["batch_size"]
        rows = network.solver.rows_at_a_time(n, batch_size)
        # Several networks are as many products, not one large one.
        return blas_threads_for(rows, network.alone().sizes(problem))

    def _start(self, network, problem, starts, rng, *, warm=False):
        """Begin runs of the solver on all samples of a problem, as one."""
        solver, settings = network.solver, self._settings(len(problem.Y), warm)
        if len(starts) > 1 and hasattr(solver, "start_several"):
            return solver.start_several(problem, starts, rng=rng, **settings)

        def start(coefs, intercepts, rng):
            return as_run(solver.start(problem, coefs, intercepts, rng=rng, **settings))

        return side_by_side(start, starts, rng)

    def _pose(self, network, samples):
        """The problem of these samples."""
        return Problem(
            samples.X,
            samples.Y,
            network.activations,
            network.target.loss,
            network.penalty,
            self._resolve_alpha(network),
            samples.weight,
            constrained=constrains(network.penalty),
        )

    def _minimize(self, run, units, validation, callbacks):
        """Run the solver and watch it; return what it found, and the monitor or None."""
        monitor = None if validation is None else ValidationMonitor(self, validation, units)
        by_score = monitor is not None and self.early_stopping
        longest = min(self.max_iter, run.max_sweeps)
        with Progress(self.verbose, longest) as progress, callbacks:

            def on_sweep(record, run):
                progress.update(record)
                stop = monitor is not None and monitor(record, run)
                return callbacks.after_sweep(run) or (stop and by_score)

            result = minimize(
                run,
                max_iter=self.max_iter,
                tol=0.0 if by_score else self.tol,
                n_iter_no_change=np.inf if by_score else self.n_iter_no_change,
                before_sweep=callbacks.before_sweep,
                on_sweep=on_sweep,
            )
        return result, monitor

    # -- parameters -------------------------------------------------------------------------------

    def _resolve_network(self, goes_on):
        solver = self._resolve_solver()
        hidden = self._resolve_layer_sizes()
        return Network(
            solver=solver,
            hidden=hidden,
            activations=get_activations(self.activation, len(hidden)),
            penalty=get_penalty(self.penalty, l1_ratio=self.l1_ratio),
            target=self._make_target(goes_on),
            n_networks=self._resolve_n_networks() if hidden else 1,
        )

    def _resolve_solver(self):
        if isinstance(self.solver, type):
            raise ValueError(
                f"solver must be a name or an instance, such as {self.solver.__name__}(); got the "
                f"class {self.solver.__name__}."
            )
        return SOLVERS[self.solver]() if isinstance(self.solver, str) else self.solver

    def _resolve_layer_sizes(self):
        sizes = self.hidden_layer_sizes
        if np.ndim(sizes) == 0:
            sizes = [sizes]
        sizes = list(sizes)
        for size in sizes:
            if not isinstance(size, Integral) or isinstance(size, bool) or size <= 0:
                raise ValueError(
                    "hidden_layer_sizes must hold positive integers, one for each hidden layer; "
                    f"got {self.hidden_layer_sizes!r}."
                )
        return [int(size) for size in sizes]

    def _resolve_n_networks(self):
        if isinstance(self.n_networks, bool):  # an integer to Python, but no count
            raise ValueError(f"n_networks must be a positive integer; got {self.n_networks!r}.")
        return int(self.n_networks)

    def _settings(self, n, warm):
        """What the engine wants to know of a fit to n samples."""
        return {
            "epsilon": float(self.epsilon),
            "max_iter": self.max_iter,
            "tol": self.tol,
            "n_iter_no_change": self.n_iter_no_change,
            "warm": warm,
            **self._resolve_settings(n),
        }

    def _resolve_settings(self, n):
        """What the engine wants to know of a fit and of a chunk alike; None is its own choice."""
        return {
            "rho": None if self.rho == "auto" else float(self.rho),
            "activity_alpha": self._given_activity_alpha(),
            "batch_size": {"auto": None, None: n}.get(self.batch_size, self.batch_size),
        }

    def _given_activity_alpha(self):
        return None if self.activity_alpha == "auto" else float(self.activity_alpha)

    def _resolve_alpha(self, network):
        """Strength of the penalty on weights."""
        if self.alpha != "auto":
            return float(self.alpha)
        choose = getattr(network.solver, "default_alpha", lambda *_: USUAL_ALPHA)
        return choose(network.penalty, self._given_activity_alpha())

    def _rng_of_stream(self, goes_on):
        rng = check_random_state(self.random_state)
        begins = not (goes_on and stream_has_begun(self))
        if begins and not isinstance(self.random_state, Integral):
            # The stream keeps it: the user's, or NumPy's own, would be shared with others.
            rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        return rng

    @property
    def input_names_(self):
        """Names of the inputs of the first layer, the rows of ``coefs_[0]``."""
        if not hasattr(self, "coefs_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted: no input_names_ yet.")
        return input_names(self)

    # -- prediction -------------------------------------------------------------------------------

    def _output(self, X):
        """Pre-activations of the output layer, shape (n_samples, n_outputs_)."""
        if far_device_of(X) is not None:
            output = output_on_device(self, X)
            if output is not None:
                return output

        def output(inputs):
            weights = self.coefs_, self.intercepts_
            return forward(inputs, *weights, self._activations, self.n_networks_)

        return by_blocks(self, check_new_X(self, X), output)

    def __getstate__(self):
        return plain_state(super().__getstate__()) | {"_skmdlam_version": __version__}

    def __setstate__(self, state):
        super().__setstate__(readable_state(state, type(self)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A sparse X has plain columns: "auto" takes them, any other encoding is an error.
        tags.input_tags.sparse = self.encoding is None or self.encoding == "auto"
        tags.input_tags.allow_nan = True
        return tags


def can_learn_a_stream(estimator):
    """For ``available_if``: whether the solver has a form for streams."""
    solver = estimator.solver
    if solver == "relaxed" or not (isinstance(solver, str) or hasattr(solver, "stream")):
        raise AttributeError(
            f"partial_fit is not available with solver={solver!r}, which needs all samples at "
            "once; use solver='feasible'."
        )
    return True


@contextlib.contextmanager
def restored_on_error(estimator):
    """Put the attributes back when the body raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        after = dict(vars(estimator))
        vars(estimator).clear()
        vars(estimator).update(before)
        # scikit-learn takes these away itself, after it has told the callbacks.
        vars(estimator).update({name: after[name] for name in CALLBACK_STATE if name in after})
        raise
