"""Whether the graders of a study have a model, labels, and solutions to grade."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.graders import GRADERS
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.graders import graded

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_graders(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section `graders`. parts.py runs first."""
    for name, entry in study.graders.items():
        key = f"graders.{name}"
        yield from unknown(f"{key}.model", entry.model, study.models, "model")
        yield from broken_method(f"{key}.labels", entry.labels, GRADERS, "grader")
        if not GRADERS[entry.labels].reads:
            yield f"{key}.labels", f"{entry.labels!r} asks no model; solutions are graded by it already"
        for reasoner in entry.reasoners:
            yield from unknown(f"{key}.reasoners", reasoner, study.reasoners, "reasoner")
        for dataset in entry.datasets:
            yield from unknown(f"{key}.datasets", dataset, study.datasets, "data set")
        if name not in {grader for grader, _, _ in graded(study)}:
            yield key, "there is nothing to grade; name reasoners that are evaluated on one of its data sets"
