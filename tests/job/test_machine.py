"""Which code made an artifact: its commit, and whether code was edited, not settings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlv.job.machine import revision


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    # Neither the repository of a hook that this may run in, nor what the user has set.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    alone |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, env=alone, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    for name in (
        "rlv/a.py",
        "workflow/Snakefile",
        "config/config.yaml",
        "profiles/slurm/site.yaml",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    revision.cache_clear()
    yield tmp_path
    revision.cache_clear()


def test_settings_of_a_clone_are_no_edits_of_its_code(checkout):
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert revision(checkout) == commit
    for name in ("config/config.yaml", "profiles/slurm/site.yaml"):
        (checkout / name).write_text("this lab's\n")
    revision.cache_clear()
    assert revision(checkout) == commit


@pytest.mark.parametrize("name", ["rlv/a.py", "workflow/Snakefile", "pyproject.toml"])
@pytest.mark.parametrize("staged", [False, True])
def test_edited_code_is_told_from_its_commit(checkout, name, staged):
    (checkout / name).write_text("edited\n")
    if staged:
        git(checkout, "add", name)
    assert revision(checkout) == git(checkout, "rev-parse", "HEAD").strip() + "-dirty"


def test_touched_files_are_not_edited(checkout):
    (checkout / "rlv/a.py").write_text("first\n")
    assert not revision(checkout).endswith("-dirty")


def test_a_package_within_another_checkout_has_no_commit(checkout):
    installed = checkout / ".venv/site-packages"
    (installed / "rlv").mkdir(parents=True)
    (installed / "rlv/a.py").write_text("first\n")
    assert revision(installed) is None


def test_a_hook_of_another_repository_changes_nothing(checkout, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert revision(checkout) == git(checkout, "rev-parse", "HEAD").strip()


def test_no_checkout_no_commit(tmp_path):
    (tmp_path / "rlv").mkdir()
    assert revision(tmp_path) is None
