"""Jobs submitted while SLURM's controller is away: they wait. With the executor's own code."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from rlv.errors import SiteError
from rlv.snakemake import submission
from rlv.snakemake.executor import SlurmExecutor
from rlv.snakemake.submission import Patience, away
from tests.cluster.fake_slurm import put
from tests.snakemake.bare import Bare, Job

GONE = "Unable to contact slurm controller (connect failure)"
SBATCH = "sbatch: error: Batch job submission failed: "


class Resources(dict):
    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]


@pytest.fixture
def executor(tmp_path, monkeypatch) -> Bare:
    monkeypatch.setattr(Bare, "pause", 0.01)
    return Bare(tmp_path)


def patient(executor: Bare, **seconds: float) -> None:
    """With another patience: `longest`, `pause`."""
    executor.patience = Patience(executor.said.append, **seconds)


def job(**resources):
    return Job(
        name="train",
        jobid=1,
        rule=SimpleNamespace(name="train"),
        wildcards_dict={},
        wildcards=[],
        threads=1,
        resources=Resources({"runtime": 1, "mem_mb": 1, "slurm_partition": "cpu", **resources}),
        is_group=lambda: False,
    )


def failing(folder: Path, times: int, message: str, answer: str) -> str:
    """A command that fails so many times and then answers; how often it was run is in a file."""
    calls = folder / "calls"
    return (
        f'echo x >> {calls}; [ $(wc -l < {calls}) -gt {times} ] || {{ echo "{message}" >&2; exit 1; }}\n'
        f'echo "{answer}"'
    )


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text().split())


def test_an_error_while_submitting_keeps_no_later_refusal_back(executor, monkeypatch):
    monkeypatch.setattr(SlurmExecutor, "run_job", Mock(side_effect=OSError))
    with pytest.raises(OSError):
        executor.run_job(job())
    executor._report_job_error_threadsafe(SimpleNamespace(job=job()), "refused")
    assert executor.failed == ["refused"]


@pytest.mark.parametrize(
    "said",
    [
        SBATCH + GONE,
        SBATCH + "Socket timed out on send/recv operation",
        SBATCH + "Unable to contact slurm controller (receive failure)",
        "slurm_load_partitions: " + GONE,
    ],
)
def test_a_job_waits_for_a_controller_that_is_away(executor, tmp_path, monkeypatch, said):
    put(tmp_path, monkeypatch, sbatch=failing(tmp_path, 3, said, "42"))
    executor.run_job(job())
    assert executor.submitted == ["42"] and executor.failed == []
    assert calls(tmp_path) == 4
    # Once that it is away, although it was asked four times, and once that it is back.
    assert len(executor.said) == 2 and said.rpartition(": ")[2] in executor.said[0]


@pytest.mark.parametrize(
    "said",
    [
        SBATCH + "Invalid account or account/partition combination specified",
        SBATCH + "Requested node configuration is not available",
        # One controller was missed, and the other said no.
        "sbatch: error: Socket timed out on send/recv operation\n" + SBATCH + "Invalid qos specification",
        "",
    ],
)
def test_another_refusal_goes_through_at_once(executor, tmp_path, monkeypatch, said):
    put(tmp_path, monkeypatch, sbatch=failing(tmp_path, 3, said, "42"))
    patient(executor, pause=60)
    executor.run_job(job())
    assert executor.submitted == [] and len(executor.failed) == 1 and said in executor.failed[0]
    assert calls(tmp_path) == 1 and executor.said == []


def test_the_question_for_the_default_partition_waits_too(executor, tmp_path, monkeypatch):
    sinfo = failing(tmp_path, 3, "slurm_load_partitions: " + GONE, "PARTITION cpu* gpu")
    put(tmp_path, monkeypatch, sinfo=sinfo, sbatch=f'echo "$@" > {tmp_path}/options; echo 42')
    executor.run_job(job(slurm_partition=""))
    assert executor.submitted == ["42"] and executor.failed == []
    assert "-p cpu " in (tmp_path / "options").read_text()
    assert calls(tmp_path) == 4


def test_another_failure_of_that_question_goes_through_at_once(executor, tmp_path, monkeypatch):
    put(
        tmp_path,
        monkeypatch,
        sinfo=failing(tmp_path, 3, "sinfo: command is broken", "cpu*"),
        sbatch="echo 42",
    )
    patient(executor, pause=60)
    executor.run_job(job(slurm_partition=""))
    assert executor.submitted == [] and "sinfo: command is broken" in executor.failed[0]
    assert calls(tmp_path) == 1


def test_the_question_for_accounts_waits_too(executor, tmp_path, monkeypatch):
    """`sshare` asks the controller; it is asked where accounting does not answer."""
    refused = "echo 'Problem talking to the database: Connection refused' >&2; exit 1"
    sshare = failing(tmp_path, 2, "Couldn't get shares from controller: " + GONE, "lab")
    put(tmp_path, monkeypatch, sacctmgr=refused, sshare=sshare, sbatch="echo 42")
    executor.run_job(job(slurm_account="lab"))
    assert executor.submitted == ["42"] and executor.failed == []
    assert calls(tmp_path) == 3


def test_waiting_has_an_end_for_all_jobs_together(executor, tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, sbatch=failing(tmp_path, 10**6, SBATCH + GONE, "42"))
    patient(executor, longest=0.3, pause=0.05)
    executor.run_job(job())
    assert len(executor.failed) == 1 and GONE in executor.failed[0]
    before = calls(tmp_path)
    assert before > 1
    executor.run_job(job())
    assert len(executor.failed) == 2 and calls(tmp_path) == before + 1


def test_after_an_answer_the_time_begins_anew():
    now = [0.0]
    patience = Patience(lambda _: None, longest=100, pause=0, clock=lambda: now[0])
    for _ in range(3):
        for refusal in (GONE, GONE, None):
            now[0] += 40
            assert patience.again(refusal) == (refusal is not None)


def test_a_line_is_said_about_once_a_minute():
    now, said, seconds = [0.0], [], 1000
    patience = Patience(said.append, longest=3600, pause=0, clock=lambda: now[0])
    while patience.again(GONE if now[0] < seconds else None):
        now[0] += 10
    *waits, back = said
    assert abs(len(waits) - seconds / 60) <= 1 and "again" in back
    assert "60 minutes" in waits[0] and "59 minutes" in waits[1]


def test_a_run_that_is_ended_waits_no_longer_and_submits_nothing_more(executor, tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, sbatch=failing(tmp_path, 10**6, SBATCH + GONE, "42"))
    patient(executor, pause=600)
    waiting = threading.Thread(target=executor.run_job, args=(job(),), daemon=True)
    waiting.start()
    while waiting.is_alive() and not executor.said:
        waiting.join(0.01)
    executor.patience.stop()
    waiting.join(30)
    assert not waiting.is_alive() and len(executor.failed) == 1
    executor.run_job(job())
    assert calls(tmp_path) == 1 and len(executor.failed) == 2


def test_words_of_an_outage():
    assert away(GONE) and away(GONE.upper()) and not away("") and not away("Invalid qos specification")


def workflow(**said):
    plain = {"config": ["study=mini", 'stores=["a b", "c"]'], "files": ["profiles/slurm/site.yaml"]}
    plain |= {"folder": "/home/me/my work", "snakefile": "/home/me/my work/workflow/Snakefile", **said}
    return SimpleNamespace(
        config_settings=SimpleNamespace(config_args=plain["config"]),
        overwrite_configfiles=plain["files"],
        workdir_init=plain["folder"],
        main_snakefile=plain["snakefile"],
    )


@pytest.mark.parametrize(
    "said",
    [
        {"config": ["study=mini", "results=x$(touch F)y"]},
        {"config": ["results=it's"]},
        {"config": ["store=`touch F`"]},
        {"files": ["a\\b.yaml"]},
        {"folder": "/home/$me"},
        {"snakefile": "/home/it's/Snakefile"},
    ],
)
def test_what_a_shell_would_read_in_a_jobs_command_is_refused(said):
    submission.require_plain(workflow())
    submission.require_plain(workflow(config=None))
    with pytest.raises(SiteError, match=r"found .* in .*which a shell"):
        submission.require_plain(workflow(**said))


def test_a_real_workflow_is_looked_at(tmp_path):
    look = "from rlv.snakemake.submission import require_plain\nrequire_plain(workflow)\n"
    (tmp_path / "Snakefile").write_text(f"{look}rule all:\n    shell: 'true'\n")

    def planned(config: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "-n", "--config", config]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert planned("name=b c").returncode == 0
    done = planned("name=$(touch F)")
    assert done.returncode == 1 and "--config: found '$' in 'name=$(touch F)'" in done.stdout + done.stderr
