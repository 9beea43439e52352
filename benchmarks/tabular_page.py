"""What benchmarks/tabular.py reports: tables of scores and of ratios of times, and figures.

Rows are those of ``scores.csv``, a fit each. A ratio of times is of fits of the same run, data set
and split, so that it holds when the machine or its speed was another one in another run.
"""

import numpy as np
from report import number, rst_table, table

MARGIN = 0.003
OURS, BASELINE = "skmdlam", "adam"
RIVALS = ("CatBoost", "gradient boosting", BASELINE)  # the first that was fitted has a figure
# Methods as they are shown, by their name in scores.csv.
NAMES = {
    "plain": "skmdlam, encoding=None",
    BASELINE: "MLP (Adam)",
    "lbfgs": "MLP (L-BFGS)",
    "adam, early stopping": "MLP (Adam), early stopping",
    "adam, alpha by CV": "MLP (Adam), alpha by CV",
    "gradient boosting": "HistGradientBoosting",
}
# The methods of the figure and table of the README: name in full, mark, color.
HEADLINE = {
    OURS: ("skmdlam", "o", "#0072B2"),
    "plain": ("skmdlam, ``encoding=None``", "P", "#2A8FC9"),
    BASELINE: ("``MLP*`` (Adam)", "s", "#D55E00"),
    "gradient boosting": ("``HistGradientBoosting*``", "^", "#00805C"),
    "CatBoost": ("CatBoost", "v", "#A66F00"),
    "RealMLP": ("RealMLP", "D", "#B0598C"),
}
BREAKS = {"plain": "skmdlam,\nencoding=None", "gradient boosting": "HistGradient\nBoosting"}
OUTCOMES = {"wins": "#0072B2", "ties": "#D4D4D4", "losses": "#D55E00"}
FIGURES = """
![Mean test score and total fit time](overview.png)

![Wins, ties and losses](outcomes.png)

![Differences on each data set](differences.png)

![Differences and time ratios in comparison with MLP (Adam)](scatter.png)
"""
STYLES = {"classification": ("o", "#0072B2"), "regression": ("^", "#D55E00")}


def shown(method):
    """Name of a method as it is shown."""
    return NAMES.get(method, method)


def complete(rows):
    """Rows that can be compared, their methods, and {method left out: number of its splits}.

    These are the splits fitted by skmdlam and MLP (Adam), and the methods with a fit on each.
    """
    splits = {}
    for row in rows:
        splits.setdefault(row["method"], set()).add((row["data set"], row["seed"]))
    usable = splits.get(OURS, set()) & splits.get(BASELINE, set())
    order = [OURS, *splits]
    methods = sorted((m for m in splits if splits[m] >= usable), key=order.index)
    kept = [
        row for row in rows if row["method"] in methods and (row["data set"], row["seed"]) in usable
    ]
    partial = {m: len(splits[m] & usable) for m in splits if m not in methods}
    return kept, methods, partial


def means(rows, field):
    """Mean over seeds: {data set: {method: value}}.

    A score below zero counts as zero, that of the mean of the targets: how far below says nothing.
    """
    values = {}
    for row in rows:
        value = max(row[field], 0.0) if field == "score" else row[field]
        values.setdefault(row["data set"], {}).setdefault(row["method"], []).append(value)
    return {
        name: {method: float(np.mean(v)) for method, v in by_method.items()}
        for name, by_method in values.items()
    }


def times(rows, method, other):
    """Mean seconds of two methods over the splits fitted by both in a run: {data set: (2,)}."""
    seconds = {(r["data set"], r["seed"], r["run"], r["method"]): r["seconds"] for r in rows}
    pairs = {}
    for (name, seed, run, fitted), value in seconds.items():
        beside = seconds.get((name, seed, run, other))
        if fitted == method and beside is not None:
            pairs.setdefault(name, []).append((value, beside))
    return {name: np.mean(values, axis=0) for name, values in pairs.items()}


def total_ratio(rows, method, other):
    """Total time of a method over that of another; None where no run fitted both."""
    pairs = times(rows, method, other)
    total = np.sum(list(pairs.values()), axis=0)
    return float(total[0] / total[1]) if pairs else None


def ratio_text(rows, method, other):
    """Return the ratio of total times in two digits, and of how many data sets where not of all."""
    ratio, pairs = total_ratio(rows, method, other), len(times(rows, method, other))
    if ratio is None:
        return "-"
    count = len(means(rows, "score"))
    text = f"{ratio:.0f}" if ratio >= 10 else number(ratio, 1 if ratio >= 1 else 2)
    if ratio < 0.1:
        text = f"{ratio:.2g}"
    return text if pairs == count else f"{text} ({pairs} of {count})"


