"""The page of the paper's tables and figures, of a small random graph."""

import csv
import importlib

import pytest


class TestPaperPage:
    @pytest.fixture
    def page(self, scripts, monkeypatch):
        """Return the script as a module, with as little to measure as shows that it works."""
        module = importlib.import_module("paper_page")
        monkeypatch.setattr(module.paper, "EPOCHS", 10)
        monkeypatch.setattr(module.paper, "CHECKPOINTS", (2, 4, 6, 8, 10))
        monkeypatch.setattr(module.paper, "TITLES", {"cora": "Cora"})
        monkeypatch.setattr(module, "SEEN", (1, 5, 10))
        monkeypatch.setattr(module, "TIMED_EPOCHS", 2)
        monkeypatch.setattr(module, "UNITS", (10, 20))
        monkeypatch.setattr(module, "RHOS", (1e-2, 1e-1))
        return module

    @pytest.fixture
    def data(self, folder):
        table = folder / "graphs" / "paper_tables.csv"
        text = table.read_text(encoding="utf-8").splitlines()[1:]
        epochs = ",".join(f"epoch{epoch}" for epoch in (2, 4, 6, 8, 10))
        header = f"table,dataset,parameter,value,{epochs}"
        table.write_text("\n".join([header, *text]) + "\n", encoding="utf-8")
        return folder

    @pytest.mark.slow
    def test_one_command_makes_it(self, page, data, tmp_path):
        core = pytest.importorskip("docutils.core")
        out, tables = tmp_path / "page", tmp_path / "tables"
        page.main(
            ["--data", str(data), "--out", str(out), "--tables", str(tables)] + ["--seeds", "2"]
        )
        text = (out / "README.rst").read_text(encoding="utf-8")
        core.publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 2})
        for published in ("0.501", "0.502", "0.503", "0.505"):
            assert f"  {published} " in text or f"  {published}\n" in text
        assert str(tmp_path) not in text
        for image in ("training.png", "test.png", "seconds.png"):
            assert f".. image:: {image}\n" in text
            assert (out / image).stat().st_size > 5000

        with open(out / "curves.csv", newline="", encoding="utf-8") as file:
            curves = list(csv.DictReader(file))
        methods = {row["method"] for row in curves}
        assert methods - set(page.RIVALS) == set(page.paper.METHODS)
        assert all(row["epoch"] in {"1", "5", "10"} for row in curves)

        # Drawn again from what was measured, it is the same.
        again = page.main(["--data", str(data), "--out", str(out), "--tables", str(tables)]
                          + ["--measure"])  # fmt: skip
        assert again == text

    @pytest.mark.slow
    def test_rivals_descend(self, page, data):
        pytest.importorskip("torch")
        graph = page.paper.load_graph(data / "graphs" / "cora.npz")
        (_, _, first, _), *_, (_, seconds, last, _) = page.rival_curve(graph, "GD", 0.1, seed=0)
        assert last > first
        assert seconds > 0
