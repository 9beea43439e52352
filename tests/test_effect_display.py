"""Effects of features: exact curves of the first layer, partial dependence as scikit-learn's."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmdlam import FeatureEffectDisplay, MDLAMClassifier, MDLAMRegressor
from skmdlam._effect_display import _FirstLayer
from skmdlam._feature_panels import shortened
from skmdlam._frames import table_of

pd = pytest.importorskip("pandas")
rng, MORE = np.random.default_rng(5), np.random.default_rng(8)
# Few values, so that scikit-learn's grid is the same one: the values themselves.
X = np.column_stack(
    [
        rng.integers(0, 30, 200) / 7.0,
        np.exp(rng.integers(0, 25, 200) / 5.0),
        rng.integers(0, 2, 200),
        rng.integers(-9, 9, 200) / 3.0,
    ]
)
y = np.sin(2 * X[:, 0]) + np.log(X[:, 1]) * X[:, 2]
FRAME = pd.DataFrame(X, columns=["wave", "tail", "flag", "useless"])
LABELS = np.array(["low", "mid", "high"], dtype=object)[np.digitize(y, [0.0, 1.0])]
QUICK = {"max_iter": 5, "random_state": 0}
show = FeatureEffectDisplay.from_estimator


pytestmark = [
    pytest.mark.usefixtures("pyplot"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def fitted(encoding="piecewise", hidden=(12,), X=X, y=y, **options):
    return MDLAMRegressor(hidden_layer_sizes=hidden, encoding=encoding, **(QUICK | options)).fit(
        X, y
    )


class TestCurves:
    @pytest.mark.parametrize("encoding", [None, "piecewise"])
    @pytest.mark.parametrize("outside", [1.0, 3.0])
    def test_sum_is_the_pre_activation(self, encoding, outside):
        """Of samples beyond the range of training too, which are clipped."""
        model = fitted(encoding)
        samples = X * outside
        encoded = np.clip(samples, X.min(axis=0), X.max(axis=0))
        if encoding is not None:
            encoded = model.encoder_.transform(encoded)
        pre_activations = encoded @ model.coefs_[0] + model.intercepts_[0]
        layer = _FirstLayer(model, samples)
        total = sum(layer.curves(j, samples[:, j]) for j in range(4))
        np.testing.assert_allclose(
            total + pre_activations.mean(axis=0), pre_activations, rtol=0, atol=1e-9
        )

    @pytest.mark.parametrize("encoding", [None, "piecewise"])
    def test_sum_of_what_is_shown(self, encoding):
        """Of all features at values of the grid; units that pass on what they get say the sum."""
        model = fitted(encoding, activation="identity")
        display = show(model, X, range(4), n_units=None)
        rows = np.arange(12)
        samples, total = np.empty((12, 4)), np.zeros((12, 12))
        for effect in display.effects:
            place = (5 * rows + effect.feature) % effect.grid_values.size
            samples[:, effect.feature] = effect.grid_values[place]
            total[:, effect.units] += effect.curves[place]
        expected = model.transform(samples) - model.transform(X).mean(axis=0)
        np.testing.assert_allclose(total, expected, rtol=0, atol=1e-9)

    def test_plain_features_are_straight_lines(self):
        model = fitted(None)
        display = show(model, X, [1], n_units=3)
        (effect,) = display.effects
        slopes = np.diff(effect.curves, axis=0) / np.diff(effect.grid_values)[:, None]
        expected = np.broadcast_to(model.coefs_[0][1, effect.units], slopes.shape)
        np.testing.assert_allclose(slopes, expected, atol=1e-12, rtol=1e-9)
        assert effect.knots.size == 0

    def test_ranked_by_spread_times_outgoing_weights(self):
        model = fitted("piecewise")
        display = show(model, X, ["x1"], n_units=5)
        own = [name.startswith("x1") for name in model.encoder_.get_feature_names_out()]
        values = model.encoder_.transform(X)[:, own] @ model.coefs_[0][own]
        size = values.std(axis=0) * np.linalg.norm(model.coefs_[1], axis=1)
        np.testing.assert_array_equal(display.effects[0].units, np.argsort(-size)[:5])

    def test_largest_features(self):
        many = rng.normal(size=(150, 9))
        model = fitted(None, X=many, y=5 * many[:, 7] + many[:, 2], max_iter=30)
        found = [effect.feature for effect in show(model, many).effects]
        assert len(found) == 6 and found[:2] == [7, 2]

    def test_without_hidden_layers_both_panels_agree(self):
        model = fitted("piecewise", ())
        (effect,) = show(model, X, 0).effects
        np.testing.assert_allclose(
            effect.curves[:, 0], effect.average - model.predict(X).mean(), atol=1e-9
        )


class TestPartialDependence:
    def check(self, display, model, X, place=0, **options):
        for effect in display.effects:
            expected = partial_dependence(
                model, X, [effect.feature], grid_resolution=100, **options
            )
            np.testing.assert_allclose(effect.average, expected["average"][place], atol=1e-9)
            values = expected.get("grid_values", expected.get("values"))[0]
            np.testing.assert_array_equal(effect.grid_values, values)

    @pytest.mark.parametrize("encoding", [None, "piecewise"])
    @pytest.mark.parametrize("loss", ["squared_error", "poisson"])
    @pytest.mark.slow
    def test_regressor(self, encoding, loss):
        model = fitted(encoding, y=y - y.min(), loss=loss)
        self.check(show(model, X, range(4)), model, X)

    def test_several_outputs(self):
        model = fitted("piecewise", y=np.column_stack([y, X[:, 3]]))
        display = show(model, X, [0, 3], target=1)
        self.check(display, model, X, 1)
        assert display.response == "output 1"

    @pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
    @pytest.mark.slow
    def test_classes(self, method):
        model = MDLAMClassifier((9,), encoding="piecewise", **QUICK).fit(X, LABELS)
        for place, label in enumerate(model.classes_):
            display = show(model, X, [0, 1], target=label, response_method=method)
            self.check(display, model, X, place, response_method=method)

    @pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
    def test_two_classes(self, method):
        model = MDLAMClassifier((9,), **QUICK).fit(X, LABELS == "low")
        display = show(model, X, [0], response_method=method)
        self.check(display, model, X, response_method=method)
        other = show(model, X, [0], target=False, response_method=method)
        total = 1.0 if method == "predict_proba" else 0.0
        np.testing.assert_allclose(other.effects[0].average, total - display.effects[0].average)

    def test_labels_that_do_not_exclude_each_other(self):
        model = MDLAMClassifier((9,), **QUICK).fit(X, np.column_stack([y > 0, y > 1]).astype(int))
        (effect,) = show(model, X, [2], target=1).effects
        for value, average in zip([0.0, 1.0], effect.average, strict=True):
            changed = X.copy()
            changed[:, 2] = value
            assert average == pytest.approx(model.predict_proba(changed)[:, 1].mean())

    def test_other_networks(self):
        model = MLPRegressor(hidden_layer_sizes=(7,), max_iter=20, random_state=0).fit(X, y)
        self.check(show(model, X, [0, 1]), model, X)
        model = MLPClassifier((7,), max_iter=20, random_state=0).fit(X, LABELS)
        self.check(show(model, X, [0, 1], target="low"), model, X, 1)

    def test_knots_are_in_the_grid(self):
        samples = rng.normal(size=(300, 2))
        model = fitted("piecewise", X=samples, y=samples[:, 0] ** 2)
        (effect,) = show(model, samples, [0], percentiles=(0.1, 0.9), grid_resolution=20).effects
        low, high = np.quantile(samples[:, 0], [0.1, 0.9])
        knots = model.encoder_.knots_[0]
        assert set(knots[(knots > low) & (knots < high)]) < set(effect.grid_values)
        assert effect.grid_values[0] == low and effect.grid_values[-1] == high
        assert 20 <= effect.grid_values.size <= 40


class TestInputs:
    def test_data_frame(self):
        model = fitted("piecewise", X=FRAME)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # names would be missed
            display = show(model, FRAME, ["tail", 0])
        assert [effect.name for effect in display.effects] == ["tail", "wave"]
        plain = show(fitted("piecewise"), X, [1, 0])
        np.testing.assert_array_equal(plain.effects[0].average, display.effects[0].average)
        assert hasattr(model, "feature_names_in_") and model.encoder_ is not None
        model.predict(FRAME)

    def test_dollar_signs_in_names_are_no_formulas(self, pyplot):
        frame = pd.DataFrame({"$a_$": X[:, 0], "b": np.where(X[:, 1] > 0, "$u_$", "v")})
        model = MDLAMClassifier((4,), max_iter=2, random_state=0)
        model.fit(frame, np.where(X[:, 0] > 0, "$yes_$", "no"))
        display = FeatureEffectDisplay.from_estimator(model, frame)
        display.figure_.canvas.draw()
        assert {effect.name for effect in display.effects} == {"$a_$", "b"}

    def test_whole_numbers(self):
        ages = FRAME.assign(tail=np.arange(200))
        (effect,) = show(fitted("piecewise", X=ages), ages, "tail").effects
        assert effect.grid_values.size > 50

    def test_arguments_are_left_as_they_are(self):
        before = X.copy()
        show(fitted(None, clip=False), X)
        np.testing.assert_array_equal(X, before)

    @pytest.mark.slow
    def test_pipeline_and_search(self):
        model = MDLAMRegressor(hidden_layer_sizes=(8,), encoding="piecewise", **QUICK)
        pipeline = make_pipeline(StandardScaler(), model).fit(FRAME, y)
        display = show(pipeline, FRAME, "tail")
        scaled = StandardScaler().fit_transform(X)
        expected = show(fitted("piecewise", (8,), X=scaled), scaled, [1])
        np.testing.assert_allclose(display.effects[0].curves, expected.effects[0].curves)
        search = GridSearchCV(model, {"max_iter": [5]}, cv=2).fit(FRAME, y)
        assert show(search, FRAME, "flag").effects[0].feature == 2

    def test_stream(self):
        model = MDLAMRegressor(hidden_layer_sizes=(8,), **QUICK)
        for start in range(0, 200, 50):
            model.partial_fit(X[start : start + 50], y[start : start + 50])
        (effect,) = show(model, X, [1], n_units=None).effects
        assert effect.curves.shape == (25, 8)
        assert (model.encoder_ is None) == (effect.knots.size == 0)

    def test_single_precision(self):
        model = fitted("piecewise", X=X.astype(np.float32))
        (effect,) = show(model, X.astype(np.float32), [0]).effects
        expected = show(model, X, [0]).effects[0]
        np.testing.assert_allclose(effect.average, expected.average, atol=1e-5)

    def test_subsample(self):
        model = fitted("piecewise")
        rows = np.sort(np.random.RandomState(7).permutation(200)[:40])
        (effect,) = show(model, X, [0], subsample=40, random_state=7).effects
        expected = show(model, X[rows], [0], subsample=None).effects[0]
        np.testing.assert_array_equal(effect.average, expected.average)


TOWNS = np.array([f"town {j:02}" for j in range(40)], dtype=object)
CODES = np.r_[np.repeat(np.arange(15), 5), MORE.integers(0, 40, 525)]
COLORS = MORE.choice(["red", "green", "blue"], 600)
# Many towns, few colors, and gaps: scores, columns of levels, and columns of gaps.
TABLE = pd.DataFrame(
    {
        "width": np.where(MORE.random(600) < 0.2, np.nan, MORE.normal(size=600)),
        "town": TOWNS[CODES],
        "color": pd.Series(COLORS).where(MORE.random(600) > 0.1),
        "whole": MORE.integers(0, 5, 600),
    }
)
TARGET = MORE.normal(size=40)[CODES] + (COLORS == "red") + 0.1 * MORE.normal(size=600)


@pytest.fixture(scope="module", params=["piecewise", None])
def model(request):
    return MDLAMRegressor(hidden_layer_sizes=(10,), encoding=request.param, **QUICK).fit(
        TABLE, TARGET
    )


class TestCategories:
    """Partial dependence by its definition: one value after another in place of a column."""

    @pytest.mark.slow
    def test_brute_force(self, model):
        display = show(model, TABLE, list(TABLE))
        for effect in display.effects:
            for value, average in zip(effect.grid_values, effect.average, strict=True):
                changed = TABLE.assign(**{effect.name: value})
                assert average == pytest.approx(model.predict(changed).mean(), abs=1e-9)
        town, color = display.effects[1:3]
        assert any(name.startswith("town_score") for name in model.input_names_)
        counts = TABLE["town"].value_counts()
        assert counts[town.level_names].tolist() == counts.tolist()[:12]
        assert (len(town.level_names), town.n_levels) == (12, 40)
        assert sorted(color.level_names) == ["blue", "green", "missing", "red"]
        assert np.isnan(color.grid_values[color.level_names.index("missing")])

    @pytest.mark.slow
    def test_as_in_scikit_learn(self, model):
        complete = TABLE.dropna()
        for name in ("town", "color", "whole"):
            (effect,) = show(model, complete, name).effects
            expected = partial_dependence(
                model, complete, [name], categorical_features=[name], grid_resolution=50
            )
            found = dict(zip(expected["grid_values"][0], expected["average"][0], strict=True))
            np.testing.assert_allclose(
                effect.average, [found[value] for value in effect.grid_values], atol=1e-9
            )

    def test_sum_is_the_pre_activation(self, model):
        layer = _FirstLayer(model, model._reader.read(table_of(TABLE)))
        X = model._reader.read(table_of(TABLE))
        pre_activations = layer.encoded @ model.coefs_[0]
        total = sum(layer.curves(j, X[:, j]) for j in range(1, 4))
        for gap in (False, True):
            rows = np.isnan(X[:, 0]) == gap
            some = layer.curves(0, X[rows, 0])
            np.testing.assert_allclose(
                total[rows] + some,
                (pre_activations - pre_activations.mean(axis=0))[rows],
                rtol=0,
                atol=1e-9,
            )

    def test_gaps_are_no_values(self, model):
        (effect,) = show(model, TABLE, "width").effects
        width = TABLE["width"].dropna()
        np.testing.assert_allclose(effect.deciles, width.quantile(np.arange(1, 10) / 10))
        assert effect.level_names is None and width.min() <= effect.grid_values.min()
        if model.encoder_ is not None:
            np.testing.assert_array_equal(effect.knots, model.encoder_.knots_[0])

    def test_one_hot_columns(self):
        """Many of them, that the estimator reads as one category."""
        columns = pd.get_dummies(TOWNS[CODES], dtype=float)
        columns.insert(0, "red", COLORS == "red")
        model = MDLAMRegressor(hidden_layer_sizes=(10,), encoding="piecewise", **QUICK).fit(
            columns, TARGET
        )
        name = "town 00..town 39"
        assert any(own.startswith(f"{name}_score") for own in model.input_names_)
        town, red = show(model, columns).effects
        assert (town.name, red.name) == (name, "red") and town.feature.tolist() == [*range(1, 41)]
        changed = columns.astype(float)
        for column, level, average in zip(
            town.grid_values, town.level_names, town.average, strict=True
        ):
            changed.iloc[:, 1:] = 0.0
            changed[level] = 1.0
            assert columns.columns[column] == level
            assert average == pytest.approx(model.predict(changed).mean(), abs=1e-9)
        with pytest.raises(ValueError, match=f"town 07 is one of .* ask for '{name}'"):
            show(model, columns, ["red", "town 07"])

    @pytest.mark.slow
    def test_arrays_chunks_and_pipelines(self):
        X = np.column_stack([TABLE["whole"], CODES])
        model = MDLAMRegressor(hidden_layer_sizes=(10,), categorical_features=[1], **QUICK)
        for rows in np.array_split(np.arange(600), 3):
            model.partial_fit(X[rows], TARGET[rows])
        (effect,) = show(model, X, 1).effects
        changed = X.copy()
        changed[:, 1] = effect.grid_values[3]
        assert effect.average[3] == pytest.approx(model.predict(changed).mean(), abs=1e-9)
        pipeline = make_pipeline(FunctionTransformer(), clone(model)).fit(X, TARGET)
        assert show(pipeline, X, 1).effects[0].level_names[0] == effect.level_names[0]

    def test_panel(self, model):
        display = show(model, TABLE, ["town", "color"])
        ticks = [tick.get_text() for tick in display.ax_[0, 1].get_xticklabels()]
        assert ticks == display.effects[0].level_names
        assert display.ax_[0, 1].get_xlabel() == "12 most frequent of 40 levels"
        assert display.ax_[1, 1].get_xlabel() == ""
        np.testing.assert_array_equal(display.lines_[1].get_ydata(), display.effects[1].average)

    def test_long_names_differ(self):
        short = [shortened(f"a town of a long name {k}", 14) for k in (17, 18)]
        assert len(short[0]) == 14 and short[0] != short[1]

    def test_nothing_but_gaps(self, model):
        with pytest.raises(ValueError, match="no values of width, only gaps"):
            show(model, TABLE.assign(width=np.nan), "width")
        with pytest.raises(ValueError, match=r"no values of town, .*categories not known"):
            show(model, TABLE.assign(town="elsewhere"), "town")
        shown = show(model, TABLE.assign(width=np.nan)).effects
        assert {effect.name for effect in shown} == {"town", "color", "whole"}


class TestPlot:
    def test_lines_are_the_numbers(self):
        display = show(fitted(), X, [0, 1], n_units=4)
        for line, lines, effect in zip(
            display.lines_, display.curve_lines_, display.effects, strict=True
        ):
            np.testing.assert_array_equal(line.get_xdata(), effect.grid_values)
            np.testing.assert_array_equal(line.get_ydata(), effect.average)
            assert len(lines) == 4
            for k, curve in enumerate(lines):
                np.testing.assert_array_equal(curve.get_ydata(), effect.curves[:, k])
        at = [path.vertices[0, 0] for path in display.deciles_[1].get_paths()]
        np.testing.assert_allclose(at, np.quantile(X[:, 1], np.arange(1, 10) / 10))

    @pytest.mark.parametrize("n", [1, 4])
    @pytest.mark.slow
    def test_panels(self, n):
        display = show(fitted(), X, range(n))
        assert display.ax_.shape == (n, 2)
        assert len({axis.get_ylim() for axis in display.ax_[:, 0]}) == 1
        for upper, lower in display.ax_:
            assert upper.get_xlim() == lower.get_xlim()
        canvas = display.figure_.canvas
        canvas.draw()
        assert np.ptp(np.asarray(canvas.buffer_rgba())) > 0

    def test_own_axes_and_lines(self, pyplot):
        figure, axes = pyplot.subplots(2, 2)
        display = show(
            fitted(), X, [0, 3], ax=axes, line_kw={"color": "red"}, curve_kw={"lw": 3}, n_units=2
        )
        assert display.figure_ is figure and display.ax_[1, 0] is axes[1, 0]
        assert {line.get_color() for line in display.lines_} == {"red"}
        assert {line.get_linewidth() for line in display.curve_lines_[0]} == {3}
        assert display.plot().figure_ is not figure

    @pytest.mark.parametrize("missing", ["matplotlib", None])
    def test_errors_before_any_work(self, monkeypatch, missing):
        model = fitted()
        monkeypatch.setattr("skmdlam._effect_display._partial_dependence", None)
        if missing:
            monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
            with pytest.raises(ImportError, match=r"FeatureEffectDisplay\.plot needs matplotlib"):
                show(model, X)
        else:
            with pytest.raises(ValueError, match="must hold 8 Axes, 2 for each of the 4"):
                show(model, X, ax=[None] * 3)

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="no feature"):
            FeatureEffectDisplay([]).plot()


class TestBadCalls:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"features": "width"}, "no 'width' among x0, x1"),
            ({"features": [0, 4]}, "indices from 0 to 3; got 4"),
            ({"features": 1.5}, "got 1.5"),
            ({"feature_names": ["one"]}, "each of the 4 features; got 1"),
            ({"n_units": 0}, "n_units must be an integer of at least 1, or None; got 0"),
            ({"subsample": 1.0}, "subsample must be"),
            ({"grid_resolution": 1}, "grid_resolution must be"),
            ({"percentiles": (0.9, 0.1)}, "percentiles must be two"),
            ({"percentiles": 0.5}, "percentiles must be two"),
            (
                {"response_method": "predict_prob"},
                "did you mean 'predict_proba'",
            ),
            ({"response_method": "predict_proba"}, 'must be "auto" for a regressor'),
            ({"target": 1}, "one output only; got 1"),
            ({"features": 0, "ax": [None]}, "must hold 2 Axes, 2 for each of the 1"),
            ({"X": sp.csr_array(X)}, "X is sparse"),
            ({"X": X[:, :3]}, "X has 3 features, but MDLAMRegressor is expecting 4"),
            ({"X": X * np.nan}, "NaN"),
            ({"X": X.astype(str)}, "X holds strings"),
        ],
    )
    def test_options(self, pyplot, options, message):
        with pytest.raises(ValueError, match=message):
            show(fitted(), **{"X": X, **options})
        assert pyplot.get_fignums() == []

    def test_target(self):
        model = MDLAMClassifier((5,), **QUICK).fit(X, LABELS)
        with pytest.raises(
            ValueError, match=r"target must be one of the 3 classes.*high, low, mid"
        ):
            show(model, X)
        with pytest.raises(ValueError, match=r"target must be a class, .*got 'lowest'"):
            show(model, X, target="lowest")
        several = fitted(y=np.column_stack([y, y]))
        for target in (None, 2):
            with pytest.raises(ValueError, match="index of an output, from 0 to 1"):
                show(several, X, target=target)

    def test_estimators(self):
        with pytest.raises(NotFittedError):
            show(MDLAMRegressor(), X)
        with pytest.raises(ValueError, match="got the class MDLAMRegressor"):
            show(MDLAMRegressor, X)
        with pytest.raises(ValueError, match="Ridge has no coefs_"):
            show(Ridge().fit(X, y), X)

    def test_other_data_frame(self):
        with pytest.raises(ValueError, match="feature names of X are not those"):
            show(fitted(X=FRAME), FRAME[["tail", "wave", "flag", "useless"]])

    def test_fitted_to_sparse_samples(self):
        """These were plain columns: dense samples show them."""
        model = fitted("auto", X=sp.csr_array(X))
        assert model.encoder_ is None
        expected = model.predict(np.column_stack([np.full(200, X[:, 0].min()), X[:, 1:]])).mean()
        assert show(model, X, 0).effects[0].average[0] == pytest.approx(expected)

    def test_names_of_a_pipeline(self):
        """Those that its steps give, and the one that was meant."""
        columns = make_column_transformer((StandardScaler(), ["tail", "wave"]))
        pipeline = make_pipeline(columns, MDLAMRegressor(hidden_layer_sizes=(3,), **QUICK))
        pipeline.fit(FRAME, y)
        (effect,) = show(pipeline, FRAME, "standardscaler__wave").effects
        assert effect.feature == 1
        for name in ("wave", "waves", "standardscaler__waves"):
            with pytest.raises(ValueError, match="did you mean 'standardscaler__wave'"):
                show(pipeline, FRAME, name)

    def test_transformed_target(self):
        inner = MDLAMRegressor(hidden_layer_sizes=(3,), **QUICK)
        outer = TransformedTargetRegressor(inner, transformer=StandardScaler()).fit(X, y)
        (effect,) = show(outer, X, 0).effects
        np.testing.assert_array_equal(
            effect.average, show(outer.regressor_, X, 0).effects[0].average
        )


class TestMissing:
    def test_of_numbers(self):
        """The mean prediction without the value, and no line where none is missing."""
        frame = FRAME.copy()
        frame.loc[::6, "tail"] = np.nan
        model = fitted(X=frame, hidden=(3,))
        display = show(model, frame, ["tail", "wave"], subsample=None)
        expected = model.predict(frame.assign(tail=np.nan)).mean()
        assert display.effects[0].missing == pytest.approx(expected)
        assert set(display.missing_lines_[0].get_ydata()) == {display.effects[0].missing}
        assert display.effects[1].missing is display.missing_lines_[1] is None
        low, high = display.ax_[1, 0].get_ylim()
        assert low < expected < high


class TestAxes:
    def test_log_scale_of_crowded_values(self):
        """Positive ones alone."""
        crowded = np.exp(3 * np.random.default_rng(0).normal(size=(90, 2))) * [1e4, 1.0] - [
            0.0,
            1.0,
        ]
        display = show(fitted(X=crowded, y=np.log(crowded[:, 0]), hidden=(3,)), crowded, [0, 1])
        assert [axis.get_xscale() for axis in display.ax_[:, 1]] == ["log", "linear"]
        display.figure_.canvas.draw()
        ticks = [label.get_text() for label in display.ax_[0, 1].get_xticklabels()]
        assert "100" in ticks and "1e6" in ticks
        # Panels of a row are equally high.
        heights = [axis.get_position().height for axis in display.ax_[:, 0]]
        assert heights[0] == pytest.approx(heights[1], rel=1e-6)
