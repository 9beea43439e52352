"""The HTML representation: links to our documentation, and parameters explained by docstrings."""

import re
import tomllib
from html import unescape
from pathlib import Path

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skmdlam import MDLAMClassifier, MDLAMRegressor
from skmdlam._base import DOCUMENTATION

ROOT = Path(__file__).resolve().parents[1]
ESTIMATORS = [MDLAMClassifier, MDLAMRegressor]
EXPLAINED = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 8)


def page(Estimator):
    return f"{DOCUMENTATION}generated/skmdlam.{Estimator.__name__}.html"


@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_links_to_its_page(Estimator):
    html = estimator_html_repr(Estimator())
    link = re.search(r'<a class="sk-estimator-doc-link[^"]*"[^>]*href="([^"]+)"', html)
    assert link[1] == page(Estimator)


def test_links_inside_of_a_pipeline():
    html = estimator_html_repr(make_pipeline(StandardScaler(), MDLAMClassifier()))
    assert f'href="{page(MDLAMClassifier)}"' in html
    assert "https://scikit-learn.org/" in html  # the scaler still links to its own page


def test_a_subclass_of_a_user_links_to_nothing_of_ours():
    class Mine(MDLAMClassifier):
        pass

    assert DOCUMENTATION not in estimator_html_repr(Mine())


@pytest.mark.skipif(not EXPLAINED, reason="explained since scikit-learn 1.8")
@pytest.mark.parametrize("Estimator", ESTIMATORS)
def test_every_parameter_is_explained(Estimator):
    html = estimator_html_repr(Estimator())
    rows = re.findall(
        r'<a class="param-doc-link".*?href="([^"]+)">\s*(\w+)\s*'
        r'<span class="param-doc-description"[^>]*>\s*(.*?)</span>',
        html,
        re.DOTALL,
    )
    links = {name: link for link, name, _ in rows}
    texts = {name: unescape(text) for _, name, text in rows}
    assert set(links) == set(Estimator().get_params())
    assert texts["alpha"].startswith('alpha: float or "auto", default="auto"')
    assert all(link.startswith(page(Estimator) + "#") for link in links.values())
    assert all(len(text) > len(name) + 20 for name, text in texts.items())


def test_one_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert DOCUMENTATION.startswith(project["urls"]["Documentation"])
