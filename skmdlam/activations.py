"""Activations: value, derivative, preimage of an interval, and the joint update of (z, a).

Every activation here is nondecreasing, so the preimage of an interval is an interval, and for a
given ``z`` the best ``a`` in ``[h(z) - eps, h(z) + eps]`` is a clip. The joint update ::

    argmin over (z, a) of  rho/2 (z - v)^2 + tau/2 (a - p)^2   subject to  |a - h(z)| <= eps

is therefore the scalar problem ::

    argmin over z of  g(z) = rho/2 (z - v)^2 + tau/2 max(0, |h(z) - p| - eps)^2

for each element, followed by ``a = clip(p, h(z) - eps, h(z) + eps)``. On a piece where ``h`` is
linear ``g`` is convex and solved in closed form. Where ``h`` is curved ``g`` can have two local
minima; both are found and compared (see ``_Smooth``).
"""

from numbers import Real

import numpy as np
from scipy.special import expit, logit

from ._parameters import Parameters
from ._renamed import renamed
from ._suggestions import did_you_mean

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "Activation",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "Logistic",
    "ReLU",
    "Sign",
    "Softplus",
    "Tanh",
    "get_activation",
    "get_activations",
]

_BLOCK = 16384  # elements worked on at a time, so that the temporaries stay in cache
_MAX_ITER = 200
_MAX_DOUBLINGS = 100
_ULP = np.finfo(np.float64).eps


