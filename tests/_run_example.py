"""Run an example as Python would, without a screen; save its figures instead of showing them."""

import runpy
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


class Saver:
    """Stands for the screen: saves every open figure, and closes it as one does after a look."""

    def __init__(self, stem):
        self.stem, self.n_figures = stem, 0

    def __call__(self, *_, **__):
        for number in plt.get_fignums():
            self.n_figures += 1
            plt.figure(number).savefig(f"{self.stem}-{self.n_figures}.png", dpi=80)
        plt.close("all")


if __name__ == "__main__":
    example = Path(sys.argv[1])
    sys.argv = sys.argv[1:]
    plt.show = show = Saver(example.stem)
    runpy.run_path(str(example), run_name="__main__")
    if plt.get_fignums() and show.n_figures:
        raise SystemExit(f"{example.name} drew a figure after its last plt.show().")
    show()  # those of an example that saves its figure itself
