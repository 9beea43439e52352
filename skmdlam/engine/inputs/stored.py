"""A basis as arrays and numbers, and one from what a stream has seen."""

import numpy as np
import scipy.linalg

from ..constants import LIMITS, TUNED
from ..moments import Columns
from .basis import AxesBasis, LeadingBasis, RotatedBasis

_KINDS = {kind.__name__: kind for kind in (RotatedBasis, LeadingBasis, AxesBasis)}
# Directions have at least this share of the largest variance, so that none is ever lost.
_LEAST_VARIANCE = 2e-6


def basis_as_arrays(basis):
    """All that a basis consists of, in arrays, numbers and names."""
    own = {name: value for name, value in vars(basis).items() if name not in ("columns", "dtype")}
    return {
        "kind": type(basis).__name__,
        "dtype": basis.dtype.name,
        "columns": vars(basis.columns),
        "own": own,
    }


def basis_without_factors(arrays):
    """The same arrays with the source alone of what follows from it, to be stored."""
    source = arrays["own"].get("source")
    return arrays if source is None else arrays | {"own": {"source": source}}


def basis_with_factors(arrays):
    """The inverse of :func:`basis_without_factors`."""
    if list(arrays["own"]) != ["source"]:
        return arrays
    columns, dtype = Columns(**arrays["columns"]), np.dtype(arrays["dtype"])
    return basis_as_arrays(_rotated_by_halves(columns, dtype, *arrays["own"]["source"]))


def _rotated_by_halves(columns, dtype, values, halves):
    """A basis by eigenvectors in half precision, brought back to a rotation.

    Files hold these and the eigenvalues, ``source``, in place of what follows from them.
    """
    vectors = halves.astype(float)
    for _ in range(2):  # the error is squared each time (Newton-Schulz)
        gram = vectors.T @ vectors
        vectors = vectors @ (1.5 * np.eye(len(gram)) - 0.5 * gram)
    basis = RotatedBasis(columns, dtype, values, vectors)
    basis.source = values, halves
    return basis


def basis_from_arrays(arrays):
    """The inverse of :func:`basis_as_arrays`."""
    basis = object.__new__(_KINDS[arrays["kind"]])
    vars(basis).update(
        columns=Columns(**arrays["columns"]), dtype=np.dtype(arrays["dtype"]), **arrays["own"]
    )
    return basis


def basis_of_summary(summary, dtype, dtype_of_X, *, rotate, tuned=TUNED, limits=LIMITS):
    """Coordinates of the first layer's input from what has been seen.

    Parameters
    ----------
    summary : DataSummary
    dtype : dtype
        Of the coordinates.
    dtype_of_X : dtype
        Which says what a constant column is.
    rotate : bool
        False keeps the axes of X, for penalties that look at single weights.

    Returns
    -------
    basis : Basis
    """
    seen = summary.columns
    columns = Columns.of(seen.mean, seen.spread, summary.weight, summary.rows, dtype_of_X, limits)
    d = columns.std.size
    if d > limits.stream_covariance:
        return LeadingBasis.without_directions(columns, dtype)
    # Correlations, times the spreads in the units of the coordinates: the two differ where
    # columns share one unit, and where the covariances are those of a part of what was seen.
    spread = seen.spread * columns.inverse_std
    covariance = np.diag(columns.vary.astype(float))
    joint = summary.joint
    if joint is not None:
        inverse = np.zeros(d)
        np.divide(1.0, joint.spread, out=inverse, where=joint.spread > 0)
        # The covariance counts some samples on which all columns were uncorrelated.
        prior = tuned.stream_prior * summary.weight / summary.rows
        merged = joint.square * inverse * inverse[:, None] + prior * covariance
        covariance = merged / (joint.weight + prior)
    covariance *= spread * spread[:, None]
    values, vectors = scipy.linalg.eigh(covariance, overwrite_a=True, check_finite=False)
    if not rotate:
        return AxesBasis(columns, dtype, values, vectors)
    least = _LEAST_VARIANCE * values.max(initial=0.0)
    values = np.maximum(values, max(least, np.finfo(float).tiny))
    if not limits.stream_compact:
        return RotatedBasis(columns, dtype, values, vectors)
    return _rotated_by_halves(columns, dtype, values, vectors.astype(np.float16))