class Activation(Parameters):
    r"""Base class of activations: elementwise nondecreasing functions :math:`h(z)`.

    A subclass has to define :meth:`function` and :meth:`derivative`, and `infimum` and `supremum`
    if h is bounded. All other methods have defaults.

    Attributes
    ----------
    name : str or None, default=None
        Name for `get_activation`.
    homogeneous : bool, default=False
        Whether :math:`h(c z) = c\,h(z)` for every positive c (positive homogeneity).
    largest_slope : float, default=1.0
        Largest derivative. If it is at most 1/4, solver "feasible" uses larger starting weights and
        longer steps.
    infimum, supremum : float, default=-inf, inf
        Bounds of h.
    piecewise_linear : bool, default=False
        Whether h is piecewise linear with a few pieces.
    exact_derivative : bool, default=True
        False if :meth:`derivative` is a surrogate, as of a step function.

    Notes
    -----
    Arrays are float32 or float64, and results have the dtype of the arguments. The defaults are
    numerical methods. A closed form of :meth:`inverse` or :meth:`joint` makes solver "relaxed"
    faster; solver "feasible" uses neither.
    """

    name = None
    homogeneous = False
    largest_slope = 1.0
    infimum = -np.inf
    supremum = np.inf
    piecewise_linear = False
    exact_derivative = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        renamed(cls, {"straight": "homogeneous"})

    def function(self, z):
        """Return the activations h(z).

        Parameters
        ----------
        z : ndarray
            Pre-activations.

        Returns
        -------
        a : ndarray
            Activations, in a new array.
        """
        raise NotImplementedError(_missing(self, "function(z), its value"))

    def derivative(self, z, a):
        """Return the derivative h'(z), a one-sided derivative at a kink.

        Parameters
        ----------
        z, a : ndarray
            Pre-activations and activations a = h(z).

        Returns
        -------
        slope : ndarray
            Derivatives, not negative.
        """
        raise NotImplementedError(
            _missing(self, "derivative(z, a), the slope h'(z) where a = h(z)")
        )

    def inverse(self, q):
        """Return the inverse function at q, by default by bisection.

        Parameters
        ----------
        q : ndarray
            Activations between `infimum` and `supremum`.

        Returns
        -------
        z : ndarray
            Pre-activations with h(z) = q; any of them if h is not strictly increasing.
        """
        q = np.asarray(q)
        with np.errstate(all="ignore"):
            lo, hi = -np.ones(q.shape), np.ones(q.shape)
            for end, beyond in ((lo, np.greater), (hi, np.less)):
                for _ in range(_MAX_DOUBLINGS):
                    short = beyond(self.function(end), q)
                    if not short.any():
                        break
                    end[short] *= 8.0
            for _ in range(_MAX_ITER):
                middle = 0.5 * (lo + hi)
                if not ((lo < middle) & (middle < hi)).any():
                    break
                below = self.function(middle) < q
                lo, hi = np.where(below, middle, lo), np.where(below, hi, middle)
        return hi.astype(q.dtype)

    def value(self, z, out=None):
        """Return the activations h(z).

        Parameters
        ----------
        z : ndarray
            Pre-activations.
        out : ndarray, optional
            Array that the result is written to; may be z itself.

        Returns
        -------
        a : ndarray
            Activations.
        """
        values = self.function(z)
        if out is None:
            return values
        out[...] = values
        return out

    def preimage(self, lower, upper):
        r"""Return the interval :math:`\{z : \text{lower} \le h(z) \le \text{upper}\}`, elementwise.

        Parameters
        ----------
        lower, upper : ndarray
            Ends of the interval, ``lower <= upper``. They may lie outside the range of h.

        Returns
        -------
        lo, hi : ndarray
            Ends of the preimage, possibly infinite; ``lo = inf, hi = -inf`` if it is empty.

        Notes
        -----
        The default uses :meth:`inverse`. It is right if h is strictly increasing between its bounds
        and does not attain them. Other activations have to define it.
        """
        inside = [np.clip(q, self.infimum, self.supremum) for q in (lower, upper)]
        with np.errstate(all="ignore"):
            lo, hi = (np.asarray(self.inverse(q), dtype=q.dtype) for q in inside)
        lo = np.where(lower <= self.infimum, np.asarray(-np.inf, dtype=lo.dtype), lo)
        hi = np.where(upper >= self.supremum, np.asarray(np.inf, dtype=hi.dtype), hi)
        return _mark_empty(lo, hi, (lower >= self.supremum) | (upper <= self.infimum))

    def joint(self, v, p, rho, tau, eps):
        r"""Minimize over z and a, element by element, the joint subproblem of a hidden layer.

        It is to minimize :math:`\frac{\rho}{2} (z - v)^2 + \frac{\tau}{2} (a - p)^2` subject to
        :math:`|a - h(z)| \le \varepsilon`.

        Parameters
        ----------
        v, p : ndarray
            Targets of z and a.
        rho, tau : float
            Weights of the two terms, positive.
        eps : float
            Tolerance, not negative.

        Returns
        -------
        z, a : ndarray
            A global minimizer of each element.
        """
        v, p = np.asarray(v), np.asarray(p)
        rho, tau, eps = float(rho), float(tau), float(eps)
        z, a = np.empty(v.size, dtype=v.dtype), np.empty(v.size, dtype=v.dtype)
        flat_v, flat_p = v.ravel(), p.ravel()
        with np.errstate(all="ignore"):
            for start in range(0, v.size, _BLOCK):
                part = slice(start, start + _BLOCK)
                z[part] = self._joint_z(flat_v[part], flat_p[part], rho, tau, eps)
                _nearest_a(self.value(z[part]), flat_p[part], eps, out=a[part])
        return z.reshape(v.shape), a.reshape(v.shape)

    def _joint_z(self, v, p, rho, tau, eps):
        """The z of `joint`, for one-dimensional arrays; here for an h that is not known.

        The minimizer lies between v and the point where moving away alone costs as much as staying.
        The best two of many points in between, dense at v, at ``h^-1(p -/+ eps)`` and at zero, are
        improved by bisection on the sign of the slope.
        """
        v, p = v.astype(np.float64), p.astype(np.float64)
        h = self.value(v)
        active = np.flatnonzero(np.abs(h - p) > eps)
        if active.size == 0:
            return v
        out = v
        v, p, h = v[active], p[active], h[active]
        down = h > p
        q = np.where(down, p + eps, p - eps)
        sign = np.where(down, -1.0, 1.0)
        reach = np.sqrt(tau / rho) * np.abs(h - q)
        inside = np.clip(q, self.infimum, self.supremum)
        goal = sign * (np.asarray(self.inverse(inside), dtype=np.float64) - v)
        reached = ((inside == q) & (goal < reach)) | ~np.isfinite(reach)
        far = np.maximum(np.where(reached, goal, reach), 0.0)
        far = v + sign * np.where(np.isfinite(far), far, 1e3 * (1.0 + np.abs(v)))

        def twice_cost(z):
            return _cost(z, v, self.value(z), p, rho, tau, eps)

        steps = np.concatenate([[0.0], np.geomspace(1e-10, 1.0, 30)])[:, None]
        span = far - v
        points = [v + steps * span, far - steps * span]
        points += [side * np.geomspace(1e-4, 40.0, 30)[:, None] + 0.0 * v for side in (-1.0, 1.0)]
        lo, hi = np.minimum(v, far), np.maximum(v, far)
        z = np.sort(np.clip(np.concatenate(points), lo, hi), axis=0)
        cost = twice_cost(z)
        # The costs of the neighbors; ends count as higher outside.
        edge = np.full((1, v.size), np.inf)
        before, after = np.vstack([edge, cost[:-1]]), np.vstack([cost[1:], edge])
        lowest = np.where((cost <= before) & (cost <= after), cost, np.inf)
        columns = np.arange(v.size)
        at = cost.argmin(axis=0)
        best, best_cost = z[at, columns], cost[at, columns]
        for _ in range(2):
            at = lowest.argmin(axis=0)
            lowest[at, columns] = np.inf
            lo, hi = z[np.maximum(at - 1, 0), columns], z[np.minimum(at + 1, len(z) - 1), columns]
            for _ in range(_MAX_ITER):
                middle = 0.5 * (lo + hi)
                if not ((lo < middle) & (middle < hi)).any():
                    break
                a = self.value(middle)
                slope = rho * (middle - v) + tau * (a - q) * self.derivative(middle, a)
                lo, hi = np.where(slope < 0, middle, lo), np.where(slope < 0, hi, middle)
            for end in (lo, hi):
                cost = twice_cost(end)
                better = cost < best_cost
                best, best_cost = np.where(better, end, best), np.where(better, cost, best_cost)
        out[active] = best
        return out

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), repr(self)))

    def __repr__(self):
        arguments = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"


