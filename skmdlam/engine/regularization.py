"""How strong the unit-free penalties of J are, from the noise in the targets.

A network that is fitted for long follows the noise of its targets: the fewer and the noisier the
samples, the more it has to be held back. How noisy they are can be told before any weight moves,
by the Gaussian process that a network of infinitely many relu units is, on a few hundred rows.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from .constants import TUNED
from .process import centered, first_equal, left_out_errors, relu_kernel

# Variances of the noise to choose from, in units of the mean variance of the process.
_NOISE = np.geomspace(0.003, 1000.0, 36)
# A spread below this fraction of the size is none: constants.
_ROUNDING = 1e-14
# A normal variable's standard deviation over its median absolute deviation.
_MEDIAN_TO_DEVIATION = 1.4826


class Regularization(NamedTuple):
    """Strengths of the unit-free penalties on activity, columns and upper layers, in samples.

    ``ratio`` is the one of :class:`Noise`; it is not a number where the noise was not estimated,
    or nothing can be told. ``gradient_noise`` is V times the noise fraction, over the curvature of
    the loss, see :func:`estimate_regularization`.
    """

    activity_alpha: float
    column_alpha: float
    ratio: float = np.nan
    upper_alpha: float = 0.0
    gradient_noise: float = np.nan

    @property
    def penalties(self):
        """The strengths by name."""
        return {
            "activity_alpha": self.activity_alpha,
            "column_alpha": self.column_alpha,
            "upper_alpha": self.upper_alpha,
        }


NO_REGULARIZATION = Regularization(0.0, 0.0)


def effective_column_alpha(column_alpha, total, n, n_columns):
    """What the penalty of a column is multiplied by: ``column_alpha sqrt(d)``, d columns that vary.

    Weights that sum to a total of less than one a sample scale it down.
    """
    return min(1.0, total / n) * column_alpha * np.sqrt(max(n_columns, 1))


def column_penalty(sizes, floor=TUNED.column_floor):
    """``sum_j log(1 + ||w_j||^2 / floor)`` for squared norms of the weights of each column."""
    return float(np.log1p(sizes / floor).sum())


def column_ridge(sizes, strength, floor=TUNED.column_floor):
    """The ridge on the weights of each column that has the slope of that penalty there."""
    return strength / (floor + sizes)


class Noise(NamedTuple):
    """What a wide network leaves unexplained, and its variance over that of the process."""

    fraction: float
    ratio: float


class Sensitivity(NamedTuple):
    """How a loss answers to noise, at the best constant prediction and in units of the run.

    Attributes
    ----------
    gradient_variance : float
        Variance of the gradient in the outputs, summed over them; see
        :meth:`~skmdlam.losses.Loss.gradient_variance`.
    curvature : float
        Mean second derivative in an output; see :meth:`~skmdlam.losses.Loss.information`.
    """

    gradient_variance: float = 1.0
    curvature: float = 1.0

    @classmethod
    def of(cls, loss, Y, normalized, loss_scale=1.0):
        """For targets of shape (n, K) with weights that sum to one."""
        variance = loss.gradient_variance(Y, normalized) / loss_scale**2
        return cls(float(variance), float(loss.information(Y, normalized)))

    def dispersion(self, n_outputs):
        """What the gradient varies in an output over what a likelihood would let it vary."""
        if self.curvature == 0 or self.gradient_variance == 0:  # of a single class or value
            return 1.0
        return self.gradient_variance / (n_outputs * self.curvature)


def regularization_of(noise, sensitivity, n_outputs, size, tuned=TUNED):
    """Strengths for a number of samples, see :func:`estimate_regularization`."""
    # A ratio that is not a number says nothing.
    ratio = tuned.usual_ratio if np.isnan(noise.ratio) else noise.ratio
    # A process that explains nothing may be rough as well as absent: a rough one is not given up.
    upper = np.sqrt(min(size, tuned.largest_upper_size) * min(ratio, tuned.largest_upper_ratio))
    upper *= tuned.upper * sensitivity.gradient_variance * noise.fraction
    column = tuned.column * min(ratio, tuned.largest_ratio) ** tuned.column_ratio_power
    column *= (min(size, tuned.largest_size) / 1000.0) ** tuned.column_size_power
    dispersion = sensitivity.dispersion(n_outputs)
    column = max(column, tuned.least_column) * dispersion**tuned.column_dispersion_power
    # The gradients of rare counts are few and large: less of them averages out.
    upper *= max(dispersion, 1.0) ** tuned.upper_dispersion_power
    gradient_noise = float(dispersion * n_outputs * noise.fraction)
    return Regularization(tuned.activity, float(column), noise.ratio, float(upper), gradient_noise)


def usual_regularization(total, tuned=TUNED):
    """Strengths for samples of this total weight that cannot tell the noise."""
    noise = Noise(tuned.usual_share, np.nan)
    return regularization_of(noise, Sensitivity(), 1, total, tuned)


def estimate_regularization(
    loss,
    inputs,
    Y,
    sample_weight=None,
    *,
    total=None,
    loss_scale=1.0,
    leave_one_out=False,
    tuned=TUNED,
):
    """Strengths of the unit-free penalties, in samples.

    ::

        activity_alpha = 1
        upper_alpha    = 2 max(D, 1)^(1/3) V phi sqrt(min(n, 2000) min(ratio, 3))
        column_alpha   = sqrt(D) max(5/2 (min(n, 10000) / 1000)^(1/5) min(ratio, 1)^2, 0.75)

    ``phi`` is the noise fraction and ``ratio`` the ratio of :func:`noise_of`. ``V`` is
    :meth:`~skmdlam.losses.Loss.gradient_variance`: what the gradient of the loss in the outputs
    varies at the best constant, 1 for a regression in units of its target, and the sum of
    p (1 - p) over classes or labels. ``V phi`` is the noise in the gradients that n samples leave
    a unit to fit, and ``sqrt(activity_alpha upper_alpha)`` is what the use of a unit costs. ``D``
    is V over the number of outputs and their mean curvature
    (:meth:`~skmdlam.losses.Loss.information`), the dispersion: 1 but for losses that are no
    likelihood in their unit, as that of counts in units of their mean. The chance to find some use
    for a useless column grows with the noise, and what a smooth function loses when a column is
    held back is small: so it is the ratio that counts.

    Weights are numbers of copies, and ``n`` is their sum: they decide which rows are looked at, and
    equal rows are looked at once. Where they are smaller than one on average only their ratios
    count, and ``activity_alpha`` and ``upper_alpha`` are in their unit.

    Parameters
    ----------
    loss : Loss
    inputs : callable
        ``inputs(rows)`` gives the samples of these indices in the coordinates that the first layer
        sees, shape (len(rows), d): those of the metric in mini-batches, standardized columns on the
        full batch. Asked once, for 1,200 rows at most.
    Y : ndarray of shape (n, K)
        Targets, those of a regression in its unit of the loss.
    sample_weight : ndarray of shape (n,) or None
    total : float or None
        Total weight of the samples that these are a part of; None where they are all.
    loss_scale : float, default=1.0
        Size of the loss.
    leave_one_out : bool, default=False
        How :func:`noise_of` finds the noise.

    Returns
    -------
    regularization : Regularization
    """
    n = Y.shape[0]
    weight = np.ones(n) if sample_weight is None else sample_weight.astype(float)
    normalized = weight / weight.sum()
    # Weights of less than one on average cannot be copies: they are taken to have another unit,
    # in which the penalty has to be counted too.
    unit = min(1.0, weight.sum() / n)
    weight = weight / unit
    total = max(float(weight.sum()), (total or 0.0) / unit)
    members, classes = some_classes(loss, Y, tuned)
    looked_at = weight if members is None else weight * members
    blocks = blocks_of_rows(looked_at, *noise_blocks(round(looked_at.sum()), tuned))
    rows = np.unique(np.concatenate(blocks))
    inputs, shown = inputs(rows).astype(float), Y[rows][:, classes].astype(float)
    noise = _mean_noise(
        noise_of(
            inputs[block],
            shown[block],
            total=total * float(looked_at.sum() / weight.sum()),
            outlier_threshold=loss.outlier_threshold,
            leave_one_out=leave_one_out,
            tuned=tuned,
        )
        for block in (np.searchsorted(rows, block) for block in blocks)
    )
    sensitivity = Sensitivity.of(loss, Y, normalized, loss_scale)
    # Targets that are constant have no say.
    n_outputs = max(1, int((Y.min(axis=0) < Y.max(axis=0)).sum()))
    found = regularization_of(noise, sensitivity, n_outputs, max(total, n), tuned)
    return found._replace(
        activity_alpha=float(unit * found.activity_alpha),
        upper_alpha=float(unit * found.upper_alpha),
        gradient_noise=float(unit * found.gradient_noise),
    )


def some_classes(loss, Y, tuned):
    """Which samples and classes tell the noise: of very many classes few, to meet each again.

    A class that is met once looks like noise.

    Returns
    -------
    members : ndarray of bool of shape (n,) or None
        None for all.
    classes : slice or ndarray
        Columns of Y.
    """
    most = tuned.noise_samples // tuned.noise_class_samples
    if loss.out_activation != "softmax" or Y.shape[1] <= most:
        return None, slice(None)
    classes = np.linspace(0, Y.shape[1] - 1, most).astype(int)
    return np.isin(Y.argmax(axis=1), classes), classes


def noise_blocks(n, tuned=TUNED):
    """How many of n samples tell the noise together, and how many times: one try has an error.

    The time for it grows with the third power of the rows. More of them, which take less of a rough
    function for noise, are worth it where there are many.
    """
    size = int(np.clip(n // tuned.noise_every, tuned.noise_samples, tuned.most_noise_samples))
    most = tuned.noise_blocks * tuned.noise_samples
    return size, max(1, min(n // 2, most) // size)


def _mean_noise(found):
    """Mean fraction, and geometric mean of the ratios that could be told."""
    fractions, ratios = np.array(list(found)).T
    ratios = ratios[np.isfinite(ratios)]
    ratio = float(np.exp(np.log(ratios).mean())) if ratios.size else np.nan
    return Noise(float(fractions.mean()), ratio)


def noise_of(X, Y, *, total=None, outlier_threshold=np.inf, leave_one_out=False, tuned=TUNED):
    """How much of the targets is noise to a wide network, in two measures.

    The outputs are taken as ``mean + process + noise`` with the covariance of a network of one
    layer of infinitely many relu units for the process. The variances of both are the most likely
    ones. The *noise fraction* is the variance that is expected of the error on a new sample after
    ``total`` samples, over that of the targets::

        noise / variance / (1 - df / total),    df = sum_j e_j / (e_j + noise)

    with e_j the eigenvalues of the covariance of so many samples. The *ratio* is the variance of
    the noise over that of the process at a sample: it is large where a smooth, faint function lies
    below the noise, and small where a rough one is hard to learn.

    With a finite ``outlier_threshold`` outliers do not count as noise: targets further from the
    process than that, and than 1.345 deviations of the middle half, are pulled in to there, and all
    is done again, five times (Huber's pseudo-values).

    Rows that are equal in X and Y count once: copies, as a bootstrap draws them, say nothing of the
    noise, and would look as if there were none.

    Parameters
    ----------
    X : ndarray of shape (m, d)
        In any units: only the directions of the rows and their relative lengths count.
    Y : ndarray of shape (m, K)
    total : float or None
        Number of samples that the rows stand for; None for that of the rows.
    outlier_threshold : float, default=inf
        Residual up to which the loss is quadratic, in units of Y.
    leave_one_out : bool, default=False
        Whether the noise is the one that predicts each sample best from all others, in place of
        the most likely one. Where the noise is not normal, or not the same everywhere, a likelihood
        takes it for a rough function, and of fine pieces of the columns the roughest function can
        be made.

    Returns
    -------
    noise : Noise
        ``fraction`` in [0, 1] and ``ratio``; 1 and not a number where nothing can be told: no
        spread in X or Y, fewer than three different samples.
    """
    unknown = Noise(1.0, np.nan)
    X = X - X.mean(axis=0)
    gram = X @ X.T
    first = first_equal(gram, Y)
    if not first.all():
        X, Y = X[first], Y[first]
        X = X - X.mean(axis=0)
        gram = X @ X.T
    m, n_outputs = Y.shape
    total = max(m, total or 0.0)
    kernel = relu_kernel(gram, tuned.kernel_constant)
    rounding = _ROUNDING * float(kernel.trace())
    spread = float(centered(kernel).trace())
    if m < 3 or not (np.isfinite(spread) and spread > rounding):
        return unknown

    values, vectors = scipy.linalg.eigh(kernel, overwrite_a=True, check_finite=False)
    values = np.maximum(values, 0.0)[:, None]
    scale = spread / (m - 1.0)
    covariance = values + _NOISE * scale
    log_determinant = np.log(covariance).sum(axis=0) - np.log(_NOISE * scale)
    rounds = tuned.outlier_rounds if outlier_threshold < np.inf else 0
    for pull in range(rounds + 1):
        mean = Y.mean(axis=0)
        image = vectors.T @ (Y - mean)
        powers = np.square(image).sum(axis=1)
        variance = float(powers.sum()) / (m - 1.0)
        if not (np.isfinite(variance) and variance > 0):
            return unknown
        # The mean takes one direction.
        unit = (powers @ (1.0 / covariance)) / ((m - 1.0) * n_outputs)
        unlikely = (m - 1.0) * np.log(unit) + log_determinant
        best = int(np.argmin(unlikely))
        if pull < rounds:
            fit = mean + vectors @ (image * values / covariance[:, [best]])
            Y = fit + _pulled_in(Y - fit, outlier_threshold, tuned.outlier)
    if leave_one_out:
        unlikely = np.log(left_out_errors(values[:, 0], vectors, image, _NOISE * scale))
        best = int(np.argmin(unlikely))
    ratio = _between(unlikely, best)
    noise, values = ratio * scale, values[:, 0]
    unit = float(powers @ (1.0 / (values + noise))) / ((m - 1.0) * n_outputs)
    values = values * (total / m)
    df = float(np.sum(values / (values + noise)))
    fraction = noise * unit * n_outputs / variance
    return Noise(min(fraction / max(1.0 - df / total, fraction), 1.0), ratio)


def _between(unlikely, best):
    """The noise where a parabola through the best of the grid and its neighbors is lowest."""
    if not 0 < best < len(_NOISE) - 1:
        return float(_NOISE[best])
    left, middle, right = unlikely[best - 1 : best + 2]
    curvature = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature > 0 else 0.0
    return float(_NOISE[best] * (_NOISE[1] / _NOISE[0]) ** shift)


def _pulled_in(residual, threshold, deviations):
    """Residuals with the far ones brought to where the others end."""
    median = np.median(np.abs(residual), axis=0)
    limit = np.maximum(deviations * _MEDIAN_TO_DEVIATION * median, threshold)
    return np.clip(residual, -limit, limit)


def blocks_of_rows(weight, size, n_blocks):
    """Indices of so many rows, some times over, evenly spread over all copies: files may be sorted.

    Each block skips what the others take, but for copies.
    """
    ends = np.cumsum(weight)
    if ends[-1] <= size:
        return [np.arange(len(weight))]
    most = size * n_blocks
    places = (np.arange(most) + 0.5) * (ends[-1] / most)
    rows = np.minimum(np.searchsorted(ends, places), len(weight) - 1)
    return [np.unique(rows[block::n_blocks]) for block in range(n_blocks)]
