"""Time of a step and of an epoch on a device, beside Adam of PyTorch with a CUDA graph of its own.

Both see the same synthetic samples (10 classes from a random network of depth 2) and the same batch
sizes, in single precision without TF32. Adam's step, forward, backward and fused update,
is recorded as one graph, the strongest baseline. Half of the epochs of skmdlam are the step-size
decay phase; Adam has linear decay over all of its epochs, and its learning rate is the best of
three on held-out samples.

    python benchmarks/gpu.py                      # where there is a GPU
    python benchmarks/gpu.py --device cpu --quick # does it run?
"""

import argparse
import time

import numpy as np

from skmdlam.activations import get_activations
from skmdlam.engine.device.numerics import numerics_for
from skmdlam.engine.device.predict import outputs
from skmdlam.engine.device.table import Table
from skmdlam.engine.feasible import Feasible
from skmdlam.engine.mini_batches import DeviceBatches, mini_batch_runs
from skmdlam.engine.problem import Problem, forward
from skmdlam.engine.records import Settings
from skmdlam.losses import SoftmaxCrossEntropy
from skmdlam.penalties import get_penalty

CASES = [((256, 256), 200), ((256, 256), 1000), ((256, 256), 4000), ((1024, 1024), 1000)]
RATES = (3e-4, 1e-3, 3e-3)


