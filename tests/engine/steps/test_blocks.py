"""Every block update against brute force: no feasible point does better."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skmdlam.activations import ACTIVATIONS, get_activation
from skmdlam.engine.linalg import spectral_norm_squared
from skmdlam.engine.steps import blocks
from skmdlam.losses import REGRESSION_LOSSES, LogisticLoss, SoftmaxCrossEntropy, get_loss
from skmdlam.penalties import PENALTIES, get_penalty

seeds = st.integers(0, 10**6)
rhos = st.sampled_from([1e-3, 1e-1, 1.0, 30.0])
epsilons = st.sampled_from([0.0, 1e-3, 0.1, 2.0])
few = settings(max_examples=15)
LOSSES = [*REGRESSION_LOSSES, "softmax", "logistic"]


def loss_and_target(name, shape, rng):
    if name == "softmax":
        return SoftmaxCrossEntropy(), np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    if name == "logistic":
        return LogisticLoss(), rng.integers(0, 2, shape).astype(float)
    return get_loss(name), np.abs(rng.normal(size=shape))


def nearby(x, rng):
    """Perturbations of x from tiny to large."""
    for size in (1e-6, 1e-4, 1e-2, 1.0, 10.0):
        yield x + size * rng.normal(size=x.shape)


@pytest.mark.parametrize("name", sorted(n for n in PENALTIES))
@few
@given(seed=seeds, alpha=st.sampled_from([0.0, 0.1, 3.0]))
def test_update_w(name, seed, alpha):
    rng = np.random.default_rng(seed)
    penalty, theta = get_penalty(name), 2.5
    W, gradient = penalty.prox(rng.normal(size=(5, 3)), 0.0), rng.normal(size=(5, 3))

    def value(V):
        model = np.sum(gradient * (V - W)) + theta / 2 * np.sum((V - W) ** 2)
        return model + (alpha * penalty.value(V) if alpha else 0.0)

    best = value(blocks.update_w(W, gradient, theta, penalty, alpha))
    for point in nearby(W, rng):
        assert best <= value(penalty.prox(point, 0.0)) + 1e-10


@few
@given(seed=seeds)
def test_update_b(seed):
    rng = np.random.default_rng(seed)
    a, z, W = rng.normal(size=(9, 4)), rng.normal(size=(9, 2)), rng.normal(size=(4, 2))
    s = rng.uniform(0.1, 2, 9)

    def value(b):
        return np.sum(s[:, None] * (z - a @ W - b) ** 2)

    b = blocks.update_b(s @ z / s.sum(), s @ a / s.sum(), W)
    for other in nearby(b, rng):
        assert value(b) <= value(other)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@few
@given(seed=seeds, epsilon=epsilons)
def test_update_z(name, seed, epsilon):
    rng = np.random.default_rng(seed)
    h = get_activation(name)
    z = rng.normal(scale=3, size=(6, 4))
    a = h.value(z) + epsilon * rng.uniform(-1, 1, z.shape)
    v = rng.normal(scale=3, size=z.shape)
    new = blocks.update_z(v, z, *h.preimage(a - epsilon, a + epsilon))
    tolerance = 1e-9 * (1 + np.abs(a))
    assert (np.abs(a - h.value(new)) <= epsilon + tolerance).all()
    for other in (z, *nearby(z, rng), *nearby(v, rng), *nearby(new, rng)):
        feasible = np.abs(a - h.value(other)) <= epsilon
        worse = (new - v) ** 2 <= (other - v) ** 2 + 1e-8 * (1 + v**2)
        assert worse[feasible].all()


@pytest.mark.parametrize("name", LOSSES)
@few
@given(seed=seeds, rho=rhos)
def test_update_z_last(name, seed, rho):
    rng = np.random.default_rng(seed)
    loss, y = loss_and_target(name, (7, 4), rng)
    v = rng.normal(scale=2, size=y.shape)

    def value(z):
        return loss.value(z, y) + rho / 2 * np.sum((z - v) ** 2, axis=1)

    z = blocks.update_z_last(loss, v, y, rho)
    best = value(z)
    for other in (v, y, *nearby(z, rng)):
        assert (best <= value(other) + 1e-9 * (1 + np.abs(best))).all()


@few
@given(seed=seeds, rho=rhos, epsilon=epsilons)
def test_update_a_minimizes_the_model_and_the_model_is_an_upper_bound(seed, rho, epsilon):
    rng = np.random.default_rng(seed)
    a, W, b = rng.normal(size=(8, 5)), rng.normal(size=(5, 3)), rng.normal(size=3)
    z_next, activated = rng.normal(size=(8, 3)), a + epsilon * rng.uniform(-1, 1, a.shape)
    tau = rho * spectral_norm_squared(W, 600)
    residual = a @ W + b - z_next

    def model(p):
        gradient = rho * residual @ W.T
        start = rho / 2 * np.sum(residual**2)
        return start + np.sum(gradient * (p - a)) + tau / 2 * np.sum((p - a) ** 2)

    target = blocks.target_a(a, residual, W, rho, tau)
    new = blocks.update_a(target, activated, epsilon)
    best = model(new)
    assert rho / 2 * np.sum((new @ W + b - z_next) ** 2) <= best * (1 + 1e-9) + 1e-12
    for other in nearby(new, rng):
        feasible = np.clip(other, activated - epsilon, activated + epsilon)
        assert best <= model(feasible) + 1e-9 * (1 + abs(best))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@few
@given(seed=seeds, rho=rhos, epsilon=epsilons, tau=st.sampled_from([1e-3, 1.0, 50.0]))
def test_update_za(name, seed, rho, epsilon, tau):
    rng = np.random.default_rng(seed)
    h = get_activation(name)
    v, p = rng.normal(scale=3, size=(5, 4)), rng.normal(scale=3, size=(5, 4))

    def value(z, a):
        return rho / 2 * (z - v) ** 2 + tau / 2 * (a - p) ** 2

    z, a = blocks.update_za(h, v, p, rho, tau, epsilon)
    assert (np.abs(a - h.value(z)) <= epsilon + 1e-12 * (1 + np.abs(a))).all()
    best = value(z, a)
    grid = np.linspace(-12, 12, 101)[:, None, None] + np.zeros_like(v)
    for other in (v, *grid, *nearby(z, rng), *nearby(v, rng)):
        activated = h.value(other)
        rival = value(other, np.clip(p, activated - epsilon, activated + epsilon))
        assert (best <= rival + 1e-8 * (1 + rival)).all()
