"""What differs between clusters, as one typed record: profiles/slurm/site.yaml, its section `slurm`.

Every key has a default that works if SLURM has a default partition, with GPUs if any job asks for them, and
demands no account. Left out: what SLURM itself knows (inventory.py), and options that are the same
everywhere (profiles/slurm/config.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from rlv.errors import SiteError
from rlv.run.stages import STAGES
from rlv.study.types import Section

FILE = "profiles/slurm/site.yaml"
SECTION = "slurm"
# SLURM prints this for a partition without a limit.
ENDLESS = "UNLIMITED"
_UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 24 * 60}
_SIZES = {"m": 1, "g": 1024, "t": 1024**2}


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


def megabytes(said: object) -> int | None:
    """A size in MiB, which is SLURM's MB: "500M", "64G", "1.5T"; None stays None. Raises ValueError."""
    if said is None:
        return None
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mgt])b?", str(said).strip().lower())):
        raise ValueError("a size with its unit, such as 500M, 64G or 1.5T, would do")
    return _whole(float(found[1]) * _SIZES[found[2]])


def _whole(number: float) -> int:
    return max(1, int(-(-number // 1)))


def _written_minutes(said: object) -> int | None:
    # 12:00:00 has become 43200 by now, 12:00 has become 720; as minutes both would be wrong.
    if isinstance(said, int | float):
        raise ValueError(
            "write the unit, such as 90m, 36h or 2d, or put what SLURM prints in quotes: YAML takes 12:00:00 "
            "for another number"
        )
    return minutes(said)


def _known_stage(name: str) -> str:
    if name not in STAGES:
        raise ValueError(f"no stage of this name; there are {', '.join(STAGES)}")
    return name


Duration = Annotated[int | None, BeforeValidator(_written_minutes)]
Size = Annotated[int | None, BeforeValidator(megabytes)]
Partitions = Annotated[str, Field(pattern=r"^[\w.,-]+$")]
Features = Annotated[str, Field(pattern=r"^[^\s\"'`$;]+$")]
Word = Annotated[str, Field(pattern=r"^[\w.:@+-]+$")]
Extra = Annotated[str, Field(pattern=r"^[^\"'`$;&|<>\n]*$")]


class Kind(Section):
    """Where jobs of one kind go."""

    partition: Partitions | None = Field(
        default=None, description="name, or several with commas between; null: the cluster's default"
    )
    max_runtime: Duration = Field(
        default=None, description="the longest that one job may ask for; null: what the partition allows"
    )
    constraint: Features | None = Field(
        default=None, description="features that a node must have, as `sbatch --constraint` reads them"
    )
    extra: Extra | None = Field(default=None, description="further options of sbatch")


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


class OfStage(Kind):
    """What the jobs of one stage ask for instead; null: as other jobs on processors or GPUs."""

    memory: Size = Field(default=None, description="the least that a job asks for on each of its nodes")
    runtime: Duration = Field(default=None, description="the least that a job asks for")


_NOTHING = OfStage()


class Site(Section):
    """The section `slurm` of a site file."""

    account: Word | None = Field(default=None, description="account to charge; null: the user's default")
    qos: Word | None = Field(default=None, description="quality of service; null: the default")
    ask_memory: bool = Field(
        default=True,
        description="false: jobs ask for no memory, for clusters that do not schedule it (no RealMemory)",
    )
    save_minutes: int = Field(
        default=10, ge=1, description="minutes before its time limit at which a training is asked to save"
    )
    status_seconds: int = Field(
        default=60, ge=1, description="the longest between two questions to SLURM about the state of jobs"
    )
    cpu: Kind = Kind()
    gpu: GpuKind = GpuKind()
    stages: dict[Annotated[str, AfterValidator(_known_stage)], OfStage] = Field(
        default={}, description="what the jobs of a stage ask for instead"
    )

    def of_stage(self, stage: str | None) -> OfStage:
        """The settings of a stage, all null if it has none."""
        return self.stages.get(stage or "", _NOTHING)

    def kind(self, stage: str | None, *, gpu: bool) -> Kind:
        """Where the jobs of a stage go."""
        kind, here = self.gpu if gpu else self.cpu, self.of_stage(stage)
        if here is _NOTHING:  # asked many times a job
            return kind
        said = {name: getattr(here, name) for name in Kind.model_fields if getattr(here, name) is not None}
        return kind.model_copy(update=said)

    def place_of(self, stage: str | None, name: str, *, gpu: bool) -> str:
        """The path of the key that sets a `Kind`'s value for the jobs of a stage."""
        if getattr(self.of_stage(stage), name, None) is not None:
            return f"{SECTION}.stages.{stage}.{name}"
        return f"{SECTION}.{'gpu' if gpu else 'cpu'}.{name}"


def read_site(raw: Mapping[str, Any] | None, file: str = FILE) -> Site:
    """The site of a configuration's section `slurm`. Raises SiteError, a line for every key that is wrong."""
    try:
        return Site.model_validate(raw or {})
    except ValidationError as error:
        lines = [_line(file, problem) for problem in error.errors()]
        raise SiteError("\n".join(lines)) from None


def _line(file: str, problem: Any) -> str:
    location = tuple(str(part) for part in problem["loc"] if part != "[key]")
    key = ".".join((SECTION, *location))
    if problem["type"] == "extra_forbidden":
        within: dict[str, type[BaseModel]] = {"cpu": Kind, "gpu": GpuKind, "stages": OfStage}
        known = within[location[0]] if location[1:] else Site
        return f"{file}: {key}: unknown key; known: {', '.join(known.model_fields)}"
    said = problem["msg"].removeprefix("Value error, ")
    return f"{file}: {key}: {said}, found {problem.get('input')!r}"
