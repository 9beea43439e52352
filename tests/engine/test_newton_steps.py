"""Newton steps of samples, against derivatives by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, softmax

from skmdlam.engine.newton_steps import (
    along,
    at_least,
    best_offset,
    from_constant,
    from_outputs,
    gradient_of,
)
from skmdlam.engine.problem import Problem
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)

N = 300
RNG = np.random.default_rng(0)
WEIGHT = RNG.uniform(0.2, 3.0, N)
LABELS = (RNG.random((N, 2)) < [0.3, 0.8]) * 1.0
CLASSES = np.eye(3)[RNG.choice(3, N, p=[0.5, 0.3, 0.2])]
COUNTS = RNG.poisson(2.0, (N, 1)) * 1.0
NUMBERS = RNG.normal(size=(N, 2)) * [1.0, 50.0] + [3.0, -20.0]
SMOOTH = {
    "squares": (SquaredError(), NUMBERS),
    "logistic": (LogisticLoss(), LABELS),
    "classes": (SoftmaxCrossEntropy(), CLASSES),
    "counts": (Poisson(), COUNTS),
}
every_smooth = pytest.mark.parametrize(("loss", "Y"), SMOOTH.values(), ids=SMOOTH)


def problem_of(loss, Y, weight=None):
    return Problem(np.zeros((len(Y), 1)), np.asfortranarray(Y), [], loss, None, 0.0, weight)


class TestFromConstant:
    def test_squares(self):
        """The step is the residual, and all insist the same."""
        for weight in (None, WEIGHT):
            asked, curvature = from_constant(problem_of(SquaredError(), NUMBERS, weight))
            expected = NUMBERS - np.average(NUMBERS, axis=0, weights=weight)
            np.testing.assert_allclose(asked, expected, rtol=0, atol=1e-9)
            np.testing.assert_allclose(curvature, 1.0, rtol=1e-9)

    @pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weights"])
    def test_labels(self, weight):
        """From the shares; the curvature is a difference, a little less than at the place."""
        p = np.average(LABELS, axis=0, weights=weight)
        asked, curvature = from_constant(problem_of(LogisticLoss(), LABELS, weight))
        np.testing.assert_allclose(asked * curvature, LABELS - p, rtol=0, atol=1e-9)
        np.testing.assert_allclose(curvature, np.broadcast_to(p * (1 - p), (N, 2)), rtol=0.02)

    @pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weights"])
    def test_classes(self, weight):
        p = np.average(CLASSES, axis=0, weights=weight)
        asked, curvature = from_constant(problem_of(SoftmaxCrossEntropy(), CLASSES, weight))
        # The diagonal of the curvature: twenty steps come near.
        np.testing.assert_allclose(asked * curvature, CLASSES - p, rtol=0, atol=5e-4)
        np.testing.assert_allclose(curvature, np.broadcast_to(p * (1 - p), (N, 3)), rtol=0.02)

    def test_counts(self):
        mean = np.average(COUNTS[:, 0], weights=WEIGHT)
        asked, curvature = from_constant(problem_of(Poisson(), COUNTS, WEIGHT))
        np.testing.assert_allclose(asked * curvature, COUNTS - mean, rtol=0, atol=1e-8)
        np.testing.assert_allclose(curvature, mean, rtol=0.02)

    @pytest.mark.parametrize("loss", [Huber(7.0), Huber(40.0)], ids=str)
    def test_bounded_by_huber(self, loss):
        """The best constant is that of a general minimizer; far samples pull as they should."""
        Y = 30.0 * RNG.standard_t(1.5, (N, 1))
        asked, curvature = from_constant(problem_of(loss, Y, WEIGHT))
        best = minimize(
            lambda c: WEIGHT @ loss.value(np.full((N, 1), c[0]), Y),
            np.median(Y),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-12},
        ).x[0]
        expected = np.clip(Y - best, -loss.delta, loss.delta)
        np.testing.assert_allclose(asked * curvature, expected, rtol=0, atol=0.01 * loss.delta)
        # Beyond the bend they insist as the mean does: their steps are bounded.
        far = np.abs(Y - best) > 50.0 + loss.delta
        np.testing.assert_allclose(curvature[far], curvature.min(), rtol=1e-12)
        assert 0.0 < curvature.min() < 1.0 and curvature.max() <= 1.0 + 1e-9

    @pytest.mark.parametrize("share", [0.5, 0.8])
    def test_kinks_are_smoothed(self, share):
        """Pulls cancel, as of a quantile; steps are bounded, and no sign alone."""
        loss = AbsoluteError() if share == 0.5 else Quantile(share)
        Y = 100.0 * RNG.standard_t(1.2, (4000, 1))
        asked, curvature = from_constant(problem_of(loss, Y))
        assert np.unique(np.round(asked, 6)).size > 8
        assert np.abs(asked).max() < 5000.0 < np.abs(Y).max()
        order = np.argsort(Y[:, 0])
        assert (np.diff(asked[order, 0]) >= -1e-9).all()
        assert np.mean(asked * curvature) == pytest.approx(0.0, abs=1e-3)
        assert (asked * curvature).max() == pytest.approx(share if share > 0.5 else 1.0)

    @every_smooth
    def test_single_precision(self, loss, Y):
        """Within its rounding, in double precision from there."""
        expected = from_constant(problem_of(loss, Y))
        for one, other in zip(
            from_constant(problem_of(loss, Y.astype("f"))), expected, strict=True
        ):
            assert one.dtype == np.float64
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(Y).max())

    @every_smooth
    def test_weights_are_copies(self, loss, Y):
        copies = RNG.integers(1, 4, N)
        expected = from_constant(problem_of(loss, np.repeat(Y, copies, axis=0)))
        found = from_constant(problem_of(loss, Y, copies * 1.0))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.repeat(one, copies, axis=0), other, rtol=1e-6, atol=1e-9)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("value", [0.0, 4.0, 0.1, -1e8])
    @pytest.mark.parametrize("loss", [SquaredError(), Huber(1.0), AbsoluteError()], ids=str)
    def test_targets_that_are_one_number(self, loss, value):
        for dtype in (np.float64, np.float32):
            asked, curvature = from_constant(problem_of(loss, np.full((N, 1), value, dtype=dtype)))
            assert np.abs(asked).max() <= 1e-6 * max(abs(value), 1e-6)
            assert (curvature > 0).all() and np.isfinite(curvature).all()

    def test_nobody_of_a_class(self):
        """No way to a finite constant: steps are finite all the same."""
        Y = np.column_stack([CLASSES[:, :2] + CLASSES[:, 2:] / 2 > 0.6, np.zeros((N, 1))]) * 1.0
        for loss in (LogisticLoss(), SoftmaxCrossEntropy()):
            for part in from_constant(problem_of(loss, Y)):
                assert np.isfinite(part).all() and np.abs(part).max() < 1e12


class TestFromOutputs:
    @every_smooth
    def test_derivatives(self, loss, Y):
        """Against differences of the values, at outputs that differ."""
        z = 0.4 * np.random.default_rng(1).normal(size=Y.shape)
        asked, curvature = from_outputs(problem_of(loss, Y), z)
        for output in range(Y.shape[1]):
            by = np.zeros(Y.shape[1])
            by[output] = h = 1e-3
            up, here, down = (loss.value(z + t * by, Y) for t in (1.0, 0.0, -1.0))
            slope, bend = (up - down) / (2 * h), (up - 2 * here + down) / h**2
            np.testing.assert_allclose((asked * curvature)[:, output], -slope, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(curvature[:, output], bend, rtol=0.03, atol=1e-4)

    def test_least_curvature(self):
        """Outputs far away are flat, and ask for no step beyond all bounds."""
        z = np.where(np.arange(N) < 20, 30.0, 0.0)[:, None]
        asked, curvature = from_outputs(problem_of(LogisticLoss(), np.zeros((N, 1))), z)
        least = 0.05 * 0.25 * (N - 20) / N
        np.testing.assert_allclose(curvature[:20], least, rtol=0.02)
        np.testing.assert_allclose(asked[:20] * least, -1.0, rtol=0.02)
        share = np.full(3, 1.0 / 3.0)
        curvature = np.array([-1.0, 0.0, 3.0])
        np.testing.assert_allclose(at_least(LogisticLoss(), curvature, share), [0.05, 0.05, 3.0])
        np.testing.assert_allclose(at_least(Huber(1.0), curvature, share), [1.0, 1.0, 3.0])

    def test_gradient(self):
        z = RNG.normal(size=(N, 3)).astype(np.float32)
        found = gradient_of(SoftmaxCrossEntropy(), z, CLASSES)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, softmax(z.astype(float), axis=1) - CLASSES, atol=1e-12)


class TestAlong:
    def test_of_a_line(self):
        """Squares, outputs that are lines in the number: the step is the least squares one.

        Each output is in the unit of its targets.
        """
        base = RNG.normal(size=(N, 2))
        direction = RNG.normal(size=(N, 2))
        problem = problem_of(SquaredError(), NUMBERS)
        asked, curvature = along(problem, lambda t: base + t * direction, 0.25)
        spread = NUMBERS.std(axis=0)
        scaled = direction / spread
        size = np.square(scaled).sum(axis=1)
        mean = size.mean()
        pull = ((NUMBERS - base) / spread * scaled).sum(axis=1)
        expected = pull / np.maximum(size, 0.05 * mean)
        np.testing.assert_allclose(asked, expected, rtol=1e-8)
        np.testing.assert_allclose(curvature, np.maximum(size, 0.05 * mean) / mean, rtol=1e-8)

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e8])
    def test_a_target_that_is_one_number_says_nothing(self, value):
        base, direction = RNG.normal(size=(2, N, 2))
        Y = NUMBERS.copy()
        expected = along(
            problem_of(SquaredError(), Y[:, 1:]), lambda t: (base + t * direction)[:, 1:], 0.25
        )
        Y[:, 0] = value
        found = along(problem_of(SquaredError(), Y), lambda t: base + t * direction, 0.25)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8)
        constant = problem_of(SquaredError(), np.full((N, 1), value))
        assert along(constant, lambda t: (base + t * direction)[:, :1], 0.25) is None

    def test_of_a_curve(self):
        """One derivative further: logistic losses of a curved output."""
        z = RNG.normal(size=(N, 2))
        problem = problem_of(LogisticLoss(), LABELS, WEIGHT)
        asked, curvature = along(problem, lambda t: z * np.exp(t), 1e-4)
        slope = ((expit(z) - LABELS) * z).sum(axis=1)
        bend = (expit(z) * expit(-z) * z**2).sum(axis=1)
        mean = np.average(bend, weights=WEIGHT)
        bend = np.maximum(bend, 0.05 * mean)
        np.testing.assert_allclose(asked, -slope / bend, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(curvature, bend / mean, rtol=1e-4)

    def test_a_number_that_says_nothing(self):
        problem = problem_of(LogisticLoss(), LABELS)
        assert along(problem, lambda t: np.zeros((N, 2)), 0.25) is None

    def test_asks_for_three_outputs(self):
        """At the ends and in the middle."""
        seen = SimpleNamespace(at=[])

        def outputs(t):
            seen.at.append(t)
            return np.full((N, 1), t)

        along(problem_of(Poisson(), COUNTS), outputs, 0.5)
        assert sorted(seen.at) == [-0.5, 0.0, 0.5]


class TestBestOffset:
    @every_smooth
    def test_is_where_the_loss_is_least(self, loss, Y):
        z = RNG.normal(size=Y.shape) * 2.0 + (Y.std(axis=0) if Y is NUMBERS else 1.0)

        def value(offset):
            return WEIGHT @ loss.value(z + offset, Y) / WEIGHT.sum()

        found = best_offset(problem_of(loss, Y, WEIGHT), z)
        best = minimize(value, np.zeros(Y.shape[1]), method="BFGS", options={"gtol": 1e-9})
        assert value(found) <= best.fun + 1e-9 * abs(best.fun)
        gradient = WEIGHT @ gradient_of(loss, z + found, Y)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-7 * WEIGHT.sum())

    def test_two_classes(self):
        """Curvatures class by class are half of what it is along the difference of two."""
        Y, z = np.eye(2)[(RNG.random(N) < 0.4).astype(int)], np.zeros((N, 2))
        found = best_offset(problem_of(SoftmaxCrossEntropy(), Y), z)
        np.testing.assert_allclose(softmax(found), Y.mean(axis=0), atol=1e-9)

    @pytest.mark.parametrize(("loss", "level"), [(AbsoluteError(), 0.5), (Quantile(0.25), 0.25)])
    def test_kinks(self, loss, level):
        """A quantile of the residuals."""
        found = best_offset(problem_of(loss, NUMBERS), np.zeros(NUMBERS.shape))
        expected = np.quantile(NUMBERS, level, axis=0)
        gaps = np.ptp(np.sort(NUMBERS, axis=0)[[int(N * level) - 1, int(N * level)]], axis=0)
        assert (np.abs(found - expected) <= gaps).all()

    def test_none_where_numbers_are_lost(self):
        for value in (1e5, np.inf, np.nan):  # the exponential of the first is not finite
            for loss, Y in SMOOTH.values():
                with np.errstate(all="ignore"):
                    found = best_offset(problem_of(loss, Y), np.full(Y.shape, value))
                assert np.isfinite(found).all()
                assert not found.any() or value == 1e5