def _missing(instance, method):
    return f"{type(instance).__name__} has to define {method}."


def _nearest_a(h, p, eps, out):
    """The point of ``[h - eps, h + eps]`` nearest to p; h is overwritten."""
    np.subtract(h, eps, out=out)
    np.maximum(out, p, out=out)
    h += eps
    np.minimum(out, h, out=out)


def _outside(r, eps):
    """``r`` shrunk toward zero by eps: its distance, with sign, from ``[-eps, eps]``."""
    return r - np.clip(r, -eps, eps)


def _mark_empty(lo, hi, empty):
    np.maximum(hi, lo, out=hi)  # rounding must not reverse a one-point interval
    lo[empty] = np.inf
    hi[empty] = -np.inf
    return lo, hi


# ---------------------------------------------------------------------------------------------
# Piecewise linear
# ---------------------------------------------------------------------------------------------


class _PiecewiseLinear(Activation):
    """``h(z) = slope * z + intercept`` on each of the pieces.

    On one piece, with the line extended, ``g`` is convex with the minimizer
    ``v + tau s m / (rho + tau s^2)``, where ``m`` is the signed distance of ``p - (s v + c)`` from
    ``[-eps, eps]``; clip it to the piece, and keep the cheapest piece.
    """

    piecewise_linear = True

    def _pieces(self):
        """List of (slope, intercept, start, end)."""
        raise NotImplementedError

    def _joint_z(self, v, p, rho, tau, eps):
        v, p = v.astype(np.float64, copy=False), p.astype(np.float64, copy=False)
        best = best_cost = None
        for slope, intercept, start, end in self._pieces():
            if slope == 0.0:
                z = np.clip(v, start, end)
            else:
                z = v + tau * slope / (rho + tau * slope**2) * _outside(
                    p - (slope * v + intercept), eps
                )
                np.clip(z, start, end, out=z)
            cost = _cost(z, v, slope * z + intercept, p, rho, tau, eps)
            if best is None:
                best, best_cost = z, cost
            else:
                better = cost < best_cost
                np.copyto(best, z, where=better)
                np.copyto(best_cost, cost, where=better)
        return best


def _cost(z, v, h, p, rho, tau, eps):
    """Twice ``g(z)``."""
    cost = np.square(z - v)
    cost *= rho
    far = np.abs(h - p)
    far -= eps
    np.maximum(far, 0.0, out=far)
    np.square(far, out=far)
    far *= tau
    cost += far
    return cost


class Identity(_PiecewiseLinear):
    """Identity, :math:`h(z) = z`."""

    name = "identity"
    homogeneous = True

    def value(self, z, out=None):
        return np.positive(z, out=out)

    def derivative(self, z, a):
        return np.ones_like(a)

    def preimage(self, lower, upper):
        return np.array(lower), np.array(upper)

    def _joint_z(self, v, p, rho, tau, eps):
        return v + tau / (rho + tau) * _outside(p - v, eps)


class ReLU(_PiecewiseLinear):
    r"""Rectified linear unit, :math:`h(z) = \max(z, 0)`."""

    name = "relu"
    homogeneous = True
    infimum = 0.0

    def value(self, z, out=None):
        return np.clip(z, 0.0, np.inf, out=out)  # twice as fast as np.maximum with a scalar

    def derivative(self, z, a):
        return (a > 0).astype(a.dtype)

    def preimage(self, lower, upper):
        lo = np.where(lower > 0, lower, np.asarray(-np.inf, dtype=lower.dtype))
        return _mark_empty(lo, np.array(upper), upper < 0)

    def _joint_z(self, v, p, rho, tau, eps):
        """Both branches at once.

        On ``z >= 0`` the minimizer is ``z1 = max(0, v + k m)`` with ``k = tau / (rho + tau)`` and
        ``m`` the signed distance of ``p - v`` from ``[-eps, eps]``; its cost where ``z1 > 0`` is
        ``tau (1 - k) m^2 / 2``. On ``z <= 0`` it is ``min(v, 0)``. For ``v > 0`` the second point
        is 0, which the first branch contains. For ``v <= 0`` the second costs
        ``tau/2 max(0, |p| - eps)^2``, so the first wins exactly when, with ``c = sqrt(1 - k)``,
        ``c (p - eps - v) < p - eps``, that is ``p + c / (1 - c) v > eps``.
        """
        k = tau / (rho + tau)
        c = (rho / (rho + tau)) ** 0.5
        odds = c * (1.0 + c) / k  # c / (1 - c), without the cancellation
        z = p - v
        z -= np.clip(z, -eps, eps)
        z *= k
        z += v
        np.maximum(z, 0.0, out=z)
        stay = odds * v
        stay += p
        stay = stay <= eps
        stay &= v <= 0
        np.copyto(z, v, where=stay)
        return z


