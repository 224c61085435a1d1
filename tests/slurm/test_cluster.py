"""The test cluster itself: what its jobs see, and that it leaves alone what is not its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.slurm.cluster import LONGEST_FOLDER, Cluster, ClusterError
from tests.slurm.running import until


def processes_of(cluster: Cluster) -> list[str]:
    """What runs with a cluster's configuration: daemons, steps, jobs."""
    mark = f"SLURM_CONF={cluster.folder}/slurm.conf".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "comm").read_text().strip())
        except OSError:
            continue
    return found


def test_jobs_see_as_many_gpus_as_they_ask_for(cluster: Cluster) -> None:
    # As many as only the first node has.
    seen = cluster.command("srun", "-A", "lab", "--gres=gpu:h100:4", "printenv", "CUDA_VISIBLE_DEVICES")
    assert sorted(seen.stdout.strip().split(",")) == ["0", "1", "2", "3"]
    refused = cluster.command("srun", "-A", "lab", "--gres=gpu:h100:5", "true")
    assert refused.returncode != 0


def test_an_account_that_there_is_not_is_refused(cluster: Cluster) -> None:
    refused = cluster.command("srun", "-A", "nobody", "true")
    assert refused.returncode != 0 and "account" in refused.stderr


def test_sacct_answers_for_jobs_that_ended(cluster: Cluster) -> None:
    submitted = cluster.command("sbatch", "-A", "lab", "--parsable", "-o", "/dev/null", "--wrap", "false")
    job = submitted.stdout.strip()
    until(lambda: cluster.job_state(job) == "FAILED", 20, "a job that failed, in accounting")


def test_a_cluster_stops_its_own_and_nothing_else(short_folder: Path) -> None:
    one, other = Cluster(short_folder / "one"), Cluster(short_folder / "other")
    try:
        for cluster in (one, other):
            cluster.start(accounting=False)
            cluster.command("sbatch", "-o", "/dev/null", "-D", "/tmp", "--wrap", "sleep 300")
        until(lambda: all("sleep" in processes_of(each) for each in (one, other)), 20, "two running jobs")
        one.stop()
        assert processes_of(one) == []
        assert "sleep" in processes_of(other) and other.states() != ["unknown"]
        one.start(accounting=False)
        assert one.pid("slurmctld") not in (None, other.pid("slurmctld"))
    finally:
        one.stop()
        other.stop()
    assert processes_of(one) == processes_of(other) == []


def test_a_number_that_another_process_has_is_not_ended(short_folder: Path) -> None:
    cluster = Cluster(short_folder)
    (short_folder / "pids").mkdir()
    # A cluster that is long gone; its controller's number belongs to this process now.
    (short_folder / "pids" / "slurmctld").write_text(f"{os.getpid()} 1\n")
    assert cluster.pid("slurmctld") is None
    cluster.stop()


def test_a_folder_too_deep_for_sockets_is_refused_and_nothing_is_started(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / ("x" * LONGEST_FOLDER))
    with pytest.raises(ClusterError, match="too long for sockets"):
        cluster.start()
    assert processes_of(cluster) == []
