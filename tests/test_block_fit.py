"""A fit to samples in blocks: what it keeps is what a fit to all of them in memory keeps."""

import pickle
import re
import warnings
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skmdlam import Feasible, MDLAMClassifier, MDLAMRegressor
from skmdlam._block_columns import Levels
from skmdlam._block_fit import Raw, fit_blocks
from skmdlam._block_runs import start_on_blocks
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.loop.run import ConvertedRun
from skmdlam.engine.plan import Held

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@dataclass(frozen=True)
class OnTheSample(Feasible):
    """Fits the sample alone, and keeps what it was given."""

    def start_blocks(self, problem, blocks, starts, **settings):
        given.update(problem=problem, blocks=blocks, settings=settings)
        return self.start_several(problem, starts, **settings)


given = {}


class Sent(LocalBlocks):
    """Blocks that functions and arguments travel to."""

    def mapped(self, function, *args):
        return Sent(super().mapped(*traveled((function, *args))).parts)

    def each(self, function, args, which=None, shared=()):
        return super().each(*traveled((function, args, which, shared)))

    def dealt(self, n_piles, seed, sizes=None):
        return Sent(super().dealt(n_piles, seed, sizes).parts)


def traveled(values):
    return pickle.loads(pickle.dumps(values))


def blocks_of(X, y, ends, weight=None):
    """Blocks of rows of a frame, an array or a sparse matrix."""
    rows = [slice(a, b) for a, b in zip([0, *ends], [*ends, y.shape[0]], strict=True)]
    return LocalBlocks([Raw(X[r], y[r], None if weight is None else weight[r]) for r in rows])


def fitted(estimator, blocks, max_iter=2, **options):
    blocks = Sent(blocks.parts)
    return fit_blocks(
        estimator.set_params(solver=OnTheSample(), max_iter=max_iter), blocks, **options
    )


