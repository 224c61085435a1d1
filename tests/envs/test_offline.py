"""envs/offline.sh asks for the locked versions, for the machine that is named. No network is used here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "envs/cpu.txt").read_text().splitlines()


def make(*words: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PYTHON": str(python)} if python else {})}
    command = ["bash", str(ROOT / "envs/offline.sh"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture
def pip(tmp_path):
    """A Python whose pip writes down what it is asked, and makes one wheel a call."""
    program = tmp_path / "python"
    program.write_text(
        f'#!/bin/sh\necho "DS_BUILD_OPS=$DS_BUILD_OPS $@" >> {tmp_path}/asked\n'
        "while [ $# -gt 0 ]; do case $1 in --dest|--wheel-dir) folder=$2;; esac; shift; done\n"
        'touch "$folder/${NAME:-deepspeed-1-py3-none-any.whl}"\n'
    )
    program.chmod(0o755)
    return program


def test_every_wheel_has_the_locked_version_and_is_for_the_machine_that_is_named(pip, tmp_path):
    done = make(str(tmp_path / "wheels"), "3.11", "einops", python=pip)
    assert done.returncode == 0, done.stderr
    built, fetched = (tmp_path / "asked").read_text().splitlines()
    assert built.startswith("DS_BUILD_OPS=0 -m pip wheel") and "--no-deps" in built
    assert "--python-version 3.11" in fetched and "--only-binary :all:" in fetched and "--no-deps" in fetched
    asked = [word for word in (built + " " + fetched).split() if "==" in word]
    assert set(asked) <= set(LOCK) and len(asked) == len(set(asked))
    names = {word.split("==")[0] for word in asked}
    assert {
        "deepspeed",
        "hjson",
        "polars",
        "polars-runtime-32",
        "math-verify",
        "pydantic",
        "trl",
        "einops",
    } <= names
    # What the machine has already, and what only the workflow needs.
    assert not names & {"torch", "transformers", "snakemake", "vllm"}
    assert "MiB in 1 wheels" in done.stdout


def test_a_folder_with_something_in_it_is_left_alone(pip, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "old.whl").touch()
    done = make(str(folder), python=pip)
    assert done.returncode == 2 and "not empty" in done.stderr
    assert not (tmp_path / "asked").exists() and [p.name for p in folder.iterdir()] == ["old.whl"]


@pytest.mark.parametrize(
    "words", [(), ("a", "three"), ("a", "3.12; touch x"), ("a", "3.12", "no-such"), ("a", "3.12", ".*")]
)
def test_words_that_make_no_sense_are_refused(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = make(*words)
    assert done.returncode == 2 and done.stderr and list(tmp_path.iterdir()) == []


def test_a_wheel_of_deepspeed_for_only_this_machine_is_refused(pip, tmp_path, monkeypatch):
    monkeypatch.setenv("NAME", "deepspeed-1-cp311-cp311-linux_x86_64.whl")
    done = make(str(tmp_path / "wheels"), python=pip)
    assert done.returncode == 1 and "none-any.whl" in done.stderr
