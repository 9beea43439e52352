"""Columns of numbers whose values have effects of their own, and those that are but numbers."""

import time

import numpy as np
import pytest

from skmdlam import MDLAMRegressor
from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.problem import Problem
from skmdlam.engine.ties import numbers_with_levels
from skmdlam.losses import LogisticLoss, SoftmaxCrossEntropy, SquaredError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 1500
RNG = np.random.default_rng(0)
CODE = RNG.integers(0, 50, N)
NUMBERS = RNG.normal(size=(N, 2))
NOISE = RNG.normal(size=N)
EFFECT = RNG.normal(size=50)
# Most are zero, among the others are special ones.
AMOUNTS = np.r_[0.0, np.round(np.random.default_rng(1).gamma(1.0, 4000.0, 40), 2)]
CHANCE = np.r_[0.6, np.full(40, 0.01)]
AMOUNT = RNG.choice(41, N, p=CHANCE)
SPECIAL = np.where(np.arange(41) % 3 == 1, 3.0, 0.0)


def targets(kind, z):
    """Those of a loss for outputs z."""
    if kind == "numbers":
        return SquaredError(), 100.0 * z[:, None]
    if kind == "labels":
        return LogisticLoss(), (RNG.logistic(size=len(z)) < 2.0 * z)[:, None] * 1.0
    return SoftmaxCrossEntropy(), np.eye(3)[np.digitize(z, np.quantile(z, [0.3, 0.7]))]


def found(X, z, weight=None, kind="numbers", kinds=None):
    loss, Y = targets(kind, z)
    Y = np.asfortranarray(Y, dtype=X.dtype)
    problem = Problem(X, Y, [], loss, None, 0.0, weight, kinds=kinds)
    before = X.copy()
    ties = numbers_with_levels(problem)
    np.testing.assert_array_equal(X, before)
    for each in ties:
        values = np.unique(X[:, each.column])
        np.testing.assert_array_equal(each.values, values[~np.isnan(values)])
    return [each.column for each in ties]


def beside(x, others=NUMBERS):
    return np.column_stack([others[:, 0], x, others[:, 1:]])


every_kind = pytest.mark.parametrize("kind", ["numbers", "labels", "classes"])
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


