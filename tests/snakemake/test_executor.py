"""What of the SLURM executor is overridden is as it was when it was; and the overrides are in place."""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm.validation import get_forbidden_slurm_options
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from rlv.snakemake import executor, step
from tests.snakemake.bare import Bare, Job

SLURM, STEP = executor.SlurmExecutor, step.plugin.Executor
RUN_JOB = (
    "whether it outlasts a controller that is away: then `run_job` and submission.py can go; else it must "
    "report each refusal of sbatch, sinfo and sshare by `_report_job_error_threadsafe`, with SLURM's words"
)
CHECK = (
    "whether it takes a job that squeue forgot for ended, outlasts a silent controller and keeps no later "
    "job off a node that failed: then `check_active_jobs` and status.py can go; else what else it does by now"
)
QUERY = "whether the answer is still ({job: state}, seconds), or (None, None) if there was none"
# Upstream's code that an override replaces or relies on, and what to look at when it is another.
UPSTREAM = [
    (SLURM.run_job, "d8a8af5d4605", RUN_JOB),
    (SLURM._report_job_error_threadsafe, "bccc14fdfb49", RUN_JOB),
    (SLURM.check_active_jobs, "a15ec905e07e", CHECK),
    (executor.query_job_status, "e0a595a37ef2", QUERY),
    (executor.query_job_status_sacct, "6b587e4a00a1", QUERY),
    (executor.query_job_status_squeue, "046aea6314a4", QUERY),
    (
        SLURM.get_account_arg,
        "f49dd1922c96",
        "whether it still guesses an account: else `get_account_arg` can go",
    ),
    (SLURM.__post_init__, "a2516401a2d4", "whether it still has all attributes of tests/snakemake/bare.py"),
    (RemoteExecutor.report_job_submission, "d85e8b031315", "whether it is called once for each submission"),
    (
        RemoteExecutor.handle_job_error,
        "81b76d698053",
        "whether the scheduler calls it before it counts attempts",
    ),
    (RemoteExecutor.cancel, "7f232b7a6371", "whether it is still what Ctrl-C calls"),
    (
        get_forbidden_slurm_options,
        "724949a2ae6e",
        "whether the names are still those of `_INSTEAD` in rlv/cluster/checks.py",
    ),
    (
        STEP.run_job,
        "1d0c7bd17ef1",
        "whether it keeps SLURM_CONF for srun: then step.py can go. Else, whether `Popen` "
        "of the module's `subprocess` with `env` still starts the step",
    ),
]


@pytest.mark.parametrize(
    ("upstream", "digest", "look"), UPSTREAM, ids=lambda value: getattr(value, "__name__", None)
)
def test_upstream_is_what_the_override_was_written_for(upstream, digest, look):
    found = hashlib.sha256(inspect.getsource(upstream).encode()).hexdigest()[:12]
    assert found == digest, f"{upstream.__module__}.{upstream.__qualname__} is another by now: look {look}"


def test_snakemake_makes_the_executors_of_this_package(monkeypatch):
    plugins = {name: ExecutorPluginRegistry().get_plugin(name) for name in ("slurm", "slurm-jobstep")}
    for plugin in plugins.values():
        monkeypatch.setattr(plugin, "executor", plugin.executor)
    monkeypatch.setattr(executor.Executor, "work_of", None)
    executor.put_in_place(lambda job: None)
    step.put_in_place()
    assert plugins["slurm"].executor is executor.Executor
    assert plugins["slurm-jobstep"].executor is step.Executor


def test_only_an_account_that_is_named_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no command that could guess
    assert next(Bare(tmp_path).get_account_arg(SimpleNamespace(resources={}))) == ""


def test_ending_a_run_ends_its_jobs_and_its_waiting(tmp_path, monkeypatch):
    cancelled = []
    monkeypatch.setattr(RemoteExecutor, "cancel", lambda self: cancelled.append(self))
    bare = Bare(tmp_path)
    bare.cancel()
    assert cancelled == [bare] and bare.patience.stopped


@pytest.mark.parametrize("conf", ["/somewhere/slurm.conf", None])
def test_a_step_knows_where_slurms_configuration_is(tmp_path, monkeypatch, conf):
    monkeypatch.delenv("SLURM_CONF", raising=False)
    if conf is not None:
        monkeypatch.setenv("SLURM_CONF", conf)
    monkeypatch.setenv("SLURM_NTASKS", "3")  # upstream drops it for good reasons
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "srun").write_text(
        f"#!/bin/sh\necho ${{SLURM_CONF-none}} ${{SLURM_NTASKS-none}} > {tmp_path}/seen\n"
    )
    (tmp_path / "srun").chmod(0o755)
    ended = []
    mine = object.__new__(step.Executor)
    mine.workflow = SimpleNamespace(
        executor_settings=SimpleNamespace(array_execs="", pass_command_as_script=False)
    )
    mine.logger = SimpleNamespace(debug=lambda *_: None)
    mine.job_array_task = mine.gpu_job = False
    mine.format_job_exec = lambda job: "true"
    mine.report_job_submission = lambda info: None
    mine.report_job_success, mine.report_job_error = ended.append, pytest.fail
    mine.run_job(Job(resources={}, threads=1, is_group=lambda: False))
    assert (tmp_path / "seen").read_text() == f"{conf or 'none'} none\n" and len(ended) == 1
    assert step.plugin.subprocess is subprocess
