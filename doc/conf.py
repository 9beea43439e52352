"""Settings of the documentation.

Build it with ``python -m sphinx -W --keep-going -b html doc doc/_build/html``; it needs no network.
SKMDLAM_INTERSPHINX=1 links names of Python, NumPy, SciPy and scikit-learn to their own pages, for
which it fetches their indexes. SKMDLAM_GALLERY=0 builds without running the examples.
"""

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
# Literal blocks are formulas and commands; Python stands in code blocks and doctests.
highlight_language = "none"
toc_object_entries_show_parents = "hide"

# -- API ------------------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {"member-order": "bysource"}
# The templates list the members; a second list from numpydoc would need a page for each.
numpydoc_show_class_members = False
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
    "within_subsection_order": "gallery.QuickstartFirst",
    "show_memory": False,
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
html_title = "skmdlam"
html_static_path = ["_static"]
html_css_files = ["skmdlam.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skmdlam"},
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
    "show_toc_level": 2,
    "footer_start": ["copyright", "version"],
    "footer_end": ["version-switcher"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
# Pages that have no pages below them have nothing to navigate to.
html_sidebars = {
    page: []
    for page in ("index", "getting_started", "algorithm", "features", "changelog", "contributing")
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