def regression(n=400, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X[:, 0] - np.abs(X[:, 1]) + 0.1 * rng.normal(size=n)


def all_rows(blocks):
    """What the engine was given, in one order."""
    part = Part.joined(blocks.parts)
    order = np.lexsort(np.asarray(part.X[:]).T)
    weight = None if part.weight is None else part.weight[order]
    return part.X[order], part.Y[order], weight


class TestNumbers:
    def test_one_block_of_all_samples_is_a_fit_to_them_in_another_order(self):
        X, y = regression()
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0),
            blocks_of(X, y, [150, 150, 151]),
        )
        part = given["blocks"].parts[0]
        assert given["blocks"].n_blocks == 1
        assert sorted(part.Y.ravel()) == sorted(y)
        # The same network and the same steps, on samples that were dealt.
        rng = np.random.RandomState(0)
        seed = rng.randint(np.iinfo(np.int32).max)
        dealt = LocalBlocks(
            [Part(X[r], y[r, None]) for r in map(slice, [0, 150, 150, 151], [150, 150, 151, 400])]
        )
        alone = dealt.dealt(1, seed).parts[0]
        other = MDLAMRegressor(
            hidden_layer_sizes=(5,), random_state=rng, max_iter=2, solver=OnTheSample()
        )
        other.fit(alone.X, alone.Y.ravel())
        for mine, theirs in zip(model.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for name in ("data_min_", "data_max_", "loss_curve_", "upper_alpha_", "n_iter_"):
            np.testing.assert_array_equal(getattr(model, name), getattr(other, name), name)
        np.testing.assert_allclose(
            model._stream["columns"]["mean"], other._stream["columns"]["mean"], atol=1e-12
        )
        assert model._stream["rows"] == 400

    def test_it_depends_on_blocks_and_seed_alone(self):
        X, y = regression()
        first, again, other = (
            fitted(
                MDLAMRegressor(hidden_layer_sizes=(5,), random_state=seed),
                blocks_of(X, y, [90, 300]),
            )
            for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first.coefs_[0], again.coefs_[0])
        assert (first.coefs_[0] != other.coefs_[0]).any()

    def test_piles_and_a_sample_of_them(self):
        X, y = regression(2000)
        X[17, 2] = -50.0
        limits = replace(LIMITS, pile_rows=100, pile_numbers=1000, driver_rows=300)
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0),
            blocks_of(X, y, [1500]),
            limits=limits,
        )
        assert given["blocks"].n_blocks == 8
        assert sum(part.n for part in given["blocks"].parts) == 2000
        problem = given["problem"]
        assert len(problem.Y) == 296 and problem.times == 2000 / 296
        np.testing.assert_array_equal(model.data_min_, X.min(axis=0))
        np.testing.assert_array_equal(model.data_max_, X.max(axis=0))
        assert model._stream["rows"] == 2000
        assert set(problem.Y.ravel()) < set(y)

    def test_settings_are_those_of_all_samples(self):
        X, y = regression(1000)
        limits = replace(LIMITS, driver_rows=200)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, batch_size=None)
        fitted(model, blocks_of(X, y, [500]), limits=limits)
        assert given["settings"]["batch_size"] == 1000
        assert given["settings"]["warm"] is False

    def test_single_precision_where_it_has_the_digits(self):
        X, y = regression()
        blocks_far = blocks_of(X + 1e5, y, [100])
        fitted(MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0), blocks_of(X, y, [100]))
        assert given["blocks"].parts[0].X.dtype == np.float32
        assert given["problem"].X.dtype == np.float64
        fitted(MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, encoding=None), blocks_far)
        assert given["blocks"].parts[0].X.dtype == np.float64
        for options in ({"batch_size": None}, {"batch_size": 400}, {"penalty": "l1"}):
            fitted(
                MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, **options),
                blocks_of(X, y, [100]),
            )
            assert given["blocks"].parts[0].X.dtype == np.float64
        X[3, 1] = 1e60
        fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, encoding=None),
            blocks_of(X, y, [100]),
        )
        assert given["blocks"].parts[0].X.dtype == np.float64

    def test_sparse(self):
        X, y = regression()
        X[np.abs(X) < 1] = 0
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0),
            blocks_of(sp.csr_matrix(X), y, [7, 7]),
        )
        found, Y, _ = (part for part in given["blocks"].parts[0])
        assert sp.issparse(found)
        assert sorted(Y.ravel()) == sorted(y)
        np.testing.assert_array_equal(model.data_max_, X.max(axis=0))
        np.testing.assert_array_equal(model.predict(X[:3]), model.predict(sp.csr_matrix(X[:3])))

    def test_two_targets_have_units(self):
        X, y = regression()
        Y = np.column_stack([y, 1000 * y**2])
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0), blocks_of(X, Y, [250])
        )
        part = given["blocks"].parts[0]
        ratio = part.Y.std(axis=0)
        assert ratio[0] == pytest.approx(ratio[1])
        moments = model._stream["targets"]["mean"]
        np.testing.assert_allclose(moments, Y.mean(axis=0), rtol=1e-9)

    def test_weights(self):
        X, y = regression()
        weight = np.random.default_rng(1).integers(0, 3, 400).astype(float)
        weight[:40] = 0
        fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, encoding=None),
            blocks_of(X, y, [40], weight),
        )
        part = given["blocks"].parts[0]
        assert sorted(part.Y.ravel()) == sorted(y[weight > 0])
        assert part.weight.sum() == weight.sum()
        fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0),
            blocks_of(X, y, [40], np.minimum(weight, 1)),
        )
        assert given["blocks"].parts[0].weight is None

    def test_gaps(self):
        X, y = regression()
        X[:3, 1] = np.nan
        X[150:160, 3] = np.nan
        limits = replace(LIMITS, driver_rows=30)
        model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, encoding=None)
        fitted(model, blocks_of(X, y, [100]), limits=limits)
        seen = np.asarray(given["blocks"].parts[0].X[:])
        assert np.isfinite(seen).all()
        assert np.isfinite(model.predict(X[:3])).all()
        np.testing.assert_array_equal(model.data_max_, np.nanmax(X, axis=0))


