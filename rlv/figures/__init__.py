"""All figures by name: its module, and the tables that it is drawn from. Importing this loads no plots.

A figure is one module with three functions: `data(tables, params)` selects what is drawn (and becomes the
CSV), `draw(data)` makes the picture from only that, `caption(data)` returns in reStructuredText what to see
and what came out; long ones are templates beside the module (`<module>.rst.jinja`). A fourth, `files(data)`,
is optional: texts by suffix that are left beside the picture. A new figure is one module and one entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlv.registry import Registry

# What a figure draws the evaluations (or steps) of; the plan gathers its inputs by this.
Needs = Literal[
    "comparisons",
    "controls",
    "starts",
    "training",
    "reasoners",
    "lengths",
    "allocation",
    "stopping",
    "first_errors",
    "attacks",
    "graders",
    "everything",
]


@dataclass(frozen=True)
class Drawing:
    """A figure's module, the tables that its `data` is given (as in rlv/tables), and what they are of.

    `needs`: "comparisons", both reasoners of every comparison with their verifiers; "controls", the same with
    their controls; "starts", with the models that they started from; "training", their training runs;
    "reasoners", the figure's own lists of reasoners; "lengths", comparisons at several budgets; "allocation",
    all allocations; "stopping", all replays of stopping rules; "first_errors", what that section of the
    study compares; "attacks", all attacks; "graders", all that models grade; "everything", all evaluations of
    the study. `texts`: endings of the text files that the figure leaves beside its picture. `costs`: whether
    it can be drawn against tokens or FLOPs (`against`). `title`: what it is about, for readers; "": its name.
    """

    module: str
    tables: tuple[str, ...]
    needs: Needs
    texts: tuple[str, ...] = ()
    costs: bool = False
    title: str = ""


VOTED = ("curves", "per_problem")

FIGURES = Registry(
    "rlv.figures",
    Drawing,
    {
        "parallel_scaling": Drawing(
            "rlv.figures.parallel_scaling",
            VOTED,
            "comparisons",
            costs=True,
            title="What more solutions a problem gain",
        ),
        "strategies": Drawing(
            "rlv.figures.strategies",
            VOTED,
            "comparisons",
            costs=True,
            title="From the same solutions to one answer",
        ),
        "generalization": Drawing(
            "rlv.figures.generalization",
            VOTED,
            "comparisons",
            costs=True,
            title="Harder problems and another domain",
        ),
        "unified_vs_separate": Drawing(
            "rlv.figures.unified_vs_separate",
            VOTED,
            "comparisons",
            costs=True,
            title="A unified or a separate verifier",
        ),
        "votes": Drawing(
            "rlv.figures.votes",
            VOTED,
            "everything",
            costs=True,
            title="What every vote makes of the solutions",
        ),
        "controls": Drawing(
            "rlv.figures.controls",
            VOTED,
            "controls",
            costs=True,
            title="Controls: leads without a trained verifier",
        ),
        "panels": Drawing(
            "rlv.figures.panels",
            (*VOTED, "members"),
            "everything",
            title="What verifiers are worth together",
        ),
        "boundary": Drawing(
            "rlv.figures.boundary",
            VOTED,
            "starts",
            title="What training finds, and what it loses",
        ),
        "objectives": Drawing(
            "rlv.figures.objectives",
            (*VOTED, "verification"),
            "reasoners",
            costs=True,
            title="Verification objectives",
        ),
        "coefficient": Drawing(
            "rlv.figures.coefficient",
            (*VOTED, "verification"),
            "reasoners",
            title="The weight λ of the verification objective",
        ),
        "sequential_parallel": Drawing(
            "rlv.figures.sequential_parallel",
            VOTED,
            "lengths",
            costs=True,
            title="Longer solutions, or more of them",
        ),
        "length_selection": Drawing(
            "rlv.figures.length_selection",
            ("selection", "selection_per_problem", *VOTED),
            "lengths",
            title="Lengths chosen by the verifier's confidence",
        ),
        "frontier": Drawing(
            "rlv.figures.frontier",
            ("frontier",),
            "allocation",
            title="What accuracy costs, and what choosing by difficulty saves",
        ),
        "allocation": Drawing(
            "rlv.figures.allocation",
            ("winners", "frontier"),
            "allocation",
            title="Which strategy wins at which difficulty and budget",
        ),
        "adaptive": Drawing(
            "rlv.figures.adaptive",
            ("adaptive",),
            "stopping",
            costs=True,
            title="Stopping when there are enough solutions",
        ),
        "solve_or_verify": Drawing(
            "rlv.figures.solve_or_verify",
            ("surface",),
            "allocation",
            title="More solutions, or more verdicts of each",
        ),
        "calibration": Drawing(
            "rlv.figures.calibration",
            ("reliability", "verification"),
            "comparisons",
            title="Reliability of the verifier's scores",
        ),
        "reliability": Drawing(
            "rlv.figures.reliability",
            ("reliability", "verification"),
            "everything",
            title="Are scores the chance of being right?",
        ),
        "pooled_within": Drawing(
            "rlv.figures.pooled_within",
            ("verification",),
            "everything",
            title="Which solution is right, or which problem is easy?",
        ),
        "accuracy_table": Drawing(
            "rlv.figures.accuracy_table",
            (*VOTED, "verification"),
            "everything",
            (".html", ".md", ".tex"),
            title="All accuracies",
        ),
        "first_errors": Drawing(
            "rlv.figures.first_errors",
            ("first_errors",),
            "first_errors",
            title="Does a verifier know where a solution goes wrong?",
        ),
        "graders": Drawing(
            "rlv.figures.graders",
            ("confusion", "grader_attacks"),
            "graders",
            title="Models that grade, beside the rules",
        ),
        "attacks": Drawing("rlv.figures.attacks", ("attacks",), "attacks", title="Texts that fool verifiers"),
        "training_curves": Drawing("rlv.figures.training_curves", ("steps",), "training", title="Training"),
    },
)
