"""What the report shows: figures and claims by names that a reader understands, each in its category."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlv.figures import FIGURES
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.plan.titles import title
from rlv.snakemake.copies import copies

STUDIES = ["mini", "mini-paper", "smoke", "paper", "pilot"]


def test_every_figure_of_ours_has_a_title():
    titles = [drawing.title for drawing in FIGURES.own.values()]
    assert all(titles) and len(set(titles)) == len(titles)


@pytest.mark.parametrize("study", STUDIES)
def test_no_two_figures_of_a_study_have_one_title(study):
    plan = build_plan(load(study))
    titles = {name: title(plan, name) for name in plan.figures}
    assert len(set(titles.values())) == len(titles)
    assert not [words for words in titles.values() if "_" in words]


def test_an_axis_of_cost_is_in_the_title():
    plan = build_plan(load("mini-paper"))
    assert title(plan, "parallel_scaling_tokens") == f"{title(plan, 'parallel_scaling')}, against tokens"


def test_categories_and_kinds():
    found = copies(build_plan(load("mini-paper")), Path("results"))
    shown = {
        (arguments["category"], *arguments["labels"])
        for target in found.values()
        for arguments in target.files.values()
        if arguments
    }
    assert shown == {("Figures", "figure"), ("Tables", "table"), ("Claims", "scoreboard")}
