"""Snakemake beside a store: published manifests are read-only, others', older than their inputs, and stay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

FIRST, SECOND = "store/s/a-000000000000/manifest.json", "store/s/b-000000000000/manifest.json"
# What lets root change what is not its own and write what is read-only: without it, root is like any user.
PRIVILEGES = "-dac_override,-dac_read_search,-fowner,-chown"


def run(folder: Path, second: str) -> subprocess.CompletedProcess[str]:
    """A workflow of two jobs, `second` being the command of the later one, as a user without privileges."""
    (folder / "Snakefile").write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from rlv.published_outputs import leave_alone
        leave_alone(Path("store"))

        rule all:
            input: "{FIRST}", "{SECOND}"

        rule first:
            output: "{FIRST}"
            shell: "echo made > {{output}}; chmod 444 {{output}}; chmod 555 $(dirname {{output}})"

        rule second:
            input: ancient("{FIRST}")
            output: "{SECOND}"
            shell: "{second}"
        """)
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--rerun-triggers", "mtime"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        command = ["setpriv", f"--bounding-set={PRIVILEGES}", f"--inh-caps={PRIVILEGES}", *command]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def publish(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    os.utime(path, (1, 1))  # older than everything
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if os.geteuid() == 0:
        for each in (path, path.parent):
            os.chown(each, 4001, 4001)


def test_what_another_user_published_is_neither_refused_nor_touched(tmp_path):
    publish(tmp_path / SECOND, "others'")
    done = run(tmp_path, "test -s {output}")  # as `rlv make`, which finds it published
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / FIRST).is_file()
    assert "second" in done.stderr  # it ran: what it depends on was made again
    stat = (tmp_path / SECOND).stat()
    assert (tmp_path / SECOND).read_text() == "others'"
    assert stat.st_mtime == 1 and stat.st_mode & 0o777 == 0o444


@pytest.mark.parametrize("sealed", ["chmod 444 {output};", ""])
def test_what_was_published_before_a_job_failed_stays(tmp_path, sealed):
    done = run(tmp_path, f"echo made > {{output}}; {sealed} exit 1")
    assert done.returncode == 1
    assert (tmp_path / SECOND).read_text() == "made\n"
    # The next run finds it there.
    done = run(tmp_path, "exit 1")
    assert (tmp_path / SECOND).read_text() == "made\n"
