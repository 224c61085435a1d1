from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.running import snakemake, workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A folder in which the smoke study has run."""
    folder = workspace(tmp_path_factory.mktemp("study"))
    snakemake(folder, "all")
    return folder
