"""What a run starts with: the network, its first layer's form, and weights in its own units."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, LIMITS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.layers import InputLayer
from skmdlam.engine.mini_batches import prepare
from skmdlam.engine.network import network_of, starting_weights
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Settings
from skmdlam.engine.sparse_layers import LazyInputLayer, SparseInputLayer
from skmdlam.losses import SquaredError
from skmdlam.penalties import get_penalty


def case(X, Y, *, hidden=(8,), activation="relu", penalty="l2", alpha=0.0, weight=None,
         limits=LIMITS, tuned=TUNED, single=False, **options):  # fmt: skip
    """The prepared problem, the solver, and random weights meant for standardized columns."""
    solver = Feasible(constants=replace(CONSTANTS, limits=limits, tuned=tuned), **options)
    names = [activation] * len(hidden) if isinstance(activation, str) else activation
    activations = [get_activation(name) for name in names]
    problem = Problem(X, Y, activations, SquaredError(), get_penalty(penalty), alpha, weight)
    rng = np.random.RandomState(0)
    prepared = prepare(problem, solver, Settings(activity_alpha=0.0), rng, single=single)
    sizes = [X.shape[1], *hidden, Y.shape[1]]
    return prepared, solver, *solver.initial_weights(sizes, rng, np.dtype(float), activations)


def data(n=90, d=6):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-3, 3, d) + 1.0
    return X, 5.0 + 3.0 * rng.standard_normal((n, 2))


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def test_random_weights_are_meant_for_standard_units():
    X, Y = data()
    prepared, _, coefs, intercepts = case(X, Y)
    copies = [W.copy() for W in [*coefs, *intercepts]]
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    z = prepared.input.data @ V[0]
    np.testing.assert_allclose(z, standardized(X) @ coefs[0] + intercepts[0], atol=1e-9)
    np.testing.assert_array_equal(V[1], np.vstack([coefs[1], intercepts[1]]))
    for a, b in zip([*coefs, *intercepts], copies, strict=True):
        np.testing.assert_array_equal(a, b)
    assert prepared.dtype == V[0].dtype == float


def test_fitted_weights_go_on_as_they_are():
    X, Y = data()
    for activation, alpha in (("relu", 0.0), ("logistic", 3.0)):
        prepared, _, coefs, intercepts = case(X, Y, activation=activation, alpha=alpha)
        V = starting_weights(prepared, coefs, intercepts, warm=True, limits=LIMITS)
        again = prepared.frame.outer(V)
        activations = prepared.problem.activations
        np.testing.assert_allclose(
            forward(X, *again, activations), forward(X, coefs, intercepts, activations), rtol=1e-8
        )


def test_a_column_in_a_tiny_unit_starts_small_where_weights_cost():
    """``W / (1 + ridge / std^2)``, so that its penalty is not all there is to J."""
    X, Y = data()
    X = X / X.std(axis=0) * 10.0 ** np.arange(-3, 3)
    weight = np.full(len(X), 2.0)
    prepared, _, coefs, intercepts = case(X, Y, alpha=0.7, weight=weight)
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    ridge = 0.7 / (Y.var(axis=0).mean() * 180.0)
    shrunk = coefs[0] / (1 + ridge / X.var(axis=0))[:, None]
    z = standardized(X) @ shrunk + intercepts[0]
    np.testing.assert_allclose(prepared.input.data @ V[0], z, atol=1e-9)
    prepared, _, coefs, intercepts = case(X, Y, alpha=0.7, penalty="l1")
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    z = standardized(X) @ coefs[0] + intercepts[0]
    np.testing.assert_allclose(prepared.input.data @ V[0], z, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_start_of_flat_layers_is_spread_on_some_samples(weighted):
    """Evenly from all over the file, with their weights."""
    X, Y = data(n=95)
    X[1::2] *= 5.0  # what is not looked at
    weight = np.random.default_rng(1).uniform(0.1, 3.0, 95) if weighted else None
    limits = replace(LIMITS, start_rows=45)
    prepared, _, coefs, intercepts = case(X, Y, activation="logistic", weight=weight, limits=limits)
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=limits)
    some = np.arange(0, 90, 2)
    share = np.full(45, 1 / 45) if weight is None else weight[some] / weight[some].sum()
    z = (prepared.input.data @ V[0])[some]
    np.testing.assert_allclose(share @ z, 0.0, atol=1e-10)
    assert np.mean(share @ z**2) == pytest.approx(9.0)
    a = 1 / (1 + np.exp(-z))
    out = np.hstack([a, np.ones((45, 1))]) @ V[1]
    np.testing.assert_allclose(share @ out, 0.0, atol=1e-10)
    assert np.mean(share @ out**2) == pytest.approx(1.0)


def test_layers_and_their_options():
    X, Y = data()
    tuned = replace(TUNED, largest_decrease=4.0, decrease_memory=0.3, memory=0.2)
    prepared, solver, coefs, intercepts = case(
        X, Y, hidden=(8, 5, 4), activation=["relu", "logistic", "tanh"], tuned=tuned, momentum=0.4,
        single=True,
    )  # fmt: skip
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    network = network_of(prepared, V, solver, 10)
    assert [layer.gain for layer in network.layers] == [3.0, 10.0, 3.0, 1.0]
    assert [layer.last for layer in network.layers] == [False, False, False, True]
    assert len({id(layer.limit) for layer in network.layers}) == 4
    for index, layer in enumerate(network.layers):
        assert layer.V is V[index] and layer.V.dtype == layer.velocity.dtype == np.float32
        assert layer.momentum == 0.4
        assert (layer.limit.largest, layer.limit.memory) == (4.0, 0.3)
    for index, layer in enumerate(network.above, 1):
        preconditioner = layer.preconditioner
        assert preconditioner.size == V[index].shape[0] - 1
        assert preconditioner.damping == pytest.approx(0.3)  # .1 for each hidden layer
        assert preconditioner.memory == 0.2
        assert preconditioner.moments.dtype == np.float32
    assert network.first.row_weights is prepared.row_weights
    assert network.first.input is prepared.input


def test_options_of_the_user_replace_the_tuned_ones():
    X, Y = data()
    prepared, solver, coefs, intercepts = case(X, Y, hidden_gain=1.5, damping=0.7)
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    network = network_of(prepared, V, solver, 10)
    assert [layer.gain for layer in network.layers] == [1.5, 1.0]
    assert network.above[0].preconditioner.damping == 0.7
    assert Feasible().damping_of(1) == 0.2
    prepared, solver, coefs, intercepts = case(X, Y, hidden=())
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=LIMITS)
    network = network_of(prepared, V, solver, 10)
    assert network.first.last and network.first.gain == 1.0


@pytest.mark.parametrize(
    ("shape", "width", "limited", "kind"),
    [
        ((60, 70), 8, {}, LazyInputLayer),
        ((60, 70), 8, {"lazy": False}, SparseInputLayer),
        ((60, 70), 80, {"lazy": False, "sketch": 30}, InputLayer),  # samples of 10 rows cost less
        ((60, 70), 8, {"small": 2**22}, InputLayer),
        ((200, 20), 3, {"decomposition": 1500}, SparseInputLayer),
        ((200, 20), 90, {"decomposition": 1500}, InputLayer),
        ((200, 20), 8, {"decomposition": 1500, "rotation": 10}, LazyInputLayer),
    ],
)
def test_form_of_the_first_layer(shape, width, limited, kind):
    rng = np.random.default_rng(0)
    X = np.where(rng.random(shape) < 0.2, rng.standard_normal(shape), 0.0)
    limits = replace(
        LIMITS,
        **{"small": 1, "entries": 1, "decomposition": 10, "sketch": 3, "sketch_numbers": 10**4}
        | limited,
    )
    prepared, solver, coefs, intercepts = case(
        sp.csr_array(X), rng.standard_normal((shape[0], 1)), hidden=(width,), limits=limits
    )
    V = starting_weights(prepared, coefs, intercepts, warm=False, limits=limits)
    network = network_of(prepared, V, solver, 10)
    assert type(network.first) is kind
    assert prepared.input.dense == (limited == {"small": 2**22})
    if kind is LazyInputLayer:
        eager = network_of(prepared, V, solver, 10, may_be_lazy=False)
        assert type(eager.first) is SparseInputLayer


def test_columns_count_by_their_number_and_weights():
    """``min(1, total / n) sqrt(columns that vary)``; the regularization is what J has."""
    X, Y = data()
    X[:, 2] = 3.0
    for weight, factor in ((None, 1.0), (np.full(90, 0.1), 0.1), (np.full(90, 3.0), 1.0)):
        prepared, *_ = case(X, Y, weight=weight)
        regularization = replace_column(prepared.regularization, 2.0)
        prepared.regularize(regularization, 90)
        assert prepared.regularization is regularization
        assert prepared.column_alpha == pytest.approx(2.0 * factor * np.sqrt(5))
        assert prepared.loss_scale == 1.0 and prepared.loss == SquaredError()


def replace_column(regularization, alpha):
    return regularization._replace(column_alpha=alpha)
