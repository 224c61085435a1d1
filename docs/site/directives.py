"""Parts of pages that come from the code, so that they cannot be out of date.

    {commands}      `rlv COMMAND --help` of every command
    {interface}     what rlv exports, each with its signature and docstring

A fenced block with `file=NAME` gets the name as its caption (CONTRIBUTING.md, "Documentation"). Links from
pages to Markdown files elsewhere in the repository lead to the pages that include these files.
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

# Of the repository -> the page that includes it.
INCLUDED = {
    "../README.md": "index.md",
    "../config/README.md": "keys.md",
    "../envs/README.md": "environments.md",
    "../CONTRIBUTING.md": "contributing.md",
}

_FILE = re.compile(r"^```(\w+) file=(\S+)\n", re.MULTILINE)


def setup(app: Sphinx) -> dict[str, bool]:
    for directive in (Commands, Interface):
        app.add_directive(directive.__name__.lower(), directive)
    app.connect("source-read", _prepared)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _prepared(app: Sphinx, page: str, source: list[str]) -> None:
    text = _FILE.sub(r"```{code-block} \1\n:caption: \2\n", source[0])
    for file, target in INCLUDED.items():
        text = text.replace(f"]({file}", f"]({target}")
    source[0] = text


class Markdown(SphinxDirective):
    """Markdown that code has written, in the place of the directive."""

    has_content: ClassVar[bool] = False

    def text(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)


class Commands(Markdown):
    def text(self) -> str:
        return "\n\n".join(f"## rlv {name}\n\n```text\n{help_of(name)}\n```" for name in COMMANDS)


class Interface(Markdown):
    def text(self) -> str:
        names = sorted(set(rlv.__all__) - {"__version__"}, key=lambda name: (name[0].isupper(), name))
        return "\n\n".join(map(_described, names))


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
