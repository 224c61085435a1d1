"""The rooms of rlv/ and the arrows between them, as CONTRIBUTING.md shows them.

    make arrows    # writes both into CONTRIBUTING.md again

A room is a folder or a module of rlv/ itself. An arrow runs from a room to one that it imports, wherever the
import stands: at the top of a module, in a function, or for type checkers only, since each of them breaks
when the other room changes. Arrows run down the layers, and never in a circle (tests/docs/test_arrows.py).
Left out: modules that are named in a string, as a registry names those of its methods, and `rlv/__init__.py`
and `rlv/__main__.py`, through which everything is reached.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
# From the top to the bottom; rooms of one layer may import each other.
LAYERS = (
    ("cli", "commands", "front", "snakemake"),
    ("cards", "cluster", "estimate", "pages", "provenance", "serving"),
    ("plan",),
    ("run",),
    (
        *(
            "analysis",
            "answers",
            "attacks",
            "choosing",
            "evaluation",
            "figures",
            "graders",
            "imported",
            "mini",
            "models",
        ),
        *("problems", "reasoner", "sampling", "scoring", "training"),
    ),
    ("job", "study"),
    (
        "columns",
        "errors",
        "escapes",
        "families",
        "hub",
        "logistic",
        "outside",
        "prompts",
        "registry",
        "store",
        "tables",
    ),
)
Arrows = Mapping[str, set[str]]


def modules(package: Path) -> dict[str, Path]:
    """Every module below a package's folder by its full name."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def arrows_between_files(package: Path) -> dict[str, set[str]]:
    """Module -> the modules of the same package that it imports."""
    known = modules(package)
    return {name: set(_imported(file, known)) - {name} for name, file in known.items()}


def arrows_between_rooms(package: Path) -> dict[str, set[str]]:
    """Room -> the rooms that it imports."""
    found: dict[str, set[str]] = {}
    for module, imported in arrows_between_files(package).items():
        if room := room_of(module):
            found.setdefault(room, set()).update({room_of(other) for other in imported} - {room, ""})
    return found


def room_of(module: str) -> str:
    """A module's room; "" if it is in none."""
    room = f"{module}.".split(".")[1]
    return "" if room.startswith("__") else room


def _imported(file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:  # of a module called so, or of what the package itself holds
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in known else node.module


def reaches(arrows: Arrows, start: str, end: str) -> bool:
    """Whether a path of at least one arrow leads from one to the other."""
    seen: set[str] = set()
    ahead = list(arrows.get(start, ()))
    while ahead:
        at = ahead.pop()
        if at not in seen:
            seen.add(at)
            ahead += arrows.get(at, ())
    return end in seen


def shortened(arrows: Arrows) -> dict[str, set[str]]:
    """The arrows without those that a longer path replaces (the transitive reduction)."""
    left = {start: set(ends) for start, ends in sorted(arrows.items())}
    for start, ends in left.items():
        for end in sorted(ends):
            ends.remove(end)
            if not reaches(left, start, end):
                ends.add(end)
    return left


def picture(arrows: Arrows) -> str:
    """The graph in Mermaid's language, one box a layer."""
    lines = ["```mermaid", "graph TD"]
    for number, layer in enumerate(LAYERS):
        lines += [f'  subgraph layer{number} [" "]', f"    {'; '.join(layer)}", "  end"]
    for start, ends in shortened(arrows).items():
        if ends:
            lines.append(f"  {start} --> {' & '.join(sorted(ends))}")
    return "\n".join([*lines, "```"])


def table(package: Path) -> str:
    """The rooms, top layer first, each with the first line of its docstring."""
    known = modules(package)
    lines = ["| room | |", "|---|---|"]
    for room in (room for layer in LAYERS for room in layer):
        text = ast.get_docstring(ast.parse(known[f"{package.name}.{room}"].read_text(encoding="utf-8"))) or ""
        lines.append(f"| `{room}` | {text.splitlines()[0]} |")
    return "\n".join(lines)


def written(page: str, package: Path) -> str:
    """The page with the picture and the table of today between its marks."""
    parts = {"picture": picture(arrows_between_rooms(package)), "rooms": table(package)}
    for name, text in parts.items():
        begin, end = f"<!-- {name}: make arrows -->\n", f"\n<!-- end of {name} -->"
        before, rest = page.split(begin)
        page = before + begin + text + end + rest.split(end)[1]
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), ROOT / "rlv"), encoding="utf-8")