class LeakyReLU(_PiecewiseLinear):
    r"""Leaky rectified linear unit, :math:`h(z) = \max(z, 0) + c \min(z, 0)`.

    Parameters
    ----------
    negative_slope : float, default=0.01
        Slope c for negative z, positive.

    Raises
    ------
    ValueError
        If ``negative_slope`` is not positive and finite.
    """

    name = "leaky_relu"
    homogeneous = True

    def __init__(self, negative_slope=0.01):
        if not (isinstance(negative_slope, Real) and 0.0 < negative_slope < np.inf):
            raise ValueError(f"negative_slope must be positive and finite; got {negative_slope!r}.")
        self.negative_slope = float(negative_slope)

    def value(self, z, out=None):
        negative = np.minimum(z, 0.0)
        negative *= self.negative_slope
        out = np.maximum(z, 0.0, out=out)
        out += negative
        return out

    def derivative(self, z, a):
        one = np.asarray(1.0, dtype=a.dtype)
        return np.where(z > 0, one, np.asarray(self.negative_slope, dtype=a.dtype))

    def _inverse(self, q):
        with np.errstate(over="ignore"):
            return np.where(q >= 0, q, q / self.negative_slope)

    def preimage(self, lower, upper):
        return self._inverse(lower), self._inverse(upper)

    def _pieces(self):
        return [(1.0, 0.0, 0.0, np.inf), (self.negative_slope, 0.0, -np.inf, 0.0)]


class HardTanh(_PiecewiseLinear):
    r"""Hard tanh, :math:`h(z) = \min(1, \max(-1, z))`."""

    name = "hard_tanh"
    infimum, supremum = -1.0, 1.0

    def value(self, z, out=None):
        return np.clip(z, -1.0, 1.0, out=out)

    def derivative(self, z, a):
        return (np.abs(a) < 1).astype(a.dtype)

    def preimage(self, lower, upper):
        infinity = np.asarray(np.inf, dtype=lower.dtype)
        lo = np.where(lower <= -1, -infinity, lower)
        hi = np.where(upper >= 1, infinity, upper)
        return _mark_empty(lo, hi, (lower > 1) | (upper < -1))

    def _pieces(self):
        return [(1.0, 0.0, -1.0, 1.0), (0.0, -1.0, -np.inf, -1.0), (0.0, 1.0, 1.0, np.inf)]


class Sign(Activation):
    r"""Step function, 1 for :math:`z \ge 0` and -1 otherwise.

    Parameters
    ----------
    width : float, default=1.0
        Half the width of the interval around zero in which the surrogate derivative is not zero,
        positive.

    Raises
    ------
    ValueError
        If ``width`` is not positive and finite.

    Notes
    -----
    The derivative is zero almost everywhere. :meth:`derivative` returns a straight-through
    estimate, the derivative of a linear piece from ``-width`` to ``width``. The joint update and
    the preimage are exact.
    """

    name = "sign"
    infimum, supremum = -1.0, 1.0
    exact_derivative = False

    def __init__(self, width=1.0):
        if not (isinstance(width, Real) and 0.0 < width < np.inf):
            raise ValueError(f"width must be positive and finite; got {width!r}.")
        self.width = float(width)

    def function(self, z):
        return np.where(z >= 0.0, np.asarray(1.0, dtype=z.dtype), np.asarray(-1.0, dtype=z.dtype))

    def value(self, z, out=None):
        if out is None:
            return self.function(z)
        np.greater_equal(z, 0.0, out=out)
        out *= 2.0
        out -= 1.0
        return out

    def derivative(self, z, a):
        return (np.abs(z) < self.width).astype(a.dtype)

    def preimage(self, lower, upper):
        dtype = lower.dtype
        below, above = (lower <= -1.0) & (upper >= -1.0), (lower <= 1.0) & (upper >= 1.0)
        lo = np.where(below, -np.inf, np.where(above, 0.0, np.inf)).astype(dtype)
        hi = np.where(above, np.inf, np.where(below, -np.finfo(dtype).tiny, -np.inf))
        return lo, hi.astype(dtype)

    def _joint_z(self, v, p, rho, tau, eps):
        """The nearest point to v on each side of zero; keep the cheaper one."""
        up, down = np.maximum(v, 0.0), np.minimum(v, -np.finfo(v.dtype).tiny)
        v, p = v.astype(np.float64), p.astype(np.float64)
        costs = (_cost(z, v, h, p, rho, tau, eps) for z, h in ((up, 1.0), (down, -1.0)))
        cost_up, cost_down = costs
        return np.where((cost_up < cost_down) | ((cost_up == cost_down) & (v >= 0)), up, down)


# ---------------------------------------------------------------------------------------------
# Smooth
# ---------------------------------------------------------------------------------------------


