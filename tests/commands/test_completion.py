"""The script that `rlv completion` prints, used by bash as bash uses it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rlv.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
STUDIES = {file.stem for file in (ROOT / "config" / "studies").glob("*.yaml")}
ASK = """
source {script}
COMP_WORDS=({words} ''); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
[ -n "{last}" ] && COMP_WORDS[$COMP_CWORD]="{last}"
_shtab_rlv
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    from contextlib import redirect_stdout

    file = tmp_path_factory.mktemp("bash") / "rlv"
    with open(file, "w") as handle, redirect_stdout(handle):
        assert main(["completion", "bash"]) == 0
    return file


def completed(script: Path, words: str, last: str = "") -> set[str]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    ask = ASK.format(script=script, words=words, last=last)
    done = subprocess.run([bash, "--norc", "-c", ask], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_commands_and_options(script):
    assert completed(script, "rlv") >= set(COMMANDS)
    assert {"--json", "--study", "--store"} <= completed(script, "rlv status", "--")
    assert completed(script, "rlv study") >= {"show", "check"}


@pytest.mark.parametrize("words", ["rlv status --study", "rlv plan", "rlv export", "rlv gc mini"])
def test_studies_complete(script, words):
    assert completed(script, words) >= STUDIES
    some = completed(script, words, "mini-")
    assert some == {name for name in STUDIES if name.startswith("mini-")}


def test_files_and_folders(script):
    assert "README.md" in completed(script, "rlv import", "READ")
    assert {"config"} == completed(script, "rlv status --store", "con")


def test_zsh_has_a_script_too(capsys):
    assert main(["completion", "zsh"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("#compdef rlv") and "_rlv_studies" in said and "doctor" in said


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "powershell"])
    assert "zsh" in capsys.readouterr().err
