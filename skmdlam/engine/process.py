"""The Gaussian process that a network of infinitely many relu units is, on some samples."""

import numpy as np

# Rows whose squared distance is this share of their squared lengths are the same row.
_SAME = 1e-10


def first_equal(gram, Y):
    """Whether a row is the first of those that are equal to it, but for rounding."""
    square = gram.diagonal()
    both = square + square[:, None]
    distance = 2.0 * gram
    np.subtract(both, distance, out=distance)
    both *= _SAME
    equal = distance <= both
    # The rows of most data differ: Y is compared where those of X do not.
    i, j = np.nonzero(np.tril(equal, -1))
    again = i[(Y[i] == Y[j]).all(axis=1)]
    first = np.ones(len(Y), dtype=bool)
    first[again] = False
    return first


def relu_kernel(gram, constant):
    """Covariance of random relu units, ``E relu(w x + b) relu(w x' + b)`` up to a factor.

    ``gram`` holds the inner products of centered rows; it is overwritten.
    """
    size = float(gram.diagonal().mean())
    gram /= size if size > 0 else 1.0
    gram += constant
    length = np.sqrt(gram.diagonal())
    lengths = length * length[:, None]
    gram /= lengths
    cosine = np.clip(gram, -1.0, 1.0, out=gram)
    angle = np.arccos(cosine)
    kernel = np.sin(angle)
    np.subtract(np.pi, angle, out=angle)
    angle *= cosine
    kernel += angle
    kernel *= lengths
    return kernel


def centered(kernel):
    """The kernel of centered features, in place."""
    mean = kernel.mean(axis=0)
    kernel += mean.mean() - mean - mean[:, None]
    return kernel


def left_out_errors(values, vectors, image, noise):
    """Squared errors of samples that are predicted from all others, in sum.

    With P the inverse of the covariance ``K + noise I``, but for the direction of the mean, the
    error of a sample is ``(P Y)_i / P_ii`` (Dubrule, "Cross validation of kriging in a unique
    neighborhood", 1983).

    Parameters
    ----------
    values, vectors : ndarray of shape (m,) and (m, m)
        Eigenvalues, not negative, and eigenvectors of the centered kernel K.
    image : ndarray of shape (m, n_outputs)
        Centered targets along the eigenvectors.
    noise : ndarray of shape (n_levels,)
        Variances of the noise to choose from.

    Returns
    -------
    errors : ndarray of shape (n_levels,)
    """
    inverse = 1.0 / (values[:, None] + noise)
    # The mean is an eigenvector of the centered kernel, for the eigenvalue 0.
    diagonal = np.square(vectors) @ inverse - 1.0 / (len(values) * noise)
    residual = np.tensordot(vectors, inverse[:, :, None] * image[:, None, :], axes=1)
    residual /= diagonal[:, :, None]
    return np.einsum("igk,igk->g", residual, residual)
