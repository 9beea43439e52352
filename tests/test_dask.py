"""The estimators of Dask collections: the ordinary fit where they are, and lazy predictions."""

import copy
import gc
import inspect
import itertools
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import r2_score

import skmdlam
from skmdlam._block_fit import Raw, fit_blocks
from skmdlam.engine.blocks import LocalBlocks, Part
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.dense import DenseInput
from skmdlam.engine.plan import Held

dask = pytest.importorskip("dask", reason="skmdlam.dask needs dask")
da = pytest.importorskip("dask.array", reason="skmdlam.dask needs dask[array]")
dd = pytest.importorskip("dask.dataframe", reason="skmdlam.dask needs dask[dataframe]")
distributed = pytest.importorskip("distributed", reason="skmdlam.dask needs distributed")

from skmdlam.dask import MDLAMClassifier, MDLAMRegressor, _client, _watch  # noqa: E402
from skmdlam.dask._blocks import DaskBlocks, aligned, label_of, with_place  # noqa: E402
from skmdlam.dask._client import Sealed  # noqa: E402

RNG = np.random.default_rng(5)
X = RNG.normal(size=(230, 4))
LABELS = np.array(["a", "b", "c"])[np.argmax(X[:, :3] + 0.3 * RNG.normal(size=(230, 3)), axis=1)]
Y = X[:, 0] ** 2 + X[:, 1] + 0.1 * RNG.normal(size=230)
WEIGHT = RNG.uniform(0.5, 2, size=230)
ROWS = (100, 0, 7, 123)
EDGES = np.cumsum((0, *ROWS))
SMALL = replace(LIMITS, one_task_numbers=100)
QUICK = {"hidden_layer_sizes": (6,), "encoding": None, "max_iter": 60, "random_state": 3}


@pytest.fixture(scope="module")
def client():
    """Two workers, threads of this process."""
    with distributed.Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_word_of_max_iter():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        yield


def chunked(values, rows=ROWS):
    """A Dask array with these rows in its chunks; the columns are in two pieces."""
    columns = () if values.ndim == 1 else ((2, values.shape[1] - 2),)
    return da.from_array(values, chunks=(rows, *columns))


def unknown(values):
    """The same with chunks whose sizes nobody knows."""
    array = chunked(values)
    return array[da.from_array(np.ones(len(values), dtype=bool), chunks=(ROWS,))]


def pieces(values):
    return [values[a:b] for a, b in itertools.pairwise(EDGES)]


def delayed(values):
    return [dask.delayed(piece) for piece in pieces(values)]


def sparse_array(values):
    return chunked(values).rechunk({1: -1}).map_blocks(sp.csr_matrix)


def frame(values):
    if values.ndim == 1:
        return dd.from_pandas(pd.Series(values, name="y"), npartitions=3)
    return dd.from_pandas(pd.DataFrame(values, columns=list("pqrs")), npartitions=3)


def same_fit(found, expected):
    assert len(found.coefs_) == len(expected.coefs_)
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert_array_equal(a, b)
    assert found.loss_curve_ == expected.loss_curve_
    # All that is known of one is known of the other.
    assert set(vars(found)) - {"client"} == set(vars(expected))


@pytest.fixture(scope="module")
def local():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return skmdlam.MDLAMClassifier(**QUICK).fit(X, LABELS)


@pytest.fixture(scope="module")
def fitted(local):
    """The same as an estimator of collections, without a client of its own."""
    model = MDLAMClassifier(**QUICK)
    vars(model).update(copy.deepcopy(vars(local)))
    return model


class Add:
    """A function that is an object."""

    def __call__(self, part, number):
        return part.n + number


def moments(part, W):
    return (part.X @ W).sum(axis=0), part.n


def doubled(part, factor):
    return Part(factor * part.X, part.Y, part.weight)


def itself(part):
    return part


def fails_at(part, n):
    if part.n == n:
        raise KeyError("no such thing")
    return part.n