def _root(f, lo, hi, z, v, *args):
    """Elementwise root of ``f``, which changes sign once, from negative to positive, on [lo, hi].

    Newton's method from z, with a bisection step wherever Newton leaves the bracket or fails to
    halve the step before last. ``f(z, v, *args)`` returns the value and its slope. A step counts
    as converged when it is small beside ``min(1, |z - v|)``, the scale on which ``f`` varies: the
    error left by a Newton step is its square. Elements that have converged are dropped.
    """
    out = z.copy()
    where = np.arange(z.size)
    alive = np.ones(z.size, dtype=bool)
    last = before = np.full(z.size, np.inf)
    for _ in range(_MAX_ITER):
        value, slope = f(z, v, *args)
        below = value < 0
        lo = np.where(below, z, lo)
        hi = np.where(below, hi, z)
        step = value / slope
        new = z - step
        newton = new >= lo
        newton &= new <= hi
        newton &= np.abs(step) <= 0.5 * before
        new = np.where(newton, new, 0.5 * (lo + hi))
        move = np.abs(new - z)
        tolerance = 1e-8 * np.minimum(np.abs(z - v), 1.0)
        tolerance *= newton
        tolerance += (4 * _ULP) * np.abs(z)
        finished = move <= tolerance
        finished &= alive
        out[where[finished]] = new[finished]
        alive &= ~finished
        left = np.count_nonzero(alive)
        if left == 0:
            return out
        z, before, last = new, last, move
        if left < 0.75 * z.size:
            keep = np.flatnonzero(alive)
            where, alive = where[keep], np.ones(left, dtype=bool)
            lo, hi, z, v, before, last = (x[keep] for x in (lo, hi, z, v, before, last))
            args = tuple(x[keep] for x in args)
    out[where[alive]] = z[alive]
    return out


