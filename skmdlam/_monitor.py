"""What watches a fit while it runs: the samples of validation, and scikit-learn's callbacks."""

import copy
from functools import partial

import numpy as np
from sklearn.metrics import check_scoring

from ._compat import callback_context, with_classes
from ._encoding import seen_by_network
from ._reader import Reader
from .engine.problem import forward
from .engine.target_units import TargetUnits

# What a curve shows where a loss is beyond all numbers.
LARGEST = float(np.finfo(float).max)
NO_UNITS = TargetUnits()


class ValidationMonitor:
    """Score a copy of the estimator after each sweep; ask to stop when that stalls.

    A run whose steps have yet to shrink is asked to shrink them instead (``cool_down``): it
    ends by itself soon after, and the score of noisy weights says little of what they settle at.

    Parameters
    ----------
    estimator : estimator
    validation : Samples
        Samples that are not trained on.
    units : TargetUnits, default=TargetUnits()
        Units that the loss is counted in.

    Attributes
    ----------
    scores, losses : list of float
        Score, and loss without penalties per unit of weight, of the weights that are kept after
        each sweep.
    best : tuple or None
        Weights, intercepts and training objective of the sweep with the best score.
    """

    def __init__(self, estimator, validation, units=NO_UNITS):
        self._estimator = copy.copy(estimator)
        # The validation rows are numbers by now, without column names.
        vars(self._estimator).pop("feature_names_in_", None)
        self._estimator._reader = Reader.of_numbers(estimator.n_features_in_)
        self._patience, self._tol = estimator.n_iter_no_change, estimator.tol
        self._must_score = estimator.early_stopping
        self._data, self._units = validation, units
        self._seen = seen_by_network(self._estimator, validation.X)  # as predictions see it
        weight = validation.weight
        self._weight = {} if weight is None else {"sample_weight": weight}
        self._scorer = check_scoring(self._estimator, scoring=estimator.scoring)
        self._names_classes = False  # to the scorer
        self.scores, self.losses, self.best = [], [], None
        self._best_score, self._idle = -np.inf, 0

    def __call__(self, record, run):
        """Whether to stop after this sweep."""
        estimator, data = self._estimator, self._data
        estimator.coefs_, estimator.intercepts_ = run.weights()
        loss = self._loss()
        try:
            score = float(self._score())
        except TypeError as error:
            if "sample_weight" not in str(error):
                raise
            raise ValueError(
                f"scoring={estimator.scoring!r} takes no sample_weight, and sample_weight or "
                "class_weight give the validation samples weights: choose another scoring."
            ) from error
        if self._must_score and not np.isfinite(score):
            missing = self._missing_classes().tolist()
            why = f", and none of them is of the classes {missing}" if missing else ""
            raise ValueError(
                f"early_stopping=True: the score on {data.X.shape[0]} validation samples is "
                f"{score}{why}. Hold out more samples (validation_fraction) or choose another "
                "scoring."
            )
        # Together, so that an interrupt leaves curves of one length.
        self.losses.append(loss)
        self.scores.append(score)
        stalled = not score > self._best_score + self._tol
        may_stop = record.settled or run.cools_down
        self._idle = self._idle + 1 if stalled and may_stop else 0
        if score > self._best_score:
            self._best_score = score
            self.best = estimator.coefs_, estimator.intercepts_, record.kept
        if not self._must_score or self._idle < self._patience:
            return False
        if run.cools_down:
            run.cool_down()
            return False
        return True

    def _score(self):
        estimator, data = self._estimator, self._data
        scorer = partial(self._scorer, estimator, data.X, data.y, **self._weight)
        if self._names_classes:
            return with_classes(scorer, estimator.classes_)
        try:
            return scorer()
        except ValueError as error:
            missing = self._missing_classes()
            if not missing.size:
                raise
            try:  # metrics of probabilities want to be told what the columns are
                score = with_classes(scorer, estimator.classes_)
            except Exception:
                raise ValueError(
                    f"The scoring of {len(data)} validation samples failed: "
                    f"{str(error).rstrip('.')}. None of them is of the classes "
                    f"{missing.tolist()}. Hold out more samples (validation_fraction), give X_val "
                    "and y_val, or choose another scoring."
                ) from error
            self._names_classes = True
            return score

    def _missing_classes(self):
        """Classes that no validation sample is of."""
        if not hasattr(self._estimator, "classes_") or self._estimator._multilabel:
            return np.array([])
        return np.setdiff1d(self._estimator.classes_, self._data.y)

    def _loss(self):
        estimator, data = self._estimator, self._data
        coefs, intercepts = estimator.coefs_, estimator.intercepts_
        with np.errstate(all="ignore"):
            weights = coefs, intercepts, estimator._activations
            z = forward(self._seen, *weights, estimator.n_networks_)
            units = self._units
            values = estimator._loss.value(units.output(z), units.transform(data.Y))
            return min(float(np.average(values, weights=data.weight)), LARGEST)


class Callbacks:
    """Tell scikit-learn's callbacks (from 1.9 on) of the fit and of each of its sweeps.

    A context manager around the sweeps. The callbacks get X, y and the weights as the user gave
    them, and where they ask for it an estimator with the weights after the sweep.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight : as given to ``fit``
    """

    def __init__(self, estimator, X, y, sample_weight):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = callback_context(estimator, estimator.max_iter)
        self._sweep = None
        self._tell(self._context, "begin")

    def _tell(self, context, when, attributes=None):
        if context is None:
            return False
        tell = getattr(context, f"call_on_fit_task_{when}")
        return tell(**self._arguments, reconstruction_attributes=attributes)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self._sweep is not None and kind is None:
            self._tell(self._sweep, "end")  # it was interrupted

    def before_sweep(self, run):
        """Say that a sweep begins."""
        if self._context is not None:
            self._sweep = self._context.subcontext(task_name="iteration")
            self._tell(self._sweep, "begin", partial(_state, run))

    def after_sweep(self, run):
        """Say that it is over; true when a callback asks to stop."""
        sweep, self._sweep = self._sweep, None
        return bool(self._tell(sweep, "end", partial(_state, run)))

    def end(self):
        """Say that the fit is over, and the estimator fitted."""
        self._tell(self._context, "end", {})


def _state(run):
    coefs, intercepts = run.weights()
    return {"coefs_": coefs, "intercepts_": intercepts}
