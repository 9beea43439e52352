"""What the README and the site say in numbers and comparisons is what the benchmarks measured.

Read from the scores that the benchmarks keep, and only where there are none from their pages.
"""

import csv
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TIE = 0.003
TABULAR = "tabular/scores.csv"
README = (ROOT / "README.rst").read_text(encoding="utf-8")
WORDS = " ".join(README.split())


class Comparison(NamedTuple):
    """Of skmdlam with another method, over data sets."""

    mean: float
    difference: float
    error: float
    wins: int
    ties: int
    losses: int
    lowest: float
    highest: float


def words_of(path):
    """The text of a file of the repository, its lines joined."""
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


@cache
def rows_of(name):
    """The rows of a file of scores."""
    with open(RESULTS / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def means(rows):
    """Mean score of each data set by method, where a negative score counts as zero."""
    scores = defaultdict(lambda: defaultdict(list))
    for row in rows:
        key = row.get("folder", "tab"), row["data set"]
        scores[row["method"]][key].append(max(float(row["score"]), 0.0))
    return {
        method: {key: float(np.mean(values)) for key, values in by_set.items()}
        for method, by_set in scores.items()
    }


def compared(ours, theirs):
    """Compare two methods by their mean scores of the same data sets."""
    assert ours.keys() == theirs.keys()
    d = np.array([ours[key] - theirs[key] for key in ours])
    wins, losses = int((d > TIE).sum()), int((d < -TIE).sum())
    return Comparison(
        float(np.mean(list(theirs.values()))),
        d.mean(),
        d.std(ddof=1) / len(d) ** 0.5,
        wins,
        len(d) - wins - losses,
        losses,
        d.min(),
        d.max(),
    )


def time_ratio(rows, method):
    """Total fit time of a method over that of skmdlam, of the fits of the same run."""
    seconds = defaultdict(float)
    for row in rows:
        seconds[row["folder"], row["data set"], row["run"], row["method"]] += float(row["seconds"])
    pairs = [
        (value, seconds[(*key, method)])
        for (*key, name), value in seconds.items()
        if name == "skmdlam" and (*key, method) in seconds
    ]
    ours, theirs = np.sum(pairs, axis=0)
    return theirs / ours


def numbers_in(text):
    """The numbers of a text, whether they are written 0.5 or .5."""
    return [float(found) for found in re.findall(r"(?<![\w.])-?\d*\.?\d+", text)]


def test_table_is_that_of_the_benchmark():
    rows = rows_of(TABULAR)
    scores = means(rows)
    assert {len(found) for found in scores.values()} == {48}
    for name, method in (
        ("CatBoost", "CatBoost"),
        ("``HistGradientBoosting*``", "gradient boosting"),
        ("``MLP*`` (Adam)", "adam"),
    ):
        line = next(line for line in README.splitlines() if line.startswith(name + "  "))
        found = compared(scores["skmdlam"], scores[method])
        ratio = time_ratio(rows, method)
        assert re.split("  +", line.strip())[1:] == [
            f"{found.mean:.3f}",
            f"{found.difference:.3f} ± {found.error:.3f}",
            f"{found.wins}, {found.ties}, {found.losses}",
            f"{ratio:.2g}",
        ]
    ours = f"{np.mean(list(scores['skmdlam'].values())):.3f}"
    assert re.search(rf"^skmdlam +{ours} +1$", README, re.M)


def test_words_about_boosting_are_those_of_the_benchmark():
    rows = rows_of(TABULAR)
    scores = means(rows)
    found = compared(scores["skmdlam"], scores["CatBoost"])
    assert found.wins < found.losses and 0 < found.difference < found.error
    assert f"ahead on more data sets** ({found.losses}, skmdlam on {found.wins})" in WORDS
    assert 5.5 < time_ratio(rows, "CatBoost") < 6.5 and "in a sixth of the time" in WORDS


@pytest.mark.parametrize("page", ["README.rst", "doc/index.rst"])
def test_figure_is_described(page):
    """The text in place of the figure says what is in it."""
    rows = rows_of(TABULAR)
    scores = means(rows)
    alt = re.search(
        r"Mean test score over total fit time on 48 data sets\. [^.]*(?:\.\S[^.]*)*.*?times\.",
        words_of(page),
    )[0]
    mean = {name: np.mean(list(found.values())) for name, found in scores.items()}
    methods = ("skmdlam", "CatBoost", "gradient boosting", "adam")
    assert max(methods, key=mean.get) == "skmdlam"
    assert [float(number) for number in re.findall(r"\b0\.8\d\d", alt)] == [
        float(f"{mean[name]:.3f}") for name in methods
    ]
    for said, name in (
        (r"in ([\d.]+) times its time", "CatBoost"),
        (r"in ([\d.]+) of it,", "gradient boosting"),
        (r"in ([\d.]+) times\.", "adam"),
    ):
        assert float(re.search(said, alt)[1]) == float(f"{time_ratio(rows, name):.2g}")


def test_data_frames_are_those_of_the_benchmark():
    scores = means([row for row in rows_of("raw_tables/scores.csv") if row["folder"] == "tables"])
    ours = np.mean(list(scores["skmdlam"].values()))
    hist = compared(scores["skmdlam"], scores["HistGradientBoosting"])
    cat = compared(scores["skmdlam"], scores["CatBoost"])
    assert len(scores["skmdlam"]) == 9
    assert (
        f"ahead of ``HistGradientBoosting*`` on {hist.wins}, tied on {hist.ties} and behind on "
        f"{hist.losses}, with mean scores of {ours:.3f} and {hist.mean:.3f}; CatBoost has "
        f"{cat.mean:.3f} ({cat.wins}, {cat.ties}, {cat.losses})."
    ) in WORDS


@pytest.mark.parametrize("page", ["README.rst", "doc/when_to_use.rst"])
def test_slower_baselines_are_those_of_the_benchmark(page):
    """On the first split, beside the scores of skmdlam now."""
    control = means(rows_of("controls/scores.csv"))
    now = means([row for row in rows_of(TABULAR) if (row["folder"], row["seed"]) == ("tab", "0")])
    ours = now["skmdlam"]
    assert len(ours) == 20
    real = compared(ours, control["RealMLP"])
    tuned = compared(ours, control["adam, alpha by CV"])
    seconds = {
        method: sum(
            float(row["seconds"])
            for row in rows_of("controls/scores.csv")
            if row["method"] == method
        )
        for method in ("RealMLP", "adam")
    }
    assert 29 < seconds["RealMLP"] / seconds["adam"] < 31
    for said in (
        f"where skmdlam has {np.mean(list(ours.values())):.3f}: RealMLP has {real.mean:.3f} "
        f"({real.wins} wins, {real.ties} ties and {real.losses} losses of skmdlam, difference "
        f"{real.difference:.3f} ± {real.error:.3f}) and takes 30 times the time of ``MLP*``",
        f"by cross-validation has {tuned.mean:.3f} ({tuned.wins}, {tuned.ties}, {tuned.losses})",
    ):
        assert said in words_of(page)


@pytest.mark.parametrize("page", ["README.rst", "doc/when_to_use.rst"])
def test_units_are_those_of_the_benchmark(page):
    rows = rows_of("units/scores.csv")
    names = list(rows[0])  # of skmdlam, with alpha, of MLP: each in two units
    assert len(names) == 9

    def close(first, second):
        pairs = [(float(row[names[first]]), float(row[names[second]])) for row in rows]
        return sum(abs(a - b) <= 0.005 for a, b in pairs)

    default, with_alpha, mlp = close(2, 3), close(4, 5), close(6, 8)
    words = words_of(page)
    assert re.search(rf"within 0\.005 on {default} of {len(rows)} data sets", words)
    if page != "README.rst":
        assert (
            f"on {with_alpha} with ``alpha=1e-4``, and for ``MLP*`` without a scaler on {mlp}"
            in words
        )


def test_ranges_are_those_of_the_figure():
    """In the user guide: from 1e-5 to 10 for rho, from 1e-3 to 0.1 for the learning rate."""
    rows = rows_of(ROOT / "doc" / "images" / "why.csv")

    def good(classifier):
        accuracies = {}
        for row in rows:
            if row["classifier"] == classifier:
                accuracies.setdefault(float(row["setting"]), []).append(float(row["test_accuracy"]))
        return sorted(k for k, values in accuracies.items() if np.mean(values) >= 0.96)

    rho, rate = good("MDLAMClassifier"), good("MLPClassifier")
    assert rho == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert rate == [1e-3, 1e-2, 1e-1]