class _Smooth(Activation):
    """A curved activation: the joint update by safeguarded root finding.

    Let ``q`` be the end of ``[p - eps, p + eps]`` nearer to ``h(v)``. If ``h(v)`` lies outside,
    the minimizer lies between ``v`` and ``h^-1(q)``, where it solves

        F(z) = rho (z - v) + tau psi(z) = 0,   psi = (h - q) h',

    and F is negative at the left end, positive at the right end. ``F' = rho + tau psi'`` can be
    negative in one interval only, the dip, which contains the inflection ``zc`` of ``psi`` (the
    root of ``3 h' h'' + (h - q) h'''``) at which ``F'`` is smallest. Where ``F'(zc) >= 0`` the
    root is unique. Otherwise there may be a root on each side of the dip: one on the side where
    ``F(zc)`` and the end differ in sign, and one on the other side if ``F``, at the turning point
    where ``F' = 0``, has crossed zero. All of them are compared.
    """

    def _curve(self, z):
        """``h, h', h''`` at z, each with small relative error where h saturates."""
        raise NotImplementedError

    def _third(self, h, h1, h2):
        """``h'''`` from the lower derivatives."""
        raise NotImplementedError

    def _inverse(self, q):
        """``h^-1(q)``, infinite outside the range of h."""
        raise NotImplementedError

    def _may_dip(self, distance, q, down, rho, tau):
        """False where ``F' > 0`` throughout, cheaply: distance is ``|h(v) - q|``."""
        raise NotImplementedError

    def _inflection(self, q, down):
        """``zc`` for a walk down (h(v) > q) or up; any point inside the dip would serve."""
        raise NotImplementedError

    def _far_end(self, v, q, distance, h1, down, ratio):
        """A finite end of the walk from v at which F has the sign that it has at ``h^-1(q)``."""
        raise NotImplementedError

    def preimage(self, lower, upper):
        with np.errstate(all="ignore"):
            lo, hi = self._inverse(lower), self._inverse(upper)
            return _mark_empty(lo, hi, (lower >= self.supremum) | (upper <= self.infimum))

    def _joint_z(self, v, p, rho, tau, eps):
        v = v.astype(np.float64)
        p = p.astype(np.float64, copy=False)
        h, h1, _ = self._curve(v)
        active = np.flatnonzero(np.abs(h - p) > eps)
        if active.size == 0:
            return v
        out = v
        v, p, h, h1 = v[active], p[active], h[active], h1[active]
        down = h > p
        q = np.where(down, p + eps, p - eps)
        distance = np.abs(h - q)
        far = self._far_end(v, q, distance, h1, down, tau / rho)
        lo, hi = np.where(down, far, v), np.where(down, v, far)
        start = v - tau * (h - q) * h1 / (rho + tau * h1 * h1)
        start = np.clip(start, lo, hi)
        dip = self._may_dip(distance, q, down, rho, tau)
        z, cost = self._walk(v, q, down, lo, hi, start, dip, np.ones_like(down), rho, tau)
        stay = ~(cost < tau * distance * distance)
        np.copyto(z, v, where=stay)
        out[active] = z
        return out

    def _walk(self, v, q, down, lo, hi, start, dip, crosses, rho, tau):
        """Cheapest root of F in [lo, hi], and twice its cost ``g``; v where there is none.

        ``dip`` marks the elements that may have a dip, ``crosses`` those where F has opposite
        signs at the ends.
        """

        def stationarity(z, v, q):
            h, h1, h2 = self._curve(z)
            h -= q
            h2 *= h
            h *= h1
            h *= tau
            h += rho * (z - v)
            h1 *= h1
            h2 += h1
            h2 *= tau
            h2 += rho
            return h, h2

        def curvature(z, v, q, side):
            h, h1, h2 = self._curve(z)
            d = h - q
            return (
                side * (rho + tau * (h1 * h1 + d * h2)),
                side * tau * (3.0 * h1 * h2 + d * self._third(h, h1, h2)),
            )

        def twice_cost(z, v, q):
            d = self._curve(z)[0] - q
            return rho * np.square(z - v) + tau * np.square(d)

        best = v.copy()
        bent = np.flatnonzero(dip)
        if bent.size:
            middle = np.clip(self._inflection(q[bent], down[bent]), lo[bent], hi[bent])
            at_middle, slope = stationarity(middle, v[bent], q[bent])
            keep = slope < 0
            bent, middle, at_middle = bent[keep], middle[keep], at_middle[keep]
            crosses = crosses.copy()
            plain = crosses.copy()
            plain[bent] = False
        else:
            plain = crosses
        plain = np.flatnonzero(plain)
        if plain.size == v.size:
            best = _root(stationarity, lo, hi, start, v, q)
        elif plain.size:
            best[plain] = _root(
                stationarity, lo[plain], hi[plain], start[plain], v[plain], q[plain]
            )
        best_cost = twice_cost(best, v, q)
        if bent.size == 0:
            return best, best_cost

        def offer(at, z):
            cost = twice_cost(z, v[at], q[at])
            better = cost < best_cost[at]
            best[at[better]] = z[better]
            best_cost[at[better]] = cost[better]

        left = at_middle >= 0  # the sign at zc promises a root on the left, else on the right
        # the promised root
        promised = left | crosses[bent]
        i, m, is_left = bent[promised], middle[promised], left[promised]
        a, b = np.where(is_left, lo[i], m), np.where(is_left, m, hi[i])
        offer(i, _root(stationarity, a, b, np.clip(start[i], a, b), v[i], q[i]))
        # the possible root on the other side, beyond the turning point
        possible = ~left | crosses[bent]
        i, m, side = bent[possible], middle[possible], np.where(left[possible], 1.0, -1.0)
        end = np.where(side > 0, hi[i], lo[i])
        keep = curvature(end, v[i], q[i], 1.0)[0] > 0
        i, m, side, end = i[keep], m[keep], side[keep], end[keep]
        if i.size == 0:
            return best, best_cost
        a, b = np.minimum(m, end), np.maximum(m, end)
        turn = _root(curvature, a, b, 0.5 * (a + b), v[i], q[i], side)
        keep = side * stationarity(turn, v[i], q[i])[0] < 0
        i, turn, end = i[keep], turn[keep], end[keep]
        a, b = np.minimum(turn, end), np.maximum(turn, end)
        offer(i, _root(stationarity, a, b, np.clip(start[i], a, b), v[i], q[i]))
        return best, best_cost


class _Sigmoid(_Smooth):
    """Tanh and its affine image: ``h'`` is even, falls with ``|z|``, ``h' <= K exp(-beta |z|)``."""

    _tail = None  # K, beta
    _steepest = None  # h'(0)
    _most_bent = None  # max |h''|

    def _may_dip(self, distance, q, down, rho, tau):
        return distance > rho / (tau * self._most_bent)

    def _far_end(self, v, q, distance, h1, down, ratio):
        # Walking up (sign = 1; down is its mirror image), beyond z
        #     tau psi <= tau |h(v) - q| h',   h' <= h'(v) if v > 0, h'(0), K exp(-beta z),
        # so F >= 0 once z - v is as large as the bound on tau psi / rho.
        sign = np.where(down, -1.0, 1.0)
        k, beta = self._tail
        reach = ratio * distance
        tail = np.maximum(sign * v + 1.0, np.log(k * reach) / beta)
        reach *= np.where(sign * v > 0, h1, self._steepest)
        far = np.minimum(sign * v + reach, tail)
        return sign * np.minimum(far, sign * self._inverse(q))


def _tanh_inflection(q, down):
    """Largest root t of ``6 t^3 - 3 q t^2 - 4 t + q`` (convex beyond it: Newton from 1), q < 1."""
    sign = np.where(down, 1.0, -1.0)
    q = sign * q
    t = np.ones_like(q)
    for _ in range(6):
        t -= (((6.0 * t - 3.0 * q) * t - 4.0) * t + q) / ((18.0 * t - 6.0 * q) * t - 4.0)
    return sign * np.arctanh(np.clip(t, 0.0, 1.0 - _ULP))


