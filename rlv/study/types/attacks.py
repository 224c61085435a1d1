"""Which verifiers are attacked, on which problems, and with what."""

from __future__ import annotations

from pydantic import Field

from rlv.study.types.section import Name, Section


class Attacks(Section):
    """Texts that are wrong by construction, put to verifiers that read with a model."""

    readers: dict[Name, tuple[Name, ...]] = Field(
        default={},
        description="reasoner -> its verifiers that are attacked; absent: all that read with a model, of "
        "every reasoner as it is written here, so of its first training seed",
    )
    datasets: tuple[Name, ...] = Field(
        default=(),
        description="data sets whose problems are used; absent: all that a reasoner is evaluated on",
    )
    attacks: tuple[str, ...] = Field(
        default=(),
        description="names of attacks (`rlv methods`); absent: all of ours that apply to the source",
    )
    problems: int = Field(default=100, ge=1, description="so many problems of a data set, the first")