class TestBlocks:
    @pytest.fixture
    def both(self, client):
        weights = np.split(RNG.uniform(size=230), EDGES[1:-1])
        parts = [
            Part(x, y[:, None], w) for x, y, w in zip(pieces(X), pieces(Y), weights, strict=True)
        ]
        sealed = [client.submit(Sealed.open, Sealed(part), pure=False) for part in parts]
        return DaskBlocks(client, sealed), LocalBlocks(parts)

    @pytest.mark.parametrize("size", [3, 3000])  # within the tasks, and as one of their own
    def test_total(self, both, size):
        W = RNG.normal(size=(4, size))
        found, expected = (blocks.total(moments, W) for blocks in both)
        assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1] == 230

    def test_mapped_and_each(self, both):
        found, expected = (
            blocks.mapped(doubled, 2.0).each(Add(), [(3,), (4,)], which=[0, 3]) for blocks in both
        )
        assert found == expected == [103, 127]

    def test_what_was_made_stays_when_blocks_are_released(self, both):
        for blocks in both:
            made = blocks.mapped(doubled, 2.0)
            blocks.release()
            found = made.total(moments, np.eye(4))
            assert_allclose(found[0], 2.0 * X.sum(axis=0))

    def test_size_of_prepared_samples_is_that_of_their_arrays(self):
        """Also of those that are inputs of steps, objects whose arrays Dask does not look for."""
        from dask.sizeof import sizeof

        samples = DenseInput.__new__(DenseInput)
        samples.data, samples.norms = X, WEIGHT
        held = Held(samples, None, Y, None, None, None)
        arrays = X.nbytes + WEIGHT.nbytes + Y.nbytes
        assert arrays < sizeof(held) < arrays + 2000

    def test_arrays_of_messages_are_aligned(self):
        """Rows are taken from them again and again, which else copies all of them each time."""

        def moved(values):
            odd = np.ndarray(values.shape, values.dtype, bytearray(values.nbytes + 1), 1)
            odd[:] = values
            assert not odd.flags.aligned
            return odd

        samples = DenseInput.__new__(DenseInput)
        samples.data, samples.norms = moved(X), WEIGHT
        S = sp.csr_matrix(X)
        S.data = moved(S.data)
        found = aligned(Held(samples, None, moved(Y), None, None, None))
        assert found.input is samples and samples.norms is WEIGHT
        for values, expected in ((samples.data, X), (found.Y, Y), (aligned(S).data, X.ravel())):
            assert values.flags.aligned
            assert_array_equal(values, expected)
        part = Part(moved(X), Y)
        assert aligned(part).X.flags.aligned and aligned(part).Y is Y

    @pytest.mark.parametrize("n_piles", [2, 7])
    def test_dealt(self, both, n_piles):
        found, expected = (
            blocks.dealt(n_piles, 11).each(itself, [()] * n_piles) for blocks in both
        )
        for a, b in zip(found, expected, strict=True):
            assert_array_equal(a.X, b.X)
            assert_array_equal(a.Y, b.Y)
            assert_array_equal(a.weight, b.weight)

    def test_arguments_are_those_of_the_call(self, both):
        """What happens to them here later is not seen there."""
        factor = np.ones(4)
        blocks = both[0].mapped(doubled, factor)
        factor[:] = 0
        assert blocks.total(moments, np.ones((4, 1)))[0] != 0

    def test_large_arguments_are_sent_once(self, both, monkeypatch):
        sent = []
        blocks, _ = both
        submit = blocks.client.submit

        def counted(function, *args, **settings):
            sent.append(sum(isinstance(arg, Sealed) and len(arg) > 5000 for arg in args))
            return submit(function, *args, **settings)

        monkeypatch.setattr(blocks.client, "submit", counted)
        W = np.zeros((4, 2000))
        blocks.each(moments, [(W,)] * 4)
        assert sum(sent) == 1

    def test_error_says_which_block(self, both):
        with pytest.raises(KeyError, match=r"block 2: .*no such thing"):
            both[0].total(fails_at, 7)

    def test_with_place(self):
        assert str(with_place(ValueError("bad"), "block 1")) == "block 1: bad"
        unicode = UnicodeDecodeError("utf8", b"x", 0, 1, "odd")  # takes five arguments
        assert str(with_place(unicode, "block 1")).startswith("block 1: UnicodeDecodeError: ")

    def test_labels_of_the_dashboard(self):
        assert label_of(fails_at) == "fails-at"
        assert label_of(Add()) == "add"


