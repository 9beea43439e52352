"""What a run says becomes attributes of one length, and never changes what was there before."""

import copy
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skmdlam import MDLAMRegressor
from skmdlam._monitor import LARGEST
from skmdlam._results import keep_chunk, keep_fit, keep_start
from skmdlam._validation import Samples
from skmdlam.engine.loop.run import Run
from skmdlam.engine.moments import column_moments
from skmdlam.engine.records import STOP_REASONS, Record, Result
from skmdlam.engine.regularization import Regularization
from skmdlam.engine.summary import DataSummary
from skmdlam.losses import SquaredError

CURVES = ["loss_curve_", "objective_curve_", "epsilon_curve_", "rho_curve_", "gap_curve_"]


def record(iteration, loss=1.0):
    return Record(iteration, 2 * loss, loss, 45.0, 0.0, 0.0, 0, True, 0.1)


def result(losses=(3.0, 2.0), reason="converged", weight=1.0, kept=None):
    records = [record(k + 1, loss) for k, loss in enumerate(losses)]
    for said, value in zip(records, kept or (), strict=False):
        said.kept = value
    return Result([np.full((2, 1), weight)], [np.zeros(1)], reason, records)


class StubRun(Run):
    """The run of a stream, as far as it is asked here."""

    def __init__(self, weight=1.0, **attributes):
        self.weight = weight
        vars(self).update(attributes)

    def __next__(self):
        raise StopIteration

    def weights(self):
        return [np.full((2, 1), self.weight)], [np.zeros(1)]

    def state(self):
        return {"what": "was seen"}


class TestFit:
    @pytest.mark.parametrize("losses", [(), (3.0,), (3.0, 1.0, np.inf)])
    def test_curves_have_an_entry_for_each_sweep(self, losses):
        estimator = MDLAMRegressor()
        keep_fit(estimator, result(losses), None)
        assert {len(getattr(estimator, name)) for name in CURVES} == {len(losses)}
        assert estimator.n_iter_ == len(losses)
        assert all(value <= LARGEST for value in estimator.loss_curve_ + estimator.objective_curve_)
        assert estimator.best_loss_ == min(losses, default=np.inf)
        assert estimator.loss_ == (estimator.loss_curve_[-1] if losses else np.inf)

    @pytest.mark.parametrize(
        ("losses", "kept", "best"),
        [
            ((3.0, 1.0, 2.0), (3.0, 1.0, 1.0), 1.0),
            ((3.0, np.inf), (3.0, 3.0), 3.0),
            ((3.0, 4.0), (2.5, 2.5), 2.5),  # the start
            ((3.0, 1.0, 2.0), None, 1.0),  # those of the last sweep are returned
        ],
    )
    def test_loss_is_that_of_the_weights_and_best_loss_the_lowest(self, losses, kept, best):
        estimator = MDLAMRegressor()
        keep_fit(estimator, result(losses, kept=kept), None)
        assert estimator.loss_curve_ == [min(loss, LARGEST) for loss in losses]
        assert estimator.loss_ == (losses if kept is None else kept)[-1]
        assert estimator.best_loss_ == best

    @pytest.mark.parametrize("reason", STOP_REASONS)
    def test_warns_of_an_early_end_only(self, reason):
        estimator = MDLAMRegressor(max_iter=2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            keep_fit(estimator, result(reason=reason), None)
        says = {"max_iter": "2 iterations (max_iter=2)", "interrupted": "after 2 iterations"}
        assert [w.category for w in caught] == [ConvergenceWarning] * (reason in says)
        assert all(says[reason] in str(w.message) for w in caught)

    @pytest.mark.parametrize("early_stopping", [True, False])
    def test_best_weights_only_with_early_stopping(self, early_stopping):
        estimator = MDLAMRegressor(early_stopping=early_stopping)
        best = [np.full((2, 1), 9.0)], [np.ones(1)], 2.5
        keep_fit(
            estimator, result(), SimpleNamespace(scores=[0.7, 0.6], losses=[1.0, 2.0], best=best)
        )
        assert estimator.best_validation_score_ == 0.7
        assert estimator.validation_loss_curve_ == [1.0, 2.0]
        assert (estimator.coefs_[0][0, 0], estimator.loss_) == (
            (9.0, 2.5) if early_stopping else (1.0, 2.0)
        )


class TestChunks:
    def test_go_behind_the_curves_and_leave_the_old_lists(self):
        """A call that fails later puts the old attributes back, which must not have grown."""
        estimator = MDLAMRegressor()
        keep_fit(estimator, result(), None)
        before = {name: getattr(estimator, name) for name in CURVES}
        as_they_were = copy.deepcopy(before)
        keep_chunk(estimator, StubRun(weight=5.0), record(1, loss=np.inf))
        assert before == as_they_were
        assert estimator.loss_curve_ == [3.0, 2.0, LARGEST]
        assert {len(getattr(estimator, name)) for name in CURVES} == {estimator.n_iter_} == {3}
        assert estimator._stream == {"what": "was seen"}
        assert (estimator.stop_reason_, estimator.best_loss_) == ("partial_fit", 2.0)

    def test_of_a_new_estimator(self):
        estimator, said = MDLAMRegressor(), record(8)
        keep_chunk(estimator, StubRun(weight=5.0), said)
        assert estimator.n_iter_ == said.iteration == len(estimator.loss_curve_) == 1


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_never_kept(weight):
    estimator = MDLAMRegressor()
    before = dict(vars(estimator))
    with pytest.raises(FloatingPointError, match="this fit"):
        keep_fit(estimator, result(weight=weight), None)
    with pytest.raises(FloatingPointError, match="this chunk"):
        keep_chunk(estimator, StubRun(weight=weight), record(1))
    assert vars(estimator) == before


@pytest.mark.parametrize(
    "run",
    [
        StubRun(),
        StubRun(regularization=Regularization(5.0, 0.75, 0.1, 3.0), estimated=(1.0, 2.0, 0.1, 4.0)),
    ],
    ids=["none", "feasible"],
)
def test_what_a_run_estimated_and_what_it_has_seen(run):
    """In arrays and numbers, weighted, with the moments that the run knows already."""
    rng = np.random.default_rng(0)
    X, Y, weight = rng.normal(size=(30, 3)), rng.normal(size=(30, 1)), rng.uniform(1, 2, 30)
    estimator, samples = MDLAMRegressor(), Samples(X, Y[:, 0], Y, weight)
    estimator._loss = SquaredError()
    for moments in (None, column_moments(X, weight / weight.sum()), (np.ones(3), np.full(3, 2.0))):
        run.moments = moments
        keep_start(estimator, run, samples)
        names = ("activity_alpha_", "column_alpha_", "noise_ratio_", "upper_alpha_")
        np.testing.assert_array_equal(
            [getattr(estimator, name) for name in names], run.regularization[:4]
        )
        kept = estimator._stream
        assert kept["estimated"] == run.estimated
        known = DataSummary.from_arrays(kept | {"estimated": None})
        mean = np.average(X, axis=0, weights=weight) if moments is None else moments[0]
        np.testing.assert_allclose(known.columns.mean, mean, rtol=1e-12)
        assert (known.rows, known.joint) == (30, None)
        assert known.weight == pytest.approx(weight.sum())
