"""The examples of the documentation run, page by page, top to bottom (CONTRIBUTING.md, "Documentation").

A page runs in a folder of its own, as if it were the project's. The study `mini` is finished there, though it
is a tiny one, and `their-model` is a checkpoint that was trained to verify.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+) (run|file=\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {page: BLOCK.findall(page.read_text()) for page in sorted((ROOT / "docs").glob("*.md"))}
PAGES = [page for page, blocks in BLOCKS.items() if blocks]


@pytest.fixture
def folder(finished_tiny, tmp_path, monkeypatch) -> Path:
    """The project's folder after `make mini`, but for the size of that study."""
    for name in ("workflow", "config", "profiles", "envs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    studies = tmp_path / "config" / "studies"
    # The tiny study is an overlay of an overlay of `mini`, whose name it takes here.
    (studies / "whole.yaml").write_text(
        (studies / "mini.yaml").read_text().replace("name: mini", "name: whole")
    )
    smoke = studies / "smoke.yaml"
    smoke.write_text(smoke.read_text().replace("extends: mini", "extends: whole"))
    tiny = (finished_tiny / "config" / "studies" / "tiny.yaml").read_text()
    (studies / "mini.yaml").write_text(tiny.replace("name: tiny", "name: mini"))
    upstream = f"[{tmp_path / 'store'}, {finished_tiny / 'store'}]"
    (tmp_path / "config" / "config.yaml").write_text(f"study: mini\nstores: {upstream}\n")
    (trained,) = (finished_tiny / "store" / "train").glob("grpo_v-*")
    shutil.copytree(trained, tmp_path / "their-model", ignore=shutil.ignore_patterns("manifest.json"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(code: str, folder: Path) -> None:
    """Raises AssertionError with what was printed if a command fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def python(page: Path, names: dict[str, object]) -> Callable[[str, Path], None]:
    """Runs blocks of one page in one namespace."""
    return lambda code, _: exec(compile(code, page.name, "exec"), names)


@pytest.mark.workflow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, folder):
    run = {"bash": shell, "python": python(page, {"__name__": "example"})}
    for language, what, code in BLOCKS[page]:
        if what == "run":
            run[language](code, folder)
        else:
            file = folder / what.removeprefix("file=")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code)


def test_what_is_run_is_shell_or_python_and_files_stay_in_the_folder():
    for blocks in BLOCKS.values():
        for language, what, _ in blocks:
            path = Path(what.removeprefix("file="))
            assert language in ("bash", "python") if what == "run" else not path.is_absolute()
            assert ".." not in path.parts


def test_no_block_is_marked_in_a_way_that_nothing_reads():
    """A word after the language that is neither would be passed over without a message."""
    for page, blocks in BLOCKS.items():
        marked = re.findall(r"^```\w+ +\S.*$", page.read_text(), re.MULTILINE)
        assert len(marked) == len(blocks), page.name
