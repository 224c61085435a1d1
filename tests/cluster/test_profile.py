"""The profile: a dry run plans anywhere, and everything that a rule asks for goes through the site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
RULES = "".join(file.read_text() for file in sorted((ROOT / "workflow/rules").glob("*.smk")))

pytest.importorskip("snakemake_executor_plugin_slurm")


@pytest.fixture
def no_slurm(tmp_path) -> dict[str, str]:
    """The environment of a machine that has not one of SLURM's commands."""
    for name in ("sh", "bash", "git", "env", "which", "uname"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    return {**os.environ, "PATH": str(tmp_path)}


def dry_run(environment, *more: str) -> tuple[str, int]:
    """What a dry run says, and its largest size in bytes."""
    command = [sys.executable, "-m", "snakemake", "-n", "--profile", "profiles/slurm", *more, "--", "all"]
    # By way of a small process: a child's largest size includes what its parent had when it was forked.
    measured = (
        "import resource, subprocess, sys\n"
        "status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode\n"
        "print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    status, kilobytes = map(int, done.stdout.split())
    assert status == 0, done.stderr[-4000:]
    return done.stderr, kilobytes * 1024


def test_a_dry_run_of_the_paper_study_plans_anywhere(tmp_path, no_slurm):
    text, size = dry_run(no_slurm, "--config", "study=paper", f"store={tmp_path / 'store'}")
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", text, re.MULTILINE))
    assert int(jobs["train"]) > 10 and int(jobs["sample"]) > 100
    assert size < 2**30
    assert not (tmp_path / "store").exists()


def test_a_dry_run_plans_where_no_memory_is_asked_for(tmp_path, no_slurm):
    site = tmp_path / "site.yaml"
    site.write_text("slurm: {ask_memory: false}\n")
    config = ["--config", "study=smoke", f"store={tmp_path / 'store'}"]
    dry_run(no_slurm, "--configfile", str(site), *config)


def test_a_dry_run_refuses_a_site_file_with_a_wrong_key(tmp_path, no_slurm):
    site = tmp_path / "site.yaml"
    site.write_text("slurm: {gpu: {partitions: a}}\n")
    command = [sys.executable, "-m", "snakemake", "-n", "--profile", "profiles/slurm", "--configfile", site]
    config = ["--config", "study=smoke", f"store={tmp_path / 'store'}", "--", "all"]
    done = subprocess.run([*command, *config], cwd=ROOT, env=no_slurm, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{site}: slurm.gpu.partitions: unknown key; known: partition" in done.stdout + done.stderr


def test_a_run_without_slurm_is_refused_before_anything_is_submitted(tmp_path, no_slurm):
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
    config = ["--config", "study=smoke", f"store={tmp_path / 'store'}", "--directory", str(tmp_path)]
    for name in ("config", "profiles", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [*command, *config, "--", "all"], cwd=tmp_path, env=no_slurm, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "no SLURM on this machine" in said and "profiles/local" in said
    assert "sbatch failed" not in said


def test_no_jobs_are_grouped():
    """The executor runs the jobs of a group one after the other, within the time limit of one."""
    assert not {"groups", "group-components"} & set(PROFILE)
    assert not re.search(r"^    group:", RULES, re.MULTILINE)


def test_slurm_starts_no_job_twice_behind_snakemakes_back():
    assert PROFILE["slurm-no-requeue"] is True and "slurm-requeue" not in PROFILE


def test_logs_are_where_reports_look_for_them():
    from rlv.cluster.logs import SLURM_LOGS

    assert Path(PROFILE["slurm-logdir"]) == SLURM_LOGS


def test_elsewhere_jobs_ask_for_what_stands_in_their_rules():
    """Without a site file resources are plain numbers, and retries are what Snakemake was told."""
    for profile in ("local", "gpu"):
        settings = yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text())
        assert "configfile" not in settings and "retries" not in settings
