"""Pieces of columns, against their definition in plain NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.engine.constants import LIMITS, TUNED
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.pieces import Curve, Pieces

RNG = np.random.default_rng(0)
COLUMNS = {
    "continuous": RNG.normal(size=200),
    "mostly zeros": np.where(RNG.random(200) < 0.7, 0.0, RNG.lognormal(size=200)),
    "skewed counts": RNG.poisson(np.exp(RNG.normal(1.0, 1.2, 200))).astype(float),
    "two frequent values": np.where(
        RNG.random(200) < 0.8, RNG.integers(0, 2, 200) * 9.0 - 4.0, RNG.normal(size=200)
    ),
    "heavy tails": RNG.standard_cauchy(200),
}
each_column = pytest.mark.parametrize("x", COLUMNS.values(), ids=COLUMNS)


def ranks_by_definition(x, weight, n_pieces):
    """Distinct values and their ranks: no value counts more than a piece, found by bisection."""
    values = np.unique(x)
    share = np.array([weight[x == value].sum() for value in values])
    low, high = 0.0, share.max()
    for _ in range(200):
        middle = 0.5 * (low + high)
        enough = np.minimum(share, middle).sum() >= n_pieces * middle * (1.0 - 1e-15)
        low, high = (middle, high) if enough else (low, middle)
    share = np.minimum(share, high)
    ranks = np.array([share[:k].sum() + 0.5 * share[k] for k in range(values.size)])
    return values, (ranks - ranks[0]) / (ranks[-1] - ranks[0])


def encoded_by_definition(x, weight, n_pieces, new):
    values, ranks = ranks_by_definition(x, weight, n_pieces)
    nearest = {int(np.argmin(np.abs(ranks - t / n_pieces))) for t in range(n_pieces + 1)}
    nearest = sorted(nearest)
    out = np.empty((new.size, len(nearest) - 1))
    for i, value in enumerate(new):
        rank = np.interp(value, values, ranks)
        for t in range(len(nearest) - 1):
            low, high = ranks[nearest[t]], ranks[nearest[t + 1]]
            out[i, t] = min(1.0, max(0.0, (rank - low) / (high - low)))
    return values[nearest], out


def beside(x):
    """Values of the column, between them and beyond its ends."""
    return np.concatenate([x, x + 0.37 * x.std(), [x.min() - 5.0, x.max() + 1e9]])


class TestDefinition:
    @each_column
    @pytest.mark.parametrize("n_pieces", [1, 3, 8, 16])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_every_piece(self, x, n_pieces, weighted):
        weight = np.random.default_rng(1).integers(1, 5, x.size) / 2.0 if weighted else np.ones(200)
        pieces = Pieces.of(x[:, np.newaxis], n_pieces, weight if weighted else None)
        new = beside(x)
        knots, expected = encoded_by_definition(x, weight, n_pieces, new)
        np.testing.assert_array_equal(pieces.curves[0].knots, knots)
        found = pieces.encoded(new[:, np.newaxis])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        assert pieces.n_pieces.tolist() == [found.shape[1]] and found.shape[1] <= n_pieces

    @each_column
    def test_rises_from_zero_to_one_one_after_the_other(self, x):
        pieces = Pieces.of(x[:, np.newaxis], 8)
        found = pieces.encoded(np.sort(beside(x))[:, np.newaxis])
        assert found.min() == 0.0 and found.max() == 1.0
        assert (np.diff(found, axis=0) >= 0.0).all()
        assert (found[0] == 0.0).all()
        np.testing.assert_allclose(found[-1], 1.0, rtol=1e-15)
        # A piece begins where the one before has ended.
        assert ((found[:, 1:] == 0.0) | (found[:, :-1] >= 1.0 - 1e-12)).all()

    def test_a_frequent_value_takes_a_piece_at_most(self):
        """Zeros of nine tenths: what is left of the range is for the other values."""
        x = np.r_[np.zeros(900), np.linspace(1.0, 2.0, 100)]
        curve = Pieces.of(x[:, np.newaxis], 10).curves[0]
        assert curve.n_pieces == 10
        assert (curve.knots <= 1.0).sum() <= 2
        # The pieces of the others are equally many of them.
        np.testing.assert_allclose(np.diff(curve.knots[2:]), 0.11, atol=0.012)

    def test_few_values_are_the_knots(self):
        x = np.array([3.0, -1.0, 3.0, 7.5, 100.0, 7.5, -1.0, 3.0])
        pieces = Pieces.of(x[:, np.newaxis], 3)
        assert pieces.curves[0].knots.tolist() == [-1.0, 3.0, 7.5, 100.0]
        # One step at each value, whatever their distances and numbers.
        expected = x[:, np.newaxis] >= [3.0, 7.5, 100.0]
        np.testing.assert_allclose(pieces.encoded(x[:, np.newaxis]), expected, atol=1e-15)

    def test_many_values_are_looked_at_in_part(self):
        """The ranks between the values that are kept are off by less than their distance."""
        x = np.random.default_rng(3).standard_cauchy(4000)
        curve = Pieces.of(x[:, np.newaxis], 8).curves[0]
        assert curve.values.size <= LIMITS.ranks == 257
        values, ranks = ranks_by_definition(x, np.ones(4000), 8)
        assert np.abs(curve.rank(values) - ranks).max() < 1.0 / 250
        np.testing.assert_allclose(
            curve.rank(curve.knots), np.linspace(0.0, 1.0, 9), rtol=0, atol=1.0 / 250
        )


class TestCloseValues:
    """Numbers that their type can hardly tell apart are not one value in a long row."""

    @pytest.mark.parametrize("start", [-2e9, 3e8], ids=str)
    def test_seconds_in_single_precision(self, start):
        x = (start + np.random.default_rng(7).uniform(0.0, 2e5, 4000)).astype(np.float32)
        values = np.unique(x).astype(float)
        assert (np.diff(values) < 5 * np.finfo(np.float32).eps * abs(start)).mean() > 0.95
        curve = Curve.of(x, np.ones(4000), 8)
        assert curve.n_pieces == 8
        expected = np.searchsorted(np.sort(x), x) / 4000
        assert np.abs(curve.rank(x) - expected).max() < 0.02

    def test_beside_values_that_differ_by_rounding(self):
        """A row of neighbors is long, and 7 up to rounding is one value nevertheless."""
        eps = np.finfo(float).eps
        row = 1.0 + eps * np.arange(0.0, 500.0, 2.0)
        curve = Curve.of(np.r_[row, 7.0, 7.0 * (1 + eps), 9.0], np.ones(253), 300)
        np.testing.assert_array_equal(curve.values, [*row, 7.0, 9.0])


class TestWithoutPieces:
    @pytest.mark.parametrize(
        "x",
        [
            np.full(50, 3.3),
            np.r_[np.zeros(20), np.ones(30)],
            1e5 * (1.0 + 1e-16 * np.arange(50)),
            np.float32(0.1) * (1 + np.float32(1e-7) * (np.arange(60) % 3).astype(np.float32)),
            # Two values up to rounding.
            np.r_[0.1 + 0.2, 0.3, 0.7, 0.7 * (1 + 2e-16)],
        ],
        ids=["constant", "two", "rounding", "rounding in single precision", "two up to rounding"],
    )
    def test_passed_on(self, x):
        X = np.column_stack([x, np.linspace(0.0, 1.0, x.size)]).astype(x.dtype)
        pieces = Pieces.of(X, 3)
        assert pieces.curves[0] is None and pieces.n_pieces.tolist() == [0, 3]
        assert pieces.source.tolist() == [0, 1, 1, 1]
        assert pieces.straight.tolist() == [True, False, False, False]
        np.testing.assert_array_equal(pieces.encoded(X)[:, 0], x)

    def test_plain(self):
        X = np.random.default_rng(0).normal(size=(5, 3))
        pieces = Pieces.plain(3)
        assert pieces.size == 3 and pieces.straight.all()
        np.testing.assert_array_equal(pieces.encoded(X), X)


class TestIncludingTheInput:
    def test_columns_come_before_their_pieces(self):
        X = np.column_stack([COLUMNS["continuous"], np.arange(200) % 2, COLUMNS["heavy tails"]])
        both, alone = (Pieces.of(X, 4, include_input=given) for given in (True, False))
        assert both.source.tolist() == [0] * 5 + [1] + [2] * 5
        assert np.flatnonzero(both.straight).tolist() == [0, 5, 6]
        found = both.encoded(X)
        np.testing.assert_array_equal(found[:, [0, 5, 6]], X)
        parts = [*range(1, 5), 5, *range(7, 11)]
        np.testing.assert_array_equal(found[:, parts], alone.encoded(X))
        assert list(both.names(["a", "b", "c"])) == [
            *("a", "a_pl_0", "a_pl_1", "a_pl_2", "a_pl_3", "b"),
            *("c", "c_pl_0", "c_pl_1", "c_pl_2", "c_pl_3"),
        ]


class TestIncludingTheRank:
    def test_before_the_pieces(self):
        X = np.column_stack([COLUMNS["continuous"], np.arange(200) % 2])
        plain, ranked = (Pieces.of(X, 4, include_rank=given) for given in (False, True))
        assert list(ranked.names(["a", "b"])) == ["a_rank", *(f"a_pl_{t}" for t in range(4)), "b"]
        assert np.flatnonzero(ranked.straight).tolist() == [5]
        found = ranked.encoded(X)
        np.testing.assert_array_equal(found[:, 1:], plain.encoded(X))
        _, rank = encoded_by_definition(X[:, 0], np.ones(200), 1, X[:, 0])
        np.testing.assert_allclose(found[:, 0], rank[:, 0], rtol=0, atol=1e-12)
        both = Pieces.of(X, 4, include_rank=True, include_input=True)
        np.testing.assert_array_equal(both.encoded(X)[:, [0, *range(2, 7)]][:, 1:], found[:, 1:])
        assert list(both.names(["a", "b"]))[:3] == ["a", "a_rank", "a_pl_0"]

    def test_one_piece_is_the_rank(self):
        X = COLUMNS["continuous"][:, np.newaxis]
        assert Pieces.of(X, 1, include_rank=True).size == 1

    def test_takes_the_rise_as_a_whole(self):
        """A line in the rank has no weight on the pieces."""
        X = np.random.default_rng(3).normal(size=(200, 1))
        old, new = Pieces.of(X, 1), Pieces.of(X, 4, include_rank=True)
        factor, offset = new.in_terms_of(old)
        np.testing.assert_allclose(factor[:, 0], [1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-12)
        np.testing.assert_array_equal(offset, 0.0)


class TestInvariance:
    """What does not change the order changes nothing at the training samples."""

    X = np.column_stack([COLUMNS[name] for name in ("continuous", "skewed counts")])
    X = np.column_stack([X, RNG.uniform(-2.0, 2.0, 200)])

    @pytest.mark.parametrize("n_pieces", [1, 8])
    @pytest.mark.parametrize(
        "rise",
        [
            lambda X: np.exp(1.5 * X[:, [0, 2]]),
            lambda X: X**3,
            lambda X: np.searchsorted(np.sort(X.ravel()), X).astype(float),
            lambda X: 1e150 * X,
            lambda X: 1e-150 * X,
            lambda X: 1e6 + X,
        ],
        ids=["exp", "cube", "rank", "huge", "tiny", "shift"],
    )
    def test_increasing_maps(self, rise, n_pieces):
        mapped = rise(self.X)
        X = self.X if mapped.shape[1] == 3 else self.X[:, [0, 2]]
        found, expected = (Pieces.of(A, n_pieces).encoded(A) for A in (mapped, X))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)

    def test_many_values(self):
        """Between the ranks that are kept they are linear in x: off by less than their distance."""
        x = np.random.default_rng(4).normal(size=(3000, 1))
        found, expected = (Pieces.of(A, 8).encoded(A) for A in (np.exp(3.0 * x), x))
        assert np.abs(found - expected).max() < 8.0 / 250
        assert np.abs(found - expected).mean() < 1e-3

    def test_decreasing_maps(self):
        """Pieces come in the other order, and fall where they rose."""
        x = COLUMNS["continuous"][:, np.newaxis]
        found, expected = Pieces.of(-x, 5).encoded(-x), Pieces.of(x, 5).encoded(x)
        np.testing.assert_allclose(found, 1.0 - expected[:, ::-1], rtol=0, atol=1e-12)

    def test_single_precision(self):
        X = self.X.astype(np.float32)
        pieces = Pieces.of(X, 8)
        found = pieces.encoded(X)
        assert found.dtype == np.float32 and found.min() >= 0.0 and found.max() <= 1.0
        double = X.astype(float)
        expected = Pieces.of(double, 8).encoded(double)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)

    @each_column
    def test_weights_are_copies(self, x):
        copies = np.random.default_rng(5).integers(1, 6, x.size)
        repeated = np.repeat(x, copies)
        one = Curve.of(x, copies.astype(float), 6)
        other = Curve.of(repeated, np.ones(repeated.size), 6)
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.knots, other.knots)
        np.testing.assert_allclose(one.ranks, other.ranks, rtol=1e-12)

    def test_blocks_of_rows(self):
        """As many rows at a time as there may be numbers: the array is the same one."""
        X = np.random.default_rng(6).normal(size=(LIMITS.transformed // 40, 6))
        pieces = Pieces.of(X, 8, include_input=True)
        assert X.shape[0] * pieces.size > LIMITS.transformed
        np.testing.assert_array_equal(pieces.encoded(X), pieces.of_ranks(pieces.ranks(X)))


def function(pieces, W, b, X):
    return pieces.encoded(X) @ W + b


KINDS = [{}, {"include_input": True}, {"include_rank": True}]
KINDS.append({"include_input": True, "include_rank": True})


class TestOtherPieces:
    """Weights of other pieces, for the same sum of curves."""

    X = np.random.default_rng(7).normal(size=(250, 3))
    X[:, 2] = np.random.default_rng(8).integers(0, 2, 250)

    def moved(self, old, new):
        rng = np.random.default_rng(9)
        W, b = rng.normal(size=(old.size, 4)), rng.normal(size=4)
        factor, offset = new.in_terms_of(old)
        assert factor.shape == (new.size, old.size) and offset.shape == (old.size,)
        return (old, W, b), (new, factor @ W, b + offset @ W)

    def at_knots(self, pieces, n=200):
        """Samples all of whose columns are at knots of theirs."""
        rng = np.random.default_rng(10)
        columns = [
            rng.choice(self.X[:, j] if curve is None else curve.knots, n)
            for j, curve in enumerate(pieces.curves)
        ]
        return np.column_stack(columns)

    @pytest.mark.parametrize("include", KINDS, ids=str)
    @pytest.mark.parametrize(("before", "after"), [(4, 8), (5, 8), (8, 3), (16, 1), (1, 16)])
    def test_kept_at_the_new_knots(self, include, before, after):
        old = Pieces.of(self.X[:120], before, **include)
        new = Pieces.of(self.X, after, **include)
        one, other = self.moved(old, new)
        samples = self.at_knots(new)
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=0, atol=1e-12
        )

    @pytest.mark.parametrize("include", KINDS, ids=str)
    def test_kept_as_a_whole_where_knots_are_nested(self, include):
        old, new = (Pieces.of(self.X, n, **include) for n in (4, 16))
        assert set(old.curves[0].knots) < set(new.curves[0].knots)
        one, other = self.moved(old, new)
        samples = np.vstack([self.X, 3.0 * self.X[:20]])
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=0, atol=1e-12
        )

    @pytest.mark.parametrize("include", KINDS, ids=str)
    @pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 8), (4, 8), (8, 3), (16, 1)])
    @pytest.mark.parametrize("gaps_before", [True, False])
    def test_kept_where_there_are_gaps(self, include, before, after, gaps_before):
        """Old columns that had no gaps yet read one as their middle."""
        X = self.X.copy()
        X[::7, 0] = X[3::5, 2] = np.nan
        first = X[:120] if gaps_before else self.X[:120]
        old = Pieces.of(first, before, kinds=Kinds.of(first), **include)
        new = Pieces.of(X, after, kinds=Kinds.of(X), **include)
        one, other = self.moved(old, new)
        samples = self.at_knots(new)
        samples[::3, 0] = samples[1::4, 2] = np.nan
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=0, atol=1e-12
        )

    def test_plain_columns_stay_beside_their_pieces(self):
        old, new = Pieces.plain(3), Pieces.of(self.X, 8, include_input=True)
        one, other = self.moved(old, new)
        samples = 10.0 * self.X
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=1e-13, atol=1e-13
        )
        np.testing.assert_array_equal(other[1][~new.straight], 0.0)

    def test_plain_columns_become_pieces_alone(self):
        one, other = self.moved(Pieces.plain(3), Pieces.of(self.X, 8))
        samples = self.at_knots(other[0])
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=0, atol=1e-12
        )

    def test_pieces_become_a_plain_column(self):
        """The line through both ends."""
        old = Pieces.of(self.X[:, :1], 6)
        rng = np.random.default_rng(11)
        W, b = rng.normal(size=(6, 2)), rng.normal(size=2)
        factor, offset = Pieces.plain(1).in_terms_of(old)
        ends = old.curves[0].knots[[0, -1]][:, np.newaxis]
        np.testing.assert_allclose(
            ends @ (factor @ W) + b + offset @ W, function(old, W, b, ends), rtol=0, atol=1e-12
        )

    def test_a_column_that_gets_pieces_and_one_that_loses_them(self):
        old_X, new_X = self.X.copy(), self.X.copy()
        old_X[:, 0] = old_X[:, 0] > 0
        new_X[:, 1] = new_X[:, 1] > 0
        old, new = Pieces.of(old_X, 5), Pieces.of(new_X, 5)
        assert old.n_pieces.tolist() == [0, 5, 0] and new.n_pieces.tolist() == [5, 0, 0]
        one, other = self.moved(old, new)
        rng = np.random.default_rng(12)
        ends = old.curves[1].knots[[0, -1]]
        samples = np.column_stack(
            [rng.choice(new.curves[0].knots, 50), rng.choice(ends, 50), rng.normal(size=50)]
        )
        np.testing.assert_allclose(
            function(*other, samples), function(*one, samples), rtol=0, atol=1e-12
        )


def test_limits_of_the_ranks():
    """How many values are kept is a limit of the package, and may be another one."""
    x = np.random.default_rng(0).normal(size=1000)
    few = replace(LIMITS, ranks=20).ranks
    assert Curve.of(x, np.ones(1000), 8, resolution=few).values.size <= 20


def mixed(n=400, seed=0):
    """Numbers with and without gaps, a column of gaps alone, one of 0 and 1, and categories."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [
            rng.normal(size=n),
            np.where(rng.random(n) < 0.2, np.nan, rng.exponential(size=n)),
            np.full(n, np.nan),
            rng.integers(0, 2, n),
            rng.integers(0, 5, n),
            np.minimum(rng.geometric(0.15, n) - 1, 40),
            rng.normal(100.0, 5.0, n),
        ]
    )
    return X, np.isin(np.arange(7), (4, 5))