def made(n, d=100, n_classes=10, seed=0):
    """Samples and labels; a tenth of the labels is random."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)).astype(np.float32)
    X[:, : d // 2] += 0.7 * X[:, d // 2 : d // 2 + 1]
    W, V = rng.standard_normal((d, 50)) / d**0.5, rng.standard_normal((50, n_classes))
    y = (np.tanh(2.0 * (X @ W)) @ V).argmax(axis=1)
    noisy = rng.random(n) < 0.1
    y[noisy] = rng.integers(0, n_classes, noisy.sum())
    return X, y


def ours(device, X, y, X_test, y_test, hidden, batch, epochs, n_networks=1):
    """Microseconds of a step, seconds of an epoch and test accuracy after so many epochs.

    ``device=None`` is the package on NumPy.
    """
    n, n_classes = len(X), int(y.max()) + 1
    activations = get_activations("relu", len(hidden))
    solver = Feasible(epochs=-(-epochs // 2), cool_down=epochs // 2, device=device)
    # By the rule rho is too small where batches have more than 1,000 samples.
    rho = solver.auto_rho(n, min(batch, 1000))
    rng = np.random.RandomState(0)
    sizes = [X.shape[1], *hidden, n_classes]
    starts = [solver.initial_weights(sizes, rng, X.dtype, activations) for _ in range(n_networks)]
    settings = Settings(batch_size=batch, rho=rho, max_iter=epochs, rng=rng)
    Y = np.eye(n_classes, dtype=X.dtype)[y]

    def posed(X):
        return Problem(X, Y, activations, SoftmaxCrossEntropy(), get_penalty("l2"), 0.0)

    begun = time.perf_counter()
    if device is None:
        run = mini_batch_runs(solver, posed(X), starts, settings)
        wait = lambda: None  # noqa: E731
    else:
        f = numerics_for(device)
        run = DeviceBatches(f, solver, posed(Table(f, f.array(X))), settings).runs(starts)
        wait = f.synchronize
    prepared = time.perf_counter() - begun
    seconds = []
    for _ in range(epochs):
        wait()
        start = time.perf_counter()
        if next(run, None) is None:
            break
        wait()
        seconds.append(time.perf_counter() - start)
    coefs, intercepts = run.weights()
    if device is None:
        z = forward(X_test, coefs, intercepts, activations, n_networks)
    else:
        x = f.array(X_test)
        z = f.host(outputs(f, x, coefs, intercepts, activations, n_blocks=n_networks))
    epoch = float(np.median(seconds[1:] or seconds))
    return {
        "step": 1e6 * epoch / -(-n // batch),
        "epoch": epoch,
        "prepare": prepared,
        "test": float((z.argmax(axis=1) == y_test).mean()),
    }


def adam(device, X, y, X_test, y_test, hidden, batch, epochs, rate=1e-3):
    """The same of Adam."""
    import torch

    torch.manual_seed(0)
    layers, size = [], X.shape[1]
    for width in hidden:
        layers += [torch.nn.Linear(size, width), torch.nn.ReLU()]
        size = width
    model = torch.nn.Sequential(*layers, torch.nn.Linear(size, int(y.max()) + 1)).to(device)
    on_gpu = torch.device(device).type == "cuda"
    learning_rate = torch.tensor(rate, device=device) if on_gpu else rate
    optimizer = torch.optim.Adam(
        model.parameters(), lr=learning_rate, capturable=on_gpu, fused=on_gpu
    )
    loss_of = torch.nn.CrossEntropyLoss()
    mean, std = X.mean(axis=0), X.std(axis=0)
    samples = torch.from_numpy((X - mean) / std).to(device)
    labels = torch.from_numpy(y).to(device)
    rows = torch.zeros(batch, dtype=torch.int64, device=device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(samples[rows]), labels[rows]).backward()
        optimizer.step()

    work = step
    if on_gpu:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        work = graph.replay
    n_steps, seconds = len(X) // batch, []
    for epoch in range(epochs):
        _set_rate(optimizer, rate * (1.0 - epoch / epochs))
        if on_gpu:
            torch.cuda.synchronize()
        start = time.perf_counter()
        order = torch.from_numpy(np.random.RandomState(epoch).permutation(len(X))).to(device)
        for index in range(n_steps):
            rows.copy_(order[index * batch : (index + 1) * batch])
            work()
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    with torch.no_grad():
        z = model(torch.from_numpy((X_test - mean) / std).to(device))
        test = float((z.argmax(1).cpu().numpy() == y_test).mean())
    epoch = float(np.median(seconds[1:] or seconds))
    return {"step": 1e6 * epoch / n_steps, "epoch": epoch, "test": test}


def _set_rate(optimizer, rate):
    """A rate that is an array of the device stays the one that was recorded."""
    for group in optimizer.param_groups:
        if hasattr(group["lr"], "fill_"):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def table(device, cases, n, epochs, host=False):
    """Print a line for each network and size of a batch."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    X, y = made(n + 20_000)
    split = [X[:n], y[:n], X[n:], y[n:]]
    print(f"{device}: {n} x {X.shape[1]}, {epochs} epochs")
    print("hidden          batch   | step us  adam  ratio | epoch s  adam | test   adam (rate)")
    for hidden, batch in cases:
        mine = ours(device, *split, hidden, batch, epochs)
        others = {rate: adam(device, *split, hidden, batch, epochs, rate) for rate in RATES}
        rate = max(others, key=lambda rate: others[rate]["test"])
        best = others[rate]
        print(
            f"{hidden!s:15s} {batch:5d}   | {mine['step']:7.0f} {best['step']:5.0f}  "
            f"{mine['step'] / best['step']:5.2f} | {mine['epoch']:7.3f} {best['epoch']:5.3f} | "
            f"{mine['test']:.4f} {best['test']:.4f} ({rate:g}); prepared in {mine['prepare']:.2f} s"
        )
        if host:
            there = ours(None, *split, hidden, batch, 2)
            print(f"{'':24s}on NumPy: {there['step']:.0f} us, {there['epoch']:.3f} s an epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--host", action="store_true", help="time the package on NumPy, too")
    parser.add_argument("--quick", action="store_true", help="small: only to see that it runs")
    arguments = parser.parse_args()
    if arguments.quick:
        table(arguments.device, [((32, 32), 200)], 4000, 2, host=True)
    else:
        table(arguments.device, CASES, arguments.samples, arguments.epochs, arguments.host)


if __name__ == "__main__":
    main()
