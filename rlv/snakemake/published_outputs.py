"""What Snakemake may do to a published artifact: look at it.

The outputs of its jobs are manifests in the store, which are read-only and may belong to another user.
Snakemake takes a read-only output for a mistake, touches outputs after a job, compares their times with
those of inputs, and removes them when a job fails, also where they were published by somebody else in the
meantime. Where the clock of the store's server is ahead, it finds copies and benchmarks on this machine older
than what they were made from, fails and removes them. Keys decide here what is up to date and `rlv make` what
is published, so for files of the store none of that is done.

Snakemake has no options for this: four of its methods are wrapped, in every process that reads the
Snakefile. Left out on purpose: outputs outside of the store (figures, claims), which are Snakemake's as ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlv.store import MANIFEST

# Stores whose manifests are left alone in this process.
_ROOTS: set[str] = set()


def leave_alone(root: Path) -> None:
    """Have Snakemake leave the manifests below a store's folder alone, in this process."""
    from snakemake.dag import DAG
    from snakemake.io import _IOFile

    wrapped = bool(_ROOTS)
    _ROOTS.add(str(root))
    if wrapped:
        return
    protected, touch, remove = _IOFile.protected, _IOFile.touch, _IOFile.remove
    check_times = DAG.check_output_mtime

    async def is_protected(self: Any) -> bool:
        return False if _published(self) else await protected(self)

    def touch_others(self: Any, times: Any = None) -> None:
        if not _published(self):
            touch(self, times)

    async def remove_others(self: Any, *arguments: Any, **options: Any) -> None:
        if not _published(self):
            await remove(self, *arguments, **options)

    async def check_others(self: Any, job: Any, expanded_output: Any) -> None:
        # A server's clock may be ahead of this machine's, which wrote the other files of the job.
        if not any(_published(file) for file in job.input):
            await check_times(self, job, [file for file in expanded_output if not _published(file)])

    _IOFile.protected, _IOFile.touch, _IOFile.remove = is_protected, touch_others, remove_others
    DAG.check_output_mtime = check_others


def _published(file: Any) -> bool:
    path = Path(str(file))
    return path.name == MANIFEST and any(str(parent) in _ROOTS for parent in path.parents)
