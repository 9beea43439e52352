"""What benchmarks/raw_tables.py reports. Rows are those of ``scores.csv``, a fit each.

Ours is compared with each of the others; as long as it has no fits, the first method that has.
Scores are means over the splits of a frame, of which what is below zero counts as zero. Times are
processor time, and are compared across runs.
"""

import numpy as np
from report import number, table
from tabular_page import differences, means, outcomes, parts, signed, standard_error

OURS = "skmdlam"
KNOWN = ("best possible", "levels estimated")  # scores that no method was fitted for
# Mark and color of each method in the figure.
STYLES = {
    OURS: ("o", "#0072B2"),
    "skmdlam, ColumnTransformer": ("P", "#56B4E9"),
    "skmdlam, TargetEncoder": ("X", "#56B4E9"),
    "MLP, ColumnTransformer": ("s", "#D55E00"),
    "HistGradientBoosting": ("^", "#009E73"),
    "HistGradientBoosting, TargetEncoder": (">", "#009E73"),
    "CatBoost": ("v", "#E69F00"),
}
TITLES = {
    "tables": "Tables as they come",
    "levels": "Levels: frames that are made, whose best is known",
    "gaps": "Gaps: frames that are made, whose best is known",
}


def fitted(rows):
    """Return the methods with fits, ours first, and the known scores, in order of appearance."""
    names = list(dict.fromkeys(row["method"] for row in rows))
    methods = [name for name in names if name not in KNOWN]
    return sorted(methods, key=lambda name: name != OURS), [name for name in KNOWN if name in names]


def complete(rows):
    """Rows that can be compared, their methods, and {method left out: number of its splits}.

    The splits are those of the first method, ours where it has fits; the others have all of them.
    """
    splits = {}
    for row in rows:
        splits.setdefault(row["method"], set()).add((row["data set"], row["seed"]))
    names, _ = fitted(rows)
    usable = splits[names[0]]
    methods = [name for name in names if splits[name] >= usable]
    kept = [
        row for row in rows if row["method"] in methods and (row["data set"], row["seed"]) in usable
    ]
    lacking = {name: len(splits[name] & usable) for name in names if name not in methods}
    return kept, methods, lacking


def seconds(rows):
    """Mean processor seconds of a fit: {data set: {method: value}}."""
    return means(rows, "seconds")


def time_ratio(rows, method, other):
    """Time of a method over that of another on each frame, an array."""
    return np.array([s[method] / s[other] for s in seconds(rows).values()])


def mean_log_loss(rows, method):
    """Mean log-loss over the frames with classes; None where there is none."""
    rows = [row for row in rows if row["method"] == method and row["log-loss"] != ""]
    values = [s[method] for s in means(rows, "log-loss").values()]
    return float(np.mean(values)) if values else None


def summary(rows):
    """One line a method: mean score, how often the best, what the first wins, and times."""
    rows, methods, _ = complete(rows)
    scores, first = means(rows, "score"), methods[0]
    best = {name: max(by_method.values()) for name, by_method in scores.items()}
    lines = []
    for method in methods:
        difference = differences(rows, first, method)
        ratio = time_ratio(rows, method, first)
        error = number(standard_error(difference), 4)
        lines.append(
            [
                method,
                number(float(np.mean([s[method] for s in scores.values()])), 4),
                number(mean_log_loss(rows, method)),
                sum(s[method] == best[name] for name, s in scores.items()),
                "" if method == first else f"{signed(difference.mean(), 4)} ± {error}",
                "" if method == first else outcomes(difference),
                "" if method == first else signed(difference.min()),
                number(float(np.median(ratio)), 2),
                f"{sum(s[method] for s in seconds(rows).values()):.1f}",
            ]
        )
    header = [
        "method",
        "mean score",
        "mean log-loss",
        "times the best",
        f"{first} minus it ± standard error",
        f"wins/ties/losses of {first}",
        "its worst",
        "median time ratio",
        "seconds for all",
    ]
    return table(header, lines)


def details(rows, field="score", digits=3):
    """Mean of every method on every frame, a dash where it has no fit, and the known scores."""
    methods, known = fitted(rows)
    values = means(rows, field)
    names = [*methods, *known] if field == "score" else methods
    lines = [
        [name, *(number(by_method.get(method), digits) for method in names)]
        for name, by_method in values.items()
    ]
    return table(["frame", *names], lines)


def provenance(runs):
    """The commands and machines behind the rows."""
    return "".join(f"- Run {run['run']}: `{run['command']}`. {run['machine']}\n" for run in runs)


def page(rows, runs):
    """Return the report, in Markdown."""
    splits = sorted({row["seed"] for row in rows})
    text = (
        f"# Frames with categories and gaps, as they come\n\n{provenance(runs)}\n"
        f"Mean of {len(splits)} split(s); scores are accuracy or R², of which what is below zero "
        "counts as zero. Times are processor time of a fit with one thread, preprocessing "
        "included, compared across runs. What the methods and frames are is in the docstrings of "
        "`benchmarks/raw_tables.py` and `benchmarks/raw_tables_data.py`.\n\n"
        "![scores](scores.png)\n"
    )
    for folder, some in parts(rows).items():
        _, _, lacking = complete(some)
        text += f"\n## {TITLES[folder]}\n\n{summary(some)}"
        for method, count in lacking.items():
            text += f"\nLeft out: {method}, which has {count} of the splits.\n"
        text += f"\nScores:\n\n{details(some)}\nSeconds:\n\n{details(some, 'seconds', 2)}"
    if any(row["method"] in KNOWN for row in rows):
        text += (
            "\nBest possible is the score of the expectation of the target; levels estimated is "
            "that of the best estimate of the levels' effects when all else is known.\n"
        )
    return text


def draw(rows, path):
    """Draw the score of each method on each frame, and the best possible as a bar."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folders = parts(rows)
    counts = [len(means(some, "score")) for some in folders.values()]
    figure, panels = plt.subplots(
        len(folders), figsize=(9, 1.2 + 0.8 * len(folders) + 0.36 * sum(counts)),
        height_ratios=counts, layout="constrained", squeeze=False,
    )  # fmt: skip
    shown = {}
    for axes, (folder, some) in zip(panels[:, 0], folders.items(), strict=True):
        scores = means(some, "score")
        for height, by_method in enumerate(scores.values()):
            if KNOWN[0] in by_method:
                shown[KNOWN[0]] = axes.plot(by_method[KNOWN[0]], height, "|k", ms=16)[0]
            for method, (mark, color) in reversed(STYLES.items()):
                if method in by_method:
                    value = by_method[method]
                    dot = axes.plot(value, height, mark, color=color, ms=7, mec="w", mew=0.6)
                    shown[method] = dot[0]
        axes.set_yticks(range(len(scores)), scores)
        axes.set(title=TITLES[folder], ylim=(len(scores) - 0.5, -0.5))
        axes.grid(alpha=0.3)
    panels[-1, 0].set_xlabel("accuracy or R²")
    names = [name for name in (*STYLES, *KNOWN) if name in shown]
    handles = [shown[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
