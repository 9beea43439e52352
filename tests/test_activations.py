"""Activations: against their definitions, and the joint update against brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skmdlam.activations import (
    ACTIVATIONS,
    ELU,
    HardTanh,
    LeakyReLU,
    Sign,
    Tanh,
    get_activation,
    get_activations,
)
from skmdlam.testing import check_activation, check_joint

pytestmark = pytest.mark.filterwarnings("error")

DTYPES = [np.float32, np.float64]
CASES = [cls() for cls in ACTIVATIONS.values()] + [
    LeakyReLU(0.3),
    LeakyReLU(2.0),
    ELU(0.25),
    ELU(3.0),
]
all_activations = pytest.mark.parametrize("activation", CASES, ids=repr)
all_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def definition(activation, z):
    """h(z) in long double, straight from the textbook."""
    z = np.asarray(z).astype(np.longdouble)
    name = activation.name
    with np.errstate(over="ignore", under="ignore"):
        if name == "identity":
            return z
        if name == "relu":
            return np.where(z > 0, z, 0)
        if name == "leaky_relu":
            return np.where(z > 0, z, np.longdouble(activation.negative_slope) * z)
        if name == "elu":
            return np.where(z > 0, z, activation.alpha * np.expm1(np.minimum(z, 0)))
        if name == "softplus":
            return np.logaddexp(z, 0)
        if name == "tanh":
            return np.tanh(z)
        if name == "logistic":
            return 1 / (1 + np.exp(-z))
        if name == "hard_tanh":
            return np.clip(z, -1, 1)
        if name == "sign":
            return np.where(z >= 0, 1, -1).astype(np.longdouble)
    raise AssertionError(name)


def infimum(activation):
    lows = {"relu": 0, "softplus": 0, "tanh": -1, "logistic": 0, "hard_tanh": -1, "sign": -1}
    return -activation.alpha if activation.name == "elu" else lows.get(activation.name, -np.inf)


def supremum(activation):
    return 1 if activation.name in ("tanh", "logistic", "hard_tanh", "sign") else np.inf


def spread(rng, shape, dtype):
    """Values of every size, of both signs, with zeros."""
    z = rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 4, shape)
    z[rng.random(shape) < 0.05] = 0.0
    return z.astype(dtype)


# --- names -----------------------------------------------------------------------------------


def test_get_activation():
    assert isinstance(get_activation("tanh"), Tanh)
    for name, cls in ACTIVATIONS.items():
        assert cls.name == name
        assert type(get_activation(name)) is cls
    mine = LeakyReLU(0.2)
    assert get_activation(mine) is mine


@pytest.mark.parametrize("bad", ["gelu", None, 3, Tanh])
def test_get_activation_lists_the_names(bad):
    with pytest.raises(ValueError, match="Unknown activation") as error:
        get_activation(bad)
    for name in ACTIVATIONS:
        assert repr(name) in str(error.value)


def test_get_activations():
    mine = LeakyReLU(0.2)
    assert get_activations(mine, 3) == [mine] * 3
    assert get_activations("tanh", 0) == []
    assert get_activations((), 0) == []
    assert [type(found) for found in get_activations(["elu", "tanh"], 2)] == [ELU, Tanh]
    assert get_activations(("relu", mine), 2)[1] is mine


def test_get_activations_says_which_one():
    with pytest.raises(ValueError, match=r"got 1, \['relu'\], for 2 hidden layers"):
        get_activations(["relu"], 2)
    with pytest.raises(ValueError, match=r"activation\[1\]: Unknown activation 'gelu'"):
        get_activations(["relu", "gelu"], 2)


@all_activations
def test_declared_properties(activation):
    z = spread(np.random.default_rng(13), (300, 4), np.float64)
    a = activation.value(z)
    straight = np.allclose(activation.value(3.0 * z), 3.0 * a, rtol=1e-12, atol=0)
    assert activation.homogeneous == straight
    z = np.linspace(-30, 30, 6001)
    steepest = activation.derivative(z, activation.value(z)).max()
    assert steepest <= activation.largest_slope or steepest > 1  # a LeakyReLU or ELU of the user's
    assert (steepest <= 0.25) == (activation.largest_slope <= 0.25)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan, "0.1", None])
def test_parameters_must_be_positive(bad):
    with pytest.raises(ValueError, match="negative_slope must be positive"):
        LeakyReLU(bad)
    with pytest.raises(ValueError, match="alpha must be positive"):
        ELU(bad)
    with pytest.raises(ValueError, match="width must be positive"):
        Sign(bad)


def test_repr():
    assert repr(Tanh()) == "Tanh()"
    assert repr(ELU(0.5)) == "ELU(alpha=0.5)"


# --- value, derivative -----------------------------------------------------------------------


@all_activations
@all_dtypes
def test_value_is_the_definition(activation, dtype):
    z = spread(np.random.default_rng(0), (400, 7), dtype)
    before = z.copy()
    a = activation.value(z)
    assert a.dtype == dtype
    assert a is not z and not np.shares_memory(a, z)
    np.testing.assert_array_equal(z, before)
    ulp = np.finfo(dtype).eps
    # exp(-|z|) has relative error |z| ulp: nothing where it is not small
    np.testing.assert_allclose(
        a.astype(np.longdouble), definition(activation, z), rtol=16 * ulp, atol=1e-30
    )


@all_activations
@all_dtypes
def test_value_out(activation, dtype):
    z = spread(np.random.default_rng(1), (30, 4), dtype)
    expected = activation.value(z)
    out = np.empty_like(z)
    assert activation.value(z, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert activation.value(z, out=z) is z
    np.testing.assert_array_equal(z, expected)


@all_activations
@all_dtypes
def test_value_is_monotone_and_finite_at_extremes(activation, dtype):
    z = np.array([[-1e12, -1e4, -750, -100, -20, 0, 20, 100, 750, 1e4, 1e12]], dtype=dtype)
    a = activation.value(z)
    assert np.isfinite(a).all()
    assert (np.diff(a) >= 0).all()
    assert np.isfinite(activation.derivative(z, a)).all()


@pytest.mark.parametrize("activation", [h for h in CASES if h.exact_derivative], ids=repr)
def test_derivative_is_the_slope(activation):
    z = np.random.default_rng(2).uniform(-8, 8, (300, 5))
    z = z[(np.abs(z) > 1e-2) & (np.abs(np.abs(z) - 1) > 1e-2)].reshape(-1, 1)
    a = activation.value(z)
    slope = activation.derivative(z, a)
    step = np.longdouble(1e-6)
    z = z.astype(np.longdouble)
    difference = (definition(activation, z + step) - definition(activation, z - step)) / (2 * step)
    np.testing.assert_allclose(slope, difference.astype(float), rtol=1e-6, atol=1e-9)
    for dtype in DTYPES:
        small = activation.derivative(z.astype(dtype), a.astype(dtype))
        assert small.dtype == dtype
        np.testing.assert_allclose(small, slope, atol=1e-6)


def test_derivative_of_sign_stands_for_a_straight_piece():
    z = np.array([[-2.0, -0.6, -0.4, 0.0, 0.4, 0.6, 2.0]])
    for width, expected in [(1.0, [0, 1, 1, 1, 1, 1, 0]), (0.5, [0, 0, 1, 1, 1, 0, 0])]:
        activation = Sign(width)
        given = activation.derivative(z, activation.value(z))
        np.testing.assert_array_equal(given, [expected])
    assert not Sign().exact_derivative


def test_sign_at_zero():
    zeros = np.array([[0.0, -0.0, 1e-300, -1e-300]])
    np.testing.assert_array_equal(Sign().value(zeros), [[1, 1, 1, -1]])


# --- preimage --------------------------------------------------------------------------------


def table(activation, lower, upper):
    """Empty, by the table in the design."""
    name = activation.name
    if name in ("identity", "leaky_relu"):
        return np.zeros(lower.shape, dtype=bool)
    if name == "relu":
        return upper < 0
    if name == "elu":
        return upper <= -activation.alpha
    if name == "softplus":
        return upper <= 0
    if name == "tanh":
        return (lower >= 1) | (upper <= -1)
    if name == "logistic":
        return (lower >= 1) | (upper <= 0)
    if name == "hard_tanh":
        return (lower > 1) | (upper < -1)
    if name == "sign":
        return ~((lower <= -1) & (upper >= -1)) & ~((lower <= 1) & (upper >= 1))
    raise AssertionError(name)


def intervals(rng, dtype):
    center = spread(rng, (2000, 3), np.float64)
    center[::2] = rng.uniform(-1.5, 1.5, center[::2].shape)
    center[::10] = rng.choice([-1, 0, 1], center[::10].shape)
    width = 10.0 ** rng.uniform(-8, 2, center.shape)
    width[rng.random(width.shape) < 0.2] = 0.0
    lower, upper = (center - width).astype(dtype), (center + width).astype(dtype)
    ends = np.array([-1, -0.25, 0, 1, 2], dtype=dtype)
    special = rng.random(lower.shape) < 0.1
    upper[special] = rng.choice(ends, special.sum())
    lower = np.minimum(lower, upper)
    special = rng.random(lower.shape) < 0.1
    lower[special] = rng.choice(ends, special.sum())
    return lower, np.maximum(lower, upper)


def slack(value, z, ulp):
    """Rounding of h at a rounded z."""
    z = np.where(np.isfinite(z), np.abs(z), 0)
    value = np.where(np.isfinite(value), np.abs(value), 0)
    return 8 * ulp * (value + np.minimum(z, 1)) + 4 * ulp * np.minimum(z, 100) * value


@all_activations
@all_dtypes
def test_preimage(activation, dtype):
    lower, upper = intervals(np.random.default_rng(3), dtype)
    kept = lower.copy(), upper.copy()
    lo, hi = activation.preimage(lower, upper)
    assert lo.dtype == dtype and hi.dtype == dtype
    assert not np.isnan(lo).any() and not np.isnan(hi).any()
    np.testing.assert_array_equal(lower, kept[0])
    np.testing.assert_array_equal(upper, kept[1])
    assert not np.shares_memory(lo, lower) and not np.shares_memory(hi, upper)

    empty = table(activation, lower, upper)
    assert (lo[empty] == np.inf).all() and (hi[empty] == -np.inf).all()
    assert (lo[~empty] <= hi[~empty]).all()

    lower, upper, lo, hi = (x[~empty].astype(np.float64) for x in (lower, upper, lo, hi))
    ulp = np.finfo(dtype).eps
    # the ends and points between map inside
    for fraction in (0.0, 0.3, 1.0):
        a, b = np.clip(lo, -1e9, 1e9), np.clip(hi, -1e9, 1e9)
        z = a + fraction * (b - a)
        if fraction in (0.0, 1.0):
            z = a if fraction == 0.0 else b
        h = definition(activation, z)
        assert (h >= lower - slack(lower, z, ulp)).all()
        assert (h <= upper + slack(upper, z, ulp)).all()
    # points outside map outside
    for end, bound, sign in ((lo, lower, -1), (hi, upper, 1)):
        finite = np.isfinite(end)
        # a point no further than rounding can tell apart, and a point further away
        for gap in (1e-2, 1.0):
            z = end[finite] + sign * gap * (1 + np.abs(end[finite]))
            h = definition(activation, z)
            assert (sign * (h - bound[finite]) >= -slack(bound[finite], z, ulp)).all()
            steep = np.abs(z) < 5
            moved = np.abs(h - definition(activation, end[finite])) > 1e-4
            outside = sign * (h - bound[finite]) > 0
            assert outside[steep & moved].all()
        # an infinite end promises that the bound is beyond the range of h
        if sign < 0:
            assert (bound[~finite] <= infimum(activation)).all()
        else:
            assert (bound[~finite] >= supremum(activation)).all()


@all_activations
def test_preimage_inverts_value(activation):
    z = np.random.default_rng(4).uniform(-6, 6, (500, 2))
    a = activation.value(z)
    lo, hi = activation.preimage(a, a)
    slope = np.maximum(activation.derivative(z, a), 1e-300)
    rounding = 1e-13 + 1e-15 / slope
    assert (lo <= z + rounding).all()
    assert (hi >= z - rounding).all()


def test_preimage_by_hand():
    def check(activation, lower, upper, lo, hi):
        got = activation.preimage(np.array([[lower]], float), np.array([[upper]], float))
        np.testing.assert_allclose([got[0][0, 0], got[1][0, 0]], [lo, hi], rtol=1e-15)

    inf = np.inf
    relu, hard, tanh = get_activation("relu"), HardTanh(), Tanh()
    check(relu, -1, 0, -inf, 0)
    check(relu, 0, 2, -inf, 2)
    check(relu, 1, 2, 1, 2)
    check(relu, -2, -1, inf, -inf)
    check(hard, -1, -1, -inf, -1)
    check(hard, 1, 1, 1, inf)
    check(hard, 1.5, 2, inf, -inf)
    check(tanh, -2, 0.5, -inf, np.arctanh(0.5))
    check(tanh, 1, 2, inf, -inf)
    check(LeakyReLU(0.5), -1, 1, -2, 1)
    check(ELU(2.0), -2, 3, -inf, 3)
    check(ELU(2.0), -1, -0.5, np.log(0.5), np.log(0.75))
    check(get_activation("logistic"), 0, 1, -inf, inf)
    check(get_activation("softplus"), 0, np.log(2), -inf, 0)
    check(get_activation("softplus"), 1e4, 1e5, 1e4, 1e5)


# --- the joint update ------------------------------------------------------------------------


@all_activations
def test_check_activation(activation):
    check_activation(activation)


@all_activations
@pytest.mark.parametrize(
    "dtype",
    [pytest.param(np.float32, marks=pytest.mark.slow), np.float64],
    ids=["single", "double"],
)
@pytest.mark.slow
def test_joint_is_never_beaten(activation, dtype):
    rng = np.random.default_rng(5)
    weights = [(1, 5), (1e-6, 1e6), (1e6, 1e-6), (1e-2, 1e2), (3, 40)]
    for eps, (rho, tau) in product([0.0, 1e-3, 1.0], weights):
        for scale_v, scale_p in [(1, 1), (4, 1), (3, 30), (30, 3), (1e-3, 1e-3)]:
            v = (scale_v * rng.standard_normal((6, 5))).astype(dtype)
            p = (scale_p * rng.standard_normal((6, 5))).astype(dtype)
            check_joint(activation, v, p, float(rho), float(tau), eps, rng, count=40)


@all_activations
@all_dtypes
@pytest.mark.slow
def test_joint_saturated(activation, dtype):
    rng = np.random.default_rng(6)
    sizes = np.array([0, 1e-12, 1e-3, 0.3, 1, 3, 15, 40, 800, 1e4, 1e8, 1e12])
    both = np.concatenate([-sizes, sizes])
    v, p = (x.astype(dtype) for x in np.meshgrid(both, both))
    for ratio in [1e-16, 1e-2, 1e2, 1e16]:
        for eps in (0.0, 1e-3):
            check_joint(activation, v, p, 1.0, ratio, eps, rng, count=40)
    check_joint(activation, v, p, 1e8, 1e-8, 1e-3, rng, count=40)
    check_joint(activation, v, p, 1e-8, 1e8, 1e-3, rng, count=40)


@all_activations
@pytest.mark.slow
def test_joint_at_the_ends_of_the_range(activation):
    rng = np.random.default_rng(7)
    away = np.concatenate([[0.0], 10.0 ** np.arange(-16.0, 0)])
    ends = [x for x in (infimum(activation), supremum(activation), 0.0) if np.isfinite(x)]
    p = np.array([e + s * d for e in ends for s in (-1, 1) for d in away])
    v = rng.choice([-30, -10, -3, -1, 0, 1, 3, 10, 30], (12, 1)) * rng.random((12, 1))
    v, p = (np.array(x) for x in np.broadcast_arrays(v, p))
    for rho, tau in [(1, 1e16), (1, 1e8), (1, 10), (1, 0.1)]:
        for eps in (0.0, 1e-8, 0.5):
            check_joint(activation, v, p, float(rho), float(tau), eps, rng, count=40)


@all_activations
@pytest.mark.slow
def test_joint_near_the_tie_of_two_minima(activation):
    # v is swept finely, so that the two basins change places
    rng = np.random.default_rng(8)
    v = np.linspace(-12, 12, 241)[:, None]
    for tau in (3.0, 30.0, 1e3):
        for target in (-5.0, -1.0, -0.9, 0.0, 0.1, 0.9, 1.0, 4.0):
            p = np.full_like(v, target)
            check_joint(activation, v, p, 1.0, tau, 1e-3, rng, count=60)


def test_joint_has_two_minima_to_choose_from():
    # tanh, v far in the flat part: either stay, or pay to jump; both occur
    v, p = np.array([[2.5, 6.0]]), np.array([[-0.5, -0.5]])
    z, _ = Tanh().joint(v, p, 1.0, 10.0, 0.0)
    assert z[0, 0] < 0.5
    assert z[0, 1] > 5.9


@all_activations
def test_joint_inside_the_tube_moves_nothing(activation):
    rng = np.random.default_rng(9)
    v = rng.standard_normal((50, 3))
    p = activation.value(v) + rng.uniform(-0.9, 0.9, v.shape)
    z, a = activation.joint(v, p, 2.0, 3.0, 1.0)
    np.testing.assert_array_equal(z, v)
    np.testing.assert_array_equal(a, p)


@all_activations
def test_joint_of_empty_and_of_strided_arrays(activation):
    z, a = activation.joint(np.empty((0, 3)), np.empty((0, 3)), 1.0, 1.0, 0.1)
    assert z.shape == a.shape == (0, 3)
    rng = np.random.default_rng(10)
    v, p = rng.standard_normal((2, 8, 6))
    plain = activation.joint(v, p, 1.0, 5.0, 1e-3)
    strided = activation.joint(np.asfortranarray(v), np.repeat(p, 2, axis=1)[:, ::2], 1, 5, 1e-3)
    np.testing.assert_allclose(strided[0], plain[0], rtol=1e-12)
    np.testing.assert_allclose(strided[1], plain[1], rtol=1e-12)


@all_activations
def test_joint_of_many_elements_is_the_same_as_of_few(activation):
    rng = np.random.default_rng(12)
    v, p = rng.standard_normal((2, 500, 70))
    z, a = activation.joint(v, p, 1.0, 5.0, 1e-3)
    rows = [0, 233, 234, 235, 467, 468, 469, 499]  # about the ends of the blocks, too
    few = activation.joint(v[rows], p[rows], 1.0, 5.0, 1e-3)
    np.testing.assert_allclose(z[rows], few[0], rtol=1e-12)
    np.testing.assert_allclose(a[rows], few[1], rtol=1e-12)


@all_dtypes
def test_numpy_scalars_do_not_change_the_dtype(dtype):
    v = np.ones((2, 2), dtype=dtype)
    for activation in CASES:
        z, a = activation.joint(v, -v, np.float64(1), np.float64(2), np.float64(0.1))
        assert z.dtype == dtype and a.dtype == dtype


signed = st.builds(
    lambda exponent, sign: sign * 10.0**exponent,
    st.floats(-8, 6),
    st.sampled_from([-1.0, 1.0]),
)
number = st.one_of(st.just(0.0), st.floats(-5, 5), signed)
weight = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)


@settings(max_examples=200, deadline=None)
@given(
    activation=st.sampled_from(CASES),
    dtype=st.sampled_from(DTYPES),
    pairs=st.lists(st.tuples(number, number), min_size=1, max_size=6),
    rho=weight,
    tau=weight,
    eps=st.one_of(st.just(0.0), st.floats(0, 100), st.floats(-8, 0).map(lambda e: 10.0**e)),
)
@pytest.mark.slow
def test_joint_property(activation, dtype, pairs, rho, tau, eps):
    v, p = np.array(pairs, dtype=dtype).T
    check_joint(
        activation, v[:, None], p[:, None], rho, tau, eps, np.random.default_rng(11), count=120
    )
