"""Studies for tests: mini, with what a text changes."""

from __future__ import annotations

import textwrap
from pathlib import Path

MINI = Path(__file__).parents[2] / "config" / "studies" / "mini.yaml"


def overlay(folder: Path, text: str) -> str:
    """The path of a study in a folder that extends the mini study by a text."""
    (folder / "mini.yaml").write_text(MINI.read_text())
    (folder / "mine.yaml").write_text("extends: mini\n" + textwrap.dedent(text))
    return str(folder / "mine.yaml")
