"""The public checks: they accept what is right, also by numerical defaults, and say what is not."""

import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skmdlam import MDLAMClassifier, MDLAMRegressor, Relaxed
from skmdlam.activations import ELU, Activation, Logistic, Softplus, Tanh
from skmdlam.engine.moments import TargetMoments
from skmdlam.losses import AbsoluteError, Huber, Loss, Quantile, SquaredError
from skmdlam.penalties import L1, L2, GroupLasso, Penalty
from skmdlam.testing import check_activation, check_joint, check_loss, check_penalty

RNG = np.random.RandomState(11)
X = RNG.standard_normal((80, 4))
NUMBERS = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * RNG.standard_normal(80)


class Softsign(Activation):
    infimum, supremum = -1.0, 1.0

    def function(self, z):
        return z / (1.0 + np.abs(z))

    def derivative(self, z, a):
        return np.square(1.0 - np.abs(a))


class Bent(Activation):
    """Two slopes with a kink, neither straight nor bounded, and one parameter."""

    def __init__(self, slope=0.25):
        self.slope = slope

    def function(self, z):
        return np.where(z > 1.0, 1.0 + self.slope * (z - 1.0), z)

    def derivative(self, z, a):
        return np.where(z > 1.0, self.slope, 1.0).astype(z.dtype)


def plain(activation):
    """The same function with nothing but the defaults of the base class."""

    class Plain(Activation):
        infimum, supremum = activation.infimum, activation.supremum
        largest_slope = activation.largest_slope

        def function(self, z):
            return activation.value(z)

        def derivative(self, z, a):
            return activation.derivative(z, a)

    return Plain()


@dataclass(frozen=True)
class LogCosh(Loss):
    scale: float = 1.0

    def value(self, z, y):
        r = np.abs(z - y).astype(float) / self.scale
        return (r + np.log1p(np.exp(-2.0 * r)) - np.log(2.0)).sum(axis=1)

    def gradient(self, z, y):
        return np.tanh((z - y) / self.scale) / self.scale


class Plain(Loss):
    """A loss of the package with nothing but the defaults of the base class."""

    def __init__(self, loss):
        self.loss = loss

    def value(self, z, y):
        return self.loss.value(z, y)

    def gradient(self, z, y):
        return self.loss.gradient(z, y)


@dataclass(frozen=True)
class SmoothRows(Penalty):
    """``1/2 sum_j ||W[j + 1] - W[j]||^2``: neighboring inputs have like weights."""

    def value(self, W):
        return 0.5 * float(np.square(np.diff(W.astype(float), axis=0)).sum())

    def prox(self, W, t):
        D = np.diff(np.eye(len(W)), axis=0)
        return np.linalg.solve(np.eye(len(W)) + float(t) * D.T @ D, W).astype(W.dtype)