class Tanh(_Sigmoid):
    r"""Hyperbolic tangent, :math:`h(z) = \tanh(z)`."""

    name = "tanh"
    infimum, supremum = -1.0, 1.0
    _tail = 4.0, 2.0
    _steepest = 1.0
    _most_bent = 0.77

    def value(self, z, out=None):
        return np.tanh(z, out=out)

    def derivative(self, z, a):
        return 1.0 - a * a

    def _curve(self, z):
        h = np.tanh(z)
        h1 = np.abs(z)
        h1 *= -2.0
        np.exp(h1, out=h1)
        h1 *= np.square(1.0 + np.abs(h))
        h2 = h * h1
        h2 *= -2.0
        return h, h1, h2

    def _third(self, h, h1, h2):
        return h1 * (4.0 * h * h - 2.0 * h1)

    def _inverse(self, q):
        return np.arctanh(np.clip(q, -1.0, 1.0))

    def _inflection(self, q, down):
        return _tanh_inflection(q, down)


class Logistic(_Sigmoid):
    r"""Logistic function, :math:`h(z) = 1 / (1 + e^{-z})`."""

    name = "logistic"
    largest_slope = 0.25
    infimum, supremum = 0.0, 1.0
    _tail = 1.0, 1.0
    _steepest = 0.25
    _most_bent = 0.0963

    def value(self, z, out=None):
        return expit(z, out=out)

    def derivative(self, z, a):
        return a * (1.0 - a)

    def _curve(self, z):
        e = np.exp(-np.abs(z))
        r = 1.0 / (1.0 + e)
        h1 = e * r
        h = np.where(z >= 0, r, h1)
        h1 *= r
        e -= 1.0
        e *= r
        e *= h1
        return h, h1, np.copysign(e, -z)

    def _third(self, h, h1, h2):
        return h1 * (1.0 - 6.0 * h1)

    def _inverse(self, q):
        return logit(np.clip(q, 0.0, 1.0))

    def _inflection(self, q, down):
        return 2.0 * _tanh_inflection(2.0 * q - 1.0, down)


class Softplus(_Smooth):
    r"""Softplus, :math:`h(z) = \log(1 + e^z)`."""

    name = "softplus"
    infimum = 0.0

    def value(self, z, out=None):
        with np.errstate(under="ignore"):
            rest = np.abs(z)
            np.negative(rest, out=rest)
            np.exp(rest, out=rest)
            np.log1p(rest, out=rest)
        out = np.maximum(z, 0.0, out=out)
        out += rest
        return out

    def derivative(self, z, a):
        return -np.expm1(-a)

    def _curve(self, z):
        e = np.exp(-np.abs(z))
        r = 1.0 / (1.0 + e)
        h2 = e * r
        h1 = np.where(z >= 0, r, h2)
        h2 *= r
        np.log1p(e, out=e)
        e += np.maximum(z, 0.0)
        return e, h1, h2

    def _third(self, h, h1, h2):
        return h2 * (1.0 - 2.0 * h1)

    def _inverse(self, q):
        return q + np.log(-np.expm1(-np.maximum(q, 0.0)))

    def _may_dip(self, distance, q, down, rho, tau):
        # walking down psi' = h'^2 + (h - q) h'' > 0
        return ~down & (distance > 4.0 * rho / tau)

    def _inflection(self, q, down):
        # with s = h': 3 s = (q - h)(1 - 2 s) and h = -log(1 - s); increasing and concave in s
        s = q / (4.0 + 2.0 * q)
        for _ in range(5):
            rest = q + np.log1p(-s)
            value = 3.0 * s - rest * (1.0 - 2.0 * s)
            s = s - value / (3.0 + (1.0 - 2.0 * s) / (1.0 - s) + 2.0 * rest)
            s = np.clip(s, 0.0, 0.5)
        return logit(s)

    def _far_end(self, v, q, distance, h1, down, ratio):
        # as for the sigmoids; h' <= 1 walking up, h' <= min(h'(v), exp(z)) walking down
        reach = ratio * distance
        below = np.maximum(v - reach * h1, np.minimum(v - 1.0, -np.log(reach)))
        far = np.where(down, below, v + reach)
        inverse = self._inverse(q)
        return np.where(down, np.maximum(far, inverse), np.minimum(far, inverse))


