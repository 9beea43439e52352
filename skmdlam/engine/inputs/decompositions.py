"""Which basis a data set gets, and whether its samples are held dense in it."""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ..constants import LIMITS
from ..moments import chunks, in_blocks
from .basis import AxesBasis, LeadingBasis, RotatedBasis, not_negligible
from .dense import DenseInput, DenseOnDemand
from .encoded import EncodedSamples
from .samples_basis import SamplesBasis
from .sparse import SparseInput


def basis_of(X, columns, normalized, dtype, rng, *, rotate=True, limits=LIMITS):
    """The basis for a data set.

    Its covariance C is decomposed as it is (*primal*), through the kernel ``Xs Xs'`` when there are
    fewer samples than columns (*dual*), or in its leading directions, by a randomized range finder
    (*sketched*), when both are large. Primal and dual leave out directions in which the samples do
    not vary. Of more than 400 columns the primal form turns the leading directions only.

    Parameters
    ----------
    X : ndarray or sparse matrix in CSR format of shape (n, d)
    columns : Columns
    normalized : ndarray of shape (n,)
        Weights of the samples, which sum to one.
    dtype : dtype
        Of the coordinates.
    rng : numpy.random.RandomState
        For the sketch.
    rotate : bool, default=True
        False keeps the axes of X, for penalties that look at single weights.
    limits : Limits

    Returns
    -------
    basis : Basis
    """
    n, d = X.shape
    if not rotate and d <= limits.decomposition:
        return AxesBasis(columns, dtype, *_primal(X, columns, normalized, dtype, limits))
    if d <= min(n, limits.decomposition):
        values, vectors = _primal(X, columns, normalized, dtype, limits)
        if d <= limits.rotation:
            return RotatedBasis(columns, dtype, values, vectors)
        return _leading(columns, dtype, values, vectors)
    if rotate and n <= limits.decomposition:
        if stays_sparse(X, d, limits):
            return _of_samples(X, columns, normalized, dtype, limits)
        return RotatedBasis(columns, dtype, *_dual(X[:], columns, normalized))
    size = min(limits.sketch, d, most_directions(X, limits) if stays_sparse(X, d, limits) else d)
    return _sketched(X, columns, normalized, dtype, rng, size, limits)


def stays_sparse(X, size, limits=LIMITS):
    """Whether a dense copy of X in so many coordinates would need far more memory than X."""
    return sp.issparse(X) and X.shape[0] * size > max(limits.small, limits.entries * X.nnz)