class TestFound:
    @every_dtype
    @every_kind
    def test_codes(self, kind, dtype):
        z = EFFECT[CODE] + NUMBERS[:, 0] + 0.3 * NOISE
        for codes in (CODE, 2011.0 + 0.5 * CODE, -1e-5 * CODE, 1e6 * CODE):
            assert found(beside(codes).astype(dtype), z, kind=kind) == [1]

    @every_dtype
    @every_kind
    def test_amounts(self, kind, dtype):
        z = SPECIAL[AMOUNT] + 0.5 * NUMBERS[:, 0] + 0.5 * NOISE
        assert found(beside(AMOUNTS[AMOUNT]).astype(dtype), z, kind=kind) == [1]

    def test_beside_smooth_ones(self):
        """Two of four columns with ties."""
        other = RNG.integers(0, 30, N)
        age, rooms = RNG.integers(18, 80, N), RNG.integers(1, 15, N)
        z = EFFECT[CODE] + RNG.normal(size=30)[other] + 0.03 * age + np.sqrt(rooms) + 0.3 * NOISE
        assert found(np.column_stack([age, CODE, rooms, other]).astype(float), z) == [1, 3]

    def test_on_top_of_a_curve(self):
        z = EFFECT[CODE] + 5.0 * np.sin(CODE / 8.0) + 0.3 * NOISE
        assert found(beside(CODE), z) == [1]

    def test_apart_by_rounding_only(self):
        """Seconds since 1970 in single precision, of some hours: no curve, and no levels."""
        seconds = (1.5e9 + 128.0 * CODE).astype(np.float32)
        X = beside(seconds).astype(np.float32)
        assert np.unique(X[:, 1]).size == 50
        assert found(X, EFFECT[CODE] + 0.3 * NOISE) == []

    def test_with_gaps(self):
        gone = RNG.random((N, 2)) < 0.2
        X = beside(np.where(gone[:, 0], np.nan, CODE))
        X[gone[:, 1], 0] = np.nan
        z = np.where(gone[:, 0], 0.5, EFFECT[CODE]) + 0.3 * NOISE
        assert found(X, z) == [1]

    def test_weights_are_copies(self):
        """Samples of little weight say little, here and there."""
        wrong = np.arange(N) % 2 == 0
        z = np.where(wrong, 20.0 * NOISE, EFFECT[CODE] + 0.3 * NOISE)
        assert found(beside(CODE), z) == []
        assert found(beside(CODE), z, np.where(wrong, 1e-4, 2.0)) == [1]
        nothing = np.where(wrong, EFFECT[CODE], NOISE)
        assert found(beside(CODE), nothing, np.where(wrong, 1e-6, 1.0)) == []
        copies = RNG.integers(1, 4, N)
        z = EFFECT[CODE] + 0.5 * NOISE
        for y in (z, np.sin(CODE / 9.0) + 0.5 * NOISE):
            repeated = found(np.repeat(beside(CODE), copies, axis=0), np.repeat(y, copies))
            assert found(beside(CODE), y, copies * 1.0) == repeated

    def test_of_one_of_many_classes(self):
        """It is enough that they tell one from the others."""
        label = np.where(EFFECT[CODE] > 1.0, 5, RNG.integers(0, 5, N))
        Y = np.asfortranarray(np.eye(6)[label])
        problem = Problem(beside(CODE), Y, [], SoftmaxCrossEntropy(), None, 0.0, None)
        assert [each.column for each in numbers_with_levels(problem)] == [1]

    def test_of_many_samples(self):
        """A part of them is looked at; values are those of all."""
        n = TUNED.ties_rows + 5000
        rng = np.random.default_rng(2)
        codes = rng.integers(0, 120, n).astype(float)
        rare = rng.integers(0, n)
        codes[rare] = 777.0
        z = rng.normal(size=121)[np.minimum(codes, 120).astype(int)] + 0.5 * rng.normal(size=n)
        assert found(np.column_stack([codes, rng.normal(size=n)]), z) == [0]


SMOOTH = {
    "line": lambda x: x / 10.0,
    "parabola": lambda x: (x - 20.0) ** 2 / 100.0,
    "wave": lambda x: np.sin(x / 8.0),
    "step": lambda x: (x > 17.0) * 2.0,
    "steps": lambda x: (x > 9.0) - 2.0 * (x > 21.0) + (x > 38.0),
    "decay": lambda x: 3.0 * np.exp(-x / 5.0),
    "nothing": lambda x: 0.0 * x,
}


