"""Parts of pages that come from the code, so that they cannot be out of date.

    {formats}       the formats of samples that are recognised (rlv/imported/dialects.py)
    {commands}      `rlv COMMAND --help` of every command
    {interface}     what rlv exports, each with its signature and docstring
    {claims}        the claims of the scoreboard, with the data sets that each is about

Links from pages to Markdown files elsewhere in the repository lead to the pages that include these files.
"""

from __future__ import annotations

import inspect
import io
import os
import re
from contextlib import redirect_stdout
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import rlv
from rlv.cli import COMMANDS, main
from rlv.evaluation.claims.registry import CLAIMS
from rlv.imported import dialects

# Of the repository -> the page that includes it.
INCLUDED = {
    "../README.md": "index.md",
    "../config/README.md": "keys.md",
    "../envs/README.md": "environments.md",
    "../CONTRIBUTING.md": "contributing.md",
}


def setup(app: Sphinx) -> dict[str, bool]:
    for directive in (Formats, Commands, Interface, Claims):
        app.add_directive(directive.__name__.lower(), directive)
    app.connect("source-read", _towards_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _towards_pages(app: Sphinx, page: str, source: list[str]) -> None:
    for file, target in INCLUDED.items():
        source[0] = source[0].replace(f"]({file}", f"]({target}")


class Markdown(SphinxDirective):
    """Markdown that code has written, in the place of the directive."""

    has_content: ClassVar[bool] = False

    def text(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)


class Formats(Markdown):
    def text(self) -> str:
        return formats_table()


class Commands(Markdown):
    def text(self) -> str:
        return "\n\n".join(f"## rlv {name}\n\n```text\n{help_of(name)}\n```" for name in COMMANDS)


class Interface(Markdown):
    def text(self) -> str:
        return "\n\n".join(map(_described, sorted(set(rlv.__all__) - {"__version__"}, key=str.lower)))


class Claims(Markdown):
    def text(self) -> str:
        return claims_table()


def formats_table() -> str:
    """One row a format: its name, where it comes from, and which column is read as which field."""
    lines = ["| format | written by | columns that are read |", "|---|---|---|"]
    for name, record in dialects.DIALECTS.items():
        fields = (f"{field}: {_columns(columns)}" for field, columns in record.fields.items())
        lines.append(f"| `{name}` | {sources()[name]} | {'<br>'.join(fields)} |")
    return "\n".join(lines)


def _columns(names: tuple[str, ...], most: int = 3) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (", …" if len(names) > most else "")


def sources() -> dict[str, str]:
    """Format -> who writes it, as the header of rlv/imported/dialects.py lists them."""
    listed = re.findall(r"^    (\S+) {2,}(.*(?:\n {8,}.*)*)", dialects.__doc__ or "", re.MULTILINE)
    found = {name: " ".join(text.split()).split(";")[0] for name, text in listed}
    missing = set(dialects.DIALECTS) - set(found)
    if missing:
        raise ValueError(f"rlv/imported/dialects.py: its header does not list {sorted(missing)}")
    return found


def help_of(command: str) -> str:
    """What `rlv COMMAND --help` prints on a terminal of 96 columns, without colours."""
    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR")}
    os.environ.update(COLUMNS="96", NO_COLOR="1")
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            main([command, "--help"])
    except SystemExit:
        pass
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return said.getvalue().rstrip()


def _described(name: str) -> str:
    kind = "autoclass" if inspect.isclass(getattr(rlv, name)) else "autofunction"
    options = "   :members:\n" if kind == "autoclass" else ""
    return f"```{{eval-rst}}\n.. {kind}:: rlv.{name}\n{options}```"


def claims_table() -> str:
    """One row a claim: its name, the data sets that it is about, and what is compared."""
    lines = ["| claim | on | what is compared |", "|---|---|---|"]
    for name, record in CLAIMS.items():
        first = (inspect.getdoc(record.compute) or "").split("\n\n")[0]
        lines.append(f"| `{name}` | {', '.join(record.roles)} | {' '.join(first.split())} |")
    return "\n".join(lines)
