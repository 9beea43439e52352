"""Checks of activations, losses and penalties, custom ones included, against brute force.

Each takes an instance and returns None, or raises an AssertionError that says what is wrong.
"""

import copy
import pickle

import numpy as np

from .activations import Activation
from .losses import Loss
from .penalties import Penalty

__all__ = ["check_activation", "check_loss", "check_penalty"]

_DTYPES = (np.float32, np.float64)
_EPS = np.finfo(np.float64).eps


def check_activation(activation, *, seed=0):
    """Check values, derivatives, preimages and the joint update of an activation.

    Parameters
    ----------
    activation : Activation
        Instance to check.
    seed : int, default=0
        Seed of the random test points.

    Raises
    ------
    AssertionError
        If it violates the interface of :class:`~skmdlam.activations.Activation`; the message says
        what is wrong.

    Examples
    --------
    >>> from skmdlam.activations import LeakyReLU
    >>> from skmdlam.testing import check_activation
    >>> check_activation(LeakyReLU(0.2))
    """
    name = repr(activation)
    _that(isinstance(activation, Activation), f"{name} is not an Activation")
    _check_copies(activation)
    rng = np.random.default_rng(seed)
    _check_values(activation, name, rng)
    _check_slopes(activation, name)
    _check_preimages(activation, name, rng)
    for dtype in _DTYPES:
        for rho, tau in [(1.0, 5.0), (1e-4, 1e4), (1e4, 1e-4), (1.0, 1e4)]:
            for eps in (0.0, 1e-3, 1.0):
                for scale in (1.0, 4.0, 30.0):
                    v, p = scale * rng.standard_normal((2, 6, 5))
                    v, p = v.astype(dtype), (p / max(1.0, scale / 4)).astype(dtype)
                    check_joint(activation, v, p, rho, tau, eps, rng, count=80)


def check_loss(loss, *, draw_target=None, seed=0):
    """Check the gradient, convexity and proximal map of a loss.

    Parameters
    ----------
    loss : Loss
        Instance to check.
    draw_target : callable, default=None
        ``draw_target(rng, shape)`` returns valid targets. None draws standard normal ones.
    seed : int, default=0
        Seed of the random test points.

    Raises
    ------
    AssertionError
        If it violates the interface of :class:`~skmdlam.losses.Loss`; the message says what is
        wrong.

    Examples
    --------
    >>> from skmdlam.losses import Huber, Poisson
    >>> from skmdlam.testing import check_loss
    >>> check_loss(Huber(delta=0.5))
    >>> check_loss(Poisson(), draw_target=lambda rng, shape: rng.poisson(2.0, shape) * 1.0)
    """
    name = repr(loss)
    _that(isinstance(loss, Loss), f"{name} is not a Loss")
    _check_copies(loss)
    rng = np.random.default_rng(seed)
    if draw_target is None:

        def draw_target(rng, shape):
            return rng.standard_normal(shape)

    y = np.asarray(draw_target(rng, (40, 3)), dtype=float)
    z = 2.0 * rng.standard_normal(y.shape)
    loss.check_target(y)
    for dtype in _DTYPES:
        z_, y_ = z.astype(dtype), y.astype(dtype)
        value, gradient, link = loss.value(z_, y_), loss.gradient(z_, y_), loss.inverse_link(z_)
        _that(
            np.shape(value) == (40,) and value.dtype == np.float64,
            f"{name}.value(z, y) must be a double for each sample, shape (40,) here; got "
            f"{np.asarray(value).dtype} of shape {np.shape(value)}",
        )
        for method, result in (("gradient(z, y)", gradient), ("inverse_link(z)", link)):
            _that(
                np.shape(result) == z.shape and result.dtype == dtype,
                f"{name}.{method} must have the shape and dtype of z, {z.shape} and "
                f"{np.dtype(dtype)}; got {np.shape(result)} and {np.asarray(result).dtype}",
            )
        for result, method in ((value, "value"), (gradient, "gradient"), (link, "inverse_link")):
            bad = ~np.isfinite(result).reshape(len(z), -1).all(axis=1)
            at = f" at z = {_text(z_[bad][0])}, y = {_text(y_[bad][0])}" if bad.any() else ""
            _that(not bad.any(), f"{name}.{method} must be finite; it is not{at}")
    value, gradient = loss.value(z, y), loss.gradient(z, y)
    i = int(value.argmin())
    _that(
        value[i] >= 0.0,
        f"{name}.value must not be negative; got {value[i]:g} at z = {_text(z[i])}, "
        f"y = {_text(y[i])}",
    )
    for size in (1e-3, 0.1, 1.0, 4.0):
        other = z + size * rng.standard_normal(z.shape)
        above = loss.value(other, y) - value
        tangent = np.sum(gradient * (other - z), axis=1)
        rounding = 1e-12 * (1.0 + np.abs(value) + np.abs(loss.value(other, y)))
        low = above - tangent + rounding
        i = int(low.argmin())
        _that(
            low[i] >= 0.0,
            f"{name}: the tangent given by gradient(z, y) is above value(z, y) by {-low[i]:.3g}: "
            "the gradient is wrong, or the loss is not convex in z. At y = "
            f"{_text(y[i])}, z = {_text(z[i])} the value is {value[i]:.6g} and the gradient "
            f"{_text(gradient[i])}, at z = {_text(other[i])} the value is "
            f"{value[i] + above[i]:.6g}, and the tangent {value[i] + tangent[i]:.6g}",
        )
    for rho in (1e-3, 0.1, 1.0, 30.0, 1e4):
        _check_prox_of_loss(loss, name, z, y, rho, rng)


