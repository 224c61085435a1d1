"""A figure's caption, reStructuredText as templates write it (rlv/evaluation/templates.py), as HTML.

docutils reads it, as Snakemake's report does, which brings it along. Only paragraphs, lists and a few kinds
of words become elements; of everything else that reStructuredText has, such as links, the text is left.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from rlv.errors import StoreError

_ELEMENTS = {
    "paragraph": "p",
    "bullet_list": "ul",
    "list_item": "li",
    "literal": "code",
    "emphasis": "em",
    "strong": "strong",
    "superscript": "sup",
    "subscript": "sub",
}
# docutils reads no files, runs no directive of raw HTML, and sends no message to the terminal.
_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "line_length_limit": 1_000_000,
}


def caption_html(text: str) -> Markup:
    """The caption as HTML of paragraphs and lists. Raises StoreError if docutils cannot read it."""
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    try:
        return _html(publish_doctree(text, settings_overrides=_SETTINGS))
    except (SystemMessage, RecursionError, ValueError) as error:
        raise StoreError(f"a caption that is no reStructuredText ({type(error).__name__})") from error


def _html(node: object) -> Markup:
    from docutils.nodes import Element, Text, system_message

    if isinstance(node, Text):
        return escape(node.astext())
    if not isinstance(node, Element) or isinstance(node, system_message):
        return Markup("")
    inside = Markup("").join(map(_html, node.children))
    name = _ELEMENTS.get(type(node).__name__)
    return inside if name is None else Markup("<{0}>{1}</{0}>").format(Markup(name), inside)
