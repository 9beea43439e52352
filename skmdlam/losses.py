"""Losses: value, gradient, proximal map and inverse link, one class for each loss.

``z`` is the output of the last layer before its link, ``y`` the target, both ``(n, K)`` and of
one floating type, which is also the type of what comes back. The arithmetic inside is in
double precision. A sample's loss is the sum over its K outputs. A new regression loss is a
subclass of `Loss` and an entry of `REGRESSION_LOSSES`; all that the solvers ask of a loss is a
method of it, with a default that works for every convex loss.
"""

import functools
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from scipy.special import expit

from ._parameters import Parameters
from ._renamed import renamed
from ._suggestions import did_you_mean

__all__ = [
    "REGRESSION_LOSSES",
    "AbsoluteError",
    "Huber",
    "LogisticLoss",
    "Loss",
    "Poisson",
    "Quantile",
    "Scaling",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "get_loss",
]

_EPS = np.finfo(np.float64).eps
_BLOCK_SIZE = 32768
# Of a constant target the errors that are as large as the spread of others.
_CONSTANT_SHARE = 1e-4
_MAX_ITERATIONS = 250
_MAX_BISECTIONS = 1200
# Of the interval in which the best constant lies.
_MOST_DOUBLINGS, _HALVINGS, _ENOUGH_ROWS = 60, 40, 1000
_LARGEST = 1e150


