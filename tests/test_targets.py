"""Targets: what is learned of y encodes every further y, in one piece or in chunks."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmdlam._targets import (
    ClassTarget,
    NumericTarget,
    balanced_weights,
    classes_in,
    for_classes_in,
)
from skmdlam.losses import LogisticLoss, Poisson, SoftmaxCrossEntropy

RNG = np.random.default_rng(0)
N = 60
CODES = np.concatenate([np.arange(4), RNG.integers(4, size=N - 4)])
LABELS = RNG.integers(2, size=(N, 3))

FORMS = {
    "numbers": CODES * 3 - 2,
    "strings": np.array(["d", "b", "a", "c"])[CODES],
    "two": np.array(["yes", "no"])[CODES % 2],
    "booleans": CODES > 1,
    "one": np.full(N, 7),
    "indicator": LABELS,
    "sparse indicator": sp.csr_array(LABELS),
}
each_form = pytest.mark.parametrize("y", FORMS.values(), ids=FORMS)


def learned(y, class_weight=None, weight=None, dtype=np.float64):
    target = ClassTarget(class_weight)
    return target, *target.learn(y, weight, np.dtype(dtype))


class TestClasses:
    @each_form
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_part_is_encoded_like_the_whole(self, y, dtype):
        target, Y, _ = learned(y, dtype=dtype)
        rows = [5, 3, 3, 30]
        part, weight = target.encode(y[rows], None, np.dtype(dtype))
        assert_array_equal(part, Y[rows])
        assert part.dtype == Y.dtype == dtype and weight is None

    @each_form
    def test_labels_can_be_read_back(self, y):
        target, Y, _ = learned(y)
        dense = y.toarray() if sp.issparse(y) else y
        if target.multilabel:
            assert_array_equal(Y, dense)
        elif Y.shape[1] == 1:
            assert len(target.classes) <= 2
            assert_array_equal(target.classes[Y[:, 0].astype(int)], dense)
        else:
            assert_array_equal(target.classes[Y.argmax(axis=1)], dense)
            assert_array_equal(Y.sum(axis=1), 1)

    @each_form
    def test_loss_goes_with_the_columns(self, y):
        target, Y, _ = learned(y)
        several = Y.shape[1] > 1 and not target.multilabel
        assert target.loss == (SoftmaxCrossEntropy() if several else LogisticLoss())
        target.loss.check_target(Y)

    @each_form
    def test_a_stream_is_encoded_like_the_whole(self, y):
        whole, Y, _ = learned(y)
        chunks, before = [], ()
        for start in range(0, N, 7):
            target = ClassTarget(None, *before)
            chunk = y[start : start + 7]
            classes = None if whole.multilabel or before else whole.classes
            chunks.append(target.learn_chunk(chunk, None, np.dtype(float), classes)[0])
            before = target.classes, target.multilabel
            for name, value in target.attributes().items():
                assert_array_equal(value, whole.attributes()[name])
        assert_array_equal(np.concatenate(chunks), Y)

    @pytest.mark.parametrize("method", ["learn", "learn_chunk"])
    @pytest.mark.parametrize(
        "y", [FORMS["strings"], FORMS["numbers"] + 1, LABELS], ids=["strings", "others", "labels"]
    )
    def test_other_classes_than_before_are_refused(self, method, y):
        before, _, _ = learned(FORMS["numbers"])
        target = ClassTarget(None, before.classes, before.multilabel)
        with pytest.raises(ValueError, match=r"previous fit|not among|class labels|not the same"):
            getattr(target, method)(y, None, np.dtype(float))
        assert target.attributes() == before.attributes()  # the object itself, not a new one


class TestClassWeight:
    @pytest.mark.parametrize("weight", [None, RNG.integers(1, 4, N).astype(float)])
    @each_form
    def test_balanced(self, y, weight):
        """Every class of a column gets the same total weight, and the sum stays."""
        dense = y.toarray() if sp.issparse(y) else y
        total = N if weight is None else weight.sum()
        for k, column in enumerate(dense.reshape(N, -1).T):
            factors = balanced_weights(y, weight)
            by_class = factors[k] if dense.ndim == 2 else factors
            each = np.array([by_class[label] for label in column.tolist()])
            each = each if weight is None else each * weight
            sums = [each[column == label].sum() for label in np.unique(column)]
            assert_allclose(sums, total / len(sums))

    @pytest.mark.parametrize("class_weight", [None, "balanced"])
    @pytest.mark.parametrize("weight", [None, RNG.uniform(0, 4, N)])
    @each_form
    def test_of_samples_in_several_places(self, y, weight, class_weight):
        target, Y, expected = learned(y, class_weight, weight)
        places = [slice(0, 1), slice(1, N // 2), slice(N // 2, N)]
        parts = [(y[rows], None if weight is None else weight[rows]) for rows in places]
        other = ClassTarget(class_weight)
        other.learn_counts([classes_in(*part) for part in parts], np.dtype(float))
        assert_array_equal(other.classes, target.classes)
        assert other.multilabel == target.multilabel
        found = [other.encode(*part, np.dtype(float), some=True) for part in parts]
        assert_array_equal(np.concatenate([each for each, _ in found]), Y)
        if expected is not None:
            assert_allclose(np.concatenate([each for _, each in found]), expected)
        assert_array_equal(target.decoded(Y), y.toarray() if sp.issparse(y) else y)

    def test_a_class_without_weight_does_not_count(self):
        y, weight = np.array([0, 0, 1, 2]), np.array([1.0, 1.0, 2.0, 0.0])
        by_class = balanced_weights(y, weight)
        assert (by_class[0], by_class[1]) == (1.0, 1.0)

    @each_form
    def test_an_integer_weight_is_so_many_copies(self, y):
        weight = RNG.integers(1, 4, N)
        copies = np.repeat(np.arange(N), weight)
        _, _, weighted = learned(y, "balanced", weight.astype(float))
        _, _, repeated = learned(y[copies], "balanced")
        assert_allclose((weighted / weight)[copies], repeated)

    def test_a_part_has_the_weights_of_the_whole(self):
        """Also where classes are missing, which "balanced" would weigh by the part alone."""
        y = FORMS["strings"]
        target, _, weight = learned(y, "balanced")
        rows = np.flatnonzero(y != "b")[:9]
        _, part = target.encode(y[rows], None, np.dtype(float))
        assert_array_equal(part, weight[rows])

    def test_of_a_chunk(self):
        y, by_class = FORMS["strings"], {"a": 2.0, "d": 0.5}
        target, chunk = ClassTarget(by_class), y[y != "d"]
        _, weight = target.learn_chunk(chunk, None, np.dtype(np.float32), np.unique(y))
        assert_array_equal(weight, np.where(chunk == "a", 2.0, 1.0))
        assert weight.dtype == np.float32
        assert for_classes_in(chunk, by_class) == {"a": 2.0, "b": 1.0, "c": 1.0}

    def test_encoded_targets_do_not_depend_on_it(self):
        y = FORMS["strings"]
        assert_array_equal(learned(y, "balanced")[1], learned(y)[1])


class TestNumbers:
    @pytest.mark.parametrize("shape", [(N,), (N, 1), (N, 3)], ids=str)
    @pytest.mark.parametrize("method", ["learn", "learn_chunk", "encode"])
    @pytest.mark.filterwarnings("ignore:A column-vector")
    def test_one_column_for_each_output(self, shape, method):
        y = RNG.integers(1, 9, shape)
        target = NumericTarget("poisson", 0.5)
        weight = np.ones(N)
        Y, kept = getattr(target, method)(y, weight, np.dtype(np.float32))
        assert_array_equal(Y, y.reshape(N, -1))
        assert Y.dtype == np.float32 and kept is weight
        assert target.loss == Poisson() and target.attributes() == {}

    @pytest.mark.parametrize("method", ["learn", "learn_chunk", "encode"])
    def test_what_the_type_of_X_cannot_hold(self, method):
        y = np.array([0.0, 1e39])
        target = NumericTarget("squared_error", 0.5)
        with pytest.raises(ValueError, match="too large for float32"):
            getattr(target, method)(y, None, np.dtype(np.float32))
        assert getattr(target, method)(y, None, np.dtype(np.float64))[0][1, 0] == 1e39
