"""
Several networks and prediction intervals
=========================================

``n_networks=4`` trains four networks from different initial weights side by side and averages
them: the result is one model, which is better where single networks differ. ``calibrate=True``
estimates the standard deviation of predictions from errors on held-out samples.
"""

# %%
# A prediction interval
# ---------------------
# A curve in one dimension, whose samples are noisier on the right. The true function and the true
# noise are known here, for comparison.

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from skmdlam import MDLAMRegressor

threadpool_limits(limits=1)  # small matrix products are fastest on one thread
quick = "--quick" in sys.argv[1:]  # few samples, to check that it runs


def curve(x):
    """The true function."""
    return np.sin(2 * x) + 0.3 * x


def noise(x):
    """Standard deviation of the targets."""
    return 0.15 + 0.35 / (1 + np.exp(-4 * x))


rng = np.random.default_rng(0)
x = rng.uniform(-3, 3, 200 if quick else 400)
y = curve(x) + noise(x) * rng.normal(size=len(x))
model = MDLAMRegressor(
    hidden_layer_sizes=(30,), n_networks=4, calibrate=True, encoding=None, random_state=0
)
model = model.fit(x[:, None], y)

# %%
# The standard deviation includes the noise: about 95 % of new targets should be within 1.96
# standard deviations. That holds for new samples of the same distribution. Outside of the range
# of the training samples it does not, as the last line shows.

x_new = rng.uniform(-3, 3, 10_000)
y_new = curve(x_new) + noise(x_new) * rng.normal(size=len(x_new))
mean, std = model.predict(x_new[:, None], return_std=True)
print("MDLAMRegressor(n_networks=4, calibrate=True)")
for level, width in ((50, 0.674), (80, 1.282), (95, 1.960)):
    inside = np.mean(np.abs(y_new - mean) <= width * std)
    print(f"{f'targets within the {level} % interval, %':44}{100 * inside:5.1f}")
outside = rng.uniform(3, 4, 10_000)
mean, std = model.predict(outside[:, None], return_std=True)
y_outside = curve(outside) + noise(outside) * rng.normal(size=len(outside))
inside = np.mean(np.abs(y_outside - mean) <= 1.96 * std)
print(f"{'within 95 %, out of range':44}{100 * inside:5.1f}")

# %%
# Each network is a block of the hidden units. Its prediction is 4 times its part of the output,
# up to a constant, because only the mean of the last intercepts is stored.

grid = np.linspace(-4, 4, 400)
mean, std = model.predict(grid[:, None], return_std=True)
activations, last = model.transform(grid[:, None]), model.coefs_[-1]
among = np.abs(grid) <= 3
members = []
for block in np.split(np.arange(len(last)), model.n_networks_):
    member = model.n_networks_ * (activations[:, block] @ last[block]).ravel()
    members.append(member + (mean - member)[among].mean())

# %%
# When several networks pay
# -------------------------
# The distance of a hand from the shoulder as a function of the angles of four joints. With
# low-noise targets the errors of the networks differ, and the mean of more of them is better.
# With as much noise as signal most of the error is common to all of them, and the mean gains
# little. The alternative is one network with as many hidden units as four. Scores are for targets
# without noise.


def arm(n, rng):
    """Angles, and the distance of the hand."""
    angles = rng.uniform(-np.pi / 2, np.pi / 2, (n, 4))
    total = angles.cumsum(axis=1)
    return angles, np.hypot(np.cos(total).sum(axis=1), np.sin(total).sum(axis=1))


n, seeds = (300, 1) if quick else (2000, 5)
counts = (1, 4) if quick else (1, 2, 4, 8)
X, clean = arm(n, rng)
X_test, y_test = arm(4000, rng)
unexplained, seconds = {}, {}
for label, size in (("noise of 0.1", 0.1), ("noise of 1", 1.0)):
    targets = clean + size * clean.std() * rng.normal(size=n)
    for count, units in (*((count, 50) for count in counts), (1, 200)):
        start, scores = time.process_time(), []
        for seed in range(seeds):
            network = MDLAMRegressor(
                hidden_layer_sizes=(units,), n_networks=count, batch_size=200, random_state=seed
            ).fit(X, targets)
            scores.append(network.score(X_test, y_test))
        unexplained[label, count, units] = 1 - np.mean(scores)
        seconds[label, count, units] = (time.process_time() - start) / seeds

print(f"\n{'':34}{'test R2':>9}{'seconds':>9}")
for key, rest in unexplained.items():
    label, count, units = key
    name = f"{label}, {count} x {units} units"
    print(f"{name:34}{1 - rest:9.4f}{seconds[key]:9.2f}")

# %%
# The four networks differ most where the samples are noisy. In the gray areas, outside of the
# range of the training samples, predictions and standard deviations are constant and do not
# follow the true function.

# sphinx_gallery_thumbnail_number = 1
figure, left = plt.subplots(figsize=(6.5, 5), layout="constrained")
left.scatter(x, y, s=6, color="0.6", label="samples")
left.fill_between(
    grid, mean - 1.96 * std, mean + 1.96 * std, color="#56B4E9", alpha=0.35, label="95 % interval"
)
for sign in (-1, 1):
    left.plot(
        grid,
        curve(grid) + sign * 1.96 * noise(grid),
        color="black",
        linestyle=":",
        linewidth=1,
        label="true 95 % interval" if sign > 0 else None,
    )
for member in members:
    left.plot(
        grid,
        member,
        color="#D55E00",
        linewidth=0.8,
        label="one network" if member is members[0] else None,
    )
left.plot(grid, mean, color="#0072B2", linewidth=2, label="mean of four")
for start, end in ((-4, -3), (3, 4)):
    left.axvspan(start, end, color="0.92", zorder=-1)
left.set(xlabel="x", ylabel="y", xlim=(-4, 4), title="Mean of four networks, and an interval")
left.legend(fontsize="small", loc="upper left")
plt.show()

# %%
# The unexplained variance relative to one network. Filled: several networks of 50 units. Open: one
# network of 200 units.

figure, right = plt.subplots(figsize=(6.5, 5), layout="constrained")

looks = {
    "noise of 0.1": {"color": "#0072B2", "marker": "o"},
    "noise of 1": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
}
for label, look in looks.items():
    one = unexplained[label, 1, 50]
    ratios = [unexplained[label, count, 50] / one for count in counts]
    right.plot(counts, ratios, label=label, **look)
    wide = unexplained[label, 1, 200] / one
    look = look | {"linestyle": "", "markerfacecolor": "none", "markersize": 9}
    right.plot([4], [wide], label=f"{label}, one network of 4 x 50 units", **look)
right.set(
    xscale="log",
    xlabel="n_networks",
    ylabel="unexplained variance, relative to one network",
    ylim=(0, 1.1),
    title="Gain by averaging",
)
right.set_xticks(counts, counts)
right.minorticks_off()
right.legend(fontsize="small", loc="lower left")
plt.show()
