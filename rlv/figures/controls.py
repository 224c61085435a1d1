"""The figure `controls`: RL^V beside what may explain its lead without a trained verifier.

Columns are data sets, rows are methods. In each panel RL^V by weighted voting with its own scores; the base
method by majority voting and by weighted voting with each control: itself as judge (in one token, and after
it has reasoned), its own confidence, which costs nothing, and brevity; RL^V's solutions by that confidence,
by a separate verifier and by a trained head; the cold start by majority voting; and pass@N of the base method
as the limit. Controls that a comparison does not name are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, curve_keys, draw_panels, quoted_ns, select
from rlv.figures.panel_captions import about

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = Curve("rl_v", "weighted_voting", "own")
MAJORITY = Curve("base", "majority")
# By what captions call them; the order is that of the legend.
RIVALS = {
    "majority voting": MAJORITY,
    "the judge": Curve("base", "weighted_voting", "judge"),
    "the judge that reasons": Curve("base", "weighted_voting", "chain"),
    "the base method's confidence": Curve("base", "weighted_voting", "confidence"),
    "brevity": Curve("base", "weighted_voting", "brevity"),
    "its own solutions by confidence": Curve("rl_v", "weighted_voting", "confidence"),
    "its own solutions by the separate verifier": Curve("rl_v", "weighted_voting", "separate"),
    "its own solutions by the head": Curve("rl_v", "weighted_voting", "head"),
    "the cold start": Curve("cold", "majority"),
}
LIMIT = Curve("base", "pass_at_n")
BANDS = [(curve.role, curve.strategy, curve.scorer or "") for curve in (OURS, MAJORITY)]
HEIGHT = 2.3  # inches: nine lines need room


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of RL^V's weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, against, draws, seed. RL^V's solutions
    are drawn by a control if it read them on all data sets. Raises DataError if the tables lack a curve.
    """
    parts = []
    for method, comparison in params["comparisons"].items():
        chosen = [curve for curve in RIVALS.values() if _drawn(curve, comparison, tables["curves"], params)]
        parts.append(select(tables, {**params, "comparisons": {method: comparison}}, [OURS, *chosen, LIMIT]))
    return pl.concat(parts) if parts else select(tables, params, [])


def _drawn(
    curve: Curve, comparison: Mapping[str, Any], curves: pl.DataFrame, params: Mapping[str, Any]
) -> bool:
    """Whether a comparison has a curve: it names its cold start or verifier, and this read the solutions."""
    needed = "cold" if curve.role == "cold" else curve.scorer
    if needed is not None and not comparison.get(needed):
        return False
    if curve.role != "rl_v" or needed is None:
        return True
    ours = curves.filter(reasoner=comparison["rl_v"], verifier=comparison[needed])
    return set(params["datasets"]) <= set(ours["dataset"])


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: RL^V is bold, and bands are drawn where they stay readable."""
    return draw_panels(data, look=_look, bands=BANDS, height=HEIGHT)


def _look(role: str, strategy: str, scorer: str) -> style.Look:
    found = style.look(role, strategy, scorer)
    return replace(found, width=2.2) if scorer == "own" else replace(found, width=min(found.width, 1.1))


def caption(data: pl.DataFrame) -> str:
    """What each control is, what to see, and what came out here, as reStructuredText."""
    there = {(role, strategy, scorer or None) for role, strategy, scorer in curve_keys(data)}
    rivals = {name: c for name, c in RIVALS.items() if (c.role, c.strategy, c.scorer) in there}
    # Of many rivals one N is quoted: the middle one.
    said = about(data, rivals, quoted_ns(data)[:1])
    return fill(__file__, ".rst", named=list(rivals), **said)
