"""What SLURM tells a training to do: make room for others, or end before its time limit.

Each test starts with a store that lacks its training alone. The training ends by itself, having saved, and
another job goes on with it, to the bytes and claims of a run that nobody disturbed.
"""

from __future__ import annotations

import pytest

from rlv.errors import StoppedError
from tests.slurm.cluster import Cluster
from tests.slurm.running import Checkout, until

pytestmark = pytest.mark.usefixtures("all_is_well")


def test_a_preempted_training_goes_on_in_another_job(checkout: Checkout, cluster: Cluster) -> None:
    """Somebody with more priority wants its node: it is told, saves, and has its next turn after them."""
    checkout.change_site({"partition": "spot"})
    run = checkout.train()
    first = checkout.training_job()
    assert cluster.node_of(first) == "n2"
    urgent = ["--partition=gpu", "--nodelist=n2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 2"]
    assert cluster.command("sbatch", *urgent).returncode == 0
    run.finish()
    assert run.submitted[0] == first and len(run.submitted) == 2 and checkout.resumed_from() > 0
    # It used the time that it was given: SLURM did not have to end it, which it would call PREEMPTED.
    assert cluster.job_state(first) == "FAILED"
    assert f"exit status {StoppedError.status}" in checkout.slurm_log(first).read_text()


def test_a_training_longer_than_the_partition_allows_goes_on_job_after_job(
    checkout: Checkout, cluster: Cluster
) -> None:
    """It is made long by being held until SLURM tells it to save, which lets it go, too."""
    checkout.change_site({"partition": "brief"})
    run = checkout.train()
    first = checkout.training_job()
    checkout.hold()
    until(lambda: cluster.job_state(first) != "RUNNING", 130, "the end of the first job")
    log = checkout.slurm_log(first)
    status = checkout.rlv("status")
    assert status.wait(60) == 0
    assert f"/{first}.log" in (checkout.folder / "rlv.log").read_text()
    run.finish()
    # No TIMEOUT: it ended by itself, with all that it had done.
    assert [cluster.job_state(job) for job in run.submitted] == ["FAILED", "COMPLETED"]
    assert run.submitted[0] == first and checkout.resumed_from() > 0
    # The message of the failed job leads to its log, too.
    assert str(log) in run.said and f"SLURM-job '{first}' failed" in run.said