NAMES = ["a", "gappy", "gaps", "flag", "town", "shop", "b"]


# What is common is a level of so many samples here.
SOME = replace(TUNED, level_rows=60)


class TestKinds:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("n_pieces", [0, 1, 6])
    @pytest.mark.parametrize("include", KINDS, ids=str)
    def test_by_definition(self, include, n_pieces, weighted, dtype):
        """Curves of what is there, ones where there is nothing, and a column for a level."""
        X, categorical = mixed()
        X = X.astype(dtype)
        weight = np.random.default_rng(1).integers(1, 4, 400).astype(float) if weighted else None
        kinds = Kinds.of(X, weight, categorical, SOME)
        pieces = Pieces.of(X, n_pieces, weight, kinds=kinds, **include)
        new, _ = mixed(100, seed=2)
        new = new.astype(dtype)
        new[:4, 5], new[4, 4] = [np.nan, 40.0, 39.0, 50.0], np.nan
        new[5:9, [0, 3]] = np.nan  # training had no gaps there
        expected, names = [], []
        for column in (0, 1, 2, 3, 6):
            x, there = new[:, column], ~np.isnan(X[:, column])
            gap, had = np.isnan(x), not there.all()
            w = np.ones(400) if weight is None else weight
            mean = np.average(X[there, column], weights=w[there]) if there.any() else 0.0
            curve = n_pieces > 0 and column in (0, 1, 6)
            if not curve:
                expected.append(np.where(gap, mean, x)[:, None])
                names.append(NAMES[column])
                continue
            alone = Pieces.of(X[there][:, [column]], n_pieces, w[there], **include)
            found = alone.encoded(np.where(gap, 0.0, x)[:, None])
            middle = alone.of_ranks(np.array([[0.5] * alone.n_ranks]))[0]
            found[gap] = 0.0 if had else middle
            found[np.ix_(gap, alone.straight)] = mean
            expected.append(found)
            names += list(alone.names([NAMES[column]]))
        for column in (1, 2):
            expected.append(np.isnan(new[:, [column]]))
            names.append(NAMES[column] + "_missing")
        for column in (4, 5):
            expected.append(new[:, [column]] == np.asarray(kinds.levels[column]))
            names += [f"{NAMES[column]}_L{code}" for code in kinds.levels[column]]
        expected = np.hstack(expected).astype(dtype)
        found = pieces.encoded(new)
        assert found.dtype == dtype and found.shape == (100, pieces.size)
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-10
        )
        labels = [[f"L{code}" for code in range(n)] for n in (5, 41)]
        assert pieces.names(NAMES, labels).tolist() == names
        last = pieces.names(NAMES)[-1]
        assert last == f"shop_{kinds.levels[5][-1]}"
        assert pieces.is_level.sum() == 5 + len(kinds.levels[5]) and pieces.is_level[-1]
        assert np.isfinite(found).all()

    def test_complete_numbers_are_what_they_were(self):
        X = np.random.default_rng(3).normal(size=(200, 3))
        plain, kinds = Pieces.of(X, 5), Pieces.of(X, 5, kinds=Kinds.of(X))
        np.testing.assert_array_equal(plain.encoded(X), kinds.encoded(X))
        assert plain.names("abc").tolist() == kinds.names("abc").tolist()

    def test_columns_in_any_order(self):
        X, categorical = mixed()
        pieces = Pieces.of(X, 4, kinds=Kinds.of(X, None, categorical))
        whole, ranks = pieces.encoded(X), pieces.ranks(X)
        rng = np.random.default_rng(4)
        for columns in (
            *(rng.permutation(pieces.size) for _ in range(5)),
            *(rng.random(pieces.size) < 0.5, slice(None, None, -1), slice(3, -2)),
            *(np.flatnonzero(pieces.is_level), np.arange(3), np.array([], dtype=int)),
        ):
            np.testing.assert_array_equal(pieces.of_ranks(ranks, columns), whole[:, columns])


