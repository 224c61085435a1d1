"""What the section `allocation` needs of a study's parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.evaluation.allocation.bins import DIFFICULTIES
from rlv.evaluation.votes import VOTES
from rlv.plan.allocation import allocated_on, chains_of, readers_of
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.readers import broken_readers

if TYPE_CHECKING:
    from rlv.figures import Drawing
    from rlv.study.types import Figure, Study
    from rlv.study.types.allocation import Allocation

# Two solutions on each half: with fewer there is nothing to choose.
FEWEST = 4


def broken_allocation(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of what the section cannot be made of."""
    section = study.allocation
    if section is None:
        return
    yield from broken_readers(study, "allocation", section.readers, section.datasets)
    for name in section.strategies:
        faults = list(broken_method("allocation.strategies", name, VOTES, "vote"))
        yield from faults
        if name.endswith(":fit"):
            yield (
                "allocation.strategies",
                f"{name!r} has no number here; write one that was chosen elsewhere, or leave it out",
            )
        elif not faults and VOTES[name].limit:
            yield "allocation.strategies", f"{name!r} knows what is right; it is no strategy"
    for name in section.difficulties:
        yield from broken_method("allocation.difficulties", name, DIFFICULTIES, "difficulty")
    yield from _pools(study, section)


def undrawn(study: Study, key: str, figure: Figure, drawing: Drawing) -> Iterator[tuple[str, str]]:
    """(key path, message) of a figure of allocations that has none to draw."""
    if study.allocation is None:
        yield key, "this figure needs the section `allocation`; `allocation: {}` takes its defaults"
        return
    readers = [name for name in readers_of(study) if name in study.reasoners]
    made = {dataset for reasoner in readers for dataset in allocated_on(study, reasoner)}
    for dataset in figure.datasets:
        yield from unknown(f"{key}.datasets", dataset, made, "data set with an allocation")
    judges = {judge for chains in chains_of(study).values() for judge in chains}
    if "surface" in drawing.tables and not any(study.verifiers[judge].draws > 1 for judge in judges):
        message = (
            "this figure needs several verdicts of a solution: a judge of score `judge_chain` with `draws` "
            f"of 2 or more among the readers of the allocation; found {sorted(judges) or 'no such verifier'}"
        )
        yield key, message


def _pools(study: Study, section: Allocation) -> Iterator[tuple[str, str]]:
    readers = [name for name in readers_of(study) if name in study.reasoners]
    if not any(allocated_on(study, reasoner) for reasoner in readers):
        yield "allocation.readers", "no reasoner with verifiers is evaluated on these data sets; name one"
    for reasoner in readers:
        found = study.solutions_of(reasoner)
        if found < FEWEST or not any(2 <= n <= found // 2 for n in study.evaluation.ns):
            yield (
                f"allocation.readers.{reasoner}",
                f"{found} solutions of a problem, and `evaluation.ns` has no N of 2 to {found // 2}; cells "
                "are judged on halves of the solutions; sample more, or name other reasoners",
            )
        elif "probe" in section.model_fields_set and section.probe > found // 2:
            yield (
                "allocation.probe",
                f"{section.probe} of the {found // 2} solutions of {reasoner!r} in a half; use {found // 2} "
                "at most",
            )
