"""The scripts as modules, and a small random graph under the name of Cora."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """Let benchmarks be imported as they import each other."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return BENCHMARKS


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a graph of three communities under the name of Cora."""
    rng = np.random.default_rng(0)
    n, d = 90, 60
    y = np.arange(n) % 3
    same = y[:, None] == y[None, :]
    edges = np.triu(rng.random((n, n)) < np.where(same, 0.2, 0.02), k=1)
    A = sp.csr_matrix(edges | edges.T)
    X = sp.csr_matrix(rng.random((n, d)) < np.where(np.arange(d) % 3 == y[:, None], 0.2, 0.05))
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    np.savez(
        graphs / "cora.npz",
        X_data=X.data.astype(np.float32),
        X_indices=X.indices,
        X_indptr=X.indptr,
        X_shape=X.shape,
        A_indices=A.indices,
        A_indptr=A.indptr,
        N=n,
        y=y,
        train_idx=np.arange(30),
        val_idx=np.arange(30, 60),
        test_idx=np.arange(60, n),
    )
    (graphs / "paper_tables.csv").write_text(
        "table,dataset,parameter,value,epoch5,epoch10,epoch15,epoch20,epoch25\n"
        "4,cora,rho,1e-4,.1,.2,.3,.4,.501\n"
        "4,cora,rho,1e-3,.1,.2,.3,.4,.502\n"
        "4,cora,rho,1e-2,.1,.2,.3,.4,.503\n"
        "4,pubmed,rho,1e-2,.1,.2,.3,.4,.504\n"
        "5,cora,epsilon0,1,.1,.2,.3,.4,.505\n",
        encoding="utf-8",
    )
    return tmp_path
