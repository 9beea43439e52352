"""Weights are drawn with the names of their inputs, scaled by the spread of these."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder, WeightsDisplay
from skmdlam._unwrapping import names_of_columns

pd = pytest.importorskip("pandas")
show = WeightsDisplay.from_estimator
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {
            "feasible": MDLAMClassifier((16,), max_iter=2, random_state=0).fit(X, y),
            "mlp": MLPClassifier((16,), max_iter=2, random_state=0).fit(X, y),
        }


def drawn(display):
    """Render the figure, which is where matplotlib finds much of what is wrong."""
    display.figure_.canvas.draw()


def labels(axis):
    legend = axis.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def row_names(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


class TestStandardized:
    @pytest.mark.parametrize("sparse", [False, True])
    def test_by_the_spread_of_the_training_samples(self, pyplot, sparse):
        X, y = make_regression(70, 3, random_state=0)
        X *= [1e3, 1.0, 1e-3]
        model = MDLAMRegressor(**QUICK, encoding=None).fit(sp.csr_matrix(X) if sparse else X, y)
        display = show(model)
        np.testing.assert_allclose(
            display.image_.get_array(), model.coefs_[0] * X.std(axis=0)[:, None], rtol=1e-9
        )
        assert display.colorbar_.ax.get_ylabel() == "standardized weight"
        plain = show(model, standardize=False)
        np.testing.assert_array_equal(plain.image_.get_array(), model.coefs_[0])
        assert plain.colorbar_.ax.get_ylabel() == "weight"

    def test_after_partial_fit(self, pyplot):
        X, y = make_regression(90, 3, random_state=0)
        model = MDLAMRegressor(**QUICK, encoding=None)
        for rows in (slice(0, 40), slice(40, 90)):
            model.partial_fit(X[rows] * 5.0, y[rows])
        expected = model.coefs_[0] * 5.0 * X.std(axis=0)[:, None]
        np.testing.assert_allclose(show(model).image_.get_array(), expected, rtol=1e-9)

    def test_by_the_spread_of_other_samples(self, pyplot, fitted):
        """Of another estimator, whose training samples nobody knows, and of encoded columns."""
        X = load_iris().data
        display = show(fitted["mlp"], X=X)
        expected = fitted["mlp"].coefs_[0] * X.std(axis=0)[:, None]
        np.testing.assert_allclose(display.image_.get_array(), expected)
        frame = pd.DataFrame({"a": np.arange(80.0) ** 2, "b": list("uvvw") * 20})
        model = MDLAMRegressor(**QUICK, encoding=PiecewiseLinearEncoder(n_bins=2))
        pipe = make_pipeline(FunctionTransformer(), model).fit(frame, frame["a"])
        np.testing.assert_allclose(
            show(pipe, X=frame).image_.get_array(), show(pipe).image_.get_array(), rtol=1e-9
        )
        with pytest.raises(ValueError, match="X has 3 columns, but the first layer has 4"):
            show(fitted["mlp"], X=X[:, :3])


class TestNames:
    def test_through_a_pipeline(self, pyplot):
        frame = pd.DataFrame({"size": np.arange(60.0), "town": list("pqr") * 20})
        columns = make_column_transformer(
            (StandardScaler(), ["size"]), (OneHotEncoder(sparse_output=False), ["town"])
        )
        pipe = make_pipeline(columns, MDLAMRegressor(**QUICK, encoding=None))
        pipe.fit(frame, frame["size"])
        expected = ["standardscaler__size", *(f"onehotencoder__town_{x}" for x in "pqr")]
        assert row_names(show(pipe)) == expected
        inner = make_pipeline(StandardScaler(), MDLAMRegressor(**QUICK, encoding=None))
        assert row_names(show(make_pipeline(columns, inner).fit(frame, frame["size"]))) == expected
        # A step that makes columns without names.
        nameless = make_pipeline(columns, FunctionTransformer(), MDLAMRegressor(**QUICK))
        nameless.fit(frame, frame["size"])
        assert names_of_columns(nameless[-1], [nameless[:-1]]) is None

    def test_of_encoded_columns_in_a_pipeline(self, pyplot):
        X = pd.DataFrame({"a": np.arange(60.0) ** 3, "b": np.arange(60) % 2})
        model = MDLAMRegressor(**QUICK, encoding=PiecewiseLinearEncoder(n_bins=2))
        display = show(make_pipeline(StandardScaler(), model).fit(X, X["a"]))
        assert row_names(display) == ["a_rank", "a_pl_0", "a_pl_1", "b"]

    def test_rows_of_a_feature_are_together(self, pyplot):
        """With one name where there is no room for all."""
        frame = pd.DataFrame({f"n{j}": np.arange(90.0) ** (j + 1) for j in range(6)})
        frame["town"] = list("pqr") * 30
        frame.loc[::9, "n0"] = np.nan
        model = MDLAMRegressor(**QUICK, encoding="piecewise").fit(frame, frame["n1"])
        display = show(model)
        names = model.input_names_[display.features_]
        assert names.size > 40 and [name.split("_")[0] for name in names] == sorted(
            name.split("_")[0] for name in names
        )
        assert row_names(display) == [*(f"n{j}" for j in range(6)), "town"]
        drawn(display)

    def test_largest_of_many_features(self, pyplot):
        coef = np.random.RandomState(0).standard_normal((70, 3))
        coef[[3, 50]] *= 100
        display = WeightsDisplay(coef, feature_names=[f"f{j}" for j in range(70)]).plot()
        norms = np.linalg.norm(coef, axis=1)
        assert display.features_.tolist() == sorted(np.argsort(-norms)[:30])
        title = display.ax_.get_title()
        assert title == "First layer: weights\n30 of 70 features, those with the largest weights"
        again = display.plot(n_features=2)
        assert again.features_.tolist() == [3, 50] and row_names(again) == ["f3", "f50"]
        # Of two features with as large weights, one of several columns.
        grouped = WeightsDisplay(np.ones((3, 2)), groups=["a", "b", "a"]).plot(n_features=1)
        assert grouped.features_.tolist() == [0, 2]

    def test_classes_and_networks(self, pyplot):
        X, y = load_iris(return_X_y=True)
        model = MDLAMClassifier((2,), n_networks=3, max_iter=1, random_state=0)
        model.fit(X, np.array(["x", "y", "z"])[y])
        display = show(model, layer=-1)
        assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["x", "y", "z"]
        first = show(model)
        assert first.ax_.get_xlabel() == "unit, 3 networks of 2"
        assert [float(line.get_xdata()[0]) for line in first.ax_.lines] == [1.5, 3.5]


class TestWeights:
    @pytest.fixture
    def coef(self):
        return np.random.RandomState(0).standard_normal((12, 5)) * [1, 9, 2, 4, 3]

    def test_images_of_the_largest_units(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(image_shape=(3, 4), n_units=2)
        assert display.units_.tolist() == [1, 3]
        pixels = display.image_.get_array().filled(np.nan)
        assert pixels.shape == (3, 9)  # side by side, with a gap
        np.testing.assert_array_equal(pixels[:, :4], coef[:, 1].reshape(3, 4))
        np.testing.assert_array_equal(pixels[:, 5:], coef[:, 3].reshape(3, 4))
        assert np.isnan(pixels[:, 4]).all()
        assert display.ax_.get_title() == "First layer: weights of the 2 largest of 5 units"
        drawn(display)

    @pytest.mark.parametrize("kind", ["image", "matrix"])
    def test_colors_are_symmetric(self, pyplot, coef, kind):
        shape = (3, 4) if kind == "image" else None
        display = WeightsDisplay(coef).plot(kind=kind, image_shape=shape)
        norm = display.image_.norm
        assert norm.vmin == -norm.vmax < 0
        assert norm.vmax <= np.abs(coef).max()
        assert display.colorbar_.extend == "both"  # a hundredth of the weights is beyond
        assert np.mean(np.abs(coef) > norm.vmax) <= 1 / 60
        middle = np.array(display.image_.cmap(norm(0.0))[:3])
        assert middle.min() > 0.9, "zero is white"

    def test_from_estimator_shows_all_small_layers(self, pyplot, fitted):
        model = fitted["feasible"]
        display = WeightsDisplay.from_estimator(model, kind="image")  # 4 inputs: 2 x 2
        assert np.isfinite(display.image_.get_array().filled(np.nan)).sum() == 4 * 16
        assert display.ax_.get_title() == "First layer: weights of all 16 units"
        last = WeightsDisplay.from_estimator(model, layer=-1, kind="matrix")
        np.testing.assert_array_equal(last.image_.get_array(), model.coefs_[1])
        assert last.ax_.get_ylabel() == "unit of the previous layer"
        assert last.ax_.get_title() == "coefs_[1]: weights"

    def test_at_most_16_images_by_default(self, pyplot):
        display = WeightsDisplay(np.ones((9, 20))).plot(kind="image")
        assert display.units_.tolist() == list(range(16))

    def test_names_of_encoded_columns(self, pyplot):
        X = pd.DataFrame({"a": np.arange(120.0), "b": np.arange(120) % 2})
        encoder = PiecewiseLinearEncoder(n_bins=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(hidden_layer_sizes=(3,), encoding=encoder, max_iter=2).fit(
                X, X["a"]
            )
        display = WeightsDisplay.from_estimator(model, kind="matrix")
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == ["a_rank", "a_pl_0", "a_pl_1", "b"]

    def test_sparsity(self, pyplot):
        X, y = make_regression(80, 6, n_informative=2, random_state=0)
        X = pd.DataFrame(X, columns=list("abcdef"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(
                hidden_layer_sizes=(10,),
                solver="relaxed",
                penalty="group",
                alpha=3.0,
                rho=1.0,
                random_state=0,
            ).fit(X, y / y.std())
        W = model.coefs_[0]
        zeros = np.count_nonzero(W == 0)
        assert 0 < zeros < W.size, "nothing to see"
        display = WeightsDisplay.from_estimator(model, kind="sparsity")
        np.testing.assert_array_equal(display.image_.get_array(), W != 0)
        share = round(100 * zeros / 60)
        assert display.ax_.get_title() == f"First layer: {zeros} of 60 weights are zero ({share}%)"
        assert [t.get_text() for t in display.ax_.get_yticklabels()] == list("abcdef")
        assert display.colorbar_ is None
        assert labels(display.ax_) == ["zero", "not zero"]
        drawn(display)

    def test_few_units_of_a_matrix_keep_their_numbers(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(kind="matrix", n_units=3)
        np.testing.assert_array_equal(display.image_.get_array(), coef[:, [1, 3, 4]])
        assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["1", "3", "4"]

    def test_many_names_are_left_out(self, pyplot):
        names = [f"column {k}" for k in range(50)]
        display = WeightsDisplay(np.ones((50, 3)), feature_names=names).plot(kind="sparsity")
        drawn(display)
        assert not any("column" in name for name in row_names(display))

    def test_all_zero(self, pyplot):
        display = WeightsDisplay(np.zeros((4, 2))).plot()
        assert display.image_.norm.vmax == 1.0
        drawn(display)

    def test_given_axes_and_keywords(self, pyplot, coef):
        _, ax = pyplot.subplots()
        display = WeightsDisplay(coef).plot(
            ax=ax, kind="matrix", image_kw={"cmap": "PuOr", "vmin": -1, "vmax": 1}
        )
        assert display.ax_ is ax and display.image_.cmap.name == "PuOr"
        assert display.image_.norm.vmax == 1

    def test_mlp(self, pyplot, fitted):
        display = WeightsDisplay.from_estimator(fitted["mlp"], kind="matrix")
        np.testing.assert_array_equal(display.image_.get_array(), fitted["mlp"].coefs_[0])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layer": 2}, "layer must be an integer from 0 to 1, or from -2 to -1; got 2"),
            ({"layer": -3}, "layer must be .*got -3"),
            ({"layer": 0.0}, "layer must be .*got 0.0"),
            ({"layer": True}, "layer must be .*got True"),
            ({"kind": "matrx"}, "kind must be one of 'auto', .*got 'matrx', did you mean 'matrix'"),
            ({"image_shape": (2, 3)}, r"image_shape=\(2, 3\) has 6 pixels.* has 4 inputs"),
            ({"image_shape": 4}, "two positive integers, rows and columns; got 4"),
            ({"image_shape": (2.0, 2)}, "two positive integers"),
            ({"image_shape": (-2, -2)}, "two positive integers"),
            ({"kind": "matrix", "image_shape": (2, 2)}, 'image_shape is for kind="image" only'),
            ({"n_units": 0}, "n_units must be a positive integer or None; got 0"),
            ({"n_features": 0}, "n_features must be a positive integer or None; got 0"),
            ({"n_units": 2.5}, "n_units must be .*got 2.5"),
            ({"feature_names": ["a"]}, "a name for each of the 4 inputs of layer 0; got 1"),
        ],
    )
    def test_bad_calls(self, pyplot, fitted, options, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay.from_estimator(fitted["feasible"], **options)
        assert pyplot.get_fignums() == []

    def test_not_a_square(self, pyplot):
        with pytest.raises(ValueError, match="10 inputs do not make a square image: give image_sh"):
            WeightsDisplay(np.ones((10, 2))).plot(kind="image")

    @pytest.mark.parametrize(
        ("coef", "message"),
        [
            (np.ones(3), "must be a matrix"),
            (np.ones((0, 3)), "must be a matrix"),
            (np.full((4, 1), np.nan), "not finite"),
        ],
    )
    def test_bad_coef(self, pyplot, coef, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay(coef).plot()

    def test_search_without_refit(self, pyplot):
        X, y = load_iris(return_X_y=True)
        search = GridSearchCV(
            MDLAMClassifier((2,), max_iter=1), {"alpha": [1.0]}, refit=False, cv=2
        )
        with pytest.raises(ValueError, match="refit=False: there is no best_estimator_"):
            show(search.fit(X, y))

    def test_bad_estimators(self, pyplot):
        with pytest.raises(NotFittedError):
            WeightsDisplay.from_estimator(MDLAMRegressor())
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match="StandardScaler has no coefs_"):
            WeightsDisplay.from_estimator(StandardScaler().fit(X, y))


def test_dollar_signs_in_names_are_no_formulas(pyplot):
    names = ["paid ($) of list price ($)", "$x_", "$y_$"]
    display = WeightsDisplay(np.eye(3), feature_names=names, unit_names=["$_", "$a^$", "b"]).plot()
    drawn(display)  # "$y_$" is no valid formula
    assert row_names(display) == [name.replace("$", r"\$") for name in names]
