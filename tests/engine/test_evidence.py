"""The choice of pieces, against a direct evaluation of the Gaussian process."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.stats import multivariate_normal

from skmdlam.activations import ReLU
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.evidence import choose_n_pieces
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.problem import Problem
from skmdlam.engine.regularization import noise_of
from skmdlam.losses import SquaredError
from skmdlam.penalties import L2

# Nothing but the likelihood has a say.
UNPRICED = replace(CONSTANTS, tuned=replace(TUNED, pieces_gain=0.0, many_pieces_price=0.0))


def kernel_of(X):
    """``E relu(w x + b) relu(w x' + b)``, up to a factor, for centered rows of mean length 1."""
    X = X - X.mean(axis=0)
    inner = X @ X.T / np.mean(np.sum(X**2, axis=1)) + TUNED.kernel_constant
    size = np.sqrt(np.outer(np.diag(inner), np.diag(inner)))
    angle = np.arccos(np.clip(inner / size, -1.0, 1.0))
    return size * (np.sin(angle) + (np.pi - angle) * np.cos(angle))


def surprise_of(X, Y):
    """-2 log-likelihood a sample and output, at the best of many shares of noise.

    Of the differences of the targets from their mean, in an orthonormal basis.
    """
    n = len(X)
    contrasts = null_space(np.ones((1, n)))
    kernel, Y = contrasts.T @ kernel_of(X) @ contrasts, contrasts.T @ Y
    scale, found = np.trace(kernel) / (n - 1), []
    for noise in np.geomspace(0.003, 1000.0, 36):
        covariance = kernel + noise * scale * np.eye(n - 1)
        variance = np.mean(np.sum(Y * np.linalg.solve(covariance, Y), axis=0)) / (n - 1)
        density = multivariate_normal(cov=variance * covariance)
        found.append(-2.0 * np.mean(density.logpdf(Y.T)))
    constant = (n - 1) * (1.0 + np.log(2.0 * np.pi))
    return (min(found) - constant) / n


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def problem_of(X, Y, weight=None):
    Y = Y.reshape(len(X), -1)
    return Problem(X, Y, [ReLU()], SquaredError(), L2(), 1.0, weight)


def smooth(n=200, seed=0):
    """In directions that mix the columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    h = X @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    return X, np.sin(h[:, 0]) + h[:, 1] * h[:, 2] / 2.0


def steps(n=200, seed=0):
    """Many of them, in one column each."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.sign(np.sin(6.0 * X[:, 0])) + np.sign(np.cos(5.0 * X[:, 1]))


def tails(n=200, seed=0):
    """What counts is the rank."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 4))
    return np.exp(3.0 * Z), np.tanh(Z[:, 0] + Z[:, 1]) + 0.3 * Z[:, 2]


@pytest.mark.parametrize("data", [smooth, steps, tails])
def test_surprise_is_that_of_the_gaussian_process(data):
    X, y = data(80)
    for Y in (y[:, np.newaxis], np.column_stack([y, X[:, 0], -0.3 * y])):
        for n_pieces in (0, 1, 8):
            encoded = Pieces.of(X, n_pieces, include_input=True).encoded(X) if n_pieces else X
            encoded = standardized(encoded)
            assert noise_of(encoded, Y).surprise == pytest.approx(surprise_of(encoded, Y), rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("data", [smooth, steps, tails])
def test_takes_what_is_most_likely(data, seed):
    X, y = data(150, seed)
    surprises = {0: surprise_of(standardized(X), y[:, np.newaxis])}
    for n_pieces in (1, TUNED.few_pieces, TUNED.many_pieces):
        encoded = Pieces.of(X, n_pieces, include_input=True).encoded(X)
        surprises[n_pieces] = surprise_of(standardized(encoded), y[:, np.newaxis])
    best = min(surprises, key=surprises.get)
    assert choose_n_pieces(problem_of(X, y), UNPRICED) == best
    assert best in {"smooth": [0], "steps": [8, 16], "tails": [1, 8, 16]}[data.__name__]


def test_more_samples_want_more_pieces():
    """The number that weights stand for is what counts."""
    X, y = smooth(300)
    gain = replace(CONSTANTS, tuned=replace(TUNED, pieces_gain=1.0, many_pieces_price=0.0))
    few, many = (
        choose_n_pieces(problem_of(X, y, np.full(300, weight)), gain) for weight in (0.4, 100.0)
    )
    assert few == 0 and many >= TUNED.few_pieces


class TestInvariance:
    def test_units(self):
        for data in (smooth, steps, tails):
            X, y = data()
            expected = choose_n_pieces(problem_of(X, y))
            units, shift = 10.0 ** np.arange(X.shape[1]), np.arange(X.shape[1])
            assert choose_n_pieces(problem_of(X * units + shift, 1e5 * y - 3e4)) == expected
            assert choose_n_pieces(problem_of(X.astype(np.float32), y)) == expected

    def test_copies(self):
        X, y = steps(150)
        weight = np.random.default_rng(0).integers(0, 3, 150)
        one = choose_n_pieces(problem_of(X, y, weight.astype(float)))
        assert one == choose_n_pieces(problem_of(np.repeat(X, weight, 0), np.repeat(y, weight)))


class TestPlain:
    def test_few_samples(self):
        X, y = steps(99)
        assert choose_n_pieces(problem_of(X, y)) == 0
        assert choose_n_pieces(problem_of(X, y, np.full(99, 5.0))) > 0
        X, y = steps(200)
        assert choose_n_pieces(problem_of(X, y, np.full(200, 0.4))) == 0

    def test_nothing_to_bend(self):
        X = np.random.default_rng(0).integers(0, 2, (200, 6)).astype(float)
        assert choose_n_pieces(problem_of(X, X[:, 0] * X[:, 1])) == 0

    def test_nothing_to_tell(self):
        X, y = steps()
        assert choose_n_pieces(problem_of(X, np.ones(200))) == 0
        assert choose_n_pieces(problem_of(np.ones((200, 3)), y)) == 0