class ELU(_Smooth):
    r"""Exponential linear unit, :math:`z` for :math:`z \ge 0`, else :math:`\alpha (e^z - 1)`.

    Parameters
    ----------
    alpha : float, default=1.0
        Scale of the negative part, positive.

    Raises
    ------
    ValueError
        If ``alpha`` is not positive and finite.
    """

    name = "elu"

    def __init__(self, alpha=1.0):
        if not (isinstance(alpha, Real) and 0.0 < alpha < np.inf):
            raise ValueError(f"alpha must be positive and finite; got {alpha!r}.")
        self.alpha = float(alpha)

    @property
    def infimum(self):
        return -self.alpha

    def value(self, z, out=None):
        with np.errstate(under="ignore"):
            negative = np.minimum(z, 0.0)
            np.expm1(negative, out=negative)
            negative *= self.alpha
        out = np.maximum(z, 0.0, out=out)
        out += negative
        return out

    def derivative(self, z, a):
        return np.where(z > 0, np.asarray(1.0, dtype=a.dtype), a + self.alpha)

    def _curve(self, z):
        """Of the negative piece only."""
        h1 = np.exp(z)
        h1 *= self.alpha
        h = np.expm1(z)
        h *= self.alpha
        return h, h1, h1.copy()

    def _third(self, h, h1, h2):
        return h1

    def _inverse(self, q):
        lower = np.log1p(np.maximum(np.minimum(q, 0.0) / self.alpha, -1.0))
        lower += np.maximum(q, 0.0)
        return lower

    def _may_dip(self, distance, q, down, rho, tau):
        # psi' = 2 t^2 - k t with t = h', k = q + alpha: at least -k^2/8, positive walking down
        return ~down & (np.square(q + self.alpha) > 8.0 * rho / tau)

    def _inflection(self, q, down):
        return np.log((q + self.alpha) / (4.0 * self.alpha))

    def _joint_z(self, v, p, rho, tau, eps):
        """The linear piece in closed form, the exponential piece by root finding."""
        v = v.astype(np.float64, copy=False)
        p = p.astype(np.float64, copy=False)
        c = self.alpha
        z = v + tau / (rho + tau) * _outside(p - v, eps)
        np.maximum(z, 0.0, out=z)
        cost = _cost(z, v, z, p, rho, tau, eps)
        # the exponential piece: from its point nearest to v, where h = h0
        v0 = np.minimum(v, 0.0)
        h0 = c * np.expm1(v0)
        stay = _cost(v0, v, h0, p, rho, tau, eps)
        better = stay < cost
        np.copyto(z, v0, where=better)
        np.copyto(cost, stay, where=better)
        down = h0 - p > eps
        # walking up from v < 0; from v > 0 that is the linear piece alone
        active = np.flatnonzero(down | ((p - h0 > eps) & (v < 0)))
        if active.size == 0:
            return z
        v, p, v0, h0, down = v[active], p[active], v0[active], h0[active], down[active]
        q = np.where(down, p + eps, p - eps)
        h1 = c * np.exp(v0)
        force = tau * (h0 - q) * h1
        # F at 0, where the piece ends: it may have no root between v0 and there
        at_zero = -rho * v - tau * q * c
        inverse = self._inverse(q)
        reach = tau / rho * (h0 - q)
        below = np.maximum(v0 - reach * h1, np.minimum(v0 - 1.0, -np.log(c * reach)))
        lo = np.where(down, np.maximum(inverse, below), v0)
        hi = np.where(down, v0, np.minimum(inverse, 0.0))
        crosses = np.where(down, rho * (v0 - v) + force > 0, (inverse <= 0) | (at_zero > 0))
        start = np.clip(v0 - (rho * (v0 - v) + force) / (rho + tau * h1 * h1), lo, hi)
        dip = self._may_dip(None, q, down, rho, tau)
        walked, walked_cost = self._walk(v, q, down, lo, hi, start, dip, crosses, rho, tau)
        better = (walked_cost < cost[active]) & (walked <= 0)
        z[active[better]] = walked[better]
        return z


ACTIVATIONS = {
    cls.name: cls
    for cls in (Identity, ReLU, LeakyReLU, ELU, Softplus, Tanh, Logistic, HardTanh, Sign)
}


def get_activation(activation):
    """Get an activation by its name.

    Parameters
    ----------
    activation : str or Activation
        A key of `ACTIVATIONS`, or an instance, which is returned as it is.

    Returns
    -------
    activation : Activation
        The instance.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]()
    known = ", ".join(repr(name) for name in ACTIVATIONS)
    raise ValueError(
        f"Unknown activation {activation!r}: expected an Activation instance or one of {known}."
        f"{did_you_mean(activation, ACTIVATIONS, 'activation')}"
    )


def get_activations(activation, n_layers):
    """Get the activation of every hidden layer.

    Parameters
    ----------
    activation : str, Activation, or list or tuple of them
        One for all layers, or a list with one for each.
    n_layers : int
        Number of hidden layers.

    Returns
    -------
    activations : list of Activation
        One for each hidden layer.

    Raises
    ------
    ValueError
        If a name is unknown, or a list does not have ``n_layers`` entries.
    """
    if not isinstance(activation, list | tuple):
        return [get_activation(activation)] * n_layers
    if len(activation) != n_layers:
        raise ValueError(
            f"activation must have one entry for each hidden layer: got {len(activation)}, "
            f"{activation!r}, for {n_layers} hidden layers."
        )
    found = []
    for index, entry in enumerate(activation):
        try:
            found.append(get_activation(entry))
        except ValueError as error:
            raise ValueError(f"activation[{index}]: {error}") from None
    return found
