"""The names of the workflow's own rules and targets, which no figure can have."""

from __future__ import annotations

from rlv.run.stages import STAGES

# Targets of the workflow; a stage of the same name has a rule `<stage>_table`.
TARGETS = ("all", "claims", "page", "report")


def rule_name(stage: str) -> str:
    """The name of a stage's rule, as in `--set-threads train=8`."""
    return f"{stage}_table" if stage in TARGETS else stage


# A figure is a target by its name, beside these.
RULES = frozenset({*TARGETS, *map(rule_name, STAGES)})
