"""How Sphinx builds the site: `make docs` writes build/docs/index.html, and any warning is an error.

Pages are Markdown (myst-parser), the theme is furo, formulas become MathML when the site is built, and tables
that code knows better come from it (directives.py): nothing is fetched when a page is opened.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import rlv

project = "rlv"
author = "rlv contributors"
version = release = rlv.__version__
html_title = "rlv"
html_short_title = "rlv"

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.site.directives", "docs.site.mathml"]
root_doc = "index"
exclude_patterns = ["site/**", "badges/**"]

myst_enable_extensions = ["attrs_block", "deflist", "dollarmath"]
myst_heading_anchors = 4
# Existing pages use footnotes nowhere, and a line of them between sections would only be noise.
myst_footnote_transition = False

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
html_math_renderer = "mathml"
pygments_style = "friendly"
