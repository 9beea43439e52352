"""A stream whose columns are encoded anew: the function, and all that it knows of the columns."""

import numpy as np
import pytest

from skmdlam import MDLAMClassifier, MDLAMRegressor, PiecewiseLinearEncoder
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.loop.stream_state import StreamState
from skmdlam.engine.moments import Moments
from skmdlam.engine.stream_columns import _moments, with_pieces

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4)) * [1.0, 30.0, 0.01, 1.0] + [0.0, 5.0, 1.0, 0.0]
X[:, 3] = X[:, 3] > 0.5
NUMBERS = np.sin(2.0 * X[:, 0]) + X[:, 1] / 30.0 + X[:, 3] + 0.1 * RNG.normal(size=400)
LABELS = (NUMBERS > 1.0).astype(int)


def stream(estimator=MDLAMRegressor, encoding=None, n=300, **options):
    """A stream with these columns so far, its state and its pieces."""
    model = estimator(hidden_layer_sizes=(6,), encoding=encoding, random_state=0, **options)
    y = NUMBERS if estimator is MDLAMRegressor else LABELS
    first = {"classes": [0, 1]} if estimator is MDLAMClassifier else {}
    for start in range(0, n, 50):
        rows = slice(start, start + 50)
        model.partial_fit(X[rows], y[rows], **first)
    return model, StreamState.from_arrays(model._stream)


def first_layer(state, pieces, samples, name="V"):
    """What the weights of the state say of samples."""
    W, b = state.basis.expand(state.layers[0][name])
    return pieces.encoded(samples) @ W + b


def at_knots(pieces, n=100):
    rng = np.random.default_rng(1)
    return np.column_stack(
        [
            rng.choice(X[:, j] if curve is None else curve.knots, n)
            for j, curve in enumerate(pieces.curves)
        ]
    )


@pytest.mark.parametrize("options", [{}, {"penalty": "l1", "alpha": 1e-3}], ids=["rotated", "axes"])
@pytest.mark.parametrize("estimator", [MDLAMClassifier, MDLAMRegressor])
@pytest.mark.parametrize("name", ["V", "average"])
def test_the_function_stays(estimator, options, name):
    """From plain columns everywhere, in the weights and their average."""
    _, state = stream(estimator, **options)
    old, new = Pieces.plain(4), Pieces.of(X, 8, include_input=True)
    moved, factor, offset = with_pieces(state, old, new, X[:300], None)
    before, after = (first_layer(s, p, X, name) for s, p in ((state, old), (moved, new)))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4 * np.abs(before).max())
    expected = new.in_terms_of(old)
    np.testing.assert_array_equal(factor, expected[0])
    np.testing.assert_array_equal(offset, expected[1])
    assert moved.basis.rotated == state.basis.rotated
    assert moved.layers[0]["V"].dtype == state.layers[0]["V"].dtype
    assert not moved.layers[0]["velocity"].any() and moved.dormant is None


@pytest.mark.parametrize("options", [{"include_rank": True}, {"include_input": True}], ids=str)
@pytest.mark.parametrize("n_pieces", [4, 16])
def test_the_function_stays_at_the_knots(n_pieces, options):
    model, state = stream(encoding=PiecewiseLinearEncoder(8), n=100)
    old, new = model.encoder_._pieces, Pieces.of(X, n_pieces, **options)
    moved, _, _ = with_pieces(state, old, new, X[:100], None)
    samples = at_knots(new)
    before, after = (first_layer(s, p, samples) for s, p in ((state, old), (moved, new)))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4 * np.abs(before).max())
    # Not so between them: other knots are other curves.
    between = X[:50] + [0.05, 1.0, 0.0005, 0.0]
    before, after = (first_layer(s, p, between) for s, p in ((state, old), (moved, new)))
    assert np.abs(after - before).max() > 1e-4 * np.abs(before).max()


