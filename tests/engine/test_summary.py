"""What is known of all samples: merged from unequal chunks it is that of all of them at once."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.engine.constants import LIMITS, TUNED
from skmdlam.engine.moments import column_moments
from skmdlam.engine.regularization import Regularization
from skmdlam.engine.summary import DataSummary

RNG = np.random.default_rng(0)
# The later samples have another mean and another spread.
X = np.vstack([RNG.normal(0.0, 1.0, (10, 4)), RNG.normal(3.0, 5.0, (990, 4))])
Y = np.vstack([RNG.normal(2.0, 0.1, (10, 2)), RNG.normal(2.0, 4.0, (990, 2))])
WEIGHT = np.concatenate([np.full(10, 50.0), RNG.uniform(0.1, 2.0, 990)])


def merged(cuts, weight, **options):
    parts = [
        DataSummary.of(X[a:b], Y[a:b], None if weight is None else weight[a:b], **options)
        for a, b in pairwise(cuts)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return parts, total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cuts", [(0, 10, 1000), (0, 1, 10, 11, 400, 1000)])
def test_merged_is_that_of_all(cuts, weighted):
    weight = WEIGHT if weighted else None
    s = WEIGHT if weighted else np.ones(1000)
    parts, total = merged(cuts, weight, joint=True)
    assert total.rows == 1000 and total.weight == pytest.approx(s.sum())
    np.testing.assert_allclose(total.columns.mean, np.average(X, axis=0, weights=s))
    covariance = np.cov(X.T, aweights=s, bias=True)
    np.testing.assert_allclose(total.columns.spread**2, covariance.diagonal())
    np.testing.assert_allclose(total.joint.square / total.joint.weight, covariance)
    mean, variance, deviation = total.target_moments(np.float64)
    np.testing.assert_allclose(mean, np.average(Y, axis=0, weights=s))
    np.testing.assert_allclose(variance, np.average((Y - mean) ** 2, axis=0, weights=s))
    # The deviation counts from the mean of the time, each chunk by its weight.
    sizes = [s[a:b].sum() for a, b in pairwise(cuts)]
    of_parts = [
        np.abs(Y[a:b] - np.average(Y[a:b], axis=0, weights=s[a:b])).T @ s[a:b]
        for a, b in pairwise(cuts)
    ]
    np.testing.assert_allclose(deviation, sum(of_parts) / sum(sizes))
    for part, d, w in zip(parts, of_parts, sizes, strict=True):
        np.testing.assert_allclose(part.deviation, d / w, atol=1e-15)


def test_a_constant_target_has_no_spread_in_a_stream():
    """What rounding makes of 0.1 + 0.2 is none, in the type that it came in."""
    still = np.where(np.arange(40) % 2, 0.3, 0.1 + 0.2)
    Y = np.column_stack([still, np.arange(40.0)])
    found = DataSummary.of(X[:40], Y) + DataSummary.of(X[:40], Y[::-1])
    each = found.target_moments(np.float64)
    np.testing.assert_allclose(each.variance, [0.0, np.var(Y[:, 1])])
    assert each.deviation[0] == 0.0


def test_deviation_of_rows_that_come_one_by_one():
    found = DataSummary.of(X[:1], Y[:1]) + DataSummary.of(X[1:2], Y[1:2])
    each = found.target_moments(np.float64)
    np.testing.assert_allclose(each.deviation, np.abs(Y[0] - Y[1]) / 2)


def test_older_summaries_have_one_deviation():
    arrays = DataSummary.of(X, Y, WEIGHT).as_arrays()
    found = DataSummary.from_arrays({**arrays, "deviation": 3.0})
    spread = found.targets.spread
    np.testing.assert_allclose(found.deviation, 3.0 * spread / spread.mean())


def test_a_summary_does_not_depend_on_the_order():
    (a, b), total = merged((0, 10, 1000), WEIGHT, joint=True)
    other = b + a
    np.testing.assert_allclose(other.deviation, total.deviation)
    np.testing.assert_allclose(other.joint.square, total.joint.square)
    np.testing.assert_allclose(other.targets.mean, total.targets.mean)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_array])
def test_inputs_of_any_kind(convert):
    found = DataSummary.of(convert(X), Y, WEIGHT, joint=True)
    expected = DataSummary.of(X, Y, WEIGHT, joint=True)
    np.testing.assert_allclose(found.columns.square, expected.columns.square)
    np.testing.assert_allclose(found.joint.square, expected.joint.square)


def test_covariances_are_those_of_chunks():
    """A fit leaves none; many columns have none; the number is the one that is handed in."""
    fitted, chunk = DataSummary.of(X[:600], Y[:600]), DataSummary.of(X[600:], Y[600:], joint=True)
    assert fitted.joint is None and (fitted + fitted).joint is None
    for both in (fitted + chunk, chunk + fitted):
        assert both.joint is chunk.joint and both.rows == 1000
        np.testing.assert_allclose(both.columns.spread, X.std(axis=0))
    for limit, kept in ((3, False), (4, True)):
        limits = replace(LIMITS, stream_covariance=limit)
        assert (DataSummary.of(X, Y, joint=True, limits=limits).joint is not None) == kept


def test_known_moments_are_taken():
    moments = column_moments(X, np.full(1000, 1e-3))
    found = DataSummary.of(X, Y, moments=moments)
    assert found.columns.mean is moments[0]
    np.testing.assert_allclose(found.columns.spread, moments[1])


def test_there_and_back():
    for joint, estimated in ((True, Regularization(1.0, 2.0, 0.5)), (False, None)):
        summary = DataSummary.of(X, Y, WEIGHT, joint=joint, estimated=estimated)
        again = DataSummary.from_arrays(summary.as_arrays())
        assert again.estimated == estimated
        assert again.as_arrays().keys() == summary.as_arrays().keys()
        assert again.rows == 1000
        np.testing.assert_array_equal(again.deviation, summary.deviation)
        for part in ("columns", "targets") + (("joint",) if joint else ()):
            for name, value in vars(getattr(summary, part)).items():
                np.testing.assert_array_equal(getattr(getattr(again, part), name), value)
    assert summary.as_arrays()["joint"] is None


class TestSupposed:
    """Of weights without what they have seen: many rows like these."""

    def test_few_rows_stand_for_many(self):
        last = RNG.standard_normal((5, 2))
        found = DataSummary.supposed(X[:20], Y[:20], None, last)
        assert found.rows == TUNED.stream_supposed == found.weight == found.targets.weight
        np.testing.assert_allclose(found.columns.spread, X[:20].std(axis=0))
        np.testing.assert_allclose(found.targets.spread, Y[:20].std(axis=0))
        few = DataSummary.supposed(X[:20], Y[:20], None, last, replace(TUNED, stream_supposed=40))
        assert few.rows == 40
        many = DataSummary.supposed(X, Y, None, last, replace(TUNED, stream_supposed=40))
        assert many.rows == 1000

    def test_one_row(self):
        """Where nothing varies, columns get the size of their mean, targets that of the weights."""
        last = np.array([[3.0, 1.0], [4.0, 0.0]])
        row = np.array([[0.1, -50.0, 0.0, 7.0]])
        found = DataSummary.supposed(row, np.array([[9.0, 9.0]]), None, last)
        np.testing.assert_allclose(found.columns.spread, [1.0, 50.0, 1.0, 7.0])
        np.testing.assert_allclose(found.targets.spread, [5.0, 1.0])
        np.testing.assert_allclose(found.targets.mean, 9.0)
        np.testing.assert_allclose(found.deviation, [5.0, 1.0])

    def test_weights(self):
        found = DataSummary.supposed(X[:20], Y[:20], np.full(20, 0.5), np.ones((3, 2)))
        assert found.weight == 500.0 and found.rows == 1000
