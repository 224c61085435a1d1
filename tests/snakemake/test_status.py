"""Which question about jobs is asked, and what the executor makes of each answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
from types import SimpleNamespace

import pytest

from rlv.cluster.inventory import Records
from rlv.snakemake import status
from rlv.snakemake.status import ALIVE, GONE, choose, patient, tidied


@pytest.mark.parametrize(
    ("kept", "sacct", "command"),
    [(True, True, "sacct"), (True, False, "squeue"), (False, True, "squeue"), (False, False, "squeue")],
)
def test_sacct_is_asked_only_where_it_answers(kept, sacct, command):
    assert choose(Records(kept, False, 300), lambda: sacct) == command


def of(said: str, command: str = "sacct -X") -> str:
    return tidied({"1": said}, set(), command)["1"]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("CANCELLED by 1000", "CANCELLED"),
        ("CANCELLED", "CANCELLED"),
        ("PREEMPTED", "CANCELLED"),
        ("COMPLETED", "COMPLETED"),
        ("TIMEOUT", "TIMEOUT"),
        ("OUT_OF_MEMORY", "OUT_OF_MEMORY"),
        ("NODE_FAIL", "FAILED"),
        ("REVOKED", "FAILED"),
        ("LAUNCH_FAILED", "FAILED"),
        ("RUNNING", "RUNNING"),
    ],
)
def test_answers_in_the_executors_words(said, word):
    assert of(said) == word


@pytest.mark.parametrize("state", sorted(ALIVE))
def test_a_job_that_is_still_there_is_not_ended(state):
    assert of(state) == state


def executor_outcome(state: str) -> str:
    """What the executor itself does with a job in this state."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    done = []
    job = SimpleNamespace(external_jobid="1", aux={"slurm_logfile": SimpleNamespace(exists=lambda: False)})
    logger = SimpleNamespace(**dict.fromkeys(("debug", "info", "warning", "error"), lambda *a, **k: None))

    class Limiter:
        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            return None

    async def answered(command, logger):
        return await patient(lambda c, g: asyncio.sleep(0, ({"1": state}, 0.1)))(command, logger)

    settings = SimpleNamespace(
        status_attempts=1, init_seconds_before_status_checks=1, requeue=False, keep_successful_logs=True
    )
    me = SimpleNamespace(
        workflow=SimpleNamespace(executor_settings=settings),
        logger=logger,
        run_uuid="x",
        status_rate_limiter=Limiter(),
        get_status_command=lambda: "sacct",
        next_seconds_between_status_checks=1,
        _preemption_warning=False,
        _status_query_calls=0,
        _status_query_failures=0,
        _status_query_total_seconds=0.0,
        _status_query_min_seconds=None,
        _status_query_max_seconds=0.0,
        _status_query_cycle_rows=[],
        _failed_nodes=set(),
        report_job_success=lambda j: done.append("succeeded"),
        report_job_error=lambda j, **_: done.append("failed"),
    )

    async def ask():
        return [j async for j in plugin.Executor.check_active_jobs(me, [job])]

    before = plugin.query_job_status
    plugin.query_job_status = answered
    try:
        still = asyncio.run(ask())
    finally:
        plugin.query_job_status = before
    assert len(still) + len(done) == 1
    return done[0] if done else "there"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("COMPLETED", "succeeded"),
        ("FAILED", "failed"),
        ("CANCELLED by 0", "failed"),
        ("PREEMPTED", "failed"),
        ("NODE_FAIL", "failed"),
        ("TIMEOUT", "failed"),
        ("REQUEUED", "there"),
        ("RUNNING", "there"),
        ("PENDING", "there"),
    ],
)
def test_the_executor_acts_upon_every_answer(tmp_path, monkeypatch, state, outcome):
    for name in ("sacct", "scontrol"):  # it asks why a job has failed
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert executor_outcome(state) == outcome


# ---- squeue forgets, SLURM is silent


