"""The block of the penalties: which strength reaches which layer, and when."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize

from skmdlam.engine.constants import LIMITS
from skmdlam.engine.inputs.decompositions import basis_of
from skmdlam.engine.layers import Layer, StepLimit
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.preconditioners import RunningPreconditioner
from skmdlam.engine.steps.penalty_block import PenaltyBlock
from skmdlam.penalties import L1, L2, Box, ElasticNet, GroupLasso, Penalty

TOTAL, SCALE = 50.0, 3.0


class First(Layer):
    """A first layer on the samples of a basis."""

    ready = True

    def __init__(self, V, basis, **options):
        super().__init__(V, **options)
        self.basis = basis

    @property
    def block(self):
        return self.basis


def layers_of(*, rotate=True, sketched=False, length=(2.0, 5.0, 7.0), gains=(3.0, 2.0, 1.0)):
    """Three layers that owe something, all of them ready."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 4)) @ rng.standard_normal((4, 4)) + 1.0
    share = np.full(80, 1 / 80)
    columns = Columns.of(*column_moments(X, share), 80, 80, X.dtype)
    limits = replace(LIMITS, decomposition=3, sketch=2) if sketched else LIMITS
    basis = basis_of(
        X, columns, share, np.dtype(float), np.random.RandomState(0), rotate=rotate, limits=limits
    )
    V = [rng.standard_normal(shape) for shape in ((5, 5), (6, 6), (7, 2))]
    options = [
        {"gain": gain, "momentum": 0.9, "limit": StepLimit(9.0, 0.1, 5), "last": index == 2}
        for index, gain in enumerate(gains)
    ]
    layers = [First(V[0], basis, **options[0])]
    for W, given in zip(V[1:], options[1:], strict=True):
        preconditioner = RunningPreconditioner(len(W) - 1, 0.2, 0.05, np.dtype(float))
        A = rng.standard_normal((len(W) - 1, 50)) + 1.0
        preconditioner.observe(np.vstack([A, np.ones(50)]))
        preconditioner.refresh()
        layers.append(Layer(W, preconditioner=preconditioner, **given))
    for layer, owed in zip(layers, length, strict=True):
        layer.accumulated += owed
    return layers


def terms_of(
    penalty, *, alpha=0.0, activity_alpha=0.0, column_alpha=0.0, upper_alpha=0.0, penalized=True
):
    quadratic = penalty.ridge is not None
    return SimpleNamespace(
        none=activity_alpha == 0 and not penalized,
        problem=SimpleNamespace(penalty=penalty, quadratic=quadratic),
        frame=SimpleNamespace(scaling=SimpleNamespace(scale=SCALE)),
        total=TOTAL,
        alpha=alpha,
        activity_alpha=activity_alpha,
        column_alpha=column_alpha,
        upper_alpha=upper_alpha,
        column_ridge=lambda sizes, length: length * column_alpha / (0.1 + sizes),
    )


def copies(layers):
    return [layer.V.copy() for layer in layers]


@pytest.mark.parametrize("penalty", [L2(), ElasticNet(0.0)])
def test_strengths_of_every_layer(penalty):
    """Gain and length, per unit of weight; the output's ridge counts its scale twice.

    But not that of ``upper_alpha``, which is in units of the run and spares the first layer.
    """
    assert penalty.ridge == 1.0
    alpha, activity, column, upper = 0.7, 2.0, 1.5, 4.0
    layers = layers_of()
    expected = copies(layers)
    for index, (layer, V) in enumerate(zip(layers, expected, strict=True)):
        length = layer.gain * layer.accumulated / TOTAL
        ridge = length * alpha * (SCALE**2 if index == 2 else 1.0)
        ridge += length * upper * (index > 0)
        columns = ()
        if index == 0:
            columns = (length * column / (0.1 + layer.block.column_sizes(V)),)
        layer.block.shrink(V, length * activity, ridge, *columns)
    terms = terms_of(
        penalty, alpha=alpha, activity_alpha=activity, column_alpha=column, upper_alpha=upper
    )
    PenaltyBlock(terms, 20, 10)(layers, 0)
    for layer, V in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer.V, V, rtol=1e-10)
        assert layer.accumulated == 0.0 and isinstance(layer.accumulated, np.float64)
    # What has been paid is not owed any more.
    PenaltyBlock(terms, 20, 10)(layers, 0)
    for layer, V in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer.V, V, rtol=1e-10)