def check_penalty(penalty, *, seed=0):
    """Check the value, attributes and proximal map of a penalty.

    Parameters
    ----------
    penalty : Penalty
        Instance to check.
    seed : int, default=0
        Seed of the random test points.

    Raises
    ------
    AssertionError
        That says which promise of :class:`~skmdlam.penalties.Penalty` does not hold, at which
        weights, what was found and what was expected.

    Notes
    -----
    A constraint is a penalty whose ``prox(W, t)`` is the projection, whatever t is, and whose
    ``value(W)`` is zero inside and infinite outside. Projecting twice may change the result by
    rounding, relative 1e-12. What ``prox`` returns must count as inside: ``value`` needs a
    tolerance for rounding, also in float32, such as ``norm <= radius * (1 + 1e-5)``.

    Examples
    --------
    >>> from skmdlam.penalties import Box
    >>> from skmdlam.testing import check_penalty
    >>> check_penalty(Box(-0.5, 2.0))
    """
    name = repr(penalty)
    _that(isinstance(penalty, Penalty), f"{name} is not a Penalty")
    _check_copies(penalty)
    rng = np.random.default_rng(seed)
    for dtype in _DTYPES:
        for t in (0.0, 1e-8, 0.1, 1.0, 7.0, 1e8):
            W = rng.standard_normal((6, 3)).astype(dtype)
            before = W.copy()
            V = penalty.prox(W, np.float64(t))
            _that(
                V.shape == W.shape and V.dtype == dtype,
                f"{name}.prox(W, t) must have the shape and dtype of W, {W.shape} and "
                f"{np.dtype(dtype)}; got {V.shape} and {V.dtype}",
            )
            _that(not np.shares_memory(V, W), f"{name}.prox(W, {t:g}) returns W itself, no copy")
            _that(np.array_equal(W, before), f"{name}.prox(W, {t:g}) changes W")
            value = penalty.value(V)
            _that(
                isinstance(value, float | int),
                f"{name}.value(W) must be a number, a float; got {value!r}",
            )
            _that(
                np.isfinite(value) and value >= 0.0,
                f"{name}.value(V) must be finite and not negative for what prox returned; got "
                f"{value!r} for V = prox(W, {t:g}) = {_text(V)} of {np.dtype(dtype)}, "
                f"W = {_text(W)}{_on_the_edge(penalty, V, value)}",
            )
    for t in (0.0, 1e-6, 1e-3, 0.1, 0.5, 1.0, 3.0, 7.0, 1e3):
        for scale in (1e-3, 1.0, 30.0):
            _check_prox_of_penalty(penalty, name, scale * rng.standard_normal((4, 3)), t, rng)
    _check_declared(penalty, name, rng)