class TestFit:
    """The ordinary fit, on a worker."""

    def test_is_the_same(self, client, local):
        same_fit(MDLAMClassifier(**QUICK).fit(chunked(X), chunked(LABELS)), local)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("make", "make_y"),
        [
            (unknown, unknown),
            (delayed, delayed),
            (chunked, lambda y: chunked(y, (200, 30))),  # aligned
            (chunked, lambda y: y),  # in memory
        ],
    )
    def test_is_that_of_the_ordinary_estimator(self, client, local, make, make_y):
        model = MDLAMClassifier(**QUICK).fit(make(X), make_y(LABELS))
        same_fit(model, local)

    @pytest.mark.slow
    def test_futures(self, client, local):
        futures = [client.scatter(pieces(values)) for values in (X, LABELS)]
        same_fit(MDLAMClassifier(**QUICK).fit(*futures), local)

    @pytest.mark.slow
    def test_frames(self, client):
        table = pd.DataFrame(X, columns=list("pqrs"))
        table["city"] = pd.Series(LABELS).astype("category")
        table["y"] = Y
        lazy = dd.from_pandas(table, npartitions=3)
        model = MDLAMRegressor(**QUICK).fit(lazy.drop(columns="y"), lazy["y"])
        expected = skmdlam.MDLAMRegressor(**QUICK).fit(table.drop(columns="y"), table["y"])
        same_fit(model, expected)
        assert list(model.feature_names_in_) == [*"pqrs", "city"]

    @pytest.mark.slow
    def test_sparse_weights_and_validation(self, client):
        rows = {"X_val": sp.csr_matrix(X[:50]), "y_val": Y[:50]}
        blocks = [dask.delayed(sp.csr_matrix)(piece) for piece in pieces(X)]
        model = MDLAMRegressor(**QUICK).fit(
            blocks,
            delayed(Y),
            delayed(WEIGHT),
            X_val=[dask.delayed(rows["X_val"])],
            y_val=[dask.delayed(Y[:50])],
        )
        expected = skmdlam.MDLAMRegressor(**QUICK).fit(sp.csr_matrix(X), Y, WEIGHT, **rows)
        same_fit(model, expected)
        assert model.validation_scores_ == expected.validation_scores_
        in_memory = MDLAMRegressor(**QUICK).fit(sparse_array(X), chunked(Y), WEIGHT, **rows)
        same_fit(in_memory, expected)

    @pytest.mark.slow
    def test_random_states(self, client):
        def seeded():
            return {**QUICK, "random_state": np.random.RandomState(8)}

        model, expected = MDLAMRegressor(**seeded()), skmdlam.MDLAMRegressor(**seeded())
        for _ in range(2):  # the second one draws on
            same_fit(model.fit(chunked(X), chunked(Y)), expected.fit(X, Y))
        unseeded = MDLAMRegressor(**{**QUICK, "random_state": None}).fit(chunked(X), chunked(Y))
        assert unseeded.random_state is None

    @pytest.mark.slow
    def test_warm_start(self, client):
        model, expected = (
            estimator(**QUICK, warm_start=True)
            for estimator in (MDLAMRegressor, skmdlam.MDLAMRegressor)
        )
        model.fit(chunked(X), chunked(Y)).fit(chunked(X), chunked(Y))
        same_fit(model, expected.fit(X, Y).fit(X, Y))

    def test_warnings_come_back(self, client):
        model = MDLAMRegressor(**{**QUICK, "max_iter": 2})
        with pytest.warns(ConvergenceWarning, match="did 2 iterations") as caught:
            model.fit(chunked(X), chunked(Y))
        assert [warning.filename for warning in caught] == [__file__]

    @pytest.mark.parametrize("collection", [False, True])
    def test_warnings_point_here(self, client, monkeypatch, collection):
        """Also those of a fit in this process: to data in memory, or block by block."""
        monkeypatch.setattr("skmdlam.dask._fit.LIMITS", SMALL)
        model = MDLAMRegressor(**{**QUICK, "max_iter": 2})
        given = (chunked(X), chunked(Y)) if collection else (X, Y)
        with pytest.warns(ConvergenceWarning, match="did 2 iterations") as caught:
            model.fit(*given)
        assert [warning.filename for warning in caught] == [__file__]

    @pytest.mark.slow
    def test_verbose_is_seen_here(self, client, capsys):
        settings = {**QUICK, "verbose": True}
        MDLAMRegressor(**settings).fit(chunked(X), chunked(Y))
        found = capsys.readouterr().out
        skmdlam.MDLAMRegressor(**settings).fit(X, Y)
        assert found == capsys.readouterr().out != ""

    def test_memory_goes_here(self, local, monkeypatch):
        monkeypatch.setattr(_client, "client_for", None)
        same_fit(MDLAMClassifier(**QUICK).fit(X, LABELS), local)
        same_fit(MDLAMClassifier(**QUICK).fit(X, chunked(LABELS)), local)

    @pytest.mark.slow
    @pytest.mark.parametrize("estimator", [MDLAMRegressor, MDLAMClassifier])
    def test_larger_ones_go_block_by_block(self, client, monkeypatch, estimator):
        """The same as from blocks in memory, wherever they are."""
        monkeypatch.setattr("skmdlam.dask._collections.LIMITS", SMALL)
        monkeypatch.setattr("skmdlam.dask._fit.LIMITS", SMALL)
        target, settings = Y if estimator is MDLAMRegressor else LABELS, {**QUICK, "max_iter": 15}
        held = [X[:50], target[:50], WEIGHT[:50]]
        validation = dict(zip(("X_val", "y_val", "sample_weight_val"), held, strict=True))
        expected = fit_blocks(
            estimator(**settings).to_local(),
            LocalBlocks(
                [Raw(*part) for part in zip(*map(pieces, (X, target, WEIGHT)), strict=True)]
            ),
            validation=tuple(held),
        )
        lazy = {name: da.from_array(values, chunks=20) for name, values in validation.items()}
        model = estimator(**settings).fit(chunked(X), chunked(target), chunked(WEIGHT), **lazy)
        same_fit(model, expected)
        assert model.score(chunked(X), chunked(target)) == pytest.approx(model.score(X, target))

    @pytest.mark.slow
    def test_a_single_chunk_goes_to_one_worker(self, client, monkeypatch):
        monkeypatch.setattr("skmdlam.dask._fit.LIMITS", SMALL)
        model = MDLAMRegressor(**QUICK).fit(chunked(X, (230,)), chunked(Y, (230,)))
        same_fit(model, skmdlam.MDLAMRegressor(**QUICK).fit(X, Y))