class TestFrames:
    pd = pytest.importorskip("pandas")

    def frame(self):
        pd, rng = self.pd, np.random.default_rng(0)
        city = np.array(["Rome", "Bonn", "Oslo", "Kyiv"], dtype=object)[rng.integers(0, 4, 240)]
        city[:80] = np.where(city[:80] == "Kyiv", "Rome", city[:80])
        city[200:210] = None
        size = pd.Categorical(rng.choice(["small", "large"], 240), ["small", "large", "huge"])
        income = rng.normal(size=240).astype(np.float32)
        income[90] = np.nan
        none = np.full(240, None, dtype=object)
        none[239] = "now"
        return pd.DataFrame({"city": city, "size": size, "income": income, "late": none})

    def blocks(self, X, y, ends, weight=None):
        rows = [slice(a, b) for a, b in zip([0, *ends], [*ends, y.shape[0]], strict=True)]
        return LocalBlocks([Raw(X.iloc[r], y[r]) for r in rows])

    @pytest.mark.parametrize("ends", [[80, 80, 81], [200, 210], []])
    def test_attributes_are_those_of_a_fit_in_memory(self, ends):
        X = self.frame()
        y = np.where(X["city"] == "Oslo", "no", "yes")
        model = fitted(MDLAMClassifier((4,), random_state=0), self.blocks(X, y, ends))
        other = MDLAMClassifier((4,), random_state=0, max_iter=2).fit(X, y)
        for name in ("feature_names_in_", "is_categorical_", "classes_", "input_names_"):
            np.testing.assert_array_equal(getattr(model, name), getattr(other, name), name)
        for mine, theirs in zip(model.categories_, other.categories_, strict=True):
            np.testing.assert_array_equal(mine.astype(str), theirs.astype(str))
        np.testing.assert_array_equal(model.data_min_, other.data_min_)
        np.testing.assert_array_equal(model.data_max_, other.data_max_)
        assert model.coefs_[0].dtype == other.coefs_[0].dtype
        codes = other._reader.read(other_table(X))
        seen = all_rows(given["blocks"])
        expected = other._inputs(codes.astype(other.coefs_[0].dtype))[:]
        order = np.lexsort(np.asarray(expected).T)
        np.testing.assert_allclose(seen[0], expected[order], atol=1e-6)

    def test_declared_levels_keep_their_order_where_all_blocks_agree(self):
        X, y = self.frame()[["size", "income"]], np.arange(240.0)
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0), self.blocks(X, y, [100])
        )
        assert model.categories_[0].tolist() == ["small", "large"]
        apart = LocalBlocks(
            [
                Raw(X[:100].assign(size=X["size"][:100].astype(str).astype("category")), y[:100]),
                Raw(X[100:], y[100:]),
            ]
        )
        model = fitted(MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0), apart)
        assert model.categories_[0].tolist() == ["large", "small"]

    def test_polars(self):
        pl = pytest.importorskip("polars")
        X = self.frame()
        y = np.arange(240.0)
        frame = pl.from_pandas(X)
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0), blocks_of(frame, y, [80, 200])
        )
        other = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0, max_iter=2).fit(frame, y)
        for mine, theirs in zip(model.categories_, other.categories_, strict=True):
            assert mine.tolist()[:-1] == theirs.tolist()[:-1]

    def test_categories_of_an_array(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([rng.integers(3, 9, 300), rng.normal(size=300)])
        y = X[:, 1]
        model = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0, categorical_features=[0])
        fitted(model, blocks_of(X, y, [4, 100]))
        np.testing.assert_array_equal(model.categories_[0], np.arange(3.0, 9.0))

    def test_errors_name_the_block(self):
        X, y = self.frame(), np.arange(240.0)
        numbers = X.assign(city=np.arange(240.0))
        model = MDLAMRegressor(hidden_layer_sizes=(4,), random_state=0)
        for second, message in [
            (numbers[100:], "block 1 has numbers in column 'city', and block 0 has strings"),
            (X[100:].drop(columns="size"), "block 1 has 3 columns, and block 0 4"),
            (X[100:].rename(columns={"size": "width"}), "block 1 has columns with the names"),
            (X[100:].assign(income=np.inf), "block 1: .*infinity.*column 'income'"),
            (X[100:].assign(income=np.datetime64("2020")), "block 1: .*holds dates"),
        ]:
            blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(second, y[100:])])
            with pytest.raises(ValueError, match=message):
                fitted(model, blocks)
        assert not hasattr(model, "n_features_in_")