class TestNotFound:
    @every_kind
    @pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
    def test_curves(self, function, kind):
        z = function(CODE) + 0.5 * NUMBERS[:, 0] + 0.5 * NOISE
        assert found(beside(CODE), z - z.mean(), kind=kind) == []

    @pytest.mark.parametrize("seed", range(5))
    def test_noise(self, seed):
        """Of twenty columns of every number of values."""
        rng = np.random.default_rng(seed)
        X = rng.integers(0, rng.integers(11, 150, 20), (N, 20)).astype(float)
        for kind in ("numbers", "classes"):
            assert found(X, rng.normal(size=N), kind=kind) == []
        few = X[:300] % 25
        assert found(few, rng.normal(size=300)) == []

    def test_products(self):
        """What two columns do together is not what values of one do."""
        other = RNG.integers(0, 40, N)
        z = (CODE - 25.0) * (other - 20.0) / 100.0 + 0.3 * NOISE
        assert found(np.column_stack([CODE, other]).astype(float), z) == []

    def test_continuous(self):
        assert found(NUMBERS, np.sin(5.0 * NUMBERS[:, 0])) == []

    @pytest.mark.parametrize("n_levels", [TUNED.few_levels, N // TUNED.ties_samples + 1])
    def test_few_values_or_many(self, n_levels):
        """A curve has a piece for each of few, and of many each has few samples."""
        codes = np.arange(N) % n_levels
        z = RNG.normal(size=n_levels)[codes]
        assert found(beside(codes), z) == []
        more = codes if n_levels > TUNED.few_levels else np.arange(N) % (n_levels + 1)
        most = np.minimum(more, N // TUNED.ties_samples - 1)
        assert found(beside(most), RNG.normal(size=n_levels + 1)[most]) == [1]

    def test_categories(self):
        """Codes of a category are levels already."""
        X = beside(CODE)
        kinds = Kinds.of(X, None, np.array([False, True, False]))
        assert found(X, EFFECT[CODE], kinds=kinds) == []

    @pytest.mark.filterwarnings("error")
    def test_constants_and_gaps(self):
        X = np.column_stack([np.full(N, 0.1), np.full(N, np.nan), np.where(CODE < 9, CODE, np.nan)])
        assert found(X, EFFECT[CODE]) == []
        assert found(beside(CODE), np.full(N, 4.0)) == []
        assert found(beside(CODE), np.zeros(N)) == []
        assert found(beside(CODE)[:12], NOISE[:12]) == []


@pytest.mark.slow
def test_time_of_pictures():
    """Hundreds of columns with ties that say nothing cost little more than to look at them."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 200, (2000, 150)).astype(float)
    problem = Problem(
        X, np.eye(10)[rng.integers(0, 10, 2000)], [], SoftmaxCrossEntropy(), None, 0.0
    )
    start = time.process_time()
    assert numbers_with_levels(problem) == []
    assert time.process_time() - start < 2.0  # 0.4 s; with a curve for each 15 times as much


TRAIN, TEST = slice(0, 1000), slice(1000, N)


@pytest.fixture(scope="module")
def known():
    """X, y, and a model of the training samples, for 40 prices."""
    rng = np.random.default_rng(5)
    code = rng.integers(0, 40, N)
    X = beside(np.round(2.99 + 1.7 * code, 2), NUMBERS)
    y = 2.0 * rng.normal(size=40)[code] + np.sin(2.0 * X[:, 0]) + X[:, 2] + 0.3 * NOISE
    model = MDLAMRegressor(random_state=0, max_iter=60).fit(X[TRAIN], y[TRAIN])
    return X, y, model


class TestWholeFits:
    """Numbers that are levels, in a whole estimator."""

    def score(self, known, dtype=np.float64):
        X, y, model = known
        return model.score(X[TEST].astype(dtype), y[TEST])

    @pytest.mark.slow
    def test_near_the_best(self, known):
        _, y, model = known
        assert model.input_names_[-1].startswith("x1_score")
        assert self.score(known) > 1.0 - 0.3**2 / y[TEST].var() - 0.02

    @pytest.mark.slow
    def test_precision_does_not_matter(self, known):
        """Prices are the same in single precision."""
        X, y, _ = known
        assert self.score(known, np.float32) == pytest.approx(self.score(known), abs=1e-4)
        X = X.astype(np.float32)
        model = MDLAMRegressor(random_state=0, max_iter=30).fit(X[TRAIN], y[TRAIN])
        expected = model.predict(X[TEST])
        found = model.predict(known[0][TEST])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)

    def test_a_price_that_is_new(self, known):
        """It has what the curve says and no effect of its own: finite, near the others."""
        X, y, model = known
        new = X[TEST].copy()
        new[:, 1] = 30.5
        assert np.abs(model.predict(new) - y.mean()).max() < 8.0
        gone = X[TEST].copy()
        gone[:, 1] = np.nan
        assert np.isfinite(model.predict(gone)).all()
