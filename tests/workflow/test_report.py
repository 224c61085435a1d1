"""A report is written within a run: a second Snakemake, which takes no lock, beside the one that holds it."""

from __future__ import annotations

import subprocess
import sys

from tests.workflow.running import ROOT

SNAKEFILE = """
rule all:
    input: "report.html"
rule drawn:
    output: report("figure.txt")
    shell: "echo 1 > {output}"
rule report:
    input: "figure.txt"
    output: "report.html"
    shell: "ls .snakemake/locks > locks; COMMAND --report {output} -- figure.txt"
rule again:
    input: "figure.txt"
    output: "again.txt"
    shell: "if COMMAND --cores 1 --forcerun drawn -- figure.txt; then exit 1; fi; touch {output}"
"""
COMMAND = [sys.executable, "-m", "snakemake"]


def run(folder, target: str) -> str:
    (folder / "Snakefile").write_text(SNAKEFILE.replace("COMMAND", " ".join(COMMAND)))
    command = [*COMMAND, "--cores", "1", "--", target]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_report_is_written_while_the_run_holds_the_lock(tmp_path):
    run(tmp_path, "all")
    assert (tmp_path / "locks").read_text().split()
    assert "figure.txt" in (tmp_path / "report.html").read_text()
    # Anything but a report is refused there.
    assert "cannot be locked" in run(tmp_path, "again")


def test_the_workflows_own_rule_asks_for_no_more():
    rules = (ROOT / "workflow/rules/copies.smk").read_text()
    assert "snakemake --report={output:q}" in rules and "--nolock" not in rules
