"""PiecewiseLinearEncoder: the transformer by itself, and in pipelines of scikit-learn."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmdlam import PiecewiseLinearEncoder
from skmdlam.engine.inputs.pieces import Pieces

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 3))
X[:, 2] = X[:, 2] > 0
STEPS = np.floor(2.0 * X[:, 0]) % 3 + (X[:, 1] > 0.7)
NAMES = ["width", "age", "yes"]
FRAME = pd.DataFrame(X, columns=NAMES)


def split(model):
    return model.fit(X[:300], STEPS[:300]).score(X[300:], STEPS[300:])


class TestInPipelines:
    def test_a_linear_model_of_steps(self):
        linear = split(make_pipeline(StandardScaler(), Ridge()))
        encoded = split(make_pipeline(PiecewiseLinearEncoder(16), StandardScaler(), Ridge()))
        assert linear < 0.5 and encoded > linear + 0.3

    def test_finer_pieces_fit_finer_steps(self):
        scores = [split(make_pipeline(PiecewiseLinearEncoder(n), Ridge(0.1))) for n in (1, 4, 32)]
        assert scores[0] < scores[1] - 0.1 and scores[1] < scores[2] - 0.1

    def test_search(self):
        pipeline = make_pipeline(PiecewiseLinearEncoder(), Ridge())
        grid = {"piecewiselinearencoder__n_bins": [1, 24]}
        search = GridSearchCV(pipeline, grid, cv=3).fit(X, STEPS)
        assert search.best_params_ == {"piecewiselinearencoder__n_bins": 24}

    def test_columns(self):
        """Names of a data frame go all the way."""
        encoder = make_column_transformer(
            (PiecewiseLinearEncoder(2, include_input=True), ["width"]),
            remainder="passthrough",
            verbose_feature_names_out=False,
        )
        found = encoder.fit(FRAME).get_feature_names_out()
        assert list(found) == ["width", "width_rank", "width_pl_0", "width_pl_1", "age", "yes"]


class TestAttributes:
    def test_knots_are_quantiles(self):
        encoder = PiecewiseLinearEncoder(4).fit(X)
        assert encoder.n_bins_.tolist() == [4, 4, 0]
        for j in (0, 1):
            expected = np.quantile(X[:, j], [0.0, 0.25, 0.5, 0.75, 1.0])
            np.testing.assert_allclose(encoder.knots_[j], expected, atol=0.02)
            assert np.isin(encoder.knots_[j], X[:, j]).all()
        assert encoder.knots_[2].size == 0
        assert encoder.n_features_in_ == 3 and not hasattr(encoder, "feature_names_in_")
        assert list(encoder.fit(FRAME).feature_names_in_) == NAMES

    def test_shape_and_type(self):
        for kind, include in ((np.float32, True), (np.float64, False), (int, True)):
            encoder = PiecewiseLinearEncoder(4, include_input=include)
            found = encoder.fit_transform((10 * X).astype(kind))
            assert found.shape == (500, 13 if include else 11)
            assert found.dtype == (np.float32 if kind is np.float32 else float)

    def test_is_what_the_pieces_are(self):
        for kind, include in itertools.product(("include_rank", "include_input"), (True, False)):
            options = {"include_rank": True, "include_input": False} | {kind: include}
            encoder = PiecewiseLinearEncoder(5, **{kind: include})
            expected = Pieces.of(X, 5, **options).encoded(X)
            np.testing.assert_array_equal(encoder.fit_transform(X), expected)

    def test_beyond_the_training_samples(self):
        """Pieces are constant there, and the column itself goes on."""
        encoder = PiecewiseLinearEncoder(4, include_rank=False, include_input=True).fit(X)
        far = np.array([[-1e3, 1e3, 0.0], [-1e9, 1e9, 1.0]])
        found = encoder.transform(far)
        np.testing.assert_array_equal(found[:, [0, 5, 10]], far)
        np.testing.assert_array_equal(found[:, 1:5], 0.0)
        np.testing.assert_allclose(found[:, 6:10], 1.0, rtol=1e-15)


class TestNames:
    def test_of_a_frame(self):
        encoder = PiecewiseLinearEncoder(2).fit(FRAME)
        expected = ["width_rank", "width_pl_0", "width_pl_1"]
        expected += ["age_rank", "age_pl_0", "age_pl_1", "yes"]
        assert list(encoder.get_feature_names_out()) == expected
        assert list(encoder.get_feature_names_out(NAMES)) == expected
        with pytest.raises(ValueError, match="feature_names_in_"):
            encoder.get_feature_names_out(["a", "b", "c"])
        encoder = PiecewiseLinearEncoder(2, include_rank=False).fit(FRAME)
        expected = ["width_pl_0", "width_pl_1", "age_pl_0", "age_pl_1", "yes"]
        assert list(encoder.get_feature_names_out()) == expected

    def test_of_an_array(self):
        encoder = PiecewiseLinearEncoder(1, include_input=True).fit(X)
        assert list(encoder.get_feature_names_out()) == ["x0", "x0_pl_0", "x1", "x1_pl_0", "x2"]
        names = list(encoder.get_feature_names_out(["a", "b", "c"]))
        assert names == ["a", "a_pl_0", "b", "b_pl_0", "c"]
        with pytest.raises(ValueError, match="should have length"):
            encoder.get_feature_names_out(["a", "b"])

    def test_pandas_output(self):
        encoder = PiecewiseLinearEncoder(2).set_output(transform="pandas")
        found = encoder.fit_transform(FRAME.set_index(np.arange(500)[::-1]))
        assert list(found.columns) == list(encoder.get_feature_names_out())
        assert list(found.index[:2]) == [499, 498]
        np.testing.assert_array_equal(found, PiecewiseLinearEncoder(2).fit_transform(X))

    def test_polars_output(self):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(dict(zip(NAMES, X.T, strict=True)))
        old = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9)
        if old and not hasattr(frame, "__dataframe__"):
            pytest.skip("scikit-learn before 1.9 does not see the column names of polars 2")
        encoder = PiecewiseLinearEncoder(2).set_output(transform="polars")
        found = encoder.fit_transform(frame)
        assert isinstance(found, polars.DataFrame)
        assert found.columns == list(encoder.get_feature_names_out())
        np.testing.assert_array_equal(found, PiecewiseLinearEncoder(2).fit_transform(X))


class TestSubsample:
    def test_some_of_the_samples(self):
        some = PiecewiseLinearEncoder(4, subsample=100).fit(X)
        again = PiecewiseLinearEncoder(4, subsample=100).fit(X)
        other = PiecewiseLinearEncoder(4, subsample=100, random_state=1).fit(X)
        np.testing.assert_array_equal(some.knots_[0], again.knots_[0])
        assert (some.knots_[0] != other.knots_[0]).any()
        np.testing.assert_allclose(some.knots_[0][1:4], [-0.67, 0.0, 0.67], atol=0.4)
        assert np.isin(some.knots_[0], X[:, 0]).all()

    def test_all_of_them(self):
        everything = PiecewiseLinearEncoder(4, subsample=None).fit(X)
        for subsample in (500, 20_000):
            encoder = PiecewiseLinearEncoder(4, subsample=subsample, random_state=3).fit(X)
            np.testing.assert_array_equal(encoder.knots_[0], everything.knots_[0])

    def test_weights_go_with_their_samples(self):
        """Those without weight are none of them, before some are drawn."""
        weight = np.r_[np.ones(200), np.zeros(300)]
        weighted = PiecewiseLinearEncoder(4, subsample=200).fit(X, sample_weight=weight)
        alone = PiecewiseLinearEncoder(4, subsample=200).fit(X[:200])
        for found, expected in zip(weighted.knots_, alone.knots_, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_weights_are_copies():
    copies = np.random.default_rng(1).integers(0, 4, 500)
    weighted = PiecewiseLinearEncoder(6).fit(X, sample_weight=copies)
    repeated = PiecewiseLinearEncoder(6).fit(np.repeat(X, copies, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=0, atol=1e-12)


def test_clone_and_pickle():
    encoder = PiecewiseLinearEncoder(5, include_rank=False, subsample=300, random_state=2)
    copy = clone(encoder)
    assert copy.get_params() == encoder.get_params() and not hasattr(copy, "knots_")
    encoder.fit(FRAME)
    stored = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(stored.transform(FRAME), encoder.transform(FRAME))
    np.testing.assert_array_equal(stored.get_feature_names_out(), encoder.get_feature_names_out())


class TestErrors:
    @pytest.mark.parametrize(
        "parameters",
        [
            {"n_bins": 0},
            {"n_bins": 2.5},
            {"include_rank": 1.5},
            {"include_input": "yes"},
            {"subsample": 1},
        ],
        ids=str,
    )
    def test_parameters(self, parameters):
        (name,) = parameters
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            PiecewiseLinearEncoder(**parameters).fit(X)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("size", [1e151, 1.7e308], ids=str)
    def test_huge(self, size):
        """As the estimators say: not passed on as if it were constant, with warnings of NumPy."""
        with pytest.raises(ValueError, match="X holds a number of size"):
            PiecewiseLinearEncoder().fit(size * np.linspace(-1.0, 1.0, 20)[:, np.newaxis])

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinite(self, value):
        bad = X.copy()
        bad[3, 1] = value
        with pytest.raises(ValueError, match="infinity"):
            PiecewiseLinearEncoder().fit(bad)
        encoder = PiecewiseLinearEncoder().fit(X)
        with pytest.raises(ValueError, match="infinity"):
            encoder.transform(bad)

    def test_data(self):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            PiecewiseLinearEncoder().fit(sp.csr_array(X))
        with pytest.raises(ValueError, match="could not convert"):
            PiecewiseLinearEncoder().fit(np.array([["a", "b"], ["c", "d"]]))
        with pytest.raises(ValueError, match="2D array"):
            PiecewiseLinearEncoder().fit(X[:, 0])
        with pytest.raises(ValueError, match=r"sample_weight.shape"):
            PiecewiseLinearEncoder().fit(X, sample_weight=np.ones(3))
        with pytest.raises(NotFittedError):
            PiecewiseLinearEncoder().transform(X)
        with pytest.raises(NotFittedError):
            PiecewiseLinearEncoder().get_feature_names_out()
        with pytest.raises(ValueError, match="3 features"):
            PiecewiseLinearEncoder().fit(X).transform(X[:, :2])
        with pytest.raises(ValueError, match="feature names"):
            PiecewiseLinearEncoder().fit(FRAME).transform(FRAME.rename(columns={"age": "old"}))

    def test_weights_that_are_none(self):
        with pytest.raises(ValueError, match=r"sample_weight.*zero"):
            PiecewiseLinearEncoder().fit(X, sample_weight=np.zeros(500))
        with pytest.raises(ValueError, match=r"sample_weight must not be negative; got .*-1"):
            PiecewiseLinearEncoder().fit(X, sample_weight=-np.ones(500))
