"""Files and functions of rlv/ are short; ruff counts their branches (C901 in pyproject.toml)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = {file.relative_to(ROOT).as_posix(): file.read_text() for file in sorted((ROOT / "rlv").rglob("*.py"))}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 80


def test_files_are_short():
    assert {name for name, text in FILES.items() if len(text.splitlines()) > LINES_OF_A_FILE} == set()


def test_functions_are_short():
    long = {
        f"{name}: {node.name}"
        for name, text in FILES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LINES_OF_A_FUNCTION
    }
    assert long == set()
