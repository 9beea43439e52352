"""J of all samples: its documented value, its slope, and its curvature, in dense NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.scaled import scaled_input
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.reductions import Rows
from skmdlam.engine.steps.full_objective import FullObjective
from skmdlam.losses import (
    REGRESSION_LOSSES,
    LogisticLoss,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)

LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]
# Those whose derivative is that of their value; the others never come here.
WITH_SLOPES = [name for name, cls in sorted(ACTIVATIONS.items()) if cls.exact_derivative]
RIDGE = [0.3 * np.arange(1.0, 6.0)[:, None], 0.7, 0.2]


def make(loss="squared_error", activations=("tanh", "relu"), *, n=30, d=5, sparse=False,
         weighted=True, activity=0.0, columns=0.0, ridge=RIDGE, dtype=float, seed=0,
         **limits):  # fmt: skip
    """J of three layers of 4, 3 and 2 units, and the data that it is made of."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) * 10.0 ** np.arange(d) + 3.0).astype(dtype)
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
    Y = rng.normal(size=(n, 2))
    if loss == "poisson":
        Y = np.abs(Y)
    elif loss == "softmax":
        Y = np.eye(2)[rng.integers(0, 2, n)]
    elif loss == "logistic":
        Y = rng.integers(0, 2, (n, 2)).astype(float)
    losses = {"softmax": SoftmaxCrossEntropy(), "logistic": LogisticLoss()}
    loss = losses[loss] if loss in losses else get_loss(loss)
    weight = rng.uniform(0.1, 3.0, n) if weighted else None
    rows = Rows(n, weight)
    moments = column_moments(X, rows.normalized())
    columns_of_X = Columns.of(*moments, rows.total, n, X.dtype)
    inputs = scaled_input(sp.csr_array(X) if sparse else X, columns_of_X)
    activations = [get_activation(name) for name in activations]
    weight = None if weight is None else weight.astype(dtype)
    objective = FullObjective(
        inputs, Y.astype(dtype), loss, activations, [4, 3, 2][-len(activations) - 1 :], weight,
        ridge[-len(activations) - 1 :], activity, columns, replace(LIMITS, **limits),
    )  # fmt: skip
    return objective, X, Y, np.ones(n) if weight is None else weight


def standardized(X, s):
    mean = s @ X / s.sum()
    std = np.sqrt(s @ (X - mean) ** 2 / s.sum())
    return (X - mean) / np.where(std > 0, std, 1.0)


def layers_by_hand(objective, theta, X, s):
    """Weights, inputs of each layer and pre-activations, from a plain forward pass."""
    V, position, a = [], 0, standardized(X, s)
    inputs, z = [], []
    for layer, (m, k) in enumerate(objective.shapes):
        V.append(theta[position : position + m * k].reshape(m, k))
        position += m * k
        inputs.append(a)
        z.append(a @ V[-1][:-1] + V[-1][-1])
        if layer < len(objective.activations):
            a = objective.activations[layer].value(z[-1])
    assert position == theta.size
    return V, inputs, z


def value_by_hand(objective, theta, X, Y, s):
    V, _, z = layers_by_hand(objective, theta, X, s)
    value = s @ objective.loss.value(z[-1], Y)
    for ridge, W in zip(objective.ridge, V, strict=True):
        value += 0.5 * (ridge * W[:-1] ** 2).sum()
    for layer in z:
        mean = s @ layer / s.sum()
        value += objective.activity / 2 * (s @ (layer - mean) ** 2).sum() / s.sum()
    sizes = (V[0][:-1] ** 2).sum(axis=1)[X.std(axis=0) > 0]
    value += objective.columns / 2 * np.log(1 + 10 * sizes).sum()
    return value / s.sum()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_value_is_the_documented_objective(loss, sparse):
    objective, X, Y, s = make(loss, sparse=sparse, activity=3.0, columns=0.8, block_rows=11)
    rng = np.random.default_rng(1)
    for _ in range(3):
        theta = rng.normal(scale=0.5, size=objective.size)
        kept = theta.copy()
        expected = value_by_hand(objective, theta, X, Y, s)
        assert objective(theta)[0] == pytest.approx(expected, rel=1e-12)
        np.testing.assert_array_equal(theta, kept)


