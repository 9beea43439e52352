"""Settings of the documentation.

Build it with ``python -m sphinx -W --keep-going -b html doc doc/_build/html``; it needs no network.
SKMDLAM_INTERSPHINX=1 links names of Python, NumPy, SciPy and scikit-learn to their own pages, for
which it fetches their indexes. SKMDLAM_GALLERY=0 builds without running the examples. Formulas are
typeset in the browser, by MathJax from its public address; ``-D mathjax_path=URL`` takes another.
"""

import importlib.util
import os
import sys
from pathlib import Path

from docutils import nodes

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# The documentation is that of this checkout, also where another one is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

import skmdlam

project = "skmdlam"
author = "the skmdlam developers"
copyright = f"2026, {author}"
version = release = skmdlam.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "results",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "_ext", "**/README.txt", "auto_examples/**/*.py.md5"]
templates_path = ["_templates"]
default_role = "literal"
nitpicky = False
language = "en"
# Literal blocks are commands and output; Python stands in code blocks and doctests.
highlight_language = "none"
toc_object_entries_show_parents = "hide"

# -- API ------------------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {"member-order": "bysource"}
# Without skl2onnx the pages of its converters can still be made.
autodoc_mock_imports = [
    name for name in ("skl2onnx", "onnx") if importlib.util.find_spec(name) is None
]
# A table of the methods after the parameters; the methods themselves are further down the page.
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = True
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

# -- Gallery --------------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "plot_gallery": os.environ.get("SKMDLAM_GALLERY", "1") != "0",
    "abort_on_example_error": True,
    "doc_module": ("skmdlam",),
    "backreferences_dir": "auto_examples/backreferences",
    "reference_url": {"skmdlam": None},
    "within_subsection_order": "gallery.SimpleFirst",
    "thumbnail_size": (400, 280),
    "show_memory": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "min_reported_time": 1,
    "show_signature": False,
    "matplotlib_animations": False,
    "download_all_examples": False,
}

# -- Other people's documentation -----------------------------------------------------------------

if os.environ.get("SKMDLAM_INTERSPHINX", "0") != "0":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

# Labels and terms of scikit-learn's documentation in docstrings that our estimators inherit.
SCIKIT_LEARN = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "meta-estimator": "glossary.html#term-meta-estimator",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}

# -- HTML -----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"skmdlam {version}"
html_short_title = "skmdlam"
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["skmdlam.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skmdlam", "alt_text": "skmdlam, start page"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    # The list of versions is that of the site: without a network the menu is empty.
    "switcher": {
        "json_url": "https://skmdlam.readthedocs.io/en/latest/_static/switcher.json",
        "version_match": "latest" if "dev" in release else release,
    },
    "check_switcher": False,
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_toc_level": 2,
    "footer_start": ["copyright", "version"],
    "footer_end": ["version-switcher"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
# Pages that have no pages below them have nothing to navigate to.
html_sidebars = {
    page: []
    for page in ("index", "getting_started", "when_to_use", "algorithm", "features", "changelog")
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_heading_anchors = 3


def _link_to_scikit_learn(app, env, node, contnode):
    """Resolve a label or term of scikit-learn without fetching its index."""
    if node.get("reftype") not in ("ref", "term"):
        return None
    page = SCIKIT_LEARN.get(node.get("reftarget"))
    if page is not None:
        url = f"https://scikit-learn.org/stable/{page}"
        return nodes.reference("", contnode.astext(), refuri=url)
    # A label that a later version has: text will do.
    return contnode if "docstring of sklearn." in (node.source or "") else None


def setup(app):
    """Connect what is defined above."""
    app.connect("missing-reference", _link_to_scikit_learn)
