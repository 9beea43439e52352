"""The plot of an encoding shows the pieces of the encoder, and refuses what has none."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skmdlam import EncodingDisplay, MDLAMRegressor, PiecewiseLinearEncoder

pd = pytest.importorskip("pandas")
rng = np.random.default_rng(3)
X = pd.DataFrame(
    {
        "flag": (rng.random(150) > 0.5).astype(float),
        "long": rng.lognormal(0, 2, 150),
        "count": rng.integers(0, 4, 150).astype(float),
        **{f"u{j}": rng.random(150) for j in range(6)},
    }
)
y = np.log(X["long"]) + X["count"]


pytestmark = [
    pytest.mark.usefixtures("pyplot"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture(scope="module")
def encoder():
    return PiecewiseLinearEncoder(n_bins=5).fit(X)


class TestPieces:
    def test_lines_are_the_transformed_columns(self, encoder):
        display = EncodingDisplay.from_encoder(encoder, "long")
        (lines,) = display.lines_
        assert len(lines) == 5
        names = list(encoder.get_feature_names_out())
        for t, line in enumerate(lines):
            samples = pd.DataFrame(np.ones((line.get_xdata().size, 9)), columns=X.columns)
            samples["long"] = line.get_xdata()
            piece = encoder.transform(samples)[:, names.index(f"long_pl_{t}")]
            np.testing.assert_allclose(line.get_ydata(), piece, rtol=0, atol=1e-12)
            assert line.get_ydata()[0] == 0 and line.get_ydata()[-1] == 1

    def test_over_the_range_of_training(self, encoder):
        display = EncodingDisplay.from_encoder(encoder, ["long", 2])
        for (first, *_), name in zip(display.lines_, ["long", "count"], strict=True):
            x = first.get_xdata()
            assert x[0] == X[name].min() and x[-1] == X[name].max()

    def test_marks_are_the_knots(self, encoder):
        display = EncodingDisplay.from_encoder(encoder, ["long", "count"])
        for mark, j in zip(display.marks_, [1, 2], strict=True):
            at = [path.vertices[0, 0] for path in mark.get_paths()]
            np.testing.assert_array_equal(at, encoder.knots_[j])
        assert [axis.get_title() for axis in display.ax_] == ["long: 5 bins", "count: 3 bins"]

    def test_neighbors_have_other_colors(self):
        encoder = PiecewiseLinearEncoder(n_bins=16).fit(X)
        (lines,) = EncodingDisplay.from_encoder(encoder, "long").lines_
        colors = [line.get_color() for line in lines]
        assert len(colors) == 16 and all(a != b for a, b in pairwise(colors))

    def test_first_features_with_pieces(self, encoder):
        display = EncodingDisplay.from_encoder(encoder)
        titles = [axis.get_title().partition(":")[0] for axis in display.ax_]
        assert titles == ["long", "count", "u0", "u1", "u2", "u3"]

    @pytest.mark.parametrize("include", [False, True])
    def test_ranks_and_features_themselves_are_no_pieces(self, include):
        encoder = PiecewiseLinearEncoder(4, include_rank=include, include_input=include)
        encoder.fit(X.to_numpy())
        (lines,) = EncodingDisplay.from_encoder(encoder, 1, feature_names=list("abcdefghi")).lines_
        assert len(lines) == 4 and lines[3].axes.get_title() == "b: 4 bins"


class TestEstimators:
    def test_encoder_inside(self, encoder):
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), encoding=encoder, max_iter=2, random_state=0
        )
        inside = make_pipeline(StandardScaler().set_output(transform="pandas"), model).fit(X, y)
        display = EncodingDisplay.from_encoder(inside, "long")
        np.testing.assert_array_equal(display.knots[0], model.encoder_.knots_[1])
        search = GridSearchCV(model, {"max_iter": [2]}, cv=2).fit(X, y)
        display = EncodingDisplay.from_encoder(search, "long")
        np.testing.assert_array_equal(display.knots[0], encoder.knots_[1])

    def test_plain_columns(self):
        model = MDLAMRegressor(hidden_layer_sizes=(5,), encoding=None, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match=r"no encoding to show: its encoder_ is None"):
            EncodingDisplay.from_encoder(model)

    def test_categories_and_gaps(self):
        """Scores of levels have pieces; columns of levels have none."""
        towns = np.array([f"town {j}" for j in rng.integers(0, 30, 150)], dtype=object)
        frame = X.assign(town=towns, long=X["long"].where(X["u0"] > 0.2))
        frame = frame[["town", "flag", "long", "count"]]
        effect = dict(zip(np.unique(towns), rng.normal(size=30), strict=False))
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), encoding="piecewise", max_iter=2, random_state=0
        )
        model.fit(frame, [5 * effect[town] for town in towns])
        display = EncodingDisplay.from_encoder(model)
        titles = [axis.get_title() for axis in display.ax_]
        assert titles == ["long: 8 bins + missing", "count: 3 bins", "town_score: 8 bins"]
        np.testing.assert_array_equal(display.knots[1], model.encoder_.knots_[3])
        np.testing.assert_array_equal(display.knots[2], model.encoder_.knots_[4])
        again = EncodingDisplay.from_encoder(model, [3, "town_score"])
        np.testing.assert_array_equal(again.pieces[1], display.pieces[2])
        with pytest.raises(ValueError, match="town: no bins to show, these are categories"):
            EncodingDisplay.from_encoder(model, ["long", "town"])
        with pytest.raises(ValueError, match=r"part of an estimator.*: pass the estimator"):
            EncodingDisplay.from_encoder(model.encoder_)

    def test_one_hot_columns(self):
        codes = rng.integers(0, 30, 150)
        columns = pd.get_dummies(codes, prefix="town", dtype=float).assign(long=X["long"])
        model = MDLAMRegressor(
            hidden_layer_sizes=(5,), encoding="piecewise", max_iter=2, random_state=0
        )
        model.fit(columns, rng.normal(size=30)[codes])
        display = EncodingDisplay.from_encoder(model, ["long", "town_0..town_29_score"])
        np.testing.assert_array_equal(display.knots[0], model.encoder_.knots_[0])
        assert display.knots[0][-1] == X["long"].max()
        with pytest.raises(ValueError, match=r"town_4: no bins to show.*read as one category"):
            EncodingDisplay.from_encoder(model, "town_4")

    def test_others(self, encoder):
        with pytest.raises(ValueError, match="Ridge has no encoder_"):
            EncodingDisplay.from_encoder(make_pipeline(encoder, Ridge()).fit(X, y))
        for model in (PiecewiseLinearEncoder(), MDLAMRegressor()):
            with pytest.raises(NotFittedError):
                EncodingDisplay.from_encoder(model)


class TestArguments:
    def test_own_axes_and_lines(self, pyplot, encoder):
        figure, axes = pyplot.subplots(1, 2)
        display = EncodingDisplay.from_encoder(
            encoder, [1, 2], ax=axes, line_kw={"lw": 3, "color": "red"}
        )
        assert display.figure_ is figure and list(display.ax_) == list(axes)
        assert {line.get_linewidth() for lines in display.lines_ for line in lines} == {3}
        assert display.plot().figure_ is not figure

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"features": "width"}, "no 'width' among flag, long, count"),
            ({"features": 9}, "indices from 0 to 8; got 9"),
            ({"features": [-1]}, "got -1"),
            ({"features": True}, "got True"),
            ({"features": []}, "at least one feature"),
            ({"features": ["long", "flag"]}, "flag: no bins to show"),
            ({"feature_names": ["one"]}, "each of the 9 features; got 1"),
            ({"ax": [None]}, "must hold 6 Axes, 1 for each of the 6"),
        ],
    )
    def test_bad_calls(self, pyplot, encoder, options, message):
        with pytest.raises(ValueError, match=message):
            EncodingDisplay.from_encoder(encoder, **options)
        assert pyplot.get_fignums() == []

    def test_nothing_to_show(self):
        encoder = PiecewiseLinearEncoder().fit(X[["flag"]])
        with pytest.raises(ValueError, match="No feature has bins"):
            EncodingDisplay.from_encoder(encoder)


def test_names_and_scale(pyplot):
    """From the steps of a pipeline; positive values crowded at one end have a log scale."""
    frame = pd.DataFrame({"rare": np.exp(np.linspace(0, 12, 60)), "even": np.arange(60.0)})
    model = MDLAMRegressor(
        hidden_layer_sizes=(2,), encoding="piecewise", max_iter=1, random_state=0
    )
    pipeline = make_pipeline(MaxAbsScaler(), model)
    display = EncodingDisplay.from_estimator(pipeline.fit(frame, frame["even"]))
    assert [axis.get_title() for axis in display.ax_] == ["rare: 8 bins", "even: 8 bins"]
    assert [axis.get_xscale() for axis in display.ax_] == ["log", "linear"]
    with pytest.raises(ValueError, match="did you mean 'even'"):
        EncodingDisplay.from_estimator(pipeline, "evn")