class Loss(Parameters):
    r"""Base class of convex losses :math:`R(z, y)` of the network's output z and the target y.

    A subclass has to define :meth:`value` and :meth:`gradient`. All other methods have defaults.

    Attributes
    ----------
    name : str or None, default=None
        Name for `get_loss`.
    out_activation : str, default="identity"
        Name of the function that `inverse_link` applies, as in ``MLPClassifier.out_activation_``.
    nonsmooth : bool, default=False
        Whether R has kinks in z at the targets. It is then scaled by the mean absolute deviation of
        the targets. With a non-smooth penalty a full-batch fit begins with mini-batch steps.
    positive_target : bool, default=False
        Whether targets must not be negative.
    bounded_gradient : bool, default=False
        Whether :math:`\partial R / \partial z` is bounded, so that outliers have limited influence.
    outlier_threshold : float, default=inf
        Residual from which on the influence of a sample is bounded, as delta of Huber.
    central : bool, default=True
        Whether the prediction is a mean or a median, so that errors have a standard deviation
        around it.

    Notes
    -----
    The default proximal map is computed by bisection. It is right for a loss that is a sum over
    outputs, each of which depends on its own entries of z and y; a closed form is faster. A
    subclass can also define :meth:`output_step` (the step of mini-batches), :meth:`curvature` (for
    full-batch iterations), :meth:`scaled` (the units in which both work), :meth:`scaled_targets`
    (units of several targets) and :meth:`information` (for the strength of penalties).
    """

    name = None
    out_activation: str = "identity"
    nonsmooth: bool = False
    outlier_threshold: float = np.inf
    positive_target: bool = False
    bounded_gradient: bool = False
    central: bool = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        renamed(cls, {"kinks": "nonsmooth", "reach": "outlier_threshold"})
        # What a known loss derives from its formula does not hold for another formula.
        own, stale = vars(cls).keys(), set()
        if "gradient" in own:
            stale |= {"output_step", "curvature", "scaled", "scaled_targets", "gradient_variance"}
        if own & {"gradient", "value"}:
            stale |= {"value_and_gradient", "compact"}
        for name in stale - own:
            setattr(cls, name, getattr(Loss, name))

    def value(self, z, y):
        """Return the loss of every sample.

        Parameters
        ----------
        z, y : ndarray of shape (n, K)
            Output of the network and target.

        Returns
        -------
        values : ndarray of shape (n,)
            Losses, in float64, not negative.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has to define value(z, y), the loss of every sample."
        )

    def gradient(self, z, y):
        r"""Return :math:`\partial R / \partial z`, or a subgradient at a kink.

        Parameters
        ----------
        z, y : ndarray of shape (n, K)
            Output of the network and target.

        Returns
        -------
        gradient : ndarray of shape (n, K)
            A row for each sample.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has to define gradient(z, y), the derivative in z."
        )

    def prox(self, v, y, rho, start=None):
        r"""Return :math:`\arg\min_z R(z, y) + \frac{\rho}{2} \|z - v\|^2` for each sample.

        Parameters
        ----------
        v, y : ndarray of shape (n, K)
            Center of the quadratic term, and target.
        rho : float
            Weight of the quadratic term, positive.
        start : ndarray of shape (n, K), default=None
            Initial guess. It can save time and does not change the result by more than rounding.

        Returns
        -------
        z : ndarray of shape (n, K)
            Exact minimizer, in the dtype of v.

        Notes
        -----
        The minimizer lies between v and ``v - gradient(v, y) / rho``, because the gradient of a
        convex loss is nondecreasing; the derivative of the sum changes its sign once in between.
        """
        dtype, rho = v.dtype, float(rho)
        v, y = _double(v, y)
        with np.errstate(all="ignore"):
            far = v - self.gradient(v, y) / rho
            far = np.where(np.isfinite(far), far, np.copysign(_LARGEST, far))
            lo, hi = np.minimum(v, far), np.maximum(v, far)
            for _ in range(_MAX_BISECTIONS):
                z = lo + 0.5 * (hi - lo)
                if not ((lo < z) & (z < hi)).any():
                    break
                below = self.gradient(z, y) + rho * (z - v) < 0.0
                lo, hi = np.where(below, z, lo), np.where(below, hi, z)
        return hi.astype(dtype, copy=False)

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        """Write ``length * (prox(z) - z)``, the mini-batch step of the outputs, to ``out``.

        If the curvature of the loss is far below rho, the first-order form of the proximal map,
        ``-length * gradient / rho``, may take its place; it costs less.

        Parameters
        ----------
        z, y : ndarray of shape (n, K)
            Output of the network and target.
        rho : float
            Weight of the quadratic term, positive.
        length : float
            Factor of the step.
        out : ndarray of shape (n, K)
            Array that the step is written to.
        loss_scale : float, default=1.0
            Number that the loss is divided by.

        Returns
        -------
        curvature : float
            Curvature of R plus ``rho``, which shortens the step of the weights.
        """
        np.subtract(self.prox(z, y, rho * loss_scale), z, out=out)
        out *= length
        return rho

    def curvature(self, z, y):
        """Return the Hessian of every sample's loss in z, or an approximation of it.

        Parameters
        ----------
        z : ndarray of shape (n, K)
            Output of the network.
        y : ndarray
            Target, as :meth:`compact` returns it.

        Returns
        -------
        diagonal, factor : ndarray of shape (n, K), or None for ``factor``
            The Hessian is ``diag(diagonal) - factor factor'``. The default is the identity.
        """
        return np.ones(z.shape), None

    def compact(self, y):
        """Return the target in the form that :meth:`value_and_gradient` takes.

        Parameters
        ----------
        y : ndarray of shape (n, K)
            Target.

        Returns
        -------
        y : ndarray of shape (n, ...)
            A row for each sample; it may be smaller than y.
        """
        return y

    def value_and_gradient(self, z, y, out):
        """Return the loss of every sample, and write its gradient in z to ``out``.

        Parameters
        ----------
        z : ndarray of shape (n, K)
            Output of the network.
        y : ndarray
            Target, as :meth:`compact` returns it.
        out : ndarray of shape (n, K)
            Array that the gradient is written to.

        Returns
        -------
        values : ndarray of shape (n,)
            Losses, in float64.
        """
        out[:] = self.gradient(z, y)
        return self.value(z, y)

    def information(self, y, share):
        """Return the mean curvature of the loss of an output at the best constant prediction.

        The default is 1, which is right for a loss that is scaled by its target.

        Parameters
        ----------
        y : ndarray of shape (n, K)
            Target.
        share : ndarray of shape (n,)
            Sample weights, which sum to one.

        Returns
        -------
        information : float
            Mean curvature, positive, at most about one.
        """
        return 1.0

    def gradient_variance(self, y, share):
        r"""Return the variance of :math:`\partial R / \partial z` at the best constant prediction.

        The strengths of penalties are proportional to it. The default finds the constant by
        bisection for each output, which is right if R is a sum over outputs.

        Parameters
        ----------
        y : ndarray of shape (n, K)
            Target.
        share : ndarray of shape (n,)
            Sample weights, which sum to one.

        Returns
        -------
        variance : float
            Variance, summed over outputs, not negative.
        """
        step = max(1, len(y) // _ENOUGH_ROWS)
        y, share = y[::step].astype(float), share[::step] / share[::step].sum()
        low, high = np.full((2, y.shape[1]), [[-1.0], [1.0]])

        def mean_slope(z):
            return share @ self.gradient(np.broadcast_to(z, y.shape), y)

        with np.errstate(all="ignore"):
            for _ in range(_MOST_DOUBLINGS):
                below, above = mean_slope(low) > 0.0, mean_slope(high) < 0.0
                if not (below | above).any():
                    break
                low, high = np.where(below, 2.0 * low, low), np.where(above, 2.0 * high, high)
            for _ in range(_HALVINGS):
                z = 0.5 * (low + high)
                rises = mean_slope(z) > 0.0
                low, high = np.where(rises, low, z), np.where(rises, z, high)
            gradient = self.gradient(np.broadcast_to(z, y.shape), y).astype(float)
            variance = share @ np.square(gradient - share @ gradient)
        return float(variance.sum()) if np.isfinite(variance).all() else float(y.shape[1])

    def scaled(self, mean, std, deviation):
        """Return the loss in scaled units, so that a fit does not depend on those of y.

        By default z is standardized by the mean and the standard deviation of the targets, and R is
        divided by its value one standard deviation from the mean. Losses with a link function are
        not scaled.

        Parameters
        ----------
        mean : ndarray of shape (K,)
            Mean of each target.
        std, deviation : float
            Standard deviation and mean absolute deviation, over all targets.

        Returns
        -------
        scaling : Scaling
            Loss in these units, with the conversion of targets and outputs.
        """
        if self.out_activation != "identity":
            return Scaling(self, np.zeros(mean.size))
        scale = _or_one(deviation if self.nonsmooth else std)
        around = mean + scale * np.array([[-1.0], [1.0]])
        with np.errstate(all="ignore"):
            losses = self.value(np.broadcast_to(mean, around.shape), around)
        factor = _or_one(float(losses.mean()) / mean.size)
        return Scaling(_LossInUnits(self, mean, scale, factor), mean, scale, factor)

    def scaled_targets(self, mean, std, deviation):
        """Return the scale of each of several targets, so that all have the same spread.

        A fit minimizes the loss of the scaled targets. By default all standard deviations become
        their root mean square or, for a non-smooth loss, all mean deviations their mean. Losses
        with a link function are not scaled.

        Parameters
        ----------
        mean, std, deviation : ndarray of shape (K,)
            Mean, standard deviation and mean absolute deviation of each target. Both deviations
            are zero for a constant target.

        Returns
        -------
        scaling : Scaling or None
            Scaling with arrays for ``scale`` and ``target_scale``; None if targets are not scaled.
        """
        if self.out_activation != "identity":
            return None
        if self.nonsmooth:
            units = _relative(deviation, np.mean)
        else:
            units = _relative(std, lambda sizes: np.sqrt(np.mean(np.square(sizes))))
        units = _small_where_constant(units, mean, std)
        return Scaling(self, np.zeros(units.size), units, target_scale=units)

    def inverse_link(self, z):
        """Apply the inverse link function to the output; finite for every finite z.

        Parameters
        ----------
        z : ndarray of shape (n, K)
            Output of the network.

        Returns
        -------
        prediction : ndarray of shape (n, K)
            Prediction in the units of the target, or probabilities.
        """
        return z

    def check_target(self, y):
        """Check that y is a valid target for this loss.

        Parameters
        ----------
        y : ndarray of shape (n, K)
            Target.

        Raises
        ------
        ValueError
            If it is not.
        """


@dataclass(frozen=True)
class Scaling:
    r"""A loss in scaled units: :math:`R(z, y) = \text{factor} \cdot R'(z', y')`.

    Parameters
    ----------
    loss : Loss
        The loss :math:`R'`.
    shift : ndarray of shape (K,)
        Offset of the output: ``z = shift + scale * z'``.
    scale : float or ndarray of shape (K,), default=1.0
        Scale of the output, see ``shift``.
    factor : float, default=1.0
        Unit of the loss.
    loss_scale : float, default=1.0
        Size of :math:`R'` if it is not of order one: the slope of the linear part of Huber's loss.
    target_shift : ndarray of shape (K,) or None, default=None
        Offset of the target: ``y = target_shift + target_scale * y'``. None is no offset.
    target_scale : float or ndarray of shape (K,), default=1.0
        Scale of the target, see ``target_shift``.
    """

    loss: Loss
    shift: np.ndarray
    scale: float | np.ndarray = 1.0
    factor: float = 1.0
    loss_scale: float = 1.0
    target_shift: np.ndarray | None = None
    target_scale: float | np.ndarray = 1.0

    def transform(self, Y):
        """Convert targets to the scaled units.

        Parameters
        ----------
        Y : ndarray of shape (n, K)
            Target.

        Returns
        -------
        Y : ndarray of shape (n, K)
            Scaled target; the argument itself if nothing changes.
        """
        if self.target_shift is not None:
            return (Y - self.target_shift) / self.target_scale
        return Y / self.target_scale if np.any(self.target_scale != 1.0) else Y

    def normalized(self):
        r"""Move the size of :math:`R'` into ``factor``, so that :math:`R'` is of order one.

        Returns
        -------
        scaling : Scaling
            Scaling with ``loss_scale=1.0``; itself if nothing changes.
        """
        if self.loss_scale == 1.0:
            return self
        loss = _LossInUnits(self.loss, np.zeros(self.shift.size), 1.0, self.loss_scale)
        return replace(self, loss=loss, factor=self.factor * self.loss_scale, loss_scale=1.0)

    def inner(self, W, b):
        """Convert weights of the output layer to the scaled units.

        Parameters
        ----------
        W : ndarray of shape (n, K)
            Weights.
        b : ndarray of shape (K,)
            Intercepts.

        Returns
        -------
        W, b : ndarray
            New arrays.
        """
        return W / self.scale, (b - self.shift) / self.scale

    def outer(self, W, b):
        """Convert weights of the output layer from the scaled units.

        Parameters
        ----------
        W : ndarray of shape (n, K)
            Weights.
        b : ndarray of shape (K,)
            Intercepts.

        Returns
        -------
        W, b : ndarray
            New arrays.
        """
        return W * self.scale, b * self.scale + self.shift


def _or_one(unit):
    return unit if np.isfinite(unit) and unit > 0 else 1.0


def _relative(sizes, average):
    """Sizes of targets over what they are on average; one where a target has none."""
    known = np.isfinite(sizes) & (sizes > 0)
    units = np.ones(sizes.size)
    if known.any():
        # Over the largest first, whose square may be beyond all numbers.
        units[known] = sizes[known] / sizes[known].max()
        units[known] /= average(units[known])
    return units


def _small_where_constant(units, mean, std):
    """Units in which a constant target beside others is so large that its errors are small."""
    varies = (std > 0) & np.isfinite(std)
    if varies.all() or not varies.any():
        return units
    usual = std[varies][0] / units[varies][0]  # the spread that all others have in these units
    size = np.where(mean != 0, np.abs(mean), std[varies].min())
    small = np.maximum(_CONSTANT_SHARE * size / usual, np.finfo(float).tiny)
    return np.where(varies, units, np.minimum(small, 1.0))


def _standardized(loss, mean, scale, factor, loss_scale=1.0):
    """The target centered and in units of ``scale``, so that ``y' - z'`` is of order one."""
    plain = scale == 1.0 and not mean.any()
    return Scaling(loss, mean, scale, factor, loss_scale, None if plain else mean, scale)


@dataclass(frozen=True)
class _LossInUnits(Loss):
    """``R'(z, y) = R(shift + scale z, y) / factor``, the same whatever the loss is."""

    loss: Loss
    shift: np.ndarray
    scale: float
    factor: float

    @property
    def nonsmooth(self):
        return self.loss.nonsmooth

    @property
    def outlier_threshold(self):
        return self.loss.outlier_threshold  # the targets stay as they are

    @property
    def bounded_gradient(self):
        return self.loss.bounded_gradient

    def _outside(self, z):
        return self.shift + self.scale * z.astype(float)

    def value(self, z, y):
        return self.loss.value(self._outside(z), y.astype(float)) / self.factor

    def gradient(self, z, y):
        gradient = self.loss.gradient(self._outside(z), y.astype(float))
        return (gradient * (self.scale / self.factor)).astype(z.dtype)

    def prox(self, v, y, rho, start=None):
        """Of the loss itself, in ``u = shift + scale z``, at another rho."""
        start = None if start is None else self._outside(start)
        u = self.loss.prox(self._outside(v), y.astype(float), self._rho(rho), start)
        return ((u - self.shift) / self.scale).astype(v.dtype)

    def _rho(self, rho):
        return rho * self.factor / self.scale**2

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        if type(self.loss).output_step is Loss.output_step:
            return super().output_step(z, y, rho, length, out, loss_scale)
        # The step that the loss knows, in its own units.
        step = np.empty(z.shape)
        inside = self._outside(z), y.astype(float)
        curvature = self.loss.output_step(*inside, self._rho(rho), length, step, loss_scale)
        np.divide(step, self.scale, out=step)
        out[:] = step
        return curvature * self.scale**2 / self.factor

    def compact(self, y):
        return self.loss.compact(y)

    def value_and_gradient(self, z, y, out):
        y = y.astype(float) if y.dtype.kind == "f" else y
        gradient = np.empty(z.shape)
        values = self.loss.value_and_gradient(self._outside(z), y, gradient)
        out[:] = gradient * (self.scale / self.factor)
        return values / self.factor

    def curvature(self, z, y):
        if type(self.loss).curvature is Loss.curvature:
            return super().curvature(z, y)
        diagonal, factor = self.loss.curvature(self._outside(z), y)
        unit = self.scale**2 / self.factor
        return diagonal * unit, None if factor is None else factor * np.sqrt(unit)

    def information(self, y, share):
        return self.loss.information(y, share)


@functools.lru_cache(maxsize=64)
def _ones(size, dtype):
    """A vector of ones, to sum rows with."""
    ones = np.ones(size, dtype=dtype)
    ones.flags.writeable = False
    return ones


def _double(*arrays):
    """Return the arrays in double precision, without a copy where they are already."""
    return tuple(np.asarray(array, dtype=np.float64) for array in arrays)


def _wright_omega(x):
    """Return the w with ``w + log w = x``, to rounding; below -700 that at -700, 1e-304.

    The start of Iacono and Boyd (2017), good to 2 in 100, then a step of Fritsch, Shafer and
    Crowley (1973), of fourth order, and one of Newton. scipy.special.wrightomega gives
    the same and takes several times as long.
    """
    x = np.maximum(x, -700.0)
    log1p_exp = np.maximum(x, np.log1p(np.exp(np.minimum(x, 40.0))))
    w = log1p_exp * (1.0 - np.log1p(log1p_exp) / (2.0 + log1p_exp))
    one_w = 1.0 + w
    residual = x - w - np.log(w)
    q = one_w * (one_w + (2.0 / 3.0) * residual) - 0.5 * residual
    w *= 1.0 + residual / one_w * (q / (q - 0.5 * residual))
    w *= 1.0 + (x - w - np.log(w)) / (1.0 + w)
    return w


def _variance(y, share):
    """Variance of the targets, summed over outputs."""
    y = y.astype(float)
    return float((share @ np.square(y - share @ y)).sum())


def _mean_variance(y, share):
    """Return the mean variance of the columns of 0 and 1: ``p (1 - p)``, the information."""
    return float((share @ np.square(y - share @ y)).mean())


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    r"""Cross-entropy after a softmax, :math:`R(z, y) = \log \sum_k e^{z_k} - z_y`.

    Targets are one-hot rows. It is the loss of classifiers with more than two classes.
    """

    name = "softmax_cross_entropy"
    bounded_gradient = True
    out_activation = "softmax"

    def value(self, z, y):
        z, y = _double(z, y)
        rows, true = np.arange(len(z)), y.argmax(axis=1)
        top = z.argmax(axis=1)
        highest = z[rows, top]
        terms = np.exp(z - highest[:, np.newaxis])
        terms[rows, top] = 0.0
        return (highest - z[rows, true]) + np.log1p(terms.sum(axis=1))

    def gradient(self, z, y):
        gradient = self.inverse_link(np.asarray(z, dtype=np.float64))
        rows, true = np.arange(len(z)), np.asarray(y).argmax(axis=1)
        # The gradient sums to zero: no cancellation in p - 1.
        gradient[rows, true] = 0.0
        gradient[rows, true] = -gradient.sum(axis=1)
        return gradient.astype(z.dtype, copy=False)

    def prox(self, v, y, rho, start=None):
        """Return the proximal map, row by row.

        With ``nu = log sum_k exp(z_k)`` and ``w = softmax(z) / rho``, stationarity reads
        ``z_k = v_k - w_k`` and ``z_y = v_y + s`` with ``s = sum_{k != y} w_k``, and

        - ``w_k = omega(v_k - nu - log rho)``, the Wright omega function,
        - ``w_y = omega(v_y + 1/rho - nu - log rho) = 1/rho - s``.

        The two expressions of ``s`` agree at one ``nu``. Their difference ``f(nu)`` is convex and
        decreasing with ``f'' <= -f'``, so that a step below 1e-8 meets the root to rounding.
        Halley's method finds it within a bracket.
        """
        z = np.empty_like(v)
        # Blocks that stay in the cache.
        n_rows = max(1, _BLOCK_SIZE // v.shape[1])
        for first in range(0, len(v), n_rows):
            rows = slice(first, first + n_rows)
            guess = v[rows] if start is None else start[rows]
            z[rows] = _prox_softmax(*_double(v[rows], y[rows], guess), float(rho))
        return z

    def inverse_link(self, z):
        with np.errstate(over="ignore"):
            p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        """``length * (y - softmax(z)) / rho``: the curvature is at most 1/2, far below rho."""
        highest = z.max()
        if highest - z.min() > 60.0:  # exp of the difference to the largest of all may vanish
            highest = z.max(axis=1, keepdims=True)
        np.subtract(z, highest, out=out)
        np.exp(out, out=out)
        out /= (out @ _ones(z.shape[1], out.dtype))[:, None]
        np.subtract(y, out, out=out)
        out *= length / (rho * loss_scale)
        return rho

    def compact(self, y):
        return y.argmax(axis=1)  # class codes say the same as one-hot rows, in less

    def value_and_gradient(self, z, y, out):
        z = z.astype(float, copy=False)
        rows, highest = np.arange(len(z)), z.max(axis=1)
        p = z - highest[:, None]
        np.exp(p, out=p)
        total = p.sum(axis=1)
        p /= total[:, None]
        # The gradient sums to zero: no cancellation in p - 1.
        p[rows, y] = 0.0
        p[rows, y] = -p.sum(axis=1)
        out[:] = p
        return np.log(total) + (highest - z[rows, y])

    def curvature(self, z, y):
        p = self.inverse_link(z.astype(float, copy=False))
        return p, p

    def information(self, y, share):
        return _mean_variance(y, share)

    def gradient_variance(self, y, share):
        """That of ``p - y``: the sum of p (1 - p)."""
        return y.shape[1] * _mean_variance(y, share)


def _prox_softmax(v, y, start, rho):
    """Return the prox of `SoftmaxCrossEntropy`, whose docstring says how."""
    n_samples, n_classes = v.shape
    true, columns = y.argmax(axis=1), np.arange(n_samples)
    largest_w = 1.0 / rho

    # A sample a column from here on, everything relative to the largest v of the sample.
    highest = v.max(axis=1)
    rel = np.subtract(v.T, highest, order="C")
    rel_true = rel[true, columns]
    c = rel - np.log(rho)
    c[true, columns] += largest_w

    # 1/K <= the largest probability <= 1 bounds nu.
    low = np.maximum(rel_true, -largest_w)
    high = np.maximum(rel_true + largest_w, 0.0) - largest_w / n_classes + np.log(n_classes)
    nu = np.clip(_logsumexp(start.T - highest), low, high)

    w_final = np.empty_like(c)
    active = columns
    for iteration in range(_MAX_ITERATIONS):
        w = _wright_omega(c - nu)
        one_w = 1.0 + w
        slopes = w / one_w
        slope = slopes.sum(axis=0)
        one_w *= one_w
        curvature = np.divide(slopes, one_w, out=one_w).sum(axis=0)
        w_true = w[true, columns]
        w[true, columns] = slopes[true, columns] = 0.0
        f = w.sum(axis=0) - _true_class_gain(w_true, nu - rel_true, rho)

        low, high = np.where(f > 0.0, nu, low), np.where(f < 0.0, nu, high)
        newton = f / slope
        halley = newton / np.maximum(1.0 - 0.5 * newton * curvature / slope, 0.5)
        step = np.clip(nu + halley, low, high) - nu
        moving = np.abs(step) > 1e-8 + 4.0 * _EPS * (np.abs(nu) + largest_w)
        if iteration > 20 and iteration % 3 == 0:
            # With a kink of f for each of many classes it can be slow; halving never is.
            step[moving] = (0.5 * (low + high) - nu)[moving]
        nu = nu + step
        n_moving = np.count_nonzero(moving)
        if 2 * n_moving > len(active) and iteration < _MAX_ITERATIONS - 1:
            continue
        # Put by what is done. What the last step still changes in w is linear to rounding.
        slopes *= step
        w -= slopes
        w_final[:, active] = w
        if n_moving == 0:
            break
        active, c, true = active[moving], c[:, moving], true[moving]
        nu, low, high, rel_true = nu[moving], low[moving], high[moving], rel_true[moving]
        columns = columns[:n_moving]
    z = v - w_final.T
    z[np.arange(n_samples), y.argmax(axis=1)] += w_final.sum(axis=0)
    return z


def _logsumexp(z):
    """Return ``log sum_k exp(z_k)`` of every column."""
    highest = z.max(axis=0)
    return highest + np.log(np.exp(z - highest).sum(axis=0))


def _true_class_gain(w, t, rho):
    """Return the ``s >= 0`` with ``s - log(1 - rho s) = t``, given ``w``, nearly ``1/rho - s``.

    The difference ``1/rho - w`` alone loses the digits of a small ``s``: where ``rho s < 1/2``
    a Newton step on the equation, which holds them, brings them back.
    """
    s = 1.0 / rho - w
    small = rho * w > 0.5
    s_small = s[small]
    p = 1.0 - rho * s_small
    s_small -= (s_small - np.log1p(-rho * s_small) - t[small]) * (p / (p + rho))
    s[small] = s_small
    return s


@dataclass(frozen=True)
class LogisticLoss(Loss):
    r"""Logistic loss, :math:`R(z, y) = \sum_k \log(1 + e^{-m_k})` with :math:`m = (2y - 1) z`.

    Targets are 0 or 1. It is the loss of classifiers with two classes or several labels.
    """

    name = "logistic"
    bounded_gradient = True
    out_activation = "logistic"

    def value(self, z, y):
        z, y = _double(z, y)
        return np.logaddexp(0.0, (1.0 - 2.0 * y) * z).sum(axis=1)

    def gradient(self, z, y):
        z64, y = _double(z, y)
        sign = 2.0 * y - 1.0
        return (-sign * expit(-sign * z64)).astype(z.dtype, copy=False)

    def prox(self, v, y, rho, start=None):
        """Return the proximal map, entry by entry.

        In the margin ``m`` with ``m_v = (2 y - 1) v`` the minimizer solves
        ``rho (m - m_v) = sigmoid(-m)``. The right side is convex for ``m > 0`` and concave for
        ``m < 0``, so Newton's method is monotone toward the root from the inside of its half
        line: from the left where the root is positive, from the right where it is not.
        There ``exp(-|m|)/2 <= sigmoid(-|m|) <= exp(-|m|)``, and the equation with the lower bound
        put in for the sigmoid has a Wright omega solution: the start.
        """
        dtype = v.dtype
        v, y = _double(v, y)
        rho = float(rho)
        sign = 2.0 * y - 1.0
        m_v = sign * v
        positive = rho * m_v > -0.5
        shift = np.log(2.0 * rho)
        # m_v + 1/rho is where the root would be if the sigmoid were 1.
        end = np.where(positive, m_v, m_v + 1.0 / rho)
        w = _wright_omega(np.where(positive, -end, end) - shift)
        m = np.where(positive, np.maximum(end + w, 0.0), np.minimum(end - w, 0.0))
        for _ in range(_MAX_ITERATIONS):
            s = expit(-m)
            step = (s - rho * (m - m_v)) / (rho + s * expit(m))
            m += step
            # Past the step to a root within 1e-8 there is only rounding.
            if not np.any(np.abs(step) > 1e-8 + 4.0 * _EPS * (np.abs(m) + np.abs(m_v))):
                break
        return (sign * m).astype(dtype, copy=False)

    def inverse_link(self, z):
        return expit(z)

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        """``length * (y - sigmoid(z)) / rho``: the curvature is at most 1/4, far below rho."""
        np.subtract(y, expit(z), out=out)
        out *= length / (rho * loss_scale)
        return rho

    def curvature(self, z, y):
        p = expit(z.astype(float, copy=False))
        return p * (1.0 - p), None

    def information(self, y, share):
        return _mean_variance(y, share)

    def gradient_variance(self, y, share):
        """That of ``p - y``: the sum of p (1 - p)."""
        return y.shape[1] * _mean_variance(y, share)


@dataclass(frozen=True)
class SquaredError(Loss):
    r"""Squared error, :math:`R(z, y) = \frac12 \|z - y\|^2`."""

    name = "squared_error"

    def value(self, z, y):
        z, y = _double(z, y)
        with np.errstate(over="ignore"):
            return 0.5 * np.square(z - y).sum(axis=1)

    def gradient(self, z, y):
        return z - y

    def prox(self, v, y, rho, start=None):
        dtype, rho = v.dtype, float(rho)
        v, y = _double(v, y)
        return ((y + rho * v) / (1.0 + rho)).astype(dtype, copy=False)

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        """``length * (y - z) / (1 + rho)``, the proximal map."""
        rho = rho * loss_scale
        np.subtract(y, z, out=out)
        out *= length / (1.0 + rho)
        return rho + 1.0

    def gradient_variance(self, y, share):
        """That of the target."""
        return _variance(y, share)

    def scaled(self, mean, std, deviation):
        scale = _or_one(std)
        return _standardized(self, mean, scale, scale**2)


@dataclass(frozen=True)
class AbsoluteError(Loss):
    r"""Absolute error, :math:`R(z, y) = \sum_k |z_k - y_k|`; it predicts the median."""

    name = "absolute_error"
    bounded_gradient = True
    nonsmooth = True
    outlier_threshold = 0.0

    def value(self, z, y):
        z, y = _double(z, y)
        return np.abs(z - y).sum(axis=1)

    def gradient(self, z, y):
        return np.sign(z - y)

    def prox(self, v, y, rho, start=None):
        return _nearest(v, y, 1.0 / float(rho), 1.0 / float(rho))

    def scaled(self, mean, std, deviation):
        scale = _or_one(deviation)
        return _standardized(self, mean, scale, scale)


@dataclass(frozen=True)
class Quantile(Loss):
    r"""Pinball loss, which predicts a quantile.

    Parameters
    ----------
    quantile : float, default=0.5
        Quantile q to predict, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If ``quantile`` is out of range.

    Notes
    -----
    .. math:: R(z, y) = \sum_k q \max(y_k - z_k, 0) + (1 - q) \max(z_k - y_k, 0)
    """

    name = "quantile"
    bounded_gradient = True
    nonsmooth = True
    outlier_threshold = 0.0
    central = False
    quantile: float = 0.5

    def __post_init__(self):
        if not (isinstance(self.quantile, Real) and 0 < self.quantile < 1):
            raise ValueError(f"quantile must be a number between 0 and 1, got {self.quantile!r}.")

    def value(self, z, y):
        z, y = _double(z, y)
        q, residual = float(self.quantile), y - z
        return np.maximum(q * residual, (q - 1.0) * residual).sum(axis=1)

    def gradient(self, z, y):
        z64, y = _double(z, y)
        q = float(self.quantile)
        return np.where(z64 > y, 1.0 - q, np.where(z64 < y, -q, 0.0)).astype(z.dtype, copy=False)

    def prox(self, v, y, rho, start=None):
        q, rho = float(self.quantile), float(rho)
        return _nearest(v, y, (1.0 - q) / rho, q / rho)

    def scaled(self, mean, std, deviation):
        scale = _or_one(deviation)
        return _standardized(self, mean, scale, scale)


def _nearest(v, y, below, above):
    """Return the point of ``[v - below, v + above]`` that is nearest to ``y``."""
    dtype = v.dtype
    v, y = _double(v, y)
    return np.clip(y, v - below, v + above).astype(dtype, copy=False)


@dataclass(frozen=True)
class Huber(Loss):
    r"""Huber loss, quadratic near zero and linear in the tails.

    Parameters
    ----------
    delta : float, default=1.35
        Residual at which the loss becomes linear, in the unit of y, positive.

    Raises
    ------
    ValueError
        If ``delta`` is out of range.

    Notes
    -----
    With the residuals :math:`r = z - y` it is the sum over outputs of :math:`\frac12 r_k^2` if
    :math:`|r_k| \le \delta`, and of :math:`\delta (|r_k| - \frac{\delta}{2})` otherwise.
    """

    name = "huber"
    bounded_gradient = True
    delta: float = 1.35

    def __post_init__(self):
        if not (isinstance(self.delta, Real) and 0 < self.delta < np.inf):
            raise ValueError(f"delta must be a positive number, got {self.delta!r}.")

    @property
    def outlier_threshold(self):
        return self.delta

    def value(self, z, y):
        z, y = _double(z, y)
        size = np.abs(z - y)
        inner = np.minimum(size, float(self.delta))
        with np.errstate(over="ignore"):
            return (inner * (size - 0.5 * inner)).sum(axis=1)

    def gradient(self, z, y):
        z64, y = _double(z, y)
        delta = float(self.delta)
        return np.clip(z64 - y, -delta, delta).astype(z.dtype, copy=False)

    def prox(self, v, y, rho, start=None):
        dtype, rho, delta = v.dtype, float(rho), float(self.delta)
        v, y = _double(v, y)
        residual = y - v
        parabola = np.abs(residual) <= delta * (1.0 + rho) / rho
        z = np.where(parabola, (y + rho * v) / (1.0 + rho), v + np.copysign(delta / rho, residual))
        return z.astype(dtype, copy=False)

    def output_step(self, z, y, rho, length, out, loss_scale=1.0):
        return super().output_step(z, y, rho, length, out, loss_scale) + 1.0

    def curvature(self, z, y):
        """One in the parabola; on the lines a tenth, and less far out."""
        size = np.abs(z.astype(float, copy=False) - y)
        lines = np.minimum(0.1, self.delta / np.maximum(size, self.delta))
        return np.where(size <= self.delta, 1.0, lines), None

    def scaled(self, mean, std, deviation):
        scale = _or_one(std)
        loss = replace(self, delta=self.delta / scale)
        return _standardized(loss, mean, scale, scale**2, min(1.0, loss.delta))


@dataclass(frozen=True)
class Poisson(Loss):
    r"""Half the Poisson deviance with log link, for counts and other targets that are not negative.

    Notes
    -----
    The prediction is :math:`e^z`, and
    :math:`R(z, y) = \sum_k e^{z_k} - y_k z_k + y_k \log y_k - y_k`.
    """

    name = "poisson"
    out_activation = "exp"
    positive_target = True

    def value(self, z, y):
        z, y = _double(z, y)
        log_ratio = z - np.log(np.where(y > 0.0, y, 1.0))
        with np.errstate(over="ignore"):
            far = np.exp(z) - y - y * log_ratio
        near = y * (np.expm1(np.clip(log_ratio, -1.0, 1.0)) - log_ratio)
        terms = np.where((np.abs(log_ratio) < 1.0) & (y > 0.0), near, far)
        return np.maximum(terms, 0.0).sum(axis=1)

    def gradient(self, z, y):
        with np.errstate(over="ignore"):
            return np.exp(z) - y

    def prox(self, v, y, rho, start=None):
        """Return the proximal map, entry by entry.

        With ``w = exp(z) / rho`` and ``c = v + y / rho`` the minimizer solves ``z = c - w`` and
        ``z = log rho + log w``, so that ``w = omega(c - log rho)``. The first form of z is the
        accurate one for small w, the second for large w.
        """
        dtype, rho = v.dtype, float(rho)
        v, y = _double(v, y)
        c = v + y / rho
        w = _wright_omega(c - np.log(rho))
        z = np.where(w < 1.0, c - w, np.log(rho * np.maximum(w, 1.0)))
        return z.astype(dtype, copy=False)

    def inverse_link(self, z):
        with np.errstate(over="ignore"):
            return np.minimum(np.exp(z), np.finfo(z.dtype).max)

    def curvature(self, z, y):
        return np.exp(np.minimum(z.astype(float, copy=False), 30.0)), None

    def gradient_variance(self, y, share):
        """That of the target."""
        return _variance(y, share)

    def scaled(self, mean, std, deviation):
        factor = _or_one(float(mean.mean()))
        shift = np.full(mean.size, np.log(factor))
        return Scaling(self, shift, 1.0, factor, target_scale=factor)

    def scaled_targets(self, mean, std, deviation):
        """The means become their mean; in z that is a shift."""
        units = _relative(mean, np.mean)
        return Scaling(self, np.log(units), target_scale=units)

    def check_target(self, y):
        if np.any(np.asarray(y) < 0):
            raise ValueError("The Poisson loss needs targets y >= 0, got negative values.")


REGRESSION_LOSSES = {
    loss.name: loss for loss in (SquaredError, AbsoluteError, Huber, Quantile, Poisson)
}


def get_loss(loss, quantile=0.5):
    """Get a regression loss by its name.

    Parameters
    ----------
    loss : str or Loss
        A key of `REGRESSION_LOSSES`, or an instance, which is returned as it is.
    quantile : float, default=0.5
        Parameter of "quantile". Other losses ignore it.

    Returns
    -------
    loss : Loss
        The instance.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in REGRESSION_LOSSES:
        return Quantile(quantile) if loss == Quantile.name else REGRESSION_LOSSES[loss]()
    raise ValueError(
        f"Unknown loss {loss!r}: expected one of {', '.join(map(repr, REGRESSION_LOSSES))}, "
        f"or an instance of Loss.{did_you_mean(loss, REGRESSION_LOSSES, 'loss')}"
    )
