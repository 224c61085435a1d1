"""Which strategy for which problem: compute-optimal test-time scaling on the solutions of the evaluation."""

from __future__ import annotations

from pydantic import Field

from rlv.study.types.section import Name, Section


class Allocation(Section):
    """A menu of strategies, N and verifiers; the best of it by difficulty, at every price of compute."""

    datasets: tuple[Name, ...] = Field(
        default=(), description="data sets; absent: all that the readers are evaluated on"
    )
    readers: dict[Name, tuple[Name, ...]] = Field(
        default={},
        description="reasoner -> verifiers of its solutions, the first of which predicts difficulty; absent: "
        "every compared reasoner (else every one that has verifiers) with all its verifiers",
    )
    strategies: tuple[str, ...] = Field(
        default=("majority", "best_of_n", "weighted_voting"),
        min_length=1,
        description="votes on the menu, each at the numbers of `evaluation.ns` up to half of the solutions",
    )
    difficulties: tuple[str, ...] = Field(
        default=("oracle", "predicted", "level"),
        description="how difficulty is told, each in turn; `level` only if all problems have one",
    )
    bins: int = Field(default=5, ge=2, description="bins of difficulty, of about equal size")
    probe: int = Field(
        default=4, ge=1, description="solutions whose mean score predicts difficulty, which are charged"
    )
    folds: int = Field(
        default=2, ge=2, description="folds of problems; each is judged by choices made on the others"
    )
