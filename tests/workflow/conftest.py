from __future__ import annotations

from pathlib import Path

import pytest

from tests.finished import finished_store
from tests.workflow.running import STUDY, snakemake, workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A folder in which the smoke study is finished, and the workflow has published figures and claims.

    The workflow makes artifacts of every stage in the test that kills it.
    """
    folder = workspace(tmp_path_factory.mktemp("study"))
    finished_store(folder / "config" / "studies" / f"{STUDY}.yaml", folder / "store")
    snakemake(folder, "all")
    return folder
