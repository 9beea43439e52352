"""Scores of slopes, where these differ from level to level."""

import numpy as np
import pytest

from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.levels import CodeColumn, OneHotBlock
from skmdlam.engine.level_scores import LevelScores, ScoredSamples, folds_of
from skmdlam.engine.level_slopes import slopes_of_levels
from skmdlam.engine.newton_steps import from_outputs
from skmdlam.engine.problem import Problem
from skmdlam.losses import LogisticLoss, SquaredError

N = 4000
RNG = np.random.default_rng(4)
CODES = RNG.integers(0, 50, N)
X = np.column_stack([CODES, 3.0 + 2.0 * RNG.normal(size=(N, 3))])
X[RNG.random(N) < 0.1, 3] = np.nan
SLOPE = RNG.normal(size=50)
NOISE = RNG.normal(size=N)
Z = SLOPE[CODES] * (X[:, 2] - 3.0)
IS_CODE = np.array([True, False, False, False])
CATEGORY = CodeColumn(0, 50)


def scored_of(y, data=X, category=CATEGORY, weight=None, loss=None, rest=None):
    """Samples with one score that says nothing."""
    y = y[:, None] if y.ndim == 1 else y
    loss = SquaredError() if loss is None else loss
    problem = Problem(data, np.asfortranarray(y), [], loss, None, 0.0, weight)
    kinds = Kinds.of(data, weight, IS_CODE[: data.shape[1]]) if data.shape[1] == 4 else None
    rest = data if rest is None else rest
    kinds = kinds if rest is data else None
    values = np.zeros((len(data), 1), dtype=data.dtype)
    scores = LevelScores([category], [np.zeros(category.n_levels + 1)], [0.0])
    return ScoredSamples(problem, rest, kinds, values, scores, folds_of(problem, [category]))


def slopes(scored):
    """Samples with slopes, of a network that knows nothing."""

    steps = from_outputs(scored.problem, np.zeros(scored.problem.Y.shape))
    more = slopes_of_levels(scored, scored.scores.categories, scored.folds, steps)
    return scored.with_more(*zip(*more, strict=True)) if more else scored


def likeness(table, slope=SLOPE):
    return np.corrcoef(table[: len(slope)], slope)[0, 1]


def test_found_where_they_are():
    scored = scored_of(Z + 0.3 * NOISE)
    found = slopes(scored)
    assert found.scores.categories == [CATEGORY, CATEGORY] and found.values.shape == (N, 2)
    assert found.folds == scored.folds * 2
    assert likeness(found.scores.tables[1]) > 0.99
    # Units are standard deviations of the column, and the gain is what is said to be.
    spread = X[:, 2].std()
    np.testing.assert_allclose(found.scores.tables[1][:-1], SLOPE * spread, rtol=0, atol=0.3)
    x = (X[:, 2] - X[:, 2].mean()) / spread
    y = Z + 0.3 * NOISE
    left = np.sum((y - y.mean() - found.values[:, 1] * x) ** 2)
    assert found.scores.gains[1] == pytest.approx(1.0 - left / np.sum(y**2), abs=0.01)
    assert found.scores.gains[1] > 0.9


@pytest.mark.parametrize("weighted", [False, True])
def test_a_sample_does_not_know_itself(weighted):
    """But by the mean of all slopes."""
    y = Z + NOISE
    weight = RNG.integers(1, 4, N) * 1.0 if weighted else None
    one = slopes(scored_of(y, weight=weight))
    y = y.copy()
    y[17] += 20.0
    other = slopes(scored_of(y, weight=weight))
    same = one.folds[0].fold == one.folds[0].fold[17]
    one, other = (each.values[:, 1] - each.scores.tables[1][-1] for each in (one, other))
    np.testing.assert_allclose(one[same], other[same], rtol=0, atol=1e-12)
    assert np.abs(one - other)[~same & (CODES[17] == CODES)].min() > 1e-3


def test_none_where_there_are_none():
    """The very same samples, of noise, of effects of levels, and without numbers."""
    nothing = NOISE, RNG.normal(size=50)[CODES] + NOISE, np.sin(X[:, 2]) + NOISE
    for y in nothing:
        scored = scored_of(y - y.mean())
        assert slopes(scored) is scored
    scored = scored_of(Z, rest=X[:, :0])
    assert slopes(scored) is scored
    scored = scored_of(Z, rest=np.column_stack([np.full(N, 0.1), np.full(N, np.nan)]))
    assert slopes(scored) is scored


def test_a_code_is_no_number():
    """Slopes in the codes of another category would be effects of pairs of levels."""
    data = X.copy()
    data[:, 0], data[:, 1] = X[:, 1], CODES
    is_code = np.array([True, True, False, False])
    data[:, 0] = np.random.default_rng(0).integers(0, 2, N)
    y = SLOPE[CODES] * (data[:, 0] - 0.5) * 4.0
    scored = scored_of(y, data, CodeColumn(1, 50))
    kinds = Kinds.of(data, None, is_code)
    scored = ScoredSamples(*(vars(scored) | {"kinds": kinds}).values())
    assert slopes(scored) is scored


def test_of_the_output_that_has_them():
    y = np.column_stack([NOISE, RNG.normal(size=N), Z + 0.3 * NOISE])
    found = slopes(scored_of(y))
    assert found.scores.size == 2 and likeness(found.scores.tables[1]) > 0.99


def test_of_labels():
    y = (RNG.logistic(size=N) < Z) * 1.0
    found = slopes(scored_of(y, loss=LogisticLoss()))
    assert found.scores.size == 2 and likeness(found.scores.tables[1]) > 0.9
    assert TUNED.slope_gain < found.scores.gains[1] < 1.0


def test_wrong_samples_of_little_weight():
    wrong = RNG.random(N) < 0.5
    y = np.where(wrong, 30.0 * NOISE, Z + 0.3 * NOISE)
    found = slopes(scored_of(y, weight=np.where(wrong, 1e-6, 1.0)))
    assert likeness(found.scores.tables[1]) > 0.99


@pytest.mark.parametrize("level", [0.1, 1e6, -3e-5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns(level, dtype):
    """Their rounding errors are no numbers."""
    data = np.column_stack([X[:, 0], np.full(N, level), np.full(N, level / 3)]).astype(dtype)
    y = RNG.normal(size=50)[CODES] + 0.1 * NOISE
    scored = scored_of(y, data, rest=data[:, 1:])
    assert slopes(scored) is scored


def test_of_a_block_and_single_precision():
    data = np.hstack([X[:, 1:3], np.eye(50)[CODES]]).astype(np.float32)
    block = OneHotBlock(np.arange(2, 52))
    found = slopes(scored_of(Z + 0.3 * NOISE, data, block, rest=data[:, :2]))
    assert found.values.dtype == np.float32
    assert likeness(found.scores.tables[1]) > 0.99