class TestOtherKinds:
    """Gaps and levels that come later, and weights for the same function."""

    def moved(self, old, new, X, samples, atol=1e-10):
        rng = np.random.default_rng(9)
        W, b = rng.normal(size=(old.size, 4)), rng.normal(size=4)
        factor, offset = new.in_terms_of(old)
        np.testing.assert_allclose(
            function(new, factor @ W, b + offset @ W, samples),
            function(old, W, b, samples),
            rtol=0,
            atol=atol,
        )

    def at_knots(self, pieces, X):
        """These samples with the numbers moved to the nearest knots; gaps and levels stay."""
        X = X.copy()
        for column, curve in enumerate(pieces.curves):
            if curve is not None:
                x = X[:, column]
                nearest = np.abs(x[:, None] - curve.knots).argmin(axis=1)
                X[:, column] = np.where(np.isnan(x), x, curve.knots[nearest])
        return X

    @pytest.mark.parametrize("include", KINDS, ids=str)
    @pytest.mark.parametrize(
        ("before", "after"), [(0, 0), (0, 3), (0, 8), (3, 3), (3, 8), (8, 3), (8, 8)]
    )
    def test_function_stays(self, include, before, after):
        """Also what it is at a gap, and at a level."""
        X, categorical = mixed()
        old_kinds = Kinds.of(X[:90], None, categorical)
        new_kinds = Kinds.of(X, None, categorical).joined(old_kinds)
        assert len(new_kinds.levels[5]) >= len(old_kinds.levels[5])
        old = Pieces.of(X[:90], before, kinds=old_kinds, **include)
        new = Pieces.of(X, after, kinds=new_kinds, **include)
        samples = self.at_knots(new, X)
        self.moved(old, new, X, samples)

    @pytest.mark.parametrize("include", KINDS, ids=str)
    @pytest.mark.parametrize("before", [0, 4])
    def test_gaps_that_come_later(self, include, before):
        """They were the median, or the mean; then they have a column."""
        rng = np.random.default_rng(5)
        X = rng.normal(size=(300, 2)) + [3.0, -50.0]
        X[200:][rng.random((100, 2)) < 0.3] = np.nan
        old = Pieces.of(X[:200], before, kinds=Kinds.of(X[:200]), **include)
        new = Pieces.of(X, 7, kinds=Kinds.of(X), **include)
        assert not old.kinds.gaps.any() and new.kinds.gaps.all()
        assert [name for name in new.names("ab") if "missing" in name] == ["a_missing", "b_missing"]
        self.moved(old, new, X, self.at_knots(new, X))

    def test_a_column_of_gaps_gets_numbers(self):
        rng = np.random.default_rng(6)
        X = rng.normal(size=(300, 2))
        X[:200, 0] = np.nan
        old = Pieces.of(X[:200], 4, kinds=Kinds.of(X[:200]))
        new = Pieces.of(X, 4, kinds=Kinds.of(X).joined(old.kinds))
        assert old.curves[0] is None and new.curves[0] is not None
        self.moved(old, new, X, self.at_knots(new, X))