class TestStop:
    """Ctrl-C while a worker fits."""

    LONG = {**QUICK, "max_iter": 10**6, "tol": 0.0, "n_iter_no_change": 10**6, "batch_size": None}

    @pytest.fixture
    def interrupted(self, client, monkeypatch):
        """Ctrl-C once the worker is at work (or, of a short fit, before)."""
        monkeypatch.setattr(_watch, "_LOOK_SECONDS", 0.05)
        begun = threading.Event()
        begun.short = begun.pressed = False
        told = skmdlam._progress.Progress.update

        def update(self, record):
            begun.set()
            return told(self, record)

        monkeypatch.setattr(skmdlam._progress.Progress, "update", update)
        results_of = _client.asyncio.run_coroutine_threadsafe

        class Waiting:
            def __init__(self, *args):
                self._inner = results_of(*args)

            def result(self, timeout):
                if (begun.is_set() or begun.short) and not begun.pressed:
                    begun.pressed = True
                    raise KeyboardInterrupt
                return self._inner.result(timeout=0.05)

            def __getattr__(self, name):
                return getattr(self._inner, name)

        monkeypatch.setattr(_client.asyncio, "run_coroutine_threadsafe", Waiting)
        return begun

    def test_best_weights_so_far(self, interrupted):
        model = MDLAMRegressor(**self.LONG)
        with pytest.warns(ConvergenceWarning, match="[Ii]nterrupted"):
            model.fit(chunked(X), chunked(Y))
        assert model.stop_reason_ == "interrupted"
        assert model.score(X, Y) > 0.5
        assert model.loss_ == min(model.loss_curve_)

    @pytest.mark.slow
    def test_of_blocks(self, interrupted, monkeypatch):
        monkeypatch.setattr("skmdlam.dask._fit.LIMITS", SMALL)
        model = MDLAMRegressor(**{**self.LONG, "batch_size": "auto"})
        with pytest.warns(ConvergenceWarning, match="[Ii]nterrupted"):
            model.fit(chunked(X), chunked(Y))
        assert model.stop_reason_ == "interrupted"
        assert np.isfinite(model.score(X, Y))

    def test_of_a_stream(self, interrupted):
        interrupted.short, model = True, MDLAMRegressor(**QUICK)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(chunked(X), chunked(Y))
        assert not hasattr(model, "coefs_")


SEEN = []  # of this process, which the workers of the tests are threads of


def rows_read(number):
    SEEN.append("read")
    return X[20 * number : 20 * number + 20]


class TestStream:
    @pytest.mark.slow
    def test_no_more_is_read_than_is_soon_learned(self, client, monkeypatch):
        learn = skmdlam.MDLAMRegressor.partial_fit

        def partial_fit(self, X, y, *args):
            SEEN.append("learned")
            return learn(self, X, y, *args)

        SEEN.clear()

        monkeypatch.setattr(skmdlam.MDLAMRegressor, "partial_fit", partial_fit)
        targets = [dask.delayed(Y[a : a + 20]) for a in range(0, 220, 20)]
        parts = [dask.delayed(rows_read)(i) for i in range(11)]
        MDLAMRegressor(**QUICK).partial_fit(parts, targets)
        assert SEEN[:11] == ["read"] * 11  # to see what they are
        ahead = np.cumsum([1 if word == "read" else -1 for word in SEEN[11:]])
        assert ahead[-1] == 0 and 0 < ahead.max() <= 5

    def test_classifier(self, client):
        model, expected = MDLAMClassifier(**QUICK), skmdlam.MDLAMClassifier(**QUICK)
        classes = ["a", "b", "c", "d"]
        model.partial_fit(chunked(X), chunked(LABELS), chunked(WEIGHT), classes=classes)
        for part in zip(*map(pieces, (X, LABELS, WEIGHT)), strict=True):
            if len(part[0]):
                expected.partial_fit(*part, classes=classes)
        same_fit(model, expected)
        assert model.n_iter_ == 3

    @pytest.mark.slow
    def test_goes_on_in_memory(self, client):
        model, expected = MDLAMRegressor(**QUICK), skmdlam.MDLAMRegressor(**QUICK)
        model.partial_fit(chunked(X, (230,)), chunked(Y, (230,))).partial_fit(X[:60], Y[:60])
        same_fit(model, expected.partial_fit(X, Y).partial_fit(X[:60], Y[:60]))

    @pytest.mark.slow
    def test_error_says_which_block(self, client):
        labels = LABELS.copy()
        labels[150] = "z"
        model = MDLAMClassifier(**QUICK)
        with pytest.raises(ValueError, match=r"block 3 of X: .*z"):
            model.partial_fit(chunked(X), chunked(labels), classes=["a", "b", "c"])
        assert not hasattr(model, "coefs_")