@pytest.mark.parametrize("upper", [0.0, 11.0])
def test_a_ridge_of_the_output_by_brute_force(upper):
    """``1/2 tr dW' M dW + length/2 (alpha ||scale W||^2 + upper_alpha ||W||^2)``."""
    layers = layers_of()
    last = layers[2]
    M = last.block._centered()
    start = last.V[:-1].copy()
    PenaltyBlock(terms_of(L2(), alpha=0.7, upper_alpha=upper), 20, 10)(layers, 0)
    system = M + (0.7 * SCALE**2 + upper) * 7.0 / TOTAL * np.eye(6)
    np.testing.assert_allclose(last.V[:-1], np.linalg.solve(system, M @ start), rtol=1e-9)


def test_part_of_the_ridge_of_an_elastic_net():
    class Half(L2):
        ridge = 0.5

    one, two = layers_of(), layers_of()
    PenaltyBlock(terms_of(Half(), alpha=0.8), 20, 10)(one, 0)
    PenaltyBlock(terms_of(L2(), alpha=0.4), 20, 10)(two, 0)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.V, b.V, rtol=1e-12)


def test_layers_that_have_to_wait():
    """The first one unless told, those that are not ready, those that owe nothing or diverged."""
    layers = layers_of()
    layers[1].preconditioner.reset()
    start = copies(layers)
    block = PenaltyBlock(terms_of(L2(), alpha=0.7, activity_alpha=1.0), 20, 10)
    block(layers, 0, first=False)
    for index in (0, 1):
        np.testing.assert_array_equal(layers[index].V, start[index])
        assert layers[index].accumulated > 0.0
    assert layers[2].accumulated == 0.0 and (start[2] != layers[2].V).any()
    layers = layers_of(length=(0.0, 5.0, 7.0))
    layers[1].V[0, 0] = np.nan
    start = copies(layers)
    block(layers, 0)
    for index in (0, 1):
        np.testing.assert_array_equal(layers[index].V, start[index])
        assert layers[index].accumulated == 0.0
    # What is not finite in a rotated first layer would spread.
    layers = layers_of()
    layers[0].V[0, 0] = np.nan
    start = copies(layers)
    block(layers, 0)
    np.testing.assert_array_equal(layers[0].V, start[0])
    layers, start = layers_of(), copies(layers_of())
    PenaltyBlock(terms_of(L2(), penalized=False), 20, 10)(layers, 0)
    for layer, V in zip(layers, start, strict=True):
        np.testing.assert_array_equal(layer.V, V)


class Smooth(Penalty):
    """No ridge that anyone knows of, but the minimum is a linear system; not a sum over rows."""

    ridge = None
    by_rows = False

    def value(self, W):
        return 0.5 * np.sum(W**2)

    def prox(self, V, threshold):
        return V / (1.0 + threshold)


def metric_of(layer):
    """The metric of a layer's step in its weights, dense, and the weights."""
    product, _, rows, W = layer.block.in_weights(layer.V)
    return rows * product(rows * np.eye(len(W))), W


