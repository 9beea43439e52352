"""The pages of results open with a summary, whose numbers are those of the page."""

import csv
import importlib
import re

import pytest

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-\d+)?(?![\w])")


@pytest.fixture
def report(scripts):
    return importlib.import_module("report")


def summaries(report):
    with (report.RESULTS / "summaries.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["name"]: row["summary"] for row in rows}


def test_each_page_opens_with_its_summary(report):
    found = {path.parent.name: path for path in report.RESULTS.glob("*/README.*")}
    assert summaries(report).keys() == found.keys()
    for name, summary in summaries(report).items():
        paragraphs = found[name].read_text(encoding="utf-8").split("\n\n")
        assert paragraphs[1] == summary
        question, result = summary.split("? ", 1)
        assert question[0].isupper() and result.endswith(".")
        # All fractions, and the counts after them, are on the page, digit for digit or rounded.
        rest = "\n".join(paragraphs[2:])
        page = [float(number.replace(",", "")) for number in NUMBER.findall(rest)]
        for number in NUMBER.findall(result):
            if "." in number and name != "compare":
                digits = len(number.partition(".")[2])
                assert float(number) in [round(value, digits) for value in page], (name, number)


def test_a_report_elsewhere_has_no_summary(report, tmp_path):
    report.write_page(tmp_path / "tabular", "# Title\n\nText\n")
    assert (tmp_path / "tabular" / "README.md").read_text(encoding="utf-8") == "# Title\n\nText\n"
    assert "\n\nHow do the default settings compare" in report.with_summary(
        report.RESULTS / "tabular", "# Title\n\nText\n"
    )


def test_numbers_have_their_zero_and_no_negative_one(report):
    assert [report.number(value) for value in (0.8049, -0.0002, -0.5, 1.5, None)] == [
        "0.805",
        "0.000",
        "-0.500",
        "1.500",
        "-",
    ]
