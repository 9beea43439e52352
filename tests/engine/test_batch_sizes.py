"""What ``batch_size`` stands for where the user leaves it open."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from skmdlam.activations import get_activation
from skmdlam.engine.constants import CONSTANTS, TUNED
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.inputs.pieces import Pieces
from skmdlam.engine.problem import Problem
from skmdlam.engine.records import Settings
from skmdlam.losses import (
    AbsoluteError,
    Huber,
    LogisticLoss,
    Poisson,
    Quantile,
    SoftmaxCrossEntropy,
    SquaredError,
)
from skmdlam.penalties import get_penalty


def takes_all_samples(
    n=70, d=3, n_hidden=1, *, sparse=False, loss=None, tuned=None, weight=None, **settings
):
    X = sp.csr_array((n, d)) if sparse else np.zeros((n, d))
    activations = [get_activation("relu")] * n_hidden
    problem = Problem(
        X, np.zeros((n, 1)), activations, loss or SquaredError(), get_penalty("l2"), 0, weight
    )
    solver = Feasible(constants=replace(CONSTANTS, tuned=replace(TUNED, **(tuned or {}))))
    return solver.takes_all_samples(problem, Settings(**settings))


def test_all_samples_are_a_batch_of_small_data_by_default():
    """Each condition alone, from both sides; a size that the user names stands."""
    assert takes_all_samples()
    assert takes_all_samples(n=65) and not takes_all_samples(n=64)
    assert takes_all_samples(n=33, weight=np.full(33, 2.0))  # copies count, parts do not
    assert takes_all_samples(n=65, weight=np.full(65, 0.1))
    assert takes_all_samples(n=5000) and not takes_all_samples(n=5001)
    assert takes_all_samples(d=500) and not takes_all_samples(d=501)
    assert takes_all_samples(n_hidden=0)
    assert takes_all_samples(n_hidden=2) and not takes_all_samples(n_hidden=3)
    assert takes_all_samples(max_iter=50) and not takes_all_samples(max_iter=49)
    assert not takes_all_samples(sparse=True)
    for loss, smooth in (
        (Huber(), True), (Poisson(), True), (LogisticLoss(), True), (SoftmaxCrossEntropy(), True),
        (AbsoluteError(), False), (Quantile(0.2), False),
    ):  # fmt: skip
        assert takes_all_samples(loss=loss) == smooth
    assert not takes_all_samples(batch_size=69)
    large = {"n": 10_001, "d": 501, "n_hidden": 3, "sparse": True, "max_iter": 3}
    assert takes_all_samples(**large, loss=AbsoluteError(), batch_size=10_001)
    for numbers in ({"full_batch_rows": 69}, {"full_batch_columns": 2}, {"full_batch_sweeps": 201}):
        assert not takes_all_samples(tuned=numbers)


def test_encoded_samples_count_by_their_numbers():
    """Curves take the full batch while they are few numbers; plain columns have no such limit."""
    tuned = replace(TUNED, full_batch_numbers=70 * 12)
    solver = Feasible(constants=replace(CONSTANTS, tuned=tuned))
    X = np.random.default_rng(0).standard_normal((70, 3))
    for n_pieces, small in ((4, True), (5, False), (1, True)):
        pieces = Pieces.of(X, n_pieces)
        encoded = pieces.encoded(X)
        assert encoded.shape[1] == 3 * n_pieces
        activations = [get_activation("relu")]
        penalty = get_penalty("l2")
        Y = np.zeros((70, 1))
        problem = Problem(encoded, Y, activations, SquaredError(), penalty, 0.0, pieces=pieces)
        assert solver.takes_all_samples(problem, Settings()) == small


def test_sizes_of_batches():
    solver = Feasible()
    sizes = {n: solver.auto_batch_size(n) for n in (1, 64, 65, 99, 200, 499, 500, 1999, 2000, 9999)}
    assert sizes == {
        1: 1, 64: 64, 65: 20, 99: 20, 200: 40, 499: 99, 500: 100, 1999: 100, 2000: 200, 9999: 200,
    }  # fmt: skip
    assert [solver.rows_at_a_time(300, size) for size in (None, 7, 300, 500)] == [300, 7, 300, 300]
    tuned = replace(TUNED, batch_tiny=10, batch_share=4, batch_least=5)
    solver = Feasible(constants=replace(CONSTANTS, tuned=tuned))
    assert [solver.auto_batch_size(n) for n in (10, 11, 100)] == [10, 5, 25]
