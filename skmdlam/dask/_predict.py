"""Predictions of collections: lazy, in the form of what came in; and scores, sums over blocks."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from .._results import stacklevel_of_user
from .._validation import refuse_strings
from ._blocks import with_place
from ._client import (
    Sealed,
    interrupts_stay_here,
    key_for,
    large_arguments,
    out_of_the_way,
)
from ._collections import (
    checked,
    is_array,
    is_frame,
    is_future,
    lists_of_blocks,
    read,
    whole_rows,
)

# Year of the Dask whose data frames certainly take tasks as arguments of functions.
_FIRST_WITH_TASKS = 2026


def lazy_output(estimator, X, method, n_results=1, **given):
    """What a method of an ordinary estimator says of X, computed when it is asked for.

    Parameters
    ----------
    estimator : estimator
        An ordinary one.
    X : collection
    method : str
    n_results : int, default=1
        How many arrays the method returns; a tuple of as many collections where it is not one.
    **given : dict
        Further arguments of the method.

    Returns
    -------
    output : collection or tuple of them
        An array for an array, a series or frame for a frame, a list of delayed blocks or futures
        for a list of them.
    """
    check_is_fitted(estimator)
    call = _Call(estimator, method, n_results, given)
    if is_array(X):
        outputs = _of_array(call, X)
    elif is_frame(X):
        outputs = _of_frame(call, X)
    else:
        outputs = _of_blocks(call, X)
    return outputs[0] if n_results == 1 else tuple(outputs)


class _Call:
    """A method of an estimator, to be called on many blocks; the estimator is sent once."""

    def __init__(self, estimator, method, n_results, given):
        self._estimator, self.method, self.n_results = estimator, method, n_results
        self.given = given

    def now(self, X):
        """List of results for a few samples."""
        return _results(self._estimator, self.method, self.given, X)

    def zeros_like(self, X):
        """One sample of the kind of a Dask array."""
        d = X.shape[1]
        d = self._estimator.n_features_in_ if np.isnan(d) else int(d)
        zeros = np.zeros((1, d), dtype=X.dtype)
        return sp.csr_matrix(zeros) if sp.issparse(X._meta) else zeros

    def model(self):
        """The estimator as a task that others hang on."""
        from dask import delayed

        with large_arguments():
            name = key_for(f"model-of-{self.label}")
            return delayed(Sealed(self._estimator), name=name, traverse=False)

    def model_for_frames(self):
        """The same as an argument of ``map_partitions``; older Dask leaves a task there undone."""
        import dask

        old = int(dask.__version__.partition(".")[0]) < _FIRST_WITH_TASKS
        return Sealed(self._estimator) if old else self.model()

    def later(self, blocks):
        """Delayed results of each block: a list for each result."""
        from dask import delayed

        model, parts = self.model(), []
        for i, block in enumerate(blocks):
            key = key_for(self.label)
            arguments = (model, block, self.method, Sealed((self.given, None)), f"block {i} of X")
            parts.append(delayed(_output, pure=False)(*arguments, dask_key_name=key))
        if self.n_results == 1:
            return [parts]
        return [[part[k] for part in parts] for k in range(self.n_results)]

    def columns(self, n):
        """Names of n columns of results."""
        if self.method == "transform":
            return [f"{type(self._estimator).__name__.lower()}{unit}" for unit in range(n)]
        classes = getattr(self._estimator, "classes_", range(n))
        return list(classes if self.method != "predict" and len(classes) == n else range(n))

    @property
    def label(self):
        """What the dashboard calls it."""
        return self.method.replace("_", "-")


def _results(estimator, method, given, X):
    """List of the arrays that a method returns."""
    results = getattr(estimator, method)(X, **given)
    results = results if isinstance(results, tuple) else (results,)
    return [np.asarray(result) for result in results]


def _output(model, X, method, given, place):
    """On a worker: what a method says of one block."""
    given, like = given.open()
    try:
        shape = getattr(X, "shape", (None,))
        if len(shape) != 2 or shape[0] > 0:
            results = _results(model.open(), method, given, X)
        elif like is not None:
            results = [np.asarray(sample)[:0] for sample in like]
        else:
            results = _results(model.open(), method, given, _one_row(X))
            results = [result[:0] for result in results]
    except Exception as error:
        raise with_place(error, place) from error
    if like is not None:
        results = [_formed(*pair, X) for pair in zip(results, like, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _one_row(X):
    """One row, whatever it holds, in place of none."""
    if sp.issparse(X):
        return sp.csr_matrix((1, X.shape[1]))
    X = X.to_pandas() if hasattr(X, "to_pandas") else X
    return X.reindex([0]) if hasattr(X, "reindex") else np.zeros((1, X.shape[1]))


def _formed(result, like, X):
    """An array in the type, and as the series or frame, that was promised."""
    if isinstance(like, np.ndarray):
        return result.astype(like.dtype, copy=False)
    columns = {"columns": like.columns} if like.ndim == 2 else {}
    return type(like)(result, index=X.index, **columns).astype(like.dtypes)


def _of_array(call, X):
    X = whole_rows(X, "X")
    samples = call.now(call.zeros_like(X))
    # Several results are columns of one array, so that the network sees the samples once.
    together = samples[0] if len(samples) == 1 else np.column_stack(samples)
    shape = {"drop_axis": 1} if together.ndim == 1 else {"chunks": (X.chunks[0], together.shape[1])}
    meta = np.empty((0,) * together.ndim, dtype=together.dtype)
    both = X.map_blocks(
        _output_of_chunk,
        model=call.model(),
        call=Sealed((call.method, call.given, samples)),
        name=key_for(call.label),
        meta=meta,
        dtype=meta.dtype,
        **shape,
    )
    if len(samples) == 1:
        return [both]
    edges = np.cumsum([0] + [1 if sample.ndim == 1 else sample.shape[1] for sample in samples])
    columns = (
        edges[i] if sample.ndim == 1 else slice(*edges[i : i + 2])
        for i, sample in enumerate(samples)
    )
    return [both[:, which] for which in columns]


def _output_of_chunk(X, model, call, block_id=None):
    """On a worker: what a method says of a chunk, several results side by side."""
    method, given, like = call.open()
    place = f"block {block_id[0]} of X"
    results = _output(model, X, method, Sealed((given, like)), place)
    return np.column_stack(results) if isinstance(results, tuple) else results


def _of_frame(call, X):
    import pandas as pd
    from dask.dataframe.utils import meta_nonempty

    few = meta_nonempty(X._meta)
    samples = []
    for result in call.now(few):
        if result.ndim == 2:
            columns = call.columns(result.shape[1])
            samples.append(pd.DataFrame(result, index=few.index, columns=columns))
        else:
            samples.append(pd.Series(result, index=few.index))
    # As an expression of X: Dask knows that the rows are those of X, whatever its index says.
    return [
        X.map_partitions(
            _output_of_partition,
            call.model_for_frames(),
            Sealed((call.method, call.given, samples)),
            which,
            meta=sample.iloc[:0],
            enforce_metadata=False,
            token=key_for(call.label),
        )
        for which, sample in enumerate(samples)
    ]


def _output_of_partition(X, model, call, which):
    """On a worker: what a method says of a partition; one of several results."""
    method, given, like = call.open()
    results = _output(model, X, method, Sealed((given, like)), "a block of X")
    return results[which] if isinstance(results, tuple) else results


def _of_blocks(call, X):
    blocks = lists_of_blocks(X, "X")
    outputs = call.later(blocks)
    futures = [block for block in blocks if is_future(block)]
    if futures:
        client = futures[0].client
        outputs = [client.compute(parts) for parts in outputs]
    return outputs


def score(estimator, client, X, y, sample_weight, by_block):
    """Score of an ordinary estimator on collections.

    Parameters
    ----------
    estimator : estimator
        An ordinary one.
    client : distributed.Client
    X, y, sample_weight : collections
    by_block : callable
        :func:`accuracy` or :func:`explained`.

    Returns
    -------
    score : float
    """
    check_is_fitted(estimator)
    with out_of_the_way(), interrupts_stay_here(client):
        blocks, _ = checked(read(client, X, y, sample_weight, held=False))
        return by_block(estimator, blocks)


def accuracy(estimator, blocks):
    """Share of the samples, by weight, whose labels are all right."""
    right, total = blocks.total(_right, estimator)
    return float(right / _some(total))


def _some(total):
    """The sum of all weights, where there is any."""
    if total > 0:
        return total
    raise ValueError("sample_weight is zero for every sample: there is nothing to score.")


def _right(block, estimator):
    predicted, weight = estimator.predict(block.X), _weight(block)
    if not weight.any():  # of some blocks alone
        return 0.0, 0.0
    return accuracy_score(block.y, predicted, normalize=False, sample_weight=weight), weight.sum()


def _weight(block):
    if block.weight is None:
        return np.ones(block.X.shape[0])
    return np.asarray(block.weight, dtype=float).ravel()


def explained(estimator, blocks):
    """Share of the variance of the targets that is explained, the mean over several targets."""
    n, total, sums, residual = blocks.total(_targets, estimator)
    _some(total)
    if n < 2:
        warnings.warn(
            "R^2 score is not well-defined with less than two samples.",
            UndefinedMetricWarning,
            stacklevel=stacklevel_of_user(),
        )
        return float("nan")
    spread = blocks.total(_deviations, sums / total)
    share = np.where(spread > 0, 1 - residual / np.where(spread > 0, spread, 1), residual == 0)
    return float(share.mean())


def _targets(block, estimator):
    refuse_strings(block.y, "y")
    y, weight = _columns(block.y), _weight(block)
    predicted = _columns(estimator.predict(block.X))
    if y.shape[1] != predicted.shape[1]:
        raise ValueError(
            f"y has {y.shape[1]} columns, and {predicted.shape[1]} targets were fitted."
        )
    residual = y - predicted
    return len(y), weight.sum(), weight @ y, weight @ residual**2


def _deviations(block, mean):
    return _weight(block) @ (_columns(block.y) - mean) ** 2


def _columns(values):
    values = np.asarray(values, dtype=float)
    return values[:, None] if values.ndim == 1 else values