@pytest.mark.parametrize(
    ("loss", "activation", "sparse", "weighted"),
    [
        *((loss, "relu", False, True) for loss in LOSSES),
        *(("squared_error", name, False, True) for name in WITH_SLOPES if name != "relu"),
        ("softmax", "tanh", True, True),
        ("poisson", "tanh", True, False),
    ],
)
def test_gradient_is_the_slope_of_the_value(loss, activation, sparse, weighted):
    objective, X, Y, s = make(
        loss, (activation, activation), sparse=sparse, weighted=weighted, activity=2.0,
        columns=1.5, block_rows=11,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for _ in range(3):
        theta = rng.normal(scale=0.5, size=objective.size)
        direction = rng.normal(size=objective.size)
        gradient = objective(theta)[1]
        h = 1e-6
        ahead, behind = (
            value_by_hand(objective, theta + step * direction, X, Y, s) for step in (h, -h)
        )
        assert gradient @ direction == pytest.approx((ahead - behind) / (2 * h), rel=2e-5)


@pytest.mark.parametrize("activity", [0.0, 2.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_blocks_of_rows_change_nothing(activity, sparse):
    options = {"loss": "softmax", "sparse": sparse, "activity": activity, "columns": 1.0}
    whole, parts = make(**options)[0], make(**options, block_rows=7)[0]
    theta = np.random.default_rng(2).normal(size=whole.size)
    value, gradient = whole(theta)
    assert parts(theta)[0] == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(parts(theta)[1], gradient, rtol=1e-10, atol=1e-14)
    for some, all_rows in zip(parts.row_curvature(theta), whole.row_curvature(theta), strict=True):
        np.testing.assert_allclose(some, all_rows, rtol=1e-10)


def test_single_precision_is_near():
    double, single = make(activity=1.0)[0], make(activity=1.0, dtype=np.float32)[0]
    theta = np.random.default_rng(3).normal(size=double.size)
    value, gradient = single(theta)
    assert value == pytest.approx(double(theta)[0], rel=1e-5)
    np.testing.assert_allclose(gradient, double(theta)[1], rtol=1e-3, atol=1e-5)


def test_columns_pull_as_a_ridge_of_their_slope_and_constant_ones_not_at_all():
    objective, X, Y, s = make(columns=1.7)
    X[:, 1] = 0.0
    moments = column_moments(X, objective.rows.normalized())
    columns = Columns.of(*moments, objective.rows.total, 30, X.dtype)
    objective.inputs = scaled_input(X, columns)
    theta = np.random.default_rng(1).normal(size=objective.size)
    pull = objective.column_ridge(theta)
    sizes = (objective.views(theta)[0][:-1] ** 2).sum(axis=1)
    expected = 1.7 / (0.1 + sizes)
    expected[1] = 0.0
    np.testing.assert_allclose(pull[:, 0], expected, rtol=1e-14)
    assert objective(theta)[0] == pytest.approx(value_by_hand(objective, theta, X, Y, s), rel=1e-12)


def test_overflow_is_infinite():
    objective = make("poisson", ())[0]
    for bad in (1e6, np.nan, np.inf):
        assert objective(np.full(objective.size, bad))[0] == np.inf
    objective = make(activations=("identity",))[0]
    assert objective(np.full(objective.size, 1e200))[0] == np.inf
    # J is 1e300 and its slope 1e250, whose square is no number.
    theta = np.full(objective.size, 1e50)
    objective.views(theta)[1][:] = 1e100
    with np.errstate(over="ignore"):  # as in a run
        assert objective(theta)[0] == np.inf


class TestRowCurvature:
    """Means over the weights of a row of a Gauss-Newton matrix, all of it dense."""

    def by_hand(self, objective, theta, X, Y, s):
        """In Kronecker form: ``E a_j^2`` times the mean price of a unit, layer by layer."""
        V, inputs, z = layers_by_hand(objective, theta, X, s)
        share, total = s / s.sum(), s.sum()
        curvature, _ = objective.loss.curvature(z[-1], objective.loss.compact(Y))
        price, result = share @ curvature, []
        for layer in reversed(range(len(V))):
            squares = np.append(share @ inputs[layer] ** 2, 1.0)
            rows = (price.mean() + objective.activity / total) * squares[:, None]
            rows[:-1] += objective.ridge[layer] / total
            result.append(rows)
            if layer > 0:
                activation = objective.activations[layer - 1]
                slope = activation.derivative(z[layer - 1], inputs[layer])
                price = (V[layer][:-1] ** 2 @ price) * (share @ slope**2)
        sizes = (V[0][:-1] ** 2).sum(axis=1)
        result[-1][:-1, 0] += objective.columns / (0.1 + sizes) / total
        return result[::-1]

    @pytest.mark.parametrize("loss", ["poisson", "softmax"])
    def test_formula(self, loss):
        objective, X, Y, s = make(loss, activity=2.0, columns=1.5)
        theta = np.random.default_rng(0).normal(scale=0.5, size=objective.size)
        expected = self.by_hand(objective, theta, X, Y, s)
        for found, rows in zip(objective.row_curvature(theta), expected, strict=True):
            np.testing.assert_allclose(found, rows, rtol=1e-10)

    def test_without_hidden_layer_it_is_the_diagonal_of_the_hessian(self):
        """Of one output, by differences of the gradient."""
        objective, *_ = make("squared_error", (), ridge=[40.0 * RIDGE[0]], columns=0.0)
        theta = np.random.default_rng(0).normal(size=objective.size)
        h, eye = 1e-4, np.eye(objective.size)
        hessian = [(objective(theta + h * e)[1] - objective(theta - h * e)[1]) @ e for e in eye]
        diagonal = np.reshape(hessian, objective.shapes[0]) / (2 * h)
        np.testing.assert_allclose(
            objective.row_curvature(theta)[0][:, 0], diagonal.mean(axis=1), rtol=1e-6
        )

    def test_of_one_hidden_layer_that_is_linear_it_is_that_of_the_gauss_newton_matrix(self):
        """Slopes of one make the Kronecker form exact."""
        objective, X, _, s = make("squared_error", ("identity",), ridge=[0.0, 0.0])
        assert isinstance(objective.loss, SquaredError)
        theta = np.random.default_rng(0).normal(size=objective.size)
        V, inputs, _ = layers_by_hand(objective, theta, X, s)
        outputs = V[1][:-1]
        share = s / s.sum()
        for layer, rows in enumerate(objective.row_curvature(theta)):
            A = np.column_stack([inputs[layer], np.ones(len(X))])
            # The derivative of the output k in weight (j, u) is a_j times that of k in unit u.
            price = np.square(outputs).sum(axis=1) if layer == 0 else np.ones(2)
            diagonal = np.einsum("i,ij,u->ju", share, A**2, price)
            np.testing.assert_allclose(rows[:, 0], diagonal.mean(axis=1), rtol=1e-10)
