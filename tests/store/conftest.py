"""A folder that other users can reach, too, which pytest's own are not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlv.store.permissions import remove_tree


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder for one test, that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    remove_tree(folder)
