"""
Data larger than memory, with Dask
==================================

A network is fitted to samples that are never in one place: two Dask workers create them block by
block, take mini-batch steps on their own blocks, and their weights are averaged. The result is
compared with a fit to a subsample, with online learning, and with a fit in memory.
"""

# %%
# Workers
# -------
# Workers are usually processes of their own, each with a limit on memory. A script then needs
# ``if __name__ == "__main__":`` around it, because each process imports it::
#
#     from dask.distributed import Client, LocalCluster
#
#     if __name__ == "__main__":
#         cluster = LocalCluster(n_workers=4, threads_per_worker=1, memory_limit="4GiB")
#         client = Client(cluster)
#         print(client.dashboard_link)
#
# Here they are threads of this process, which starts faster.

import sys
import time

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client, LocalCluster

from skmdlam import MDLAMRegressor
from skmdlam.dask import MDLAMRegressor as DaskRegressor

quick = "--quick" in sys.argv[1:]  # few samples, to check that it runs

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")
client = Client(cluster)

# %%
# A lazy collection
# -----------------
# 350,000 samples of 50 features in seven blocks, which workers make on demand, each from its own
# seed. Blocks read from files (``dask.dataframe.read_parquet``, ``dask.array.from_zarr``) behave
# alike. The targets are those of a random network, with noise for which the best possible R2 is
# 0.9.

n_blocks, rows, d = 7, (2_000 if quick else 50_000), 50
rng = np.random.default_rng(0)
directions, offsets = rng.normal(size=(d, 30)) / 3, rng.normal(size=30)
height = rng.normal(size=30)


def targets(X, seed):
    """A random network, plus noise of a ninth of its variance."""
    signal = np.maximum(X @ directions + offsets, 0) @ height
    return signal + signal.std() / 3 * np.random.default_rng(seed).normal(size=len(X))


def block(number):
    """Features and targets of one block."""
    X = np.random.default_rng([number, 0]).normal(size=(rows, d)).astype(np.float32)
    return X, targets(X, [number, 1])


blocks = [dask.delayed(block, nout=2)(number) for number in range(n_blocks)]
X = da.concatenate([da.from_delayed(X, (rows, d), dtype=np.float32) for X, _ in blocks])
y = da.concatenate([da.from_delayed(y, (rows,), dtype=float) for _, y in blocks])
X_test = rng.normal(size=(5_000, d)).astype(np.float32)
y_test = targets(X_test, 2)

# %%
# Four fits
# ---------
# ``skmdlam.dask.MDLAMRegressor`` has the parameters of ``skmdlam.MDLAMRegressor``. With ``X_val``
# the score of held-out samples is recorded after each epoch. A collection of up to 16 million
# numbers would be fitted by one worker; this one is larger, so its rows are shuffled across
# workers, and the weights are averaged several times per epoch. ``partial_fit`` of a collection
# learns one block after another, on the workers, and sees each of them once.

options = {"random_state": 0, "encoding": None, "tol": 1e-3}
units = (20,) if quick else (60,)
watched = {"X_val": X_test, "y_val": y_test}
models, seconds = {}, {}


def timed(name, fit):
    """Store a fitted model and the time that it took."""
    start = time.perf_counter()
    models[name] = fit()
    seconds[name] = time.perf_counter() - start


few, few_y = da.compute(X[: rows // 5], y[: rows // 5])
timed(
    "a subsample, in memory",
    lambda: MDLAMRegressor(hidden_layer_sizes=units, **options).fit(few, few_y),
)
timed(
    "blocks as a stream",
    lambda: DaskRegressor(hidden_layer_sizes=units, **options).partial_fit(X, y),
)
timed(
    "all samples, Dask",
    lambda: DaskRegressor(hidden_layer_sizes=units, **options).fit(X, y, **watched),
)
in_memory = da.compute(X, y)
timed(
    "all samples, in memory",
    lambda: MDLAMRegressor(hidden_layer_sizes=units, **options).fit(*in_memory, **watched),
)

print("MDLAMRegressor           test R2   seconds")
scores = {}
for name, model in models.items():
    scores[name] = model.score(X_test, y_test)
    print(f"{name:<25}{scores[name]:.4f}    {seconds[name]:.1f}")

# %%
# The cost of averaging
# ---------------------
# Averaging weights slows the first epochs, when they change most. At the end the training loss is
# 2 % above that of the fit in memory, and the R2 of held-out samples within 0.001. A subsample of
# 10,000 is far below both, and one pass over the stream is in between.

with_dask, local = (models[f"all samples, {where}"] for where in ("Dask", "in memory"))
# sphinx_gallery_thumbnail_number = 2
_, left = plt.subplots(figsize=(6, 4.5), layout="constrained")
_, right = plt.subplots(figsize=(6, 4.5), layout="constrained")
for model, name, style in (
    (with_dask, "all samples, Dask", "o-"),
    (local, "all samples, in memory", "s--"),
):
    epochs = np.arange(1, len(model.loss_curve_) + 1)
    left.plot(epochs, model.loss_curve_, style, markersize=4, label=name)
    right.plot(epochs, model.validation_scores_, style, markersize=4, label=name)
left.set(xlabel="epoch", ylabel="training objective")
left.legend()
for name, color in (("blocks as a stream", "C2"), ("a subsample, in memory", "C3")):
    right.axhline(scores[name], color=color, linestyle=":", label=name)
right.axhline(0.9, color="gray", linewidth=0.8, label="best possible")
right.set(xlabel="epoch", ylabel="R2 of held-out samples", ylim=(None if quick else 0.84, 0.91))
right.legend()
for axes in (left, right):
    axes.xaxis.get_major_locator().set_params(integer=True)
plt.show()

# %%
# Predictions are lazy
# --------------------
# Predictions of a collection are a collection, computed block by block on demand. ``to_local()``
# returns the ordinary estimator, which does not need Dask.

predicted = with_dask.predict(X)
print(f"\n{predicted.shape[0]:,} predictions in {predicted.numblocks[0]} chunks, not computed yet")
print(f"The first three: {predicted[:3].compute().round(2)}")
print(f"R2 of all training samples: {with_dask.score(X, y):.4f}")
ordinary = with_dask.to_local()
print(f"The same without Dask: {ordinary.predict(few[:3]).round(2)}")

client.close()
cluster.close()