def most_directions(X, limits=LIMITS):
    """How many directions a sketch of a large sparse X may have."""
    n, d = X.shape
    by_columns = max(limits.sketch_numbers, limits.sketch_entries * X.nnz) // d
    return min(by_columns, max(limits.small, limits.entries * X.nnz) // n)


def _primal(X, columns, normalized, dtype, limits):
    n, d = X.shape
    covariance, total = np.zeros((d, d)), 0.0
    # A part of very many rows, in short runs from all over, says enough of a covariance.
    enough = min(limits.covariance_rows, int(limits.covariance_cost / d**2))
    enough = max(enough, limits.covariance_ratio * d)
    for rows in chunks(n, d, limits.transformed)[:: max(1, n // enough)]:
        x = columns.standardized(X[rows])
        x *= np.sqrt(normalized[rows])[:, None]
        x = x.astype(dtype, copy=False)
        covariance += x.T @ x
        total += normalized[rows].sum()
    covariance /= total
    return scipy.linalg.eigh(covariance, overwrite_a=True, check_finite=False)


def _leading(columns, dtype, values, vectors):
    """The directions of more than the mean variance, and one number for all others."""
    total = float(values.sum())
    most = max(values.size // 8, 1)
    leading = values[-most:] > total / columns.n_varying
    values, vectors = values[-most:][leading], vectors[:, -most:][:, leading]
    bulk = max(total - values.sum(), 0.0) / max(columns.n_varying - values.size, 1)
    return LeadingBasis(columns, dtype, values, vectors, bulk, total, exact=True)


def _dual(X, columns, normalized):
    x = columns.standardized(X) * np.sqrt(normalized)[:, None]
    values, vectors = scipy.linalg.eigh(x @ x.T, overwrite_a=True, check_finite=False)
    keep = not_negligible(values)
    return values[keep], x.T @ (vectors[:, keep] / np.sqrt(values[keep]))


def _of_samples(X, columns, normalized, dtype, limits):
    """The dual form of a large sparse X: nothing of samples times columns is stored."""
    X = columns.scaled(X, float)
    center = columns.inverse_std * columns.mean
    on_center, root = X @ center, np.sqrt(normalized)
    kernel = (X @ X.T).toarray()
    kernel += float(center @ center) - on_center - on_center[:, None]
    kernel *= root * root[:, None]
    values, vectors = scipy.linalg.eigh(kernel, overwrite_a=True, check_finite=False)
    keep = not_negligible(values)
    values, vectors = values[keep], vectors[:, keep]
    combinations = root[:, None] * vectors / np.sqrt(values)
    return SamplesBasis(columns, dtype, X, values, combinations, limits)


def _sketched(X, columns, normalized, dtype, rng, size, limits):
    """Exact in the leading directions Q of C, one number for all others."""
    d, n_varying = X.shape[1], columns.n_varying
    if size == 0:
        return LeadingBasis.without_directions(columns, dtype)
    Q = rng.standard_normal((d, size))
    for _ in range(limits.sketch_rounds + 1):
        Q, _ = scipy.linalg.qr(Q, mode="economic", overwrite_a=True, check_finite=False)
        image, small = _projected_moments(X, columns, Q, normalized)
        Q_last, Q = Q, image
    values, vectors = scipy.linalg.eigh(small, check_finite=False)
    keep = not_negligible(values)
    values, vectors = values[keep], Q_last @ vectors[:, keep]
    total = float(n_varying)
    bulk = max(total - values.sum(), 0.0) / max(d - values.size, 1)
    return LeadingBasis(columns, dtype, values, vectors, bulk, total)


def _projected_moments(X, columns, Q, normalized):
    """``C Q`` and ``Q' C Q``; a sparse X is never centered, nor stored dense."""
    n, (d, size) = X.shape[0], Q.shape
    sparse, center = sp.issparse(X), 0.0
    if sparse:
        Q = columns.inverse_std[:, None] * Q
        center = columns.mean @ Q

    def block(s, x):
        x = x if sparse else columns.standardized(x)
        part = x @ Q - center
        weighted = s[:, None] * part
        return x.T @ weighted, part.T @ weighted, weighted.sum(axis=0)

    image, small, total = in_blocks(n, normalized, 1 if sparse else d).reduce(block, X)
    if sparse:
        for column in range(size):  # one at a time: a copy of the image is what is large here
            image[:, column] -= total[column] * columns.mean
        image *= columns.inverse_std[:, None]
    return image, small


def input_of(X, basis, limits=LIMITS):
    """Samples in the coordinates of a basis: dense, unless that needs far more memory than X.

    Parameters
    ----------
    X : ndarray, EncodedSamples or sparse matrix of shape (n, d)
    basis : Basis

    Returns
    -------
    input : DenseInput, DenseOnDemand or SparseInput
    """
    if hasattr(X, "held_in"):  # samples that stay where they are
        return X.held_in(basis)
    X = X.tocsr() if sp.issparse(X) else X
    # Of fewer samples than columns there are never many coordinates.
    if basis.by_columns and stays_sparse(X, basis.size, limits):
        return SparseInput(X, basis, limits)
    if isinstance(X, EncodedSamples) and not X.allows(basis.size * basis.dtype.itemsize, limits):
        return DenseOnDemand(X, basis, limits)
    return DenseInput(X, basis, limits)


def row_weights(norms, mean, dtype):
    """What a sample counts in the first layer's step, ``min(1, 2 mean / ||u_i||^2)``.

    Samples far from all others would otherwise own directions (Mallows' weights).

    Parameters
    ----------
    norms : ndarray of shape (n,)
        ``||u_i||^2``.
    mean : float
        Their mean.
    dtype : dtype

    Returns
    -------
    weights : ndarray of shape (n, 1) or None
        None where every sample counts in full.
    """
    weights = np.ones(len(norms))
    np.divide(2 * mean, norms, out=weights, where=norms > 2 * mean)
    return weights.astype(dtype)[:, None] if (weights < 1.0).any() else None
