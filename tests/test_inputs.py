"""Names of what the first layer sees, the rows of the first weights."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, WeightsDisplay
from skmdlam._inputs import InputColumns, categories_to_score, scored_problem
from skmdlam.engine.inputs.kinds import Kinds
from skmdlam.engine.inputs.levels import CodeColumn, OneHotBlock, TiedNumbers
from skmdlam.engine.level_scores import LevelScores, first_scores, folds_of
from skmdlam.engine.problem import Problem
from skmdlam.losses import AbsoluteError, SquaredError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(4)
CODES = rng.integers(0, 45, 400)
TOWNS = np.array([f"t{code}" for code in CODES], dtype=object)
NUMBERS = rng.normal(size=(400, 2))
COLORS = rng.choice(np.array(["red", "blue", None]), 400)
TABLE = pd.DataFrame(
    {"age": NUMBERS[:, 0], "town": TOWNS, "color": COLORS, "whole": rng.integers(0, 3, 400)}
).assign(age=lambda table: table["age"].where(NUMBERS[:, 1] < 1.0))
EFFECT = 3.0 * rng.normal(size=(45, 2))[CODES] + rng.normal(size=(400, 2))
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}


def regressor(**options):
    return MDLAMRegressor(**{**QUICK, **options})


class TestNames:
    def test_plain_columns(self):
        model = regressor(encoding=None).fit(NUMBERS, EFFECT[:, 0])
        assert model.input_names_.tolist() == ["x0", "x1"]
        frame = pd.DataFrame(NUMBERS, columns=["width", "height"])
        assert clone(model).fit(frame, CODES).input_names_.tolist() == ["width", "height"]

    def test_curves_are_those_of_the_encoder(self):
        frame = TABLE[["age", "whole"]]
        model = regressor(encoding=PiecewiseLinearEncoder(n_bins=4)).fit(frame, CODES)
        names = model.input_names_.tolist()
        assert names == model.encoder_.get_feature_names_out().tolist()
        assert names[:2] == ["age_rank", "age_pl_0"] and names[-1] == "age_missing"
        assert model.encoder_.transform(frame).shape == (400, len(names))

    @pytest.mark.parametrize("encoding", [None, "piecewise"])
    def test_categories(self, encoding):
        model = regressor(encoding=encoding).fit(TABLE, EFFECT)
        names = model.input_names_.tolist()
        assert len(names) == len(set(names)) == len(model.coefs_[0])
        assert names[-4:] == ["age_missing", "color_blue", "color_red", "color_missing"]
        assert names[0] == ("age" if encoding is None else "age_rank")
        scores = [name.removesuffix("_rank") for name in names if name.startswith("town")]
        assert (scores[0] == "town_score_0" and "_pl_" in "".join(scores)) or encoding is None
        assert pickle.loads(pickle.dumps(model)).input_names_.tolist() == names

    def test_scores(self):
        """One of a column is called that, several have numbers; a block is first..last."""
        names, block = list("abcdef"), np.arange(2, 5)
        tables, kept = [np.zeros(4)] * 4, np.array([0, 1, 5])
        blocks = [OneHotBlock(block), OneHotBlock(block.copy())]
        categories = [CodeColumn(0, 3), *blocks, TiedNumbers(5, np.arange(3.0))]
        scores = LevelScores(categories, tables, [1.0] * 4)
        columns = InputColumns(kept, scores, None, 6)
        expected = ["a", "b", "f", "a_score", "c..e_score_0", "c..e_score_1", "f_score"]
        assert columns.names(names, {}).tolist() == expected
        assert columns.source.tolist() == [0, 1, 5, 0, 6, 6, 5]
        (found,) = columns.blocks
        np.testing.assert_array_equal(found, block)
        assert InputColumns(kept, None, None, 6).names(names, {}).tolist() == ["a", "b", "f"]

    def test_rows_are_what_they_are_called(self):
        """Another weight in a row moves the samples of its level, or with a gap, and no others."""
        frame = TABLE.assign(town="t0")
        model = regressor(activation="identity").fit(frame, EFFECT[:, 0])
        before = model.predict(frame)
        for name, own in {
            "color_red": frame["color"] == "red",
            "color_missing": frame["color"].isna(),
            "age_missing": frame["age"].isna(),
        }.items():
            other = pickle.loads(pickle.dumps(model))
            other.coefs_[0][other.input_names_.tolist().index(name)] += 1.0
            np.testing.assert_array_equal(other.predict(frame) != before, own)

    @pytest.mark.slow
    def test_one_hot_columns(self):
        columns = pd.get_dummies(TOWNS).astype(float)[[f"t{code}" for code in range(45)]]
        X = np.column_stack([columns, NUMBERS])
        model = regressor().fit(X, EFFECT[:, 0])
        assert model.input_names_[-1].startswith("x0..x44_score")
        linear = regressor(hidden_layer_sizes=()).fit(X, EFFECT[:, 0])
        assert linear.input_names_.tolist() == [f"x{column}" for column in range(47)]
        columns["height"] = NUMBERS[:, 0]
        model = regressor().fit(columns, EFFECT[:, 0])
        names = model.input_names_.tolist()
        assert names[0].startswith("height") and names[-1].startswith("t0..t44_score")

    def test_streams(self):
        """Levels that are new later have rows behind; their names are theirs."""
        model = MDLAMClassifier(**QUICK)
        for rows in np.array_split(np.arange(400), 4):
            chunk = TABLE.iloc[rows].assign(
                age=0.1, color=TABLE["color"].where(TABLE.index >= 150, "red")
            )
            model.partial_fit(chunk, EFFECT[rows, 0] > 0, classes=[False, True])
            assert len(model.input_names_) == len(model.coefs_[0])
        names = model.input_names_.tolist()
        assert [name for name in names if name.startswith("color")] == [
            "color_red",
            "color_blue",
            "color_missing",
        ]
        assert sum(name.startswith("town_t") for name in names) == len(model.categories_[0])

    def test_levels_that_are_numbers(self):
        X = np.column_stack([NUMBERS[:, 0], CODES % 4 + 5])
        model = regressor(encoding=None, categorical_features=[1]).fit(X, CODES)
        assert model.input_names_.tolist() == ["x0", "x1_5.0", "x1_6.0", "x1_7.0", "x1_8.0"]

    def test_only_after_a_fit(self):
        assert not hasattr(regressor(), "input_names_")
        with pytest.raises(AttributeError, match="MDLAMRegressor is not fitted"):
            regressor().input_names_  # noqa: B018


class TestEncoder:
    """That of an estimator whose table has categories encodes numbers that only this knows."""

    @pytest.mark.parametrize("table", [TABLE, TABLE[["age", "color"]]])
    def test_categories(self, table):
        encoder = regressor(encoding="piecewise").fit(table, EFFECT[:, 0]).encoder_
        for use in (lambda: encoder.transform(table), encoder.get_feature_names_out):
            with pytest.raises(ValueError, match=r"whose X has categories.*input_names_"):
                use()
        assert clone(encoder).fit(NUMBERS).transform(NUMBERS).shape == (400, 18)
        assert encoder.fit(NUMBERS).transform(NUMBERS).shape == (400, 18)

    @pytest.mark.slow
    def test_one_hot_columns(self):
        X = np.column_stack([pd.get_dummies(TOWNS).to_numpy(float), NUMBERS])
        encoder = regressor(encoding="piecewise").fit(X, EFFECT[:, 0]).encoder_
        with pytest.raises(ValueError, match="as many one-hot columns"):
            encoder.transform(X)


class TestWeightsDisplay:
    def test_names(self, pyplot):
        model = regressor(encoding=None).fit(TABLE, EFFECT[:, 0])
        display = WeightsDisplay.from_estimator(model, kind="matrix")
        ticks = [tick.get_text() for tick in display.ax_.get_yticklabels()]
        assert ticks == model.input_names_[display.features_].tolist()
        assert sorted(display.features_) == list(range(len(model.input_names_)))
        other = WeightsDisplay.from_estimator(model, layer=1, kind="matrix")
        assert other.feature_names is None


def posed(data, y, weight=None, categorical=None):
    kinds = None if categorical is None else Kinds.of(data, weight, categorical)
    target = np.asfortranarray(y[:, None])
    return Problem(data, target, [], SquaredError(), None, 0.0, weight, kinds=kinds)


class TestScored:
    """Against the parts that it is made of."""

    N = 700
    RNG = np.random.default_rng(7)
    SHOP, TOWN, X = RNG.integers(0, 60, N), RNG.integers(0, 4, N), RNG.normal(size=(N, 2))
    Z = RNG.normal(size=60)[SHOP] + X[:, 0] + 0.3 * RNG.normal(size=N)
    CODED = np.column_stack([X, SHOP, TOWN]).astype(float)
    BY_HAND = np.hstack([X, np.eye(4)[TOWN], np.eye(60)[SHOP]])
    CATEGORICAL = np.array([False, False, True, True])

    def test_which_categories(self):
        found = categories_to_score(posed(self.CODED, self.Z, None, self.CATEGORICAL), by_hand=True)
        assert found == ([CodeColumn(2, 60)], [])
        (block,), tied = categories_to_score(posed(self.BY_HAND, self.Z), by_hand=True)
        assert tied == []
        assert block.columns.tolist() == list(range(6, 66)) and block.n_levels == 60
        np.testing.assert_array_equal(block.codes(self.BY_HAND), self.SHOP)
        assert categories_to_score(posed(self.BY_HAND, self.Z), by_hand=False) == ([], [])

    def test_numbers_with_ties(self):
        """Looked for where nobody says what they are: dense, and not of losses with kinks."""
        problem = posed(self.CODED[:, :3], self.Z)
        categories, (found,) = categories_to_score(problem, by_hand=True)
        assert categories == []
        assert found.column == 2 and found.values.tolist() == list(range(60))
        assert categories_to_score(problem, by_hand=False) == ([], [])
        other = replace(problem, loss=AbsoluteError())
        assert categories_to_score(other, by_hand=True) == ([], [])
        other = replace(problem, X=sp.csr_array(problem.X))
        assert categories_to_score(other, by_hand=True) == ([], [])

    def test_effects_of_values_come_after_a_network(self):
        """Of what this leaves, and are renewed for two more."""
        problem, seen = posed(self.CODED[:, :3], self.Z), []

        def terms(X):
            return np.column_stack([X, np.ones(len(X))])

        def fit(problem):
            seen.append(problem.X.copy())
            weights = np.linalg.lstsq(terms(problem.X), problem.Y, rcond=None)[0]
            return lambda X: terms(X) @ weights

        _, tied = categories_to_score(problem, by_hand=True)
        scored, columns = scored_problem(problem, [], tied, fit)
        assert [X.shape[1] for X in seen] == [3, 4, 4]
        np.testing.assert_array_equal(scored.X[:, :3], problem.X)  # its curve stays
        (folds,) = folds_of(problem, tied)
        left = self.Z - terms(seen[0]) @ np.linalg.lstsq(terms(seen[0]), self.Z, rcond=None)[0]
        expected = folds.fit(left, np.ones(self.N))[0]
        np.testing.assert_allclose(seen[1][:, 3], expected, rtol=0, atol=1e-6)
        A = terms(seen[-1])
        weights = np.linalg.lstsq(A, self.Z, rcond=None)[0]
        asked = seen[-1][:, 3] + (self.Z - A @ weights) / weights[3]
        expected, table, _ = folds.fit(asked, np.ones(self.N))
        np.testing.assert_allclose(scored.X[:, 3], expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(columns.scores.tables[0], table, rtol=0, atol=1e-6)
        assert columns.made_of.tolist() == [0, 1, 2, 2]
        assert columns.column_names(["a", "b", "c"]) == ["a", "b", "c", "c_score"]

    def test_values_that_a_network_knows_get_none(self):
        """All that they would explain is in its outputs: the problem is as it was."""
        problem = posed(self.CODED[:, :3], self.Z)
        _, tied = categories_to_score(problem, by_hand=True)
        means = np.bincount(self.SHOP, self.Z) / np.bincount(self.SHOP)

        def fit(problem):
            return lambda X: means[X[:, 2].astype(int)][:, None]

        scored, columns = scored_problem(problem, [], tied, fit)
        assert scored is problem and columns.scores is None
        assert columns.size == columns.n_features == 3
        assert scored_problem(problem, [], tied, None)[1].scores.size == 0

    def test_frequent_levels_have_columns(self):
        def found(codes, weight=None):
            problem = posed(codes[:, None], np.zeros(3000), weight, np.array([True]))
            return categories_to_score(problem, by_hand=False)

        codes = np.arange(3000) % 12.0
        assert found(codes) == ([], [])
        codes[:400] = np.arange(400) % 40 + 12  # 13 % of the samples have a rare one
        assert found(codes) == ([CodeColumn(0, 52)], [])
        weight = np.ones(3000)
        weight[:400] = 0.1
        assert found(codes, weight) == ([], [])

    @pytest.mark.parametrize("by_hand", [False, True])
    def test_scored(self, by_hand):
        data = self.BY_HAND if by_hand else self.CODED
        problem = posed(data, self.Z, None, None if by_hand else self.CATEGORICAL)
        categories, tied = categories_to_score(problem, by_hand=True)
        scored, columns = scored_problem(problem, categories, tied, None)
        rest = data[:, :6] if by_hand else data
        folds = folds_of(problem, categories)
        np.testing.assert_array_equal(folds[0].codes, self.SHOP)
        first = first_scores(problem, rest, None, categories, folds)
        values, scores = first.values, first.scores
        np.testing.assert_allclose(scored.X, np.hstack([rest, values]), rtol=0, atol=1e-12)
        np.testing.assert_allclose(columns.columns(data), np.hstack([rest, scores(data)]))
        np.testing.assert_allclose(columns(data), columns.columns(data))
        assert columns.size == scored.X.shape[1] and columns.n_features == data.shape[1]
        sources = [0, 1, 2, 3, 4, 5, 66] if by_hand else [0, 1, 2, 3, 2]
        assert columns.source.tolist() == sources
        if by_hand:
            np.testing.assert_allclose(columns.columns(sp.csr_array(data)), columns.columns(data))
        else:
            numbers = [level is None for level in scored.kinds.levels]
            assert numbers == [True, True, False, False, True]
            assert scored.kinds.levels[2].size == 0 and scored.kinds.levels[3].size == 4

    @pytest.mark.parametrize("slopes", [False, True])
    def test_in_turn_with_networks(self, slopes):
        """Renewed for two networks; slopes that the first asks for are seen by the second."""
        problem = posed(self.CODED, self.Z, None, self.CATEGORICAL)
        if slopes:
            steep = np.linspace(-3.0, 3.0, 60)[self.SHOP]
            problem = posed(self.CODED, self.Z + steep * self.X[:, 1], None, self.CATEGORICAL)
        seen = []

        def terms(X):
            """Numbers, scores, and the product of the score of slopes with its number."""
            product = [X[:, 1] * X[:, 5]] if X.shape[1] > 5 else []
            return np.column_stack([X[:, [0, 1, *range(4, X.shape[1])]], *product, np.ones(len(X))])

        def fit(problem):
            seen.append(problem.X.copy())
            weights = np.linalg.lstsq(terms(problem.X), problem.Y, rcond=None)[0]
            return lambda X: terms(X) @ weights

        categories, tied = categories_to_score(problem, by_hand=False)
        scored, columns = scored_problem(problem, categories, tied, fit)
        assert [X.shape[1] - 4 for X in seen] == ([1, 2] if slopes else [1, 1])
        assert columns.scores.size == 1 + slopes
        assert all((seen[0][:, 4] != X[:, 4]).any() for X in (seen[-1], scored.X))
        # Where the output is a line in them the last scores are those of its residuals.
        A, y = terms(seen[-1]), problem.Y[:, 0]
        weights = np.linalg.lstsq(A, y, rcond=None)[0]
        asked = seen[-1][:, 4] + (y - A @ weights) / weights[2]
        (folds,) = folds_of(problem, categories)
        expected, table, _ = folds.fit(asked, np.ones(self.N))
        np.testing.assert_allclose(scored.X[:, 4], expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(columns.scores.tables[0], table, rtol=0, atol=1e-6)
        if slopes:
            assert np.corrcoef(columns.scores.tables[1][:-1], np.arange(60))[0, 1] > 0.95
