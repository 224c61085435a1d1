"""Models and data sets that must be fetched from the hub and cannot be.

The hub is asked once for each thing that its cache lacks; if HF_HUB_OFFLINE is set, it is never asked.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from rlv.errors import RlvError
from rlv.hub import Asked, check_access
from rlv.run.stages import STAGES
from rlv.store import Artifact

# Repositories that are asked for at the same time.
_AT_ONCE = 8


def refused(pending: list[Artifact]) -> dict[str, str]:
    """Complaints by artifact path."""
    asked = {a.path: wanted for a in pending if (wanted := STAGES[a.stage].asks(a)) is not None}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = zip(asked, threads.map(_complaint, asked.values()), strict=True)
        return {path: answer for path, answer in answers if answer is not None}


def uncached(pending: list[Artifact]) -> dict[str, str]:
    """What the cache of the hub lacks, by artifact path; the hub is not asked."""
    asked = {a.path: STAGES[a.stage].asks(a) for a in pending}
    return {
        path: f"{one.key}: {one.repo} is not in the cache of the hub; run `rlv fetch {one.study}`"
        for path, one in asked.items()
        if one is not None
    }


def _complaint(asked: Asked) -> str | None:
    if not asked.revision.strip("0"):
        return (
            f"{asked.key}.revision: {asked.revision} stands for a commit that nobody has looked up; "
            f"{asked.page}/commits/main has them, or {asked.local}"
        )
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return (
            f"{asked.key}: {asked.repo} is not in the cache of the hub, and HF_HUB_OFFLINE is set; run "
            f"`rlv fetch {asked.study}` where there is a network, or {asked.local}"
        )
    try:
        check_access(asked)
    except RlvError as error:
        return str(error)
    return None