class TestDefaults:
    @pytest.mark.parametrize("activation", [Softsign(), Bent(), Bent(3.0)], ids=repr)
    @pytest.mark.slow
    def test_two_methods_are_enough(self, activation):
        check_activation(activation)

    @pytest.mark.parametrize("known", [Tanh(), Logistic(), Softplus(), ELU(0.5)], ids=repr)
    @pytest.mark.slow
    def test_activation_as_good_as_the_closed_form(self, known):
        rng = np.random.default_rng(0)
        mine = plain(known)
        q = known.value(rng.uniform(-5, 5, (200, 2)))
        np.testing.assert_allclose(mine.inverse(q), known.preimage(q, q)[0], rtol=1e-9, atol=1e-9)
        for rho, tau, eps in [(1.0, 5.0, 0.0), (1.0, 1e3, 1e-3), (1e-3, 1e3, 0.1)]:
            v, p = 3.0 * rng.standard_normal((2, 40, 25))
            check_joint(mine, v, p, rho, tau, eps, rng)
            z, a = known.joint(v, p, rho, tau, eps)
            ours = mine.joint(v, p, rho, tau, eps)
            costs = [rho * (z - v) ** 2 + tau * (a - p) ** 2 for z, a in ((z, a), ours)]
            np.testing.assert_allclose(costs[1], costs[0], rtol=1e-7, atol=1e-12)

    def test_blocks_of_a_large_array(self):
        v, p = np.random.default_rng(1).standard_normal((2, 300, 70))
        z, a = Softsign().joint(v, p, 1.0, 5.0, 1e-3)
        few = Softsign().joint(v[200:], p[200:], 1.0, 5.0, 1e-3)
        np.testing.assert_array_equal(z[200:], few[0])
        np.testing.assert_array_equal(a[200:], few[1])

    @pytest.mark.parametrize(
        "known", [SquaredError(), AbsoluteError(), Huber(0.3), Quantile(0.8)], ids=repr
    )
    @pytest.mark.parametrize("rho", [1e-6, 0.1, 1.0, 1e6])
    def test_prox_is_the_closed_form(self, known, rho):
        rng = np.random.default_rng(2)
        v, y = 10.0 * rng.standard_normal((2, 50, 3))
        expected = known.prox(v, y, rho)
        given = Plain(known).prox(v, y, rho)
        np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-9)

    def test_loss(self):
        check_loss(LogCosh())
        check_loss(LogCosh(0.05))

    def test_penalty(self):
        check_penalty(SmoothRows())

    @pytest.mark.parametrize(
        ("call", "says"),
        [
            (lambda z: Activation().value(z), r"Activation has to define function\(z\)"),
            (lambda z: ReLULess().derivative(z, z), r"ReLULess has to define derivative\(z, a\)"),
            (lambda z: Loss().value(z, z), r"Loss has to define value\(z, y\)"),
            (lambda z: Loss().gradient(z, z), r"Loss has to define gradient\(z, y\)"),
            (lambda z: Loss().prox(z, z, 1.0), r"Loss has to define gradient\(z, y\)"),
            (lambda z: Penalty().value(z), r"Penalty has to define value\(W\)"),
            (lambda z: Penalty().prox(z, 1.0), r"Penalty has to define prox\(W, t\)"),
        ],
    )
    def test_what_is_missing(self, call, says):
        with pytest.raises(NotImplementedError, match=says):
            call(np.ones((2, 2)))

    def test_equality(self):
        assert Bent(0.5) == Bent(0.5)
        assert hash(Bent(0.5)) == hash(Bent(0.5))
        assert Bent(0.5) != Bent(0.6)
        assert Softsign() != Tanh()


class ReLULess(Activation):
    def function(self, z):
        return np.maximum(z, 0.0)


def broken(base, **methods):
    return type("Broken", (base,), {"__qualname__": "broken.<locals>.Broken", **methods})()


WRONG_ACTIVATIONS = {
    "is not an Activation": object(),
    "is not monotone": broken(
        Softsign, function=lambda self, z: -z / (1 + np.abs(z)), supremum=2.0, infimum=-2.0
    ),
    r"derivative\(z, a\) is": broken(Softsign, derivative=lambda self, z, a: 1.0 - np.abs(a)),
    "derivative must not be negative": broken(
        Softsign, derivative=lambda self, z, a: -np.ones_like(a)
    ),
    "shape and dtype of z": broken(Softsign, function=lambda self, z: z.astype(float)),
    "outside of its infimum": broken(Softsign, supremum=0.5),
    "no copy": broken(Activation, function=lambda self, z: z),
    "is not finite": broken(
        Softsign, function=lambda self, z: np.where(z > 10, np.inf, z).astype(z.dtype)
    ),
    r"value\(z, out\)": broken(Tanh, value=lambda self, z, out=None: np.tanh(z)),
    "misses z": broken(
        Softsign,
        preimage=lambda self, lower, upper: tuple(
            end.copy() for end in [Softsign.preimage(self, lower, upper)[0]] * 2
        ),
    ),
    "holds z": broken(
        Softsign,
        preimage=lambda self, lower, upper: (np.full_like(lower, -np.inf), upper * 0 + np.inf),
    ),
    "joint is beaten": broken(
        Tanh, _joint_z=lambda self, v, p, rho, tau, eps: np.where(np.abs(v) < 3, v, 0.99 * v)
    ),
    r"must keep \|a - h\(z\)\| <= eps": broken(
        Tanh, joint=lambda self, v, p, rho, tau, eps: (v.copy(), self.value(v) + 2 * eps + 1e-3)
    ),
    "homogeneous is True": broken(Softsign, homogeneous=True),
    "largest_slope is 0.1": broken(Softsign, largest_slope=0.1),
}


