"""The section `first_errors`: verifiers that are asked which step of a solution is its first wrong one."""

from __future__ import annotations

from pydantic import Field

from rlv.study.types.section import Name, Section


class FirstErrors(Section):
    """Verifiers are read at steps, and the first step below a threshold is compared with exact labels."""

    datasets: tuple[Name, ...] = Field(
        min_length=1, description="data sets whose steps have labels: of source `mini` or `habits`"
    )
    readers: dict[Name, tuple[Name, ...]] = Field(
        min_length=1,
        description="reasoner -> those of its verifiers that read the steps of its solutions; the threshold "
        "of each is 1/2, and one that is chosen on the problems of `tuning`",
    )