def differences(rows, method, other):
    """Return the score of a method minus that of another on each data set, an array."""
    return np.array([s[method] - s[other] for s in means(rows, "score").values()])


def outcomes(difference, separator="/"):
    """Wins, ties and losses."""
    wins, losses = int((difference > MARGIN).sum()), int((difference < -MARGIN).sum())
    return separator.join(map(str, (wins, len(difference) - wins - losses, losses)))


def standard_error(difference):
    """Standard error of a mean over data sets; 0 for a single one."""
    return np.std(difference, ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0


def signed(value, digits=3):
    """Return a number with its sign, ``+0.012``."""
    return f"{value:+z.{digits}f}"


def summary(rows):
    """One line a method: mean score, outcomes and times in comparison with MLP (Adam)."""
    rows, methods, _ = complete(rows)
    scores, loss = means(rows, "score"), means(rows, "training loss")
    lines = []
    for method in methods:
        difference = differences(rows, method, BASELINE)
        pairs = times(rows, method, BASELINE)
        ratio = np.array([own / other for own, other in pairs.values()])
        some = f" ({len(pairs)} of {len(scores)})" if 0 < len(pairs) < len(scores) else ""
        lines.append(
            [
                shown(method),
                number(float(np.mean([s[method] for s in scores.values()])), 4),
                outcomes(difference),
                number(float(difference.min())),
                number(total_ratio(rows, method, BASELINE)) + some,
                number(float(np.median(ratio)) if len(ratio) else None),
                number(float(ratio.max()) if len(ratio) else None),
                number(float(np.mean([s[method] for s in loss.values()]))),
            ]
        )
    header = [
        "method",
        "mean test score",
        f"wins/ties/losses against {shown(BASELINE)}",
        "worst difference",
        f"total time / {shown(BASELINE)}",
        "median time ratio",
        "largest time ratio",
        "mean training loss",
    ]
    return table(header, lines)


def against_each(rows):
    """One line a method: score of skmdlam minus its score, time of skmdlam over its time."""
    rows, methods, _ = complete(rows)
    lines = []
    for method in methods:
        if method == OURS:
            continue
        difference = differences(rows, OURS, method)
        error = standard_error(difference)
        lines.append(
            [
                shown(method),
                f"{signed(difference.mean(), 4)} ± {number(error, 4)}",
                outcomes(difference),
                f"{signed(difference.min())} to {signed(difference.max())}",
                ratio_text(rows, OURS, method),
            ]
        )
    header = ["method", f"{OURS} minus it ± standard error", f"wins/ties/losses of {OURS}"]
    return table([*header, "range of differences", f"total time of {OURS} / its"], lines)


def gap(rows):
    """Say how much of the gap between MLP (Adam) and RealMLP skmdlam closes."""
    scores = means(rows, "score").values()
    table = np.array([[s[method] for method in (BASELINE, "RealMLP", OURS)] for s in scores])

    def share(part):
        low, high, own = part.mean(axis=0)
        return (own - low) / (high - low)

    low, high, own = table.mean(axis=0)
    text = (
        f"Between the mean scores of {shown(BASELINE)}, {number(low, 4)}, and RealMLP, "
        f"{number(high, 4)}, {OURS}, with {number(own, 4)}, closes {share(table):.0%} of the gap"
    )
    if len(table) > 2:
        shares = [share(np.delete(table, left_out, axis=0)) for left_out in range(len(table))]
        text += f"; with any one data set left out, {min(shares):.0%} to {max(shares):.0%}"
    return text + ".\n"


def details(rows):
    """Test score of every method on every data set, and the ratio of times to MLP (Adam)."""
    rows, methods, _ = complete(rows)
    scores, pairs = means(rows, "score"), times(rows, OURS, BASELINE)
    lines = [
        [
            name,
            *(number(scores[name][method]) for method in methods),
            number(pairs[name][0] / pairs[name][1] if name in pairs else None, 2),
        ]
        for name in scores
    ]
    header = ["data set", *map(shown, methods), f"time of {OURS} / {shown(BASELINE)}"]
    return table(header, lines)


def parts(rows):
    """Rows of each folder, {folder: rows}."""
    found = {}
    for row in rows:
        found.setdefault(row["folder"], []).append(row)
    return found


def readme_table(rows):
    """The table of the README, in reStructuredText: methods, mean scores, outcomes and times."""
    rows, methods, _ = complete(rows)
    folders = parts(rows)
    counts = [len(means(part, "score")) for part in folders.values()]
    header = ["Method", f"Mean score, {sum(counts)} data sets"]
    groups = [rows]
    if len(folders) > 1:
        header += [f"{folder} ({n})" for folder, n in zip(folders, counts, strict=True)]
        groups += folders.values()
    header += ["Wins, ties, losses of skmdlam", "Fit time / skmdlam's"]
    lines = []
    for method in (m for m in HEADLINE if m in methods):
        scores = [means(part, "score").values() for part in groups]
        lines.append(
            [
                HEADLINE[method][0],
                *(number(float(np.mean([s[method] for s in part])), 4) for part in scores),
                "" if method == OURS else outcomes(differences(rows, OURS, method), ", "),
                "1" if method == OURS else ratio_text(rows, method, OURS),
            ]
        )
    return rst_table(header, lines)


def provenance(runs):
    """The commands and machines behind the rows."""
    if len(runs) == 1:
        return f"Command: `{runs[0]['command']}`\n\n{runs[0]['machine']}\n"
    lines = [f"- Run {run['run']}: `{run['command']}`. {run['machine']}\n" for run in runs]
    return (
        f"The fits are of {len(runs)} runs. Ratios of times are taken within a run, over the "
        "data sets on which it fitted both methods (their number is in brackets where these are "
        "not all); a dash says that there is no such run, and overview.png leaves out such a "
        "method.\n\n" + "".join(lines)
    )


def page(rows, runs, found, below=None):
    """Return the report, in Markdown."""
    used = len({row["data set"] for row in rows})
    rows, methods, partial = complete(rows)
    compared = len({row["data set"] for row in rows})
    which = f"{compared} of {found} data sets"
    title = "Tabular data sets"
    if compared != found:
        title += f": {compared} of {found}"
    if below:
        which += f" (those with fewer than {below:,} samples)"
    splits = sorted(
        {len({r["seed"] for r in rows if r["data set"] == n}) for n in means(rows, "score")}
    )
    largest = runs[-1]["max rows"]
    folders = parts(rows)
    searched = " (but for alpha where it is searched)" if "adam, alpha by CV" in methods else ""
    text = (
        f"# {title}\n\n{provenance(runs)}\n"
        f"{which}, all methods on each of them at their default settings{searched}; means over "
        f"{' to '.join(map(str, splits[:1] + splits[1:][-1:]))} split(s). Scores are accuracy or "
        f"R²; negative ones count as zero. A difference of {MARGIN} or less is a tie. Times are of "
        f"one process with {runs[-1]['threads']} thread(s). MLP is `MLPClassifier` or "
        "`MLPRegressor`. Default settings of skmdlam were tuned on these data sets, so expect "
        "somewhat optimistic results."
    )
    if largest:
        text += f" Of larger data sets {int(largest):,} random samples are used, training and test."
    if used > compared:
        text += (
            f" {used - compared} other(s) have no fits of both {OURS} and {shown(BASELINE)} yet."
        )
    for method, count in partial.items():
        text += f" Left out: {shown(method)}, which has {count} of the splits."
    text += "\n\n"
    if len(folders) == 1:
        text += f"{summary(rows)}\n{details(rows)}\n"
        text += f"## {OURS} against each of the others\n\n{against_each(rows)}"
    else:
        text += f"## All data sets\n\n{summary(rows)}\n{against_each(rows)}{FIGURES}"
        for folder, part in folders.items():
            count = len(means(part, "score"))
            text += f"\n## {folder}: {count} {'data set' if count == 1 else 'data sets'}\n\n"
            text += f"{summary(part)}\n{details(part)}\n{against_each(part)}"
    if "RealMLP" in methods:
        text += (
            f"\n{gap(rows)}\nRealMLP holds out a fifth of the training samples and keeps the "
            "weights of the epoch that is best on them."
        )
    if {"RealMLP", "CatBoost"} & set(methods):
        text += (
            "\nFor every method alike, categories are one-hot encoded and all features are "
            "standardized, so the treatment of categories by CatBoost and RealMLP is not used "
            "here. Data frames with categories are in benchmarks/results/raw_tables.\n"
        )
    return text


def draw(rows, threads, folder):
    """Draw all figures."""
    import matplotlib

    matplotlib.use("Agg")
    rows, methods, _ = complete(rows)
    overview(rows, methods, threads, folder / "overview.png")
    wins_and_losses(rows, [m for m in RIVALS if m in methods], folder / "outcomes.png")
    rival = next(method for method in RIVALS if method in methods)
    dots(rows, rival, folder / "differences.png")
    scatter(rows, folder / "scatter.png")


def boxes(axes, points, size=6):
    """Boxes in pixels around points (x, low, high), what names must not cover."""
    from matplotlib.transforms import Bbox

    axes.get_figure().canvas.draw()
    corners = [axes.transData.transform([(x, low), (x, high)]) for x, low, high in points]
    return [Bbox(ends).padded(size) for ends in corners]


def annotate(axes, points, obstacles, everywhere=True, **style):
    """Name points (x, y, name, color) where nothing is in the way.

    Where there is no such place a name goes beside its mark, or, unless ``everywhere``, nowhere.
    """
    renderer = axes.get_figure().canvas.get_renderer()
    frame, taken = axes.get_window_extent(renderer), list(obstacles)
    near = [(9, 0), (-9, 0), (0, 9), (0, -9), (8, 8), (8, -8), (-8, 8), (-8, -8)]
    far = [(9, 18), (9, -18), (-9, 18), (-9, -18), (0, 30), (0, -30), (0, 45), (0, -45), None]
    sides, heights = {1: "left", -1: "right", 0: "center"}, {1: "bottom", -1: "top", 0: "center"}
    for x, y, name, color in points:
        for place in near + far if everywhere else near:
            dx, dy = place or near[0]
            label = axes.annotate(
                name, (x, y), xytext=(dx, dy), textcoords="offset points", color=color,
                ha=sides[np.sign(dx)], va=heights[np.sign(dy)], **style,
            )  # fmt: skip
            box = label.get_window_extent(renderer)
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if place is None or (inside and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            label.remove()


def overview(rows, methods, threads, path):
    """Mean test score against total fit time, a mark a method: the figure of the README."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    scores = means(rows, "score")
    points, bars = [], []
    counts = {len(times(rows, m, OURS)) for m in HEADLINE if m in methods} - {0, len(scores)}
    partly = f"\nRatios of times are over {min(counts)} data sets or more" if counts else ""
    for method in (m for m in HEADLINE if m in methods):
        ratio = total_ratio(rows, method, OURS)
        if ratio is not None:
            mean = np.mean([s[method] for s in scores.values()])
            name = BREAKS.get(method, shown(method)) + f"\n{mean:.3f}"
            points.append((ratio, mean, name, *HEADLINE[method][1:]))
            bars.append(standard_error(differences(rows, OURS, method)))
    figure, axes = plt.subplots(figsize=(7, 4.3), layout="constrained")
    for (x, y, _, marker, color), bar in zip(points, bars, strict=True):
        axes.errorbar(
            x, y, yerr=bar or None, fmt=marker, color=color, ms=12, capsize=5, elinewidth=1.8
        )
    axes.axhline(points[0][1], color="0.8", lw=1, ls="--", zorder=0)
    axes.set_xscale("log")
    axes.margins(x=0.35, y=0.12)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter("")
    cpu = "one thread" if threads == 1 else f"{threads} threads"
    axes.set_xlabel("total fit time relative to skmdlam (log scale)", fontsize=13)
    axes.set_ylabel("mean test score (accuracy or R²)", fontsize=13)
    axes.set_title(f"{len(scores)} tabular data sets, default settings, {cpu}", fontsize=14)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=12)
    axes.grid(axis="x", color="0.92", lw=0.8)
    figure.supxlabel(
        "Bars: ± 1 standard error of the mean paired difference from skmdlam" + partly,
        x=0.99, ha="right", multialignment="right", fontsize=10.5, color="0.35",
    )  # fmt: skip
    names = [(x, y, name, color) for x, y, name, _, color in points]
    ends = [(x, y - bar, y + bar) for (x, y, *_), bar in zip(points, bars, strict=True)]
    annotate(axes, names, boxes(axes, ends), fontsize=13, weight="bold", linespacing=1.0)
    for text in axes.texts:
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.0})
    figure.savefig(path, dpi=150)
    plt.close(figure)


def wins_and_losses(rows, rivals, path):
    """Number of data sets on which skmdlam wins, ties and loses, a bar a rival."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 1.3 + 0.5 * len(rivals)), layout="constrained")
    for height, rival in enumerate(reversed(rivals)):
        left = 0
        counts = map(int, outcomes(differences(rows, OURS, rival)).split("/"))
        for (label, color), count in zip(OUTCOMES.items(), counts, strict=True):
            axes.barh(
                height, count, left=left, height=0.7, color=color,
                label=label if height == 0 else None,
            )  # fmt: skip
            if count:
                axes.text(
                    left + count / 2, height, count, ha="center", va="center",
                    fontsize=13, color="black" if label == "ties" else "white", weight="bold",
                )  # fmt: skip
            left += count
    axes.set_yticks(range(len(rivals)), [f"against {shown(r)}" for r in reversed(rivals)])
    axes.set_xlabel("number of data sets", fontsize=12)
    axes.set_xlim(0, left)
    axes.tick_params(labelsize=12, left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    labels[1] += f" (within {MARGIN})"
    figure.legend(
        handles, labels, title="Mean test score of skmdlam, default settings",
        frameon=False, fontsize=12, title_fontsize=14, loc="outside upper center", ncols=3,
    )  # fmt: skip
    figure.savefig(path, dpi=150)
    plt.close(figure)


def dots(rows, rival, path):
    """Test score of skmdlam minus that of a rival, sorted: a dot a data set, a line its splits."""
    import matplotlib.pyplot as plt

    tasks = {row["data set"]: row["task"] for row in rows}
    values = {}
    by_split = {(r["data set"], r["seed"], r["method"]): max(r["score"], 0.0) for r in rows}
    for (name, seed, method), score in by_split.items():
        if method == OURS:
            values.setdefault(name, []).append(score - by_split[name, seed, rival])
    names = sorted(values, key=lambda name: np.mean(values[name]))
    figure, axes = plt.subplots(figsize=(8, 1.6 + 0.19 * len(names)), layout="constrained")
    labels = set()
    for height, name in enumerate(names):
        marker, color = STYLES[tasks[name]]
        label = None if tasks[name] in labels else tasks[name]
        labels.add(tasks[name])
        axes.hlines(height, min(values[name]), max(values[name]), color=color, lw=1.2, alpha=0.5)
        axes.plot(np.mean(values[name]), height, marker, color=color, ms=6, label=label)
    axes.axvspan(-MARGIN, MARGIN, color="0.92", label=f"tie (within {MARGIN})", zorder=0)
    axes.axvline(0, color="0.6", lw=1, zorder=0)
    mean = np.mean([np.mean(v) for v in values.values()])
    axes.axvline(mean, color="0.3", lw=1.2, ls="--", zorder=0, label=f"mean, {mean:+.4f}")
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.plot([], [], color="0.5", lw=1.2, label="range over splits")
    axes.set_xlabel(f"test score (accuracy or R²), skmdlam minus {shown(rival)}", fontsize=11)
    axes.grid(axis="y", color="0.94", lw=0.8)
    axes.set_axisbelow(True)
    figure.legend(frameon=False, fontsize=10, loc="outside upper center", ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def scatter(rows, path):
    """Score minus that of MLP (Adam) against the ratio of times, a point a data set."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    scores, pairs = means(rows, "score"), times(rows, OURS, BASELINE)
    tasks = {row["data set"]: row["task"] for row in rows}
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    points = []
    for task, (marker, color) in STYLES.items():
        names = [name for name in pairs if tasks[name] == task]
        x = [pairs[name][0] / pairs[name][1] for name in names]
        y = [scores[name][OURS] - scores[name][BASELINE] for name in names]
        axes.scatter(x, y, marker=marker, c=color, label=task, zorder=3)
        points += zip(x, y, names, strict=True)
    axes.margins(x=0.12)
    axes.axhspan(-MARGIN, MARGIN, color="0.92", label=f"tie (within {MARGIN})", zorder=0)
    axes.axvline(1.0, color="0.6", linestyle="--", linewidth=1)
    axes.set(
        xscale="log",
        xlabel=f"fit time, skmdlam / {shown(BASELINE)}",
        ylabel=f"test score (accuracy or R²),\nskmdlam minus {shown(BASELINE)}",
        title=f"Default settings, in comparison with {shown(BASELINE)}",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter("")
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(frameon=False, fontsize=10)
    # Names of those that stand out, the furthest first.
    named = [(*p, "black") for p in points if abs(p[1]) > 2 * MARGIN]
    named.sort(key=lambda point: -abs(point[1]))
    marks = boxes(axes, [(x, y, y) for x, y, _ in points])
    annotate(axes, named, [*marks, legend.get_window_extent()], everywhere=False, fontsize=9)
    figure.savefig(path, dpi=120)
    plt.close(figure)
