"""`rlv fetch`: everything that a study needs is tried, what fails is named, and the exit status says so."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rlv.cli import main
from rlv.commands import fetch
from rlv.errors import DataError, ModelError

ROOT = Path(__file__).parents[2]
COMMIT = "a" * 40


@pytest.fixture
def study(monkeypatch, tmp_path) -> str:
    """The mini study with one model of the hub beside its own."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "mini.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    path = tmp_path / "mine.yaml"
    path.write_text(
        textwrap.dedent(f"""
            extends: mini
            name: mine
            models: {{other: {{source: hub, repo: somebody/small, revision: {COMMIT}}}}}
        """)
    )
    return str(path)


def test_what_is_there_and_what_comes_is_said_with_its_size(study, monkeypatch, tmp_path, capsys):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").write_bytes(bytes(3 * 2**20))
    asked = []

    def fetched(repo, revision, *, key, study):
        asked.append((repo, revision, key, study))
        return tmp_path / "snapshot"

    monkeypatch.setattr(fetch.hub, "cached", lambda repo, revision: None)
    monkeypatch.setattr(fetch.hub, "fetch", fetched)
    assert main(["fetch", study]) == 0
    said = capsys.readouterr().out
    assert "models.base: on this machine" in said and "datasets.train: on this machine" in said
    assert "models.other: somebody/small: fetched, 3.0 MiB" in said
    assert asked == [("somebody/small", COMMIT, "models.other", "mine")]
    monkeypatch.setattr(fetch.hub, "cached", lambda repo, revision: tmp_path / "snapshot")
    assert main(["fetch", study]) == 0 and len(asked) == 1
    assert "there already" in capsys.readouterr().out


def test_one_failure_does_not_hide_the_others(study, monkeypatch, capsys):
    def refused(*_args, **_kwargs):
        raise ModelError("models.other: gated")

    def missing(name, dataset, _study):
        raise DataError(f"datasets.{name}: not there")

    monkeypatch.setattr(fetch.hub, "cached", lambda repo, revision: None)
    monkeypatch.setattr(fetch.hub, "fetch", refused)
    monkeypatch.setattr(fetch, "fetch_dataset", missing)
    assert main(["fetch", study]) == 1
    said = capsys.readouterr()
    assert "models.base: on this machine" in said.out
    assert "models.other: gated" in said.err and said.err.count("not there") == 5
