"""What the benchmarks share: options, tables in Markdown, the machine behind the numbers."""

import argparse
import csv
import os
import platform
import shlex
import sys
from pathlib import Path

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_info

import skmdlam

RESULTS = Path(__file__).resolve().parent / "results"


def tables_parser(description):
    """Return a parser with the option of folders of tables."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[None],
        metavar="DIR",
        help="folders with INDEX.tsv and NAME.npz",
    )
    return parser


def table(header, rows):
    """Return a Markdown table, the first column aligned to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def rst_table(header, rows):
    """Return a simple table in reStructuredText; the first cell of a row must not be empty."""
    cells = [[str(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def number(value, digits=3):
    """Return a number with so many digits, ``0.805``; a dash where there is none."""
    return "-" if value is None else f"{value:z.{digits}f}"


def spread(values, digits=3):
    """Return mean and standard deviation of repeated measurements, ``0.805 ± 0.012``."""
    mean = number(np.mean(values), digits)
    return f"{mean} ± {number(np.std(values, ddof=1), digits)}" if len(values) > 1 else mean


def command_line(script, arguments=None):
    """Return the command that is running; where its data lie here is nobody's business."""
    given = []
    for argument in map(str, sys.argv[1:] if arguments is None else arguments):
        option, equals, value = argument.rpartition("=")
        given.append(option + equals + ("DIR" if Path(value).is_absolute() else value))
    return shlex.join(["python", f"benchmarks/{Path(script).name}", *given])


def environment():
    """Describe processor, Python, libraries and BLAS threads in a line."""
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (skmdlam, sklearn, scipy, np))
    blas = ", ".join(
        f"{pool['internal_api']} {pool['version']} on {pool['num_threads']} thread(s)"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return (
        f"{_processor()}, {os.cpu_count()} processors, {platform.system()}; "
        f"Python {platform.python_version()}, {versions}; {blas}"
    )


def with_summary(folder, report):
    """Return a report whose first paragraph is the summary of a folder of ``results``.

    That is the sentence of ``results/summaries.tsv``, which is written by hand; a test compares its
    numbers with those of the report. A report for another folder stays as it is.
    """
    if folder.resolve().parent != RESULTS:
        return report
    with (RESULTS / "summaries.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        summaries = {row["name"]: row["summary"] for row in rows}
    title, _, rest = report.partition("\n\n")
    return f"{title}\n\n{summaries[folder.name]}\n\n{rest}"


def write_page(folder, report, name="README.md"):
    """Write a report, with its summary, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(with_summary(folder, report), encoding="utf-8")


def write_results(folder, report, rows):
    """Write a report as ``README.md`` and the rows behind it as ``scores.csv`` into a folder."""
    write_page(folder, report)
    write_rows(folder / "scores.csv", rows)


def write_rows(path, rows):
    """Write rows, dictionaries of the same keys, as a table; all of it or, interrupted, nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def _processor():
    """Name of the processor; its architecture where the system does not tell more."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
