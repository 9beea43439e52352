"""What benchmarks/raw_tables.py reports. Rows are those of ``scores.csv``, a fit each.

skmdlam is compared with each of the others; without fits of it, the first method that has some.
Scores are means over the splits of a data frame; negative ones count as zero. Times are processor
time, and are compared across runs.
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
    "tables": "Real data frames",
    "levels": "Synthetic data frames with many categories",
    "gaps": "Synthetic data frames with missing values",
}
# Data frames and scores as they are shown, by their name in scores.csv.
NAMES = {
    "levels, Zipf": "Zipf-distributed categories",
    "levels, few rows each": "few samples per category",
    "levels, two columns": "two categorical features",
    "levels with slopes": "slopes by category",
    "levels that say nothing": "irrelevant categories",
    "levels, classes": "categories, classification",
    "levels, one-hot by hand": "one-hot features",
    "gaps at random": "missing completely at random",
    "gaps that tell": "informative missing values",
    "gaps at predict only": "missing in the test data only",
    "levels estimated": "category effects estimated",
}


def shown(name):
    """Name of a data frame or of a score as it is shown."""
    return NAMES.get(name, name)


def fitted(rows):
    """Return the methods with fits, skmdlam first, and the known scores, in order of appearance."""
    names = list(dict.fromkeys(row["method"] for row in rows))
    methods = [name for name in names if name not in KNOWN]
    return sorted(methods, key=lambda name: name != OURS), [name for name in KNOWN if name in names]


def complete(rows):
    """Rows that can be compared, their methods, and {method left out: number of its splits}.

    The splits are those of the first method; the others have all of them.
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
        "times best",
        f"{first} minus it ± standard error",
        f"wins/ties/losses of {first}",
        "worst difference",
        "median time ratio",
        "seconds of all fits",
    ]
    return table(header, lines)


def details(rows, field="score", digits=3):
    """Mean of every method on every frame, a dash where it has no fit, and the known scores."""
    methods, known = fitted(rows)
    values = means(rows, field)
    names = [*methods, *known] if field == "score" else methods
    lines = [
        [shown(name), *(number(by_method.get(method), digits) for method in names)]
        for name, by_method in values.items()
    ]
    return table(["data frame", *map(shown, names)], lines)


def provenance(runs):
    """The commands and machines behind the rows."""
    return "".join(f"- Run {run['run']}: `{run['command']}`. {run['machine']}\n" for run in runs)


def page(rows, runs):
    """Return the report, in Markdown."""
    splits = sorted({row["seed"] for row in rows})
    text = (
        f"# Data frames with categories and missing values\n\n{provenance(runs)}\n"
        f"Means over {len(splits)} split(s). Scores are accuracy or R²; negative ones count as "
        "zero. A difference of 0.003 or less is a tie. Times are processor time of a fit with one "
        "thread, preprocessing included, compared across runs. The methods and data frames are "
        "described in the docstrings of `benchmarks/raw_tables.py` and "
        "`benchmarks/raw_tables_data.py`. MLP is `MLPClassifier` or `MLPRegressor` (Adam).\n\n"
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
            '\n"Best possible" is the score of the conditional expectation of the target; '
            '"category effects estimated" is that of the best estimate of the effects of the '
            "categories when all else is known.\n"
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
    handles = {}
    for axes, (folder, some) in zip(panels[:, 0], folders.items(), strict=True):
        scores = means(some, "score")
        for height, by_method in enumerate(scores.values()):
            if KNOWN[0] in by_method:
                handles[KNOWN[0]] = axes.plot(by_method[KNOWN[0]], height, "|k", ms=16)[0]
            for method, (mark, color) in reversed(STYLES.items()):
                if method in by_method:
                    value = by_method[method]
                    dot = axes.plot(value, height, mark, color=color, ms=7, mec="w", mew=0.6)
                    handles[method] = dot[0]
        axes.set_yticks(range(len(scores)), map(shown, scores))
        axes.set(title=TITLES[folder], ylim=(len(scores) - 0.5, -0.5))
        axes.grid(alpha=0.3)
    panels[-1, 0].set_xlabel("test score (accuracy or R²)")
    names = [name for name in (*STYLES, *KNOWN) if name in handles]
    figure.legend(
        [handles[name] for name in names], names, loc="outside lower center", ncols=3, frameon=False
    )  # fmt: skip
    figure.savefig(path, dpi=120)
    plt.close(figure)