class TestPredictions:
    METHODS = ["predict", "transform"] + [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("predict_proba", "predict_log_proba", "decision_function")
    ]

    @pytest.mark.parametrize("method", METHODS)
    def test_arrays(self, client, local, fitted, method):
        expected = getattr(local, method)(X)
        found = getattr(fitted, method)(chunked(X))
        assert isinstance(found, da.Array) and found.chunks[0] == ROWS
        assert found.shape == expected.shape and found.dtype == expected.dtype
        computed = found.compute()
        assert computed.dtype == found.dtype
        # Products of other numbers of rows are rounded differently.
        same = assert_array_equal if method == "predict" else assert_allclose
        same(computed, expected)

    @pytest.mark.parametrize("method", METHODS)
    def test_frames(self, client, fitted, method):
        table = frame(X)
        model = copy.copy(fitted)
        model.feature_names_in_ = np.array(list("pqrs"), dtype=object)
        expected = getattr(model.to_local(), method)(table.compute())
        found = getattr(model, method)(table)
        assert isinstance(found, dd.Series if expected.ndim == 1 else dd.DataFrame)
        assert found.divisions == table.divisions
        computed = found.compute()
        if expected.ndim == 1:
            assert found.dtype == computed.dtype
            assert_array_equal(computed, expected)
        else:
            assert_allclose(computed, expected)
            names = ["mdlamclassifier0", "a"][method != "transform"]
            assert computed.columns[0] == found.columns[0] == names
        assert_array_equal(computed.index, np.arange(230))

    @pytest.mark.slow
    def test_other_blocks(self, client, local, fitted):
        expected = local.predict(X)
        for array in (unknown(X), sparse_array(X)):
            assert_array_equal(fitted.predict(array).compute(), expected)
        found = fitted.predict(delayed(X)[2:])
        assert_array_equal(np.concatenate(dask.compute(*found)), expected[100:])
        futures = fitted.predict(client.scatter(pieces(X)[2:]))
        assert_array_equal(np.concatenate(client.gather(futures)), expected[100:])
        assert_array_equal(fitted.predict(X), expected)

    @pytest.mark.slow
    def test_standard_deviations(self, client):
        local = skmdlam.MDLAMRegressor(**QUICK, calibrate=True).fit(X, Y)
        model = MDLAMRegressor(**QUICK, calibrate=True).fit(chunked(X), chunked(Y))
        found = model.predict(chunked(X), return_std=True)
        for a, b in zip(found, local.predict(X, return_std=True), strict=True):
            assert_allclose(a.compute(), b)

    @pytest.mark.slow
    def test_several_targets(self, client):
        both = np.column_stack([Y, X[:, 2]])
        local = skmdlam.MDLAMRegressor(**QUICK).fit(X, both)
        model = MDLAMRegressor(**QUICK).fit(unknown(X), unknown(both))
        same_fit(model, local)
        found = model.predict(chunked(X))
        assert found.shape == (230, 2)
        assert_allclose(found.compute(), local.predict(X))
        given = chunked(X), da.from_array(both, chunks=(50, 2)), chunked(WEIGHT)
        assert_allclose(model.score(*given), local.score(X, both, WEIGHT), rtol=1e-12)

    def test_bad_input_is_told_at_once(self, fitted):
        with pytest.raises(ValueError, match="3 features"):
            fitted.predict(chunked(X[:, :3]))
        with pytest.raises(ValueError, match="dimensions"):
            fitted.predict(chunked(Y))
        model = copy.copy(fitted)
        model.feature_names_in_ = np.array(list("abcd"), dtype=object)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame(X))
        with pytest.raises(Exception, match="not fitted"):
            MDLAMClassifier().predict(chunked(X))


class TestScore:
    def test_accuracy(self, client, local, fitted):
        labels = np.roll(LABELS, 20)
        assert fitted.score(chunked(X), chunked(labels)) == local.score(X, labels)
        for weight in (WEIGHT, WEIGHT * (np.arange(230) > 110)):  # blocks of no weight
            found = fitted.score(delayed(X), delayed(labels), delayed(weight))
            assert_allclose(found, local.score(X, labels, weight), rtol=1e-12)

    @pytest.mark.slow
    def test_explained_variance(self, client):
        model = MDLAMRegressor(**QUICK).fit(chunked(X), chunked(Y))
        for shift in (0, 1e6):
            found = model.score(chunked(X), chunked(Y + shift), chunked(WEIGHT))
            expected = r2_score(Y + shift, model.predict(X), sample_weight=WEIGHT)
            assert_allclose(found, expected, rtol=1e-9)

    def test_of_one_sample(self, client):
        model = MDLAMRegressor(**QUICK).fit(X, Y)
        with pytest.warns(UndefinedMetricWarning) as caught:
            assert np.isnan(model.score(chunked(X[:1], (1,)), chunked(Y[:1], (1,))))
        assert caught[0].filename == __file__

    def test_bad_input(self, client, fitted):
        model = MDLAMRegressor(**QUICK).fit(X, Y)
        for scored, y in ((model, Y), (fitted, LABELS)):
            with pytest.raises(ValueError, match="zero for every sample"):
                scored.score(chunked(X), chunked(y), chunked(0 * WEIGHT))
        with pytest.raises(ValueError, match=r"block . of X: y has 2 columns"):
            model.score(chunked(X), chunked(np.column_stack([Y, Y])))
        with pytest.raises(ValueError, match=r"block . of X: y holds strings"):
            model.score(chunked(X), chunked(LABELS))