@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_known_of_the_columns(weighted):
    """Of those that stay all that was seen, of pieces what some samples say."""
    _, state = stream()
    new, some = Pieces.of(X, 8, include_input=True), X[:120]
    weight = np.random.default_rng(2).integers(1, 4, 120).astype(float) if weighted else None
    moved, _, _ = with_pieces(state, Pieces.plain(4), new, some, weight)
    found, known, straight = moved.summary, state.summary, new.straight
    source = new.source[straight]
    np.testing.assert_array_equal(found.columns.mean[straight], known.columns.mean[source])
    np.testing.assert_array_equal(found.columns.spread[straight], known.columns.spread[source])
    np.testing.assert_allclose(found.columns.mean[straight], X[:300].mean(axis=0)[source])
    pieces = new.encoded(some)[:, ~straight]
    mean = np.average(pieces, axis=0, weights=weight)
    spread = np.sqrt(np.average((pieces - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(found.columns.mean[~straight], mean, rtol=1e-12)
    np.testing.assert_allclose(found.columns.spread[~straight], spread, rtol=1e-9)
    assert found.weight == known.weight == 300.0 and found.rows == known.rows
    np.testing.assert_array_equal(found.reach.low[straight], X[:300].min(axis=0)[source])
    np.testing.assert_array_equal(found.reach.high[straight], X[:300].max(axis=0)[source])
    np.testing.assert_array_equal(found.reach.low[~straight], 0.0)
    np.testing.assert_array_equal(found.reach.high[~straight], 1.0)
    np.testing.assert_array_equal(found.targets.mean, known.targets.mean)


def test_the_first_samples():
    """They are judged anew with the next chunk, in its columns."""
    for encoding in (None, PiecewiseLinearEncoder(2)):
        model = MDLAMRegressor(hidden_layer_sizes=(6,), encoding=encoding, random_state=0)
        model.partial_fit(X[:12], NUMBERS[:12]).partial_fit(X[12:20], NUMBERS[12:20])
        state = StreamState.from_arrays(model._stream)
        old = Pieces.plain(4) if encoding is None else model.encoder_._pieces
        np.testing.assert_array_equal(state.summary.first["X"], old.encoded(X[:20]))
        new = Pieces.of(X, 8, include_input=encoding is None)
        moved, _, _ = with_pieces(state, old, new, X[:150], None)
        np.testing.assert_array_equal(moved.summary.first["X"], new.encoded(X[:20]))
        np.testing.assert_array_equal(moved.summary.first["Y"], NUMBERS[:20, np.newaxis])
    _, state = stream()
    moved, _, _ = with_pieces(state, Pieces.plain(4), Pieces.of(X, 8, include_input=True), X, None)
    assert state.summary.first is moved.summary.first is None


@pytest.mark.parametrize("include_input", [True, False])
def test_starting_weights_of_columns_that_were_constant(include_input):
    """What they say of standardized columns: their curves begin with it, or they still wait."""
    model = MDLAMRegressor(hidden_layer_sizes=(6,), encoding=None, random_state=0).partial_fit(
        X[:1], NUMBERS[:1]
    )
    state = StreamState.from_arrays(model._stream)
    old, new = Pieces.plain(4), Pieces.of(X, 8, include_input=include_input)
    assert not first_layer(state, old, X).std(axis=0).any()
    moved, _, _ = with_pieces(state, old, new, X[:200], None)
    if include_input:
        np.testing.assert_array_equal(moved.dormant[new.straight], state.dormant)
        assert not moved.dormant[~new.straight].any()
    else:
        samples = at_knots(new)
        samples[:, 3] = 0.0  # no curve: it waits
        standardized = (samples - X[:200].mean(axis=0)) / X[:200].std(axis=0)
        standardized[:, 3] = 0.0
        expected = standardized @ state.dormant
        found = first_layer(moved, new, samples)
        difference = found - expected
        np.testing.assert_allclose(difference, np.tile(difference[0], (100, 1)), atol=1e-5)


def test_a_column_that_was_a_curve_and_is_none():
    """Its rare values are not among the samples that were kept."""
    rare = X.copy()
    rare[:3, 3] = [5.0, -7.0, 2.0]
    old, new = (Pieces.of(A, 6) for A in (rare[:100], rare[3:100]))
    assert old.n_pieces[3] > 0 and new.n_pieces[3] == 0
    _, plain = stream()
    state, _, _ = with_pieces(plain, Pieces.plain(4), old, rare[:100], None)
    moved, _, _ = with_pieces(state, old, new, rare[3:100], None)
    (place,) = np.flatnonzero(new.straight)
    assert moved.summary.columns.mean[place] == pytest.approx(rare[3:100, 3].mean())
    assert moved.summary.columns.spread[place] == pytest.approx(rare[3:100, 3].std())
    assert (moved.summary.reach.low[place], moved.summary.reach.high[place]) == (0.0, 1.0)
    samples = at_knots(new)
    samples[:, 3] = np.where(samples[:, 3] > 0, *old.curves[3].knots[[-1, 0]])
    before, after = (first_layer(s, p, samples) for s, p in ((state, old), (moved, new)))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4 * np.abs(before).max())


@pytest.mark.parametrize("full", [False, True])
def test_a_column_of_one_value_has_no_spread(full):
    """Whatever the rounding of its mean is."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, 400)
    X = np.tile(rng.normal(size=60), (400, 1))
    X[:, ::6] += rng.normal(size=(400, 10))
    found, plain = (kind(X, weight, full=full) for kind in (_moments, Moments.of))
    vary = np.arange(60) % 6 == 0
    assert (found.spread[~vary] == 0).all() and (plain.spread[~vary] > 0).any()
    np.testing.assert_array_equal(found.spread[vary], plain.spread[vary])
    np.testing.assert_array_equal(found.mean, plain.mean)


def test_rare_columns_do_not_own_the_first_layer():
    """Columns that begin to vary late, as rare categories do, among samples where they do not."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(1000, 2)), np.tile(rng.normal(size=40), (1000, 1))])
    X[700:, 2:][rng.random((300, 40)) < 0.02] += 1.0
    y = (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0.3).astype(int)
    model = MDLAMClassifier((10,), random_state=0)
    for start in range(0, 1000, 100):
        model.partial_fit(X[start : start + 100], y[start : start + 100], classes=[0, 1])
    assert model.score(X, y) > 0.95
