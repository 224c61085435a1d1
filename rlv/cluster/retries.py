"""Which failed jobs are submitted again: not those that would fail in the same way.

A job's own exit status does not come through SLURM, where the Snakemake around it ends with 1 whatever it
ran. But `rlv make` releases its lease in the store with what ended it (rlv/store/leases.py), and with the
number of its SLURM job. Here the process that submitted the job reads that, and takes away the retries that
are left. A job that left no such lease is tried again: it was killed, ran out of memory or lost its node, or
it ended before it computed anything.

Snakemake has retries by rule, whatever the error, and no other way to end them (9.27). What is wrapped are
two methods that every executor has (snakemake-interface-executor-plugins).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlv.errors import StoreError
from rlv.store.leases import lease_of


def why_in_vain(work: Path, slurm_job: str | None) -> str | None:
    """The error of a SLURM job that another try would only meet again; None: it may be tried again.

    `work`: the work folder of the key that it was to make. Raises StoreError if a lease cannot be read.
    """
    lease = lease_of(work)
    if lease is None or slurm_job is None or not lease.in_vain:
        return None
    return str(lease.content.get("error")) if str(lease.content.get("slurm_job")) == slurm_job else None


def install(executor: Any, work_of: Callable[[Any], Path | None]) -> None:
    """Keep an executor from trying jobs again if that is in vain.

    `work_of`: from a job to the work folder of the key that it makes; None: it makes none.
    """
    submitted: dict[Any, str] = {}
    report, handle = executor.report_job_submission, executor.handle_job_error

    def report_submission(job_info: Any, *arguments: Any, **more: Any) -> None:
        submitted[job_info.job] = str(job_info.external_jobid)
        report(job_info, *arguments, **more)

    def handle_error(job: Any) -> None:
        handle(job)
        work = work_of(job)
        why = None if work is None else _read(work, submitted.pop(job, None))
        if work is not None and why is not None:
            executor.logger.error(
                f"{work.parent.name}/{work.name}: not tried again, which would be in vain: {why}"
            )
            # The scheduler, which asks next whether tries are left, finds none.
            job.attempt = max(job.attempt, job.restart_times + 1)

    executor.report_job_submission, executor.handle_job_error = report_submission, handle_error


def _read(work: Path, slurm_job: str | None) -> str | None:
    try:
        return why_in_vain(work, slurm_job)
    except StoreError:
        return None  # not to be read now: one try more does no harm