# -- what all have in common ------------------------------------------------------------------


def _that(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


def _check_copies(instance):
    """Estimators are cloned, stored and sent to other processes with it."""
    name = repr(instance)
    _that(
        " at 0x" not in name,
        f"{name}: its repr must show its parameters, not its address: define __repr__, or use a "
        "dataclass",
    )
    copies = [copy.deepcopy(instance)]
    try:
        copies.append(pickle.loads(pickle.dumps(instance)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        # A class of an interactive session or a function cannot be pickled by anybody.
        kind = type(instance)
        if kind.__module__ != "__main__" and "<locals>" not in kind.__qualname__:
            raise AssertionError(f"{name} cannot be pickled: {error}") from error
    for other in copies:
        _that(repr(other) == name, f"{name} changes when it is copied: {other!r}")
        _that(
            other == instance, f"{name} is not equal to its copy: define __eq__, or use a dataclass"
        )


# -- activations --------------------------------------------------------------------------------


def _check_values(activation, name, rng):
    sizes = np.array([0.0, 1e-6, 1e-3, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0, 750.0, 1e4, 1e12])
    for dtype in _DTYPES:
        z = np.concatenate([-sizes[:0:-1], sizes]).astype(dtype)[:, None]
        before = z.copy()
        a = activation.value(z)
        _that(
            a.shape == z.shape and a.dtype == dtype,
            f"{name}.value(z) must have the shape and dtype of z, {z.shape} and {np.dtype(dtype)}; "
            f"got {a.shape} and {a.dtype}",
        )
        _that(not np.shares_memory(a, z), f"{name}.value(z) returns z itself, no copy")
        _that(np.array_equal(z, before), f"{name}.value(z) changes z")
        _that(
            np.isfinite(a).all(), f"{name}.value is not finite at z = {_first(z, ~np.isfinite(a))}"
        )
        falls = np.diff(a, axis=0, prepend=a[:1]) < 0
        _that(not falls.any(), f"{name} is not monotone: it falls before z = {_first(z, falls)}")
        out = np.empty_like(z)
        _that(
            activation.value(z, out=out) is out and np.array_equal(out, a),
            f"{name}.value(z, out) must write to out what value(z) returns, and return out",
        )
        same = z.copy()
        activation.value(same, out=same)
        _that(np.array_equal(same, a), f"{name}.value(z, out=z) is not value(z)")
        bounds = activation.infimum, activation.supremum
        _that(
            bounds[0] <= a.min() and a.max() <= bounds[1],
            f"{name} has values from {a.min():g} to {a.max():g}, outside of its infimum and "
            f"supremum, {bounds}",
        )
    z = 3.0 * rng.standard_normal((50, 2))
    straight = np.allclose(activation.value(3.0 * z), 3.0 * activation.value(z), rtol=1e-9, atol=0)
    _that(
        straight or not activation.homogeneous,
        f"{name}.homogeneous is {activation.homogeneous}, but h(3 z) is not 3 h(z): at z = "
        f"{z[0, 0]:.6g} they are {activation.value(3.0 * z)[0, 0]:.6g} and "
        f"{3.0 * activation.value(z)[0, 0]:.6g}",
    )


def _check_slopes(activation, name):
    z = np.linspace(-8.0, 8.0, 801)[:, None] + 0.00137
    a = activation.value(z)
    step = 1e-5
    right = (activation.value(z + step) - a) / step
    left = (a - activation.value(z - step)) / step
    smooth = np.abs(right - left) <= 1e-3 * (1.0 + np.abs(right))
    for dtype in _DTYPES:
        slope = activation.derivative(z.astype(dtype), a.astype(dtype))
        _that(
            slope.shape == z.shape and slope.dtype == dtype,
            f"{name}.derivative(z, a) must have the shape and dtype of z, {z.shape} and "
            f"{np.dtype(dtype)}; got {slope.shape} and {slope.dtype}",
        )
        _that(
            (slope >= 0).all(),
            f"{name}.derivative must not be negative; it is {_first(slope, slope < 0)} at z = "
            f"{_first(z, slope < 0)}",
        )
    slope = activation.derivative(z, a)
    if not activation.exact_derivative:
        return
    wrong = smooth & (np.abs(slope - 0.5 * (left + right)) > 1e-6 + 1e-4 * np.abs(slope))
    _that(
        not wrong.any(),
        f"{name}.derivative(z, a) is {_first(slope, wrong)} at z = {_first(z, wrong)}; differences "
        f"of its values say {_first(0.5 * (left + right), wrong)}",
    )
    steep = slope.max() > 0.25
    _that(
        steep == (activation.largest_slope > 0.25),
        f"{name}.largest_slope is {activation.largest_slope}, the largest derivative "
        f"{slope.max():g}: they must be on the same side of 1/4",
    )


def _check_preimages(activation, name, rng):
    """The preimage of an interval holds the points that h maps into it, and no others."""
    z = np.concatenate([np.linspace(-30, 30, 601), np.linspace(-2, 2, 401)])
    h = activation.value(z)
    # Ends at values that h has, beyond its range, and around them.
    low = np.concatenate([rng.choice(h, 120), rng.uniform(-3, 3, 60)])
    width = 10.0 ** rng.uniform(-3, 1, low.shape)
    width[::7] = 0.0
    for dtype in _DTYPES:
        lower, upper = low.astype(dtype), (low + width).astype(dtype)
        kept = lower.copy(), upper.copy()
        lo, hi = activation.preimage(lower, upper)
        _that(
            lo.dtype == dtype and hi.dtype == dtype and lo.shape == hi.shape == lower.shape,
            f"{name}.preimage(lower, upper) must have the dtype and shape of lower",
        )
        _that(
            np.array_equal(lower, kept[0]) and np.array_equal(upper, kept[1]),
            f"{name}.preimage changes its arguments",
        )
        _that(not (np.isnan(lo) | np.isnan(hi)).any(), f"{name}.preimage has NaN")
        rounding = 64 * np.finfo(dtype).eps
        for below, above, a, b in zip(lower, upper, lo, hi, strict=True):
            _that(
                a <= b or (a == np.inf and b == -np.inf),
                f"{name}.preimage({below}, {above}) is ({a}, {b}); an empty one is (inf, -inf)",
            )
            margin_h, margin_z = rounding * (1.0 + abs(h)), rounding * (1.0 + abs(z))
            # Where h is flat rounding of its value is a large step in z.
            inside = (h >= below + margin_h) & (h <= above - margin_h)
            outside = (h < below - margin_h) | (h > above + margin_h)
            missed = inside & ((z < a - margin_z) | (z > b + margin_z))
            wrong = outside & (z > a + margin_z) & (z < b - margin_z)
            _that(
                not missed.any(),
                f"{name}.preimage({below}, {above}) is ({a}, {b}) and misses z = "
                f"{_first(z, missed)}, where h is {_first(h, missed)}",
            )
            _that(
                not wrong.any(),
                f"{name}.preimage({below}, {above}) is ({a}, {b}) and holds z = "
                f"{_first(z, wrong)}, where h is {_first(h, wrong)}",
            )


def _rivals(activation, v, p, rho, tau, eps, rng, count):
    """Values of z, one row for each element, dense where the minimum could be."""
    with np.errstate(all="ignore"):
        lo, hi = activation.preimage(p - eps, p + eps)
        h = activation.value(v)
        reach = (tau / rho) ** 0.5 * np.maximum(np.abs(h - p) - eps, 0)
        # the far end of the bracket: the tube edge, or as far as can pay
        ends = [np.where(np.isfinite(x), x, v) for x in (lo, hi)]
    v, reach = v[:, None], reach[:, None]
    t = np.linspace(0, 1, count)
    geometric = np.concatenate([[0], np.geomspace(1e-12, 1, count - 1)])
    z = [v]
    for end in ends:
        end = end[:, None]
        z += [v + t * (end - v), v + geometric * (end - v), end - geometric * (end - v)]
    z += [v + reach * geometric, v - reach * geometric]
    # wherever h bends
    bends = np.concatenate([np.linspace(-6, 6, count), np.linspace(-40, 40, count // 2)])
    z += [np.broadcast_to(bends, (v.size, bends.size))]
    z += [np.broadcast_to([-1.0, 0.0, 1.0], (v.size, 3))]
    z += [v + rng.standard_normal((v.size, count // 4)) * np.maximum(1e-3, np.abs(v))]
    return np.concatenate(z, axis=1)


def check_joint(activation, v, p, rho, tau, eps, rng, count=160):
    """Check one joint update against many other points; see :func:`check_activation`."""
    name = repr(activation)
    dtype = v.dtype
    kept = v.copy(), p.copy()
    z, a = activation.joint(v, p, rho, tau, eps)
    _that(
        z.dtype == dtype and a.dtype == dtype and z.shape == v.shape and a.shape == v.shape,
        f"{name}.joint must have the shape and dtype of v",
    )
    _that(
        not np.shares_memory(z, v) and not np.shares_memory(a, p),
        f"{name}.joint returns its arguments, no copies",
    )
    _that(
        np.array_equal(v, kept[0]) and np.array_equal(p, kept[1]),
        f"{name}.joint changes its arguments",
    )
    _that(np.isfinite(z).all() and np.isfinite(a).all(), f"{name}.joint is not finite")

    # feasible as computed
    ulp = float(np.finfo(dtype).eps)
    h = activation.value(z)
    gap = np.abs(a.astype(np.float64) - h.astype(np.float64))
    _that(
        (gap <= eps * (1 + 2 * ulp) + 2 * ulp * np.abs(h)).all(),
        f"{name}.joint must keep |a - h(z)| <= eps = {eps:g}; the largest is {gap.max():.6g}",
    )

    # never beaten
    z, a, v, p, h = (x.ravel().astype(np.float64) for x in (z, a, v, p, h))
    own = rho / 2 * (z - v) ** 2 + tau / 2 * (a - p) ** 2
    others = _rivals(activation, v, p, rho, tau, eps, rng, count)
    with np.errstate(under="ignore"):
        other_h = activation.value(others)
        far = np.maximum(np.abs(other_h - p[:, None]) - eps, 0)
    costs = rho / 2 * (others - v[:, None]) ** 2 + tau / 2 * far**2
    at = costs.argmin(axis=1)
    rows = np.arange(v.size)
    best = costs[rows, at]
    # rounding: of a (first order), and of z (second order), for both
    size_a = np.abs(h) + np.abs(p) + eps
    size_z = np.abs(z) + ulp * np.abs(v) + (np.abs(v - z) + eps) * (dtype == np.float32)
    if activation.piecewise_linear:  # solved in closed form, by sums of v and p
        size_z = size_z + np.abs(v) + np.abs(p)
    bends = np.linspace(-6.0, 6.0, 121)
    slope = float(activation.derivative(bends, activation.value(bends)).max())
    allowed = (
        best * (1e-9 + 16 * ulp)
        + 8 * tau * (np.abs(a - p) + far[rows, at]) * ulp * size_a
        + 8 * tau * (ulp * size_a) ** 2
        + 8 * (rho + tau * slope**2) * (ulp * size_z) ** 2
        + 8 * rho * np.abs(z - v) * ulp * np.abs(v)
    )
    worse = own - best - allowed
    i = worse.argmax()
    _that(
        worse[i] <= 0,
        f"{name}.joint is beaten at v={v[i]!r} p={p[i]!r} rho={rho!r} tau={tau!r} eps={eps!r}: "
        f"z={z[i]!r} costs {own[i]:.9g}, z={others[i, at[i]]!r} costs {best[i]:.9g}",
    )


def _text(values):
    """An array in one line."""
    return np.array2string(np.asarray(values), precision=6, separator=", ").replace("\n", "")


def _first(values, where):
    """The first of some values, as text; the message is written also where there is none."""
    return f"{np.asarray(values)[where].ravel()[0]:.4g}" if where.any() else ""


# -- losses ---------------------------------------------------------------------------------------


def _check_prox_of_loss(loss, name, v, y, rho, rng):
    def cost(z):
        return loss.value(z, y) + 0.5 * rho * np.sum((z - v) ** 2, axis=1)

    before = v.copy(), y.copy()
    z = loss.prox(v, y, rho)
    _that(
        z.shape == v.shape and z.dtype == v.dtype,
        f"{name}.prox(v, y, rho) must have the shape and dtype of v",
    )
    _that(not np.shares_memory(z, v), f"{name}.prox(v, y, rho) returns v itself, no copy")
    _that(
        np.array_equal(v, before[0]) and np.array_equal(y, before[1]),
        f"{name}.prox changes its arguments",
    )
    _that(np.isfinite(z).all(), f"{name}.prox(v, y, {rho:g}) is not finite")
    best = cost(z)
    slack = 1e-12 * (best + np.abs(y).sum(axis=1) + 1.0)
    for radius in (1e-7, 1e-4, 1e-2, 0.3, 3.0):
        for center in (z, v, z + 0.1 * (v - z)):
            noise = rng.standard_normal(v.shape)
            for direction in (noise, noise * (rng.random(v.shape) < 0.3)):
                other = center + radius * (1e-3 + np.abs(z - v).max()) * direction
                better = best - cost(other) - slack
                i = int(better.argmax())
                _that(
                    better[i] <= 0.0,
                    f"{name}.prox is beaten at v={v[i]}, y={y[i]}, rho={rho:g}: z={z[i]} costs "
                    f"{best[i]:.9g}, z={other[i]} costs {best[i] - better[i] - slack[i]:.9g}",
                )
    single = loss.prox(v.astype(np.float32), y.astype(np.float32), rho)
    _that(single.dtype == np.float32, f"{name}.prox of float32 must be float32; got {single.dtype}")
    started = loss.prox(v, y, rho, start=z + 1.0)
    _that(
        np.allclose(started, z, rtol=1e-9, atol=1e-9),
        f"{name}.prox(v, y, rho, start) must not depend on start; at rho = {rho:g} it differs by "
        f"{np.abs(started - z).max():.3g} with start = prox(v, y, rho) + 1",
    )
    alone = np.concatenate([loss.prox(v[[i]], y[[i]], rho) for i in range(3)])
    _that(
        np.allclose(alone, z[:3], rtol=1e-9, atol=1e-9),
        f"{name}.prox mixes samples: one sample alone gives {_text(alone[0])}, and among others "
        f"{_text(z[0])}; at rho = {rho:g} the largest such difference is "
        f"{np.abs(alone - z[:3]).max():.3g}",
    )


# -- penalties ------------------------------------------------------------------------------------


def _check_prox_of_penalty(penalty, name, W, t, rng):
    def cost(V):
        value = penalty.value(V)
        # 0 * inf is 0 inside of the domain and inf outside: t = 0 is the projection.
        return (t * value if np.isfinite(value) else np.inf) + 0.5 * np.sum((V - W) ** 2)

    V = penalty.prox(W, t)
    best = cost(V)
    slack = 1e-13 * (t * penalty.value(V) + 0.5 * np.sum(W**2))
    scale = np.abs(W).max()
    rivals = [W, np.zeros_like(W)]
    for radius in (1e-6, 1e-3, 0.1, 1.0, 10.0):
        size = radius * (np.abs(V).max() + scale)
        sparse = rng.random((4, 3)) < 0.2
        rivals += [
            V + size * rng.standard_normal((4, 3)),
            V + size * rng.standard_normal((4, 3)) * sparse,
            V * (1.0 + radius * rng.standard_normal((4, 1))),
            W + size * rng.standard_normal((4, 3)),
            np.where(sparse, W, V),
            np.where(sparse, 0.0, V),
        ]
    rounding = 1e-12 * max(scale, np.abs(V).max())
    for rival in rivals:
        # Made feasible by a projection, whose own rivals are compared at t = 0.
        rival, point = penalty.prox(rival, 0.0), rival
        # Texts of matrices take longer than the rest: only where something is wrong.
        if not cost(rival) >= best - slack:
            raise AssertionError(
                f"{name}.prox(W, {t:g}) does not minimize t value(V) + ||V - W||^2 / 2 at "
                f"W = {_text(W)}: V = {_text(V)} has {best:.9g}, and {_text(rival)} has "
                f"{cost(rival):.9g}, less by more than rounding, {slack:.2g}"
            )
        moved = np.abs(rival - point).max()
        near = moved <= 1e-3 * (1.0 + np.abs(point).max())
        if not (near or penalty.value(point) == np.inf):
            raise AssertionError(
                f"{name}.value(W) must be inf where prox(W, 0), the projection, moves W; got "
                f"{penalty.value(point):.9g} at W = {_text(point)}, which it moves by {moved:.3g}"
            )
    projected = penalty.prox(V, 0.0)
    moved = np.abs(projected - V).max()
    _that(
        moved <= rounding,
        f"{name}.prox(V, 0), the projection, must leave V = prox(W, {t:g}) where it is, up to "
        f"rounding, {rounding:.2g}; it moves it by {moved:.3g}, from {_text(V)} to "
        f"{_text(projected)}, for W = {_text(W)}",
    )
    if penalty.convex:
        other = scale * rng.standard_normal((4, 3))
        moved = V - penalty.prox(other, t)
        inner, square = np.sum(moved * (W - other)), np.sum(moved**2)
        _that(
            square <= inner + 1e-12 * np.sum(W**2 + other**2),
            f"{name}.prox is not that of a convex function (||P - Q||^2 must be at most "
            "<P - Q, W - U> for P = prox(W, t), Q = prox(U, t); got "
            f"{square:.6g} and {inner:.6g} at t = {t:g}, W = {_text(W)}, U = {_text(other)}); "
            "if the penalty is not convex, set convex = False",
        )


def _on_the_edge(penalty, V, value):
    """What to do about a projection whose result does not count as inside."""
    if value != np.inf:
        return ""
    moved = np.abs(penalty.prox(V, 0.0) - V).max()
    eps = np.finfo(V.dtype).eps
    if not moved <= 64 * eps * (1.0 + np.abs(V).max()):
        return ""
    return (
        f". prox(V, 0) moves it by {moved:.2g}, so it is inside up to rounding: compare with a "
        "tolerance in value, such as norm <= radius * (1 + 1e-5)"
    )


def _check_declared(penalty, name, rng):
    W = penalty.prox(rng.standard_normal((5, 3)), 0.0)
    if penalty.rotation_invariant:
        turned = np.linalg.qr(rng.standard_normal((5, 5)))[0] @ W
        _that(
            np.isclose(penalty.value(turned), penalty.value(W), rtol=1e-9),
            f"{name}.rotation_invariant is True, but value(Q W) is {penalty.value(turned):.9g} and "
            f"value(W) is {penalty.value(W):.9g} at W = {_text(W)}",
        )
    if penalty.ridge is not None:
        expected = 0.5 * penalty.ridge * np.sum(W**2)
        _that(
            np.isclose(penalty.value(W), expected, rtol=1e-12),
            f"{name}.ridge is {penalty.ridge}, but value(W) is {penalty.value(W):.9g}, not "
            f"{expected:.9g}",
        )
    if penalty.by_rows:
        t = np.array([0.0, 0.1, 1.0, 3.0, 50.0])[:, None]
        together = penalty.prox(W, t)
        alone = np.vstack([penalty.prox(W[[j]], float(t[j, 0])) for j in range(5)])
        _that(
            np.allclose(together, alone, rtol=1e-12, atol=1e-15),
            f"{name}.by_rows is True, but prox(W, t) with a t for each row differs by "
            f"{np.abs(together - alone).max():.3g} from the prox of each row at W = {_text(W)}",
        )
        parts = sum(penalty.value(W[[j]]) for j in range(5))
        _that(
            np.isclose(parts, penalty.value(W), rtol=1e-9),
            f"{name}.by_rows is True, but value(W) is {penalty.value(W):.9g} and the values of its "
            f"rows sum to {parts:.9g} at W = {_text(W)}",
        )