def other_table(X):
    from skmdlam._frames import table_of

    return table_of(X)


class TestClasses:
    def data(self, n=300):
        X, _ = regression(n)
        y = np.repeat(["b", "a", "c"], [n // 2, n // 3, n - n // 2 - n // 3])
        return X, y

    def test_all_classes_are_known_and_encoded_alike(self):
        X, y = self.data()
        model = fitted(MDLAMClassifier((4,), random_state=0), blocks_of(X, y, [1, 150, 150, 299]))
        assert model.classes_.tolist() == ["a", "b", "c"]
        _, Y, _ = given["blocks"].parts[0]
        np.testing.assert_array_equal(Y.sum(axis=0), [100, 150, 50])

    @pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0, "b": 0.0, "c": 1.5}])
    @pytest.mark.parametrize("weighted", [True, False])
    def test_weights_of_classes(self, class_weight, weighted):
        X, y = self.data()
        weight = np.random.default_rng(0).uniform(0.5, 2, 300) if weighted else None
        model = MDLAMClassifier((4,), class_weight=class_weight, random_state=0)
        fitted(model, blocks_of(X, y, [40, 150, 260], weight))
        _, Y, found = all_rows(given["blocks"])
        expected, known = MDLAMClassifier(class_weight=class_weight), {}
        target = expected._make_target(False)
        _, known = target.learn(y, weight, X.dtype)
        codes = np.searchsorted(["a", "b", "c"], y)
        sums = np.bincount(codes, known, 3)
        np.testing.assert_allclose(found @ Y, sums, rtol=1e-9)
        assert len(found) == np.count_nonzero(known)

    def test_indicators(self):
        X, _ = regression()
        Y = np.random.default_rng(0).integers(0, 2, (400, 3))
        Y[:90] = 0
        model = MDLAMClassifier((4,), class_weight="balanced", random_state=0)
        fitted(model, blocks_of(X, Y, [90]))
        np.testing.assert_array_equal(model.classes_, [0, 1, 2])
        part = given["blocks"].parts[0]
        target = MDLAMClassifier(class_weight="balanced")._make_target(False)
        expected = target.learn(Y, None, float)[1]
        np.testing.assert_allclose(np.sort(part.weight), np.sort(expected))

    def test_errors_name_the_block(self):
        X, y = self.data()
        blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(X[100:], np.arange(200) % 2)])
        with pytest.raises(ValueError, match=r"block 1 has a y that|block 1 has classes such as"):
            fitted(MDLAMClassifier((4,)), blocks)
        blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(X[100:], X[100:, 0])])
        with pytest.raises(ValueError, match="block 1: Unknown label type"):
            fitted(MDLAMClassifier((4,)), blocks)
        blocks = LocalBlocks([Raw(X[:100], y[:100], np.ones(100)), Raw(X[100:], y[100:])])
        with pytest.raises(ValueError, match="block 1 has no sample_weight"):
            fitted(MDLAMClassifier((4,)), blocks)
        blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(X[100:], y[:100])])
        with pytest.raises(ValueError, match=r"block 1: .*inconsistent numbers of samples"):
            fitted(MDLAMClassifier((4,)), blocks)
        with pytest.raises(ValueError, match="no samples in any of its 2 blocks"):
            fitted(MDLAMClassifier((4,)), LocalBlocks([Raw(X[:0], y[:0])] * 2))
        with pytest.raises(ValueError, match="zero for every sample"):
            fitted(MDLAMClassifier((4,)), blocks_of(X, y, [100], np.zeros(300)))
        model = MDLAMClassifier((4,), class_weight={"a": 1.0, "x": 2.0})
        with pytest.raises(ValueError, match="not in class_weight"):
            fitted(model, blocks_of(X, y, [100]))


