"""What both estimators share: validate, run a solver, turn its result into attributes."""

import contextlib
import warnings
from abc import ABCMeta, abstractmethod
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._compat import (
    CALLBACK_STATE,
    CallbackSupportMixin,
    HasMethods,
    Interval,
    Options,
    StrOptions,
    _check_sample_weight,
    _fit_context,
)
from ._monitor import LARGEST, Callbacks, Validation, ValidationMonitor
from ._progress import Progress
from ._stored import readable_state
from ._threads import blas_threads_for
from ._transform import HiddenFeaturesMixin
from ._version import __version__
from .activations import ACTIVATIONS, Activation, get_activations
from .engine.calibration import Strengths
from .engine.feasible import Feasible
from .engine.problem import Problem, forward
from .engine.relaxed import Relaxed
from .engine.run import minimise
from .engine.stream import Seen
from .penalties import PENALTIES, USUAL_ALPHA, Penalty, constrains, get_penalty

DOCUMENTATION = "https://skmdlam.readthedocs.io/en/stable/"
SOLVERS = {"feasible": Feasible, "relaxed": Relaxed}
# What X may be, for a fit and for a prediction.
_FORM_OF_X = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32)}
_SOLVER_METHODS = ["initial_weights", "rows_at_a_time", "start"]


class BaseMDLAM(HiddenFeaturesMixin, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """Fit, forward pass and bookkeeping; subclasses encode ``y`` and choose the loss."""

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
        "solver": [StrOptions(set(SOLVERS)), HasMethods(_SOLVER_METHODS)],
        "rho": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions(set(PENALTIES)), Penalty, None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
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
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _encode_y(self, y):
        """Learn the form of the target; return ``Y`` of shape (n, K) or (n,) codes."""

    @abstractmethod
    def _encode_known_y(self, y):
        """Encode other targets in the form that :meth:`_encode_y` has learned."""

    @abstractmethod
    def _make_loss(self):
        """Loss object for the encoded target."""

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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs; float32 and float64 are kept, everything else becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: class labels or a multilabel indicator for a classifier, numbers for a
            regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative. An integer weight counts as that many copies of
            the sample in everything that is minimised, and on all rows at once the fit is the
            same one up to rounding; mini-batches are drawn from other rows. A weight of zero
            drops the sample.
        X_val, y_val : array-likes, default=None
            Samples to watch the fit on, in the form of X and y. With ``early_stopping=True`` they
            take the place of the samples that would be set apart; without it they are only
            watched, and the fit is the same as without them. Either way ``validation_scores_``
            and ``validation_loss_curve_`` say how the fit went on them.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Their weights.

        Returns
        -------
        self : object
            The fitted estimator. When the fit fails it is left as it was before; when it is
            interrupted (Ctrl-C) it holds the best weights so far, for solver "relaxed" those
            after the last complete sweep.

        Raises
        ------
        ValueError
            When a parameter, the data or the weights are not valid.
        FloatingPointError
            When numbers overflowed on the way: the data need another scale.

        Warns
        -----
        ConvergenceWarning
            When ``max_iter`` sweeps were not enough or the fit was interrupted.
        """
        with restored_on_error(self):
            self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        return self

    def _fit(self, X, y, sample_weight, validation):
        callbacks = Callbacks(self, X, y, sample_weight)
        solver = self._resolve_solver()
        sizes_hidden = self._resolve_layer_sizes()
        activations = get_activations(self.activation, len(sizes_hidden))
        penalty = get_penalty(self.penalty, l1_ratio=self.l1_ratio)
        previous = self._previous_weights()

        X, y = self._validate(X, y)
        weight = resolve_sample_weight(sample_weight, X)
        by_class = self._resolve_class_weight(y, weight)
        weight = self._times_class_weight(weight, by_class, X, y)
        Y = cast_target(self._encode_y(y), X.dtype)
        for name, values in (("X", X), ("y", Y)):
            refuse_huge(values, name)
        loss = self._make_loss()
        loss.check_target(Y)
        if previous is not None and loss.out_activation != self.out_activation_:
            raise ValueError(
                f"warm_start=True needs the out_activation_ of the previous fit, "
                f"{self.out_activation_!r}; {type(loss).__name__} has {loss.out_activation!r}. "
                "Set warm_start=False to start afresh."
            )
        self.n_outputs_ = Y.shape[1]
        validation = self._resolve_validation(*validation, by_class, loss, X.dtype)
        rng = check_random_state(self.random_state)

        X, Y, y, weight = drop_weightless(X, Y, y, weight)
        if self.early_stopping and validation is None:
            X, Y, weight, validation = self._split_validation(X, Y, y, weight, rng)

        sizes = [X.shape[1], *sizes_hidden, Y.shape[1]]
        alpha = self._resolve_alpha(solver, penalty)
        problem = Problem(X, Y, activations, loss, penalty, alpha, weight)
        if previous is None:
            coefs, intercepts = solver.initial_weights(sizes, rng, X.dtype, activations)
        else:
            coefs, intercepts = _same_shapes(previous, sizes, X.dtype)
        self.n_layers_ = len(sizes)
        self.out_activation_ = loss.out_activation
        self._activations, self._loss = activations, loss
        seen = Seen.of(X, Y, weight)
        settings = self._resolve_settings(X.shape[0])
        n_rows = solver.rows_at_a_time(X.shape[0], settings["batch_size"])
        with blas_threads_for(n_rows, sizes):
            run = solver.start(
                problem,
                coefs,
                intercepts,
                epsilon=float(self.epsilon),
                max_iter=self.max_iter,
                tol=self.tol,
                n_iter_no_change=self.n_iter_no_change,
                warm=previous is not None,
                rng=rng,
                **settings,
            )
            self._stream = replace(seen, calibrated=getattr(run, "calibrated", None))
            self._keep_strengths(run)
            self._minimise(run, validation, callbacks)
        callbacks.end()

    def _minimise(self, run, validation, callbacks):
        """Run the solver and keep what it says."""
        monitor = None if validation is None else ValidationMonitor(self, validation)
        by_score = monitor is not None and self.early_stopping
        longest = min(self.max_iter, getattr(run, "max_sweeps", np.inf))
        with Progress(self.verbose, longest) as progress, callbacks:

            def on_sweep(record, run):
                progress.update(record)
                stop = monitor is not None and monitor(record, run)
                return callbacks.after_sweep(run) or (stop and by_score)

            result = minimise(
                run,
                max_iter=self.max_iter,
                tol=0.0 if by_score else self.tol,
                n_iter_no_change=np.inf if by_score else self.n_iter_no_change,
                before_sweep=callbacks.before_sweep,
                on_sweep=on_sweep,
            )
        records = result.records
        if not all(np.isfinite(W).all() for W in (*result.coefs, *result.intercepts)):
            raise FloatingPointError(
                "The numbers of this fit are beyond the range of floating point: scale X and y."
            )
        self.coefs_, self.intercepts_ = result.coefs, result.intercepts
        self.n_iter_ = len(records)
        # Far from the data exp(z) of the Poisson loss is larger than any float.
        self.loss_curve_ = [min(record.loss, LARGEST) for record in records]
        self.objective_curve_ = [min(record.objective, LARGEST) for record in records]
        self.epsilon_curve_ = [record.epsilon for record in records]
        self.rho_curve_ = [record.rho for record in records]
        self.gap_curve_ = [record.gap for record in records]
        self.loss_ = self.loss_curve_[-1] if records else np.inf
        self.best_loss_ = min(self.loss_curve_, default=np.inf)
        self.stop_reason_ = result.stop_reason
        self.validation_scores_ = self.validation_loss_curve_ = None
        self.best_validation_score_ = None
        if monitor is not None:
            self.validation_scores_, self.validation_loss_curve_ = monitor.scores, monitor.losses
            self.best_validation_score_ = max(monitor.scores, default=None)
            if by_score and monitor.best is not None:
                self.coefs_, self.intercepts_, self.loss_ = monitor.best
        if result.stop_reason == "max_iter":
            warnings.warn(
                f"The solver did {self.n_iter_} iterations (max_iter={self.max_iter}) and has not "
                f"converged: raise max_iter, or tol (now {self.tol:g}).",
                ConvergenceWarning,
                stacklevel=_STACKLEVEL_OF_FIT,
            )
        elif result.stop_reason == "interrupted":
            warnings.warn(
                f"Training interrupted by user after {self.n_iter_} iterations.",
                ConvergenceWarning,
                stacklevel=_STACKLEVEL_OF_FIT,
            )

    def _keep_strengths(self, run):
        """Of the unit-free penalties, which only solver "feasible" has."""
        strengths = getattr(run, "strengths", None)
        if not isinstance(strengths, Strengths):
            strengths = Strengths(0.0, 0.0)
        self.activity_alpha_, self.column_alpha_, self.noise_ratio_ = strengths

    # -- parameters -----------------------------------------------------------------------------

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

    def _resolve_settings(self, n):
        """What the engine wants to know of a fit and of a chunk alike; None is its own choice."""
        return {
            "rho": None if self.rho == "auto" else float(self.rho),
            "activity_alpha": self._given_activity_alpha(),
            "batch_size": {"auto": None, None: n}.get(self.batch_size, self.batch_size),
        }

    def _given_activity_alpha(self):
        return None if self.activity_alpha == "auto" else float(self.activity_alpha)

    def _resolve_alpha(self, solver, penalty):
        """Strength of the penalty for the engine, to which 0 says that there is none."""
        alpha = self.alpha
        if alpha == "auto":
            choose = getattr(solver, "default_alpha", lambda *_: USUAL_ALPHA)
            alpha = choose(penalty, self._given_activity_alpha())
        return float(alpha) or (_CONSTRAINT_ALONE if constrains(penalty) else 0.0)

    def _validate(self, X, y, *, reset=True):
        _refuse_strings(X, "X")
        if self._y_is_numeric:
            _refuse_strings(y, "y")
        return validate_data(
            self,
            X,
            y,
            **_FORM_OF_X,
            multi_output=True,
            y_numeric=self._y_is_numeric,
            reset=reset,
        )

    def _previous_weights(self):
        if not (self.warm_start and hasattr(self, "coefs_")):
            return None
        return self.coefs_, self.intercepts_

    def _resolve_class_weight(self, y, weight):
        """What to multiply the weights of the samples of each class by; None for nothing."""
        return None

    def _stream_class_weight(self, y):
        """The same for a chunk of a stream, in which classes may be missing."""
        return None

    def _class_weight_of_part(self, by_class, y):
        """What :meth:`_resolve_class_weight` gave, for samples in which classes may be missing."""
        return None

    def _times_class_weight(self, weight, by_class, X, y):
        """Weights of the samples times those of their classes."""
        return weight

    def _resolve_validation(self, X, y, sample_weight, by_class, loss, dtype):
        """Check the samples that the user gives to watch the fit on."""
        if X is None and y is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val is given without X_val and y_val.")
            return None
        if X is None or y is None:
            given, missing = ("y_val", "X_val") if X is None else ("X_val", "y_val")
            raise ValueError(f"{given} is given without {missing}: give both or none.")
        _refuse_strings(X, "X_val")
        if self._y_is_numeric:
            _refuse_strings(y, "y_val")
        try:
            X = validate_data(
                self, X, accept_sparse=("csr", "csc"), dtype=(dtype.type,), reset=False
            )
        except ValueError as error:
            raise ValueError(f"X_val: {error}") from error
        y = check_array(
            y,
            accept_sparse="csr",
            ensure_2d=False,
            dtype=np.float64 if self._y_is_numeric else None,
            input_name="y_val",
        )
        if X.shape[0] != y.shape[0]:
            raise ValueError(
                f"X_val and y_val must have as many samples; got {X.shape[0]} and {y.shape[0]}."
            )
        weight = resolve_sample_weight(sample_weight, X, name="sample_weight_val")
        try:
            Y = cast_target(self._encode_known_y(y), dtype)
            if Y.shape[1] != self.n_outputs_:
                raise ValueError(f"it has {Y.shape[1]} columns and y has {self.n_outputs_}.")
            loss.check_target(Y)
            by_class = self._class_weight_of_part(by_class, y)
            weight = self._times_class_weight(weight, by_class, X, y)
        except (TypeError, ValueError) as error:
            raise type(error)(f"y_val: {error}") from error
        for name, values in (("X_val", X), ("y_val", Y)):
            refuse_huge(values, name)
        return Validation(X, y, Y, weight)

    def _split_validation(self, X, Y, y, weight, rng):
        """Set rows apart for early stopping."""
        n = X.shape[0]
        n_validation = int(np.ceil(self.validation_fraction * n))
        if n - n_validation < 1 or n < 2:
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} leaves "
                f"no samples to train on: n_samples = {n}."
            )
        try:
            train, test = train_test_split(
                np.arange(n),
                test_size=self.validation_fraction,
                random_state=rng,
                shuffle=self.shuffle,
                stratify=self._strata(y) if self.shuffle else None,
            )
        except ValueError as error:  # too few samples of a class
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} cannot "
                f"put every class on both sides of the split of {n} samples: {error}"
            ) from error
        part = None if weight is None else weight[test]
        validation = Validation(X[test], y[test], Y[test], part)
        return X[train], Y[train], None if weight is None else weight[train], validation

    def _strata(self, y):
        return None

    # -- prediction -----------------------------------------------------------------------------

    def _validated(self, X):
        """New rows in the form that the network takes."""
        check_is_fitted(self)
        _refuse_strings(X, "X")
        return validate_data(
            self,
            X,
            **_FORM_OF_X,
            reset=False,
        )

    def _output(self, X):
        """Pre-activations of the output layer, shape (n_samples, n_outputs_)."""
        X = self._validated(X)
        return forward(X, self.coefs_, self.intercepts_, self._activations)

    def __getstate__(self):
        return super().__getstate__() | {"_skmdlam_version": __version__}

    def __setstate__(self, state):
        super().__setstate__(readable_state(state, type(self)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


# warnings.warn <- _minimise <- _fit <- fit <- scikit-learn's fit context <- the user
_STACKLEVEL_OF_FIT = 5

_LARGEST_INPUT = 1e150
# Beside any loss this times a penalty is nothing, where it is not infinite.
_CONSTRAINT_ALONE = 1e-100


def drop_weightless(X, Y, y, weight):
    """The samples with a weight; no weights when all of them are one."""
    if weight is not None:
        keep = weight > 0
        if not keep.all():
            X, Y, y, weight = X[keep], Y[keep], y[keep], weight[keep]
        if (weight == 1).all():
            weight = None
    return X, Y, y, weight


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


def resolve_sample_weight(sample_weight, X, name="sample_weight"):
    """Weights that are valid and not all zero, or None when every sample counts one."""
    if sample_weight is None:
        return None
    _refuse_strings(sample_weight, name)
    try:
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if (weight < 0).any():
        raise ValueError(f"{name} must not be negative; got a smallest weight of {weight.min():g}.")
    if not (weight > 0).any():
        raise ValueError(f"{name} is zero for every sample: nothing to fit.")
    check_sum_of_weights(weight, name)
    return weight


def check_sum_of_weights(weight, name):
    """Weights whose sum overflows cannot be used."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"{name} is too large: its sum is beyond the largest {weight.dtype} number."
        )


