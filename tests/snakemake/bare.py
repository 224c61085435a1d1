"""The SLURM executor with as little around it as its methods need, for the tests beside this file."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("snakemake_executor_plugin_slurm")
from rlv.snakemake.executor import Executor


class Job(SimpleNamespace):
    """A job of the workflow, as far as the executor looks at it."""

    def __hash__(self) -> int:
        return id(self)

    def register(self, external_jobid: str) -> None: ...


class Limiter:
    """No limit of questions a second."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


class Bare(Executor):
    """Its reports are in `submitted`, `succeeded` and `failed`; warnings in `said`, errors in `errors`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        usual = {"requeue": False, "no_requeue": True, "qos": None, "reservation": None}
        usual |= {"pass_command_as_script": False, "keep_successful_logs": False}
        usual |= {"init_seconds_before_status_checks": 40}
        self.said: list[str] = []
        self.succeeded: list[str] = []
        self.failed: list[str] = []
        self.errors: list[str] = []
        self.logger = SimpleNamespace(
            warning=self.said.append, error=lambda line, **_: self.errors.append(line)
        )
        self.logger.debug = self.logger.info = lambda line: None
        self.workflow = SimpleNamespace(
            workdir_init=str(folder),
            executor_settings=SimpleNamespace(**{**usual, **settings}),
            scheduler=SimpleNamespace(submit_callback=lambda job: None),
        )
        self.lock, self.active_jobs = threading.Lock(), []
        self.slurm_logdir, self.run_uuid = folder / "logs", "x"
        self.status_rate_limiter = Limiter()
        self.next_seconds_between_status_checks = 40
        self._failed_nodes: set[str] = set()
        self._partitions = self._fallback_partition = self._main_event_loop = None
        self._submitted_job_clusters: set[str] = set()
        self.prepare()

    @property
    def submitted(self) -> list[str]:
        return [str(info.external_jobid) for info in self.active_jobs]

    def report_job_success(self, job_info: Any) -> None:
        self.succeeded.append(job_info.external_jobid)

    def report_job_error(self, job_info: Any, msg: str | None = None, **more: Any) -> None:
        self.failed.append(msg or "")

    def format_job_exec(self, job: Any) -> str:
        return "true"
