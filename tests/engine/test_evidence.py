"""The choice of pieces, against a direct evaluation of the Gaussian process."""

from dataclasses import replace

import numpy as np
import pytest

from skmdlam.activations import ReLU
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.evidence import choose_n_pieces, effective_columns, leave_one_out
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.problem import Problem
from skmdlam.losses import Huber, Quantile, SquaredError
from skmdlam.penalties import L2

# Nothing but the error has a say.
UNPRICED = replace(CONSTANTS, tuned=replace(TUNED, pieces_gain=0.0, pieces_price=0.0))


def kernel_of(X):
    """``E relu(w x + b) relu(w x' + b)``, up to a factor, for centered rows of mean length 1."""
    X = X - X.mean(axis=0)
    inner = X @ X.T / np.mean(np.sum(X**2, axis=1)) + TUNED.kernel_constant
    size = np.sqrt(np.outer(np.diag(inner), np.diag(inner)))
    angle = np.arccos(np.clip(inner / size, -1.0, 1.0))
    return size * (np.sin(angle) + (np.pi - angle) * np.cos(angle))


def error_of(X, Y):
    """Error of each sample as the others predict it, at the best of some shares of noise.

    Each by itself, by the best linear unbiased predictor with an unknown mean (ordinary kriging).
    """
    n = len(X)
    kernel, found = kernel_of(X), []
    centered = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, np.newaxis] + kernel.mean()
    for noise in np.geomspace(0.003, 1000.0, 12) * np.trace(centered) / (n - 1):
        errors = []
        for i in range(n):
            others = np.arange(n) != i
            system = np.ones((n, n))
            system[-1, -1] = 0.0
            system[:-1, :-1] = kernel[np.ix_(others, others)] + noise * np.eye(n - 1)
            weights = np.linalg.solve(system, np.append(kernel[others, i], 1.0))[:-1]
            errors.append(Y[i] - weights @ Y[others])
        found.append(np.sum(np.square(errors)))
    return min(found) / np.sum((Y - Y.mean(axis=0)) ** 2)


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def problem_of(X, Y, weight=None, loss=None):
    Y = Y.reshape(len(X), -1)
    return Problem(X, Y, [ReLU()], loss or SquaredError(), L2(), 1.0, weight)


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
def test_error_is_that_of_leaving_one_out(data):
    X, y = data(40)
    for Y in (y[:, np.newaxis], np.column_stack([y, X[:, 0], -0.3 * y])):
        for n_pieces in (0, 1, 8):
            encoded = Pieces.of(X, n_pieces, include_rank=True).encoded(X) if n_pieces else X
            encoded = standardized(encoded)
            assert leave_one_out(encoded, Y) == pytest.approx(error_of(encoded, Y), rel=1e-8)


@pytest.mark.parametrize("data", [smooth, steps, tails])
@pytest.mark.slow
def test_takes_what_predicts_best(data):
    X, y = data(100)
    errors = {0: error_of(standardized(X), y[:, np.newaxis])}
    for n_pieces in (1, TUNED.few_pieces, TUNED.many_pieces):
        encoded = Pieces.of(X, n_pieces, include_rank=True).encoded(X)
        errors[n_pieces] = error_of(standardized(encoded), y[:, np.newaxis])
    best = min(errors, key=errors.get)
    assert choose_n_pieces(problem_of(X, y), UNPRICED) == best
    assert best in {"smooth": [0], "steps": [8, 16], "tails": [1, 8, 16]}[data.__name__]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_clear(seed):
    """Of few samples and of many, which are looked at in several blocks."""
    for n in (250, 1500):
        assert choose_n_pieces(problem_of(*smooth(n, seed))) in (0, 1)
        assert choose_n_pieces(problem_of(*steps(n, seed))) >= TUNED.few_pieces
        assert choose_n_pieces(problem_of(*tails(n, seed))) >= 1


def test_sorted_files():
    """Blocks are spread over all samples."""
    X, y = steps(1500)
    order = np.argsort(X[:, 0])
    assert choose_n_pieces(problem_of(X[order], y[order])) >= TUNED.few_pieces


def test_outliers_of_a_robust_loss_have_no_say():
    X, y = steps(300)
    expected = choose_n_pieces(problem_of(X, y, loss=Huber()))
    y[[3, 50]] = 1e9, -1e7
    assert choose_n_pieces(problem_of(X, y, loss=Huber())) == expected > 1


def test_more_samples_want_more_pieces():
    """The number that weights stand for is what counts; of very many it is looked at once more."""
    X, y = smooth(300)
    gain = replace(CONSTANTS, tuned=replace(TUNED, pieces_gain=3.0))
    few, some, many = (
        choose_n_pieces(problem_of(X, y, np.full(300, weight)), gain)
        for weight in (0.4, 5.0, 100.0)
    )
    assert few == many == 0 and some >= TUNED.few_pieces


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
        X, y = steps(200)  # of weights of less than one only the ratios count
        few = problem_of(X, y, np.full(200, 0.01))
        assert choose_n_pieces(few) == choose_n_pieces(problem_of(X, y)) > 1

    def test_few_of_many_columns(self):
        """Which a network of plain columns finds and the process does not."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(1000, 50))
        y = X[:, 0] + np.abs(X[:, 1]) + 0.7 * rng.normal(size=1000)
        assert choose_n_pieces(problem_of(X, y)) <= 1
        free = replace(CONSTANTS, tuned=replace(TUNED, pieces_price=0.0))
        assert choose_n_pieces(problem_of(X, y), free) > 1

    def test_a_loss_with_a_kink(self):
        X, y = steps()
        assert choose_n_pieces(problem_of(X, y, loss=Quantile(0.9))) <= 1

    def test_nothing_to_bend(self):
        X = np.random.default_rng(0).integers(0, 2, (200, 6)).astype(float)
        assert choose_n_pieces(problem_of(X, X[:, 0] * X[:, 1])) == 0

    def test_nothing_to_tell(self):
        X, y = steps()
        assert choose_n_pieces(problem_of(X, np.ones(200))) == 0
        assert choose_n_pieces(problem_of(np.ones((200, 3)), y)) == 0


@pytest.mark.parametrize("m", [200, 1000])
def test_effective_columns(m):
    """By the eigenvalues of the covariance that the samples come from."""
    rng = np.random.default_rng(0)
    values = np.repeat([4.0, 1.0, 0.25], [5, 20, 75])
    X = rng.normal(size=(m, 100)) * np.sqrt(values)
    expected = values.sum() ** 2 / np.sum(values**2)
    assert effective_columns(X - X.mean(axis=0)) == pytest.approx(expected, rel=0.1)
    assert effective_columns(np.outer(rng.normal(size=m), np.ones(30))) == pytest.approx(
        1, abs=0.02
    )


def test_more_samples_than_are_here():
    """What counts is how many there are in all: curves gain, and cost less."""
    X, Y = steps(300)
    problem = problem_of(X, Y + 0.5 * np.random.default_rng(0).normal(size=Y.shape))
    price = replace(CONSTANTS, tuned=replace(TUNED, pieces_gain=0.0, pieces_price=1e3))
    assert choose_n_pieces(problem, price) <= 1
    assert choose_n_pieces(replace(problem, times=1e5), price) == choose_n_pieces(problem, UNPRICED)
