"""What comes in: samples stay together, and a refusal names the argument."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._targets import ClassTarget
from skmdlam._validation import (
    Samples,
    check_weight,
    needed_for_training,
    prepare,
    prepare_chunk,
    prepare_validation,
    refuse_huge,
    refuse_strings,
    split_validation,
)

RNG = np.random.default_rng(0)
N = 40
X = RNG.normal(size=(N, 3))
LABELS = np.arange(N) % 3
WEIGHT = np.arange(N) % 4 * 0.5


def classifier(**parameters):
    estimator = MDLAMClassifier(**parameters)
    return estimator, estimator._make_target(False)


def numbered(weight=None, form=np.asarray):
    """Samples whose every entry says which row it is."""
    rows = np.arange(N, dtype=float)
    return Samples(form(rows[:, None] + 1), rows.astype(int), rows[:, None], weight)


def numbers_of(samples):
    """The numbers of these rows, the same in X, y and Y."""
    X = samples.X.toarray() if sp.issparse(samples.X) else samples.X
    assert_array_equal(X[:, 0] - 1, samples.y)
    assert_array_equal(samples.Y[:, 0], samples.y)
    return samples.y


class TestSamples:
    @pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
    def test_rows_stay_together(self, form):
        samples = numbered(WEIGHT, form)
        part = samples.take([7, 2, 7])
        assert numbers_of(part).tolist() == [7, 2, 7] and len(part) == 3
        assert_array_equal(part.weight, WEIGHT[[7, 2, 7]])

    @pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
    def test_those_with_weight(self, form):
        kept = numbered(WEIGHT, form).with_weight()
        assert_array_equal(numbers_of(kept), np.flatnonzero(WEIGHT))
        assert_array_equal(kept.weight, WEIGHT[WEIGHT > 0])

    @pytest.mark.parametrize("ones", [np.ones(N), (np.arange(N) % 2).astype(float), None])
    def test_ones_are_none(self, ones):
        kept = numbered(ones).with_weight()
        assert kept.weight is None
        assert len(kept) == (N if ones is None else ones.sum())

    def test_nothing_is_copied_without_need(self):
        for samples in (numbered(), numbered(WEIGHT + 1)):
            assert samples.with_weight() is samples


class TestPrepare:
    def test_learns_the_form_of_X_and_nothing_else(self):
        estimator, target = classifier()
        before = dict(vars(estimator))
        prepare(estimator, X, LABELS, None, target)
        assert vars(estimator).pop("_reader").n_features == 3
        learned = {"n_features_in_": 3, "is_categorical_": None, "categories_": []}
        assert vars(estimator) == before | learned

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_one_type(self, dtype):
        estimator, target = classifier(class_weight="balanced")
        samples = prepare(estimator, X.astype(dtype), LABELS, WEIGHT, target)
        assert samples.X.dtype == samples.Y.dtype == samples.weight.dtype == dtype

    def test_a_chunk_gets_the_type_of_the_network(self):
        estimator, target = classifier()
        first = prepare_chunk(estimator, X, LABELS, WEIGHT, target, [0, 1, 2], None)
        known = ClassTarget(None, target.classes)
        later = prepare_chunk(estimator, X, LABELS, WEIGHT, known, None, np.dtype(np.float32))
        assert {first.X.dtype, first.Y.dtype, first.weight.dtype} == {np.dtype(np.float64)}
        assert {later.X.dtype, later.Y.dtype, later.weight.dtype} == {np.dtype(np.float32)}
        with pytest.raises(ValueError, match="2 features"):
            prepare_chunk(estimator, X[:, :2], LABELS, None, known, None, np.dtype(float))

    @pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 3.0, 2: 0.0}])
    @pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
    def test_validation_samples_are_prepared_like_those_of_the_fit(self, class_weight, form):
        estimator, target = classifier(class_weight=class_weight)
        samples = prepare(estimator, form(X), LABELS, WEIGHT, target)
        rows = np.flatnonzero(LABELS != 1)
        part = prepare_validation(
            estimator, form(X)[rows], LABELS[rows], WEIGHT[rows], target, samples
        )
        expected = samples.take(rows)
        assert abs(part.X - expected.X).max() == 0
        for name in ("y", "Y", "weight"):
            assert_array_equal(getattr(part, name), getattr(expected, name))

    def test_none_are_given(self):
        estimator, target = classifier()
        samples = prepare(estimator, X, LABELS, None, target)
        assert prepare_validation(estimator, None, None, None, target, samples) is None


WRONG = {
    "X": X.astype(str),
    "y": np.full(N, 1e200),
    "sample_weight": -WEIGHT,
}


class TestRefusalsNameTheArgument:
    @pytest.mark.parametrize("name", WRONG)
    def test_of_a_fit(self, name):
        estimator = MDLAMRegressor()
        data = {"X": X, "y": LABELS, "sample_weight": WEIGHT, name: WRONG[name]}
        with pytest.raises(ValueError, match=f"^{name} "):
            prepare(estimator, **data, target=estimator._make_target(False))

    @pytest.mark.parametrize("name", WRONG)
    def test_of_validation_samples(self, name):
        estimator = MDLAMRegressor()
        target = estimator._make_target(False)
        training = prepare(estimator, X, LABELS, None, target)
        data = {"X": X, "y": LABELS, "sample_weight": WEIGHT, name: WRONG[name]}
        with pytest.raises(ValueError, match=f"^{name}_val "):
            prepare_validation(estimator, **data, target=target, training=training)

    @pytest.mark.parametrize("refuse", [refuse_huge, refuse_strings])
    @pytest.mark.parametrize("values", [[], [[0.0, -1e149]], sp.csr_array((2, 2)), [1, 2]])
    def test_what_is_fine(self, refuse, values):
        refuse(values, "X")

    def test_weights(self):
        assert check_weight(None, X) is None
        with pytest.raises(ValueError, match=r"^mine\b"):
            check_weight(np.zeros(N), X, "mine")
        with pytest.raises(ValueError, match=r"^mine is too large"):
            check_weight(np.full(N, 1e38), X.astype(np.float32), "mine")


class TestSplit:
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_every_sample_is_on_one_side(self, shuffle):
        rng = np.random.RandomState(0)
        training, validation = split_validation(numbered(WEIGHT), 0.3, shuffle, None, rng)
        found = [*numbers_of(training), *numbers_of(validation)]
        assert sorted(found) == list(range(N)) and len(validation) == 12
        assert_array_equal(validation.weight, WEIGHT[validation.y])
        assert (found == list(range(N))) is not shuffle

    def test_strata(self):
        rng = np.random.RandomState(0)
        for part in split_validation(numbered(), 0.25, True, LABELS, rng):
            counts = np.bincount(LABELS[part.y])
            assert counts.max() - counts.min() <= 1

    def test_without_shuffling_nothing_is_drawn(self):
        rng = np.random.RandomState(0)
        split_validation(numbered(), 0.25, False, None, rng)
        assert rng.randint(10**6) == np.random.RandomState(0).randint(10**6)

    @pytest.mark.parametrize(
        ("counts", "fraction"),
        [
            ([20, 19, 1], 0.2),  # a class of one
            ([2] * 20, 0.1),  # more classes than places
            ([36, 2, 2], 0.9),  # training has fewer places than each class would get there
            ([38, 1, 1], 0.97),
            ([1] * 38 + [2], 0.5),  # one sample can be spared
        ],
    )
    def test_rare_classes_stay_in_training(self, counts, fraction):
        codes = np.random.RandomState(5).permutation(np.repeat(np.arange(len(counts)), counts))
        samples = numbered()
        drawn = set()
        for seed in range(5):
            rng = np.random.RandomState(seed)
            training, validation = split_validation(samples, fraction, True, codes, rng)
            both = np.r_[numbers_of(training), numbers_of(validation)]
            assert_array_equal(np.sort(both), np.arange(N))
            assert len(np.unique(codes[training.y])) == len(counts)
            size = min(int(np.ceil(fraction * N)), N - len(counts))
            assert len(validation) == size
            # No class is further from its share than others that are not held out have to make it.
            held_out = np.bincount(codes[validation.y], minlength=len(counts))
            share = size * np.array(counts) / N
            free = held_out < np.array(counts) - 1
            assert (held_out[free] > share[free] - 1).all()
            drawn.add(tuple(validation.y))
        assert len(drawn) > 1

    def test_each_sample_a_class(self):
        rng = np.random.RandomState(0)
        training, validation = split_validation(numbered(), 0.1, True, np.arange(N), rng)
        assert (len(training), len(validation)) == (36, 4)

    def test_events_of_indicators(self):
        """Both values of every column are in the training part where some sample has them."""
        Y = np.zeros((N, 4))
        Y[3, 0] = Y[[4, 9], 1] = Y[:, 2] = 1
        Y[11, 2] = 0
        samples = Samples(X, Y, Y)
        for seed in range(30):
            rng = np.random.RandomState(seed)
            training, validation = split_validation(samples, 0.9, True, None, rng, events=True)
            assert len(training) + len(validation) == N and len(validation) >= 33
            assert_array_equal(training.Y.max(axis=0), [1, 1, 1, 0])
            assert_array_equal(training.Y.min(axis=0), [0, 0, 0, 0])

    def test_not_all_samples_are_needed(self):
        assert not needed_for_training(np.zeros((2, 1)), np.ones((1, 1))).any()
        found = needed_for_training(np.zeros((2, 1)), np.ones((3, 1)))
        assert_array_equal(found, [True, False, False])