def _refuse_strings(values, name):
    """Numbers in strings are a mistake upstream: say so instead of guessing."""
    if values is None or sp.issparse(values):
        return
    if hasattr(values, "columns"):  # a dataframe: its columns are checked one by one
        parts = [values[column] for column in values.columns]
    else:
        parts = [values if hasattr(values, "dtype") else np.asarray(values, dtype=object)]
    for part in parts:
        entries = np.asarray(part)
        if entries.dtype.kind in "UST":
            found = entries.ravel()[:1].tolist()
        elif entries.dtype.kind == "O":
            found = [entry for entry in entries.ravel() if isinstance(entry, str | bytes)][:1]
        else:
            continue
        if found:
            raise ValueError(
                f"{name} holds strings, for example {found[0]!r}; it must hold numbers. Encode "
                "categories (OneHotEncoder, OrdinalEncoder) and convert numbers with astype(float)."
            )


def cast_target(Y, dtype):
    """The encoded target in the type of X."""
    with np.errstate(over="ignore"):
        cast = Y.astype(dtype, copy=False)
    if not np.isfinite(cast).all():
        raise ValueError(
            f"y holds values too large for {dtype}, the type of X; scale y, or give X as float64."
        )
    return cast


def refuse_huge(values, name):
    """Numbers whose squares overflow cannot be fitted."""
    data = values.data if sp.issparse(values) else np.asarray(values)
    if data.dtype.kind != "f" or data.size == 0:
        return
    largest = max(float(data.max()), -float(data.min()))
    if largest > _LARGEST_INPUT:
        raise ValueError(
            f"{name} holds a number of size {largest:.3g}; at most {_LARGEST_INPUT:g} is allowed. "
            "Scale it."
        )


def _same_shapes(previous, sizes, dtype):
    """Weights of the last fit as the start of this one."""
    coefs, intercepts = previous
    found = [coefs[0].shape[0], *(W.shape[1] for W in coefs)]
    if found != sizes:
        raise ValueError(
            f"warm_start=True needs the layer sizes of the previous fit, {found}; this fit has "
            f"{sizes}. Set warm_start=False to start afresh."
        )
    return [W.astype(dtype) for W in coefs], [b.astype(dtype) for b in intercepts]