class TestEarlyStopping:
    def test_samples_are_set_apart(self):
        X, y = regression(1000)
        limits = replace(LIMITS, pile_rows=100, pile_numbers=1000)
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), early_stopping=True, validation_fraction=0.2, random_state=0
        )
        fitted(model, blocks_of(X, y, [300]), limits=limits)
        assert given["blocks"].n_blocks == 4
        assert sum(part.n for part in given["blocks"].parts) == 800
        assert len(model.validation_scores_) == 2

    def test_rare_classes_stay_in_training(self):
        X, y = regression(1000)
        labels = np.where(y > np.median(y), "high", "low").astype("U7")
        labels[::97] = [f"rare {i}" for i in range(11)]
        limits = replace(LIMITS, pile_rows=100, pile_numbers=1000)
        model = MDLAMClassifier((5,), early_stopping=True, validation_fraction=0.6, random_state=0)
        fitted(model, blocks_of(X, labels, [300]), limits=limits)
        Y = np.concatenate([part.Y for part in given["blocks"].parts])
        assert Y.shape[1] == 13 and 400 < len(Y) <= 411
        assert (Y.sum(axis=0) >= 1).all()

    def test_given_ones(self):
        X, y = regression()
        model = MDLAMRegressor(hidden_layer_sizes=(5,), early_stopping=True, random_state=0)
        fitted(model, blocks_of(X, y, [300]), validation=(X[:50], y[:50], None))
        assert given["blocks"].parts[0].n == 400
        assert len(model.validation_scores_) == 2
        with pytest.raises(ValueError, match="y_val is given without"):
            fitted(model, blocks_of(X, y, [300]), validation=(None, y[:50], None))

    def test_the_last_ones_are_not_known(self):
        X, y = regression()
        model = MDLAMRegressor(hidden_layer_sizes=(5,), early_stopping=True, shuffle=False)
        with pytest.raises(ValueError, match="give X_val and y_val"):
            fitted(model, blocks_of(X, y, [300]))


class TestTheRest:
    def test_a_solver_without_blocks(self):
        X, y = regression()
        on_device = Feasible()
        object.__setattr__(on_device, "device", "cuda")  # which is not there
        with pytest.raises(ValueError, match="device='cuda' is for samples in one place"):
            fit_blocks(
                MDLAMRegressor(hidden_layer_sizes=(5,), solver=on_device), blocks_of(X, y, [300])
            )
        with pytest.raises(ValueError, match="solver='relaxed' needs all samples in one place"):
            fit_blocks(
                MDLAMRegressor(hidden_layer_sizes=(5,), solver="relaxed"), blocks_of(X, y, [300])
            )

    def test_warm_start_goes_on(self):
        X, y = regression()
        model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, warm_start=True)
        fitted(model, blocks_of(X, y, [300]))
        before = model.loss_
        fitted(model, blocks_of(X, y, [200]))
        assert given["settings"]["warm"] is True
        assert model.loss_ < before
        with pytest.raises(ValueError, match="layer sizes of the previous fit"):
            fitted(model, blocks_of(X[:, :3], y, [200]))
        assert model.n_features_in_ == 4

    def test_calibrate_and_several_networks(self):
        X, y = regression()
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), random_state=0, calibrate=True, n_networks=2
        )
        fitted(model, blocks_of(X, y, [300]))
        assert model.n_networks_ == 2
        assert (model.predict(X, return_std=True)[1] > 0).all()

    def test_a_stream_goes_on(self):
        X, y = regression()
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0), blocks_of(X, y, [300])
        )
        model.partial_fit(X[:50], y[:50])
        assert model.n_iter_ == 3
        assert model._stream["summary"]["rows"] == 450

    def test_verbose_and_warnings(self, capsys):
        X, y = regression()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted(
                MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, verbose=True),
                blocks_of(X, y, [300]),
            )
        assert any(issubclass(each.category, ConvergenceWarning) for each in caught)
        assert capsys.readouterr().out


