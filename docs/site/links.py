"""Links inside a built site: every page, file and anchor that a page names is there.

    python -m docs.site.links build/docs     # exit status 1, and a line for each link that leads nowhere

Links to other sites are not followed.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_POINTING = {"href", "src"}


class _Page(HTMLParser):
    """What a page points at, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _POINTING and value:
                self.targets.append(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")


@cache
def _page(file: Path) -> _Page:
    return _Page(file.read_text(encoding="utf-8"))


def dead(site: Path) -> list[str]:
    """`PAGE: TARGET` for each link inside the site that leads to no file, or to no anchor of its page."""
    return [
        f"{file.relative_to(site)}: {target}"
        for file in sorted(site.rglob("*.html"))
        for target in dict.fromkeys(_page(file).targets)
        if not _leads_somewhere(file, target, site)
    ]


def _leads_somewhere(file: Path, target: str, site: Path) -> bool:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return True
    found = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not found.is_file() or not found.is_relative_to(site.resolve()):
        return False
    return found.suffix != ".html" or unquote(parts.fragment) in _page(found).anchors


if __name__ == "__main__":
    lines = dead(Path(sys.argv[1]).resolve())
    print("\n".join(lines) or "all links inside the site lead somewhere")
    sys.exit(bool(lines))
