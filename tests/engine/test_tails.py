import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import train_test_split

from skmdlam import MDLAMClassifier
from skmdlam.engine.moments import Columns, column_moments
from skmdlam.engine.tails import tails_of


def columns_of(X, weight=None):
    weight = np.ones(X.shape[0]) if weight is None else weight
    moments = column_moments(X, weight / weight.sum())
    return Columns.of(*moments, weight.sum(), X.shape[0], X.dtype)


def table(n=300):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 4))
    X[:, 1] = np.exp(1.8 * X[:, 1])
    X[:, 2] *= rng.uniform(size=n) < 0.1
    X[7, 0] = 400.0
    return X


def test_weights_against_a_loop():
    X = table()
    columns = columns_of(X)
    tails = tails_of(X, columns)
    U, V = np.empty_like(X), np.empty_like(X)
    for j, x in enumerate(X.T):
        away = x - np.sort(x)[149]
        others = np.sort(np.abs(away[away != 0]))
        limit = 3 * others[int(np.ceil(0.9 * len(others))) - 1]
        U[:, j], V[:, j] = away / x.std(), np.clip(away, -limit, limit) / x.std()
    expected = (V**2).sum(axis=1) / (U**2).sum(axis=1)
    np.testing.assert_allclose(tails.weights, expected, rtol=1e-10)
    np.testing.assert_allclose(tails.mean, np.average(X, axis=0, weights=expected), rtol=1e-9)
    assert tails.weights[7] < 1e-3 and (tails.weights == 1).sum() > 200
    near = tails.pulled_in(X)
    np.testing.assert_allclose(near.std(axis=0), X.std(axis=0), rtol=1e-9)


def test_sparse_equals_dense():
    X = table()
    columns = columns_of(X)
    dense, sparse = tails_of(X, columns), tails_of(sp.csr_array(X), columns)
    np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-9)
    np.testing.assert_allclose(sparse.mean, dense.mean, rtol=1e-9)
    np.testing.assert_allclose(sparse.stretch, dense.stretch, rtol=1e-9)


def test_weights_are_copies():
    X = table()
    copies = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = tails_of(X, columns_of(X, copies), copies)
    repeated = np.repeat(X, copies, axis=0)
    expected = tails_of(repeated, columns_of(repeated))
    np.testing.assert_allclose(np.repeat(weighted.weights, copies), expected.weights, rtol=1e-9)


def test_usual_and_rare_columns_have_none():
    rng = np.random.default_rng(1)
    rare = (rng.uniform(size=500) < 0.02) * 1.0
    X = np.column_stack([rng.normal(size=500), rng.uniform(size=500), rare, np.ones(500)])
    assert tails_of(X, columns_of(X)) is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("batch_size", ["auto", None])
def test_heavy_tails_are_not_underfitted(batch_size):
    scores = {None: [], 0: []}
    for seed in range(3):
        Z = np.random.default_rng(40 + seed).normal(size=(900, 5))
        y = Z[:, 0] + Z[:, 1] * Z[:, 2] > 0
        A, B, a, b = train_test_split(np.exp(2.2 * Z), y, random_state=seed)
        for alpha, found in scores.items():
            model = MDLAMClassifier(activity_alpha=alpha or "auto", batch_size=batch_size)
            if alpha == 0:
                model.set_params(activity_alpha=0)
            found.append(model.set_params(random_state=seed).fit(A, a).score(B, b))
    assert np.mean(scores[None]) > np.mean(scores[0]) - 0.02
