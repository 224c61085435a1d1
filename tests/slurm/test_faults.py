"""What happens to clusters, happening in the middle of a training.

Each test starts with a store that lacks its training alone, and disturbs the job that trains. Whatever
happens, nothing published changes, the training is published once, and the study ends with the claims, and
its artifacts with the bytes, of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlv.store.computed import computed
from rlv.store.leases import lease_of
from rlv.training.tries import step_reached
from tests.slurm.cluster import Cluster
from tests.slurm.running import (
    Checkout,
    Run,
    manifests,
    until,
)

pytestmark = pytest.mark.usefixtures("all_is_well")


def test_a_cancelled_training_goes_on_in_another_job(checkout: Checkout, cluster: Cluster) -> None:
    run = checkout.train()
    first = checkout.training_job()
    # SLURM itself must never start it again: that is Snakemake's to do.
    assert cluster.command("scontrol", "requeue", first).returncode != 0
    assert cluster.command("scancel", first).returncode == 0
    run.finish()
    assert job_that_trained(checkout) != first and checkout.resumed_from() > 0
    assert cluster.job_state(first).startswith("CANCELLED")


def test_a_lost_node_leaves_one_copy_at_work(checkout: Checkout, cluster: Cluster) -> None:
    """slurmd dies, its job's processes do not: a retry must not compute beside them. Then slurmd returns."""
    run = checkout.train()
    first = checkout.training_job()
    node = cluster.node_of(first)
    checkout.hold()
    cluster.kill(f"slurmd-{node}")
    # The controller finds out by itself; this way it knows at once.
    cluster.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    until(lambda: cluster.job_state(first) == "NODE_FAIL", 60, "a job that failed with its node")
    until(lambda: waits_for(checkout, first), 120, f"a second job that waits for {first}")
    checkout.let_go()
    cluster.start_node(node)
    run.finish()
    assert len(run.submitted) == 2
    # SLURM ends what it finds on a node that comes back; or it had just ended by itself.
    assert job_that_trained(checkout) == first or checkout.resumed_from() > 0
    assert cluster.state(node) in {"idle", "mixed", "allocated"}


def test_a_controller_that_is_away_is_waited_for(checkout: Checkout, cluster: Cluster) -> None:
    """Away when a job is to be submitted, and again while it runs: one failure, the one that is made here."""
    run = checkout.train()
    first = checkout.training_job()
    with stopped(run):
        assert cluster.command("scancel", first).returncode == 0
        until(lambda: cluster.job_state(first).startswith("CANCELLED"), 60, "a job cancelled in accounting")
        cluster.kill("slurmctld", signal.SIGTERM)
    # Accounting says what became of the job; the next one cannot be submitted.
    until(lambda: "controller cannot be reached" in run.said, 120, "a job that waits to be submitted")
    assert run.submitted == [first]
    cluster.start_controller()
    until(lambda: len(run.submitted) == 2, 60, "a job submitted to the controller that is back")
    until(lambda: checkout.training_job() != first, 120, "a training in the second job")
    cluster.kill("slurmctld", signal.SIGTERM)
    time.sleep(3)
    cluster.start_controller()
    run.finish()
    second = run.submitted[-1]
    assert run.submitted == [first, second] and job_that_trained(checkout) == second
    assert run.said.count("Trying to restart job") == 1
    until(lambda: cluster.job_state(second) == "COMPLETED", 60, "a job that has ended in accounting")


def test_a_drained_node_ends_what_it_has_and_gets_nothing_new(checkout: Checkout, cluster: Cluster) -> None:
    # All: what reads the training's result has jobs after it.
    run = checkout.start()
    first = checkout.training_job()
    node = cluster.node_of(first)
    drained = cluster.command("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    assert drained.returncode == 0
    run.finish()
    assert job_that_trained(checkout) == first
    later = run.submitted[run.submitted.index(first) + 1 :]
    assert later and node not in {cluster.node_of(job) for job in later}
    assert cluster.state(node) == "drained"


def test_a_killed_snakemake_is_started_again(checkout: Checkout, cluster: Cluster) -> None:
    """Its jobs go on; the new one does not know them and submits another, which waits for the first."""
    run = checkout.train()
    first = checkout.training_job()
    checkout.hold()
    run.kill()
    again = checkout.train()
    until(lambda: waits_for(checkout, first), 120, f"a second job that waits for {first}")
    checkout.let_go()
    again.finish()
    assert again.submitted and first not in again.submitted
    assert job_that_trained(checkout) == first and checkout.resumed_from() == 0


def test_a_full_disk_ends_a_training_and_nothing_else(checkout: Checkout) -> None:
    with small_disk(checkout.store.root, spare_mib=2) as enlarge:
        before = manifests(checkout.store.root)
        # Temporary files have no room either.
        temporary = checkout.store.root / ".tmp"
        temporary.mkdir()
        run = checkout.train(environment={"TMPDIR": str(temporary)})
        until(lambda: "no space left" in checkout.log_of("train").lower(), 120, "a training without space")
        assert manifests(checkout.store.root) == before
        enlarge()
        run.finish()
        assert len(run.submitted) > 1


def test_a_lease_whose_owner_died_on_another_machine_expires(checkout: Checkout) -> None:
    """Its processes cannot be looked at from here; what was saved is gone on from."""
    with checkout.rlv("make", checkout.training.path) as owner:
        until(lambda: step_reached(checkout.work) >= 4, 120, "a checkpoint")
        owner.kill()
    lease = lease_of(checkout.work)
    assert lease is not None and not lease.released
    lease.path.write_text(json.dumps(lease.content | {"host": "elsewhere", "boot": "another"}))
    checkout.train(environment={"RLV_LEASE_EXPIRY": "5"}).finish()
    assert "no sign of life" in checkout.log_of("train")
    assert checkout.resumed_from() >= 4


@contextmanager
def stopped(run: Run) -> Iterator[None]:
    """Snakemake does nothing meanwhile: it learns of what happened here when all of it has happened."""
    run.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        run.process.send_signal(signal.SIGCONT)


def waits_for(checkout: Checkout, job: str) -> bool:
    """Whether a second copy of the training has said that it waits for a job's."""
    said = checkout.log_of("train")
    return re.search(rf"being computed by .*\(SLURM job {job},", said) is not None


def job_that_trained(checkout: Checkout) -> str:
    """The SLURM job that published the training."""
    (job,) = [c["slurm_job"] for c in computed(checkout.store.root) if c["path"] == checkout.training.path]
    return job


@contextmanager
def small_disk(folder: Path, spare_mib: int) -> Iterator[Callable[[], None]]:
    """Put a folder on a disk that has little more room than it needs; what is yielded makes the disk larger.

    Skips where this user may not mount. Afterwards the folder lies where it lay before.
    """
    needed = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) // 2**20 + 1
    disk = folder.with_name(f"{folder.name}-disk")
    folder.rename(disk)
    folder.mkdir()

    def mount(*options: str) -> subprocess.CompletedProcess[str]:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if (done := mount(f"size={needed + spare_mib}m")).returncode != 0:
        folder.rmdir()
        disk.rename(folder)
        pytest.skip(f"no right to mount a small disk: {done.stderr.strip()}")
    try:
        shutil.copytree(disk, folder, dirs_exist_ok=True)
        yield lambda: mount("remount", "size=200m").check_returncode()
        shutil.rmtree(disk)
        shutil.copytree(folder, disk)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
        disk.rename(folder)
