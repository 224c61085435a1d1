"""The SLURM executor as this workflow needs it: a subclass of the one of snakemake-executor-plugin-slurm.

`put_in_place` gives it to Snakemake's registry of executors, under the plug-in's own name: settings, profiles
and options `--slurm-...` stay as they are. A plug-in of its own name would have to be a second top-level
package, which Snakemake imports at every start, even if the SLURM plug-in is not installed.

Overridden, why, and when that can go (tests/snakemake/test_executor.py fails if upstream's part changes):

`check_active_jobs`     asks the question that this cluster answers (status.py); when upstream takes a job
                        that squeue forgot for ended, outlasts a silent controller, and keeps no later job
                        off a node that failed once
`run_job`               submission waits for a controller that is away (submission.py); when upstream does
`get_account_arg`       without an account SLURM's default counts; when upstream no longer guesses one
`handle_job_error`      no retry that would be in vain; when Snakemake can end a job's retries

Left out on purpose: SLURM's job arrays, which submit as upstream has it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any, ClassVar

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm.job_status_query import (
    query_job_status,
    query_job_status_sacct,
    query_job_status_squeue,
)
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from rlv.cluster.retries import why_in_vain
from rlv.errors import StoreError
from rlv.snakemake.status import Question, Watch
from rlv.snakemake.submission import LONGEST, PAUSE, Patience

# From a job to the work folder of the key that it makes; None: it makes none.
WorkOf = Callable[[Any], Path | None]
_QUERIES = {"sacct": query_job_status_sacct, "squeue": query_job_status_squeue}


class Executor(SlurmExecutor):
    """The SLURM executor of a run: waits for an absent controller, and knows when a job has ended.

    `work_of`, `question`: what the run knows of its jobs and its cluster. `longest`, `pause`: seconds for
    which a controller may be away, and between two tries.
    """

    work_of: ClassVar[Any] = staticmethod(lambda job: None)
    question: ClassVar[Question] = Question("squeue", 60)
    longest: ClassVar[float] = LONGEST
    pause: ClassVar[float] = PAUSE

    def __post_init__(self, test_mode: bool = False) -> None:
        super().__post_init__(test_mode)
        self.prepare()

    def prepare(self) -> None:
        """Set the attributes that this class adds to upstream's executor."""
        logger: Any = self.logger  # upstream's type has no `warning`
        self._warn = logger.warning
        self.patience = Patience(self._warn, self.longest, self.pause)
        self.watch = Watch(self._warn)
        self._refused = threading.local()
        self._slurm_jobs: dict[Any, str] = {}

    @property
    def _settings(self) -> Any:
        """Upstream's settings; no attribute: the thread that checks jobs starts before `__post_init__`."""
        workflow: Any = self.workflow  # upstream's type has no `executor_settings`
        return workflow.executor_settings

    # ---- submitting

    def run_job(self, job: Any) -> None:
        """Submit a job, again and again while the controller is away.

        A run that is being ended submits nothing more, since no process would be left to cancel the job.
        """
        said: str | None = "not submitted: this run is being ended"
        while not self.patience.stopped:
            self._refused.said = None
            try:
                super().run_job(job)
            finally:
                said = vars(self._refused).pop("said")
            if not self.patience.again(said):
                break
        if said is not None:
            self._report_job_error_threadsafe(SubmittedJobInfo(job), said)

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """Keep a refusal of `run_job`, which reports it when it gives up; report any other error at once."""
        if hasattr(self._refused, "said"):
            self._refused.said = msg
        else:
            super()._report_job_error_threadsafe(job_info, msg)

    def cancel(self) -> None:
        """End all jobs, as for Ctrl-C, and all waiting."""
        self.patience.stop()
        super().cancel()

    def get_account_arg(self, job: Any) -> Generator[str, None, None]:
        """The option for the site's account, or ""; upstream would take that of the user's last jobs."""
        if job.resources.get("slurm_account"):
            yield from super().get_account_arg(job)
        else:
            yield ""

    # ---- how jobs are

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the jobs that have ended; yield the others."""
        longest = self.question.seconds
        soon = min(self._settings.init_seconds_before_status_checks, longest)
        ended = False
        if active_jobs:
            command: Any = _QUERIES[self.question.command](self.run_uuid)
            async with self.status_rate_limiter:
                states, _ = await query_job_status(command, self.logger)
            numbers = [str(info.external_jobid) for info in active_jobs]
            outcomes = self.watch.outcomes(self.question.command, states, numbers)
            for info, outcome in zip(active_jobs, outcomes, strict=True):
                ended = ended or outcome is not None
                if outcome is None:
                    yield info
                elif outcome.failed:
                    self._report_failure(info, outcome.said)
                else:
                    self._report_success(info)
        # The longer nothing happens, the less often it is asked.
        later = min(self.next_seconds_between_status_checks + 10, longest)
        self.next_seconds_between_status_checks = soon if ended or not active_jobs else later

    def _report_success(self, info: SubmittedJobInfo) -> None:
        self.report_job_success(info)
        log = (info.aux or {}).get("slurm_logfile")
        if log is not None and not self._settings.keep_successful_logs:
            try:
                log.unlink(missing_ok=True)
            except OSError as error:
                self._warn(f"{log}: the log of a job that succeeded cannot be removed ({error})")

    def _report_failure(self, info: SubmittedJobInfo, said: str) -> None:
        log = (info.aux or {}).get("slurm_logfile")
        msg = f"SLURM-job '{info.external_jobid}' failed, SLURM status is: '{said}'. "
        self.report_job_error(info, msg=msg, aux_logs=[None if log is None else str(log)])

    # ---- trying again

    def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
        """Remember the number of the SLURM job."""
        self._slurm_jobs[job_info.job] = str(job_info.external_jobid)
        super().report_job_submission(job_info, register_job=register_job)

    def handle_job_error(self, job: Any) -> None:
        """Take away the retries that are left to a job, if they would be in vain (rlv/cluster/retries.py)."""
        super().handle_job_error(job)
        work, number = self.work_of(job), self._slurm_jobs.pop(job, None)
        if work is None:
            return
        try:
            why = why_in_vain(work, number)
        except StoreError:
            return  # it cannot be read now: one try more does no harm
        if why is not None:
            self.logger.error(
                f"{work.parent.name}/{work.name}: not tried again, which would be in vain: {why}"
            )
            # The scheduler, which asks next whether tries are left, finds none.
            job.attempt = max(job.attempt, job.restart_times + 1)


def put_in_place(work_of: WorkOf) -> None:
    """Have Snakemake make this executor when it makes that of the plug-in `slurm`; before it has made one."""
    Executor.work_of = staticmethod(work_of)
    plugin: Any = ExecutorPluginRegistry().get_plugin("slurm")
    plugin.executor = Executor