@pytest.mark.parametrize("says", WRONG_ACTIVATIONS)
def test_wrong_activation(says):
    with pytest.raises(AssertionError, match=says):
        check_activation(WRONG_ACTIVATIONS[says])


def test_what_cannot_be_pickled():
    hidden = type("Hidden", (Softsign,), {"__module__": __name__})()
    with pytest.raises(AssertionError, match=r"Hidden\(\) cannot be pickled"):
        check_activation(hidden)


WRONG_LOSSES = {
    "is not a Loss": SquaredError,
    "the gradient is wrong": broken(SquaredError, gradient=lambda self, z, y: 1.1 * (z - y)),
    "not convex": broken(
        SquaredError,
        value=lambda self, z, y: (1.0 - np.exp(-np.square(z.astype(float) - y))).sum(axis=1),
        gradient=lambda self, z, y: 2 * (z - y) * np.exp(-np.square(z - y)),
    ),
    "is beaten": broken(AbsoluteError, prox=lambda self, v, y, rho, start=None: 0.5 * (v + y)),
    "a double for each sample": broken(SquaredError, value=lambda self, z, y: (z - y) ** 2),
    "value must not be negative": broken(
        SquaredError, value=lambda self, z, y: SquaredError.value(self, z, y) - 1.0
    ),
    "gradient.* shape and dtype": broken(
        SquaredError, gradient=lambda self, z, y: (z - y).astype(float)
    ),
    "must not depend on start": broken(
        SquaredError,
        prox=lambda self, v, y, rho, start=None: (
            SquaredError.prox(self, v, y, rho) if start is None else start
        ),
    ),
    "changes its arguments": broken(
        SquaredError,
        prox=lambda self, v, y, rho, start=None: np.add(
            0.0, np.divide(np.add(y, np.multiply(v, rho, out=v), out=v), 1 + rho)
        ),
    ),
    "its repr must show its parameters": Plain(Huber()),
    "not equal to its copy": broken(Loss, __repr__=lambda self: "Broken()"),
}


@pytest.mark.parametrize("says", WRONG_LOSSES)
def test_wrong_loss(says):
    with pytest.raises(AssertionError, match=says):
        check_loss(WRONG_LOSSES[says])


WRONG_PENALTIES = {
    "is not a Penalty": L1,
    "does not minimize": broken(L1, prox=lambda self, W, t: W / (1.0 + float(np.max(t)))),
    "must be a number, a float": broken(L2, value=lambda self, W: np.float32(0.5 * (W**2).sum())),
    "no copy": broken(L2, prox=lambda self, W, t: W),
    "changes W": broken(L1, prox=lambda self, W, t: np.multiply(W, 0.5, out=W).copy()),
    "rotation_invariant is True": broken(L1, rotation_invariant=True),
    "ridge is 2.0": broken(L2, ridge=2.0),
    "by_rows is True": broken(
        SmoothRows, by_rows=True, prox=lambda self, W, t: SmoothRows.prox(self, W, np.max(t))
    ),
    "finite and not negative": broken(L2, value=lambda self, W: -0.5 * float((W**2).sum())),
    "shape and dtype of W": broken(L2, prox=lambda self, W, t: W.astype(float) / (1.0 + t)),
}


