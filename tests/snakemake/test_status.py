"""Which question about jobs is asked, what each answer means, and what the executor does then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from rlv.cluster.inventory import Records
from rlv.snakemake.status import ALIVE, Question, Watch, question
from tests.snakemake.bare import Bare


@pytest.mark.parametrize(
    ("kept", "sacct", "command"),
    [(True, True, "sacct"), (True, False, "squeue"), (False, True, "squeue"), (False, False, "squeue")],
)
def test_sacct_is_asked_only_if_it_answers(kept, sacct, command):
    assert question(60, Records(kept, False, 300), lambda: sacct).command == command


@pytest.mark.parametrize(("forgets", "often"), [(300, 20), (30, 10), (2, 1), (0, 20)])
def test_squeue_is_asked_three_times_before_it_forgets(forgets, often):
    """`forgets`: seconds after which squeue does; 0: never."""
    assert question(20, Records(False, False, forgets)) == Question("squeue", often)


def meant(
    answers: list[dict[str, str] | None], jobs: Iterable[str] = "12", command: str = "squeue"
) -> list[str]:
    """What each of several answers means for jobs 1 and 2: there, ended, failed."""
    watch = Watch(lambda line: None)
    words = {None: "there", False: "ended", True: "failed"}
    return [
        " ".join(words[o if o is None else o.failed] for o in watch.outcomes(command, answer, jobs))
        for answer in answers
    ]


OUTCOMES = {
    "COMPLETED": "ended",
    "CANCELLED": "failed",
    "CANCELLED by 1000": "failed",
    "CANCELLED+": "failed",
    "PREEMPTED": "failed",
    "FAILED": "failed",
    "TIMEOUT": "failed",
    "OUT_OF_MEMORY": "failed",
    "NODE_FAIL": "failed",
    "REVOKED": "failed",
    "LAUNCH_FAILED": "failed",
    "": "failed",
    **dict.fromkeys(sorted(ALIVE), "there"),
}


@pytest.mark.parametrize(("said", "outcome"), OUTCOMES.items())
def test_a_job_is_there_has_ended_or_has_failed(said, outcome):
    assert meant([{"1": said}], jobs="1", command="sacct") == [outcome]


def test_a_job_that_squeue_forgets_has_ended():
    answers = [{"1": "RUNNING", "2": "PENDING"}, {"2": "RUNNING"}, {}]
    assert meant(answers) == ["there there", "ended there", "ended ended"]


def test_a_job_that_was_never_listed_is_still_there():
    assert meant([{"1": "RUNNING"}, {"1": "RUNNING"}]) == ["there there"] * 2
    assert meant([{"1": "RUNNING"}, {}], command="sacct") == ["there there"] * 2


def test_tasks_of_an_array_are_found_by_its_number_too():
    answers = [{"7": "RUNNING"}, {"7": "RUNNING", "7_2": "FAILED"}, {"7_2": "FAILED"}]
    assert meant(answers, ["7_1", "7_2"]) == ["there there", "there failed", "ended failed"]


@pytest.mark.parametrize("command", ["squeue", "sacct"])
def test_while_slurm_is_silent_jobs_are_what_they_were(command):
    answers = [{"1": "RUNNING"}, None, None, {"1": "COMPLETED"}]
    assert meant(answers, "1", command) == ["there", "there", "there", "ended"]


def test_long_silence_is_said_once_and_again_after_an_answer():
    now, said = [0.0], []
    watch = Watch(said.append, lambda: now[0])
    for answer in (None, None, None, None, {}, None, None, None):
        now[0] += 200
        list(watch.outcomes("sacct", answer, ["1"]))
    assert len(said) == 2 and "`sacct`" in said[0]


# ---- the executor


def checked(executor: Bare, monkeypatch, answer: dict[str, str] | None, jobs: str = "1") -> list[str]:
    """The jobs that are still there after a question."""
    asked = []

    async def query(command, logger):
        asked.append(command)
        return answer, 0.1

    monkeypatch.setattr("rlv.snakemake.executor.query_job_status", query)
    monkeypatch.setattr(Bare, "question", Question("squeue", 60))
    executor.slurm_logdir.mkdir(exist_ok=True)
    logs = {number: executor.slurm_logdir / number for number in jobs}
    infos = [SimpleNamespace(external_jobid=n, aux={"slurm_logfile": logs[n]}) for n in jobs]

    async def ask():
        return [info.external_jobid async for info in executor.check_active_jobs(infos)]

    still = asyncio.run(ask())
    # The run's own jobs are asked for, by their name; without jobs nothing is.
    assert all(command.startswith("squeue ") and "--name x" in command for command in asked)
    assert len(asked) == bool(jobs)
    return still


def test_the_executor_reports_what_has_ended_and_keeps_the_rest(tmp_path, monkeypatch):
    executor = Bare(tmp_path)
    answer = {"1": "RUNNING", "2": "COMPLETED", "3": "NODE_FAIL", "4": "CANCELLED by 0"}
    assert checked(executor, monkeypatch, answer, "1234") == ["1"]
    assert executor.succeeded == ["2"] and len(executor.failed) == 2
    assert "SLURM-job '3' failed" in executor.failed[0] and "CANCELLED by 0" in executor.failed[1]
    # A node that failed once is asked for again: SLURM itself keeps jobs off those that are down.
    assert executor._failed_nodes == set()


@pytest.mark.parametrize("kept", [True, False])
def test_logs_of_jobs_that_succeeded_are_removed_unless_they_are_to_be_kept(tmp_path, monkeypatch, kept):
    executor = Bare(tmp_path, keep_successful_logs=kept)
    (tmp_path / "logs").mkdir()
    for number in "12":
        (tmp_path / "logs" / number).touch()
    checked(executor, monkeypatch, {"1": "COMPLETED", "2": "FAILED"}, "12")
    assert [(tmp_path / "logs" / number).exists() for number in "12"] == [kept, True]


def test_the_first_question_may_come_before_the_executor_is_complete(tmp_path):
    """Upstream starts the thread that asks before `__post_init__`."""
    executor = object.__new__(Bare)
    executor.workflow = Bare(tmp_path).workflow
    executor.workflow.remote_execution_settings = SimpleNamespace(seconds_between_status_checks=10)
    executor._next_seconds_between_status_checks = None

    async def ask():
        return [job async for job in executor.check_active_jobs([])]

    assert asyncio.run(ask()) == []


def test_it_asks_less_often_while_nothing_happens_and_never_too_seldom(tmp_path, monkeypatch):
    executor = Bare(tmp_path)
    seconds = []
    for answer in [{"1": "RUNNING"}] * 4 + [{"1": "COMPLETED"}]:
        checked(executor, monkeypatch, answer)
        seconds.append(executor.next_seconds_between_status_checks)
    assert seconds == [50, 60, 60, 60, 40]
    checked(executor, monkeypatch, None, "")
    assert executor.next_seconds_between_status_checks == 40
