r"""How text from outside stays text on the pages: the only place that escapes.

Problems, solutions, answers, names and captions may be anything: `</script>`, `javascript:` links, characters
that turn the direction of a line, NUL. So

- `shown` replaces characters that are not printable by what Python writes for them, \x00 or \u202e, in every
  page and in every text of a data file. Spaces, tabs and line ends stay.
- HTML comes from templates that escape every value (rlv/evaluation/templates.py).
- `script` writes data for the explorer as calls of one function with JSON in ASCII, without <, > and &: no
  text can end a script, or a line of one, whatever a browser takes for the end of a line.
- The explorer puts text into the page as text nodes and never as HTML. LaTeX becomes MathML, node by node,
  without the commands that make links, classes or images; what is no LaTeX stays text.
- `policy` is a Content-Security-Policy: no network, no event handlers in the page, no scripts and styles but
  those whose digests it has, and scripts that these load, which is how the explorer loads its data.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable
from typing import Any

from rlv.escapes import escaped

# As JSON spells them, where HTML would see a tag or an entity.
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def shown(text: str) -> str:
    """The text with every character visible: what is not printable, spaces apart, as Python escapes it."""
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return text
    return "".join(c if unicodedata.category(c) == "Zs" else escaped(c, lines=True) for c in text)


def as_json(value: Any) -> str:
    """A value as JSON that may stand in a script or between tags. Raises ValueError for infinity and NaN."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_MARKUP)


def script(function: str, *arguments: str) -> str:
    """A script that calls a function of the explorer; `arguments`: JSON, from `as_json`."""
    return f"{function}({','.join(arguments)});\n"


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """The Content-Security-Policy of a page with these texts in its script and style elements."""
    ours = " ".join(map(_digest, scripts))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {ours} 'strict-dynamic'" if ours else "script-src 'none'",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
