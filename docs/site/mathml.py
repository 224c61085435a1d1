"""Formulas as MathML, which browsers draw by themselves: pages need no script, no font and no network for it.

docutils converts LaTeX when the site is built. A formula that it cannot read is a warning, which `make docs`
takes for an error.
"""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

_LOG = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext(), node))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{mathml(node.astext(), node, block=True)}</div>')
    raise nodes.SkipNode


def mathml(latex: str, node: nodes.Node | None = None, *, block: bool = False) -> str:
    """A formula as a `<math>` element; one that cannot be read as text, with a warning."""
    try:
        return latex2mathml.tex2mathml(latex, as_block=block)
    except MathError as error:
        _LOG.warning("formula %r cannot be read: %s", latex, error, location=node)
        return f"<code>{nodes.Text(latex).astext()}</code>"
