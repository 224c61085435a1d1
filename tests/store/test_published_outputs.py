"""Snakemake beside a store: published manifests are read-only, others', older than their inputs, and stay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
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
        from rlv.snakemake.published_outputs import leave_alone
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


COPIES = """
from pathlib import Path
from rlv.snakemake.published_outputs import leave_alone
leave_alone(Path("store"))

rule all:
    input: "results/figure.csv", "results/report.html", "SECOND"

rule figure:
    input: "FIRST"
    output: "results/figure.csv"
    log: "logs/figure.log"
    benchmark: "logs/figure.tsv"
    shell: "cp {input} {output} 2> {log}"

rule second:
    input: ancient("FIRST")
    output: "SECOND"
    benchmark: "logs/second.tsv"
    shell: "echo made > {output}"

rule report:
    input: "results/figure.csv"
    output: "results/report.html"
    shell: "cp {input} {output}"
"""


@pytest.mark.parametrize("hours", [2, 0, -2])
def test_a_server_whose_clock_differs_stops_nothing_and_costs_nothing(tmp_path, hours):
    """What is published has the time of the store's server, copies and benchmarks that of this machine."""
    publish(tmp_path / FIRST, "published")
    at = time.time() + hours * 3600
    os.utime(tmp_path / FIRST, (at, at))
    (tmp_path / "Snakefile").write_text(COPIES.replace("FIRST", FIRST).replace("SECOND", SECOND))
    # Copies of an earlier run, which Snakemake would remove.
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "figure.csv").write_text("copied before")
    command = [sys.executable, "-m", "snakemake", "--nolock", "--rerun-triggers", "mtime", "--cores", "1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for target in ("results/figure.csv", "all"):
        (tmp_path / "results" / "figure.csv").touch()
        os.utime(tmp_path / "results" / "figure.csv", (1, 1))
        done = subprocess.run(
            [*command, target], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "results" / "figure.csv").read_text() == "published"
    assert (tmp_path / "results" / "report.html").is_file() and (tmp_path / SECOND).is_file()
    assert (tmp_path / FIRST).read_text() == "published" and abs((tmp_path / FIRST).stat().st_mtime - at) < 1