def asked(answers, command):
    """The answers of one patient query to so many questions."""
    given = iter(answers)

    async def query(command, logger):
        return next(given)

    async def all_of_them():
        question = patient(query)
        return [(await question(command, None))[0] for _ in answers]

    return asyncio.run(all_of_them())


def test_a_job_that_squeue_forgets_has_ended():
    answers = [({"1": "RUNNING", "2": "PENDING"}, 0.1), ({"2": "RUNNING"}, 0.1), ({}, 0.1)]
    found = asked(answers, "squeue --name x")
    assert found == [
        {"1": "RUNNING", "2": "PENDING"},
        {"1": GONE, "2": "RUNNING"},
        {"1": GONE, "2": GONE},
    ]


def test_a_job_that_sacct_does_not_know_yet_is_still_there():
    answers = [({"1": "RUNNING"}, 0.1), ({}, 0.1)]
    assert asked(answers, "sacct -X")[1] == {}


@pytest.mark.parametrize("command", ["squeue", "sacct"])
def test_while_slurm_is_silent_jobs_are_what_they_were(command):
    answers = [({"1": "RUNNING"}, 0.1), (None, None), (None, None), ({"1": "COMPLETED"}, 0.1)]
    assert asked(answers, command) == [{"1": "RUNNING"}, {}, {}, {"1": "COMPLETED"}]


def test_long_silence_is_said_once():
    now, said = [0.0], []

    async def silent(command, logger):
        now[0] += 200
        return None, None

    question = patient(silent, lambda: now[0])
    logger = SimpleNamespace(warning=said.append)

    async def several():
        for _ in range(5):
            await question("sacct -X", logger)

    asyncio.run(several())
    assert len(said) == 1 and "`sacct`" in said[0]


# ---- what is set in the executor


@pytest.mark.parametrize(("forgets", "often"), [(300, 20), (30, 10), (2, 1), (0, 20)])
def test_the_executor_is_told_what_answers(monkeypatch, forgets, often):
    """`forgets`: seconds after which squeue does (0: never); it is asked three times until then."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    monkeypatch.setattr(status, "records", lambda: Records(False, False, forgets))
    for name in ("query_job_status", "get_min_job_age"):
        monkeypatch.setattr(plugin, name, getattr(plugin, name))
    known = vars(plugin.Executor).get("next_seconds_between_status_checks")
    settings = SimpleNamespace(status_command="sacct", init_seconds_before_status_checks=40)
    executor = SimpleNamespace(_fallback_account_arg=None)
    outages = []
    monkeypatch.setattr(status.submission, "install", lambda *of: outages.append(of))
    workflow = SimpleNamespace(executor_settings=settings, scheduler=SimpleNamespace(_executor=executor))
    try:
        assert status.install(workflow, 20, longest_outage=7) == "squeue"
        assert outages == [(executor, 7)]
        assert settings.status_command == "squeue"
        # The executor would go back to sacct where squeue forgets within three of its intervals.
        assert plugin.get_min_job_age() >= 3 * settings.init_seconds_before_status_checks
        assert settings.init_seconds_before_status_checks == often
        assert executor._fallback_account_arg == ""
        mine = SimpleNamespace(_next_seconds_between_status_checks=180, workflow=None)
        assert plugin.Executor.next_seconds_between_status_checks.fget(mine) == often
    finally:
        if known is None:
            del plugin.Executor.next_seconds_between_status_checks
        else:
            plugin.Executor.next_seconds_between_status_checks = known


def test_a_step_is_told_where_slurm_is(monkeypatch):
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm_jobstep")
    monkeypatch.setattr(plugin, "subprocess", subprocess)
    monkeypatch.setenv("SLURM_CONF", "/somewhere/slurm.conf")
    status.keep_configuration()
    step = plugin.subprocess.Popen(
        "echo $SLURM_CONF $OTHER", shell=True, env={"OTHER": "1"}, stdout=plugin.subprocess.PIPE, text=True
    )
    assert step.communicate()[0] == "/somewhere/slurm.conf 1\n"
    assert subprocess.Popen is not plugin.subprocess.Popen
