"""The penalties: values, and proximal maps against brute force."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from skmdlam.penalties import (
    L1,
    L2,
    PENALTIES,
    Box,
    ElasticNet,
    GroupLasso,
    NonNegative,
    NoPenalty,
    Penalty,
    constrains,
    get_penalty,
)
from skmdlam.testing import check_penalty

ALL = [
    L2(),
    L1(),
    ElasticNet(),
    ElasticNet(l1_ratio=0.0),
    ElasticNet(l1_ratio=1),
    NonNegative(),
    Box(),
    Box(lower=0.1, upper=np.float64(0.5)),
    Box(lower=-np.inf, upper=0.25),
    GroupLasso(),
    NoPenalty(),
]
SEPARABLE = [penalty for penalty in ALL if not isinstance(penalty, GroupLasso)]
each_penalty = pytest.mark.parametrize("penalty", ALL, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
STEPS = [0.0, 1e-8, 0.1, 1.0, 7.0, 1e8]

seeds = st.integers(0, 2**32 - 1)
steps = st.one_of(st.just(0.0), st.floats(-8, 8).map(lambda exponent: 10.0**exponent))
scales = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)


def objective(penalty, V, W, t):
    value = penalty.value(V)
    # 0 * inf is 0 inside of the domain and inf outside: t = 0 is the projection.
    return (t * value if np.isfinite(value) else np.inf) + 0.5 * np.sum((V - W) ** 2)


@each_penalty
def test_check_penalty(penalty):
    check_penalty(penalty)


class TestProx:
    @each_penalty
    @given(seed=seeds, t=steps, scale=scales)
    def test_nothing_is_better(self, penalty, seed, t, scale):
        rng = np.random.default_rng(seed)
        W = scale * rng.standard_normal((4, 3))
        V = penalty.prox(W, t)
        best = objective(penalty, V, W, t)
        assert np.isfinite(best)
        slack = 1e-13 * (t * penalty.value(V) + 0.5 * np.sum(W**2))
        for radius in [1e-6, 1e-3, 0.1, 1.0, 10.0]:
            size = radius * (np.abs(V).max() + scale)
            for other in [
                V + size * rng.standard_normal(V.shape),
                V + size * rng.standard_normal(V.shape) * (rng.random(V.shape) < 0.2),
                V * (1.0 + radius * rng.standard_normal((4, 1))),
                W + size * rng.standard_normal(V.shape),
            ]:
                # Made feasible by a projection that is tested for itself.
                feasible = penalty.prox(other, 0.0)
                assert objective(penalty, feasible, W, t) >= best - slack

    @each_penalty
    @each_dtype
    def test_a_step_for_each_row(self, penalty, dtype):
        W = np.random.default_rng(0).standard_normal((5, 4)).astype(dtype)
        steps = np.array([0.0, 1e-3, 0.4, 2.0, 1e6])[:, None]
        rows = [penalty.prox(W[j : j + 1], steps[j, 0]) for j in range(5)]
        V = penalty.prox(W, steps)
        assert penalty.by_rows
        assert V.dtype == dtype
        np.testing.assert_allclose(V, np.vstack(rows), rtol=1e-6, atol=0)

    @pytest.mark.parametrize("penalty", SEPARABLE, ids=repr)
    @pytest.mark.parametrize("t", STEPS[:-1])
    def test_scalar_search_finds_nothing_better(self, penalty, t):
        W = np.random.default_rng(0).standard_normal((5, 4))
        V = penalty.prox(W, t)
        lower = np.maximum(-5.0, getattr(penalty, "lower", -5.0))
        lower = 0.0 if isinstance(penalty, NonNegative) else lower
        upper = np.minimum(5.0, getattr(penalty, "upper", 5.0))
        for v, w in zip(V.ravel(), W.ravel(), strict=True):

            def along(x, w=w):
                return objective(penalty, np.array([[x]]), np.array([[w]]), t)

            found = minimize_scalar(
                along, bounds=(lower, upper), method="bounded", options={"xatol": 1e-10}
            )
            assert along(v) <= found.fun + 1e-14 * (1.0 + abs(found.fun))
            assert v == pytest.approx(found.x, abs=1e-5)

    @each_penalty
    @given(seed=seeds, t=steps, scale=scales)
    def test_firmly_nonexpansive(self, penalty, seed, t, scale):
        rng = np.random.default_rng(seed)
        first, second = scale * rng.standard_normal((2, 4, 3))
        difference = penalty.prox(first, t) - penalty.prox(second, t)
        inner = np.sum(difference * (first - second))
        assert np.sum(difference**2) <= inner + 1e-13 * np.sum(first**2 + second**2)

    @each_penalty
    @given(seed=seeds, t=steps, scale=scales)
    def test_subgradient_inequality(self, penalty, seed, t, scale):
        # W - prox(W) is t times a subgradient at prox(W): holds for the prox and nothing else.
        rng = np.random.default_rng(seed)
        W = scale * rng.standard_normal((4, 3))
        V = penalty.prox(W, t)
        for size in [1e-3, 1.0, 1e3]:
            other = penalty.prox(scale * size * rng.standard_normal((4, 3)), 0.0)
            above = t * (penalty.value(other) - penalty.value(V))
            tangent = np.sum((W - V) * (other - V))
            rounding = t * (penalty.value(other) + penalty.value(V)) + np.sum(
                np.abs(W) * (np.abs(other) + np.abs(V))
            )
            assert above >= tangent - 1e-13 * rounding

    @each_penalty
    @each_dtype
    def test_keeps_type_and_input(self, penalty, dtype):
        t = 0.1
        W = np.random.default_rng(1).standard_normal((6, 3)).astype(dtype)
        before = W.copy()
        V = penalty.prox(W, np.float64(t))
        assert V.dtype == dtype
        assert V.shape == W.shape
        assert not np.shares_memory(V, W)
        np.testing.assert_array_equal(W, before)
        # What prox returns is inside to the last digit, in either precision.
        value = penalty.value(V)
        assert type(value) is float
        assert np.isfinite(value)
        tolerance = 4 * np.finfo(dtype).eps
        expected = penalty.prox(W.astype(np.float64), t)
        np.testing.assert_allclose(V, expected, rtol=tolerance, atol=tolerance)

    @each_penalty
    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
    def test_small_shapes(self, penalty, shape):
        W = np.ones(shape)
        assert penalty.prox(W, 0.5).shape == shape
        assert penalty.value(penalty.prox(W, 0.5)) >= 0.0

    @each_penalty
    def test_zero_step_projects(self, penalty):
        W = np.random.default_rng(2).standard_normal((6, 3))
        V = penalty.prox(W, 0.0)
        np.testing.assert_array_equal(penalty.prox(V, 0.0), V)
        if np.isfinite(penalty.value(W)):
            np.testing.assert_array_equal(V, W)


class TestValue:
    W = np.array([[3.0, -4.0], [0.0, 0.0], [1.0, 0.0]])

    @pytest.mark.parametrize(
        ("penalty", "expected"),
        [
            (NoPenalty(), 0.0),
            (L2(), 13.0),
            (L1(), 8.0),
            (ElasticNet(l1_ratio=0.25), 0.25 * 8 + 0.75 * 13),
            (NonNegative(), np.inf),
            (Box(-4, 3), 13.0),
            (Box(-3.999, 3), np.inf),
            (Box(-4, 2.999), np.inf),
            (GroupLasso(), np.sqrt(2) * 6),
        ],
        ids=repr,
    )
    def test_by_hand(self, penalty, expected):
        assert penalty.value(self.W) == pytest.approx(expected, rel=1e-15)
        assert penalty.value(self.W.astype(np.float32)) == pytest.approx(expected, rel=1e-15)

    def test_nonnegative_inside(self):
        assert NonNegative().value(np.abs(self.W)) == 13.0

    @each_penalty
    def test_declared_properties(self, penalty):
        rng = np.random.default_rng(3)
        W = penalty.prox(rng.standard_normal((4, 3)), 0.0)
        rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        turned = penalty.value(rotation @ W) == pytest.approx(penalty.value(W), rel=1e-12)
        assert penalty.rotation_invariant == turned
        if penalty.ridge is not None:
            expected = penalty.ridge / 2 * np.sum(W**2)
            assert penalty.value(W) == pytest.approx(expected, rel=1e-14)

    def test_ridge(self):
        ridges = {name: get_penalty(name).ridge for name in PENALTIES}
        assert ridges == {name: {"l2": 1.0, "none": 0.0}.get(name) for name in PENALTIES}
        assert ElasticNet(l1_ratio=0).ridge == 1.0
        assert ElasticNet(l1_ratio=0).rotation_invariant

    def test_group_lasso_removes_rows(self):
        W = np.array([[0.3, -0.4], [3.0, 4.0]])
        V = GroupLasso().prox(W, 0.5)
        np.testing.assert_array_equal(V[0], 0.0)
        np.testing.assert_allclose(V[1], W[1] * (1 - 0.5 * np.sqrt(2) / 5), rtol=1e-15)


class TestGetPenalty:
    @pytest.mark.parametrize("name", PENALTIES)
    def test_by_name(self, name):
        penalty = get_penalty(name)
        assert type(penalty) is PENALTIES[name]
        assert penalty.name == name

    def test_names(self):
        assert sorted(PENALTIES) == [
            "box",
            "elasticnet",
            "group",
            "l1",
            "l2",
            "none",
            "nonnegative",
        ]

    def test_none(self):
        assert get_penalty(None) == NoPenalty()

    def test_l1_ratio(self):
        assert get_penalty("elasticnet", l1_ratio=0.2) == ElasticNet(0.2)
        assert get_penalty("l2", l1_ratio="not used") == L2()

    def test_instance_is_returned(self):
        penalty = Box(-2, 2)
        assert get_penalty(penalty) is penalty

    @pytest.mark.parametrize("wrong", ["l3", "", 3, L1, ["l1"], 0.5])
    def test_unknown(self, wrong):
        message = re.escape(f"Unknown penalty {wrong!r}: expected one of 'l2', 'l1', ")
        with pytest.raises(ValueError, match=message):
            get_penalty(wrong)


class TestParameters:
    @pytest.mark.parametrize("ratio", [-0.1, 1.1, np.nan, "0.5", None])
    def test_l1_ratio(self, ratio):
        with pytest.raises(ValueError, match="l1_ratio must be a number from 0 to 1, got"):
            ElasticNet(l1_ratio=ratio)
        with pytest.raises(ValueError, match="l1_ratio must be a number from 0 to 1, got"):
            get_penalty("elasticnet", l1_ratio=ratio)

    @pytest.mark.parametrize("ends", [(1, -1), (np.nan, 1), (0, np.nan), (None, 1), (0, "1")])
    def test_box(self, ends):
        with pytest.raises(ValueError, match="lower and upper must be numbers with lower <= upper"):
            Box(*ends)

    @pytest.mark.parametrize("end", [np.inf, -np.inf])
    def test_empty_box(self, end):
        with pytest.raises(ValueError, match="is empty"):
            Box(end, end)

    def test_box_of_one_point(self):
        np.testing.assert_array_equal(Box(0.5, 0.5).prox(np.zeros((2, 2)), 1.0), 0.5)

    @each_penalty
    def test_copies_are_equal(self, penalty):
        for copy in [pickle.loads(pickle.dumps(penalty)), clone(penalty, safe=False)]:
            assert copy == penalty
            assert hash(copy) == hash(penalty)
            assert repr(copy) == repr(penalty)

    def test_which_constrain(self):
        assert not any(map(constrains, [L1(), L2(), ElasticNet(0.3), GroupLasso(), NoPenalty()]))
        assert not constrains(Box(-np.inf, np.inf))
        assert all(map(constrains, [NonNegative(), Box(), Box(0.0, np.inf), Box(-np.inf, 1e9)]))

    def test_repr_and_equality(self):
        assert repr(L1()) == "L1()"
        assert repr(Box(-2, 3)) == "Box(lower=-2, upper=3)"
        assert Box(-2, 3) != Box(-2, 4)
        assert L1() != L2()

    def test_base_class_asks_for_both(self):
        with pytest.raises(NotImplementedError):
            Penalty().value(np.ones((1, 1)))
        with pytest.raises(NotImplementedError):
            Penalty().prox(np.ones((1, 1)), 1.0)