@dataclass(frozen=True)
class Ball(Penalty):
    """The projection onto a ball, as a constraint is written."""

    radius: float = 0.8
    tol: float = 1e-5
    rotation_invariant = True

    def value(self, W):
        inside = np.linalg.norm(W.astype(float)) <= self.radius * (1.0 + self.tol)
        return 0.0 if inside else np.inf

    def prox(self, W, t):
        norm = np.linalg.norm(W.astype(float))
        return (W * (self.radius / max(norm, self.radius))).astype(W.dtype)


@dataclass(frozen=True)
class Strict(Ball):
    tol: float = 0.0


@dataclass(frozen=True)
class Simplex(Penalty):
    """Each column is not negative and has this sum."""

    total: float = 2.5

    def value(self, W):
        off = np.abs(W.sum(axis=0, dtype=float) - self.total).max()
        return 0 if (W >= 0).all() and off <= 1e-5 else np.inf

    def prox(self, W, t):
        V, columns = W.astype(float), np.arange(W.shape[1])
        high = -np.sort(-V, axis=0)
        shifts = (np.cumsum(high, axis=0) - self.total) / np.arange(1, len(V) + 1)[:, np.newaxis]
        shift = shifts[(high > shifts).sum(axis=0) - 1, columns]
        return np.maximum(V - shift, 0.0).astype(W.dtype)


@dataclass(frozen=True)
class Cube(Penalty):
    half: float = 0.3
    by_rows = True

    def value(self, W):
        return 0.0 if np.abs(W).max(initial=0.0) <= W.dtype.type(self.half) else np.inf

    def prox(self, W, t):
        return np.clip(W, -self.half, self.half)


class TestProjections:
    @pytest.mark.parametrize("penalty", [Ball(), Simplex(), Cube()], ids=str)
    def test_accepted(self, penalty):
        check_penalty(penalty)

    @pytest.mark.parametrize(
        ("base", "changed", "says"),
        [
            (Strict, {}, r"got inf for V = .*compare with a tolerance in value"),
            (
                Cube,
                {"value": lambda self, W: 0.0},
                r"must be inf where prox\(W, 0\), the projection, moves W; got 0 at W = \[\[",
            ),
            (
                Ball,
                {"prox": lambda self, W, t: Ball.prox(self, W, t) * W.dtype.type(0.999)},
                r"does not minimize .* at W = .* has [\d.e-]+, and .* has [\d.e-]+, less by more",
            ),
            (
                Cube,
                {"prox": lambda self, W, t: Cube.prox(self, W, t) + W.dtype.type(1e-9) * (W < 0.2)},
                r"must leave V = prox\(W, 0\) where it is, up to rounding, .*moves it by 1e-09",
            ),
        ],
    )
    def test_what_is_wrong(self, base, changed, says):
        with pytest.raises(AssertionError, match=says):
            check_penalty(broken(base, **changed))

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_fit_ends_inside(self):
        model = MDLAMRegressor(hidden_layer_sizes=(4,), penalty=Ball(1.1), max_iter=20)
        model.fit(X, NUMBERS)
        assert [Ball(1.1).value(W) for W in model.coefs_] == [0.0, 0.0]


@pytest.mark.parametrize("says", WRONG_PENALTIES)
def test_wrong_penalty(says):
    with pytest.raises(AssertionError, match=says):
        check_penalty(WRONG_PENALTIES[says])