@pytest.mark.parametrize("sketched", [False, True])
@pytest.mark.parametrize(
    "penalty",
    [
        L1(),
        *(
            pytest.param(penalty, marks=pytest.mark.slow)
            for penalty in (ElasticNet(0.5), Box(-0.4, 0.5))
        ),
        GroupLasso(),
        Smooth(),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
@pytest.mark.slow
def test_general_penalty_by_brute_force(penalty, sketched):
    """``argmin 1/2 tr dW' M dW + length alpha penalty(scale W)``, on any metric and layer."""
    alpha = 0.6
    layers = layers_of(rotate=False, sketched=sketched, length=(2.0, 5.0, 3.0))
    before = [metric_of(layer) for layer in layers]
    means = [None] + [
        layer.preconditioner.moments[-1, :-1] @ layer.V[:-1] + layer.V[-1] for layer in layers[1:]
    ]
    intercept = layers[0].V[-1].copy()
    PenaltyBlock(terms_of(penalty, alpha=alpha), 4000, 1)(layers, 0)
    np.testing.assert_array_equal(layers[0].V[-1], intercept)
    for index, (layer, (M, start)) in enumerate(zip(layers, before, strict=True)):
        scale = SCALE if index == 2 else 1.0
        strength = alpha * layer.gain * (2.0, 5.0, 3.0)[index] / TOTAL
        W = layer.block.in_weights(layer.V)[3]
        if isinstance(penalty, Smooth):
            system = M + strength * scale**2 * np.eye(len(M))
            np.testing.assert_allclose(W, np.linalg.solve(system, M @ start), rtol=1e-6)
        # Stationary: a plain proximal gradient step on scale * W stays.
        theta = np.linalg.eigvalsh(M)[-1] / scale**2
        point = scale * W
        gradient = M @ (W - start) / scale
        step = penalty.prox(point - gradient / theta, strength / theta)
        np.testing.assert_allclose(step, point, rtol=1e-6, atol=1e-7)
        assert np.abs(W - start).max() > 1e-3
        if index > 0:
            mean = layer.preconditioner.moments[-1, :-1] @ layer.V[:-1] + layer.V[-1]
            np.testing.assert_allclose(mean, means[index], rtol=1e-9)


def test_one_weight_by_brute_force():
    """A layer of one input: the minimum by a line search in one dimension."""
    new = RunningPreconditioner(1, 0.2, 0.05, np.dtype(float))
    new.observe(np.vstack([np.linspace(-1, 3, 20), np.ones(20)]))
    new.refresh()
    V = np.array([[0.8], [0.1]])
    layer = Layer(
        V, gain=2.0, momentum=0.9, limit=StepLimit(9.0, 0.1, 5), preconditioner=new, last=True
    )
    layer.accumulated += 1.5
    M = float(new._centered()[0, 0])
    terms = terms_of(L1(), alpha=6.0)
    found = []
    for epoch, ramp in ((0, 0.25), (2, 0.75), (3, 1.0), (40, 1.0)):
        V[:], layer.accumulated = [[0.8], [0.1]], np.float64(1.5)
        PenaltyBlock(terms, 500, 4)([SimpleNamespace(), layer], epoch, first=False)
        strength = ramp * 6.0 * 2.0 * 1.5 / TOTAL * SCALE
        best = scipy.optimize.minimize_scalar(
            lambda w, s=strength: 0.5 * M * (w - 0.8) ** 2 + s * abs(w),
            bounds=(-1, 1),
            options={"xatol": 1e-10},
        )
        assert V[0, 0] == pytest.approx(best.x, abs=1e-6)
        found.append(float(V[0, 0]))
    assert 0.0 < found[2] < found[1] < found[0] < 0.8 and found[3] == found[2]


def test_iterations_are_limited():
    one, two, most = (layers_of(rotate=False) for _ in range(3))
    for layers, iterations in ((one, 1), (two, 2), (most, 500)):
        PenaltyBlock(terms_of(L1(), alpha=5.0), iterations, 1)(layers, 0)
    distances = [
        max(np.abs(a.V - b.V).max() for a, b in zip(layers, most, strict=True))
        for layers in (one, two)
    ]
    assert distances[0] > distances[1] > 1e-6


def test_iterations_begin_at_the_weights():
    """A single one moves them as little as the strength says."""
    layers, start = layers_of(rotate=False), copies(layers_of(rotate=False))
    PenaltyBlock(terms_of(L1(), alpha=1e-10), 1, 1)(layers, 0)
    for layer, V in zip(layers, start, strict=True):
        np.testing.assert_allclose(layer.V, V, rtol=1e-6, atol=1e-8)


def test_unit_free_penalties_go_with_a_general_one():
    """First what they take, then the proximal steps."""
    one, two = layers_of(rotate=False), layers_of(rotate=False)
    free = {"activity_alpha": 2.0, "column_alpha": 1.0, "upper_alpha": 3.0}
    PenaltyBlock(terms_of(L1(), alpha=0.6, **free), 50, 1)(one, 0)
    lengths = [layer.accumulated for layer in two]
    PenaltyBlock(terms_of(L2(), **free), 50, 1)(two, 0)
    for layer, length in zip(two, lengths, strict=True):
        layer.accumulated = length
    PenaltyBlock(terms_of(L1(), alpha=0.6), 50, 1)(two, 0)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.V, b.V, rtol=1e-12)