def test_levels_of_blocks_add_up_in_any_grouping():
    blocks = [
        Levels({"b": None}, None, 3, False),
        Levels({}, None, 0, True),
        Levels({"a": None, "b": None}, None, 5, False),
        Levels({}, None, 0, False),
    ]
    one_by_one = blocks[0] + blocks[1] + blocks[2] + blocks[3]
    in_pairs = (blocks[0] + blocks[1]) + (blocks[2] + blocks[3])
    assert one_by_one == in_pairs == Levels({"b": None, "a": None}, None, 8, True)
    assert one_by_one.together().codes.tolist() == [0, 1, -1]
    declared = Levels({"z": None}, ("z", "a"), 1, False)
    assert (blocks[1] + declared + declared).together().values == ["z", "a"]
    assert (declared + blocks[0]).together().values == ["z", "b"]
    assert (declared + blocks[0] + declared).declared is None


class TestCategories:
    """A category of many levels, which a sample tells too little of."""

    def frame(self, n=3000, n_levels=300):
        rng = np.random.default_rng(0)
        codes, x = rng.integers(0, n_levels, n), rng.normal(size=n)
        effect = rng.normal(size=n_levels)[codes]
        pd = pytest.importorskip("pandas")
        level = np.char.add("v", codes.astype(str)).astype(object)
        return pd.DataFrame({"level": level, "x": x}), effect + x, effect

    def test_scores_are_those_of_all_samples(self):
        X, y, effect = self.frame()
        limits = replace(LIMITS, pile_rows=100, pile_numbers=1000, driver_rows=300)
        blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(X[100:], y[100:])])
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0), blocks, 100, limits=limits
        )
        (table,) = model._inputs.scores.tables
        assert table.size == 301
        codes = model._reader.read(other_table(X))[:, 0].astype(int)
        assert np.corrcoef(table[codes], effect)[0, 1] > 0.98
        # Training samples do not know their own targets, and the sample is coded as they are.
        parts = given["blocks"].parts
        problem = given["problem"]
        sample = np.concatenate([part.X[: part.n * 300 // 3000] for part in parts])
        np.testing.assert_allclose(sample, problem.X[:], atol=1e-5)

    def test_levels_of_many_samples_have_columns(self):
        X, y, _ = self.frame(8000, n_levels=12)
        limits = replace(LIMITS, driver_rows=600)
        blocks = LocalBlocks([Raw(X[:100], y[:100]), Raw(X[100:], y[100:])])
        model = fitted(
            MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0), blocks, limits=limits
        )
        assert model._inputs.scores is None
        other = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=2).fit(X, y)
        levels = [name for name in other.input_names_ if name.startswith("level_")]
        assert set(levels) <= set(model.input_names_)

    def test_a_class_and_a_gap_that_no_sample_here_has(self):
        X, y, _ = self.frame()
        X = X[["x"]].copy()
        labels = np.where(y > 0, "yes", "no").astype(object)
        labels[1234] = "rare"
        X.iloc[77, 0] = np.nan
        limits = replace(LIMITS, driver_rows=100)
        blocks = LocalBlocks([Raw(X[:100], labels[:100]), Raw(X[100:], labels[100:])])
        model = fitted(MDLAMClassifier((5,), random_state=1), blocks, limits=limits)
        assert model.classes_.tolist() == ["no", "rare", "yes"]
        assert given["problem"].Y[:, 1].sum() == 0
        assert np.isfinite(model.predict_proba(X[70:80])).all()


def test_few_samples_with_a_weight_in_many_piles():
    X, y = regression(2000)
    weight = np.zeros(2000)
    weight[::150] = 1.0
    limits = replace(LIMITS, pile_rows=2, pile_numbers=10)
    model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0)
    fitted(model, blocks_of(X, y, range(3, 2000, 40), weight), limits=limits)
    assert model._stream["rows"] == 14
    np.testing.assert_array_equal(model.data_max_, X[::150].max(axis=0))