class TestInEstimators:
    """Instances of classes that the package does not know go wherever names go."""

    SOLVERS = [{}, {"batch_size": 20}, {"batch_size": None}, {"solver": "relaxed"}]
    SOLVERS += [
        pytest.param(
            {"solver": Relaxed(hidden_step="separate", w_step="exact")}, marks=pytest.mark.slow
        )
    ]

    @pytest.mark.parametrize("solver", SOLVERS, ids=str)
    @pytest.mark.slow
    def test_fit_clone_pickle(self, solver):
        custom = {"activation": [Softsign(), Bent(0.5)], "loss": LogCosh(0.5), "alpha": 1e-3}
        sweeps = 60 if solver.get("batch_size") == 20 else 25
        model = MDLAMRegressor(
            hidden_layer_sizes=(12, 6), random_state=0, max_iter=sweeps, **custom, **solver
        )
        model.set_params(penalty=SmoothRows() if "batch_size" not in solver else "l2")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, NUMBERS)
            again = clone(model).fit(X, NUMBERS)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert repr(clone(model)) == repr(model)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        z = model.predict(X)[:, None]
        J = LogCosh(0.5).value(z, NUMBERS[:, None]).mean()
        constant = np.full_like(z, np.median(NUMBERS))
        assert 0.8 * LogCosh(0.5).value(constant, NUMBERS[:, None]).mean() > J

    def test_grid_search(self):
        grid = {
            "activation": [Softsign(), Bent()],
            "loss": [LogCosh(), LogCosh(0.2)],
            "penalty": [SmoothRows(), GroupLasso()],
        }
        search = GridSearchCV(
            MDLAMRegressor(hidden_layer_sizes=(6,), max_iter=15, random_state=0),
            grid,
            cv=2,
            error_score="raise",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, NUMBERS)
        assert len(set(search.cv_results_["mean_test_score"])) == 8

    def test_penalty_that_the_full_batch_has_no_form_for(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMClassifier((6,), batch_size=None, penalty=SmoothRows(), max_iter=20)
            model.fit(X, NUMBERS > 0)
        assert all(b <= a for a, b in zip(model.loss_curve_, model.loss_curve_[1:], strict=False))


class TestUnitsOfAnUnknownLoss:
    """The default solver centers and scales the target of every loss without a link."""

    @pytest.mark.parametrize("known", [SquaredError(), Huber(0.5), AbsoluteError()], ids=repr)
    def test_value_gradient_prox(self, known):
        rng = np.random.default_rng(4)
        Y = 50.0 + 3.0 * rng.standard_normal((30, 2))
        unit = Plain(known).scaled(*TargetMoments.of(Y, np.full(30, 1 / 30)))
        np.testing.assert_allclose(unit.shift, Y.mean(axis=0))
        assert 2.0 < unit.scale < 4.0
        z = rng.standard_normal((30, 2))
        outside = unit.shift + unit.scale * z
        factor, y = unit.factor, unit.transform(Y)
        np.testing.assert_allclose(factor * unit.loss.value(z, y), known.value(outside, Y))
        slope = factor / unit.scale * unit.loss.gradient(z, y)
        np.testing.assert_allclose(slope, known.gradient(outside, Y))
        prox = unit.loss.prox(z, y, 0.7)
        cost = unit.loss.value(prox, y) + 0.35 * np.sum((prox - z) ** 2, axis=1)
        for size in (1e-4, 0.1, 1.0):
            other = prox + size * rng.standard_normal(z.shape)
            rival = unit.loss.value(other, y) + 0.35 * np.sum((other - z) ** 2, axis=1)
            assert (rival >= cost - 1e-12).all()
        assert unit.loss.gradient(z.astype(np.float32), y).dtype == np.float32
        assert unit.loss.prox(z.astype(np.float32), y, 1.0).dtype == np.float32

    @pytest.mark.parametrize("solver", [{"batch_size": 20}, {"batch_size": None}], ids=str)
    def test_units_of_the_target(self, solver):
        models = []
        for size in (1.0, 1e6):
            model = MDLAMRegressor(
                hidden_layer_sizes=(12,),
                loss=LogCosh(0.5 * size),
                alpha=0.0,
                random_state=0,
                **solver,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                models.append(model.fit(X, size * (NUMBERS + 7.0)))
        one, large = models
        np.testing.assert_allclose(large.predict(X) / 1e6, one.predict(X), rtol=1e-3)
        assert one.score(X, NUMBERS + 7.0) > 0.8
