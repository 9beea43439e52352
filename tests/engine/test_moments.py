"""Moments of columns, and one rule of when a column is constant for every way to fit."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skmdlam import MDLAMRegressor, Relaxed
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.moments import (
    Columns,
    EachTarget,
    Moments,
    TargetMoments,
    apart,
    chunks,
    column_moments,
    in_blocks,
    in_like_units,
    share_one_unit,
    standardized_samples,
    standardized_with_gaps,
    varies,
)


@pytest.fixture(params=["dense", "csr", "csc"])
def container(request):
    return {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_array}[request.param]


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_by_hand(container, weighted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 4)) * (1, 1e-6, 1e6, 1) + (0, 1, 0, 0)
    X[rng.random(5000) < 0.9, 3] = 0.0
    share = rng.random(5000) if weighted else np.ones(5000)
    share /= share.sum()
    mean, std = column_moments(container(X), share)
    exact = X.astype(np.longdouble)
    expected = share @ exact
    np.testing.assert_allclose(mean, expected.astype(float), rtol=1e-13, atol=1e-15)
    spread = np.sqrt(share @ (exact - expected) ** 2).astype(float)
    np.testing.assert_allclose(std, spread, rtol=1e-10)


@pytest.mark.parametrize("n", [400, 5000, 20_011])
def test_constant_columns_have_no_spread(container, n):
    """Rounding of the mean leaves 6e-16 of -0.0173 in 5000 rows, which is no column to scale up."""
    values = np.array([-0.017331540685, 0.1, 1e6 / 3, 0.0])
    weight = np.random.default_rng(0).uniform(0.1, 3.0, n)
    for share in (np.full(n, 1.0 / n), weight / weight.sum()):
        mean, std = column_moments(container(np.tile(values, (n, 1))), share)
        assert (std <= 1e-15 * np.abs(values)).all()
        np.testing.assert_allclose(mean, values, rtol=1e-15)
        assert not varies(mean, std, np.float64).any()


def fit(how, X, y):
    model = MDLAMRegressor(hidden_layer_sizes=(20,), encoding=None, random_state=0)
    if how.startswith("stream"):
        weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if "weights" in how else None
        for _ in range(5):
            for start in range(0, len(y), 100):
                rows = slice(start, start + 100)
                part = None if weight is None else weight[rows]
                model.partial_fit(X[rows], y[rows], sample_weight=part)
        return model
    if how == "exact step":
        solver = Relaxed(w_step="exact")
        model.set_params(hidden_layer_sizes=(), solver=solver, alpha=0, max_iter=100)
    elif "l1" in how:
        model.set_params(penalty="l1", alpha=1e-12)
    model.set_params(batch_size=None if "full batch" in how else "auto")
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if "weights" in how else None
    return model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "how",
    [
        "mini-batches, weights",
        "full batch, weights",
        "full batch, l1",
        "stream, weights",
        "exact step",
        *(
            pytest.param(how, marks=pytest.mark.slow)
            for how in ("mini-batches", "full batch", "stream")
        ),
    ],
)
@pytest.mark.slow
def test_same_rule_for_every_way_to_fit(how, dtype):
    """A column of 13 units in the last place of its mean is data, one of 3 is a constant."""
    rng = np.random.default_rng(0)
    x, others = rng.standard_normal(600), rng.standard_normal((600, 2))
    for spread, informative in ((13, True), (3, False)):
        column = (1 + spread * np.finfo(dtype).eps * x).astype(dtype)
        X = np.column_stack([column, others.astype(dtype)])
        y = (column - column.mean(dtype=float)) / column.std(dtype=float)
        y = y.astype(dtype)
        model = fit(how, X, y)
        if informative:
            assert model.score(X, y) > 0.95
        else:
            np.testing.assert_array_equal(model.coefs_[0][0], 0.0)


class TestMoments:
    """Sums of moments of parts are those of all, however unequal the parts are."""

    rng = np.random.default_rng(3)
    X = rng.standard_normal((1000, 5)) @ rng.standard_normal((5, 5)) + 3.0
    X[:10] *= 0.1
    weight = rng.uniform(0.1, 5.0, 1000)

    def merged(self, cuts, X, weight, **options):
        total = None
        for a, b in pairwise(cuts):
            part = Moments.of(X[a:b], None if weight is None else weight[a:b], **options)
            total = part if total is None else total + part
        return total

    @pytest.mark.parametrize("offset", [0.0, 1e6])
    @pytest.mark.parametrize("cuts", [(0, 10, 1000), (0, 1, 3, 50, 51, 1000), (0, 1000)])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_full_is_the_covariance_of_all_rows(self, offset, cuts, weighted):
        X, s = self.X + offset, self.weight if weighted else np.ones(1000)
        moments = self.merged(cuts, X, s if weighted else None, full=True)
        np.testing.assert_allclose(
            moments.square / moments.weight, np.cov(X.T, aweights=s, bias=True), rtol=1e-7
        )
        np.testing.assert_allclose(moments.mean, np.average(X, axis=0, weights=s), rtol=1e-13)
        assert moments.weight == pytest.approx(s.sum(), rel=1e-13)
        diagonal = self.merged(cuts, X, s if weighted else None)
        np.testing.assert_allclose(diagonal.square, moments.square.diagonal(), rtol=1e-9)
        for one in (moments, diagonal):
            np.testing.assert_allclose(one.spread**2, diagonal.square / s.sum(), rtol=1e-9)

    @pytest.mark.slow
    def test_of_any_container_and_many_blocks(self, container):
        """More numbers than a block holds, so that blocks are merged as chunks are."""
        wide = np.zeros((9, 2**20))
        wide[:, :5] = self.X[:9]
        wide[:, -1] = self.X[9:18, 0]
        found = Moments.of(container(wide), self.weight[:9])
        s = self.weight[:9, None]
        mean = (s * wide).sum(axis=0) / s.sum()
        np.testing.assert_allclose(found.mean, mean, atol=1e-12)
        np.testing.assert_allclose(found.square, (s * (wide - mean) ** 2).sum(axis=0), atol=1e-10)


def test_moments_of_targets():
    rng = np.random.default_rng(0)
    Y, s = rng.standard_normal((50, 3)) * (1, 10, 0.1) + (5, -3, 0), rng.uniform(0.1, 3.0, 50)
    found = TargetMoments.of(Y.astype(np.float32), s / s.sum())
    Y = Y.astype(np.float32).astype(float)
    mean = np.average(Y, axis=0, weights=s)
    np.testing.assert_allclose(found.mean, mean)
    assert found.std == pytest.approx(
        np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=s).mean())
    )
    assert found.deviation == pytest.approx(np.average(np.abs(Y - mean), axis=0, weights=s).mean())


@pytest.mark.parametrize("weighted", [False, True])
def test_standardized_samples(container, weighted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)) * (1, 1e6, 1e-6, 0) + (0, 3, 1, 7)
    s = rng.uniform(0.1, 3.0, 60) if weighted else np.ones(60)
    X_in = container(X)
    samples = standardized_samples(X_in, *column_moments(X_in, s / s.sum()))
    mean = np.average(X, axis=0, weights=s)
    std = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=s))
    expected = np.zeros_like(X)
    expected[:, :3] = (X - mean)[:, :3] / std[:3]
    rows = np.array([3, 3, 59, 0])
    np.testing.assert_allclose(samples(rows), expected[rows], rtol=1e-7, atol=1e-9)


class TestColumns:
    """Units of the columns."""

    mean, std = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 1e-20, 4.0, 2.0])

    def test_by_hand(self, container):
        columns = Columns.of(self.mean, self.std, 10.0, 10, float)
        np.testing.assert_array_equal(columns.std, [0.5, 0.0, 4.0, 2.0])
        np.testing.assert_array_equal(columns.inverse_std, [2.0, 0.0, 0.25, 0.5])
        np.testing.assert_array_equal(columns.inverse_variance, [4.0, 0.0, 0.0625, 0.25])
        np.testing.assert_array_equal(columns.vary, [True, False, True, True])
        assert columns.n_varying == 3 and not columns.one_unit
        x = np.arange(8.0).reshape(2, 4)
        np.testing.assert_allclose(
            columns.standardized(container(x)), (x - self.mean) * columns.inverse_std
        )
        X = sp.csr_array(x)
        scaled = columns.scaled(X, np.float32)
        np.testing.assert_allclose(scaled.toarray(), x * columns.inverse_std)
        assert scaled.dtype == np.float32 and np.shares_memory(scaled.indices, X.indices)
        np.testing.assert_array_equal(X.toarray(), x)

    def test_one_unit(self):
        """Columns that outnumber the samples share the root of their mean variance."""
        columns = Columns.of(self.mean, self.std, 2.0, 2, float)
        assert columns.one_unit
        unit = np.sqrt((0.25 + 16 + 4) / 3)
        np.testing.assert_allclose(columns.std, [unit, 0.0, unit, unit])
        np.testing.assert_allclose(columns.inverse_std, [1 / unit, 0.0, 1 / unit, 1 / unit])
        assert self.std[0] == 0.5  # the argument is nobody's to change

    def test_who_shares(self):
        spread = np.ones(11)
        spread[-2:] = 1e3, 1e9
        assert share_one_unit(spread, 10, 10)
        assert not share_one_unit(spread, 11, 10)
        assert not share_one_unit(spread, 10, 11)
        spread[-3] = 1e4
        spread[-2] = 1e4
        assert not share_one_unit(spread, 10, 10)
        assert share_one_unit(spread, 10, 10, replace(LIMITS, one_unit=1e5))

    def test_a_few_stand_apart(self):
        """They get units of their own and say nothing about that of the others."""
        std = np.random.default_rng(0).uniform(1.0, 20.0, 60)
        far = np.array([4, 17, 31])
        std[far] = 3e7, 5e-9, 4e12
        mean = np.zeros(60)
        columns = Columns.of(mean, std, 40.0, 40, float)
        others = np.setdiff1d(np.arange(60), far)
        assert columns.one_unit
        np.testing.assert_array_equal(np.flatnonzero(apart(std)), far)
        np.testing.assert_array_equal(columns.std[far], std[far])
        alone = Columns.of(mean[others], std[others], 40.0, 40, float)
        np.testing.assert_array_equal(columns.std[others], alone.std)
        assert in_like_units(std[others]) and not in_like_units(std)

    @pytest.mark.parametrize(
        ("factor", "found"), [(20.0, False), (40.0, True), (2e-3, False), (5e-4, True)]
    )
    def test_gap(self, factor, found):
        std = np.ones(50)
        std[7] = factor
        assert apart(std)[7] == found and apart(std).sum() == found
        std[:6] = factor  # more than a tenth are no exception
        assert not apart(std).any()

    def test_too_few_columns_to_stand_apart(self):
        assert not apart(np.array([1.0, 1.0, 1e9])).any() and in_like_units(np.zeros(0))

    def test_no_column_varies(self):
        columns = Columns.of(np.ones(2), np.zeros(2), 5.0, 5, float)
        assert columns.n_varying == 1 and not columns.inverse_variance.any()
        tiny = Columns.of(np.zeros(2), np.array([1e-300, 1e-153]), 5.0, 5, float)
        assert tiny.vary.tolist() == [False, True] and np.isfinite(tiny.inverse_variance).all()


def test_blocks_fit_into_the_cache():
    assert [block.stop for block in chunks(10, 4, 12)] == [3, 6, 9, 10]
    assert len(chunks(10, 100, 12)) == 10
    rows = in_blocks(5000, None, 1)
    assert max(block.stop - block.start for block in rows.blocks) == LIMITS.converted_rows
    assert in_blocks(10, np.full(10, 2.0)).total == 20.0


@pytest.mark.parametrize("batch_size", ["auto", None])
def test_a_spread_whose_square_is_no_number_is_none(batch_size):
    """Its inverse square is beyond all numbers: the others would be lost with it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 4))
    y = X[:, 0] + np.sin(2 * X[:, 2])
    X[:, 1] *= 1e-158
    model = MDLAMRegressor(
        hidden_layer_sizes=(10,), batch_size=batch_size, tol=1e-3, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.8
    model.set_params(encoding=None).fit(X, y)
    assert model.score(X, y) > 0.8
    np.testing.assert_array_equal(model.coefs_[0][1], 0.0)


@pytest.mark.parametrize("n", [64, 65, 1000])
def test_a_constant_target_has_no_spread(n):
    Y = np.column_stack([np.full(n, 0.1), np.arange(n, dtype=float)])
    share = np.full(n, 1.0 / n)
    constant = TargetMoments.of(Y[:, :1], share)
    assert constant.std == constant.deviation == 0.0
    both = TargetMoments.of(Y, share)
    assert both.std == pytest.approx(np.std(Y[:, 1]))
    assert both.deviation == pytest.approx(np.abs(Y[:, 1] - Y[:, 1].mean()).mean())
    each = EachTarget.of(Y, share)
    np.testing.assert_allclose(each.variance, [0.0, np.var(Y[:, 1])])
    np.testing.assert_allclose(each.deviation, [0.0, both.deviation])


def test_columns_of_a_few_steps_of_single_precision_are_data():
    """A spread of 16 steps beside a mean of a million."""
    X = (1e6 + np.random.default_rng(0).standard_normal((2000, 1))).astype(np.float32)
    moments = column_moments(X, np.full(2000, 1 / 2000))
    assert varies(*moments, X.dtype).all() and not varies(*moments, np.float16).any()


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
@pytest.mark.parametrize(
    "how",
    [
        "mini-batches",
        "full batch",
        *(pytest.param(how, marks=pytest.mark.slow) for how in ("row space", "sparse")),
        "stream",
    ],
)
@pytest.mark.slow
def test_one_column_of_many_in_another_unit(how, dtype):
    """An id beside gene expressions: the fit is what it is without the change of unit."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((600, 400))
    y = X[:, :5].sum(axis=1)
    scores = []
    for unit in (1.0, 2e5, 4e10):
        Z = X.copy()
        Z[:, 60] *= unit
        Z = Z.astype(dtype)
        Z = sp.csr_array(Z) if how == "sparse" else Z
        model = MDLAMRegressor(hidden_layer_sizes=(10,), encoding=None, random_state=0)
        if how == "stream":
            for _ in range(3):
                for start in range(0, 300, 100):
                    model.partial_fit(Z[start : start + 100], y[start : start + 100])
        else:
            if how in ("full batch", "row space"):
                model.set_params(batch_size=None, max_iter=40)
            if how == "row space":
                model.set_params(activity_alpha=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(Z[:300], y[:300])
        # Without penalties more columns than rows say nothing of other rows.
        rows = slice(0, 300) if how == "row space" else slice(300, None)
        scores.append(model.score(Z[rows], y[rows]))
    assert min(scores) > (0.9 if how == "row space" else scores[0] - 0.02)
    # Whatever the unit is, the fit is the same.
    np.testing.assert_allclose(scores[1], scores[2], atol=2e-3)


@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
@pytest.mark.parametrize("batch_size", [None, "auto"])
@pytest.mark.slow
def test_outliers_do_not_own_the_unit(loss, batch_size):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((500, 4))
    y = 3.0 * X[:, 0] + X[:, 1] ** 2
    wild = y[:300].copy()
    wild[[3, 90, 200]] = 4e7, -2e5, 3e3
    model = MDLAMRegressor(
        hidden_layer_sizes=(20,), loss=loss, batch_size=batch_size, random_state=0
    )
    assert model.fit(X[:300], wild).score(X[300:], y[300:]) > 0.9


def test_moments_without_outliers_stay():
    rng = np.random.default_rng(2)
    share = np.full(1000, 1e-3)
    zeros = np.where(rng.random((1000, 1)) < 0.95, 0.0, rng.normal(80, 5, (1000, 1)))
    for Y in (rng.standard_normal((1000, 2)), zeros, np.full((1000, 1), 0.1)):
        for one, other in zip(
            TargetMoments.of(Y, share), TargetMoments.of(Y, share, bounded=True), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("unit", [3e2, 2e5])
def test_huber_of_targets_far_wider_than_delta(unit):
    """The size of the loss is delta times that of the targets: ``tol`` counts in it."""
    rng = np.random.default_rng(4)
    X = rng.uniform(-1.0, 1.0, (400, 4))
    y = unit * (np.sin(3.0 * X[:, 0]) + X[:, 1] * X[:, 2])
    model = MDLAMRegressor(
        hidden_layer_sizes=(20,), loss="huber", batch_size=None, tol=1e-3, random_state=0
    )
    assert model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.95


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_standardized_with_gaps(dtype):
    """Many numbers that are far from zero: their sum is beyond single precision."""
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.integers(1995, 2010, 300_000), rng.standard_normal(300_000)])
    X = X.astype(dtype)
    X[::7, 0] = np.nan
    found, wide = standardized_with_gaps(X), X.astype(float)
    assert found.dtype == dtype
    centered = np.nan_to_num(wide - np.nanmean(wide, axis=0))
    # In single precision a mean year is rounded by 1e-5 of the spread.
    atol = 1e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(found, centered / centered.std(axis=0), rtol=0, atol=atol)