def test_nothing_is_held_twice_while_a_run_is_on():
    """But for what it holds itself: neither what was read nor the piles that it was dealt to."""
    made, held = [], []

    class Watched(LocalBlocks):
        def mapped(self, function, *args):
            return kept(super().mapped(function, *args))

        def dealt(self, n_piles, seed, sizes=None):
            return kept(super().dealt(n_piles, seed, sizes))

    def kept(blocks):
        blocks = Watched(blocks.parts)
        made.append((weakref.ref(blocks), type(blocks.parts[0])))
        return blocks

    class Looks(ConvertedRun):
        def __next__(self):
            there = [(blocks(), what) for blocks, what in made]
            held.append([what for blocks, what in there if blocks and blocks.parts[0]])
            return super().__next__()

    @dataclass(frozen=True)
    class Observed(Feasible):
        def start_blocks(self, *args, **settings):
            return Looks(start_on_blocks(self, *args, **settings), lambda *weights: weights)

    X, y = regression(600)
    model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=2, solver=Observed())
    fit_blocks(model, Watched(blocks_of(X, y, [200, 300]).parts))
    assert held == [[Held], [Held]]


def dealt(X, Y, ends, limits, seed=0):
    """Samples in the order of their piles, and the generator after that."""
    rng = np.random.RandomState(seed)
    rows = [slice(a, b) for a, b in zip([0, *ends], [*ends, len(Y)], strict=True)]
    n_piles = min(-(-X.size // limits.pile_numbers), len(Y) // limits.pile_rows)
    parts = LocalBlocks([Part(X[r], Y[r, None]) for r in rows])
    return Part.joined(parts.dealt(n_piles, rng.randint(np.iinfo(np.int32).max)).parts), rng


class TestWithTheEngine:
    """Without a stand-in for the solver."""

    limits = replace(LIMITS, pile_rows=100, pile_numbers=1000)

    @pytest.mark.parametrize("encoding", [None, "piecewise"])
    def test_all_samples_at_once_are_those_of_a_fit_in_memory(self, encoding):
        X, y = regression(600)
        options = {"batch_size": None, "max_iter": 8, "encoding": encoding}
        model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, **options)
        fit_blocks(model, blocks_of(X, y, [200, 300]), limits=self.limits)
        part, rng = dealt(X, y, [200, 300], self.limits)
        other = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=rng, **options).fit(
            part.X, part.Y.ravel()
        )
        np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(model.predict(X), other.predict(X), atol=1e-7)
        assert model.upper_alpha_ == pytest.approx(other.upper_alpha_, rel=1e-9)

    @pytest.mark.slow
    @pytest.mark.parametrize("n_networks", [1, 2])
    @pytest.mark.parametrize("driver_rows", [50_000, 2000])
    def test_mini_batches_score_as_a_fit_in_memory(self, n_networks, driver_rows):
        X, y = regression(12_000, 6)
        X[::7, 2] = np.nan
        limits = replace(LIMITS, pile_numbers=X.size // 4, driver_rows=driver_rows)
        model = MDLAMRegressor(
            hidden_layer_sizes=(30,), random_state=0, n_networks=n_networks, max_iter=60
        )
        local = MDLAMRegressor(**model.get_params()).fit(X[:8000], y[:8000])
        fit_blocks(model, blocks_of(X[:8000], y[:8000], [1000, 5000]), limits=limits)
        expected, found = (each.score(X[8000:], y[8000:]) for each in (local, model))
        assert found > expected - 0.005

    @pytest.mark.slow
    def test_classes_early_stopping_and_weights(self):
        X, y = regression(12_000, 6)
        labels = np.digitize(y, [-1.5, 0.0])
        limits = replace(LIMITS, pile_numbers=X.size // 4, driver_rows=3000)
        options = {"class_weight": "balanced", "early_stopping": True, "random_state": 0}
        model = MDLAMClassifier((30,), **options)
        local = MDLAMClassifier((30,), **options).fit(X[:8000], labels[:8000])
        fit_blocks(model, blocks_of(X[:8000], labels[:8000], [1000, 5000]), limits=limits)
        expected, found = (each.score(X[8000:], labels[8000:]) for each in (local, model))
        assert found > expected - 0.015
        assert model.best_validation_score_ > 0.85
        assert len(model.validation_scores_) == model.n_iter_

    @pytest.mark.slow
    def test_warm_start_and_calibration(self):
        X, y = regression(8000)
        limits = replace(LIMITS, pile_numbers=X.size // 4, driver_rows=2000)
        model = MDLAMRegressor(
            hidden_layer_sizes=(20,), random_state=0, max_iter=5, warm_start=True, calibrate=True
        )
        blocks = blocks_of(X, y, [1000, 5000])
        first = fit_blocks(model, blocks, limits=limits).loss_
        again = fit_blocks(model, blocks, limits=limits).loss_
        assert again < first
        mean, std = model.predict(X, return_std=True)
        assert 0.85 < np.mean(np.abs(y - mean) < 1.96 * std) < 0.99


def test_sparse_indicators_in_blocks():
    X, y = regression()
    labels = np.column_stack([y > 0, y < 1, y > -1]).astype(int)
    ends = [100, 250]
    model, other = (
        fitted(MDLAMClassifier((3,), random_state=0), blocks_of(X, indicators, ends))
        for indicators in (sp.csr_matrix(labels), labels)
    )
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("numbers", [False, True])
def test_blocks_of_gaps_alone_may_be_of_any_kind(numbers):
    """Such as a file in which a column is empty: pandas makes numbers of it."""
    X, y = regression()
    column = X[:, 0] if numbers else np.array(["low", "high"])[(X[:, 0] > 0).astype(int)]
    table = pd.DataFrame({"a": column, "b": X[:, 1]})
    table.loc[:99, "a"] = np.nan
    parts = [table[:100].assign(a=np.full(100, np.nan)), table[100:]]
    blocks = LocalBlocks([Raw(parts[0], y[:100]), Raw(parts[1], y[100:])])
    model = fitted(MDLAMRegressor(hidden_layer_sizes=(3,), random_state=0), blocks)
    other = fitted(
        MDLAMRegressor(hidden_layer_sizes=(3,), random_state=0), blocks_of(table, y, [100])
    )
    assert (model.is_categorical_ is None) == numbers
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])


def test_what_is_done_before_the_first_iteration_is_said(capsys):
    X, y = regression(600)
    model = MDLAMRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=1, verbose=True)
    with pytest.warns(ConvergenceWarning):
        fit_blocks(model, blocks_of(X, y, [200, 300]))
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"600 samples of 3 blocks, shuffled into 1: [\d.]+ s", first)
    assert re.fullmatch(r"Prepared: [\d.]+ s", second)
    assert rest[0].startswith("Iteration 1")
