"""Which failed jobs are submitted again: not those that would fail in the same way.

A job's own exit status does not come through SLURM, where the Snakemake around it ends with 1 whatever it
ran. But `rlv make` releases its lease in the store with what ended it (rlv/store/leases.py), and with the
number of its SLURM job. The process that submitted the job reads that, and takes away the retries that are
left (rlv/snakemake/executor.py). A job that left no such lease is tried again: it was killed, ran out of
memory or lost its node, or it ended before it computed anything.
"""

from __future__ import annotations

from pathlib import Path

from rlv.store.leases import lease_of


def why_in_vain(work: Path, slurm_job: str | None) -> str | None:
    """The error of a SLURM job that another try would only meet again; None: it may be tried again.

    `work`: the work folder of the key that it was to make. Raises StoreError if a lease cannot be read.
    """
    lease = lease_of(work)
    if lease is None or slurm_job is None or not lease.in_vain:
        return None
    return str(lease.content.get("error")) if str(lease.content.get("slurm_job")) == slurm_job else None
