"""Texts from Jinja templates: captions, tables and pages, each beside the module that fills it.

`fill(__file__, ".rst", ...)` in figures/strategies.py fills figures/strategies.rst.jinja. A line with nothing
but a statement leaves no line of text. By ending:

    .rst    a line break within a paragraph or an item becomes a space, so the template may be wrapped
    .html   every value is escaped
    .tex    placeholders are << value >> and <% if ... %>, because TeX needs the braces

A template is part of the key of what it appears in, as the code of its module is (rlv/job/own_code.py).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_WRAPPED = re.compile(r"(?<!\n)\n(?!\n|\* |\Z) *")
_TEX = {
    **{"variable_start_string": "<<", "variable_end_string": ">>"},
    **{"block_start_string": "<%", "block_end_string": "%>"},
    **{"comment_start_string": "<#", "comment_end_string": "#>"},
}


def fill(module: str, suffix: str, **values: Any) -> str:
    """The text of the template `<module><suffix>.jinja`; `module` is the path of a Python file.

    Raises jinja2.UndefinedError if the template names a value that is not given.
    """
    file = Path(module)
    text = _environment(file.parent, suffix).get_template(f"{file.stem}{suffix}.jinja").render(values)
    return _WRAPPED.sub(" ", text) if suffix == ".rst" else text


@cache
def _environment(folder: Path, suffix: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=suffix == ".html",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **(_TEX if suffix == ".tex" else {}),  # pyright: ignore[reportArgumentType]
    )
