"""partial_fit with encoded columns: when curves come, what becomes of the weights, and how good."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import r2_score

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder
from skmdlam import _stream_encoding as stream_module
from skmdlam._encoding import keep_pieces
from skmdlam.engine.constants import TUNED
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.problem import Problem
from skmdlam.losses import SquaredError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 4)) * [1.0, 20.0, 0.1, 1.0] + [0.0, 50.0, 0.0, 0.0]
X[:, 3] = X[:, 3] > 0.3
STEPS = np.sign(np.sin(4.0 * X[:, 0])) + (X[:, 1] > 60.0) + X[:, 3]
NUMBERS = STEPS + 0.1 * RNG.normal(size=3000)
LABELS = np.digitize(NUMBERS, [0.0, 1.5])
# Who says how many pieces there are.
CHOICE = "skmdlam.engine.feasible.choose_n_pieces"
BOTH = [MDLAMClassifier, MDLAMRegressor]
both = pytest.mark.parametrize("estimator", BOTH)


def make(estimator=MDLAMRegressor, **parameters):
    return estimator(**{"hidden_layer_sizes": (20,), "random_state": 0, **parameters})


def target(estimator):
    return LABELS if issubclass(estimator, MDLAMClassifier) else NUMBERS


def feed(model, sizes, X=X, y=None, start=0):
    """The rows in chunks of these sizes; returns how many pieces there were after each."""
    y = target(type(model)) if y is None else y
    pieces = []
    for size in sizes:
        rows = slice(start, start + size)
        first = {}
        if isinstance(model, MDLAMClassifier) and not hasattr(model, "classes_"):
            first = {"classes": np.unique(y)}
        model.partial_fit(X[rows], y[rows], **first)
        pieces.append(None if model.encoder_ is None else model.encoder_.n_bins)
        start += size
    return pieces


class TestGaps:
    @pytest.mark.parametrize(
        ("first", "encoding"),
        [
            (0, "piecewise"),
            (1500, "auto"),
            *(
                pytest.param(*case, marks=pytest.mark.slow)
                for case in ((0, "auto"), (150, "auto"), (150, "piecewise"), (1500, "piecewise"))
            ),
        ],
    )
    @pytest.mark.slow
    def test_begin_at_any_chunk(self, encoding, first):
        """What a column has learned stays when its gaps come, and when it is encoded anew."""
        missing = X.copy()
        missing[first::6, 0] = np.nan
        model = make(encoding=encoding)
        feed(model, [50] * 60, X=missing)
        assert model.encoder_ is not None
        assert model._inputs.pieces.kinds.gaps.tolist() == [True, False, False, False]
        assert r2_score(NUMBERS, model.predict(X)) > 0.7


class TestWhen:
    def test_curves_come_with_a_hundred_samples(self):
        model = make()
        assert feed(model, [50, 49]) == [None, None]
        assert model.coefs_[0].shape == (4, 20)
        (n_bins,) = feed(model, [1], start=99)
        assert n_bins >= TUNED.few_pieces
        assert model.coefs_[0].shape[0] == len(model.encoder_.get_feature_names_out())

    def test_chosen_anew_at_each_doubling(self):
        model, encoders, kept = make(), [], []
        for start in range(0, 1000, 50):
            feed(model, [50], start=start)
            if model.encoder_ is not None and model.encoder_ not in [e for _, e in encoders]:
                encoders.append((start + 50, model.encoder_))
                kept.append(model._sample["X"].astype(float))
        assert [seen for seen, _ in encoders] == [100, 200, 400, 800]
        for rows, (seen, encoder) in zip(kept, encoders, strict=True):
            if seen <= TUNED.stream_sample:  # all that was seen: the sample has place for it
                np.testing.assert_array_equal(rows, X[:seen])
            expected = PiecewiseLinearEncoder(encoder.n_bins).fit(rows)
            for found, knots in zip(encoder.knots_, expected.knots_, strict=True):
                np.testing.assert_array_equal(found, knots)

    def test_never_coarser(self, monkeypatch):
        model = make()
        feed(model, [100])
        fine = model.encoder_.n_bins
        assert fine > 1
        monkeypatch.setattr(CHOICE, lambda *_: 1)
        assert feed(model, [100, 200], start=100) == [fine, fine]

    @pytest.mark.slow
    def test_ends(self):
        """The encoder stays, and no samples are kept, once enough have been seen."""
        inputs = np.tile(X, (2, 1))
        model = make()
        y = np.tile(NUMBERS, 2)
        feed(model, [100, 2500, 2500], inputs, y)
        encoder = model.encoder_
        assert "X" in model._sample
        feed(model, [100], inputs, y, start=5100)
        assert "X" not in model._sample and model.encoder_ is not encoder
        encoder = model.encoder_
        feed(model, [400, 400], inputs, y, start=5200)
        assert model.encoder_ is encoder

    @pytest.mark.parametrize("given", ["piecewise", PiecewiseLinearEncoder(5)], ids=str)
    def test_asked_for_from_the_first_chunk_on(self, given):
        model = make(encoding=given)
        n = 8 if given == "piecewise" else 5
        assert feed(model, [30, 30]) == [n, n]
        for found, knots in zip(
            model.encoder_.knots_, PiecewiseLinearEncoder(n).fit(X[:30]).knots_, strict=True
        ):
            np.testing.assert_array_equal(found, knots)
        feed(model, [40], start=60)
        for found, knots in zip(
            model.encoder_.knots_, PiecewiseLinearEncoder(n).fit(X[:100]).knots_, strict=True
        ):
            np.testing.assert_array_equal(found, knots)
        assert given == "piecewise" or not hasattr(given, "knots_")

    def test_plain(self):
        rows = sp.csr_array(np.where(np.abs(X) > 1.0, X, 0.0))
        for options, inputs in (
            ({"encoding": None}, X),
            ({}, rows),
            ({"penalty": "l1"}, X),
            ({"hidden_layer_sizes": ()}, X),
        ):
            model = make(**options)
            assert feed(model, [100, 200], inputs) == [None, None]
            assert model.coefs_[0].shape[0] == 4

    def test_smooth_targets_stay_plain_or_get_ranks(self):
        inputs = np.random.default_rng(1).normal(size=(600, 5))
        rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))
        h = inputs @ rotation
        y = np.sin(h[:, 0]) + 0.5 * h[:, 1] * h[:, 2]
        assert set(feed(make(), [200, 200, 200], inputs, y)) <= {None, 1}

    def test_units_of_several_targets_have_no_say(self):
        chosen = []
        for unit in (1e-5, 1.0, 1e5):
            Y = np.column_stack([STEPS, unit * X[:, 2]])
            chosen.append(feed(make(), [100, 100], y=Y))
        assert chosen[0] == chosen[1] == chosen[2] and None not in chosen[0]


class TestReservoir:
    def problem(self, start, n):
        at = np.arange(start, start + n, dtype=float)
        return Problem(at[:, np.newaxis], at[:, np.newaxis], [], SquaredError(), None, 0.0)

    def sample(self, sizes, seed=0):
        sample = {"seen": 0, "chosen_at": 0, "seed": seed}
        start = 0
        for size in sizes:
            sample = stream_module._with_chunk(sample, self.problem(start, size))
            start += size
        return sample

    @pytest.mark.parametrize("sizes", [[1] * 300, [37] * 10, [400], [3, 397]])
    def test_holds_all_of_few(self, sizes):
        found = self.sample(sizes)
        np.testing.assert_array_equal(found["X"][:, 0], np.arange(sum(sizes)))
        assert found["seen"] == sum(sizes)
        np.testing.assert_array_equal(found["weight"], 1.0)

    @pytest.mark.parametrize("sizes", [[4000], [800, 800, 2400], [100] * 40])
    def test_each_row_with_the_same_chance(self, sizes):
        counts = np.zeros(4000)
        for seed in range(30):
            found = self.sample(sizes, seed)
            assert found["X"].shape == (TUNED.stream_sample, 1)
            np.testing.assert_array_equal(found["X"], found["Y"])
            rows = found["X"][:, 0].astype(int)
            assert np.unique(rows).size == TUNED.stream_sample
            counts[rows] += 1
        # A tenth of the rows each time, of the first as of the last ones: deviations of four
        # standard errors, of 30 draws of 500 rows.
        shares = counts.reshape(8, 500).mean(axis=1) / 30
        np.testing.assert_allclose(shares, 0.1, atol=4 * np.sqrt(0.1 * 0.9 / (30 * 500)))

    def test_rows_are_kept_as_they_came(self):
        """A column of one value in other digits would look as if it varied."""
        X = RNG.normal(size=(50, 2)) * [0.1, 1e9]
        problem = Problem(X, X[:, :1], [], SquaredError(), None, 0.0)
        found = stream_module._with_chunk({"seen": 0, "chosen_at": 0, "seed": 0}, problem)
        np.testing.assert_array_equal(found["X"], X)

    def test_does_not_change_what_was_kept(self):
        """A chunk that fails leaves the estimator as it was."""
        one = self.sample([1500])
        before = {name: np.copy(one[name]) for name in ("X", "Y", "weight")}
        stream_module._with_chunk(one, self.problem(1500, 400))
        for name, expected in before.items():
            np.testing.assert_array_equal(one[name], expected)


class TestLearns:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("chunk", "estimator"),
        [
            (500, MDLAMRegressor),
            (37, MDLAMClassifier),
            *(pytest.param(chunk, E, marks=pytest.mark.slow) for chunk in (10, 100) for E in BOTH),
        ],
    )
    def test_near_a_fit(self, estimator, chunk):
        y = target(estimator)
        batch = make(estimator, batch_size=100, max_iter=12).fit(X[:1500], y[:1500])
        expected = batch.score(X[2000:], y[2000:])
        model = make(estimator)
        for _ in range(3):
            for start in range(0, 1500, chunk):
                feed(model, [min(chunk, 1500 - start)], start=start)
        assert model.encoder_.n_bins >= TUNED.few_pieces
        score = model.score(X[2000:], y[2000:])
        plain = make(estimator, encoding=None, batch_size=100, max_iter=12)
        plain = plain.fit(X[:1500], y[:1500]).score(X[2000:], y[2000:])
        assert score > expected - 0.05 and score > plain + 0.03

    @pytest.mark.slow
    def test_single_rows(self, monkeypatch):
        """Curves come in mid-stream, and what was learned stays."""
        monkeypatch.setattr(CHOICE, lambda *_: 8)
        model, y = make(), NUMBERS
        feed(model, [60, *[1] * 39])
        before = model.score(X[1000:], y[1000:])
        feed(model, [1] * 2, start=99)
        assert model.encoder_ is not None
        assert model.score(X[1000:], y[1000:]) > before - 0.1
        feed(model, [1] * 80, start=101)
        assert model.score(X[1000:], y[1000:]) > before

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("few", "estimator"), [(1, MDLAMRegressor), (1, MDLAMClassifier), (20, MDLAMRegressor)]
    )
    def test_few_samples_and_then_many(self, estimator, few):
        """What is kept of the first ones is encoded as well; a wrong cell of theirs is seen.

        After a single sample no column has varied: starting weights are all that there is.
        """
        wrong = X.copy()
        wrong[0, 0] = 1e9
        beside = PiecewiseLinearEncoder(include_input=True)
        for inputs, encoding in ((X, "auto"), (wrong, "auto"), (X, beside), (wrong, beside)):
            model = make(estimator, encoding=encoding)
            feed(model, [few, 600, 600], inputs)
            assert model.encoder_ is not None
            assert model.score(X[1500:], target(estimator)[1500:]) > 0.4
            if encoding is beside:
                assert model.data_max_[0] < 1e3

    @pytest.mark.slow
    def test_drift(self):
        """Later samples lie elsewhere: the knots go there, and the fit with them."""
        moved = X.copy()
        moved[100:, 0] += 6.0
        model = make()
        feed(model, [100], moved)
        assert model.encoder_.knots_[0][-1] < 4.0
        for _ in range(2):
            feed(model, [300] * 9, moved, start=100)
        assert model.encoder_.knots_[0][-1] > 7.0
        assert model.data_max_[0] == moved[:2800, 0].max()
        assert r2_score(NUMBERS[2800:], model.predict(moved[2800:])) > 0.7

    def test_range(self):
        for include_input in (True, False):
            model = make(encoding=PiecewiseLinearEncoder(4, include_input=include_input))
            feed(model, [60, 60, 80])
            np.testing.assert_array_equal(model.data_min_, X[:200].min(axis=0))
            np.testing.assert_array_equal(model.data_max_, X[:200].max(axis=0))
            far = X[:5] + 1e6
            edge = np.minimum(far, model.data_max_)
            np.testing.assert_array_equal(model.predict(far), model.predict(edge))

    @both
    def test_weights_of_samples(self, estimator):
        """Those without weight are not there."""
        y = target(estimator)
        first = {"classes": np.unique(y)} if estimator is MDLAMClassifier else {}
        weight = (np.arange(400) % 2).astype(float)
        one, other = make(estimator), make(estimator)
        one.partial_fit(X[:400], y[:400], sample_weight=weight, **first)
        other.partial_fit(X[1:400:2], y[1:400:2], **first)
        assert one._sample["seen"] == 200
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "options",
        [
            {"loss": "poisson"},
            {"loss": "huber"},
            {"loss": "quantile", "encoding": "piecewise"},  # "auto" takes ranks alone
            {"hidden_layer_sizes": (12, 8)},
            {"penalty": "l1", "encoding": "piecewise"},
            {"hidden_layer_sizes": (), "encoding": "piecewise"},
        ],
        ids=str,
    )
    def test_of_every_kind(self, options):
        y = np.maximum(NUMBERS + 2.0, 0.0)
        model = make(**options)
        for _ in range(3):
            assert feed(model, [50, 50, 200, 400], y=y)[-1] is not None
        assert np.corrcoef(model.predict(X[800:]), y[800:])[0, 1] > 0.7


def layer_of(model, inputs):
    """What the first layer says of samples."""
    encoded = inputs if model.encoder_ is None else model.encoder_.transform(inputs)
    return encoded @ model.coefs_[0] + model.intercepts_[0]


class TestConversion:
    def convert(self, model, encoder, known):
        problem = Problem(known, np.zeros((len(known), 1)), [], SquaredError(), None, 0.0)
        stream_module._convert(model, encoder._pieces, problem)
        keep_pieces(model, encoder, encoder._pieces)

    def test_plain_columns_become_curves(self):
        model = make()
        feed(model, [90])
        before, said = layer_of(model, X), model.predict(X[:500])
        self.convert(model, PiecewiseLinearEncoder(8, include_input=True).fit(X[:300]), X[:300])
        np.testing.assert_allclose(layer_of(model, X), before, rtol=0, atol=1e-10)
        np.testing.assert_allclose(model.predict(X[:500]), said, rtol=1e-8, atol=1e-8)
        assert model.coefs_[0].shape == (31, 20)

    def test_plain_columns_become_curves_alone(self):
        model = make(clip=False)
        feed(model, [90])
        new = PiecewiseLinearEncoder(8).fit(X[:300])
        rng = np.random.default_rng(1)
        samples = np.column_stack([rng.choice(k if k.size else [0.0, 1.0], 99) for k in new.knots_])
        before = layer_of(model, samples)
        self.convert(model, new, X[:300])
        np.testing.assert_allclose(layer_of(model, samples), before, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("include_input", [True, False])
    def test_knots_anew(self, include_input):
        old = PiecewiseLinearEncoder(4, include_input=include_input)
        model = make(encoding=old, clip=False)
        feed(model, [90])
        new = PiecewiseLinearEncoder(8, include_input=include_input).fit(X[:300])
        rng = np.random.default_rng(1)
        samples = np.column_stack([rng.choice(k if k.size else [0.0, 1.0], 99) for k in new.knots_])
        before, said = layer_of(model, samples), model.predict(samples)
        self.convert(model, new, X[:300])
        np.testing.assert_allclose(layer_of(model, samples), before, rtol=0, atol=1e-10)
        np.testing.assert_allclose(model.predict(samples), said, rtol=1e-8, atol=1e-8)

    @both
    def test_the_next_chunk_goes_on(self, estimator, monkeypatch):
        """From the same function, in float32 as well."""
        monkeypatch.setattr(CHOICE, lambda *_: 8)
        for dtype in (np.float32, np.float64):
            model, y = make(estimator), target(estimator)
            feed(model, [50, 49], X.astype(dtype))
            before = model.score(X, y)
            feed(model, [30], X.astype(dtype), start=99)
            assert model.encoder_ is not None and model.coefs_[0].dtype == dtype
            assert model.score(X, y) > before - 0.1


class TestDriftBeyondTheKnots:
    """Beyond them curves are constant: they have to move with the data."""

    @pytest.mark.parametrize("begin", ["stream", "fit"])
    @pytest.mark.slow
    def test_they_move(self, begin):
        rng = np.random.default_rng(1)
        Z = rng.normal(size=(13_500, 2))
        y = np.sign(np.sin(4.0 * Z[:, 0])) + np.abs(Z[:, 1])
        Z[8500:, 0] = 7.0 * Z[8500:, 0] + 40.0  # another unit
        model = make(encoding="piecewise")
        if begin == "fit":
            model.fit(Z[6500:8000], y[6500:8000])
            feed(model, [250] * 2, Z, y, start=8000)
        else:
            feed(model, [250] * 34, Z, y)
        knots = model.encoder_.knots_[0]
        assert r2_score(y[8500:], model.predict(Z[8500:])) < 0.3
        feed(model, [250] * 18, Z, y, start=8500)
        assert model.encoder_.knots_[0][0] > knots[-1]
        assert r2_score(y[13_000:], model.predict(Z[13_000:])) > 0.7

    def test_at_once_after_a_fit(self):
        """The first chunk is learned by the curves of the fit; then there is what may be moved."""
        model = make(encoding="piecewise").fit(X[:600], NUMBERS[:600])
        knots = model.encoder_.knots_[0]
        moved = X + [40.0, 0.0, 0.0, 0.0]
        feed(model, [200], moved)
        np.testing.assert_array_equal(model.encoder_.knots_[0], knots)
        feed(model, [200] * 4, moved, start=200)
        assert model.encoder_.knots_[0][0] > knots[-1]

    def test_a_few_wrong_cells_move_nothing(self):
        Z = X.copy()
        model = make(encoding="piecewise").fit(Z[:1500], NUMBERS[:1500])
        Z[1500::100, 0] = 1e4
        knots = model.encoder_.knots_[0]
        feed(model, [50] * 30, Z, start=1500)
        np.testing.assert_array_equal(model.encoder_.knots_[0], knots)


class TestStored:
    @pytest.mark.parametrize(("seen", "estimator"), [(60, MDLAMRegressor), (250, MDLAMClassifier)])
    def test_in_mid_stream(self, estimator, seen):
        """A stream that was stored goes on as if it had not been."""
        one = make(estimator)
        feed(one, [seen])
        other = pickle.loads(pickle.dumps(one))
        for model in (one, other):
            feed(model, [50, 200, 50], start=seen)
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
        np.testing.assert_array_equal(one.predict(X[:50]), other.predict(X[:50]))

    def test_same_seed_same_stream(self):
        one, other = make(), make()
        for model in (one, other):
            feed(model, [110, 300, 37])
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])

    def test_after_a_fit_the_encoder_stays(self):
        for encoding in ("auto", None, "piecewise"):
            model = make(encoding=encoding, max_iter=5).fit(X[:300], NUMBERS[:300])
            encoder, before = model.encoder_, model.score(X[2000:], NUMBERS[2000:])
            feed(model, [100, 400, 400], start=300)
            assert model.encoder_ is encoder
            assert model.score(X[2000:], NUMBERS[2000:]) > before - 0.05


class TestRefused:
    @pytest.mark.parametrize("value", [-np.inf, np.inf, 1e200])
    @pytest.mark.parametrize("seen", [0, 60, 150])
    def test_bad_chunks_leave_it_as_it_was(self, value, seen):
        bad = X[:100].copy()
        bad[3, 1] = value
        model = make(encoding="piecewise")
        if seen:
            feed(model, [seen])
        before = dict(vars(model))
        with pytest.raises(ValueError, match=r"infinity|too large|X holds"):
            model.partial_fit(bad, NUMBERS[:100])
        assert vars(model) == before
        feed(model, [100], start=seen)
        clean = make(encoding="piecewise")
        feed(clean, [seen, 100] if seen else [100])
        np.testing.assert_array_equal(model.coefs_[0], clean.coefs_[0])

    def test_sparse_chunks(self):
        rows = sp.csr_array(X[:50])
        with pytest.raises(ValueError, match="X is sparse, and encoding='piecewise'"):
            make(encoding="piecewise").partial_fit(rows, NUMBERS[:50])
        model = make()
        feed(model, [120])
        with pytest.raises(ValueError, match="X is sparse, and the columns of the last fit were e"):
            model.partial_fit(rows, NUMBERS[:50])

    def test_a_failure_on_the_way(self, monkeypatch):
        """After the weights were converted: they are those of before again."""
        model = make()
        feed(model, [99])
        before = dict(vars(model))
        expected = model.predict(X[:20])

        def fails(*_, **__):
            assert model.encoder_ is not None
            raise FloatingPointError

        monkeypatch.setattr("skmdlam.engine.feasible.Feasible.stream", fails)
        with pytest.raises(FloatingPointError):
            feed(model, [10], start=99)
        assert vars(model) == before and model.encoder_ is None
        np.testing.assert_array_equal(model.predict(X[:20]), expected)


def test_dense_after_sparse():
    """A stream that began with sparse chunks has plain columns for good."""
    model = make()
    feed(model, [150], sp.csr_array(X))
    feed(model, [300], start=150)
    assert model.encoder_ is None and model.coefs_[0].shape[0] == 4


def test_sparse_in_mid_stream():
    """Before curves have come: they do not come any more."""
    model, plain = make(), make(encoding=None)
    for each in (model, plain):
        feed(each, [50])
        feed(each, [20], sp.csr_array(X), start=50)
        feed(each, [50, 200], start=70)
    assert model.encoder_ is None
    scores = [each.score(X[1000:], NUMBERS[1000:]) for each in (model, plain)]
    assert scores[0] == pytest.approx(scores[1], abs=0.1) and min(scores) > 0.15


def test_pieces_are_those_of_the_sample():
    model = make(encoding="piecewise")
    feed(model, [250])
    expected = Pieces.of(X[:250], 8, include_rank=True)
    np.testing.assert_array_equal(model.encoder_.transform(X), expected.encoded(X))