class TestObject:
    def test_same_parameters(self):
        for own, ordinary in (
            (MDLAMClassifier, skmdlam.MDLAMClassifier),
            (MDLAMRegressor, skmdlam.MDLAMRegressor),
        ):
            parameters = dict(inspect.signature(own).parameters)
            client = parameters.pop("client")
            assert client.default is None and client.kind is client.KEYWORD_ONLY
            assert parameters == dict(inspect.signature(ordinary).parameters)
            values = {name: object() for name in parameters}
            kept = own(**values).get_params(deep=False)
            assert all(kept[name] is value for name, value in values.items())

    def test_clone_and_pickle(self, client, fitted):
        model = copy.copy(fitted).set_params(client=client)
        assert clone(model).client is client
        assert not hasattr(clone(model), "coefs_")
        again = pickle.loads(pickle.dumps(model))
        assert again.client is None
        assert_array_equal(again.predict(X), model.predict(X))

    def test_to_local(self, fitted, local, tmp_path):
        ordinary = fitted.to_local()
        assert type(ordinary) is skmdlam.MDLAMClassifier
        same_fit(ordinary, local)
        assert_array_equal(ordinary.predict_proba(X), fitted.predict_proba(X))
        assert ordinary.coefs_[0] is not fitted.coefs_[0]

    @pytest.mark.slow
    def test_works_without_dask(self, fitted, tmp_path):
        (tmp_path / "ordinary").write_bytes(pickle.dumps(fitted.to_local()))
        (tmp_path / "own").write_bytes(pickle.dumps(fitted))
        np.save(tmp_path / "X.npy", X)
        code = f"""
            import pickle, sys
            import numpy as np
            sys.modules.update({{"dask": None, "distributed": None}})
            ordinary, own = (
                pickle.load(open(f"{tmp_path}/{{name}}", "rb")) for name in ("ordinary", "own")
            )
            X = np.load("{tmp_path}/X.npy")
            assert (ordinary.predict(X) == own.predict(X)).all()
            own.set_params(max_iter=2).partial_fit(X, ordinary.predict(X))
            np.save("{tmp_path}/found.npy", ordinary.predict_proba(X))
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)
        assert_array_equal(np.load(tmp_path / "found.npy"), fitted.predict_proba(X))


def renamed(values):
    parts = [pd.DataFrame(piece, columns=list("pqrs")) for piece in pieces(values)]
    parts[2].columns = list("pqsr")
    return [dask.delayed(part) for part in parts]


class TestBadInput:
    """Errors before any work, and the estimator stays as it was."""

    HOLE = np.where(np.arange(230) == 105, np.nan, Y)

    @pytest.mark.parametrize(
        ("make_X", "make_y", "message"),
        [
            (
                lambda: chunked(X),
                lambda: chunked(TestBadInput.HOLE),
                "block 2 of X: y contains NaN",
            ),
            (lambda: unknown(X), lambda: delayed(Y[1:]), "block 3 of X has 123 rows.* 122"),
            (lambda: chunked(X), lambda: chunked(Y[1:], (229,)), "as many rows; got 230 and 229"),
            (lambda: unknown(X), lambda: delayed(Y)[:3], "X has 4 blocks and y has 3"),
            (lambda: unknown(X), lambda: Y, "y is in memory"),
            (lambda: renamed(X), lambda: delayed(Y), "block 2 .*columns .p, q, s, r"),
            (lambda: chunked(X[:0], (0,)), lambda: chunked(Y[:0], (0,)), "X has no rows"),
            (lambda: chunked(Y), lambda: chunked(Y), "it has 1 dimensions"),
            (lambda: chunked(X), lambda: None, "y is None"),
            (lambda: chunked(X), lambda: 1.5, "y is the single value 1.5"),
            (
                lambda: delayed(X),
                lambda: [*delayed(Y)[:3], Y[107:]],
                "y is a list.*entry 3 is a nda",
            ),
            (lambda: chunked(X).to_delayed(), lambda: delayed(Y), r"shape \(4, 2\): blocks must"),
            (
                lambda: delayed(X),
                lambda: [*delayed(Y)[:3], dask.delayed(LABELS[107:])],
                "block 3 of X: y has strings there, and numbers in the first one",
            ),
            (
                lambda: delayed(X),
                lambda: [*delayed(Y)[:3], dask.delayed(None)],
                "block 3 of X: y has nothing there",
            ),
            (
                lambda: chunked(X),
                lambda: chunked(np.where(np.arange(230) == 105, np.inf, Y)),
                "block 2 of X: y contains infinity",
            ),
            (
                lambda: [dask.delayed(X), dask.delayed(X[:, :3])],
                lambda: [dask.delayed(Y), dask.delayed(Y)],
                "block 1 of X has 3 columns, and the first one has 4",
            ),
            (
                lambda: [dask.delayed(X), dask.delayed(sp.csr_matrix(X))],
                lambda: [dask.delayed(Y), dask.delayed(Y)],
                "block 1 of X is sparse",
            ),
            (
                lambda: frame(X),
                lambda: frame(Y).repartition(npartitions=2),
                "other divisions|X has 3 blocks and y has 2",
            ),
        ],
    )
    def test_is_refused(self, client, make_X, make_y, message):
        model = MDLAMRegressor(**QUICK)
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(make_X(), make_y())
        assert not hasattr(model, "coefs_")

    def test_streams_and_scores(self, client, fitted):
        for act in (MDLAMRegressor(**QUICK).partial_fit, fitted.score):
            with pytest.raises(ValueError, match="block 2 of X: y contains NaN"):
                act(chunked(X), chunked(self.HOLE))

    @pytest.mark.parametrize("estimator", [MDLAMRegressor, MDLAMClassifier])
    def test_of_large_ones(self, client, monkeypatch, estimator):
        monkeypatch.setattr("skmdlam.dask._collections.LIMITS", SMALL)
        target = np.where(np.isnan(self.HOLE), np.nan, self.HOLE > 0)
        with pytest.raises(ValueError, match=r"^block 2 of X: Input y contains NaN"):
            estimator(**QUICK).fit(chunked(X), chunked(target))
        with pytest.raises(ValueError, match=r"^block 0 of X: sample_weight must not be neg"):
            estimator(**QUICK).fit(chunked(X), chunked(Y > 0), chunked(-WEIGHT))

    def test_weights(self, client):
        with pytest.raises(ValueError, match="block 0 of X: sample_weight must not be negative"):
            MDLAMRegressor(**QUICK).fit(chunked(X), chunked(Y), chunked(-WEIGHT))

    def test_parameters(self, client):
        with pytest.raises(ValueError, match="max_iter"):
            MDLAMRegressor(max_iter=-1).fit(chunked(X), chunked(Y))

    def test_errors_of_the_fit(self, client):
        with pytest.raises(ValueError, match="negative"):
            MDLAMRegressor(**QUICK, loss="poisson").fit(chunked(X), chunked(Y - 100))

    def test_a_block_that_cannot_be_made(self, client):
        def broken():
            raise OSError("no such file")

        with pytest.raises(OSError, match="no such file"):
            MDLAMRegressor(**QUICK).fit([dask.delayed(broken)()], [dask.delayed(Y)])

    def test_no_client(self, client, monkeypatch):
        with pytest.raises(TypeError, match="must be a dask"):
            MDLAMRegressor(**QUICK, client="here").fit(chunked(X), chunked(Y))

        def none():
            raise ValueError("No global client found")

        monkeypatch.setattr(distributed, "get_client", none)
        with pytest.raises(ValueError, match="start one"):
            MDLAMRegressor(**QUICK).fit(chunked(X), chunked(Y))


def test_no_worker_for_too_long(monkeypatch):
    monkeypatch.setattr(_client, "NO_WORKERS_SECONDS", 0.3)
    monkeypatch.setattr(_client, "_LOOK_SECONDS", 0.1)
    cluster = distributed.LocalCluster(processes=False, n_workers=0, dashboard_address=":0")
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        with pytest.raises(RuntimeError, match="No worker for 0"):
            MDLAMRegressor(**QUICK, client=client).fit(chunked(X), chunked(Y))
        client.close()
        with pytest.raises(ValueError, match="closed"):
            MDLAMRegressor(**QUICK, client=client).fit(chunked(X), chunked(Y))


@pytest.mark.slow
def test_workers_that_went_are_counted(monkeypatch, caplog):
    monkeypatch.setattr(_client, "NO_WORKERS_SECONDS", 0.3)
    monkeypatch.setattr(_client, "_LOOK_SECONDS", 0.1)
    cluster = distributed.LocalCluster(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        _client._Watch.begin(client)
        futures = [client.submit(time.sleep, 1 + i / 9) for i in range(3)]
        threading.Timer(0.1, cluster.scale, (0,)).start()
        with pytest.raises(RuntimeError, match="2 workers died or left"):
            _client.results_of(client, futures)
        _client._Watch.begin(client)
        with pytest.raises(RuntimeError, match="none has come"):
            _client.results_of(client, [client.submit(time.sleep, 0)])
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_an_interrupt_leaves_nothing_behind(client, monkeypatch, caplog):
    def press(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(_client, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(_client._Watch, "__call__", press)
    futures = [client.submit(time.sleep, 0.5 + i / 9, pure=False) for i in range(4)]
    with pytest.raises(KeyboardInterrupt):
        _client.results_of(client, futures)
    time.sleep(0.1)
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_warnings_of_other_threads_stay_theirs():
    seen = []
    with warnings.catch_warnings(record=True) as here:
        warnings.simplefilter("always")
        with _watch.RECORDER.recording() as caught:

            def other():
                with _watch.RECORDER.recording() as theirs:
                    warnings.warn("there", UserWarning, stacklevel=1)
                seen.extend(theirs)

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            warnings.warn("here", UserWarning, stacklevel=1)
        warnings.warn("after", UserWarning, stacklevel=1)
    assert caught == [("here", UserWarning)] and seen == [("there", UserWarning)]
    assert [str(warning.message) for warning in here] == ["after"]


MASKED = np.ma.masked_array(X, mask=np.abs(X) > 1.5)


@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
class TestForms:
    """Blocks of other forms than arrays and frames of one kind."""

    def test_masked_numbers_are_gaps(self, client):
        model = MDLAMRegressor(**QUICK).fit(delayed(MASKED), delayed(Y))
        same_fit(model, skmdlam.MDLAMRegressor(**QUICK).fit(MASKED, Y))

    def test_blocks_that_a_collection_gives(self, client, local):
        given = da.from_array(X, chunks=(ROWS, 4)).to_delayed(), chunked(LABELS).to_delayed()
        model = MDLAMClassifier(**QUICK).fit(*given)
        same_fit(model, local)
        found = np.concatenate(dask.compute(*model.predict(given[0])[2:]))
        assert_array_equal(found, local.predict(X[100:]))

    def test_a_single_delayed_one(self, client, local):
        model = MDLAMClassifier(**QUICK).fit(dask.delayed(X), dask.delayed(LABELS))
        same_fit(model, local)

    def test_empty_blocks_may_be_of_no_form(self, client, local):
        first = [dask.delayed(np.empty((0, 0))), dask.delayed(pd.DataFrame())]
        none = [dask.delayed(np.empty((0, 2))), dask.delayed(np.empty(0))]
        model = MDLAMClassifier(**QUICK).fit(first + delayed(X), none + delayed(LABELS))
        same_fit(model, local)

    @pytest.mark.parametrize("empty", [X[:0], sp.csr_matrix(X[:0]), pd.DataFrame(X[:0])])
    def test_predictions_of_empty_blocks(self, fitted, empty):
        found = fitted.predict_proba([dask.delayed(empty)])[0].compute(scheduler="sync")
        assert found.shape == (0, 3)

    def test_predictions_of_columns_nobody_counted(self, fitted, local):
        array = da.from_delayed(dask.delayed(X), shape=(np.nan, np.nan), dtype=float)
        assert_array_equal(fitted.predict(array).compute(scheduler="sync"), local.predict(X))

    @pytest.mark.slow
    def test_tables_of_other_types(self, client):
        polars = pytest.importorskip("polars")
        whole = polars.DataFrame({"a": X[:, 0].round(), "b": X[:, 1], "c": LABELS})
        parts = [whole[:90].with_columns(polars.col("a").cast(polars.Int64)), whole[90:]]
        targets = [dask.delayed(Y[:90]), dask.delayed(Y[90:])]
        model = MDLAMRegressor(**QUICK).fit(list(map(dask.delayed, parts)), targets)
        same_fit(model, skmdlam.MDLAMRegressor(**QUICK).fit(whole, Y))
        pytest.importorskip("pyarrow")
        parts = [part.to_arrow() for part in parts]
        assert parts[0].schema != parts[1].schema
        other = MDLAMRegressor(**QUICK).fit(list(map(dask.delayed, parts)), targets)
        same_fit(other, model.to_local())


class TestInATask:
    """A task that fits waits for others, and its thread does them meanwhile."""

    @pytest.mark.slow
    def test_more_tasks_than_threads(self, client, local):
        def fit():
            model = MDLAMClassifier(**QUICK).fit(chunked(X), chunked(LABELS))
            model.partial_fit(chunked(X), chunked(LABELS))
            return model.score(chunked(X), chunked(LABELS))

        def out_of_the_way():
            distributed.secede()
            return fit()

        tasks = [client.submit(work, pure=False) for work in (fit, fit, fit, out_of_the_way)]
        assert len(set(client.gather(distributed.as_completed(tasks, timeout=60)))) == 1


def test_what_is_not_needed_is_let_go(client, monkeypatch):
    """While a network is fitted workers keep its blocks, and not those that they came from."""
    monkeypatch.setattr("skmdlam.dask._fit.LIMITS", SMALL)
    minimize, held = skmdlam.MDLAMRegressor._minimize, []

    def looking(self, *args):
        held.extend(str(key).rpartition("-")[0] for key in set(client.futures) - before)
        return minimize(self, *args)

    monkeypatch.setattr(skmdlam.MDLAMRegressor, "_minimize", looking)
    before = set(client.futures)
    MDLAMRegressor(**{**QUICK, "max_iter": 1}).fit(delayed(X), delayed(Y))
    assert "skmdlam-hold" in held
    assert not {"skmdlam-read", "skmdlam-read-block", "skmdlam-pile"} & set(held)


class TestFiles:
    """Inputs and targets of one frame of files, of which Dask reads several at a time."""

    @pytest.fixture
    def table(self, tmp_path):
        pytest.importorskip("pyarrow")
        for i in range(6):
            part = pd.DataFrame(RNG.normal(size=(20 + i, 15))).rename(columns="c{}".format)
            # The index of each file begins at 0.
            part.assign(price=part.c0 + i, weight=1.0 + i).to_parquet(tmp_path / f"{i}.parquet")
        return dd.read_parquet(tmp_path)

    @pytest.mark.slow
    def test_columns_of_one_frame(self, client, table):
        inputs, y, weight = table.drop(columns=["price", "weight"]), table.price, table.weight
        assert y.optimize().npartitions < inputs.npartitions
        model = MDLAMRegressor(**{**QUICK, "max_iter": 5})
        model.fit(inputs, y, weight, X_val=inputs, y_val=y)
        whole = table.compute()
        X, Y = whole[list(inputs.columns)], whole.price
        expected = skmdlam.MDLAMRegressor(**{**QUICK, "max_iter": 5})
        same_fit(model, expected.fit(X, Y, whole.weight, X_val=X, y_val=Y))
        assert model.score(inputs, y, weight) == pytest.approx(model.score(X, Y, whole.weight))
        predicted = table.assign(predicted=model.predict(inputs)).compute()
        assert_allclose(predicted.predicted, model.predict(X))
        left = ((y - model.predict(inputs)) ** 2).mean().compute()
        assert left == pytest.approx(np.mean((Y - model.predict(X)) ** 2))
        model.partial_fit(inputs, y)
        assert model.n_iter_ == expected.n_iter_ + 6

    def test_the_name_of_a_column(self, client, table):
        with pytest.raises(TypeError, match=r"df\['price'\]"):
            MDLAMRegressor(**QUICK).fit(table, "price")
