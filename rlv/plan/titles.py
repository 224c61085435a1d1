"""The titles of a study's figures, as reports and pages have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.figures import FIGURES

if TYPE_CHECKING:
    from rlv.plan import Plan

AXES = {
    **{"tokens": "tokens", "tokens_new": "tokens with keys and values kept"},
    **{"flops": "FLOPs", "flops_new": "FLOPs with keys and values kept"},
}


def title(plan: Plan, name: str) -> str:
    """What a figure of a study is about, for readers; different for each of its figures."""
    titles = {each: _title(plan, each) for each in plan.figures}
    alike = list(titles.values()).count(titles[name]) > 1
    return f"{titles[name]} ({name.replace('_', ' ')})" if alike else titles[name]


def _title(plan: Plan, name: str) -> str:
    figure = plan.study.figures[name]
    words = FIGURES[figure.drawing or name].title or name.replace("_", " ").capitalize()
    return words if figure.against == "n" else f"{words}, against {AXES[figure.against]}"
