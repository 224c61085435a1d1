"""Models that grade solutions beside the rules."""

from __future__ import annotations

from pydantic import Field

from rlv.study.types.section import Name, Section


class ModelGrader(Section):
    """A causal LM that is given question, reference and solution; what is right stays with the rules."""

    model: Name = Field(description="the model that grades (a name under `models`)")
    labels: str = Field(
        description="`compass`: A right, B wrong, C invalid; `xverify`: [Correct] or [Incorrect]; or your own"
    )
    reasoners: tuple[Name, ...] = Field(
        default=(), description="whose solutions are graded; absent: all that are evaluated"
    )
    datasets: tuple[Name, ...] = Field(
        default=(), description="on which data sets; absent: all that the reasoner is evaluated on"
    )
    problems: int = Field(default=100, ge=1, description="so many problems of a data set, the first")
    n: int = Field(default=8, ge=1, description="solutions of each, the first; there may be fewer")
