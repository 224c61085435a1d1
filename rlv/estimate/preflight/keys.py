"""Where a study sets what a job is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Artifact


def key_of(plan: Plan, job: Artifact, setting: str) -> str:
    """The key path behind a job's `engine`, `max_tokens` or `verification`."""
    paths = STAGES[job.stage].work.keys(job, setting)
    return next((path for path in paths if _is_set(plan.study, path)), paths[-1])


def _is_set(value: Any, path: str) -> bool:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part)
    return value is not None
