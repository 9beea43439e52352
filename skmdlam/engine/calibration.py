"""How strong the unit-free penalties should be, from the noise in the targets.

A network that is fitted for long follows the noise of its targets: the fewer and the noisier the
samples, the more it has to be held back. How noisy they are can be told before any weight moves,
by the Gaussian process that a network of infinitely many relu units is, on a few hundred rows.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from ..losses import LogisticLoss, SoftmaxCrossEntropy

# Rows that the Gaussian process sees: its cost grows with their cube.
_ROWS = 400
# Weight of the constant in the kernel, for inputs of mean square 1.
_CONSTANT = 0.25
# Variances of the noise to choose from, in units of the mean variance of the process.
_NOISE = np.geomspace(0.003, 1000.0, 36)
# Fitted to 31 tables of 50 to 9000 rows; the score hardly depends on them.
_STRENGTH, _SIZE_POWER, _CURVATURE_POWER, _NOISE_POWER = 40.0, 0.25, 1.5, 2.0
_SMALLEST = 0.5
# The rule holds up to the first number of samples; from there it fades, on a logarithmic scale,
# into a constant that suits almost all tables of the second number and more.
_TRUSTED, _USUAL = (1000.0, 5000.0), 5.0
# The column penalty: strength for 1000 samples where noise and process are alike, powers of their
# ratio and of the number of samples, and the range. Fitted to 54 subsets of tables.
_COLUMN_STRENGTH, _RATIO_POWER, _COLUMN_SIZE_POWER = 2.5, 0.75, 0.2
_SMALLEST_COLUMN, _LARGEST_RATIO = 0.75, 1.0
# Residuals beyond so many of their standard deviations, told from their median, are outliers to a
# loss that bounds the influence of a sample; so many times they are pulled in.
_OUTLIER, _PULLS = 1.345, 5
_MEDIAN_TO_DEVIATION = 1.4826


class Strengths(NamedTuple):
    """Of the penalties on activity and on columns, in samples, and the ``ratio`` of :class:`Noise`.

    The ratio is not a number where nobody has looked at the noise, or nothing can be told.
    """

    activity_alpha: float
    column_alpha: float
    noise: float = np.nan

    @property
    def penalties(self):
        """The first two, by name."""
        return {"activity_alpha": self.activity_alpha, "column_alpha": self.column_alpha}


class Noise(NamedTuple):
    """What a wide network leaves unexplained, and its variance over that of the process."""

    share: float
    ratio: float


def automatic_strengths(loss, inputs, Y, sample_weight=None, *, total=None):
    """Strengths of the penalties on the pre-activations and on the columns of X, in samples.

    ::

        activity_alpha = 40 n^(1/4) curvature^(3/2) share^2,             at least 0.5
        column_alpha   = 5/2 (n / 1000)^(1/5) min(ratio, 1)^(3/4),       at least 0.75

    ``share`` and ``ratio`` are those of :func:`noise_of`, and ``curvature`` the mean second
    derivative of the loss, per output, at the best constant: 1 for regression in units of its
    target, p (1 - p) for probabilities. A sample of a flatter loss pulls less, and a penalty
    counted in samples has to be weaker by as much to weigh the same. Between 1000 and 5000 samples
    the rule for ``activity_alpha`` fades into the constant 5: with more samples the score hardly
    depends on it. The chance to find some use for a useless column grows with the noise, and what
    a smooth function loses when a column is held back is small: so it is the ratio that counts.

    Weights are numbers of copies, and ``n`` is their sum. Where they are smaller than one on
    average only their ratios count, and ``activity_alpha`` is in their unit.

    Parameters
    ----------
    loss : Loss
    inputs : callable
        ``inputs(rows)`` gives the samples of these indices in the coordinates that the first layer
        sees, shape (len(rows), d). Asked once, for 400 rows at most.
    Y : ndarray of shape (n, K)
        Targets, those of a regression in its unit of the loss.
    sample_weight : ndarray of shape (n,) or None
    total : float or None
        Total weight of the samples that these are a part of; None where they are all.

    Returns
    -------
    strengths : Strengths
    """
    n = Y.shape[0]
    rows = _some_rows(n)
    weight = np.ones(n) if sample_weight is None else sample_weight.astype(float)
    share = weight / weight.sum()
    # Weights of less than one on average cannot be copies: they are taken to have another unit,
    # in which the penalty has to be counted too.
    unit = min(1.0, weight.sum() / n)
    weight = weight / unit
    total, curvature = max(float(weight.sum()), (total or 0.0) / unit), 1.0
    if isinstance(loss, SoftmaxCrossEntropy | LogisticLoss):
        curvature = float((share @ np.square(Y - share @ Y)).mean())
    inputs, shown = inputs(rows).astype(float), Y[rows].astype(float)
    noise = noise_of(inputs, shown, weight[rows], total=total, reach=loss.reach)
    size = max(total, n)
    blend = np.log(size / _TRUSTED[0]) / np.log(_TRUSTED[1] / _TRUSTED[0])
    blend = float(np.clip(blend, 0.0, 1.0))
    activity = _STRENGTH * size**_SIZE_POWER * curvature**_CURVATURE_POWER
    activity = max(activity * noise.share**_NOISE_POWER, _SMALLEST)
    activity = unit * activity ** (1.0 - blend) * _USUAL**blend
    column = _COLUMN_STRENGTH * min(noise.ratio, _LARGEST_RATIO) ** _RATIO_POWER
    column *= (size / _TRUSTED[0]) ** _COLUMN_SIZE_POWER
    # A ratio that is not a number takes the smallest.
    return Strengths(float(activity), float(np.fmax(column, _SMALLEST_COLUMN)), noise.ratio)


# For samples that cannot tell.
USUAL_STRENGTHS = Strengths(_USUAL, _SMALLEST_COLUMN)


def noise_of(X, Y, weight, *, total=None, reach=np.inf):
    """Share of the targets' variance that a wide network cannot predict from the inputs.

    The outputs are taken as ``mean + process + noise`` with the covariance of a network of one
    layer of infinitely many relu units for the process. The variances of both are the most likely
    ones; what is returned is the variance that is expected of the error on a new sample after
    ``total`` samples, over that of the targets::

        noise / variance / (1 - df / total),    df = sum_j e_j / (e_j + noise)

    with e_j the eigenvalues of the covariance of so many samples. The ratio that comes with it is
    the variance of the noise over that of the process at a sample: it is large where a smooth,
    faint function lies below the noise, and small where a rough one is hard to learn.

    With a finite ``reach`` outliers do not count as noise: targets further from the process than
    that, and than 1.345 deviations of the middle half, are pulled in to there, and all is done
    again, five times (Huber's pseudo-values).

    The weights are numbers of copies: a row of weight 2 is two equal rows, to rounding.

    Parameters
    ----------
    X : ndarray of shape (m, d)
        In any units: only the directions of the rows and their relative lengths count.
    Y : ndarray of shape (m, K)
    weight : ndarray of shape (m,)
        Positive. When their mean is below 1 they are scaled to a mean of 1.
    total : float or None
        Total weight of the samples that the rows stand for; None for that of the rows.
    reach : float, default=inf
        Residual up to which the loss is quadratic, in units of Y.

    Returns
    -------
    noise : Noise
        ``share`` in [0, 1] and ``ratio``; 1 and not a number where nothing can be told: no spread
        in X or Y, fewer than three samples.
    """
    m, n_outputs = Y.shape
    scale = max(1.0, m / float(weight.sum()))
    weight = weight * scale
    n = float(weight.sum())
    total = n if total is None else max(total * scale, n)
    centre = weight / n
    root = np.sqrt(weight)[:, None]
    kernel = _relu_kernel(X - centre @ X, centre)
    mean = kernel @ centre
    kernel += float(centre @ mean) - mean - mean[:, None]
    kernel *= root * root.T
    spread = float(kernel.trace())
    if m < 3 or not (np.isfinite(spread) and spread > 0):
        return Noise(1.0, np.nan)

    values, vectors = scipy.linalg.eigh(kernel, overwrite_a=True, check_finite=False)
    values = np.maximum(values, 0.0)[:, None]
    noise = _NOISE * spread / (n - 1.0)
    covariance = values + noise
    log_determinant = np.log(covariance).sum(axis=0) + (n - 1.0 - m) * np.log(noise)
    for pull in range(_PULLS + 1 if reach < np.inf else 1):
        mean = centre @ Y
        image = vectors.T @ (root * (Y - mean))
        powers = np.square(image).sum(axis=1)
        variance = float(powers.sum()) / max(n - 1.0, 1.0)
        if not (np.isfinite(variance) and variance > 0):
            return Noise(1.0, np.nan)
        # The mean takes one direction; copies of rows have as many with a constant process.
        unit = (powers @ (1.0 / covariance)) / ((n - 1.0) * n_outputs)
        best = int(np.argmin((n - 1.0) * np.log(unit) + log_determinant))
        if reach < np.inf and pull < _PULLS:
            fit = mean + vectors @ (image * values / covariance[:, [best]]) / root
            Y = fit + _pulled_in(Y - fit, weight, reach)
    values = values[:, 0] * (total / n)
    df = float(np.sum(values / (values + noise[best])))
    share = float(noise[best] * unit[best]) * n_outputs / variance
    return Noise(min(share / max(1.0 - df / total, share), 1.0), float(_NOISE[best]))


def _pulled_in(residual, weight, reach):
    """Residuals with the far ones brought to where the others end."""
    size = np.abs(residual)
    order = np.argsort(size, axis=0, kind="stable")
    below = np.cumsum(weight[order], axis=0) < 0.5 * weight.sum()
    median = np.take_along_axis(size, order, axis=0)[
        np.minimum(below.sum(axis=0), len(size) - 1), np.arange(size.shape[1])
    ]
    limit = np.maximum(_OUTLIER * _MEDIAN_TO_DEVIATION * median, reach)
    return np.clip(residual, -limit, limit)


def _some_rows(n):
    """Indices of at most so many rows, evenly spread over a file that may be sorted."""
    return np.arange(n) if n <= _ROWS else np.arange(_ROWS) * n // _ROWS


def _relu_kernel(X, share):
    """Covariance of random relu units: ``E relu(w x + b) relu(w x' + b)`` up to a factor."""
    gram = X @ X.T
    size = float(share @ gram.diagonal())
    gram /= size if size > 0 else 1.0
    gram += _CONSTANT
    length = np.sqrt(gram.diagonal())
    lengths = length * length[:, None]
    cosine = np.clip(gram / lengths, -1.0, 1.0)
    angle = np.arccos(cosine)
    return lengths * (np.sin(angle) + (np.pi - angle) * cosine)
