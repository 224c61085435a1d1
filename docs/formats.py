"""The formats of samples that are recognised, as a table in docs/samples.md.

make arrows    # writes it there again, from rlv/imported/dialects.py
"""

from __future__ import annotations

import re
from pathlib import Path

from rlv.imported import dialects

PAGE = Path(__file__).parent / "samples.md"
BEGIN, END = "<!-- formats: make arrows -->\n", "\n<!-- end of formats -->"


def formats_table() -> str:
    """One row a format: its name, where it comes from, and which column is read as which field."""
    lines = ["| format | written by | field: columns |", "|---|---|---|"]
    for name, record in dialects.DIALECTS.items():
        alike = [field for field, columns in record.fields.items() if columns == (field,)]
        others = [
            f"{field}: {_columns(record.fields[field])}" for field in record.fields if field not in alike
        ]
        same = [f"as the fields: {_columns(tuple(alike), most=len(alike))}"] if alike else []
        lines.append(f"| `{name}` | {sources()[name]} | {'; '.join(others + same)} |")
    return "\n".join(lines)


def _columns(names: tuple[str, ...], most: int = 2) -> str:
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


def written(page: str) -> str:
    """The page with the table of today between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{formats_table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
