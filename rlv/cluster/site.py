"""What differs between clusters, as one typed record: profiles/slurm/site.yaml, its section `slurm`.

Every key has a default that works where SLURM has one default partition and asks for no account. Left out on
purpose: what SLURM itself knows (inventory.py), and options that are the same everywhere
(profiles/slurm/config.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from rlv.errors import SiteError
from rlv.sections import Section

FILE = "profiles/slurm/site.yaml"
SECTION = "slurm"
# What SLURM prints where a partition has no limit.
ENDLESS = "UNLIMITED"
_UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60}


def minutes(said: object) -> int | None:
    """A duration in minutes: a number, "90m", "36h", "2d", or as SLURM writes it; None: no limit.

    SLURM's: "minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours[:minutes[:seconds]]". Begun
    minutes count whole. Raises ValueError for anything else.
    """
    text = str(said).strip()
    if said is None or text.upper() in (ENDLESS, "INFINITE"):
        return None
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.lower()):
        return _whole(float(found[1]) * _UNITS[found[2]])
    if not (found := re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)):
        raise ValueError("a number of minutes, 90m, 36h, 2d or DAYS-HOURS:MINUTES:SECONDS would do")
    days, *rest = found.groups()
    numbers = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, mins, seconds = (*numbers, 0, 0)[:3]
        return _whole(int(days) * 1440 + hours * 60 + mins + seconds / 60)
    if len(numbers) == 3:
        return _whole(numbers[0] * 60 + numbers[1] + numbers[2] / 60)
    return _whole(numbers[0] + (numbers[1] / 60 if len(numbers) == 2 else 0))


def _whole(number: float) -> int:
    return max(1, int(-(-number // 1)))


Duration = Annotated[int | None, BeforeValidator(minutes)]
Word = Annotated[str, Field(pattern=r"^[\w.:@+-]+$")]
Extra = Annotated[str, Field(pattern=r"^[^\"'`$;&|<>\n]*$")]


class Kind(Section):
    """Where jobs of one kind go."""

    partition: Annotated[str, Field(pattern=r"^[\w.,-]+$")] | None = Field(
        default=None, description="name, or several with commas between; null: the cluster's default"
    )
    max_runtime: Duration = Field(
        default=None, description="the longest that one job may ask for; null: what the partition allows"
    )
    constraint: Annotated[str, Field(pattern=r"^[^\s\"'`$;]+$")] | None = Field(
        default=None, description="features that a node must have, as `sbatch --constraint` reads them"
    )
    extra: Extra = Field(default="", description="further options of sbatch")


class GpuKind(Kind):
    """Where jobs that compute on GPUs go."""

    use: bool = Field(default=True, description="false: no GPUs are asked for, all jobs go to `cpu`")
    type: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = Field(
        default=None, description="T of gpu:T:N in `sinfo -o %G`; null: any"
    )
    model: str | None = Field(
        default=None, description="name in rlv/estimate/gpus.py, for runtimes; null: guessed from `type`"
    )
    cpus_each: int = Field(default=4, ge=1, description="processor cores beside each GPU")


class Site(Section):
    """The section `slurm` of a site file."""

    account: Word | None = Field(default=None, description="who pays; null: the user's default account")
    qos: Word | None = Field(default=None, description="quality of service; null: the default")
    save_minutes: int = Field(
        default=10, ge=1, description="minutes before its time limit that a training is told to save and end"
    )
    status_seconds: int = Field(
        default=60, ge=1, description="the longest between two questions to SLURM how jobs are"
    )
    cpu: Kind = Kind()
    gpu: GpuKind = GpuKind()


def read_site(raw: Mapping[str, Any] | None, file: str = FILE) -> Site:
    """The site of a configuration's section `slurm`. Raises SiteError, a line for every key that is wrong."""
    try:
        return Site.model_validate(raw or {})
    except ValidationError as error:
        lines = [_line(file, problem) for problem in error.errors()]
        raise SiteError("\n".join(lines)) from None


def _line(file: str, problem: Any) -> str:
    location = tuple(map(str, problem["loc"]))
    key = ".".join((SECTION, *location))
    if problem["type"] == "extra_forbidden":
        known: type[BaseModel] = (
            {"cpu": Kind, "gpu": GpuKind}.get(location[0], Site) if location[1:] else Site
        )
        return f"{file}: {key}: unknown key; known: {', '.join(known.model_fields)}"
    said = problem["msg"].removeprefix("Value error, ")
    return f"{file}: {key}: {said}, found {problem.get('input')!r}"
