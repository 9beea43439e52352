"""Results of the benchmarks in the documentation: no number is typed twice.

Every folder of ``benchmarks/results`` that holds a ``README.md`` or ``README.rst`` becomes a page,
``benchmarks/results/NAME``, copied with its figures before the build. The directive ``results``
shows a part of one of their tables::

    .. results:: tabular
       :columns: method; mean test score
       :header: Method; Mean score
       :rows: skmdlam; adam

It is the first table that has all these columns, or with ``:table: 2`` the second one; columns and
rows are named as they are there, rows by their first cell, ``*`` in it standing for anything, with
a semicolon between them. ``a | b`` is a row whose first two cells are these.

The directive ``summaries`` lists what results say at their top, a question and its answer::

    .. summaries:: tabular stream
"""

import fnmatch
import shutil
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SHOWN = {".md", ".rst", ".png", ".svg"}


def tables(text):
    """Return the tables of a Markdown text, each a list of rows of cells, the header first."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if not all(set(cell) <= set("-: ") for cell in cells):
                rows.append(cells)
        elif rows:
            found.append(rows)
            rows = []
    return found


def tables_of(name):
    """Return the tables of a result."""
    return tables((RESULTS / name / "README.md").read_text(encoding="utf-8"))


def names_of(argument):
    """Return the names of an option."""
    return [name.strip() for name in argument.split(";")]


class Results(Directive):
    """A part of a table of ``benchmarks/results/NAME/README.md``."""

    required_arguments = 1
    option_spec = {
        "columns": names_of,
        "header": names_of,
        "rows": names_of,
        "table": int,
    }

    def run(self):
        """Return the table."""
        path = RESULTS / self.arguments[0] / "README.md"
        env = self.state.document.settings.env
        env.note_dependency(str(path))
        try:
            names = self.options["columns"]
            found = tables_of(self.arguments[0])
            header, *rows = with_columns(found, names, self.options.get("table", 1))
            columns = [header.index(name) for name in names]
            if "rows" in self.options:
                rows = [row_of(rows, pattern) for pattern in self.options["rows"]]
        except (KeyError, OSError, ValueError) as error:
            raise self.error(f"results: {path.name} of {path.parent.name}: {error}") from error
        header = self.options.get("header", [header[i] for i in columns])
        return [_table(header, [[row[i] for i in columns] for row in rows])]


class Summaries(Directive):
    """A table of results, the question of each and the answer, and a toctree of their pages."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Return the table."""
        env = self.state.document.settings.env
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 35 65", ""]
        lines += ["   * - Question", "     - Result"]
        pages = []
        for name in self.arguments[0].split():
            page = _page(RESULTS / name)
            if page is None:  # A test sees to it that none that is there is left out.
                continue
            env.note_dependency(str(page))
            question, answer = summary_of(page)
            lines += [f"   * - :doc:`{question} <results/{name}/README>`", f"     - {answer}"]
            pages.append(f"   results/{name}/README")
        lines += ["", ".. toctree::", "   :hidden:", "", *pages]
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, source=""), self.content_offset, node)
        return node.children


def summary_of(page):
    """Return the question and the answer at the top of a page; its title where there is none."""
    title, *rest = page.read_text(encoding="utf-8").split("\n\n")
    question, mark, answer = " ".join(rest[0].split()).partition("? ") if rest else ("", "", "")
    if mark:
        return f"{question}?", answer
    return title.lstrip("# ").splitlines()[0], ""


def with_columns(found, names, number):
    """Return the table of that number, counted from 1, among those with these columns."""
    having = [table for table in found if set(names) <= set(table[0])]
    if len(having) < number:
        raise ValueError(f"{len(having)} tables have the columns {names}; no number {number}")
    return having[number - 1]


def row_of(rows, pattern):
    """Return the first row whose first cells are these."""
    cells = [cell.strip() for cell in pattern.split("|")]
    for row in rows:
        if all(map(fnmatch.fnmatchcase, row, cells)):
            return row
    raise ValueError(f"no row {pattern!r}")


def _table(header, rows):
    """Return a table node, numbers to the right."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    head, body = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [header]), (body, rows)):
        for cells in lines:
            row = nodes.row()
            for i, cell in enumerate(cells):
                entry = nodes.entry("", nodes.paragraph("", cell))
                entry["classes"] += ["text-left" if i == 0 else "text-right"]
                row += entry
            part += row
    group += [head, body]
    table = nodes.table("", group, classes=["results"])
    return table


def copy_results(app):
    """Copy the pages and their figures to where Sphinx looks for sources."""
    target = Path(app.srcdir) / "benchmarks" / "results"
    pages = {folder.name for folder in RESULTS.iterdir() if _page(folder) is not None}
    for old in target.iterdir() if target.exists() else ():
        if old.name not in pages:
            shutil.rmtree(old)
    for name in pages:
        (target / name).mkdir(parents=True, exist_ok=True)
        for source in (RESULTS / name).iterdir():
            if source.suffix in SHOWN:
                copy = target / name / source.name
                # An unchanged page need not be read again.
                if not copy.exists() or copy.read_bytes() != source.read_bytes():
                    shutil.copyfile(source, copy)


def _page(folder):
    """Return the report in a folder of results, None where there is none."""
    found = [folder / name for name in ("README.md", "README.rst")]
    return next((path for path in found if path.is_file()), None)


def setup(app):
    """Register with Sphinx."""
    app.add_directive("results", Results)
    app.add_directive("summaries", Summaries)
    app.connect("builder-inited", copy_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
