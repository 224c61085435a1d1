"""A folder to work in, without a configuration, and `rlv evaluate` as people call it."""

from __future__ import annotations

import pytest

from rlv.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here, capsys):
    """Runs `rlv evaluate` with these arguments; returns its exit status, what it prints, and its log."""

    def evaluate(*arguments):
        status = main(["evaluate", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return evaluate
